/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The registry names witnesses for the broker; an adapter or auditor pins its own in a policy file. Both
 * are judged by the same function, so the list is brought into the form of a policy.
 */
#include <string.h>

#include "proto/registry/registry.h"

void registry_witnesses(const struct registry *registry, struct policy *ret)
{
	const Dienstweg__RegistryContent *content = registry_content(registry);
	*ret = (struct policy){.witness_quorum = content->witness_quorum};
	for (size_t i = 0; i < content->n_witnesses; i++) {
		const Dienstweg__Witness *witness = content->witnesses[i];
		if (witness->key->state != DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE ||
			ret->witnesses_count == POLICY_KEYS_MAX)
			continue;
		if (note_key_init_witness(&ret->witnesses[ret->witnesses_count],
			    BYTES_PB(witness->name), witness->key->public_.data) == 0)
			ret->witnesses_count++;
	}
}
