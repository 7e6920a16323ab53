/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What is delivered late, again, or once more on request is put together here, from what was recorded: never from
 * what a program of ours would have written in its place.
 */
#include "broker/delivery/letter.h"

#include <errno.h>

#include "broker/field.h"
#include "proto/signature/signature.h"

int letter_of(struct journal_reader *reader, uint64_t sequence, const Dienstweg__Row *row,
	struct arena *arena, Dienstweg__Item *item)
{
	struct disclosed disclosed;
	struct bytes content;
	Dienstweg__Envelope *envelope = arena_alloc(arena, sizeof(*envelope));
	Dienstweg__Signature *signature = arena_alloc(arena, sizeof(*signature));
	if (!envelope || !signature)
		return -ENOMEM;
	int r = journal_read_content(reader, sequence, arena, &content);
	if (r != 0)
		return r;
	if (disclosed_decode(BYTES_PB(row->disclosed), &disclosed) != 0)
		return READER_DAMAGED;
	dienstweg__signature__init(signature);
	r = signature_from_core(disclosed.rest, arena, signature);
	if (r != 0)
		return r < 0 ? r : READER_DAMAGED;
	dienstweg__envelope__init(envelope);
	envelope->header = row->original;
	envelope->content = field_bytes(content);
	envelope->signature = signature;
	item->envelope = envelope;
	item->batch_ms = disclosed.batch_ms;
	return 0;
}
