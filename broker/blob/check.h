/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/envelope.pb-c.h"

enum {
	BLOB_CHECK_MISSING = 1,
	BLOB_CHECK_CHANGED = 2, /* another size or digest than its message says */
};

/**
 * blob_check() - is an attachment what its message says? Reads all of it
 * @dir:        of all blobs
 * @party:      the message's sender
 * @sequence:   of the message
 * @index:      of the attachment
 * @attachment: as the header has it
 * Return: 0, BLOB_CHECK_*, negative errno.
 */
int blob_check(const char *dir, struct bytes party, uint64_t sequence, uint32_t index,
	const Dienstweg__Attachment *attachment);
