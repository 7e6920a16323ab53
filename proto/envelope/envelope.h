/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/envelope.pb-c.h"

/* Limits of the wire (design section 5). */
enum {
	FRAME_BYTES_MAX = 1000000,
	ENVELOPE_BYTES_MAX = 300 * 1024,
	CONTENT_BYTES_MAX = 256 * 1024,
	HEADER_BYTES_MAX = 2048,
	NAME_BYTES_MAX = 63,
	BATCH_MAX = 32,             /* leaves of one signature */
	SUBMIT_MAX = 1024,          /* envelopes of one Submit */
	SEALED_RECIPIENTS_MAX = 64, /* as many as an event may have; their ids fill half a header */
	ATTACHMENTS_MAX = 16,
	MESSAGE_ID_FUTURE_MS = 10 * 60 * 1000,
};
#define ATTACHMENT_BYTES_MAX (UINT64_C(2) << 30)

/* Verdicts on a header's form; each has a code for the wire and names a field. */
enum envelope_verdict {
	ENVELOPE_OK = 0,
	ENVELOPE_MALFORMED =
		1, /* "malformed": not protobuf, or a field twice, unknown, of wrong length or form */
	ENVELOPE_TOO_LARGE = 2, /* "too-large" */
	ENVELOPE_MISSING = 3,   /* "missing-field" */
	ENVELOPE_CONTENT = 4, /* "content-mismatch": length, hash, or wraps do not match the header */
	ENVELOPE_SIGNATURE_FORM = 5, /* "signature-form": size, index, path length or root length impossible */
};

/**
 * envelope_header_hash() - h, a message's identity
 * @header: header bytes as received
 * @h:      SHA-256("dienstweg/v1/header\0" || header)
 */
void envelope_header_hash(struct bytes header, uint8_t h[HASH_SIZE]);

/**
 * envelope_header_parse() - strict parse of header bytes: form only, no keys, no registry, no clock
 * @arena:     owns the result
 * @header:    bytes as received; the result may point into them
 * @ret:       the header
 * @ret_field: name of the field at fault
 *
 * Checks: no field twice or unknown, lengths, name alphabet, UUIDv7, enum ranges, exactly one of
 * recipient/region (neither for an event, and only then), hash lengths, content_length <=
 * CONTENT_BYTES_MAX, priority <= 2, retention <= 16, expires after created and not-before, no time after
 * the year 9999, ARS digits, media type and schema printable, no seal key listed twice.
 *
 * Return: ENVELOPE_OK, a verdict, or -ENOMEM when the arena's budget is used up.
 */
int envelope_header_parse(
	struct arena *arena, struct bytes header, Dienstweg__Header **ret, const char **ret_field);

/**
 * envelope_content_check() - does the content match its header?
 * @arena:   for unpacking
 * @header:  parsed
 * @content: bytes as received
 * @ret_field: field at fault
 *
 * Length, BLAKE2b-256, Payload form; sealed form exactly when the header lists seal keys, with the same
 * key ids in the same order.
 *
 * Return: 0, ENVELOPE_CONTENT, ENVELOPE_MALFORMED, -ENOMEM.
 */
int envelope_content_check(struct arena *arena, const Dienstweg__Header *header,
	struct bytes content, const char **ret_field);

/**
 * envelope_verdict_code() - the code on the wire
 * @verdict: one of envelope_verdict
 * Return: constant text, e.g. "missing-field".
 */
const char *envelope_verdict_code(int verdict);

/**
 * envelope_context() - the bytes that bind content to its message (docs/protocol.md "Content")
 * @header: bus, sender, message_id, case_id, service must be set
 * @buf:    at least ENVELOPE_CONTEXT_MAX bytes
 * Return: bytes written: u8 length and bytes of bus, sender, message id, case id, service.
 */
enum { ENVELOPE_CONTEXT_MAX = 5 + 3 * 63 + 2 * 16 };
size_t envelope_context(const Dienstweg__Header *header, uint8_t buf[ENVELOPE_CONTEXT_MAX]);
