/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Ends: each message ends once per recipient, the right sender is told, and nothing else moves.
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

/* A message to the jobcenter; its sequence and h. */
static const uint8_t *send(struct rules_fixture *f, const char *sender, uint8_t id,
	uint64_t expires_ms, uint64_t *ret_sequence)
{
	struct fixture_message m = {.sender = sender,
		.speaker = strcmp(sender, "town") ? NULL : "cooperative",
		.recipient = "jobcenter",
		.sealed_for = "jobcenter",
		.id = id,
		.priority = id % 3,
		.expires_ms = expires_ms};
	struct submit_facts *facts = rules_fixture_message(f, &m);
	*ret_sequence = f->rules.sequence;
	CHECK_INT(rules_fixture_submit(f, facts).result, SUBMIT_ACCEPTED);
	return facts->h;
}

static struct place place_of(struct rules_fixture *f, const char *party, uint64_t sequence)
{
	struct place place;
	struct rules_item item = {rules_fixture_number(f, party), sequence};
	CHECK_INT(place_find(f->rules.state, &item, &place), 0);
	return place;
}

static struct end_row end_of(struct rules_fixture *f, const char *party, uint64_t sequence)
{
	uint8_t key[END_KEY_SIZE];
	struct bytes value;
	struct end_row row;
	end_key_encode(sequence, rules_fixture_number(f, party), key);
	CHECK_INT(state_get(f->rules.state, STATE_END, BYTES(key, sizeof(key)), &value), 0);
	CHECK_INT(end_row_decode(value, &row), 0);
	return row;
}

static bool outcome_of(struct rules_fixture *f, const char *sender, uint64_t entry, size_t nth,
	struct outcome_item *ret)
{
	uint8_t key[QUEUE_KEY_SIZE];
	struct bytes value;
	queue_key_encode(rules_fixture_number(f, sender), LANE_OUTCOME, entry, key);
	return state_get(f->rules.state, STATE_QUEUE, BYTES(key, sizeof(key)), &value) == 0 &&
	       outcome_item_decode(value, nth, ret) == 0;
}

static void test_close(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	uint64_t first, second, third;
	const uint8_t *h1 = send(&f, "city", 1, FIXTURE_NOW_MS + 1000, &first);
	const uint8_t *h2 = send(&f, "town", 2, 0, &second);
	const uint8_t *h3 = send(&f, "city", 3, 0, &third);
	rules_fixture_effects(&f);
	struct fixture_ack acks[] = {{first, h1, false}, {second, h2, true}, {third, h3, false}};
	uint64_t entry = f.rules.sequence;
	struct ack_decision d = rules_fixture_acknowledge(
		&f, rules_fixture_acks(&f, "jobcenter", acks, 3));
	CHECK(!d.refused);
	CHECK(d.append);
	CHECK_INT(d.party, rules_fixture_number(&f, "jobcenter"));
	CHECK_INT(d.decision->n_verdicts, 3);
	CHECK_INT(d.decision->speaker.len, 0);
	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(d.verdicts[i], DIENSTWEG__ACK_VERDICT__ACK_CLOSED);
		CHECK_INT(d.decision->verdicts[i], DIENSTWEG__ACK_VERDICT__ACK_CLOSED);
	}
	CHECK_INT(place_of(&f, "jobcenter", first).where, PLACE_ENDED);
	struct end_row end = end_of(&f, "jobcenter", second);
	CHECK_INT(end.state, END_REJECTED);
	CHECK_INT(end.entry, entry);
	CHECK_INT(end.index, 1);

	/* Two senders, two rows. */
	struct outcome_item item;
	CHECK(outcome_of(&f, "city", entry, 0, &item));
	CHECK_INT(item.sequence, first);
	CHECK_INT(item.state, END_ACCEPTED);
	CHECK_INT(item.index, 0);
	CHECK_INT(item.recipient, d.party);
	CHECK_MEM(item.h, h1, HASH_SIZE);
	CHECK(outcome_of(&f, "city", entry, 1, &item));
	CHECK_INT(item.sequence, third);
	CHECK_INT(item.index, 2);
	CHECK(!outcome_of(&f, "city", entry, 2, &item));
	CHECK(outcome_of(&f, "town", entry, 0, &item));
	CHECK_INT(item.sequence, second);
	CHECK_INT(item.state, END_REJECTED);

	size_t ended = 0, outcomes = 0;
	for (const struct effect *e = rules_fixture_effects(&f); e; e = e->next) {
		ended += e->type == EFFECT_ENDED;
		outcomes += e->type == EFFECT_OUTCOME;
		if (e->type == EFFECT_OUTCOME)
			CHECK_INT(e->sequence, entry);
		if (e->type == EFFECT_OUTCOME && e->party == rules_fixture_number(&f, "city"))
			CHECK_INT(e->outcome.len, 2 * OUTCOME_ITEM_SIZE);
	}
	CHECK_INT(ended, 3);
	CHECK_INT(outcomes, 2);
	uint64_t due;
	CHECK_INT(rules_next_due(f.rules.state, &f.cursor, &due), 0);
	CHECK(due == UINT64_MAX); /* the expiry went with its message */
	check_state(&f);
}

static void test_late_and_unknown(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	uint64_t first;
	const uint8_t *h = send(&f, "city", 1, 0, &first);
	uint8_t other[HASH_SIZE] = {1};
	struct fixture_ack wrong[] = {{first, other, false}, {first + 5, h, false}};
	uint8_t before[32], after[32];
	state_memory_digest(f.memory, before);
	struct ack_decision d = rules_fixture_acknowledge(
		&f, rules_fixture_acks(&f, "jobcenter", wrong, 2));
	CHECK(!d.refused);
	CHECK(!d.append);
	CHECK_INT(d.verdicts[0], DIENSTWEG__ACK_VERDICT__ACK_UNKNOWN);
	CHECK_INT(d.verdicts[1], DIENSTWEG__ACK_VERDICT__ACK_UNKNOWN);
	/* Another party cannot end it either. */
	struct fixture_ack right[] = {{first, h, false}, {first, h, true}};
	d = rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "ministry", right, 1));
	CHECK_INT(d.verdicts[0], DIENSTWEG__ACK_VERDICT__ACK_UNKNOWN);
	state_memory_digest(f.memory, after);
	CHECK_MEM(before, after, 32);

	/* Twice in one batch: the first counts. */
	d = rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "jobcenter", right, 2));
	CHECK(d.append);
	CHECK_INT(d.verdicts[0], DIENSTWEG__ACK_VERDICT__ACK_CLOSED);
	CHECK_INT(d.verdicts[1], DIENSTWEG__ACK_VERDICT__ACK_ALREADY);
	CHECK_INT(end_of(&f, "jobcenter", first).state, END_ACCEPTED);
	state_memory_digest(f.memory, before);
	d = rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "jobcenter", right, 2));
	CHECK(!d.append);
	CHECK_INT(d.verdicts[0], DIENSTWEG__ACK_VERDICT__ACK_ALREADY);
	state_memory_digest(f.memory, after);
	CHECK_MEM(before, after, 32);
	check_state(&f);
}

static void test_event(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct fixture_message m = {.service = "death.notice", .id = 1};
	struct submit_facts *facts = rules_fixture_message(&f, &m);
	CHECK_INT(rules_fixture_submit(&f, facts).result, SUBMIT_ACCEPTED);
	struct fixture_ack ack = {0, facts->h, false};
	CHECK(rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "ministry", &ack, 1)).append);
	CHECK_INT(place_of(&f, "ministry", 0).where, PLACE_ENDED);
	CHECK_INT(place_of(&f, "jobcenter", 0).where, PLACE_QUEUE);
	check_state(&f);
	ack.rejected = true;
	CHECK(rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "jobcenter", &ack, 1)).append);
	CHECK_INT(end_of(&f, "ministry", 0).state, END_ACCEPTED);
	CHECK_INT(end_of(&f, "jobcenter", 0).state, END_REJECTED);
	struct outcome_item item;
	CHECK(outcome_of(&f, "city", 1, 0, &item));
	CHECK(outcome_of(&f, "city", 2, 0, &item));
	check_state(&f);
}

static void test_delayed(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	uint64_t first;
	const uint8_t *h = send(&f, "city", 1, FIXTURE_NOW_MS + 90000, &first);
	struct rules_item item = {rules_fixture_number(&f, "jobcenter"), first};
	struct items_decision failed;
	CHECK_INT(rules_fail(&f.rules, &item, 1, "session-lost", 5000, false, &failed), 0);
	CHECK(failed.append);
	f.rules.sequence++;
	CHECK_INT(place_of(&f, "jobcenter", first).where, PLACE_TIMER);
	check_state(&f);
	struct fixture_ack ack = {first, h, false};
	struct ack_decision d = rules_fixture_acknowledge(
		&f, rules_fixture_acks(&f, "jobcenter", &ack, 1));
	CHECK_INT(d.verdicts[0], DIENSTWEG__ACK_VERDICT__ACK_CLOSED);
	CHECK_INT(place_of(&f, "jobcenter", first).where, PLACE_ENDED);
	check_state(&f);
	f.rules.batch_ms += 100000;
	rules_fixture_effects(&f);
	rules_fixture_tick(&f);
	CHECK(rules_fixture_effects(&f) == NULL);
	check_state(&f);
}

static void check_refused(
	struct rules_fixture *f, const struct ack_facts *facts, const char *code, const char *field)
{
	struct ack_decision d = rules_fixture_acknowledge(f, facts);
	CHECK(d.refused);
	CHECK(!d.append);
	CHECK_STR(d.code, code);
	CHECK_STR(d.field, field);
	CHECK(strchr(d.detail, ':') != NULL);
	CHECK(strstr(d.detail, "{}") == NULL);
	CHECK_INT(place_of(f, "jobcenter", 0).where, PLACE_QUEUE);
	check_state(f);
}

static void test_refused(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	uint64_t first;
	struct fixture_ack ack = {.h = send(&f, "city", 1, 0, &first)};
	struct ack_facts *good = rules_fixture_acks(&f, "jobcenter", &ack, 1);
	struct ack_facts facts = *good;
	facts.form_ok = false;
	check_refused(&f, &facts, "malformed", "acks");
	Dienstweg__AckBatch batch = *good->batch;
	facts = *good;
	facts.batch = &batch;
	batch.n_acks = 0;
	check_refused(&f, &facts, "malformed", "acks");
	batch = *good->batch;
	uint8_t nobody[] = "nobody";
	batch.recipient = (ProtobufCBinaryData){6, nobody};
	check_refused(&f, &facts, "unknown-party", "recipient");
	facts = *good;
	facts.speaker = BYTES_STR("city");
	check_refused(&f, &facts, "not-operated", "recipient");
	facts = *good;
	facts.batch = &batch;
	batch = *good->batch;
	uint8_t id[KEY_ID_SIZE] = {1};
	batch.key_id.data = id;
	check_refused(&f, &facts, "unknown-key", "key_id");
	batch.key_id = rules_fixture_acks(&f, "city", &ack, 1)->batch->key_id;
	check_refused(&f, &facts, "foreign-key", "key_id");
	const Dienstweg__Party *party = registry_party(f.registry, BYTES_STR("jobcenter"));
	batch.key_id = registry_party_key(party, KEY_SEAL)->id;
	check_refused(&f, &facts, "wrong-key-use", "key_id");
	facts = *good;
	facts.signature_ok = false;
	check_refused(&f, &facts, "bad-signature", "root");

	/* Counted with the speaker's refusals, and summed up. */
	CHECK_INT(f.rules.sequence, 1);
	f.rules.batch_ms += 60000;
	struct items_decision d = rules_fixture_tick(&f);
	CHECK(d.append);
	CHECK_INT(f.rules.sequence, 3); /* jobcenter and city */
	CHECK(rules_fixture_acknowledge(&f, good).append);
	check_state(&f);
}

static void test_confirm(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	uint64_t entries[3];
	for (uint8_t i = 0; i < 3; i++) {
		uint64_t sequence;
		const uint8_t *h = send(&f, "city", (uint8_t)(i + 1), 0, &sequence);
		struct fixture_ack ack = {sequence, h, false};
		entries[i] = f.rules.sequence;
		CHECK(rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "jobcenter", &ack, 1))
				.append);
	}
	uint64_t open;
	send(&f, "city", 4, 0, &open);
	uint32_t city = rules_fixture_number(&f, "city");
	struct outcome_item item;
	CHECK_INT(rules_confirm(&f.rules, city, entries[1]), 0);
	CHECK(!outcome_of(&f, "city", entries[0], 0, &item));
	CHECK(!outcome_of(&f, "city", entries[1], 0, &item));
	CHECK(outcome_of(&f, "city", entries[2], 0, &item));
	/* Beyond the last, and of somebody else: only own outcomes go. */
	CHECK_INT(rules_confirm(&f.rules, rules_fixture_number(&f, "jobcenter"), UINT64_MAX), 0);
	CHECK(outcome_of(&f, "city", entries[2], 0, &item));
	CHECK_INT(place_of(&f, "jobcenter", open).where, PLACE_QUEUE);
	CHECK_INT(rules_confirm(&f.rules, city, UINT64_MAX), 0);
	CHECK(!outcome_of(&f, "city", entries[2], 0, &item));
	check_state(&f);
}

CHECK_MAIN(CHECK_CASE(test_close), CHECK_CASE(test_late_and_unknown), CHECK_CASE(test_event),
	CHECK_CASE(test_delayed), CHECK_CASE(test_refused), CHECK_CASE(test_confirm))
