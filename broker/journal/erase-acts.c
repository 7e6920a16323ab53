/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What operators order about what is kept. An instruction to erase a case names entries, because only who opens
 * records knows which they are; but the journal believes no list. An entry is taken only if it is about this
 * case and about no other: an acknowledgement that also speaks of somebody else's case stays until its day.
 */
#include <errno.h>

#include "broker/journal/reader.h"
#include "broker/journal/writer.h"

enum { CLASS_LONGEST = UINT8_MAX /* no registry has it, so it gives way to the longest */ };

/* ---- holds ---- */

static int hold(struct journal *journal, struct batch *batch, struct operator_act *act)
{
	bool placing = act->what == OPERATOR_HOLD;
	struct items_decision decision;
	struct entry entry = {
		.kind = placing ? DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD
				: DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_RELEASE,
		.class = CLASS_LONGEST,
	};
	int r = rules_hold(&batch->rules, &act->about, placing, &decision);
	if (r || !decision.append)
		return r;
	act->changed = true;
	act->sequence = journal->log.sequence;
	act->late = placing && journal->erase.plan.phase >= ERASE_DELETE;
	entry.decision = decision.decision;
	erase_restart(journal);
	return batch_append(journal, batch, &entry, NULL);
}

/* ---- instructions ---- */

/* Is an earlier message of this case, and can that be seen? */
static int is_message_of(
	struct journal *journal, const struct case_act *about, uint64_t sequence, bool *ret)
{
	struct record_source source = journal_records(journal);
	uint8_t id[CASE_ID_BYTES];
	int r = erase_case_of(&source, sequence, journal->erase.arena, id);
	*ret = r == 0 && memcmp(id, about->case_id, sizeof(id)) == 0;
	return r < 0 ? r : 0;
}

/* A cancellation names messages by their ids: has it ended one for each, or does it speak of others, too? */
static bool cancels_others(
	struct arena *arena, const Dienstweg__Row *row, const Dienstweg__Decision *decision)
{
	const Dienstweg__CancelBatch *batch = dienstweg__cancel_batch__unpack(
		arena_allocator(arena), row->original.len, row->original.data);
	size_t messages = 0;
	for (size_t i = 0; i < decision->n_affected; i++) {
		size_t earlier = 0;
		while (decision->affected[earlier]->sequence != decision->affected[i]->sequence)
			earlier++;
		messages += earlier == i;
	}
	return !batch || batch->n_items > messages;
}

/* An entry about messages: are all of them of this case? */
static int are_all_of(struct journal *journal, const struct case_act *about, uint8_t kind,
	const Dienstweg__Row *row, bool *ret)
{
	struct arena *arena = journal->erase.arena;
	const Dienstweg__AckBatch *batch = NULL;
	Dienstweg__Decision *decision;
	int r = journal_row_decision(row, arena, &decision);
	if (r)
		return r < 0 ? r : 0;
	if (kind == DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED && cancels_others(arena, row, decision))
		return 0;
	if (kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED)
		batch = dienstweg__ack_batch__unpack(
			arena_allocator(arena), row->original.len, row->original.data);
	*ret = decision->n_affected > 0 || (batch && batch->n_acks > 0);
	for (size_t i = 0; r == 0 && *ret && i < decision->n_affected; i++)
		r = is_message_of(journal, about, decision->affected[i]->sequence, ret);
	for (size_t i = 0; batch && r == 0 && *ret && i < batch->n_acks; i++)
		r = is_message_of(journal, about, batch->acks[i]->sequence, ret);
	return r;
}

static int is_of_case(
	struct journal *journal, const struct case_act *about, uint64_t sequence, bool *ret)
{
	struct record_source source = journal_records(journal);
	Dienstweg__Row *row;
	struct stub stub;
	*ret = false;
	arena_reset(journal->erase.arena);
	int r = record_read(&source, sequence, journal->erase.arena, &stub, &row);
	if (r)
		return r < 0 ? r : 0;
	switch (stub.kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return is_message_of(journal, about, sequence, ret);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DEAD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_HELD:
	case DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE:
	case DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON:
		return are_all_of(journal, about, stub.kind, row, ret);
	default:
		return 0;
	}
}

static int instruct(struct journal *journal, struct operator_act *act)
{
	uint64_t waiting;
	int r = db_count(journal->log.txn, journal->tables.instructed, &waiting);
	for (size_t i = 0; r == 0 && i < act->count; i++) {
		struct key key = key_u64(act->sequences[i]);
		bool ours;
		r = is_of_case(journal, &act->about, act->sequences[i], &ours);
		if (r || !ours || waiting >= ERASE_INSTRUCTED_MAX)
			continue;
		r = journal_put_error(db_put(journal->log.txn, journal->tables.instructed,
			KEY_BYTES_OF(key), BYTES(act->about.ground, HASH_SIZE)));
		waiting++;
		act->taken++;
	}
	act->changed = act->taken > 0;
	journal->store.changed = journal->store.changed || act->changed;
	return r;
}

/* ---- all ---- */

int operator_decide(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	struct operator_act *act = parcel->act;
	struct erase *erase = &journal->erase;
	switch (act->what) {
	case OPERATOR_HOLD:
	case OPERATOR_RELEASE:
		return hold(journal, batch, act);
	case OPERATOR_ERASE_CASE:
		return instruct(journal, act);
	case OPERATOR_INSPECT:
		return notes_inspected(journal, batch, act);
	case OPERATOR_ERASE_NOW:
		erase->now = true;
		erase->now_account = act->about.account;
		memcpy(erase->now_cause, act->cause, sizeof(erase->now_cause));
		act->changed = true;
		return 0;
	case OPERATOR_ERASE_DUE:
		erase->wanted = erase->ordered = true;
		act->changed = true;
		return 0;
	case OPERATOR_RETRY:
	case OPERATOR_DISCARD:
	case OPERATOR_HOLD_ITEMS:
	case OPERATOR_RELEASE_ITEMS:
	case OPERATOR_HOLD_QUEUE:
	case OPERATOR_RELEASE_QUEUE:
		return queue_decide(journal, batch, act);
	}
	return -EINVAL;
}
