/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/rows.h"
#include "broker/routing/state.h"

/*
 * The common row of a message for several recipients: a row of `queue` under PARTY_COMMON with all that their own
 * rows would repeat, who they are, and how many of them it still waits for. It goes with the last of them, and with
 * it the timer of its expiry, of which there is one for all, too. Every function: 0 or negative errno (-EBADMSG:
 * damaged journal).
 */

/* Write it, and its expiry; or write it anew. */
int common_put(struct state *state, uint64_t sequence, const struct common_row *common);

/* Read it. Also STATE_NOT_FOUND. */
int common_get(struct state *state, uint64_t sequence, struct common_row *ret);

/**
 * common_join() - make a row of one recipient whole; nothing to do for one that stands alone
 * @state:    the state
 * @sequence: of the message
 * @row:      as it was decoded
 * Return: 0 or negative errno.
 */
int common_join(struct state *state, uint64_t sequence, struct queue_row *row);

/**
 * common_leave() - a recipient waits no longer
 * @state:    the state
 * @sequence: of the message
 * Return: 0 or negative errno.
 */
int common_leave(struct state *state, uint64_t sequence);
