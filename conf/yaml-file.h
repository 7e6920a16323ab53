/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include <cyaml/cyaml.h>

#include "proto/base/cleanup.h"

/*
 * A YAML file as people write it: one document of mappings, lists and words. It is scanned once, to know
 * the line of every field (libcyaml forgets them, and rules are checked after loading), and then loaded
 * by schema. Every complaint is one line: "file:line: field: what is wrong; remedy".
 *
 * Fields are named by path: "journal.map_size", "parties[3].keys" (list entries count from 1).
 */
enum {
	YAML_INVALID = 1, /* reterr tells */
	YAML_BYTES_MAX = 4 << 20,
};

struct yaml_file;

/* Where complaints go: room for one line. */
struct yaml_error {
	char *text;
	size_t size;
};

/**
 * yaml_file_read() - read and scan
 * @path:  the file; kept as given for complaints
 * @ret:   the file; yaml_file_free()
 * @error: complaint
 * Return: 0, YAML_INVALID, negative errno (with a complaint).
 */
int yaml_file_read(const char *path, struct yaml_file **ret, struct yaml_error error);
void yaml_file_free(struct yaml_file *file); /* takes NULL */
DEFINE_CLEANUP(struct yaml_file *, yaml_file_free);

/**
 * yaml_file_load() - load by schema
 * @file:   read
 * @schema: a mapping with CYAML_FLAG_POINTER
 * @ret:    what libcyaml made, NULL for an empty file; yaml_file_release()
 * @error:  complaint
 * Return: 0, YAML_INVALID, -ENOMEM.
 */
int yaml_file_load(const struct yaml_file *file, const cyaml_schema_value_t *schema, void **ret,
	struct yaml_error error);

/**
 * yaml_file_release() - free what was loaded
 * @schema: that it was loaded by
 * @data:   may be NULL
 */
void yaml_file_release(const cyaml_schema_value_t *schema, void *data);

/**
 * yaml_file_fail() - complain about a field
 * @file:   read
 * @error:  where to
 * @field:  its path; of an absent one the nearest enclosing line is named
 * @format: what is wrong; remedy
 * Return: YAML_INVALID, always.
 */
int yaml_file_fail(const struct yaml_file *file, struct yaml_error error, const char *field,
	const char *format, ...) _printf_(4, 5);
