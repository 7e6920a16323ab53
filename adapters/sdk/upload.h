/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/adapter.h"
#include "adapters/sdk/client.h"
#include "adapters/sdk/spool.h"

/*
 * Attachments out: the broker says which it misses (it puts the message off), and how much of each it has. So
 * nothing about an upload has to be remembered here; after a crash or a lost session it goes on where the
 * broker's file ends. One at a time, within the broker's window.
 */
struct upload;

struct upload_options {
	struct spool *spool;
	const struct clock *clock;
	void (*arrived)(void *context, const uint8_t digest[HASH_SIZE]); /* the broker has one */
	void (*progress)(void *context, const struct dw_progress *progress); /* may be NULL */
	void *context;
};

/**
 * upload_new() - with nothing to do
 * @options: copied
 * @ret:     the uploader
 * Return: 0 or -ENOMEM.
 */
int upload_new(const struct upload_options *options, struct upload **ret);
void upload_free(struct upload *upload); /* takes NULL */
DEFINE_CLEANUP(struct upload *, upload_free);

/**
 * upload_want() - a message waits for this one
 * @upload: the uploader; when it has too much to do, the message's next deferral asks again
 * @party:  the message's sender
 * @digest: in the spool
 * @size:   of the ciphertext
 */
void upload_want(
	struct upload *upload, struct bytes party, const uint8_t digest[HASH_SIZE], uint64_t size);

/**
 * upload_flush() - send what the window lets through
 * @upload: the uploader
 * @client: any state
 * Return: 0 or negative errno.
 */
int upload_flush(struct upload *upload, struct client *client);

/**
 * upload_stored() - the broker's answer
 * @upload: the uploader
 * @frame:  untrusted
 */
void upload_stored(struct upload *upload, const Dienstweg__BlobStored *frame);
void upload_restart(struct upload *upload); /* a new session, or none: what is there is asked anew */
int upload_timeout_ms(const struct upload *upload); /* -1: not by time */

struct upload_counts {
	uint64_t waiting;     /* attachments */
	uint64_t done, total; /* bytes of the one under way */
	uint64_t uploaded;    /* attachments, since the start */
};
/* Figures of this moment. */
void upload_counts(const struct upload *upload, struct upload_counts *ret);
