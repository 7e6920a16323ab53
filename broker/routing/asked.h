/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/rules.h"

/*
 * Enquiries, from when they are recorded until nothing can be said of them any more. One row of `counter` each, found
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

/**
 * asked_forget() - nobody waits for its answer any more: it was answered, or will not be
 * @state:    the state
 * @asker:    who asked
 * @token:    of the message; one that is no enquiry is passed over
 * @sequence: of the message
 * Return: 0 or negative errno.
 */
int asked_forget(struct state *state, uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE],
	uint64_t sequence);

/**
 * asked_due() - a row of TIMER_ASKED is due: the enquiry is over, or forgotten
 * @state: the state
 * @asker: who asked
 * @token: value of that row
 * Return: 0 or negative errno.
 */
int asked_due(struct state *state, uint32_t asker, struct bytes token);
