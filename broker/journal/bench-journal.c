/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a message costs the journal: time, processor, bytes on disk by table. Messages are made, signed and
 * verified before the clock starts; what is measured is the writer's thread alone, as the process's time
 * less this thread's. Built with the tests and run by hand:
 *   bench-journal DIR [MESSAGES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/journal/store.h"
#include "broker/journal/test-fixture.h"
#include "proto/base/text.h"

enum { CONTENT_BYTES = 1024 - 40, HEADER_PADDING = 6, WARM_UP = 2000 };

static uint64_t now_ns(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t writer_ns(void)
{
	return now_ns(CLOCK_PROCESS_CPUTIME_ID) - now_ns(CLOCK_THREAD_CPUTIME_ID);
}

static uint64_t pages_of(struct db_env *env, const char *name, uint64_t *ret_rows)
{
	struct db_txn *txn;
	db_table_id table;
	uint64_t pages = 0;
	if (db_begin(env, false, &txn))
		return 0;
	if (db_table_open(txn, name, &table) == 0 && db_table_pages(txn, table, &pages) == 0)
		db_count(txn, table, ret_rows);
	db_abort(txn);
	return pages;
}

static void print_tables(struct db_env *env, size_t messages)
{
	static const char *const names[] = {"stub", "record", "content", "tile", "checkpoint",
		"queue", "timer", "seen", "end", "counter", "party", "registry", "meta"};
	struct db_usage usage;
	uint64_t total = 0;
	printf("  bytes on disk per message:");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		uint64_t rows = 0, pages = pages_of(env, names[i], &rows);
		total += pages;
		if (pages * 4096 / messages > 0)
			printf(" %s %.0f", names[i], (double)(pages * 4096) / (double)messages);
	}
	if (db_env_usage(env, &usage) == 0)
		printf("; all tables %.0f, file %.0f, of which free %.0f\n",
			(double)(total * 4096) / (double)messages,
			(double)usage.used_bytes / (double)messages,
			(double)usage.free_bytes / (double)messages);
}

struct run {
	size_t per_parcel;
	size_t in_flight; /* parcels */
	size_t messages;
};

static struct parcel **make_parcels(
	struct journal_fixture *f, const struct run *run, size_t count, size_t *ret_header)
{
	struct fixture_load load = {
		.count = run->per_parcel,
		.content_bytes = CONTENT_BYTES,
		.padding = HEADER_PADDING,
	};
	struct parcel **parcels = calloc(count, sizeof(struct parcel *));
	for (size_t i = 0; i < count; i++)
		parcels[i] = journal_fixture_submit(f, &load);
	*ret_header = parcels[0]->submits[0].facts.header_bytes.len;
	return parcels;
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

/* In the broker a parcel comes straight from verify's hands: in a cache, not from far memory. */
static void touch(const struct parcel *parcel)
{
	uint8_t hash[HASH_SIZE];
	for (size_t i = 0; i < parcel->submits_count; i++) {
		blake2b_of(BYTES_PB(parcel->submits[i].envelope->content), hash);
		blake2b_of(parcel->submits[i].facts.header_bytes, hash);
	}
}

static void push_all(
	struct journal_fixture *f, const struct run *run, struct parcel **parcels, size_t count)
{
	size_t pushed = 0, back = 0;
	while (back < count) {
		while (pushed < count && pushed - back < run->in_flight) {
			touch(parcels[pushed]);
			journal_push(f->journal, parcels[pushed++]);
		}
		if (wait_back(f)->submits[0].decision.result != SUBMIT_ACCEPTED)
			exit(1);
		back++;
	}
}

static void bench(const char *dir, const struct run *run)
{
	struct journal_fixture f;
	struct journal_stats before, after;
	char name[64];
	size_t header, count = run->messages / run->per_parcel;
	size_t warm = WARM_UP / run->per_parcel;
	if (run->per_parcel == 1)
		warm = 100;
	snprintf(name, sizeof(name), "%zux%zu", run->per_parcel, run->in_flight);
	journal_fixture_init(&f, dir, name);
	f.options.map_bytes = UINT64_C(8) << 30;
	f.options.clock = clock_system();
	clock_fake_advance(&f.clock, clock_wall_ms(clock_system()) - FIXTURE_NOW_MS);
	journal_fixture_start(&f);
	struct parcel **parcels = make_parcels(&f, run, warm + count, &header);
	push_all(&f, run, parcels, warm);
	journal_stats(f.journal, &before);
	uint64_t wall_ns = now_ns(CLOCK_MONOTONIC), cpu_ns = writer_ns();
	push_all(&f, run, parcels + warm, count);
	wall_ns = now_ns(CLOCK_MONOTONIC) - wall_ns;
	cpu_ns = writer_ns() - cpu_ns;
	journal_stats(f.journal, &after);
	double messages = (double)(count * run->per_parcel);
	double commits = (double)(after.commits - before.commits);
	printf("%4zu a parcel, %3zu parcels in flight: %8.0f messages/s, %6.0f commits/s of %.0f, "
	       "%5.1f us CPU a message, %.0f us a commit (header %zu, content %zu bytes)\n",
		run->per_parcel, run->in_flight, messages * 1e9 / (double)wall_ns,
		commits * 1e9 / (double)wall_ns, messages / commits,
		(double)cpu_ns / 1000 / messages,
		(double)(after.commit_ns - before.commit_ns) / 1000 / commits, header,
		parcels[0]->submits[0].envelope->content.len);
	print_tables(journal_env(f.journal), (count + warm) * run->per_parcel);
	for (size_t i = 0; i < warm + count; i++)
		parcel_free(parcels[i]);
	free(parcels);
	journal_fixture_stop(&f);
	journal_fixture_deinit(&f);
}

int main(int argc, char **argv)
{
	uint64_t most = 100000;
	if (argc < 2 || (argc > 2 && text_parse_u64(BYTES_STR(argv[2]), &most))) {
		fprintf(stderr, "usage: bench-journal DIR [MESSAGES]\n");
		return 2;
	}
	const struct run runs[] = {
		{.per_parcel = 1, .in_flight = 1, .messages = most / 50},
		{.per_parcel = 32, .in_flight = 1, .messages = most / 4},
		{.per_parcel = 256, .in_flight = 1, .messages = most},
		{.per_parcel = 32, .in_flight = 8, .messages = most},
		{.per_parcel = 32, .in_flight = 32, .messages = most},
	};
	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		bench(argv[1], &runs[i]);
	return 0;
}
