/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Time as the rules see it: before the parcels of a commit, everything that is due at its batch time
 * happens. Effects travel in parcels of the journal's own, a few, each with room for TICK_ROWS rows; when
 * the reactor has all of them, timers wait, and the one it hands back wakes the writer.
 */
#include "broker/journal/writer.h"

#include <errno.h>

#include "proto/base/log.h"

static int append_summary(
	struct journal *journal, struct batch *batch, const struct items_decision *decision)
{
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_REFUSALS_SUMMED,
		.decision = decision->decision,
	};
	return decision->append ? batch_append(journal, batch, &entry, NULL) : 0;
}

/* A tick announces of messages that nobody replied to; what is made of it. */
static const struct word {
	enum effect_type of;
	uint8_t kind;
	int (*decide)(struct rules *rules, const struct rules_item *items, size_t count,
		struct items_decision *ret);
	const char *said;
} words[] = {
	{EFFECT_DUE_SOON, DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON, rules_warn,
		"nobody replied yet, and the time for it is nearly over"},
	{EFFECT_OVERDUE, DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE, rules_remind,
		"nobody replied in time"},
};

/* In the same transaction. */
static int remind(struct journal *journal, struct batch *batch, const struct effect *effect,
	const struct word *word)
{
	struct rules_item items[RULES_ITEMS_MAX];
	size_t count = 0;
	for (; effect; effect = effect->next) {
		struct items_decision decision = {};
		if (effect->type == word->of)
			items[count++] = (struct rules_item){
				.sequence = effect->sequence, .due_ms = effect->due_ms};
		if (count == 0 || (count < RULES_ITEMS_MAX && effect->next))
			continue;
		int r = word->decide(&batch->rules, items, count, &decision);
		if (r == 0)
			r = acts_append_items(journal, batch, word->kind, &decision);
		if (r)
			return r;
		log_warn("journal", word->said, F_U64("messages", count),
			F_U64("first", items[0].sequence));
		if (word->of == EFFECT_OVERDUE)
			atomic_fetch_add(&journal->shared.overdue, count);
		count = 0;
	}
	return 0;
}

/* Fill one parcel. @ret_more: there may be further rows that are due. */
static int fill_tick(
	struct journal *journal, struct batch *batch, struct parcel *tick, bool *ret_more)
{
	struct rules *rules = &batch->rules;
	size_t rows = 0;
	arena_reset(tick->arena);
	rules->arena = tick->arena;
	rules->effects = NULL;
	rules->effects_tail = &rules->effects;
	*ret_more = true;
	while (rows < TICK_ROWS) {
		struct items_decision decision = {};
		int moved = rules_tick(rules, TICK_ROWS - rows, &journal->announced, &decision);
		if (moved < 0)
			return moved;
		int r = append_summary(journal, batch, &decision);
		if (r)
			return r;
		rows += (size_t)moved;
		*ret_more = moved > 0;
		if (moved == 0)
			break;
	}
	const struct effect *announced = rules->effects;
	int r = 0;
	for (size_t i = 0; i < ARRAY_LEN(words) && r == 0; i++)
		r = remind(journal, batch, announced, &words[i]);
	tick->effects = rules->effects;
	return r;
}

int ticks_decide(struct journal *journal, struct batch *batch)
{
	bool more = true;
	while (more && journal->ticks_idle) {
		struct parcel *tick = journal->ticks_idle;
		int r = fill_tick(journal, batch, tick, &more);
		if (r)
			return r;
		if (!tick->effects)
			continue;
		journal->ticks_idle = tick->next;
		tick->next = NULL;
		*batch->ticks_tail = tick;
		batch->ticks_tail = &tick->next;
	}
	return 0;
}
