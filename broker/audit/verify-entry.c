/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Nothing here asks whether a message should have been accepted: that is replay's question. This asks
 * whether what stands in the journal is what its sender or recipient signed, with a key that counted at
 * this very entry, and whether what was received is still there to the last byte.
 */
#include "broker/audit/verifier.h"

#include <inttypes.h>

#include "broker/verify/acks.h"

#define NAME(b) (int)(b).len, (const char *)(b).data

int verify_registry(struct verifier *v, uint64_t sequence)
{
	struct bytes content, in_force;
	char why[512];
	int r = journal_read_content(v->audit->reader, sequence, v->arena, &content);
	if (r > 0)
		audit_report_finding(v->report, sequence, "content-missing",
			"the registry of this entry is missing or damaged");
	if (r)
		return r < 0 ? r : 0;
	r = chain_add(&v->chain, sequence, content, why, sizeof(why));
	if (r > 0)
		audit_report_finding(v->report, sequence, "registry-chain", "%s", why);
	if (r < 0)
		return r;
	r = journal_read_registry(v->audit->reader, sequence, v->arena, &in_force);
	if (r > 0 || (r == 0 && !bytes_equal(content, in_force)))
		audit_report_finding(v->report, sequence, "registry-row",
			"the table of registries does not lead to this entry");
	return r < 0 ? r : 0;
}

/* ---- what every record says ---- */

static void check_frame(struct verifier *v, const struct audit_entry *entry)
{
	const struct disclosed *disclosed = &entry->disclosed;
	uint64_t version = chain_version(&v->chain);
	if (disclosed->batch_ms < v->batch_ms)
		audit_report_finding(v->report, entry->sequence, "time-backwards",
			"its time lies before that of the entry before it");
	v->batch_ms = disclosed->batch_ms;
	if (disclosed->registry_version != version)
		audit_report_finding(v->report, entry->sequence, "registry-version",
			"it says that registry version %" PRIu64 " was in force, it was %" PRIu64,
			disclosed->registry_version, version);
	if (entry->stub.class != 0 && v->chain.current &&
		!registry_class(v->chain.current, entry->stub.class))
		audit_report_finding(v->report, entry->sequence, "class-unknown",
			"its retention class %u is not in the registry in force", entry->stub.class);
}

/* ---- messages ---- */

static int check_signature(struct verifier *v, const struct audit_entry *entry)
{
	Dienstweg__Signature signature;
	const uint8_t *public;
	struct bytes sender = BYTES_PB(entry->header->sender);
	int r = audit_entry_signature(entry, v->arena, &signature);
	if (r < 0)
		return r;
	v->result->signatures++;
	if (r > 0) {
		audit_report_finding(v->report, entry->sequence, "signature-form",
			"the signature of its sender %.*s has no possible form", NAME(sender));
		return 0;
	}
	const char *why = chain_signing_key(
		&v->chain, entry->sequence, BYTES_PB(signature.key_id), sender, &public);
	if (why)
		audit_report_finding(v->report, entry->sequence, "signature-key",
			"signed for %.*s %s", NAME(sender), why);
	else if (signature_verify(v->signatures, SIGNATURE_MESSAGE, registry_bus(v->chain.current),
			 public, entry->disclosed.digest, &signature))
		audit_report_finding(v->report, entry->sequence, "signature-bad",
			"the signature of its sender %.*s does not verify", NAME(sender));
	return 0;
}

static int check_content(struct verifier *v, const struct audit_entry *entry)
{
	struct bytes content;
	const char *field;
	int r = journal_read_content(v->audit->reader, entry->sequence, v->arena, &content);
	if (r < 0)
		return r;
	if (r > 0) {
		audit_report_finding(v->report, entry->sequence,
			r == READER_ERASED ? "content-missing" : "content-changed",
			r == READER_ERASED
				? "its content is missing, and nothing says that it was erased"
				: "its content does not open: it was changed");
		return 0;
	}
	r = envelope_content_check(v->arena, entry->header, content, &field);
	if (r > 0)
		audit_report_finding(v->report, entry->sequence, "content-changed",
			"its content is not what the header says, field %s", field);
	return r < 0 ? r : 0;
}

/* ---- acknowledgements ---- */

static void check_batch(struct verifier *v, const struct audit_entry *entry)
{
	struct parcel parcel = {.kind = PARCEL_ACKNOWLEDGE, .registry = v->chain.current};
	const Dienstweg__AckBatch *batch = entry->batch;
	struct bytes recipient = BYTES_PB(batch->recipient);
	struct ack_facts facts = {
		.batch = batch,
		.batch_bytes = BYTES_PB(entry->row->original),
	};
	const uint8_t *public;
	v->result->signatures++;
	const char *why = chain_signing_key(
		&v->chain, entry->sequence, BYTES_PB(batch->key_id), recipient, &public);
	if (why) {
		audit_report_finding(v->report, entry->sequence, "signature-key",
			"acknowledged for %.*s %s", NAME(recipient), why);
		return;
	}
	verify_acks(v->signatures, &parcel, &facts);
	if (!facts.form_ok)
		audit_report_finding(v->report, entry->sequence, "signature-form",
			"its batch of acknowledgements has no possible form");
	else if (!facts.signature_ok)
		audit_report_finding(v->report, entry->sequence, "signature-bad",
			"the signature of %.*s under its acknowledgements does not verify",
			NAME(recipient));
}

/* ---- all of it ---- */

static void report_unreadable(struct verifier *v, uint64_t sequence, int verdict)
{
	if (verdict == READER_ERASED)
		audit_report_finding(v->report, sequence, "record-missing",
			"its record, or the key to it, is missing, and nothing says that it was "
			"erased");
	else
		audit_report_finding(v->report, sequence, "record-changed",
			"its record does not open, or is not what its stub commits to: it was "
			"changed");
}

int verify_entry(struct verifier *v, uint64_t sequence)
{
	struct audit_entry entry;
	int r = audit_entry_read(v->audit->reader, sequence, v->arena, &entry);
	if (r > 0)
		report_unreadable(v, sequence, r);
	if (r)
		return r < 0 ? r : 0;
	v->result->records++;
	check_frame(v, &entry);
	if (entry.batch)
		check_batch(v, &entry);
	if (entry.stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED) {
		r = check_signature(v, &entry);
		if (r == 0)
			r = check_content(v, &entry);
	}
	return r;
}
