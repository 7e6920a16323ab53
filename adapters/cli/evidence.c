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
#include "proto/base/text.h"

enum { ARENA_BUDGET = 1 << 20 };

static const char help[] =
	"usage: dienstweg evidence --config FILE --message UUID [--out FILE] [--header "
	"FILE] [--final FILE]\n"
	"       dienstweg evidence --config FILE --acknowledged NUMBER [--out FILE] [--batch "
	"FILE]\n"
	"\n"
	"Prints the receipt of a message, or of the acknowledgement of a message that was "
	"received, as "
	"a C2SP\n"
	"tlog-proof file.\n"
	"\n"
	"  --config FILE    the party's configuration\n"
	"  --message UUID   which\n"
	"  --out FILE       write the receipt there\n"
	"  --header FILE    write the message's header there: the bytes whose hash the receipt "
	"proves\n"
	"  --final FILE     write the checkpoint there by which the receipt is final, with the "
	"cosignatures\n"
	"                   of its witnesses; exit code 1 when it is not final yet\n"
	"  --acknowledged NUMBER\n"
	"                   the message's number (\"sequence\"), as receive printed it\n"
	"  --batch FILE     write the acknowledgements there: the bytes whose digest the receipt "
	"proves\n"
	"  --epoch N        the receipt from an epoch of the log that is over, before which "
	"entries "
	"were\n"
	"                   lost: it proves against the bus that they were recorded\n"
	"  --demo           allow a bus whose id ends in .demo\n"
	"\n"
	"Exit code: 0 done, 1 there is no receipt (yet), 2 wrong usage, 3 failure.\n";

struct arguments {
	const char *config, *message, *acknowledged, *out, *header, *batch, *final, *epoch;
	bool demo, help;
};

static int parse(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"message", required_argument, NULL, 'm'},
		{"out", required_argument, NULL, 'o'},
		{"header", required_argument, NULL, 'e'},
		{"acknowledged", required_argument, NULL, 'a'},
		{"batch", required_argument, NULL, 'b'},
		{"final", required_argument, NULL, 'f'},
		{"epoch", required_argument, NULL, 'n'},
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
		else if (option == 'a')
			ret->acknowledged = optarg;
		else if (option == 'b')
			ret->batch = optarg;
		else if (option == 'f')
			ret->final = optarg;
		else if (option == 'n')
			ret->epoch = optarg;
		else if (option == 'd')
			ret->demo = true;
		else if (option == 'h')
			ret->help = true;
		else
			return verb_fail(VERB_USAGE, "try: dienstweg evidence --help");
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

/* What is asked for: a message that was sent, or one that was received. */
struct subject {
	uint8_t id[UUID_SIZE];
	uint64_t sequence;
	uint32_t epoch; /* EVIDENCE_NEWEST: the last */
};

static int proof_get(const struct arguments *arguments, struct store *store,
	const struct subject *subject, struct arena *arena, struct bytes *text,
	struct bytes *original)
{
	if (!arguments->message)
		return evidence_acked(
			store, subject->sequence, subject->epoch, arena, text, original);
	if (subject->epoch != EVIDENCE_NEWEST)
		return evidence_proof_before(
			store, subject->id, subject->epoch, arena, text, original);
	return evidence_proof(store, subject->id, arena, text, original);
}

static int print_final(
	const struct arguments *arguments, struct store *store, const uint8_t id[UUID_SIZE])
{
	struct head final;
	int r = evidence_final(store, id, &final);
	if (r == EVIDENCE_OPEN)
		return verb_fail(VERB_NEGATIVE,
			"the receipt is not final yet: no quorum of the policy's witnesses has "
			"cosigned a checkpoint at or beyond its own");
	if (r)
		return verb_fail(VERB_FAILED, "the store: %s", r < 0 ? strerrordesc_np(-r) : "");
	return put(arguments->final, head_note(&final));
}

static int print(
	const struct arguments *arguments, struct store *store, const struct subject *subject)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ARENA_BUDGET);
	const char *file = arguments->message ? arguments->header : arguments->batch;
	struct bytes text, original;
	int r = arena ? 0 : -ENOMEM;
	if (r == 0)
		r = proof_get(arguments, store, subject, arena, &text, &original);
	if (r == STORE_NOT_FOUND)
		return verb_fail(VERB_NEGATIVE, "no receipt of %s is kept here",
			arguments->message ? arguments->message : arguments->acknowledged);
	if (r)
		return verb_fail(VERB_FAILED, "the store: %s", strerrordesc_np(-r));
	r = put(arguments->out, text);
	if (r == 0 && file)
		r = put(file, original);
	return r || !arguments->final ? r : print_final(arguments, store, subject->id);
}

static int find_epoch(const struct arguments *arguments, struct subject *ret)
{
	uint64_t epoch = EVIDENCE_NEWEST;
	if (arguments->epoch && (text_parse_u64(BYTES_STR(arguments->epoch), &epoch) != 0 ||
					epoch >= EVIDENCE_NEWEST))
		return verb_fail(
			VERB_USAGE, "--epoch: %s is no number of an epoch", arguments->epoch);
	ret->epoch = (uint32_t)epoch;
	return 0;
}

static int find_subject(const struct arguments *arguments, struct subject *ret)
{
	if (!arguments->message == !arguments->acknowledged)
		return verb_fail(VERB_USAGE, "--message UUID or --acknowledged NUMBER is wanted");
	if (arguments->message && uuid_parse(arguments->message, ret->id) != 0)
		return verb_fail(VERB_USAGE, "--message UUID is wanted, as send printed it");
	if (arguments->acknowledged &&
		text_parse_u64(BYTES_STR(arguments->acknowledged), &ret->sequence) != 0)
		return verb_fail(VERB_USAGE, "--acknowledged: %s is no number of a message",
			arguments->acknowledged);
	if (arguments->message ? arguments->batch : arguments->header)
		return verb_fail(
			VERB_USAGE, "--header goes with --message, --batch with --acknowledged");
	if (arguments->final && (!arguments->message || arguments->epoch))
		return verb_fail(VERB_USAGE, "--final goes with --message, and not with --epoch");
	return find_epoch(arguments, ret);
}

int verb_evidence(int argc, char **argv)
{
	_cleanup_(config_adapter_free) const struct config_adapter *owner = NULL;
	_cleanup_(store_free) struct store *store = NULL;
	struct config_adapter config;
	struct arguments arguments = {};
	struct subject subject = {};
	int r = parse(argc, argv, &arguments);
	if (r == 0 && arguments.help) {
		fputs(help, stdout);
		return VERB_DONE;
	}
	if (r == 0)
		r = find_subject(&arguments, &subject);
	if (r == 0)
		r = verb_config(arguments.config, arguments.demo, &config, &owner);
	if (r)
		return r;
	r = store_open_reader(config.state, &store);
	if (r)
		return verb_fail(VERB_FAILED, "store in %s: %s", config.state, strerrordesc_np(-r));
	return print(&arguments, store, &subject);
}
