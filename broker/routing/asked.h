/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/rules.h"

/*
 * Messages that somebody waits for a word on. Enquiries, from when they are recorded until nothing can be said of them
 * any more; and submissions of services that say when they are overdue, until there is a reply. One row of `counter`
 * each, found by who asked and a token of h and case, which is all that an answer names; a total for each asker and
 * service; and a row of `timer`. An enquiry waits for its answer until its time is over, then it is remembered for an
 * hour as one that is answered too late. Of a submission its sender is told that its time is nearly over, where the
 * service says so, then that it is over, and then it is counted for who should have replied, for 30 days at most,
 * and ASKED_LATE_MAX of them.
 * Every function: 0 or negative errno (-EBADMSG: damaged journal).
 */

/**
 * asked_token() - what an enquiry is found by: says nothing of its case, and cannot be had without it
 * @h:       of the enquiry
 * @case_id: its case's
 * @ret:     the token
 */
void asked_token(const uint8_t h[HASH_SIZE], const uint8_t case_id[CASE_ID_BYTES],
	uint8_t ret[ASKED_TOKEN_SIZE]);

/* How many enquiries of this service wait for an answer. */
int asked_pending(struct state *state, uint32_t asker, struct bytes service, uint64_t *ret);

enum { ASKED_LATE_MAX = 10000 };

/* How many submissions this party has not replied to in time; more than ASKED_LATE_MAX are not counted. */
int asked_late(struct state *state, uint32_t party, uint64_t *ret);

/**
 * asked_put() - a message that is to be answered, or replied to
 * @state: the state
 * @asker: who asked
 * @token: of the enquiry
 * @row:   what is known of it
 * Return: 0 or negative errno.
 */
int asked_put(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	const struct asked_row *row);

/* The enquiry: 0, STATE_NOT_FOUND, negative errno. */
int asked_get(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	struct asked_row *ret);

/* Nobody waits for its answer any more: it was answered, or will not be. @row: as asked_get() found it. */
int asked_forget(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	const struct asked_row *row);

/**
 * asked_ended() - a message ended without being taken
 * @state:    the state
 * @row:      as it was in its queue; a message that nobody asked about is passed over
 * @sequence: its sequence
 * @expired:  by its own time: an enquiry is then over by itself
 * Return: 0 or negative errno.
 */
int asked_ended(struct state *state, const struct queue_row *row, uint64_t sequence, bool expired);

/**
 * asked_find_due() - the row of TIMER_ASKED of a message
 * @state:     the state
 * @sequence:  of the message
 * @due_ms:    its time
 * @ret_asker: its sender
 * @ret_token: its token
 * @ret:       what is known of it
 * Return: 0, STATE_NOT_FOUND, negative errno.
 */
int asked_find_due(struct state *state, uint64_t sequence, uint64_t due_ms, uint32_t *ret_asker,
	uint8_t ret_token[ASKED_TOKEN_SIZE], struct asked_row *ret);

/**
 * asked_told() - its sender is being told: of a warning it goes on to the reminder, of that to those that are late
 * @state:  the state
 * @asker:  its sender
 * @token:  its token
 * @row:    as asked_get() found it, one that tells
 * @now_ms: batch time
 * Return: 0 or negative errno.
 */
int asked_told(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	const struct asked_row *row, uint64_t now_ms);

/**
 * asked_due() - a row of TIMER_ASKED is due: an enquiry is over, or something is forgotten
 * @state:     the state
 * @asker:     its sender
 * @token:     value of that row
 * @now_ms:    batch time
 * @ret_tells: ASKED_WARNS, ASKED_REMINDS: nothing was done, its sender is to be told: for rules_remind(); else
 *             ASKED_OVER
 *
 * One whose warning comes too late is due anew as a reminder, behind the row that was looked at.
 *
 * Return: 0 or negative errno.
 */
int asked_due(struct state *state, uint32_t asker, struct bytes token, uint64_t now_ms,
	enum asked_state *ret_tells);
