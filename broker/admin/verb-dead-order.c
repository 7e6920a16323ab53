/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What is ordered about dead letters is an entry each time, with the account and the cause. Discarding is final and
 * tells the sender, so it asks for a cause, and takes no "all": whoever ends messages should have looked at
 * what they have in common.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/admin/items.h"
#include "proto/base/text.h"

static const char retry_help[] =
	"usage: dienstweg dead retry MESSAGE... | --cause CODE | --all --config FILE | --state DIR "
	"[OPTION...]\n"
	"\n"
	"Has dead letters delivered again, with as many attempts as at first. First mend what they "
	"died of.\n"
	"\n" FOLDERS_HELP "  --cause CODE       those that died of it (dienstweg dead list)\n"
	"  --all              all of them\n"
	"  --party NAME       only those for this recipient\n"
	"  --json             one object\n"
	"\n"
	"MESSAGE is the number of its entry. Exit codes: 0 done; 1 there was none.\n";
static const char discard_help[] =
	"usage: dienstweg dead discard MESSAGE... | --cause CODE --reason CODE --config FILE | "
	"--state DIR [OPTION...]\n"
	"\n"
	"Ends dead letters for good. Their senders are told: discarded, and the reason.\n"
	"\n" FOLDERS_HELP "  --reason CODE      why, for journal and sender: a code of a-z 0-9 . "
	"-, e.g. duplicate; no "
	"names\n"
	"  --cause CODE       those that died of it (dienstweg dead list)\n"
	"  --party NAME       only those for this recipient\n"
	"  --json             one object\n"
	"\n"
	"MESSAGE is the number of its entry. Exit codes: 0 done; 1 there was none.\n";

enum { WORDS_MAX = 256 };

struct request {
	struct folders folders;
	const char *cause, *party, *reason;
	uint64_t sequences[WORDS_MAX];
	size_t count;
	bool all, json, discard;
};

static bool is_named(const struct request *request, uint64_t sequence)
{
	for (size_t i = 0; i < request->count; i++)
		if (request->sequences[i] == sequence)
			return true;
	return false;
}

static bool is_meant(const struct request *request, const struct parked *item)
{
	if (!item->dead || (request->party && strcmp(request->party, item->name) != 0))
		return false;
	if (request->cause)
		return strcmp(request->cause, item->cause) == 0;
	return request->all || is_named(request, item->sequence);
}

static int print(const struct request *request, uint64_t done)
{
	json_t *object = json_object();
	if (request->json) {
		out_put(object, "messages", done);
		out_line(object);
		return done ? CLI_DONE : CLI_NEGATIVE;
	}
	json_decref(object);
	if (done == 0)
		printf("There is no such dead letter: dienstweg dead list tells which there are\n");
	else
		printf("%" PRIu64 " message%s %s\n", done, done == 1 ? "" : "s",
			request->discard ? "discarded; the senders are told" : "back in the queue");
	return done ? CLI_DONE : CLI_NEGATIVE;
}

static int run(const struct request *request)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(parked_list_deinit) struct parked_list list = {};
	_cleanup_(order_items_deinit) struct order_items items = {};
	char order[128];
	uint64_t done = 0;
	int exit = items_read(&request->folders, &audit, &list);
	for (size_t i = 0; exit == 0 && i < list.count; i++)
		if (is_meant(request, &list.items[i]) &&
			order_items_add(&items, list.items[i].sequence, list.items[i].party))
			exit = cli_fail(CLI_FAILED, "out of memory");
	if (exit)
		return exit;
	snprintf(order, sizeof(order), "dead %s %s", request->discard ? "discard" : "retry",
		request->discard ? request->reason : "-");
	exit = order_items_send(&request->folders, order, &items, &done);
	return exit ? exit : print(request, done);
}

static int check(struct request *request, const struct cli_verb *verb, const struct cli_list *words)
{
	for (; request->count < words->count; request->count++) {
		int r = items_sequence(
			verb, words->items[request->count], &request->sequences[request->count]);
		if (r)
			return r;
	}
	if ((request->count > 0) + (request->cause != NULL) + request->all != 1)
		return cli_usage(verb, request->discard
					       ? "which ones? name messages, or --cause"
					       : "which ones? name messages, --cause or --all");
	if (request->discard && !request->reason)
		return cli_usage(verb, "why? --reason says it to the journal and to the sender");
	if (request->reason && !text_is_name(BYTES_STR(request->reason)))
		return cli_usage(verb, "--reason %s: a code of a-z 0-9 . -, no sentence, no names",
			request->reason);
	return folders_find(&request->folders, verb, FOLDERS_KEYS);
}

static int retry_or_discard(int argc, char **argv, bool discard)
{
	struct request request = {.discard = discard};
	const char *words_of[WORDS_MAX];
	struct cli_list words = {.items = words_of, .max = WORDS_MAX};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&request.folders),
		{"--cause", .value = &request.cause},
		{"--party", .value = &request.party},
		{"--json", .flag = &request.json},
		discard ? (struct cli_option){"--reason", .value = &request.reason}
			: (struct cli_option){"--all", .flag = &request.all},
	};
	const struct cli_verb verb = {
		.name = discard ? "dead discard" : "dead retry",
		.help = discard ? discard_help : retry_help,
		.options = table,
		.options_count = ARRAY_LEN(table),
		.words = &words,
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	r = check(&request, &verb, &words);
	if (r == 0)
		r = run(&request);
	folders_deinit(&request.folders);
	return r;
}

int dead_retry_run(int argc, char **argv)
{
	return retry_or_discard(argc, argv, false);
}

int dead_discard_run(int argc, char **argv)
{
	return retry_or_discard(argc, argv, true);
}
