/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/chain.h"
#include "broker/audit/entry.h"
#include "broker/audit/replay.h"
#include "broker/journal/store.h"

/* A replay under way; between the replay*.c files. */
struct replayer {
	struct audit *audit;
	const struct audit_replay_options *options;
	struct audit_report *report;
	struct audit_replay_result *result;
	struct chain chain;
	struct rules rules;
	struct rules_limits limits;
	bool limited; /* a start entry told the limits */
	struct tick_cursor cursor;
	uint64_t ticked_ms;
	struct arena *entry_arena; /* of the entry at hand */
	struct arena *rules_arena; /* of what the rules make of it */
	struct db_env *env;
	struct db_txn *txn;
	struct state_store store;
	uint64_t next; /* entry */
	bool stopped;  /* the state cannot be followed any further */
};

/* What the rules make of an entry. */
struct remade {
	bool compared; /* false: nothing to decide in such an entry */
	uint8_t kind;  /* EntryKind that it would become; 0: none */
	uint8_t class; /* its retention class, before the fallback; 0: not known */
	const Dienstweg__Decision *decision;
	const char *instead; /* kind 0: what happens instead, a constant */
};

/**
 * replay_decide() - let the rules decide an entry again, and change the state
 * @replayer: at that entry, ticked
 * @entry:    what was received
 * @ret:      what they say
 * Return: 0, -EBADMSG (the state does not fit), negative errno.
 */
int replay_decide(struct replayer *replayer, const struct audit_entry *entry, struct remade *ret);

/**
 * replay_tick() - everything that is due at a batch time happens
 * @replayer: before the first entry of that time
 * @batch_ms: the time
 * Return: 0 or negative errno.
 */
int replay_tick(struct replayer *replayer, uint64_t batch_ms);

/**
 * replay_compare() - replayed state against the live tables
 * @replayer: after the last entry of the snapshot that its reader sees
 * @meta:     of the snapshot
 * Return: 0 or negative errno.
 */
int replay_compare(struct replayer *replayer, const struct journal_meta *meta);

/* Has the report as many findings as are wanted? */
bool replay_enough(const struct replayer *replayer);
