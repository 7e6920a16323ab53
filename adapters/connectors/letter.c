/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Clerks answer in every agency, and what an answer has to say does not depend on the agency: which case,
 * and what became of it. Where it goes follows from where the case came from.
 */
#include "adapters/connectors/letter.h"

#include <stdio.h>
#include <string.h>

#include "adapters/connectors/case-form.h"

static int address_read(struct form *form, struct letter *ret)
{
	int r = form_hex(
		form, "case", FORM_REQUIRED, ret->case_id, sizeof(ret->case_id), &ret->has_case);
	if (r == 0)
		r = form_hex(form, "in_reply_to", FORM_OPTIONAL, ret->in_reply_to,
			sizeof(ret->in_reply_to), &ret->has_in_reply_to);
	if (r == 0)
		r = form_name(form, "service", FORM_OPTIONAL, &ret->service);
	if (r == 0)
		r = form_name(form, "recipient", FORM_OPTIONAL, &ret->recipient);
	return r;
}

static int file_check(const struct form *form, const char *file, const char *what)
{
	char wanted[32];
	snprintf(wanted, sizeof(wanted), "%s.json", what);
	return file && strcmp(file, wanted) != 0
		       ? form_fail(form, what, "stands in %.40s; name the file %s", file, wanted)
		       : 0;
}

static bool is_file(const char *file, const char *name)
{
	return file && strcmp(file, name) == 0;
}

bool letter_is_question(const struct form *form, const char *file)
{
	return is_file(file, "question.json") || is_file(file, "answer.json") ||
	       json_object_get(form->object, "question") || json_object_get(form->object, "answer");
}

int letter_read_question(struct form *form, const char *file, struct letter *ret)
{
	bool answer = is_file(file, "answer.json") || form_has(form, "answer");
	*ret = (struct letter){.asks = !answer, .answers = answer};
	int r = form_hex(form, "case", answer ? FORM_REQUIRED : FORM_OPTIONAL, ret->case_id,
		sizeof(ret->case_id), &ret->has_case);
	if (r == 0 && answer)
		r = form_hex(form, "in_reply_to", FORM_OPTIONAL, ret->in_reply_to,
			sizeof(ret->in_reply_to), &ret->has_in_reply_to);
	if (r == 0)
		r = form_name(
			form, "service", answer ? FORM_OPTIONAL : FORM_REQUIRED, &ret->service);
	if (r == 0)
		r = form_name(form, "recipient", FORM_OPTIONAL, &ret->recipient);
	if (r == 0 && !answer)
		r = form_region(form, "region", FORM_OPTIONAL, &ret->region);
	if (r == 0)
		r = case_form_question(form, answer, &ret->content);
	if (r == 0)
		r = form_line(form, "reference", FORM_OPTIONAL, &ret->content->reference);
	if (r == 0)
		r = form_end(form);
	return r ? r : file_check(form, file, answer ? "answer" : "question");
}

int letter_read_answer(struct form *form, const char *file, struct letter *ret)
{
	struct case_answer answer = {};
	*ret = (struct letter){};
	int r = address_read(form, ret);
	if (r == 0)
		r = case_form_answer(form, &answer);
	if (r == 0)
		r = form_line(form, "reference", FORM_OPTIONAL, &answer.content->reference);
	if (r == 0)
		r = form_end(form);
	if (r == 0)
		r = file_check(form, file, answer.what);
	if (r)
		return r;
	ret->content = answer.content;
	ret->answer = answer.what;
	ret->status = answer.status;
	return 0;
}
