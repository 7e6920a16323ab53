/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * The primitives, folded over libsodium so that nobody else includes it. SHA-256 for identities and
 * trees, BLAKE2b-256 for payloads (libsodium's SHA-256 has no SHA-NI: 2.6 against 1.6 us per KiB).
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

/* One-shot and streaming hashes. The state is plain memory: no cleanup needed. */
struct sha256 {
	_Alignas(16) uint8_t opaque[112];
};
void sha256_init(struct sha256 *state);
void sha256_add(struct sha256 *state, struct bytes part);
void sha256_finish(struct sha256 *state, uint8_t hash[HASH_SIZE]);
void sha256_of(struct bytes data, uint8_t hash[HASH_SIZE]);

struct blake2b {
	_Alignas(64) uint8_t opaque[384];
};
void blake2b_init(struct blake2b *state, struct bytes key); /* key: 0..64 bytes */
void blake2b_add(struct blake2b *state, struct bytes part);
void blake2b_finish(struct blake2b *state, uint8_t hash[HASH_SIZE]);
void blake2b_of(struct bytes data, uint8_t hash[HASH_SIZE]);

void random_fill(void *buf, size_t len);

/* XChaCha20-Poly1305. `out` has room for in.len + AEAD_TAG_SIZE (seal) or in.len - AEAD_TAG_SIZE (open). */
void aead_seal(uint8_t *out, struct bytes in, struct bytes aad,
	const uint8_t nonce[AEAD_NONCE_SIZE], const uint8_t key[AEAD_KEY_SIZE]);
/* Return: 0, or 1 when the tag does not match (out is then undefined). */
int aead_open(uint8_t *out, struct bytes in, struct bytes aad, const uint8_t nonce[AEAD_NONCE_SIZE],
	const uint8_t key[AEAD_KEY_SIZE]) _must_use_;

/* Ed25519. */
void ed25519_from_seed(const uint8_t seed[SIGN_SEED_SIZE], uint8_t pub[SIGN_PUBLIC_SIZE],
	uint8_t secret[SIGN_SECRET_SIZE]);
void ed25519_sign(
	struct bytes msg, const uint8_t secret[SIGN_SECRET_SIZE], uint8_t sig[SIGNATURE_SIZE]);
/* Return: 0, or 1 when the signature does not verify. */
int ed25519_verify(struct bytes msg, const uint8_t pub[SIGN_PUBLIC_SIZE],
	const uint8_t sig[SIGNATURE_SIZE]) _must_use_;
/* The X25519 form of an Ed25519 key. Return: 0, or 1 when the public key is no curve point. */
int ed25519_to_x25519_public(const uint8_t ed[SIGN_PUBLIC_SIZE], uint8_t x[BOX_KEY_SIZE]) _must_use_;
void ed25519_to_x25519_secret(const uint8_t ed_secret[SIGN_SECRET_SIZE], uint8_t x[BOX_KEY_SIZE]);

/* X25519. Return: 0, or 1 for a low-order point. */
int x25519(const uint8_t secret[BOX_KEY_SIZE], const uint8_t pub[BOX_KEY_SIZE],
	uint8_t shared[BOX_KEY_SIZE]) _must_use_;
void x25519_public(const uint8_t secret[BOX_KEY_SIZE], uint8_t pub[BOX_KEY_SIZE]);

/* Guarded, locked memory for secrets. secret_free() wipes; takes NULL. NULL without memory. */
void *secret_alloc(size_t size);
void secret_free(void *secret);
static inline void cleanup_secret_free(void *pp)
{
	secret_free(*(void **)pp);
}
void secret_wipe(void *buf, size_t len);                     /* wipe plain memory (stack) */
bool secret_equal(const void *a, const void *b, size_t len); /* constant time */
