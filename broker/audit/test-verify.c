/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A journal that was left alone has no finding; one with a single changed bit has one, and it names the
 * entry. Every table is damaged in turn, at both depths where it can be seen.
 */
#include "broker/audit/test-life.h"
#include "test/kit/check.h"

static struct audit_verify_result verify(const struct life *life, const char *dir,
	enum audit_depth depth, struct bytes held, struct found *found)
{
	struct audit_verify_result result;
	struct audit_verify_options options = {.depth = depth, .held = held};
	_cleanup_(audit_close) struct audit audit;
	life_open(life, dir, &audit);
	found_init(found);
	CHECK_INT(audit_verify(&audit, &options, &found->report, &result), 0);
	return result;
}

static void finds_nothing_in_an_honest_journal(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	life_init(&life, check_memdir(), "honest");
	struct audit_verify_result result = verify(
		&life, life.journal.dir, AUDIT_FULL, BYTES(NULL, 0), &found);
	found_none(&found);
	CHECK_INT(result.entries, life.size);
	CHECK_INT(result.records, life.size);
	CHECK_INT(result.registries, 2);
	CHECK_INT(result.registry_version, 2);
	CHECK(result.signatures >= 40 + 5 + 1);
	CHECK_INT(result.checkpoints, 2); /* of the first day, and the newest */
	CHECK_INT(result.newest.size, life.size);
	result = verify(&life, life.journal.dir, AUDIT_TREE, BYTES(NULL, 0), &found);
	found_none(&found);
	CHECK_INT(result.records, 0);
	CHECK_INT(result.checkpoints, 2);
}

/* A tool of somebody else's has no keyring: the tree must do without. */
static void needs_no_keys_for_the_tree(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	struct audit_verify_options options = {.depth = AUDIT_TREE};
	struct audit_verify_result result;
	struct found found;
	char error[256];
	life_init(&life, check_memdir(), "keyless");
	struct audit_paths paths = {.journal = life.journal.dir, .policy = life.policy};
	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
	found_init(&found);
	CHECK_INT(audit_verify(&audit, &options, &found.report, &result), 0);
	found_none(&found);
	CHECK_INT(result.entries, life.size);
}

/* Flip a bit, expect one finding. */
struct flip {
	const char *table;
	struct key key;
	size_t offset;
	const char *code;
	uint64_t sequence;
	enum audit_depth least; /* depth at which it shows */
};

static void check_flip(const struct life *life, const struct flip *flip, size_t number)
{
	struct found found;
	char dir[300], name[32];
	snprintf(name, sizeof(name), "flip%zu", number);
	life_copy(life, name, dir);
	life_flip(dir, flip->table, KEY_BYTES_OF(flip->key), flip->offset);
	verify(life, dir, AUDIT_FULL, BYTES(NULL, 0), &found);
	found_some(&found, flip->code, flip->sequence);
	/* A changed stub also fits its record no more; everything else is one finding. */
	bool stub = strcmp(flip->table, "stub") == 0;
	if (found.report.findings != (stub ? 2 : 1))
		found_one(&found, flip->code, flip->sequence);
	verify(life, dir, AUDIT_TREE, BYTES(NULL, 0), &found);
	if (flip->least == AUDIT_TREE)
		found_one(&found, flip->code, flip->sequence);
	else
		found_none(&found);
}

static struct key tile(uint64_t end, uint8_t level)
{
	struct key key = key_u64(end);
	key.bytes[key.len++] = level;
	return key;
}

static void finds_every_flipped_bit(void)
{
	_cleanup_(life_deinit) struct life life;
	life_init(&life, check_memdir(), "flips");
	uint64_t message = life.first_message + 3, notice = life.first_notice;
	CHECK(life.size > 64);
	const struct flip flips[] = {
		{"stub", key_u64(message), 34, "stub-changed", message, AUDIT_TREE},
		{"stub", key_u64(message), 1, "stub-changed", message, AUDIT_TREE},
		{"record", key_u64(message), 60, "record-changed", message, AUDIT_FULL},
		{"record", key_u64(life.acknowledged), 60, "record-changed", life.acknowledged,
			AUDIT_FULL},
		{"record", key_u64(life.refused), 100, "record-changed", life.refused, AUDIT_FULL},
		{"record", key_u64(1), 90, "record-changed", 1, AUDIT_FULL},
		{"content", key_chunk(notice, 0), 500, "content-changed", notice, AUDIT_FULL},
		{"content", key_chunk(notice, 2), 60, "content-changed", notice, AUDIT_FULL},
		{"tile", tile(32, 0), 5 * 32, "tile-changed", 5, AUDIT_TREE},
		{"tile", tile(64, 0), 31 * 32 + 7, "tile-changed", 63, AUDIT_TREE},
		{"checkpoint", key_u64(life.size), 3, "checkpoint-signature", life.size - 1,
			AUDIT_TREE},
		{"checkpoint", key_u64(life.day_end), 150, "checkpoint-signature", life.day_end - 1,
			AUDIT_TREE},
	};
	for (size_t i = 0; i < ARRAY_LEN(flips); i++)
		check_flip(&life, &flips[i], i);
}

/* Edges stand in meta: the incomplete rows of levels 0 and 5. */
static void finds_changes_at_the_edge(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	uint8_t edge[5] = {'e', 'd', 'g', 'e', 0};
	char dir[300];
	life_init(&life, check_memdir(), "edge");
	life_copy(&life, "zero", dir);
	life_flip(dir, "meta", BYTES(edge, 5), 0);
	verify(&life, dir, AUDIT_TREE, BYTES(NULL, 0), &found);
	found_one(&found, "tile-changed", life.size / 32 * 32);
	edge[4] = 5;
	life_copy(&life, "five", dir);
	life_flip(dir, "meta", BYTES(edge, 5), 33);
	verify(&life, dir, AUDIT_TREE, BYTES(NULL, 0), &found);
	found_one(&found, "tile-changed", 32);
}

static void finds_missing_rows(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	char dir[300];
	life_init(&life, check_memdir(), "missing");
	uint64_t message = life.first_message + 1, notice = life.first_notice + 1;
	struct key key = key_u64(message);
	life_copy(&life, "stub", dir);
	life_remove(dir, "stub", KEY_BYTES_OF(key));
	verify(&life, dir, AUDIT_FULL, BYTES(NULL, 0), &found);
	found_one(&found, "stub-missing", message);

	life_copy(&life, "record", dir);
	life_remove(dir, "record", KEY_BYTES_OF(key));
	verify(&life, dir, AUDIT_FULL, BYTES(NULL, 0), &found);
	found_one(&found, "record-missing", message);

	for (uint16_t chunk = 0; chunk < 3; chunk++) {
		key = key_chunk(notice, chunk);
		life_copy(&life, "content", dir);
		life_remove(dir, "content", KEY_BYTES_OF(key));
		verify(&life, dir, AUDIT_FULL, BYTES(NULL, 0), &found);
		found_one(&found, chunk == 0 ? "content-missing" : "content-changed", notice);
	}

	key = tile(64, 0);
	life_copy(&life, "tile", dir);
	life_remove(dir, "tile", KEY_BYTES_OF(key));
	verify(&life, dir, AUDIT_TREE, BYTES(NULL, 0), &found);
	found_one(&found, "tile-missing", 32);

	key = key_u64(life.size);
	life_copy(&life, "checkpoint", dir);
	life_remove(dir, "checkpoint", KEY_BYTES_OF(key));
	verify(&life, dir, AUDIT_TREE, BYTES(NULL, 0), &found);
	found_one(&found, "checkpoint-missing", life.size - 1);

	key = key_u64(life.second_registry);
	life_copy(&life, "registry", dir);
	life_remove(dir, "registry", KEY_BYTES_OF(key));
	verify(&life, dir, AUDIT_TREE, BYTES(NULL, 0), &found);
	found_one(&found, "registry-row", life.second_registry);
}

/* The head said so: sizes of the journal that lie before its end. */
static void finds_a_cut_journal(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	struct bytes note;
	uint8_t copy[CHECKPOINT_NOTE_MAX];
	char dir[300];
	life_init(&life, check_memdir(), "cut");
	/* Stubs gone from the end. */
	struct key key = key_u64(life.size - 1);
	life_copy(&life, "stubs", dir);
	life_remove(dir, "stub", KEY_BYTES_OF(key));
	verify(&life, dir, AUDIT_TREE, BYTES(NULL, 0), &found);
	found_one(&found, "stub-missing", life.size - 1);
	/* A head that names an earlier end: u32 epoch, then the size. */
	life_copy(&life, "head", dir);
	life_flip(dir, "meta", BYTES_STR("head"), 4 + 7);
	verify(&life, dir, AUDIT_TREE, BYTES(NULL, 0), &found);
	CHECK(found.report.findings >= 1);
	if ((life.size ^ 1) < life.size)
		found_some(&found, "entries-missing", life.size ^ 1);
	/* Somebody who was there remembers a longer journal. */
	struct journal_reader *reader = NULL;
	CHECK_INT(journal_reader_open(life.journal.dir, NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_checkpoint(reader, 0, &note), 0);
	size_t len = note.len;
	memcpy(copy, note.data, len);
	journal_reader_free(reader);
	journal_fixture_start(&life.journal);
	journal_fixture_stop(&life.journal);
	verify(&life, life.journal.dir, AUDIT_TREE, BYTES(copy, len), &found);
	found_none(&found);
	life_copy(&life, "older", dir);
	CHECK_INT(journal_reader_open(life.journal.dir, NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_checkpoint(reader, 0, &note), 0);
	len = note.len;
	memcpy(copy, note.data, len);
	journal_reader_free(reader);
	journal_fixture_start(&life.journal);
	journal_fixture_stop(&life.journal);
	CHECK(strstr((char *)copy, "test.demo/0"));
	verify(&life, dir, AUDIT_TREE, BYTES(copy, len), &found);
	found_none(&found);
	copy[len - 5] ^= 1; /* in the signature */
	verify(&life, dir, AUDIT_TREE, BYTES(copy, len), &found);
	CHECK_INT(found.report.findings, 1);
}

static void finds_a_foreign_policy(void)
{
	_cleanup_(life_deinit) struct life life, other;
	struct found found;
	life_init(&life, check_memdir(), "pinned");
	life_init(&other, check_memdir(), "other");
	char policy[300];
	memcpy(policy, life.policy, sizeof(policy));
	memcpy(life.policy, other.policy, sizeof(policy));
	verify(&life, life.journal.dir, AUDIT_FULL, BYTES(NULL, 0), &found);
	found_one(&found, "registry-unpinned", life.second_registry);
	memcpy(life.policy, policy, sizeof(policy));
}

CHECK_MAIN(CHECK_CASE(finds_nothing_in_an_honest_journal), CHECK_CASE(needs_no_keys_for_the_tree),
	CHECK_CASE(finds_every_flipped_bit), CHECK_CASE(finds_changes_at_the_edge),
	CHECK_CASE(finds_missing_rows), CHECK_CASE(finds_a_cut_journal),
	CHECK_CASE(finds_a_foreign_policy))
