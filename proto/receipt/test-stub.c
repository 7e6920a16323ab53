/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The stub is what is left when everything else has been erased, so its bytes can never change. The
 * expected values were computed with another SHA-256 from the description in docs/journal.md.
 */
#include "proto/receipt/stub.h"

#include "proto/base/text.h"
#include "proto/journal.pb-c.h"
#include "test/kit/check.h"

enum { CORE_SIZE = 16 + 4 + 4 + 1 + 32 + 64 };

/* @count bytes that count up from @first. */
static void counting(uint8_t *buf, uint8_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf[i] = (uint8_t)(first + i);
}

static void check_hex(const uint8_t *actual, size_t len, const char *expected)
{
	char hex[2 * DISCLOSED_MAX + 1];
	text_hex(BYTES(actual, len), hex);
	CHECK_STR(hex, expected);
}

/* A signature core: leaf 1 of 2. */
static void make_core(uint8_t core[CORE_SIZE])
{
	counting(core, 96, 16);
	be32_put(core + 16, 2);
	be32_put(core + 20, 1);
	core[24] = 1;
	memset(core + 25, 0xaa, 32);
	counting(core + 57, 128, 64);
}

static size_t make_disclosed(uint8_t kind, struct bytes rest, uint8_t buf[DISCLOSED_MAX])
{
	struct disclosed disclosed = {.kind = kind,
		.batch_ms = UINT64_C(1795000000123),
		.registry_version = 7,
		.rest = rest};
	counting(disclosed.digest, 64, HASH_SIZE);
	return disclosed_encode(&disclosed, buf);
}

static void the_bytes_of_version_0(void)
{
	uint8_t salt[STUB_SALT_SIZE], nonce[STUB_NONCE_SIZE], private_digest[HASH_SIZE];
	uint8_t core[CORE_SIZE], buf[DISCLOSED_MAX], stub[STUB_SIZE];
	struct merkle_hash leaf;
	counting(salt, 0, sizeof(salt));
	counting(nonce, 32, sizeof(nonce));
	make_core(core);
	stub_private_digest(salt, BYTES_STR("decision"), private_digest);
	check_hex(private_digest, HASH_SIZE,
		"8d4a49e38426f6cb1d02fc6c492d1ca9df002f3e7be498c206a123414d9a89d5");

	size_t len = make_disclosed(
		DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED, BYTES(core, sizeof(core)), buf);
	check_hex(buf, len,
		"01000001a1ee565e7b0000000000000007404142434445464748494a4b4c4d4e4f5051525354555657"
		"5859"
		"5a5b5c5d5e5f606162636465666768696a6b6c6d6e6f000000020000000101aaaaaaaaaaaaaaaaaaaa"
		"aaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa808182838485868788898a8b8c8d8e8f9091929394"
		"9596"
		"9798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbeb"
		"f");
	stub_make(1, 3, nonce, BYTES(buf, len), private_digest, stub);
	check_hex(stub, sizeof(stub),
		"00010327124ee48a2d7f6fccdd6cf5b1a980eb3b4311304e806ccbb786caa5e014ec50");
	stub_leaf(stub, &leaf);
	check_hex(leaf.bytes, HASH_SIZE,
		"22524ec6eb1ce52fb78be552109275a7df6735dd66d6ba5268b07d341f9da365");

	len = make_disclosed(DIENSTWEG__ENTRY_KIND__ENTRY_ERASED, BYTES(NULL, 0), buf);
	stub_make(14, 0, nonce, BYTES(buf, len), private_digest, stub);
	check_hex(stub, sizeof(stub),
		"000e00ac501555caae7dd2e046b4ef48b1aba99d3c7bb17528ee2b5ce5a88b0f031a39");
	stub_leaf(stub, &leaf);
	check_hex(leaf.bytes, HASH_SIZE,
		"56af5cd7a56c487d9223b8dd3a6953b7290f0cfc2483242f46349ae6264fa5e2");
}

static void every_input_counts(void)
{
	uint8_t nonce[STUB_NONCE_SIZE] = {0}, private_digest[HASH_SIZE] = {0};
	uint8_t core[CORE_SIZE], buf[DISCLOSED_MAX], stub[STUB_SIZE], other[STUB_SIZE];
	make_core(core);
	size_t len = make_disclosed(
		DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED, BYTES(core, sizeof(core)), buf);
	stub_make(1, 3, nonce, BYTES(buf, len), private_digest, stub);

	struct {
		uint8_t *bytes;
		size_t first, len;
	} parts[] = {{nonce, 0, sizeof(nonce)}, {private_digest, 0, sizeof(private_digest)},
		{buf, 1, len}};
	for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
		for (size_t bit = parts[p].first * 8; bit < parts[p].len * 8; bit++) {
			parts[p].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			stub_make(1, 3, nonce, BYTES(buf, len), private_digest, other);
			parts[p].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			CHECK(memcmp(stub, other, STUB_SIZE) != 0);
			CHECK_MEM(stub, other, 3);
		}
	}
	stub_make(1, 4, nonce, BYTES(buf, len), private_digest, other);
	CHECK_INT(other[2], 4);
	CHECK_MEM(stub + 3, other + 3, HASH_SIZE); /* the class stands in the stub alone */
}

static void stubs_are_taken_apart(void)
{
	uint8_t bytes[STUB_SIZE + 1] = {0, 16, 2, 9, 8, 7};
	struct stub stub;
	CHECK_INT(stub_decode(BYTES(bytes, STUB_SIZE), &stub), 0);
	CHECK_INT(stub.version, 0);
	CHECK_INT(stub.kind, 16);
	CHECK_INT(stub.class, 2);
	CHECK_MEM(stub.commitment, bytes + 3, HASH_SIZE);
	CHECK_INT(stub_decode(BYTES(bytes, STUB_SIZE - 1), &stub), 1);
	CHECK_INT(stub_decode(BYTES(bytes, STUB_SIZE + 1), &stub), 1);
	CHECK_INT(stub_decode(BYTES(NULL, 0), &stub), 1);
	bytes[0] = 1;
	CHECK_INT(stub_decode(BYTES(bytes, STUB_SIZE), &stub), 1);
}

static void disclosed_there_and_back(void)
{
	uint8_t core[SIGNATURE_SIZE + 25 + 6 * HASH_SIZE] = {0}, buf[DISCLOSED_MAX + 1] = {0};
	struct disclosed got;
	for (uint32_t size = 0; size <= 34; size++) {
		for (uint32_t index = 0; index <= size; index++) {
			for (uint8_t steps = 0; steps <= 5; steps++) {
				bool legal = size >= 1 && size <= 32 && index < size &&
					     steps == merkle_path_length(index, size);
				be32_put(core + 16, size);
				be32_put(core + 20, index);
				core[24] = steps;
				size_t len = 25 + (size_t)steps * HASH_SIZE + SIGNATURE_SIZE;
				size_t n = make_disclosed(1, BYTES(core, len), buf);
				CHECK_INT(disclosed_decode(BYTES(buf, n), &got), legal ? 0 : 1);
				if (!legal)
					continue;
				CHECK_INT(got.kind, 1);
				CHECK(got.batch_ms == UINT64_C(1795000000123));
				CHECK_INT(got.registry_version, 7);
				CHECK(bytes_equal(got.rest, BYTES(core, len)));
				CHECK_INT(disclosed_decode(BYTES(buf, n - 1), &got), 1);
				CHECK_INT(disclosed_decode(BYTES(buf, n + 1), &got), 1);
			}
		}
	}
}

static void only_accepted_has_a_rest(void)
{
	uint8_t buf[DISCLOSED_MAX], rest[1] = {0};
	struct disclosed got;
	for (int kind = 0; kind < 256; kind++) {
		size_t n = make_disclosed((uint8_t)kind, BYTES(NULL, 0), buf);
		CHECK_INT(n, DISCLOSED_MIN);
		CHECK_INT(disclosed_decode(BYTES(buf, n), &got), kind <= 1 ? 1 : 0);
		CHECK_INT(disclosed_decode(BYTES(buf, n - 1), &got), 1);
		n = make_disclosed((uint8_t)kind, BYTES(rest, 1), buf);
		CHECK_INT(disclosed_decode(BYTES(buf, n), &got), 1);
	}
	CHECK_INT(disclosed_decode(BYTES(NULL, 0), &got), 1);
}

/* Worked out with another SHA-256. */
static void a_secret_gives_nonce_and_salt(void)
{
	uint8_t secret[STUB_SECRET_SIZE], nonce[STUB_NONCE_SIZE], salt[STUB_SALT_SIZE];
	char hex[65];
	counting(secret, 0, sizeof(secret));
	stub_open_secret(secret, nonce, salt);
	text_hex(BYTES(nonce, sizeof(nonce)), hex);
	CHECK_STR(hex, "9293ad0d641b3601bf384b7aca42c925485eb546b87b5c792650debb98edc4a0");
	text_hex(BYTES(salt, sizeof(salt)), hex);
	CHECK_STR(hex, "8284d542db83395415bbc9f639661271be783c5122b7650f3f3ba183b9ffa734");
}

CHECK_MAIN(CHECK_CASE(a_secret_gives_nonce_and_salt), CHECK_CASE(the_bytes_of_version_0),
	CHECK_CASE(every_input_counts), CHECK_CASE(stubs_are_taken_apart),
	CHECK_CASE(disclosed_there_and_back), CHECK_CASE(only_accepted_has_a_rest))
