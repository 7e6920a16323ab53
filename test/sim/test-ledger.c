/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A checker that never objects may be blind. Each history here breaks one promise, and is the smallest that does;
 * the same history without the break is accepted.
 */
#include "test/sim/ledger.h"

#include "proto/envelope.pb-c.h"
#include "proto/journal.pb-c.h"
#include "test/kit/check.h"

enum {
	ACCEPTED = DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED,
	REFUSED = DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED,
	ACKNOWLEDGED = DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED,
	HELD = DIENSTWEG__ENTRY_KIND__ENTRY_HELD,
	REGISTRY = DIENSTWEG__ENTRY_KIND__ENTRY_REGISTRY,
	CITY = 0,
	JOBCENTER = 1,
};

static const uint8_t *h_of(uint8_t number)
{
	static uint8_t h[8][HASH_SIZE];
	h[number % 8][0] = number;
	return h[number % 8];
}

static struct bytes stub_of(uint8_t number)
{
	static uint8_t stub[35];
	stub[1] = number;
	return BYTES(stub, sizeof(stub));
}

static uint64_t commit(struct ledger *ledger, uint8_t kind)
{
	uint64_t sequence = ledger->count;
	ledger_commit(ledger, sequence, kind, stub_of((uint8_t)sequence));
	return sequence;
}

static uint64_t accept_message(struct ledger *ledger, uint8_t number)
{
	uint64_t sequence = commit(ledger, ACCEPTED);
	const struct ledger_accepted what = {.h = h_of(number),
		.sender = CITY,
		.lane = LANE_NORMAL,
		.recipients = {JOBCENTER},
		.recipients_count = 1};
	ledger_accepted(ledger, sequence, &what);
	return sequence;
}

static uint64_t end(struct ledger *ledger, uint64_t message, enum end_state state)
{
	uint64_t sequence = commit(ledger, ACKNOWLEDGED);
	ledger_ended(ledger, sequence, message, JOBCENTER, state);
	return sequence;
}

static void begin(struct ledger *ledger)
{
	ledger_init(ledger);
	CHECK_INT(ledger_party(ledger, BYTES_STR("city")), CITY);
	CHECK_INT(ledger_party(ledger, BYTES_STR("jobcenter")), JOBCENTER);
	commit(ledger, REGISTRY);
}

/* All was well so far; this must be objected to, in these words. */
#define BREAKS(ledger, words, ...)                                                                 \
	do {                                                                                       \
		CHECK_STR((ledger)->violation, "");                                                \
		__VA_ARGS__;                                                                       \
		if (!strstr((ledger)->violation, words))                                           \
			CHECK_FAIL("\"%s\" is not \"%s\"", (ledger)->violation, words);            \
	} while (0)

static void a_good_history_is_good(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	uint64_t first = accept_message(&ledger, 1), second = accept_message(&ledger, 2);
	ledger_saw_receipt(&ledger, h_of(1), first);
	ledger_recorded(&ledger, CITY, h_of(1), first);
	ledger_saw_delivery(&ledger, JOBCENTER, first, h_of(1));
	ledger_saw_delivery(&ledger, JOBCENTER, second, h_of(2));
	ledger_saw_delivery(&ledger, JOBCENTER, first, h_of(1));
	ledger_handed(&ledger, JOBCENTER, first, h_of(1), 1);
	ledger_handed(&ledger, JOBCENTER, first, h_of(1), 2);
	ledger_total(&ledger, JOBCENTER, 2);
	uint64_t entry = end(&ledger, first, END_ACCEPTED);
	ledger_saw_acknowledged(&ledger, JOBCENTER, first);
	ledger_saw_outcome(&ledger, CITY, entry, first, h_of(1), JOBCENTER, BYTES_STR("accepted"));
	ledger_told(&ledger, CITY, h_of(1), JOBCENTER, BYTES_STR("accepted"), 1);
	ledger_told(&ledger, CITY, h_of(1), JOBCENTER, BYTES_STR("accepted"), 2);
	ledger_already(&ledger, entry, first, JOBCENTER);
	ledger_failed(&ledger, entry, second, JOBCENTER, true);
	uint64_t expired = end(&ledger, second, END_EXPIRED);
	ledger_late(&ledger, expired + 1, second, JOBCENTER);
	ledger_already(&ledger, expired + 2, second, JOBCENTER);
	ledger_told(&ledger, CITY, h_of(2), JOBCENTER, BYTES_STR("expired"), 1);
	ledger_total(&ledger, JOBCENTER, 0);
	uint64_t refused = commit(&ledger, REFUSED);
	ledger_refused(&ledger, refused, h_of(3), true);
	ledger_saw_refusal(&ledger, h_of(3), refused);
	ledger_size(&ledger, ledger.count);
	ledger_again(&ledger, first, stub_of((uint8_t)first));
	ledger_rest(&ledger);
	CHECK_STR(ledger.violation, "");
}

static void nobody_is_late_twice_or_for_what_it_ended(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	uint64_t message = accept_message(&ledger, 1);
	uint64_t expired = end(&ledger, message, END_EXPIRED);
	ledger_late(&ledger, expired + 1, message, JOBCENTER);
	BREAKS(&ledger, "had said so before", ledger_late(&ledger, expired + 2, message, JOBCENTER));
}

static void what_is_lost_is_missed(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	accept_message(&ledger, 1);
	BREAKS(&ledger, "2 entries were committed, 1 are left", ledger_size(&ledger, 1));
}

static void what_was_changed_is_noticed(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	uint64_t message = accept_message(&ledger, 1);
	BREAKS(&ledger, "another one after a restart", ledger_again(&ledger, message, stub_of(99)));
}

static void nothing_leaves_before_its_commit(void)
{
	for (int i = 0; i < 6; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		begin(&ledger);
		uint64_t open = accept_message(&ledger, 1);
		if (i == 0)
			BREAKS(&ledger, "receipt of 7 left before",
				ledger_saw_receipt(&ledger, h_of(2), 7));
		if (i == 1)
			BREAKS(&ledger, "refusal of 7 left before",
				ledger_saw_refusal(&ledger, h_of(2), 7));
		if (i == 2)
			BREAKS(&ledger, "a delivery of 7 for jobcenter, which is not committed",
				ledger_saw_delivery(&ledger, JOBCENTER, 7, h_of(2)));
		if (i == 3)
			BREAKS(&ledger, "whose end is not committed",
				ledger_saw_acknowledged(&ledger, JOBCENTER, open));
		if (i == 4)
			BREAKS(&ledger, "says accepted, the journal has open",
				ledger_saw_outcome(&ledger, CITY, 7, open, h_of(1), JOBCENTER,
					BYTES_STR("accepted")));
		if (i == 5)
			BREAKS(&ledger, "a Cancelled",
				ledger_saw_cancelled(
					&ledger, CITY, open, JOBCENTER, BYTES_STR("cancelled")));
	}
}

static void an_answer_says_what_its_entry_says(void)
{
	for (int i = 0; i < 4; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		begin(&ledger);
		uint64_t message = accept_message(&ledger, 1);
		if (i == 0)
			BREAKS(&ledger, "which is another entry",
				ledger_saw_receipt(&ledger, h_of(2), message));
		if (i == 1)
			BREAKS(&ledger, "which is another entry",
				ledger_saw_refusal(&ledger, h_of(1), message));
		if (i == 2)
			BREAKS(&ledger, "names another message",
				ledger_saw_delivery(&ledger, JOBCENTER, message, h_of(2)));
		if (i == 3)
			BREAKS(&ledger, "somebody else's",
				ledger_recorded(&ledger, JOBCENTER, h_of(1), message));
	}
}

static void a_header_has_one_entry(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	accept_message(&ledger, 1);
	BREAKS(&ledger, "one header has two entries", accept_message(&ledger, 1));
}

static void a_message_ends_once(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	uint64_t message = accept_message(&ledger, 1);
	end(&ledger, message, END_REJECTED);
	BREAKS(&ledger, "ended twice", end(&ledger, message, END_EXPIRED));
}

static void who_accepted_has_it(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	uint64_t message = accept_message(&ledger, 1);
	BREAKS(&ledger, "jobcenter has it not", end(&ledger, message, END_ACCEPTED));
}

static void nothing_overtakes(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	accept_message(&ledger, 1);
	uint64_t second = accept_message(&ledger, 2);
	BREAKS(&ledger, "message 2 overtook 1",
		ledger_saw_delivery(&ledger, JOBCENTER, second, h_of(2)));
}

static void what_ended_is_delivered_no_more(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	uint64_t message = accept_message(&ledger, 1);
	end(&ledger, message, END_EXPIRED);
	BREAKS(&ledger, "after its end", ledger_saw_delivery(&ledger, JOBCENTER, message, h_of(1)));
}

static void handing_over_twice_needs_a_crash(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	uint64_t message = accept_message(&ledger, 1);
	ledger_handed(&ledger, JOBCENTER, message, h_of(1), 3);
	BREAKS(&ledger, "handed over to jobcenter twice",
		ledger_handed(&ledger, JOBCENTER, message, h_of(1), 3));
}

static void a_sender_is_told_what_the_journal_has(void)
{
	for (int i = 0; i < 5; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		begin(&ledger);
		uint64_t message = accept_message(&ledger, 1);
		uint64_t entry = end(&ledger, message, END_REJECTED);
		if (i == 0)
			BREAKS(&ledger, "says accepted, the journal has rejected",
				ledger_told(&ledger, CITY, h_of(1), JOBCENTER,
					BYTES_STR("accepted"), 1));
		if (i == 1)
			BREAKS(&ledger, "who did not send it",
				ledger_told(&ledger, JOBCENTER, h_of(1), JOBCENTER,
					BYTES_STR("rejected"), 1));
		if (i == 2)
			BREAKS(&ledger, "it ended at",
				ledger_saw_outcome(&ledger, CITY, entry - 1, message, h_of(1),
					JOBCENTER, BYTES_STR("rejected")));
		if (i == 3)
			BREAKS(&ledger, "told of a message that is not committed",
				ledger_told(&ledger, CITY, h_of(2), JOBCENTER,
					BYTES_STR("rejected"), 1));
		if (i < 4)
			continue;
		ledger_told(&ledger, CITY, h_of(1), JOBCENTER, BYTES_STR("rejected"), 1);
		BREAKS(&ledger, "was told twice",
			ledger_told(&ledger, CITY, h_of(1), JOBCENTER, BYTES_STR("rejected"), 1));
	}
}

static void totals_are_counted(void)
{
	_cleanup_(ledger_deinit) struct ledger ledger;
	begin(&ledger);
	accept_message(&ledger, 1);
	BREAKS(&ledger, "counts 2 open messages of jobcenter, its entries say 1",
		ledger_total(&ledger, JOBCENTER, 2));
}

static void nothing_rests_half_way(void)
{
	for (int i = 0; i < 2; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		begin(&ledger);
		uint64_t message = accept_message(&ledger, 1);
		if (i == 0)
			BREAKS(&ledger, "never ended", ledger_rest(&ledger));
		if (i == 1) {
			end(&ledger, message, END_EXPIRED);
			BREAKS(&ledger, "never told", ledger_rest(&ledger));
		}
	}
}

static void attempts_and_late_ends_are_judged(void)
{
	for (int i = 0; i < 2; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		begin(&ledger);
		uint64_t message = accept_message(&ledger, 1);
		if (i == 0)
			BREAKS(&ledger, "had ended, it had not",
				ledger_already(&ledger, 7, message, JOBCENTER));
		if (i == 1) {
			end(&ledger, message, END_EXPIRED);
			BREAKS(&ledger, "which had ended",
				ledger_failed(&ledger, 7, message, JOBCENTER, false));
		}
	}
}

static void nobody_is_replayed_what_is_not_theirs(void)
{
	for (int i = 0; i < 4; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		begin(&ledger);
		uint64_t message = accept_message(&ledger, 1);
		if (i == 0)
			BREAKS(&ledger, "as taken, which it was not",
				ledger_saw_replayed(&ledger, JOBCENTER, message, h_of(1), true));
		if (i == 1)
			BREAKS(&ledger, "who has no right to it",
				ledger_saw_replayed(&ledger, CITY, message, h_of(1), false));
		if (i == 2)
			BREAKS(&ledger, "which is not committed",
				ledger_saw_replayed(&ledger, JOBCENTER, message, h_of(2), true));
		if (i < 3)
			continue;
		ledger_handed(&ledger, JOBCENTER, message, h_of(1), 1);
		end(&ledger, message, END_ACCEPTED);
		ledger_saw_replayed(&ledger, JOBCENTER, message, h_of(1), true);
		ledger.entries[message].event = true;
		ledger_saw_replayed(&ledger, CITY, message, h_of(1), false);
		CHECK_STR(ledger.violation, "");
	}
}

static void a_tree_head_is_one_of_the_journals(void)
{
	for (int i = 0; i < 3; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		struct merkle_hash root;
		begin(&ledger);
		merkle_empty_root(&root);
		ledger_saw_checkpoint(&ledger, 0, &root, false);
		accept_message(&ledger, 1);
		root = ledger.entries[1].root;
		ledger_saw_checkpoint(&ledger, 2, &root, true);
		CHECK_INT(ledger.final, 2);
		if (i == 0)
			BREAKS(&ledger, "left before their commit",
				ledger_saw_checkpoint(&ledger, 3, &root, false));
		if (i == 1)
			BREAKS(&ledger, "another tree",
				ledger_saw_checkpoint(&ledger, 1, &root, false));
		root.bytes[7] ^= 1;
		if (i == 2)
			BREAKS(&ledger, "another tree",
				ledger_saw_checkpoint(&ledger, 2, &root, false));
	}
}

static void the_dead_are_counted(void)
{
	for (int i = 0; i < 4; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		uint64_t at = 0;
		uint8_t whose = 0;
		begin(&ledger);
		uint64_t message = accept_message(&ledger, 1);
		if (i == 0)
			BREAKS(&ledger, "revives",
				ledger_dead(&ledger, 7, message, JOBCENTER, false));
		if (i == 0)
			continue;
		ledger_dead(&ledger, 7, message, JOBCENTER, true);
		CHECK(ledger_next(&ledger, LEDGER_DEAD, &at, &whose) && at == message &&
			whose == JOBCENTER);
		if (i == 1)
			BREAKS(&ledger, "buries", ledger_dead(&ledger, 8, message, JOBCENTER, true));
		if (i == 2)
			BREAKS(&ledger, "never ended", ledger_rest(&ledger));
		if (i == 3) {
			end(&ledger, message, END_DISCARDED);
			CHECK_INT(ledger.dead, 0);
			BREAKS(&ledger, "never told", ledger_rest(&ledger));
		}
	}
}

/* From the moment that somebody was told, and not from the commit on: what leaves in between had not heard of it. */
static void what_is_held_does_not_leave(void)
{
	for (int i = 0; i < 7; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		begin(&ledger);
		const struct ledger_accepted what = {.h = h_of(2),
			.sender = CITY,
			.service = BYTES_STR("figures"),
			.recipients = {JOBCENTER},
			.recipients_count = 1};
		uint64_t first = accept_message(&ledger, 1), entry = commit(&ledger, HELD);
		if (i == 0)
			BREAKS(&ledger, "is not held",
				ledger_held(&ledger, entry, first, JOBCENTER, false));
		if (i == 1)
			ledger_held(&ledger, entry, first, JOBCENTER, true);
		if (i == 2)
			ledger_held_queue(&ledger, entry, JOBCENTER, true);
		if (i >= 3)
			ledger_held_service(&ledger, entry, what.service, true);
		uint64_t second = commit(&ledger, ACCEPTED);
		ledger_accepted(&ledger, second, &what);
		if (i == 1 || i == 2) {
			ledger_saw_delivery(&ledger, JOBCENTER, first, h_of(1));
			ledger_binds(&ledger, entry + 1);
			BREAKS(&ledger, "is held by",
				ledger_saw_delivery(&ledger, JOBCENTER, first, h_of(1)));
		}
		if (i < 3)
			continue;
		ledger_binds(&ledger, second + 1);
		CHECK_INT(ledger.held, 1);
		if (i == 3)
			BREAKS(&ledger, "is held by",
				ledger_saw_delivery(&ledger, JOBCENTER, second, h_of(2)));
		if (i == 4)
			BREAKS(&ledger, "holds message",
				ledger_held(&ledger, second + 1, second, JOBCENTER, true));
		if (i == 5)
			BREAKS(&ledger, "holds what is held",
				ledger_held_service(&ledger, second + 1, what.service, true));
		if (i == 6) {
			ledger_held(&ledger, second + 1, second, JOBCENTER, false);
			ledger_saw_delivery(&ledger, JOBCENTER, second, h_of(2));
			ledger_held(&ledger, second + 2, second, JOBCENTER, true);
			end(&ledger, second, END_EXPIRED);
			CHECK_STR(ledger.violation, "");
			CHECK_INT(ledger.held, 0);
		}
	}
}

enum { QUESTIONS_MAX = 2, OVER_MS = 1000 };

static uint64_t ask(struct ledger *ledger, uint8_t number, uint8_t kind)
{
	uint64_t sequence = commit(ledger, ACCEPTED);
	const struct ledger_accepted what = {.h = h_of(number),
		.sender = CITY,
		.kind = kind,
		.case_id = h_of(7),
		.due_ms = OVER_MS,
		.pending_max = QUESTIONS_MAX,
		.recipients = {JOBCENTER},
		.recipients_count = 1};
	ledger_accepted(ledger, sequence, &what);
	return sequence;
}

static void respond(struct ledger *ledger, uint8_t number, uint8_t kind, uint8_t to, uint64_t at_ms)
{
	const struct ledger_accepted what = {.h = h_of(number),
		.sender = JOBCENTER,
		.kind = kind,
		.case_id = h_of(7),
		.in_reply_to = h_of(to),
		.at_ms = at_ms,
		.recipients = {CITY},
		.recipients_count = 1};
	ledger_accepted(ledger, commit(ledger, ACCEPTED), &what);
}

static void an_enquiry_is_answered_once_and_in_time(void)
{
	const uint8_t enquiry = DIENSTWEG__KIND__KIND_ENQUIRY, answer = DIENSTWEG__KIND__KIND_ANSWER;
	for (int i = 0; i < 6; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		begin(&ledger);
		uint64_t first = ask(&ledger, 1, enquiry);
		ask(&ledger, 2, enquiry);
		if (i == 0)
			BREAKS(&ledger, "as the 3th that waits", ask(&ledger, 3, enquiry));
		if (i == 1)
			BREAKS(&ledger, "nobody asked that", respond(&ledger, 3, answer, 4, 0));
		if (i == 2)
			BREAKS(&ledger, "nobody waits for it",
				respond(&ledger, 3, answer, 1, OVER_MS));
		if (i == 3)
			end(&ledger, first, END_REJECTED);
		if (i == 3)
			BREAKS(&ledger, "nobody waits for it", respond(&ledger, 3, answer, 1, 0));
		if (i < 4)
			continue;
		respond(&ledger, 3, answer, 1, OVER_MS - 1);
		ledger_answered(&ledger, CITY, h_of(1), ledger.count - 1);
		if (i == 4)
			BREAKS(&ledger, "has two answers", respond(&ledger, 4, answer, 1, 0));
		if (i == 5)
			BREAKS(&ledger, "which it does not",
				ledger_answered(&ledger, CITY, h_of(2), ledger.count - 1));
	}
}

static void who_waits_in_vain_is_reminded_once(void)
{
	const uint8_t submission = DIENSTWEG__KIND__KIND_SUBMISSION,
		      reply = DIENSTWEG__KIND__KIND_REPLY;
	for (int i = 0; i < 9; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		begin(&ledger);
		uint64_t message = ask(&ledger, 1, submission);
		CHECK_INT(ledger.waiting, 1);
		if (i == 0)
			respond(&ledger, 2, reply, 1, 0);
		if (i == 1)
			end(&ledger, message, END_EXPIRED);
		CHECK_INT(ledger.waiting, i < 2 ? 0 : 1);
		if (i < 2)
			BREAKS(&ledger, "which nobody waits for",
				ledger_overdue(&ledger, 7, message, JOBCENTER, OVER_MS));
		if (i == 2)
			BREAKS(&ledger, "its time is over at",
				ledger_overdue(&ledger, 7, message, JOBCENTER, OVER_MS - 1));
		if (i == 3)
			BREAKS(&ledger, "which is not",
				ledger_reminded(&ledger, CITY, h_of(1), JOBCENTER, 1));
		if (i == 4) {
			ledger_due_soon(&ledger, 5, message, OVER_MS - 1);
			ledger_warned(&ledger, CITY, h_of(1), 1);
			BREAKS(&ledger, "is due soon was told twice",
				ledger_warned(&ledger, CITY, h_of(1), 1));
		}
		if (i == 5)
			BREAKS(&ledger, "which is not due soon",
				ledger_due_soon(&ledger, 5, message, OVER_MS));
		if (i < 6)
			continue;
		ledger_overdue(&ledger, 7, message, JOBCENTER, OVER_MS);
		CHECK_INT(ledger.waiting, 0);
		ledger_saw_outcome(
			&ledger, CITY, 7, message, h_of(1), JOBCENTER, BYTES_STR("overdue"));
		ledger_reminded(&ledger, CITY, h_of(1), JOBCENTER, 1);
		ledger_reminded(&ledger, CITY, h_of(1), JOBCENTER, 2);
		CHECK_INT(ledger.reminded, 1);
		if (i == 6)
			BREAKS(&ledger, "was told twice",
				ledger_reminded(&ledger, CITY, h_of(1), JOBCENTER, 2));
		if (i == 7)
			BREAKS(&ledger, "which nobody waits for",
				ledger_overdue(&ledger, 8, message, JOBCENTER, OVER_MS));
		if (i == 8)
			BREAKS(&ledger, "which does not say so",
				ledger_saw_outcome(&ledger, CITY, 8, message, h_of(1), JOBCENTER,
					BYTES_STR("overdue")));
	}
}

/* What the careless leave undone is nobody's fault; what others do to them is. */
static void the_careless_are_excused_and_nobody_else(void)
{
	for (int i = 0; i < 2; i++) {
		_cleanup_(ledger_deinit) struct ledger ledger;
		begin(&ledger);
		if (i == 0)
			BREAKS(&ledger, "knows of nothing", ledger_unknown(&ledger, JOBCENTER, 7));
		if (i == 0)
			continue;
		ledger_careless(&ledger, JOBCENTER);
		ledger_careless(&ledger, CITY);
		ledger_unknown(&ledger, JOBCENTER, 7);
		uint64_t message = accept_message(&ledger, 1);
		end(&ledger, message, END_EXPIRED);
		ledger_rest(&ledger);
		CHECK_INT(ledger.told, ledger.ended);
		BREAKS(&ledger, "delivered to jobcenter after its end",
			ledger_saw_delivery(&ledger, JOBCENTER, message, h_of(1)));
	}
}

CHECK_MAIN(CHECK_CASE(a_good_history_is_good), CHECK_CASE(nobody_is_late_twice_or_for_what_it_ended),
	CHECK_CASE(what_is_lost_is_missed), CHECK_CASE(what_was_changed_is_noticed),
	CHECK_CASE(nothing_leaves_before_its_commit), CHECK_CASE(an_answer_says_what_its_entry_says),
	CHECK_CASE(a_header_has_one_entry), CHECK_CASE(a_message_ends_once),
	CHECK_CASE(who_accepted_has_it), CHECK_CASE(nothing_overtakes),
	CHECK_CASE(what_ended_is_delivered_no_more), CHECK_CASE(handing_over_twice_needs_a_crash),
	CHECK_CASE(a_sender_is_told_what_the_journal_has), CHECK_CASE(totals_are_counted),
	CHECK_CASE(nothing_rests_half_way), CHECK_CASE(attempts_and_late_ends_are_judged),
	CHECK_CASE(nobody_is_replayed_what_is_not_theirs),
	CHECK_CASE(a_tree_head_is_one_of_the_journals), CHECK_CASE(the_dead_are_counted),
	CHECK_CASE(what_is_held_does_not_leave), CHECK_CASE(an_enquiry_is_answered_once_and_in_time),
	CHECK_CASE(who_waits_in_vain_is_reminded_once),
	CHECK_CASE(the_careless_are_excused_and_nobody_else))
