/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/check.h"
#include "proto/base/arena.h"
#include "proto/identity/keyfile.h"

/*
 * A text that a log's keeper vouches for, as a C2SP signed note: its first line is "dienstweg/v1/report ORIGIN",
 * its signatures are made by the log's own keys under the name ORIGIN/report. Neither first line nor name can be
 * those of a checkpoint, so one is never taken for the other.
 */
enum { STATEMENT_BYTES_MAX = 900000 };

/**
 * statement_sign() - put the first line before a text and a signature of each log key behind it
 * @text:   UTF-8 in lines, ending in one
 * @origin: of the log
 * @keys:   the bus's; those for logs sign
 * @arena:  owns the result
 * @ret:    the note
 * Return: 0, NOTE_MALFORMED (not text, or no log key is there), -EMSGSIZE, -ENOMEM.
 */
int statement_sign(struct bytes text, const char *origin, const struct keyring_secret *keys,
	struct arena *arena, struct bytes *ret);

bool statement_is(struct bytes file); /* does it say that it is one? */

struct statement {
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	struct bytes text; /* without the first line */
	char signer[NOTE_NAME_SIZE];
};

/**
 * statement_check() - is it signed by a log key that counts?
 * @trust: open
 * @note:  untrusted; borrowed by the result
 * @ret:   what it says
 * @fault: filled for a verdict
 * Return: 0 or PROOF_*.
 */
int statement_check(const struct audit_trust *trust, struct bytes note, struct statement *ret,
	struct proof_fault *fault);
