/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One row a version, the newest last. The broker itself calls the newest by name: on its way of every message
 * there is nothing to choose.
 */
#include "broker/routing/versions.h"

/* What they have in common; where two differ, the function asks rules->version. */
#define FUNCTIONS                                                                                  \
	.submit = rules_submit, .refusal_is_final = rules_refusal_is_final,                        \
	.acknowledge = rules_acknowledge, .fail = rules_fail, .expire = rules_expire,              \
	.tick = rules_tick, .confirm = rules_confirm, .hold = rules_hold,                          \
	.adopt_registry = rules_adopt_registry

static const struct rules_version versions[] = {
	{.version = 0, FUNCTIONS},
	{.version = RULES_VERSION,
		FUNCTIONS,
		.bury = rules_bury,
		.retry = rules_retry,
		.discard = rules_discard,
		.hold_items = rules_hold_items,
		.remind = rules_remind,
		.warn = rules_warn,
		.hold_queue = rules_hold_queue,
		.cancel = rules_cancel},
};

const struct rules_version *rules_version_find(uint32_t version)
{
	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		if (versions[i].version == version)
			return &versions[i];
	return NULL;
}
