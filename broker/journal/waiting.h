/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/journal/store.h"

/*
 * What was still under way at one moment: entries in queues and timers (messages not ended, outcomes not
 * confirmed) and the cases of those messages. Read in steps out of one snapshot, because a message that moves
 * from a queue to a timer meanwhile must not be missed; nothing that has ended comes under way again.
 * Memory: 48 bytes for each message that waits or whose outcome does, at most. Inside this folder only; one
 * thread.
 */
struct waiting;

/**
 * waiting_new() - take the snapshot
 * @env:   the journal's
 * @store: whose tables are read
 * @ret:   to be read
 * Return: 0 or negative errno.
 */
int waiting_new(struct db_env *env, const struct state_store *store, struct waiting **ret);
void waiting_free(struct waiting *waiting); /* takes NULL */
DEFINE_CLEANUP(struct waiting *, waiting_free);

/**
 * waiting_read() - read on
 * @waiting: not complete
 * @rows:    at most so many
 * @ret_complete: all of it was read; the snapshot is let go
 * Return: 0 or negative errno.
 */
int waiting_read(struct waiting *waiting, size_t rows, bool *ret_complete);

/* Is this entry needed by something under way? Or its record alone: of a message that has ended, and its sender not
   confirmed how; of what made one a dead letter, or held? Is a message of this case under way? Each is true only when
   waiting_read() is complete. */
bool waiting_has_entry(const struct waiting *waiting, uint64_t sequence);
bool waiting_has_record(const struct waiting *waiting, uint64_t sequence);
bool waiting_has_case(const struct waiting *waiting, struct bytes case_id);
bool waiting_any(const struct waiting *waiting); /* is anything under way at all? */
