/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/adapter.h"
#include "adapters/sdk/client.h"
#include "adapters/sdk/spool.h"
#include "proto/sealing/attachment.h"

/*
 * Attachments in: a delivery that has some waits here until they are fetched, opened and checked, and so do
 * later ones of its case. Memory holds the deliveries (credit bounds them) and no attachment. What was
 * fetched stays as a file, so a crash or a lost session costs nothing but asking again; the deliveries
 * themselves are forgotten then, because the broker delivers them anew.
 */
enum {
	FETCH_WAITING = 1, /* not yet: inbox takes the same item again when fetch_next() gives it */
	FETCH_BROKEN = 2,  /* what came is not what was sealed */
	FETCH_MISSING = 3, /* the broker does not have it */
};

struct fetch;

struct fetch_options {
	struct spool *spool;
	const struct clock *clock;
	const char *const *parties; /* names, by index */
	uint64_t bytes_max;
	void (*progress)(void *context, const struct dw_progress *progress); /* may be NULL */
	void *context;
};

/**
 * fetch_new() - with nothing to do
 * @options: copied
 * @ret:     the fetcher
 * Return: 0 or -ENOMEM.
 */
int fetch_new(const struct fetch_options *options, struct fetch **ret);
void fetch_free(struct fetch *fetch); /* takes NULL */
DEFINE_CLEANUP(struct fetch *, fetch_free);

/* A delivery that has passed all checks. */
struct fetch_want {
	const Dienstweg__Item *item;
	size_t party;
	const Dienstweg__Header *header;
	const struct attachment_key *keys; /* one for each of the header's attachments */
};

/**
 * fetch_look() - may it be handed over?
 * @fetch: the fetcher
 * @want:  copied when it has to wait
 * @ret:   room for DW_ATTACHMENTS_MAX; as many as the header has, views until fetch_over()
 * Return: 0 (hand it over, then fetch_over()), FETCH_*, negative errno.
 */
int fetch_look(struct fetch *fetch, const struct fetch_want *want, struct dw_arrived *ret);

/**
 * fetch_over() - it is over with this delivery
 * @fetch:    the fetcher
 * @party:    its recipient
 * @sequence: of the message
 * @keep:     it will be delivered again: what was fetched stays
 */
void fetch_over(struct fetch *fetch, size_t party, uint64_t sequence, bool keep);

/**
 * fetch_next() - a delivery that has waited long enough
 * @fetch: the fetcher
 * Return: the serialized Item, to be given to inbox_take(); a view until fetch_over(); or empty.
 */
struct bytes fetch_next(struct fetch *fetch);

/* Ask for pieces. 0 or negative errno. */
int fetch_flush(struct fetch *fetch, struct client *client);
/* A piece came; @frame is untrusted. */
void fetch_data(struct fetch *fetch, const Dienstweg__BlobData *frame);
void fetch_step(struct fetch *fetch); /* open some of what is there */
void fetch_restart(struct fetch *fetch);
void fetch_sweep(struct fetch *fetch); /* after a commit: files of deliveries that are over go */
bool fetch_is_busy(const struct fetch *fetch);   /* is there more to do at once? */
int fetch_timeout_ms(const struct fetch *fetch); /* -1: not by time */

struct fetch_counts {
	uint64_t waiting;     /* deliveries */
	uint64_t done, total; /* bytes of their attachments */
	uint64_t fetched;     /* attachments, since the start */
};
/* Figures of this moment. */
void fetch_counts(const struct fetch *fetch, struct fetch_counts *ret);
