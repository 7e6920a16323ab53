/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/journal/reader.h"

/* What a run of erasure would do now, without doing it: for tools. One thread. */
enum { ERASE_CLASSES = 17 /* 0 to 16 */ };

/* Entries' rows of one class and day in one table, by what would become of them. */
struct erase_survey_line {
	uint8_t table, class; /* ERASED_RECORD, ERASED_CONTENT */
	uint32_t erase_day;
	uint64_t erased;
	uint64_t waiting; /* not delivered, or its outcome not confirmed */
	uint64_t held;    /* under legal hold */
	uint64_t open;    /* content of a case in which a message is under way */
};

struct erase_survey {
	struct erase_survey_line *lines;
	size_t count, room;
};
void erase_survey_deinit(struct erase_survey *survey); /* harmless when empty */
DEFINE_CLEANUP_PTR(struct erase_survey, erase_survey_deinit);

/**
 * erase_survey_due() - what is due by age
 * @reader:      not begun; sees the journal in short snapshots
 * @today:       day number
 * @record_days: of each class, out of the registry in force
 * @ret:         lines in the order of table, class, day
 * Return: 0, READER_DAMAGED, negative errno.
 */
int erase_survey_due(struct journal_reader *reader, uint32_t today,
	const uint32_t record_days[ERASE_CLASSES], struct erase_survey *ret);
