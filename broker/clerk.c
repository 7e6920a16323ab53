/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One thread is enough: it reads for recipients that fell behind, for sessions that open and for people
 * who ask; whoever keeps up is served from memory. One transaction per errand keeps reads short, so
 * that the journal's pages are not held back.
 */
#include "broker/clerk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/thread.h"
#include "proto/base/queue.h"

enum { CLERK_TAKE_MAX = 32 };

struct clerk {
	struct journal_reader *reader;
	struct queue *sent;
	struct queue *back;
	size_t errands_max;
	size_t out; /* reactor only */
	int nice;
	pthread_t thread;
	bool started;
};

static void clerk_run(struct clerk *clerk, struct errand *errand)
{
	errand->result = journal_reader_begin(clerk->reader);
	if (errand->result == 0) {
		errand->run(errand, clerk->reader);
		journal_reader_end(clerk->reader);
	}
	int r = queue_push(clerk->back, errand);
	assert(r == 0);
}

static void *clerk_main(void *argument)
{
	struct clerk *clerk = argument;
	void *errands[CLERK_TAKE_MAX];
	if (clerk->nice > 0) /* Linux counts threads here; failing, it is as pressing as the others */
		(void)setpriority(
			PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + clerk->nice);
	while (queue_wait(clerk->sent, -1)) {
		size_t count = queue_pop_all(clerk->sent, errands, CLERK_TAKE_MAX);
		for (size_t i = 0; i < count; i++)
			clerk_run(clerk, errands[i]);
	}
	return NULL;
}

int clerk_new(const struct clerk_options *options, struct clerk **ret)
{
	_cleanup_(clerk_free) struct clerk *clerk = calloc(1, sizeof(*clerk));
	if (!clerk)
		return -ENOMEM;
	clerk->errands_max = options->errands_max;
	clerk->nice = options->nice;
	int r = queue_new(options->errands_max, &clerk->sent);
	if (r == 0)
		r = queue_new(options->errands_max, &clerk->back);
	if (r == 0)
		r = journal_reader_new(options->env, options->keyring, &clerk->reader);
	if (r == 0)
		r = thread_start(&clerk->thread, options->name, clerk_main, clerk);
	if (r != 0)
		return r;
	clerk->started = true;
	*ret = steal(&clerk);
	return 0;
}

void clerk_free(struct clerk *clerk)
{
	if (!clerk)
		return;
	if (clerk->started) {
		queue_close(clerk->sent);
		pthread_join(clerk->thread, NULL);
	}
	journal_reader_free(clerk->reader);
	queue_free(clerk->sent);
	queue_free(clerk->back);
	free(clerk);
}

int clerk_send(struct clerk *clerk, struct errand *errand)
{
	if (clerk_is_full(clerk))
		return QUEUE_FULL;
	int r = queue_push(clerk->sent, errand);
	if (r == 0)
		clerk->out++;
	return r;
}

int clerk_fd(const struct clerk *clerk)
{
	return queue_fd(clerk->back);
}

size_t clerk_collect(struct clerk *clerk)
{
	void *errands[CLERK_TAKE_MAX];
	size_t count = queue_pop_all(clerk->back, errands, CLERK_TAKE_MAX);
	for (size_t i = 0; i < count; i++) {
		struct errand *errand = errands[i];
		assert(clerk->out > 0);
		clerk->out--;
		errand->done(errand);
	}
	return count;
}

bool clerk_is_full(const struct clerk *clerk)
{
	return clerk->out >= clerk->errands_max;
}

size_t clerk_out(const struct clerk *clerk)
{
	return clerk->out;
}
