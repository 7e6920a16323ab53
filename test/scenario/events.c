/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Somebody has died. The registry office says so once, and every office that has a right to know hears of it, each in its
 * own time: one at once, one after its holidays, one answers that this is none of its business. The registry office
 * is told what became of it, office by office.
 */
#include <signal.h>
#include <stdlib.h>

#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { OFFICES = 12, WAIT_MS = 20000 };

static const uint8_t case_id[16] = {0xde, 0xad, 0x01};
static const char case_text[] = "dead0100000000000000000000000000";

static const char *office_name(size_t n)
{
	static char names[OFFICES][16];
	snprintf(names[n], sizeof(names[n]), "office-%02zu", n);
	return names[n];
}

/* A city, offices that subscribe to its death notices, and one that does not. */
static void write_bus(struct bus *bus, size_t offices, bool readable)
{
	bus_init_usual(bus, check_subdir());
	Dienstweg__Service *service = registry_fixture_service(bus->fixture, "lifeevent.death");
	service->event = true;
	if (readable)
		service->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		bus->fixture, "death-notices", "2021-07-01", NULL);
	for (size_t i = 0; i < offices; i++) {
		registry_fixture_party(bus->fixture, office_name(i), NULL);
		registry_fixture_flow(
			bus->fixture, agreement, "lifeevent.death", "city", office_name(i), NULL);
	}
	bus_write(bus);
	bus_start(bus);
}

static const struct party_outcome *outcome_of(const struct party *city, const char *office)
{
	for (size_t i = 0; i < city->outcomes_count; i++)
		if (strcmp(city->outcomes[i].recipient, office) == 0)
			return &city->outcomes[i];
	CHECK_FAIL("no outcome of %s", office);
	return NULL;
}

static void a_death_notice_reaches_everybody(void)
{
	struct bus bus;
	struct party city, jobcenter, offices[OFFICES];
	struct party_draft notice = {.service = "lifeevent.death",
		.event = true,
		.clear = true,
		.case_id = case_id,
		.body = BYTES_STR("a person has died")};

	write_bus(&bus, OFFICES, true);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	struct party_answer sent = *party_send(&city, &notice);
	CHECK_INT(sent.kind, ANSWER_RECEIPT);
	for (size_t i = 0; i < OFFICES; i++)
		party_init(&offices[i], &bus, office_name(i));

	/* Half of the offices are open and take it; the first says that it is not responsible. */
	for (size_t i = 0; i < OFFICES / 2; i++) {
		offices[i].manual = true;
		party_connect(&offices[i], NULL);
		party_until(&offices[i], offices[i].deliveries_count == 1, WAIT_MS);
		CHECK(offices[i].deliveries[0].opened);
		CHECK_STR((char *)offices[i].deliveries[0].body, "a person has died");
		CHECK_INT(offices[i].deliveries[0].sequence, sent.sequence);
		party_acknowledge(&offices[i], 0, 1, i == 0 ? "not-responsible" : NULL);
		party_until(&offices[i], offices[i].acknowledged_count == 1, WAIT_MS);
	}
	party_until(&city, city.outcomes_count == OFFICES / 2, WAIT_MS);
	tool_holds(tool_admin(&bus, 0, "case", "show", case_text, NULL), "lifeevent.death",
		"waits for office-11", NULL);

	/* The broker dies. The other offices come back from their holidays one after the other. */
	bus_end(&bus, SIGKILL);
	bus_start(&bus);
	for (size_t i = OFFICES / 2; i < OFFICES; i++) {
		party_connect(&offices[i], NULL);
		party_until(&offices[i], offices[i].acknowledged_count == 1, WAIT_MS);
		CHECK_STR((char *)offices[i].deliveries[0].body, "a person has died");
	}
	/* Who took it before the broker died does not get it again. */
	party_until(&offices[1], offices[1].sessions == 1, WAIT_MS);
	party_until(&offices[1], client_state(offices[1].client) == CLIENT_READY, WAIT_MS);

	/* Twelve answers for one notice, and not one of a party that does not subscribe. */
	party_until(&city, city.outcomes_count >= OFFICES, WAIT_MS);
	for (size_t i = 1; i < OFFICES; i++)
		CHECK_STR(outcome_of(&city, office_name(i))->state, "accepted");
	CHECK_STR(outcome_of(&city, office_name(0))->state, "rejected");
	CHECK_STR(outcome_of(&city, office_name(0))->code, "not-responsible");
	party_init(&jobcenter, &bus, "jobcenter");
	party_connect(&jobcenter, NULL);
	CHECK_INT(offices[1].deliveries_count, 1);
	CHECK_INT(jobcenter.deliveries_count, 0);

	for (size_t i = 0; i < OFFICES; i++)
		party_deinit(&offices[i]);
	party_deinit(&jobcenter);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	free(tool_admin(&bus, 0, "audit", "verify", NULL));
	free(tool_admin(&bus, 0, "audit", "replay", NULL));
	bus_deinit(&bus);
}

/* Nobody subscribes to what the jobcenter would say, and the answer tells what is missing. */
static void an_event_for_nobody_is_refused(void)
{
	struct bus bus;
	struct party jobcenter;
	struct party_draft notice = {.service = "lifeevent.death", .event = true, .clear = true};
	write_bus(&bus, 1, true);
	party_init(&jobcenter, &bus, "jobcenter");
	party_connect(&jobcenter, NULL);
	struct party_answer *answer = party_send(&jobcenter, &notice);
	CHECK_INT(answer->kind, ANSWER_REFUSAL);
	CHECK_STR(answer->code, "no-subscriber");
	CHECK(strstr(answer->detail, "the registrar must enter an agreement"));
	party_deinit(&jobcenter);
	bus_end(&bus, SIGTERM);
	bus_deinit(&bus);
}

static void receive_one(const struct bus *bus, const char *office)
{
	char out[256];
	snprintf(out, sizeof(out), "%s-got", office);
	tool_holds(tool_party(bus, office, 0, "receive", "--json", "--count", "1", "--out",
			   bus_path(bus, out), NULL),
		"\"kind\":\"event\"", "\"service\":\"lifeevent.death\"", "\"event\":\"accepted\"",
		NULL);
	CHECK_INT(wait_for_files(bus_path(bus, out), ".body", 1, 0), 1);
}

/*
 * The content is sealed, for those who subscribe and for nobody else. While the city's program still holds the
 * registry of yesterday, an office more subscribes: the broker sees that one would not be able to open it, the
 * program gets the registry and seals again, and the city need not do anything.
 */
static void sealed_for_whoever_subscribes_now(void)
{
	struct bus bus;
	struct process send = {};
	write_bus(&bus, 2, false);
	bus_adapter_write(&bus, "city", bus.endpoint);
	for (size_t i = 0; i < 2; i++)
		bus_adapter_write(&bus, office_name(i), bus.endpoint);
	CHECK_INT(file_replace(bus_path(&bus, "notice"), BYTES_STR("a person has died"), 0600), 0);

	registry_fixture_party(bus.fixture, office_name(2), NULL);
	registry_fixture_flow(bus.fixture, registry_fixture_content(bus.fixture)->agreements[1],
		"lifeevent.death", "city", office_name(2), NULL);
	bus_registry_next(&bus);
	bus_adapter_write(&bus, office_name(2), bus.endpoint);
	tool_holds(tool_admin(&bus, 0, "registry", "reload", NULL), "version 2 is in force", NULL);

	tool_party_start(&bus, &send, "city", "send", "--service", "lifeevent.death", "--file",
		bus_path(&bus, "notice"), "--wait", "ended", "--json", NULL);
	for (size_t i = 0; i < 3; i++)
		receive_one(&bus, office_name(i));
	CHECK_INT(process_wait(&send, WAIT_MS), 0);
	const char *log = bus_path(&bus, "logs/city.log");
	CHECK(wait_for_line(log, "office-02", 0, 0) > 0);
	char *status = tool_admin(&bus, 0, "status", "--json", NULL);
	CHECK_INT(tool_count(status, "\"deferred\":1,"), 1); /* it was put off once */
	free(status);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	free(tool_admin(&bus, 0, "audit", "replay", NULL));
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(a_death_notice_reaches_everybody), CHECK_CASE(an_event_for_nobody_is_refused),
	CHECK_CASE(sealed_for_whoever_subscribes_now))
