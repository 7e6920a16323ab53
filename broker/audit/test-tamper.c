/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Every class of bytes that the primary tables are made of is changed, one bit at a time, and verification has
 * to name the entry and say why. A row that verifies although a bit of it was changed would be a place
 * where somebody can write what he likes.
 */
#include <errno.h>
#include <inttypes.h>

#include "broker/audit/test-life.h"
#include "test/kit/check.h"

/* A row under attack. */
struct row {
	const char *table;
	struct key key;
	uint64_t sequence; /* that has to be named; for tiles: of the row's first hash, then one per @span */
	uint64_t span;     /* 0: always @sequence */
	const char *codes; /* any of these, each between blanks */
	enum audit_depth depth;
};

static void verify(
	const struct life *life, const char *dir, enum audit_depth depth, struct found *found)
{
	struct audit_verify_result result;
	struct audit_verify_options options = {.depth = depth};
	_cleanup_(audit_close) struct audit audit;
	life_open(life, dir, &audit);
	found_init(found);
	CHECK_INT(audit_verify(&audit, &options, &found->report, &result), 0);
}

static bool is_named(const struct found *found, uint64_t sequence, const char *codes)
{
	char code[64];
	for (size_t i = 0; i < found->kept; i++) {
		snprintf(code, sizeof(code), " %s ", found->items[i].code);
		if (found->items[i].sequence == sequence && strstr(codes, code) &&
			found->items[i].reason[0] != '\0')
			return true;
	}
	return false;
}

static void check_named(
	const struct row *row, const struct found *found, uint64_t sequence, const char *how)
{
	if (is_named(found, sequence, row->codes))
		return;
	for (size_t i = 0; i < found->kept; i++)
		fprintf(stderr, "  entry %" PRIu64 ": %s: %s\n", found->items[i].sequence,
			found->items[i].code, found->items[i].reason);
	CHECK_FAIL("%s of entry %" PRIu64 ", %s: not named", row->table, sequence, how);
}

static size_t value_of(const char *dir, const struct row *row, uint8_t buf[VALUE_MAX])
{
	size_t len;
	life_get(dir, row->table, KEY_BYTES_OF(row->key), buf, &len);
	return len;
}

/*
 * All bytes at the front, where values have their fields (a sealed one: form, label, nonce); some of the rest, which
 * one tag or hash covers as a whole, but of a row of hashes some of each; the last ones.
 */
static size_t next_offset(const struct row *row, size_t offset, size_t len)
{
	enum { FRONT = 32, END = 4 };
	size_t step = row->span ? HASH_SIZE - 1 : 97;
	if (offset < FRONT || offset + END + 1 >= len)
		return offset + 1;
	return offset + step < len - END ? offset + step : len - END;
}

static void attack(const struct life *life, const char *dir, const struct row *row)
{
	uint8_t value[VALUE_MAX + 1], was;
	struct found found;
	char how[96];
	struct bytes key = KEY_BYTES_OF(row->key);
	size_t len = value_of(dir, row, value);
	for (size_t at = 0; at < len; at = next_offset(row, at, len)) {
		was = value[at];
		value[at] ^= (uint8_t)(1u << at % 8);
		life_put(dir, row->table, key, BYTES(value, len));
		value[at] = was;
		verify(life, dir, row->depth, &found);
		snprintf(how, sizeof(how), "a bit of byte %zu of %zu changed", at, len);
		check_named(row, &found,
			row->sequence + (row->span ? at / HASH_SIZE * row->span : 0), how);
	}
	life_put(dir, row->table, key, BYTES(value, len - 1));
	verify(life, dir, row->depth, &found);
	uint64_t last = row->span ? row->sequence + (len - 1) / HASH_SIZE * row->span
				  : row->sequence;
	if (row->span) /* a short row of hashes is one finding, at its beginning */
		CHECK(found.report.findings > 0);
	else
		check_named(row, &found, last, "cut by a byte");
	life_remove(dir, row->table, key);
	verify(life, dir, row->depth, &found);
	check_named(row, &found, row->sequence, "removed");
	life_put(dir, row->table, key, BYTES(value, len));
	verify(life, dir, row->depth, &found);
	found_none(&found);
}

static void attack_all(
	const struct life *life, const char *name, const struct row *rows, size_t count)
{
	char dir[300];
	life_copy(life, name, dir);
	for (size_t i = 0; i < count; i++)
		attack(life, dir, &rows[i]);
}

static void every_byte_of_a_stub_counts(void)
{
	static const char codes[] = " stub-changed stub-missing ";
	_cleanup_(life_deinit) struct life life;
	life_init(&life, check_memdir(), "stub");
	const struct row rows[] = {
		{"stub", key_u64(0), 0, 0, codes, AUDIT_TREE},
		{"stub", key_u64(life.first_message + 2), life.first_message + 2, 0, codes,
			AUDIT_TREE},
		{"stub", key_u64(life.acknowledged), life.acknowledged, 0, codes, AUDIT_FULL},
		{"stub", key_u64(life.second_registry), life.second_registry, 0, codes, AUDIT_TREE},
		{"stub", key_u64(life.size - 1), life.size - 1, 0, codes, AUDIT_TREE},
	};
	attack_all(&life, "attacked", rows, ARRAY_LEN(rows));
}

static void every_byte_of_a_record_counts(void)
{
	static const char codes[] = " record-changed record-missing ";
	_cleanup_(life_deinit) struct life life;
	life_init(&life, check_memdir(), "record");
	const uint64_t entries[] = {0, 1, life.first_message, life.first_notice + 1,
		life.acknowledged, life.failed, life.refused, life.second_registry, life.expired};
	char dir[300];
	life_copy(&life, "attacked", dir);
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		attack(&life, dir,
			&(struct row){
				"record", key_u64(entries[i]), entries[i], 0, codes, AUDIT_FULL});
}

static void every_byte_of_a_content_counts(void)
{
	static const char codes[] = " content-changed content-missing ";
	static const char registry_codes[] = " registry-chain content-missing registry-row ";
	_cleanup_(life_deinit) struct life life;
	life_init(&life, check_memdir(), "content");
	uint64_t notice = life.first_notice + 2, figure = life.first_message;
	const struct row rows[] = {
		{"content", key_chunk(figure, 0), figure, 0, codes, AUDIT_FULL},
		{"content", key_chunk(notice, 0), notice, 0, codes, AUDIT_FULL},
		{"content", key_chunk(notice, 1), notice, 0, codes, AUDIT_FULL},
		{"content", key_chunk(notice, 2), notice, 0, codes, AUDIT_FULL},
		{"content", key_chunk(0, 0), 0, 0, registry_codes, AUDIT_TREE},
		{"content", key_chunk(life.second_registry, 0), life.second_registry, 0,
			registry_codes, AUDIT_TREE},
	};
	attack_all(&life, "attacked", rows, ARRAY_LEN(rows));
}

/* Where only the head and the rows of hashes name the level: "edge" and a number. */
static struct key edge_row(uint8_t level)
{
	return (struct key){.bytes = {'e', 'd', 'g', 'e', level}, .len = 5};
}

static struct key tile_row(uint64_t end, uint8_t level)
{
	struct key key = key_u64(end);
	key.bytes[key.len++] = level;
	return key;
}

static void every_hash_of_the_stored_tree_counts(void)
{
	static const char codes[] = " tile-changed tile-missing ";
	_cleanup_(life_deinit) struct life life;
	life_init(&life, check_memdir(), "tile");
	life_grow(&life, 5, 224);
	CHECK(life.size > 1024 && life.size % 32 > 0 && life.size % 1024 >= 32);
	const struct row rows[] = {
		{"tile", tile_row(32, 0), 0, 1, codes, AUDIT_TREE},
		{"tile", tile_row(1024, 0), 992, 1, codes, AUDIT_TREE},
		{"tile", tile_row(1024, 5), 0, 32, codes, AUDIT_TREE},
		{"meta", edge_row(0), life.size / 32 * 32, 1, codes, AUDIT_TREE},
		{"meta", edge_row(5), life.size / 1024 * 1024, 32, codes, AUDIT_TREE},
		{"meta", edge_row(10), 0, 1024, codes, AUDIT_TREE},
	};
	attack_all(&life, "attacked", rows, ARRAY_LEN(rows));
}

static void every_byte_of_a_checkpoint_counts(void)
{
	static const char codes[] = " checkpoint-signature checkpoint-size checkpoint-missing "
				    "root-differs ";
	_cleanup_(life_deinit) struct life life;
	life_init(&life, check_memdir(), "checkpoint");
	char dir[300];
	const struct row newest = {
		"checkpoint", key_u64(life.size), life.size - 1, 0, codes, AUDIT_TREE};
	attack_all(&life, "attacked", &newest, 1);
	/* One that is kept must be right; that it is kept at all is the broker's business. */
	struct row kept = {
		"checkpoint", key_u64(life.day_end), life.day_end - 1, 0, codes, AUDIT_TREE};
	struct key other = key_u64(life.day_end - 1);
	uint8_t value[VALUE_MAX];
	struct found found;
	life_copy(&life, "kept", dir);
	size_t len = value_of(dir, &kept, value);
	for (size_t at = 0; at < len; at++) {
		value[at] ^= 1;
		life_put(dir, "checkpoint", KEY_BYTES_OF(kept.key), BYTES(value, len));
		value[at] ^= 1;
		verify(&life, dir, AUDIT_TREE, &found);
		check_named(&kept, &found, kept.sequence, "a bit changed");
	}
	/* Under another size. */
	life_remove(dir, "checkpoint", KEY_BYTES_OF(kept.key));
	life_put(dir, "checkpoint", KEY_BYTES_OF(other), BYTES(value, len));
	verify(&life, dir, AUDIT_TREE, &found);
	check_named(&kept, &found, life.day_end - 2, "moved");
}

static void every_byte_of_a_registry_row_counts(void)
{
	static const char codes[] = " registry-row ";
	_cleanup_(life_deinit) struct life life;
	struct found found;
	char dir[300];
	life_init(&life, check_memdir(), "registry");
	const struct row rows[] = {
		{"registry", key_u64(0), 0, 0, codes, AUDIT_TREE},
		{"registry", key_u64(life.second_registry), life.second_registry, 0, codes,
			AUDIT_TREE},
	};
	attack_all(&life, "attacked", rows, ARRAY_LEN(rows));
	/* One that belongs to no registry entry would be in force from there on for whoever asks the table. */
	struct key key = key_u64(life.first_notice);
	uint8_t value[VALUE_MAX];
	life_copy(&life, "invented", dir);
	size_t len = value_of(dir, &rows[0], value);
	life_put(dir, "registry", KEY_BYTES_OF(key), BYTES(value, len));
	verify(&life, dir, AUDIT_TREE, &found);
	found_some(&found, "registry-row", life.first_notice);
}

static struct key seal_row(uint8_t table, uint8_t class, uint64_t first)
{
	struct key key = {.bytes = {table, class}, .len = 10};
	be64_put(key.bytes + 2, first);
	return key;
}

/* It tells erasure where to look. What it does not lead to would never go. */
static void every_byte_of_a_seal_row_counts(void)
{
	static const char codes[] = " seal-wrong ";
	_cleanup_(life_deinit) struct life life;
	struct found found;
	char dir[300];
	uint8_t value[VALUE_MAX];
	life_init(&life, check_memdir(), "seal");
	uint64_t figure = life.first_message, notice = life.first_notice;
	const struct row rows[] = {
		{"seal", seal_row(ERASED_RECORD, 1, figure), figure, 0, codes, AUDIT_FULL},
		{"seal", seal_row(ERASED_CONTENT, 1, figure), figure, 0, codes, AUDIT_FULL},
		{"seal", seal_row(ERASED_RECORD, 2, notice), notice, 0, codes, AUDIT_FULL},
		{"seal", seal_row(ERASED_CONTENT, 2, notice), notice, 0, codes, AUDIT_FULL},
	};
	attack_all(&life, "attacked", rows, ARRAY_LEN(rows));
	/* A stretch that is said to be erased, in the middle of one that is not. */
	life_copy(&life, "hole", dir);
	struct key key = seal_row(ERASED_RECORD, 1, figure + 7);
	life_put(dir, "seal", KEY_BYTES_OF(key), BYTES("\0\0\0\0", 4));
	verify(&life, dir, AUDIT_FULL, &found);
	found_some(&found, "seal-wrong", figure + 7);
	CHECK(!is_named(&found, figure + 6, codes));
	/* Rows that lead nowhere, or to where nothing is. */
	life_copy(&life, "nowhere", dir);
	size_t len = value_of(dir, &rows[0], value);
	key = seal_row(3, 1, 5);
	life_put(dir, "seal", KEY_BYTES_OF(key), BYTES(value, len));
	verify(&life, dir, AUDIT_FULL, &found);
	found_some(&found, "seal-wrong", 5);
	life_copy(&life, "behind", dir);
	key = seal_row(ERASED_RECORD, 1, life.size + 1);
	life_put(dir, "seal", KEY_BYTES_OF(key), BYTES(value, len));
	verify(&life, dir, AUDIT_FULL, &found);
	found_one(&found, "seal-wrong", life.size + 1);
}

static void every_byte_of_the_state_mark_counts(void)
{
	_cleanup_(life_deinit) struct life life;
	life_init(&life, check_memdir(), "mark");
	const struct row row = {"meta", {.bytes = {'s', 't', 'a', 't', 'e'}, .len = 5}, life.state,
		0, " mark-wrong ", AUDIT_TREE};
	attack_all(&life, "attacked", &row, 1);
}

/* u32 epoch, u64 size, u64 batch time, u64 registry, bus. */
static void every_field_of_the_head_counts(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	char dir[300], error[512];
	life_init(&life, check_memdir(), "head");
	const struct row head = {.table = "meta", .key = {.bytes = {'h', 'e', 'a', 'd'}, .len = 4}};
	uint8_t value[VALUE_MAX];
	life_copy(&life, "attacked", dir);
	size_t len = value_of(dir, &head, value);
	CHECK(len > 28);
	for (size_t at = 0; at < len; at++) {
		_cleanup_(audit_close) struct audit audit;
		struct audit_verify_result result;
		struct audit_verify_options options = {.depth = AUDIT_FULL};
		struct audit_paths paths = {.journal = dir,
			.keyring = life.journal.keys,
			.master_key = life.journal.master,
			.policy = life.policy};
		uint8_t was = value[at];
		/* A later time of the last commit is possible: one that made no entry. */
		bool later = at >= 12 && at < 20 && was == 0;
		value[at] = later ? was : (uint8_t)(was & (was - 1));
		if (value[at] == was && !later)
			value[at] ^= 1;
		life_put(dir, "meta", KEY_BYTES_OF(head.key), BYTES(value, len));
		value[at] = was;
		found_init(&found);
		if (later || audit_open(&paths, &audit, error, sizeof(error))) {
			audit = (struct audit){};
			continue;
		}
		CHECK_INT(audit_verify(&audit, &options, &found.report, &result), 0);
		if (found.report.findings == 0)
			CHECK_FAIL("byte %zu of the head: not found", at);
		if (at >= 12 && at < 20)
			found_one(&found, "head-time", life.size - 1);
		else if (at >= 20 && at < 28)
			found_one(&found, "head-registry", life.second_registry);
		else if (at >= 28)
			found_some(&found, "head-bus", life.second_registry);
	}
	/* A format of the future is nothing to guess about. */
	life_put(dir, "meta", KEY_BYTES_OF(head.key), BYTES(value, len));
	life_flip(dir, "meta", BYTES_STR("format"), 3);
	struct audit audit;
	struct audit_paths paths = {.journal = dir, .policy = life.policy};
	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), AUDIT_REFUSED);
	audit_close(&audit);
}

static void nothing_lies_behind_the_end(void)
{
	static const char *const tables[] = {"stub", "record", "content", "tile", "registry"};
	_cleanup_(life_deinit) struct life life;
	struct found found;
	char dir[300];
	life_init(&life, check_memdir(), "behind");
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		struct key key = strcmp(tables[i], "tile") == 0      ? tile_row(life.size + 30, 0)
				 : strcmp(tables[i], "content") == 0 ? key_chunk(life.size, 0)
								     : key_u64(life.size + 1);
		life_copy(&life, tables[i], dir);
		life_put(dir, tables[i], KEY_BYTES_OF(key), BYTES("\0something", 10));
		verify(&life, dir, AUDIT_TREE, &found);
		found_one(&found, "row-beyond-end", life.size);
		CHECK(strstr(found.items[0].reason, tables[i]));
	}
}

CHECK_MAIN(CHECK_CASE(every_byte_of_a_stub_counts), CHECK_CASE(every_byte_of_a_record_counts),
	CHECK_CASE(every_byte_of_a_content_counts), CHECK_CASE(every_hash_of_the_stored_tree_counts),
	CHECK_CASE(every_byte_of_a_checkpoint_counts),
	CHECK_CASE(every_byte_of_a_registry_row_counts), CHECK_CASE(every_field_of_the_head_counts),
	CHECK_CASE(every_byte_of_a_seal_row_counts),
	CHECK_CASE(every_byte_of_the_state_mark_counts), CHECK_CASE(nothing_lies_behind_the_end))
