/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A recipient that is down must not cost its messages anything, and a message that nobody can take must be found
 * all the same: both are told from deliveries alone.
 */
#include "broker/delivery/breaker.h"
#include "test/kit/check.h"

enum { FAILURES = 4, WAIT_MS = 1000, WAIT_MAX_MS = 4000 };
#define MS UINT64_C(1000000)

static struct breaker breaker_new(void)
{
	struct breaker breaker;
	breaker_init(&breaker, &(struct breaker_options){FAILURES, WAIT_MS, WAIT_MAX_MS});
	return breaker;
}

static void many_in_a_row_open_it_and_waits_grow(void)
{
	struct breaker breaker = breaker_new();
	uint64_t now = 0, wait_ms = WAIT_MS;
	for (uint64_t i = 0; i < FAILURES; i++) {
		CHECK_INT(breaker.state, BREAKER_CLOSED);
		CHECK(!breaker_failed(&breaker, i, BREAKER_LOST, now));
	}
	for (int i = 0; i < 5; i++) {
		CHECK_INT(breaker.state, BREAKER_OPEN);
		CHECK(!breaker_wakes(&breaker, now + wait_ms * MS - 1));
		now += wait_ms * MS;
		CHECK(breaker_wakes(&breaker, now));
		CHECK_INT(breaker.state, BREAKER_PROBING);
		/* Nothing passes, so not even its word counts against the message. */
		CHECK(!breaker_failed(&breaker, (uint64_t)i, BREAKER_GIVEN_BACK, now));
		wait_ms = wait_ms * 2 < WAIT_MAX_MS ? wait_ms * 2 : WAIT_MAX_MS;
	}
	CHECK(breaker_passed(&breaker));
	CHECK_INT(breaker.state, BREAKER_CLOSED);
	CHECK(!breaker_passed(&breaker));
	/* From the beginning, with the first wait. */
	for (uint64_t i = 10; i < 10 + FAILURES; i++)
		breaker_failed(&breaker, i, BREAKER_LOST, now);
	CHECK(breaker_wakes(&breaker, now + WAIT_MS * MS));
}

static void one_message_alone_opens_nothing(void)
{
	struct breaker breaker = breaker_new();
	for (int i = 0; i < 100; i++)
		CHECK(breaker_failed(&breaker, 7, BREAKER_GIVEN_BACK, 0));
	CHECK_INT(breaker.state, BREAKER_CLOSED);
	for (int i = 0; i < 100; i++)
		CHECK(!breaker_failed(&breaker, 7, BREAKER_UNAVAILABLE, 0));
	CHECK_INT(breaker.state, BREAKER_CLOSED);
}

/* Whoever goes down without a word: only when others passed since it went down over this one before. */
static void silence_counts_when_others_pass(void)
{
	struct breaker breaker = breaker_new();
	for (int i = 0; i < 10; i++)
		CHECK(!breaker_failed(&breaker, 7, BREAKER_LOST_ALONE, 0));
	CHECK(!breaker_passed(&breaker));
	CHECK(breaker_failed(&breaker, 7, BREAKER_LOST_ALONE, 0));
	CHECK(!breaker_failed(&breaker, 7, BREAKER_SILENT, 0));
	breaker_passed(&breaker);
	CHECK(breaker_failed(&breaker, 7, BREAKER_SILENT, 0));
	breaker_passed(&breaker);
	CHECK(!breaker_failed(&breaker, 7, BREAKER_LOST, 0)); /* with others: whose fault? */
}

/* Four poison messages in front: whenever something else gets through, they are a strike nearer to the end. */
static void poison_is_found_behind_an_open_breaker(void)
{
	struct breaker breaker = breaker_new();
	uint64_t now = 0;
	unsigned int strikes = 0;
	for (int round = 0; round < 5; round++) {
		for (uint64_t i = 0; i < FAILURES; i++)
			strikes += breaker_failed(&breaker, i, BREAKER_GIVEN_BACK, now);
		CHECK_INT(breaker.state, BREAKER_OPEN);
		now += WAIT_MAX_MS * MS;
		CHECK(breaker_wakes(&breaker, now));
		CHECK(breaker_passed(&breaker));
	}
	CHECK_INT(strikes, 5 * FAILURES);
}

static void a_new_session_need_not_wait_long(void)
{
	struct breaker breaker = breaker_new();
	for (uint64_t i = 0; i < FAILURES; i++)
		breaker_failed(&breaker, i, BREAKER_LOST, 0);
	breaker.until_ns = UINT64_MAX;
	breaker_renew(&breaker, 0);
	CHECK(breaker_wakes(&breaker, WAIT_MS * MS));
	breaker_renew(&breaker, 0);
	CHECK_INT(breaker.state, BREAKER_PROBING);
}

static void without_a_limit_it_stays_closed(void)
{
	struct breaker breaker = {};
	for (uint64_t i = 0; i < 1000; i++)
		breaker_failed(&breaker, i, BREAKER_LOST, 0);
	CHECK_INT(breaker.state, BREAKER_CLOSED);
}

CHECK_MAIN(CHECK_CASE(many_in_a_row_open_it_and_waits_grow),
	CHECK_CASE(one_message_alone_opens_nothing), CHECK_CASE(silence_counts_when_others_pass),
	CHECK_CASE(poison_is_found_behind_an_open_breaker),
	CHECK_CASE(a_new_session_need_not_wait_long), CHECK_CASE(without_a_limit_it_stays_closed))
