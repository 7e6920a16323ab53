/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/frame.pb-c.h"
#include "proto/merkle/merkle.h"
#include "proto/note/checkpoint.h"
#include "proto/receipt/stub.h"
#include "proto/signature/signature.h"

/*
 * For tests: a journal's tree in memory with some known entries in it, and the Answer that a broker
 * would send about them. Every node of every level is kept, ragged edge included.
 */
struct world_entry {
	uint64_t sequence;
	uint64_t batch_ms;
	uint64_t registry_version;
	uint8_t kind;
	uint8_t class;
	uint8_t nonce[STUB_NONCE_SIZE];
	uint8_t private_digest[HASH_SIZE];
	uint8_t digest[HASH_SIZE];
	uint8_t core[SIGNATURE_CORE_MAX];
	size_t core_len;
	uint8_t stub[STUB_SIZE];
	uint32_t path[MERKLE_LEVELS]; /* into world.nodes */
	size_t steps;
};

struct world {
	uint64_t size;
	struct merkle_hash *level[MERKLE_LEVELS];
	uint32_t *node_at[MERKLE_LEVELS]; /* 1 + where the node stands in the table, 0: nowhere */
	struct checkpoint checkpoint;
	struct merkle_hash *nodes;
	size_t nodes_count;
	struct world_entry *entries;
	size_t count;
};

/**
 * world_new() - a tree of @size leaves; @count entries at first, first + step, ...
 * @size:  leaves
 * @first: sequence of the first known entry
 * @step:  distance between known entries
 * @count: how many
 * @kind:  EntryKind of the known entries: accepted or acknowledged
 * Return: the world; world_free().
 */
struct world *world_new(uint64_t size, uint64_t first, uint64_t step, size_t count, uint8_t kind);
void world_free(struct world *world); /* takes NULL */

/**
 * world_receipt() - the receipt of a known entry; its bytes belong to the world
 * @entry: an entry "accepted"
 * @ret:   the receipt
 */
void world_receipt(struct world_entry *entry, Dienstweg__Receipt *ret);

/**
 * world_ack_receipt() - the same for an entry "acknowledged"
 * @entry: the entry
 * @ret:   the receipt
 */
void world_ack_receipt(struct world_entry *entry, Dienstweg__AckReceipt *ret);

/**
 * world_random() - reproducible noise
 * @state: any start value
 * Return: 64 bits (splitmix64).
 */
uint64_t world_random(uint64_t *state);

/**
 * world_fill() - fill with noise
 * @state: as above
 * @buf:   room
 * @len:   bytes
 */
void world_fill(uint64_t *state, void *buf, size_t len);
