/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"

/*
 * A fixed-size table from a 64-bit key to a 32-bit number, for what is in flight: no memory is taken
 * after it was made. Keys that were hashes keep their first 64 bits here, so the caller compares the rest.
 * One thread.
 */
enum { MAP_NONE = UINT32_MAX };

struct map;

/**
 * map_new() - an empty table
 * @entries_max: most keys at once, 1..2^24
 * @ret:         the table
 * Return: 0 or -ENOMEM.
 */
int map_new(size_t entries_max, struct map **ret);
void map_free(struct map *map); /* takes NULL */
DEFINE_CLEANUP(struct map *, map_free);

/**
 * map_put() - insert or replace
 * @map:   not full, or the key is there
 * @key:   any
 * @value: anything but MAP_NONE
 */
void map_put(struct map *map, uint64_t key, uint32_t value);
uint32_t map_get(const struct map *map, uint64_t key); /* MAP_NONE when absent */
void map_remove(struct map *map, uint64_t key);        /* absent: nothing */
size_t map_count(const struct map *map);
void map_clear(struct map *map);
