/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An audit is run when something is wrong. So whatever stands in the rows, every tool must come to an end
 * with findings or an error, and a damaged journal must never pass for a whole one.
 */
#include <errno.h>

#include "broker/audit/queues.h"
#include "broker/audit/recent.h"
#include "broker/audit/replay.h"
#include "broker/audit/test-life.h"
#include "broker/audit/timeline.h"
#include "test/kit/check.h"

enum { ROUNDS = 60, FLIPS_MAX = 8 };

static const char *const all_tables[] = {"meta", "stub", "record", "content", "tile", "checkpoint",
	"registry", "queue", "timer", "seen", "end", "counter", "party"};

/* xorshift64*: the seed is the round, so that a failure can be repeated. */
static uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* Flip a bit in some rows of a table. Return: how many. */
static size_t damage(const char *dir, const char *table, uint64_t *random)
{
	struct db_options options = {
		.map_bytes = UINT64_C(1) << 30, .tables_max = TABLES_MAX, .readers_max = 4};
	struct db_env *env;
	struct db_txn *txn;
	db_table_id id;
	uint64_t rows;
	size_t flips = 1 + next(random) % FLIPS_MAX, flipped = 0;
	CHECK_INT(db_env_open(dir, &options, &env), 0);
	CHECK_INT(db_begin(env, true, &txn), 0);
	CHECK_INT(db_table_open(txn, table, &id), 0);
	CHECK_INT(db_count(txn, id, &rows), 0);
	for (size_t i = 0; i < flips && rows > 0; i++) {
		_cleanup_(db_cursor_close) struct db_cursor *cursor = NULL;
		struct bytes key, value;
		uint8_t key_copy[511], copy[VALUE_MAX];
		CHECK_INT(db_cursor_open(txn, id, &cursor), 0);
		CHECK_INT(db_cursor_first(cursor, &key, &value), 0);
		for (uint64_t row = next(random) % rows; row > 0; row--)
			CHECK_INT(db_cursor_next(cursor, &key, &value), 0);
		if (value.len == 0)
			continue;
		memcpy(key_copy, key.data, key.len);
		memcpy(copy, value.data, value.len);
		copy[next(random) % value.len] ^= (uint8_t)(1u << next(random) % 8);
		CHECK_INT(db_put(txn, id, BYTES(key_copy, key.len), BYTES(copy, value.len)), 0);
		flipped++;
	}
	CHECK_INT(db_commit(txn), 0);
	db_env_close(env);
	return flipped;
}

static int see_nothing(void *context, const struct timeline_event *event)
{
	return 0;
}

static void walk_case(struct audit *audit, struct case_index *index, const uint8_t id[CASE_ID_SIZE],
	struct found *found)
{
	_cleanup_(case_entries_deinit) struct case_entries entries = {};
	if (case_index_entries(index, audit->keyring, id, &entries) == 0)
		timeline_walk(audit, &entries, see_nothing, NULL, &found->report);
}

/* Cases through an index made from the damaged journal. */
static void walk_cases(struct life *life, struct audit *audit, const char *dir)
{
	_cleanup_(case_recent_deinit) struct case_recent recent = {.audit = audit};
	struct case_index *index = NULL;
	struct found found;
	char path[320], error[512];
	uint8_t id[CASE_ID_SIZE];
	found_init(&found);
	CHECK(snprintf(path, sizeof(path), "%s-index", dir) < (int)sizeof(path));
	CHECK_INT(case_index_open(path, &index, error, sizeof(error)), 0);
	if (case_index_update(index, audit, true, &found.report) == 0) {
		CHECK_INT(case_index_begin(index), 0);
		int r = audit_refresh(audit);
		for (int i = 0; i < 20 && r == 0; i++) {
			r = case_recent_next(&recent, id);
			if (r == 0)
				walk_case(audit, index, id, &found);
		}
		walk_case(audit, index, life->case_id, &found);
	}
	case_index_free(index);
}

/* Return: did anything say that something is wrong? */
static bool notices(struct life *life, const char *dir)
{
	struct audit_paths paths = {
		.journal = dir,
		.keyring = life->journal.keys,
		.master_key = life->journal.master,
		.policy = life->policy,
	};
	struct audit_verify_options full = {.depth = AUDIT_FULL};
	struct audit_replay_options options = {.work = check_memdir(), .findings_max = 20};
	struct audit_verify_result verified;
	struct audit_replay_result replayed;
	_cleanup_(queue_list_deinit) struct queue_list list = {};
	_cleanup_(audit_close) struct audit audit;
	struct found verify_found, replay_found;
	char error[512];
	if (audit_open(&paths, &audit, error, sizeof(error)))
		return true;
	found_init(&verify_found);
	found_init(&replay_found);
	int verify_r = audit_verify(&audit, &full, &verify_found.report, &verified);
	int replay_r = audit_replay(&audit, &options, &replay_found.report, &replayed);
	walk_cases(life, &audit, dir);
	queue_list_read(&audit, &list);
	return verify_r || replay_r || verify_found.report.findings || replay_found.report.findings;
}

static void comes_to_an_end_on_any_damage(void)
{
	_cleanup_(life_deinit) struct life life;
	life_init(&life, check_memdir(), "any");
	for (uint64_t round = 0; round < ROUNDS; round++) {
		uint64_t random = (round + 1) * UINT64_C(0x9e3779b97f4a7c15);
		const char *table = all_tables[round % ARRAY_LEN(all_tables)];
		char dir[300];
		life_copy(&life, "damaged", dir);
		size_t flipped = damage(dir, table, &random);
		for (size_t i = next(&random) % 3; i > 0; i--)
			flipped += damage(
				dir, all_tables[next(&random) % ARRAY_LEN(all_tables)], &random);
		/* Two flips of one bit are none; everything else has to be seen. Only counts of
		   refusals may differ, and a few numbers in a registry row that nobody reads. */
		if (!notices(&life, dir) && flipped > 0 && strcmp(table, "counter") != 0 &&
			strcmp(table, "registry") != 0)
			CHECK_FAIL("round %llu: damage in %s goes unnoticed",
				(unsigned long long)round, table);
	}
}

/* An outsider's favourite: rows that are not damaged but absent. */
static void comes_to_an_end_without_a_table(void)
{
	_cleanup_(life_deinit) struct life life;
	life_init(&life, check_memdir(), "absent");
	for (size_t i = 0; i < ARRAY_LEN(all_tables); i++) {
		struct db_options options = {
			.map_bytes = UINT64_C(1) << 30, .tables_max = TABLES_MAX, .readers_max = 4};
		struct db_env *env;
		struct db_txn *txn;
		struct db_cursor *cursor;
		db_table_id id;
		char dir[300], name[16];
		snprintf(name, sizeof(name), "empty%zu", i);
		life_copy(&life, name, dir);
		CHECK_INT(db_env_open(dir, &options, &env), 0);
		CHECK_INT(db_begin(env, true, &txn), 0);
		CHECK_INT(db_table_open(txn, all_tables[i], &id), 0);
		CHECK_INT(db_cursor_open(txn, id, &cursor), 0);
		for (int r = db_cursor_first(cursor, NULL, NULL); r == 0;
			r = db_cursor_next(cursor, NULL, NULL))
			CHECK_INT(db_cursor_delete(cursor), 0);
		db_cursor_close(cursor);
		CHECK_INT(db_commit(txn), 0);
		db_env_close(env);
		if (!notices(&life, dir))
			CHECK_FAIL("an empty table %s goes unnoticed", all_tables[i]);
	}
}

CHECK_MAIN(CHECK_CASE(comes_to_an_end_on_any_damage), CHECK_CASE(comes_to_an_end_without_a_table))
