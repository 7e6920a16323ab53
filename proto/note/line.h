/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/note/note.h"

/*
 * One signature line of a note: "— <name> <base64(4-byte key hash || signature)>\n". Inner part of this
 * folder; others use note.h and checkpoint.h.
 */
enum {
	NOTE_LINES_MAX = 100,
	NOTE_LINE_MAX = 4 + (NOTE_NAME_SIZE - 1) + 1 + 92 +
			1,                      /* of a line that note_line_write() makes */
	NOTE_STAMPED_SIZE = 8 + SIGNATURE_SIZE, /* a cosignature: u64be time, Ed25519 signature */
};

struct note_line {
	struct bytes whole; /* with its newline */
	struct bytes name;
	uint32_t hash;
	size_t length; /* of the signature, whatever its algorithm; at least 1 */
	uint8_t signature[NOTE_STAMPED_SIZE]; /* its first bytes; complete when @length is not larger */
};

/* A note taken apart. */
struct note_parts {
	struct bytes text;
	struct bytes lines; /* well-formed signature lines, at least one */
	size_t count;
};

/**
 * note_split() - take a note apart; signatures are not looked at
 * @note: untrusted
 * @ret:  views into @note
 * Return: 0 or NOTE_MALFORMED.
 */
int note_split(struct bytes note, struct note_parts *ret) _must_use_;

/* Did the key with this name and hash make the line? Says nothing about the signature. */
bool note_line_is_by(const struct note_line *line, const struct note_key *key);

/**
 * note_line_encode() - write a line around a signature that was made elsewhere
 * @key:       name and hash
 * @signature: SIGNATURE_SIZE or NOTE_STAMPED_SIZE bytes
 * @buf:       room for the line, not NUL-terminated
 * Return: bytes written.
 */
size_t note_line_encode(const struct note_key *key, struct bytes signature, uint8_t *buf);

/**
 * note_line_take() - take the first line off a block of signature lines
 * @lines: the block, not empty; advanced past the line
 * @ret:   the line, views into the block
 * Return: 0 or NOTE_MALFORMED.
 */
int note_line_take(struct bytes *lines, struct note_line *ret) _must_use_;

/**
 * note_line_write() - sign a text and write the line; allocates nothing
 * @text:   the note's text
 * @key:    name and hash
 * @secret: Ed25519 secret key of @key
 * @buf:    room for the line, not NUL-terminated
 * Return: bytes written.
 */
size_t note_line_write(struct bytes text, const struct note_key *key,
	const uint8_t secret[SIGN_SECRET_SIZE], uint8_t buf[NOTE_LINE_MAX]);
