/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "conf/cli/registry-file.h"

/* The registry and its answers as JSON, for --json. */

/**
 * registry_json() - a whole registry
 * @bytes:    a SignedRegistry
 * @head:     its note
 * @content:  its content
 * @verified: signatures were checked by a policy
 * Return: an object, the caller's, or NULL without memory.
 */
json_t *registry_json(struct bytes bytes, const struct registry_head *head,
	const Dienstweg__RegistryContent *content, bool verified);

/**
 * registry_route_json() - a routing decision
 * @result:  of registry_resolve()
 * @verdict: of registry_resolve()
 * Return: an object, the caller's, or NULL without memory.
 */
json_t *registry_route_json(const struct resolve_result *result, int verdict);
