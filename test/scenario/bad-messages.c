/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Whatever a party with a valid key sends, it gets an answer that names field and remedy, and the others
 * notice nothing: after every piece of nonsense an honest message of the same city still goes through.
 */
#include <signal.h>

#include "proto/base/clock.h"
#include "proto/identity/uuid.h"
#include "test/kit/check.h"
#include "test/kit/party.h"

static struct bus bus;
static struct party city, jobcenter;

static void world_open(void)
{
	bus_init_usual(&bus, check_subdir());
	struct registry_fixture *f = bus.fixture;
	registry_fixture_party(f, "ministry", NULL);
	registry_fixture_service(f, "uvg.figures");
	Dienstweg__Agreement *old = registry_fixture_agreement(
		f, "city-ministry-2015", "2015-01-01", "2020-01-01");
	registry_fixture_flow(f, old, "uvg.figures", "city", "ministry", NULL);
	bus.extra = "limits:\n  refusals_per_minute: 1000\n";
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_init(&jobcenter, &bus, "jobcenter");
	party_connect(&city, NULL);
	party_connect(&jobcenter, NULL);
}

static void world_close(void)
{
	party_deinit(&city);
	party_deinit(&jobcenter);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
}

static const struct party_draft honest = {
	.region = "051240000000", .body = {(const uint8_t *)"ok", 2}};

static void an_honest_message_still_passes(void)
{
	size_t before = jobcenter.deliveries_count;
	struct party_answer *a = party_send(&city, &honest);

	CHECK_INT(a->kind, ANSWER_RECEIPT);
	party_until(&jobcenter, jobcenter.deliveries_count > before, 10000);
	CHECK(jobcenter.deliveries[before].opened);
}

static void expect(
	const struct party_answer *a, enum answer_kind kind, const char *code, const char *field)
{
	CHECK_STR(a->code, code);
	CHECK_INT(a->kind, kind);
	if (field)
		CHECK_STR(a->field, field);
	CHECK(strlen(a->detail) > 10); /* a sentence */
	an_honest_message_still_passes();
}

static struct party_answer *submit_one(Dienstweg__Envelope *envelope)
{
	size_t before = city.answers_count;

	party_submit(&city, &envelope, 1, false);
	party_until(&city, city.answers_count > before, 20000);
	return &city.answers[before];
}

static Dienstweg__Envelope *compose(const struct party_draft *draft)
{
	return party_compose(&city, draft, 1, city.arena)[0];
}

static ProtobufCBinaryData text(const char *s)
{
	return (ProtobufCBinaryData){.len = strlen(s), .data = (uint8_t *)(uintptr_t)s};
}

/* ---- headers ---- */

static void no_service(Dienstweg__Header *h)
{
	h->service = text("");
}
static void no_case(Dienstweg__Header *h)
{
	h->case_id.len = 0;
}
static void short_hash(Dienstweg__Header *h)
{
	h->content_hash.len = 31;
}
static void embedded_nul(Dienstweg__Header *h)
{
	h->service = (ProtobufCBinaryData){
		.len = 16, .data = (uint8_t *)(uintptr_t) "alg2\0application"};
}
static void other_bus(Dienstweg__Header *h)
{
	h->bus = text("other.demo");
}
static void both_addresses(Dienstweg__Header *h)
{
	h->recipient = text("jobcenter");
}

static void headers_are_read_strictly(void)
{
	world_open();
	expect(party_send(
		       &city, &(struct party_draft){.region = "051240000000", .twist = no_service}),
		ANSWER_REFUSAL, "missing-field", "service");
	expect(party_send(&city, &(struct party_draft){.region = "051240000000", .twist = no_case}),
		ANSWER_REFUSAL, "missing-field", "case_id");
	expect(party_send(
		       &city, &(struct party_draft){.region = "051240000000", .twist = short_hash}),
		ANSWER_REFUSAL, "malformed", "content_hash");
	expect(party_send(&city,
		       &(struct party_draft){.region = "051240000000", .twist = embedded_nul}),
		ANSWER_REFUSAL, "malformed", "service");
	expect(party_send(&city, &(struct party_draft){.region = "051240000000", .twist = other_bus}),
		ANSWER_REFUSAL, "wrong-bus", "bus");
	expect(party_send(&city,
		       &(struct party_draft){.region = "051240000000", .twist = both_addresses}),
		ANSWER_REFUSAL, "malformed", NULL);
	world_close();
}

/* A second `service`, appended: protobuf readers would take the last, others the first. */
static void a_field_twice_has_two_readings(void)
{
	static const uint8_t again[] = {
		8 << 3 | 2, 11, 'a', 'l', 'g', '2', '.', 's', 't', 'a', 't', 'u', 's'};

	world_open();
	Dienstweg__Envelope *e = compose(&honest);
	uint8_t *bytes = arena_alloc(city.arena, e->header.len + sizeof(again));
	memcpy(bytes, e->header.data, e->header.len);
	memcpy(bytes + e->header.len, again, sizeof(again));
	e->header = (ProtobufCBinaryData){.len = e->header.len + sizeof(again), .data = bytes};
	party_sign(&city, e, SIGNATURE_MESSAGE, "test.demo", city.arena);
	expect(submit_one(e), ANSWER_REFUSAL, "malformed", "service");

	e = compose(&honest);
	e->header.len -= 7; /* truncated */
	party_sign(&city, e, SIGNATURE_MESSAGE, "test.demo", city.arena);
	expect(submit_one(e), ANSWER_REFUSAL, "malformed", NULL);

	e = compose(&honest);
	bytes = arena_zalloc(city.arena, 4096);
	random_fill(bytes, 4096);
	e->header = (ProtobufCBinaryData){.len = 1500, .data = bytes};
	expect(submit_one(e), ANSWER_REFUSAL, "malformed", NULL);
	e->header.len = 4096;
	expect(submit_one(e), ANSWER_REFUSAL, "too-large", "header");
	e->header.len = 0;
	CHECK_INT(submit_one(e)->kind, ANSWER_REFUSAL);
	an_honest_message_still_passes();
	world_close();
}

/* ---- signatures ---- */

static void signatures_bind_everything(void)
{
	world_open();
	Dienstweg__Envelope *e = compose(&honest);
	e->signature->root.data[10] ^= 1;
	expect(submit_one(e), ANSWER_REFUSAL, "bad-signature", "signature");

	/* A root that was seen to be good does not carry junk. */
	Dienstweg__Envelope **two = party_compose(&city, &honest, 2, city.arena);
	CHECK_INT(submit_one(two[0])->kind, ANSWER_RECEIPT);
	two[1]->signature->root.data[0] ^= 1;
	expect(submit_one(two[1]), ANSWER_REFUSAL, "bad-signature", "signature");

	two = party_compose(&city, &honest, 2, city.arena);
	two[0]->signature->path.data[3] ^= 1;
	expect(submit_one(two[0]), ANSWER_REFUSAL, "bad-signature", "signature");
	two[1]->signature->path.len = 0;
	expect(submit_one(two[1]), ANSWER_REFUSAL, "signature-form", NULL);

	e = compose(&honest);
	e->signature->size = 33;
	expect(submit_one(e), ANSWER_REFUSAL, "signature-form", NULL);
	e = compose(&honest);
	e->signature = NULL;
	expect(submit_one(e), ANSWER_REFUSAL, "signature-form", NULL);

	e = compose(&honest);
	party_sign(&city, e, SIGNATURE_ACK, "test.demo", city.arena);
	expect(submit_one(e), ANSWER_REFUSAL, "bad-signature", "signature");
	e = compose(&honest);
	party_sign(&city, e, SIGNATURE_MESSAGE, "other.demo", city.arena);
	expect(submit_one(e), ANSWER_REFUSAL, "bad-signature", "signature");

	/* Another party's key, good as such. */
	e = compose(&honest);
	party_sign(&jobcenter, e, SIGNATURE_MESSAGE, "test.demo", city.arena);
	expect(submit_one(e), ANSWER_REFUSAL, "foreign-key", "key_id");
	world_close();
}

static void as_jobcenter(Dienstweg__Header *h)
{
	h->sender = text("jobcenter");
}

static void nobody_speaks_for_another(void)
{
	world_open();
	struct party_answer *a = party_send(&city,
		&(struct party_draft){
			.service = "alg2.decision", .recipient = "city", .twist = as_jobcenter});
	expect(a, ANSWER_REFUSAL, "not-operated", "sender");

	/* And a stranger, whose key the registry does not have, does not even get a session. */
	struct registry_fixture *strangers = registry_fixture_new("test.demo");
	registry_fixture_party(strangers, "city", NULL);
	struct party stranger;
	party_init(&stranger, &bus, "city");
	stranger.transport = registry_fixture_secret(strangers, "city", KEY_TRANSPORT);
	struct client_options options = {.endpoint = bus.endpoint,
		.transport_key = stranger.transport,
		.parties = stranger.names,
		.parties_count = 1,
		.software = "stranger",
		.clock = clock_system()};
	memcpy(options.broker_key,
		registry_fixture_secret(bus.fixture, "test.demo", KEY_TRANSPORT)->pub.public, 32);
	struct client_handler handler = {0};
	CHECK_INT(client_new(&options, &handler, &stranger.client), 0);
	long long end = now_ms() + 3000;
	while (now_ms() < end) {
		party_step(&stranger, 100);
		CHECK_INT(client_state(stranger.client), CLIENT_CONNECTING);
	}
	party_deinit(&stranger);
	registry_fixture_free(strangers);
	an_honest_message_still_passes();
	world_close();
}

/* ---- content ---- */

static void content_is_what_the_header_says(void)
{
	world_open();
	expect(party_send(&city, &(struct party_draft){.region = "051240000000", .clear = true}),
		ANSWER_REFUSAL, "plaintext", NULL);
	expect(party_send(&city, &(struct party_draft){.region = "051240000000", .seal_for = "city"}),
		ANSWER_DEFERRAL, "registry-outdated", "sealed_recipients");

	Dienstweg__Envelope *e = compose(&honest);
	e->content.data[e->content.len / 2] ^= 1;
	expect(submit_one(e), ANSWER_REFUSAL, "content-mismatch", NULL);
	e = compose(&honest);
	e->content.len--;
	expect(submit_one(e), ANSWER_REFUSAL, "content-mismatch", NULL);

	/* The largest that is legal passes. */
	uint8_t *big = arena_zalloc(city.arena, 250000);
	struct party_draft large = {.region = "051240000000", .body = BYTES(big, 250000)};
	CHECK_INT(party_send(&city, &large)->kind, ANSWER_RECEIPT);
	an_honest_message_still_passes();
	world_close();
}

/* ---- routing ---- */

static void only_what_is_agreed_moves(void)
{
	uint64_t past = 1600000000000;

	world_open();
	expect(party_send(&city, &(struct party_draft){.recipient = "nobody"}), ANSWER_REFUSAL,
		"unknown-party", "recipient");
	expect(party_send(&city,
		       &(struct party_draft){.service = "no.such", .recipient = "jobcenter"}),
		ANSWER_REFUSAL, "unknown-service", "service");
	expect(party_send(&city, &(struct party_draft){.region = "091620000000"}), ANSWER_REFUSAL,
		"region-not-covered", "region");
	expect(party_send(&city,
		       &(struct party_draft){.service = "alg2.decision", .recipient = "jobcenter"}),
		ANSWER_REFUSAL, "no-agreement", NULL);
	expect(party_send(&city, &(struct party_draft){.service = "uvg.figures",
					 .recipient = "ministry",
					 .seal_for = "ministry"}),
		ANSWER_REFUSAL, "agreement-expired", "agreement");
	expect(party_send(&city, &(struct party_draft){.region = "051240000000", .expires_ms = past}),
		ANSWER_REFUSAL, "malformed", "expires_ms");
	world_close();
}

/* ---- ids ---- */

static void an_id_means_one_message_for_ever(void)
{
	uint8_t id[16];
	struct uuid_source uuids = {0};
	uint64_t now = clock_wall_ms(clock_system());

	world_open();
	uuid_next(&uuids, now, id);
	struct party_draft draft = {.region = "051240000000", .message_id = id};
	Dienstweg__Envelope *e = compose(&draft);
	struct party_answer first = *submit_one(e);
	CHECK_INT(first.kind, ANSWER_RECEIPT);

	/* The same again, alone or in another batch: the same sequence, one delivery. */
	struct party_answer again = *submit_one(e);
	CHECK_INT(again.kind, ANSWER_RECEIPT);
	CHECK_INT(again.sequence, first.sequence);
	party_sign(&city, e, SIGNATURE_MESSAGE, "test.demo", city.arena);
	CHECK_INT(submit_one(e)->sequence, first.sequence);
	party_until(&jobcenter, jobcenter.deliveries_count == 1, 10000);

	/* Other bytes under the same id. */
	expect(submit_one(compose(&draft)), ANSWER_REFUSAL, "id-reused", "message_id");
	CHECK_INT(jobcenter.deliveries_count, 2); /* the first, and expect()'s honest one */

	uuid_next(&uuids, now + 3600 * 1000, id);
	expect(party_send(&city, &draft), ANSWER_DEFERRAL, "clock", "message_id");
	world_close();
}

CHECK_MAIN(CHECK_CASE(headers_are_read_strictly), CHECK_CASE(a_field_twice_has_two_readings),
	CHECK_CASE(signatures_bind_everything), CHECK_CASE(nobody_speaks_for_another),
	CHECK_CASE(content_is_what_the_header_says), CHECK_CASE(only_what_is_agreed_moves),
	CHECK_CASE(an_id_means_one_message_for_ever))
