/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/heads.h"
#include "adapters/sdk/rungs.h"
#include "proto/frame.pb-c.h"
#include "proto/note/epoch.h"
#include "proto/receipt/continuation.h"

/*
 * The way into a new epoch of the log (docs/journal.md "Epochs"): the broker shows a checkpoint under a later
 * origin than the one held. It has to prove that the log said so itself, from which tree it goes on, and that this
 * tree extends what was seen of it. Pure: signatures aside, nothing but comparing.
 */
enum {
	CROSSING_ASK = 1, /* one more proof is needed: from @link to @now */
	CROSSING_BAD = 2, /* the proofs do not hold: the sentence tells */
	CROSSING_WORDS_MAX = 512,
};

struct crossing {
	bool asking;
	struct head now;      /* the broker's checkpoint */
	struct epochs epochs; /* of the log that it shows */
	uint32_t before;      /* the epoch that was held */
	uint64_t seen;        /* entries that had been seen; 0: none */
	uint64_t kept;        /* of them, those that the log did not lose, whatever this one saw */
	struct rung link;     /* size 0: nothing that was seen is left */
	uint32_t account;     /* who ordered it, there */
	uint64_t marked_size; /* entries that had been signed, says the broker; 0: it does not know */
	char words[CROSSING_WORDS_MAX + 1]; /* on what ground */
	size_t note_len;
	uint8_t note[CHECKPOINT_NOTE_MAX]; /* the checkpoint that it goes on from */
};

/* What is held, and what the broker shows. */
struct crossing_input {
	struct bytes bus;
	const struct note_key *keys; /* that count for the log, under whatever origin */
	size_t keys_count;
	const struct epochs *epochs;
	const struct rungs *rungs;
	const struct head *newest;         /* not set: nothing was ever seen */
	const struct heads_shown *shown;   /* under the new origin, verified */
	const Dienstweg__Welcome *welcome; /* untrusted */
	uint64_t asked;                    /* size that Hello named */
};

/**
 * crossing_begin() - judge a Welcome of a later epoch
 * @crossing: to fill
 * @input:    all of it
 * @reterr:   CROSSING_BAD: a sentence
 * @size:     of @reterr
 * Return: 0 (it may be crossed), CROSSING_*, -ENOMEM.
 */
int crossing_begin(
	struct crossing *crossing, const struct crossing_input *input, char *reterr, size_t size);

/**
 * crossing_link() - judge the proof that was asked for
 * @crossing: asking
 * @proof:    untrusted
 * Return: 0 or CROSSING_BAD.
 */
int crossing_link(const struct crossing *crossing, struct bytes proof);

/* Had this adapter seen entries that the log has lost? */
static inline bool crossing_lost(const struct crossing *crossing)
{
	return crossing->seen > crossing->kept;
}
