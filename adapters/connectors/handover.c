/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The legacy system gets what it can use without knowing the bus: the agency's own form as JSON, an
 * official XML document byte for byte, every document as a file, and one message.json that says who sent
 * it and what an answer has to name. Names come from another agency and are cleaned.
 *
 * What cannot be understood is rejected for good, in the recipient's name, because trying again would not
 * help; a folder that cannot be written now is no reason to reject anything.
 */
#include "adapters/connectors/handover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/connectors/case-form.h"
#include "adapters/connectors/cases.h"
#include "adapters/connectors/file-name.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/identity/uuid.h"
#include "proto/registry/registry.h"

enum {
	ARENA_BUDGET = 32 << 20, /* a hostile case of 256 KiB inflates up to 76 times */
	FILES_MAX = CASE_DOCUMENTS_MAX + DW_ATTACHMENTS_MAX + 2,
	PARENT_SIZE = 64 + 1 + 2 * CASES_ID_SIZE + 1,
	LETTER_NAME_SIZE = 64,
	FILE_NAME_SIZE = FILE_NAME_MAX + 8,
};

/* A letter being made. Texts of JSON are malloc'd, the rest is borrowed or in the arena. */
struct making {
	const struct dw_delivery *delivery;
	struct arena *arena;
	const Dienstweg__Case *content; /* NULL: an XML document */
	const char *what;               /* application, status, decision, document */
	json_t *message;                /* message.json */
	json_t *listed;                 /* its "documents" */
	char *texts[2];
	size_t texts_count;
	struct out_file files[FILES_MAX];
	size_t count;
};

enum { MAKING_REJECT = 1 };

static void making_deinit(struct making *making)
{
	json_decref(making->message);
	for (size_t i = 0; i < making->texts_count; i++)
		free(making->texts[i]);
	arena_free(making->arena);
}
DEFINE_CLEANUP_PTR(struct making, making_deinit);

static int reject(struct dw_verdict *ret, const char *code, const char *text)
{
	*ret = (struct dw_verdict){.disposition = DW_REJECTED};
	snprintf(ret->code, sizeof(ret->code), "%s", code);
	snprintf(ret->text, sizeof(ret->text), "%s", text);
	return MAKING_REJECT;
}

static int reject_malformed(struct dw_verdict *ret)
{
	return reject(ret, "malformed-content", "the content is no case that can be read");
}

/* ---- message.json ---- */

static int put_text(json_t *object, const char *name, struct bytes text)
{
	if (text.len == 0)
		return 0;
	json_t *value = json_stringn((const char *)text.data, text.len);
	return json_object_set_new(object, name, value) ? -ENOMEM : 0;
}

static int put_hex(json_t *object, const char *name, struct bytes bytes)
{
	char hex[2 * HASH_SIZE + 1];
	text_hex(bytes, hex);
	return put_text(object, name, BYTES_STR(hex));
}

static int put_time(json_t *object, const char *name, uint64_t ms)
{
	char text[25];
	clock_format_utc(ms, text);
	return put_text(object, name, BYTES_STR(text));
}

static int put_word(
	json_t *object, const char *name, const char *const *words, size_t count, uint32_t number)
{
	return number < count ? put_text(object, name, BYTES_STR(words[number])) : 0;
}

static int message_words(json_t *object, const struct dw_delivery *delivery)
{
	static const char *const kinds[] = {"", "submission", "reply", "event", "enquiry", "answer"};
	static const char *const statuses[] = {"", "received", "in-progress", "decided", "closed"};
	static const char *const channels[] = {"", "online", "paper", "counter", "phone"};
	int r = put_word(object, "kind", kinds, ARRAY_LEN(kinds), delivery->kind);
	if (r == 0)
		r = put_word(object, "status", statuses, ARRAY_LEN(statuses), delivery->status);
	if (r == 0)
		r = put_word(object, "channel", channels, ARRAY_LEN(channels), delivery->channel);
	return r;
}

static int message_fill(json_t *object, const struct dw_delivery *delivery)
{
	char id[UUID_TEXT_SIZE];
	uuid_format(delivery->message_id, id);
	int r = put_hex(object, "case", BYTES(delivery->case_id, sizeof(delivery->case_id)));
	r = r ? r : put_text(object, "service", delivery->service);
	r = r ? r : put_text(object, "sender", delivery->sender);
	r = r ? r : put_text(object, "recipient", delivery->recipient);
	r = r ? r : put_text(object, "region", delivery->region);
	r = r ? r : message_words(object, delivery);
	r = r ? r : put_time(object, "created", delivery->created_ms);
	r = r ? r : put_time(object, "recorded", delivery->recorded_ms);
	r = r ? r
	    : json_object_set_new(object, "sequence", json_integer((json_int_t)delivery->sequence))
		    ? -ENOMEM
		    : 0;
	r = r ? r : put_text(object, "message", BYTES_STR(id));
	r = r ? r : put_hex(object, "h", BYTES(delivery->h, sizeof(delivery->h)));
	if (r == 0 && delivery->in_reply_to)
		r = put_hex(object, "in_reply_to", BYTES(delivery->in_reply_to, HASH_SIZE));
	r = r ? r : put_text(object, "content_type", delivery->content_type);
	return r ? r : put_text(object, "schema", delivery->schema);
}

/* ---- files ---- */

static bool name_is_taken(const struct making *making, const char *name)
{
	for (size_t i = 0; i < making->count; i++) {
		if (strcmp(making->files[i].name, name) == 0)
			return true;
	}
	return false;
}

/* "Bescheid.pdf", or "2-Bescheid.pdf" beside another of that name. */
static const char *file_name(const struct making *making, const char *raw)
{
	char clean[FILE_NAME_MAX + 1], name[FILE_NAME_SIZE];
	struct bytes copy;
	file_name_clean(BYTES_STR(raw), clean);
	snprintf(name, sizeof(name), "%s", clean);
	for (unsigned int i = 2; name_is_taken(making, name); i++)
		snprintf(name, sizeof(name), "%u-%s", i, clean);
	return arena_copy(making->arena, BYTES(name, strlen(name) + 1), &copy)
		       ? NULL
		       : (const char *)copy.data;
}

/* A document that came, inline or as an attachment. */
struct listed {
	const char *name, *media_type; /* as they came */
	uint64_t bytes;
};

static int list_document(struct making *making, const char *file, const struct listed *document)
{
	json_t *entry = json_object();
	int r = json_array_append_new(making->listed, entry) ? -ENOMEM : 0;
	r = r ? r : put_text(entry, "file", BYTES_STR(file));
	if (r == 0 && strcmp(file, document->name) != 0)
		r = json_object_set_new(entry, "name", json_string(document->name)) ? MAKING_REJECT
										    : 0;
	if (r == 0 && *document->media_type)
		r = json_object_set_new(entry, "media_type", json_string(document->media_type))
			    ? MAKING_REJECT
			    : 0;
	if (r)
		return r;
	json_t *bytes = json_integer((json_int_t)document->bytes);
	return json_object_set_new(entry, "bytes", bytes) ? -ENOMEM : 0;
}

static const char *text_copy(struct making *making, struct bytes text)
{
	char *copy = arena_zalloc(making->arena, text.len + 1);
	if (copy && text.len > 0)
		memcpy(copy, text.data, text.len);
	return copy;
}

/* Files of their own already: they get a name in the letter. */
static int attachments_add(struct making *making)
{
	const struct dw_delivery *delivery = making->delivery;
	for (size_t i = 0; i < delivery->attachments_count; i++) {
		const struct dw_arrived *arrived = &delivery->attachments[i];
		struct listed listed = {
			.name = text_copy(making, arrived->name),
			.media_type = text_copy(making, arrived->content_type),
			.bytes = arrived->size,
		};
		const char *name = listed.name ? file_name(making, listed.name) : NULL;
		if (!name || !listed.media_type)
			return -ENOMEM;
		int r = list_document(making, name, &listed);
		if (r)
			return r;
		making->files[making->count++] = (struct out_file){
			.name = name, .path = arrived->path};
	}
	return 0;
}

static int documents_add(struct making *making)
{
	const Dienstweg__Case *content = making->content;
	if (content->n_documents > CASE_DOCUMENTS_MAX)
		return MAKING_REJECT;
	for (size_t i = 0; i < content->n_documents; i++) {
		const Dienstweg__Document *document = content->documents[i];
		const char *name = file_name(making, document->name);
		struct listed listed = {document->name, document->media_type, document->data.len};
		int r = name ? list_document(making, name, &listed) : -ENOMEM;
		if (r)
			return r;
		making->files[making->count++] = (struct out_file){
			.name = name, .data = BYTES_PB(document->data)};
	}
	return 0;
}

static int text_of(struct making *making, const json_t *json, struct bytes *ret)
{
	char *text = json_dumps(json, JSON_INDENT(2));
	if (!text)
		return -ENOMEM;
	making->texts[making->texts_count++] = text;
	*ret = BYTES_STR(text);
	return 0;
}

/* The agency's form of an application, a status or a decision; questions and answers look the same everywhere. */
static int form_add(
	struct making *making, const struct folder_agency *agency, struct dw_verdict *ret)
{
	_cleanup_(json_decref) json_t *json = NULL;
	struct out_file *file = &making->files[making->count];
	bool answer = strcmp(making->what, "answer") == 0;
	int r;
	if (answer || strcmp(making->what, "question") == 0) {
		file->name = answer ? "answer.json" : "question.json";
		r = case_form_question_write(making->content, &json);
	} else {
		r = agency->write(making->content, &file->name, &json);
	}
	if (r)
		return r < 0 ? r : reject_malformed(ret);
	if (!json)
		return reject(ret, "unknown-content",
			"the recipient has no form for this kind of content");
	making->count++;
	return text_of(making, json, &file->data);
}

static int content_add(
	struct making *making, const struct folder_agency *agency, struct dw_verdict *ret)
{
	switch (making->content->content_case) {
	case DIENSTWEG__CASE__CONTENT_APPLICATION:
		making->what = "application";
		break;
	case DIENSTWEG__CASE__CONTENT_STATUS:
		making->what = "status";
		break;
	case DIENSTWEG__CASE__CONTENT_DECISION:
		making->what = "decision";
		break;
	case DIENSTWEG__CASE__CONTENT_QUESTION:
		making->what = "question";
		break;
	case DIENSTWEG__CASE__CONTENT_ANSWER:
		making->what = "answer";
		break;
	default: /* an official document with others beside it */
		making->what = "document";
		break;
	}
	bool form = strcmp(making->what, "document") != 0;
	int r = form ? form_add(making, agency, ret) : 0;
	if (r)
		return r;
	r = form || making->content->n_documents > 0 ? documents_add(making) : MAKING_REJECT;
	return r > 0 ? reject_malformed(ret) : r;
}

static int body_add(
	struct making *making, const struct folder_agency *agency, struct dw_verdict *ret)
{
	const struct dw_delivery *delivery = making->delivery;
	if (bytes_equal(delivery->content_type, BYTES_STR(XML_CONTENT_TYPE))) {
		making->what = "document";
		making->files[making->count++] = (struct out_file){
			.name = "document.xml", .data = delivery->body};
		return 0;
	}
	if (!bytes_equal(delivery->content_type, BYTES_STR(CASE_CONTENT_TYPE)))
		return reject(
			ret, "unknown-content-type", "the recipient takes cases and XML documents");
	making->content = dienstweg__case__unpack(
		arena_allocator(making->arena), delivery->body.len, delivery->body.data);
	return making->content ? content_add(making, agency, ret) : reject_malformed(ret);
}

/* Until when an answer counts. */
static int answer_by_put(struct making *making, const struct dw_adapter *adapter)
{
	const struct dw_delivery *delivery = making->delivery;
	const Dienstweg__Service *service = adapter ? registry_service(dw_adapter_registry(adapter),
							      delivery->service)
						    : NULL;
	if (delivery->kind != DW_ENQUIRY || !service || service->answer_s == 0)
		return 0;
	return put_time(making->message, "answer_by",
		delivery->recorded_ms + service->answer_s * UINT64_C(1000));
}

static int make(struct making *making, const struct handover *handover, struct dw_verdict *ret)
{
	const struct folder_agency *agency = handover->agency;
	making->arena = arena_new(ARENA_BUDGET);
	making->message = json_object();
	making->listed = json_array();
	if (!making->arena || !making->message || !making->listed) {
		json_decref(making->listed);
		return -ENOMEM;
	}
	making->files[making->count++].name = "message.json"; /* filled when all is known */
	int r = message_fill(making->message, making->delivery);
	if (r == 0)
		r = answer_by_put(making, handover->adapter);
	if (r == 0)
		r = body_add(making, agency, ret);
	if (r == 0)
		r = attachments_add(making);
	if (r > 0 && ret->disposition != DW_REJECTED)
		r = reject_malformed(ret);
	bool any = json_array_size(making->listed) > 0;
	if (r == 0 && any && json_object_set(making->message, "documents", making->listed))
		r = -ENOMEM;
	json_decref(making->listed);
	return r ? r : text_of(making, making->message, &making->files[0].data);
}

/* ---- putting ---- */

static void name_copy(char buf[CASES_NAME_SIZE], struct bytes name)
{
	snprintf(buf, CASES_NAME_SIZE, "%.*s", (int)name.len, (const char *)name.data);
}

/* An answer names the case alone; what else it needs is remembered before anybody can answer. */
static int remember(const struct handover *handover, const struct making *making)
{
	const struct dw_delivery *delivery = making->delivery;
	struct case_origin origin = {.sequence = delivery->sequence};
	if (delivery->kind != DW_SUBMISSION && delivery->kind != DW_ENQUIRY)
		return 0;
	memcpy(origin.case_id, delivery->case_id, sizeof(origin.case_id));
	memcpy(origin.h, delivery->h, sizeof(origin.h));
	name_copy(origin.sender, delivery->sender);
	name_copy(origin.recipient, delivery->recipient);
	name_copy(origin.service, delivery->service);
	if (making->content && strlen(making->content->reference) < sizeof(origin.reference))
		snprintf(origin.reference, sizeof(origin.reference), "%s",
			making->content->reference);
	return cases_put(handover->state,
		delivery->kind == DW_ENQUIRY ? CASES_OF_QUESTIONS : CASES_OF_SUBMISSIONS, &origin);
}

static void letter_id(const struct dw_delivery *delivery, uint8_t id[FOLDER_OUT_ID_SIZE])
{
	uint8_t hash[HASH_SIZE];
	struct blake2b state;
	blake2b_init(&state, BYTES(NULL, 0));
	blake2b_add(&state, BYTES(delivery->message_id, sizeof(delivery->message_id)));
	blake2b_add(&state, delivery->recipient);
	blake2b_finish(&state, hash);
	memcpy(id, hash, FOLDER_OUT_ID_SIZE);
}

static int put(const struct handover *handover, const struct making *making)
{
	const struct dw_delivery *delivery = making->delivery;
	char parent[PARENT_SIZE], name[LETTER_NAME_SIZE], hex[2 * CASES_ID_SIZE + 1];
	bool operated = handover->documents &&
			!bytes_equal(delivery->recipient, BYTES_STR(handover->party));
	struct out_letter letter = {
		.parent = parent, .name = name, .files = making->files, .count = making->count};
	text_hex(BYTES(delivery->case_id, sizeof(delivery->case_id)), hex);
	if (operated)
		snprintf(parent, sizeof(parent), "%.*s/%s", (int)delivery->recipient.len,
			(const char *)delivery->recipient.data, hex);
	else
		snprintf(parent, sizeof(parent), "%s", hex);
	snprintf(name, sizeof(name), "%010llu-%s", (unsigned long long)delivery->sequence,
		making->what);
	letter_id(delivery, letter.id);
	struct folder_out *out = operated ? handover->documents : handover->out;
	int r = folder_out_put(out, &letter);
	if (r != -EEXIST)
		return r;
	/* A new log counts from 1 again: another message of this case had the number before. */
	text_hex(BYTES(delivery->h, 4), hex);
	snprintf(name, sizeof(name), "%010llu-%s.%s", (unsigned long long)delivery->sequence,
		making->what, hex);
	return folder_out_put(out, &letter);
}

/* Errors of a folder that a person or time can mend. */
static bool may_pass(int r)
{
	static const int passing[] = {ENOSPC, EDQUOT, EACCES, EPERM, EROFS, ENOENT, ENOTDIR, EMFILE,
		ENFILE, EEXIST, ELOOP, EBUSY, EBADMSG};
	for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
		if (r == -passing[i])
			return true;
	}
	return false;
}

/* Those that have nothing to do with this delivery: it must not end among the dead letters for them. */
static bool is_of_system(int r)
{
	static const int errors[] = {ENOSPC, EDQUOT, EROFS, EMFILE, ENFILE};
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (r == -errors[i])
			return true;
	}
	return false;
}

int handover_put(
	const struct handover *handover, const struct dw_delivery *delivery, struct dw_verdict *ret)
{
	_cleanup_(making_deinit) struct making making = {.delivery = delivery};
	int r = make(&making, handover, ret);
	if (r)
		return r < 0 ? r : 0;
	r = remember(handover, &making);
	if (r == 0)
		r = put(handover, &making);
	if (may_pass(r)) {
		log_warn("folder", "a delivery cannot be put into its folder now", F_ERR(r),
			F_U64("sequence", delivery->sequence));
		*ret = (struct dw_verdict){.disposition = DW_LATER};
		snprintf(ret->code, sizeof(ret->code), "%s",
			is_of_system(r) ? "unavailable" : "folder");
		return 0;
	}
	if (r == 0)
		*ret = (struct dw_verdict){.disposition = DW_ACCEPTED};
	return r;
}
