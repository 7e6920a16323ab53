/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/journal/erase-told.h"
#include "broker/journal/record.h"
#include "broker/journal/seal.h"
#include "broker/journal/store.h"
#include "broker/journal/waiting.h"
#include "broker/routing/rules.h"

/*
 * A run of erasure (docs/journal.md "Erasure"): from the plan to the last destroyed key, in steps of which
 * each is part of one commit. What is kept on disk of it is the plan and its phase; everything else is found
 * again by walking anew, so a run that was killed goes on at the next start. Inside this folder only; the
 * writer's thread.
 */
struct journal;
struct batch;

enum erase_phase {
	ERASE_NONE = 0,
	ERASE_RESEAL = 1, /* survivors are sealed under other keys */
	ERASE_DELETE = 2, /* the entry is written; rows are removed */
	ERASE_KEYS = 3,   /* the keys are destroyed */
};

enum {
	ERASE_KEYS_MAX = 400,         /* of a run on instruction: its plan is one value */
	ERASE_INSTRUCTIONS_MAX = 32,  /* likewise */
	ERASE_INSTRUCTED_MAX = 65536, /* entries that wait for the next run on instruction */
	ERASE_KEEP_DAYS = 7, /* survivors are looked at again after so long, or after their age */
	ERASE_RANGES_MAX = 256, /* in one entry */
	ERASE_ARENA = 8 << 20,
};

struct erase_plan {
	enum erase_phase phase;
	bool by_instruction;
	uint32_t before_day; /* by age */
	struct keyring_key_name keys[ERASE_KEYS_MAX];
	size_t keys_count;
	uint8_t instructions[ERASE_INSTRUCTIONS_MAX][HASH_SIZE];
	size_t instructions_count;
	uint32_t account; /* who asked for a run on instruction before its week, and why */
	char cause[64];
};

/* Rows as a walk finds them: the first chunk of an entry's record or content under a doomed key. */
struct erase_row {
	uint8_t table, class; /* enum seal_table */
	uint64_t sequence;
	uint32_t label;
};

struct erase_walk {
	struct seal_run run; /* zeroed: before the first */
	bool in_run;
	uint64_t next; /* sequence */
};

/* What is judged, and by what. */
struct erase_view {
	struct record_source source;
	struct state *state; /* holds */
	const struct erase_plan *plan;
	const struct waiting *waiting;
	uint64_t size;
	uint32_t today;
	const uint32_t *record_days; /* of each class: the most that an open case keeps content */
	bool holds;                  /* are there any? */
	struct arena *arena;
};

enum erase_fate {
	ERASE_FATE_ERASE = 0,
	ERASE_FATE_WAITING = 1, /* not delivered, or its outcome not confirmed */
	ERASE_FATE_HELD = 2,    /* its case is under legal hold */
	ERASE_FATE_OPEN = 3,    /* content of a case in which a message is under way */
	ERASE_FATE_OTHER = 4,   /* nobody asked for it: shares its key with something instructed */
	ERASE_FATES
};

/* ---- plan ---- */

/* Is a key to be destroyed? */
bool erase_plan_dooms(const struct erase_plan *plan, uint8_t class, uint32_t label);

/* Keep the plan, or with ERASE_NONE forget it. 0 or negative errno. */
int erase_plan_put(
	const struct erase_plan *plan, struct db_txn *txn, const struct journal_tables *tables);
/* ERASE_NONE when there is none. 0 or negative errno. */
int erase_plan_get(struct erase_plan *plan, struct db_txn *txn, const struct journal_tables *tables);

/**
 * erase_plan_instructed() - the keys of what is instructed, and whose instructions these are
 * @plan:     filled, phase RESEAL; ERASE_NONE when nothing is left to do
 * @txn:      write transaction: what was erased meanwhile is forgotten
 * @tables:   of the journal
 * @next:     entry to begin with; becomes the one that there was no room for, 0: all were taken
 * Return: 0 or negative errno.
 */
int erase_plan_instructed(struct erase_plan *plan, struct db_txn *txn,
	const struct journal_tables *tables, uint64_t *next);

/* ---- walk ---- */

/**
 * erase_walk_next() - the next row under a doomed key
 * @walk:   zeroed at first
 * @view:   source, plan, size
 * @budget: less what it took; 0: come back
 * @ret:    the row
 * Return: 0, ERASE_WALK_RUN (a run was walked to its end: walk->run), ERASE_WALK_PAUSE, DB_NOT_FOUND at
 *         the end of all, negative errno.
 */
enum { ERASE_WALK_RUN = 50, ERASE_WALK_PAUSE = 51 };
int erase_walk_next(struct erase_walk *walk, const struct erase_view *view, size_t *budget,
	struct erase_row *ret);

/* ---- fate ---- */

/**
 * erase_fate() - what becomes of a row
 * @view: all of it
 * @row:  as found
 * @ret:  its fate
 * Return: 0 or negative errno.
 */
int erase_fate(const struct erase_view *view, const struct erase_row *row, enum erase_fate *ret);

/* Is any case under legal hold? 0 or negative errno. */
int erase_holds_any(struct state *state, bool *ret);

/**
 * erase_case_of() - the case that an accepted or refused message names
 * @source: where
 * @sequence: of the entry
 * @arena:  scratch
 * @ret:    the id
 * Return: 0, READER_* when there is no such record or it names none, negative errno.
 */
int erase_case_of(const struct record_source *source, uint64_t sequence, struct arena *arena,
	uint8_t ret[CASE_ID_BYTES]);

/* ---- the run ---- */

/* Destroyed rows of one key, table and class, for the entry. */
struct erase_range {
	uint8_t table, class;
	uint32_t label;
	uint64_t first, last, erased;
};

struct erase {
	struct erase_plan plan;
	struct seal_map seal;
	struct waiting *waiting;
	bool waiting_complete;
	struct erase_walk walk;
	struct erase_range *ranges;
	size_t ranges_count, ranges_room;
	uint64_t uncovered; /* entries below it must be accounted for by a state entry; 0: nothing waits */
	uint64_t state_until_ns; /* monotonic; so long */
	uint32_t checked_day;    /* looked what is due */
	bool wanted;             /* look again, whatever the day */
	bool ordered;            /* ... because an operator says so */
	bool now;                /* ... and not to wait for the week */
	uint32_t now_account;
	char now_cause[64];
	bool week;            /* a new week has begun: what was instructed goes */
	uint64_t instructed;  /* ... and this far is done; 0: all of it, or nothing yet */
	enum erase_told told; /* once this batch is on disk */
	struct erase_stats stats;
	struct arena *arena;
	uint8_t plain[VALUE_MAX];
};

/* Load the plan of a run that was interrupted. 0 or negative errno. */
int erase_load(struct journal *journal, struct db_txn *txn);
void erase_deinit(struct erase *erase);

/* Has the run something to do, or is it time to look? */
bool erase_is_due(const struct journal *journal);
/* Does it remove rows? Then a state, which is made of them, has to wait. */
bool erase_is_removing(const struct journal *journal);

/* When it is due and there is something to do: the plan of a run. 0 or negative errno. */
int erase_begin(struct journal *journal);

/**
 * erase_step() - one step of a run, in this batch
 * @journal: inside batch_run(), after everything else was decided
 * @batch:   this one
 * Return: 0 or negative errno.
 */
int erase_step(struct journal *journal, struct batch *batch);

/* After the commit: tell how far it is. */
void erase_committed(struct journal *journal);

/* A hold was placed: what was found to go is judged anew. */
void erase_restart(struct journal *journal);

/* The entries of a run, in this batch. 0 or negative errno. */
int erase_notes(struct journal *journal, struct batch *batch);

/**
 * erase_note_range() - count a row that goes
 * @erase: the run
 * @row:   the row
 * Return: 0 or -ENOMEM.
 */
int erase_note_range(struct erase *erase, const struct erase_row *row);
