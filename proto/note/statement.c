/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The proofs beside a report show that its entries are in the log; that there are no others of this party, and
 * what is said in words, somebody has to answer for. That is the keeper of the log, with the keys that everybody
 * knows him by already.
 */
#include "proto/note/statement.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

static const char first_words[] = "dienstweg/v1/report ";

static int signer_name(const char *origin, struct bytes *ret, char buf[NOTE_NAME_SIZE])
{
	int n = snprintf(buf, NOTE_NAME_SIZE, "%s/report", origin);
	*ret = BYTES((const uint8_t *)buf, (size_t)n);
	return n > 0 && n < NOTE_NAME_SIZE ? 0 : NOTE_MALFORMED;
}

int statement_sign(struct bytes text, const char *origin, const struct key_secret *const *keys,
	size_t count, struct arena *arena, struct bytes *ret)
{
	char buf[NOTE_NAME_SIZE];
	struct bytes name, note;
	size_t head = strlen(first_words) + strlen(origin) + 1, signatures = 0;
	int r = signer_name(origin, &name, buf);
	if (r)
		return r;
	if (text.len > STATEMENT_BYTES_MAX)
		return -EMSGSIZE;
	char *whole = arena_alloc(arena, head + text.len + 1);
	if (!whole)
		return -ENOMEM;
	snprintf(whole, head + 1, "%s%s\n", first_words, origin);
	memcpy(whole + head, text.data, text.len);
	note = BYTES((const uint8_t *)whole, head + text.len);
	for (size_t i = 0; i < count && r == 0; i++) {
		struct note_key signer;
		if (keys[i]->pub.use != KEY_LOG)
			continue;
		r = note_key_init(&signer, name, keys[i]->pub.public);
		if (r == 0)
			r = note_sign(note, &signer, keys[i]->ed25519, arena, &note);
		signatures++;
	}
	if (r == 0 && signatures == 0)
		r = NOTE_MALFORMED;
	*ret = note;
	return r > 0 ? NOTE_MALFORMED : r;
}

bool statement_is(struct bytes file)
{
	size_t len = strlen(first_words);
	return file.len > len && memcmp(file.data, first_words, len) == 0;
}

int statement_origin(struct bytes note, char ret[CHECKPOINT_ORIGIN_MAX + 1])
{
	size_t at = strlen(first_words);
	if (!statement_is(note))
		return NOTE_MALFORMED;
	const uint8_t *end = memchr(note.data + at, '\n', note.len - at);
	size_t len = end ? (size_t)(end - note.data) - at : 0;
	if (len == 0 || len > CHECKPOINT_ORIGIN_MAX || memchr(note.data + at, 0, len))
		return NOTE_MALFORMED;
	memcpy(ret, note.data + at, len);
	ret[len] = '\0';
	return 0;
}

/* The log's keys under the name that they sign reports with. */
static size_t keys_of(const char *origin, const struct note_key *logs, size_t count,
	struct note_key keys[NOTE_KEYS_MAX])
{
	char buf[NOTE_NAME_SIZE];
	struct bytes name;
	size_t known = 0;
	if (signer_name(origin, &name, buf))
		return 0;
	for (size_t i = 0; i < count && i < NOTE_KEYS_MAX; i++)
		known += strcmp(logs[i].name, origin) == 0 &&
			 note_key_init(&keys[known], name, logs[i].public) == 0;
	return known;
}

int statement_open(
	struct bytes note, const struct note_key *logs, size_t count, struct statement *ret)
{
	struct note_key keys[NOTE_KEYS_MAX];
	bool signers[NOTE_KEYS_MAX] = {false};
	struct bytes text;
	*ret = (struct statement){};
	int r = statement_origin(note, ret->origin);
	if (r)
		return r;
	size_t known = keys_of(ret->origin, logs, count, keys);
	if (known == 0)
		return NOTE_KEY_MALFORMED;
	r = note_open(note, keys, known, 1, &text, signers);
	if (r)
		return r;
	size_t head = strlen(first_words) + strlen(ret->origin) + 1;
	ret->text = BYTES(text.data + head, text.len - head);
	for (size_t i = 0; i < known && !*ret->signer; i++)
		if (signers[i])
			memcpy(ret->signer, keys[i].name, sizeof(ret->signer));
	return 0;
}

bool statement_has_json(struct bytes text, struct bytes json)
{
	char line[sizeof(STATEMENT_JSON) + 2 * HASH_SIZE + 1], hex[2 * HASH_SIZE + 1];
	uint8_t hash[HASH_SIZE];
	sha256_of(json, hash);
	text_hex(BYTES(hash, sizeof(hash)), hex);
	int len = snprintf(line, sizeof(line), STATEMENT_JSON "%s\n", hex);
	return len > 0 && text.len > (size_t)len && text.data[text.len - (size_t)len - 1] == '\n' &&
	       memcmp(text.data + text.len - (size_t)len, line, (size_t)len) == 0;
}
