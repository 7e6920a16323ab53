/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/audit/open.h"
#include "broker/audit/report.h"
#include "proto/identity/key.h"

/*
 * Signatures under suspicion. A registry may say of a key "suspect from entry n": somebody else may have
 * signed with it since. Entries from n on that were signed by it stay valid, because the key counted at
 * their place; but whoever relies on one of them is told that it is disputed. The newest registry that names
 * a key has the last word on it, so the suspicion reaches back over entries that are older than it, and a
 * suspicion that was cleared up is gone.
 */
struct dispute {
	uint8_t key_id[KEY_ID_SIZE];
	char owner[64];
	enum key_use use;
	uint8_t public[SIGN_PUBLIC_SIZE];
	uint64_t suspect_from;
	uint64_t count; /* entries (log keys: kept checkpoints) that rest on it */
	uint64_t first, last;
};

struct disputes {
	struct dispute *items;
	size_t count;
};

/**
 * disputes_load() - which keys are under suspicion, as of the newest registry
 * @audit: refreshed
 * @ret:   zeroed; disputes_deinit()
 *
 * What cannot be read is passed over: verification reports it where it stands.
 *
 * Return: 0 or negative errno.
 */
int disputes_load(struct audit *audit, struct disputes *ret);
void disputes_deinit(struct disputes *disputes);
DEFINE_CLEANUP_PTR(struct disputes, disputes_deinit);

/**
 * disputes_find() - is a signature at this entry disputed?
 * @disputes: loaded
 * @sequence: of the entry
 * @key_id:   that signed it, untrusted
 * Return: the dispute, or NULL.
 */
struct dispute *disputes_find(
	const struct disputes *disputes, uint64_t sequence, struct bytes key_id);

/* The same, and it is counted. */
void disputes_count(struct disputes *disputes, uint64_t sequence, struct bytes key_id);

/**
 * disputes_count_checkpoint() - count a kept checkpoint that only suspects have signed
 * @disputes: loaded
 * @size:     entries under it
 * @note:     the signed note
 * @keys:     log keys that count at its place
 * @count:    how many
 */
void disputes_count_checkpoint(struct disputes *disputes, uint64_t size, struct bytes note,
	const struct note_key *keys, size_t count);

/* The same keys for a walk over other entries, nothing counted; @ret may have them already. 0 or -ENOMEM. */
int disputes_share(const struct disputes *disputes, struct disputes *ret);
void disputes_clear(struct disputes *disputes); /* nothing was counted */
/* Add what such a walk has counted. */
void disputes_add(struct disputes *into, const struct disputes *from);

/* Tell each one on which something rests. */
void disputes_tell(const struct disputes *disputes, struct audit_report *report);
