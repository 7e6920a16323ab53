/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Linear probing at most half full, deletion by shifting back: no tombstones, so a table that lives for
 * months under constant traffic stays as fast as a new one. Keys may be chosen by strangers (case ids,
 * message hashes); the multiplication with a random odd number keeps them from aiming at one slot.
 */
#include "adapters/sdk/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/base/crypto.h"

struct map_slot {
	uint64_t key;
	uint32_t value; /* MAP_NONE: empty */
};

struct map {
	size_t mask;
	size_t count;
	size_t max;
	uint64_t factor;
	unsigned int shift;
	struct map_slot slots[];
};

int map_new(size_t entries_max, struct map **ret)
{
	size_t slots = 4;
	unsigned int bits = 2;
	assert(entries_max >= 1 && entries_max <= (size_t)1 << 24);
	while (slots < 2 * entries_max) {
		slots *= 2;
		bits++;
	}
	struct map *map = malloc(sizeof(*map) + slots * sizeof(map->slots[0]));
	if (!map)
		return -ENOMEM;
	map->mask = slots - 1;
	map->max = entries_max;
	map->shift = 64 - bits;
	random_fill(&map->factor, sizeof(map->factor));
	map->factor |= 1;
	map_clear(map);
	*ret = map;
	return 0;
}

void map_free(struct map *map)
{
	free(map);
}

void map_clear(struct map *map)
{
	for (size_t i = 0; i <= map->mask; i++)
		map->slots[i].value = MAP_NONE;
	map->count = 0;
}

static size_t home_of(const struct map *map, uint64_t key)
{
	return (size_t)((key * map->factor) >> map->shift);
}

static size_t slot_of(const struct map *map, uint64_t key)
{
	size_t at = home_of(map, key);
	while (map->slots[at].value != MAP_NONE && map->slots[at].key != key)
		at = (at + 1) & map->mask;
	return at;
}

void map_put(struct map *map, uint64_t key, uint32_t value)
{
	size_t at = slot_of(map, key);
	assert(value != MAP_NONE);
	if (map->slots[at].value == MAP_NONE) {
		assert(map->count < map->max);
		map->count++;
	}
	map->slots[at] = (struct map_slot){.key = key, .value = value};
}

uint32_t map_get(const struct map *map, uint64_t key)
{
	return map->slots[slot_of(map, key)].value;
}

void map_remove(struct map *map, uint64_t key)
{
	size_t hole = slot_of(map, key);
	if (map->slots[hole].value == MAP_NONE)
		return;
	map->count--;
	/* Whoever was pushed past the hole comes back into it. */
	for (size_t at = (hole + 1) & map->mask; map->slots[at].value != MAP_NONE;
		at = (at + 1) & map->mask) {
		size_t home = home_of(map, map->slots[at].key);
		if (((at - home) & map->mask) < ((at - hole) & map->mask))
			continue;
		map->slots[hole] = map->slots[at];
		hole = at;
	}
	map->slots[hole].value = MAP_NONE;
}

size_t map_count(const struct map *map)
{
	return map->count;
}
