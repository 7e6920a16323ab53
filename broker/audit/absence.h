/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/journal/reader.h"
#include "broker/routing/rules.h"

/*
 * The auditor's rule (docs/journal.md "What an auditor can conclude"): a row that is not there, or that no key
 * opens, is lawfully gone if an *erased* entry covers it that follows its commit by its class's age, or that
 * names an instruction. What is known of erasures is in the *erased* entries alone; each names the one before.
 */
enum absence_verdict {
	ABSENCE_UNCOVERED = 1, /* no entry says that it was erased */
	ABSENCE_EARLY = 2,     /* one does, and it was too early for that */
};

enum { ABSENCE_TABLES = 3, ABSENCE_CLASSES = 17 }; /* indexes from 1 */

/* One range of one entry. */
struct absence_range {
	uint8_t table, class; /* ERASED_RECORD, ERASED_CONTENT */
	bool instructed;
	uint32_t erase_day; /* of the key */
	uint64_t entry;     /* that names it, and when that was committed */
	uint64_t batch_ms;
	uint64_t first, last;
	uint64_t erased; /* how many rows it says are gone */
	uint64_t reach;  /* settled: the largest `last` in its part of the tree */
};

/* A time that is certain: entries behind this one are not older. */
struct absence_time {
	uint64_t sequence;
	uint64_t batch_ms;
};

struct absence {
	struct absence_range *ranges; /* settled: by table, class and first entry */
	size_t count, room;
	size_t groups[ABSENCE_TABLES * ABSENCE_CLASSES + 1]; /* settled: where each table and class begins */
	struct absence_time *times; /* of the erased entries, in their order */
	size_t times_count, times_room;
	uint64_t newest; /* one more than the sequence of the newest entry known; 0: none */
};

/* A row, first chunk and all. */
struct absence_row {
	uint64_t sequence;
	uint8_t table, class;
};

/* What is judged. */
struct absence_case {
	uint8_t table, class;
	uint64_t sequence;
	uint32_t age_days;      /* of the class, in the registry in force at the entry */
	uint64_t not_before_ms; /* it was committed then or later; 0: not known */
};

/**
 * absence_add() - take an *erased* entry's word; absence_settle() when it was the last
 * @absence:  zeroed at first
 * @sequence: of the entry
 * @batch_ms: of the entry
 * @decision: what it says
 * Return: 0 or -ENOMEM.
 */
int absence_add(struct absence *absence, uint64_t sequence, uint64_t batch_ms,
	const Dienstweg__Decision *decision);
/* All were added: make ready to judge. */
void absence_settle(struct absence *absence);
void absence_deinit(struct absence *absence);
DEFINE_CLEANUP_PTR(struct absence, absence_deinit);

/**
 * absence_load() - take the word of every *erased* entry that is not known yet
 * @absence: zeroed at first
 * @reader:  begun
 * @arena:   scratch, reset
 * @ret_bad: one more than the sequence of an entry that should be one and is not; 0: all are
 * Return: 0 or negative errno.
 */
int absence_load(struct absence *absence, struct journal_reader *reader, struct arena *arena,
	uint64_t *ret_bad);

/**
 * absence_judge() - is it lawful that a row is gone?
 * @absence: loaded, or settled, out of the snapshot in which it is gone
 * @row:     which
 * Return: 0, ABSENCE_UNCOVERED, ABSENCE_EARLY.
 */
int absence_judge(const struct absence *absence, const struct absence_case *row);

/* Is there an *erased* entry behind the first and before the second? So it is with few messages and their end. */
bool absence_is_between(const struct absence *absence, uint64_t first, uint64_t last);

/**
 * absence_gone_before() - a row that is gone: was it gone when an entry behind it was written?
 * @absence:  loaded out of the snapshot in which it is gone
 * @row:      which
 * @sequence: of the entry
 *
 * What a recipient took then had to be there: who still waits for a message keeps it from being erased.
 *
 * Return: one more than the *erased* entry that it went with; 0: it was there, as far as entries tell.
 */
uint64_t absence_gone_before(
	const struct absence *absence, const struct absence_row *row, uint64_t sequence);

/**
 * absence_is_honest() - does an *erased* entry say what can be?
 * @sequence: of the entry
 * @batch_ms: of the entry
 * @decision: what it says
 * Return: NULL, or what is wrong with it.
 */
const char *absence_is_honest(
	uint64_t sequence, uint64_t batch_ms, const Dienstweg__Decision *decision);
