/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two bounds and a clock: what a session granted, what the broker is willing to have out, when a lease ends.
 */
#include "broker/delivery/deadline.h"
#include "broker/delivery/window.h"
#include "test/kit/check.h"

enum { MIB = 1 << 20 };

static void credits_are_totals(void)
{
	struct window window;
	uint64_t messages, bytes;
	window_init(&window, MIB);
	CHECK(!window_fits(&window, 0));
	window_grant(&window, 2, 1000);
	CHECK(window_fits(&window, 1000) && !window_fits(&window, 1001));
	window_take(&window, 600);
	CHECK(window_fits(&window, 400) && !window_fits(&window, 401));
	window_grant(&window, 1, 10); /* late or lost: never less */
	CHECK(window_fits(&window, 400));
	window_take(&window, 0);
	CHECK(!window_fits(&window, 0)); /* no message left */
	window_grant(&window, 10, 5000);
	window_reserve(&window, 8, 1000);
	window_room(&window, &messages, &bytes);
	CHECK_INT(messages, 0);
	window_release(&window, 8, 1000);
	window_room(&window, &messages, &bytes);
	CHECK_INT(messages, 8);
	CHECK_INT(bytes, 4400);
}

static void bytes_out_are_capped(void)
{
	struct window window;
	uint64_t messages, bytes;
	window_init(&window, 1000);
	window_grant(&window, 100, 100 * MIB);
	CHECK(window_fits(&window, 300 * 1024)); /* one alone, however large */
	window_take(&window, 300 * 1024);
	CHECK(!window_fits(&window, 1));
	window_return(&window, 300 * 1024);
	window_take(&window, 400);
	CHECK(window_fits(&window, 600) && !window_fits(&window, 601));
	window_reserve(&window, 1, 600);
	window_room(&window, &messages, &bytes);
	CHECK_INT(bytes, 0);
}

static void take(struct lease_table *leases, struct deadlines *deadlines, uint64_t sequence)
{
	CHECK_INT(lease_take(leases, &(struct lease){.sequence = sequence, .attempt = 1}), 0);
	CHECK_INT(deadlines_add(deadlines, leases, &(struct deadline){sequence, 1000 + sequence, 1}),
		0);
}

static void leases_run_out_in_order(void)
{
	enum { COUNT = 1000 };
	struct lease_table *leases;
	struct deadlines deadlines = {0};
	uint64_t sequence, due = 0;
	CHECK_INT(lease_table_new(1, COUNT, &leases), 0);
	for (uint64_t i = 0; i < COUNT; i++)
		take(leases, &deadlines, i);
	for (uint64_t i = 0; i < COUNT; i += 3)
		CHECK_INT(lease_forget(leases, i), 0);
	CHECK(!deadlines_passed(&deadlines, 999));
	while (deadlines_due(&deadlines, leases, 1000 + COUNT / 2, &sequence) == 0) {
		CHECK(sequence % 3 != 0 && sequence <= COUNT / 2 && sequence >= due);
		due = sequence + 1;
	}
	CHECK_INT(due, COUNT / 2 + 1);
	deadlines_deinit(&deadlines);
	lease_table_free(leases);
}

/* Ended leases must not make it grow: a busy recipient would hold the day's messages. */
static void ended_leases_take_no_room(void)
{
	struct lease_table *leases;
	struct deadlines deadlines = {0};
	uint64_t sequence;
	CHECK_INT(lease_table_new(1, 64, &leases), 0);
	take(leases, &deadlines, 0); /* stays */
	for (uint64_t i = 1; i < 100000; i++) {
		take(leases, &deadlines, i);
		CHECK_INT(lease_forget(leases, i), 0);
	}
	CHECK(deadlines.mask < 256);
	CHECK_INT(deadlines_due(&deadlines, leases, UINT64_MAX, &sequence), 0);
	CHECK_INT(sequence, 0);
	CHECK_INT(deadlines_due(&deadlines, leases, UINT64_MAX, &sequence), 1);
	deadlines_deinit(&deadlines);
	lease_table_free(leases);
}

CHECK_MAIN(CHECK_CASE(credits_are_totals), CHECK_CASE(bytes_out_are_capped),
	CHECK_CASE(leases_run_out_in_order), CHECK_CASE(ended_leases_take_no_room))
