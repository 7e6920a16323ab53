/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The enemy of these tests holds the keys of the rows, and in the end the key of the log too: an operator, or
 * who has taken his place. He can open and seal rows, order them anew, cut the journal and write another end.
 * What the stubs commit to he cannot change unseen; what the log has signed twice convicts him as soon
 * as somebody kept the first one.
 */
#include "broker/audit/test-life.h"
#include "proto/base/clock.h"
#include "test/kit/check.h"

static void verify(const struct life *life, const char *dir, struct bytes held, struct found *found)
{
	struct audit_verify_result result;
	struct audit_verify_options options = {.depth = AUDIT_FULL, .held = held};
	_cleanup_(audit_close) struct audit audit;
	life_open(life, dir, &audit);
	found_init(found);
	CHECK_INT(audit_verify(&audit, &options, &found->report, &result), 0);
}

static void check_two(const struct found *found, const char *code, uint64_t a, uint64_t b)
{
	found_some(found, code, a);
	found_some(found, code, b);
}

/* ---- order ---- */

static void swap(const char *dir, const char *table, struct key a, struct key b)
{
	uint8_t first[VALUE_MAX], second[VALUE_MAX];
	size_t first_len, second_len;
	life_get(dir, table, KEY_BYTES_OF(a), first, &first_len);
	life_get(dir, table, KEY_BYTES_OF(b), second, &second_len);
	life_put(dir, table, KEY_BYTES_OF(a), BYTES(second, second_len));
	life_put(dir, table, KEY_BYTES_OF(b), BYTES(first, first_len));
}

static void the_order_of_entries_is_signed(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	char dir[300];
	life_init(&life, check_memdir(), "order");
	uint64_t a = life.first_message + 4, b = life.first_message + 9;
	life_copy(&life, "stubs", dir);
	swap(dir, "stub", key_u64(a), key_u64(b));
	verify(&life, dir, BYTES(NULL, 0), &found);
	check_two(&found, "stub-changed", a, b);
	life_copy(&life, "records", dir);
	swap(dir, "record", key_u64(a), key_u64(b));
	verify(&life, dir, BYTES(NULL, 0), &found);
	check_two(&found, "record-changed", a, b);
	CHECK_INT(found.report.findings, 2);
	life_copy(&life, "contents", dir);
	swap(dir, "content", key_chunk(a, 0), key_chunk(b, 0));
	verify(&life, dir, BYTES(NULL, 0), &found);
	check_two(&found, "content-changed", a, b);
	CHECK_INT(found.report.findings, 2);
	/* All of both: their rows are bound to their places, and so are their hashes. */
	life_copy(&life, "entries", dir);
	swap(dir, "stub", key_u64(a), key_u64(b));
	swap(dir, "record", key_u64(a), key_u64(b));
	swap(dir, "content", key_chunk(a, 0), key_chunk(b, 0));
	verify(&life, dir, BYTES(NULL, 0), &found);
	check_two(&found, "stub-changed", a, b);
	/* With the stored hashes besides, only the checkpoint is left to object. */
	life_copy(&life, "hashes", dir);
	uint8_t row[VALUE_MAX], hash[HASH_SIZE];
	size_t len;
	struct key tile = key_u64(32);
	tile.bytes[tile.len++] = 0;
	CHECK(b < 32);
	life_get(dir, "tile", KEY_BYTES_OF(tile), row, &len);
	memcpy(hash, row + a * HASH_SIZE, HASH_SIZE);
	memcpy(row + a * HASH_SIZE, row + b * HASH_SIZE, HASH_SIZE);
	memcpy(row + b * HASH_SIZE, hash, HASH_SIZE);
	life_put(dir, "tile", KEY_BYTES_OF(tile), BYTES(row, len));
	swap(dir, "stub", key_u64(a), key_u64(b));
	verify(&life, dir, BYTES(NULL, 0), &found);
	found_some(&found, "root-differs", life.size - 1);
}

/* ---- seals ---- */

struct reseal {
	const char *table;
	struct key key;
	struct row_place place;
	uint32_t days; /* of the class */
	uint32_t later;
	int change; /* byte to change; -1: none */
	bool clear; /* no seal at all */
};

static void reseal(const struct life *life, const char *dir, const struct reseal *how)
{
	uint8_t value[VALUE_MAX], plain[VALUE_MAX], sealed[2 * VALUE_MAX];
	size_t len, plain_len;
	struct keyring *keyring = life->journal.keyring;
	uint32_t day = clock_day(FIXTURE_NOW_MS) + how->days + how->later;
	life_get(dir, how->table, KEY_BYTES_OF(how->key), value, &len);
	CHECK_INT(row_open(keyring, &how->place, BYTES(value, len), plain, &plain_len), 0);
	if (how->change >= 0)
		plain[how->change] ^= 1;
	if (how->clear) {
		sealed[0] = 0;
		memcpy(sealed + 1, plain, plain_len);
		len = plain_len + 1;
	} else {
		CHECK_INT(row_seal(keyring, &how->place, day, BYTES(plain, plain_len), sealed, &len),
			0);
	}
	life_put(dir, how->table, KEY_BYTES_OF(how->key), BYTES(sealed, len));
}

static void a_new_seal_hides_nothing(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	char dir[300];
	life_init(&life, check_memdir(), "seal");
	uint64_t at = life.first_notice;
	const Dienstweg__RetentionClass *class = registry_class(life.journal.registry, 2);
	CHECK(class != NULL);
	struct reseal record = {
		.table = "record",
		.key = key_u64(at),
		.place = {.table = "record", .sequence = at, .class = 2},
		.days = class->record_days,
		.change = -1,
	};
	struct reseal content = {
		.table = "content",
		.key = key_chunk(at, 0),
		.place = {.table = "content", .sequence = at, .class = 2},
		.days = class->content_days,
		.change = -1,
	};
	/* The same under a later day is what an erasure does to what it must keep; but it writes down where. */
	life_copy(&life, "later", dir);
	record.later = content.later = 3;
	reseal(&life, dir, &record);
	verify(&life, dir, BYTES(NULL, 0), &found);
	found_one(&found, "seal-wrong", at);
	CHECK(strstr(found.items[0].reason, "record"));
	life_copy(&life, "later-content", dir);
	reseal(&life, dir, &content);
	verify(&life, dir, BYTES(NULL, 0), &found);
	found_one(&found, "seal-wrong", at);
	CHECK(strstr(found.items[0].reason, "content"));
	record.later = content.later = 0;
	for (int byte = 0; byte < 400; byte += 23) {
		char name[32];
		snprintf(name, sizeof(name), "record%d", byte);
		life_copy(&life, name, dir);
		record.change = byte;
		reseal(&life, dir, &record);
		verify(&life, dir, BYTES(NULL, 0), &found);
		found_one(&found, "record-changed", at);
	}
	content.change = 700;
	life_copy(&life, "content", dir);
	reseal(&life, dir, &content);
	verify(&life, dir, BYTES(NULL, 0), &found);
	found_one(&found, "content-changed", at);
	/* A missing seal fails; it does not warn. */
	record.change = content.change = -1;
	record.clear = content.clear = true;
	life_copy(&life, "clear", dir);
	reseal(&life, dir, &record);
	verify(&life, dir, BYTES(NULL, 0), &found);
	found_one(&found, "record-changed", at);
	life_copy(&life, "clear-content", dir);
	reseal(&life, dir, &content);
	verify(&life, dir, BYTES(NULL, 0), &found);
	found_one(&found, "content-changed", at);
}

/* ---- another history, signed by the log ---- */

static size_t newest_note(const char *dir, uint8_t buf[CHECKPOINT_NOTE_MAX])
{
	struct journal_reader *reader = NULL;
	struct bytes note;
	CHECK_INT(journal_reader_open(dir, NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_checkpoint(reader, 0, &note), 0);
	memcpy(buf, note.data, note.len);
	size_t len = note.len;
	journal_reader_free(reader);
	return len;
}

static void continue_in(struct life *life, const char *dir, size_t messages)
{
	char mine[sizeof(life->journal.dir)];
	memcpy(mine, life->journal.dir, sizeof(mine));
	CHECK(strlen(dir) < sizeof(mine));
	memmove(life->journal.dir, dir, strlen(dir) + 1);
	journal_fixture_start(&life->journal);
	struct parcel *parcel = journal_fixture_submit(
		&life->journal, &(struct fixture_load){.count = messages, .content_bytes = 20});
	journal_fixture_run(&life->journal, parcel);
	parcel_free(parcel);
	journal_fixture_stop(&life->journal);
	memcpy(life->journal.dir, mine, sizeof(mine));
}

static void whoever_kept_a_checkpoint_finds_the_other_history(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	char earlier[300], other[300];
	uint8_t kept[CHECKPOINT_NOTE_MAX];
	life_init(&life, check_memdir(), "fork");
	uint64_t size = life.size;
	life_copy(&life, "earlier", earlier);
	life_copy(&life, "other", other);
	continue_in(&life, life.journal.dir, 7);
	size_t len = newest_note(life.journal.dir, kept);
	verify(&life, life.journal.dir, BYTES(kept, len), &found);
	found_none(&found);
	/* Rolled back: by itself without fault. */
	verify(&life, earlier, BYTES(NULL, 0), &found);
	found_none(&found);
	verify(&life, earlier, BYTES(kept, len), &found);
	found_one(&found, "entries-missing", size);
	/* Forked: as long, and longer than what was kept. */
	continue_in(&life, other, 7);
	verify(&life, other, BYTES(NULL, 0), &found);
	found_none(&found);
	verify(&life, other, BYTES(kept, len), &found);
	found_one(&found, "root-differs", size + 8);
	continue_in(&life, other, 3);
	verify(&life, other, BYTES(NULL, 0), &found);
	found_none(&found);
	verify(&life, other, BYTES(kept, len), &found);
	found_one(&found, "root-differs", size + 8);
}

CHECK_MAIN(CHECK_CASE(the_order_of_entries_is_signed), CHECK_CASE(a_new_seal_hides_nothing),
	CHECK_CASE(whoever_kept_a_checkpoint_finds_the_other_history))
