/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"

/*
 * Which messages of the outbox are on their way, and which may leave next. Pure memory: no I/O, no clock
 * of its own. Order is kept where it matters:
 *   - of one case, only the oldest message present may be out: a deferral must not let a decision overtake
 *     its application;
 *   - a place (recipient or region, and service) that was deferred "full" or "held" is tried with one
 *     message at a time until one gets through: a closed door is not knocked on by thousands.
 *
 *   WAITING -- window_sent() --> SENT -- receipt or refusal: window_remove()
 *      ^                          |
 *      |                          +-- window_defer() --> DEFERRED -- its time --> as WAITING
 *      +-- window_put_back_*() ---+
 */
enum window_state { WINDOW_WAITING, WINDOW_SENT, WINDOW_DEFERRED };

struct window_entry {
	uint64_t number; /* in the outbox: its order */
	uint8_t h[HASH_SIZE];
	uint64_t case_gate;
	uint64_t place_gate;
	uint32_t bytes; /* of the envelope */
	enum window_state state;
	bool reseal;    /* deferred as registry-outdated */
	bool upload;    /* deferred until its attachments are at the broker */
	bool resign;    /* with it: only the signature is outdated, the header stays as it is */
	uint64_t frame; /* sent: the Submit it is in */
	uint64_t retry_at_ns; /* deferred */

	/* the window's own */
	bool probe;
	uint32_t next, previous; /* in the list of its state */
	uint32_t case_next;      /* the next one of its case */
	uint32_t case_last;      /* of the oldest of a case: its last one */
};

struct window;

/**
 * window_new() - an empty window
 * @entries_max: most messages known at once, in any state
 * @ret:         the window
 * Return: 0 or -ENOMEM.
 */
int window_new(size_t entries_max, struct window **ret);
void window_free(struct window *window); /* takes NULL */
DEFINE_CLEANUP(struct window *, window_free);

/* Room for how many more; how many there are; how many are sent, and their bytes. */
size_t window_left(const struct window *window);
size_t window_count(const struct window *window);
size_t window_sent_count(const struct window *window);
uint64_t window_sent_bytes(const struct window *window);

/**
 * window_add() - a message from the outbox
 * @window: with room
 * @entry:  number above all before, h, gates and bytes set; copied
 */
void window_add(struct window *window, const struct window_entry *entry);

/**
 * window_next() - the oldest message that may leave
 * @window: the window
 * @now_ns: monotonic
 *
 * Each call looks behind what the one before gave; what opens a gate makes it begin anew.
 *
 * Return: an entry to be given to window_sent(), or to window_rewind(); or NULL.
 */
struct window_entry *window_next(struct window *window, uint64_t now_ns);

void window_rewind(struct window *window); /* what was not sent now is looked at again next time */

/**
 * window_next_reseal() - the oldest that has to be sealed anew and is due
 * @window: the window
 * @now_ns: monotonic
 * Return: an entry, or NULL.
 */
struct window_entry *window_next_reseal(struct window *window, uint64_t now_ns);

/**
 * window_sent() - it left
 * @window: the window
 * @entry:  from window_next()
 * @frame:  number of the Submit, never falling
 */
void window_sent(struct window *window, struct window_entry *entry, uint64_t frame);
struct window_entry *window_find(struct window *window, const uint8_t h[HASH_SIZE]); /* or NULL */
void window_remove(struct window *window, struct window_entry *entry); /* it has its answer */

enum window_reach { WINDOW_ALONE, WINDOW_PLACE };

/**
 * window_defer() - "not now"
 * @window: the window
 * @entry:  sent
 * @until:  monotonic ns
 * @reach:  whether it concerns this message alone or everything that goes to its place
 */
void window_defer(
	struct window *window, struct window_entry *entry, uint64_t until, enum window_reach reach);

/**
 * window_resealed() - it has another header or signature now and may be sent again
 * @window: the window
 * @entry:  deferred, with @reseal
 * @h:      the new identity
 * @bytes:  of the new envelope
 */
void window_resealed(struct window *window, struct window_entry *entry, const uint8_t h[HASH_SIZE],
	uint32_t bytes);

/**
 * window_put_back() - what was sent in this Submit or a later one is to be sent again, in order
 * @window: the window
 * @frame:  number of the Submit; 0: everything
 */
void window_put_back(struct window *window, uint64_t frame);
void window_hurry_reseals(struct window *window); /* a newer registry is there: all are due */

void window_hurry_uploads(struct window *window); /* an attachment is at the broker */

/**
 * window_due_ns() - when the next deferral is over
 * @window: the window
 * Return: monotonic ns, UINT64_MAX when there is none.
 */
uint64_t window_due_ns(const struct window *window);
