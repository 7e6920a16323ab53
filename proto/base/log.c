/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A line is built on the stack and written once. It is at most PIPE_BUF long, because that is what a
 * pipe (journald, a container runtime) takes whole; what does not fit is left out and the line says
 * so, so it is valid JSON in any case. A line that cannot be written is dropped: logging must never
 * stop traffic. Bytes outside printable ASCII are escaped one by one: they come from strangers, and a
 * terminal must not obey them.
 */
#include "proto/base/log.h"

#include "proto/base/clock.h"
#include "proto/base/text.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOG_VALUE_MAX = 200 };

/* The house's one mutable object: set by log_init() before threads start, then only read. */
static struct {
	const char *program;
	enum log_level level;
	int fd;
} log_state = {.program = "dienstweg", .level = LOG_INFO, .fd = STDERR_FILENO};

static const char *const log_level_names[] = {
	[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

/* A text that stops growing when full; @mark is the length up to which it is whole. */
struct log_line {
	char text[PIPE_BUF];
	size_t len;
	size_t mark;
	bool full;
};

static const char log_tail_cut[] = ",\"truncated\":true}\n";

void log_init(const char *program, enum log_level level, int fd)
{
	assert(level >= LOG_DEBUG && level <= LOG_ERROR);
	log_state.program = program;
	log_state.level = level;
	log_state.fd = fd;
}

int log_level_parse(const char *text, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(log_level_names); i++) {
		if (strcmp(text, log_level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return 1;
}

static void line_add(struct log_line *line, const char *text, size_t len)
{
	if (line->full || len > sizeof(line->text) - sizeof(log_tail_cut) - line->len) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void line_add_str(struct log_line *line, const char *text)
{
	line_add(line, text, strlen(text));
}

_printf_(2, 3) static void line_format(struct log_line *line, const char *format, ...)
{
	char text[32];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < sizeof(text));
	line_add(line, text, (size_t)n);
}

static void line_escape(struct log_line *line, struct bytes value)
{
	size_t len = value.len < LOG_VALUE_MAX ? value.len : LOG_VALUE_MAX;
	line_add_str(line, "\"");
	for (size_t i = 0; i < len; i++) {
		uint8_t c = value.data[i];
		if (c < 0x20 || c > 0x7e)
			line_format(line, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			line_add(line, (char[]){'\\', (char)c}, 2);
		else
			line_add(line, (char[]){(char)c}, 1);
	}
	line_add_str(line, len < value.len ? "...\"" : "\"");
}

static void line_hex(struct log_line *line, struct bytes value)
{
	char hex[LOG_VALUE_MAX + 1];
	size_t len = value.len < LOG_VALUE_MAX / 2 ? value.len : LOG_VALUE_MAX / 2;
	text_hex(BYTES(value.data, len), hex);
	line_add_str(line, "\"");
	line_add_str(line, hex);
	line_add_str(line, len < value.len ? "...\"" : "\"");
}

/* Failures by name and text, verdicts by their number. */
static void line_error(struct log_line *line, int64_t code)
{
	const char *name = code < 0 && code >= -4095 ? strerrorname_np((int)-code) : NULL;
	if (!name) {
		line_format(line, "%lld", (long long)code);
		return;
	}
	line_add_str(line, "\"");
	line_add_str(line, name);
	line_add_str(line, ": ");
	line_add_str(line, strerrordesc_np((int)-code));
	line_add_str(line, "\"");
}

static void line_value(struct log_line *line, const struct log_field *field)
{
	switch (field->type) {
	case LOG_STR:
		if (field->str)
			line_escape(line, BYTES_STR(field->str));
		else
			line_add_str(line, "null");
		break;
	case LOG_U64:
		line_format(line, "%llu", (unsigned long long)field->u64);
		break;
	case LOG_I64:
		line_format(line, "%lld", (long long)field->i64);
		break;
	case LOG_ERRNO:
		line_error(line, field->i64);
		break;
	case LOG_HEX:
		line_hex(line, field->bytes);
		break;
	case LOG_BYTES:
		line_escape(line, field->bytes);
		break;
	}
}

/* Adds the field whole or not at all. */
static void line_field(struct log_line *line, const struct log_field *field)
{
	if (line->full)
		return;
	line_add_str(line, line->len ? "," : "{");
	line_escape(line, BYTES_STR(field->key));
	line_add_str(line, ":");
	line_value(line, field);
	if (line->full)
		line->len = line->mark;
	else
		line->mark = line->len;
}

static void line_write(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

void log_write(
	enum log_level level, const char *module, const char *event, const struct log_field *fields)
{
	if (level < log_state.level)
		return;
	assert(level >= LOG_DEBUG && level <= LOG_ERROR);
	int saved = errno;
	char time[25];
	struct log_line line;
	line.len = line.mark = 0;
	line.full = false;
	clock_format_utc(clock_wall_ms(clock_system()), time);
	line_field(&line, &F_STR("time", time));
	line_field(&line, &F_STR("level", log_level_names[level]));
	line_field(&line, &F_STR("program", log_state.program));
	line_field(&line, &F_STR("module", module));
	line_field(&line, &F_STR("event", event));
	for (; fields->key; fields++)
		line_field(&line, fields);
	const char *tail = line.full ? log_tail_cut : "}\n";
	size_t tail_len = strlen(tail);
	memcpy(line.text + line.len, tail, tail_len);
	line_write(log_state.fd, line.text, line.len + tail_len);
	errno = saved;
}
