/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Erasure is what ends an entry: it waits for delivery and for legal holds, so a record that is still there
 * is reason enough to leave its stub. The other tables are asked all the same, because nothing brings a stub
 * back into a running journal.
 */
#include "broker/audit/prune-alive.h"

#include <errno.h>

#include "broker/journal/record.h"

static int found(struct prune_alive *ret, uint64_t sequence, const char *why)
{
	*ret = (struct prune_alive){.sequence = sequence, .why = why};
	return PRUNE_ALIVE;
}

/* ---- records and contents ---- */

/* Rows of a table that is sorted by entries; permanent ones may be there. */
static int find_rows(const struct record_source *source, db_table_id table, uint64_t before,
	const char *why, struct prune_alive *ret)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	struct bytes key;
	struct stub stub;
	int r = db_cursor_open(source->txn, table, &cursor);
	while (r == 0 && (r = db_cursor_next(cursor, &key, NULL)) == 0) {
		if (key.len < 8)
			return -EBADMSG;
		uint64_t sequence = be64_get(key.data);
		if (sequence >= before)
			return 0;
		r = stub_read(source, sequence, &stub);
		if (r > 0)
			return found(ret, sequence, "has a row and no stub");
		if (r == 0 && stub.class != 0)
			return found(ret, sequence, why);
	}
	return r == DB_NOT_FOUND ? 0 : r;
}

/* ---- derived tables ---- */

/* Each: the entry that a row is about, if about any. 0 or negative errno. */

static int of_queue(struct bytes key, struct bytes value, uint64_t *ret, bool *ret_about)
{
	uint32_t party;
	uint8_t lane;
	(void)value;
	*ret_about = true;
	return queue_key_decode(key, &party, &lane, ret);
}

static int of_timer(struct bytes key, struct bytes value, uint64_t *ret, bool *ret_about)
{
	uint64_t due_ms;
	uint32_t party;
	uint8_t what = 0;
	(void)value;
	int r = timer_key_decode(key, &due_ms, ret, &party, &what);
	*ret_about = what != TIMER_SUMMARY;
	return r;
}

static int of_seen(struct bytes key, struct bytes value, uint64_t *ret, bool *ret_about)
{
	struct seen_row row;
	(void)key;
	int r = seen_row_decode(value, &row);
	*ret = row.sequence;
	*ret_about = true;
	return r;
}

static int find_derived(struct journal_reader *reader, enum state_table table,
	int (*entry_of)(struct bytes key, struct bytes value, uint64_t *ret, bool *ret_about),
	uint64_t before, const char *why, struct prune_alive *ret)
{
	uint8_t from[512] = {0};
	size_t len = 0;
	struct bytes key, value;
	int r;
	while ((r = journal_read_table(reader, table, BYTES(from, len), &key, &value)) == 0) {
		uint64_t sequence = 0;
		bool about = false;
		if (key.len >= sizeof(from) || entry_of(key, value, &sequence, &about))
			return -EBADMSG;
		if (about && sequence < before)
			return found(ret, sequence, why);
		memcpy(from, key.data, key.len);
		from[key.len] = 0;
		len = key.len + 1;
	}
	return r == READER_NOT_FOUND ? 0 : r;
}

/* ---- all of it ---- */

static int find_all(struct journal_reader *reader, uint64_t before, struct prune_alive *ret)
{
	struct journal_inside inside;
	journal_reader_inside(reader, &inside);
	const struct record_source *source = &inside.records;
	const struct journal_tables *tables = source->tables;
	int r = find_rows(source, tables->record, before, "still has its record", ret);
	if (r == 0)
		r = find_rows(source, tables->content, before, "still has its content", ret);
	if (r == 0)
		r = find_rows(
			source, tables->instructed, before, "is to be erased on instruction", ret);
	if (r == 0)
		r = find_derived(reader, STATE_QUEUE, of_queue, before, "waits for delivery", ret);
	if (r == 0)
		r = find_derived(reader, STATE_TIMER, of_timer, before, "waits for its time", ret);
	if (r == 0)
		r = find_derived(reader, STATE_SEEN, of_seen, before,
			"is still known by its message id", ret);
	return r;
}

int prune_alive_find(struct journal_reader *reader, uint64_t before, struct prune_alive *ret)
{
	bool erasing;
	int r = journal_read_erasing(reader, &erasing);
	if (r == 0 && erasing)
		return found(ret, 0,
			"or another one is being erased by a run that was interrupted: the "
			"broker finishes it");
	if (r == 0)
		r = find_all(reader, before, ret);
	return r > 0 && r != PRUNE_ALIVE ? -EBADMSG : r;
}
