/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The transit company tells of disruptions. A town subscribes only in the third week; it asks for what was told
 * before, and gets it, once the journal has noted that. What was never meant for it, it does not get, however it asks.
 * An office whose disk died has what it once took delivered once more.
 */
#include <signal.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { EVENTS = 100, WAIT_MS = 20000 };

/* Town and village: both on the bus, and at first only the village subscribes. */
static void write_bus(struct bus *bus)
{
	bus_init_usual(bus, check_subdir());
	struct registry_fixture *f = bus->fixture;
	registry_fixture_party(f, "transit", NULL);
	registry_fixture_party(f, "town", NULL);
	registry_fixture_party(f, "village", NULL);
	Dienstweg__Service *service = registry_fixture_service(f, "disruption");
	service->event = true;
	service->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	registry_fixture_service(f, "secret.event")->event = true;
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		f, "transit", "2021-07-01", NULL);
	registry_fixture_flow(f, agreement, "disruption,secret.event", "transit", "village", NULL);
	bus_write(bus);
	bus_start(bus);
}

static void town_subscribes(struct bus *bus)
{
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		bus->fixture, "transit-town", "2021-07-01", NULL);
	registry_fixture_flow(
		bus->fixture, agreement, "disruption,secret.event", "transit", "town", NULL);
	bus_registry_next(bus);
	tool_holds(tool_admin(bus, 0, "registry", "reload", NULL), "is in force", NULL);
}

struct heard {
	size_t items, frames, taken;
	uint64_t first, last, next;
	bool end;
	char bodies[8][32]; /* of the first ones */
	char error[32];
};

static void hear(void *context, const Dienstweg__Frame *frame)
{
	struct heard *heard = context;
	if (frame->body_case == DIENSTWEG__FRAME__BODY_ERROR)
		snprintf(heard->error, sizeof(heard->error), "%.*s", (int)frame->error->code.len,
			(const char *)frame->error->code.data);
	if (frame->body_case != DIENSTWEG__FRAME__BODY_REPLAYED)
		return;
	const Dienstweg__Replayed *replayed = frame->replayed;
	for (size_t i = 0; i < replayed->n_items; i++) {
		heard->taken += replayed->items[i]->attempt;
		CHECK(heard->items == 0 || replayed->items[i]->sequence > heard->last);
		if (heard->items++ == 0)
			heard->first = replayed->items[i]->sequence;
		heard->last = replayed->items[i]->sequence;
	}
	heard->frames++;
	heard->next = replayed->next;
	heard->end = replayed->end;
}

static void ask(struct party *party, const char *for_whom, uint64_t from, uint64_t from_ms)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Replay replay = DIENSTWEG__REPLAY__INIT;
	replay.party = (ProtobufCBinaryData){
		.len = strlen(for_whom), .data = (uint8_t *)(uintptr_t)for_whom};
	replay.from = from;
	replay.from_ms = from_ms;
	frame.body_case = DIENSTWEG__FRAME__BODY_REPLAY;
	frame.replay = &replay;
	CHECK_INT(client_send(party->client, &frame), 0);
}

/* Stretch by stretch, until that was all. */
static struct heard replayed(struct party *party, uint64_t from, uint64_t from_ms)
{
	struct heard heard = {.next = from};
	party->on_frame = hear;
	party->on_frame_context = &heard;
	while (!heard.end && !heard.error[0]) {
		size_t before = heard.frames;
		ask(party, party->name, heard.next, from_ms);
		party_until(party, heard.frames > before || heard.error[0], WAIT_MS);
	}
	party->on_frame = NULL;
	return heard;
}

/* Neither for others nor of others: what waits for the jobcenter is no sender's to have replayed. */
static void nobody_gets_more(struct bus *bus, struct party *town)
{
	struct party_draft letter = {.region = "051240000000"};
	struct heard refused = {0};
	struct party city;
	town->on_frame = hear;
	town->on_frame_context = &refused;
	ask(town, "village", 0, 0);
	party_until(town, refused.error[0], WAIT_MS);
	CHECK_STR(refused.error, "not-operated");
	town->on_frame = NULL;
	party_init(&city, bus, "city");
	party_connect(&city, NULL);
	CHECK_INT(party_send(&city, &letter)->kind, ANSWER_RECEIPT);
	CHECK_INT(replayed(&city, 0, 0).items, 0);
	party_deinit(&city);
}

static void a_town_subscribes_late(void)
{
	struct bus bus;
	struct party transit, town, village;
	char *listed;
	struct party_draft event = {
		.service = "disruption", .event = true, .clear = true, .body = BYTES_STR("lift")};
	struct party_draft sealed = {.service = "secret.event", .event = true};

	write_bus(&bus);
	party_init(&transit, &bus, "transit");
	party_init(&village, &bus, "village");
	party_init(&town, &bus, "town");
	party_connect(&transit, NULL);
	party_connect(&village, NULL);
	party_connect(&town, NULL);

	/* Weeks in which the town has no right to know. */
	for (size_t i = 0; i < EVENTS; i += 20)
		party_submit(
			&transit, party_compose(&transit, &event, 20, transit.arena), 20, false);
	party_until(&transit, transit.answers_count == EVENTS, WAIT_MS);
	CHECK_INT(party_send(&transit, &sealed)->kind, ANSWER_RECEIPT);
	party_until(&village, village.acknowledged_count == EVENTS + 1, WAIT_MS);
	struct heard nothing = replayed(&town, 0, 0);
	CHECK_INT(nothing.items, 0);
	CHECK(nothing.end);
	/* Nothing went out, so nothing is noted. */
	listed = tool_admin(&bus, 0, "audit", "list", "--kind", "inspected", NULL);
	CHECK_INT(tool_count(listed, "asked for a replay"), 0);
	free(listed);

	/* From now on it has. All of before comes, in order, in frames that fit; the sealed one does not. */
	town_subscribes(&bus);
	uint64_t middle_ms = clock_wall_ms(clock_system()) + 1;
	struct heard all = replayed(&town, 0, 0);
	CHECK_STR(all.error, "");
	CHECK_INT(all.items, EVENTS);
	CHECK_INT(all.taken, 0);
	CHECK(all.frames >= 2);
	CHECK_INT(all.first, transit.answers[0].sequence);
	CHECK_INT(town.deliveries_count, 0);
	tool_holds(tool_admin(&bus, 0, "audit", "list", "--kind", "inspected", NULL),
		"64 messages between entry", "went once more to town", "36 messages", NULL);

	/* New ones come as usual, and replay goes on from a place, or from a time, with those that were taken. */
	while (clock_wall_ms(clock_system()) <= middle_ms)
		party_step(&transit, 1);
	struct party_answer fresh = *party_send(&transit, &event);
	party_until(&town, town.acknowledged_count == 1, WAIT_MS);
	struct heard later = replayed(&town, all.last + 1, 0);
	CHECK_INT(later.items, 1);
	CHECK_INT(later.taken, 1);
	CHECK_INT(later.first, fresh.sequence);
	later = replayed(&town, 0, middle_ms);
	CHECK_INT(later.items, 1);
	CHECK_INT(later.first, fresh.sequence);
	CHECK_INT(replayed(&town, 0, middle_ms + 3600000).items, 0);

	nobody_gets_more(&bus, &town);
	party_deinit(&transit);
	party_deinit(&town);
	party_deinit(&village);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	free(tool_admin(&bus, 0, "audit", "verify", NULL));
	free(tool_admin(&bus, 0, "audit", "replay", NULL));
	bus_deinit(&bus);
}

/* The jobcenter took three applications and rejected none; then its folder was lost, and with it two files. */
static void a_folder_was_lost(void)
{
	struct bus bus;
	struct party city;
	struct party_draft letter = {.region = "051240000000", .body = BYTES_STR("the form")};
	char *output;

	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);
	bus_adapter_write(&bus, "jobcenter", bus.endpoint);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	for (int i = 0; i < 3; i++)
		CHECK_INT(party_send(&city, &letter)->kind, ANSWER_RECEIPT);
	free(tool_party(&bus, "jobcenter", 0, "receive", "--count", "3", "--out",
		bus_path(&bus, "got"), NULL));
	CHECK_INT(wait_for_files(bus_path(&bus, "got"), ".body", 3, 0), 3);
	party_until(&city, city.outcomes_count == 3, WAIT_MS);

	output = tool_party(&bus, "jobcenter", 0, "receive", "--replay-from", "3", "--count", "2",
		"--json", "--out", bus_path(&bus, "again"), NULL);
	CHECK_INT(tool_count(output, "\"event\":\"replayed\""), 2);
	CHECK_INT(tool_count(output, "\"taken\":true"), 2);
	free(output);
	CHECK_INT(wait_for_files(bus_path(&bus, "again"), ".body", 2, 0), 2);
	free(tool_party(&bus, "jobcenter", 1, "receive", "--replay-from", "2126-01-01", "--count",
		"1", "--timeout", "1", "--out", bus_path(&bus, "again"), NULL));
	free(tool_party(&bus, "jobcenter", 2, "receive", "--replay-from", "yesterday", NULL));

	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	free(tool_admin(&bus, 0, "audit", "replay", NULL));
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(a_town_subscribes_late), CHECK_CASE(a_folder_was_lost))
