/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A valid key is no licence. Whatever its holder packs into a frame, the broker says what is wrong or drops
 * it, forgets it, and serves the next honest message as if nothing had happened.
 */
#include "proto/base/arena.h"
#include "proto/base/crypto.h"
#include "test/kit/check.h"
#include "test/scenario/bystanders.h"

enum {
	FRAME_MAX = 1000000,
	DROPPED_ABOVE = 1 << 20,
	NONSENSE = 200,
	NONSENSE_MAX = 5000,
	CUTS = 64,
	EMPTIES = 2 * 490000, /* bytes of a list of empty messages */
	ASK_AGAIN_MS = 50,
};

/* A frame as an honest ministry would make it: one message for the city. */
static struct bytes honest_submit(
	struct bystanders *all, struct wire *wire, size_t body, size_t padding)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;
	uint8_t *bytes = arena_zalloc(all->ministry.arena, body > padding ? body : padding);
	struct party_draft figures = {
		.service = "uvg.figures", .recipient = "city", .body = BYTES(bytes, body)};

	CHECK(bytes);
	submit.number = ++all->ministry.submit_number;
	submit.n_envelopes = 1;
	submit.envelopes = party_compose(&all->ministry, &figures, 1, all->ministry.arena);
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	frame.traceparent = (ProtobufCBinaryData){.len = padding, .data = bytes};
	return wire_pack(wire, &frame);
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

/* ---- form ---- */

static void nonsense_is_called_so(void)
{
	struct bystanders all;
	uint8_t noise[NONSENSE_MAX];

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	CHECK(wire_send(wire, BYTES(NULL, 0), 20000));
	wire_reply(wire, DIENSTWEG__FRAME__BODY_ERROR);
	expect_error(wire, BYTES("\0", 1), "malformed");
	for (size_t i = 0; i < NONSENSE; i++) {
		size_t len = 1 + i * (NONSENSE_MAX - 1) / NONSENSE;
		random_fill(noise, len);
		noise[0] |= 7; /* no wire type: never by chance the start of a frame */
		expect_error(wire, BYTES(noise, len), "malformed");
	}
	bystanders_undisturbed(&all);

	/* An honest frame cut off anywhere. Only the whole of it does anything. */
	wire_open_session(wire, "ministry");
	struct bytes whole = honest_submit(&all, wire, 3000, 0);
	for (size_t i = 1; i < CUTS; i++) {
		CHECK(wire_send(wire, BYTES(whole.data, whole.len * i / CUTS), 20000));
		wire_reply(wire, DIENSTWEG__FRAME__BODY_ERROR);
	}
	CHECK(wire_send(wire, whole, 20000));
	CHECK_INT(wire_reply(wire, DIENSTWEG__FRAME__BODY_ANSWER)->answer->n_receipts, 1);
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

static void a_frame_has_one_reading(void)
{
	static const uint8_t number_as_text[] = {1 << 3 | 2, 1, 'x'};
	static const uint8_t group[] = {2 << 3 | 3, 2 << 3 | 4};
	struct bystanders all;

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct bytes once = ping(wire, 1);
	uint8_t *twice = arena_alloc(arena, 2 * once.len);
	CHECK(twice);
	memcpy(twice, once.data, once.len);
	memcpy(twice + once.len, once.data, once.len);
	expect_error(wire, BYTES(twice, 2 * once.len), "malformed");
	expect_error(wire,
		wire_pack_raw(wire, DIENSTWEG__FRAME__BODY_SUBMIT,
			BYTES(number_as_text, sizeof(number_as_text))),
		"malformed");
	expect_error(wire,
		wire_pack_raw(wire, DIENSTWEG__FRAME__BODY_PING, BYTES(group, sizeof(group))),
		"malformed");
	expect_error(wire, wire_pack_raw(wire, DIENSTWEG__FRAME__BODY_SUBMIT, BYTES(NULL, 0)),
		"malformed");
	/* A kind that nobody has, and one that only brokers send. */
	expect_error(wire, wire_pack_raw(wire, 30, BYTES(NULL, 0)), "unknown-frame");
	expect_error(wire, wire_pack_raw(wire, DIENSTWEG__FRAME__BODY_WELCOME, BYTES(NULL, 0)),
		"unknown-frame");
	session_lives(wire, 7);
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

/* ---- size ---- */

/* Ask until an answer comes: the first may go down with the connection. */
static const Dienstweg__Frame *any_answer(struct wire *wire)
{
	struct bytes raw;
	int tries = 0;

	do {
		CHECK(++tries < 20000 / ASK_AGAIN_MS);
		wire_send(wire, ping(wire, 1), ASK_AGAIN_MS);
	} while (!wire_receive(wire, &raw, ASK_AGAIN_MS));
	CHECK(wire_send(wire, ping(wire, 2), 20000));
	return wire_reply(wire, DIENSTWEG__FRAME__BODY__NOT_SET);
}

static void size_has_limits(void)
{
	struct bystanders all;

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	size_t bare = honest_submit(&all, wire, 250000, FRAME_MAX / 2).len - FRAME_MAX / 2;
	struct bytes largest = honest_submit(&all, wire, 250000, FRAME_MAX - bare);
	CHECK_INT(largest.len, FRAME_MAX);
	CHECK(wire_send(wire, largest, 20000));
	CHECK_INT(wire_reply(wire, DIENSTWEG__FRAME__BODY_ANSWER)->answer->n_receipts, 1);
	bystanders_undisturbed(&all);

	expect_error(
		wire, honest_submit(&all, wire, 250000, FRAME_MAX - bare + 1), "frame-too-large");
	session_lives(wire, 1);

	/* Beyond what ZeroMQ takes, the connection goes, and the session with it. */
	CHECK(wire_send(wire, honest_submit(&all, wire, 1000, DROPPED_ABOVE), 20000));
	const Dienstweg__Frame *answer = any_answer(wire);
	CHECK_INT(answer->body_case, DIENSTWEG__FRAME__BODY_ERROR);
	CHECK(bytes_equal(BYTES_PB(answer->error->code), BYTES_STR("hello-required")));
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

static void several_parts_are_no_frame(void)
{
	struct bystanders all;
	uint8_t first[64];

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	struct bytes a = ping(wire, 1);
	CHECK(a.len <= sizeof(first));
	memcpy(first, a.data, a.len);
	struct bytes parts[] = {BYTES(first, a.len), ping(wire, 2), BYTES(NULL, 0)};
	wire_send_parts(wire, parts, ARRAY_LEN(parts));
	wire_send_parts(wire, parts, 2);
	session_lives(wire, 3); /* the first Pong: the others were never looked at */
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

/* ---- inflation ---- */

/* A list of empty messages: two bytes on the wire, dozens in memory. */
static struct bytes empties(struct arena *arena, uint32_t field, size_t len)
{
	uint8_t *bytes = arena_zalloc(arena, len);

	CHECK(bytes);
	for (size_t i = 0; i < len; i += 2)
		bytes[i] = (uint8_t)(field << 3 | 2);
	return BYTES(bytes, len);
}

/* The same, one level down: as the content of a first message of the list. */
static struct bytes nested(struct arena *arena, uint32_t field, struct bytes content)
{
	uint8_t *bytes = arena_alloc(arena, content.len + 4);

	CHECK(bytes && content.len < 1 << 21);
	bytes[0] = (uint8_t)(field << 3 | 2);
	bytes[1] = (uint8_t)(content.len | 0x80);
	bytes[2] = (uint8_t)(content.len >> 7 | 0x80);
	bytes[3] = (uint8_t)(content.len >> 14);
	memcpy(bytes + 4, content.data, content.len);
	return BYTES(bytes, content.len + 4);
}

static void little_cannot_become_much(void)
{
	enum { ENVELOPES = 3, BATCHES = 1, ACKS = 2, PARTIES = 2, UNKNOWN = 9, ROUNDS = 20 };
	struct bystanders all;

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	_cleanup_(arena_free) struct arena *arena = arena_new(64 << 20);
	wire_open_session(wire, "ministry");
	struct bytes unknown = empties(arena, UNKNOWN, EMPTIES);
	struct bytes acks = empties(arena, ACKS, EMPTIES);
	const struct {
		uint32_t kind;
		struct bytes content;
	} bombs[] = {
		{DIENSTWEG__FRAME__BODY_SUBMIT, empties(arena, ENVELOPES, EMPTIES)},
		{DIENSTWEG__FRAME__BODY_SUBMIT, nested(arena, ENVELOPES, unknown)},
		{DIENSTWEG__FRAME__BODY_SUBMIT, unknown},
		{DIENSTWEG__FRAME__BODY_ACKNOWLEDGE, empties(arena, BATCHES, EMPTIES)},
		{DIENSTWEG__FRAME__BODY_ACKNOWLEDGE, nested(arena, BATCHES, acks)},
		{DIENSTWEG__FRAME__BODY_PING, unknown},
		{DIENSTWEG__FRAME__BODY_PING, BYTES(unknown.data, 60000)},
		{DIENSTWEG__FRAME__BODY_HELLO, empties(arena, PARTIES, EMPTIES)},
	};
	for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
		for (int round = 0; round < ROUNDS; round++)
			expect_error(wire, wire_pack_raw(wire, bombs[i].kind, bombs[i].content),
				"malformed");
		bystanders_undisturbed(&all);
	}
	expect_error(wire,
		wire_pack_raw(wire, DIENSTWEG__FRAME__BODY_HELLO, BYTES(unknown.data, 20000)),
		"version");
	session_lives(wire, 1);
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

CHECK_MAIN(CHECK_CASE(nonsense_is_called_so), CHECK_CASE(a_frame_has_one_reading),
	CHECK_CASE(size_has_limits), CHECK_CASE(several_parts_are_no_frame),
	CHECK_CASE(little_cannot_become_much))
