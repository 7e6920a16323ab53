/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What becomes of a message that cannot be delivered: it is buried with its cause, and stays open until its sender
 * is told an end. And of one that an operator holds. After every act the tables must agree with each other.
 */
#include "broker/routing/fixture.h"
#include "broker/routing/invariants.h"
#include "broker/routing/place.h"
#include "test/kit/check.h"

enum { ATTEMPTS = 3 };

static void start(struct rules_fixture *f)
{
	rules_fixture_init(f);
	f->limits.attempts_max = ATTEMPTS;
}

static void check_state(struct rules_fixture *f)
{
	char why[200] = "";
	CHECK_INT(state_invariants(f->rules.state, why, sizeof(why)), 0);
	CHECK_STR(why, "");
}

static struct rules_item send_to(
	struct rules_fixture *f, uint8_t id, uint8_t case_id, uint64_t not_before_ms)
{
	struct fixture_message m = {.recipient = "jobcenter",
		.sealed_for = "jobcenter",
		.id = id,
		.case_id = case_id,
		.priority = LANE_NORMAL,
		.not_before_ms = not_before_ms};
	struct rules_item item = {.party = rules_fixture_number(f, "jobcenter"),
		.sequence = f->rules.sequence,
		.counted = true};
	CHECK_INT(rules_fixture_submit(f, rules_fixture_message(f, &m)).result, SUBMIT_ACCEPTED);
	return item;
}

static struct place place_of(struct rules_fixture *f, const struct rules_item *item)
{
	struct place place;
	check_state(f);
	CHECK_INT(place_find(f->rules.state, item, &place), 0);
	return place;
}

/* As the journal does it: what was the last attempt of, then the others. Returns how many were buried. */
static size_t fail(struct rules_fixture *f, const struct rules_item *items, size_t count)
{
	struct items_decision dead, failed;
	CHECK_INT(rules_bury(&f->rules, items, count, "nak", &dead), 0);
	f->rules.sequence += dead.append;
	CHECK_INT(rules_fail(&f->rules, items, count, "nak", 0, false, &failed), 0);
	f->rules.sequence += failed.append;
	if (dead.append)
		CHECK(bytes_equal(BYTES_PB(dead.decision->cause), BYTES_STR("nak")));
	return dead.append ? dead.decision->n_affected : 0;
}

static struct rules_item bury(struct rules_fixture *f, uint8_t id)
{
	struct rules_item item = send_to(f, id, id, 0);
	for (int i = 0; i < ATTEMPTS - 1; i++)
		CHECK_INT(fail(f, &item, 1), 0);
	CHECK_INT(fail(f, &item, 1), 1);
	return item;
}

static void the_last_attempt_buries(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	struct rules_item other = send_to(&f, 1, 1, 0), item = bury(&f, 2);
	struct place place = place_of(&f, &item);
	CHECK_INT(place.where, PLACE_DEAD);
	CHECK_INT(place.entry, f.rules.sequence - 1);
	CHECK_INT(place.row.attempts, ATTEMPTS);
	CHECK_INT(place_of(&f, &other).where, PLACE_QUEUE);
	/* It is not due, ever, and fails no more. */
	f.rules.batch_ms += UINT64_C(1000) * 86400 * 365;
	rules_fixture_tick(&f);
	CHECK_INT(fail(&f, &item, 1), 0);
	CHECK_INT(place_of(&f, &item).where, PLACE_DEAD);
}

static void what_is_not_its_own_fault_never_buries(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	struct rules_item item = send_to(&f, 1, 1, 0);
	item.counted = false;
	for (int i = 0; i < 10 * ATTEMPTS; i++)
		CHECK_INT(fail(&f, &item, 1), 0);
	struct place place = place_of(&f, &item);
	CHECK_INT(place.where, PLACE_QUEUE);
	CHECK_INT(place.row.attempts, 10 * ATTEMPTS);
	CHECK_INT(place.row.strikes, 0);
}

static void rules_of_version_0_bury_nothing(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	f.rules.version = 0;
	struct rules_item item = send_to(&f, 1, 1, 0);
	for (int i = 0; i < 10 * ATTEMPTS; i++)
		CHECK_INT(fail(&f, &item, 1), 0);
	CHECK_INT(place_of(&f, &item).where, PLACE_QUEUE);
}

static void retried_it_begins_anew(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	struct rules_item items[] = {bury(&f, 1), send_to(&f, 2, 2, 0)};
	struct items_decision d;
	const struct queue_act act = {.account = 1000};
	rules_fixture_effects(&f);
	CHECK_INT(rules_retry(&f.rules, items, 2, &act, &d), 0);
	CHECK(d.append && d.decision->n_affected == 1 && d.decision->account == 1000);
	f.rules.sequence++;
	CHECK_INT(rules_fixture_effects(&f)->type, EFFECT_QUEUED);
	struct place place = place_of(&f, &items[0]);
	CHECK_INT(place.where, PLACE_QUEUE);
	CHECK_INT(place.row.strikes, 0);
	CHECK_INT(place.row.attempts, ATTEMPTS);
	CHECK_INT(rules_retry(&f.rules, items, 2, &act, &d), 0);
	CHECK(!d.append);
	CHECK_INT(fail(&f, items, 1), 0);
}

static void discarded_it_ends_and_the_sender_is_told(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	struct rules_item items[] = {bury(&f, 1), send_to(&f, 2, 2, 0)};
	struct items_decision d;
	struct outcome_item outcome;
	const struct queue_act act = {.account = 1000, .cause = BYTES_STR("duplicate")};
	rules_fixture_effects(&f);
	CHECK_INT(rules_discard(&f.rules, items, 2, &act, &d), 0);
	CHECK(d.append && d.decision->n_affected == 1);
	CHECK(bytes_equal(BYTES_PB(d.decision->cause), BYTES_STR("duplicate")));
	f.rules.sequence++;
	const struct effect *effect = rules_fixture_effects(&f);
	CHECK_INT(effect->type, EFFECT_ENDED);
	CHECK_INT(effect->next->type, EFFECT_OUTCOME);
	CHECK_INT(outcome_item_decode(effect->next->outcome, 0, &outcome), 0);
	CHECK_INT(outcome.state, END_DISCARDED);
	CHECK_INT(place_of(&f, &items[0]).where, PLACE_ENDED);
	CHECK_INT(place_of(&f, &items[1]).where, PLACE_QUEUE);
}

static void a_dead_letter_can_still_expire(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	struct fixture_message m = {.recipient = "jobcenter",
		.sealed_for = "jobcenter",
		.id = 1,
		.expires_ms = FIXTURE_NOW_MS + 1000};
	struct rules_item item = {rules_fixture_number(&f, "jobcenter"), f.rules.sequence, true};
	struct items_decision d;
	CHECK_INT(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).result, SUBMIT_ACCEPTED);
	f.limits.attempts_max = 1;
	CHECK_INT(fail(&f, &item, 1), 1);
	f.rules.batch_ms += 1000;
	CHECK_INT(rules_expire(&f.rules, &item, 1, &d), 0);
	CHECK(d.append);
	f.rules.sequence++;
	CHECK_INT(place_of(&f, &item).where, PLACE_ENDED);
}

static void hold_items(struct rules_fixture *f, const struct rules_item *items, size_t count,
	bool hold, size_t done)
{
	const struct queue_act act = {.account = 1000};
	struct items_decision d;
	CHECK_INT(rules_hold_items(&f->rules, items, count, &act, hold, &d), 0);
	CHECK_INT(d.append ? d.decision->n_affected : 0, done);
	f->rules.sequence += d.append;
}

static void held_messages_wait_where_they_were(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	uint64_t due_ms = FIXTURE_NOW_MS + 5000;
	struct rules_item items[] = {send_to(&f, 1, 1, 0), send_to(&f, 2, 2, due_ms), bury(&f, 3)};
	hold_items(&f, items, 3, true, 2);
	hold_items(&f, items, 3, true, 0);
	CHECK_INT(place_of(&f, &items[0]).where, PLACE_HELD);
	CHECK_INT(place_of(&f, &items[1]).where, PLACE_HELD);
	CHECK_INT(place_of(&f, &items[2]).where, PLACE_DEAD);
	hold_items(&f, items, 3, false, 2);
	CHECK_INT(place_of(&f, &items[0]).where, PLACE_QUEUE);
	struct place delayed = place_of(&f, &items[1]);
	CHECK(delayed.where == PLACE_TIMER && delayed.due_ms == due_ms);
	/* Held beyond its time: released, it goes at once. */
	hold_items(&f, &items[1], 1, true, 1);
	f.rules.batch_ms = due_ms + 1;
	rules_fixture_tick(&f);
	CHECK_INT(place_of(&f, &items[1]).where, PLACE_HELD);
	hold_items(&f, &items[1], 1, false, 1);
	CHECK_INT(place_of(&f, &items[1]).where, PLACE_QUEUE);
}

static bool hold_queue(struct rules_fixture *f, const char *party, const char *service, bool hold)
{
	const struct queue_act act = {.account = 1000,
		.party = BYTES_STR(party ? party : ""),
		.service = BYTES_STR(service ? service : "")};
	struct items_decision d;
	CHECK_INT(rules_hold_queue(&f->rules, &act, hold, &d), 0);
	f->rules.sequence += d.append;
	check_state(f);
	return d.append;
}

static void a_queue_is_held_by_one_row(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	rules_fixture_effects(&f);
	CHECK(hold_queue(&f, "jobcenter", NULL, true));
	CHECK_INT(rules_fixture_effects(&f)->type, EFFECT_HELD);
	CHECK(!hold_queue(&f, "jobcenter", NULL, true));
	CHECK(!hold_queue(&f, "nobody", NULL, true));
	CHECK(!hold_queue(&f, "city", NULL, false));
	struct rules_item item = send_to(&f, 1, 1, 0);
	CHECK_INT(place_of(&f, &item).where, PLACE_QUEUE);
	rules_fixture_effects(&f);
	CHECK(hold_queue(&f, "jobcenter", NULL, false));
	CHECK_INT(rules_fixture_effects(&f)->type, EFFECT_RELEASED);
}

static void what_comes_for_a_held_service_is_held(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	CHECK(!hold_queue(&f, NULL, "no.such.service", true));
	CHECK(hold_queue(&f, NULL, "alg2.application", true));
	uint64_t entry = f.rules.sequence - 1;
	struct rules_item item = send_to(&f, 1, 1, 0);
	struct place place = place_of(&f, &item);
	CHECK(place.where == PLACE_HELD && place.entry == entry);
	CHECK(hold_queue(&f, NULL, "alg2.application", false));
	CHECK_INT(place_of(&f, &item).where, PLACE_HELD);
	hold_items(&f, &item, 1, false, 1);
	struct rules_item next = send_to(&f, 2, 2, 0);
	CHECK_INT(place_of(&f, &next).where, PLACE_QUEUE);
}

/* Is the effect of queueing a message that it may not leave yet? */
static bool held_back(struct rules_fixture *f)
{
	const struct effect *effect = rules_fixture_effects(f);
	CHECK(effect && effect->type == EFFECT_QUEUED);
	return effect->held_back;
}

static void what_waits_holds_back_later_ones_of_its_case(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	start(&f);
	rules_fixture_effects(&f);
	send_to(&f, 1, 9, 0);
	CHECK(!held_back(&f)); /* earlier */
	struct rules_item first = send_to(&f, 2, 9, FIXTURE_NOW_MS + 1000);
	CHECK_INT(place_of(&f, &first).where, PLACE_TIMER);
	send_to(&f, 3, 9, 0);
	CHECK(held_back(&f));
	send_to(&f, 4, 8, 0);
	CHECK(!held_back(&f)); /* of another case */
	struct rules_item later = send_to(&f, 5, 9, FIXTURE_NOW_MS + 500);
	f.rules.batch_ms += 500;
	rules_fixture_tick(&f);
	CHECK(held_back(&f)); /* due, and behind the first one */
	hold_items(&f, &first, 1, true, 1);
	rules_fixture_effects(&f);
	send_to(&f, 6, 9, 0);
	CHECK(held_back(&f));
	hold_items(&f, &first, 1, false, 1);
	f.rules.batch_ms += 500;
	rules_fixture_effects(&f);
	rules_fixture_tick(&f);
	CHECK(!held_back(&f));
	send_to(&f, 7, 9, 0);
	CHECK(!held_back(&f));
	CHECK_INT(place_of(&f, &later).where, PLACE_QUEUE);
	/* A dead letter holds nothing back: nobody knows for how long. */
	f.limits.attempts_max = 1;
	CHECK_INT(fail(&f, &first, 1), 1);
	rules_fixture_effects(&f);
	send_to(&f, 8, 9, 0);
	CHECK(!held_back(&f));
}

CHECK_MAIN(CHECK_CASE(the_last_attempt_buries), CHECK_CASE(what_is_not_its_own_fault_never_buries),
	CHECK_CASE(rules_of_version_0_bury_nothing), CHECK_CASE(retried_it_begins_anew),
	CHECK_CASE(discarded_it_ends_and_the_sender_is_told),
	CHECK_CASE(a_dead_letter_can_still_expire), CHECK_CASE(held_messages_wait_where_they_were),
	CHECK_CASE(a_queue_is_held_by_one_row), CHECK_CASE(what_comes_for_a_held_service_is_held),
	CHECK_CASE(what_waits_holds_back_later_ones_of_its_case))
