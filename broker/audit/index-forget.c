/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An index that still knew which case an erased entry belonged to would undo a part of the erasure. So it
 * forgets entry by entry, and the case with its last one. Times of a case that loses its first or last entry
 * stay as they were: they are the case's, and go with it.
 */
#include <errno.h>

#include "broker/audit/index-rows.h"

int index_next_about(const struct index_tables *tables, struct db_txn *txn, uint64_t from,
	uint64_t *ret_sequence)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	uint8_t wanted[8];
	struct bytes key;
	be64_put(wanted, from);
	int r = db_cursor_open(txn, tables->about, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, BYTES(wanted, sizeof(wanted)), &key, NULL);
	if (r)
		return r;
	if (key.len != 8 + CASE_ID_SIZE)
		return -EBADMSG;
	*ret_sequence = be64_get(key.data);
	return 0;
}

/* The first and the last entry that a case has left. DB_NOT_FOUND: none. */
static int ends_of(const struct index_tables *tables, struct db_txn *txn,
	const uint8_t id[CASE_ID_SIZE], struct case_summary *summary)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	uint8_t wanted[INDEX_ENTRY_KEY_SIZE];
	struct bytes key;
	memcpy(wanted, id, CASE_ID_SIZE);
	be64_put(wanted + CASE_ID_SIZE, 0);
	int r = db_cursor_open(txn, tables->entry, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, BYTES(wanted, sizeof(wanted)), &key, NULL);
	if (r)
		return r;
	if (memcmp(key.data, id, CASE_ID_SIZE) != 0)
		return DB_NOT_FOUND;
	summary->first = be64_get(key.data + CASE_ID_SIZE);
	be64_put(wanted + CASE_ID_SIZE, UINT64_MAX);
	r = db_cursor_seek(cursor, BYTES(wanted, sizeof(wanted)), &key, NULL);
	r = r == DB_NOT_FOUND ? db_cursor_last(cursor, &key, NULL)
	    : r == 0          ? db_cursor_previous(cursor, &key, NULL)
			      : r;
	if (r == 0)
		summary->last = be64_get(key.data + CASE_ID_SIZE);
	return r;
}

static int forget_of(const struct index_tables *tables, struct db_txn *txn, uint64_t sequence,
	const uint8_t id[CASE_ID_SIZE])
{
	struct case_summary summary;
	uint8_t key[INDEX_ENTRY_KEY_SIZE];
	memcpy(key, id, CASE_ID_SIZE);
	be64_put(key + CASE_ID_SIZE, sequence);
	int r = db_delete(txn, tables->entry, BYTES(key, sizeof(key)));
	if (r == 0)
		r = index_case_get(tables, txn, id, &summary);
	if (r == 0)
		r = index_case_drop(tables, txn, &summary);
	if (r)
		return r == DB_NOT_FOUND ? -EBADMSG : r;
	summary.entries--;
	r = ends_of(tables, txn, id, &summary);
	return r == 0 ? index_case_put(tables, txn, &summary) : r == DB_NOT_FOUND ? 0 : r;
}

int index_forget(const struct index_tables *tables, struct db_txn *txn, uint64_t sequence)
{
	uint8_t key[8], from[8 + CASE_ID_SIZE];
	int r = 0;
	be64_put(key, sequence);
	while (r == 0) {
		struct db_cursor *cursor;
		struct bytes found;
		r = db_cursor_open(txn, tables->about, &cursor);
		if (r)
			break;
		r = db_cursor_seek(cursor, BYTES(key, sizeof(key)), &found, NULL);
		bool ours = r == 0 && found.len == sizeof(from) && be64_get(found.data) == sequence;
		if (ours) {
			memcpy(from, found.data, sizeof(from));
			r = db_cursor_delete(cursor);
		}
		db_cursor_close(cursor);
		if (!ours)
			break;
		if (r == 0)
			r = forget_of(tables, txn, sequence, from + 8);
	}
	if (r && r != DB_NOT_FOUND)
		return r;
	r = db_delete(txn, tables->message, BYTES(key, sizeof(key)));
	return r == DB_NOT_FOUND ? 0 : r;
}
