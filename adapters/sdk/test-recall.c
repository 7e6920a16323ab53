/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An adapter takes a message back: its order is signed, asked until there is an end, over lost sessions, and told once.
 */
#include "adapters/sdk/recall.h"

#include "adapters/sdk/test-world.h"
#include "test/kit/check.h"

enum { AGAIN_MS = 1500 };

static const uint8_t first[16] = {0xaa, 1}, second[16] = {0xbb, 2};

/* As in one of its ops. */
static int cancel(struct world *world, const struct dw_cancel *what)
{
	world->adapter.depth++;
	int r = dw_cancel(&world->adapter, what);
	world->adapter.depth--;
	return r;
}

static void an_order_is_signed_and_told_once(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->cancel_state = "cancelled";
	CHECK_INT(cancel(world,
			  &(struct dw_cancel){.message_id = first, .reason = BYTES_STR("mistake")}),
		0);
	world_until(world, world_saw(world, "cancelled aa jobcenter cancelled"));
	CHECK_INT(world->desk->cancels, 1);
	CHECK_INT(world->desk->cancels_signed, 1);
	/* For a party that it operates, of one recipient. */
	CHECK_INT(cancel(world, &(struct dw_cancel){.sender = BYTES_STR("library"),
					.message_id = second,
					.recipient = BYTES_STR("jobcenter")}),
		0);
	world_until(world, world_saw(world, "cancelled bb jobcenter cancelled"));
	CHECK_INT(world->desk->cancels_signed, 2);
	world_while(world, world->desk->cancels == 2);
	CHECK_INT(world_count(world, "cancelled "), 2);
}

static void under_delivery_it_is_asked_again(void)
{
	uint8_t digest[HASH_SIZE];
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->cancel_state = "under-delivery";
	CHECK_INT(cancel(world, &(struct dw_cancel){.message_id = first}), 0);
	world_until(world, world->desk->cancels == 1);
	memcpy(digest, world->desk->cancel_digest, HASH_SIZE);
	world_while(world, world->desk->cancels == 1); /* not at once */
	world_wait_over(world, AGAIN_MS);
	world_until(world, world->desk->cancels == 2);
	CHECK_INT(world_count(world, "cancelled "), 0);
	CHECK_MEM(digest, world->desk->cancel_digest, HASH_SIZE); /* the same bytes */
	world->desk->cancel_state = "accepted";
	world_wait_over(world, AGAIN_MS);
	world_until(world, world_saw(world, "cancelled aa jobcenter accepted"));
	CHECK_INT(world->desk->cancels, 3);
}

static void a_lost_session_loses_no_order(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->deaf_to_cancels = true;
	CHECK_INT(cancel(world, &(struct dw_cancel){.message_id = first}), 0);
	world_until(world, world->desk->cancels == 1);
	world->desk->deaf_to_cancels = false;
	world->desk->cancel_state = "unknown";
	desk_forget_session(world->desk);
	world_wait_over(world, 60000);
	world_until(world, world_saw(world, "cancelled aa jobcenter unknown"));
}

static void a_refusal_is_told(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	CHECK_INT(cancel(world, &(struct dw_cancel){.message_id = first}), 0);
	world_until(world, world_saw(world, "cancelled aa  refusedkey-not-active"));
	world_while(world, world->desk->cancels == 1);
}

static void an_answer_that_nobody_asked_for_is_nothing(void)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Cancelled answer = DIENSTWEG__CANCELLED__INIT;
	Dienstweg__CancelState state = DIENSTWEG__CANCEL_STATE__INIT, *states = &state;
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	answer.states = &states;
	answer.n_states = 1;
	frame.body_case = DIENSTWEG__FRAME__BODY_CANCELLED;
	frame.cancelled = &answer;
	desk_send(world->desk, &frame);
	world_while(world, world_count(world, "cancelled ") == 0);
}

static void impossible_orders_are_not_taken(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	world->desk->deaf_to_cancels = true;
	CHECK_INT(cancel(world,
			  &(struct dw_cancel){.sender = BYTES_STR("nobody"), .message_id = first}),
		DW_INVALID);
	CHECK_INT(cancel(world, &(struct dw_cancel){.message_id = first,
					.reason = BYTES_STR("Not A Code")}),
		DW_INVALID);
	for (int i = 0; i < RECALL_ORDERS_MAX; i++)
		CHECK_INT(cancel(world, &(struct dw_cancel){.message_id = first}), 0);
	CHECK_INT(cancel(world, &(struct dw_cancel){.message_id = first}), DW_BUSY);
}

CHECK_MAIN(CHECK_CASE(an_order_is_signed_and_told_once),
	CHECK_CASE(under_delivery_it_is_asked_again), CHECK_CASE(a_lost_session_loses_no_order),
	CHECK_CASE(a_refusal_is_told), CHECK_CASE(an_answer_that_nobody_asked_for_is_nothing),
	CHECK_CASE(impossible_orders_are_not_taken))
