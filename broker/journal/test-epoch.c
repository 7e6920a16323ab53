/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A journal that lost entries goes on under a new origin: what was restored stays as it was, the first entry says so,
 * and a start that is repeated, or interrupted, begins no second epoch.
 */
#include <errno.h>
#include <unistd.h>

#include "broker/journal/highwater.h"
#include "broker/journal/reader.h"
#include "broker/journal/test-fixture.h"
#include "proto/base/file.h"
#include "proto/receipt/continuation.h"
#include "test/kit/check.h"

struct restored {
	struct journal_fixture journal;
	struct journal_order order;
	char mark[300], data[300];
	uint8_t *copy; /* of the data file */
	size_t copy_len;
	uint64_t size; /* entries in it */
};

static void message(struct restored *restored)
{
	struct parcel *parcel = journal_fixture_submit(
		&restored->journal, &(struct fixture_load){.count = 1});
	journal_fixture_run(&restored->journal, parcel);
	CHECK_INT(journal_fixture_check_receipts(&restored->journal, parcel), 1);
	parcel_free(parcel);
}

static struct checkpoint marked(const struct restored *restored)
{
	struct checkpoint mark;
	CHECK_INT(highwater_read(restored->mark, &mark), 0);
	return mark;
}

static void run_once(struct restored *restored)
{
	journal_fixture_start(&restored->journal);
	message(restored);
	journal_fixture_stop(&restored->journal);
}

static void copy_take(struct restored *restored)
{
	free(restored->copy);
	CHECK_INT(file_read(restored->data, 64 << 20, &restored->copy, &restored->copy_len), 0);
	restored->size = marked(restored).size;
}

static void copy_back(struct restored *restored)
{
	CHECK_INT(file_replace(restored->data, BYTES(restored->copy, restored->copy_len), 0600), 0);
}

/* Entries, a copy of them, and more entries that are lost. */
static void restored_init(struct restored *restored, const char *name)
{
	memset(restored, 0, sizeof(*restored));
	journal_fixture_init(&restored->journal, check_tmpdir(), name);
	snprintf(restored->mark, sizeof(restored->mark), "%s/%s/highwater", check_tmpdir(), name);
	snprintf(restored->data, sizeof(restored->data), "%s/data.mdb",
		restored->journal.options.dir);
	restored->journal.options.highwater = restored->mark;
	run_once(restored);
	copy_take(restored);
	run_once(restored);
	copy_back(restored);
}

static void restored_deinit(struct restored *restored)
{
	free(restored->copy);
	journal_fixture_deinit(&restored->journal);
}

static void order(struct restored *restored, uint32_t epoch)
{
	restored->order = (struct journal_order){epoch, 1000, "disk 3 died, order 7"};
	restored->journal.options.order = epoch ? &restored->order : NULL;
}

static void close_it(struct restored *restored)
{
	journal_free(steal(&restored->journal.journal));
}

static struct checkpoint newest(struct restored *restored)
{
	uint8_t note[CHECKPOINT_NOTE_MAX];
	struct checkpoint checkpoint;
	size_t len = journal_checkpoint(restored->journal.journal, note, sizeof(note), NULL);
	const uint8_t *end = memmem(note, len, "\n\n", 2);
	CHECK(end);
	CHECK_INT(checkpoint_parse(BYTES(note, (size_t)(end - note) + 1), &checkpoint), 0);
	return checkpoint;
}

/* The proof that an adapter gets, checked as an adapter does. */
static void proven(struct restored *restored, uint32_t before, uint32_t epoch)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	const struct key_secret *secret = registry_fixture_secret(
		restored->journal.parties, "test.demo", KEY_LOG);
	struct checkpoint now = newest(restored);
	Dienstweg__Continuation proof;
	struct continuation said;
	struct note_key key;
	const char *why = "";
	CHECK_INT(note_key_init(&key, BYTES_STR(now.origin), secret->pub.public), 0);
	CHECK_INT(journal_reader_new(journal_env(restored->journal.journal), NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_continuation(reader, restored->size, now.size, arena, &proof), 0);
	CHECK_INT(continuation_check(
			  &proof, &now, BYTES_STR("test.demo"), &key, 1, arena, &said, &why),
		0);
	CHECK(said.before == before && said.epoch == epoch && said.size == restored->size);
	CHECK(said.account == 1000);
	CHECK(bytes_equal(said.words, BYTES_STR("disk 3 died, order 7")));
}

static void it_goes_on_from_what_is_left(void)
{
	static struct restored restored;
	restored_init(&restored, "goes-on");
	uint64_t lost = marked(&restored).size;
	CHECK(lost > restored.size);
	order(&restored, 1);
	journal_fixture_start(&restored.journal);
	message(&restored);
	CHECK_STR(newest(&restored).origin, "test.demo/1");
	CHECK_STR(journal_origin(restored.journal.journal), "test.demo/1");
	CHECK_STR(marked(&restored).origin, "test.demo/1");
	proven(&restored, 0, 1);
	journal_fixture_stop(&restored.journal);
	CHECK_STR(marked(&restored).origin, "test.demo/1");
	/* The same start again begins no other epoch, and neither does one without the order. */
	uint64_t size = marked(&restored).size;
	run_once(&restored);
	order(&restored, 0);
	run_once(&restored);
	CHECK_STR(marked(&restored).origin, "test.demo/1");
	CHECK_INT(marked(&restored).size, size + 6); /* start, message, stop: twice */
	restored_deinit(&restored);
}

static void without_the_order_nothing_is_signed(void)
{
	static struct restored restored;
	restored_init(&restored, "no-order");
	CHECK_INT(journal_fixture_open(&restored.journal), 0);
	CHECK_INT(journal_doubt(restored.journal.journal), JOURNAL_BEHIND);
	CHECK_INT(journal_next_epoch(restored.journal.journal), 1);
	close_it(&restored);
	restored_deinit(&restored);
}

static void a_number_counts_once(void)
{
	static struct restored restored;
	restored_init(&restored, "numbers");
	order(&restored, 2); /* leaving one out is allowed: it may have been used elsewhere */
	run_once(&restored);
	copy_back(&restored); /* the copy is from before epoch 2, the mark is not */
	order(&restored, 2);
	CHECK_INT(journal_fixture_open(&restored.journal), JOURNAL_CONFLICT);
	CHECK(strstr(restored.journal.error, "the next one is 3"));
	order(&restored, 0);
	CHECK_INT(journal_fixture_open(&restored.journal), 0);
	CHECK_INT(journal_doubt(restored.journal.journal), JOURNAL_BEHIND);
	close_it(&restored);
	order(&restored, 3);
	journal_fixture_start(&restored.journal);
	message(&restored);
	CHECK_STR(newest(&restored).origin, "test.demo/3");
	proven(&restored, 0, 3);
	journal_fixture_stop(&restored.journal);
	restored_deinit(&restored);
}

static void a_new_journal_has_nothing_to_go_on_from(void)
{
	static struct restored restored;
	memset(&restored, 0, sizeof(restored));
	journal_fixture_init(&restored.journal, check_tmpdir(), "new");
	order(&restored, 1);
	CHECK_INT(journal_fixture_open(&restored.journal), JOURNAL_CONFLICT);
	CHECK(strstr(restored.journal.error, "nothing to go on from"));
	restored_deinit(&restored);
}

/* Also when nobody noticed: the mark was restored with the journal, and adapters told. */
static void it_may_begin_without_doubt(void)
{
	static struct restored restored;
	uint8_t *mark = NULL;
	size_t len;
	restored_init(&restored, "no-doubt");
	copy_back(&restored);
	order(&restored, 0);
	CHECK_INT(unlink(restored.mark), 0);
	CHECK_INT(journal_fixture_open(&restored.journal), 0);
	CHECK_INT(journal_doubt(restored.journal.journal), JOURNAL_UNMARKED);
	close_it(&restored);
	order(&restored, 1);
	run_once(&restored);
	copy_take(&restored);
	CHECK_INT(file_read(restored.mark, 4000, &mark, &len), 0);
	run_once(&restored);
	copy_back(&restored);
	CHECK_INT(file_replace(restored.mark, BYTES(mark, len), 0600), 0);
	order(&restored, 2);
	journal_fixture_start(&restored.journal);
	proven(&restored, 1, 2);
	journal_fixture_stop(&restored.journal);
	free(mark);
	restored_deinit(&restored);
}

/* Killed between the commit that begins the epoch and the mark that follows it. */
static void a_mark_of_the_epoch_before_is_no_doubt_at_its_beginning(void)
{
	static struct restored restored;
	uint8_t *mark = NULL;
	size_t len;
	restored_init(&restored, "killed");
	CHECK_INT(file_read(restored.mark, 4000, &mark, &len), 0);
	order(&restored, 1);
	CHECK_INT(journal_fixture_open(&restored.journal), 0);
	close_it(&restored); /* it has begun, and no more */
	CHECK_INT(file_replace(restored.mark, BYTES(mark, len), 0600), 0);
	order(&restored, 0);
	run_once(&restored);
	CHECK_STR(marked(&restored).origin, "test.demo/1");
	/* Later it is one: whose mark is this, beside a log that has gone on since? */
	CHECK_INT(file_replace(restored.mark, BYTES(mark, len), 0600), 0);
	CHECK_INT(journal_fixture_open(&restored.journal), 0);
	CHECK_INT(journal_doubt(restored.journal.journal), JOURNAL_BEHIND);
	close_it(&restored);
	free(mark);
	restored_deinit(&restored);
}

CHECK_MAIN(CHECK_CASE(it_goes_on_from_what_is_left),
	CHECK_CASE(without_the_order_nothing_is_signed), CHECK_CASE(a_number_counts_once),
	CHECK_CASE(a_new_journal_has_nothing_to_go_on_from), CHECK_CASE(it_may_begin_without_doubt),
	CHECK_CASE(a_mark_of_the_epoch_before_is_no_doubt_at_its_beginning))
