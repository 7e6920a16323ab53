/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The verdict is the last line and the exit code; everything above it says what the verdict rests on, so
 * that "no findings" in an empty folder cannot be mistaken for a journal that was looked at.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/admin/findings.h"
#include "broker/admin/out.h"
#include "broker/admin/folders.h"
#include "broker/admin/held.h"
#include "broker/admin/verbs.h"
#include "broker/audit/verified.h"
#include "broker/audit/verify.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/receipt/proof-file.h"

enum { JOBS_MAX = 64 };

static const char help[] =
	"usage: dienstweg audit verify --config FILE | --state DIR [OPTION...]\n"
	"       dienstweg audit verify --journal DIR --policy FILE [OPTION...]\n"
	"\n"
	"Checks that the journal is what was signed: every stub in the tree, every kept "
	"checkpoint, the\n"
	"registries under the policy's roots; with the keyring every record, content and "
	"signature, under\n"
	"the registry in force at its entry. Works while the broker runs, and without one.\n"
	"\n" FOLDERS_HELP "  --policy FILE      the pinned roots\n"
	"  --depth tree|full  tree needs no keys; default: full when the keys are named\n"
	"  --checkpoint FILE  a signed checkpoint kept elsewhere, or a receipt: the journal must "
	"extend it\n"
	"  --verified FILE    go on where the last verification without findings ended, and "
	"remember this one\n"
	"  --archive DIR      the export that holds what was pruned: it is verified, too\n"
	"  --jobs N           threads that open records; default: one for each processor\n"
	"  --strict           what is disputed counts: exit 1\n"
	"  --json             one object\n"
	"\n"
	"Disputed is what was signed with a key that the registrar put under suspicion afterwards: "
	"valid,\n"
	"but not to be relied on unasked.\n"
	"\n"
	"Exit codes: 0 no findings; 1 findings.\n";

struct options {
	struct folders *folders;
	const char *depth, *checkpoint, *verified, *jobs;
	bool json, strict;
};

static void print_epochs(const struct audit_verify_result *result)
{
	char lost[OUT_TEXT_MAX] = "";
	if (result->lost_to > 0)
		snprintf(lost, sizeof(lost), ": %" PRIu64 " had been signed before the last",
			result->lost_to);
	for (size_t i = 0; i < result->epochs.count; i++)
		printf("  EPOCH        %" PRIu32 " began with entry %" PRIu64
		       ": entries were lost there%s (audit show)\n",
			result->epochs.all[i].epoch, result->epochs.all[i].size,
			i + 1 == result->epochs.count ? lost : "");
}

static json_t *epochs_json(const struct epochs *epochs)
{
	json_t *array = json_array();
	for (size_t i = 0; i < epochs->count; i++) {
		json_t *object = json_object();
		out_put(object, "epoch", epochs->all[i].epoch);
		out_put(object, "entry", epochs->all[i].size);
		json_array_append_new(array, object);
	}
	return array;
}

static void print(const struct options *options, const struct audit *audit,
	const struct audit_verify_options *how, const struct audit_verify_result *result,
	const struct findings *findings)
{
	char time[OUT_TEXT_MAX];
	uint64_t found = findings->report.findings;
	double seconds = progress_seconds(&findings->progress);
	printf("%sJournal %s in %s, verified %s\n", found || findings->report.disputed ? "\n" : "",
		audit->origin, options->folders->journal,
		how->depth == AUDIT_FULL ? "in full" : "as to its tree, without opening records");
	printf("  entries      %" PRIu64 ", the last commit at %s\n", result->entries,
		out_time(result->batch_ms, time));
	if (result->before > 0)
		printf("  before       %" PRIu64
		       " of them, verified then and not looked at again\n",
			result->before);
	print_epochs(result);
	if (result->pruned > 0)
		printf("  pruned       the entries before %" PRIu64 "; %s\n", result->pruned,
			result->archive ? "verified out of the archive"
					: "of them only what is permanent is here and verified "
					  "(--archive for all)");
	if (how->depth == AUDIT_FULL) {
		printf("  records      %" PRIu64
		       " opened, and compared with their stubs in the tree\n",
			result->records);
		if (result->gone_records + result->gone_contents > 0)
			printf("  erased       %" PRIu64 " record%s, and the content of %" PRIu64
			       " more%s\n",
				result->gone_records, result->gone_records == 1 ? "" : "s",
				result->gone_contents, found ? "" : ", as the erased entries say");
		printf("  signatures   %" PRIu64 " of senders and recipients\n", result->signatures);
	}
	printf("  registries   %" PRIu64 ", version %" PRIu64 " in force\n", result->registries,
		result->registry_version);
	printf("  checkpoints  %" PRIu64 ", the newest of %" PRIu64 " entries\n",
		result->checkpoints, result->newest.size);
	printf("  root         %s\n", result->newest_root);
	if (seconds >= 1)
		printf("  took         %.1f s, %.0f entries a second\n", seconds,
			(double)(result->entries - result->before) / seconds);
	if (found)
		printf("FINDINGS: %" PRIu64 ". This journal is not what was signed.\n", found);
	else
		printf("No findings: the journal is what was signed%s.\n",
			findings->report.disputed ? "; see what is disputed in it" : "");
}

static void print_json(const struct options *options, const struct audit *audit,
	const struct audit_verify_options *how, const struct audit_verify_result *result,
	struct findings *findings)
{
	json_t *object = json_object();
	findings_put(findings, object);
	out_put_text(object, "journal", options->folders->journal);
	out_put_text(object, "origin", audit->origin);
	out_put_text(object, "depth", how->depth == AUDIT_FULL ? "full" : "tree");
	out_put(object, "entries", result->entries);
	out_put(object, "before", result->before);
	out_put(object, "pruned", result->pruned);
	json_object_set_new(object, "archive", json_boolean(result->archive));
	json_object_set_new(object, "epochs", epochs_json(&result->epochs));
	out_put(object, "records", result->records);
	out_put(object, "gone_records", result->gone_records);
	out_put(object, "gone_contents", result->gone_contents);
	out_put(object, "signatures", result->signatures);
	out_put(object, "registries", result->registries);
	out_put(object, "registry_version", result->registry_version);
	out_put(object, "checkpoints", result->checkpoints);
	out_put(object, "size", result->newest.size);
	out_put_text(object, "root", result->newest_root);
	out_put_time(object, "committed", result->batch_ms);
	json_object_set_new(object, "seconds", json_real(progress_seconds(&findings->progress)));
	out_line(object);
}

static int choose_depth(
	const struct cli_verb *verb, const struct options *options, enum audit_depth *ret)
{
	bool keys = options->folders->keyring && options->folders->master_key;
	*ret = keys ? AUDIT_FULL : AUDIT_TREE;
	if (!options->depth)
		return 0;
	if (strcmp(options->depth, "tree") == 0)
		*ret = AUDIT_TREE;
	else if (strcmp(options->depth, "full") != 0)
		return cli_usage(verb, "--depth is tree or full, not %s", options->depth);
	else if (!keys)
		return cli_usage(verb, "--depth full needs --keyring and --master-key");
	return 0;
}

static int choose_workers(const struct cli_verb *verb, const struct options *options, size_t *ret)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t jobs = processors > 0 ? (uint64_t)processors : 1;
	if (options->jobs &&
		(text_parse_u64(BYTES_STR(options->jobs), &jobs) || jobs < 1 || jobs > JOBS_MAX))
		return cli_usage(
			verb, "--jobs is a number from 1 to %d, not %s", JOBS_MAX, options->jobs);
	*ret = jobs < JOBS_MAX ? (size_t)jobs : JOBS_MAX;
	return 0;
}

/* What the last verification without findings left, if there was one. */
static int take_verified(const struct options *options, const struct audit *audit,
	struct audit_verify_options *how, struct verified *from)
{
	char why[512];
	if (!options->verified)
		return 0;
	int r = verified_read(options->verified, from, why, sizeof(why));
	if (r == -ENOENT)
		return 0;
	if (r)
		return cli_fail(CLI_FAILED, "%s", why);
	how->from = from;
	if (audit_verify_continues(audit, how, why, sizeof(why)))
		return cli_fail(CLI_FAILED,
			"%s: %s: name another file, and the whole journal is verified",
			options->verified, why);
	return 0;
}

static int take_held(const struct options *options, uint8_t **ret_file, struct bytes *ret)
{
	size_t len = 0;
	if (!options->checkpoint)
		return 0;
	int r = file_read(options->checkpoint, PROOF_FILE_MAX, ret_file, &len);
	return r ? cli_fail(CLI_FAILED, "%s: no checkpoint can be read here: %s",
			   options->checkpoint, r < 0 ? strerrordesc_np(-r) : "too large")
		 : held_checkpoint(options->checkpoint, BYTES(*ret_file, len), ret);
}

static int verify_and_tell(
	const struct options *options, struct audit *audit, const struct audit_verify_options *how)
{
	struct audit_verify_result result;
	struct findings findings;
	findings_init(&findings, options->json);
	int r = audit_verify(audit, how, &findings.report, &result);
	progress_clear(&findings.progress);
	if (r) {
		findings_drop(&findings);
		return cli_fail(CLI_FAILED, "%s: it could not be verified to its end: %s",
			options->folders->journal, strerrordesc_np(-r));
	}
	if (options->json)
		print_json(options, audit, how, &result, &findings);
	else
		print(options, audit, how, &result, &findings);
	return findings_exit(&findings, options->strict);
}

static int verify(const struct options *options, struct audit_verify_options *how)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(heap_free) uint8_t *held = NULL;
	struct verified from, next = {};
	int exit = take_held(options, &held, &how->held);
	how->remember = &next;
	if (exit == 0)
		exit = folders_open(options->folders, &audit);
	if (exit == 0)
		exit = take_verified(options, &audit, how, &from);
	if (exit)
		return exit;
	exit = verify_and_tell(options, &audit, how);
	if (!options->verified || next.note_len == 0)
		return exit;
	int r = verified_write(options->verified, &next);
	return r ? cli_fail(CLI_FAILED, "%s: what was verified cannot be kept here: %s",
			   options->verified, strerrordesc_np(-r))
		 : exit;
}

int audit_verify_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	struct options options = {.folders = &folders};
	struct audit_verify_options how = {};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--policy", .value = &folders.policy},
		{"--archive", .value = &folders.archive},
		{"--depth", .value = &options.depth},
		{"--checkpoint", .value = &options.checkpoint},
		{"--verified", .value = &options.verified},
		{"--jobs", .value = &options.jobs},
		{"--strict", .flag = &options.strict},
		{"--json", .flag = &options.json},
	};
	const struct cli_verb verb = {
		.name = "audit verify",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	r = folders_find(&folders, &verb, FOLDERS_POLICY);
	if (r == 0)
		r = choose_depth(&verb, &options, &how.depth);
	if (r == 0)
		r = choose_workers(&verb, &options, &how.workers);
	return r ? r : verify(&options, &how);
}
