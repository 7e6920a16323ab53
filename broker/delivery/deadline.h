/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/delivery/lease.h"

/*
 * When each lease of a recipient runs out. All leases last equally long, so a queue is in order of time.
 * Entries of leases that ended meanwhile are skipped; they are swept out before the queue would grow.
 */
struct deadline {
	uint64_t sequence;
	uint64_t at_ns;
	uint16_t attempt; /* of the lease, to tell it from a later one of the same message */
};

struct deadlines {
	struct deadline *ring;
	size_t mask; /* slots - 1 */
	size_t head;
	size_t count;
};

void deadlines_deinit(struct deadlines *deadlines); /* zero-initialised is empty */
void deadlines_clear(struct deadlines *deadlines);  /* forget all */

/**
 * deadlines_add() - note one
 * @deadlines: of the recipient
 * @leases:    of the same recipient, to know which entries still matter
 * @deadline:  not earlier than any before
 * Return: 0 or -ENOMEM.
 */
int deadlines_add(struct deadlines *deadlines, const struct lease_table *leases,
	const struct deadline *deadline);

/* Has the time of the first one come? It may have ended meanwhile. */
bool deadlines_passed(const struct deadlines *deadlines, uint64_t now_ns);

/**
 * deadlines_due() - take the next lease that ran out
 * @deadlines: of the recipient
 * @leases:    of the same recipient
 * @now_ns:    monotonic
 * @ret:       sequence of a lease that is still out
 * Return: 0, or 1 when none is due.
 */
int deadlines_due(struct deadlines *deadlines, const struct lease_table *leases, uint64_t now_ns,
	uint64_t *ret);
