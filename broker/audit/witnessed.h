/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/audit/chain.h"
#include "broker/audit/entry.h"
#include "broker/audit/open.h"

/* What the words of witnesses say about entries (docs/journal.md "Cosignatures"). */

enum { WITNESSED_WRONG = 1 };

/**
 * witnessed_check() - does an entry "witnessed" say what the cosignatures in it say?
 * @reader:  begun
 * @chain:   with the registry in force at the entry
 * @origin:  of the log
 * @entry:   of that kind
 * @ret_why: set unless 0: a sentence
 * Return: 0, WITNESSED_WRONG, negative errno.
 */
int witnessed_check(struct journal_reader *reader, const struct chain *chain, const char *origin,
	const struct audit_entry *entry, const char **ret_why);

/**
 * witnessed_policy() - whose quorum is to count
 * @audit: its reader is begun
 * @arena: room for a registry
 * @ret:   that of the given policy where it names one, else that of the newest registry
 * Return: 0 or negative errno.
 */
int witnessed_policy(const struct audit *audit, struct arena *arena, struct policy *ret);

/* Between which times a quorum saw an entry come. */
struct witnessed_bounds {
	bool after; /* there is a lower bound */
	uint64_t after_s;
	uint64_t after_entry; /* the entry "witnessed" that it stands in */
	bool before;          /* and an upper one */
	uint64_t before_s;
	uint64_t before_size; /* the cosigned tree that it follows from */
};

/**
 * witnessed_bounds_find() - for one entry; nothing counts that does not bear the signatures it needs
 * @audit:    its reader is begun
 * @policy:   whose quorum counts for the upper bound
 * @sequence: of the entry
 * @arena:    room for a row and a registry, reset
 * @ret:      the bounds; at most WITNESSED_LOOK entries before it are looked at
 * Return: 0 or negative errno.
 */
enum { WITNESSED_LOOK = 1000000 };
int witnessed_bounds_find(const struct audit *audit, const struct policy *policy, uint64_t sequence,
	struct arena *arena, struct witnessed_bounds *ret);
