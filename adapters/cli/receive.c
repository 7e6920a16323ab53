/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * `receive` is an adapter whose legacy system is a folder. A body is written under the id of its message,
 * durably, before it is accepted; the same message again (after a crash) writes the same file again. With
 * --count no more credit is granted than messages are wanted.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapters/cli/output.h"
#include "adapters/cli/verb.h"
#include "adapters/sdk/adapter.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"
#include "proto/identity/uuid.h"

enum { TICK_MS = 100 };

struct receive {
	struct output output;
	const char *out;
	uint64_t count; /* wanted; 0: no end */
	uint64_t timeout_s;
	const char *reject_code; /* NULL: accept */
	const char *reject_text;
	struct bytes answer; /* to each enquiry; nothing: none */
	const char *answer_type;
	uint64_t received;
	uint64_t since_ns; /* of the last one */
	bool timed_out;
	bool replay; /* --replay-from: asked for once, at the beginning */
	struct dw_replay from;
};

static int op_open(
	struct dw_adapter *adapter, const struct config_adapter *config, void **ret_context)
{
	struct receive *receive = dw_adapter_user(adapter);
	receive->since_ns = clock_mono_ns(clock_system());
	*ret_context = receive;
	return 0;
}

static int op_from_agency(struct dw_adapter *adapter, void *context, bool *ret_more)
{
	struct receive *receive = context;
	if (receive->replay) {
		receive->replay = false;
		if (dw_replay(adapter, &receive->from) != 0)
			return -EINVAL;
	}
	uint64_t waited = (clock_mono_ns(clock_system()) - receive->since_ns) / 1000000000u;
	if (receive->timeout_s == 0 || waited < receive->timeout_s)
		return 0;
	receive->timed_out = true;
	dw_adapter_stop(adapter);
	return 0;
}

static int op_submitted(
	struct dw_adapter *adapter, void *context, struct bytes key, const struct dw_submitted *ids)
{
	return 0;
}

/* MESSAGE-ID.NUMBER-NAME, so that two of a name do not meet; the name was checked. */
static int attachments_keep(const struct receive *receive, const struct dw_delivery *delivery,
	const char *id, char (*files)[PATH_MAX])
{
	int r = 0;
	for (size_t i = 0; i < delivery->attachments_count && r == 0; i++) {
		const struct dw_arrived *arrived = &delivery->attachments[i];
		char name[NAME_MAX + 1];
		snprintf(name, sizeof(name), "%s.%zu-%.*s", id, i + 1, (int)arrived->name.len,
			(const char *)arrived->name.data);
		r = path_join(files[i + 1], PATH_MAX, receive->out, name);
		if (r == 0)
			r = dw_arrived_keep(arrived, files[i + 1]);
	}
	return r;
}

/* Attachments, body and description; the description last, so that whoever sees it sees all. */
static int keep(
	const struct receive *receive, const struct dw_delivery *delivery, char (*files)[PATH_MAX])
{
	char id[UUID_TEXT_SIZE], name[UUID_TEXT_SIZE + 8], beside[PATH_MAX];
	_cleanup_(heap_free) char *text = output_describe(delivery);
	if (!text)
		return -ENOMEM;
	uuid_format(delivery->message_id, id);
	snprintf(name, sizeof(name), "%s.body", id);
	int r = path_join(files[0], PATH_MAX, receive->out, name);
	snprintf(name, sizeof(name), "%s.json", id);
	if (r == 0)
		r = path_join(beside, sizeof(beside), receive->out, name);
	if (r == 0)
		r = attachments_keep(receive, delivery, id, files);
	if (r == 0)
		r = file_replace(files[0], delivery->body, 0600);
	return r ? r : file_replace(beside, BYTES_STR(text), 0600);
}

/* With the enquiry's acknowledgement, in one commit. One that cannot be answered now comes again. */
static int answer(struct dw_adapter *adapter, const struct receive *receive,
	const struct dw_delivery *delivery, struct dw_verdict *ret)
{
	struct dw_submitted ids;
	char why[256] = "";
	if (receive->answer.len == 0 || delivery->kind != DW_ENQUIRY)
		return 0;
	int r = dw_answer(adapter, delivery, BYTES_STR(receive->answer_type), receive->answer, &ids,
		why, sizeof(why));
	if (r <= 0)
		return r;
	verb_fail(VERB_NEGATIVE, "an enquiry cannot be answered: %s", why);
	*ret = (struct dw_verdict){.disposition = DW_REJECTED, .code = "no-answer"};
	if (r == DW_FULL)
		*ret = (struct dw_verdict){.disposition = DW_LATER, .code = "unavailable"};
	return 0;
}

static int op_to_agency(struct dw_adapter *adapter, void *context,
	const struct dw_delivery *delivery, struct dw_verdict *ret)
{
	struct receive *receive = context;
	_cleanup_(heap_free) char(*files)[PATH_MAX] = calloc(1 + DW_ATTACHMENTS_MAX, PATH_MAX);
	if (!files)
		return -ENOMEM;
	if (receive->count && receive->received == receive->count) {
		*ret = (struct dw_verdict){.disposition = DW_LATER, .code = "enough"};
		return 0;
	}
	if (receive->reject_code) {
		ret->disposition = DW_REJECTED;
		snprintf(ret->code, sizeof(ret->code), "%s", receive->reject_code);
		snprintf(ret->text, sizeof(ret->text), "%s", receive->reject_text);
	} else {
		ret->disposition = DW_ACCEPTED;
		int r = keep(receive, delivery, files);
		if (r) {
			verb_fail(VERB_FAILED, "%s: %s", receive->out, strerrordesc_np(-r));
			return r;
		}
		r = answer(adapter, receive, delivery, ret);
		if (r || ret->disposition == DW_LATER)
			return r;
	}
	output_delivery(&receive->output, delivery, ret,
		receive->reject_code ? NULL : (const char(*)[PATH_MAX])files);
	receive->received++;
	receive->since_ns = clock_mono_ns(clock_system());
	if (receive->received == receive->count)
		dw_adapter_stop(adapter);
	return 0;
}

/* Written like a delivery, so that a file that was lost is there again; counted, and not answered. */
static int op_replayed(struct dw_adapter *adapter, void *context, const struct dw_delivery *delivery)
{
	struct receive *receive = context;
	_cleanup_(heap_free) char(*files)[PATH_MAX] = calloc(1 + DW_ATTACHMENTS_MAX, PATH_MAX);
	if (!files)
		return -ENOMEM;
	if (receive->count && receive->received == receive->count)
		return 0;
	int r = keep(receive, delivery, files);
	if (r) {
		verb_fail(VERB_FAILED, "%s: %s", receive->out, strerrordesc_np(-r));
		return r;
	}
	output_replayed(&receive->output, delivery, files[0]);
	receive->received++;
	receive->since_ns = clock_mono_ns(clock_system());
	if (receive->received == receive->count)
		dw_adapter_stop(adapter);
	return 0;
}

static void op_progress(void *context, const struct dw_progress *progress)
{
	struct receive *receive = context;
	output_progress(&receive->output, progress);
	receive->since_ns = clock_mono_ns(clock_system());
}

static void op_close(void *context)
{
}

static const struct dw_adapter_ops ops = {
	.name = "dienstweg-party",
	.open = op_open,
	.from_agency = op_from_agency,
	.submitted = op_submitted,
	.to_agency = op_to_agency,
	.replayed = op_replayed,
	.progress = op_progress,
	.close = op_close,
	.poll_ms = TICK_MS,
};

static const char help[] =
	"usage: dienstweg receive --config FILE [--out DIR] [OPTION...]\n"
	"\n"
	"Takes what waits for the party, checks it, writes each body to DIR/MESSAGE-ID.body with "
	"a\n"
	"description MESSAGE-ID.json beside it, its attachments to MESSAGE-ID.NUMBER-NAME, and\n"
	"acknowledges.\n"
	"\n"
	"  --config FILE        the party's configuration\n"
	"  --out DIR            where to (the working folder)\n"
	"  --count N            end after so many (0: no end)\n"
	"  --timeout SECONDS    end when nothing came for so long (10; 0: never)\n"
	"  --accept             accept everything (usual)\n"
	"  --reject CODE TEXT   reject everything for this reason; nothing is written\n"
	"  --answer FILE        answer each enquiry with this document\n"
	"  --answer-type TYPE   its media type (application/octet-stream)\n"
	"  --replay-from WHEN   first have what was taken before delivered once more, and "
	"readable\n"
	"                       events of before the party subscribed: from a number of the "
	"journal\n"
	"                       or a time (2026-11-27, or 2026-11-27T13:05:07Z) on\n"
	"  --party PARTY        whose, where the configuration names several (the first)\n"
	"  --json               one JSON object a line\n"
	"  --demo               allow a bus whose id ends in .demo\n"
	"\n"
	"Exit code: 0 as many as wished, 1 fewer, 2 wrong usage, 3 failure.\n";

struct arguments {
	const char *config, *out, *count, *timeout, *reject, *replay_from, *party, *answer,
		*answer_type;
	bool accept, json, demo, help;
};

static int parse(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"out", required_argument, NULL, 'o'},
		{"count", required_argument, NULL, 'n'},
		{"timeout", required_argument, NULL, 't'},
		{"accept", no_argument, NULL, 'a'},
		{"reject", required_argument, NULL, 'r'},
		{"replay-from", required_argument, NULL, 'f'},
		{"party", required_argument, NULL, 'p'},
		{"answer", required_argument, NULL, 'w'},
		{"answer-type", required_argument, NULL, 'y'},
		{"json", no_argument, NULL, 'j'},
		{"demo", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			ret->config = optarg;
			break;
		case 'o':
			ret->out = optarg;
			break;
		case 'n':
			ret->count = optarg;
			break;
		case 't':
			ret->timeout = optarg;
			break;
		case 'a':
			ret->accept = true;
			break;
		case 'r':
			ret->reject = optarg;
			break;
		case 'f':
			ret->replay_from = optarg;
			break;
		case 'p':
			ret->party = optarg;
			break;
		case 'w':
			ret->answer = optarg;
			break;
		case 'y':
			ret->answer_type = optarg;
			break;
		case 'j':
			ret->json = true;
			break;
		case 'd':
			ret->demo = true;
			break;
		case 'h':
			ret->help = true;
			break;
		default:
			return verb_fail(VERB_USAGE, "try: dienstweg receive --help");
		}
	}
	return 0;
}

/* A number, a day or an instant. */
static int replay_of(const struct arguments *arguments, struct receive *receive)
{
	const char *when = arguments->replay_from;
	if (arguments->party && !when)
		return verb_fail(VERB_USAGE, "--party goes with --replay-from");
	if (!when)
		return 0;
	if (arguments->reject)
		return verb_fail(VERB_USAGE,
			"--replay-from or --reject, not both: what was taken cannot be rejected");
	receive->replay = true;
	receive->from.party = BYTES_STR(arguments->party ? arguments->party : "");
	if (text_parse_u64(BYTES_STR(when), &receive->from.from) == 0 ||
		clock_parse_date(when, &receive->from.from_ms) == 0 ||
		clock_parse_utc(when, &receive->from.from_ms) == 0)
		return 0;
	return verb_fail(VERB_USAGE,
		"--replay-from %s: a number, a day (2026-11-27) or a time "
		"(2026-11-27T13:05:07Z, UTC) is wanted",
		when);
}

/* The sentence of --reject is the one argument that is no option. */
static int fill(int argc, char **argv, const struct arguments *arguments, struct receive *receive)
{
	int left = argc - optind;
	if (arguments->reject && arguments->accept)
		return verb_fail(VERB_USAGE, "--accept or --reject, not both");
	if (left != (arguments->reject ? 1 : 0))
		return verb_fail(VERB_USAGE,
			arguments->reject
				? "--reject CODE TEXT: one sentence behind the code is wanted"
				: "%s: options only",
			left > 0 ? argv[optind] : "");
	if (arguments->reject && arguments->answer)
		return verb_fail(VERB_USAGE, "--answer or --reject, not both");
	receive->answer_type = arguments->answer_type ? arguments->answer_type
						      : "application/octet-stream";
	receive->output.json = arguments->json;
	receive->out = arguments->out ? arguments->out : ".";
	receive->timeout_s = 10;
	if (arguments->reject) {
		if (!text_is_name(BYTES_STR(arguments->reject)) || strlen(argv[optind]) > 200)
			return verb_fail(
				VERB_USAGE, "--reject %s: a code of a-z, 0-9, . and -, and a text of at most 200 bytes",
				arguments->reject);
		receive->reject_code = arguments->reject;
		receive->reject_text = argv[optind];
	}
	int r = replay_of(arguments, receive);
	if (r == 0 && arguments->count)
		r = verb_number("count", arguments->count, 1000000000, &receive->count);
	if (r == 0 && arguments->timeout)
		r = verb_number("timeout", arguments->timeout, 86400, &receive->timeout_s);
	return r;
}

int verb_receive(int argc, char **argv)
{
	_cleanup_(config_adapter_free) const struct config_adapter *owner = NULL;
	struct config_adapter config;
	struct arguments arguments = {};
	struct receive receive = {};
	_cleanup_(heap_free) uint8_t *document = NULL;
	size_t len = 0;
	int r = parse(argc, argv, &arguments);
	if (r == 0 && arguments.help) {
		fputs(help, stdout);
		return VERB_DONE;
	}
	if (r == 0)
		r = fill(argc, argv, &arguments, &receive);
	if (r == 0)
		r = verb_config(arguments.config, arguments.demo, &config, &owner);
	if (r == 0 && arguments.answer)
		r = verb_document(arguments.answer, "", &document, &len);
	if (r)
		return r;
	if (arguments.answer && len == 0)
		return verb_fail(VERB_FAILED, "%s: is empty: an answer has at least one byte",
			arguments.answer);
	receive.answer = BYTES(document, len);
	r = dir_make(receive.out, 0700);
	if (r)
		return verb_fail(VERB_FAILED, "%s: %s", receive.out, strerrordesc_np(-r));
	if (receive.count && receive.count < config.flight.credit_messages)
		config.flight.credit_messages = receive.count;
	r = dw_adapter_run(&config, &ops, &receive);
	if (r)
		return r;
	if (receive.received == 0 && receive.timed_out && !receive.output.json)
		printf("Nothing came within %llu seconds.\n", (unsigned long long)receive.timeout_s);
	return receive.received < receive.count ? VERB_NEGATIVE : VERB_DONE;
}
