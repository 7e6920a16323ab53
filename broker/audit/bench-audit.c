/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * How long an audit takes, and whether its memory stays the same however long the journal is. Built with
 * the tests and run by hand, because it is a question of minutes for a journal of years:
 *   bench-audit DIR [MESSAGES]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/audit/index.h"
#include "broker/audit/replay.h"
#include "broker/audit/verify.h"
#include "broker/journal/test-fixture.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

enum { PER_PARCEL = 256, CONTENT_BYTES = 1024 - 40 };

static double seconds_of(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what, int r)
{
	fprintf(stderr, "bench-audit: %s: %d\n", what, r);
	exit(1);
}

/* Memory that is nobody's file, in KiB. */
static uint64_t anonymous_kib(void)
{
	char line[256];
	uint64_t kib = 0;
	FILE *status = fopen("/proc/self/status", "re");
	while (status && fgets(line, sizeof(line), status)) {
		char *value = line + strlen("RssAnon:");
		if (strncmp(line, "RssAnon:", strlen("RssAnon:")) != 0)
			continue;
		value += strspn(value, " \t");
		value[strcspn(value, " ")] = '\0';
		text_parse_u64(BYTES_STR(value), &kib);
	}
	if (status)
		fclose(status);
	return kib;
}

struct measure {
	const char *what;
	double wall, cpu;
	uint64_t memory, most;
};

static void watch(void *context, uint64_t done, uint64_t total)
{
	struct measure *measure = context;
	uint64_t now = anonymous_kib();
	if (now > measure->most)
		measure->most = now;
}

static struct measure begin(const char *what)
{
	return (struct measure){
		.what = what,
		.wall = seconds_of(CLOCK_MONOTONIC),
		.cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID),
		.memory = anonymous_kib(),
	};
}

static void end(const struct measure *measure, uint64_t entries, int r, uint64_t findings)
{
	double wall = seconds_of(CLOCK_MONOTONIC) - measure->wall;
	double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - measure->cpu;
	if (r || findings)
		die(measure->what, r ? r : (int)findings);
	uint64_t grown = measure->most > measure->memory ? measure->most - measure->memory : 0;
	printf("%-14s %8.2f s  %9.0f entries/s  %6.2f us CPU an entry  %6" PRIu64 " KiB\n",
		measure->what, wall, (double)entries / wall, cpu * 1e6 / (double)entries, grown);
}

static void fill(struct journal_fixture *f, uint64_t messages)
{
	const struct fixture_load load = {
		.count = PER_PARCEL, .content_bytes = CONTENT_BYTES, .service = "notice"};
	for (uint64_t i = 0; i < messages; i += PER_PARCEL) {
		struct parcel *parcel = journal_fixture_submit(f, &load);
		journal_fixture_run(f, parcel);
		struct parcel *acks = journal_fixture_acks(f, "jobcenter", parcel);
		journal_fixture_run(f, acks);
		parcel_free(acks);
		parcel_free(parcel);
		clock_fake_advance(&f->clock, 100);
	}
}

static void measure_all(struct journal_fixture *f, const char *dir)
{
	struct audit_paths paths = {.journal = f->dir, .keyring = f->keys, .master_key = f->master};
	struct audit_verify_options tree = {.depth = AUDIT_TREE}, full = {.depth = AUDIT_FULL};
	struct audit_verify_result verified;
	struct audit_replay_options options = {.work = dir};
	struct audit_replay_result replayed;
	struct case_index *index;
	struct audit audit;
	char path[300], error[512];
	if (audit_open(&paths, &audit, error, sizeof(error)))
		die(error, 0);
	struct measure measure = begin("verify, tree");
	struct audit_report report = {.progress = watch, .context = &measure};
	int r = audit_verify(&audit, &tree, &report, &verified);
	end(&measure, verified.entries, r, report.findings);
	measure = begin("verify, full");
	r = audit_verify(&audit, &full, &report, &verified);
	end(&measure, verified.entries, r, report.findings);
	measure = begin("replay");
	r = audit_replay(&audit, &options, &report, &replayed);
	end(&measure, replayed.entries, r, report.findings);
	snprintf(path, sizeof(path), "%s/audit-index", dir);
	measure = begin("case index");
	r = case_index_open(path, &index, error, sizeof(error));
	if (r == 0)
		r = case_index_update(index, &audit, false, &report);
	end(&measure, verified.entries, r, report.findings);
	case_index_free(index);
	audit_close(&audit);
}

int main(int argc, char **argv)
{
	uint64_t messages = 100000;
	struct journal_fixture f;
	if (argc < 2 || (argc > 2 && text_parse_u64(BYTES_STR(argv[2]), &messages))) {
		fprintf(stderr, "usage: bench-audit DIR [MESSAGES]\n");
		return 2;
	}
	journal_fixture_init(&f, argv[1], "audit");
	f.options.map_bytes = UINT64_C(64) << 30;
	journal_fixture_start(&f);
	fill(&f, messages);
	journal_fixture_stop(&f);
	measure_all(&f, argv[1]);
	journal_fixture_deinit(&f);
	return 0;
}
