/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A proof leaves the house and is looked at years later by somebody who cannot come back and ask. So it is
 * checked here before it is handed out: a damaged journal gives a sentence, never a file that
 * fails elsewhere. What has been erased still has its stub, and the stub still has its place in the tree;
 * with the old receipt its holder can show what it was, without it nobody can.
 */
#include "broker/audit/prove.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/audit/chain.h"
#include "broker/audit/entry.h"
#include "proto/note/cosignature.h"
#include "proto/receipt/proof-check.h"
#include "proto/receipt/receipt.h"

enum { REGISTRY_ARENA = 64 << 20 };

/* ---- the entry ---- */

static void entry_of_stub(const struct stub *stub, struct proof_entry *ret)
{
	*ret = (struct proof_entry){.stub = {stub->version, stub->kind, stub->class}};
	memcpy(ret->stub + 3, stub->commitment, HASH_SIZE);
}

/* The reader has compared the row with its stub. */
static int entry_of_row(const Dienstweg__Row *row, struct proof_entry *ret)
{
	if (row->disclosed.len > DISCLOSED_MAX || row->nonce.len != STUB_NONCE_SIZE ||
		row->salt.len != STUB_SALT_SIZE)
		return READER_DAMAGED;
	ret->whole = true;
	memcpy(ret->nonce, row->nonce.data, STUB_NONCE_SIZE);
	stub_private_digest(row->salt.data, BYTES_PB(row->private_), ret->private_digest);
	memcpy(ret->disclosed, row->disclosed.data, row->disclosed.len);
	ret->disclosed_len = row->disclosed.len;
	return 0;
}

/* What was received, and what was decided about it. */
static int take_parts(const Dienstweg__Row *row, struct arena *arena, struct audit_proof *ret)
{
	uint8_t *decision = arena_alloc(arena, row->salt.len + row->private_.len);
	if (!decision)
		return -ENOMEM;
	memcpy(decision, row->salt.data, row->salt.len);
	if (row->private_.len > 0)
		memcpy(decision + row->salt.len, row->private_.data, row->private_.len);
	ret->decision = BYTES(decision, row->salt.len + row->private_.len);
	ret->original = BYTES_PB(row->original);
	return 0;
}

static int read_entry(
	struct audit *audit, uint64_t sequence, struct arena *arena, struct audit_proof *ret)
{
	struct stub stub;
	Dienstweg__Row *row = NULL;
	int r = journal_read_stub(audit->reader, sequence, &stub);
	if (r)
		return r;
	entry_of_stub(&stub, &ret->entry);
	r = journal_read_row(audit->reader, sequence, arena, &row);
	if (r == READER_ERASED)
		return 0;
	if (r == 0)
		r = entry_of_row(row, &ret->entry);
	return r ? r : take_parts(row, arena, ret);
}

/* ---- the checkpoint ---- */

static int parse_note(struct bytes note, struct checkpoint *ret)
{
	const uint8_t *end = note.len ? memmem(note.data, note.len, "\n\n", 2) : NULL;
	return end && checkpoint_parse(BYTES(note.data, end + 1 - note.data), ret) == 0
		       ? 0
		       : READER_DAMAGED;
}

/* A kept note, copied out of the snapshot; 0 gives the newest. */
static int read_note(struct audit *audit, uint64_t size, struct arena *arena,
	struct bytes *ret_note, struct checkpoint *ret)
{
	struct bytes note;
	int r = journal_read_checkpoint(audit->reader, size, &note);
	if (r == 0)
		r = parse_note(note, ret);
	return r ? r : arena_copy(arena, note, ret_note);
}

/* Whose cosignatures count: the auditor's witnesses, or those of the registry in force. Asked once. */
static int take_witnesses(struct audit *audit)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(REGISTRY_ARENA);
	_cleanup_(chain_deinit) struct chain chain = {};
	struct bytes content;
	char why[256];
	if (audit->witnesses_known)
		return 0;
	audit->witnesses = audit->policy;
	audit->witnesses_known = true;
	if (audit->has_policy && audit->policy.witness_quorum > 0)
		return 0;
	chain_init(&chain, NULL);
	int r = arena ? journal_read_registry(audit->reader, UINT64_MAX, arena, &content) : -ENOMEM;
	if (r == 0)
		r = chain_add(&chain, 0, content, why, sizeof(why));
	if (r == 0)
		registry_witnesses(chain.current, &audit->witnesses);
	return r < 0 ? r : 0; /* audit verify judges registries */
}

/* The oldest checkpoint above this size that a quorum cosigned: it bounds times best. */
static int read_final(struct audit *audit, uint64_t size, struct arena *arena,
	struct bytes *ret_note, struct checkpoint *ret)
{
	struct cosignatures judged;
	struct bytes note;
	int r = take_witnesses(audit);
	if (r || audit->witnesses.witness_quorum == 0)
		return r ? r : READER_NOT_FOUND;
	while ((r = journal_read_next_cosigned(audit->reader, size + 1, &size, &note)) == 0) {
		if (cosignatures_judge(note, &audit->witnesses, &judged) != 0 || !judged.quorum ||
			parse_note(note, ret) != 0)
			continue;
		return arena_copy(arena, note, ret_note);
	}
	return r;
}

static int choose_checkpoint(struct audit *audit, const struct audit_proof *under,
	struct arena *arena, struct audit_proof *proof)
{
	if (under) {
		proof->note = under->note;
		proof->checkpoint = under->checkpoint;
		proof->final = under->final;
		return 0;
	}
	int r = read_final(audit, proof->sequence, arena, &proof->note, &proof->checkpoint);
	proof->final = r == 0;
	return r == READER_NOT_FOUND ? read_note(audit, 0, arena, &proof->note, &proof->checkpoint)
				     : r;
}

/* ---- the whole ---- */

/* What has been put together is read again, as its holder will. */
static int check_text(struct audit_proof *proof, char *reterr, size_t size)
{
	struct proof_file file;
	struct disclosed disclosed;
	struct proof_fault fault;
	int r = proof_file_parse(proof->text, &file, &fault);
	if (r == 0)
		r = proof_check_entry(&file.entry, &disclosed, &fault);
	if (r == 0)
		r = proof_check_path(&file, &proof->checkpoint, &fault);
	if (r == 0)
		return 0;
	snprintf(reterr, size,
		"entry %" PRIu64
		" cannot be proven, the journal is damaged: %s: %s; audit verify tells more",
		proof->sequence, fault.field, fault.why);
	return PROVE_REFUSED;
}

static int write_text(struct audit *audit, const struct audit_proof *under, struct arena *arena,
	struct audit_proof *proof)
{
	struct merkle_hash path[MERKLE_LEVELS];
	uint8_t extra[PROOF_EXTRA_MAX];
	size_t steps;
	int r = choose_checkpoint(audit, under, arena, proof);
	if (r == 0)
		r = journal_read_path(
			audit->reader, proof->sequence, proof->checkpoint.size, path, &steps);
	if (r)
		return r;
	return receipt_tlog_proof(proof->note, proof->sequence, path, steps,
		BYTES(extra, proof_entry_encode(&proof->entry, extra)), arena, &proof->text);
}

int audit_prove(struct audit *audit, uint64_t sequence, const struct audit_proof *under,
	struct arena *arena, struct audit_proof *ret, char *reterr, size_t size)
{
	*ret = (struct audit_proof){.sequence = sequence};
	int r = audit_refresh(audit);
	if (r == 0)
		r = read_entry(audit, sequence, arena, ret);
	if (r == READER_NOT_FOUND) {
		struct journal_meta meta = {.size = UINT64_MAX};
		bool behind = journal_read_meta(audit->reader, &meta) == 0 && sequence >= meta.size;
		snprintf(reterr, size, "the journal has no entry %" PRIu64 "%s", sequence,
			behind ? ": it ends before"
			       : " any more: if it was pruned, the archive has it");
		return PROVE_NOT_FOUND;
	}
	if (r == 0)
		r = write_text(audit, under, arena, ret);
	if (r > 0) {
		snprintf(reterr, size,
			"entry %" PRIu64
			" cannot be proven: its record, the tree or the newest checkpoint is "
			"damaged; audit verify tells more",
			sequence);
		return PROVE_REFUSED;
	}
	return r ? r : check_text(ret, reterr, size);
}

/* ---- consistency ---- */

static int read_tree(struct audit *audit, uint64_t size, struct proof_tree *ret)
{
	unsigned int level = 0;
	while ((size - 1) >> level > 0)
		level++;
	ret->size = size;
	return journal_read_node(audit->reader, size, level, 0, &ret->root);
}

/* The note of exactly this size, when it is kept and says what the tree says. */
static int read_note_of(struct audit *audit, struct arena *arena, struct proof_consistency *ret)
{
	struct bytes note;
	int r = read_note(audit, ret->new.size, arena, &note, &ret->claimed);
	if (r == 0 && ret->claimed.size == ret->new.size)
		ret->note = note;
	if (r == 0 && ret->note.len > 0 &&
		memcmp(&ret->claimed.root, &ret->new.root, sizeof(ret->new.root)) != 0)
		return READER_DAMAGED;
	return r == READER_NOT_FOUND ? 0 : r;
}

static int read_consistency(struct audit *audit, uint64_t from, uint64_t to, struct arena *arena,
	struct proof_consistency *ret)
{
	if (ret->note.len > 0)
		to = ret->claimed.size;
	int r = read_tree(audit, from, &ret->old);
	if (r == 0)
		r = read_tree(audit, to, &ret->new);
	if (r == 0)
		r = journal_read_consistency(audit->reader, from, to, ret->path, &ret->steps);
	return r || ret->note.len > 0 ? r : read_note_of(audit, arena, ret);
}

int audit_prove_consistency(struct audit *audit, uint64_t from, uint64_t to, struct arena *arena,
	struct proof_consistency *ret, char *reterr, size_t size)
{
	struct journal_meta meta;
	struct proof_fault fault;
	*ret = (struct proof_consistency){};
	int r = audit_refresh(audit);
	if (r == 0)
		r = journal_read_meta(audit->reader, &meta);
	if (r == 0 && to == PROVE_TO_FINAL) {
		r = from > 0 ? read_final(audit, from - 1, arena, &ret->note, &ret->claimed)
			     : READER_NOT_FOUND;
		if (r == READER_NOT_FOUND) {
			snprintf(reterr, size,
				"no checkpoint of %" PRIu64
				" or more entries has the cosignatures of a quorum yet",
				from);
			return PROVE_NOT_FOUND;
		}
		to = ret->claimed.size;
	}
	if (r == 0 && to == 0)
		to = meta.size;
	if (r == 0 && (from == 0 || from > to || to > meta.size)) {
		snprintf(reterr, size,
			"sizes are from 1 to %" PRIu64 ", the older one first: this journal has so "
			"many entries",
			meta.size);
		return PROVE_NOT_FOUND;
	}
	if (r == 0)
		r = read_consistency(audit, from, to, arena, ret);
	if (r < 0)
		return r;
	if (r > 0 || proof_check_consistency(ret, &fault) != 0) {
		snprintf(reterr, size,
			r == READER_NOT_FOUND
				? "entries of the older tree were pruned: prove it out of their "
				  "archive, --archive DIR"
				: "the stored tree is damaged between these sizes: audit verify "
				  "tells more");
		return PROVE_REFUSED;
	}
	return 0;
}
