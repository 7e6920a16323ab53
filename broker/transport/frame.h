/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/transport/socket.h"
#include "proto/base/bytes.h"
#include "proto/frame.pb-c.h"

/* Looking into frames without unpacking them, and packing them straight into a message. */
enum { FRAME_MALFORMED = 1, NONCE_SIZE = 16 };

/* What stands on the outside of a frame. */
struct frame_peek {
	struct bytes session; /* NONCE_SIZE bytes, or empty */
	uint32_t body;        /* field number of the body, 0: none */
	struct bytes content; /* the body's bytes */
};

/**
 * frame_peek() - read session and kind of a frame
 * @raw: as received
 * @ret: views into @raw
 * Return: 0, or FRAME_MALFORMED: not protobuf, a session of another length, session or body twice.
 */
int frame_peek(struct bytes raw, struct frame_peek *ret);

struct submit_peek {
	uint64_t number;
	bool resume;
	size_t envelopes; /* how many */
};

/**
 * submit_peek() - read number and resume of a Submit; its envelopes are counted and skipped unread
 * @content: the body's bytes
 * @ret:     what it says
 * Return: 0 or FRAME_MALFORMED.
 */
int submit_peek(struct bytes content, struct submit_peek *ret);

/**
 * submit_next() - walk over the envelopes of a Submit
 * @content: in: the body's bytes, already peeked; out: what is left
 * @ret:     the next envelope's bytes, a view
 * Return: 0, or 1 when there is none.
 */
int submit_next(struct bytes *content, struct bytes *ret);

/**
 * frame_pack() - pack a frame into a new message
 * @frame: body set; the session is filled in here
 * @nonce: NONCE_SIZE bytes, or NULL for none
 * @ret:   the message
 * Return: 0, -ENOMEM, or -EMSGSIZE when it would be larger than FRAME_BYTES_MAX.
 */
int frame_pack(Dienstweg__Frame *frame, const uint8_t *nonce, struct router_message *ret);
