/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The rules must not be able to tell LMDB from plain memory: the same random calls on both, the same
 * answers, also for seeks between writes, where LMDB's pages split under an open cursor.
 */
#include "broker/journal/store.h"

#include <errno.h>

#include "broker/routing/memory.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

enum { STEPS = 30000, KEYS = 700, TXN_STEPS = 500, VALUE_BYTES = 300 };

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *state >> 33;
}

static struct db_env *env_of(const char *name, uint64_t map_bytes)
{
	struct db_options options = {.map_bytes = map_bytes, .tables_max = 16, .readers_max = 4};
	char path[600];
	struct db_env *env = NULL;
	snprintf(path, sizeof(path), "%s/%s", check_memdir(), name);
	CHECK_INT(dir_make(path, 0700), 0);
	CHECK_INT(db_env_open(path, &options, &env), 0);
	return env;
}

static struct bytes random_key(uint64_t *random, uint8_t buf[16])
{
	size_t len = 4 + next_random(random) % 9;
	memset(buf, 0, 16);
	be32_put(buf, (uint32_t)(next_random(random) % KEYS));
	return BYTES(buf, len);
}

static void compare_seek(
	struct state *a, struct state *b, enum state_table table, struct bytes from, int *ret_rows)
{
	struct bytes key_a, key_b, value_a, value_b;
	int r = state_seek(a, table, from, &key_a, &value_a);
	CHECK_INT(state_seek(b, table, from, &key_b, &value_b), r);
	if (r)
		return;
	CHECK(bytes_equal(key_a, key_b) && bytes_equal(value_a, value_b));
	++*ret_rows;
}

static void step(struct state *a, struct state *b, uint64_t *random, int *ret_rows)
{
	enum state_table table = (enum state_table)(next_random(random) % STATE_TABLES);
	uint8_t key_buf[16], value_buf[VALUE_BYTES];
	struct bytes key = random_key(random, key_buf), value_a, value_b;
	int r;
	switch (next_random(random) % 6) {
	case 0:
	case 1:
		memset(value_buf, (int)next_random(random), sizeof(value_buf));
		value_a = BYTES(value_buf, next_random(random) % VALUE_BYTES);
		CHECK_INT(state_put(a, table, key, value_a), 0);
		CHECK_INT(state_put(b, table, key, value_a), 0);
		break;
	case 2:
		r = state_del(a, table, key);
		CHECK_INT(state_del(b, table, key), r);
		break;
	case 3:
		r = state_get(a, table, key, &value_a);
		CHECK_INT(state_get(b, table, key, &value_b), r);
		CHECK(r == STATE_NOT_FOUND || bytes_equal(value_a, value_b));
		break;
	default:
		compare_seek(a, b, table, key, ret_rows);
		break;
	}
}

static void behaves_like_memory(void)
{
	struct db_env *env = env_of("same", 64 << 20);
	_cleanup_(state_memory_free) struct state_memory *memory = NULL;
	struct state_store store;
	struct db_txn *txn;
	uint64_t random = 4711;
	int rows = 0;
	CHECK_INT(state_memory_new(&memory), 0);
	CHECK_INT(db_begin(env, true, &txn), 0);
	CHECK_INT(state_store_open(&store, txn), 0);
	CHECK_INT(db_commit(txn), 0);
	for (int i = 0; i < STEPS; i += TXN_STEPS) {
		CHECK_INT(db_begin(env, true, &txn), 0);
		state_store_begin(&store, txn);
		CHECK(!store.changed);
		for (int k = 0; k < TXN_STEPS; k++)
			step(&store.state, state_memory_state(memory), &random, &rows);
		CHECK(store.changed);
		state_store_end(&store);
		CHECK_INT(db_commit(txn), 0);
	}
	CHECK(rows > STEPS / 10);
	db_env_close(env);
}

static void tells_a_full_map(void)
{
	struct db_env *env = env_of("full", 256 << 10);
	struct state_store store;
	struct db_txn *txn;
	uint8_t key[16], value[VALUE_BYTES] = {};
	int r = 0;
	CHECK_INT(db_begin(env, true, &txn), 0);
	CHECK_INT(state_store_open(&store, txn), 0);
	state_store_begin(&store, txn);
	for (uint32_t i = 0; i < 10000 && r == 0; i++) {
		be32_put(key, i);
		r = state_put(&store.state, STATE_SEEN, BYTES(key, 4), BYTES(value, sizeof(value)));
	}
	CHECK_INT(r, -ENOSPC);
	CHECK_INT(state_del(&store.state, STATE_SEEN, BYTES(key, 4)), -ENOSPC);
	state_store_end(&store);
	db_abort(txn);
	db_env_close(env);
}

CHECK_MAIN(CHECK_CASE(behaves_like_memory), CHECK_CASE(tells_a_full_map))
