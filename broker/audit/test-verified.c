/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A verification that goes on from an earlier one looks at less, and must not overlook what it looks at: the
 * new entries, and that they extend what was verified. What was changed in the old part it cannot see; that
 * is said in the manual and held here.
 */
#include <errno.h>
#include <stdlib.h>

#include "broker/audit/test-life.h"
#include "broker/audit/verified.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

static struct audit_verify_result go_on(const struct life *life, const char *dir,
	const struct verified *from, struct verified *next, struct found *found)
{
	struct audit_verify_options options = {
		.depth = AUDIT_FULL, .from = from, .remember = next, .workers = 2};
	struct audit_verify_result result;
	_cleanup_(audit_close) struct audit audit;
	char why[256] = "";
	life_open(life, dir, &audit);
	if (from)
		CHECK_INT(audit_verify_continues(&audit, &options, why, sizeof(why)), 0);
	found_init(found);
	CHECK_INT(audit_verify(&audit, &options, &found->report, &result), 0);
	return result;
}

static void grow(struct life *life, size_t messages)
{
	const struct fixture_load load = {
		.count = messages, .content_bytes = 300, .service = "notice"};
	journal_fixture_start(&life->journal);
	struct parcel *parcel = journal_fixture_submit(&life->journal, &load);
	journal_fixture_run(&life->journal, parcel);
	parcel_free(parcel);
	life_next_registry(life);
	journal_fixture_stop(&life->journal);
	life_measure(life);
}

static void only_what_is_new_is_looked_at(void)
{
	_cleanup_(life_deinit) struct life life;
	struct verified first, second, whole;
	struct found found;
	life_init(&life, check_memdir(), "new");
	uint64_t before = life.size;
	struct audit_verify_result result = go_on(&life, life.journal.dir, NULL, &first, &found);
	found_none(&found);
	CHECK_INT(result.before, 0);
	CHECK_INT(first.checkpoint.size, before);
	/* Nothing came since. */
	result = go_on(&life, life.journal.dir, &first, &second, &found);
	found_none(&found);
	CHECK_INT(result.entries, before);
	CHECK_INT(result.before, before);
	CHECK_INT(result.records, 0);
	CHECK_INT(result.checkpoints, 1);
	CHECK_MEM(&second, &first, sizeof(first));
	/* Entries came, another registry among them. */
	grow(&life, 70);
	result = go_on(&life, life.journal.dir, &second, &first, &found);
	found_none(&found);
	CHECK_INT(result.before, before);
	CHECK_INT(result.entries, life.size);
	CHECK_INT(result.records, life.size - before);
	CHECK_INT(result.registries, 3);
	/* What is remembered is what a verification of the whole would have remembered. */
	go_on(&life, life.journal.dir, NULL, &whole, &found);
	CHECK_INT(first.edge.size, whole.edge.size);
	CHECK_INT(first.registry, whole.registry);
	CHECK_INT(first.time.batch_ms, whole.time.batch_ms);
	CHECK_INT(first.anchored, whole.anchored);
	CHECK_MEM(first.registry_digest, whole.registry_digest, HASH_SIZE);
	CHECK_MEM(first.note, whole.note, whole.note_len);
}

static void changes_in_the_new_part_are_found(void)
{
	_cleanup_(life_deinit) struct life life;
	struct verified from, next;
	struct found found;
	char dir[300];
	life_init(&life, check_memdir(), "changed");
	go_on(&life, life.journal.dir, NULL, &from, &found);
	uint64_t before = life.size;
	grow(&life, 40);
	struct key fresh = key_u64(before + 9), old = key_u64(life.first_message);
	life_copy(&life, "fresh", dir);
	life_flip(dir, "record", KEY_BYTES_OF(fresh), 70);
	go_on(&life, dir, &from, &next, &found);
	found_one(&found, "record-changed", before + 9);
	CHECK_INT(next.note_len, 0); /* nothing to go on from */
	life_copy(&life, "stub", dir);
	life_flip(dir, "stub", KEY_BYTES_OF(fresh), 20);
	go_on(&life, dir, &from, &next, &found);
	found_some(&found, "stub-changed", before + 9);
	/* The old part is not looked at, by design; a verification of the whole does. */
	life_copy(&life, "old", dir);
	life_flip(dir, "record", KEY_BYTES_OF(old), 70);
	go_on(&life, dir, &from, &next, &found);
	found_none(&found);
	go_on(&life, dir, NULL, &next, &found);
	found_one(&found, "record-changed", life.first_message);
}

/* Somebody with all keys of the broker cuts the journal and writes another end. */
static void another_history_is_found(void)
{
	_cleanup_(life_deinit) struct life life;
	struct verified from, next;
	struct found found;
	char dir[300], mine[256];
	life_init(&life, check_memdir(), "history");
	life_copy(&life, "fork", dir);
	grow(&life, 10);
	go_on(&life, life.journal.dir, NULL, &from, &found);
	found_none(&found);
	/* Set back: what was verified is not there. */
	go_on(&life, dir, &from, &next, &found);
	found_one(&found, "entries-missing", from.edge.size - 13);
	/* Set back and continued otherwise, beyond what was verified. */
	memcpy(mine, life.journal.dir, sizeof(mine));
	CHECK(snprintf(life.journal.dir, sizeof(life.journal.dir), "%s", dir) <
		(int)sizeof(life.journal.dir));
	journal_fixture_start(&life.journal);
	struct parcel *parcel = journal_fixture_submit(
		&life.journal, &(struct fixture_load){.count = 50, .content_bytes = 5});
	journal_fixture_run(&life.journal, parcel);
	parcel_free(parcel);
	journal_fixture_stop(&life.journal);
	life_measure(&life);
	CHECK(life.size > from.edge.size);
	go_on(&life, dir, NULL, &next, &found);
	found_none(&found); /* by itself it is without fault */
	go_on(&life, dir, &from, &next, &found);
	CHECK(found.report.findings >= 1);
	memcpy(life.journal.dir, mine, sizeof(mine));
}

static void a_registry_that_was_exchanged_is_found(void)
{
	_cleanup_(life_deinit) struct life life;
	struct verified from, next;
	struct found found;
	char dir[300];
	life_init(&life, check_memdir(), "exchanged");
	go_on(&life, life.journal.dir, NULL, &from, &found);
	CHECK_INT(from.registry, life.second_registry);
	life_copy(&life, "content", dir);
	struct key key = key_chunk(life.second_registry, 0);
	life_flip(dir, "content", KEY_BYTES_OF(key), 300);
	go_on(&life, dir, &from, &next, &found);
	found_some(&found, "registry-chain", life.second_registry);
	CHECK(found.report.findings > 1); /* the whole was verified instead */
	CHECK_INT(next.note_len, 0);
}

static void it_continues_only_its_own(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	struct verified from, other;
	struct found found;
	char why[256];
	struct audit_verify_options options = {.depth = AUDIT_FULL, .from = &other};
	life_init(&life, check_memdir(), "own");
	go_on(&life, life.journal.dir, NULL, &from, &found);
	life_open(&life, life.journal.dir, &audit);
	other = from;
	CHECK_INT(audit_verify_continues(&audit, &options, why, sizeof(why)), 0);
	other.policy[3] ^= 1;
	CHECK_INT(audit_verify_continues(&audit, &options, why, sizeof(why)), AUDIT_REFUSED);
	CHECK(strstr(why, "policy"));
	other = from;
	other.depth = AUDIT_TREE;
	CHECK_INT(audit_verify_continues(&audit, &options, why, sizeof(why)), AUDIT_REFUSED);
	CHECK(strstr(why, "tree"));
	options.depth = AUDIT_TREE;
	CHECK_INT(audit_verify_continues(&audit, &options, why, sizeof(why)), 0);
	memcpy(other.checkpoint.origin, "test.demo/1", sizeof("test.demo/1"));
	CHECK_INT(audit_verify_continues(&audit, &options, why, sizeof(why)), AUDIT_REFUSED);
	CHECK(strstr(why, "another journal"));
}

/* ---- the file ---- */

/* Read it, and what it says when written again: there is one spelling of everything. */
static int read_again(const char *path, struct bytes bytes, uint8_t **ret, size_t *ret_len)
{
	struct verified verified;
	char why[512] = "";
	CHECK_INT(file_replace(path, bytes, 0600), 0);
	int r = verified_read(path, &verified, why, sizeof(why));
	if (r) {
		CHECK(strstr(why, path) && strstr(why, "remove it"));
		return r;
	}
	CHECK_INT(verified_write(path, &verified), 0);
	CHECK_INT(file_read(path, 1 << 16, ret, ret_len), 0);
	return 0;
}

static void the_file_is_read_strictly(void)
{
	_cleanup_(life_deinit) struct life life;
	struct verified from, none;
	struct found found;
	char path[300], why[512];
	uint8_t *data, *again;
	size_t len, again_len, accepted = 0;
	life_init(&life, check_memdir(), "file");
	go_on(&life, life.journal.dir, NULL, &from, &found);
	CHECK(snprintf(path, sizeof(path), "%s/verified", check_memdir()) < (int)sizeof(path));
	CHECK_INT(verified_read(path, &none, why, sizeof(why)), -ENOENT);
	CHECK_INT(verified_write(path, &from), 0);
	CHECK_INT(file_read(path, 1 << 16, &data, &len), 0);
	for (size_t cut = 0; cut < len - from.note_len; cut += 7)
		CHECK_INT(read_again(path, BYTES(data, cut), &again, &again_len), AUDIT_REFUSED);
	for (size_t i = 0; i < len; i += 5) {
		data[i] ^= 1;
		if (read_again(path, BYTES(data, len), &again, &again_len) == 0) {
			CHECK_INT(again_len, len);
			CHECK_MEM(again, data, len);
			free(again);
			accepted++;
		}
		data[i] ^= 1;
	}
	CHECK(accepted < len / 5 / 2);
	CHECK_INT(read_again(path, BYTES(data, len), &again, &again_len), 0);
	CHECK_MEM(again, data, len);
	free(again);
	free(data);
}

CHECK_MAIN(CHECK_CASE(only_what_is_new_is_looked_at), CHECK_CASE(changes_in_the_new_part_are_found),
	CHECK_CASE(another_history_is_found), CHECK_CASE(a_registry_that_was_exchanged_is_found),
	CHECK_CASE(it_continues_only_its_own), CHECK_CASE(the_file_is_read_strictly))
