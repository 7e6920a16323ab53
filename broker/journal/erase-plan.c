/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * By age a plan is one number: every key of a day before it goes. On instruction it is a list of keys, those
 * that seal what is instructed; everything else under them is sealed anew first. Plans are small enough for one
 * value, so a large union takes several runs; each begins where the one before had no room any more.
 */
#include "broker/journal/erase.h"

#include <errno.h>
#include <string.h>

#include "broker/journal/record.h"

enum { KEY_SIZE = 1 + 4, PLAN_ARENA = 64 * 1024, NO_ROOM = 60 /* no verdict of the database */ };
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
	_cleanup_(arena_free) struct arena *arena = NULL;
	struct bytes value;
	*plan = (struct erase_plan){};
	int r = db_get(txn, tables->meta, PLAN_KEY, &value);
	if (r)
		return r == DB_NOT_FOUND ? 0 : r;
	arena = arena_new(PLAN_ARENA);
	if (!arena)
		return -ENOMEM;
	const Dienstweg__ErasePlan *row = dienstweg__erase_plan__unpack(
		arena_allocator(arena), value.len, value.data);
	return row ? plan_decode(row, plan) : -EBADMSG;
}

/* ---- on instruction ---- */

static void add_key(struct erase_plan *plan, uint8_t class, uint32_t label)
{
	if (label != SEAL_NONE && !erase_plan_dooms(plan, class, label))
		plan->keys[plan->keys_count++] = (struct keyring_key_name){
			.class = class, .label = label};
}

static bool names(const struct erase_plan *plan, struct bytes digest)
{
	for (size_t i = 0; i < plan->instructions_count; i++)
		if (bytes_equal(BYTES(plan->instructions[i], HASH_SIZE), digest))
			return true;
	return false;
}

/* Under which keys an entry lies; SEAL_NONE: that row is gone. */
struct labels {
	uint8_t class;
	uint32_t record, content;
};

static int label_of(
	const struct record_source *source, uint8_t table, uint64_t sequence, uint32_t *ret)
{
	struct bytes value;
	int r = record_value(source, table, sequence, 0, &value);
	*ret = SEAL_NONE;
	if (r)
		return r == DB_NOT_FOUND ? 0 : r;
	return row_label(value, ret) ? -EBADMSG : 0;
}

static int labels_of(struct db_txn *txn, const struct journal_tables *tables, uint64_t sequence,
	struct labels *ret)
{
	const struct record_source source = {.txn = txn, .tables = tables};
	struct stub stub;
	int r = stub_read(&source, sequence, &stub);
	*ret = (struct labels){};
	if (r)
		return r < 0 ? r : -EBADMSG;
	ret->class = stub.class;
	r = label_of(&source, SEAL_RECORD, sequence, &ret->record);
	return r ? r : label_of(&source, SEAL_CONTENT, sequence, &ret->content);
}

/* All of it or nothing: a content must not stay behind its record. Return: 0 or NO_ROOM. */
static int add_entry(struct erase_plan *plan, const struct labels *labels, struct bytes digest)
{
	size_t keys = (labels->record != SEAL_NONE &&
			      !erase_plan_dooms(plan, labels->class, labels->record)) +
		      (labels->content != SEAL_NONE &&
			      !erase_plan_dooms(plan, labels->class, labels->content));
	bool known = names(plan, digest);
	if (plan->keys_count + keys > ERASE_KEYS_MAX ||
		(!known && plan->instructions_count == ERASE_INSTRUCTIONS_MAX))
		return NO_ROOM;
	add_key(plan, labels->class, labels->record);
	add_key(plan, labels->class, labels->content);
	if (!known)
		memcpy(plan->instructions[plan->instructions_count++], digest.data, HASH_SIZE);
	return 0;
}

/* Return: 0 at the end, NO_ROOM for *@next, negative errno. */
static int take_instructed(struct erase_plan *plan, struct db_txn *txn,
	const struct journal_tables *tables, struct db_cursor *cursor, uint64_t *next)
{
	struct key from = key_u64(*next);
	struct bytes key, value;
	struct labels labels;
	int r = db_cursor_seek(cursor, KEY_BYTES_OF(from), &key, &value);
	while (r == 0) {
		if (key.len != 8 || value.len != HASH_SIZE)
			return -EBADMSG;
		*next = be64_get(key.data);
		r = labels_of(txn, tables, *next, &labels);
		if (r)
			return r;
		if (labels.record == SEAL_NONE && labels.content == SEAL_NONE)
			r = journal_put_error(db_cursor_delete(cursor)); /* its age came first */
		else
			r = add_entry(plan, &labels, value);
		if (r == 0)
			r = db_cursor_next(cursor, &key, &value);
	}
	return r == DB_NOT_FOUND ? 0 : r;
}

int erase_plan_instructed(struct erase_plan *plan, struct db_txn *txn,
	const struct journal_tables *tables, uint64_t *next)
{
	_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
	*plan = (struct erase_plan){.phase = ERASE_RESEAL, .by_instruction = true};
	int r = db_cursor_open(txn, tables->instructed, &cursor);
	if (r == 0)
		r = take_instructed(plan, txn, tables, cursor, next);
	if (r == 0)
		*next = 0;
	if (plan->keys_count == 0)
		plan->phase = ERASE_NONE;
	return r < 0 ? r : 0;
}
