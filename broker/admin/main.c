/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The verbs that look into a broker: `dienstweg` starts this program for them. None but the
 * orders (hold, release, erase, registry reload) changes anything, and none but those needs the broker: what it is asked while it runs can be read from its journal when
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

static const struct verb {
	const char *verb, *second; /* of two words, or NULL */
	const char *arguments, *about;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{"status", NULL, "", "how the broker is; when it does not run, what its journal says",
		status_run},
	{"queue", "list", "", "what waits for whom", queue_list_run},
	{"queue", "hold", " PARTY|--service NAME|--message N",
		"stop the delivery to a party, of a service, or of a message", queue_hold_run},
	{"queue", "release", " PARTY|--service NAME|--message N", "let it go on", queue_release_run},
	{"dead", "list", "", "messages that could not be delivered, by cause", dead_list_run},
	{"dead", "show", " MESSAGE", "one of them", dead_show_run},
	{"dead", "retry", " MESSAGE...|--cause CODE|--all", "have them delivered again",
		dead_retry_run},
	{"dead", "discard", " MESSAGE...|--cause CODE --reason CODE",
		"end them; their senders are told", dead_discard_run},
	{"registry", "reload", "", "have the broker look at its registry file", registry_reload_run},
	{"case", "show", " CASE", "the timeline of a case", case_show_run},
	{"case", "list", "", "the cases in which something happened last", case_list_run},
	{"hold", NULL, " CASE --ground FILE", "put a case under legal hold", hold_run},
	{"release", NULL, " CASE --ground FILE", "release it", release_run},
	{"erase", NULL, " --due|--case CASE|--now", "what is due, or a case before its day",
		erase_run},
	{"backup", NULL, " DIR", "a copy of the journal as it is at one moment", backup_run},
	{"audit", "verify", "", "is the journal what was signed?", audit_verify_run},
	{"audit", "replay", "", "did the broker decide what its rules say?", audit_replay_run},
	{"audit", "rebuild", "", "make the tables that follow from the entries anew",
		audit_rebuild_run},
	{"audit", "list", "", "entries, one a line", audit_list_run},
	{"audit", "show", " SEQUENCE", "one entry, opened", audit_show_run},
	{"audit", "prove", " WHICH|--from SIZE", "the proof that an entry is in the log, as a file",
		audit_prove_run},
	{"audit", "check", " FILE|DIR --policy FILE", "does a proof, or an exported log, hold?",
		audit_check_run},
	{"audit", "export", " DIR", "the log as a folder that others can check", audit_export_run},
	{"audit", "prune", " --before SIZE --archive DIR",
		"take out of the journal what an export holds and nobody needs", audit_prune_run},
	{"audit", "report", " --party PARTY --case CASE",
		"what of a case one party may see, for subject access", audit_report_run},
};

/* Of all verbs, or of those that begin with a word. */
static void print_help(FILE *file, const char *word)
{
	const char *usage = "usage:";
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		const struct verb *v = &verbs[i];
		if (word && strcmp(v->verb, word) != 0)
			continue;
		fprintf(file, "%-6s dienstweg %s%s%s%s [OPTION...]\n", usage, v->verb,
			v->second ? " " : "", v->second ? v->second : "", v->arguments);
		usage = "";
	}
	fputs("\n", file);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		const struct verb *v = &verbs[i];
		char name[32];
		snprintf(name, sizeof(name), "%s%s%s", v->verb, v->second ? " " : "",
			v->second ? v->second : "");
		if (!word || strcmp(v->verb, word) == 0)
			fprintf(file, "  %-13s  %s\n", name, v->about);
	}
	fputs("\nVERB --help tells more. Exit codes: 0 yes or done, 1 a negative finding, 2 wrong "
	      "usage, 3 "
	      "failure.\nManual: dienstweg-admin(1).\n",
		file);
}

/* Is it the first of a verb's two words? */
static bool is_group(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (verbs[i].second && strcmp(verbs[i].verb, word) == 0)
			return true;
	return false;
}

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
	if (is_group(argv[1]) && (argc == 2 || argv[2][0] == '-'))
		fprintf(stderr, "dienstweg: %s wants one more word behind it\n", argv[1]);
	else
		fprintf(stderr, "dienstweg: no such verb: %s%s%s\n", argv[1], argc > 2 ? " " : "",
			argc > 2 ? argv[2] : "");
	print_help(stderr, is_group(argv[1]) ? argv[1] : NULL);
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
		print_help(stderr, NULL);
		return CLI_USAGE;
	}
	if (wants_help(argc, argv)) {
		print_help(stdout, argc == 3 ? argv[1] : NULL);
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
