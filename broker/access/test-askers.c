/* SPDX-License-Identifier: EUPL-1.2 */

/* Who asks too often waits, who asks seldom does not, and nobody makes others wait. */
#include "broker/access/askers.h"

#include <stdio.h>

#include "test/kit/check.h"

#define S UINT64_C(1000000000)

static bool ask(struct askers *askers, const char *name, uint64_t now_ns, uint64_t *wait_ms)
{
	bool may = askers_take(askers, BYTES_STR(name), now_ns, wait_ms);
	if (may)
		askers_give(askers, BYTES_STR(name));
	return may;
}

static void some_at_once_then_one_now_and_then(void)
{
	struct askers askers = {};
	uint64_t wait_ms, now_ns = 1000 * S;
	for (int i = 0; i < ASKERS_BURST; i++)
		CHECK(ask(&askers, "city", now_ns, &wait_ms));
	CHECK(!ask(&askers, "city", now_ns, &wait_ms));
	CHECK_INT(wait_ms, ASKERS_EACH_S * 1000);
	CHECK(ask(&askers, "ministry", now_ns, &wait_ms));
	CHECK(!ask(&askers, "city", now_ns + ASKERS_EACH_S * S - 1, &wait_ms));
	CHECK_INT(wait_ms, 1);
	CHECK(ask(&askers, "city", now_ns + ASKERS_EACH_S * S, &wait_ms));
	CHECK(!ask(&askers, "city", now_ns + ASKERS_EACH_S * S, &wait_ms));
	now_ns += 3600 * S;
	for (int i = 0; i < ASKERS_BURST; i++)
		CHECK(ask(&askers, "city", now_ns, &wait_ms));
	CHECK(!ask(&askers, "city", now_ns, &wait_ms));
	CHECK_INT(askers.count, 1);
}

static void one_at_a_time(void)
{
	struct askers askers = {};
	uint64_t wait_ms = 7;
	CHECK(askers_take(&askers, BYTES_STR("city"), S, &wait_ms));
	CHECK(!askers_take(&askers, BYTES_STR("city"), S, &wait_ms));
	CHECK_INT(wait_ms, 0);
	/* However long it takes. */
	CHECK(!askers_take(&askers, BYTES_STR("city"), 10000 * S, &wait_ms));
	askers_give(&askers, BYTES_STR("city"));
	askers_give(&askers, BYTES_STR("nobody"));
	CHECK(askers_take(&askers, BYTES_STR("city"), 10000 * S, &wait_ms));
}

static void room_is_bounded(void)
{
	struct askers askers = {};
	uint64_t wait_ms;
	char name[32];
	for (int i = 0; i < ASKERS_MAX; i++) {
		snprintf(name, sizeof(name), "party-%d", i);
		CHECK(ask(&askers, name, S, &wait_ms));
	}
	CHECK(!ask(&askers, "one-more", S, &wait_ms));
	CHECK(wait_ms > 0);
	CHECK(ask(&askers, "one-more", S + ASKERS_EACH_S * S, &wait_ms));
	CHECK_INT(askers.count, 1);
}

CHECK_MAIN(CHECK_CASE(some_at_once_then_one_now_and_then), CHECK_CASE(one_at_a_time),
	CHECK_CASE(room_is_bounded))
