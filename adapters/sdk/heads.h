/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/note/checkpoint.h"

/*
 * The checkpoints held, and the three ways in which a new one can contradict them. Pure: no clock, no
 * keys, no files; notes were verified before they come here.
 *   proven   extends everything proven before
 *   seen     the newest that came with receipts, not linked to `proven` yet
 *   linking  one that was `seen`, while its proof is under way
 *   asides   others that something will rest on once they are linked to `proven`, smaller ones too
 */
enum {
	HEADS_FORK = 1,     /* two trees of one size have different roots */
	HEADS_ROLLBACK = 2, /* the log is smaller than it was */
	HEADS_UNPROVEN = 3, /* the proof does not lead from one to the other */
};

enum { HEAD_NOTE_MAX = 4000 };

struct head {
	bool set;
	struct checkpoint checkpoint;
	size_t note_len;
	uint8_t note[HEAD_NOTE_MAX];
};

enum heads_aside {
	HEADS_CANDIDATE, /* to be cosigned */
	HEADS_COSIGNED,  /* a quorum cosigned it */
	HEADS_ASIDES,
};

struct heads {
	struct head proven, linking, seen;
	struct head asides[HEADS_ASIDES];
	bool linked[HEADS_ASIDES];
	bool aside_asked; /* the last question was about one: they take turns with receipts */
	bool changed;     /* since the owner last cleared it; asides are not stored */
};

/* A verified checkpoint with its note, as it arrived. */
struct heads_shown {
	struct checkpoint checkpoint;
	struct bytes note; /* at most HEAD_NOTE_MAX bytes */
};

/* What contradicts what, for the alarm: views into heads and arguments. */
struct heads_clash {
	uint64_t older_size, newer_size;
	struct bytes older_note, newer_note, proof;
};

struct bytes head_note(const struct head *head); /* empty when not set */

/**
 * heads_newest() - the largest held
 * @heads: the heads
 * Return: one of them; not set when none is.
 */
const struct head *heads_newest(const struct heads *heads);

/**
 * heads_receipt() - a checkpoint that came with receipts
 * @heads: the heads
 * @shown: verified
 * @clash: filled unless 0
 * Return: 0 or HEADS_FORK.
 */
int heads_receipt(struct heads *heads, const struct heads_shown *shown, struct heads_clash *clash);

/**
 * heads_welcome() - the broker's newest checkpoint, proven to extend the newest held
 * @heads: the heads
 * @shown: verified
 * @asked: size that Hello named: when it is not the newest held any more, the proof is for another time
 * @proof: untrusted
 * @clash: filled unless 0
 * Return: 0 or HEADS_*.
 */
int heads_welcome(struct heads *heads, const struct heads_shown *shown, uint64_t asked,
	struct bytes proof, struct heads_clash *clash);

/**
 * heads_put_aside() - a checkpoint of any size that has to be linked
 * @heads: `proven` is set
 * @which: takes the place of the one before
 * @shown: verified
 * @clash: filled unless 0
 * Return: 0 or HEADS_FORK.
 */
int heads_put_aside(struct heads *heads, enum heads_aside which, const struct heads_shown *shown,
	struct heads_clash *clash);

/* A question to the broker; @new_size 0: the newest. */
struct heads_question {
	uint64_t old_size, new_size;
	bool of_aside;
	enum heads_aside aside;
};

/**
 * heads_question() - which proof to ask for next
 * @heads: `proven` is set
 * @ret:   the question
 * Return: true when receipts rest on it, false when it only keeps an idle adapter a witness.
 */
bool heads_question(struct heads *heads, struct heads_question *ret);
bool heads_pending(const struct heads *heads);     /* is there something to be linked? */
bool heads_aside_waits(const struct heads *heads); /* and is it one that was put aside? */

/**
 * heads_link() - the answer between two sizes held
 * @heads:    as they were when it was asked, or later
 * @question: answered
 * @proof:    untrusted
 * @clash:    filled unless 0
 * Return: 0 or HEADS_UNPROVEN.
 */
int heads_link(struct heads *heads, const struct heads_question *question, struct bytes proof,
	struct heads_clash *clash);

/**
 * heads_advance() - the answer with the broker's newest checkpoint
 * @heads:    the heads
 * @question: answered
 * @shown:    verified
 * @proof:    untrusted
 * @clash:    filled unless 0
 * Return: 0 or HEADS_*.
 */
int heads_advance(struct heads *heads, const struct heads_question *question,
	const struct heads_shown *shown, struct bytes proof, struct heads_clash *clash);

/**
 * heads_extends() - does one tree begin with another?
 * @older: verified
 * @newer: verified
 * @proof: untrusted
 * @clash: filled unless 0
 * Return: 0 or HEADS_UNPROVEN.
 */
int heads_extends(const struct heads_shown *older, const struct heads_shown *newer,
	struct bytes proof, struct heads_clash *clash);

void head_take(struct head *head, const struct heads_shown *shown); /* set one that is in no heads */
/* Another epoch: this one takes the place of all. */
void heads_cross(struct heads *heads, const struct head *now);

/**
 * head_parse() - what a note says, whoever signed it
 * @note: untrusted
 * @ret:  its checkpoint
 * Return: 0 or -EBADMSG.
 */
int head_parse(struct bytes note, struct checkpoint *ret);

/**
 * head_restore() - take a head back from disk, where it was put after it was verified
 * @head: to set
 * @note: a note, or empty
 * Return: 0, -EBADMSG.
 */
int head_restore(struct head *head, struct bytes note);
