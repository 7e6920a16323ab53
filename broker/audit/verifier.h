/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/chain.h"
#include "broker/audit/entry.h"
#include "broker/audit/verify.h"
#include "proto/signature/signature.h"

/* A verification under way; between the verify*.c files. */
struct verifier {
	struct audit *audit;
	const struct audit_verify_options *options;
	struct audit_report *report;
	struct audit_verify_result *result;
	uint64_t size;           /* entries, as of the beginning */
	struct merkle_edge edge; /* over the leaves so far */
	struct chain chain;
	struct signature_cache *signatures;
	struct arena *arena; /* of the entry at hand */
	uint64_t batch_ms;   /* of the last entry whose time is known */
	uint64_t bad_row;    /* one more than the tree row last reported as unreadable */

	uint8_t newest_note[CHECKPOINT_NOTE_MAX]; /* of `size` entries */
	size_t newest_len;
	struct checkpoint newest;
	struct checkpoint held; /* size 0: none */
	uint64_t next_kept;     /* size of the next kept checkpoint; UINT64_MAX: none */
};

/* Each: 0 or negative errno; what is wrong goes to the report. */

/* Take the newest checkpoint and judge where the journal ends. */
int verify_tree_begin(struct verifier *verifier);
/* After every new snapshot: where is the next kept checkpoint? */
int verify_tree_resume(struct verifier *verifier);

/**
 * verify_tree_leaf() - stub, stored hashes, and the checkpoints of the tree that ends here
 * @verifier: at entry verifier->edge.size
 * @ret_kind: EntryKind, 0 when there is no stub
 * Return: 0 or negative errno.
 */
int verify_tree_leaf(struct verifier *verifier, uint8_t *ret_kind);
/* The checkpoints of the tree as it is now, under the registry in force. */
int verify_tree_checkpoints(struct verifier *verifier);

/* A registry entry: its content, and whether it may follow. */
int verify_registry(struct verifier *verifier, uint64_t sequence);

/* The record of an entry, its content, its signatures. */
int verify_entry(struct verifier *verifier, uint64_t sequence);
