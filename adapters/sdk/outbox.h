/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/rows.h"
#include "adapters/sdk/store.h"
#include "proto/base/arena.h"

/*
 * The rows of messages that wait for their receipt, oldest first. Everything happens within the store's
 * turn; the counts follow at once, so after a failed commit the process has to end.
 */
struct outbox {
	struct store *store;
	uint64_t next;  /* number of the next message, from 1; never used twice */
	uint64_t count; /* messages in it */
	uint64_t bytes; /* their headers and contents */
};

/**
 * outbox_open() - count what waits
 * @outbox: to set up
 * @store:  borrowed
 * Return: 0 or negative errno.
 */
int outbox_open(struct outbox *outbox, struct store *store);
uint64_t outbox_number(struct outbox *outbox); /* the number of a new message */

/**
 * outbox_put_large() - store content and body of a row that is too large to hold them
 * @outbox: the outbox
 * @number: from outbox_number()
 * @row:    outbox_row_size() has set @chunked; otherwise nothing happens
 * Return: 0 or negative errno.
 */
int outbox_put_large(struct outbox *outbox, uint64_t number, const struct outbox_row *row);

/**
 * outbox_put() - store the row itself, signed by now
 * @outbox: the outbox
 * @number: numbers rise from call to call
 * @row:    complete; content and body that are large were put before
 * Return: 0 or negative errno.
 */
int outbox_put(struct outbox *outbox, uint64_t number, struct outbox_row *row);
int outbox_save(struct outbox *outbox); /* once per turn with new messages; 0 or negative errno */

/**
 * outbox_get() - read a row
 * @outbox: the outbox
 * @number: which
 * @ret:    views until the next write; large content and body only as lengths
 * Return: 0, STORE_NOT_FOUND, negative errno.
 */
int outbox_get(struct outbox *outbox, uint64_t number, struct outbox_row *ret);

/* Make content, or body, of a row complete: pieces are joined in the arena. 0 or negative errno. */
int outbox_load_content(
	struct outbox *outbox, uint64_t number, struct arena *arena, struct outbox_row *row);
int outbox_load_body(
	struct outbox *outbox, uint64_t number, struct arena *arena, struct outbox_row *row);

/**
 * outbox_remove() - it has its answer
 * @outbox: the outbox
 * @number: which
 * @row:    as outbox_get() gave it (lengths suffice)
 * Return: 0 or negative errno.
 */
int outbox_remove(struct outbox *outbox, uint64_t number, const struct outbox_row *row);

/* As outbox_remove(), but large content stays in its chunks. */
int outbox_take(struct outbox *outbox, uint64_t number, const struct outbox_row *row);

/**
 * outbox_restore() - put a row back that was taken
 * @outbox: the outbox
 * @number: as before
 * @row:    complete; large content is in its chunks
 * Return: 0 or negative errno.
 */
int outbox_restore(struct outbox *outbox, uint64_t number, struct outbox_row *row);

/**
 * outbox_replace() - sealed anew
 * @outbox: the outbox
 * @number: which
 * @old:    as outbox_get() gave it
 * @row:    complete, same ids
 * Return: 0 or negative errno.
 */
int outbox_replace(struct outbox *outbox, uint64_t number, const struct outbox_row *old,
	struct outbox_row *row);

/**
 * outbox_scan() - go through rows in order
 * @outbox:  the outbox
 * @from:    first number
 * @visit:   called with each; non-zero ends the scan
 * @context: for @visit
 * Return: 0 at the end, what @visit gave, negative errno.
 */
int outbox_scan(struct outbox *outbox, uint64_t from,
	int (*visit)(void *context, uint64_t number, const struct outbox_row *row), void *context);

/**
 * outbox_oldest_ms() - since when the oldest message waits
 * @outbox: the outbox
 * @ret:    the time in its message id
 * Return: 0, STORE_NOT_FOUND when nothing waits, negative errno.
 */
int outbox_oldest_ms(struct outbox *outbox, uint64_t *ret);
