/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "proto/base/bytes.h"

/* The first pass over a YAML file: what is refused outright, and the line of every field. */
enum {
	YAML_SCAN_INVALID = 1,
	YAML_DEPTH_MAX = 12,
	YAML_FIELDS_MAX = 200000,
	YAML_KEYS_MAX = 256,   /* of one mapping: looking for a second one is quadratic */
	YAML_FIELD_SIZE = 256, /* a path and NUL */
};

struct yaml_mark {
	char *field; /* path */
	size_t line; /* from 1 */
};

struct yaml_marks {
	struct yaml_mark *items;
	size_t count, room;
};

struct yaml_scan_error {
	size_t line;
	char field[YAML_FIELD_SIZE];
	char what[256];
};

/**
 * yaml_scan() - one pass over the events
 * @text:  the file's bytes
 * @marks: filled; yaml_marks_deinit() in any case
 * @error: filled when invalid
 * Return: 0, YAML_SCAN_INVALID, -ENOMEM.
 */
int yaml_scan(struct bytes text, struct yaml_marks *marks, struct yaml_scan_error *error);

/**
 * yaml_marks_line() - where a field stands
 * @marks: of the file
 * @field: its path
 * Return: its line, or that of the nearest field around it, or 0.
 */
size_t yaml_marks_line(const struct yaml_marks *marks, const char *field);

/**
 * yaml_marks_deinit() - free
 * @marks: zeroed or filled
 */
void yaml_marks_deinit(struct yaml_marks *marks);
