/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"

/*
 * Keys: one use per key. Every secret is an Ed25519 seed; seal and transport keys are its X25519 form,
 * so that all of them can prove possession with a signature (design section 7). Id and possession text:
 * proto/registry.proto, message Key.
 */
enum { KEY_ID_SIZE = 16 };

/* Same numbers as KeyUse in registry.proto. */
enum key_use {
	KEY_SIGN = 1,
	KEY_SEAL = 2,
	KEY_TRANSPORT = 3,
	KEY_LOG = 4,
	KEY_WITNESS = 5,
	KEY_ROOT = 6,
};

/* The public half, as it goes to the registrar and into the registry. */
struct key_public {
	enum key_use use;
	uint8_t id[KEY_ID_SIZE];
	uint8_t public[32];
	uint8_t possession_key[SIGN_PUBLIC_SIZE];
	uint8_t possession[SIGNATURE_SIZE];
};

/* Lives in secret_alloc() memory only. */
struct key_secret {
	struct key_public pub;
	uint8_t seed[SIGN_SEED_SIZE];
	uint8_t ed25519[SIGN_SECRET_SIZE]; /* sign, log, witness, root */
	uint8_t x25519[BOX_KEY_SIZE];      /* seal, transport */
};

/**
 * key_generate() - make a new key
 * @use:   what for
 * @owner: name of party, bus or root that owns it; part of the proof of possession
 * @ret:   in secret memory; key_secret_free()
 * Return: 0 or -ENOMEM.
 */
int key_generate(enum key_use use, struct bytes owner, struct key_secret **ret);

/**
 * key_from_seed() - rebuild a key from its seed
 * @use:   what for
 * @owner: its owner
 * @seed:  32 secret bytes
 * @ret:   the key
 * Return: 0 or -ENOMEM.
 */
int key_from_seed(enum key_use use, struct bytes owner, const uint8_t seed[SIGN_SEED_SIZE],
	struct key_secret **ret);
void key_secret_free(struct key_secret *key); /* wipes; takes NULL */
DEFINE_CLEANUP(struct key_secret *, key_secret_free);

/**
 * key_id() - compute a key's id
 * @use:    its use
 * @public: its 32 public bytes
 * @ret:    16 bytes
 */
void key_id(enum key_use use, const uint8_t public[32], uint8_t ret[KEY_ID_SIZE]);

/**
 * key_public_check() - is the id right and the proof of possession good?
 * @key:   public half
 * @owner: claimed owner
 * Return: 0, or KEY_BAD.
 */
enum { KEY_BAD = 1 };
int key_public_check(const struct key_public *key, struct bytes owner) _must_use_;

/* "sign", "seal", ... and back (0 or 1). */
const char *key_use_name(enum key_use use);
int key_use_parse(struct bytes text, enum key_use *ret);
