/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"
#include "proto/envelope.pb-c.h"
#include "proto/envelope/payload.h"
#include "proto/identity/key.h"

/*
 * Content (design section 6): salt, commitment, optional sealing for seal keys.
 *   commitment = BLAKE2b-256("dienstweg/v1/body\0" || context || salt || body)
 *   wrap key   = BLAKE2b-256("dienstweg/v1/wrap\0" || X25519(ephemeral, recipient) || ephemeral pk ||
 *                recipient pk || context); AAD of wrap and box: context (envelope_context())
 *   padding    = serialized Content || 0x80 || zeros up to the Padme length, at least 256
 */
enum {
	SEALING_NOT_FOR_US = 1, /* no wrap for any of our keys */
	SEALING_BROKEN = 2, /* a wrap or the box does not open, or what is inside is no Content */
	SEALING_COMMITMENT = 3, /* opens, but the body is not what the header commits to */
	SEALING_TOO_LARGE = 4,  /* result would exceed CONTENT_BYTES_MAX */
};

/* One ephemeral key per submitted batch; forget it after the batch. One thread. Its memory is locked and guarded,
   which costs more system calls than sealing: who seals again and again keeps it. */
struct sealing_batch;
int sealing_batch_new(struct sealing_batch **ret);
void sealing_batch_free(struct sealing_batch *batch); /* wipes; takes NULL */
DEFINE_CLEANUP(struct sealing_batch *, sealing_batch_free);

/* The batch is over: wipe its key and all that came of it. The next message is sealed with another one. */
void sealing_batch_forget(struct sealing_batch *batch);
/* Make the next key now, unless it is there: for who has a moment before the next message comes. */
void sealing_batch_prepare(struct sealing_batch *batch);

/* A recipient's seal key. */
struct sealing_recipient {
	uint8_t key_id[KEY_ID_SIZE];
	uint8_t public[BOX_KEY_SIZE];
};

/**
 * sealing_seal() - make the content of an envelope and finish its header
 * @batch:      ephemeral key; NULL when @count is 0 (not sealed)
 * @header:     bus, sender, message_id, case_id, service set; this sets content_length, content_hash,
 *              body_commitment and sealed_recipients
 * @body:       the document
 * @recipients: who may open it, each key once
 * @count:      0 for clear content
 * @arena:      owns the results
 * @ret:        bytes for Envelope.content
 *
 * The header is changed only on 0; its new bytes live in @arena.
 *
 * Return: 0, SEALING_TOO_LARGE, SEALING_BROKEN (a recipient key is no curve point), -ENOMEM.
 */
int sealing_seal(struct sealing_batch *batch, Dienstweg__Header *header, struct bytes body,
	const struct sealing_recipient *recipients, size_t count, struct arena *arena,
	struct bytes *ret);

/* A document with the keys of what is attached to it. */
struct sealing_content {
	struct bytes body;
	struct bytes attachments; /* attachment_keys_encode(), one for each of the header's */
};

/**
 * sealing_seal_content() - sealing_seal() of a document with attachments
 * @batch:      as there
 * @header:     as there; attachments are set
 * @content:    what to seal
 * @recipients: as there
 * @count:      as there
 * @arena:      as there
 * @ret:        as there
 * Return: as there.
 */
int sealing_seal_content(struct sealing_batch *batch, Dienstweg__Header *header,
	const struct sealing_content *content, const struct sealing_recipient *recipients,
	size_t count, struct arena *arena, struct bytes *ret);

/**
 * sealing_open() - open content and check it against its header
 * @header:  parsed by envelope_header_parse()
 * @content: bytes as received
 * @keys:    our seal keys (current and retired)
 * @count:   how many
 * @arena:   owns the result (plaintext: wipe it when done, arenas are reset by their owner)
 * @ret:     the body
 *
 * Includes envelope_content_check(); what that refuses is SEALING_BROKEN here.
 *
 * Return: 0, SEALING_*, -ENOMEM.
 */
int sealing_open(const Dienstweg__Header *header, struct bytes content,
	const struct key_secret *const *keys, size_t count, struct arena *arena, struct bytes *ret);

/*
 * Remembers what our keys share with the ephemeral keys of recent batches: opening the next message of a
 * batch then costs a fifth. For whoever takes many messages. One thread.
 */
struct sealing_opener;
int sealing_opener_new(struct sealing_opener **ret);
void sealing_opener_free(struct sealing_opener *opener); /* wipes; takes NULL */
DEFINE_CLEANUP(struct sealing_opener *, sealing_opener_free);

/**
 * sealing_opener_open() - sealing_open() with a memory
 * @opener:  memory
 * @header:  as there
 * @content: as there
 * @keys:    as there; may differ from call to call
 * @count:   as there
 * @arena:   as there
 * @ret:     body, and the keys of its attachments (attachment_key_decode()), as many as the header names
 * Return: 0, SEALING_*, -ENOMEM.
 */
int sealing_opener_open(struct sealing_opener *opener, const Dienstweg__Header *header,
	struct bytes content, const struct key_secret *const *keys, size_t count,
	struct arena *arena, struct payload_content *ret);

/**
 * sealing_padded_length() - Padme length, at least 256
 * @length: bytes to hide, including the 0x80
 * Return: padded length.
 */
size_t sealing_padded_length(size_t length);
