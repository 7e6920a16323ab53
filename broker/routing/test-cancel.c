/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A sender takes back what is its own and still waits, wherever that is, and nothing else. After every act the tables
 * must agree with each other.
 */
#include "broker/routing/common.h"
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

struct sent {
	const struct submit_facts *facts;
	const uint8_t *id;
	struct rules_item item;
};

static struct sent send(struct rules_fixture *f, const struct fixture_message *message)
{
	struct submit_facts *facts = rules_fixture_message(f, message);
	struct sent sent = {.facts = facts,
		.id = facts->header->message_id.data,
		.item = {.party = rules_fixture_number(f, "jobcenter"),
			.sequence = f->rules.sequence,
			.counted = true}};
	CHECK_INT(rules_fixture_submit(f, facts).result, SUBMIT_ACCEPTED);
	rules_fixture_effects(f);
	return sent;
}

static struct sent send_to(struct rules_fixture *f, uint8_t id)
{
	return send(f, &(struct fixture_message){
			       .recipient = "jobcenter", .sealed_for = "jobcenter", .id = id});
}

static struct cancel_decision cancel(
	struct rules_fixture *f, const char *sender, const struct sent *sent, const char *recipient)
{
	const struct fixture_cancel item = {.message_id = sent->id, .recipient = recipient};
	struct cancel_decision d = rules_fixture_cancel(
		f, rules_fixture_cancels(f, sender, &item, 1), &sent->item, 1);
	check_state(f);
	return d;
}

static struct cancel_place place_of(struct rules_fixture *f, const struct rules_item *item)
{
	struct cancel_place place;
	CHECK_INT(rules_cancel_look(f->rules.state, item, &place), 0);
	return place;
}

static void check_cancelled(struct rules_fixture *f, const struct sent *sent, uint64_t entry)
{
	uint8_t key[QUEUE_KEY_SIZE];
	struct bytes value;
	struct outcome_item outcome;
	struct cancel_place place = place_of(f, &sent->item);
	CHECK(place.known && !place.open);
	CHECK_INT(place.end, END_CANCELLED);
	queue_key_encode(rules_fixture_number(f, "city"), LANE_OUTCOME, entry, key);
	CHECK_INT(state_get(f->rules.state, STATE_QUEUE, BYTES(key, sizeof(key)), &value), 0);
	CHECK_INT(outcome_item_decode(value, 0, &outcome), 0);
	CHECK_INT(outcome.sequence, sent->item.sequence);
	CHECK_INT(outcome.recipient, sent->item.party);
	CHECK_INT(outcome.state, END_CANCELLED);
	CHECK_MEM(outcome.message_id, sent->id, UUID_SIZE);
}

static void what_waits_in_the_queue_is_taken_back(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct sent sent = send_to(&f, 1), other = send_to(&f, 2);
	uint64_t entry = f.rules.sequence;
	struct cancel_decision d = cancel(&f, "city", &sent, NULL);
	CHECK(d.append && !d.refused);
	CHECK_INT(d.decision->n_affected, 1);
	CHECK_INT(d.decision->affected[0]->sequence, sent.item.sequence);
	CHECK(bytes_equal(BYTES_PB(d.decision->affected[0]->party), BYTES_STR("jobcenter")));
	CHECK(bytes_equal(BYTES_PB(d.decision->cause), BYTES_STR("mistake")));
	CHECK_INT(d.decision->speaker.len, 0);
	check_cancelled(&f, &sent, entry);
	const struct effect *effect = rules_fixture_effects(&f);
	CHECK_INT(effect->type, EFFECT_ENDED);
	CHECK_INT(effect->next->type, EFFECT_OUTCOME);
	CHECK(place_of(&f, &other.item).open);
	/* Sent again it changes nothing: no second entry, no second outcome. */
	CHECK(!cancel(&f, "city", &sent, NULL).append);
	CHECK(!rules_fixture_effects(&f));
}

static void so_is_what_waits_elsewhere(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	struct items_decision d;
	const struct queue_act act = {.account = 1000};
	rules_fixture_init(&f);
	f.limits.attempts_max = 1;
	struct sent delayed = send(&f, &(struct fixture_message){.recipient = "jobcenter",
					       .sealed_for = "jobcenter",
					       .id = 1,
					       .not_before_ms = FIXTURE_NOW_MS + 5000,
					       .expires_ms = FIXTURE_NOW_MS + 9000});
	struct sent held = send_to(&f, 2), dead = send_to(&f, 3);
	CHECK_INT(rules_hold_items(&f.rules, &held.item, 1, &act, true, &d), 0);
	f.rules.sequence++;
	CHECK_INT(rules_bury(&f.rules, &dead.item, 1, "nak", &d), 0);
	CHECK(d.append);
	f.rules.sequence++;
	rules_fixture_effects(&f);
	const struct sent *all[] = {&delayed, &held, &dead};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		uint64_t entry = f.rules.sequence;
		CHECK(place_of(&f, &all[i]->item).open);
		CHECK(cancel(&f, "city", all[i], "jobcenter").append);
		check_cancelled(&f, all[i], entry);
	}
	/* Nothing of them is left that could become due. */
	f.rules.batch_ms += 3600 * 1000;
	CHECK(!rules_fixture_tick(&f).append);
}

static void each_recipient_apart(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct sent first = send(&f,
		&(struct fixture_message){
			.service = "death.notice", .id = 1, .expires_ms = FIXTURE_NOW_MS + 9000});
	struct sent second = first;
	second.item.party = rules_fixture_number(&f, "ministry");
	/* Named for one, the other is not touched, even when the journal is asked to. */
	CHECK(!cancel(&f, "city", &second, "jobcenter").append);
	CHECK(cancel(&f, "city", &first, "jobcenter").append);
	CHECK(place_of(&f, &second.item).open);
	CHECK_INT(place_of(&f, &first.item).end, END_CANCELLED);
	CHECK(cancel(&f, "city", &second, NULL).append);
	CHECK_INT(place_of(&f, &second.item).end, END_CANCELLED);
	/* With the last of them the common row went, and its expiry. */
	struct common_row common;
	CHECK_INT(common_get(f.rules.state, first.item.sequence, &common), STATE_NOT_FOUND);
}

static void nobody_takes_back_what_is_not_his(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	uint64_t sequence;
	rules_fixture_init(&f);
	struct sent sent = send_to(&f, 1), other = send_to(&f, 2);
	/* Another party, with a good signature of its own: it does not even learn that there is such a message. */
	CHECK_INT(rules_cancel_find(
			  f.rules.state, rules_fixture_number(&f, "ministry"), sent.id, &sequence),
		STATE_NOT_FOUND);
	CHECK(!cancel(&f, "ministry", &sent, NULL).append);
	/* The sender, naming another message than the journal was told to end. */
	struct sent mixed = sent;
	mixed.id = other.id;
	CHECK(!cancel(&f, "city", &mixed, NULL).append);
	/* The row that recipients share is nobody's message. */
	struct sent nobody = sent;
	nobody.item.party = PARTY_COMMON;
	CHECK(!cancel(&f, "city", &nobody, NULL).append);
	CHECK(place_of(&f, &sent.item).open && place_of(&f, &other.item).open);
	CHECK_INT(rules_cancel_find(
			  f.rules.state, rules_fixture_number(&f, "city"), sent.id, &sequence),
		0);
	CHECK_INT(sequence, sent.item.sequence);
}

static void what_has_ended_stays_as_it_ended(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct sent sent = send_to(&f, 1), raced = send_to(&f, 2);
	const struct fixture_ack ack = {.sequence = sent.item.sequence, .h = sent.facts->h},
				 late = {.sequence = raced.item.sequence, .h = raced.facts->h};
	CHECK(rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "jobcenter", &ack, 1)).append);
	CHECK(!cancel(&f, "city", &sent, NULL).append);
	CHECK_INT(place_of(&f, &sent.item).end, END_ACCEPTED);
	/* And the other way round: an acknowledgement that comes later finds it ended. */
	CHECK(cancel(&f, "city", &raced, NULL).append);
	struct ack_decision d = rules_fixture_acknowledge(
		&f, rules_fixture_acks(&f, "jobcenter", &late, 1));
	CHECK(d.append && !d.refused);
	CHECK_INT(d.verdicts[0], DIENSTWEG__ACK_VERDICT__ACK_LATE);
	CHECK_INT(place_of(&f, &raced.item).end, END_CANCELLED);
	/* Once is enough. */
	uint8_t before[HASH_SIZE], after[HASH_SIZE];
	state_memory_digest(f.memory, before);
	d = rules_fixture_acknowledge(&f, rules_fixture_acks(&f, "jobcenter", &late, 1));
	CHECK(!d.append);
	CHECK_INT(d.verdicts[0], DIENSTWEG__ACK_VERDICT__ACK_ALREADY);
	state_memory_digest(f.memory, after);
	CHECK_MEM(before, after, sizeof(before));
	check_state(&f);
}

static void named_twice_it_ends_once(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct sent sent = send_to(&f, 1);
	const struct fixture_cancel items[] = {
		{.message_id = sent.id}, {.message_id = sent.id, .recipient = "jobcenter"}};
	const struct rules_item both[] = {sent.item, sent.item};
	struct cancel_decision d = rules_fixture_cancel(
		&f, rules_fixture_cancels(&f, "city", items, 2), both, 2);
	CHECK(d.append);
	CHECK_INT(d.decision->n_affected, 1);
	check_state(&f);
}

static void what_is_held_back_by_it_may_go(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	bool held_back;
	rules_fixture_init(&f);
	struct fixture_message m = {.recipient = "jobcenter",
		.sealed_for = "jobcenter",
		.id = 1,
		.case_id = 7,
		.not_before_ms = FIXTURE_NOW_MS + 5000};
	struct sent delayed = send(&f, &m);
	m.id = 2;
	m.not_before_ms = 0;
	struct sent later = send(&f, &m);
	struct place place;
	CHECK_INT(place_find(f.rules.state, &later.item, &place), 0);
	CHECK_INT(place_is_held_back(f.rules.state, &later.item, place.lane, &place.row, &held_back),
		0);
	CHECK(held_back);
	CHECK(cancel(&f, "city", &delayed, NULL).append);
	CHECK(rules_fixture_effects(&f)->waited);
	CHECK_INT(place_is_held_back(f.rules.state, &later.item, place.lane, &place.row, &held_back),
		0);
	CHECK(!held_back);
}

/* ---- whole batches ---- */

static void check_refused(
	struct rules_fixture *f, struct cancel_facts *facts, const char *code, const char *field)
{
	struct cancel_decision d;
	CHECK_INT(rules_cancel_check(&f->rules, facts, &d), 0);
	CHECK(d.refused && !d.append);
	CHECK_STR(d.code, code);
	CHECK_STR(d.field, field);
	CHECK(strlen(d.detail) > 10);
	CHECK_INT(d.sender, 0);
}

static void a_bad_batch_is_refused_whole(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct sent sent = send_to(&f, 1);
	const struct fixture_cancel item = {.message_id = sent.id};
	struct cancel_facts *facts;
#define BATCH() (facts = rules_fixture_cancels(&f, "city", &item, 1))
	BATCH()->form_ok = false;
	check_refused(&f, facts, "malformed", "items");
	BATCH()->signature_ok = false;
	check_refused(&f, facts, "bad-signature", "root");
	BATCH()->speaker = BYTES_STR("jobcenter");
	check_refused(&f, facts, "not-operated", "sender");
	Dienstweg__CancelBatch foreign = *BATCH()->batch;
	foreign.key_id = rules_fixture_cancels(&f, "jobcenter", &item, 1)->batch->key_id;
	facts->batch = &foreign;
	check_refused(&f, facts, "foreign-key", "key_id");
	Dienstweg__CancelBatch stranger = *BATCH()->batch;
	uint8_t name[] = "nobody";
	stranger.sender = (ProtobufCBinaryData){.data = name, .len = strlen("nobody")};
	facts->batch = &stranger;
	check_refused(&f, facts, "unknown-party", "sender");
	/* Nothing of all that ended anything, or became an entry. */
	struct cancel_decision d = rules_fixture_cancel(&f, facts, &sent.item, 1);
	CHECK(d.refused && !d.append);
	CHECK(place_of(&f, &sent.item).open);
	check_state(&f);
#undef BATCH
}

static void who_operates_a_party_may_bring_its_cancellation(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	rules_fixture_init(&f);
	struct sent sent = send(&f, &(struct fixture_message){.sender = "town",
					    .speaker = "cooperative",
					    .recipient = "jobcenter",
					    .sealed_for = "jobcenter",
					    .id = 1});
	const struct fixture_cancel item = {.message_id = sent.id};
	struct cancel_facts *facts = rules_fixture_cancels(&f, "town", &item, 1);
	facts->speaker = BYTES_STR("cooperative");
	struct cancel_decision d = rules_fixture_cancel(&f, facts, &sent.item, 1);
	CHECK(d.append);
	CHECK(bytes_equal(BYTES_PB(d.decision->speaker), BYTES_STR("cooperative")));
	check_state(&f);
}

static void a_refused_message_cannot_be_found(void)
{
	_cleanup_(rules_fixture_deinit) struct rules_fixture f;
	uint64_t sequence;
	rules_fixture_init(&f);
	struct submit_facts *facts = rules_fixture_message(
		&f, &(struct fixture_message){.recipient = "jobcenter", .id = 1}); /* not sealed */
	CHECK_INT(rules_fixture_submit(&f, facts).result, SUBMIT_REFUSED);
	CHECK_INT(rules_cancel_find(f.rules.state, rules_fixture_number(&f, "city"),
			  facts->header->message_id.data, &sequence),
		STATE_NOT_FOUND);
}

CHECK_MAIN(CHECK_CASE(what_waits_in_the_queue_is_taken_back), CHECK_CASE(so_is_what_waits_elsewhere),
	CHECK_CASE(each_recipient_apart), CHECK_CASE(nobody_takes_back_what_is_not_his),
	CHECK_CASE(what_has_ended_stays_as_it_ended), CHECK_CASE(named_twice_it_ends_once),
	CHECK_CASE(what_is_held_back_by_it_may_go), CHECK_CASE(a_bad_batch_is_refused_whole),
	CHECK_CASE(who_operates_a_party_may_bring_its_cancellation),
	CHECK_CASE(a_refused_message_cannot_be_found))
