/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The entry that begins an epoch, as adapters get it: it is permanent and in clear, so nothing is disclosed that
 * a reader of the journal could not see, and the salt of its private part may go with it.
 */
#include "broker/journal/reader.h"

static ProtobufCBinaryData pb(const void *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

int journal_read_continuation(struct journal_reader *reader, uint64_t sequence, uint64_t size,
	struct arena *arena, Dienstweg__Continuation *ret)
{
	struct merkle_hash path[MERKLE_LEVELS];
	struct bytes kept;
	Dienstweg__Row *row;
	size_t steps;
	int r = journal_read_row(reader, sequence, arena, &row);
	if (r == 0)
		r = journal_read_path(reader, sequence, size, path, &steps);
	if (r == 0)
		r = arena_copy(arena, BYTES(path, steps * sizeof(path[0])), &kept);
	if (r)
		return r;
	dienstweg__continuation__init(ret);
	ret->sequence = sequence;
	ret->disclosed = row->disclosed;
	ret->nonce = row->nonce;
	ret->salt = row->salt;
	ret->private_ = row->private_;
	ret->original = row->original;
	ret->path = pb(kept.data, kept.len);
	return 0;
}
