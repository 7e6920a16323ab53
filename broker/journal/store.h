/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/state.h"
#include "proto/base/db.h"

/* The rules' state over LMDB: the derived tables inside a write transaction (journal) or another
   environment (replay). */
struct state_store {
	struct state state; /* first */
	struct db_txn *txn; /* set per transaction by the owner */
	db_table_id tables[STATE_TABLES];
};

/**
 * state_store_open() - open (and in a write transaction create) the derived tables
 * @store: to set up
 * @txn:   a transaction of the environment
 * Return: 0 or negative errno.
 */
int state_store_open(struct state_store *store, struct db_txn *txn);

/* LMDB name of a derived table: "queue", "timer", "seen", "end", "counter", "party". */
const char *state_table_name(enum state_table table);
