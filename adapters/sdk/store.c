/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One write transaction per turn and no other: whatever an adapter does in a turn (take files, hand over
 * deliveries, keep receipts) becomes durable together and costs one fsync. Reads of a turn go through the
 * same transaction, so they see what the turn has done; a transaction that wrote nothing costs no fsync.
 *
 * The identity row refuses a folder of another bus or party: outbox numbers and message ids of two
 * parties in one store would be sent under the wrong name.
 */
#include "adapters/sdk/store.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/db.h"
#include "proto/base/file.h"

enum {
	STORE_FORMAT = 0,
	CHUNK_BYTES = 4000,
	CHUNK_KEY_SIZE = 8 + 1 + 2,
	FULL_PERCENT = 90,
	FULL_LOOK_MS = 1000,
	PAGE_BYTES = 4096,
};

static const char *const table_names[STORE_TABLES] = {
	[STORE_META] = "meta",
	[STORE_OUTBOX] = "outbox",
	[STORE_CONTENT] = "content",
	[STORE_BY_KEY] = "by_key",
	[STORE_SENT] = "sent",
	[STORE_INBOX] = "inbox",
	[STORE_EVIDENCE] = "evidence",
	[STORE_ACKED] = "acked",
	[STORE_AGAIN] = "again",
	[STORE_TAKEN] = "taken",
};

struct store {
	struct db_env *env;
	struct db_txn *txn; /* of the turn, or NULL */
	db_table_id tables[STORE_TABLES];
	bool read_only;
	bool changed;
	uint64_t urgent; /* writes of the turn that nobody excused */
	bool full;
	uint64_t looked_at_ns;
};

/* Full is a failure of the turn here: nobody can go on within it. */
static int fold(int r)
{
	if (r == DB_FULL)
		return -ENOSPC;
	return r == DB_NOT_FOUND ? STORE_NOT_FOUND : r;
}

static int turn(struct store *store)
{
	if (store->txn)
		return 0;
	store->changed = false;
	store->urgent = 0;
	return db_begin(store->env, !store->read_only, &store->txn);
}

int store_get(struct store *store, enum store_table table, struct bytes key, struct bytes *ret)
{
	int r = turn(store);
	return r ? r : fold(db_get(store->txn, store->tables[table], key, ret));
}

int store_put(struct store *store, enum store_table table, struct bytes key, struct bytes value)
{
	int r = turn(store);
	if (r)
		return r;
	store->changed = true;
	store->urgent++;
	return fold(db_put(store->txn, store->tables[table], key, value));
}

int store_append(struct store *store, enum store_table table, struct bytes key, struct bytes value)
{
	int r = turn(store);
	if (r)
		return r;
	store->changed = true;
	store->urgent++;
	return fold(db_append(store->txn, store->tables[table], key, value));
}

int store_delete(struct store *store, enum store_table table, struct bytes key)
{
	int r = turn(store);
	if (r)
		return r;
	store->changed = true;
	store->urgent++;
	r = fold(db_delete(store->txn, store->tables[table], key));
	return r == STORE_NOT_FOUND ? 0 : r;
}

int store_commit(struct store *store)
{
	if (!store->txn)
		return 0;
	store->changed = false;
	return fold(db_commit(steal(&store->txn)));
}

void store_abort(struct store *store)
{
	db_abort(steal(&store->txn));
	store->changed = false;
}

bool store_changed(const struct store *store)
{
	return store->txn && store->changed;
}

uint64_t store_urgent(const struct store *store)
{
	return store->txn ? store->urgent : 0;
}

void store_excuse(struct store *store, uint64_t before)
{
	if (store->urgent > before)
		store->urgent = before;
}

bool store_can_wait(const struct store *store)
{
	return store_changed(store) && store->urgent == 0;
}

int store_scan(struct store *store, enum store_table table, struct bytes from,
	int (*visit)(void *context, struct bytes key, struct bytes value), void *context)
{
	struct bytes key, value;
	int r = turn(store);
	if (r)
		return r;
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	r = db_cursor_open(store->txn, store->tables[table], &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, from, &key, &value);
	while (r == 0) {
		r = visit(context, key, value);
		if (r)
			return r;
		r = db_cursor_next(cursor, &key, &value);
	}
	return r == DB_NOT_FOUND ? 0 : fold(r);
}

int store_last_number(struct store *store, enum store_table table, uint64_t *ret)
{
	struct bytes key;
	int r = turn(store);
	if (r)
		return r;
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	r = db_cursor_open(store->txn, store->tables[table], &cursor);
	if (r == 0)
		r = db_cursor_last(cursor, &key, NULL);
	if (r == 0 && key.len < 8)
		return -EBADMSG;
	if (r == 0)
		*ret = be64_get(key.data);
	return fold(r);
}

int store_count(struct store *store, enum store_table table, uint64_t *ret)
{
	int r = turn(store);
	return r ? r : fold(db_count(store->txn, store->tables[table], ret));
}

/* ---- large values ---- */

static struct bytes chunk_key(
	uint8_t key[CHUNK_KEY_SIZE], uint64_t number, enum store_part part, size_t chunk)
{
	be64_put(key, number);
	key[8] = (uint8_t)part;
	be16_put(key + 9, (uint16_t)chunk);
	return BYTES(key, CHUNK_KEY_SIZE);
}

int store_chunks_put(struct store *store, uint64_t number, enum store_part part, struct bytes data)
{
	uint8_t key[CHUNK_KEY_SIZE];
	assert(data.len / CHUNK_BYTES < UINT16_MAX);
	for (size_t at = 0, chunk = 0; at < data.len; at += CHUNK_BYTES, chunk++) {
		size_t len = data.len - at < CHUNK_BYTES ? data.len - at : CHUNK_BYTES;
		int r = store_put(store, STORE_CONTENT, chunk_key(key, number, part, chunk),
			BYTES(data.data + at, len));
		if (r)
			return r;
	}
	return 0;
}

int store_chunks_delete(struct store *store, uint64_t number, enum store_part part, size_t len)
{
	uint8_t key[CHUNK_KEY_SIZE];
	for (size_t chunk = 0; chunk * CHUNK_BYTES < len; chunk++) {
		int r = store_delete(store, STORE_CONTENT, chunk_key(key, number, part, chunk));
		if (r)
			return r;
	}
	return 0;
}

int store_chunks_get(struct store *store, uint64_t number, enum store_part part, size_t len,
	struct arena *arena, struct bytes *ret)
{
	uint8_t key[CHUNK_KEY_SIZE];
	uint8_t *joined = arena_alloc(arena, len);
	if (!joined)
		return -ENOMEM;
	for (size_t at = 0, chunk = 0; at < len; at += CHUNK_BYTES, chunk++) {
		struct bytes piece;
		size_t expected = len - at < CHUNK_BYTES ? len - at : CHUNK_BYTES;
		int r = store_get(store, STORE_CONTENT, chunk_key(key, number, part, chunk), &piece);
		if (r < 0)
			return r;
		if (r > 0 || piece.len != expected)
			return -EBADMSG;
		memcpy(joined + at, piece.data, expected);
	}
	*ret = BYTES(joined, len);
	return 0;
}

/* ---- opening ---- */

/* A new store takes the identity, an old one must have it. */
static int identity_row(
	struct store *store, const char *name, struct bytes expected, char *reterr, size_t size)
{
	struct bytes held;
	int r = store_get(store, STORE_META, BYTES_STR(name), &held);
	if (r == STORE_NOT_FOUND)
		return store_put(store, STORE_META, BYTES_STR(name), expected);
	if (r < 0 || bytes_equal(held, expected))
		return r;
	snprintf(reterr, size,
		"the store belongs to another %s: give this adapter a state folder of its own",
		name);
	return STORE_REFUSED;
}

static int identity_check(
	struct store *store, const char *bus, const char *party, char *reterr, size_t size)
{
	uint8_t format[4];
	be32_put(format, STORE_FORMAT);
	int r = identity_row(store, "format version", BYTES(format, sizeof(format)), reterr, size);
	if (r == 0)
		r = identity_row(store, "bus", BYTES_STR(bus), reterr, size);
	if (r == 0)
		r = identity_row(store, "party", BYTES_STR(party), reterr, size);
	return r;
}

static int tables_open(struct store *store)
{
	int r = turn(store);
	for (int i = 0; i < STORE_TABLES && r == 0; i++)
		r = fold(db_table_open(store->txn, table_names[i], &store->tables[i]));
	store->changed = !store->read_only;
	return r == STORE_NOT_FOUND ? -ENOENT : r;
}

static int env_open(struct store *store, const char *dir, uint64_t map_bytes)
{
	char path[PATH_MAX];
	struct db_options options = {
		.read_only = store->read_only,
		.map_bytes = map_bytes / PAGE_BYTES * PAGE_BYTES,
		.tables_max = STORE_TABLES,
		.readers_max = 8, /* tools of other processes */
		.mode = 0600,
	};
	int r = path_join(path, sizeof(path), dir, "store");
	if (r == 0 && !store->read_only)
		r = dir_make(path, 0700);
	return r ? r : db_env_open(path, &options, &store->env);
}

int store_open(const char *dir, uint64_t map_bytes, const char *bus, const char *party,
	struct store **ret, char *reterr, size_t size)
{
	_cleanup_(store_free) struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	int r = env_open(store, dir, map_bytes);
	if (r == 0)
		r = tables_open(store);
	if (r == 0)
		r = identity_check(store, bus, party, reterr, size);
	if (r == 0)
		r = store_commit(store);
	if (r < 0)
		snprintf(reterr, size, "store in %s: %s", dir, strerrordesc_np(-r));
	if (r)
		return r;
	*ret = steal(&store);
	return 0;
}

int store_open_reader(const char *dir, struct store **ret)
{
	_cleanup_(store_free) struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->read_only = true;
	int r = env_open(store, dir, 0);
	if (r == 0)
		r = tables_open(store);
	if (r)
		return r;
	*ret = steal(&store);
	return 0;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	store_abort(store);
	db_env_close(store->env);
	free(store);
}

bool store_is_full(struct store *store)
{
	struct db_usage usage;
	uint64_t now = clock_mono_ns(clock_system());
	if (store->looked_at_ns && now - store->looked_at_ns < FULL_LOOK_MS * 1000000ull)
		return store->full;
	if (db_env_usage(store->env, &usage) != 0)
		return store->full;
	store->looked_at_ns = now;
	store->full = (usage.used_bytes - usage.free_bytes) / FULL_PERCENT >= usage.map_bytes / 100;
	return store->full;
}
