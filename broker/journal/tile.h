/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/tables.h"
#include "proto/merkle/merkle.h"

/*
 * The tree on disk (docs/journal.md "Tiles"): rows of 32 neighbouring hashes of the levels 0, 5, 10, ...
 * A complete row stands in `tile` under u64be end || u8 level, where `end` is the number of leaves with
 * which it became complete; so rows sort in the order in which they are made. The incomplete last row
 * of a level stands in `meta` under "edge" || u8 level. Inside this folder only.
 */
enum {
	TILE_HEIGHT = 5,
	TILE_WIDTH = 1 << TILE_HEIGHT,
	TILE_KEY_SIZE = 9,
	EDGE_KEY_SIZE = 5,
};

/* Keys of a complete and of an incomplete row. */
void tile_key(uint64_t end, unsigned int level, uint8_t buf[TILE_KEY_SIZE]);
void edge_key(unsigned int level, uint8_t buf[EDGE_KEY_SIZE]);

/* Rows as one transaction sees them. */
struct tile_source {
	struct db_txn *txn;
	const struct journal_tables *tables;
	uint64_t size; /* leaves in the rows */
};

/**
 * tile_row() - a row as it is stored, complete or not
 * @source: where
 * @level:  a multiple of TILE_HEIGHT
 * @row:    its number on that level
 * @ret:    its hashes, a view
 * Return: 0, -EBADMSG when there is none, negative errno.
 */
int tile_row(const struct tile_source *source, unsigned int level, uint64_t row, struct bytes *ret);

/**
 * tile_node() - a node of the tree of @size leaves, ragged edge included
 * @source: where
 * @size:   at most source->size
 * @level:  of the node
 * @index:  of the node; it must cover at least one leaf
 * @ret:    the hash
 * Return: 0, -EBADMSG when rows are missing or short, negative errno.
 */
int tile_node(const struct tile_source *source, uint64_t size, unsigned int level, uint64_t index,
	struct merkle_hash *ret);

/**
 * tile_root() - root of the tree of @size leaves
 * @source: where
 * @size:   1 to source->size
 * @ret:    the root
 * Return: as tile_node().
 */
int tile_root(const struct tile_source *source, uint64_t size, struct merkle_hash *ret);
