/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The reader has already compared what is in a row with the stub in the tree. What is left is to read
 * the same bytes as the broker did: with its own strict parser, so that an entry cannot mean one thing
 * to the rules and another to the auditor.
 */
#include "broker/audit/entry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/journal/state.h"

static int take_header(struct arena *arena, struct audit_entry *entry)
{
	Dienstweg__Header *header;
	uint8_t h[HASH_SIZE];
	entry->header_bytes = BYTES_PB(entry->row->original);
	if (entry->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED) {
		envelope_header_hash(entry->header_bytes, h);
		entry->header_cut = memcmp(h, entry->disclosed.digest, HASH_SIZE) != 0;
		if (entry->header_cut) {
			entry->header_verdict = ENVELOPE_TOO_LARGE;
			entry->header_field = "header";
			return 0;
		}
	}
	int r = envelope_header_parse(arena, entry->header_bytes, &header, &entry->header_field);
	if (r < 0)
		return r;
	if (r == 0)
		entry->header = header;
	else if (entry->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		return READER_DAMAGED;
	entry->header_verdict = r;
	return 0;
}

static int take_batch(struct arena *arena, struct audit_entry *entry)
{
	Dienstweg__AckBatch *batch = dienstweg__ack_batch__unpack(
		arena_allocator(arena), entry->row->original.len, entry->row->original.data);
	if (!batch || batch->n_acks == 0 || batch->n_acks > BATCH_MAX)
		return READER_DAMAGED;
	for (size_t i = 0; i < batch->n_acks; i++)
		if (batch->acks[i]->h.len != HASH_SIZE)
			return READER_DAMAGED;
	entry->batch = batch;
	return 0;
}

static int take_cancel(struct arena *arena, struct audit_entry *entry)
{
	Dienstweg__CancelBatch *batch = dienstweg__cancel_batch__unpack(
		arena_allocator(arena), entry->row->original.len, entry->row->original.data);
	if (!batch || batch->n_items == 0 || batch->n_items > BATCH_MAX)
		return READER_DAMAGED;
	for (size_t i = 0; i < batch->n_items; i++)
		if (batch->items[i]->message_id.len != UUID_SIZE)
			return READER_DAMAGED;
	entry->cancel = batch;
	return 0;
}

static int take_original(struct arena *arena, struct audit_entry *entry)
{
	switch (entry->stub.kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		return take_header(arena, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		return take_batch(arena, entry);
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		return take_cancel(arena, entry);
	default:
		return 0;
	}
}

int audit_entry_read(struct journal_reader *reader, uint64_t sequence, struct arena *arena,
	struct audit_entry *ret)
{
	Dienstweg__Row *row;
	Dienstweg__Decision *decision;
	*ret = (struct audit_entry){.sequence = sequence, .header_field = ""};
	int r = journal_read_stub(reader, sequence, &ret->stub);
	if (r == 0)
		r = journal_read_row(reader, sequence, arena, &row);
	if (r)
		return r;
	if (disclosed_decode(BYTES_PB(row->disclosed), &ret->disclosed))
		return READER_DAMAGED;
	r = journal_row_decision(row, arena, &decision);
	if (r)
		return r;
	ret->row = row;
	ret->decision = decision;
	return take_original(arena, ret);
}

int audit_entry_signature(
	const struct audit_entry *entry, struct arena *arena, Dienstweg__Signature *ret)
{
	dienstweg__signature__init(ret);
	int r = signature_from_core(entry->disclosed.rest, arena, ret);
	return r > 0 ? READER_DAMAGED : r;
}

struct bytes audit_entry_key_id(const struct audit_entry *entry)
{
	if (entry->batch)
		return BYTES_PB(entry->batch->key_id);
	if (entry->cancel)
		return BYTES_PB(entry->cancel->key_id);
	/* A signature core begins with it. */
	if (entry->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED &&
		entry->disclosed.rest.len >= KEY_ID_SIZE)
		return BYTES(entry->disclosed.rest.data, KEY_ID_SIZE);
	return BYTES(NULL, 0);
}

struct bytes audit_entry_speaker(const struct audit_entry *entry)
{
	if (entry->decision->speaker.len > 0)
		return BYTES_PB(entry->decision->speaker);
	if (entry->header)
		return BYTES_PB(entry->header->sender);
	if (entry->cancel)
		return BYTES_PB(entry->cancel->sender);
	return entry->batch ? BYTES_PB(entry->batch->recipient) : BYTES(NULL, 0);
}

/* ---- names ---- */

static const char *const kinds[] = {
	[DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED] = "accepted",
	[DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED] = "refused",
	[DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED] = "acknowledged",
	[DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED] = "attempts-failed",
	[DIENSTWEG__ENTRY_KIND__ENTRY_EXPIRED] = "expired",
	[DIENSTWEG__ENTRY_KIND__ENTRY_DEAD] = "dead",
	[DIENSTWEG__ENTRY_KIND__ENTRY_RETRIED] = "retried",
	[DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED] = "discarded",
	[DIENSTWEG__ENTRY_KIND__ENTRY_HELD] = "held",
	[DIENSTWEG__ENTRY_KIND__ENTRY_RELEASED] = "released",
	[DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED] = "cancelled",
	[DIENSTWEG__ENTRY_KIND__ENTRY_OVERDUE] = "overdue",
	[DIENSTWEG__ENTRY_KIND__ENTRY_DUE_SOON] = "due-soon",
	[DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD] = "legal-hold",
	[DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_RELEASE] = "legal-release",
	[DIENSTWEG__ENTRY_KIND__ENTRY_ERASED] = "erased",
	[DIENSTWEG__ENTRY_KIND__ENTRY_INSPECTED] = "inspected",
	[DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY] = "registry",
	[DIENSTWEG__ENTRY_KIND__ENTRY_STATE] = "state",
	[DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED] = "witnessed",
	[DIENSTWEG__ENTRY_KIND__ENTRY_START] = "start",
	[DIENSTWEG__ENTRY_KIND__ENTRY_STOP] = "stop",
	[DIENSTWEG__ENTRY_KIND__ENTRY_CLOCK_STEP] = "clock-step",
	[DIENSTWEG__ENTRY_KIND__ENTRY_REFUSALS_SUMMED] = "refusals-summed",
	[DIENSTWEG__ENTRY_KIND__ENTRY_CONTINUES] = "continues",
};

int audit_entry_state(struct journal_reader *reader, const struct audit_entry *entry,
	struct arena *arena, struct bytes *ret)
{
	uint8_t digest[HASH_SIZE];
	int r = journal_read_content(reader, entry->sequence, arena, ret);
	bool absent = r == READER_ERASED;
	if (r != 0 && !absent)
		return r < 0 ? r : READER_DAMAGED;
	if (absent)
		*ret = BYTES_STR("");
	state_content_digest(*ret, digest);
	if (memcmp(digest, entry->disclosed.digest, HASH_SIZE) == 0)
		return 0;
	return absent ? READER_ERASED : READER_DAMAGED;
}

const char *audit_kind_name(uint8_t kind)
{
	return kind < ARRAY_LEN(kinds) && kinds[kind] ? kinds[kind] : "unknown";
}

uint8_t audit_kind_parse(const char *name)
{
	for (uint8_t kind = 1; kind < ARRAY_LEN(kinds); kind++)
		if (kinds[kind] && strcmp(kinds[kind], name) == 0)
			return kind;
	return 0;
}

void audit_kind_list(char *buf, size_t size)
{
	size_t len = 0;
	buf[0] = 0;
	for (uint8_t kind = 1; kind < ARRAY_LEN(kinds); kind++) {
		if (!kinds[kind])
			continue;
		int n = snprintf(buf + len, size - len, "%s%s", len ? ", " : "", kinds[kind]);
		len += n > 0 && (size_t)n < size - len ? (size_t)n : 0;
	}
}
