/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An acknowledgement names a message by sequence alone, while `queue` is keyed by lane and `timer` by
 * time. Three lanes are three look-ups, the usual one first; for the timer, a delayed message leaves its
 * time in `end`, the very row that is looked at next anyway to tell a late acknowledgement from an unknown
 * one. Open messages in the queue, nearly all of them, thus pay for no index.
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
	if (end.state != END_DELAYED) {
		ret->where = PLACE_ENDED;
		return 0;
	}
	ret->where = PLACE_TIMER;
	ret->due_ms = end.entry;
	return find_in_timer(state, item, ret);
}

int place_queue(struct state *state, const struct rules_item *item, uint8_t lane,
	const struct queue_row *row)
{
	uint8_t key[QUEUE_KEY_SIZE], value[QUEUE_ROW_SIZE];
	queue_key_encode(item->party, lane, item->sequence, key);
	size_t len = queue_row_encode(row, value);
	return state_put(state, STATE_QUEUE, BYTES(key, sizeof(key)), BYTES(value, len));
}

int place_delay(struct state *state, const struct rules_item *item, uint64_t due_ms, uint8_t lane,
	const struct queue_row *row)
{
	uint8_t key[TIMER_KEY_SIZE], value[RELEASE_ROW_SIZE];
	timer_key_encode(due_ms, item->sequence, item->party, TIMER_RELEASE, key);
	size_t len = release_row_encode(lane, row, value);
	int r = state_put(state, STATE_TIMER, BYTES(key, sizeof(key)), BYTES(value, len));
	if (r < 0)
		return r;
	uint8_t end_key[END_KEY_SIZE], end_value[END_ROW_SIZE];
	struct end_row end = {.state = END_DELAYED, .entry = due_ms, .index = lane};
	end_key_encode(item->sequence, item->party, end_key);
	end_row_encode(&end, end_value);
	return state_put(state, STATE_END, BYTES(end_key, sizeof(end_key)),
		BYTES(end_value, sizeof(end_value)));
}

/* A row that was found a moment ago must be there. */
static int must_del(struct state *state, enum state_table table, struct bytes key)
{
	int r = state_del(state, table, key);
	return r == STATE_NOT_FOUND ? -EBADMSG : r;
}

int place_remove(struct state *state, const struct rules_item *item, const struct place *place)
{
	if (place->where == PLACE_QUEUE) {
		uint8_t key[QUEUE_KEY_SIZE];
		queue_key_encode(item->party, place->lane, item->sequence, key);
		return must_del(state, STATE_QUEUE, BYTES(key, sizeof(key)));
	}
	uint8_t key[TIMER_KEY_SIZE], end_key[END_KEY_SIZE];
	timer_key_encode(place->due_ms, item->sequence, item->party, TIMER_RELEASE, key);
	int r = must_del(state, STATE_TIMER, BYTES(key, sizeof(key)));
	if (r < 0)
		return r;
	end_key_encode(item->sequence, item->party, end_key);
	return must_del(state, STATE_END, BYTES(end_key, sizeof(end_key)));
}
