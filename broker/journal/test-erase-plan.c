/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What is to be erased early is planned in portions of one value. Nobody's instruction may wait for ever because
 * others, which cannot be carried out, stand before it; and no portion may end in the middle of an entry.
 */
#include "broker/journal/erase.h"

#include <string.h>

#include "broker/journal/keyring-use.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

enum { CLASS = 1, DAY = 20000 };

struct world {
	struct db_env *env;
	struct db_txn *txn;
	struct journal_tables tables;
};

static void world_init(struct world *w, const char *name)
{
	const struct db_options options = {
		.map_bytes = 64 << 20, .tables_max = TABLES_MAX, .readers_max = 4};
	char path[300];
	CHECK(snprintf(path, sizeof(path), "%s/%s", check_memdir(), name) > 0);
	CHECK_INT(dir_make(path, 0700), 0);
	CHECK_INT(db_env_open(path, &options, &w->env), 0);
	CHECK_INT(db_begin(w->env, true, &w->txn), 0);
	CHECK_INT(journal_tables_open(&w->tables, w->txn), 0);
}

static void world_deinit(struct world *w)
{
	db_abort(w->txn);
	db_env_close(w->env);
}
DEFINE_CLEANUP_PTR(struct world, world_deinit);

static void put(struct world *w, db_table_id table, struct key key, const void *value, size_t len)
{
	CHECK_INT(db_put(w->txn, table, KEY_BYTES_OF(key), BYTES(value, len)), 0);
}

/* A row of which only the label matters. 0: none. */
static void put_row(struct world *w, db_table_id table, struct key key, uint32_t label)
{
	uint8_t row[ROW_SEAL_OVERHEAD + 1] = {1};
	be32_put(row + 1, label);
	if (label)
		put(w, table, key, row, sizeof(row));
}

static void instruct(
	struct world *w, uint64_t sequence, uint32_t record, uint32_t content, uint8_t instruction)
{
	uint8_t stub[STUB_SIZE] = {0, DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED, CLASS};
	uint8_t digest[HASH_SIZE] = {instruction};
	put(w, w->tables.stub, key_u64(sequence), stub, sizeof(stub));
	put_row(w, w->tables.record, key_record(sequence, 0), record);
	put_row(w, w->tables.content, key_chunk(sequence, 0), content);
	put(w, w->tables.instructed, key_u64(sequence), digest, sizeof(digest));
}

static bool has_instruction(const struct erase_plan *plan, uint8_t instruction)
{
	for (size_t i = 0; i < plan->instructions_count; i++)
		if (plan->instructions[i][0] == instruction)
			return true;
	return false;
}

/* They stay in the table because they are held; the others have their turn all the same. */
static void held_ones_do_not_stand_in_the_way(void)
{
	_cleanup_(world_deinit) struct world w;
	struct erase_plan plan;
	uint64_t next = 0;
	world_init(&w, "held");
	enum { COUNT = 2 * ERASE_INSTRUCTIONS_MAX + 5 };
	for (uint8_t i = 0; i < COUNT; i++)
		instruct(&w, 100 + i, label_make(DAY, 0), label_make(DAY - 700, 0), i + 1);
	for (uint8_t i = 0; i < COUNT; i++) {
		if (i % ERASE_INSTRUCTIONS_MAX == 0)
			CHECK_INT(erase_plan_instructed(&plan, w.txn, &w.tables, &next), 0);
		CHECK(has_instruction(&plan, i + 1));
	}
	CHECK_INT(plan.instructions_count, 5);
	CHECK_INT(plan.keys_count, 2);
	CHECK_INT(next, 0); /* all had their turn; the next week begins in front */
	CHECK_INT(erase_plan_instructed(&plan, w.txn, &w.tables, &next), 0);
	CHECK(has_instruction(&plan, 1) && next == 100 + ERASE_INSTRUCTIONS_MAX);
}

/* With room for one more key, an entry that needs two has to wait: else its content would outlive its record. */
static void an_entry_goes_whole(void)
{
	_cleanup_(world_deinit) struct world w;
	struct erase_plan plan;
	uint64_t next = 0;
	enum { LAST = 1 + ERASE_KEYS_MAX / 2 };
	world_init(&w, "whole");
	instruct(&w, 1, label_make(DAY, 0), 0, 1); /* one key, so that one is left over */
	for (uint32_t i = 2; i <= LAST; i++)
		instruct(&w, i, label_make(DAY + i, 0), label_make(DAY - 2 * i, 0), 1);
	CHECK_INT(erase_plan_instructed(&plan, w.txn, &w.tables, &next), 0);
	CHECK_INT(next, LAST);
	CHECK_INT(plan.keys_count, ERASE_KEYS_MAX - 1);
	CHECK(!erase_plan_dooms(&plan, CLASS, label_make(DAY + LAST, 0)));
	CHECK_INT(erase_plan_instructed(&plan, w.txn, &w.tables, &next), 0);
	CHECK_INT(next, 0);
	CHECK_INT(plan.keys_count, 2);
	CHECK(erase_plan_dooms(&plan, CLASS, label_make(DAY + LAST, 0)));
	CHECK(erase_plan_dooms(&plan, CLASS, label_make(DAY - 2 * LAST, 0)));
}

static void what_is_left_of_an_entry_goes_too(void)
{
	_cleanup_(world_deinit) struct world w;
	struct erase_plan plan;
	struct bytes value;
	struct key whole = key_u64(1), part = key_u64(2);
	uint64_t next = 0;
	world_init(&w, "left");
	instruct(&w, 1, 0, 0, 1);                  /* its age came first */
	instruct(&w, 2, 0, label_make(DAY, 0), 1); /* its record's did: the content was spared */
	CHECK_INT(erase_plan_instructed(&plan, w.txn, &w.tables, &next), 0);
	CHECK_INT(plan.keys_count, 1);
	CHECK(erase_plan_dooms(&plan, CLASS, label_make(DAY, 0)));
	CHECK_INT(db_get(w.txn, w.tables.instructed, KEY_BYTES_OF(whole), &value), DB_NOT_FOUND);
	CHECK_INT(db_get(w.txn, w.tables.instructed, KEY_BYTES_OF(part), &value), 0);
}

CHECK_MAIN(CHECK_CASE(held_ones_do_not_stand_in_the_way), CHECK_CASE(an_entry_goes_whole),
	CHECK_CASE(what_is_left_of_an_entry_goes_too))
