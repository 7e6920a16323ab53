/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The portal's form into the canonical case and back, and a table of mistakes: each must be named by its
 * path, with what would be right.
 */
#include "adapters/city/map.h"

#include "adapters/connectors/case-form.h"
#include "proto/envelope.pb-c.h"
#include "test/kit/check.h"

struct reading {
	char why[600];
	struct arena *arena;
	struct form_reader reader;
	json_t *root;
	struct form form;
	struct letter letter;
};

static void reading_deinit(struct reading *t)
{
	json_decref(t->root);
	arena_free(t->arena);
}
DEFINE_CLEANUP_PTR(struct reading, reading_deinit);

static int parse(struct reading *t, const char *text)
{
	reading_deinit(t);
	*t = (struct reading){.arena = arena_new(4 << 20)};
	t->reader = (struct form_reader){
		.arena = t->arena, .reterr = t->why, .size = sizeof(t->why)};
	return form_parse(&t->reader, BYTES_STR(text), &t->root, &t->form);
}

static int read_text(struct reading *t, const char *text, const char *file)
{
	int r = parse(t, text);
	return r ? r : city_map_read(&t->form, file, &t->letter);
}

static const char full[] =
	"{\"service\": \"alg2.application\", \"region\": \"051240000000\", \"channel\": "
	"\"paper\",\n"
	" \"reference\": \"P-2026-0815\", \"submitted_at\": \"2026-11-21T13:05:00+01:00\",\n"
	" \"applicant\": {\"given_name\": \"Erika\", \"family_name\": \"Mustermann\",\n"
	"  \"date_of_birth\": \"1964-08-12\", \"address\": {\"street\": \"Heidestraße\",\n"
	"   \"house_number\": \"17\", \"postal_code\": \"42103\", \"town\": \"Wuppertal\",\n"
	"   \"region\": \"051240000000\"}},\n"
	" \"household\": [{\"given_name\": \"Max\", \"family_name\": \"Mustermann\",\n"
	"  \"date_of_birth\": \"2015-02-28\", \"relation\": \"child\"}],\n"
	" \"fields\": {\"rent\": \"480.00\", \"rooms\": 3, \"heating\": true}}";

static void portal_form_becomes_a_case(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	CHECK_INT(read_text(&t, full, "application.json"), 0);
	CHECK_STR(t.letter.service, "alg2.application");
	CHECK_STR(t.letter.region, "051240000000");
	CHECK(t.letter.recipient == NULL && t.letter.answer == NULL && !t.letter.has_case);
	CHECK_INT(t.letter.channel, DIENSTWEG__CHANNEL__CHANNEL_PAPER);
	CHECK_INT(t.letter.status, DIENSTWEG__STATUS__STATUS_NONE);
	CHECK_STR(t.letter.content->reference, "P-2026-0815");
	const Dienstweg__Application *application = t.letter.content->application;
	CHECK_STR(application->applicant->family_name, "Mustermann");
	CHECK_STR(application->applicant->date_of_birth, "1964-08-12");
	CHECK_STR(application->applicant->address->street, "Heidestraße");
	CHECK_INT(application->n_household, 1);
	CHECK_STR(application->household[0]->relation, "child");
	CHECK_INT(application->n_fields, 3);
	CHECK_STR(application->fields[0]->name, "rent");
	CHECK_STR(application->fields[1]->value, "3");
	CHECK_STR(application->fields[2]->value, "true");
	CHECK_STR(application->submitted_at, "2026-11-21T13:05:00+01:00");
}

#define PERSON "{\"given_name\": \"A\", \"family_name\": \"B\"}"

static void least_form(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	CHECK_INT(read_text(&t,
			  "{\"service\": \"uvg.application\", \"recipient\": \"youthoffice\","
			  "\"applicant\": " PERSON "}",
			  NULL),
		0);
	CHECK_INT(t.letter.channel, DIENSTWEG__CHANNEL__CHANNEL_ONLINE);
	CHECK_STR(t.letter.recipient, "youthoffice");
	CHECK_STR(t.letter.content->reference, "");
	CHECK_INT(
		read_text(&t,
			"{\"service\": \"uvg.application\", \"applicant\": {\"given_name\": \"A\","
			"\"family_name\": \"B\", \"address\": {\"region\": \"05124\"}}}",
			NULL),
		0);
	CHECK_STR(t.letter.region, "05124"); /* the applicant lives there */
	CHECK_INT(
		read_text(&t,
			"{\"service\": \"uvg.application\", \"applicant\": " PERSON ", \"fields\":"
			"[{\"name\": \"child\", \"value\": \"1\"}, {\"name\": \"child\", \"value\":"
			"\"2\"}], \"case\": \"000102030405060708090a0b0c0d0e0f\"}",
			NULL),
		0);
	CHECK_INT(t.letter.content->application->n_fields, 2);
	CHECK(t.letter.has_case && t.letter.case_id[15] == 15);
	CHECK(t.letter.region == NULL); /* the setting decides */
}

/* What is wrong with a form, and what the complaint has to say. */
static const struct {
	const char *text, *expected;
} mistakes[] = {
	{"{}", "service: missing"},
	{"{\"service\": 5}", "service: must be a text in quotes, and is a whole number"},
	{"{\"service\": \"Alg 2\"}", "service: is no name of the bus"},
	{"{\"service\": \"a\", \"recipient\": \"b\", \"region\": \"05\"}",
		"region: stands beside recipient"},
	{"{\"service\": \"a\", \"region\": \"Wuppertal\"}", "region: is no region key"},
	{"{\"service\": \"a\", \"channel\": \"fax\"}",
		"channel: must be one of: online, paper, counter, phone"},
	{"{\"service\": \"a\", \"case\": \"xyz\"}", "case: must have 32 hexadecimal digits"},
	{"{\"service\": \"a\"}", "applicant: missing"},
	{"{\"service\": \"a\", \"applicant\": \"Geheim\"}",
		"applicant: must be an object { ... }, and is a text"},
	{"{\"service\": \"a\", \"applicant\": {}}", "applicant.given_name: missing"},
	{"{\"service\": \"a\", \"applicant\": {\"given_name\": \"Geheim\"}}",
		"applicant.family_name: missing"},
	{"{\"service\": \"a\", \"applicant\": {\"given_name\": \"A\", \"family_name\": \"B\","
	 "\"date_of_birth\": \"12.08.1964\"}}",
		"applicant.date_of_birth: is no date; write it like 1980-12-31"},
	{"{\"service\": \"a\", \"applicant\": {\"given_name\": \"A\", \"family_name\": \"B\","
	 "\"dateofbirth\": \"1964-08-12\"}}",
		"applicant.dateofbirth: unknown field"},
	{"{\"service\": \"a\", \"applicant\": {\"given_name\": \"A\", \"family_name\": \"B\","
	 "\"address\": []}}",
		"applicant.address: must be an object"},
	{"{\"service\": \"a\", \"applicant\": {\"given_name\": \"A\", \"family_name\": \"B\","
	 "\"address\": {\"zip\": \"42103\"}}}",
		"applicant.address.zip: unknown field"},
	{"{\"service\": \"a\", \"applicant\": {\"given_name\": \"A\", \"family_name\": \"B\","
	 "\"address\": {\"region\": \"x\"}}}",
		"applicant.address.region: is no region key"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"household\": {}}",
		"household: must be a list"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"household\": [" PERSON ", 5]}",
		"household[1]: must be an object"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"household\": [" PERSON
	 ", {\"given_name\": \"C\", \"family_name\": \"D\", \"date_of_birth\": true}]}",
		"household[1].date_of_birth: must be a text in quotes, and is true or false"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"fields\": 5}",
		"fields: must be a list"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"fields\": {\"rent\": 480.5}}",
		"fields.rent: must be a text, a whole number, true or false"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"fields\": {\"rent\": null}}",
		"fields.rent: must be a text"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"fields\": {\"\": \"x\"}}",
		"fields.: is empty"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"fields\": [{\"name\": \"rent\"}]}",
		"fields[0].value: missing"},
	{"{\"service\": \"a\", \"applicant\": " PERSON
	 ", \"fields\": [{\"name\": \"rent\", \"value\": \"1\", \"unit\": \"EUR\"}]}",
		"fields[0].unit: unknown field"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"submitted_at\": \"yesterday\"}",
		"submitted_at: is no time"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"reference\": {}}",
		"reference: must be a text"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"sender\": \"x\"}",
		"sender: unknown field"},
	{"{\"service\": \"a\", \"applicant\": " PERSON ", \"documents\": []}",
		"documents: unknown field"},
};

static void mistakes_are_named(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		CHECK_INT(read_text(&t, mistakes[i].text, "application.json"), FORM_BAD);
		if (!strstr(t.why, mistakes[i].expected))
			CHECK_FAIL("%s: \"%s\" does not say \"%s\"", mistakes[i].text, t.why,
				mistakes[i].expected);
		CHECK(!strstr(t.why, "Geheim"));
	}
}

static void lists_are_bounded(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	enum { TEXT_SIZE = 200000 };
	_cleanup_(heap_free) char *text = malloc(TEXT_SIZE);
	CHECK(text != NULL);
	size_t used = (size_t)snprintf(text, TEXT_SIZE,
		"{\"service\": \"a\", \"applicant\": " PERSON ", \"household\": [" PERSON);
	for (int i = 0; i < CASE_HOUSEHOLD_MAX; i++)
		used += (size_t)snprintf(text + used, TEXT_SIZE - used, ", " PERSON);
	snprintf(text + used, TEXT_SIZE - used, "]}");
	CHECK_INT(read_text(&t, text, NULL), FORM_BAD);
	CHECK(strstr(t.why, "household: has more than 50 entries"));
	used = (size_t)snprintf(text, TEXT_SIZE,
		"{\"service\": \"a\", \"applicant\": " PERSON ", \"fields\": {\"x\": 1");
	for (int i = 0; i < CASE_FIELDS_MAX; i++)
		used += (size_t)snprintf(text + used, TEXT_SIZE - used, ", \"x%d\": 1", i);
	snprintf(text + used, TEXT_SIZE - used, "}}");
	CHECK_INT(read_text(&t, text, NULL), FORM_BAD);
	CHECK(strstr(t.why, "fields: has more than 500 entries"));
}

/* Through the bytes that travel, and out on the other side. */
static void application_survives_the_way(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	struct bytes packed;
	const char *file = NULL;
	json_t *json = NULL;
	CHECK_INT(read_text(&t, full, "application.json"), 0);
	t.letter.content->application->service = t.letter.service;
	CHECK_INT(case_form_pack(t.letter.content, t.arena, &packed), 0);
	Dienstweg__Case *content = dienstweg__case__unpack(NULL, packed.len, packed.data);
	CHECK(content != NULL);
	CHECK_INT(city_map_write(content, &file, &json), 0);
	CHECK_STR(file, "application.json");
	char *text = json_dumps(json, JSON_COMPACT);
	CHECK_STR(text,
		"{\"reference\":\"P-2026-0815\",\"service\":\"alg2.application\","
		"\"submitted_at\":\"2026-11-21T13:05:00+01:00\",\"applicant\":{\"given_name\":"
		"\"Erika\","
		"\"family_name\":\"Mustermann\",\"date_of_birth\":\"1964-08-12\",\"address\":{"
		"\"street\":\"Heidestraße\",\"house_number\":\"17\",\"postal_code\":\"42103\","
		"\"town\":\"Wuppertal\",\"region\":\"051240000000\"}},\"household\":[{\"given_"
		"name\":"
		"\"Max\",\"family_name\":\"Mustermann\",\"date_of_birth\":\"2015-02-28\","
		"\"relation\":"
		"\"child\"}],\"fields\":[{\"name\":\"rent\",\"value\":\"480.00\"},{\"name\":"
		"\"rooms\","
		"\"value\":\"3\"},{\"name\":\"heating\",\"value\":\"true\"}]}");
	free(text);
	json_decref(json);
	dienstweg__case__free_unpacked(content, NULL);
}

static void answers_for_the_portal(void)
{
	const char *file = NULL;
	json_t *json = NULL;
	Dienstweg__Case content;
	Dienstweg__StatusReport status;
	char *missing[] = {(char *)(uintptr_t) "payslip"};
	dienstweg__case__init(&content);
	CHECK_INT(city_map_write(&content, &file, &json), 0);
	CHECK(json == NULL); /* nothing in it */
	dienstweg__status_report__init(&status);
	content.content_case = DIENSTWEG__CASE__CONTENT_STATUS;
	content.status = &status;
	status.state = (char *)(uintptr_t) "documents-missing";
	status.missing = missing;
	status.n_missing = 1;
	CHECK_INT(city_map_write(&content, &file, &json), 0);
	CHECK_STR(file, "status.json");
	char *text = json_dumps(json, JSON_COMPACT);
	CHECK_STR(text, "{\"state\":\"documents-missing\",\"missing\":[\"payslip\"]}");
	free(text);
	json_decref(json);
	status.text = (char *)(uintptr_t) "no UTF-8: \xe4";
	CHECK_INT(city_map_write(&content, &file, &json), CASE_UNPRINTABLE);
}

static void offices_answer_here_too(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	CHECK_INT(
		read_text(&t,
			"{\"case\": \"000102030405060708090a0b0c0d0e0f\", \"state\": \"received\"}",
			NULL),
		0);
	CHECK_STR(t.letter.answer, "status");
	CHECK_INT(
		read_text(&t,
			"{\"case\": \"000102030405060708090a0b0c0d0e0f\", \"result\": \"granted\"}",
			"decision.json"),
		0);
	CHECK_STR(t.letter.answer, "decision");
	CHECK_INT(t.letter.status, DIENSTWEG__STATUS__STATUS_DECIDED);
}

CHECK_MAIN(CHECK_CASE(portal_form_becomes_a_case), CHECK_CASE(least_form),
	CHECK_CASE(mistakes_are_named), CHECK_CASE(lists_are_bounded),
	CHECK_CASE(application_survives_the_way), CHECK_CASE(answers_for_the_portal),
	CHECK_CASE(offices_answer_here_too))
