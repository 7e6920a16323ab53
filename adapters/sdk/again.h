/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/outbox.h"
#include "conf/config.h"
#include "proto/base/clock.h"

/*
 * What has a receipt and might have to be sent again: should the bus lose its journal and go on from an older copy
 * (trust.h, crossing), every message that the copy may lack goes back into the outbox, byte for byte. A message is
 * kept for `outbox.again` after its receipt, and longer while no outcome of it has come; beyond `outbox.again_bytes`,
 * or a quarter of the store, or `attachments.bytes` of attachments, the oldest go first. Kept is what was sent: header,
 * signature, content and sealed attachments, not what any of it was sealed from.
 * All within the store's turn; one thread.
 */
struct spool;

struct again {
	struct store *store;
	struct outbox *outbox;
	struct spool *spool;
	const struct clock *clock;
	uint64_t keep_ms;
	uint64_t bytes_max; /* 0: nothing is kept */
	uint64_t bytes;     /* of what is kept */
	bool changed;       /* `bytes` is to be saved */

	/* A log that lost entries was followed: what is going back into the outbox. */
	bool active;
	uint64_t linked;    /* entries from this one on may be missing */
	uint64_t next, end; /* numbers still to be looked at */
	uint64_t returned;  /* messages, since then */

	uint64_t tidy_from; /* number */
	uint64_t told_ns;   /* that there is no room; 0: never */
	uint64_t tidied_ns; /* when all of it was looked at; 0: never */
};

/**
 * again_open() - count what is kept, go on where it was interrupted
 * @again:  to set up
 * @config: outbox.again, outbox.again_bytes
 * @outbox: open; its store, too
 * @spool:  open; has what is attached
 * @clock:  borrowed
 * Return: 0 or negative errno.
 */
int again_open(struct again *again, const struct config_adapter *config, struct outbox *outbox,
	struct spool *spool, const struct clock *clock);

/**
 * again_scan() - go through what is kept
 * @store:   open
 * @visit:   called with each; non-zero ends the scan
 * @context: for @visit
 * Return: 0 at the end, what @visit gave, negative errno.
 */
int again_scan(struct store *store,
	int (*visit)(void *context, uint64_t number, const struct outbox_row *row), void *context);

/**
 * again_keep() - a message of the outbox has its receipt: it leaves that one with all that is attached, and is kept here
 * @again:    open
 * @number:   of the message
 * @row:      as outbox_get() gave it, with copies of header, core and content; large content as its length
 * @sequence: of its entry
 * Return: 0 or negative errno.
 */
int again_keep(
	struct again *again, uint64_t number, const struct outbox_row *row, uint64_t sequence);

/**
 * again_cross() - the log lost entries: what may be missing goes back into the outbox, with the turns that follow
 * @again:  open
 * @linked: entries below this number are there for certain
 * Return: 0 or negative errno.
 */
int again_cross(struct again *again, uint64_t linked);

/**
 * again_step() - put some back, in their old order
 * @again: active
 * @max:   at most so many
 * Return: 0 or negative errno.
 */
int again_step(struct again *again, size_t max);

/* Messages of the outbox from this number on have to wait, for older ones are on their way into it. */
uint64_t again_limit(const struct again *again);
int again_tidy(
	struct again *again); /* forget what is not needed any more, a slice of it; 0 or negative errno */
int again_save(struct again *again); /* once per turn, before its commit; 0 or negative errno */
