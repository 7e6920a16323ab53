/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Questions and answers as people write them: what is there is taken, what is missing or does not belong is named, and
 * no value is repeated.
 */
#include "adapters/connectors/letter.h"

#include "test/kit/check.h"

#define CASE "000102030405060708090a0b0c0d0e0f"

struct reading {
	char why[600];
	struct arena *arena;
	json_t *root;
	struct letter letter;
};

static void reading_deinit(struct reading *t)
{
	json_decref(t->root);
	arena_free(t->arena);
}
DEFINE_CLEANUP_PTR(struct reading, reading_deinit);

static int read_it(struct reading *t, const char *text, const char *file)
{
	struct form form;
	reading_deinit(t);
	*t = (struct reading){.arena = arena_new(4 << 20)};
	struct form_reader reader = {.arena = t->arena, .reterr = t->why, .size = sizeof(t->why)};
	CHECK_INT(form_parse(&reader, BYTES_STR(text), &t->root, &form), 0);
	CHECK(letter_is_question(&form, file));
	return letter_read_question(&form, file, &t->letter);
}

static void says(const char *text, const char *file, const char *expected)
{
	_cleanup_(reading_deinit) struct reading t = {};
	CHECK_INT(read_it(&t, text, file), FORM_BAD);
	if (!strstr(t.why, expected))
		CHECK_FAIL("\"%s\" does not say \"%s\"", t.why, expected);
	CHECK(!strstr(t.why, "geheim"));
}

static void a_question_is_read(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	CHECK_INT(read_it(&t,
			  "{\"service\": \"benefit.question\", \"recipient\": \"jobcenter\","
			  "\"question\": \"benefits?\", \"reference\": \"F-1\", \"case\": \"" CASE
			  "\","
			  "\"about\": {\"given_name\": \"A\", \"family_name\": \"B\"},"
			  "\"fields\": {\"since\": \"2026\"}}",
			  "question.json"),
		0);
	CHECK(t.letter.asks && !t.letter.answers && t.letter.has_case && !t.letter.answer);
	CHECK_STR(t.letter.service, "benefit.question");
	CHECK_STR(t.letter.recipient, "jobcenter");
	CHECK_INT(t.letter.case_id[15], 0x0f);
	CHECK_STR(t.letter.content->reference, "F-1");
	CHECK_INT(t.letter.content->content_case, DIENSTWEG__CASE__CONTENT_QUESTION);
	CHECK_STR(t.letter.content->question->question, "benefits?");
	CHECK_STR(t.letter.content->question->about->family_name, "B");
	CHECK_INT(t.letter.content->question->n_fields, 1);
}

static void an_answer_needs_its_case_alone(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	CHECK_INT(read_it(&t, "{\"case\": \"" CASE "\", \"answer\": \"yes\"}", NULL), 0);
	CHECK(t.letter.answers && !t.letter.asks && t.letter.has_case && !t.letter.has_in_reply_to);
	CHECK(!t.letter.service && !t.letter.recipient);
	CHECK_INT(t.letter.content->content_case, DIENSTWEG__CASE__CONTENT_ANSWER);
	CHECK_STR(t.letter.content->answer->answer, "yes");
}

static void mistakes_are_named(void)
{
	says("{\"question\": \"geheim\", \"recipient\": \"jobcenter\"}", NULL, "service: missing");
	says("{\"answer\": \"geheim\"}", NULL, "case: missing");
	says("{\"service\": \"benefit.question\"}", "question.json", "question: missing");
	says("{\"case\": \"" CASE "\"}", "answer.json", "answer: missing");
	says("{\"case\": \"" CASE "\", \"answer\": \"geheim\"}", "question.json",
		"name the file answer.json");
	says("{\"case\": \"" CASE "\", \"answer\": \"geheim\", \"region\": \"05\"}", NULL, "region");
	says("{\"case\": \"" CASE "\", \"answer\": \"geheim\", \"question\": \"geheim\"}", NULL,
		"question");
	says("{\"service\": \"benefit.question\", \"question\": \"geheim\", \"about\": "
	     "{\"given_name\": "
	     "\"geheim\"}}",
		NULL, "about.family_name: missing");
}

CHECK_MAIN(CHECK_CASE(a_question_is_read), CHECK_CASE(an_answer_needs_its_case_alone),
	CHECK_CASE(mistakes_are_named))
