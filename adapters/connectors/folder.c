/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Joins the way in, the way out and an agency's forms to the SDK. An item becomes exactly one message,
 * because a message is what is recorded, delivered and answered as a whole: a form with the documents
 * beside it is one case; an official XML document alone travels as it is, byte for byte, and with others
 * beside it as a case whose first document it is.
 */
#include "adapters/connectors/folder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/connectors/case-form.h"
#include "adapters/connectors/cases.h"
#include "adapters/connectors/file-name.h"
#include "adapters/connectors/folder-in.h"
#include "adapters/connectors/handover.h"
#include "adapters/connectors/receipts.h"
#include "adapters/connectors/xoev-route.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"

enum {
	FORM_BUDGET = 8 << 20,
	REMEMBER = 4096, /* letters put between two commits, beyond the broker's credit */
	CREDIT_MAX = 1 << 16,
	PATH_SIZE = 4096,
	WHY_SIZE = 1024,
	PRIORITY_NORMAL = 1,
};

struct folder_context {
	const struct config_adapter *config;
	struct dw_adapter *adapter; /* of the op that runs */
	struct folder_in *in;
	struct arena *arena; /* one letter */
	char journal_out[PATH_SIZE], journal_documents[PATH_SIZE];
	struct handover handover;
};

/* ---- what stands in an item ---- */

static _printf_(3, 4) int bad(char *reterr, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(reterr, size, format, args);
	va_end(args);
	return TAKE_BAD;
}

/* The one form of a case folder. *ret is NULL when there is none. */
static int form_find(const struct folder_agency *agency, const struct item *item,
	const struct item_file **ret, char *reterr, size_t size)
{
	*ret = NULL;
	if (!item->folder) {
		*ret = file_name_ends(item->name, ".json") ? &item->files[0] : NULL;
		return 0;
	}
	for (size_t i = 0; agency->main_files[i]; i++) {
		const struct item_file *file = item_file(item, agency->main_files[i]);
		if (file && *ret)
			return bad(reterr, size, "%s: stands beside %s; send them one by one",
				file->name, (*ret)->name);
		if (file)
			*ret = file;
	}
	return 0;
}

/* The official document of an item: the only XML in it, or the one with a name of its own. */
static const struct item_file *document_find(const struct item *item)
{
	static const char *const names[] = {
		"xta.xml", "metadata.xml", "xjustiz_nachricht.xml", "nachricht.xml"};
	const struct item_file *found = NULL;
	for (size_t i = 0; i < ARRAY_LEN(names) && item->folder; i++) {
		found = item_file(item, names[i]);
		if (found)
			return found;
	}
	for (size_t i = 0; i < item->count; i++) {
		if (!file_name_ends(item->files[i].name, ".xml"))
			continue;
		if (found)
			return NULL;
		found = &item->files[i];
	}
	return found;
}

static int nothing_found(
	const struct folder_agency *agency, const struct item *item, char *reterr, size_t size)
{
	char names[200] = "";
	size_t used = 0;
	if (!item->folder)
		return bad(reterr, size,
			"the name ends neither in .json nor in .xml; put forms as JSON, official "
			"documents as XML, and anything else beside them in a case folder");
	for (size_t i = 0; agency->main_files[i] && used < sizeof(names); i++)
		used += (size_t)snprintf(
			names + used, sizeof(names) - used, "%s, ", agency->main_files[i]);
	return bad(reterr, size,
		"the case folder has no main document; put %sone XML document, or several and the "
		"main one as nachricht.xml",
		names);
}

/* ---- sending ---- */

static int message_send(
	struct folder_context *folder, const struct dw_message *message, char *reterr, size_t size)
{
	struct dw_submitted ids;
	if (message->body.len > CONTENT_BYTES_MAX)
		return bad(reterr, size,
			"the documents are too large: together they make %zu bytes, at most %d fit "
			"into a message",
			message->body.len, CONTENT_BYTES_MAX);
	int r = dw_submit(folder->adapter, message, &ids, reterr, size);
	switch (r) {
	case DW_UNROUTABLE:
	case DW_INVALID:
		return TAKE_BAD;
	case DW_FULL:
		return TAKE_LATER;
	default:
		return r;
	}
}

static struct bytes text_or_empty(const char *text)
{
	return text ? BYTES_STR(text) : BYTES(NULL, 0);
}

/* ---- forms ---- */

/* "alg2.application" and "decision" make "alg2.decision". */
static const char *answer_service(struct arena *arena, const char *service, const char *what)
{
	const char *dot = strrchr(service, '.');
	int stem = dot ? (int)(dot - service) : (int)strlen(service);
	char name[2 * CASES_NAME_SIZE];
	struct bytes copy;
	snprintf(name, sizeof(name), "%.*s.%s", stem, service, what);
	return arena_copy(arena, BYTES(name, strlen(name) + 1), &copy) ? NULL
								       : (const char *)copy.data;
}

/* An answer goes where its case came from; whatever the form says itself comes first. */
static int answer_complete(struct folder_context *folder, struct letter *letter,
	struct dw_message *message, struct case_origin *origin, char *reterr, size_t size)
{
	int r = letter->has_case ? cases_get(folder->config->state, letter->case_id, origin)
				 : CASES_UNKNOWN;
	if (r < 0)
		return r;
	if (r == CASES_UNKNOWN) {
		if (letter->has_case && letter->service && letter->recipient)
			return 0;
		return bad(reterr, size,
			"case: no such case came in here; take it from the message.json of the "
			"case, or name service and recipient as well");
	}
	if (!letter->service) {
		const char *service = answer_service(folder->arena, origin->service, letter->answer);
		if (!service)
			return -ENOMEM;
		message->service = BYTES_STR(service);
	}
	if (!letter->recipient && !letter->region)
		message->recipient = BYTES_STR(origin->sender);
	if (!letter->has_in_reply_to)
		message->in_reply_to = origin->h;
	if (!letter->content->reference[0])
		letter->content->reference = origin->reference;
	message->sender = BYTES_STR(origin->recipient);
	return 0;
}

static int application_complete(
	const struct folder_context *folder, struct dw_message *message, char *reterr, size_t size)
{
	const char *region = config_adapter_setting(folder->config, "region");
	if (message->service.len == 0)
		return bad(reterr, size, "service: missing; add it");
	if (message->recipient.len > 0 || message->region.len > 0)
		return 0;
	if (!region)
		return bad(reterr, size,
			"region: missing; add it, or the recipient, or set region in "
			"connector.settings");
	message->region = BYTES_STR(region);
	return 0;
}

static int letter_send(struct folder_context *folder, const struct item *item,
	const struct item_file *main, struct letter *letter, const char *key, char *reterr,
	size_t size)
{
	struct case_origin origin;
	struct dw_message message = {
		.key = BYTES_STR(key),
		.kind = letter->answer ? DW_REPLY : DW_SUBMISSION,
		.service = text_or_empty(letter->service),
		.recipient = text_or_empty(letter->recipient),
		.region = text_or_empty(letter->region),
		.case_id = letter->has_case ? letter->case_id : NULL,
		.in_reply_to = letter->has_in_reply_to ? letter->in_reply_to : NULL,
		.content_type = BYTES_STR(CASE_CONTENT_TYPE),
		.schema = BYTES_STR(CASE_SCHEMA),
		.status = letter->status,
		.channel = letter->channel,
		.priority = PRIORITY_NORMAL,
	};
	int r = letter->answer ? answer_complete(folder, letter, &message, &origin, reterr, size)
			       : application_complete(folder, &message, reterr, size);
	if (r == 0 && letter->content->content_case == DIENSTWEG__CASE__CONTENT_APPLICATION)
		letter->content->application->service = letter->service;
	if (r == 0)
		r = case_form_documents(letter->content, item, main, folder->arena);
	if (r == 0)
		r = case_form_pack(letter->content, folder->arena, &message.body);
	return r ? r : message_send(folder, &message, reterr, size);
}

static int take_form(struct folder_context *folder, const struct item *item,
	const struct item_file *main, char key[ITEM_KEY_MAX + 1], char *reterr, size_t size)
{
	_cleanup_(json_decref) json_t *root = NULL;
	struct form_reader reader = {.arena = folder->arena, .reterr = reterr, .size = size};
	struct letter letter = {};
	struct form form;
	item_key(item, BYTES_STR(item->name), key);
	int r = form_parse(&reader, main->data, &root, &form);
	if (r == 0)
		r = folder->handover.agency->read(&form, item->folder ? main->name : NULL, &letter);
	if (r)
		return r < 0 ? r : TAKE_BAD;
	return letter_send(folder, item, main, &letter, key, reterr, size);
}

/* ---- official documents ---- */

static int document_body(struct folder_context *folder, const struct item *item,
	const struct item_file *main, struct dw_message *message)
{
	Dienstweg__Case content;
	dienstweg__case__init(&content);
	if (item->count == 1) {
		message->content_type = BYTES_STR(XML_CONTENT_TYPE);
		message->body = main->data;
		return 0;
	}
	message->content_type = BYTES_STR(CASE_CONTENT_TYPE);
	int r = case_form_documents_first(&content, item, main, folder->arena);
	return r ? r : case_form_pack(&content, folder->arena, &message->body);
}

/* The message's own id is its key: the same document under another file name is the same message. */
static int take_document(struct folder_context *folder, const struct item *item,
	const struct item_file *main, char key[ITEM_KEY_MAX + 1], char *reterr, size_t size)
{
	char why[WHY_SIZE];
	struct xoev_head head;
	struct xoev_route route;
	int r = xoev_read(main->data, &head, why, sizeof(why));
	if (r == 0)
		r = xoev_route(dw_adapter_registry(folder->adapter), folder->config, &head, &route,
			why, sizeof(why));
	if (r)
		return r < 0 ? r : bad(reterr, size, "%.*s: %s", FILE_NAME_MAX, main->name, why);
	item_key(item, head.id[0] ? BYTES_STR(head.id) : BYTES_STR(item->name), key);
	struct dw_message message = {
		.key = BYTES_STR(key),
		.kind = DW_SUBMISSION,
		.sender = route.sender,
		.service = route.service,
		.recipient = route.recipient,
		.region = route.region,
		.schema = BYTES_STR(head.type),
		.priority = PRIORITY_NORMAL,
	};
	r = document_body(folder, item, main, &message);
	return r ? r : message_send(folder, &message, reterr, size);
}

static int take(void *context, const struct item *item, char key[ITEM_KEY_MAX + 1], char *reterr,
	size_t size)
{
	struct folder_context *folder = context;
	const struct folder_agency *agency = folder->handover.agency;
	const struct item_file *main = NULL;
	arena_reset(folder->arena);
	int r = form_find(agency, item, &main, reterr, size);
	if (r)
		return r;
	if (main)
		return take_form(folder, item, main, key, reterr, size);
	main = document_find(item);
	return main ? take_document(folder, item, main, key, reterr, size)
		    : nothing_found(agency, item, reterr, size);
}

/* ---- ops ---- */

int folder_from_agency(struct dw_adapter *adapter, void *context, bool *ret_more)
{
	struct folder_context *folder = context;
	const struct folder_in_taker taker = {.take = take, .context = folder};
	folder->adapter = adapter;
	return folder_in_turn(folder->in, &taker, ret_more);
}

int folder_submitted(
	struct dw_adapter *adapter, void *context, struct bytes key, const struct dw_submitted *ids)
{
	struct folder_context *folder = context;
	return folder_in_submitted(folder->in, key);
}

int folder_to_agency(struct dw_adapter *adapter, void *context, const struct dw_delivery *delivery,
	struct dw_verdict *ret)
{
	const struct folder_context *folder = context;
	return handover_put(&folder->handover, delivery, ret);
}

int folder_report(struct dw_adapter *adapter, void *context, const struct dw_report *report)
{
	const struct folder_context *folder = context;
	const char *receipts = folder->config->connector.receipts;
	return receipts ? receipts_put(receipts, report) : 0;
}

int folder_watch_descriptor(void *context)
{
	const struct folder_context *folder = context;
	return folder_in_fd(folder->in);
}

/* ---- opening ---- */

static bool is_region(const char *text)
{
	size_t len = strlen(text);
	return len >= 2 && len <= 12 && strspn(text, "0123456789") == len;
}

static bool setting_is_known(const struct config_setting *setting, bool *ret_value_good)
{
	if (strncmp(setting->name, "recipient.", 10) == 0) {
		*ret_value_good = text_is_name(BYTES_STR(setting->value));
		return text_is_name(BYTES_STR(setting->name + 10));
	}
	*ret_value_good = is_region(setting->value);
	return strcmp(setting->name, "region") == 0 ||
	       (strncmp(setting->name, "region.", 7) == 0 &&
		       text_is_name(BYTES_STR(setting->name + 7)));
}

static int settings_check(const struct config_connector *config, char *reterr, size_t size)
{
	if (strcmp(config->kind, "folder") != 0)
		return bad(reterr, size, "connector.kind: must be folder for this adapter");
	for (size_t i = 0; i < config->settings_count; i++) {
		const struct config_setting *setting = &config->settings[i];
		bool value_good;
		if (!setting_is_known(setting, &value_good))
			return bad(reterr, size,
				"connector.settings: \"%.80s\" is unknown; known are region, "
				"region.SERVICE and recipient.SERVICE",
				setting->name);
		if (!value_good)
			return bad(reterr, size,
				"connector.settings: the value of \"%.80s\" is no %s", setting->name,
				setting->name[2] == 'c' ? "party name" : "region key (ARS)");
	}
	return 0;
}

static int out_open(const struct folder_context *folder, const char *field, const char *path,
	const char *journal, struct folder_out **ret, char *reterr, size_t size)
{
	uint64_t credit = folder->config->flight.credit_messages;
	const struct folder_out_options options = {.path = path,
		.field = field,
		.journal = journal,
		.remember = REMEMBER + (size_t)(credit < CREDIT_MAX ? credit : CREDIT_MAX)};
	if (!path)
		return bad(reterr, size, "%s: missing; name a folder", field);
	return folder_out_open(&options, ret, reterr, size);
}

static int parts_open(struct folder_context *folder, char *reterr, size_t size)
{
	const struct config_connector *config = &folder->config->connector;
	int r = path_join(folder->journal_out, PATH_SIZE, folder->config->state, "put-out");
	if (r == 0)
		r = path_join(folder->journal_documents, PATH_SIZE, folder->config->state,
			"put-documents");
	if (r == 0)
		r = settings_check(config, reterr, size);
	if (r == 0)
		r = out_open(folder, "connector.out", config->out, folder->journal_out,
			&folder->handover.out, reterr, size);
	if (r == 0 && config->documents)
		r = out_open(folder, "connector.documents", config->documents,
			folder->journal_documents, &folder->handover.documents, reterr, size);
	return r ? r : folder_in_open(config, &folder->in, reterr, size);
}

int folder_open_agency(struct dw_adapter *adapter, const struct config_adapter *config,
	const struct folder_agency *agency, void **ret_context)
{
	char why[WHY_SIZE] = "";
	struct folder_context *folder = calloc(1, sizeof(*folder));
	if (!folder)
		return -ENOMEM;
	folder->config = config;
	folder->adapter = adapter;
	folder->handover.agency = agency;
	folder->handover.state = config->state;
	folder->handover.party = config->party;
	folder->arena = arena_new(FORM_BUDGET + 3 * config->connector.file_bytes_max);
	int r = folder->arena ? parts_open(folder, why, sizeof(why)) : -ENOMEM;
	if (r) {
		log_error("folder", "the folders cannot be used", F_STR("why", why));
		folder_close(folder);
		return r < 0 ? r : -EINVAL;
	}
	*ret_context = folder;
	return 0;
}

void folder_close(void *context)
{
	struct folder_context *folder = context;
	if (!folder)
		return;
	folder_in_free(folder->in);
	folder_out_free(folder->handover.documents);
	folder_out_free(folder->handover.out);
	arena_free(folder->arena);
	free(folder);
}
