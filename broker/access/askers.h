/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"

/*
 * How often parties ask for reports. Each may have some at once and then one every few seconds, whatever sessions it
 * comes with, and one under way. Bounded: who has not asked lately is forgotten; with no room left nobody else may
 * ask. A plain value of the reactor's; times are of the monotonic clock.
 */
enum {
	ASKERS_MAX = 256,
	ASKERS_BURST = 4,
	ASKERS_EACH_S = 10, /* one more after so long */
};

struct askers {
	size_t count;
	struct asker {
		char name[64];
		bool waits; /* for an answer */
		uint64_t due_ns; /* when all that was asked would have been asked, had it been one at a time */
	} all[ASKERS_MAX];
};

/**
 * askers_take() - may this party ask now?
 * @askers:      zeroed at first
 * @name:        of the party whose key it is
 * @now_ns:      now
 * @ret_wait_ms: when not: after so long it may; 0: when its last answer has come
 * Return: true when it may; askers_give() when it was answered.
 */
bool askers_take(struct askers *askers, struct bytes name, uint64_t now_ns, uint64_t *ret_wait_ms);
void askers_give(struct askers *askers, struct bytes name);
