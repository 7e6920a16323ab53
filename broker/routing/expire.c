/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Expiry waits for a running hand-over, which only delivery knows of. So the tick announces, delivery
 * answers when nothing is out, and only then does the message end here. Whatever happened in between
 * (acknowledged, failed, delayed) is found in the state.
 */
#include "broker/routing/rules.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/decision.h"
#include "broker/routing/ending.h"

int rules_expire(struct rules *rules, const struct rules_item *items, size_t count,
	struct items_decision *ret)
{
	Dienstweg__Decision *decision;
	struct ending ending;
	assert(count <= RULES_ITEMS_MAX);
	*ret = (struct items_decision){};
	ending_init(&ending, rules);
	int r = decision_new(rules, &decision);
	if (r == 0)
		r = decision_affected_room(rules, decision, count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct place place;
		r = place_find(rules->state, &items[i], &place);
		if (r < 0)
			return r;
		if (!place_is_open(&place))
			continue;
		if (place.row.expires_ms == 0 || place.row.expires_ms > rules->batch_ms)
			continue;
		uint8_t index = (uint8_t)decision->n_affected;
		r = decision_affect(rules, decision, &items[i], place.row.attempts, 0);
		if (r == 0)
			r = ending_add(&ending, &items[i], &place, END_EXPIRED, index);
	}
	if (r < 0 || decision->n_affected == 0)
		return r;
	ret->append = true;
	ret->decision = decision;
	return ending_finish(&ending);
}
