/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * People handle registries before two roots have signed, so a file is looked at in two ways: peeked at
 * (whole, but nobody's word) and loaded (signed by roots somebody pinned).
 */
#include "conf/cli/registry-file.h"

#include <stdio.h>
#include <string.h>

#include "conf/cli/cli.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/identity/keyfile.h"

int registry_file_read(const char *path, struct arena *arena, struct bytes *ret)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len = 0;
	int r = file_read(path, REGISTRY_BYTES_MAX, &data, &len);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r));
	if (r)
		return cli_fail(CLI_NEGATIVE, "%s: too large for a registry", path);
	r = arena_copy(arena, BYTES(data, len), ret);
	return r < 0 ? cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r)) : 0;
}

int registry_file_peek(const char *path, struct arena *arena, struct bytes *ret_bytes,
	struct registry_head *ret_head, Dienstweg__RegistryContent **ret_content)
{
	char why[WHY_SIZE] = "";
	int code = registry_file_read(path, arena, ret_bytes);
	if (code)
		return code;
	int r = registry_peek(*ret_bytes, arena, ret_head, ret_content, why, sizeof(why));
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r));
	return r ? cli_fail(CLI_NEGATIVE, "%s: %s", path, why) : 0;
}

/* The active roots of the content as verifier keys. */
static size_t own_roots(const Dienstweg__RegistryContent *content, struct note_key ret[3])
{
	size_t count = 0;
	for (size_t i = 0; i < content->n_roots && count < 3; i++) {
		const Dienstweg__Root *root = content->roots[i];
		if (root->key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE &&
			note_key_init(&ret[count], BYTES_PB(root->name), root->key->public_.data) ==
				0)
			count++;
	}
	return count;
}

static int read_policy(const char *path, struct policy *ret)
{
	char why[WHY_SIZE] = "";
	int r = policy_read(path, ret, why, sizeof(why));
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r));
	return r ? cli_fail(CLI_FAILED, "%s%s%s", strstr(why, path) ? "" : path,
			   strstr(why, path) ? "" : ": ", why)
		 : 0;
}

int registry_file_load(
	const char *path, const char *policy_path, struct registry **ret, char *reterr, size_t size)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(REGISTRY_MEMORY);
	struct policy policy = {.root_quorum = REGISTRY_ROOT_QUORUM};
	struct registry_head head;
	struct bytes bytes;
	Dienstweg__RegistryContent *content;
	char why[WHY_SIZE] = "";
	if (!arena)
		return cli_fail(CLI_FAILED, "out of memory");
	int code = policy_path ? read_policy(policy_path, &policy)
			       : registry_file_peek(path, arena, &bytes, &head, &content);
	if (code)
		return code;
	if (!policy_path)
		policy.roots_count = own_roots(content, policy.roots);
	int r = registry_read(path, &policy, ret, why, sizeof(why));
	if (r == 0)
		return 0;
	if (r > 0 && reterr) {
		snprintf(reterr, size, "%s", why);
		return CLI_NEGATIVE;
	}
	return cli_fail(r < 0 ? CLI_FAILED : CLI_NEGATIVE, "%s", why);
}

int registry_file_draft(const char *path, struct registry **ret, char *reterr, size_t size)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(REGISTRY_MEMORY);
	struct bytes bytes;
	char why[WHY_SIZE] = "";
	if (!arena)
		return cli_fail(CLI_FAILED, "out of memory");
	int code = registry_file_read(path, arena, &bytes);
	if (code)
		return code;
	int r = registry_load_draft(bytes, ret, why, sizeof(why));
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r));
	if (r > 0 && reterr) {
		snprintf(reterr, size, "%s", why);
		return CLI_NEGATIVE;
	}
	return r ? cli_fail(CLI_NEGATIVE, "%s: %s", path, why) : 0;
}

size_t registry_file_signers(
	struct bytes bytes, const Dienstweg__RegistryContent *content, struct bytes ret[3])
{
	struct note_key keys[3];
	size_t count = own_roots(content, keys), signers = 0;
	for (size_t i = 0; i < count; i++) {
		if (!registry_signed_by(bytes, &keys[i]))
			continue;
		for (size_t k = 0; k < content->n_roots; k++)
			if (bytes_equal(BYTES_PB(content->roots[k]->name), BYTES_STR(keys[i].name)))
				ret[signers++] = BYTES_PB(content->roots[k]->name);
	}
	return signers;
}

int registry_file_write(const char *path, struct bytes bytes)
{
	int r = file_replace(path, bytes, 0644);
	return r < 0 ? cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r)) : 0;
}

static bool is_root_of(
	const Dienstweg__RegistryContent *content, const struct key_secret *key, const char *name)
{
	for (size_t i = 0; i < content->n_roots; i++)
		if (bytes_equal(BYTES_PB(content->roots[i]->name), BYTES_STR(name)) &&
			bytes_equal(BYTES_PB(content->roots[i]->key->id),
				BYTES(key->pub.id, KEY_ID_SIZE)))
			return true;
	return false;
}

int registry_file_add_signature(struct bytes bytes, const Dienstweg__RegistryContent *content,
	const char *secret, struct arena *arena, struct bytes *ret, const char **ret_name)
{
	_cleanup_(keyring_secret_deinit) struct keyring_secret keys = {0};
	struct note_key signer;
	struct bytes name;
	char why[WHY_SIZE] = "";
	int r = keyfile_read_secret(secret, &keys, why, sizeof(why));
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", secret, strerrordesc_np(-r));
	if (r)
		return cli_fail(CLI_FAILED, "%s", why);
	const struct key_secret *root = keyring_secret_find(&keys, KEY_ROOT);
	if (!root || note_key_init(&signer, BYTES_STR(keys.owner), root->pub.public))
		return cli_fail(CLI_FAILED,
			"%s: holds no root key; use one made by dienstweg keygen root", secret);
	r = arena_copy(arena, BYTES(keys.owner, strlen(keys.owner) + 1), &name);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s", strerrordesc_np(-r));
	*ret_name = (const char *)name.data;
	if (!is_root_of(content, root, keys.owner))
		fprintf(stderr,
			"dienstweg: note: %s is no root of this registry; it may only be one of "
			"the version "
			"before\n",
			keys.owner);
	*ret = bytes;
	if (registry_signed_by(bytes, &signer))
		return 0;
	r = registry_sign(bytes, BYTES_STR(keys.owner), root, arena, ret);
	return r ? cli_fail(CLI_FAILED, "%s: could not sign: %s", secret,
			   r < 0 ? strerrordesc_np(-r) : "this is no registry")
		 : 0;
}
