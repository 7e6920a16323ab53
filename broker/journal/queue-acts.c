/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What operators order about what waits. An order may name more messages than an entry can; then it becomes several
 * entries of one commit, so that thousands of dead letters are retried without a commit for each. Messages
 * that are not as the order supposes (ended meanwhile, not dead) are passed over, and the answer says how many
 * were not.
 */
#include <errno.h>

#include "broker/journal/writer.h"

static int decide_some(struct batch *batch, const struct operator_act *act,
	const struct rules_item *items, size_t count, struct items_decision *ret)
{
	struct queue_act queue = act->queue;
	queue.account = act->about.account;
	switch (act->what) {
	case OPERATOR_RETRY:
		return rules_retry(&batch->rules, items, count, &queue, ret);
	case OPERATOR_DISCARD:
		return rules_discard(&batch->rules, items, count, &queue, ret);
	default:
		return rules_hold_items(
			&batch->rules, items, count, &queue, act->what == OPERATOR_HOLD_ITEMS, ret);
	}
}

static uint8_t kind_of(enum operator_what what)
{
	switch (what) {
	case OPERATOR_RETRY:
		return DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED;
	case OPERATOR_DISCARD:
		return DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED;
	case OPERATOR_HOLD_ITEMS:
	case OPERATOR_HOLD_QUEUE:
		return DIENSTWEG__ENTRY_KIND__ENTRY_HELD;
	default:
		return DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED;
	}
}

static int decide_items(struct journal *journal, struct batch *batch, struct operator_act *act)
{
	int r = 0;
	for (size_t at = 0; at < act->count && r == 0; at += RULES_ITEMS_MAX) {
		struct items_decision decision = {};
		uint64_t sequence = journal->log.sequence;
		size_t count = act->count - at;
		if (count > RULES_ITEMS_MAX)
			count = RULES_ITEMS_MAX;
		r = decide_some(batch, act, act->items + at, count, &decision);
		if (r == 0)
			r = acts_append_items(journal, batch, kind_of(act->what), &decision);
		if (r || !decision.append)
			continue;
		if (!act->changed)
			act->sequence = sequence;
		act->changed = true;
		act->taken += decision.decision->n_affected;
	}
	return r;
}

/* Names parties and services, no people: permanent and in clear, so that replay knows of it for ever. */
static int decide_queue(struct journal *journal, struct batch *batch, struct operator_act *act)
{
	struct queue_act queue = act->queue;
	struct items_decision decision;
	struct entry entry = {.kind = kind_of(act->what)};
	queue.account = act->about.account;
	int r = rules_hold_queue(&batch->rules, &queue, act->what == OPERATOR_HOLD_QUEUE, &decision);
	if (r || !decision.append)
		return r;
	act->changed = true;
	act->sequence = journal->log.sequence;
	entry.decision = decision.decision;
	return batch_append(journal, batch, &entry, NULL);
}

int queue_decide(struct journal *journal, struct batch *batch, struct operator_act *act)
{
	if (!journal->registry)
		return 0;
	return act->what == OPERATOR_HOLD_QUEUE || act->what == OPERATOR_RELEASE_QUEUE
		       ? decide_queue(journal, batch, act)
		       : decide_items(journal, batch, act);
}
