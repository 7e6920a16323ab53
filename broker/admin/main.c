/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The verbs that look into a broker: `dienstweg` starts this program for them. None but the
 * orders (hold, release, erase) changes anything, and none but those needs the broker: what it is asked while it runs can be read from its journal when
 * it does not.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/admin/verbs.h"
#include "conf/cli/cli.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"
#include "proto/base/log.h"

static const char help[] =
	"usage: dienstweg status [OPTION...]\n"
	"       dienstweg queue list [OPTION...]\n"
	"       dienstweg case show CASE [OPTION...]\n"
	"       dienstweg case list [OPTION...]\n"
	"       dienstweg hold|release CASE --ground FILE [OPTION...]\n"
	"       dienstweg erase --due|--case CASE|--now [OPTION...]\n"
	"       dienstweg backup DIR [OPTION...]\n"
	"       dienstweg audit verify|replay|rebuild|list|show|prove|check|export|prune|report "
	"[OPTION...]\n"
	"\n"
	"  status        how the broker is; when it does not run, what its journal says\n"
	"  queue list    what waits for whom\n"
	"  case show     the timeline of a case\n"
	"  case list     the cases in which something happened last\n"
	"  hold          put a case under legal hold\n"
	"  release       release it\n"
	"  erase         what is due, or a case before its day\n"
	"  backup        a copy of the journal as it is at one moment\n"
	"  audit verify  is the journal what was signed?\n"
	"  audit replay  did the broker decide what its rules say?\n"
	"  audit rebuild make the tables that follow from the entries anew\n"
	"  audit list    entries, one a line\n"
	"  audit show    one entry, opened\n"
	"  audit prove   the proof that an entry is in the log, as a file\n"
	"  audit check   does a proof, or an exported log, hold?\n"
	"  audit export  the log as a folder that others can check\n"
	"  audit prune   take out of the journal what an export holds and nobody needs\n"
	"  audit report  what of a case one party may see, for subject access\n"
	"\n"
	"VERB --help tells more. Exit codes: 0 yes or done, 1 a negative finding, 2 wrong usage, 3 "
	"failure.\n"
	"Manual: dienstweg-admin(1).\n";

static const struct {
	const char *verb, *second; /* of two words, or NULL */
	int (*run)(int argc, char **argv);
} verbs[] = {
	{"status", NULL, status_run},
	{"queue", "list", queue_list_run},
	{"case", "show", case_show_run},
	{"case", "list", case_list_run},
	{"hold", NULL, hold_run},
	{"release", NULL, release_run},
	{"erase", NULL, erase_run},
	{"backup", NULL, backup_run},
	{"audit", "verify", audit_verify_run},
	{"audit", "replay", audit_replay_run},
	{"audit", "rebuild", audit_rebuild_run},
	{"audit", "list", audit_list_run},
	{"audit", "show", audit_show_run},
	{"audit", "prove", audit_prove_run},
	{"audit", "prune", audit_prune_run},
	{"audit", "check", audit_check_run},
	{"audit", "export", audit_export_run},
	{"audit", "report", audit_report_run},
};

static int dispatch(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(argv[1], verbs[i].verb) != 0)
			continue;
		if (!verbs[i].second)
			return verbs[i].run(argc - 1, argv + 1);
		if (argc > 2 && strcmp(argv[2], verbs[i].second) == 0)
			return verbs[i].run(argc - 2, argv + 2);
	}
	fprintf(stderr, "dienstweg: no such verb: %s%s%s\n%s", argv[1], argc > 2 ? " " : "",
		argc > 2 ? argv[2] : "", help);
	return CLI_USAGE;
}

/*
 * A journal is read through the memory map of its file. What the file lacks (a copy that was cut short, a
 * bad disk) arrives as this signal, in the middle of any look-up; there is nothing to go on with.
 */
static void journal_cut_short(int signal_number)
{
	static const char why[] = "dienstweg: the journal's file ends before its data does, or the "
				  "disk cannot be read: copy it again, or look at the disk\n";
	(void)!write(STDERR_FILENO, why, sizeof(why) - 1); /* the exit code tells it too */
	_exit(CLI_FAILED);
}

/* Is it the first of a verb's two words? */
static bool is_group(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (verbs[i].second && strcmp(verbs[i].verb, word) == 0)
			return true;
	return false;
}

/* Is help asked for instead of a verb, or of the first of a verb's two words? */
static bool wants_help(int argc, char **argv)
{
	const char *word = argc == 2 ? argv[1] : argc == 3 ? argv[2] : "";
	bool two_words = argc == 2 || is_group(argv[1]);
	return two_words && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	if (wants_help(argc, argv)) {
		fputs(help, stdout);
		return cli_flush(CLI_DONE);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("dienstweg %s\n", DIENSTWEG_VERSION);
		return cli_flush(CLI_DONE);
	}
	log_init("dienstweg", LOG_ERROR, 2);
	sigaction(SIGBUS, &(struct sigaction){.sa_handler = journal_cut_short}, NULL);
	if (crypto_init() < 0)
		return cli_fail(CLI_FAILED, "the cryptographic library does not start");
	return cli_flush(dispatch(argc, argv));
}
