/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/slice.h"
#include "broker/audit/verify.h"
#include "proto/note/policy.h"

/*
 * What an auditor remembers of a verification without findings, so that the next one has only what is new to
 * look at: a small text file of the auditor's, never the broker's.
 *   dienstweg-verified 0
 *   depth full                                    or tree
 *   policy <digest of its roots> yes              base64; yes: a registry so far is signed by them; or no
 *   registry <entry> <how many so far> <digest>   in force at the end; SHA-256 of its content
 *   time <entry> <milliseconds>                   of the last entry whose time is known; else both 0
 *   edge <hash>                                   complete subtrees, one line each, the smallest first
 *
 *   <the checkpoint of the end, a signed note>
 * The edge must give the checkpoint's root. The file has no seal: who can write it can hide what is old.
 */
struct verified {
	enum audit_depth depth;
	uint8_t policy[HASH_SIZE];
	bool anchored;
	uint64_t registry; /* entry */
	uint64_t registries;
	uint8_t registry_digest[HASH_SIZE];
	struct slice_time time;
	struct merkle_edge edge;
	uint8_t note[CHECKPOINT_NOTE_MAX];
	size_t note_len;
	struct checkpoint checkpoint; /* its text */
};

/**
 * verified_read() - read such a file
 * @path:   the file
 * @ret:    result
 * @reterr: a sentence with path and remedy
 * @size:   of @reterr
 * Return: 0, AUDIT_REFUSED (damaged), -ENOENT when there is none, negative errno.
 */
int verified_read(const char *path, struct verified *ret, char *reterr, size_t size);

/**
 * verified_write() - replace it, durably
 * @path:     the file
 * @verified: what to remember
 * Return: 0 or negative errno.
 */
int verified_write(const char *path, const struct verified *verified);

/**
 * verified_policy() - what a policy pins of the registry, as a digest
 * @policy: NULL: nothing
 * @ret:    SHA-256 of its roots' verifier keys, a line each, and their quorum; zeroes without
 */
void verified_policy(const struct policy *policy, uint8_t ret[HASH_SIZE]);
