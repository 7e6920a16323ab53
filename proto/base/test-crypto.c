/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Published answers (FIPS 180-4, RFC 8032, RFC 7748, the XChaCha draft; keyed BLAKE2b-256 from another
 * implementation), so that what is folded is the primitive that its name says, and that each verdict
 * comes out for each changed bit.
 */
#include "proto/base/crypto.h"

#include "proto/base/text.h"
#include "test/kit/check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Hex of any length into a buffer of the test. */
static struct bytes unhex(const char *hex, uint8_t *buf)
{
	size_t len = strlen(hex) / 2;
	CHECK_INT(text_unhex(hex, buf, len), 0);
	return BYTES(buf, len);
}

static void check_hex(const uint8_t *actual, const char *expected)
{
	char text[257];
	text_hex(BYTES(actual, strlen(expected) / 2), text);
	CHECK_STR(text, expected);
}

static void sha256_answers(void)
{
	uint8_t hash[HASH_SIZE];
	sha256_of(BYTES(NULL, 0), hash);
	check_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_of(BYTES_STR("abc"), hash);
	check_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

	struct sha256 state;
	sha256_init(&state);
	char part[1000];
	memset(part, 'a', sizeof(part));
	for (int i = 0; i < 1000; i++)
		sha256_add(&state, BYTES(part, sizeof(part)));
	sha256_add(&state, BYTES(NULL, 0));
	sha256_finish(&state, hash);
	check_hex(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void blake2b_answers(void)
{
	uint8_t hash[HASH_SIZE], key[64];
	for (int i = 0; i < 64; i++)
		key[i] = (uint8_t)i;
	blake2b_of(BYTES(NULL, 0), hash);
	check_hex(hash, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
	blake2b_of(BYTES_STR("abc"), hash);
	check_hex(hash, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");

	static const struct {
		size_t key_len;
		const char *hash;
	} keyed[] = {
		{0, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"},
		{32, "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f"},
		{64, "dff38c978666dff5631db35ca15535520d134f5c8060ea569c6a178ad393719f"},
	};
	for (size_t i = 0; i < ARRAY_LEN(keyed); i++) {
		struct blake2b state;
		blake2b_init(&state, BYTES(key, keyed[i].key_len));
		blake2b_add(&state, BYTES("a", 1));
		blake2b_add(&state, BYTES(NULL, 0));
		blake2b_add(&state, BYTES("bc", 2));
		blake2b_finish(&state, hash);
		check_hex(hash, keyed[i].hash);
	}
}

static void ed25519_answers(void)
{
	/* RFC 8032 section 7.1, tests 1 to 3 and SHA(abc) */
	static const char *const rows[][4] = {
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
			"5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
			"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
			"18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
		{"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
			"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
			"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
			"dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
			"09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t seed[32], pub[32], secret[64], msg_buf[64], sig[64];
		unhex(rows[i][0], seed);
		struct bytes msg = unhex(rows[i][2], msg_buf);
		ed25519_from_seed(seed, pub, secret);
		check_hex(pub, rows[i][1]);
		ed25519_sign(msg, secret, sig);
		check_hex(sig, rows[i][3]);
		CHECK_INT(ed25519_verify(msg, pub, sig), 0);
	}
}

static void ed25519_refuses_any_change(void)
{
	uint8_t seed[32] = {1}, pub[32], secret[64], sig[64], msg[20] = "message";
	ed25519_from_seed(seed, pub, secret);
	ed25519_sign(BYTES(msg, sizeof(msg)), secret, sig);
	for (int bit = 0; bit < 512; bit++) {
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK_INT(ed25519_verify(BYTES(msg, sizeof(msg)), pub, sig), 1);
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (int bit = 0; bit < 256; bit++) {
		pub[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK_INT(ed25519_verify(BYTES(msg, sizeof(msg)), pub, sig), 1);
		pub[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	CHECK_INT(ed25519_verify(BYTES(msg, sizeof(msg) - 1), pub, sig), 1);
	CHECK_INT(ed25519_verify(BYTES(msg, sizeof(msg)), pub, sig), 0);
	uint8_t zero_pub[32] = {0}, zero_sig[64] = {0};
	CHECK_INT(ed25519_verify(BYTES(NULL, 0), zero_pub, zero_sig), 1); /* small order */
}

static void x25519_answers(void)
{
	/* RFC 7748 section 6.1 */
	uint8_t a[32], b[32], a_pub[32], b_pub[32], shared[32];
	unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", a);
	unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", b);
	x25519_public(a, a_pub);
	check_hex(a_pub, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	x25519_public(b, b_pub);
	check_hex(b_pub, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	CHECK_INT(x25519(a, b_pub, shared), 0);
	check_hex(shared, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	CHECK_INT(x25519(b, a_pub, shared), 0);
	check_hex(shared, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

static void x25519_refuses_low_order(void)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t secret[32] = {9}, point[32], shared[32];
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		unhex(points[i], point);
		CHECK_INT(x25519(secret, point, shared), 1);
	}
}

static void ed25519_keys_become_x25519_keys(void)
{
	uint8_t pub[32], secret[64], x_pub[32], x_secret[32], again[32];
	for (uint8_t i = 0; i < 20; i++) {
		uint8_t seed[32] = {i};
		ed25519_from_seed(seed, pub, secret);
		CHECK_INT(ed25519_to_x25519_public(pub, x_pub), 0);
		ed25519_to_x25519_secret(secret, x_secret);
		x25519_public(x_secret, again);
		CHECK_MEM(again, x_pub, 32);
	}
	uint8_t none[32];
	memset(none, 2, sizeof(none)); /* not on the curve, or not in the prime group */
	CHECK_INT(ed25519_to_x25519_public(none, x_pub), 1);
	memset(none, 0, sizeof(none)); /* small order */
	CHECK_INT(ed25519_to_x25519_public(none, x_pub), 1);
}

static const char aead_text[] =
	"Ladies and Gentlemen of the class of '99: If I could offer you only one tip "
	"for the future, sunscreen would be it.";
enum { AEAD_TEXT_LEN = sizeof(aead_text) - 1, AEAD_BOX_LEN = AEAD_TEXT_LEN + AEAD_TAG_SIZE };

static void aead_answers(void)
{
	/* draft-irtf-cfrg-xchacha-03 appendix A.3.1 */
	uint8_t key[32], nonce[24], aad_buf[12], box[AEAD_BOX_LEN], text[AEAD_TEXT_LEN];
	for (uint8_t i = 0; i < 32; i++)
		key[i] = (uint8_t)(0x80 + i);
	for (uint8_t i = 0; i < 24; i++)
		nonce[i] = (uint8_t)(0x40 + i);
	struct bytes aad = unhex("50515253c0c1c2c3c4c5c6c7", aad_buf);
	aead_seal(box, BYTES(aead_text, AEAD_TEXT_LEN), aad, nonce, key);
	check_hex(box, "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
		       "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452");
	check_hex(box + 64, "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
			    "21f9664c97637da9768812f615c68b13b52e"
			    "c0875924c1c7987947deafd8780acf49");
	CHECK_INT(aead_open(text, BYTES(box, sizeof(box)), aad, nonce, key), 0);
	CHECK_MEM(text, aead_text, sizeof(text));
}

static void aead_refuses_any_change(void)
{
	uint8_t key[32] = {1}, nonce[24] = {2}, aad[3] = {3}, box[AEAD_BOX_LEN], text[AEAD_TEXT_LEN];
	struct bytes whole = BYTES(box, sizeof(box));
	aead_seal(box, BYTES(aead_text, AEAD_TEXT_LEN), BYTES(aad, 3), nonce, key);
	const struct {
		uint8_t *data;
		size_t len;
	} parts[] = {
		{box, sizeof(box)}, {aad, sizeof(aad)}, {nonce, sizeof(nonce)}, {key, sizeof(key)}};
	for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
		for (size_t i = 0; i < parts[p].len; i++) {
			parts[p].data[i] ^= 0x40;
			CHECK_INT(aead_open(text, whole, BYTES(aad, 3), nonce, key), 1);
			parts[p].data[i] ^= 0x40;
		}
	}
	for (size_t len = 0; len < sizeof(box); len++)
		CHECK_INT(aead_open(text, BYTES(box, len), BYTES(aad, 3), nonce, key), 1);
	CHECK_INT(aead_open(text, whole, BYTES(aad, 2), nonce, key), 1);
	CHECK_INT(aead_open(text, whole, BYTES(aad, 3), nonce, key), 0);
}

static void aead_of_nothing(void)
{
	uint8_t key[32] = {1}, nonce[24] = {2}, box[AEAD_TAG_SIZE];
	aead_seal(box, BYTES(NULL, 0), BYTES(NULL, 0), nonce, key);
	CHECK_INT(aead_open(NULL, BYTES(box, sizeof(box)), BYTES(NULL, 0), nonce, key), 0);
	CHECK_INT(aead_open(NULL, BYTES(box, sizeof(box)), BYTES("x", 1), nonce, key), 1);
}

static void random_differs(void)
{
	uint8_t a[64] = {0}, b[64] = {0};
	random_fill(a, sizeof(a));
	random_fill(b, sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)) != 0);
}

static void secrets_compare_and_wipe(void)
{
	CHECK_INT(crypto_init(), 0);
	_cleanup_(secret_free) uint8_t *secret = secret_alloc(32);
	CHECK(secret);
	random_fill(secret, 32);
	uint8_t copy[32];
	memcpy(copy, secret, 32);
	CHECK(secret_equal(copy, secret, 32));
	copy[31] ^= 1;
	CHECK(!secret_equal(copy, secret, 32));
	secret_wipe(copy, 32);
	for (int i = 0; i < 32; i++)
		CHECK_INT(copy[i], 0);
	secret_free(NULL);
}

/* A secret lies against a guard page: one byte too far ends the process. */
static void secrets_are_guarded(void)
{
	CHECK_INT(crypto_init(), 0);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		volatile uint8_t *secret = secret_alloc(32);
		secret[31] = 1;
		secret[32] = 1;
		_exit(0);
	}
	int status;
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void init_succeeds(void)
{
	CHECK_INT(crypto_init(), 0);
	CHECK_INT(crypto_init(), 0);
}

CHECK_MAIN(CHECK_CASE(init_succeeds), CHECK_CASE(sha256_answers), CHECK_CASE(blake2b_answers),
	CHECK_CASE(ed25519_answers), CHECK_CASE(ed25519_refuses_any_change),
	CHECK_CASE(x25519_answers), CHECK_CASE(x25519_refuses_low_order),
	CHECK_CASE(ed25519_keys_become_x25519_keys), CHECK_CASE(aead_answers),
	CHECK_CASE(aead_refuses_any_change), CHECK_CASE(aead_of_nothing), CHECK_CASE(random_differs),
	CHECK_CASE(secrets_compare_and_wipe), CHECK_CASE(secrets_are_guarded))
