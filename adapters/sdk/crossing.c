/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What was lost is gone: nobody can prove any more how the old tree grew beyond the one that is left. So what can be
 * asked is asked. The log says in itself, signed, that it goes on and from which tree; that tree is the beginning of
 * the new one; and the newest tree that this adapter saw and that lies within it is a beginning of the new one, too.
 * An adapter at another epoch than the log came from compares the two histories: what either has lost is lost.
 */
#include "adapters/sdk/crossing.h"

#include <errno.h>
#include <stdio.h>

enum { ARENA_BUDGET = 1 << 20 };

static int bad(char *reterr, size_t size, const char *why)
{
	snprintf(reterr, size, "%s", why);
	return CROSSING_BAD;
}

static void last_take(struct crossing *crossing, const Dienstweg__Continuation *proof,
	const struct continuation *said)
{
	size_t len = said->words.len < CROSSING_WORDS_MAX ? said->words.len : CROSSING_WORDS_MAX;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = said->words.data[i];
		crossing->words[i] = c < ' ' || c == 0x7f ? ' ' : (char)c;
	}
	crossing->words[len] = '\0';
	crossing->account = said->account;
	crossing->marked_size = said->marked_size;
	crossing->note_len = proof->original.len < CHECKPOINT_NOTE_MAX ? proof->original.len
								       : CHECKPOINT_NOTE_MAX;
	memcpy(crossing->note, proof->original.data, crossing->note_len);
}

/* The history that the broker shows: what is held, up to where it branches off, and what is proven behind. */
static int history_begin(struct crossing *crossing, const struct crossing_input *input,
	uint32_t before, char *reterr, size_t size)
{
	const struct epochs *held = input->epochs;
	size_t i = 0;
	crossing->epochs = (struct epochs){};
	while (before > 0 && i < held->count && held->all[i].epoch <= before)
		crossing->epochs.all[crossing->epochs.count++] = held->all[i++];
	return epochs_newest(&crossing->epochs) == before
		       ? 0
		       : bad(reterr, size,
				 "it goes on from an epoch that this adapter was never told of");
}

static int continuations_take(struct crossing *crossing, const struct crossing_input *input,
	struct arena *arena, char *reterr, size_t size)
{
	const Dienstweg__Welcome *welcome = input->welcome;
	struct continuation said;
	const char *why;
	for (size_t i = 0; i < welcome->n_continuations; i++) {
		const Dienstweg__Continuation *proof = welcome->continuations[i];
		arena_reset(arena);
		int r = continuation_check(proof, &crossing->now.checkpoint, input->bus,
			input->keys, input->keys_count, arena, &said, &why);
		if (r < 0)
			return r;
		if (r > 0) {
			snprintf(reterr, size, "the entry %llu, which should say so, %s",
				(unsigned long long)proof->sequence, why);
			return CROSSING_BAD;
		}
		r = i == 0 ? history_begin(crossing, input, said.before, reterr, size) : 0;
		if (r)
			return r;
		if (said.before != epochs_newest(&crossing->epochs) ||
			epochs_add(&crossing->epochs, said.epoch, said.size) != 0)
			return bad(reterr, size,
				"the entries that should say so do not follow each other");
		last_take(crossing, proof, &said);
	}
	return 0;
}

/* What was seen and is left must be a beginning of what is shown. */
static int links_take(
	struct crossing *crossing, const struct crossing_input *input, char *reterr, size_t size)
{
	const struct head *newest = input->newest;
	const struct rung *rung = rungs_below(input->rungs, crossing->kept);
	bool proven = false;
	if (newest->set && !crossing_lost(crossing) && input->asked == crossing->seen) {
		struct heads_shown older = {
			.checkpoint = newest->checkpoint, .note = head_note(newest)};
		struct heads_clash clash;
		if (heads_extends(&older, input->shown, BYTES_PB(input->welcome->consistency),
			    &clash) != 0)
			return bad(reterr, size,
				"its tree does not begin with the one that this adapter saw last");
		proven = rung && rung->size == crossing->seen;
	}
	if (!rung)
		return 0;
	crossing->link = *rung;
	crossing->asking = !proven;
	return proven ? 0 : CROSSING_ASK;
}

int crossing_begin(
	struct crossing *crossing, const struct crossing_input *input, char *reterr, size_t size)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BUDGET);
	uint32_t epoch;
	if (!arena)
		return -ENOMEM;
	memset(crossing, 0, sizeof(*crossing));
	head_take(&crossing->now, input->shown);
	crossing->before = epochs_newest(input->epochs);
	crossing->seen = input->newest->set ? input->newest->checkpoint.size : 0;
	int r = continuations_take(crossing, input, arena, reterr, size);
	if (r)
		return r;
	if (epoch_of(input->shown->checkpoint.origin, input->bus, &epoch) != 0 ||
		epochs_newest(&crossing->epochs) != epoch)
		return bad(reterr, size,
			"no entry of the log says so: a log that goes on after a loss has to");
	crossing->kept = epochs_common(input->epochs, &crossing->epochs);
	return links_take(crossing, input, reterr, size);
}

int crossing_link(const struct crossing *crossing, struct bytes proof)
{
	struct heads_shown older = {
		.checkpoint = {.size = crossing->link.size, .root = crossing->link.root}};
	struct heads_shown newer = {
		.checkpoint = crossing->now.checkpoint, .note = head_note(&crossing->now)};
	struct heads_clash clash;
	return heads_extends(&older, &newer, proof, &clash) == 0 ? 0 : CROSSING_BAD;
}
