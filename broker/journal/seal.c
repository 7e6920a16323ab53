/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Runs are kept by their beginnings only: a run ends where the next one of its table and class begins. So
 * appending an entry costs nothing but a comparison, except for the first of a day.
 */
#include "broker/journal/seal.h"

#include <errno.h>

static void key_encode(
	enum seal_table table, uint8_t class, uint64_t first, uint8_t buf[SEAL_KEY_SIZE])
{
	buf[0] = (uint8_t)table;
	buf[1] = class;
	be64_put(buf + 2, first);
}

static int row_decode(struct bytes key, struct bytes value, struct seal_run *ret)
{
	if (key.len != SEAL_KEY_SIZE || value.len != 4 || key.data[0] < SEAL_RECORD ||
		key.data[0] > SEAL_CONTENT || key.data[1] >= SEAL_CLASSES)
		return -EBADMSG;
	*ret = (struct seal_run){
		.table = key.data[0],
		.class = key.data[1],
		.first = be64_get(key.data + 2),
		.label = be32_get(value.data),
	};
	return 0;
}

static int put(const struct seal_map *map, struct db_txn *txn, enum seal_table table, uint8_t class,
	uint64_t first, uint32_t label)
{
	uint8_t key[SEAL_KEY_SIZE], value[4];
	key_encode(table, class, first, key);
	be32_put(value, label);
	return journal_put_error(db_put(
		txn, map->tables->seal, BYTES(key, sizeof(key)), BYTES(value, sizeof(value))));
}

/* The row of the run that an entry lies in: 0, DB_NOT_FOUND. */
static int run_at(const struct journal_tables *tables, struct db_txn *txn, enum seal_table table,
	uint8_t class, uint64_t sequence, struct seal_run *ret)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	uint8_t wanted[SEAL_KEY_SIZE];
	struct bytes key, value;
	key_encode(table, class, sequence, wanted);
	int r = db_cursor_open(txn, tables->seal, &cursor);
	if (r)
		return r;
	r = db_cursor_seek(cursor, BYTES(wanted, sizeof(wanted)), &key, &value);
	if (r == DB_NOT_FOUND)
		r = db_cursor_last(cursor, &key, &value);
	else if (r == 0 && !bytes_equal(key, BYTES(wanted, sizeof(wanted))))
		r = db_cursor_previous(cursor, &key, &value);
	if (r == 0)
		r = row_decode(key, value, ret);
	if (r)
		return r;
	return ret->table == table && ret->class == class ? 0 : DB_NOT_FOUND;
}

int seal_map_note(struct seal_map *map, struct db_txn *txn, enum seal_table table, uint8_t class,
	uint64_t sequence, uint32_t label)
{
	if (class >= SEAL_CLASSES)
		return -EINVAL;
	if (map->newest[table][class] == label)
		return 0;
	map->newest[table][class] = label;
	return put(map, txn, table, class, sequence, label);
}

int seal_map_move(struct seal_map *map, struct db_txn *txn, enum seal_table table, uint8_t class,
	uint64_t sequence, uint32_t label)
{
	struct seal_run here, before = {.label = SEAL_NONE}, behind;
	uint8_t key[SEAL_KEY_SIZE];
	int r = run_at(map->tables, txn, table, class, sequence, &here);
	if (r)
		return r < 0 ? r : -EBADMSG;
	if (here.label == label)
		return 0;
	/* What follows it keeps its key, unless another run begins there anyway. */
	r = run_at(map->tables, txn, table, class, sequence + 1, &behind);
	if (r == 0 && behind.first != sequence + 1)
		r = put(map, txn, table, class, sequence + 1, here.label);
	if (r == 0 && sequence > 0)
		r = run_at(map->tables, txn, table, class, sequence - 1, &before);
	if (r < 0)
		return r;
	if (r == DB_NOT_FOUND || before.label != label)
		return put(map, txn, table, class, sequence, label);
	/* It joins the run before it. */
	key_encode(table, class, sequence, key);
	r = db_delete(txn, map->tables->seal, BYTES(key, sizeof(key)));
	return r == DB_NOT_FOUND ? 0 : journal_put_error(r);
}

int seal_map_relabel(
	struct seal_map *map, struct db_txn *txn, const struct seal_run *run, uint32_t label)
{
	uint32_t *newest = &map->newest[run->table][run->class];
	struct seal_run last;
	int r = run_at(map->tables, txn, run->table, run->class, UINT64_MAX, &last);
	if (r)
		return r < 0 ? r : -EBADMSG;
	if (last.first == run->first)
		*newest = label;
	return put(map, txn, run->table, run->class, run->first, label);
}

/* The row behind a key; the run's end is not known yet. */
static int next_row(const struct journal_tables *tables, struct db_txn *txn,
	const struct seal_run *run, struct seal_run *ret)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	uint8_t from[SEAL_KEY_SIZE + 1] = {0};
	struct bytes key, value;
	size_t len = run->table ? sizeof(from) : 1; /* the smallest key above that one, or any */
	if (run->table)
		key_encode(run->table, run->class, run->first, from);
	int r = db_cursor_open(txn, tables->seal, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, BYTES(from, len), &key, &value);
	return r ? r : row_decode(key, value, ret);
}

/* Where the run ends: where the next one of its table and class begins, or at @end. */
static int find_end(
	const struct journal_tables *tables, struct db_txn *txn, uint64_t end, struct seal_run *run)
{
	struct seal_run behind;
	int r = next_row(tables, txn, run, &behind);
	run->end = r == 0 && behind.table == run->table && behind.class == run->class ? behind.first
										      : end;
	return r < 0 ? r : 0;
}

int seal_map_at(const struct journal_tables *tables, struct db_txn *txn, enum seal_table table,
	uint8_t class, uint64_t sequence, struct seal_run *ret)
{
	int r = run_at(tables, txn, table, class, sequence, ret);
	return r ? r : find_end(tables, txn, UINT64_MAX, ret);
}

int seal_map_next(const struct journal_tables *tables, struct db_txn *txn, uint64_t size,
	struct seal_run *run)
{
	struct seal_run next;
	int r = next_row(tables, txn, run, &next);
	while (r == 0 && next.label == SEAL_NONE)
		r = next_row(tables, txn, &next, &next);
	if (r)
		return r;
	*run = next;
	return find_end(tables, txn, size, run);
}

/* ---- loading ---- */

static int load_newest(struct seal_map *map, struct db_txn *txn)
{
	for (unsigned int table = SEAL_RECORD; table <= SEAL_CONTENT; table++) {
		for (uint8_t class = 1; class < SEAL_CLASSES; class ++) {
			struct seal_run last = {.label = SEAL_NONE};
			int r = run_at(
				map->tables, txn, (enum seal_table)table, class, UINT64_MAX, &last);
			if (r < 0)
				return r;
			map->newest[table][class] = r == 0 ? last.label : SEAL_NONE;
		}
	}
	return 0;
}

static int class_of(const struct seal_map *map, struct db_txn *txn, uint64_t sequence, uint8_t *ret)
{
	struct key key = key_u64(sequence);
	struct bytes value;
	int r = db_get(txn, map->tables->stub, KEY_BYTES_OF(key), &value);
	if (r == 0 && value.len >= 3)
		*ret = value.data[2];
	return r == DB_NOT_FOUND || value.len < 3 ? -EBADMSG : r;
}

/* Every first chunk says under which key it is sealed. */
static int note_rows(struct seal_map *map, struct db_txn *txn, enum seal_table table)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	db_table_id id = table == SEAL_RECORD ? map->tables->record : map->tables->content;
	struct bytes key, value;
	uint8_t class = 0;
	uint32_t label;
	int r = db_cursor_open(txn, id, &cursor);
	while (r == 0 && (r = db_cursor_next(cursor, &key, &value)) == 0) {
		bool first = key.len == 8 || (key.len == 10 && be16_get(key.data + 8) == 0);
		if (!first || row_label(value, &label))
			continue;
		uint64_t sequence = be64_get(key.data);
		r = class_of(map, txn, sequence, &class);
		if (r == 0 && class > 0)
			r = seal_map_note(map, txn, table, class, sequence, label);
	}
	return r == DB_NOT_FOUND ? 0 : r;
}

int seal_map_load(struct seal_map *map, struct db_txn *txn, const struct journal_tables *tables,
	uint64_t size)
{
	uint64_t rows;
	*map = (struct seal_map){.tables = tables};
	int r = db_count(txn, tables->seal, &rows);
	if (r || rows > 0)
		return r ? r : load_newest(map, txn);
	if (size > 0)
		r = note_rows(map, txn, SEAL_RECORD);
	return r == 0 && size > 0 ? note_rows(map, txn, SEAL_CONTENT) : r;
}
