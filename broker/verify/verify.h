/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "broker/parcel.h"
#include "proto/base/queue.h"
#include "proto/schema/library.h"

/*
 * Verify: turns the bytes of a Submit, Acknowledge or Cancel parcel into cryptographic facts (h, header form,
 * content hash, signature). Pure: no state but a signature cache per worker. Workers are chosen by hash of
 * the party, which keeps a party's order.
 */
struct verify_worker_state; /* cache; one per thread */
/* @schemas: of the registries in force, borrowed; NULL: none, and every pinned schema stays unchecked. 0, -ENOMEM. */
int verify_state_new(struct schema_library *schemas, struct verify_worker_state **ret);
void verify_state_free(struct verify_worker_state *state);
DEFINE_CLEANUP(struct verify_worker_state *, verify_state_free);

/**
 * verify_parcel() - fill the facts of every submit, ack or cancellation of a parcel
 * @state:  this thread's
 * @parcel: with registry snapshot and origin set, and submits[].envelope, or acks[].batch and
 *          acks[].facts.batch_bytes (the batch as received), or the same of cancel
 *
 * Whatever the bytes are, this costs at most one signature check per envelope or batch.
 *
 * Return: 0, or -ENOMEM when the arena's budget is used up (the frame is hostile: refuse it whole).
 */
int verify_parcel(struct verify_worker_state *state, struct parcel *parcel);

struct verify_pool;
/**
 * verify_pool_new() - start workers; signals are blocked in them
 * @workers: threads, >= 1
 * @depth:   most parcels in each worker's queue
 * @schemas: as verify_state_new()
 * @forward: called on the worker's thread with each parcel, in order per worker; takes ownership. When
 *           parcel->spoilt is set, it is inflated or verify_parcel() gave -ENOMEM: not to be journaled
 * @context: for @forward
 * @ret:     the pool
 * Return: 0 or negative errno.
 */
int verify_pool_new(size_t workers, size_t depth, struct schema_library *schemas,
	void (*forward)(void *context, struct parcel *parcel), void *context,
	struct verify_pool **ret);
void verify_pool_free(struct verify_pool *pool); /* drains, joins; takes NULL */
DEFINE_CLEANUP(struct verify_pool *, verify_pool_free);

/* Reactor only. 0 or QUEUE_FULL (cannot happen while parcels are budgeted). */
int verify_pool_push(struct verify_pool *pool, struct parcel *parcel) _must_use_;
/* Parcels pushed and not yet forwarded; reactor thread. 0 means that forward() has returned for all. */
size_t verify_pool_pending(const struct verify_pool *pool);
