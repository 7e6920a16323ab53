/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Hundreds of thousands of states are remembered, and only whether they were met before matters: 16 bytes
 * each instead of the states. Two states that share them would hide one; at a million states the
 * chance is below 2^-88.
 */
#include "test/fault/explorer/digests.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/base/crypto.h"

enum { DIGEST_SIZE = 16, SLOTS_MIN = 1024 };

struct slot {
	uint8_t digest[DIGEST_SIZE];
	uint32_t number; /* plus one; 0: free */
};

struct digests {
	struct slot *slots;
	size_t mask;
	uint32_t count;
};

static void *must_calloc(size_t count, size_t size)
{
	void *p = calloc(count, size);
	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return p;
}

struct digests *digests_new(void)
{
	struct digests *digests = must_calloc(1, sizeof(*digests));
	digests->slots = must_calloc(SLOTS_MIN, sizeof(*digests->slots));
	digests->mask = SLOTS_MIN - 1;
	return digests;
}

void digests_free(struct digests *digests)
{
	if (!digests)
		return;
	free(digests->slots);
	free(digests);
}

static struct slot *find(struct slot *slots, size_t mask, const uint8_t digest[DIGEST_SIZE])
{
	uint64_t at;
	memcpy(&at, digest, sizeof(at));
	for (;; at++) {
		struct slot *slot = &slots[at & mask];
		if (slot->number == 0 || memcmp(slot->digest, digest, DIGEST_SIZE) == 0)
			return slot;
	}
}

static void grow(struct digests *digests)
{
	size_t mask = digests->mask * 2 + 1;
	struct slot *slots = must_calloc(mask + 1, sizeof(*slots));
	for (size_t i = 0; i <= digests->mask; i++)
		if (digests->slots[i].number != 0)
			*find(slots, mask, digests->slots[i].digest) = digests->slots[i];
	free(digests->slots);
	digests->slots = slots;
	digests->mask = mask;
}

uint32_t digests_add(struct digests *digests, struct bytes thing, bool *ret_new)
{
	uint8_t hash[HASH_SIZE];
	blake2b_of(thing, hash);
	if ((size_t)digests->count * 2 > digests->mask)
		grow(digests);
	struct slot *slot = find(digests->slots, digests->mask, hash);
	bool is_new = slot->number == 0;
	if (is_new) {
		memcpy(slot->digest, hash, DIGEST_SIZE);
		slot->number = ++digests->count;
	}
	if (ret_new)
		*ret_new = is_new;
	return slot->number - 1;
}

uint32_t digests_count(const struct digests *digests)
{
	return digests->count;
}
