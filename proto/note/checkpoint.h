/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/merkle/merkle.h"
#include "proto/note/note.h"

/*
 * C2SP checkpoints (c2sp.org/tlog-checkpoint): a note whose text is "<origin>\n<size>\n<base64 root>\n",
 * optionally extension lines. Our log's origin is "<bus id>/<epoch>" (epoch from 0); its key name is the
 * origin.
 */
enum {
	CHECKPOINT_ORIGIN_MAX = 127,
	CHECKPOINT_NOTE_MAX = 1024,
	CHECKPOINT_SIGNERS_MAX = 3, /* lines of the log's own keys that fit, whatever the origin */
};

struct checkpoint {
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	uint64_t size;
	struct merkle_hash root;
};

/**
 * checkpoint_sign() - make the signed note of a tree head; no allocation
 * @checkpoint: what to sign
 * @key:        the log's name and hash
 * @secret:     the log's secret key
 * @buf:        CHECKPOINT_NOTE_MAX bytes
 * Return: length of the note.
 */
size_t checkpoint_sign(const struct checkpoint *checkpoint, const struct note_key *key,
	const uint8_t secret[SIGN_SECRET_SIZE], uint8_t buf[CHECKPOINT_NOTE_MAX]);

/**
 * checkpoint_sign_more() - a further key of the log signs too, while an old and a new one overlap
 * @key:    the log's name and this key's hash
 * @secret: its secret key
 * @buf:    a note by checkpoint_sign(), with at most CHECKPOINT_SIGNERS_MAX - 1 lines
 * @len:    of the note
 * Return: length of the note.
 */
size_t checkpoint_sign_more(const struct note_key *key, const uint8_t secret[SIGN_SECRET_SIZE],
	uint8_t buf[CHECKPOINT_NOTE_MAX], size_t len);

/**
 * checkpoint_open() - verify and parse
 * @note:   untrusted
 * @keys:   log keys (usually one); only those whose name is @origin count, and one good signature will do
 * @count:  how many
 * @origin: expected origin, NUL-terminated
 * @ret:    the checkpoint
 * Return: 0, NOTE_* (NOTE_MALFORMED also for another origin).
 */
int checkpoint_open(struct bytes note, const struct note_key *keys, size_t count,
	const char *origin, struct checkpoint *ret) _must_use_;

/**
 * checkpoint_parse() - the text alone, no signature check
 * @text: what note_open() gave
 * @ret:  the checkpoint; extension lines are ignored
 * Return: 0 or NOTE_MALFORMED.
 */
int checkpoint_parse(struct bytes text, struct checkpoint *ret);
