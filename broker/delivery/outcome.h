/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/frame.pb-c.h"

/* What a sender is told in the end: an outcome row of the queue as items for a Deliver frame. */
enum { OUTCOME_DAMAGED = 1 /* row and entry do not fit together */ };

struct outcome_source {
	struct bytes bus;
	struct bytes party; /* the sender: for whom the items are */
	uint64_t entry;     /* that ended the messages */
	uint64_t batch_ms;  /* of that entry */
	struct bytes row;   /* outcome_item, one after the other (broker/routing/rows.h) */
	const Dienstweg__AckBatch *acks; /* of an "acknowledged" entry, else NULL */
	struct bytes code; /* of a "discarded" entry: the operator's cause; else empty */

	/* Name of a recipient when there are no acks. Return: 0 or what ends the call. */
	int (*name)(void *context, uint32_t party, char ret[64]);
	void *name_context;
};

struct outcomes {
	Dienstweg__Item **items;
	size_t count;
	size_t bytes; /* about so many in a frame */
};

/**
 * outcome_items() - make the items of one row; they stay together in one frame, because a sender confirms
 *                   whole entries
 * @source: row and entry; acks and bytes are borrowed by the items
 * @arena:  owns the items
 * @ret:    the items
 *
 * Each accepted or rejected one carries the recipient's own signature, as a batch signature with its path
 * in the tree of the acknowledged batch.
 *
 * Return: 0, OUTCOME_DAMAGED, -ENOMEM, or what name() gave.
 */
int outcome_items(const struct outcome_source *source, struct arena *arena, struct outcomes *ret);
