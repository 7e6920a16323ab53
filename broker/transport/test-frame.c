/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What is read off the wire without unpacking must be what protobuf-c would have read, or nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "broker/field.h"
#include "broker/transport/frame.h"
#include "proto/base/crypto.h"
#include "proto/envelope/envelope.h"
#include "test/kit/check.h"

static const uint8_t nonce[NONCE_SIZE] = {1, 2, 3};

static struct bytes pack_submit(uint64_t number, bool resume, size_t envelopes, uint8_t *buf)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;
	Dienstweg__Envelope one = DIENSTWEG__ENVELOPE__INIT, *list[8] = {0};
	one.header = field_bytes(BYTES(nonce, sizeof(nonce)));
	for (size_t i = 0; i < envelopes; i++)
		list[i] = &one;
	submit.number = number;
	submit.resume = resume;
	submit.envelopes = list;
	submit.n_envelopes = envelopes;
	frame.session = field_bytes(BYTES(nonce, NONCE_SIZE));
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	return BYTES(buf, dienstweg__frame__pack(&frame, buf));
}

static void a_submit_is_read_from_outside(void)
{
	static const uint64_t numbers[] = {0, 1, 127, 128, UINT64_C(1) << 35, UINT64_MAX};
	uint8_t buf[512];
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct frame_peek peek;
		struct submit_peek submit;
		struct bytes raw = pack_submit(numbers[i], i % 2, i, buf);
		CHECK_INT(frame_peek(raw, &peek), 0);
		CHECK_INT(peek.body, DIENSTWEG__FRAME__BODY_SUBMIT);
		CHECK(bytes_equal(peek.session, BYTES(nonce, NONCE_SIZE)));
		CHECK_INT(submit_peek(peek.content, &submit), 0);
		CHECK(submit.number == numbers[i]);
		CHECK_INT(submit.resume, i % 2);
	}
}

/* Cut anywhere, a frame is malformed or says less, and nothing outside of it is read. */
static void cut_frames_are_no_frames(void)
{
	uint8_t buf[512];
	struct bytes raw = pack_submit(300, true, 3, buf);
	for (size_t len = 0; len < raw.len; len++) {
		struct frame_peek peek;
		uint8_t *copy = malloc(len ? len : 1); /* its end is guarded by the sanitizer */
		CHECK(copy);
		memcpy(copy, raw.data, len);
		if (frame_peek(BYTES(copy, len), &peek) == 0)
			CHECK(len == 0 || len == 2 + NONCE_SIZE);
		free(copy);
	}
}

static void check_malformed(const char *what, struct bytes raw)
{
	struct frame_peek peek;
	if (frame_peek(raw, &peek) != FRAME_MALFORMED)
		CHECK_FAIL("taken for a frame: %s", what);
}

static void one_reading_or_none(void)
{
	uint8_t twice[2 * (2 + NONCE_SIZE)] = {0x0a, NONCE_SIZE};
	memcpy(twice + 2 + NONCE_SIZE, twice, 2 + NONCE_SIZE);
	check_malformed("session twice", BYTES(twice, sizeof(twice)));
	check_malformed("a short session", BYTES("\x0a\x01x", 3));
	check_malformed("a session that is a number", BYTES("\x08\x01", 2));
	check_malformed("two bodies", BYTES("\x9a\x01\x00\xa2\x01\x00", 6));
	check_malformed("a body that is a number", BYTES("\x98\x01\x00", 3));
	check_malformed("field number 0", BYTES("\x02\x00", 2));
	check_malformed("a group", BYTES("\x9b\x01\x9c\x01", 4));
	check_malformed(
		"an endless number", BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11));
	check_malformed("a length beyond the end", BYTES("\x9a\x01\x05x", 4));
	check_malformed("a length that wraps",
		BYTES("\x9a\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12));
	struct frame_peek peek;
	/* Fields to come, of every type. */
	CHECK_INT(frame_peek(BYTES("\x20\x01\x2a\x00\x31xxxxxxxx\x3dxxxx", 18), &peek), 0);
	CHECK_INT(peek.body, 0);
	CHECK_INT(frame_peek(BYTES(NULL, 0), &peek), 0);
}

static void packing_has_a_limit(void)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Registry body = DIENSTWEG__REGISTRY__INIT;
	struct router_message message;
	_cleanup_(heap_free) uint8_t *large = calloc(1, FRAME_BYTES_MAX);
	CHECK(large);
	frame.body_case = DIENSTWEG__FRAME__BODY_REGISTRY;
	frame.registry = &body;
	body.signed_ = field_bytes(BYTES(large, FRAME_BYTES_MAX));
	CHECK_INT(frame_pack(&frame, nonce, &message), -EMSGSIZE);
	body.signed_.len = FRAME_BYTES_MAX - 2 - NONCE_SIZE - 5 - 4;
	CHECK_INT(frame_pack(&frame, nonce, &message), 0);
	CHECK(router_message_size(&message) <= FRAME_BYTES_MAX);
	router_message_deinit(&message);
}

CHECK_MAIN(CHECK_CASE(a_submit_is_read_from_outside), CHECK_CASE(cut_frames_are_no_frames),
	CHECK_CASE(one_reading_or_none), CHECK_CASE(packing_has_a_limit))
