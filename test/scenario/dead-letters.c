/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The jobcenter cannot take everything. One application is broken and comes back again and again; it is put aside, with
 * its cause, and the people at both ends decide. Another day its whole case system is down: then nothing is put
 * aside, and everything arrives when it is up again. And an operator who wants to look first stops a queue.
 */
#include <signal.h>
#include <stdlib.h>

#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { WAIT_MS = 20000, ATTEMPTS = 3 };

static const char quick[] =
	"delivery: {attempts: 3, breaker: 4, backoff_min: 20 ms, backoff_max: 200 ms}\n";

struct office {
	struct bus bus;
	struct party city, jobcenter;
};

static void open_office(struct office *office)
{
	bus_init_usual(&office->bus, check_subdir());
	office->bus.extra = quick;
	bus_write(&office->bus);
	bus_start(&office->bus);
	party_init(&office->city, &office->bus, "city");
	party_connect(&office->city, NULL);
	party_init(&office->jobcenter, &office->bus, "jobcenter");
	office->jobcenter.manual = true;
}

/* Whatever happened, the journal is whole, and the rules decide the same again. */
static void close_office(struct office *office)
{
	party_deinit(&office->jobcenter);
	party_deinit(&office->city);
	CHECK_INT(bus_end(&office->bus, SIGTERM), 0);
	free(tool_admin(&office->bus, 0, "audit", "verify", NULL));
	free(tool_admin(&office->bus, 0, "audit", "replay", NULL));
	bus_deinit(&office->bus);
}

static uint64_t apply(struct office *office, uint8_t case_id)
{
	const uint8_t id[16] = {0xca, 0x5e, case_id};
	struct party_draft draft = {.service = "alg2.application",
		.recipient = "jobcenter",
		.case_id = id,
		.body = BYTES_STR("<antrag/>")};
	struct party_answer answer = *party_send(&office->city, &draft);
	CHECK_INT(answer.kind, ANSWER_RECEIPT);
	return answer.sequence;
}

static size_t last_of(const struct party *party, uint64_t sequence)
{
	for (size_t i = party->deliveries_count; i > 0; i--)
		if (party->deliveries[i - 1].sequence == sequence)
			return i - 1;
	return SIZE_MAX;
}

/* Give one back as often as it comes. */
static void give_back(struct party *party, uint64_t sequence, uint32_t times)
{
	for (uint32_t n = 1; n <= times; n++) {
		party_until(party,
			last_of(party, sequence) != SIZE_MAX &&
				party->deliveries[last_of(party, sequence)].attempt == n,
			WAIT_MS);
		party_nak(party, sequence, 0);
	}
}

static void take(struct party *party, uint64_t sequence)
{
	size_t before = party->acknowledged_count;
	party_until(party, last_of(party, sequence) != SIZE_MAX, WAIT_MS);
	party_acknowledge(party, last_of(party, sequence), 1, NULL);
	party_until(party, party->acknowledged_count > before, WAIT_MS);
}

static void until_dead(struct office *office, const char *count)
{
	long long end = now_ms() + WAIT_MS;
	for (;;) {
		char *list = tool_admin(&office->bus, 1, "dead", "list", "--json", NULL);
		bool there = strstr(list, count) != NULL;
		free(list);
		if (there)
			return;
		CHECK(now_ms() < end);
		party_step(&office->jobcenter, 50);
	}
}

static const struct party_outcome *outcome_of(struct party *party, uint64_t sequence)
{
	for (size_t i = 0; i < party->outcomes_count; i++)
		if (party->outcomes[i].sequence == sequence)
			return &party->outcomes[i];
	return NULL;
}

static void a_broken_application_is_put_aside(void)
{
	struct office office;
	char broken[24], duplicate[24];
	open_office(&office);
	party_connect(&office.jobcenter, NULL);
	free(tool_admin(&office.bus, 0, "dead", "list", NULL));

	/* It comes back as often as it may; what else comes is taken, and nobody waits. */
	uint64_t first = apply(&office, 1);
	uint64_t second = apply(&office, 2);
	give_back(&office.jobcenter, first, ATTEMPTS);
	uint64_t good = apply(&office, 3);
	take(&office.jobcenter, good);
	give_back(&office.jobcenter, second, ATTEMPTS);
	until_dead(&office, "\"messages\":2");
	CHECK(!outcome_of(&office.city, first));
	snprintf(broken, sizeof(broken), "%llu", (unsigned long long)first);
	snprintf(duplicate, sizeof(duplicate), "%llu", (unsigned long long)second);
	tool_holds(tool_admin(&office.bus, 1, "dead", "list", NULL), "cause", "later", "jobcenter",
		NULL);
	tool_holds(tool_admin(&office.bus, 0, "queue", "list", NULL), "dead", "jobcenter", NULL);

	/* What is it? Nobody but the jobcenter can read it, but its people can have the bytes. */
	tool_holds(tool_admin(&office.bus, 0, "dead", "show", broken, "--content",
			   bus_path(&office.bus, "broken"), NULL),
		"died of     later, after 3 attempts", "sender      city", "delivery-failed",
		"dead", NULL);
	CHECK_INT(wait_for_files(bus_path(&office.bus, "."), "broken", 1, 0), 1);
	tool_holds(tool_admin(&office.bus, 0, "audit", "list", "--kind", "inspected", NULL),
		"1 record", NULL);

	/* The jobcenter has mended its program: once more. The other one was sent twice by mistake. */
	tool_holds(
		tool_admin(&office.bus, 0, "dead", "retry", broken, NULL), "1 message back", NULL);
	party_until(&office.jobcenter,
		office.jobcenter.deliveries[last_of(&office.jobcenter, first)].attempt ==
			ATTEMPTS + 1,
		WAIT_MS);
	take(&office.jobcenter, first);
	tool_holds(tool_admin(&office.bus, 0, "dead", "discard", duplicate, "--reason", "duplicate",
			   NULL),
		"1 message discarded", NULL);
	party_until(&office.city, outcome_of(&office.city, first), WAIT_MS);
	party_until(&office.city, outcome_of(&office.city, second), WAIT_MS);
	CHECK_STR(outcome_of(&office.city, first)->state, "accepted");
	CHECK_STR(outcome_of(&office.city, second)->state, "discarded");
	CHECK_STR(outcome_of(&office.city, second)->code, "duplicate");
	tool_holds(
		tool_admin(&office.bus, 0, "case", "show", "ca5e0200000000000000000000000000", NULL),
		"recorded", "delivery-failed", "dead", "discarded", "duplicate", NULL);
	free(tool_admin(&office.bus, 0, "dead", "list", NULL));
	free(tool_admin(&office.bus, 1, "dead", "retry", "--all", NULL));
	close_office(&office);
}

/* Everything comes back, whatever it is: that is the case system, and no message's fault. */
static void an_outage_puts_nothing_aside(void)
{
	enum { MESSAGES = 6, ROUNDS = 10 };
	struct office office;
	uint64_t sequences[MESSAGES];
	open_office(&office);
	for (uint8_t i = 0; i < MESSAGES; i++)
		sequences[i] = apply(&office, i);
	char *status = tool_admin(&office.bus, 0, "status", NULL);
	CHECK(tool_count(status, "jobcenter") > 0);
	CHECK_INT(tool_count(status, "RESTS"), 0);
	free(status);
	party_connect(&office.jobcenter, NULL);
	for (size_t round = 0; round < ROUNDS; round++) {
		party_until(&office.jobcenter, office.jobcenter.deliveries_count > round, WAIT_MS);
		party_nak(&office.jobcenter, office.jobcenter.deliveries[round].sequence, 0);
	}
	tool_holds(tool_admin(&office.bus, 0, "status", NULL), "RESTS", NULL);
	free(tool_admin(&office.bus, 0, "dead", "list", NULL));

	/* It is up again. */
	office.jobcenter.manual = false;
	office.jobcenter.acknowledged_to = office.jobcenter.deliveries_count;
	party_until(&office.jobcenter, office.jobcenter.acknowledged_count == MESSAGES, WAIT_MS);
	party_until(&office.city, office.city.outcomes_count == MESSAGES, WAIT_MS);
	for (size_t i = 0; i < MESSAGES; i++)
		CHECK_STR(outcome_of(&office.city, sequences[i])->state, "accepted");
	close_office(&office);
}

static void an_operator_stops_a_queue(void)
{
	struct office office;
	open_office(&office);
	tool_holds(tool_admin(&office.bus, 0, "queue", "hold", "jobcenter", NULL),
		"The queue of jobcenter is held", NULL);
	free(tool_admin(&office.bus, 1, "queue", "hold", "jobcenter", NULL));
	free(tool_admin(&office.bus, 1, "queue", "hold", "nobody", NULL));
	uint64_t first = apply(&office, 1); /* the city notices nothing */

	/* Over a crash, too. */
	bus_end(&office.bus, SIGKILL);
	bus_start(&office.bus);
	party_connect(&office.jobcenter, NULL);
	party_until(&office.city, office.city.sessions == 1, WAIT_MS);
	party_until(&office.city, client_state(office.city.client) == CLIENT_READY, WAIT_MS);
	uint64_t second = apply(&office, 2);
	for (int i = 0; i < 5; i++)
		party_step(&office.jobcenter, 100);
	CHECK_INT(office.jobcenter.deliveries_count, 0);
	tool_holds(tool_admin(&office.bus, 0, "queue", "list", NULL), "jobcenter", "HELD", NULL);
	tool_holds(tool_admin(&office.bus, 0, "status", NULL), "HELD by an operator", NULL);

	/* One of the two stays behind for now, and so does everything of the service that comes from here on. */
	char message[24];
	snprintf(message, sizeof(message), "%llu", (unsigned long long)second);
	free(tool_admin(&office.bus, 0, "queue", "hold", "--message", message, NULL));
	free(tool_admin(&office.bus, 0, "queue", "release", "jobcenter", NULL));
	take(&office.jobcenter, first);
	tool_holds(
		tool_admin(&office.bus, 0, "queue", "hold", "--service", "alg2.application", NULL),
		"Service alg2.application is held, 0 waiting messages", NULL);
	uint64_t third = apply(&office, 3);
	free(tool_admin(&office.bus, 0, "queue", "release", "--message", message, NULL));
	take(&office.jobcenter, second);
	CHECK_INT(last_of(&office.jobcenter, third) == SIZE_MAX, 1);
	tool_holds(tool_admin(&office.bus, 0, "queue", "release", "--service", "alg2.application",
			   NULL),
		"released, 1 waiting message included", NULL);
	take(&office.jobcenter, third);
	close_office(&office);
}

CHECK_MAIN(CHECK_CASE(a_broken_application_is_put_aside), CHECK_CASE(an_outage_puts_nothing_aside),
	CHECK_CASE(an_operator_stops_a_queue))
