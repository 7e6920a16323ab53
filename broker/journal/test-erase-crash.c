/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A run of erasure is killed after its first step, after its second, and so on until one is not killed any
 * more. What was on disk then must be enough: the next start finishes the run by itself, what had to go is
 * gone, what had to stay is there, and the keyring opens under the one master key that is left.
 */
#include "broker/journal/test-erasing.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/kit/check.h"

enum { COUNT = 700, STEPS_MAX = 100 };

struct life {
	uint64_t gone[COUNT], waiting[COUNT], instructed[3], others[COUNT];
	char backup[300];
};

static void sequences_of(const struct parcel *parcel, uint64_t *ret)
{
	for (size_t i = 0; i < parcel->submits_count; i++)
		ret[i] = parcel->submits[i].proof.sequence;
}

/* Delivered and not; and a day later a case that has to go early, among others. */
static void live(struct erasing *e, struct life *life)
{
	struct fixture_load load = {.count = COUNT, .content_bytes = 100};
	uint8_t case_id[16];
	struct operator_act act = {
		.what = OPERATOR_ERASE_CASE, .sequences = life->instructed, .count = 3};
	random_fill(case_id, sizeof(case_id));
	memcpy(act.about.case_id, case_id, 16);
	journal_fixture_start(&e->journal);
	struct parcel *gone = erasing_submit(e, &load), *waiting = erasing_submit(e, &load);
	erasing_deliver(e, "ministry", gone);
	clock_fake_advance(&e->journal.clock, ERASING_DAY_MS);
	struct parcel *others = erasing_submit(e, &load);
	struct parcel *of_case = erasing_submit(
		e, &(struct fixture_load){.count = 3, .content_bytes = 9000, .case_id = case_id});
	erasing_deliver(e, "ministry", of_case);
	sequences_of(gone, life->gone);
	sequences_of(waiting, life->waiting);
	sequences_of(others, life->others);
	sequences_of(of_case, life->instructed);
	CHECK_INT(erasing_operate(e, &act).taken, 3);
	erasing_backup(e, "before", life->backup);
	journal_fixture_stop(&e->journal);
	parcel_free(of_case);
	parcel_free(others);
	parcel_free(waiting);
	parcel_free(gone);
}

/* The child: a run by age, then one on instruction. It is killed, or ends with 0. */
static void run_until_killed(struct erasing *e, int kill_at)
{
	e->steps = 0;
	e->kill_at = kill_at;
	journal_fixture_start(&e->journal);
	erasing_operate(e, &(struct operator_act){.what = OPERATOR_ERASE_DUE});
	erasing_wait(e);
	erasing_operate(e, &(struct operator_act){.what = OPERATOR_ERASE_NOW, .cause = "test"});
	erasing_wait(e);
	_exit(0);
}

/* Return: was it killed? */
static bool child_runs(struct erasing *e, int kill_at)
{
	int status;
	fflush(NULL);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0)
		run_until_killed(e, kill_at);
	CHECK_INT(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return true;
}

/* No run is left half done, by age nothing is due, and what was instructed is gone or waits. */
static void check_end(struct erasing *e, const struct life *life)
{
	struct erase_stats stats;
	erasing_operate(e, &(struct operator_act){.what = OPERATOR_ERASE_NOW, .cause = "test"});
	do {
		parcel_free(
			erasing_submit(e, &(struct fixture_load){.count = 1, .content_bytes = 10}));
		journal_erase_stats(e->journal.journal, &stats);
	} while (stats.phase != 0 || erasing_count_records(e, life->instructed, 3) > 0);
	CHECK_INT(erasing_count_contents(e, life->gone, COUNT), 0);
	CHECK_INT(erasing_count_records(e, life->gone, COUNT), COUNT);
	CHECK_INT(erasing_count_contents(e, life->waiting, COUNT), COUNT);
	CHECK_INT(erasing_count_contents(e, life->others, COUNT), COUNT);
	CHECK_INT(erasing_count_contents(e, life->instructed, 3), 0);
}

/* Let go of the keyring as the process that was killed has, and open what it left. */
static void start_again(struct erasing *e)
{
	struct journal_fixture *f = &e->journal;
	char next[300];
	keyring_free(f->keyring);
	f->keyring = NULL;
	CHECK_INT(keyring_open(f->keys, f->master, true, &f->keyring), 0);
	f->options.keyring = f->keyring;
	f->ids.last_ms += 1000000; /* the child used some ids */
	CHECK(snprintf(next, sizeof(next), "%s.next", f->master) > 0);
	CHECK(access(next, F_OK) != 0);
	journal_fixture_start(f);
}

static void goes_on_wherever_it_was_killed(void)
{
	bool killed = true;
	int step = 0;
	while (killed) {
		_cleanup_(erasing_deinit) struct erasing e;
		struct life *life = calloc(1, sizeof(*life));
		char name[32];
		CHECK(life && ++step < STEPS_MAX);
		snprintf(name, sizeof(name), "step-%d", step);
		erasing_init(&e, name);
		live(&e, life);
		clock_fake_advance(&e.journal.clock, 21 * (uint64_t)ERASING_DAY_MS);
		killed = child_runs(&e, step);
		start_again(&e);
		check_end(&e, life);
		/* Twice killed is no worse: everything is at its end. */
		CHECK_INT(erasing_attack(
				  life->backup, e.journal.keyring, "content", life->gone, COUNT),
			0);
		CHECK_INT(erasing_attack(
				  life->backup, e.journal.keyring, "record", life->instructed, 3),
			0);
		journal_fixture_stop(&e.journal);
		free(life);
	}
	printf("# killed at %d steps\n", step - 1);
	CHECK(step > 15);
}

CHECK_MAIN(CHECK_CASE(goes_on_wherever_it_was_killed))
