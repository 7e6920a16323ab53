/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The case index against a journal whose content is known: it finds every entry of a case and no other,
 * goes on where it stopped, and is made anew when the journal beside it is not the one it was made of.
 */
#include "broker/audit/timeline.h"

#include <errno.h>

#include "broker/audit/test-life.h"
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
	struct found found;
	found_init(&found);
	*seen = (struct seen_events){};
	CHECK_INT(timeline_walk(audit, index, id, see, seen, &found.report), 0);
	found_none(&found);
}

static size_t count_cases(struct case_index *index)
{
	struct case_summary one, before;
	size_t count = 0;
	int r;
	while ((r = case_index_recent(index, count ? &before : NULL, &one)) == 0) {
		CHECK(count == 0 || one.last <= before.last);
		CHECK(one.first <= one.last && one.entries >= 1);
		before = one;
		count++;
	}
	CHECK_INT(r, DB_NOT_FOUND);
	return count;
}

static void tells_the_life_of_a_case(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	struct seen_events seen;
	struct case_summary summary;
	life_init(&life, check_tmpdir(), "case");
	_cleanup_(case_index_free) struct case_index *index = updated(
		&life, life.journal.dir, &audit, false);
	CHECK_INT(case_index_find(index, BYTES(life.case_id, 4), &summary), 0);
	CHECK_MEM(summary.id, life.case_id, CASE_ID_SIZE);
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
	CHECK_INT(count_cases(index), 40 + 5 + 4 + 1 + 3 + 1 + 6 + 6);
	memset(life.case_id, 0, CASE_ID_SIZE);
	CHECK_INT(case_index_find(index, BYTES(life.case_id, 16), &summary), DB_NOT_FOUND);
}

static void tells_failures_and_ends(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	struct seen_events seen;
	uint8_t id[CASE_ID_SIZE];
	life_init(&life, check_tmpdir(), "ends");
	_cleanup_(case_index_free) struct case_index *index = updated(
		&life, life.journal.dir, &audit, false);
	/* Failed once, waits again. */
	CHECK_INT(case_index_of_message(index, life.first_message, id), 0);
	walk(&audit, index, id, &seen);
	CHECK_INT(seen.count, 2);
	CHECK_INT(seen.events[0].state, TIMELINE_WAITING);
	CHECK_INT(seen.events[1].what, TIMELINE_FAILED);
	CHECK_INT(seen.events[1].sequence, life.failed);
	CHECK_STR(seen.events[1].who, "ministry");
	/* Expired. */
	CHECK_INT(case_index_of_message(index, life.expired - 2, id),
		DB_NOT_FOUND); /* the start entry */
	struct case_summary newest;
	uint64_t expired = 0;
	for (uint64_t i = life.second_registry; i < life.expired && !expired; i++)
		if (case_index_of_message(index, i, id) == 0)
			expired = i;
	walk(&audit, index, id, &seen);
	CHECK_INT(seen.count, 2);
	CHECK_INT(seen.events[0].end, END_EXPIRED);
	CHECK_INT(seen.events[1].what, TIMELINE_EXPIRED);
	CHECK_INT(seen.events[1].message, expired);
	/* The newest case: a refusal. */
	CHECK_INT(case_index_recent(index, NULL, &newest), 0);
	walk(&audit, index, newest.id, &seen);
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
	life_init(&life, check_tmpdir(), "more");
	index = updated(&life, life.journal.dir, &audit, false);
	size_t before = count_cases(index);
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
	CHECK_INT(count_cases(index), before + 100);
	case_index_free(index);
	audit_close(&audit);
	journal_fixture_stop(&life.journal);
	/* Anew is the same. */
	index = updated(&life, copy, &audit, true);
	CHECK_INT(count_cases(index), before + 100);
	case_index_free(index);
	audit_close(&audit);
}

static void notices_another_journal(void)
{
	_cleanup_(life_deinit) struct life life, other;
	struct audit audit;
	struct case_index *index;
	uint8_t id[CASE_ID_SIZE];
	life_init(&life, check_tmpdir(), "one");
	life_init(&other, check_tmpdir(), "two");
	index = updated(&life, life.journal.dir, &audit, false);
	CHECK_INT(case_index_of_message(index, life.first_notice, id), 0);
	CHECK_MEM(id, life.case_id, CASE_ID_SIZE);
	case_index_free(index);
	audit_close(&audit);
	/* The same folder, used for the other journal. */
	char path[300], other_path[300];
	struct found found;
	char error[512];
	index_path(&life, path);
	index_path(&other, other_path);
	life_open(&other, other.journal.dir, &audit);
	CHECK_INT(case_index_open(path, &index, error, sizeof(error)), 0);
	found_init(&found);
	CHECK_INT(case_index_update(index, &audit, false, &found.report), 0);
	CHECK_INT(case_index_begin(index), 0);
	CHECK_INT(case_index_of_message(index, other.first_notice, id), 0);
	CHECK_MEM(id, other.case_id, CASE_ID_SIZE);
	struct case_summary summary;
	CHECK_INT(case_index_find(index, BYTES(life.case_id, 16), &summary), DB_NOT_FOUND);
	case_index_free(index);
	audit_close(&audit);
}

static void says_where_it_cannot_be(void)
{
	struct case_index *index = NULL;
	char error[512] = "";
	CHECK(case_index_open("/proc/case-index", &index, error, sizeof(error)) < 0);
	CHECK(strstr(error, "/proc/case-index") && strstr(error, "--index"));
}

CHECK_MAIN(CHECK_CASE(tells_the_life_of_a_case), CHECK_CASE(tells_failures_and_ends),
	CHECK_CASE(goes_on_where_it_stopped), CHECK_CASE(notices_another_journal),
	CHECK_CASE(says_where_it_cannot_be))
