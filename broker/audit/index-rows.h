/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/index.h"
#include "proto/merkle/merkle.h"

/* The index from inside; between the index*.c files. */
enum {
	INDEX_FORMAT = 0,
	INDEX_HEAD_SIZE = 4 + 8 + HASH_SIZE,
	INDEX_CASE_SIZE = 5 * 8,
	INDEX_ENTRY_KEY_SIZE = CASE_ID_SIZE + 8,
};

/*
 * head     "head"           -> u32 format | u64 entries indexed | root of the tree of so many entries
 * message  u64 sequence     -> case id
 * entry    case id | u64 sequence -> u8 kind
 * case     case id          -> u64 first | u64 last | u64 entries | u64 first ms | u64 last ms
 * recent   u64 of all ones less `last` | case id -> nothing: the newest first
 */
struct index_tables {
	db_table_id head, message, entry, cases, recent;
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

/* The head; DB_NOT_FOUND when there is none or it is of another format. */
int index_head_get(const struct index_tables *tables, struct db_txn *txn, struct index_head *ret);
int index_head_put(
	const struct index_tables *tables, struct db_txn *txn, const struct index_head *head);

/* Remove every row. */
int index_clear(const struct index_tables *tables, struct db_txn *txn);
