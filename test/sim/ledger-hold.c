/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What an operator holds counts from the moment that somebody can rely on it: the answer to the order, or the next start.
 * A delivery that leaves between the commit and that moment was on its way, and nobody was told otherwise.
 */
#include "test/sim/ledger-inside.h"

#include <inttypes.h>

#include "test/kit/check.h"

void ledger_held(
	struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient, bool held)
{
	struct leg *leg = ledger_leg_named(ledger, "a held message", message, recipient, NULL);
	if (!leg)
		return;
	if (leg->held == held || leg->end != 0 || (held && leg->dead))
		ledger_violate(ledger, "entry %" PRIu64 " %s message %" PRIu64 ", which %s", entry,
			held ? "holds" : "releases", message,
			leg->end != 0 ? "had ended"
			: leg->held   ? "is held"
			: held        ? "is dead"
				      : "is not held");
	ledger->held += held;
	ledger->held -= leg->held;
	leg->held = held;
	leg->held_by = entry;
	leg->delayed = true; /* others may have gone before it meanwhile */
}

static void hold_set(struct ledger *ledger, struct ledger_hold *hold, uint64_t entry, bool held)
{
	if (hold->held == held)
		ledger_violate(ledger, "entry %" PRIu64 " %s what %s held", entry,
			held ? "holds" : "releases", held ? "is" : "is not");
	*hold = (struct ledger_hold){.held = held, .by = entry};
}

void ledger_held_queue(struct ledger *ledger, uint64_t entry, uint8_t recipient, bool held)
{
	hold_set(ledger, &ledger->by_party[recipient].hold, entry, held);
}

void ledger_held_service(struct ledger *ledger, uint64_t entry, struct bytes service, bool held)
{
	hold_set(ledger, &ledger->services[ledger_service(ledger, service)].hold, entry, held);
}

void ledger_binds(struct ledger *ledger, uint64_t entries)
{
	if (entries > ledger->bound)
		ledger->bound = entries;
}

void ledger_check_hold(struct ledger *ledger, const struct leg *leg, uint64_t message)
{
	const struct ledger_hold *queue = &ledger->by_party[leg->recipient].hold;
	if ((leg->held && leg->held_by < ledger->bound) ||
		(queue->held && queue->by < ledger->bound))
		ledger_violate(ledger, "message %" PRIu64 " leaves for %s, and is held by %" PRIu64,
			message, ledger->parties[leg->recipient],
			leg->held ? leg->held_by : queue->by);
}

static bool is_at(const struct leg *leg, enum ledger_place place)
{
	switch (place) {
	case LEDGER_DEAD:
		return leg->dead;
	case LEDGER_HELD:
		return leg->held;
	default:
		return leg->end == 0 && !leg->dead && !leg->held;
	}
}

bool ledger_next(
	const struct ledger *ledger, enum ledger_place place, uint64_t *message, uint8_t *recipient)
{
	for (; *message < ledger->count; ++*message, *recipient = 0) {
		const struct ledger_entry *entry = &ledger->entries[*message];
		for (size_t i = 0; i < entry->legs_count; i++)
			if (is_at(&entry->legs[i], place) && entry->legs[i].recipient >= *recipient) {
				*recipient = entry->legs[i].recipient;
				return true;
			}
	}
	return false;
}
