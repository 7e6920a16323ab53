/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a recipient says of a message that had ended without it: an entry, once, that changes nothing else; and it follows
 * from the entries, also when those that it rests on have been erased one after the other.
 */
#include "broker/audit/replay.h"
#include "broker/audit/test-life.h"
#include "broker/journal/test-erasing.h"
#include "test/kit/check.h"

enum {
	LATE = DIENSTWEG__ACK_VERDICT__ACK_LATE,
	ALREADY = DIENSTWEG__ACK_VERDICT__ACK_ALREADY,
	CLOSED = DIENSTWEG__ACK_VERDICT__ACK_CLOSED,
	BOTH_MAX = 8,
};

static struct parcel *submit(struct journal_fixture *f, const struct fixture_load *load)
{
	struct parcel *sent = journal_fixture_submit(f, load);
	journal_fixture_run(f, sent);
	CHECK_INT(sent->submits[0].decision.result, SUBMIT_ACCEPTED);
	return sent;
}

/* Their sender takes them back; delivery has none of them. */
static void cancel(struct journal_fixture *f, const struct parcel *sent)
{
	struct parcel *order = journal_fixture_cancel(f, "city", sent, sent->submits_count, NULL);
	journal_fixture_run(f, order);
	for (size_t i = 0; i < order->cancel->legs_count; i++, order->cancel->kept++)
		order->cancel->legs[i].kept = true;
	journal_fixture_run(f, order);
	parcel_free(order);
}

/* One batch about messages of two parcels, the first ones first. Return: was it recorded? */
static bool say(struct journal_fixture *f, const char *recipient, const struct parcel *first,
	const struct parcel *second, const int *expected)
{
	struct parcel_submit both[BOTH_MAX];
	struct parcel all = *first;
	size_t count = first->submits_count + (second ? second->submits_count : 0);
	CHECK(count <= BOTH_MAX);
	memcpy(both, first->submits, first->submits_count * sizeof(*both));
	if (second)
		memcpy(both + first->submits_count, second->submits,
			second->submits_count * sizeof(*both));
	all.submits = both;
	all.submits_count = count;
	struct parcel *acks = journal_fixture_acks(f, recipient, &all);
	journal_fixture_run(f, acks);
	CHECK(acks->acks_count == 1 && !acks->acks[0].decision.refused);
	for (size_t i = 0; i < count; i++)
		CHECK_INT(acks->acks[0].decision.verdicts[i], expected[i]);
	bool recorded = acks->acks[0].decision.append;
	parcel_free(acks);
	return recorded;
}

static void open_audit(const struct journal_fixture *f, struct audit *ret)
{
	struct audit_paths paths = {.journal = f->dir, .keyring = f->keys, .master_key = f->master};
	char error[256] = "";
	CHECK_INT(audit_open(&paths, ret, error, sizeof(error)), 0);
}

static struct audit_replay_result replays(const struct journal_fixture *f)
{
	struct audit_replay_options options = {.work = check_memdir()};
	_cleanup_(audit_close) struct audit audit;
	struct audit_replay_result result;
	struct found found;
	open_audit(f, &audit);
	found_init(&found);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &result), 0);
	found_none(&found);
	CHECK(result.complete);
	return result;
}

static void verifies(const struct journal_fixture *f)
{
	struct audit_verify_options options = {.depth = AUDIT_FULL, .workers = 1};
	_cleanup_(audit_close) struct audit audit;
	struct audit_verify_result result;
	struct found found;
	open_audit(f, &audit);
	found_init(&found);
	CHECK_INT(audit_verify(&audit, &options, &found.report, &result), 0);
	found_none(&found);
}

static void its_first_word_is_recorded(void)
{
	_cleanup_(erasing_deinit) struct erasing erasing;
	erasing_init(&erasing, "first");
	struct journal_fixture *f = &erasing.journal;
	journal_fixture_start(f);
	struct parcel *sent = submit(f, &(struct fixture_load){.count = 3});
	struct parcel *taken = submit(f, &(struct fixture_load){.count = 1});
	cancel(f, sent);
	CHECK(say(f, "ministry", taken, NULL, (const int[]){CLOSED}));
	CHECK(say(f, "ministry", sent, NULL, (const int[]){LATE, LATE, LATE}));
	CHECK(!say(f, "ministry", sent, taken, (const int[]){ALREADY, ALREADY, ALREADY, ALREADY}));
	uint64_t last = sent->submits[2].proof.sequence;
	erasing_confirm(&erasing, last + 4);
	journal_state_request(f->journal);
	journal_fixture_wait_state(f, last + 5);
	journal_fixture_stop(f);
	verifies(f);
	CHECK_INT(replays(f).from, 0);
	/* From the state alone. */
	life_remove(f->dir, "record", KEY_BYTES_OF(key_u64(taken->submits[0].proof.sequence)));
	CHECK(replays(f).from > last);
	parcel_free(sent);
	parcel_free(taken);
}

/* Message, order and word are gone, and the row of `end` is not. */
static void it_may_come_after_everything_is_erased(void)
{
	_cleanup_(erasing_deinit) struct erasing erasing;
	erasing_init(&erasing, "gone");
	struct journal_fixture *f = &erasing.journal;
	journal_fixture_start(f);
	struct parcel *sent = submit(f, &(struct fixture_load){.count = 3});
	struct parcel *open = submit(f, &(struct fixture_load){.count = 2});
	cancel(f, sent);
	struct parcel one = *sent;
	one.submits_count = 1;
	CHECK(say(f, "ministry", &one, NULL, (const int[]){LATE}));
	erasing_confirm(&erasing, open->submits[1].proof.sequence + 2);
	erasing_later(&erasing, 800);
	CHECK_INT(erasing_read_record(&erasing, sent->submits[0].proof.sequence), READER_ERASED);
	CHECK_INT(erasing_read_record(&erasing, open->submits[0].proof.sequence), 0);
	one = *sent;
	one.submits_count = 2;
	CHECK(say(f, "ministry", &one, open, (const int[]){ALREADY, LATE, CLOSED, CLOSED}));
	one.submits += 1;
	one.submits_count = 1;
	struct parcel *more = submit(f, &(struct fixture_load){.count = 1});
	CHECK(say(f, "ministry", &one, more, (const int[]){ALREADY, CLOSED}));
	/* Of one that was pruned, too. */
	uint64_t pruned = sent->submits[2].proof.sequence;
	journal_fixture_stop(f);
	CHECK(replays(f).from > pruned);
	life_remove(f->dir, "stub", KEY_BYTES_OF(key_u64(pruned)));
	journal_fixture_start(f);
	one = *sent;
	one.submits += 2;
	one.submits_count = 1;
	CHECK(say(f, "ministry", &one, &one, (const int[]){LATE, ALREADY}));
	journal_fixture_stop(f);
	replays(f);
	parcel_free(sent);
	parcel_free(open);
	parcel_free(more);
}

/* The batch has the class of what it ended, which is shorter than that of what it was late for. */
static void its_word_may_be_erased_before_what_it_was_about(void)
{
	_cleanup_(erasing_deinit) struct erasing erasing;
	erasing_init(&erasing, "word");
	struct journal_fixture *f = &erasing.journal;
	journal_fixture_start(f);
	struct parcel *notices = submit(f, &(struct fixture_load){.count = 3, .service = "notice"});
	struct parcel two = *notices;
	struct parcel *event = submit(f, &(struct fixture_load){.count = 1, .service = "event"});
	cancel(f, notices);
	two.submits_count = 2;
	CHECK(say(f, "jobcenter", event, &two, (const int[]){CLOSED, LATE, LATE}));
	uint64_t word = event->submits[0].proof.sequence + 2;
	erasing_deliver(&erasing, "ministry", event);
	erasing_deliver(&erasing, "town", event);
	erasing_later(&erasing, 800);
	CHECK_INT(erasing_read_record(&erasing, word), READER_ERASED);
	CHECK_INT(erasing_read_record(&erasing, notices->submits[0].proof.sequence), 0);
	CHECK_INT(erasing_read_record(&erasing, word - 1), 0);
	/* One of them is spoken of again; and another one for the first time, twice in one breath. */
	struct parcel *open = submit(f, &(struct fixture_load){.count = 1, .service = "notice"});
	struct parcel one = *notices;
	one.submits_count = 1;
	CHECK(say(f, "jobcenter", &one, open, (const int[]){ALREADY, CLOSED}));
	one.submits += 2;
	CHECK(say(f, "jobcenter", &one, &one, (const int[]){LATE, ALREADY}));
	journal_fixture_stop(f);
	CHECK(replays(f).from > word);
	verifies(f);
	parcel_free(notices);
	parcel_free(event);
	parcel_free(open);
}

CHECK_MAIN(CHECK_CASE(its_first_word_is_recorded),
	CHECK_CASE(it_may_come_after_everything_is_erased),
	CHECK_CASE(its_word_may_be_erased_before_what_it_was_about))
