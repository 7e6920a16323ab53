/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * When an erased entry was committed cannot be read any more. But the entries around it that stay have times,
 * and times never run backwards: it is not older than the last one before it. A judgement that rests on this
 * may overlook that something went a few hours early; it never accuses anybody wrongly.
 *
 * Every row that is gone is looked for in the ranges, of which there are some a day, and one for each entry that went on
 * instruction. So they are an interval tree: sorted by their first entries, each knows how far its part of
 * the sorted row reaches, and parts that end before a place are not entered.
 */
#include "broker/audit/absence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/receipt/stub.h"

void absence_deinit(struct absence *absence)
{
	free(absence->ranges);
	free(absence->times);
	*absence = (struct absence){};
}

/* Room for one more of @size bytes each. */
static int grow(void *items, size_t count, size_t *room, size_t size)
{
	void **array = items;
	if (count < *room)
		return 0;
	size_t more = *room ? *room * 2 : 64;
	void *larger = reallocarray(*array, more, size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	*room = more;
	return 0;
}

static int add_range(struct absence *absence, const struct absence_range *range)
{
	void *ranges = absence->ranges;
	if (range->table < ERASED_RECORD || range->table > ERASED_CONTENT ||
		range->class >= ABSENCE_CLASSES)
		return 0; /* it excuses nothing */
	int r = grow(&ranges, absence->count, &absence->room, sizeof(*range));
	absence->ranges = ranges;
	if (r)
		return r;
	absence->ranges[absence->count++] = *range;
	return 0;
}

/* How many erased entries stand before one. */
static size_t times_before(const struct absence *absence, uint64_t sequence)
{
	size_t low = 0, high = absence->times_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (absence->times[middle].sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* They are read backwards, new ones behind those that are known. */
static int add_time(struct absence *absence, uint64_t sequence, uint64_t batch_ms)
{
	void *times = absence->times;
	int r = grow(&times, absence->times_count, &absence->times_room, sizeof(*absence->times));
	absence->times = times;
	if (r)
		return r;
	size_t at = times_before(absence, sequence), behind = absence->times_count++ - at;
	memmove(&absence->times[at + 1], &absence->times[at], behind * sizeof(*absence->times));
	absence->times[at] = (struct absence_time){sequence, batch_ms};
	return 0;
}

int absence_add(struct absence *absence, uint64_t sequence, uint64_t batch_ms,
	const Dienstweg__Decision *decision)
{
	int r = add_time(absence, sequence, batch_ms);
	for (size_t i = 0; r == 0 && i < decision->n_erased; i++) {
		const Dienstweg__ErasedRange *given = decision->erased[i];
		struct absence_range range = {
			.table = given->table > UINT8_MAX ? 0 : (uint8_t)given->table,
			.class = given->class_ > UINT8_MAX ? UINT8_MAX : (uint8_t)given->class_,
			.instructed = decision->n_instructions > 0,
			.erase_day = given->erase_day,
			.entry = sequence,
			.batch_ms = batch_ms,
			.first = given->first,
			.last = given->last < sequence ? given->last : sequence,
			.erased = given->erased,
		};
		r = add_range(absence, &range);
	}
	return r;
}

/* ---- the tree ---- */

static size_t group_of(uint8_t table, uint8_t class)
{
	return (size_t)table * ABSENCE_CLASSES + class;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct absence_range *x = a, *y = b;
	size_t of_x = group_of(x->table, x->class), of_y = group_of(y->table, y->class);
	if (of_x != of_y)
		return of_x < of_y ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* The middle of a part is its root; both halves are parts again. */
static uint64_t settle_part(struct absence *absence, size_t low, size_t high)
{
	if (low == high)
		return 0;
	size_t middle = low + (high - low) / 2;
	struct absence_range *range = &absence->ranges[middle];
	uint64_t left = settle_part(absence, low, middle);
	uint64_t right = settle_part(absence, middle + 1, high);
	range->reach = range->last > left ? range->last : left;
	range->reach = range->reach > right ? range->reach : right;
	return range->reach;
}

void absence_settle(struct absence *absence)
{
	size_t at = 0;
	if (absence->count > 0)
		qsort(absence->ranges, absence->count, sizeof(*absence->ranges), compare_ranges);
	for (size_t group = 0; group + 1 < ARRAY_LEN(absence->groups); group++) {
		size_t begin = at;
		absence->groups[group] = begin;
		while (at < absence->count &&
			group_of(absence->ranges[at].table, absence->ranges[at].class) == group)
			at++;
		settle_part(absence, begin, at);
	}
	absence->groups[ARRAY_LEN(absence->groups) - 1] = at;
}

/* Ranges of a part that cover a place, until one of them will do. */
struct visit {
	const struct absence *absence;
	uint64_t sequence;
	bool (*will_do)(void *context, const struct absence_range *range);
	void *context;
};

static bool visit_part(const struct visit *visit, size_t low, size_t high)
{
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct absence_range *range = &visit->absence->ranges[middle];
		if (range->reach < visit->sequence)
			return false;
		if (visit_part(visit, low, middle))
			return true;
		if (range->first > visit->sequence)
			return false;
		if (range->last >= visit->sequence && visit->will_do(visit->context, range))
			return true;
		low = middle + 1;
	}
	return false;
}

static bool visit_covering(const struct visit *visit, uint8_t table, uint8_t class)
{
	if (table >= ABSENCE_TABLES || class >= ABSENCE_CLASSES)
		return false;
	const size_t *group = &visit->absence->groups[group_of(table, class)];
	return visit_part(visit, group[0], group[1]);
}

/* ---- loading ---- */

/* Return: 0, READER_DAMAGED when it is no such entry, negative errno. */
static int load_one(struct absence *absence, struct journal_reader *reader, uint64_t sequence,
	struct arena *arena, uint64_t *ret_previous)
{
	Dienstweg__Decision *decision;
	Dienstweg__Row *row;
	struct disclosed disclosed;
	arena_reset(arena);
	int r = journal_read_row(reader, sequence, arena, &row);
	if (r == 0 && disclosed_decode(BYTES_PB(row->disclosed), &disclosed))
		r = READER_DAMAGED;
	if (r == 0 && disclosed.kind != DIENSTWEG__ENTRY_KIND__ENTRY_ERASED)
		r = READER_DAMAGED;
	if (r == 0)
		r = journal_row_decision(row, arena, &decision);
	if (r == 0 && decision->previous_erased > sequence)
		r = READER_DAMAGED;
	if (r)
		return r < 0 ? r : READER_DAMAGED;
	*ret_previous = decision->previous_erased;
	return absence_add(absence, sequence, disclosed.batch_ms, decision);
}

int absence_load(struct absence *absence, struct journal_reader *reader, struct arena *arena,
	uint64_t *ret_bad)
{
	uint64_t newest = 0, at;
	*ret_bad = 0;
	int r = journal_read_last_erased(reader, &newest);
	if (r)
		return r < 0 ? r : 0;
	newest++;
	if (newest == absence->newest)
		return 0;
	for (at = newest; at > absence->newest;) {
		uint64_t sequence = at - 1;
		r = load_one(absence, reader, sequence, arena, &at);
		if (r < 0)
			return r;
		if (r > 0) {
			*ret_bad = sequence + 1;
			break;
		}
	}
	absence->newest = newest;
	absence_settle(absence);
	return 0;
}

/* ---- judging ---- */

/* The latest certain time before an entry. */
static uint64_t not_before(const struct absence *absence, const struct absence_case *row)
{
	size_t before = times_before(absence, row->sequence);
	uint64_t ms = before > 0 ? absence->times[before - 1].batch_ms : 0;
	return ms > row->not_before_ms ? ms : row->not_before_ms;
}

struct judging {
	uint32_t due; /* day from which on its key could be destroyed */
	int verdict;
};

static bool makes_lawful(void *context, const struct absence_range *range)
{
	struct judging *judging = context;
	judging->verdict = ABSENCE_EARLY;
	if (range->instructed ||
		(range->erase_day >= judging->due && clock_day(range->batch_ms) > range->erase_day))
		judging->verdict = 0;
	return judging->verdict == 0;
}

int absence_judge(const struct absence *absence, const struct absence_case *row)
{
	struct judging judging = {
		.due = clock_day(not_before(absence, row)) + row->age_days,
		.verdict = ABSENCE_UNCOVERED,
	};
	const struct visit visit = {.absence = absence,
		.sequence = row->sequence,
		.will_do = makes_lawful,
		.context = &judging};
	visit_covering(&visit, row->table, row->class);
	return judging.verdict;
}

bool absence_is_between(const struct absence *absence, uint64_t first, uint64_t last)
{
	return times_before(absence, first) != times_before(absence, last);
}

struct going {
	uint64_t sequence; /* of the entry behind it */
	uint64_t went;
};

static bool goes_later(void *context, const struct absence_range *range)
{
	struct going *going = context;
	if (range->entry >= going->went)
		going->went = range->entry + 1;
	return range->entry > going->sequence;
}

uint64_t absence_gone_before(
	const struct absence *absence, const struct absence_row *row, uint64_t sequence)
{
	struct going going = {.sequence = sequence};
	const struct visit visit = {.absence = absence,
		.sequence = row->sequence,
		.will_do = goes_later,
		.context = &going};
	return visit_covering(&visit, row->table, row->class) ? 0 : going.went;
}

const char *absence_is_honest(
	uint64_t sequence, uint64_t batch_ms, const Dienstweg__Decision *decision)
{
	if (decision->n_erased == 0)
		return "it names nothing that was erased";
	for (size_t i = 0; i < decision->n_erased; i++) {
		const Dienstweg__ErasedRange *range = decision->erased[i];
		if (range->first > range->last || range->last >= sequence)
			return "it names entries that were not there yet";
		uint64_t room = range->last - range->first + 1;
		if (range->erased == 0 || range->erased > room)
			return "it says that more was erased than there is in its range";
		if (decision->n_instructions > 0 && range->erased != room)
			return "it names an instruction, and its range reaches over what stays";
		if (decision->n_instructions == 0 && range->erase_day >= clock_day(batch_ms))
			return "it destroyed a key before its day was over, and names no "
			       "instruction";
	}
	return NULL;
}
