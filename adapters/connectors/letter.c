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

int letter_read_answer(struct form *form, const char *file, struct letter *ret)
{
	char wanted[32];
	struct case_answer answer = {};
	*ret = (struct letter){};
	int r = address_read(form, ret);
	if (r == 0)
		r = case_form_answer(form, &answer);
	if (r == 0)
		r = form_line(form, "reference", FORM_OPTIONAL, &answer.content->reference);
	if (r == 0)
		r = form_end(form);
	if (r)
		return r;
	snprintf(wanted, sizeof(wanted), "%s.json", answer.what);
	if (file && strcmp(file, wanted) != 0)
		return form_fail(
			form, answer.what, "stands in %.40s; name the file %s", file, wanted);
	ret->content = answer.content;
	ret->answer = answer.what;
	ret->status = answer.status;
	return 0;
}
