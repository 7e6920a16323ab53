/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The oldest message is the first figure to look at: a long queue that moves is a busy day, a short one
 * that does not is an agency that cannot be reached.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/out.h"
#include "broker/admin/folders.h"
#include "broker/admin/verbs.h"
#include "broker/audit/queues.h"
#include "proto/base/clock.h"

static const char help[] =
	"usage: dienstweg queue list --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Lists what waits for each party: messages that can be delivered (or are out for delivery) "
	"by\n"
	"priority, messages put off until a time, held and dead ones, bytes, the age of the "
	"oldest, submissions that "
	"it has\n"
	"not replied to in time, and outcomes of its own messages that it has not confirmed. "
	"Read from the journal, with and without a broker.\n"
	"\n" FOLDERS_HELP "  --json             an object a line\n";

static uint64_t messages_of(const struct queue_figures *party)
{
	uint64_t sum = party->delayed.messages + party->dead.messages + party->held.messages;
	for (size_t lane = 0; lane < LANE_OUTCOME; lane++)
		sum += party->lanes[lane].messages;
	return sum;
}

static uint64_t bytes_of(const struct queue_figures *party)
{
	uint64_t sum = party->delayed.bytes + party->dead.bytes + party->held.bytes;
	for (size_t lane = 0; lane < LANE_OUTCOME; lane++)
		sum += party->lanes[lane].bytes;
	return sum;
}

static uint64_t age_of(const struct queue_figures *party)
{
	uint64_t now_ms = clock_wall_ms(clock_system());
	return now_ms > party->oldest_ms ? (now_ms - party->oldest_ms) / 1000 : 0;
}

static void print_json(const struct queue_figures *party)
{
	json_t *object = json_object();
	out_put_text(object, "party", party->name);
	out_put(object, "urgent", party->lanes[LANE_URGENT].messages);
	out_put(object, "normal", party->lanes[LANE_NORMAL].messages);
	out_put(object, "bulk", party->lanes[LANE_BULK].messages);
	out_put(object, "delayed", party->delayed.messages);
	out_put(object, "dead", party->dead.messages);
	out_put(object, "held", party->held.messages);
	json_object_set_new(object, "stopped", json_boolean(party->stopped));
	out_put(object, "messages", messages_of(party));
	out_put(object, "bytes", bytes_of(party));
	out_put(object, "overdue", party->overdue);
	out_put(object, "outcomes", party->outcomes);
	if (party->oldest != UINT64_MAX) {
		out_put(object, "oldest_sequence", party->oldest);
		out_put_time(object, "oldest", party->oldest_ms);
		out_put(object, "oldest_s", age_of(party));
	}
	out_line(object);
}

static void print(const struct queue_list *list)
{
	char bytes[OUT_TEXT_MAX], age[OUT_TEXT_MAX];
	printf("%-32s %8s %8s %8s %8s %6s %6s %10s %9s %7s %9s\n", "waiting for", "urgent", "normal",
		"bulk", "delayed", "held", "dead", "bytes", "oldest", "overdue", "outcomes");
	for (size_t i = 0; i < list->count; i++) {
		const struct queue_figures *party = &list->items[i];
		bool some = party->oldest != UINT64_MAX;
		printf("%-32s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %6" PRIu64
		       " %6" PRIu64 " %10s %9s %7" PRIu64 " %9" PRIu64 "%s\n",
			party->name, party->lanes[LANE_URGENT].messages,
			party->lanes[LANE_NORMAL].messages, party->lanes[LANE_BULK].messages,
			party->delayed.messages, party->held.messages, party->dead.messages,
			out_bytes(bytes_of(party), bytes), some ? out_age(age_of(party), age) : "-",
			party->overdue, party->outcomes, party->stopped ? "  HELD" : "");
	}
}

static int run(const struct folders *folders, bool json)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(queue_list_deinit) struct queue_list list = {};
	int exit = folders_open(folders, &audit);
	if (exit)
		return exit;
	int r = queue_list_read(&audit, &list);
	if (r)
		return cli_fail(CLI_FAILED, "%s: %s", folders->journal, strerrordesc_np(-r));
	for (size_t i = 0; json && i < list.count; i++)
		print_json(&list.items[i]);
	if (!json)
		print(&list);
	return CLI_DONE;
}

int queue_list_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	bool json = false;
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--json", .flag = &json},
	};
	const struct cli_verb verb = {
		.name = "queue list",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	r = folders_find(&folders, &verb, 0);
	return r ? r : run(&folders, json);
}
