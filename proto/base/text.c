/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Strict on purpose: for every value exactly one base64 or decimal form is taken. Keys, digests and
 * signed notes pass here, and a second spelling of the same bytes would be a second identity to
 * whoever compares text. Hex is the exception, taken in both cases, because people paste it.
 */
#include "proto/base/text.h"

#include <stdbool.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_hex(struct bytes src, char *buf)
{
	for (size_t i = 0; i < src.len; i++) {
		*buf++ = hex_digits[src.data[i] >> 4];
		*buf++ = hex_digits[src.data[i] & 15];
	}
	*buf = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int text_unhex(const char *text, uint8_t *buf, size_t len)
{
	if (strnlen(text, 2 * len + 1) != 2 * len)
		return 1;
	for (size_t i = 0; i < len; i++) {
		int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return 1;
		buf[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

void text_base64(struct bytes src, char *buf)
{
	for (size_t i = 0; i < src.len; i += 3) {
		size_t have = src.len - i < 3 ? src.len - i : 3;
		uint32_t group = (uint32_t)src.data[i] << 16;
		if (have > 1)
			group |= (uint32_t)src.data[i + 1] << 8;
		if (have > 2)
			group |= src.data[i + 2];
		*buf++ = base64_digits[group >> 18];
		*buf++ = base64_digits[group >> 12 & 63];
		*buf++ = have > 1 ? base64_digits[group >> 6 & 63] : '=';
		*buf++ = have > 2 ? base64_digits[group & 63] : '=';
	}
	*buf = '\0';
}

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four characters, the last @padding of which are '='. */
static int base64_group(const uint8_t *text, size_t padding, uint8_t *buf)
{
	uint32_t group = 0;
	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? base64_value(text[i]) : 0;
		if (value < 0)
			return 1;
		group = group << 6 | (uint32_t)value;
	}
	/* Bits that no byte takes must be zero, or four texts would mean the same byte. */
	if ((padding == 1 && (group & 0xff)) || (padding == 2 && (group & 0xffff)))
		return 1;
	for (size_t i = 0; i < 3 - padding; i++)
		buf[i] = (uint8_t)(group >> (16 - 8 * i));
	return 0;
}

int text_unbase64(struct bytes text, uint8_t *buf, size_t size, size_t *ret_len)
{
	if (text.len % 4 != 0)
		return 1;
	size_t padding = 0;
	while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
		padding++;
	size_t len = text.len / 4 * 3 - padding;
	if (len > size)
		return 1;
	for (size_t i = 0; i < text.len; i += 4, buf += 3) {
		bool last = i + 4 == text.len;
		if (base64_group(text.data + i, last ? padding : 0, buf) != 0)
			return 1;
	}
	*ret_len = len;
	return 0;
}

int text_parse_u64(struct bytes text, uint64_t *ret)
{
	uint64_t value = 0;
	if (text.len == 0 || (text.len > 1 && text.data[0] == '0'))
		return 1;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t digit = (uint8_t)(text.data[i] - '0');
		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, digit, &value))
			return 1;
	}
	*ret = value;
	return 0;
}

static bool is_letter_or_digit(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool text_is_name(struct bytes text)
{
	if (text.len < 1 || text.len > 63)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		bool inside = i > 0 && i + 1 < text.len;
		if (!is_letter_or_digit(c) && !(inside && (c == '.' || c == '-')))
			return false;
	}
	return true;
}
