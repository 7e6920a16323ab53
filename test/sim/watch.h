/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/reader.h"
#include "test/sim/town.h"

/*
 * Eyes of the ledger: what the broker's journal holds after each commit, and every frame that leaves the broker.
 * Reads as any reader of the journal does, by the product's own.
 */
struct watch {
	struct town *town;
	struct journal_reader *reader; /* of this life of the broker; NULL: it does not run */
	uint64_t life;
	unsigned long long syncs;
	struct arena *arena;
	uint64_t commits, walks;
};

/* Begin to look; every frame is seen from here on. */
void watch_init(struct watch *watch, struct town *town);
void watch_deinit(struct watch *watch);

/* After every slice: enter what was committed, and check what it concerns. */
void watch_look(struct watch *watch);
/* All tables of the journal against each other. */
void watch_walk(struct watch *watch);
