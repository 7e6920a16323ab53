/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * ZeroMQ's high-water marks count frames and say nothing about one peer, so a slow reader could hold
 * tens of megabytes. Two bounds replace them: what the recipient says it can take, and what the broker is
 * willing to have out. Totals instead of increments, because a lost or repeated Credit then does no harm.
 */
#include "broker/delivery/window.h"

#include <assert.h>

enum { MESSAGE_BYTES_ROOM = 512 * 1024 /* more than any message */ };

void window_init(struct window *window, uint64_t out_bytes_max)
{
	*window = (struct window){.out_bytes_max = out_bytes_max};
}

void window_grant(struct window *window, uint64_t messages, uint64_t bytes)
{
	if (messages > window->granted_messages)
		window->granted_messages = messages;
	if (bytes > window->granted_bytes)
		window->granted_bytes = bytes;
}

static uint64_t left_of(uint64_t whole, uint64_t used)
{
	return whole > used ? whole - used : 0;
}

void window_room(const struct window *window, uint64_t *ret_messages, uint64_t *ret_bytes)
{
	uint64_t out = window->out_bytes + window->reserved_bytes;
	uint64_t credit = left_of(
		window->granted_bytes, window->sent_bytes + window->reserved_bytes);
	uint64_t cap = left_of(window->out_bytes_max, out);
	/* Or a message larger than the cap would wait for ever. */
	if (out == 0 && cap < MESSAGE_BYTES_ROOM)
		cap = MESSAGE_BYTES_ROOM;
	*ret_messages = left_of(
		window->granted_messages, window->sent_messages + window->reserved_messages);
	*ret_bytes = credit < cap ? credit : cap;
}

bool window_fits(const struct window *window, uint64_t bytes)
{
	uint64_t room_messages, room_bytes;
	window_room(window, &room_messages, &room_bytes);
	return room_messages > 0 && bytes <= room_bytes;
}

void window_spend(struct window *window, uint64_t bytes)
{
	window->sent_messages++;
	window->sent_bytes += bytes;
}

void window_take(struct window *window, uint64_t bytes)
{
	window_spend(window, bytes);
	window->out_bytes += bytes;
}

void window_return(struct window *window, uint64_t bytes)
{
	assert(window->out_bytes >= bytes);
	window->out_bytes -= bytes;
}

void window_reserve(struct window *window, uint64_t messages, uint64_t bytes)
{
	window->reserved_messages += messages;
	window->reserved_bytes += bytes;
}

void window_release(struct window *window, uint64_t messages, uint64_t bytes)
{
	assert(window->reserved_messages >= messages && window->reserved_bytes >= bytes);
	window->reserved_messages -= messages;
	window->reserved_bytes -= bytes;
}
