/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/identity/key.h"

/*
 * C2SP signed notes (c2sp.org/signed-note): UTF-8 text ending in a newline, an empty line, then lines
 * "— <name> <base64(4-byte key hash || signature)>". Ed25519 (algorithm 0x01) is checked here; lines of
 * other algorithms and by other keys must be well-formed and are kept, but count for nothing. At most
 * 1 MB and 100 signature lines. All functions are pure.
 */
enum {
	NOTE_MALFORMED = 1,
	NOTE_UNVERIFIED = 2,    /* fewer good signatures by the given keys than asked */
	NOTE_BAD_SIGNATURE = 3, /* a line by a known key does not verify */
	NOTE_KEY_MALFORMED = 4, /* no such key text or name; or two given keys of one name and hash */
};

enum {
	NOTE_SIZE_MAX = 1000000,
	NOTE_NAME_SIZE = 128, /* with a NUL */
	NOTE_KEYS_MAX = 64,   /* most keys given to note_open() */
};

/* Algorithms of keys. */
enum {
	NOTE_ED25519 = 0x01,
	NOTE_COSIGNATURE = 0x04, /* of witnesses (c2sp.org/tlog-cosignature): Ed25519 over time and text */
};

/* A verifier key: vkey text is "<name>+<hex hash>+<base64(algorithm || public)>". */
struct note_key {
	char name[NOTE_NAME_SIZE]; /* no '+', no spaces */
	uint32_t hash;
	uint8_t algorithm;
	uint8_t public[SIGN_PUBLIC_SIZE];
};

/**
 * note_key_init() - compute an Ed25519 verifier key's hash
 * @key:    result
 * @name:   key name, e.g. "wuppertal.demo" or "wuppertal.demo/root1"
 * @public: Ed25519 key
 * Return: 0 or NOTE_KEY_MALFORMED (bad name).
 */
int note_key_init(struct note_key *key, struct bytes name, const uint8_t public[SIGN_PUBLIC_SIZE]);

/* The same for a witness's key, algorithm 0x04 (proto/note/cosignature.h). */
int note_key_init_witness(
	struct note_key *key, struct bytes name, const uint8_t public[SIGN_PUBLIC_SIZE]);

/**
 * note_key_parse() - read the text of an Ed25519 key; each key has one spelling
 * @vkey: untrusted
 * @ret:  the key
 * Return: 0 or NOTE_KEY_MALFORMED (also: another algorithm, a hash that does not fit).
 */
int note_key_parse(struct bytes vkey, struct note_key *ret);

/**
 * note_key_parse_witness() - the same for a witness's key, algorithm 0x04
 * @vkey: untrusted
 * @ret:  the key; note_open() ignores it, because cosignatures cover more than the text
 * Return: 0 or NOTE_KEY_MALFORMED.
 */
int note_key_parse_witness(struct bytes vkey, struct note_key *ret);

enum { NOTE_VKEY_SIZE = 128 + 1 + 8 + 1 + 48 + 1 };

/**
 * note_key_format() - write the text of a key
 * @key: a key
 * @buf: the vkey text and a NUL
 */
void note_key_format(const struct note_key *key, char buf[NOTE_VKEY_SIZE]);

/**
 * note_sign() - add a signature to a text or to a note
 * @text_or_note: text ending in newline (no signatures yet), or a note; what can be read as a note is one
 * @key:          name and hash; a line that this key made before is replaced
 * @secret:       Ed25519 secret key of @key
 * @arena:        owns the result
 * @ret:          the note
 * Return: 0, NOTE_MALFORMED, -ENOMEM.
 */
int note_sign(struct bytes text_or_note, const struct note_key *key,
	const uint8_t secret[SIGN_SECRET_SIZE], struct arena *arena, struct bytes *ret);

/**
 * note_open() - split a note and check its signatures
 * @note:        untrusted
 * @keys:        known verifier keys
 * @count:       how many
 * @quorum:      distinct keys among them that must have signed
 * @ret_text:    the text, a view into @note, including its last newline
 * @ret_signers: NULL, or room for @count: which keys signed
 *
 * Follows the C2SP test vectors: a bad signature by a known key is an error, unknown ones are ignored.
 *
 * Return: 0 or NOTE_*; results are untouched unless 0.
 */
int note_open(struct bytes note, const struct note_key *keys, size_t count, size_t quorum,
	struct bytes *ret_text, bool *ret_signers) _must_use_;
