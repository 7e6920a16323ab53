/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The table is compared with an array that is searched from end to end, over many random operations in a
 * small range of keys, so that slots collide, wrap around and are shifted back all the time.
 */
#include "adapters/sdk/map.h"
#include "proto/base/crypto.h"
#include "test/kit/check.h"

enum { KEYS = 97, MAX = 40, ROUNDS = 200000 };

static void behaves_like_an_array(void)
{
	_cleanup_(map_free) struct map *map = NULL;
	uint32_t expected[KEYS];
	size_t count = 0;
	uint64_t state = 0;
	CHECK_INT(crypto_init(), 0);
	random_fill(&state, sizeof(state));
	CHECK_INT(map_new(MAX, &map), 0);
	memset(expected, 0xff, sizeof(expected));
	for (int i = 0; i < ROUNDS; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		size_t key = (size_t)(state >> 33) % KEYS;
		bool put = (state >> 60) & 1;
		if (put && (count < MAX || expected[key] != MAP_NONE)) {
			count += expected[key] == MAP_NONE;
			expected[key] = (uint32_t)i;
			map_put(map, key << 40, (uint32_t)i);
		} else if (!put) {
			count -= expected[key] != MAP_NONE;
			expected[key] = MAP_NONE;
			map_remove(map, key << 40);
		}
		CHECK_INT(map_count(map), count);
		size_t other = (size_t)(state >> 20) % KEYS;
		CHECK_INT(map_get(map, other << 40), expected[other]);
	}
	for (size_t key = 0; key < KEYS; key++)
		CHECK_INT(map_get(map, key << 40), expected[key]);
}

static void is_empty_after_clearing(void)
{
	_cleanup_(map_free) struct map *map = NULL;
	CHECK_INT(map_new(3, &map), 0);
	for (uint64_t key = 0; key < 3; key++)
		map_put(map, key, (uint32_t)key);
	map_clear(map);
	CHECK_INT(map_count(map), 0);
	CHECK_INT(map_get(map, 1), MAP_NONE);
	for (uint64_t key = 7; key < 10; key++)
		map_put(map, key, 1);
	CHECK_INT(map_count(map), 3);
}

CHECK_MAIN(CHECK_CASE(behaves_like_an_array), CHECK_CASE(is_empty_after_clearing))
