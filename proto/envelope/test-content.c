/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Contents are made with protobuf-c here, while the code under test reads them without it, and with length
 * and hash recomputed for each: what is refused is refused for its form, not because it was changed.
 */
#include <errno.h>

#include "proto/envelope/envelope.h"
#include "proto/envelope/payload.h"
#include "proto/envelope/test-sample.h"
#include "test/kit/check.h"

static const uint8_t filler[4096] = {0};

struct fixture {
	struct arena *arena;
	Dienstweg__Header header;
	uint8_t hash[HASH_SIZE];
	uint8_t content[8192];
	size_t len;
	const char *field;
};

static void cleanup_fixture(struct fixture *f)
{
	arena_free(f->arena);
}

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){.arena = arena_new(64 * 1024), .header = sample_header()};
	CHECK(f->arena != NULL);
}

/* Makes the header fit whatever the content is. */
static void header_fit(struct fixture *f)
{
	blake2b_of(BYTES(f->content, f->len), f->hash);
	f->header.content_hash = sample_bytes(f->hash, sizeof(f->hash));
	f->header.content_length = (uint32_t)f->len;
}

static int check(struct fixture *f)
{
	f->field = "";
	return envelope_content_check(f->arena, &f->header, BYTES(f->content, f->len), &f->field);
}

static int check_payload(struct fixture *f, const Dienstweg__Payload *payload)
{
	f->len = dienstweg__payload__get_packed_size(payload);
	CHECK(f->len <= sizeof(f->content));
	dienstweg__payload__pack(payload, f->content);
	header_fit(f);
	return check(f);
}

static int check_clear(struct fixture *f, size_t salt, size_t body)
{
	Dienstweg__Content content = DIENSTWEG__CONTENT__INIT;
	Dienstweg__Payload payload = DIENSTWEG__PAYLOAD__INIT;
	content.salt = sample_bytes(filler, salt);
	content.body = sample_bytes(filler, body);
	payload.form_case = DIENSTWEG__PAYLOAD__FORM_CLEAR;
	payload.clear = &content;
	return check_payload(f, &payload);
}

/* Lengths of all parts of sealed content; wraps get the key ids listed in the header. */
struct sealed_shape {
	size_t ephemeral, wraps, wrap_id, wrap_nonce, wrap_box, nonce, box;
};
static const struct sealed_shape good_shape = {32, 2, 16, 24, 48, 24, 272};

static int check_sealed(struct fixture *f, const struct sealed_shape *shape)
{
	enum { MOST = SEALED_RECIPIENTS_MAX + 1 };
	uint8_t ids[MOST][32] = {{0}};
	ProtobufCBinaryData listed[MOST];
	Dienstweg__Wrap wraps[MOST], *list[MOST];
	Dienstweg__SealedContent sealed = DIENSTWEG__SEALED_CONTENT__INIT;
	Dienstweg__Payload payload = DIENSTWEG__PAYLOAD__INIT;
	for (size_t i = 0; i < MOST; i++) {
		dienstweg__wrap__init(&wraps[i]);
		ids[i][0] = (uint8_t)i;
		listed[i] = sample_bytes(ids[i], KEY_ID_SIZE);
		wraps[i].key_id = sample_bytes(ids[i], shape->wrap_id);
		wraps[i].nonce = sample_bytes(filler, shape->wrap_nonce);
		wraps[i].box = sample_bytes(filler, shape->wrap_box);
		list[i] = &wraps[i];
	}
	sealed.ephemeral = sample_bytes(filler, shape->ephemeral);
	sealed.nonce = sample_bytes(filler, shape->nonce);
	sealed.box = sample_bytes(filler, shape->box);
	sealed.wraps = list;
	sealed.n_wraps = shape->wraps;
	payload.form_case = DIENSTWEG__PAYLOAD__FORM_SEALED;
	payload.sealed = &sealed;
	f->header.sealed_recipients = listed;
	f->header.n_sealed_recipients = shape->wraps;
	int r = check_payload(f, &payload);
	f->header.sealed_recipients = NULL;
	f->header.n_sealed_recipients = 0;
	return r;
}

static void good_content_passes(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	CHECK_INT(check_clear(&f, 32, 1000), 0);
	CHECK_INT(check_clear(&f, 32, 0), 0);
	CHECK_INT(check_sealed(&f, &good_shape), 0);
	struct sealed_shape most = good_shape;
	most.wraps = SEALED_RECIPIENTS_MAX;
	CHECK_INT(check_sealed(&f, &most), 0);
}

static void parsed_in_place(void)
{
	_cleanup_(fixture) struct fixture f;
	struct payload payload;
	fixture_init(&f);
	CHECK_INT(check_clear(&f, 32, 100), 0);
	CHECK_INT(payload_parse(f.arena, BYTES(f.content, f.len), &payload, &f.field), 0);
	CHECK(!payload.sealed);
	CHECK_INT(payload.clear.body.len, 100);
	CHECK(payload.clear.body.data == f.content + f.len - 100);
	CHECK_INT(check_sealed(&f, &good_shape), 0);
	CHECK_INT(payload_parse(f.arena, BYTES(f.content, f.len), &payload, &f.field), 0);
	CHECK(payload.sealed);
	CHECK_INT(payload.wraps_count, 2);
	CHECK_INT(payload.wraps[1].key_id.data[0], 1);
	CHECK(payload.box.data == f.content + f.len - 272);
}

static void length_and_hash_must_match(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	CHECK_INT(check_clear(&f, 32, 300), 0);
	f.len--;
	CHECK_INT(check(&f), ENVELOPE_CONTENT);
	CHECK_STR(f.field, "content_length");
	f.len += 2;
	CHECK_INT(check(&f), ENVELOPE_CONTENT);
	CHECK_STR(f.field, "content_length");
	f.len--;
	for (size_t bit = 0; bit < 8 * f.len; bit++) {
		f.content[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK_INT(check(&f), ENVELOPE_CONTENT);
		CHECK_STR(f.field, "content_hash");
		f.content[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK_INT(check(&f), 0);
}

/* Cut, with length and hash of what is left: then the form is at fault. */
static void truncated_content_is_malformed(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	for (int sealed = 0; sealed <= 1; sealed++) {
		CHECK_INT(sealed ? check_sealed(&f, &good_shape) : check_clear(&f, 32, 300), 0);
		for (size_t len = f.len; len-- > 0;) {
			f.len = len;
			header_fit(&f);
			CHECK_INT(check(&f), ENVELOPE_MALFORMED);
			CHECK(f.field[0] != '\0');
		}
	}
}

static void clear_parts_have_their_lengths(void)
{
	static const size_t bad[] = {0, 1, 31, 33};
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_INT(check_clear(&f, bad[i], 100), ENVELOPE_MALFORMED);
		CHECK_STR(f.field, "salt");
	}
}

static void sealed_parts_have_their_lengths(void)
{
	static const struct {
		size_t offset;
		size_t bad;
		const char *field;
	} cases[] = {
		{offsetof(struct sealed_shape, ephemeral), 31, "ephemeral"},
		{offsetof(struct sealed_shape, ephemeral), 33, "ephemeral"},
		{offsetof(struct sealed_shape, ephemeral), 0, "ephemeral"},
		{offsetof(struct sealed_shape, nonce), 12, "nonce"},
		{offsetof(struct sealed_shape, nonce), 0, "nonce"},
		{offsetof(struct sealed_shape, box), 271, "box"},
		{offsetof(struct sealed_shape, box), 0, "box"},
		{offsetof(struct sealed_shape, wraps), 0, "wraps"},
		{offsetof(struct sealed_shape, wraps), SEALED_RECIPIENTS_MAX + 1, "wraps"},
		{offsetof(struct sealed_shape, wrap_id), 15, "wraps"},
		{offsetof(struct sealed_shape, wrap_id), 0, "wraps"},
		{offsetof(struct sealed_shape, wrap_nonce), 23, "wraps"},
		{offsetof(struct sealed_shape, wrap_box), 47, "wraps"},
		{offsetof(struct sealed_shape, wrap_box), 49, "wraps"},
	};
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sealed_shape shape = good_shape;
		memcpy((uint8_t *)&shape + cases[i].offset, &cases[i].bad, sizeof(size_t));
		CHECK_INT(check_sealed(&f, &shape), ENVELOPE_MALFORMED);
		CHECK_STR(f.field, cases[i].field);
	}
}

static int check_raw(struct fixture *f, const char *bytes, size_t len)
{
	memcpy(f->content, bytes, len);
	f->len = len;
	header_fit(f);
	return check(f);
}

#define SALT                                                                                       \
	"\x0a\x20"                                                                                 \
	"0123456789abcdef0123456789abcdef"

static void odd_forms_are_malformed(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
#define RAW(text) check_raw(&f, text, sizeof(text) - 1)
	CHECK_INT(RAW("\x0a\x22" SALT), 0);
	CHECK_INT(RAW(""), ENVELOPE_MALFORMED);                         /* no form */
	CHECK_INT(RAW("\x0a\x22" SALT "\x12\x00"), ENVELOPE_MALFORMED); /* both */
	CHECK_INT(RAW("\x12\x00\x0a\x22" SALT), ENVELOPE_MALFORMED);
	CHECK_INT(RAW("\x0a\x22" SALT "\x0a\x22" SALT), ENVELOPE_MALFORMED);      /* one twice */
	CHECK_INT(RAW("\x0a\x22" SALT "\x1a\x00"), ENVELOPE_MALFORMED);           /* unknown */
	CHECK_INT(RAW("\x0a\x44" SALT SALT), ENVELOPE_MALFORMED);                 /* salt twice */
	CHECK_INT(RAW("\x0a\x28" SALT "\x12\x01x\x12\x01x"), ENVELOPE_MALFORMED); /* body twice */
	CHECK_INT(RAW("\x0a\x24" SALT "\x22\x00"), ENVELOPE_MALFORMED); /* unknown inside */
	CHECK_INT(RAW("\x0a\x24" SALT "\x10\x01"), ENVELOPE_MALFORMED); /* body a number */
	CHECK_INT(RAW("<?xml version=\"1.0\"?>"), ENVELOPE_MALFORMED);
}

static void sealed_and_header_must_agree(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t first[KEY_ID_SIZE] = {0}, second[KEY_ID_SIZE] = {1}, other[KEY_ID_SIZE] = {9};
	ProtobufCBinaryData ids[3] = {sample_bytes(first, 16), sample_bytes(second, 16)};
	fixture_init(&f);

	/* Clear, but the header lists a key. */
	CHECK_INT(check_clear(&f, 32, 100), 0);
	f.header.sealed_recipients = ids;
	f.header.n_sealed_recipients = 1;
	CHECK_INT(check(&f), ENVELOPE_CONTENT);
	CHECK_STR(f.field, "sealed_recipients");

	/* Sealed for the first and second key, but the header lists none, fewer, more, others. */
	CHECK_INT(check_sealed(&f, &good_shape), 0);
	f.header.sealed_recipients = ids;
	f.header.n_sealed_recipients = 2;
	CHECK_INT(check(&f), 0);
	for (size_t listed = 0; listed <= 3; listed++) {
		ids[2] = sample_bytes(other, 16);
		f.header.n_sealed_recipients = listed;
		CHECK_INT(check(&f), listed == 2 ? 0 : ENVELOPE_CONTENT);
		CHECK_STR(f.field, listed == 2 ? "" : "sealed_recipients");
	}
	f.header.n_sealed_recipients = 2;
	ids[1] = sample_bytes(other, 16);
	CHECK_INT(check(&f), ENVELOPE_CONTENT);
	ids[1] = sample_bytes(first, 16);
	ids[0] = sample_bytes(second, 16); /* the right ones, in the wrong order */
	CHECK_INT(check(&f), ENVELOPE_CONTENT);
	CHECK_STR(f.field, "sealed_recipients");
}

static void a_small_budget_is_not_the_senders_fault(void)
{
	_cleanup_(fixture) struct fixture f;
	_cleanup_(arena_free) struct arena *small = arena_new(16);
	struct payload payload;
	CHECK(small != NULL);
	fixture_init(&f);
	CHECK_INT(check_sealed(&f, &good_shape), 0);
	CHECK_INT(payload_parse(small, BYTES(f.content, f.len), &payload, &f.field), -ENOMEM);
}

CHECK_MAIN(CHECK_CASE(good_content_passes), CHECK_CASE(parsed_in_place),
	CHECK_CASE(length_and_hash_must_match), CHECK_CASE(truncated_content_is_malformed),
	CHECK_CASE(clear_parts_have_their_lengths), CHECK_CASE(sealed_parts_have_their_lengths),
	CHECK_CASE(odd_forms_are_malformed), CHECK_CASE(sealed_and_header_must_agree),
	CHECK_CASE(a_small_budget_is_not_the_senders_fault))
