/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "proto/identity/key.h"
#include "proto/note/checkpoint.h"

/*
 * A text that a log's keeper vouches for, as a C2SP signed note: its first line is "dienstweg/v1/report ORIGIN",
 * its signatures are made by the log's own keys under the name ORIGIN/report. Neither first line nor name can be
 * those of a checkpoint, so one is never taken for the other.
 */
enum { STATEMENT_BYTES_MAX = 900000 };

/* A report of subject access names the same for programs, a JSON text, in a last line of this and its hash in hex. */
#define STATEMENT_JSON "The same for programs is report.json, SHA-256 "

/**
 * statement_sign() - put the first line before a text and a signature of each log key behind it
 * @text:   UTF-8 in lines, ending in one
 * @origin: of the log
 * @keys:   the bus's; those for logs sign
 * @count:  how many
 * @arena:  owns the result
 * @ret:    the note
 * Return: 0, NOTE_MALFORMED (not text, or no log key is there), -EMSGSIZE, -ENOMEM.
 */
int statement_sign(struct bytes text, const char *origin, const struct key_secret *const *keys,
	size_t count, struct arena *arena, struct bytes *ret);

bool statement_is(struct bytes file); /* does it say that it is one? */

struct statement {
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	struct bytes text; /* without the first line */
	char signer[NOTE_NAME_SIZE];
};

/**
 * statement_origin() - whose statement is it, says itself
 * @note: untrusted
 * @ret:  the log's origin
 * Return: 0 or NOTE_MALFORMED.
 */
int statement_origin(struct bytes note, char ret[CHECKPOINT_ORIGIN_MAX + 1]);

/**
 * statement_open() - is it signed by the log?
 * @note:  untrusted; borrowed by the result
 * @logs:  keys of the log, under its origin; others are passed over
 * @count: how many, at most NOTE_KEYS_MAX
 * @ret:   what it says
 * Return: 0 or NOTE_*: NOTE_KEY_MALFORMED when there is no key under its origin.
 */
int statement_open(
	struct bytes note, const struct note_key *logs, size_t count, struct statement *ret);

/**
 * statement_has_json() - is this the text for programs that a report speaks of?
 * @text: of an open statement
 * @json: untrusted
 * Return: true when the report ends with its hash.
 */
bool statement_has_json(struct bytes text, struct bytes json);
