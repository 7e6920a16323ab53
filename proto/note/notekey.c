/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The text of a verifier key is compared, copied onto paper and pinned, so a key must have exactly one
 * spelling. Rather than a rule for each way to write it differently, what was parsed is written out
 * again and must come back letter for letter; that also covers the hash.
 */
#include "proto/note/note.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/note/utf8.h"

enum { BLOB_SIZE = 1 + SIGN_PUBLIC_SIZE };

/* First four bytes of SHA-256(name || 0x0A || algorithm || public key). */
static uint32_t key_hash(struct bytes name, const uint8_t blob[BLOB_SIZE])
{
	struct sha256 state;
	uint8_t hash[HASH_SIZE];
	sha256_init(&state);
	sha256_add(&state, name);
	sha256_add(&state, BYTES("\n", 1));
	sha256_add(&state, BYTES(blob, BLOB_SIZE));
	sha256_finish(&state, hash);
	return be32_get(hash);
}

static int key_init(struct note_key *key, struct bytes name, const uint8_t blob[BLOB_SIZE])
{
	if (name.len >= sizeof(key->name) || !utf8_is_key_name(name))
		return NOTE_KEY_MALFORMED;
	*key = (struct note_key){.hash = key_hash(name, blob), .algorithm = blob[0]};
	memcpy(key->name, name.data, name.len);
	memcpy(key->public, blob + 1, SIGN_PUBLIC_SIZE);
	return 0;
}

int note_key_init(struct note_key *key, struct bytes name, const uint8_t public[SIGN_PUBLIC_SIZE])
{
	uint8_t blob[BLOB_SIZE] = {NOTE_ED25519};
	memcpy(blob + 1, public, SIGN_PUBLIC_SIZE);
	return key_init(key, name, blob);
}

int note_key_init_witness(
	struct note_key *key, struct bytes name, const uint8_t public[SIGN_PUBLIC_SIZE])
{
	uint8_t blob[BLOB_SIZE] = {NOTE_COSIGNATURE};
	memcpy(blob + 1, public, SIGN_PUBLIC_SIZE);
	return key_init(key, name, blob);
}

static int key_parse(struct bytes vkey, uint8_t algorithm, struct note_key *ret)
{
	if (vkey.len == 0 || vkey.len >= NOTE_VKEY_SIZE)
		return NOTE_KEY_MALFORMED;
	const uint8_t *end = vkey.data + vkey.len;
	const uint8_t *first = memchr(vkey.data, '+', vkey.len);
	const uint8_t *second = first ? memchr(first + 1, '+', (size_t)(end - first - 1)) : NULL;
	if (!second)
		return NOTE_KEY_MALFORMED;

	uint8_t blob[BLOB_SIZE];
	size_t len;
	if (text_unbase64(BYTES(second + 1, end - second - 1), blob, sizeof(blob), &len) != 0 ||
		len != sizeof(blob) || blob[0] != algorithm)
		return NOTE_KEY_MALFORMED;

	struct note_key key;
	char text[NOTE_VKEY_SIZE];
	int r = key_init(&key, BYTES(vkey.data, first - vkey.data), blob);
	if (r != 0)
		return r;
	note_key_format(&key, text);
	if (!bytes_equal(BYTES_STR(text), vkey))
		return NOTE_KEY_MALFORMED;
	*ret = key;
	return 0;
}

int note_key_parse(struct bytes vkey, struct note_key *ret)
{
	return key_parse(vkey, NOTE_ED25519, ret);
}

int note_key_parse_witness(struct bytes vkey, struct note_key *ret)
{
	return key_parse(vkey, NOTE_COSIGNATURE, ret);
}

void note_key_format(const struct note_key *key, char buf[NOTE_VKEY_SIZE])
{
	uint8_t blob[BLOB_SIZE];
	char base64[TEXT_BASE64_SIZE(BLOB_SIZE)];
	blob[0] = key->algorithm;
	memcpy(blob + 1, key->public, SIGN_PUBLIC_SIZE);
	text_base64(BYTES(blob, sizeof(blob)), base64);
	int n = snprintf(
		buf, NOTE_VKEY_SIZE, "%s+%08x+%s", key->name, (unsigned int)key->hash, base64);
	assert(n > 0 && n < NOTE_VKEY_SIZE);
}
