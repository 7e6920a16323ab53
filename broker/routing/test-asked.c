/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Enquiries and answers: the time begins when the enquiry is recorded, one answer counts, by whom it was asked and in
 * its case, and nobody has more of them waiting than the service allows. After every act the tables must agree.
 */
#include "broker/routing/asked.h"
#include "broker/routing/fixture.h"
#include "broker/routing/invariants.h"
#include "broker/routing/place.h"
#include "test/kit/check.h"

enum { ANSWER_MS = 30000, PENDING = 2, CASE = 7, OVERDUE_MS = 60000, SOON_MS = 15000 };

static void start(struct rules_fixture *f)
{
	rules_fixture_init(f);
	Dienstweg__Service *service = registry_fixture_service(f->parties, "benefit.question");
	service->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	service->answer_s = ANSWER_MS / 1000;
	service->pending_max = PENDING;
	Dienstweg__Agreement *a = registry_fixture_agreement(
		f->parties, "e-question", "2021-07-01", NULL);
	registry_fixture_flow(f->parties, a, "benefit.question", "city", "jobcenter", "05124");
	service = registry_fixture_service(f->parties, "referral");
	service->overdue_ms = OVERDUE_MS;
	registry_fixture_flow(f->parties, a, "referral", "city", "jobcenter", NULL);
	registry_fixture_flow(f->parties, a, "referral", "jobcenter", "city", NULL);
	service = registry_fixture_service(f->parties, "urgent.referral");
	service->overdue_ms = OVERDUE_MS;
	service->due_soon_ms = SOON_MS;
	registry_fixture_flow(f->parties, a, "urgent.referral", "city", "jobcenter", NULL);
	rules_fixture_adopt(f);
}

static void check_state(struct rules_fixture *f)
{
	char why[200] = "";
	CHECK_INT(state_invariants(f->rules.state, why, sizeof(why)), 0);
	CHECK_STR(why, "");
}

static struct fixture_message question(uint8_t id)
{
	return (struct fixture_message){.region = "051240000000",
		.service = "benefit.question",
		.sealed_for = "jobcenter",
		.id = id,
		.case_id = CASE,
		.kind = DIENSTWEG__KIND__KIND_ENQUIRY};
}

static struct fixture_message reply(uint8_t id, const uint8_t *h)
{
	return (struct fixture_message){.sender = "jobcenter",
		.recipient = "city",
		.service = "benefit.question",
		.sealed_for = "city",
		.id = id,
		.case_id = CASE,
		.kind = DIENSTWEG__KIND__KIND_ANSWER,
		.in_reply_to = h};
}

static const struct submit_facts *ask(struct rules_fixture *f, uint8_t id)
{
	const struct fixture_message m = question(id);
	const struct submit_facts *facts = rules_fixture_message(f, &m);
	CHECK_INT(rules_fixture_submit(f, facts).result, SUBMIT_ACCEPTED);
	check_state(f);
	return facts;
}

static void submits(struct rules_fixture *f, const struct fixture_message *m, const char *code)
{
	struct submit_decision decision = rules_fixture_submit(f, rules_fixture_message(f, m));
	CHECK_INT(decision.result, *code ? SUBMIT_REFUSED : SUBMIT_ACCEPTED);
	if (*code)
		CHECK_STR(decision.code, code);
	check_state(f);
}

static uint64_t pending(struct rules_fixture *f)
{
	uint64_t count;
	CHECK_INT(asked_pending(f->rules.state, rules_fixture_number(f, "city"),
			  BYTES_STR("benefit.question"), &count),
		0);
	return count;
}

static void pass(struct rules_fixture *f, uint64_t ms)
{
	f->rules.batch_ms += ms;
	rules_fixture_tick(f);
	check_state(f);
}

static void an_answer_counts_once(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	const struct submit_facts *asked = ask(&f, 1);
	struct fixture_message first = reply(2, asked->h), again = reply(3, asked->h);
	CHECK_INT(pending(&f), 1);
	pass(&f, ANSWER_MS - 1);
	submits(&f, &first, "");
	CHECK_INT(pending(&f), 0);
	submits(&f, &again, "no-enquiry");
}

static void the_time_begins_when_it_is_recorded(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	struct rules_item item = {
		.party = rules_fixture_number(&f, "jobcenter"), .sequence = f.rules.sequence};
	struct fixture_message m = question(1);
	struct place place;
	m.expires_ms = FIXTURE_NOW_MS + 100 * ANSWER_MS;
	struct submit_decision decision = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
	CHECK_INT(decision.decision->expires_ms, FIXTURE_NOW_MS + ANSWER_MS);
	CHECK_INT(place_find(f.rules.state, &item, &place), 0);
	CHECK_INT(place.row.expires_ms, FIXTURE_NOW_MS + ANSWER_MS);
	/* A header can only shorten it, and then says it itself. */
	m = question(2);
	m.expires_ms = FIXTURE_NOW_MS + 1000;
	decision = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
	CHECK_INT(decision.decision->expires_ms, 0);
	check_state(&f);
	CHECK_INT(pending(&f), 2);
	pass(&f, 1000);
	CHECK_INT(pending(&f), 1);
}

static void an_answer_that_comes_too_late_is_told_so(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	const struct submit_facts *asked = ask(&f, 1);
	struct fixture_message late = reply(2, asked->h), much_later = reply(3, asked->h);
	pass(&f, ANSWER_MS);
	CHECK_INT(pending(&f), 0);
	submits(&f, &late, "answer-late");
	pass(&f, 3600 * 1000);
	submits(&f, &much_later, "no-enquiry");
}

static void no_more_wait_than_the_service_allows(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	const struct submit_facts *first = ask(&f, 1);
	ask(&f, 2);
	struct fixture_message third = question(3), fourth = question(4), fifth = question(5);
	submits(&f, &third, "too-many-pending");
	struct fixture_message answer = reply(6, first->h);
	submits(&f, &answer, "");
	submits(&f, &fourth, "");
	submits(&f, &fifth, "too-many-pending");
	pass(&f, ANSWER_MS);
	fifth.id = 7;
	submits(&f, &fifth, "");
	CHECK_INT(pending(&f), 1);
}

/* What was sent back is not waited for; what was taken is. */
static void who_sends_it_back_will_not_answer(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	uint64_t first = f.rules.sequence;
	const struct submit_facts *one = ask(&f, 1), *two = ask(&f, 2);
	struct fixture_ack acks[] = {{.sequence = first, .h = one->h, .rejected = true},
		{.sequence = first + 1, .h = two->h}};
	CHECK(rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "jobcenter", acks, 2)).append);
	check_state(&f);
	CHECK_INT(pending(&f), 1);
	struct fixture_message to_one = reply(3, one->h), to_two = reply(4, two->h);
	submits(&f, &to_one, "no-enquiry");
	submits(&f, &to_two, "");
}

static void only_who_was_asked_answers_in_its_case(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	f.limits.refusals_per_minute = 100;
	const struct submit_facts *asked = ask(&f, 1);
	struct fixture_message m = reply(2, asked->h);
	m.case_id = CASE + 1;
	submits(&f, &m, "no-enquiry");
	m = reply(3, NULL);
	submits(&f, &m, "no-enquiry");
	m = reply(4, asked->h);
	m.sender = "town";
	submits(&f, &m, "no-agreement");
	m = reply(5, asked->h);
	m.kind = DIENSTWEG__KIND__KIND_REPLY;
	submits(&f, &m, "no-agreement"); /* only an answer goes back along the flow of its enquiry */
	/* Nor does the flow let the answerer ask. */
	m = reply(6, NULL);
	m.kind = DIENSTWEG__KIND__KIND_ENQUIRY;
	submits(&f, &m, "no-agreement");
	m = question(7);
	m.kind = DIENSTWEG__KIND__KIND_SUBMISSION;
	submits(&f, &m, "wrong-kind");
	m = question(8);
	m.service = "alg2.application";
	submits(&f, &m, "wrong-kind");
	m = reply(9, asked->h);
	m.service = "alg2.decision";
	submits(&f, &m, "wrong-kind");
	CHECK_INT(pending(&f), 1);
	m = reply(10, asked->h);
	submits(&f, &m, "");
}

/* ---- overdue ---- */

static struct fixture_message referral(uint8_t id)
{
	return (struct fixture_message){.recipient = "jobcenter",
		.service = "referral",
		.sealed_for = "jobcenter",
		.id = id,
		.case_id = CASE};
}

static const struct submit_facts *refer(struct rules_fixture *f, const struct fixture_message *m)
{
	const struct submit_facts *facts = rules_fixture_message(f, m);
	CHECK_INT(rules_fixture_submit(f, facts).result, SUBMIT_ACCEPTED);
	check_state(f);
	return facts;
}

/* What was said of messages in a time that passed. */
struct said {
	size_t warned, reminded;
};

static void say(struct rules_fixture *f, const struct effect *effect, struct said *said)
{
	struct items_decision decision;
	struct rules_item item = {.sequence = effect->sequence, .due_ms = effect->due_ms};
	bool warns = effect->type == EFFECT_DUE_SOON;
	/* Each word has its time: the other one changes nothing. */
	CHECK_INT((warns ? rules_remind : rules_warn)(&f->rules, &item, 1, &decision), 0);
	CHECK(!decision.append);
	CHECK_INT((warns ? rules_warn : rules_remind)(&f->rules, &item, 1, &decision), 0);
	CHECK(decision.append);
	CHECK_INT(decision.decision->affected[0]->due_ms, effect->due_ms);
	f->rules.sequence++;
	said->warned += warns;
	said->reminded += !warns;
	check_state(f);
}

/* Time passes, and what it announces is said. */
static struct said told(struct rules_fixture *f, uint64_t ms)
{
	struct said said = {};
	rules_fixture_effects(f);
	pass(f, ms);
	for (const struct effect *e = rules_fixture_effects(f); e; e = e->next)
		if (e->type == EFFECT_OVERDUE || e->type == EFFECT_DUE_SOON)
			say(f, e, &said);
	return said;
}

static size_t reminded(struct rules_fixture *f, uint64_t ms)
{
	struct said said = told(f, ms);
	CHECK_INT(said.warned, 0);
	return said.reminded;
}

static uint64_t late(struct rules_fixture *f)
{
	uint64_t count;
	CHECK_INT(asked_late(f->rules.state, rules_fixture_number(f, "jobcenter"), &count), 0);
	return count;
}

static void a_sender_is_told_once_that_nobody_replied(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	struct outcome_item outcome;
	uint8_t key[QUEUE_KEY_SIZE];
	struct bytes value;
	start(&f);
	struct fixture_message m = referral(1);
	const struct submit_facts *sent = refer(&f, &m);
	struct fixture_ack ack = {.sequence = f.rules.sequence - 1, .h = sent->h};
	CHECK(rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "jobcenter", &ack, 1)).append);
	/* Taken is not replied to. */
	CHECK_INT(reminded(&f, OVERDUE_MS - 1), 0);
	CHECK_INT(reminded(&f, 1), 1);
	queue_key_encode(rules_fixture_number(&f, "city"), LANE_OUTCOME, f.rules.sequence - 1, key);
	CHECK_INT(state_get(f.rules.state, STATE_QUEUE, BYTES(key, sizeof(key)), &value), 0);
	CHECK_INT(outcome_item_decode(value, 0, &outcome), 0);
	CHECK_INT(outcome.state, END_OVERDUE);
	CHECK_INT(outcome.sequence, ack.sequence);
	CHECK_MEM(outcome.h, sent->h, HASH_SIZE);
	CHECK_INT(reminded(&f, 10 * OVERDUE_MS), 0);
}

static const struct submit_facts *refer_urgently(struct rules_fixture *f, uint8_t id)
{
	struct fixture_message m = referral(id);
	m.service = "urgent.referral";
	return refer(f, &m);
}

static void a_sender_is_warned_before_and_told_after(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	struct outcome_item outcome;
	uint8_t key[QUEUE_KEY_SIZE];
	struct bytes value;
	struct said said;
	start(&f);
	const struct submit_facts *sent = refer_urgently(&f, 1);
	CHECK_INT(told(&f, OVERDUE_MS - SOON_MS - 1).warned, 0);
	said = told(&f, 1);
	CHECK_INT(said.warned, 1);
	CHECK_INT(said.reminded, 0);
	queue_key_encode(rules_fixture_number(&f, "city"), LANE_OUTCOME, f.rules.sequence - 1, key);
	CHECK_INT(state_get(f.rules.state, STATE_QUEUE, BYTES(key, sizeof(key)), &value), 0);
	CHECK_INT(outcome_item_decode(value, 0, &outcome), 0);
	CHECK_INT(outcome.state, END_DUE_SOON);
	CHECK_MEM(outcome.h, sent->h, HASH_SIZE);
	CHECK_INT(late(&f), 0);
	CHECK_INT(told(&f, SOON_MS - 1).reminded, 0);
	said = told(&f, 1);
	CHECK_INT(said.warned, 0);
	CHECK_INT(said.reminded, 1);
	CHECK_INT(late(&f), 1);
}

/* Who was away over both is told the one that still helps; and who replies after the warning is heard. */
static void a_warning_that_comes_too_late_is_none(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	refer_urgently(&f, 1);
	struct said said = told(&f, OVERDUE_MS);
	CHECK_INT(said.warned, 0);
	CHECK_INT(said.reminded, 1);
	const struct submit_facts *second = refer_urgently(&f, 2);
	CHECK_INT(told(&f, OVERDUE_MS - SOON_MS).warned, 1);
	struct fixture_message m = referral(3);
	m.sender = "jobcenter";
	m.recipient = m.sealed_for = "city";
	m.kind = DIENSTWEG__KIND__KIND_REPLY;
	m.in_reply_to = second->h;
	refer(&f, &m);
	said = told(&f, 10 * OVERDUE_MS);
	CHECK_INT(said.warned + said.reminded, 0);
	CHECK_INT(late(&f), 1);
}

/* Who never replies fills no table. */
static void no_more_are_late_than_are_counted(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	struct items_decision decision;
	uint8_t key[TOTAL_KEY_SIZE], value[8];
	start(&f);
	struct fixture_message m = referral(1);
	struct rules_item item = {
		.sequence = f.rules.sequence, .due_ms = FIXTURE_NOW_MS + OVERDUE_MS};
	refer(&f, &m);
	total_key_encode(COUNTER_LATE, rules_fixture_number(&f, "jobcenter"), key);
	be64_put(value, ASKED_LATE_MAX);
	CHECK_INT(state_put(f.rules.state, STATE_COUNTER, BYTES(key, sizeof(key)),
			  BYTES(value, sizeof(value))),
		0);
	f.rules.batch_ms += OVERDUE_MS;
	CHECK_INT(rules_remind(&f.rules, &item, 1, &decision), 0);
	CHECK(decision.append);
	CHECK_INT(late(&f), ASKED_LATE_MAX);
	CHECK_INT(state_del(f.rules.state, STATE_COUNTER, BYTES(key, sizeof(key))), 0);
	check_state(&f); /* no row is left of it */
	f.rules.sequence++;
	CHECK_INT(reminded(&f, 10 * OVERDUE_MS), 0);
}

/* What is late is counted for who should have replied: until the reply, the end, or 30 days. */
static void what_is_late_is_counted(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	struct fixture_message one = referral(1), two = referral(2), three = referral(3);
	uint64_t first = f.rules.sequence;
	const struct submit_facts *replied = refer(&f, &one), *back = refer(&f, &two);
	refer(&f, &three);
	CHECK_INT(reminded(&f, OVERDUE_MS), 3);
	CHECK_INT(late(&f), 3);
	struct fixture_message m = referral(4);
	m.sender = "jobcenter";
	m.recipient = m.sealed_for = "city";
	m.kind = DIENSTWEG__KIND__KIND_REPLY;
	m.in_reply_to = replied->h;
	refer(&f, &m);
	CHECK_INT(late(&f), 2);
	/* That reply is waited for nobody's word on; and what is sent back is not late any more. */
	struct fixture_ack ack = {.sequence = first + 1, .h = back->h, .rejected = true};
	CHECK(rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "jobcenter", &ack, 1)).append);
	check_state(&f);
	CHECK_INT(late(&f), 1);
	pass(&f, UINT64_C(30) * 86400 * 1000 - 1);
	CHECK_INT(late(&f), 1);
	pass(&f, 1);
	CHECK_INT(late(&f), 0);
}

static void who_was_replied_to_is_told_nothing(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	struct fixture_message one = referral(1), two = referral(2), three = referral(3);
	const struct submit_facts *first = refer(&f, &one), *second = refer(&f, &two);
	uint64_t third = f.rules.sequence;
	const struct submit_facts *back = refer(&f, &three);
	struct fixture_message m = referral(4);
	m.sender = "jobcenter";
	m.recipient = m.sealed_for = "city";
	m.kind = DIENSTWEG__KIND__KIND_REPLY;
	m.in_reply_to = first->h;
	refer(&f, &m);
	/* In another case, or to nothing that is known: it changes nothing. */
	m.id = 5;
	m.case_id = CASE + 1;
	m.in_reply_to = second->h;
	refer(&f, &m);
	/* What was sent back is known to its sender. */
	struct fixture_ack ack = {.sequence = third, .h = back->h, .rejected = true};
	CHECK(rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "jobcenter", &ack, 1)).append);
	check_state(&f);
	CHECK_INT(reminded(&f, OVERDUE_MS), 1); /* of the second one */
}

static void what_expires_or_comes_later_is_not_overdue_before(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	struct items_decision expired;
	start(&f);
	struct fixture_message m = referral(1);
	m.expires_ms = FIXTURE_NOW_MS + 1000;
	struct rules_item item = {
		.party = rules_fixture_number(&f, "jobcenter"), .sequence = f.rules.sequence};
	refer(&f, &m);
	m = referral(2);
	m.not_before_ms = FIXTURE_NOW_MS + OVERDUE_MS;
	refer(&f, &m);
	CHECK_INT(reminded(&f, 1000), 0);
	CHECK_INT(rules_expire(&f.rules, &item, 1, &expired), 0);
	CHECK(expired.append);
	f.rules.sequence++;
	CHECK_INT(reminded(&f, OVERDUE_MS - 1000), 0);
	CHECK_INT(reminded(&f, OVERDUE_MS - 1), 0);
	CHECK_INT(reminded(&f, 1), 1);
}

static void cancel(struct rules_fixture *f, const struct submit_facts *facts, uint64_t sequence)
{
	const struct fixture_cancel item = {
		.message_id = facts->header->message_id.data, .recipient = "jobcenter"};
	const struct rules_item open = {
		.party = rules_fixture_number(f, "jobcenter"), .sequence = sequence};
	CHECK(rules_fixture_cancel(f, rules_fixture_cancels(f, "city", &item, 1), &open, 1).append);
	check_state(f);
}

/* Who takes it back waits for nothing. */
static void what_was_cancelled_is_not_waited_for(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	uint64_t first = f.rules.sequence;
	const struct submit_facts *asked = ask(&f, 1);
	struct fixture_message m = referral(2), answer = reply(3, asked->h);
	const struct submit_facts *referred = refer(&f, &m);
	cancel(&f, asked, first);
	cancel(&f, referred, first + 1);
	CHECK_INT(pending(&f), 0);
	submits(&f, &answer, "no-enquiry");
	CHECK_INT(reminded(&f, 10 * OVERDUE_MS), 0);
}

/* As the stored journal of version 0 was decided. */
static void version_0_knows_no_patterns(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	f.rules.version = 0;
	struct fixture_message m = question(1);
	m.kind = DIENSTWEG__KIND__KIND_SUBMISSION;
	submits(&f, &m, "");
	ask(&f, 2);
	CHECK_INT(pending(&f), 0);
}

CHECK_MAIN(CHECK_CASE(an_answer_counts_once), CHECK_CASE(the_time_begins_when_it_is_recorded),
	CHECK_CASE(an_answer_that_comes_too_late_is_told_so),
	CHECK_CASE(no_more_wait_than_the_service_allows),
	CHECK_CASE(who_sends_it_back_will_not_answer),
	CHECK_CASE(only_who_was_asked_answers_in_its_case),
	CHECK_CASE(a_sender_is_told_once_that_nobody_replied),
	CHECK_CASE(a_sender_is_warned_before_and_told_after),
	CHECK_CASE(a_warning_that_comes_too_late_is_none), CHECK_CASE(what_is_late_is_counted),
	CHECK_CASE(no_more_are_late_than_are_counted),
	CHECK_CASE(who_was_replied_to_is_told_nothing),
	CHECK_CASE(what_expires_or_comes_later_is_not_overdue_before),
	CHECK_CASE(what_was_cancelled_is_not_waited_for), CHECK_CASE(version_0_knows_no_patterns))
