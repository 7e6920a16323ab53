/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"

/* Text forms of bytes and numbers. Every function is pure. 1 means "not of that form". */

/**
 * text_hex() - lower-case hex
 * @src:  bytes
 * @buf:  2 * len + 1 bytes, NUL-terminated
 */
void text_hex(struct bytes src, char *buf);

/**
 * text_unhex() - hex to exactly @len bytes
 * @text: NUL-terminated hex of exactly 2 * @len digits, in either case
 * @buf:  result
 * @len:  expected bytes
 * Return: 0 or 1.
 */
int text_unhex(const char *text, uint8_t *buf, size_t len);

/**
 * text_base64() - standard base64 with padding
 * @src:  bytes
 * @buf:  TEXT_BASE64_SIZE(len) bytes, NUL-terminated
 */
#define TEXT_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
void text_base64(struct bytes src, char *buf);

/**
 * text_unbase64() - strict standard base64: padded, no white space, one form for each value
 * @text:    input
 * @buf:     result
 * @size:    room in @buf; too little gives 1
 * @ret_len: bytes written
 * Return: 0 or 1.
 */
int text_unbase64(struct bytes text, uint8_t *buf, size_t size, size_t *ret_len);

/**
 * text_parse_u64() - decimal digits only, no sign, no leading zeros, no overflow
 * @text: input
 * @ret:  value
 * Return: 0 or 1.
 */
int text_parse_u64(struct bytes text, uint64_t *ret);

/**
 * text_is_name() - 1..63 bytes of [a-z0-9.-], neither starting nor ending in '.' or '-'
 * @text: input
 * Return: true for a legal bus, party or service name.
 */
bool text_is_name(struct bytes text);
