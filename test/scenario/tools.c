/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Stories are told through what people see: words typed, text printed, an exit code. Which program answers a verb is
 * told in one place, so that a story reads like a terminal.
 */
#include "test/scenario/tools.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/kit/check.h"

struct command {
	char program[512];
	char config[512];
	const char *words[TOOL_WORDS_MAX + 8];
	size_t count;
};

static void add(struct command *command, const char *word)
{
	CHECK(command->count < ARRAY_LEN(command->words) - 1);
	command->words[command->count++] = word;
}

static void begin(struct command *command, const char *program)
{
	*command = (struct command){};
	add(command, program_path(program, command->program, sizeof(command->program)));
}

static void add_all(struct command *command, const char *first, va_list rest)
{
	for (const char *word = first; word; word = va_arg(rest, const char *))
		add(command, word);
}

static void add_config(struct command *command, const struct bus *bus, const char *name)
{
	snprintf(command->config, sizeof(command->config), "%s/%s.yaml", bus->dir, name);
	add(command, "--config");
	add(command, command->config);
}

static char *run(const struct command *command, int expected)
{
	char *output = NULL;
	int code = process_run(command->words, &output, TOOL_MS);
	if (code != expected)
		CHECK_FAIL("%s %s %s: exit %d, expected %d:\n%s", command->words[0],
			command->words[1], command->words[2], code, expected, output);
	return output;
}

char *tool_admin(const struct bus *bus, int expected, const char *first, ...)
{
	struct command command;
	va_list rest;
	begin(&command, "broker/dienstweg-admin");
	va_start(rest, first);
	add_all(&command, first, rest);
	va_end(rest);
	add_config(&command, bus, "broker");
	return run(&command, expected);
}

static void party_begin(struct command *command, const struct bus *bus, const char *party,
	const char *verb, va_list rest)
{
	begin(command, "adapters/cli/dienstweg-party");
	add_all(command, verb, rest);
	add_config(command, bus, party);
	add(command, "--demo");
}

char *tool_party(const struct bus *bus, const char *party, int expected, const char *verb, ...)
{
	struct command command;
	va_list rest;
	va_start(rest, verb);
	party_begin(&command, bus, party, verb, rest);
	va_end(rest);
	return run(&command, expected);
}

void tool_party_start(
	const struct bus *bus, struct process *process, const char *party, const char *verb, ...)
{
	struct command command;
	char log[600];
	va_list rest;
	va_start(rest, verb);
	party_begin(&command, bus, party, verb, rest);
	va_end(rest);
	snprintf(log, sizeof(log), "%s/logs/%s.log", bus->dir, party);
	process_start(process, log, command.words);
}

void tool_holds(char *output, ...)
{
	const char *from = output, *text;
	va_list texts;
	va_start(texts, output);
	while ((text = va_arg(texts, const char *)) != NULL) {
		const char *at = strstr(from, text);
		if (!at)
			CHECK_FAIL("\"%s\" is not (there) in:\n%s", text, output);
		from = at + strlen(text);
	}
	va_end(texts);
	free(output);
}

unsigned long long tool_figure(const struct bus *bus, const char *after, const char *field)
{
	unsigned long long value = 0;
	char *status = tool_admin(bus, 0, "status", "--json", NULL);
	const char *from = after ? strstr(status, after) : status;
	const char *at = from ? strstr(from, field) : NULL;
	if (from && !at)
		CHECK_FAIL("%s is not in %s", field, from);
	for (at = at ? at + strlen(field) : ""; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (unsigned long long)(*at - '0');
	free(status);
	return value;
}

size_t tool_count(const char *output, const char *text)
{
	size_t count = 0;
	for (const char *at = output; (at = strstr(at, text)) != NULL; at += strlen(text))
		count++;
	return count;
}
