/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Each kind of field with what is right, what is wrong and what is missing; complaints must name the path
 * and must not repeat the value.
 */
#include "adapters/connectors/form.h"

#include "test/kit/check.h"

struct reading {
	char why[600];
	struct arena *arena;
	struct form_reader reader;
	json_t *root;
	struct form form;
};

static void reading_deinit(struct reading *t)
{
	json_decref(t->root);
	arena_free(t->arena);
}
DEFINE_CLEANUP_PTR(struct reading, reading_deinit);

static int parse(struct reading *t, const char *text)
{
	reading_deinit(t);
	*t = (struct reading){.arena = arena_new(4 << 20)};
	t->reader = (struct form_reader){
		.arena = t->arena, .reterr = t->why, .size = sizeof(t->why)};
	return form_parse(&t->reader, BYTES_STR(text), &t->root, &t->form);
}

static void says(struct reading *t, int r, const char *expected)
{
	CHECK_INT(r, FORM_BAD);
	if (!strstr(t->why, expected))
		CHECK_FAIL("\"%s\" does not say \"%s\"", t->why, expected);
	CHECK(!strstr(t->why, "geheim"));
}

static void documents(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	says(&t, parse(&t, ""), "line 1, column 0: is no JSON");
	says(&t, parse(&t, "{\n\"a\": geheim}"), "line 2, column 11: is no JSON");
	says(&t, parse(&t, "{\"a\": 1} x"), "is no JSON");
	says(&t, parse(&t, "[1]"), "document: must be a JSON object");
	says(&t, parse(&t, "\"geheim\""), "is no JSON");
	says(&t, parse(&t, "{\"a\": 1, \"a\": 2}"), "stands twice");
	says(&t, parse(&t, "{\"a\": \"\\u0000\"}"), "is no JSON");
	says(&t, parse(&t, "{\"a\": \"\xe4\"}"), "is no JSON");
	CHECK_INT(parse(&t, "{}"), 0);
	CHECK_INT(form_end(&t.form), 0);
}

static void deep_documents_end(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	char *deep = malloc(200001);
	memset(deep, '[', 200000);
	deep[200000] = '\0';
	says(&t, parse(&t, deep), "is no JSON");
	free(deep);
}

static void unknown_fields(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	char *text = NULL;
	CHECK_INT(parse(&t, "{\"a\": \"x\", \"date_of_brith\": \"geheim\"}"), 0);
	CHECK_INT(form_line(&t.form, "a", FORM_REQUIRED, &text), 0);
	says(&t, form_end(&t.form), "date_of_brith: unknown field");
	CHECK_INT(parse(&t, "{\"\\u001b[31m\\u00e4\": 1}"), 0);
	says(&t, form_end(&t.form), "?[31m??: unknown field");
}

static void lines(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	char *text = NULL;
	CHECK_INT(
		parse(&t,
			"{\"a\": \"Müller\", \"n\": 1, \"e\": \"\", \"l\": \"geheim\\nx\", \"z\": "
			"null,"
			"\"c\": \"geheim\\u0085\", \"d\": \"\\u007f\"}"),
		0);
	CHECK_INT(form_line(&t.form, "a", FORM_REQUIRED, &text), 0);
	CHECK_STR(text, "Müller");
	says(&t, form_line(&t.form, "n", FORM_REQUIRED, &text),
		"n: must be a text in quotes, and is a whole number");
	says(&t, form_line(&t.form, "e", FORM_OPTIONAL, &text), "e: is empty");
	says(&t, form_line(&t.form, "l", FORM_REQUIRED, &text),
		"l: holds control characters or line ends");
	says(&t, form_line(&t.form, "c", FORM_REQUIRED, &text), "c: holds control characters");
	says(&t, form_line(&t.form, "d", FORM_REQUIRED, &text), "d: holds control characters");
	says(&t, form_line(&t.form, "z", FORM_REQUIRED, &text), "z: missing; add it");
	says(&t, form_line(&t.form, "missing", FORM_REQUIRED, &text), "missing: missing; add it");
	CHECK_STR(text, "Müller");
	CHECK_INT(form_line(&t.form, "z", FORM_OPTIONAL, &text), 0);
	CHECK_STR(text, "Müller");
	CHECK_INT(form_text(&t.form, "l", FORM_REQUIRED, &text), 0);
	CHECK_STR(text, "geheim\nx");
	CHECK_INT(form_end(&t.form), 0);
}

static void lengths(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	char json[FORM_TEXT_MAX + 100], *text = NULL;
	int n = snprintf(json, sizeof(json), "{\"a\": \"%0*d\"}", FORM_LINE_MAX + 1, 0);
	CHECK(n > 0 && parse(&t, json) == 0);
	says(&t, form_line(&t.form, "a", FORM_REQUIRED, &text), "a: is longer than 400 bytes");
	CHECK_INT(form_text(&t.form, "a", FORM_REQUIRED, &text), 0);
	n = snprintf(json, sizeof(json), "{\"a\": \"%0*d\"}", FORM_TEXT_MAX + 1, 0);
	CHECK(n > 0 && parse(&t, json) == 0);
	says(&t, form_text(&t.form, "a", FORM_REQUIRED, &text), "a: is longer than 20000 bytes");
}

static void dates(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	static const char *const good[] = {"1980-12-31", "2024-02-29", "2000-02-29", "1935-01-01"};
	static const char *const bad[] = {"31.12.1980", "1980-13-01", "1980-00-10", "1980-01-32",
		"1980-01-00", "2023-02-29", "1900-02-29", "1700-01-01", "1980-1-1", "1980-12-31T",
		"198a-12-31", "1981-12-3"};
	char json[80], *text;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		text = NULL;
		snprintf(json, sizeof(json), "{\"d\": \"%s\"}", good[i]);
		CHECK_INT(parse(&t, json), 0);
		CHECK_INT(form_date(&t.form, "d", FORM_REQUIRED, &text), 0);
		CHECK_STR(text, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		text = NULL;
		snprintf(json, sizeof(json), "{\"d\": \"%s\"}", bad[i]);
		CHECK_INT(parse(&t, json), 0);
		says(&t, form_date(&t.form, "d", FORM_REQUIRED, &text), "d: is no date");
		CHECK(text == NULL && !strstr(t.why, bad[i]));
	}
}

static void times(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	static const char *const good[] = {"2026-11-21T13:05:00Z", "2026-11-21T13:05:00.123Z",
		"2026-11-21T13:05:00+01:00", "2016-12-31T23:59:60Z"};
	static const char *const bad[] = {"2026-11-21", "2026-11-21 13:05:00Z",
		"2026-11-21T13:05:00", "2026-11-21T24:00:00Z", "2026-11-21T13:60:00Z",
		"2026-11-21T13:05:00.Z", "2026-11-21T13:05:00+0100", "2026-11-21T13:05:00Zx",
		"2026-02-30T13:05:00Z", "2026-11-21T13:05Z00000"};
	char json[80], *text;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		text = NULL;
		snprintf(json, sizeof(json), "{\"t\": \"%s\"}", good[i]);
		CHECK_INT(parse(&t, json), 0);
		CHECK_INT(form_time(&t.form, "t", FORM_REQUIRED, &text), 0);
		CHECK_STR(text, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(json, sizeof(json), "{\"t\": \"%s\"}", bad[i]);
		CHECK_INT(parse(&t, json), 0);
		says(&t, form_time(&t.form, "t", FORM_REQUIRED, &text), "t: is no time");
	}
}

static void names_and_regions(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	char *text = NULL;
	CHECK_INT(
		parse(&t, "{\"n\": \"alg2.application\", \"r\": \"051240000000\", \"N\": \"Alg2\","
			  "\"R\": \"5\", \"L\": \"0512400000001\", \"A\": \"05x\"}"),
		0);
	CHECK_INT(form_name(&t.form, "n", FORM_REQUIRED, &text), 0);
	CHECK_INT(form_region(&t.form, "r", FORM_REQUIRED, &text), 0);
	CHECK_STR(text, "051240000000");
	says(&t, form_name(&t.form, "N", FORM_REQUIRED, &text), "N: is no name of the bus");
	says(&t, form_region(&t.form, "R", FORM_REQUIRED, &text), "R: is no region key");
	says(&t, form_region(&t.form, "L", FORM_REQUIRED, &text), "L: is no region key");
	says(&t, form_region(&t.form, "A", FORM_REQUIRED, &text), "A: is no region key");
}

static void hexadecimal(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	uint8_t bytes[2] = {};
	bool has = false;
	CHECK_INT(parse(&t, "{\"h\": \"Ab01\", \"s\": \"ab\", \"x\": \"abxx\", \"n\": 1}"), 0);
	CHECK_INT(form_hex(&t.form, "h", FORM_REQUIRED, bytes, 2, &has), 0);
	CHECK(has && bytes[0] == 0xab && bytes[1] == 1);
	says(&t, form_hex(&t.form, "s", FORM_REQUIRED, bytes, 2, &has),
		"s: must have 4 hexadecimal digits");
	says(&t, form_hex(&t.form, "x", FORM_REQUIRED, bytes, 2, &has), "x: must have 4");
	says(&t, form_hex(&t.form, "n", FORM_REQUIRED, bytes, 2, &has), "n: must be a text");
	CHECK_INT(form_hex(&t.form, "absent", FORM_OPTIONAL, bytes, 2, &has), 0);
	CHECK(!has);
}

static void choices_and_integers(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	static const char *const words[] = {"online", "paper", NULL};
	size_t word = 7;
	int64_t number = 7;
	CHECK_INT(parse(&t, "{\"c\": \"paper\", \"w\": \"geheim\", \"n\": 5, \"i\": -3, \"r\": 1.5,"
			    "\"b\": 99999999999999999999}"),
		FORM_BAD); /* an integer that does not fit is no JSON that we can read */
	CHECK_INT(
		parse(&t, "{\"c\": \"paper\", \"w\": \"geheim\", \"n\": 5, \"i\": -3, \"r\": 1.5}"),
		0);
	CHECK_INT(form_choice(&t.form, "c", FORM_REQUIRED, words, &word), 0);
	CHECK_INT(word, 1);
	says(&t, form_choice(&t.form, "w", FORM_REQUIRED, words, &word),
		"w: must be one of: online, paper");
	says(&t, form_choice(&t.form, "n", FORM_REQUIRED, words, &word), "n: must be one of");
	CHECK_INT(form_integer(&t.form, "i", FORM_REQUIRED, -3, 3, &number), 0);
	CHECK_INT(number, -3);
	says(&t, form_integer(&t.form, "n", FORM_REQUIRED, -3, 3, &number),
		"n: must lie between -3 and 3");
	says(&t, form_integer(&t.form, "r", FORM_REQUIRED, -3, 3, &number),
		"r: must be a whole number, and is a decimal number");
}

static void insides(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	struct form inside, entry;
	json_t *list;
	size_t count;
	char *text = NULL;
	CHECK_INT(parse(&t, "{\"o\": {\"p\": {\"x\": 1}}, \"l\": [{\"a\": 2}, \"s\", null], \"t\": "
			    "[1]}"),
		0);
	CHECK_INT(form_object(&t.form, "o", FORM_REQUIRED, &inside), 0);
	CHECK_INT(form_object(&inside, "p", FORM_REQUIRED, &entry), 0);
	says(&t, form_line(&entry, "x", FORM_REQUIRED, &text), "o.p.x: must be a text");
	CHECK_INT(form_list(&t.form, "l", 3, &list, &count), 0);
	CHECK_INT(count, 3);
	CHECK_INT(form_entry(&t.form, "l", list, 0, &entry), 0);
	says(&t, form_line(&entry, "a", FORM_REQUIRED, &text), "l[0].a: must be a text");
	says(&t, form_entry(&t.form, "l", list, 1, &entry), "l[1]: must be an object");
	says(&t, form_entry(&t.form, "l", list, 2, &entry),
		"l[2]: must be an object { ... }, and is null");
	CHECK_INT(form_entry_line(&t.form, "l", list, 1, &text), 0);
	CHECK_STR(text, "s");
	says(&t, form_list(&t.form, "l", 2, &list, &count), "l: has more than 2 entries");
	says(&t, form_list(&t.form, "o", 2, &list, &count),
		"o: must be a list [ ... ], and is an object");
	says(&t, form_object(&t.form, "l", FORM_OPTIONAL, &entry), "l: must be an object");
	CHECK_INT(form_object(&t.form, "absent", FORM_OPTIONAL, &entry), 0);
	CHECK(entry.object == NULL);
	says(&t, form_object(&t.form, "absent", FORM_REQUIRED, &entry), "absent: missing");
	says(&t, form_end(&t.form), "t: unknown field");
}

static void scalars(void)
{
	_cleanup_(reading_deinit) struct reading t = {};
	char *text = NULL;
	CHECK_INT(parse(&t, "{\"s\": \"a\\nb\", \"i\": -12, \"t\": true, \"f\": false, \"r\": 1.5, "
			    "\"o\": {}}"),
		0);
	CHECK_INT(form_scalar(&t.form, "s", json_object_get(t.root, "s"), &text), 0);
	CHECK_STR(text, "a\nb");
	CHECK_INT(form_scalar(&t.form, "i", json_object_get(t.root, "i"), &text), 0);
	CHECK_STR(text, "-12");
	CHECK_INT(form_scalar(&t.form, "t", json_object_get(t.root, "t"), &text), 0);
	CHECK_STR(text, "true");
	CHECK_INT(form_scalar(&t.form, "f", json_object_get(t.root, "f"), &text), 0);
	CHECK_STR(text, "false");
	says(&t, form_scalar(&t.form, "r", json_object_get(t.root, "r"), &text),
		"decimal numbers as text");
	says(&t, form_scalar(&t.form, "o", json_object_get(t.root, "o"), &text), "and is an object");
}

CHECK_MAIN(CHECK_CASE(documents), CHECK_CASE(deep_documents_end), CHECK_CASE(unknown_fields),
	CHECK_CASE(lines), CHECK_CASE(lengths), CHECK_CASE(dates), CHECK_CASE(times),
	CHECK_CASE(names_and_regions), CHECK_CASE(hexadecimal), CHECK_CASE(choices_and_integers),
	CHECK_CASE(insides), CHECK_CASE(scalars))
