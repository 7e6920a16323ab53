/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/adapter.h"
#include "adapters/sdk/spool.h"
#include "proto/sealing/attachment.h"

/*
 * Files become ciphertext in the spool, some MiB per turn, so that neither heartbeats nor other messages
 * wait for a gigabyte. One message's attachments at a time; nothing of it is durable before its message is
 * in the outbox: a crash begins anew.
 */
struct sealer;

/* What came of it: for header and content. */
struct sealed_attachment {
	struct attachment_key key; /* views into the sealer, until sealer_done() */
	uint8_t digest[HASH_SIZE];
	uint64_t size; /* of the ciphertext */
};

/**
 * sealer_new() - with nothing to do
 * @spool:    borrowed
 * @progress: told after each step; may be NULL
 * @context:  for @progress
 * @ret:      the sealer
 * Return: 0 or -ENOMEM.
 */
int sealer_new(struct spool *spool,
	void (*progress)(void *context, const struct dw_progress *progress), void *context,
	struct sealer **ret);
void sealer_free(struct sealer *sealer); /* takes NULL */
DEFINE_CLEANUP(struct sealer *, sealer_free);

/**
 * sealer_take() - the sealed attachments of a message, or begin to seal them
 * @sealer:  the sealer
 * @message: with attachments; asked for again and again until it is there
 * @ret:     as many as the message has
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: 0, DW_SEALING, DW_FULL (another message's turn, or no room), DW_INVALID, negative errno.
 */
int sealer_take(struct sealer *sealer, const struct dw_message *message,
	const struct sealed_attachment **ret, char *reterr, size_t size);

/**
 * sealer_done() - the message was submitted, or will not be
 * @sealer: the sealer
 * @keep:   it is in the outbox, which names the files from now on
 */
void sealer_done(struct sealer *sealer, bool keep);

int sealer_step(struct sealer *sealer);           /* a bit more; 0 or negative errno */
bool sealer_is_busy(const struct sealer *sealer); /* is there more to do at once? */
