/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One message for many: what it costs on disk, and that everything an auditor asks for comes out right while some of
 * its recipients have it, some do not want it yet and some never will. Sizes are what the database says its tables
 * take, not what we think we wrote.
 */
#include <stdio.h>

#include "broker/audit/rebuild.h"
#include "broker/audit/replay.h"
#include "broker/audit/test-life.h"
#include "broker/journal/store.h"
#include "broker/journal/test-erasing.h"
#include "test/kit/check.h"

enum {
	FEW = 10,
	SUBSCRIBERS = 50, /* those that everybody has come on top */
	EVENTS = 320,
	CONTENT_BYTES = 3000,
	RECIPIENT_BYTES_MAX = 100,
	EXPIRES_MS = 3600000,
};

/* ---- disk ---- */

static uint64_t bytes_of_tables(struct journal_fixture *f)
{
	uint64_t all = 0;
	struct db_env *env = journal_env(f->journal);
	struct db_usage usage;
	struct db_txn *txn;
	CHECK_INT(db_env_usage(env, &usage), 0);
	CHECK_INT(db_begin(env, false, &txn), 0);
	for (size_t i = 0; i < JOURNAL_TABLES + STATE_TABLES; i++) {
		const char *name = i < STATE_TABLES ? state_table_name((enum state_table)i)
						    : journal_table_name(i - STATE_TABLES);
		db_table_id table;
		uint64_t pages;
		CHECK_INT(db_table_open(txn, name, &table), 0);
		CHECK_INT(db_table_pages(txn, table, &pages), 0);
		all += pages * usage.page_bytes;
	}
	db_abort(txn);
	return all;
}

static uint64_t rows_of(struct journal_fixture *f, const char *name)
{
	struct db_txn *txn;
	db_table_id table;
	uint64_t rows;
	CHECK_INT(db_begin(journal_env(f->journal), false, &txn), 0);
	CHECK_INT(db_table_open(txn, name, &table), 0);
	CHECK_INT(db_count(txn, table, &rows), 0);
	db_abort(txn);
	return rows;
}

struct cost {
	uint64_t bytes, contents;
	size_t recipients;
};

/* What so many events take, for so many subscribers more than there always are. */
static struct cost cost_of(const char *name, size_t subscribers, uint64_t expires_ms)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct fixture_load load = {.service = "event",
		.count = 32,
		.content_bytes = CONTENT_BYTES,
		.expires_ms = expires_ms ? FIXTURE_NOW_MS + expires_ms : 0};
	struct cost cost;
	journal_fixture_init(&f, check_tmpdir(), name);
	journal_fixture_subscribe(&f, subscribers);
	journal_fixture_start(&f);
	uint64_t bytes = bytes_of_tables(&f), contents = rows_of(&f, "content");
	for (size_t i = 0; i < EVENTS / load.count; i++) {
		struct parcel *parcel = journal_fixture_submit(&f, &load);
		journal_fixture_run(&f, parcel);
		CHECK_INT(parcel->submits[0].decision.result, SUBMIT_ACCEPTED);
		cost.recipients = parcel->submits[0].decision.recipients_count;
		parcel_free(parcel);
	}
	cost.bytes = bytes_of_tables(&f) - bytes;
	cost.contents = rows_of(&f, "content") - contents;
	CHECK_INT(rows_of(&f, "queue"), EVENTS * (cost.recipients + 1));
	journal_fixture_stop(&f);
	return cost;
}

static void costs_little_for_each(uint64_t expires_ms)
{
	struct cost few = cost_of(expires_ms ? "few-expiring" : "few", FEW, expires_ms);
	struct cost many = cost_of(expires_ms ? "many-expiring" : "many", SUBSCRIBERS, expires_ms);
	CHECK_INT(many.contents, EVENTS);
	CHECK_INT(few.contents, EVENTS);
	double each = (double)(many.bytes - few.bytes) /
		      (double)(EVENTS * (many.recipients - few.recipients));
	printf("  %zu recipients%s: an event takes %.0f bytes, a recipient more %.1f\n",
		many.recipients, expires_ms ? ", expiring" : "", (double)many.bytes / EVENTS, each);
	CHECK(each < RECIPIENT_BYTES_MAX);
}

static void disk_per_recipient(void)
{
	costs_little_for_each(0);
	costs_little_for_each(EXPIRES_MS);
}

/* ---- what an auditor asks ---- */

static void give_back(struct journal_fixture *f, const struct parcel *sent, size_t recipient)
{
	struct parcel *fail = journal_fixture_act(f, PARCEL_FAIL);
	fail->items = arena_zalloc(fail->arena, sent->submits_count * sizeof(*fail->items));
	CHECK(fail->items);
	for (size_t i = 0; i < sent->submits_count; i++)
		fail->items[fail->items_count++] = (struct rules_item){
			.party = sent->submits[i].decision.recipients[recipient],
			.sequence = sent->submits[i].proof.sequence};
	fail->cause = "later";
	fail->backoff = true;
	journal_fixture_run(f, fail);
	parcel_free(fail);
}

static void take(struct journal_fixture *f, const char *recipient, const struct parcel *sent)
{
	struct parcel *acks = journal_fixture_acks(f, recipient, sent);
	journal_fixture_run(f, acks);
	CHECK(acks->acks[0].decision.append);
	parcel_free(acks);
}

static void replays(const struct journal_fixture *f)
{
	struct audit_paths paths = {.journal = f->dir, .keyring = f->keys, .master_key = f->master};
	struct audit_replay_options options = {.work = check_tmpdir()};
	_cleanup_(audit_close) struct audit audit;
	struct audit_replay_result result;
	struct found found;
	char error[256];
	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
	found_init(&found);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &result), 0);
	found_none(&found);
	CHECK(result.complete);
}

/* Five events for 53: one took them, one gave them back, for the others they wait. */
static void some_have_it(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_tmpdir(), "some");
	journal_fixture_subscribe(&f, SUBSCRIBERS);
	journal_fixture_start(&f);
	struct parcel *sent = journal_fixture_submit(
		&f, &(struct fixture_load){.service = "event", .count = 5, .content_bytes = 100});
	journal_fixture_run(&f, sent);
	CHECK_INT(sent->submits[0].decision.recipients_count, SUBSCRIBERS + 3);
	take(&f, "subscriber-07", sent);
	give_back(&f, sent, 0);
	CHECK_INT(rows_of(&f, "queue"), 5 * (SUBSCRIBERS + 3 - 2) + 5 + 1);
	journal_state_request(f.journal);
	clock_fake_advance(&f.clock, 1000);
	take(&f, "subscriber-08", sent);
	journal_fixture_stop(&f);
	replays(&f);
	parcel_free(sent);
}

/* Everybody has it: nothing of it waits any more, and nothing of it is left in the queue. */
static void everybody_has_it(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	static const char *const all[] = {"town", "jobcenter", "ministry"};
	journal_fixture_init(&f, check_tmpdir(), "everybody");
	journal_fixture_start(&f);
	struct parcel *sent = journal_fixture_submit(
		&f, &(struct fixture_load){.service = "event", .count = 3});
	journal_fixture_run(&f, sent);
	uint64_t outcomes = 0;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		size_t open = ARRAY_LEN(all) - i;
		CHECK_INT(rows_of(&f, "queue"), 3 * (open + 1) + outcomes);
		take(&f, all[i], sent);
		outcomes++;
	}
	CHECK_INT(rows_of(&f, "queue"), outcomes);
	journal_fixture_stop(&f);
	replays(&f);
	parcel_free(sent);
}

/* Replay begins at a state, from the records that are left: what is shared is found again. */
static void after_an_erasure(void)
{
	_cleanup_(erasing_deinit) struct erasing erasing;
	erasing_init(&erasing, "erased");
	struct journal_fixture *f = &erasing.journal;
	journal_fixture_start(f);
	struct parcel *done = erasing_submit(&erasing, &(struct fixture_load){.count = 40});
	erasing_deliver(&erasing, "ministry", done);
	struct parcel *open = erasing_submit(
		&erasing, &(struct fixture_load){.service = "event", .count = 7});
	take(f, "town", open);
	give_back(f, open, 0);
	erasing_later(&erasing, 800);
	take(f, "jobcenter", open);
	journal_fixture_stop(f);
	replays(f);
	parcel_free(done);
	parcel_free(open);
}

CHECK_MAIN(CHECK_CASE(disk_per_recipient), CHECK_CASE(some_have_it), CHECK_CASE(everybody_has_it),
	CHECK_CASE(after_an_erasure))
