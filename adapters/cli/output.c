/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Both forms are made from the same object, so that a script and a person are never told different
 * things. Names, codes and types are ASCII by the protocol's rules; sentences may come from strangers, so
 * for people control characters are left out.
 */
#include "adapters/cli/output.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"
#include "proto/identity/uuid.h"

static void put_text(json_t *object, const char *name, struct bytes text)
{
	if (text.len == 0)
		return;
	/* Not UTF-8: better nothing than half a sentence. */
	json_t *value = json_stringn((const char *)text.data, text.len);
	if (value)
		json_object_set_new(object, name, value);
}

static void put_hex(json_t *object, const char *name, struct bytes data)
{
	char hex[2 * 64 + 1];
	if (data.len > 64)
		return;
	text_hex(data, hex);
	json_object_set_new(object, name, json_string(hex));
}

static void put_uuid(json_t *object, const char *name, const uint8_t id[UUID_SIZE])
{
	char text[UUID_TEXT_SIZE];
	uuid_format(id, text);
	json_object_set_new(object, name, json_string(text));
}

static void put_number(json_t *object, const char *name, uint64_t number)
{
	json_object_set_new(object, name, json_integer((json_int_t)number));
}

static void put_time(json_t *object, const char *name, uint64_t ms)
{
	char text[25];
	if (ms == 0)
		return;
	clock_format_utc(ms, text);
	json_object_set_new(object, name, json_string(text));
}

static void print_json(json_t *object)
{
	char *line = json_dumps(object, JSON_COMPACT);
	if (line)
		puts(line);
	free(line);
}

static void print_word(const json_t *object, const char *label, const char *name)
{
	const json_t *value = json_object_get(object, name);
	if (json_is_integer(value))
		printf("  %-10s %lld\n", label, (long long)json_integer_value(value));
	if (!json_is_string(value))
		return;
	printf("  %-10s ", label);
	for (const char *p = json_string_value(value); *p; p++) {
		if ((unsigned char)*p >= ' ' && *p != 0x7f)
			putchar(*p);
	}
	putchar('\n');
}

static void print(const struct output *output, json_t *object, const char *title)
{
	static const struct {
		const char *label, *name;
	} rows[] = {
		{"message", "message_id"},
		{"h", "h"},
		{"case", "case_id"},
		{"service", "service"},
		{"from", "sender"},
		{"to", "recipient"},
		{"kind", "kind"},
		{"type", "content_type"},
		{"schema", "schema"},
		{"bytes", "bytes"},
		{"entry", "sequence"},
		{"at", "at"},
		{"state", "state"},
		{"code", "code"},
		{"field", "field"},
		{"because", "text"},
		{"file", "file"},
	};
	if (output->json) {
		print_json(object);
	} else {
		puts(title);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			print_word(object, rows[i].label, rows[i].name);
	}
	fflush(stdout);
	json_decref(object);
}

void output_queued(const struct output *output, const struct dw_submitted *ids)
{
	json_t *object = json_object();
	json_object_set_new(object, "event", json_string("queued"));
	put_uuid(object, "message_id", ids->message_id);
	put_hex(object, "case_id", BYTES(ids->case_id, sizeof(ids->case_id)));
	json_object_set_new(object, "duplicate", json_boolean(ids->duplicate));
	print(output, object,
		ids->duplicate ? "Submitted before under this key; nothing was added."
			       : "In the outbox, durably.");
}

void output_report(const struct output *output, const struct dw_report *report)
{
	static const char *const events[] = {[DW_RECORDED] = "recorded",
		[DW_REFUSED] = "refused",
		[DW_ENDED] = "ended",
		[DW_OVERDUE] = "overdue",
		[DW_DUE_SOON] = "due-soon"};
	static const char *const titles[] = {
		[DW_RECORDED] = "Recorded in the journal; the receipt is proven and kept.",
		[DW_REFUSED] = "Refused for good.",
		[DW_ENDED] = "Ended at the recipient.",
		[DW_OVERDUE] = "Overdue: nobody replied in time.",
		[DW_DUE_SOON] = "Due soon: nobody replied yet, and the time for it is nearly over.",
	};
	json_t *object = json_object();
	json_object_set_new(object, "event", json_string(events[report->event]));
	put_uuid(object, "message_id", report->message_id);
	put_hex(object, "case_id", BYTES(report->case_id, sizeof(report->case_id)));
	put_hex(object, "h", BYTES(report->h, sizeof(report->h)));
	put_text(object, "service", report->service);
	put_number(object, "sequence", report->sequence);
	put_time(object, "at", report->at_ms);
	put_text(object, "recipient", report->recipient);
	put_text(object, "state", report->state);
	put_text(object, "code", report->code);
	put_text(object, "field", report->field);
	put_text(object, "text", report->text);
	print(output, object, titles[report->event]);
}

static json_t *delivery_object(const struct dw_delivery *delivery)
{
	static const char *const kinds[] = {[DW_SUBMISSION] = "submission",
		[DW_REPLY] = "reply",
		[DW_EVENT] = "event",
		[DW_ENQUIRY] = "enquiry",
		[DW_ANSWER] = "answer"};
	json_t *object = json_object();
	put_number(object, "sequence", delivery->sequence);
	put_uuid(object, "message_id", delivery->message_id);
	put_hex(object, "case_id", BYTES(delivery->case_id, sizeof(delivery->case_id)));
	put_hex(object, "h", BYTES(delivery->h, sizeof(delivery->h)));
	if (delivery->in_reply_to)
		put_hex(object, "in_reply_to", BYTES(delivery->in_reply_to, HASH_SIZE));
	json_object_set_new(object, "kind", json_string(kinds[delivery->kind]));
	put_text(object, "service", delivery->service);
	put_text(object, "sender", delivery->sender);
	put_text(object, "recipient", delivery->recipient);
	put_text(object, "region", delivery->region);
	put_text(object, "content_type", delivery->content_type);
	put_text(object, "schema", delivery->schema);
	put_number(object, "bytes", delivery->body.len);
	put_number(object, "status", delivery->status);
	put_number(object, "channel", delivery->channel);
	put_number(object, "attempt", delivery->attempt);
	put_time(object, "at", delivery->recorded_ms);
	put_time(object, "created", delivery->created_ms);
	return object;
}

void output_progress(struct output *output, const struct dw_progress *progress)
{
	static const char *const words[] = {
		[DW_SEALED] = "sealing", [DW_SENT] = "sending", [DW_FETCHED] = "fetching", [DW_OPENED] = "opening"};
	unsigned int percent = progress->total
				       ? (unsigned int)(progress->done * 100 / progress->total)
				       : 100;
	if (!isatty(STDERR_FILENO) ||
		(output->stage == (int)progress->stage && output->percent == percent))
		return;
	output->stage = (int)progress->stage;
	output->percent = percent;
	fprintf(stderr, "\r%-9s attachment %3u %% of %llu MiB%s", words[progress->stage], percent,
		(unsigned long long)(progress->total >> 20), percent == 100 ? "\n" : "");
}

static void put_attachments(
	json_t *object, const struct dw_delivery *delivery, const char (*files)[PATH_MAX])
{
	json_t *all = json_array();
	for (size_t i = 0; i < delivery->attachments_count; i++) {
		json_t *one = json_object();
		put_text(one, "name", delivery->attachments[i].name);
		put_text(one, "content_type", delivery->attachments[i].content_type);
		put_number(one, "bytes", delivery->attachments[i].size);
		if (files)
			json_object_set_new(one, "file", json_string(files[i + 1]));
		json_array_append_new(all, one);
	}
	json_object_set_new(object, "attachments", all);
}

void output_delivery(const struct output *output, const struct dw_delivery *delivery,
	const struct dw_verdict *verdict, const char (*files)[PATH_MAX])
{
	bool accepted = verdict->disposition == DW_ACCEPTED;
	json_t *object = delivery_object(delivery);
	json_object_set_new(object, "event", json_string(accepted ? "accepted" : "rejected"));
	put_text(object, "code", BYTES_STR(verdict->code));
	put_text(object, "text", BYTES_STR(verdict->text));
	if (files)
		json_object_set_new(object, "file", json_string(files[0]));
	if (delivery->attachments_count > 0)
		put_attachments(object, delivery, files);
	print(output, object, accepted ? "Received and accepted." : "Received and rejected.");
}

void output_replayed(
	const struct output *output, const struct dw_delivery *delivery, const char *file)
{
	json_t *object = delivery_object(delivery);
	json_object_set_new(object, "event", json_string("replayed"));
	json_object_set_new(object, "taken", json_boolean(delivery->taken));
	json_object_set_new(object, "file", json_string(file));
	print(output, object,
		delivery->taken ? "Received once more; it was accepted or rejected before."
				: "Received although it was not sent to us then.");
}

/* As text where it is one. */
static void put_body(json_t *object, struct bytes body)
{
	json_t *text = json_stringn((const char *)body.data, body.len);
	_cleanup_(heap_free) char *encoded = text ? NULL : malloc(TEXT_BASE64_SIZE(body.len));
	if (text) {
		json_object_set_new(object, "body", text);
	} else if (encoded) {
		text_base64(body, encoded);
		json_object_set_new(object, "body_base64", json_string(encoded));
	}
}

void output_answer(const struct output *output, const struct dw_answer *answer, const char *file,
	const char *why)
{
	const struct dw_delivery *delivery = answer->delivery;
	json_t *object = delivery ? delivery_object(delivery) : json_object();
	json_object_set_new(object, "event", json_string(delivery ? "answered" : "unanswered"));
	if (delivery && file)
		json_object_set_new(object, "file", json_string(file));
	else if (delivery)
		put_body(object, delivery->body);
	if (!delivery) {
		put_uuid(object, "message_id", answer->message_id);
		put_hex(object, "case_id", BYTES(answer->case_id, sizeof(answer->case_id)));
		put_text(object, "code", answer->code);
		put_text(object, "text", answer->text);
		json_object_set_new(object, "why", json_string(why));
	}
	print(output, object, "");
}

char *output_describe(const struct dw_delivery *delivery)
{
	json_t *object = delivery_object(delivery);
	if (delivery->attachments_count > 0)
		put_attachments(object, delivery, NULL);
	char *text = json_dumps(object, JSON_INDENT(2));
	json_decref(object);
	return text;
}
