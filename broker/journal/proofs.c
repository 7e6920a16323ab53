/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Neighbouring leaves share most of their paths. Visited in rising order, the leaves below one node come
 * one after the other, so a sibling is needed by an unbroken run of them: remembering the last node of
 * each level is enough to put every node into the table once, without any hashing of coordinates.
 */
#include "broker/journal/proofs.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/journal.pb-c.h"

/* The node that the table holds last at each level. */
struct proofs_last {
	uint64_t index;
	uint32_t slot;
	bool set;
};

void proofs_deinit(struct proofs *proofs)
{
	free(proofs->nodes);
	*proofs = (struct proofs){};
}

bool proofs_wanted_submit(const struct parcel_submit *submit)
{
	const struct submit_decision *decision = &submit->decision;
	return decision->result == SUBMIT_ACCEPTED ||
	       (decision->result == SUBMIT_DUPLICATE &&
		       decision->earlier_kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED);
}

static int by_sequence(const void *a, const void *b)
{
	const struct parcel_proof *const *x = a, *const *y = b;
	return ((*x)->sequence > (*y)->sequence) - ((*x)->sequence < (*y)->sequence);
}

/* Pointers to the proofs of a parcel, in rising order of sequence; in the parcel's arena. */
static int proofs_collect(struct parcel *parcel, struct parcel_proof ***ret, size_t *ret_count)
{
	size_t most = parcel->submits_count + parcel->acks_count, count = 0;
	struct parcel_proof **list = arena_alloc(parcel->arena, most * sizeof(*list));
	bool rising = true;
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < parcel->submits_count; i++)
		if (proofs_wanted_submit(&parcel->submits[i]))
			list[count++] = &parcel->submits[i].proof;
	for (size_t i = 0; i < parcel->acks_count; i++)
		if (parcel->acks[i].decision.append)
			list[count++] = &parcel->acks[i].proof;
	for (size_t i = 1; i < count; i++)
		rising = rising && list[i - 1]->sequence <= list[i]->sequence;
	if (!rising) /* resent in another order */
		qsort(list, count, sizeof(*list), by_sequence);
	*ret = list;
	*ret_count = count;
	return 0;
}

static int proofs_add_node(struct proofs *proofs, const struct merkle_hash *node)
{
	if (proofs->count == proofs->room) {
		size_t room = proofs->room ? proofs->room * 2 : 256;
		struct merkle_hash *nodes = realloc(proofs->nodes, room * sizeof(*nodes));
		if (!nodes)
			return -ENOMEM;
		proofs->nodes = nodes;
		proofs->room = room;
	}
	proofs->nodes[proofs->count++] = *node;
	return 0;
}

static int proofs_build_path(struct proofs *proofs, const struct tree *tree,
	const struct tile_source *source, struct proofs_last last[MERKLE_LEVELS],
	struct parcel_proof *proof)
{
	struct merkle_coordinate path[MERKLE_LEVELS];
	struct merkle_hash node;
	size_t steps = merkle_path_coordinates(proof->sequence, tree_size(tree), path);
	for (size_t i = 0; i < steps; i++) {
		struct proofs_last *at = &last[path[i].level];
		if (!at->set || at->index != path[i].index) {
			int r = tree_node(tree, source, path[i].level, path[i].index, &node);
			if (r == 0)
				r = proofs_add_node(proofs, &node);
			if (r)
				return r;
			*at = (struct proofs_last){
				.index = path[i].index,
				.slot = (uint32_t)proofs->count - 1,
				.set = true,
			};
		}
		proof->path[i] = at->slot;
	}
	proof->path_count = (uint32_t)steps;
	return 0;
}

int proofs_build(struct proofs *proofs, const struct tree *tree, const struct tile_source *source,
	struct parcel *parcel)
{
	struct proofs_last last[MERKLE_LEVELS] = {};
	struct parcel_proof **list;
	struct bytes nodes;
	size_t count;
	int r = proofs_collect(parcel, &list, &count);
	proofs->count = 0;
	for (size_t i = 0; i < count && r == 0; i++)
		r = proofs_build_path(proofs, tree, source, last, list[i]);
	if (r)
		return r;
	r = arena_copy(parcel->arena, BYTES(proofs->nodes, proofs->count * HASH_SIZE), &nodes);
	if (r)
		return r;
	parcel->nodes = (uint8_t *)(uintptr_t)nodes.data;
	parcel->nodes_count = proofs->count;
	return (int)count;
}
