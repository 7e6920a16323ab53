/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "test/sim/town.h"

/*
 * What goes wrong, and when: processes are killed, machines lose power, connections break, clocks are set, disks
 * fail. How much of each a seed has is part of the seed: some are quiet, some are nothing but trouble.
 */
enum { CHAOS_KINDS = 18 };

struct chaos {
	struct town *town;
	bool on;
	uint32_t rarity; /* most steps between two */
	uint64_t next;   /* step of the next one */
	uint32_t weights[CHAOS_KINDS];
	uint32_t total;
	uint64_t restart_ns[AGENCIES_MAX + 1]; /* when a process that ended is started again */
	uint64_t counts[CHAOS_KINDS];
};

/* What this seed has of each. The first tick starts everybody. */
void chaos_init(struct chaos *chaos, struct town *town);
void chaos_tick(struct chaos *chaos); /* after every slice; also starts again what ended */
void chaos_end(struct chaos *chaos);  /* from here on all goes well */
uint64_t chaos_next_ns(const struct chaos *chaos); /* the next restart */
/* In words. */
const char *chaos_name(size_t kind);
