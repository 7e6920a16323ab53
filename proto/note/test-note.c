/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What the foreign vectors do not ask: quorums that one person tries to fill alone, every damaged byte,
 * the limits, and that what we sign is what we open.
 */
#include "proto/note/note.h"

#include <errno.h>

#include "test/kit/check.h"

struct signer {
	struct note_key key;
	uint8_t secret[SIGN_SECRET_SIZE];
};

static struct signer signer_of(const char *name, uint8_t seed_byte)
{
	struct signer signer;
	uint8_t seed[SIGN_SEED_SIZE], public[SIGN_PUBLIC_SIZE];
	memset(seed, seed_byte, sizeof(seed));
	ed25519_from_seed(seed, public, signer.secret);
	CHECK_INT(note_key_init(&signer.key, BYTES_STR(name), public), 0);
	return signer;
}

static struct bytes sign(struct arena *arena, struct bytes text, const struct signer *signer)
{
	struct bytes note;
	CHECK_INT(note_sign(text, &signer->key, signer->secret, arena, &note), 0);
	return note;
}

static const char *const texts[] = {
	"\n",
	"one line\n",
	"several\n\nparagraphs\n\n\nand spaces \n",
	"ends in an empty line\n\n",
	"Zustellung nach \xc2\xa7 5 VwZG \xe2\x80\x94 \xf0\x9f\x93\xac\n",
	"\xe2\x80\x94 looks like a line\n",
	"a\n\n\xe2\x80\x94 almost a signature\n",
};

static void what_we_sign_we_open(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct signer a = signer_of("wuppertal.demo/root1", 1),
		      b = signer_of("wuppertal.demo/root2", 2),
		      c = signer_of("wuppertal.demo/root3", 3);
	struct note_key keys[] = {a.key, b.key, c.key};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		bool signers[3] = {true, true, true};
		struct bytes text = BYTES_STR(texts[i]), got;
		struct bytes one = sign(arena, text, &c), two = sign(arena, one, &a);
		CHECK_INT(note_open(one, keys, 3, 1, &got, signers), 0);
		CHECK(bytes_equal(got, text));
		CHECK(!signers[0] && !signers[1] && signers[2]);
		CHECK_INT(note_open(one, keys, 3, 2, &got, signers), NOTE_UNVERIFIED);
		CHECK_INT(note_open(two, keys, 3, 2, &got, signers), 0);
		CHECK(bytes_equal(got, text));
		CHECK(signers[0] && !signers[1] && signers[2]);
		CHECK_INT(note_open(two, keys, 3, 3, &got, signers), NOTE_UNVERIFIED);
		CHECK_INT(note_open(two, &keys[1], 1, 1, &got, signers), NOTE_UNVERIFIED);
		CHECK_INT(note_open(two, keys, 0, 0, &got, NULL), NOTE_UNVERIFIED);
		/* Ed25519 is deterministic: signing again changes at most the order of lines. */
		CHECK_INT(sign(arena, two, &c).len, two.len);
		CHECK(bytes_equal(sign(arena, two, &a), two));
	}
}

static void one_person_is_not_a_quorum(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct signer names[] = {
		signer_of("root1", 1), signer_of("root2", 1), signer_of("root3", 9)};
	struct note_key keys[] = {names[0].key, names[1].key, names[2].key};
	struct bytes text, note = sign(arena, BYTES_STR("x\n"), &names[0]);
	note = sign(arena, note, &names[1]);
	CHECK_INT(note_open(note, keys, 3, 1, &text, NULL), 0);
	CHECK_INT(note_open(note, keys, 3, 2, &text, NULL), NOTE_UNVERIFIED);
	note = sign(arena, note, &names[2]);
	CHECK_INT(note_open(note, keys, 3, 2, &text, NULL), 0);
	CHECK_INT(note_open(note, keys, 3, 3, &text, NULL), NOTE_UNVERIFIED);

	/* The same line three times is one signature. */
	struct bytes one = sign(arena, BYTES_STR("x\n"), &names[2]);
	uint8_t thrice[1024], *p = thrice;
	p = mempcpy(p, one.data, one.len);
	for (int i = 0; i < 2; i++)
		p = mempcpy(p, one.data + 3, one.len - 3);
	CHECK_INT(note_open(BYTES(thrice, p - thrice), keys, 3, 1, &text, NULL), 0);
	CHECK_INT(note_open(BYTES(thrice, p - thrice), keys, 3, 2, &text, NULL), NOTE_UNVERIFIED);
	/* And a bad line by a known key spoils the note even after a good one by the same. */
	p[-10] ^= 1;
	CHECK_INT(note_open(BYTES(thrice, p - thrice), keys, 3, 1, &text, NULL), NOTE_BAD_SIGNATURE);
}

static void every_flipped_bit(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct signer a = signer_of("wuppertal.demo/0", 7);
	struct bytes got, note = sign(arena, BYTES_STR("wuppertal.demo/0\n17\n"), &a);
	uint8_t copy[512];
	CHECK(note.len <= sizeof(copy));
	for (size_t bit = 0; bit < note.len * 8; bit++) {
		memcpy(copy, note.data, note.len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(note_open(BYTES(copy, note.len), &a.key, 1, 1, &got, NULL) != 0);
	}
	for (size_t len = 0; len < note.len; len++)
		CHECK_INT(
			note_open(BYTES(note.data, len), &a.key, 1, 1, &got, NULL), NOTE_MALFORMED);
}

static int open_text(const char *text, size_t len)
{
	struct bytes got;
	struct signer a = signer_of("a", 1);
	return note_open(BYTES(text, len), &a.key, 1, 1, &got, NULL);
}
#define OPEN(text) open_text(text, sizeof(text) - 1)
#define DASH       "\xe2\x80\x94 "

static void malformed_and_unknown_lines(void)
{
	CHECK_INT(OPEN("x\n\n" DASH "b AAAAAAA=\n"), NOTE_UNVERIFIED);
	CHECK_INT(OPEN("x\n\n" DASH "b AAAAAAAA\n" DASH "c AAAAAAA=\n"), NOTE_UNVERIFIED);
	CHECK_INT(OPEN("x\n\n" DASH "b AAAAAA==\n"), NOTE_MALFORMED); /* a hash and nothing else */
	CHECK_INT(OPEN("x\n\n" DASH "b AAAAAAA\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("x\n\n" DASH "b AAAAAAB=\n"), NOTE_MALFORMED); /* bits that mean nothing */
	CHECK_INT(OPEN("x\n\n" DASH "b \n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("x\n\n" DASH "b\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("x\n\n" DASH " AAAAAAA=\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("x\n\n" DASH "b AAAAAAA= \n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("x\n\n" DASH "b+c AAAAAAA=\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("x\n\n" DASH "b\xc2\xa0 AAAAAAA=\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("x\n\n- b AAAAAAA=\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("x\n\n" DASH "b AAAAAAA=\n\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("x\r\n\n" DASH "b AAAAAAA=\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("x\0y\n\n" DASH "b AAAAAAA=\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("\n" DASH "b AAAAAAA=\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("\n\n" DASH "b AAAAAAA=\n"), NOTE_UNVERIFIED);
	CHECK_INT(OPEN("\xc0\xaf\n\n" DASH "b AAAAAAA=\n"), NOTE_MALFORMED);     /* overlong */
	CHECK_INT(OPEN("\xed\xa0\x80\n\n" DASH "b AAAAAAA=\n"), NOTE_MALFORMED); /* surrogate */
	CHECK_INT(OPEN("\xf4\x90\x80\x80\n\n" DASH "b AAAAAAA=\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("\xe2\x80\n\n" DASH "b AAAAAAA=\n"), NOTE_MALFORMED);
	CHECK_INT(OPEN("\xf4\x8f\xbf\xbf\xef\xbb\xbf\n\n" DASH "b AAAAAAA=\n"), NOTE_UNVERIFIED);
}

/* A known key's hash before a signature of another length: bad, not unknown. */
static void a_known_key_with_a_strange_signature(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct signer a = signer_of("a", 1);
	struct bytes got, note = sign(arena, BYTES_STR("x\n"), &a);
	uint8_t shorter[256];
	memcpy(shorter, note.data, note.len);
	/* 68 bytes end in "x=\n"; without their last group they are 66. */
	shorter[note.len - 5] = '\n';
	CHECK_INT(note_open(BYTES(shorter, note.len - 4), &a.key, 1, 1, &got, NULL),
		NOTE_BAD_SIGNATURE);

	/* The same name with another hash is another key, and so is the same hash under another name. */
	struct signer same_name = signer_of("a", 2);
	CHECK_INT(note_open(note, &same_name.key, 1, 1, &got, NULL), NOTE_UNVERIFIED);
	struct note_key same_hash = same_name.key;
	same_hash.hash = a.key.hash;
	CHECK_INT(note_open(note, &same_hash, 1, 1, &got, NULL), NOTE_BAD_SIGNATURE);
}

static void limits(void)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(8 << 20);
	struct bytes got, note = BYTES_STR("x\n");
	struct signer last = signer_of("last", 200);
	for (int i = 0; i < 100; i++) {
		char name[16];
		snprintf(name, sizeof(name), "k%d", i);
		struct signer signer = signer_of(name, (uint8_t)i);
		note = sign(arena, note, &signer);
	}
	struct signer first = signer_of("k0", 0);
	CHECK_INT(note_open(note, &first.key, 1, 1, &got, NULL), 0);
	CHECK_INT(note_sign(note, &last.key, last.secret, arena, &got), NOTE_MALFORMED);
	CHECK_INT(sign(arena, note, &first).len, note.len); /* replaced, not added */

	char *large = malloc(NOTE_SIZE_MAX + 1);
	CHECK(large);
	memset(large, 'x', NOTE_SIZE_MAX + 1);
	const size_t room = 1 + 4 + 4 + 1 + 92 + 1;
	large[NOTE_SIZE_MAX - room - 1] = '\n';
	note = sign(arena, BYTES(large, NOTE_SIZE_MAX - room), &last);
	CHECK_INT(note.len, NOTE_SIZE_MAX);
	CHECK_INT(note_open(note, &last.key, 1, 1, &got, NULL), 0);
	large[NOTE_SIZE_MAX - room - 1] = 'x';
	large[NOTE_SIZE_MAX - room] = '\n';
	struct bytes larger = BYTES(large, NOTE_SIZE_MAX - room + 1);
	CHECK_INT(note_sign(larger, &last.key, last.secret, arena, &got), NOTE_MALFORMED);
	free(large);

	_cleanup_(arena_free) struct arena *small = arena_new(64);
	CHECK_INT(note_sign(BYTES_STR("x\n"), &last.key, last.secret, small, &got), -ENOMEM);
}

/* Signatures of other algorithms run to kilobytes; they must be base64 to the end. */
static void long_signatures_of_others(void)
{
	char note[8192];
	struct signer a = signer_of("a", 1);
	struct bytes got;
	for (size_t len = 8; len <= 4096; len += 4) {
		int head = snprintf(note, sizeof(note), "x\n\n" DASH "b ");
		memset(note + head, 'A', len);
		note[(size_t)head + len] = '\n';
		struct bytes whole = BYTES(note, (size_t)head + len + 1);
		CHECK_INT(note_open(whole, &a.key, 1, 1, &got, NULL), NOTE_UNVERIFIED);
		note[(size_t)head + len / 2] = '=';
		CHECK_INT(note_open(whole, &a.key, 1, 1, &got, NULL), NOTE_MALFORMED);
	}
}

static void keys(void)
{
	uint8_t public[SIGN_PUBLIC_SIZE] = {1};
	struct note_key key, again;
	char text[NOTE_VKEY_SIZE], name[256];
	CHECK_INT(note_key_init(&key, BYTES_STR(""), public), NOTE_KEY_MALFORMED);
	CHECK_INT(note_key_init(&key, BYTES_STR("a b"), public), NOTE_KEY_MALFORMED);
	CHECK_INT(note_key_init(&key, BYTES_STR("a+b"), public), NOTE_KEY_MALFORMED);
	CHECK_INT(note_key_init(&key, BYTES_STR("a\nb"), public), NOTE_KEY_MALFORMED);
	CHECK_INT(note_key_init(&key, BYTES("a\0b", 3), public), NOTE_KEY_MALFORMED);
	CHECK_INT(note_key_init(&key, BYTES_STR("a\xe3\x80\x80z"), public), NOTE_KEY_MALFORMED);
	CHECK_INT(note_key_init(&key, BYTES_STR("\xff"), public), NOTE_KEY_MALFORMED);
	memset(name, 'n', sizeof(name));
	CHECK_INT(note_key_init(&key, BYTES(name, 128), public), NOTE_KEY_MALFORMED);
	CHECK_INT(note_key_init(&key, BYTES(name, 127), public), 0);
	note_key_format(&key, text);
	CHECK_INT(note_key_parse(BYTES_STR(text), &again), 0);
	CHECK_STR(again.name, key.name);
	CHECK_INT(again.hash, key.hash);
	CHECK_INT(note_key_parse_witness(BYTES_STR(text), &again), NOTE_KEY_MALFORMED);

	key.algorithm = NOTE_COSIGNATURE;
	note_key_format(&key, text); /* the hash is now that of another algorithm */
	CHECK_INT(note_key_parse_witness(BYTES_STR(text), &again), NOTE_KEY_MALFORMED);
}

CHECK_MAIN(CHECK_CASE(what_we_sign_we_open), CHECK_CASE(one_person_is_not_a_quorum),
	CHECK_CASE(every_flipped_bit), CHECK_CASE(malformed_and_unknown_lines),
	CHECK_CASE(a_known_key_with_a_strange_signature), CHECK_CASE(limits),
	CHECK_CASE(long_signatures_of_others), CHECK_CASE(keys))
