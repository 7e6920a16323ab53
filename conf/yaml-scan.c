/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A stack of the open mappings and lists is all that is needed to name each field; depth, fields and
 * path length are bounded, so the scan of any file ends in memory that the file's size bounds.
 */
#include "conf/yaml-scan.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "proto/base/cleanup.h"

struct level {
	bool list;
	size_t entry;      /* list: entries so far */
	bool have_key;     /* mapping: the next node is a value */
	size_t keys;       /* mapping: keys so far */
	size_t path_len;   /* of the path of this container */
	size_t first_mark; /* marks of this container begin here */
};

struct scan {
	struct bytes text;
	struct yaml_marks *marks;
	struct yaml_scan_error *error;
	struct level levels[YAML_DEPTH_MAX];
	size_t depth;
	char path[YAML_FIELD_SIZE]; /* of the node at hand */
	size_t documents;
};

static _printf_(3, 4) int bad(struct scan *scan, size_t line, const char *format, ...)
{
	va_list args;
	scan->error->line = line;
	snprintf(scan->error->field, sizeof(scan->error->field), "%s", scan->path);
	va_start(args, format);
	vsnprintf(scan->error->what, sizeof(scan->error->what), format, args);
	va_end(args);
	return YAML_SCAN_INVALID;
}

/* ---- marks ---- */

static int add_mark(struct scan *scan, size_t line)
{
	struct yaml_marks *marks = scan->marks;
	if (marks->count == YAML_FIELDS_MAX)
		return bad(scan, line, "more than %d fields: split the file", YAML_FIELDS_MAX);
	if (marks->count == marks->room) {
		size_t room = marks->room ? marks->room * 2 : 64;
		struct yaml_mark *items = realloc(marks->items, room * sizeof(*items));
		if (!items)
			return -ENOMEM;
		marks->items = items;
		marks->room = room;
	}
	char *field = strdup(scan->path);
	if (!field)
		return -ENOMEM;
	marks->items[marks->count++] = (struct yaml_mark){.field = field, .line = line};
	return 0;
}

static const struct yaml_mark *find_mark(
	const struct yaml_marks *marks, size_t from, const char *field)
{
	for (size_t i = from; i < marks->count; i++)
		if (strcmp(marks->items[i].field, field) == 0)
			return &marks->items[i];
	return NULL;
}

size_t yaml_marks_line(const struct yaml_marks *marks, const char *field)
{
	char path[YAML_FIELD_SIZE];
	snprintf(path, sizeof(path), "%s", field);
	for (size_t len = strlen(path); len > 0; len--) {
		bool whole = path[len] == 0 || path[len] == '.' || path[len] == '[';
		path[len] = 0;
		const struct yaml_mark *mark = whole ? find_mark(marks, 0, path) : NULL;
		if (mark)
			return mark->line;
	}
	return 0;
}

void yaml_marks_deinit(struct yaml_marks *marks)
{
	for (size_t i = 0; i < marks->count; i++)
		free(marks->items[i].field);
	free(marks->items);
	*marks = (struct yaml_marks){0};
}

/* ---- nodes ---- */

/* The node at hand is the next entry of a list: its path is "list[n]". */
static int begin_entry(struct scan *scan, struct level *level, size_t line)
{
	size_t at = level->path_len;
	int n = snprintf(scan->path + at, sizeof(scan->path) - at, "[%zu]", ++level->entry);
	if (n < 0 || at + (size_t)n >= sizeof(scan->path))
		return bad(scan, line, "named too deeply");
	return add_mark(scan, line);
}

/* A key of a mapping: remember it, refuse it when it was there before. */
static int begin_key(struct scan *scan, struct level *level, const char *key, size_t line)
{
	size_t at = level->path_len;
	int n = snprintf(scan->path + at, sizeof(scan->path) - at, "%s%s", at ? "." : "", key);
	if (n < 0 || at + (size_t)n >= sizeof(scan->path))
		return bad(scan, line, "named too long");
	level->have_key = true;
	if (++level->keys > YAML_KEYS_MAX)
		return bad(scan, line, "more than %d fields side by side", YAML_KEYS_MAX);
	const struct yaml_mark *before = find_mark(scan->marks, level->first_mark, scan->path);
	if (before)
		return bad(scan, line, "given twice, first in line %zu; keep one", before->line);
	return add_mark(scan, line);
}

/* A value is about to come: a list counts it, a mapping has used its key up. */
static int begin_value(struct scan *scan, size_t line)
{
	if (scan->depth == 0)
		return 0;
	struct level *level = &scan->levels[scan->depth - 1];
	if (level->list)
		return begin_entry(scan, level, line);
	level->have_key = false;
	return 0;
}

static int on_scalar(struct scan *scan, const yaml_event_t *event, size_t line)
{
	const char *text = (const char *)event->data.scalar.value;
	struct level *level = scan->depth ? &scan->levels[scan->depth - 1] : NULL;
	bool is_key = level && !level->list && !level->have_key;
	if (strlen(text) != event->data.scalar.length)
		return bad(scan, line, "contains a NUL character; remove it");
	if (is_key)
		return begin_key(scan, level, text, line);
	return begin_value(scan, line);
}

static int on_open(struct scan *scan, bool list, size_t line)
{
	struct level *level = scan->depth ? &scan->levels[scan->depth - 1] : NULL;
	if (level && !level->list && !level->have_key)
		return bad(scan, line, "a key must be one word");
	int r = begin_value(scan, line);
	if (r)
		return r;
	if (scan->depth == YAML_DEPTH_MAX)
		return bad(scan, line, "nested deeper than %d", YAML_DEPTH_MAX);
	scan->levels[scan->depth++] = (struct level){
		.list = list, .path_len = strlen(scan->path), .first_mark = scan->marks->count};
	return 0;
}

static int on_close(struct scan *scan)
{
	assert(scan->depth > 0);
	scan->path[scan->levels[--scan->depth].path_len] = 0;
	return 0;
}

static int on_event(struct scan *scan, const yaml_event_t *event)
{
	size_t line = event->start_mark.line + 1;
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		scan->path[0] = 0;
		return scan->documents++ ? bad(scan, line, "a second document begins; keep one") : 0;
	case YAML_ALIAS_EVENT:
		return bad(scan, line, "aliases (*) are not followed; write the value out");
	case YAML_SCALAR_EVENT:
		return on_scalar(scan, event, line);
	case YAML_MAPPING_START_EVENT:
		return on_open(scan, false, line);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(scan, true, line);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return on_close(scan);
	default:
		return 0;
	}
}

/* Bytes that are no characters have an offset, but no line. */
static size_t problem_line(const struct scan *scan, const yaml_parser_t *parser)
{
	size_t line = 1;
	if (parser->error != YAML_READER_ERROR)
		return parser->problem_mark.line + 1;
	for (size_t i = 0; i < scan->text.len && i < parser->problem_offset; i++)
		line += scan->text.data[i] == '\n';
	return line;
}

static int scan_events(struct scan *scan, yaml_parser_t *parser)
{
	for (bool end = false; !end;) {
		yaml_event_t event;
		if (!yaml_parser_parse(parser, &event)) {
			if (parser->error == YAML_MEMORY_ERROR)
				return -ENOMEM;
			scan->path[0] = 0; /* the mistake may be anywhere before */
			return bad(scan, problem_line(scan, parser), "this is no YAML: %s",
				parser->problem ? parser->problem : "unreadable");
		}
		int r = on_event(scan, &event);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		if (r)
			return r;
	}
	return 0;
}

int yaml_scan(struct bytes text, struct yaml_marks *marks, struct yaml_scan_error *error)
{
	struct scan scan = {.text = text, .marks = marks, .error = error};
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, text.data, text.len);
	int r = scan_events(&scan, &parser);
	yaml_parser_delete(&parser);
	return r;
}
