/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The case index against a journal whose content is known: it finds every entry of a case and no other,
 * goes on where it stopped, and is made anew when the journal beside it is not the one it was made of.
 */
#include "broker/audit/timeline.h"

#include <errno.h>

#include "broker/audit/recent.h"
#include "broker/audit/test-life.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

enum { EVENTS_MAX = 16 };

struct seen_event {
	enum timeline_what what;
	uint64_t sequence, message;
	bool proven;
	char who[64];
	size_t recipients;
	enum timeline_state state; /* of the first recipient */
	uint8_t end;
	uint64_t entry;
};

struct seen_events {
	size_t count;
	struct seen_event events[EVENTS_MAX];
};

static int see(void *context, const struct timeline_event *event)
{
	struct seen_events *seen = context;
	CHECK(seen->count < EVENTS_MAX);
	struct seen_event *e = &seen->events[seen->count++];
	*e = (struct seen_event){
		.what = event->what,
		.sequence = event->sequence,
		.message = event->message,
		.proven = event->proven,
		.recipients = event->recipients_count,
	};
	snprintf(e->who, sizeof(e->who), "%.*s", (int)event->who.len, (const char *)event->who.data);
	if (event->recipients_count > 0) {
		e->state = event->recipients[0].state;
		e->end = event->recipients[0].end;
		e->entry = event->recipients[0].entry;
	}
	return 0;
}

static void index_path(const struct life *life, char buf[300])
{
	CHECK(snprintf(buf, 300, "%s-index", life->journal.dir) < 300);
}

static struct case_index *updated(
	const struct life *life, const char *dir, struct audit *audit, bool anew)
{
	struct case_index *index;
	struct found found;
	char path[300], error[512];
	life_open(life, dir, audit);
	index_path(life, path);
	CHECK_INT(case_index_open(path, &index, error, sizeof(error)), 0);
	found_init(&found);
	CHECK_INT(case_index_update(index, audit, anew, &found.report), 0);
	found_none(&found);
	CHECK_INT(case_index_begin(index), 0);
	return index;
}

static void walk(
	struct audit *audit, struct case_index *index, const uint8_t *id, struct seen_events *seen)
{
	_cleanup_(case_entries_deinit) struct case_entries entries = {};
	struct found found;
	found_init(&found);
	*seen = (struct seen_events){};
	CHECK_INT(case_index_entries(index, audit->keyring, id, &entries), 0);
	CHECK_INT(timeline_walk(audit, &entries, see, seen, &found.report), 0);
	found_none(&found);
}

static size_t entries_of(struct audit *audit, struct case_index *index, const uint8_t *id)
{
	_cleanup_(case_entries_deinit) struct case_entries entries = {};
	CHECK_INT(case_index_entries(index, audit->keyring, id, &entries), 0);
	return entries.count;
}

/* All cases, newest first, each with what the index has of it. */
static size_t count_cases(struct audit *audit, struct case_index *index)
{
	_cleanup_(case_recent_deinit) struct case_recent recent = {.audit = audit};
	struct case_summary one, before = {.last = UINT64_MAX};
	uint8_t id[CASE_ID_SIZE];
	size_t count = 0;
	int r;
	CHECK_INT(audit_refresh(audit), 0);
	while ((r = case_recent_next(&recent, id)) == 0) {
		_cleanup_(case_entries_deinit) struct case_entries entries = {};
		CHECK_INT(case_index_entries(index, audit->keyring, id, &entries), 0);
		CHECK_INT(case_summarize(audit, id, &entries, &one), 0);
		CHECK(one.last <= before.last);
		CHECK(one.first <= one.last && one.entries >= 1);
		CHECK(one.first_ms > 0 && one.first_ms <= one.last_ms);
		before = one;
		count++;
	}
	CHECK_INT(r, DB_NOT_FOUND);
	return count;
}

static void case_of(struct audit *audit, uint64_t message, uint8_t ret[CASE_ID_SIZE])
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct audit_entry entry;
	CHECK_INT(audit_refresh(audit), 0);
	CHECK_INT(audit_entry_read(audit->reader, message, arena, &entry), 0);
	CHECK(entry.header && entry.header->case_id.len == CASE_ID_SIZE);
	memcpy(ret, entry.header->case_id.data, CASE_ID_SIZE);
}

static void tells_the_life_of_a_case(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(case_entries_deinit) struct case_entries entries = {};
	struct seen_events seen;
	struct case_summary summary;
	uint8_t id[CASE_ID_SIZE];
	life_init(&life, check_memdir(), "case");
	_cleanup_(case_index_free) struct case_index *index = updated(
		&life, life.journal.dir, &audit, false);
	CHECK_INT(case_find(&audit, BYTES(life.case_id, 4), id), 0);
	CHECK_MEM(id, life.case_id, CASE_ID_SIZE);
	CHECK_INT(case_index_entries(index, audit.keyring, id, &entries), 0);
	CHECK_INT(entries.messages_count, 1);
	CHECK_INT(entries.messages[0], life.first_notice);
	CHECK_INT(case_summarize(&audit, id, &entries, &summary), 0);
	CHECK_INT(summary.entries, 2);
	CHECK_INT(summary.first, life.first_notice);
	CHECK_INT(summary.last, life.acknowledged);
	CHECK_INT(summary.first_ms, FIXTURE_NOW_MS);
	walk(&audit, index, life.case_id, &seen);
	CHECK_INT(seen.count, 2);
	const struct seen_event *e = seen.events;
	CHECK_INT(e[0].what, TIMELINE_RECORDED);
	CHECK_INT(e[0].sequence, life.first_notice);
	CHECK_STR(e[0].who, "city");
	CHECK_INT(e[0].recipients, 1);
	CHECK_INT(e[0].state, TIMELINE_ENDED);
	CHECK_INT(e[0].end, END_ACCEPTED);
	CHECK_INT(e[0].entry, life.acknowledged);
	CHECK_INT(e[1].what, TIMELINE_ACCEPTED);
	CHECK_INT(e[1].sequence, life.acknowledged);
	CHECK_INT(e[1].message, life.first_notice);
	CHECK_STR(e[1].who, "jobcenter");
	CHECK(e[0].proven && e[1].proven);
	/* A case for each message, refused ones with a readable header included. */
	CHECK_INT(count_cases(&audit, index), 40 + 5 + 4 + 1 + 5 + 2 + 3 + 1 + 6 + 6);
	memset(life.case_id, 0, CASE_ID_SIZE);
	CHECK_INT(entries_of(&audit, index, life.case_id), 0);
	CHECK_INT(case_find(&audit, BYTES(life.case_id, 15), id), DB_NOT_FOUND);
}

static void tells_failures_and_ends(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	struct seen_events seen;
	uint8_t id[CASE_ID_SIZE];
	life_init(&life, check_memdir(), "ends");
	_cleanup_(case_index_free) struct case_index *index = updated(
		&life, life.journal.dir, &audit, false);
	/* Failed once, waits again. */
	case_of(&audit, life.first_message, id);
	walk(&audit, index, id, &seen);
	CHECK_INT(seen.count, 2);
	CHECK_INT(seen.events[0].state, TIMELINE_WAITING);
	CHECK_INT(seen.events[1].what, TIMELINE_FAILED);
	CHECK_INT(seen.events[1].sequence, life.failed);
	CHECK_STR(seen.events[1].who, "ministry");
	/* Expired. */
	uint64_t expired = life.second_registry + 1;
	case_of(&audit, expired, id);
	walk(&audit, index, id, &seen);
	CHECK_INT(seen.count, 2);
	CHECK_INT(seen.events[0].end, END_EXPIRED);
	CHECK_INT(seen.events[1].what, TIMELINE_EXPIRED);
	CHECK_INT(seen.events[1].message, expired);
	/* The newest case: a refusal. */
	_cleanup_(case_recent_deinit) struct case_recent recent = {.audit = &audit};
	CHECK_INT(case_recent_next(&recent, id), 0);
	walk(&audit, index, id, &seen);
	CHECK_INT(seen.count, 1);
	CHECK_INT(seen.events[0].what, TIMELINE_REFUSED);
	CHECK_STR(seen.events[0].who, "town");
}

static void goes_on_where_it_stopped(void)
{
	_cleanup_(life_deinit) struct life life;
	struct audit audit;
	struct case_index *index;
	struct journal_stats stats;
	life_init(&life, check_memdir(), "more");
	index = updated(&life, life.journal.dir, &audit, false);
	size_t before = count_cases(&audit, index);
	case_index_free(index);
	audit_close(&audit);
	/* While the broker runs. */
	journal_fixture_start(&life.journal);
	struct parcel *parcel = journal_fixture_submit(
		&life.journal, &(struct fixture_load){.count = 100, .content_bytes = 10});
	journal_fixture_run(&life.journal, parcel);
	parcel_free(parcel);
	journal_stats(life.journal.journal, &stats);
	char copy[300];
	life_copy(&life, "now", copy);
	index = updated(&life, copy, &audit, false);
	CHECK_INT(count_cases(&audit, index), before + 100);
	case_index_free(index);
	audit_close(&audit);
	journal_fixture_stop(&life.journal);
	/* Anew is the same. */
	index = updated(&life, copy, &audit, true);
	CHECK_INT(count_cases(&audit, index), before + 100);
	case_index_free(index);
	audit_close(&audit);
}

/* Many messages of one case, over several steps and beyond what is read at a time. */
static void finds_a_large_case(void)
{
	enum { MANY = 1000, EACH = 250 };
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(case_entries_deinit) struct case_entries entries = {};
	static const uint8_t id[CASE_ID_SIZE] = {7, 7, 7};
	uint64_t first = UINT64_MAX;
	life_init(&life, check_memdir(), "large");
	journal_fixture_start(&life.journal);
	for (int i = 0; i < MANY / EACH; i++) {
		struct parcel *parcel = journal_fixture_submit(
			&life.journal, &(struct fixture_load){.count = EACH, .case_id = id});
		journal_fixture_run(&life.journal, parcel);
		if (parcel->submits[0].proof.sequence < first)
			first = parcel->submits[0].proof.sequence;
		parcel_free(parcel);
	}
	journal_fixture_stop(&life.journal);
	_cleanup_(case_index_free) struct case_index *index = updated(
		&life, life.journal.dir, &audit, false);
	CHECK_INT(case_index_entries(index, audit.keyring, id, &entries), 0);
	CHECK_INT(entries.messages_count, MANY);
	CHECK_INT(entries.count, MANY);
	for (size_t i = 0; i < MANY; i++)
		CHECK_INT(entries.all[i], first + i);
	CHECK(case_entries_have(&entries, first + 999) && !case_entries_have(&entries, first - 1));
	/* From somewhere in the middle. */
	_cleanup_(case_walk_deinit) struct case_walk walk = {
		.index = index, .keyring = audit.keyring, .from = first + 990};
	uint64_t sequence;
	memcpy(walk.id, id, CASE_ID_SIZE);
	for (size_t i = 990; i < MANY; i++) {
		CHECK_INT(case_walk_next(&walk, &sequence), 0);
		CHECK_INT(sequence, first + i);
	}
	CHECK_INT(case_walk_next(&walk, &sequence), DB_NOT_FOUND);
}

/* Town acknowledges an event, and in one breath a message of others: that is about nothing of theirs. */
static void nobody_makes_a_case_of_others_long(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	uint8_t id[CASE_ID_SIZE];
	life_init(&life, check_memdir(), "foreign");
	struct journal_fixture *f = &life.journal;
	journal_fixture_start(f);
	struct parcel *foreign = journal_fixture_submit(f, &(struct fixture_load){.count = 1});
	struct parcel *event = journal_fixture_submit(
		f, &(struct fixture_load){.count = 1, .service = "event"});
	journal_fixture_run(f, foreign);
	journal_fixture_run(f, event);
	struct parcel_submit both[2] = {foreign->submits[0], event->submits[0]};
	struct parcel all = *event;
	all.submits = both;
	all.submits_count = 2;
	struct parcel *acks = journal_fixture_acks(f, "town", &all);
	journal_fixture_run(f, acks);
	CHECK_INT(acks->acks[0].decision.verdicts[0], DIENSTWEG__ACK_VERDICT__ACK_UNKNOWN);
	CHECK_INT(acks->acks[0].decision.verdicts[1], DIENSTWEG__ACK_VERDICT__ACK_CLOSED);
	uint64_t message = foreign->submits[0].proof.sequence;
	journal_fixture_stop(f);
	_cleanup_(case_index_free) struct case_index *index = updated(&life, f->dir, &audit, false);
	case_of(&audit, message, id);
	CHECK_INT(entries_of(&audit, index, id), 1);
	case_of(&audit, event->submits[0].proof.sequence, id);
	CHECK_INT(entries_of(&audit, index, id), 2);
	parcel_free(foreign);
	parcel_free(event);
	parcel_free(acks);
}

static void notices_another_journal(void)
{
	_cleanup_(life_deinit) struct life life, other;
	struct audit audit;
	struct case_index *index;
	life_init(&life, check_memdir(), "one");
	life_init(&other, check_memdir(), "two");
	index = updated(&life, life.journal.dir, &audit, false);
	CHECK_INT(entries_of(&audit, index, life.case_id), 2);
	case_index_free(index);
	audit_close(&audit);
	/* The same folder, used for the other journal. */
	char path[300];
	struct found found;
	char error[512];
	index_path(&life, path);
	life_open(&other, other.journal.dir, &audit);
	CHECK_INT(case_index_open(path, &index, error, sizeof(error)), 0);
	found_init(&found);
	CHECK_INT(case_index_update(index, &audit, false, &found.report), 0);
	CHECK_INT(case_index_begin(index), 0);
	CHECK_INT(entries_of(&audit, index, other.case_id), 2);
	CHECK_INT(entries_of(&audit, index, life.case_id), 0);
	case_index_free(index);
	audit_close(&audit);
}

/* Whoever finds the file learns no case id from it, nor which entries belong together. */
static void names_no_case(void)
{
	_cleanup_(life_deinit) struct life life;
	struct audit audit;
	char path[400];
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len = 0;
	life_init(&life, check_memdir(), "secret");
	case_index_free(updated(&life, life.journal.dir, &audit, false));
	audit_close(&audit);
	CHECK(snprintf(path, sizeof(path), "%s-index/data.mdb", life.journal.dir) < 400);
	CHECK_INT(file_read(path, 64 << 20, &data, &len), 0);
	CHECK(len > 4096 && memmem(data, len, life.case_id, CASE_ID_SIZE) == NULL);
	CHECK(memmem(data, len, "city", 4) == NULL);
}

static void says_where_it_cannot_be(void)
{
	struct case_index *index = NULL;
	char error[512] = "";
	CHECK(case_index_open("/proc/case-index", &index, error, sizeof(error)) < 0);
	CHECK(strstr(error, "/proc/case-index") && strstr(error, "--index"));
}

CHECK_MAIN(CHECK_CASE(tells_the_life_of_a_case), CHECK_CASE(tells_failures_and_ends),
	CHECK_CASE(goes_on_where_it_stopped), CHECK_CASE(finds_a_large_case),
	CHECK_CASE(nobody_makes_a_case_of_others_long), CHECK_CASE(notices_another_journal),
	CHECK_CASE(names_no_case), CHECK_CASE(says_where_it_cannot_be))
