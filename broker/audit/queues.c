/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Counted row by row and not taken from the counters: somebody who asks why a queue does not move wants
 * to know what lies in it, and whether the counters agree is replay's business.
 */
#include "broker/audit/queues.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/audit/entry.h"
#include "broker/journal/store.h"
#include "broker/routing/common.h"

enum { SLICE_ROWS = 8192, KEY_MAX = 511, PARTIES_STEP = 64 };

struct walk {
	struct audit *audit;
	struct queue_list *list;
	enum state_table table;
	uint8_t from[KEY_MAX + 1];
	size_t from_len;
	size_t rows; /* of this snapshot */
};

/* The next row of the table. 0, READER_NOT_FOUND at the end, negative errno. */
static int walk_next(struct walk *walk, struct bytes *ret_key, struct bytes *ret_value)
{
	int r = 0;
	if (++walk->rows % SLICE_ROWS == 0)
		r = audit_refresh(walk->audit);
	if (r == 0)
		r = journal_read_table(walk->audit->reader, walk->table,
			BYTES(walk->from, walk->from_len), ret_key, ret_value);
	if (r)
		return r;
	if (ret_key->len > KEY_MAX)
		return -EBADMSG;
	memcpy(walk->from, ret_key->data, ret_key->len);
	walk->from[ret_key->len] = 0; /* the smallest key above it */
	walk->from_len = ret_key->len + 1;
	return 0;
}

static int walk_table(struct audit *audit, struct queue_list *list, enum state_table table,
	int (*row)(
		struct audit *audit, struct queue_list *list, struct bytes key, struct bytes value))
{
	struct walk walk = {.audit = audit, .list = list, .table = table};
	struct bytes key, value;
	int r = audit_refresh(audit);
	while (r == 0 && (r = walk_next(&walk, &key, &value)) == 0)
		r = row(audit, list, key, value);
	return r == READER_NOT_FOUND ? 0 : r > 0 ? -EBADMSG : r;
}

/* ---- rows ---- */

static int add_party(
	struct audit *audit, struct queue_list *list, struct bytes key, struct bytes value)
{
	(void)audit;
	if (value.len != 4 || key.len == 0 || key.len >= sizeof(list->items->name))
		return -EBADMSG;
	if (list->count % PARTIES_STEP == 0) {
		struct queue_figures *more = reallocarray(
			list->items, list->count + PARTIES_STEP, sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->items = more;
	}
	struct queue_figures *party = &list->items[list->count++];
	*party = (struct queue_figures){.number = be32_get(value.data), .oldest = UINT64_MAX};
	memcpy(party->name, key.data, key.len);
	return 0;
}

static struct queue_figures *figures_of(struct queue_list *list, uint32_t number)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].number == number)
			return &list->items[i];
	return NULL;
}

static void add_message(struct queue_figures *party, struct queue_sum *sum, uint64_t sequence,
	const struct queue_row *row)
{
	sum->messages++;
	sum->bytes += row->bytes;
	if (sequence >= party->oldest)
		return;
	party->oldest = sequence;
	party->oldest_ms = uuid_time_ms(row->message_id);
}

static int join(struct audit *audit, uint64_t sequence, struct queue_row *row)
{
	return common_join(&journal_reader_store(audit->reader)->state, sequence, row);
}

static int add_queued(
	struct audit *audit, struct queue_list *list, struct bytes key, struct bytes value)
{
	struct queue_row row;
	uint64_t sequence;
	uint32_t number;
	uint8_t lane;
	if (queue_key_decode(key, &number, &lane, &sequence))
		return -EBADMSG;
	if (number == PARTY_COMMON)
		return 0;
	struct queue_figures *party = figures_of(list, number);
	if (!party || lane >= LANES)
		return -EBADMSG;
	if (lane == LANE_OUTCOME) {
		party->outcomes++;
		return 0;
	}
	if (queue_row_decode(value, &row) || join(audit, sequence, &row))
		return -EBADMSG;
	add_message(party, &party->lanes[lane], sequence, &row);
	return 0;
}

static int add_delayed(
	struct audit *audit, struct queue_list *list, struct bytes key, struct bytes value)
{
	struct queue_row row;
	uint64_t due_ms, sequence;
	uint32_t number;
	uint8_t what, lane;
	if (timer_key_decode(key, &due_ms, &sequence, &number, &what))
		return -EBADMSG;
	if (what == TIMER_EXPIRE || what == TIMER_SUMMARY || what == TIMER_ASKED)
		return 0;
	struct queue_figures *party = figures_of(list, number);
	bool parked = what != TIMER_RELEASE;
	if (!party || (parked ? parked_row_decode(value, &lane, &due_ms, &row)
			      : release_row_decode(value, &lane, &row)))
		return -EBADMSG;
	if (join(audit, sequence, &row))
		return -EBADMSG;
	add_message(party,
		what == TIMER_DEAD   ? &party->dead
		: what == TIMER_HELD ? &party->held
				     : &party->delayed,
		sequence, &row);
	return 0;
}

static int add_overdue(
	struct audit *audit, struct queue_list *list, struct bytes key, struct bytes value)
{
	struct asked_row row;
	(void)audit;
	if (key.len == 0 || key.data[0] != COUNTER_ASKED)
		return 0;
	if (asked_row_decode(value, &row))
		return -EBADMSG;
	if (row.state != ASKED_LATE)
		return 0;
	struct queue_figures *party = figures_of(list, row.answerer);
	if (!party)
		return -EBADMSG;
	party->overdue++;
	return 0;
}

static int add_hold(
	struct audit *audit, struct queue_list *list, struct bytes key, struct bytes value)
{
	(void)audit, (void)value;
	if (key.len != HOLD_PARTY_SIZE)
		return 0;
	struct queue_figures *party = figures_of(list, be32_get(key.data + 1));
	if (!party)
		return -EBADMSG;
	party->stopped = true;
	return 0;
}

/* ---- ages ---- */

/* The sender's clock is only its word; the journal's time is better, where it can be read. */
static int take_time(struct audit *audit, struct arena *arena, struct queue_figures *party)
{
	struct audit_entry entry;
	arena_reset(arena);
	if (!audit->keyring || party->oldest == UINT64_MAX)
		return 0;
	int r = audit_entry_read(audit->reader, party->oldest, arena, &entry);
	if (r == 0)
		party->oldest_ms = entry.disclosed.batch_ms;
	return r < 0 ? r : 0;
}

int queue_list_read(struct audit *audit, struct queue_list *ret)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	*ret = (struct queue_list){};
	int r = arena ? walk_table(audit, ret, STATE_PARTY, add_party) : -ENOMEM;
	if (r == 0)
		r = walk_table(audit, ret, STATE_QUEUE, add_queued);
	if (r == 0)
		r = walk_table(audit, ret, STATE_TIMER, add_delayed);
	if (r == 0)
		r = walk_table(audit, ret, STATE_HOLD, add_hold);
	if (r == 0)
		r = walk_table(audit, ret, STATE_COUNTER, add_overdue);
	if (r == 0)
		r = audit_refresh(audit);
	for (size_t i = 0; r == 0 && i < ret->count; i++)
		r = take_time(audit, arena, &ret->items[i]);
	if (r)
		queue_list_deinit(ret);
	return r;
}

void queue_list_deinit(struct queue_list *list)
{
	free(steal(&list->items));
	list->count = 0;
}
