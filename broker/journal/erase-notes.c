/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What an auditor has to know of an absence: which rows, under a key of which day, on whose word. The entry is
 * permanent and names ranges, never a case and never a person. Each names the one before, so that all of them
 * are found without reading the journal through, and none can be left out.
 */
#include "broker/journal/erase.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/journal/writer.h"

#define ERASED_KEY BYTES_STR("erased")

/* ---- ranges ---- */

static bool is_same(const struct erase_range *range, const struct erase_row *row)
{
	return range->table == row->table && range->class == row->class &&
	       range->label == row->label;
}

/*
 * Rows come run by run, so the range wanted is nearly always the last. On instruction no age makes an absence
 * lawful, so a range has to name each entry: it goes on only with the very next one.
 */
static struct erase_range *range_of(struct erase *erase, const struct erase_row *row)
{
	bool exact = erase->plan.by_instruction;
	for (size_t i = erase->ranges_count; i > 0; i--) {
		struct erase_range *range = &erase->ranges[i - 1];
		if (is_same(range, row) && (!exact || range->last + 1 == row->sequence))
			return range;
		if (exact)
			break;
	}
	return NULL;
}

int erase_note_range(struct erase *erase, const struct erase_row *row)
{
	struct erase_range *range = range_of(erase, row);
	if (range) {
		range->last = row->sequence;
		range->erased++;
		return 0;
	}
	if (erase->ranges_count == erase->ranges_room) {
		size_t room = erase->ranges_room ? erase->ranges_room * 2 : 64;
		struct erase_range *more = reallocarray(erase->ranges, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		erase->ranges = more;
		erase->ranges_room = room;
	}
	erase->ranges[erase->ranges_count++] = (struct erase_range){
		.table = row->table,
		.class = row->class,
		.label = row->label,
		.first = row->sequence,
		.last = row->sequence,
		.erased = 1,
	};
	return 0;
}

/* ---- the entry ---- */

static ProtobufCBinaryData pb_bytes(const void *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

static int previous_get(const struct journal *journal, uint64_t *ret)
{
	struct bytes value;
	*ret = 0;
	int r = db_get(journal->log.txn, journal->tables.meta, ERASED_KEY, &value);
	if (r)
		return r == DB_NOT_FOUND ? 0 : r;
	if (value.len != 8)
		return -EBADMSG;
	*ret = be64_get(value.data) + 1;
	return 0;
}

static int previous_put(const struct journal *journal, uint64_t sequence)
{
	uint8_t buf[8];
	be64_put(buf, sequence);
	return journal_put_error(
		db_put(journal->log.txn, journal->tables.meta, ERASED_KEY, BYTES(buf, sizeof(buf))));
}

static void range_fill(const struct erase_range *range, Dienstweg__ErasedRange *ret)
{
	dienstweg__erased_range__init(ret);
	ret->table = range->table;
	ret->class_ = range->class;
	ret->erase_day = label_day(range->label);
	ret->first = range->first;
	ret->last = range->last;
	ret->erased = range->erased;
}

static int note(struct journal *journal, struct batch *batch, const struct erase_range *ranges,
	size_t count)
{
	const struct erase_plan *plan = &journal->erase.plan;
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	Dienstweg__ErasedRange filled[ERASE_RANGES_MAX], *pointers[ERASE_RANGES_MAX];
	ProtobufCBinaryData instructions[ERASE_INSTRUCTIONS_MAX];
	struct entry entry = {.kind = DIENSTWEG__ENTRY_KIND__ENTRY_ERASED, .decision = &decision};
	uint64_t sequence = journal->log.sequence;
	for (size_t i = 0; i < count; i++) {
		range_fill(&ranges[i], &filled[i]);
		pointers[i] = &filled[i];
	}
	for (size_t i = 0; i < plan->instructions_count; i++)
		instructions[i] = pb_bytes(plan->instructions[i], HASH_SIZE);
	decision.rules_version = RULES_VERSION;
	decision.erased = pointers;
	decision.n_erased = count;
	decision.instructions = instructions;
	decision.n_instructions = plan->instructions_count;
	decision.account = plan->account;
	decision.cause = pb_bytes(plan->cause, strlen(plan->cause));
	decision.complete_day = clock_day(journal->log.batch_ms) + KEYRING_COPY_DAYS;
	int r = previous_get(journal, &decision.previous_erased);
	if (r == 0)
		r = batch_append(journal, batch, &entry, NULL);
	return r ? r : previous_put(journal, sequence);
}

int erase_notes(struct journal *journal, struct batch *batch)
{
	const struct erase *erase = &journal->erase;
	int r = 0;
	for (size_t at = 0; r == 0 && at < erase->ranges_count; at += ERASE_RANGES_MAX) {
		size_t left = erase->ranges_count - at;
		r = note(journal, batch, erase->ranges + at,
			left < ERASE_RANGES_MAX ? left : ERASE_RANGES_MAX);
	}
	return r;
}
