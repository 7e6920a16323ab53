/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * They stand together at the end of `timer`, behind everything that is ever due, so finding them costs what they
 * are and not what waits. Why they are there is in the entry that put them there; one entry names up to 32, so the
 * last one read is remembered.
 */
#include "broker/audit/parked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/audit/entry.h"
#include "broker/journal/store.h"
#include "broker/routing/common.h"

enum { LIST_MIN = 64, SLICE_ROWS = 4096 };

static int add(struct parked_list *list, const struct parked *item)
{
	if (list->count == list->size) {
		size_t size = list->size ? list->size * 2 : LIST_MIN;
		struct parked *more = reallocarray(list->items, size, sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->items = more;
		list->size = size;
	}
	list->items[list->count++] = *item;
	return 0;
}

/* Which entry put it there, and who waits. */
static int complete(struct audit *audit, struct parked *item)
{
	uint8_t key[END_KEY_SIZE];
	struct bytes found, value;
	struct end_row end;
	end_key_encode(item->sequence, item->party, key);
	int r = journal_read_table(
		audit->reader, STATE_END, BYTES(key, sizeof(key)), &found, &value);
	if (r == 0 && (!bytes_equal(found, BYTES(key, sizeof(key))) || end_row_decode(value, &end)))
		r = -EBADMSG;
	if (r == 0) {
		item->entry = end.entry;
		r = journal_read_party_name(audit->reader, item->party, item->name);
	}
	if (r == 0)
		r = common_join(
			&journal_reader_store(audit->reader)->state, item->sequence, &item->row);
	return r > 0 ? -EBADMSG : r;
}

static int read_rows(struct audit *audit, struct parked_list *list)
{
	uint8_t from[TIMER_KEY_SIZE + 1] = {};
	struct bytes key, value;
	size_t len = TIMER_KEY_SIZE;
	int r = audit_refresh(audit);
	timer_key_encode(PARKED_MS, 0, 0, 0, from);
	for (size_t rows = 1; r == 0; rows++) {
		struct parked item = {};
		uint64_t due_ms;
		uint8_t what;
		if (rows % SLICE_ROWS == 0)
			r = audit_refresh(audit);
		if (r == 0)
			r = journal_read_table(
				audit->reader, STATE_TIMER, BYTES(from, len), &key, &value);
		if (r)
			break;
		if (timer_key_decode(key, &due_ms, &item.sequence, &item.party, &what) ||
			parked_row_decode(value, &item.lane, &due_ms, &item.row))
			return -EBADMSG;
		memcpy(from, key.data, TIMER_KEY_SIZE);
		from[TIMER_KEY_SIZE] = 0; /* the smallest key above it */
		len = TIMER_KEY_SIZE + 1;
		item.dead = what == TIMER_DEAD;
		r = complete(audit, &item);
		if (r == 0)
			r = add(list, &item);
	}
	return r == READER_NOT_FOUND ? 0 : r > 0 ? -EBADMSG : r;
}

static void take_name(char ret[64], ProtobufCBinaryData name)
{
	if (name.len < 64 && name.len > 0)
		memcpy(ret, name.data, name.len);
}

static int read_entries(struct audit *audit, struct parked_list *list)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct audit_entry entry;
	uint64_t last = UINT64_MAX;
	int r = arena ? 0 : -ENOMEM, read = READER_NOT_FOUND;
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		struct parked *item = &list->items[i];
		if (item->entry != last) {
			arena_reset(arena);
			r = audit_refresh(audit);
			read = r ? r : audit_entry_read(audit->reader, item->entry, arena, &entry);
		}
		last = item->entry;
		if (read != 0) {
			r = read < 0 ? read : 0;
			continue;
		}
		item->since_ms = entry.disclosed.batch_ms;
		item->account = entry.decision->account;
		take_name(item->cause, entry.decision->cause);
		take_name(item->service, entry.decision->held_service);
	}
	return r;
}

int parked_list_read(struct audit *audit, struct parked_list *ret)
{
	*ret = (struct parked_list){};
	int r = read_rows(audit, ret);
	if (r == 0 && audit->keyring)
		r = read_entries(audit, ret);
	if (r)
		parked_list_deinit(ret);
	return r;
}

void parked_list_deinit(struct parked_list *list)
{
	free(steal(&list->items));
	list->count = list->size = 0;
}
