/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The rules keep several tables in step without ever walking one. This walks all of them and says where
 * they are out of step: the explorer asks after every step, tests after every case, and an auditor
 * may ask of any copy of a journal.
 */
#include "broker/routing/invariants.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/routing/asked.h"
#include "broker/routing/common.h"
#include "broker/routing/place.h"
#include "proto/base/cleanup.h"

struct walk {
	struct state *state;
	char *reterr;
	size_t size;
	struct total_row *totals; /* by party number, as the rows say */
	uint32_t parties;
};

static _printf_(2, 3) int contradict(const struct walk *walk, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(walk->reterr, walk->size, format, args);
	va_end(args);
	return STATE_CONTRADICTS;
}

static bool exists(const struct walk *walk, enum state_table table, const uint8_t *key, size_t len)
{
	struct bytes value;
	return state_get(walk->state, table, BYTES(key, len), &value) == 0;
}

static int count_open(
	const struct walk *walk, const struct rules_item *item, const struct queue_row *row)
{
	uint8_t key[TIMER_KEY_SIZE];
	if (item->party == 0 || item->party > walk->parties || row->sender > walk->parties)
		return contradict(
			walk, "message %" PRIu64 " names a party that has no name", item->sequence);
	walk->totals[item->party].first++;
	walk->totals[item->party].second += row->bytes;
	timer_key_encode(row->expires_ms, item->sequence,
		row->sharing ? (uint32_t)PARTY_COMMON : item->party, TIMER_EXPIRE, key);
	if (row->expires_ms != 0 && !exists(walk, STATE_TIMER, key, sizeof(key)))
		return contradict(
			walk, "message %" PRIu64 " expires, but has no timer", item->sequence);
	return 0;
}

/* Does it wait for as many recipients as it says? */
static int visit_common(const struct walk *walk, uint64_t sequence, struct bytes value)
{
	struct common_row common;
	uint16_t open = 0;
	if (common_row_decode(value, &common) != 0)
		return contradict(walk, "common row of message %" PRIu64 " is none", sequence);
	for (size_t i = 0; i < common.count; i++) {
		struct rules_item item = {.party = common.recipients[i], .sequence = sequence};
		struct place place;
		int r = place_find(walk->state, &item, &place);
		if (r < 0)
			return r;
		open = (uint16_t)(open + (place_is_open(&place) && place.row.sharing));
	}
	return open == common.row.attempts ? 0
					   : contradict(walk,
						     "common row of message %" PRIu64
						     " waits for %u recipients, their rows are %u",
						     sequence, common.row.attempts, open);
}

static int visit_queue(const struct walk *walk, struct bytes key, struct bytes value)
{
	struct rules_item item;
	struct queue_row row;
	struct outcome_item outcome;
	uint8_t lane, other[QUEUE_KEY_SIZE], end[END_KEY_SIZE];
	if (queue_key_decode(key, &item.party, &lane, &item.sequence) != 0)
		return contradict(walk, "a key in queue is none");
	if (item.party == PARTY_COMMON)
		return visit_common(walk, item.sequence, value);
	if (lane == LANE_OUTCOME)
		return outcome_item_decode(value, 0, &outcome) == 0
			       ? 0
			       : contradict(walk, "outcome %" PRIu64 " is none", item.sequence);
	if (queue_row_decode(value, &row) != 0 || common_join(walk->state, item.sequence, &row) != 0)
		return contradict(walk, "message %" PRIu64 " in queue is none", item.sequence);
	for (uint8_t i = 0; i < LANE_OUTCOME; i++) {
		queue_key_encode(item.party, i, item.sequence, other);
		if (i != lane && exists(walk, STATE_QUEUE, other, sizeof(other)))
			return contradict(
				walk, "message %" PRIu64 " is in two lanes", item.sequence);
	}
	end_key_encode(item.sequence, item.party, end);
	if (exists(walk, STATE_END, end, sizeof(end)))
		return contradict(walk, "message %" PRIu64 " is in queue and ended or delayed",
			item.sequence);
	return count_open(walk, &item, &row);
}

static int visit_release(
	const struct walk *walk, const struct rules_item *item, uint64_t due_ms, struct bytes value)
{
	struct queue_row row;
	struct place place;
	uint8_t lane;
	if (release_row_decode(value, &lane, &row) != 0 ||
		common_join(walk->state, item->sequence, &row) != 0)
		return contradict(walk, "message %" PRIu64 " in timer is none", item->sequence);
	if (place_find(walk->state, item, &place) != 0 || place.where != PLACE_TIMER ||
		place.due_ms != due_ms || place.lane != lane)
		return contradict(
			walk, "delayed message %" PRIu64 " is not found as such", item->sequence);
	return count_open(walk, item, &row);
}

static int visit_parked(
	const struct walk *walk, const struct rules_item *item, uint8_t what, struct bytes value)
{
	struct queue_row row;
	struct place place;
	uint64_t due_ms;
	uint8_t lane;
	if (parked_row_decode(value, &lane, &due_ms, &row) != 0 ||
		common_join(walk->state, item->sequence, &row) != 0 ||
		(what == TIMER_DEAD && due_ms != 0))
		return contradict(walk, "parked message %" PRIu64 " is none", item->sequence);
	if (place_find(walk->state, item, &place) != 0 || place.lane != lane ||
		place.where != (what == TIMER_DEAD ? PLACE_DEAD : PLACE_HELD))
		return contradict(
			walk, "parked message %" PRIu64 " is not found as such", item->sequence);
	return count_open(walk, item, &row);
}

static int visit_asked_timer(
	const struct walk *walk, const struct rules_item *item, uint64_t due_ms, struct bytes token)
{
	struct asked_row row;
	if (token.len != ASKED_TOKEN_SIZE ||
		asked_get(walk->state, item->party, token.data, &row) != 0 ||
		row.sequence != item->sequence || row.due_ms != due_ms)
		return contradict(
			walk, "the time of enquiry %" PRIu64 " finds none", item->sequence);
	return 0;
}

static int visit_timer(const struct walk *walk, struct bytes key, struct bytes value)
{
	struct rules_item item;
	struct common_row common;
	struct place place;
	uint64_t due_ms;
	uint8_t what, counter[REFUSALS_KEY_SIZE];
	if (timer_key_decode(key, &due_ms, &item.sequence, &item.party, &what) != 0)
		return contradict(walk, "a key in timer is none");
	if (what == TIMER_RELEASE)
		return visit_release(walk, &item, due_ms, value);
	if (what == TIMER_DEAD || what == TIMER_HELD)
		return due_ms == PARKED_MS
			       ? visit_parked(walk, &item, what, value)
			       : contradict(walk, "message %" PRIu64 " is parked and due",
					 item.sequence);
	if (what == TIMER_ASKED)
		return visit_asked_timer(walk, &item, due_ms, value);
	if (what == TIMER_SUMMARY) {
		refusals_key_encode(item.party, item.sequence, counter);
		return exists(walk, STATE_COUNTER, counter, sizeof(counter))
			       ? 0
			       : contradict(walk, "a summary has no refusals");
	}
	if (item.party == PARTY_COMMON)
		return common_get(walk->state, item.sequence, &common) == 0 &&
				       common.row.expires_ms == due_ms
			       ? 0
			       : contradict(walk,
					 "expiry of message %" PRIu64 " finds no common row",
					 item.sequence);
	if (place_find(walk->state, &item, &place) != 0 || !place_is_open(&place) ||
		place.row.expires_ms != due_ms)
		return contradict(
			walk, "expiry of message %" PRIu64 " finds nothing open", item.sequence);
	return 0;
}

static int visit_end(const struct walk *walk, struct bytes key, struct bytes value)
{
	struct rules_item item;
	struct place place;
	struct end_row row;
	if (end_key_decode(key, &item.sequence, &item.party) != 0 ||
		end_row_decode(value, &row) != 0)
		return contradict(walk, "a row in end is none");
	if (place_find(walk->state, &item, &place) != 0)
		return contradict(walk, "waiting message %" PRIu64 " is nowhere", item.sequence);
	return 0;
}

/* What holds back later ones of its case waits itself. */
static int visit_order(const struct walk *walk, struct bytes key, struct bytes value)
{
	if (key.len != ORDER_KEY_SIZE || value.len != 0)
		return contradict(walk, "a row in order is none");
	struct rules_item item = {
		.party = be32_get(key.data), .sequence = be64_get(key.data + ORDER_KEY_SIZE - 8)};
	uint8_t again[ORDER_KEY_SIZE];
	struct place place;
	if (place_find(walk->state, &item, &place) != 0 ||
		(place.where != PLACE_TIMER && place.where != PLACE_HELD))
		return contradict(walk, "message %" PRIu64 " holds others back and does not wait",
			item.sequence);
	order_key_encode(item.party, place.lane, &place.row, item.sequence, again);
	return memcmp(again, key.data, sizeof(again)) == 0
		       ? 0
		       : contradict(walk, "message %" PRIu64 " holds back others' cases",
				 item.sequence);
}

static int visit_hold(const struct walk *walk, struct bytes key, struct bytes value)
{
	switch (key.len) {
	case HOLD_PARTY_SIZE:
		if (be32_get(key.data + 1) == 0 || be32_get(key.data + 1) > walk->parties)
			return contradict(walk, "the queue of nobody is held");
		break;
	case HOLD_CASE_SIZE:
	case HOLD_SERVICE_SIZE:
		break;
	default:
		return contradict(walk, "a row in hold is none");
	}
	return value.len == 8 ? 0 : contradict(walk, "a row in hold names no entry");
}

static int visit_party(const struct walk *walk, struct bytes name, struct bytes value)
{
	uint8_t key[TOTAL_KEY_SIZE];
	struct bytes found;
	if (value.len != 4)
		return contradict(walk, "a row in party is none");
	total_key_encode(COUNTER_NAME, be32_get(value.data), key);
	if (state_get(walk->state, STATE_COUNTER, BYTES(key, sizeof(key)), &found) != 0 ||
		!bytes_equal(found, name))
		return contradict(walk, "a party's number does not lead back to its name");
	return 0;
}

static int visit_total(const struct walk *walk, struct bytes key, struct bytes value)
{
	struct total_row row;
	uint32_t party = key.len == TOTAL_KEY_SIZE ? be32_get(key.data + 1) : 0;
	if (party == 0 || party > walk->parties || total_row_decode(value, &row) != 0)
		return contradict(walk, "a queue total is none");
	const struct total_row *real = &walk->totals[party];
	if (row.first != real->first || row.second != real->second)
		return contradict(walk,
			"totals of party %" PRIu32 " say %" PRIu64 " messages, %" PRIu64
			" bytes; its rows say %" PRIu64 ", %" PRIu64,
			party, row.first, row.second, real->first, real->second);
	walk->totals[party] = (struct total_row){};
	return 0;
}

static int visit_refusals(const struct walk *walk, struct bytes key, struct bytes value)
{
	struct total_row row;
	uint8_t timer[TIMER_KEY_SIZE];
	if (key.len != REFUSALS_KEY_SIZE || total_row_decode(value, &row) != 0)
		return contradict(walk, "a refusal counter is none");
	uint64_t minute = be64_get(key.data + 5);
	timer_key_encode((minute + 1) * 60000, minute, be32_get(key.data + 1), TIMER_SUMMARY, timer);
	return exists(walk, STATE_TIMER, timer, sizeof(timer))
		       ? 0
		       : contradict(walk, "refusals of minute %" PRIu64 " have no timer", minute);
}

static int visit_asked(const struct walk *walk, struct bytes key, struct bytes value)
{
	struct asked_row row;
	uint64_t late;
	uint8_t timer[TIMER_KEY_SIZE];
	if (key.len != ASKED_KEY_SIZE || asked_row_decode(value, &row) != 0)
		return contradict(walk, "an enquiry is none");
	if (row.state == ASKED_LATE &&
		(asked_late(walk->state, row.answerer, &late) != 0 || late == 0))
		return contradict(walk, "message %" PRIu64 " is late and not counted", row.sequence);
	timer_key_encode(row.due_ms, row.sequence, be32_get(key.data + 1), TIMER_ASKED, timer);
	return exists(walk, STATE_TIMER, timer, sizeof(timer))
		       ? 0
		       : contradict(walk, "enquiry %" PRIu64 " has no timer", row.sequence);
}

/* Enquiries of one asker and service that are not over: the rows behind their asker's number. */
static int visit_pending(const struct walk *walk, struct bytes key, struct bytes value)
{
	uint8_t from[ASKED_KEY_SIZE + 1] = {};
	size_t len = TOTAL_KEY_SIZE;
	uint64_t counted = 0, told = value.len == 8 ? be64_get(value.data) : 0;
	struct bytes found, row_bytes,
		service = BYTES(key.data + TOTAL_KEY_SIZE, key.len - TOTAL_KEY_SIZE);
	struct asked_row row;
	total_key_encode(COUNTER_ASKED, be32_get(key.data + 1), from);
	while (state_seek(walk->state, STATE_COUNTER, BYTES(from, len), &found, &row_bytes) == 0 &&
		found.len == ASKED_KEY_SIZE && memcmp(found.data, from, TOTAL_KEY_SIZE) == 0 &&
		asked_row_decode(row_bytes, &row) == 0) {
		counted += row.state == ASKED_WAITS &&
			   bytes_equal(BYTES(row.service, row.service_len), service);
		memcpy(from, found.data, ASKED_KEY_SIZE);
		len = sizeof(from);
	}
	return counted == told && told != 0
		       ? 0
		       : contradict(walk, "%" PRIu64 " enquiries wait, their total says %" PRIu64,
				 counted, told);
}

/* Of this party, those that are late: in no order that would help, so all are looked at. */
static int visit_late(const struct walk *walk, struct bytes key, struct bytes value)
{
	uint8_t from[ASKED_KEY_SIZE + 1] = {COUNTER_ASKED};
	size_t len = 1;
	uint64_t counted = 0, told = value.len == 8 ? be64_get(value.data) : 0;
	uint32_t party = be32_get(key.data + 1);
	struct bytes found, row_bytes;
	struct asked_row row;
	while (state_seek(walk->state, STATE_COUNTER, BYTES(from, len), &found, &row_bytes) == 0 &&
		found.len == ASKED_KEY_SIZE && found.data[0] == COUNTER_ASKED &&
		asked_row_decode(row_bytes, &row) == 0) {
		counted += row.state == ASKED_LATE && row.answerer == party;
		memcpy(from, found.data, ASKED_KEY_SIZE);
		len = sizeof(from);
	}
	return counted == told && told != 0
		       ? 0
		       : contradict(walk, "%" PRIu64 " are late, their total says %" PRIu64,
				 counted, told);
}

static int visit_counter(const struct walk *walk, struct bytes key, struct bytes value)
{
	if (key.len > 0 && key.data[0] == COUNTER_QUEUE)
		return visit_total(walk, key, value);
	if (key.len > 0 && key.data[0] == COUNTER_REFUSALS)
		return visit_refusals(walk, key, value);
	if (key.len > 0 && key.data[0] == COUNTER_ASKED)
		return visit_asked(walk, key, value);
	if (key.len > TOTAL_KEY_SIZE && key.data[0] == COUNTER_PENDING)
		return visit_pending(walk, key, value);
	if (key.len == TOTAL_KEY_SIZE && key.data[0] == COUNTER_LATE)
		return visit_late(walk, key, value);
	return 0;
}

static int walk_table(const struct walk *walk, enum state_table table,
	int (*visit)(const struct walk *walk, struct bytes key, struct bytes value))
{
	uint8_t from[128] = {};
	size_t len = 1;
	struct bytes key, value;
	for (;;) {
		int r = state_seek(walk->state, table, BYTES(from, len), &key, &value);
		if (r == STATE_NOT_FOUND)
			return 0;
		if (r < 0)
			return r;
		if (key.len >= sizeof(from))
			return contradict(walk, "a key is too long");
		/* The next key is greater than this one with a zero byte behind it. */
		memcpy(from, key.data, key.len);
		from[key.len] = 0;
		len = key.len + 1;
		r = visit(walk, key, value);
		if (r != 0)
			return r;
	}
}

static int walk_all(struct walk *walk)
{
	static const struct {
		enum state_table table;
		int (*visit)(const struct walk *walk, struct bytes key, struct bytes value);
	} order[] = {
		{STATE_PARTY, visit_party}, {STATE_QUEUE, visit_queue}, {STATE_TIMER, visit_timer},
		{STATE_END, visit_end}, {STATE_HOLD, visit_hold}, {STATE_ORDER, visit_order},
		{STATE_COUNTER, visit_counter}, /* after all open rows were counted */
	};
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		int r = walk_table(walk, order[i].table, order[i].visit);
		if (r != 0)
			return r;
	}
	for (uint32_t i = 1; i <= walk->parties; i++)
		if (walk->totals[i].first != 0)
			return contradict(walk, "party %" PRIu32 " has messages, but no total", i);
	return 0;
}

int state_invariants(struct state *state, char *reterr, size_t size)
{
	static const uint8_t last = COUNTER_PARTIES;
	struct walk walk = {.state = state, .reterr = reterr, .size = size};
	struct bytes value;
	int r = state_get(state, STATE_COUNTER, BYTES(&last, 1), &value);
	if (r < 0)
		return r;
	if (r == 0 && value.len == 4)
		walk.parties = be32_get(value.data);
	_cleanup_(heap_free) struct total_row *totals = calloc(
		(size_t)walk.parties + 1, sizeof(*totals));
	if (!totals)
		return -ENOMEM;
	walk.totals = totals;
	return walk_all(&walk);
}
