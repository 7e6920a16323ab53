/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/state.h"
#include "proto/base/cleanup.h"

/*
 * State in plain memory, for explorer, simulation and unit tests: the same ops, plus snapshot, compare
 * and digest. A state and all its snapshots share rows and belong to one thread.
 */
struct state_memory;

/* An empty state. 0 or -ENOMEM. */
int state_memory_new(struct state_memory **ret);
void state_memory_free(struct state_memory *memory); /* takes NULL */
DEFINE_CLEANUP(struct state_memory *, state_memory_free);

/* What the rules take; valid as long as the memory. */
struct state *state_memory_state(struct state_memory *memory);

/* A snapshot, cheap: later writes to either are not seen by the other. 0 or -ENOMEM. */
int state_memory_copy(const struct state_memory *memory, struct state_memory **ret);

/* 0 when equal; 1 and the table of the first difference otherwise. */
int state_memory_compare(
	const struct state_memory *a, const struct state_memory *b, enum state_table *ret_table);

/* A digest of all rows: for visited-state sets. */
void state_memory_digest(const struct state_memory *memory, uint8_t ret[32]);
