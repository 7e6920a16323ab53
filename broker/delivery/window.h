/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What may be sent to a session: the credit it granted (totals since Hello, docs/protocol.md "Credit"),
 * and the broker's own cap on bytes that are out and not acknowledged. Bytes are header plus content. A
 * fetch in flight reserves its share, so that what comes from memory meanwhile cannot take it.
 */
struct window {
	uint64_t granted_messages;
	uint64_t granted_bytes;
	uint64_t sent_messages; /* since Hello, redeliveries included */
	uint64_t sent_bytes;
	uint64_t reserved_messages;
	uint64_t reserved_bytes;
	uint64_t out_bytes; /* leased to this session */
	uint64_t out_bytes_max;
};

/**
 * window_init() - nothing granted yet
 * @window:        to set up
 * @out_bytes_max: cap on unacknowledged bytes; one message may exceed it alone
 */
void window_init(struct window *window, uint64_t out_bytes_max);

/**
 * window_grant() - take over totals; they never shrink
 * @window:   the session's
 * @messages: total since Hello
 * @bytes:    total since Hello
 */
void window_grant(struct window *window, uint64_t messages, uint64_t bytes);

/**
 * window_room() - what may be sent now
 * @window:       the session's
 * @ret_messages: messages
 * @ret_bytes:    bytes
 */
void window_room(const struct window *window, uint64_t *ret_messages, uint64_t *ret_bytes);

/* Does one message of so many bytes fit? */
bool window_fits(const struct window *window, uint64_t bytes);

/* A message was sent that nobody acknowledges: it uses up credit, and is not out. */
void window_spend(struct window *window, uint64_t bytes);

/* A message was sent; it was settled; a share is set aside; it is given back. */
void window_take(struct window *window, uint64_t bytes);
void window_return(struct window *window, uint64_t bytes);
void window_reserve(struct window *window, uint64_t messages, uint64_t bytes);
void window_release(struct window *window, uint64_t messages, uint64_t bytes);
