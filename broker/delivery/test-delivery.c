/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One behaviour per function, over a real journal; what must hold for every delivery is checked in
 * test-world.c, and all of it at once, in random order, in test-handover.c.
 */
#include "broker/delivery/test-world.h"
#include "test/kit/check.h"

enum { SMALL = 200 };

static size_t delivered(const struct world *world)
{
	size_t count = 0;
	for (size_t i = 0; i < world->count; i++)
		count += world->messages[i].deliveries > 0;
	return count;
}

static void acknowledge_all(struct world *world)
{
	size_t out[WORLD_MESSAGES_MAX];
	size_t count = world_out(world, out, WORLD_MESSAGES_MAX);
	if (count > 0)
		world_acknowledge(world, out, count);
}

static void who_keeps_up_is_served_from_memory(void)
{
	struct world *world = world_new("memory");
	world_recipient_attach(world);
	world_credit(world, 1000);
	world_settle(world);
	size_t frames = world->frames;
	world_submit(world, 50, SMALL);
	/* One turn per commit suffices, and the clerk is never sent. */
	world_until(world, delivered(world) == 50);
	CHECK_INT(clerk_out(world->clerk), 0);
	CHECK_INT(world->frames, frames + 1);
	world_free(world);
}

static void who_was_away_gets_everything(void)
{
	struct world *world = world_new("away");
	for (int i = 0; i < 10; i++)
		world_submit(world, 30, SMALL);
	world_settle(world);
	CHECK_INT(delivered(world), 0);
	world_recipient_attach(world);
	world_settle(world);
	CHECK_INT(delivered(world), 0); /* no credit */
	world_credit(world, 100);
	world_settle(world);
	CHECK_INT(delivered(world), 100);
	world_credit(world, 1000);
	world_settle(world);
	CHECK_INT(delivered(world), 300);
	/* Caught up: the next one comes from memory. */
	world_submit(world, 1, SMALL);
	world_until(world, delivered(world) == 301);
	CHECK_INT(clerk_out(world->clerk), 0);
	world_free(world);
}

static void unacknowledged_bytes_are_capped(void)
{
	struct world *world = world_new("cap");
	world_submit(world, 30, 100000);
	world_recipient_attach(world);
	world_credit(world, 1000);
	world_settle(world);
	size_t first = delivered(world);
	CHECK(first >= 9 && first <= 10); /* 1 MiB out */
	acknowledge_all(world);
	world_settle(world);
	CHECK(delivered(world) >= 18);
	while (delivered(world) < 30) {
		acknowledge_all(world);
		world_settle(world);
	}
	world_free(world);
}

static void a_lost_session_loses_nothing(void)
{
	struct world *world = world_new("lost");
	world_recipient_attach(world);
	world_credit(world, 1000);
	world_submit(world, 40, SMALL);
	world_until(world, delivered(world) == 40);
	world_recipient_detach(world);
	world_recipient_attach(world); /* before the failed attempts are recorded */
	world_credit(world, 1000);
	world_settle(world);
	for (size_t i = 0; i < world->count; i++) {
		CHECK_INT(world->messages[i].deliveries, 2);
		CHECK_INT(world->messages[i].attempt, 2);
	}
	acknowledge_all(world);
	world_settle(world);
	for (size_t i = 0; i < world->count; i++)
		CHECK_INT(world->messages[i].closed, 1);
	world_free(world);
}

static void what_is_given_back_comes_again(void)
{
	struct world *world = world_new("nak");
	world_recipient_attach(world);
	world_credit(world, 1000);
	world_submit(world, 5, SMALL);
	world_until(world, delivered(world) == 5);
	world_nak(world, 2, 1);
	world_until(world, world->messages[2].deliveries == 2);
	CHECK_INT(world->messages[2].attempt, 2);
	for (size_t i = 0; i < 5; i++)
		CHECK_INT(world->messages[i].deliveries, i == 2 ? 2 : 1);
	world_free(world);
}

static void a_lease_runs_out(void)
{
	struct world *world = world_new("lease");
	world_recipient_attach(world);
	world_credit(world, 1000);
	world_submit(world, 3, SMALL);
	world_until(world, delivered(world) == 3);
	size_t first = 0;
	world_acknowledge(world, &first, 1);
	clock_fake_advance(&world->clock, 59999);
	delivery_tick(world->delivery);
	world_settle(world);
	CHECK_INT(world->messages[1].deliveries, 1);
	clock_fake_advance(&world->clock, 2);
	world->messages[1].given_back = world->messages[2].given_back = true;
	delivery_tick(world->delivery);
	world_until(world, world->messages[1].deliveries == 2 && world->messages[2].deliveries == 2);
	CHECK_INT(world->messages[0].deliveries, 1);
	CHECK_INT(world->messages[1].attempt, 2);
	world_free(world);
}

static void outcomes_reach_the_sender(void)
{
	struct world *world = world_new("outcomes");
	world_recipient_attach(world);
	world_sender_attach(world);
	world_credit(world, 1000);
	world_submit(world, 70, SMALL);
	world_until(world, delivered(world) == 70);
	acknowledge_all(world);
	world_until(world, world->messages[69].outcomes == 1);
	for (size_t i = 0; i < world->count; i++)
		CHECK_INT(world->messages[i].outcomes, 1);
	/* Unconfirmed, so they come again, now from the journal; confirmed, they do not. */
	world_sender_detach(world);
	world_sender_attach(world);
	world_settle(world);
	for (size_t i = 0; i < world->count; i++)
		CHECK_INT(world->messages[i].outcomes, 2);
	world_confirm(world);
	world_settle(world);
	world_sender_detach(world);
	world_sender_attach(world);
	world_settle(world);
	for (size_t i = 0; i < world->count; i++)
		CHECK_INT(world->messages[i].outcomes, 2);
	world_free(world);
}

/* Acknowledged in another session than the one it was delivered to, before it is delivered again. */
static void late_acknowledgement_stops_redelivery(void)
{
	struct world *world = world_new("late");
	size_t all[20];
	world_recipient_attach(world);
	world_credit(world, 1000);
	world_submit(world, 20, SMALL);
	world_until(world, delivered(world) == 20);
	for (size_t i = 0; i < 20; i++)
		all[i] = i;
	world_recipient_detach(world);
	world_settle(world);
	world_recipient_attach(world);
	world_acknowledge(world, all, 20);
	world_credit(world, 1000);
	world_settle(world);
	for (size_t i = 0; i < world->count; i++) {
		CHECK_INT(world->messages[i].deliveries, 1);
		CHECK_INT(world->messages[i].closed, 1);
	}
	world_free(world);
}

/* It means another message: the one that is out stays open, and must not be forgotten. */
static void foreign_acknowledgement_ends_nothing(void)
{
	struct world *world = world_new("foreign");
	world_recipient_attach(world);
	world_credit(world, 1000);
	world_submit(world, 2, SMALL);
	world_until(world, delivered(world) == 2);
	struct parcel_submit *swapped = (struct parcel_submit *)(uintptr_t)world->messages[0].submit;
	swapped->facts.h[0] ^= 1;
	size_t first = 0;
	world_acknowledge(world, &first, 1);
	world->messages[0].given_back = true;
	world_until(world, world->messages[0].deliveries == 2);
	swapped->facts.h[0] ^= 1;
	CHECK_INT(world->messages[0].closed, 0);
	CHECK_INT(world->messages[1].deliveries, 1);
	world_free(world);
}

static bool is_answered(const struct parcel *order)
{
	return order->cancel->again && order->cancel->kept == 0;
}

/* Its recipient comes in the very moment: what is kept back does not leave, whoever reads the queue meanwhile. */
static void what_is_taken_back_is_never_sent(void)
{
	struct world *world = world_new("taken-back");
	world_submit(world, 3, SMALL);
	world_settle(world);
	const struct parcel *order = world_cancel(world, 1);
	world_until(world, order->cancel->again);
	world_recipient_attach(world);
	world_credit(world, 1000);
	world_until(world, is_answered(order));
	CHECK_INT(order->cancel->legs[0].place.end, END_CANCELLED);
	world_settle(world);
	CHECK_INT(world->messages[0].deliveries, 0);
	CHECK_INT(delivered(world), 2);
	world_free(world);
}

/* The ministry has it: nothing changes for it, and its word counts. Given back, it can be taken back. */
static void what_is_out_is_not_taken_back(void)
{
	struct world *world = world_new("out");
	size_t second = 1;
	world_recipient_attach(world);
	world_credit(world, 1000);
	world_submit(world, 2, SMALL);
	world_until(world, delivered(world) == 2);
	const struct parcel *order = world_cancel(world, 2);
	world_until(world, is_answered(order));
	for (size_t i = 0; i < 2; i++)
		CHECK(order->cancel->legs[i].place.open && !order->cancel->legs[i].kept);
	world_nak(world, 0, 60000);
	world_acknowledge(world, &second, 1);
	world_settle(world);
	CHECK_INT(world->messages[1].closed, 1);
	order = world_cancel(world, 2);
	world_until(world, is_answered(order));
	CHECK_INT(order->cancel->legs[0].place.end, END_CANCELLED);
	CHECK_INT(order->cancel->legs[1].place.end, END_ACCEPTED);
	world_settle(world);
	CHECK_INT(world->messages[0].deliveries, 1);
	world_free(world);
}

CHECK_MAIN(CHECK_CASE(who_keeps_up_is_served_from_memory), CHECK_CASE(who_was_away_gets_everything),
	CHECK_CASE(unacknowledged_bytes_are_capped), CHECK_CASE(a_lost_session_loses_nothing),
	CHECK_CASE(what_is_given_back_comes_again), CHECK_CASE(a_lease_runs_out),
	CHECK_CASE(outcomes_reach_the_sender), CHECK_CASE(late_acknowledgement_stops_redelivery),
	CHECK_CASE(foreign_acknowledgement_ends_nothing),
	CHECK_CASE(what_is_taken_back_is_never_sent), CHECK_CASE(what_is_out_is_not_taken_back))
