/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The high-water mark: a journal that was merely killed goes on, an old copy of it does not, and what decides
 * otherwise stands in the journal.
 */
#include <unistd.h>

#include "broker/journal/highwater.h"
#include "broker/journal/test-fixture.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

struct shore {
	struct journal_fixture journal;
	char mark[300];
};

static void shore_init(struct shore *shore, const char *name)
{
	journal_fixture_init(&shore->journal, check_memdir(), name);
	snprintf(shore->mark, sizeof(shore->mark), "%s/%s/highwater", check_memdir(), name);
	shore->journal.options.highwater = shore->mark;
}

static void message(struct shore *shore)
{
	struct parcel *parcel = journal_fixture_submit(
		&shore->journal, &(struct fixture_load){.count = 1});
	journal_fixture_run(&shore->journal, parcel);
	parcel_free(parcel);
}

static uint64_t marked(const struct shore *shore)
{
	struct checkpoint mark;
	CHECK_INT(highwater_read(shore->mark, &mark), 0);
	return mark.size;
}

static uint64_t size_of(const struct shore *shore)
{
	struct journal_stats stats;
	journal_stats(shore->journal.journal, &stats);
	return stats.tree_size;
}

static void run_once(struct shore *shore)
{
	journal_fixture_start(&shore->journal);
	message(shore);
	journal_fixture_stop(&shore->journal);
}

/* As if so many entries had been signed, or others. */
static void mark_raise(struct shore *shore, uint64_t size, uint8_t other)
{
	uint8_t note[CHECKPOINT_NOTE_MAX];
	struct checkpoint mark;
	struct note_key key;
	const struct key_secret *secret = registry_fixture_secret(
		shore->journal.parties, "test.demo", KEY_LOG);
	CHECK_INT(highwater_read(shore->mark, &mark), 0);
	mark.size = size;
	mark.root.bytes[0] ^= other;
	CHECK_INT(note_key_init(&key, BYTES_STR("test.demo/0"), secret->pub.public), 0);
	size_t len = checkpoint_sign(&mark, &key, secret->ed25519, note);
	CHECK_INT(highwater_write(shore->mark, BYTES(note, len)), 0);
}

static void in_doubt(struct shore *shore, enum journal_doubt doubt)
{
	CHECK_INT(journal_fixture_open(&shore->journal), 0);
	CHECK_INT(journal_doubt(shore->journal.journal), doubt);
}

static void close_it(struct shore *shore)
{
	journal_free(steal(&shore->journal.journal));
}

static void the_mark_follows_the_journal(void)
{
	struct shore shore;
	shore_init(&shore, "follows");
	journal_fixture_start(&shore.journal);
	message(&shore);
	uint64_t first = marked(&shore);
	CHECK(first >= 1 && first <= size_of(&shore)); /* it may lag by a second */
	shore.journal.clock.fake_wall_ms += 1500;
	shore.journal.clock.fake_mono_ns += UINT64_C(1500000000);
	message(&shore);
	CHECK_INT(marked(&shore), size_of(&shore));
	uint64_t size = size_of(&shore);
	journal_fixture_stop(&shore.journal);
	CHECK_INT(marked(&shore), size + 1);   /* the stop itself */
	journal_fixture_start(&shore.journal); /* and on */
	message(&shore);
	journal_fixture_stop(&shore.journal);
	journal_fixture_deinit(&shore.journal);
}

/* As after a kill: the mark is a second old, the journal is not. */
static void a_mark_that_lags_is_no_doubt(void)
{
	struct shore shore;
	uint8_t *old = NULL;
	size_t len;
	shore_init(&shore, "lags");
	run_once(&shore);
	CHECK_INT(file_read(shore.mark, 4000, &old, &len), 0);
	journal_fixture_start(&shore.journal);
	message(&shore);
	journal_fixture_stop(&shore.journal);
	CHECK_INT(highwater_write(shore.mark, BYTES(old, len)), 0);
	in_doubt(&shore, JOURNAL_SURE);
	close_it(&shore);
	free(old);
	journal_fixture_deinit(&shore.journal);
}

static void what_falls_short_is_in_doubt(void)
{
	struct shore shore;
	struct checkpoint mark;
	shore_init(&shore, "short");
	run_once(&shore);
	uint64_t size = marked(&shore);

	mark_raise(&shore, size + 1, 0);
	in_doubt(&shore, JOURNAL_BEHIND);
	close_it(&shore);
	mark_raise(&shore, size, 1); /* another tree of the same size */
	in_doubt(&shore, JOURNAL_BEHIND);
	close_it(&shore);
	mark_raise(&shore, size, 1); /* and back */
	in_doubt(&shore, JOURNAL_SURE);
	close_it(&shore);
	CHECK_INT(unlink(shore.mark), 0);
	in_doubt(&shore, JOURNAL_UNMARKED);
	close_it(&shore);
	CHECK_INT(file_replace(shore.mark, BYTES_STR("what?"), 0600), 0);
	CHECK_INT(highwater_read(shore.mark, &mark), HIGHWATER_BROKEN);
	in_doubt(&shore, JOURNAL_UNMARKED);
	close_it(&shore);
	journal_fixture_deinit(&shore.journal);
}

/* In doubt nothing is signed: not even a new registry comes into force. */
static void in_doubt_nothing_is_signed(void)
{
	struct shore shore;
	shore_init(&shore, "signed");
	run_once(&shore);
	CHECK_INT(unlink(shore.mark), 0);
	struct registry *first = shore.journal.registry;
	shore.journal.registry = registry_fixture_load(shore.journal.parties, 2, first);
	in_doubt(&shore, JOURNAL_UNMARKED);
	uint8_t note[CHECKPOINT_NOTE_MAX];
	uint64_t size = 0;
	CHECK_INT(journal_checkpoint(shore.journal.journal, note, sizeof(note), &size), 0);
	CHECK(access(shore.mark, F_OK) != 0);
	close_it(&shore);
	registry_unref(first);
	journal_fixture_deinit(&shore.journal);
}

static void who_trusts_it_stands_in_the_journal(void)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct shore shore;
	Dienstweg__Row *row;
	Dienstweg__Decision *decision;
	char why[256];
	shore_init(&shore, "trusts");
	run_once(&shore);
	uint64_t size = marked(&shore);
	mark_raise(&shore, size + 7, 0);
	in_doubt(&shore, JOURNAL_BEHIND);
	CHECK_INT(journal_trust(shore.journal.journal, "order 12 of 15 June", why, sizeof(why)), 0);
	CHECK_INT(journal_start(shore.journal.journal), 0);
	message(&shore);
	CHECK_INT(journal_reader_new(journal_env(shore.journal.journal), NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_row(reader, size, arena, &row), 0);
	CHECK_INT(journal_row_decision(row, arena, &decision), 0);
	CHECK(bytes_equal(BYTES_PB(decision->trusted), BYTES_STR("order 12 of 15 June")));
	CHECK_INT(decision->marked_size, size + 7);
	journal_reader_free(steal(&reader));
	journal_fixture_stop(&shore.journal);
	CHECK(marked(&shore) > size);
	in_doubt(&shore, JOURNAL_SURE);
	close_it(&shore);
	journal_fixture_deinit(&shore.journal);
}

CHECK_MAIN(CHECK_CASE(the_mark_follows_the_journal), CHECK_CASE(a_mark_that_lags_is_no_doubt),
	CHECK_CASE(what_falls_short_is_in_doubt), CHECK_CASE(in_doubt_nothing_is_signed),
	CHECK_CASE(who_trusts_it_stands_in_the_journal))
