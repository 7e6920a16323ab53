/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Nodes are computed once per batch, level by level, because then every node costs one hash however
 * many leaves the batch has, and all nodes that the receipts of the batch need are at hand: no path
 * of a new entry reads the disk.
 *
 * Each level keeps an array from a fixed boundary on: at stored levels from the start of the
 * incomplete row, at the others from the last left sibling that a later node can need. What is in front
 * of a batch's own nodes there is exactly the right edge of the tree before it.
 */
#include "broker/journal/tree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct tree_level {
	struct merkle_hash *nodes;
	size_t count, room;
	uint64_t first; /* index of nodes[0] */
};

struct tree {
	uint64_t settled; /* leaves before this batch */
	uint64_t size;
	struct merkle_hash root;
	struct tree_level levels[MERKLE_LEVELS];
};

/* Most nodes that stay at a level between batches; a power of two. */
static uint64_t level_keep(unsigned int level)
{
	return level % TILE_HEIGHT == 0 ? TILE_WIDTH : 2;
}

static int level_add(struct tree_level *level, const struct merkle_hash *node)
{
	if (level->count == level->room) {
		size_t room = level->room ? level->room * 2 : TILE_WIDTH;
		struct merkle_hash *nodes = realloc(level->nodes, room * sizeof(*nodes));
		if (!nodes)
			return -ENOMEM;
		level->nodes = nodes;
		level->room = room;
	}
	level->nodes[level->count++] = *node;
	return 0;
}

int tree_new(struct tree **ret)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	*ret = tree;
	return tree ? 0 : -ENOMEM;
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	for (size_t i = 0; i < MERKLE_LEVELS; i++)
		free(tree->levels[i].nodes);
	free(tree);
}

int tree_load(struct tree *tree, const struct tile_source *source)
{
	struct merkle_hash node;
	assert(tree->size == 0);
	tree->size = tree->settled = source->size;
	for (unsigned int l = 0; l < MERKLE_LEVELS && source->size >> l > 0; l++) {
		struct tree_level *level = &tree->levels[l];
		uint64_t end = source->size >> l; /* complete nodes only */
		level->first = end & ~(level_keep(l) - 1);
		for (uint64_t i = level->first; i < end; i++) {
			int r = tile_node(source, source->size, l, i, &node);
			if (r == 0)
				r = level_add(level, &node);
			if (r)
				return r;
		}
	}
	return source->size > 0 ? tile_root(source, source->size, &tree->root) : 0;
}

int tree_push(struct tree *tree, const struct merkle_hash *leaf)
{
	int r = level_add(&tree->levels[0], leaf);
	if (r == 0)
		tree->size++;
	return r;
}

static const struct merkle_hash *level_at(const struct tree_level *level, uint64_t index)
{
	assert(index >= level->first && index - level->first < level->count);
	return &level->nodes[index - level->first];
}

/* Nodes of a level above the leaves, from the one over the first new leaf to the ragged last one. */
static int level_build(struct tree *tree, unsigned int l)
{
	const struct tree_level *below = &tree->levels[l - 1];
	uint64_t last = (tree->size - 1) >> l, last_below = (tree->size - 1) >> (l - 1);
	struct merkle_hash node;
	for (uint64_t i = tree->settled >> l; i <= last; i++) {
		if (2 * i < last_below)
			merkle_node(level_at(below, 2 * i), level_at(below, 2 * i + 1), &node);
		else
			node = *level_at(below, 2 * i);
		int r = level_add(&tree->levels[l], &node);
		if (r)
			return r;
	}
	return 0;
}

/* Rows that became complete, in the order of their keys. */
static int store_rows(
	const struct tree *tree, struct db_txn *txn, const struct journal_tables *tables)
{
	uint8_t key[TILE_KEY_SIZE];
	uint64_t end = (tree->settled / TILE_WIDTH + 1) * TILE_WIDTH;
	for (; end <= tree->size; end += TILE_WIDTH)
		for (unsigned int l = 0, span = TILE_HEIGHT;
			span < 64 && end % (UINT64_C(1) << span) == 0;
			l += TILE_HEIGHT, span += TILE_HEIGHT) {
			const struct merkle_hash *row = level_at(
				&tree->levels[l], (end >> l) - TILE_WIDTH);
			tile_key(end, l, key);
			int r = db_append(txn, tables->tile, BYTES(key, TILE_KEY_SIZE),
				BYTES(row, TILE_WIDTH * HASH_SIZE));
			if (r)
				return r;
		}
	return 0;
}

/* Incomplete rows that changed. One that just became complete leaves none: a stale one would say what is not so. */
static int store_edge(
	const struct tree *tree, struct db_txn *txn, const struct journal_tables *tables)
{
	uint8_t key[EDGE_KEY_SIZE];
	for (unsigned int l = 0; l < MERKLE_LEVELS; l += TILE_HEIGHT) {
		uint64_t end = tree->size >> l;
		size_t count = end % TILE_WIDTH;
		if (end == tree->settled >> l)
			break;
		edge_key(l, key);
		int r = count == 0 ? db_delete(txn, tables->meta, BYTES(key, EDGE_KEY_SIZE))
				   : db_put(txn, tables->meta, BYTES(key, EDGE_KEY_SIZE),
					     BYTES(level_at(&tree->levels[l], end - count),
						     count * HASH_SIZE));
		if (r < 0 || (r > 0 && r != DB_NOT_FOUND))
			return r;
	}
	return 0;
}

int tree_close(struct tree *tree, struct db_txn *txn, const struct journal_tables *tables)
{
	unsigned int top = 0;
	assert(tree->size > tree->settled);
	while ((tree->size - 1) >> top > 0) {
		int r = level_build(tree, ++top);
		if (r)
			return r;
	}
	tree->root = *level_at(&tree->levels[top], 0);
	int r = store_rows(tree, txn, tables);
	if (r == 0)
		r = store_edge(tree, txn, tables);
	return r;
}

void tree_settle(struct tree *tree)
{
	for (unsigned int l = 0; l < MERKLE_LEVELS; l++) {
		struct tree_level *level = &tree->levels[l];
		uint64_t end = tree->size >> l; /* drops the ragged one */
		uint64_t first = end & ~(level_keep(l) - 1);
		if (level->count == 0)
			break;
		level->count = end - first;
		memmove(level->nodes, level->nodes + (first - level->first),
			level->count * sizeof(*level->nodes));
		level->first = first;
	}
	tree->settled = tree->size;
}

uint64_t tree_size(const struct tree *tree)
{
	return tree->size;
}

void tree_root(const struct tree *tree, struct merkle_hash *ret)
{
	*ret = tree->root;
}

int tree_node(const struct tree *tree, const struct tile_source *source, unsigned int level,
	uint64_t index, struct merkle_hash *ret)
{
	const struct tree_level *at = &tree->levels[level];
	if (index >= at->first && index - at->first < at->count) {
		*ret = at->nodes[index - at->first];
		return 0;
	}
	return tile_node(source, tree->size, level, index, ret);
}
