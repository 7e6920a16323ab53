/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The registrar takes a key on the strength of its proof of possession alone, so every way to present a
 * proof that was made for something else is tried: other use, other owner, other key, a bit flipped.
 */
#include "proto/identity/key.h"

#include "proto/base/text.h"
#include "test/kit/check.h"

static const uint8_t seed[SIGN_SEED_SIZE] = "a seed that is not secret at all";
static const struct bytes owner = {.data = (const uint8_t *)"jobcenter", .len = 9};

static void every_use_proves_possession(void)
{
	CHECK_INT(crypto_init(), 0);
	for (enum key_use use = KEY_SIGN; use <= KEY_ROOT; use++) {
		_cleanup_(key_secret_free) struct key_secret *key = NULL;
		CHECK_INT(key_generate(use, owner, &key), 0);
		CHECK_INT(key_public_check(&key->pub, owner), 0);
		bool box = use == KEY_SEAL || use == KEY_TRANSPORT;
		CHECK_INT(memcmp(key->pub.public, key->pub.possession_key, 32) != 0, box);
	}
}

static void same_seed_gives_the_same_key(void)
{
	_cleanup_(key_secret_free) struct key_secret *a = NULL, *b = NULL, *other = NULL;
	CHECK_INT(key_from_seed(KEY_SEAL, owner, seed, &a), 0);
	CHECK_INT(key_from_seed(KEY_SEAL, owner, seed, &b), 0);
	CHECK_INT(key_from_seed(KEY_TRANSPORT, owner, seed, &other), 0);
	CHECK_MEM(&a->pub, &b->pub, sizeof(a->pub));
	CHECK_MEM(a->x25519, b->x25519, sizeof(a->x25519));
	CHECK_MEM(a->pub.public, other->pub.public, 32);
	CHECK(memcmp(a->pub.id, other->pub.id, KEY_ID_SIZE) != 0);
}

/* Written again from proto/registry.proto. */
static void id_is_what_the_contract_says(void)
{
	uint8_t text[18 + 32], hash[HASH_SIZE], id[KEY_ID_SIZE];
	memcpy(text, "dienstweg/v1/key\0\2", 18);
	memset(text + 18, 7, 32);
	sha256_of(BYTES(text, sizeof(text)), hash);
	key_id(KEY_SEAL, text + 18, id);
	CHECK_MEM(id, hash, KEY_ID_SIZE);
}

static void secret_and_public_belong_together(void)
{
	_cleanup_(key_secret_free) struct key_secret *sign = NULL, *seal = NULL;
	uint8_t signature[SIGNATURE_SIZE], public[BOX_KEY_SIZE], zero[SIGN_SECRET_SIZE] = {0};
	CHECK_INT(key_from_seed(KEY_SIGN, owner, seed, &sign), 0);
	CHECK_INT(key_from_seed(KEY_SEAL, owner, seed, &seal), 0);
	ed25519_sign(BYTES("text", 4), sign->ed25519, signature);
	CHECK_INT(ed25519_verify(BYTES("text", 4), sign->pub.public, signature), 0);
	x25519_public(seal->x25519, public);
	CHECK_MEM(public, seal->pub.public, sizeof(public));
	CHECK_MEM(seal->ed25519, zero, sizeof(zero));
	CHECK_MEM(sign->x25519, zero, sizeof(sign->x25519));
}

static void proof_is_for_one_use_and_owner(void)
{
	for (enum key_use use = KEY_SIGN; use <= KEY_ROOT; use++) {
		_cleanup_(key_secret_free) struct key_secret *key = NULL;
		CHECK_INT(key_from_seed(use, owner, seed, &key), 0);
		CHECK_INT(key_public_check(&key->pub, BYTES("jobcentre", 9)), KEY_BAD);
		CHECK_INT(key_public_check(&key->pub, BYTES("jobcente", 8)), KEY_BAD);
		CHECK_INT(key_public_check(&key->pub, BYTES(NULL, 0)), KEY_BAD);
		for (enum key_use other = KEY_SIGN; other <= KEY_ROOT; other++) {
			struct key_public moved = key->pub;
			moved.use = other;
			key_id(other, moved.public, moved.id);
			CHECK_INT(key_public_check(&moved, owner), other == use ? 0 : KEY_BAD);
		}
		struct key_public unknown = key->pub;
		unknown.use = (enum key_use)0;
		CHECK_INT(key_public_check(&unknown, owner), KEY_BAD);
		unknown.use = (enum key_use)7;
		CHECK_INT(key_public_check(&unknown, owner), KEY_BAD);
	}
}

/* domain NUL || u8 length || owner || u8 use || public, by hand. */
static size_t possession_text(uint8_t *text, enum key_use use, const uint8_t *public)
{
	memcpy(text, "dienstweg/v1/possession\0\11jobcenter", 34);
	text[34] = (uint8_t)use;
	memcpy(text + 35, public, 32);
	return 67;
}

static void proof_is_what_the_contract_says(void)
{
	_cleanup_(key_secret_free) struct key_secret *key = NULL;
	uint8_t text[67];
	CHECK_INT(key_from_seed(KEY_SEAL, owner, seed, &key), 0);
	size_t len = possession_text(text, KEY_SEAL, key->pub.public);
	CHECK_INT(ed25519_verify(BYTES(text, len), key->pub.possession_key, key->pub.possession), 0);
}

/* The thief signs a perfect proof for somebody else's public key, with a key of his own. */
static void a_proof_by_another_key_is_refused(void)
{
	for (enum key_use use = KEY_SIGN; use <= KEY_ROOT; use++) {
		_cleanup_(key_secret_free) struct key_secret *victim = NULL;
		uint8_t thief[SIGN_SECRET_SIZE], text[67];
		CHECK_INT(key_generate(use, owner, &victim), 0);
		struct key_public stolen = victim->pub;
		ed25519_from_seed(seed, stolen.possession_key, thief);
		size_t len = possession_text(text, use, stolen.public);
		ed25519_sign(BYTES(text, len), thief, stolen.possession);
		CHECK_INT(key_public_check(&stolen, owner), KEY_BAD);
	}
}

/* Somebody else's public key under one's own proof. */
static void proof_is_for_one_key(void)
{
	_cleanup_(key_secret_free) struct key_secret *mine = NULL, *theirs = NULL;
	CHECK_INT(key_from_seed(KEY_SEAL, owner, seed, &mine), 0);
	CHECK_INT(key_generate(KEY_SEAL, owner, &theirs), 0);
	struct key_public stolen = mine->pub;
	memcpy(stolen.public, theirs->pub.public, 32);
	key_id(KEY_SEAL, stolen.public, stolen.id);
	CHECK_INT(key_public_check(&stolen, owner), KEY_BAD);
	memcpy(stolen.possession_key, theirs->pub.possession_key, 32);
	CHECK_INT(key_public_check(&stolen, owner), KEY_BAD);
}

static void any_flipped_bit_is_refused(void)
{
	static const enum key_use uses[] = {KEY_SIGN, KEY_SEAL};
	for (size_t u = 0; u < 2; u++) {
		_cleanup_(key_secret_free) struct key_secret *key = NULL;
		CHECK_INT(key_from_seed(uses[u], owner, seed, &key), 0);
		struct {
			uint8_t *bytes;
			size_t len;
		} parts[] = {
			{key->pub.id, sizeof(key->pub.id)},
			{key->pub.public, sizeof(key->pub.public)},
			{key->pub.possession_key, sizeof(key->pub.possession_key)},
			{key->pub.possession, sizeof(key->pub.possession)},
		};
		for (size_t p = 0; p < 4; p++) {
			for (size_t bit = 0; bit < 8 * parts[p].len; bit++) {
				parts[p].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
				CHECK_INT(key_public_check(&key->pub, owner), KEY_BAD);
				parts[p].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			}
		}
		CHECK_INT(key_public_check(&key->pub, owner), 0);
	}
}

static void uses_have_names(void)
{
	enum key_use use;
	for (enum key_use each = KEY_SIGN; each <= KEY_ROOT; each++) {
		CHECK_INT(key_use_parse(BYTES_STR(key_use_name(each)), &use), 0);
		CHECK_INT(use, each);
	}
	CHECK_INT(key_use_parse(BYTES("Sign", 4), &use), 1);
	CHECK_INT(key_use_parse(BYTES("sign\0", 5), &use), 1);
	CHECK_INT(key_use_parse(BYTES("", 0), &use), 1);
	CHECK_STR(key_use_name((enum key_use)99), "unknown");
}

CHECK_MAIN(CHECK_CASE(every_use_proves_possession), CHECK_CASE(same_seed_gives_the_same_key),
	CHECK_CASE(id_is_what_the_contract_says), CHECK_CASE(secret_and_public_belong_together),
	CHECK_CASE(proof_is_for_one_use_and_owner), CHECK_CASE(proof_is_what_the_contract_says),
	CHECK_CASE(a_proof_by_another_key_is_refused), CHECK_CASE(proof_is_for_one_key),
	CHECK_CASE(any_flipped_bit_is_refused), CHECK_CASE(uses_have_names))
