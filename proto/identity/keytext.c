/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * People copy, merge and comment key files, so blanks and comments are forgiven; what a line says is not.
 * A line is parsed as a whole or refused as a whole: half a key file is a party that can send but not
 * open, found out weeks later. Looking for a root secret is the opposite: there a damaged or unreadably
 * formatted file still counts, because the question is what lies on this disk.
 */
#include "proto/identity/keytext.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

enum { WORDS_MAX = 6 };

static const char secret_magic[] = "dienstweg-secret";
static const char public_magic[] = "dienstweg-keys";

struct parser {
	const char *name;
	struct bytes rest;
	size_t line;
	char *reterr;
	size_t size;
};

struct words {
	struct bytes word[WORDS_MAX]; /* more words than these are counted, not kept */
	size_t count;
};

_printf_(2, 3) static int malformed(struct parser *parser, const char *format, ...)
{
	char sentence[160];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	size_t line = parser->line ? parser->line : 1;
	snprintf(parser->reterr, parser->size, "%s:%zu: %s", parser->name, line, sentence);
	return KEYFILE_MALFORMED;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void line_split(struct bytes line, struct words *ret)
{
	*ret = (struct words){0};
	for (size_t i = 0; i < line.len;) {
		size_t start = i;
		while (i < line.len && !is_blank(line.data[i]))
			i++;
		if (i > start && ret->count++ < WORDS_MAX)
			ret->word[ret->count - 1] = BYTES(line.data + start, i - start);
		while (i < line.len && is_blank(line.data[i]))
			i++;
	}
}

static bool line_take(struct bytes *rest, struct bytes *ret)
{
	if (rest->len == 0)
		return false;
	const uint8_t *end = memchr(rest->data, '\n', rest->len);
	size_t len = end ? (size_t)(end - rest->data) : rest->len;
	size_t step = end ? len + 1 : len;
	*ret = BYTES(rest->data, len);
	*rest = BYTES(rest->data + step, rest->len - step);
	return true;
}

/* The next line that says something. */
static bool parser_next(struct parser *parser, struct words *ret)
{
	struct bytes line;
	while (line_take(&parser->rest, &line)) {
		parser->line++;
		line_split(line, ret);
		if (ret->count > 0 && ret->word[0].data[0] != '#')
			return true;
	}
	return false;
}

static int parse_owner(struct parser *parser, const char *magic, char owner[64])
{
	struct words words;
	if (!parser_next(parser, &words) || words.count != 3 ||
		!bytes_equal(words.word[0], BYTES_STR(magic)))
		return malformed(parser, "expected \"%s 0 OWNER\" first", magic);
	if (!bytes_equal(words.word[1], BYTES_STR("0")))
		return malformed(parser, "format version is not 0: this program is too old for it");
	if (!text_is_name(words.word[2]))
		return malformed(parser, "the owner is no name: 1 to 63 of a-z 0-9 . -");
	memcpy(owner, words.word[2].data, words.word[2].len);
	owner[words.word[2].len] = '\0';
	return 0;
}

static int parse_use(struct parser *parser, struct bytes word, enum key_use *ret)
{
	if (key_use_parse(word, ret) == 0)
		return 0;
	return malformed(
		parser, "unknown use: expected sign, seal, transport, log, witness or root");
}

static int parse_base64(
	struct parser *parser, struct bytes word, const char *what, uint8_t *buf, size_t len)
{
	size_t got = 0;
	if (text_unbase64(word, buf, len, &got) == 0 && got == len)
		return 0;
	return malformed(parser, "the %s is not %zu bytes in base64: copy it again", what, len);
}

static int parse_secret_line(
	struct parser *parser, const struct words *words, struct keyring_secret *keys)
{
	uint8_t seed[SIGN_SEED_SIZE];
	enum key_use use;
	if (words->count != 2)
		return malformed(parser, "expected \"USE SEED\"");
	if (keys->count == KEYFILE_KEYS_MAX)
		return malformed(parser, "more than %d keys: split the file", KEYFILE_KEYS_MAX);
	int r = parse_use(parser, words->word[0], &use);
	if (r == 0)
		r = parse_base64(parser, words->word[1], "seed", seed, sizeof(seed));
	if (r == 0)
		r = key_from_seed(use, BYTES_STR(keys->owner), seed, &keys->keys[keys->count]);
	secret_wipe(seed, sizeof(seed));
	if (r != 0)
		return r;
	const struct key_secret *key = keys->keys[keys->count++];
	for (size_t i = 0; i + 1 < keys->count; i++) {
		if (memcmp(keys->keys[i]->pub.id, key->pub.id, KEY_ID_SIZE) == 0)
			return malformed(parser, "the same key twice: remove one");
	}
	return 0;
}

int keytext_parse_secret(
	const char *name, struct bytes text, struct keyring_secret *ret, char *reterr, size_t size)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret keys = {0};
	struct parser parser = {.name = name, .rest = text, .reterr = reterr, .size = size};
	struct words words;
	int r = parse_owner(&parser, secret_magic, keys.owner);
	while (r == 0 && parser_next(&parser, &words))
		r = parse_secret_line(&parser, &words, &keys);
	if (r != 0)
		return r;
	if (keys.count == 0)
		return malformed(&parser, "no key in it");
	*ret = keys;
	keys = (struct keyring_secret){0};
	return 0;
}

static int parse_public_line(
	struct parser *parser, const struct words *words, struct keyring_public *keys)
{
	struct key_public key;
	char id[2 * KEY_ID_SIZE + 1] = "";
	if (words->count != 5)
		return malformed(parser, "expected \"USE ID PUBLIC POSSESSION-KEY POSSESSION\"");
	if (keys->count == KEYFILE_KEYS_MAX)
		return malformed(parser, "more than %d keys: split the file", KEYFILE_KEYS_MAX);
	int r = parse_use(parser, words->word[0], &key.use);
	if (r != 0)
		return r;
	if (words->word[1].len == 2 * KEY_ID_SIZE)
		memcpy(id, words->word[1].data, 2 * KEY_ID_SIZE);
	if (text_unhex(id, key.id, sizeof(key.id)) != 0)
		return malformed(parser, "the id is not %d bytes in hex", KEY_ID_SIZE);
	r = parse_base64(parser, words->word[2], "public key", key.public, sizeof(key.public));
	if (r == 0)
		r = parse_base64(parser, words->word[3], "possession key", key.possession_key,
			sizeof(key.possession_key));
	if (r == 0)
		r = parse_base64(parser, words->word[4], "proof of possession", key.possession,
			sizeof(key.possession));
	if (r != 0)
		return r;
	if (key_public_check(&key, BYTES_STR(keys->owner)) != 0)
		return malformed(parser, "id or proof of possession does not fit this key, use and "
					 "owner: ask the owner for the file again");
	for (size_t i = 0; i < keys->count; i++) {
		if (memcmp(keys->keys[i].id, key.id, KEY_ID_SIZE) == 0)
			return malformed(parser, "the same key twice: remove one");
	}
	keys->keys[keys->count++] = key;
	return 0;
}

int keytext_parse_public(
	const char *name, struct bytes text, struct keyring_public *ret, char *reterr, size_t size)
{
	struct keyring_public keys = {0};
	struct parser parser = {.name = name, .rest = text, .reterr = reterr, .size = size};
	struct words words;
	int r = parse_owner(&parser, public_magic, keys.owner);
	while (r == 0 && parser_next(&parser, &words))
		r = parse_public_line(&parser, &words, &keys);
	if (r != 0)
		return r;
	if (keys.count == 0)
		return malformed(&parser, "no key in it");
	*ret = keys;
	return 0;
}

_printf_(3, 4) static void append(char *buf, size_t *used, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(buf + *used, KEYTEXT_LINE_MAX, format, args);
	va_end(args);
	assert(n >= 0 && n < KEYTEXT_LINE_MAX);
	*used += (size_t)n;
}

size_t keytext_format_secret(const struct keyring_secret *keys, char *buf)
{
	char seed[TEXT_BASE64_SIZE(SIGN_SEED_SIZE)];
	size_t used = 0;
	append(buf, &used, "%s 0 %s\n", secret_magic, keys->owner);
	for (size_t i = 0; i < keys->count; i++) {
		const struct key_secret *key = keys->keys[i];
		text_base64(BYTES(key->seed, sizeof(key->seed)), seed);
		append(buf, &used, "%s %s\n", key_use_name(key->pub.use), seed);
	}
	secret_wipe(seed, sizeof(seed));
	return used;
}

size_t keytext_format_public(const struct keyring_public *keys, char *buf)
{
	size_t used = 0;
	append(buf, &used, "%s 0 %s\n", public_magic, keys->owner);
	for (size_t i = 0; i < keys->count; i++) {
		const struct key_public *key = &keys->keys[i];
		char id[2 * KEY_ID_SIZE + 1], public[TEXT_BASE64_SIZE(sizeof(key->public))],
			possession_key[TEXT_BASE64_SIZE(sizeof(key->possession_key))],
			possession[TEXT_BASE64_SIZE(sizeof(key->possession))];
		text_hex(BYTES(key->id, sizeof(key->id)), id);
		text_base64(BYTES(key->public, sizeof(key->public)), public);
		text_base64(BYTES(key->possession_key, sizeof(key->possession_key)), possession_key);
		text_base64(BYTES(key->possession, sizeof(key->possession)), possession);
		append(buf, &used, "%s %s %s %s %s\n", key_use_name(key->use), id, public,
			possession_key, possession);
	}
	return used;
}

bool keytext_has_root(struct bytes text)
{
	bool secret = false, root = false;
	struct bytes line;
	while (line_take(&text, &line)) {
		struct words words;
		line_split(line, &words);
		if (words.count == 0)
			continue;
		secret |= bytes_equal(words.word[0], BYTES_STR(secret_magic));
		root |= bytes_equal(words.word[0], BYTES_STR(key_use_name(KEY_ROOT)));
	}
	return secret && root;
}
