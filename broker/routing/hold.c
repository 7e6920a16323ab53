/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A hold names a case by its random id and the order behind it by a digest: whoever must be able to say why
 * has the document. So the entry says nothing about a person, and yet cannot be explained away later.
 */
#include "broker/routing/rules.h"

#include "broker/routing/decision.h"

static int make(struct rules *rules, const struct case_act *act, struct items_decision *ret)
{
	Dienstweg__Decision *decision;
	int r = decision_new(rules, &decision);
	if (r == 0)
		r = decision_bytes(
			rules, BYTES(act->case_id, sizeof(act->case_id)), &decision->case_id);
	if (r == 0)
		r = decision_bytes(rules, BYTES(act->ground, HASH_SIZE), &decision->ground);
	if (r)
		return r;
	decision->account = act->account;
	*ret = (struct items_decision){.append = true, .decision = decision};
	return 0;
}

int rules_hold(
	struct rules *rules, const struct case_act *act, bool hold, struct items_decision *ret)
{
	struct bytes key = BYTES(act->case_id, sizeof(act->case_id)), value;
	uint8_t row[8];
	*ret = (struct items_decision){};
	int r = state_get(rules->state, STATE_HOLD, key, &value);
	if (r < 0)
		return r;
	if ((r == 0) == hold)
		return 0;
	be64_put(row, rules->sequence);
	r = hold ? state_put(rules->state, STATE_HOLD, key, BYTES(row, sizeof(row)))
		 : state_del(rules->state, STATE_HOLD, key);
	return r < 0 ? r : make(rules, act, ret);
}
