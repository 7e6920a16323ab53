/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An acknowledgement names a message by sequence alone, while `queue` is keyed by lane and `timer` by
 * time. Three lanes are three look-ups, the usual one first; for the timer, a message that waits there leaves its
 * time in `end`, the very row that is looked at next anyway to tell a late acknowledgement from an unknown
 * one. Open messages in the queue, nearly all of them, thus pay for no index. Dead letters and what is held stand
 * behind all that is ever due, so that no tick meets them.
 *
 * Of a case only what waits is indexed, by the row in `order`: a million delayed messages cost the others one
 * look-up in a tree, and a bus without any costs nothing.
 */
#include "broker/routing/place.h"

#include <errno.h>

#include "broker/routing/common.h"

static int find_in_queue(struct state *state, const struct rules_item *item, struct place *ret)
{
	static const uint8_t lanes[] = {LANE_NORMAL, LANE_URGENT, LANE_BULK};
	for (size_t i = 0; i < ARRAY_LEN(lanes); i++) {
		uint8_t key[QUEUE_KEY_SIZE];
		struct bytes value;
		queue_key_encode(item->party, lanes[i], item->sequence, key);
		int r = state_get(state, STATE_QUEUE, BYTES(key, sizeof(key)), &value);
		if (r == STATE_NOT_FOUND)
			continue;
		if (r < 0)
			return r;
		ret->where = PLACE_QUEUE;
		ret->lane = lanes[i];
		return queue_row_decode(value, &ret->row)
			       ? -EBADMSG
			       : common_join(state, item->sequence, &ret->row);
	}
	return 0;
}

static int find_in_timer(struct state *state, const struct rules_item *item, struct place *ret)
{
	uint8_t key[TIMER_KEY_SIZE];
	struct bytes value;
	timer_key_encode(ret->due_ms, item->sequence, item->party, TIMER_RELEASE, key);
	int r = state_get(state, STATE_TIMER, BYTES(key, sizeof(key)), &value);
	if (r < 0)
		return r;
	if (r == STATE_NOT_FOUND || release_row_decode(value, &ret->lane, &ret->row) != 0)
		return -EBADMSG;
	return common_join(state, item->sequence, &ret->row);
}

static uint8_t timer_of(enum place_where where)
{
	return where == PLACE_DEAD ? TIMER_DEAD : TIMER_HELD;
}

static int find_parked(struct state *state, const struct rules_item *item, struct place *ret)
{
	uint8_t key[TIMER_KEY_SIZE];
	struct bytes value;
	timer_key_encode(PARKED_MS, item->sequence, item->party, timer_of(ret->where), key);
	int r = state_get(state, STATE_TIMER, BYTES(key, sizeof(key)), &value);
	if (r < 0)
		return r;
	if (r == STATE_NOT_FOUND ||
		parked_row_decode(value, &ret->lane, &ret->due_ms, &ret->row) != 0)
		return -EBADMSG;
	return common_join(state, item->sequence, &ret->row);
}

int place_find(struct state *state, const struct rules_item *item, struct place *ret)
{
	uint8_t key[END_KEY_SIZE];
	struct bytes value;
	struct end_row end;
	*ret = (struct place){.where = PLACE_NONE};
	int r = find_in_queue(state, item, ret);
	if (r < 0 || ret->where != PLACE_NONE)
		return r;
	end_key_encode(item->sequence, item->party, key);
	r = state_get(state, STATE_END, BYTES(key, sizeof(key)), &value);
	if (r == STATE_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	if (end_row_decode(value, &end) != 0)
		return -EBADMSG;
	if (end.state == END_DELAYED) {
		ret->where = PLACE_TIMER;
		ret->due_ms = end.entry;
		return find_in_timer(state, item, ret);
	}
	ret->entry = end.entry;
	ret->index = end.index;
	if (end_state_is_end(end.state)) {
		ret->where = PLACE_ENDED;
		ret->end = end.state;
		ret->heard = end.heard;
		return 0;
	}
	ret->where = end.state == END_DEAD ? PLACE_DEAD : PLACE_HELD;
	return find_parked(state, item, ret);
}

int place_queue(struct state *state, const struct rules_item *item, uint8_t lane,
	const struct queue_row *row)
{
	uint8_t key[QUEUE_KEY_SIZE], value[QUEUE_ROW_MAX];
	queue_key_encode(item->party, lane, item->sequence, key);
	size_t len = queue_row_encode(row, value);
	return state_put(state, STATE_QUEUE, BYTES(key, sizeof(key)), BYTES(value, len));
}

/* ---- later ones of the case ---- */

static int order_put(const struct rules *rules, const struct rules_item *item, uint8_t lane,
	const struct queue_row *row)
{
	uint8_t key[ORDER_KEY_SIZE];
	if (rules->version < 1)
		return 0;
	order_key_encode(item->party, lane, row, item->sequence, key);
	return state_put(rules->state, STATE_ORDER, BYTES(key, sizeof(key)), BYTES(NULL, 0));
}

/* There is none of a message that began to wait under version 0. */
static int order_del(const struct rules *rules, const struct rules_item *item, uint8_t lane,
	const struct queue_row *row)
{
	uint8_t key[ORDER_KEY_SIZE];
	if (rules->version < 1)
		return 0;
	order_key_encode(item->party, lane, row, item->sequence, key);
	int r = state_del(rules->state, STATE_ORDER, BYTES(key, sizeof(key)));
	return r < 0 ? r : 0;
}

int place_is_held_back(struct state *state, const struct rules_item *item, uint8_t lane,
	const struct queue_row *row, bool *ret)
{
	uint8_t from[ORDER_KEY_SIZE];
	struct bytes key, value;
	*ret = false;
	order_key_encode(item->party, lane, row, 0, from);
	int r = state_seek(state, STATE_ORDER, BYTES(from, sizeof(from)), &key, &value);
	if (r != 0)
		return r < 0 ? r : 0;
	if (key.len != ORDER_KEY_SIZE)
		return -EBADMSG;
	*ret = memcmp(key.data, from, ORDER_KEY_SIZE - sizeof(item->sequence)) == 0 &&
	       be64_get(key.data + ORDER_KEY_SIZE - sizeof(item->sequence)) < item->sequence;
	return 0;
}

/* ---- the timer ---- */

static int end_put(struct state *state, const struct rules_item *item, const struct end_row *end)
{
	uint8_t key[END_KEY_SIZE], value[END_ROW_SIZE];
	end_key_encode(item->sequence, item->party, key);
	end_row_encode(end, value);
	return state_put(state, STATE_END, BYTES(key, sizeof(key)), BYTES(value, sizeof(value)));
}

int place_delay(const struct rules *rules, const struct rules_item *item, uint64_t due_ms,
	uint8_t lane, const struct queue_row *row)
{
	uint8_t key[TIMER_KEY_SIZE], value[RELEASE_ROW_MAX];
	const struct end_row end = {.state = END_DELAYED, .entry = due_ms, .index = lane};
	timer_key_encode(due_ms, item->sequence, item->party, TIMER_RELEASE, key);
	size_t len = release_row_encode(lane, row, value);
	int r = state_put(rules->state, STATE_TIMER, BYTES(key, sizeof(key)), BYTES(value, len));
	if (r == 0)
		r = order_put(rules, item, lane, row);
	return r < 0 ? r : end_put(rules->state, item, &end);
}

int place_park(const struct rules *rules, const struct rules_item *item, const struct place *place)
{
	uint8_t key[TIMER_KEY_SIZE], value[PARKED_ROW_MAX];
	bool held = place->where == PLACE_HELD;
	const struct end_row end = {
		.state = held ? END_HELD : END_DEAD, .entry = place->entry, .index = place->index};
	timer_key_encode(PARKED_MS, item->sequence, item->party, timer_of(place->where), key);
	size_t len = parked_row_encode(place->lane, held ? place->due_ms : 0, &place->row, value);
	int r = state_put(rules->state, STATE_TIMER, BYTES(key, sizeof(key)), BYTES(value, len));
	if (r == 0 && held)
		r = order_put(rules, item, place->lane, &place->row);
	return r < 0 ? r : end_put(rules->state, item, &end);
}

int place_hear(struct state *state, const struct rules_item *item, const struct place *place)
{
	const struct end_row end = {
		.state = place->end, .heard = true, .entry = place->entry, .index = place->index};
	return end_put(state, item, &end);
}

/* A row that was found a moment ago must be there. */
static int must_del(struct state *state, enum state_table table, struct bytes key)
{
	int r = state_del(state, table, key);
	return r == STATE_NOT_FOUND ? -EBADMSG : r;
}

int place_remove(const struct rules *rules, const struct rules_item *item, const struct place *place)
{
	bool delayed = place->where == PLACE_TIMER;
	if (place->where == PLACE_QUEUE) {
		uint8_t key[QUEUE_KEY_SIZE];
		queue_key_encode(item->party, place->lane, item->sequence, key);
		return must_del(rules->state, STATE_QUEUE, BYTES(key, sizeof(key)));
	}
	uint8_t key[TIMER_KEY_SIZE], end_key[END_KEY_SIZE];
	timer_key_encode(delayed ? place->due_ms : PARKED_MS, item->sequence, item->party,
		delayed ? TIMER_RELEASE : timer_of(place->where), key);
	int r = must_del(rules->state, STATE_TIMER, BYTES(key, sizeof(key)));
	if (r == 0 && place->where != PLACE_DEAD)
		r = order_del(rules, item, place->lane, &place->row);
	if (r < 0)
		return r;
	end_key_encode(item->sequence, item->party, end_key);
	return must_del(rules->state, STATE_END, BYTES(end_key, sizeof(end_key)));
}
