/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "proto/note/policy.h"
#include "proto/registry/registry.h"

/*
 * Every registry that was ever in force here, a file each in STATE/registries, named by its version. They
 * are the proof that the newest one descends from one that the policy's roots signed; nothing in them is
 * trusted for lying there. A folder that is lost costs nothing until the roots have changed.
 */
enum {
	KEPT_BROKEN = 1,          /* they do not lead to it */
	KEPT_VERSIONS_MAX = 4096, /* the newest of them that are not newer than the one asked about */
};

struct kept {
	char dir[4096];
};

/**
 * kept_init() - name the folder; it is made with the first version that is put
 * @kept:  to set up
 * @state: the adapter's folder
 * Return: 0 or negative errno.
 */
int kept_init(struct kept *kept, const char *state);

/**
 * kept_put() - keep a version, before it counts
 * @kept:     the folder
 * @registry: about to be in force
 * Return: 0 or negative errno.
 */
int kept_put(const struct kept *kept, const struct registry *registry);

/**
 * kept_leads_to() - do the kept versions lead from the policy to this registry?
 * @kept:     the folder
 * @policy:   pinned roots
 * @registry: loaded under its own roots
 *
 * The oldest kept version that the policy's roots signed is the beginning; each further one counts when it
 * follows the one before it. The registry must be one of them, or follow the last.
 *
 * Return: 0, KEPT_BROKEN, negative errno.
 */
int kept_leads_to(
	const struct kept *kept, const struct policy *policy, const struct registry *registry);
