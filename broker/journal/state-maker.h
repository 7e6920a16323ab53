/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/state.h"
#include "proto/base/crypto.h"

/* A state entry under way; between the state*.c files. */
struct state_maker {
	const struct state_source *source;
	const struct state_cut *cut;
	struct arena *arena;
	struct arena *scratch; /* of the record that `secret` is of */
	uint8_t secret[STUB_SECRET_SIZE];
	uint64_t secret_of; /* entry; UINT64_MAX: none yet */
	Dienstweg__State state;
	struct sha256 hashes[STATE_TABLES];
	uint64_t rows[STATE_TABLES];
	uint64_t permanent; /* the last entry in state.permanent; 0: none */
};

/**
 * state_digest_row() - count a row in
 * @maker:  under way
 * @table:  its table
 * @key:    of the row
 * @value:  what of it counts
 * @secret: of the record of the entry that the row is about, so that nobody who has the row by heart finds it in
 *          a digest when that record is erased; empty: it is about none, or rules version 0 decided
 */
void state_digest_row(struct state_maker *maker, enum state_table table, struct bytes key,
	struct bytes value, struct bytes secret);

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
