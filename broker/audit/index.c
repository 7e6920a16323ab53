/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The journal commits a thousand times a second and has no time for an index; so it is made behind it, from what
 * was committed, a bounded step at a time. The root of the tree over what was indexed is kept with it: an index of a
 * journal that was restored, cut or exchanged is recognised and made anew.
 *
 * Rows are never forgotten one by one. They are kept under keys that follow from those of the records, and keys go
 * by days: a segment in which one is gone is written anew from the records that are left. That also finds those that
 * were sealed anew.
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
	INDEX_TABLES = 4,
	INDEX_READERS = 32,
	COMMIT_ENTRIES = 8 * AUDIT_SLICE,
	SLICE = 128, /* entries read in one snapshot: a patient thread may have to wait in the middle of it */
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
		{"about", &tables->about},
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

void case_index_recheck(struct case_index *index)
{
	index->checked = false;
}

/* ---- a step ---- */

struct update {
	struct case_index *index;
	struct audit *audit;
	struct audit_report *report;
	struct arena *arena, *scratch;
	struct db_txn *txn;
	struct index_head head;
	struct absence absence; /* what was erased */
	bool changed;
	uint64_t pruned; /* entries below are archived */
};

static int note_message(struct update *u, const struct audit_entry *entry)
{
	struct index_group group = {
		.segment = index_segment(entry->sequence), .class = entry->stub.class};
	int r = journal_read_label(u->audit->reader, entry->sequence, &group.label);
	if (r) /* in clear: not of a party's message */
		return r < 0 ? r : 0;
	r = index_put_message(&u->index->tables, u->txn, u->audit->keyring, &group,
		entry->header->case_id.data, entry->sequence);
	return r == KEYRING_MISSING ? 0 : r;
}

/* What a party says of messages that were not for it is about nothing: else it could make others' cases long. */
static bool is_about(const struct audit_entry *entry, size_t nth)
{
	return nth < entry->decision->n_verdicts &&
	       entry->decision->verdicts[nth] != DIENSTWEG__ACK_VERDICT__ACK_UNKNOWN;
}

static int note_entry(struct update *u, const struct audit_entry *entry)
{
	const struct index_tables *tables = &u->index->tables;
	int r = 0;
	if (entry->header) /* accepted, or refused: the case that its sender named */
		return note_message(u, entry);
	for (size_t i = 0; entry->batch && i < entry->batch->n_acks && r == 0; i++)
		if (is_about(entry, i))
			r = index_put_about(
				tables, u->txn, entry->batch->acks[i]->sequence, entry->sequence);
	for (size_t i = 0; i < entry->decision->n_affected && r == 0; i++)
		r = index_put_about(
			tables, u->txn, entry->decision->affected[i]->sequence, entry->sequence);
	return r;
}

/* Whoever erased it lawfully need not be told of it. */
static int is_lawfully_gone(struct update *u, uint64_t sequence, bool *ret)
{
	struct stub stub;
	uint64_t bad;
	*ret = false;
	int r = journal_read_stub(u->audit->reader, sequence, &stub);
	if (r)
		return r < 0 ? r : 0;
	r = absence_load(&u->absence, u->audit->reader, u->scratch, &bad);
	const struct absence_case row = {
		.table = ERASED_RECORD, .class = stub.class, .sequence = sequence};
	*ret = r == 0 && absence_judge(&u->absence, &row) == 0;
	return r;
}

static int note_unreadable(struct update *u, uint64_t sequence, bool erased)
{
	bool lawful = false;
	int r = erased ? is_lawfully_gone(u, sequence, &lawful) : 0;
	if (r == 0 && !lawful)
		audit_report_finding(u->report, sequence, "entry-unreadable",
			"it cannot be read and is left out of the case index");
	return r;
}

static int note_next(struct update *u)
{
	struct audit_entry entry;
	uint64_t sequence = u->head.next;
	arena_reset(u->arena);
	int r = audit_entry_read(u->audit->reader, sequence, u->arena, &entry);
	if (r < 0)
		return r;
	u->head.next++;
	if (r > 0)
		return note_unreadable(u, sequence, r == READER_ERASED);
	if (entry.stub.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ERASED)
		u->index->checked = false;
	return note_entry(u, &entry);
}

/* ---- where a key is gone ---- */

static bool is_message(uint8_t kind)
{
	return kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED ||
	       kind == DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED;
}

static int note_again(struct update *u, uint64_t sequence)
{
	struct audit_entry entry;
	struct stub stub;
	int r = journal_read_stub(u->audit->reader, sequence, &stub);
	if (r || !is_message(stub.kind))
		return r < 0 ? r : 0;
	arena_reset(u->arena);
	r = audit_entry_read(u->audit->reader, sequence, u->arena, &entry);
	if (r == 0 && entry.header)
		r = note_message(u, &entry);
	return r < 0 ? r : r == DB_FULL ? r : 0;
}

static bool is_gone(struct update *u, uint64_t sequence, int *r)
{
	int found = journal_read_present(u->audit->reader, sequence);
	if (found < 0)
		*r = found;
	return found > 0;
}

/* What was said about messages that are gone, or is gone itself. */
static int drop_abouts(struct update *u, uint64_t first, uint64_t last)
{
	const struct index_tables *tables = &u->index->tables;
	uint64_t message = first, sequence = 0;
	int r;
	while ((r = index_next_about(tables, u->txn, &message, &sequence)) == 0 && message <= last) {
		if (is_gone(u, message, &r) || is_gone(u, sequence, &r))
			r = index_drop_about(tables, u->txn, message, sequence);
		if (r)
			return r;
		sequence++;
	}
	return r < 0 ? r : 0;
}

static int rewrite_segment(struct update *u, uint32_t segment)
{
	uint64_t first = (uint64_t)segment << INDEX_SEGMENT_BITS, sequence = first, seen = 0;
	uint64_t end = first + (UINT64_C(1) << INDEX_SEGMENT_BITS);
	if (end > u->head.next)
		end = u->head.next;
	int r = index_drop_segment(&u->index->tables, u->txn, segment);
	while (r == 0 &&
		(r = journal_read_primary(u->audit->reader, JOURNAL_RECORD, sequence, &sequence)) ==
			0 &&
		sequence < end) {
		r = note_again(u, sequence++);
		if (r == 0 && ++seen % SLICE == 0)
			r = audit_refresh(u->audit);
	}
	if (r == 0 || r == READER_NOT_FOUND)
		r = end > first ? drop_abouts(u, first, end - 1) : 0;
	return r;
}

/* The first group whose key is gone. DB_NOT_FOUND: none. */
static int find_keyless(struct update *u, struct index_group *ret)
{
	struct index_group from = {};
	uint8_t key[HASH_SIZE];
	int r;
	while ((r = index_next_group(&u->index->tables, u->txn, &from, ret)) == 0) {
		if (row_index_key(u->audit->keyring, ret->class, ret->label, key))
			return 0;
		secret_wipe(key, sizeof(key));
		from = index_behind(ret);
	}
	return r;
}

/* Return: 0, whether or not there was something to do; DB_FULL, negative errno. */
static int check_keys(struct update *u)
{
	struct index_group group;
	int r = find_keyless(u, &group);
	if (r == DB_NOT_FOUND) {
		u->index->checked = true;
		return 0;
	}
	u->changed = true;
	return r ? r : rewrite_segment(u, group.segment);
}

/* ---- one transaction ---- */

/* The root over the first @size entries as the journal has them. */
static int root_of(struct update *u, uint64_t size, struct merkle_hash *ret)
{
	if (size > 0)
		return journal_read_root(u->audit->reader, size, ret);
	merkle_empty_root(ret);
	return 0;
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

static int note_some(struct update *u, uint64_t size)
{
	uint64_t begun = u->head.next;
	int r = 0;
	while (r == 0 && u->head.next < size && u->head.next - begun < COMMIT_ENTRIES) {
		r = note_next(u);
		if (r == 0 && u->head.next % SLICE == 0)
			r = audit_refresh(u->audit);
	}
	u->changed = u->changed || u->head.next > begun;
	if (r == 0 && u->changed)
		r = root_of(u, u->head.next, &u->head.root);
	return r == 0 && u->changed ? index_head_put(&u->index->tables, u->txn, &u->head) : r;
}

static int update_some(struct update *u, bool anew, struct case_index_progress *ret)
{
	struct journal_pruned pruned = {};
	struct journal_meta meta;
	int r = audit_refresh(u->audit);
	if (r == 0)
		r = journal_read_meta(u->audit->reader, &meta);
	if (r == 0)
		r = journal_read_pruned(u->audit->reader, &pruned);
	u->pruned = pruned.before;
	if (r == 0)
		r = resume(u, anew);
	if (r == 0 && !u->index->checked)
		r = check_keys(u);
	if (r == 0)
		r = note_some(u, meta.size);
	if (r == 0)
		*ret = (struct case_index_progress){
			.done = u->head.next,
			.total = meta.size,
			.more = u->head.next < meta.size || !u->index->checked,
		};
	return r;
}

int case_index_step(struct case_index *index, struct audit *audit, bool anew,
	struct audit_report *report, struct case_index_progress *ret)
{
	struct update u = {.index = index, .audit = audit, .report = report};
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	_cleanup_(arena_free) struct arena *scratch = arena_new(ENTRY_ARENA);
	u.arena = arena;
	u.scratch = scratch;
	if (!arena || !scratch)
		return -ENOMEM;
	int r = db_begin(index->env, true, &u.txn);
	if (r == 0)
		r = update_some(&u, anew, ret);
	if (r == 0 && u.changed)
		r = db_commit(steal(&u.txn));
	db_abort(steal(&u.txn));
	absence_deinit(&u.absence);
	return r == DB_FULL ? -ENOSPC : r > 0 ? -EBADMSG : r;
}

int case_index_update(
	struct case_index *index, struct audit *audit, bool anew, struct audit_report *report)
{
	struct case_index_progress progress = {.more = true};
	int r = 0;
	while (r == 0 && progress.more) {
		r = case_index_step(index, audit, anew, report, &progress);
		anew = false;
		if (r == 0)
			audit_report_progress(report, progress.done, progress.total);
	}
	return r;
}
