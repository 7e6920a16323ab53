/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What operators do to messages and queues, and what a sender does to its own. Whatever holds something up is a fault: it
 * happens so often as the scenario has it, and nobody may need it to get on. Whatever lets go of something is none, since
 * dead letters and held messages wait for nothing else.
 */
#include "test/fault/explorer/world.h"

enum { ACCOUNT = 1000 };

static const struct queue_act ordered = {.account = ACCOUNT};

/* Where a leg is in the open transaction, or else on disk. */
static struct place place_now(const struct lab *lab, const struct world *world, uint8_t leg)
{
	return world->open ? lab_place(lab, world->open, world->journal_open, leg)
			   : lab_place(lab, world->durable, world->journal, leg);
}

static int decide(enum action_kind kind, struct rules *rules, const struct rules_item *item,
	struct items_decision *ret)
{
	switch (kind) {
	case ACTION_RETRY:
		return rules_retry(rules, item, 1, &ordered, ret);
	case ACTION_DISCARD:
		return rules_discard(rules, item, 1, &ordered, ret);
	default:
		return rules_hold_items(rules, item, 1, &ordered, kind == ACTION_HOLD, ret);
	}
}

static Dienstweg__EntryKind kind_of(enum action_kind kind)
{
	switch (kind) {
	case ACTION_RETRY:
		return DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED;
	case ACTION_DISCARD:
		return DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED;
	case ACTION_HOLD:
	case ACTION_HOLD_QUEUE:
	case ACTION_HOLD_SERVICE:
		return DIENSTWEG__ENTRY_KIND__ENTRY_HELD;
	default:
		return DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED;
	}
}

static bool may_order(enum action_kind kind, enum place_where where)
{
	if (kind == ACTION_RETRY || kind == ACTION_DISCARD)
		return where == PLACE_DEAD;
	return kind == ACTION_HOLD ? where == PLACE_QUEUE || where == PLACE_TIMER
				   : where == PLACE_HELD;
}

static bool order_leg(struct lab *lab, struct world *world, enum action_kind kind, uint8_t leg)
{
	struct items_decision d;
	struct txn txn;
	if (!may_order(kind, place_now(lab, world, leg).where) ||
		(kind == ACTION_HOLD && !lab_spend(lab, world, EDGE_HOLD)))
		return false;
	txn_begin(lab, world, &txn);
	struct rules_item item = txn_item(lab, world, leg);
	lab_must(decide(kind, &txn.rules, &item, &d) == 0, "an order failed");
	/* What was due when the transaction began has been moved by then: it may be elsewhere. */
	if (d.append) {
		struct world_entry entry = txn_entry(lab, world, kind_of(kind));
		entry.count = 1;
		entry.items[0].leg = leg;
		entry.items[0].attempts = (uint8_t)d.decision->affected[0]->attempts;
		txn_append(lab, world, &txn, &entry);
	}
	txn_end(lab, world, &txn);
	return true;
}

/* A party's queue, or what comes for a message's service, as a whole. */
static bool order_queue(struct lab *lab, struct world *world, enum action_kind kind, uint8_t subject)
{
	bool queue = kind == ACTION_HOLD_QUEUE || kind == ACTION_RELEASE_QUEUE;
	bool hold = kind == ACTION_HOLD_QUEUE || kind == ACTION_HOLD_SERVICE;
	struct queue_act act = ordered;
	struct items_decision d;
	struct world before = *world;
	struct txn txn;
	if (queue)
		act.party = BYTES_STR(lab->scenario->parties[subject]);
	else
		act.service = BYTES_PB(lab->facts[subject]->header->service);
	if (hold && !lab_spend(lab, world, EDGE_HOLD))
		return false;
	txn_begin(lab, world, &txn);
	lab_must(rules_hold_queue(&txn.rules, &act, hold, &d) == 0, "rules_hold_queue() failed");
	if (!d.append) { /* it is so already */
		state_memory_free(txn.memory);
		*world = before;
		return false;
	}
	struct world_entry entry = txn_entry(lab, world, kind_of(kind));
	entry.party = queue ? (uint8_t)(subject + 1) : 0;
	entry.message = queue ? 0 : subject;
	txn_append(lab, world, &txn, &entry);
	txn_end(lab, world, &txn);
	return true;
}

/* ---- the sender ---- */

const struct cancel_facts *lab_cancel_facts(const struct lab *lab, uint8_t leg)
{
	const struct scenario *scenario = lab->scenario;
	uint8_t message = scenario->legs[leg].message;
	const struct fixture_cancel item = {
		.message_id = lab->facts[message]->header->message_id.data,
		.recipient = scenario->legs[leg].to,
	};
	struct rules_fixture fixture = lab->fixture;
	fixture.arena = lab->scratch;
	struct cancel_facts *facts = rules_fixture_cancels(
		&fixture, scenario->parties[lab->senders[message]], &item, 1);
	facts->speaker = lab->facts[message]->speaker;
	return facts;
}

/* Its order reaches the journal, which looks where the message is. */
static bool cancel_look(struct lab *lab, struct world *world, uint8_t number)
{
	struct world_leg *leg = &world->legs[number];
	struct place place = place_now(lab, world, number);
	uint64_t sequence;
	const struct submit_facts *facts = lab->facts[lab->scenario->legs[number].message];
	uint32_t sender = lab->numbers[lab->senders[lab->scenario->legs[number].message]];
	if (leg->cancel != CANCEL_NONE || !place_is_open(&place) ||
		!lab_spend(lab, world, EDGE_CANCEL))
		return false;
	uint32_t snapshot = world->open ? world->open : world->durable;
	lab_must(rules_cancel_find(state_memory_state(lab->snapshots[snapshot - 1]), sender,
			 facts->header->message_id.data, &sequence) == 0,
		"an open message is not found by its id");
	leg->cancel = world->open ? CANCEL_LOOKED : CANCEL_BACK;
	return true;
}

static bool cancel(struct lab *lab, struct world *world, uint8_t number)
{
	struct world_leg *leg = &world->legs[number];
	struct cancel_decision d;
	struct txn txn;
	if (leg->cancel != CANCEL_PENDING)
		return false;
	txn_begin(lab, world, &txn);
	struct rules_item item = txn_item(lab, world, number);
	lab_must(rules_cancel(&txn.rules, lab_cancel_facts(lab, number), &item, 1, &d) == 0,
		"rules_cancel() failed");
	if (d.refused)
		lab_violate(lab, "a cancellation was refused: %s", d.detail);
	if (d.append) {
		struct world_entry entry = txn_entry(
			lab, world, DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED);
		entry.count = 1;
		entry.items[0].leg = number;
		entry.items[0].attempts = (uint8_t)d.decision->affected[0]->attempts;
		txn_append(lab, world, &txn, &entry);
	}
	leg->cancel = CANCEL_TAKEN;
	txn_end(lab, world, &txn);
	return true;
}

bool orders_step(struct lab *lab, struct world *world, struct action action)
{
	uint8_t n = action.subject;
	switch (action.kind) {
	case ACTION_RETRY:
	case ACTION_DISCARD:
	case ACTION_HOLD:
	case ACTION_RELEASE:
		return order_leg(lab, world, (enum action_kind)action.kind, n);
	case ACTION_CANCEL_LOOK:
		return cancel_look(lab, world, n);
	case ACTION_CANCEL:
		return cancel(lab, world, n);
	default: /* a queue, or a service */
		return order_queue(lab, world, (enum action_kind)action.kind, n);
	}
}
