/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker dies two hundred times, at any moment, under load: while it starts, while it commits, between
 * commit and receipt. Now and then the recipient dies, too. What people were told stays true: a message
 * with a receipt is in the journal, and reaches the recipient, once.
 *
 * DIENSTWEG_ROUNDS sets how often it dies, DIENSTWEG_SEED when.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/log.h"
#include "test/fault/chance.h"
#include "test/fault/evidence.h"
#include "test/fault/recipient.h"
#include "test/fault/sender.h"
#include "test/kit/check.h"

enum {
	ROUNDS = 200,
	WINDOW = 64,
	OPEN_MAX = 512,
	PING_MS = 50,
	LIFE_MS = 150,      /* longest, of a broker */
	SHORT_LIFE_MS = 15, /* every fourth hardly gets to serve */
	RECIPIENT_DIES = 7, /* in one round of so many */
	STEP_MS = 20,
	SETTLE_MS = 120000,
	PROGRESS_MS = 60000,
};

/* Broken connections and dead recipients are what this is about: nobody is to be given up or waited for. */
static const char patient[] = "delivery:\n  attempts: 1000\n  breaker: 10000\n"
			      "  backoff_min: 10 ms\n  backoff_max: 100 ms\n";
static const char lively[] = "reconnect:\n  min: 10 ms\n  max: 50 ms\n  ping: 100 ms\n";

struct story {
	struct bus bus;
	struct chance chance;
	struct sender *sender;
	struct recipient recipient;
};

static void step(struct story *story, int wait_ms)
{
	if (story->recipient.look)
		story->recipient.look(story->recipient.context);
	sender_step(story->sender, wait_ms < STEP_MS ? wait_ms : STEP_MS);
}

static void live_for(struct story *story, uint32_t ms)
{
	long long end = now_ms() + ms;

	for (long long left = ms; left > 0; left = end - now_ms())
		step(story, (int)left);
}

/* Until somebody got a receipt from the broker as it lives now. */
static void live_under_load(struct story *story)
{
	long long end = now_ms() + PROGRESS_MS;
	struct sender_counts before, now;

	sender_counts(story->sender, &before);
	do {
		CHECK(now_ms() < end);
		step(story, STEP_MS);
		sender_counts(story->sender, &now);
	} while (now.sessions == before.sessions || now.recorded == before.recorded);
}

static void round_run(struct story *story)
{
	if (chance_below(&story->chance, 4) == 0) {
		live_for(story, chance_below(&story->chance, SHORT_LIFE_MS));
	} else {
		live_under_load(story);
		live_for(story, chance_below(&story->chance, LIFE_MS));
	}
	CHECK_INT(bus_end(&story->bus, SIGKILL), 128 + SIGKILL);
	if (chance_below(&story->chance, RECIPIENT_DIES) == 0) {
		story->recipient.kill(story->recipient.context);
		story->recipient.start(story->recipient.context);
	}
	bus_start(&story->bus);
}

/* Until all that was begun has ended. */
static void settle(struct story *story)
{
	long long end = now_ms() + SETTLE_MS;
	struct sender_counts counts;

	sender_rest(story->sender);
	do {
		step(story, STEP_MS);
		sender_counts(story->sender, &counts);
		if (now_ms() > end)
			CHECK_FAIL("of %zu messages %zu were recorded and %zu ended",
				counts.composed, counts.recorded, counts.ended);
	} while (counts.ended < counts.composed || counts.recorded < counts.composed);
}

static void story_open(struct story *story)
{
	log_init("kill-loop", LOG_ERROR, STDERR_FILENO); /* lost sessions are no news here */
	bus_init_usual(&story->bus, check_subdir());
	story->bus.extra = patient;
	story->bus.adapter_extra = lively;
	bus_write(&story->bus);
	bus_start(&story->bus);
	chance_init(&story->chance);
}

static void story_run(struct story *story)
{
	uint64_t rounds = chance_setting("DIENSTWEG_ROUNDS", ROUNDS);
	long long start = now_ms();
	struct sender_counts counts;

	story->sender = sender_new(&(struct sender_options){.bus = &story->bus,
		.name = "city",
		.content_type = story->recipient.content_type,
		.window = WINDOW,
		.open_max = OPEN_MAX,
		.ping_ms = PING_MS});
	story->recipient.start(story->recipient.context);
	for (uint64_t i = 0; i < rounds; i++)
		round_run(story);
	settle(story);
	story->recipient.stop(story->recipient.context);
	CHECK_INT(bus_end(&story->bus, SIGTERM), 0);
	sender_counts(story->sender, &counts);
	printf("# %llu rounds, %zu messages, %zu receipts given again, %zu sessions, "
	       "%zu consistency proofs, %.1f s\n",
		(unsigned long long)rounds, counts.composed, counts.again, counts.sessions,
		counts.proofs, (double)(now_ms() - start) / 1000);
	CHECK(counts.composed > rounds && counts.again > 0 && counts.sessions > rounds / 2);
}

static void story_close(struct story *story, struct handed_over *all)
{
	size_t count;
	const struct letter *letters = sender_letters(story->sender, &count);

	evidence_check(&story->bus, letters, count);
	evidence_handed_over(all, letters, count);
	free(all->ids);
	sender_free(story->sender);
	bus_deinit(&story->bus);
}

static void into_the_strictest_inbox(void)
{
	struct story story = {0};
	struct handed_over all = {0};

	story_open(&story);
	struct receiver *receiver = receiver_new(&story.bus, &story.recipient);
	story_run(&story);
	receiver_free(receiver, &all);
	story_close(&story, &all);
}

static void into_the_case_system(void)
{
	struct story story = {0};
	struct handed_over all = {0};

	story_open(&story);
	struct office *office = office_new(&story.bus, &story.recipient);
	story_run(&story);
	office_free(office, &all);
	story_close(&story, &all);
}

CHECK_MAIN(CHECK_CASE(into_the_case_system), CHECK_CASE(into_the_strictest_inbox))
