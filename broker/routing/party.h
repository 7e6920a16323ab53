/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/state.h"

/**
 * party_name() - the name of a number that was given
 * @state:  the state
 * @number: from 1
 * @ret:    a view, as of struct state_ops
 * Return: 0; -EBADMSG when no party has that number (the journal is damaged); negative errno.
 */
int party_name(struct state *state, uint32_t number, struct bytes *ret);
