/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The rules' tests and the explorer believe this table blindly, so it is compared with a plain unsorted
 * list over a long random run, and snapshots must not see what is written after them.
 */
#include "broker/routing/memory.h"
#include "test/kit/check.h"

enum { KEYS = 64, STEPS = 20000 };

static struct bytes key_of(unsigned int number, uint8_t buf[2])
{
	/* Keys of one and two bytes: a shorter one sorts first. */
	buf[0] = (uint8_t)(number / 4 * 16);
	buf[1] = (uint8_t)(number % 4);
	return BYTES(buf, number % 4 == 0 ? 1 : 2);
}

static void test_against_list(void)
{
	_cleanup_(state_memory_free) struct state_memory *memory = NULL;
	CHECK_INT(state_memory_new(&memory), 0);
	struct state *state = state_memory_state(memory);
	int model[KEYS];
	memset(model, -1, sizeof(model));
	uint64_t seed = 7;
	for (int step = 0; step < STEPS; step++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		unsigned int number = (unsigned int)(seed >> 40) % KEYS;
		uint8_t buf[2], value = (uint8_t)(seed >> 32);
		struct bytes key = key_of(number, buf), got, got_key;
		if (seed >> 63) {
			CHECK_INT(state_put(state, STATE_END, key, BYTES(&value, 1)), 0);
			model[number] = value;
		} else {
			CHECK_INT(state_del(state, STATE_END, key),
				model[number] < 0 ? STATE_NOT_FOUND : 0);
			model[number] = -1;
		}
		unsigned int probe = (unsigned int)(seed >> 20) % KEYS;
		key = key_of(probe, buf);
		if (model[probe] < 0) {
			CHECK_INT(state_get(state, STATE_END, key, &got), STATE_NOT_FOUND);
		} else {
			CHECK_INT(state_get(state, STATE_END, key, &got), 0);
			CHECK_INT(got.len, 1);
			CHECK_INT(got.data[0], model[probe]);
		}
		int r = state_seek(state, STATE_END, key, &got_key, &got);
		while (probe < KEYS && model[probe] < 0)
			probe++;
		CHECK_INT(r, probe < KEYS ? 0 : STATE_NOT_FOUND);
		if (r == 0) {
			CHECK(bytes_equal(got_key, key_of(probe, buf)));
			CHECK_INT(got.data[0], model[probe]);
		}
		CHECK_INT(state_get(state, STATE_QUEUE, key_of(number, buf), &got), STATE_NOT_FOUND);
	}
}

static void test_snapshot(void)
{
	_cleanup_(state_memory_free) struct state_memory *memory = NULL, *copy = NULL;
	CHECK_INT(state_memory_new(&memory), 0);
	struct state *state = state_memory_state(memory);
	CHECK_INT(state_put(state, STATE_SEEN, BYTES("a", 1), BYTES("1", 1)), 0);
	CHECK_INT(state_put(state, STATE_COUNTER, BYTES("b", 1), BYTES(NULL, 0)), 0);
	CHECK_INT(state_memory_copy(memory, &copy), 0);
	enum state_table table;
	uint8_t before[32], after[32];
	CHECK_INT(state_memory_compare(memory, copy, &table), 0);
	state_memory_digest(memory, before);
	state_memory_digest(copy, after);
	CHECK_MEM(before, after, 32);

	CHECK_INT(state_put(state, STATE_SEEN, BYTES("a", 1), BYTES("2", 1)), 0);
	CHECK_INT(state_memory_compare(memory, copy, &table), 1);
	CHECK_INT(table, STATE_SEEN);
	state_memory_digest(memory, after);
	CHECK(memcmp(before, after, 32) != 0);
	struct bytes got;
	CHECK_INT(state_get(state_memory_state(copy), STATE_SEEN, BYTES("a", 1), &got), 0);
	CHECK_INT(got.data[0], '1');

	CHECK_INT(state_put(state, STATE_SEEN, BYTES("a", 1), BYTES("1", 1)), 0);
	CHECK_INT(state_memory_compare(memory, copy, &table), 0);
	state_memory_digest(memory, after);
	CHECK_MEM(before, after, 32);

	/* The same row in another table is another state. */
	CHECK_INT(state_del(state, STATE_COUNTER, BYTES("b", 1)), 0);
	CHECK_INT(state_put(state, STATE_PARTY, BYTES("b", 1), BYTES(NULL, 0)), 0);
	CHECK_INT(state_memory_compare(memory, copy, &table), 1);
	CHECK_INT(table, STATE_COUNTER);
	state_memory_digest(memory, after);
	CHECK(memcmp(before, after, 32) != 0);
}

CHECK_MAIN(CHECK_CASE(test_against_list), CHECK_CASE(test_snapshot))
