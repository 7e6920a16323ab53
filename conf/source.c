/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The rules of a registry live in proto/registry and are checked there, for every registry that is
 * loaded. What is checked here a second time is what people get wrong in an editor: only here the line
 * is known.
 */
#include "conf/source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/param.h"
#include "conf/source-compile.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/registry/content.h"
#include "proto/registry/registry.h"

enum { ARENA_BUDGET = 128 << 20 };

static const struct {
	const char *name;
	const cyaml_schema_value_t *schema;
} files[SOURCE_FILES] = {
	[SOURCE_BUS] = {"bus.yaml", &source_bus_schema},
	[SOURCE_PARTIES] = {"parties.yaml", &source_parties_schema},
	[SOURCE_SERVICES] = {"services.yaml", &source_services_schema},
	[SOURCE_AGREEMENTS] = {"agreements.yaml", &source_agreements_schema},
};

/* ---- what the parts use ---- */

int source_fail(const struct source *source, int file, const char *field, const char *format, ...)
{
	char what[768];
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	yaml_file_fail(source->files[file], source->error, field, "%s", what);
	return SOURCE_INVALID;
}

struct source_field source_field(const char *format, ...)
{
	struct source_field field;
	va_list args;
	va_start(args, format);
	vsnprintf(field.path, sizeof(field.path), format, args);
	va_end(args);
	return field;
}

ProtobufCBinaryData source_text(const char *word)
{
	size_t len = word ? strlen(word) : 0;
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)word};
}

int source_list(const struct source *source, size_t count, size_t size, void (*init)(void *),
	void *ret_list)
{
	void **list = arena_zalloc(source->arena, (count + 1) * sizeof(*list));
	uint8_t *messages = arena_zalloc(source->arena, (count + 1) * size);
	if (!list || !messages)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		list[i] = messages + i * size;
		init(list[i]);
	}
	memcpy(ret_list, &list, sizeof(list));
	return 0;
}

int source_name(const struct source *source, int file, const char *field, const char *name)
{
	if (text_is_name(BYTES_STR(name)))
		return 0;
	return source_fail(source, file, field,
		"\"%.80s\" is no name; write 1 to 63 of a-z 0-9 . -, no . or - at the ends", name);
}

int source_number(const struct source *source, int file, const char *field, const char *word,
	uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t number = 0;
	if (!word)
		return 0;
	if (text_parse_u64(BYTES_STR(word), &number) || number < min || number > max)
		return source_fail(source, file, field,
			"\"%.40s\" is not possible; write a whole number from %llu to %llu", word,
			(unsigned long long)min, (unsigned long long)max);
	*ret = number;
	return 0;
}

int source_title(const struct source *source, int file, const char *field, const char *text)
{
	if (!text || content_text_ok(BYTES_STR(text), REGISTRY_TITLE_MAX))
		return 0;
	return source_fail(source, file, field, "must be one line of 1 to %d bytes; shorten it",
		REGISTRY_TITLE_MAX);
}

/* ---- the whole ---- */

static int read_files(struct source *source, const char *folder)
{
	char path[4096];
	for (int i = 0; i < SOURCE_FILES; i++) {
		int r = path_join(path, sizeof(path), folder, files[i].name);
		if (r == 0)
			r = yaml_file_read(path, &source->files[i], source->error);
		if (r == 0)
			r = yaml_file_load(
				source->files[i], files[i].schema, &source->data[i], source->error);
		if (r)
			return r < 0 ? r : SOURCE_INVALID;
	}
	return 0;
}

/* The order of the files, which sorting loses. */
struct written {
	const char *what, *field;
	int file;
	struct bytes *names;
	size_t count;
};

static int remember(struct source *source, struct written all[3])
{
	const Dienstweg__RegistryContent *c = &source->content;
	const struct written written[3] = {{"party", "parties", SOURCE_PARTIES, NULL, c->n_parties},
		{"service", "services", SOURCE_SERVICES, NULL, c->n_services},
		{"agreement", "agreements", SOURCE_AGREEMENTS, NULL, c->n_agreements}};
	for (size_t k = 0; k < ARRAY_LEN(written); k++) {
		all[k] = written[k];
		all[k].names = arena_alloc(source->arena, (all[k].count + 1) * sizeof(struct bytes));
		if (!all[k].names)
			return -ENOMEM;
		for (size_t i = 0; i < all[k].count; i++)
			all[k].names[i] = BYTES_PB(k == 0   ? c->parties[i]->name
						   : k == 1 ? c->services[i]->name
							    : c->agreements[i]->id);
	}
	return 0;
}

/* Rules of the whole begin with "party NAME", ...: who wrote it is told the line. */
static int fail_where_written(const struct source *source, const struct written all[3],
	const char *folder, const char *why)
{
	for (size_t k = 0; k < 3; k++) {
		size_t len = strlen(all[k].what);
		if (strncmp(why, all[k].what, len) != 0 || why[len] != ' ')
			continue;
		struct bytes name = BYTES(why + len + 1, strcspn(why + len + 1, ": "));
		for (size_t i = 0; i < all[k].count; i++)
			if (bytes_equal(name, all[k].names[i]))
				return source_fail(source, all[k].file,
					FIELD("%s[%zu]", all[k].field, i + 1), "%s", why);
	}
	snprintf(source->error.text, source->error.size, "%s: %s", folder, why);
	return SOURCE_INVALID;
}

static int compile(struct source *source, const char *folder)
{
	static int (*const parts[])(struct source *) = {
		source_bus, source_parties, source_services, source_agreements};
	char why[SOURCE_ERROR_SIZE] = "";
	struct written written[3];
	int r = read_files(source, folder);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++)
		r = parts[i](source);
	if (r == 0)
		r = remember(source, written);
	if (r)
		return r;
	registry_content_sort(&source->content);
	r = registry_content_check(&source->content, why, sizeof(why));
	return r <= 0 ? r : fail_where_written(source, written, folder, why);
}

int source_compile(
	const char *folder, const char *keys, struct source **ret, char *reterr, size_t size)
{
	_cleanup_(source_free) struct source *source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->folder = folder;
	source->keys = keys;
	source->error = (struct yaml_error){.text = reterr, .size = size};
	source->arena = arena_new(ARENA_BUDGET);
	if (!source->arena)
		return -ENOMEM;
	dienstweg__registry_content__init(&source->content);
	int r = compile(source, folder);
	source->error = (struct yaml_error){0}; /* it was the caller's */
	source->folder = source->keys = NULL;
	if (r == 0)
		*ret = steal(&source);
	return r;
}

void source_free(struct source *source)
{
	if (!source)
		return;
	for (int i = 0; i < SOURCE_FILES; i++) {
		yaml_file_release(files[i].schema, source->data[i]);
		yaml_file_free(source->files[i]);
	}
	arena_free(source->arena);
	free(source);
}

const Dienstweg__RegistryContent *source_content(const struct source *source)
{
	return &source->content;
}

uint64_t source_stale_after_ms(const struct source *source)
{
	return source->stale_after_ms;
}
