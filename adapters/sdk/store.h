/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * The adapter's durable memory: one LMDB environment in STATE/store. Everything that happens in one turn
 * of the adapter is one write transaction with one fsync; store_commit() ends it.
 *
 * | table    | key -> value                                                                 |
 * |----------|------------------------------------------------------------------------------|
 * | meta     | name -> format version, bus, party, checkpoints                              |
 * | outbox   | u64be local number -> head, header, signature core, small content and body   |
 * | content  | u64be local number, u8 part, u16be chunk -> up to 4,000 bytes of a large one |
 * | by_key   | sender NUL key of the legacy system -> message id                            |
 * | sent     | message id -> what became of it                                              |
 * | inbox    | h, recipient -> verdict, until the broker has recorded it                    |
 * | evidence | message id, u8 what, recipient -> receipt, outcomes                          |
 * | acked    | u64be sequence -> batch of our acknowledgements and its receipt              |
 * | again    | u64be local number -> what was sent, for a while after its receipt           |
 * | taken    | message id, h, recipient -> verdict, for as long as evidence is kept         |
 *
 * Failures: -ENOSPC when map or disk is full (the turn is lost, nothing of it happened), other negative
 * errno as proto/base/db.h. One thread.
 */
enum store_table {
	STORE_META,
	STORE_OUTBOX,
	STORE_CONTENT,
	STORE_BY_KEY,
	STORE_SENT,
	STORE_INBOX,
	STORE_EVIDENCE,
	STORE_ACKED,
	STORE_AGAIN,
	STORE_TAKEN,
	STORE_TABLES,
};

enum {
	STORE_NOT_FOUND = 1,
	STORE_REFUSED = 2, /* of another format, bus or party: reterr tells */
};

struct store;

/**
 * store_open() - open or create
 * @dir:       the state folder; "store" is made in it
 * @map_bytes: largest size of the data file
 * @bus:       whose messages these are; a store of another bus is refused
 * @party:     the adapter's first party; likewise
 * @ret:       the store
 * @reterr:    a sentence
 * @size:      of @reterr
 * Return: 0, STORE_REFUSED, negative errno (@reterr is set as well).
 */
int store_open(const char *dir, uint64_t map_bytes, const char *bus, const char *party,
	struct store **ret, char *reterr, size_t size);

/**
 * store_open_reader() - look into the store of another process, or of none
 * @dir: the state folder
 * @ret: the store; only store_get() and store_scan() are for it
 * Return: 0 or negative errno; -ENOENT when there is none.
 */
int store_open_reader(const char *dir, struct store **ret);
void store_free(struct store *store); /* forgets an open turn; takes NULL */
DEFINE_CLEANUP(struct store *, store_free);

/* Rows of the turn: the write transaction is begun by the first use. Views die with the next write. */
int store_get(struct store *store, enum store_table table, struct bytes key, struct bytes *ret);
int store_put(struct store *store, enum store_table table, struct bytes key, struct bytes value);
int store_delete(struct store *store, enum store_table table, struct bytes key); /* absent: 0 */

/**
 * store_append() - insert at the end
 * @store: the store
 * @table: where
 * @key:   above every key in the table
 * @value: any bytes
 * Return: 0 or negative errno.
 */
int store_append(struct store *store, enum store_table table, struct bytes key, struct bytes value);

/**
 * store_commit() - make the turn durable
 * @store: the store
 * Return: 0 or negative errno: then nothing of the turn happened.
 */
int store_commit(struct store *store) _must_use_;
void store_abort(struct store *store);         /* forget the turn */
bool store_changed(const struct store *store); /* was anything written in this turn? */

/**
 * store_excuse() - what was written in this turn since then need not be durable soon
 * @store:  the store
 * @before: store_urgent() of before
 *
 * store_can_wait() is true as long as everything that this turn wrote was excused (adapters/sdk/company.c).
 */
void store_excuse(struct store *store, uint64_t before);
uint64_t store_urgent(const struct store *store); /* so many writes of this turn were not excused */
bool store_can_wait(const struct store *store);

/**
 * store_scan() - go through a table in order of keys, in the turn's transaction
 * @store:   the store
 * @table:   which
 * @from:    first key wanted (that or above)
 * @visit:   called with each row; it may read, not write; non-zero ends the scan
 * @context: for @visit
 * Return: 0 at the end, what @visit gave, negative errno.
 */
int store_scan(struct store *store, enum store_table table, struct bytes from,
	int (*visit)(void *context, struct bytes key, struct bytes value), void *context);

/**
 * store_last_number() - the u64be with which the last key of a table begins
 * @store: the store
 * @table: with such keys
 * @ret:   the number
 * Return: 0, STORE_NOT_FOUND for an empty table, negative errno.
 */
int store_last_number(struct store *store, enum store_table table, uint64_t *ret);

/**
 * store_count() - rows in a table, those of the turn included
 * @store: the store
 * @table: which
 * @ret:   the number
 * Return: 0 or negative errno.
 */
int store_count(struct store *store, enum store_table table, uint64_t *ret);

/* Bytes of any length in pieces that LMDB can place anywhere (docs/architecture.md: no value over 4,000). */
enum store_part { STORE_PART_CONTENT = 0, STORE_PART_BODY = 1 };
int store_chunks_put(struct store *store, uint64_t number, enum store_part part, struct bytes data);
int store_chunks_delete(struct store *store, uint64_t number, enum store_part part, size_t len);

/**
 * store_chunks_get() - join them again
 * @store:  the store
 * @number: whose
 * @part:   which
 * @len:    bytes there must be
 * @arena:  owns the copy
 * @ret:    the bytes
 * Return: 0, -EBADMSG when pieces are missing, other negative errno.
 */
int store_chunks_get(struct store *store, uint64_t number, enum store_part part, size_t len,
	struct arena *arena, struct bytes *ret);

/**
 * store_is_full() - is it so full that nothing new should be taken?
 * @store: the store
 *
 * Looks at most once per second or so, because looking walks the free list.
 *
 * Return: true above 90 % of the map.
 */
bool store_is_full(struct store *store);
