/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Messages are signed and verified for real, because a journal that is only ever fed made-up facts is
 * tested with the same misunderstandings that it was written with.
 */
#include "broker/journal/test-fixture.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/note/cosignature.h"
#include "proto/receipt/receipt.h"
#include "proto/sealing/sealing.h"
#include "proto/signature/signature.h"

enum { FIXTURE_PARCELS = 4096, FIXTURE_ARENA = 64 << 20 };

#define DIE_UNLESS(cond) ((cond) ? (void)0 : die(__FILE__, __LINE__, #cond))

static void die(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
	exit(1);
}

/* ---- the journal ---- */

static void make_registry(struct journal_fixture *fixture, uint32_t quorum)
{
	struct registry_fixture *parties = registry_fixture_new("test.demo");
	Dienstweg__RegistryContent *content = registry_fixture_content(parties);
	static const char *const names[] = {"city", "town", "jobcenter", "ministry"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		registry_fixture_party(parties, names[i], NULL);
	Dienstweg__RetentionClass *class = malloc(sizeof(*class));
	Dienstweg__RetentionClass **classes = malloc(2 * sizeof(*classes));
	DIE_UNLESS(class && classes && content->n_classes == 1);
	dienstweg__retention_class__init(class);
	class->number = 2;
	class->name = registry_fixture_text(parties, BYTES_STR("long"));
	class->content_days = 90;
	class->record_days = 3650;
	classes[0] = content->classes[0];
	classes[1] = class;
	content->classes = classes;
	content->n_classes = 2;
	Dienstweg__Service *figures = registry_fixture_service(parties, "figures");
	Dienstweg__Service *notice = registry_fixture_service(parties, "notice");
	figures->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	notice->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	notice->retention = 2;
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		parties, "a-all", "2021-07-01", NULL);
	registry_fixture_flow(parties, agreement, "figures", "city,town", "ministry", NULL);
	registry_fixture_flow(parties, agreement, "notice", "city", "jobcenter", NULL);
	Dienstweg__Service *event = registry_fixture_service(parties, "event");
	event->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	event->event = true;
	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		registry_fixture_flow(parties, agreement, "event", "city", names[i], NULL);
	fixture->agreement = agreement;
	if (quorum > 0) {
		registry_fixture_witness(parties, "city");
		registry_fixture_witness(parties, "jobcenter");
		registry_fixture_witness(parties, "ministry");
		content->witness_quorum = quorum;
	}
	fixture->parties = parties;
	fixture->registry = registry_fixture_load(parties, 1, NULL);
}

static void note_failure(void *context, int error)
{
	struct journal_fixture *fixture = context;
	fixture->failed_error = error;
	DIE_UNLESS(eventfd_write(fixture->failed_fd, 1) == 0);
}

static int verify_again(void *context, struct parcel *parcel)
{
	return verify_parcel(context, parcel);
}

static void make_options(struct journal_fixture *fixture)
{
	fixture->options = (struct journal_options){
		.dir = fixture->dir,
		.map_bytes = UINT64_C(1) << 30,
		.fill_limit_percent = 90,
		.parcels_max = FIXTURE_PARCELS,
		.batch_parcels_max = 1024,
		.batch_messages_max = 4096,
		.fair_messages = 256,
		.limits =
			{
				.refusals_per_minute = 100,
				.backoff_min_ms = 1000,
				.backoff_max_ms = 60000,
				.queue_messages_max = 100000000,
				.queue_bytes_max = UINT64_C(1) << 40,
			},
		.bus = BYTES_STR("test.demo"),
		.software = "journal test 0",
		.log_keys = {registry_fixture_secret(fixture->parties, "test.demo", KEY_LOG)},
		.registry_pinned = true,
		.keyring = fixture->keyring,
		.clock = &fixture->clock,
		.done = fixture->done,
		.reverify = verify_again,
		.reverify_context = fixture->reverify,
		.failed = note_failure,
		.failed_context = fixture,
	};
	DIE_UNLESS(fixture->options.log_keys[0]);
}

static void make_path(char path[256], const char *dir, const char *name, const char *part)
{
	int n = snprintf(path, 256, "%s/%s/%s", dir, name, part);
	DIE_UNLESS(n > 0 && n < 256);
}

void journal_fixture_subscribe(struct journal_fixture *fixture, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char name[32];
		snprintf(name, sizeof(name), "subscriber-%02zu", i);
		registry_fixture_party(fixture->parties, name, NULL);
		registry_fixture_flow(
			fixture->parties, fixture->agreement, "event", "city", name, NULL);
	}
	registry_unref(fixture->registry);
	fixture->registry = registry_fixture_load(fixture->parties, 1, NULL);
}

void journal_fixture_ask(struct journal_fixture *fixture)
{
	Dienstweg__Service *question = registry_fixture_service(fixture->parties, "question");
	question->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	question->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	question->answer_s = 30;
	question->pending_max = 2;
	Dienstweg__Service *referral = registry_fixture_service(fixture->parties, "referral");
	referral->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	referral->overdue_ms = 60000;
	referral->due_soon_ms = 15000;
	registry_fixture_flow(fixture->parties, fixture->agreement, "question,referral", "city",
		"jobcenter", NULL);
	registry_unref(fixture->registry);
	fixture->registry = registry_fixture_load(fixture->parties, 1, NULL);
}

static void fixture_init(
	struct journal_fixture *fixture, const char *dir, const char *name, uint32_t quorum)
{
	uint8_t master[AEAD_KEY_SIZE];
	*fixture = (struct journal_fixture){};
	DIE_UNLESS(crypto_init() == 0);
	log_init("journal-test", LOG_ERROR, STDERR_FILENO);
	make_path(fixture->dir, dir, name, "journal");
	make_path(fixture->keys, dir, name, "keyring");
	make_path(fixture->master, dir, name, "master");
	DIE_UNLESS(dir_make(fixture->dir, 0700) == 0);
	random_fill(master, sizeof(master));
	DIE_UNLESS(file_replace(fixture->master, BYTES(master, sizeof(master)), 0600) == 0);
	DIE_UNLESS(keyring_open(fixture->keys, fixture->master, true, &fixture->keyring) == 0);
	clock_fake_init(&fixture->clock, FIXTURE_NOW_MS);
	DIE_UNLESS(queue_new(FIXTURE_PARCELS + JOURNAL_TICKS, &fixture->done) == 0);
	DIE_UNLESS(verify_state_new(NULL, &fixture->verify) == 0);
	DIE_UNLESS(verify_state_new(NULL, &fixture->reverify) == 0);
	fixture->failed_fd = eventfd(0, EFD_CLOEXEC);
	DIE_UNLESS(fixture->failed_fd >= 0);
	make_registry(fixture, quorum);
	make_options(fixture);
}

void journal_fixture_init(struct journal_fixture *fixture, const char *dir, const char *name)
{
	fixture_init(fixture, dir, name, 0);
}

void journal_fixture_init_witnessed(
	struct journal_fixture *fixture, const char *dir, const char *name, uint32_t quorum)
{
	fixture_init(fixture, dir, name, quorum);
}

void journal_fixture_deinit(struct journal_fixture *fixture)
{
	Dienstweg__RegistryContent *content = registry_fixture_content(fixture->parties);
	journal_free(fixture->journal);
	free(content->classes[1]);
	free(content->classes);
	content->n_classes = 0;
	registry_unref(fixture->registry);
	registry_fixture_free(fixture->parties);
	verify_state_free(fixture->verify);
	verify_state_free(fixture->reverify);
	queue_free(fixture->done);
	keyring_free(fixture->keyring);
	fd_close_at(&fixture->failed_fd);
}

int journal_fixture_open(struct journal_fixture *fixture)
{
	return journal_open(&fixture->options, fixture->registry, &fixture->journal, fixture->error,
		sizeof(fixture->error));
}

void journal_fixture_start(struct journal_fixture *fixture)
{
	int r = journal_fixture_open(fixture);
	if (r)
		fprintf(stderr, "journal_open: %d: %s\n", r, fixture->error);
	DIE_UNLESS(r == 0);
	DIE_UNLESS(journal_start(fixture->journal) == 0);
}

void journal_fixture_stop(struct journal_fixture *fixture)
{
	struct parcel *stop = journal_fixture_act(fixture, PARCEL_STOP);
	journal_fixture_run(fixture, stop);
	parcel_free(stop);
	DIE_UNLESS(journal_pending(fixture->journal) == 0);
	journal_free(fixture->journal);
	fixture->journal = NULL;
}

/* ---- witnesses ---- */

static void add_line(struct journal_fixture *fixture, const char *name, uint64_t time_s,
	uint8_t *buf, size_t *len)
{
	const struct key_secret *secret = registry_fixture_secret(
		fixture->parties, name, KEY_WITNESS);
	uint8_t line[COSIGNATURE_LINE_MAX], before[COSIGNED_NOTE_MAX];
	struct note_key key;
	DIE_UNLESS(secret);
	DIE_UNLESS(note_key_init_witness(&key, BYTES_STR(name), secret->pub.public) == 0);
	const uint8_t *end = memmem(buf, *len, "\n\n", 2);
	DIE_UNLESS(end);
	size_t line_len = cosignature_sign(
		BYTES(buf, end - buf + 1), time_s, &key, secret->ed25519, line);
	memcpy(before, buf, *len);
	DIE_UNLESS(cosignature_add(BYTES(before, *len), BYTES(line, line_len), buf, len) == 0);
}

size_t journal_fixture_cosign(struct journal_fixture *fixture, struct bytes note,
	const char *witnesses, uint64_t time_s, uint8_t *buf)
{
	size_t len = note.len;
	if (len > 0)
		memcpy(buf, note.data, len);
	else
		len = journal_checkpoint(fixture->journal, buf, COSIGNED_NOTE_MAX, NULL);
	while (*witnesses) {
		char name[64];
		int n = (int)strcspn(witnesses, ",");
		snprintf(name, sizeof(name), "%.*s", n, witnesses);
		add_line(fixture, name, time_s, buf, &len);
		witnesses += n + (witnesses[n] == ',');
	}
	return len;
}

struct parcel *journal_fixture_cosigned(
	struct journal_fixture *fixture, const char *witnesses, uint64_t time_s)
{
	uint8_t buf[COSIGNED_NOTE_MAX];
	struct parcel *parcel = journal_fixture_act(fixture, PARCEL_COSIGN);
	size_t len = journal_fixture_cosign(fixture, BYTES(NULL, 0), witnesses, time_s, buf);
	(void)journal_checkpoint(fixture->journal, (uint8_t[COSIGNED_NOTE_MAX]){0},
		COSIGNED_NOTE_MAX, &parcel->tree_size);
	DIE_UNLESS(arena_copy(parcel->arena, BYTES(buf, len), &parcel->checkpoint) == 0);
	return parcel;
}

/* ---- messages ---- */

static ProtobufCBinaryData pb_bytes(const void *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

static ProtobufCBinaryData pb_text(const char *text)
{
	return pb_bytes(text, strlen(text));
}

static void *need(struct parcel *parcel, size_t size)
{
	void *room = arena_zalloc(parcel->arena, size);
	DIE_UNLESS(room);
	return room;
}

static void make_envelope(struct journal_fixture *fixture, const struct fixture_load *load,
	struct parcel *parcel, Dienstweg__Envelope *envelope)
{
	Dienstweg__Header header = DIENSTWEG__HEADER__INIT;
	uint8_t id[UUID_SIZE], *body = need(parcel, load->content_bytes), *packed;
	bool notice = load->service && strcmp(load->service, "notice") == 0;
	bool event = load->service && strcmp(load->service, "event") == 0;
	uint64_t now_ms = clock_wall_ms(&fixture->clock);
	struct bytes content;
	uuid_next(&fixture->ids, now_ms, id);
	if (load->message_id)
		memcpy(id, load->message_id, UUID_SIZE);
	random_fill(body, load->content_bytes);
	for (size_t i = 0; load->text && i < load->content_bytes; i++)
		body[i] = (uint8_t)load->text[i % strlen(load->text)];
	header.bus = pb_text("test.demo");
	header.message_id = pb_bytes(id, UUID_SIZE);
	header.kind = DIENSTWEG__KIND__KIND_SUBMISSION;
	header.sender = pb_text(load->sender ? load->sender : "city");
	header.recipient = pb_text(event ? "" : notice ? "jobcenter" : "ministry");
	if (load->recipient)
		header.recipient = pb_text(load->recipient);
	header.service = pb_text(load->service ? load->service : "figures");
	if (event)
		header.kind = DIENSTWEG__KIND__KIND_EVENT;
	if (load->kind != DIENSTWEG__KIND__KIND_UNSPECIFIED)
		header.kind = load->kind;
	if (load->in_reply_to)
		header.in_reply_to = pb_bytes(load->in_reply_to, HASH_SIZE);
	header.case_id = pb_bytes(need(parcel, 16), 16);
	random_fill(header.case_id.data, 16);
	if (load->case_id)
		memcpy(header.case_id.data, load->case_id, 16);
	header.created_ms = now_ms;
	header.not_before_ms = load->not_before_ms;
	header.expires_ms = load->expires_ms;
	header.agreement = pb_text("a-all");
	header.content_type = pb_text("application/x-protobuf");
	header.schema = pb_text("dienstweg.case/0");
	header.priority = 1;
	if (load->padding > 0) {
		header.n_attachments = load->padding;
		header.attachments = need(parcel, load->padding * sizeof(*header.attachments));
		for (size_t i = 0; i < load->padding; i++) {
			header.attachments[i] = need(parcel, sizeof(**header.attachments));
			dienstweg__attachment__init(header.attachments[i]);
			header.attachments[i]->digest = pb_bytes(need(parcel, 32), 32);
			header.attachments[i]->size = 1000;
		}
	}
	Dienstweg__Attachment attached = DIENSTWEG__ATTACHMENT__INIT, *list[] = {&attached};
	if (load->attached) {
		attached.digest = pb_bytes(load->attached, HASH_SIZE);
		attached.size = load->attached_bytes;
		header.attachments = list;
		header.n_attachments = 1;
	}
	DIE_UNLESS(sealing_seal(NULL, &header, BYTES(body, load->content_bytes), NULL, 0,
			   parcel->arena, &content) == 0);
	packed = need(parcel, dienstweg__header__get_packed_size(&header));
	dienstweg__envelope__init(envelope);
	envelope->header = pb_bytes(packed, dienstweg__header__pack(&header, packed));
	envelope->content = pb_bytes(content.data, content.len);
}

static void sign_envelopes(struct journal_fixture *fixture, const struct fixture_load *load,
	struct parcel *parcel, Dienstweg__Envelope **envelopes, size_t count)
{
	uint8_t h[BATCH_MAX][HASH_SIZE];
	Dienstweg__Signature *signatures = need(parcel, count * sizeof(*signatures));
	const struct key_secret *key = registry_fixture_secret(
		fixture->parties, load->sender ? load->sender : "city", KEY_SIGN);
	for (size_t i = 0; i < count; i++) {
		envelope_header_hash(BYTES_PB(envelopes[i]->header), h[i]);
		h[i][0] ^= load->bad_signature;
		dienstweg__signature__init(&signatures[i]);
		envelopes[i]->signature = &signatures[i];
	}
	DIE_UNLESS(signature_sign(SIGNATURE_MESSAGE, BYTES_STR("test.demo"), key,
			   (const uint8_t(*)[HASH_SIZE])h, count, signatures, parcel->arena) == 0);
}

struct parcel *journal_fixture_act(struct journal_fixture *fixture, enum parcel_kind kind)
{
	struct parcel *parcel;
	(void)fixture;
	DIE_UNLESS(parcel_new(kind, FIXTURE_ARENA, &parcel) == 0);
	return parcel;
}

static struct parcel *new_parcel(
	struct journal_fixture *fixture, enum parcel_kind kind, const char *speaker)
{
	struct parcel *parcel = journal_fixture_act(fixture, kind);
	parcel->registry = fixture->journal ? journal_registry(fixture->journal)
					    : registry_ref(fixture->registry);
	snprintf(parcel->origin.speaker, sizeof(parcel->origin.speaker), "%s", speaker);
	parcel->origin.speaker_number = speaker[0]; /* any small number will do */
	return parcel;
}

struct parcel *journal_fixture_submit(
	struct journal_fixture *fixture, const struct fixture_load *load)
{
	struct parcel *parcel = new_parcel(
		fixture, PARCEL_SUBMIT, load->sender ? load->sender : "city");
	Dienstweg__Envelope **envelopes = need(parcel, load->count * sizeof(*envelopes));
	parcel->submits = need(parcel, load->count * sizeof(*parcel->submits));
	parcel->submits_count = load->count;
	for (size_t i = 0; i < load->count; i++) {
		envelopes[i] = parcel->submits[i].envelope = need(parcel, sizeof(**envelopes));
		make_envelope(fixture, load, parcel, envelopes[i]);
	}
	for (size_t at = 0; at < load->count; at += BATCH_MAX) {
		size_t left = load->count - at;
		sign_envelopes(
			fixture, load, parcel, envelopes + at, left < BATCH_MAX ? left : BATCH_MAX);
	}
	DIE_UNLESS(verify_parcel(fixture->verify, parcel) == 0);
	return parcel;
}

struct parcel *journal_fixture_resend(struct journal_fixture *fixture, const struct parcel *sent)
{
	struct parcel *parcel = new_parcel(fixture, PARCEL_SUBMIT, sent->origin.speaker);
	parcel->submits = need(parcel, sent->submits_count * sizeof(*parcel->submits));
	parcel->submits_count = sent->submits_count;
	for (size_t i = 0; i < sent->submits_count; i++) {
		size_t size = dienstweg__envelope__get_packed_size(sent->submits[i].envelope);
		uint8_t *packed = need(parcel, size);
		dienstweg__envelope__pack(sent->submits[i].envelope, packed);
		parcel->submits[i].envelope = dienstweg__envelope__unpack(
			arena_allocator(parcel->arena), size, packed);
		DIE_UNLESS(parcel->submits[i].envelope);
	}
	DIE_UNLESS(verify_parcel(fixture->verify, parcel) == 0);
	return parcel;
}

void journal_fixture_resign(struct journal_fixture *fixture, struct parcel *parcel)
{
	struct fixture_load load = {.sender = parcel->origin.speaker};
	for (size_t i = 0; i < parcel->submits_count; i++)
		sign_envelopes(fixture, &load, parcel, &parcel->submits[i].envelope, 1);
	DIE_UNLESS(verify_parcel(fixture->verify, parcel) == 0);
}

/* ---- acknowledgements ---- */

static void make_acks(struct journal_fixture *fixture, const char *recipient, struct parcel *parcel,
	struct parcel_ack *ack, const struct parcel_submit *submits, size_t count)
{
	uint8_t items[BATCH_MAX][HASH_SIZE];
	Dienstweg__Signature *signatures = need(parcel, count * sizeof(*signatures));
	const struct key_secret *key = registry_fixture_secret(
		fixture->parties, recipient, KEY_SIGN);
	Dienstweg__AckBatch *batch = need(parcel, sizeof(*batch));
	const struct bytes none = {};
	dienstweg__ack_batch__init(batch);
	batch->recipient = pb_text(recipient);
	batch->key_id = pb_bytes(key->pub.id, KEY_ID_SIZE);
	batch->acks = need(parcel, count * sizeof(*batch->acks));
	batch->n_acks = count;
	for (size_t i = 0; i < count; i++) {
		Dienstweg__Ack *one = batch->acks[i] = need(parcel, sizeof(*one));
		dienstweg__ack__init(one);
		dienstweg__signature__init(&signatures[i]);
		one->sequence = submits[i].proof.sequence;
		one->h = pb_bytes(submits[i].facts.h, HASH_SIZE);
		one->accepted = true;
		acknowledgement_digest(BYTES_STR("test.demo"), BYTES_STR(recipient), one->sequence,
			one->h.data, true, none, none, items[i]);
	}
	DIE_UNLESS(
		signature_sign(SIGNATURE_ACK, BYTES_STR("test.demo"), key,
			(const uint8_t(*)[HASH_SIZE])items, count, signatures, parcel->arena) == 0);
	batch->root = signatures[0].root;
	uint8_t *packed = need(parcel, dienstweg__ack_batch__get_packed_size(batch));
	size_t len = dienstweg__ack_batch__pack(batch, packed);
	ack->batch = dienstweg__ack_batch__unpack(arena_allocator(parcel->arena), len, packed);
	DIE_UNLESS(ack->batch);
	ack->facts.batch = ack->batch;
	ack->facts.batch_bytes = BYTES(packed, len);
}

struct parcel *journal_fixture_acks(
	struct journal_fixture *fixture, const char *recipient, const struct parcel *sent)
{
	struct parcel *parcel = new_parcel(fixture, PARCEL_ACKNOWLEDGE, recipient);
	size_t batches = (sent->submits_count + BATCH_MAX - 1) / BATCH_MAX;
	parcel->acks = need(parcel, batches * sizeof(*parcel->acks));
	parcel->acks_count = batches;
	for (size_t i = 0; i < batches; i++) {
		size_t left = sent->submits_count - i * BATCH_MAX;
		make_acks(fixture, recipient, parcel, &parcel->acks[i],
			sent->submits + i * BATCH_MAX, left < BATCH_MAX ? left : BATCH_MAX);
	}
	DIE_UNLESS(verify_parcel(fixture->verify, parcel) == 0);
	return parcel;
}

/* ---- cancellations ---- */

static void cancel_fill(struct journal_fixture *fixture, struct parcel *parcel,
	Dienstweg__CancelBatch *batch, const char *sender)
{
	uint8_t digests[BATCH_MAX][HASH_SIZE];
	Dienstweg__Signature *signatures = need(parcel, BATCH_MAX * sizeof(*signatures));
	const struct key_secret *key = registry_fixture_secret(fixture->parties, sender, KEY_SIGN);
	batch->sender = pb_text(sender);
	batch->reason = pb_text("mistake");
	batch->key_id = pb_bytes(key->pub.id, KEY_ID_SIZE);
	for (size_t i = 0; i < batch->n_items; i++)
		cancellation_digest(BYTES_STR("test.demo"), BYTES_STR(sender),
			batch->items[i]->message_id.data, BYTES_PB(batch->items[i]->recipient),
			BYTES_PB(batch->reason), digests[i]);
	DIE_UNLESS(signature_sign(SIGNATURE_CANCEL, BYTES_STR("test.demo"), key,
			   (const uint8_t(*)[HASH_SIZE])digests, batch->n_items, signatures,
			   parcel->arena) == 0);
	batch->root = signatures[0].root;
}

struct parcel *journal_fixture_cancel(struct journal_fixture *fixture, const char *sender,
	const struct parcel *sent, size_t count, const char *recipient)
{
	struct parcel *parcel = new_parcel(fixture, PARCEL_CANCEL, sender);
	Dienstweg__CancelBatch *batch = need(parcel, sizeof(*batch));
	dienstweg__cancel_batch__init(batch);
	batch->items = need(parcel, count * sizeof(*batch->items));
	for (size_t i = 0; i < count; i++) {
		Dienstweg__CancelItem *item = need(parcel, sizeof(*item));
		dienstweg__cancel_item__init(item);
		item->message_id = sent->submits[i].facts.header->message_id;
		if (recipient)
			item->recipient = pb_text(recipient);
		batch->items[batch->n_items++] = item;
	}
	cancel_fill(fixture, parcel, batch, sender);
	uint8_t *packed = need(parcel, dienstweg__cancel_batch__get_packed_size(batch));
	size_t len = dienstweg__cancel_batch__pack(batch, packed);
	parcel->cancel = need(parcel, sizeof(*parcel->cancel));
	parcel->cancel->batch = dienstweg__cancel_batch__unpack(
		arena_allocator(parcel->arena), len, packed);
	DIE_UNLESS(parcel->cancel->batch);
	parcel->cancel->facts.batch = parcel->cancel->batch;
	parcel->cancel->facts.batch_bytes = BYTES(packed, len);
	DIE_UNLESS(verify_parcel(fixture->verify, parcel) == 0);
	return parcel;
}

/* ---- waiting ---- */

struct parcel *journal_fixture_wait(struct journal_fixture *fixture)
{
	void *item;
	DIE_UNLESS(queue_wait(fixture->done, FIXTURE_WAIT_MS));
	DIE_UNLESS(queue_pop_all(fixture->done, &item, 1) == 1);
	return item;
}

/* Confirmations and cosignatures wait for company: an act about nothing is company enough. */
static struct parcel *company_of(struct journal_fixture *fixture, const struct parcel *parcel)
{
	return parcel->kind == PARCEL_CONFIRM || parcel->kind == PARCEL_COSIGN
		       ? journal_fixture_act(fixture, PARCEL_EXPIRE)
		       : NULL;
}

void journal_fixture_run(struct journal_fixture *fixture, struct parcel *parcel)
{
	struct parcel *company = company_of(fixture, parcel);
	size_t left = company ? 2 : 1;
	journal_push(fixture->journal, parcel);
	if (company)
		journal_push(fixture->journal, company);
	while (left > 0) {
		struct parcel *back = journal_fixture_wait(fixture);
		if (back == parcel || back == company) {
			left--;
			continue;
		}
		DIE_UNLESS(back->kind == PARCEL_TICK);
		journal_return(fixture->journal, back);
	}
	parcel_free(company);
}

/* An act about nothing goes around once more, until the state has come in between. */
void journal_fixture_wait_state(struct journal_fixture *fixture, uint64_t size)
{
	uint64_t until_ns = clock_mono_ns(clock_system()) + FIXTURE_WAIT_MS * UINT64_C(1000000);
	while (journal_state_covered(fixture->journal) < size) {
		DIE_UNLESS(clock_mono_ns(clock_system()) < until_ns);
		struct parcel *nothing = journal_fixture_act(fixture, PARCEL_EXPIRE);
		journal_fixture_run(fixture, nothing);
		parcel_free(nothing);
	}
}

int journal_fixture_wait_failed(struct journal_fixture *fixture)
{
	struct pollfd wait = {.fd = fixture->failed_fd, .events = POLLIN};
	DIE_UNLESS(poll(&wait, 1, FIXTURE_WAIT_MS) == 1);
	return fixture->failed_error;
}

/* ---- receipts ---- */

static Dienstweg__Receipt receipt_of(const struct parcel_submit *submit)
{
	const struct parcel_proof *proof = &submit->proof;
	Dienstweg__Receipt receipt = DIENSTWEG__RECEIPT__INIT;
	receipt.h = pb_bytes(submit->facts.h, HASH_SIZE);
	receipt.sequence = proof->sequence;
	receipt.batch_ms = proof->batch_ms;
	receipt.registry_version = proof->registry_version;
	receipt.nonce = pb_bytes(proof->nonce, sizeof(proof->nonce));
	receipt.private_digest = pb_bytes(proof->private_digest, sizeof(proof->private_digest));
	receipt.class_ = proof->class;
	receipt.path = (uint32_t *)(uintptr_t)proof->path;
	receipt.n_path = proof->path_count;
	receipt.signature = submit->recorded_signature;
	return receipt;
}

static Dienstweg__AckReceipt ack_receipt_of(const struct parcel_ack *ack, uint8_t digest[HASH_SIZE])
{
	const struct parcel_proof *proof = &ack->proof;
	Dienstweg__AckReceipt receipt = DIENSTWEG__ACK_RECEIPT__INIT;
	receipt_ack_batch_digest(ack->facts.batch_bytes, digest);
	receipt.digest = pb_bytes(digest, HASH_SIZE);
	receipt.sequence = proof->sequence;
	receipt.batch_ms = proof->batch_ms;
	receipt.registry_version = proof->registry_version;
	receipt.nonce = pb_bytes(proof->nonce, sizeof(proof->nonce));
	receipt.private_digest = pb_bytes(proof->private_digest, sizeof(proof->private_digest));
	receipt.class_ = proof->class;
	receipt.path = (uint32_t *)(uintptr_t)proof->path;
	receipt.n_path = proof->path_count;
	return receipt;
}

static bool has_receipt(const struct submit_decision *decision)
{
	return decision->result == SUBMIT_ACCEPTED ||
	       (decision->result == SUBMIT_DUPLICATE &&
		       decision->earlier_kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED);
}

size_t journal_fixture_check_receipts(struct journal_fixture *fixture, const struct parcel *parcel)
{
	_cleanup_(receipt_checker_free) struct receipt_checker *checker = NULL;
	struct checkpoint checkpoint;
	struct note_key key;
	size_t count = 0;
	const char *origin = journal_origin(fixture->journal);
	DIE_UNLESS(note_key_init(
			   &key, BYTES_STR(origin), fixture->options.log_keys[0]->pub.public) == 0);
	DIE_UNLESS(checkpoint_open(parcel->checkpoint, &key, 1, origin, &checkpoint) == 0);
	DIE_UNLESS(checkpoint.size == parcel->tree_size);
	DIE_UNLESS(receipt_checker_new(&checker) == 0);
	DIE_UNLESS(receipt_checker_start(checker, &checkpoint,
			   BYTES(parcel->nodes, parcel->nodes_count * HASH_SIZE)) == 0);
	for (size_t i = 0; i < parcel->submits_count; i++) {
		const struct parcel_submit *submit = &parcel->submits[i];
		uint8_t core[SIGNATURE_CORE_MAX];
		Dienstweg__Receipt receipt = receipt_of(submit);
		if (!has_receipt(&submit->decision))
			continue;
		size_t len = signature_core(submit->envelope->signature, core);
		DIE_UNLESS(receipt_check_message(
				   checker, &receipt, submit->facts.h, BYTES(core, len)) == 0);
		count++;
	}
	for (size_t i = 0; i < parcel->acks_count; i++) {
		uint8_t digest[HASH_SIZE];
		Dienstweg__AckReceipt receipt = ack_receipt_of(&parcel->acks[i], digest);
		if (!parcel->acks[i].decision.append)
			continue;
		DIE_UNLESS(receipt_check_ack(checker, &receipt, digest) == 0);
		count++;
	}
	return count;
}
