/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a sender waits for beyond the acknowledgement: the answer to an enquiry, the reply to a submission. Message 1
 * is that word, sent by who has message 0, whenever it may be; message 0 has a service that gives a time for it. What
 * may be said when is asked of the journal alone, entry by entry.
 */
#include "test/fault/explorer/world.h"

enum { ANSWER_MS = 2000, OVERDUE_MS = 1500, DUE_SOON_MS = 500 };

void waits_prepare(struct lab *lab)
{
	struct registry_fixture *parties = lab->fixture.parties;
	if (lab->scenario->waits == WAITS_FOR_NOTHING)
		return;
	Dienstweg__Service *service = registry_fixture_service(parties, "question");
	service->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	service->answer_s = ANSWER_MS / 1000;
	service->pending_max = 1;
	Dienstweg__Agreement *a = registry_fixture_agreement(parties, "e-waits", "2021-07-01", NULL);
	registry_fixture_flow(parties, a, "question", "city", "jobcenter", NULL);
	service = registry_fixture_service(parties, "referral");
	service->overdue_ms = OVERDUE_MS;
	service->due_soon_ms = DUE_SOON_MS;
	registry_fixture_flow(parties, a, "referral", "city", "jobcenter", NULL);
	registry_fixture_flow(parties, a, "referral", "jobcenter", "city", NULL);
	rules_fixture_adopt(&lab->fixture);
}

bool waits_may_submit(const struct lab *lab, const struct world *world, uint8_t message)
{
	return lab->scenario->waits == WAITS_FOR_NOTHING || message == 0 ||
	       world->legs[0].handed != 0;
}

/* ---- what the tick announces is said in the same transaction ---- */

static bool is_of(const struct effect *effect, Dienstweg__EntryKind kind)
{
	return effect->type ==
	       (kind == DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON ? EFFECT_DUE_SOON : EFFECT_OVERDUE);
}

int waits_decide(struct rules *rules, const struct rules_item *item, Dienstweg__EntryKind kind,
	struct items_decision *ret)
{
	return kind == DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON ? rules_warn(rules, item, 1, ret)
							     : rules_remind(rules, item, 1, ret);
}

static void say_all(struct lab *lab, struct world *world, struct txn *txn, Dienstweg__EntryKind kind)
{
	for (const struct effect *effect = txn->rules.effects; effect; effect = effect->next) {
		struct rules_item item = {.sequence = effect->sequence, .due_ms = effect->due_ms};
		struct items_decision d;
		if (!is_of(effect, kind))
			continue;
		lab_must(waits_decide(&txn->rules, &item, kind, &d) == 0, "a reminder failed");
		if (!d.append) {
			lab_violate(lab, "a reminder was announced, and is none");
			continue;
		}
		struct world_entry entry = txn_entry(lab, world, kind);
		entry.count = 1;
		entry.items[0].due = (uint32_t)(effect->due_ms - FIXTURE_NOW_MS);
		txn_append(lab, world, txn, &entry);
	}
}

void waits_say(struct lab *lab, struct world *world, struct txn *txn)
{
	if (lab->breakage == BREAK_REMINDER_DROPPED)
		return;
	say_all(lab, world, txn, DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON);
	say_all(lab, world, txn, DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE);
}

uint8_t waits_word_by(const struct lab *lab, const struct world_entry *entry, size_t item)
{
	if (entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE)
		return END_OVERDUE;
	return entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON ? END_DUE_SOON
								    : lab_end_by(lab, entry, item);
}

/* ---- promises ---- */

/* What the entries so far say of message 0. */
struct story {
	bool recorded, ended, replied, warned, overdue;
	uint32_t began;
};

static void hear_reply(struct lab *lab, const struct world_entry *entry, struct story *story)
{
	bool accepted = entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED;
	bool counts = story->recorded && !story->replied && !story->ended &&
		      entry->batch < story->began + ANSWER_MS;
	if (lab->scenario->waits == WAITS_FOR_ANSWER && accepted != counts)
		lab_violate(lab, "an answer was %s",
			accepted ? "taken that does not count" : "refused that counts");
	story->replied |= accepted;
}

static void hear_reminder(struct lab *lab, const struct world_entry *entry, struct story *story)
{
	bool warning = entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON;
	uint32_t due = story->began + OVERDUE_MS - (warning ? DUE_SOON_MS : 0);
	if (lab->scenario->waits != WAITS_FOR_REPLY || !story->recorded || story->replied ||
		story->ended || story->overdue || (warning && story->warned))
		lab_violate(lab, "a sender is told that nobody replied, once too often");
	if (entry->batch < due || (warning && entry->batch >= story->began + OVERDUE_MS))
		lab_violate(lab, "a sender is told that nobody replied, at the wrong time");
	story->warned |= warning;
	story->overdue |= !warning;
}

static void hear_end(struct lab *lab, const struct world_entry *entry, struct story *story)
{
	for (size_t i = 0; i < entry->count; i++) {
		uint8_t end = lab_end_by(lab, entry, i);
		if (entry->items[i].leg != 0 || end == 0)
			continue;
		if (end == END_EXPIRED && lab->scenario->waits == WAITS_FOR_ANSWER &&
			entry->batch < story->began + ANSWER_MS)
			lab_violate(lab, "an enquiry expired early");
		story->ended |= end != END_ACCEPTED;
	}
}

static void hear(struct lab *lab, const struct world_entry *entry, struct story *story)
{
	/* Whatever is decided from then on comes after the reminder. */
	if (lab->scenario->waits == WAITS_FOR_REPLY && story->recorded && !story->replied &&
		!story->ended && !story->overdue && entry->batch >= story->began + OVERDUE_MS &&
		entry->kind != DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE &&
		entry->kind != DIENSTWEG__ENTRY_KIND__ENTRY_CLOCK_STEP)
		lab_violate(lab, "nobody replied in time, and nobody is told");
	switch (entry->kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		if (entry->message == 1) {
			hear_reply(lab, entry, story);
			return;
		}
		story->recorded = entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED;
		story->began = entry->batch;
		return;
	case DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON:
	case DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE:
		hear_reminder(lab, entry, story);
		return;
	default:
		hear_end(lab, entry, story);
	}
}

void waits_check(struct lab *lab, const struct world *world)
{
	struct story story = {};
	uint64_t late = 0;
	if (lab->scenario->waits == WAITS_FOR_NOTHING)
		return;
	size_t count = lab_entries(lab, world->journal);
	for (size_t i = 0; i < count; i++)
		hear(lab, lab_entry(lab, world->journal, i), &story);
	if (lab->scenario->waits == WAITS_FOR_REPLY && story.recorded && !story.replied &&
		!story.ended && world->batch >= story.began + OVERDUE_MS && !story.overdue)
		lab_violate(lab, "nobody replied in time, and nobody was told");
	/* What the operator is shown. */
	lab_must(asked_late(state_memory_state(lab->snapshots[world->durable - 1]),
			 lab->numbers[lab->recipients[0]], &late) == 0,
		"a count is damaged");
	if (late > 1 || (late == 1 && (!story.overdue || story.replied || story.ended)))
		lab_violate(lab, "something is counted as overdue that is not");
}

bool waits_is_done(const struct lab *lab, const struct world *world)
{
	for (uint32_t at = world->journal; at != 0; at = lab->entries[at - 1].parent) {
		uint8_t kind = lab->entries[at - 1].kind;
		if ((kind == DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON && !world->messages[0].warned) ||
			(kind == DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE &&
				!world->messages[0].reminded))
			return false;
	}
	return true;
}
