/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The only file with sodium.h. libsodium answers -1 to everything; here each -1 becomes what it means:
 * a verdict where the input decides, an assert where only a programmer can be wrong. The hash states
 * are laid out in our header so that they live on the stack without libsodium's types leaking out;
 * the assertions below keep that honest.
 */
#include "proto/base/crypto.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

static_assert(sizeof(struct blake2b) >= sizeof(crypto_generichash_blake2b_state), "room");
static_assert(_Alignof(struct blake2b) >= _Alignof(crypto_generichash_blake2b_state), "alignment");
static_assert(sizeof(struct stream) >= sizeof(crypto_secretstream_xchacha20poly1305_state), "room");
static_assert(STREAM_HEAD_SIZE == crypto_secretstream_xchacha20poly1305_HEADERBYTES, "head");
static_assert(STREAM_PIECE_EXTRA == crypto_secretstream_xchacha20poly1305_ABYTES, "piece");
static_assert(AEAD_KEY_SIZE == crypto_secretstream_xchacha20poly1305_KEYBYTES, "stream key");
static_assert(AEAD_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "AEAD key");
static_assert(AEAD_NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "AEAD nonce");
static_assert(AEAD_TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES, "AEAD tag");
static_assert(SIGN_PUBLIC_SIZE == crypto_sign_ed25519_PUBLICKEYBYTES, "Ed25519 public");
static_assert(SIGN_SEED_SIZE == crypto_sign_ed25519_SEEDBYTES, "Ed25519 seed");
static_assert(SIGN_SECRET_SIZE == crypto_sign_ed25519_SECRETKEYBYTES, "Ed25519 secret");
static_assert(SIGNATURE_SIZE == crypto_sign_ed25519_BYTES, "Ed25519 signature");
static_assert(BOX_KEY_SIZE == crypto_scalarmult_curve25519_BYTES, "X25519");
static_assert(BOX_KEY_SIZE == crypto_scalarmult_curve25519_SCALARBYTES, "X25519");

int crypto_init(void)
{
	return sodium_init() < 0 ? -ENOSYS : 0;
}

static crypto_generichash_blake2b_state *blake2b_state(struct blake2b *state)
{
	return (void *)state->opaque;
}

void blake2b_init(struct blake2b *state, struct bytes key)
{
	assert(key.len <= crypto_generichash_blake2b_KEYBYTES_MAX);
	crypto_generichash_blake2b_init(blake2b_state(state), key.data, key.len, HASH_SIZE);
}

void blake2b_add(struct blake2b *state, struct bytes part)
{
	if (part.len > 0)
		crypto_generichash_blake2b_update(blake2b_state(state), part.data, part.len);
}

void blake2b_finish(struct blake2b *state, uint8_t hash[HASH_SIZE])
{
	crypto_generichash_blake2b_final(blake2b_state(state), hash, HASH_SIZE);
}

void blake2b_of(struct bytes data, uint8_t hash[HASH_SIZE])
{
	crypto_generichash_blake2b(hash, HASH_SIZE, data.data, data.len, NULL, 0);
}

void random_fill(void *buf, size_t len)
{
	randombytes_buf(buf, len);
}

void aead_seal(uint8_t *out, struct bytes in, struct bytes aad,
	const uint8_t nonce[AEAD_NONCE_SIZE], const uint8_t key[AEAD_KEY_SIZE])
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		out, NULL, in.data, in.len, aad.data, aad.len, NULL, nonce, key);
}

int aead_open(uint8_t *out, struct bytes in, struct bytes aad, const uint8_t nonce[AEAD_NONCE_SIZE],
	const uint8_t key[AEAD_KEY_SIZE])
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt(
		       out, NULL, NULL, in.data, in.len, aad.data, aad.len, nonce, key) != 0;
}

static crypto_secretstream_xchacha20poly1305_state *stream_state(struct stream *stream)
{
	return (void *)stream->opaque;
}

void stream_seal_init(
	struct stream *stream, const uint8_t key[AEAD_KEY_SIZE], uint8_t head[STREAM_HEAD_SIZE])
{
	crypto_secretstream_xchacha20poly1305_init_push(stream_state(stream), head, key);
}

static uint8_t stream_tag(bool last)
{
	return last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
		    : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
}

void stream_seal(struct stream *stream, uint8_t *out, struct bytes in, bool last)
{
	crypto_secretstream_xchacha20poly1305_push(
		stream_state(stream), out, NULL, in.data, in.len, NULL, 0, stream_tag(last));
}

void stream_unseal_init(struct stream *stream, const uint8_t key[AEAD_KEY_SIZE],
	const uint8_t head[STREAM_HEAD_SIZE])
{
	int r = crypto_secretstream_xchacha20poly1305_init_pull(stream_state(stream), head, key);
	assert(r == 0); /* any head is one */
}

int stream_unseal(struct stream *stream, uint8_t *out, struct bytes in, bool last)
{
	uint8_t tag = 0;
	if (in.len < STREAM_PIECE_EXTRA ||
		crypto_secretstream_xchacha20poly1305_pull(
			stream_state(stream), out, NULL, &tag, in.data, in.len, NULL, 0) != 0)
		return 1;
	return tag == stream_tag(last) ? 0 : 1;
}

void ed25519_from_seed(const uint8_t seed[SIGN_SEED_SIZE], uint8_t pub[SIGN_PUBLIC_SIZE],
	uint8_t secret[SIGN_SECRET_SIZE])
{
	crypto_sign_ed25519_seed_keypair(pub, secret, seed);
}

void ed25519_sign(
	struct bytes msg, const uint8_t secret[SIGN_SECRET_SIZE], uint8_t sig[SIGNATURE_SIZE])
{
	crypto_sign_ed25519_detached(sig, NULL, msg.data, msg.len, secret);
}

int ed25519_verify(
	struct bytes msg, const uint8_t pub[SIGN_PUBLIC_SIZE], const uint8_t sig[SIGNATURE_SIZE])
{
	return crypto_sign_ed25519_verify_detached(sig, msg.data, msg.len, pub) != 0;
}

int ed25519_to_x25519_public(const uint8_t ed[SIGN_PUBLIC_SIZE], uint8_t x[BOX_KEY_SIZE])
{
	return crypto_sign_ed25519_pk_to_curve25519(x, ed) != 0;
}

void ed25519_to_x25519_secret(const uint8_t ed_secret[SIGN_SECRET_SIZE], uint8_t x[BOX_KEY_SIZE])
{
	crypto_sign_ed25519_sk_to_curve25519(x, ed_secret);
}

int x25519(const uint8_t secret[BOX_KEY_SIZE], const uint8_t pub[BOX_KEY_SIZE],
	uint8_t shared[BOX_KEY_SIZE])
{
	return crypto_scalarmult_curve25519(shared, secret, pub) != 0;
}

void x25519_public(const uint8_t secret[BOX_KEY_SIZE], uint8_t pub[BOX_KEY_SIZE])
{
	crypto_scalarmult_curve25519_base(pub, secret);
}

void *secret_alloc(size_t size)
{
	return sodium_malloc(size);
}

void secret_free(void *secret)
{
	sodium_free(secret);
}

void secret_wipe(void *buf, size_t len)
{
	sodium_memzero(buf, len);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}
