/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/config.h"
#include "proto/base/cleanup.h"

/* What the verbs of dienstweg-party have in common. */
enum { VERB_DONE = 0, VERB_NEGATIVE = 1, VERB_USAGE = 2, VERB_FAILED = 3 };

/* The verbs; each parses its own arguments and gives the exit code. */
int verb_ask(int argc, char **argv);
int verb_send(int argc, char **argv);
int verb_receive(int argc, char **argv);
int verb_evidence(int argc, char **argv);
int verb_access(int argc, char **argv);
int verb_cancel(int argc, char **argv);

/* Say on standard error what is wrong, and give the code back. */
int verb_fail(int code, const char *format, ...) _printf_(2, 3);

/**
 * verb_config() - read an adapter's configuration and see whether it may be used
 * @path: of the file, or NULL
 * @demo: --demo was given
 * @ret:  a copy whose figures may be changed; its text is owned by @owner
 * @owner: config_adapter_free()
 * Return: 0, or a VERB_* after saying why.
 */
int verb_config(const char *path, bool demo, struct config_adapter *ret,
	const struct config_adapter **owner);

/**
 * verb_number() - a number given as an option
 * @option: its name, for the sentence
 * @text:   as given
 * @max:    largest
 * @ret:    the number
 * Return: 0 or VERB_USAGE after saying why.
 */
int verb_number(const char *option, const char *text, uint64_t max, uint64_t *ret);

/**
 * verb_hex() - fixed bytes given as hex
 * @option: its name, for the sentence
 * @text:   as given
 * @buf:    result
 * @len:    bytes expected
 * Return: 0 or VERB_USAGE after saying why.
 */
int verb_hex(const char *option, const char *text, uint8_t *buf, size_t len);

/**
 * verb_document() - a file that is sent as the content of a message
 * @path:   given as an option
 * @remedy: what to do when it is too large, behind "larger than 256 KiB"
 * @ret:    malloc'd
 * @ret_len: its length
 * Return: 0 or VERB_FAILED after saying why.
 */
int verb_document(const char *path, const char *remedy, uint8_t **ret, size_t *ret_len);
