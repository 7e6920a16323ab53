/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Entries of every awkward size, straight through entry_append() and back: rows and contents that end at,
 * before and behind a chunk, decisions that need several, and the largest that is allowed.
 */
#include "broker/journal/record.h"

#include <errno.h>

#include "broker/journal/entry.h"
#include "broker/journal/reader.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

enum { TODAY = 20000, MOST = PRIVATE_MAX + 4 * CHUNK_MAX };

struct log_fixture {
	struct db_env *env;
	struct journal_tables tables;
	struct keyring *keyring;
	struct seal_map seal;
	struct tree *tree;
	struct entry_log *log;
};

static void open_log(struct log_fixture *f, const char *name)
{
	const struct keyring_class class = {.number = 1, .content_days = 21, .record_days = 730};
	struct db_options options = {
		.map_bytes = 64 << 20, .tables_max = TABLES_MAX, .readers_max = 4};
	uint8_t key[AEAD_KEY_SIZE];
	char dir[500], keys[550], master[550];
	struct db_txn *txn;
	CHECK_INT(crypto_init(), 0);
	snprintf(dir, sizeof(dir), "%s/%s", check_memdir(), name);
	snprintf(keys, sizeof(keys), "%s/keys", dir);
	snprintf(master, sizeof(master), "%s/master", dir);
	CHECK_INT(dir_make(dir, 0700), 0);
	random_fill(key, sizeof(key));
	CHECK_INT(file_replace(master, BYTES(key, sizeof(key)), 0600), 0);
	*f = (struct log_fixture){.log = calloc(1, sizeof(*f->log))};
	CHECK(f->log);
	CHECK_INT(keyring_open(keys, master, true, &f->keyring), 0);
	CHECK_INT(keyring_ensure(f->keyring, TODAY, &class, 1), 0);
	CHECK_INT(db_env_open(dir, &options, &f->env), 0);
	CHECK_INT(db_begin(f->env, true, &txn), 0);
	CHECK_INT(journal_tables_open(&f->tables, txn), 0);
	CHECK_INT(seal_map_load(&f->seal, txn, &f->tables, 0), 0);
	CHECK_INT(db_commit(txn), 0);
	CHECK_INT(tree_new(&f->tree), 0);
	f->log->tables = &f->tables;
	f->log->keyring = f->keyring;
	f->log->seal = &f->seal;
	f->log->tree = f->tree;
	f->log->batch_ms = UINT64_C(86400000) * TODAY + 5;
	f->log->registry_version = 3;
}

static void close_log(struct log_fixture *f)
{
	free(f->log);
	tree_free(f->tree);
	db_env_close(f->env);
	keyring_free(f->keyring);
}

/* An entry whose cause is @cause bytes long and whose content is @content. */
static int append(struct log_fixture *f, uint8_t class, size_t cause, size_t content)
{
	static const uint8_t zeros[MOST];
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	decision.cause = (ProtobufCBinaryData){.len = cause, .data = (uint8_t *)(uintptr_t)zeros};
	struct entry entry = {
		.kind = DIENSTWEG__ENTRY_KIND__ENTRY_ATTEMPTS_FAILED,
		.class = class,
		.record_days = 730,
		.content_days = 21,
		.decision = &decision,
		.content = BYTES(zeros, content),
	};
	CHECK_INT(db_begin(f->env, true, &f->log->txn), 0);
	int r = entry_append(f->log, &entry, NULL);
	if (r == 0)
		CHECK_INT(db_commit(f->log->txn), 0);
	else
		db_abort(f->log->txn);
	return r;
}

static int read_back(
	struct log_fixture *f, uint64_t sequence, size_t *ret_cause, size_t *ret_content)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct record_source source = {.tables = &f->tables, .keyring = f->keyring};
	Dienstweg__Row *row;
	Dienstweg__Decision *decision;
	struct bytes content = {};
	CHECK_INT(db_begin(f->env, false, &source.txn), 0);
	int r = record_read(&source, sequence, arena, NULL, &row);
	if (r == 0)
		r = journal_row_decision(row, arena, &decision);
	if (r == 0) {
		*ret_cause = decision->cause.len;
		r = content_read(&source, sequence, arena, &content);
		*ret_content = content.len;
		r = r == READER_ERASED ? 0 : r;
	}
	db_abort(source.txn);
	return r;
}

/* No value larger than VALUE_MAX; keys only ever behind the last one. */
static void check_values(struct log_fixture *f)
{
	struct db_txn *txn;
	struct db_cursor *cursor;
	struct bytes key, value;
	const db_table_id tables[] = {f->tables.record, f->tables.content};
	CHECK_INT(db_begin(f->env, false, &txn), 0);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		CHECK_INT(db_cursor_open(txn, tables[i], &cursor), 0);
		while (db_cursor_next(cursor, &key, &value) == 0)
			CHECK(value.len <= VALUE_MAX);
		db_cursor_close(cursor);
	}
	db_abort(txn);
}

static void keeps_every_size(void)
{
	struct log_fixture f;
	size_t cause, content;
	open_log(&f, "sizes");
	for (uint8_t class = 0; class < 2; class ++) {
		uint64_t first = f.log->sequence;
		/* A row is a little over a hundred bytes longer than its cause. */
		for (size_t i = 0; i < 300; i++)
			CHECK_INT(append(&f, class, CHUNK_MAX - 250 + i, CHUNK_MAX - 150 + i), 0);
		for (size_t i = 0; i < 300; i++) {
			CHECK_INT(read_back(&f, first + i, &cause, &content), 0);
			CHECK_INT(cause, CHUNK_MAX - 250 + i);
			CHECK_INT(content, CHUNK_MAX - 150 + i);
		}
		for (size_t chunks = 0; chunks < 4; chunks++) {
			uint64_t sequence = f.log->sequence;
			CHECK_INT(append(&f, class, chunks * CHUNK_MAX, chunks * CHUNK_MAX), 0);
			CHECK_INT(read_back(&f, sequence, &cause, &content), 0);
			CHECK_INT(cause, chunks * CHUNK_MAX);
			CHECK_INT(content, chunks * CHUNK_MAX);
		}
	}
	check_values(&f);
	close_log(&f);
}

static void knows_its_bounds(void)
{
	struct log_fixture f;
	size_t cause, content;
	open_log(&f, "bounds");
	CHECK_INT(append(&f, 1, PRIVATE_MAX, 0), -EMSGSIZE);
	CHECK_INT(f.log->sequence, 0);
	CHECK_INT(append(&f, 1, PRIVATE_MAX - 10, 0), 0);
	CHECK_INT(read_back(&f, 0, &cause, &content), 0);
	CHECK_INT(cause, PRIVATE_MAX - 10);
	CHECK_INT(content, 0);
	CHECK_INT(append(&f, 2, 10, 0), -ENOKEY); /* a class without keys */
	close_log(&f);
}

static void notices_a_missing_chunk(void)
{
	struct log_fixture f;
	size_t cause, content;
	struct db_txn *txn;
	open_log(&f, "missing");
	CHECK_INT(append(&f, 1, 2 * CHUNK_MAX, 0), 0);
	CHECK_INT(append(&f, 1, 10, 0), 0);
	struct key key = key_record(0, 1);
	CHECK_INT(db_begin(f.env, true, &txn), 0);
	CHECK_INT(db_delete(txn, f.tables.record, KEY_BYTES_OF(key)), 0);
	CHECK_INT(db_commit(txn), 0);
	CHECK_INT(read_back(&f, 0, &cause, &content), READER_DAMAGED);
	key = key_record(0, 0);
	CHECK_INT(db_begin(f.env, true, &txn), 0);
	CHECK_INT(db_delete(txn, f.tables.record, KEY_BYTES_OF(key)), 0);
	CHECK_INT(db_commit(txn), 0);
	CHECK_INT(read_back(&f, 0, &cause, &content), READER_ERASED);
	CHECK_INT(read_back(&f, 1, &cause, &content), 0);
	close_log(&f);
}

CHECK_MAIN(CHECK_CASE(keeps_every_size), CHECK_CASE(knows_its_bounds),
	CHECK_CASE(notices_a_missing_chunk))
