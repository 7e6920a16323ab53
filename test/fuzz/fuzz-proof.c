/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Proofs come from whoever wants to be believed. Whatever is read must be the one spelling of what it says:
 * written again, it is the same file to the last byte. What is not read names a field and a reason.
 */
#include "proto/receipt/proof-check.h"
#include "proto/receipt/receipt.h"
#include "test/fuzz/target.h"
#include "test/kit/check.h"

enum { ARENA_BUDGET = 2 * PROOF_FILE_MAX };

static bool refused(int verdict, const struct proof_fault *fault)
{
	if (verdict == 0)
		return false;
	CHECK(verdict > 0);
	CHECK(fault->field[0] && fault->why[0]);
	return true;
}

static void try_entry(struct bytes text, struct arena *arena)
{
	struct proof_file file;
	struct proof_fault fault = {};
	struct disclosed disclosed;
	struct bytes again;
	uint8_t extra[PROOF_EXTRA_MAX];
	if (refused(proof_file_parse(text, &file, &fault), &fault))
		return;
	CHECK_INT(receipt_tlog_proof(file.note, file.index, file.path, file.steps,
			  BYTES(extra, proof_entry_encode(&file.entry, extra)), arena, &again),
		0);
	CHECK(bytes_equal(again, text));
	refused(proof_check_entry(&file.entry, &disclosed, &fault), &fault);
	refused(proof_check_path(&file, &file.claimed, &fault), &fault);
}

static void try_trees(struct bytes text, struct arena *arena)
{
	struct proof_consistency proof;
	struct proof_fault fault = {};
	struct bytes again;
	if (refused(proof_consistency_parse(text, &proof, &fault), &fault))
		return;
	CHECK_INT(proof_consistency_write(&proof, arena, &again), 0);
	CHECK(bytes_equal(again, text));
	refused(proof_check_consistency(&proof, &fault), &fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BUDGET);
	CHECK(arena);
	try_entry(BYTES(data, size), arena);
	try_trees(BYTES(data, size), arena);
	return 0;
}
