/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/identity/key.h"

/*
 * Key files (docs/protocol.md "Key files"), text, a line per key, '#' comments:
 *   NAME.secret  "dienstweg-secret 0 <owner>" then "<use> <base64 seed>"; mode 0600
 *   NAME.keys    "dienstweg-keys 0 <owner>" then
 *                "<use> <hex id> <base64 public> <base64 possession key> <base64 possession>"
 * A secret file readable by others is refused.
 */
enum {
	KEYFILE_MALFORMED = 1, /* reterr tells line and remedy */
	KEYFILE_UNSAFE = 2,    /* readable by others */
	KEYFILE_KEYS_MAX = 64, /* three uses, exchanged yearly, for twenty years */
};

struct keyring_secret {
	char owner[64];
	struct key_secret *keys[KEYFILE_KEYS_MAX];
	size_t count;
};
struct keyring_public {
	char owner[64];
	struct key_public keys[KEYFILE_KEYS_MAX];
	size_t count;
};

/**
 * keyfile_write() - write NAME.secret (0600) and NAME.keys; never overwrites
 * @dir:  existing folder
 * @name: base name of both files
 * @keys: what to write
 * Return: 0, negative errno (-EEXIST when either is there).
 */
int keyfile_write(const char *dir, const char *name, const struct keyring_secret *keys);

/**
 * keyring_public_of() - the public halves of secret keys
 * @keys: secret
 * @ret:  the same keys, in the same order
 */
void keyring_public_of(const struct keyring_secret *keys, struct keyring_public *ret);

/**
 * keyfile_exchange() - write both files over those that are there
 * @dir:    existing folder
 * @name:   base name of both files
 * @secret: what NAME.secret is to hold
 * @public: what NAME.keys is to hold: the public halves of these, and of keys whose secret is gone
 *
 * Secrets first and each file whole: after a crash in between, a public half can be made again from its
 * secret, and no secret is lost.
 *
 * Return: 0 or negative errno.
 */
int keyfile_exchange(const char *dir, const char *name, const struct keyring_secret *secret,
	const struct keyring_public *public);

/**
 * keyfile_read_secret() - read NAME.secret
 * @path:   the file
 * @ret:    keys in secret memory; keyring_secret_deinit()
 * @reterr: room for a sentence when malformed or unsafe
 * @size:   of @reterr
 * Return: 0, KEYFILE_*, negative errno.
 */
int keyfile_read_secret(const char *path, struct keyring_secret *ret, char *reterr, size_t size);
void keyring_secret_deinit(struct keyring_secret *keys);
DEFINE_CLEANUP_PTR(struct keyring_secret, keyring_secret_deinit);

/**
 * keyfile_read_public() - read NAME.keys and check every proof of possession
 * @path:   the file
 * @ret:    the keys
 * @reterr: room for a sentence
 * @size:   of @reterr
 * Return: 0, KEYFILE_MALFORMED, negative errno.
 */
int keyfile_read_public(const char *path, struct keyring_public *ret, char *reterr, size_t size);

/**
 * keyring_secret_find() - the first key of a use
 * @keys: where
 * @use:  which
 * Return: the key (still the keyring's), or NULL.
 */
const struct key_secret *keyring_secret_find(const struct keyring_secret *keys, enum key_use use);

/**
 * keyfile_root_secret_in() - does a folder hold a root secret that this process can read?
 * @dir:  folder to look into (not recursive); absent counts as no
 * @ret:  path of the first one found
 * @size: of @ret
 * Return: true when there is one: daemons refuse to start (design section 7).
 */
bool keyfile_root_secret_in(const char *dir, char *ret, size_t size);
