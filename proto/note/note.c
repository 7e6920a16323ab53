/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A note is checked in two passes: first that every line is a signature line, then the signatures. So a
 * malformed note has one verdict, whatever keys the reader happens to know, and no work is done for it.
 * Distinct signers are counted by public key, not by name: one person with a key under three names is
 * still one, and quorums of roots rest on that.
 */
#include "proto/note/note.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proto/note/line.h"
#include "proto/note/utf8.h"

static bool is_text(struct bytes text)
{
	return text.len > 0 && text.len <= NOTE_SIZE_MAX && text.data[text.len - 1] == '\n' &&
	       utf8_is_text(text);
}

/* Where the last "\n\n" begins, or NULL. */
static const uint8_t *last_blank(struct bytes note)
{
	for (size_t i = note.len; i >= 2; i--) {
		if (note.data[i - 2] == '\n' && note.data[i - 1] == '\n')
			return note.data + i - 2;
	}
	return NULL;
}

int note_split(struct bytes note, struct note_parts *ret)
{
	if (!is_text(note))
		return NOTE_MALFORMED;
	const uint8_t *blank = last_blank(note);
	if (!blank)
		return NOTE_MALFORMED;
	size_t text_len = (size_t)(blank - note.data) + 1;
	struct bytes lines = BYTES(note.data + text_len + 1, note.len - text_len - 1);
	if (lines.len == 0)
		return NOTE_MALFORMED;

	*ret = (struct note_parts){.text = BYTES(note.data, text_len), .lines = lines};
	for (; lines.len > 0; ret->count++) {
		struct note_line line;
		if (ret->count == NOTE_LINES_MAX || note_line_take(&lines, &line) != 0)
			return NOTE_MALFORMED;
	}
	return 0;
}

static bool verifies(struct bytes text, const struct note_line *line, const struct note_key *key)
{
	return line->length == SIGNATURE_SIZE &&
	       ed25519_verify(text, key->public, line->signature) == 0;
}

/* Adds the bit of the key that made this line, if one of ours did. */
static int line_check(struct bytes text, const struct note_line *line, const struct note_key *keys,
	size_t count, uint64_t *signers)
{
	const struct note_key *by = NULL;
	for (size_t i = 0; i < count; i++) {
		if (keys[i].algorithm != NOTE_ED25519 || !note_line_is_by(line, &keys[i]))
			continue;
		if (by)
			return NOTE_KEY_MALFORMED;
		by = &keys[i];
	}
	if (!by)
		return 0;
	if (!verifies(text, line, by))
		return NOTE_BAD_SIGNATURE;
	*signers |= UINT64_C(1) << (by - keys);
	return 0;
}

static size_t count_distinct(const struct note_key *keys, size_t count, uint64_t signers)
{
	size_t distinct = 0;
	for (size_t i = 0; i < count; i++) {
		if (!((signers >> i) & 1))
			continue;
		bool seen = false;
		for (size_t j = 0; j < i && !seen; j++)
			seen = ((signers >> j) & 1) &&
			       memcmp(keys[i].public, keys[j].public, SIGN_PUBLIC_SIZE) == 0;
		distinct += !seen;
	}
	return distinct;
}

int note_open(struct bytes note, const struct note_key *keys, size_t count, size_t quorum,
	struct bytes *ret_text, bool *ret_signers)
{
	assert(count <= NOTE_KEYS_MAX);
	struct note_parts parts;
	int r = note_split(note, &parts);
	if (r != 0)
		return r;

	uint64_t signers = 0;
	for (struct bytes lines = parts.lines; lines.len > 0;) {
		struct note_line line;
		r = note_line_take(&lines, &line);
		if (r == 0)
			r = line_check(parts.text, &line, keys, count, &signers);
		if (r != 0)
			return r;
	}
	size_t distinct = count_distinct(keys, count, signers);
	if (distinct == 0 || distinct < quorum)
		return NOTE_UNVERIFIED;

	*ret_text = parts.text;
	for (size_t i = 0; ret_signers && i < count; i++)
		ret_signers[i] = (signers >> i) & 1;
	return 0;
}

/* Copies the lines that @key did not make: it signs once. */
static uint8_t *copy_others(
	uint8_t *p, struct bytes lines, const struct note_key *key, size_t *count)
{
	while (lines.len > 0) {
		struct note_line line;
		if (note_line_take(&lines, &line) != 0)
			break; /* note_split() has taken them all before */
		if (note_line_is_by(&line, key))
			continue;
		p = mempcpy(p, line.whole.data, line.whole.len);
		(*count)++;
	}
	return p;
}

int note_sign(struct bytes text_or_note, const struct note_key *key,
	const uint8_t secret[SIGN_SECRET_SIZE], struct arena *arena, struct bytes *ret)
{
	struct note_parts parts;
	if (!is_text(text_or_note))
		return NOTE_MALFORMED;
	if (note_split(text_or_note, &parts) != 0)
		parts = (struct note_parts){.text = text_or_note};

	size_t most = parts.text.len + 1 + parts.lines.len + NOTE_LINE_MAX;
	uint8_t *buf = arena_alloc(arena, most), *p = buf;
	if (!buf)
		return -ENOMEM;
	size_t others = 0;
	p = mempcpy(p, parts.text.data, parts.text.len);
	*p++ = '\n';
	p = copy_others(p, parts.lines, key, &others);
	p += note_line_write(parts.text, key, secret, p);
	if (others >= NOTE_LINES_MAX || (size_t)(p - buf) > NOTE_SIZE_MAX)
		return NOTE_MALFORMED;
	*ret = BYTES(buf, p - buf);
	return 0;
}
