/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A cooperative runs the systems of two municipalities over one connection. Each has its own keys, its own quota and its
 * own queue: what is for one is sealed for it and signed by it, and when one of them lets its letters lie, the other's
 * come all the same.
 */
#include <signal.h>
#include <stdlib.h>

#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { WAIT_MS = 20000, QUOTA = 60, LARGE = 250000 };

#define REMSCHEID "rs-p-05120000"
#define SOLINGEN  "sg-p-05122000"

static void write_bus(struct bus *bus)
{
	bus_init_usual(bus, check_subdir());
	struct registry_fixture *f = bus->fixture;
	registry_fixture_party(f, "cooperative", NULL);
	registry_fixture_party(f, REMSCHEID, "cooperative")->queue_messages_max = QUOTA;
	registry_fixture_party(f, SOLINGEN, "cooperative");
	registry_fixture_service(f, "letter");
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "tenants", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "letter", "city", REMSCHEID, "05120");
	registry_fixture_flow(f, a, "letter", "city", SOLINGEN, "05122");
	registry_fixture_flow(f, a, "letter", REMSCHEID "," SOLINGEN, "city", NULL);
	bus_write(bus);
	bus_start(bus);
}

/* One adapter, three parties, three key files. */
static void write_adapter(const struct bus *bus)
{
	char text[2000];
	CHECK_INT(dir_make(bus_path(bus, "cooperative"), 0700), 0);
	CHECK_INT(file_replace(bus_path(bus, "cooperative/registry.signed"),
			  registry_signed_bytes(bus->registry), 0644),
		0);
	snprintf(text, sizeof(text),
		"bus: test.demo\nbroker: \"%s\"\nparty: cooperative\n"
		"operates: [" REMSCHEID ", " SOLINGEN "]\n"
		"keys: [keys/cooperative.secret, keys/" REMSCHEID ".secret, keys/" SOLINGEN
		".secret]\n"
		"registry: cooperative/registry.signed\npolicy: policy\nstate: cooperative\n",
		bus->endpoint);
	CHECK_INT(file_replace(bus_path(bus, "cooperative.yaml"), BYTES_STR(text), 0644), 0);
}

static void each_has_its_own(void)
{
	struct bus bus;
	struct party city;
	struct party_draft north = {.service = "letter", .region = "051200000000"};
	struct party_draft south = {.service = "letter", .region = "051220000000"};
	write_bus(&bus);
	write_adapter(&bus);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);

	/* By region: each letter finds its municipality, over the one session, opened with its own key. */
	CHECK_INT(party_send(&city, &north)->kind, ANSWER_RECEIPT);
	CHECK_INT(party_send(&city, &south)->kind, ANSWER_RECEIPT);
	char *got = tool_party(&bus, "cooperative", 0, "receive", "--count", "2", "--json", "--out",
		bus_path(&bus, "got"), NULL);
	CHECK_INT(tool_count(got, "\"recipient\":\"" REMSCHEID "\""), 1);
	CHECK_INT(tool_count(got, "\"recipient\":\"" SOLINGEN "\""), 1);
	free(got);
	party_until(&city, city.outcomes_count == 2, WAIT_MS);

	/* A municipality answers under its own name, with its own signature. */
	CHECK_INT(file_replace(bus_path(&bus, "answer"), BYTES_STR("we agree"), 0600), 0);
	free(tool_party(&bus, "cooperative", 0, "send", "--from", SOLINGEN, "--service", "letter",
		"--to", "city", "--file", bus_path(&bus, "answer"), NULL));
	party_until(&city, city.deliveries_count == 1, WAIT_MS);
	CHECK(city.deliveries[0].opened);
	CHECK_STR(city.deliveries[0].sender, SOLINGEN);
	/* The cooperative itself has no agreement: operating is not being. */
	free(tool_party(&bus, "cooperative", 1, "send", "--service", "letter", "--to", "city",
		"--file", bus_path(&bus, "answer"), NULL));

	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	free(tool_admin(&bus, 0, "audit", "replay", NULL));
	bus_deinit(&bus);
}

static bool has_for(const struct party *party, const char *recipient)
{
	for (size_t i = 0; i < party->deliveries_count; i++)
		if (strcmp(party->deliveries[i].recipient, recipient) == 0)
			return true;
	return false;
}

/* Remscheid's system takes nothing today. Its queue fills until its quota is used up; Solingen notices nothing. */
static void one_lets_its_letters_lie(void)
{
	struct bus bus;
	struct party city, cooperative;
	_cleanup_(heap_free) uint8_t *body = calloc(1, LARGE);
	struct party_draft north = {
		.service = "letter", .region = "051200000000", .body = BYTES(body, LARGE)};
	struct party_draft south = {
		.service = "letter", .region = "051220000000", .body = BYTES(body, LARGE)};
	write_bus(&bus);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	for (size_t i = 0; i < QUOTA; i++)
		CHECK_INT(party_send(&city, &north)->kind, ANSWER_RECEIPT);
	struct party_answer *full = party_send(&city, &north);
	CHECK_INT(full->kind, ANSWER_DEFERRAL);
	CHECK_STR(full->code, "full");

	/* 15 MB wait for Remscheid, more than a session may have out; nothing of it is acknowledged. */
	party_init(&cooperative, &bus, "cooperative");
	cooperative.names[cooperative.names_count++] = REMSCHEID;
	cooperative.names[cooperative.names_count++] = SOLINGEN;
	cooperative.manual = true;
	party_connect(&cooperative, NULL);
	party_until(&cooperative, cooperative.deliveries_count >= 20, WAIT_MS);
	for (size_t before = 0; before != cooperative.deliveries_count;) {
		before = cooperative.deliveries_count;
		party_step(&cooperative, 300);
	}
	CHECK(cooperative.deliveries_count < QUOTA);
	CHECK_INT(party_send(&city, &south)->kind, ANSWER_RECEIPT);
	party_until(&cooperative, has_for(&cooperative, SOLINGEN), 5000);

	party_deinit(&cooperative);
	party_deinit(&city);
	bus_end(&bus, SIGKILL);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(each_has_its_own), CHECK_CASE(one_lets_its_letters_lie))
