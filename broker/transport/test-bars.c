/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Who is kept out comes back when the time has passed, and a crowd of flooders cannot grow the list.
 */
#include "broker/transport/bars.h"
#include "proto/base/bytes.h"
#include "test/kit/check.h"

struct key {
	uint8_t bytes[BOX_KEY_SIZE];
};

static struct key key(uint32_t number)
{
	struct key key = {{0}};
	be32_put(key.bytes, number);
	return key;
}

static void add(struct bars *bars, uint32_t number, uint64_t until_ns)
{
	bars_add(bars, key(number).bytes, until_ns);
}

static bool hold(struct bars *bars, uint32_t number, uint64_t now_ns)
{
	return bars_hold(bars, key(number).bytes, now_ns);
}

static void the_time_passes(void)
{
	struct bars bars = {0};
	CHECK(!hold(&bars, 1, 0));
	add(&bars, 1, 100);
	add(&bars, 2, 200);
	CHECK(hold(&bars, 1, 99));
	CHECK(!hold(&bars, 3, 99));
	CHECK(!hold(&bars, 1, 100));
	CHECK(hold(&bars, 2, 100));
	CHECK_INT(bars.count, 1);
}

static void a_second_time_is_longer(void)
{
	struct bars bars = {0};
	add(&bars, 1, 100);
	add(&bars, 1, 300);
	CHECK_INT(bars.count, 1);
	CHECK(hold(&bars, 1, 299));
	CHECK(!hold(&bars, 1, 300));
}

static void a_crowd_has_room_for_the_latest(void)
{
	struct bars bars = {0};
	for (uint32_t i = 0; i < 3 * BARS_MAX; i++)
		add(&bars, i, 1000 + i);
	CHECK_INT(bars.count, BARS_MAX);
	CHECK(!hold(&bars, 0, 0));
	CHECK(hold(&bars, 3 * BARS_MAX - 1, 0));
	CHECK(hold(&bars, 2 * BARS_MAX, 0));
}

CHECK_MAIN(CHECK_CASE(the_time_passes), CHECK_CASE(a_second_time_is_longer),
	CHECK_CASE(a_crowd_has_room_for_the_latest))
