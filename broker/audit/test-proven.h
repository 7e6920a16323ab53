/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/check.h"
#include "broker/audit/test-life.h"

/* For tests: what an auditor pins of the bus whose journal a life is. A failure ends the program. */

/* Write the registry in force at the end; the journal must not be open. Return in @path: the file. */
void proven_registry(const struct life *life, char path[320]);

/**
 * proven_policy() - write a policy that pins the roots and one key of a log
 * @life:   the bus
 * @origin: name of the key
 * @which:  1: the log's key; else some other key
 * @path:   room for the file's name
 */
void proven_policy(const struct life *life, const char *origin, int which, char path[320]);

/* The log's key and the newest registry, both pinned; the journal must not be open. */
void proven_trust(const struct life *life, struct audit_trust *ret);

/**
 * proven_sign() - sign a checkpoint with the log's key
 * @life: the bus
 * @size: of the tree
 * @root: of the tree
 * @note: room
 * Return: the note.
 */
struct bytes proven_sign(const struct life *life, uint64_t size, const struct merkle_hash *root,
	uint8_t note[CHECKPOINT_NOTE_MAX]);
