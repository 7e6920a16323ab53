/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Replay gives up after a number of differences: the first one is the cause, and what follows it is mostly
 * the same difference seen again and again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/admin/findings.h"
#include "broker/admin/out.h"
#include "broker/admin/folders.h"
#include "broker/admin/verbs.h"
#include "broker/audit/replay.h"
#include "broker/journal/store.h"
#include "proto/base/text.h"

static const char help[] =
	"usage: dienstweg audit replay --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Lets the broker's rules decide every entry again, with the registries, limits and times "
	"of the\n"
	"journal, and compares every decision; and queues, delays, ids seen, end states, counters "
	"and\n"
	"parties with every state entry and at last with the live tables. Where records were "
	"erased, it\n"
	"begins at the newest state before that erasure. Works while the broker runs, and without "
	"one.\n"
	"\n" FOLDERS_HELP
	"  --policy FILE      the pinned roots; not needed here, but looked at when named\n"
	"  --work DIR         where the state is built up meanwhile; default $TMPDIR or /tmp\n"
	"  --differences N    give up after so many; default 20\n"
	"  --json             one object\n"
	"\n"
	"Exit codes: 0 no differences; 1 differences.\n";

enum { DIFFERENCES = 20 };

struct options {
	struct folders *folders;
	const char *work, *differences;
	bool json;
};

static void print(const struct options *options, const struct audit *audit,
	const struct audit_replay_result *result, const struct findings *findings)
{
	double seconds = progress_seconds(&findings->progress);
	uint64_t found = findings->report.findings;
	printf("%sJournal %s in %s, replayed\n", found ? "\n" : "", audit->origin,
		options->folders->journal);
	printf("  entries      %" PRIu64, result->entries);
	if (result->from > 0)
		printf(" from %" PRIu64
		       " on: before it, records are gone; its state was put together from\n"
		       "               those that are left and from the state entry taken there",
			result->from);
	printf("\n");
	printf("  decisions    %" PRIu64 " made again and compared\n", result->decisions);
	printf("  states       %" PRIu64 " compared with the state entries of the journal\n",
		result->states);
	if (result->complete) {
		printf("  rows        ");
		for (enum state_table table = 0; table < STATE_TABLES; table++)
			printf("%s %" PRIu64 " in %s", table ? "," : "", result->rows[table],
				state_table_name(table));
		printf("\n");
	} else {
		printf("  rows         not compared: given up before\n");
	}
	if (seconds >= 1)
		printf("  took         %.1f s, %.0f entries a second\n", seconds,
			(double)result->entries / seconds);
	if (found)
		printf("DIFFERENCES: %" PRIu64
		       ". The journal's tables or decisions do not follow from its "
		       "entries.\n",
			found);
	else
		printf("No differences: every decision and every row follows from the entries.\n");
}

static void print_json(const struct options *options, const struct audit *audit,
	const struct audit_replay_result *result, struct findings *findings)
{
	json_t *object = json_object(), *rows = json_object();
	findings_put(findings, object);
	out_put_text(object, "journal", options->folders->journal);
	out_put_text(object, "origin", audit->origin);
	out_put(object, "entries", result->entries);
	out_put(object, "from", result->from);
	out_put(object, "decisions", result->decisions);
	out_put(object, "states", result->states);
	for (enum state_table table = 0; table < STATE_TABLES; table++)
		out_put(rows, state_table_name(table), result->rows[table]);
	json_object_set_new(object, "rows", rows);
	json_object_set_new(object, "complete", json_boolean(result->complete));
	json_object_set_new(object, "seconds", json_real(progress_seconds(&findings->progress)));
	out_line(object);
}

static int replay(const struct options *options, uint64_t differences)
{
	_cleanup_(audit_close) struct audit audit = {};
	struct audit_replay_options how = {.work = options->work, .findings_max = differences};
	struct audit_replay_result result;
	struct findings findings;
	if (options->work && access(options->work, W_OK | X_OK) != 0)
		return cli_fail(CLI_FAILED, "--work %s: %m: name a folder that can be written",
			options->work);
	int exit = folders_open(options->folders, &audit);
	if (exit)
		return exit;
	findings_init(&findings, options->json);
	int r = audit_replay(&audit, &how, &findings.report, &result);
	progress_clear(&findings.progress);
	if (r) {
		findings_drop(&findings);
		return cli_fail(CLI_FAILED, "%s: it could not be replayed to its end: %s",
			options->folders->journal, strerrordesc_np(-r));
	}
	if (options->json)
		print_json(options, &audit, &result, &findings);
	else
		print(options, &audit, &result, &findings);
	return findings_exit(&findings, false);
}

int audit_replay_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	struct options options = {.folders = &folders};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--policy", .value = &folders.policy},
		{"--work", .value = &options.work},
		{"--differences", .value = &options.differences},
		{"--json", .flag = &options.json},
	};
	const struct cli_verb verb = {
		.name = "audit replay",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	uint64_t differences = DIFFERENCES;
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (options.differences && text_parse_u64(BYTES_STR(options.differences), &differences))
		return cli_usage(&verb, "--differences is a number, not %s", options.differences);
	r = folders_find(&folders, &verb, FOLDERS_KEYS);
	return r ? r : replay(&options, differences);
}
