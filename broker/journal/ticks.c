/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Time as the rules see it: before the parcels of a commit, everything that is due at its batch time
 * happens. Effects travel in parcels of the journal's own, a few, each with room for TICK_ROWS rows; when
 * the reactor has all of them, timers wait, and the one it hands back wakes the writer.
 */
#include "broker/journal/writer.h"

#include <errno.h>

static int append_summary(
	struct journal *journal, struct batch *batch, const struct items_decision *decision)
{
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_REFUSALS_SUMMED,
		.decision = decision->decision,
	};
	return decision->append ? batch_append(journal, batch, &entry, NULL) : 0;
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
	tick->effects = rules->effects;
	return 0;
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
