/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Whoever has the keys can open records with any program, and no program can prevent it. What this does: whoever
 * uses ours on a running bus leaves a trace that cannot be taken back, and whoever cannot leave one is told, so
 * that it can be noted elsewhere.
 */
#include "broker/admin/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "broker/admin/ask.h"
#include "broker/admin/order.h"
#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

int inspect_check(struct inspect *inspect, const struct cli_verb *verb)
{
	if (!inspect->role)
		inspect->role = "operator";
	if (!inspect->ground)
		inspect->ground = "operation";
	if (!text_is_name(BYTES_STR(inspect->role)))
		return cli_usage(verb,
			"--role %s is no code: use 1 to 63 of a-z 0-9 . -, and no person's name",
			inspect->role);
	if (!text_is_name(BYTES_STR(inspect->ground)))
		return cli_usage(verb,
			"--ground %s is no code: use 1 to 63 of a-z 0-9 . -, and no person's name",
			inspect->ground);
	return 0;
}

/* Does a broker hold this journal, wherever its socket may be? */
static bool is_served(const char *journal)
{
	char path[4096];
	if (path_join(path, sizeof(path), journal, "LOCK") != 0)
		return false;
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT && errno != ENOTDIR;
	return flock(fd, LOCK_SH | LOCK_NB) != 0;
}

int inspect_record(struct inspect *inspect, const struct folders *folders, uint64_t first,
	uint64_t last, uint64_t count)
{
	char line[256];
	json_t *answer = NULL;
	if (!folders->socket[0] || !ask_is_there(folders->socket)) {
		if (!is_served(folders->journal))
			return 0;
		return cli_fail(CLI_FAILED,
			"%s: a broker runs on this journal, and nobody answers where its socket "
			"should be: name its --config, so that it can record what is opened",
			folders->journal);
	}
	snprintf(line, sizeof(line), "inspect %s %s %" PRIu64 " %" PRIu64 " %" PRIu64,
		inspect->role, inspect->ground, first, last, count);
	int exit = order_send(folders, line, &answer);
	if (exit)
		return exit;
	inspect->sequence = (uint64_t)json_integer_value(json_object_get(answer, "sequence"));
	inspect->recorded = true;
	json_decref(answer);
	return 0;
}

void inspect_print(const struct inspect *inspect)
{
	if (inspect->recorded)
		fprintf(stderr,
			"dienstweg: the journal records that this was opened: entry %" PRIu64 "\n",
			inspect->sequence);
	else
		fprintf(stderr,
			"dienstweg: no broker runs on this journal, so nothing records that this "
			"was opened: note who saw it, and why\n");
}
