/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A checkpoint speaks for one log. Beside the form, these tests ask what would let another log's key, or
 * a text that reads like a checkpoint and is none, speak for it.
 */
#include "proto/note/checkpoint.h"

#include "proto/base/text.h"
#include "test/kit/check.h"

#define ORIGIN "wuppertal.demo/0"
#define ROOT   "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=" /* of a tree with one empty leaf */
#define EMPTY  "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" /* of the empty tree */

struct log {
	struct note_key key;
	uint8_t secret[SIGN_SECRET_SIZE];
};

static struct log log_of(const char *name, uint8_t seed_byte)
{
	struct log log;
	uint8_t seed[SIGN_SEED_SIZE], public[SIGN_PUBLIC_SIZE];
	memset(seed, seed_byte, sizeof(seed));
	ed25519_from_seed(seed, public, log.secret);
	CHECK_INT(note_key_init(&log.key, BYTES_STR(name), public), 0);
	return log;
}

static struct checkpoint head(const char *origin, uint64_t size)
{
	struct checkpoint checkpoint = {.size = size};
	snprintf(checkpoint.origin, sizeof(checkpoint.origin), "%s", origin);
	merkle_leaf(BYTES(NULL, 0), &checkpoint.root);
	return checkpoint;
}

static struct bytes sign(const struct checkpoint *checkpoint, const struct log *log, uint8_t *buf)
{
	return BYTES(buf, checkpoint_sign(checkpoint, &log->key, log->secret, buf));
}

static void signed_and_opened(void)
{
	uint8_t buf[CHECKPOINT_NOTE_MAX];
	struct log log = log_of(ORIGIN, 1);
	const uint64_t sizes[] = {1, 9, 10, 20852163, UINT64_MAX};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct checkpoint made = head(ORIGIN, sizes[i]), got;
		struct bytes text, note = sign(&made, &log, buf);
		CHECK_INT(checkpoint_open(note, &log.key, 1, ORIGIN, &got), 0);
		CHECK(got.size == made.size);
		CHECK_STR(got.origin, ORIGIN);
		CHECK_MEM(got.root.bytes, made.root.bytes, HASH_SIZE);
		CHECK_INT(note_open(note, &log.key, 1, 1, &text, NULL), 0);
	}
}

static void the_text_is_c2sp(void)
{
	uint8_t buf[CHECKPOINT_NOTE_MAX];
	struct log log = log_of(ORIGIN, 1);
	struct checkpoint made = head(ORIGIN, 20852163);
	struct bytes text, note = sign(&made, &log, buf);
	CHECK_INT(note_open(note, &log.key, 1, 1, &text, NULL), 0);
	CHECK(bytes_equal(text, BYTES_STR(ORIGIN "\n20852163\n" ROOT "\n")));
}

static void the_longest_names(void)
{
	uint8_t buf[CHECKPOINT_NOTE_MAX];
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	memset(origin, 'o', CHECKPOINT_ORIGIN_MAX);
	origin[CHECKPOINT_ORIGIN_MAX] = '\0';
	struct log log = log_of(origin, 1);
	struct checkpoint made = head(origin, UINT64_MAX), got;
	CHECK_INT(checkpoint_open(sign(&made, &log, buf), &log.key, 1, origin, &got), 0);
	CHECK_STR(got.origin, origin);
}

static void every_flipped_bit(void)
{
	uint8_t buf[CHECKPOINT_NOTE_MAX];
	struct log log = log_of(ORIGIN, 1);
	struct checkpoint made = head(ORIGIN, 77), got;
	struct bytes note = sign(&made, &log, buf);
	for (size_t bit = 0; bit < note.len * 8; bit++) {
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(checkpoint_open(note, &log.key, 1, ORIGIN, &got) != 0);
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK_INT(checkpoint_open(note, &log.key, 1, ORIGIN, &got), 0);
}

static void only_the_log_itself_speaks_for_it(void)
{
	uint8_t buf[CHECKPOINT_NOTE_MAX];
	struct log ours = log_of(ORIGIN, 1), other = log_of("essen.demo/0", 2),
		   next = log_of("wuppertal.demo/1", 1);
	struct note_key keys[] = {other.key, ours.key, next.key};
	struct checkpoint made = head(ORIGIN, 5), got;

	/* Another trusted log signs a head with our origin. */
	CHECK_INT(checkpoint_open(sign(&made, &other, buf), keys, 3, ORIGIN, &got), NOTE_UNVERIFIED);
	/* Our log signs a head with another origin. */
	struct checkpoint foreign = head("essen.demo/0", 5);
	CHECK_INT(
		checkpoint_open(sign(&foreign, &ours, buf), keys, 3, ORIGIN, &got), NOTE_MALFORMED);
	CHECK_INT(checkpoint_open(sign(&foreign, &ours, buf), keys, 3, "essen.demo/0", &got),
		NOTE_UNVERIFIED);
	/* The same key in another epoch. */
	struct checkpoint later = head("wuppertal.demo/1", 5);
	CHECK_INT(checkpoint_open(sign(&later, &next, buf), keys, 3, ORIGIN, &got), NOTE_UNVERIFIED);
	CHECK_INT(checkpoint_open(sign(&later, &next, buf), keys, 3, "wuppertal.demo/1", &got), 0);
	CHECK_INT(checkpoint_open(sign(&made, &ours, buf), keys, 3, ORIGIN, &got), 0);
	CHECK_INT(checkpoint_open(sign(&made, &ours, buf), keys, 0, ORIGIN, &got), NOTE_UNVERIFIED);
}

/* While a log's keys overlap, any of them will do, and the new one's line beside the old one's too. */
static void two_keys_of_one_log(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 16);
	uint8_t buf[CHECKPOINT_NOTE_MAX];
	struct log old = log_of(ORIGIN, 1), new = log_of(ORIGIN, 2);
	struct note_key keys[] = {old.key, new.key};
	struct checkpoint made = head(ORIGIN, 5), got;
	struct bytes both;
	CHECK_INT(checkpoint_open(sign(&made, &old, buf), keys, 2, ORIGIN, &got), 0);
	CHECK_INT(checkpoint_open(sign(&made, &new, buf), keys, 2, ORIGIN, &got), 0);
	CHECK_INT(note_sign(sign(&made, &new, buf), &old.key, old.secret, arena, &both), 0);
	CHECK_INT(checkpoint_open(both, keys, 2, ORIGIN, &got), 0);
	CHECK_INT(checkpoint_open(both, &keys[0], 1, ORIGIN, &got), 0);
	CHECK_INT(checkpoint_open(both, &keys[1], 1, ORIGIN, &got), 0);
}

static int parse(const char *text, size_t len)
{
	struct checkpoint got;
	return checkpoint_parse(BYTES(text, len), &got);
}
#define PARSE(text) parse(text, sizeof(text) - 1)

static void texts_that_are_no_checkpoint(void)
{
	CHECK_INT(PARSE("o\n1\n" ROOT "\n"), 0);
	CHECK_INT(PARSE("o\n0\n" EMPTY "\n"), 0);
	CHECK_INT(PARSE("o\n1\n" ROOT "\nextension\nanother one\n"), 0);
	CHECK_INT(PARSE("o\n0\n" ROOT "\n"), NOTE_MALFORMED); /* the empty tree has one root */
	CHECK_INT(PARSE(""), NOTE_MALFORMED);
	CHECK_INT(PARSE("\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("\n1\n" ROOT "\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n1\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n1\n" ROOT), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n01\n" ROOT "\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n-1\n" ROOT "\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n+1\n" ROOT "\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n 1\n" ROOT "\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n18446744073709551616\n" ROOT "\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n18446744073709551615\n" ROOT "\n"), 0);
	CHECK_INT(PARSE("o\n1\nAAAA\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n1\nAAAA" ROOT "\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n1\n" ROOT " \n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n1\n" ROOT "\n\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n1\n" ROOT "\nextension\n\n"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\n1\n" ROOT "\nextension"), NOTE_MALFORMED);
	CHECK_INT(PARSE("o\0p\n1\n" ROOT "\n"), NOTE_MALFORMED); /* a C string would end at the NUL */
	CHECK_INT(PARSE("o\r\n1\r\n" ROOT "\r\n"), NOTE_MALFORMED);

	char text[256];
	memset(text, 'o', CHECKPOINT_ORIGIN_MAX + 1);
	int n = snprintf(text + CHECKPOINT_ORIGIN_MAX + 1, 64, "\n1\n%s\n", ROOT);
	CHECK_INT(parse(text, (size_t)n + CHECKPOINT_ORIGIN_MAX + 1), NOTE_MALFORMED);
	CHECK_INT(parse(text + 1, (size_t)n + CHECKPOINT_ORIGIN_MAX), 0);
}

CHECK_MAIN(CHECK_CASE(signed_and_opened), CHECK_CASE(the_text_is_c2sp),
	CHECK_CASE(the_longest_names), CHECK_CASE(every_flipped_bit),
	CHECK_CASE(only_the_log_itself_speaks_for_it), CHECK_CASE(two_keys_of_one_log),
	CHECK_CASE(texts_that_are_no_checkpoint))
