/* SPDX-License-Identifier: EUPL-1.2 */

/* Every complaint names the file, the right line and the field. */
#include "conf/yaml-file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "test/kit/check.h"

struct item {
	char *name;
	char *title;
};
struct doc {
	char *bus;
	struct item *items;
	unsigned int items_count;
	char **words;
	unsigned int words_count;
	struct {
		char *level;
	} log;
};

static const cyaml_schema_field_t item_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct item, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("title", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct item,
		title, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END};
static const cyaml_schema_value_t item_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct item, item_fields)};
static const cyaml_schema_value_t word_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)};
static const cyaml_schema_field_t log_fields[] = {
	CYAML_FIELD_STRING_PTR("level", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct doc,
		log.level, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END};
static const cyaml_schema_field_t doc_fields[] = {
	CYAML_FIELD_STRING_PTR("bus", CYAML_FLAG_POINTER, struct doc, bus, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("items", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct doc, items,
		&item_schema, 0, 100),
	CYAML_FIELD_SEQUENCE("words", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct doc, words,
		&word_schema, 0, 2),
	{.key = "log",
		.value = {.type = CYAML_MAPPING,
			.flags = CYAML_FLAG_OPTIONAL,
			.data_size = sizeof(struct doc),
			.mapping = {.fields = log_fields}}},
	CYAML_FIELD_END};
static const cyaml_schema_value_t doc_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct doc, doc_fields)};

static int load(const char *text, size_t len, char *why, size_t size)
{
	_cleanup_(yaml_file_free) struct yaml_file *file = NULL;
	struct yaml_error error = {.text = why, .size = size};
	char path[512];
	void *doc = NULL;
	CHECK_INT(path_join(path, sizeof(path), check_tmpdir(), "x.yaml"), 0);
	FILE *out = fopen(path, "w"); /* thousands of times: durable would be slow */
	CHECK(out && fwrite(text, 1, len, out) == len && fclose(out) == 0);
	int r = yaml_file_read(path, &file, error);
	if (r == 0)
		r = yaml_file_load(file, &doc_schema, &doc, error);
	yaml_file_release(&doc_schema, doc);
	return r;
}

/* Loads, and wants a complaint that begins with "x.yaml:LINE: FIELD: " and has the words. */
static void bad_bytes(const char *text, size_t len, const char *where, const char *words)
{
	char why[512] = "", start[128];
	int r = load(text, len, why, sizeof(why));
	/* what is missing at the top stands in no line */
	snprintf(start, sizeof(start), "x.yaml:%s%s: ", strcspn(where, "0123456789") ? " " : "",
		where);
	if (r != YAML_INVALID)
		CHECK_FAIL("%d for \"%s\" (%s)", r, text, why);
	if (!strstr(why, start) || !strstr(why, words))
		CHECK_FAIL("\"%s\" lacks \"%s\" or \"%s\"", why, start, words);
}
#define BAD(text, where, words) bad_bytes(text, strlen(text), where, words)

static void loads_what_is_right(void)
{
	_cleanup_(yaml_file_free) struct yaml_file *file = NULL;
	static const char text[] =
		"# comment\nbus: x.demo\nitems:\n  - name: a\n    title: \"Ä b\"\n"
		"  - {name: b}\nwords: [one, two]\nlog:\n  level: info\n";
	char path[512], why[512];
	struct yaml_error error = {.text = why, .size = sizeof(why)};
	void *data = NULL;
	CHECK_INT(path_join(path, sizeof(path), check_tmpdir(), "good.yaml"), 0);
	CHECK_INT(file_replace(path, BYTES_STR(text), 0644), 0);
	CHECK_INT(yaml_file_read(path, &file, error), 0);
	CHECK_INT(yaml_file_load(file, &doc_schema, &data, error), 0);
	const struct doc *doc = data;
	CHECK_STR(doc->bus, "x.demo");
	CHECK_INT(doc->items_count, 2);
	CHECK_STR(doc->items[0].title, "Ä b");
	CHECK(!doc->items[1].title);
	CHECK_STR(doc->words[1], "two");
	CHECK_STR(doc->log.level, "info");
	CHECK_INT(yaml_file_fail(file, error, "items[2].name", "bad %d", 7), YAML_INVALID);
	CHECK(strstr(why, "good.yaml:6: items[2].name: bad 7"));
	yaml_file_fail(file, error, "items[1].absent.deep", "x");
	CHECK(strstr(why, "good.yaml:4: items[1].absent.deep: x"));
	yaml_file_fail(file, error, "nowhere", "x");
	CHECK(strstr(why, "good.yaml: nowhere: x"));
	yaml_file_release(&doc_schema, data);
}

static void structure(void)
{
	BAD("bus: x\nbuss: y\n", "2: buss", "unknown; known here: bus, items, words, log");
	BAD("bus: x\nitems:\n  - name: a\n    titel: b\n", "4: items[1].titel",
		"known here: name, title");
	BAD("bus: x\nitems:\n  - name: a\n  - title: b\n", "4: items[2].name", "missing");
	BAD("items:\n  - name: a\n", "bus", "missing");
	BAD("bus: x\nlog:\n  levels: b\n", "3: log.levels", "unknown; known here: level");
	BAD("bus: [x]\n", "1: bus", "one value");
	BAD("bus: {a: b}\n", "1: bus", "one value");
	BAD("bus: x\n\nwords: one\n", "3: words", "must be a list");
	BAD("bus: x\nlog: info\n", "2: log", "fields of its own");
	BAD("bus: x\nwords: [a, b, c]\n", "2: words", "too many");
	BAD("bus: x\nwords:\n  - a\n  - [b]\n", "4: words[2]", "one value");
}

static void form(void)
{
	BAD("bus: x\nbus: y\n", "2: bus", "given twice, first in line 1");
	BAD("bus: x\nitems:\n  - name: a\n    name: b\n", "4: items[1].name", "given twice");
	BAD("bus: x\nlog: *anchor\n", "2: log", "aliases");
	BAD("bus: &a x\nwords: [*a, *a]\n", "2: words", "aliases");
	BAD("bus: x\n---\nbus: y\n", "2", "second document");
	BAD("bus: x\n\tlog: b\n", "2", "no YAML");
	BAD("bus: \"x\n", "2", "no YAML");
	BAD("bus: \"a\\0b\"\n", "1: bus", "NUL");
	BAD("bus: x\n? [a]\n: b\n", "2", "one word");
	BAD("[[[[[[[[[[[[[[a]]]]]]]]]]]]]]\n", "1", "nested deeper");
	bad_bytes("bus: x\nlog: \xff\xfe\n", 13, "2", "no YAML");
	char why[512];
	CHECK(load("- a\n", 4, why, sizeof(why)) == YAML_INVALID);
	CHECK(strstr(why, "fields of its own"));
}

/* Every prefix and every changed byte ends in a complaint or a document, never in a crash. */
static void any_bytes(void)
{
	static const char text[] =
		"bus: x\nitems:\n  - {name: a, title: \"b\"}\nwords: [one, 'two']\n";
	char why[512], changed[sizeof(text)];
	for (size_t len = 0; len < sizeof(text); len++)
		load(text, len, why, sizeof(why));
	for (size_t i = 0; i < strlen(text); i++)
		for (int c = 0; c < 256; c += 5) {
			memcpy(changed, text, sizeof(text));
			changed[i] = (char)c;
			int r = load(changed, strlen(text), why, sizeof(why));
			CHECK(r == 0 || r == YAML_INVALID);
		}
}

static void absent_files(void)
{
	char why[512];
	struct yaml_file *file = NULL;
	CHECK(yaml_file_read("/nowhere/x.yaml", &file,
		      (struct yaml_error){.text = why, .size = sizeof(why)}) < 0);
	CHECK_STR(why, "/nowhere/x.yaml: No such file or directory");
}

CHECK_MAIN(CHECK_CASE(loads_what_is_right), CHECK_CASE(structure), CHECK_CASE(form),
	CHECK_CASE(any_bytes), CHECK_CASE(absent_files))
