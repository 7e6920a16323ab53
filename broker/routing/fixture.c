/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Tests of the rules want many small situations. The registry is a real one, loaded and verified, and
 * headers go through the strict parse, so that no test can put something before the rules that verify
 * would not. Only signatures are taken as said: the rules see facts about them, never bytes.
 */
#include "broker/routing/fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIXTURE_BUDGET = 64 << 20 };

static void must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "rules fixture: %s\n", what);
	abort();
}

static void *make(struct rules_fixture *f, size_t size)
{
	void *p = arena_zalloc(f->arena, size);
	must(p, "out of memory");
	return p;
}

static ProtobufCBinaryData copy(struct rules_fixture *f, struct bytes src)
{
	ProtobufCBinaryData ret = {.len = src.len, .data = make(f, src.len)};
	if (src.len)
		memcpy(ret.data, src.data, src.len);
	return ret;
}

static ProtobufCBinaryData word(struct rules_fixture *f, const char *text)
{
	return copy(f, BYTES_STR(text ? text : ""));
}

/* ---- the bus ---- */

static void add_registry(struct registry_fixture *r)
{
	registry_fixture_party(r, "city", NULL);
	registry_fixture_party(r, "jobcenter", NULL);
	registry_fixture_party(r, "ministry", NULL);
	registry_fixture_party(r, "cooperative", NULL);
	registry_fixture_party(r, "town", "cooperative");

	registry_fixture_service(r, "alg2.application");
	registry_fixture_service(r, "alg2.decision");
	Dienstweg__Service *service = registry_fixture_service(r, "figures");
	service->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	service = registry_fixture_service(r, "death.notice");
	service->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	service->event = true;

	Dienstweg__Agreement *a = registry_fixture_agreement(r, "a-alg2", "2021-07-01", NULL);
	registry_fixture_flow(r, a, "alg2.application", "city,town", "jobcenter", "05124");
	a = registry_fixture_agreement(r, "b-figures", "2021-07-01", NULL);
	a->quota_messages = 2;
	registry_fixture_flow(r, a, "figures", "city", "ministry", NULL);
	a = registry_fixture_agreement(r, "c-notice", "2021-07-01", NULL);
	registry_fixture_flow(r, a, "death.notice", "city", "jobcenter", NULL);
	registry_fixture_flow(r, a, "death.notice", "city", "ministry", NULL);
	a = registry_fixture_agreement(r, "d-reply", "2021-07-01", NULL);
	registry_fixture_flow(r, a, "alg2.decision", "jobcenter", "city", NULL);
}

void rules_fixture_init(struct rules_fixture *f)
{
	*f = (struct rules_fixture){
		.limits =
			{
				.refusals_per_minute = FIXTURE_REFUSALS,
				.backoff_min_ms = FIXTURE_BACKOFF_MIN_MS,
				.backoff_max_ms = FIXTURE_BACKOFF_MAX_MS,
				.queue_messages_max = 1000,
				.queue_bytes_max = 1 << 30,
			},
	};
	must(crypto_init() == 0, "no libsodium");
	f->parties = registry_fixture_new("test.demo");
	add_registry(f->parties);
	f->arena = arena_new(FIXTURE_BUDGET);
	must(f->arena && state_memory_new(&f->memory) == 0, "out of memory");
	f->rules = (struct rules){
		.version = RULES_VERSION,
		.state = state_memory_state(f->memory),
		.limits = &f->limits,
		.batch_ms = FIXTURE_NOW_MS,
		.arena = f->arena,
	};
	f->rules.effects_tail = &f->rules.effects;
	rules_fixture_adopt(f);
}

void rules_fixture_deinit(struct rules_fixture *f)
{
	registry_unref(f->registry);
	registry_fixture_free(f->parties);
	state_memory_free(f->memory);
	arena_free(f->arena);
}

void rules_fixture_adopt(struct rules_fixture *f)
{
	uint64_t version = f->registry ? registry_version(f->registry) + 1 : 1;
	struct registry *next = registry_fixture_load(f->parties, version, f->registry);
	registry_unref(f->registry);
	f->registry = next;
	f->rules.registry = next;
	must(rules_adopt_registry(&f->rules) == 0, "registry not adopted");
}

uint32_t rules_fixture_number(struct rules_fixture *f, const char *name)
{
	uint32_t number;
	must(rules_party_number(f->rules.state, BYTES_STR(name), &number) == 0 && number != 0, name);
	return number;
}

/* ---- messages and acknowledgements ---- */

static const Dienstweg__Key *active_key(
	struct rules_fixture *f, struct bytes party, enum key_use use)
{
	const Dienstweg__Party *found = registry_party(f->registry, party);
	const Dienstweg__Key *key = found ? registry_party_key(found, use) : NULL;
	must(key, "no such key");
	return key;
}

static void add_wraps(struct rules_fixture *f, const char *parties, Dienstweg__Header *header)
{
	header->sealed_recipients = make(f, (strlen(parties) + 1) * sizeof(ProtobufCBinaryData));
	while (*parties) {
		size_t len = strcspn(parties, ",");
		header->sealed_recipients[header->n_sealed_recipients++] = copy(
			f, BYTES_PB(active_key(f, BYTES(parties, len), KEY_SEAL)->id));
		parties += len + (parties[len] == ',');
	}
}

static void fill_header(
	struct rules_fixture *f, const struct fixture_message *m, Dienstweg__Header *header)
{
	uint8_t id[UUID_SIZE] = {[6] = 0x70, [8] = 0x80, [15] = m->id};
	uint64_t made_ms = m->made_ms ? m->made_ms : FIXTURE_NOW_MS;
	uint8_t case_id[16] = {m->case_id};
	uint8_t hash[HASH_SIZE] = {m->variant};
	for (size_t i = 0; i < 6; i++)
		id[i] = (uint8_t)(made_ms >> (40 - 8 * i));
	header->bus = word(f, "test.demo");
	header->message_id = copy(f, BYTES(id, sizeof(id)));
	header->kind = m->recipient || m->region ? DIENSTWEG__KIND__KIND_SUBMISSION
						 : DIENSTWEG__KIND__KIND_EVENT;
	if (m->kind != DIENSTWEG__KIND__KIND_UNSPECIFIED)
		header->kind = m->kind;
	if (m->in_reply_to)
		header->in_reply_to = copy(f, BYTES(m->in_reply_to, HASH_SIZE));
	header->sender = word(f, m->sender ? m->sender : "city");
	header->recipient = word(f, m->recipient);
	header->region = word(f, m->region);
	header->service = word(f, m->service ? m->service : "alg2.application");
	header->case_id = copy(f, BYTES(case_id, sizeof(case_id)));
	header->created_ms = FIXTURE_NOW_MS - 1000000;
	header->not_before_ms = m->not_before_ms;
	header->expires_ms = m->expires_ms;
	header->agreement = word(f, m->agreement);
	header->content_type = word(f, "text/plain");
	header->content_length = m->content_length ? m->content_length : 1000;
	header->content_hash = copy(f, BYTES(hash, sizeof(hash)));
	header->body_commitment = copy(f, BYTES(hash, sizeof(hash)));
	header->priority = m->priority;
	header->retention = m->retention;
	if (m->sealed_for)
		add_wraps(f, m->sealed_for, header);
}

struct submit_facts *rules_fixture_message(struct rules_fixture *f, const struct fixture_message *m)
{
	Dienstweg__Header header = DIENSTWEG__HEADER__INIT, *parsed;
	struct submit_facts *facts = make(f, sizeof(*facts));
	Dienstweg__Signature *signature = make(f, sizeof(*signature));
	const char *field = "";
	fill_header(f, m, &header);
	uint8_t *bytes = make(f, dienstweg__header__get_packed_size(&header));
	struct bytes packed = BYTES(bytes, dienstweg__header__pack(&header, bytes));
	must(envelope_header_parse(f->arena, packed, &parsed, &field) == ENVELOPE_OK, field);
	dienstweg__signature__init(signature);
	signature->key_id = copy(f, BYTES_PB(active_key(f, BYTES_PB(header.sender), KEY_SIGN)->id));
	signature->size = 1;
	*facts = (struct submit_facts){
		.field = "",
		.header = parsed,
		.header_bytes = packed,
		.signature = signature,
		.signature_ok = true,
		.content_length = header.content_length,
		.speaker = m->speaker ? BYTES_STR(m->speaker) : BYTES_PB(parsed->sender),
	};
	envelope_header_hash(packed, facts->h);
	return facts;
}

struct ack_facts *rules_fixture_acks(struct rules_fixture *f, const char *recipient,
	const struct fixture_ack *acks, size_t count)
{
	struct ack_facts *facts = make(f, sizeof(*facts));
	Dienstweg__AckBatch *batch = make(f, sizeof(*batch));
	dienstweg__ack_batch__init(batch);
	batch->recipient = word(f, recipient);
	batch->key_id = copy(f, BYTES_PB(active_key(f, BYTES_STR(recipient), KEY_SIGN)->id));
	batch->acks = make(f, count * sizeof(*batch->acks));
	for (size_t i = 0; i < count; i++) {
		Dienstweg__Ack *ack = make(f, sizeof(*ack));
		dienstweg__ack__init(ack);
		ack->sequence = acks[i].sequence;
		ack->h = copy(f, BYTES(acks[i].h, HASH_SIZE));
		ack->accepted = !acks[i].rejected;
		batch->acks[batch->n_acks++] = ack;
	}
	uint8_t *bytes = make(f, dienstweg__ack_batch__get_packed_size(batch));
	*facts = (struct ack_facts){
		.batch = batch,
		.batch_bytes = BYTES(bytes, dienstweg__ack_batch__pack(batch, bytes)),
		.form_ok = true,
		.signature_ok = true,
		.speaker = BYTES_PB(batch->recipient),
	};
	return facts;
}

struct cancel_facts *rules_fixture_cancels(struct rules_fixture *f, const char *sender,
	const struct fixture_cancel *items, size_t count)
{
	struct cancel_facts *facts = make(f, sizeof(*facts));
	Dienstweg__CancelBatch *batch = make(f, sizeof(*batch));
	dienstweg__cancel_batch__init(batch);
	batch->sender = word(f, sender);
	batch->reason = word(f, "mistake");
	batch->key_id = copy(f, BYTES_PB(active_key(f, BYTES_STR(sender), KEY_SIGN)->id));
	batch->items = make(f, count * sizeof(*batch->items));
	for (size_t i = 0; i < count; i++) {
		Dienstweg__CancelItem *item = make(f, sizeof(*item));
		dienstweg__cancel_item__init(item);
		item->message_id = copy(f, BYTES(items[i].message_id, UUID_SIZE));
		if (items[i].recipient)
			item->recipient = word(f, items[i].recipient);
		batch->items[batch->n_items++] = item;
	}
	uint8_t *bytes = make(f, dienstweg__cancel_batch__get_packed_size(batch));
	*facts = (struct cancel_facts){
		.batch = batch,
		.batch_bytes = BYTES(bytes, dienstweg__cancel_batch__pack(batch, bytes)),
		.form_ok = true,
		.signature_ok = true,
		.speaker = BYTES_PB(batch->sender),
	};
	return facts;
}

/* ---- running ---- */

struct submit_decision rules_fixture_submit(
	struct rules_fixture *f, const struct submit_facts *facts)
{
	struct submit_decision decision;
	must(rules_submit(&f->rules, facts, &decision) == 0, "rules_submit() failed");
	f->rules.sequence += decision.append;
	return decision;
}

struct ack_decision rules_fixture_acknowledge(struct rules_fixture *f, const struct ack_facts *facts)
{
	struct ack_decision decision;
	must(rules_acknowledge(&f->rules, facts, &decision) == 0, "rules_acknowledge() failed");
	f->rules.sequence += decision.append;
	return decision;
}

struct cancel_decision rules_fixture_cancel(struct rules_fixture *f,
	const struct cancel_facts *facts, const struct rules_item *items, size_t count)
{
	struct cancel_decision decision;
	must(rules_cancel(&f->rules, facts, items, count, &decision) == 0, "rules_cancel() failed");
	f->rules.sequence += decision.append;
	return decision;
}

struct items_decision rules_fixture_tick(struct rules_fixture *f)
{
	struct items_decision last = {}, decision;
	int handled;
	do {
		handled = rules_tick(&f->rules, 2, &f->cursor, &decision);
		must(handled >= 0, "rules_tick() failed");
		f->rules.sequence += decision.append;
		if (decision.append)
			last = decision;
	} while (handled > 0);
	return last;
}

const struct effect *rules_fixture_effects(struct rules_fixture *f)
{
	const struct effect *effects = f->rules.effects;
	f->rules.effects = NULL;
	f->rules.effects_tail = &f->rules.effects;
	return effects;
}
