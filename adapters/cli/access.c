/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Subject access (Art. 15 GDPR): a person asks the agency, the agency asks the bus, and hands on what came back, each
 * line with its proof. The question goes in a session of its own, so the adapter need not stop for it; what comes
 * back is checked before anything is written.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/compare.h"
#include "adapters/cli/share.h"
#include "adapters/cli/verb.h"
#include "adapters/sdk/follow.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

enum { REPORT_ARENA = 40 << 20, WHY_SIZE = 512, TIMEOUT_S = 120 };

static const char help[] =
	"usage: dienstweg-party access --config FILE --case HEX [--party PARTY] [--out DIR] "
	"[OPTION...]\n"
	"\n"
	"Asks the bus what it holds of a case for a party (Art. 15 GDPR), and checks the report: "
	"the "
	"log's\n"
	"signature, the proof of each entry, and that it is of the log that the adapter has seen. "
	"May run\n"
	"beside the adapter. The bus records that it was asked.\n"
	"\n"
	"  --config FILE      the party's configuration\n"
	"  --case HEX         the case (32 digits)\n"
	"  --party PARTY      for which of the configuration's parties; the first when not given\n"
	"  --out DIR          write report.txt, signed by the log, report.json, a .tlog-proof for "
	"each\n"
	"                     entry and checked.txt there; a long report is in parts, "
	"report-2.txt and\n"
	"                     so on\n"
	"  --timeout SECONDS  wait no longer for a part (120; 0: for ever)\n"
	"  --json             print the report for programs, an object for each part\n"
	"  --demo             allow a bus whose id ends in .demo\n"
	"\n"
	"Exit code: 0 written; 1 the bus has nothing, it does not answer, or the report is wrong; "
	"2 "
	"wrong\n"
	"usage, 3 failure.\n";

struct arguments {
	const char *config, *id, *party, *out, *timeout;
	bool json, demo, help;
};

struct asker {
	struct config_adapter config;
	struct follow follow;
	struct parties *parties;
	struct visit *visit;
	struct head held; /* the adapter's newest checkpoint */
	const char *out;
	uint64_t timeout_s;
	bool json;
};

static int parse(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"case", required_argument, NULL, 'a'},
		{"party", required_argument, NULL, 'p'},
		{"out", required_argument, NULL, 'o'},
		{"timeout", required_argument, NULL, 't'},
		{"json", no_argument, NULL, 'j'},
		{"demo", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			ret->config = optarg;
		else if (option == 'a')
			ret->id = optarg;
		else if (option == 'p')
			ret->party = optarg;
		else if (option == 'o')
			ret->out = optarg;
		else if (option == 't')
			ret->timeout = optarg;
		else if (option == 'j')
			ret->json = true;
		else if (option == 'd')
			ret->demo = true;
		else if (option == 'h')
			ret->help = true;
		else
			return verb_fail(VERB_USAGE, "try: dienstweg-party access --help");
	}
	return optind == argc ? 0 : verb_fail(VERB_USAGE, "%s: options only", argv[optind]);
}

/* ---- files ---- */

static int put(const struct asker *asker, const char *name, struct bytes data)
{
	char path[PATH_MAX];
	int r = path_join(path, sizeof(path), asker->out, name);
	if (r == 0)
		r = file_replace(path, data, 0600);
	return r ? verb_fail(VERB_FAILED, "%s/%s: %s", asker->out, name, strerrordesc_np(-r)) : 0;
}

static int put_proofs(const struct asker *asker, const json_t *object)
{
	const json_t *entry;
	size_t i;
	json_array_foreach(json_object_get(object, "entries"), i, entry)
	{
		char name[64];
		const char *proof = json_string_value(json_object_get(entry, "proof"));
		snprintf(name, sizeof(name), "%lld.tlog-proof",
			(long long)json_integer_value(json_object_get(entry, "sequence")));
		int r = proof ? put(asker, name, BYTES_STR(proof)) : 0;
		if (r)
			return r;
	}
	return 0;
}

static int put_part(const struct asker *asker, unsigned int part,
	const Dienstweg__AccessReport *report, const json_t *object)
{
	char text[32] = "report.txt", json[32] = "report.json";
	if (part > 1) {
		snprintf(text, sizeof(text), "report-%u.txt", part);
		snprintf(json, sizeof(json), "report-%u.json", part);
	}
	int r = put(asker, text, BYTES_PB(report->report));
	if (r == 0)
		r = put(asker, json, BYTES_PB(report->json));
	return r ? r : put_proofs(asker, object);
}

/* ---- what was checked ---- */

/* Whether it is of the log that the adapter has seen: who hands the report on has to know. */
struct compared {
	bool same; /* false: it could not be compared, and why says why not */
	char why[320];
	char words[160]; /* for people: the log as the adapter has seen it */
};

static void not_compared(struct compared *ret, const char *why)
{
	ret->same = false;
	snprintf(ret->why, sizeof(ret->why), "%s", why);
}

/* What this program says of it, which stands in no signed text: behind the report, and in a file beside it. */
static int say_checked(const struct share_checked *checked, const struct compared *compared,
	uint64_t inspected, char **ret, size_t *ret_len)
{
	FILE *file = open_memstream(ret, ret_len);
	if (!file)
		return -ENOMEM;
	fprintf(file,
		"Checked by dienstweg access, not part of what the log signed:\n"
		"  signed by the log, %zu entries proven",
		checked->proven);
	if (checked->unproven)
		fprintf(file, ", %zu could not be", checked->unproven);
	if (compared->same)
		fprintf(file, "\n  of the log that the adapter has seen: %s", compared->words);
	else
		fprintf(file, "\n  NOT COMPARED with the log that the adapter has seen: %s",
			compared->why);
	fprintf(file, "\n  entry %llu of the journal records that it was asked\n",
		(unsigned long long)inspected);
	return fclose(file) == 0 ? 0 : -ENOMEM;
}

static void put_checked(json_t *object, const struct share_checked *checked,
	const struct compared *compared, uint64_t inspected)
{
	json_t *told = json_object();
	json_object_set_new(told, "proven", json_integer((json_int_t)checked->proven));
	json_object_set_new(told, "unproven", json_integer((json_int_t)checked->unproven));
	json_object_set_new(told, "inspected", json_integer((json_int_t)inspected));
	json_object_set_new(told, "compared", json_boolean(compared->same));
	if (!compared->same)
		json_object_set_new(told, "why_not", json_string(compared->why));
	json_object_set_new(object, "checked", told);
}

/* ---- asking ---- */

static int put_words(const struct asker *asker, unsigned int part, struct bytes words)
{
	char name[32] = "checked.txt";
	if (part > 1)
		snprintf(name, sizeof(name), "checked-%u.txt", part);
	return put(asker, name, words);
}

static int tell(const struct asker *asker, unsigned int part, const Dienstweg__AccessReport *report,
	const struct share_checked *checked, const struct compared *compared, uint64_t inspected)
{
	_cleanup_(heap_free) char *words = NULL;
	size_t len = 0;
	int r = say_checked(checked, compared, inspected, &words, &len);
	if (r)
		return verb_fail(VERB_FAILED, "no memory");
	if (asker->out)
		r = put_part(asker, part, report, checked->object);
	if (r == 0 && asker->out)
		r = put_words(asker, part, BYTES((const uint8_t *)words, len));
	if (r)
		return r;
	if (asker->json) {
		put_checked(checked->object, checked, compared, inspected);
		json_dumpf(checked->object, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		fwrite(checked->text.data, 1, checked->text.len, stdout);
		printf("\n%s", words);
	}
	return 0;
}

/* Both are signed by the log, and one of them is a lie. */
static int fork_found(const struct asker *asker, const struct share_shown *shown)
{
	int r = asker->out ? put(asker, "fork-held.note", head_note(&asker->held)) : 0;
	if (r == 0 && asker->out)
		r = put(asker, "fork-shown.note", shown->note);
	return r ? r
		 : verb_fail(VERB_NEGATIVE,
			   "FORK: the report is proven under a checkpoint of %llu entries, and the "
			   "adapter holds one of %llu that does not lead to it: the broker shows "
			   "two "
			   "logs. Keep both notes%s, and tell the witnesses",
			   (unsigned long long)shown->checkpoint.size,
			   (unsigned long long)asker->held.checkpoint.size,
			   asker->out ? " (fork-held.note, fork-shown.note)"
				      : ": --out DIR keeps them");
}

/* Is it the same log as the adapter's? */
static int compare(const struct asker *asker, const struct share_shown *shown, struct compared *ret)
{
	struct bytes bus = registry_bus(asker->follow.registry);
	int r = compare_ask(asker->visit, &asker->held, bus, &shown->checkpoint);
	switch (r) {
	case 0:
		return 0;
	case COMPARE_FORK:
		return fork_found(asker, shown);
	case COMPARE_SET_BACK:
		return verb_fail(VERB_NEGATIVE,
			"the report is proven under %s, and the adapter has seen %s: it is of an "
			"older log",
			shown->checkpoint.origin, asker->held.checkpoint.origin);
	case COMPARE_OTHER:
		ret->same = false;
		snprintf(ret->why, sizeof(ret->why),
			"that is %s, the log goes on as %s, and the adapter has to follow it "
			"first (start it, and ask again)",
			asker->held.checkpoint.origin, shown->checkpoint.origin);
		return 0;
	case VISIT_DENIED:
	case VISIT_TIMEOUT:
		return verb_fail(VERB_NEGATIVE,
			"the report is not taken: the broker does not prove that it is of the log "
			"that the adapter has seen: %s",
			visit_why(asker->visit));
	default:
		return verb_fail(VERB_FAILED, "the report: %s", strerrordesc_np(-r));
	}
}

static int compare_all(
	const struct asker *asker, const struct share_checked *checked, struct compared *ret)
{
	int r = 0;
	*ret = (struct compared){.same = true};
	snprintf(ret->words, sizeof(ret->words), "%s, %llu entries", asker->held.checkpoint.origin,
		(unsigned long long)asker->held.checkpoint.size);
	if (!asker->held.set)
		not_compared(ret, "it has seen none yet");
	else if (checked->shown_count == 0)
		not_compared(ret, "nothing in the report is proven");
	for (size_t i = 0; r == 0 && asker->held.set && i < checked->shown_count; i++)
		r = compare(asker, &checked->shown[i], ret);
	return r;
}

static int ask_part(
	struct asker *asker, struct visit_question *question, unsigned int part, bool *ret_more)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(REPORT_ARENA);
	Dienstweg__AccessReport *report;
	struct share_checked checked;
	struct compared compared;
	uint64_t inspected;
	char why[WHY_SIZE];
	if (!arena)
		return verb_fail(VERB_FAILED, "no memory");
	int r = visit_ask(asker->visit, question, arena, &report, &inspected);
	if (r == VISIT_DENIED || r == VISIT_TIMEOUT)
		return verb_fail(VERB_NEGATIVE, "%s%s",
			r == VISIT_TIMEOUT ? "not answered in time: " : "", visit_why(asker->visit));
	if (r == 0)
		r = share_check(
			asker->follow.registry, question, report, &checked, why, sizeof(why));
	if (r > 0)
		return verb_fail(VERB_NEGATIVE, "the report is not taken: %s", why);
	if (r < 0)
		return verb_fail(VERB_FAILED, "the report: %s", strerrordesc_np(-r));
	r = compare_all(asker, &checked, &compared);
	if (r == 0)
		r = tell(asker, part, report, &checked, &compared, inspected);
	json_decref(checked.object);
	*ret_more = report->more;
	if (r == 0 && report->more &&
		(report->next_message < question->from_message ||
			(report->next_message == question->from_message &&
				report->next_entry <= question->from_entry)))
		return verb_fail(VERB_NEGATIVE, "the report goes in circles: the broker is broken");
	question->from_message = report->next_message;
	question->from_entry = report->next_entry;
	return r;
}

static int ask_all(struct asker *asker, struct visit_question *question)
{
	bool more = true;
	int r = 0;
	for (unsigned int part = 1; r == 0 && more; part++)
		r = ask_part(asker, question, part, &more);
	return r;
}

/* ---- the verb ---- */

static int open_all(struct asker *asker)
{
	char why[CONFIG_ERROR_SIZE] = "";
	const struct config_adapter *config = &asker->config;
	const struct follow_options options = {
		.policy = config->policy,
		.registry = config->registry,
		.state = config->state,
		.bus = config->bus,
	};
	struct visit_options visit = {.config = config, .timeout_s = asker->timeout_s};
	int r = follow_init(&asker->follow, &options, why, sizeof(why));
	if (r == 0)
		r = parties_open(config, asker->follow.registry, &asker->parties, why, sizeof(why));
	if (r)
		return verb_fail(r > 0 ? VERB_NEGATIVE : VERB_FAILED, "%s", why);
	r = compare_read(config->state, &asker->held);
	if (r)
		return verb_fail(VERB_FAILED, "%s: the checkpoint that the adapter holds: %s",
			config->state, strerrordesc_np(-r));
	visit.registry = asker->follow.registry;
	visit.parties = asker->parties;
	r = visit_new(&visit, &asker->visit);
	return r ? verb_fail(VERB_FAILED, "%s: %s", config->broker, strerrordesc_np(-r)) : 0;
}

static int fill(
	const struct arguments *arguments, struct asker *asker, struct visit_question *question)
{
	const struct config_adapter *config = &asker->config;
	asker->out = arguments->out;
	asker->json = arguments->json;
	asker->timeout_s = TIMEOUT_S;
	if (!arguments->id)
		return verb_fail(VERB_USAGE, "--case HEX is missing: which case?");
	int r = verb_hex("case", arguments->id, question->case_id, sizeof(question->case_id));
	if (r == 0 && arguments->timeout)
		r = verb_number("timeout", arguments->timeout, 86400, &asker->timeout_s);
	question->party = BYTES_STR(arguments->party ? arguments->party : config->party);
	bool ours = bytes_equal(question->party, BYTES_STR(config->party));
	for (size_t i = 0; i < config->operates.count; i++)
		ours |= bytes_equal(question->party, BYTES_STR(config->operates.items[i]));
	if (r == 0 && !ours)
		return verb_fail(VERB_USAGE, "--party %s: %s names no such party", arguments->party,
			config->path);
	if (r == 0 && asker->out && (r = dir_make(asker->out, 0700)) < 0)
		return verb_fail(VERB_FAILED, "%s: %s", asker->out, strerrordesc_np(-r));
	return r;
}

int verb_access(int argc, char **argv)
{
	_cleanup_(config_adapter_free) const struct config_adapter *owner = NULL;
	struct arguments arguments = {};
	struct visit_question question = {};
	struct asker asker = {};
	int r = parse(argc, argv, &arguments);
	if (r == 0 && arguments.help) {
		fputs(help, stdout);
		return VERB_DONE;
	}
	if (r == 0)
		r = verb_config(arguments.config, arguments.demo, &asker.config, &owner);
	if (r == 0)
		r = fill(&arguments, &asker, &question);
	if (r)
		return r;
	r = open_all(&asker);
	if (r == 0)
		r = ask_all(&asker, &question);
	visit_free(asker.visit);
	parties_free(asker.parties);
	follow_deinit(&asker.follow);
	return r;
}
