/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * In which order a jobcenter gets what has piled up: a decision never before the application that it belongs to, the
 * urgent before the rest, and the rest all the same.
 */
#include <signal.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { WAIT_MS = 20000, EACH = 28 };

struct office {
	struct bus bus;
	struct party city, jobcenter;
};

static void open_office(struct office *office)
{
	bus_init_usual(&office->bus, check_subdir());
	bus_write(&office->bus);
	bus_start(&office->bus);
	party_init(&office->city, &office->bus, "city");
	party_connect(&office->city, NULL);
	party_init(&office->jobcenter, &office->bus, "jobcenter");
}

static void close_office(struct office *office)
{
	party_deinit(&office->jobcenter);
	party_deinit(&office->city);
	CHECK_INT(bus_end(&office->bus, SIGTERM), 0);
	free(tool_admin(&office->bus, 0, "audit", "replay", NULL));
	bus_deinit(&office->bus);
}

static void urgent(Dienstweg__Header *header)
{
	header->priority = 0;
}

static void normal(Dienstweg__Header *header)
{
	header->priority = 1;
}

static void bulk(Dienstweg__Header *header)
{
	header->priority = 2;
}

static uint64_t apply(struct office *office, uint8_t case_id, uint64_t not_before_ms,
	void (*priority)(Dienstweg__Header *header))
{
	const uint8_t id[16] = {0xca, 0x5e, case_id};
	struct party_draft draft = {.service = "alg2.application",
		.recipient = "jobcenter",
		.case_id = id,
		.not_before_ms = not_before_ms,
		.twist = priority,
		.body = BYTES_STR("<antrag/>")};
	struct party_answer answer = *party_send(&office->city, &draft);
	CHECK_INT(answer.kind, ANSWER_RECEIPT);
	return answer.sequence;
}

static size_t place_of(const struct party *party, uint64_t sequence)
{
	for (size_t i = 0; i < party->deliveries_count; i++)
		if (party->deliveries[i].sequence == sequence)
			return i;
	return SIZE_MAX;
}

/* However late the first one may be delivered, and whether or not the jobcenter is there meanwhile. */
static void what_waits_holds_back_its_case(void)
{
	struct office office;
	open_office(&office);
	uint64_t later_ms = clock_wall_ms(clock_system()) + 1500;
	party_connect(&office.jobcenter, NULL);
	uint64_t first = apply(&office, 1, later_ms, normal);
	uint64_t second = apply(&office, 1, 0, normal);
	uint64_t third = apply(&office, 1, 0, normal);
	uint64_t quick = apply(&office, 1, 0, urgent); /* a lane of its own */
	uint64_t other = apply(&office, 2, 0, normal);
	party_until(&office.jobcenter, office.jobcenter.deliveries_count == 2, WAIT_MS);
	CHECK(place_of(&office.jobcenter, quick) < 2 && place_of(&office.jobcenter, other) < 2);
	/* A new session begins from the queue, and is held back as well. */
	party_disconnect(&office.jobcenter);
	party_connect(&office.jobcenter, NULL);
	party_until(&office.jobcenter, office.jobcenter.deliveries_count == 5, WAIT_MS);
	CHECK(clock_wall_ms(clock_system()) >= later_ms);
	CHECK_INT(place_of(&office.jobcenter, first), 2);
	CHECK_INT(place_of(&office.jobcenter, second), 3);
	CHECK_INT(place_of(&office.jobcenter, third), 4);
	close_office(&office);
}

/* Seven at a time: four urgent ones, two normal, one of the bulk. So the bulk moves while the urgent pile up. */
static void none_starves(void)
{
	struct office office;
	uint64_t sent[3][EACH];
	open_office(&office);
	void (*const priorities[])(Dienstweg__Header *) = {urgent, normal, bulk};
	for (uint8_t lane = 3; lane > 0; lane--)
		for (uint8_t i = 0; i < EACH; i++)
			sent[lane - 1][i] = apply(
				&office, (uint8_t)(lane * 64 + i), 0, priorities[lane - 1]);
	party_connect(&office.jobcenter, NULL);
	party_until(&office.jobcenter, office.jobcenter.deliveries_count == 3 * EACH, WAIT_MS);
	for (size_t i = 0; i < EACH; i++) {
		/* Until the urgent ones are through, everybody's share is exact. */
		CHECK_INT(place_of(&office.jobcenter, sent[0][i]) / 7, i / 4);
		if (i < EACH / 2)
			CHECK_INT(place_of(&office.jobcenter, sent[1][i]) / 7, i / 2);
		if (i < EACH / 4)
			CHECK_INT(place_of(&office.jobcenter, sent[2][i]) / 7, i);
	}
	close_office(&office);
}

CHECK_MAIN(CHECK_CASE(what_waits_holds_back_its_case), CHECK_CASE(none_starves))
