/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The Wycheproof cases for Ed25519 through our own verify function: forgeries of encodings, small
 * order points, signatures that are too short or too long. A signature of another length cannot reach
 * ed25519_verify(), whose callers check lengths; such cases must all be marked invalid.
 */
#include "proto/base/crypto.h"
#include "proto/base/text.h"
#include "test/kit/check.h"

#include <jansson.h>

enum { CASES = 151, VALID = 88 };

static struct bytes unhex(const char *hex, uint8_t *buf, size_t size)
{
	size_t len = strlen(hex) / 2;
	CHECK(len <= size);
	CHECK_INT(text_unhex(hex, buf, len), 0);
	return BYTES(buf, len);
}

static const char *string_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	if (!text)
		CHECK_FAIL("the vectors have no \"%s\"", key);
	return text;
}

/* Returns 1 when the case was valid and verified. */
static int check_vector(json_t *test, const uint8_t pub[SIGN_PUBLIC_SIZE])
{
	static uint8_t msg_buf[8192];
	uint8_t sig_buf[256];
	struct bytes msg = unhex(string_of(test, "msg"), msg_buf, sizeof(msg_buf));
	struct bytes sig = unhex(string_of(test, "sig"), sig_buf, sizeof(sig_buf));
	bool valid = strcmp(string_of(test, "result"), "valid") == 0;
	int id = (int)json_integer_value(json_object_get(test, "tcId"));
	int verdict = sig.len == SIGNATURE_SIZE ? ed25519_verify(msg, pub, sig.data) : 1;
	if (verdict != (valid ? 0 : 1))
		CHECK_FAIL("case %d is %s but the verdict is %d", id, valid ? "valid" : "invalid",
			verdict);
	return valid;
}

static void wycheproof(void)
{
	const char *path = check_shared("vectors/wycheproof/ed25519_test.json");
	if (!path)
		check_skip("the Wycheproof vectors are not here");
	CHECK_INT(crypto_init(), 0);
	json_error_t error;
	json_t *root = json_load_file(path, 0, &error);
	if (!root)
		CHECK_FAIL("%s:%d: %s", path, error.line, error.text);

	int cases = 0, verified = 0;
	size_t i, j;
	json_t *group, *test;
	json_array_foreach(json_object_get(root, "testGroups"), i, group)
	{
		uint8_t pub[SIGN_PUBLIC_SIZE];
		struct bytes key = unhex(
			string_of(json_object_get(group, "publicKey"), "pk"), pub, sizeof(pub));
		CHECK_INT(key.len, SIGN_PUBLIC_SIZE);
		json_array_foreach(json_object_get(group, "tests"), j, test)
		{
			verified += check_vector(test, pub);
			cases++;
		}
	}
	CHECK_INT(cases, CASES);
	CHECK_INT(verified, VALID);
	json_decref(root);
}

CHECK_MAIN(CHECK_CASE(wycheproof))
