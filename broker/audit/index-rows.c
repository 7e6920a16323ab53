/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A case id is pseudonymous data, and so is the fact that two entries belong together. Neither stands here: a row
 * is found by whoever has the case id and the key that the message's record is sealed under, and by nobody once
 * that key is destroyed, in whatever copy of the file. Not even which rows belonged together can be seen then: the
 * n-th message of a case has a token of its own, and the sequence in it is masked.
 *
 * Tokens are as good as random, and random keys cost a page each. So rows stand in segments of neighbouring
 * entries: what is put today touches the pages of today.
 */
#include "broker/audit/index-rows.h"

#include <errno.h>

int index_head_get(const struct index_tables *tables, struct db_txn *txn, struct index_head *ret)
{
	struct bytes value;
	int r = db_get(txn, tables->head, BYTES_STR("head"), &value);
	if (r)
		return r;
	if (value.len != INDEX_HEAD_SIZE || be32_get(value.data) != INDEX_FORMAT)
		return DB_NOT_FOUND;
	ret->next = be64_get(value.data + 4);
	memcpy(ret->root.bytes, value.data + 12, HASH_SIZE);
	return 0;
}

int index_head_put(
	const struct index_tables *tables, struct db_txn *txn, const struct index_head *head)
{
	uint8_t value[INDEX_HEAD_SIZE];
	be32_put(value, INDEX_FORMAT);
	be64_put(value + 4, head->next);
	memcpy(value + 12, head->root.bytes, HASH_SIZE);
	return db_put(txn, tables->head, BYTES_STR("head"), BYTES(value, sizeof(value)));
}

static int clear_table(struct db_txn *txn, db_table_id table)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	int r = db_cursor_open(txn, table, &cursor);
	if (r == 0)
		r = db_cursor_first(cursor, NULL, NULL);
	while (r == 0) {
		r = db_cursor_delete(cursor);
		if (r == 0)
			r = db_cursor_next(cursor, NULL, NULL);
	}
	return r == DB_NOT_FOUND ? 0 : r;
}

int index_clear(const struct index_tables *tables, struct db_txn *txn)
{
	const db_table_id all[] = {tables->head, tables->message, tables->about};
	int r = 0;
	for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++)
		r = clear_table(txn, all[i]);
	return r;
}

/* ---- messages ---- */

static void group_encode(const struct index_group *group, uint8_t buf[INDEX_GROUP_SIZE])
{
	be32_put(buf, group->segment);
	buf[4] = group->class;
	be32_put(buf + 5, group->label);
}

struct index_place {
	uint8_t key[INDEX_MESSAGE_KEY_SIZE];
	uint64_t mask;
};

static void place_of(const uint8_t key[HASH_SIZE], const struct index_group *group,
	const uint8_t id[CASE_ID_SIZE], uint32_t n, struct index_place *ret)
{
	struct blake2b state;
	uint8_t hash[HASH_SIZE], numbers[8];
	be32_put(numbers, group->segment);
	be32_put(numbers + 4, n);
	blake2b_init(&state, BYTES(key, HASH_SIZE));
	blake2b_add(&state, BYTES(id, CASE_ID_SIZE));
	blake2b_add(&state, BYTES(numbers, sizeof(numbers)));
	blake2b_finish(&state, hash);
	group_encode(group, ret->key);
	memcpy(ret->key + INDEX_GROUP_SIZE, hash, INDEX_TOKEN_SIZE);
	ret->mask = be64_get(hash + INDEX_TOKEN_SIZE);
}

int index_get_message(const struct index_tables *tables, struct db_txn *txn,
	const uint8_t key[HASH_SIZE], const struct index_group *group,
	const uint8_t id[CASE_ID_SIZE], uint32_t n, uint64_t *ret)
{
	struct index_place place;
	struct bytes value;
	place_of(key, group, id, n, &place);
	int r = db_get(txn, tables->message, BYTES(place.key, sizeof(place.key)), &value);
	if (r == 0 && value.len != 8)
		return -EBADMSG;
	if (r == 0)
		*ret = be64_get(value.data) ^ place.mask;
	return r;
}

/* How many messages a case has in a group: there are no gaps, so by doubling, then halving. */
static int count_of(const struct index_tables *tables, struct db_txn *txn,
	const uint8_t key[HASH_SIZE], const struct index_group *group,
	const uint8_t id[CASE_ID_SIZE], uint32_t *ret)
{
	uint32_t low = 0, high = 0;
	uint64_t sequence;
	int r;
	while ((r = index_get_message(tables, txn, key, group, id, high, &sequence)) == 0) {
		low = high + 1;
		high = 2 * high + 1;
	}
	while (r == DB_NOT_FOUND && low < high) {
		uint32_t middle = low + (high - low) / 2;
		r = index_get_message(tables, txn, key, group, id, middle, &sequence);
		if (r == 0)
			low = middle + 1;
		else
			high = middle;
		r = r == 0 ? DB_NOT_FOUND : r;
	}
	*ret = low;
	return r == DB_NOT_FOUND ? 0 : r;
}

int index_put_message(const struct index_tables *tables, struct db_txn *txn, struct keyring *keyring,
	const struct index_group *group, const uint8_t id[CASE_ID_SIZE], uint64_t sequence)
{
	struct index_place place;
	uint8_t key[HASH_SIZE], value[8];
	uint32_t n;
	if (row_index_key(keyring, group->class, group->label, key))
		return KEYRING_MISSING;
	int r = count_of(tables, txn, key, group, id, &n);
	if (r == 0) {
		place_of(key, group, id, n, &place);
		be64_put(value, sequence ^ place.mask);
		r = db_put(txn, tables->message, BYTES(place.key, sizeof(place.key)),
			BYTES(value, sizeof(value)));
	}
	secret_wipe(key, sizeof(key));
	return r;
}

int index_next_group(const struct index_tables *tables, struct db_txn *txn,
	const struct index_group *from, struct index_group *ret)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	uint8_t wanted[INDEX_GROUP_SIZE];
	struct bytes key;
	group_encode(from, wanted);
	int r = db_cursor_open(txn, tables->message, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, BYTES(wanted, sizeof(wanted)), &key, NULL);
	if (r)
		return r;
	if (key.len != INDEX_MESSAGE_KEY_SIZE)
		return -EBADMSG;
	*ret = (struct index_group){.segment = be32_get(key.data),
		.class = key.data[4],
		.label = be32_get(key.data + 5)};
	return 0;
}

struct index_group index_behind(const struct index_group *group)
{
	struct index_group next = *group;
	if (++next.label == 0 && ++next.class == 0)
		next.segment++;
	return next;
}

int index_drop_segment(const struct index_tables *tables, struct db_txn *txn, uint32_t segment)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	uint8_t wanted[4];
	struct bytes key;
	be32_put(wanted, segment);
	int r = db_cursor_open(txn, tables->message, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, BYTES(wanted, sizeof(wanted)), &key, NULL);
	while (r == 0 && key.len == INDEX_MESSAGE_KEY_SIZE && be32_get(key.data) == segment) {
		r = db_cursor_delete(cursor);
		if (r == 0)
			r = db_cursor_next(cursor, &key, NULL);
	}
	return r == DB_NOT_FOUND ? 0 : r;
}

/* ---- what is said about them ---- */

static struct bytes about_key(uint64_t message, uint64_t sequence, uint8_t buf[INDEX_ABOUT_KEY_SIZE])
{
	be64_put(buf, message);
	be64_put(buf + 8, sequence);
	return BYTES(buf, INDEX_ABOUT_KEY_SIZE);
}

int index_put_about(
	const struct index_tables *tables, struct db_txn *txn, uint64_t message, uint64_t sequence)
{
	uint8_t buf[INDEX_ABOUT_KEY_SIZE];
	return db_put(txn, tables->about, about_key(message, sequence, buf), BYTES(NULL, 0));
}

int index_next_about(const struct index_tables *tables, struct db_txn *txn, uint64_t *message,
	uint64_t *sequence)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	uint8_t buf[INDEX_ABOUT_KEY_SIZE];
	struct bytes key;
	int r = db_cursor_open(txn, tables->about, &cursor);
	if (r == 0)
		r = db_cursor_seek(cursor, about_key(*message, *sequence, buf), &key, NULL);
	if (r)
		return r;
	if (key.len != INDEX_ABOUT_KEY_SIZE)
		return -EBADMSG;
	*message = be64_get(key.data);
	*sequence = be64_get(key.data + 8);
	return 0;
}

int index_drop_about(
	const struct index_tables *tables, struct db_txn *txn, uint64_t message, uint64_t sequence)
{
	uint8_t buf[INDEX_ABOUT_KEY_SIZE];
	int r = db_delete(txn, tables->about, about_key(message, sequence, buf));
	return r == DB_NOT_FOUND ? 0 : r;
}
