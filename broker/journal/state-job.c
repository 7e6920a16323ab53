/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A state costs reading every open message and every entry of a day. Inside the writer's transaction that would
 * be seconds without a receipt; beside it, it is a snapshot that LMDB gives for nothing. So the entry
 * says as of which size it was taken, and stands a little behind that.
 *
 * The thread lives for one job. It holds one snapshot only for the tables; the entries, which do not change,
 * are read in short ones.
 */
#include "broker/journal/state-job.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "broker/routing/rules.h"
#include "broker/thread.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

static const uint64_t AGAIN_NS = 1 * UINT64_C(1000000000); /* something was due, but not yet moved */
static const uint64_t FAILED_NS = 600 *
				  UINT64_C(1000000000); /* there was no memory, a table is damaged... */

static int breathe(void *context)
{
	struct state_job *job = context;
	if (atomic_load(&job->cancelled))
		return -ECANCELED;
	journal_reader_end(job->reader);
	return journal_reader_begin(job->reader);
}

static int make(struct state_job *job)
{
	struct state_source source = {
		.store = journal_reader_store(job->reader),
		.reader = job->reader,
		.breathe = breathe,
		.context = job,
	};
	struct journal_meta meta;
	int r = journal_read_meta(job->reader, &meta);
	if (r)
		return r > 0 ? -EBADMSG : r;
	job->cut = (struct state_cut){
		.size = meta.size,
		.batch_ms = meta.batch_ms,
		.from = job->mark.size,
		.since_ms = job->mark.batch_ms,
		.rules = RULES_VERSION,
	};
	return state_make(&source, &job->cut, job->arena, &job->made);
}

static void *job_main(void *argument)
{
	struct state_job *job = argument;
	int r = journal_reader_begin(job->reader);
	if (r == 0)
		r = make(job);
	journal_reader_end(job->reader);
	job->result = r;
	r = queue_push(job->output, job->parcel);
	assert(r == 0); /* it has room for all parcels there are */
	return NULL;
}

int state_job_init(struct state_job *job, struct db_env *env, struct keyring *keyring,
	struct queue *output, uint32_t day)
{
	int r = journal_reader_new(env, keyring, &job->reader);
	if (r == 0)
		r = parcel_new(PARCEL_STATE, 64 * 1024, &job->parcel);
	if (r == 0)
		r = journal_reader_begin(job->reader);
	if (r)
		return r > 0 ? -EBADMSG : r;
	job->output = output;
	job->day = day;
	r = journal_read_state_mark(job->reader, &job->mark);
	if (r == 0)
		job->day = clock_day(job->mark.batch_ms);
	journal_reader_end(job->reader);
	atomic_store(&job->covered, job->mark.size);
	return r == READER_NOT_FOUND ? 0 : r > 0 ? -EBADMSG : r;
}

static void join(struct state_job *job)
{
	if (job->running)
		pthread_join(job->thread, NULL);
	job->running = false;
}

void state_job_deinit(struct state_job *job)
{
	atomic_store(&job->cancelled, true);
	join(job);
	journal_reader_free(steal(&job->reader));
	arena_free(steal(&job->arena));
	parcel_free(steal(&job->parcel));
}

int state_job_tend(struct state_job *job, uint32_t today, uint64_t now_ns)
{
	if (job->running || now_ns < job->not_before_ns)
		return 0;
	if (!atomic_load(&job->wanted) && today == job->day)
		return 0;
	atomic_store(&job->wanted, false); /* what is asked from here on wants another one */
	job->arena = arena_new(STATE_ARENA);
	if (!job->arena)
		return -ENOMEM;
	int r = thread_start(&job->thread, "state", job_main, job);
	if (r)
		arena_free(steal(&job->arena));
	job->running = r == 0;
	return r;
}

int state_job_take(struct state_job *job, uint64_t now_ns)
{
	join(job);
	job->not_before_ns = now_ns;
	if (job->result == 0)
		return 0;
	atomic_store(&job->wanted, true);
	job->not_before_ns = now_ns + (job->result == STATE_EARLY ? AGAIN_NS : FAILED_NS);
	if (job->result != STATE_EARLY && job->result != -ECANCELED)
		log_error("journal",
			"no state entry could be made: the next attempt is in ten minutes",
			F_ERR(job->result), F_U64("entries", job->cut.size));
	return job->result;
}

void state_job_settle(struct state_job *job, uint64_t sequence)
{
	arena_free(steal(&job->arena));
	if (sequence == UINT64_MAX)
		return;
	job->mark = (struct journal_state_mark){
		.sequence = sequence, .size = job->cut.size, .batch_ms = job->cut.batch_ms};
	job->day = clock_day(job->mark.batch_ms);
	atomic_store(&job->covered, job->mark.size);
}
