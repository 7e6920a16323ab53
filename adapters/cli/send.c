/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * `send` is an adapter whose legacy system is one file. So what it was given is durable before it says
 * so, and when it is interrupted, the next program with the same state folder (another `send`, or the
 * adapter itself) sends it. It grants no credit: messages for the party stay at the broker.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapters/cli/output.h"
#include "adapters/cli/verb.h"
#include "adapters/sdk/adapter.h"
#include "proto/base/clock.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"
#include "proto/registry/registry.h"

enum { TICK_MS = 100, ERROR_SIZE = 512 };
enum wait { WAIT_QUEUED, WAIT_RECORDED, WAIT_ENDED };

struct send {
	struct output output;
	struct dw_message message;
	enum wait wait;
	uint64_t timeout_s;
	uint8_t case_id[16], in_reply_to[HASH_SIZE];
	uint64_t since_ns;
	char key[2 * 16 + 5]; /* when none was given */
	struct dw_attachment attachments[DW_ATTACHMENTS_MAX];
	size_t attachments_count;
	uint64_t progressed; /* bytes of the one under way */
	bool submitted;
	struct dw_submitted ids;
	size_t outcomes; /* still awaited */
	int code;
};

static void end(struct dw_adapter *adapter, struct send *send, int code)
{
	send->code = code;
	dw_adapter_stop(adapter);
}

static int op_open(
	struct dw_adapter *adapter, const struct config_adapter *config, void **ret_context)
{
	struct send *send = dw_adapter_user(adapter);
	send->since_ns = clock_mono_ns(clock_system());
	*ret_context = send;
	return 0;
}

/* An event ends once per recipient. */
static size_t recipients_count(const struct dw_adapter *adapter, const struct send *send)
{
	struct resolve_result route;
	struct resolve_query query = {
		.sender = send->message.sender,
		.recipient = send->message.recipient,
		.region = send->message.region,
		.service = send->message.service,
		.answer = send->message.kind == DW_ANSWER,
		.at_ms = clock_wall_ms(clock_system()),
	};
	if (registry_resolve(dw_adapter_registry(adapter), &query, &route) != RESOLVE_OK)
		return 1;
	return route.count;
}

static int submit(struct dw_adapter *adapter, struct send *send, bool *ret_more)
{
	char why[ERROR_SIZE] = "";
	int r = dw_submit(adapter, &send->message, &send->ids, why, sizeof(why));
	send->submitted = r != DW_SEALING;
	*ret_more = r == DW_SEALING;
	if (r == DW_SEALING)
		return 0;
	send->outcomes = recipients_count(adapter, send);
	if (r > 0)
		end(adapter, send, verb_fail(VERB_NEGATIVE, "not sent: %s", why));
	return r < 0 ? r : 0;
}

static void deadline_look(struct dw_adapter *adapter, struct send *send)
{
	uint64_t waited = (clock_mono_ns(clock_system()) - send->since_ns) / 1000000000u;
	if (send->timeout_s == 0 || waited < send->timeout_s)
		return;
	end(adapter, send,
		verb_fail(VERB_NEGATIVE,
			"no answer within %llu seconds; the message waits in the outbox and is "
			"sent by "
			"the next program with this state folder",
			(unsigned long long)send->timeout_s));
}

static int op_from_agency(struct dw_adapter *adapter, void *context, bool *ret_more)
{
	struct send *send = context;
	if (!send->submitted)
		return submit(adapter, send, ret_more);
	deadline_look(adapter, send);
	return 0;
}

/* Under a key that was used before there may be no further report: what is known is the answer. */
static void known_look(struct dw_adapter *adapter, struct send *send)
{
	struct dw_known known;
	if (dw_known(adapter, send->ids.message_id, &known) != 0 || known.waiting)
		return;
	if (known.refused)
		end(adapter, send, verb_fail(VERB_NEGATIVE, "it was refused then"));
	else if (send->wait == WAIT_RECORDED || known.outcomes >= send->outcomes)
		end(adapter, send, VERB_DONE);
	else
		send->outcomes -= known.outcomes;
}

static int op_submitted(
	struct dw_adapter *adapter, void *context, struct bytes key, const struct dw_submitted *ids)
{
	struct send *send = context;
	output_queued(&send->output, ids);
	if (send->wait == WAIT_QUEUED)
		end(adapter, send, VERB_DONE);
	else if (ids->duplicate)
		known_look(adapter, send);
	return 0;
}

static int op_to_agency(struct dw_adapter *adapter, void *context,
	const struct dw_delivery *delivery, struct dw_verdict *ret)
{
	*ret = (struct dw_verdict){.disposition = DW_LATER, .code = "only-sending"};
	return 0;
}

static int op_report(struct dw_adapter *adapter, void *context, const struct dw_report *report)
{
	struct send *send = context;
	if (memcmp(report->message_id, send->ids.message_id, sizeof(report->message_id)) != 0)
		return 0; /* an earlier one of this state folder */
	output_report(&send->output, report);
	if (report->event == DW_REFUSED)
		end(adapter, send, VERB_NEGATIVE);
	/* The registry by which it was recorded may give it other recipients than the one of before. */
	if (report->event == DW_RECORDED)
		send->outcomes = recipients_count(adapter, send);
	if (report->event == DW_RECORDED && send->wait == WAIT_RECORDED)
		end(adapter, send, VERB_DONE);
	if (report->event != DW_ENDED || send->wait != WAIT_ENDED)
		return 0;
	if (!bytes_equal(report->state, BYTES_STR("accepted")))
		send->code = VERB_NEGATIVE;
	if (send->outcomes > 0)
		send->outcomes--;
	if (send->outcomes == 0)
		end(adapter, send, send->code);
	return 0;
}

static void op_progress(void *context, const struct dw_progress *progress)
{
	struct send *send = context;
	output_progress(&send->output, progress);
	if (progress->done > send->progressed)
		send->since_ns = clock_mono_ns(
			clock_system()); /* the wait is for what stands still */
	send->progressed = progress->done;
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
	.report = op_report,
	.progress = op_progress,
	.close = op_close,
	.poll_ms = TICK_MS,
};

/* ---- arguments ---- */

static const char help[] =
	"usage: dienstweg send --config FILE --service SERVICE [--to PARTY | --region ARS]\n"
	"                            --file FILE [OPTION...]\n"
	"\n"
	"Puts a document into the party's outbox, sends it, and waits.\n"
	"\n"
	"  --config FILE         the party's configuration\n"
	"  --service SERVICE     what it is, e.g. alg2.application\n"
	"  --to PARTY            recipient by name\n"
	"  --region ARS          or: whoever serves this region; neither: an event\n"
	"  --file FILE           the document, up to about 250 KiB\n"
	"  --attach FILE         a file to go with it, up to 1.96 GiB; up to 16 times\n"
	"  --content-type TYPE   its media type (application/octet-stream)\n"
	"  --schema SCHEMA       what it follows\n"
	"  --from PARTY          sender, one of the configuration's parties (the first)\n"
	"  --kind KIND           submission (usual), reply, event, enquiry or answer\n"
	"  --case HEX            continue this case\n"
	"  --in-reply-to HEX     h of the message answered; the kind is then reply\n"
	"  --key KEY             sending twice under one key is sending once\n"
	"  --wait WHAT           queued, recorded (usual) or ended\n"
	"  --timeout SECONDS     wait no longer (60; 0: for ever)\n"
	"  --json                one JSON object a line\n"
	"  --demo                allow a bus whose id ends in .demo\n"
	"\n"
	"Exit code: 0 as wished, 1 refused, rejected or not answered in time, 2 wrong usage, 3 "
	"failure.\n";

struct arguments {
	const char *config, *service, *to, *region, *file, *type, *schema, *from, *kind, *case_id,
		*in_reply_to, *key, *wait, *timeout;
	const char *attach[DW_ATTACHMENTS_MAX];
	size_t attach_count;
	bool json, demo, help;
};

/* Every option but the flags takes a text into its place. */
static int parse(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 0},
		{"service", required_argument, NULL, 1},
		{"to", required_argument, NULL, 2},
		{"region", required_argument, NULL, 3},
		{"file", required_argument, NULL, 4},
		{"content-type", required_argument, NULL, 5},
		{"schema", required_argument, NULL, 6},
		{"from", required_argument, NULL, 7},
		{"kind", required_argument, NULL, 8},
		{"case", required_argument, NULL, 9},
		{"in-reply-to", required_argument, NULL, 10},
		{"key", required_argument, NULL, 11},
		{"wait", required_argument, NULL, 12},
		{"timeout", required_argument, NULL, 13},
		{"attach", required_argument, NULL, 'a'},
		{"json", no_argument, NULL, 'j'},
		{"demo", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	const char **texts[] = {&ret->config, &ret->service, &ret->to, &ret->region, &ret->file,
		&ret->type, &ret->schema, &ret->from, &ret->kind, &ret->case_id, &ret->in_reply_to,
		&ret->key, &ret->wait, &ret->timeout};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'j')
			ret->json = true;
		else if (option == 'd')
			ret->demo = true;
		else if (option == 'h')
			ret->help = true;
		else if (option == 'a' && ret->attach_count < ARRAY_LEN(ret->attach))
			ret->attach[ret->attach_count++] = optarg;
		else if (option >= 0 && (size_t)option < ARRAY_LEN(texts))
			*texts[option] = optarg;
		else
			return verb_fail(VERB_USAGE, "try: dienstweg send --help");
	}
	if (optind < argc)
		return verb_fail(VERB_USAGE, "%s: options only; the document goes behind --file",
			argv[optind]);
	return 0;
}

static struct bytes text_of(const char *text)
{
	return text ? BYTES_STR(text) : BYTES(NULL, 0);
}

static int kind_of(const struct arguments *arguments, enum dw_kind *ret)
{
	static const char *const names[] = {[DW_SUBMISSION] = "submission",
		[DW_REPLY] = "reply",
		[DW_EVENT] = "event",
		[DW_ENQUIRY] = "enquiry",
		[DW_ANSWER] = "answer"};
	if (!arguments->kind) {
		bool event = !arguments->to && !arguments->region;
		*ret = arguments->in_reply_to ? DW_REPLY : event ? DW_EVENT : DW_SUBMISSION;
		return 0;
	}
	for (size_t i = DW_SUBMISSION; i < ARRAY_LEN(names); i++) {
		if (strcmp(arguments->kind, names[i]) == 0) {
			*ret = (enum dw_kind)i;
			return 0;
		}
	}
	return verb_fail(VERB_USAGE,
		"--kind %s: submission, reply, event, enquiry or answer is wanted", arguments->kind);
}

static int wait_of(const struct arguments *arguments, enum wait *ret)
{
	static const char *const names[] = {
		[WAIT_QUEUED] = "queued", [WAIT_RECORDED] = "recorded", [WAIT_ENDED] = "ended"};
	*ret = WAIT_RECORDED;
	if (!arguments->wait)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(arguments->wait, names[i]) == 0) {
			*ret = (enum wait)i;
			return 0;
		}
	}
	return verb_fail(
		VERB_USAGE, "--wait %s: queued, recorded or ended is wanted", arguments->wait);
}

static int ids_of(const struct arguments *arguments, struct send *send)
{
	int r = 0;
	if (arguments->case_id) {
		r = verb_hex("case", arguments->case_id, send->case_id, sizeof(send->case_id));
		send->message.case_id = send->case_id;
	}
	if (r == 0 && arguments->in_reply_to) {
		r = verb_hex("in-reply-to", arguments->in_reply_to, send->in_reply_to,
			sizeof(send->in_reply_to));
		send->message.in_reply_to = send->in_reply_to;
	}
	return r;
}

static void key_of(const struct arguments *arguments, struct send *send)
{
	uint8_t random[16];
	if (arguments->key) {
		send->message.key = BYTES_STR(arguments->key);
		return;
	}
	random_fill(random, sizeof(random));
	memcpy(send->key, "cli-", 4);
	text_hex(BYTES(random, sizeof(random)), send->key + 4);
	send->message.key = BYTES_STR(send->key);
}

/* Under their own names, as what they are to us: bytes. */
static void attachments_of(const struct arguments *arguments, struct send *send)
{
	for (size_t i = 0; i < arguments->attach_count; i++) {
		const char *path = arguments->attach[i], *slash = strrchr(path, '/');
		send->attachments[i] = (struct dw_attachment){
			.path = path,
			.name = BYTES_STR(slash ? slash + 1 : path),
			.content_type = BYTES_STR("application/octet-stream"),
		};
	}
	send->message.attachments = send->attachments;
	send->message.attachments_count = arguments->attach_count;
}

static int fill(
	const struct arguments *arguments, const struct config_adapter *config, struct send *send)
{
	if (!arguments->service || !arguments->file)
		return verb_fail(VERB_USAGE, "--service and --file are wanted");
	if (arguments->to && arguments->region)
		return verb_fail(VERB_USAGE, "--to or --region, not both");
	send->output.json = arguments->json;
	send->timeout_s = 60;
	send->message.service = BYTES_STR(arguments->service);
	send->message.sender = BYTES_STR(arguments->from ? arguments->from : config->party);
	send->message.recipient = text_of(arguments->to);
	send->message.region = text_of(arguments->region);
	send->message.schema = text_of(arguments->schema);
	send->message.content_type = BYTES_STR(
		arguments->type ? arguments->type : "application/octet-stream");
	send->message.priority = 1;
	key_of(arguments, send);
	attachments_of(arguments, send);
	int r = kind_of(arguments, &send->message.kind);
	if (r == 0)
		r = wait_of(arguments, &send->wait);
	if (r == 0)
		r = ids_of(arguments, send);
	if (r == 0 && arguments->timeout)
		r = verb_number("timeout", arguments->timeout, 86400, &send->timeout_s);
	return r;
}

int verb_send(int argc, char **argv)
{
	_cleanup_(config_adapter_free) const struct config_adapter *owner = NULL;
	_cleanup_(heap_free) uint8_t *body = NULL;
	struct config_adapter config;
	struct arguments arguments = {};
	struct send send = {};
	size_t len = 0;
	int r = parse(argc, argv, &arguments);
	if (r == 0 && arguments.help) {
		fputs(help, stdout);
		return VERB_DONE;
	}
	if (r == 0)
		r = verb_config(arguments.config, arguments.demo, &config, &owner);
	if (r == 0)
		r = fill(&arguments, &config, &send);
	if (r == 0)
		r = verb_document(arguments.file,
			": send it with --attach, beside a smaller document", &body, &len);
	if (r)
		return r;
	send.message.body = BYTES(body, len);
	config.flight.credit_messages = 0;
	r = dw_adapter_run(&config, &ops, &send);
	return r ? r : send.code;
}
