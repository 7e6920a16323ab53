/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/reader.h"
#include "proto/frame.pb-c.h"

/**
 * letter_of() - the envelope of an accepted message as an item, out of its record
 * @reader:   begun
 * @sequence: of the entry
 * @row:      its record
 * @arena:    owns content and signature; the header is the row's
 * @item:     its envelope and batch_ms are set
 *
 * Header bytes and signature are exactly as they were received, so that the recipient checks what the sender
 * signed.
 *
 * Return: 0, READER_* (erased: the content has gone), negative errno.
 */
int letter_of(struct journal_reader *reader, uint64_t sequence, const Dienstweg__Row *row,
	struct arena *arena, Dienstweg__Item *item);
