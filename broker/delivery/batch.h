/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/frame.pb-c.h"

/*
 * Items on their way into one Deliver frame. Throughput comes from full frames, since CURVE and ZeroMQ
 * cost per frame (design section 5). Items are borrowed: whoever owns their memory posts the batch first.
 */
enum {
	BATCH_ITEMS_MAX = 64,
	BATCH_BYTES_MAX = 512 *
			  1024, /* one larger item still goes alone: an envelope has at most 300 KiB */
	ITEM_OVERHEAD_MAX = 512, /* of an item over its envelope's header and content */
};

struct batch {
	Dienstweg__Item *items[BATCH_ITEMS_MAX];
	size_t count;
	size_t bytes;
};

/**
 * batch_fits() - is there room for items that must stay together?
 * @batch: the batch
 * @count: how many items
 * @bytes: about how many bytes
 * Return: false when the batch is to be posted first.
 */
static inline bool batch_fits(const struct batch *batch, size_t count, size_t bytes)
{
	return batch->count == 0 ||
	       (batch->count + count <= BATCH_ITEMS_MAX && batch->bytes + bytes <= BATCH_BYTES_MAX);
}

static inline void batch_add(struct batch *batch, Dienstweg__Item *item, size_t bytes)
{
	batch->items[batch->count++] = item;
	batch->bytes += bytes;
}
