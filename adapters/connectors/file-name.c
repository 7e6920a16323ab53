/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A document's name comes from another agency and becomes a file here, so it may say only what a name can
 * say. Letters beyond ASCII stay, because people look for their documents by name; what turns text around
 * or hides in it goes, because it makes "fdp.exe" look like "exe.pdf".
 */
#include "adapters/connectors/file-name.h"

#include <stdint.h>
#include <strings.h>

#include "proto/base/cleanup.h"

enum { FILE_SUFFIX_MAX = 12 };

struct range {
	uint32_t first, last;
};

/* Controls, marks of direction, separators, invisible and private characters, non-characters. */
static const struct range hidden[] = {{0x00, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, {0x61c, 0x61c},
	{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xd800, 0xf8ff},
	{0xfdd0, 0xfdef}, {0xfeff, 0xfeff}, {0xfff0, 0xffff}, {0xe0000, 0x10ffff}};

/* One character of UTF-8 in its shortest form; returns its length, or 0. */
static size_t utf8_next(const uint8_t *p, size_t left, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len == 0 || len > left || p[0] > 0xf4)
		return 0;
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	*ret = c;
	return c >= least[len] ? len : 0;
}

static bool is_plain(uint32_t c)
{
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	}
	return c != '/' && c != '\\' && c != ':' && c != '"' && c != '<' && c != '>' && c != '|' &&
	       c != '?' && c != '*';
}

/* Copies whole characters while there is room; what is not plain becomes one '_'. */
static size_t copy_plain(struct bytes raw, char *buf, size_t room)
{
	size_t used = 0;
	for (size_t i = 0; i < raw.len && used < room;) {
		uint32_t c = 0;
		size_t len = utf8_next(raw.data + i, raw.len - i, &c);
		if (len > room - used)
			break;
		if (len > 0 && is_plain(c)) {
			memcpy(buf + used, raw.data + i, len);
			used += len;
		} else {
			buf[used++] = '_';
		}
		i += len ? len : 1;
	}
	return used;
}

/* ".pdf", when a name of this length has one. */
static struct bytes suffix_of(struct bytes raw)
{
	for (size_t i = 1; i < FILE_SUFFIX_MAX && i < raw.len; i++) {
		if (raw.data[raw.len - i] == '.')
			return BYTES(raw.data + raw.len - i, i);
	}
	return BYTES(NULL, 0);
}

void file_name_clean(struct bytes raw, char buf[FILE_NAME_MAX + 1])
{
	struct bytes suffix = suffix_of(raw);
	size_t used;
	if (raw.len <= FILE_NAME_MAX) {
		used = copy_plain(raw, buf, FILE_NAME_MAX);
	} else { /* cut in front of the suffix: programs go by it */
		used = copy_plain(BYTES(raw.data, raw.len - suffix.len), buf,
			FILE_NAME_MAX - FILE_SUFFIX_MAX);
		used += copy_plain(suffix, buf + used, FILE_NAME_MAX - used);
	}
	while (used > 0 && buf[used - 1] == ' ')
		used--;
	if (used == 0)
		buf[used++] = '_';
	if (buf[0] == '.' || buf[0] == ' ' || buf[0] == '-')
		buf[0] = '_';
	buf[used] = '\0';
}

void file_name_word(struct bytes raw, char buf[FILE_WORD_MAX + 1])
{
	size_t used = 0;
	for (size_t i = 0; i < raw.len && used < FILE_WORD_MAX; i++) {
		uint8_t c = raw.data[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			      (c >= '0' && c <= '9');
		bool mark = (c == '.' || c == '-') && used > 0;
		buf[used++] = letter || mark ? (char)c : '_';
	}
	if (used == 0)
		buf[used++] = '_';
	buf[used] = '\0';
}

bool file_name_ends(const char *name, const char *suffix)
{
	size_t len = strlen(name), end = strlen(suffix);
	return len > end && strncasecmp(name + len - end, suffix, end) == 0;
}

bool file_name_is_unfinished(const char *name)
{
	return name[0] == '.' || file_name_ends(name, ".tmp") || file_name_ends(name, ".part") ||
	       file_name_ends(name, "~");
}

const char *file_name_media_type(const char *name)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {{".pdf", "application/pdf"}, {".xml", "application/xml"},
		{".json", "application/json"}, {".txt", "text/plain"}, {".csv", "text/csv"},
		{".png", "image/png"}, {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"},
		{".tif", "image/tiff"}, {".tiff", "image/tiff"}, {".zip", "application/zip"},
		{".odt", "application/vnd.oasis.opendocument.text"},
		{".ods", "application/vnd.oasis.opendocument.spreadsheet"},
		{".docx", "application/"
			  "vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		{".p7s", "application/pkcs7-signature"}, {".eml", "message/rfc822"}};
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (file_name_ends(name, types[i].suffix))
			return types[i].type;
	}
	return "application/octet-stream";
}
