/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The holder of a proof also holds what it is about, or else it proves that something was recorded. So
 * the holder's bytes are hashed here and compared with what the log committed to; what they say is read
 * with the broker's own strict parser, and only once they fit.
 */
#include "broker/audit/check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "broker/audit/entry.h"
#include "broker/verify/acks.h"
#include "broker/verify/cancels.h"
#include "proto/journal.pb-c.h"
#include "proto/receipt/proof-check.h"
#include "proto/receipt/receipt.h"

enum {
	KIND_ACCEPTED = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED,
	KIND_REFUSED = DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED,
	KIND_ACKNOWLEDGED = DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED,
	KIND_CANCELLED = DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED,
};

/* ---- the holder's bytes ---- */

static int compare(const struct audit_checked *checked, const uint8_t digest[HASH_SIZE],
	const char *field, const char *what, struct proof_fault *fault)
{
	if (!checked->file.entry.whole)
		return proof_fault(fault, PROOF_BYTES, field,
			"this proof holds the stub alone: nothing in it can be compared with %s. "
			"The "
			"receipt that was given at the time can",
			what);
	if (memcmp(digest, checked->disclosed.digest, HASH_SIZE) != 0)
		return proof_fault(
			fault, PROOF_BYTES, field, "the entry is about another one than %s", what);
	return 0;
}

static int wants_kind(const struct audit_checked *checked, bool fits, const char *field,
	const char *what, struct proof_fault *fault)
{
	if (fits)
		return 0;
	return proof_fault(fault, PROOF_BYTES, field, "the entry is of kind %s and not about %s",
		audit_kind_name(checked->file.entry.stub[1]), what);
}

static int hold_header(struct audit_checked *checked, struct bytes header, const char *field,
	struct arena *arena, struct proof_fault *fault)
{
	uint8_t h[HASH_SIZE], kind = checked->file.entry.stub[1];
	Dienstweg__Header *parsed;
	const char *at;
	int r = wants_kind(
		checked, kind == KIND_ACCEPTED || kind == KIND_REFUSED, field, "a message", fault);
	envelope_header_hash(header, h);
	if (r == 0)
		r = compare(checked, h, field, "the given message", fault);
	if (r)
		return r;
	r = envelope_header_parse(arena, header, &parsed, &at);
	if (r == 0)
		checked->header = parsed;
	else if (r > 0 && kind == KIND_ACCEPTED) /* what was refused need not have a reading */
		return proof_fault(fault, PROOF_BYTES, field,
			"the given header has no reading, field %s: no broker of this version "
			"accepts it",
			at);
	return r < 0 ? r : 0;
}

static int hold_envelope(struct audit_checked *checked, struct bytes bytes, struct arena *arena,
	struct proof_fault *fault)
{
	const char *at;
	const Dienstweg__Envelope *envelope = dienstweg__envelope__unpack(
		arena_allocator(arena), bytes.len, bytes.data);
	if (!envelope)
		return proof_fault(fault, PROOF_BYTES, "message", "the given file is no envelope");
	int r = hold_header(checked, BYTES_PB(envelope->header), "message", arena, fault);
	if (r == 0 && checked->header)
		r = envelope_content_check(arena, checked->header, BYTES_PB(envelope->content), &at);
	if (r > 0 && checked->header)
		return proof_fault(fault, PROOF_BYTES, "message",
			"the content in it is not what its header says, field %s", at);
	return r;
}

static int hold_batch(struct audit_checked *checked, struct bytes bytes, struct arena *arena,
	struct proof_fault *fault)
{
	uint8_t digest[HASH_SIZE];
	bool cancels = checked->file.entry.stub[1] == KIND_CANCELLED;
	int r = wants_kind(checked, cancels || checked->file.entry.stub[1] == KIND_ACKNOWLEDGED,
		"batch", "acknowledgements or cancellations", fault);
	if (cancels)
		receipt_cancel_batch_digest(bytes, digest);
	else
		receipt_ack_batch_digest(bytes, digest);
	if (r == 0)
		r = compare(checked, digest, "batch", "the given batch", fault);
	if (r)
		return r;
	if (cancels)
		checked->cancel = dienstweg__cancel_batch__unpack(
			arena_allocator(arena), bytes.len, bytes.data);
	else
		checked->batch = dienstweg__ack_batch__unpack(
			arena_allocator(arena), bytes.len, bytes.data);
	if (!checked->batch && !checked->cancel)
		return proof_fault(fault, PROOF_BYTES, "batch", "the given file is no batch");
	return 0;
}

static int hold_decision(struct audit_checked *checked, struct bytes bytes, struct arena *arena,
	struct proof_fault *fault)
{
	uint8_t digest[HASH_SIZE];
	if (!checked->file.entry.whole || bytes.len < STUB_SALT_SIZE)
		return proof_fault(fault, PROOF_BYTES, "decision",
			checked->file.entry.whole ? "is shorter than its salt"
						  : "this proof holds the stub alone: nothing in "
						    "it can be compared with a decision");
	struct bytes private = BYTES(bytes.data + STUB_SALT_SIZE, bytes.len - STUB_SALT_SIZE);
	stub_private_digest(bytes.data, private, digest);
	if (memcmp(digest, checked->file.entry.private_digest, HASH_SIZE) != 0)
		return proof_fault(fault, PROOF_BYTES, "decision",
			"the entry commits to another decision, or to another salt");
	checked->decision = dienstweg__decision__unpack(
		arena_allocator(arena), private.len, private.data);
	return checked->decision ? 0 : proof_fault(fault, PROOF_BYTES, "decision", "has no reading");
}

static int hold_original(struct audit_checked *checked, const struct audit_held *held,
	struct arena *arena, struct proof_fault *fault)
{
	if (held->header.data)
		return hold_header(checked, held->header, "header", arena, fault);
	if (held->envelope.data)
		return hold_envelope(checked, held->envelope, arena, fault);
	if (held->batch.data)
		return hold_batch(checked, held->batch, arena, fault);
	return 0;
}

static int hold(struct audit_checked *checked, const struct audit_held *held, struct arena *arena,
	struct proof_fault *fault)
{
	int r = hold_original(checked, held, arena, fault);
	if (r == 0 && held->decision.data)
		r = hold_decision(checked, held->decision, arena, fault);
	return r;
}

/* ---- signatures ---- */

static int bad_signature(struct proof_fault *fault, const char *why)
{
	return proof_fault(fault, PROOF_ENTRY, "signature",
		"what was recorded is signed %s under the given registry, which was in force there",
		why);
}

static int judge_message(const struct audit_trust *trust, struct audit_checked *checked,
	struct arena *arena, struct proof_fault *fault)
{
	Dienstweg__Signature signature;
	const uint8_t *public;
	dienstweg__signature__init(&signature);
	int r = signature_from_core(checked->disclosed.rest, arena, &signature);
	if (r)
		return r < 0 ? r : bad_signature(fault, "in no possible form");
	const char *why = chain_signing_key(&trust->chain, checked->file.index,
		BYTES_PB(signature.key_id), BYTES_PB(checked->header->sender), &public);
	if (why)
		return bad_signature(fault, why);
	if (signature_verify(NULL, SIGNATURE_MESSAGE, registry_bus(trust->chain.current), public,
		    checked->disclosed.digest, &signature) != 0)
		return bad_signature(fault, "by nobody: the signature does not verify");
	checked->signed_by_party = true;
	return 0;
}

/* Acknowledgements, or an order to cancel: words of a party under one signature. */
static int judge_batch(const struct audit_trust *trust, const struct audit_held *held,
	struct audit_checked *checked, struct proof_fault *fault)
{
	const bool cancels = checked->cancel != NULL;
	struct parcel parcel = {.kind = cancels ? PARCEL_CANCEL : PARCEL_ACKNOWLEDGE,
		.registry = trust->chain.current};
	struct ack_facts acks = {.batch = checked->batch, .batch_bytes = held->batch};
	struct cancel_facts order = {.batch = checked->cancel, .batch_bytes = held->batch};
	const uint8_t *public;
	const char *why = chain_signing_key(&trust->chain, checked->file.index,
		BYTES_PB(cancels ? checked->cancel->key_id : checked->batch->key_id),
		BYTES_PB(cancels ? checked->cancel->sender : checked->batch->recipient), &public);
	if (why)
		return bad_signature(fault, why);
	if (cancels)
		verify_cancel(NULL, &parcel, &order);
	else
		verify_acks(NULL, &parcel, &acks);
	if (cancels ? !order.form_ok || !order.signature_ok : !acks.form_ok || !acks.signature_ok)
		return bad_signature(fault, "by nobody: the signature does not verify");
	checked->signed_by_party = true;
	return 0;
}

/* Only the registry that was in force at the entry says whether a key counted there. */
static int judge_signature(const struct audit_trust *trust, const struct audit_held *held,
	struct audit_checked *checked, struct arena *arena, struct proof_fault *fault)
{
	if (!trust->chain.current ||
		chain_version(&trust->chain) != checked->disclosed.registry_version)
		return 0;
	if (checked->header && checked->disclosed.kind == KIND_ACCEPTED)
		return judge_message(trust, checked, arena, fault);
	return checked->batch || checked->cancel ? judge_batch(trust, held, checked, fault) : 0;
}

/* ---- the time before ---- */

static int after_fault(struct proof_fault *fault, const char *why)
{
	return proof_fault(fault, PROOF_BYTES, "after", "%s", why);
}

/* The other entry must stand before this one in the same tree, or in a tree of the same signature. */
static int read_after(const struct audit_checked *checked, struct bytes text,
	struct proof_file *ret, struct disclosed *disclosed, struct proof_fault *fault)
{
	int r = proof_file_parse(text, ret, fault);
	if (r == 0)
		r = proof_check_entry(&ret->entry, disclosed, fault);
	if (r)
		return after_fault(fault, "is no proof of an entry");
	if (!bytes_equal(ret->note, checked->file.note))
		return after_fault(fault, "is proven under another checkpoint: make both proofs at "
					  "once, with audit prove "
					  "--after");
	if (proof_check_path(ret, &checked->checkpoint, fault) != 0)
		return after_fault(fault, "does not lead to the root of the checkpoint");
	if (disclosed->kind != DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED)
		return after_fault(fault, "is no entry that notes cosignatures of witnesses");
	if (ret->index >= checked->file.index)
		return after_fault(fault, "does not stand before the entry");
	return 0;
}

static int judge_after(const struct audit_trust *trust, const struct audit_held *held,
	struct audit_checked *checked, struct proof_fault *fault)
{
	struct proof_file file;
	struct disclosed disclosed;
	struct checkpoint checkpoint;
	struct cosignatures witnessed;
	uint8_t digest[HASH_SIZE];
	checked->after = UINT64_MAX;
	if (!held->after.data)
		return 0;
	int r = read_after(checked, held->after, &file, &disclosed, fault);
	if (r)
		return r;
	sha256_of(held->after_note, digest);
	if (memcmp(digest, disclosed.digest, HASH_SIZE) != 0)
		return after_fault(fault, "notes other cosignatures than the given ones");
	r = audit_trust_checkpoint(trust, held->after_note, checked->checkpoint.origin, &checkpoint,
		&witnessed, fault);
	if (r)
		return after_fault(fault, "notes a checkpoint that does not count");
	if (!witnessed.quorum)
		return after_fault(
			fault, "notes too few cosignatures by the witnesses of the policy");
	checked->after = file.index;
	checked->after_s = witnessed.signed_s;
	return 0;
}

/* ---- a later checkpoint ---- */

/* Final is what a quorum cosigned, or what lies in a tree that it cosigned. */
static int judge_grown(const struct audit_trust *trust, const struct audit_held *held,
	struct audit_checked *checked, struct proof_fault *fault)
{
	struct audit_checked_trees trees;
	struct proof_fault why;
	if (!held->grown.data)
		return 0;
	if (audit_check_trees(trust, held->grown, NULL, 0, &trees, &why) != 0)
		return proof_fault(fault, PROOF_BYTES, "grown", "%s: %s", why.field, why.why);
	if (!epoch_same_bus(trees.origin, checked->checkpoint.origin) ||
		trees.proof.old.size != checked->checkpoint.size ||
		memcmp(&trees.proof.old.root, &checked->checkpoint.root, HASH_SIZE) != 0)
		return proof_fault(fault, PROOF_BYTES, "grown",
			"is about a tree of %" PRIu64
			" entries that is not the one of this proof's checkpoint",
			trees.proof.old.size);
	checked->grown = trees.proof.new.size;
	if (!checked->witnessed.quorum)
		checked->witnessed = trees.new_witnessed;
	return 0;
}

int audit_check_proof(const struct audit_trust *trust, struct bytes text,
	const struct audit_held *held, struct arena *arena, struct audit_checked *ret,
	struct proof_fault *fault)
{
	*ret = (struct audit_checked){};
	int r = proof_file_parse(text, &ret->file, fault);
	if (r == 0)
		r = audit_trust_checkpoint(trust, ret->file.note, ret->file.claimed.origin,
			&ret->checkpoint, &ret->witnessed, fault);
	if (r == 0)
		r = proof_check_entry(&ret->file.entry, &ret->disclosed, fault);
	if (r == 0)
		r = proof_check_path(&ret->file, &ret->checkpoint, fault);
	if (r == 0)
		r = hold(ret, held, arena, fault);
	if (r == 0)
		r = judge_after(trust, held, ret, fault);
	if (r == 0)
		r = judge_grown(trust, held, ret, fault);
	return r ? r : judge_signature(trust, held, ret, arena, fault);
}

/* ---- two trees ---- */

static bool is_tree(const struct checkpoint *checkpoint, const struct proof_tree *tree)
{
	return checkpoint->size == tree->size &&
	       memcmp(&checkpoint->root, &tree->root, sizeof(tree->root)) == 0;
}

/* A checkpoint that counts: of which of the two trees is it? */
static int take_signed(const struct audit_trust *trust, struct bytes note, const char *field,
	struct audit_checked_trees *trees, struct proof_fault *fault)
{
	struct checkpoint claimed, checkpoint;
	struct cosignatures witnessed;
	const uint8_t *end = note.len ? memmem(note.data, note.len, "\n\n", 2) : NULL;
	if (!end || checkpoint_parse(BYTES(note.data, end + 1 - note.data), &claimed) != 0)
		return proof_fault(fault, PROOF_CHECKPOINT, field, "is no checkpoint");
	if (trees->origin[0] && !epoch_same_bus(trees->origin, claimed.origin))
		return proof_fault(fault, PROOF_CHECKPOINT, field,
			"is of another log than the other checkpoint: %s", claimed.origin);
	int r = audit_trust_checkpoint(trust, note, claimed.origin, &checkpoint, &witnessed, fault);
	if (r)
		return r;
	memcpy(trees->origin, checkpoint.origin, sizeof(trees->origin));
	if (checkpoint.size != trees->proof.old.size && checkpoint.size != trees->proof.new.size)
		return proof_fault(fault, PROOF_BYTES, field,
			"is of %" PRIu64 " entries, the proof is about trees of %" PRIu64
			" and %" PRIu64,
			checkpoint.size, trees->proof.old.size, trees->proof.new.size);
	bool is_old = is_tree(&checkpoint, &trees->proof.old);
	bool is_new = is_tree(&checkpoint, &trees->proof.new);
	if (!is_old && !is_new)
		return proof_fault(fault, PROOF_BYTES, field,
			"the log signed another root for %" PRIu64
			" entries than the proof names: if both were signed by the log, its "
			"history was forked, and both notes together are the evidence",
			checkpoint.size);
	if (is_old) {
		trees->old_signed = true;
		trees->old_witnessed = witnessed;
	}
	if (is_new) {
		trees->new_signed = true;
		trees->new_witnessed = witnessed;
	}
	return 0;
}

int audit_check_trees(const struct audit_trust *trust, struct bytes text, const struct bytes *held,
	size_t held_count, struct audit_checked_trees *ret, struct proof_fault *fault)
{
	*ret = (struct audit_checked_trees){};
	int r = proof_consistency_parse(text, &ret->proof, fault);
	if (r == 0 && ret->proof.note.len > 0)
		r = take_signed(trust, ret->proof.note, "checkpoint", ret, fault);
	for (size_t i = 0; r == 0 && i < held_count; i++)
		r = take_signed(trust, held[i], "given checkpoint", ret, fault);
	if (r == 0)
		r = proof_check_consistency(&ret->proof, fault);
	if (r == 0 && !ret->new_signed)
		return proof_fault(fault, PROOF_CHECKPOINT, "checkpoint",
			"nobody signed the newer tree: the journal keeps no checkpoint of it. Give "
			"the one that you hold with --checkpoint");
	return r;
}
