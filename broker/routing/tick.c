/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The cursor works because time only goes up: a row put into `timer` is due after the batch time at that
 * moment, and the cursor never passes the batch time. So nothing new can appear behind it, and expiries
 * that wait for a lease are passed over without being read again at every tick.
 */
#include "broker/routing/rules.h"

#include <errno.h>

#include "broker/routing/asked.h"
#include "broker/routing/common.h"
#include "broker/routing/decision.h"
#include "broker/routing/place.h"
#include "broker/routing/refusals.h"

struct due {
	uint8_t key[TIMER_KEY_SIZE];
	uint64_t due_ms;
	struct rules_item item;
	uint8_t what;
	struct bytes value; /* a view: dies with the first write */
};

/* The first row behind the cursor. 0, STATE_NOT_FOUND, negative errno. */
static int first_due(struct state *state, const struct tick_cursor *cursor, struct due *ret)
{
	/* The least key that is greater than the cursor's. */
	uint8_t from[TIMER_KEY_SIZE + 1] = {};
	struct bytes key;
	memcpy(from, cursor->key, TIMER_KEY_SIZE);
	int r = state_seek(
		state, STATE_TIMER, BYTES(from, cursor->set ? sizeof(from) : 1), &key, &ret->value);
	if (r != 0)
		return r;
	if (timer_key_decode(
		    key, &ret->due_ms, &ret->item.sequence, &ret->item.party, &ret->what) != 0)
		return -EBADMSG;
	memcpy(ret->key, key.data, sizeof(ret->key));
	return 0;
}

static int release(struct rules *rules, const struct due *due)
{
	struct place place = {.where = PLACE_TIMER, .due_ms = due->due_ms};
	if (release_row_decode(due->value, &place.lane, &place.row) != 0)
		return -EBADMSG;
	int r = common_join(rules->state, due->item.sequence, &place.row);
	if (r < 0)
		return r;
	r = place_remove(rules, &due->item, &place);
	if (r < 0)
		return r;
	r = place_queue(rules->state, &due->item, place.lane, &place.row);
	if (r < 0)
		return r;
	return effect_left(rules, EFFECT_QUEUED, &due->item, &place);
}

/* Of a message for several recipients: all that still wait. */
static int announce_all(struct rules *rules, const struct due *due)
{
	struct common_row common;
	int r = common_get(rules->state, due->item.sequence, &common);
	for (size_t i = 0; r == 0 && i < common.count; i++) {
		struct rules_item item = {
			.party = common.recipients[i], .sequence = due->item.sequence};
		struct place place;
		r = place_find(rules->state, &item, &place);
		if (r == 0 && place_is_open(&place))
			r = effect_place(rules, EFFECT_EXPIRE, &item, place.lane, NULL);
	}
	return r == STATE_NOT_FOUND ? -EBADMSG : r;
}

static int announce(struct rules *rules, const struct due *due)
{
	if (due->value.len != 1)
		return -EBADMSG;
	if (due->item.party == PARTY_COMMON)
		return announce_all(rules, due);
	return effect_place(rules, EFFECT_EXPIRE, &due->item, due->value.data[0], NULL);
}

static int sum_up(struct rules *rules, const struct due *due, struct items_decision *ret)
{
	int r = state_del(rules->state, STATE_TIMER, BYTES(due->key, sizeof(due->key)));
	if (r < 0)
		return r;
	return refusals_sum_up(rules, due->item.party, due->item.sequence, ret);
}

/* Nobody replied, or not yet: announced, and said by rules_remind(). */
static int answer_due(struct rules *rules, const struct due *due)
{
	struct effect *effect;
	enum asked_state tells;
	int r = asked_due(rules->state, due->item.party, due->value, rules->batch_ms, &tells);
	if (r < 0 || !asked_state_tells((uint8_t)tells))
		return r;
	r = effect_new(rules, tells == ASKED_WARNS ? EFFECT_DUE_SOON : EFFECT_OVERDUE, &effect);
	if (r < 0)
		return r;
	effect->party = due->item.party;
	effect->sequence = due->item.sequence;
	effect->due_ms = due->due_ms;
	return 0;
}

static int handle(struct rules *rules, const struct due *due, struct items_decision *ret)
{
	switch (due->what) {
	case TIMER_RELEASE:
		return release(rules, due);
	case TIMER_EXPIRE:
		return announce(rules, due);
	case TIMER_ASKED:
		return answer_due(rules, due);
	default:
		return sum_up(rules, due, ret);
	}
}

int rules_tick(struct rules *rules, size_t max, struct tick_cursor *announced_until,
	struct items_decision *ret)
{
	size_t handled = 0;
	*ret = (struct items_decision){};
	while (handled < max && !ret->append) {
		struct due due;
		int r = first_due(rules->state, announced_until, &due);
		if (r == STATE_NOT_FOUND || (r == 0 && due.due_ms > rules->batch_ms))
			break;
		if (r == 0)
			r = handle(rules, &due, ret);
		if (r < 0)
			return r;
		memcpy(announced_until->key, due.key, sizeof(due.key));
		announced_until->set = true;
		/* What expires for many is as much work, and as many effects, as many rows. */
		bool many = due.what == TIMER_EXPIRE && due.item.party == PARTY_COMMON;
		handled += many ? COMMON_RECIPIENTS_MAX : 1;
	}
	return (int)handled;
}

int rules_next_due(struct state *state, const struct tick_cursor *announced_until, uint64_t *ret_ms)
{
	struct due due;
	int r = first_due(state, announced_until, &due);
	if (r < 0)
		return r;
	*ret_ms = r == 0 ? due.due_ms : UINT64_MAX;
	return 0;
}
