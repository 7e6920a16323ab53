/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A proof is asked for between two sizes of signed notes that are both in our hands, so it cannot be
 * answered with a third tree. `linking` is a copy of its own because receipts keep arriving while the
 * proof is under way. What is not linked yet also survives a restart (the owner stores it): a broker must
 * not be able to make us forget a fork by dropping the connection.
 */
#include "adapters/sdk/heads.h"

#include <assert.h>
#include <errno.h>

struct bytes head_note(const struct head *head)
{
	return head->set ? BYTES(head->note, head->note_len) : BYTES(NULL, 0);
}

void head_take(struct head *head, const struct heads_shown *shown)
{
	assert(shown->note.len <= HEAD_NOTE_MAX);
	head->set = true;
	head->checkpoint = shown->checkpoint;
	head->note_len = shown->note.len;
	memcpy(head->note, shown->note.data, shown->note.len);
}

static void head_set(struct heads *heads, struct head *head, const struct heads_shown *shown)
{
	head_take(head, shown);
	heads->changed = true;
}

static struct heads_shown head_shown(const struct head *head)
{
	return (struct heads_shown){.checkpoint = head->checkpoint, .note = head_note(head)};
}

static void head_clear(struct heads *heads, struct head *head)
{
	head->set = false;
	heads->changed = true;
}

const struct head *heads_newest(const struct heads *heads)
{
	const struct head *all[] = {&heads->linking, &heads->seen};
	const struct head *best = &heads->proven;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i]->set && (!best->set || all[i]->checkpoint.size > best->checkpoint.size))
			best = all[i];
	}
	return best;
}

static int clash_of(struct heads_clash *clash, int verdict, const struct heads_shown *older,
	const struct heads_shown *newer, struct bytes proof)
{
	*clash = (struct heads_clash){
		.older_size = older->checkpoint.size,
		.newer_size = newer->checkpoint.size,
		.older_note = older->note,
		.newer_note = newer->note,
		.proof = proof,
	};
	return verdict;
}

/* Same size and another root: nothing more is needed to know. */
static int fork_look(
	const struct heads *heads, const struct heads_shown *shown, struct heads_clash *clash)
{
	const struct head *all[] = {&heads->proven, &heads->linking, &heads->seen,
		&heads->asides[HEADS_CANDIDATE], &heads->asides[HEADS_COSIGNED]};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const struct checkpoint *held = &all[i]->checkpoint;
		if (!all[i]->set || held->size != shown->checkpoint.size ||
			memcmp(held->root.bytes, shown->checkpoint.root.bytes, HASH_SIZE) == 0)
			continue;
		struct heads_shown older = head_shown(all[i]);
		return clash_of(clash, HEADS_FORK, &older, shown, BYTES(NULL, 0));
	}
	return 0;
}

int heads_extends(const struct heads_shown *older, const struct heads_shown *newer,
	struct bytes proof, struct heads_clash *clash)
{
	struct merkle_hash hashes[2 * MERKLE_LEVELS];
	size_t count = proof.len / HASH_SIZE;
	bool form = proof.len % HASH_SIZE == 0 && count <= ARRAY_LEN(hashes);
	if (form && count > 0)
		memcpy(hashes, proof.data, proof.len);
	if (form && merkle_consistency_check(older->checkpoint.size, &older->checkpoint.root,
			    newer->checkpoint.size, &newer->checkpoint.root, hashes, count) == 0)
		return 0;
	return clash_of(clash, HEADS_UNPROVEN, older, newer, proof);
}

/* @shown is the broker's newest, so it can be no smaller than what it showed before. */
static int follows(const struct heads *heads, const struct head *held,
	const struct heads_shown *shown, struct heads_clash *clash)
{
	struct heads_shown older = head_shown(held);
	if (shown->checkpoint.size < held->checkpoint.size)
		return clash_of(clash, HEADS_ROLLBACK, &older, shown, BYTES(NULL, 0));
	return fork_look(heads, shown, clash);
}

int heads_receipt(struct heads *heads, const struct heads_shown *shown, struct heads_clash *clash)
{
	int r = fork_look(heads, shown, clash);
	if (r)
		return r;
	bool proven = heads->proven.set && heads->proven.checkpoint.size == shown->checkpoint.size;
	if (!proven && (!heads->seen.set || shown->checkpoint.size > heads->seen.checkpoint.size))
		head_set(heads, &heads->seen, shown);
	return 0;
}

int heads_welcome(struct heads *heads, const struct heads_shown *shown, uint64_t asked,
	struct bytes proof, struct heads_clash *clash)
{
	const struct head *held = heads_newest(heads);
	if (!held->set) {
		head_set(heads, &heads->proven, shown); /* the first one is taken on trust */
		return 0;
	}
	int r = follows(heads, held, shown, clash);
	if (r || asked != held->checkpoint.size)
		return r;
	struct heads_shown older = head_shown(held);
	r = heads_extends(&older, shown, proof, clash);
	if (r == 0)
		head_set(heads, held == &heads->proven ? &heads->proven : &heads->seen, shown);
	return r;
}

static bool aside_waits(const struct heads *heads, size_t which)
{
	return heads->asides[which].set && !heads->linked[which];
}

bool heads_aside_waits(const struct heads *heads)
{
	return aside_waits(heads, HEADS_CANDIDATE) || aside_waits(heads, HEADS_COSIGNED);
}

bool heads_pending(const struct heads *heads)
{
	return heads->linking.set || heads->seen.set || heads_aside_waits(heads);
}

int heads_put_aside(struct heads *heads, enum heads_aside which, const struct heads_shown *shown,
	struct heads_clash *clash)
{
	assert(heads->proven.set);
	bool changed = heads->changed;
	int r = fork_look(heads, shown, clash);
	if (r)
		return r;
	head_set(heads, &heads->asides[which], shown);
	heads->changed = changed;
	heads->linked[which] = shown->checkpoint.size == heads->proven.checkpoint.size;
	return 0;
}

/* Between two sizes, whichever is the smaller. */
static struct heads_question between(uint64_t a, uint64_t b)
{
	return (struct heads_question){.old_size = a < b ? a : b, .new_size = a < b ? b : a};
}

static bool question_of_aside(struct heads *heads, struct heads_question *ret)
{
	uint64_t proven = heads->proven.checkpoint.size;
	for (size_t i = 0; i < HEADS_ASIDES; i++) {
		if (aside_waits(heads, i) && heads->asides[i].checkpoint.size == proven)
			heads->linked[i] = true; /* `proven` came to it; roots were compared */
		if (!aside_waits(heads, i))
			continue;
		*ret = between(heads->asides[i].checkpoint.size, proven);
		ret->of_aside = true;
		ret->aside = (enum heads_aside)i;
		return true;
	}
	return false;
}

bool heads_question(struct heads *heads, struct heads_question *ret)
{
	uint64_t proven = heads->proven.checkpoint.size;
	assert(heads->proven.set);
	heads->aside_asked = !heads->aside_asked && question_of_aside(heads, ret);
	if (heads->aside_asked)
		return true;
	if (!heads->linking.set && heads->seen.set) {
		struct heads_shown seen = head_shown(&heads->seen);
		head_set(heads, &heads->linking, &seen);
		head_clear(heads, &heads->seen);
	}
	/* Roots of equal sizes were compared when they came. */
	if (heads->linking.set && heads->linking.checkpoint.size == proven)
		head_clear(heads, &heads->linking);
	if (heads->linking.set) {
		*ret = between(heads->linking.checkpoint.size, proven);
		return true;
	}
	*ret = (struct heads_question){.old_size = proven};
	return question_of_aside(heads, ret);
}

int heads_link(struct heads *heads, const struct heads_question *question, struct bytes proof,
	struct heads_clash *clash)
{
	struct head *head = question->of_aside ? &heads->asides[question->aside] : &heads->linking;
	struct heads_shown proven = head_shown(&heads->proven);
	struct heads_shown other = head_shown(head);
	bool grew = other.checkpoint.size > proven.checkpoint.size;
	const struct heads_shown *small = grew ? &proven : &other;
	const struct heads_shown *large = grew ? &other : &proven;
	if (!head->set || small->checkpoint.size != question->old_size ||
		large->checkpoint.size != question->new_size)
		return 0; /* the heads have moved on: asked again */
	int r = heads_extends(small, large, proof, clash);
	if (r)
		return r;
	if (grew)
		head_set(heads, &heads->proven, &other);
	if (question->of_aside)
		heads->linked[question->aside] = true;
	else
		head_clear(heads, &heads->linking);
	return 0;
}

int heads_advance(struct heads *heads, const struct heads_question *question,
	const struct heads_shown *shown, struct bytes proof, struct heads_clash *clash)
{
	struct head *held = &heads->proven;
	if (held->checkpoint.size != question->old_size)
		held = &heads->linking;
	if (!held->set || held->checkpoint.size != question->old_size)
		return 0;
	int r = follows(heads, held, shown, clash);
	if (r)
		return r;
	struct heads_shown older = head_shown(held);
	r = heads_extends(&older, shown, proof, clash);
	if (r)
		return r;
	head_set(heads, held, shown);
	if (heads->linking.set && heads->linking.checkpoint.size == heads->proven.checkpoint.size)
		head_clear(heads, &heads->linking);
	return 0;
}

void heads_cross(struct heads *heads, const struct head *now)
{
	*heads = (struct heads){.proven = *now, .changed = true};
}

int head_parse(struct bytes note, struct checkpoint *ret)
{
	const uint8_t *end = note.len ? memmem(note.data, note.len, "\n\n", 2) : NULL;
	if (!end || checkpoint_parse(BYTES(note.data, (size_t)(end - note.data) + 1), ret) != 0)
		return -EBADMSG;
	return 0;
}

int head_restore(struct head *head, struct bytes note)
{
	struct checkpoint checkpoint;
	if (note.len == 0)
		return 0;
	if (note.len > HEAD_NOTE_MAX || head_parse(note, &checkpoint) != 0)
		return -EBADMSG;
	head->set = true;
	head->checkpoint = checkpoint;
	head->note_len = note.len;
	memcpy(head->note, note.data, note.len);
	return 0;
}
