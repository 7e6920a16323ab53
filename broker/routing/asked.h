/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/rules.h"

/*
 * Messages that somebody waits for a word on. Enquiries, from when they are recorded until nothing can be said of them
 * any more; and submissions of services that say when they are overdue, until there is a reply. One row of `counter` each, found
 * by who asked and a token of h and case, which is all that an answer names; a total for each asker and service; and a row of `timer`. An
 * enquiry waits for its answer until its time is over, then it is remembered for an hour as one that is
 * answered too late. Every function: 0 or negative errno (-EBADMSG: damaged journal).
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

/**
 * asked_put() - an enquiry: it waits for its answer, unless it is over
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
 * asked_due() - a row of TIMER_ASKED is due: the enquiry is over, or forgotten
 * @state:       the state
 * @asker:       who asked
 * @token:       value of that row
 * @ret_reminds: it is no enquiry, nothing was done: for rules_remind()
 * Return: 0 or negative errno.
 */
int asked_due(struct state *state, uint32_t asker, struct bytes token, bool *ret_reminds);
