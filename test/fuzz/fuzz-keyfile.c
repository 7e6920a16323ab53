/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Key files come by mail from other agencies. What is accepted, written again by us, is accepted again
 * and means the same; what is not names its line, and a sentence about a secret file shows nothing of it.
 */
#include "proto/identity/keytext.h"
#include "test/fuzz/target.h"
#include "test/kit/check.h"

enum { ERROR_SIZE = 256 };

static void check_secret(struct bytes text)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret keys = {0}, again = {0};
	char error[ERROR_SIZE] = "";
	int r = keytext_parse_secret("f", text, &keys, error, sizeof(error));
	CHECK(r == 0 || r == KEYFILE_MALFORMED);
	if (r != 0) {
		CHECK(strncmp(error, "f:", 2) == 0 && keys.count == 0);
		return;
	}
	_cleanup_(secret_free) char *written = secret_alloc(KEYTEXT_BYTES_MAX);
	CHECK(written != NULL);
	size_t len = keytext_format_secret(&keys, written);
	CHECK_INT(keytext_parse_secret("f", BYTES(written, len), &again, error, sizeof(error)), 0);
	CHECK_INT(again.count, keys.count);
	CHECK_STR(again.owner, keys.owner);
	for (size_t i = 0; i < keys.count; i++) {
		CHECK_MEM(again.keys[i], keys.keys[i], sizeof(*keys.keys[i]));
		CHECK(keytext_has_root(text) || keys.keys[i]->pub.use != KEY_ROOT);
	}
}

static void check_public(struct bytes text)
{
	struct keyring_public keys = {0};
	char error[ERROR_SIZE] = "";
	int r = keytext_parse_public("f", text, &keys, error, sizeof(error));
	CHECK(r == 0 || r == KEYFILE_MALFORMED);
	if (r != 0) {
		CHECK(strncmp(error, "f:", 2) == 0 && keys.count == 0);
		return;
	}
	CHECK(keys.count >= 1 && keys.count <= KEYFILE_KEYS_MAX);
	for (size_t i = 0; i < keys.count; i++)
		CHECK_INT(key_public_check(&keys.keys[i], BYTES_STR(keys.owner)), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CHECK_INT(crypto_init(), 0);
	check_secret(BYTES(data, size));
	check_public(BYTES(data, size));
	return 0;
}
