/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * From the case to what a legacy system gets. The case came from another agency: a text in it may be no
 * text, and then nothing of it is written.
 */
#include <errno.h>

#include "adapters/connectors/case-form.h"
#include "adapters/connectors/case-rules.h"

/* Takes @value over, whatever happens. */
static int set_value(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) ? -ENOMEM : 0;
}

/* A list of as many objects as there are messages, each filled by @write; none: no list. */
static int set_list(json_t *object, const char *name, const void *messages, size_t count,
	int (*write)(json_t *entry, const void *message))
{
	const void *const *all = messages;
	json_t *list = count > 0 ? json_array() : NULL;
	if (count == 0)
		return 0;
	int r = set_value(object, name, list);
	for (size_t i = 0; i < count && r == 0; i++) {
		json_t *entry = json_object();
		r = json_array_append_new(list, entry) ? -ENOMEM : write(entry, all[i]);
	}
	return r;
}

static int person_write(json_t *object, const void *message)
{
	const Dienstweg__Person *person = message;
	int r = case_rules_write(object, &case_rules_person, person);
	if (r || !person->address)
		return r;
	json_t *address = json_object();
	r = set_value(object, "address", address);
	return r ? r : case_rules_write(address, &case_rules_address, person->address);
}

static int field_write(json_t *object, const void *message)
{
	return case_rules_write(object, &case_rules_field, message);
}

static int amount_write(json_t *object, const void *message)
{
	const Dienstweg__Amount *amount = message;
	int r = case_rules_write(object, &case_rules_amount, amount);
	return r ? r : set_value(object, "cents", json_integer(amount->cents));
}

static int application_write(json_t *object, const Dienstweg__Case *content)
{
	const Dienstweg__Application *application = content->application;
	int r = case_text_write(object, "service", application->service);
	if (r == 0)
		r = case_rules_write(object, &case_rules_application, application);
	if (r == 0 && application->applicant) {
		json_t *applicant = json_object();
		r = set_value(object, "applicant", applicant);
		if (r == 0)
			r = person_write(applicant, application->applicant);
	}
	if (r == 0)
		r = set_list(object, "household", application->household, application->n_household,
			person_write);
	if (r == 0)
		r = set_list(
			object, "fields", application->fields, application->n_fields, field_write);
	return r;
}

static int status_write(json_t *object, const Dienstweg__Case *content)
{
	const Dienstweg__StatusReport *status = content->status;
	int r = case_rules_write(object, &case_rules_status, status);
	if (r || status->n_missing == 0)
		return r;
	json_t *list = json_array();
	r = set_value(object, "missing", list);
	for (size_t i = 0; i < status->n_missing && r == 0; i++) {
		if (json_array_append_new(list, json_string(status->missing[i])))
			r = CASE_UNPRINTABLE;
	}
	return r;
}

static int decision_write(json_t *object, const Dienstweg__Case *content)
{
	const Dienstweg__DecisionNotice *decision = content->decision;
	int r = case_rules_write(object, &case_rules_decision, decision);
	return r ? r
		 : set_list(object, "amounts", decision->amounts, decision->n_amounts, amount_write);
}

static int question_write(json_t *object, const Dienstweg__Case *content)
{
	if (content->content_case == DIENSTWEG__CASE__CONTENT_ANSWER) {
		const Dienstweg__QuestionAnswer *answer = content->answer;
		int r = case_rules_write(object, &case_rules_reply, answer);
		return r ? r
			 : set_list(object, "fields", answer->fields, answer->n_fields, field_write);
	}
	const Dienstweg__Question *question = content->question;
	int r = case_rules_write(object, &case_rules_question, question);
	if (r == 0 && question->about) {
		json_t *about = json_object();
		r = set_value(object, "about", about);
		if (r == 0)
			r = person_write(about, question->about);
	}
	return r ? r : set_list(object, "fields", question->fields, question->n_fields, field_write);
}

static int content_write(const Dienstweg__Case *content,
	int (*write)(json_t *object, const Dienstweg__Case *content), json_t **ret)
{
	_cleanup_(json_decref) json_t *object = json_object();
	if (!object)
		return -ENOMEM;
	int r = case_text_write(object, "reference", content->reference);
	if (r == 0)
		r = write(object, content);
	if (r == 0)
		*ret = steal(&object);
	return r;
}

int case_form_application_write(const Dienstweg__Case *content, json_t **ret)
{
	return content_write(content, application_write, ret);
}

int case_form_status_write(const Dienstweg__Case *content, json_t **ret)
{
	return content_write(content, status_write, ret);
}

int case_form_decision_write(const Dienstweg__Case *content, json_t **ret)
{
	return content_write(content, decision_write, ret);
}

int case_form_question_write(const Dienstweg__Case *content, json_t **ret)
{
	return content_write(content, question_write, ret);
}
