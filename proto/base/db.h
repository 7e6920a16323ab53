/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * The one thin wrapper over LMDB 0.9.24. Durable always (no NOSYNC, no NOMETASYNC, no WRITEMAP), no
 * DUPSORT, no nested transactions, map size set once (docs/architecture.md has the reasons). Foreign
 * codes are folded here: not-found is the verdict DB_NOT_FOUND, map or disk full is DB_FULL, everything
 * else a negative errno:
 *   -EIO      a write or fsync failed, or the file is damaged: the caller ends the process
 *   -EBADMSG  the file is no LMDB environment, or one of another format
 *   -ESTALE   another process has enlarged the map: open again
 *   -EMFILE, -EUSERS  more tables or readers than the options allow
 *   -EINVAL   a key that is empty or over 511 bytes, a misused handle
 * A write transaction remembers its first failure: from then on every call on it, db_commit() included,
 * gives that code and changes nothing.
 *
 * Threads: an environment is shared by all threads of a process and opened once per process; a
 * transaction belongs to the thread that began it (read transactions are begun with NOTLS, so one may
 * be handed over whole). One write transaction at a time; db_begin() waits for the other one to end. A
 * read transaction sees the newest state whose commit has returned or is about to, never one that is not
 * yet on disk, and never an older one than before.
 */
enum {
	DB_NOT_FOUND = 1,
	DB_FULL = 2,   /* map or disk full: the transaction is spoilt, abort it */
	DB_EXISTS = 3, /* db_add() and the key is there */
};

struct db_env;
struct db_txn;
struct db_cursor;
/* A table handle: small integer, valid as long as the environment. */
typedef unsigned int db_table_id; /* lint: the one typedef, a plain number */

struct db_options {
	uint64_t map_bytes; /* largest size of the data file; multiple of the page size */
	unsigned int tables_max;
	unsigned int readers_max; /* read transactions at once, parked ones too, of all processes */
	bool read_only;           /* another process writes; missing environment is -ENOENT */
	unsigned int mode;        /* permissions of new files, 0600 */
};

/**
 * db_env_open() - open (or create) the environment in a folder
 * @dir:     existing folder
 * @options: how; @map_bytes is ignored for @read_only, which takes the writer's
 * @ret:     the environment
 * Return: 0 or negative errno; -ENOENT when read-only and there is none.
 */
int db_env_open(const char *dir, const struct db_options *options, struct db_env **ret);

/**
 * db_env_close() - close it
 * @env: the environment or NULL; no transaction may be open
 */
void db_env_close(struct db_env *env);
DEFINE_CLEANUP(struct db_env *, db_env_close);

struct db_usage {
	uint64_t map_bytes;  /* size of the map */
	uint64_t used_bytes; /* highest page used, times page size */
	uint64_t free_bytes; /* pages on the free list, times page size; part of used_bytes. A page is
				used again two commits after the one that freed it, and when no reader
				is older: a full map cannot be emptied by one large delete alone */
	uint64_t page_bytes;
	uint32_t readers; /* reader slots ever in use at once */
};

/**
 * db_env_usage() - how full it is; walks the free list, so call it now and then, not per batch
 * @env: the environment
 * @ret: the figures
 * Return: 0 or negative errno.
 */
int db_env_usage(struct db_env *env, struct db_usage *ret);

/**
 * db_env_reap_readers() - clear slots of readers whose process died; call on a timer
 * @env: the environment
 * Return: number cleared, or negative errno.
 */
int db_env_reap_readers(struct db_env *env);

/**
 * db_table_open() - open a named table; inside a write transaction it is created
 * @txn:  a transaction; the handle counts for others once this one committed
 * @name: the table
 * @ret:  its handle
 * Return: 0, DB_NOT_FOUND (read transaction and absent), DB_FULL, negative errno.
 */
int db_table_open(struct db_txn *txn, const char *name, db_table_id *ret);

/**
 * db_begin() - begin a transaction
 * @env:   the environment
 * @write: write or read
 * @ret:   the transaction
 * Return: 0 or negative errno.
 */
int db_begin(struct db_env *env, bool write, struct db_txn **ret);

/**
 * db_commit() - make a transaction's changes durable (fsync included) and free it, in every case
 * @txn: the transaction; its cursors are closed
 * Return: 0, DB_FULL (nothing was changed), negative errno.
 */
int db_commit(struct db_txn *txn) _must_use_;

/**
 * db_abort() - forget a transaction's changes and free it
 * @txn: the transaction or NULL; its cursors are closed
 */
void db_abort(struct db_txn *txn);
DEFINE_CLEANUP(struct db_txn *, db_abort);

/**
 * db_reset() - park a read transaction: it holds no page back, but keeps its memory and reader slot
 * @txn: a read transaction without cursors
 */
void db_reset(struct db_txn *txn);

/**
 * db_renew() - take a parked read transaction up again, on the newest committed state
 * @txn: a parked transaction
 * Return: 0 or negative errno; it is then still parked.
 */
int db_renew(struct db_txn *txn);

/**
 * db_get() - look a key up
 * @txn:   a transaction
 * @table: the table
 * @key:   1..511 bytes
 * @ret:   the value, a view into the map: valid until the transaction ends or writes
 * Return: 0, DB_NOT_FOUND, negative errno.
 */
int db_get(struct db_txn *txn, db_table_id table, struct bytes key, struct bytes *ret);

/**
 * db_put() - insert or replace
 * @txn:   a write transaction
 * @table: the table
 * @key:   1..511 bytes
 * @value: any bytes
 * Return: 0, DB_FULL, negative errno.
 */
int db_put(struct db_txn *txn, db_table_id table, struct bytes key, struct bytes value);

/**
 * db_add() - insert, never replace
 * @txn:   a write transaction
 * @table: the table
 * @key:   1..511 bytes
 * @value: any bytes
 * Return: 0, DB_EXISTS (which spoils nothing), DB_FULL, negative errno.
 */
int db_add(struct db_txn *txn, db_table_id table, struct bytes key, struct bytes value);

/**
 * db_append() - insert at the end: faster, and fills pages fully
 * @txn:   a write transaction
 * @table: the table
 * @key:   above every key in the table
 * @value: any bytes
 * Return: 0, DB_FULL, negative errno; -EINVAL when the key is not above all.
 */
int db_append(struct db_txn *txn, db_table_id table, struct bytes key, struct bytes value);

/**
 * db_reserve() - insert or replace a value that the caller writes in place
 * @txn:    a write transaction
 * @table:  the table
 * @key:    1..511 bytes; above all when @append
 * @len:    bytes of the value
 * @append: as db_append()
 * @ret:    room for the value, to be filled before the next call on this transaction
 * Return: 0, DB_FULL, negative errno.
 */
int db_reserve(struct db_txn *txn, db_table_id table, struct bytes key, size_t len, bool append,
	uint8_t **ret);

/**
 * db_delete() - remove a key
 * @txn:   a write transaction
 * @table: the table
 * @key:   1..511 bytes
 * Return: 0, DB_NOT_FOUND (which spoils nothing), DB_FULL, negative errno.
 */
int db_delete(struct db_txn *txn, db_table_id table, struct bytes key);

/**
 * db_count() - rows in a table
 * @txn:   a transaction
 * @table: the table
 * @ret:   the number
 * Return: 0 or negative errno.
 */
int db_count(struct db_txn *txn, db_table_id table, uint64_t *ret);

/**
 * db_table_pages() - pages that a table occupies: branches, leaves, long values
 * @txn:   a transaction
 * @table: the table
 * @ret:   the number
 * Return: 0 or negative errno.
 */
int db_table_pages(struct db_txn *txn, db_table_id table, uint64_t *ret);

/**
 * db_cursor_open() - a place in a table, at first nowhere
 * @txn:   a transaction
 * @table: the table
 * @ret:   the cursor; closed before its transaction ends
 * Return: 0 or negative errno.
 */
int db_cursor_open(struct db_txn *txn, db_table_id table, struct db_cursor **ret);

/**
 * db_cursor_close() - close it
 * @cursor: the cursor or NULL; its transaction has not ended
 */
void db_cursor_close(struct db_cursor *cursor);
DEFINE_CLEANUP(struct db_cursor *, db_cursor_close);

/**
 * db_cursor_seek() - go to the first row whose key is @key or above
 * @cursor:    the cursor
 * @key:       any bytes; empty means the first row
 * @ret_key:   the row's key, or NULL; a view like db_get()'s
 * @ret_value: the row's value, or NULL
 * Return: 0, DB_NOT_FOUND when there is none, negative errno.
 */
int db_cursor_seek(
	struct db_cursor *cursor, struct bytes key, struct bytes *ret_key, struct bytes *ret_value);

/**
 * db_cursor_get() - look a key up and stay there; a key on the page of the last one is found without
 *                   a way down the tree, so rows read in order cost a fraction of db_get()
 * @cursor: the cursor
 * @key:    1..511 bytes
 * @ret:    the value, a view like db_get()'s
 * Return: 0, DB_NOT_FOUND, negative errno.
 */
int db_cursor_get(struct db_cursor *cursor, struct bytes key, struct bytes *ret);

/**
 * db_cursor_next() - go one row on; from nowhere to the first row
 * @cursor:    the cursor
 * @ret_key:   as db_cursor_seek()
 * @ret_value: as db_cursor_seek()
 * Return: 0, DB_NOT_FOUND at the end, negative errno.
 */
int db_cursor_next(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value);

/**
 * db_cursor_previous() - go one row back; from nowhere to the last row
 * @cursor:    the cursor
 * @ret_key:   as db_cursor_seek()
 * @ret_value: as db_cursor_seek()
 * Return: 0, DB_NOT_FOUND, negative errno.
 */
int db_cursor_previous(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value);

/**
 * db_cursor_first() - go to the first row
 * @cursor:    the cursor
 * @ret_key:   as db_cursor_seek()
 * @ret_value: as db_cursor_seek()
 * Return: 0, DB_NOT_FOUND in an empty table, negative errno.
 */
int db_cursor_first(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value);

/**
 * db_cursor_last() - go to the last row
 * @cursor:    the cursor
 * @ret_key:   as db_cursor_seek()
 * @ret_value: as db_cursor_seek()
 * Return: 0, DB_NOT_FOUND in an empty table, negative errno.
 */
int db_cursor_last(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value);

/**
 * db_cursor_delete() - delete the row it stands on; db_cursor_next() then goes to the row after it
 * @cursor: a cursor of a write transaction, on a row not yet deleted through it
 * Return: 0, DB_FULL, negative errno; -EINVAL when it stands on no row.
 */
int db_cursor_delete(struct db_cursor *cursor);
