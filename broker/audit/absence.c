/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * When an erased entry was committed cannot be read any more. But the entries around it that stay have times,
 * and times never run backwards: it is not older than the last one before it. A judgement that rests on this
 * may overlook that something went a few hours early; it never accuses anybody wrongly.
 */
#include "broker/audit/absence.h"

#include <errno.h>
#include <stdlib.h>

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

static int add_range(struct absence *absence, const struct absence_range *range, uint64_t erased)
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
	absence->erased[range->table][range->class] += erased;
	return 0;
}

int absence_add(struct absence *absence, uint64_t sequence, uint64_t batch_ms,
	const Dienstweg__Decision *decision)
{
	void *times = absence->times;
	int r = grow(&times, absence->times_count, &absence->times_room, sizeof(*absence->times));
	absence->times = times;
	if (r)
		return r;
	absence->times[absence->times_count++] = (struct absence_time){sequence, batch_ms};
	for (size_t i = 0; r == 0 && i < decision->n_erased; i++) {
		const Dienstweg__ErasedRange *given = decision->erased[i];
		struct absence_range range = {
			.table = given->table > UINT8_MAX ? 0 : (uint8_t)given->table,
			.class = given->class_ > UINT8_MAX ? UINT8_MAX : (uint8_t)given->class_,
			.instructed = decision->n_instructions > 0,
			.erase_day = given->erase_day,
			.erased_day = clock_day(batch_ms),
			.first = given->first,
			.last = given->last < sequence ? given->last : sequence,
		};
		r = add_range(absence, &range, given->erased);
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
	uint64_t ms = row->not_before_ms;
	for (size_t i = 0; i < absence->times_count; i++)
		if (absence->times[i].sequence < row->sequence && absence->times[i].batch_ms > ms)
			ms = absence->times[i].batch_ms;
	return ms;
}

int absence_judge(const struct absence *absence, const struct absence_case *row)
{
	int verdict = ABSENCE_UNCOVERED;
	for (size_t i = 0; i < absence->count; i++) {
		const struct absence_range *range = &absence->ranges[i];
		if (range->table != row->table || range->class != row->class ||
			row->sequence < range->first || row->sequence > range->last)
			continue;
		if (range->instructed)
			return 0;
		uint32_t due = clock_day(not_before(absence, row)) + row->age_days;
		if (range->erase_day >= due && range->erased_day > range->erase_day)
			return 0;
		verdict = ABSENCE_EARLY;
	}
	return verdict;
}

uint64_t absence_count_more(const struct absence *absence, const struct absence_tally *tally,
	uint8_t *ret_table, uint8_t *ret_class)
{
	for (uint8_t table = ERASED_RECORD; table <= ERASED_CONTENT; table++)
		for (uint8_t class = 0; class < ABSENCE_CLASSES; class ++) {
			uint64_t gone = tally->rows[table][class];
			if (gone <= absence->erased[table][class])
				continue;
			*ret_table = table;
			*ret_class = class;
			return gone - absence->erased[table][class];
		}
	return 0;
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
		if (range->erased == 0 || range->erased > range->last - range->first + 1)
			return "it says that more was erased than there is in its range";
		if (decision->n_instructions == 0 && range->erase_day >= clock_day(batch_ms))
			return "it destroyed a key before its day was over, and names no "
			       "instruction";
	}
	return NULL;
}
