/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * `ask` is an adapter that has one question. It speaks for the party while it waits, so what else comes for the
 * party is put off; and it ends with the answer, or with the reason why none came, in words that tell what to do.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapters/cli/output.h"
#include "adapters/cli/verb.h"
#include "adapters/sdk/adapter.h"
#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"

enum { ERROR_SIZE = 512, PATIENCE_MAX_S = 86400, OTHERS_LATER_MS = 60000 };

struct ask {
	struct output output;
	struct dw_message message;
	uint64_t timeout_s; /* 0: as long as the service gives */
	const char *out;    /* NULL: standard output */
	uint8_t case_id[16];
	char key[2 * 16 + 5];
	bool submitted;
	bool recorded; /* how far it came */
	bool taken;
	int code;
};

static int op_open(
	struct dw_adapter *adapter, const struct config_adapter *config, void **ret_context)
{
	*ret_context = dw_adapter_user(adapter);
	return 0;
}

static int op_from_agency(struct dw_adapter *adapter, void *context, bool *ret_more)
{
	struct ask *ask = context;
	struct dw_submitted ids;
	char why[ERROR_SIZE] = "";
	if (ask->submitted)
		return 0;
	ask->submitted = true;
	int r = dw_ask(
		adapter, &ask->message, (uint32_t)(ask->timeout_s * 1000), &ids, why, sizeof(why));
	if (r <= 0)
		return r;
	ask->code = verb_fail(VERB_NEGATIVE, "not asked: %s", why);
	dw_adapter_stop(adapter);
	return 0;
}

static int op_submitted(
	struct dw_adapter *adapter, void *context, struct bytes key, const struct dw_submitted *ids)
{
	return 0;
}

static int op_to_agency(struct dw_adapter *adapter, void *context,
	const struct dw_delivery *delivery, struct dw_verdict *ret)
{
	*ret = (struct dw_verdict){
		.disposition = DW_LATER, .code = "unavailable", .delay_ms = OTHERS_LATER_MS};
	return 0;
}

static int op_report(struct dw_adapter *adapter, void *context, const struct dw_report *report)
{
	struct ask *ask = context;
	if (!bytes_equal(report->key, ask->message.key))
		return 0; /* an earlier one of this state folder */
	ask->recorded |= report->event == DW_RECORDED;
	ask->taken |= report->event == DW_ENDED;
	return 0;
}

/* ---- how it ended ---- */

/* A sentence of the bus or of another party, without what could move a terminal's cursor. */
static void sentence(struct bytes text, char *buf, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len && n + 1 < size; i++)
		if (text.data[i] >= ' ' && text.data[i] != 0x7f)
			buf[n++] = (char)text.data[i];
	buf[n] = '\0';
}

static const char *why_unanswered(const struct ask *ask, struct bytes code)
{
	if (bytes_equal(code, BYTES_STR("unanswered")) && !ask->recorded)
		return "the bus could not be reached in time; ask again when it can";
	if (bytes_equal(code, BYTES_STR("unanswered")))
		return ask->taken ? "it was taken, and not answered in time; ask again, or ask "
				    "the other side why"
				  : "nobody took it in time: the other side is not connected; ask "
				    "again later";
	if (bytes_equal(code, BYTES_STR("expired")))
		return "nobody took it in time: the other side is not connected, or this "
		       "machine's clock is wrong; ask again later";
	if (bytes_equal(code, BYTES_STR("rejected")))
		return "the other side sent it back";
	if (bytes_equal(code, BYTES_STR("cancelled")) || bytes_equal(code, BYTES_STR("discarded")))
		return "it was withdrawn before anybody took it";
	return "the bus refused it";
}

/* FILE.NUMBER-NAME: accepting the answer is accepting them. */
static int attachments_keep(const struct ask *ask, const struct dw_delivery *delivery)
{
	int r = 0;
	for (size_t i = 0; i < delivery->attachments_count && r == 0; i++) {
		const struct dw_arrived *arrived = &delivery->attachments[i];
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "%s.%zu-%.*s", ask->out ? ask->out : "answer",
			i + 1, (int)arrived->name.len, (const char *)arrived->name.data);
		r = n < (int)sizeof(path) ? dw_arrived_keep(arrived, path) : -ENAMETOOLONG;
	}
	return r;
}

static int answer_keep(const struct ask *ask, const struct dw_delivery *delivery)
{
	struct bytes body = delivery->body;
	int r = attachments_keep(ask, delivery);
	if (r)
		return r;
	if (ask->out)
		return file_replace(ask->out, body, 0600);
	if (ask->output.json)
		return 0; /* it stands in the object */
	if (fwrite(body.data, 1, body.len, stdout) != body.len || fflush(stdout) != 0)
		return -EIO;
	return 0;
}

static int op_answered(struct dw_adapter *adapter, void *context, const struct dw_answer *answer)
{
	struct ask *ask = context;
	char text[ERROR_SIZE] = "", code[64];
	int r = 0;
	if (answer->delivery) {
		r = answer_keep(ask, answer->delivery);
		if (r)
			ask->code = verb_fail(VERB_FAILED, "%s: %s",
				ask->out ? ask->out : "standard output", strerrordesc_np(-r));
		else if (ask->output.json)
			output_answer(&ask->output, answer, ask->out, NULL);
		dw_adapter_stop(adapter);
		return r;
	}
	const char *why = why_unanswered(ask, answer->code);
	sentence(answer->text, text, sizeof(text));
	sentence(answer->code, code, sizeof(code));
	ask->code = VERB_NEGATIVE;
	if (ask->output.json)
		output_answer(&ask->output, answer, NULL, why);
	else
		verb_fail(VERB_NEGATIVE, "no answer: %s (%s)%s%s", why, code, *text ? ": " : "",
			text);
	dw_adapter_stop(adapter);
	return 0;
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
	.answered = op_answered,
	.close = op_close,
};

/* ---- arguments ---- */

static const char help[] =
	"usage: dienstweg ask --config FILE --service SERVICE (--to PARTY | --region ARS)\n"
	"                           --file FILE [OPTION...]\n"
	"\n"
	"Asks, waits for the answer and prints it; or says why none came.\n"
	"\n"
	"  --config FILE         the party's configuration\n"
	"  --service SERVICE     a service for enquiries\n"
	"  --to PARTY            whom, by name\n"
	"  --region ARS          or: whoever serves this region\n"
	"  --file FILE           the question, up to about 250 KiB\n"
	"  --content-type TYPE   its media type (application/octet-stream)\n"
	"  --schema SCHEMA       what it follows\n"
	"  --from PARTY          who asks, one of the configuration's parties (the first)\n"
	"  --case HEX            in this case (a new one)\n"
	"  --timeout SECONDS     wait no longer (as long as the service gives)\n"
	"  --out FILE            write the answer there (standard output); what is attached to it\n"
	"                        goes to FILE.NUMBER-NAME (answer.NUMBER-NAME)\n"
	"  --json                one JSON object: the answer, or why there is none\n"
	"  --demo                allow a bus whose id ends in .demo\n"
	"\n"
	"Exit code: 0 answered, 1 not answered, 2 wrong usage, 3 failure.\n";

struct arguments {
	const char *config, *service, *to, *region, *file, *type, *schema, *from, *case_id,
		*timeout, *out;
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
		{"case", required_argument, NULL, 8},
		{"timeout", required_argument, NULL, 9},
		{"out", required_argument, NULL, 10},
		{"json", no_argument, NULL, 'j'},
		{"demo", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	const char **texts[] = {&ret->config, &ret->service, &ret->to, &ret->region, &ret->file,
		&ret->type, &ret->schema, &ret->from, &ret->case_id, &ret->timeout, &ret->out};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'j')
			ret->json = true;
		else if (option == 'd')
			ret->demo = true;
		else if (option == 'h')
			ret->help = true;
		else if (option >= 0 && (size_t)option < ARRAY_LEN(texts))
			*texts[option] = optarg;
		else
			return verb_fail(VERB_USAGE, "try: dienstweg ask --help");
	}
	if (optind < argc)
		return verb_fail(VERB_USAGE, "%s: options only; the question goes behind --file",
			argv[optind]);
	return 0;
}

static struct bytes text_of(const char *text)
{
	return text ? BYTES_STR(text) : BYTES(NULL, 0);
}

static void key_make(struct ask *ask)
{
	uint8_t random[16];
	random_fill(random, sizeof(random));
	memcpy(ask->key, "ask-", 4);
	text_hex(BYTES(random, sizeof(random)), ask->key + 4);
	ask->message.key = BYTES_STR(ask->key);
}

static int fill(
	const struct arguments *arguments, const struct config_adapter *config, struct ask *ask)
{
	int r = 0;
	if (!arguments->service || !arguments->file)
		return verb_fail(VERB_USAGE, "--service and --file are wanted");
	if (!arguments->to == !arguments->region)
		return verb_fail(VERB_USAGE, "--to or --region, one of both: who is asked?");
	ask->output.json = arguments->json;
	ask->out = arguments->out;
	ask->message = (struct dw_message){
		.kind = DW_ENQUIRY,
		.service = BYTES_STR(arguments->service),
		.sender = BYTES_STR(arguments->from ? arguments->from : config->party),
		.recipient = text_of(arguments->to),
		.region = text_of(arguments->region),
		.schema = text_of(arguments->schema),
		.content_type = BYTES_STR(
			arguments->type ? arguments->type : "application/octet-stream"),
	};
	key_make(ask);
	if (arguments->case_id) {
		r = verb_hex("case", arguments->case_id, ask->case_id, sizeof(ask->case_id));
		ask->message.case_id = ask->case_id;
	}
	if (r == 0 && arguments->timeout)
		r = verb_number("timeout", arguments->timeout, PATIENCE_MAX_S, &ask->timeout_s);
	return r;
}

int verb_ask(int argc, char **argv)
{
	_cleanup_(config_adapter_free) const struct config_adapter *owner = NULL;
	_cleanup_(heap_free) uint8_t *body = NULL;
	struct config_adapter config;
	struct arguments arguments = {};
	struct ask ask = {};
	size_t len = 0;
	int r = parse(argc, argv, &arguments);
	if (r == 0 && arguments.help) {
		fputs(help, stdout);
		return VERB_DONE;
	}
	if (r == 0)
		r = verb_config(arguments.config, arguments.demo, &config, &owner);
	if (r == 0)
		r = fill(&arguments, &config, &ask);
	if (r == 0)
		r = verb_document(arguments.file, ": ask with less", &body, &len);
	if (r)
		return r;
	ask.message.body = BYTES(body, len);
	r = dw_adapter_run(&config, &ops, &ask);
	return r ? r : ask.code;
}
