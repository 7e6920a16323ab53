/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a signature covers is written out a second time here, with plain memcpy, so that a change of the
 * signed text is noticed even when signing and verifying still agree. Every refusal is tried without a
 * cache and with one that already holds the good root: a cache must never make anything pass.
 */
#include "proto/signature/signature.h"

#include <errno.h>

#include "proto/envelope/test-sample.h"
#include "proto/merkle/merkle.h"
#include "test/kit/check.h"

static const uint8_t seed[SIGN_SEED_SIZE] = "a seed that is not secret at all";
static const struct bytes bus = {.data = (const uint8_t *)"wuppertal.demo", .len = 14};

struct fixture {
	struct arena *arena;
	struct key_secret *key;
	struct signature_cache *cache;
	uint8_t items[BATCH_MAX][HASH_SIZE];
	Dienstweg__Signature sigs[BATCH_MAX];
};

static void cleanup_fixture(struct fixture *f)
{
	arena_free(f->arena);
	key_secret_free(f->key);
	signature_cache_free(f->cache);
}

static void fixture_init(struct fixture *f)
{
	uint64_t random = 4;
	*f = (struct fixture){.arena = arena_new(256 * 1024)};
	CHECK_INT(crypto_init(), 0);
	CHECK(f->arena != NULL);
	CHECK_INT(key_from_seed(KEY_SIGN, BYTES("portal", 6), seed, &f->key), 0);
	CHECK_INT(signature_cache_new(64, &f->cache), 0);
	sample_fill(&random, f->items[0], sizeof(f->items));
}

static void sign(struct fixture *f, size_t count)
{
	CHECK_INT(signature_sign(SIGNATURE_MESSAGE, bus, f->key, f->items, count, f->sigs, f->arena),
		0);
}

/* Without a cache, with an empty one, and with this fixture's. All must agree. */
static int verify_as(struct fixture *f, enum signature_domain domain, struct bytes on_bus,
	const uint8_t *public, const uint8_t *item, const Dienstweg__Signature *sig)
{
	_cleanup_(signature_cache_free) struct signature_cache *empty = NULL;
	CHECK_INT(signature_cache_new(1, &empty), 0);
	int r = signature_verify(NULL, domain, on_bus, public, item, sig);
	CHECK_INT(signature_verify(f->cache, domain, on_bus, public, item, sig), r);
	CHECK_INT(signature_verify(empty, domain, on_bus, public, item, sig), r);
	CHECK_INT(signature_verify(empty, domain, on_bus, public, item, sig), r);
	return r;
}

static int verify(struct fixture *f, const uint8_t *item, const Dienstweg__Signature *sig)
{
	return verify_as(f, SIGNATURE_MESSAGE, bus, f->key->pub.public, item, sig);
}

static void every_message_of_every_batch_verifies(void)
{
	_cleanup_(fixture) struct fixture f;
	fixture_init(&f);
	for (size_t count = 1; count <= BATCH_MAX; count++) {
		arena_reset(f.arena);
		sign(&f, count);
		for (size_t i = 0; i < count; i++) {
			CHECK_INT(f.sigs[i].size, count);
			CHECK_INT(f.sigs[i].index, i);
			CHECK_INT(verify(&f, f.items[i], &f.sigs[i]), 0);
		}
		CHECK_INT(signature_verify_whole(f.cache, SIGNATURE_MESSAGE, bus, f.key->pub.public,
				  f.items, count, BYTES_PB(f.sigs[0].root)),
			0);
	}
}

/* domain NUL || u8 length || bus || u32be size || root, by hand. */
static size_t signed_text(
	uint8_t *text, const char *domain, size_t domain_len, uint32_t size, const uint8_t *root)
{
	memcpy(text, domain, domain_len);
	text[domain_len] = 14;
	memcpy(text + domain_len + 1, "wuppertal.demo", 14);
	be32_put(text + domain_len + 15, size);
	memcpy(text + domain_len + 19, root, HASH_SIZE);
	return domain_len + 19 + HASH_SIZE;
}

static void the_signed_text_is_the_contracts(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t leaf[33] = {0}, hashes[65] = {1}, root[HASH_SIZE], text[128];
	fixture_init(&f);

	memcpy(leaf + 1, f.items[0], HASH_SIZE);
	sha256_of(BYTES(leaf, 33), root);
	sign(&f, 1);
	size_t len = signed_text(text, "dienstweg/v1/message\0", 21, 1, root);
	CHECK_INT(f.sigs[0].path.len, 0);
	CHECK_INT(ed25519_verify(BYTES(text, len), f.key->pub.public, f.sigs[0].root.data), 0);

	memcpy(hashes + 1, root, HASH_SIZE);
	memcpy(leaf + 1, f.items[1], HASH_SIZE);
	sha256_of(BYTES(leaf, 33), hashes + 33);
	sha256_of(BYTES(hashes, 65), root);
	CHECK_INT(signature_sign(SIGNATURE_ACK, bus, f.key, f.items, 2, f.sigs, f.arena), 0);
	len = signed_text(text, "dienstweg/v1/acknowledgement\0", 29, 2, root);
	CHECK_INT(ed25519_verify(BYTES(text, len), f.key->pub.public, f.sigs[0].root.data), 0);
	CHECK_MEM(f.sigs[0].path.data, hashes + 33, HASH_SIZE);
	CHECK_MEM(f.sigs[1].path.data, hashes + 1, HASH_SIZE);
	CHECK_MEM(f.sigs[1].key_id.data, f.key->pub.id, KEY_ID_SIZE);
}

static void another_domain_bus_key_or_item_is_refused(void)
{
	_cleanup_(fixture) struct fixture f;
	_cleanup_(key_secret_free) struct key_secret *other = NULL;
	fixture_init(&f);
	CHECK_INT(key_generate(KEY_SIGN, BYTES("portal", 6), &other), 0);
	for (size_t count = 1; count <= BATCH_MAX; count += 5) {
		sign(&f, count);
		const Dienstweg__Signature *sig = &f.sigs[count - 1];
		const uint8_t *item = f.items[count - 1], *public = f.key->pub.public;
		CHECK_INT(verify(&f, item, sig), 0);
		CHECK_INT(verify_as(&f, SIGNATURE_ACK, bus, public, item, sig), SIGNATURE_BAD);
		CHECK_INT(verify_as(&f, SIGNATURE_CANCEL, bus, public, item, sig), SIGNATURE_BAD);
		CHECK_INT(verify_as(&f, SIGNATURE_MESSAGE, BYTES("wuppertal.dem", 13), public, item,
				  sig),
			SIGNATURE_BAD);
		CHECK_INT(verify_as(&f, SIGNATURE_MESSAGE, BYTES("solingen.demo1", 14), public,
				  item, sig),
			SIGNATURE_BAD);
		CHECK_INT(verify_as(&f, SIGNATURE_MESSAGE, bus, other->pub.public, item, sig),
			SIGNATURE_BAD);
		CHECK_INT(verify(&f, sample_hash, sig), SIGNATURE_BAD);
		CHECK_INT(verify(&f, item, sig), 0);
	}
}

/* The case a root cache is for, and the one it must never get wrong. */
static void a_cached_root_passes_no_other_signature(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t junk[SIGNATURE_SIZE];
	uint64_t random = 5;
	fixture_init(&f);
	sign(&f, 32);
	for (size_t i = 0; i < 32; i++)
		CHECK_INT(verify(&f, f.items[i], &f.sigs[i]), 0);
	Dienstweg__Signature forged = f.sigs[7];
	forged.root.data = junk;
	memcpy(junk, f.sigs[7].root.data, sizeof(junk));
	for (size_t bit = 0; bit < 8 * sizeof(junk); bit++) {
		junk[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK_INT(verify(&f, f.items[7], &forged), SIGNATURE_BAD);
		junk[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK_INT(verify(&f, f.items[7], &forged), 0);
	for (size_t i = 0; i < 100; i++) {
		/* The first bytes choose the slot: keep them, so that the good entry is met. */
		sample_fill(&random, junk + 8, sizeof(junk) - 8);
		CHECK_INT(verify(&f, f.items[7], &forged), SIGNATURE_BAD);
	}
	memset(junk, 0, sizeof(junk));
	CHECK_INT(verify(&f, f.items[7], &forged), SIGNATURE_BAD);
}

/* S + L verifies under a sloppy implementation: the same signature with a second spelling. */
static void a_malleable_signature_is_refused(void)
{
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6,
		0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	_cleanup_(fixture) struct fixture f;
	uint8_t twisted[SIGNATURE_SIZE];
	fixture_init(&f);
	sign(&f, 3);
	CHECK_INT(verify(&f, f.items[1], &f.sigs[1]), 0);
	memcpy(twisted, f.sigs[1].root.data, sizeof(twisted));
	unsigned int carry = 0;
	for (size_t i = 0; i < 32; i++) {
		carry += (unsigned int)twisted[32 + i] + order[i];
		twisted[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	Dienstweg__Signature sig = f.sigs[1];
	sig.root.data = twisted;
	CHECK_INT(verify(&f, f.items[1], &sig), SIGNATURE_BAD);
}

static void wrong_paths_are_refused(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t path[SIGNATURE_PATH_MAX * HASH_SIZE];
	fixture_init(&f);
	sign(&f, 23);
	for (size_t i = 0; i < 23; i++) {
		Dienstweg__Signature sig = f.sigs[i];
		CHECK_INT(verify(&f, f.items[i], &sig), 0);
		memcpy(path, sig.path.data, sig.path.len);
		sig.path.data = path;
		for (size_t bit = 0; bit < 8 * sig.path.len; bit += 7) {
			path[bit / 8] ^= (uint8_t)(1u << bit % 8);
			CHECK_INT(verify(&f, f.items[i], &sig), SIGNATURE_BAD);
			path[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		/* Somebody else's place in the batch, with the path of either. */
		sig.index = (uint32_t)((i + 1) % 23);
		CHECK(verify(&f, f.items[i], &sig) != 0);
		CHECK(verify(&f, f.items[i], &f.sigs[(i + 1) % 23]) != 0);
	}
}

static void impossible_forms_are_told_apart(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t long_path[6 * HASH_SIZE] = {0};
	fixture_init(&f);
	sign(&f, 5);
	CHECK_INT(verify(&f, f.items[0], NULL), SIGNATURE_FORM);
#define FORM(member, value)                                                                        \
	do {                                                                                       \
		Dienstweg__Signature form = f.sigs[0];                                             \
		form.member = (value);                                                             \
		CHECK_INT(verify(&f, f.items[0], &form), SIGNATURE_FORM);                          \
	} while (0)
	FORM(size, 0);
	FORM(size, 33);
	FORM(size, UINT32_MAX);
	FORM(size, 9); /* another path length */
	FORM(index, 5);
	FORM(index, UINT32_MAX);
	FORM(index, 4); /* alone on its side: one step */
	FORM(key_id.len, 15);
	FORM(key_id.len, 0);
	FORM(root.len, 63);
	FORM(root.len, 0);
	FORM(path.len, 2 * HASH_SIZE);
	FORM(path.len, 3 * HASH_SIZE - 1);
	FORM(path.len, 0);
	for (size_t steps = 0; steps <= 6; steps++) {
		if (steps == 3)
			continue;
		Dienstweg__Signature form = f.sigs[0];
		form.path = (ProtobufCBinaryData){.data = long_path, .len = steps * HASH_SIZE};
		CHECK_INT(verify(&f, f.items[0], &form), SIGNATURE_FORM);
	}
	/* Everything fits but the limit: six steps do not fit where five are expected. */
	Dienstweg__Signature larger = f.sigs[0];
	larger.size = 64;
	larger.path = (ProtobufCBinaryData){.data = long_path, .len = sizeof(long_path)};
	CHECK_INT(verify(&f, f.items[0], &larger), SIGNATURE_FORM);
	/* Sizes with the same path length: right form, but another root or another claim. */
	for (uint32_t size = 6; size <= 8; size++) {
		Dienstweg__Signature other = f.sigs[0];
		other.size = size;
		CHECK_INT(verify(&f, f.items[0], &other), SIGNATURE_BAD);
	}
}

/* An item that is the concatenation of two leaves' hashes must not pass for a node. */
static void a_node_is_no_leaf(void)
{
	_cleanup_(fixture) struct fixture f;
	struct merkle_hash left, right, node;
	fixture_init(&f);
	sign(&f, 2);
	merkle_leaf(BYTES(f.items[0], HASH_SIZE), &left);
	merkle_leaf(BYTES(f.items[1], HASH_SIZE), &right);
	merkle_node(&left, &right, &node);
	Dienstweg__Signature sig = f.sigs[0];
	sig.size = 1;
	sig.path.len = 0;
	CHECK_INT(verify(&f, node.bytes, &sig), SIGNATURE_BAD);
}

static void whole_batches(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t root[SIGNATURE_SIZE];
	fixture_init(&f);
	CHECK_INT(signature_sign(SIGNATURE_ACK, bus, f.key, f.items, 7, f.sigs, f.arena), 0);
	memcpy(root, f.sigs[0].root.data, sizeof(root));
#define WHOLE(cache, domain, on, count, len)                                                       \
	signature_verify_whole(                                                                    \
		cache, domain, on, f.key->pub.public, f.items, count, BYTES(root, len))
	for (int round = 0; round < 2; round++) {
		CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, bus, 7, 64), 0);
		CHECK_INT(WHOLE(NULL, SIGNATURE_ACK, bus, 7, 64), 0);
		CHECK_INT(WHOLE(f.cache, SIGNATURE_MESSAGE, bus, 7, 64), SIGNATURE_BAD);
		CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, BYTES("other", 5), 7, 64), SIGNATURE_BAD);
		CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, bus, 6, 64), SIGNATURE_BAD);
		CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, bus, 8, 64), SIGNATURE_BAD);
		CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, bus, 0, 64), SIGNATURE_FORM);
		CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, bus, 33, 64), SIGNATURE_FORM);
		CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, bus, 7, 63), SIGNATURE_FORM);
		CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, bus, 7, 0), SIGNATURE_FORM);
		root[40] ^= 1;
		CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, bus, 7, 64), SIGNATURE_BAD);
		root[40] ^= 1;
		f.items[3][0] ^= 1;
		CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, bus, 7, 64), SIGNATURE_BAD);
		f.items[3][0] ^= 1;
	}
	/* The order is signed too. */
	uint8_t first[HASH_SIZE];
	memcpy(first, f.items[0], HASH_SIZE);
	memcpy(f.items[0], f.items[1], HASH_SIZE);
	memcpy(f.items[1], first, HASH_SIZE);
	CHECK_INT(WHOLE(f.cache, SIGNATURE_ACK, bus, 7, 64), SIGNATURE_BAD);
}

/* A signature, flattened for the journal and read back; every other length is refused. */
static void core_round_trip(void)
{
	_cleanup_(fixture) struct fixture f;
	uint8_t core[SIGNATURE_CORE_MAX + 1], again[SIGNATURE_CORE_MAX];
	fixture_init(&f);
	for (size_t count = 1; count <= BATCH_MAX; count++) {
		arena_reset(f.arena);
		sign(&f, count);
		for (size_t i = 0; i < count; i++) {
			Dienstweg__Signature back;
			size_t len = signature_core(&f.sigs[i], core);
			CHECK_INT(len, 89 + 32 * merkle_path_length(i, count));
			CHECK_INT(signature_from_core(BYTES(core, len), f.arena, &back), 0);
			CHECK_INT(verify(&f, f.items[i], &back), 0);
			CHECK_INT(signature_core(&back, again), len);
			CHECK_MEM(again, core, len);
			CHECK_INT(signature_from_core(BYTES(core, len - 1), f.arena, &back),
				SIGNATURE_FORM);
			CHECK_INT(signature_from_core(BYTES(core, len + 1), f.arena, &back),
				SIGNATURE_FORM);
		}
	}
	CHECK_MEM(core, f.key->pub.id, 16);
	CHECK_MEM(core + 16, "\0\0\0\x20\0\0\0\x1f\5", 9);
}

static void impossible_cores_are_refused(void)
{
	_cleanup_(fixture) struct fixture f;
	Dienstweg__Signature back;
	uint8_t core[SIGNATURE_CORE_MAX];
	fixture_init(&f);
	sign(&f, 5);
	size_t len = signature_core(&f.sigs[0], core);
	for (size_t cut = 0; cut < len; cut++)
		CHECK_INT(signature_from_core(BYTES(core, cut), f.arena, &back), SIGNATURE_FORM);
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {{19, 0}, {19, 33}, {16, 1}, {19, 9}, {23, 5}, {23, 4}, {20, 1}, {24, 2}, {24, 4},
		{24, 255}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t was = core[bad[i].at];
		core[bad[i].at] = bad[i].value;
		CHECK_INT(signature_from_core(BYTES(core, len), f.arena, &back), SIGNATURE_FORM);
		core[bad[i].at] = was;
	}
	CHECK_INT(signature_from_core(BYTES(core, len), f.arena, &back), 0);
	_cleanup_(arena_free) struct arena *small = arena_new(64);
	CHECK(small != NULL);
	CHECK_INT(signature_from_core(BYTES(core, len), small, &back), -ENOMEM);
	CHECK_INT(signature_sign(SIGNATURE_MESSAGE, bus, f.key, f.items, 5, f.sigs, small), -ENOMEM);
}

/* More roots than slots: old ones are forgotten and verified again, never mixed up. */
static void a_full_cache_forgets(void)
{
	_cleanup_(fixture) struct fixture f;
	_cleanup_(signature_cache_free) struct signature_cache *tiny = NULL;
	Dienstweg__Signature many[40];
	fixture_init(&f);
	CHECK_INT(signature_cache_new(3, &tiny), 0);
	for (size_t i = 0; i < 40; i++) {
		f.items[0][0] = (uint8_t)i;
		sign(&f, 2);
		many[i] = f.sigs[0];
	}
	for (size_t round = 0; round < 80; round++) {
		f.items[0][0] = (uint8_t)(round % 40);
		const Dienstweg__Signature *right = &many[round % 40],
					   *wrong = &many[(round + 1) % 40];
		CHECK_INT(signature_verify(tiny, SIGNATURE_MESSAGE, bus, f.key->pub.public,
				  f.items[0], right),
			0);
		CHECK_INT(signature_verify(tiny, SIGNATURE_MESSAGE, bus, f.key->pub.public,
				  f.items[0], wrong),
			SIGNATURE_BAD);
	}
}

static void digest(uint8_t ret[HASH_SIZE], const char *on_bus, const char *to, uint64_t sequence,
	uint8_t h0, bool accepted, const char *code, const char *text)
{
	uint8_t h[HASH_SIZE] = {h0};
	acknowledgement_digest(BYTES_STR(on_bus), BYTES_STR(to), sequence, h, accepted,
		BYTES_STR(code), BYTES_STR(text), ret);
}

static void acknowledgements_say_everything(void)
{
	static const char by_hand[] =
		"dienstweg/v1/ack\0\4demo\11jobcenter\0\0\0\0\0\0\1\2"
		"\11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"\0\6schema\4text";
	uint8_t good[HASH_SIZE], other[HASH_SIZE], expected[HASH_SIZE];
	digest(good, "demo", "jobcenter", 258, 9, false, "schema", "text");
	sha256_of(BYTES(by_hand, sizeof(by_hand) - 1), expected);
	CHECK_MEM(good, expected, HASH_SIZE);
#define DIFFERS(...)                                                                               \
	do {                                                                                       \
		digest(other, __VA_ARGS__);                                                        \
		CHECK(memcmp(good, other, HASH_SIZE) != 0);                                        \
	} while (0)
	DIFFERS("demp", "jobcenter", 258, 9, false, "schema", "text");
	DIFFERS("demo", "jobcentre", 258, 9, false, "schema", "text");
	DIFFERS("demoj", "obcenter", 258, 9, false, "schema", "text");
	DIFFERS("demo", "jobcenter", 259, 9, false, "schema", "text");
	DIFFERS("demo", "jobcenter", 258, 8, false, "schema", "text");
	DIFFERS("demo", "jobcenter", 258, 9, true, "schema", "text");
	DIFFERS("demo", "jobcenter", 258, 9, false, "schem", "atext");
	DIFFERS("demo", "jobcenter", 258, 9, false, "", "");
}

static void cancelled(uint8_t ret[HASH_SIZE], const char *on_bus, const char *from, uint8_t id_byte,
	const char *to, const char *reason)
{
	uint8_t id[16] = {id_byte};
	cancellation_digest(
		BYTES_STR(on_bus), BYTES_STR(from), id, BYTES_STR(to), BYTES_STR(reason), ret);
}

static void cancellations_say_everything(void)
{
	static const char by_hand[] =
		"dienstweg/v1/cancel\0\4demo\4city\11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"\11jobcenter\7mistake";
	uint8_t good[HASH_SIZE], other[HASH_SIZE], expected[HASH_SIZE];
	cancelled(good, "demo", "city", 9, "jobcenter", "mistake");
	sha256_of(BYTES(by_hand, sizeof(by_hand) - 1), expected);
	CHECK_MEM(good, expected, HASH_SIZE);
	static const struct {
		const char *bus, *from;
		uint8_t id;
		const char *to, *reason;
	} others[] = {
		{"demp", "city", 9, "jobcenter", "mistake"},
		{"demo", "town", 9, "jobcenter", "mistake"},
		{"democ", "ity", 9, "jobcenter", "mistake"},
		{"demo", "city", 8, "jobcenter", "mistake"},
		{"demo", "city", 9, "", "mistake"},
		{"demo", "city", 9, "jobcenterm", "istake"},
		{"demo", "city", 9, "jobcenter", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		cancelled(other, others[i].bus, others[i].from, others[i].id, others[i].to,
			others[i].reason);
		CHECK(memcmp(good, other, HASH_SIZE) != 0);
	}
}

CHECK_MAIN(CHECK_CASE(every_message_of_every_batch_verifies),
	CHECK_CASE(the_signed_text_is_the_contracts),
	CHECK_CASE(another_domain_bus_key_or_item_is_refused),
	CHECK_CASE(a_cached_root_passes_no_other_signature),
	CHECK_CASE(a_malleable_signature_is_refused), CHECK_CASE(wrong_paths_are_refused),
	CHECK_CASE(impossible_forms_are_told_apart), CHECK_CASE(a_node_is_no_leaf),
	CHECK_CASE(whole_batches), CHECK_CASE(core_round_trip),
	CHECK_CASE(impossible_cores_are_refused), CHECK_CASE(a_full_cache_forgets),
	CHECK_CASE(acknowledgements_say_everything), CHECK_CASE(cancellations_say_everything))
