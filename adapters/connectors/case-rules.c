/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One table per message serves both directions, so what one agency writes is what the other one can read.
 */
#include "adapters/connectors/case-rules.h"

#include <errno.h>

#include "adapters/connectors/case-form.h"
#include "proto/case.pb-c.h"

static const struct case_rule address_rules[] = {
	{"street", offsetof(Dienstweg__Address, street), FORM_OPTIONAL, form_line},
	{"house_number", offsetof(Dienstweg__Address, house_number), FORM_OPTIONAL, form_line},
	{"postal_code", offsetof(Dienstweg__Address, postal_code), FORM_OPTIONAL, form_line},
	{"town", offsetof(Dienstweg__Address, town), FORM_OPTIONAL, form_line},
	{"region", offsetof(Dienstweg__Address, region), FORM_OPTIONAL, form_region},
};
static const struct case_rule person_rules[] = {
	{"given_name", offsetof(Dienstweg__Person, given_name), FORM_REQUIRED, form_line},
	{"family_name", offsetof(Dienstweg__Person, family_name), FORM_REQUIRED, form_line},
	{"date_of_birth", offsetof(Dienstweg__Person, date_of_birth), FORM_OPTIONAL, form_date},
	{"relation", offsetof(Dienstweg__Person, relation), FORM_OPTIONAL, form_line},
};
static const struct case_rule field_rules[] = {
	{"name", offsetof(Dienstweg__FormField, name), FORM_REQUIRED, form_line},
	{"value", offsetof(Dienstweg__FormField, value), FORM_REQUIRED, form_text},
};
static const struct case_rule application_rules[] = {
	{"submitted_at", offsetof(Dienstweg__Application, submitted_at), FORM_OPTIONAL, form_time},
};
static const struct case_rule status_rules[] = {
	{"state", offsetof(Dienstweg__StatusReport, state), FORM_REQUIRED, form_line},
	{"text", offsetof(Dienstweg__StatusReport, text), FORM_OPTIONAL, form_text},
};
static const struct case_rule decision_rules[] = {
	{"result", offsetof(Dienstweg__DecisionNotice, result), FORM_REQUIRED, form_line},
	{"decided_on", offsetof(Dienstweg__DecisionNotice, decided_on), FORM_OPTIONAL, form_date},
	{"text", offsetof(Dienstweg__DecisionNotice, text), FORM_OPTIONAL, form_text},
	{"remedy", offsetof(Dienstweg__DecisionNotice, remedy), FORM_OPTIONAL, form_text},
};
static const struct case_rule question_rules[] = {
	{"question", offsetof(Dienstweg__Question, question), FORM_REQUIRED, form_text},
};
static const struct case_rule reply_rules[] = {
	{"answer", offsetof(Dienstweg__QuestionAnswer, answer), FORM_REQUIRED, form_text},
};
static const struct case_rule amount_rules[] = {
	{"purpose", offsetof(Dienstweg__Amount, purpose), FORM_REQUIRED, form_line},
	{"period", offsetof(Dienstweg__Amount, period), FORM_OPTIONAL, form_line},
};

const struct case_rules case_rules_address = {address_rules, ARRAY_LEN(address_rules)};
const struct case_rules case_rules_person = {person_rules, ARRAY_LEN(person_rules)};
const struct case_rules case_rules_field = {field_rules, ARRAY_LEN(field_rules)};
const struct case_rules case_rules_application = {application_rules, ARRAY_LEN(application_rules)};
const struct case_rules case_rules_status = {status_rules, ARRAY_LEN(status_rules)};
const struct case_rules case_rules_decision = {decision_rules, ARRAY_LEN(decision_rules)};
const struct case_rules case_rules_question = {question_rules, ARRAY_LEN(question_rules)};
const struct case_rules case_rules_reply = {reply_rules, ARRAY_LEN(reply_rules)};
const struct case_rules case_rules_amount = {amount_rules, ARRAY_LEN(amount_rules)};

int case_rules_read(struct form *form, const struct case_rules *rules, void *message)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct case_rule *rule = &rules->all[i];
		char **text = (void *)((uint8_t *)message + rule->offset);
		int r = rule->read(form, rule->name, rule->need, text);
		if (r)
			return r;
	}
	return 0;
}

int case_text_write(json_t *object, const char *name, const char *text)
{
	if (!text || !*text)
		return 0;
	return json_object_set_new(object, name, json_string(text)) ? CASE_UNPRINTABLE : 0;
}

int case_rules_write(json_t *object, const struct case_rules *rules, const void *message)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct case_rule *rule = &rules->all[i];
		char *const *text = (const void *)((const uint8_t *)message + rule->offset);
		int r = case_text_write(object, rule->name, *text);
		if (r)
			return r;
	}
	return 0;
}
