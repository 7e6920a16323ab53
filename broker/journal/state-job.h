/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "broker/journal/state.h"
#include "broker/parcel.h"
#include "proto/base/queue.h"

/*
 * The day's state entry, made beside the traffic: a thread reads a snapshot of the tables while the writer goes
 * on, and hands what it made to the writer as PARCEL_STATE. The writer's thread owns all of this but what is
 * said otherwise. Inside this folder only.
 */
struct state_job {
	struct journal_reader *reader; /* the job's thread while one runs */
	struct parcel *parcel;         /* out while a job is under way, but always the job's */
	struct journal_state_mark mark;
	uint32_t day;           /* of the newest state */
	uint64_t not_before_ns; /* when the next attempt may begin, monotonic */
	pthread_t thread;
	bool running; /* to be joined */

	_Atomic bool wanted;      /* any thread: whatever the day is */
	_Atomic bool cancelled;   /* end early: the journal closes */
	_Atomic uint64_t covered; /* any thread: mark.size */

	/* The job's thread until its parcel is back. */
	struct queue *output;
	struct state_cut cut;
	struct arena *arena;
	struct state_made made;
	int result;
};

/**
 * state_job_init() - know the newest state, and the day it was of
 * @job:     zeroed
 * @env:     the journal's, its tables open
 * @keyring: opens the records
 * @output:  where the parcel goes when the job is done; has room for it
 * @day:     taken for the day of the newest state when there is none
 * Return: 0 or negative errno.
 */
int state_job_init(struct state_job *job, struct db_env *env, struct keyring *keyring,
	struct queue *output, uint32_t day);
void state_job_deinit(struct state_job *job); /* waits for a job that runs */

/**
 * state_job_tend() - begin one if it is time to, and none is under way
 * @job:    initialised
 * @today:  day of the newest commit
 * @now_ns: monotonic
 * Return: 0 or negative errno: no thread could be started.
 */
int state_job_tend(struct state_job *job, uint32_t today, uint64_t now_ns);

/**
 * state_job_take() - the parcel is back: what came of it
 * @job:    its thread has ended or is about to
 * @now_ns: monotonic
 * Return: what state_make() said; job->made counts when 0, until state_job_settle().
 */
int state_job_take(struct state_job *job, uint64_t now_ns);

/**
 * state_job_settle() - the writer is done with job->made
 * @job:      taken
 * @sequence: of the state's entry, which is committed; UINT64_MAX: there is none
 */
void state_job_settle(struct state_job *job, uint64_t sequence);
