/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A recipient is down for so long that a million messages wait for it. What do the others feel, does the broker grow,
 * and how fast is it through when the recipient is back? Two brokers stand side by side, one with the backlog and one
 * without, and are measured in turn: a disk or a machine that is slower at this minute is slower for both. It prints,
 * people compare.
 *   bench-backlog [MESSAGES]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "test/bench/flow.h"
#include "test/kit/check.h"
#include "test/kit/usage.h"

enum {
	ROUNDS = 5,
	IN_FLIGHT = 256,
	BODY = 256,
	LEAST_RATE = 500, /* messages a second; slower is broken */
};
static const double round_s = 2.0;

struct world {
	struct bus bus;
	struct flow_receiver receiver; /* the jobcenter, which is always there */
	char extra[128];
};

/* The ministry sends figures to an archive, which is away; a city and a jobcenter have nothing to do with it. */
static void world_open(struct world *world, uint64_t messages)
{
	*world = (struct world){0};
	bus_init_usual(&world->bus, check_subdir());
	struct registry_fixture *f = world->bus.fixture;
	registry_fixture_party(f, "ministry", NULL);
	registry_fixture_party(f, "archive", NULL);
	registry_fixture_service(f, "uvg.figures");
	Dienstweg__Agreement *figures = registry_fixture_agreement(f, "figures", "2021-01-01", NULL);
	registry_fixture_flow(f, figures, "uvg.figures", "ministry", "archive", NULL);
	snprintf(world->extra, sizeof(world->extra), "queue:\n  messages: %llu\n",
		(unsigned long long)messages);
	world->bus.extra = world->extra;
	bus_write(&world->bus);
	bus_start(&world->bus);
	flow_receiver_start(&world->receiver, &world->bus, "jobcenter");
}

static void world_close(struct world *world)
{
	flow_receiver_end(&world->receiver);
	CHECK_INT(bus_end(&world->bus, SIGTERM), 0);
	bus_deinit(&world->bus);
}

static double rate_of(struct world *world)
{
	struct flow_result result;
	flow_run(&world->bus, "city", &world->receiver, IN_FLIGHT, BODY, round_s, &result);
	return result.rate;
}

static void memory_print(const struct world *world, const char *when)
{
	printf("%10.1f MiB anonymous memory of the broker %s\n",
		(double)usage_anonymous_bytes(world->bus.broker.pid) / (1 << 20), when);
	fflush(stdout);
}

/* Return: the live rate, without a backlog. */
static double compare(struct world *crowded, struct world *empty, const char *when)
{
	double with[ROUNDS], without[ROUNDS], ratios[ROUNDS];
	for (size_t i = 0; i < ROUNDS; i++) {
		without[i] = rate_of(empty);
		with[i] = rate_of(crowded);
		ratios[i] = with[i] / without[i];
		printf("           round %zu: %.0f/s without, %.0f/s with\n", i + 1, without[i],
			with[i]);
	}
	double live = samples_median(without, ROUNDS);
	printf("%10.2f of the rate without a backlog, for others, %s (median of %d rounds in "
	       "turn)\n",
		samples_median(ratios, ROUNDS), when, ROUNDS);
	fflush(stdout);
	return live;
}

/* The archive is back and takes all there is. Return: messages a second. */
static double drain(struct world *world, uint64_t messages)
{
	struct flow_receiver archive;
	struct party bystander;
	int patience_ms = 60000 + (int)(messages / LEAST_RATE) * 1000;

	party_init(&bystander, &world->bus, "ministry");
	party_connect(&bystander, NULL);
	uint64_t start_ns = clock_mono_ns(clock_system());
	flow_receiver_start(&archive, &world->bus, "archive");
	party_until(&bystander, archive.through->count >= messages, patience_ms);
	double seconds = (double)(clock_mono_ns(clock_system()) - start_ns) / 1e9;
	flow_receiver_end(&archive);
	party_deinit(&bystander);
	return (double)messages / seconds;
}

int main(int argc, char **argv)
{
	static const struct party_draft figures = {.service = "uvg.figures", .recipient = "archive"};
	uint64_t messages = 1000000;
	struct world crowded, empty;

	if (argc > 2 || (argc == 2 && text_parse_u64(BYTES_STR(argv[1]), &messages) != 0)) {
		fprintf(stderr, "usage: bench-backlog [MESSAGES]\n");
		return 2;
	}
	CHECK(messages >= 1);
	world_open(&crowded, messages);
	world_open(&empty, messages);
	rate_of(&crowded); /* warm */
	rate_of(&empty);
	memory_print(&crowded, "before");
	double rate = flow_fill(&crowded.bus, "ministry", &figures, messages, BODY);
	printf("%10.0f messages wait for the archive, accepted at %.0f/s\n", (double)messages, rate);
	memory_print(&crowded, "with them");
	double live = compare(&crowded, &empty, "with them");
	memory_print(&crowded, "after traffic beside them");
	double drained = drain(&crowded, messages);
	printf("%10.0f messages/s drained: %.2f of the live rate (%.0f/s)\n", drained,
		drained / live, live);
	memory_print(&crowded, "after that");
	world_close(&empty);
	world_close(&crowded);
	return 0;
}
