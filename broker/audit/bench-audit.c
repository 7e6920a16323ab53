/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * How long an audit takes, and whether its memory stays the same however long the journal is. Built with
 * the tests and run by hand, because it is a question of minutes for a journal of years:
 *   bench-audit DIR [MESSAGES [CONTENT-BYTES [MEASURE...]]]
 * A journal that DIR holds from an earlier run is measured again as it is. What the primitives give on this
 * machine is measured in the same run, because a figure without them says nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/audit/absence.h"
#include "broker/audit/index.h"
#include "broker/audit/replay.h"
#include "broker/audit/verify.h"
#include "broker/journal/test-fixture.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

enum { PER_PARCEL = 256, PAYLOAD_OVERHEAD = 40, PRIMITIVE_ROUNDS = 20000 };

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
	printf("%-7s %8.2f s  %9.0f entries/s  %6.2f us CPU an entry  %6" PRIu64 " KiB\n",
		measure->what, wall, (double)entries / wall, cpu * 1e6 / (double)entries, grown);
}

static void fill(struct journal_fixture *f, uint64_t messages, size_t content)
{
	const struct fixture_load load = {.count = PER_PARCEL,
		.content_bytes = content - PAYLOAD_OVERHEAD,
		.service = "notice"};
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

/* ---- this machine ---- */

static double per_second(double begun, size_t rounds)
{
	return (double)rounds / (seconds_of(CLOCK_THREAD_CPUTIME_ID) - begun);
}

static void primitives(void)
{
	uint8_t seed[SIGN_SEED_SIZE] = {1}, pub[SIGN_PUBLIC_SIZE], secret[SIGN_SECRET_SIZE];
	uint8_t sig[SIGNATURE_SIZE], key[AEAD_KEY_SIZE] = {2}, nonce[AEAD_NONCE_SIZE] = {3};
	uint8_t text[1024] = {4}, sealed[sizeof(text) + AEAD_TAG_SIZE], hash[HASH_SIZE];
	struct merkle_hash node = {};
	int bad = 0;
	ed25519_from_seed(seed, pub, secret);
	ed25519_sign(BYTES(text, 100), secret, sig);
	aead_seal(sealed, BYTES(text, sizeof(text)), BYTES(NULL, 0), nonce, key);
	double begun = seconds_of(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < PRIMITIVE_ROUNDS; i++)
		bad += ed25519_verify(BYTES(text, 100), pub, sig);
	double verifies = per_second(begun, PRIMITIVE_ROUNDS);
	begun = seconds_of(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < 10 * PRIMITIVE_ROUNDS; i++)
		bad += aead_open(text, BYTES(sealed, sizeof(sealed)), BYTES(NULL, 0), nonce, key);
	double opens = per_second(begun, 10 * PRIMITIVE_ROUNDS);
	begun = seconds_of(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < 10 * PRIMITIVE_ROUNDS; i++)
		blake2b_of(BYTES(text, sizeof(text)), hash);
	double blakes = per_second(begun, 10 * PRIMITIVE_ROUNDS);
	begun = seconds_of(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < 50 * PRIMITIVE_ROUNDS; i++)
		merkle_node(&node, &node, &node);
	double nodes = per_second(begun, 50 * PRIMITIVE_ROUNDS);
	printf("this machine, a core: %.0f signature checks/s, %.0f tree nodes/s, of 1 KiB %.0f "
	       "opened/s and %.0f BLAKE2b/s\n",
		verifies, nodes, opens, blakes);
	if (bad)
		die("a primitive does not work", bad);
}

/* ---- the audit ---- */

struct bench {
	const char *dir;
	char **wanted; /* names of measures; empty: all */
	int wanted_count;
	struct audit audit;
};

static bool wants(const struct bench *bench, const char *what)
{
	for (int i = 0; i < bench->wanted_count; i++)
		if (strcmp(bench->wanted[i], what) == 0)
			return true;
	return bench->wanted_count == 0;
}

static void measure_verify(
	struct bench *bench, const char *what, enum audit_depth depth, size_t workers)
{
	struct audit_verify_options options = {.depth = depth, .workers = workers};
	struct audit_verify_result verified;
	if (!wants(bench, what))
		return;
	struct measure measure = begin(what);
	struct audit_report report = {.progress = watch, .context = &measure};
	int r = audit_verify(&bench->audit, &options, &report, &verified);
	end(&measure, verified.entries, r, report.findings);
}

static void measure_replay(struct bench *bench)
{
	struct audit_replay_options options = {.work = bench->dir};
	struct audit_replay_result replayed;
	if (!wants(bench, "replay"))
		return;
	struct measure measure = begin("replay");
	struct audit_report report = {.progress = watch, .context = &measure};
	int r = audit_replay(&bench->audit, &options, &report, &replayed);
	end(&measure, replayed.entries, r, report.findings);
}

static void measure_index(struct bench *bench)
{
	struct case_index *index;
	struct journal_meta meta;
	char path[300], error[512];
	if (!wants(bench, "index"))
		return;
	snprintf(path, sizeof(path), "%s/audit-index", bench->dir);
	struct measure measure = begin("index");
	struct audit_report report = {.progress = watch, .context = &measure};
	int r = case_index_open(path, &index, error, sizeof(error));
	if (r == 0)
		r = case_index_update(index, &bench->audit, false, &report);
	if (r == 0)
		r = journal_read_meta(bench->audit.reader, &meta);
	end(&measure, meta.size, r, report.findings);
	case_index_free(index);
}

/* Ten years of daily runs, each with survivors of weeks before, and cases that went on instruction. */
static void measure_gone(const struct bench *bench)
{
	enum { DAYS = 3650, PER_DAY = 1000, EARLY = 10000, AGE = 21, DAY_MS = 86400000 };
	_cleanup_(absence_deinit) struct absence absence = {};
	Dienstweg__ErasedRange range = DIENSTWEG__ERASED_RANGE__INIT, *ranges = &range;
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	ProtobufCBinaryData digest = {.len = 0};
	uint64_t judged = 0, bad = 0;
	int r = 0;
	if (!wants(bench, "gone"))
		return;
	decision.erased = &ranges;
	decision.n_erased = 1;
	decision.instructions = &digest;
	range.table = ERASED_CONTENT;
	range.class_ = 1;
	for (uint64_t i = 0; r == 0 && i < DAYS + EARLY; i++) {
		uint64_t day = i < DAYS ? i : (i - DAYS) * DAYS / EARLY, from = day * PER_DAY;
		decision.n_instructions = i >= DAYS;
		range.first = i >= DAYS ? from : from > PER_DAY * AGE ? from - PER_DAY * AGE : 0;
		range.last = i >= DAYS ? from : from + PER_DAY - 1;
		range.erase_day = (uint32_t)day + AGE;
		r = absence_add(&absence, DAYS * PER_DAY + i, (day + AGE + 1) * DAY_MS, &decision);
	}
	struct measure measure = begin("gone");
	absence_settle(&absence);
	for (uint64_t i = 0; r == 0 && i < DAYS * PER_DAY; i += 23, judged++) {
		const struct absence_case row = {.table = ERASED_CONTENT,
			.class = 1,
			.sequence = i,
			.age_days = AGE,
			.not_before_ms = i / PER_DAY * DAY_MS};
		bad += absence_judge(&absence, &row) != 0;
	}
	end(&measure, judged, r, bad);
}

static void write_journal(const char *dir, uint64_t messages, size_t content)
{
	struct journal_fixture f;
	journal_fixture_init(&f, dir, "audit");
	f.options.map_bytes = UINT64_C(64) << 30;
	journal_fixture_start(&f);
	fill(&f, messages, content);
	journal_fixture_stop(&f);
	journal_fixture_deinit(&f);
}

int main(int argc, char **argv)
{
	uint64_t messages = 100000, content = 1024;
	char journal[300], keyring[300], master[300], error[512];
	struct bench bench = {};
	if (argc < 2 || (argc > 2 && text_parse_u64(BYTES_STR(argv[2]), &messages)) ||
		(argc > 3 && text_parse_u64(BYTES_STR(argv[3]), &content)) ||
		content < PAYLOAD_OVERHEAD || content > CONTENT_BYTES_MAX) {
		fprintf(stderr, "usage: bench-audit DIR [MESSAGES [CONTENT-BYTES "
				"[tree|serial|full|replay|index|gone...]]]\n");
		return 2;
	}
	bench.dir = argv[1];
	bench.wanted = argv + 4;
	bench.wanted_count = argc > 4 ? argc - 4 : 0;
	snprintf(journal, sizeof(journal), "%s/audit/journal", argv[1]);
	snprintf(keyring, sizeof(keyring), "%s/audit/keyring", argv[1]);
	snprintf(master, sizeof(master), "%s/audit/master", argv[1]);
	if (crypto_init())
		die("crypto_init", 0);
	if (access(journal, F_OK) != 0)
		write_journal(argv[1], messages, (size_t)content);
	struct audit_paths paths = {.journal = journal, .keyring = keyring, .master_key = master};
	if (audit_open(&paths, &bench.audit, error, sizeof(error)))
		die(error, 0);
	primitives();
	measure_verify(&bench, "tree", AUDIT_TREE, 0);
	measure_verify(&bench, "serial", AUDIT_FULL, 0);
	measure_verify(&bench, "full", AUDIT_FULL, (size_t)sysconf(_SC_NPROCESSORS_ONLN));
	measure_replay(&bench);
	measure_index(&bench);
	measure_gone(&bench);
	audit_close(&bench.audit);
	return 0;
}
