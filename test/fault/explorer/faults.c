/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What the world does to the broker: time, broken connections, power cuts. A crash keeps what is on disk
 * and at the adapters, and nothing else.
 */
#include "test/fault/explorer/world.h"

enum { CLOCK_LEAP_MS = 5000 /* behind everything that is due in a scenario */ };

bool lab_spend(const struct lab *lab, struct world *world, int kind)
{
	if (world->edge[kind] >= lab->scenario->budget[kind])
		return false;
	world->edge[kind]++;
	return true;
}

/* Frames of a connection go with it, and so does what both ends know of the session. */
static void forget_frames(struct lab *lab, struct world *world, uint8_t party)
{
	for (size_t i = 0; i < WORLD_MESSAGES; i++) {
		struct world_message *message = &world->messages[i];
		if (lab->senders[i] != party)
			continue;
		message->sent = 0;
		message->decided = message->decided_at = 0;
	}
	for (size_t i = 0; i < lab->legs_count; i++) {
		struct world_leg *leg = &world->legs[i];
		if (lab->recipients[i] != party)
			continue;
		leg->deliver = leg->ack = leg->nak = leg->acknowledged = leg->orphan = 0;
		leg->ack_sent = 0;
		leg->ack_pending = leg->ack_pending ? 2 : 0;
		leg->ack_taken = leg->ack_taken ? 2 : 0;
	}
	world->outcome[party] = world->outcome_next[party] = 0;
}

static void end_leases(struct lab *lab, struct world *world, uint8_t party)
{
	struct rules_item items[WORLD_LEGS];
	struct lease_table *leases = leases_load(lab, world, party);
	size_t count = lease_end_session(leases, world->session, items, WORLD_LEGS);
	leases_store(lab, world, party, leases);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < lab->legs_count; j++)
			if (lab->recipients[j] == party &&
				lab_sequence(lab, world->journal, lab->scenario->legs[j].message) ==
					(int)items[i].sequence)
				world->legs[j].fail_pending = 1;
}

static bool lose_session(struct lab *lab, struct world *world, uint8_t party)
{
	if (party != lab->scenario->shaky || !lab_spend(lab, world, EDGE_LOSS))
		return false;
	forget_frames(lab, world, party);
	if (lab->breakage != BREAK_LEASE_LEAKED)
		end_leases(lab, world, party);
	world->session++;
	return true;
}

static void forget_order(struct lab *lab, struct state *state)
{
	struct bytes key, value;
	const uint8_t from[1] = {0};
	while (state_seek(state, STATE_ORDER, BYTES(from, 1), &key, &value) == 0) {
		uint8_t copy[ORDER_KEY_SIZE];
		lab_must(key.len == sizeof(copy), "a key of order is damaged");
		memcpy(copy, key.data, sizeof(copy));
		lab_must(state_del(state, STATE_ORDER, BYTES(copy, sizeof(copy))) == 0, "not gone");
	}
}

static void skew(struct lab *lab, struct world *world)
{
	struct state_memory *memory;
	uint8_t key[TOTAL_KEY_SIZE], value[TOTAL_ROW_SIZE];
	struct total_row row = {.first = 7};
	lab_must(state_memory_copy(lab->snapshots[world->durable - 1], &memory) == 0,
		"out of memory");
	struct state *state = state_memory_state(memory);
	total_key_encode(COUNTER_QUEUE, lab->numbers[lab->recipients[0]], key);
	total_row_encode(&row, value);
	if (lab->breakage == BREAK_TOTAL_SKEWED)
		lab_must(state_put(state, STATE_COUNTER, BYTES(key, sizeof(key)),
				 BYTES(value, sizeof(value))) == 0,
			"out of memory");
	for (size_t i = 0; i < WORLD_MESSAGES; i++) {
		uint8_t seen[SEEN_KEY_SIZE];
		seen_key_encode(lab->facts[i]->header->message_id.data,
			lab->numbers[lab->senders[i]], seen);
		if (lab->breakage == BREAK_SEEN_FORGOTTEN)
			(void)state_del(state, STATE_SEEN, BYTES(seen, sizeof(seen)));
		if (lab->breakage == BREAK_ORDER_FORGOTTEN)
			forget_order(lab, state);
		if (lab->breakage == BREAK_HOLD_FORGOTTEN)
			(void)state_del(state, STATE_HOLD, BYTES_PB(lab->facts[i]->header->case_id));
	}
	world->durable = lab_keep(lab, memory);
}

void world_crash(struct lab *lab, struct world *world)
{
	struct world after;
	memset(&after, 0, sizeof(after));
	after.durable = world->durable;
	after.journal = world->journal;
	after.now = world->now;
	after.batch = world->batch;
	memcpy(after.edge, world->edge, sizeof(after.edge));
	after.session = (uint8_t)(world->session + 1);
	for (size_t i = 0; i < WORLD_MESSAGES; i++) {
		after.messages[i].known = world->messages[i].known;
		after.messages[i].known_at = world->messages[i].known_at;
		after.messages[i].warned = world->messages[i].warned;
		after.messages[i].reminded = world->messages[i].reminded;
	}
	for (size_t i = 0; i < lab->legs_count; i++) {
		after.legs[i].handed = world->legs[i].handed;
		after.legs[i].done = world->legs[i].done;
		after.legs[i].delivered = world->legs[i].delivered;
		after.legs[i].told = world->legs[i].told;
	}
	*world = after;
	if (lab->breakage == BREAK_SEEN_FORGOTTEN || lab->breakage == BREAK_TOTAL_SKEWED ||
		lab->breakage == BREAK_HOLD_FORGOTTEN || lab->breakage == BREAK_ORDER_FORGOTTEN)
		skew(lab, world);
	reactor_start(lab, world);
}

static bool crash(struct lab *lab, struct world *world)
{
	if (!lab_spend(lab, world, EDGE_CRASH))
		return false;
	world_crash(lab, world);
	return true;
}

static bool pass_time(struct lab *lab, struct world *world)
{
	struct tick_cursor cursor = {.set = world->cursor_set};
	uint64_t due;
	memcpy(cursor.key, world->cursor, sizeof(cursor.key));
	lab_must(rules_next_due(state_memory_state(lab->snapshots[world->durable - 1]), &cursor,
			 &due) == 0,
		"rules_next_due() failed");
	if (due == UINT64_MAX || due <= lab_time(lab_now(world)))
		return false;
	/* Where the clock was set back, the journal's time goes on, only slower. */
	world->now = (uint32_t)(due - FIXTURE_NOW_MS);
	return true;
}

static bool set_clock(struct lab *lab, struct world *world, bool back)
{
	if ((back && world->now < CLOCK_LEAP_MS) || !lab_spend(lab, world, EDGE_CLOCK))
		return false;
	world->now += back ? -(uint32_t)CLOCK_LEAP_MS : CLOCK_LEAP_MS;
	world->clock_set = 1;
	return true;
}

bool faults_step(struct lab *lab, struct world *world, struct action action)
{
	switch (action.kind) {
	case ACTION_TIME:
		return pass_time(lab, world);
	case ACTION_CLOCK:
		return set_clock(lab, world, action.subject == 1);
	case ACTION_LOSE_SESSION:
		return lose_session(lab, world, action.subject);
	default: /* ACTION_CRASH */
		return crash(lab, world);
	}
}
