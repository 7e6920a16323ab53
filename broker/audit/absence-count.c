/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The entry that says what is erased is committed before the first row goes, and rows go while somebody reads. So
 * what was being removed at the beginning may still be there, and what was said meanwhile as well; neither may
 * be gone beyond what was said at the end. In a journal at rest the two bounds are the same number. An operator who
 * lets a run stand half-way, to keep the lower bound open, is told when its time is over: the entry itself says
 * until when its keys have to be gone.
 *
 * Numbers are kept where ranges begin and end, not for each entry: as many as there are ranges.
 */
#include "broker/audit/absence-count.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "proto/base/clock.h"

/* ---- marks ---- */

static int compare_marks(const void *a, const void *b)
{
	const struct absence_mark *x = a, *y = b;
	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static size_t mark_find(const struct absence_count *count, const struct absence_mark *wanted)
{
	size_t low = 0, high = count->marks_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare_marks(&count->marks[middle], wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct absence_mark mark_at(const struct absence_range *range, uint64_t sequence)
{
	return (struct absence_mark){
		.table = range->table, .class = range->class, .sequence = sequence};
}

static int marks_make(struct absence_count *count)
{
	const struct absence *said = &count->said;
	if (said->count == 0)
		return 0;
	count->marks = calloc(said->count, 2 * sizeof(*count->marks));
	if (!count->marks)
		return -ENOMEM;
	for (size_t i = 0; i < said->count; i++) {
		const struct absence_range *range = &said->ranges[i];
		count->marks[count->marks_count++] = mark_at(range, range->first);
		count->marks[count->marks_count++] = mark_at(range, range->last + 1);
	}
	qsort(count->marks, count->marks_count, sizeof(*count->marks), compare_marks);
	for (uint8_t table = 0; table < ABSENCE_TABLES; table++)
		for (uint8_t class = 0; class < ABSENCE_CLASSES; class ++)
			count->next[table][class] = mark_find(
				count, &(struct absence_mark){.table = table, .class = class});
	return 0;
}

/* ---- counting ---- */

/* Entries of one run have one time: they are one commit. */
static int running_find(struct absence_count *count, struct journal_reader *reader)
{
	const struct absence *said = &count->said;
	bool running;
	count->running_ms = UINT64_MAX;
	int r = journal_read_erasing(reader, &running);
	if (r == 0 && running && said->times_count > 0)
		count->running_ms = said->times[said->times_count - 1].batch_ms;
	return r < 0 ? r : 0;
}

int absence_count_begin(struct absence_count *count, struct journal_reader *reader,
	struct arena *arena, uint64_t from)
{
	uint64_t bad; /* whoever judges in the end tells of it */
	*count = (struct absence_count){.from = from};
	int r = absence_load(&count->said, reader, arena, &bad);
	if (r == 0)
		r = running_find(count, reader);
	return r ? r : marks_make(count);
}

void absence_count_deinit(struct absence_count *count)
{
	absence_deinit(&count->said);
	free(count->marks);
	*count = (struct absence_count){};
}

/* Marks up to a place are passed: what is counted so far is below them. */
static void pass(struct absence_count *count, uint8_t table, uint8_t class, uint64_t sequence)
{
	size_t *next = &count->next[table][class];
	while (*next < count->marks_count) {
		struct absence_mark *mark = &count->marks[*next];
		if (mark->table != table || mark->class != class || mark->sequence > sequence)
			return;
		mark->below = count->gone[table][class];
		++*next;
	}
}

void absence_count_row(struct absence_count *count, const struct absence_row *row)
{
	if (row->sequence < count->from || row->table >= ABSENCE_TABLES ||
		row->class >= ABSENCE_CLASSES)
		return;
	pass(count, row->table, row->class, row->sequence);
	count->gone[row->table][row->class]++;
}

/* ---- judging ---- */

static uint64_t below(
	const struct absence_count *count, const struct absence_range *range, uint64_t sequence)
{
	struct absence_mark wanted = mark_at(range, sequence);
	return count->marks[mark_find(count, &wanted)].below;
}

static const char *name_of(uint8_t table)
{
	return table == ERASED_RECORD ? "records" : "contents";
}

/* What a range counts has to be gone at its place, whatever went there besides. */
static bool judge_range(const struct absence_count *count, const struct absence_range *range,
	struct audit_report *report)
{
	uint64_t gone = below(count, range, range->last + 1) - below(count, range, range->first);
	if (gone + count->unread >= range->erased)
		return true;
	audit_report_finding(report, range->entry, "erased-overstated",
		"it says that %" PRIu64 " %s of class %u from entry %" PRIu64 " to %" PRIu64
		" are gone, and %" PRIu64
		" are: its number has room for something that should have survived it",
		range->erased, name_of(range->table), range->class, range->first, range->last, gone);
	return false;
}

/* What was said of a table and class, and where it was said last. */
struct said {
	uint64_t least, most; /* rows that must be gone, and that may be */
	uint64_t entry;
	bool told;
};

static bool is_settled(const struct absence_count *count, const struct absence_range *range)
{
	return range->first >= count->from && range->batch_ms != count->running_ms;
}

static void judge_sum(const struct absence_count *count, const struct said *said, uint8_t table,
	uint8_t class, struct audit_report *report)
{
	uint64_t gone = count->gone[table][class];
	if (gone > said->most)
		audit_report_finding(report, said->entry, "absent-uncounted",
			"%" PRIu64
			" %s of class %u are missing beyond those that the erased entries "
			"count: what should have survived an erasure was removed",
			gone - said->most, name_of(table), class);
	else if (gone + count->unread < said->least && !said->told)
		audit_report_finding(report, said->entry, "erased-overstated",
			"up to here entries say that %" PRIu64
			" %s of class %u are gone, and %" PRIu64
			" are: their numbers have room for something that should have survived",
			said->least, name_of(table), class, gone);
}

static void judge_sums(
	struct absence_count *count, const struct absence *now, struct audit_report *report)
{
	struct said said[ABSENCE_TABLES][ABSENCE_CLASSES] = {};
	for (size_t i = 0; i < count->said.count; i++) {
		const struct absence_range *range = &count->said.ranges[i];
		struct said *of = &said[range->table][range->class];
		if (!is_settled(count, range))
			continue;
		of->least += range->erased;
		if (!judge_range(count, range, report))
			of->told = true;
	}
	for (size_t i = 0; i < now->count; i++) {
		const struct absence_range *range = &now->ranges[i];
		struct said *of = &said[range->table][range->class];
		if (range->last >= count->from)
			of->most += range->erased;
		if (range->entry > of->entry)
			of->entry = range->entry;
	}
	for (uint8_t table = ERASED_RECORD; table < ABSENCE_TABLES; table++)
		for (uint8_t class = 0; class < ABSENCE_CLASSES; class ++)
			judge_sum(count, &said[table][class], table, class, report);
}

/* Is something still being removed when the last copy of its keys should be gone? */
static int judge_running(
	const struct absence *now, struct journal_reader *reader, struct audit_report *report)
{
	struct journal_meta meta;
	bool running;
	int r = journal_read_erasing(reader, &running);
	if (r > 0)
		audit_report_finding(report, now->newest ? now->newest - 1 : 0, "erasure-plan",
			"what the journal's table meta says of the erasure under way cannot be "
			"read");
	if (r || !running || now->times_count == 0)
		return r < 0 ? r : 0;
	r = journal_read_meta(reader, &meta);
	if (r)
		return r < 0 ? r : 0;
	const struct absence_time *last = &now->times[now->times_count - 1];
	if (clock_day(meta.batch_ms) > clock_day(last->batch_ms) + KEYRING_COPY_DAYS)
		audit_report_finding(report, last->sequence, "erasure-unfinished",
			"it says what is erased, and %d days later the run has not come to its "
			"end: "
			"what it names may still be read",
			KEYRING_COPY_DAYS);
	return 0;
}

int absence_count_judge(struct absence_count *count, struct journal_reader *reader,
	struct arena *arena, struct audit_report *report)
{
	_cleanup_(absence_deinit) struct absence now = {};
	uint64_t bad;
	int r = absence_load(&now, reader, arena, &bad);
	if (r)
		return r;
	if (bad > 0)
		audit_report_finding(report, bad - 1, "erased-chain",
			"an erased entry should stand here, and does not: what was erased before "
			"it cannot be told from what is missing");
	for (uint8_t table = ERASED_RECORD; table < ABSENCE_TABLES; table++)
		for (uint8_t class = 0; class < ABSENCE_CLASSES; class ++)
			pass(count, table, class, UINT64_MAX);
	judge_sums(count, &now, report);
	return judge_running(&now, reader, report);
}
