/* SPDX-License-Identifier: EUPL-1.2 */

/* What two walks over a slice find is told as if one had found it. */
#include <stdlib.h>

#include "broker/audit/slice.h"
#include "test/kit/check.h"

/* Codes and sequences in the order told: "a1 b2 ". */
struct told {
	struct audit_report report;
	char text[4096];
	size_t len;
};

static void take(void *context, const struct audit_finding *finding)
{
	struct told *told = context;
	told->len += (size_t)snprintf(told->text + told->len, sizeof(told->text) - told->len,
		"%s%llu ", finding->code, (unsigned long long)finding->sequence);
	CHECK(told->len < sizeof(told->text));
	CHECK_STR(finding->reason, strcmp(finding->code, "time-backwards") == 0
					   ? "its time lies before that of the entry before it"
					   : finding->code);
}

static void told_init(struct told *told)
{
	*told = (struct told){.report = {.finding = take, .context = told}};
}

static void find(struct held *held, uint64_t entry, enum slice_step step, const char *code)
{
	held_at(held, entry, step);
	audit_report_finding(&held->report, entry, code, "%s", code);
}

static void tells_in_the_order_of_entries_and_steps(void)
{
	_cleanup_(slice_deinit) struct slice slice;
	struct slice_time last = {};
	struct told told;
	told_init(&told);
	slice_init(&slice);
	slice_begin(&slice, 1);
	find(&slice.tree, 1, STEP_TREE, "a");
	find(&slice.tree, 1, STEP_REGISTRY, "b");
	find(&slice.tree, 1, STEP_CHECKPOINTS, "e");
	find(&slice.tree, 4, STEP_CHECKPOINTS, "h");
	find(&slice.records, 1, STEP_RECORD, "c");
	find(&slice.records, 1, STEP_RECORD, "d");
	find(&slice.records, 3, STEP_RECORD, "f");
	find(&slice.records, 4, STEP_RECORD, "g");
	find(&slice.records, 9, STEP_RECORD, "i");
	CHECK_INT(slice_tell(&slice, &told.report, &last), 0);
	CHECK_STR(told.text, "a1 b1 c1 d1 e1 f3 g4 h4 i9 ");
	CHECK_INT(told.report.findings, 9);
	/* Used again, it remembers nothing. */
	told_init(&told);
	slice_begin(&slice, 10);
	CHECK_INT(slice_tell(&slice, &told.report, &last), 0);
	CHECK_STR(told.text, "");
}

/* A slice of entries with these batch times, told after an entry of time @before. */
static void tell_times(
	uint64_t before, const uint64_t *times, size_t count, struct told *told, uint64_t *ret_last)
{
	_cleanup_(slice_deinit) struct slice slice;
	struct slice_time last = {.known = before > 0, .batch_ms = before};
	told_init(told);
	slice_init(&slice);
	slice_begin(&slice, 5);
	find(&slice.tree, 5, STEP_TREE, "a");
	find(&slice.tree, 6, STEP_TREE, "c");
	find(&slice.tree, 9, STEP_TREE, "z");
	for (size_t i = 0; i < count; i++) {
		slice_time(&slice.records, &slice.latest, 5 + i, times[i]);
		if (i == 0)
			slice.earliest = slice.latest;
		find(&slice.records, 5 + i, STEP_RECORD, "b");
	}
	CHECK_INT(slice_tell(&slice, &told->report, &last), 0);
	*ret_last = last.batch_ms;
}

static void time_must_not_run_backwards(void)
{
	struct told told;
	uint64_t last;
	tell_times(0, (uint64_t[]){7, 7, 8}, 3, &told, &last);
	CHECK_STR(told.text, "a5 b5 c6 b6 b7 z9 ");
	CHECK_INT(last, 8);
	tell_times(7, (uint64_t[]){7, 9, 8}, 3, &told, &last);
	CHECK_STR(told.text, "a5 b5 c6 b6 time-backwards7 b7 z9 ");
	CHECK_INT(last, 8);
	/* Also from one slice to the next, at its place. */
	tell_times(8, (uint64_t[]){7, 9}, 2, &told, &last);
	CHECK_STR(told.text, "a5 time-backwards5 b5 c6 b6 z9 ");
	/* A slice of which nothing could be read changes nothing. */
	tell_times(8, NULL, 0, &told, &last);
	CHECK_STR(told.text, "a5 c6 z9 ");
	CHECK_INT(last, 8);
}

static void holds_as_many_as_there_are(void)
{
	_cleanup_(slice_deinit) struct slice slice;
	struct slice_time last = {};
	struct audit_report report = {};
	slice_init(&slice);
	slice_begin(&slice, 0);
	for (uint64_t i = 0; i < 10000; i++)
		find(i % 2 ? &slice.tree : &slice.records, i, STEP_RECORD, "many");
	CHECK_INT(slice_tell(&slice, &report, &last), 0);
	CHECK_INT(report.findings, 10000);
}

static void a_failure_is_passed_on(void)
{
	_cleanup_(slice_deinit) struct slice slice;
	struct slice_time last = {};
	struct told told;
	told_init(&told);
	slice_init(&slice);
	slice_begin(&slice, 0);
	find(&slice.tree, 0, STEP_TREE, "a");
	slice.result = -5;
	CHECK_INT(slice_tell(&slice, &told.report, &last), -5);
	CHECK_STR(told.text, "a0 "); /* what was found before is told */
}

CHECK_MAIN(CHECK_CASE(tells_in_the_order_of_entries_and_steps),
	CHECK_CASE(time_must_not_run_backwards), CHECK_CASE(holds_as_many_as_there_are),
	CHECK_CASE(a_failure_is_passed_on))
