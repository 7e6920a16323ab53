/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/audit/open.h"
#include "broker/audit/report.h"
#include "proto/base/db.h"

/*
 * Which entries belong to which case: a database beside the journal, made from it by whoever asks, and
 * thrown away without loss. It holds case ids, sequences and times, no names; records are sealed, so it
 * takes the keyring to make it. Several tools may use it at once.
 */
enum { CASE_ID_SIZE = 16 };

struct case_index;

/**
 * case_index_open() - open or create it
 * @dir:    folder; made when absent, for this account alone
 * @ret:    the index; case_index_free()
 * @reterr: a sentence with path and remedy
 * @size:   of @reterr
 * Return: 0 or negative errno.
 */
int case_index_open(const char *dir, struct case_index **ret, char *reterr, size_t size);
void case_index_free(struct case_index *index); /* takes NULL */
DEFINE_CLEANUP(struct case_index *, case_index_free);

/**
 * case_index_update() - bring it up to date with the journal
 * @index:  open, nothing begun
 * @audit:  open, with a keyring; its snapshot is renewed
 * @anew:   forget what is in it first; done anyway when it is another journal's
 * @report: gets progress, and a finding for each entry that cannot be read
 * Return: 0 or negative errno.
 */
int case_index_update(
	struct case_index *index, struct audit *audit, bool anew, struct audit_report *report);

/* What is known of a case without opening a record. */
struct case_summary {
	uint8_t id[CASE_ID_SIZE];
	uint64_t first, last; /* entries */
	uint64_t entries;
	uint64_t first_ms, last_ms;
};

/* Look things up between begin and end; both harmless when not needed. 0 or negative errno. */
int case_index_begin(struct case_index *index);
void case_index_end(struct case_index *index);

/**
 * case_index_find() - a case by the beginning of its id
 * @index:  begun
 * @prefix: 1 to CASE_ID_SIZE bytes
 * @ret:    the case
 * Return: 0, DB_NOT_FOUND, DB_EXISTS when several begin so, negative errno.
 */
int case_index_find(struct case_index *index, struct bytes prefix, struct case_summary *ret);

/**
 * case_index_next_entry() - walk the entries of a case
 * @index:        begun
 * @id:           of the case
 * @from:         first sequence wanted
 * @ret_sequence: of the entry
 * Return: 0, DB_NOT_FOUND at the end, negative errno.
 */
int case_index_next_entry(struct case_index *index, const uint8_t id[CASE_ID_SIZE], uint64_t from,
	uint64_t *ret_sequence);

/**
 * case_index_recent() - walk the cases, the one with the newest entry first
 * @index: begun
 * @after: NULL, or the case before
 * @ret:   the case
 * Return: 0, DB_NOT_FOUND at the end, negative errno.
 */
int case_index_recent(
	struct case_index *index, const struct case_summary *after, struct case_summary *ret);

/**
 * case_index_of_message() - the case of an accepted message
 * @index:    begun
 * @sequence: of the message
 * @ret:      its case id
 * Return: 0, DB_NOT_FOUND, negative errno.
 */
int case_index_of_message(struct case_index *index, uint64_t sequence, uint8_t ret[CASE_ID_SIZE]);
