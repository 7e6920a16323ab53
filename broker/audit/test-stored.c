/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Journals that older programs wrote must replay in this one: the same decisions, the same tables, the same states.
 * There is one for each version of the rules that was released; the newest gets its own when it is. Whoever changes
 * the rules of a released version breaks this test, and whoever begins a new one without storing a journal of the one
 * before as well.
 */
#include "broker/audit/test-stored.h"

#include <stdlib.h>
#include <unistd.h>

#include "broker/audit/entry.h"
#include "broker/audit/rebuild.h"
#include "broker/audit/test-life.h"
#include "broker/journal/store.h"
#include "broker/routing/versions.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

struct stored {
	char dir[256], journal[300], keys[300], master[300];
	uint8_t *data;
	size_t len, at;
};

static struct bytes take(struct stored *stored, size_t len)
{
	CHECK(len <= stored->len - stored->at);
	stored->at += len;
	return BYTES(stored->data + stored->at - len, len);
}

static void take_row(struct stored *stored, char table[64], struct bytes *key, struct bytes *value)
{
	struct bytes name = take(stored, take(stored, 1).data[0]);
	CHECK(name.len > 0 && name.len < 64);
	memcpy(table, name.data, name.len);
	table[name.len] = '\0';
	*key = take(stored, be16_get(take(stored, 2).data));
	*value = take(stored, be32_get(take(stored, 4).data));
}

static void put_file(const struct stored *stored, struct bytes name, struct bytes value)
{
	char path[400];
	bool master = bytes_equal(name, BYTES_STR("../master"));
	CHECK(snprintf(path, sizeof(path), "%s/%.*s", master ? stored->dir : stored->keys,
		      master ? 6 : (int)name.len,
		      master ? "master" : (const char *)name.data) < (int)sizeof(path));
	CHECK_INT(file_replace(path, value, 0600), 0);
}

static void unpack(struct stored *stored, const char *file)
{
	struct db_options options = {
		.map_bytes = 64 << 20, .tables_max = TABLES_MAX, .readers_max = 4, .mode = 0600};
	struct db_env *env;
	struct db_txn *txn;
	CHECK_INT(file_read(file, STORED_BYTES_MAX, &stored->data, &stored->len), 0);
	struct bytes magic = take(stored, sizeof(STORED_MAGIC) - 1);
	CHECK(bytes_equal(magic, BYTES_STR(STORED_MAGIC)));
	CHECK_INT(dir_make(stored->journal, 0700), 0);
	CHECK_INT(dir_make(stored->keys, 0700), 0);
	CHECK_INT(db_env_open(stored->journal, &options, &env), 0);
	CHECK_INT(db_begin(env, true, &txn), 0);
	while (stored->at < stored->len) {
		struct bytes key, value;
		char table[64];
		db_table_id id;
		take_row(stored, table, &key, &value);
		if (strcmp(table, STORED_FILES) == 0) {
			put_file(stored, key, value);
			continue;
		}
		CHECK_INT(db_table_open(txn, table, &id), 0);
		CHECK_INT(db_put(txn, id, key, value), 0);
	}
	/* Tables that were empty, or that a later format brought. */
	for (size_t i = 0; journal_table_name(i); i++) {
		db_table_id id;
		CHECK_INT(db_table_open(txn, journal_table_name(i), &id), 0);
	}
	for (enum state_table table = 0; table < STATE_TABLES; table++) {
		db_table_id id;
		CHECK_INT(db_table_open(txn, state_table_name(table), &id), 0);
	}
	CHECK_INT(db_commit(txn), 0);
	db_env_close(env);
	free(stored->data);
}

static void name_stored(uint32_t version, char file[512])
{
	CHECK(snprintf(file, 512, "%s/rules-%u.journal", STORED_JOURNALS, version) < 512);
}

static void open_stored(struct stored *stored, uint32_t version)
{
	char file[512];
	name_stored(version, file);
	snprintf(stored->dir, sizeof(stored->dir), "%s/rules-%u", check_memdir(), version);
	snprintf(stored->journal, sizeof(stored->journal), "%s/journal", stored->dir);
	snprintf(stored->keys, sizeof(stored->keys), "%s/keys", stored->dir);
	snprintf(stored->master, sizeof(stored->master), "%s/master", stored->dir);
	CHECK_INT(dir_make(stored->dir, 0700), 0);
	unpack(stored, file);
}

static bool is_stored(uint32_t version)
{
	char file[512];
	name_stored(version, file);
	return access(file, F_OK) == 0;
}

static void replays(const struct stored *stored, uint32_t version)
{
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct audit_paths paths = {
		.journal = stored->journal, .keyring = stored->keys, .master_key = stored->master};
	struct audit_replay_options options = {.work = check_memdir()};
	struct audit_replay_result result;
	struct audit_entry first;
	struct found found;
	char error[512];
	int r = audit_open(&paths, &audit, error, sizeof(error));
	if (r)
		CHECK_FAIL("audit_open() is %d: %s", r, error);
	CHECK_INT(audit_entry_read(audit.reader, 0, arena, &first), 0);
	CHECK_INT(first.decision->rules_version, version);
	found_init(&found);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &result), 0);
	found_none(&found);
	CHECK(result.complete);
	CHECK(result.decisions >= 60 && result.states >= 1 && result.rows[STATE_QUEUE] >= 40);
}

static void rebuilds(const struct stored *stored)
{
	struct audit_paths paths = {
		.journal = stored->journal, .keyring = stored->keys, .master_key = stored->master};
	struct audit_replay_options options = {};
	struct audit_replay_result result;
	struct found found;
	char error[512];
	found_init(&found);
	CHECK_INT(audit_rebuild(&paths, &options, &found.report, &result, error, sizeof(error)), 0);
	found_none(&found);
	CHECK(result.complete);
}

static void every_version_of_the_rules(void)
{
	CHECK_INT(crypto_init(), 0);
	for (uint32_t version = 0; version <= RULES_VERSION; version++) {
		struct stored stored = {};
		const struct rules_version *rules = rules_version_find(version);
		CHECK(rules && rules->version == version);
		if (version == RULES_VERSION && !is_stored(version))
			break;
		open_stored(&stored, version);
		replays(&stored, version);
		rebuilds(&stored);
		replays(&stored, version);
	}
	CHECK(!rules_version_find(RULES_VERSION + 1));
}

CHECK_MAIN(CHECK_CASE(every_version_of_the_rules))
