/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/frame.pb-c.h"
#include "proto/note/epoch.h"

/*
 * Did the log say, in itself and signed, that it goes on under a new origin, and from which tree? Shared by who
 * makes the proof and who checks it (docs/journal.md "Epochs"). Pure.
 */
enum { CONTINUATION_BAD = 1 };

struct continuation {
	uint32_t epoch;  /* that begins with the entry */
	uint32_t before; /* the epoch of the checkpoint that it goes on from */
	uint64_t size;   /* entries of that one; the number of the entry, too */
	struct merkle_hash root;
	uint64_t batch_ms;
	uint32_t account;   /* who ordered it: a number of the broker's machine */
	struct bytes words; /* and why; view into the proof */
	uint64_t marked_size; /* entries that had been signed as far as the broker knew; 0: it did not */
};

/**
 * continuation_check() - does the proof hold?
 * @proof: untrusted
 * @now:   verified checkpoint whose tree holds the entry
 * @bus:   of the log
 * @keys:  log keys that count, under whatever origin
 * @count: how many
 * @arena: for what is unpacked
 * @ret:   what it says
 * @ret_why: the end of a sentence that begins with "the entry "
 *
 * The entry is a leaf of @now's tree, is of the kind "continues", permanent, and repeats a checkpoint that a key of the
 * log signed, of exactly the tree that the entries before it make.
 *
 * Return: 0, CONTINUATION_BAD, -ENOMEM.
 */
int continuation_check(const Dienstweg__Continuation *proof, const struct checkpoint *now,
	struct bytes bus, const struct note_key *keys, size_t count, struct arena *arena,
	struct continuation *ret, const char **ret_why) _must_use_;

/**
 * continuation_note_open() - a checkpoint of any epoch of a bus
 * @note:      untrusted
 * @bus:       of the log
 * @keys:      log keys that count, under whatever origin
 * @count:     how many
 * @ret:       the checkpoint
 * @ret_epoch: of its origin
 * Return: 0, EPOCH_OTHER (not of this bus, or no checkpoint), NOTE_* of note.h when no key vouches for it.
 */
int continuation_note_open(struct bytes note, struct bytes bus, const struct note_key *keys,
	size_t count, struct checkpoint *ret, uint32_t *ret_epoch) _must_use_;
