/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Neighbouring leaves share nearly all of their path, so a frame of many receipts has few nodes; but
 * each parcel only knows its own. Nodes are hashes, so eight of their bytes are a good hash for finding
 * them again. Slots carry the number of the frame they were filled for: starting a new frame, often for
 * a single receipt, must not cost clearing the table.
 */
#include "broker/transport/nodes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { SLOTS = 2 * NODES_MAX };

struct nodes {
	struct bytes checkpoint;
	uint64_t tree_size;
	uint32_t frame; /* number of the current frame */
	uint32_t count;
	uint8_t hash[NODES_MAX][HASH_SIZE];
	struct {
		uint32_t frame;
		uint32_t index;
	} slots[SLOTS];
};

int nodes_new(struct nodes **ret)
{
	struct nodes *nodes = calloc(1, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	nodes_start(nodes);
	*ret = nodes;
	return 0;
}

void nodes_free(struct nodes *nodes)
{
	free(nodes);
}

void nodes_start(struct nodes *nodes)
{
	nodes->checkpoint = (struct bytes){0};
	nodes->count = 0;
	if (++nodes->frame != 0)
		return;
	memset(nodes->slots, 0, sizeof(nodes->slots));
	nodes->frame = 1;
}

bool nodes_fit(const struct nodes *nodes, const struct parcel *parcel)
{
	bool same = nodes->checkpoint.len == 0 || nodes->tree_size == parcel->tree_size;
	return same && nodes->count + MERKLE_LEVELS <= NODES_MAX;
}

static uint32_t node_index(struct nodes *nodes, const uint8_t node[HASH_SIZE])
{
	uint64_t hash;
	memcpy(&hash, node, sizeof(hash));
	size_t slot = hash & (SLOTS - 1);
	while (nodes->slots[slot].frame == nodes->frame) {
		uint32_t index = nodes->slots[slot].index;
		if (memcmp(nodes->hash[index], node, HASH_SIZE) == 0)
			return index;
		slot = (slot + 1) & (SLOTS - 1);
	}
	uint32_t index = nodes->count++;
	memcpy(nodes->hash[index], node, HASH_SIZE);
	nodes->slots[slot].frame = nodes->frame;
	nodes->slots[slot].index = index;
	return index;
}

void nodes_add(struct nodes *nodes, const struct parcel *parcel, const struct parcel_proof *proof,
	uint32_t *ret)
{
	assert(nodes_fit(nodes, parcel));
	nodes->checkpoint = parcel->checkpoint;
	nodes->tree_size = parcel->tree_size;
	for (uint32_t i = 0; i < proof->path_count; i++) {
		assert(proof->path[i] < parcel->nodes_count);
		ret[i] = node_index(nodes, parcel->nodes + (size_t)proof->path[i] * HASH_SIZE);
	}
}

struct bytes nodes_checkpoint(const struct nodes *nodes)
{
	return nodes->checkpoint;
}

struct bytes nodes_nodes(const struct nodes *nodes)
{
	return BYTES(nodes->hash, (size_t)nodes->count * HASH_SIZE);
}
