/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/reader.h"

/**
 * bridge_consistency() - the proof that one tree extends another, also from below what was pruned
 * @reader:    begun
 * @old_size:  1 to @new_size
 * @new_size:  leaves of the tree, not below what was pruned
 * @ret:       room for 2 * MERKLE_LEVELS hashes
 * @ret_count: how many
 *
 * The few hashes that the journal does not have any more are made of the archive, if that is still where it was
 * when the journal was pruned; they are compared with what the journal has kept above them. It reads a file then:
 * not for the reactor.
 *
 * Return: as journal_read_consistency(); BRIDGE_PRUNED when the archive would be needed and is not there, or is
 * not what was pruned.
 */
enum { BRIDGE_PRUNED = 60 };
int bridge_consistency(struct journal_reader *reader, uint64_t old_size, uint64_t new_size,
	struct merkle_hash *ret, size_t *ret_count);
