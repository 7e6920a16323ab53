/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A clerk names the case and says what became of it. Everything else a message needs is remembered from
 * the application, so nobody copies hashes and party names by hand.
 */
#include "adapters/jobcenter/map.h"

#include "adapters/connectors/case-form.h"

int jobcenter_map_read(struct form *form, const char *file, struct letter *ret)
{
	return letter_read_answer(form, file, ret);
}

int jobcenter_map_write(const Dienstweg__Case *content, const char **ret_file, json_t **ret_json)
{
	*ret_json = NULL;
	*ret_file = "application.json";
	if (content->content_case != DIENSTWEG__CASE__CONTENT_APPLICATION)
		return 0;
	return case_form_application_write(content, ret_json);
}
