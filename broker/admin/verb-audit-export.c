/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What leaves the house is said before and after: an export discloses nothing by itself, and a range that
 * is to be disclosed has to be named, with no default that could be meant by mistake.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/findings.h"
#include "broker/admin/folders.h"
#include "broker/admin/inspect.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/audit/export.h"
#include "proto/base/text.h"

static const char help[] =
	"usage: dienstweg audit export DIR --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Writes the log into a folder as a C2SP tlog-tiles directory: checkpoint, tiles, entries "
	"(35 bytes "
	"each,\n"
	"which disclose nothing), policy. Run again, it adds what is new. Works while the broker "
	"runs.\n"
	"\n" FOLDERS_HELP
	"  --policy FILE      the pinned keys; its witnesses go into the export's "
	"policy\n"
	"  --size N           up to the kept checkpoint of N entries; default: the newest\n"
	"  --disclose A-B     also write the entries A to B in clear: proofs, headers, "
	"acknowledgements "
	"and\n"
	"                     decisions, never the content of messages. Needs the "
	"keyring\n" INSPECT_HELP "  --json             one object\n"
	"\n"
	"Exit codes: 0 written; 1 the folder holds another log, or the journal is not what was "
	"signed.\n";

struct options {
	struct folders *folders;
	struct inspect inspect; /* when something is disclosed */
	const char *size, *disclose;
	bool json;
};

static void print(const struct audit_export_options *how, const struct audit_export_result *result)
{
	printf("Log %s in %s\n", result->checkpoint.origin, how->dir);
	printf("  entries      %" PRIu64 ", of which %" PRIu64 " were there before\n",
		result->checkpoint.size, result->before);
	printf("  files        %" PRIu64 " written\n", result->files);
	if (!how->disclose) {
		printf("  disclosed    nothing\n");
		return;
	}
	printf("  disclosed    entries %" PRIu64 " to %" PRIu64 ": %" PRIu64 " in clear, %" PRIu64
	       " whose record does not open\n",
		how->first, how->last, result->disclosed, result->closed);
	printf("This folder now holds records of agencies' cases: keep a note of who got it.\n");
}

static void print_json(
	const struct audit_export_options *how, const struct audit_export_result *result)
{
	json_t *object = json_object();
	out_put_text(object, "folder", how->dir);
	out_put_text(object, "origin", result->checkpoint.origin);
	out_put(object, "entries", result->checkpoint.size);
	out_put(object, "entries_before", result->before);
	out_put(object, "files", result->files);
	out_put(object, "disclosed", result->disclosed);
	out_put(object, "closed", result->closed);
	out_line(object);
}

static int run(struct options *options, const struct audit_export_options *how)
{
	_cleanup_(audit_close) struct audit audit = {};
	struct audit_export_result result;
	struct findings findings;
	char why[512] = "";
	int exit = folders_open(options->folders, &audit);
	if (exit == 0 && how->disclose)
		exit = inspect_record(&options->inspect, options->folders, how->first, how->last,
			how->last - how->first + 1);
	if (exit)
		return exit;
	if (how->disclose)
		inspect_print(&options->inspect);
	findings_init(&findings, false);
	int r = audit_export(&audit, how, &findings.report, &result, why, sizeof(why));
	progress_clear(&findings.progress);
	if (r > 0)
		return cli_fail(CLI_NEGATIVE, "%s", why);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: %s", how->dir, strerrordesc_np(-r));
	if (options->json)
		print_json(how, &result);
	else
		print(how, &result);
	return CLI_DONE;
}

/* "12-40" */
static int parse_range(const char *text, struct audit_export_options *how)
{
	const char *dash = strchr(text, '-');
	how->disclose = true;
	return !dash || text_parse_u64(BYTES(text, dash - text), &how->first) ||
	       text_parse_u64(BYTES_STR(dash + 1), &how->last) || how->first > how->last;
}

int audit_export_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	const char *items[1];
	struct cli_list words = {.items = items, .max = ARRAY_LEN(items)};
	struct options options = {.folders = &folders};
	struct audit_export_options how = {};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		INSPECT_OPTIONS(&options.inspect),
		{"--policy", .value = &folders.policy},
		{"--size", .value = &options.size},
		{"--disclose", .value = &options.disclose},
		{"--json", .flag = &options.json},
	};
	const struct cli_verb verb = {
		.name = "audit export",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
		.words = &words,
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (words.count == 0)
		return cli_usage(&verb, "where to? name a folder");
	if (options.size && (text_parse_u64(BYTES_STR(options.size), &how.size) || how.size == 0))
		return cli_usage(&verb, "--size: %s is no number of entries", options.size);
	if (options.disclose && parse_range(options.disclose, &how))
		return cli_usage(&verb, "--disclose: %s is no range like 12-40", options.disclose);
	how.dir = items[0];
	r = inspect_check(&options.inspect, &verb);
	if (r == 0)
		r = folders_find(&folders, &verb, how.disclose ? FOLDERS_KEYS : 0);
	return r ? r : run(&options, &how);
}
