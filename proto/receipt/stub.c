/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The commitment is two hashes deep so that a holder of a receipt can rebuild it from what it may know
 * and one digest of what it may not. Every part is of fixed length or length-prefixed: no two entries
 * have the same bytes under the hash. The nonce keeps a stub silent once nonce and record are erased,
 * although headers can be guessed.
 */
#include "proto/receipt/stub.h"

#include <assert.h>
#include <string.h>

#include "proto/envelope/envelope.h"
#include "proto/identity/key.h"
#include "proto/journal.pb-c.h"

enum {
	KIND_ACCEPTED = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED,
	CORE_MIN = KEY_ID_SIZE + 4 + 4 + 1 + SIGNATURE_SIZE,
};

static const char stub_domain[] = "dienstweg/v1/stub";       /* with its NUL */
static const char private_domain[] = "dienstweg/v1/private"; /* with its NUL */
static const char nonce_domain[] = "dienstweg/v1/nonce";     /* with its NUL */
static const char salt_domain[] = "dienstweg/v1/salt";       /* with its NUL */

static_assert(STUB_SIZE == 3 + HASH_SIZE, "layout");

/* Is this the flat form of a batch signature? (proto/journal.proto, "signature core") */
static bool is_core(struct bytes core)
{
	if (core.len < CORE_MIN)
		return false;
	uint32_t size = be32_get(core.data + KEY_ID_SIZE);
	uint32_t index = be32_get(core.data + KEY_ID_SIZE + 4);
	uint8_t steps = core.data[KEY_ID_SIZE + 8];
	if (size < 1 || size > BATCH_MAX || index >= size)
		return false;
	return steps == merkle_path_length(index, size) &&
	       core.len == CORE_MIN + (size_t)steps * HASH_SIZE;
}

static bool rest_is_possible(uint8_t kind, struct bytes rest)
{
	return kind == KIND_ACCEPTED ? is_core(rest) : rest.len == 0;
}

size_t disclosed_encode(const struct disclosed *disclosed, uint8_t buf[DISCLOSED_MAX])
{
	assert(disclosed->rest.len <= DISCLOSED_MAX - DISCLOSED_MIN);
	buf[0] = disclosed->kind;
	be64_put(buf + 1, disclosed->batch_ms);
	be64_put(buf + 9, disclosed->registry_version);
	memcpy(buf + 17, disclosed->digest, HASH_SIZE);
	if (disclosed->rest.len > 0)
		memcpy(buf + DISCLOSED_MIN, disclosed->rest.data, disclosed->rest.len);
	return DISCLOSED_MIN + disclosed->rest.len;
}

int disclosed_decode(struct bytes data, struct disclosed *ret)
{
	if (data.len < DISCLOSED_MIN || data.len > DISCLOSED_MAX)
		return 1;
	struct bytes rest = BYTES(data.data + DISCLOSED_MIN, data.len - DISCLOSED_MIN);
	if (data.data[0] == DIENSTWEG__ENTRY_KIND__ENTRY_UNSPECIFIED ||
		!rest_is_possible(data.data[0], rest))
		return 1;
	*ret = (struct disclosed){.kind = data.data[0],
		.batch_ms = be64_get(data.data + 1),
		.registry_version = be64_get(data.data + 9),
		.rest = rest};
	memcpy(ret->digest, data.data + 17, HASH_SIZE);
	return 0;
}

static void secret_hash(
	struct bytes domain, const uint8_t secret[STUB_SECRET_SIZE], uint8_t ret[HASH_SIZE])
{
	struct sha256 state;
	sha256_init(&state);
	sha256_add(&state, domain);
	sha256_add(&state, BYTES(secret, STUB_SECRET_SIZE));
	sha256_finish(&state, ret);
}

void stub_open_secret(const uint8_t secret[STUB_SECRET_SIZE], uint8_t ret_nonce[STUB_NONCE_SIZE],
	uint8_t ret_salt[STUB_SALT_SIZE])
{
	secret_hash(BYTES(nonce_domain, sizeof(nonce_domain)), secret, ret_nonce);
	secret_hash(BYTES(salt_domain, sizeof(salt_domain)), secret, ret_salt);
}

void stub_private_digest(
	const uint8_t salt[STUB_SALT_SIZE], struct bytes private, uint8_t ret[HASH_SIZE])
{
	struct sha256 state;
	sha256_init(&state);
	sha256_add(&state, BYTES(private_domain, sizeof(private_domain)));
	sha256_add(&state, BYTES(salt, STUB_SALT_SIZE));
	sha256_add(&state, private);
	sha256_finish(&state, ret);
}

void stub_make(uint8_t kind, uint8_t class, const uint8_t nonce[STUB_NONCE_SIZE],
	struct bytes disclosed, const uint8_t private_digest[HASH_SIZE], uint8_t ret[STUB_SIZE])
{
	assert(disclosed.len >= DISCLOSED_MIN && disclosed.len <= DISCLOSED_MAX);
	assert(disclosed.data[0] == kind);
	uint8_t length[4];
	be32_put(length, (uint32_t)disclosed.len);

	struct sha256 state;
	sha256_init(&state);
	sha256_add(&state, BYTES(stub_domain, sizeof(stub_domain)));
	sha256_add(&state, BYTES(nonce, STUB_NONCE_SIZE));
	sha256_add(&state, BYTES(length, sizeof(length)));
	sha256_add(&state, disclosed);
	sha256_add(&state, BYTES(private_digest, HASH_SIZE));
	ret[0] = STUB_VERSION;
	ret[1] = kind;
	ret[2] = class;
	sha256_finish(&state, ret + 3);
}

int stub_decode(struct bytes data, struct stub *ret)
{
	if (data.len != STUB_SIZE || data.data[0] != STUB_VERSION)
		return 1;
	*ret = (struct stub){.version = data.data[0], .kind = data.data[1], .class = data.data[2]};
	memcpy(ret->commitment, data.data + 3, HASH_SIZE);
	return 0;
}

void stub_leaf(const uint8_t stub[STUB_SIZE], struct merkle_hash *ret)
{
	merkle_leaf(BYTES(stub, STUB_SIZE), ret);
}
