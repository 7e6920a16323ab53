/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A heap would cost a logarithm per message and need removal; nearly every lease ends long before its
 * time. So ended leases leave their entry behind, and a sweep when the ring is full makes that cost
 * amortised nothing: after it at most as many entries are left as leases are out.
 */
#include "broker/delivery/deadline.h"

#include <errno.h>
#include <stdlib.h>

enum { RING_MIN = 64 };

void deadlines_deinit(struct deadlines *deadlines)
{
	free(deadlines->ring);
	*deadlines = (struct deadlines){0};
}

void deadlines_clear(struct deadlines *deadlines)
{
	deadlines->head = deadlines->count = 0;
}

static struct deadline *ring_at(const struct deadlines *deadlines, size_t nth)
{
	return &deadlines->ring[(deadlines->head + nth) & deadlines->mask];
}

static bool is_running(const struct lease_table *leases, const struct deadline *deadline)
{
	struct lease lease;
	return lease_holds(leases, deadline->sequence, &lease) == LEASE_OUT &&
	       lease.attempt == deadline->attempt;
}

static void ring_sweep(struct deadlines *deadlines, const struct lease_table *leases)
{
	size_t kept = 0;
	for (size_t i = 0; i < deadlines->count; i++) {
		struct deadline *deadline = ring_at(deadlines, i);
		if (is_running(leases, deadline))
			*ring_at(deadlines, kept++) = *deadline;
	}
	deadlines->count = kept;
}

static int ring_grow(struct deadlines *deadlines)
{
	size_t slots = deadlines->ring ? (deadlines->mask + 1) * 2 : RING_MIN;
	struct deadline *ring = malloc(slots * sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (size_t i = 0; i < deadlines->count; i++)
		ring[i] = *ring_at(deadlines, i);
	free(deadlines->ring);
	deadlines->ring = ring;
	deadlines->mask = slots - 1;
	deadlines->head = 0;
	return 0;
}

int deadlines_add(struct deadlines *deadlines, const struct lease_table *leases,
	const struct deadline *deadline)
{
	bool full = !deadlines->ring || deadlines->count > deadlines->mask;
	if (full && deadlines->ring)
		ring_sweep(deadlines, leases);
	/* Less than half empty after a sweep, the next one would come too soon. */
	if (full && (!deadlines->ring || deadlines->count > deadlines->mask / 2)) {
		int r = ring_grow(deadlines);
		if (r < 0)
			return r;
	}
	*ring_at(deadlines, deadlines->count++) = *deadline;
	return 0;
}

bool deadlines_passed(const struct deadlines *deadlines, uint64_t now_ns)
{
	return deadlines->count > 0 && ring_at(deadlines, 0)->at_ns <= now_ns;
}

int deadlines_due(struct deadlines *deadlines, const struct lease_table *leases, uint64_t now_ns,
	uint64_t *ret)
{
	while (deadlines_passed(deadlines, now_ns)) {
		struct deadline deadline = *ring_at(deadlines, 0);
		deadlines->head = (deadlines->head + 1) & deadlines->mask;
		deadlines->count--;
		if (!is_running(leases, &deadline))
			continue;
		*ret = deadline.sequence;
		return 0;
	}
	return 1;
}
