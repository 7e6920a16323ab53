/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The timeline that a citizen's question ends at: what was sent when, who took it, what was decided. Each
 * line names the entry that proves it, and the last column says whether the proof holds right now.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/cases.h"
#include "broker/admin/entry-json.h"
#include "broker/admin/inspect.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/audit/disputes.h"
#include "broker/audit/timeline.h"
#include "broker/audit/words.h"
#include "proto/base/db.h"
#include "proto/base/text.h"

static const char help[] =
	"usage: dienstweg case show CASE --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Shows the timeline of a case: messages recorded or refused, accepted or rejected by "
	"their\n"
	"recipients, deliveries that failed, and where a case stands as far as the bus may know. "
	"CASE is\n"
	"a case id, or enough of its beginning.\n"
	"\n" FOLDERS_HELP CASES_HELP INSPECT_HELP "  --json             one object\n"
	"\n"
	"While the broker runs, it journals that the records were opened before they are shown.\n"
	"Exit codes: 0 shown; 1 no such case, or several.\n";

struct show {
	json_t *events; /* NULL: print */
	uint64_t events_count;
	uint64_t open; /* messages that have not ended for somebody */
	struct disputes disputes;
};

/* ---- for people ---- */

/* Who, and for a message to whom. */
static void say_who(struct words *words, const struct timeline_event *event)
{
	words_name(words, event->who);
	for (size_t i = 0; i < event->recipients_count; i++) {
		words_add(words, i ? ", " : " → ");
		words_name(words, event->recipients[i].name);
	}
	if (event->what == TIMELINE_REFUSED && event->header->recipient.len > 0) {
		words_add(words, " → ");
		words_name(words, BYTES_PB(event->header->recipient));
	}
}

/* A message that carries a status says more by it than by having been recorded. */
static const char *say_what(const struct timeline_event *event)
{
	const char *status = event->header ? words_status((int)event->header->status) : "";
	return event->what == TIMELINE_RECORDED && *status ? status
							   : timeline_what_name(event->what);
}

static const char *state_words(enum timeline_state state)
{
	switch (state) {
	case TIMELINE_WAITING:
		return "waits for";
	case TIMELINE_DELAYED:
		return "put off, waits for";
	case TIMELINE_BURIED:
		return "a dead letter for";
	case TIMELINE_PARKED:
		return "held, waits for";
	default:
		return "unknown for";
	}
}

static void say_states(struct words *words, const struct timeline_event *event)
{
	for (size_t i = 0; i < event->recipients_count; i++) {
		const struct timeline_recipient *recipient = &event->recipients[i];
		if (recipient->state == TIMELINE_ENDED)
			continue;
		words_add(words, words->len ? "; " : "");
		words_add(words, "%s ", state_words(recipient->state));
		words_name(words, recipient->name);
	}
}

static void say_cause(struct words *words, const Dienstweg__Decision *decision)
{
	if (decision->cause.len == 0)
		return;
	words_add(words, ": ");
	words_name(words, BYTES_PB(decision->cause));
}

/* What there is to say beside the table's columns. */
static void say_more(struct words *words, const struct timeline_event *event)
{
	switch (event->what) {
	case TIMELINE_RECORDED:
		return say_states(words, event);
	case TIMELINE_REFUSED:
		words_name(words, BYTES_PB(event->decision->code));
		words_add(words, ": ");
		return words_name(words, BYTES_PB(event->decision->detail));
	case TIMELINE_ACCEPTED:
	case TIMELINE_REJECTED:
	case TIMELINE_LATE:
		if (event->what == TIMELINE_LATE)
			words_add(words, "it had ended before");
		if (event->code.len > 0) {
			words_add(words, words->len ? ", " : "");
			words_name(words, event->code);
			words_add(words, ": ");
			words_name(words, event->text);
		}
		return;
	case TIMELINE_FAILED:
	case TIMELINE_DEAD:
		words_add(words, "attempt %" PRIu32 ", ", event->attempts);
		words_name(words, BYTES_PB(event->decision->cause));
		if (event->due_ms) {
			words_add(words, ", again from ");
			words_time(words, event->due_ms);
		}
		return;
	case TIMELINE_EXPIRED:
		words_add(words, "never acknowledged");
		return;
	case TIMELINE_OVERDUE:
		words_add(words, "no reply, its sender was told");
		return;
	case TIMELINE_DUE_SOON:
		words_add(words, "no reply yet, its sender was warned");
		return;
	case TIMELINE_CANCELLED:
		words_add(words, "on the word of its sender");
		return say_cause(words, event->decision);
	case TIMELINE_RETRIED:
	case TIMELINE_DISCARDED:
	case TIMELINE_HELD:
	case TIMELINE_RELEASED:
		words_add(words, "by account %" PRIu32, event->decision->account);
		return say_cause(words, event->decision);
	}
}

/* printf() counts bytes, and the arrow has three. */
static int arrows(const char *text)
{
	int extra = 0;
	for (; *text; text++)
		extra += (unsigned char)*text == 0xe2 ? 2 : 0;
	return extra;
}

static void print_event(const struct timeline_event *event, const struct dispute *dispute)
{
	char time[OUT_TEXT_MAX], about[OUT_TEXT_MAX], who_text[OUT_TEXT_MAX], more_text[600];
	char proof[64];
	struct words who, more;
	words_init(&who, who_text, sizeof(who_text));
	words_init(&more, more_text, sizeof(more_text));
	say_who(&who, event);
	say_more(&more, event);
	if (event->service.len > 0)
		out_name(event->service, about);
	else
		snprintf(about, sizeof(about), "message %" PRIu64, event->message);
	snprintf(proof, sizeof(proof),
		event->proven ? "proven in %" PRIu64 : "NOT PROVEN in %" PRIu64, event->proven_by);
	printf("%-23s  %-15s  %-*s  %-24s  %8" PRIu64 "  %s\n", out_time(event->batch_ms, time),
		say_what(event), 44 + arrows(who_text), who_text, about, event->sequence, proof);
	if (more.len > 0)
		printf("%-23s  %-15s  %s\n", "", "", more_text);
	if (dispute)
		printf("%-23s  %-15s  signed with a key of %s that is under suspicion from entry "
		       "%" PRIu64 " on\n",
			"", "DISPUTED", dispute->owner, dispute->suspect_from);
}

/* ---- for programs ---- */

static json_t *recipient_json(const struct timeline_recipient *recipient)
{
	json_t *object = json_object();
	out_put_name(object, "party", recipient->name);
	switch (recipient->state) {
	case TIMELINE_WAITING:
		out_put_text(object, "state", "waiting");
		break;
	case TIMELINE_DELAYED:
		out_put_text(object, "state", "delayed");
		out_put_time(object, "due", recipient->due_ms);
		break;
	case TIMELINE_ENDED:
		out_put_text(object, "state", end_state_name((enum end_state)recipient->end));
		out_put(object, "entry", recipient->entry);
		break;
	case TIMELINE_BURIED:
	case TIMELINE_PARKED:
		out_put_text(object, "state", recipient->state == TIMELINE_BURIED ? "dead" : "held");
		out_put(object, "entry", recipient->entry);
		break;
	case TIMELINE_UNKNOWN:
		out_put_text(object, "state", "unknown");
		break;
	}
	return object;
}

static json_t *receipt_json(const struct timeline_event *event)
{
	json_t *object = json_object();
	json_object_set_new(object, "proven", json_boolean(event->proven));
	out_put(object, "leaf", event->sequence);
	out_put(object, "tree_size", event->proven_by);
	return object;
}

/* By an operator. */
static bool is_ordered(enum timeline_what what)
{
	return what == TIMELINE_RETRIED || what == TIMELINE_DISCARDED || what == TIMELINE_HELD ||
	       what == TIMELINE_RELEASED;
}

static json_t *event_json(const struct timeline_event *event, const struct dispute *dispute)
{
	json_t *object = json_object();
	out_put(object, "sequence", event->sequence);
	out_put_time(object, "time", event->batch_ms);
	out_put_text(object, "event", timeline_what_name(event->what));
	out_put(object, "message", event->message);
	out_put_name(object, "party", event->who);
	if (event->header) {
		const char *status = words_status((int)event->header->status);
		if (*status)
			out_put_text(object, "status", status);
		out_put_name(object, "service", event->service);
		json_object_set_new(object, "header", header_json(event->header));
	}
	if (event->what == TIMELINE_RECORDED) {
		json_t *array = json_array();
		for (size_t i = 0; i < event->recipients_count; i++)
			json_array_append_new(array, recipient_json(&event->recipients[i]));
		json_object_set_new(object, "recipients", array);
	}
	if (event->what == TIMELINE_REFUSED) {
		out_put_name(object, "code", BYTES_PB(event->decision->code));
		out_put_name(object, "field", BYTES_PB(event->decision->field));
		out_put_name(object, "text", BYTES_PB(event->decision->detail));
	}
	if (event->code.len > 0) {
		out_put_name(object, "code", event->code);
		out_put_name(object, "text", event->text);
	}
	if (is_ordered(event->what)) {
		out_put(object, "account", event->decision->account);
		out_put_name(object, "cause", BYTES_PB(event->decision->cause));
	}
	if (event->what == TIMELINE_CANCELLED)
		out_put_name(object, "cause", BYTES_PB(event->decision->cause));
	if (event->what == TIMELINE_FAILED || event->what == TIMELINE_DEAD) {
		out_put_name(object, "cause", BYTES_PB(event->decision->cause));
		out_put(object, "attempts", event->attempts);
		out_put_time(object, "due", event->due_ms);
	}
	if (event->key_id.len > 0)
		json_object_set_new(object, "disputed", json_boolean(dispute != NULL));
	json_object_set_new(object, "receipt", receipt_json(event));
	return object;
}

static int take_event(void *context, const struct timeline_event *event)
{
	struct show *show = context;
	show->events_count++;
	for (size_t i = 0; i < event->recipients_count; i++)
		show->open += event->recipients[i].state != TIMELINE_ENDED;
	const struct dispute *dispute = disputes_find(
		&show->disputes, event->sequence, event->key_id);
	if (show->events)
		json_array_append_new(show->events, event_json(event, dispute));
	else
		print_event(event, dispute);
	return 0;
}

/* ---- the verb ---- */

static void print_json(const struct case_summary *summary, struct show *show, uint64_t unreadable)
{
	json_t *object = json_object();
	char id[CASE_TEXT_SIZE];
	cases_text(summary->id, id);
	out_put_text(object, "case", id);
	out_put_time(object, "first", summary->first_ms);
	out_put_time(object, "last", summary->last_ms);
	out_put(object, "open", show->open);
	out_put(object, "unreadable", unreadable);
	json_object_set_new(object, "events", show->events);
	out_line(object);
}

/* The whole journal as the range: neighbouring entries of a case would say which they are. */
static int record_opening(
	struct inspect *inspect, const struct folders *folders, struct cases *cases, uint64_t count)
{
	struct journal_meta meta;
	int r = audit_refresh(&cases->audit);
	if (r == 0)
		r = journal_read_meta(cases->audit.reader, &meta);
	if (r)
		return cli_fail(CLI_FAILED, "%s: its head cannot be read", folders->journal);
	int exit = inspect_record(inspect, folders, 0, meta.size - 1, count);
	if (exit == 0)
		inspect_print(inspect);
	return exit;
}

static int run(const struct folders *folders, struct inspect *inspect, const char *text,
	bool rebuild, bool json)
{
	_cleanup_(cases_close) struct cases cases = {};
	_cleanup_(cases_one_deinit) struct cases_one one = {};
	struct audit_report report = {};
	struct show show = {};
	char id[CASE_TEXT_SIZE];
	int r = 0, exit = cases_open(folders, rebuild, &cases);
	if (exit == 0)
		exit = cases_find(&cases, text, &one);
	if (exit == 0)
		exit = record_opening(inspect, folders, &cases, one.entries.count);
	if (exit == 0 && (r = audit_refresh(&cases.audit)) == 0)
		r = disputes_load(&cases.audit, &show.disputes);
	if (r)
		exit = cli_fail(CLI_FAILED, "%s: %s", folders->journal, strerrordesc_np(-r));
	if (exit)
		return exit;
	cases_text(one.summary.id, id);
	if (json)
		show.events = json_array();
	else
		printf("Case %s\n%-23s  %-15s  %-44s  %-24s  %8s  %s\n", id, "time", "what",
			"who → whom", "about", "entry", "receipt");
	r = timeline_walk(&cases.audit, &one.entries, take_event, &show, &report);
	disputes_deinit(&show.disputes);
	if (r) {
		json_decref(show.events);
		return cli_fail(CLI_FAILED, "%s: %s", folders->journal, strerrordesc_np(-r));
	}
	if (json)
		print_json(&one.summary, &show, report.findings);
	else if (report.findings)
		printf("%" PRIu64
		       " entries of this case cannot be read: dienstweg audit verify tells more\n",
			report.findings);
	else if (show.events_count == 0)
		printf("Nothing is left to show: its records were erased. dienstweg audit list "
		       "--kind "
		       "erased tells when,\ndienstweg audit verify whether lawfully.\n");
	return CLI_DONE;
}

int case_show_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	const char *items[1];
	struct cli_list words = {.items = items, .max = ARRAY_LEN(items)};
	bool json = false, rebuild = false;
	struct inspect inspect = {};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		INSPECT_OPTIONS(&inspect),
		{"--index", .value = &folders.index},
		{"--rebuild", .flag = &rebuild},
		{"--json", .flag = &json},
	};
	const struct cli_verb verb = {
		.name = "case show",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
		.words = &words,
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (words.count == 0)
		return cli_usage(
			&verb, "which case? give its id; dienstweg case list names the newest");
	r = inspect_check(&inspect, &verb);
	if (r == 0)
		r = folders_find(&folders, &verb, FOLDERS_KEYS);
	return r ? r : run(&folders, &inspect, items[0], rebuild, json);
}
