/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One file per fact, named by the key: a portal looks for the name that it knows, and a fact that is told
 * again after a crash replaces itself. The proof is written before the JSON that announces it.
 */
#include "adapters/connectors/receipts.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "adapters/connectors/file-name.h"
#include "adapters/connectors/form.h"
#include "proto/base/clock.h"
#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/identity/uuid.h"
#include "proto/registry/registry.h"

enum {
	FOLDER_MODE = 0700,
	FILE_MODE = 0600,
	PATH_SIZE = 4096,
	KEY_SHOWN_MAX = 200,
};

/* A text from elsewhere that is no UTF-8 is left out: the fact counts without it. */
static int put(json_t *object, const char *name, struct bytes text)
{
	json_t *value = text.len > 0 ? json_stringn((const char *)text.data, text.len) : NULL;
	if (!value)
		return 0;
	return json_object_set_new(object, name, value) ? -ENOMEM : 0;
}

static int put_hex(json_t *object, const char *name, struct bytes bytes)
{
	char hex[2 * HASH_SIZE + 1];
	text_hex(bytes, hex);
	return put(object, name, BYTES_STR(hex));
}

static int put_number(json_t *object, const char *name, uint64_t number)
{
	if (number == 0)
		return 0;
	return json_object_set_new(object, name, json_integer((json_int_t)number)) ? -ENOMEM : 0;
}

static int put_time(json_t *object, const char *name, uint64_t ms)
{
	char text[25];
	if (ms == 0)
		return 0;
	clock_format_utc(ms, text);
	return put(object, name, BYTES_STR(text));
}

static const char *event_name(enum dw_event event)
{
	switch (event) {
	case DW_RECORDED:
		return "recorded";
	case DW_REFUSED:
		return "refused";
	case DW_OVERDUE:
		return "overdue";
	case DW_DUE_SOON:
		return "due-soon";
	case DW_ENDED:
		break;
	}
	return "ended";
}

static int fill(json_t *object, const struct dw_report *report)
{
	char id[UUID_TEXT_SIZE];
	uuid_format(report->message_id, id);
	int r = put(object, "event", BYTES_STR(event_name(report->event)));
	r = r ? r : put(object, "key", report->key);
	r = r ? r : put(object, "service", report->service);
	r = r ? r : put_hex(object, "case", BYTES(report->case_id, sizeof(report->case_id)));
	r = r ? r : put(object, "message", BYTES_STR(id));
	r = r ? r : put_hex(object, "h", BYTES(report->h, sizeof(report->h)));
	r = r ? r : put_number(object, "sequence", report->sequence);
	r = r ? r : put_time(object, "at", report->at_ms);
	r = r ? r : put(object, "recipient", report->recipient);
	r = r ? r : put(object, "state", report->state);
	r = r ? r : put(object, "code", report->code);
	r = r ? r : put(object, "field", report->field);
	return r ? r : put(object, "text", report->text);
}

static int file_put(const char *folder, const char *key, const char *suffix, struct bytes data)
{
	char path[PATH_SIZE], name[KEY_SHOWN_MAX + 32];
	snprintf(name, sizeof(name), "%s.%s", key, suffix);
	int r = path_join(path, sizeof(path), folder, name);
	return r ? r : file_replace(path, data, FILE_MODE);
}

/* Of a question: from then on no answer counts any more. */
static int put_answer_by(
	json_t *object, const struct registry *registry, const struct dw_report *report)
{
	const Dienstweg__Service *service = registry ? registry_service(registry, report->service)
						     : NULL;
	if (report->event != DW_RECORDED || !service || service->answer_s == 0)
		return 0;
	return put_time(object, "answer_by", report->at_ms + service->answer_s * UINT64_C(1000));
}

int receipts_put(const char *folder, const struct registry *registry, const struct dw_report *report)
{
	_cleanup_(json_decref) json_t *object = json_object();
	char key[FILE_NAME_MAX + 1], suffix[32];
	int r = object ? fill(object, report) : -ENOMEM;
	if (r == 0)
		r = put_answer_by(object, registry, report);
	_cleanup_(heap_free) char *text = r ? NULL : json_dumps(object, JSON_INDENT(2));
	if (!text)
		return r ? r : -ENOMEM;
	file_name_clean(report->key, key);
	snprintf(suffix, sizeof(suffix), "%s.json", event_name(report->event));
	r = dir_make(folder, FOLDER_MODE);
	if (r == 0 && report->event == DW_RECORDED && report->proof.len > 0)
		r = file_put(folder, key, "receipt", report->proof);
	return r ? r : file_put(folder, key, suffix, BYTES_STR(text));
}
