/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A recipient is away and its queue fills up; an agreement's quota runs out before the month does. Whoever could do
 * something about it hears of it while there is still room: the operator and the sender.
 */
#include <signal.h>
#include <stdlib.h>

#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { WAIT_MS = 20000 };

/* The last notice that an Answer had, and how many. */
struct heard {
	size_t receipts, notices;
	char code[64], name[64];
	uint32_t percent;
};

static void answer_hear(void *context, const Dienstweg__Frame *frame)
{
	struct heard *heard = context;

	if (frame->body_case != DIENSTWEG__FRAME__BODY_ANSWER)
		return;
	heard->receipts += frame->answer->n_receipts;
	for (size_t i = 0; i < frame->answer->n_notices; i++) {
		const Dienstweg__Notice *notice = frame->answer->notices[i];
		snprintf(heard->code, sizeof(heard->code), "%.*s", (int)notice->code.len,
			(const char *)notice->code.data);
		snprintf(heard->name, sizeof(heard->name), "%.*s", (int)notice->name.len,
			(const char *)notice->name.data);
		heard->percent = notice->percent;
		heard->notices++;
	}
}

static void send(
	struct party *city, struct heard *heard, const struct party_draft *draft, size_t count)
{
	size_t before = heard->receipts;

	for (size_t i = 1; i <= count; i++) {
		arena_reset(city->arena);
		party_submit(city, party_compose(city, draft, 1, city->arena), 1, false);
		party_until(city, heard->receipts == before + i, WAIT_MS);
	}
}

static void while_there_is_still_room(void)
{
	static const struct party_draft application = {.region = "051240000000"};
	static const struct party_draft figures = {
		.service = "uvg.figures", .recipient = "ministry"};
	struct heard heard = {0};
	struct party city;
	struct bus bus;

	bus_init_usual(&bus, check_subdir());
	registry_fixture_party(bus.fixture, "ministry", NULL);
	registry_fixture_service(bus.fixture, "uvg.figures");
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		bus.fixture, "figures", "2021-01-01", NULL);
	registry_fixture_flow(bus.fixture, agreement, "uvg.figures", "city", "ministry", NULL);
	agreement->quota_messages = 5;
	bus.extra = "queue:\n  messages: 10\nlimits:\n  warn: 80\n";
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	city.on_frame = answer_hear;
	city.on_frame_context = &heard;
	party_connect(&city, NULL);

	send(&city, &heard, &application, 7);
	CHECK_INT(heard.notices, 0);
	send(&city, &heard, &application, 2);
	CHECK_INT(heard.notices, 2);
	CHECK_STR(heard.code, "queue");
	CHECK_STR(heard.name, "jobcenter");
	CHECK_INT(heard.percent, 90);
	send(&city, &heard, &figures, 4);
	CHECK_INT(heard.notices, 3);
	CHECK_STR(heard.code, "quota");
	CHECK_STR(heard.name, "figures");
	CHECK_INT(heard.percent, 80);

	CHECK(wait_for_line(bus.broker.log, "a queue fills up", bus.log_seen, WAIT_MS) >= 0);
	CHECK(wait_for_line(bus.broker.log, "nearly used up", bus.log_seen, WAIT_MS) >= 0);
	tool_holds(tool_admin(&bus, 0, "status", NULL), "attachments ", "jobcenter", "NEARLY FULL",
		"quota this month of", "figures", "NEARLY USED UP", NULL);
	tool_holds(tool_admin(&bus, 0, "status", "--json", NULL), "\"limit_messages\":10",
		"\"percent\":90,\"overdue\":0,\"warning\":true",
		"\"agreement\":\"figures\",\"messages\":4,\"limit\":5",
		"\"percent\":80,\"warning\":true", "\"uploads\":0", NULL);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(while_there_is_still_room))
