/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What came in of a message, in bytes. */
struct itemise_message {
	size_t header, content;
};

/**
 * itemise_print() - what the journal holds for a message, table by table, its acknowledgement included
 * @dir:     a journal; the broker may run
 * @message: all messages in it had these sizes
 * @json:    one object instead of a table
 *
 * Bytes of rows are keys and values; bytes on disk are whole pages, with what is left free in them.
 */
void itemise_print(const char *dir, const struct itemise_message *message, bool json);
