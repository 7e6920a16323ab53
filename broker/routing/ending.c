/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Whatever ends a message ends it here, so that the four things that must happen together (row gone,
 * totals down, end state written, sender told) cannot come apart. Totals are written once per recipient
 * and call: an entry of 32 acknowledgements changes one total, not 32 times.
 */
#include "broker/routing/ending.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/asked.h"
#include "broker/routing/common.h"
#include "broker/routing/decision.h"
#include "broker/routing/total.h"

void ending_init(struct ending *ending, struct rules *rules)
{
	ending->rules = rules;
	ending->party = 0;
	ending->messages = 0;
	ending->bytes = 0;
	ending->count = 0;
}

static int write_totals(struct ending *ending)
{
	if (ending->messages == 0)
		return 0;
	int r = total_queue_sub(
		ending->rules->state, ending->party, ending->messages, ending->bytes);
	ending->messages = 0;
	ending->bytes = 0;
	return r;
}

static int write_end(
	struct rules *rules, const struct rules_item *item, enum end_state state, uint8_t index)
{
	uint8_t key[END_KEY_SIZE], value[END_ROW_SIZE];
	struct end_row end = {.state = (uint8_t)state, .entry = rules->sequence, .index = index};
	end_key_encode(item->sequence, item->party, key);
	end_row_encode(&end, value);
	return state_put(
		rules->state, STATE_END, BYTES(key, sizeof(key)), BYTES(value, sizeof(value)));
}

static int remove_expiry(
	struct rules *rules, const struct rules_item *item, const struct queue_row *row)
{
	uint8_t key[TIMER_KEY_SIZE];
	if (row->expires_ms == 0)
		return 0;
	timer_key_encode(row->expires_ms, item->sequence, item->party, TIMER_EXPIRE, key);
	int r = state_del(rules->state, STATE_TIMER, BYTES(key, sizeof(key)));
	return r == STATE_NOT_FOUND ? -EBADMSG : r;
}

/* What its recipient took may still be answered. */
static int forget_asked(
	struct rules *rules, const struct rules_item *item, const struct place *place, int state)
{
	if (rules->version < 1 || state == END_ACCEPTED)
		return 0;
	return asked_ended(rules->state, &place->row, item->sequence, state == END_EXPIRED);
}

int ending_add(struct ending *ending, const struct rules_item *item, const struct place *place,
	enum end_state state, uint8_t index)
{
	struct rules *rules = ending->rules;
	assert(ending->count < OUTCOME_ITEMS_MAX);
	int r = place_remove(rules, item, place);
	if (r < 0)
		return r;
	r = place->row.sharing ? common_leave(rules->state, item->sequence)
			       : remove_expiry(rules, item, &place->row);
	if (r < 0)
		return r;
	r = write_end(rules, item, state, index);
	if (r == 0)
		r = forget_asked(rules, item, place, state);
	if (r < 0)
		return r;
	if (ending->party != item->party) {
		r = write_totals(ending);
		if (r < 0)
			return r;
		ending->party = item->party;
	}
	ending->messages++;
	ending->bytes += place->row.bytes;

	struct outcome_item *outcome = &ending->items[ending->count];
	ending->senders[ending->count++] = place->row.sender;
	outcome->sequence = item->sequence;
	outcome->recipient = item->party;
	outcome->state = (uint8_t)state;
	outcome->index = index;
	memcpy(outcome->h, place->row.h, sizeof(outcome->h));
	memcpy(outcome->message_id, place->row.message_id, sizeof(outcome->message_id));
	memcpy(outcome->case_id, place->row.case_id, sizeof(outcome->case_id));
	return effect_left(rules, EFFECT_ENDED, item, place);
}

/* All items of the sender of item @first, in order. */
static int write_outcome(struct ending *ending, size_t first)
{
	struct rules *rules = ending->rules;
	uint32_t sender = ending->senders[first];
	struct effect *effect;
	uint8_t key[QUEUE_KEY_SIZE];
	uint8_t *value = arena_alloc(
		rules->arena, (ending->count - first) * (size_t)OUTCOME_ITEM_SIZE);
	size_t len = 0;
	if (!value)
		return -ENOMEM;
	for (size_t i = first; i < ending->count; i++) {
		if (ending->senders[i] != sender)
			continue;
		outcome_item_encode(&ending->items[i], value + len);
		len += OUTCOME_ITEM_SIZE;
		ending->senders[i] = 0;
	}
	queue_key_encode(sender, LANE_OUTCOME, rules->sequence, key);
	int r = state_put(rules->state, STATE_QUEUE, BYTES(key, sizeof(key)), BYTES(value, len));
	if (r < 0)
		return r;
	r = effect_new(rules, EFFECT_OUTCOME, &effect);
	if (r < 0)
		return r;
	effect->party = sender;
	effect->lane = LANE_OUTCOME;
	effect->sequence = rules->sequence;
	effect->outcome = BYTES(value, len);
	return 0;
}

int ending_finish(struct ending *ending)
{
	int r = write_totals(ending);
	for (size_t i = 0; r == 0 && i < ending->count; i++)
		if (ending->senders[i] != 0)
			r = write_outcome(ending, i);
	return r;
}
