/* SPDX-License-Identifier: EUPL-1.2 */

/* The routing decision, verdict by verdict: broker, adapters and replay all rest on this one function. */
#include "proto/registry/registry.h"

#include <stdio.h>

#include "proto/base/clock.h"
#include "proto/registry/fixture.h"
#include "test/kit/check.h"

static uint64_t day(const char *text)
{
	uint64_t ms = 0;
	CHECK_INT(clock_parse_date(text, &ms), 0);
	return ms;
}

/*
 * portal may send applications: Wuppertal (05124) to city, the rest of the state (05) to state, and
 * Solingen (05122) was served by solingen until 2022.
 */
static struct registry_fixture *world(void)
{
	struct registry_fixture *f = registry_fixture_new("test.demo");
	registry_fixture_party(f, "city", NULL);
	registry_fixture_party(f, "portal", NULL);
	registry_fixture_party(f, "solingen", NULL);
	registry_fixture_party(f, "state", NULL);
	registry_fixture_service(f, "application");
	registry_fixture_service(f, "status");
	Dienstweg__Service *question = registry_fixture_service(f, "question");
	question->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	question->answer_s = question->pending_max = 1;
	registry_fixture_service(f, "death")->event = true;
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "a1", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "application", "portal", "city", "05124");
	registry_fixture_flow(f, a, "status", "city", "portal", NULL);
	registry_fixture_flow(f, a, "question", "portal", "city", "05124");
	a = registry_fixture_agreement(f, "a2", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "application", "portal", "state", "05");
	a = registry_fixture_agreement(f, "a3", "2020-01-01", "2022-01-01");
	registry_fixture_flow(f, a, "application", "portal", "solingen", "05122");
	a = registry_fixture_agreement(f, "a4", "2030-01-01", NULL);
	registry_fixture_flow(f, a, "status", "state", "portal", NULL);
	return f;
}

struct ask {
	const char *sender, *recipient, *region, *service, *agreement, *at;
	bool answer;
};

static struct resolve_result asked(const struct registry *registry, struct ask ask, int expected)
{
	struct resolve_result result;
	struct resolve_query query = {.sender = BYTES_STR(ask.sender),
		.recipient = BYTES_STR(ask.recipient ? ask.recipient : ""),
		.region = BYTES_STR(ask.region ? ask.region : ""),
		.service = BYTES_STR(ask.service),
		.agreement = BYTES_STR(ask.agreement ? ask.agreement : ""),
		.answer = ask.answer,
		.at_ms = day(ask.at ? ask.at : "2026-11-21")};
	int v = registry_resolve(registry, &query, &result);
	if (v != expected)
		CHECK_FAIL("%s sends %s: verdict %d (%s: %s), expected %d", ask.sender, ask.service,
			v, result.code ? result.code : "-", result.detail, expected);
	CHECK((v == 0) == (result.code == NULL));
	CHECK((v == 0) == (result.count > 0));
	CHECK(v == 0 || (result.field && result.detail[0]));
	return result;
}

#define ASK(verdict, ...) asked(registry, (struct ask){__VA_ARGS__}, verdict)

static void goes_to(
	const struct registry *registry, struct ask ask, const char *party, const char *agreement)
{
	struct resolve_result result = asked(registry, ask, RESOLVE_OK);
	CHECK_INT(result.count, 1);
	CHECK(bytes_equal(BYTES_PB(result.recipients[0]->name), BYTES_STR(party)));
	CHECK(bytes_equal(BYTES_PB(result.agreement->id), BYTES_STR(agreement)));
	CHECK(bytes_equal(BYTES_PB(result.service->name), BYTES_STR(ask.service)));
}

#define GOES(party, agreement, ...) goes_to(registry, (struct ask){__VA_ARGS__}, party, agreement)

static void names_must_be_known(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	CHECK_STR(ASK(RESOLVE_UNKNOWN_SENDER, "nobody", "city", .service = "application").field,
		"sender");
	CHECK_STR(ASK(RESOLVE_UNKNOWN_RECIPIENT, "portal", "nobody", .service = "application").field,
		"recipient");
	CHECK_STR(ASK(RESOLVE_UNKNOWN_SERVICE, "portal", "city", .service = "x").code,
		"unknown-service");
	ASK(RESOLVE_UNKNOWN_RECIPIENT, "portal", .service = "application"); /* no address, no event */
}

static void by_name(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	GOES("city", "a1", "portal", "city", .service = "application");
	GOES("city", "a1", "portal", "city", .service = "application", .agreement = "a1");
	GOES("portal", "a1", "city", "portal", .service = "status");
	ASK(RESOLVE_NO_AGREEMENT, "portal", "city", .service = "application", .agreement = "a2");
	ASK(RESOLVE_NO_AGREEMENT, "city", "portal", .service = "application");
	ASK(RESOLVE_NO_AGREEMENT, "portal", "city", .service = "status");
	ASK(RESOLVE_NO_AGREEMENT, "portal", "portal", .service = "application");
}

static void an_answer_goes_back(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	GOES("city", "a1", "portal", .region = "051240000000", .service = "question");
	GOES("portal", "a1", "city", "portal", .service = "question", .answer = true);
	GOES("portal", "a1", "city", "portal", .service = "question", .answer = true,
		.agreement = "a1");
	/* Nobody else may answer, the asker does not answer itself, and nothing but an answer goes back. */
	ASK(RESOLVE_NO_AGREEMENT, "state", "portal", .service = "question", .answer = true);
	ASK(RESOLVE_NO_AGREEMENT, "portal", "city", .service = "question", .answer = true);
	ASK(RESOLVE_NO_AGREEMENT, "city", "portal", .service = "question");
	ASK(RESOLVE_NO_AGREEMENT, "city", "portal", .service = "application", .answer = true);
	ASK(RESOLVE_NOT_YET, "city", "portal", .service = "question", .answer = true,
		.at = "2021-06-30");
}

static void in_time(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	ASK(RESOLVE_NOT_YET, "portal", "city", .service = "application", .at = "2021-06-30");
	GOES("city", "a1", "portal", "city", .service = "application", .at = "2021-07-01");
	GOES("solingen", "a3", "portal", "solingen", .service = "application", .at = "2021-12-31");
	struct resolve_result result = ASK(RESOLVE_EXPIRED, "portal", "solingen",
		.service = "application", .at = "2022-01-01");
	CHECK_STR(result.code, "agreement-expired");
	CHECK(strstr(result.detail, "a3 ended before 2022-01-01"));
	result = ASK(RESOLVE_NOT_YET, "state", "portal", .service = "status");
	CHECK(strstr(result.detail, "a4 begins on 2030-01-01"));
	/* the last millisecond counts, the next does not */
	struct resolve_query query = {.sender = BYTES_STR("portal"),
		.recipient = BYTES_STR("solingen"),
		.service = BYTES_STR("application"),
		.at_ms = day("2022-01-01") - 1};
	CHECK_INT(registry_resolve(registry, &query, &result), RESOLVE_OK);
	query.at_ms++;
	CHECK_INT(registry_resolve(registry, &query, &result), RESOLVE_EXPIRED);
}

static void by_region(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	GOES("city", "a1", "portal", .region = "051240000000", .service = "application");
	GOES("city", "a1", "portal", .region = "05124", .service = "application");
	GOES("state", "a2", "portal", .region = "051250000000", .service = "application");
	GOES("state", "a2", "portal", .region = "0512", .service = "application");
	ASK(RESOLVE_REGION, "portal", .region = "09", .service = "application");
	ASK(RESOLVE_REGION, "portal", .region = "0x", .service = "application");
	ASK(RESOLVE_REGION, "portal", .region = "0512400000001", .service = "application");
	/* by region only where the flow has regions */
	ASK(RESOLVE_REGION, "city", .region = "051240000000", .service = "status");
	ASK(RESOLVE_NO_AGREEMENT, "city", .region = "05124", .service = "application");
	ASK(RESOLVE_NO_AGREEMENT, "portal", .region = "05124", .service = "application",
		.agreement = "a4");
	GOES("state", "a2", "portal", .region = "05124", .service = "application",
		.agreement = "a2");
}

/* What has ended does not shadow what is in force, and only explains a refusal. */
static void ended_agreements_do_not_shadow(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	GOES("solingen", "a3", "portal", .region = "051220000000", .service = "application",
		.at = "2021-08-01");
	GOES("state", "a2", "portal", .region = "051220000000", .service = "application");
	ASK(RESOLVE_EXPIRED, "portal", .region = "051220000000", .service = "application",
		.agreement = "a3");
	ASK(RESOLVE_NOT_YET, "portal", .region = "051240000000", .service = "application",
		.at = "2019-01-01");
}

static void two_parties_for_one_region(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "b1", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "application", "portal", "solingen", "05124");
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	struct resolve_result result = ASK(
		RESOLVE_AMBIGUOUS, "portal", .region = "051240000000", .service = "application");
	CHECK_STR(result.code, "ambiguous");
	CHECK(strstr(result.detail, "city") && strstr(result.detail, "solingen"));
	GOES("solingen", "b1", "portal", .region = "05124", .service = "application",
		.agreement = "b1");
	GOES("city", "a1", "portal", "city", .service = "application");
	GOES("state", "a2", "portal", .region = "05111", .service = "application");
}

/* The same flow in two agreements: the first by id, unless it has ended. */
static void one_party_twice_is_not_ambiguous(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "a0", "2021-07-01", "2025-01-01");
	registry_fixture_flow(f, a, "application", "portal", "city", "05124");
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	GOES("city", "a0", "portal", .region = "05124", .service = "application",
		.at = "2024-12-31");
	GOES("city", "a1", "portal", .region = "05124", .service = "application",
		.at = "2025-01-01");
	GOES("city", "a1", "portal", "city", .service = "application", .at = "2025-01-01");
}

static void events_reach_all_subscribers(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "e1", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "death", "city,portal", "state", NULL);
	registry_fixture_flow(f, a, "death", "city,portal", "solingen", NULL);
	registry_fixture_flow(f, a, "death", "city,portal", "portal", NULL);
	a = registry_fixture_agreement(f, "e2", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "death", "city", "state", NULL); /* twice is once */
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	struct resolve_result result = ASK(RESOLVE_OK, "city", .service = "death");
	CHECK_INT(result.count, 3);
	CHECK(bytes_equal(BYTES_PB(result.agreement->id), BYTES_STR("e1")));
	result = ASK(RESOLVE_OK, "portal", .service = "death"); /* not back to itself */
	CHECK_INT(result.count, 2);
	GOES("state", "e1", "city", "state", .service = "death");
	ASK(RESOLVE_NO_SUBSCRIBER, "solingen", .service = "death");
	ASK(RESOLVE_NOT_YET, "city", .service = "death", .at = "2020-01-01");
}

static void an_event_has_an_end(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "e1", "2021-07-01", NULL);
	for (int i = 0; i < RESOLVE_MAX + 1; i++) {
		char name[32];
		snprintf(name, sizeof(name), "village-%02d", i);
		registry_fixture_party(f, name, NULL);
		registry_fixture_flow(f, a, "death", i ? "city,portal" : "city", name, NULL);
	}
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	CHECK_INT(ASK(RESOLVE_OK, "portal", .service = "death").count, RESOLVE_MAX);
	ASK(RESOLVE_TOO_MANY, "city", .service = "death");
}

/* Bytes that are no names do no harm, and are not repeated as they are. */
static void hostile_names(void)
{
	_cleanup_(registry_fixture_free) struct registry_fixture *f = world();
	_cleanup_(registry_unref) struct registry *registry = registry_fixture_load(f, 1, NULL);
	struct resolve_result result = ASK(
		RESOLVE_UNKNOWN_SENDER, "a\x1b[31m%s%n", "city", .service = "application");
	CHECK(!strchr(result.detail, 0x1b));
	struct resolve_query query = {.sender = BYTES("portal\0x", 8),
		.recipient = BYTES_STR("city"),
		.service = BYTES_STR("application")};
	CHECK_INT(registry_resolve(registry, &query, &result), RESOLVE_UNKNOWN_SENDER);
}

CHECK_MAIN(CHECK_CASE(names_must_be_known), CHECK_CASE(by_name), CHECK_CASE(an_answer_goes_back),
	CHECK_CASE(in_time), CHECK_CASE(by_region), CHECK_CASE(ended_agreements_do_not_shadow),
	CHECK_CASE(two_parties_for_one_region), CHECK_CASE(one_party_twice_is_not_ambiguous),
	CHECK_CASE(events_reach_all_subscribers), CHECK_CASE(an_event_has_an_end),
	CHECK_CASE(hostile_names))
