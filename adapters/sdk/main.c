/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The part of every adapter's main() that is the same: arguments, configuration, guards, signals, exit
 * code. Signals are blocked before anything starts a thread (ZeroMQ does), so that they arrive at the one
 * descriptor that the loop watches.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include "adapters/sdk/adapter.h"
#include "adapters/sdk/core.h"
#include "adapters/sdk/follow.h"
#include "adapters/sdk/loop.h"
#include "adapters/sdk/witness.h"
#include "conf/guard.h"
#include "proto/base/crypto.h"
#include "proto/base/log.h"

enum { EXIT_DONE = 0, EXIT_NEGATIVE = 1, EXIT_USAGE = 2, EXIT_BROKEN = 3 };

static int signals_open(int *ret)
{
	sigset_t set;
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigaction(SIGPIPE, &ignore, NULL) != 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;
	*ret = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret < 0 ? -errno : 0;
}

static int serve(struct dw_adapter *adapter, int signal_fd)
{
	int r = adapter->ops->open(adapter, adapter->config, &adapter->context);
	if (r) {
		log_error("adapter", "the legacy system cannot be opened", F_ERR(r));
		return EXIT_BROKEN;
	}
	log_info("adapter", "started", F_STR("party", adapter->config->party),
		F_STR("bus", adapter->config->bus), F_U64("queued", adapter->outbox.count));
	r = loop_run(adapter, signal_fd);
	if (r < 0)
		log_error("adapter", "this adapter cannot go on", F_ERR(r));
	else
		log_info("adapter", "ended");
	adapter->ops->close(adapter->context);
	if (r < 0)
		return EXIT_BROKEN;
	return r ? EXIT_NEGATIVE : EXIT_DONE;
}

int dw_adapter_run(const struct config_adapter *config, const struct dw_adapter_ops *ops, void *user)
{
	char why[CONFIG_ERROR_SIZE] = "";
	_cleanup_(fd_close) int signal_fd = -1;
	struct dw_adapter adapter = {
		.config = config, .ops = ops, .user = user, .clock = clock_system()};
	int code = EXIT_BROKEN;
	int r = crypto_init();
	if (r == 0)
		r = signals_open(&signal_fd);
	if (r == 0)
		r = core_open(&adapter, why, sizeof(why));
	if (r == 0) {
		code = serve(&adapter, signal_fd);
	} else {
		fprintf(stderr, "%s: %s\n", ops->name, why[0] ? why : strerrordesc_np(-r));
		code = r > 0 ? EXIT_NEGATIVE : EXIT_BROKEN;
	}
	core_close(&adapter);
	return code;
}

/* ---- arguments ---- */

struct arguments {
	const char *config;
	bool check;
	bool demo;
	int exit; /* < 0: go on */
};

static void usage(FILE *out, const char *name)
{
	fprintf(out,
		"usage: %s --config FILE [--check] [--demo]\n"
		"\n"
		"  --config FILE  configuration, see dienstweg-config(5)\n"
		"  --check        read and check everything, then end\n"
		"  --demo         allow a bus whose id ends in .demo\n"
		"  --help         this text\n"
		"  --version      name and version\n"
		"\n"
		"Exit code: 0 done, 1 a check failed or a person has to look, 2 wrong usage, 3 "
		"failure.\n",
		name);
}

static struct arguments parse(int argc, char **argv, const char *name)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"demo", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{},
	};
	struct arguments arguments = {.exit = -1};
	int option;
	while (arguments.exit < 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments.config = optarg;
			break;
		case 'k':
			arguments.check = true;
			break;
		case 'd':
			arguments.demo = true;
			break;
		case 'h':
			usage(stdout, name);
			arguments.exit = EXIT_DONE;
			break;
		case 'v':
			printf("%s %s\n", name, DIENSTWEG_VERSION);
			arguments.exit = EXIT_DONE;
			break;
		default:
			arguments.exit = EXIT_USAGE;
		}
	}
	if (arguments.exit < 0 && (optind < argc || !arguments.config)) {
		fprintf(stderr, "%s: %s\n", name,
			optind < argc ? "there are no arguments but options"
				      : "--config FILE is missing");
		usage(stderr, name);
		arguments.exit = EXIT_USAGE;
	}
	return arguments;
}

/* What a start would find, without touching the state folder. */
static int check(const struct config_adapter *config, const struct dw_adapter_ops *ops, char *why,
	size_t size)
{
	struct follow follow;
	char field[1024] = "";
	_cleanup_(parties_free) struct parties *parties = NULL;
	const struct follow_options options = {
		config->policy, config->registry, config->state, config->bus};
	int r = follow_init(&follow, &options, why, size);
	if (r)
		return r;
	r = parties_open(config, follow.registry, &parties, why, size);
	if (r == 0 && config->witness)
		r = witness_check(config, why, size);
	if (r == 0 && ops->check &&
		(r = ops->check(config, follow.registry, field, sizeof(field))) > 0)
		snprintf(why, size, "%s: %.1000s", config->path, field);
	follow_deinit(&follow);
	return r;
}

int dw_adapter_main(int argc, char **argv, const struct dw_adapter_ops *ops)
{
	char why[CONFIG_ERROR_SIZE] = "";
	_cleanup_(config_adapter_free) const struct config_adapter *config = NULL;
	struct arguments arguments = parse(argc, argv, ops->name);
	if (arguments.exit >= 0)
		return arguments.exit;
	log_init(ops->name, LOG_INFO, 2);
	int r = crypto_init();
	if (r == 0)
		r = config_adapter_read(arguments.config, &config, why, sizeof(why));
	if (r == 0) {
		log_init(ops->name, config->log_level, 2);
		r = guard_adapter(config, arguments.demo, why, sizeof(why));
	}
	if (r == 0 && arguments.check)
		r = check(config, ops, why, sizeof(why));
	if (r) {
		fprintf(stderr, "%s: %s\n", ops->name, why[0] ? why : strerrordesc_np(-r));
		return why[0] ? EXIT_NEGATIVE : EXIT_BROKEN;
	}
	if (arguments.check) {
		printf("%s: configuration, policy, registry, keys and connector are in order\n",
			ops->name);
		return EXIT_DONE;
	}
	return dw_adapter_run(config, ops, NULL);
}
