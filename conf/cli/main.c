/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * One name for people. The verbs that need the broker's or an adapter's rooms are programs of those
 * rooms: this floor must not include them, so it starts them instead, and they answer as if they were
 * the verb.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/cli/cli.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"

static const char help[] =
	"usage: dienstweg VERB [OPTION...]\n"
	"\n"
	"The official channel between public agencies: keys, registry, and a look into a running "
	"bus.\n"
	"\n"
	"  keygen    make the keys of a party, a bus, a root, or a broker's master key\n"
	"  registry  build, sign, check and show the registry of parties, services and "
	"agreements;\n"
	"            reload: have a running broker look at it\n"
	"  config    print every configuration parameter\n"
	"\n"
	"  status    how the broker is\n"
	"  queue     what waits for whom\n"
	"  case      the timeline of a case\n"
	"  hold      put a case under legal hold; release: the other way round\n"
	"  erase     what is due, or a case before its day\n"
	"  backup    copy the journal of a broker that runs\n"
	"  audit     verify, list, show and replay the journal; proofs, exports, and checking "
	"them\n"
	"\n"
	"  send      send a document as a party\n"
	"  ask       ask as a party, and wait for the answer\n"
	"  receive   receive documents as a party\n"
	"  evidence  the receipt of a message, as a file that others can verify\n"
	"  access    what the bus holds of a case, for the person it is about\n"
	"  cancel    take messages back that still wait\n"
	"\n"
	"dienstweg VERB --help tells more. Exit codes: 0 yes or done, 1 a negative finding, 2 "
	"wrong usage,\n"
	"3 failure. Manual: dienstweg(1), config files: dienstweg-config(5).\n";

/* ---- verbs of this program ---- */

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} own[] = {{"keygen", keygen_run}, {"registry", registry_run}, {"config", config_run}};

/* ---- verbs of its neighbours ---- */

struct neighbour {
	const char *verb, *program;
	const char *tree[2]; /* where it lies in a build tree, from this program's folder */
};
#define ADMIN                                                                                      \
	"dienstweg-admin",                                                                         \
	{                                                                                          \
		"../../broker", "../../broker/admin"                                               \
	}
#define PARTY                                                                                      \
	"dienstweg-party",                                                                         \
	{                                                                                          \
		"../../adapters", "../../adapters/cli"                                             \
	}

static const struct neighbour neighbours[] = {{"registry", ADMIN}, {"status", ADMIN},
	{"queue", ADMIN}, {"dead", ADMIN}, {"case", ADMIN}, {"audit", ADMIN}, {"hold", ADMIN},
	{"release", ADMIN}, {"erase", ADMIN}, {"backup", ADMIN}, {"send", PARTY}, {"ask", PARTY},
	{"receive", PARTY}, {"evidence", PARTY}, {"access", PARTY}, {"cancel", PARTY}};

/* Folder of the running program: neither PATH nor the working folder decide what is started. */
static int own_folder(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = 0;
	char *slash = strrchr(buf, '/');
	if (slash)
		*slash = 0;
	return 0;
}

static int start(const struct neighbour *neighbour, char **argv)
{
	char here[4096], path[8192];
	const char *const places[] = {".", neighbour->tree[0], neighbour->tree[1]};
	int r = own_folder(here, sizeof(here));
	if (r < 0)
		return cli_fail(CLI_FAILED, "cannot tell where it was started from: %s",
			strerrordesc_np(-r));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", here, places[i], neighbour->program);
		execv(path, argv);
		if (errno != ENOENT)
			return cli_fail(CLI_FAILED, "%s: %m", path);
	}
	return cli_fail(CLI_FAILED, "%s is not installed beside this program, in %s",
		neighbour->program, here);
}

/* argv[0] becomes the neighbour's name; the verb stays its first argument. */
static int dispatch(const char *verb, int argc, char **argv)
{
	/* Of the registrar's verbs, the one that asks a broker. */
	bool reload = argc > 2 && strcmp(verb, "registry") == 0 && strcmp(argv[2], "reload") == 0;
	for (size_t i = 0; i < ARRAY_LEN(own) && !reload; i++)
		if (strcmp(verb, own[i].name) == 0)
			return own[i].run(argc - 1, argv + 1);
	for (size_t i = 0; i < ARRAY_LEN(neighbours); i++)
		if (strcmp(verb, neighbours[i].verb) == 0) {
			argv[0] = (char *)(uintptr_t)neighbours[i].program;
			return start(&neighbours[i], argv);
		}
	fprintf(stderr, "dienstweg: no such verb: %s\nTry: dienstweg --help\n", verb);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		fputs(help, stdout);
		return cli_flush(CLI_DONE);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("dienstweg %s\n", DIENSTWEG_VERSION);
		return cli_flush(CLI_DONE);
	}
	if (crypto_init() < 0)
		return cli_fail(CLI_FAILED, "the cryptographic library does not start");
	return dispatch(argv[1], argc, argv);
}
