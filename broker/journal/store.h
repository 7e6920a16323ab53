/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>

#include "broker/routing/state.h"
#include "proto/base/db.h"

/* The rules' state over LMDB: the derived tables inside a write transaction (journal) or another
   environment (replay). One thread. */
struct state_store {
	struct state state; /* first */
	struct db_txn *txn; /* between begin and end */
	db_table_id tables[STATE_TABLES];
	bool unordered; /* read only, and written by a broker that had no table `order` */
	struct db_cursor *cursors[STATE_TABLES]; /* for seek; opened when first needed */
	bool changed;                            /* a row was put or removed since begin */
};

/**
 * state_store_open() - open (and in a write transaction create) the derived tables
 * @store: to set up
 * @txn:   a transaction of the environment
 * Return: 0 or negative errno.
 */
int state_store_open(struct state_store *store, struct db_txn *txn);

/**
 * state_store_share() - the same tables for another thread with transactions of its own
 * @store: opened
 * @ret:   not begun
 */
void state_store_share(const struct state_store *store, struct state_store *ret);

/**
 * state_store_begin() - use a transaction from here on
 * @store: opened
 * @txn:   write transaction; a read transaction where the state is only read
 */
void state_store_begin(struct state_store *store, struct db_txn *txn);

/**
 * state_store_end() - let go of the transaction; before it is committed or aborted
 * @store: begun; calling it twice does no harm
 */
void state_store_end(struct state_store *store);

/**
 * state_table_name() - LMDB name of a derived table: "queue", "timer", "seen", "end", "counter", "party", "hold"
 * @table: which
 * Return: a constant.
 */
const char *state_table_name(enum state_table table);
