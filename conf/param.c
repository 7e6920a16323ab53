/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The schema that libcyaml wants is made from the table at run time: every value is loaded as a word
 * into a slot, because libcyaml would range-check nothing and read no units; what the word means is then
 * decided row by row, with a complaint that can say what would have been right.
 */
#include "conf/param.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What libcyaml fills: a word, or a list of them, or of settings. */
struct slot {
	void *data;
	unsigned int count;
};

struct setting {
	char *name;
	char *value;
};

struct schema {
	struct cyaml_schema_field *fields; /* one array: top level first, then each section, with ends */
	cyaml_schema_value_t top;
};

static const cyaml_schema_value_t word_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)};
static const cyaml_schema_field_t setting_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct setting, name, 1, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR(
		"value", CYAML_FLAG_POINTER, struct setting, value, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END};
static const cyaml_schema_value_t setting_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct setting, setting_fields)};

/* ---- the schema ---- */

static struct cyaml_schema_field list_field(
	const char *key, size_t offset, const cyaml_schema_value_t *entry, uint32_t max)
{
	return (struct cyaml_schema_field){
		.key = key,
		.data_offset = (uint32_t)(offset + offsetof(struct slot, data)),
		.count_offset = (uint32_t)(offset + offsetof(struct slot, count)),
		.count_size = sizeof(unsigned int),
		.value = {.type = CYAML_SEQUENCE,
			.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			.data_size = entry->data_size,
			.sequence = {.entry = entry, .min = 0, .max = max}},
	};
}

static struct cyaml_schema_field row_field(const struct param *row, const char *key, size_t offset)
{
	if (row->type == PARAM_SETTINGS)
		return list_field(key, offset, &setting_schema, CONFIG_LIST_MAX);
	if (row->list)
		return list_field(key, offset, &word_schema, CONFIG_LIST_MAX);
	return (struct cyaml_schema_field){
		.key = key,
		.data_offset = (uint32_t)(offset + offsetof(struct slot, data)),
		.value = {.type = CYAML_STRING,
			.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			.data_size = sizeof(char),
			.string = {.min = 0, .max = CYAML_UNLIMITED}},
	};
}

static size_t section_len(const char *name)
{
	const char *dot = strchr(name, '.');
	return dot ? (size_t)(dot - name) : 0;
}

/* Rows of one section stand together: how many from this one on. */
static size_t section_rows(const struct param_table *table, size_t first)
{
	size_t len = section_len(table->rows[first].name), n = 1;
	while (first + n < table->count && section_len(table->rows[first + n].name) == len &&
		strncmp(table->rows[first + n].name, table->rows[first].name, len + 1) == 0)
		n++;
	return n;
}

static char *section_key(const struct param *row, struct arena *arena)
{
	size_t len = section_len(row->name);
	char *key = arena_zalloc(arena, len + 1);
	if (key)
		memcpy(key, row->name, len);
	return key;
}

static int add_section(struct schema *schema, size_t *top, size_t *next,
	const struct param_table *table, size_t first, struct arena *arena)
{
	size_t rows = section_rows(table, first);
	char *key = section_key(&table->rows[first], arena);
	if (!key)
		return -ENOMEM;
	struct cyaml_schema_field *fields = schema->fields + *next;
	for (size_t i = 0; i < rows; i++) {
		const struct param *row = &table->rows[first + i];
		fields[i] = row_field(row, row->name + strlen(key) + 1, i * sizeof(struct slot));
	}
	*next += rows + 1; /* the end is zero */
	schema->fields[(*top)++] = (struct cyaml_schema_field){
		.key = key,
		.data_offset = (uint32_t)(first * sizeof(struct slot)),
		.value = {.type = CYAML_MAPPING,
			.flags = CYAML_FLAG_OPTIONAL,
			.data_size = (uint32_t)(rows * sizeof(struct slot)),
			.mapping = {.fields = fields}},
	};
	return (int)rows;
}

static int schema_make(struct schema *schema, const struct param_table *table, struct arena *arena)
{
	size_t room = table->count * 3 + 1, top = 0, next = table->count + 1;
	schema->fields = arena_zalloc(arena, room * sizeof(*schema->fields));
	if (!schema->fields)
		return -ENOMEM;
	for (size_t i = 0; i < table->count;) {
		const struct param *row = &table->rows[i];
		if (section_len(row->name) == 0) {
			schema->fields[top++] = row_field(row, row->name, i * sizeof(struct slot));
			i++;
			continue;
		}
		int rows = add_section(schema, &top, &next, table, i, arena);
		if (rows < 0)
			return rows;
		i += (size_t)rows;
	}
	assert(next <= room);
	schema->top = (cyaml_schema_value_t){.type = CYAML_MAPPING,
		.flags = CYAML_FLAG_POINTER,
		.data_size = (uint32_t)(table->count * sizeof(struct slot)),
		.mapping = {.fields = schema->fields}};
	return 0;
}

/* ---- values ---- */

static int read_list(const struct param_context *context, const struct param *row,
	const struct slot *slot, struct config_list *ret)
{
	char *const *words = slot->data;
	const char **items = arena_zalloc(context->arena, (slot->count + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	if (row->list_max && slot->count > row->list_max)
		return yaml_file_fail(context->file, context->error, row->name,
			"has %u entries; at most %zu are possible", slot->count, row->list_max);
	for (unsigned int i = 0; i < slot->count; i++) {
		char field[128];
		snprintf(field, sizeof(field), "%s[%u]", row->name, i + 1);
		int r = param_value(context, row, field, words[i], &items[i]);
		if (r)
			return r;
		for (unsigned int k = 0; k < i; k++)
			if (strcmp(items[k], items[i]) == 0)
				return yaml_file_fail(context->file, context->error, field,
					"is given twice; keep one");
	}
	*ret = (struct config_list){.items = items, .count = slot->count};
	return 0;
}

static int copy_text(const struct param_context *context, const char *text, const char **ret)
{
	struct bytes copy;
	int r = arena_copy(context->arena, BYTES(text, strlen(text) + 1), &copy);
	if (r == 0)
		*ret = (const char *)copy.data;
	return r;
}

static int read_settings(const struct param_context *context, const struct param *row,
	const struct slot *slot, struct config_setting **ret, size_t *ret_count)
{
	const struct setting *from = slot->data;
	struct config_setting *to = arena_zalloc(context->arena, (slot->count + 1) * sizeof(*to));
	if (!to)
		return -ENOMEM;
	for (unsigned int i = 0; i < slot->count; i++) {
		int r = copy_text(context, from[i].name, &to[i].name);
		if (r == 0)
			r = copy_text(context, from[i].value, &to[i].value);
		if (r)
			return r;
		for (unsigned int k = 0; k < i; k++) {
			char field[128];
			snprintf(field, sizeof(field), "%s[%u]", row->name, i + 1);
			if (strcmp(to[k].name, to[i].name) == 0)
				return yaml_file_fail(context->file, context->error, field,
					"\"%.60s\" is set twice; keep one", to[i].name);
		}
	}
	*ret = to;
	*ret_count = slot->count;
	return 0;
}

static int read_row(const struct param_context *context, const struct param *row,
	const struct slot *slot, uint8_t *ret)
{
	if (row->type == PARAM_SETTINGS)
		return read_settings(context, row, slot, (void *)(ret + row->offset),
			(void *)(ret + row->offset2));
	if (row->list && (slot->data || row->optional))
		return read_list(context, row, slot, (void *)(ret + row->offset));
	const char *text = slot->data ? slot->data : row->fallback;
	if (text)
		return param_value(context, row, row->name, text, ret + row->offset);
	if (row->optional)
		return 0;
	return yaml_file_fail(
		context->file, context->error, row->name, "missing; add it: %s", row->doc);
}

/* `state` first: defaults of other rows begin with it. */
static int read_rows(struct param_context *context, const struct param_table *table,
	const struct slot *slots, uint8_t *ret)
{
	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->rows[i].name, "state") != 0)
			continue;
		int r = read_row(context, &table->rows[i], &slots[i], ret);
		if (r)
			return r;
		memcpy(&context->state, ret + table->rows[i].offset, sizeof(context->state));
	}
	for (size_t i = 0; i < table->count; i++) {
		int r = read_row(context, &table->rows[i], &slots[i], ret);
		if (r)
			return r;
	}
	return 0;
}

static const char *folder_of(const char *path, char *buf, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	if (slash == path)
		return "/.";
	snprintf(buf, size, "%.*s", (int)len, path);
	return buf;
}

static int read_file(const struct param_table *table, const struct yaml_file *file,
	const char *path, struct arena *arena, uint8_t *config, struct yaml_error error)
{
	struct schema schema;
	char folder[4096];
	void *data = NULL;
	int r = schema_make(&schema, table, arena);
	if (r == 0)
		r = yaml_file_load(file, &schema.top, &data, error);
	if (r)
		return r;
	const struct slot *slots = data;
	if (!slots) /* an empty file: every slot is */
		slots = arena_zalloc(arena, table->count * sizeof(*slots));
	struct param_context context = {.file = file,
		.error = error,
		.arena = arena,
		.folder = folder_of(path, folder, sizeof(folder))};
	r = slots ? read_rows(&context, table, slots, config) : -ENOMEM;
	yaml_file_release(&schema.top, data);
	if (r == 0)
		r = copy_text(&context, path, (void *)(config + table->path_offset));
	return r;
}

/* ---- the struct and the arena that its text lives in, freed together ---- */

struct holder {
	struct arena *arena;
	_Alignas(16) uint8_t config[];
};

enum { TEXT_BUDGET = 8 << 20 };

void param_free(const void *config)
{
	if (!config)
		return;
	struct holder *holder = (struct holder *)((uintptr_t)config -
						  offsetof(struct holder, config));
	arena_free(holder->arena);
	free(holder);
}

static void *config_new(const struct param_table *table, struct arena **ret_arena)
{
	struct holder *holder = calloc(1, sizeof(*holder) + table->size);
	if (!holder)
		return NULL;
	*ret_arena = holder->arena = arena_new(TEXT_BUDGET);
	if (!holder->arena) {
		free(holder);
		return NULL;
	}
	return holder->config;
}

int param_read(const struct param_table *table, const char *path, void **ret,
	struct yaml_file **ret_file, struct yaml_error error)
{
	_cleanup_(yaml_file_free) struct yaml_file *file = NULL;
	struct arena *arena = NULL;
	int r = yaml_file_read(path, &file, error);
	if (r)
		return r;
	void *config = config_new(table, &arena);
	if (!config)
		return -ENOMEM;
	r = read_file(table, file, path, arena, config, error);
	if (r) {
		param_free(config);
		return r;
	}
	*ret = config;
	*ret_file = steal(&file);
	return 0;
}
