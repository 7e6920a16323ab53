/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A cosignature says when, and that is the weak part: the time is one witness's word. With a quorum that
 * outvotes f bad witnesses, f + 1 of its signatures always include an honest one, so the order of the
 * times gives bounds that no f liars can push outwards: they can only be wrong towards caution.
 */
#include "proto/note/cosignature.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/note/line.h"

enum {
	STATEMENT_HEAD_MAX = 15 + 5 + 20 + 1, /* "cosignature/v1\n", "time ", digits, newline */
	STATEMENT_MAX = STATEMENT_HEAD_MAX + COSIGNED_NOTE_MAX,
	TIME_SIZE = NOTE_STAMPED_SIZE - SIGNATURE_SIZE,
};
static const uint64_t TIME_END = UINT64_C(1) << 63; /* the first that must not be said */

/* What is signed. @buf: STATEMENT_MAX bytes. */
static struct bytes statement(struct bytes text, uint64_t time_s, uint8_t *buf)
{
	int n = snprintf(
		(char *)buf, STATEMENT_HEAD_MAX + 1, "cosignature/v1\ntime %" PRIu64 "\n", time_s);
	assert(n > 0 && n <= STATEMENT_HEAD_MAX && text.len <= COSIGNED_NOTE_MAX);
	memcpy(buf + n, text.data, text.len);
	return BYTES(buf, (size_t)n + text.len);
}

size_t cosignature_sign(struct bytes text, uint64_t time_s, const struct note_key *key,
	const uint8_t secret[SIGN_SECRET_SIZE], uint8_t buf[COSIGNATURE_LINE_MAX])
{
	uint8_t stamped[NOTE_STAMPED_SIZE], said[STATEMENT_MAX + 1];
	assert(key->algorithm == NOTE_COSIGNATURE && time_s < TIME_END);
	assert(memcmp(secret + SIGN_SEED_SIZE, key->public, SIGN_PUBLIC_SIZE) == 0);
	assert(text.len > 0 && text.data[text.len - 1] == '\n');
	be64_put(stamped, time_s);
	ed25519_sign(statement(text, time_s, said), secret, stamped + TIME_SIZE);
	return note_line_encode(key, BYTES(stamped, sizeof(stamped)), buf);
}

static int line_check(struct bytes text, const struct note_line *line, const struct note_key *key,
	uint64_t *ret_time_s)
{
	uint8_t said[STATEMENT_MAX + 1];
	uint64_t time_s = be64_get(line->signature);
	if (line->length != NOTE_STAMPED_SIZE || time_s >= TIME_END || text.len > COSIGNED_NOTE_MAX ||
		ed25519_verify(statement(text, time_s, said), key->public,
			line->signature + TIME_SIZE) != 0)
		return NOTE_BAD_SIGNATURE;
	*ret_time_s = time_s;
	return 0;
}

/* The first line of the key counts. */
static int parts_find(const struct note_parts *parts, const struct note_key *key,
	uint64_t *ret_time_s, struct bytes *ret_line)
{
	for (struct bytes lines = parts->lines; lines.len > 0;) {
		struct note_line line;
		int r = note_line_take(&lines, &line);
		if (r)
			return r;
		if (!note_line_is_by(&line, key))
			continue;
		*ret_line = line.whole;
		return line_check(parts->text, &line, key, ret_time_s);
	}
	return NOTE_UNVERIFIED;
}

int cosignature_find(
	struct bytes note, const struct note_key *key, uint64_t *ret_time_s, struct bytes *ret_line)
{
	struct note_parts parts;
	struct bytes line;
	uint64_t time_s;
	int r = note_split(note, &parts);
	if (r == 0)
		r = parts_find(&parts, key, &time_s, &line);
	if (r)
		return r;
	if (ret_time_s)
		*ret_time_s = time_s;
	if (ret_line)
		*ret_line = line;
	return 0;
}

int cosignature_add(
	struct bytes note, struct bytes line, uint8_t buf[COSIGNED_NOTE_MAX], size_t *ret_len)
{
	struct note_parts parts;
	struct note_line added, other;
	struct bytes left = line;
	if (note_split(note, &parts) != 0 || line.len == 0 || note_line_take(&left, &added) != 0 ||
		left.len > 0)
		return NOTE_MALFORMED;
	bool there = false;
	for (struct bytes lines = parts.lines; lines.len > 0 && !there;) {
		if (note_line_take(&lines, &other) != 0)
			return NOTE_MALFORMED;
		there = other.hash == added.hash && bytes_equal(other.name, added.name);
	}
	size_t len = note.len + (there ? 0 : line.len);
	if (len > COSIGNED_NOTE_MAX || (!there && parts.count == NOTE_LINES_MAX))
		return NOTE_MALFORMED;
	memcpy(buf, note.data, note.len);
	if (!there)
		memcpy(buf + note.len, line.data, line.len);
	*ret_len = len;
	return 0;
}

size_t cosignature_lines(struct bytes note, const char *origin)
{
	struct note_parts parts;
	struct note_line line;
	size_t count = 0;
	if (note_split(note, &parts) != 0)
		return 0;
	while (parts.lines.len > 0 && note_line_take(&parts.lines, &line) == 0)
		count += !bytes_equal(line.name, BYTES_STR(origin));
	return count;
}

static int time_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void times_bound(const struct policy *policy, struct cosignatures *judged)
{
	size_t n = policy->witnesses_count, q = policy->witness_quorum, count = 0;
	size_t bad = 2 * q > n ? 2 * q - n - 1 : 0;
	uint64_t times[POLICY_KEYS_MAX];
	for (size_t i = 0; i < n; i++) {
		if (judged->by[i])
			times[count++] = judged->time_s[i];
	}
	qsort(times, count, sizeof(times[0]), time_compare);
	judged->seen_s = times[bad];
	judged->signed_s = times[count - 1 - bad];
}

int cosignatures_judge(struct bytes note, const struct policy *policy, struct cosignatures *ret)
{
	struct cosignatures judged = {.count = 0};
	struct note_parts parts;
	struct bytes line;
	int r = note_split(note, &parts);
	for (size_t i = 0; i < policy->witnesses_count && r == 0; i++) {
		r = parts_find(&parts, &policy->witnesses[i], &judged.time_s[i], &line);
		judged.by[i] = r == 0;
		judged.count += r == 0;
		if (r == NOTE_UNVERIFIED)
			r = 0;
	}
	if (r)
		return r;
	judged.quorum = policy->witness_quorum > 0 && judged.count >= policy->witness_quorum;
	if (judged.quorum)
		times_bound(policy, &judged);
	*ret = judged;
	return 0;
}

int checkpoint_judge(struct bytes note, const struct note_key *keys, size_t count,
	const char *origin, const struct policy *policy, struct checkpoint *ret,
	struct cosignatures *ret_cosignatures)
{
	struct checkpoint checkpoint;
	int r = checkpoint_open(note, keys, count, origin, &checkpoint);
	if (r == 0)
		r = cosignatures_judge(note, policy, ret_cosignatures);
	if (r == 0)
		*ret = checkpoint;
	return r;
}
