/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The scan is what stands between a signed header and protobuf-c's forgiveness, so each thing that
 * protobuf-c forgives is shown to be forgiven by it and refused here; and the promise that protobuf-c
 * cannot fail on what the scan has passed is tried on many thousand damaged messages.
 */
#include "proto/envelope/wire.h"

#include "proto/envelope/test-sample.h"
#include "proto/frame.pb-c.h"
#include "proto/journal.pb-c.h"
#include "test/kit/check.h"

static const ProtobufCMessageDescriptor *const header_form = &dienstweg__header__descriptor;

static int scan(const ProtobufCMessageDescriptor *form, const char *bytes, size_t len,
	const char *field_expected)
{
	const char *field = NULL;
	int r = wire_check(form, BYTES(bytes, len), &field);
	CHECK_STR(field, field_expected);
	return r;
}
#define SCAN(form, text, field) scan(form, text, sizeof(text) - 1, field)

static void takes_what_encoders_write(void)
{
	Dienstweg__Header header = sample_header();
	uint8_t buf[HEADER_BYTES_MAX];
	const char *field;
	size_t len = sample_pack(&header, buf, sizeof(buf));
	CHECK_INT(wire_check(header_form, BYTES(buf, len), &field), 0);
	CHECK_STR(field, "");
	CHECK_INT(wire_check(header_form, BYTES(NULL, 0), &field), 0);
}

static void refuses_broken_bytes(void)
{
	/* created_ms is field 11 (tag 0x58), bus field 2 (0x12), kind field 4 (0x20). */
	CHECK_INT(SCAN(header_form, "\x80", ""), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x58", "created_ms"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x58\x80", "created_ms"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x12\x05wupp", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x12\xff\xff\xff\xff\x0fx", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x", "bus"),
		WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x12", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x00", ""), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x02\x00", ""), WIRE_MALFORMED);
	/* A tag of more than 32 bits would be another field to a reader that cuts it. */
	CHECK_INT(SCAN(header_form, "\x92\x80\x80\x80\x10\x01x", ""), WIRE_MALFORMED);
}

static void refuses_longer_numbers_than_need_be(void)
{
	CHECK_INT(SCAN(header_form, "\x58\x81\x00", "created_ms"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x58\x80\x00", "created_ms"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\xd8\x00\x01", ""), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x12\x81\x00x", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x58\x00", ""), 0);
	CHECK_INT(SCAN(header_form, "\x58\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", ""), 0);
	CHECK_INT(SCAN(header_form, "\x58\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "created_ms"),
		WIRE_MALFORMED);
	CHECK_INT(
		SCAN(header_form, "\x58\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", "created_ms"),
		WIRE_MALFORMED);
}

static void refuses_groups_and_wrong_wire_types(void)
{
	CHECK_INT(SCAN(header_form, "\x13\x14", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x14", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x16\x00", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x17\x00", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x10\x01", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x15zzzz", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x11zzzzzzzz", "bus"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x5a\x01\x01", "created_ms"), WIRE_MALFORMED);
}

/* protobuf-c keeps the lower 32 bits: priority 2^32 would be urgent to it and an error to others. */
static void refuses_numbers_too_large_for_their_field(void)
{
	CHECK_INT(SCAN(header_form, "\xc8\x01\x80\x80\x80\x80\x10", "priority"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\xc8\x01\xff\xff\xff\xff\x0f", ""), 0);
	CHECK_INT(SCAN(header_form, "\x20\x80\x80\x80\x80\x10", "kind"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x20\xff\xff\xff\xff\x0f", "kind"), WIRE_MALFORMED);
	CHECK_INT(SCAN(header_form, "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", ""), 0);
	/* Ack.accepted, a bool, is field 3. */
	CHECK_INT(SCAN(&dienstweg__ack__descriptor, "\x18\x02", "accepted"), WIRE_MALFORMED);
	CHECK_INT(SCAN(&dienstweg__ack__descriptor, "\x18\x01", ""), 0);
}

static void refuses_a_field_twice(void)
{
	CHECK_INT(SCAN(header_form, "\x12\x01x\x12\x01x", "bus"), WIRE_DUPLICATE);
	CHECK_INT(SCAN(header_form, "\x12\x01x\x58\x01\x12\x01x", "bus"), WIRE_DUPLICATE);
	CHECK_INT(SCAN(header_form, "\x58\x00\x58\x00", "created_ms"), WIRE_DUPLICATE);
	CHECK_INT(SCAN(header_form, "\xa2\x01\x01x\xa2\x01\x01x", ""), 0); /* sealed_recipients */
}

static void refuses_two_members_of_a_oneof(void)
{
	const ProtobufCMessageDescriptor *form = &dienstweg__payload__descriptor;
	CHECK_INT(SCAN(form, "\x0a\x00\x12\x00", "sealed"), WIRE_DUPLICATE);
	CHECK_INT(SCAN(form, "\x12\x00\x0a\x00", "clear"), WIRE_DUPLICATE);
	CHECK_INT(SCAN(form, "\x0a\x00\x0a\x00", "clear"), WIRE_DUPLICATE);
	CHECK_INT(SCAN(form, "\x0a\x00", ""), 0);
	/* Frame: ping (19) and pong (46) in one frame, beside a session of its own. */
	form = &dienstweg__frame__descriptor;
	CHECK_INT(SCAN(form, "\x0a\x01s\x9a\x01\x00", ""), 0);
	CHECK_INT(SCAN(form, "\x9a\x01\x00\xf2\x02\x00", "pong"), WIRE_DUPLICATE);
}

static void refuses_unknown_fields(void)
{
	CHECK_INT(SCAN(header_form, "\xd0\x01\x01", ""), WIRE_UNKNOWN); /* 26, one past the last */
	CHECK_INT(SCAN(header_form, "\xfa\xff\xff\xff\x0f\x00", ""), WIRE_UNKNOWN);
	CHECK_INT(SCAN(&dienstweg__content__descriptor, "\x22\x00", ""), WIRE_UNKNOWN);
}

/* Receipt.path: both spellings of a repeated number are protobuf. */
static void takes_packed_and_unpacked(void)
{
	const ProtobufCMessageDescriptor *form = &dienstweg__receipt__descriptor;
	CHECK_INT(SCAN(form, "\x40\x01\x40\x02", ""), 0);
	CHECK_INT(SCAN(form, "\x42\x02\x01\x02", ""), 0);
	CHECK_INT(SCAN(form, "\x45zzzz", "path"), WIRE_MALFORMED);
	CHECK_INT(SCAN(form, "\x40\x80\x80\x80\x80\x10", "path"), WIRE_MALFORMED);
}

static void finds_fields_where_they_stand(void)
{
	static const char text[] = "\x58\x05\xa2\x01\x03one\x12\x03"
				   "bus\xa2\x01\x00\xa2\x01\x05three";
	struct bytes data = BYTES(text, sizeof(text) - 1), view;
	CHECK_INT(wire_field(data, 20, 0, &view), 0);
	CHECK(bytes_equal(view, BYTES("one", 3)));
	CHECK(view.data == data.data + 5);
	CHECK_INT(wire_field(data, 20, 1, &view), 0);
	CHECK_INT(view.len, 0);
	CHECK_INT(wire_field(data, 20, 2, &view), 0);
	CHECK(bytes_equal(view, BYTES("three", 5)));
	CHECK_INT(wire_field(data, 20, 3, &view), 1);
	CHECK_INT(wire_field(data, 2, 0, &view), 0);
	CHECK(bytes_equal(view, BYTES("bus", 3)));
	CHECK_INT(wire_field(data, 11, 0, &view), 1);
	CHECK_INT(wire_field(BYTES(NULL, 0), 2, 0, &view), 1);
	CHECK_INT(wire_field(BYTES("\x12\x05x", 3), 2, 0, &view), 1);
}

static void writes_what_protobuf_writes(void)
{
	static const size_t lengths[] = {0, 1, 127, 128, 16383, 16384, 100000};
	static uint8_t const salt[32] = {1, 2, 3};
	uint8_t *body = calloc(1, 100000);
	CHECK(body != NULL);
	for (size_t i = 1; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		Dienstweg__Content content = DIENSTWEG__CONTENT__INIT;
		content.salt = sample_bytes(salt, sizeof(salt));
		content.body = sample_bytes(body, lengths[i]);
		size_t len = dienstweg__content__get_packed_size(&content);
		CHECK_INT(wire_size(1, 32) + wire_size(2, lengths[i]), len);
		uint8_t *theirs = malloc(len), *ours = malloc(len);
		CHECK(theirs && ours);
		dienstweg__content__pack(&content, theirs);
		uint8_t *end = wire_put(ours, 1, BYTES(salt, sizeof(salt)));
		end = wire_put(end, 2, BYTES(body, lengths[i]));
		CHECK_INT(end - ours, len);
		CHECK_MEM(ours, theirs, len);
		free(theirs);
		free(ours);
	}
	uint8_t head[16];
	CHECK_INT(wire_put_head(head, 1000, 300) - head, 4);
	CHECK_INT(wire_size(1000, 300), 304);
	CHECK_MEM(head, "\xc2\x3e\xac\x02", 4);
	free(body);
}

/* Damage that is likely to leave protobuf behind: other bytes, moved and repeated pieces. */
static size_t damage(uint64_t *random, uint8_t *buf, size_t len, size_t size)
{
	size_t times = 1 + sample_number(random) % 4;
	for (size_t i = 0; i < times && len > 1; i++) {
		size_t at = sample_number(random) % len;
		size_t run = 1 + sample_number(random) % (len - at);
		switch (sample_number(random) % 4) {
		case 0:
			buf[at] = (uint8_t)sample_number(random);
			break;
		case 1:
			buf[at] ^= (uint8_t)(1u << sample_number(random) % 8);
			break;
		case 2:
			len = at + 1;
			break;
		default:
			if (len + run > size)
				break;
			memmove(buf + at + run, buf + at, len - at);
			len += run;
		}
	}
	return len;
}

/* The header and its only submessages. */
static int scan_whole(struct bytes data)
{
	struct bytes attachment;
	const char *field;
	int r = wire_check(header_form, data, &field);
	for (size_t i = 0; r == 0 && wire_field(data, 21, i, &attachment) == 0; i++)
		r = wire_check(&dienstweg__attachment__descriptor, attachment, &field);
	return r;
}

static void protobuf_reads_what_passes(void)
{
	Dienstweg__Header header = sample_header();
	uint8_t whole[HEADER_BYTES_MAX], buf[HEADER_BYTES_MAX];
	size_t len = sample_pack(&header, whole, sizeof(whole)), passed = 0;
	uint64_t random = 2;
	for (size_t i = 0; i < 200000; i++) {
		memcpy(buf, whole, len);
		size_t now = damage(&random, buf, len, sizeof(buf));
		if (scan_whole(BYTES(buf, now)) != 0)
			continue;
		passed++;
		Dienstweg__Header *read = dienstweg__header__unpack(NULL, now, buf);
		if (!read)
			CHECK_FAIL("round %zu: protobuf-c refuses what the scan has passed", i);
		CHECK_INT(read->base.n_unknown_fields, 0);
		dienstweg__header__free_unpacked(read, NULL);
	}
	CHECK(passed > 1000); /* else the loop has tried nothing */
}

CHECK_MAIN(CHECK_CASE(takes_what_encoders_write), CHECK_CASE(refuses_broken_bytes),
	CHECK_CASE(refuses_longer_numbers_than_need_be),
	CHECK_CASE(refuses_groups_and_wrong_wire_types),
	CHECK_CASE(refuses_numbers_too_large_for_their_field), CHECK_CASE(refuses_a_field_twice),
	CHECK_CASE(refuses_two_members_of_a_oneof), CHECK_CASE(refuses_unknown_fields),
	CHECK_CASE(takes_packed_and_unpacked), CHECK_CASE(finds_fields_where_they_stand),
	CHECK_CASE(writes_what_protobuf_writes), CHECK_CASE(protobuf_reads_what_passes))
