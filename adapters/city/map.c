/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The portal knows a citizen, a form and a place; it knows no parties. So it names the service and, if it
 * likes, a region; where neither region nor recipient is named, the applicant's address decides, because
 * that is what decides which office is competent.
 */
#include "adapters/city/map.h"

#include <errno.h>
#include <string.h>

#include "adapters/connectors/case-form.h"
#include "proto/envelope.pb-c.h"

static int address_read(struct form *form, struct letter *ret)
{
	int r = form_name(form, "service", FORM_REQUIRED, &ret->service);
	if (r == 0)
		r = form_name(form, "recipient", FORM_OPTIONAL, &ret->recipient);
	if (r == 0)
		r = form_region(form, "region", FORM_OPTIONAL, &ret->region);
	if (r == 0 && ret->recipient && ret->region)
		return form_fail(form, "region", "stands beside recipient; name one of them");
	if (r == 0)
		r = form_hex(form, "case", FORM_OPTIONAL, ret->case_id, sizeof(ret->case_id),
			&ret->has_case);
	if (r == 0)
		r = form_hex(form, "in_reply_to", FORM_OPTIONAL, ret->in_reply_to,
			sizeof(ret->in_reply_to), &ret->has_in_reply_to);
	return r;
}

static int channel_read(struct form *form, uint32_t *ret)
{
	static const char *const channels[] = {"online", "paper", "counter", "phone", NULL};
	size_t channel = 0;
	int r = form_choice(form, "channel", FORM_OPTIONAL, channels, &channel);
	*ret = DIENSTWEG__CHANNEL__CHANNEL_ONLINE + (uint32_t)channel;
	return r;
}

static void region_of_applicant(const Dienstweg__Application *application, struct letter *ret)
{
	const Dienstweg__Address *address = application->applicant->address;
	if (!ret->recipient && !ret->region && address && *address->region)
		ret->region = address->region;
}

static int application_read(struct form *form, struct letter *ret)
{
	Dienstweg__Application *application = NULL;
	*ret = (struct letter){};
	Dienstweg__Case *content = arena_alloc(form->reader->arena, sizeof(*content));
	if (!content)
		return -ENOMEM;
	dienstweg__case__init(content);
	int r = address_read(form, ret);
	if (r == 0)
		r = channel_read(form, &ret->channel);
	if (r == 0)
		r = form_line(form, "reference", FORM_OPTIONAL, &content->reference);
	if (r == 0)
		r = case_form_application(form, &application);
	if (r == 0)
		r = form_end(form);
	if (r)
		return r;
	region_of_applicant(application, ret);
	content->content_case = DIENSTWEG__CASE__CONTENT_APPLICATION;
	content->application = application;
	ret->content = content;
	return 0;
}

int city_map_read(struct form *form, const char *file, struct letter *ret)
{
	bool answer = file ? strcmp(file, "application.json") != 0
			   : json_object_get(form->object, "state") ||
				      json_object_get(form->object, "result");
	return answer ? letter_read_answer(form, file, ret) : application_read(form, ret);
}

int city_map_write(const Dienstweg__Case *content, const char **ret_file, json_t **ret_json)
{
	switch (content->content_case) {
	case DIENSTWEG__CASE__CONTENT_APPLICATION:
		*ret_file = "application.json";
		return case_form_application_write(content, ret_json);
	case DIENSTWEG__CASE__CONTENT_STATUS:
		*ret_file = "status.json";
		return case_form_status_write(content, ret_json);
	case DIENSTWEG__CASE__CONTENT_DECISION:
		*ret_file = "decision.json";
		return case_form_decision_write(content, ret_json);
	default:
		*ret_json = NULL;
		return 0;
	}
}
