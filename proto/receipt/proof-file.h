/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/merkle/merkle.h"
#include "proto/note/checkpoint.h"
#include "proto/receipt/stub.h"

/*
 * Proofs as files (docs/journal.md "Proofs as files"): that an entry is in a log (c2sp.org/tlog-proof, made
 * by receipt_tlog_proof()), and that a later tree begins with an earlier one. Reading is strict and bounded,
 * and takes apart without judging: proof-check.h judges. All functions are pure.
 */
enum {
	PROOF_FILE_MAX = 256 * 1024,
	PROOF_STUB_EXTRA_SIZE = 1 + STUB_SIZE,
	PROOF_EXTRA_MAX = 1 + STUB_SIZE + STUB_NONCE_SIZE + HASH_SIZE + DISCLOSED_MAX,
};

enum proof_verdict {
	PROOF_MALFORMED = 1,  /* not of the form */
	PROOF_CHECKPOINT = 2, /* the checkpoint does not count */
	PROOF_ENTRY = 3,      /* what the proof says of the entry does not make its stub */
	PROOF_PATH = 4,       /* the hashes do not lead from here to there */
	PROOF_BYTES = 5,      /* it is about other bytes than the given ones */
};

/* Where a proof fails, and why, for people: "extra", "index", "hash 3", "checkpoint", ... */
struct proof_fault {
	char field[24];
	char why[256];
};

/* Name the field and the reason; gives back the verdict. */
int proof_fault(struct proof_fault *fault, int verdict, const char *field, const char *format, ...)
	_printf_(4, 5);

/* The entry that a proof is about: its leaf, and when @whole everything that the leaf was made of. */
struct proof_entry {
	uint8_t stub[STUB_SIZE];
	bool whole; /* false: the stub alone, as after an erasure */
	uint8_t nonce[STUB_NONCE_SIZE];
	uint8_t private_digest[HASH_SIZE];
	uint8_t disclosed[DISCLOSED_MAX];
	size_t disclosed_len;
};

/**
 * proof_entry_encode() - the bytes of the "extra" line
 * @entry: whole: u8 1 || stub || nonce || private digest || disclosed; else u8 2 || stub
 * @buf:   result
 * Return: bytes written.
 */
size_t proof_entry_encode(const struct proof_entry *entry, uint8_t buf[PROOF_EXTRA_MAX]);

/**
 * proof_entry_decode() - and back; form only
 * @extra: untrusted
 * @ret:   the entry
 * @fault: filled for a verdict
 * Return: 0 or PROOF_MALFORMED.
 */
int proof_entry_decode(struct bytes extra, struct proof_entry *ret, struct proof_fault *fault);

struct proof_file {
	struct proof_entry entry;
	uint64_t index;
	struct merkle_hash path[MERKLE_LEVELS];
	size_t steps;
	struct bytes note;         /* the checkpoint, a view */
	struct checkpoint claimed; /* what it says, unjudged */
};

/**
 * proof_file_parse() - read a tlog-proof file
 * @text:  untrusted; borrowed
 * @ret:   what it says
 * @fault: filled for a verdict
 * Return: 0 or PROOF_MALFORMED.
 */
int proof_file_parse(struct bytes text, struct proof_file *ret, struct proof_fault *fault);

/* A tree is named by its size and root. */
struct proof_tree {
	uint64_t size;
	struct merkle_hash root;
};

struct proof_consistency {
	struct proof_tree old, new;
	struct merkle_hash path[2 * MERKLE_LEVELS];
	size_t steps;
	struct bytes note;         /* a checkpoint of the newer tree, a view; empty: none */
	struct checkpoint claimed; /* what it says, unjudged */
};

/**
 * proof_consistency_parse() - read a consistency file
 * @text:  untrusted; borrowed
 * @ret:   what it says
 * @fault: filled for a verdict
 * Return: 0 or PROOF_MALFORMED.
 */
int proof_consistency_parse(
	struct bytes text, struct proof_consistency *ret, struct proof_fault *fault);

/**
 * proof_consistency_write() - make one
 * @proof: sizes, roots, hashes, and the note if there is one
 * @arena: owns the text
 * @ret:   the text
 * Return: 0 or -ENOMEM.
 */
int proof_consistency_write(
	const struct proof_consistency *proof, struct arena *arena, struct bytes *ret);

/* What a file is, by its first line. */
enum proof_form { PROOF_FORM_UNKNOWN, PROOF_FORM_ENTRY, PROOF_FORM_CONSISTENCY };
enum proof_form proof_form(struct bytes text);
