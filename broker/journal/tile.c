/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Why rows of 32, keyed by their end: the hashes of one entry cost 43 bytes on disk this way (node by
 * node 212), every key is larger than all before it, so pages fill to the end, and no value is larger
 * than a quarter of a page. A C2SP tile is eight rows of level 0, or a few hashes more above it. Nodes
 * between the stored levels are at most 15 hashes away, all in one row.
 */
#include "broker/journal/tile.h"

#include <assert.h>
#include <errno.h>

void tile_key(uint64_t end, unsigned int level, uint8_t buf[TILE_KEY_SIZE])
{
	be64_put(buf, end);
	buf[8] = (uint8_t)level;
}

void edge_key(unsigned int level, uint8_t buf[EDGE_KEY_SIZE])
{
	memcpy(buf, "edge", 4);
	buf[4] = (uint8_t)level;
}

int tile_row(const struct tile_source *source, unsigned int level, uint64_t row, struct bytes *ret)
{
	uint8_t key[TILE_KEY_SIZE];
	unsigned int span = level + TILE_HEIGHT; /* a row covers 2^span leaves */
	int r;
	if (span < 64 && row < source->size >> span) {
		tile_key((row + 1) << span, level, key);
		r = db_get(source->txn, source->tables->tile, BYTES(key, TILE_KEY_SIZE), ret);
	} else {
		edge_key(level, key);
		r = db_get(source->txn, source->tables->meta, BYTES(key, EDGE_KEY_SIZE), ret);
	}
	return r == DB_NOT_FOUND ? -EBADMSG : r;
}

/* A node whose leaves are all there. */
static int complete_node(const struct tile_source *source, unsigned int level, uint64_t index,
	struct merkle_hash *ret)
{
	struct merkle_hash nodes[TILE_WIDTH / 2];
	struct bytes row;
	unsigned int stored = level - level % TILE_HEIGHT;
	size_t count = (size_t)1 << (level - stored);
	uint64_t first = index << (level - stored);
	size_t at = first % TILE_WIDTH;
	int r = tile_row(source, stored, first / TILE_WIDTH, &row);
	if (r)
		return r;
	if (row.len < (at + count) * HASH_SIZE)
		return -EBADMSG;
	memcpy(nodes, row.data + at * HASH_SIZE, count * HASH_SIZE);
	for (; count > 1; count /= 2)
		for (size_t i = 0; i < count / 2; i++)
			merkle_node(&nodes[2 * i], &nodes[2 * i + 1], &nodes[i]);
	*ret = nodes[0];
	return 0;
}

int tile_node(const struct tile_source *source, uint64_t size, unsigned int level, uint64_t index,
	struct merkle_hash *ret)
{
	struct merkle_hash right, left;
	bool some = false;
	assert(size <= source->size && level < MERKLE_LEVELS && index <= (size - 1) >> level);
	if (index < size >> level)
		return complete_node(source, level, index, ret);
	/* Complete subtrees below it, one per set bit, smallest and rightmost first. */
	for (unsigned int l = 0; l < level; l++) {
		if (!(size >> l & 1))
			continue;
		int r = complete_node(source, l, (size >> l) - 1, some ? &left : &right);
		if (r)
			return r;
		if (some)
			merkle_node(&left, &right, &right);
		some = true;
	}
	*ret = right;
	return 0;
}

int tile_root(const struct tile_source *source, uint64_t size, struct merkle_hash *ret)
{
	unsigned int level = 0;
	while ((size - 1) >> level > 0)
		level++;
	return tile_node(source, size, level, 0, ret);
}
