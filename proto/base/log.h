/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * Structured log lines: one JSON object a line on standard error (or a file descriptor), written with
 * one write(2), so lines of several threads never mix. Values are numbers, plain ASCII names and hex:
 * never content, names of people, or keys. Thread: any. State is process-wide inside log.c's one
 * permitted object, set once at start by log_init().
 */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/**
 * log_init() - set program name, level and descriptor; call once before threads start
 * @program: name in every line; must outlive the process (argv or literal)
 * @level:   least level written
 * @fd:      where to write, usually 2
 */
void log_init(const char *program, enum log_level level, int fd);

/**
 * log_level_parse() - "debug", "info", "warn" or "error"
 * @text:  the word
 * @ret:   the level
 * Return: 0, or 1 when the word is none of these.
 */
int log_level_parse(const char *text, enum log_level *ret);

/* Fields, built with the macros below; the array ends with a NULL key. */
struct log_field {
	const char *key;
	enum { LOG_STR, LOG_U64, LOG_I64, LOG_ERRNO, LOG_HEX, LOG_BYTES } type;
	union {
		const char *str;
		uint64_t u64;
		int64_t i64;        /* LOG_ERRNO: a negative errno or a verdict */
		struct bytes bytes; /* LOG_HEX: printed as hex; LOG_BYTES: printed as escaped text */
	};
};

/**
 * log_write() - write one line; use the log_*() macros
 * @level:  its level
 * @module: short constant such as "journal"
 * @event:  short constant sentence: what happened
 * @fields: key-values, ended by a NULL key; values are escaped and cut at 200 bytes. Once a field makes
 *          the line longer than PIPE_BUF, it and the rest are left out and "truncated" is true
 */
void log_write(enum log_level level, const char *module, const char *event,
	const struct log_field *fields);

#define F_STR(k, v)   ((struct log_field){.key = (k), .type = LOG_STR, .str = (v)})
#define F_U64(k, v)   ((struct log_field){.key = (k), .type = LOG_U64, .u64 = (v)})
#define F_I64(k, v)   ((struct log_field){.key = (k), .type = LOG_I64, .i64 = (v)})
#define F_HEX(k, v)   ((struct log_field){.key = (k), .type = LOG_HEX, .bytes = (v)})
#define F_BYTES(k, v) ((struct log_field){.key = (k), .type = LOG_BYTES, .bytes = (v)})
/* A failure code: prints errno's name and text; a verdict: prints its number. */
#define F_ERR(r) ((struct log_field){.key = "error", .type = LOG_ERRNO, .i64 = (r)})

#define log_at(level, module, event, ...)                                                          \
	log_write(level, module, event,                                                            \
		(const struct log_field[]){                                                        \
			__VA_ARGS__ __VA_OPT__(, )(struct log_field){.key = NULL}})
#define log_debug(module, event, ...) log_at(LOG_DEBUG, module, event, __VA_ARGS__)
#define log_info(module, event, ...)  log_at(LOG_INFO, module, event, __VA_ARGS__)
#define log_warn(module, event, ...)  log_at(LOG_WARN, module, event, __VA_ARGS__)
#define log_error(module, event, ...) log_at(LOG_ERROR, module, event, __VA_ARGS__)
