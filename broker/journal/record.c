/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What is read is believed only as far as the stub says so: a row is hashed again and compared, and what
 * was received is hashed again too, because only its digest stands in the disclosed part. So whoever
 * changes a row on the disk, with or without the keyring, changes what this returns into "damaged".
 *
 * The first chunk that is not full is the last one, so one look-up is enough for most rows.
 */
#include "broker/journal/record.h"

#include <errno.h>
#include <string.h>

#include "broker/journal/keyring-use.h"
#include "broker/journal/reader.h"
#include "broker/routing/rules.h"
#include "proto/envelope/envelope.h"
#include "proto/receipt/receipt.h"

static int get(const struct record_source *source, db_table_id table, struct db_cursor *cursor,
	const struct key *key, struct bytes *ret)
{
	return cursor ? db_cursor_get(cursor, KEY_BYTES_OF(*key), ret)
		      : db_get(source->txn, table, KEY_BYTES_OF(*key), ret);
}

int stub_read(const struct record_source *source, uint64_t sequence, struct stub *ret)
{
	struct stub_memory *memory = source->memory;
	struct key key = key_u64(sequence);
	struct bytes value;
	/* An entry, its record and its content are read one after the other, and each asks for the stub. */
	if (memory && memory->known && memory->sequence == sequence) {
		*ret = memory->stub;
		return 0;
	}
	int r = get(source, source->tables->stub, source->stubs, &key, &value);
	if (r)
		return r == DB_NOT_FOUND ? READER_NOT_FOUND : r;
	if (stub_decode(value, ret))
		return READER_DAMAGED;
	if (memory)
		*memory = (struct stub_memory){.known = true, .sequence = sequence, .stub = *ret};
	return 0;
}

int record_value(const struct record_source *source, uint8_t table, uint64_t sequence,
	uint16_t chunk, struct bytes *ret)
{
	struct key key = table == ERASED_CONTENT ? key_chunk(sequence, chunk)
						 : key_record(sequence, chunk);
	return table == ERASED_CONTENT
		       ? get(source, source->tables->content, source->contents, &key, ret)
		       : get(source, source->tables->record, source->records, &key, ret);
}

/* Rows of one entry, as `record` or `content` keeps them. */
struct chunks {
	const struct record_source *source;
	bool content;           /* or the record */
	struct row_place place; /* chunk: the next to read */
};

static int chunks_get(const struct chunks *chunks, struct bytes *ret)
{
	return record_value(chunks->source, chunks->content ? ERASED_CONTENT : ERASED_RECORD,
		chunks->place.sequence, chunks->place.chunk, ret);
}

/* Bytes that sealing added to a value; 0: no such value can be. */
static size_t chunk_overhead(const struct chunks *chunks, struct bytes value)
{
	size_t overhead = chunks->place.class == 0 ? 1 : ROW_SEAL_OVERHEAD;
	return value.len >= overhead && value.len <= VALUE_MAX ? overhead : 0;
}

/* The first value, and the bytes of all. */
static int chunks_measure(struct chunks *chunks, struct bytes *ret_first, size_t *ret)
{
	struct bytes value;
	size_t len, total = 0;
	int r;
	do {
		r = chunks_get(chunks, &value);
		if (r == DB_NOT_FOUND)
			break;
		size_t overhead = r == 0 ? chunk_overhead(chunks, value) : 0;
		if (overhead == 0)
			return r < 0 ? r : READER_DAMAGED;
		if (chunks->place.chunk == 0)
			*ret_first = value;
		len = value.len - overhead;
		total += value.len;
		chunks->place.chunk++;
	} while (len == CHUNK_MAX);
	*ret = total;
	if (chunks->place.chunk == 0)
		return READER_ERASED;
	chunks->place.chunk = 0;
	return 0;
}

/* Room for sealed values is taken: opening needs no more than what it is given. */
static int chunks_read(struct chunks *chunks, struct arena *arena, struct bytes *ret)
{
	struct bytes value;
	size_t total, at = 0, len;
	int r = chunks_measure(chunks, &value, &total);
	if (r)
		return r;
	uint8_t *out = arena_alloc(arena, total);
	if (!out)
		return -ENOMEM;
	do {
		r = row_open(chunks->source->keyring, &chunks->place, value, out + at, &len);
		if (r)
			return r == KEYRING_MISSING ? READER_ERASED : READER_DAMAGED;
		at += len;
		chunks->place.chunk++;
		r = len == CHUNK_MAX ? chunks_get(chunks, &value) : DB_NOT_FOUND;
	} while (r == 0);
	*ret = BYTES(out, at);
	return r < 0 ? r : 0;
}

/* Is `original` what the disclosed digest was made of? A refused header may have been cut. */
static bool original_fits(const struct disclosed *disclosed, struct bytes original)
{
	uint8_t digest[HASH_SIZE];
	switch (disclosed->kind) {
	case DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED:
		if (original.len == HEADER_BYTES_MAX)
			return true;
		__attribute__((fallthrough));
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED:
		envelope_header_hash(original, digest);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED:
		receipt_ack_batch_digest(original, digest);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED:
		receipt_cancel_batch_digest(original, digest);
		break;
	case DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED:
	case DIENSTWEG__ENTRY_KIND__ENTRY_CONTINUES:
		sha256_of(original, digest);
		break;
	default:
		return original.len == 0;
	}
	return memcmp(digest, disclosed->digest, HASH_SIZE) == 0;
}

static bool row_fits(const struct stub *stub, const Dienstweg__Row *row)
{
	uint8_t private_digest[HASH_SIZE], made[STUB_SIZE];
	struct disclosed disclosed;
	struct stub again;
	if (disclosed_decode(BYTES_PB(row->disclosed), &disclosed) || disclosed.kind != stub->kind)
		return false;
	stub_private_digest(row->salt.data, BYTES_PB(row->private_), private_digest);
	stub_make(stub->kind, stub->class, row->nonce.data, BYTES_PB(row->disclosed),
		private_digest, made);
	if (stub_decode(BYTES(made, STUB_SIZE), &again))
		return false;
	return memcmp(again.commitment, stub->commitment, HASH_SIZE) == 0 &&
	       original_fits(&disclosed, BYTES_PB(row->original));
}

/* What is kept of nonce and salt is the secret that both are made of. Return: 0, READER_DAMAGED, -ENOMEM. */
static int row_complete(Dienstweg__Row *row, struct arena *arena)
{
	if (row->secret.len != STUB_SECRET_SIZE || row->nonce.len > 0 || row->salt.len > 0)
		return READER_DAMAGED;
	uint8_t *made = arena_alloc(arena, STUB_NONCE_SIZE + STUB_SALT_SIZE);
	if (!made)
		return -ENOMEM;
	stub_open_secret(row->secret.data, made, made + STUB_NONCE_SIZE);
	row->nonce = (ProtobufCBinaryData){.data = made, .len = STUB_NONCE_SIZE};
	row->salt = (ProtobufCBinaryData){.data = made + STUB_NONCE_SIZE, .len = STUB_SALT_SIZE};
	return 0;
}

int record_read(const struct record_source *source, uint64_t sequence, struct arena *arena,
	struct stub *ret_stub, Dienstweg__Row **ret)
{
	struct stub stub;
	struct bytes plain;
	int r = stub_read(source, sequence, &stub);
	if (r)
		return r;
	struct chunks chunks = {
		.source = source,
		.place = {.table = "record", .sequence = sequence, .class = stub.class},
	};
	r = chunks_read(&chunks, arena, &plain);
	if (r)
		return r;
	size_t left = arena_left(arena);
	Dienstweg__Row *row = dienstweg__row__unpack(arena_allocator(arena), plain.len, plain.data);
	if (!row) /* no room, or no such row: it can be only a little larger than its bytes */
		return left < 2 * plain.len + 1024 ? -ENOMEM : READER_DAMAGED;
	r = row_complete(row, arena);
	if (r)
		return r;
	if (!row_fits(&stub, row))
		return READER_DAMAGED;
	if (ret_stub)
		*ret_stub = stub;
	*ret = row;
	return 0;
}

static int is_present(const struct record_source *source, uint8_t table, uint64_t sequence)
{
	uint8_t secret[AEAD_KEY_SIZE];
	struct bytes value;
	struct stub stub;
	int r = stub_read(source, sequence, &stub);
	if (r)
		return r;
	r = record_value(source, table, sequence, 0, &value);
	if (r)
		return r == DB_NOT_FOUND ? READER_ERASED : r;
	if (stub.class == 0)
		return 0;
	if (value.len < ROW_SEAL_OVERHEAD)
		return READER_DAMAGED;
	r = source->keyring
		    ? keyring_find(source->keyring, stub.class, be32_get(value.data + 1), secret)
		    : KEYRING_MISSING;
	secret_wipe(secret, sizeof(secret));
	return r ? READER_ERASED : 0;
}

int record_present(const struct record_source *source, uint64_t sequence)
{
	return is_present(source, ERASED_RECORD, sequence);
}

int content_present(const struct record_source *source, uint64_t sequence)
{
	return is_present(source, ERASED_CONTENT, sequence);
}

int content_read(const struct record_source *source, uint64_t sequence, struct arena *arena,
	struct bytes *ret)
{
	struct stub stub;
	int r = stub_read(source, sequence, &stub);
	if (r)
		return r;
	struct chunks chunks = {
		.source = source,
		.content = true,
		.place = {.table = "content", .sequence = sequence, .class = stub.class},
	};
	return chunks_read(&chunks, arena, ret);
}
