/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Evidence is read beside a running adapter: the store is opened read-only, without the lock on the state
 * folder, in one short read transaction.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "adapters/cli/verb.h"
#include "adapters/sdk/evidence.h"
#include "proto/base/file.h"

enum { ARENA_BUDGET = 1 << 20 };

static const char help[] =
	"usage: dienstweg-party evidence --config FILE --message UUID [--out FILE] [--header "
	"FILE]\n"
	"\n"
	"Prints the receipt of a message as a C2SP tlog-proof file.\n"
	"\n"
	"  --config FILE    the party's configuration\n"
	"  --message UUID   which\n"
	"  --out FILE       write the receipt there\n"
	"  --header FILE    write the message's header there: the bytes whose hash the receipt "
	"proves\n"
	"  --demo           allow a bus whose id ends in .demo\n"
	"\n"
	"Exit code: 0 done, 1 there is no receipt (yet), 2 wrong usage, 3 failure.\n";

struct arguments {
	const char *config, *message, *out, *header;
	bool demo, help;
};

static int parse(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"message", required_argument, NULL, 'm'},
		{"out", required_argument, NULL, 'o'},
		{"header", required_argument, NULL, 'e'},
		{"demo", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			ret->config = optarg;
		else if (option == 'm')
			ret->message = optarg;
		else if (option == 'o')
			ret->out = optarg;
		else if (option == 'e')
			ret->header = optarg;
		else if (option == 'd')
			ret->demo = true;
		else if (option == 'h')
			ret->help = true;
		else
			return verb_fail(VERB_USAGE, "try: dienstweg-party evidence --help");
	}
	return 0;
}

static int put(const char *path, struct bytes data)
{
	if (!path) {
		fwrite(data.data, 1, data.len, stdout);
		return VERB_DONE;
	}
	int r = file_replace(path, data, 0600);
	return r ? verb_fail(VERB_FAILED, "%s: %s", path, strerrordesc_np(-r)) : VERB_DONE;
}

static int print(const struct arguments *arguments, struct store *store, const uint8_t id[UUID_SIZE])
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BUDGET);
	struct bytes text, header;
	int r = arena ? evidence_proof(store, id, arena, &text, &header) : -ENOMEM;
	if (r == STORE_NOT_FOUND)
		return verb_fail(VERB_NEGATIVE, "no receipt of %s is kept here", arguments->message);
	if (r)
		return verb_fail(VERB_FAILED, "the store: %s", strerrordesc_np(-r));
	r = put(arguments->out, text);
	return r || !arguments->header ? r : put(arguments->header, header);
}

int verb_evidence(int argc, char **argv)
{
	_cleanup_(config_adapter_free) const struct config_adapter *owner = NULL;
	_cleanup_(store_free) struct store *store = NULL;
	struct config_adapter config;
	struct arguments arguments = {};
	uint8_t id[UUID_SIZE];
	int r = parse(argc, argv, &arguments);
	if (r == 0 && arguments.help) {
		fputs(help, stdout);
		return VERB_DONE;
	}
	if (r == 0 && (!arguments.message || uuid_parse(arguments.message, id) != 0))
		r = verb_fail(VERB_USAGE, "--message UUID is wanted, as send printed it");
	if (r == 0)
		r = verb_config(arguments.config, arguments.demo, &config, &owner);
	if (r)
		return r;
	r = store_open_reader(config.state, &store);
	if (r)
		return verb_fail(VERB_FAILED, "store in %s: %s", config.state, strerrordesc_np(-r));
	return print(&arguments, store, id);
}
