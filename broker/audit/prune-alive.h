/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/reader.h"

/* An entry that somebody still needs. */
struct prune_alive {
	uint64_t sequence;
	const char *why; /* the rest of the sentence that begins with it */
};

/**
 * prune_alive_find() - does anything below a number still live?
 * @reader: begun, of a journal whose broker is stopped
 * @before: entries below it are asked for
 * @ret:    what was found
 * Return: 0: nothing does, PRUNE_ALIVE, negative errno (-EBADMSG when a row is damaged).
 */
enum { PRUNE_ALIVE = 1 };
int prune_alive_find(struct journal_reader *reader, uint64_t before, struct prune_alive *ret);
