/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * The primitives, folded over libsodium and Nettle (SHA-256) so that nobody else includes them. SHA-256
 * for identities and trees, BLAKE2b-256 for payloads.
 */
enum {
	HASH_SIZE = 32,
	AEAD_KEY_SIZE = 32,
	AEAD_NONCE_SIZE = 24,
	AEAD_TAG_SIZE = 16,
	SIGN_PUBLIC_SIZE = 32,
	SIGN_SEED_SIZE = 32,
	SIGN_SECRET_SIZE = 64,
	SIGNATURE_SIZE = 64,
	BOX_KEY_SIZE = 32, /* X25519, public or secret; also CURVE */
};

/**
 * crypto_init() - must be the first call of every program
 * Return: 0 or -ENOSYS.
 */
int crypto_init(void);

/* A running hash. Plain memory, no clean-up needed; as malloc() aligns, or on the stack. */
struct sha256 {
	_Alignas(16) uint8_t opaque[112];
};

/**
 * sha256_init() - begin a SHA-256 (FIPS 180-4)
 * @state: to set up
 */
void sha256_init(struct sha256 *state);

/**
 * sha256_add() - hash a further part
 * @state: begun
 * @part:  bytes, may be empty
 */
void sha256_add(struct sha256 *state, struct bytes part);

/**
 * sha256_finish() - end it; the state must be begun anew after that
 * @state: begun
 * @hash:  result
 */
void sha256_finish(struct sha256 *state, uint8_t hash[HASH_SIZE]);

/**
 * sha256_of() - all at once
 * @data: bytes
 * @hash: result
 */
void sha256_of(struct bytes data, uint8_t hash[HASH_SIZE]);

/* Aligned to 64: on the stack, static, or aligned_alloc(), not inside a malloc'd struct. */
struct blake2b {
	_Alignas(64) uint8_t opaque[384];
};

/**
 * blake2b_init() - begin a BLAKE2b-256 (RFC 7693)
 * @state: to set up
 * @key:   0..64 bytes; empty for the plain hash
 */
void blake2b_init(struct blake2b *state, struct bytes key);

/**
 * blake2b_add() - hash a further part
 * @state: begun
 * @part:  bytes, may be empty
 */
void blake2b_add(struct blake2b *state, struct bytes part);

/**
 * blake2b_finish() - end it; the state must be begun anew after that
 * @state: begun
 * @hash:  result
 */
void blake2b_finish(struct blake2b *state, uint8_t hash[HASH_SIZE]);

/**
 * blake2b_of() - all at once, without a key
 * @data: bytes
 * @hash: result
 */
void blake2b_of(struct bytes data, uint8_t hash[HASH_SIZE]);

/**
 * random_fill() - random bytes fit for keys; ends the process when the kernel has none
 * @buf: to fill
 * @len: bytes
 */
void random_fill(void *buf, size_t len);

/**
 * aead_seal() - XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), encrypt
 * @out:   room for in.len + AEAD_TAG_SIZE; may be in.data
 * @in:    plaintext
 * @aad:   what is bound to it but not in it
 * @nonce: never twice with one key; random is fine at this length
 * @key:   the key
 */
void aead_seal(uint8_t *out, struct bytes in, struct bytes aad,
	const uint8_t nonce[AEAD_NONCE_SIZE], const uint8_t key[AEAD_KEY_SIZE]);

/**
 * aead_open() - decrypt; not key-committing, see docs/protocol.md "Content"
 * @out:   room for in.len - AEAD_TAG_SIZE; may be in.data; undefined unless 0 is returned
 * @in:    what aead_seal() made
 * @aad:   the same as then
 * @nonce: the same as then
 * @key:   the same as then
 * Return: 0, or 1 when anything differs or @in is shorter than a tag.
 */
int aead_open(uint8_t *out, struct bytes in, struct bytes aad, const uint8_t nonce[AEAD_NONCE_SIZE],
	const uint8_t key[AEAD_KEY_SIZE]) _must_use_;

/* A running encryption of many pieces in order (libsodium's secretstream, XChaCha20-Poly1305). Holds key
   material: wipe it. */
enum {
	STREAM_HEAD_SIZE = 24, /* public, in front of the pieces */
	STREAM_PIECE_EXTRA = 17,
};
struct stream {
	_Alignas(8) uint8_t opaque[64];
};

/**
 * stream_seal_init() - begin to encrypt
 * @stream: to set up
 * @key:    AEAD_KEY_SIZE bytes
 * @head:   result: random, what opening begins with
 */
void stream_seal_init(
	struct stream *stream, const uint8_t key[AEAD_KEY_SIZE], uint8_t head[STREAM_HEAD_SIZE]);

/**
 * stream_seal() - encrypt the next piece
 * @stream: begun
 * @out:    room for in.len + STREAM_PIECE_EXTRA; not in.data
 * @in:     plaintext
 * @last:   nothing comes behind it
 */
void stream_seal(struct stream *stream, uint8_t *out, struct bytes in, bool last);

/**
 * stream_unseal_init() - begin to decrypt
 * @stream: to set up
 * @key:    the same
 * @head:   as it came; any bytes will do, then no piece opens
 */
void stream_unseal_init(struct stream *stream, const uint8_t key[AEAD_KEY_SIZE],
	const uint8_t head[STREAM_HEAD_SIZE]);

/**
 * stream_unseal() - decrypt the next piece
 * @stream: begun
 * @out:    room for in.len - STREAM_PIECE_EXTRA; undefined unless 0 is returned
 * @in:     what stream_seal() made
 * @last:   is it the last one? A piece that says otherwise does not open
 * Return: 0, or 1 when anything differs: the pieces, their order, which is the last, the key.
 */
int stream_unseal(struct stream *stream, uint8_t *out, struct bytes in, bool last) _must_use_;

/**
 * ed25519_from_seed() - key pair (RFC 8032)
 * @seed:   the secret proper
 * @pub:    result
 * @secret: result, the seed and the public key
 */
void ed25519_from_seed(const uint8_t seed[SIGN_SEED_SIZE], uint8_t pub[SIGN_PUBLIC_SIZE],
	uint8_t secret[SIGN_SECRET_SIZE]);

/**
 * ed25519_sign() - sign; the same message gives the same signature
 * @msg:    bytes
 * @secret: from ed25519_from_seed()
 * @sig:    result
 */
void ed25519_sign(
	struct bytes msg, const uint8_t secret[SIGN_SECRET_SIZE], uint8_t sig[SIGNATURE_SIZE]);

/**
 * ed25519_verify() - strict: no small-order points, no second encoding of a signature
 * @msg: bytes
 * @pub: public key
 * @sig: signature
 * Return: 0, or 1 when the signature does not verify.
 */
int ed25519_verify(struct bytes msg, const uint8_t pub[SIGN_PUBLIC_SIZE],
	const uint8_t sig[SIGNATURE_SIZE]) _must_use_;

/**
 * ed25519_to_x25519_public() - the X25519 form of an Ed25519 key
 * @ed: public key
 * @x:  result
 * Return: 0, or 1 when it is no point of the prime-order group.
 */
int ed25519_to_x25519_public(const uint8_t ed[SIGN_PUBLIC_SIZE], uint8_t x[BOX_KEY_SIZE]) _must_use_;

/**
 * ed25519_to_x25519_secret() - the same for the secret
 * @ed_secret: from ed25519_from_seed()
 * @x:         result
 */
void ed25519_to_x25519_secret(const uint8_t ed_secret[SIGN_SECRET_SIZE], uint8_t x[BOX_KEY_SIZE]);

/**
 * x25519() - shared secret (RFC 7748); hash it before use
 * @secret: ours
 * @pub:    theirs
 * @shared: result
 * Return: 0, or 1 when @pub is a point of low order.
 */
int x25519(const uint8_t secret[BOX_KEY_SIZE], const uint8_t pub[BOX_KEY_SIZE],
	uint8_t shared[BOX_KEY_SIZE]) _must_use_;

/**
 * x25519_public() - public key of a secret
 * @secret: any 32 bytes
 * @pub:    result
 */
void x25519_public(const uint8_t secret[BOX_KEY_SIZE], uint8_t pub[BOX_KEY_SIZE]);

/**
 * secret_alloc() - memory for a secret: against a guard page, not swapped, not in core dumps
 * @size: bytes; aligned for any type of that size
 * Return: the memory, not zeroed, or NULL. Costs at least four pages: for keys, not for messages.
 */
void *secret_alloc(size_t size);

/**
 * secret_free() - wipe and free
 * @secret: from secret_alloc(), or NULL
 */
void secret_free(void *secret);
static inline void cleanup_secret_free(void *pp)
{
	secret_free(*(void **)pp);
}

/**
 * secret_wipe() - zero memory for certain: what the compiler might leave out
 * @buf: stack or heap
 * @len: bytes
 */
void secret_wipe(void *buf, size_t len);

/**
 * secret_equal() - compare in a time that tells nothing
 * @a:   one
 * @b:   other
 * @len: bytes of each
 * Return: true when equal.
 */
bool secret_equal(const void *a, const void *b, size_t len);
