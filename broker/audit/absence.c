/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * When an erased entry was committed cannot be read any more. But the entries around it that stay have times,
 * and times never run backwards: it is not older than the last one before it. A judgement that rests on this
 * may overlook that something went a few hours early; it never accuses anybody wrongly.
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

static bool covers(
	const struct absence_range *range, uint8_t table, uint8_t class, uint64_t sequence)
{
	return range->table == table && range->class == class && sequence >= range->first &&
	       sequence <= range->last;
}

int absence_judge(const struct absence *absence, const struct absence_case *row)
{
	int verdict = ABSENCE_UNCOVERED;
	for (size_t i = 0; i < absence->count; i++) {
		const struct absence_range *range = &absence->ranges[i];
		if (!covers(range, row->table, row->class, row->sequence))
			continue;
		if (range->instructed)
			return 0;
		uint32_t due = clock_day(not_before(absence, row)) + row->age_days;
		if (range->erase_day >= due && clock_day(range->batch_ms) > range->erase_day)
			return 0;
		verdict = ABSENCE_EARLY;
	}
	return verdict;
}

bool absence_is_between(const struct absence *absence, uint64_t first, uint64_t last)
{
	return times_before(absence, first) != times_before(absence, last);
}

uint64_t absence_gone_before(
	const struct absence *absence, const struct absence_row *row, uint64_t sequence)
{
	uint64_t went = 0;
	for (size_t i = 0; i < absence->count; i++) {
		const struct absence_range *range = &absence->ranges[i];
		if (!covers(range, row->table, row->class, row->sequence))
			continue;
		if (range->entry > sequence)
			return 0;
		went = range->entry + 1;
	}
	return went;
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
