/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/reader.h"
#include "broker/journal/store.h"

/*
 * What a state entry says (docs/journal.md "State entries"): digests of the derived tables, what of them the
 * records alone do not give, and counts of a period. Made by the broker from its tables and by replay from its
 * own: one function, so that equal states give equal bytes.
 */
struct state_cut {
	uint64_t size;     /* entries below it are accounted for */
	uint64_t batch_ms; /* everything due by then has happened */
	uint64_t from;     /* the period begins at this entry: size of the state before, or 0 */
	uint64_t since_ms; /* batch_ms of the state before, or 0 */
	uint32_t rules;    /* version of the rules that the entry is of: older ones told less */
};

struct state_source {
	struct state_store *store;     /* the derived tables as of the cut; begun */
	struct journal_reader *reader; /* the entries below it; begun */
	/* Called after the tables and then every few hundred entries, to take a newer snapshot (which may move
	   on: entries and rows of `seen` and `end` do not change) or to give up. 0, or negative errno. */
	int (*breathe)(void *context);
	void *context;
};

struct state_made {
	Dienstweg__StateCut *cut; /* for the record */
	struct bytes content;     /* a serialized State */
};

/* Something that is due at batch_ms is still in `timer`: take the state after a later commit. */
enum { STATE_EARLY = 1 };

/**
 * state_make() - read the tables, walk the period
 * @source: where
 * @cut:    what
 * @arena:  owns the result; most that can be needed is STATE_ARENA
 * @ret:    result
 * Return: 0, STATE_EARLY, -EBADMSG (a table is damaged), -EFBIG (more waits than an entry can tell), negative
 *         errno.
 */
enum { STATE_ARENA = 1 << 30 };
int state_make(const struct state_source *source, const struct state_cut *cut, struct arena *arena,
	struct state_made *ret);

/**
 * state_content_digest() - what the entry commits to
 * @content: a serialized State
 * @ret:     SHA-256("dienstweg/v1/state\0" || content)
 */
void state_content_digest(struct bytes content, uint8_t ret[HASH_SIZE]);
