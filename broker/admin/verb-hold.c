/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A hold is placed by who has the order for it in hand. What goes into the journal is the case's random id, the
 * account and the digest of that order; the order itself stays with whoever must be able to show it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/order.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"

static const char hold_help[] =
	"usage: dienstweg hold CASE --ground FILE --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Puts a case under legal hold: nothing of it is erased, however old, until it is "
	"released.\n"
	"The journal keeps the digest of FILE, not what it says: keep the document.\n"
	"\n" FOLDERS_HELP CASES_HELP "  --ground FILE      the document that orders it\n"
	"  --json             one object\n"
	"\n"
	"CASE is a case id or the beginning of one. Exit codes: 0 it is held; 1 there is no such "
	"case.\n";
static const char release_help[] =
	"usage: dienstweg release CASE --ground FILE --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Releases a case from legal hold: what is past its day goes with the next run.\n"
	"\n" FOLDERS_HELP CASES_HELP "  --ground FILE      the document that orders it\n"
	"  --json             one object\n"
	"\n"
	"CASE is a case id or the beginning of one. Exit codes: 0 it is free; 1 there is no such "
	"case.\n";

static int print(const char *verb, const char *id, json_t *answer, bool json)
{
	bool hold = strcmp(verb, "hold") == 0;
	bool changed = json_is_true(json_object_get(answer, "changed"));
	if (json) {
		out_put_text(answer, "case", id);
		out_line(answer);
		return CLI_DONE;
	}
	if (changed)
		printf("Case %s is %s, entry %" PRIu64 "\n", id,
			hold ? "under legal hold" : "released from legal hold",
			(uint64_t)json_integer_value(json_object_get(answer, "sequence")));
	else
		printf("Case %s was %s already: nothing was changed\n", id,
			hold ? "under legal hold" : "free");
	if (json_is_true(json_object_get(answer, "late")))
		printf("A run of erasure is under way: what of it was past its day has gone "
		       "before\n");
	json_decref(answer);
	return CLI_DONE;
}

static int run(const struct folders *folders, const char *verb, const char *text,
	const char *ground, bool rebuild, bool json)
{
	_cleanup_(cases_close) struct cases cases = {};
	_cleanup_(cases_one_deinit) struct cases_one one = {};
	char id[CASE_TEXT_SIZE], digest[ORDER_DIGEST_SIZE], line[256];
	json_t *answer = NULL;
	int r = order_digest(ground, digest);
	if (r == 0)
		r = cases_open(folders, rebuild, &cases);
	if (r == 0)
		r = cases_find(&cases, text, &one);
	if (r)
		return r;
	cases_text(one.summary.id, id);
	snprintf(line, sizeof(line), "%s %s %s", verb, id, digest);
	r = order_send(folders, line, &answer);
	return r ? r : print(verb, id, answer, json);
}

static int hold_or_release(int argc, char **argv, const char *name, const char *help)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	const char *items[1], *ground = NULL;
	struct cli_list words = {.items = items, .max = ARRAY_LEN(items)};
	bool json = false, rebuild = false;
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--index", .value = &folders.index},
		{"--rebuild", .flag = &rebuild},
		{"--ground", .value = &ground},
		{"--json", .flag = &json},
	};
	const struct cli_verb verb = {
		.name = name,
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
		.words = &words,
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (words.count == 0)
		return cli_usage(&verb, "which case?");
	if (!ground)
		return cli_usage(
			&verb, "on whose word? --ground names the document that orders it");
	r = folders_find(&folders, &verb, FOLDERS_KEYS);
	return r ? r : run(&folders, name, items[0], ground, rebuild, json);
}

int hold_run(int argc, char **argv)
{
	return hold_or_release(argc, argv, "hold", hold_help);
}

int release_run(int argc, char **argv)
{
	return hold_or_release(argc, argv, "release", release_help);
}
