/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A sender over its budget is answered without its envelopes being unpacked: what overload costs must
 * not grow with the load. So number and kind are read off the wire here, by a walk that only skips.
 * Fields that must not come twice are refused here, because protobuf-c would take the last one and
 * somebody else's reader the first.
 */
#include "broker/transport/frame.h"

#include <errno.h>

#include "broker/field.h"
#include "proto/envelope/envelope.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
enum {
	FRAME_SESSION = 1,
	FRAME_BODY_FIRST = 10,
	SUBMIT_NUMBER = 1,
	SUBMIT_RESUME = 2,
	SUBMIT_ENVELOPES = 3,
};

struct walk {
	struct bytes left;
	uint32_t number;
	unsigned int type;
	uint64_t varint;    /* WIRE_VARINT */
	struct bytes value; /* WIRE_BYTES */
};

static int walk_varint(struct bytes *left, uint64_t *ret)
{
	uint64_t value = 0;
	for (size_t i = 0; i < 10 && i < left->len; i++) {
		value |= (uint64_t)(left->data[i] & 0x7f) << (7 * i);
		if (left->data[i] & 0x80)
			continue;
		*left = BYTES(left->data + i + 1, left->len - i - 1);
		*ret = value;
		return 0;
	}
	return FRAME_MALFORMED;
}

static int walk_skip(struct walk *walk, size_t len)
{
	if (len > walk->left.len)
		return FRAME_MALFORMED;
	walk->value = BYTES(walk->left.data, len);
	walk->left = BYTES(walk->left.data + len, walk->left.len - len);
	return 0;
}

/* The next field. Return: 0 or FRAME_MALFORMED. */
static int walk_next(struct walk *walk)
{
	uint64_t tag, len;
	if (walk_varint(&walk->left, &tag) != 0 || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
		return FRAME_MALFORMED;
	walk->number = (uint32_t)(tag >> 3);
	walk->type = tag & 7;
	switch (walk->type) {
	case WIRE_VARINT:
		return walk_varint(&walk->left, &walk->varint);
	case WIRE_FIXED64:
		return walk_skip(walk, 8);
	case WIRE_FIXED32:
		return walk_skip(walk, 4);
	case WIRE_BYTES:
		if (walk_varint(&walk->left, &len) != 0 || len > walk->left.len)
			return FRAME_MALFORMED;
		return walk_skip(walk, (size_t)len);
	default:
		return FRAME_MALFORMED;
	}
}

int frame_peek(struct bytes raw, struct frame_peek *ret)
{
	struct walk walk = {.left = raw};
	*ret = (struct frame_peek){0};
	while (walk.left.len > 0) {
		if (walk_next(&walk) != 0)
			return FRAME_MALFORMED;
		bool body = walk.number >= FRAME_BODY_FIRST;
		if (!body && walk.number != FRAME_SESSION)
			continue;
		bool twice = body ? ret->body != 0 : ret->session.len != 0;
		if (walk.type != WIRE_BYTES || twice)
			return FRAME_MALFORMED;
		if (body) {
			ret->body = walk.number;
			ret->content = walk.value;
			continue;
		}
		if (walk.value.len != NONCE_SIZE)
			return FRAME_MALFORMED;
		ret->session = walk.value;
	}
	return 0;
}

int submit_peek(struct bytes content, struct submit_peek *ret)
{
	struct walk walk = {.left = content};
	*ret = (struct submit_peek){0};
	while (walk.left.len > 0) {
		if (walk_next(&walk) != 0)
			return FRAME_MALFORMED;
		if (walk.number > SUBMIT_ENVELOPES)
			continue;
		if (walk.type != (walk.number == SUBMIT_ENVELOPES ? WIRE_BYTES : WIRE_VARINT))
			return FRAME_MALFORMED;
		if (walk.number == SUBMIT_NUMBER)
			ret->number = walk.varint;
		else if (walk.number == SUBMIT_RESUME)
			ret->resume = walk.varint != 0;
		else
			ret->envelopes++;
	}
	return 0;
}

int submit_next(struct bytes *content, struct bytes *ret)
{
	struct walk walk = {.left = *content};
	while (walk.left.len > 0 && walk_next(&walk) == 0) {
		if (walk.number != SUBMIT_ENVELOPES)
			continue;
		*content = walk.left;
		*ret = walk.value;
		return 0;
	}
	return 1;
}

int frame_pack(Dienstweg__Frame *frame, const uint8_t *nonce, struct router_message *ret)
{
	frame->session = field_bytes(BYTES(nonce, nonce ? NONCE_SIZE : 0));
	size_t size = dienstweg__frame__get_packed_size(frame);
	if (size > FRAME_BYTES_MAX)
		return -EMSGSIZE;
	uint8_t *buf = router_message_new(ret, size);
	if (!buf)
		return -ENOMEM;
	dienstweg__frame__pack(frame, buf);
	return 0;
}
