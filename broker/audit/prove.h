/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/open.h"
#include "proto/receipt/proof-file.h"

/*
 * Proofs out of a journal, beside a running broker or from a copy: which entry somebody means, that it is in
 * the tree, that a later tree begins with an earlier one. Nothing is changed.
 */
enum { PROVE_NOT_FOUND = 1, PROVE_REFUSED = 2 }; /* the sentence says what and why */

/**
 * audit_find() - the entry that somebody means
 * @audit:  open; its snapshot is renewed
 * @word:   an entry's number, a message id (UUID), or a message's h (64 hexadecimal digits)
 * @ret:    its sequence
 * @reterr: a sentence, for a verdict
 * @size:   of @reterr
 *
 * By h every message is looked at, which takes a second for a million of them.
 *
 * Return: 0, PROVE_NOT_FOUND, PROVE_REFUSED (no such word; several messages have that id), negative errno.
 */
int audit_find(struct audit *audit, const char *word, uint64_t *ret, char *reterr, size_t size);

/**
 * audit_find_end() - the entry that ended a message for a recipient: its acknowledgement, or the expiry
 * @audit:    open; its snapshot is renewed
 * @sequence: of the message
 * @party:    name of the recipient
 * @ret:      sequence of that entry
 * @reterr:   a sentence, for a verdict
 * @size:     of @reterr
 * Return: 0, PROVE_NOT_FOUND, negative errno.
 */
int audit_find_end(struct audit *audit, uint64_t sequence, const char *party, uint64_t *ret,
	char *reterr, size_t size);

struct audit_proof {
	uint64_t sequence;
	struct proof_entry entry;
	/* Only when the entry is whole: */
	struct bytes original; /* header bytes, the batch of acknowledgements, a cosigned checkpoint; or empty */
	struct bytes decision; /* salt (32) || private: hashes to the private digest */
	struct checkpoint checkpoint;
	struct bytes note; /* of the checkpoint */
	bool final;        /* a quorum of witnesses cosigned it */
	struct bytes text; /* the tlog-proof file */
};

/**
 * audit_find_witnessed() - the last entry before another one that notes a quorum of cosignatures
 * @audit:    open; its snapshot is renewed
 * @sequence: of the other entry
 * @ret:      sequence of the entry *witnessed*
 * @reterr:   a sentence, for a verdict
 * @size:     of @reterr
 * Return: 0, PROVE_NOT_FOUND, negative errno.
 */
int audit_find_witnessed(
	struct audit *audit, uint64_t sequence, uint64_t *ret, char *reterr, size_t size);

/**
 * audit_prove() - that an entry is in the log, under the oldest checkpoint with a quorum of cosignatures that
 * covers it, or under the newest one
 * @audit:    open; its snapshot is renewed. Without a keyring, and for what was erased, the proof holds the
 *            stub alone
 * @sequence: of the entry
 * @under:    NULL, or a proof under whose checkpoint this one has to be
 * @arena:    owns the result; room for ENTRY_ARENA bytes
 * @ret:      the proof; it has been checked, but for the checkpoint's signature
 * @reterr:   a sentence, for a verdict
 * @size:     of @reterr
 * Return: 0, PROVE_NOT_FOUND, PROVE_REFUSED (the journal is damaged there), negative errno.
 */
int audit_prove(struct audit *audit, uint64_t sequence, const struct audit_proof *under,
	struct arena *arena, struct audit_proof *ret, char *reterr, size_t size);

#define PROVE_TO_FINAL UINT64_MAX

/**
 * audit_prove_consistency() - that the tree of @to entries begins with the tree of @from entries
 * @audit:  open; its snapshot is renewed
 * @from:   size of the older tree, 1 to @to
 * @to:     size of the newer one; 0: that of the newest checkpoint; PROVE_TO_FINAL: that of the oldest
 *          checkpoint that a quorum cosigned and that is not smaller than the older tree
 * @arena:  owns the result
 * @ret:    the proof; it has been checked. Its note is empty when no checkpoint of that size is kept
 * @reterr: a sentence, for a verdict
 * @size:   of @reterr
 * Return: 0, PROVE_NOT_FOUND (the journal is not that long), PROVE_REFUSED, negative errno.
 */
int audit_prove_consistency(struct audit *audit, uint64_t from, uint64_t to, struct arena *arena,
	struct proof_consistency *ret, char *reterr, size_t size);
