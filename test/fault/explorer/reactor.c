/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The reactor's part: what is deliverable it knows from the effects of commits alone (and, after a start,
 * from the queue), and who has what it knows from the real leases. That its view equals the queue on
 * disk is one of the promises checked.
 */
#include "test/fault/explorer/world.h"

static uint64_t sequence_of(const struct lab *lab, const struct world *world, size_t leg)
{
	int sequence = lab_sequence(lab, world->open ? world->journal_open : world->journal,
		lab->scenario->legs[leg].message);
	lab_must(sequence >= 0, "a leg without a sequence is looked at");
	return (uint64_t)sequence;
}

/* ---- leases ---- */

struct lease_table *leases_load(const struct lab *lab, const struct world *world, uint8_t party)
{
	struct lease_table *leases;
	lab_must(lease_table_new(lab->numbers[party], WORLD_LEGS, &leases) == 0, "out of memory");
	for (size_t i = 0; i < lab->legs_count; i++) {
		const struct world_leg *leg = &world->legs[i];
		if (lab->recipients[i] != party || leg->lease == LEASE_FREE)
			continue;
		struct lease lease = {
			.sequence = sequence_of(lab, world, i), .session = world->session};
		lab_must(lease_take(leases, &lease) == 0, "a lease is taken twice");
		if (leg->lease == LEASE_SETTLING)
			lab_must(lease_end(leases, lease.sequence, lease.session,
					 LEASE_ACKNOWLEDGED, NULL) == 0,
				"a lease does not settle");
	}
	return leases;
}

void leases_store(
	const struct lab *lab, struct world *world, uint8_t party, struct lease_table *leases)
{
	uint32_t newest = world->open ? world->journal_open : world->journal;
	for (size_t i = 0; i < lab->legs_count; i++) {
		if (lab->recipients[i] != party ||
			lab_sequence(lab, newest, lab->scenario->legs[i].message) < 0)
			continue;
		world->legs[i].lease = (uint8_t)lease_holds(
			leases, sequence_of(lab, world, i), NULL);
	}
	lease_table_free(leases);
}

/* So that nothing goes out while an act about it is on its way. */
static void hold(struct lease_table *leases, uint64_t sequence)
{
	struct lease lease = {.sequence = sequence};
	if (lease_take(leases, &lease) == 0)
		lab_must(lease_end(leases, sequence, 0, LEASE_ACKNOWLEDGED, NULL) == 0,
			"a held lease does not settle");
}

/* ---- delivery ---- */

/* Whether an earlier one of its case waits is read from the journal, as the clerk does. */
static bool is_deliverable(const struct lab *lab, const struct world *world, size_t number)
{
	const struct world_leg *leg = &world->legs[number];
	/* What was held and released meanwhile comes behind the first delivery, and is recognised. */
	return leg->ready != 0 && leg->lease == LEASE_FREE && !leg->expire_due && !leg->deliver &&
	       !world->rests[lab->recipients[number]] && !lab_is_held_back(lab, world, number);
}

static uint32_t lane_of(const struct lab *lab, size_t leg)
{
	return lab->scenario->messages[lab->scenario->legs[leg].message].priority;
}

static bool is_next(const struct lab *lab, const struct world *world, size_t number)
{
	for (size_t i = 0; i < lab->legs_count; i++) {
		if (i == number || lab->recipients[i] != lab->recipients[number] ||
			lane_of(lab, i) != lane_of(lab, number) || !is_deliverable(lab, world, i))
			continue;
		bool earlier = sequence_of(lab, world, i) < sequence_of(lab, world, number);
		if (earlier != (lab->breakage == BREAK_NEWEST_FIRST))
			return false;
	}
	return true;
}

/* Of one sender, recipient and priority nothing is overtaken that was never on its way. */
static void check_order(struct lab *lab, const struct world *world, size_t number)
{
	const struct scenario *scenario = lab->scenario;
	for (size_t i = 0; i < lab->legs_count; i++) {
		if (i == number || world->legs[i].delivered ||
			lab->recipients[i] != lab->recipients[number] ||
			lab->senders[scenario->legs[i].message] !=
				lab->senders[scenario->legs[number].message] ||
			lane_of(lab, i) != lane_of(lab, number))
			continue;
		struct place place = lab_place(lab, world->durable, world->journal, i);
		if (place.where == PLACE_QUEUE && !world->legs[i].expire_due &&
			!world->legs[i].expire_pending && !world->legs[i].expire_taken &&
			world->legs[i].cancel < CANCEL_PENDING && !lab_has_earlier(lab, world, i) &&
			sequence_of(lab, world, i) < sequence_of(lab, world, number))
			lab_violate(lab, "a message overtook an earlier one of its sender");
	}
}

static bool deliver(struct lab *lab, struct world *world, size_t number)
{
	struct world_leg *leg = &world->legs[number];
	uint8_t party = lab->recipients[number], behind = 1;
	if (!is_deliverable(lab, world, number) || !is_next(lab, world, number))
		return false;
	if (lab_rests(lab, world->durable, party))
		lab_violate(lab, "leg %zu leaves a queue that is held", number);
	if (lab_has_earlier(lab, world, number))
		lab_violate(lab, "leg %zu overtakes an earlier one of its case", number);
	struct lease_table *leases = leases_load(lab, world, party);
	struct lease lease = {.sequence = sequence_of(lab, world, number),
		.session = world->session,
		.attempt = leg->ready};
	lab_must(lease_take(leases, &lease) == 0, "a free lease cannot be taken");
	leases_store(lab, world, party, leases);
	for (size_t i = 0; i < lab->legs_count; i++)
		behind += lab->recipients[i] == party && world->legs[i].deliver != 0;
	lab_must(leg->deliver == 0, "delivered twice in one session");
	leg->deliver = behind;
	if (!leg->delivered)
		check_order(lab, world, number);
	leg->delivered = 1;
	return true;
}

/* ---- answers of the recipient ---- */

static bool react_ack(struct lab *lab, struct world *world, size_t number)
{
	struct world_leg *leg = &world->legs[number];
	uint8_t party = lab->recipients[number];
	if (!leg->ack)
		return false;
	struct lease_table *leases = leases_load(lab, world, party);
	uint64_t sequence = sequence_of(lab, world, number);
	if (lease_end(leases, sequence, world->session, LEASE_ACKNOWLEDGED, NULL) == LEASE_NONE)
		hold(leases, sequence);
	leases_store(lab, world, party, leases);
	leg->ack = 0;
	leg->ack_pending = 1;
	return true;
}

static bool react_nak(struct lab *lab, struct world *world, size_t number)
{
	struct world_leg *leg = &world->legs[number];
	uint8_t party = lab->recipients[number];
	if (!leg->nak)
		return false;
	struct lease_table *leases = leases_load(lab, world, party);
	uint64_t sequence = sequence_of(lab, world, number);
	if (lease_end(leases, sequence, world->session, LEASE_NAKED, NULL) == 0)
		leg->fail_pending = 2;
	leases_store(lab, world, party, leases);
	leg->nak = 0;
	return true;
}

static bool push_expire(struct lab *lab, struct world *world, size_t number)
{
	struct world_leg *leg = &world->legs[number];
	uint8_t party = lab->recipients[number];
	if (!leg->expire_due || leg->lease == LEASE_OUT)
		return false;
	struct lease_table *leases = leases_load(lab, world, party);
	hold(leases, sequence_of(lab, world, number));
	leases_store(lab, world, party, leases);
	leg->expire_due = 0;
	leg->expire_pending = 1;
	return true;
}

/* Nobody has it, nobody is answering, and nothing goes out from here on; or it is under delivery. */
static bool cancel_keep(struct lab *lab, struct world *world, size_t number)
{
	struct world_leg *leg = &world->legs[number];
	if (leg->cancel != CANCEL_BACK)
		return false;
	if (leg->lease != LEASE_FREE && lab->breakage != BREAK_CANCEL_BLIND) {
		leg->cancel = CANCEL_NONE;
		return true;
	}
	if (lab->breakage != BREAK_CANCEL_LOOSE) {
		uint8_t party = lab->recipients[number];
		struct lease_table *leases = leases_load(lab, world, party);
		hold(leases, sequence_of(lab, world, number));
		leases_store(lab, world, party, leases);
	}
	leg->cancel = CANCEL_PENDING;
	return true;
}

/* ---- outcomes ---- */

/* The row tells its sender what the entry says of its messages, no more and no less. */
static void check_outcome(struct lab *lab, const struct world *world, uint8_t party,
	size_t sequence, struct bytes row)
{
	const struct world_entry *entry = lab_entry(lab, world->journal, sequence);
	struct outcome_item item;
	size_t nth = 0;
	bool same = entry != NULL;
	for (size_t i = 0; same && i < entry->count; i++) {
		uint8_t leg = entry->items[i].leg, message = lab->scenario->legs[leg].message;
		uint8_t word = waits_word_by(lab, entry, i);
		if (word == 0 || lab->senders[message] != party)
			continue;
		same = outcome_item_decode(row, nth++, &item) == 0 && item.state == word &&
		       item.index == i && item.sequence == sequence_of(lab, world, leg) &&
		       item.recipient == lab->numbers[lab->recipients[leg]] &&
		       memcmp(item.h, lab->facts[message]->h, HASH_SIZE) == 0;
	}
	if (!same || outcome_item_decode(row, nth, &item) == 0)
		lab_violate(lab, "outcome %zu does not tell what its entry did", sequence);
}

static bool send_outcome(struct lab *lab, struct world *world, uint8_t party)
{
	uint8_t from[QUEUE_KEY_SIZE], lane;
	struct bytes key, value;
	uint32_t owner;
	uint64_t entry;
	if (world->outcome[party] != 0)
		return false;
	queue_key_encode(lab->numbers[party], LANE_OUTCOME, world->outcome_next[party], from);
	if (state_seek(state_memory_state(lab->snapshots[world->durable - 1]), STATE_QUEUE,
		    BYTES(from, sizeof(from)), &key, &value) != 0)
		return false;
	lab_must(queue_key_decode(key, &owner, &lane, &entry) == 0, "a queue key is damaged");
	if (owner != lab->numbers[party] || lane != LANE_OUTCOME)
		return false;
	check_outcome(lab, world, party, entry, value);
	world->outcome[party] = (uint8_t)(entry + 1);
	world->outcome_next[party] = (uint8_t)(entry + 1);
	if (lab->breakage == BREAK_OUTCOME_DROPPED)
		world->confirm_pending[party] = (uint8_t)(entry + 1);
	else
		outbox_take_outcome(lab, world, party);
	return true;
}

bool reactor_step(struct lab *lab, struct world *world, struct action action)
{
	uint8_t n = action.subject;
	switch (action.kind) {
	case ACTION_DELIVER:
		return deliver(lab, world, n);
	case ACTION_REACT_ACK:
		return react_ack(lab, world, n);
	case ACTION_REACT_NAK:
		return react_nak(lab, world, n);
	case ACTION_PUSH_EXPIRE:
		return push_expire(lab, world, n);
	case ACTION_CANCEL_KEEP:
		return cancel_keep(lab, world, n);
	default: /* ACTION_SEND_OUTCOME */
		return send_outcome(lab, world, n);
	}
}

/* ---- what a commit tells ---- */

static void forget(struct lab *lab, struct world *world, size_t number, bool ended)
{
	struct world_leg *leg = &world->legs[number];
	if (leg->lease == LEASE_FREE || (leg->lease == LEASE_OUT && !ended))
		return;
	uint8_t party = lab->recipients[number];
	struct lease_table *leases = leases_load(lab, world, party);
	lab_must(lease_forget(leases, sequence_of(lab, world, number)) == 0, "no such lease");
	leases_store(lab, world, party, leases);
}

static void apply(struct lab *lab, struct world *world, const struct world_effect *effect)
{
	if (effect->type == EFFECT_HELD || effect->type == EFFECT_RELEASED) {
		world->rests[effect->leg] = effect->type == EFFECT_HELD;
		return;
	}
	struct world_leg *leg = &world->legs[effect->leg];
	switch (effect->type) {
	case EFFECT_QUEUED:
		leg->ready = (uint8_t)(effect->attempts + 1);
		break;
	case EFFECT_EXPIRE:
		leg->expire_due = 1;
		break;
	default: /* EFFECT_ENDED, EFFECT_DELAYED */
		leg->ready = 0;
		if (effect->type == EFFECT_ENDED)
			leg->expire_due = 0;
		else
			leg->orphan = leg->deliver != 0;
		/* An act under way frees what it settled when it comes back, and not before. */
		if (effect->type == EFFECT_ENDED || leg->lease == LEASE_OUT ||
			lab->breakage == BREAK_DELAY_FREES)
			forget(lab, world, effect->leg, true);
		break;
	}
}

void reactor_commit(struct lab *lab, struct world *world)
{
	/* A failed attempt frees its message first: its effect makes it deliverable again. */
	for (size_t i = 0; i < lab->legs_count; i++) {
		if (world->legs[i].fail_taken)
			forget(lab, world, i, false);
		world->legs[i].fail_taken = 0;
	}
	for (size_t i = 0; i < world->effects_count; i++)
		apply(lab, world, &world->effects[i]);
	for (size_t i = 0; i < lab->legs_count; i++) {
		struct world_leg *leg = &world->legs[i];
		bool cancelled = leg->cancel == CANCEL_TAKEN;
		if (leg->ack_taken || leg->expire_taken || cancelled)
			forget(lab, world, i, false);
		if (cancelled)
			leg->cancel = CANCEL_NONE;
		leg->ack_taken = 0;
		leg->expire_taken = 0;
	}
	memset(world->effects, 0, sizeof(world->effects));
	world->effects_count = 0;
}

void reactor_start(struct lab *lab, struct world *world)
{
	for (size_t i = 0; i < lab->legs_count; i++) {
		struct place place = lab_place(lab, world->durable, world->journal, i);
		world->legs[i].ready = place.where == PLACE_QUEUE ? (uint8_t)(place.row.attempts + 1)
								  : 0;
	}
	for (uint8_t i = 0; i < lab->parties_count; i++)
		world->rests[i] = lab->breakage != BREAK_REST_FORGOTTEN &&
				  lab_rests(lab, world->durable, i);
}
