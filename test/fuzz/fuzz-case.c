/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A case comes from another agency, sealed and signed, and may still be anything. It is unpacked within a
 * budget and written as JSON, or turned down.
 */
#include "adapters/city/map.h"
#include "adapters/connectors/case-form.h"
#include "adapters/connectors/file-name.h"
#include "test/fuzz/target.h"
#include "test/kit/check.h"

enum { BUDGET = 4 << 20 };

static void check_names(const Dienstweg__Case *content)
{
	for (size_t i = 0; i < content->n_documents; i++) {
		char name[FILE_NAME_MAX + 1];
		file_name_clean(BYTES_STR(content->documents[i]->name), name);
		CHECK(name[0] && name[0] != '.' && !strchr(name, '/'));
		json_t *text = json_string(name); /* whatever came, it is UTF-8 now */
		CHECK(text != NULL);
		json_decref(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(BUDGET);
	_cleanup_(json_decref) json_t *json = NULL;
	const char *file = NULL;
	CHECK(arena != NULL);
	const Dienstweg__Case *content = dienstweg__case__unpack(arena_allocator(arena), size, data);
	if (!content)
		return 0;
	check_names(content);
	bool question = content->content_case == DIENSTWEG__CASE__CONTENT_QUESTION ||
			content->content_case == DIENSTWEG__CASE__CONTENT_ANSWER;
	int r = question ? case_form_question_write(content, &json)
			 : city_map_write(content, &file, &json);
	CHECK(r == 0 || r == CASE_UNPRINTABLE);
	CHECK(r != 0 || !json || question || file);
	return 0;
}
