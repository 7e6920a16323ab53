/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/chain.h"
#include "broker/audit/entry.h"
#include "broker/audit/replay.h"
#include "broker/journal/state.h"
#include "broker/journal/store.h"
#include "broker/routing/rows.h"
#include "broker/routing/versions.h"

/* A state entry, to be compared when replay has come to its size. */
struct replay_state {
	uint64_t sequence; /* of the entry */
	struct state_cut cut;
};

/* A replay under way; between the replay*.c files. */
struct replayer {
	struct audit *audit;
	const struct audit_replay_options *options;
	struct audit_report *report;
	struct audit_replay_result *result;
	struct chain chain;
	struct rules rules;
	const struct rules_version *version; /* whose functions are asked */
	struct rules_limits limits;
	bool limited; /* a start entry told the limits */
	struct tick_cursor cursor;
	uint64_t ticked_ms;
	struct arena *entry_arena; /* of the entry at hand */
	struct arena *rules_arena; /* of what the rules make of it */
	struct db_env *env;        /* of the state */
	bool into;                 /* it is the journal's, and not ours to close */
	struct db_txn *txn;
	struct state_store store;
	uint64_t next; /* entry */
	bool stopped;  /* the state cannot be followed any further */

	struct replay_state *states; /* in order; those of the first look at the journal */
	size_t states_count, states_next;
	uint64_t unreadable_until; /* the last entry that cannot be read, and one; 0: all can */
	uint64_t erased_last; /* the last entry that tells of an erasure; UINT64_MAX: none does */
	bool founding;        /* the state at hand was put together from records */
	bool founded;         /* replay began with such a one */
	bool last_snapshot;   /* the one that is compared with: it must stay */
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

/* The same for the entries about messages that operators, deliveries and time make (replay-items.c). */
int replay_decide_items(
	struct replayer *replayer, const struct audit_entry *entry, struct remade *ret);

/* For both: what happens instead of this entry. 0. */
int replay_instead(struct remade *ret, const char *what);
/* ... number of a party by a name out of an entry; 0: none has it. 0 or negative errno. */
int replay_number(struct replayer *replayer, struct bytes name, uint32_t *ret);
/* ... a field as a text, in the arena. 0 or -ENOMEM. */
int replay_text(struct arena *arena, ProtobufCBinaryData field, const char **ret);
/* ... the class of an entry; 0: not known. 0 or negative errno. */
int replay_class(struct replayer *replayer, uint64_t sequence, uint8_t *ret);

/* Ask the rules of this version from here on: that of the entry at hand. */
void replay_use_rules(struct replayer *replayer, uint32_t version);

/* Rows that the broker had, and that no record gives back: for one decision. */
struct replay_lent {
	uint8_t ends[BATCH_MAX][END_KEY_SIZE];
	size_t ends_count;
	uint8_t seen[SEEN_KEY_SIZE];
	bool has_seen;
};

/**
 * replay_lend() - before an entry is decided: what an erased entry had left in the broker's tables
 * @replayer: at that entry
 * @entry:    read
 * @ret:      to be taken back; nothing, unless replay began behind an erasure
 * Return: 0 or negative errno.
 */
int replay_lend(struct replayer *replayer, const struct audit_entry *entry, struct replay_lent *ret);
int replay_take_back(struct replayer *replayer, const struct replay_lent *lent);

/* Forget what the rules made before; call before asking them anything. */
void replay_begin(struct replayer *replayer);

/**
 * replay_tick() - everything that is due at a batch time happens
 * @replayer: before the first entry of that time
 * @batch_ms: the time
 * Return: 0 or negative errno.
 */
int replay_tick(struct replayer *replayer, uint64_t batch_ms);

/**
 * replay_look_ahead() - find the state entries, and what cannot be read
 * @replayer: open
 * @size:     entries to look at
 * Return: 0 or negative errno.
 */
int replay_look_ahead(struct replayer *replayer, uint64_t size);

/**
 * replay_read_state() - a state entry, opened; what is wrong with it is reported
 * @replayer:    anywhere
 * @state:       which
 * @arena:       owns the results
 * @ret_cut:     its record
 * @ret:         its content
 * @ret_content: the same as it stands
 * Return: 0, READER_DAMAGED, negative errno.
 */
int replay_read_state(struct replayer *replayer, const struct replay_state *state,
	struct arena *arena, const Dienstweg__StateCut **ret_cut, Dienstweg__State **ret,
	struct bytes *ret_content);

/**
 * replay_pass_state() - compare a state entry, and take from it what no entry tells
 * @replayer: before the entry of its size
 * @state:    which
 * Return: 0 or negative errno.
 */
int replay_pass_state(struct replayer *replayer, const struct replay_state *state);

/**
 * replay_compare_state() - the comparison alone
 * @replayer: its state is that of the cut
 * @state:    which
 * @cut:      read
 * @content:  read
 * @arena:    for the state made again
 * Return: 0 or negative errno.
 */
int replay_compare_state(struct replayer *replayer, const struct replay_state *state,
	const Dienstweg__StateCut *cut, struct bytes content, struct arena *arena);

/* Refusals of minutes that are not summed up yet, as a state tells them. 0 or negative errno. */
int replay_take_refusals(struct replayer *replayer, const Dienstweg__State *state);

/**
 * replay_confirm() - forget the outcomes that senders have confirmed, as the journal's marks tell
 * @replayer: after the last entry of the snapshot that its reader sees
 * Return: 0 or negative errno.
 */
int replay_confirm(struct replayer *replayer);

/**
 * replay_found() - put the state of the last entries before a state together, from records that can be read
 * @replayer: nothing replayed yet
 * @state:    every entry that cannot be read lies below its size
 * Return: 0 or negative errno; replayer->next is the state's size then.
 */
int replay_found(struct replayer *replayer, const struct replay_state *state);

/**
 * replay_compare() - replayed state against the live tables
 * @replayer: after the last entry of the snapshot that its reader sees
 * @meta:     of the snapshot
 * Return: 0 or negative errno.
 */
int replay_compare(struct replayer *replayer, const struct journal_meta *meta);

/* Has the report as many findings as are wanted? */
bool replay_enough(const struct replayer *replayer);
