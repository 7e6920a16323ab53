/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Does a journal get slower as it grows, and how long is the broker away after a kill? Messages go through the real
 * writer and are acknowledged, so that what grows is what grows in a broker: entries, ids seen, end states. When it has
 * as much as is asked for, the same stretch of traffic is timed in it and in a fresh journal in turn: a disk that is
 * slower at this hour than at the last is slower for both. Then the process is killed in the middle of
 * traffic, and another one opens the journal.
 *   bench-growth DIR [ENTRIES]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broker/journal/test-fixture.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

enum {
	PER_PARCEL = 256,
	IN_FLIGHT = 4,
	STRETCH = 64,  /* parcels that are timed */
	STRETCHES = 5, /* the middle one counts */
	GROWTH = 64,   /* parcels made at once in between */
	CONTENT_BYTES = 400,
};

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct parcel *wait_back(struct journal_fixture *f)
{
	struct parcel *back = journal_fixture_wait(f);
	while (back->kind == PARCEL_TICK) {
		journal_return(f->journal, back);
		back = journal_fixture_wait(f);
	}
	return back;
}

static void push_all(struct journal_fixture *f, struct parcel **parcels, size_t count)
{
	size_t pushed = 0, back = 0;
	while (back < count) {
		while (pushed < count && pushed - back < IN_FLIGHT)
			journal_push(f->journal, parcels[pushed++]);
		wait_back(f);
		back++;
	}
}

/* Their recipient takes them all, and the sender has heard of it. Confirmations rest a while when they are alone, so
   one does for all. */
static void settle(struct journal_fixture *f, struct parcel **parcels, size_t count)
{
	struct parcel *confirm = journal_fixture_act(f, PARCEL_CONFIRM);
	confirm->party = 1; /* city: parties are numbered in order of their names */
	for (size_t i = 0; i < count; i++) {
		struct parcel *acks = journal_fixture_acks(f, "ministry", parcels[i]);
		journal_fixture_run(f, acks);
		confirm->sequence = acks->acks[acks->acks_count - 1].proof.sequence;
		parcel_free(acks);
	}
	journal_fixture_run(f, confirm);
	parcel_free(confirm);
}

/* Make, push, settle. Return: nanoseconds of the pushing alone. */
static uint64_t send(struct journal_fixture *f, size_t count)
{
	struct fixture_load load = {.count = PER_PARCEL, .content_bytes = CONTENT_BYTES};
	struct parcel *parcels[STRETCH];
	for (size_t i = 0; i < count; i++)
		parcels[i] = journal_fixture_submit(f, &load);
	uint64_t began_ns = now_ns();
	push_all(f, parcels, count);
	uint64_t took_ns = now_ns() - began_ns;
	settle(f, parcels, count);
	for (size_t i = 0; i < count; i++)
		parcel_free(parcels[i]);
	return took_ns;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static double median_rate(uint64_t took_ns[STRETCHES])
{
	qsort(took_ns, STRETCHES, sizeof(*took_ns), by_size);
	return (double)STRETCH * PER_PARCEL * 1e9 / (double)took_ns[STRETCHES / 2];
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static uint64_t entries_of(struct journal_fixture *f)
{
	struct journal_stats stats;
	journal_stats(f->journal, &stats);
	return stats.tree_size;
}

static double median_ratio(double ratios[STRETCHES])
{
	qsort(ratios, STRETCHES, sizeof(*ratios), by_value);
	return ratios[STRETCHES / 2];
}

/* The journal that has grown, beside one that has not. */
static void compare(struct journal_fixture *grown, const char *dir)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture fresh;
	uint64_t grown_ns[STRETCHES], fresh_ns[STRETCHES];
	double ratios[STRETCHES];
	journal_fixture_init(&fresh, dir, "fresh");
	fresh.options.clock = clock_system();
	clock_fake_advance(&fresh.clock, clock_wall_ms(clock_system()) - FIXTURE_NOW_MS);
	journal_fixture_start(&fresh);
	send(&fresh, STRETCH); /* warm */
	uint64_t few = entries_of(&fresh), many = entries_of(grown);
	for (size_t i = 0; i < STRETCHES; i++) {
		fresh_ns[i] = send(&fresh, STRETCH);
		grown_ns[i] = send(grown, STRETCH);
		ratios[i] = (double)fresh_ns[i] / (double)grown_ns[i];
	}
	printf("%10.0f messages/s at %llu entries\n", median_rate(fresh_ns),
		(unsigned long long)few);
	printf("%10.0f messages/s at %llu entries: %.2f of that (median of %d rounds in turn)\n",
		median_rate(grown_ns), (unsigned long long)many, median_ratio(ratios), STRETCHES);
	fflush(stdout);
	journal_fixture_stop(&fresh);
}

/* The process that is killed. */
static void grow(struct journal_fixture *f, const char *dir, uint64_t entries, int told_fd)
{
	journal_fixture_start(f);
	while (entries_of(f) < entries)
		send(f, GROWTH);
	compare(f, dir);
	if (write(told_fd, "k", 1) != 1)
		_exit(1);
	for (;;)
		send(f, GROWTH);
}

static void print_size(const struct journal_fixture *f, uint64_t entries)
{
	struct db_usage usage;
	if (db_env_usage(journal_env(f->journal), &usage) == 0)
		printf("%10.0f bytes of file an entry, %.1f GiB\n",
			(double)usage.used_bytes / (double)entries,
			(double)usage.used_bytes / (1 << 30));
}

static int reopen(struct journal_fixture *f)
{
	uint64_t began_ns = now_ns();
	if (keyring_reload(f->keyring) || journal_fixture_open(f)) {
		fprintf(stderr, "bench-growth: %s\n", f->error);
		return 1;
	}
	uint64_t open_ns = now_ns();
	if (journal_start(f->journal))
		return 1;
	struct parcel *one = journal_fixture_submit(f, &(struct fixture_load){.count = 1});
	uint64_t made_ns = now_ns();
	journal_fixture_run(f, one);
	uint64_t answered_ns = now_ns();
	printf("%10.1f ms from a kill to the open journal, %.1f ms to a receipt\n",
		(double)(open_ns - began_ns) / 1e6,
		(double)(open_ns - began_ns + answered_ns - made_ns) / 1e6);
	print_size(f, entries_of(f));
	parcel_free(one);
	journal_fixture_stop(f);
	return 0;
}

static int bench(const char *dir, uint64_t entries)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	int pipe_fd[2];
	uint8_t told;
	journal_fixture_init(&f, dir, "growth");
	f.options.map_bytes = (UINT64_C(1) << 30) + entries * 4096;
	f.options.clock = clock_system();
	clock_fake_advance(&f.clock, clock_wall_ms(clock_system()) - FIXTURE_NOW_MS);
	if (pipe(pipe_fd))
		return 1;
	pid_t child = fork();
	if (child == 0) {
		close(pipe_fd[0]);
		grow(&f, dir, entries, pipe_fd[1]);
	}
	close(pipe_fd[1]);
	bool grown = child > 0 && read(pipe_fd[0], &told, 1) == 1;
	close(pipe_fd[0]);
	if (child > 0)
		kill(child, SIGKILL);
	if (child > 0)
		waitpid(child, NULL, 0);
	return grown ? reopen(&f) : 1;
}

int main(int argc, char **argv)
{
	uint64_t entries = 1000000;
	if (argc < 2 || (argc > 2 && text_parse_u64(BYTES_STR(argv[2]), &entries))) {
		fprintf(stderr, "usage: bench-growth DIR [ENTRIES]\n");
		return 2;
	}
	return bench(argv[1], entries);
}
