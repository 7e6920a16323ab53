/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Whatever a sender, a broker or a thief could do to content between two parties is done here, with length
 * and hash in the header made to fit again: the hash is not what protects the recipient from a sender.
 * Content that our own sealing would never make is put together by hand from the primitives.
 */
#include "proto/sealing/sealing.h"

#include <errno.h>

#include "proto/envelope/envelope.h"
#include "proto/envelope/payload.h"
#include "proto/envelope/test-sample.h"
#include "proto/envelope/wire.h"
#include "test/kit/check.h"

enum { KEYS = 20 };

struct fixture {
	struct arena *arena;
	struct sealing_batch *batch;
	struct sealing_opener *opener;
	struct key_secret *keys[KEYS];
	struct sealing_recipient recipients[KEYS];
	Dienstweg__Header header;
	uint8_t hash[HASH_SIZE];
};

static void cleanup_fixture(struct fixture *f)
{
	arena_free(f->arena);
	sealing_batch_free(f->batch);
	sealing_opener_free(f->opener);
	for (size_t i = 0; i < KEYS; i++)
		key_secret_free(f->keys[i]);
}

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){.arena = arena_new(16 << 20), .header = sample_header()};
	CHECK_INT(crypto_init(), 0);
	CHECK(f->arena != NULL);
	CHECK_INT(sealing_batch_new(&f->batch), 0);
	CHECK_INT(sealing_opener_new(&f->opener), 0);
	for (size_t i = 0; i < KEYS; i++) {
		CHECK_INT(key_generate(KEY_SEAL, BYTES("jobcenter", 9), &f->keys[i]), 0);
		memcpy(f->recipients[i].key_id, f->keys[i]->pub.id, KEY_ID_SIZE);
		memcpy(f->recipients[i].public, f->keys[i]->pub.public, BOX_KEY_SIZE);
	}
}

static struct bytes seal(struct fixture *f, struct bytes body, size_t count)
{
	struct bytes content = {0};
	CHECK_INT(sealing_seal(f->batch, &f->header, body, f->recipients, count, f->arena, &content),
		0);
	return content;
}

/* Opens with the keys [first, first + count), with and without memory: both must agree. */
static int open_with(
	struct fixture *f, struct bytes content, size_t first, size_t count, struct bytes *ret)
{
	const struct key_secret *keys[KEYS];
	struct payload_content again = {0};
	for (size_t i = 0; i < count; i++)
		keys[i] = f->keys[first + i];
	*ret = BYTES("untouched", 9);
	int r = sealing_open(&f->header, content, keys, count, f->arena, ret);
	int r_again = sealing_opener_open(
		f->opener, &f->header, content, keys, count, f->arena, &again);
	CHECK_INT(r_again, r);
	if (r != 0)
		CHECK(bytes_equal(*ret, BYTES("untouched", 9)));
	else
		CHECK(bytes_equal(*ret, again.body));
	return r;
}

static int open_one(struct fixture *f, struct bytes content)
{
	struct bytes body;
	return open_with(f, content, 0, 1, &body);
}

/* A copy that a test may change; header_fit() makes the header follow. */
static uint8_t *content_copy(struct fixture *f, struct bytes content)
{
	struct bytes copy;
	CHECK_INT(arena_copy(f->arena, content, &copy), 0);
	return sample_bytes(copy.data, copy.len).data;
}

static void header_fit(struct fixture *f, struct bytes content)
{
	blake2b_of(content, f->hash);
	f->header.content_hash = sample_bytes(f->hash, sizeof(f->hash));
	f->header.content_length = (uint32_t)content.len;
}

static struct payload parsed(struct fixture *f, struct bytes content)
{
	struct payload payload;
	const char *field;
	CHECK_INT(payload_parse(f->arena, content, &payload, &field), 0);
	return payload;
}

static void every_recipient_opens(void)
{
	static const size_t lengths[] = {0, 1, 220, 221, 222, 1024, 65536, 200000, 258000};
	_cleanup_(fixture) struct fixture f;
	uint8_t *text = calloc(1, 258000);
	uint64_t random = 6;
	CHECK(text != NULL);
	fixture_init(&f);
	sample_fill(&random, text, 258000);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (size_t count = 0; count <= 3; count++) {
			struct bytes body = BYTES(text, lengths[i]), out;
			arena_reset(f.arena);
			struct bytes content = seal(&f, body, count);
			CHECK_INT(f.header.content_length, content.len);
			CHECK_INT(f.header.n_sealed_recipients, count);
			for (size_t k = 0; k < count; k++) {
				CHECK_INT(open_with(&f, content, k, 1, &out), 0);
				CHECK(bytes_equal(out, body));
			}
			CHECK_INT(open_with(&f, content, 0, KEYS, &out), 0);
			CHECK(bytes_equal(out, body));
		}
	}
	free(text);
}

static void the_finished_header_passes(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t buf[HEADER_BYTES_MAX];
	Dienstweg__Header *read;
	const char *field;
	fixture_init(&f);
	for (size_t count = 0; count <= KEYS; count += 5) {
		struct bytes content = seal(&f, BYTES("body", 4), count);
		size_t len = sample_pack(&f.header, buf, sizeof(buf));
		CHECK_INT(envelope_header_parse(f.arena, BYTES(buf, len), &read, &field), 0);
		CHECK_INT(envelope_content_check(f.arena, read, content, &field), 0);
	}
}

/* What we write is what protobuf-c would have written. */
static void content_is_protobuf(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	for (size_t count = 0; count <= 3; count++) {
		struct bytes content = seal(&f, BYTES("a body", 6), count);
		Dienstweg__Payload *payload = dienstweg__payload__unpack(
			arena_allocator(f.arena), content.len, content.data);
		CHECK(payload != NULL);
		CHECK_INT(payload->form_case,
			count ? DIENSTWEG__PAYLOAD__FORM_SEALED : DIENSTWEG__PAYLOAD__FORM_CLEAR);
		uint8_t *again = arena_alloc(f.arena, content.len);
		CHECK_INT(dienstweg__payload__get_packed_size(payload), content.len);
		CHECK_INT(dienstweg__payload__pack(payload, again), content.len);
		CHECK_MEM(again, content.data, content.len);
	}
}

static void the_body_does_not_show(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t body[64];
	fixture_init(&f);
	memset(body, 'B', sizeof(body));
	struct bytes content = seal(&f, BYTES(body, sizeof(body)), 1);
	CHECK(memmem(content.data, content.len, "BBBB", 4) == NULL);
	struct bytes clear = seal(&f, BYTES(body, sizeof(body)), 0);
	CHECK(memmem(clear.data, clear.len, body, sizeof(body)) != NULL);
}

/* Nothing but the ephemeral key is the same in two seals of the same body. */
static void two_seals_share_the_ephemeral_key_only(void)
{
	_cleanup_(fixture) struct fixture f;
	_cleanup_(sealing_batch_free) struct sealing_batch *next = NULL;
	uint8_t commitment[HASH_SIZE];
	fixture_init(&f);
	struct bytes first = seal(&f, BYTES("body", 4), 1);
	memcpy(commitment, f.header.body_commitment.data, HASH_SIZE);
	struct bytes second = seal(&f, BYTES("body", 4), 1);
	struct payload a = parsed(&f, first), b = parsed(&f, second);
	CHECK(bytes_equal(a.ephemeral, b.ephemeral));
	CHECK(!bytes_equal(a.nonce, b.nonce));
	CHECK(!bytes_equal(a.wraps[0].nonce, b.wraps[0].nonce));
	CHECK(!bytes_equal(a.wraps[0].box, b.wraps[0].box));
	CHECK(memcmp(a.box.data, b.box.data, 64) != 0);
	CHECK(memcmp(commitment, f.header.body_commitment.data, HASH_SIZE) != 0);
	CHECK_INT(sealing_batch_new(&next), 0);
	sealing_batch_free(f.batch);
	f.batch = steal(&next);
	struct payload c = parsed(&f, seal(&f, BYTES("body", 4), 1));
	CHECK(!bytes_equal(a.ephemeral, c.ephemeral));
}

/* In the same memory, made when it is needed or before. */
static void a_forgotten_key_is_not_used_again(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	struct payload a = parsed(&f, seal(&f, BYTES("body", 4), 1));
	sealing_batch_forget(f.batch);
	struct payload b = parsed(&f, seal(&f, BYTES("body", 4), 1));
	CHECK(!bytes_equal(a.ephemeral, b.ephemeral));
	sealing_batch_forget(f.batch);
	sealing_batch_prepare(f.batch);
	sealing_batch_forget(f.batch); /* nothing was sealed with it: it stays */
	sealing_batch_prepare(f.batch);
	struct payload c = parsed(&f, seal(&f, BYTES("body", 4), 1));
	struct payload d = parsed(&f, seal(&f, BYTES("body", 4), 1));
	CHECK(!bytes_equal(b.ephemeral, c.ephemeral));
	CHECK(bytes_equal(c.ephemeral, d.ephemeral));
}

/* More recipients than a batch remembers, twice over; and the next batch's key has met the last one already. */
static void remembered_recipients_are_not_mixed_up(void)
{
	_cleanup_(fixture) struct fixture f;
	struct sealing_recipient one;
	fixture_init(&f);
	for (size_t round = 0; round < 3 * KEYS; round++) {
		size_t k = round * 7 % KEYS;
		struct bytes content, body;
		one = f.recipients[k];
		CHECK_INT(sealing_seal(
				  f.batch, &f.header, BYTES("body", 4), &one, 1, f.arena, &content),
			0);
		CHECK_INT(open_with(&f, content, k, 1, &body), 0);
		CHECK_INT(open_with(&f, content, (k + 1) % KEYS, 1, &body), SEALING_NOT_FOR_US);
		if (round % 3 == 0)
			continue;
		sealing_batch_forget(f.batch);
		sealing_batch_prepare(f.batch);
		if (round % 3 == 2)
			continue;
		CHECK_INT(sealing_seal(
				  f.batch, &f.header, BYTES("body", 4), &one, 1, f.arena, &content),
			0);
		CHECK_INT(open_with(&f, content, k, 1, &body), 0);
	}
}

static void lengths_are_padded(void)
{
	static const size_t known[][2] = {{0, 256}, {1, 256}, {256, 256}, {257, 272}, {272, 272},
		{1000, 1024}, {1025, 1088}, {100000, 100352}, {131071, 131072}, {131073, 135168}};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		CHECK_INT(sealing_padded_length(known[i][0]), known[i][1]);
	for (size_t length = 1; length < 300000; length += 13) {
		size_t padded = sealing_padded_length(length);
		CHECK(padded >= length && sealing_padded_length(padded) == padded);
		CHECK(length < 256 || padded - length <= length * 12 / 100);
	}
	_cleanup_(fixture) struct fixture f;
	static const uint8_t text[2000] = {0};
	fixture_init(&f);
	/* 34 bytes of salt, 3 of tag and length, 1 of mark: 1025 to 1088 look alike. */
	size_t shortest = seal(&f, BYTES(text, 987), 1).len;
	CHECK_INT(seal(&f, BYTES(text, 1050), 1).len, shortest);
	CHECK(seal(&f, BYTES(text, 986), 1).len < shortest);
	CHECK(seal(&f, BYTES(text, 1051), 1).len > shortest);
}

static void too_large_changes_nothing(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t *text = calloc(1, CONTENT_BYTES_MAX + 1);
	struct bytes content = BYTES("untouched", 9);
	CHECK(text != NULL);
	fixture_init(&f);
	Dienstweg__Header before = f.header;
	for (size_t count = 0; count <= 2; count++) {
		size_t fits = 200000, too_large = CONTENT_BYTES_MAX + 1;
		while (too_large - fits > 1) {
			size_t middle = (fits + too_large) / 2;
			arena_reset(f.arena);
			f.header = before;
			int r = sealing_seal(f.batch, &f.header, BYTES(text, middle), f.recipients,
				count, f.arena, &content);
			CHECK(r == 0 || r == SEALING_TOO_LARGE);
			CHECK_INT(memcmp(&f.header, &before, sizeof(before)) != 0, r == 0);
			if (r == 0) {
				CHECK(content.len <= CONTENT_BYTES_MAX);
				fits = middle;
			} else {
				too_large = middle;
			}
		}
		/* docs/protocol.md names these. */
		CHECK_INT(fits, count == 0 ? 262102 : 258009);
	}
	static const size_t absurd[] = {CONTENT_BYTES_MAX + 1, SIZE_MAX / 2, SIZE_MAX - 8, SIZE_MAX};
	for (size_t i = 0; i < ARRAY_LEN(absurd); i++) {
		for (size_t count = 0; count <= 1; count++)
			CHECK_INT(sealing_seal(f.batch, &f.header, BYTES(text, absurd[i]),
					  f.recipients, count, f.arena, &content),
				SEALING_TOO_LARGE);
	}
	struct sealing_recipient many[SEALED_RECIPIENTS_MAX + 1] = {0};
	CHECK_INT(sealing_seal(f.batch, &f.header, BYTES(text, 1), many, SEALED_RECIPIENTS_MAX + 1,
			  f.arena, &content),
		SEALING_TOO_LARGE);
	free(text);
}

/* Low-order points: an attacker's public key for which everybody knows the shared secret. */
static void bad_recipient_keys_change_nothing(void)
{
	_cleanup_(fixture) struct fixture f;
	struct bytes content = BYTES("untouched", 9);
	fixture_init(&f);
	Dienstweg__Header before = f.header;
	struct sealing_recipient pair[2] = {f.recipients[0], f.recipients[1]};
	for (uint8_t low = 0; low <= 1; low++) {
		memset(pair[1].public, 0, BOX_KEY_SIZE);
		pair[1].public[0] = low;
		CHECK_INT(sealing_seal(
				  f.batch, &f.header, BYTES("body", 4), pair, 2, f.arena, &content),
			SEALING_BROKEN);
		CHECK_MEM(&f.header, &before, sizeof(before));
		CHECK(bytes_equal(content, BYTES("untouched", 9)));
	}
	CHECK_INT(open_one(&f, seal(&f, BYTES("body", 4), 2)), 0);
}

static void sealed_for_someone_else(void)
{
	_cleanup_(fixture) struct fixture f;
	struct bytes body;
	fixture_init(&f);
	struct bytes content = seal(&f, BYTES("body", 4), 2);
	CHECK_INT(open_with(&f, content, 2, 3, &body), SEALING_NOT_FOR_US);
	CHECK_INT(open_with(&f, content, 2, 0, &body), SEALING_NOT_FOR_US);
	CHECK_INT(open_with(&f, content, 1, KEYS - 1, &body), 0);

	/* Our key id on a wrap made for another key: named for us, but it does not open. */
	struct sealing_recipient wrong = f.recipients[1];
	memcpy(wrong.key_id, f.recipients[0].key_id, KEY_ID_SIZE);
	CHECK_INT(sealing_seal(f.batch, &f.header, BYTES("body", 4), &wrong, 1, f.arena, &content),
		0);
	CHECK_INT(open_one(&f, content), SEALING_BROKEN);

	/* A key of another use never opens, whatever its id says. */
	content = seal(&f, BYTES("body", 4), 1);
	f.keys[0]->pub.use = KEY_TRANSPORT;
	CHECK_INT(open_one(&f, content), SEALING_NOT_FOR_US);
}

static void swapped_wraps_do_not_open(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t saved[WRAP_BOX_SIZE];
	fixture_init(&f);
	struct bytes content = seal(&f, BYTES("body", 4), 2);
	struct payload payload = parsed(&f, content);
	uint8_t *copy = content_copy(&f, content);
	uint8_t *first = copy + (payload.wraps[0].box.data - content.data);
	uint8_t *second = copy + (payload.wraps[1].box.data - content.data);
	memcpy(saved, first, sizeof(saved));
	memcpy(first, second, sizeof(saved));
	memcpy(second, saved, sizeof(saved));
	header_fit(&f, BYTES(copy, content.len));
	CHECK_INT(open_one(&f, BYTES(copy, content.len)), SEALING_BROKEN);

	/* Whole wraps in the other order: no longer the order of the header. */
	size_t wrap = 94;
	copy = content_copy(&f, content);
	size_t at = (size_t)(payload.wraps[0].key_id.data - content.data) - 2;
	memcpy(copy + at, content.data + at + wrap + 2, wrap);
	memcpy(copy + at + wrap + 2, content.data + at, wrap);
	header_fit(&f, BYTES(copy, content.len));
	CHECK_INT(open_one(&f, BYTES(copy, content.len)), SEALING_BROKEN);
	ProtobufCBinaryData id = f.header.sealed_recipients[0];
	f.header.sealed_recipients[0] = f.header.sealed_recipients[1];
	f.header.sealed_recipients[1] = id;
	CHECK_INT(open_one(&f, BYTES(copy, content.len)), 0);
}

static void another_commitment_is_refused(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	for (size_t count = 0; count <= 1; count++) {
		struct bytes content = seal(&f, BYTES("body", 4), count);
		for (size_t bit = 0; bit < 8 * HASH_SIZE; bit++) {
			f.header.body_commitment.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			CHECK_INT(open_one(&f, content), SEALING_COMMITMENT);
			f.header.body_commitment.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		f.header.body_commitment.len = 0;
		CHECK_INT(open_one(&f, content), SEALING_COMMITMENT);
	}
}

/* Content moved under another header: each part of the context alone. */
static void content_belongs_to_its_message(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	for (size_t count = 0; count <= 1; count++) {
		struct bytes content = seal(&f, BYTES("body", 4), count);
		int expected = count ? SEALING_BROKEN : SEALING_COMMITMENT;
		Dienstweg__Header good = f.header;
#define MOVED(member, value)                                                                       \
	do {                                                                                       \
		f.header.member = (value);                                                         \
		CHECK_INT(open_one(&f, content), expected);                                        \
		f.header = good;                                                                   \
	} while (0)
		MOVED(bus, sample_text("solingen.demo"));
		MOVED(sender, sample_text("other-portal"));
		MOVED(message_id, sample_bytes(sample_case_id, 16));
		MOVED(case_id, sample_bytes(sample_message_id, 16));
		MOVED(service, sample_text("alg2.decision"));
		CHECK_INT(open_one(&f, content), 0);
	}
}

static void sealed_and_header_must_agree(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	ProtobufCBinaryData id = sample_bytes(f.recipients[0].key_id, KEY_ID_SIZE);
	struct bytes clear = seal(&f, BYTES("body", 4), 0);
	f.header.sealed_recipients = &id;
	f.header.n_sealed_recipients = 1;
	CHECK_INT(open_one(&f, clear), SEALING_BROKEN);
	struct bytes sealed = seal(&f, BYTES("body", 4), 1);
	f.header.n_sealed_recipients = 0;
	CHECK_INT(open_one(&f, sealed), SEALING_BROKEN);
}

static void truncated_content_is_broken(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	for (size_t count = 0; count <= 1; count++) {
		struct bytes content = seal(&f, BYTES("body", 4), count);
		for (size_t len = 0; len < content.len; len++) {
			CHECK_INT(open_one(&f, BYTES(content.data, len)), SEALING_BROKEN);
			header_fit(&f, BYTES(content.data, len));
			CHECK_INT(open_one(&f, BYTES(content.data, len)), SEALING_BROKEN);
			header_fit(&f, content);
		}
	}
}

/* Any bit, with a header that fits again: what the sender's signature alone would not stop. */
static void any_flipped_bit_is_refused(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	struct bytes content = seal(&f, BYTES("body", 4), 1);
	uint8_t *copy = content_copy(&f, content);
	for (size_t bit = 0; bit < 8 * content.len; bit++) {
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK_INT(open_one(&f, BYTES(copy, content.len)), SEALING_BROKEN);
		header_fit(&f, BYTES(copy, content.len));
		CHECK(open_one(&f, BYTES(copy, content.len)) > 0);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		header_fit(&f, content);
	}
	CHECK_INT(open_one(&f, BYTES(copy, content.len)), 0);
}

/* Sealed content around any plaintext, by hand, as a hostile sender would. */
static int open_by_hand(struct fixture *f, const uint8_t *ephemeral_public, struct bytes plain)
{
	uint8_t context[ENVELOPE_CONTEXT_MAX], shared[32], wrap_key[32], box[48], text[1024], *p;
	static const uint8_t ephemeral[32] = {8}, content_key[32] = {9}, nonce[24] = {7};
	uint8_t public[32], *sealed = arena_alloc(f->arena, plain.len + 16);
	struct bytes aad = BYTES(context, envelope_context(&f->header, context));
	ProtobufCBinaryData id = sample_bytes(f->recipients[0].key_id, KEY_ID_SIZE);
	x25519_public(ephemeral, public);
	CHECK_INT(x25519(ephemeral, f->recipients[0].public, shared), 0);
	memcpy(text, "dienstweg/v1/wrap\0", 18);
	memcpy(text + 18, shared, 32);
	memcpy(text + 50, public, 32);
	memcpy(text + 82, f->recipients[0].public, 32);
	memcpy(text + 114, context, aad.len);
	blake2b_of(BYTES(text, 114 + aad.len), wrap_key);
	aead_seal(box, BYTES(content_key, 32), aad, nonce, wrap_key);
	aead_seal(sealed, plain, aad, nonce, content_key);

	Dienstweg__Wrap wrap = DIENSTWEG__WRAP__INIT, *wraps[1] = {&wrap};
	Dienstweg__SealedContent content = DIENSTWEG__SEALED_CONTENT__INIT;
	Dienstweg__Payload payload = DIENSTWEG__PAYLOAD__INIT;
	wrap.key_id = id;
	wrap.nonce = content.nonce = sample_bytes(nonce, 24);
	wrap.box = sample_bytes(box, 48);
	content.ephemeral = sample_bytes(ephemeral_public ? ephemeral_public : public, 32);
	content.wraps = wraps;
	content.n_wraps = 1;
	content.box = sample_bytes(sealed, plain.len + 16);
	payload.form_case = DIENSTWEG__PAYLOAD__FORM_SEALED;
	payload.sealed = &content;
	p = arena_alloc(f->arena, dienstweg__payload__get_packed_size(&payload));
	CHECK(p != NULL);
	struct bytes all = BYTES(p, dienstweg__payload__pack(&payload, p));
	f->header.sealed_recipients = &id;
	f->header.n_sealed_recipients = 1;
	header_fit(f, all);
	int r = open_one(f, all);
	f->header.sealed_recipients = NULL;
	f->header.n_sealed_recipients = 0;
	return r;
}

static void hostile_insides_are_broken(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t plain[600] = {0}, commitment[HASH_SIZE], text[1024];
	static const uint8_t low_order[32] = {1};
	fixture_init(&f);

	/* A good one first, so that the rest is refused for what it says it is. */
	memcpy(plain,
		"\x0a\x20"
		"0123456789abcdef0123456789abcdef"
		"\x12\x04"
		"body\x80",
		41);
	memcpy(text, "dienstweg/v1/body\0", 18);
	size_t len = 18 + envelope_context(&f.header, text + 18);
	memcpy(text + len,
		"0123456789abcdef0123456789abcdef"
		"body",
		36);
	blake2b_of(BYTES(text, len + 36), commitment);
	f.header.body_commitment = sample_bytes(commitment, HASH_SIZE);
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 256)), 0);
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 600)), 0);
	CHECK_INT(open_by_hand(&f, low_order, BYTES(plain, 256)), SEALING_BROKEN);
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 255)), SEALING_BROKEN);

	plain[300] = 1; /* something behind the padding */
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 600)), SEALING_BROKEN);
	plain[300] = 0x80; /* a second mark: the zeros belong to the inside */
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 600)), SEALING_BROKEN);
	plain[300] = 0;
	plain[40] = 0; /* no mark: the last byte of the body is none */
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 256)), SEALING_BROKEN);
	plain[40] = 0x81; /* another mark */
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 256)), SEALING_BROKEN);
	plain[40] = 0x80;
	plain[36]++; /* another body of the same form */
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 256)), SEALING_COMMITMENT);
	plain[36]--;
	plain[1]--; /* a salt of 31 bytes */
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 256)), SEALING_BROKEN);
	memset(plain, 0, sizeof(plain));
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 256)), SEALING_BROKEN);
	plain[0] = 0x80; /* an empty Content */
	CHECK_INT(open_by_hand(&f, NULL, BYTES(plain, 256)), SEALING_BROKEN);
}

static void a_small_budget_is_told(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	struct bytes content = seal(&f, BYTES("body", 4), 1), out;
	const struct key_secret *key = f.keys[0];
	for (size_t budget = 0; budget < 2048; budget += 64) {
		_cleanup_(arena_free) struct arena *small = arena_new(budget);
		Dienstweg__Header header = f.header;
		CHECK(small != NULL);
		int r = sealing_open(&f.header, content, &key, 1, small, &out);
		CHECK(r == 0 || r == -ENOMEM);
		arena_reset(small);
		r = sealing_seal(f.batch, &header, BYTES("body", 4), f.recipients, 1, small, &out);
		CHECK(r == 0 || r == -ENOMEM);
		CHECK(r == 0 || memcmp(&header, &f.header, sizeof(header)) == 0);
		CHECK(budget > 0 || r == -ENOMEM);
		CHECK(budget < 1984 || r == 0);
	}
}

CHECK_MAIN(CHECK_CASE(every_recipient_opens), CHECK_CASE(the_finished_header_passes),
	CHECK_CASE(content_is_protobuf), CHECK_CASE(the_body_does_not_show),
	CHECK_CASE(two_seals_share_the_ephemeral_key_only),
	CHECK_CASE(a_forgotten_key_is_not_used_again),
	CHECK_CASE(remembered_recipients_are_not_mixed_up), CHECK_CASE(lengths_are_padded),
	CHECK_CASE(too_large_changes_nothing), CHECK_CASE(bad_recipient_keys_change_nothing),
	CHECK_CASE(sealed_for_someone_else), CHECK_CASE(swapped_wraps_do_not_open),
	CHECK_CASE(another_commitment_is_refused), CHECK_CASE(content_belongs_to_its_message),
	CHECK_CASE(sealed_and_header_must_agree), CHECK_CASE(truncated_content_is_broken),
	CHECK_CASE(any_flipped_bit_is_refused), CHECK_CASE(hostile_insides_are_broken),
	CHECK_CASE(a_small_budget_is_told))
