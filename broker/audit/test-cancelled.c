/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A cancellation through the real journal, and what an auditor makes of it: whose order it was, what it ended, and that
 * the same follows from the entries alone, also after what came before has been erased.
 */
#include "broker/audit/replay.h"
#include "broker/audit/test-life.h"
#include "broker/journal/reader.h"
#include "broker/journal/test-erasing.h"
#include "test/kit/check.h"

enum { SUBSCRIBERS = 40 };

/* Entries of this kind so far; @ret_last: NULL, or the last one's number. */
static size_t count_cancelled(struct journal_fixture *f, uint64_t *ret_last)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct stub stub;
	size_t count = 0;
	CHECK_INT(journal_reader_new(journal_env(f->journal), f->keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	for (uint64_t i = 0; journal_read_stub(reader, i, &stub) == 0; i++) {
		if (stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED)
			continue;
		count++;
		if (ret_last)
			*ret_last = i;
	}
	return count;
}

static struct parcel *submit(struct journal_fixture *f, const struct fixture_load *load)
{
	struct parcel *sent = journal_fixture_submit(f, load);
	journal_fixture_run(f, sent);
	CHECK_INT(sent->submits[0].decision.result, SUBMIT_ACCEPTED);
	return sent;
}

/* What delivery does in between: nobody has any of them. */
static size_t keep_back(struct parcel *parcel)
{
	struct parcel_cancel *cancel = parcel->cancel;
	for (size_t i = 0; i < cancel->legs_count; i++) {
		cancel->legs[i].kept = cancel->legs[i].place.open;
		cancel->kept += cancel->legs[i].kept;
	}
	return cancel->kept;
}

/* The whole way; how many entries came of it. */
static size_t cancel(struct journal_fixture *f, struct parcel *parcel)
{
	size_t before = count_cancelled(f, NULL);
	journal_fixture_run(f, parcel);
	CHECK_INT(count_cancelled(f, NULL), before); /* looking is no entry */
	if (keep_back(parcel) > 0)
		journal_fixture_run(f, parcel);
	return count_cancelled(f, NULL) - before;
}

static void check_legs(const struct parcel *parcel, size_t count, enum end_state end)
{
	CHECK(!parcel->cancel->decision.refused);
	CHECK_INT(parcel->cancel->legs_count, count);
	for (size_t i = 0; i < count; i++) {
		const struct cancel_leg *leg = &parcel->cancel->legs[i];
		CHECK(leg->place.known && !leg->place.open && leg->recipient.len > 0);
		CHECK_INT(leg->place.end, end);
	}
}

static void audit_of(const struct journal_fixture *f, struct audit *ret)
{
	struct audit_paths paths = {.journal = f->dir, .keyring = f->keys, .master_key = f->master};
	char error[256];
	CHECK_INT(audit_open(&paths, ret, error, sizeof(error)), 0);
}

static void replays(const struct journal_fixture *f)
{
	struct audit_replay_options options = {.work = check_tmpdir()};
	_cleanup_(audit_close) struct audit audit;
	struct audit_replay_result result;
	struct found found;
	audit_of(f, &audit);
	found_init(&found);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &result), 0);
	found_none(&found);
	CHECK(result.complete);
}

static void verify(const struct journal_fixture *f, struct found *found)
{
	struct audit_verify_options options = {.depth = AUDIT_FULL, .workers = 1};
	struct audit_verify_result result;
	_cleanup_(audit_close) struct audit audit;
	audit_of(f, &audit);
	found_init(found);
	CHECK_INT(audit_verify(&audit, &options, &found->report, &result), 0);
}

static void what_waits_is_ended_by_its_sender(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct found found;
	journal_fixture_init(&f, check_tmpdir(), "ended");
	journal_fixture_start(&f);
	struct parcel *sent = submit(&f, &(struct fixture_load){.count = 4});
	struct parcel *foreign = journal_fixture_cancel(&f, "town", sent, 4, NULL);
	CHECK_INT(cancel(&f, foreign), 0);
	CHECK_INT(foreign->cancel->legs_count, 4);
	for (size_t i = 0; i < 4; i++)
		CHECK_INT(foreign->cancel->legs[i].party, 0);
	struct parcel *another = journal_fixture_cancel(&f, "city", sent, 1, "jobcenter");
	CHECK_INT(cancel(&f, another), 0);
	CHECK(!another->cancel->legs[0].place.known);
	struct parcel *order = journal_fixture_cancel(&f, "city", sent, 3, NULL);
	CHECK_INT(cancel(&f, order), 1);
	check_legs(order, 3, END_CANCELLED);
	/* The same bytes again, and what their recipient says of them too late. */
	struct parcel *again = journal_fixture_cancel(&f, "city", sent, 3, NULL);
	CHECK(bytes_equal(again->cancel->facts.batch_bytes, order->cancel->facts.batch_bytes));
	CHECK_INT(cancel(&f, again), 0);
	check_legs(again, 3, END_CANCELLED);
	struct parcel *acks = journal_fixture_acks(&f, "ministry", sent);
	journal_fixture_run(&f, acks);
	for (size_t i = 0; i < 4; i++)
		CHECK_INT(acks->acks[0].decision.verdicts[i],
			i < 3 ? DIENSTWEG__ACK_VERDICT__ACK_LATE
			      : DIENSTWEG__ACK_VERDICT__ACK_CLOSED);
	struct parcel *late = journal_fixture_cancel(&f, "city", sent, 4, "ministry");
	CHECK_INT(cancel(&f, late), 0);
	CHECK_INT(late->cancel->legs[3].place.end, END_ACCEPTED);
	journal_fixture_stop(&f);
	verify(&f, &found);
	found_none(&found);
	replays(&f);
	struct parcel *all[] = {sent, foreign, another, order, again, acks, late};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		parcel_free(all[i]);
}

/* What delivery did not keep back stays, and what ended in between is passed over. */
static void only_what_was_kept_back_is_ended(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_tmpdir(), "kept");
	journal_fixture_start(&f);
	struct parcel *sent = submit(&f, &(struct fixture_load){.count = 3});
	struct parcel *order = journal_fixture_cancel(&f, "city", sent, 3, NULL);
	journal_fixture_run(&f, order);
	CHECK_INT(keep_back(order), 3);
	order->cancel->legs[1].kept = false; /* under delivery */
	struct parcel *one = journal_fixture_cancel(&f, "city", sent, 1, NULL);
	CHECK_INT(cancel(&f, one), 1);
	size_t before = count_cancelled(&f, NULL);
	journal_fixture_run(&f, order);
	CHECK_INT(count_cancelled(&f, NULL), before + 1);
	CHECK_INT(order->cancel->legs[0].place.end, END_CANCELLED);
	CHECK(order->cancel->legs[1].place.open);
	CHECK_INT(order->cancel->legs[2].place.end, END_CANCELLED);
	journal_fixture_stop(&f);
	replays(&f);
	struct parcel *all[] = {sent, order, one};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		parcel_free(all[i]);
}

/* More recipients than one entry can name become several, of one order. */
static void an_event_is_called_back_from_all(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct found found;
	journal_fixture_init(&f, check_tmpdir(), "event");
	journal_fixture_subscribe(&f, SUBSCRIBERS);
	journal_fixture_start(&f);
	struct parcel *sent = submit(&f, &(struct fixture_load){.service = "event", .count = 2});
	struct parcel *first = journal_fixture_cancel(&f, "city", sent, 2, "subscriber-07");
	CHECK_INT(cancel(&f, first), 1);
	check_legs(first, 2, END_CANCELLED);
	struct parcel *order = journal_fixture_cancel(&f, "city", sent, 2, NULL);
	size_t legs = 2 * (SUBSCRIBERS + 3);
	CHECK_INT(cancel(&f, order), (legs - 2 + RULES_ITEMS_MAX - 1) / RULES_ITEMS_MAX);
	check_legs(order, legs, END_CANCELLED);
	journal_fixture_stop(&f);
	verify(&f, &found);
	found_none(&found);
	replays(&f);
	struct parcel *all[] = {sent, first, order};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		parcel_free(all[i]);
}

static void a_bad_order_leaves_no_trace(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_tmpdir(), "bad");
	journal_fixture_start(&f);
	struct parcel *sent = submit(&f, &(struct fixture_load){.count = 1});
	struct parcel *order = journal_fixture_cancel(&f, "city", sent, 1, NULL);
	/* As an acknowledgement it would be good; and for another reason. */
	order->cancel->batch->reason.data[0] ^= 1;
	CHECK_INT(verify_parcel(f.verify, order), 0);
	CHECK(order->cancel->facts.form_ok && !order->cancel->facts.signature_ok);
	CHECK_INT(cancel(&f, order), 0);
	CHECK(order->cancel->decision.refused);
	CHECK_STR(order->cancel->decision.code, "bad-signature");
	CHECK_INT(order->cancel->legs_count, 0);
	journal_fixture_stop(&f);
	replays(&f);
	parcel_free(order);
	parcel_free(sent);
}

/* The broker lets one pass that its sender never signed: the auditor does not. */
static void an_order_that_nobody_signed_is_found(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct found found;
	journal_fixture_init(&f, check_tmpdir(), "unsigned");
	journal_fixture_start(&f);
	struct parcel *sent = submit(&f, &(struct fixture_load){.count = 1});
	struct parcel *order = journal_fixture_cancel(&f, "city", sent, 1, NULL);
	uint8_t *root = memmem(order->cancel->facts.batch_bytes.data,
		order->cancel->facts.batch_bytes.len, order->cancel->batch->root.data,
		SIGNATURE_SIZE);
	CHECK(root);
	root[5] ^= 1;
	order->cancel->batch->root.data[5] ^= 1;
	uint64_t entry = 0;
	CHECK_INT(cancel(&f, order), 1);
	CHECK_INT(count_cancelled(&f, &entry), 1);
	journal_fixture_stop(&f);
	verify(&f, &found);
	found_one(&found, "signature-bad", entry);
	parcel_free(order);
	parcel_free(sent);
}

/* The broker ends a message by an order for another one: signed it is, and the auditor reads on. */
static void an_order_for_another_message_is_found(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct found found;
	uint64_t entry = 0;
	journal_fixture_init(&f, check_tmpdir(), "another");
	journal_fixture_start(&f);
	struct parcel *kept = submit(&f, &(struct fixture_load){.count = 1});
	struct parcel *sent = submit(&f, &(struct fixture_load){.count = 1});
	struct parcel *order = journal_fixture_cancel(&f, "city", sent, 1, NULL);
	struct parcel *cheat = journal_fixture_cancel(&f, "city", kept, 1, NULL);
	cheat->cancel->facts.batch_bytes = order->cancel->facts.batch_bytes;
	CHECK_INT(cancel(&f, cheat), 1);
	CHECK_INT(count_cancelled(&f, &entry), 1);
	journal_fixture_stop(&f);
	verify(&f, &found);
	found_one(&found, "cancelled-unnamed", entry);
	struct parcel *all[] = {kept, sent, order, cheat};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		parcel_free(all[i]);
}

/* ... or of another recipient of it. */
static void an_order_for_another_recipient_is_found(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct found found;
	uint64_t entry = 0;
	journal_fixture_init(&f, check_tmpdir(), "recipient");
	journal_fixture_start(&f);
	struct parcel *sent = submit(&f, &(struct fixture_load){.service = "event", .count = 1});
	struct parcel *order = journal_fixture_cancel(&f, "city", sent, 1, "town");
	struct parcel *cheat = journal_fixture_cancel(&f, "city", sent, 1, "ministry");
	cheat->cancel->facts.batch_bytes = order->cancel->facts.batch_bytes;
	CHECK_INT(cancel(&f, cheat), 1);
	CHECK_INT(count_cancelled(&f, &entry), 1);
	journal_fixture_stop(&f);
	verify(&f, &found);
	found_one(&found, "cancelled-unnamed", entry);
	struct parcel *all[] = {sent, order, cheat};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		parcel_free(all[i]);
}

/* Replay begins at a state, from the records that are left. */
static void it_follows_after_an_erasure(void)
{
	_cleanup_(erasing_deinit) struct erasing erasing;
	erasing_init(&erasing, "erased");
	struct journal_fixture *f = &erasing.journal;
	journal_fixture_start(f);
	struct parcel *done = erasing_submit(&erasing, &(struct fixture_load){.count = 40});
	erasing_deliver(&erasing, "ministry", done);
	struct parcel *open = erasing_submit(
		&erasing, &(struct fixture_load){.service = "event", .count = 7});
	struct parcel *order = journal_fixture_cancel(f, "city", open, 7, "town");
	CHECK_INT(cancel(f, order), 1);
	erasing_later(&erasing, 800);
	struct parcel *more = journal_fixture_cancel(f, "city", open, 7, "jobcenter");
	CHECK_INT(cancel(f, more), 1);
	journal_fixture_stop(f);
	replays(f);
	struct parcel *all[] = {done, open, order, more};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		parcel_free(all[i]);
}

CHECK_MAIN(CHECK_CASE(what_waits_is_ended_by_its_sender),
	CHECK_CASE(only_what_was_kept_back_is_ended), CHECK_CASE(an_event_is_called_back_from_all),
	CHECK_CASE(a_bad_order_leaves_no_trace), CHECK_CASE(an_order_that_nobody_signed_is_found),
	CHECK_CASE(an_order_for_another_message_is_found),
	CHECK_CASE(an_order_for_another_recipient_is_found), CHECK_CASE(it_follows_after_an_erasure))
