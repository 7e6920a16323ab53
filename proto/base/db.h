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
 * codes are folded here: not-found is the verdict DB_NOT_FOUND, map full is DB_FULL, everything else
 * a negative errno (-EIO for a panicked environment: the caller ends the process).
 *
 * Threads: an environment is shared by all threads of a process and opened once per process; a
 * transaction belongs to the thread that began it (read transactions are begun with NOTLS, so one may
 * be handed over whole). One write transaction at a time.
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
	unsigned int readers_max;
	bool read_only;    /* another process writes; missing environment is -ENOENT */
	unsigned int mode; /* permissions of new files, 0600 */
};

/**
 * db_env_open() - open (or create) the environment in a folder
 * @dir:     existing folder
 * @options: how
 * @ret:     the environment
 * Return: 0 or negative errno.
 */
int db_env_open(const char *dir, const struct db_options *options, struct db_env **ret);
void db_env_close(struct db_env *env); /* takes NULL; no transaction may be open */
DEFINE_CLEANUP(struct db_env *, db_env_close);

struct db_usage {
	uint64_t map_bytes;  /* size of the map */
	uint64_t used_bytes; /* highest page used, times page size */
	uint64_t free_bytes; /* pages on the free list, times page size */
	uint64_t page_bytes;
	uint32_t readers;
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
 * Return: 0, DB_NOT_FOUND (read-only and absent), negative errno.
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
int db_commit(struct db_txn *txn) _must_use_; /* frees it in every case; 0, DB_FULL, negative errno */
void db_abort(struct db_txn *txn);            /* frees it; takes NULL */
DEFINE_CLEANUP(struct db_txn *, db_abort);

/**
 * db_renew() / db_reset() - park and reuse a read transaction without reallocating
 * @txn: a read transaction
 */
void db_reset(struct db_txn *txn);
int db_renew(struct db_txn *txn);

/* Values are views into the map: valid until the transaction ends or writes. */
int db_get(struct db_txn *txn, db_table_id table, struct bytes key, struct bytes *ret);
int db_put(struct db_txn *txn, db_table_id table, struct bytes key, struct bytes value);
int db_add(struct db_txn *txn, db_table_id table, struct bytes key,
	struct bytes value); /* DB_EXISTS */
int db_append(struct db_txn *txn, db_table_id table, struct bytes key,
	struct bytes value); /* key > all */
/* Room of @len bytes for the caller to fill before the next call on this transaction. */
int db_reserve(struct db_txn *txn, db_table_id table, struct bytes key, size_t len, bool append,
	uint8_t **ret);
int db_delete(struct db_txn *txn, db_table_id table, struct bytes key); /* DB_NOT_FOUND */
int db_count(struct db_txn *txn, db_table_id table, uint64_t *ret);

/* Cursors. Every move: 0, DB_NOT_FOUND at the end, negative errno. */
int db_cursor_open(struct db_txn *txn, db_table_id table, struct db_cursor **ret);
void db_cursor_close(struct db_cursor *cursor); /* takes NULL; before its transaction ends */
DEFINE_CLEANUP(struct db_cursor *, db_cursor_close);
int db_cursor_seek(struct db_cursor *cursor, struct bytes key, struct bytes *ret_key,
	struct bytes *ret_value); /* first key >= @key */
int db_cursor_next(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value);
int db_cursor_first(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value);
int db_cursor_last(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value);
int db_cursor_delete(struct db_cursor *cursor); /* the row it stands on; then db_cursor_next() */
