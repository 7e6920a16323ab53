/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Leaves that nobody asks about are noise, not hashes: a tree of a million leaves then costs a million
 * node hashes and no more, and the checker cannot tell.
 */
#include "proto/receipt/test-world.h"

#include <string.h>

#include "proto/journal.pb-c.h"
#include "test/kit/check.h"

uint64_t world_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void world_fill(uint64_t *state, void *buf, size_t len)
{
	uint8_t *p = buf;
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)world_random(state);
}

/* A signature core of any legal shape; nobody verifies it here. */
static size_t make_core(uint64_t *state, uint8_t core[SIGNATURE_CORE_MAX])
{
	uint32_t size = 1 + (uint32_t)(world_random(state) % 32);
	uint32_t index = (uint32_t)(world_random(state) % size);
	size_t steps = merkle_path_length(index, size);
	world_fill(state, core, SIGNATURE_CORE_MAX);
	be32_put(core + 16, size);
	be32_put(core + 20, index);
	core[24] = (uint8_t)steps;
	return 16 + 4 + 4 + 1 + steps * HASH_SIZE + SIGNATURE_SIZE;
}

static void make_entry(uint64_t *state, uint64_t sequence, uint8_t kind, struct world_entry *ret)
{
	*ret = (struct world_entry){.sequence = sequence,
		.batch_ms = UINT64_C(1795000000000) + sequence / 7,
		.registry_version = 1 + sequence % 3,
		.kind = kind,
		.class = (uint8_t)(1 + sequence % 5)};
	world_fill(state, ret->nonce, sizeof(ret->nonce));
	world_fill(state, ret->private_digest, sizeof(ret->private_digest));
	world_fill(state, ret->digest, sizeof(ret->digest));
	if (kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		ret->core_len = make_core(state, ret->core);

	/* By hand, not through disclosed_encode(): this is the other side. */
	uint8_t disclosed[DISCLOSED_MAX];
	disclosed[0] = kind;
	be64_put(disclosed + 1, ret->batch_ms);
	be64_put(disclosed + 9, ret->registry_version);
	memcpy(disclosed + 17, ret->digest, HASH_SIZE);
	memcpy(disclosed + 49, ret->core, ret->core_len);
	stub_make(kind, ret->class, ret->nonce, BYTES(disclosed, 49 + ret->core_len),
		ret->private_digest, ret->stub);
}

static size_t level_width(const struct world *world, unsigned int level)
{
	return (size_t)(((world->size - 1) >> level) + 1);
}

static void grow_levels(struct world *world)
{
	unsigned int top = 0;
	for (; level_width(world, top) > 1; top++) {
		size_t width = level_width(world, top + 1), below = level_width(world, top);
		world->level[top + 1] = calloc(width, sizeof(struct merkle_hash));
		CHECK(world->level[top + 1]);
		for (size_t i = 0; i < width; i++) {
			const struct merkle_hash *left = &world->level[top][2 * i];
			if (2 * i + 1 < below)
				merkle_node(left, left + 1, &world->level[top + 1][i]);
			else
				world->level[top + 1][i] = *left;
		}
	}
	world->checkpoint.size = world->size;
	world->checkpoint.root = world->level[top][0];
	snprintf(world->checkpoint.origin, sizeof(world->checkpoint.origin), "wuppertal.demo/0");
}

/* Each node once, however many paths use it. */
static uint32_t node_number(struct world *world, const struct merkle_coordinate *at)
{
	if (!world->node_at[at->level]) {
		world->node_at[at->level] = calloc(level_width(world, at->level), sizeof(uint32_t));
		CHECK(world->node_at[at->level]);
	}
	uint32_t *number = &world->node_at[at->level][at->index];
	if (*number == 0) {
		world->nodes[world->nodes_count++] = world->level[at->level][at->index];
		*number = (uint32_t)world->nodes_count;
	}
	return *number - 1;
}

struct world *world_new(uint64_t size, uint64_t first, uint64_t step, size_t count, uint8_t kind)
{
	struct world *world = calloc(1, sizeof(*world));
	CHECK(world && count >= 1 && first + (count - 1) * step < size);
	world->size = size;
	world->level[0] = calloc(size, sizeof(struct merkle_hash));
	world->entries = calloc(count, sizeof(*world->entries));
	world->count = count;
	world->nodes = calloc(count * MERKLE_LEVELS, sizeof(struct merkle_hash));
	CHECK(world->level[0] && world->entries && world->nodes);

	uint64_t state = size * 31 + first;
	for (uint64_t i = 0; i < size; i++) {
		uint64_t word = world_random(&state);
		memcpy(world->level[0][i].bytes, &word, sizeof(word));
	}
	for (size_t i = 0; i < count; i++) {
		struct world_entry *entry = &world->entries[i];
		make_entry(&state, first + i * step, kind, entry);
		stub_leaf(entry->stub, &world->level[0][entry->sequence]);
	}
	grow_levels(world);
	for (size_t i = 0; i < count; i++) {
		struct world_entry *entry = &world->entries[i];
		struct merkle_coordinate at[MERKLE_LEVELS];
		entry->steps = merkle_path_coordinates(entry->sequence, size, at);
		for (size_t s = 0; s < entry->steps; s++)
			entry->path[s] = node_number(world, &at[s]);
	}
	return world;
}

void world_free(struct world *world)
{
	if (!world)
		return;
	for (size_t i = 0; i < MERKLE_LEVELS; i++) {
		free(world->level[i]);
		free(world->node_at[i]);
	}
	free(world->nodes);
	free(world->entries);
	free(world);
}

void world_receipt(struct world_entry *entry, Dienstweg__Receipt *ret)
{
	dienstweg__receipt__init(ret);
	ret->h = (ProtobufCBinaryData){.data = entry->digest, .len = HASH_SIZE};
	ret->sequence = entry->sequence;
	ret->batch_ms = entry->batch_ms;
	ret->registry_version = entry->registry_version;
	ret->nonce = (ProtobufCBinaryData){.data = entry->nonce, .len = STUB_NONCE_SIZE};
	ret->private_digest = (ProtobufCBinaryData){.data = entry->private_digest, .len = HASH_SIZE};
	ret->class_ = entry->class;
	ret->path = entry->path;
	ret->n_path = entry->steps;
}

void world_ack_receipt(struct world_entry *entry, Dienstweg__AckReceipt *ret)
{
	dienstweg__ack_receipt__init(ret);
	ret->digest = (ProtobufCBinaryData){.data = entry->digest, .len = HASH_SIZE};
	ret->sequence = entry->sequence;
	ret->batch_ms = entry->batch_ms;
	ret->registry_version = entry->registry_version;
	ret->nonce = (ProtobufCBinaryData){.data = entry->nonce, .len = STUB_NONCE_SIZE};
	ret->private_digest = (ProtobufCBinaryData){.data = entry->private_digest, .len = HASH_SIZE};
	ret->class_ = entry->class;
	ret->path = entry->path;
	ret->n_path = entry->steps;
}
