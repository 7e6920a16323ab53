/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"

/*
 * RFC 6962 trees over SHA-256: leaf SHA-256(0x00 || data), node SHA-256(0x01 || left || right). A node
 * (level, index) of a tree of n leaves covers leaves [index << level, min((index + 1) << level, n)); at
 * the ragged right edge it is the root of what is there, so (level, index) names every node of a path.
 * All functions are pure; memory is the caller's.
 */
enum { MERKLE_LEVELS = 64 };

enum { MERKLE_BAD = 1 /* a proof does not fit: wrong length, wrong hash, impossible sizes */ };

struct merkle_hash {
	uint8_t bytes[HASH_SIZE];
};

/**
 * merkle_leaf() - hash of a leaf
 * @data: what the leaf holds (for the journal: a stub of 35 bytes)
 * @ret:  SHA-256(0x00 || data)
 */
void merkle_leaf(struct bytes data, struct merkle_hash *ret);

/**
 * merkle_node() - hash of an inner node; allocates nothing
 * @left:  its left child
 * @right: its right child
 * @ret:   SHA-256(0x01 || left || right); may be @left or @right
 */
void merkle_node(
	const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *ret);

/**
 * merkle_empty_root() - root of the tree without leaves
 * @ret: SHA-256 of nothing
 */
void merkle_empty_root(struct merkle_hash *ret);

/**
 * merkle_root_of() - root of a small tree whose leaf hashes are all at hand
 * @leaves: leaf hashes
 * @count:  >= 1
 * @ret:    the root
 */
void merkle_root_of(const struct merkle_hash *leaves, size_t count, struct merkle_hash *ret);

/**
 * merkle_path_length() - steps of the audit path of RFC 6962 2.1.1
 * @index: leaf, < @size
 * @size:  leaves
 * Return: number of hashes.
 */
size_t merkle_path_length(uint64_t index, uint64_t size);

/* One step of a path: the sibling to fetch. */
struct merkle_coordinate {
	unsigned int level;
	uint64_t index;
};

/**
 * merkle_path_coordinates() - which nodes make the audit path of a leaf, leaf to root
 * @index: leaf, < @size
 * @size:  leaves
 * @ret:   room for MERKLE_LEVELS
 * Return: number of steps, = merkle_path_length().
 */
size_t merkle_path_coordinates(
	uint64_t index, uint64_t size, struct merkle_coordinate ret[MERKLE_LEVELS]);

/**
 * merkle_path_root() - the root that a leaf and its path imply
 * @leaf:  leaf hash
 * @index: its index
 * @size:  leaves of the tree
 * @path:  hashes, leaf to root
 * @steps: how many
 * @ret:   implied root; compare it with the checkpoint's
 * Return: 0, or MERKLE_BAD when @steps is not exactly what (index, size) gives.
 */
int merkle_path_root(const struct merkle_hash *leaf, uint64_t index, uint64_t size,
	const struct merkle_hash *path, size_t steps, struct merkle_hash *ret) _must_use_;

/**
 * merkle_path_before() - the root of the tree that the leaves before this one make: its path holds it
 * @index: of the leaf
 * @path:  hashes, leaf to root, by which merkle_path_root() gave a root that is known to be true
 * @size:  leaves of that tree
 * @ret:   root of the tree of @index leaves
 *
 * The siblings to the left are the whole subtrees that those leaves fall into, so a path that leads to a true root
 * proves this one with it.
 */
void merkle_path_before(
	uint64_t index, uint64_t size, const struct merkle_hash *path, struct merkle_hash *ret);

/**
 * merkle_consistency_coordinates() - nodes of the consistency proof of RFC 6962 2.1.2
 * @old_size: 1 <= @old_size <= @new_size
 * @new_size: leaves now
 * @ret:      room for 2 * MERKLE_LEVELS
 * Return: number of hashes; 0 when the sizes are equal. Every node is to be read in the tree of new_size
 *         (RFC 6962 needs no node that exists only in the old tree).
 */
size_t merkle_consistency_coordinates(
	uint64_t old_size, uint64_t new_size, struct merkle_coordinate ret[2 * MERKLE_LEVELS]);

/**
 * merkle_consistency_check() - is the new tree an extension of the old one?
 * @old_size: leaves then; 0 is consistent with everything and needs no proof
 * @old_root: root then
 * @new_size: leaves now
 * @new_root: root now
 * @proof:    hashes
 * @count:    how many
 * Return: 0 or MERKLE_BAD.
 */
int merkle_consistency_check(uint64_t old_size, const struct merkle_hash *old_root,
	uint64_t new_size, const struct merkle_hash *new_root, const struct merkle_hash *proof,
	size_t count) _must_use_;

/**
 * struct merkle_edge - the right edge of a growing tree: complete subtree roots, one per set bit of size
 * @size: leaves
 * @node: node[l] is valid when bit l of size is set
 */
struct merkle_edge {
	uint64_t size;
	struct merkle_hash node[MERKLE_LEVELS];
};

/**
 * merkle_edge_append() - add a leaf
 * @edge: the edge
 * @leaf: leaf hash
 * @ret_nodes: NULL, or room for MERKLE_LEVELS: the complete nodes that this leaf finishes, level 1 up
 * Return: how many nodes it finished.
 */
size_t merkle_edge_append(
	struct merkle_edge *edge, const struct merkle_hash *leaf, struct merkle_hash *ret_nodes);

/**
 * merkle_edge_root() - root of the tree as it stands
 * @edge: the edge
 * @ret:  the root; of the empty tree when there are no leaves
 */
void merkle_edge_root(const struct merkle_edge *edge, struct merkle_hash *ret);
