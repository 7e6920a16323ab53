/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A full map or disk is -ENOSPC here: to the rules it is a failure like any other, because the
 * transaction is spoilt. Cursors are kept for one transaction: LMDB moves the ones it knows of when a
 * page splits under them, and a seek per timer row need not allocate one.
 */
#include "broker/journal/store.h"

#include <errno.h>

static struct state_store *store_of(struct state *state)
{
	return (struct state_store *)state; /* first member */
}

static int fold(int r)
{
	switch (r) {
	case DB_NOT_FOUND:
		return STATE_NOT_FOUND;
	case DB_FULL:
		return -ENOSPC;
	default:
		return r;
	}
}

static int store_get(
	struct state *state, enum state_table table, struct bytes key, struct bytes *ret)
{
	struct state_store *store = store_of(state);
	if (table == STATE_ORDER && store->unordered)
		return STATE_NOT_FOUND;
	return fold(db_get(store->txn, store->tables[table], key, ret));
}

static int store_put(
	struct state *state, enum state_table table, struct bytes key, struct bytes value)
{
	struct state_store *store = store_of(state);
	store->changed = true;
	return fold(db_put(store->txn, store->tables[table], key, value));
}

static int store_del(struct state *state, enum state_table table, struct bytes key)
{
	struct state_store *store = store_of(state);
	store->changed = true;
	return fold(db_delete(store->txn, store->tables[table], key));
}

static int store_seek(struct state *state, enum state_table table, struct bytes key,
	struct bytes *ret_key, struct bytes *ret_value)
{
	struct state_store *store = store_of(state);
	if (table == STATE_ORDER && store->unordered)
		return STATE_NOT_FOUND;
	if (!store->cursors[table]) {
		int r = db_cursor_open(store->txn, store->tables[table], &store->cursors[table]);
		if (r)
			return fold(r);
	}
	return fold(db_cursor_seek(store->cursors[table], key, ret_key, ret_value));
}

const char *state_table_name(enum state_table table)
{
	static const char *const names[STATE_TABLES] = {
		[STATE_QUEUE] = "queue",
		[STATE_TIMER] = "timer",
		[STATE_SEEN] = "seen",
		[STATE_END] = "end",
		[STATE_COUNTER] = "counter",
		[STATE_PARTY] = "party",
		[STATE_HOLD] = "hold",
		[STATE_ORDER] = "order",
	};
	return names[table];
}

int state_store_open(struct state_store *store, struct db_txn *txn)
{
	static const struct state_ops ops = {
		.get = store_get,
		.put = store_put,
		.del = store_del,
		.seek = store_seek,
	};
	*store = (struct state_store){.state.ops = &ops};
	for (enum state_table table = 0; table < STATE_TABLES; table++) {
		int r = db_table_open(txn, state_table_name(table), &store->tables[table]);
		store->unordered = r == DB_NOT_FOUND && table == STATE_ORDER;
		if (r && !store->unordered)
			return r == DB_NOT_FOUND ? -ENOENT : fold(r);
	}
	return 0;
}

void state_store_share(const struct state_store *store, struct state_store *ret)
{
	*ret = (struct state_store){.state.ops = store->state.ops};
	memcpy(ret->tables, store->tables, sizeof(ret->tables));
	ret->unordered = store->unordered;
}

void state_store_begin(struct state_store *store, struct db_txn *txn)
{
	store->txn = txn;
	store->changed = false;
}

void state_store_end(struct state_store *store)
{
	for (enum state_table table = 0; table < STATE_TABLES; table++) {
		db_cursor_close(store->cursors[table]);
		store->cursors[table] = NULL;
	}
	store->txn = NULL;
}
