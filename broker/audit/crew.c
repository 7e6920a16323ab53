/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Every worker has a queue of its own, because a queue has one consumer, and gets every n-th slice, because
 * all slices cost much the same. Two slices each are enough that nobody waits for the walk over the tree;
 * more would only be memory.
 */
#include "broker/audit/crew.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "broker/audit/verifier.h"
#include "broker/thread.h"
#include "proto/base/queue.h"

enum { SLICES_EACH = 2 };

struct worker {
	pthread_t thread;
	bool started;
	struct queue *todo; /* NULL: the caller's thread does the work */
	struct queue *done; /* the crew's */
	struct entry_checker checker;
};

struct crew {
	struct queue *done;
	size_t at; /* slice given last */
	size_t slices_count, workers_count;
	struct slice *slices;
	struct worker workers[];
};

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	void *slice;
	while (queue_wait(worker->todo, -1)) {
		while (queue_pop_all(worker->todo, &slice, 1) == 1) {
			entry_check_slice(&worker->checker, slice);
			int r = queue_push(worker->done, slice);
			assert(r == 0); /* it has room for all slices */
		}
	}
	return NULL;
}

static int worker_init(struct worker *worker, struct queue *done, const struct audit *audit)
{
	worker->done = done;
	int r = queue_new(SLICES_EACH, &worker->todo);
	if (r == 0)
		r = entry_checker_init(&worker->checker, audit);
	if (r == 0)
		r = thread_start(&worker->thread, "audit", worker_main, worker);
	worker->started = r == 0;
	return r;
}

static void worker_deinit(struct worker *worker)
{
	if (worker->started) {
		queue_close(worker->todo);
		pthread_join(worker->thread, NULL);
	}
	queue_free(worker->todo);
	entry_checker_deinit(&worker->checker);
}

static int slices_new(size_t count, struct slice **ret)
{
	struct slice *slices = calloc(count, sizeof(*slices));
	if (!slices)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		slice_init(&slices[i]);
	*ret = slices;
	return 0;
}

int crew_new(const struct audit *audit, size_t workers, struct crew **ret)
{
	size_t count = workers > 0 ? workers : 1;
	size_t slices = workers > 0 ? workers * SLICES_EACH : 1;
	_cleanup_(crew_free) struct crew *crew = calloc(
		1, sizeof(*crew) + count * sizeof(crew->workers[0]));
	if (!crew)
		return -ENOMEM;
	crew->workers_count = count;
	int r = slices_new(slices, &crew->slices);
	if (r)
		return r;
	crew->slices_count = slices;
	crew->at = slices - 1;
	r = queue_new(slices, &crew->done);
	if (r == 0 && workers == 0)
		r = entry_checker_init(&crew->workers[0].checker, audit);
	for (size_t i = 0; i < workers && r == 0; i++)
		r = worker_init(&crew->workers[i], crew->done, audit);
	if (r == 0)
		*ret = steal(&crew);
	return r;
}

void crew_free(struct crew *crew)
{
	if (!crew)
		return;
	for (size_t i = 0; i < crew->workers_count; i++)
		worker_deinit(&crew->workers[i]);
	for (size_t i = 0; i < crew->slices_count; i++)
		slice_deinit(&crew->slices[i]);
	free(crew->slices);
	queue_free(crew->done);
	free(crew);
}

size_t crew_slices(const struct crew *crew)
{
	return crew->slices_count;
}

struct slice *crew_next(struct crew *crew)
{
	crew->at = (crew->at + 1) % crew->slices_count;
	struct slice *slice = &crew->slices[crew->at];
	void *done;
	while (slice->waiting) {
		queue_wait(crew->done, -1);
		while (queue_pop_all(crew->done, &done, 1) == 1)
			((struct slice *)done)->waiting = false;
	}
	return slice;
}

void crew_push(struct crew *crew, struct slice *slice)
{
	struct worker *worker = &crew->workers[crew->at % crew->workers_count];
	assert(slice == &crew->slices[crew->at]);
	if (!worker->todo) {
		entry_check_slice(&worker->checker, slice);
		return;
	}
	slice->waiting = true;
	int r = queue_push(worker->todo, slice);
	assert(r == 0); /* it has room for this worker's share of the ring */
}
