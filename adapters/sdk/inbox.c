/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The order here is the promise: hand over, write the verdict down, commit, acknowledge. A crash before the
 * commit hands the message over again, with the same ids; a crash after it finds the verdict and only
 * acknowledges. Rows are keyed by h and recipient, not by message id: two senders may use one id, and one
 * of them on purpose.
 *
 * What the checks refuse is refused with the recipient's signature like anything else, so that the sender
 * learns of it. Only an unknown key is put off: the registry that has it may be on its way.
 */
#include "adapters/sdk/inbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapters/sdk/rows.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"
#include "proto/sealing/sealing.h"
#include "proto/signature/signature.h"

enum {
	NAKS_MAX = 1024, /* in one turn; more come again by themselves when their lease ends */
	CACHE_SLOTS = 256,
	ARENA_BUDGET = 4 << 20,
	SCHEMA_LATER_MS = 60000, /* until somebody has put the file there */
	ATTACHMENT_LATER_MS = 10 * 60 * 1000,
	KEY_LATER_MS = 2000, /* an unknown key: until a newer registry is there */
};

struct nak {
	size_t party;
	uint64_t sequence;
	uint64_t bytes;
	uint32_t delay_ms;
	char code[64];
};

struct inbox {
	struct inbox_options options;
	struct arena *arena;
	struct arena *resumed; /* holds a delivery that waited for its attachments */
	struct signature_cache *cache;
	struct sealing_opener *opener;
	struct inbox_counts counts;
	size_t naks_count;
	struct nak naks[NAKS_MAX];
};

int inbox_new(const struct inbox_options *options, struct inbox **ret)
{
	_cleanup_(inbox_free) struct inbox *inbox = calloc(1, sizeof(*inbox));
	if (!inbox)
		return -ENOMEM;
	inbox->options = *options;
	inbox->arena = arena_new(ARENA_BUDGET);
	inbox->resumed = arena_new(ARENA_BUDGET);
	if (!inbox->arena || !inbox->resumed)
		return -ENOMEM;
	int r = signature_cache_new(CACHE_SLOTS, &inbox->cache);
	if (r == 0)
		r = sealing_opener_new(&inbox->opener);
	if (r)
		return r;
	*ret = steal(&inbox);
	return 0;
}

void inbox_free(struct inbox *inbox)
{
	if (!inbox)
		return;
	signature_cache_free(inbox->cache);
	sealing_opener_free(inbox->opener);
	arena_free(inbox->arena);
	arena_free(inbox->resumed);
	free(inbox);
}

void inbox_restart(struct inbox *inbox)
{
	fetch_restart(inbox->options.fetch);
	inbox->naks_count = 0;
}

void inbox_counts(const struct inbox *inbox, struct inbox_counts *ret)
{
	*ret = inbox->counts;
}

/* A delivery on its way through the checks. */
struct arrival {
	const Dienstweg__Item *item;
	size_t party;
	uint8_t h[HASH_SIZE];
	const Dienstweg__Header *header;
	bool taken; /* handed over long ago, and recorded: the bus has lost that */
	struct payload_content content;
	bool waiting; /* for its attachments, or behind one that does: nothing is decided */
	struct dw_arrived attachments[DW_ATTACHMENTS_MAX];
};

static uint64_t item_bytes(const Dienstweg__Item *item)
{
	return item->envelope->header.len + item->envelope->content.len;
}

static void verdict_set(struct dw_verdict *verdict, enum dw_disposition disposition,
	const char *code, const char *text)
{
	*verdict = (struct dw_verdict){.disposition = disposition};
	snprintf(verdict->code, sizeof(verdict->code), "%s", code);
	snprintf(verdict->text, sizeof(verdict->text), "%s", text);
}

static void reject(struct dw_verdict *verdict, const char *code, const char *text)
{
	verdict_set(verdict, DW_REJECTED, code, text);
}

static void later(struct dw_verdict *verdict, const char *code, uint32_t delay_ms)
{
	verdict_set(verdict, DW_LATER, code, "");
	verdict->delay_ms = delay_ms;
}

/* ---- checks: 0 to go on, 1 with a verdict, negative errno ---- */

static int check_header(struct inbox *inbox, struct arrival *arrival, struct dw_verdict *verdict)
{
	char text[201];
	const char *field = "";
	Dienstweg__Header *header;
	int r = envelope_header_parse(
		inbox->arena, BYTES_PB(arrival->item->envelope->header), &header, &field);
	if (r < 0)
		return r;
	if (r > 0) {
		snprintf(text, sizeof(text), "the header is not of the form that is asked for: %s",
			field);
		reject(verdict, envelope_verdict_code(r), text);
		return 1;
	}
	arrival->header = header;
	const char *name = inbox->options.parties->names[arrival->party];
	struct bytes bus = registry_bus(trust_registry(inbox->options.trust));
	if (!bytes_equal(BYTES_PB(header->bus), bus) ||
		(header->recipient.len > 0 &&
			!bytes_equal(BYTES_PB(header->recipient), BYTES_STR(name)))) {
		reject(verdict, "not-addressed", "the header names another bus or recipient");
		return 1;
	}
	return 0;
}

/* Retired keys signed while they were active; the journal's order says so, and the broker checked it. */
static bool key_counts(
	const Dienstweg__Key *key, const Dienstweg__Party *owner, const struct arrival *arrival)
{
	return owner && bytes_equal(BYTES_PB(owner->name), BYTES_PB(arrival->header->sender)) &&
	       key->use == DIENSTWEG__KEY_USE__KEY_USE_SIGN &&
	       key->state != DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED &&
	       (key->suspect_from == 0 || arrival->item->sequence < key->suspect_from);
}

static int check_signature(struct inbox *inbox, struct arrival *arrival, struct dw_verdict *verdict)
{
	const struct registry *registry = trust_registry(inbox->options.trust);
	const Dienstweg__Signature *signature = arrival->item->envelope->signature;
	const Dienstweg__Party *owner = NULL;
	const Dienstweg__Key *key = signature ? registry_key(registry, BYTES_PB(signature->key_id),
							&owner)
					      : NULL;
	if (signature && !key) {
		trust_want_registry(inbox->options.trust);
		later(verdict, "unknown-key", KEY_LATER_MS);
		return 1;
	}
	if (key && key_counts(key, owner, arrival) &&
		signature_verify(inbox->cache, SIGNATURE_MESSAGE, registry_bus(registry),
			key->public_.data, arrival->h, signature) == 0)
		return 0;
	reject(verdict, "signature", "the sender's signature does not hold for this header");
	return 1;
}

static int check_content(struct inbox *inbox, struct arrival *arrival, struct dw_verdict *verdict)
{
	const struct party *party = &inbox->options.parties->all[arrival->party];
	int r = sealing_opener_open(inbox->opener, arrival->header,
		BYTES_PB(arrival->item->envelope->content), party->seal, party->seal_count,
		inbox->arena, &arrival->content);
	switch (r) {
	case SEALING_NOT_FOR_US:
		reject(verdict, "sealing", "the content is not sealed for a key of the recipient");
		return 1;
	case SEALING_COMMITMENT:
		reject(verdict, "commitment", "the content is not what the header commits to");
		return 1;
	case SEALING_BROKEN:
	case SEALING_TOO_LARGE:
		reject(verdict, "sealing",
			"the content does not open, or does not match its header");
		return 1;
	default:
		return r;
	}
}

/* The sender learns the place and the rule; what stands there it knows. */
static int check_schema(struct inbox *inbox, struct arrival *arrival, struct dw_verdict *verdict)
{
	char text[sizeof(verdict->text)];
	struct schema_fault fault;
	int r = schemas_check(inbox->options.schemas, trust_registry(inbox->options.trust),
		BYTES_PB(arrival->header->service), arrival->content.body, &fault);
	switch (r) {
	case SCHEMA_FAULT:
		snprintf(text, sizeof(text), "%.95s%sit %.95s", fault.field,
			fault.field[0] ? ": " : "", fault.reason);
		for (char *p = text; *p; p++) /* a letter that was cut is no UTF-8 */
			*p = (char)((unsigned char)*p < 0x80 ? *p : '?');
		reject(verdict, "schema", text);
		return 1;
	case SCHEMA_ABSENT:
		verdict_set(verdict, DW_LATER, "schema-absent", "");
		verdict->delay_ms = SCHEMA_LATER_MS;
		return 1;
	default:
		return r;
	}
}

/* The keys that the content has for what is attached. */
static int keys_read(struct inbox *inbox, const struct arrival *arrival, struct dw_verdict *verdict,
	struct attachment_key keys[DW_ATTACHMENTS_MAX])
{
	for (size_t i = 0; i < arrival->header->n_attachments; i++) {
		int r = attachment_key_decode(arrival->content.fields, i, inbox->arena, &keys[i]);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		reject(verdict, "attachment",
			"the key of an attachment is not of the form that is asked for");
		return 1;
	}
	return 0;
}

static int check_attachments(
	struct inbox *inbox, struct arrival *arrival, struct dw_verdict *verdict)
{
	struct attachment_key keys[DW_ATTACHMENTS_MAX];
	struct fetch_want want = {
		.item = arrival->item,
		.party = arrival->party,
		.header = arrival->header,
		.keys = keys,
	};
	int r = keys_read(inbox, arrival, verdict, keys);
	if (r == 0)
		r = fetch_look(inbox->options.fetch, &want, arrival->attachments);
	else
		want.keys = NULL;
	secret_wipe(keys, sizeof(keys));
	if (r <= 0 || !want.keys)
		return r;
	arrival->waiting = r == FETCH_WAITING;
	if (r == FETCH_BROKEN)
		reject(verdict, "attachment", "an attachment is not what the message says");
	if (r == FETCH_MISSING)
		later(verdict, "attachment-missing", ATTACHMENT_LATER_MS);
	return 1;
}

static const uint8_t *sized(ProtobufCBinaryData field, size_t len)
{
	return field.len == len ? field.data : NULL;
}

static void delivery_fill(
	const struct inbox *inbox, const struct arrival *arrival, struct dw_delivery *ret)
{
	const Dienstweg__Header *header = arrival->header;
	*ret = (struct dw_delivery){
		.sequence = arrival->item->sequence,
		.recorded_ms = arrival->item->batch_ms,
		.attempt = arrival->item->attempt,
		.recipient = BYTES_STR(inbox->options.parties->names[arrival->party]),
		.kind = (enum dw_kind)header->kind,
		.sender = BYTES_PB(header->sender),
		.service = BYTES_PB(header->service),
		.region = BYTES_PB(header->region),
		.in_reply_to = sized(header->in_reply_to, HASH_SIZE),
		.content_type = BYTES_PB(header->content_type),
		.schema = BYTES_PB(header->schema),
		.body = arrival->content.body,
		.attachments = arrival->attachments,
		.attachments_count = header->n_attachments,
		.status = header->status,
		.channel = header->channel,
		.created_ms = header->created_ms,
	};
	memcpy(ret->h, arrival->h, HASH_SIZE);
	memcpy(ret->message_id, header->message_id.data, UUID_SIZE);
	memcpy(ret->case_id, header->case_id.data, CASE_ID_SIZE);
}

static int hand_over(struct inbox *inbox, const struct arrival *arrival, struct dw_verdict *verdict)
{
	struct dw_delivery delivery;
	delivery_fill(inbox, arrival, &delivery);
	return inbox->options.agency.to_agency(inbox->options.agency.context, &delivery, verdict);
}

static int again(struct inbox *inbox, const struct arrival *arrival, struct bytes value);

/* The same header bytes were taken before, whatever entry they had then. 0, 1 with the verdict told, -errno. */
static int check_taken(struct inbox *inbox, struct arrival *arrival)
{
	uint8_t key[TAKEN_KEY_MAX];
	struct bytes value, name = BYTES_STR(inbox->options.parties->names[arrival->party]);
	int r = store_get(inbox->options.store, STORE_TAKEN,
		taken_key(arrival->header->message_id.data, arrival->h, name, key), &value);
	if (r)
		return r < 0 ? r : 0;
	arrival->taken = true;
	r = again(inbox, arrival, value);
	return r ? r : 1;
}

/* What the header promises. */
static int check(struct inbox *inbox, struct arrival *arrival, struct dw_verdict *verdict)
{
	int r = check_signature(inbox, arrival, verdict);
	if (r == 0)
		r = check_content(inbox, arrival, verdict);
	return r ? r : check_schema(inbox, arrival, verdict);
}

static int examine(struct inbox *inbox, struct arrival *arrival, struct dw_verdict *verdict)
{
	int r = check_header(inbox, arrival, verdict);
	if (r == 0)
		r = check_taken(inbox, arrival);
	if (r == 0)
		r = check(inbox, arrival, verdict);
	if (r == 0)
		r = check_attachments(inbox, arrival, verdict);
	if (r == 0)
		r = hand_over(inbox, arrival, verdict);
	return r < 0 ? r : 0;
}

/* ---- verdicts ---- */

/* The broker refuses a batch with an impossible code or text, so none leaves. */
static void verdict_tidy(struct dw_verdict *verdict)
{
	verdict->code[sizeof(verdict->code) - 1] = '\0';
	verdict->text[sizeof(verdict->text) - 1] = '\0';
	if (verdict->disposition == DW_ACCEPTED) {
		verdict->code[0] = verdict->text[0] = '\0';
		return;
	}
	if (!text_is_name(BYTES_STR(verdict->code)))
		snprintf(verdict->code, sizeof(verdict->code), "%s",
			verdict->disposition == DW_LATER ? "later" : "rejected");
	for (char *p = verdict->text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	}
}

static void nak_add(
	struct inbox *inbox, const struct arrival *arrival, const struct dw_verdict *verdict)
{
	if (inbox->naks_count == NAKS_MAX)
		return;
	struct nak *nak = &inbox->naks[inbox->naks_count++];
	nak->party = arrival->party;
	nak->sequence = arrival->item->sequence;
	nak->bytes = item_bytes(arrival->item);
	nak->delay_ms = verdict->delay_ms;
	memcpy(nak->code, verdict->code, sizeof(nak->code));
	inbox->counts.later++;
}

static void ack(struct inbox *inbox, const struct arrival *arrival)
{
	struct ack_new new = {
		.party = arrival->party,
		.sequence = arrival->item->sequence,
		.delivered = true,
		.bytes = item_bytes(arrival->item),
	};
	memcpy(new.h, arrival->h, HASH_SIZE);
	acks_add(inbox->options.acks, &new);
}

static int verdict_put(struct inbox *inbox, const struct arrival *arrival, bool accepted,
	struct bytes code, struct bytes text)
{
	uint8_t key[INBOX_KEY_MAX], taken[TAKEN_KEY_MAX], buf[INBOX_ROW_MAX];
	struct bytes name = BYTES_STR(inbox->options.parties->names[arrival->party]);
	struct inbox_row row = {
		.accepted = accepted,
		.sequence = arrival->item->sequence,
		.code = code,
		.text = text,
	};
	struct bytes value = BYTES(buf, inbox_row_encode(&row, buf));
	int r = store_put(
		inbox->options.store, STORE_INBOX, inbox_key(arrival->h, name, key), value);
	if (r == 0 && arrival->header && !arrival->taken)
		r = store_put(inbox->options.store, STORE_TAKEN,
			taken_key(arrival->header->message_id.data, arrival->h, name, taken), value);
	if (r == 0)
		ack(inbox, arrival);
	return r;
}

static int decide(struct inbox *inbox, struct arrival *arrival)
{
	struct dw_verdict verdict = {};
	int r = examine(inbox, arrival, &verdict);
	if (r || arrival->taken || arrival->waiting)
		return r;
	verdict_tidy(&verdict);
	fetch_over(inbox->options.fetch, arrival->party, arrival->item->sequence,
		verdict.disposition == DW_LATER);
	switch (verdict.disposition) {
	case DW_ACCEPTED:
		inbox->counts.accepted++;
		break;
	case DW_REJECTED:
		log_warn("inbox", "a delivery is rejected",
			F_U64("sequence", arrival->item->sequence), F_STR("code", verdict.code));
		inbox->counts.rejected++;
		break;
	case DW_LATER:
		nak_add(inbox, arrival, &verdict);
		return 0;
	default:
		log_error("inbox", "to_agency() decided nothing");
		return -EINVAL;
	}
	return verdict_put(inbox, arrival, verdict.disposition == DW_ACCEPTED,
		BYTES_STR(verdict.code), BYTES_STR(verdict.text));
}

/* Handed over before: only the acknowledgement is missing, or it was lost with the bus's journal. */
static int again(struct inbox *inbox, const struct arrival *arrival, struct bytes value)
{
	struct inbox_row row;
	int r = inbox_row_decode(value, &row);
	if (r)
		return r;
	inbox->counts.again++;
	if (row.sequence == arrival->item->sequence && !arrival->taken) {
		ack(inbox, arrival);
		return 0;
	}
	if (arena_copy(inbox->arena, row.code, &row.code) ||
		arena_copy(inbox->arena, row.text, &row.text))
		return -ENOMEM;
	return verdict_put(inbox, arrival, row.accepted, row.code, row.text);
}

int inbox_take(struct inbox *inbox, const Dienstweg__Item *item)
{
	uint8_t key[INBOX_KEY_MAX];
	struct bytes value;
	struct arrival arrival = {
		.item = item,
		.party = parties_find(inbox->options.parties, BYTES_PB(item->party)),
	};
	if (arrival.party == PARTIES_NONE || acks_room(inbox->options.acks) == 0) {
		log_warn("inbox", "a delivery that was not asked for is left alone",
			F_U64("sequence", item->sequence));
		return 0;
	}
	arena_reset(inbox->arena);
	envelope_header_hash(BYTES_PB(item->envelope->header), arrival.h);
	struct bytes name = BYTES_STR(inbox->options.parties->names[arrival.party]);
	int r = store_get(
		inbox->options.store, STORE_INBOX, inbox_key(arrival.h, name, key), &value);
	if (r == 0)
		return again(inbox, &arrival, value);
	if (r < 0)
		return r;
	r = decide(inbox, &arrival);
	if (arrival.content.body.len > 0)
		arena_reset(inbox->arena);
	return r;
}

int inbox_replay(struct inbox *inbox, size_t party, const Dienstweg__Item *item)
{
	struct arrival arrival = {.item = item, .party = party};
	struct dw_verdict verdict = {};
	struct dw_delivery delivery;
	arena_reset(inbox->arena);
	envelope_header_hash(BYTES_PB(item->envelope->header), arrival.h);
	int r = check_header(inbox, &arrival, &verdict);
	if (r == 0)
		r = check(inbox, &arrival, &verdict);
	if (r > 0 && verdict.disposition == DW_LATER)
		return INBOX_LATER;
	if (r > 0)
		log_warn("inbox", "a replayed message does not pass the checks",
			F_U64("sequence", item->sequence), F_STR("code", verdict.code));
	if (r != 0)
		return r < 0 ? r : 0;
	delivery_fill(inbox, &arrival, &delivery);
	delivery.taken = item->attempt > 0;
	delivery.attachments_count = 0; /* they came with the delivery, and are not fetched again */
	return inbox->options.agency.replayed(inbox->options.agency.context, &delivery);
}

int inbox_resume(struct inbox *inbox)
{
	int r = 0;
	struct bytes bytes;
	while (r == 0 && acks_room(inbox->options.acks) > 0 &&
		(bytes = fetch_next(inbox->options.fetch)).len > 0) {
		arena_reset(inbox->resumed);
		Dienstweg__Item *item = dienstweg__item__unpack(
			arena_allocator(inbox->resumed), bytes.len, bytes.data);
		r = item ? inbox_take(inbox, item) : -ENOMEM;
	}
	return r;
}

/* ---- not now ---- */

static bool nak_alike(const struct nak *a, const struct nak *b)
{
	return a->party == b->party && a->delay_ms == b->delay_ms && strcmp(a->code, b->code) == 0;
}

int inbox_flush(struct inbox *inbox, struct client *client)
{
	size_t from = 0;
	while (from < inbox->naks_count) {
		uint64_t sequences[NAKS_MAX], bytes = 0;
		const struct nak *first = &inbox->naks[from];
		Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
		Dienstweg__Nak nak = DIENSTWEG__NAK__INIT;
		size_t count = 0;
		for (; from + count < inbox->naks_count && nak_alike(first, first + count); count++) {
			sequences[count] = first[count].sequence;
			bytes += first[count].bytes;
		}
		struct bytes name = BYTES_STR(inbox->options.parties->names[first->party]);
		nak.party = (ProtobufCBinaryData){
			.len = name.len, .data = (uint8_t *)(uintptr_t)name.data};
		nak.n_sequences = count;
		nak.sequences = sequences;
		nak.delay_ms = first->delay_ms;
		nak.reason = (ProtobufCBinaryData){
			.len = strlen(first->code), .data = (uint8_t *)(uintptr_t)first->code};
		frame.body_case = DIENSTWEG__FRAME__BODY_NAK;
		frame.nak = &nak;
		int r = client_send(client, &frame);
		if (r == 0)
			r = client_credit_add(client, count, bytes);
		if (r) {
			inbox->naks_count -= from;
			memmove(inbox->naks, first, inbox->naks_count * sizeof(*first));
			return r < 0 ? r : 0;
		}
		from += count;
	}
	inbox->naks_count = 0;
	return 0;
}
