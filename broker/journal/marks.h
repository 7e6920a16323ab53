/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "broker/journal/reader.h"

/*
 * For audits: what the broker notes for itself beside the entries, in `meta` and `instructed` (docs/journal.md
 * "Tables"). It decides where erasure looks, what is confirmed, and when a quorum is noted. The reader has begun.
 */

/* What is kept of the newest checkpoint with a quorum. */
struct journal_cosigned_mark {
	uint64_t size;
	uint64_t window_ms; /* batch time at which its minute began */
	uint64_t witnessed; /* one more than the last entry *witnessed*; 0: none */
};

/* 0, READER_NOT_FOUND before the first, READER_DAMAGED, negative errno. */
int journal_read_cosigned_mark(struct journal_reader *reader, struct journal_cosigned_mark *ret);

/* The week whose instructions were carried out. 0, READER_NOT_FOUND, READER_DAMAGED, negative errno. */
int journal_read_erase_week(struct journal_reader *reader, uint32_t *ret);

/**
 * journal_read_next_confirmed() - walk the senders that have confirmed outcomes
 * @reader:       begun
 * @party:        the first number that is wanted
 * @ret_party:    number found
 * @ret_sequence: entry up to which it has confirmed
 * Return: 0, READER_NOT_FOUND at the end, READER_DAMAGED, negative errno.
 */
int journal_read_next_confirmed(
	struct journal_reader *reader, uint32_t party, uint32_t *ret_party, uint64_t *ret_sequence);

/**
 * journal_read_next_instructed() - walk the entries that are to be erased early
 * @reader:       begun
 * @from:         the first that is wanted
 * @ret_sequence: of the entry found; set also for READER_DAMAGED, where there is a number
 * Return: 0, READER_NOT_FOUND at the end, READER_DAMAGED, negative errno.
 */
int journal_read_next_instructed(
	struct journal_reader *reader, uint64_t from, uint64_t *ret_sequence);
