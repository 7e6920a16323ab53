/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/registry.pb-c.h"
#include "proto/registry/registry.h"

/* What is legal in a registry and yet probably a mistake. */
enum { FINDING_SIZE = 512 };

/* Called for each finding, a sentence. */
struct findings {
	void (*take)(struct findings *findings, const char *sentence);
	size_t count;
};

/**
 * registry_findings() - look for doubtful things
 * @registry: loaded
 * @now_ms:   the day of looking
 * @findings: gets each; its count rises
 *
 * Two parties serving the same region for the same sender, agreements that end soon or have ended,
 * services that nobody may send, parties that nothing names, a version gone stale.
 */
void registry_findings(const struct registry *registry, uint64_t now_ms, struct findings *findings);
