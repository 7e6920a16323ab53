/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Four applications of one morning, and four ends: taken, sent back, too late, given up by the operator. Of each the city
 * is told once, keeps what it was told over a crash of the broker, and finds the whole story in the journal.
 */
#include <signal.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { WAIT_MS = 20000, ATTEMPTS = 2, ENDS = 4 };

static const char quick[] = "delivery: {attempts: 2, backoff_min: 20 ms, backoff_max: 100 ms}\n";
static const char *const states[ENDS] = {"accepted", "rejected", "expired", "discarded"};
static const char *const codes[ENDS] = {"", "not-responsible", "", "withdrawn"};
static const char *const case_ids[ENDS] = {"ca5e0000000000000000000000000000",
	"ca5e0100000000000000000000000000", "ca5e0200000000000000000000000000",
	"ca5e0300000000000000000000000000"};

static uint64_t apply(struct party *city, uint8_t case_id, uint64_t expires_ms)
{
	const uint8_t id[16] = {0xca, 0x5e, case_id};
	struct party_draft draft = {.service = "alg2.application",
		.recipient = "jobcenter",
		.case_id = id,
		.expires_ms = expires_ms,
		.body = BYTES_STR("<antrag/>")};
	struct party_answer answer = *party_send(city, &draft);
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

static const struct party_outcome *outcome_of(const struct party *party, uint64_t sequence)
{
	for (size_t i = 0; i < party->outcomes_count; i++)
		if (party->outcomes[i].sequence == sequence)
			return &party->outcomes[i];
	return NULL;
}

static void give_up(struct bus *bus, struct party *jobcenter, uint64_t sequence)
{
	char number[24];
	long long end = now_ms() + WAIT_MS;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)sequence);
	for (uint32_t n = 1; n <= ATTEMPTS; n++) {
		party_until(jobcenter,
			last_of(jobcenter, sequence) != SIZE_MAX &&
				jobcenter->deliveries[last_of(jobcenter, sequence)].attempt == n,
			WAIT_MS);
		party_nak(jobcenter, sequence, 0);
	}
	/* Until the last one is in the journal, there is nothing to discard. */
	for (;;) {
		char *list = tool_admin(bus, 0, "queue", "list", "--json", NULL);
		bool dead = strstr(list, "\"dead\":1") != NULL;
		free(list);
		if (dead)
			break;
		CHECK(now_ms() < end);
		party_step(jobcenter, 50);
	}
	free(tool_admin(bus, 0, "dead", "discard", number, "--reason", "withdrawn", NULL));
}

static void each_end_is_told_once(void)
{
	struct bus bus;
	struct party city, jobcenter;
	uint64_t sent[ENDS];
	bus_init_usual(&bus, check_subdir());
	bus.extra = quick;
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	/* The one that will be too late is sent while nobody is there to take it. */
	sent[2] = apply(&city, 2, clock_wall_ms(clock_system()) + 500);
	party_until(&city, outcome_of(&city, sent[2]), WAIT_MS);
	party_init(&jobcenter, &bus, "jobcenter");
	jobcenter.manual = true;
	party_connect(&jobcenter, NULL);
	for (uint8_t i = 0; i < ENDS; i++)
		if (i != 2)
			sent[i] = apply(&city, i, 0);
	party_until(&jobcenter, jobcenter.deliveries_count == 3, WAIT_MS);
	party_acknowledge(&jobcenter, last_of(&jobcenter, sent[0]), 1, NULL);
	party_acknowledge(&jobcenter, last_of(&jobcenter, sent[1]), 1, "not-responsible");
	give_up(&bus, &jobcenter, sent[3]);
	party_until(&city, city.outcomes_count == ENDS, WAIT_MS);

	/* Told, but not confirmed: after a crash it is told again, and then no more. */
	bus_end(&bus, SIGKILL);
	bus_start(&bus);
	party_until(&city, city.outcomes_count == 2 * ENDS, WAIT_MS);
	party_confirm(&city, city.outcomes[2 * ENDS - 1].entry);
	for (size_t i = 0; i < ENDS; i++) {
		const struct party_outcome *outcome = outcome_of(&city, sent[i]);
		CHECK(outcome);
		CHECK_STR(outcome->state, states[i]);
		CHECK_STR(outcome->recipient, "jobcenter");
		CHECK_STR(outcome->code, codes[i]);
		tool_holds(tool_admin(&bus, 0, "case", "show", case_ids[i], NULL), "recorded",
			states[i], "proven", NULL);
	}
	long long end = now_ms() + WAIT_MS;
	for (;;) {
		char *list = tool_admin(&bus, 0, "queue", "list", "--json", NULL);
		bool waits = tool_count(list, "\"outcomes\":0") != tool_count(list, "\"party\"");
		free(list);
		if (!waits)
			break;
		CHECK(now_ms() < end);
		party_step(&city, 50);
	}
	/* Nothing waits for anybody, and a recipient that comes too late is told so. */
	party_until(&jobcenter, jobcenter.sessions == 1, WAIT_MS);
	party_until(&jobcenter, client_state(jobcenter.client) == CLIENT_READY, WAIT_MS);
	size_t before = jobcenter.acknowledged_count;
	party_acknowledge(&jobcenter, last_of(&jobcenter, sent[3]), 1, NULL);
	party_until(&jobcenter, jobcenter.acknowledged_count > before, WAIT_MS);
	CHECK_INT(city.outcomes_count, 2 * ENDS);

	party_deinit(&jobcenter);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	free(tool_admin(&bus, 0, "audit", "verify", NULL));
	free(tool_admin(&bus, 0, "audit", "replay", NULL));
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(each_end_is_told_once))
