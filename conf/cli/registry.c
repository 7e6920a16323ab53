/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The registrar's verbs are files of their own, because different people on different machines use them:
 * who builds cannot sign, and who signs need not build.
 */
#include <stdio.h>
#include <string.h>

#include "conf/cli/cli.h"
#include "proto/base/cleanup.h"

static const char help[] = "usage: dienstweg registry VERB [OPTION...]\n"
			   "\n"
			   "The registry says who is on the bus, with which keys, and who may send "
			   "what to whom. Two of three\n"
			   "roots sign it, each on a machine of its own.\n"
			   "\n"
			   "  build   compile the source (YAML) and public keys into a registry\n"
			   "  sign    add a root's signature\n"
			   "  policy  write the file that pins the roots\n"
			   "  check   verify a registry, and name what is doubtful in it\n"
			   "  show    print it, or who would receive a message\n"
			   "  reload  have a running broker look at its registry file\n";

int registry_run(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} verbs[] = {{"build", registry_build_run}, {"sign", registry_sign_run},
		{"policy", registry_policy_run}, {"check", registry_check_run},
		{"show", registry_show_run}};
	if (argc < 2) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		fputs(help, stdout);
		return cli_flush(CLI_DONE);
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	fprintf(stderr, "dienstweg registry: no such verb: %s\nTry: dienstweg registry --help\n",
		argv[1]);
	return CLI_USAGE;
}
