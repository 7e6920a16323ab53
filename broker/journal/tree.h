/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "broker/journal/tile.h"
#include "proto/base/cleanup.h"

/*
 * The growing end of the tree, owned by the writer: leaves of the current batch are pushed, then the
 * batch is closed (nodes computed, rows stored), then settled once it is committed. Inside this folder
 * only; one thread.
 */
struct tree;

/**
 * tree_new() - an empty tree's end
 * @ret: the tree
 * Return: 0 or -ENOMEM.
 */
int tree_new(struct tree **ret);
void tree_free(struct tree *tree); /* takes NULL */
DEFINE_CLEANUP(struct tree *, tree_free);

/**
 * tree_load() - take over the right edge of a stored tree
 * @tree:   new
 * @source: its rows, all of them
 * Return: as tile_node().
 */
int tree_load(struct tree *tree, const struct tile_source *source);

/**
 * tree_push() - the next leaf
 * @tree: not closed
 * @leaf: leaf hash
 * Return: 0 or -ENOMEM.
 */
int tree_push(struct tree *tree, const struct merkle_hash *leaf);

/**
 * tree_close() - compute the nodes that the pushed leaves made, and store rows and edge
 * @tree:   with at least one leaf pushed
 * @txn:    the batch's write transaction
 * @tables: its tables
 * Return: 0, DB_FULL, negative errno.
 */
int tree_close(struct tree *tree, struct db_txn *txn, const struct journal_tables *tables);

/**
 * tree_settle() - the batch is committed: forget all of it but the edge
 * @tree: closed
 */
void tree_settle(struct tree *tree);

uint64_t tree_size(const struct tree *tree);                      /* pushed leaves included */
void tree_root(const struct tree *tree, struct merkle_hash *ret); /* closed */

/**
 * tree_node() - a node of the whole tree: of the batch from memory, older ones from their rows
 * @tree:   closed, or without a leaf since it was settled
 * @source: rows as the batch's transaction sees them, of size tree_size()
 * @level:  of the node
 * @index:  of the node
 * @ret:    the hash
 * Return: as tile_node().
 */
int tree_node(const struct tree *tree, const struct tile_source *source, unsigned int level,
	uint64_t index, struct merkle_hash *ret);
