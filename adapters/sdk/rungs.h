/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/merkle/merkle.h"

/*
 * A ladder of trees that were proven to grow out of one another, from the first that this adapter saw to the
 * newest: close together at the end, ever further apart behind. When the log goes on from an earlier tree, one of
 * them lies at least half as far back as that one does, and the new log has to be proven to extend it. Pure.
 */
enum { RUNGS_MAX = 64, RUNG_SIZE = 8 + HASH_SIZE, RUNGS_ROW_MAX = RUNGS_MAX * RUNG_SIZE };

struct rung {
	uint64_t size;
	struct merkle_hash root;
};

struct rungs {
	size_t count;
	struct rung all[RUNGS_MAX]; /* sizes rise */
};

/* One more at the end; the same size again, or a smaller one, changes nothing. */
void rungs_add(struct rungs *rungs, uint64_t size, const struct merkle_hash *root);

/**
 * rungs_below() - the largest of at most so many leaves
 * @rungs: the ladder
 * @size:  at most
 * Return: a rung, or NULL.
 */
const struct rung *rungs_below(const struct rungs *rungs, uint64_t size);
void rungs_cut(struct rungs *rungs, uint64_t size); /* those of more leaves are gone */

/* As a row: u64be size || root, each. Return: its length. */
size_t rungs_encode(const struct rungs *rungs, uint8_t buf[RUNGS_ROW_MAX]);
int rungs_decode(struct bytes row, struct rungs *ret); /* 0 or -EBADMSG */
