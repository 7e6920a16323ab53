/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The whole of an envelope as a recipient takes it: header, signature and content of one message of a
 * batch, sealed. Any single bit of it changed, and it must be refused by something; and the whole batch's
 * root is in the cache all the while, because that is when a mistake would let it through.
 */
#include "proto/envelope/envelope.h"
#include "proto/envelope/test-sample.h"
#include "proto/sealing/sealing.h"
#include "proto/signature/signature.h"
#include "test/kit/check.h"

enum { MESSAGES = 5, WHICH = 2 };

static const struct bytes bus = {.data = (const uint8_t *)"wuppertal.demo", .len = 14};

struct world {
	struct arena *arena;
	struct signature_cache *cache;
	struct key_secret *sign;
	struct key_secret *seal;
	uint8_t header[MESSAGES][HEADER_BYTES_MAX];
	size_t header_len[MESSAGES];
	struct bytes content[MESSAGES];
	Dienstweg__Signature sigs[MESSAGES];
};

static void cleanup_world(struct world *w)
{
	arena_free(w->arena);
	signature_cache_free(w->cache);
	key_secret_free(w->sign);
	key_secret_free(w->seal);
}

static void world_init(struct world *w)
{
	_cleanup_(sealing_batch_free) struct sealing_batch *batch = NULL;
	uint8_t h[MESSAGES][HASH_SIZE];
	struct sealing_recipient recipient;
	*w = (struct world){.arena = arena_new(4 << 20)};
	CHECK_INT(crypto_init(), 0);
	CHECK(w->arena != NULL);
	CHECK_INT(signature_cache_new(16, &w->cache), 0);
	CHECK_INT(key_generate(KEY_SIGN, BYTES("portal", 6), &w->sign), 0);
	CHECK_INT(key_generate(KEY_SEAL, BYTES("jobcenter", 9), &w->seal), 0);
	CHECK_INT(sealing_batch_new(&batch), 0);
	memcpy(recipient.key_id, w->seal->pub.id, KEY_ID_SIZE);
	memcpy(recipient.public, w->seal->pub.public, BOX_KEY_SIZE);
	for (size_t i = 0; i < MESSAGES; i++) {
		Dienstweg__Header header = sample_header();
		uint8_t id[16];
		memcpy(id, sample_message_id, sizeof(id));
		id[15] = (uint8_t)i;
		header.message_id = sample_bytes(id, sizeof(id));
		CHECK_INT(sealing_seal(batch, &header, BYTES_STR("the body of a message"),
				  &recipient, 1, w->arena, &w->content[i]),
			0);
		w->header_len[i] = sample_pack(&header, w->header[i], HEADER_BYTES_MAX);
		envelope_header_hash(BYTES(w->header[i], w->header_len[i]), h[i]);
	}
	CHECK_INT(
		signature_sign(SIGNATURE_MESSAGE, bus, w->sign, h, MESSAGES, w->sigs, w->arena), 0);
}

/* What every recipient does, in this order. 0: taken. */
static int take(struct world *w, struct bytes header_bytes, const Dienstweg__Signature *sig,
	struct bytes content)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(64 * 1024);
	const struct key_secret *keys[] = {w->seal};
	uint8_t h[HASH_SIZE];
	Dienstweg__Header *header;
	struct bytes body;
	const char *field;
	CHECK(arena != NULL);
	int r = envelope_header_parse(arena, header_bytes, &header, &field);
	if (r != 0)
		return r;
	/* The look-up in the registry. */
	if (!sig || !bytes_equal(BYTES_PB(sig->key_id), BYTES(w->sign->pub.id, KEY_ID_SIZE)))
		return 1000;
	envelope_header_hash(header_bytes, h);
	r = signature_verify(w->cache, SIGNATURE_MESSAGE, bus, w->sign->pub.public, h, sig);
	if (r != 0)
		return r;
	r = envelope_content_check(arena, header, content, &field);
	if (r != 0)
		return r;
	return sealing_open(header, content, keys, 1, arena, &body);
}

static int take_message(struct world *w, size_t i)
{
	return take(w, BYTES(w->header[i], w->header_len[i]), &w->sigs[i], w->content[i]);
}

static void untouched_messages_are_taken(void)
{
	_cleanup_(world) struct world w;
	world_init(&w);
	for (size_t i = 0; i < MESSAGES; i++)
		CHECK_INT(take_message(&w, i), 0);
}

static void any_bit_of_the_header(void)
{
	_cleanup_(world) struct world w;
	world_init(&w);
	CHECK_INT(take_message(&w, WHICH), 0);
	for (size_t bit = 0; bit < 8 * w.header_len[WHICH]; bit++) {
		w.header[WHICH][bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(take_message(&w, WHICH) > 0);
		w.header[WHICH][bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t len = 0; len < w.header_len[WHICH]; len++)
		CHECK(take(&w, BYTES(w.header[WHICH], len), &w.sigs[WHICH], w.content[WHICH]) > 0);
	CHECK_INT(take_message(&w, WHICH), 0);
}

/* The serialized signature; protobuf-c reads it as the broker does. */
static void any_bit_of_the_signature(void)
{
	_cleanup_(world) struct world w;
	uint8_t packed[512];
	world_init(&w);
	size_t len = dienstweg__signature__pack(&w.sigs[WHICH], packed);
	CHECK_INT(take_message(&w, WHICH), 0);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		_cleanup_(arena_free) struct arena *arena = arena_new(64 * 1024);
		packed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		Dienstweg__Signature *sig = dienstweg__signature__unpack(
			arena_allocator(arena), len, packed);
		CHECK(take(&w, BYTES(w.header[WHICH], w.header_len[WHICH]), sig, w.content[WHICH]) >
			0);
		packed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* And in the flat form that the journal keeps. */
static void any_bit_of_the_core(void)
{
	_cleanup_(world) struct world w;
	uint8_t core[SIGNATURE_CORE_MAX];
	world_init(&w);
	size_t len = signature_core(&w.sigs[WHICH], core);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		Dienstweg__Signature sig;
		core[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int r = signature_from_core(BYTES(core, len), w.arena, &sig);
		if (r == 0)
			r = take(&w, BYTES(w.header[WHICH], w.header_len[WHICH]), &sig,
				w.content[WHICH]);
		CHECK(r > 0);
		core[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void any_bit_of_the_content(void)
{
	_cleanup_(world) struct world w;
	struct bytes copy;
	world_init(&w);
	CHECK_INT(arena_copy(w.arena, w.content[WHICH], &copy), 0);
	uint8_t *bytes = sample_bytes(copy.data, copy.len).data;
	w.content[WHICH] = copy;
	for (size_t bit = 0; bit < 8 * copy.len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK_INT(take_message(&w, WHICH), ENVELOPE_CONTENT);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK_INT(take_message(&w, WHICH), 0);
}

/* Parts of two good messages of one batch. */
static void mixed_messages(void)
{
	_cleanup_(world) struct world w;
	world_init(&w);
	for (size_t i = 0; i < MESSAGES; i++) {
		for (size_t j = 0; j < MESSAGES; j++) {
			struct bytes header = BYTES(w.header[i], w.header_len[i]);
			if (i == j)
				continue;
			CHECK(take(&w, header, &w.sigs[j], w.content[i]) > 0);
			CHECK_INT(take(&w, header, &w.sigs[i], w.content[j]), ENVELOPE_CONTENT);
		}
	}
}

CHECK_MAIN(CHECK_CASE(untouched_messages_are_taken), CHECK_CASE(any_bit_of_the_header),
	CHECK_CASE(any_bit_of_the_signature), CHECK_CASE(any_bit_of_the_core),
	CHECK_CASE(any_bit_of_the_content), CHECK_CASE(mixed_messages))
