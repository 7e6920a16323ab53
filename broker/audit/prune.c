/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * First everything is looked at, then one row is written that says what will be missing, then rows go: a
 * kill in between leaves a journal that misses less than it says. A run begins again at the first entry and
 * passes over what is gone, so there is nothing else to remember.
 *
 * A row of leaf hashes stays when one of its 32 entries is permanent: that one can still be proven, and led to
 * the root by who verifies without the archive.
 */
#include "broker/audit/prune.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/audit/check-export.h"
#include "broker/audit/entry.h"
#include "broker/audit/prune-alive.h"
#include "broker/audit/stopped.h"
#include "broker/audit/verify.h"
#include "broker/journal/tables.h"
#include "broker/journal/tile.h"
#include "proto/base/file.h"

enum { SLICE_ROWS = 512 /* rows of leaf hashes a commit: 16,384 entries */ };

struct pruner {
	const struct audit_paths *paths;
	const struct audit_prune_options *options;
	struct audit_report *report;
	struct audit_prune_result *result;
	struct audit audit;
	struct db_env *env;
	struct journal_tables tables;
	struct journal_meta meta;
	struct journal_pruned pruned; /* before this run, then after it */
	char *reterr;
	size_t reterr_size;
};

static int _printf_(2, 3) refuse(struct pruner *p, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(p->reterr, p->reterr_size, format, args);
	va_end(args);
	return PRUNE_REFUSED;
}

/* ---- looking ---- */

static int open_all(struct pruner *p)
{
	struct db_txn *txn = NULL;
	uint64_t map_bytes = 0;
	int r = stopped_map(p->paths->journal, &map_bytes);
	if (r == 0)
		r = stopped_open_write(p->paths->journal, map_bytes, &p->env);
	if (r == 0)
		r = db_begin(p->env, true, &txn);
	if (r)
		return r;
	r = journal_tables_open(&p->tables, txn);
	if (r) {
		db_abort(txn);
		return r;
	}
	r = journal_put_error(db_commit(txn));
	if (r == 0)
		r = journal_reader_new(p->env, NULL, &p->audit.reader);
	if (r == 0)
		r = audit_refresh(&p->audit);
	if (r == 0)
		r = journal_read_meta(p->audit.reader, &p->meta);
	if (r == 0)
		r = journal_read_pruned(p->audit.reader, &p->pruned);
	if (r == 0)
		r = audit_take_log(&p->audit);
	return r > 0 ? refuse(p, "%s: its head cannot be read: audit verify tells more",
			       p->paths->journal)
		     : r;
}

/* How far: not behind what a state accounts for, because replay begins there. */
static int choose_end(struct pruner *p)
{
	struct journal_state_mark mark = {};
	uint64_t before = p->options->before / TILE_WIDTH * TILE_WIDTH;
	int r = journal_read_state_mark(p->audit.reader, &mark);
	if (r < 0)
		return r;
	if (before < p->pruned.before)
		before = p->pruned.before;
	if (before == 0)
		return refuse(p, "fewer than %d entries cannot be pruned", TILE_WIDTH);
	if (before > mark.size)
		return refuse(p,
			"the newest state entry accounts for the entries before %" PRIu64
			": prune no further than that, or after the broker's next one (daily)",
			mark.size);
	p->result->before = before;
	return 0;
}

static int verify_first(struct pruner *p)
{
	struct audit_verify_options how = {.depth = AUDIT_TREE, .pruning = true};
	struct audit_verify_result verified;
	uint64_t before = p->report->findings;
	int r = audit_verify(&p->audit, &how, p->report, &verified);
	if (r || p->report->findings == before)
		return r;
	return refuse(p,
		"%s: audit verify has findings: nothing is pruned before they are understood",
		p->paths->journal);
}

/* Whoever checks the archive without us pins a key; here the registry in force, just verified, names it. */
static int trust_of(struct pruner *p, struct arena *arena, struct audit_trust *trust)
{
	struct bytes content;
	trust->policy = p->audit.policy;
	chain_init(&trust->chain, &trust->policy);
	int r = journal_read_registry(p->audit.reader, p->meta.size - 1, arena, &content);
	if (r == 0)
		r = chain_resume(&trust->chain, p->meta.registry_sequence, 1, true, content);
	return r > 0 ? -EBADMSG : r;
}

static int same_log(struct pruner *p, const struct checkpoint *archived)
{
	struct merkle_hash root;
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	const char *dir = p->paths->archive;
	audit_origin_at(&p->audit, archived->size, origin);
	if (strcmp(archived->origin, origin) != 0)
		return refuse(p, "%s: is an export of %s, the journal is of %s", dir,
			archived->origin, origin);
	if (archived->size < p->result->before || archived->size > p->meta.size)
		return refuse(p,
			"%s: holds %" PRIu64 " entries, it must be %" PRIu64 " to %" PRIu64
			": bring it up to date with audit export",
			dir, archived->size, p->result->before, p->meta.size);
	int r = journal_read_root(p->audit.reader, archived->size, &root);
	if (r < 0)
		return r;
	if (r > 0 || memcmp(&root, &archived->root, sizeof(root)) != 0)
		return refuse(p, "%s: its tree is not the journal's: one of them was changed", dir);
	return 0;
}

static int check_archive(struct pruner *p)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	_cleanup_(audit_trust_close) struct audit_trust trust = {};
	struct export_checked checked;
	uint64_t before = p->report->findings;
	int r = arena ? audit_refresh(&p->audit) : -ENOMEM;
	if (r == 0)
		r = trust_of(p, arena, &trust);
	if (r)
		return r;
	r = audit_check_export(&trust, p->paths->archive, NULL, 0, p->report, &checked);
	if (r == -ENOENT || r == -ENOTDIR)
		return refuse(
			p, "%s: there is no such folder: audit export makes it", p->paths->archive);
	if (r)
		return r;
	if (p->report->findings > before)
		return refuse(p, "%s: audit check has findings: it is no archive of this log",
			p->paths->archive);
	return same_log(p, &checked.checkpoint);
}

static int nothing_lives(struct pruner *p)
{
	struct prune_alive alive;
	int r = prune_alive_find(p->audit.reader, p->result->before, &alive);
	if (r <= 0)
		return r;
	return refuse(p,
		"entry %" PRIu64 " %s: only what was erased and is over can be pruned. Choose "
		"--before %" PRIu64 " or less",
		alive.sequence, alive.why, alive.sequence / TILE_WIDTH * TILE_WIDTH);
}

/* ---- removing ---- */

static int end_txn(struct pruner *p, struct db_txn *txn, int r)
{
	if (r) {
		db_abort(txn);
		return journal_put_error(r);
	}
	r = journal_put_error(db_commit(txn));
	if (r == 0 && p->options->committed)
		p->options->committed(p->options->context);
	return r;
}

static int mark(struct pruner *p)
{
	char path[PATH_MAX];
	struct db_txn *txn;
	if (!realpath(p->paths->archive, path))
		return -errno;
	if (strlen(path) >= sizeof(p->pruned.archive))
		return refuse(p, "%s: the name of this folder is too long", path);
	if (p->pruned.before != p->result->before)
		p->pruned.said = 0;
	p->pruned.before = p->result->before;
	memcpy(p->pruned.archive, path, strlen(path) + 1);
	int r = db_begin(p->env, true, &txn);
	return r ? r : end_txn(p, txn, pruned_put(txn, &p->tables, &p->pruned));
}

/* The entries over which one row of leaf hashes stands. */
static int prune_row(struct pruner *p, struct db_txn *txn, uint64_t row)
{
	uint8_t tile[TILE_KEY_SIZE];
	bool permanent = false;
	for (uint64_t sequence = row * TILE_WIDTH; sequence < (row + 1) * TILE_WIDTH; sequence++) {
		const struct key key = key_u64(sequence);
		struct bytes value;
		int r = db_get(txn, p->tables.stub, KEY_BYTES_OF(key), &value);
		if (r == DB_NOT_FOUND)
			continue;
		if (r || value.len < 3)
			return r ? r : -EBADMSG;
		if (value.data[2] == 0) {
			permanent = true;
			p->result->kept++;
			continue;
		}
		r = db_delete(txn, p->tables.stub, KEY_BYTES_OF(key));
		if (r)
			return r;
		p->result->stubs++;
	}
	if (permanent)
		return 0;
	tile_key((row + 1) * TILE_WIDTH, 0, tile);
	int r = db_delete(txn, p->tables.tile, BYTES(tile, TILE_KEY_SIZE));
	p->result->rows += r == 0;
	return r == DB_NOT_FOUND ? 0 : r;
}

static int prune_rows(struct pruner *p)
{
	uint64_t rows = p->result->before / TILE_WIDTH, row = 0;
	size_t slice = p->options->slice_rows ? p->options->slice_rows : SLICE_ROWS;
	int r = 0;
	while (r == 0 && row < rows) {
		struct db_txn *txn;
		r = db_begin(p->env, true, &txn);
		if (r)
			return r;
		for (size_t i = 0; r == 0 && i < slice && row < rows; i++)
			r = prune_row(p, txn, row++);
		r = end_txn(p, txn, r);
		audit_report_progress(p->report, row * TILE_WIDTH, p->result->before);
	}
	return r;
}

/* ---- the whole ---- */

static void pruner_deinit(struct pruner *p)
{
	audit_close(&p->audit);
	db_env_close(p->env);
}
DEFINE_CLEANUP_PTR(struct pruner, pruner_deinit);

static int prune(struct pruner *p)
{
	int r = open_all(p);
	if (r == 0)
		r = choose_end(p);
	if (r == 0)
		r = verify_first(p);
	if (r == 0)
		r = check_archive(p);
	if (r == 0)
		r = nothing_lives(p);
	journal_reader_free(steal(&p->audit.reader)); /* its snapshot would keep every freed page */
	if (r == 0)
		r = mark(p);
	return r ? r : prune_rows(p);
}

int audit_prune(const struct audit_paths *paths, const struct audit_prune_options *options,
	struct audit_report *report, struct audit_prune_result *ret, char *reterr, size_t size)
{
	*ret = (struct audit_prune_result){};
	*reterr = '\0';
	_cleanup_(fd_close) int lock_fd = -1;
	_cleanup_(pruner_deinit) struct pruner p = {
		.paths = paths,
		.options = options,
		.report = report,
		.result = ret,
		.reterr = reterr,
		.reterr_size = size,
	};
	struct audit_paths anchor = {.policy = paths->policy, .archive = paths->archive};
	int r = audit_open(&anchor, &p.audit, reterr, size);
	if (r == 0)
		r = stopped_lock(paths->journal, &lock_fd, reterr, size);
	if (r == 0)
		r = prune(&p);
	if (r < 0 && !*reterr)
		snprintf(reterr, size, "%s: could not be pruned to the end: %s", paths->journal,
			strerrordesc_np(-r));
	return r;
}
