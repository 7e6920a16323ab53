/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Every number carries its unit in the file, where people misread them. The complaint shows what was
 * written, what is possible, and an example in the same unit.
 */
#include "conf/param.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {{"TiB", UINT64_C(1) << 40}, {"GiB", 1 << 30},
	{"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {NULL}};
static const struct unit time_units[] = {
	{"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {"days", 86400000}, {NULL}};

static const struct unit *units_of(enum param_type type)
{
	switch (type) {
	case PARAM_BYTES:
	case PARAM_PAGES:
		return byte_units;
	case PARAM_TIME:
		return time_units;
	default:
		return NULL;
	}
}

void param_unit(enum param_type type, uint64_t value, char *buf, size_t size)
{
	const struct unit *unit = units_of(type);
	for (; unit && unit->name; unit++)
		if (value % unit->factor == 0 && (value || unit->factor == 1)) {
			snprintf(buf, size, "%llu %s", (unsigned long long)(value / unit->factor),
				unit->name);
			return;
		}
	snprintf(buf, size, "%llu%s", (unsigned long long)value, type == PARAM_PERCENT ? " %" : "");
}

/* ---- numbers ---- */

static int bad_number(const struct param_context *context, const struct param *row,
	const char *field, const char *text, const char *what)
{
	char min[32], max[32];
	param_unit(row->type, row->min, min, sizeof(min));
	param_unit(row->type, row->max, max, sizeof(max));
	return yaml_file_fail(context->file, context->error, field, "\"%.40s\" %s; write %s to %s",
		text, what, min, max);
}

/* "64 GiB" or "64GiB" into digits and unit. */
static int split_unit(
	const struct unit *units, const char *text, struct bytes *digits, uint64_t *factor)
{
	*digits = BYTES(text, strspn(text, "0123456789"));
	*factor = 1;
	const char *name = text + digits->len;
	if (!units)
		return *name ? 1 : 0;
	while (*name == ' ')
		name++;
	for (; units->name; units++)
		if (strcmp(units->name, name) == 0) {
			*factor = units->factor;
			return 0;
		}
	return 1;
}

static int read_number(const struct param_context *context, const struct param *row,
	const char *field, const char *text, uint64_t *ret)
{
	struct bytes digits;
	uint64_t factor = 1, number = 0;
	const struct unit *units = units_of(row->type);
	if (split_unit(units, text, &digits, &factor) || digits.len == 0)
		return bad_number(context, row, field, text,
			units ? "is no number with a unit" : "is no whole number");
	if (text_parse_u64(digits, &number) || number > UINT64_MAX / factor)
		return bad_number(context, row, field, text, "is no number, or too large");
	number *= factor;
	if (number < row->min || number > row->max)
		return bad_number(context, row, field, text, "is out of range");
	if (row->type == PARAM_PAGES && number % 4096)
		return bad_number(context, row, field, text, "is no multiple of 4 KiB");
	*ret = number;
	return 0;
}

/* ---- words ---- */

static int keep(const struct param_context *context, const char *text, const char **ret)
{
	struct bytes copy;
	int r = arena_copy(context->arena, BYTES(text, strlen(text) + 1), &copy);
	if (r == 0)
		*ret = (const char *)copy.data;
	return r;
}

/* A path in a file is relative to that file: the daemon may be started from anywhere. */
static int read_path(
	const struct param_context *context, const char *prefix, const char *text, const char **ret)
{
	char path[4096];
	const char *folder = text[0] == '/' ? "" : context->folder;
	if (strncmp(text, "STATE/", 6) == 0 && context->state) {
		folder = context->state;
		text += 6;
	}
	int n = snprintf(path, sizeof(path), "%s%s%s%s", prefix, folder, *folder ? "/" : "", text);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return keep(context, path, ret);
}

/* "tcp://HOST:PORT": an address, a host name, or to bind an interface or "*". */
static bool is_tcp(const char *text, bool bind)
{
	const char *colon = strrchr(text, ':');
	uint64_t port = 0;
	if (!colon || colon == text)
		return false;
	for (const char *p = text; p < colon; p++)
		if (*p <= ' ' || *p == '/' || *p >= 127)
			return false;
	if (bind && strcmp(colon + 1, "*") == 0)
		return true;
	return text_parse_u64(BYTES_STR(colon + 1), &port) == 0 && port >= 1 && port <= 65535;
}

static int read_endpoint(const struct param_context *context, const struct param *row,
	const char *field, const char *text, const char **ret)
{
	if (strncmp(text, "tcp://", 6) == 0 && is_tcp(text + 6, row->type == PARAM_LISTEN))
		return keep(context, text, ret);
	if (strncmp(text, "ipc://", 6) == 0 && text[6] && text[6] != '@')
		return read_path(context, "ipc://", text + 6, ret);
	return yaml_file_fail(context->file, context->error, field,
		"\"%.80s\" is no endpoint; write tcp://HOST:PORT or ipc://PATH", text);
}

static int read_choice(const struct param_context *context, const struct param *row,
	const char *field, const char *text, const char **ret)
{
	size_t len = strlen(text);
	for (const char *p = row->choices; *p;) {
		size_t word = strcspn(p, " ");
		if (len == word && memcmp(p, text, len) == 0)
			return keep(context, text, ret);
		p += word + (p[word] == ' ');
	}
	return yaml_file_fail(context->file, context->error, field,
		"\"%.40s\" is not possible; write one of: %s", text, row->choices);
}

static int read_name(
	const struct param_context *context, const char *field, const char *text, const char **ret)
{
	if (!text_is_name(BYTES_STR(text)))
		return yaml_file_fail(context->file, context->error, field,
			"\"%.80s\" is no name; write 1 to 63 of a-z 0-9 . -, no . or - at the ends",
			text);
	return keep(context, text, ret);
}

static int read_level(const struct param_context *context, const char *field, const char *text,
	enum log_level *ret)
{
	if (log_level_parse(text, ret) == 0)
		return 0;
	return yaml_file_fail(context->file, context->error, field,
		"\"%.40s\" is no level; write debug, info, warn or error", text);
}

int param_value(const struct param_context *context, const struct param *row, const char *field,
	const char *text, void *ret)
{
	if (!*text)
		return yaml_file_fail(context->file, context->error, field,
			"has no value; write one or leave the line out");
	switch (row->type) {
	case PARAM_COUNT:
	case PARAM_PERCENT:
	case PARAM_BYTES:
	case PARAM_PAGES:
	case PARAM_TIME:
		return read_number(context, row, field, text, ret);
	case PARAM_NAME:
		return read_name(context, field, text, ret);
	case PARAM_PATH:
		return read_path(context, "", text, ret);
	case PARAM_ENDPOINT:
	case PARAM_LISTEN:
		return read_endpoint(context, row, field, text, ret);
	case PARAM_CHOICE:
		return read_choice(context, row, field, text, ret);
	case PARAM_LOG_LEVEL:
		return read_level(context, field, text, ret);
	case PARAM_SETTINGS:
		break;
	}
	assert(!"a list of settings is not one value");
	return -EINVAL;
}
