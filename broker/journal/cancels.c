/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Cancellations come twice. The first time the state is looked at: whose the messages are, and where they wait.
 * Delivery then keeps back those that nobody has under delivery, and the second time they are ended. So nobody can
 * hold up messages of others by naming them, and what is ended here was not handed out in between.
 *
 * Whom a message is for stands in its record alone, which is read where no recipient is named. That is a look into one
 * row for an act that people do rarely; the hot path never does it.
 */
#include <assert.h>
#include <errno.h>

#include "broker/journal/reader.h"
#include "broker/journal/writer.h"
#include "proto/receipt/receipt.h"

enum {
	LEG_ARENA = sizeof(struct cancel_leg) +
		    512,          /* with its name, and its part of the entry that ends it */
	CANCEL_ARENA = 64 * 1024, /* and all else */
	RECORD_ARENA = 256 * 1024,
};

static void leg_add(struct parcel_cancel *cancel, const struct cancel_leg *leg)
{
	assert(cancel->legs_count < parcel_legs_max(cancel->batch));
	cancel->legs[cancel->legs_count++] = *leg;
}

/* @leg: with item and sequence. Return: 0; STATE_NOT_FOUND: no such party. */
static int leg_name(
	struct state *state, struct parcel *parcel, struct cancel_leg *leg, struct bytes name)
{
	int r = rules_party_number(state, name, &leg->party);
	if (r == 0 && leg->party == 0)
		return STATE_NOT_FOUND;
	if (r == 0)
		r = arena_copy(parcel->arena, name, &leg->recipient);
	if (r == 0)
		leg_add(parcel->cancel, leg);
	return r;
}

/* ---- looking ---- */

/* All recipients of an entry "accepted", by its record. */
static int legs_of_record(
	struct journal *journal, struct state *state, struct parcel *parcel, struct cancel_leg *leg)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(RECORD_ARENA);
	struct record_source source = journal_records(journal);
	Dienstweg__Row *row;
	Dienstweg__Decision *decision;
	int r = arena ? record_read(&source, leg->sequence, arena, NULL, &row) : -ENOMEM;
	if (r == 0)
		r = journal_row_decision(row, arena, &decision);
	if (r) /* erased: it has ended long ago */
		return r < 0 ? r : STATE_NOT_FOUND;
	if (decision->n_recipients > COMMON_RECIPIENTS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < decision->n_recipients; i++) {
		r = leg_name(state, parcel, leg, BYTES_PB(decision->recipients[i]));
		if (r)
			return r < 0 ? r : -EBADMSG; /* the rules numbered all that they route to */
	}
	return 0;
}

static int legs_of_item(
	struct journal *journal, struct state *state, struct parcel *parcel, size_t nth)
{
	const struct parcel_cancel *cancel = parcel->cancel;
	const Dienstweg__CancelItem *item = cancel->batch->items[nth];
	struct cancel_leg leg = {.item = (uint32_t)nth};
	int r = rules_cancel_find(
		state, cancel->decision.sender, item->message_id.data, &leg.sequence);
	if (r)
		return r;
	return item->recipient.len == 0 ? legs_of_record(journal, state, parcel, &leg)
					: leg_name(state, parcel, &leg, BYTES_PB(item->recipient));
}

static int legs_look(struct state *state, struct parcel_cancel *cancel)
{
	int r = 0;
	for (size_t i = 0; i < cancel->legs_count && r == 0; i++) {
		struct cancel_leg *leg = &cancel->legs[i];
		const struct rules_item item = {.party = leg->party, .sequence = leg->sequence};
		if (leg->party != 0)
			r = rules_cancel_look(state, &item, &leg->place);
	}
	return r;
}

static int too_much(struct parcel_cancel *cancel)
{
	cancel->decision = (struct cancel_decision){
		.refused = true,
		.code = "too-large",
		.field = "items",
		.detail = "too much in one frame: name fewer messages",
	};
	return 0;
}

static int look(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	struct parcel_cancel *cancel = parcel->cancel;
	struct state *state = batch->rules.state;
	int r = rules_cancel_check(&batch->rules, &cancel->facts, &cancel->decision);
	if (r < 0 || cancel->decision.refused)
		return r;
	size_t legs_max = parcel_legs_max(cancel->batch);
	if (arena_left(parcel->arena) < CANCEL_ARENA + legs_max * LEG_ARENA)
		return too_much(cancel);
	cancel->legs = arena_alloc(parcel->arena, legs_max * sizeof(*cancel->legs));
	if (!cancel->legs)
		return -ENOMEM;
	for (size_t i = 0; i < cancel->batch->n_items && r == 0; i++) {
		r = legs_of_item(journal, state, parcel, i);
		if (r == STATE_NOT_FOUND) {
			leg_add(cancel, &(struct cancel_leg){.item = (uint32_t)i});
			r = 0;
		}
	}
	return r ? r : legs_look(state, cancel);
}

/* ---- ending ---- */

static int append(struct journal *journal, struct batch *batch, const struct parcel_cancel *cancel,
	const struct cancel_decision *decision)
{
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED,
		.decision = decision->decision,
		.original = cancel->facts.batch_bytes,
	};
	receipt_cancel_batch_digest(cancel->facts.batch_bytes, entry.digest);
	return acts_append_about(journal, batch, &entry, decision->decision->affected[0]->sequence);
}

static int end_some(struct journal *journal, struct batch *batch, struct parcel_cancel *cancel,
	const struct rules_item *items, size_t count)
{
	struct cancel_decision decision;
	int r = rules_cancel(&batch->rules, &cancel->facts, items, count, &decision);
	if (r < 0)
		return r;
	if (decision.refused) /* its key has gone in between */
		cancel->decision = decision;
	return decision.append ? append(journal, batch, cancel, &decision) : 0;
}

/* More than an entry can name become several. */
static int end(struct journal *journal, struct batch *batch, struct parcel_cancel *cancel)
{
	struct rules_item items[RULES_ITEMS_MAX];
	size_t count = 0;
	int r = 0;
	for (size_t i = 0; i < cancel->legs_count && r == 0; i++) {
		const struct cancel_leg *leg = &cancel->legs[i];
		if (leg->kept)
			items[count++] = (struct rules_item){
				.party = leg->party, .sequence = leg->sequence};
		if (count == RULES_ITEMS_MAX || (count > 0 && i + 1 == cancel->legs_count)) {
			r = end_some(journal, batch, cancel, items, count);
			count = 0;
		}
	}
	return r ? r : legs_look(batch->rules.state, cancel);
}

int cancels_decide(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	struct parcel_cancel *cancel = parcel->cancel;
	int r = facts_refresh(journal, parcel);
	if (parcel->spoilt || r)
		return r;
	if (cancel->kept > 0)
		return end(journal, batch, cancel);
	return look(journal, batch, parcel);
}
