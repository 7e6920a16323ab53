/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "proto/receipt/proof-file.h"

/*
 * Judging proofs, offline, with nothing but the file and pinned keys. Whose keys count is the caller's
 * question; whether witnesses made the checkpoint final is proto/note's. All functions are pure.
 */

/**
 * proof_check_checkpoint() - does a checkpoint count?
 * @note:   the signed note
 * @origin: of the log, NUL-terminated: what the note claims, or what is expected
 * @keys:   log keys that are trusted; only those whose name is the origin are asked
 * @count:  how many
 * @ret:    the checkpoint
 * @fault:  filled for a verdict; its field is "checkpoint"
 * Return: 0 or PROOF_CHECKPOINT.
 */
int proof_check_checkpoint(struct bytes note, const char *origin, const struct note_key *keys,
	size_t count, struct checkpoint *ret, struct proof_fault *fault) _must_use_;

/**
 * proof_check_entry() - do the parts of an entry make its stub?
 * @entry: a decoded one
 * @ret:   what it discloses, views into @entry; of kind 0 when it is not whole
 * @fault: filled for a verdict
 * Return: 0 or PROOF_ENTRY.
 */
int proof_check_entry(const struct proof_entry *entry, struct disclosed *ret,
	struct proof_fault *fault) _must_use_;

/**
 * proof_check_path() - is the entry a leaf of this tree?
 * @file:       parsed
 * @checkpoint: its checkpoint, judged
 * @fault:      filled for a verdict
 * Return: 0, PROOF_MALFORMED (index or number of hashes impossible in this tree), PROOF_PATH.
 */
int proof_check_path(const struct proof_file *file, const struct checkpoint *checkpoint,
	struct proof_fault *fault) _must_use_;

/**
 * proof_check_consistency() - does the newer tree begin with the older one?
 * @proof: parsed
 * @fault: filled for a verdict
 *
 * That anybody signed one of the two trees is another question.
 *
 * Return: 0, PROOF_MALFORMED (sizes or number of hashes impossible), PROOF_PATH.
 */
int proof_check_consistency(
	const struct proof_consistency *proof, struct proof_fault *fault) _must_use_;
