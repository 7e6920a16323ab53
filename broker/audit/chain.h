/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/note/epoch.h"
#include "proto/note/policy.h"
#include "proto/registry/registry.h"

/*
 * The registries of a journal, in the order of its entries. The policy's roots need not have signed every
 * one: each must be signed by two of its own roots and follow the one before (its digest, two of its
 * predecessor's roots), and at least one of them must bear a quorum of the policy's. The digests carry the
 * trust backwards, the signatures carry it forwards. One thread.
 */
struct chain {
	const struct policy *policy; /* NULL: nothing is pinned */
	struct registry *current;    /* in force; NULL before the first */
	uint64_t sequence;           /* of its entry */
	uint64_t versions;           /* how many so far */
	bool anchored;               /* one was signed by the policy's roots */
};

enum { CHAIN_BROKEN = 1, CHAIN_UNREADABLE = 2 };

/* No registry yet; the policy is borrowed, NULL pins nothing. */
void chain_init(struct chain *chain, const struct policy *policy);
void chain_deinit(struct chain *chain);
DEFINE_CLEANUP_PTR(struct chain, chain_deinit);

/**
 * chain_share() - a copy for another thread, as of now
 * @chain: goes on
 * @ret:   initialised; replaced; only to be asked, not to be added to
 */
void chain_share(const struct chain *chain, struct chain *ret);

/**
 * chain_resume() - go on from a registry that was judged before
 * @chain:        no registry yet
 * @sequence:     of its entry
 * @versions:     how many there had been, it included
 * @anchored:     one of them was signed by the policy's roots
 * @signed_bytes: the entry's content
 * Return: 0, CHAIN_UNREADABLE, negative errno.
 */
int chain_resume(struct chain *chain, uint64_t sequence, uint64_t versions, bool anchored,
	struct bytes signed_bytes);

/**
 * chain_add() - the registry of the next registry entry
 * @chain:        so far
 * @sequence:     of the entry
 * @signed_bytes: the entry's content
 * @reterr:       a sentence, for a verdict
 * @size:         of @reterr
 *
 * After CHAIN_BROKEN it is in force all the same, so that what follows is judged by what was in force.
 *
 * Return: 0, CHAIN_BROKEN (it must not follow), CHAIN_UNREADABLE (the one before stays), negative errno.
 */
int chain_add(struct chain *chain, uint64_t sequence, struct bytes signed_bytes, char *reterr,
	size_t size);

/* Version in force, 0 before the first. */
uint64_t chain_version(const struct chain *chain);

/**
 * chain_signing_key() - does a signature made by this key count at this entry?
 * @chain:      registry in force
 * @sequence:   of the entry
 * @key_id:     untrusted
 * @owner:      who must own the key
 * @ret_public: its public key
 * Return: NULL, or why not: a sentence's end.
 */
const char *chain_signing_key(const struct chain *chain, uint64_t sequence, struct bytes key_id,
	struct bytes owner, const uint8_t **ret_public);

/**
 * chain_log_keys() - keys whose signature makes a checkpoint count now
 * @chain:  registry in force
 * @origin: of the log
 * @ret:    room for NOTE_KEYS_MAX
 * Return: how many: the registry's, and the policy's.
 */
size_t chain_log_keys(
	const struct chain *chain, const char *origin, struct note_key ret[NOTE_KEYS_MAX]);
