/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"

/*
 * Attachments (docs/protocol.md "Attachments"): files that are too large for content, encrypted piece by piece
 * under a key of their own that lies in the content. Pure and in constant memory: who reads and writes files
 * is the caller.
 *   plaintext  = file || zeros up to the Padme length, at least 256
 *   ciphertext = head (24) || pieces of 65,519 bytes of plaintext, 65,536 of ciphertext; the last is shorter
 *                and marked as the last
 *   digest     = BLAKE2b-256 of the ciphertext; with its size it stands in the header
 */
enum {
	ATTACHMENT_PIECE = 64 * 1024, /* of ciphertext */
	ATTACHMENT_PLAIN = ATTACHMENT_PIECE - STREAM_PIECE_EXTRA,
	ATTACHMENT_NAME_MAX = 200,
	ATTACHMENT_TYPE_MAX = 127,
};

/* AttachmentKey of envelope.proto; views. */
struct attachment_key {
	uint8_t key[AEAD_KEY_SIZE];
	uint64_t size; /* of the file */
	struct bytes name;
	struct bytes content_type;
};

/**
 * attachment_sealed_size() - bytes of ciphertext
 * @size: of the file
 * Return: the size; above ATTACHMENT_BYTES_MAX it cannot be sent.
 */
uint64_t attachment_sealed_size(uint64_t size);

/**
 * attachment_name_ok() - may a file be called so wherever it arrives?
 * @name: any bytes
 * Return: true for 1..200 bytes of UTF-8 without "/" and control characters, not "." or "..".
 */
bool attachment_name_ok(struct bytes name);

/**
 * attachment_keys_encode() - the field `attachments` of a Content
 * @keys:  in the order of the header
 * @count: at most ATTACHMENTS_MAX
 * @arena: owns the result
 * @ret:   serialized fields, to stand in a Content
 * Return: 0 or -ENOMEM.
 */
int attachment_keys_encode(
	const struct attachment_key *keys, size_t count, struct arena *arena, struct bytes *ret);

/**
 * attachment_key_decode() - read one of them back
 * @fields: a serialized Content, or what attachment_keys_encode() gave
 * @nth:    which
 * @arena:  owns the result
 * @ret:    the key
 * Return: 0, SEALING_BROKEN when there is none, or not of the form that is asked for, -ENOMEM.
 */
int attachment_key_decode(
	struct bytes fields, size_t nth, struct arena *arena, struct attachment_key *ret);

/* ---- sealing ---- */

struct attachment_seal;

/**
 * attachment_seal_new() - begin, under a fresh key
 * @size: of the file
 * @ret:  the work
 * Return: 0 or -ENOMEM.
 */
int attachment_seal_new(uint64_t size, struct attachment_seal **ret);
void attachment_seal_free(struct attachment_seal *seal); /* wipes; takes NULL */
DEFINE_CLEANUP(struct attachment_seal *, attachment_seal_free);

/* How many bytes of the file the next piece takes; 0 also for a piece of padding. */
size_t attachment_seal_wants(const struct attachment_seal *seal);
bool attachment_seal_done(const struct attachment_seal *seal); /* that was the last piece */

/**
 * attachment_seal_piece() - encrypt the next piece
 * @seal: not done
 * @file: as many bytes as are wanted
 * Return: the ciphertext to append, a view until the next call; the first one begins with the head.
 */
struct bytes attachment_seal_piece(struct attachment_seal *seal, struct bytes file);

/**
 * attachment_seal_finish() - what header and content have to say
 * @seal:       done
 * @ret_key:    the key
 * @ret_digest: of the ciphertext
 */
void attachment_seal_finish(struct attachment_seal *seal, uint8_t ret_key[AEAD_KEY_SIZE],
	uint8_t ret_digest[HASH_SIZE]);

/* ---- opening ---- */

struct attachment_open;

/**
 * attachment_open_new() - begin
 * @key: as the content has it
 * @ret: the work
 * Return: 0 or -ENOMEM.
 */
int attachment_open_new(const struct attachment_key *key, struct attachment_open **ret);
void attachment_open_free(struct attachment_open *open); /* wipes; takes NULL */
DEFINE_CLEANUP(struct attachment_open *, attachment_open_free);

/* How many bytes of ciphertext come next; 0: all have been. */
size_t attachment_open_wants(const struct attachment_open *open);

/**
 * attachment_open_piece() - decrypt the next piece
 * @open:   with more to come
 * @cipher: as many bytes as are wanted
 * @ret:    bytes of the file, a view until the next call; empty for padding
 * Return: 0, or SEALING_BROKEN: not what was sealed under that key, or padding that is none.
 */
int attachment_open_piece(struct attachment_open *open, struct bytes cipher, struct bytes *ret);

/**
 * attachment_open_finish() - is it what the header says?
 * @open:   with nothing more to come
 * @digest: HASH_SIZE bytes
 * Return: 0 or SEALING_BROKEN.
 */
int attachment_open_finish(struct attachment_open *open, const uint8_t *digest);
