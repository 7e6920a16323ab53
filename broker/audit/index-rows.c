/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The list of recent cases is kept in order by the index itself, because "what happened lately" is the
 * question of every morning, and a walk over all cases of years is no answer to it. An entry is the
 * newest of its case when it is noted, so the case moves to the front with it. One entry may be of several
 * cases (a batch of acknowledgements), hence the case id in the key.
 */
#include "broker/audit/index-rows.h"

#include <errno.h>

int index_head_get(const struct index_tables *tables, struct db_txn *txn, struct index_head *ret)
{
	struct bytes value;
	int r = db_get(txn, tables->head, BYTES_STR("head"), &value);
	if (r)
		return r;
	if (value.len != INDEX_HEAD_SIZE || be32_get(value.data) != INDEX_FORMAT)
		return DB_NOT_FOUND;
	ret->next = be64_get(value.data + 4);
	memcpy(ret->root.bytes, value.data + 12, HASH_SIZE);
	return 0;
}

int index_head_put(
	const struct index_tables *tables, struct db_txn *txn, const struct index_head *head)
{
	uint8_t value[INDEX_HEAD_SIZE];
	be32_put(value, INDEX_FORMAT);
	be64_put(value + 4, head->next);
	memcpy(value + 12, head->root.bytes, HASH_SIZE);
	return db_put(txn, tables->head, BYTES_STR("head"), BYTES(value, sizeof(value)));
}

static int clear_table(struct db_txn *txn, db_table_id table)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	int r = db_cursor_open(txn, table, &cursor);
	if (r == 0)
		r = db_cursor_first(cursor, NULL, NULL);
	while (r == 0) {
		r = db_cursor_delete(cursor);
		if (r == 0)
			r = db_cursor_next(cursor, NULL, NULL);
	}
	return r == DB_NOT_FOUND ? 0 : r;
}

int index_clear(const struct index_tables *tables, struct db_txn *txn)
{
	const db_table_id all[] = {tables->head, tables->message, tables->entry, tables->about,
		tables->cases, tables->recent};
	int r = 0;
	for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++)
		r = clear_table(txn, all[i]);
	return r;
}

/* ---- cases ---- */

static void recent_key(uint64_t last, const uint8_t id[CASE_ID_SIZE], uint8_t key[8 + CASE_ID_SIZE])
{
	be64_put(key, UINT64_MAX - last);
	memcpy(key + 8, id, CASE_ID_SIZE);
}

static void about_key(
	uint64_t sequence, const uint8_t id[CASE_ID_SIZE], uint8_t key[8 + CASE_ID_SIZE])
{
	be64_put(key, sequence);
	memcpy(key + 8, id, CASE_ID_SIZE);
}

int index_case_get(const struct index_tables *tables, struct db_txn *txn,
	const uint8_t id[CASE_ID_SIZE], struct case_summary *ret)
{
	struct bytes value;
	int r = db_get(txn, tables->cases, BYTES(id, CASE_ID_SIZE), &value);
	if (r)
		return r;
	if (value.len != INDEX_CASE_SIZE)
		return -EBADMSG;
	*ret = (struct case_summary){
		.first = be64_get(value.data),
		.last = be64_get(value.data + 8),
		.entries = be64_get(value.data + 16),
		.first_ms = be64_get(value.data + 24),
		.last_ms = be64_get(value.data + 32),
	};
	memcpy(ret->id, id, CASE_ID_SIZE);
	return 0;
}

int index_case_put(
	const struct index_tables *tables, struct db_txn *txn, const struct case_summary *summary)
{
	uint8_t value[INDEX_CASE_SIZE], key[8 + CASE_ID_SIZE];
	be64_put(value, summary->first);
	be64_put(value + 8, summary->last);
	be64_put(value + 16, summary->entries);
	be64_put(value + 24, summary->first_ms);
	be64_put(value + 32, summary->last_ms);
	recent_key(summary->last, summary->id, key);
	int r = db_put(
		txn, tables->cases, BYTES(summary->id, CASE_ID_SIZE), BYTES(value, sizeof(value)));
	return r ? r : db_put(txn, tables->recent, BYTES(key, sizeof(key)), BYTES(NULL, 0));
}

int index_case_drop(
	const struct index_tables *tables, struct db_txn *txn, const struct case_summary *summary)
{
	uint8_t key[8 + CASE_ID_SIZE];
	recent_key(summary->last, summary->id, key);
	int r = db_delete(txn, tables->recent, BYTES(key, sizeof(key)));
	return r ? r : db_delete(txn, tables->cases, BYTES(summary->id, CASE_ID_SIZE));
}

int index_add(const struct index_tables *tables, struct db_txn *txn, const uint8_t id[CASE_ID_SIZE],
	uint64_t sequence, uint8_t kind, uint64_t batch_ms)
{
	struct case_summary summary = {.first = sequence, .first_ms = batch_ms};
	uint8_t key[INDEX_ENTRY_KEY_SIZE], old[8 + CASE_ID_SIZE], about[8 + CASE_ID_SIZE];
	memcpy(key, id, CASE_ID_SIZE);
	be64_put(key + CASE_ID_SIZE, sequence);
	int r = db_add(txn, tables->entry, BYTES(key, sizeof(key)), BYTES(&kind, 1));
	if (r) /* twice in one entry is once */
		return r == DB_EXISTS ? 0 : r;
	about_key(sequence, id, about);
	r = db_put(txn, tables->about, BYTES(about, sizeof(about)), BYTES(NULL, 0));
	if (r)
		return r;
	r = index_case_get(tables, txn, id, &summary);
	if (r == 0) {
		recent_key(summary.last, id, old);
		r = db_delete(txn, tables->recent, BYTES(old, sizeof(old)));
	}
	if (r != 0 && r != DB_NOT_FOUND)
		return r;
	memcpy(summary.id, id, CASE_ID_SIZE);
	summary.last = sequence;
	summary.last_ms = batch_ms;
	summary.entries++;
	return index_case_put(tables, txn, &summary);
}

/* ---- looking up ---- */

int case_index_find(struct case_index *index, struct bytes prefix, struct case_summary *ret)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	uint8_t id[CASE_ID_SIZE];
	struct bytes key;
	int r = db_cursor_open(index->txn, index->tables.cases, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, prefix, &key, NULL);
	if (r)
		return r;
	if (key.len != CASE_ID_SIZE || memcmp(key.data, prefix.data, prefix.len) != 0)
		return DB_NOT_FOUND;
	memcpy(id, key.data, CASE_ID_SIZE);
	r = db_cursor_next(cursor, &key, NULL);
	if (r == 0 && key.len == CASE_ID_SIZE && memcmp(key.data, prefix.data, prefix.len) == 0)
		return DB_EXISTS;
	return r < 0 ? r : index_case_get(&index->tables, index->txn, id, ret);
}

int case_index_next_entry(struct case_index *index, const uint8_t id[CASE_ID_SIZE], uint64_t from,
	uint64_t *ret_sequence)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	uint8_t wanted[INDEX_ENTRY_KEY_SIZE];
	struct bytes key;
	memcpy(wanted, id, CASE_ID_SIZE);
	be64_put(wanted + CASE_ID_SIZE, from);
	int r = db_cursor_open(index->txn, index->tables.entry, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, BYTES(wanted, sizeof(wanted)), &key, NULL);
	if (r)
		return r;
	if (key.len != INDEX_ENTRY_KEY_SIZE || memcmp(key.data, id, CASE_ID_SIZE) != 0)
		return DB_NOT_FOUND;
	*ret_sequence = be64_get(key.data + CASE_ID_SIZE);
	return 0;
}

int case_index_recent(
	struct case_index *index, const struct case_summary *after, struct case_summary *ret)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	uint8_t from[8 + CASE_ID_SIZE + 1] = {};
	struct bytes key;
	if (after)
		recent_key(after->last, after->id, from);
	int r = db_cursor_open(index->txn, index->tables.recent, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, BYTES(from, after ? sizeof(from) : 0), &key, NULL);
	if (r)
		return r;
	if (key.len != 8 + CASE_ID_SIZE)
		return -EBADMSG;
	return index_case_get(&index->tables, index->txn, key.data + 8, ret);
}

int case_index_of_message(struct case_index *index, uint64_t sequence, uint8_t ret[CASE_ID_SIZE])
{
	uint8_t key[8];
	struct bytes value;
	be64_put(key, sequence);
	int r = db_get(index->txn, index->tables.message, BYTES(key, sizeof(key)), &value);
	if (r == 0 && value.len != CASE_ID_SIZE)
		return -EBADMSG;
	if (r == 0)
		memcpy(ret, value.data, CASE_ID_SIZE);
	return r;
}
