/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * For people and scripts what adapters are for systems: the same outbox, inbox, checks and evidence,
 * because they are the same code. `dienstweg send` and `dienstweg receive` start this program.
 */
#include <stdio.h>
#include <string.h>

#include "adapters/cli/verb.h"

static const char help[] = "usage: dienstweg send|ask|receive|evidence|access|cancel [OPTION...]\n"
			   "\n"
			   "  send      send a document as a party\n"
			   "  ask       ask as a party, and wait for the answer\n"
			   "  receive   receive documents as a party\n"
			   "  evidence  print the receipt of a message\n"
			   "  access    ask what the bus holds of a case (Art. 15 GDPR)\n"
			   "  cancel    take messages back that still wait\n"
			   "\n"
			   "dienstweg VERB --help tells more. Manual: dienstweg-party(1).\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {{"send", verb_send}, {"receive", verb_receive}, {"evidence", verb_evidence},
	{"access", verb_access}, {"ask", verb_ask}, {"cancel", verb_cancel}};

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	char called[32];
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verb, verbs[i].name) != 0)
			continue;
		/* By that name people started this program; getopt() complains under it. */
		snprintf(called, sizeof(called), "dienstweg %s", verb);
		argv[1] = called;
		return verbs[i].run(argc - 1, argv + 1);
	}
	if (strcmp(verb, "--version") == 0) {
		printf("dienstweg-party %s\n", DIENSTWEG_VERSION);
		return VERB_DONE;
	}
	bool asked = strcmp(verb, "--help") == 0 || strcmp(verb, "help") == 0;
	fputs(help, asked ? stdout : stderr);
	return asked ? VERB_DONE : VERB_USAGE;
}
