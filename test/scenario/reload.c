/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The registrar publishes while people work. A registry that must not be is refused with a sentence and the old one
 * stays; a good one counts from its entry on, for what comes then, and not for what was accepted before.
 */
#include <signal.h>
#include <stdlib.h>

#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { WAIT_MS = 20000, DAY_MS = 86400000 };

static const struct party_draft application = {.region = "051240000000"};

static void goes_through(struct party *city)
{
	CHECK_INT(party_send(city, &application)->kind, ANSWER_RECEIPT);
}

/* Nobody notices: the session stays, what is sent is taken. */
static void bad_ones_are_refused(struct bus *bus, struct party *city)
{
	struct bytes good = registry_signed_bytes(bus->registry);
	const char *file = bus_path(bus, "registry.signed");
	CHECK_INT(file_replace(file, BYTES_STR("no registry"), 0644), 0);
	tool_holds(tool_admin(bus, 1, "registry", "reload", NULL),
		"Refused: ", "registry.signed: ", "version 1 stays in force", NULL);
	goes_through(city);

	/* Signed by the roots of somebody else. */
	_cleanup_(registry_fixture_free) struct registry_fixture *other = registry_fixture_new(
		"test.demo");
	registry_fixture_party(other, "city", NULL);
	registry_fixture_party(other, "jobcenter", NULL);
	registry_fixture_service(other, "alg2.application");
	registry_fixture_flow(other, registry_fixture_agreement(other, "a", "2021-07-01", NULL),
		"alg2.application", "city", "jobcenter", NULL);
	_cleanup_(registry_unref) struct registry *foreign = registry_fixture_load(other, 2, NULL);
	CHECK_INT(file_replace(file, registry_signed_bytes(foreign), 0644), 0);
	tool_holds(tool_admin(bus, 1, "registry", "reload", "--json", NULL), "\"version\":1",
		"\"refused\":", "registry.signed", NULL);
	goes_through(city);

	CHECK_INT(file_replace(file, good, 0644), 0);
	tool_holds(tool_admin(bus, 0, "registry", "reload", NULL), "in force already", NULL);
	CHECK_INT(city->sessions, 0);
}

/* It ended, says the next version. What was accepted under it waits and is delivered; nothing new is accepted. */
static void an_agreement_is_withdrawn(struct bus *bus, struct party *city)
{
	struct party jobcenter;
	Dienstweg__RegistryContent *content = registry_fixture_content(bus->fixture);
	size_t waiting = city->answers_count;
	content->agreements[0]->valid_until_ms = content->agreements[0]->valid_from_ms + DAY_MS;
	bus_registry_next(bus);
	tool_holds(tool_admin(bus, 0, "registry", "reload", NULL),
		"version 2 is in force, from entry", NULL);
	struct party_answer *refused = party_send(city, &application);
	CHECK_INT(refused->kind, ANSWER_REFUSAL);
	CHECK_STR(refused->code, "agreement-expired");

	party_init(&jobcenter, bus, "jobcenter");
	party_connect(&jobcenter, NULL);
	party_until(&jobcenter, jobcenter.acknowledged_count == waiting, WAIT_MS);
	party_until(city, city->outcomes_count == waiting, WAIT_MS);
	party_deinit(&jobcenter);
}

/* The same by signal: the log tells. */
static void it_comes_back(struct bus *bus, struct party *city)
{
	const char *log = bus_path(bus, "logs/broker.log");
	long from = file_size(log);
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		bus->fixture, "again", "2021-07-01", NULL);
	registry_fixture_flow(
		bus->fixture, agreement, "alg2.application", "city", "jobcenter", "05124");
	bus_registry_next(bus);
	CHECK_INT(kill(bus->broker.pid, SIGHUP), 0);
	CHECK(wait_for_line(log, "\"registry in force\",\"version\":3", from, WAIT_MS) > 0);
	goes_through(city);
	CHECK_INT(city->sessions, 0);
}

static void the_registrar_publishes_while_people_work(void)
{
	struct bus bus;
	struct party city;
	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	goes_through(&city);
	bad_ones_are_refused(&bus, &city);
	an_agreement_is_withdrawn(&bus, &city);
	it_comes_back(&bus, &city);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	tool_holds(tool_admin(&bus, 3, "registry", "reload", NULL), "does not answer", NULL);
	free(tool_admin(&bus, 0, "audit", "verify", NULL));
	free(tool_admin(&bus, 0, "audit", "replay", NULL));
	bus_deinit(&bus);
}

/* Whoever is quicker than the broker is turned away, is told so, and gets in as soon as the broker has read it. */
static void an_office_joins_before_the_broker_has_heard_of_it(void)
{
	struct bus bus;
	struct process office = {};
	bus_init_usual(&bus, check_subdir());
	bus.adapter_extra = "reconnect: {min: 50 ms, max: 200 ms}\n";
	bus_write(&bus);
	bus_start(&bus);
	registry_fixture_party(bus.fixture, "library", NULL);
	bus_registry_next(&bus);
	bus_adapter_write(&bus, "library", bus.endpoint);
	tool_party_start(&bus, &office, "library", "receive", "--timeout", "60", NULL);
	const char *log = bus_path(&bus, "logs/library.log");
	CHECK(wait_for_line(log, "does not let this transport key in", 0, WAIT_MS) > 0);
	tool_holds(tool_admin(&bus, 0, "registry", "reload", NULL), "version 2 is in force", NULL);
	CHECK(wait_for_line(bus_path(&bus, "logs/broker.log"),
		      "\"session opened\",\"party\":\"library\"", 0, WAIT_MS) > 0);
	CHECK_INT(process_end(&office, SIGTERM), 0);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(the_registrar_publishes_while_people_work),
	CHECK_CASE(an_office_joins_before_the_broker_has_heard_of_it))
