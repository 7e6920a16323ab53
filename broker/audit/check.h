/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/chain.h"
#include "broker/audit/open.h"
#include "proto/envelope/envelope.h"
#include "proto/frame.pb-c.h"
#include "proto/journal.pb-c.h"
#include "proto/note/cosignature.h"
#include "proto/receipt/proof-file.h"
#include "proto/signature/signature.h"

/*
 * Checking proofs as somebody who has no journal: the file, the pinned keys, and the bytes that the
 * holder says it is about. What a verdict does not cover is said as well (broker/admin/verb-audit-check.c).
 */
struct audit_trust {
	struct policy policy;
	struct chain chain; /* the given registry, under the policy's roots; or none */
};

/**
 * audit_trust_open() - read what is pinned
 * @policy:   file
 * @registry: a signed registry, or NULL: then only the policy's own log keys count
 * @ret:      result; audit_trust_close(), also after a failure; must not move afterwards
 * @reterr:   a sentence with path and remedy
 * @size:     of @reterr
 * Return: 0, AUDIT_REFUSED, negative errno.
 */
int audit_trust_open(const char *policy, const char *registry, struct audit_trust *ret,
	char *reterr, size_t size);
void audit_trust_close(struct audit_trust *trust); /* harmless when never opened */
DEFINE_CLEANUP_PTR(struct audit_trust, audit_trust_close);

/**
 * audit_trust_checkpoint() - does a checkpoint count, and how many witnesses cosigned it?
 * @trust:        open
 * @note:         the signed note
 * @origin:       what the note claims to be of, or must be of
 * @ret:          the checkpoint
 * @ret_witnessed: who cosigned it
 * @fault:        filled for a verdict
 * Return: 0 or PROOF_CHECKPOINT.
 */
int audit_trust_checkpoint(const struct audit_trust *trust, struct bytes note, const char *origin,
	struct checkpoint *ret, struct cosignatures *ret_witnessed, struct proof_fault *fault);

/* What the holder has beside a proof; empty: not given. At most one of the first three is. */
struct audit_held {
	struct bytes header;   /* of a message */
	struct bytes envelope; /* the whole message: an Envelope */
	struct bytes batch;    /* of acknowledgements, or of cancellations */
	/* Of the last entry before that notes cosignatures: its proof, and the cosigned checkpoint; or both empty. */
	struct bytes after, after_note;
	struct bytes decision; /* salt (32) || private part, as an export discloses it */
	struct bytes grown; /* a consistency file from the proof's tree to one with cosignatures */
};

struct audit_checked {
	struct proof_file file;
	struct checkpoint checkpoint;
	struct cosignatures witnessed; /* of it, or of the larger one that it grew into */
	uint64_t grown;                /* entries of the larger one; 0: not given */
	struct disclosed disclosed;
	const Dienstweg__Header *header; /* of the holder's bytes, when they fit and have a reading */
	const Dienstweg__AckBatch *batch;
	const Dienstweg__CancelBatch *cancel;
	const Dienstweg__Decision *decision;
	bool signed_by_party; /* judged and good; false: nothing at hand to judge it by */
	uint64_t after;       /* entry that notes cosignatures; UINT64_MAX: not given */
	uint64_t after_s;     /* seconds since 1970: this entry is younger */
};

/**
 * audit_check_proof() - check a tlog-proof file
 * @trust: open
 * @text:  untrusted; borrowed by the result
 * @held:  the holder's bytes
 * @arena: owns the rest of the result; room for ENTRY_ARENA bytes
 * @ret:   what it proves, as far as it got
 * @fault: filled for a verdict
 * Return: 0 (it holds), PROOF_*, -ENOMEM.
 */
int audit_check_proof(const struct audit_trust *trust, struct bytes text,
	const struct audit_held *held, struct arena *arena, struct audit_checked *ret,
	struct proof_fault *fault);

struct audit_checked_trees {
	struct proof_consistency proof;
	bool old_signed, new_signed; /* a checkpoint that counts says so */
	struct cosignatures old_witnessed, new_witnessed;
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
};

/**
 * audit_check_trees() - check a consistency file
 * @trust:       open
 * @text:        untrusted; borrowed by the result
 * @held:        signed checkpoints that the holder has, of the older or the newer tree
 * @held_count:  how many
 * @ret:         what it proves, as far as it got
 * @fault:       filled for a verdict
 * Return: 0 (it holds, and somebody signed the newer tree), PROOF_*.
 */
int audit_check_trees(const struct audit_trust *trust, struct bytes text, const struct bytes *held,
	size_t held_count, struct audit_checked_trees *ret, struct proof_fault *fault);
