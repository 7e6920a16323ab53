/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/note/checkpoint.h"

/*
 * Epochs of a log (docs/journal.md "Epochs"). The origin of a checkpoint is "<bus>/<epoch>". A log that lost entries
 * goes on under a higher epoch: its tree keeps the entries that are left, so numbers of entries stay what they are,
 * and which epoch a tree is signed under follows from its size. All functions are pure.
 */
enum {
	EPOCHS_MAX = 64,
	EPOCHS_ROW_MAX = EPOCHS_MAX * (4 + 8),
	EPOCH_OTHER = 1, /* no origin of this bus; or an epoch that may not follow */
};

/* An epoch began with entry @size: the tree of the @size entries before it was signed under the one before. */
struct epoch_begin {
	uint32_t epoch;
	uint64_t size;
};

/* Those above 0, which begins every log, in order: both numbers rise. */
struct epochs {
	size_t count;
	struct epoch_begin all[EPOCHS_MAX];
};

/* The origin of an epoch of a bus: its name in checkpoints and of the log's keys. @bus: a name. */
void epoch_origin(struct bytes bus, uint32_t epoch, char ret[CHECKPOINT_ORIGIN_MAX + 1]);

/**
 * epoch_of() - and back
 * @origin: NUL-terminated, untrusted
 * @bus:    whose it should be
 * @ret:    the epoch
 * Return: 0 or EPOCH_OTHER.
 */
int epoch_of(const char *origin, struct bytes bus, uint32_t *ret);

/* Are two origins of one bus, in whatever epochs? NUL-terminated, untrusted. */
bool epoch_same_bus(const char *a, const char *b);

/**
 * epochs_add() - one more
 * @epochs: so far
 * @epoch:  its number
 * @size:   entries before it
 * Return: 0, EPOCH_OTHER when it may not follow, or there are too many.
 */
int epochs_add(struct epochs *epochs, uint32_t epoch, uint64_t size);

/* The newest epoch. The one that a tree of @size entries is signed under. */
uint32_t epochs_newest(const struct epochs *epochs);
uint32_t epochs_at(const struct epochs *epochs, uint64_t size);

/**
 * epochs_kept() - how much of what was signed in an epoch is in this log?
 * @epochs: of this log
 * @epoch:  an epoch
 * Return: entries: those from here on were lost; UINT64_MAX for the newest; 0 for one that is not in this log.
 */
uint64_t epochs_kept(const struct epochs *epochs, uint32_t epoch);

/**
 * epochs_common() - how many entries do two histories of a log share?
 * @a: one
 * @b: the other
 * Return: as many as neither lost; UINT64_MAX when they have the same epochs.
 */
uint64_t epochs_common(const struct epochs *a, const struct epochs *b);

/* As a row: u32be epoch || u64be size, each. Return: its length. */
size_t epochs_encode(const struct epochs *epochs, uint8_t buf[EPOCHS_ROW_MAX]);
int epochs_decode(struct bytes row, struct epochs *ret); /* 0 or EPOCH_OTHER */
