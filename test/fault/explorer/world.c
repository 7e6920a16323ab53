/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * States of the tables and journals are kept once and named by number, so that a world is some 260 bytes
 * however long its journal: the search holds hundreds of thousands of them.
 */
#include "test/fault/explorer/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCRATCH_BUDGET = 1 << 20 };

void lab_must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "the explorer's model is wrong: %s\n", what);
	abort();
}

void lab_violate(struct lab *lab, const char *format, ...)
{
	va_list args;
	if (lab->violation[0])
		return;
	va_start(args, format);
	vsnprintf(lab->violation, sizeof(lab->violation), format, args);
	va_end(args);
}

/* ---- what worlds share ---- */

/* Room for one more at @count, when @count is a power of two that fills the array. */
static void *grown(void *array, uint32_t count, size_t size)
{
	if (count < 16 ? count != 0 : (count & (count - 1)) != 0)
		return array;
	array = realloc(array, (count ? (size_t)count * 2 : 16) * size);
	lab_must(array, "out of memory");
	return array;
}

uint32_t lab_keep(struct lab *lab, struct state_memory *memory)
{
	uint8_t digest[32];
	bool is_new;
	state_memory_digest(memory, digest);
	uint32_t number = digests_add(lab->snapshot_numbers, BYTES(digest, 32), &is_new);
	if (!is_new) {
		state_memory_free(memory);
		return number + 1;
	}
	lab->snapshots = grown(lab->snapshots, number, sizeof(*lab->snapshots));
	lab->snapshots[number] = memory;
	return number + 1;
}

uint32_t lab_append(struct lab *lab, const struct world_entry *entry)
{
	bool is_new;
	uint32_t number = digests_add(lab->entry_numbers, BYTES(entry, sizeof(*entry)), &is_new);
	if (is_new) {
		lab->entries = grown(lab->entries, number, sizeof(*lab->entries));
		lab->entries[number] = *entry;
	}
	return number + 1;
}

size_t lab_entries(const struct lab *lab, uint32_t newest)
{
	size_t count = 0;
	for (; newest != 0; newest = lab->entries[newest - 1].parent)
		count++;
	return count;
}

const struct world_entry *lab_entry(const struct lab *lab, uint32_t newest, size_t sequence)
{
	size_t count = lab_entries(lab, newest);
	if (sequence >= count)
		return NULL;
	for (; count > sequence + 1; count--)
		newest = lab->entries[newest - 1].parent;
	return &lab->entries[newest - 1];
}

int lab_sequence(const struct lab *lab, uint32_t newest, uint8_t message)
{
	int sequence = (int)lab_entries(lab, newest) - 1;
	for (; newest != 0; newest = lab->entries[newest - 1].parent, sequence--) {
		const struct world_entry *entry = &lab->entries[newest - 1];
		if (entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED && entry->message == message)
			return sequence;
	}
	return -1;
}

struct place lab_place(const struct lab *lab, uint32_t snapshot, uint32_t newest, size_t leg)
{
	struct place place = {.where = PLACE_NONE};
	int sequence = lab_sequence(lab, newest, lab->scenario->legs[leg].message);
	if (sequence < 0)
		return place;
	struct rules_item item = {lab->numbers[lab->recipients[leg]], (uint64_t)sequence};
	lab_must(place_find(state_memory_state(lab->snapshots[snapshot - 1]), &item, &place) == 0,
		"a place is damaged");
	return place;
}

uint8_t lab_end(const struct lab *lab, uint32_t snapshot, uint32_t newest, size_t leg)
{
	uint8_t key[END_KEY_SIZE];
	struct bytes value;
	struct end_row row;
	int sequence = lab_sequence(lab, newest, lab->scenario->legs[leg].message);
	if (sequence < 0)
		return 0;
	end_key_encode((uint64_t)sequence, lab->numbers[lab->recipients[leg]], key);
	if (state_get(state_memory_state(lab->snapshots[snapshot - 1]), STATE_END,
		    BYTES(key, sizeof(key)), &value) != 0)
		return 0;
	lab_must(end_row_decode(value, &row) == 0, "an end is damaged");
	return end_state_is_end(row.state) ? row.state : 0;
}

uint8_t lab_end_by(const struct lab *lab, const struct world_entry *entry, size_t item)
{
	if (entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED)
		return END_EXPIRED;
	if (entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED)
		return END_DISCARDED;
	if (entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED)
		return END_CANCELLED;
	if (entry->kind != DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED ||
		entry->items[item].verdict != DIENSTWEG__ACK_VERDICT__ACK_CLOSED)
		return 0;
	return lab->scenario->legs[entry->items[item].leg].rejects ? END_REJECTED : END_ACCEPTED;
}

uint32_t lab_now(const struct world *world)
{
	return world->batch > world->now ? world->batch : world->now;
}

bool lab_is_held(const struct lab *lab, uint32_t snapshot, uint8_t message)
{
	struct bytes value;
	return state_get(state_memory_state(lab->snapshots[snapshot - 1]), STATE_HOLD,
		       BYTES_PB(lab->facts[message]->header->case_id), &value) == 0;
}

bool lab_rests(const struct lab *lab, uint32_t snapshot, uint8_t party)
{
	uint8_t key[HOLD_PARTY_SIZE];
	struct bytes value;
	hold_party_key_encode(lab->numbers[party], key);
	return state_get(state_memory_state(lab->snapshots[snapshot - 1]), STATE_HOLD,
		       BYTES(key, sizeof(key)), &value) == 0;
}

bool lab_is_held_back(const struct lab *lab, const struct world *world, size_t leg)
{
	static const uint8_t first[1] = {0};
	struct state *state = state_memory_state(lab->snapshots[world->durable - 1]);
	struct bytes key, value;
	bool back;
	if (state_seek(state, STATE_ORDER, BYTES(first, 1), &key, &value) != 0)
		return false;
	struct place place = lab_place(lab, world->durable, world->journal, leg);
	if (place.where != PLACE_QUEUE)
		return false;
	struct rules_item item = {lab->numbers[lab->recipients[leg]],
		(uint64_t)lab_sequence(lab, world->journal, lab->scenario->legs[leg].message)};
	lab_must(place_is_held_back(state, &item, place.lane, &place.row, &back) == 0,
		"the order is damaged");
	return back;
}

bool lab_has_earlier(const struct lab *lab, const struct world *world, size_t leg)
{
	const struct scenario *scenario = lab->scenario;
	uint8_t message = scenario->legs[leg].message;
	int sequence = lab_sequence(lab, world->journal, message);
	for (size_t i = 0; i < lab->legs_count; i++) {
		uint8_t other = scenario->legs[i].message;
		int earlier = lab_sequence(lab, world->journal, other);
		if (lab->recipients[i] != lab->recipients[leg] ||
			lab->senders[other] != lab->senders[message] ||
			!bytes_equal(BYTES_PB(lab->facts[other]->header->case_id),
				BYTES_PB(lab->facts[message]->header->case_id)) ||
			lab->facts[other]->header->priority != lab->facts[message]->header->priority ||
			earlier < 0 || earlier >= sequence)
			continue;
		enum place_where where = lab_place(lab, world->durable, world->journal, i).where;
		if (where == PLACE_TIMER || where == PLACE_HELD)
			return true;
	}
	return false;
}

uint64_t lab_time(uint32_t ms)
{
	return FIXTURE_NOW_MS + ms;
}

/* ---- begin and end ---- */

static uint8_t party_of(const struct lab *lab, const char *name)
{
	for (uint8_t i = 0; i < lab->parties_count; i++)
		if (strcmp(lab->scenario->parties[i], name) == 0)
			return i;
	lab_must(false, "the scenario names a party that it does not have");
	return 0;
}

void lab_init(struct lab *lab, const struct scenario *scenario, enum breakage breakage)
{
	*lab = (struct lab){.scenario = scenario, .breakage = breakage};
	rules_fixture_init(&lab->fixture);
	waits_prepare(lab);
	lab->fixture.limits.attempts_max = scenario->attempts;
	lab->scratch = arena_new(SCRATCH_BUDGET);
	lab_must(lab->scratch, "out of memory");
	lab->snapshot_numbers = digests_new();
	lab->entry_numbers = digests_new();
	lab->replayed = digests_new();
	for (; lab->parties_count < WORLD_PARTIES && scenario->parties[lab->parties_count];)
		lab->parties_count++;
	for (size_t i = 0; i < lab->parties_count; i++)
		lab->numbers[i] = rules_fixture_number(&lab->fixture, scenario->parties[i]);
	for (size_t i = 0; i < WORLD_MESSAGES; i++) {
		struct fixture_message message = scenario->messages[i];
		const char *sender = message.sender;
		if (scenario->waits && i == 1)
			message.in_reply_to = lab->facts[0]->h;
		lab->senders[i] = party_of(lab, sender ? sender : "city");
		lab->facts[i] = rules_fixture_message(&lab->fixture, &message);
	}
	for (; lab->legs_count < WORLD_LEGS && scenario->legs[lab->legs_count].to; lab->legs_count++)
		lab->recipients[lab->legs_count] = party_of(lab, scenario->legs[lab->legs_count].to);
}

void lab_deinit(struct lab *lab)
{
	for (uint32_t i = 0; i < digests_count(lab->snapshot_numbers); i++)
		state_memory_free(lab->snapshots[i]);
	free(lab->snapshots);
	free(lab->entries);
	digests_free(lab->snapshot_numbers);
	digests_free(lab->entry_numbers);
	digests_free(lab->replayed);
	arena_free(lab->scratch);
	rules_fixture_deinit(&lab->fixture);
}

struct world lab_begin(struct lab *lab)
{
	struct world world;
	struct state_memory *memory;
	memset(&world, 0, sizeof(world));
	lab_must(state_memory_copy(lab->fixture.memory, &memory) == 0, "out of memory");
	world.durable = lab_keep(lab, memory);
	world.session = 1;
	return world;
}

bool lab_is_done(const struct lab *lab, const struct world *world)
{
	if (world->open != 0)
		return false;
	for (size_t i = 0; i < lab_subjects(lab, ACTION_SUBMIT); i++)
		if (world->messages[i].known == ANSWER_NONE &&
			waits_may_submit(lab, world, (uint8_t)i))
			return false;
	for (size_t i = 0; i < lab->legs_count; i++) {
		const struct world_leg *leg = &world->legs[i];
		if (world->messages[lab->scenario->legs[i].message].known == ANSWER_RECEIPT &&
			(leg->told == 0 || (leg->handed != 0 && !leg->done)))
			return false;
	}
	for (size_t i = 0; i < lab->parties_count; i++) {
		uint8_t from[QUEUE_KEY_SIZE], lane;
		struct bytes key, value;
		uint32_t party;
		uint64_t sequence;
		queue_key_encode(lab->numbers[i], 0, 0, from);
		if (state_seek(state_memory_state(lab->snapshots[world->durable - 1]), STATE_QUEUE,
			    BYTES(from, sizeof(from)), &key, &value) == 0 &&
			queue_key_decode(key, &party, &lane, &sequence) == 0 &&
			party == lab->numbers[i])
			return false;
	}
	return waits_is_done(lab, world);
}

/* Is the first row from here on (in a table on disk) before @limit? */
static bool has_row_before(const struct lab *lab, const struct world *world, enum state_table table,
	struct bytes from, struct bytes limit)
{
	struct bytes key, value;
	return state_seek(state_memory_state(lab->snapshots[world->durable - 1]), table, from, &key,
		       &value) == 0 &&
	       bytes_compare(key, limit) < 0;
}

/* Forget what can no longer matter, so that worlds that are the same look the same. */
static void tidy(const struct lab *lab, struct world *world)
{
	uint8_t from[QUEUE_KEY_SIZE], limit[QUEUE_KEY_SIZE];
	for (size_t i = 0; i < lab->parties_count; i++) {
		struct bytes first = BYTES(from, sizeof(from)), last = BYTES(limit, sizeof(limit));
		queue_key_encode(lab->numbers[i], LANE_OUTCOME, 0, from);
		queue_key_encode(lab->numbers[i], LANE_OUTCOME, world->outcome_next[i], limit);
		if (!has_row_before(lab, world, STATE_QUEUE, first, last))
			world->outcome_next[i] = 0;
		queue_key_encode(lab->numbers[i], LANE_OUTCOME, world->confirm_pending[i], limit);
		if (!has_row_before(lab, world, STATE_QUEUE, first, last))
			world->confirm_pending[i] = 0;
	}
	uint8_t after[TIMER_KEY_SIZE + 1] = {};
	memcpy(after, world->cursor, TIMER_KEY_SIZE);
	if (!has_row_before(lab, world, STATE_TIMER, BYTES(after + TIMER_KEY_SIZE, 1),
		    BYTES(after, sizeof(after)))) {
		memset(world->cursor, 0, sizeof(world->cursor));
		world->cursor_set = 0;
	}
}

/* ---- actions ---- */

static const struct {
	const char *name;
	enum { OF_MESSAGE, OF_LEG, OF_PARTY, OF_TWO, OF_NOTHING } subject;
	bool (*step)(struct lab *lab, struct world *world, struct action action);
} actions[ACTION_KINDS] = {
	[ACTION_RECEIVE] = {"inbox takes and acknowledges leg", OF_LEG, adapter_step},
	[ACTION_RECEIVE_NAK] = {"inbox naks leg", OF_LEG, adapter_step},
	[ACTION_ACK_AGAIN] = {"inbox acknowledges again leg", OF_LEG, adapter_step},
	[ACTION_TAKE_OUTCOME] = {"outbox takes outcome, party", OF_PARTY, adapter_step},
	[ACTION_DELIVER] = {"reactor delivers leg", OF_LEG, reactor_step},
	[ACTION_REACT_ACK] = {"reactor ends lease by ack, leg", OF_LEG, reactor_step},
	[ACTION_REACT_NAK] = {"reactor ends lease by nak, leg", OF_LEG, reactor_step},
	[ACTION_PUSH_EXPIRE] = {"reactor lets expire leg", OF_LEG, reactor_step},
	[ACTION_SEND_OUTCOME] = {"reactor sends outcome, party", OF_PARTY, reactor_step},
	[ACTION_SUBMIT] = {"rules: submit message", OF_MESSAGE, journal_step},
	[ACTION_ACKNOWLEDGE] = {"rules: acknowledge leg", OF_LEG, journal_step},
	[ACTION_ACKNOWLEDGE_ALL] = {"rules: acknowledge all of party", OF_PARTY, journal_step},
	[ACTION_FAIL] = {"rules: fail leg", OF_LEG, journal_step},
	[ACTION_EXPIRE] = {"rules: expire leg", OF_LEG, journal_step},
	[ACTION_CONFIRM] = {"rules: confirm, party", OF_PARTY, journal_step},
	[ACTION_TICK] = {"rules: tick", OF_NOTHING, journal_step},
	[ACTION_LEGAL] = {"rules: legal hold or release, message", OF_MESSAGE, journal_step},
	[ACTION_RETRY] = {"rules: retry leg", OF_LEG, orders_step},
	[ACTION_DISCARD] = {"rules: discard leg", OF_LEG, orders_step},
	[ACTION_HOLD] = {"rules: hold leg", OF_LEG, orders_step},
	[ACTION_RELEASE] = {"rules: release leg", OF_LEG, orders_step},
	[ACTION_HOLD_QUEUE] = {"rules: hold queue of party", OF_PARTY, orders_step},
	[ACTION_RELEASE_QUEUE] = {"rules: release queue of party", OF_PARTY, orders_step},
	[ACTION_HOLD_SERVICE] = {"rules: hold service of message", OF_MESSAGE, orders_step},
	[ACTION_RELEASE_SERVICE] = {"rules: release service of message", OF_MESSAGE, orders_step},
	[ACTION_CANCEL_LOOK] = {"rules: look for cancelling leg", OF_LEG, orders_step},
	[ACTION_CANCEL_KEEP] = {"reactor keeps back, or not, leg", OF_LEG, reactor_step},
	[ACTION_CANCEL] = {"rules: cancel leg", OF_LEG, orders_step},
	[ACTION_COMMIT] = {"commit", OF_NOTHING, journal_step},
	[ACTION_TIME] = {"time passes until something is due", OF_NOTHING, faults_step},
	[ACTION_CLOCK] = {"the clock is set, ahead or back", OF_TWO, faults_step},
	[ACTION_LOSE_SESSION] = {"session breaks and begins anew, party", OF_PARTY, faults_step},
	[ACTION_COMMIT_CRASH] = {"commit, and crash before anybody hears", OF_NOTHING, journal_step},
	[ACTION_CRASH] = {"crash", OF_NOTHING, faults_step},
};

bool lab_step(struct lab *lab, struct world *world, struct action action)
{
	if (!actions[action.kind].step(lab, world, action))
		return false;
	tidy(lab, world);
	return true;
}

size_t lab_subjects(const struct lab *lab, enum action_kind kind)
{
	switch (actions[kind].subject) {
	case OF_MESSAGE:
		return lab->scenario->alone ? 1 : WORLD_MESSAGES;
	case OF_LEG:
		return lab->legs_count;
	case OF_PARTY:
		return lab->parties_count;
	case OF_TWO:
		return 2;
	default:
		return 1;
	}
}

bool action_is_fault(enum action_kind kind)
{
	return kind == ACTION_RECEIVE_NAK || kind == ACTION_LOSE_SESSION || kind == ACTION_CRASH ||
	       kind == ACTION_COMMIT_CRASH || kind == ACTION_CLOCK || kind == ACTION_LEGAL ||
	       kind == ACTION_HOLD || kind == ACTION_HOLD_QUEUE || kind == ACTION_HOLD_SERVICE ||
	       kind == ACTION_CANCEL_LOOK;
}

const char *action_name(enum action_kind kind)
{
	return actions[kind].name;
}
