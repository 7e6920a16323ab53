/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The only verb of this family that writes, and then a journal that no broker is using: its own copy, or one
 * whose broker stands still.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/findings.h"
#include "broker/admin/folders.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/audit/rebuild.h"

static const char help[] =
	"usage: dienstweg audit rebuild --config FILE | --state DIR [--out DIR] [OPTION...]\n"
	"\n"
	"Makes the derived tables of a journal anew from its entries: queues, delays, ids seen, "
	"end "
	"states,\n"
	"counters, parties, holds. For a journal out of a backup, which has none, and for one in "
	"which\n"
	"audit replay found differences. Without --out it is done in place, and no broker may "
	"run.\n"
	"\n" FOLDERS_HELP
	"  --out DIR          leave the journal as it is, and make a copy with new tables there\n"
	"  --json             one object\n"
	"\n"
	"Exit codes: 0 done; 1 done, but decisions differ from the rules, or not done to the end; "
	"3 "
	"failure.\n";

struct options {
	struct folders *folders;
	const char *out;
	bool json;
};

static void print_pruned(const char *journal)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct journal_pruned pruned = {};
	int r = journal_reader_open(journal, NULL, &reader);
	if (r == 0)
		r = journal_reader_begin(reader);
	if (r == 0)
		r = journal_read_pruned(reader, &pruned);
	if (r == 0)
		out_pruned(&pruned);
}

static void print(const struct options *options, const char *journal,
	const struct audit_replay_result *result, struct findings *findings)
{
	if (options->json) {
		json_t *object = json_object();
		findings_put(findings, object);
		out_put_text(object, "journal", journal);
		out_put(object, "from", result->from);
		out_put(object, "entries", result->entries);
		json_object_set_new(object, "complete", json_boolean(result->complete));
		out_line(object);
		return;
	}
	if (result->from > 0)
		printf("Records before entry %" PRIu64
		       " are gone: the state there was put together from what is left.\n",
			result->from);
	printf("%" PRIu64 " entries replayed, %" PRIu64 " findings.\n", result->entries,
		findings->report.findings);
	if (result->complete)
		printf("The tables of %s are made anew: a broker can start on it.\n", journal);
	else
		printf("NOT DONE: not every entry could be followed. No broker starts on %s. Look "
		       "at the\n"
		       "findings, or take another backup.\n",
			journal);
	print_pruned(journal);
}

static int rebuild(const struct options *options)
{
	const struct folders *folders = options->folders;
	const char *journal = options->out ? options->out : folders->journal;
	struct audit_paths paths = {
		.journal = journal,
		.keyring = folders->keyring,
		.master_key = folders->master_key,
		.policy = folders->policy,
	};
	struct audit_replay_options how = {};
	struct audit_replay_result result = {};
	struct findings findings;
	char why[512] = "";
	int r = 0;
	findings_init(&findings, options->json);
	if (options->out)
		r = audit_copy(folders->journal, options->out, &findings.report, why, sizeof(why));
	if (r == 0)
		r = audit_rebuild(&paths, &how, &findings.report, &result, why, sizeof(why));
	progress_clear(&findings.progress);
	if (r) {
		findings_drop(&findings);
		return cli_fail(CLI_FAILED, "%s", why);
	}
	print(options, journal, &result, &findings);
	return result.complete ? findings_exit(&findings, false) : CLI_NEGATIVE;
}

int audit_rebuild_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	struct options options = {.folders = &folders};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--policy", .value = &folders.policy},
		{"--out", .value = &options.out},
		{"--json", .flag = &options.json},
	};
	const struct cli_verb verb = {
		.name = "audit rebuild",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	r = folders_find(&folders, &verb, FOLDERS_KEYS);
	return r ? r : rebuild(&options);
}
