/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A dead letter is an open message: its sender has been told nothing, its content stays, and its recipient may still
 * take it. What has changed is who must act. So burying moves a row, only discarding ends something, and
 * a retry begins to count anew, because somebody looked.
 */
#include "broker/routing/rules.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/attempts.h"
#include "broker/routing/decision.h"
#include "broker/routing/ending.h"

static int decision_items_new(struct rules *rules, size_t count, struct bytes cause,
	struct items_decision *ret, Dienstweg__Decision **ret_decision)
{
	assert(count <= RULES_ITEMS_MAX);
	*ret = (struct items_decision){};
	int r = decision_new(rules, ret_decision);
	if (r == 0)
		r = decision_affected_room(rules, *ret_decision, count);
	if (r == 0)
		r = decision_bytes(rules, cause, &(*ret_decision)->cause);
	ret->decision = *ret_decision;
	return r;
}

/* ---- buried ---- */

static int bury_one(struct rules *rules, const struct rules_item *item, struct place *place,
	Dienstweg__Decision *decision)
{
	struct place dead = *place;
	attempts_add(rules, item, &dead.row);
	dead.where = PLACE_DEAD;
	dead.entry = rules->sequence;
	dead.index = (uint8_t)decision->n_affected;
	int r = place_remove(rules, item, place);
	if (r == 0)
		r = place_park(rules, item, &dead);
	if (r == 0)
		r = effect_place(rules, EFFECT_DELAYED, item, dead.lane, &dead.row);
	if (r == 0)
		r = decision_affect(rules, decision, item, dead.row.attempts, 0);
	if (r == 0)
		decision->affected[decision->n_affected - 1]->strikes = dead.row.strikes;
	return r;
}

int rules_bury(struct rules *rules, const struct rules_item *items, size_t count, const char *cause,
	struct items_decision *ret)
{
	Dienstweg__Decision *decision;
	int r = decision_items_new(rules, count, BYTES_STR(cause), ret, &decision);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct place place;
		r = place_find(rules->state, &items[i], &place);
		if (r == 0 && place.where == PLACE_QUEUE &&
			attempts_are_over(rules, &items[i], &place.row))
			r = bury_one(rules, &items[i], &place, decision);
	}
	ret->append = r == 0 && decision->n_affected > 0;
	return r;
}

/* ---- what operators make of them ---- */

static int retry_one(struct rules *rules, const struct rules_item *item, const struct place *place,
	Dienstweg__Decision *decision)
{
	struct queue_row row = place->row;
	row.strikes = 0;
	int r = place_remove(rules, item, place);
	if (r == 0)
		r = place_queue(rules->state, item, place->lane, &row);
	if (r == 0)
		r = effect_place(rules, EFFECT_QUEUED, item, place->lane, &row);
	return r < 0 ? r : decision_affect(rules, decision, item, row.attempts, 0);
}

int rules_retry(struct rules *rules, const struct rules_item *items, size_t count,
	const struct queue_act *act, struct items_decision *ret)
{
	Dienstweg__Decision *decision;
	int r = decision_items_new(rules, count, act->cause, ret, &decision);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct place place;
		r = place_find(rules->state, &items[i], &place);
		if (r == 0 && place.where == PLACE_DEAD)
			r = retry_one(rules, &items[i], &place, decision);
	}
	ret->append = r == 0 && decision->n_affected > 0;
	if (ret->append)
		decision->account = act->account;
	return r;
}

int rules_discard(struct rules *rules, const struct rules_item *items, size_t count,
	const struct queue_act *act, struct items_decision *ret)
{
	Dienstweg__Decision *decision;
	struct ending ending;
	ending_init(&ending, rules);
	int r = decision_items_new(rules, count, act->cause, ret, &decision);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct place place;
		r = place_find(rules->state, &items[i], &place);
		if (r < 0 || place.where != PLACE_DEAD)
			continue;
		uint8_t index = (uint8_t)decision->n_affected;
		r = decision_affect(rules, decision, &items[i], place.row.attempts, 0);
		if (r == 0)
			r = ending_add(&ending, &items[i], &place, END_DISCARDED, index);
	}
	if (r < 0 || decision->n_affected == 0)
		return r;
	decision->account = act->account;
	ret->append = true;
	return ending_finish(&ending);
}
