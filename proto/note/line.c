/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A line by an unknown signer must be well-formed although nobody here will check its signature: a note
 * that one verifier calls malformed and another accepts would be a quarrel between auditors. Signatures
 * of other algorithms run to kilobytes, so base64 is checked slice by slice without keeping it.
 */
#include "proto/note/line.h"

#include <assert.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/note/utf8.h"

enum {
	DASH_SIZE = 4,
	HASH_PREFIX = 4,
	SLICE_TEXT = 128, /* base64 characters looked at in one go; a multiple of 4 */
	SLICE_BYTES = SLICE_TEXT / 4 * 3,
};

static const uint8_t dash[DASH_SIZE] = {0xe2, 0x80, 0x94, ' '};

static_assert(
	(int)SLICE_BYTES >= (int)HASH_PREFIX + (int)NOTE_STAMPED_SIZE, "one slice holds Ed25519");

/* Decodes the first slice into @first and checks that the others would decode. */
static int base64_check(struct bytes text, uint8_t first[SLICE_BYTES], size_t *ret_len)
{
	size_t total = 0;
	uint8_t rest[SLICE_BYTES];
	for (bool begin = true; begin || text.len > 0; begin = false) {
		size_t take = text.len < SLICE_TEXT ? text.len : SLICE_TEXT, len;
		if (text_unbase64(
			    BYTES(text.data, take), begin ? first : rest, SLICE_BYTES, &len) != 0)
			return NOTE_MALFORMED;
		text.data += take;
		text.len -= take;
		/* Padding ends base64: only the last slice may be short. */
		if (text.len > 0 && len != SLICE_BYTES)
			return NOTE_MALFORMED;
		total += len;
	}
	*ret_len = total;
	return 0;
}

int note_line_take(struct bytes *lines, struct note_line *ret)
{
	const uint8_t *end = memchr(lines->data, '\n', lines->len);
	if (!end)
		return NOTE_MALFORMED;
	struct bytes whole = BYTES(lines->data, end - lines->data + 1);
	if (whole.len <= DASH_SIZE || memcmp(whole.data, dash, DASH_SIZE) != 0)
		return NOTE_MALFORMED;
	const uint8_t *name = whole.data + DASH_SIZE;
	const uint8_t *space = memchr(name, ' ', (size_t)(end - name));
	if (!space || !utf8_is_key_name(BYTES(name, space - name)))
		return NOTE_MALFORMED;

	uint8_t first[SLICE_BYTES] = {0};
	size_t len;
	int r = base64_check(BYTES(space + 1, end - space - 1), first, &len);
	if (r != 0)
		return r;
	if (len <= HASH_PREFIX)
		return NOTE_MALFORMED;

	*ret = (struct note_line){.whole = whole,
		.name = BYTES(name, space - name),
		.hash = be32_get(first),
		.length = len - HASH_PREFIX};
	memcpy(ret->signature, first + HASH_PREFIX, NOTE_STAMPED_SIZE);
	lines->data += whole.len;
	lines->len -= whole.len;
	return 0;
}

bool note_line_is_by(const struct note_line *line, const struct note_key *key)
{
	return line->hash == key->hash && bytes_equal(line->name, BYTES_STR(key->name));
}

size_t note_line_encode(const struct note_key *key, struct bytes signature, uint8_t *buf)
{
	uint8_t blob[HASH_PREFIX + NOTE_STAMPED_SIZE];
	char base64[TEXT_BASE64_SIZE(sizeof(blob))];
	assert(signature.len <= NOTE_STAMPED_SIZE);
	be32_put(blob, key->hash);
	memcpy(blob + HASH_PREFIX, signature.data, signature.len);
	text_base64(BYTES(blob, HASH_PREFIX + signature.len), base64);

	uint8_t *p = mempcpy(buf, dash, DASH_SIZE);
	p = mempcpy(p, key->name, strlen(key->name));
	*p++ = ' ';
	p = mempcpy(p, base64, strlen(base64));
	*p++ = '\n';
	return (size_t)(p - buf);
}

size_t note_line_write(struct bytes text, const struct note_key *key,
	const uint8_t secret[SIGN_SECRET_SIZE], uint8_t buf[NOTE_LINE_MAX])
{
	/* An Ed25519 secret ends with its public key; signing under another one gives the secret away. */
	assert(key->algorithm == NOTE_ED25519);
	assert(memcmp(secret + SIGN_SEED_SIZE, key->public, SIGN_PUBLIC_SIZE) == 0);

	uint8_t signature[SIGNATURE_SIZE];
	ed25519_sign(text, secret, signature);
	return note_line_encode(key, BYTES(signature, sizeof(signature)), buf);
}
