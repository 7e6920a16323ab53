/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Rows are immutable and counted, tables are sorted arrays of pointers to them. A snapshot then copies
 * pointers only, and a digest hashes each row once in its life however many snapshots share it: the
 * explorer takes a snapshot and a digest per step. Counts are not atomic: all snapshots of one state
 * belong to one thread.
 */
#include "broker/routing/memory.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/crypto.h"

struct row {
	uint32_t refs;
	uint32_t key_len;
	uint32_t value_len;
	bool hashed;
	uint8_t hash[HASH_SIZE]; /* of lengths, key and value; when hashed */
	uint8_t data[];          /* key, value */
};

struct table {
	struct row **rows;
	size_t count;
	size_t room;
};

struct state_memory {
	struct state state; /* first */
	struct table tables[STATE_TABLES];
};

static struct bytes row_key(const struct row *row)
{
	return BYTES(row->data, row->key_len);
}

static struct bytes row_value(const struct row *row)
{
	return BYTES(row->data + row->key_len, row->value_len);
}

static struct row *row_new(struct bytes key, struct bytes value)
{
	struct row *row = malloc(sizeof(*row) + key.len + value.len);
	if (!row)
		return NULL;
	row->refs = 1;
	row->hashed = false;
	row->key_len = (uint32_t)key.len;
	row->value_len = (uint32_t)value.len;
	memcpy(row->data, key.data, key.len);
	if (value.len)
		memcpy(row->data + key.len, value.data, value.len);
	return row;
}

static void row_unref(struct row *row)
{
	if (--row->refs == 0)
		free(row);
}

/* Index of the first row with key >= @key; whether it is equal. */
static size_t table_find(const struct table *table, struct bytes key, bool *ret_equal)
{
	size_t low = 0, high = table->count;
	*ret_equal = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = bytes_compare(row_key(table->rows[middle]), key);
		if (order < 0) {
			low = middle + 1;
		} else {
			*ret_equal |= order == 0;
			high = middle;
		}
	}
	return low;
}

static struct table *table_of(struct state *state, enum state_table table)
{
	return &((struct state_memory *)state)->tables[table];
}

static int memory_get(struct state *state, enum state_table t, struct bytes key, struct bytes *ret)
{
	struct table *table = table_of(state, t);
	bool equal;
	size_t at = table_find(table, key, &equal);
	if (!equal)
		return STATE_NOT_FOUND;
	*ret = row_value(table->rows[at]);
	return 0;
}

static int table_reserve(struct table *table, size_t count)
{
	if (count <= table->room)
		return 0;
	size_t room = table->room ? table->room * 2 : 8;
	if (room < count)
		room = count;
	struct row **rows = realloc(table->rows, room * sizeof(struct row *));
	if (!rows)
		return -ENOMEM;
	table->rows = rows;
	table->room = room;
	return 0;
}

static int memory_put(struct state *state, enum state_table t, struct bytes key, struct bytes value)
{
	struct table *table = table_of(state, t);
	struct row *row = row_new(key, value);
	if (!row)
		return -ENOMEM;
	bool equal;
	size_t at = table_find(table, key, &equal);
	if (equal) {
		row_unref(table->rows[at]);
		table->rows[at] = row;
		return 0;
	}
	int r = table_reserve(table, table->count + 1);
	if (r < 0) {
		row_unref(row);
		return r;
	}
	memmove(&table->rows[at + 1], &table->rows[at], (table->count - at) * sizeof(struct row *));
	table->rows[at] = row;
	table->count++;
	return 0;
}

static int memory_del(struct state *state, enum state_table t, struct bytes key)
{
	struct table *table = table_of(state, t);
	bool equal;
	size_t at = table_find(table, key, &equal);
	if (!equal)
		return STATE_NOT_FOUND;
	row_unref(table->rows[at]);
	table->count--;
	memmove(&table->rows[at], &table->rows[at + 1], (table->count - at) * sizeof(struct row *));
	return 0;
}

static int memory_seek(struct state *state, enum state_table t, struct bytes key,
	struct bytes *ret_key, struct bytes *ret_value)
{
	struct table *table = table_of(state, t);
	bool equal;
	size_t at = table_find(table, key, &equal);
	if (at == table->count)
		return STATE_NOT_FOUND;
	*ret_key = row_key(table->rows[at]);
	*ret_value = row_value(table->rows[at]);
	return 0;
}

static const struct state_ops memory_ops = {
	.get = memory_get,
	.put = memory_put,
	.del = memory_del,
	.seek = memory_seek,
};

int state_memory_new(struct state_memory **ret)
{
	struct state_memory *memory = calloc(1, sizeof(*memory));
	if (!memory)
		return -ENOMEM;
	memory->state.ops = &memory_ops;
	*ret = memory;
	return 0;
}

void state_memory_free(struct state_memory *memory)
{
	if (!memory)
		return;
	for (size_t t = 0; t < STATE_TABLES; t++) {
		for (size_t i = 0; i < memory->tables[t].count; i++)
			row_unref(memory->tables[t].rows[i]);
		free(memory->tables[t].rows);
	}
	free(memory);
}

struct state *state_memory_state(struct state_memory *memory)
{
	return &memory->state;
}

int state_memory_copy(const struct state_memory *memory, struct state_memory **ret)
{
	_cleanup_(state_memory_free) struct state_memory *copy = NULL;
	int r = state_memory_new(&copy);
	if (r < 0)
		return r;
	for (size_t t = 0; t < STATE_TABLES; t++) {
		const struct table *from = &memory->tables[t];
		r = table_reserve(&copy->tables[t], from->count);
		if (r < 0)
			return r;
		for (size_t i = 0; i < from->count; i++) {
			from->rows[i]->refs++;
			copy->tables[t].rows[i] = from->rows[i];
		}
		copy->tables[t].count = from->count;
	}
	*ret = steal(&copy);
	return 0;
}

int state_memory_compare(
	const struct state_memory *a, const struct state_memory *b, enum state_table *ret_table)
{
	for (size_t t = 0; t < STATE_TABLES; t++) {
		const struct table *left = &a->tables[t], *right = &b->tables[t];
		*ret_table = (enum state_table)t;
		if (left->count != right->count)
			return 1;
		for (size_t i = 0; i < left->count; i++)
			if (!bytes_equal(row_key(left->rows[i]), row_key(right->rows[i])) ||
				!bytes_equal(row_value(left->rows[i]), row_value(right->rows[i])))
				return 1;
	}
	return 0;
}

static const uint8_t *row_hash(struct row *row)
{
	if (!row->hashed) {
		struct blake2b hash;
		uint8_t lengths[8];
		be32_put(lengths, row->key_len);
		be32_put(lengths + 4, row->value_len);
		blake2b_init(&hash, BYTES(NULL, 0));
		blake2b_add(&hash, BYTES(lengths, sizeof(lengths)));
		blake2b_add(&hash, BYTES(row->data, (size_t)row->key_len + row->value_len));
		blake2b_finish(&hash, row->hash);
		row->hashed = true;
	}
	return row->hash;
}

void state_memory_digest(const struct state_memory *memory, uint8_t ret[32])
{
	struct blake2b hash;
	blake2b_init(&hash, BYTES(NULL, 0));
	for (size_t t = 0; t < STATE_TABLES; t++) {
		const struct table *table = &memory->tables[t];
		uint8_t count[8];
		be64_put(count, table->count);
		blake2b_add(&hash, BYTES(count, sizeof(count)));
		for (size_t i = 0; i < table->count; i++)
			blake2b_add(&hash, BYTES(row_hash(table->rows[i]), HASH_SIZE));
	}
	blake2b_finish(&hash, ret);
}
