/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Who asks hears exactly once, whatever comes first. And what leaves before it is durable: the clock stands still where
 * a test looks at that, so that a commit which waits for company waits; to end without it is to be killed there.
 */
#include <stdio.h>

#include "adapters/sdk/asking.h"
#include "adapters/sdk/test-world.h"
#include "test/kit/check.h"

enum { ANSWER_MS = 30000, GRACE_MS = 1000, PATIENCE_MS = 20, KIND_ENQUIRY = 4, KIND_ANSWER = 5 };

static uint64_t still_ns(const struct clock *clock)
{
	return 1000000000 + clock->fake_mono_ns;
}

static struct world *world_of_a_still_clock(void)
{
	struct world *world = world_new();
	world->clock.mono_ns = still_ns;
	world_connect(world);
	return world;
}

static void ask(struct world *world, const char *key)
{
	const struct world_letter letter = {.key = key,
		.service = "benefit.question",
		.body = BYTES_STR("benefits?"),
		.asks = true};
	world_submit(world, &letter);
}

static const struct desk_message *asked(struct world *world, const char *key)
{
	size_t before = world->desk->messages_count;
	ask(world, key);
	world_until(world, world->desk->messages_count > before);
	return &world->desk->messages[before];
}

static struct desk_letter answer_to(const struct desk_message *message)
{
	return (struct desk_letter){.sender = "jobcenter",
		.recipient = "city",
		.service = "benefit.question",
		.kind = KIND_ANSWER,
		.case_id = message->case_id,
		.in_reply_to = message->h,
		.body = BYTES_STR("yes")};
}

static bool acked(const struct desk *desk, uint64_t sequence)
{
	for (size_t i = 0; i < desk->acks_count; i++) {
		CHECK(desk->acks[i].accepted && desk->acks[i].signature_ok);
		if (desk->acks[i].sequence == sequence)
			return true;
	}
	return false;
}

/* ---- who asks ---- */

static void an_answer_is_told_once(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	struct desk_letter letter = answer_to(asked(world, "q1"));
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, acked(world->desk, sequence));
	CHECK(world_saw(world, "answered q1 yes"));
	CHECK(world_saw(world, "submitted q1"));
	/* A second one answers nothing any more: it is a message like any other. */
	sequence = desk_deliver(world->desk, &letter);
	world_until(world, acked(world->desk, sequence));
	CHECK_INT(world_count(world, "answered"), 1);
	CHECK_INT(world_count(world, "delivery"), 1);
}

/* Another case, another h, another kind. */
static void what_names_no_question_is_no_answer(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	static const uint8_t other[HASH_SIZE] = {1};
	world_connect(world);
	const struct desk_message *message = asked(world, "q1");
	struct desk_letter letters[] = {answer_to(message), answer_to(message), answer_to(message)};
	letters[0].case_id = other;
	letters[1].in_reply_to = other;
	letters[2].kind = 2;
	for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
		uint64_t sequence = desk_deliver(world->desk, &letters[i]);
		world_until(world, acked(world->desk, sequence));
	}
	CHECK_INT(world_count(world, "delivery jobcenter yes"), 3);
	CHECK_INT(world_count(world, "answered"), 0);
}

static void no_answer_is_told_with_its_cause(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	world_connect(world);
	const struct desk_message *first = asked(world, "q1");
	world_until(world, world_saw(world, "recorded q1"));
	/* That who was asked has it says nothing yet. */
	(void)desk_outcome(world->desk, first, "jobcenter", "accepted", DESK_TRUE);
	world_until(world, world_saw(world, "ended q1 jobcenter accepted"));
	CHECK_INT(world_count(world, "unanswered"), 0);
	const struct desk_message *second = asked(world, "q2");
	world_until(world, world_saw(world, "recorded q2"));
	(void)desk_outcome(world->desk, second, "jobcenter", "expired", DESK_TRUE);
	world_until(world, world_saw(world, "unanswered q2 expired"));
	world->desk->mood = DESK_REFUSES;
	ask(world, "q3");
	world_until(world, world_saw(world, "unanswered q3 no-agreement"));
	/* Its time, and a little more, because it begins when the broker records it. */
	world_wait_over(world, ANSWER_MS);
	world_while(world, world_count(world, "unanswered") == 2);
	world_wait_over(world, GRACE_MS);
	world_until(world, world_saw(world, "unanswered q1 unanswered"));
	CHECK_INT(world_count(world, "unanswered"), 3);
}

static void what_cannot_be_asked_says_why(void)
{
	_cleanup_(world_free) struct world *world = world_new();
	char why[512] = "";
	int ret = 0;
	world_connect(world);
	struct world_letter letter = {
		.key = "wrong", .body = BYTES_STR("benefits?"), .asks = true, .ret = &ret, .why = why};
	world_submit(world, &letter);
	world_until(world, ret == DW_UNROUTABLE);
	CHECK(strstr(why, "service: "));
	(void)asked(world, "q1");
	letter.key = "q1";
	letter.service = "benefit.question";
	world_submit(world, &letter);
	world_until(world, ret == DW_INVALID);
	CHECK(strstr(why, "key: "));
	char keys[ASKING_MAX][16];
	for (size_t i = 1; i < ASKING_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "more-%zu", i);
		ask(world, keys[i]);
	}
	letter.key = "one too many";
	world_submit(world, &letter);
	world_until(world, ret == DW_FULL);
	CHECK_INT(world->adapter.asking.open, ASKING_MAX);
}

/* ---- before it is durable ---- */

static void a_question_does_not_wait_for_the_disk(void)
{
	_cleanup_(world_free) struct world *world = world_of_a_still_clock();
	const struct desk_message *message = asked(world, "q1");
	world_until(world, world_saw(world, "recorded q1"));
	world_while(world, world_count(world, "submitted") == 0);
	/* The answer brings company: its acknowledgement needs the commit. */
	const struct desk_letter letter = answer_to(message);
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, acked(world->desk, sequence));
	CHECK(world_saw(world, "answered q1 yes"));
	CHECK(world_saw(world, "submitted q1"));
}

static void the_commit_waits_for_some_milliseconds_at_most(void)
{
	_cleanup_(world_free) struct world *world = world_of_a_still_clock();
	world->desk->mood = DESK_SILENT;
	(void)asked(world, "q1");
	world_while(world, world_count(world, "submitted") == 0);
	world_wait_over(world, PATIENCE_MS);
	world_until(world, world_saw(world, "submitted q1"));
}

/* Whatever else is handed over makes it a turn like any other. */
static void beside_a_question_nothing_leaves_early(void)
{
	_cleanup_(world_free) struct world *world = world_of_a_still_clock();
	const struct world_letter letter = {.key = "k1", .body = BYTES_STR("application")};
	ask(world, "q1");
	world_submit(world, &letter);
	world_until(world, world_saw(world, "submitted k1"));
	CHECK(world_saw(world, "submitted q1"));
	CHECK_INT(world_count(world, "recorded"), 0);
	world_until(world, world_saw(world, "recorded k1"));
	/* A delivery to which an ordinary message is sent back is not put off either. */
	world->answer_key = "k2";
	struct desk_letter delivered = {.sender = "jobcenter",
		.recipient = "city",
		.service = "alg2.decision",
		.body = BYTES_STR("decision")};
	uint64_t sequence = desk_deliver(world->desk, &delivered);
	world_until(world, acked(world->desk, sequence));
	CHECK(world_saw(world, "submitted k2"));
}

/* Nobody is left who asked: it is asked again, and what comes for the first one finds nothing and harms nothing. */
static void who_is_killed_after_asking_asks_again(void)
{
	_cleanup_(world_free) struct world *world = world_of_a_still_clock();
	const struct desk_message *first = asked(world, "q1");
	world_until(world, world_saw(world, "recorded q1"));
	world_stop(world);
	CHECK_INT(world_count(world, "submitted"), 0);
	world_connect(world);
	const struct desk_message *second = asked(world, "q1");
	CHECK(memcmp(first->h, second->h, HASH_SIZE) != 0);
	uint64_t entry = desk_outcome(world->desk, first, "jobcenter", "accepted", DESK_TRUE);
	struct desk_letter letter = answer_to(first);
	uint64_t sequence = desk_deliver(world->desk, &letter);
	world_until(world, acked(world->desk, sequence) && world->desk->confirmed == entry);
	CHECK(world_saw(world, "delivery jobcenter yes"));
	CHECK_INT(world_count(world, "answered"), 0);
	letter = answer_to(second);
	sequence = desk_deliver(world->desk, &letter);
	world_until(world, acked(world->desk, sequence));
	CHECK(world_saw(world, "answered q1 yes"));
	CHECK_INT(world->failed, 0);
}

/* ---- who answers ---- */

static uint64_t question_comes(struct world *world)
{
	const struct desk_letter letter = {.sender = "jobcenter",
		.recipient = "city",
		.service = "benefit.question",
		.kind = KIND_ENQUIRY,
		.body = BYTES_STR("benefits?")};
	return desk_deliver(world->desk, &letter);
}

static void an_answer_leaves_before_its_question_is_acknowledged(void)
{
	_cleanup_(world_free) struct world *world = world_of_a_still_clock();
	world->answer = "yes";
	world->desk->mood = DESK_SILENT;
	uint64_t sequence = question_comes(world);
	world_until(world, world->desk->messages_count == 1);
	world_while(world, world->desk->acks_count == 0 && world_count(world, "submitted") == 0);
	world_wait_over(world, PATIENCE_MS);
	world_until(world, acked(world->desk, sequence));
	CHECK_INT(world_count(world, "submitted answer-"), 1);
	/* The receipt of an answer ends the wait by itself. */
	world->desk->mood = DESK_HONEST;
	sequence = question_comes(world);
	world_until(world, acked(world->desk, sequence));
	CHECK_INT(world_count(world, "submitted answer-"), 2);
}

/* The answer was not stored: neither was that its question came. So it comes again, and the bus takes one answer. */
static void who_is_killed_after_answering_answers_again(void)
{
	_cleanup_(world_free) struct world *world = world_of_a_still_clock();
	world->answer = "yes";
	world->desk->mood = DESK_SILENT;
	uint64_t sequence = question_comes(world);
	world_until(world, world->desk->messages_count == 1);
	world_stop(world);
	CHECK_INT(world->desk->acks_count, 0);
	world->desk->mood = DESK_REFUSES; /* as the broker does with a second answer */
	world_connect(world);
	desk_deliver_again(world->desk, sequence);
	world_until(world, acked(world->desk, sequence));
	CHECK_INT(world_count(world, "delivery jobcenter benefits?"), 2);
	CHECK_INT(world_count(world, "refused answer-"), 1);
	CHECK_INT(world->failed, 0);
	/* And that it was refused is durable. */
	world_stop(world);
	world_connect(world);
	desk_deliver_again(world->desk, sequence);
	world_while(world, world_count(world, "delivery") == 2);
}

CHECK_MAIN(CHECK_CASE(an_answer_is_told_once), CHECK_CASE(what_names_no_question_is_no_answer),
	CHECK_CASE(no_answer_is_told_with_its_cause), CHECK_CASE(what_cannot_be_asked_says_why),
	CHECK_CASE(a_question_does_not_wait_for_the_disk),
	CHECK_CASE(the_commit_waits_for_some_milliseconds_at_most),
	CHECK_CASE(beside_a_question_nothing_leaves_early),
	CHECK_CASE(who_is_killed_after_asking_asks_again),
	CHECK_CASE(an_answer_leaves_before_its_question_is_acknowledged),
	CHECK_CASE(who_is_killed_after_answering_answers_again))
