/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What an operator may know of a message that could not be delivered: who sent what kind of document to whom, what
 * the recipient gave as the cause, and when. The document itself is sealed; its bytes can be written out as they
 * came, for the recipient's people to look at. All of that is opened, so it is an entry first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/entry-json.h"
#include "broker/admin/inspect.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/admin/items.h"
#include "broker/audit/entry.h"
#include "broker/audit/timeline.h"
#include "broker/audit/words.h"
#include "proto/base/file.h"

static const char help[] =
	"usage: dienstweg dead show MESSAGE --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Shows a dead letter: its header, what it died of, and what happened to it. Looking is an "
	"entry.\n"
	"\n" FOLDERS_HELP INSPECT_HELP CASES_HELP
	"  --header FILE      write the header's bytes as they were received\n"
	"  --content FILE     write the content's; sealed ones can be opened by the recipient "
	"alone\n"
	"  --json             one object\n"
	"\n"
	"MESSAGE is the number of its entry. Exit codes: 0 shown; 1 it is no dead letter.\n";

struct request {
	struct folders folders;
	struct inspect inspect;
	const char *header, *content;
	uint64_t sequence;
	bool rebuild, json;
	json_t *events;
};

static int take_event(void *context, const struct timeline_event *event)
{
	struct request *request = context;
	char time[OUT_TEXT_MAX], who[OUT_TEXT_MAX], cause[OUT_TEXT_MAX] = "";
	bool told = event->decision && event->decision->cause.len > 0;
	if (told)
		out_name(BYTES_PB(event->decision->cause), cause);
	if (request->events) {
		json_t *object = json_object();
		out_put(object, "sequence", event->sequence);
		out_put_time(object, "time", event->batch_ms);
		out_put_text(object, "event", timeline_what_name(event->what));
		out_put_name(object, "party", event->who);
		if (told)
			out_put_text(object, "cause", cause);
		json_array_append_new(request->events, object);
		return 0;
	}
	printf("  %-23s  %-15s  %-32s  %8" PRIu64 "  %s\n", out_time(event->batch_ms, time),
		timeline_what_name(event->what), out_name(event->who, who), event->sequence, cause);
	return 0;
}

static int tell_events(struct request *request)
{
	_cleanup_(cases_close) struct cases cases = {};
	struct timeline_place place = {.message = request->sequence};
	struct audit_report report = {};
	int exit = cases_open(&request->folders, request->rebuild, &cases);
	if (exit)
		return exit;
	int r = audit_refresh(&cases.audit);
	if (r == 0)
		r = timeline_message(
			&cases.audit, cases.index, &place, take_event, request, &report);
	return r ? cli_fail(CLI_FAILED, "%s: %s", request->folders.journal, strerrordesc_np(-r)) : 0;
}

static int write_bytes(const char *path, struct bytes bytes)
{
	int r = path ? file_replace(path, bytes, 0600) : 0;
	return r ? cli_fail(CLI_FAILED, "%s: %s", path, strerrordesc_np(-r)) : 0;
}

static int write_files(
	const struct request *request, struct audit *audit, const struct audit_entry *entry)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct bytes content;
	int exit = write_bytes(request->header, entry->header_bytes);
	if (exit || !request->content)
		return exit;
	int r = arena ? journal_read_content(audit->reader, request->sequence, arena, &content)
		      : -ENOMEM;
	if (r)
		return cli_fail(CLI_FAILED, "message %" PRIu64 ": %s", request->sequence,
			r == READER_ERASED ? "its content was erased"
			: r > 0            ? "its content cannot be read: audit verify tells more"
					   : strerrordesc_np(-r));
	return write_bytes(request->content, content);
}

static void print(const struct parked *item, const struct audit_entry *entry)
{
	const Dienstweg__Header *header = entry->header;
	char a[OUT_TEXT_MAX], b[OUT_TEXT_MAX], hex[OUT_TEXT_MAX];
	printf("Message %" PRIu64 ", a dead letter for %s since %s, entry %" PRIu64 "\n",
		item->sequence, item->name, out_time(item->since_ms, a), item->entry);
	printf("  died of     %s, after %u attempts\n", item->cause[0] ? item->cause : "unknown",
		item->row.attempts);
	printf("  sender      %s\n", out_name(BYTES_PB(header->sender), a));
	printf("  service     %s, %s\n", out_name(BYTES_PB(header->service), a),
		words_message_kind((int)header->kind));
	printf("  recorded    %s, created %s\n", out_time(entry->disclosed.batch_ms, a),
		out_time(header->created_ms, b));
	printf("  content     %s, %s\n", out_bytes(header->content_length, a),
		out_name(BYTES_PB(header->content_type), b));
	for (size_t i = 0; i < sizeof(item->row.case_id); i++)
		snprintf(hex + 2 * i, 3, "%02x", item->row.case_id[i]);
	printf("  case        %s\n", hex);
	if (header->expires_ms)
		printf("  expires     %s\n", out_time(header->expires_ms, a));
}

static json_t *json_of(const struct parked *item, const struct audit_entry *entry)
{
	json_t *object = json_object();
	out_put(object, "sequence", item->sequence);
	out_put_text(object, "party", item->name);
	out_put_text(object, "cause", item->cause);
	out_put(object, "attempts", item->row.attempts);
	out_put_time(object, "since", item->since_ms);
	out_put(object, "entry", item->entry);
	json_object_set_new(object, "header", header_json(entry->header));
	return object;
}

static int show(struct request *request, struct audit *audit, const struct parked *item)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct audit_entry entry;
	int exit = inspect_record(
		&request->inspect, &request->folders, item->sequence, item->sequence, 1);
	if (exit)
		return exit;
	inspect_print(&request->inspect);
	int r = arena ? audit_refresh(audit) : -ENOMEM;
	if (r == 0)
		r = audit_entry_read(audit->reader, item->sequence, arena, &entry);
	if (r || !entry.header)
		return cli_fail(CLI_FAILED,
			"message %" PRIu64 " cannot be read: audit verify tells more",
			item->sequence);
	exit = write_files(request, audit, &entry);
	if (exit)
		return exit;
	request->events = request->json ? json_array() : NULL;
	if (!request->json)
		print(item, &entry);
	exit = tell_events(request);
	if (!request->json)
		return exit;
	json_t *object = json_of(item, &entry);
	json_object_set_new(object, "events", request->events);
	out_line(object);
	return exit;
}

static int run(struct request *request)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(parked_list_deinit) struct parked_list list = {};
	int exit = items_read(&request->folders, &audit, &list);
	for (size_t i = 0; exit == 0 && i < list.count; i++)
		if (list.items[i].dead && list.items[i].sequence == request->sequence)
			return show(request, &audit, &list.items[i]);
	return exit ? exit
		    : cli_fail(CLI_NEGATIVE,
			      "message %" PRIu64 " is no dead letter: dienstweg dead list tells "
			      "which there are",
			      request->sequence);
}

int dead_show_run(int argc, char **argv)
{
	struct request request = {};
	const char *items[1];
	struct cli_list words = {.items = items, .max = ARRAY_LEN(items)};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&request.folders),
		INSPECT_OPTIONS(&request.inspect),
		{"--index", .value = &request.folders.index},
		{"--rebuild", .flag = &request.rebuild},
		{"--header", .value = &request.header},
		{"--content", .value = &request.content},
		{"--json", .flag = &request.json},
	};
	const struct cli_verb verb = {
		.name = "dead show",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
		.words = &words,
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (words.count == 0)
		return cli_usage(&verb, "which message? dienstweg dead list --each numbers them");
	r = items_sequence(&verb, items[0], &request.sequence);
	if (r == 0)
		r = inspect_check(&request.inspect, &verb);
	if (r == 0)
		r = folders_find(&request.folders, &verb, FOLDERS_KEYS);
	if (r == 0)
		r = run(&request);
	folders_deinit(&request.folders);
	return r;
}
