/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/crypto.h"

/*
 * Transport keys that are kept out for a while because whoever holds them flooded the bus. Bounded: with no
 * room left the one whose time ends first goes. A plain value of the reactor's; times are of the monotonic
 * clock.
 */
enum { BARS_MAX = 64 };

struct bars {
	size_t count;
	struct bar {
		uint8_t key[BOX_KEY_SIZE];
		uint64_t until_ns;
	} all[BARS_MAX];
};

/**
 * bars_add() - keep a key out
 * @bars:     the list; zeroed at first
 * @key:      whose holder flooded; once in the list, its time is moved
 * @until_ns: from when it may come back
 */
void bars_add(struct bars *bars, const uint8_t key[BOX_KEY_SIZE], uint64_t until_ns);

/* Is this key kept out? Forgets those whose time has passed. Costs nothing while nobody is. */
bool bars_hold(struct bars *bars, const uint8_t key[BOX_KEY_SIZE], uint64_t now_ns);
