/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An auditor's side of the bus whose life test-life.c writes: what he pins comes from the registry's
 * source and never out of the journal, except for the registry, which the roots have signed.
 */
#include "broker/audit/test-proven.h"

#include "proto/base/file.h"
#include "test/kit/check.h"

static const char *beside(const struct life *life, const char *name, char path[320])
{
	CHECK(snprintf(path, 320, "%s-%s", life->policy, name) < 320);
	return path;
}

void proven_registry(const struct life *life, char path[320])
{
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(arena_free) struct arena *arena = arena_new(8 << 20);
	struct bytes content;
	CHECK(arena);
	life_open(life, life->journal.dir, &audit);
	CHECK_INT(journal_read_registry(audit.reader, life->size - 1, arena, &content), 0);
	CHECK_INT(file_replace(beside(life, "registry", path), content, 0644), 0);
}

void proven_policy(const struct life *life, const char *origin, int which, char path[320])
{
	_cleanup_(heap_free) uint8_t *roots = NULL;
	uint8_t public[SIGN_PUBLIC_SIZE], secret[SIGN_SECRET_SIZE], seed[SIGN_SEED_SIZE] = {9};
	struct note_key key;
	char text[4096], vkey[NOTE_VKEY_SIZE];
	size_t len;
	ed25519_from_seed(seed, public, secret);
	CHECK_INT(note_key_init(&key, BYTES_STR(origin),
			  which == 1 ? life->journal.options.log_keys[0]->pub.public : public),
		0);
	note_key_format(&key, vkey);
	CHECK_INT(file_read(life->policy, 1 << 16, &roots, &len), 0);
	int n = snprintf(text, sizeof(text), "log %s\n%s", vkey, (const char *)roots);
	CHECK(n > 0 && n < (int)sizeof(text));
	CHECK_INT(file_replace(beside(life, "pinned", path), BYTES(text, n), 0644), 0);
}

void proven_trust(const struct life *life, struct audit_trust *ret)
{
	char policy[320], registry[320], why[512] = "";
	proven_policy(life, "test.demo/0", 1, policy);
	proven_registry(life, registry);
	if (audit_trust_open(policy, registry, ret, why, sizeof(why)))
		CHECK_FAIL("%s", why);
}

struct bytes proven_sign(const struct life *life, uint64_t size, const struct merkle_hash *root,
	uint8_t note[CHECKPOINT_NOTE_MAX])
{
	const struct key_secret *log = life->journal.options.log_keys[0];
	struct checkpoint checkpoint = {.origin = "test.demo/0", .size = size, .root = *root};
	struct note_key key;
	CHECK_INT(note_key_init(&key, BYTES_STR("test.demo/0"), log->pub.public), 0);
	return BYTES(note, checkpoint_sign(&checkpoint, &key, log->ed25519, note));
}
