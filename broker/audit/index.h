/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/audit/open.h"
#include "broker/audit/report.h"
#include "proto/base/db.h"

/*
 * Which entries belong to which case: a database beside the journal, made from it by the broker behind its
 * commits, or by whoever asks while no broker runs, and thrown away without loss. It holds no case id and no
 * name: what is found in it is found with the case id and the key that sealed the message's record
 * (docs/journal.md "The case index"). Several programs may use it at once.
 */
enum { CASE_ID_SIZE = 16 };

struct case_index;

/**
 * case_index_open() - open or create it
 * @dir:    folder; made when absent, for this account alone
 * @ret:    the index; case_index_free()
 * @reterr: a sentence with path and remedy
 * @size:   of @reterr
 * Return: 0 or negative errno.
 */
int case_index_open(const char *dir, struct case_index **ret, char *reterr, size_t size);
void case_index_free(struct case_index *index); /* takes NULL */
DEFINE_CLEANUP(struct case_index *, case_index_free);

/* How far it is. */
struct case_index_progress {
	uint64_t done, total; /* entries */
	bool more;
};

/**
 * case_index_step() - one transaction's worth of bringing it up to date
 * @index:   open, nothing begun
 * @audit:   open, with a keyring; its snapshot is renewed
 * @anew:    forget what is in it first; done anyway when it is another journal's
 * @report:  gets a finding for each entry that cannot be read
 * @ret:     how far it is
 *
 * Work is bounded: some thousand entries, or one segment of which a key has been destroyed.
 *
 * Return: 0 or negative errno.
 */
int case_index_step(struct case_index *index, struct audit *audit, bool anew,
	struct audit_report *report, struct case_index_progress *ret);

/* See at the next step whether keys were destroyed since; done anyway after opening, and behind an *erased*. */
void case_index_recheck(struct case_index *index);

/**
 * case_index_update() - bring it up to date with the journal
 * @index:  open, nothing begun
 * @audit:  open, with a keyring; its snapshot is renewed
 * @anew:   forget what is in it first
 * @report: gets progress, and a finding for each entry that cannot be read
 * Return: 0 or negative errno.
 */
int case_index_update(
	struct case_index *index, struct audit *audit, bool anew, struct audit_report *report);

/* Look things up between begin and end; both harmless when not needed. 0 or negative errno. */
int case_index_begin(struct case_index *index);
void case_index_end(struct case_index *index);

/* The messages of a case, in order: accepted ones, and refused ones that name it. */
struct case_walk {
	struct case_index *index;
	struct keyring *keyring;
	uint8_t id[CASE_ID_SIZE];
	uint64_t from; /* first sequence wanted */
	/* inside */
	uint32_t segment; /* the first that was not looked at yet */
	uint64_t *found;  /* of the segment at hand, in order */
	size_t count, room, at;
};

/**
 * case_walk_next() - the next message
 * @walk: index (begun), keyring, id and from set, all else zeroed before the first; case_walk_deinit()
 * @ret:  its sequence
 * Return: 0, DB_NOT_FOUND at the end, negative errno.
 */
int case_walk_next(struct case_walk *walk, uint64_t *ret);
void case_walk_deinit(struct case_walk *walk);
DEFINE_CLEANUP_PTR(struct case_walk, case_walk_deinit);

/**
 * case_index_next_about() - walk the entries about a message
 * @index:        begun
 * @message:      sequence of the message
 * @from:         first entry wanted
 * @ret_sequence: of the entry
 * Return: 0, DB_NOT_FOUND at the end, negative errno.
 */
int case_index_next_about(
	struct case_index *index, uint64_t message, uint64_t from, uint64_t *ret_sequence);

/* All of a case, in order. */
struct case_entries {
	uint64_t *messages;
	size_t messages_count;
	uint64_t *all; /* messages and what is about them, each once */
	size_t count;
};

/**
 * case_index_entries() - the entries of a case
 * @index:   begun
 * @keyring: opens records
 * @id:      of the case
 * @ret:     none when there is no such case; case_entries_deinit()
 * Return: 0 or negative errno.
 */
int case_index_entries(struct case_index *index, struct keyring *keyring,
	const uint8_t id[CASE_ID_SIZE], struct case_entries *ret);
void case_entries_deinit(struct case_entries *entries);
DEFINE_CLEANUP_PTR(struct case_entries, case_entries_deinit);
bool case_entries_have(const struct case_entries *entries, uint64_t message);
