/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Everything but new messages: acknowledgements, failures, expiries, confirmations. They end or move what
 * is there already, so they are never turned away for want of room.
 *
 * An entry about messages is kept as long as they are: it gets the class of the first message that it
 * changed, read from that message's stub. One batch of acknowledgements may touch messages of several
 * classes; the first decides, which is what its recipient put first.
 */
#include "broker/journal/writer.h"

#include <errno.h>

#include "broker/journal/reader.h"
#include "proto/receipt/receipt.h"

static int class_of(struct journal *journal, uint64_t sequence, uint8_t *ret)
{
	struct record_source source = journal_records(journal);
	struct stub stub;
	int r = stub_read(&source, sequence, &stub);
	if (r)
		return r < 0 ? r : -EBADMSG; /* the rules changed a message that is not there */
	*ret = stub.class;
	return 0;
}

/* What ended long ago may have been pruned when its recipient speaks of it. */
enum { CLASS_LONGEST = UINT8_MAX /* no registry has it, so it gives way to the longest */ };

static int class_of_ack(struct journal *journal, const struct parcel_ack *ack, uint8_t *ret)
{
	size_t first = ack_decision_first(&ack->decision, ack->facts.batch->n_acks);
	struct record_source source = journal_records(journal);
	struct stub stub;
	int r = stub_read(&source, ack->facts.batch->acks[first]->sequence, &stub);
	if (r < 0)
		return r;
	*ret = r == 0 ? stub.class : CLASS_LONGEST;
	return r == READER_DAMAGED ? -EBADMSG : 0;
}

static int append_ack(struct journal *journal, struct batch *batch, struct parcel_ack *ack)
{
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED,
		.decision = ack->decision.decision,
		.original = ack->facts.batch_bytes,
	};
	int r = class_of_ack(journal, ack, &entry.class);
	if (r)
		return r;
	receipt_ack_batch_digest(ack->facts.batch_bytes, entry.digest);
	return batch_append(journal, batch, &entry, &ack->proof);
}

static int decide_acks(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	int r = facts_refresh(journal, parcel);
	if (parcel->spoilt)
		return r;
	for (size_t i = 0; i < parcel->acks_count && r == 0; i++) {
		struct parcel_ack *ack = &parcel->acks[i];
		if (arena_left(parcel->arena) < ACK_ARENA + (i + 1) * PROOF_ARENA) {
			ack->decision = (struct ack_decision){
				.refused = true,
				.code = "too-large",
				.field = "batches",
				.detail = "too much in one frame: send smaller ones",
			};
			continue;
		}
		r = rules_acknowledge(&batch->rules, &ack->facts, &ack->decision);
		if (r == 0 && ack->decision.append)
			r = append_ack(journal, batch, ack);
	}
	return r;
}

int acts_append_about(
	struct journal *journal, struct batch *batch, struct entry *entry, uint64_t message)
{
	int r = class_of(journal, message, &entry->class);
	return r ? r : batch_append(journal, batch, entry, NULL);
}

int acts_append_items(struct journal *journal, struct batch *batch, uint8_t kind,
	const struct items_decision *decision)
{
	struct entry entry = {.kind = kind, .decision = decision->decision};
	if (!decision->append)
		return 0;
	if (decision->decision->n_affected == 0)
		return -EBADMSG;
	return acts_append_about(journal, batch, &entry, decision->decision->affected[0]->sequence);
}

static bool any_counted(const struct rules_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].counted)
			return true;
	return false;
}

static int decide_failed(struct journal *journal, struct batch *batch, const struct parcel *parcel,
	const struct rules_item *items, size_t count)
{
	struct items_decision decision = {};
	int r = 0;
	if (any_counted(items, count)) {
		r = rules_bury(&batch->rules, items, count, parcel->cause, &decision);
		if (r == 0)
			r = acts_append_items(
				journal, batch, DIENSTWEG__ENTRY_KIND__ENTRY_DEAD, &decision);
	}
	if (r == 0)
		r = rules_fail(&batch->rules, items, count, parcel->cause, parcel->delay_ms,
			parcel->backoff, &decision);
	return r ? r
		 : acts_append_items(
			   journal, batch, DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED, &decision);
}

static int decide_expired(
	struct journal *journal, struct batch *batch, const struct rules_item *items, size_t count)
{
	struct items_decision decision = {};
	int r = rules_expire(&batch->rules, items, count, &decision);
	return r ? r
		 : acts_append_items(
			   journal, batch, DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED, &decision);
}

static int decide_items(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	int r = 0;
	for (size_t at = 0; at < parcel->items_count && r == 0; at += RULES_ITEMS_MAX) {
		const struct rules_item *items = parcel->items + at;
		size_t count = parcel->items_count - at;
		if (count > RULES_ITEMS_MAX)
			count = RULES_ITEMS_MAX;
		r = parcel->kind == PARCEL_FAIL ? decide_failed(journal, batch, parcel, items, count)
						: decide_expired(journal, batch, items, count);
	}
	return r;
}

/* How far a sender has confirmed is no entry, but stands beside them: rows of outcomes can be made again. */
static int decide_confirm(struct journal *journal, struct batch *batch, const struct parcel *parcel)
{
	struct state_store *store = &journal->store;
	uint64_t last = batch->rules.sequence ? batch->rules.sequence - 1 : 0;
	bool changed = store->changed;
	store->changed = false;
	int r = rules_confirm(&batch->rules, parcel->party, parcel->sequence);
	if (r == 0 && store->changed)
		r = journal_put_error(confirmed_put(journal->log.txn, &journal->tables,
			parcel->party, parcel->sequence < last ? parcel->sequence : last));
	store->changed |= changed;
	return r;
}

int acts_decide(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	switch (parcel->kind) {
	case PARCEL_ACKNOWLEDGE:
		return decide_acks(journal, batch, parcel);
	case PARCEL_CANCEL:
		return cancels_decide(journal, batch, parcel);
	case PARCEL_FAIL:
	case PARCEL_EXPIRE:
		return decide_items(journal, batch, parcel);
	case PARCEL_CONFIRM:
		return decide_confirm(journal, batch, parcel);
	case PARCEL_COSIGN:
		return cosign_decide(journal, batch, parcel);
	case PARCEL_REGISTRY:
		return notes_registry(journal, batch, parcel);
	case PARCEL_FORGET: /* done when it was taken in */
		return 0;
	case PARCEL_OPERATE:
		return operator_decide(journal, batch, parcel);
	case PARCEL_STATE:
		return notes_state(journal, batch, parcel);
	case PARCEL_STOP:
		return notes_stop(journal, batch);
	case PARCEL_SUBMIT:
	case PARCEL_TICK:
		break;
	}
	return -EINVAL;
}
