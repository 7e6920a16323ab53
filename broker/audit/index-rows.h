/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/index.h"
#include "proto/merkle/merkle.h"

/* The index from inside; between the index*.c files. */
enum {
	INDEX_FORMAT = 2,
	INDEX_SEGMENT_BITS = 16,
	INDEX_HEAD_SIZE = 4 + 8 + HASH_SIZE,
	INDEX_GROUP_SIZE = 4 + 1 + 4,
	INDEX_TOKEN_SIZE = 16,
	INDEX_MESSAGE_KEY_SIZE = INDEX_GROUP_SIZE + INDEX_TOKEN_SIZE,
	INDEX_ABOUT_KEY_SIZE = 8 + 8,
};

/*
 * head     "head"                                             -> u32 format | u64 entries indexed | root of their tree
 * message  u32 segment | u8 class | u32 label | token (16)    -> u64 sequence of a message, masked
 * about    u64 sequence of the message | u64 of the entry     -> nothing
 *
 * A segment is 65,536 neighbouring entries, so that rows are put where the last ones are. Token and mask are the
 * first 16 bytes and the next 8 of
 *   BLAKE2b-256(key: row_index_key(class, label), case id | u32 segment | u32 n)
 * for the n-th message of the case under that key in that segment, from 0.
 */
struct index_tables {
	db_table_id head, message, about;
};

struct case_index {
	struct db_env *env;
	struct index_tables tables;
	struct db_txn *txn; /* of begin */
	bool checked;       /* every key that rows are kept under is still there */
};

struct index_head {
	uint64_t next;
	struct merkle_hash root;
};

/* Messages of one segment whose records are sealed under one key. */
struct index_group {
	uint32_t segment;
	uint8_t class;
	uint32_t label;
};

static inline uint32_t index_segment(uint64_t sequence)
{
	return (uint32_t)(sequence >> INDEX_SEGMENT_BITS);
}

/**
 * index_put_message() - note that a message belongs to a case
 * @tables:   of the index
 * @txn:      write transaction
 * @keyring:  opens the record
 * @group:    where it belongs
 * @id:       of the case
 * @sequence: of the message
 * Return: 0, KEYRING_MISSING (then nothing is noted), DB_FULL, negative errno.
 */
int index_put_message(const struct index_tables *tables, struct db_txn *txn, struct keyring *keyring,
	const struct index_group *group, const uint8_t id[CASE_ID_SIZE], uint64_t sequence);

/**
 * index_get_message() - the n-th message of a case in a group
 * @tables: of the index
 * @txn:    any transaction
 * @key:    row_index_key() of the group
 * @group:  where
 * @id:     of the case
 * @n:      from 0
 * @ret:    sequence of the message
 * Return: 0, DB_NOT_FOUND behind the last, negative errno.
 */
int index_get_message(const struct index_tables *tables, struct db_txn *txn,
	const uint8_t key[HASH_SIZE], const struct index_group *group,
	const uint8_t id[CASE_ID_SIZE], uint32_t n, uint64_t *ret);

/**
 * index_next_group() - walk the groups
 * @tables: of the index
 * @txn:    any transaction
 * @from:   the first group at or after this
 * @ret:    the group
 * Return: 0, DB_NOT_FOUND at the end, negative errno.
 */
int index_next_group(const struct index_tables *tables, struct db_txn *txn,
	const struct index_group *from, struct index_group *ret);

/* The place behind a group, to walk on from. */
struct index_group index_behind(const struct index_group *group);

/* Note that an entry is about a message; twice is once. 0, DB_FULL, negative errno. */
int index_put_about(
	const struct index_tables *tables, struct db_txn *txn, uint64_t message, uint64_t sequence);

/**
 * index_next_about() - walk what is said about messages
 * @tables:       of the index
 * @txn:          any transaction
 * @message:      in: the message, and ...
 * @sequence:     ... the first entry wanted; out: the row found, of a later message perhaps
 * Return: 0, DB_NOT_FOUND at the end, negative errno.
 */
int index_next_about(const struct index_tables *tables, struct db_txn *txn, uint64_t *message,
	uint64_t *sequence);
int index_drop_about(const struct index_tables *tables, struct db_txn *txn, uint64_t message,
	uint64_t sequence); /* 0 or negative errno */

/* Remove the messages of a segment. 0 or negative errno. */
int index_drop_segment(const struct index_tables *tables, struct db_txn *txn, uint32_t segment);

/* The head; DB_NOT_FOUND when there is none or it is of another format. */
int index_head_get(const struct index_tables *tables, struct db_txn *txn, struct index_head *ret);
int index_head_put(
	const struct index_tables *tables, struct db_txn *txn, const struct index_head *head);

/* Remove every row. */
int index_clear(const struct index_tables *tables, struct db_txn *txn);
