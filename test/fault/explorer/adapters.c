/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Outbox and inbox as the protocol asks of every adapter (design section 5): what is unanswered is sent again
 * in a new session, what was taken over is recognised until Acknowledged came. Both are durable; the
 * explorer crashes the broker, not the adapters.
 */
#include "test/fault/explorer/world.h"

static bool receive(struct lab *lab, struct world *world, size_t number, bool nak)
{
	struct world_leg *leg = &world->legs[number];
	if (leg->deliver != 1)
		return false;
	if (nak && (leg->handed != 0 || world->edge[EDGE_NAK] >= lab->scenario->budget[EDGE_NAK]))
		return false;
	leg->deliver = leg->orphan = 0;
	for (size_t i = 0; i < lab->legs_count; i++)
		if (lab->recipients[i] == lab->recipients[number] && world->legs[i].deliver != 0)
			world->legs[i].deliver--;
	if (nak) {
		leg->nak = 1;
		world->edge[EDGE_NAK]++;
		return true;
	}
	/* An inbox that has forgotten the message cannot recognise it. */
	if (leg->handed == 0 || leg->done || lab->breakage == BREAK_INBOX_FORGETFUL)
		leg->handed++;
	leg->ack_sent = 1;
	leg->ack = 1;
	/* Frames of a session stay in order: what was sent behind the delivery comes now. */
	leg->done |= leg->acknowledged;
	leg->acknowledged = 0;
	return true;
}

static bool ack_again(struct world_leg *leg)
{
	if (leg->handed == 0 || leg->done || leg->ack_sent)
		return false;
	leg->ack_sent = 1;
	leg->ack = 1;
	return true;
}

bool outbox_take_outcome(struct lab *lab, struct world *world, uint8_t party)
{
	if (world->outcome[party] == 0)
		return false;
	const struct world_entry *entry = lab_entry(lab, world->journal, world->outcome[party] - 1u);
	if (!entry) {
		lab_violate(lab, "an outcome of an entry that is not on disk");
		return true;
	}
	world->messages[0].warned |= entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON;
	world->messages[0].reminded |= entry->kind == DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE;
	for (size_t i = 0; i < entry->count; i++) {
		struct world_leg *leg = &world->legs[entry->items[i].leg];
		uint8_t message = lab->scenario->legs[entry->items[i].leg].message;
		uint8_t end = lab_end_by(lab, entry, i);
		if (end == 0 || lab->senders[message] != party)
			continue;
		if (leg->told != 0 && leg->told != end)
			lab_violate(lab, "a sender was told two ends of one message");
		leg->told = end;
	}
	if (world->confirm_pending[party] < world->outcome[party])
		world->confirm_pending[party] = world->outcome[party];
	world->outcome[party] = 0;
	return true;
}

bool adapter_step(struct lab *lab, struct world *world, struct action action)
{
	uint8_t n = action.subject;
	switch (action.kind) {
	case ACTION_RECEIVE:
		return receive(lab, world, n, false);
	case ACTION_RECEIVE_NAK:
		return receive(lab, world, n, true);
	case ACTION_ACK_AGAIN:
		return ack_again(&world->legs[n]);
	default: /* ACTION_TAKE_OUTCOME */
		return outbox_take_outcome(lab, world, n);
	}
}
