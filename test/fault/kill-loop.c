/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker dies two hundred times, at any moment, under load: while it starts, while it commits, between
 * commit and receipt. Now and then the recipient dies, too. What people were told stays true: a message
 * with a receipt is in the journal, and reaches the recipient, once.
 *
 * DIENSTWEG_ROUNDS sets how often it dies, DIENSTWEG_SEED when.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/log.h"
#include "test/fault/chance.h"
#include "test/fault/evidence.h"
#include "test/fault/receiver.h"
#include "test/fault/sender.h"
#include "test/kit/check.h"

enum {
	ROUNDS = 200,
	WINDOW = 64,
	OPEN_MAX = 512,
	PING_MS = 50,
	LIFE_MS = 150,      /* longest, of a broker */
	SHORT_LIFE_MS = 15, /* every fourth hardly gets to serve */
	RECEIVER_DIES = 7,  /* in every so manieth round */
	SETTLE_MS = 120000,
	PROGRESS_MS = 60000,
};

/* Broken connections and dead recipients are what this is about: nobody is to be given up or waited for. */
static const char patient[] = "delivery:\n  attempts: 1000\n  breaker: 10000\n"
			      "  backoff_min: 10 ms\n  backoff_max: 100 ms\n";

static void live_for(struct sender *sender, uint32_t ms)
{
	long long end = now_ms() + ms;

	for (long long left = ms; left > 0; left = end - now_ms())
		sender_step(sender, (int)left);
}

static void bus_open(struct bus *bus)
{
	log_init("kill-loop", LOG_ERROR, STDERR_FILENO); /* lost sessions are no news here */
	bus_init_usual(bus, check_subdir());
	bus->extra = patient;
	bus_write(bus);
	bus_start(bus);
}

/* Until all that was begun has ended. */
static void settle(struct sender *sender)
{
	long long end = now_ms() + SETTLE_MS;
	struct sender_counts counts;

	sender_rest(sender);
	do {
		sender_step(sender, 100);
		sender_counts(sender, &counts);
		if (now_ms() > end)
			CHECK_FAIL("of %zu messages %zu were recorded and %zu ended",
				counts.composed, counts.recorded, counts.ended);
	} while (counts.ended < counts.composed || counts.recorded < counts.composed);
}

static void report(const struct sender *sender, uint64_t rounds, long long start)
{
	struct sender_counts counts;

	sender_counts(sender, &counts);
	printf("# %llu rounds, %zu messages, %zu receipts given again, %zu sessions, "
	       "%zu consistency proofs, %.1f s\n",
		(unsigned long long)rounds, counts.composed, counts.again, counts.sessions,
		counts.proofs, (double)(now_ms() - start) / 1000);
	CHECK(counts.composed > rounds && counts.again > 0 && counts.sessions > 1);
}

/* Until somebody got a receipt from the broker as it lives now. */
static void under_load(struct sender *sender)
{
	long long end = now_ms() + PROGRESS_MS;
	struct sender_counts before, now;

	sender_counts(sender, &before);
	do {
		CHECK(now_ms() < end);
		sender_step(sender, 100);
		sender_counts(sender, &now);
	} while (now.recorded == before.recorded);
}

static void round_run(struct bus *bus, struct sender *sender, struct chance *chance)
{
	if (chance_below(chance, 4) == 0) {
		live_for(sender, chance_below(chance, SHORT_LIFE_MS));
	} else {
		under_load(sender);
		live_for(sender, chance_below(chance, LIFE_MS));
	}
	CHECK_INT(bus_end(bus, SIGKILL), 128 + SIGKILL);
	bus_start(bus);
}

static void with_a_strict_inbox(void)
{
	uint64_t rounds = chance_setting("DIENSTWEG_ROUNDS", ROUNDS);
	long long start = now_ms();
	struct chance chance;
	struct bus bus;
	uint8_t(*ids)[16];
	size_t len, count;

	bus_open(&bus);
	chance_init(&chance);
	struct receiver receiver = {.bus = &bus, .name = "jobcenter"};
	snprintf(receiver.file, sizeof(receiver.file), "%s", bus_path(&bus, "handed-over"));
	receiver_start(&receiver);
	struct sender *sender = sender_new(&(struct sender_options){.bus = &bus,
		.name = "city",
		.window = WINDOW,
		.open_max = OPEN_MAX,
		.ping_ms = PING_MS});
	for (uint64_t i = 1; i <= rounds; i++) {
		round_run(&bus, sender, &chance);
		if (i % RECEIVER_DIES == 0) {
			receiver_kill(&receiver);
			receiver_start(&receiver);
		}
	}
	settle(sender);
	receiver_kill(&receiver);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	report(sender, rounds, start);
	const struct letter *letters = sender_letters(sender, &count);
	evidence_check(&bus, letters, count);
	CHECK_INT(file_read(receiver.file, 1 << 30, (uint8_t **)&ids, &len), 0);
	CHECK_INT(len % sizeof(*ids), 0);
	evidence_handed_over(ids, len / sizeof(*ids), letters, count);
	free(ids);
	sender_free(sender);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(with_a_strict_inbox))
