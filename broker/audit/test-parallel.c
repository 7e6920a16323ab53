/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Nobody could act on a report that says something else each time. So a journal with damage all over it is
 * verified by one thread and by several, and every finding has to be the same, in the same order, across
 * the borders of slices and of registries.
 */
#include <stdlib.h>

#include "broker/audit/open.h"
#include "broker/audit/test-life.h"
#include "test/kit/check.h"

enum { PARCELS = 14, PER_PARCEL = 224, DAMAGES = 150 };

/* What was found, a line each. */
struct transcript {
	struct audit_report report;
	FILE *file;
	char *text;
	size_t len;
	uint64_t last_done;
};

static void write_finding(void *context, const struct audit_finding *finding)
{
	struct transcript *transcript = context;
	fprintf(transcript->file, "%llu %s %s\n", (unsigned long long)finding->sequence,
		finding->code, finding->reason);
}

static void see_progress(void *context, uint64_t done, uint64_t total)
{
	struct transcript *transcript = context;
	CHECK(done > transcript->last_done && done <= total);
	transcript->last_done = done;
}

static struct audit_verify_result transcribe(
	const struct life *life, const char *dir, size_t workers, struct transcript *ret)
{
	struct audit_verify_options options = {.depth = AUDIT_FULL, .workers = workers};
	struct audit_verify_result result;
	_cleanup_(audit_close) struct audit audit;
	*ret = (struct transcript){.report = {
					   .finding = write_finding,
					   .progress = see_progress,
					   .context = ret,
				   }};
	ret->file = open_memstream(&ret->text, &ret->len);
	CHECK(ret->file != NULL);
	life_open(life, dir, &audit);
	CHECK_INT(audit_verify(&audit, &options, &ret->report, &result), 0);
	CHECK_INT(fclose(ret->file), 0);
	CHECK_INT(ret->last_done, result.entries);
	return result;
}

/* xorshift64* */
static uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static void damage_all_over(const struct life *life, const char *dir)
{
	uint64_t random = 7;
	for (size_t i = 0; i < DAMAGES; i++) {
		struct key key = key_u64(next(&random) % life->size);
		struct key row = key_u64((next(&random) % (life->size / 32) + 1) * 32);
		row.bytes[row.len++] = 0;
		switch (next(&random) % 4) {
		case 0:
			life_flip(dir, "record", KEY_BYTES_OF(key), next(&random) % 60);
			break;
		case 1:
			life_flip(dir, "stub", KEY_BYTES_OF(key), 1 + next(&random) % 34);
			break;
		case 2:
			life_flip(dir, "tile", KEY_BYTES_OF(row), next(&random) % 1024);
			break;
		default: /* the second time it is gone already */
			life_put(dir, "record", KEY_BYTES_OF(key), BYTES("?", 1));
		}
	}
}

static void says_the_same_with_any_number_of_workers(void)
{
	_cleanup_(life_deinit) struct life life;
	struct transcript alone, several;
	char dir[300];
	life_init(&life, check_memdir(), "several");
	life_grow(&life, PARCELS, PER_PARCEL); /* registries come in the middle of slices */
	CHECK(life.size > 3 * AUDIT_SLICE);
	struct audit_verify_result first = transcribe(&life, life.journal.dir, 0, &alone);
	CHECK_STR(alone.text, "");
	free(alone.text);
	life_copy(&life, "damaged", dir);
	damage_all_over(&life, dir);
	first = transcribe(&life, dir, 0, &alone);
	CHECK(alone.report.findings > DAMAGES / 2);
	for (size_t workers = 1; workers <= 5; workers += 2) {
		struct audit_verify_result again = transcribe(&life, dir, workers, &several);
		CHECK_INT(several.report.findings, alone.report.findings);
		CHECK_STR(several.text, alone.text);
		CHECK_INT(again.records, first.records);
		CHECK_INT(again.signatures, first.signatures);
		free(several.text);
	}
	free(alone.text);
}

CHECK_MAIN(CHECK_CASE(says_the_same_with_any_number_of_workers))
