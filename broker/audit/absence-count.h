/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/absence.h"
#include "broker/audit/report.h"

/*
 * How many rows are gone, and where, against what the *erased* entries say (docs/journal.md "What an auditor can
 * conclude"). A range reaches over survivors and says how many went, not which. So its number has to be the true
 * one: one too large would be a hole into which somebody could drop a survivor years later. Every row that is gone
 * is one that an entry counted, and every one that was counted is gone. One thread; rows in ascending order.
 */

/* Rows that are gone below a sequence. */
struct absence_mark {
	uint8_t table, class;
	uint64_t sequence;
	uint64_t below; /* once the count has come so far */
};

struct absence_count {
	struct absence said; /* what was said when the count began */
	uint64_t from;       /* entries below are not counted */
	uint64_t running_ms; /* of the entries whose rows were being removed then; UINT64_MAX: none were */
	struct absence_mark *marks; /* by table, class and sequence */
	size_t marks_count;
	size_t next[ABSENCE_TABLES][ABSENCE_CLASSES]; /* mark that the count has not come to */
	uint64_t gone[ABSENCE_TABLES][ABSENCE_CLASSES];
	uint64_t unread; /* entries of which it cannot be told what is gone */
};

/**
 * absence_count_begin() - before the first row is looked at
 * @count:  zeroed
 * @reader: begun; rows are looked at in this snapshot or later ones
 * @arena:  scratch, reset
 * @from:   entries below are not looked at
 * Return: 0 or negative errno.
 */
int absence_count_begin(struct absence_count *count, struct journal_reader *reader,
	struct arena *arena, uint64_t from);
void absence_count_deinit(struct absence_count *count);
DEFINE_CLEANUP_PTR(struct absence_count, absence_count_deinit);

/**
 * absence_count_row() - a row is gone, lawfully or not
 * @count: begun
 * @row:   above all of its table and class counted before; passed over when it lies below what is looked at
 */
void absence_count_row(struct absence_count *count, const struct absence_row *row);

/**
 * absence_count_judge() - after the last one: do the numbers agree?
 * @count:  all rows are counted
 * @reader: begun, in the snapshot of the last row or a later one
 * @arena:  scratch, reset
 * @report: gets what does not
 * Return: 0 or negative errno.
 */
int absence_count_judge(struct absence_count *count, struct journal_reader *reader,
	struct arena *arena, struct audit_report *report);
