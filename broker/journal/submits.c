/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A resend is answered as the first sending was: with the recorded nonce, the recorded signature if it
 * differs, or the recorded reason of a refusal, all read back from the entry. So a sender that lost an
 * answer gets that answer, and not a second opinion.
 *
 * Messages that nothing may be decided about (no room on the disk or in the parcel's arena) are deferred
 * here, before the rules see them.
 */
#include "broker/journal/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "broker/journal/reader.h"
#include "proto/base/log.h"

enum {
	FULL_RETRY_MS = 10000,
	BUSY_RETRY_MS = 1000,
	HELD_RETRY_MS = 60000,
	ENTRY_BYTES = 768, /* of record and stub beside header and content, about */
};

static void defer(struct submit_decision *decision, const char *code, const char *field,
	const char *detail, uint32_t retry_ms)
{
	*decision = (struct submit_decision){
		.result = SUBMIT_DEFERRED,
		.code = code,
		.field = field,
		.detail = detail,
		.retry_ms = retry_ms,
	};
}

static int append_accepted(
	struct journal *journal, struct batch *batch, struct parcel_submit *submit)
{
	uint8_t core[SIGNATURE_CORE_MAX];
	const struct submit_facts *facts = &submit->facts;
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED,
		.class = submit->decision.class,
		.rest = BYTES(core, signature_core(facts->signature, core)),
		.decision = submit->decision.decision,
		.original = facts->header_bytes,
		.content = BYTES_PB(submit->envelope->content),
	};
	memcpy(entry.digest, facts->h, HASH_SIZE);
	batch->messages++;
	notices_tell(journal, &submit->decision);
	return batch_append(journal, batch, &entry, &submit->proof);
}

static int append_refused(struct journal *journal, struct batch *batch, struct parcel_submit *submit)
{
	const struct submit_facts *facts = &submit->facts;
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED,
		.class = submit->decision.class,
		.decision = submit->decision.decision,
		.original = facts->header_bytes,
	};
	if (entry.original.len > HEADER_BYTES_MAX)
		entry.original.len = HEADER_BYTES_MAX;
	memcpy(entry.digest, facts->h, HASH_SIZE);
	return batch_append(journal, batch, &entry, &submit->proof);
}

/* ---- duplicates ---- */

static int text_of(struct arena *arena, ProtobufCBinaryData field, const char **ret)
{
	char *text = arena_alloc(arena, field.len + 1);
	if (!text)
		return -ENOMEM;
	if (field.len > 0)
		memcpy(text, field.data, field.len);
	text[field.len] = '\0';
	*ret = text;
	return 0;
}

static int recall_refusal(
	struct parcel *parcel, struct parcel_submit *submit, const Dienstweg__Row *row)
{
	Dienstweg__Decision *then;
	struct submit_decision *decision = &submit->decision;
	int r = journal_row_decision(row, parcel->arena, &then);
	if (r == 0)
		r = text_of(parcel->arena, then->code, &decision->code);
	if (r == 0)
		r = text_of(parcel->arena, then->field, &decision->field);
	if (r == 0)
		r = text_of(parcel->arena, then->detail, &decision->detail);
	submit->proof.sequence = decision->earlier;
	return r;
}

static int recall_signature(
	struct parcel *parcel, struct parcel_submit *submit, struct bytes recorded)
{
	uint8_t core[SIGNATURE_CORE_MAX];
	const Dienstweg__Signature *given = submit->facts.signature;
	if (given && bytes_equal(BYTES(core, signature_core(given, core)), recorded))
		return 0;
	submit->recorded_signature = arena_alloc(parcel->arena, sizeof(*submit->recorded_signature));
	if (!submit->recorded_signature)
		return -ENOMEM;
	dienstweg__signature__init(submit->recorded_signature);
	int r = signature_from_core(recorded, parcel->arena, submit->recorded_signature);
	return r > 0 ? READER_DAMAGED : r;
}

static int recall_receipt(struct parcel *parcel, struct parcel_submit *submit,
	const struct stub *stub, const Dienstweg__Row *row)
{
	struct parcel_proof *proof = &submit->proof;
	struct disclosed disclosed;
	if (disclosed_decode(BYTES_PB(row->disclosed), &disclosed))
		return READER_DAMAGED;
	proof->sequence = submit->decision.earlier;
	proof->batch_ms = disclosed.batch_ms;
	proof->registry_version = disclosed.registry_version;
	proof->class = stub->class;
	memcpy(proof->nonce, row->nonce.data, STUB_NONCE_SIZE);
	stub_private_digest(row->salt.data, BYTES_PB(row->private_), proof->private_digest);
	return recall_signature(parcel, submit, disclosed.rest);
}

/* Final: what the receipt would be made of is gone. Nothing is journaled, so it stays with that. */
static int recall_erased(struct parcel *parcel, struct parcel_submit *submit)
{
	enum { DETAIL_MAX = 128 };
	char *detail = arena_alloc(parcel->arena, DETAIL_MAX);
	if (!detail)
		return -ENOMEM;
	snprintf(detail, DETAIL_MAX,
		"already recorded as entry %" PRIu64 "; its record has been erased, so there is no "
		"receipt any more",
		submit->decision.earlier);
	submit->decision.earlier_kind = DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED; /* no receipt */
	submit->decision.code = "erased";
	submit->decision.field = "message_id";
	submit->decision.detail = detail;
	return 0;
}

static int recall(struct journal *journal, struct parcel *parcel, struct parcel_submit *submit)
{
	struct submit_decision *decision = &submit->decision;
	struct record_source source = journal_records(journal);
	struct stub stub;
	Dienstweg__Row *row;
	int r = record_read(&source, decision->earlier, parcel->arena, &stub, &row);
	if (r == 0 && stub.kind != decision->earlier_kind)
		r = READER_DAMAGED;
	if (r == 0)
		r = decision->earlier_kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED
			    ? recall_receipt(parcel, submit, &stub, row)
			    : recall_refusal(parcel, submit, row);
	if (r <= 0)
		return r;
	if (r == READER_ERASED)
		return recall_erased(parcel, submit);
	log_error("journal", "an earlier record cannot be read",
		F_U64("sequence", decision->earlier), F_ERR(r));
	defer(decision, "held",
		"message_id", "it was recorded before, but that record cannot be read any more: ask the bus operator",
		HELD_RETRY_MS);
	return 0;
}

/* ---- deciding ---- */

/* The rules, with what they need to know of attachments. */
static int ask_rules(struct journal *journal, struct batch *batch, struct parcel_submit *submit)
{
	uint64_t sequence = batch->rules.sequence;
	int r = attached_name(journal, batch, &submit->facts);
	if (r == 0)
		r = rules_submit(&batch->rules, &submit->facts, &submit->decision);
	if (r)
		return r;
	return attached_decided(journal, batch, &submit->facts,
		submit->decision.result == SUBMIT_ACCEPTED, sequence);
}

static int decide_submit(struct journal *journal, struct batch *batch, struct parcel *parcel,
	struct parcel_submit *submit)
{
	struct submit_decision *decision = &submit->decision;
	int r = ask_rules(journal, batch, submit);
	if (r)
		return r;
	switch (decision->result) {
	case SUBMIT_ACCEPTED:
		return append_accepted(journal, batch, submit);
	case SUBMIT_REFUSED:
		return decision->append ? append_refused(journal, batch, submit) : 0;
	case SUBMIT_DUPLICATE:
		return recall(journal, parcel, submit);
	case SUBMIT_DEFERRED:
		break;
	}
	return 0;
}

static uint64_t parcel_bytes(const struct parcel *parcel)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < parcel->submits_count; i++)
		bytes += parcel->submits[i].facts.header_bytes.len +
			 parcel->submits[i].facts.content_length + ENTRY_BYTES;
	return bytes;
}

/* Once a parcel did not fit, later ones of this commit wait too: order matters more than the last gap. */
static bool is_full(struct journal *journal, struct batch *batch, const struct parcel *parcel)
{
	if (!batch->full)
		batch->full = !fill_admits(&journal->fill, journal->log.bytes, parcel_bytes(parcel),
			parcel->submits_count);
	if (batch->full != atomic_load(&journal->shared.full)) {
		atomic_store(&journal->shared.full, batch->full);
		if (batch->full)
			log_warn("journal",
				"nearly full: new messages are deferred, delivery goes on",
				F_U64("fill_percent", journal->fill.percent),
				F_U64("disk_bytes_left", journal->fill.disk_bytes));
		else
			log_info("journal", "room again: new messages are taken");
	}
	return batch->full;
}

int submits_decide(struct journal *journal, struct batch *batch, struct parcel *parcel)
{
	bool full = is_full(journal, batch, parcel);
	int r = full ? 0 : facts_refresh(journal, parcel);
	if (parcel->spoilt)
		return r;
	for (size_t i = 0; i < parcel->submits_count && r == 0; i++) {
		struct parcel_submit *submit = &parcel->submits[i];
		if (full)
			defer(&submit->decision, "full",
				"", "the broker has no room for new messages: the bus operator has to make some",
				FULL_RETRY_MS);
		else if (arena_left(parcel->arena) < SUBMIT_ARENA + (i + 1) * PROOF_ARENA)
			defer(&submit->decision, "busy", "",
				"too much in one frame: send smaller ones", BUSY_RETRY_MS);
		else
			r = decide_submit(journal, batch, parcel, submit);
	}
	return r;
}
