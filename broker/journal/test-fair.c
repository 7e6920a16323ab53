/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Fairness as a sender would feel it: how many commits pass until its parcel is in one.
 */
#include "broker/journal/fair.h"

#include "proto/base/cleanup.h"
#include "test/kit/check.h"

enum { FLOODER = 7, QUIET = 9, SECOND = 1000000000 };

static const struct fair_limits limits = {.parcels = 100, .messages = 1000, .party_messages = 64};

static struct parcel *parcel_of(uint32_t party, size_t messages)
{
	struct parcel *parcel = NULL;
	CHECK_INT(parcel_new(PARCEL_SUBMIT, 64, &parcel), 0);
	parcel->origin.speaker_number = party;
	parcel->submits_count = messages;
	return parcel;
}

static void push(struct fair *fair, uint32_t party, size_t parcels, size_t messages, uint64_t now_ns)
{
	for (size_t i = 0; i < parcels; i++) {
		struct parcel *parcel = parcel_of(party, messages);
		parcel->sequence = i; /* to see the order */
		CHECK_INT(fair_push(fair, parcel, now_ns), 0);
	}
}

struct taken {
	size_t parcels, messages, flooder, quiet;
	uint64_t first, last; /* of the flooder */
};

static struct taken take(struct fair *fair, uint64_t now_ns)
{
	struct taken taken = {};
	struct parcel *list = NULL, **tail = fair_take(fair, now_ns, &list);
	*tail = NULL;
	while (list) {
		struct parcel *parcel = list;
		list = parcel->next;
		if (parcel->origin.speaker_number == FLOODER) {
			if (taken.flooder == 0)
				taken.first = parcel->sequence;
			else
				CHECK_INT(parcel->sequence, taken.last + 1);
			taken.last = parcel->sequence;
			taken.flooder += parcel->submits_count;
		} else {
			taken.quiet += parcel->submits_count;
		}
		taken.parcels++;
		taken.messages += parcel->submits_count;
		parcel_free(parcel);
	}
	return taken;
}

static void a_lone_sender_gets_the_commit(void)
{
	struct fair *fair;
	CHECK_INT(fair_new(&limits, &fair), 0);
	push(fair, FLOODER, 150, 8, SECOND);
	struct taken taken = take(fair, SECOND);
	CHECK_INT(taken.parcels, 100);
	CHECK_INT(taken.flooder, 800);
	taken = take(fair, SECOND);
	CHECK_INT(taken.flooder, 400);
	CHECK_INT(taken.first, 100);
	/* Still alone in the next second: its own past is no competition. */
	push(fair, FLOODER, 100, 8, 2 * (uint64_t)SECOND);
	CHECK_INT(take(fair, 2 * (uint64_t)SECOND).flooder, 800);
	CHECK_INT(fair_count(fair), 0);
	fair_free(fair);
}

static void a_flooder_keeps_its_order_and_its_share(void)
{
	struct fair *fair;
	uint64_t now_ns = 5 * (uint64_t)SECOND;
	CHECK_INT(fair_new(&limits, &fair), 0);
	push(fair, FLOODER, 90, 32, now_ns);
	push(fair, QUIET, 1, 1, now_ns);
	struct taken taken = take(fair, now_ns);
	CHECK_INT(taken.quiet, 1); /* at once, behind nobody and beside nobody */
	CHECK_INT(taken.flooder, 0);
	taken = take(fair, now_ns + 50);
	CHECK_INT(taken.flooder, 64);
	taken = take(fair, now_ns + 100);
	CHECK_INT(taken.flooder, 64); /* the quiet one may speak again any moment */
	CHECK_INT(taken.first, 2);
	taken = take(fair, now_ns + 3 * (uint64_t)SECOND);
	CHECK(taken.flooder > 900); /* it fell silent: nobody to be fair to */
	while (fair_count(fair) > 0)
		CHECK(take(fair, now_ns + 3 * (uint64_t)SECOND).parcels > 0);
	fair_free(fair);
}

/* Quiet ones that always have something do not keep the flooder out. */
static void who_needs_little_goes_first_every_second_time(void)
{
	_cleanup_(fair_free) struct fair *fair = NULL;
	CHECK_INT(fair_new(&limits, &fair), 0);
	push(fair, FLOODER, 40, 16, SECOND);
	for (size_t i = 0; i < 9; i++) {
		for (uint32_t party = 0; party < 3; party++)
			push(fair, QUIET + party, 1, 1, SECOND);
		struct taken taken = take(fair, SECOND);
		CHECK_INT(taken.quiet, 3);
		CHECK_INT(taken.flooder, i % 2 ? 64 : 0);
	}
	while (fair_count(fair) > 0)
		CHECK(take(fair, SECOND).flooder > 0);
}

static void two_floods_share(void)
{
	struct fair *fair;
	CHECK_INT(fair_new(&limits, &fair), 0);
	push(fair, FLOODER, 40, 20, SECOND);
	push(fair, QUIET, 40, 20, SECOND);
	for (size_t i = 0; i < 13; i++) {
		struct taken taken = take(fair, SECOND);
		CHECK_INT(taken.flooder, 60); /* three parcels of 20 fit into 64 */
		CHECK_INT(taken.quiet, 60);
	}
	CHECK_INT(take(fair, SECOND).messages, 40);
	CHECK_INT(fair_count(fair), 0);
	fair_free(fair);
}

static void a_large_parcel_goes_some_time(void)
{
	struct fair *fair;
	CHECK_INT(fair_new(&limits, &fair), 0);
	push(fair, FLOODER, 2, 1024, SECOND); /* more than a party's share, more than a commit's */
	push(fair, QUIET, 3, 1, SECOND);
	size_t rounds = 0, flooder = 0, quiet = 0;
	while (fair_count(fair) > 0) {
		struct taken taken = take(fair, SECOND);
		CHECK(taken.parcels > 0);
		flooder += taken.flooder;
		quiet += taken.quiet;
		rounds++;
	}
	CHECK_INT(flooder, 2048);
	CHECK_INT(quiet, 3);
	CHECK(rounds <= 4);
	fair_free(fair);
}

static void strange_numbers_are_bounded(void)
{
	struct fair *fair;
	CHECK_INT(fair_new(&limits, &fair), 0);
	push(fair, UINT32_MAX, 1, 1, SECOND);
	push(fair, 0, 1, 1, SECOND);
	push(fair, 65535, 1, 1, SECOND);
	CHECK_INT(take(fair, SECOND).parcels, 3);
	fair_free(fair);
}

/* What a session that was shut out left behind is out of the way at once, and nothing else. */
static void what_is_forgotten_waits_for_nobody(void)
{
	_cleanup_(fair_free) struct fair *fair = NULL;
	CHECK_INT(fair_new(&limits, &fair), 0);
	fair_forget(fair, FLOODER, 1); /* nobody there */
	push(fair, QUIET, 1, 1, SECOND);
	push(fair, FLOODER, 40, 64, SECOND);
	struct parcel *other = parcel_of(FLOODER, 64);
	other->origin.session_serial = 2;
	other->sequence = 40;
	CHECK_INT(fair_push(fair, other, SECOND), 0);
	fair_forget(fair, FLOODER, 0);
	CHECK(!other->spoilt);
	struct taken taken = take(fair, SECOND);
	CHECK_INT(taken.quiet, 1);
	CHECK_INT(taken.flooder, 41 * 64); /* the last of them is the share of a commit */
	CHECK_INT(fair_count(fair), 0);
}

CHECK_MAIN(CHECK_CASE(what_is_forgotten_waits_for_nobody), CHECK_CASE(a_lone_sender_gets_the_commit),
	CHECK_CASE(a_flooder_keeps_its_order_and_its_share),
	CHECK_CASE(who_needs_little_goes_first_every_second_time), CHECK_CASE(two_floods_share),
	CHECK_CASE(a_large_parcel_goes_some_time), CHECK_CASE(strange_numbers_are_bounded))
