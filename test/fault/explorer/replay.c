/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Promise 10: whoever has the journal can compute the queues. Every journal that the search writes is
 * replayed once from nothing, with nothing but its entries and their batch times, and must give the
 * decisions and the tables that are on disk. Left out is what is volatile by design: outcomes waiting
 * to be confirmed, and refusals being counted.
 */
#include "test/fault/explorer/world.h"

struct replay {
	struct lab *lab;
	struct state_memory *memory;
	struct rules rules;
	struct tick_cursor cursor;
	uint32_t journal;
};

static void tick(struct replay *replay, uint32_t batch)
{
	struct items_decision decision;
	int handled;
	replay->rules.batch_ms = lab_time(batch);
	do {
		handled = rules_tick(&replay->rules, 64, &replay->cursor, &decision);
		lab_must(handled >= 0, "rules_tick() failed in replay");
	} while (handled > 0);
}

static bool replay_submit(struct replay *replay, const struct world_entry *entry)
{
	struct submit_decision d;
	bool accepted = entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED;
	lab_must(rules_submit(&replay->rules, replay->lab->facts[entry->message], &d) == 0,
		"rules_submit() failed in replay");
	return d.append && d.result == (accepted ? SUBMIT_ACCEPTED : SUBMIT_REFUSED);
}

static bool replay_acks(struct replay *replay, const struct world_entry *entry)
{
	const struct lab *lab = replay->lab;
	struct fixture_ack acks[WORLD_LEGS];
	struct ack_decision d;
	for (size_t i = 0; i < entry->count; i++) {
		uint8_t leg = entry->items[i].leg, message = lab->scenario->legs[leg].message;
		acks[i].sequence = (uint64_t)lab_sequence(lab, replay->journal, message);
		acks[i].h = lab->facts[message]->h;
		acks[i].rejected = lab->scenario->legs[leg].rejects;
	}
	struct rules_fixture fixture = lab->fixture;
	fixture.arena = lab->scratch;
	struct ack_facts *facts = rules_fixture_acks(
		&fixture, lab->scenario->parties[entry->party], acks, entry->count);
	lab_must(rules_acknowledge(&replay->rules, facts, &d) == 0,
		"rules_acknowledge() failed in replay");
	for (size_t i = 0; i < entry->count; i++)
		if (d.verdicts[i] != (Dienstweg__AckVerdict)entry->items[i].verdict)
			return false;
	return d.append;
}

static struct rules_item item_of(const struct replay *replay, const struct world_entry *entry)
{
	const struct lab *lab = replay->lab;
	uint8_t leg = entry->items[0].leg;
	return (struct rules_item){.party = lab->numbers[lab->recipients[leg]],
		.sequence = (uint64_t)lab_sequence(
			lab, replay->journal, lab->scenario->legs[leg].message)};
}

static bool replay_leg(struct replay *replay, const struct world_entry *entry)
{
	uint32_t due = entry->items[0].due;
	struct items_decision d;
	struct place place;
	struct rules_item item = item_of(replay, entry);
	lab_must(place_find(replay->rules.state, &item, &place) == 0, "a place is damaged");
	item.counted = entry->items[0].strikes > place.row.strikes;
	if (entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_DEAD) {
		lab_must(rules_bury(&replay->rules, &item, 1, "nak", &d) == 0,
			"rules_bury() failed in replay");
		return d.append && d.decision->affected[0]->strikes == entry->items[0].strikes;
	}
	if (entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED) {
		lab_must(rules_expire(&replay->rules, &item, 1, &d) == 0, "no expiry in replay");
		return d.append;
	}
	lab_must(rules_fail(&replay->rules, &item, 1, "session-lost", due ? due - entry->batch : 0,
			 false, &d) == 0,
		"rules_fail() failed in replay");
	return d.append && d.decision->affected[0]->attempts == entry->items[0].attempts &&
	       d.decision->affected[0]->strikes == entry->items[0].strikes &&
	       d.decision->affected[0]->due_ms == (due ? lab_time(due) : 0);
}

static bool replay_order(struct replay *replay, const struct world_entry *entry)
{
	const struct queue_act act = {.account = 1000};
	struct rules_item item = item_of(replay, entry);
	struct items_decision d;
	int r;
	if (entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED)
		r = rules_retry(&replay->rules, &item, 1, &act, &d);
	else if (entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED)
		r = rules_discard(&replay->rules, &item, 1, &act, &d);
	else
		r = rules_hold_items(&replay->rules, &item, 1, &act,
			entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_HELD, &d);
	lab_must(r == 0, "an order failed in replay");
	return d.append && d.decision->affected[0]->attempts == entry->items[0].attempts;
}

static bool replay_queue(struct replay *replay, const struct world_entry *entry)
{
	const struct lab *lab = replay->lab;
	struct queue_act act = {.account = 1000};
	struct items_decision d;
	if (entry->party)
		act.party = BYTES_STR(lab->scenario->parties[entry->party - 1]);
	else
		act.service = BYTES_PB(lab->facts[entry->message]->header->service);
	lab_must(rules_hold_queue(&replay->rules, &act,
			 entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_HELD, &d) == 0,
		"rules_hold_queue() failed in replay");
	return d.append;
}

static bool replay_cancel(struct replay *replay, const struct world_entry *entry)
{
	struct rules_item item = item_of(replay, entry);
	struct cancel_decision d;
	lab_must(rules_cancel(&replay->rules, lab_cancel_facts(replay->lab, entry->items[0].leg),
			 &item, 1, &d) == 0,
		"rules_cancel() failed in replay");
	return d.append && d.decision->affected[0]->attempts == entry->items[0].attempts;
}

static bool replay_legal(struct replay *replay, const struct world_entry *entry)
{
	struct case_act act = {.account = 1000};
	struct items_decision d;
	memcpy(act.case_id, replay->lab->facts[entry->message]->header->case_id.data, CASE_ID_BYTES);
	lab_must(rules_hold(&replay->rules, &act,
			 entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD, &d) == 0,
		"rules_hold() failed in replay");
	return d.append;
}

static bool replay_reminder(struct replay *replay, const struct world_entry *entry)
{
	struct items_decision d;
	uint64_t due_ms = lab_time(entry->items[0].due);
	int sequence = lab_sequence(replay->lab, replay->journal, 0);
	struct rules_item item = {.sequence = (uint64_t)sequence, .due_ms = due_ms};
	lab_must(waits_decide(&replay->rules, &item, (Dienstweg__EntryKind)entry->kind, &d) == 0,
		"a reminder failed in replay");
	return d.append && d.decision->affected[0]->due_ms == due_ms;
}

static bool replay_entry(struct replay *replay, const struct world_entry *entry)
{
	arena_reset(replay->lab->scratch);
	tick(replay, entry->batch);
	switch (entry->kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return replay_submit(replay, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		return replay_acks(replay, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DEAD:
		return replay_leg(replay, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_HELD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED:
		return entry->count ? replay_order(replay, entry) : replay_queue(replay, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
		return replay_order(replay, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		return replay_cancel(replay, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON:
		return replay_reminder(replay, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_RELEASE:
		return replay_legal(replay, entry);
	default:
		return true; /* refusals summed up, a clock that was set: taken as it stands */
	}
}

static void remove_rows(
	struct state *state, enum state_table table, bool (*is_volatile)(struct bytes key))
{
	uint8_t from[128] = {};
	size_t len = 1;
	struct bytes key, value;
	while (state_seek(state, table, BYTES(from, len), &key, &value) == 0) {
		lab_must(key.len < sizeof(from), "a key is too long");
		memcpy(from, key.data, key.len);
		from[key.len] = 0;
		len = key.len + 1;
		if (is_volatile(key))
			lab_must(state_del(state, table, BYTES(from, len - 1)) == 0, "not gone");
	}
}

static bool is_outcome(struct bytes key)
{
	return key.len == QUEUE_KEY_SIZE && key.data[4] == LANE_OUTCOME;
}

static bool is_summary(struct bytes key)
{
	return key.len == TIMER_KEY_SIZE && key.data[20] == TIMER_SUMMARY;
}

static bool is_refusal_count(struct bytes key)
{
	return key.data[0] == COUNTER_REFUSALS;
}

static struct state_memory *lasting(const struct lab *lab, const struct state_memory *memory)
{
	struct state_memory *copy;
	lab_must(state_memory_copy(memory, &copy) == 0, "out of memory");
	remove_rows(state_memory_state(copy), STATE_QUEUE, is_outcome);
	remove_rows(state_memory_state(copy), STATE_TIMER, is_summary);
	remove_rows(state_memory_state(copy), STATE_COUNTER, is_refusal_count);
	return copy;
}

static void compare(struct replay *replay, const struct world *world)
{
	struct lab *lab = replay->lab;
	enum state_table table;
	_cleanup_(state_memory_free) struct state_memory *ours = lasting(lab, replay->memory);
	_cleanup_(state_memory_free) struct state_memory *theirs = lasting(
		lab, lab->snapshots[world->durable - 1]);
	if (state_memory_compare(ours, theirs, &table) != 0)
		lab_violate(lab, "replay gives another state in table %d", table);
}

void replay_check(struct lab *lab, const struct world *world)
{
	uint32_t known[] = {world->durable, world->journal, world->batch};
	bool is_new;
	digests_add(lab->replayed, BYTES(known, sizeof(known)), &is_new);
	if (!is_new)
		return;
	struct replay replay = {.lab = lab, .journal = world->journal};
	lab_must(state_memory_copy(lab->fixture.memory, &replay.memory) == 0, "out of memory");
	_cleanup_(state_memory_free) struct state_memory *owned = replay.memory;
	replay.rules = (struct rules){.version = RULES_VERSION,
		.state = state_memory_state(owned),
		.registry = lab->fixture.registry,
		.limits = &lab->fixture.limits,
		.arena = lab->scratch};
	size_t count = lab_entries(lab, world->journal);
	for (size_t i = 0; i < count; i++) {
		replay.rules.effects = NULL;
		replay.rules.sequence = i;
		if (!replay_entry(&replay, lab_entry(lab, world->journal, i))) {
			lab_violate(lab, "replay decides entry %zu differently", i);
			return;
		}
	}
	arena_reset(lab->scratch);
	replay.rules.effects = NULL;
	replay.rules.sequence = count;
	tick(&replay, world->batch);
	compare(&replay, world);
}
