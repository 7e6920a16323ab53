/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The conversation, spoken wrongly: no Hello, somebody else's Hello, two of them, frames of a session that
 * is over, claims about things that never were. Every misuse has its code, and none reaches beyond the
 * connection it came from.
 */
#include "proto/base/crypto.h"
#include "test/kit/check.h"
#include "test/scenario/bystanders.h"

static ProtobufCBinaryData text(const char *s)
{
	return (ProtobufCBinaryData){.len = strlen(s), .data = (uint8_t *)(uintptr_t)s};
}

static struct bytes ping(struct wire *wire, uint64_t number)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Ping body = DIENSTWEG__PING__INIT;

	body.number = number;
	frame.body_case = DIENSTWEG__FRAME__BODY_PING;
	frame.ping = &body;
	return wire_pack(wire, &frame);
}

static void session_lives(struct wire *wire, uint64_t number)
{
	CHECK(wire_send(wire, ping(wire, number), 20000));
	CHECK_INT(wire_reply(wire, DIENSTWEG__FRAME__BODY_PONG)->pong->number, number);
}

struct hello {
	uint32_t version;
	size_t versions;
	ProtobufCBinaryData parties[3];
	size_t count;
	ProtobufCBinaryData software, root;
	uint64_t size;
};

static struct bytes hello_pack(struct wire *wire, struct hello *h)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Hello hello = DIENSTWEG__HELLO__INIT;

	hello.versions = &h->version;
	hello.n_versions = h->versions;
	hello.parties = h->parties;
	hello.n_parties = h->count;
	hello.software = h->software;
	hello.newest_root = h->root;
	hello.newest_size = h->size;
	frame.body_case = DIENSTWEG__FRAME__BODY_HELLO;
	frame.hello = &hello;
	return wire_pack(wire, &frame);
}

static void without_hello_there_is_no_session(void)
{
	struct bystanders all;

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	expect_error(wire, ping(wire, 1), "hello-required");
	wire_open_session(wire, "ministry");
	session_lives(wire, 2);

	/* Another nonce on the same connection. */
	wire_nonce(wire)[0] ^= 1;
	expect_error(wire, ping(wire, 3), "hello-required");
	wire_nonce(wire)[0] ^= 1;
	session_lives(wire, 4);

	/* The same nonce on another connection: it belongs to the one that said Hello. */
	struct wire *other = wire_new(&all.bus, "ministry");
	memcpy(wire_nonce(other), wire_nonce(wire), 16);
	expect_error(other, ping(other, 5), "hello-required");
	struct wire *city = wire_new(&all.bus, "city");
	memcpy(wire_nonce(city), wire_nonce(wire), 16);
	expect_error(city, ping(city, 6), "hello-required");
	session_lives(wire, 7);
	bystanders_undisturbed(&all);
	wire_free(city);
	wire_free(other);
	wire_free(wire);
	bystanders_close(&all);
}

static void a_second_hello_ends_the_first(void)
{
	struct bystanders all;
	uint8_t before[16];

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	wire_open_session(wire, "ministry"); /* under the same nonce */
	session_lives(wire, 1);
	memcpy(before, wire_nonce(wire), 16);
	random_fill(wire_nonce(wire), 16);
	wire_open_session(wire, "ministry");
	session_lives(wire, 2);
	memcpy(wire_nonce(wire), before, 16);
	expect_error(wire, ping(wire, 3), "hello-required");

	/* A hundred of them without waiting for one Welcome: the last one counts. */
	for (int i = 0; i < 100; i++)
		wire_hello(wire, "ministry");
	long long end = now_ms() + 20000;
	do {
		CHECK(now_ms() < end);
		CHECK(wire_send(wire, ping(wire, 4), 20000));
	} while (wire_reply(wire, DIENSTWEG__FRAME__BODY__NOT_SET)->body_case !=
		 DIENSTWEG__FRAME__BODY_PONG);
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

/* Whoever may choose a routing id may choose that of a peer that has just left, and get what is its. */
static void a_chosen_routing_id_is_not_served(void)
{
	enum { SILENCE_MS = 1000 };
	struct bystanders all;
	struct bytes raw;

	bystanders_open(&all, "");
	struct wire *chosen = wire_new_named(&all.bus, "ministry", "seven");
	struct wire *five = wire_new_named(&all.bus, "ministry", "fives");
	wire_hello(chosen, "ministry");
	wire_hello(five, "ministry");
	CHECK(!wire_receive(chosen, &raw, SILENCE_MS));
	CHECK(!wire_receive(five, &raw, 0));
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	session_lives(wire, 1);
	bystanders_undisturbed(&all);
	wire_free(chosen);
	wire_free(five);
	wire_free(wire);
	bystanders_close(&all);
}

static void hello_is_read_strictly(void)
{
	uint8_t root[32] = {1};
	ProtobufCBinaryData short_root = {.len = 31, .data = root};
	ProtobufCBinaryData nul = {.len = 9, .data = (uint8_t *)(uintptr_t) "ministry"};
	char software[100];
	struct bystanders all;

	memset(software, 'x', sizeof(software) - 1);
	software[sizeof(software) - 1] = '\0';
	const struct {
		struct hello hello;
		const char *code;
	} cases[] = {
		{{.versions = 1, .version = 7, .parties = {text("ministry")}, .count = 1},
			"version"},
		{{.parties = {text("ministry")}, .count = 1}, "version"},
		{{.versions = 1}, "not-operated"},
		{{.versions = 1, .parties = {text("city")}, .count = 1}, "not-operated"},
		{{.versions = 1, .parties = {text("ministry"), text("city")}, .count = 2},
			"not-operated"},
		{{.versions = 1, .parties = {text("ministry"), text("ministry")}, .count = 2},
			"not-operated"},
		{{.versions = 1, .parties = {text("nobody")}, .count = 1}, "not-operated"},
		{{.versions = 1, .parties = {text("")}, .count = 1}, "not-operated"},
		{{.versions = 1, .parties = {nul}, .count = 1}, "not-operated"},
		{{.versions = 1, .parties = {text("ministry")}, .count = 1, .software = text(software)},
			"malformed"},
		{{.versions = 1, .parties = {text("ministry")}, .count = 1, .size = 5},
			"malformed"},
		{{.versions = 1,
			 .parties = {text("ministry")},
			 .count = 1,
			 .size = 5,
			 .root = short_root},
			"malformed"},
	};
	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hello hello = cases[i].hello;
		expect_error(wire, hello_pack(wire, &hello), cases[i].code);
	}
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

/* ---- claims ---- */

static struct bytes claim(struct wire *wire, Dienstweg__Frame__BodyCase kind, void *body)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;

	frame.body_case = kind;
	frame.ping = body; /* one union, all of them pointers */
	return wire_pack(wire, &frame);
}

/* Well formed, and about things that never were. Answered or not: the session and the others live. */
static void claims_about_nothing_change_nothing(void)
{
	uint64_t none[] = {0, 1, 5, 1u << 20, UINT64_MAX};
	Dienstweg__Nak nak = DIENSTWEG__NAK__INIT;
	Dienstweg__Confirm confirm = DIENSTWEG__CONFIRM__INIT;
	Dienstweg__Credit credit = DIENSTWEG__CREDIT__INIT, less = DIENSTWEG__CREDIT__INIT;
	Dienstweg__GetRegistry registry = DIENSTWEG__GET_REGISTRY__INIT;
	struct bystanders all;

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	nak.sequences = none;
	nak.n_sequences = ARRAY_LEN(none);
	nak.delay_ms = UINT32_MAX;
	confirm.sequence = UINT64_MAX;
	credit.messages = credit.bytes = UINT64_MAX;
	for (int i = 0; i < 2; i++) {
		nak.party = confirm.party = text(i ? "ministry" : "jobcenter");
		CHECK(wire_send(wire, claim(wire, DIENSTWEG__FRAME__BODY_NAK, &nak), 20000));
		CHECK(wire_send(wire, claim(wire, DIENSTWEG__FRAME__BODY_CONFIRM, &confirm), 20000));
	}
	CHECK(wire_send(wire, claim(wire, DIENSTWEG__FRAME__BODY_CREDIT, &credit), 20000));
	CHECK(wire_send(wire, claim(wire, DIENSTWEG__FRAME__BODY_CREDIT, &less), 20000));
	registry.version = UINT64_MAX;
	CHECK(wire_send(wire, claim(wire, DIENSTWEG__FRAME__BODY_GET_REGISTRY, &registry), 20000));
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		Dienstweg__GetProof proof = DIENSTWEG__GET_PROOF__INIT;
		proof.old_size = none[i];
		proof.new_size = none[ARRAY_LEN(none) - 1 - i];
		CHECK(wire_send(wire, claim(wire, DIENSTWEG__FRAME__BODY_GET_PROOF, &proof), 20000));
	}
	session_lives(wire, 9);
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

/* The jobcenter's acknowledgement of a message, by somebody else and with somebody else's key. */
static void only_the_recipient_ends_a_message(void)
{
	uint8_t id[16] = {0}, root[64] = {0}, h[32] = {0};
	Dienstweg__Ack ack = DIENSTWEG__ACK__INIT, *acks = &ack;
	Dienstweg__AckBatch batch = DIENSTWEG__ACK_BATCH__INIT, *batches = &batch;
	Dienstweg__Acknowledge acknowledge = DIENSTWEG__ACKNOWLEDGE__INIT;
	struct bystanders all;

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	ack.h = (ProtobufCBinaryData){.len = sizeof(h), .data = h};
	ack.accepted = true;
	batch.acks = &acks;
	batch.n_acks = 1;
	batch.key_id = (ProtobufCBinaryData){.len = sizeof(id), .data = id};
	batch.root = (ProtobufCBinaryData){.len = sizeof(root), .data = root};
	acknowledge.batches = &batches;
	acknowledge.n_batches = 1;
	for (int i = 0; i < 4; i++) {
		batch.recipient = text(i % 2 ? "ministry" : "jobcenter");
		memcpy(id, all.jobcenter.sign->pub.id, i < 2 ? 0 : sizeof(id));
		CHECK(wire_send(wire, claim(wire, DIENSTWEG__FRAME__BODY_ACKNOWLEDGE, &acknowledge),
			20000));
		const Dienstweg__Acknowledged *answer =
			wire_reply(wire, DIENSTWEG__FRAME__BODY_ACKNOWLEDGED)->acknowledged;
		CHECK_INT(answer->n_refusals, 1);
		CHECK_INT(answer->n_states, 0);
		CHECK(answer->refusals[0]->code.len > 0 && answer->refusals[0]->field.len > 0);
		CHECK(answer->refusals[0]->detail.len > 10);
	}
	session_lives(wire, 1);
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

CHECK_MAIN(CHECK_CASE(without_hello_there_is_no_session), CHECK_CASE(a_second_hello_ends_the_first),
	CHECK_CASE(a_chosen_routing_id_is_not_served), CHECK_CASE(hello_is_read_strictly),
	CHECK_CASE(claims_about_nothing_change_nothing),
	CHECK_CASE(only_the_recipient_ends_a_message))
