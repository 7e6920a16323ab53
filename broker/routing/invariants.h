/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "broker/routing/state.h"

/**
 * state_invariants() - do the derived tables agree with each other?
 * @state:  to walk; nothing is changed
 * @reterr: room for a sentence that names what disagrees
 * @size:   of @reterr
 *
 * Every open message is in exactly one place and has no end; what expires has its timer; queue totals
 * equal the rows; a common row waits for as many as share it; refusal counters and their timers come in pairs; names and numbers are one to one.
 *
 * Return: 0, STATE_CONTRADICTS, negative errno.
 */
enum { STATE_CONTRADICTS = 1 };
int state_invariants(struct state *state, char *reterr, size_t size);
