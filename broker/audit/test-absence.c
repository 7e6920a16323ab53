/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An auditor must never be told that lawful erasure is damage, and never that damage is lawful erasure. The
 * journals here are erased by the broker, and then by hand.
 */
#include "broker/audit/absence.h"

#include <stdlib.h>

#include "broker/audit/index.h"
#include "broker/audit/replay.h"
#include "broker/audit/verify.h"
#include "broker/journal/test-erasing.h"
#include "broker/journal/writer.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

enum { COUNT = 20, DAY_MS = 86400000 };

/* ---- the rule ---- */

static struct absence_case row_of(uint8_t table, uint64_t sequence, uint32_t day)
{
	return (struct absence_case){
		.table = table,
		.class = 1,
		.sequence = sequence,
		.age_days = 21,
		.not_before_ms = (uint64_t)day * DAY_MS + 5,
	};
}

static void add(struct absence *absence, uint64_t sequence, uint32_t day,
	Dienstweg__ErasedRange *range, bool instructed)
{
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	ProtobufCBinaryData digest = {.len = 0};
	decision.erased = &range;
	decision.n_erased = 1;
	decision.instructions = &digest;
	decision.n_instructions = instructed;
	CHECK_INT(absence_add(absence, sequence, (uint64_t)day * DAY_MS, &decision), 0);
	absence_settle(absence);
}

static void judges(void)
{
	_cleanup_(absence_deinit) struct absence absence = {};
	Dienstweg__ErasedRange range = DIENSTWEG__ERASED_RANGE__INIT;
	struct absence_case row = row_of(ERASED_CONTENT, 15, 1000);
	CHECK_INT(absence_judge(&absence, &row), ABSENCE_UNCOVERED);
	range.table = ERASED_CONTENT;
	range.class_ = 1;
	range.erase_day = 1021;
	range.first = 10;
	range.last = 20;
	range.erased = 11;
	add(&absence, 50, 1022, &range, false);
	CHECK_INT(absence_judge(&absence, &row), 0);
	/* Not this table, this class, or these entries. */
	row = row_of(ERASED_RECORD, 15, 1000);
	CHECK_INT(absence_judge(&absence, &row), ABSENCE_UNCOVERED);
	row = row_of(ERASED_CONTENT, 15, 1000);
	row.class = 2;
	CHECK_INT(absence_judge(&absence, &row), ABSENCE_UNCOVERED);
	row = row_of(ERASED_CONTENT, 9, 1000);
	CHECK_INT(absence_judge(&absence, &row), ABSENCE_UNCOVERED);
	row.sequence = 21;
	CHECK_INT(absence_judge(&absence, &row), ABSENCE_UNCOVERED);
	/* It came a day later, so its day had not come; one may not know better. */
	row = row_of(ERASED_CONTENT, 20, 1001);
	CHECK_INT(absence_judge(&absence, &row), ABSENCE_EARLY);
	row.not_before_ms = 0;
	CHECK_INT(absence_judge(&absence, &row), 0);
	/* An erased entry before it has a time as well. */
	Dienstweg__ErasedRange other = range;
	other.first = other.last = 1;
	add(&absence, 12, 1001, &other, false);
	CHECK_INT(absence_judge(&absence, &row), ABSENCE_EARLY);
	row.sequence = 11;
	CHECK_INT(absence_judge(&absence, &row), 0);
	/* What was taken behind 50 had to be there; what was before it, or went later, says nothing. */
	const struct absence_row taken = {.table = ERASED_CONTENT, .class = 1, .sequence = 15};
	CHECK(absence_is_between(&absence, 15, 51) && !absence_is_between(&absence, 15, 50));
	CHECK_INT(absence_gone_before(&absence, &taken, 49), 0);
	CHECK_INT(absence_gone_before(&absence, &taken, 51), 51);
	/* An instruction asks for no age. */
	range.first = range.last = 20;
	add(&absence, 60, 1002, &range, true);
	row = row_of(ERASED_CONTENT, 20, 1001);
	CHECK_INT(absence_judge(&absence, &row), 0);
}

/* The same as looking at each range. */
static int judge_each(const struct absence *absence, const struct absence_case *row)
{
	int verdict = ABSENCE_UNCOVERED;
	for (size_t i = 0; i < absence->count; i++) {
		const struct absence_range *range = &absence->ranges[i];
		if (range->table != row->table || range->class != row->class ||
			row->sequence < range->first || row->sequence > range->last)
			continue;
		if (range->erase_day >= clock_day(row->not_before_ms) + row->age_days &&
			clock_day(range->batch_ms) > range->erase_day)
			return 0;
		verdict = ABSENCE_EARLY;
	}
	return verdict;
}

static uint64_t below(uint64_t *seed, uint64_t bound)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1;
	return (*seed >> 33) % bound;
}

static void finds_what_covers(void)
{
	enum { RANGES = 400, SPACE = 1000, BEHIND = 100000 };
	_cleanup_(absence_deinit) struct absence absence = {};
	size_t verdicts[3] = {};
	uint64_t seed = 1;
	for (uint64_t i = 0; i < RANGES; i++) {
		Dienstweg__ErasedRange range = DIENSTWEG__ERASED_RANGE__INIT;
		range.table = ERASED_RECORD + (uint32_t)below(&seed, 2);
		range.class_ = 1 + (uint32_t)below(&seed, 2);
		range.erase_day = 1000 + (uint32_t)below(&seed, 40);
		range.first = below(&seed, SPACE);
		range.last = range.first + below(&seed, below(&seed, 10) ? 4 : SPACE);
		range.erased = 1;
		add(&absence, BEHIND + i, 1020 + (uint32_t)below(&seed, 40), &range, false);
	}
	for (uint64_t i = 0; i < 20 * SPACE; i++) {
		struct absence_case row = row_of(
			i % 2 ? ERASED_RECORD : ERASED_CONTENT, below(&seed, 2 * SPACE), 1000);
		row.class = 1 + i / 2 % 2;
		int verdict = absence_judge(&absence, &row);
		CHECK_INT(verdict, judge_each(&absence, &row));
		verdicts[verdict]++;
	}
	CHECK(verdicts[0] > 0 && verdicts[ABSENCE_UNCOVERED] > 0 && verdicts[ABSENCE_EARLY] > 0);
}

static void a_key_may_not_go_on_its_day(void)
{
	_cleanup_(absence_deinit) struct absence absence = {};
	Dienstweg__ErasedRange range = DIENSTWEG__ERASED_RANGE__INIT, *pointer = &range;
	Dienstweg__Decision decision = DIENSTWEG__DECISION__INIT;
	struct absence_case row = row_of(ERASED_CONTENT, 15, 1000);
	range.table = ERASED_CONTENT;
	range.class_ = 1;
	range.erase_day = 1021;
	range.first = 10;
	range.last = 20;
	range.erased = 11;
	add(&absence, 50, 1021, &range, false);
	CHECK_INT(absence_judge(&absence, &row), ABSENCE_EARLY);
	decision.erased = &pointer;
	CHECK(absence_is_honest(50, UINT64_C(1022) * DAY_MS, &decision));
	decision.n_erased = 1;
	CHECK(!absence_is_honest(50, UINT64_C(1022) * DAY_MS, &decision));
	CHECK(absence_is_honest(50, UINT64_C(1021) * DAY_MS, &decision));
	CHECK(absence_is_honest(20, UINT64_C(1022) * DAY_MS, &decision));
	range.erased = 12;
	CHECK(absence_is_honest(50, UINT64_C(1022) * DAY_MS, &decision));
	/* On instruction each entry is named: no room for another. */
	ProtobufCBinaryData digest = {.len = 0};
	decision.instructions = &digest;
	decision.n_instructions = 1;
	range.erased = 11;
	CHECK(!absence_is_honest(50, UINT64_C(1022) * DAY_MS, &decision));
	range.erased = 10;
	CHECK(absence_is_honest(50, UINT64_C(1022) * DAY_MS, &decision));
}

/* ---- journals ---- */

struct found {
	struct audit_report report;
	char code[40];
	uint64_t sequence;
};

static void keep(void *context, const struct audit_finding *finding)
{
	struct found *found = context;
	snprintf(found->code, sizeof(found->code), "%s", finding->code);
	found->sequence = finding->sequence;
}

static void verify(struct erasing *e, const char *dir, struct found *found)
{
	_cleanup_(audit_close) struct audit audit = {};
	struct audit_verify_options options = {.depth = AUDIT_FULL, .workers = 1};
	struct audit_verify_result result;
	char error[512] = "";
	const struct audit_paths paths = {
		.journal = dir, .keyring = e->journal.keys, .master_key = e->journal.master};
	*found = (struct found){.report = {.finding = keep, .context = found}};
	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
	CHECK_INT(audit_verify(&audit, &options, &found->report, &result), 0);
	if (found->report.findings > 0)
		printf("# %llu findings, the last: %s at %llu\n",
			(unsigned long long)found->report.findings, found->code,
			(unsigned long long)found->sequence);
}

static void expect_none(struct erasing *e, const char *dir)
{
	struct found found;
	verify(e, dir, &found);
	CHECK_INT(found.report.findings, 0);
}

static void expect_one(struct erasing *e, const char *dir, const char *code, uint64_t sequence)
{
	struct found found;
	verify(e, dir, &found);
	CHECK_INT(found.report.findings, 1);
	CHECK_STR(found.code, code);
	CHECK_INT(found.sequence, sequence);
}

static void replay_agrees(struct erasing *e, const char *dir, const char *name)
{
	_cleanup_(audit_close) struct audit audit = {};
	struct audit_replay_result result;
	struct found found = {.report = {.finding = keep, .context = &found}};
	char error[512] = "", work[300];
	const struct audit_paths paths = {
		.journal = dir, .keyring = e->journal.keys, .master_key = e->journal.master};
	CHECK(snprintf(work, sizeof(work), "%s/work-%s", check_memdir(), name) > 0);
	struct audit_replay_options options = {.work = work};
	CHECK_INT(dir_make(work, 0700), 0);
	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &result), 0);
	if (found.report.findings > 0)
		printf("# replay: %s at %llu\n", found.code, (unsigned long long)found.sequence);
	CHECK_INT(found.report.findings, 0);
	CHECK(result.complete);
}

static uint64_t last_erased(const char *dir)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	uint64_t sequence;
	CHECK_INT(journal_reader_open(dir, NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_last_erased(reader, &sequence), 0);
	return sequence;
}

/* An empty @value removes the row. */
static void change_row(const char *dir, const char *table, struct bytes key, struct bytes value)
{
	const struct db_options options = {
		.map_bytes = UINT64_C(1) << 30, .tables_max = TABLES_MAX, .readers_max = 4};
	struct db_env *env;
	struct db_txn *txn;
	db_table_id id;
	CHECK_INT(db_env_open(dir, &options, &env), 0);
	CHECK_INT(db_begin(env, true, &txn), 0);
	CHECK_INT(db_table_open(txn, table, &id), 0);
	CHECK_INT(value.len ? db_put(txn, id, key, value) : db_delete(txn, id, key), 0);
	CHECK_INT(db_commit(txn), 0);
	db_env_close(env);
}

static void remove_row(const char *dir, const char *table, struct key key)
{
	change_row(dir, table, KEY_BYTES_OF(key), BYTES(NULL, 0));
}

static struct parcel *send(struct erasing *e, const uint8_t *case_id, bool deliver)
{
	struct parcel *sent = erasing_submit(e,
		&(struct fixture_load){.count = COUNT, .content_bytes = 100, .case_id = case_id});
	if (deliver)
		erasing_deliver(e, "ministry", sent);
	return sent;
}

static uint64_t nth(const struct parcel *sent, size_t n)
{
	return sent->submits[n].proof.sequence;
}

static void lawful_is_no_finding(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	char copy[300];
	uint8_t held[16] = {1};
	struct operator_act hold = {.what = OPERATOR_HOLD};
	struct operator_act now = {.what = OPERATOR_ERASE_NOW, .cause = "test"};
	memcpy(hold.about.case_id, held, 16);
	erasing_init(&e, "lawful");
	journal_fixture_start(&e.journal);
	struct parcel *gone = send(&e, NULL, true), *waits = send(&e, NULL, false);
	struct parcel *kept = send(&e, held, true), *after = send(&e, NULL, true);
	CHECK(erasing_operate(&e, &hold).changed);
	expect_none(&e, erasing_backup(&e, "whole", copy));
	erasing_later(&e, 22);
	erasing_backup(&e, "contents", copy);
	expect_none(&e, copy);
	replay_agrees(&e, copy, "contents");
	/* A row that survived, and then did not. */
	remove_row(copy, "content", key_chunk(nth(kept, 3), 0));
	expect_one(&e, copy, "absent-uncounted", last_erased(copy));
	erasing_backup(&e, "waiting", copy);
	remove_row(copy, "content", key_chunk(nth(waits, 3), 0));
	expect_one(&e, copy, "absent-uncounted", last_erased(copy));

	/* A case on instruction, then all by age. */
	struct parcel *case_of = send(&e, (const uint8_t[16]){2}, true);
	struct operator_act act = {.what = OPERATOR_ERASE_CASE, .count = 1};
	uint64_t one = nth(case_of, 4);
	act.about.case_id[0] = 2;
	act.sequences = &one;
	CHECK_INT(erasing_operate(&e, &act).taken, 1);
	erasing_operate(&e, &now);
	erasing_wait(&e);
	expect_none(&e, erasing_backup(&e, "instructed", copy));
	remove_row(copy, "record", key_u64(nth(case_of, 5)));
	expect_one(&e, copy, "record-missing", nth(case_of, 5));
	erasing_later(&e, 731);
	expect_none(&e, erasing_backup(&e, "records", copy));
	replay_agrees(&e, copy, "records");
	journal_fixture_stop(&e.journal);
	parcel_free(case_of);
	parcel_free(after);
	parcel_free(kept);
	parcel_free(waits);
	parcel_free(gone);
}

/* ---- the case index ---- */

/* Folder and file of the index; of a copy made before. */
static void index_path(const struct erasing *e, const char *which, const char *file, char buf[400])
{
	CHECK(snprintf(buf, 400, "%s-%s%s", e->journal.dir, which, file) < 400);
}

/* As somebody finds it who kept a copy, and has today's keys. */
static size_t entries_in_copy(struct erasing *e, const uint8_t id[16])
{
	_cleanup_(keyring_free) struct keyring *keyring = NULL;
	_cleanup_(case_index_free) struct case_index *index = NULL;
	_cleanup_(case_entries_deinit) struct case_entries entries = {};
	char path[400], error[512];
	index_path(e, "copy", "", path);
	CHECK_INT(keyring_open(e->journal.keys, e->journal.master, false, &keyring), 0);
	CHECK_INT(case_index_open(path, &index, error, sizeof(error)), 0);
	CHECK_INT(case_index_begin(index), 0);
	CHECK_INT(case_index_entries(index, keyring, id, &entries), 0);
	return entries.count;
}

static void copy_index(struct erasing *e)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char from[400], to[400];
	size_t len;
	index_path(e, "copy", "", to);
	CHECK_INT(dir_make(to, 0700), 0);
	index_path(e, "index", "/data.mdb", from);
	index_path(e, "copy", "/data.mdb", to);
	CHECK_INT(file_read(from, 64 << 20, &data, &len), 0);
	CHECK_INT(file_replace(to, BYTES(data, len), 0600), 0);
}

static size_t entries_of(struct erasing *e, const uint8_t id[16], bool anew)
{
	_cleanup_(audit_close) struct audit audit = {};
	struct found found = {.report = {.finding = keep, .context = &found}};
	struct case_index *index;
	struct case_entries entries = {};
	char path[300], error[512] = "";
	const struct audit_paths paths = {.journal = e->journal.dir,
		.keyring = e->journal.keys,
		.master_key = e->journal.master};
	CHECK(snprintf(path, sizeof(path), "%s-index", e->journal.dir) > 0);
	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
	CHECK_INT(case_index_open(path, &index, error, sizeof(error)), 0);
	CHECK_INT(case_index_update(index, &audit, anew, &found.report), 0);
	CHECK_INT(found.report.findings, 0);
	CHECK_INT(case_index_begin(index), 0);
	CHECK_INT(case_index_entries(index, audit.keyring, id, &entries), 0);
	for (size_t i = 0; i < entries.count; i++)
		CHECK(i == 0 || entries.all[i] > entries.all[i - 1]);
	size_t count = entries.count;
	case_entries_deinit(&entries);
	case_index_free(index);
	return count;
}

/* LMDB opens an environment once in a process, so the journal is stopped before it is looked at. */
static void an_index_forgets(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	static const uint8_t first[16] = {1}, second[16] = {2}, held[16] = {3};
	struct operator_act hold = {.what = OPERATOR_HOLD, .about.case_id = {3}};
	erasing_init(&e, "index");
	journal_fixture_start(&e.journal);
	struct parcel *of_first = send(&e, first, true), *of_held = send(&e, held, true);
	clock_fake_advance(&e.journal.clock, 100 * (uint64_t)DAY_MS);
	struct parcel *of_second = send(&e, second, true), *later = send(&e, first, true);
	CHECK(erasing_operate(&e, &hold).changed);
	journal_fixture_stop(&e.journal);
	CHECK_INT(entries_of(&e, first, false), 2 * COUNT + 2); /* and acknowledgements */
	CHECK_INT(entries_of(&e, held, false), COUNT + 1);
	CHECK_INT(entries_of(&e, second, false), COUNT + 1);
	copy_index(&e);
	CHECK_INT(entries_in_copy(&e, first), 2 * COUNT + 2);
	journal_fixture_start(&e.journal);
	erasing_later(&e, 640); /* records of the first day, and contents */
	journal_fixture_stop(&e.journal);
	for (int anew = 0; anew < 2; anew++) {
		CHECK_INT(entries_of(&e, first, anew), COUNT + 1);
		CHECK_INT(entries_of(&e, held, anew), COUNT + 1);
		CHECK_INT(entries_of(&e, second, anew), COUNT + 1);
	}
	CHECK_INT(entries_in_copy(&e, first), COUNT + 1);
	journal_fixture_start(&e.journal);
	erasing_later(&e, 100);
	journal_fixture_stop(&e.journal);
	CHECK_INT(entries_in_copy(&e, first), 0);
	CHECK_INT(entries_in_copy(&e, second), 0);
	for (int anew = 0; anew < 2; anew++) {
		CHECK_INT(entries_of(&e, first, anew), 0);
		CHECK_INT(entries_of(&e, held, anew), COUNT + 1);
		CHECK_INT(entries_of(&e, second, anew), 0);
	}
	parcel_free(later);
	parcel_free(of_second);
	parcel_free(of_held);
	parcel_free(of_first);
}

/* Everything that shared a key with what was instructed is sealed anew, under another key. */
static void an_index_follows_an_instruction(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	static const uint8_t first[16] = {1}, second[16] = {2};
	struct operator_act now = {.what = OPERATOR_ERASE_NOW, .cause = "test"};
	struct operator_act act = {.what = OPERATOR_ERASE_CASE, .about.case_id = {1}, .count = 1};
	erasing_init(&e, "instructed");
	journal_fixture_start(&e.journal);
	struct parcel *of_first = send(&e, first, true), *of_second = send(&e, second, true);
	journal_fixture_stop(&e.journal);
	CHECK_INT(entries_of(&e, first, false), COUNT + 1);
	copy_index(&e);
	journal_fixture_start(&e.journal);
	uint64_t one = nth(of_first, 4);
	act.sequences = &one;
	CHECK_INT(erasing_operate(&e, &act).taken, 1);
	erasing_operate(&e, &now);
	erasing_later(&e, 0);
	journal_fixture_stop(&e.journal);
	for (int anew = 0; anew < 2; anew++) {
		CHECK_INT(entries_of(&e, first, anew), COUNT);
		CHECK_INT(entries_of(&e, second, anew), COUNT + 1);
	}
	CHECK_INT(entries_in_copy(&e, first), 0);
	CHECK_INT(entries_in_copy(&e, second), 0);
	parcel_free(of_second);
	parcel_free(of_first);
}

static void early_and_silent_are_findings(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	char copy[300];
	struct found found;
	erasing_init(&e, "silent");
	journal_fixture_start(&e.journal);
	struct parcel *first = send(&e, NULL, true);
	erasing_backup(&e, "before", copy);
	remove_row(copy, "content", key_chunk(nth(first, 2), 0));
	expect_one(&e, copy, "content-missing", nth(first, 2));
	erasing_backup(&e, "before-too", copy);
	remove_row(copy, "record", key_u64(nth(first, 2)));
	expect_one(&e, copy, "record-missing", nth(first, 2));
	erasing_later(&e, 22);
	/* The entry that excuses it is hidden. */
	erasing_backup(&e, "hidden", copy);
	expect_none(&e, copy);
	remove_row(copy, "meta", (struct key){.bytes = "erased", .len = 6});
	verify(&e, copy, &found);
	CHECK_INT(found.report.findings, COUNT);
	CHECK_STR(found.code, "content-missing");
	/* A backup from before the erasure, under today's keys: its contents are gone, and it cannot know. */
	CHECK(snprintf(copy, sizeof(copy), "%s-before-too", e.journal.dir) > 0);
	verify(&e, copy, &found);
	CHECK(found.report.findings >= COUNT);
	journal_fixture_stop(&e.journal);
	parcel_free(first);
}

/* ---- numbers ---- */

/*
 * The attack: an operator wants to be rid of one message that is still waited for, or under hold, without anybody
 * seeing it. When an erasure is due he says that one more content is gone than is. All of it is due, so no
 * range and no age gives him away; years later he removes the survivor, and the numbers agree.
 */
static void says_one_more(struct erasing *e)
{
	const struct erase *erase = &e->journal.journal->erase;
	for (size_t i = 0; i < erase->ranges_count; i++)
		if (erase->ranges[i].table == ERASED_CONTENT)
			erase->ranges[i].erased++;
	e->cheat = NULL;
}

static uint64_t size_of(struct erasing *e)
{
	struct journal_stats stats;
	journal_stats(e->journal.journal, &stats);
	return stats.tree_size;
}

static void a_number_has_no_room(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	char copy[300];
	erasing_init(&e, "room");
	journal_fixture_start(&e.journal);
	struct parcel *gone = send(&e, NULL, true), *waits = send(&e, NULL, false);
	struct parcel *after = send(&e, NULL, true);
	e.cheat = says_one_more;
	erasing_later(&e, 22);
	erasing_backup(&e, "more", copy);
	expect_one(&e, copy, "erased-overstated", last_erased(copy));
	/* Filled before anybody looked. But its recipient takes it, and signs that it was there. */
	uint64_t taken = size_of(&e);
	erasing_deliver(&e, "ministry", waits);
	erasing_backup(&e, "taken", copy);
	remove_row(copy, "content", key_chunk(nth(waits, 3), 0));
	expect_one(&e, copy, "erased-undelivered", taken);
	journal_fixture_stop(&e.journal);
	parcel_free(after);
	parcel_free(waits);
	parcel_free(gone);
}

/* Or he lets the run stand half-way, so that nobody may ask yet whether all is gone that should be. */
static void a_run_has_an_end(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	static const uint8_t plan[] = {0x08, 2, 0x18, 1}; /* phase: removing; days before the first */
	char copy[300];
	erasing_init(&e, "end");
	journal_fixture_start(&e.journal);
	struct parcel *gone = send(&e, NULL, true), *waits = send(&e, NULL, false);
	struct parcel *after = send(&e, NULL, true);
	e.cheat = says_one_more;
	erasing_later(&e, 22);
	erasing_backup(&e, "standing", copy);
	change_row(copy, "meta", BYTES_STR("erase"), BYTES(plan, sizeof(plan)));
	expect_none(&e, copy);
	clock_fake_advance(&e.journal.clock, 8 * (uint64_t)DAY_MS);
	struct parcel *later = send(&e, NULL, true);
	erasing_backup(&e, "stood", copy);
	change_row(copy, "meta", BYTES_STR("erase"), BYTES(plan, sizeof(plan)));
	expect_one(&e, copy, "erasure-unfinished", last_erased(copy));
	change_row(copy, "meta", BYTES_STR("erase"), BYTES("\x08\x09", 2));
	struct found found;
	verify(&e, copy, &found);
	CHECK_STR(found.code, "erasure-plan");
	journal_fixture_stop(&e.journal);
	parcel_free(later);
	parcel_free(after);
	parcel_free(waits);
	parcel_free(gone);
}

/* ---- what steers it ---- */

/* Whoever cannot change what was recorded can try to keep an erasure from finding it. */
static void nothing_escapes_unseen(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	char copy[300];
	struct found found;
	uint8_t week[4], far[8], digest[HASH_SIZE] = {1};
	erasing_init(&e, "escape");
	journal_fixture_start(&e.journal);
	struct parcel *gone = send(&e, NULL, true), *kept = send(&e, NULL, false);
	erasing_later(&e, 22);
	uint32_t now = (clock_day(clock_wall_ms(&e.journal.clock)) + 3) / 7;
	uint64_t none = size_of(&e) + 1000; /* a state entry may come meanwhile */
	expect_none(&e, erasing_backup(&e, "fine", copy));
	be32_put(week, now);
	change_row(copy, "meta", BYTES_STR("erase-week"), BYTES(week, sizeof(week)));
	expect_none(&e, copy);
	be32_put(week, now + 1);
	change_row(copy, "meta", BYTES_STR("erase-week"), BYTES(week, sizeof(week)));
	verify(&e, copy, &found);
	CHECK_INT(found.report.findings, 1);
	CHECK_STR(found.code, "mark-wrong");
	/* A sender that has confirmed what is not there is told nothing any more. */
	erasing_backup(&e, "confirmed", copy);
	be64_put(far, none);
	change_row(copy, "meta", BYTES("confirmed\0\0\0\1", 13), BYTES(far, sizeof(far)));
	expect_one(&e, copy, "mark-wrong", none);
	/* An instruction about an entry that is not there, and none at all. */
	erasing_backup(&e, "instructed", copy);
	change_row(copy, "instructed", KEY_BYTES_OF(key_u64(none)), BYTES(digest, HASH_SIZE));
	expect_one(&e, copy, "instructed-wrong", none);
	change_row(copy, "instructed", KEY_BYTES_OF(key_u64(4)), BYTES(digest, HASH_SIZE - 1));
	expect_one(&e, copy, "instructed-wrong", 4);
	journal_fixture_stop(&e.journal);
	parcel_free(kept);
	parcel_free(gone);
}

CHECK_MAIN(CHECK_CASE(judges), CHECK_CASE(finds_what_covers),
	CHECK_CASE(a_key_may_not_go_on_its_day), CHECK_CASE(lawful_is_no_finding),
	CHECK_CASE(an_index_forgets), CHECK_CASE(an_index_follows_an_instruction),
	CHECK_CASE(early_and_silent_are_findings), CHECK_CASE(a_number_has_no_room),
	CHECK_CASE(a_run_has_an_end), CHECK_CASE(nothing_escapes_unseen))
