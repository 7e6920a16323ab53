/* SPDX-License-Identifier: EUPL-1.2 */

/* A case has no name here, only an id and the entries that bear it; names stay where the case is worked on. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/cases.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "proto/base/db.h"
#include "proto/base/text.h"

static const char help[] = "usage: dienstweg case list --config FILE | --state DIR [OPTION...]\n"
			   "\n"
			   "Lists the cases in which something happened last, the newest first.\n"
			   "\n" FOLDERS_HELP CASES_HELP
			   "  --limit N          at most so many; default 20\n"
			   "  --json             an object a line\n";

enum { LIMIT = 20 };

static void print_json(const struct case_summary *one)
{
	json_t *object = json_object();
	char id[CASE_TEXT_SIZE];
	cases_text(one->id, id);
	out_put_text(object, "case", id);
	out_put(object, "entries", one->entries);
	out_put(object, "first_sequence", one->first);
	out_put(object, "last_sequence", one->last);
	out_put_time(object, "first", one->first_ms);
	out_put_time(object, "last", one->last_ms);
	out_line(object);
}

static void print(const struct case_summary *one)
{
	char id[CASE_TEXT_SIZE], first[OUT_TEXT_MAX], last[OUT_TEXT_MAX];
	cases_text(one->id, id);
	printf("%-32s  %7" PRIu64 "  %-23s  %-23s\n", id, one->entries,
		out_time(one->first_ms, first), out_time(one->last_ms, last));
}

/* Of what came since the index was brought up to date, a later list tells. */
static int next_case(struct cases *cases, struct case_recent *recent, struct case_summary *ret)
{
	uint8_t id[CASE_ID_SIZE];
	int r;
	do {
		_cleanup_(case_entries_deinit) struct case_entries entries = {};
		r = case_recent_next(recent, id);
		if (r)
			return r;
		r = case_index_entries(cases->index, cases->audit.keyring, id, &entries);
		if (r == 0)
			r = case_summarize(&cases->audit, id, &entries, ret);
	} while (r == DB_NOT_FOUND);
	return r;
}

static int run(const struct folders *folders, bool rebuild, uint64_t limit, bool json)
{
	_cleanup_(cases_close) struct cases cases = {};
	_cleanup_(case_recent_deinit) struct case_recent recent = {.audit = &cases.audit};
	struct case_summary one;
	int exit = cases_open(folders, rebuild, &cases);
	if (exit)
		return exit;
	if (!json)
		printf("%-32s  %7s  %-23s  %-23s\n", "case", "entries", "first", "last");
	int r = audit_refresh(&cases.audit);
	for (uint64_t i = 0; i < limit && r == 0; i++) {
		r = next_case(&cases, &recent, &one);
		if (r)
			break;
		if (json)
			print_json(&one);
		else
			print(&one);
	}
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", folders->index, strerrordesc_np(-r));
	return CLI_DONE;
}

int case_list_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	const char *limit = NULL;
	bool json = false, rebuild = false;
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--index", .value = &folders.index},
		{"--rebuild", .flag = &rebuild},
		{"--limit", .value = &limit},
		{"--json", .flag = &json},
	};
	const struct cli_verb verb = {
		.name = "case list",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	uint64_t count = LIMIT;
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (limit && text_parse_u64(BYTES_STR(limit), &count))
		return cli_usage(&verb, "--limit is a number, not %s", limit);
	r = folders_find(&folders, &verb, FOLDERS_KEYS);
	return r ? r : run(&folders, rebuild, count, json);
}
