/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A policy pins the roots of one moment, a journal outlives many. Demanding the pinned roots' signatures
 * on every version would make a journal unverifiable after the first change of roots; following the
 * chain from a version that bears them, in both directions, does not.
 */
#include "broker/audit/chain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "proto/base/arena.h"

void chain_init(struct chain *chain, const struct policy *policy)
{
	*chain = (struct chain){.policy = policy};
}

void chain_deinit(struct chain *chain)
{
	registry_unref(steal(&chain->current));
}

void chain_share(const struct chain *chain, struct chain *ret)
{
	struct registry *before = ret->current;
	*ret = *chain;
	ret->current = chain->current ? registry_ref(chain->current) : NULL;
	registry_unref(before);
}

/* Under the policy's roots, else under its own. */
static int load(struct chain *chain, struct bytes signed_bytes, struct registry **ret,
	bool *ret_anchored, char *reterr, size_t size)
{
	const struct policy *policy = chain->policy;
	*ret_anchored = false;
	if (policy && policy->roots_count > 0) {
		int r = registry_load(signed_bytes, policy->roots, policy->roots_count,
			policy->root_quorum, ret, reterr, size);
		*ret_anchored = r == 0;
		if (r != REGISTRY_UNSIGNED)
			return r;
	}
	return registry_load_self(signed_bytes, ret, reterr, size);
}

static const char *successor_text(int verdict)
{
	switch (verdict) {
	case REGISTRY_OLDER:
		return "is older than the one in force before it";
	case REGISTRY_UNSIGNED:
		return "is not signed by two roots of the one before it";
	default:
		return "does not name the one in force before it as its predecessor";
	}
}

int chain_resume(struct chain *chain, uint64_t sequence, uint64_t versions, bool anchored,
	struct bytes signed_bytes)
{
	char why[256];
	bool bears_roots;
	int r = load(chain, signed_bytes, &chain->current, &bears_roots, why, sizeof(why));
	if (r)
		return r > 0 ? CHAIN_UNREADABLE : r;
	chain->sequence = sequence;
	chain->versions = versions;
	chain->anchored = anchored || bears_roots;
	return 0;
}

int chain_add(struct chain *chain, uint64_t sequence, struct bytes signed_bytes, char *reterr,
	size_t size)
{
	_cleanup_(registry_unref) struct registry *next = NULL;
	char why[256] = "";
	bool anchored;
	int verdict = 0;
	int r = load(chain, signed_bytes, &next, &anchored, why, sizeof(why));
	if (r < 0)
		return r;
	if (r > 0) {
		snprintf(reterr, size, "the registry does not load: %s", why);
		return CHAIN_UNREADABLE;
	}
	if (chain->current)
		verdict = registry_check_successor(chain->current, next);
	if (verdict < 0)
		return verdict;
	if (verdict > 0)
		snprintf(reterr, size, "registry version %" PRIu64 " %s", registry_version(next),
			successor_text(verdict));
	registry_unref(chain->current);
	chain->current = steal(&next);
	chain->sequence = sequence;
	chain->versions++;
	chain->anchored = chain->anchored || anchored;
	return verdict > 0 ? CHAIN_BROKEN : 0;
}

uint64_t chain_version(const struct chain *chain)
{
	return chain->current ? registry_version(chain->current) : 0;
}

const char *chain_signing_key(const struct chain *chain, uint64_t sequence, struct bytes key_id,
	struct bytes owner, const uint8_t **ret_public)
{
	const Dienstweg__Party *party = NULL;
	const Dienstweg__Key *key = chain->current ? registry_key(chain->current, key_id, &party)
						   : NULL;
	if (!key)
		return "by a key that the registry in force does not know";
	if (!party || !bytes_equal(BYTES_PB(party->name), owner))
		return "by a key of somebody else";
	if (key->use != DIENSTWEG__KEY_USE__KEY_USE_SIGN)
		return "by a key that is not for signing";
	if (key->state != DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE)
		return "by a key that was retired or revoked";
	if (key->suspect_from != 0 && sequence >= key->suspect_from)
		return "by a key that was under suspicion from an earlier entry on";
	*ret_public = key->public_.data;
	return NULL;
}

size_t chain_log_keys(
	const struct chain *chain, const char *origin, struct note_key ret[NOTE_KEYS_MAX])
{
	size_t count = 0;
	if (chain->current)
		count = registry_log_keys(
			chain->current, origin, ret, NOTE_KEYS_MAX - POLICY_KEYS_MAX);
	for (size_t i = 0; chain->policy && i < chain->policy->logs_count; i++) {
		bool known = false;
		for (size_t k = 0; k < count && !known; k++)
			known = memcmp(ret[k].public, chain->policy->logs[i].public,
					SIGN_PUBLIC_SIZE) == 0;
		/* A pinned key is the log's in every epoch of its bus. */
		const struct note_key *pinned = &chain->policy->logs[i];
		struct bytes name = BYTES_STR(
			epoch_same_bus(pinned->name, origin) ? origin : pinned->name);
		if (!known && note_key_init(&ret[count], name, pinned->public) == 0)
			count++;
	}
	return count;
}
