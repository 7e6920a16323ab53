/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Notes are signed byte for byte but read by people and by other programs as UTF-8. Whatever two readers
 * could take differently (overlong forms, surrogates, code points past the end, a space that does not
 * look like one in a name) is refused before a signature is even looked at. No locale is involved.
 */
#include "proto/note/utf8.h"

#include <stdint.h>

/* Length that a first byte announces, and the bits of the code point it carries; 0: not a first byte. */
static size_t sequence_length(uint8_t first, uint32_t *ret_bits)
{
	if (first < 0x80) {
		*ret_bits = first;
		return 1;
	}
	if (first >= 0xc2 && first <= 0xdf) {
		*ret_bits = first & 0x1f;
		return 2;
	}
	if (first >= 0xe0 && first <= 0xef) {
		*ret_bits = first & 0x0f;
		return 3;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		*ret_bits = first & 0x07;
		return 4;
	}
	return 0;
}

/* Takes the first code point off @text; false when there is no valid one. */
static bool utf8_take(struct bytes *text, uint32_t *ret)
{
	uint32_t code = 0;
	size_t len = sequence_length(text->data[0], &code);
	if (len == 0 || len > text->len)
		return false;
	for (size_t i = 1; i < len; i++) {
		if ((text->data[i] & 0xc0) != 0x80)
			return false;
		code = code << 6 | (text->data[i] & 0x3f);
	}
	const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return false;
	text->data += len;
	text->len -= len;
	*ret = code;
	return true;
}

bool utf8_is_text(struct bytes text)
{
	while (text.len > 0) {
		uint32_t code;
		if (!utf8_take(&text, &code) || (code < 0x20 && code != '\n'))
			return false;
	}
	return true;
}

/* The property White_Space of Unicode. */
static bool is_space(uint32_t code)
{
	return (code >= 0x09 && code <= 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 ||
	       code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
	       code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool utf8_is_key_name(struct bytes name)
{
	if (name.len == 0)
		return false;
	while (name.len > 0) {
		uint32_t code;
		if (!utf8_take(&name, &code) || code < 0x20 || code == '+' || is_space(code))
			return false;
	}
	return true;
}
