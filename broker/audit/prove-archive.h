/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/prove.h"

/*
 * Proofs out of an exported log, for those who have no journal, and for entries that have been pruned from
 * it. An export holds stubs, so these proofs do: with the receipt of the time they show what an entry was.
 */

/**
 * prove_archive_entry() - that an entry is in the log, under the export's checkpoint
 * @dir:      an export
 * @sequence: of the entry
 * @arena:    owns the result; room for ENTRY_ARENA bytes
 * @ret:      the proof, checked but for the checkpoint's signature
 * @reterr:   a sentence, for a verdict
 * @size:     of @reterr
 * Return: 0, PROVE_NOT_FOUND, PROVE_REFUSED (no export, or damaged there), negative errno.
 */
int prove_archive_entry(const char *dir, uint64_t sequence, struct arena *arena,
	struct audit_proof *ret, char *reterr, size_t size);

/**
 * prove_archive_trees() - that the tree of @to entries begins with the tree of @from entries
 * @dir:    an export
 * @from:   1 to @to
 * @to:     0: the export's own size
 * @arena:  owns the result
 * @ret:    the proof, checked; its note is that of the export when it is of @to entries
 * @reterr: a sentence, for a verdict
 * @size:   of @reterr
 * Return: as prove_archive_entry().
 */
int prove_archive_trees(const char *dir, uint64_t from, uint64_t to, struct arena *arena,
	struct proof_consistency *ret, char *reterr, size_t size);
