/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/journal/reader.h"

/*
 * For audits: does the table `seal` lead to every row that is sealed? A run of erasure looks where that table says. A
 * row to which it does not lead would outlive its day, and nothing else would tell. The table is small and says
 * nothing about people; a false row in it is as bad as a record that was never erased. One thread.
 */
struct seal_check;

enum { SEAL_CHECK_WRONG = 1 };

/**
 * seal_check_new() - beside a reader
 * @reader: outlives it
 * @ret:    not begun
 * Return: 0 or -ENOMEM.
 */
int seal_check_new(struct journal_reader *reader, struct seal_check **ret);
void seal_check_free(struct seal_check *check); /* takes NULL */
DEFINE_CLEANUP(struct seal_check *, seal_check_free);

/**
 * seal_check_begin() - the reader has begun anew
 * @check: of that reader
 * Return: 0 or negative errno.
 */
int seal_check_begin(struct seal_check *check);

/**
 * seal_check_entry() - the rows of an entry, as far as they are there
 * @check:      begun; entries in ascending order cost least
 * @sequence:   of the entry
 * @class:      of its stub
 * @ret_table:  of the row that is wrong: ERASED_RECORD, ERASED_CONTENT
 * @ret_why:    the end of a sentence about it
 * Return: 0, SEAL_CHECK_WRONG, negative errno.
 */
int seal_check_entry(struct seal_check *check, uint64_t sequence, uint8_t class, uint8_t *ret_table,
	const char **ret_why);

/**
 * seal_check_rows_left() - has an entry whose stub is gone a record or content all the same?
 * @check:    begun
 * @sequence: of the entry
 * @ret:      the answer
 * Return: 0 or negative errno.
 */
int seal_check_rows_left(struct seal_check *check, uint64_t sequence, bool *ret);

/**
 * seal_check_table() - can its own rows be?
 * @check:    begun
 * @size:     entries of the journal
 * @ret_from: entry from which the first row that cannot be counts, or 0
 * @ret_why:  the end of a sentence about it
 * Return: 0, SEAL_CHECK_WRONG, negative errno.
 */
int seal_check_table(
	struct seal_check *check, uint64_t size, uint64_t *ret_from, const char **ret_why);
