/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Is what stands in the journal what its sender or recipient signed, with a key that counted at this very entry? And
 * did it do what they signed: an order to cancel ends what it names, and what a recipient took was there. Whether
 * the rules would have let it is replay's question.
 */
#include "broker/audit/verifier.h"

#include <inttypes.h>

#include "broker/verify/acks.h"
#include "broker/verify/cancels.h"

#define NAME(b) (int)(b).len, (const char *)(b).data

/* The key that signed counted for its owner then; if not, that is told. */
static bool find_key(struct entry_checker *c, uint64_t sequence, struct bytes key_id,
	struct bytes signer, const char *did, const uint8_t **ret)
{
	disputes_count(&c->slice->disputes, sequence, key_id);
	const char *why = chain_signing_key(&c->slice->chain, sequence, key_id, signer, ret);
	if (why)
		audit_report_finding(c->report, sequence, "signature-key", "%s for %.*s %s", did,
			NAME(signer), why);
	return !why;
}

/* ---- messages ---- */

static int check_signature(struct entry_checker *c, const struct audit_entry *entry)
{
	Dienstweg__Signature signature;
	const uint8_t *public;
	struct bytes sender = BYTES_PB(entry->header->sender);
	int r = audit_entry_signature(entry, c->arena, &signature);
	if (r < 0)
		return r;
	c->slice->signatures++;
	if (r > 0) {
		audit_report_finding(c->report, entry->sequence, "signature-form",
			"the signature of its sender %.*s has no possible form", NAME(sender));
		return 0;
	}
	if (find_key(c, entry->sequence, BYTES_PB(signature.key_id), sender, "signed", &public) &&
		signature_verify(c->signatures, SIGNATURE_MESSAGE,
			registry_bus(c->slice->chain.current), public, entry->disclosed.digest,
			&signature))
		audit_report_finding(c->report, entry->sequence, "signature-bad",
			"the signature of its sender %.*s does not verify", NAME(sender));
	return 0;
}

/* ---- batches ---- */

/* What several of a party's words share one signature in. */
struct signed_words {
	struct bytes key_id, signer;
	const char *did, *words;
};

static void check_batch(struct entry_checker *c, const struct audit_entry *entry)
{
	const bool cancels = entry->cancel != NULL;
	struct bytes original = BYTES_PB(entry->row->original);
	struct parcel parcel = {.kind = cancels ? PARCEL_CANCEL : PARCEL_ACKNOWLEDGE,
		.registry = c->slice->chain.current};
	struct ack_facts acks = {.batch = entry->batch, .batch_bytes = original};
	struct cancel_facts order = {.batch = entry->cancel, .batch_bytes = original};
	const struct signed_words signed_by =
		cancels ? (struct signed_words){BYTES_PB(entry->cancel->key_id),
				  BYTES_PB(entry->cancel->sender), "cancelled", "cancellations"}
			: (struct signed_words){BYTES_PB(entry->batch->key_id),
				  BYTES_PB(entry->batch->recipient), "acknowledged",
				  "acknowledgements"};
	const uint8_t *public;
	c->slice->signatures++;
	if (!find_key(c, entry->sequence, signed_by.key_id, signed_by.signer, signed_by.did, &public))
		return;
	if (cancels)
		verify_cancel(c->signatures, &parcel, &order);
	else
		verify_acks(c->signatures, &parcel, &acks);
	if (!(cancels ? order.form_ok : acks.form_ok))
		audit_report_finding(c->report, entry->sequence, "signature-form",
			"its batch of %s has no possible form", signed_by.words);
	else if (!(cancels ? order.signature_ok : acks.signature_ok))
		audit_report_finding(c->report, entry->sequence, "signature-bad",
			"the signature of %.*s under its %s does not verify",
			NAME(signed_by.signer), signed_by.words);
}

static bool is_named(const Dienstweg__CancelBatch *order, const Dienstweg__Header *header,
	const Dienstweg__Affected *ended)
{
	if (!bytes_equal(BYTES_PB(header->sender), BYTES_PB(order->sender)))
		return false;
	for (size_t i = 0; i < order->n_items; i++) {
		const Dienstweg__CancelItem *item = order->items[i];
		if (bytes_equal(BYTES_PB(item->message_id), BYTES_PB(header->message_id)) &&
			(item->recipient.len == 0 ||
				bytes_equal(BYTES_PB(item->recipient), BYTES_PB(ended->party))))
			return true;
	}
	return false;
}

/* What an order ends is its sender's, and named in it. Of a message that is erased that cannot be asked any more. */
static int check_named(struct entry_checker *c, const struct audit_entry *entry)
{
	const Dienstweg__Decision *decision = entry->decision;
	int r = 0;
	for (size_t i = 0; r >= 0 && i < decision->n_affected; i++) {
		const Dienstweg__Affected *ended = decision->affected[i];
		struct audit_entry message = {};
		r = audit_entry_read(c->reader, ended->sequence, c->arena, &message);
		if (r == READER_ERASED ||
			(r == READER_NOT_FOUND && ended->sequence < c->slice->pruned))
			continue;
		if (r != 0 || !message.header || !is_named(entry->cancel, message.header, ended) ||
			message.stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
			audit_report_finding(c->report, entry->sequence, "cancelled-unnamed",
				"it ended the message of entry %" PRIu64
				" for %.*s, which the order of %.*s does not name",
				ended->sequence, NAME(ended->party), NAME(entry->cancel->sender));
	}
	return r < 0 ? r : 0;
}

/* What a recipient takes here was there: who waits for a message keeps it from being erased. */
static int check_was_there(
	struct entry_checker *c, uint64_t at, uint64_t sequence, uint8_t class, uint8_t table)
{
	const struct absence_row row = {.sequence = sequence, .table = table, .class = class};
	uint64_t went = absence_gone_before(&c->absence, &row, at);
	if (went == 0)
		return 0;
	int r = table == ERASED_RECORD ? journal_read_present(c->reader, sequence)
				       : journal_read_content_present(c->reader, sequence);
	if (r == READER_ERASED)
		audit_report_finding(c->report, at, "erased-undelivered",
			"here its recipient took the message of entry %" PRIu64
			", whose %s the erased entry %" PRIu64
			" says to have been destroyed before: it was still waited for",
			sequence, table == ERASED_RECORD ? "record" : "content", went - 1);
	return r < 0 ? r : 0;
}

static int check_taken(struct entry_checker *c, const struct audit_entry *entry)
{
	const Dienstweg__AckBatch *batch = entry->batch;
	const Dienstweg__Decision *decision = entry->decision;
	int r = 0;
	for (size_t i = 0; r == 0 && i < batch->n_acks && i < decision->n_verdicts; i++) {
		uint64_t sequence = batch->acks[i]->sequence;
		struct stub stub;
		if (decision->verdicts[i] != DIENSTWEG__ACK_VERDICT__ACK_CLOSED ||
			!absence_is_between(&c->absence, sequence, entry->sequence) ||
			journal_read_stub(c->reader, sequence, &stub) != 0)
			continue;
		for (uint8_t table = ERASED_RECORD; r == 0 && table <= ERASED_CONTENT; table++)
			r = check_was_there(c, entry->sequence, sequence, stub.class, table);
	}
	return r;
}

int entry_check_signed(struct entry_checker *c, const struct audit_entry *entry)
{
	if (entry->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		return check_signature(c, entry);
	if (!entry->batch && !entry->cancel)
		return 0;
	check_batch(c, entry);
	return entry->batch ? check_taken(c, entry) : check_named(c, entry);
}
