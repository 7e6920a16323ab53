/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A queue is held by one row, whatever waits in it; a message of it is held by moving it out of the queue, so
 * that delivery need not look at each. A service has no queue of its own: what comes for it while it is
 * held is moved aside as it is accepted. All of them are accepted: a sender should not have to wait because a
 * recipient's operator wants to look at something.
 */
#include "broker/routing/rules.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/decision.h"
#include "broker/routing/party.h"
#include "broker/routing/place.h"

/* ---- messages ---- */

static int hold_one(struct rules *rules, const struct rules_item *item, const struct place *place,
	Dienstweg__Decision *decision)
{
	struct place held = *place;
	held.where = PLACE_HELD;
	/* What is due waits in the timer or has been moved, as the broker had room: that must not be seen. */
	held.due_ms = place->where == PLACE_TIMER && place->due_ms > rules->batch_ms ? place->due_ms
										     : 0;
	held.entry = rules->sequence;
	held.index = (uint8_t)decision->n_affected;
	int r = place_remove(rules, item, place);
	if (r == 0)
		r = place_park(rules, item, &held);
	if (r == 0)
		r = effect_place(rules, EFFECT_DELAYED, item, held.lane, &held.row);
	return r < 0 ? r : decision_affect(rules, decision, item, held.row.attempts, 0);
}

static int release_one(struct rules *rules, const struct rules_item *item,
	const struct place *place, Dienstweg__Decision *decision)
{
	uint64_t due_ms = place->due_ms > rules->batch_ms ? place->due_ms : 0;
	int r = place_remove(rules, item, place);
	if (r == 0)
		r = due_ms ? place_delay(rules, item, due_ms, place->lane, &place->row)
			   : place_queue(rules->state, item, place->lane, &place->row);
	if (r == 0)
		r = due_ms ? effect_place(rules, EFFECT_DELAYED, item, place->lane, &place->row)
			   : effect_left(rules, EFFECT_QUEUED, item, place);
	return r < 0 ? r : decision_affect(rules, decision, item, place->row.attempts, due_ms);
}

static int act_new(struct rules *rules, const struct queue_act *act, struct items_decision *ret)
{
	Dienstweg__Decision *decision;
	*ret = (struct items_decision){};
	int r = decision_new(rules, &decision);
	if (r == 0)
		r = decision_bytes(rules, act->cause, &decision->cause);
	if (r == 0)
		r = decision_bytes(rules, act->party, &decision->held_party);
	if (r == 0)
		r = decision_bytes(rules, act->service, &decision->held_service);
	if (r < 0)
		return r;
	decision->account = act->account;
	ret->decision = decision;
	return 0;
}

int rules_hold_items(struct rules *rules, const struct rules_item *items, size_t count,
	const struct queue_act *act, bool hold, struct items_decision *ret)
{
	assert(count <= RULES_ITEMS_MAX && act->party.len == 0);
	int r = act_new(rules, act, ret);
	if (r == 0)
		r = decision_affected_room(rules, ret->decision, count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct place place;
		r = place_find(rules->state, &items[i], &place);
		if (r < 0)
			return r;
		if (hold && (place.where == PLACE_QUEUE || place.where == PLACE_TIMER))
			r = hold_one(rules, &items[i], &place, ret->decision);
		if (!hold && place.where == PLACE_HELD)
			r = release_one(rules, &items[i], &place, ret->decision);
	}
	ret->append = r == 0 && ret->decision->n_affected > 0;
	return r;
}

/* ---- queues and services ---- */

/* The row that holds it. 0, STATE_NOT_FOUND (there is no such party or service), negative errno. */
static int key_of(struct rules *rules, const struct queue_act *act, uint32_t *ret_party,
	uint8_t buf[HOLD_SERVICE_SIZE], struct bytes *ret)
{
	if (act->service.len != 0) {
		*ret_party = 0;
		if (act->service.len > NAME_BYTES_MAX ||
			!registry_service(rules->registry, act->service))
			return STATE_NOT_FOUND;
		hold_service_key_encode(act->service, buf);
		*ret = BYTES(buf, HOLD_SERVICE_SIZE);
		return 0;
	}
	int r = rules_party_number(rules->state, act->party, ret_party);
	if (r < 0 || *ret_party == 0)
		return r < 0 ? r : STATE_NOT_FOUND;
	hold_party_key_encode(*ret_party, buf);
	*ret = BYTES(buf, HOLD_PARTY_SIZE);
	return 0;
}

int rules_hold_queue(
	struct rules *rules, const struct queue_act *act, bool hold, struct items_decision *ret)
{
	uint8_t buf[HOLD_SERVICE_SIZE], row[8];
	struct bytes key, value;
	struct effect *effect;
	uint32_t party;
	*ret = (struct items_decision){};
	int r = key_of(rules, act, &party, buf, &key);
	if (r != 0)
		return r < 0 ? r : 0;
	r = state_get(rules->state, STATE_HOLD, key, &value);
	if (r < 0 || (r == 0) == hold)
		return r < 0 ? r : 0;
	be64_put(row, rules->sequence);
	r = hold ? state_put(rules->state, STATE_HOLD, key, BYTES(row, sizeof(row)))
		 : state_del(rules->state, STATE_HOLD, key);
	if (r == 0 && party != 0) {
		r = effect_new(rules, hold ? EFFECT_HELD : EFFECT_RELEASED, &effect);
		if (r == 0)
			effect->party = party;
	}
	if (r == 0)
		r = act_new(rules, act, ret);
	ret->append = r == 0;
	return r;
}
