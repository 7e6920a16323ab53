/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The same as SIGHUP, for who wants to know how it ended: whether the registry is in force, and from which entry on, or
 * what is wrong with it. The file is the one that the broker's configuration names, as the broker sees it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/order.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"

static const char help[] =
	"usage: dienstweg registry reload --config FILE | --state DIR [--json]\n"
	"\n"
	"Has a running broker look at its registry file, while traffic goes on, and waits until "
	"the registry\n"
	"in it is in force. What may not follow the one in force is refused, and that one stays.\n"
	"\n" FOLDERS_HELP "  --json             one object\n"
	"\n"
	"Exit codes: 0 it is in force, or was already; 1 it is refused, and a sentence says why; 3 "
	"failure.\n";

static int print(json_t *answer, bool json)
{
	const char *refused = json_string_value(json_object_get(answer, "refused"));
	uint64_t version = (uint64_t)json_integer_value(json_object_get(answer, "version"));
	int exit = refused ? CLI_NEGATIVE : CLI_DONE;
	if (json) {
		out_line(answer);
		return exit;
	}
	if (refused)
		printf("Refused: %s\nRegistry version %" PRIu64 " stays in force\n", refused,
			version);
	else if (json_is_true(json_object_get(answer, "changed")))
		printf("Registry version %" PRIu64 " is in force, from entry %" PRIu64 " on\n",
			version, (uint64_t)json_integer_value(json_object_get(answer, "sequence")));
	else
		printf("Registry version %" PRIu64 " is in force already: nothing was changed\n",
			version);
	json_decref(answer);
	return exit;
}

int registry_reload_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	bool json = false;
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--json", .flag = &json},
	};
	const struct cli_verb verb = {
		.name = "registry reload",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	json_t *answer = NULL;
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	r = folders_find(&folders, &verb, 0);
	if (r == 0)
		r = order_send(&folders, "registry reload", &answer);
	return r ? r : print(answer, json);
}
