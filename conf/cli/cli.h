/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * What the verbs of `dienstweg` share: exit codes, options, complaints. A verb is one function in one
 * file; it gets its own name as argv[0].
 */
enum cli_exit {
	CLI_DONE = 0,     /* yes, done */
	CLI_NEGATIVE = 1, /* a negative finding */
	CLI_USAGE = 2,    /* wrong usage */
	CLI_FAILED = 3,   /* failure */
};

struct cli_list {
	const char **items; /* into argv */
	size_t count, max;
};

/* One of the three is set. */
struct cli_option {
	const char *name; /* "--out" */
	const char **value;
	bool *flag;
	struct cli_list *list;
};

struct cli_verb {
	const char *name; /* "registry build" */
	const char *help; /* what --help prints */
	const struct cli_option *options;
	size_t options_count;
	struct cli_list *words; /* what is no option; NULL: none are taken */
};

/**
 * cli_parse() - read a verb's arguments; prints help or a complaint
 * @verb: what is possible
 * @argc: of the verb
 * @argv: of the verb, its name first
 * @ret:  exit code when the verb has nothing left to do
 * Return: true to go on.
 */
bool cli_parse(const struct cli_verb *verb, int argc, char **argv, int *ret);

/**
 * cli_usage() - complain about arguments
 * @verb:   whose
 * @format: what is wrong
 * Return: CLI_USAGE, always.
 */
int cli_usage(const struct cli_verb *verb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * cli_fail() - complain on standard error
 * @code:   exit code
 * @format: what is wrong
 * Return: @code.
 */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * cli_flush() - did everything that was printed arrive?
 * @code: exit code if it did
 * Return: @code or CLI_FAILED.
 */
int cli_flush(int code);

/**
 * keygen_run() - dienstweg keygen
 * @argc: of the verb
 * @argv: of the verb
 * Return: exit code.
 */
int keygen_run(int argc, char **argv);

/**
 * registry_run() - dienstweg registry
 * @argc: of the verb
 * @argv: of the verb
 * Return: exit code.
 */
int registry_run(int argc, char **argv);

/**
 * registry_build_run() - dienstweg registry build
 * @argc: of the verb
 * @argv: of the verb
 * Return: exit code.
 */
int registry_build_run(int argc, char **argv);

/**
 * registry_sign_run() - dienstweg registry sign
 * @argc: of the verb
 * @argv: of the verb
 * Return: exit code.
 */
int registry_sign_run(int argc, char **argv);

/**
 * registry_policy_run() - dienstweg registry policy
 * @argc: of the verb
 * @argv: of the verb
 * Return: exit code.
 */
int registry_policy_run(int argc, char **argv);

/**
 * registry_check_run() - dienstweg registry check
 * @argc: of the verb
 * @argv: of the verb
 * Return: exit code.
 */
int registry_check_run(int argc, char **argv);

/**
 * registry_show_run() - dienstweg registry show
 * @argc: of the verb
 * @argv: of the verb
 * Return: exit code.
 */
int registry_show_run(int argc, char **argv);

/**
 * config_run() - dienstweg config
 * @argc: of the verb
 * @argv: of the verb
 * Return: exit code.
 */
int config_run(int argc, char **argv);
