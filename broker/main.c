/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The process around the broker: what it may do to itself (no core dumps, because keys are in memory;
 * enough descriptors, because running out makes ZeroMQ spin), what people typed, and which exit code
 * tells what. Everything else is broker.c.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/notify.h"
#include "conf/guard.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS_ARE_SOUGHT 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define LEAKS_ARE_SOUGHT 1
#endif

enum exit_code {
	EXIT_DONE = 0,
	EXIT_NEGATIVE = 1, /* the configuration, or what it names, does not allow to serve */
	EXIT_USAGE = 2,
	EXIT_FAILED = 3,
};

enum {
	DESCRIPTORS_PER_SESSION = 2,
	DESCRIPTORS_SPARE = 256,
	GROUND_MAX = 512, /* of what is journaled and sent to every adapter */
};

static const char help[] =
	"usage: dienstweg-broker --config FILE [--check] [--demo] [--accept-journal WHY]\n"
	"                        [--new-epoch NUMBER --ground WHY]\n"
	"\n"
	"The broker of a bus: takes signed messages from agencies, journals them, and passes them "
	"on.\n"
	"\n"
	"  --config FILE  configuration (dienstweg-config(5))\n"
	"  --check        check configuration, keys, policy, registry and keyring; start nothing\n"
	"  --demo         allow a bus whose name ends in .demo\n"
	"  --accept-journal WHY\n"
	"                 sign on from a journal although its high-water file is missing or says "
	"that\n"
	"                 more was signed; WHY is journaled\n"
	"  --new-epoch NUMBER\n"
	"                 the journal lost entries for good: go on under the origin BUS/NUMBER; "
	"does "
	"nothing\n"
	"                 when that has begun already\n"
	"  --ground WHY   why, and on whose order: journaled with the account of this process\n"
	"  --help         this text\n"
	"  --version      name and version\n"
	"\n"
	"Exit codes: 0 drained (or checked), 1 refused to start, 2 wrong usage, 3 failure.\n"
	"Signals: TERM and INT drain, a second one ends at once; HUP looks for a newer registry "
	"(dienstweg registry\n"
	"reload tells how that ended).\n";

struct arguments {
	const char *config;
	bool check;
	bool demo;
	const char *accept;
	const char *ground;
	const char *number;
	struct journal_order epoch; /* of these two */
};

/* Of the two that a new epoch needs, there are both or none. */
static bool order_read(struct arguments *arguments)
{
	uint64_t number;
	if (!arguments->number && !arguments->ground)
		return true;
	if (!arguments->number || !arguments->ground || !*arguments->ground || arguments->accept ||
		strlen(arguments->ground) > GROUND_MAX ||
		text_parse_u64(BYTES_STR(arguments->number), &number) != 0 || number == 0 ||
		number > UINT32_MAX)
		return false;
	arguments->epoch = (struct journal_order){
		.epoch = (uint32_t)number, .account = getuid(), .words = arguments->ground};
	return true;
}

/* Return: -1 to go on, or the exit code. */
static int arguments_read(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"demo", no_argument, NULL, 'd'},
		{"accept-journal", required_argument, NULL, 'a'},
		{"new-epoch", required_argument, NULL, 'e'},
		{"ground", required_argument, NULL, 'g'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			ret->config = optarg;
			break;
		case 'k':
			ret->check = true;
			break;
		case 'd':
			ret->demo = true;
			break;
		case 'a':
			ret->accept = optarg;
			break;
		case 'e':
			ret->number = optarg;
			break;
		case 'g':
			ret->ground = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_DONE;
		case 'v':
			puts("dienstweg-broker " DIENSTWEG_VERSION);
			return EXIT_DONE;
		default:
			fputs(help, stderr);
			return EXIT_USAGE;
		}
	}
	if (ret->config && optind == argc && order_read(ret))
		return -1;
	fputs(help, stderr);
	return EXIT_USAGE;
}

/* Keys in memory must not reach a disk; a leak checker needs to look into the process, though. */
static void process_harden(void)
{
	const struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
#ifndef LEAKS_ARE_SOUGHT
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static void descriptors_raise(const struct config_broker *config)
{
	struct rlimit limit;
	rlim_t need = config->limits.sessions_max * DESCRIPTORS_PER_SESSION + DESCRIPTORS_SPARE;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < need)
		log_warn("broker", "few descriptors for so many sessions: raise LimitNOFILE",
			F_U64("have", limit.rlim_cur), F_U64("need", need));
}

/* For people who type, and for the log, which may be all that is kept. */
static int refuse(int r, const char *why)
{
	fprintf(stderr, "dienstweg-broker: %s\n", *why ? why : strerrordesc_np(-r));
	return r > 0 ? EXIT_NEGATIVE : EXIT_FAILED;
}

static int serve(const struct config_broker *config, const struct broker_orders *orders)
{
	char why[BROKER_ERROR_SIZE] = "";
	_cleanup_(broker_free) struct broker *broker = NULL;
	int r = broker_new(config, clock_system(), orders, &broker, why, sizeof(why));
	if (r != 0)
		return refuse(r, why);
	log_info("broker", "serving", F_STR("bus", config->bus),
		F_STR("endpoint", broker_endpoint(broker)), F_STR("version", DIENSTWEG_VERSION));
	notify_send("READY=1");
	r = reactor_run(broker_reactor(broker));
	notify_send("STOPPING=1");
	if (r == REACTOR_DONE) {
		log_info("broker", "drained");
		return EXIT_DONE;
	}
	/* Nothing is answered and nothing is tidied: what was committed stands, the rest never was. */
	log_error("broker", "cannot go on", F_ERR(r));
	_exit(EXIT_FAILED);
}

/*
 * The journal is read through the memory map of its file: what the file lacks, because it was cut short or the
 * disk cannot read it, arrives as this signal, and there is nothing to go on with.
 */
static void journal_cut_short(int signal_number)
{
	static const char why[] = "dienstweg-broker: the journal's file ends before its data does, "
				  "or the disk cannot be "
				  "read: look at the disk, or restore the journal from a backup\n";
	(void)signal_number;
	(void)!write(STDERR_FILENO, why, sizeof(why) - 1); /* the exit code tells it too */
	_exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
	char why[BROKER_ERROR_SIZE] = "";
	struct arguments arguments = {0};
	_cleanup_(config_broker_free) const struct config_broker *config = NULL;
	int code = arguments_read(argc, argv, &arguments);
	if (code >= 0)
		return code;
	process_harden();
	sigaction(SIGBUS, &(struct sigaction){.sa_handler = journal_cut_short}, NULL);
	log_init("dienstweg-broker", LOG_INFO, STDERR_FILENO);
	int r = crypto_init();
	if (r == 0)
		r = config_broker_read(arguments.config, &config, why, sizeof(why));
	if (r == 0)
		r = guard_broker(config, arguments.demo, why, sizeof(why));
	if (r == 0 && arguments.check)
		r = broker_check(config, why, sizeof(why));
	if (r != 0)
		return *why ? refuse(1, why) : refuse(r, why);
	if (arguments.check) {
		printf("%s: good\n", arguments.config);
		return EXIT_DONE;
	}
	log_init("dienstweg-broker", config->log_level, STDERR_FILENO);
	descriptors_raise(config);
	const struct broker_orders orders = {
		arguments.accept, arguments.number ? &arguments.epoch : NULL};
	return serve(config, &orders);
}
