/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/merkle/merkle.h"

/*
 * The stub of an entry: its 35-byte commitment and Merkle leaf, never erased (design section 9, byte
 * layout in proto/journal.proto).
 */
enum {
	STUB_SIZE = 35,
	STUB_VERSION = 0,
	STUB_SECRET_SIZE = 32,
	STUB_NONCE_SIZE = 32,
	STUB_SALT_SIZE = 32,
	/* u8 kind, u64 batch_ms, u64 registry version, digest, signature core */
	DISCLOSED_MIN = 1 + 8 + 8 + 32,
	DISCLOSED_MAX = DISCLOSED_MIN + 16 + 4 + 4 + 1 + 5 * 32 + 64,
};

struct stub {
	uint8_t version;
	uint8_t kind;  /* EntryKind */
	uint8_t class; /* retention class */
	uint8_t commitment[HASH_SIZE];
};

/* What an entry discloses to the holder of its receipt. */
struct disclosed {
	uint8_t kind;
	uint64_t batch_ms;
	uint64_t registry_version;
	uint8_t digest[HASH_SIZE];
	struct bytes rest; /* signature core for accepted, else empty */
};

/**
 * disclosed_encode() - the bytes that are hashed
 * @disclosed: what to disclose; @rest as long as its kind demands
 * @buf:       result
 * Return: bytes written.
 */
size_t disclosed_encode(const struct disclosed *disclosed, uint8_t buf[DISCLOSED_MAX]);

/**
 * disclosed_decode() - and back
 * @data: untrusted
 * @ret:  views into @data
 * Return: 0, or 1 when impossible: length, kind 0, or for "accepted" no signature core, for others a rest.
 */
int disclosed_decode(struct bytes data, struct disclosed *ret) _must_use_;

/**
 * stub_open_secret() - what an entry's secret stands for: one is kept instead of two
 * @secret:    32 random bytes, known to who can open the record
 * @ret_nonce: SHA-256("dienstweg/v1/nonce\0" || secret); receipts tell it, and it tells nothing of the secret
 * @ret_salt:  SHA-256("dienstweg/v1/salt\0" || secret)
 */
void stub_open_secret(const uint8_t secret[STUB_SECRET_SIZE], uint8_t ret_nonce[STUB_NONCE_SIZE],
	uint8_t ret_salt[STUB_SALT_SIZE]);

/**
 * stub_private_digest() - what stands for the private part
 * @salt:    32 random bytes
 * @private: a serialized Decision
 * @ret:     SHA-256("dienstweg/v1/private\0" || salt || private)
 */
void stub_private_digest(
	const uint8_t salt[STUB_SALT_SIZE], struct bytes private, uint8_t ret[HASH_SIZE]);

/**
 * stub_make() - the stub of an entry
 * @kind:           EntryKind
 * @class:          retention class
 * @nonce:          32 random bytes
 * @disclosed:      encoded, of the same kind
 * @private_digest: stub_private_digest()
 * @ret:            35 bytes
 */
void stub_make(uint8_t kind, uint8_t class, const uint8_t nonce[STUB_NONCE_SIZE],
	struct bytes disclosed, const uint8_t private_digest[HASH_SIZE], uint8_t ret[STUB_SIZE]);

/**
 * stub_decode() - take a stub apart
 * @data: untrusted
 * @ret:  the stub
 * Return: 0, or 1: length or version.
 */
int stub_decode(struct bytes data, struct stub *ret) _must_use_;

/**
 * stub_leaf() - the Merkle leaf of an entry
 * @stub: 35 bytes
 * @ret:  SHA-256(0x00 || stub)
 */
void stub_leaf(const uint8_t stub[STUB_SIZE], struct merkle_hash *ret);
