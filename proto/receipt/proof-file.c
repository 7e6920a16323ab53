/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A proof comes from whoever wants to be believed, so every byte of it is looked at, in one spelling: a
 * file that two programs read differently would prove different things to different people. Whatever is
 * wrong is named by its field, because the person who holds a damaged proof has to know which copy to
 * ask for again.
 */
#include "proto/receipt/proof-file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

enum {
	EXTRA_STUB_ONLY = 2,
	EXTRA_WHOLE = 1,
	WHOLE_MIN = 1 + STUB_SIZE + STUB_NONCE_SIZE + HASH_SIZE + DISCLOSED_MIN,
};

static const char entry_magic[] = "c2sp.org/tlog-proof@v1";
static const char consistency_magic[] = "dienstweg/v1/consistency";

int proof_fault(struct proof_fault *fault, int verdict, const char *field, const char *format, ...)
{
	va_list args;
	snprintf(fault->field, sizeof(fault->field), "%s", field);
	va_start(args, format);
	vsnprintf(fault->why, sizeof(fault->why), format, args);
	va_end(args);
	/* Names in it come out of the file, and the sentence goes to somebody's terminal. */
	for (char *c = fault->why; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	return verdict;
}

/* ---- the extra line ---- */

size_t proof_entry_encode(const struct proof_entry *entry, uint8_t buf[PROOF_EXTRA_MAX])
{
	uint8_t *p = buf;
	*p++ = entry->whole ? EXTRA_WHOLE : EXTRA_STUB_ONLY;
	p = mempcpy(p, entry->stub, STUB_SIZE);
	if (!entry->whole)
		return (size_t)(p - buf);
	assert(entry->disclosed_len <= DISCLOSED_MAX);
	p = mempcpy(p, entry->nonce, STUB_NONCE_SIZE);
	p = mempcpy(p, entry->private_digest, HASH_SIZE);
	p = mempcpy(p, entry->disclosed, entry->disclosed_len);
	return (size_t)(p - buf);
}

int proof_entry_decode(struct bytes extra, struct proof_entry *ret, struct proof_fault *fault)
{
	struct stub stub;
	*ret = (struct proof_entry){};
	if (extra.len == 0 || (extra.data[0] != EXTRA_WHOLE && extra.data[0] != EXTRA_STUB_ONLY))
		return proof_fault(fault, PROOF_MALFORMED, "extra",
			"begins with neither 1 nor 2: written by another program, or damaged");
	ret->whole = extra.data[0] == EXTRA_WHOLE;
	if (ret->whole ? extra.len < WHOLE_MIN || extra.len > PROOF_EXTRA_MAX
		       : extra.len != PROOF_STUB_EXTRA_SIZE)
		return proof_fault(fault, PROOF_MALFORMED, "extra",
			"is %zu bytes, which no entry has", extra.len);
	const uint8_t *p = extra.data + 1;
	memcpy(ret->stub, p, STUB_SIZE);
	if (stub_decode(BYTES(ret->stub, STUB_SIZE), &stub) != 0 || stub.kind == 0)
		return proof_fault(
			fault, PROOF_MALFORMED, "extra", "the stub in it has no possible form");
	if (!ret->whole)
		return 0;
	p += STUB_SIZE;
	memcpy(ret->nonce, p, STUB_NONCE_SIZE);
	p += STUB_NONCE_SIZE;
	memcpy(ret->private_digest, p, HASH_SIZE);
	p += HASH_SIZE;
	ret->disclosed_len = extra.len - (size_t)(p - extra.data);
	memcpy(ret->disclosed, p, ret->disclosed_len);
	return 0;
}

/* ---- lines ---- */

/* Takes a line off; false when there is no newline any more. */
static bool take_line(struct bytes *text, struct bytes *ret)
{
	const uint8_t *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
	if (!end)
		return false;
	*ret = BYTES(text->data, end - text->data);
	*text = BYTES(end + 1, text->len - ret->len - 1);
	return true;
}

/* Cuts "word " off the beginning. */
static bool cut_word(struct bytes *line, const char *word)
{
	size_t len = strlen(word);
	if (line->len <= len || memcmp(line->data, word, len) != 0 || line->data[len] != ' ')
		return false;
	*line = BYTES(line->data + len + 1, line->len - len - 1);
	return true;
}

static bool is_line(struct bytes line, const char *text)
{
	return bytes_equal(line, BYTES_STR(text));
}

static int take_magic(struct bytes *text, const char *magic, struct proof_fault *fault)
{
	struct bytes line;
	if (text->len > PROOF_FILE_MAX)
		return proof_fault(
			fault, PROOF_MALFORMED, "file", "is larger than %d bytes", PROOF_FILE_MAX);
	if (!take_line(text, &line) || !is_line(line, magic))
		return proof_fault(fault, PROOF_MALFORMED, "first line", "is not %s", magic);
	return 0;
}

static int parse_hash(struct bytes line, struct merkle_hash *ret)
{
	size_t len;
	if (text_unbase64(line, ret->bytes, HASH_SIZE, &len) != 0 || len != HASH_SIZE)
		return PROOF_MALFORMED;
	return 0;
}

/* Hashes up to the empty line. */
static int take_hashes(struct bytes *text, struct merkle_hash *hashes, size_t max,
	size_t *ret_count, struct proof_fault *fault)
{
	struct bytes line;
	char field[24];
	size_t count = 0;
	while (take_line(text, &line)) {
		if (line.len == 0) {
			*ret_count = count;
			return 0;
		}
		snprintf(field, sizeof(field), "hash %zu", count + 1);
		if (count == max)
			return proof_fault(fault, PROOF_MALFORMED, field,
				"is one more than any tree has levels");
		if (parse_hash(line, &hashes[count]))
			return proof_fault(fault, PROOF_MALFORMED, field,
				"is not 32 bytes in base64, in its one spelling");
		count++;
	}
	return proof_fault(fault, PROOF_MALFORMED, "empty line",
		"is missing behind the hashes: is the file whole?");
}

/* The text of a checkpoint, unjudged. */
static int parse_claim(struct bytes note, struct checkpoint *ret, struct proof_fault *fault)
{
	struct bytes text;
	const uint8_t *end = NULL;
	if (note.len > 0 && note_open(note, NULL, 0, 1, &text, NULL) == NOTE_UNVERIFIED)
		end = memmem(note.data, note.len, "\n\n", 2);
	if (!end || checkpoint_parse(BYTES(note.data, end + 1 - note.data), ret) != 0)
		return proof_fault(fault, PROOF_MALFORMED, "checkpoint",
			"is no checkpoint: origin, size and root, an empty line, signature lines");
	return 0;
}

/* ---- an entry ---- */

static int take_extra(struct bytes *text, struct proof_entry *ret, struct proof_fault *fault)
{
	uint8_t extra[PROOF_EXTRA_MAX];
	struct bytes line;
	size_t len;
	if (!take_line(text, &line) || !cut_word(&line, "extra"))
		return proof_fault(fault, PROOF_MALFORMED, "extra",
			"is missing: without it nothing says what was recorded");
	if (text_unbase64(line, extra, sizeof(extra), &len) != 0)
		return proof_fault(fault, PROOF_MALFORMED, "extra",
			"is not base64 in its one spelling, or too long");
	return proof_entry_decode(BYTES(extra, len), ret, fault);
}

int proof_file_parse(struct bytes text, struct proof_file *ret, struct proof_fault *fault)
{
	struct bytes line;
	*ret = (struct proof_file){};
	int r = take_magic(&text, entry_magic, fault);
	if (r == 0)
		r = take_extra(&text, &ret->entry, fault);
	if (r)
		return r;
	if (!take_line(&text, &line) || !cut_word(&line, "index") ||
		text_parse_u64(line, &ret->index) != 0)
		return proof_fault(fault, PROOF_MALFORMED, "index",
			"is not \"index\" and a decimal number in its one spelling");
	r = take_hashes(&text, ret->path, MERKLE_LEVELS, &ret->steps, fault);
	if (r == 0)
		r = parse_claim(text, &ret->claimed, fault);
	ret->note = text;
	return r;
}

/* ---- consistency ---- */

/* "old 12 <root>" */
static int take_tree(
	struct bytes *text, const char *word, struct proof_tree *ret, struct proof_fault *fault)
{
	struct bytes line;
	const uint8_t *space = NULL;
	bool form = take_line(text, &line) && cut_word(&line, word) && line.len > 0;
	if (form)
		space = memchr(line.data, ' ', line.len);
	if (!space || text_parse_u64(BYTES(line.data, space - line.data), &ret->size) != 0 ||
		parse_hash(BYTES(space + 1, line.data + line.len - space - 1), &ret->root) != 0)
		return proof_fault(fault, PROOF_MALFORMED, word,
			"is not \"%s\", a size and a root in base64, in their one spelling", word);
	return 0;
}

int proof_consistency_parse(
	struct bytes text, struct proof_consistency *ret, struct proof_fault *fault)
{
	*ret = (struct proof_consistency){};
	int r = take_magic(&text, consistency_magic, fault);
	if (r == 0)
		r = take_tree(&text, "old", &ret->old, fault);
	if (r == 0)
		r = take_tree(&text, "new", &ret->new, fault);
	if (r == 0)
		r = take_hashes(&text, ret->path, ARRAY_LEN(ret->path), &ret->steps, fault);
	if (r == 0 && text.len > 0)
		r = parse_claim(text, &ret->claimed, fault);
	ret->note = text;
	return r;
}

static char *put_base64(char *p, const struct merkle_hash *hash)
{
	text_base64(BYTES(hash->bytes, HASH_SIZE), p);
	return p + TEXT_BASE64_SIZE(HASH_SIZE) - 1;
}

static char *put_tree(char *p, const char *word, const struct proof_tree *tree)
{
	char number[24];
	int n = snprintf(number, sizeof(number), " %" PRIu64 " ", tree->size);
	assert(n > 0 && n < (int)sizeof(number));
	p = mempcpy(p, word, strlen(word));
	p = mempcpy(p, number, (size_t)n);
	p = put_base64(p, &tree->root);
	*p++ = '\n';
	return p;
}

int proof_consistency_write(
	const struct proof_consistency *proof, struct arena *arena, struct bytes *ret)
{
	enum { LINE_MAX_BYTES = TEXT_BASE64_SIZE(HASH_SIZE) + 32 };
	size_t most = sizeof(consistency_magic) + (2 + proof->steps) * LINE_MAX_BYTES + 1 +
		      proof->note.len;
	char *buf = arena_alloc(arena, most), *p = buf;
	if (!buf)
		return -ENOMEM;
	p = mempcpy(p, consistency_magic, sizeof(consistency_magic) - 1);
	*p++ = '\n';
	p = put_tree(p, "old", &proof->old);
	p = put_tree(p, "new", &proof->new);
	for (size_t i = 0; i < proof->steps; i++) {
		p = put_base64(p, &proof->path[i]);
		*p++ = '\n';
	}
	*p++ = '\n';
	if (proof->note.len > 0)
		p = mempcpy(p, proof->note.data, proof->note.len);
	assert((size_t)(p - buf) <= most);
	*ret = BYTES(buf, p - buf);
	return 0;
}

enum proof_form proof_form(struct bytes text)
{
	struct bytes line;
	if (!take_line(&text, &line))
		return PROOF_FORM_UNKNOWN;
	if (is_line(line, entry_magic))
		return PROOF_FORM_ENTRY;
	return is_line(line, consistency_magic) ? PROOF_FORM_CONSISTENCY : PROOF_FORM_UNKNOWN;
}
