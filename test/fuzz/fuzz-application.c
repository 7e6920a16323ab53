/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Forms come from portals and clerks. Whatever the bytes are, there is a complaint; and what is accepted
 * has one reading: written as the other agency gets it, and read again, it is the same case.
 */
#include "adapters/city/map.h"
#include "adapters/connectors/case-form.h"
#include "adapters/jobcenter/map.h"
#include "test/fuzz/target.h"
#include "test/kit/check.h"

enum { BUDGET = 16 << 20, WHY_SIZE = 600 };

static int read_form(struct arena *arena, struct bytes text, struct letter *letter)
{
	_cleanup_(json_decref) json_t *root = NULL;
	char why[WHY_SIZE] = "", other_why[WHY_SIZE] = "";
	struct form_reader reader = {.arena = arena, .reterr = why, .size = sizeof(why)};
	struct form_reader other = {.arena = arena, .reterr = other_why, .size = sizeof(other_why)};
	struct letter answer = {};
	struct form form;
	int r = form_parse(&reader, text, &root, &form);
	if (r == 0 && letter_is_question(&form, NULL)) {
		r = letter_read_question(&form, NULL, letter);
	} else if (r == 0) {
		struct form again = {.reader = &other, .object = root};
		r = city_map_read(&form, NULL, letter);
		int clerk = jobcenter_map_read(&again, NULL, &answer);
		CHECK((clerk == 0) == (r == 0 && letter->answer));
		CHECK(clerk == 0 || (clerk == FORM_BAD && other_why[0]));
	}
	CHECK(r == 0 || (r == FORM_BAD && why[0]));
	return r;
}

/* What a clerk's answer, or a question, needs besides what the other side gets. */
static char *text_again(const struct letter *letter, json_t *json)
{
	if (letter->asks)
		CHECK_INT(json_object_set_new(json, "service", json_string(letter->service)), 0);
	if (letter->answer || letter->answers)
		CHECK_INT(json_object_set_new(
				  json, "case", json_string("00000000000000000000000000000000")),
			0);
	char *text = json_dumps(json, JSON_COMPACT);
	CHECK(text != NULL);
	return text;
}

static void check_accepted(struct arena *arena, struct letter *letter)
{
	struct bytes first, second;
	struct letter again = {};
	const char *file = NULL;
	_cleanup_(json_decref) json_t *json = NULL;
	Dienstweg__Case *content = letter->content;
	if (content->content_case == DIENSTWEG__CASE__CONTENT_APPLICATION)
		content->application->service = letter->service;
	CHECK_INT(case_form_pack(content, arena, &first), 0);
	Dienstweg__Case *received = dienstweg__case__unpack(
		arena_allocator(arena), first.len, first.data);
	CHECK(received != NULL);
	bool question = letter->asks || letter->answers;
	CHECK_INT(question ? case_form_question_write(received, &json)
			   : city_map_write(received, &file, &json),
		0);
	CHECK(json != NULL && (question || file != NULL));
	_cleanup_(heap_free) char *text = text_again(letter, json);
	CHECK_INT(read_form(arena, BYTES_STR(text), &again), 0);
	if (again.content->content_case == DIENSTWEG__CASE__CONTENT_APPLICATION)
		again.content->application->service = again.service;
	CHECK_INT(case_form_pack(again.content, arena, &second), 0);
	CHECK(bytes_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(BUDGET);
	struct letter letter = {};
	CHECK(arena != NULL);
	if (read_form(arena, BYTES(data, size), &letter) == 0)
		check_accepted(arena, &letter);
	return 0;
}
