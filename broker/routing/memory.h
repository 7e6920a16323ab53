/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/state.h"
#include "proto/base/cleanup.h"

/* State in plain memory, for explorer, simulation and unit tests: the same ops, plus copy and compare. */
struct state_memory;
int state_memory_new(struct state_memory **ret);
void state_memory_free(struct state_memory *memory);
DEFINE_CLEANUP(struct state_memory *, state_memory_free);
struct state *state_memory_state(struct state_memory *memory);
int state_memory_copy(const struct state_memory *memory, struct state_memory **ret); /* a snapshot */
/* 0 when equal; 1 and the table of the first difference otherwise. */
int state_memory_compare(const struct state_memory *a, const struct state_memory *b,
	enum state_table *ret_table);
/* A digest of all rows: for visited-state sets. */
void state_memory_digest(const struct state_memory *memory, uint8_t ret[32]);
