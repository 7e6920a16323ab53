/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What this removes is not made again, so nothing has a default that could be meant by mistake: both how far and
 * which archive are named.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/findings.h"
#include "broker/admin/folders.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/audit/prune.h"
#include "proto/base/text.h"

static const char help[] =
	"usage: dienstweg audit prune --before SIZE --archive DIR --config FILE | --state DIR "
	"[OPTION...]\n"
	"\n"
	"Takes what an export holds out of a journal whose broker is stopped: the stubs and leaf "
	"hashes of\n"
	"the entries before SIZE, all of which must be erased and over. Permanent entries stay. "
	"Verifies\n"
	"journal and export first, and changes nothing when there is anything to be said against "
	"it.\n"
	"\n" FOLDERS_HELP "  --policy FILE      the pinned roots\n"
	"  --before SIZE      entries below this number go; rounded down to a multiple of 32\n"
	"  --archive DIR      the export, made by audit export: keep it as long as the journal\n"
	"  --json             one object\n"
	"\n"
	"Exit codes: 0 done; 1 refused, nothing was changed.\n";

struct options {
	struct folders *folders;
	const char *before;
	bool json;
};

static void print(const struct options *options, const struct audit_prune_result *result,
	struct findings *findings)
{
	if (options->json) {
		json_t *object = json_object();
		findings_put(findings, object);
		out_put_text(object, "journal", options->folders->journal);
		out_put_text(object, "archive", options->folders->archive);
		out_put(object, "before", result->before);
		out_put(object, "stubs", result->stubs);
		out_put(object, "rows", result->rows);
		out_put(object, "permanent", result->kept);
		out_line(object);
		return;
	}
	printf("Entries before %" PRIu64 " of %s are pruned: %" PRIu64 " stubs and %" PRIu64
	       " rows of hashes removed now,\n%" PRIu64
	       " permanent entries kept. Keep %s: it is the only proof of the others.\n"
	       "The broker's next start journals it. The file does not shrink, its pages are used "
	       "again.\n",
		result->before, options->folders->journal, result->stubs, result->rows,
		result->kept, options->folders->archive);
}

static int prune(const struct options *options, const struct audit_prune_options *how)
{
	const struct folders *folders = options->folders;
	const struct audit_paths paths = {
		.journal = folders->journal, .policy = folders->policy, .archive = folders->archive};
	struct audit_prune_result result;
	struct findings findings;
	char why[512] = "";
	if (!options->json)
		printf("Taking the journal's lock: no broker can start on it before this ends.\n");
	findings_init(&findings, options->json);
	int r = audit_prune(&paths, how, &findings.report, &result, why, sizeof(why));
	progress_clear(&findings.progress);
	if (r) {
		findings_drop(&findings);
		return cli_fail(r > 0 ? CLI_NEGATIVE : CLI_FAILED, "%s", why);
	}
	print(options, &result, &findings);
	return CLI_DONE;
}

int audit_prune_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	struct options options = {.folders = &folders};
	struct audit_prune_options how = {};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--policy", .value = &folders.policy},
		{"--before", .value = &options.before},
		{"--archive", .value = &folders.archive},
		{"--json", .flag = &options.json},
	};
	const struct cli_verb verb = {
		.name = "audit prune",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (!options.before || text_parse_u64(BYTES_STR(options.before), &how.before))
		return cli_usage(&verb, "how far? --before names a number of entries");
	if (!folders.archive)
		return cli_usage(&verb, "where is what goes? --archive names an exported folder");
	r = folders_find(&folders, &verb, FOLDERS_POLICY);
	return r ? r : prune(&options, &how);
}
