/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/index.h"

/*
 * Cases by what happened last, newest first. Case ids stand in sealed records and nowhere else, so this opens
 * them, from the end of the journal backwards; it is as quick as few entries are looked at.
 */
struct case_recent {
	struct audit *audit; /* refreshed; with a keyring */
	/* inside; zeroed at first */
	bool begun;
	uint64_t next;  /* one more than the entry to be looked at */
	uint64_t first; /* entries below are archived */
	struct arena *arena, *scratch;
	void *seen;                     /* cases told */
	uint8_t (*found)[CASE_ID_SIZE]; /* of the entry at hand, not told yet */
	size_t count, room;
};

/**
 * case_recent_next() - the case with the next newest entry
 * @recent: audit set; case_recent_deinit()
 * @ret:    its id
 * Return: 0, DB_NOT_FOUND at the beginning of the journal, negative errno.
 */
int case_recent_next(struct case_recent *recent, uint8_t ret[CASE_ID_SIZE]);
void case_recent_deinit(struct case_recent *recent);
DEFINE_CLEANUP_PTR(struct case_recent, case_recent_deinit);

/**
 * case_find() - the case whose id begins so
 * @audit:  refreshed; with a keyring
 * @prefix: 1 to CASE_ID_SIZE bytes; of a whole id nothing needs to be looked for
 * @ret:    its id
 * Return: 0, DB_NOT_FOUND, DB_EXISTS when several begin so, negative errno.
 */
int case_find(struct audit *audit, struct bytes prefix, uint8_t ret[CASE_ID_SIZE]);

/* What is known of a case. */
struct case_summary {
	uint8_t id[CASE_ID_SIZE];
	uint64_t first, last; /* entries */
	uint64_t entries;
	uint64_t first_ms, last_ms; /* 0: that entry cannot be read */
};

/**
 * case_summarize() - what is known of a case
 * @audit:   refreshed
 * @id:      of the case
 * @entries: of it
 * @ret:     the summary
 * Return: 0, DB_NOT_FOUND when there are no entries, negative errno.
 */
int case_summarize(struct audit *audit, const uint8_t id[CASE_ID_SIZE],
	const struct case_entries *entries, struct case_summary *ret);
