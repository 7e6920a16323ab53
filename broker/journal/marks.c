/* SPDX-License-Identifier: EUPL-1.2 */

/* Only their form is judged here: what they should say follows from the entries, which the audit knows. */
#include "broker/journal/marks.h"

#include <string.h>

#include "broker/journal/record.h"

static int get(struct journal_reader *reader, const char *name, size_t len, struct bytes *ret)
{
	struct journal_inside inside;
	journal_reader_inside(reader, &inside);
	int r = db_get(inside.records.txn, inside.records.tables->meta, BYTES_STR(name), ret);
	if (r)
		return r == DB_NOT_FOUND ? READER_NOT_FOUND : r;
	return ret->len == len ? 0 : READER_DAMAGED;
}

int journal_read_cosigned_mark(struct journal_reader *reader, struct journal_cosigned_mark *ret)
{
	struct bytes value;
	int r = get(reader, "cosigned", 3 * 8, &value);
	if (r)
		return r;
	*ret = (struct journal_cosigned_mark){
		.size = be64_get(value.data),
		.window_ms = be64_get(value.data + 8),
		.witnessed = be64_get(value.data + 16),
	};
	return 0;
}

int journal_read_erase_week(struct journal_reader *reader, uint32_t *ret)
{
	struct bytes value;
	int r = get(reader, "erase-week", 4, &value);
	if (r == 0)
		*ret = be32_get(value.data);
	return r;
}

/* The first row of a table from a key on. */
static int seek(struct journal_reader *reader, bool meta, struct bytes from, struct bytes *ret_key,
	struct bytes *ret)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	struct journal_inside inside;
	journal_reader_inside(reader, &inside);
	const struct journal_tables *tables = inside.records.tables;
	int r = db_cursor_open(
		inside.records.txn, meta ? tables->meta : tables->instructed, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, from, ret_key, ret);
	return r == DB_NOT_FOUND ? READER_NOT_FOUND : r;
}

int journal_read_next_confirmed(
	struct journal_reader *reader, uint32_t party, uint32_t *ret_party, uint64_t *ret_sequence)
{
	static const char name[] = "confirmed";
	enum { NAME_LEN = sizeof(name) - 1 };
	uint8_t from[NAME_LEN + 4];
	struct bytes key, value;
	memcpy(from, name, NAME_LEN);
	be32_put(from + NAME_LEN, party);
	int r = seek(reader, true, BYTES(from, sizeof(from)), &key, &value);
	if (r)
		return r;
	if (key.len < NAME_LEN || memcmp(key.data, name, NAME_LEN) != 0)
		return READER_NOT_FOUND;
	if (key.len != sizeof(from) || value.len != 8)
		return READER_DAMAGED;
	*ret_party = be32_get(key.data + NAME_LEN);
	*ret_sequence = be64_get(value.data);
	return 0;
}

int journal_read_next_instructed(
	struct journal_reader *reader, uint64_t from, uint64_t *ret_sequence)
{
	struct key wanted = key_u64(from);
	struct bytes key, value;
	int r = seek(reader, false, KEY_BYTES_OF(wanted), &key, &value);
	if (r)
		return r;
	*ret_sequence = key.len >= 8 ? be64_get(key.data) : from;
	return key.len == 8 && value.len == HASH_SIZE ? 0 : READER_DAMAGED;
}
