/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Time and failure: attempts are kept, backoff is the same in every replay, and expiry waits for
 * delivery but never forgets.
 */
#include "broker/routing/fixture.h"
#include "broker/routing/invariants.h"
#include "broker/routing/place.h"
#include "test/kit/check.h"

static void check_state(struct rules_fixture *f)
{
	char why[200] = "";
	CHECK_INT(state_invariants(f->rules.state, why, sizeof(why)), 0);
	CHECK_STR(why, "");
}

static struct rules_item send(struct rules_fixture *f, uint8_t id, uint64_t expires_ms)
{
	struct fixture_message m = {.recipient = "jobcenter",
		.sealed_for = "jobcenter",
		.id = id,
		.priority = id % 3,
		.expires_ms = expires_ms};
	struct rules_item item = {rules_fixture_number(f, "jobcenter"), f->rules.sequence};
	CHECK_INT(rules_fixture_submit(f, rules_fixture_message(f, &m)).result, SUBMIT_ACCEPTED);
	return item;
}

static struct place place_of(struct rules_fixture *f, const struct rules_item *item)
{
	struct place place;
	CHECK_INT(place_find(f->rules.state, item, &place), 0);
	return place;
}

static struct items_decision fail(struct rules_fixture *f, const struct rules_item *items,
	size_t count, uint32_t delay_ms, bool backoff)
{
	struct items_decision d;
	CHECK_INT(rules_fail(&f->rules, items, count, "nak", delay_ms, backoff, &d), 0);
	f->rules.sequence += d.append;
	return d;
}

static struct items_decision expire(
	struct rules_fixture *f, const struct rules_item *items, size_t count)
{
	struct items_decision d;
	CHECK_INT(rules_expire(&f->rules, items, count, &d), 0);
	f->rules.sequence += d.append;
	return d;
}

static void test_fail_at_once(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct rules_item items[] = {send(&f, 1, 0), send(&f, 2, 0), {1, 99}};
	rules_fixture_effects(&f);
	struct items_decision d = fail(&f, items, 3, 0, false);
	CHECK(d.append);
	CHECK(bytes_equal(BYTES_PB(d.decision->cause), BYTES_STR("nak")));
	CHECK_INT(d.decision->n_affected, 2);
	CHECK_INT(d.decision->affected[1]->sequence, items[1].sequence);
	CHECK(bytes_equal(BYTES_PB(d.decision->affected[1]->party), BYTES_STR("jobcenter")));
	CHECK_INT(d.decision->affected[1]->attempts, 1);
	CHECK_INT(d.decision->affected[1]->due_ms, 0);
	CHECK_INT(place_of(&f, &items[0]).where, PLACE_QUEUE);
	CHECK_INT(place_of(&f, &items[0]).row.attempts, 1);
	const struct effect *effect = rules_fixture_effects(&f);
	CHECK_INT(effect->type, EFFECT_QUEUED);
	CHECK_INT(effect->row.attempts, 1);
	fail(&f, items, 1, 0, false);
	CHECK_INT(place_of(&f, &items[0]).row.attempts, 2);
	CHECK_INT(place_of(&f, &items[1]).row.attempts, 1);
	CHECK(!fail(&f, &items[2], 1, 0, false).append);
	check_state(&f);
}

static void test_fail_delayed(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct rules_item item = send(&f, 1, 0);
	rules_fixture_effects(&f);
	struct items_decision d = fail(&f, &item, 1, 700, true);
	CHECK(d.decision->affected[0]->due_ms == FIXTURE_NOW_MS + 700);
	struct place place = place_of(&f, &item);
	CHECK_INT(place.where, PLACE_TIMER);
	CHECK(place.due_ms == FIXTURE_NOW_MS + 700);
	CHECK_INT(place.lane, LANE_NORMAL);
	CHECK_INT(place.row.attempts, 1);
	const struct effect *effect = rules_fixture_effects(&f);
	CHECK_INT(effect->type, EFFECT_DELAYED);
	CHECK_INT(effect->row.attempts, 1);
	check_state(&f);
	/* Already delayed: nothing to fail. */
	CHECK(!fail(&f, &item, 1, 700, true).append);

	f.rules.batch_ms += 699;
	rules_fixture_tick(&f);
	CHECK_INT(place_of(&f, &item).where, PLACE_TIMER);
	f.rules.batch_ms++;
	rules_fixture_tick(&f);
	CHECK_INT(place_of(&f, &item).where, PLACE_QUEUE);
	effect = rules_fixture_effects(&f);
	CHECK_INT(effect->type, EFFECT_QUEUED);
	CHECK_INT(effect->row.attempts, 1);
	check_state(&f);

	d = fail(&f, &item, 1, 0, true);
	uint64_t wait = d.decision->affected[0]->due_ms - f.rules.batch_ms;
	CHECK_INT(wait, rules_backoff_ms(&f.limits, item.sequence, 2));
	check_state(&f);
}

static void test_attempts_saturate(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct rules_item item = send(&f, 1, 0);
	struct place place = place_of(&f, &item);
	place.row.attempts = UINT16_MAX;
	CHECK_INT(place_queue(f.rules.state, &item, place.lane, &place.row), 0);
	struct items_decision d = fail(&f, &item, 1, 0, false);
	CHECK_INT(d.decision->affected[0]->attempts, UINT16_MAX);
}

static void test_backoff(void)
{
	struct rules_limits limits = {.backoff_min_ms = 1000, .backoff_max_ms = 60000};
	bool differ = false;
	for (uint32_t attempt = 1; attempt <= 100; attempt++) {
		uint64_t top = attempt <= 6 ? 1000u << (attempt - 1) : 60000;
		for (uint64_t sequence = 0; sequence < 50; sequence++) {
			uint32_t ms = rules_backoff_ms(&limits, sequence, attempt);
			CHECK(ms >= 1000 && ms <= top && ms >= top / 2);
			CHECK_INT(ms, rules_backoff_ms(&limits, sequence, attempt));
			differ |= ms != rules_backoff_ms(&limits, sequence + 1, attempt);
		}
	}
	CHECK(differ);
	/* Pinned: replay of old journals depends on it. */
	CHECK_INT(rules_backoff_ms(&limits, 12345, 4), 4929);
	limits = (struct rules_limits){};
	CHECK_INT(rules_backoff_ms(&limits, 1, 1), 1);
	limits = (struct rules_limits){.backoff_min_ms = 500, .backoff_max_ms = 100};
	CHECK_INT(rules_backoff_ms(&limits, 1, 9), 500);
}

static size_t count_effects(struct rules_fixture *f, enum effect_type type)
{
	size_t count = 0;
	for (const struct effect *e = rules_fixture_effects(f); e; e = e->next)
		count += e->type == type;
	return count;
}

static void test_expire(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct rules_item items[] = {send(&f, 1, FIXTURE_NOW_MS + 10),
		send(&f, 2, FIXTURE_NOW_MS + 10), send(&f, 3, FIXTURE_NOW_MS + 90), send(&f, 4, 0)};
	fail(&f, &items[1], 1, 50, false); /* delayed past its expiry */
	rules_fixture_effects(&f);
	f.rules.batch_ms += 10;
	rules_fixture_tick(&f);
	CHECK_INT(count_effects(&f, EFFECT_EXPIRE), 2);
	rules_fixture_tick(&f);
	CHECK_INT(count_effects(&f, EFFECT_EXPIRE), 0);
	/* Another run announces again. */
	f.cursor = (struct tick_cursor){};
	rules_fixture_tick(&f);
	CHECK_INT(count_effects(&f, EFFECT_EXPIRE), 2);
	uint64_t due;
	CHECK_INT(rules_next_due(f.rules.state, &f.cursor, &due), 0);
	CHECK(due == FIXTURE_NOW_MS + 50);

	uint64_t entry = f.rules.sequence;
	/* What is not due is passed over, and does not count in the entry. */
	const struct rules_item mixed[] = {items[3], items[0], items[2], items[1]};
	struct items_decision d = expire(&f, mixed, 4);
	CHECK(d.append);
	CHECK_INT(d.decision->n_affected, 2);
	CHECK_INT(d.decision->affected[1]->attempts, 1);
	CHECK_INT(place_of(&f, &items[0]).where, PLACE_ENDED);
	CHECK_INT(place_of(&f, &items[1]).where, PLACE_ENDED);
	CHECK_INT(place_of(&f, &items[2]).where, PLACE_QUEUE);
	CHECK_INT(place_of(&f, &items[3]).where, PLACE_QUEUE);
	check_state(&f);

	uint8_t key[QUEUE_KEY_SIZE];
	struct bytes value;
	struct outcome_item item;
	queue_key_encode(rules_fixture_number(&f, "city"), LANE_OUTCOME, entry, key);
	CHECK_INT(state_get(f.rules.state, STATE_QUEUE, BYTES(key, sizeof(key)), &value), 0);
	CHECK_INT(outcome_item_decode(value, 1, &item), 0);
	CHECK_INT(item.state, END_EXPIRED);
	CHECK_INT(item.index, 1);
	CHECK_INT(item.sequence, items[1].sequence);
	CHECK(!expire(&f, items, 4).append);
	f.rules.batch_ms += 1000;
	rules_fixture_effects(&f);
	rules_fixture_tick(&f);
	CHECK_INT(count_effects(&f, EFFECT_EXPIRE), 1);
	check_state(&f);
}

static void test_tick_in_steps(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct rules_item items[5];
	for (uint8_t i = 0; i < 5; i++)
		items[i] = send(&f, (uint8_t)(i + 1), FIXTURE_NOW_MS + 5);
	fail(&f, items, 3, 5, false);
	f.rules.batch_ms += 5;
	rules_fixture_effects(&f);
	int total = 0, handled;
	struct items_decision d;
	do {
		handled = rules_tick(&f.rules, 3, &f.cursor, &d);
		CHECK(handled >= 0 && handled <= 3);
		total += handled;
	} while (handled > 0);
	CHECK_INT(total, 8);
	size_t queued = 0, expiring = 0;
	for (const struct effect *e = rules_fixture_effects(&f); e; e = e->next) {
		queued += e->type == EFFECT_QUEUED;
		expiring += e->type == EFFECT_EXPIRE;
	}
	CHECK_INT(queued, 3);
	CHECK_INT(expiring, 5);
	check_state(&f);
}

static void test_parties(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	uint32_t city = rules_fixture_number(&f, "city"), number;
	CHECK_INT(city, 1); /* sorted by name, from 1 */
	CHECK_INT(rules_fixture_number(&f, "town"), 5);
	CHECK_INT(rules_party_number(f.rules.state, BYTES_STR("nobody"), &number), 0);
	CHECK_INT(number, 0);
	CHECK_INT(rules_party_number(f.rules.state, BYTES(NULL, 0), &number), 0);
	CHECK_INT(number, 0);

	/* A newcomer takes the next number, whatever its name; a party that left keeps its own. */
	Dienstweg__RegistryContent *content = registry_fixture_content(f.parties);
	registry_fixture_party(f.parties, "aaa", NULL);
	rules_fixture_adopt(&f);
	CHECK_INT(rules_fixture_number(&f, "aaa"), 6);
	CHECK_INT(rules_fixture_number(&f, "city"), city);
	Dienstweg__Party *gone = content->parties[0];
	CHECK(bytes_equal(BYTES_PB(gone->name), BYTES_STR("aaa")));
	content->parties++;
	content->n_parties--;
	rules_fixture_adopt(&f);
	CHECK_INT(rules_fixture_number(&f, "aaa"), 6);
	check_state(&f);
}

CHECK_MAIN(CHECK_CASE(test_fail_at_once), CHECK_CASE(test_fail_delayed),
	CHECK_CASE(test_attempts_saturate), CHECK_CASE(test_backoff), CHECK_CASE(test_expire),
	CHECK_CASE(test_tick_in_steps), CHECK_CASE(test_parties))
