/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Files rather than rows of the SDK's store: cases live for years, an operator can look at one with cat,
 * and erasing a case is removing a file. 256 folders keep each of them small.
 */
#include "adapters/connectors/cases.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "adapters/connectors/form.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

enum {
	FOLDER_MODE = 0700,
	FILE_MODE = 0600,
	FILE_BYTES_MAX = 8192,
	ARENA_BUDGET = 16384,
	PATH_SIZE = 4096,
	ERROR_SIZE = 200,
};

/* STATE/cases/ab/ab12...json, STATE/questions/ab/ab12...json */
static int case_path(const char *state, enum cases_of of, const uint8_t case_id[CASES_ID_SIZE],
	char *folder, char *path, size_t size)
{
	const char *kind = of == CASES_OF_QUESTIONS ? "questions" : "cases";
	char hex[2 * CASES_ID_SIZE + 1];
	text_hex(BYTES(case_id, CASES_ID_SIZE), hex);
	int n = snprintf(folder, size, "%s/%s/%.2s", state, kind, hex);
	int m = snprintf(path, size, "%s/%s/%.2s/%s.json", state, kind, hex, hex);
	return n < 0 || m < 0 || (size_t)m >= size ? -ENAMETOOLONG : 0;
}

static int copy(char *buf, size_t size, const char *text)
{
	int n = snprintf(buf, size, "%s", text ? text : "");
	return n < 0 || (size_t)n >= size ? -EBADMSG : 0;
}

static int origin_read(struct form *form, struct case_origin *ret)
{
	char *sender = NULL, *recipient = NULL, *service = NULL, *reference = NULL;
	int64_t sequence = 0;
	bool has;
	int r = form_name(form, "sender", FORM_REQUIRED, &sender);
	if (r == 0)
		r = form_name(form, "recipient", FORM_REQUIRED, &recipient);
	if (r == 0)
		r = form_name(form, "service", FORM_REQUIRED, &service);
	if (r == 0)
		r = form_integer(form, "sequence", FORM_REQUIRED, 0, INT64_MAX, &sequence);
	if (r == 0)
		r = form_hex(form, "h", FORM_REQUIRED, ret->h, sizeof(ret->h), &has);
	if (r == 0)
		r = form_line(form, "reference", FORM_OPTIONAL, &reference);
	if (r)
		return r < 0 ? r : -EBADMSG;
	ret->sequence = (uint64_t)sequence;
	r = copy(ret->sender, sizeof(ret->sender), sender);
	if (r == 0)
		r = copy(ret->recipient, sizeof(ret->recipient), recipient);
	if (r == 0)
		r = copy(ret->service, sizeof(ret->service), service);
	return r ? r : copy(ret->reference, sizeof(ret->reference), reference);
}

static int origin_parse(struct bytes text, struct case_origin *ret)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BUDGET);
	_cleanup_(json_decref) json_t *root = NULL;
	char error[ERROR_SIZE];
	struct form_reader reader = {.arena = arena, .reterr = error, .size = sizeof(error)};
	struct form form;
	if (!arena)
		return -ENOMEM;
	if (form_parse(&reader, text, &root, &form))
		return -EBADMSG;
	return origin_read(&form, ret);
}

int cases_get(const char *state, enum cases_of of, const uint8_t case_id[CASES_ID_SIZE],
	struct case_origin *ret)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char folder[PATH_SIZE], path[PATH_SIZE];
	size_t len = 0;
	struct case_origin origin = {};
	int r = case_path(state, of, case_id, folder, path, sizeof(path));
	if (r == 0)
		r = file_read(path, FILE_BYTES_MAX, &data, &len);
	if (r == -ENOENT)
		return CASES_UNKNOWN;
	if (r == 0)
		r = origin_parse(BYTES(data, len), &origin);
	if (r)
		return r < 0 ? r : -EBADMSG;
	memcpy(origin.case_id, case_id, CASES_ID_SIZE);
	*ret = origin;
	return 0;
}

static char *origin_text(const struct case_origin *origin)
{
	char h[2 * HASH_SIZE + 1];
	text_hex(BYTES(origin->h, HASH_SIZE), h);
	_cleanup_(json_decref) json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:s}", "sender",
		origin->sender, "recipient", origin->recipient, "service", origin->service,
		"sequence", (json_int_t)origin->sequence, "h", h);
	if (root && origin->reference[0])
		(void)json_object_set_new(root, "reference", json_string(origin->reference));
	return root ? json_dumps(root, JSON_INDENT(2)) : NULL;
}

int cases_put(const char *state, enum cases_of of, const struct case_origin *origin)
{
	char folder[PATH_SIZE], path[PATH_SIZE];
	struct case_origin earlier;
	int r = cases_get(state, of, origin->case_id, &earlier);
	if (r < 0 && r != -EBADMSG)
		return r;
	if (r == 0 && earlier.sequence > origin->sequence)
		return 0;
	r = case_path(state, of, origin->case_id, folder, path, sizeof(path));
	_cleanup_(heap_free) char *text = r ? NULL : origin_text(origin);
	if (!text)
		return r ? r : -ENOMEM;
	r = dir_make(folder, FOLDER_MODE);
	return r ? r : file_replace(path, BYTES_STR(text), FILE_MODE);
}
