/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/keyring.h"
#include "broker/journal/tables.h"
#include "proto/base/arena.h"
#include "proto/journal.pb-c.h"
#include "proto/receipt/stub.h"

/* Reading entries back, for the reader and for the writer's duplicates. Verdicts: READER_* of
   broker/journal/reader.h. Inside this folder only. */
struct stub_memory {
	bool known;
	uint64_t sequence;
	struct stub stub;
};

struct record_source {
	struct db_txn *txn;
	const struct journal_tables *tables;
	struct keyring *keyring;                      /* may be NULL: only permanent rows open */
	struct db_cursor *stubs, *records, *contents; /* NULL, or to read rows in order with */
	struct stub_memory *memory; /* NULL, or the stub read last in this transaction */
};

/* A reader from inside: what this folder's own walks need. */
struct journal_reader;
struct state_store;
struct journal_inside {
	struct db_env *env;
	struct record_source records;
	struct state_store *store;
};
void journal_reader_inside(struct journal_reader *reader, struct journal_inside *ret); /* begun */

/**
 * stub_read() - the stub of an entry
 * @source:   where
 * @sequence: of the entry
 * @ret:      the stub
 * Return: 0, READER_NOT_FOUND, READER_DAMAGED, negative errno.
 */
int stub_read(const struct record_source *source, uint64_t sequence, struct stub *ret);

/**
 * record_read() - open a record and check it against its stub
 * @source:   where
 * @sequence: of the entry
 * @arena:    owns the result
 * @ret_stub: NULL, or the stub
 * @ret:      the row, its nonce and salt made of its secret
 * Return: 0, READER_*, negative errno.
 */
int record_read(const struct record_source *source, uint64_t sequence, struct arena *arena,
	struct stub *ret_stub, Dienstweg__Row **ret);

/**
 * record_present() - are a record and the key to it there?
 * @source:   where
 * @sequence: of the entry
 * Return: 0, READER_*, negative errno.
 */
int record_present(const struct record_source *source, uint64_t sequence);

/**
 * record_value() - a row of an entry as it lies there, sealed
 * @source:   where
 * @table:    ERASED_RECORD, ERASED_CONTENT
 * @sequence: of the entry
 * @chunk:    of the row
 * @ret:      a view
 * Return: 0, DB_NOT_FOUND, negative errno.
 */
int record_value(const struct record_source *source, uint8_t table, uint64_t sequence,
	uint16_t chunk, struct bytes *ret);

/* The same of its content. */
int content_present(const struct record_source *source, uint64_t sequence);

/**
 * content_read() - all chunks of a content, joined
 * @source:   where
 * @sequence: of the entry
 * @arena:    owns the result
 * @ret:      the bytes
 * Return: 0, READER_*, negative errno.
 */
int content_read(const struct record_source *source, uint64_t sequence, struct arena *arena,
	struct bytes *ret);
