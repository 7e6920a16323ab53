/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Does this citizen get benefits? The city asks the jobcenter and waits at the counter. It gets the answer, or hears why
 * there is none: nobody took the question, somebody took it and kept silent, it was sent back, or too many wait
 * already. And what comes after its time is told so.
 */
#include <signal.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { WAIT_MS = 20000, PENDING = 2, ENQUIRY = 4, ANSWER = 5 };

#define QUESTION "benefit.question"

static void write_bus(struct bus *bus, uint32_t answer_s)
{
	bus_init_usual(bus, check_subdir());
	struct registry_fixture *f = bus->fixture;
	Dienstweg__Service *service = registry_fixture_service(f, QUESTION);
	service->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	service->answer_s = answer_s;
	service->pending_max = PENDING;
	/* No flow goes back: what lets the city ask lets the jobcenter answer. */
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "questions", "2021-07-01", NULL);
	registry_fixture_flow(f, a, QUESTION, "city", "jobcenter", "05124");
	bus_write(bus);
	bus_start(bus);
	bus_adapter_write(bus, "city", bus->endpoint);
	bus_adapter_write(bus, "jobcenter", bus->endpoint);
	CHECK_INT(file_replace(bus_path(bus, "question"), BYTES_STR("benefits of 4711?"), 0600), 0);
	CHECK_INT(file_replace(bus_path(bus, "answer"), BYTES_STR("yes, until June"), 0600), 0);
}

static void check_journal(struct bus *bus)
{
	CHECK_INT(bus_end(bus, SIGTERM), 0);
	free(tool_admin(bus, 0, "audit", "verify", NULL));
	free(tool_admin(bus, 0, "audit", "replay", NULL));
	bus_deinit(bus);
}

static char *ask(const struct bus *bus, int expected, const char *more, const char *value)
{
	return tool_party(bus, "city", expected, "ask", "--service", QUESTION, "--region",
		"051240000000", "--file", bus_path(bus, "question"), more, value, NULL);
}

static void the_counter_gets_its_answer(void)
{
	struct bus bus;
	struct process desk;
	write_bus(&bus, 60);
	tool_party_start(&bus, &desk, "jobcenter", "receive", "--out", bus_path(&bus, "got"),
		"--timeout", "0", "--count", "2", "--answer", bus_path(&bus, "answer"), NULL);
	char *answer = ask(&bus, 0, NULL, NULL);
	CHECK_STR(answer, "yes, until June");
	free(answer);
	tool_holds(ask(&bus, 0, "--json", NULL), "\"kind\":\"answer\"", "\"sender\":\"jobcenter\"",
		"\"event\":\"answered\"", "\"body\":\"yes, until June\"", NULL);
	CHECK_INT(process_wait(&desk, WAIT_MS), 0);
	/* Both messages of the case are in its story. */
	tool_holds(tool_admin(&bus, 0, "audit", "list", "--kind", "accepted", NULL), "accepted",
		"accepted", "accepted", "accepted", NULL);
	check_journal(&bus);
}

static void nobody_is_there(void)
{
	struct bus bus;
	write_bus(&bus, 2);
	tool_holds(ask(&bus, 1, NULL, NULL), "no answer: nobody took it in time", NULL);
	tool_holds(ask(&bus, 1, "--json", NULL), "\"event\":\"unanswered\"", "\"why\"", NULL);
	/* And nobody gets it later: it has expired. */
	tool_holds(tool_party(&bus, "jobcenter", 1, "receive", "--count", "1", "--timeout", "1",
			   "--out", bus_path(&bus, "got"), NULL),
		"Nothing came", NULL);
	check_journal(&bus);
}

static void it_is_sent_back(void)
{
	struct bus bus;
	struct process desk;
	write_bus(&bus, 60);
	tool_party_start(&bus, &desk, "jobcenter", "receive", "--timeout", "0", "--count", "1",
		"--reject", "not-responsible", "Remscheid knows", NULL);
	tool_holds(ask(&bus, 1, NULL, NULL), "the other side sent it back (rejected)",
		"Remscheid knows", NULL);
	CHECK_INT(process_wait(&desk, WAIT_MS), 0);
	check_journal(&bus);
}

/* By hand, because no program of ours does such a thing. */
static struct party_answer submit(struct party *party, int kind, uint8_t case_id,
	const uint8_t *in_reply_to, const char *service)
{
	const uint8_t id[16] = {0xca, 0x5e, case_id};
	struct party_draft draft = {.service = service,
		.recipient = strcmp(party->name, "city") == 0 ? "jobcenter" : "city",
		.kind = kind,
		.case_id = id,
		.in_reply_to = in_reply_to};
	return *party_send(party, &draft);
}

static void expect(struct party_answer answer, const char *code, const char *field)
{
	CHECK_INT(answer.kind, ANSWER_REFUSAL);
	CHECK_STR(answer.code, code);
	CHECK_STR(answer.field, field);
}

static void what_the_broker_does_not_take(void)
{
	struct bus bus;
	struct party city, jobcenter;
	write_bus(&bus, 60);
	party_init(&city, &bus, "city");
	party_init(&jobcenter, &bus, "jobcenter");
	party_connect(&city, NULL);
	party_connect(&jobcenter, NULL);
	struct party_answer first = submit(&city, ENQUIRY, 1, NULL, QUESTION);
	struct party_answer second = submit(&city, ENQUIRY, 2, NULL, QUESTION);
	CHECK_INT(first.kind, ANSWER_RECEIPT);
	CHECK_INT(second.kind, ANSWER_RECEIPT);
	/* Two may wait, as the service says; taking them is no answer. */
	party_until(&jobcenter, jobcenter.acknowledged_count == 2, WAIT_MS);
	party_until(&city, city.outcomes_count == 2, WAIT_MS);
	expect(submit(&city, ENQUIRY, 3, NULL, QUESTION), "too-many-pending", "service");
	/* Not what the service is for, and not for what the service is. */
	expect(submit(&city, 1, 3, NULL, QUESTION), "wrong-kind", "kind");
	expect(submit(&city, ENQUIRY, 3, NULL, "alg2.application"), "wrong-kind", "kind");
	/* An answer in another case, to nothing, twice. */
	expect(submit(&jobcenter, ANSWER, 9, first.h, QUESTION), "no-enquiry", "in_reply_to");
	expect(submit(&jobcenter, ANSWER, 1, NULL, QUESTION), "no-enquiry", "in_reply_to");
	CHECK_INT(submit(&jobcenter, ANSWER, 1, first.h, QUESTION).kind, ANSWER_RECEIPT);
	expect(submit(&jobcenter, ANSWER, 1, first.h, QUESTION), "no-enquiry", "in_reply_to");
	/* That made room for one more, also over a crash. */
	bus_end(&bus, SIGKILL);
	bus_start(&bus);
	party_until(&city, city.sessions == 1, WAIT_MS);
	party_until(&city, client_state(city.client) == CLIENT_READY, WAIT_MS);
	CHECK_INT(submit(&city, ENQUIRY, 4, NULL, QUESTION).kind, ANSWER_RECEIPT);
	expect(submit(&city, ENQUIRY, 5, NULL, QUESTION), "too-many-pending", "service");
	party_deinit(&jobcenter);
	party_deinit(&city);
	check_journal(&bus);
}

static void an_answer_after_its_time(void)
{
	struct bus bus;
	struct party city, jobcenter;
	write_bus(&bus, 1);
	party_init(&city, &bus, "city");
	party_init(&jobcenter, &bus, "jobcenter");
	jobcenter.no_credit = true;
	party_connect(&city, NULL);
	party_connect(&jobcenter, NULL);
	struct party_answer asked = submit(&city, ENQUIRY, 1, NULL, QUESTION);
	CHECK_INT(asked.kind, ANSWER_RECEIPT);
	party_until(&city, city.outcomes_count == 1, WAIT_MS);
	CHECK_STR(city.outcomes[0].state, "expired");
	expect(submit(&jobcenter, ANSWER, 1, asked.h, QUESTION), "answer-late", "in_reply_to");
	CHECK_INT(submit(&city, ENQUIRY, 2, NULL, QUESTION).kind, ANSWER_RECEIPT);
	party_deinit(&jobcenter);
	party_deinit(&city);
	check_journal(&bus);
}

/* A bus whose applications are overdue after a time, and their senders warned before. */
static void start_bus(struct bus *bus, uint64_t overdue_ms, uint64_t due_soon_ms)
{
	bus_init_usual(bus, check_subdir());
	Dienstweg__RegistryContent *content = registry_fixture_content(bus->fixture);
	for (size_t i = 0; i < content->n_services; i++) {
		Dienstweg__Service *service = content->services[i];
		if (!bytes_equal(BYTES_PB(service->name), BYTES_STR("alg2.application")))
			continue;
		service->overdue_ms = overdue_ms;
		service->due_soon_ms = due_soon_ms;
	}
	bus_write(bus);
	bus_start(bus);
}

/* While there is time to call somebody: a second of the hour is over. */
static void nobody_has_decided_yet(void)
{
	struct bus bus;
	struct party city, jobcenter;
	const char *case_hex = "ca5e0700000000000000000000000000";
	start_bus(&bus, 3600 * 1000, 3599 * 1000);
	party_init(&city, &bus, "city");
	party_init(&jobcenter, &bus, "jobcenter");
	jobcenter.no_credit = true;
	party_connect(&city, NULL);
	party_connect(&jobcenter, NULL);
	struct party_answer silent = submit(&city, 1, 7, NULL, "alg2.application");
	party_until(&city, city.outcomes_count == 1, WAIT_MS);
	CHECK_STR(city.outcomes[0].state, "due-soon");
	CHECK_MEM(city.outcomes[0].h, silent.h, 32);
	tool_holds(tool_admin(&bus, 0, "case", "show", case_hex, NULL), "due-soon", "proven", NULL);
	tool_holds(tool_admin(&bus, 0, "queue", "list", "--json", NULL), "\"overdue\":0,", NULL);
	party_deinit(&city);
	party_deinit(&jobcenter);
	check_journal(&bus);
}

/* An application that was taken, and that nobody decides: its sender hears of it, once, and the operator sees it. */
static void nobody_decides(void)
{
	struct bus bus;
	struct party city, jobcenter;
	const char *case_hex = "ca5e0700000000000000000000000000";
	start_bus(&bus, 1000, 0);
	party_init(&city, &bus, "city");
	party_init(&jobcenter, &bus, "jobcenter");
	party_connect(&city, NULL);
	party_connect(&jobcenter, NULL);
	struct party_answer silent = submit(&city, 1, 7, NULL, "alg2.application");
	party_until(&jobcenter, jobcenter.acknowledged_count == 1, WAIT_MS);
	/* Told of both, in whichever order a busy machine gives them. */
	party_until(&city, city.outcomes_count == 2, WAIT_MS);
	size_t overdue = strcmp(city.outcomes[1].state, "overdue") == 0;
	CHECK_STR(city.outcomes[overdue].state, "overdue");
	CHECK_STR(city.outcomes[1 - overdue].state, "accepted");
	CHECK_MEM(city.outcomes[overdue].h, silent.h, 32);
	tool_holds(tool_admin(&bus, 0, "status", NULL), "overdue      1 messages", NULL);
	tool_holds(tool_admin(&bus, 0, "status", "--json", NULL), "\"overdue\":1,", NULL);
	tool_holds(tool_admin(&bus, 0, "queue", "list", "--json", NULL), "\"overdue\":1,", NULL);
	tool_holds(tool_admin(&bus, 0, "case", "show", case_hex, NULL), "overdue", "proven", NULL);
	tool_holds(tool_admin(&bus, 0, "audit", "list", "--kind", "overdue", NULL), "overdue", NULL);
	/* Confirmed, it is not told again. */
	party_confirm(&city, city.outcomes[1].entry);
	bus_end(&bus, SIGKILL);
	bus_start(&bus);
	party_until(&city, city.sessions == 1, WAIT_MS);
	party_until(&city, client_state(city.client) == CLIENT_READY, WAIT_MS);
	CHECK_INT(submit(&city, 1, 8, NULL, "alg2.application").kind, ANSWER_RECEIPT);
	party_deinit(&jobcenter);
	party_deinit(&city);
	check_journal(&bus);
}

static void wrong_usage_is_named(void)
{
	struct bus bus;
	write_bus(&bus, 60);
	tool_holds(tool_party(&bus, "city", 2, "ask", "--service", QUESTION, "--file",
			   bus_path(&bus, "question"), NULL),
		"--to or --region", NULL);
	tool_holds(tool_party(&bus, "city", 1, "ask", "--service", "alg2.application", "--to",
			   "jobcenter", "--file", bus_path(&bus, "question"), NULL),
		"does not take enquiries", NULL);
	tool_holds(tool_party(&bus, "city", 2, "ask", "--service", QUESTION, "--to", "jobcenter",
			   "--file", bus_path(&bus, "question"), "--timeout", "soon", NULL),
		"--timeout", NULL);
	tool_holds(tool_party(&bus, "jobcenter", 3, "receive", "--answer", bus_path(&bus, "absent"),
			   NULL),
		"absent", NULL);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(the_counter_gets_its_answer), CHECK_CASE(nobody_is_there),
	CHECK_CASE(it_is_sent_back), CHECK_CASE(what_the_broker_does_not_take),
	CHECK_CASE(an_answer_after_its_time), CHECK_CASE(nobody_has_decided_yet),
	CHECK_CASE(nobody_decides), CHECK_CASE(wrong_usage_is_named))
