/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The client of the SDK cannot misbehave: it packs what it sends, splits what is too large and keeps the
 * order of the conversation. What a broker has to stand is everything else, so this talks to ZeroMQ itself.
 */
#include "test/kit/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#include "proto/base/arena.h"
#include "proto/base/crypto.h"
#include "test/kit/check.h"
#include "test/kit/process.h"

enum { NONCE_SIZE = 16, ARENA_BUDGET = 64 << 20, REPLY_MS = 20000, QUEUED_FRAMES = 16 };

struct wire {
	void *context;
	void *dealer;
	zmq_msg_t received;
	uint8_t nonce[NONCE_SIZE];
	struct arena *arena;
	uint8_t *packed;
};

static void option_int(void *dealer, int option, int value)
{
	CHECK_INT(zmq_setsockopt(dealer, option, &value, sizeof(value)), 0);
}

static void option_key(void *dealer, int option, const uint8_t *key)
{
	CHECK_INT(zmq_setsockopt(dealer, option, key, BOX_KEY_SIZE), 0);
}

struct wire *wire_new(const struct bus *bus, const char *owner)
{
	return wire_new_named(bus, owner, NULL);
}

struct wire *wire_new_named(const struct bus *bus, const char *owner, const char *routing_id)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	CHECK(wire);
	wire->arena = arena_new(ARENA_BUDGET);
	wire->context = zmq_ctx_new();
	CHECK(wire->arena && wire->context);
	wire->dealer = zmq_socket(wire->context, ZMQ_DEALER);
	CHECK(wire->dealer);
	zmq_msg_init(&wire->received);
	random_fill(wire->nonce, NONCE_SIZE);
	option_int(wire->dealer, ZMQ_LINGER, 0);
	option_int(wire->dealer, ZMQ_IMMEDIATE, 1);
	option_int(wire->dealer, ZMQ_SNDHWM, QUEUED_FRAMES);
	option_int(wire->dealer, ZMQ_RCVHWM, QUEUED_FRAMES);
	option_int(wire->dealer, ZMQ_RECONNECT_IVL, 20);
	if (owner) {
		const struct key_secret *key = registry_fixture_secret(
			bus->fixture, owner, KEY_TRANSPORT);
		const struct key_secret *door = registry_fixture_secret(
			bus->fixture, "test.demo", KEY_TRANSPORT);
		CHECK(key && door);
		option_key(wire->dealer, ZMQ_CURVE_SERVERKEY, door->pub.public);
		option_key(wire->dealer, ZMQ_CURVE_PUBLICKEY, key->pub.public);
		option_key(wire->dealer, ZMQ_CURVE_SECRETKEY, key->x25519);
	}
	if (routing_id)
		CHECK_INT(
			zmq_setsockopt(wire->dealer, ZMQ_ROUTING_ID, routing_id, strlen(routing_id)),
			0);
	CHECK_INT(zmq_connect(wire->dealer, bus->endpoint), 0);
	return wire;
}

void wire_free(struct wire *wire)
{
	if (!wire)
		return;
	zmq_msg_close(&wire->received);
	zmq_close(wire->dealer);
	zmq_ctx_term(wire->context);
	arena_free(wire->arena);
	free(wire->packed);
	free(wire);
}

static bool part_send(struct wire *wire, struct bytes data, int flags, int timeout_ms)
{
	long long end = now_ms() + timeout_ms;

	for (;;) {
		if (zmq_send(wire->dealer, data.data, data.len, flags | ZMQ_DONTWAIT) >= 0)
			return true;
		CHECK(zmq_errno() == EAGAIN || zmq_errno() == EINTR);
		zmq_pollitem_t item = {.socket = wire->dealer, .events = ZMQ_POLLOUT};
		long long left = end - now_ms();
		if (left <= 0 || zmq_poll(&item, 1, (long)left) == 0)
			return false;
	}
}

bool wire_send(struct wire *wire, struct bytes data, int timeout_ms)
{
	return part_send(wire, data, 0, timeout_ms);
}

void wire_send_parts(struct wire *wire, const struct bytes *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		CHECK(part_send(wire, parts[i], i + 1 < count ? ZMQ_SNDMORE : 0, REPLY_MS));
}

bool wire_receive(struct wire *wire, struct bytes *ret, int timeout_ms)
{
	zmq_pollitem_t item = {.socket = wire->dealer, .events = ZMQ_POLLIN};

	if (zmq_poll(&item, 1, timeout_ms) <= 0)
		return false;
	if (zmq_msg_recv(&wire->received, wire->dealer, ZMQ_DONTWAIT) < 0)
		return false;
	*ret = BYTES(zmq_msg_data(&wire->received), zmq_msg_size(&wire->received));
	return true;
}

uint8_t *wire_nonce(struct wire *wire)
{
	return wire->nonce;
}

struct bytes wire_pack(struct wire *wire, Dienstweg__Frame *frame)
{
	frame->session = (ProtobufCBinaryData){.len = NONCE_SIZE, .data = wire->nonce};
	size_t size = dienstweg__frame__get_packed_size(frame);
	free(wire->packed);
	wire->packed = malloc(size);
	CHECK(wire->packed);
	dienstweg__frame__pack(frame, wire->packed);
	return BYTES(wire->packed, size);
}

static size_t varint_put(uint8_t *buf, size_t at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf[at++] = (uint8_t)(value | 0x80);
	buf[at++] = (uint8_t)value;
	return at;
}

struct bytes wire_pack_raw(struct wire *wire, uint32_t kind, struct bytes content)
{
	enum { SESSION_FIELD = 1, WIRE_BYTES = 2, HEAD_MAX = 64 };
	size_t at = 0;

	free(wire->packed);
	wire->packed = malloc(HEAD_MAX + content.len);
	CHECK(wire->packed);
	at = varint_put(wire->packed, at, SESSION_FIELD << 3 | WIRE_BYTES);
	at = varint_put(wire->packed, at, NONCE_SIZE);
	memcpy(wire->packed + at, wire->nonce, NONCE_SIZE);
	at = varint_put(wire->packed, at + NONCE_SIZE, kind << 3 | WIRE_BYTES);
	at = varint_put(wire->packed, at, content.len);
	if (content.len)
		memcpy(wire->packed + at, content.data, content.len);
	return BYTES(wire->packed, at + content.len);
}

const Dienstweg__Frame *wire_reply(struct wire *wire, Dienstweg__Frame__BodyCase body)
{
	long long end = now_ms() + REPLY_MS;
	struct bytes raw;

	for (;;) {
		long long left = end - now_ms();
		if (left <= 0 || !wire_receive(wire, &raw, (int)left))
			CHECK_FAIL("no frame of kind %d came", body);
		arena_reset(wire->arena);
		const Dienstweg__Frame *frame = dienstweg__frame__unpack(
			arena_allocator(wire->arena), raw.len, raw.data);
		CHECK(frame);
		if (body == DIENSTWEG__FRAME__BODY__NOT_SET || frame->body_case == body)
			return frame;
	}
}

void wire_hello(struct wire *wire, const char *party)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Hello hello = DIENSTWEG__HELLO__INIT;
	ProtobufCBinaryData name = {.len = strlen(party), .data = (uint8_t *)(uintptr_t)party};
	uint32_t version = 0;

	hello.versions = &version;
	hello.n_versions = 1;
	hello.parties = &name;
	hello.n_parties = 1;
	frame.body_case = DIENSTWEG__FRAME__BODY_HELLO;
	frame.hello = &hello;
	CHECK(wire_send(wire, wire_pack(wire, &frame), REPLY_MS));
}

void wire_open_session(struct wire *wire, const char *party)
{
	wire_hello(wire, party);
	wire_reply(wire, DIENSTWEG__FRAME__BODY_WELCOME);
}
