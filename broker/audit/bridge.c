/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Pruning takes the hashes of single entries and keeps all above. A proof from an older size needs at most five
 * of those that went, all among the 32 entries in which the older tree ended. Without them an adapter that was away
 * for long could not tell a pruned log from a forged one, and would be right to stop.
 */
#include "broker/audit/bridge.h"

#include <errno.h>

#include "broker/audit/archive.h"

enum { ROW_LEVELS = 5, ROW_WIDTH = 32 };

struct row {
	uint64_t number;                                     /* of 32 entries */
	struct merkle_hash nodes[ROW_LEVELS + 1][ROW_WIDTH]; /* by level, and index in the row */
};

static int read_row(const char *dir, struct row *row)
{
	_cleanup_(archive_stubs_free) struct archive_stubs *archive = NULL;
	int r = archive_stubs_open(dir, &archive);
	for (uint64_t i = 0; r == 0 && i < ROW_WIDTH; i++) {
		uint8_t bytes[STUB_SIZE];
		struct stub stub;
		r = archive_stubs_read(archive, row->number * ROW_WIDTH + i, &stub);
		if (r)
			break;
		bytes[0] = stub.version;
		bytes[1] = stub.kind;
		bytes[2] = stub.class;
		memcpy(bytes + 3, stub.commitment, HASH_SIZE);
		stub_leaf(bytes, &row->nodes[0][i]);
	}
	for (unsigned int level = 1; r == 0 && level <= ROW_LEVELS; level++)
		for (size_t i = 0; i < (size_t)ROW_WIDTH >> level; i++)
			merkle_node(&row->nodes[level - 1][2 * i],
				&row->nodes[level - 1][2 * i + 1], &row->nodes[level][i]);
	/* Whatever is wrong with a folder of somebody else's is no failure of ours. */
	return r == -ENOMEM ? r : r ? BRIDGE_PRUNED : 0;
}

static int check_row(struct journal_reader *reader, uint64_t size, const struct row *row)
{
	struct merkle_hash kept;
	int r = journal_read_node(reader, size, ROW_LEVELS, row->number, &kept);
	if (r)
		return r;
	return memcmp(&kept, &row->nodes[ROW_LEVELS][0], sizeof(kept)) == 0 ? 0 : BRIDGE_PRUNED;
}

static int read_nodes(struct journal_reader *reader, uint64_t old_size, uint64_t new_size,
	const struct row *row, struct merkle_hash *ret, size_t *ret_count)
{
	struct merkle_coordinate places[2 * MERKLE_LEVELS];
	size_t count = merkle_consistency_coordinates(old_size, new_size, places);
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		unsigned int level = places[i].level;
		uint64_t index = places[i].index;
		if (level < ROW_LEVELS && index >> (ROW_LEVELS - level) == row->number)
			ret[i] = row->nodes[level][index % ((uint64_t)ROW_WIDTH >> level)];
		else
			r = journal_read_node(reader, new_size, level, index, &ret[i]);
	}
	*ret_count = count;
	return r;
}

int bridge_consistency(struct journal_reader *reader, uint64_t old_size, uint64_t new_size,
	struct merkle_hash *ret, size_t *ret_count)
{
	struct journal_pruned pruned;
	struct row row = {.number = (old_size - 1) / ROW_WIDTH};
	int r = journal_read_consistency(reader, old_size, new_size, ret, ret_count);
	if (r != READER_NOT_FOUND || old_size == 0 || old_size > new_size)
		return r;
	r = journal_read_pruned(reader, &pruned);
	if (r == 0 && (old_size >= pruned.before || new_size < pruned.before))
		return READER_NOT_FOUND;
	if (r == 0)
		r = read_row(pruned.archive, &row);
	if (r == 0)
		r = check_row(reader, new_size, &row);
	return r ? r : read_nodes(reader, old_size, new_size, &row, ret, ret_count);
}
