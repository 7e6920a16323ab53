/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The mark is set before the first row goes and taken away with the last commit, so that whatever ends this in
 * between leaves a journal that says what is the matter with it, instead of one with half a queue.
 *
 * Rows go and come in slices: a transaction over a whole journal would hold its pages in memory.
 */
#include "broker/audit/rebuild.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/audit/stopped.h"
#include "broker/journal/journal.h"
#include "broker/journal/store.h"
#include "broker/journal/tables.h"
#include "proto/base/file.h"

enum { SLICE_ROWS = 16384, KEY_MAX = 511 };

static int end_txn(struct db_txn *txn, int r)
{
	if (r == 0)
		return journal_put_error(db_commit(txn));
	db_abort(txn);
	return journal_put_error(r);
}

/* ---- copying ---- */

struct copy {
	struct db_env *env; /* of the copy */
	struct db_txn *from;
	struct audit_report *report;
	uint64_t done, total; /* rows */
};

/* Rows behind @key, up to a slice; @key moves. 0, DB_NOT_FOUND at the end, negative errno. */
static int copy_slice(struct copy *copy, const char *name, uint8_t key[KEY_MAX + 1], size_t *len)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	struct db_txn *txn = NULL;
	struct bytes row_key, value;
	db_table_id from, to;
	int r = db_table_open(copy->from, name, &from);
	if (r)
		return r;
	r = db_begin(copy->env, true, &txn);
	if (r == 0)
		r = db_table_open(txn, name, &to);
	if (r == 0)
		r = db_cursor_open(copy->from, from, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, BYTES(key, *len), &row_key, &value);
	int end = r == DB_NOT_FOUND ? DB_NOT_FOUND : 0;
	for (size_t i = 0; r == 0 && i < SLICE_ROWS; i++) {
		/* The mark of an unfinished copy stands among the rows of `meta`. */
		r = strcmp(name, "meta") == 0 ? db_put(txn, to, row_key, value)
					      : db_append(txn, to, row_key, value);
		memcpy(key, row_key.data, row_key.len);
		key[row_key.len] = 0;
		*len = row_key.len + 1;
		copy->done++;
		if (r == 0)
			r = db_cursor_next(cursor, &row_key, &value);
		if (r == DB_NOT_FOUND)
			end = DB_NOT_FOUND;
	}
	if (!txn)
		return r;
	r = end_txn(txn, r == DB_NOT_FOUND ? 0 : r);
	return r ? r : end;
}

static int copy_table(struct copy *copy, const char *name)
{
	uint8_t key[KEY_MAX + 1];
	size_t len = 0;
	int r;
	while ((r = copy_slice(copy, name, key, &len)) == 0)
		audit_report_progress(copy->report, copy->done, copy->total);
	return r == DB_NOT_FOUND ? 0 : r;
}

static int count_rows(struct copy *copy)
{
	int r = 0;
	for (size_t i = 0; r == 0 && journal_table_name(i); i++) {
		db_table_id id;
		uint64_t rows = 0;
		r = db_table_open(copy->from, journal_table_name(i), &id);
		if (r == 0)
			r = db_count(copy->from, id, &rows);
		copy->total += rows;
	}
	return r == DB_NOT_FOUND ? -ENOENT : r;
}

/* Derived tables are made, empty: so those can read it who need none of them. */
static int mark(struct db_env *env, bool unfinished)
{
	struct journal_tables tables;
	struct state_store store;
	struct db_txn *txn = NULL;
	int r = db_begin(env, true, &txn);
	if (r)
		return r;
	r = journal_tables_open(&tables, txn);
	if (r == 0)
		r = state_store_open(&store, txn);
	return end_txn(txn, r ? r : unfinished_put(txn, &tables, unfinished));
}

static int copy_all(struct copy *copy, struct db_env *from)
{
	int r = db_begin(from, false, &copy->from);
	if (r)
		return r;
	r = count_rows(copy);
	if (r == 0)
		r = mark(copy->env, true);
	for (size_t i = 0; r == 0 && journal_table_name(i); i++)
		r = copy_table(copy, journal_table_name(i));
	db_abort(copy->from);
	return r;
}

int audit_copy(
	const char *from, const char *to, struct audit_report *report, char *reterr, size_t size)
{
	_cleanup_(db_env_close) struct db_env *source = NULL;
	_cleanup_(db_env_close) struct db_env *target = NULL;
	struct copy copy = {.report = report};
	struct db_usage usage;
	struct stat there;
	char path[4096];
	int r = path_join(path, sizeof(path), to, "data.mdb");
	if (r == 0 && stat(path, &there) == 0) {
		snprintf(reterr, size, "%s: there is a journal already: name a new folder", to);
		return AUDIT_REFUSED;
	}
	if (r == 0)
		r = stopped_open_read(from, &source);
	if (r == 0)
		r = db_env_usage(source, &usage);
	if (r) {
		snprintf(reterr, size, "%s: no journal can be read here: %s", from,
			strerrordesc_np(-r));
		return r;
	}
	r = dir_make(to, 0700);
	if (r == 0)
		r = stopped_open_write(to, usage.map_bytes, &target);
	copy.env = target;
	if (r == 0)
		r = copy_all(&copy, source);
	if (r)
		snprintf(reterr, size, "%s: the copy could not be written to its end: %s", to,
			strerrordesc_np(-r));
	return r;
}

/* ---- rebuilding ---- */

static int clear_slice(struct db_env *env, const char *name)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	struct db_txn *txn = NULL;
	db_table_id id;
	int r = db_begin(env, true, &txn);
	if (r)
		return r;
	r = db_table_open(txn, name, &id);
	if (r == 0)
		r = db_cursor_open(txn, id, &cursor);
	if (r == 0)
		r = db_cursor_first(cursor, NULL, NULL);
	bool end = r == DB_NOT_FOUND;
	for (size_t i = 0; r == 0 && i < SLICE_ROWS; i++) {
		r = db_cursor_delete(cursor);
		if (r == 0)
			r = db_cursor_next(cursor, NULL, NULL);
		end = r == DB_NOT_FOUND;
	}
	db_cursor_close(steal(&cursor));
	r = end_txn(txn, end ? 0 : r);
	return r || !end ? r : DB_NOT_FOUND;
}

static int clear_derived(struct db_env *env)
{
	for (enum state_table table = 0; table < STATE_TABLES; table++) {
		int r;
		do
			r = clear_slice(env, state_table_name(table));
		while (r == 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static int rebuild(struct db_env *env, struct audit *audit,
	const struct audit_replay_options *options, struct audit_report *report,
	struct audit_replay_result *ret)
{
	int r = mark(env, true);
	if (r == 0)
		r = clear_derived(env);
	if (r == 0)
		r = journal_reader_new(env, audit->keyring, &audit->reader);
	if (r == 0)
		r = audit_refresh(audit);
	if (r == 0)
		r = audit_take_log(audit);
	if (r)
		return r > 0 ? -EBADMSG : r;
	r = audit_replay_into(audit, env, options, report, ret);
	journal_reader_free(steal(&audit->reader));
	return r || !ret->complete ? r : mark(env, false);
}

/* Before anything is changed: is it a journal, and of a format that we know? */
static int look_first(const struct audit_paths *paths, char *reterr, size_t size)
{
	_cleanup_(db_env_close) struct db_env *env = NULL;
	struct journal_tables tables;
	struct journal_head head;
	struct db_txn *txn = NULL;
	uint32_t format = 0;
	int r = stopped_open_read(paths->journal, &env);
	if (r == 0)
		r = db_begin(env, false, &txn);
	if (r == 0) {
		r = journal_tables_open(&tables, txn);
		if (r == 0)
			r = head_get(txn, &tables, &head, &format);
		db_abort(txn);
	}
	if (r == 0)
		return 0;
	snprintf(reterr, size, "%s: %s", paths->journal,
		r == HEAD_FORMAT ? "of a format that this program does not know: use the version "
				   "that wrote it"
				 : "no journal can be read here, there is none or it is damaged");
	return AUDIT_REFUSED;
}

int audit_rebuild(const struct audit_paths *paths, const struct audit_replay_options *options,
	struct audit_report *report, struct audit_replay_result *ret, char *reterr, size_t size)
{
	_cleanup_(db_env_close) struct db_env *env = NULL;
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(fd_close) int lock_fd = -1;
	struct audit_paths keys = *paths;
	uint64_t map_bytes = 0;
	keys.journal = NULL;
	int r = audit_open(&keys, &audit, reterr, size);
	if (r == 0)
		r = stopped_lock(paths->journal, &lock_fd, reterr, size);
	if (r == 0)
		r = look_first(paths, reterr, size);
	if (r)
		return r;
	r = stopped_map(paths->journal, &map_bytes);
	if (r == 0)
		r = stopped_open_write(paths->journal, map_bytes, &env);
	if (r == 0)
		r = rebuild(env, &audit, options, report, ret);
	if (r)
		snprintf(reterr, size, "%s: its tables could not be made to the end: %s",
			paths->journal, strerrordesc_np(-r));
	return r;
}
