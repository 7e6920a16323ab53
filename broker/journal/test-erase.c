/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An erasure is right when what had to go is gone for whoever has everything we have left, an old backup
 * included, and when nothing else is: not what somebody still waits for, not what a court wants to see, not a
 * single proof.
 */
#include "broker/journal/erase-survey.h"
#include "broker/journal/erase.h"
#include "broker/journal/seal.h"
#include "broker/journal/test-erasing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/receipt/receipt.h"
#include "test/kit/check.h"

enum { FIGURES = 40, NOTICES = 5 };

static void sequences_of(const struct parcel *parcel, uint64_t *ret)
{
	for (size_t i = 0; i < parcel->submits_count; i++)
		ret[i] = parcel->submits[i].proof.sequence;
}

/* How many of these have their content, or their record. */
static uint64_t size_of(struct erasing *e)
{
	struct journal_stats stats;
	journal_stats(e->journal.journal, &stats);
	return stats.tree_size;
}

/* The last entry of a kind before another one, opened; the program ends when there is none. */
static uint64_t before_of_kind(struct erasing *e, uint64_t at, uint8_t kind, struct arena *arena,
	Dienstweg__Decision **ret)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct journal_fixture *f = &e->journal;
	Dienstweg__Row *row;
	struct stub stub;
	CHECK_INT(journal_reader_new(journal_env(f->journal), f->keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	do
		CHECK_INT(journal_read_stub(reader, --at, &stub), 0);
	while (stub.kind != kind && at > 0);
	CHECK_INT(stub.kind, kind);
	CHECK_INT(journal_read_row(reader, at, arena, &row), 0);
	CHECK_INT(journal_row_decision(row, arena, ret), 0);
	return at;
}

static uint64_t last_of_kind(
	struct erasing *e, uint8_t kind, struct arena *arena, Dienstweg__Decision **ret)
{
	return before_of_kind(e, size_of(e), kind, arena, ret);
}

/* Every stub proves, whatever became of the rest. */
static void check_tree(struct erasing *e)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct journal_fixture *f = &e->journal;
	struct merkle_hash path[MERKLE_LEVELS], root, again;
	struct journal_meta meta;
	size_t steps;
	CHECK_INT(journal_reader_new(journal_env(f->journal), NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_meta(reader, &meta), 0);
	for (uint64_t i = 0; i < meta.size; i++) {
		uint8_t bytes[STUB_SIZE] = {0};
		struct merkle_hash leaf;
		struct stub stub;
		CHECK_INT(journal_read_stub(reader, i, &stub), 0);
		bytes[1] = stub.kind;
		bytes[2] = stub.class;
		memcpy(bytes + 3, stub.commitment, HASH_SIZE);
		stub_leaf(bytes, &leaf);
		CHECK_INT(journal_read_path(reader, i, meta.size, path, &steps), 0);
		CHECK_INT(merkle_path_root(&leaf, i, meta.size, path, steps, &again), 0);
		if (i > 0)
			CHECK_MEM(again.bytes, root.bytes, HASH_SIZE);
		root = again;
	}
}

/* ---- by age ---- */

static void content_goes_on_its_day(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct fixture_load load = {.count = FIGURES, .content_bytes = 500, .text = ERASING_MARK};
	uint64_t figures[FIGURES], notices[NOTICES];
	Dienstweg__Decision *erased;
	struct erase_stats stats;
	char backup[300];
	erasing_init(&e, "age");
	journal_fixture_start(&e.journal);
	struct parcel *first = erasing_submit(&e, &load);
	load.service = "notice";
	load.count = NOTICES;
	load.content_bytes = 9000;
	struct parcel *second = erasing_submit(&e, &load);
	erasing_deliver(&e, "ministry", first);
	erasing_deliver(&e, "jobcenter", second);
	sequences_of(first, figures);
	sequences_of(second, notices);
	erasing_backup(&e, "before", backup);
	CHECK_INT(erasing_attack(backup, e.journal.keyring, "content", figures, FIGURES), FIGURES);
	CHECK_INT(erasing_count_contents(&e, figures, FIGURES), FIGURES);

	/* On the day itself there may be rows that are not quite so old. */
	clock_fake_advance(&e.journal.clock, 21 * (uint64_t)ERASING_DAY_MS);
	erasing_operate(&e, &(struct operator_act){.what = OPERATOR_ERASE_DUE});
	CHECK_INT(erasing_count_contents(&e, figures, FIGURES), FIGURES);
	erasing_later(&e, 1);
	CHECK_INT(erasing_count_contents(&e, figures, FIGURES), 0);
	CHECK_INT(erasing_count_records(&e, figures, FIGURES), FIGURES);
	CHECK_INT(erasing_count_contents(&e, notices, NOTICES), NOTICES);

	/* Whoever has the backup and today's keys has nothing of it. */
	CHECK_INT(erasing_attack(backup, e.journal.keyring, "content", figures, FIGURES), 0);
	CHECK_INT(erasing_attack(backup, e.journal.keyring, "content", notices, NOTICES), NOTICES);
	CHECK_INT(erasing_attack(backup, e.journal.keyring, "record", figures, FIGURES), FIGURES);
	CHECK(!erasing_grep(e.journal.dir, ERASING_MARK));
	CHECK(!erasing_grep(backup, ERASING_MARK));

	uint64_t at = last_of_kind(&e, DIENSTWEG__ENTRY_KIND__ENTRY_ERASED, arena, &erased);
	CHECK_INT(erased->n_erased, 1);
	CHECK_INT(erased->erased[0]->table, SEAL_CONTENT);
	CHECK_INT(erased->erased[0]->class_, 1);
	CHECK_INT(erased->erased[0]->erase_day, clock_day(FIXTURE_NOW_MS) + 21);
	CHECK_INT(erased->erased[0]->first, figures[0]);
	CHECK_INT(erased->erased[0]->last, figures[FIGURES - 1]);
	CHECK_INT(erased->erased[0]->erased, FIGURES);
	CHECK_INT(erased->n_instructions, 0);
	CHECK_INT(erased->previous_erased, 0);
	/* What went was accounted for before. */
	CHECK(before_of_kind(&e, at, DIENSTWEG__ENTRY_KIND__ENTRY_STATE, arena, &erased) >
		figures[FIGURES - 1]);
	journal_erase_stats(e.journal.journal, &stats);
	CHECK_INT(stats.phase, 0);
	CHECK_INT(stats.last_erased, FIGURES);
	CHECK(!stats.master_fixed);

	/* The receipt needs no content. */
	struct parcel *again = journal_fixture_resend(&e.journal, first);
	journal_fixture_run(&e.journal, again);
	CHECK_INT(journal_fixture_check_receipts(&e.journal, again), FIGURES);
	check_tree(&e);
	journal_fixture_stop(&e.journal);
	parcel_free(again);
	parcel_free(second);
	parcel_free(first);
}

static void records_go_on_theirs(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct fixture_load load = {.count = FIGURES, .content_bytes = 100, .text = ERASING_MARK};
	uint64_t figures[FIGURES], sequence;
	Dienstweg__Decision *erased;
	char backup[300];
	erasing_init(&e, "records");
	journal_fixture_start(&e.journal);
	struct parcel *first = erasing_submit(&e, &load);
	erasing_deliver(&e, "ministry", first);
	sequences_of(first, figures);
	erasing_backup(&e, "before", backup);
	erasing_later(&e, 22);
	sequence = last_of_kind(&e, DIENSTWEG__ENTRY_KIND__ENTRY_ERASED, arena, &erased);
	erasing_later(&e, 730 - 22 + 1);
	CHECK_INT(erasing_count_records(&e, figures, FIGURES), 0);
	CHECK_INT(erasing_attack(backup, e.journal.keyring, "record", figures, FIGURES), 0);
	last_of_kind(&e, DIENSTWEG__ENTRY_KIND__ENTRY_ERASED, arena, &erased);
	CHECK_INT(erased->previous_erased, sequence + 1);
	CHECK_INT(erased->erased[0]->table, SEAL_RECORD);
	CHECK(erased->erased[0]->erased > FIGURES); /* the acknowledgements as well */
	check_tree(&e);
	/* The id has gone with the record: the message comes as a new one. */
	struct parcel *again = journal_fixture_resend(&e.journal, first);
	journal_fixture_run(&e.journal, again);
	CHECK_INT(again->submits[0].decision.result, SUBMIT_ACCEPTED);
	CHECK(again->submits[0].proof.sequence > figures[FIGURES - 1]);
	journal_fixture_stop(&e.journal);
	parcel_free(again);
	parcel_free(first);
}

static void an_erased_record_has_no_receipt(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	struct fixture_load load = {.count = 1, .content_bytes = 100};
	struct db_txn *txn;
	db_table_id records;
	erasing_init(&e, "answer");
	journal_fixture_start(&e.journal);
	struct parcel *first = erasing_submit(&e, &load);
	uint64_t sequence = first->submits[0].proof.sequence;
	/* As between the commit in which its record went and that of its id. */
	struct key key = key_u64(sequence);
	CHECK_INT(db_begin(journal_env(e.journal.journal), true, &txn), 0);
	CHECK_INT(db_table_open(txn, "record", &records), 0);
	CHECK_INT(db_delete(txn, records, KEY_BYTES_OF(key)), 0);
	CHECK_INT(db_commit(txn), 0);
	struct parcel *again = journal_fixture_resend(&e.journal, first);
	journal_fixture_run(&e.journal, again);
	CHECK_INT(again->submits[0].decision.result, SUBMIT_DUPLICATE);
	CHECK_INT(again->submits[0].decision.earlier, sequence);
	CHECK_STR(again->submits[0].decision.code, "erased");
	CHECK_INT(again->checkpoint.len, 0); /* no receipt */
	journal_fixture_stop(&e.journal);
	parcel_free(again);
	parcel_free(first);
}

/* ---- what stays ---- */

static void the_undelivered_stay(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	struct fixture_load load = {.count = FIGURES, .content_bytes = 9000, .text = ERASING_MARK};
	uint64_t waiting[FIGURES], gone[FIGURES], late[1];
	erasing_init(&e, "undelivered");
	journal_fixture_start(&e.journal);
	struct parcel *delivered = erasing_submit(&e, &load);
	struct parcel *open = erasing_submit(&e, &load);
	load.count = 1;
	load.not_before_ms = FIXTURE_NOW_MS + 40 * (uint64_t)ERASING_DAY_MS;
	struct parcel *delayed = erasing_submit(&e, &load);
	erasing_deliver(&e, "ministry", delivered);
	sequences_of(delivered, gone);
	sequences_of(open, waiting);
	sequences_of(delayed, late);
	erasing_later(&e, 22);
	CHECK_INT(erasing_count_contents(&e, gone, FIGURES), 0);
	CHECK_INT(erasing_count_contents(&e, waiting, FIGURES), FIGURES);
	CHECK_INT(erasing_count_contents(&e, late, 1), 1);
	/* A restart does not lose them, and they are looked at again. */
	journal_fixture_stop(&e.journal);
	journal_fixture_start(&e.journal);
	erasing_later(&e, 8);
	CHECK_INT(erasing_count_contents(&e, waiting, FIGURES), FIGURES);
	CHECK_INT(erasing_count_contents(&e, late, 1), 1);
	erasing_deliver(&e, "ministry", open);
	erasing_later(&e, 8);
	CHECK_INT(erasing_count_contents(&e, waiting, FIGURES), 0);
	CHECK_INT(erasing_count_contents(&e, late, 1), 1);
	check_tree(&e);
	journal_fixture_stop(&e.journal);
	parcel_free(delayed);
	parcel_free(open);
	parcel_free(delivered);
}

/* Replay makes the outcome's row again, and needs for that what the messages' records say. */
static void what_a_sender_has_not_confirmed_stays(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	struct fixture_load load = {.count = FIGURES, .content_bytes = 100, .text = ERASING_MARK};
	uint64_t figures[FIGURES];
	erasing_init(&e, "unconfirmed");
	journal_fixture_start(&e.journal);
	struct parcel *sent = erasing_submit(&e, &load);
	sequences_of(sent, figures);
	uint64_t outcome = erasing_acknowledge(&e, "ministry", sent);
	erasing_later(&e, 731);
	CHECK_INT(erasing_count_contents(&e, figures, FIGURES), 0);
	CHECK_INT(erasing_count_records(&e, figures, FIGURES), FIGURES);
	CHECK_INT(erasing_count_records(&e, &outcome, 1), 1);
	erasing_confirm(&e, outcome);
	erasing_later(&e, 8);
	CHECK_INT(erasing_count_records(&e, figures, FIGURES), 0);
	CHECK_INT(erasing_count_records(&e, &outcome, 1), 0);
	check_tree(&e);
	journal_fixture_stop(&e.journal);
	parcel_free(sent);
}

/* Why it waits is said by that entry alone. */
static void what_holds_a_message_stays(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	erasing_init(&e, "parked");
	journal_fixture_start(&e.journal);
	struct parcel *sent = erasing_submit(&e, &(struct fixture_load){.count = 1});
	struct rules_item item = {.party = 3, .sequence = sent->submits[0].proof.sequence};
	struct operator_act act = {.what = OPERATOR_HOLD_ITEMS, .items = &item, .count = 1};
	uint64_t held = size_of(&e), released;
	CHECK(erasing_operate(&e, &act).changed);
	erasing_later(&e, 731);
	CHECK_INT(erasing_read_record(&e, held), 0);
	released = size_of(&e);
	act.what = OPERATOR_RELEASE_ITEMS;
	CHECK(erasing_operate(&e, &act).changed);
	erasing_later(&e, 8);
	CHECK_INT(erasing_read_record(&e, held), READER_ERASED);
	CHECK_INT(erasing_read_record(&e, released), 0);
	check_tree(&e);
	journal_fixture_stop(&e.journal);
	parcel_free(sent);
}

static void open_cases_keep_their_content(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	uint8_t case_id[16];
	uint64_t first[1];
	struct fixture_load load = {.count = 1, .content_bytes = 100, .case_id = case_id};
	random_fill(case_id, sizeof(case_id));
	erasing_init(&e, "open");
	journal_fixture_start(&e.journal);
	struct parcel *earlier = erasing_submit(&e, &load);
	erasing_deliver(&e, "ministry", earlier);
	sequences_of(earlier, first);
	clock_fake_advance(&e.journal.clock, 20 * (uint64_t)ERASING_DAY_MS);
	struct parcel *later = erasing_submit(&e, &load);
	erasing_later(&e, 2);
	CHECK_INT(erasing_count_contents(&e, first, 1), 1);
	erasing_deliver(&e, "ministry", later);
	erasing_later(&e, 8);
	CHECK_INT(erasing_count_contents(&e, first, 1), 0);
	journal_fixture_stop(&e.journal);
	parcel_free(later);
	parcel_free(earlier);
}

static struct operator_act about_case(enum operator_what what, const uint8_t case_id[16])
{
	struct operator_act act = {.what = what, .about = {.account = 1000}};
	memcpy(act.about.case_id, case_id, 16);
	memset(act.about.ground, 0x5a, HASH_SIZE);
	return act;
}

static void holds_keep(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	uint8_t case_id[16];
	uint64_t held[3], others[FIGURES], sequence;
	Dienstweg__Decision *decision;
	struct fixture_load load = {.count = 3, .content_bytes = 100, .case_id = case_id};
	random_fill(case_id, sizeof(case_id));
	erasing_init(&e, "held");
	journal_fixture_start(&e.journal);
	struct parcel *of_case = erasing_submit(&e, &load);
	struct parcel *rest = erasing_submit(
		&e, &(struct fixture_load){.count = FIGURES, .content_bytes = 100});
	erasing_deliver(&e, "ministry", of_case);
	erasing_deliver(&e, "ministry", rest);
	sequences_of(of_case, held);
	sequences_of(rest, others);
	struct operator_act act = about_case(OPERATOR_HOLD, case_id);
	act = erasing_operate(&e, &act);
	CHECK(act.changed && !act.late);
	sequence = last_of_kind(&e, DIENSTWEG__ENTRY_KIND__ENTRY_LEGAL_HOLD, arena, &decision);
	CHECK_INT(act.sequence, sequence);
	CHECK_MEM(decision->case_id.data, case_id, 16);
	CHECK_INT(decision->account, 1000);
	act = about_case(OPERATOR_HOLD, case_id);
	CHECK(!erasing_operate(&e, &act).changed); /* it is held already */

	erasing_later(&e, 22);
	CHECK_INT(erasing_count_contents(&e, held, 3), 3);
	CHECK_INT(erasing_count_contents(&e, others, FIGURES), 0);
	/* Longer than the hold's own class keeps its records. */
	for (uint32_t day = 22; day < 3700; day += 1839)
		erasing_later(&e, 1839);
	CHECK_INT(erasing_count_contents(&e, held, 3), 3);
	CHECK_INT(erasing_count_records(&e, held, 3), 3);
	CHECK_INT(erasing_count_records(&e, others, FIGURES), 0);
	CHECK_INT(erasing_read_record(&e, sequence), 0);

	act = about_case(OPERATOR_RELEASE, case_id);
	CHECK(erasing_operate(&e, &act).changed);
	erasing_later(&e, 8);
	CHECK_INT(erasing_count_contents(&e, held, 3), 0);
	CHECK_INT(erasing_count_records(&e, held, 3), 0);
	CHECK_INT(erasing_read_record(&e, sequence), READER_ERASED);
	check_tree(&e);
	journal_fixture_stop(&e.journal);
	parcel_free(rest);
	parcel_free(of_case);
}

/* ---- beforehand ---- */

static void a_survey_says_what_would_go(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	_cleanup_(erase_survey_deinit) struct erase_survey survey = {};
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	const uint32_t record_days[ERASE_CLASSES] = {0, 730, 3650};
	uint32_t today = clock_day(FIXTURE_NOW_MS);
	uint8_t held[16] = {1}, open[16] = {2};
	struct fixture_load load = {.count = 3, .content_bytes = 10, .case_id = held};
	erasing_init(&e, "survey");
	journal_fixture_start(&e.journal);
	struct parcel *kept = erasing_submit(&e, &load);
	load = (struct fixture_load){.count = FIGURES, .content_bytes = 10};
	struct parcel *gone = erasing_submit(&e, &load);
	load.count = 2;
	struct parcel *waits = erasing_submit(&e, &load);
	load = (struct fixture_load){.count = 1, .content_bytes = 10, .case_id = open};
	struct parcel *earlier = erasing_submit(&e, &load), *later = erasing_submit(&e, &load);
	erasing_deliver(&e, "ministry", kept);
	erasing_deliver(&e, "ministry", gone);
	erasing_deliver(&e, "ministry", earlier);
	struct operator_act act = about_case(OPERATOR_HOLD, held);
	CHECK(erasing_operate(&e, &act).changed);
	CHECK_INT(journal_reader_new(journal_env(e.journal.journal), e.journal.keyring, &reader), 0);
	CHECK_INT(erase_survey_due(reader, today + 21, record_days, &survey), 0);
	CHECK_INT(survey.count, 0);
	CHECK_INT(erase_survey_due(reader, today + 22, record_days, &survey), 0);
	CHECK_INT(survey.count, 1);
	CHECK_INT(survey.lines[0].table, ERASED_CONTENT);
	CHECK_INT(survey.lines[0].class, 1);
	CHECK_INT(survey.lines[0].erase_day, today + 21);
	CHECK_INT(survey.lines[0].erased, FIGURES);
	CHECK_INT(survey.lines[0].held, 3);
	CHECK_INT(survey.lines[0].waiting, 3);
	CHECK_INT(survey.lines[0].open, 1);
	struct erase_stats stats;
	journal_reader_free(steal(&reader));
	erasing_later(&e, 22);
	journal_erase_stats(e.journal.journal, &stats);
	CHECK_INT(stats.last_erased, FIGURES);
	CHECK_INT(stats.resealed, 7);
	journal_fixture_stop(&e.journal);
	parcel_free(later);
	parcel_free(earlier);
	parcel_free(waits);
	parcel_free(gone);
	parcel_free(kept);
}

/* ---- on instruction ---- */

static void a_case_goes_before_its_day(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	uint8_t case_id[16];
	uint64_t gone[3], others[FIGURES];
	Dienstweg__Decision *erased;
	struct fixture_load load = {.count = FIGURES, .content_bytes = 5000, .text = ERASING_MARK};
	char backup[300];
	random_fill(case_id, sizeof(case_id));
	erasing_init(&e, "instructed");
	journal_fixture_start(&e.journal);
	struct parcel *rest = erasing_submit(&e, &load);
	load.count = 3;
	load.case_id = case_id;
	struct parcel *of_case = erasing_submit(&e, &load);
	erasing_deliver(&e, "ministry", of_case);
	erasing_deliver(&e, "ministry", rest);
	sequences_of(of_case, gone);
	sequences_of(rest, others);
	erasing_backup(&e, "before", backup);
	CHECK_INT(erasing_attack(backup, e.journal.keyring, "content", gone, 3), 3);

	/* The tool names three entries too many: of another case, and the acknowledgement of many. */
	uint64_t named[6] = {gone[0], others[0], gone[1], gone[2], others[1], size_of(&e) - 1};
	struct operator_act act = about_case(OPERATOR_ERASE_CASE, case_id);
	act.sequences = named;
	act.count = 6;
	act = erasing_operate(&e, &act);
	CHECK_INT(act.taken, 3);
	CHECK_INT(erasing_count_records(&e, gone, 3), 3); /* it waits for its week */
	act = (struct operator_act){
		.what = OPERATOR_ERASE_NOW, .about = {.account = 1001}, .cause = "court-order"};
	erasing_operate(&e, &act);
	erasing_wait(&e);
	CHECK_INT(erasing_count_records(&e, gone, 3), 0);
	CHECK_INT(erasing_count_contents(&e, gone, 3), 0);
	CHECK_INT(erasing_count_records(&e, others, FIGURES), FIGURES);
	CHECK_INT(erasing_count_contents(&e, others, FIGURES), FIGURES);
	CHECK_INT(erasing_attack(backup, e.journal.keyring, "content", gone, 3), 0);
	CHECK_INT(erasing_attack(backup, e.journal.keyring, "record", gone, 3), 0);

	last_of_kind(&e, DIENSTWEG__ENTRY_KIND__ENTRY_ERASED, arena, &erased);
	CHECK_INT(erased->n_instructions, 1);
	CHECK_INT(erased->instructions[0].data[0], 0x5a);
	CHECK_INT(erased->account, 1001);
	CHECK_INT(erased->cause.len, strlen("court-order"));
	for (size_t i = 0; i < erased->n_erased; i++) {
		CHECK(erased->erased[i]->first >= gone[0]);
		CHECK(erased->erased[i]->last <= gone[2]);
	}
	/* What comes after goes under the new key of the day, and on its day with it. */
	struct parcel *after = erasing_submit(
		&e, &(struct fixture_load){.count = 2, .content_bytes = 10});
	uint64_t new[2];
	sequences_of(after, new);
	erasing_deliver(&e, "ministry", after);
	CHECK_INT(erasing_count_contents(&e, new, 2), 2);
	erasing_later(&e, 22);
	CHECK_INT(erasing_count_contents(&e, new, 2), 0);
	CHECK_INT(erasing_count_contents(&e, others, FIGURES), 0);
	check_tree(&e);
	journal_fixture_stop(&e.journal);
	parcel_free(after);
	parcel_free(of_case);
	parcel_free(rest);
}

/* A run names so many instructions. What others order, under the same keys, waits for the next one. */
static void nothing_goes_without_its_instruction(void)
{
	enum { CASES = ERASE_INSTRUCTIONS_MAX + 8 };
	_cleanup_(erasing_deinit) struct erasing e;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct operator_act now = {.what = OPERATOR_ERASE_NOW, .cause = "court-order"};
	uint64_t rows[CASES];
	Dienstweg__Decision *erased;
	erasing_init(&e, "many");
	journal_fixture_start(&e.journal);
	for (size_t i = 0; i < CASES; i++) {
		uint8_t id[16];
		random_fill(id, sizeof(id));
		struct parcel *sent = erasing_submit(
			&e, &(struct fixture_load){.count = 1, .content_bytes = 50, .case_id = id});
		erasing_deliver(&e, "ministry", sent);
		sequences_of(sent, &rows[i]);
		parcel_free(sent);
		struct operator_act act = about_case(OPERATOR_ERASE_CASE, id);
		act.about.ground[0] = (uint8_t)i;
		act.sequences = &rows[i];
		act.count = 1;
		CHECK_INT(erasing_operate(&e, &act).taken, 1);
	}
	for (int left = CASES - ERASE_INSTRUCTIONS_MAX; left >= 0; left -= 8) {
		erasing_operate(&e, &now);
		erasing_wait(&e);
		CHECK_INT(erasing_count_records(&e, rows, CASES), left);
		CHECK_INT(erasing_count_contents(&e, rows, CASES), left);
		last_of_kind(&e, DIENSTWEG__ENTRY_KIND__ENTRY_ERASED, arena, &erased);
		CHECK_INT(erased->n_instructions, left ? ERASE_INSTRUCTIONS_MAX : 8);
	}
	journal_fixture_stop(&e.journal);
}

static void instructions_wait_for_monday(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	uint8_t case_id[16];
	uint64_t gone[2];
	struct fixture_load load = {.count = 2, .content_bytes = 50, .case_id = case_id};
	random_fill(case_id, sizeof(case_id));
	erasing_init(&e, "weekly");
	e.journal.options.erase_daily = true;
	journal_fixture_start(&e.journal); /* a Monday */
	struct parcel *of_case = erasing_submit(&e, &load);
	erasing_deliver(&e, "ministry", of_case);
	sequences_of(of_case, gone);
	struct operator_act act = about_case(OPERATOR_ERASE_CASE, case_id);
	act.sequences = gone;
	act.count = 2;
	CHECK_INT(erasing_operate(&e, &act).taken, 2);
	for (int day = 1; day < 7; day++) {
		clock_fake_advance(&e.journal.clock, ERASING_DAY_MS);
		parcel_free(
			erasing_submit(&e, &(struct fixture_load){.count = 1, .content_bytes = 10}));
		CHECK_INT(erasing_count_records(&e, gone, 2), 2);
	}
	clock_fake_advance(&e.journal.clock, ERASING_DAY_MS);
	erasing_wait(&e); /* by itself */
	CHECK_INT(erasing_count_records(&e, gone, 2), 0);
	journal_fixture_stop(&e.journal);
	parcel_free(of_case);
}

static void a_clock_that_leaps_erases_nothing(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	struct fixture_load load = {.count = FIGURES, .content_bytes = 50}, one = {.count = 1};
	uint64_t rows[FIGURES];
	struct erase_stats stats;
	erasing_init(&e, "leap");
	e.journal.options.erase_daily = true;
	journal_fixture_start(&e.journal);
	struct parcel *sent = erasing_submit(&e, &load);
	erasing_deliver(&e, "ministry", sent);
	sequences_of(sent, rows);
	clock_fake_advance(&e.journal.clock, 60 * (uint64_t)ERASING_DAY_MS);
	for (int day = 0; day < 30; day++) {
		struct parcel *over_midnight = journal_fixture_submit(&e.journal, &one);
		parcel_free(erasing_submit(&e, &one));
		journal_push(e.journal.journal, over_midnight);
		clock_fake_advance(&e.journal.clock, ERASING_DAY_MS);
		CHECK(journal_fixture_wait(&e.journal) == over_midnight);
		parcel_free(over_midnight);
		CHECK_INT(erasing_count_contents(&e, rows, FIGURES), FIGURES);
	}
	parcel_free(erasing_submit(&e, &one));
	journal_erase_stats(e.journal.journal, &stats);
	CHECK(stats.leapt);
	erasing_later(&e, 0); /* somebody who has looked at the clock orders it, on the same day */
	CHECK_INT(erasing_count_contents(&e, rows, FIGURES), 0);
	journal_erase_stats(e.journal.journal, &stats);
	CHECK(!stats.leapt);
	journal_fixture_stop(&e.journal);
	parcel_free(sent);
}

/* ---- beside traffic ---- */

static void traffic_goes_on(void)
{
	enum { MANY = 3000 };
	_cleanup_(erasing_deinit) struct erasing e;
	struct fixture_load load = {.count = 1000, .content_bytes = 60};
	struct erase_stats stats;
	struct journal_stats before, after;
	erasing_init(&e, "traffic");
	journal_fixture_start(&e.journal);
	for (int i = 0; i < 3; i++) {
		struct parcel *sent = erasing_submit(&e, &load);
		if (i != 1)
			erasing_deliver(&e, "ministry", sent);
		parcel_free(sent);
	}
	clock_fake_advance(&e.journal.clock, 22 * (uint64_t)ERASING_DAY_MS);
	journal_stats(e.journal.journal, &before);
	erasing_operate(&e, &(struct operator_act){.what = OPERATOR_ERASE_DUE});
	/* Messages and their receipts, while the run is under way. */
	size_t receipts = 0;
	do {
		struct parcel *sent = erasing_submit(
			&e, &(struct fixture_load){.count = 10, .content_bytes = 60});
		receipts += journal_fixture_check_receipts(&e.journal, sent);
		parcel_free(sent);
		journal_erase_stats(e.journal.journal, &stats);
	} while (stats.finished_ms == 0);
	erasing_wait(&e);
	journal_stats(e.journal.journal, &after);
	CHECK(receipts >= 50); /* it took several commits, and none of them was the run's alone */
	CHECK_INT(stats.last_erased, 2000);
	CHECK_INT(stats.resealed, 1000);
	printf("# %zu receipts in %llu commits beside a run over %d entries\n", receipts,
		(unsigned long long)(after.commits - before.commits), MANY);
	check_tree(&e);
	journal_fixture_stop(&e.journal);
}

static void a_master_key_that_cannot_be_replaced(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	struct fixture_load load = {.count = 3, .content_bytes = 100};
	struct erase_stats stats;
	uint64_t rows[3];
	uint8_t *before, *after;
	char backup[300];
	size_t len;
	erasing_init(&e, "credential");
	/* As systemd hands it out: readable, in a folder that is not ours. */
	CHECK_INT(setenv("CREDENTIALS_DIRECTORY", check_memdir(), 1), 0);
	keyring_free(e.journal.keyring);
	CHECK_INT(chmod(e.journal.master, 0440), 0);
	CHECK_INT(keyring_open(e.journal.keys, e.journal.master, true, &e.journal.keyring), 0);
	e.journal.options.keyring = e.journal.keyring;
	CHECK_INT(file_read(e.journal.master, 32, &before, &len), 0);
	journal_fixture_start(&e.journal);
	struct parcel *sent = erasing_submit(&e, &load);
	erasing_deliver(&e, "ministry", sent);
	sequences_of(sent, rows);
	erasing_backup(&e, "before", backup);
	erasing_later(&e, 22);
	journal_erase_stats(e.journal.journal, &stats);
	CHECK(stats.master_fixed);
	CHECK_INT(erasing_count_contents(&e, rows, 3), 0);
	CHECK_INT(erasing_attack(backup, e.journal.keyring, "content", rows, 3), 0);
	CHECK_INT(file_read(e.journal.master, 32, &after, &len), 0);
	CHECK_MEM(before, after, 32);
	journal_fixture_stop(&e.journal);
	CHECK_INT(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	free(before);
	free(after);
	parcel_free(sent);
}

CHECK_MAIN(CHECK_CASE(content_goes_on_its_day), CHECK_CASE(records_go_on_theirs),
	CHECK_CASE(an_erased_record_has_no_receipt), CHECK_CASE(the_undelivered_stay),
	CHECK_CASE(what_a_sender_has_not_confirmed_stays), CHECK_CASE(what_holds_a_message_stays),
	CHECK_CASE(open_cases_keep_their_content), CHECK_CASE(holds_keep),
	CHECK_CASE(a_survey_says_what_would_go), CHECK_CASE(a_case_goes_before_its_day),
	CHECK_CASE(nothing_goes_without_its_instruction), CHECK_CASE(instructions_wait_for_monday),
	CHECK_CASE(a_clock_that_leaps_erases_nothing), CHECK_CASE(traffic_goes_on),
	CHECK_CASE(a_master_key_that_cannot_be_replaced))
