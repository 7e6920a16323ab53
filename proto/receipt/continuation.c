/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An entry proves with its own audit path which tree stood before it, so nothing but the entry and one path is
 * needed: that the checkpoint it names is the one of that tree is compared, not believed. Whatever key the log had
 * in the old epoch signs under another name there, so keys are taken by their public half.
 */
#include "proto/receipt/continuation.h"

#include <string.h>

#include "proto/journal.pb-c.h"
#include "proto/receipt/stub.h"

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return CONTINUATION_BAD;
}

/* The same keys under one name; each once, as a note may not be opened with two that look alike. */
static size_t keys_rename(
	const struct note_key *keys, size_t count, const char *origin, struct note_key *ret)
{
	size_t found = 0;
	for (size_t i = 0; i < count && found < NOTE_KEYS_MAX; i++) {
		bool known = false;
		for (size_t k = 0; k < found; k++)
			known |= memcmp(ret[k].public, keys[i].public, SIGN_PUBLIC_SIZE) == 0;
		if (!known && note_key_init(&ret[found], BYTES_STR(origin), keys[i].public) == 0)
			found++;
	}
	return found;
}

int continuation_note_open(struct bytes note, struct bytes bus, const struct note_key *keys,
	size_t count, struct checkpoint *ret, uint32_t *ret_epoch)
{
	struct note_key renamed[NOTE_KEYS_MAX];
	const uint8_t *end = note.len ? memmem(note.data, note.len, "\n\n", 2) : NULL;
	if (!end || checkpoint_parse(BYTES(note.data, (size_t)(end - note.data) + 1), ret) != 0 ||
		epoch_of(ret->origin, bus, ret_epoch) != 0)
		return EPOCH_OTHER;
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	memcpy(origin, ret->origin, sizeof(origin));
	return checkpoint_open(
		note, renamed, keys_rename(keys, count, origin, renamed), origin, ret);
}

/* The entry's leaf, made of what the proof tells, and what it discloses. */
static int leaf_make(const Dienstweg__Continuation *proof, struct disclosed *disclosed,
	struct merkle_hash *ret, const char **ret_why)
{
	uint8_t private_digest[HASH_SIZE], stub[STUB_SIZE];
	if (proof->nonce.len != STUB_NONCE_SIZE || proof->salt.len != STUB_SALT_SIZE ||
		proof->path.len % HASH_SIZE || proof->path.len > MERKLE_LEVELS * HASH_SIZE ||
		proof->disclosed.len > DISCLOSED_MAX ||
		disclosed_decode(BYTES_PB(proof->disclosed), disclosed) != 0)
		return bad(ret_why, "has no possible form");
	if (disclosed->kind != DIENSTWEG__ENTRY_KIND__ENTRY_CONTINUES)
		return bad(ret_why, "is none that begins an epoch");
	stub_private_digest(proof->salt.data, BYTES_PB(proof->private_), private_digest);
	stub_make(disclosed->kind, 0, proof->nonce.data, BYTES_PB(proof->disclosed), private_digest,
		stub);
	stub_leaf(stub, ret);
	return 0;
}

static int path_check(const Dienstweg__Continuation *proof, const struct checkpoint *now,
	const struct merkle_hash *leaf, struct merkle_hash *ret_before, const char **ret_why)
{
	struct merkle_hash path[MERKLE_LEVELS], root;
	size_t steps = proof->path.len / HASH_SIZE;
	if (steps > 0)
		memcpy(path, proof->path.data, proof->path.len);
	if (proof->sequence == 0 ||
		merkle_path_root(leaf, proof->sequence, now->size, path, steps, &root) != 0 ||
		memcmp(&root, &now->root, sizeof(root)) != 0)
		return bad(ret_why, "is not in the tree of the checkpoint beside it");
	merkle_path_before(proof->sequence, now->size, path, ret_before);
	return 0;
}

static int decision_take(const Dienstweg__Continuation *proof, struct arena *arena,
	struct continuation *ret, const char **ret_why)
{
	const Dienstweg__Decision *decision = dienstweg__decision__unpack(
		arena_allocator(arena), proof->private_.len, proof->private_.data);
	if (!decision)
		return bad(ret_why, "has a decision that cannot be read");
	ret->epoch = decision->epoch;
	ret->account = decision->account;
	ret->words = BYTES_PB(decision->trusted);
	ret->marked_size = decision->marked_size;
	if (ret->epoch <= ret->before)
		return bad(ret_why, "begins an epoch that lies before the one it goes on from");
	return 0;
}

int continuation_check(const Dienstweg__Continuation *proof, const struct checkpoint *now,
	struct bytes bus, const struct note_key *keys, size_t count, struct arena *arena,
	struct continuation *ret, const char **ret_why)
{
	struct bytes original = BYTES_PB(proof->original);
	struct checkpoint before;
	struct disclosed disclosed;
	struct merkle_hash leaf;
	uint8_t digest[HASH_SIZE];
	int r = leaf_make(proof, &disclosed, &leaf, ret_why);
	if (r == 0)
		r = path_check(proof, now, &leaf, &ret->root, ret_why);
	if (r)
		return r;
	sha256_of(original, digest);
	if (memcmp(digest, disclosed.digest, HASH_SIZE) != 0)
		return bad(ret_why, "commits to another checkpoint than the one beside it");
	if (continuation_note_open(original, bus, keys, count, &before, &ret->before) != 0)
		return bad(ret_why, "names a checkpoint that no key of the log has signed");
	if (before.size != proof->sequence ||
		memcmp(&before.root, &ret->root, sizeof(ret->root)) != 0)
		return bad(ret_why, "names a checkpoint of another tree than the one before it");
	ret->size = before.size;
	ret->batch_ms = disclosed.batch_ms;
	return decision_take(proof, arena, ret, ret_why);
}
