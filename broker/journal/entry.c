/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Rows are sealed straight into LMDB's page: room is reserved first, so a message is copied once on its
 * way to the disk. What is too long for one value goes on in chunks, records too: an event with
 * sixty recipients must not be a special case that somebody meets in production.
 */
#include "broker/journal/entry.h"

#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"

/* From a pool: libsodium would ask the kernel for each. */
static const uint8_t *log_secret(struct entry_log *log)
{
	if (log->random_left < STUB_SECRET_SIZE) {
		random_fill(log->random, sizeof(log->random));
		log->random_left = sizeof(log->random);
	}
	log->random_left -= STUB_SECRET_SIZE;
	return log->random + log->random_left;
}

static int put_sealed(struct entry_log *log, db_table_id table, const struct key *key,
	const struct row_place *place, uint32_t erase_day, struct bytes plain)
{
	size_t len = place->class == 0 ? plain.len + 1 : plain.len + ROW_SEAL_OVERHEAD;
	uint8_t *room;
	uint32_t label;
	int r = db_reserve(log->txn, table, KEY_BYTES_OF(*key), len, true, &room);
	if (r)
		return journal_put_error(r);
	log->bytes += len;
	r = row_seal(log->keyring, place, erase_day, plain, room, &len);
	if (r)
		return -ENOKEY;
	/* The row was the last thing put, so it can still be read where it stands. */
	if (place->chunk > 0 || row_label(BYTES(room, len), &label))
		return 0;
	return seal_map_note(log->seal, log->txn,
		table == log->tables->record ? SEAL_RECORD : SEAL_CONTENT, place->class,
		place->sequence, label);
}

static int put_record(struct entry_log *log, const struct entry *entry, struct bytes row)
{
	struct row_place place = {
		.table = "record", .sequence = log->sequence, .class = entry->class};
	uint32_t day = clock_day(log->batch_ms) + entry->record_days;
	for (size_t at = 0; at < row.len || at == 0; at += CHUNK_MAX, place.chunk++) {
		size_t len = row.len - at < CHUNK_MAX ? row.len - at : CHUNK_MAX;
		struct key key = key_record(log->sequence, place.chunk);
		int r = put_sealed(
			log, log->tables->record, &key, &place, day, BYTES(row.data + at, len));
		if (r)
			return r;
	}
	return 0;
}

static int put_content(struct entry_log *log, const struct entry *entry)
{
	struct row_place place = {
		.table = "content", .sequence = log->sequence, .class = entry->class};
	uint32_t day = clock_day(log->batch_ms) + entry->content_days;
	for (size_t at = 0; at < entry->content.len; at += CHUNK_MAX, place.chunk++) {
		size_t left = entry->content.len - at;
		struct key key = key_chunk(log->sequence, place.chunk);
		int r = put_sealed(log, log->tables->content, &key, &place, day,
			BYTES(entry->content.data + at, left < CHUNK_MAX ? left : CHUNK_MAX));
		if (r)
			return r;
	}
	return 0;
}

static ProtobufCBinaryData pb_bytes(const uint8_t *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

static int put_stub(struct entry_log *log, const uint8_t stub[STUB_SIZE])
{
	struct merkle_hash leaf;
	struct key key = key_u64(log->sequence);
	int r = db_append(log->txn, log->tables->stub, KEY_BYTES_OF(key), BYTES(stub, STUB_SIZE));
	if (r)
		return journal_put_error(r);
	log->bytes += STUB_SIZE;
	stub_leaf(stub, &leaf);
	return tree_push(log->tree, &leaf);
}

static int pack_row(struct entry_log *log, const struct entry *entry, const uint8_t *secret,
	struct bytes disclosed, struct bytes private, struct bytes *ret)
{
	Dienstweg__Row row = DIENSTWEG__ROW__INIT;
	row.secret = pb_bytes(secret, STUB_SECRET_SIZE);
	row.disclosed = pb_bytes(disclosed.data, disclosed.len);
	row.private_ = pb_bytes(private.data, private.len);
	row.original = pb_bytes(entry->original.data, entry->original.len);
	if (dienstweg__row__get_packed_size(&row) > sizeof(log->row))
		return -EMSGSIZE;
	*ret = BYTES(log->row, dienstweg__row__pack(&row, log->row));
	return 0;
}

int entry_append(struct entry_log *log, const struct entry *entry, struct parcel_proof *ret)
{
	uint8_t disclosed_buf[DISCLOSED_MAX], private_digest[HASH_SIZE], stub[STUB_SIZE];
	uint8_t nonce[STUB_NONCE_SIZE], salt[STUB_SALT_SIZE];
	struct disclosed fields = {
		.kind = entry->kind,
		.batch_ms = log->batch_ms,
		.registry_version = log->registry_version,
		.rest = entry->rest,
	};
	struct bytes row;
	const uint8_t *secret = log_secret(log);
	if (dienstweg__decision__get_packed_size(entry->decision) > sizeof(log->private))
		return -EMSGSIZE;
	struct bytes private = BYTES(
		log->private, dienstweg__decision__pack(entry->decision, log->private));
	memcpy(fields.digest, entry->digest, HASH_SIZE);
	struct bytes disclosed = BYTES(disclosed_buf, disclosed_encode(&fields, disclosed_buf));
	stub_open_secret(secret, nonce, salt);
	stub_private_digest(salt, private, private_digest);
	stub_make(entry->kind, entry->class, nonce, disclosed, private_digest, stub);

	int r = put_stub(log, stub);
	if (r == 0)
		r = pack_row(log, entry, secret, disclosed, private, &row);
	if (r == 0)
		r = put_record(log, entry, row);
	if (r == 0)
		r = put_content(log, entry);
	if (r)
		return r;
	if (ret) {
		ret->sequence = log->sequence;
		ret->batch_ms = log->batch_ms;
		ret->registry_version = log->registry_version;
		ret->class = entry->class;
		memcpy(ret->nonce, nonce, STUB_NONCE_SIZE);
		memcpy(ret->private_digest, private_digest, HASH_SIZE);
	}
	log->sequence++;
	return 0;
}
