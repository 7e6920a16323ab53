/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * ZeroMQ's thread gives frames back when it likes, also long after their session ended: so whoever comes last
 * frees the count.
 */
#include "broker/transport/tally.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct tally {
	_Atomic(uint64_t) bytes;
	_Atomic(uint32_t) holders;
};

struct tally *tally_new(void)
{
	struct tally *tally = calloc(1, sizeof(*tally));
	if (tally)
		tally->holders = 1;
	return tally;
}

struct tally *tally_hold(struct tally *tally)
{
	atomic_fetch_add(&tally->holders, 1);
	return tally;
}

void tally_drop(struct tally *tally)
{
	if (tally && atomic_fetch_sub(&tally->holders, 1) == 1)
		free(tally);
}

void tally_add(struct tally *tally, size_t bytes)
{
	atomic_fetch_add(&tally_hold(tally)->bytes, bytes);
}

void tally_take(struct tally *tally, size_t bytes)
{
	uint64_t before = atomic_fetch_sub(&tally->bytes, bytes);
	assert(before >= bytes);
	tally_drop(tally);
}

uint64_t tally_bytes(const struct tally *tally)
{
	return atomic_load(&tally->bytes);
}
