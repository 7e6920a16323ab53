/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/envelope.pb-c.h"

/*
 * Envelope.content, read in place: a document of 256 KiB is not copied to look at its salt. All views
 * point into the content.
 */
enum {
	CONTENT_SALT_SIZE = 32,
	CONTENT_KEY_SIZE = AEAD_KEY_SIZE,
	SEALED_PLAIN_MIN = 256, /* padded, serialized Content */
	WRAP_BOX_SIZE = CONTENT_KEY_SIZE + AEAD_TAG_SIZE,
};

/* Field numbers of envelope.proto. */
enum {
	PAYLOAD_CLEAR = 1,
	PAYLOAD_SEALED = 2,
	CONTENT_SALT = 1,
	CONTENT_BODY = 2,
	CONTENT_ATTACHMENTS = 3,
	SEALED_EPHEMERAL = 1,
	SEALED_WRAPS = 2,
	SEALED_NONCE = 3,
	SEALED_BOX = 4,
	WRAP_KEY_ID = 1,
	WRAP_NONCE = 2,
	WRAP_BOX = 3,
};

struct payload_content {
	struct bytes salt;
	struct bytes body;
	struct bytes fields; /* all of it: where the keys of attachments are found */
	size_t attachments;  /* how many keys it has */
};

struct payload_wrap {
	struct bytes key_id;
	struct bytes nonce;
	struct bytes box;
};

struct payload {
	bool sealed;
	struct payload_content clear; /* when not sealed */
	struct bytes ephemeral;       /* the rest when sealed */
	const struct payload_wrap *wraps;
	size_t wraps_count;
	struct bytes nonce;
	struct bytes box;
};

/**
 * payload_parse() - strict parse of Envelope.content: form and lengths, no keys
 * @arena:     owns the array of wraps
 * @content:   bytes as received
 * @ret:       views into @content
 * @ret_field: name of the field at fault
 * Return: 0, ENVELOPE_MALFORMED, -ENOMEM.
 */
int payload_parse(
	struct arena *arena, struct bytes content, struct payload *ret, const char **ret_field);

/**
 * payload_content_parse() - strict parse of a serialized Content
 * @data:      its bytes, without padding
 * @ret:       views into @data
 * @ret_field: name of the field at fault
 * Return: 0 or ENVELOPE_MALFORMED.
 */
int payload_content_parse(struct bytes data, struct payload_content *ret, const char **ret_field);

/**
 * payload_read() - check content against its header, then parse it
 * @arena:     owns the array of wraps
 * @header:    parsed
 * @content:   bytes as received
 * @ret:       views into @content
 * @ret_field: name of the field at fault
 *
 * Length, BLAKE2b-256, form, sealed exactly when the header lists seal keys, the same key ids in the same
 * order.
 *
 * Return: 0, ENVELOPE_CONTENT, ENVELOPE_MALFORMED, -ENOMEM.
 */
int payload_read(struct arena *arena, const Dienstweg__Header *header, struct bytes content,
	struct payload *ret, const char **ret_field);
