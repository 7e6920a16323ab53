/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One queue per worker and a party bound to one worker: order per party holds without a reorder buffer,
 * and a worker's signature cache sees all of a party's batches. The price is one core per busy party,
 * which the batch signature pays back.
 *
 * Behind its queue a worker keeps one line per party and takes from them in turn. A frame of a thousand
 * bad signatures costs a tenth of a second, and a party may have a hundred of them under way: in one line
 * everybody else would wait for all of them.
 *
 * What is small and alone does not come here (broker/transport/turn.c): what comes here is a crowd, and its
 * signatures are checked when nobody is waiting for the processor.
 */
#include "broker/verify/verify.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/journal/fair.h"
#include "broker/thread.h"
#include "proto/base/clock.h"

enum { VERIFY_TAKE_MAX = 64, VERIFY_NICE = 5 };

struct verify_worker {
	struct verify_pool *pool;
	struct queue *queue;
	struct fair *lines; /* worker's thread */
	struct verify_worker_state *state;
	pthread_t thread;
	bool started;
	_Alignas(64) _Atomic(size_t) forwarded; /* worker writes, reactor reads */
	_Alignas(64) size_t pushed;             /* reactor only */
};

struct verify_pool {
	void (*forward)(void *context, struct parcel *parcel);
	void *context;
	struct verify_worker *workers;
	size_t count;
};

static void worker_handle(struct verify_worker *worker, struct parcel *parcel)
{
	if (verify_parcel(worker->state, parcel) < 0 || parcel_is_inflated(parcel, parcel->charge))
		parcel->spoilt = true;
	worker->pool->forward(worker->pool->context, parcel);
	atomic_fetch_add_explicit(&worker->forwarded, 1, memory_order_release);
}

/* What has come goes into the lines; waits only when they are empty. Return: false when all is done. */
static bool worker_refill(struct verify_worker *worker, uint64_t now_ns)
{
	void *parcels[VERIFY_TAKE_MAX];
	if (fair_count(worker->lines) == 0 && !queue_wait(worker->queue, -1))
		return false;
	size_t count = queue_pop_all(worker->queue, parcels, VERIFY_TAKE_MAX);
	for (size_t i = 0; i < count; i++) {
		if (fair_push(worker->lines, parcels[i], now_ns) < 0)
			worker_handle(worker,
				parcels[i]); /* no memory for a new line: nobody waits in it */
	}
	return true;
}

static void *worker_main(void *argument)
{
	struct verify_worker *worker = argument;
	uint64_t now_ns;
	/* Here is the bulk of the work, in the reactor and the journal what everybody waits for. Linux counts
	   threads; failing, it is as pressing as the others. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + VERIFY_NICE);
	while (worker_refill(worker, now_ns = clock_mono_ns(clock_system()))) {
		struct parcel *parcel = NULL;
		fair_take(worker->lines, now_ns, &parcel);
		if (parcel)
			worker_handle(worker, parcel);
	}
	return NULL;
}

static int worker_start(struct verify_worker *worker, size_t depth, struct schema_library *schemas)
{
	const struct fair_limits one = {.parcels = 1, .messages = SIZE_MAX, .party_messages = 1};
	int r = queue_new(depth, &worker->queue);
	if (r < 0)
		return r;
	r = fair_new(&one, &worker->lines);
	if (r < 0)
		return r;
	r = verify_state_new(schemas, &worker->state);
	if (r < 0)
		return r;
	r = thread_start(&worker->thread, "verify", worker_main, worker);
	worker->started = r == 0;
	return r;
}

int verify_pool_new(size_t workers, size_t depth, struct schema_library *schemas,
	void (*forward)(void *context, struct parcel *parcel), void *context,
	struct verify_pool **ret)
{
	_cleanup_(verify_pool_free) struct verify_pool *pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->forward = forward;
	pool->context = context;
	pool->workers = aligned_alloc(64, workers * sizeof(*pool->workers));
	if (!pool->workers)
		return -ENOMEM;
	memset(pool->workers, 0, workers * sizeof(*pool->workers));
	for (size_t i = 0; i < workers; i++) {
		pool->count = i + 1;
		pool->workers[i].pool = pool;
		int r = worker_start(&pool->workers[i], depth, schemas);
		if (r < 0)
			return r;
	}
	*ret = steal(&pool);
	return 0;
}

void verify_pool_free(struct verify_pool *pool)
{
	if (!pool)
		return;
	for (size_t i = 0; i < pool->count; i++) {
		struct verify_worker *worker = &pool->workers[i];
		if (worker->started) {
			queue_close(worker->queue);
			pthread_join(worker->thread, NULL);
		}
		verify_state_free(worker->state);
		fair_free(worker->lines);
		queue_free(worker->queue);
	}
	free(pool->workers);
	free(pool);
}

int verify_pool_push(struct verify_pool *pool, struct parcel *parcel)
{
	/* Knuth's multiplier: neighbouring numbers go to different workers. */
	uint32_t hash = parcel->origin.speaker_number * UINT32_C(2654435761);
	struct verify_worker *worker = &pool->workers[(hash >> 16) % pool->count];
	int r = queue_push(worker->queue, parcel);
	if (r == 0)
		worker->pushed++;
	return r;
}

size_t verify_pool_pending(const struct verify_pool *pool)
{
	size_t pending = 0;
	for (size_t i = 0; i < pool->count; i++) {
		const struct verify_worker *worker = &pool->workers[i];
		pending += worker->pushed -
			   atomic_load_explicit(&worker->forwarded, memory_order_acquire);
	}
	return pending;
}
