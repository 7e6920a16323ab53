/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An item becomes exactly one message, because a message is what is recorded, delivered and answered as a
 * whole: half a case folder at the other end would be worse than none. What can be wrong with an item is
 * found here, in front of the person who put it, and not at the recipient's.
 */
#include "adapters/connectors/outgoing.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "adapters/connectors/case-form.h"
#include "adapters/connectors/cases.h"
#include "adapters/connectors/file-name.h"
#include "adapters/connectors/xoev-route.h"
#include "proto/envelope/envelope.h"

enum {
	FORM_BUDGET = 8 << 20,
	WHY_SIZE = 1024,
	PRIORITY_URGENT = 0, /* somebody waits */
	PRIORITY_NORMAL = 1,
	INLINE_MAX = 240 << 10, /* of documents; with the form, sealed and padded, that fits into a message */
};

size_t outgoing_budget(const struct config_adapter *config)
{
	return FORM_BUDGET + 3 * (size_t)config->connector.file_bytes_max;
}

/* ---- what stands in an item ---- */

static _printf_(3, 4) int bad(char *reterr, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(reterr, size, format, args);
	va_end(args);
	return TAKE_BAD;
}

/* Forms that every agency has. */
static const char *const question_files[] = {"question.json", "answer.json", NULL};

static int form_take(const struct item *item, const char *const *names,
	const struct item_file **ret, char *reterr, size_t size)
{
	for (size_t i = 0; names[i]; i++) {
		const struct item_file *file = item_file(item, names[i]);
		if (file && *ret)
			return bad(reterr, size, "%s: stands beside %s; send them one by one",
				file->name, (*ret)->name);
		if (file)
			*ret = file;
	}
	return 0;
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
	int r = form_take(item, agency->main_files, ret, reterr, size);
	return r ? r : form_take(item, question_files, ret, reterr, size);
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

/* ---- documents that are too large for a message ---- */

/* An item as it goes into the message, and what goes beside it. */
struct split {
	struct item item;
	const struct item_file *main;
	struct dw_attachment attached[DW_ATTACHMENTS_MAX];
	size_t attached_count;
};

static int attach(struct outgoing *outgoing, const struct item *item, const struct item_file *file,
	struct split *split, char *reterr, size_t size)
{
	size_t room = strlen(outgoing->config->connector.work) + strlen(item->name) +
		      strlen(file->name) + 3;
	char *path = arena_alloc(outgoing->arena, room);
	if (!path)
		return -ENOMEM;
	snprintf(path, room, "%s/%s/%s", outgoing->config->connector.work, item->name, file->name);
	if (split->attached_count == DW_ATTACHMENTS_MAX)
		return bad(reterr, size,
			"the documents are too large: at most %d can go as attachments; send some "
			"in "
			"another case folder",
			DW_ATTACHMENTS_MAX);
	split->attached[split->attached_count++] = (struct dw_attachment){
		.path = path,
		.name = BYTES_STR(file->name),
		.content_type = BYTES_STR(file_name_media_type(file->name)),
	};
	return 0;
}

/* In their order, as long as they fit; the main document always, whatever it takes. */
static int item_split(struct outgoing *outgoing, const struct item *item,
	const struct item_file *main, struct split *ret, char *reterr, size_t size)
{
	struct item_file *files = arena_alloc(outgoing->arena, item->count * sizeof(*files));
	size_t bytes = main->data.len;
	int r = files ? 0 : -ENOMEM;
	*ret = (struct split){.item = *item};
	ret->item.files = files;
	ret->item.count = 0;
	for (size_t i = 0; i < item->count && r == 0; i++) {
		const struct item_file *file = &item->files[i];
		if (file != main && item->folder && bytes + file->data.len > INLINE_MAX) {
			r = attach(outgoing, item, file, ret, reterr, size);
			continue;
		}
		if (file == main)
			ret->main = &files[ret->item.count];
		else
			bytes += file->data.len;
		files[ret->item.count++] = *file;
	}
	return r;
}

/* ---- sending ---- */

static int message_send(
	struct outgoing *outgoing, const struct dw_message *message, char *reterr, size_t size)
{
	struct dw_submitted ids;
	if (message->body.len > CONTENT_BYTES_MAX)
		return bad(reterr, size,
			"the main document is too large: %zu bytes, at most %d fit into a message; "
			"what stands beside it may be larger",
			message->body.len, CONTENT_BYTES_MAX);
	int r = dw_submit(outgoing->adapter, message, &ids, reterr, size);
	switch (r) {
	case DW_UNROUTABLE:
	case DW_INVALID:
		return TAKE_BAD;
	case DW_FULL:
	case DW_SEALING:
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

/* Nothing of that case came in: then the form has to say everything itself. */
static int origin_unknown(const struct letter *letter, char *reterr, size_t size)
{
	bool whole = letter->has_case && letter->service && letter->recipient;
	if (whole && (!letter->answers || letter->has_in_reply_to))
		return 0;
	if (letter->answers)
		return bad(reterr, size,
			"case: no question came in here in that case; take it from the "
			"message.json of the question, or name service, recipient and in_reply_to "
			"as well");
	return bad(reterr, size,
		"case: no such case came in here; take it from the message.json of the "
		"case, or name service and recipient as well");
}

/* An answer goes where its case, or its question, came from; whatever the form says itself comes first. */
static int answer_complete(struct outgoing *outgoing, struct letter *letter,
	struct dw_message *message, struct case_origin *origin, char *reterr, size_t size)
{
	enum cases_of of = letter->answers ? CASES_OF_QUESTIONS : CASES_OF_SUBMISSIONS;
	int r = letter->has_case ? cases_get(outgoing->config->state, of, letter->case_id, origin)
				 : CASES_UNKNOWN;
	if (r)
		return r < 0 ? r : origin_unknown(letter, reterr, size);
	if (!letter->service) {
		const char *service = letter->answers ? origin->service
						      : answer_service(outgoing->arena,
								origin->service, letter->answer);
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
	const struct outgoing *outgoing, struct dw_message *message, char *reterr, size_t size)
{
	const char *region = config_adapter_setting(outgoing->config, "region");
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

static enum dw_kind kind_of(const struct letter *letter)
{
	if (letter->asks || letter->answers)
		return letter->asks ? DW_ENQUIRY : DW_ANSWER;
	return letter->answer ? DW_REPLY : DW_SUBMISSION;
}

static int letter_send(struct outgoing *outgoing, const struct item *item,
	const struct item_file *main, struct letter *letter, const char *key, char *reterr,
	size_t size)
{
	struct case_origin origin;
	struct split split;
	struct dw_message message = {
		.key = BYTES_STR(key),
		.kind = kind_of(letter),
		.service = text_or_empty(letter->service),
		.recipient = text_or_empty(letter->recipient),
		.region = text_or_empty(letter->region),
		.case_id = letter->has_case ? letter->case_id : NULL,
		.in_reply_to = letter->has_in_reply_to ? letter->in_reply_to : NULL,
		.content_type = BYTES_STR(CASE_CONTENT_TYPE),
		.schema = BYTES_STR(CASE_SCHEMA),
		.status = letter->status,
		.channel = letter->channel,
		.priority = letter->asks || letter->answers ? PRIORITY_URGENT : PRIORITY_NORMAL,
	};
	bool answers = letter->answer || letter->answers;
	int r = answers ? answer_complete(outgoing, letter, &message, &origin, reterr, size)
			: application_complete(outgoing, &message, reterr, size);
	if (r == 0 && letter->content->content_case == DIENSTWEG__CASE__CONTENT_APPLICATION)
		letter->content->application->service = letter->service;
	if (r == 0)
		r = item_split(outgoing, item, main, &split, reterr, size);
	if (r)
		return r;
	message.attachments = split.attached;
	message.attachments_count = split.attached_count;
	r = case_form_documents(letter->content, &split.item, split.main, outgoing->arena);
	if (r == 0)
		r = case_form_pack(letter->content, outgoing->arena, &message.body);
	return r ? r : message_send(outgoing, &message, reterr, size);
}

static int take_form(struct outgoing *outgoing, const struct item *item,
	const struct item_file *main, char key[ITEM_KEY_MAX + 1], char *reterr, size_t size)
{
	_cleanup_(json_decref) json_t *root = NULL;
	struct form_reader reader = {.arena = outgoing->arena, .reterr = reterr, .size = size};
	struct letter letter = {};
	struct form form;
	item_key(item, BYTES_STR(item->name), key);
	int r = form_parse(&reader, main->data, &root, &form);
	const char *file = item->folder ? main->name : NULL;
	if (r == 0)
		r = letter_is_question(&form, file) ? letter_read_question(&form, file, &letter)
						    : outgoing->agency->read(&form, file, &letter);
	if (r)
		return r < 0 ? r : TAKE_BAD;
	return letter_send(outgoing, item, main, &letter, key, reterr, size);
}

/* ---- official documents ---- */

static int document_body(
	struct outgoing *outgoing, const struct split *split, struct dw_message *message)
{
	const struct item *item = &split->item;
	const struct item_file *main = split->main;
	Dienstweg__Case content;
	dienstweg__case__init(&content);
	message->attachments = split->attached;
	message->attachments_count = split->attached_count;
	if (item->count == 1 && split->attached_count == 0) {
		message->content_type = BYTES_STR(XML_CONTENT_TYPE);
		message->body = main->data;
		return 0;
	}
	message->content_type = BYTES_STR(CASE_CONTENT_TYPE);
	int r = case_form_documents_first(&content, item, main, outgoing->arena);
	return r ? r : case_form_pack(&content, outgoing->arena, &message->body);
}

/* The message's own id is its key: the same document under another file name is the same message. */
static int take_document(struct outgoing *outgoing, const struct item *item,
	const struct item_file *main, char key[ITEM_KEY_MAX + 1], char *reterr, size_t size)
{
	char why[WHY_SIZE];
	struct xoev_head head;
	struct xoev_route route;
	struct split split;
	int r = xoev_read(main->data, &head, why, sizeof(why));
	if (r == 0)
		r = xoev_route(dw_adapter_registry(outgoing->adapter), outgoing->config, &head,
			&route, why, sizeof(why));
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
	r = item_split(outgoing, item, main, &split, reterr, size);
	if (r == 0)
		r = document_body(outgoing, &split, &message);
	return r ? r : message_send(outgoing, &message, reterr, size);
}

int outgoing_take(void *context, const struct item *item, char key[ITEM_KEY_MAX + 1], char *reterr,
	size_t size)
{
	struct outgoing *outgoing = context;
	const struct folder_agency *agency = outgoing->agency;
	const struct item_file *main = NULL;
	arena_reset(outgoing->arena);
	int r = form_find(agency, item, &main, reterr, size);
	if (r)
		return r;
	if (main)
		return take_form(outgoing, item, main, key, reterr, size);
	main = document_find(item);
	return main ? take_document(outgoing, item, main, key, reterr, size)
		    : nothing_found(agency, item, reterr, size);
}
