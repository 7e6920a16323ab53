/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/journal/keyring.h"
#include "proto/base/db.h"
#include "proto/note/epoch.h"

/* The primary tables and the rows of `meta` (docs/journal.md "Tables"); inside this folder only. */
enum {
	VALUE_MAX = 4000,                          /* no value is larger (design section 8) */
	CHUNK_MAX = VALUE_MAX - ROW_SEAL_OVERHEAD, /* plain bytes of a chunk of content or record */
	TABLES_MAX = 32,
	READERS_MAX = 126,
};

struct journal_tables {
	db_table_id meta, stub, record, content, tile, checkpoint, cosignature, registry, seal,
		instructed;
};

/**
 * journal_tables_open() - open (and in a write transaction create) the primary tables
 * @tables: to set up
 * @txn:    a transaction of the environment
 * Return: 0, -ENOENT when one is missing in a read transaction, negative errno.
 */
int journal_tables_open(struct journal_tables *tables, struct db_txn *txn);

/* Name of the primary table @index, from 0; NULL past the last. */
const char *journal_table_name(size_t index);

/* What is rewritten with every commit. */
struct journal_head {
	uint32_t epoch;
	uint64_t size;              /* entries = leaves */
	uint64_t batch_ms;          /* of the last commit */
	uint64_t registry_sequence; /* entry of the registry in force */
	char bus[64];
};

/**
 * head_get() - read the head; the format is checked first
 * @txn:        any transaction
 * @tables:     its tables
 * @ret:        the head
 * @ret_format: format version found
 * Return: 0, DB_NOT_FOUND in a new journal, HEAD_FORMAT for a format that we do not know, -EBADMSG.
 */
enum { HEAD_FORMAT = 100 };
int head_get(struct db_txn *txn, const struct journal_tables *tables, struct journal_head *ret,
	uint32_t *ret_format);

/* Write the format (once, at creation) and the head (with each commit). 0, DB_FULL, negative errno. */
int head_create(struct db_txn *txn, const struct journal_tables *tables);
int head_put(
	struct db_txn *txn, const struct journal_tables *tables, const struct journal_head *head);

/* Up to which entry a sender has confirmed outcomes; 0 when it never did. 0, DB_FULL, -EBADMSG, negative errno. */
int confirmed_get(struct db_txn *txn, const struct journal_tables *tables, uint32_t party,
	uint64_t *ret_sequence);
int confirmed_put(
	struct db_txn *txn, const struct journal_tables *tables, uint32_t party, uint64_t sequence);

/* The newest state entry. 0, DB_NOT_FOUND before the first, DB_FULL, -EBADMSG, negative errno. */
struct journal_state_mark;
int state_mark_get(
	struct db_txn *txn, const struct journal_tables *tables, struct journal_state_mark *ret);
int state_mark_put(struct db_txn *txn, const struct journal_tables *tables,
	const struct journal_state_mark *mark);

/* What was pruned; zeroed when nothing was. 0, DB_FULL, -EBADMSG, negative errno. */
struct journal_pruned;
int pruned_get(struct db_txn *txn, const struct journal_tables *tables, struct journal_pruned *ret);
int pruned_put(struct db_txn *txn, const struct journal_tables *tables,
	const struct journal_pruned *pruned);

/* The epochs that began in this log; none when it never lost anything. 0, DB_FULL, -EBADMSG, negative errno. */
int epochs_get(struct db_txn *txn, const struct journal_tables *tables, struct epochs *ret);
int epochs_put(struct db_txn *txn, const struct journal_tables *tables, const struct epochs *epochs);

/* Are derived tables being made, or was that given up half-way? No broker starts then. 0, DB_FULL, negative errno. */
int unfinished_get(struct db_txn *txn, const struct journal_tables *tables, bool *ret);
int unfinished_put(struct db_txn *txn, const struct journal_tables *tables, bool unfinished);

/* Keys made of one number, or of a sequence and a chunk. */
struct key {
	uint8_t bytes[10];
	uint8_t len;
};
static inline struct key key_u64(uint64_t number)
{
	struct key key = {.len = 8};
	be64_put(key.bytes, number);
	return key;
}
static inline struct key key_chunk(uint64_t sequence, uint16_t chunk)
{
	struct key key = {.len = 10};
	be64_put(key.bytes, sequence);
	be16_put(key.bytes + 8, chunk);
	return key;
}
/* Chunk 0 of a record stands under the bare sequence, further ones behind it. */
static inline struct key key_record(uint64_t sequence, uint16_t chunk)
{
	return chunk == 0 ? key_u64(sequence) : key_chunk(sequence, chunk);
}
#define KEY_BYTES_OF(k) BYTES((k).bytes, (k).len)

/* A put that met a full map or disk is a failure to everybody but db.h. */
int journal_put_error(int r);
