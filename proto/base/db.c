/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The only file with lmdb.h. Choices and traps, each met with the library as Debian ships it:
 *
 * - MDB_NOTLS: a reader slot belongs to the transaction and not to the thread, so a worker may park
 *   one and another may take it over. No MDB_NORDAHEAD: keys are append-ordered, so a cold backlog and
 *   an audit are read in order (1.2 GB scanned in 1.8 s against 20 s), and random gets cost the same
 *   either way. Never MDB_NOMEMINIT (heap remains, secrets among them, would reach the disk) and never
 *   MDB_NOLOCK (pages under a reader would be reused).
 * - A transaction that hit an error keeps answering some calls. Ours keeps the first failure and gives
 *   that to every later call, so no caller can commit half of what it meant.
 * - Disk full shows as ENOSPC, EDQUOT or EFBIG, or as EIO from a short write: the last is told from a
 *   broken disk by asking the file system. Going on after a full disk is sound even if it was the
 *   fsync of data pages that said so: no committed page refers to what was being written, and the next
 *   transaction writes every page it refers to anew. A failure at the meta page is different: LMDB has
 *   then closed the environment to us (MDB_PANIC), which is asked before saying DB_FULL.
 * - A cursor outliving its write transaction would be freed twice; deleting twice at one place would
 *   delete the neighbour. Both are caught here.
 * - A reader that is descheduled between reading the newest transaction's number N and copying its meta
 *   page may find N + 2 in that page: not yet synced, and newer than what the next reader gets (41 of
 *   10^8 snapshots, beside a busy writer on two cores). What left by it would leave before its commit.
 *   N + 2 is written only after N + 1 has become the newest number; so a snapshot is good if, after
 *   it was taken, the newest meta page is still N, or a second reader is still given N. Otherwise it is
 *   taken again.
 * - A new data file's name is not synced by LMDB; db_env_open() does it.
 */
#include "proto/base/db.h"

#include "proto/base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	DB_FREE_TABLE = 0,        /* LMDB's own: transaction -> count of pages, pages */
	DB_PROBE_BYTES = 1 << 20, /* as LMDB writes it at once, with room to spare */
};

struct db_txn {
	MDB_txn *mdb;
	struct db_env *env;
	int failed; /* of a write transaction: what spoilt it */
	bool write;
	unsigned int cursors;
};

struct db_env {
	MDB_env *mdb;
	atomic_uint txns;
	struct db_txn *writer; /* there is only one, so a batch needs no malloc */
};

struct db_cursor {
	MDB_cursor *mdb;
	struct db_txn *txn;
	bool deleted;
};

static int fold(int code)
{
	switch (code) {
	case MDB_SUCCESS:
		return 0;
	case MDB_NOTFOUND:
		return DB_NOT_FOUND;
	case MDB_KEYEXIST:
		return DB_EXISTS;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return DB_FULL;
	case MDB_DBS_FULL:
		return -EMFILE;
	case MDB_READERS_FULL:
		return -EUSERS;
	case MDB_TXN_FULL:
		return -E2BIG;
	case MDB_MAP_RESIZED:
		return -ESTALE;
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return -EBADMSG;
	case MDB_PANIC:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_PAGE_FULL:
	case MDB_CURSOR_FULL:
		return -EIO;
	default: /* the remaining codes of LMDB say that we misused it */
		return code > 0 ? -code : -EINVAL;
	}
}

static MDB_val val_of(struct bytes bytes)
{
	union {
		const uint8_t *from;
		void *to;
	} data = {.from = bytes.data}; /* LMDB reads it only, but has no const */
	return (MDB_val){.mv_size = bytes.len, .mv_data = data.to};
}

static struct bytes bytes_of(MDB_val val)
{
	return BYTES(val.mv_data, val.mv_size);
}

static int env_set_up(MDB_env *mdb, const char *dir, const struct db_options *options)
{
	unsigned int flags = MDB_NOTLS | (options->read_only ? MDB_RDONLY : 0);
	int code = 0;
	if (!options->read_only)
		code = mdb_env_set_mapsize(mdb, options->map_bytes);
	if (code == 0)
		code = mdb_env_set_maxdbs(mdb, options->tables_max);
	if (code == 0)
		code = mdb_env_set_maxreaders(mdb, 2 * options->readers_max); /* each may ask twice */
	if (code == 0)
		code = mdb_env_open(mdb, dir, flags, options->mode ? options->mode : 0600);
	int r = fold(code);
	if (r > 0)
		return -ENOSPC; /* not even the first two pages fit */
	return r == 0 && !options->read_only ? dir_sync(dir) : r;
}

int db_env_open(const char *dir, const struct db_options *options, struct db_env **ret)
{
	assert(options->tables_max > 0 && options->readers_max > 0);
	if (!options->read_only && (options->map_bytes == 0 || options->map_bytes % 4096 != 0))
		return -EINVAL;
	struct db_env *env = calloc(1, sizeof(*env));
	if (!env)
		return -ENOMEM;
	env->writer = calloc(1, sizeof(*env->writer));
	int r = env->writer ? fold(mdb_env_create(&env->mdb)) : -ENOMEM;
	if (r == 0) {
		r = env_set_up(env->mdb, dir, options);
		if (r < 0)
			mdb_env_close(env->mdb);
	}
	if (r < 0) {
		free(env->writer);
		free(env);
		return r;
	}
	*ret = env;
	return 0;
}

void db_env_close(struct db_env *env)
{
	if (!env)
		return;
	assert(atomic_load(&env->txns) == 0);
	mdb_env_close(env->mdb);
	free(env->writer);
	free(env);
}

/* Did @txn get the state that its number says? 0: yes, 1: it cannot be known. */
static int snapshot_check(MDB_env *mdb, MDB_txn *txn)
{
	MDB_envinfo info;
	MDB_txn *second;
	size_t number = mdb_txn_id(txn);
	mdb_env_info(mdb, &info);
	if (info.me_last_txnid == number)
		return 0;
	if (info.me_last_txnid > number + 1)
		return 1;
	int r = fold(mdb_txn_begin(mdb, NULL, MDB_RDONLY, &second));
	if (r != 0)
		return r;
	r = mdb_txn_id(second) != number;
	mdb_txn_abort(second);
	return r;
}

static int snapshot_begin(MDB_env *mdb, MDB_txn **ret)
{
	int r;
	do {
		r = fold(mdb_txn_begin(mdb, NULL, MDB_RDONLY, ret));
		if (r != 0)
			return r;
		r = snapshot_check(mdb, *ret);
		if (r != 0)
			mdb_txn_abort(*ret);
	} while (r > 0);
	return r;
}

static int snapshot_renew(MDB_env *mdb, MDB_txn *txn)
{
	int r;
	do {
		r = fold(mdb_txn_renew(txn));
		if (r != 0)
			return r;
		r = snapshot_check(mdb, txn);
		if (r != 0)
			mdb_txn_reset(txn);
	} while (r > 0);
	return r;
}

static int free_pages(MDB_txn *txn, uint64_t *ret)
{
	MDB_cursor *cursor;
	MDB_val key, pages;
	size_t count;
	int code = mdb_cursor_open(txn, DB_FREE_TABLE, &cursor);
	if (code != 0)
		return fold(code);
	*ret = 0;
	while ((code = mdb_cursor_get(cursor, &key, &pages, MDB_NEXT)) == 0) {
		memcpy(&count, pages.mv_data, sizeof(count));
		*ret += count;
	}
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : fold(code);
}

int db_env_usage(struct db_env *env, struct db_usage *ret)
{
	struct db_usage usage = {};
	MDB_envinfo info;
	MDB_stat stat;
	MDB_txn *txn;
	uint64_t pages = 0;
	int r = snapshot_begin(env->mdb, &txn);
	if (r != 0)
		return r;
	r = free_pages(txn, &pages);
	mdb_env_info(env->mdb, &info);
	mdb_env_stat(env->mdb, &stat);
	mdb_txn_abort(txn);
	if (r != 0)
		return r;
	usage.page_bytes = stat.ms_psize;
	usage.map_bytes = info.me_mapsize;
	usage.used_bytes = (info.me_last_pgno + 1) * usage.page_bytes;
	usage.free_bytes = pages * usage.page_bytes;
	usage.readers = info.me_numreaders;
	*ret = usage;
	return 0;
}

int db_env_reap_readers(struct db_env *env)
{
	int dead = 0;
	int r = fold(mdb_reader_check(env->mdb, &dead));
	return r != 0 ? r : dead;
}

/*
 * EIO may be LMDB's name for a write cut short. Then there is no room for more either, and the file
 * system says so without writing; what it does allocate is used by later commits.
 */
static bool disk_is_full(const struct db_env *env)
{
	struct stat st;
	int fd;
	if (mdb_env_get_fd(env->mdb, &fd) != 0 || fstat(fd, &st) != 0)
		return false;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, DB_PROBE_BYTES) == 0)
		return false;
	return errno == ENOSPC || errno == EDQUOT;
}

/* The code of a write, kept when it spoils the transaction. */
static int txn_check(struct db_txn *txn, int code)
{
	int r = fold(code);
	if (code == EIO && txn->write && disk_is_full(txn->env))
		r = DB_FULL;
	if (txn->write && (r < 0 || r == DB_FULL))
		txn->failed = r;
	return r;
}

int db_table_open(struct db_txn *txn, const char *name, db_table_id *ret)
{
	if (txn->failed)
		return txn->failed;
	return txn_check(txn, mdb_dbi_open(txn->mdb, name, txn->write ? MDB_CREATE : 0, ret));
}

int db_begin(struct db_env *env, bool write, struct db_txn **ret)
{
	struct db_txn *reader = NULL;
	MDB_txn *mdb;
	if (!write) {
		reader = malloc(sizeof(*reader));
		if (!reader)
			return -ENOMEM;
	}
	int r = write ? fold(mdb_txn_begin(env->mdb, NULL, 0, &mdb))
		      : snapshot_begin(env->mdb, &mdb);
	if (r != 0) {
		free(reader);
		return r;
	}
	atomic_fetch_add(&env->txns, 1);
	*ret = write ? env->writer : reader; /* ours alone: we hold LMDB's writer lock */
	**ret = (struct db_txn){.mdb = mdb, .env = env, .write = write};
	return 0;
}

/* Did a failed commit close the environment? A write transaction needs no reader slot to ask with. */
static bool env_is_closed(MDB_env *mdb)
{
	MDB_txn *txn;
	if (mdb_txn_begin(mdb, NULL, 0, &txn) != 0)
		return true;
	mdb_txn_abort(txn);
	return false;
}

static void reader_free(const struct db_env *env, struct db_txn *txn)
{
	if (txn != env->writer)
		free(txn);
}

int db_commit(struct db_txn *txn)
{
	int r = txn->failed;
	if (r != 0) {
		db_abort(txn);
		return r;
	}
	assert(txn->cursors == 0);
	struct db_env *env = txn->env;
	int code = mdb_txn_commit(txn->mdb);
	/* From here on env->writer may be another thread's. */
	reader_free(env, txn);
	r = fold(code);
	if (code == EIO && disk_is_full(env))
		r = DB_FULL;
	if (r == DB_FULL && env_is_closed(env->mdb))
		r = -EIO;
	atomic_fetch_sub(&env->txns, 1);
	return r;
}

void db_abort(struct db_txn *txn)
{
	if (!txn)
		return;
	assert(txn->cursors == 0);
	struct db_env *env = txn->env;
	mdb_txn_abort(txn->mdb);
	reader_free(env, txn);
	atomic_fetch_sub(&env->txns, 1);
}

void db_reset(struct db_txn *txn)
{
	assert(!txn->write && txn->cursors == 0);
	mdb_txn_reset(txn->mdb);
}

int db_renew(struct db_txn *txn)
{
	assert(!txn->write);
	return snapshot_renew(txn->env->mdb, txn->mdb);
}

int db_get(struct db_txn *txn, db_table_id table, struct bytes key, struct bytes *ret)
{
	MDB_val k = val_of(key), v;
	if (txn->failed)
		return txn->failed;
	int r = txn_check(txn, mdb_get(txn->mdb, table, &k, &v));
	if (r == 0)
		*ret = bytes_of(v);
	return r;
}

static int txn_put(
	struct db_txn *txn, db_table_id table, struct bytes key, MDB_val *value, unsigned int flags)
{
	MDB_val k = val_of(key);
	assert(txn->write);
	if (txn->failed)
		return txn->failed;
	int code = mdb_put(txn->mdb, table, &k, value, flags);
	/* A key out of order is no verdict about the data but a broken caller. */
	if (code == MDB_KEYEXIST && (flags & MDB_APPEND))
		code = EINVAL;
	return txn_check(txn, code);
}

int db_put(struct db_txn *txn, db_table_id table, struct bytes key, struct bytes value)
{
	MDB_val v = val_of(value);
	return txn_put(txn, table, key, &v, 0);
}

int db_add(struct db_txn *txn, db_table_id table, struct bytes key, struct bytes value)
{
	MDB_val v = val_of(value);
	return txn_put(txn, table, key, &v, MDB_NOOVERWRITE);
}

int db_append(struct db_txn *txn, db_table_id table, struct bytes key, struct bytes value)
{
	MDB_val v = val_of(value);
	return txn_put(txn, table, key, &v, MDB_APPEND);
}

int db_reserve(struct db_txn *txn, db_table_id table, struct bytes key, size_t len, bool append,
	uint8_t **ret)
{
	MDB_val v = {.mv_size = len};
	int r = txn_put(txn, table, key, &v, MDB_RESERVE | (append ? MDB_APPEND : 0));
	if (r == 0)
		*ret = v.mv_data;
	return r;
}

int db_delete(struct db_txn *txn, db_table_id table, struct bytes key)
{
	MDB_val k = val_of(key);
	assert(txn->write);
	if (txn->failed)
		return txn->failed;
	return txn_check(txn, mdb_del(txn->mdb, table, &k, NULL));
}

int db_count(struct db_txn *txn, db_table_id table, uint64_t *ret)
{
	MDB_stat stat;
	if (txn->failed)
		return txn->failed;
	int r = txn_check(txn, mdb_stat(txn->mdb, table, &stat));
	if (r == 0)
		*ret = stat.ms_entries;
	return r;
}

int db_table_pages(struct db_txn *txn, db_table_id table, uint64_t *ret)
{
	MDB_stat stat;
	if (txn->failed)
		return txn->failed;
	int r = txn_check(txn, mdb_stat(txn->mdb, table, &stat));
	if (r == 0)
		*ret = stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
	return r;
}

int db_cursor_open(struct db_txn *txn, db_table_id table, struct db_cursor **ret)
{
	MDB_cursor *mdb;
	if (txn->failed)
		return txn->failed;
	struct db_cursor *cursor = malloc(sizeof(*cursor));
	if (!cursor)
		return -ENOMEM;
	int r = txn_check(txn, mdb_cursor_open(txn->mdb, table, &mdb));
	if (r != 0) {
		free(cursor);
		return r;
	}
	*cursor = (struct db_cursor){.mdb = mdb, .txn = txn};
	txn->cursors++;
	*ret = cursor;
	return 0;
}

void db_cursor_close(struct db_cursor *cursor)
{
	if (!cursor)
		return;
	cursor->txn->cursors--;
	mdb_cursor_close(cursor->mdb);
	free(cursor);
}

static int cursor_move(struct db_cursor *cursor, MDB_val key, MDB_cursor_op op,
	struct bytes *ret_key, struct bytes *ret_value)
{
	MDB_val value;
	if (cursor->txn->failed)
		return cursor->txn->failed;
	int r = txn_check(cursor->txn, mdb_cursor_get(cursor->mdb, &key, &value, op));
	cursor->deleted = false;
	if (r == 0 && ret_key)
		*ret_key = bytes_of(key);
	if (r == 0 && ret_value)
		*ret_value = bytes_of(value);
	return r;
}

int db_cursor_seek(
	struct db_cursor *cursor, struct bytes key, struct bytes *ret_key, struct bytes *ret_value)
{
	MDB_cursor_op op = key.len > 0 ? MDB_SET_RANGE : MDB_FIRST;
	return cursor_move(cursor, val_of(key), op, ret_key, ret_value);
}

int db_cursor_get(struct db_cursor *cursor, struct bytes key, struct bytes *ret)
{
	return cursor_move(cursor, val_of(key), MDB_SET, NULL, ret);
}

int db_cursor_next(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value)
{
	return cursor_move(cursor, (MDB_val){}, MDB_NEXT, ret_key, ret_value);
}

int db_cursor_previous(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value)
{
	return cursor_move(cursor, (MDB_val){}, MDB_PREV, ret_key, ret_value);
}

int db_cursor_first(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value)
{
	return cursor_move(cursor, (MDB_val){}, MDB_FIRST, ret_key, ret_value);
}

int db_cursor_last(struct db_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value)
{
	return cursor_move(cursor, (MDB_val){}, MDB_LAST, ret_key, ret_value);
}

int db_cursor_delete(struct db_cursor *cursor)
{
	struct db_txn *txn = cursor->txn;
	assert(txn->write);
	if (txn->failed)
		return txn->failed;
	int code = cursor->deleted ? MDB_NOTFOUND : mdb_cursor_del(cursor->mdb, 0);
	if (code == MDB_NOTFOUND)
		code = EINVAL;
	int r = txn_check(txn, code);
	cursor->deleted = r == 0;
	return r;
}
