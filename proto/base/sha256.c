/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * SHA-256 is the hash of identities and trees, and a quarter of the journal's time went into it: libsodium
 * does not use the processor's instructions, Nettle does where there are any (docs/decisions.md). Nettle's
 * header renames functions of our names by macro, which is undone here, in the only file that includes it.
 */
#include <assert.h>
#include <nettle/sha2.h>

#undef sha256_init
#include "proto/base/crypto.h"

static_assert(sizeof(struct sha256) >= sizeof(struct sha256_ctx), "room");
static_assert(_Alignof(struct sha256) >= _Alignof(struct sha256_ctx), "alignment");
static_assert(HASH_SIZE == SHA256_DIGEST_SIZE, "SHA-256");

static struct sha256_ctx *context_of(struct sha256 *state)
{
	return (void *)state->opaque;
}

void sha256_init(struct sha256 *state)
{
	nettle_sha256_init(context_of(state));
}

void sha256_add(struct sha256 *state, struct bytes part)
{
	if (part.len > 0)
		nettle_sha256_update(context_of(state), part.len, part.data);
}

void sha256_finish(struct sha256 *state, uint8_t hash[HASH_SIZE])
{
	nettle_sha256_digest(context_of(state), HASH_SIZE, hash);
}

void sha256_of(struct bytes data, uint8_t hash[HASH_SIZE])
{
	struct sha256 state;
	sha256_init(&state);
	sha256_add(&state, data);
	sha256_finish(&state, hash);
}
