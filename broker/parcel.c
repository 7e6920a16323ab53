/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Last given, first taken: under light load the same few parcels go round with warm arenas. What a flood
 * made is not kept: a few hundred idle ones are enough for any steady load. The pool is the reactor's
 * alone, so it needs no lock; a parcel that some other thread makes for itself is not pooled and ends where
 * it is given back.
 */
#include "broker/parcel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { FAIR_FACTOR = 8, FAIR_BASE = 64 * 1024, IDLE_MAX = 512 };

struct parcel_pool {
	size_t parcels_max;
	size_t arena_budget;
	size_t out;
	struct parcel *idle;
	size_t idle_count;
};

int parcel_pool_new(size_t parcels_max, size_t arena_budget, struct parcel_pool **ret)
{
	struct parcel_pool *pool = malloc(sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	*pool = (struct parcel_pool){.parcels_max = parcels_max, .arena_budget = arena_budget};
	*ret = pool;
	return 0;
}

void parcel_pool_free(struct parcel_pool *pool)
{
	if (!pool)
		return;
	assert(pool->out == 0);
	while (pool->idle) {
		struct parcel *parcel = pool->idle;
		pool->idle = parcel->next;
		parcel_free(parcel);
	}
	free(pool);
}

size_t parcel_pool_out(const struct parcel_pool *pool)
{
	return pool->out;
}

int parcel_new(enum parcel_kind kind, size_t arena_budget, struct parcel **ret)
{
	struct parcel *parcel = malloc(sizeof(*parcel));
	if (!parcel)
		return -ENOMEM;
	*parcel = (struct parcel){.kind = kind, .arena = arena_new(arena_budget)};
	if (!parcel->arena) {
		free(parcel);
		return -ENOMEM;
	}
	*ret = parcel;
	return 0;
}

void parcel_free(struct parcel *parcel)
{
	if (!parcel)
		return;
	registry_unref(parcel->registry);
	arena_free(parcel->arena);
	free(parcel);
}

struct parcel *parcel_take(struct parcel_pool *pool, enum parcel_kind kind)
{
	struct parcel *parcel = pool->idle;
	if (pool->out >= pool->parcels_max)
		return NULL;
	if (parcel) {
		pool->idle = parcel->next;
		pool->idle_count--;
		*parcel = (struct parcel){.kind = kind, .arena = parcel->arena};
	} else if (parcel_new(kind, pool->arena_budget, &parcel) < 0) {
		return NULL;
	}
	parcel->pooled = true;
	pool->out++;
	return parcel;
}

void parcel_give(struct parcel_pool *pool, struct parcel *parcel)
{
	if (!parcel)
		return;
	if (!parcel->pooled) {
		parcel_free(parcel);
		return;
	}
	assert(pool->out > 0);
	pool->out--;
	if (pool->idle_count == IDLE_MAX) {
		parcel_free(parcel);
		return;
	}
	registry_unref(parcel->registry);
	parcel->registry = NULL;
	arena_reset(parcel->arena);
	parcel->next = pool->idle;
	pool->idle = parcel;
	pool->idle_count++;
}

bool parcel_is_inflated(const struct parcel *parcel, size_t bytes)
{
	size_t facts = parcel->submits_count * sizeof(*parcel->submits) +
		       parcel->acks_count * sizeof(*parcel->acks);
	return arena_used(parcel->arena) > FAIR_BASE + FAIR_FACTOR * bytes + facts;
}

size_t parcel_legs_max(const Dienstweg__CancelBatch *batch)
{
	size_t legs = 0;
	for (size_t i = 0; i < batch->n_items; i++)
		legs += batch->items[i]->recipient.len == 0 ? COMMON_RECIPIENTS_MAX : 1;
	return legs;
}
