/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The journal commits a thousand times a second and has no time for a random-keyed index; people ask for a
 * case a few times a day. So the asker pays: whatever was journaled since the last question is read,
 * opened and noted, once. The root of the tree over what was indexed is kept with it: an index of a
 * journal that was restored, cut or exchanged is recognised and made anew.
 */
#include "broker/audit/index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/audit/absence.h"
#include "broker/audit/entry.h"
#include "broker/audit/index-rows.h"
#include "proto/base/file.h"

enum {
	INDEX_TABLES = 8,
	INDEX_READERS = 32,
	COMMIT_ENTRIES = 2 * AUDIT_SLICE, /* keys are random: each may touch a page of its own */
};
static const uint64_t INDEX_MAP_BYTES = UINT64_C(64) << 30; /* address space, not disk */

/* ---- lifetime ---- */

static int open_tables(struct index_tables *tables, struct db_env *env)
{
	const struct {
		const char *name;
		db_table_id *id;
	} all[] = {
		{"head", &tables->head},
		{"message", &tables->message},
		{"entry", &tables->entry},
		{"about", &tables->about},
		{"case", &tables->cases},
		{"recent", &tables->recent},
	};
	struct db_txn *txn = NULL;
	int r = db_begin(env, true, &txn);
	if (r)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++)
		r = db_table_open(txn, all[i].name, all[i].id);
	if (r) {
		db_abort(txn);
		return r;
	}
	return db_commit(txn);
}

int case_index_open(const char *dir, struct case_index **ret, char *reterr, size_t size)
{
	struct db_options options = {
		.map_bytes = INDEX_MAP_BYTES,
		.tables_max = INDEX_TABLES,
		.readers_max = INDEX_READERS,
		.mode = 0600,
	};
	_cleanup_(case_index_free) struct case_index *index = calloc(1, sizeof(*index));
	int r = index ? dir_make(dir, 0700) : -ENOMEM;
	if (r == 0)
		r = db_env_open(dir, &options, &index->env);
	if (r == 0)
		r = open_tables(&index->tables, index->env);
	if (r == DB_FULL)
		r = -ENOSPC;
	if (r < 0) {
		snprintf(reterr,
			size, "%s: the case index cannot be written here: %s: name another folder with --index",
			dir, strerrordesc_np(-r));
		return r;
	}
	*ret = steal(&index);
	return 0;
}

void case_index_free(struct case_index *index)
{
	if (!index)
		return;
	case_index_end(index);
	db_env_close(index->env);
	free(index);
}

int case_index_begin(struct case_index *index)
{
	return db_begin(index->env, false, &index->txn);
}

void case_index_end(struct case_index *index)
{
	db_abort(steal(&index->txn));
}

/* ---- bringing it up to date ---- */

struct update {
	struct case_index *index;
	struct audit *audit;
	struct audit_report *report;
	struct arena *arena, *scratch;
	struct db_txn *txn;
	struct index_head head;
	struct absence absence; /* what was erased */
	bool erasing; /* a run is removing rows: what it erased is forgotten when it is through */
	bool waits;   /* for that */
	bool changed;
	uint64_t pruned; /* entries below are archived */
};

static int note_message(struct update *u, const struct audit_entry *entry)
{
	uint8_t key[8];
	const uint8_t *id = entry->header->case_id.data;
	be64_put(key, entry->sequence);
	int r = db_put(
		u->txn, u->index->tables.message, BYTES(key, sizeof(key)), BYTES(id, CASE_ID_SIZE));
	return r ? r
		 : index_add(&u->index->tables, u->txn, id, entry->sequence, entry->stub.kind,
			   entry->disclosed.batch_ms);
}

/* An entry about an earlier message belongs to that message's case. */
static int note_about(struct update *u, const struct audit_entry *entry, uint64_t message)
{
	uint8_t key[8], id[CASE_ID_SIZE];
	struct bytes value;
	be64_put(key, message);
	int r = db_get(u->txn, u->index->tables.message, BYTES(key, sizeof(key)), &value);
	if (r || value.len != CASE_ID_SIZE)
		return r == DB_NOT_FOUND ? 0 : r < 0 ? r : -EBADMSG;
	memcpy(id, value.data, CASE_ID_SIZE);
	return index_add(&u->index->tables, u->txn, id, entry->sequence, entry->stub.kind,
		entry->disclosed.batch_ms);
}

static int note_entry(struct update *u, const struct audit_entry *entry)
{
	int r = 0;
	if (entry->stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
		return note_message(u, entry);
	if (entry->header) /* refused; the case that its sender named */
		return index_add(&u->index->tables, u->txn, entry->header->case_id.data,
			entry->sequence, entry->stub.kind, entry->disclosed.batch_ms);
	for (size_t i = 0; entry->batch && i < entry->batch->n_acks && r == 0; i++)
		r = note_about(u, entry, entry->batch->acks[i]->sequence);
	for (size_t i = 0; i < entry->decision->n_affected && r == 0; i++)
		r = note_about(u, entry, entry->decision->affected[i]->sequence);
	return r;
}

/* ---- what was erased ---- */

static int is_gone(struct update *u, uint64_t sequence, uint8_t class, bool *ret)
{
	struct stub stub;
	Dienstweg__Row *row;
	*ret = false;
	int r = journal_read_stub(u->audit->reader, sequence, &stub);
	if (r == READER_NOT_FOUND && sequence < u->pruned) {
		*ret = true; /* nothing is pruned before it was erased */
		return 0;
	}
	if (r || stub.class != class)
		return r < 0 ? r : 0;
	r = journal_read_row(u->audit->reader, sequence, u->scratch, &row);
	arena_reset(u->scratch);
	*ret = r == READER_ERASED;
	return r < 0 ? r : 0;
}

static int forget_range(struct update *u, const Dienstweg__ErasedRange *range)
{
	const struct index_tables *tables = &u->index->tables;
	uint64_t sequence = range->first;
	if (range->table != ERASED_RECORD || range->class_ > UINT8_MAX)
		return 0;
	for (;; sequence++) {
		bool gone;
		int r = index_next_about(tables, u->txn, sequence, &sequence);
		if (r || sequence > range->last)
			return r == DB_NOT_FOUND ? 0 : r;
		r = is_gone(u, sequence, (uint8_t)range->class_, &gone);
		if (r == 0 && gone)
			r = index_forget(tables, u->txn, sequence);
		if (r)
			return r;
	}
}

static int forget_erased(struct update *u, const struct audit_entry *entry)
{
	int r = 0;
	for (size_t i = 0; i < entry->decision->n_erased && r == 0; i++)
		r = forget_range(u, entry->decision->erased[i]);
	return r;
}

/* Whoever erased it lawfully need not be told of it. */
static bool is_lawfully_gone(struct update *u, uint64_t sequence)
{
	struct stub stub;
	if (journal_read_stub(u->audit->reader, sequence, &stub) != 0)
		return false;
	const struct absence_case row = {
		.table = ERASED_RECORD, .class = stub.class, .sequence = sequence};
	return absence_judge(&u->absence, &row) == 0;
}

/* ---- one entry after the other ---- */

static int note_next(struct update *u)
{
	struct audit_entry entry;
	uint64_t sequence = u->head.next;
	arena_reset(u->arena);
	int r = audit_entry_read(u->audit->reader, sequence, u->arena, &entry);
	bool erased = r == 0 && entry.stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ERASED;
	u->waits = erased && u->erasing;
	if (r < 0 || u->waits)
		return r < 0 ? r : 0;
	u->head.next++;
	if (r > 0 && !(r == READER_ERASED && is_lawfully_gone(u, sequence)))
		audit_report_finding(u->report, sequence, "entry-unreadable",
			"it cannot be read and is left out of the case index");
	if (r > 0)
		return 0;
	return erased ? forget_erased(u, &entry) : note_entry(u, &entry);
}

/* The root over the first @size entries as the journal has them. */
static int root_of(struct update *u, uint64_t size, struct merkle_hash *ret)
{
	unsigned int level = 0;
	if (size == 0) {
		merkle_empty_root(ret);
		return 0;
	}
	while ((size - 1) >> level > 0)
		level++;
	return journal_read_node(u->audit->reader, size, level, 0, ret);
}

/* Take up where the last update ended; from the beginning when that was of another journal. */
static int resume(struct update *u, bool anew)
{
	struct merkle_hash root;
	const struct index_tables *tables = &u->index->tables;
	int r = index_head_get(tables, u->txn, &u->head);
	if (r == 0 && !anew && u->head.next >= u->pruned) {
		r = root_of(u, u->head.next, &root);
		if (r < 0)
			return r;
		if (r == 0 && memcmp(&root, &u->head.root, sizeof(root)) == 0)
			return 0;
	}
	if (r < 0)
		return r;
	u->head = (struct index_head){.next = u->pruned};
	u->changed = true;
	return index_clear(tables, u->txn);
}

/* Entries of one snapshot into one transaction. */
static int update_some(struct update *u, bool anew, bool *ret_more)
{
	struct journal_pruned pruned = {};
	struct journal_meta meta;
	uint64_t bad;
	int r = audit_refresh(u->audit);
	if (r == 0)
		r = journal_read_meta(u->audit->reader, &meta);
	if (r == 0)
		r = journal_read_pruned(u->audit->reader, &pruned);
	u->pruned = pruned.before;
	if (r == 0)
		r = journal_read_erasing(u->audit->reader, &u->erasing);
	if (r == 0)
		r = absence_load(&u->absence, u->audit->reader, u->scratch, &bad);
	if (r == 0)
		r = resume(u, anew);
	if (r)
		return r > 0 ? -EBADMSG : r;
	uint64_t begun = u->head.next;
	u->waits = false;
	while (r == 0 && !u->waits && u->head.next < meta.size &&
		u->head.next - begun < COMMIT_ENTRIES) {
		r = note_next(u);
		if (r == 0 && u->head.next % AUDIT_SLICE == 0)
			r = audit_refresh(u->audit);
	}
	u->changed = u->changed || u->head.next > begun;
	if (r == 0)
		r = root_of(u, u->head.next, &u->head.root);
	if (r == 0 && u->changed)
		r = index_head_put(&u->index->tables, u->txn, &u->head);
	*ret_more = u->head.next < meta.size && !u->waits;
	audit_report_progress(u->report, u->head.next, meta.size);
	return r;
}

int case_index_update(
	struct case_index *index, struct audit *audit, bool anew, struct audit_report *report)
{
	struct update u = {.index = index, .audit = audit, .report = report};
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	_cleanup_(arena_free) struct arena *scratch = arena_new(ENTRY_ARENA);
	bool more = true;
	int r = arena && scratch ? 0 : -ENOMEM;
	u.arena = arena;
	u.scratch = scratch;
	while (r == 0 && more) {
		r = db_begin(index->env, true, &u.txn);
		if (r)
			break;
		r = update_some(&u, anew, &more);
		anew = false;
		if (r || !u.changed) {
			db_abort(steal(&u.txn));
			break;
		}
		r = db_commit(steal(&u.txn));
	}
	absence_deinit(&u.absence);
	return r == DB_FULL ? -ENOSPC : r > 0 ? -EBADMSG : r;
}
