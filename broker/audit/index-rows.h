/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/index.h"
#include "proto/merkle/merkle.h"

/* The index from inside; between the index*.c files. */
enum {
	INDEX_FORMAT = 1,
	INDEX_HEAD_SIZE = 4 + 8 + HASH_SIZE,
	INDEX_CASE_SIZE = 5 * 8,
	INDEX_ENTRY_KEY_SIZE = CASE_ID_SIZE + 8,
};

/*
 * head     "head"           -> u32 format | u64 entries indexed | root of the tree of so many entries
 * message  u64 sequence     -> case id
 * entry    case id | u64 sequence -> u8 kind
 * about    u64 sequence | case id -> nothing: `entry` the other way round, to forget by sequence
 * case     case id          -> u64 first | u64 last | u64 entries | u64 first ms | u64 last ms
 * recent   u64 of all ones less `last` | case id -> nothing: the newest first
 */
struct index_tables {
	db_table_id head, message, entry, about, cases, recent;
};

struct case_index {
	struct db_env *env;
	struct index_tables tables;
	struct db_txn *txn; /* of begin */
};

struct index_head {
	uint64_t next;
	struct merkle_hash root;
};

/**
 * index_add() - note that an entry belongs to a case
 * @tables:   of the index
 * @txn:      write transaction
 * @id:       of the case
 * @sequence: of the entry, above all entries noted before
 * @kind:     EntryKind
 * @batch_ms: of the entry
 * Return: 0, DB_FULL, negative errno.
 */
int index_add(const struct index_tables *tables, struct db_txn *txn, const uint8_t id[CASE_ID_SIZE],
	uint64_t sequence, uint8_t kind, uint64_t batch_ms);

/* The row of a case with its place in the list of recent ones: read, write, remove both.
   0, DB_NOT_FOUND, DB_FULL, negative errno. */
int index_case_get(const struct index_tables *tables, struct db_txn *txn,
	const uint8_t id[CASE_ID_SIZE], struct case_summary *ret);
int index_case_put(
	const struct index_tables *tables, struct db_txn *txn, const struct case_summary *summary);
int index_case_drop(
	const struct index_tables *tables, struct db_txn *txn, const struct case_summary *summary);

/**
 * index_forget() - an entry was erased: it belongs to no case any more, and a case without entries is none
 * @tables:   of the index
 * @txn:      write transaction
 * @sequence: of the entry
 * Return: 0, DB_FULL, negative errno.
 */
int index_forget(const struct index_tables *tables, struct db_txn *txn, uint64_t sequence);

/**
 * index_next_about() - walk the entries that belong to a case
 * @tables:       of the index
 * @txn:          any transaction
 * @from:         first sequence wanted
 * @ret_sequence: of the entry
 * Return: 0, DB_NOT_FOUND at the end, negative errno.
 */
int index_next_about(const struct index_tables *tables, struct db_txn *txn, uint64_t from,
	uint64_t *ret_sequence);

/* The head; DB_NOT_FOUND when there is none or it is of another format. */
int index_head_get(const struct index_tables *tables, struct db_txn *txn, struct index_head *ret);
int index_head_put(
	const struct index_tables *tables, struct db_txn *txn, const struct index_head *head);

/* Remove every row. */
int index_clear(const struct index_tables *tables, struct db_txn *txn);
