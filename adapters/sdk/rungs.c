/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * When the ladder is full, the rung goes whose absence makes the smallest gap, measured by how far back it lies.
 * That keeps gaps in proportion to age without a clock, however fast the log grows.
 */
#include "adapters/sdk/rungs.h"

#include <errno.h>
#include <string.h>

/* How little would be missed, the least first: gap * weight < other gap * other weight, in long double terms. */
static long double loss_of(const struct rungs *rungs, size_t i)
{
	uint64_t newest = rungs->all[rungs->count - 1].size;
	uint64_t gap = rungs->all[i + 1].size - rungs->all[i - 1].size;
	return (long double)gap / (long double)(newest - rungs->all[i].size);
}

/* The first stays, it reaches furthest back; the newest is the one in use. */
static void thin(struct rungs *rungs)
{
	size_t best = 1;
	for (size_t i = 2; i + 1 < rungs->count; i++)
		if (loss_of(rungs, i) < loss_of(rungs, best))
			best = i;
	rungs->count--;
	memmove(&rungs->all[best], &rungs->all[best + 1],
		(rungs->count - best) * sizeof(rungs->all[0]));
}

void rungs_add(struct rungs *rungs, uint64_t size, const struct merkle_hash *root)
{
	if (rungs->count > 0 && rungs->all[rungs->count - 1].size >= size)
		return;
	if (rungs->count == RUNGS_MAX)
		thin(rungs);
	rungs->all[rungs->count++] = (struct rung){.size = size, .root = *root};
}

const struct rung *rungs_below(const struct rungs *rungs, uint64_t size)
{
	const struct rung *found = NULL;
	for (size_t i = 0; i < rungs->count && rungs->all[i].size <= size; i++)
		found = &rungs->all[i];
	return found;
}

void rungs_cut(struct rungs *rungs, uint64_t size)
{
	while (rungs->count > 0 && rungs->all[rungs->count - 1].size > size)
		rungs->count--;
}

size_t rungs_encode(const struct rungs *rungs, uint8_t buf[RUNGS_ROW_MAX])
{
	for (size_t i = 0; i < rungs->count; i++) {
		be64_put(buf + i * RUNG_SIZE, rungs->all[i].size);
		memcpy(buf + i * RUNG_SIZE + 8, rungs->all[i].root.bytes, HASH_SIZE);
	}
	return rungs->count * RUNG_SIZE;
}

int rungs_decode(struct bytes row, struct rungs *ret)
{
	struct merkle_hash root;
	*ret = (struct rungs){};
	if (row.len % RUNG_SIZE || row.len > RUNGS_ROW_MAX)
		return -EBADMSG;
	for (size_t at = 0; at < row.len; at += RUNG_SIZE) {
		memcpy(root.bytes, row.data + at + 8, HASH_SIZE);
		rungs_add(ret, be64_get(row.data + at), &root);
	}
	return ret->count == row.len / RUNG_SIZE ? 0 : -EBADMSG;
}
