/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "proto/base/bytes.h"
#include "proto/identity/keyfile.h"

/*
 * The text inside key files (docs/protocol.md "Key files"): pure, no files. Sentences never repeat what
 * stands in a line, because in a secret file that may be the secret.
 */
enum {
	KEYTEXT_LINE_MAX = 256,                                        /* longest line written */
	KEYTEXT_BYTES_MAX = (KEYFILE_KEYS_MAX + 1) * KEYTEXT_LINE_MAX, /* longest text written */
};

/**
 * keytext_parse_secret() - the text of NAME.secret
 * @name:   file name for sentences
 * @text:   untrusted
 * @ret:    keys in secret memory; keyring_secret_deinit(); untouched unless 0
 * @reterr: room for a sentence: file, line, remedy
 * @size:   of @reterr
 * Return: 0, KEYFILE_MALFORMED, -ENOMEM.
 */
int keytext_parse_secret(
	const char *name, struct bytes text, struct keyring_secret *ret, char *reterr, size_t size);

/**
 * keytext_parse_public() - the text of NAME.keys; checks every id and proof of possession
 * @name:   file name for sentences
 * @text:   untrusted
 * @ret:    the keys; untouched unless 0
 * @reterr: room for a sentence: file, line, remedy
 * @size:   of @reterr
 * Return: 0 or KEYFILE_MALFORMED.
 */
int keytext_parse_public(
	const char *name, struct bytes text, struct keyring_public *ret, char *reterr, size_t size);

/**
 * keytext_format_secret() - write the text of NAME.secret
 * @keys: what to write
 * @buf:  at least KEYTEXT_BYTES_MAX bytes of secret memory
 * Return: bytes written.
 */
size_t keytext_format_secret(const struct keyring_secret *keys, char *buf);

/**
 * keytext_format_public() - write the text of NAME.keys
 * @keys: what to write
 * @buf:  at least KEYTEXT_BYTES_MAX bytes
 * Return: bytes written.
 */
size_t keytext_format_public(const struct keyring_public *keys, char *buf);

/**
 * keytext_has_root() - does this text hold a root secret, well-formed or not?
 * @text: content of any file
 * Return: true when one line begins like a secret file and another like a root key.
 */
bool keytext_has_root(struct bytes text);
