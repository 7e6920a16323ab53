/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Cosignatures in the journal: collected until they are a quorum, noted once a minute, kept over a restart,
 * and never more of them than a minute's worth.
 */
#include "broker/journal/test-fixture.h"
#include "proto/note/cosignature.h"
#include "test/kit/check.h"

enum { MINUTE_MS = 60 * 1000 };

static uint64_t now_s(const struct journal_fixture *f)
{
	return clock_wall_ms(&f->clock) / 1000;
}

static uint64_t size_now(struct journal_fixture *f)
{
	struct journal_stats stats;
	journal_stats(f->journal, &stats);
	return stats.tree_size;
}

static uint64_t cosigned_now(struct journal_fixture *f)
{
	uint8_t note[COSIGNED_NOTE_MAX];
	uint64_t size = 0;
	(void)journal_cosigned(f->journal, note, sizeof(note), &size);
	return size;
}

/* One message, so that there is something to witness. */
static void grow(struct journal_fixture *f)
{
	struct parcel *parcel = journal_fixture_submit(f, &(struct fixture_load){.count = 1});
	journal_fixture_run(f, parcel);
	parcel_free(parcel);
}

static void cosign(struct journal_fixture *f, const char *witnesses)
{
	struct parcel *parcel = journal_fixture_cosigned(f, witnesses, now_s(f));
	journal_fixture_run(f, parcel);
	parcel_free(parcel);
}

static void pass(struct journal_fixture *f, uint64_t ms)
{
	f->clock.fake_wall_ms += ms;
	f->clock.fake_mono_ns += ms * 1000000u;
}

/* Kept rows, their sizes. */
static size_t kept(struct journal_fixture *f, uint64_t sizes[64])
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct bytes note;
	size_t count = 0;
	CHECK_INT(journal_reader_new(journal_env(f->journal), f->keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	uint64_t size = 0;
	while (count < 64 && journal_read_next_cosigned(reader, size, &size, &note) == 0)
		sizes[count++] = size++;
	return count;
}

static uint8_t kind_of(struct journal_fixture *f, uint64_t sequence)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct stub stub;
	CHECK_INT(journal_reader_new(journal_env(f->journal), f->keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_stub(reader, sequence, &stub), 0);
	return stub.kind;
}

static void two_of_three_are_a_quorum(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init_witnessed(&f, check_memdir(), "quorum", 2);
	journal_fixture_start(&f);
	grow(&f);
	uint64_t size = size_now(&f), sizes[64];
	cosign(&f, "city");
	CHECK_INT(cosigned_now(&f), 0);
	CHECK_INT(size_now(&f), size);
	CHECK_INT(kept(&f, sizes), 1);
	cosign(&f, "city"); /* twice is once */
	CHECK_INT(cosigned_now(&f), 0);
	cosign(&f, "ministry");
	CHECK_INT(cosigned_now(&f), size);
	CHECK_INT(size_now(&f), size + 1);
	CHECK_INT(kind_of(&f, size), DIENSTWEG__ENTRY_KIND__ENTRY_WITNESSED);

	uint8_t note[COSIGNED_NOTE_MAX];
	struct policy policy;
	struct cosignatures judged;
	size_t len = journal_cosigned(f.journal, note, sizeof(note), NULL);
	registry_witnesses(f.registry, &policy);
	CHECK_INT(cosignatures_judge(BYTES(note, len), &policy, &judged), 0);
	CHECK(judged.quorum);
	CHECK_INT(judged.count, 2);
	journal_fixture_stop(&f);
}

static void the_entry_holds_the_proof(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	Dienstweg__Row *row;
	Dienstweg__Decision *decision;
	struct disclosed disclosed;
	uint8_t digest[HASH_SIZE];
	journal_fixture_init_witnessed(&f, check_memdir(), "entry", 2);
	journal_fixture_start(&f);
	grow(&f);
	uint64_t size = size_now(&f);
	cosign(&f, "city,jobcenter");
	CHECK_INT(journal_reader_new(journal_env(f.journal), NULL, &reader), 0); /* no keys needed */
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_row(reader, size, arena, &row), 0);
	CHECK_INT(journal_row_decision(row, arena, &decision), 0);
	CHECK_INT(decision->witnessed_size, size);
	CHECK_INT(decision->witnessed_seen_s, now_s(&f));
	CHECK_INT(decision->witnessed_signed_s, now_s(&f));
	CHECK_INT(disclosed_decode(BYTES_PB(row->disclosed), &disclosed), 0);
	sha256_of(BYTES_PB(row->original), digest);
	CHECK_MEM(disclosed.digest, digest, HASH_SIZE);
	journal_reader_free(steal(&reader));
	journal_fixture_stop(&f);
}

static void a_quiet_log_stays_quiet(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init_witnessed(&f, check_memdir(), "quiet", 2);
	journal_fixture_start(&f);
	grow(&f);
	cosign(&f, "city,ministry");
	uint64_t size = size_now(&f);
	for (int i = 0; i < 5; i++) {
		pass(&f, 2 * MINUTE_MS);
		cosign(&f, "city,ministry");
		CHECK_INT(cosigned_now(&f), size);
		CHECK_INT(size_now(&f), size);
	}
	journal_fixture_stop(&f);
}

static void a_busy_log_notes_once_a_minute_and_keeps_as_much(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	uint64_t sizes[64], witnessed = 0;
	journal_fixture_init_witnessed(&f, check_memdir(), "busy", 2);
	journal_fixture_start(&f);
	for (int second = 0; second < 180; second++) {
		grow(&f);
		uint64_t before = size_now(&f);
		cosign(&f, "city");
		cosign(&f, "jobcenter");
		witnessed += size_now(&f) - before;
		pass(&f, 1000);
	}
	CHECK_INT(witnessed, 3);
	CHECK_INT(kept(&f, sizes), 3); /* the last one of each minute */
	journal_fixture_stop(&f);
}

static void a_restart_forgets_nothing(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init_witnessed(&f, check_memdir(), "restart", 2);
	journal_fixture_start(&f);
	grow(&f);
	cosign(&f, "city,ministry");
	uint64_t cosigned = cosigned_now(&f);
	journal_fixture_stop(&f);
	journal_fixture_start(&f);
	CHECK_INT(cosigned_now(&f), cosigned);
	grow(&f);
	uint64_t size = size_now(&f);
	cosign(&f, "city,ministry");
	CHECK_INT(cosigned_now(&f), size);
	CHECK_INT(size_now(&f), size); /* the minute is not over */
	journal_fixture_stop(&f);
}

static void what_comes_late_is_of_no_use(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	uint64_t sizes[64];
	journal_fixture_init_witnessed(&f, check_memdir(), "late", 2);
	journal_fixture_start(&f);
	grow(&f);
	struct parcel *late = journal_fixture_cosigned(&f, "ministry", now_s(&f));
	cosign(&f, "city");
	grow(&f);
	cosign(&f, "city,jobcenter");
	uint64_t size = size_now(&f);
	CHECK_INT(kept(&f, sizes), 1);
	journal_fixture_run(&f, late);
	parcel_free(late);
	CHECK_INT(kept(&f, sizes), 1);
	CHECK_INT(size_now(&f), size);
	journal_fixture_stop(&f);
}

static void a_stranger_counts_for_nothing(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	uint64_t sizes[64];
	journal_fixture_init_witnessed(&f, check_memdir(), "stranger", 2);
	(void)registry_fixture_key(f.parties, "town", KEY_WITNESS);
	journal_fixture_start(&f);
	grow(&f);
	cosign(&f, "town");
	CHECK_INT(kept(&f, sizes), 0);
	cosign(&f, "town,city");
	CHECK_INT(kept(&f, sizes), 1);
	CHECK_INT(cosigned_now(&f), 0);
	journal_fixture_stop(&f);
}

CHECK_MAIN(CHECK_CASE(two_of_three_are_a_quorum), CHECK_CASE(the_entry_holds_the_proof),
	CHECK_CASE(a_quiet_log_stays_quiet),
	CHECK_CASE(a_busy_log_notes_once_a_minute_and_keeps_as_much),
	CHECK_CASE(a_restart_forgets_nothing), CHECK_CASE(what_comes_late_is_of_no_use),
	CHECK_CASE(a_stranger_counts_for_nothing))
