/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * getopt_long() keeps its place in globals and abbreviates options, so that a script written today may
 * mean another option tomorrow. Here an option is its whole name, "--name VALUE" or "--name=VALUE".
 */
#include "conf/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cli_usage(const struct cli_verb *verb, const char *format, ...)
{
	va_list args;
	fprintf(stderr, "dienstweg %s: ", verb->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry: dienstweg %s --help\n", verb->name);
	return CLI_USAGE;
}

int cli_fail(int code, const char *format, ...)
{
	va_list args;
	fprintf(stderr, "dienstweg: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int cli_flush(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	return cli_fail(CLI_FAILED, "the output could not be written: %m");
}

static const struct cli_option *find(const struct cli_verb *verb, const char *word, size_t len)
{
	for (size_t i = 0; i < verb->options_count; i++) {
		const char *name = verb->options[i].name;
		if (strlen(name) == len && memcmp(name, word, len) == 0)
			return &verb->options[i];
	}
	return NULL;
}

static bool append(struct cli_list *list, const char *word)
{
	if (!list || list->count == list->max)
		return false;
	list->items[list->count++] = word;
	return true;
}

static int take_value(
	const struct cli_verb *verb, const struct cli_option *option, const char *value)
{
	if (!value || !*value)
		return cli_usage(verb, "%s needs a value", option->name);
	if (option->list)
		return append(option->list, value) ? 0
						   : cli_usage(verb, "too many %s", option->name);
	if (*option->value)
		return cli_usage(verb, "%s is given twice", option->name);
	*option->value = value;
	return 0;
}

/* Takes the option at argv[*i] and, when it has one, its value. */
static int take_option(const struct cli_verb *verb, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct cli_option *option = find(verb, word, len);
	if (!option)
		return cli_usage(verb, "unknown option %s", word);
	if (option->flag) {
		*option->flag = true;
		return equals ? cli_usage(verb, "%s takes no value", option->name) : 0;
	}
	if (equals)
		return take_value(verb, option, equals + 1);
	return take_value(verb, option, *i + 1 < argc ? argv[++*i] : NULL);
}

bool cli_parse(const struct cli_verb *verb, int argc, char **argv, int *ret)
{
	bool words_only = false;
	*ret = 0;
	for (int i = 1; i < argc && *ret == 0; i++) {
		const char *word = argv[i];
		if (!words_only && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
			fputs(verb->help, stdout);
			*ret = cli_flush(CLI_DONE);
			return false;
		}
		if (!words_only && strcmp(word, "--") == 0)
			words_only = true;
		else if (!words_only && word[0] == '-' && word[1])
			*ret = take_option(verb, argc, argv, &i);
		else if (!append(verb->words, word))
			*ret = cli_usage(verb, "unexpected word %s", word);
	}
	return *ret == 0;
}
