/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/note/checkpoint.h"
#include "proto/note/policy.h"

/*
 * Cosignatures (c2sp.org/tlog-cosignature, Ed25519, algorithm 0x04): the word of a witness that, at this
 * time, this was the largest tree of that log which it had seen, and that it had grown out of all those
 * before. A signature line "— <name> <base64(4-byte key hash || u64be time || signature)>" over
 *   cosignature/v1\n
 *   time <decimal seconds since 1970>\n
 *   <the checkpoint's text>
 * The name is not signed: one key must not serve two names. All functions are pure.
 */
enum {
	COSIGNATURE_LINE_MAX = 4 + (NOTE_NAME_SIZE - 1) + 1 + 104 + 1,
	COSIGNED_NOTE_MAX = 4000, /* a checkpoint with the lines of all its witnesses: one journal value */
};

/**
 * cosignature_sign() - write the line of one witness; no allocation
 * @text:   of the checkpoint, at most COSIGNED_NOTE_MAX bytes, its last newline included
 * @time_s: now, seconds since 1970; below 2^63
 * @key:    the witness's, algorithm NOTE_COSIGNATURE
 * @secret: its Ed25519 secret key
 * @buf:    room for the line, not NUL-terminated
 * Return: bytes written.
 */
size_t cosignature_sign(struct bytes text, uint64_t time_s, const struct note_key *key,
	const uint8_t secret[SIGN_SECRET_SIZE], uint8_t buf[COSIGNATURE_LINE_MAX]);

/**
 * cosignature_find() - the line that a witness put under a note, checked
 * @note:       untrusted
 * @key:        the witness's
 * @ret_time_s: what it says; NULL when only the verdict is wanted
 * @ret_line:   the line with its newline, a view into @note; may be NULL
 * Return: 0, NOTE_MALFORMED, NOTE_UNVERIFIED (no line of this key), NOTE_BAD_SIGNATURE.
 */
int cosignature_find(struct bytes note, const struct note_key *key, uint64_t *ret_time_s,
	struct bytes *ret_line) _must_use_;

/**
 * cosignature_add() - put a line under a note
 * @note:    signed by its log
 * @line:    one line with its newline; what its signer had put there before stays instead
 * @buf:     COSIGNED_NOTE_MAX bytes, apart from @note
 * @ret_len: of the note that results
 * Return: 0, NOTE_MALFORMED (also: too long, too many lines).
 */
int cosignature_add(struct bytes note, struct bytes line, uint8_t buf[COSIGNED_NOTE_MAX],
	size_t *ret_len) _must_use_;

/**
 * cosignature_lines() - signature lines that are not its log's own
 * @note:   untrusted
 * @origin: the log's name
 * Return: how many; 0 also when it is no note.
 */
size_t cosignature_lines(struct bytes note, const char *origin);

/* Who cosigned a checkpoint, and what follows from it. */
struct cosignatures {
	bool by[POLICY_KEYS_MAX];         /* as policy.witnesses */
	uint64_t time_s[POLICY_KEYS_MAX]; /* what they said */
	size_t count;
	bool quorum; /* as many as the policy asks for; never under a policy that asks for none */
	/* Under a quorum, and however those witnesses that may be bad have lied about the time: */
	uint64_t seen_s; /* what is in this tree existed at this time: it is not younger */
	uint64_t signed_s; /* a cosignature was made at this time or later: what holds them all is younger */
};

/**
 * cosignatures_judge() - judge the cosignatures under a note by a policy
 * @note:   of any log; whether the log signed it is checkpoint_open()'s to say
 * @policy: witnesses and quorum
 * @ret:    verdict; untouched unless 0
 *
 * n witnesses of which q must sign leave room for f = 2q - n - 1 bad ones (design section 9: q > (n + f) / 2).
 * So of any f + 1 cosignatures one is honest. Hence the times: the (f + 1)-th smallest, the (f + 1)-th
 * largest.
 *
 * Return: 0, NOTE_MALFORMED, NOTE_BAD_SIGNATURE (a line of a witness of the policy does not verify).
 */
int cosignatures_judge(
	struct bytes note, const struct policy *policy, struct cosignatures *ret) _must_use_;

/**
 * checkpoint_judge() - is this a checkpoint of that log, and who cosigned it?
 * @note:    untrusted
 * @keys:    log keys, as checkpoint_open()
 * @count:   how many
 * @origin:  expected origin
 * @policy:  witnesses and quorum
 * @ret:     the checkpoint
 * @ret_cosignatures: the verdict
 * Return: 0, NOTE_*.
 */
int checkpoint_judge(struct bytes note, const struct note_key *keys, size_t count,
	const char *origin, const struct policy *policy, struct checkpoint *ret,
	struct cosignatures *ret_cosignatures) _must_use_;
