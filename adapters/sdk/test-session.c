/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What happens to the session while the adapter lives: a broker that forgot it, one that is silent, a
 * second process for the same party, and bytes that are no frames at all. Nothing of it may lose a message
 * or end the adapter, but for the second process.
 */
#include "adapters/sdk/test-world.h"
#include "test/kit/check.h"

static void letter(struct world *world, const char *key)
{
	world_submit(world, &(struct world_letter){.key = key, .body = BYTES_STR("x")});
}

static void a_broker_that_started_anew_gets_a_new_hello(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	letter(world, "k1");
	world_until(world, world_saw(world, "recorded k1"));
	desk_forget_session(world->desk); /* its next frame is answered "hello-required" */
	letter(world, "k2");
	world_until(world, world_saw(world, "recorded k2"));
	CHECK_INT(world->desk->hellos, 2);
	CHECK(world->desk->hello_size > 0); /* names the newest checkpoint it has seen */
}

static void silence_ends_the_session(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->mood = DESK_SILENT;
	letter(world, "k1");
	world_until(world, world->desk->messages_count == 1);
	/* Time passes for the adapter alone, without a frame. */
	world_wait_over(world, 16000);
	world->desk->mood = DESK_HONEST;
	world_until(world, world->desk->hellos == 2);
	world_until(world, world_saw(world, "recorded k1"));
	CHECK_INT(world->desk->messages_count, 1);
}

static void pings_keep_an_idle_session(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	for (int i = 0; i < 10; i++) {
		world_wait_over(world, 4100);
		for (int j = 0; j < 5; j++)
			world_step(world);
	}
	CHECK_INT(world->desk->hellos, 1);
	CHECK(client_state(world->adapter.client) == CLIENT_READY);
}

static void a_second_process_replaces_the_first_for_good(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	desk_replaced(world->desk);
	world_until(world, client_state(world->adapter.client) == CLIENT_REPLACED);
	size_t hellos = world->desk->hellos;
	letter(world, "k1");
	world_wait_over(world, 60000);
	world_while(world, world->desk->hellos == hellos);
	CHECK_INT(world->desk->messages_count, 0);
	/* The message waits in the outbox for whoever has the folder next. */
	world_stop(world);
	world_connect(world);
	world_until(world, world_saw(world, "recorded k1"));
}

static void random_bytes_change_nothing(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	_cleanup_(heap_free) uint8_t *noise = malloc(1 << 20);
	CHECK(noise);
	world_connect(world);
	for (size_t i = 0; i < 300; i++) {
		size_t len = 1 + i * i * 11 % (1 << 20);
		random_fill(noise, len);
		desk_send_raw(world->desk, BYTES(noise, len));
		if (i % 20 == 0)
			world_step(world);
	}
	letter(world, "k1");
	world_until(world, world_saw(world, "recorded k1"));
	CHECK_INT(world->failed, 0);
	CHECK(!world_alarmed(world));
}

/* A frame of this session, with random bytes put into a valid one: decoded, and then judged. */
static void frames_with_wrong_bytes_change_nothing_or_are_an_alarm(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Answer answer = DIENSTWEG__ANSWER__INIT;
	Dienstweg__Refusal refusal = DIENSTWEG__REFUSAL__INIT, *refusals = &refusal;
	Dienstweg__Deferral deferral = DIENSTWEG__DEFERRAL__INIT, *deferrals = &deferral;
	Dienstweg__FrameDeferral put_off = DIENSTWEG__FRAME_DEFERRAL__INIT;
	uint8_t noise[64];
	world_connect(world);
	answer.refusals = &refusals;
	answer.n_refusals = 1;
	answer.deferrals = &deferrals;
	answer.n_deferrals = 1;
	answer.frame = &put_off;
	frame.body_case = DIENSTWEG__FRAME__BODY_ANSWER;
	frame.answer = &answer;
	for (uint64_t i = 0; i < 200; i++) {
		random_fill(noise, sizeof(noise));
		refusal.h = (ProtobufCBinaryData){.data = noise, .len = i % 40};
		deferral.h = (ProtobufCBinaryData){.data = noise + 5, .len = i % 33};
		put_off.number = i * 7;
		desk_send(world->desk, &frame);
	}
	letter(world, "k1");
	world_until(world, world_saw(world, "recorded k1"));
	CHECK_INT(world->failed, 0);
}

/* Frames of every kind, empty: every handler must do without what is missing. */
static void empty_frames_of_every_kind_are_survived(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	uint8_t raw[2 + 16 + 3];
	world_connect(world);
	for (unsigned int field = 10; field <= 60; field++) {
		if (field == 46 + 1)
			continue; /* Replaced means what it says */
		raw[0] = 1 << 3 | 2;
		raw[1] = 16;
		memcpy(raw + 2, world->desk->nonce, 16);
		raw[18] = (uint8_t)((field << 3 | 2) | 0x80);
		raw[19] = (uint8_t)(field >> 4);
		raw[20] = 0;
		desk_send_raw(world->desk, BYTES(raw, sizeof(raw)));
		for (int i = 0; i < 3; i++)
			world_step(world);
		CHECK_INT(world->failed, 0);
	}
	letter(world, "k1");
	world_until(world, world_saw(world, "recorded k1"));
}

static void items_without_anything_are_survived(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Deliver deliver = DIENSTWEG__DELIVER__INIT;
	Dienstweg__Item empty = DIENSTWEG__ITEM__INIT, hollow = DIENSTWEG__ITEM__INIT;
	Dienstweg__Item stranger = DIENSTWEG__ITEM__INIT, *items[] = {&empty, &hollow, &stranger};
	Dienstweg__Envelope envelope = DIENSTWEG__ENVELOPE__INIT;
	world_connect(world);
	hollow.party = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t) "city", .len = 4};
	hollow.sequence = 5;
	hollow.envelope = &envelope;
	stranger.party = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t) "nobody", .len = 6};
	stranger.envelope = &envelope;
	deliver.items = items;
	deliver.n_items = 3;
	frame.body_case = DIENSTWEG__FRAME__BODY_DELIVER;
	frame.deliver = &deliver;
	desk_send(world->desk, &frame);
	world_until(
		world, world->desk->acks_count == 1); /* the hollow one is rejected for its form */
	CHECK(!world->desk->acks[0].accepted);
	CHECK_INT(world_count(world, "delivery"), 0);
	CHECK_INT(world->failed, 0);
}

static void ending_in_order_says_bye(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world_stop(world);
	for (int i = 0; i < 100 && world->desk->byes == 0; i++)
		desk_step(world->desk, 20);
	CHECK_INT(world->desk->byes, 1);
}

static void credit_is_granted_for_what_the_configuration_says(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world->config.flight.credit_messages = 7;
	world->config.flight.credit_bytes = 3 << 20;
	world_connect(world);
	world_until(world, world->desk->credit_messages == 7);
	CHECK_INT(world->desk->credit_bytes, 3 << 20);
}

CHECK_MAIN(CHECK_CASE(a_broker_that_started_anew_gets_a_new_hello),
	CHECK_CASE(silence_ends_the_session), CHECK_CASE(pings_keep_an_idle_session),
	CHECK_CASE(a_second_process_replaces_the_first_for_good),
	CHECK_CASE(random_bytes_change_nothing),
	CHECK_CASE(frames_with_wrong_bytes_change_nothing_or_are_an_alarm),
	CHECK_CASE(empty_frames_of_every_kind_are_survived),
	CHECK_CASE(items_without_anything_are_survived), CHECK_CASE(ending_in_order_says_bye),
	CHECK_CASE(credit_is_granted_for_what_the_configuration_says))
