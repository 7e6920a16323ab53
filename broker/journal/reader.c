/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A reader parks its read transaction between uses (reset and renew cost no allocation and no slot) and
 * opens cursors only when asked to walk, because most reads are single rows. Read transactions must be
 * short: while one is open, pages freed since cannot be used again, and the journal grows.
 */
#include "broker/journal/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/journal/record.h"
#include "broker/journal/store.h"
#include "broker/journal/tile.h"

struct journal_reader {
	struct db_env *env;
	struct db_env *own_env; /* to be closed with the reader */
	struct db_txn *txn;
	bool begun;
	struct keyring *keyring;
	struct journal_tables tables;
	struct state_store store; /* its tables, read only */
	struct db_cursor *checkpoints, *cosignatures, *registries;
	struct db_cursor *stubs, *records, *contents; /* while rows are read in order */
	struct stub_memory memory;
};

static struct record_source reader_records(struct journal_reader *reader)
{
	assert(reader->begun);
	return (struct record_source){
		.txn = reader->txn,
		.tables = &reader->tables,
		.keyring = reader->keyring,
		.stubs = reader->stubs,
		.records = reader->records,
		.contents = reader->contents,
		.memory = &reader->memory,
	};
}

/* ---- lifetime ---- */

/* The format before everything else: of a later one nothing may be assumed. */
static int open_tables(struct journal_reader *reader, struct db_txn *txn)
{
	struct journal_head head;
	uint32_t format;
	int r = db_table_open(txn, "meta", &reader->tables.meta);
	if (r == 0)
		r = head_get(txn, &reader->tables, &head, &format);
	if (r == HEAD_FORMAT)
		return READER_FORMAT;
	if (r)
		return r == DB_NOT_FOUND ? -ENOENT : r;
	r = journal_tables_open(&reader->tables, txn);
	return r ? r : state_store_open(&reader->store, txn);
}

int journal_reader_new(struct db_env *env, struct keyring *keyring, struct journal_reader **ret)
{
	struct db_txn *txn = NULL;
	_cleanup_(journal_reader_free) struct journal_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->env = env;
	reader->keyring = keyring;
	int r = db_begin(env, false, &txn);
	if (r)
		return r;
	r = open_tables(reader, txn);
	if (r) {
		db_abort(txn);
		return r;
	}
	r = db_commit(txn); /* so that the handles stay */
	if (r == 0)
		*ret = steal(&reader);
	return r;
}

int journal_reader_open(const char *dir, struct keyring *keyring, struct journal_reader **ret)
{
	struct db_options options = {
		.tables_max = TABLES_MAX, .readers_max = READERS_MAX, .read_only = true};
	_cleanup_(db_env_close) struct db_env *env = NULL;
	int r = db_env_open(dir, &options, &env);
	if (r == 0)
		r = journal_reader_new(env, keyring, ret);
	if (r == 0)
		(*ret)->own_env = steal(&env);
	return r;
}

int journal_reader_share(const struct journal_reader *reader, struct journal_reader **ret)
{
	struct journal_reader *share = calloc(1, sizeof(*share));
	if (!share)
		return -ENOMEM;
	share->env = reader->env;
	share->keyring = reader->keyring;
	share->tables = reader->tables;
	state_store_share(&reader->store, &share->store);
	*ret = share;
	return 0;
}

int journal_reader_begin(struct journal_reader *reader)
{
	assert(!reader->begun);
	int r = reader->txn ? db_renew(reader->txn) : db_begin(reader->env, false, &reader->txn);
	if (r)
		return r;
	reader->begun = true;
	reader->memory.known = false;
	state_store_begin(&reader->store, reader->txn);
	return 0;
}

int journal_reader_in_order(struct journal_reader *reader)
{
	assert(reader->begun);
	int r = 0;
	if (!reader->stubs)
		r = db_cursor_open(reader->txn, reader->tables.stub, &reader->stubs);
	if (r == 0 && !reader->records)
		r = db_cursor_open(reader->txn, reader->tables.record, &reader->records);
	if (r == 0 && !reader->contents)
		r = db_cursor_open(reader->txn, reader->tables.content, &reader->contents);
	return r;
}

void journal_reader_end(struct journal_reader *reader)
{
	if (!reader->begun)
		return;
	state_store_end(&reader->store);
	db_cursor_close(steal(&reader->checkpoints));
	db_cursor_close(steal(&reader->cosignatures));
	db_cursor_close(steal(&reader->registries));
	db_cursor_close(steal(&reader->stubs));
	db_cursor_close(steal(&reader->records));
	db_cursor_close(steal(&reader->contents));
	db_reset(reader->txn);
	reader->begun = false;
}

void journal_reader_free(struct journal_reader *reader)
{
	if (!reader)
		return;
	journal_reader_end(reader);
	db_abort(reader->txn);
	db_env_close(reader->own_env);
	free(reader);
}

/* ---- entries ---- */

int journal_read_meta(struct journal_reader *reader, struct journal_meta *ret)
{
	struct journal_head head;
	uint32_t format;
	int r = head_get(reader->txn, &reader->tables, &head, &format);
	if (r == HEAD_FORMAT)
		return READER_FORMAT;
	if (r)
		return r < 0 && r != -EBADMSG ? r : READER_DAMAGED;
	*ret = (struct journal_meta){
		.format = format,
		.epoch = head.epoch,
		.size = head.size,
		.batch_ms = head.batch_ms,
		.registry_sequence = head.registry_sequence,
	};
	memcpy(ret->bus, head.bus, sizeof(ret->bus));
	return 0;
}

int journal_read_stub(struct journal_reader *reader, uint64_t sequence, struct stub *ret)
{
	struct record_source source = reader_records(reader);
	return stub_read(&source, sequence, ret);
}

int journal_read_row(
	struct journal_reader *reader, uint64_t sequence, struct arena *arena, Dienstweg__Row **ret)
{
	struct record_source source = reader_records(reader);
	return record_read(&source, sequence, arena, NULL, ret);
}

int journal_row_decision(const Dienstweg__Row *row, struct arena *arena, Dienstweg__Decision **ret)
{
	Dienstweg__Decision *decision = dienstweg__decision__unpack(
		arena_allocator(arena), row->private_.len, row->private_.data);
	if (!decision) /* an honest one inflates, but not more than this */
		return arena_left(arena) < 64 * row->private_.len + 4096 ? -ENOMEM : READER_DAMAGED;
	*ret = decision;
	return 0;
}

int journal_read_content(
	struct journal_reader *reader, uint64_t sequence, struct arena *arena, struct bytes *ret)
{
	struct record_source source = reader_records(reader);
	return content_read(&source, sequence, arena, ret);
}

/* The last row whose key is at most @number. */
static int row_at_most(
	struct db_cursor *cursor, uint64_t number, struct bytes *ret_key, struct bytes *ret)
{
	struct key key = key_u64(number);
	int r = db_cursor_seek(cursor, KEY_BYTES_OF(key), ret_key, ret);
	if (r == 0 && bytes_equal(*ret_key, KEY_BYTES_OF(key)))
		return 0;
	if (r == 0)
		r = db_cursor_previous(cursor, ret_key, ret);
	else if (r == DB_NOT_FOUND)
		r = db_cursor_last(cursor, ret_key, ret);
	return r == DB_NOT_FOUND ? READER_NOT_FOUND : r;
}

static int open_checkpoints(struct journal_reader *reader)
{
	assert(reader->begun);
	return reader->checkpoints ? 0
				   : db_cursor_open(reader->txn, reader->tables.checkpoint,
					     &reader->checkpoints);
}

int journal_read_checkpoint(struct journal_reader *reader, uint64_t size, struct bytes *ret)
{
	struct bytes key;
	int r = open_checkpoints(reader);
	if (r)
		return r;
	return row_at_most(reader->checkpoints, size ? size : UINT64_MAX, &key, ret);
}

int journal_read_next_checkpoint(
	struct journal_reader *reader, uint64_t size, uint64_t *ret_size, struct bytes *ret)
{
	struct key from = key_u64(size);
	struct bytes key;
	int r = open_checkpoints(reader);
	if (r == 0)
		r = db_cursor_seek(reader->checkpoints, KEY_BYTES_OF(from), &key, ret);
	if (r)
		return r == DB_NOT_FOUND ? READER_NOT_FOUND : r;
	if (key.len != 8)
		return READER_DAMAGED;
	*ret_size = be64_get(key.data);
	return 0;
}

int journal_read_next_cosigned(
	struct journal_reader *reader, uint64_t size, uint64_t *ret_size, struct bytes *ret)
{
	struct key from = key_u64(size);
	struct bytes key;
	int r = 0;
	if (!reader->cosignatures)
		r = db_cursor_open(reader->txn, reader->tables.cosignature, &reader->cosignatures);
	if (r == 0)
		r = db_cursor_seek(reader->cosignatures, KEY_BYTES_OF(from), &key, ret);
	if (r)
		return r == DB_NOT_FOUND ? READER_NOT_FOUND : r;
	if (key.len != 8)
		return READER_DAMAGED;
	*ret_size = be64_get(key.data);
	return 0;
}

int journal_read_registry_at(struct journal_reader *reader, uint64_t sequence, struct arena *arena,
	uint64_t *ret_sequence, struct bytes *ret_signed)
{
	struct record_source source = reader_records(reader);
	struct bytes key, value;
	int r = 0;
	if (!reader->registries)
		r = db_cursor_open(reader->txn, reader->tables.registry, &reader->registries);
	if (r == 0)
		r = row_at_most(reader->registries, sequence, &key, &value);
	if (r)
		return r;
	if (key.len != 8)
		return READER_DAMAGED;
	*ret_sequence = be64_get(key.data);
	return content_read(&source, *ret_sequence, arena, ret_signed);
}

int journal_read_registry(struct journal_reader *reader, uint64_t sequence, struct arena *arena,
	struct bytes *ret_signed)
{
	uint64_t ignored;
	return journal_read_registry_at(reader, sequence, arena, &ignored, ret_signed);
}

int journal_read_registry_version(struct journal_reader *reader, uint64_t version,
	struct arena *arena, struct bytes *ret_signed)
{
	struct record_source source = reader_records(reader);
	struct bytes key, value;
	uint64_t sequence = UINT64_MAX;
	int r = 0;
	if (!reader->registries)
		r = db_cursor_open(reader->txn, reader->tables.registry, &reader->registries);
	/* Versions rise with the sequence, and there are few. */
	while (r == 0) {
		r = row_at_most(reader->registries, sequence, &key, &value);
		if (r)
			return r;
		const Dienstweg__RegistryRow *row = dienstweg__registry_row__unpack(
			arena_allocator(arena), value.len, value.data);
		if (!row || key.len != 8)
			return READER_DAMAGED;
		sequence = be64_get(key.data);
		if (row->version == version)
			return content_read(&source, sequence, arena, ret_signed);
		if (row->version < version || sequence == 0)
			return READER_NOT_FOUND;
		sequence--;
	}
	return r;
}

int journal_check_registry_row(struct journal_reader *reader, uint64_t sequence, uint64_t version,
	const uint8_t digest[HASH_SIZE], size_t content_len)
{
	struct key key = key_u64(sequence);
	struct bytes value;
	int r = db_get(reader->txn, reader->tables.registry, KEY_BYTES_OF(key), &value);
	if (r)
		return r == DB_NOT_FOUND ? READER_NOT_FOUND : r;
	Dienstweg__RegistryRow *row = dienstweg__registry_row__unpack(NULL, value.len, value.data);
	if (!row)
		return READER_DAMAGED;
	bool good = row->version == version && row->digest.len == HASH_SIZE &&
		    memcmp(row->digest.data, digest, HASH_SIZE) == 0 &&
		    row->content_chunks == (content_len + CHUNK_MAX - 1) / CHUNK_MAX;
	dienstweg__registry_row__free_unpacked(row, NULL);
	return good ? 0 : READER_DAMAGED;
}

int journal_read_primary(struct journal_reader *reader, enum journal_table table, uint64_t from,
	uint64_t *ret_number)
{
	const db_table_id tables[JOURNAL_TABLES] = {
		[JOURNAL_STUB] = reader->tables.stub,
		[JOURNAL_RECORD] = reader->tables.record,
		[JOURNAL_CONTENT] = reader->tables.content,
		[JOURNAL_TILE] = reader->tables.tile,
		[JOURNAL_CHECKPOINT] = reader->tables.checkpoint,
		[JOURNAL_REGISTRY] = reader->tables.registry,
	};
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	struct key wanted = key_u64(from);
	struct bytes key;
	int r = db_cursor_open(reader->txn, tables[table], &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, KEY_BYTES_OF(wanted), &key, NULL);
	if (r)
		return r == DB_NOT_FOUND ? READER_NOT_FOUND : r;
	if (key.len < 8)
		return READER_DAMAGED;
	*ret_number = be64_get(key.data);
	return 0;
}

/* ---- tree ---- */

/* Is what could not be read, about entry @lowest, not damaged but pruned? */
static int judge_missing(struct journal_reader *reader, uint64_t lowest)
{
	struct journal_pruned pruned;
	int r = journal_read_pruned(reader, &pruned);
	return r ? r : lowest < pruned.before ? READER_NOT_FOUND : READER_DAMAGED;
}

static int read_nodes(struct journal_reader *reader, uint64_t size, uint64_t lowest,
	const struct merkle_coordinate *places, size_t count, struct merkle_hash *ret)
{
	struct tile_source source = {.txn = reader->txn, .tables = &reader->tables};
	struct journal_meta meta;
	int r = journal_read_meta(reader, &meta);
	if (r)
		return r;
	if (size > meta.size)
		return READER_NOT_FOUND;
	source.size = meta.size;
	for (size_t i = 0; i < count && r == 0; i++)
		r = tile_node(&source, size, places[i].level, places[i].index, &ret[i]);
	return r == -EBADMSG ? judge_missing(reader, lowest) : r;
}

int journal_read_node(struct journal_reader *reader, uint64_t size, unsigned int level,
	uint64_t index, struct merkle_hash *ret)
{
	struct merkle_coordinate place = {.level = level, .index = index};
	if (size == 0 || level >= MERKLE_LEVELS || index > (size - 1) >> level)
		return READER_NOT_FOUND;
	/* A ragged node asks for rows at the end of its tree, wherever it begins. */
	uint64_t lowest = index < size >> level ? index << level : size;
	return read_nodes(reader, size, lowest, &place, 1, ret);
}

int journal_read_hashes(struct journal_reader *reader, unsigned int level, uint64_t row,
	struct merkle_hash ret[TREE_ROW_MAX], size_t *ret_count)
{
	struct tile_source source = {.txn = reader->txn, .tables = &reader->tables};
	struct journal_meta meta;
	struct bytes hashes;
	assert(level % TILE_HEIGHT == 0 && level < MERKLE_LEVELS);
	int r = journal_read_meta(reader, &meta);
	if (r)
		return r;
	source.size = meta.size;
	r = tile_row(&source, level, row, &hashes);
	if (r)
		return r == -EBADMSG ? READER_DAMAGED : r;
	size_t count = hashes.len / HASH_SIZE;
	*ret_count = count < TREE_ROW_MAX ? count : TREE_ROW_MAX;
	if (*ret_count > 0)
		memcpy(ret, hashes.data, *ret_count * HASH_SIZE);
	return 0;
}

int journal_read_root(struct journal_reader *reader, uint64_t size, struct merkle_hash *ret)
{
	unsigned int level = 0;
	while (size > 0 && level + 1 < MERKLE_LEVELS && (size - 1) >> level > 0)
		level++;
	return journal_read_node(reader, size, level, 0, ret);
}

int journal_read_path(struct journal_reader *reader, uint64_t index, uint64_t size,
	struct merkle_hash *ret, size_t *ret_count)
{
	struct merkle_coordinate places[MERKLE_LEVELS];
	if (index >= size)
		return READER_NOT_FOUND;
	*ret_count = merkle_path_coordinates(index, size, places);
	return read_nodes(reader, size, index, places, *ret_count, ret);
}

int journal_read_consistency(struct journal_reader *reader, uint64_t old_size, uint64_t new_size,
	struct merkle_hash *ret, size_t *ret_count)
{
	struct merkle_coordinate places[2 * MERKLE_LEVELS];
	if (old_size == 0 || old_size > new_size)
		return READER_NOT_FOUND;
	*ret_count = merkle_consistency_coordinates(old_size, new_size, places);
	return read_nodes(reader, new_size, old_size, places, *ret_count, ret);
}

int journal_read_present(struct journal_reader *reader, uint64_t sequence)
{
	struct record_source source = reader_records(reader);
	return record_present(&source, sequence);
}

int journal_read_label(struct journal_reader *reader, uint64_t sequence, uint32_t *ret)
{
	struct key key = key_u64(sequence);
	struct bytes value;
	assert(reader->begun);
	int r = db_get(reader->txn, reader->tables.record, KEY_BYTES_OF(key), &value);
	if (r == 0 && row_label(value, ret) == 0)
		return 0;
	return r < 0 ? r : READER_NOT_FOUND;
}

int journal_read_content_present(struct journal_reader *reader, uint64_t sequence)
{
	struct record_source source = reader_records(reader);
	return content_present(&source, sequence);
}

/* ---- the newest marks ---- */

int journal_read_confirmed(struct journal_reader *reader, uint32_t party, uint64_t *ret)
{
	assert(reader->begun);
	int r = confirmed_get(reader->txn, &reader->tables, party, ret);
	return r == -EBADMSG ? READER_DAMAGED : r;
}

int journal_read_state_mark(struct journal_reader *reader, struct journal_state_mark *ret)
{
	assert(reader->begun);
	int r = state_mark_get(reader->txn, &reader->tables, ret);
	if (r == DB_NOT_FOUND)
		return READER_NOT_FOUND;
	return r == -EBADMSG ? READER_DAMAGED : r;
}

int journal_read_pruned(struct journal_reader *reader, struct journal_pruned *ret)
{
	assert(reader->begun);
	int r = pruned_get(reader->txn, &reader->tables, ret);
	return r == -EBADMSG ? READER_DAMAGED : r;
}

int journal_read_epochs(struct journal_reader *reader, struct epochs *ret)
{
	assert(reader->begun);
	int r = epochs_get(reader->txn, &reader->tables, ret);
	return r == -EBADMSG ? READER_DAMAGED : r;
}

/* ---- derived tables ---- */

struct state_store *journal_reader_store(struct journal_reader *reader)
{
	return &reader->store;
}

int journal_read_table(struct journal_reader *reader, enum state_table table, struct bytes from,
	struct bytes *ret_key, struct bytes *ret_value)
{
	assert(reader->begun);
	int r = state_seek(&reader->store.state, table, from, ret_key, ret_value);
	return r == STATE_NOT_FOUND ? READER_NOT_FOUND : r;
}

int journal_read_queue(struct journal_reader *reader, uint32_t party, uint8_t lane, uint64_t from,
	uint64_t *ret_sequence, struct bytes *ret_value)
{
	uint8_t wanted[QUEUE_KEY_SIZE];
	uint32_t found_party;
	uint8_t found_lane;
	struct bytes key;
	queue_key_encode(party, lane, from, wanted);
	int r = journal_read_table(
		reader, STATE_QUEUE, BYTES(wanted, QUEUE_KEY_SIZE), &key, ret_value);
	if (r)
		return r;
	if (queue_key_decode(key, &found_party, &found_lane, ret_sequence))
		return READER_DAMAGED;
	return found_party == party && found_lane == lane ? 0 : READER_NOT_FOUND;
}

int journal_read_party_name(struct journal_reader *reader, uint32_t number, char ret[64])
{
	uint8_t key[TOTAL_KEY_SIZE];
	struct bytes name;
	assert(reader->begun);
	total_key_encode(COUNTER_NAME, number, key);
	int r = state_get(&reader->store.state, STATE_COUNTER, BYTES(key, TOTAL_KEY_SIZE), &name);
	if (r)
		return r == STATE_NOT_FOUND ? READER_NOT_FOUND : r;
	if (name.len == 0 || name.len >= 64)
		return READER_DAMAGED;
	memcpy(ret, name.data, name.len);
	ret[name.len] = '\0';
	return 0;
}

void journal_reader_inside(struct journal_reader *reader, struct journal_inside *ret)
{
	*ret = (struct journal_inside){
		.env = reader->env,
		.records = reader_records(reader),
		.store = &reader->store,
	};
}
