/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A checkpoint is signed once per commit, in the journal's one thread, so signing works in the caller's
 * buffer. Opening ties the three names together: origin asked for, origin in the text, name of the key.
 * A good signature by the key of another log must not vouch for this one.
 */
#include "proto/note/checkpoint.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/note/line.h"
#include "proto/note/utf8.h"

enum { CHECKPOINT_TEXT_MAX = CHECKPOINT_ORIGIN_MAX + 1 + 20 + 1 + 44 + 1 };

static_assert((int)CHECKPOINT_TEXT_MAX + 1 + (int)CHECKPOINT_SIGNERS_MAX * (int)NOTE_LINE_MAX <=
		      (int)CHECKPOINT_NOTE_MAX,
	"room");

size_t checkpoint_sign(const struct checkpoint *checkpoint, const struct note_key *key,
	const uint8_t secret[SIGN_SECRET_SIZE], uint8_t buf[CHECKPOINT_NOTE_MAX])
{
	size_t origin_len = strnlen(checkpoint->origin, sizeof(checkpoint->origin));
	assert(origin_len >= 1 && origin_len <= CHECKPOINT_ORIGIN_MAX);
	assert(utf8_is_key_name(BYTES(checkpoint->origin, origin_len)));

	char root[TEXT_BASE64_SIZE(HASH_SIZE)];
	text_base64(BYTES(checkpoint->root.bytes, HASH_SIZE), root);
	int n = snprintf((char *)buf, CHECKPOINT_NOTE_MAX, "%s\n%" PRIu64 "\n%s\n",
		checkpoint->origin, checkpoint->size, root);
	assert(n > 0 && n <= CHECKPOINT_TEXT_MAX);
	size_t len = (size_t)n;
	struct bytes text = BYTES(buf, len);
	buf[len++] = '\n';
	return len + note_line_write(text, key, secret, buf + len);
}

size_t checkpoint_sign_more(const struct note_key *key, const uint8_t secret[SIGN_SECRET_SIZE],
	uint8_t buf[CHECKPOINT_NOTE_MAX], size_t len)
{
	const uint8_t *end = memmem(buf, len, "\n\n", 2);
	assert(end && len + NOTE_LINE_MAX <= CHECKPOINT_NOTE_MAX);
	return len + note_line_write(BYTES(buf, (size_t)(end - buf) + 1), key, secret, buf + len);
}

/* Takes a line off, without its newline; false when there is none or it is empty. */
static bool take_line(struct bytes *text, struct bytes *ret)
{
	const uint8_t *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
	if (!end || end == text->data)
		return false;
	*ret = BYTES(text->data, end - text->data);
	text->data += ret->len + 1;
	text->len -= ret->len + 1;
	return true;
}

int checkpoint_parse(struct bytes text, struct checkpoint *ret)
{
	struct checkpoint checkpoint = {.size = 0};
	struct bytes origin, size, root, extension;
	size_t root_len;
	if (!utf8_is_text(text) || !take_line(&text, &origin) || !take_line(&text, &size) ||
		!take_line(&text, &root))
		return NOTE_MALFORMED;
	if (origin.len > CHECKPOINT_ORIGIN_MAX || text_parse_u64(size, &checkpoint.size) != 0)
		return NOTE_MALFORMED;
	if (text_unbase64(root, checkpoint.root.bytes, HASH_SIZE, &root_len) != 0 ||
		root_len != HASH_SIZE)
		return NOTE_MALFORMED;
	while (text.len > 0) {
		if (!take_line(&text, &extension))
			return NOTE_MALFORMED;
	}

	if (checkpoint.size == 0) {
		struct merkle_hash empty;
		merkle_empty_root(&empty);
		if (memcmp(empty.bytes, checkpoint.root.bytes, HASH_SIZE) != 0)
			return NOTE_MALFORMED;
	}
	memcpy(checkpoint.origin, origin.data, origin.len);
	*ret = checkpoint;
	return 0;
}

int checkpoint_open(struct bytes note, const struct note_key *keys, size_t count,
	const char *origin, struct checkpoint *ret)
{
	/* One key at a time: a note by any of the log's keys (old and new, while they overlap) will do,
	   and keys of other names must not even be asked. */
	struct bytes text;
	int verdict = note_open(note, NULL, 0, 1, &text, NULL);
	for (size_t i = 0; i < count && verdict == NOTE_UNVERIFIED; i++) {
		if (strcmp(keys[i].name, origin) == 0)
			verdict = note_open(note, &keys[i], 1, 1, &text, NULL);
	}
	if (verdict != 0)
		return verdict;

	struct checkpoint checkpoint;
	if (checkpoint_parse(text, &checkpoint) != 0 || strcmp(checkpoint.origin, origin) != 0)
		return NOTE_MALFORMED;
	*ret = checkpoint;
	return 0;
}
