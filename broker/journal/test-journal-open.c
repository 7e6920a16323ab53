/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Starting up, with everything that may be wrong then; and the registry, which is at its most dangerous
 * when somebody starts the broker with another one. Every refusal must leave the journal as it was.
 */
#include "broker/journal/test-fixture.h"

#include <errno.h>

#include "broker/journal/tables.h"
#include "proto/base/file.h"
#include "proto/note/checkpoint.h"
#include "test/kit/check.h"

static void submit_some(struct journal_fixture *f, size_t count)
{
	struct fixture_load load = {.count = count, .content_bytes = 500};
	struct parcel *parcel = journal_fixture_submit(f, &load);
	journal_fixture_run(f, parcel);
	CHECK_INT(journal_fixture_check_receipts(f, parcel), count);
	parcel_free(parcel);
}

static uint64_t size_of(struct journal_fixture *f)
{
	struct journal_reader *reader = NULL;
	struct journal_meta meta;
	CHECK_INT(journal_reader_open(f->dir, f->keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_meta(reader, &meta), 0);
	journal_reader_free(reader);
	return meta.size;
}

static void check_refused(struct journal_fixture *f, int expected, const char *word)
{
	int r = journal_fixture_open(f);
	if (r != expected || !strstr(f->error, word))
		CHECK_FAIL("journal_open() is %d \"%s\", expected %d with \"%s\"", r, f->error,
			expected, word);
	CHECK(!f->journal);
}

/* Change a row behind the journal's back; an empty value removes it. */
static void tamper(
	struct journal_fixture *f, const char *table, struct bytes key, struct bytes value)
{
	struct db_options options = {
		.map_bytes = f->options.map_bytes, .tables_max = TABLES_MAX, .readers_max = 4};
	struct db_env *env;
	struct db_txn *txn;
	db_table_id id;
	CHECK_INT(db_env_open(f->dir, &options, &env), 0);
	CHECK_INT(db_begin(env, true, &txn), 0);
	CHECK_INT(db_table_open(txn, table, &id), 0);
	CHECK_INT(value.len ? db_put(txn, id, key, value) : db_delete(txn, id, key), 0);
	CHECK_INT(db_commit(txn), 0);
	db_env_close(env);
}

static void one_writer_only(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct journal *second = NULL;
	journal_fixture_init(&f, check_memdir(), "lock");
	journal_fixture_start(&f);
	CHECK_INT(journal_open(&f.options, f.registry, &second, f.error, sizeof(f.error)), -EBUSY);
	CHECK(strstr(f.error, "another broker") && strstr(f.error, "LOCK"));
	submit_some(&f, 3); /* the first one goes on */
	journal_fixture_stop(&f);
	journal_fixture_start(&f);
	journal_fixture_stop(&f);
}

static void needs_its_folder(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct journal_reader *reader = NULL;
	journal_fixture_init(&f, check_memdir(), "absent");
	f.options.dir = "/nonexistent/journal";
	check_refused(&f, -ENOENT, "/nonexistent/journal");
	CHECK_INT(journal_reader_open("/nonexistent/journal", NULL, &reader), -ENOENT);
	CHECK_INT(journal_reader_open(f.dir, NULL, &reader), -ENOENT);
}

static void knows_its_format_and_bus(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct journal_reader *reader = NULL;
	const uint8_t later[] = {0, 0, 0, 7}, ours[] = {0, 0, 0, 0};
	journal_fixture_init(&f, check_memdir(), "format");
	journal_fixture_start(&f);
	journal_fixture_stop(&f);
	uint64_t size = size_of(&f);
	tamper(&f, "meta", BYTES_STR("format"), BYTES(later, 4));
	check_refused(&f, JOURNAL_FORMAT, "format version 7");
	CHECK_INT(journal_reader_open(f.dir, NULL, &reader), READER_FORMAT);
	tamper(&f, "meta", BYTES_STR("format"), BYTES(ours, 4));
	f.options.bus = BYTES_STR("other.demo");
	check_refused(&f, JOURNAL_CONFLICT, "other.demo");
	f.options.bus = BYTES_STR("test.demo");
	CHECK_INT(size_of(&f), size);
	journal_fixture_start(&f);
	journal_fixture_stop(&f);
}

static void refuses_another_bus_registry(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	_cleanup_(registry_fixture_free) struct registry_fixture *foreign = registry_fixture_new(
		"other.demo");
	journal_fixture_init(&f, check_memdir(), "bus");
	struct registry *own = f.registry;
	registry_fixture_party(foreign, "city", NULL);
	registry_fixture_service(foreign, "figures");
	registry_fixture_flow(foreign, registry_fixture_agreement(foreign, "a", "2021-07-01", NULL),
		"figures", "city", "city", NULL);
	f.registry = registry_fixture_load(foreign, 1, NULL);
	check_refused(&f, JOURNAL_CONFLICT, "other.demo");
	registry_unref(f.registry);
	f.registry = own;
	journal_fixture_start(&f);
	journal_fixture_stop(&f);
}

static void checks_its_tree(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct journal_reader *reader = NULL;
	struct bytes note;
	uint8_t copy[1024], value[HASH_SIZE] = {1};
	journal_fixture_init(&f, check_memdir(), "tree");
	journal_fixture_start(&f);
	submit_some(&f, 40); /* 43 entries in the end: a row of 32 and an edge of 11 */
	journal_fixture_stop(&f);
	CHECK_INT(journal_reader_open(f.dir, NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_checkpoint(reader, 0, &note), 0);
	memcpy(copy, note.data, note.len);
	size_t len = note.len;
	journal_reader_free(reader);

	/* A checkpoint of another tree; none at all; a missing stub; a lost row. */
	struct key key = key_u64(43);
	copy[len / 3] ^= 1;
	tamper(&f, "checkpoint", KEY_BYTES_OF(key), BYTES(copy, len));
	check_refused(&f, -EBADMSG, "damaged");
	tamper(&f, "checkpoint", KEY_BYTES_OF(key), BYTES("", 0));
	check_refused(&f, -EBADMSG, "damaged");
	copy[len / 3] ^= 1;
	tamper(&f, "checkpoint", KEY_BYTES_OF(key), BYTES(copy, len));
	journal_fixture_start(&f);
	journal_fixture_stop(&f); /* 45 */
	key = key_u64(44);
	tamper(&f, "stub", KEY_BYTES_OF(key), BYTES("", 0));
	check_refused(&f, -EBADMSG, "damaged");
	uint8_t edge[] = {'e', 'd', 'g', 'e', 0};
	tamper(&f, "meta", BYTES(edge, sizeof(edge)), BYTES(value, sizeof(value)));
	check_refused(&f, -EBADMSG, "damaged");
}

/* ---- the registry ---- */

static void takes_the_next_version_at_start(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	_cleanup_(arena_free) struct arena *arena = arena_new(4 << 20);
	struct journal_reader *reader = NULL;
	struct bytes bytes;
	journal_fixture_init(&f, check_memdir(), "next");
	journal_fixture_start(&f);
	submit_some(&f, 3);
	journal_fixture_stop(&f);
	uint64_t size = size_of(&f);
	struct registry *first = f.registry;
	registry_fixture_party(f.parties, "village", NULL);
	f.registry = registry_fixture_load(f.parties, 2, first);
	journal_fixture_start(&f);
	submit_some(&f, 3);
	journal_fixture_stop(&f);
	CHECK_INT(size_of(&f), size + 1 + 1 + 3 + 1);

	/* Which one was in force when. */
	CHECK_INT(journal_reader_open(f.dir, f.keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_registry(reader, 0, arena, &bytes), 0);
	CHECK(bytes_equal(bytes, registry_signed_bytes(first)));
	CHECK_INT(journal_read_registry(reader, size - 1, arena, &bytes), 0);
	CHECK(bytes_equal(bytes, registry_signed_bytes(first)));
	CHECK_INT(journal_read_registry(reader, size, arena, &bytes), 0);
	CHECK(bytes_equal(bytes, registry_signed_bytes(f.registry)));
	CHECK_INT(journal_read_registry(reader, size + 3, arena, &bytes), 0);
	CHECK(bytes_equal(bytes, registry_signed_bytes(f.registry)));
	journal_reader_free(reader);

	/* Back to the first: no. */
	struct registry *second = f.registry;
	f.registry = first;
	check_refused(&f, JOURNAL_CONFLICT, "older than version 2");
	f.registry = second;
	journal_fixture_start(&f);
	journal_fixture_stop(&f);
	registry_unref(first);
}

static void refuses_a_registry_that_does_not_follow(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_memdir(), "follow");
	journal_fixture_start(&f);
	journal_fixture_stop(&f);
	uint64_t size = size_of(&f);
	struct registry *first = f.registry;
	registry_fixture_party(f.parties, "village", NULL);
	f.registry = registry_fixture_load(f.parties, 1, NULL); /* the same number, other bytes */
	check_refused(&f, JOURNAL_CONFLICT, "other bytes");
	struct registry *fork = f.registry;
	f.registry = registry_fixture_load(f.parties, 2, fork); /* follows what we never had */
	check_refused(&f, JOURNAL_CONFLICT, "does not follow");
	CHECK_INT(size_of(&f), size);
	registry_unref(f.registry);
	registry_unref(fork);
	f.registry = first;
}

/* A message of a party that the registry at hand does not know yet, verified with that registry. */
static void finds_facts_anew_under_a_new_registry(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_memdir(), "reverify");
	journal_fixture_start(&f);
	struct registry *old = journal_registry(f.journal);
	registry_fixture_party(f.parties, "village", NULL);
	registry_fixture_flow(f.parties, registry_fixture_content(f.parties)->agreements[0],
		"figures", "village", "ministry", NULL);
	struct registry *next = registry_fixture_load(f.parties, 2, old);

	struct fixture_load load = {.sender = "village", .count = 1, .content_bytes = 10};
	struct parcel *early = journal_fixture_submit(&f, &load);
	CHECK(early->registry == old && !early->submits[0].facts.signature_ok);
	struct parcel *adopt = journal_fixture_act(&f, PARCEL_REGISTRY);
	adopt->registry = registry_ref(next);
	journal_fixture_run(&f, adopt);
	CHECK_INT(adopt->verdict, 0);
	struct registry *now = journal_registry(f.journal);
	CHECK(now == next);
	journal_fixture_run(&f, early); /* verified before, decided after */
	CHECK(early->registry == next && early->submits[0].facts.signature_ok);
	CHECK_INT(early->submits[0].decision.result, SUBMIT_ACCEPTED);
	CHECK_INT(early->submits[0].proof.registry_version, 2);
	CHECK_INT(journal_fixture_check_receipts(&f, early), 1);

	/* The same registry again changes nothing; an older one is refused, and the journal goes on. */
	journal_fixture_run(&f, adopt);
	CHECK_INT(adopt->verdict, 0);
	struct parcel *back = journal_fixture_act(&f, PARCEL_REGISTRY);
	back->registry = registry_ref(old);
	journal_fixture_run(&f, back);
	CHECK_INT(back->verdict, REGISTRY_OLDER);
	submit_some(&f, 2);
	parcel_free(back);
	parcel_free(early);
	parcel_free(adopt);
	registry_unref(old);
	registry_unref(now);
	registry_unref(next);
	journal_fixture_stop(&f);
	/* It is in the journal: starting with the first one would be a step back. */
	check_refused(&f, JOURNAL_CONFLICT, "older");
}

static void notes_that_the_clock_was_set(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct journal_reader *reader = NULL;
	Dienstweg__Row *row;
	Dienstweg__Decision *decision;
	struct journal_meta meta;
	struct stub stub;
	journal_fixture_init(&f, check_memdir(), "clock");
	journal_fixture_start(&f);
	clock_fake_advance(&f.clock, 3600000); /* time that passes is no step */
	submit_some(&f, 1);
	CHECK_INT(journal_reader_new(journal_env(f.journal), f.keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_meta(reader, &meta), 0);
	CHECK_INT(meta.size, 3);
	journal_reader_end(reader);
	__atomic_fetch_sub(&f.clock.fake_wall_ms, 1800000, __ATOMIC_ACQ_REL);
	submit_some(&f, 1);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_stub(reader, 3, &stub), 0);
	CHECK_INT(stub.kind, DIENSTWEG__ENTRY_KIND__ENTRY_CLOCK_STEP);
	CHECK_INT(journal_read_row(reader, 3, arena, &row), 0);
	CHECK_INT(journal_row_decision(row, arena, &decision), 0);
	CHECK_INT(decision->step_ms, -1800000);
	uint64_t before_ms = meta.batch_ms;
	CHECK_INT(journal_read_meta(reader, &meta), 0);
	CHECK_INT(meta.batch_ms, before_ms); /* batch time never goes back */
	CHECK_INT(meta.size, 5);
	journal_reader_free(reader);
	journal_fixture_stop(&f);
}

static void keeps_a_checkpoint_of_each_day(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct journal_reader *reader = NULL;
	struct checkpoint checkpoint;
	struct note_key key;
	struct bytes note;
	uint64_t sizes[3];
	journal_fixture_init(&f, check_memdir(), "daily");
	CHECK_INT(note_key_init(&key, BYTES_STR("test.demo/0"), f.options.log_keys[0]->pub.public),
		0);
	for (size_t day = 0; day < 3; day++) {
		journal_fixture_start(&f);
		submit_some(&f, 1);
		submit_some(&f, 1);
		journal_fixture_stop(&f);
		sizes[day] = size_of(&f);
		clock_fake_advance(&f.clock, 86400000);
	}
	CHECK_INT(journal_reader_open(f.dir, f.keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	for (size_t day = 0; day < 3; day++)
		for (uint64_t size = sizes[day];
			day < 2 ? size < sizes[day + 1] : size < sizes[day] + 3; size++) {
			CHECK_INT(journal_read_checkpoint(reader, size, &note), 0);
			CHECK_INT(checkpoint_open(note, &key, 1, "test.demo/0", &checkpoint), 0);
			CHECK_INT(checkpoint.size, sizes[day]);
		}
	CHECK_INT(journal_read_checkpoint(reader, sizes[0] - 1, &note), READER_NOT_FOUND);
	journal_reader_free(reader);
}

CHECK_MAIN(CHECK_CASE(one_writer_only), CHECK_CASE(needs_its_folder),
	CHECK_CASE(knows_its_format_and_bus), CHECK_CASE(refuses_another_bus_registry),
	CHECK_CASE(checks_its_tree), CHECK_CASE(takes_the_next_version_at_start),
	CHECK_CASE(refuses_a_registry_that_does_not_follow),
	CHECK_CASE(finds_facts_anew_under_a_new_registry), CHECK_CASE(notes_that_the_clock_was_set),
	CHECK_CASE(keeps_a_checkpoint_of_each_day))
