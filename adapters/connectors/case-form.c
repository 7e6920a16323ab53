/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * From a form to the case. Bounds on lists are far above what a form has; they keep a file from becoming
 * more memory than it deserves.
 */
#include "adapters/connectors/case-form.h"

#include <errno.h>
#include <string.h>

#include "adapters/connectors/case-rules.h"
#include "adapters/connectors/file-name.h"
#include "proto/envelope.pb-c.h"

/* ---- reading ---- */

static void *message_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
	void *message = arena_alloc(arena, descriptor->sizeof_message);
	if (message)
		descriptor->message_init(message);
	return message;
}

static int address_read(struct form *person, Dienstweg__Address **ret)
{
	struct form form;
	int r = form_object(person, "address", FORM_OPTIONAL, &form);
	if (r || !form.object)
		return r;
	*ret = message_new(form.reader->arena, &dienstweg__address__descriptor);
	if (!*ret)
		return -ENOMEM;
	r = case_rules_read(&form, &case_rules_address, *ret);
	return r ? r : form_end(&form);
}

static int person_read(struct form *form, Dienstweg__Person **ret)
{
	Dienstweg__Person *person = message_new(form->reader->arena, &dienstweg__person__descriptor);
	if (!person)
		return -ENOMEM;
	int r = case_rules_read(form, &case_rules_person, person);
	if (r == 0)
		r = address_read(form, &person->address);
	if (r == 0)
		r = form_end(form);
	*ret = person;
	return r;
}

static int applicant_read(struct form *form, Dienstweg__Application *application)
{
	struct form applicant;
	int r = form_object(form, "applicant", FORM_REQUIRED, &applicant);
	return r ? r : person_read(&applicant, &application->applicant);
}

static int household_read(struct form *form, Dienstweg__Application *application)
{
	json_t *list;
	size_t count;
	int r = form_list(form, "household", CASE_HOUSEHOLD_MAX, &list, &count);
	if (r || count == 0)
		return r;
	application->household = arena_zalloc(
		form->reader->arena, count * sizeof(*application->household));
	if (!application->household)
		return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++) {
		struct form person;
		r = form_entry(form, "household", list, i, &person);
		if (r == 0)
			r = person_read(&person, &application->household[i]);
	}
	application->n_household = count;
	return r;
}

static int field_list_read(struct form *form, Dienstweg__FormField *const *fields)
{
	json_t *list;
	size_t count;
	int r = form_list(form, "fields", CASE_FIELDS_MAX, &list, &count);
	for (size_t i = 0; i < count && r == 0; i++) {
		struct form field;
		r = form_entry(form, "fields", list, i, &field);
		if (r == 0)
			r = case_rules_read(&field, &case_rules_field, fields[i]);
		if (r == 0)
			r = form_end(&field);
	}
	return r;
}

/* {"rent": "480.00", "heating": true}: names as the portal's form has them. */
static int field_object_read(struct form *form, Dienstweg__FormField *const *all)
{
	struct form fields;
	const char *name;
	json_t *value;
	size_t i = 0;
	int r = form_object(form, "fields", FORM_OPTIONAL, &fields);
	if (r)
		return r;
	json_object_foreach(fields.object, name, value)
	{
		Dienstweg__FormField *field = all[i++];
		r = form_key(&fields, name, &field->name);
		if (r == 0)
			r = form_scalar(&fields, field->name, value, &field->value);
		if (r)
			return r;
	}
	return 0;
}

static int fields_read(struct form *form, Dienstweg__FormField ***ret, size_t *ret_count)
{
	const json_t *value = json_object_get(form->object, "fields");
	bool object = json_is_object(value);
	size_t count = object ? json_object_size(value) : json_array_size(value);
	if (count > CASE_FIELDS_MAX)
		return form_fail(
			form, "fields", "has more than %d entries; send fewer", CASE_FIELDS_MAX);
	struct arena *arena = form->reader->arena;
	Dienstweg__FormField **fields = arena_zalloc(arena, (count + 1) * sizeof(*fields));
	if (!fields)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		fields[i] = message_new(arena, &dienstweg__form_field__descriptor);
		if (!fields[i])
			return -ENOMEM;
	}
	*ret = fields;
	*ret_count = count;
	return object ? field_object_read(form, fields) : field_list_read(form, fields);
}

int case_form_application(struct form *form, Dienstweg__Application **ret)
{
	Dienstweg__Application *application = message_new(
		form->reader->arena, &dienstweg__application__descriptor);
	if (!application)
		return -ENOMEM;
	int r = applicant_read(form, application);
	if (r == 0)
		r = household_read(form, application);
	if (r == 0)
		r = fields_read(form, &application->fields, &application->n_fields);
	if (r == 0)
		r = case_rules_read(form, &case_rules_application, application);
	*ret = application;
	return r;
}

/* ---- answers ---- */

static int missing_read(struct form *form, Dienstweg__StatusReport *status)
{
	json_t *list;
	size_t count;
	int r = form_list(form, "missing", CASE_MISSING_MAX, &list, &count);
	if (r || count == 0)
		return r;
	status->missing = arena_zalloc(form->reader->arena, count * sizeof(*status->missing));
	if (!status->missing)
		return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++)
		r = form_entry_line(form, "missing", list, i, &status->missing[i]);
	status->n_missing = count;
	return r;
}

static int status_read(struct form *form, struct case_answer *ret)
{
	static const char *const states[] = {"received", "in-progress", "documents-missing", NULL};
	size_t state = 0;
	Dienstweg__StatusReport *status = message_new(
		form->reader->arena, &dienstweg__status_report__descriptor);
	if (!status)
		return -ENOMEM;
	int r = form_choice(form, "state", FORM_REQUIRED, states, &state);
	if (r == 0)
		r = case_rules_read(form, &case_rules_status, status);
	if (r == 0)
		r = missing_read(form, status);
	ret->content->content_case = DIENSTWEG__CASE__CONTENT_STATUS;
	ret->content->status = status;
	ret->what = "status";
	ret->status = state == 0 ? DIENSTWEG__STATUS__STATUS_RECEIVED
				 : DIENSTWEG__STATUS__STATUS_IN_PROGRESS;
	return r;
}

static int amounts_read(struct form *form, Dienstweg__DecisionNotice *decision)
{
	static const int64_t cents_max = INT64_C(100000000000000);
	json_t *list;
	size_t count;
	struct arena *arena = form->reader->arena;
	int r = form_list(form, "amounts", CASE_AMOUNTS_MAX, &list, &count);
	if (r || count == 0)
		return r;
	decision->amounts = arena_zalloc(arena, count * sizeof(*decision->amounts));
	if (!decision->amounts)
		return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++) {
		struct form entry;
		Dienstweg__Amount *amount = message_new(arena, &dienstweg__amount__descriptor);
		decision->amounts[i] = amount;
		r = amount ? form_entry(form, "amounts", list, i, &entry) : -ENOMEM;
		if (r == 0)
			r = case_rules_read(&entry, &case_rules_amount, amount);
		if (r == 0)
			r = form_integer(&entry, "cents", FORM_REQUIRED, -cents_max, cents_max,
				&amount->cents);
		if (r == 0)
			r = form_end(&entry);
	}
	decision->n_amounts = count;
	return r;
}

static int decision_read(struct form *form, struct case_answer *ret)
{
	static const char *const results[] = {
		"granted", "partly-granted", "refused", "withdrawn", NULL};
	size_t result = 0;
	Dienstweg__DecisionNotice *decision = message_new(
		form->reader->arena, &dienstweg__decision_notice__descriptor);
	if (!decision)
		return -ENOMEM;
	int r = form_choice(form, "result", FORM_REQUIRED, results, &result);
	if (r == 0)
		r = case_rules_read(form, &case_rules_decision, decision);
	if (r == 0)
		r = amounts_read(form, decision);
	ret->content->content_case = DIENSTWEG__CASE__CONTENT_DECISION;
	ret->content->decision = decision;
	ret->what = "decision";
	ret->status = DIENSTWEG__STATUS__STATUS_DECIDED;
	return r;
}

int case_form_answer(struct form *form, struct case_answer *ret)
{
	bool status = form_has(form, "state"), decision = form_has(form, "result");
	if (status == decision)
		return form_fail(form, "state",
			"a status has \"state\", a decision has \"result\"; write one of them");
	*ret = (struct case_answer){
		.content = message_new(form->reader->arena, &dienstweg__case__descriptor)};
	if (!ret->content)
		return -ENOMEM;
	return status ? status_read(form, ret) : decision_read(form, ret);
}

/* ---- questions ---- */

static int question_read(struct form *form, Dienstweg__Case *content)
{
	struct form about;
	Dienstweg__Question *question = message_new(
		form->reader->arena, &dienstweg__question__descriptor);
	if (!question)
		return -ENOMEM;
	int r = case_rules_read(form, &case_rules_question, question);
	if (r == 0)
		r = form_object(form, "about", FORM_OPTIONAL, &about);
	if (r == 0 && about.object)
		r = person_read(&about, &question->about);
	if (r == 0)
		r = fields_read(form, &question->fields, &question->n_fields);
	content->content_case = DIENSTWEG__CASE__CONTENT_QUESTION;
	content->question = question;
	return r;
}

static int reply_read(struct form *form, Dienstweg__Case *content)
{
	Dienstweg__QuestionAnswer *answer = message_new(
		form->reader->arena, &dienstweg__question_answer__descriptor);
	if (!answer)
		return -ENOMEM;
	int r = case_rules_read(form, &case_rules_reply, answer);
	if (r == 0)
		r = fields_read(form, &answer->fields, &answer->n_fields);
	content->content_case = DIENSTWEG__CASE__CONTENT_ANSWER;
	content->answer = answer;
	return r;
}

int case_form_question(struct form *form, bool answer, Dienstweg__Case **ret)
{
	Dienstweg__Case *content = message_new(form->reader->arena, &dienstweg__case__descriptor);
	if (!content)
		return -ENOMEM;
	*ret = content;
	return answer ? reply_read(form, content) : question_read(form, content);
}

/* ---- documents ---- */

/* A name on our disk may be any bytes; in a case it is text. */
static char *document_name(const char *name, struct arena *arena)
{
	char clean[FILE_NAME_MAX + 1];
	struct bytes copy;
	file_name_clean(BYTES_STR(name), clean);
	int r = arena_copy(arena, BYTES(clean, strlen(clean) + 1), &copy);
	return r ? NULL : (char *)(uintptr_t)copy.data;
}

static int document_add(Dienstweg__Case *content, const struct item_file *file, struct arena *arena)
{
	Dienstweg__Document *document = message_new(arena, &dienstweg__document__descriptor);
	if (!document)
		return -ENOMEM;
	document->name = document_name(file->name, arena);
	if (!document->name)
		return -ENOMEM;
	document->media_type = (char *)(uintptr_t)file_name_media_type(file->name);
	document->data.data = (uint8_t *)(uintptr_t)file->data.data;
	document->data.len = file->data.len;
	content->documents[content->n_documents++] = document;
	return 0;
}

static int documents_add(Dienstweg__Case *content, const struct item *item,
	const struct item_file *main, bool first, struct arena *arena)
{
	content->documents = arena_zalloc(arena, item->count * sizeof(*content->documents));
	int r = content->documents ? 0 : -ENOMEM;
	if (r == 0 && first)
		r = document_add(content, main, arena);
	for (size_t i = 0; i < item->count && r == 0; i++) {
		if (&item->files[i] != main)
			r = document_add(content, &item->files[i], arena);
	}
	return r;
}

int case_form_documents(Dienstweg__Case *content, const struct item *item,
	const struct item_file *main, struct arena *arena)
{
	return documents_add(content, item, main, false, arena);
}

int case_form_documents_first(Dienstweg__Case *content, const struct item *item,
	const struct item_file *main, struct arena *arena)
{
	return documents_add(content, item, main, true, arena);
}

int case_form_pack(const Dienstweg__Case *content, struct arena *arena, struct bytes *ret)
{
	size_t len = dienstweg__case__get_packed_size(content);
	uint8_t *buf = arena_alloc(arena, len);
	if (!buf)
		return -ENOMEM;
	dienstweg__case__pack(content, buf);
	*ret = BYTES(buf, len);
	return 0;
}
