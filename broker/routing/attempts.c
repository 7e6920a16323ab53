/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A failed attempt is state, not a log line: after a restart a poison message must not begin again at
 * one. The jitter comes out of sequence and attempt instead of a random number, so that replay waits for
 * the same instants.
 *
 * Whether a failure is the message's own is not for the rules to know: delivery has seen what else passed
 * meanwhile, and says so of each. What it says is in the entry (strikes), so that replay counts the same.
 */
#include "broker/routing/rules.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/attempts.h"
#include "broker/routing/decision.h"
#include "broker/routing/place.h"

/* SplitMix64's finaliser: neighbouring inputs give unrelated outputs. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint32_t rules_backoff_ms(const struct rules_limits *limits, uint64_t sequence, uint32_t attempt)
{
	uint64_t min = limits->backoff_min_ms ? limits->backoff_min_ms : 1;
	uint64_t max = limits->backoff_max_ms > min ? limits->backoff_max_ms : min;
	uint64_t base = min;
	for (uint32_t i = 1; i < attempt && base < max; i++)
		base *= 2;
	if (base > max)
		base = max;
	uint64_t low = base / 2 > min ? base / 2 : min;
	return (uint32_t)(low + mix(sequence * 0x9e3779b97f4a7c15u + attempt) % (base - low + 1));
}

bool attempts_are_over(
	const struct rules *rules, const struct rules_item *item, const struct queue_row *row)
{
	uint32_t max = row->attempts_max ? row->attempts_max : rules->limits->attempts_max;
	return rules->version >= 1 && item->counted && max != 0 && row->strikes + 1u >= max;
}

void attempts_add(const struct rules *rules, const struct rules_item *item, struct queue_row *row)
{
	if (row->attempts < UINT16_MAX)
		row->attempts++;
	if (rules->version >= 1 && item->counted && row->strikes < UINT16_MAX)
		row->strikes++;
}

static int fail_one(struct rules *rules, const struct rules_item *item, struct place *place,
	uint32_t delay_ms, Dienstweg__Decision *decision)
{
	struct queue_row *row = &place->row;
	uint64_t due_ms = delay_ms ? rules->batch_ms + delay_ms : 0;
	int r;
	if (due_ms) {
		r = place_remove(rules, item, place);
		if (r < 0)
			return r;
		r = place_delay(rules, item, due_ms, place->lane, row);
	} else {
		r = place_queue(rules->state, item, place->lane, row);
	}
	if (r < 0)
		return r;
	r = effect_place(rules, due_ms ? EFFECT_DELAYED : EFFECT_QUEUED, item, place->lane, row);
	if (r < 0)
		return r;
	r = decision_affect(rules, decision, item, row->attempts, due_ms);
	if (r == 0)
		decision->affected[decision->n_affected - 1]->strikes = row->strikes;
	return r;
}

int rules_fail(struct rules *rules, const struct rules_item *items, size_t count, const char *cause,
	uint32_t delay_ms, bool backoff, struct items_decision *ret)
{
	Dienstweg__Decision *decision;
	assert(count <= RULES_ITEMS_MAX);
	*ret = (struct items_decision){};
	int r = decision_new(rules, &decision);
	if (r == 0)
		r = decision_affected_room(rules, decision, count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct place place;
		r = place_find(rules->state, &items[i], &place);
		if (r < 0)
			return r;
		if (place.where != PLACE_QUEUE || attempts_are_over(rules, &items[i], &place.row))
			continue;
		attempts_add(rules, &items[i], &place.row);
		uint32_t delay = delay_ms;
		if (delay == 0 && backoff)
			delay = rules_backoff_ms(
				rules->limits, items[i].sequence, place.row.attempts);
		r = fail_one(rules, &items[i], &place, delay, decision);
	}
	if (r < 0 || decision->n_affected == 0)
		return r;
	ret->append = true;
	ret->decision = decision;
	return decision_bytes(rules, BYTES_STR(cause), &decision->cause);
}
