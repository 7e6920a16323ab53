/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/journal/tables.h"
#include "broker/routing/rules.h"

/*
 * Which key covers which entries: the table `seal` (docs/journal.md "Tables"). Runs of entries of one class
 * whose rows in one table are sealed under one key: the day's key follows from the day, so there is a row a
 * day, class and table, and some more where survivors of an erasure were sealed anew. It tells a run of
 * erasure where to look without reading every row. Follows from the rows: made anew where it is missing.
 * Inside this folder only; the writer's thread.
 */
enum seal_table { SEAL_RECORD = ERASED_RECORD, SEAL_CONTENT = ERASED_CONTENT };
enum {
	SEAL_CLASSES = 17, /* 0 to 16 */
	SEAL_NONE = 0,     /* a label: there is nothing sealed here, or nothing any more */
	SEAL_KEY_SIZE = 1 + 1 + 8,
};

struct seal_map {
	const struct journal_tables *tables;
	uint32_t newest[3][SEAL_CLASSES]; /* label of the last run, so that most entries need no look-up */
};

/* Entries from `first` up to, but not including, `end`. Rows of other classes lie between them. */
struct seal_run {
	uint8_t table, class;
	uint64_t first, end;
	uint32_t label;
};

/**
 * seal_map_load() - make ready to note; made anew from the rows when a journal with entries has none
 * @map:    to set up
 * @txn:    write transaction
 * @tables: of the journal
 * @size:   entries
 * Return: 0 or negative errno.
 */
int seal_map_load(struct seal_map *map, struct db_txn *txn, const struct journal_tables *tables,
	uint64_t size);

/**
 * seal_map_note() - an entry was appended
 * @map:      loaded
 * @txn:      write transaction
 * @table:    of its row
 * @class:    its class, not 0
 * @sequence: above all noted before
 * @label:    of its key
 * Return: 0 or negative errno.
 */
int seal_map_note(struct seal_map *map, struct db_txn *txn, enum seal_table table, uint8_t class,
	uint64_t sequence, uint32_t label);

/**
 * seal_map_move() - one entry's row was sealed anew
 * @map:      loaded
 * @txn:      write transaction
 * @table:    of its row
 * @class:    its class
 * @sequence: of the entry
 * @label:    of its key now
 * Return: 0 or negative errno.
 */
int seal_map_move(struct seal_map *map, struct db_txn *txn, enum seal_table table, uint8_t class,
	uint64_t sequence, uint32_t label);

/**
 * seal_map_relabel() - a whole run was sealed anew, or is erased
 * @map:   loaded
 * @txn:   write transaction
 * @run:   as seal_map_next() gave it
 * @label: SEAL_NONE: erased
 * Return: 0 or negative errno.
 */
int seal_map_relabel(
	struct seal_map *map, struct db_txn *txn, const struct seal_run *run, uint32_t label);

/**
 * seal_map_at() - the run that an entry lies in
 * @tables:   of the journal
 * @txn:      any transaction
 * @table:    of the entry's row
 * @class:    of the entry
 * @sequence: of the entry
 * @ret:      the run; the last one has no end
 * Return: 0, DB_NOT_FOUND, -EBADMSG, negative errno.
 */
int seal_map_at(const struct journal_tables *tables, struct db_txn *txn, enum seal_table table,
	uint8_t class, uint64_t sequence, struct seal_run *ret);

/**
 * seal_map_next() - walk the runs
 * @tables: of the journal
 * @txn:    any transaction
 * @size:   entries: where open runs end
 * @run:    zeroed at first, then the run before; the next one, labels SEAL_NONE are passed over
 * Return: 0, DB_NOT_FOUND at the end, -EBADMSG, negative errno.
 */
int seal_map_next(const struct journal_tables *tables, struct db_txn *txn, uint64_t size,
	struct seal_run *run);
