/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The breaker of one recipient: so many messages in a row failed, one after the other, that it must be the
 * recipient and not the messages. Then its queue rests, and after a wait that grows one message is tried. It also
 * says of each failure whether it is the message's own: only such failures count towards the dead letters, so
 * that a recipient that is down never fills them. Volatile by design. Pure: no clock, no I/O. Reactor only.
 *
 *   CLOSED -- `limit` messages fail, none passes --> OPEN -- the wait is over --> PROBING -- it fails --> OPEN
 *      ^------------------------------ any message passes ----------------------------------'
 */
enum breaker_state {
	BREAKER_CLOSED = 0, /* all is sent */
	BREAKER_OPEN,       /* nothing is */
	BREAKER_PROBING,    /* one message, once nothing else is out */
};

enum breaker_failure {
	BREAKER_LOST,        /* the session ended, with others out as well */
	BREAKER_LOST_ALONE,  /* the session ended over this message alone */
	BREAKER_SILENT,      /* its lease ran out */
	BREAKER_UNAVAILABLE, /* given back: the recipient's system cannot be reached */
	BREAKER_GIVEN_BACK,  /* ... for any other reason */
};

enum { BREAKER_FAILED_MAX = 64 };

struct breaker_options {
	uint32_t failures; /* that open it; 0: never */
	uint32_t wait_min_ms;
	uint32_t wait_max_ms;
};

struct breaker {
	struct breaker_options options;
	enum breaker_state state;
	uint32_t failures; /* messages that failed since one passed */
	uint32_t wait_ms;  /* the next one */
	uint64_t until_ns; /* BREAKER_OPEN */
	uint64_t passed;   /* messages that did */
	/* The last failures of messages, and what had passed then; a ring. */
	struct {
		uint64_t sequence;
		uint64_t passed;
	} failed[BREAKER_FAILED_MAX];
	size_t failed_count;
};

/* Closed, and nothing failed yet; the options are copied. */
void breaker_init(struct breaker *breaker, const struct breaker_options *options);

/**
 * breaker_failed() - a delivery failed
 * @breaker:  the recipient's
 * @sequence: of the message
 * @how:      it failed
 * @now_ns:   monotonic
 *
 * It is the message's own failure when the recipient gave it back for a reason of the message, unless it gives back
 * everything; or when the message went down in silence, again, and others have passed since it did before.
 *
 * Return: true when it is the message's own.
 */
bool breaker_failed(
	struct breaker *breaker, uint64_t sequence, enum breaker_failure how, uint64_t now_ns);

/* The recipient answered for a message, whatever it said: closed. Return: true when it was not. */
bool breaker_passed(struct breaker *breaker);

/* A new session: whoever mended it should not wait long. */
void breaker_renew(struct breaker *breaker, uint64_t now_ns);

/* Is the wait over? Return: true when it may be probed from now on. */
bool breaker_wakes(struct breaker *breaker, uint64_t now_ns);
