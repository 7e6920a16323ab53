/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A message that was taken and not replied to is nobody's fault that a machine could name, and it has ended already; so
 * what is overdue ends nothing. It is said once, to who waits, by the way that outcomes take: these are durable, come in
 * their order, and are confirmed. The warning before it is the same word with another name, for there is the
 * same to be done for it.
 */
#include "broker/routing/rules.h"

#include <assert.h>
#include <errno.h>

#include "broker/routing/asked.h"
#include "broker/routing/decision.h"
#include "broker/routing/ending.h"

/* Of what, and how it is said. */
struct word {
	enum asked_state of;
	enum end_state state;
};

static int remind_one(struct rules *rules, const struct rules_item *item, struct word word,
	struct ending *told, Dienstweg__Decision *decision)
{
	uint8_t token[ASKED_TOKEN_SIZE];
	struct asked_row row;
	uint32_t sender;
	if (item->due_ms > rules->batch_ms)
		return 0;
	int r = asked_find_due(rules->state, item->sequence, item->due_ms, &sender, token, &row);
	if (r != 0 || row.state != word.of)
		return r < 0 ? r : 0;
	struct rules_item about = {.party = row.answerer, .sequence = item->sequence};
	uint8_t index = (uint8_t)decision->n_affected;
	r = decision_affect(rules, decision, &about, 0, item->due_ms);
	if (r < 0)
		return r;
	struct outcome_item *outcome = &told->items[told->count];
	told->senders[told->count++] = sender;
	*outcome = (struct outcome_item){.sequence = item->sequence,
		.recipient = row.answerer,
		.state = (uint8_t)word.state,
		.index = index};
	memcpy(outcome->h, row.h, sizeof(outcome->h));
	memcpy(outcome->message_id, row.message_id, sizeof(outcome->message_id));
	memcpy(outcome->case_id, row.case_id, sizeof(outcome->case_id));
	return asked_told(rules->state, sender, token, &row, rules->batch_ms);
}

static int remind(struct rules *rules, const struct rules_item *items, size_t count,
	struct word word, struct items_decision *ret)
{
	Dienstweg__Decision *decision;
	struct ending told;
	assert(count <= RULES_ITEMS_MAX);
	*ret = (struct items_decision){};
	ending_init(&told, rules);
	int r = decision_new(rules, &decision);
	if (r == 0)
		r = decision_affected_room(rules, decision, count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = remind_one(rules, &items[i], word, &told, decision);
	if (r < 0 || decision->n_affected == 0)
		return r;
	ret->append = true;
	ret->decision = decision;
	return ending_finish(&told);
}

int rules_remind(struct rules *rules, const struct rules_item *items, size_t count,
	struct items_decision *ret)
{
	return remind(rules, items, count, (struct word){ASKED_REMINDS, END_OVERDUE}, ret);
}

int rules_warn(struct rules *rules, const struct rules_item *items, size_t count,
	struct items_decision *ret)
{
	return remind(rules, items, count, (struct word){ASKED_WARNS, END_DUE_SOON}, ret);
}
