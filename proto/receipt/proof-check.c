/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * From the bottom up a proof is a stub, a path and a signed root, and each step is judged by itself: "the
 * signature is bad" and "this is another entry" send its holder to different people. The path is
 * judged only under a checkpoint that counts, because hashes that lead to a root of nobody prove nothing.
 */
#include "proto/receipt/proof-check.h"

#include <inttypes.h>
#include <string.h>

static bool names_origin(const struct note_key *keys, size_t count, const char *origin)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(keys[i].name, origin) == 0)
			return true;
	}
	return false;
}

int proof_check_checkpoint(struct bytes note, const char *origin, const struct note_key *keys,
	size_t count, struct checkpoint *ret, struct proof_fault *fault)
{
	if (!names_origin(keys, count, origin))
		return proof_fault(fault, PROOF_CHECKPOINT, "checkpoint",
			"is of the log %s, and no key of that log is pinned", origin);
	switch (checkpoint_open(note, keys, count, origin, ret)) {
	case 0:
		return 0;
	case NOTE_BAD_SIGNATURE:
		return proof_fault(fault, PROOF_CHECKPOINT, "checkpoint",
			"the signature of the log %s does not verify: its text or its signature "
			"was changed",
			origin);
	case NOTE_UNVERIFIED:
		return proof_fault(fault, PROOF_CHECKPOINT, "checkpoint",
			"no pinned key of the log %s signed it", origin);
	default:
		return proof_fault(fault, PROOF_CHECKPOINT, "checkpoint",
			"is no checkpoint of the log %s", origin);
	}
}

int proof_check_entry(
	const struct proof_entry *entry, struct disclosed *ret, struct proof_fault *fault)
{
	uint8_t stub[STUB_SIZE];
	*ret = (struct disclosed){};
	if (!entry->whole)
		return 0;
	if (disclosed_decode(BYTES(entry->disclosed, entry->disclosed_len), ret) != 0)
		return proof_fault(fault, PROOF_ENTRY, "extra",
			"what it discloses has no form that an entry can have");
	if (ret->kind != entry->stub[1])
		return proof_fault(fault, PROOF_ENTRY, "extra",
			"the kind of entry that it discloses (%u) is not that of its stub (%u)",
			ret->kind, entry->stub[1]);
	stub_make(ret->kind, entry->stub[2], entry->nonce,
		BYTES(entry->disclosed, entry->disclosed_len), entry->private_digest, stub);
	if (memcmp(stub, entry->stub, STUB_SIZE) != 0)
		return proof_fault(fault, PROOF_ENTRY, "extra",
			"its stub is not made of the nonce, the digest and the fields beside it: "
			"one of them was changed");
	return 0;
}

int proof_check_path(const struct proof_file *file, const struct checkpoint *checkpoint,
	struct proof_fault *fault)
{
	struct merkle_hash leaf, root;
	if (file->index >= checkpoint->size)
		return proof_fault(fault, PROOF_MALFORMED, "index",
			"is %" PRIu64 ", but the checkpoint is of %" PRIu64
			" entries, numbered from 0",
			file->index, checkpoint->size);
	stub_leaf(file->entry.stub, &leaf);
	if (merkle_path_root(
		    &leaf, file->index, checkpoint->size, file->path, file->steps, &root) != 0)
		return proof_fault(fault, PROOF_MALFORMED, "hash",
			"there are %zu hashes, entry %" PRIu64 " of %" PRIu64 " has %zu",
			file->steps, file->index, checkpoint->size,
			merkle_path_length(file->index, checkpoint->size));
	if (memcmp(root.bytes, checkpoint->root.bytes, HASH_SIZE) != 0)
		return proof_fault(fault, PROOF_PATH, "hash",
			"the hashes do not lead from this entry at this place to the root of the "
			"checkpoint: the entry, its index or a hash is another one");
	return 0;
}

int proof_check_consistency(const struct proof_consistency *proof, struct proof_fault *fault)
{
	struct merkle_coordinate places[2 * MERKLE_LEVELS];
	const struct proof_tree *old = &proof->old, *new = &proof->new;
	if (old->size == 0 || old->size > new->size)
		return proof_fault(fault, PROOF_MALFORMED, "old",
			"its size is %" PRIu64
			", which must be from 1 to that of the new tree, %" PRIu64,
			old->size, new->size);
	size_t steps = merkle_consistency_coordinates(old->size, new->size, places);
	if (proof->steps != steps)
		return proof_fault(fault, PROOF_MALFORMED, "hash",
			"there are %zu hashes, the sizes %" PRIu64 " and %" PRIu64 " need %zu",
			proof->steps, old->size, new->size, steps);
	if (merkle_consistency_check(
		    old->size, &old->root, new->size, &new->root, proof->path, proof->steps) != 0)
		return proof_fault(fault, PROOF_PATH, "hash",
			"the hashes do not lead to both roots: one of the roots or a hash was "
			"changed, or the newer tree does not begin with the older one");
	return 0;
}
