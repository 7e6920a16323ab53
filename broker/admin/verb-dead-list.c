/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Nobody mends a thousand dead letters one by one: what they have in common is the cause, and the recipient. So that is
 * how they are told, the oldest first, because its sender has waited longest for an answer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/admin/items.h"
#include "proto/base/clock.h"

static const char help[] =
	"usage: dienstweg dead list --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Lists the dead letters: messages that could not be delivered as often as allowed. They "
	"wait "
	"for\n"
	"dienstweg dead retry or dead discard; their senders have been told nothing yet.\n"
	"\n" FOLDERS_HELP "  --each             every message, not only how many of each cause\n"
	"  --json             an object a line\n"
	"\n"
	"Exit codes: 0 there are none; 1 there are some.\n";

struct group {
	const struct parked *first; /* its oldest */
	uint64_t count, bytes;
};

static uint64_t age_of(const struct parked *item)
{
	uint64_t now_ms = clock_wall_ms(clock_system());
	return item->since_ms && now_ms > item->since_ms ? (now_ms - item->since_ms) / 1000 : 0;
}

static const char *cause_of(const struct parked *item)
{
	return item->cause[0] ? item->cause : "unknown";
}

/* ---- of each cause ---- */

static void put_common(json_t *object, const struct parked *item)
{
	out_put_text(object, "cause", cause_of(item));
	out_put_text(object, "party", item->name);
	out_put_time(object, "since", item->since_ms);
	out_put(object, "age_s", age_of(item));
}

static void print_group(const struct group *group, bool json)
{
	char bytes[OUT_TEXT_MAX], age[OUT_TEXT_MAX];
	if (json) {
		json_t *object = json_object();
		put_common(object, group->first);
		out_put(object, "messages", group->count);
		out_put(object, "bytes", group->bytes);
		out_put(object, "oldest_sequence", group->first->sequence);
		out_line(object);
		return;
	}
	printf("%-24s  %-32s %8" PRIu64 " %10s %9s %10" PRIu64 "\n", cause_of(group->first),
		group->first->name, group->count, out_bytes(group->bytes, bytes),
		out_age(age_of(group->first), age), group->first->sequence);
}

static struct group *group_of(struct group *groups, size_t *count, const struct parked *item)
{
	for (size_t i = 0; i < *count; i++)
		if (groups[i].first->party == item->party &&
			strcmp(groups[i].first->cause, item->cause) == 0)
			return &groups[i];
	groups[*count] = (struct group){.first = item};
	return &groups[(*count)++];
}

static int print_groups(const struct parked_list *list, bool json)
{
	_cleanup_(heap_free) struct group *groups = calloc(list->count + 1, sizeof(*groups));
	size_t count = 0;
	if (!groups)
		return cli_fail(CLI_FAILED, "out of memory");
	for (size_t i = 0; i < list->count; i++) {
		if (!list->items[i].dead)
			continue;
		struct group *group = group_of(groups, &count, &list->items[i]);
		group->count++;
		group->bytes += list->items[i].row.bytes;
	}
	if (!json && count > 0)
		printf("%-24s  %-32s %8s %10s %9s %10s\n", "cause", "recipient", "messages",
			"bytes", "oldest", "its number");
	if (!json && count == 0)
		printf("There are no dead letters.\n");
	for (size_t i = 0; i < count; i++)
		print_group(&groups[i], json);
	return count ? CLI_NEGATIVE : CLI_DONE;
}

/* ---- each ---- */

static void print_each(const struct parked *item, bool json)
{
	char age[OUT_TEXT_MAX];
	if (json) {
		json_t *object = json_object();
		out_put(object, "sequence", item->sequence);
		put_common(object, item);
		out_put(object, "attempts", item->row.attempts);
		out_put(object, "entry", item->entry);
		out_put_hex(object, "case", BYTES(item->row.case_id, sizeof(item->row.case_id)));
		out_line(object);
		return;
	}
	printf("%10" PRIu64 "  %-32s %-24s %8u %9s %10" PRIu64 "\n", item->sequence, item->name,
		cause_of(item), item->row.attempts, out_age(age_of(item), age), item->entry);
}

static int print_all(const struct parked_list *list, bool json)
{
	size_t count = 0;
	if (!json)
		printf("%10s  %-32s %-24s %8s %9s %10s\n", "message", "recipient", "cause",
			"attempts", "since", "entry");
	for (size_t i = 0; i < list->count; i++) {
		if (!list->items[i].dead)
			continue;
		print_each(&list->items[i], json);
		count++;
	}
	return count ? CLI_NEGATIVE : CLI_DONE;
}

int dead_list_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(parked_list_deinit) struct parked_list list = {};
	bool json = false, each = false;
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--each", .flag = &each},
		{"--json", .flag = &json},
	};
	const struct cli_verb verb = {
		.name = "dead list",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	r = folders_find(&folders, &verb, FOLDERS_KEYS);
	if (r == 0)
		r = items_read(&folders, &audit, &list);
	if (r)
		return r;
	return each ? print_all(&list, json) : print_groups(&list, json);
}
