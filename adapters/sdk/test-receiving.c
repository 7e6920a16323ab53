/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The way in: nothing reaches the legacy system that was not checked, each message reaches it once while
 * the process lives, the acknowledgement says what was decided and is repeated until it is recorded.
 */
#include <errno.h>

#include "adapters/sdk/test-world.h"
#include "test/kit/check.h"

static struct desk_letter letter_of(const char *body)
{
	return (struct desk_letter){.sender = "jobcenter",
		.recipient = "city",
		.service = "alg2.decision",
		.body = BYTES_STR(body)};
}

static const struct desk_ack *ack_of(const struct world *world, uint64_t sequence)
{
	for (size_t i = world->desk->acks_count; i > 0; i--) {
		if (world->desk->acks[i - 1].sequence == sequence)
			return &world->desk->acks[i - 1];
	}
	return NULL;
}

static size_t inbox_rows(struct world *world)
{
	uint64_t rows;
	CHECK_INT(store_count(world->adapter.store, STORE_INBOX, &rows), 0);
	return (size_t)rows;
}

static void a_delivery_is_opened_handed_over_and_acknowledged(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	uint64_t acked;
	world_connect(world);
	struct desk_letter letter = letter_of("granted");
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, ack_of(world, sequence));
	CHECK(world_saw(world, "delivery jobcenter granted"));
	CHECK(ack_of(world, sequence)->accepted && ack_of(world, sequence)->signature_ok);
	world_until(world, acks_count(world->adapter.acks) == 0);
	CHECK_INT(inbox_rows(world), 0); /* recorded and proven: forgotten */
	CHECK_INT(store_count(world->adapter.store, STORE_ACKED, &acked), 0);
	CHECK_INT(acked, 1);
	CHECK_INT(world->failed, 0);
}

static void an_operated_party_receives_too(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	struct desk_letter letter = letter_of("books");
	letter.recipient = "library";
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, ack_of(world, sequence));
	CHECK(world_saw(world, "delivery jobcenter books"));
	CHECK(ack_of(world, sequence)->signature_ok); /* by the library's own key */
}

static void clear_content_is_checked_as_well(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	struct desk_letter letter = {.sender = "ministry",
		.recipient = "city",
		.service = "open.figures",
		.body = BYTES_STR("17"),
		.clear = true};
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, ack_of(world, sequence));
	CHECK(world_saw(world, "delivery ministry 17"));
	letter.other_commitment = true;
	sequence = desk_deliver(world->desk, &letter);
	world_until(world, ack_of(world, sequence));
	CHECK_STR(ack_of(world, sequence)->code, "commitment");
}

static void rejected(void (*twist)(struct desk_letter *letter), const char *code)
{
	_cleanup_(world_free) struct world *world = world_new();
	struct desk_letter letter = letter_of("never seen"), good = letter_of("still works");
	world_connect(world);
	twist(&letter);
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, ack_of(world, sequence));
	CHECK(!ack_of(world, sequence)->accepted && ack_of(world, sequence)->signature_ok);
	CHECK_STR(ack_of(world, sequence)->code, code);
	CHECK(ack_of(world, sequence)->text[0]);
	CHECK_INT(world_count(world, "delivery"), 0);
	sequence = desk_deliver(world->desk, &good);
	world_until(world, ack_of(world, sequence));
	CHECK(ack_of(world, sequence)->accepted);
}

static void bad_signature(struct desk_letter *letter)
{
	letter->bad_signature = true;
}

static void signed_by_another_party(struct desk_letter *letter)
{
	letter->sign_as = "ministry";
}

static void commits_to_something_else(struct desk_letter *letter)
{
	letter->other_commitment = true;
}

static void content_of_another_message(struct desk_letter *letter)
{
	letter->other_content = true;
}

static void sealed_for_somebody_else(struct desk_letter *letter)
{
	letter->seal_for = "ministry";
}

static void of_another_bus(struct desk_letter *letter)
{
	letter->bus = "other.demo";
}

static void what_does_not_check_is_rejected_and_not_handed_over(void)
{
	rejected(bad_signature, "signature");
	rejected(signed_by_another_party, "signature");
	rejected(commits_to_something_else, "commitment");
	rejected(content_of_another_message, "sealing");
	rejected(sealed_for_somebody_else, "sealing");
	rejected(of_another_bus, "not-addressed");
}

static void a_second_delivery_is_answered_without_a_second_hand_over(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	struct desk_letter letter = letter_of("once");
	world_connect(world);
	world->desk->mood = DESK_SILENT; /* the acknowledgement gets no answer */
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, world->desk->acks_count == 1);
	CHECK_INT(inbox_rows(world), 1);
	desk_deliver_again(world->desk, sequence);
	world_while(world, world_count(world, "delivery") == 1);
	/* A new session: acknowledged again, without a delivery. */
	world->desk->mood = DESK_HONEST;
	client_reset(world->adapter.client, "test");
	world_until(world, world->desk->acks_count == 2);
	world_until(world, inbox_rows(world) == 0);
	CHECK_INT(world_count(world, "delivery"), 1);
}

static void a_restart_remembers_the_verdict(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	struct desk_letter letter = letter_of("once");
	world_connect(world);
	world->desk->mood = DESK_SILENT;
	world->verdict = (struct dw_verdict){
		.disposition = DW_REJECTED, .code = "not-responsible", .text = "another\ntown"};
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, world->desk->acks_count == 1);
	world_stop(world);
	world->verdict.disposition = DW_ACCEPTED; /* too late: the verdict is given */
	world->desk->mood = DESK_HONEST;
	world_start(world);
	world_until(world, world->desk->acks_count == 2);
	CHECK(!world->desk->acks[1].accepted);
	CHECK_STR(world->desk->acks[1].code, "not-responsible");
	CHECK_STR(world->desk->acks[1].text, "another town"); /* no control characters leave */
	CHECK_MEM(&world->desk->acks[1].h, &world->desk->acks[0].h, HASH_SIZE);
	desk_deliver_again(world->desk, sequence);
	world_while(world, world_count(world, "delivery") <= 2);
}

static void not_now_is_a_nak_and_leaves_nothing_behind(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	struct desk_letter letter = letter_of("busy");
	world_connect(world);
	world->verdict = (struct dw_verdict){.disposition = DW_LATER, .code = "closed"};
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, world->desk->naks == 1);
	CHECK_STR(world->desk->nak_reason, "closed");
	CHECK_INT(inbox_rows(world), 0);
	world->verdict.disposition = DW_ACCEPTED;
	desk_deliver_again(world->desk, sequence);
	world_until(world, ack_of(world, sequence));
	CHECK_INT(world_count(world, "delivery jobcenter busy"), 2);
}

static void two_senders_may_use_one_message_id(void)
{
	static const uint8_t id[16] = {1, 2, 3, 4, 5, 6, 0x70, 7, 0x80, 8};
	_cleanup_(world_free) struct world *world = world_new();
	struct desk_letter one = letter_of("one"), two = letter_of("two");
	world_connect(world);
	two.sender = "ministry";
	one.message_id = two.message_id = id;
	world->desk->mood = DESK_SILENT;
	(void)desk_deliver(world->desk, &one);
	world_until(world, world_saw(world, "delivery jobcenter one"));
	(void)desk_deliver(world->desk, &two);
	world_until(world, world_saw(world, "delivery ministry two"));
}

static void a_reply_from_within_a_hand_over_is_one_turn_with_it(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	struct desk_letter letter = letter_of("question");
	world_connect(world);
	world->answer_key = "answer";
	(void)desk_deliver(world->desk, &letter);
	world_until(world, world_saw(world, "recorded answer"));
	CHECK(world_saw(world, "submitted answer"));
	CHECK_INT(world->desk->messages_count, 1);
}

/* The legacy system fails: nothing of the turn stays, and the message comes again. */
static void a_failing_legacy_system_ends_the_adapter_without_a_verdict(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	struct desk_letter letter = letter_of("fragile");
	world_connect(world);
	world->answer_key = "answer";
	world->op_fails = -EIO;
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, world->failed);
	CHECK_INT(world->failed, -EIO);
	CHECK_INT(world->desk->acks_count, 0);
	world_stop(world);
	world->op_fails = 0;
	world_connect(world);
	CHECK_INT(inbox_rows(world), 0);
	CHECK_INT(world->adapter.outbox.count, 0);
	desk_deliver_again(world->desk, sequence);
	world_until(world, ack_of(world, sequence));
	world_until(world, world_saw(world, "recorded answer"));
	CHECK_INT(world_count(world, "delivery jobcenter fragile"), 2);
}

static void many_are_acknowledged_in_batches_and_credit_returns(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	enum { MANY = 200 };
	char bodies[MANY][8];
	world_connect(world);
	world_until(world, world->desk->credit_messages == 64);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(bodies[i], sizeof(bodies[i]), "b%zu", i);
		struct desk_letter letter = letter_of(bodies[i]);
		world_until(world, world->desk->letters_count < world->desk->credit_messages);
		(void)desk_deliver(world->desk, &letter);
	}
	world_until(world, world->desk->acks_count == MANY);
	world_until(world, acks_count(world->adapter.acks) == 0);
	CHECK_INT(world_count(world, "delivery"), MANY);
	for (size_t i = 0; i < MANY; i++)
		CHECK(world->desk->acks[i].accepted && world->desk->acks[i].signature_ok);
	CHECK(world->desk->credit_messages >= MANY + 32 && world->desk->credit_messages <= MANY + 64);
	CHECK_INT(inbox_rows(world), 0);
}

static void a_forged_receipt_for_an_acknowledgement_is_an_alarm(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	struct desk_letter letter = letter_of("x");
	world_connect(world);
	world->desk->mood = DESK_WRONG_NONCE;
	(void)desk_deliver(world->desk, &letter);
	world_until(world, world->failed);
	CHECK_INT(world->failed, TRUST_ALARM);
	CHECK(world_alarmed(world));
}

static void an_unknown_key_is_put_off_until_the_registry_has_it(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	struct desk_letter letter = letter_of("by a new key");
	world_connect(world);
	Dienstweg__RegistryContent *content = registry_fixture_content(world->fixture);
	for (size_t i = 0; i < content->n_parties; i++) {
		Dienstweg__Party *party = content->parties[i];
		for (size_t j = 0; j < party->n_keys; j++) {
			if (bytes_equal(BYTES_PB(party->name), BYTES_STR("jobcenter")) &&
				party->keys[j]->use == DIENSTWEG__KEY_USE__KEY_USE_SIGN)
				party->keys[j] = registry_fixture_key(
					world->fixture, "jobcenter", KEY_SIGN);
		}
	}
	struct registry *next = registry_fixture_load(world->fixture, 2, world->desk->registry);
	registry_unref(world->desk->registry);
	world->desk->registry = next;
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, world->desk->naks == 1);
	CHECK_STR(world->desk->nak_reason, "unknown-key");
	world_until(world, registry_version(trust_registry(world->adapter.trust)) == 2);
	desk_deliver_again(world->desk, sequence);
	world_until(world, ack_of(world, sequence));
	CHECK(world_saw(world, "delivery jobcenter by a new key"));
}

CHECK_MAIN(CHECK_CASE(a_delivery_is_opened_handed_over_and_acknowledged),
	CHECK_CASE(an_operated_party_receives_too), CHECK_CASE(clear_content_is_checked_as_well),
	CHECK_CASE(what_does_not_check_is_rejected_and_not_handed_over),
	CHECK_CASE(a_second_delivery_is_answered_without_a_second_hand_over),
	CHECK_CASE(a_restart_remembers_the_verdict),
	CHECK_CASE(not_now_is_a_nak_and_leaves_nothing_behind),
	CHECK_CASE(two_senders_may_use_one_message_id),
	CHECK_CASE(a_reply_from_within_a_hand_over_is_one_turn_with_it),
	CHECK_CASE(a_failing_legacy_system_ends_the_adapter_without_a_verdict),
	CHECK_CASE(many_are_acknowledged_in_batches_and_credit_returns),
	CHECK_CASE(a_forged_receipt_for_an_acknowledgement_is_an_alarm),
	CHECK_CASE(an_unknown_key_is_put_off_until_the_registry_has_it))
