/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "conf/cli/registry-findings.h"
#include "proto/registry/registry.h"

/* One change of a key from a version to the next, as a sentence. */
struct changes {
	void (*take)(struct changes *changes, const char *sentence);
	size_t count;
};

/**
 * registry_changes() - what does a version do to the keys of the one before?
 * @before:   loaded
 * @after:    loaded, follows it
 * @changes:  gets each key that comes, goes, or counts otherwise than before
 * @findings: gets what is legal and looks like a mistake: a key that vanishes or counts again, an exchange
 *            without a time in which old and new overlap
 */
void registry_changes(const struct registry *before, const struct registry *after,
	struct changes *changes, struct findings *findings);
