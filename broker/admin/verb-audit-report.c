/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a party answers with when a person asks it what the bus knows (Art. 15 GDPR): its own share of a case, in
 * words that can be handed on, each line with the proof that it is in the log. The same report as the broker gives
 * to a party that asks for it over the bus.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/access/share.h"
#include "broker/admin/cases.h"
#include "broker/admin/inspect.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/identity/keyfile.h"

static const char help[] =
	"usage: dienstweg audit report --party PARTY --case CASE --config FILE | --state DIR "
	"[OPTION...]\n"
	"\n"
	"Subject access: what the journal holds of a case for one party, as a readable report. It "
	"has what\n"
	"the party sent and received, when, under which agreement and legal basis, what became of "
	"it, and\n"
	"what has been erased; nothing of other parties, and no other recipient of an event. Each "
	"line has\n"
	"its proof under the log's signed checkpoint (dienstweg audit check).\n"
	"\n" FOLDERS_HELP CASES_HELP "  --party PARTY      whose share of the case\n"
	"  --case CASE        its id, or enough of the beginning\n"
	"  --out DIR          also write report.txt, signed with the bus's log keys, report.json "
	"and "
	"a\n"
	"                     .tlog-proof for each entry there\n" INSPECT_HELP
	"  --json             one object\n"
	"\n"
	"While the broker runs, it journals that the records were opened before they are shown, as "
	"subject-access\n"
	"on the ground art-15-gdpr unless told otherwise.\n"
	"Exit codes: 0 written; 1 no such case, or it has nothing of this party.\n";

enum { REPORT_ARENA = 8 << 20, WHY_SIZE = 512 };

struct options {
	struct folders *folders;
	struct inspect inspect;
	const char *party, *id, *out;
	bool rebuild, json;
};

/* ---- files ---- */

static int write_bytes(const char *dir, const char *name, struct bytes data)
{
	char path[4096];
	int r = path_join(path, sizeof(path), dir, name);
	if (r == 0)
		r = file_replace(path, data, 0600);
	return r ? cli_fail(CLI_FAILED, "%s/%s: %s", dir, name, strerrordesc_np(-r)) : 0;
}

static int write_proofs(const char *dir, const json_t *object)
{
	const json_t *entry;
	size_t i;
	json_array_foreach(json_object_get(object, "entries"), i, entry)
	{
		char name[64];
		const char *proof = json_string_value(json_object_get(entry, "proof"));
		snprintf(name, sizeof(name), "%lld.tlog-proof",
			(long long)json_integer_value(json_object_get(entry, "sequence")));
		int exit = proof ? write_bytes(dir, name, BYTES_STR(proof)) : 0;
		if (exit)
			return exit;
	}
	return 0;
}

/* Signed where the log's keys are at hand, which a copy of a journal does not have. */
static int write_text(const struct options *options, const json_t *object, struct bytes json)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(REPORT_ARENA);
	_cleanup_(keyring_secret_deinit) struct keyring_secret keys = {};
	const struct config_broker *broker = options->folders->broker;
	char why[WHY_SIZE] = "";
	struct bytes text;
	int r = 0;
	if (!arena)
		return cli_fail(CLI_FAILED, "out of memory");
	if (!broker || access(broker->keys, R_OK) != 0)
		fprintf(stderr, "The report is not signed: %s\n",
			broker ? "the bus's keys cannot be read from here"
			       : "--config names the broker's configuration, and with it the bus's "
				 "keys");
	else
		r = keyfile_read_secret(broker->keys, &keys, why, sizeof(why));
	if (r)
		return cli_fail(
			CLI_FAILED, "%s: %s", broker->keys, r < 0 ? strerrordesc_np(-r) : why);
	r = share_words(object, json, (const struct key_secret *const *)keys.keys, keys.count,
		arena, &text);
	if (r)
		return cli_fail(CLI_FAILED, "the report cannot be signed: %s",
			r < 0 ? strerrordesc_np(-r) : "there is no log key, or it is no text");
	return write_bytes(options->out, "report.txt", text);
}

static int write_report(const struct options *options, const json_t *object)
{
	const char *dir = options->out;
	_cleanup_(heap_free) char *json = json_dumps(object, JSON_INDENT(2));
	if (!json)
		return cli_fail(CLI_FAILED, "out of memory");
	int r = dir_make(dir, 0700);
	if (r)
		return cli_fail(CLI_FAILED, "%s: %s", dir, strerrordesc_np(-r));
	int exit = write_text(options, object, BYTES_STR(json));
	if (exit == 0)
		exit = write_bytes(dir, "report.json", BYTES_STR(json));
	return exit ? exit : write_proofs(dir, object);
}

/* ---- the verb ---- */

static int record_opening(struct options *options, struct cases *cases, uint64_t count)
{
	struct journal_meta meta;
	int r = audit_refresh(&cases->audit);
	if (r == 0)
		r = journal_read_meta(cases->audit.reader, &meta);
	if (r)
		return cli_fail(
			CLI_FAILED, "%s: its head cannot be read", options->folders->journal);
	int exit = inspect_record(&options->inspect, options->folders, 0, meta.size - 1, count);
	if (exit == 0)
		inspect_print(&options->inspect);
	return exit;
}

static int tell(const struct options *options, json_t *object)
{
	int exit = options->out ? write_report(options, object) : 0;
	if (exit == 0 && !options->json)
		share_say(stdout, object, BYTES(NULL, 0));
	if (exit == 0 && options->json)
		out_line(object);
	else
		json_decref(object);
	return exit;
}

static int make_report(
	struct options *options, const struct share_options *share_options, struct share *share)
{
	int r = share_make(share_options, share);
	if (r == 0)
		r = share_prove(share_options, share);
	if (r)
		return cli_fail(
			CLI_FAILED, "%s: %s", options->folders->journal, strerrordesc_np(-r));
	if (json_array_size(share->entries) == 0)
		return cli_fail(CLI_NEGATIVE, "this case has no entry that %s sent or received",
			options->party);
	json_t *object = share_object(share_options, share, clock_wall_ms(clock_system()));
	if (options->inspect.recorded)
		out_put(object, "inspected", options->inspect.sequence);
	return tell(options, object);
}

static int run(struct options *options)
{
	_cleanup_(cases_close) struct cases cases = {};
	_cleanup_(cases_one_deinit) struct cases_one one = {};
	_cleanup_(share_deinit) struct share share = {};
	int exit = cases_open(options->folders, options->rebuild, &cases);
	if (exit == 0)
		exit = cases_find(&cases, options->id, &one);
	if (exit == 0)
		exit = record_opening(options, &cases, one.entries.count);
	if (exit)
		return exit;
	struct share_options share_options = {
		.audit = &cases.audit,
		.index = cases.index,
		.party = BYTES_STR(options->party),
		.entries_max = SIZE_MAX,
		.looked_max = SIZE_MAX,
	};
	memcpy(share_options.id, one.summary.id, CASE_ID_SIZE);
	return make_report(options, &share_options, &share);
}

int audit_report_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	struct options options = {.folders = &folders};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		INSPECT_OPTIONS(&options.inspect),
		{"--index", .value = &folders.index},
		{"--rebuild", .flag = &options.rebuild},
		{"--party", .value = &options.party},
		{"--case", .value = &options.id},
		{"--out", .value = &options.out},
		{"--json", .flag = &options.json},
	};
	const struct cli_verb verb = {
		.name = "audit report",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (!options.party || !options.id)
		return cli_usage(&verb, "whose share of which case? --party and --case tell");
	if (!options.inspect.role)
		options.inspect.role = "subject-access";
	if (!options.inspect.ground)
		options.inspect.ground = "art-15-gdpr";
	r = inspect_check(&options.inspect, &verb);
	if (r == 0)
		r = folders_find(&folders, &verb, FOLDERS_KEYS);
	return r ? r : run(&options);
}
