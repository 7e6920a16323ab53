/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One kind of secret, an Ed25519 seed, for all uses: a seal or transport key is made as an Ed25519 key
 * first, so that it can sign its own proof of possession, and then turned into the X25519 key it is used
 * as. The use stands in the id and in the proof, so a key shown for one use is worth nothing for another.
 *
 * A key that only ever does X25519 keeps no signing half beyond the seed: what is not there cannot be
 * used by mistake.
 */
#include "proto/identity/key.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { OWNER_BYTES_MAX = 63 };

static const char id_domain[] = "dienstweg/v1/key";
static const char possession_domain[] = "dienstweg/v1/possession";

static const char *const use_names[] = {
	[KEY_SIGN] = "sign",
	[KEY_SEAL] = "seal",
	[KEY_TRANSPORT] = "transport",
	[KEY_LOG] = "log",
	[KEY_WITNESS] = "witness",
	[KEY_ROOT] = "root",
};

static bool use_is_known(enum key_use use)
{
	return (unsigned int)use >= KEY_SIGN && (unsigned int)use <= KEY_ROOT;
}

static bool use_is_x25519(enum key_use use)
{
	return use == KEY_SEAL || use == KEY_TRANSPORT;
}

void key_id(enum key_use use, const uint8_t public[32], uint8_t ret[KEY_ID_SIZE])
{
	struct sha256 state;
	uint8_t hash[HASH_SIZE], byte = (uint8_t)use;
	sha256_init(&state);
	sha256_add(&state, BYTES(id_domain, sizeof(id_domain)));
	sha256_add(&state, BYTES(&byte, 1));
	sha256_add(&state, BYTES(public, 32));
	sha256_finish(&state, hash);
	memcpy(ret, hash, KEY_ID_SIZE);
}

/* domain NUL || u8 length || owner || u8 use || public */
enum { POSSESSION_TEXT_MAX = sizeof(possession_domain) + 1 + OWNER_BYTES_MAX + 1 + 32 };

static struct bytes possession_text(
	const struct key_public *key, struct bytes owner, uint8_t buf[POSSESSION_TEXT_MAX])
{
	uint8_t *p = buf;
	memcpy(p, possession_domain, sizeof(possession_domain));
	p += sizeof(possession_domain);
	*p++ = (uint8_t)owner.len;
	memcpy(p, owner.data, owner.len);
	p += owner.len;
	*p++ = (uint8_t)key->use;
	memcpy(p, key->public, sizeof(key->public));
	p += sizeof(key->public);
	return BYTES(buf, (size_t)(p - buf));
}

/* Everything else follows from use, owner and seed. */
static void key_derive(struct key_secret *key, struct bytes owner)
{
	uint8_t text[POSSESSION_TEXT_MAX];
	struct key_public *pub = &key->pub;
	ed25519_from_seed(key->seed, pub->possession_key, key->ed25519);
	if (use_is_x25519(pub->use)) {
		ed25519_to_x25519_secret(key->ed25519, key->x25519);
		x25519_public(key->x25519, pub->public);
	} else {
		memcpy(pub->public, pub->possession_key, sizeof(pub->public));
	}
	key_id(pub->use, pub->public, pub->id);
	ed25519_sign(possession_text(pub, owner, text), key->ed25519, pub->possession);
	if (use_is_x25519(pub->use))
		secret_wipe(key->ed25519, sizeof(key->ed25519));
}

static int key_new(
	enum key_use use, struct bytes owner, const uint8_t *seed, struct key_secret **ret)
{
	assert(use_is_known(use));
	assert(owner.len >= 1 && owner.len <= OWNER_BYTES_MAX);
	struct key_secret *key = secret_alloc(sizeof(*key));
	if (!key)
		return -ENOMEM;
	memset(key, 0, sizeof(*key));
	key->pub.use = use;
	if (seed)
		memcpy(key->seed, seed, sizeof(key->seed));
	else
		random_fill(key->seed, sizeof(key->seed));
	key_derive(key, owner);
	*ret = key;
	return 0;
}

int key_generate(enum key_use use, struct bytes owner, struct key_secret **ret)
{
	return key_new(use, owner, NULL, ret);
}

int key_from_seed(enum key_use use, struct bytes owner, const uint8_t seed[SIGN_SEED_SIZE],
	struct key_secret **ret)
{
	return key_new(use, owner, seed, ret);
}

void key_secret_free(struct key_secret *key)
{
	secret_free(key);
}

int key_public_check(const struct key_public *key, struct bytes owner)
{
	uint8_t id[KEY_ID_SIZE], public[32], text[POSSESSION_TEXT_MAX];
	if (!use_is_known(key->use) || owner.len < 1 || owner.len > OWNER_BYTES_MAX)
		return KEY_BAD;
	key_id(key->use, key->public, id);
	if (memcmp(id, key->id, sizeof(id)) != 0)
		return KEY_BAD;
	if (!use_is_x25519(key->use))
		memcpy(public, key->possession_key, sizeof(public));
	else if (ed25519_to_x25519_public(key->possession_key, public) != 0)
		return KEY_BAD;
	if (memcmp(public, key->public, sizeof(public)) != 0)
		return KEY_BAD;
	struct bytes said = possession_text(key, owner, text);
	return ed25519_verify(said, key->possession_key, key->possession) == 0 ? 0 : KEY_BAD;
}

const char *key_use_name(enum key_use use)
{
	return use_is_known(use) ? use_names[use] : "unknown";
}

int key_use_parse(struct bytes text, enum key_use *ret)
{
	for (enum key_use use = KEY_SIGN; use <= KEY_ROOT; use++) {
		if (bytes_equal(text, BYTES_STR(use_names[use]))) {
			*ret = use;
			return 0;
		}
	}
	return 1;
}
