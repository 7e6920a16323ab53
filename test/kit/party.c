/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The SDK hides what goes over the wire, and rightly so; tests of bad input and of load need the opposite:
 * every envelope made here, byte by byte, and every answer seen as it came.
 */
#include "test/kit/party.h"

#include <poll.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/identity/uuid.h"
#include "proto/receipt/receipt.h"
#include "test/kit/check.h"

enum { ARENA_BUDGET = 64 << 20, CREDIT_MESSAGES = 4096, CREDIT_BYTES = 64 << 20 };

static ProtobufCBinaryData pb(struct bytes b)
{
	return (ProtobufCBinaryData){.len = b.len, .data = (uint8_t *)(uintptr_t)b.data};
}

static void text_of(ProtobufCBinaryData field, char *buf, size_t size)
{
	snprintf(buf, size, "%.*s", (int)field.len, field.data ? (const char *)field.data : "");
}

/* Room for one more at the end of a list; zeroed. */
static void *grow(void *list, size_t *count, size_t *room, size_t size)
{
	void **items = list;

	if (*count == *room) {
		*room = *room ? *room * 2 : 64;
		*items = realloc(*items, *room * size);
		CHECK(*items);
	}
	void *item = (uint8_t *)*items + (*count)++ * size;
	memset(item, 0, size);
	return item;
}

static void answer_take(struct party *party, const Dienstweg__Answer *answer)
{
	struct party_answer *a;
#define NEW_ANSWER(k)                                                                              \
	a = grow(&party->answers, &party->answers_count, &party->answers_room, sizeof(*a));        \
	a->kind = (k)
	for (size_t i = 0; i < answer->n_receipts; i++) {
		NEW_ANSWER(ANSWER_RECEIPT);
		CHECK_INT(answer->receipts[i]->h.len, 32);
		memcpy(a->h, answer->receipts[i]->h.data, 32);
		a->sequence = answer->receipts[i]->sequence;
	}
	for (size_t i = 0; i < answer->n_refusals; i++) {
		NEW_ANSWER(ANSWER_REFUSAL);
		if (answer->refusals[i]->h.len == 32)
			memcpy(a->h, answer->refusals[i]->h.data, 32);
		a->sequence = answer->refusals[i]->sequence;
		text_of(answer->refusals[i]->code, a->code, sizeof(a->code));
		text_of(answer->refusals[i]->field, a->field, sizeof(a->field));
		text_of(answer->refusals[i]->detail, a->detail, sizeof(a->detail));
	}
	for (size_t i = 0; i < answer->n_deferrals; i++) {
		NEW_ANSWER(ANSWER_DEFERRAL);
		if (answer->deferrals[i]->h.len == 32)
			memcpy(a->h, answer->deferrals[i]->h.data, 32);
		text_of(answer->deferrals[i]->reason, a->code, sizeof(a->code));
		text_of(answer->deferrals[i]->field, a->field, sizeof(a->field));
		text_of(answer->deferrals[i]->detail, a->detail, sizeof(a->detail));
	}
	if (answer->frame) {
		NEW_ANSWER(ANSWER_FRAME_DEFERRAL);
		a->sequence = answer->frame->number;
		text_of(answer->frame->reason, a->code, sizeof(a->code));
	}
#undef NEW_ANSWER
}

/* Opens what came as an adapter would: signature, commitment, seal. */
static void delivery_open(
	struct party *party, const Dienstweg__Envelope *envelope, struct party_delivery *d)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BUDGET);
	Dienstweg__Header *header;
	const Dienstweg__Party *owner;
	const char *field;
	struct bytes body, content = BYTES_PB(envelope->content);

	envelope_header_hash(BYTES_PB(envelope->header), d->h);
	if (envelope_header_parse(arena, BYTES_PB(envelope->header), &header, &field))
		return;
	memcpy(d->message_id, header->message_id.data, 16);
	text_of(header->sender, d->sender, sizeof(d->sender));
	const Dienstweg__Key *key = registry_key(
		party->bus->registry, BYTES_PB(envelope->signature->key_id), &owner);
	if (!key || !owner || !bytes_equal(BYTES_PB(owner->name), BYTES_PB(header->sender)))
		return;
	if (signature_verify(NULL, SIGNATURE_MESSAGE, BYTES_STR("test.demo"), key->public_.data,
		    d->h, envelope->signature))
		return;
	if (sealing_open(header, content, &party->seal, 1, arena, &body))
		return;
	d->opened = true;
	d->body_len = body.len;
	d->body = malloc(body.len + 1);
	CHECK(d->body);
	memcpy(d->body, body.data, body.len);
	d->body[body.len] = '\0';
}

static void deliver_take(struct party *party, const Dienstweg__Deliver *deliver)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < deliver->n_items; i++) {
		const Dienstweg__Item *item = deliver->items[i];
		if (item->outcome) {
			struct party_outcome *o = grow(&party->outcomes, &party->outcomes_count,
				&party->outcomes_room, sizeof(*o));
			o->entry = item->sequence;
			o->sequence = item->outcome->message_sequence;
			CHECK_INT(item->outcome->h.len, 32);
			memcpy(o->h, item->outcome->h.data, 32);
			text_of(item->outcome->recipient, o->recipient, sizeof(o->recipient));
			text_of(item->outcome->state, o->state, sizeof(o->state));
			text_of(item->outcome->code, o->code, sizeof(o->code));
			continue;
		}
		CHECK(item->envelope);
		struct party_delivery *d = grow(&party->deliveries, &party->deliveries_count,
			&party->deliveries_room, sizeof(*d));
		d->sequence = item->sequence;
		d->attempt = item->attempt;
		text_of(item->party, d->recipient, sizeof(d->recipient));
		d->session = party->sessions;
		bytes += item->envelope->header.len + item->envelope->content.len;
		delivery_open(party, item->envelope, d);
	}
	CHECK(client_credit_add(party->client, deliver->n_items, bytes) >= 0);
}

static void frame_take(void *context, const Dienstweg__Frame *frame)
{
	struct party *party = context;

	if (party->on_frame) {
		party->on_frame(party->on_frame_context, frame);
		return;
	}
	switch (frame->body_case) {
	case DIENSTWEG__FRAME__BODY_ANSWER:
		answer_take(party, frame->answer);
		break;
	case DIENSTWEG__FRAME__BODY_DELIVER:
		deliver_take(party, frame->deliver);
		break;
	case DIENSTWEG__FRAME__BODY_ACKNOWLEDGED:
		party->acknowledged_count += frame->acknowledged->n_states;
		break;
	case DIENSTWEG__FRAME__BODY_ERROR:
		text_of(frame->error->code, party->error, sizeof(party->error));
		break;
	default:
		break;
	}
}

static void session_lost(void *context, const char *why)
{
	struct party *party = context;
	(void)why;
	party->lost = true;
	party->sessions++;
	party->acknowledged_to = party->deliveries_count; /* they come again */
}

void party_init(struct party *party, const struct bus *bus, const char *name)
{
	*party = (struct party){.bus = bus};
	snprintf(party->name, sizeof(party->name), "%s", name);
	party->names[0] = party->name;
	party->names_count = 1;
	party->sign = registry_fixture_secret(bus->fixture, name, KEY_SIGN);
	party->seal = registry_fixture_secret(bus->fixture, name, KEY_SEAL);
	party->transport = registry_fixture_secret(bus->fixture, name, KEY_TRANSPORT);
	party->uuids = calloc(1, sizeof(*party->uuids));
	party->arena = arena_new(ARENA_BUDGET);
	CHECK(party->sign && party->seal && party->transport && party->uuids && party->arena);
}

void party_deinit(struct party *party)
{
	client_free(party->client);
	arena_free(party->arena);
	for (size_t i = 0; i < party->deliveries_count; i++)
		free(party->deliveries[i].body);
	free(party->deliveries);
	free(party->answers);
	free(party->outcomes);
	free(party->uuids);
	*party = (struct party){0};
}

void party_dial(struct party *party, const char *endpoint)
{
	struct client_options options = {
		.endpoint = endpoint ? endpoint : party->bus->endpoint,
		.transport_key = party->transport,
		.parties = party->names,
		.parties_count = party->names_count,
		.software = "test-party",
		.clock = clock_system(),
		.credit_messages = party->no_credit ? 0 : CREDIT_MESSAGES,
		.credit_bytes = party->no_credit ? 0 : CREDIT_BYTES,
		.ping_ms = party->ping_ms,
		.reconnect_min_ms = party->reconnect_ms,
		.reconnect_max_ms = party->reconnect_ms,
	};
	struct client_handler handler = {
		.context = party, .frame = frame_take, .lost = session_lost};
	const struct key_secret *door = registry_fixture_secret(
		party->bus->fixture, "test.demo", KEY_TRANSPORT);

	memcpy(options.broker_key, door->pub.public, BOX_KEY_SIZE);
	CHECK_INT(client_new(&options, &handler, &party->client), 0);
	party->submit_number = 0;
	party->lost = false;
}

void party_connect(struct party *party, const char *endpoint)
{
	party_dial(party, endpoint);
	party_until(party, client_state(party->client) == CLIENT_READY, 20000);
	party->lost = false;
}

void party_disconnect(struct party *party)
{
	client_free(party->client);
	party->client = NULL;
}

void party_step(struct party *party, int wait_ms)
{
	struct pollfd p = {.fd = client_fd(party->client), .events = POLLIN};
	int timeout = client_timeout_ms(party->client);

	if (timeout < 0 || timeout > wait_ms)
		timeout = wait_ms;
	if (timeout > 0)
		poll(&p, 1, timeout);
	CHECK(client_step(party->client) >= 0);
	if (party->manual || party->on_frame)
		party->acknowledged_to = party->deliveries_count;
	party->acknowledged_to += party_acknowledge(party, party->acknowledged_to,
		party->deliveries_count - party->acknowledged_to, NULL);
}

static void header_fill(struct party *party, const struct party_draft *draft,
	Dienstweg__Header *header, struct arena *arena)
{
	uint8_t *id = arena_alloc(arena, 16), *case_id = arena_alloc(arena, 16);
	uint64_t now = clock_wall_ms(clock_system());

	CHECK(id && case_id);
	uuid_next(party->uuids, now, id);
	random_fill(case_id, 16);
	dienstweg__header__init(header);
	header->bus = pb(BYTES_STR("test.demo"));
	header->message_id = pb(BYTES(draft->message_id ? draft->message_id : id, 16));
	header->kind = draft->event ? DIENSTWEG__KIND__KIND_EVENT : DIENSTWEG__KIND__KIND_SUBMISSION;
	if (draft->kind)
		header->kind = (Dienstweg__Kind)draft->kind;
	if (draft->in_reply_to)
		header->in_reply_to = pb(BYTES(draft->in_reply_to, 32));
	header->sender = pb(BYTES_STR(party->name));
	if (draft->recipient)
		header->recipient = pb(BYTES_STR(draft->recipient));
	if (draft->region)
		header->region = pb(BYTES_STR(draft->region));
	header->service = pb(BYTES_STR(draft->service ? draft->service : "alg2.application"));
	header->case_id = pb(BYTES(draft->case_id ? draft->case_id : case_id, 16));
	header->created_ms = now;
	header->expires_ms = draft->expires_ms;
	header->not_before_ms = draft->not_before_ms;
	header->content_type = pb(
		BYTES_STR(draft->content_type ? draft->content_type : "application/octet-stream"));
	header->channel = DIENSTWEG__CHANNEL__CHANNEL_ONLINE;
	header->priority = 1;
}

static void key_take(const Dienstweg__Party *to, struct sealing_recipient *ret)
{
	const Dienstweg__Key *key = to ? registry_party_key(to, KEY_SEAL) : NULL;
	CHECK(key);
	memcpy(ret->key_id, key->id.data, KEY_ID_SIZE);
	memcpy(ret->public, key->public_.data, BOX_KEY_SIZE);
}

static size_t recipients_of(struct party *party, const struct party_draft *draft,
	const Dienstweg__Header *header, struct sealing_recipient ret[SEALED_RECIPIENTS_MAX])
{
	const struct registry *registry = party->bus->registry;
	struct resolve_result result;
	struct resolve_query query = {.sender = BYTES_PB(header->sender),
		.recipient = BYTES_PB(header->recipient),
		.region = BYTES_PB(header->region),
		.service = BYTES_PB(header->service),
		.answer = header->kind == DIENSTWEG__KIND__KIND_ANSWER,
		.at_ms = header->created_ms};

	if (draft->clear)
		return 0;
	const char *to = draft->seal_for;
	if (!to && registry_resolve(registry, &query, &result) == RESOLVE_OK) {
		for (size_t i = 0; i < result.count; i++)
			key_take(result.recipients[i], &ret[i]);
		return result.count;
	}
	/* Unroutable on purpose: seal for somebody. */
	key_take(registry_party(registry, BYTES_STR(to ? to : "jobcenter")), &ret[0]);
	return 1;
}

static void envelope_fill(struct party *party, const struct party_draft *draft,
	struct sealing_batch *batch, Dienstweg__Envelope *envelope, struct arena *arena)
{
	Dienstweg__Header header;
	struct sealing_recipient recipients[SEALED_RECIPIENTS_MAX];
	struct bytes content, body = draft->body.data ? draft->body : BYTES_STR("a form");

	header_fill(party, draft, &header, arena);
	size_t count = recipients_of(party, draft, &header, recipients);
	CHECK_INT(sealing_seal(
			  count ? batch : NULL, &header, body, recipients, count, arena, &content),
		0);
	if (draft->twist)
		draft->twist(&header);
	dienstweg__envelope__init(envelope);
	size_t size = dienstweg__header__get_packed_size(&header);
	uint8_t *packed = arena_alloc(arena, size);
	CHECK(packed);
	dienstweg__header__pack(&header, packed);
	envelope->header = pb(BYTES(packed, size));
	envelope->content = pb(content);
}

static void batch_sign(struct party *party, Dienstweg__Envelope **envelopes, size_t count,
	enum signature_domain domain, const char *bus, struct arena *arena)
{
	uint8_t items[BATCH_MAX][HASH_SIZE];
	Dienstweg__Signature *signatures = arena_zalloc(arena, count * sizeof(*signatures));

	CHECK(signatures);
	for (size_t i = 0; i < count; i++)
		envelope_header_hash(BYTES_PB(envelopes[i]->header), items[i]);
	CHECK_INT(
		signature_sign(domain, BYTES_STR(bus), party->sign, items, count, signatures, arena),
		0);
	for (size_t i = 0; i < count; i++)
		envelopes[i]->signature = &signatures[i];
}

void party_sign(struct party *party, Dienstweg__Envelope *envelope, enum signature_domain domain,
	const char *bus, struct arena *arena)
{
	batch_sign(party, &envelope, 1, domain, bus, arena);
}

Dienstweg__Envelope **party_compose(
	struct party *party, const struct party_draft *draft, size_t count, struct arena *arena)
{
	Dienstweg__Envelope *all = arena_zalloc(arena, count * sizeof(*all));
	Dienstweg__Envelope **list = arena_zalloc(arena, count * sizeof(*list));
	_cleanup_(sealing_batch_free) struct sealing_batch *batch = NULL;

	CHECK(all && list);
	CHECK_INT(sealing_batch_new(&batch), 0);
	for (size_t i = 0; i < count; i++) {
		envelope_fill(party, draft, batch, &all[i], arena);
		list[i] = &all[i];
	}
	for (size_t i = 0; i < count; i += BATCH_MAX)
		batch_sign(party, list + i, count - i < BATCH_MAX ? count - i : BATCH_MAX,
			SIGNATURE_MESSAGE, "test.demo", arena);
	return list;
}

void party_submit(struct party *party, Dienstweg__Envelope **envelopes, size_t count, bool resume)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;
	int r;

	submit.number = ++party->submit_number;
	submit.resume = resume;
	submit.envelopes = envelopes;
	submit.n_envelopes = count;
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	long long end = now_ms() + 20000;
	while ((r = client_send(party->client, &frame)) == CLIENT_BUSY) {
		CHECK(now_ms() < end);
		party_step(party, 10);
	}
	CHECK_INT(r, 0);
}

struct party_answer *party_send(struct party *party, const struct party_draft *draft)
{
	size_t before = party->answers_count;
	Dienstweg__Envelope **envelopes = party_compose(party, draft, 1, party->arena);

	party_submit(party, envelopes, 1, false);
	party_until(party, party->answers_count > before, 20000);
	return &party->answers[before];
}

static bool acks_send(struct party *party, size_t from, size_t count, const char *reject_code)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	Dienstweg__Ack acks[BATCH_MAX], *list[BATCH_MAX];
	uint8_t items[BATCH_MAX][HASH_SIZE];
	struct bytes code = BYTES_STR(reject_code ? reject_code : "");

	for (size_t i = 0; i < count; i++) {
		const struct party_delivery *d = &party->deliveries[from + i];
		dienstweg__ack__init(&acks[i]);
		acks[i].sequence = d->sequence;
		acks[i].h = pb(BYTES(d->h, 32));
		acks[i].accepted = !reject_code;
		acks[i].code = pb(code);
		list[i] = &acks[i];
		acknowledgement_digest(BYTES_STR("test.demo"), BYTES_STR(party->name), d->sequence,
			d->h, !reject_code, code, BYTES_STR(""), items[i]);
	}
	Dienstweg__Signature *signatures = arena_zalloc(arena, count * sizeof(*signatures));
	CHECK(signatures);
	CHECK_INT(signature_sign(SIGNATURE_ACK, BYTES_STR("test.demo"), party->sign, items, count,
			  signatures, arena),
		0);

	Dienstweg__AckBatch batch = DIENSTWEG__ACK_BATCH__INIT, *batches = &batch;
	Dienstweg__Acknowledge acknowledge = DIENSTWEG__ACKNOWLEDGE__INIT;
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	batch.recipient = pb(BYTES_STR(party->name));
	batch.acks = list;
	batch.n_acks = count;
	batch.key_id = signatures[0].key_id;
	batch.root = signatures[0].root;
	acknowledge.batches = &batches;
	acknowledge.n_batches = 1;
	frame.body_case = DIENSTWEG__FRAME__BODY_ACKNOWLEDGE;
	frame.acknowledge = &acknowledge;
	int r = client_send(party->client, &frame);
	CHECK(r == 0 || r == CLIENT_BUSY);
	return r == 0;
}

size_t party_acknowledge(struct party *party, size_t from, size_t count, const char *reject_code)
{
	for (size_t i = 0; i < count; i += BATCH_MAX)
		if (!acks_send(party, from + i, count - i < BATCH_MAX ? count - i : BATCH_MAX,
			    reject_code))
			return i;
	return count;
}

void party_confirm(struct party *party, uint64_t sequence)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Confirm confirm = DIENSTWEG__CONFIRM__INIT;

	confirm.party = pb(BYTES_STR(party->name));
	confirm.sequence = sequence;
	frame.body_case = DIENSTWEG__FRAME__BODY_CONFIRM;
	frame.confirm = &confirm;
	CHECK_INT(client_send(party->client, &frame), 0);
}

void party_nak(struct party *party, uint64_t sequence, uint32_t delay_ms)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Nak nak = DIENSTWEG__NAK__INIT;

	nak.party = pb(BYTES_STR(party->name));
	nak.sequences = &sequence;
	nak.n_sequences = 1;
	nak.delay_ms = delay_ms;
	nak.reason = pb(BYTES_STR("later"));
	frame.body_case = DIENSTWEG__FRAME__BODY_NAK;
	frame.nak = &nak;
	int r = client_send(party->client, &frame);
	CHECK(r == 0 || r == CLIENT_BUSY); /* the connection went meanwhile: the lease goes with it */
}
