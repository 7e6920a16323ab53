/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Taking a message back by hand. What counts is the party's signature, so the order may be brought beside the adapter,
 * in a session that takes nothing; how the message ended the adapter hears as ever. What is under delivery is asked
 * about again as long as there is time.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "adapters/cli/verb.h"
#include "adapters/cli/visit.h"
#include "adapters/sdk/follow.h"
#include "adapters/sdk/recall.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/identity/uuid.h"

enum { ANSWER_ARENA = 4 << 20, TIMEOUT_S = 60, AGAIN_MS = 1000, MESSAGES_MAX = 32 };

static const char help[] =
	"usage: dienstweg cancel --config FILE --message UUID [--message UUID...] [OPTION...]\n"
	"\n"
	"Takes messages back that wait for their recipients. May run beside the adapter.\n"
	"\n"
	"  --config FILE      the party's configuration\n"
	"  --message UUID     which, as send printed it; up to 32\n"
	"  --to PARTY         for this recipient only; all of them when not given\n"
	"  --from PARTY       whose messages; the configuration's first party when not given\n"
	"  --reason CODE      why, one word ([a-z0-9.-]); no personal data\n"
	"  --timeout SECONDS  while a recipient has one under delivery, ask again for so long (60; "
	"0: for "
	"ever)\n"
	"  --json             one JSON object for each message and recipient\n"
	"  --demo             allow a bus whose id ends in .demo\n"
	"\n"
	"Exit code: 0 all of them are cancelled; 1 some are not: they had ended before, are under "
	"delivery, or\n"
	"are not known; 2 wrong usage, 3 failure.\n";

struct arguments {
	const char *config, *to, *from, *reason, *timeout;
	struct recall_item items[MESSAGES_MAX];
	size_t count;
	bool json, demo, help;
};

static int message_add(struct arguments *arguments, const char *text)
{
	if (arguments->count == MESSAGES_MAX)
		return verb_fail(VERB_USAGE, "--message: at most %d at once", MESSAGES_MAX);
	if (uuid_parse(text, arguments->items[arguments->count].message_id) != 0)
		return verb_fail(
			VERB_USAGE, "--message %s: a UUID is wanted, as send printed it", text);
	arguments->count++;
	return 0;
}

static int parse(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"message", required_argument, NULL, 'm'},
		{"to", required_argument, NULL, 'r'},
		{"from", required_argument, NULL, 'f'},
		{"reason", required_argument, NULL, 'w'},
		{"timeout", required_argument, NULL, 't'},
		{"json", no_argument, NULL, 'j'},
		{"demo", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int option, r = 0;
	while (r == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			ret->config = optarg;
		else if (option == 'm')
			r = message_add(ret, optarg);
		else if (option == 'r')
			ret->to = optarg;
		else if (option == 'f')
			ret->from = optarg;
		else if (option == 'w')
			ret->reason = optarg;
		else if (option == 't')
			ret->timeout = optarg;
		else if (option == 'j')
			ret->json = true;
		else if (option == 'd')
			ret->demo = true;
		else if (option == 'h')
			ret->help = true;
		else
			r = verb_fail(VERB_USAGE, "try: dienstweg cancel --help");
	}
	return r || optind == argc ? r : verb_fail(VERB_USAGE, "%s: options only", argv[optind]);
}

/* ---- what became of them ---- */

static void print_state(const struct arguments *arguments, const Dienstweg__CancelState *state)
{
	char id[UUID_TEXT_SIZE] = "?";
	struct bytes to = BYTES_PB(state->recipient), how = BYTES_PB(state->state);
	if (state->message_id.len == UUID_SIZE)
		uuid_format(state->message_id.data, id);
	if (!arguments->json) {
		printf("%s%s%.*s: %.*s\n", id, to.len ? " for " : "", (int)to.len,
			to.len ? (const char *)to.data : "", (int)how.len,
			how.len ? (const char *)how.data : "");
		return;
	}
	json_t *object = json_object();
	json_object_set_new(object, "message_id", json_string(id));
	if (to.len > 0)
		json_object_set_new(
			object, "recipient", json_stringn((const char *)to.data, to.len));
	json_object_set_new(object, "state",
		how.len ? json_stringn((const char *)how.data, how.len) : json_string(""));
	if (to.len > 0)
		json_object_set_new(object, "sequence", json_integer((json_int_t)state->sequence));
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

/* Names and codes of the protocol, from an honest broker; from another one, nothing that steers a terminal. */
static bool is_printable(const Dienstweg__Cancelled *answer)
{
	bool good = true;
	for (size_t i = 0; i < answer->n_states; i++) {
		const Dienstweg__CancelState *state = answer->states[i];
		good &= text_is_name(BYTES_PB(state->state)) &&
			(state->recipient.len == 0 || text_is_name(BYTES_PB(state->recipient)));
	}
	return good;
}

static size_t count_state(const Dienstweg__Cancelled *answer, const char *state)
{
	size_t count = 0;
	for (size_t i = 0; i < answer->n_states; i++)
		count += bytes_equal(BYTES_PB(answer->states[i]->state), BYTES_STR(state));
	return count;
}

static int tell(const struct arguments *arguments, const Dienstweg__Cancelled *answer)
{
	for (size_t i = 0; i < answer->n_states; i++)
		print_state(arguments, answer->states[i]);
	return count_state(answer, "cancelled") == answer->n_states ? VERB_DONE : VERB_NEGATIVE;
}

/* ---- asking ---- */

static int ask(const struct arguments *arguments, struct visit *visit,
	const Dienstweg__CancelBatch *batch, uint64_t timeout_s)
{
	const uint64_t until_ns = clock_mono_ns(clock_system()) + timeout_s * UINT64_C(1000000000);
	uint64_t after_ms = 0;
	while (true) {
		_cleanup_(arena_free) struct arena *arena = arena_new(ANSWER_ARENA);
		Dienstweg__Cancelled *answer;
		int r = arena ? visit_cancel(visit, batch, after_ms, arena, &answer) : -ENOMEM;
		if (r > 0)
			return verb_fail(VERB_NEGATIVE, "%s%s",
				r == VISIT_TIMEOUT ? "not answered in time: " : "",
				visit_why(visit));
		if (r < 0)
			return verb_fail(VERB_FAILED, "the answer: %s", strerrordesc_np(-r));
		if (!is_printable(answer))
			return verb_fail(VERB_FAILED, "the answer is none of the protocol");
		/* Rather what is known than an answer that would come too late. */
		bool late = timeout_s > 0 &&
			    clock_mono_ns(clock_system()) + AGAIN_MS * UINT64_C(1000000) > until_ns;
		if (count_state(answer, "under-delivery") == 0 || late)
			return tell(arguments, answer);
		after_ms = AGAIN_MS;
	}
}

static int order(const struct arguments *arguments, const struct config_adapter *config,
	const struct parties *parties, const struct registry *registry, uint64_t timeout_s)
{
	_cleanup_(visit_free) struct visit *visit = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(RECALL_ARENA);
	const struct visit_options options = {
		.config = config, .registry = registry, .parties = parties, .timeout_s = timeout_s};
	Dienstweg__CancelBatch batch;
	struct bytes reason = BYTES_STR(arguments->reason ? arguments->reason : "");
	size_t from = arguments->from ? parties_find(parties, BYTES_STR(arguments->from)) : 0;
	if (from == PARTIES_NONE)
		return verb_fail(VERB_USAGE, "--from %s: %s names no such party", arguments->from,
			config->path);
	int r = arena ? recall_sign(BYTES_STR(config->bus), &parties->all[from], arguments->items,
				arguments->count, reason, arena, &batch)
		      : -ENOMEM;
	if (r == 0 && dienstweg__cancel_batch__get_packed_size(&batch) > RECALL_BYTES_MAX)
		return verb_fail(VERB_USAGE, "too much for one order: name fewer messages");
	if (r == 0)
		r = visit_new(&options, &visit);
	if (r)
		return verb_fail(VERB_FAILED, "%s: %s", config->broker, strerrordesc_np(-r));
	return ask(arguments, visit, &batch, timeout_s);
}

static int check(struct arguments *arguments, uint64_t *ret_timeout_s)
{
	*ret_timeout_s = TIMEOUT_S;
	if (arguments->count == 0)
		return verb_fail(VERB_USAGE, "--message UUID is missing: which message?");
	if (arguments->to && !text_is_name(BYTES_STR(arguments->to)))
		return verb_fail(VERB_USAGE, "--to %s: no name of a party", arguments->to);
	if (arguments->reason && !text_is_name(BYTES_STR(arguments->reason)))
		return verb_fail(VERB_USAGE, "--reason %s: one word is wanted, of a-z 0-9 . and -",
			arguments->reason);
	for (size_t i = 0; arguments->to && i < arguments->count; i++)
		arguments->items[i].recipient = BYTES_STR(arguments->to);
	return arguments->timeout ? verb_number("timeout", arguments->timeout, 86400, ret_timeout_s)
				  : 0;
}

int verb_cancel(int argc, char **argv)
{
	_cleanup_(config_adapter_free) const struct config_adapter *owner = NULL;
	_cleanup_(parties_free) struct parties *parties = NULL;
	struct config_adapter config;
	struct arguments arguments = {};
	struct follow follow = {};
	char why[CONFIG_ERROR_SIZE] = "";
	uint64_t timeout_s;
	int r = parse(argc, argv, &arguments);
	if (r == 0 && arguments.help) {
		fputs(help, stdout);
		return VERB_DONE;
	}
	if (r == 0)
		r = check(&arguments, &timeout_s);
	if (r == 0)
		r = verb_config(arguments.config, arguments.demo, &config, &owner);
	if (r)
		return r;
	const struct follow_options options = {
		.policy = config.policy,
		.registry = config.registry,
		.state = config.state,
		.bus = config.bus,
	};
	r = follow_init(&follow, &options, why, sizeof(why));
	if (r == 0)
		r = parties_open(&config, follow.registry, &parties, why, sizeof(why));
	r = r ? verb_fail(r > 0 ? VERB_NEGATIVE : VERB_FAILED, "%s", why)
	      : order(&arguments, &config, parties, follow.registry, timeout_s);
	follow_deinit(&follow);
	return r;
}
