/* SPDX-License-Identifier: EUPL-1.2 */

/* bus.yaml: the bus, its own keys, its roots and witnesses, and how long things are kept. */
#include "conf/source-compile.h"

#include <string.h>

#include "conf/param.h"
#include "proto/registry/content.h"

#define DAY_MS UINT64_C(86400000)

static void init_class(void *message)
{
	dienstweg__retention_class__init(message);
}

static void init_root(void *message)
{
	dienstweg__root__init(message);
}

static void init_witness(void *message)
{
	dienstweg__witness__init(message);
}

/* ---- classes ---- */

static int compile_class(struct source *source, const struct yaml_class *from, size_t n)
{
	Dienstweg__RetentionClass *class = source->content.classes[n - 1];
	uint64_t number = 0, content = 0, record = 0;
	int r = source_number(source, SOURCE_BUS, FIELD("classes[%zu].number", n), from->number, 1,
		REGISTRY_CLASSES_MAX, &number);
	if (r == 0)
		r = source_name(source, SOURCE_BUS, FIELD("classes[%zu].name", n), from->name);
	if (r == 0)
		r = source_number(source, SOURCE_BUS, FIELD("classes[%zu].content_days", n),
			from->content_days, 1, REGISTRY_DAYS_MAX, &content);
	if (r == 0)
		r = source_number(source, SOURCE_BUS, FIELD("classes[%zu].record_days", n),
			from->record_days, content, REGISTRY_DAYS_MAX, &record);
	if (r)
		return r;
	class->number = (uint32_t)number;
	class->name = source_text(from->name);
	class->content_days = (uint32_t)content;
	class->record_days = (uint32_t)record;
	for (size_t i = 0; i < n - 1; i++) {
		const Dienstweg__RetentionClass *other = source->content.classes[i];
		if (other->number == class->number ||
			bytes_equal(BYTES_PB(other->name), BYTES_PB(class->name)))
			return source_fail(source, SOURCE_BUS, FIELD("classes[%zu]", n),
				"has number or name of another class; give it its own");
	}
	return 0;
}

static int compile_classes(struct source *source, const struct yaml_bus *bus)
{
	if (bus->classes_count == 0 || bus->classes_count > REGISTRY_CLASSES_MAX)
		return source_fail(source, SOURCE_BUS, "classes", "has %u entries; list 1 to %d",
			bus->classes_count, REGISTRY_CLASSES_MAX);
	int r = source_list(source, bus->classes_count, sizeof(Dienstweg__RetentionClass),
		init_class, &source->content.classes);
	for (size_t i = 0; r == 0 && i < bus->classes_count; i++)
		r = compile_class(source, &bus->classes[i], i + 1);
	source->content.n_classes = bus->classes_count;
	return r;
}

/* ---- roots and witnesses: a name and one key ---- */

static int one_key(struct source *source, const char *what, size_t n, const struct yaml_root *from,
	Dienstweg__Key **ret)
{
	Dienstweg__Key **keys;
	size_t count;
	struct source_field field = source_field("%s[%zu]", what, n);
	int r = source_name(source, SOURCE_BUS, FIELD("%s[%zu].name", what, n), from->name);
	if (r == 0)
		r = source_keys(source, SOURCE_BUS, field.path, from->name, from->keys,
			from->keys_count, &keys, &count);
	if (r)
		return r;
	if (count != 1)
		return source_fail(source, SOURCE_BUS, field.path,
			"has %zu keys; exactly one is possible under a name", count);
	*ret = keys[0];
	return 0;
}

static int refuse_twice(
	struct source *source, const char *what, const struct yaml_root *list, size_t n)
{
	for (size_t i = 0; i < n - 1; i++)
		if (strcmp(list[i].name, list[n - 1].name) == 0)
			return source_fail(source, SOURCE_BUS, FIELD("%s[%zu].name", what, n),
				"%s is given twice; keep one", list[i].name);
	return 0;
}

static int compile_roots(struct source *source, const struct yaml_bus *bus)
{
	size_t active = 0;
	int r = source_list(source, bus->roots_count, sizeof(Dienstweg__Root), init_root,
		&source->content.roots);
	source->content.n_roots = bus->roots_count;
	for (size_t i = 0; r == 0 && i < bus->roots_count; i++) {
		Dienstweg__Root *root = source->content.roots[i];
		r = refuse_twice(source, "roots", bus->roots, i + 1);
		if (r == 0)
			r = one_key(source, "roots", i + 1, &bus->roots[i], &root->key);
		root->name = source_text(bus->roots[i].name);
		active += r == 0 && root->key->state == DIENSTWEG__KEY_STATE__KEY_STATE_ACTIVE;
	}
	if (r == 0 && active != REGISTRY_ACTIVE_ROOTS)
		return source_fail(source, SOURCE_BUS, "roots",
			"has %zu active entries; there must be exactly %d", active,
			REGISTRY_ACTIVE_ROOTS);
	return r;
}

static int compile_witnesses(struct source *source, const struct yaml_bus *bus)
{
	uint64_t quorum = 0;
	int r = source_list(source, bus->witnesses_count, sizeof(Dienstweg__Witness), init_witness,
		&source->content.witnesses);
	source->content.n_witnesses = bus->witnesses_count;
	for (size_t i = 0; r == 0 && i < bus->witnesses_count; i++) {
		Dienstweg__Witness *witness = source->content.witnesses[i];
		r = refuse_twice(source, "witnesses", bus->witnesses, i + 1);
		if (r == 0)
			r = one_key(source, "witnesses", i + 1, &bus->witnesses[i], &witness->key);
		witness->name = source_text(bus->witnesses[i].name);
	}
	if (r == 0)
		r = source_number(source, SOURCE_BUS, "witness_quorum", bus->witness_quorum, 0,
			bus->witnesses_count, &quorum);
	source->content.witness_quorum = (uint32_t)quorum;
	return r;
}

/* ---- the file ---- */

static int read_stale_after(struct source *source, const char *word)
{
	static const struct param row = {
		.name = "stale_after", .type = PARAM_TIME, .min = DAY_MS, .max = 3660 * DAY_MS};
	struct param_context context = {
		.file = source->files[SOURCE_BUS], .error = source->error, .arena = source->arena};
	return param_value(&context, &row, row.name, word, &source->stale_after_ms);
}

int source_bus(struct source *source)
{
	const struct yaml_bus *bus = source->data[SOURCE_BUS];
	if (!bus || !bus->bus)
		return source_fail(source, SOURCE_BUS, "bus", "missing; add it");
	int r = source_name(source, SOURCE_BUS, "bus", bus->bus);
	if (r == 0)
		r = read_stale_after(source, bus->stale_after);
	if (r == 0)
		r = compile_classes(source, bus);
	if (r == 0)
		r = source_keys(source, SOURCE_BUS, "bus", bus->bus, bus->keys, bus->keys_count,
			&source->content.bus_keys, &source->content.n_bus_keys);
	if (r == 0)
		r = compile_roots(source, bus);
	source->content.bus = source_text(bus->bus);
	return r ? r : compile_witnesses(source, bus);
}
