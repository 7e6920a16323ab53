/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The promises of the design (section 3) as questions to one world, or to two that follow each other. Asked
 * after every step, of what is on disk and of whatever anybody outside has been told.
 */
#include "test/fault/explorer/world.h"

#include "broker/routing/invariants.h"

/* Whoever has an answer: the entry it names is on disk and says the same (promises 1, 2, 4). */
static void check_answer(
	struct lab *lab, const struct world *world, uint8_t message, enum answer answer, uint8_t at)
{
	if (answer == ANSWER_NONE)
		return;
	const struct world_entry *entry = lab_entry(lab, world->journal, at);
	uint8_t kind = answer == ANSWER_RECEIPT ? DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED
						: DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED;
	if (!entry)
		lab_violate(lab, "message %u has an answer, but no entry on disk", message);
	else if (entry->kind != kind || entry->message != message)
		lab_violate(lab, "message %u has an answer that its entry does not give", message);
}

/* Nothing accepted is lost: it waits or has ended, for every recipient (promises 1, 6). */
static void check_kept(struct lab *lab, const struct world *world, size_t number)
{
	uint8_t message = lab->scenario->legs[number].message;
	if (world->messages[message].known != ANSWER_RECEIPT)
		return;
	if (lab_place(lab, world->durable, world->journal, number).where == PLACE_NONE)
		lab_violate(lab, "leg %zu of an accepted message is nowhere", number);
}

static void check_leg(struct lab *lab, const struct world *world, size_t number)
{
	const struct world_leg *leg = &world->legs[number];
	uint8_t end = lab_end(lab, world->durable, world->journal, number);
	check_kept(lab, world, number);
	if ((leg->deliver || leg->handed || leg->delivered) &&
		lab_sequence(lab, world->journal, lab->scenario->legs[number].message) < 0)
		lab_violate(lab, "leg %zu was delivered before its entry was on disk", number);
	if (leg->handed > 1)
		lab_violate(lab, "leg %zu was handed over twice", number);
	if ((leg->acknowledged || leg->done) && end == 0)
		lab_violate(lab, "leg %zu was acknowledged before its end was on disk", number);
	if (leg->told != 0 && leg->told != end)
		lab_violate(
			lab, "the sender was told an end of leg %zu that is not on disk", number);
	if (end == END_ACCEPTED && leg->handed == 0)
		lab_violate(lab, "leg %zu ended as accepted, but nobody has it", number);
	if (end == END_CANCELLED && leg->deliver != 0 && !leg->orphan)
		lab_violate(lab, "leg %zu was cancelled, and is on its way all the same", number);
	if (leg->lease == LEASE_OUT &&
		lab_place(lab, world->durable, world->journal, number).where != PLACE_QUEUE)
		lab_violate(lab, "leg %zu is leased, but not in the queue", number);
}

/* Delivery's view is the queue on disk. */
static void check_mirror(struct lab *lab, const struct world *world, size_t number)
{
	struct place place = lab_place(lab, world->durable, world->journal, number);
	uint8_t ready = place.where == PLACE_QUEUE ? (uint8_t)(place.row.attempts + 1) : 0;
	if (world->legs[number].ready != ready)
		lab_violate(lab, "delivery and queue disagree on leg %zu", number);
}

/* The rules know that an earlier one of the case waits exactly when one does. */
static void check_case(struct lab *lab, const struct world *world, size_t number)
{
	if (lab_place(lab, world->durable, world->journal, number).where == PLACE_QUEUE &&
		lab_is_held_back(lab, world, number) != lab_has_earlier(lab, world, number))
		lab_violate(lab, "leg %zu is %s, and should not be", number,
			lab_is_held_back(lab, world, number) ? "held back" : "not held back");
}

/* A case is under legal hold as the last entry about it says. */
static void check_legal(struct lab *lab, const struct world *world, uint8_t message)
{
	struct bytes id = BYTES_PB(lab->facts[message]->header->case_id);
	bool held = false;
	for (uint32_t at = world->journal; at != 0; at = lab->entries[at - 1].parent) {
		const struct world_entry *entry = &lab->entries[at - 1];
		bool hold = entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD;
		if ((!hold && entry->kind != DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_RELEASE) ||
			!bytes_equal(id, BYTES_PB(lab->facts[entry->message]->header->case_id)))
			continue;
		held = hold;
		break;
	}
	if (held != lab_is_held(lab, world->durable, message))
		lab_violate(lab,
			"the case of message %u is%s under legal hold, its entry says otherwise",
			message, held ? " not" : "");
}

/* Nobody's time is over before the journal's clock says so. */
static void check_expiry(struct lab *lab, const struct world_entry *entry)
{
	if (entry->kind != DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED)
		return;
	for (size_t i = 0; i < entry->count; i++) {
		uint8_t message = lab->scenario->legs[entry->items[i].leg].message;
		if (lab->facts[message]->header->expires_ms > lab_time(entry->batch))
			lab_violate(lab, "message %u expired early", message);
	}
}

static void check_disk(struct lab *lab, const struct world *before, const struct world *world)
{
	char why[200] = "";
	if (state_invariants(
		    state_memory_state(lab->snapshots[world->durable - 1]), why, sizeof(why)) != 0)
		lab_violate(lab, "the tables contradict each other: %s", why);
	for (uint8_t i = 0; i < WORLD_MESSAGES; i++)
		check_legal(lab, world, i);
	if (world->journal != 0)
		check_expiry(lab, &lab->entries[world->journal - 1]);
	for (size_t i = 0; i < lab->legs_count; i++) {
		uint8_t old = lab_end(lab, before->durable, before->journal, i);
		uint8_t new = lab_end(lab, world->durable, world->journal, i);
		if (old != 0 && old != new)
			lab_violate(lab, "leg %zu ended twice", i);
		check_case(lab, world, i);
		if (world->open == 0)
			check_mirror(lab, world, i);
	}
	waits_check(lab, world);
	replay_check(lab, world);
}

void lab_check(struct lab *lab, const struct world *before, const struct world *world)
{
	for (uint8_t i = 0; i < WORLD_MESSAGES; i++) {
		const struct world_message *message = &world->messages[i];
		check_answer(lab, world, i, (enum answer)message->known, message->known_at);
	}
	for (size_t i = 0; i < lab->legs_count; i++)
		check_leg(lab, world, i);
	if (before->durable != world->durable || before->journal != world->journal)
		check_disk(lab, before, world);
}
