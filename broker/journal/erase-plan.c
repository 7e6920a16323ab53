/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * By age a plan is one number: every key of a day before it goes. On instruction it is a list of keys, those
 * that seal what is instructed; everything else under them is sealed anew first. Plans are small enough for one
 * value, so a large union takes several runs.
 */
#include "broker/journal/erase.h"

#include <errno.h>
#include <string.h>

enum { KEY_SIZE = 1 + 4, PLAN_ARENA = 64 * 1024 };
#define PLAN_KEY BYTES_STR("erase")

bool erase_plan_dooms(const struct erase_plan *plan, uint8_t class, uint32_t label)
{
	if (label == SEAL_NONE || plan->phase == ERASE_NONE)
		return false;
	if (!plan->by_instruction)
		return label_day(label) < plan->before_day;
	for (size_t i = 0; i < plan->keys_count; i++)
		if (plan->keys[i].class == class && plan->keys[i].label == label)
			return true;
	return false;
}

/* ---- on disk ---- */

static ProtobufCBinaryData pb_bytes(const void *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

int erase_plan_put(
	const struct erase_plan *plan, struct db_txn *txn, const struct journal_tables *tables)
{
	Dienstweg__ErasePlan row = DIENSTWEG__ERASE_PLAN__INIT;
	ProtobufCBinaryData instructions[ERASE_INSTRUCTIONS_MAX];
	uint8_t keys[ERASE_KEYS_MAX * KEY_SIZE], buf[VALUE_MAX];
	if (plan->phase == ERASE_NONE) {
		int r = db_delete(txn, tables->meta, PLAN_KEY);
		return r == DB_NOT_FOUND ? 0 : journal_put_error(r);
	}
	for (size_t i = 0; i < plan->keys_count; i++) {
		keys[i * KEY_SIZE] = plan->keys[i].class;
		be32_put(keys + i * KEY_SIZE + 1, plan->keys[i].label);
	}
	for (size_t i = 0; i < plan->instructions_count; i++)
		instructions[i] = pb_bytes(plan->instructions[i], HASH_SIZE);
	row.phase = plan->phase;
	row.by_instruction = plan->by_instruction;
	row.before_day = plan->before_day;
	row.keys = pb_bytes(keys, plan->keys_count * KEY_SIZE);
	row.instructions = instructions;
	row.n_instructions = plan->instructions_count;
	row.account = plan->account;
	row.cause = pb_bytes(plan->cause, strlen(plan->cause));
	if (dienstweg__erase_plan__get_packed_size(&row) > sizeof(buf))
		return -EMSGSIZE;
	size_t len = dienstweg__erase_plan__pack(&row, buf);
	return journal_put_error(db_put(txn, tables->meta, PLAN_KEY, BYTES(buf, len)));
}

static int plan_decode(const Dienstweg__ErasePlan *row, struct erase_plan *plan)
{
	if (row->phase < ERASE_RESEAL || row->phase > ERASE_KEYS || row->keys.len % KEY_SIZE != 0 ||
		row->keys.len / KEY_SIZE > ERASE_KEYS_MAX ||
		row->n_instructions > ERASE_INSTRUCTIONS_MAX ||
		row->cause.len >= sizeof(plan->cause))
		return -EBADMSG;
	*plan = (struct erase_plan){
		.phase = (enum erase_phase)row->phase,
		.by_instruction = row->by_instruction,
		.before_day = row->before_day,
		.keys_count = row->keys.len / KEY_SIZE,
		.instructions_count = row->n_instructions,
		.account = row->account,
	};
	for (size_t i = 0; i < plan->keys_count; i++)
		plan->keys[i] = (struct keyring_key_name){.class = row->keys.data[i * KEY_SIZE],
			.label = be32_get(row->keys.data + i * KEY_SIZE + 1)};
	for (size_t i = 0; i < row->n_instructions; i++) {
		if (row->instructions[i].len != HASH_SIZE)
			return -EBADMSG;
		memcpy(plan->instructions[i], row->instructions[i].data, HASH_SIZE);
	}
	if (row->cause.len > 0)
		memcpy(plan->cause, row->cause.data, row->cause.len);
	return 0;
}

int erase_plan_get(struct erase_plan *plan, struct db_txn *txn, const struct journal_tables *tables)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(PLAN_ARENA);
	struct bytes value;
	*plan = (struct erase_plan){};
	int r = db_get(txn, tables->meta, PLAN_KEY, &value);
	if (r)
		return r == DB_NOT_FOUND ? 0 : r;
	if (!arena)
		return -ENOMEM;
	const Dienstweg__ErasePlan *row = dienstweg__erase_plan__unpack(
		arena_allocator(arena), value.len, value.data);
	return row ? plan_decode(row, plan) : -EBADMSG;
}

/* ---- on instruction ---- */

/* Return: 0, or 1 when the plan has no room for it. */
static int add_key(struct erase_plan *plan, uint8_t class, uint32_t label)
{
	if (erase_plan_dooms(plan, class, label))
		return 0;
	if (plan->keys_count == ERASE_KEYS_MAX)
		return 1;
	plan->keys[plan->keys_count++] = (struct keyring_key_name){.class = class, .label = label};
	return 0;
}

static int add_instruction(struct erase_plan *plan, const uint8_t digest[HASH_SIZE])
{
	for (size_t i = 0; i < plan->instructions_count; i++)
		if (memcmp(plan->instructions[i], digest, HASH_SIZE) == 0)
			return 0;
	if (plan->instructions_count == ERASE_INSTRUCTIONS_MAX)
		return 1;
	memcpy(plan->instructions[plan->instructions_count++], digest, HASH_SIZE);
	return 0;
}

/* The keys over an entry's rows. Return: 0, 1 no room, DB_NOT_FOUND when its record is gone, negative errno. */
static int add_entry(struct erase_plan *plan, struct db_txn *txn,
	const struct journal_tables *tables, uint64_t sequence)
{
	const struct key stub_key = key_u64(sequence), content_key = key_chunk(sequence, 0);
	struct bytes stub, record, content;
	uint32_t label;
	int r = db_get(txn, tables->record, KEY_BYTES_OF(stub_key), &record);
	if (r == 0)
		r = db_get(txn, tables->stub, KEY_BYTES_OF(stub_key), &stub);
	if (r)
		return r;
	if (stub.len < 3 || row_label(record, &label))
		return -EBADMSG;
	r = add_key(plan, stub.data[2], label);
	if (r)
		return r;
	r = db_get(txn, tables->content, KEY_BYTES_OF(content_key), &content);
	if (r)
		return r == DB_NOT_FOUND ? 0 : r;
	return row_label(content, &label) ? -EBADMSG : add_key(plan, stub.data[2], label);
}

static int take_instructed(struct erase_plan *plan, struct db_txn *txn,
	const struct journal_tables *tables, struct db_cursor *cursor)
{
	struct bytes key, value;
	int r = 0;
	while (r == 0 && (r = db_cursor_next(cursor, &key, &value)) == 0) {
		if (key.len != 8 || value.len != HASH_SIZE)
			return -EBADMSG;
		r = add_entry(plan, txn, tables, be64_get(key.data));
		if (r == DB_NOT_FOUND) /* its age came first */
			r = journal_put_error(db_cursor_delete(cursor));
		else if (r == 0)
			r = add_instruction(plan, value.data);
		if (r == 1)
			return 0; /* the next run takes the others */
	}
	return r == DB_NOT_FOUND ? 0 : r;
}

int erase_plan_instructed(
	struct erase_plan *plan, struct db_txn *txn, const struct journal_tables *tables)
{
	struct db_cursor *cursor;
	*plan = (struct erase_plan){.phase = ERASE_RESEAL, .by_instruction = true};
	int r = db_cursor_open(txn, tables->instructed, &cursor);
	if (r)
		return r;
	r = take_instructed(plan, txn, tables, cursor);
	db_cursor_close(cursor);
	if (r == 0 && plan->keys_count == 0)
		plan->phase = ERASE_NONE;
	return r;
}
