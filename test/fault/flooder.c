/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A flooder beside a normal party: a ministry whose outbox has gone mad submits 256 messages a frame, as
 * fast as the wire takes them, deaf to every "busy", while a city sends one message and waits for its
 * receipt, as it always does. And, to compare, a busy neighbour: a ministry that keeps to the protocol and
 * always has a thousand messages under way. What the city feels is a ratio of two latencies from the same
 * minute on the same machine, so it says as much on a slow one.
 *
 * With an argument, the ratio beside a flooder that must not be passed: flooder 2. Without: figures only.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "test/fault/chance.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/kit/usage.h"
#include "test/kit/wire.h"

enum {
	ROUNDS = 5,
	ROUNDS_MAX = 16,
	NAME_SIZE = 32,
	ROUND_MS = 2000,
	WARM_UP = 50,
	SAMPLES_MIN = 100, /* in a round, or its p99 is anecdote */
	SAMPLES_MAX = 20000,
	FRAME_MESSAGES = 256,
	UNDER_WAY = 4 * FRAME_MESSAGES, /* of a neighbour */
#ifdef USAGE_SANITIZED
	FRAMES = 40,
#else
	FRAMES = 240, /* more than the broker journals in a round: hardly any comes twice */
#endif
	FRAME_ARENA = 16 << 20,
	QUIET_MS = 60000,
	LEAST_PRIORITY = 19,
};

/* ---- the flooder ---- */

/* Somebody who takes more than the usual share. */
struct nuisance {
	const char *what;
	/* Does not return; a byte goes to @ready once it is under way. */
	void (*main)(const struct bus *bus, const char *name, int ready);
};

struct flood {
	pid_t pid;
	int ready; /* readable once it floods */
};

static struct bytes frame_compose(struct party *ministry, struct wire *wire)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(FRAME_ARENA);
	struct party_draft draft = {.service = "uvg.figures", .recipient = "city"};
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;

	submit.number = ++ministry->submit_number;
	submit.resume = true; /* whatever it was told */
	submit.envelopes = party_compose(ministry, &draft, FRAME_MESSAGES, arena);
	submit.n_envelopes = FRAME_MESSAGES;
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	struct bytes packed = wire_pack(wire, &frame);
	uint8_t *copy = malloc(packed.len);
	CHECK(copy);
	memcpy(copy, packed.data, packed.len);
	return BYTES(copy, packed.len);
}

/* Deaf to all but the end of its session, which would end the flood. */
static void answers_drop(struct wire *wire, const char *name)
{
	struct bytes answer;

	while (wire_receive(wire, &answer, 0))
		if (memmem(answer.data, answer.len, "hello-required", 14))
			wire_hello(wire, name);
}

static void neighbour_main(const struct bus *bus, const char *name, int ready)
{
	const struct party_draft draft = {.service = "uvg.figures", .recipient = "city"};
	struct party ministry;
	size_t sent = 0, answered = 0;

	party_init(&ministry, bus, name);
	party_connect(&ministry, NULL);
	CHECK_INT(write(ready, "", 1), 1);
	for (;;) {
		arena_reset(ministry.arena);
		party_submit(&ministry,
			party_compose(&ministry, &draft, FRAME_MESSAGES, ministry.arena),
			FRAME_MESSAGES, false);
		sent += FRAME_MESSAGES;
		party_until(&ministry,
			sent - answered - ministry.answers_count <= UNDER_WAY - FRAME_MESSAGES,
			QUIET_MS);
		answered += ministry.answers_count;
		ministry.answers_count = 0;
	}
}

static void flooder_main(const struct bus *bus, const char *name, int ready)
{
	struct bytes frames[FRAMES];
	struct party ministry;

	party_init(&ministry, bus, name);
	struct wire *wire = wire_new(bus, name);
	for (size_t i = 0; i < FRAMES; i++)
		frames[i] = frame_compose(&ministry, wire);
	wire_open_session(wire, name);
	for (size_t i = 0;; i++) {
		CHECK(wire_send(wire, frames[i % FRAMES], QUIET_MS));
		answers_drop(wire, name);
		if (i == FRAMES / 10)
			CHECK_INT(write(ready, "", 1), 1);
	}
}

static void flood_start(struct flood *flood, const struct bus *bus, const struct nuisance *nuisance,
	const char *name)
{
	pid_t parent = getpid();
	int ends[2];
	char byte;

	CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
	flood->pid = fork();
	CHECK(flood->pid >= 0);
	if (flood->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(126);
		/* Elsewhere it would have a processor of its own; here it takes what the bus leaves. */
		CHECK_INT(
			setpriority(PRIO_PROCESS, 0, LEAST_PRIORITY + getpriority(PRIO_PROCESS, 0)),
			0);
		nuisance->main(bus, name, ends[1]);
	}
	close(ends[1]);
	CHECK_INT(read(ends[0], &byte, 1), 1);
	close(ends[0]);
}

static void flood_end(struct flood *flood)
{
	kill(flood->pid, SIGKILL);
	CHECK_INT(waitpid(flood->pid, NULL, 0), flood->pid);
}

/* ---- the normal party ---- */

struct latency {
	uint64_t p50_us, p99_us;
	size_t count;
};

static uint64_t message_us(struct party *city)
{
	static const struct party_draft application = {.region = "051240000000"};
	size_t before = city->answers_count;

	arena_reset(city->arena);
	Dienstweg__Envelope **one = party_compose(city, &application, 1, city->arena);
	uint64_t start = clock_mono_ns(clock_system());
	party_submit(city, one, 1, false);
	party_until(city, city->answers_count > before, QUIET_MS);
	uint64_t us = (clock_mono_ns(clock_system()) - start) / 1000;
	CHECK_INT(city->answers[before].kind, ANSWER_RECEIPT); /* never busy because of another */
	city->answers_count = 0;
	return us;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static struct latency measure(struct party *city)
{
	uint64_t *us = calloc(SAMPLES_MAX, sizeof(*us));
	struct latency latency = {0};
	long long end = now_ms() + ROUND_MS;

	CHECK(us);
	while ((now_ms() < end || latency.count < SAMPLES_MIN) && latency.count < SAMPLES_MAX)
		us[latency.count++] = message_us(city);
	qsort(us, latency.count, sizeof(*us), by_value);
	latency.p50_us = us[latency.count / 2];
	latency.p99_us = us[latency.count * 99 / 100];
	free(us);
	return latency;
}

/* What the flooder left behind is worked off before the next round. */
static void quiet_down(struct party *city)
{
	long long end = now_ms() + QUIET_MS;
	uint64_t quick = 0;

	for (size_t i = 0; i < WARM_UP; i++) {
		uint64_t us = message_us(city);
		quick = quick && quick < us ? quick : us;
		if (us > 20 * quick)
			i = 0;
		CHECK(now_ms() < end);
	}
}

static void latency_print(const char *what, const struct latency *latency)
{
	printf("%s p50 %6.2f ms  p99 %6.2f ms  (%zu messages)   ", what,
		(double)latency->p50_us / 1000, (double)latency->p99_us / 1000, latency->count);
}

static uint64_t ratio_percent(uint64_t beside, uint64_t alone)
{
	return beside * 100 / (alone ? alone : 1);
}

struct ratios {
	uint64_t p50, p99; /* in percent */
};

static struct ratios beside(
	struct bus *bus, struct party *city, const struct nuisance *nuisance, const char *name)
{
	struct flood flood;

	quiet_down(city);
	struct latency alone = measure(city);
	flood_start(&flood, bus, nuisance, name);
	struct latency crowded = measure(city);
	flood_end(&flood);
	latency_print("alone:", &alone);
	printf("beside a %s", nuisance->what);
	latency_print(":", &crowded);
	struct ratios ratios = {ratio_percent(crowded.p50_us, alone.p50_us),
		ratio_percent(crowded.p99_us, alone.p99_us)};
	printf("p99 ratio %.2f\n", (double)ratios.p99 / 100);
	fflush(stdout);
	return ratios;
}

static uint64_t medians_print(const char *whom, struct ratios *ratios, size_t rounds)
{
	uint64_t p50[ROUNDS_MAX], p99[ROUNDS_MAX];

	for (size_t i = 0; i < rounds; i++) {
		p50[i] = ratios[i].p50;
		p99[i] = ratios[i].p99;
	}
	qsort(p50, rounds, sizeof(*p50), by_value);
	qsort(p99, rounds, sizeof(*p99), by_value);
	printf("median ratio beside a %s: p50 %.2f, p99 %.2f\n", whom,
		(double)p50[rounds / 2] / 100, (double)p99[rounds / 2] / 100);
	return p99[rounds / 2];
}

/* In each round another ministry: who has flooded is shut out for longer than a round takes. */
static void ministry_name(size_t number, char ret[NAME_SIZE])
{
	snprintf(ret, NAME_SIZE, "ministry%zu", number);
}

/* Return: the p99 ratio, in percent. */
static uint64_t rounds_run(
	struct bus *bus, struct party *city, const struct nuisance *nuisance, size_t rounds)
{
	struct ratios ratios[ROUNDS_MAX];
	char name[NAME_SIZE];

	for (size_t i = 0; i < rounds; i++) {
		ministry_name(i, name);
		ratios[i] = beside(bus, city, nuisance, name);
	}
	return medians_print(nuisance->what, ratios, rounds);
}

static void world_open(struct bus *bus, size_t ministries)
{
	char name[NAME_SIZE];

	bus_init_usual(bus, check_tmpdir());
	registry_fixture_service(bus->fixture, "uvg.figures");
	Dienstweg__Agreement *figures = registry_fixture_agreement(
		bus->fixture, "figures", "2021-01-01", NULL);
	for (size_t i = 0; i < ministries; i++) {
		ministry_name(i, name);
		registry_fixture_party(bus->fixture, name, NULL);
		registry_fixture_flow(bus->fixture, figures, "uvg.figures", name, "city", NULL);
	}
	bus_write(bus);
	bus_start(bus);
}

int main(int argc, char **argv)
{
	static const struct nuisance neighbour = {"busy neighbour", neighbour_main};
	static const struct nuisance flooder = {"flooder", flooder_main};
	size_t rounds = chance_setting("DIENSTWEG_ROUNDS", ROUNDS);
	uint64_t bound = 0;
	struct party city;
	struct bus bus;

	if (argc > 2 || (argc == 2 && text_parse_u64(BYTES_STR(argv[1]), &bound) != 0)) {
		fprintf(stderr, "usage: flooder [HIGHEST-RATIO]\n");
		return 2;
	}
	CHECK(rounds >= 1 && rounds <= ROUNDS_MAX);
	log_init("flooder", LOG_ERROR, STDERR_FILENO);
	world_open(&bus, rounds);
	party_init(&city, &bus, "city");
	city.no_credit = true; /* the ministries' messages are not its business here */
	party_connect(&city, NULL);
	rounds_run(&bus, &city, &neighbour, rounds);
	uint64_t ratio = rounds_run(&bus, &city, &flooder, rounds);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
	if (bound && ratio > bound * 100)
		CHECK_FAIL("beside a flooder, p99 is %.2f times what it is alone, more than %llu",
			(double)ratio / 100, (unsigned long long)bound);
	return 0;
}
