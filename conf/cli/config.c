/* SPDX-License-Identifier: EUPL-1.2 */

/* Printed and checked by the very table that the daemons read by: what is said here is what they do. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/cli/cli.h"
#include "conf/config.h"

static const char help[] =
	"usage: dienstweg config print broker|adapter [--man]\n"
	"       dienstweg config check broker|adapter FILE\n"
	"\n"
	"  print  every parameter with its meaning, range and default, as a file to start from\n"
	"  check  read a file as the daemon would; exit 1 when it has a mistake\n"
	"  --man  print as the section of dienstweg-config(5)\n";

static int check(enum config_kind kind, const char *path)
{
	char why[CONFIG_ERROR_SIZE] = "";
	_cleanup_(config_broker_free) const struct config_broker *broker = NULL;
	_cleanup_(config_adapter_free) const struct config_adapter *adapter = NULL;
	int r = kind == CONFIG_BROKER ? config_broker_read(path, &broker, why, sizeof(why))
				      : config_adapter_read(path, &adapter, why, sizeof(why));
	if (r)
		return cli_fail(r < 0 ? CLI_FAILED : CLI_NEGATIVE, "%s",
			why[0] ? why : strerrordesc_np(-r));
	printf("%s: good\n", path);
	return cli_flush(CLI_DONE);
}

int config_run(int argc, char **argv)
{
	const char *items[3];
	bool man = false;
	struct cli_list words = {.items = items, .max = ARRAY_LEN(items)};
	const struct cli_option options[] = {{"--man", .flag = &man}};
	const struct cli_verb verb = {"config", help, options, ARRAY_LEN(options), &words};
	int code;
	if (!cli_parse(&verb, argc, argv, &code))
		return code;
	bool prints = words.count == 2 && strcmp(items[0], "print") == 0;
	bool checks = words.count == 3 && strcmp(items[0], "check") == 0;
	if (!prints && !checks)
		return cli_usage(&verb, "needs print or check, and broker or adapter");
	if (strcmp(items[1], "broker") != 0 && strcmp(items[1], "adapter") != 0)
		return cli_usage(&verb, "%s is neither broker nor adapter", items[1]);
	enum config_kind kind = strcmp(items[1], "broker") == 0 ? CONFIG_BROKER : CONFIG_ADAPTER;
	if (checks)
		return check(kind, items[2]);
	int r = config_print(kind, man ? CONFIG_FORM_SCDOC : CONFIG_FORM_YAML, STDOUT_FILENO);
	return r < 0 ? cli_fail(CLI_FAILED, "the output could not be written: %s",
			       strerrordesc_np(-r))
		     : CLI_DONE;
}
