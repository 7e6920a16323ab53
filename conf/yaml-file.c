/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * libcyaml knows structure, but it names the line before a mistake as often as the line of it, cuts
 * strings at a NUL, ignores further documents, and follows aliases (a few of which make a billion). So a
 * first pass over libyaml's events refuses what has no place in a configuration and notes where each
 * field stands; the second pass is libcyaml's, and its complaints are put into our words and lines.
 */
#include "conf/yaml-file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/yaml-scan.h"
#include "proto/base/file.h"

struct yaml_file {
	char *path;
	uint8_t *text;
	size_t len;
	struct yaml_marks marks;
};

/* ---- complaints ---- */

static void complain(
	struct yaml_error error, const char *path, size_t line, const char *field, const char *what)
{
	char where[32] = "";
	if (line)
		snprintf(where, sizeof(where), ":%zu", line);
	snprintf(error.text, error.size, "%s%s: %s%s%s", path, where, field, *field ? ": " : "",
		what);
}

int yaml_file_fail(const struct yaml_file *file, struct yaml_error error, const char *field,
	const char *format, ...)
{
	char what[768];
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	complain(error, file->path, yaml_marks_line(&file->marks, field), field, what);
	return YAML_INVALID;
}

/* ---- reading ---- */

static int scan(struct yaml_file *file, struct yaml_error error)
{
	struct yaml_scan_error why = {0};
	int r = yaml_scan(BYTES(file->text, file->len), &file->marks, &why);
	if (r > 0) {
		complain(error, file->path, why.line, why.field, why.what);
		return YAML_INVALID;
	}
	return r;
}

int yaml_file_read(const char *path, struct yaml_file **ret, struct yaml_error error)
{
	_cleanup_(yaml_file_free) struct yaml_file *file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->path = strdup(path);
	if (!file->path)
		return -ENOMEM;
	int r = file_read(path, YAML_BYTES_MAX, &file->text, &file->len);
	if (r < 0) {
		complain(error, path, 0, "", strerrordesc_np(-r));
		return r;
	}
	if (r) {
		complain(error, path, 0, "", "larger than 4 MiB: this is no configuration");
		return YAML_INVALID;
	}
	r = scan(file, error);
	if (r)
		return r;
	*ret = steal(&file);
	return 0;
}

void yaml_file_free(struct yaml_file *file)
{
	if (!file)
		return;
	yaml_marks_deinit(&file->marks);
	free(file->text);
	free(file->path);
	free(file);
}

/* ---- loading ---- */

enum { TRACE_MAX = 16 };

/* What libcyaml said: its first sentence, and the backtrace from the inside out. */
struct cyaml_report {
	char sentence[256];
	char trace[TRACE_MAX][256];
	size_t steps;
};

static _printf_(3, 0) void collect(
	cyaml_log_t level, void *context, const char *format, va_list args)
{
	struct cyaml_report *report = context;
	char line[256];
	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = 0;
	if (strncmp(line, "  in ", 5) == 0) {
		if (report->steps < TRACE_MAX)
			snprintf(report->trace[report->steps++], 256, "%s", line + 5);
	} else if (!report->sentence[0]) {
		const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
		snprintf(report->sentence, sizeof(report->sentence), "%s", text);
	}
}

static cyaml_config_t config_for(struct cyaml_report *report)
{
	return (cyaml_config_t){
		.log_fn = collect,
		.log_ctx = report,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

/* "mapping field 'journal' (line: 3, column: 1)" to ".journal"; "sequence entry '2'" to "[2]". */
static void add_step(char *field, size_t size, const char *step)
{
	const char *open = strchr(step, '\'');
	const char *close = open ? strchr(open + 1, '\'') : NULL;
	size_t at = strlen(field);
	if (!close)
		return;
	int len = (int)(close - open - 1);
	if (strncmp(step, "sequence entry", 14) == 0)
		snprintf(field + at, size - at, "[%.*s]", len, open + 1);
	else
		snprintf(field + at, size - at, "%s%.*s", at ? "." : "", len, open + 1);
}

static void report_field(const struct cyaml_report *report, size_t skip, char *field, size_t size)
{
	field[0] = 0;
	for (size_t i = report->steps; i > skip; i--)
		add_step(field, size, report->trace[i - 1]);
}

/* The name after the colon in "Unexpected key: titel". */
static void add_name(char *field, size_t size, const char *sentence)
{
	const char *colon = strstr(sentence, ": ");
	size_t at = strlen(field);
	if (colon)
		snprintf(field + at, size - at, "%s%s", at ? "." : "", colon + 2);
}

static const struct cyaml_schema_field *fields_of(
	const cyaml_schema_value_t *schema, const struct cyaml_report *report)
{
	for (size_t i = report->steps; i > 0 && schema; i--) {
		char name[128] = "";
		add_step(name, sizeof(name), report->trace[i - 1]);
		if (schema->type == CYAML_SEQUENCE) {
			schema = schema->sequence.entry;
			continue;
		}
		if (!name[0] || schema->type != CYAML_MAPPING)
			continue;
		const struct cyaml_schema_field *field = schema->mapping.fields;
		while (field->key && strcmp(field->key, name) != 0)
			field++;
		schema = field->key ? &field->value : NULL;
	}
	return schema && schema->type == CYAML_MAPPING ? schema->mapping.fields : NULL;
}

static void list_keys(const struct cyaml_schema_field *fields, char *buf, size_t size)
{
	buf[0] = 0;
	for (; fields && fields->key; fields++) {
		size_t at = strlen(buf);
		snprintf(buf + at, size - at, "%s%s", at ? ", " : "", fields->key);
	}
}

static int translate(const struct yaml_file *file, const cyaml_schema_value_t *schema, int code,
	const struct cyaml_report *report, struct yaml_error error)
{
	char field[256], keys[512];
	switch (code) {
	case CYAML_ERR_OOM:
		return -ENOMEM;
	case CYAML_ERR_INVALID_KEY:
		/* While it looks for a key, the field before it is still on the trace. */
		report_field(report, 0, field, sizeof(field));
		list_keys(fields_of(schema, report), keys, sizeof(keys));
		add_name(field, sizeof(field), report->sentence);
		return yaml_file_fail(file, error, field, "unknown; known here: %s", keys);
	case CYAML_ERR_MAPPING_FIELD_MISSING:
		report_field(report, 1, field, sizeof(field));
		add_name(field, sizeof(field), report->sentence);
		return yaml_file_fail(file, error, field, "missing; add it");
	case CYAML_ERR_SEQUENCE_ENTRIES_MAX:
	case CYAML_ERR_SEQUENCE_ENTRIES_MIN:
		/* The last entry that was counted is on the trace. */
		report_field(report, strncmp(report->trace[0], "sequence entry", 14) == 0, field,
			sizeof(field));
		return yaml_file_fail(file, error, field, "too many or too few entries");
	case CYAML_ERR_INVALID_VALUE:
		report_field(report, 0, field, sizeof(field));
		if (strstr(report->sentence, "Expecting SEQUENCE"))
			return yaml_file_fail(file, error, field,
				"must be a list; put each entry on a line of its own after \"- \"");
		if (strstr(report->sentence, "Expecting MAPPING"))
			return yaml_file_fail(file, error, field,
				"must have fields of its own; write them indented below it");
		if (strstr(report->sentence, "_START"))
			return yaml_file_fail(file, error, field, "must be one value, not several");
		return yaml_file_fail(file, error, field, "no such value is possible here");
	default:
		report_field(report, 0, field, sizeof(field));
		return yaml_file_fail(file, error, field, "%s",
			report->sentence[0] ? report->sentence : cyaml_strerror((cyaml_err_t)code));
	}
}

int yaml_file_load(const struct yaml_file *file, const cyaml_schema_value_t *schema, void **ret,
	struct yaml_error error)
{
	struct cyaml_report report = {0};
	cyaml_config_t config = config_for(&report);
	void *data = NULL;
	cyaml_err_t code = cyaml_load_data(file->text, file->len, &config, schema, &data, NULL);
	if (code != CYAML_OK)
		return translate(file, schema, code, &report, error);
	*ret = data;
	return 0;
}

void yaml_file_release(const cyaml_schema_value_t *schema, void *data)
{
	struct cyaml_report report = {0};
	cyaml_config_t config = config_for(&report);
	if (data)
		cyaml_free(&config, schema, data, 0);
}
