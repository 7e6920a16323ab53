/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/db.h"

/* How full map and file system are, cheaply. Inside this folder only; the writer's thread. */
struct fill {
	struct db_env *env;
	const char *dir;
	unsigned int limit_percent; /* of the map; above 100: everything is admitted */
	uint64_t reserve_bytes;     /* of the file system */
	uint64_t waiting;           /* messages that have not ended: kept up to date by the owner */

	bool measured;
	uint64_t measured_ns;
	uint64_t map_bytes, used_bytes; /* at that time */
	uint64_t disk_bytes;            /* left then */
	uint64_t put_then;              /* entry_log.bytes then */
	uint32_t percent;
	bool full;
};

/**
 * fill_measure() - look again, if it is time to
 * @fill:   how it was
 * @put:    bytes put so far, ever
 * @now_ns: monotonic time
 * Return: 0 or negative errno.
 */
int fill_measure(struct fill *fill, uint64_t put, uint64_t now_ns);

/**
 * fill_admits() - is there room for more messages below the limits?
 * @fill:   measured
 * @put:    bytes put so far, ever
 * @bytes:  what the messages are about to put
 * @messages: how many they are
 * Return: true when they may be journaled.
 */
bool fill_admits(const struct fill *fill, uint64_t put, uint64_t bytes, uint64_t messages);
