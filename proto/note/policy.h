/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "proto/note/note.h"

/*
 * The pinned trust of an adapter or auditor: a text file in the form of c2sp.org/tlog-policy ("log
 * <vkey>", "witness <name> <vkey>", "group <name> <threshold|any|all> <member>...", "quorum
 * <name|none>"), plus our lines "root <vkey>" (three) and "root-quorum 2" for the registry. Log keys are
 * optional here: those in a registry signed by the roots count. Narrower than C2SP in one thing, refused
 * by name: members of a group are witnesses, not groups.
 */
enum { POLICY_MALFORMED = 1, POLICY_KEYS_MAX = 16 };

struct policy {
	struct note_key roots[POLICY_KEYS_MAX];
	size_t roots_count;
	size_t root_quorum; /* 0 without roots */
	struct note_key logs[POLICY_KEYS_MAX];
	size_t logs_count;
	struct note_key witnesses[POLICY_KEYS_MAX]; /* under a quorum: its members and nobody else */
	size_t witnesses_count;
	size_t witness_quorum; /* how many of them; 0: none */
};

/**
 * policy_read() - read a policy file
 * @path:   the file
 * @ret:    the policy, a plain value
 * @reterr: room for a sentence with the line number
 * @size:   of @reterr
 * Return: 0, POLICY_MALFORMED, negative errno.
 */
int policy_read(const char *path, struct policy *ret, char *reterr, size_t size);

/**
 * policy_parse() - the same from memory
 * @text:   content of a policy file
 * @ret:    the policy; untouched unless 0
 * @reterr: room for a sentence with the line number
 * @size:   of @reterr
 * Return: 0 or POLICY_MALFORMED.
 */
int policy_parse(struct bytes text, struct policy *ret, char *reterr, size_t size);
