/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What an accepted, repeated or put-off message leaves behind, row by row. Refusals have a test of
 * their own.
 */
#include "broker/routing/common.h"
#include "broker/routing/fixture.h"
#include "broker/routing/invariants.h"
#include "proto/base/clock.h"
#include "test/kit/check.h"

static const struct fixture_message to_jobcenter = {
	.recipient = "jobcenter", .sealed_for = "jobcenter", .id = 1, .case_id = 9, .priority = 1};

static void check_state(struct rules_fixture *f)
{
	char why[200] = "";
	CHECK_INT(state_invariants(f->rules.state, why, sizeof(why)), 0);
	CHECK_STR(why, "");
}

static bool has_queue(struct rules_fixture *f, const char *party, uint8_t lane, uint64_t sequence,
	struct queue_row *ret)
{
	uint8_t key[QUEUE_KEY_SIZE];
	struct bytes value;
	queue_key_encode(rules_fixture_number(f, party), lane, sequence, key);
	int r = state_get(f->rules.state, STATE_QUEUE, BYTES(key, sizeof(key)), &value);
	CHECK(r == 0 || r == STATE_NOT_FOUND);
	if (r == 0) {
		CHECK_INT(queue_row_decode(value, ret), 0);
		CHECK_INT(common_join(f->rules.state, sequence, ret), 0);
	}
	return r == 0;
}

static void check_total(
	struct rules_fixture *f, const char *party, uint64_t messages, uint64_t bytes)
{
	uint8_t key[TOTAL_KEY_SIZE];
	struct bytes value;
	struct total_row row;
	total_key_encode(COUNTER_QUEUE, rules_fixture_number(f, party), key);
	CHECK_INT(state_get(f->rules.state, STATE_COUNTER, BYTES(key, sizeof(key)), &value), 0);
	CHECK_INT(total_row_decode(value, &row), 0);
	CHECK_INT(row.first, messages);
	CHECK_INT(row.second, bytes);
}

static void test_accept(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	f.rules.sequence = 41;
	struct submit_facts *facts = rules_fixture_message(&f, &to_jobcenter);
	struct submit_decision d = rules_fixture_submit(&f, facts);
	CHECK_INT(d.result, SUBMIT_ACCEPTED);
	CHECK(d.append);
	CHECK_INT(d.class, 1);
	CHECK_INT(d.due_ms, 0);
	CHECK_INT(d.recipients_count, 1);
	CHECK_INT(d.recipients[0], rules_fixture_number(&f, "jobcenter"));
	CHECK_INT(d.decision->n_recipients, 1);
	CHECK(bytes_equal(BYTES_PB(d.decision->recipients[0]), BYTES_STR("jobcenter")));
	CHECK(bytes_equal(BYTES_PB(d.decision->agreement), BYTES_STR("a-alg2")));
	CHECK_INT(d.decision->speaker.len, 0);

	struct queue_row row;
	CHECK(has_queue(&f, "jobcenter", LANE_NORMAL, 41, &row));
	CHECK_INT(row.attempts, 0);
	CHECK_INT(row.sender, rules_fixture_number(&f, "city"));
	CHECK_INT(row.bytes, facts->header_bytes.len + 1000);
	CHECK_INT(row.expires_ms, 0);
	CHECK_MEM(row.h, facts->h, HASH_SIZE);
	CHECK_MEM(row.message_id, facts->header->message_id.data, UUID_SIZE);
	CHECK_INT(row.case_id[0], 9);
	check_total(&f, "jobcenter", 1, row.bytes);

	const struct effect *effect = rules_fixture_effects(&f);
	CHECK(effect && !effect->next);
	CHECK_INT(effect->type, EFFECT_QUEUED);
	CHECK_INT(effect->lane, LANE_NORMAL);
	CHECK_INT(effect->sequence, 41);
	CHECK_INT(effect->party, d.recipients[0]);
	CHECK_MEM(effect->row.h, facts->h, HASH_SIZE);
	check_state(&f);
}

static void test_region_and_tenant(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = {.sender = "town",
		.speaker = "cooperative",
		.region = "051240000000",
		.sealed_for = "jobcenter",
		.id = 1};
	struct submit_decision d = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
	CHECK_INT(d.result, SUBMIT_ACCEPTED);
	CHECK(bytes_equal(BYTES_PB(d.decision->recipients[0]), BYTES_STR("jobcenter")));
	CHECK(bytes_equal(BYTES_PB(d.decision->speaker), BYTES_STR("cooperative")));
	struct queue_row row;
	CHECK(has_queue(&f, "jobcenter", LANE_URGENT, 0, &row));
	CHECK_INT(row.sender, rules_fixture_number(&f, "town"));
	check_state(&f);
}

static void test_event(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = {.service = "death.notice", .id = 1, .priority = 2};
	struct submit_decision d = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
	CHECK_INT(d.result, SUBMIT_ACCEPTED);
	CHECK_INT(d.recipients_count, 2);
	CHECK_INT(d.decision->n_recipients, 2);
	struct queue_row row;
	CHECK(has_queue(&f, "jobcenter", LANE_BULK, 0, &row));
	CHECK(has_queue(&f, "ministry", LANE_BULK, 0, &row));
	check_total(&f, "jobcenter", 1, row.bytes);
	check_total(&f, "ministry", 1, row.bytes);
	const struct effect *effect = rules_fixture_effects(&f);
	CHECK(effect && effect->next && !effect->next->next);
	CHECK(effect->party != effect->next->party);
	check_state(&f);
}

static void test_duplicate(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	f.rules.sequence = 7;
	struct fixture_message m = to_jobcenter;
	m.expires_ms = FIXTURE_NOW_MS + 1000;
	struct submit_facts *facts = rules_fixture_message(&f, &m);
	CHECK_INT(rules_fixture_submit(&f, facts).result, SUBMIT_ACCEPTED);
	uint8_t before[32], after[32];
	state_memory_digest(f.memory, before);

	struct submit_decision d = rules_fixture_submit(&f, facts);
	CHECK_INT(d.result, SUBMIT_DUPLICATE);
	CHECK(!d.append);
	CHECK_INT(d.earlier, 7);
	CHECK_INT(d.earlier_kind, DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED);

	/* Only half of h is kept; and what was recorded stays so after its time is over. */
	facts->h[16] ^= 1;
	f.rules.batch_ms += 5000;
	d = rules_fixture_submit(&f, facts);
	CHECK_INT(d.result, SUBMIT_DUPLICATE);
	CHECK_INT(d.earlier, 7);
	state_memory_digest(f.memory, after);
	CHECK_MEM(before, after, 32);

	/* The same id of another sender is another message. */
	m = to_jobcenter;
	m.sender = "town";
	m.speaker = "cooperative";
	CHECK_INT(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).result, SUBMIT_ACCEPTED);
	check_state(&f);
}

static void test_id_reused(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = to_jobcenter;
	struct submit_facts *first = rules_fixture_message(&f, &m);
	CHECK_INT(rules_fixture_submit(&f, first).result, SUBMIT_ACCEPTED);
	m.variant = 1;
	struct submit_facts *other = rules_fixture_message(&f, &m);
	struct submit_decision d = rules_fixture_submit(&f, other);
	CHECK_INT(d.result, SUBMIT_REFUSED);
	CHECK_STR(d.code, "id-reused");
	CHECK_STR(d.field, "message_id");
	CHECK(d.append);
	d = rules_fixture_submit(&f, first);
	CHECK_INT(d.result, SUBMIT_DUPLICATE);
	CHECK_INT(d.earlier, 0);
	d = rules_fixture_submit(&f, other);
	CHECK_STR(d.code, "id-reused");
	check_state(&f);
}

/* A message that is put off leaves no trace. */
static void check_deferred(struct rules_fixture *f, const struct submit_facts *facts,
	const char *code, const char *field)
{
	uint8_t before[32], after[32];
	state_memory_digest(f->memory, before);
	rules_fixture_effects(f);
	struct submit_decision d = rules_fixture_submit(f, facts);
	CHECK_INT(d.result, SUBMIT_DEFERRED);
	CHECK(!d.append);
	CHECK(!d.decision);
	CHECK_STR(d.code, code);
	CHECK_STR(d.field, field);
	CHECK(d.retry_ms > 0);
	CHECK(strchr(d.detail, ':') != NULL);
	state_memory_digest(f->memory, after);
	CHECK_MEM(before, after, 32);
	CHECK(rules_fixture_effects(f) == NULL);
}

static void test_clock(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = to_jobcenter;
	m.made_ms = FIXTURE_NOW_MS + MESSAGE_ID_FUTURE_MS + 1;
	struct submit_facts *facts = rules_fixture_message(&f, &m);
	check_deferred(&f, facts, "clock", "message_id");
	f.rules.batch_ms++;
	CHECK_INT(rules_fixture_submit(&f, facts).result, SUBMIT_ACCEPTED);
}

static void test_outdated_wraps(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = to_jobcenter;
	struct submit_facts *before = rules_fixture_message(&f, &m);
	m.sealed_for = "ministry";
	m.id = 2;
	struct submit_facts *foreign = rules_fixture_message(&f, &m);
	check_deferred(&f, foreign, "registry-outdated", "sealed_recipients");
	struct submit_decision d = rules_fixture_submit(&f, foreign);
	CHECK(strstr(d.detail, "jobcenter") != NULL);
	m.sealed_for = "ministry,jobcenter";
	m.id = 3;
	CHECK_INT(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).result, SUBMIT_ACCEPTED);

	/* What was sealed before a rotation still counts; a revoked key does not. */
	Dienstweg__RegistryContent *content = registry_fixture_content(f.parties);
	Dienstweg__Key *old = NULL, **keys;
	for (size_t i = 0; i < content->n_parties; i++) {
		Dienstweg__Party *party = content->parties[i];
		if (!bytes_equal(BYTES_PB(party->name), BYTES_STR("jobcenter")))
			continue;
		keys = arena_alloc(f.arena, (party->n_keys + 1) * sizeof(*keys));
		memcpy(keys, party->keys, party->n_keys * sizeof(*keys));
		keys[party->n_keys++] = registry_fixture_key(f.parties, "jobcenter", KEY_SEAL);
		party->keys = keys;
		for (size_t j = 0; j < party->n_keys && !old; j++)
			if (keys[j]->use == DIENSTWEG__KEY_USE__KEY_USE_SEAL)
				old = keys[j];
	}
	old->state = DIENSTWEG__KEY_STATE__KEY_STATE_REVOKED;
	rules_fixture_adopt(&f);
	check_deferred(&f, before, "registry-outdated", "sealed_recipients");
	old->state = DIENSTWEG__KEY_STATE__KEY_STATE_RETIRED;
	rules_fixture_adopt(&f);
	CHECK_INT(rules_fixture_submit(&f, before).result, SUBMIT_ACCEPTED);
	check_state(&f);
}

static void test_room(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = to_jobcenter;
	f.limits.queue_messages_max = 2;
	CHECK_INT(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).result, SUBMIT_ACCEPTED);
	m.id = 2;
	CHECK_INT(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).result, SUBMIT_ACCEPTED);
	m.id = 3;
	struct submit_facts *third = rules_fixture_message(&f, &m);
	check_deferred(&f, third, "full", "recipient");

	/* The registry's figure goes before the broker's. */
	Dienstweg__RegistryContent *content = registry_fixture_content(f.parties);
	for (size_t i = 0; i < content->n_parties; i++)
		content->parties[i]->queue_messages_max = 3;
	rules_fixture_adopt(&f);
	CHECK_INT(rules_fixture_submit(&f, third).result, SUBMIT_ACCEPTED);
	check_state(&f);
}

static void test_room_bytes(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = to_jobcenter;
	struct submit_facts *first = rules_fixture_message(&f, &m);
	f.limits.queue_bytes_max = 2 * (first->header_bytes.len + 1000) - 1;
	CHECK_INT(rules_fixture_submit(&f, first).result, SUBMIT_ACCEPTED);
	m.id = 2;
	struct submit_facts *second = rules_fixture_message(&f, &m);
	check_deferred(&f, second, "full", "recipient");
	f.limits.queue_bytes_max++;
	CHECK_INT(rules_fixture_submit(&f, second).result, SUBMIT_ACCEPTED);

	/* Larger than the whole queue: alone it passes, or it never would. */
	_cleanup_(rules_fixture_deinit) struct rules_fixture g;
	rules_fixture_init(&g);
	g.limits.queue_bytes_max = 10;
	first = rules_fixture_message(&g, &to_jobcenter);
	CHECK_INT(rules_fixture_submit(&g, first).result, SUBMIT_ACCEPTED);
	check_state(&g);
}

static void check_notice(const struct submit_decision *decision, const char *code, const char *name,
	uint32_t percent, bool crossed)
{
	CHECK_INT(decision->result, SUBMIT_ACCEPTED);
	CHECK_INT(decision->notices_count, 1);
	CHECK_STR(decision->notices[0].code, code);
	CHECK(bytes_equal(decision->notices[0].name, BYTES_STR(name)));
	CHECK_INT(decision->notices[0].percent, percent);
	CHECK_INT(decision->notices[0].crossed, crossed);
}

/* A hint before it is too late; whether there is one decides nothing. */
static void test_notices(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = to_jobcenter;
	struct submit_decision decision;
	f.limits.warn_percent = 80;
	f.limits.queue_messages_max = 10;
	for (m.id = 1; m.id <= 10; m.id++) {
		decision = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
		if (m.id < 8)
			CHECK_INT(decision.notices_count, 0);
		else
			check_notice(&decision, "queue", "jobcenter", 10 * m.id, m.id == 8);
	}
	decision = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
	CHECK_INT(decision.result, SUBMIT_DEFERRED);
	CHECK_INT(decision.notices_count, 0);

	/* By bytes, too. */
	f.limits.queue_messages_max = 1000;
	f.limits.queue_bytes_max = 12 * (rules_fixture_message(&f, &m)->header_bytes.len + 1000);
	decision = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
	check_notice(&decision, "queue", "jobcenter", 91, false);
	f.limits.queue_bytes_max = 1 << 30;

	/* The second of two messages a month; the first one is half of them. */
	m = (struct fixture_message){.recipient = "ministry", .service = "figures", .id = 20};
	decision = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
	CHECK_INT(decision.notices_count, 0);
	m.id++;
	decision = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
	check_notice(&decision, "quota", "b-figures", 100, true);
	check_state(&f);
}

static void test_quota(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = {.recipient = "ministry", .service = "figures"};
	for (m.id = 1; m.id <= 2; m.id++)
		CHECK_INT(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).result,
			SUBMIT_ACCEPTED);
	struct submit_facts *third = rules_fixture_message(&f, &m);
	struct submit_decision d = rules_fixture_submit(&f, third);
	CHECK_INT(d.result, SUBMIT_REFUSED);
	CHECK_STR(d.code, "quota-exhausted");
	CHECK_STR(d.field, "agreement");
	CHECK(strstr(d.detail, "b-figures") != NULL);

	CHECK_INT(clock_parse_date("2026-07-01", &f.rules.batch_ms), 0);
	m.id = 4;
	CHECK_INT(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).result, SUBMIT_ACCEPTED);
	d = rules_fixture_submit(&f, third);
	CHECK_INT(d.result, SUBMIT_DUPLICATE);
	CHECK_INT(d.earlier_kind, DIENSTWEG__ENTRY_KIND__ENTRY_REFUSED);
	check_state(&f);
}

static void test_not_before(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = to_jobcenter;
	m.not_before_ms = FIXTURE_NOW_MS + 1;
	m.expires_ms = FIXTURE_NOW_MS + 5000;
	struct submit_decision d = rules_fixture_submit(&f, rules_fixture_message(&f, &m));
	CHECK_INT(d.result, SUBMIT_ACCEPTED);
	CHECK(d.due_ms == FIXTURE_NOW_MS + 1);
	CHECK(d.decision->due_ms == FIXTURE_NOW_MS + 1);
	CHECK(rules_fixture_effects(&f) == NULL);
	struct queue_row row;
	CHECK(!has_queue(&f, "jobcenter", LANE_NORMAL, 0, &row));
	check_state(&f);
	uint64_t due;
	CHECK_INT(rules_next_due(f.rules.state, &f.cursor, &due), 0);
	CHECK(due == FIXTURE_NOW_MS + 1);

	rules_fixture_tick(&f);
	CHECK(rules_fixture_effects(&f) == NULL);
	f.rules.batch_ms++;
	rules_fixture_tick(&f);
	const struct effect *effect = rules_fixture_effects(&f);
	CHECK(effect && effect->type == EFFECT_QUEUED && !effect->next);
	CHECK(has_queue(&f, "jobcenter", LANE_NORMAL, 0, &row));
	check_total(&f, "jobcenter", 1, row.bytes);
	check_state(&f);

	/* Now, or in the past: at once. */
	m.not_before_ms = f.rules.batch_ms;
	for (m.id = 2; m.id <= 3; m.id++, m.not_before_ms--) {
		CHECK_INT(rules_fixture_submit(&f, rules_fixture_message(&f, &m)).due_ms, 0);
		CHECK(has_queue(&f, "jobcenter", LANE_NORMAL, m.id - 1u, &row));
	}
}

CHECK_MAIN(CHECK_CASE(test_accept), CHECK_CASE(test_region_and_tenant), CHECK_CASE(test_event),
	CHECK_CASE(test_duplicate), CHECK_CASE(test_id_reused), CHECK_CASE(test_clock),
	CHECK_CASE(test_outdated_wraps), CHECK_CASE(test_room), CHECK_CASE(test_room_bytes),
	CHECK_CASE(test_notices), CHECK_CASE(test_quota), CHECK_CASE(test_not_before))
