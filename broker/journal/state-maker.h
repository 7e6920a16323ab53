/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/state.h"
#include "proto/base/crypto.h"

/* A state entry under way; between the state*.c files. */
struct state_maker {
	const struct state_source *source;
	const struct state_cut *cut;
	struct arena *arena;
	Dienstweg__State state;
	struct sha256 hashes[STATE_TABLES];
	uint64_t rows[STATE_TABLES];
};

/* Count a row in. */
void state_digest_row(
	struct state_maker *maker, enum state_table table, struct bytes key, struct bytes value);

/**
 * state_grow() - room for one more item behind the others
 * @arena: owns them
 * @items: the array, or NULL
 * @count: items in it
 * @size:  of an item
 * Return: the array, maybe elsewhere; NULL without memory.
 */
void *state_grow(struct arena *arena, void *items, size_t count, size_t size);

/**
 * state_period_walk() - the entries of the period: their rows in `seen` and `end`, and counts
 * @maker: its tables are read
 * Return: 0 or negative errno.
 */
int state_period_walk(struct state_maker *maker);
