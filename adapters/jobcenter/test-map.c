/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A clerk's status and decision into the canonical case and back, and a table of mistakes.
 */
#include "adapters/jobcenter/map.h"

#include "adapters/connectors/case-form.h"
#include "proto/envelope.pb-c.h"
#include "test/kit/check.h"

#define CASE "\"case\": \"000102030405060708090a0b0c0d0e0f\""

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
	return r ? r : jobcenter_map_read(&t->form, file, &t->letter);
}

static void status(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	CHECK_INT(read_text(&t,
			  "{" CASE
			  ", \"state\": \"documents-missing\", \"text\": \"Bitte\\nnachreichen\","
			  "\"missing\": [\"Mietvertrag\", \"Kontoauszug\"]}",
			  "status.json"),
		0);
	CHECK_STR(t.letter.answer, "status");
	CHECK_INT(t.letter.status, DIENSTWEG__STATUS__STATUS_IN_PROGRESS);
	CHECK(t.letter.has_case && !t.letter.has_in_reply_to && !t.letter.service &&
		!t.letter.recipient);
	CHECK_INT(t.letter.case_id[1], 1);
	const Dienstweg__StatusReport *report = t.letter.content->status;
	CHECK_STR(report->state, "documents-missing");
	CHECK_STR(report->text, "Bitte\nnachreichen");
	CHECK_INT(report->n_missing, 2);
	CHECK_STR(report->missing[1], "Kontoauszug");
	CHECK_INT(read_text(&t, "{" CASE ", \"state\": \"received\"}", NULL), 0);
	CHECK_INT(t.letter.status, DIENSTWEG__STATUS__STATUS_RECEIVED);
	CHECK_INT(read_text(&t, "{" CASE ", \"state\": \"in-progress\"}", NULL), 0);
	CHECK_INT(t.letter.status, DIENSTWEG__STATUS__STATUS_IN_PROGRESS);
}

static const char decision_text[] =
	"{" CASE
	", \"in_reply_to\": \"0000000000000000000000000000000000000000000000000000000000000001\","
	"\"result\": \"partly-granted\", \"text\": \"Bewilligt\", \"decided_on\": \"2026-11-20\","
	"\"amounts\": [{\"purpose\": \"Regelbedarf\", \"cents\": 56300, \"period\": \"2026-12\"},"
	"{\"purpose\": \"Erstattung\", \"cents\": -100}], \"remedy\": \"Widerspruch\","
	"\"reference\": \"X\", \"service\": \"alg2.decision\", \"recipient\": \"city\"}";

static void decision(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	CHECK_INT(read_text(&t, decision_text, "decision.json"), 0);
	CHECK_STR(t.letter.answer, "decision");
	CHECK_INT(t.letter.status, DIENSTWEG__STATUS__STATUS_DECIDED);
	CHECK(t.letter.has_in_reply_to && t.letter.in_reply_to[31] == 1);
	CHECK_STR(t.letter.service, "alg2.decision");
	CHECK_STR(t.letter.recipient, "city");
	CHECK_STR(t.letter.content->reference, "X");
	const Dienstweg__DecisionNotice *notice = t.letter.content->decision;
	CHECK_STR(notice->result, "partly-granted");
	CHECK_STR(notice->decided_on, "2026-11-20");
	CHECK_STR(notice->remedy, "Widerspruch");
	CHECK_INT(notice->n_amounts, 2);
	CHECK_INT(notice->amounts[0]->cents, 56300);
	CHECK_INT(notice->amounts[1]->cents, -100);
}

static void decision_survives_the_way(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	struct bytes packed;
	json_t *json = NULL;
	CHECK_INT(read_text(&t, decision_text, NULL), 0);
	CHECK_INT(case_form_pack(t.letter.content, t.arena, &packed), 0);
	Dienstweg__Case *content = dienstweg__case__unpack(NULL, packed.len, packed.data);
	CHECK(content != NULL);
	CHECK_INT(case_form_decision_write(content, &json), 0);
	char *text = json_dumps(json, JSON_COMPACT);
	CHECK_STR(text,
		"{\"reference\":\"X\",\"result\":\"partly-granted\",\"decided_on\":\"2026-11-20\","
		"\"text\":\"Bewilligt\",\"remedy\":\"Widerspruch\",\"amounts\":[{\"purpose\":"
		"\"Regelbedarf\",\"period\":\"2026-12\",\"cents\":56300},{\"purpose\":"
		"\"Erstattung\","
		"\"cents\":-100}]}");
	free(text);
	json_decref(json);
	dienstweg__case__free_unpacked(content, NULL);
}

static const struct {
	const char *text, *file, *expected;
} mistakes[] = {
	{"{}", NULL, "case: missing"},
	{"{\"case\": \"00\"}", NULL, "case: must have 32 hexadecimal digits"},
	{"{\"case\": 7}", NULL, "case: must be a text in quotes"},
	{"{" CASE "}", NULL, "state: a status has \"state\", a decision has \"result\""},
	{"{" CASE ", \"state\": \"received\", \"result\": \"granted\"}", NULL, "write one of them"},
	{"{" CASE ", \"state\": \"fertig\"}", NULL,
		"state: must be one of: received, in-progress, documents-missing"},
	{"{" CASE ", \"state\": 1}", NULL, "state: must be one of"},
	{"{" CASE ", \"state\": \"received\", \"missing\": \"x\"}", NULL, "missing: must be a list"},
	{"{" CASE ", \"state\": \"received\", \"missing\": [\"x\", {}]}", NULL,
		"missing[1]: must be a text"},
	{"{" CASE ", \"state\": \"received\", \"amounts\": []}", NULL, "amounts: unknown field"},
	{"{" CASE ", \"state\": \"received\"}", "decision.json",
		"status: stands in decision.json; name the file status.json"},
	{"{" CASE ", \"result\": \"granted\"}", "status.json", "name the file decision.json"},
	{"{" CASE ", \"result\": \"ja\"}", NULL,
		"result: must be one of: granted, partly-granted, refused, withdrawn"},
	{"{" CASE ", \"result\": \"granted\", \"decided_on\": \"heute\"}", NULL,
		"decided_on: is no date"},
	{"{" CASE ", \"result\": \"granted\", \"amounts\": {}}", NULL, "amounts: must be a list"},
	{"{" CASE ", \"result\": \"granted\", \"amounts\": [{\"purpose\": \"x\"}]}", NULL,
		"amounts[0].cents: missing"},
	{"{" CASE ", \"result\": \"granted\", \"amounts\": [{\"purpose\": \"x\", \"cents\": 1.5}]}",
		NULL, "amounts[0].cents: must be a whole number, and is a decimal number"},
	{"{" CASE
	 ", \"result\": \"granted\", \"amounts\": [{\"purpose\": \"x\", \"cents\": \"5\"}]}",
		NULL, "amounts[0].cents: must be a whole number, and is a text"},
	{"{" CASE ", \"result\": \"granted\", \"amounts\": [{\"purpose\": \"x\","
	 "\"cents\": 900000000000000}]}",
		NULL, "amounts[0].cents: must lie between"},
	{"{" CASE ", \"result\": \"granted\", \"amounts\": [{\"cents\": 1}]}", NULL,
		"amounts[0].purpose: missing"},
	{"{" CASE ", \"result\": \"granted\", \"in_reply_to\": \"ab\"}", NULL,
		"in_reply_to: must have 64 hexadecimal digits"},
	{"{" CASE ", \"result\": \"granted\", \"clerk\": \"x\"}", NULL, "clerk: unknown field"},
};

static void mistakes_are_named(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		CHECK_INT(read_text(&t, mistakes[i].text, mistakes[i].file), FORM_BAD);
		if (!strstr(t.why, mistakes[i].expected))
			CHECK_FAIL("%s: \"%s\" does not say \"%s\"", mistakes[i].text, t.why,
				mistakes[i].expected);
	}
}

static void writes_applications_only(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	const char *file = NULL;
	json_t *json = NULL;
	CHECK_INT(read_text(&t, decision_text, NULL), 0);
	CHECK_INT(jobcenter_map_write(t.letter.content, &file, &json), 0);
	CHECK(json == NULL);
	Dienstweg__Application application;
	Dienstweg__Case content;
	dienstweg__case__init(&content);
	dienstweg__application__init(&application);
	content.content_case = DIENSTWEG__CASE__CONTENT_APPLICATION;
	content.application = &application;
	CHECK_INT(jobcenter_map_write(&content, &file, &json), 0);
	CHECK_STR(file, "application.json");
	CHECK_INT(json_object_size(json), 0);
	json_decref(json);
}

CHECK_MAIN(CHECK_CASE(status), CHECK_CASE(decision), CHECK_CASE(decision_survives_the_way),
	CHECK_CASE(mistakes_are_named), CHECK_CASE(writes_applications_only))
