/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A misspelt field that is silently ignored is a lost fact in somebody's case, so each object knows what
 * was asked of it and complains about the rest. Complaints end up in a file beside the document, which
 * people pass around: they name fields, never what is in them.
 */
#include "adapters/connectors/form.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"

enum {
	NAME_SHOWN_MAX = 40, /* of a field that we do not know */
	REGION_MIN = 2,
	REGION_MAX = 12,
	YEAR_MIN = 1800, /* a date of birth may lie before 1970 */
};

static int complain(
	const struct form_reader *reader, const char *path, const char *name, const char *text)
{
	snprintf(reader->reterr, reader->size, "%s%s: %s", path, name, text);
	return FORM_BAD;
}

int form_fail(const struct form *form, const char *name, const char *format, ...)
{
	char text[400];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return complain(form->reader, form->path, name, text);
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a decimal number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		break;
	}
	return "null";
}

int form_parse(struct form_reader *reader, struct bytes text, json_t **ret_root, struct form *ret)
{
	json_error_t error;
	char where[120];
	json_t *root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		const char *what = json_error_code(&error) == json_error_duplicate_key
					   ? "a field stands twice; keep one"
					   : "is no JSON in UTF-8; correct it there";
		snprintf(where, sizeof(where), "line %d, column %d", error.line, error.column);
		return complain(reader, "", where, what);
	}
	if (!json_is_object(root)) {
		json_decref(root);
		return complain(reader, "", "document", "must be a JSON object { ... }");
	}
	*ret = (struct form){.reader = reader, .object = root};
	*ret_root = root;
	return 0;
}

/* ---- fields ---- */

static json_t *field(struct form *form, const char *name)
{
	if (form->known_count < FORM_FIELDS_MAX)
		form->known[form->known_count++] = name;
	json_t *value = json_object_get(form->object, name);
	return json_is_null(value) ? NULL : value;
}

bool form_has(struct form *form, const char *name)
{
	return field(form, name) != NULL;
}

static int missing(const struct form *form, const char *name, enum form_need need)
{
	return need == FORM_REQUIRED ? form_fail(form, name, "missing; add it") : 0;
}

static int wrong_type(
	const struct form *form, const char *name, const char *wanted, const json_t *value)
{
	return form_fail(form, name, "must be %s, and is %s", wanted, type_name(value));
}

static bool is_known(const struct form *form, const char *name)
{
	for (size_t i = 0; i < form->known_count; i++) {
		if (strcmp(form->known[i], name) == 0)
			return true;
	}
	return false;
}

/* A name that we do not know may be anything; only what is plain is shown. */
static void name_shown(const char *name, char buf[NAME_SHOWN_MAX + 1])
{
	size_t i = 0;
	for (; name[i] && i < NAME_SHOWN_MAX; i++)
		buf[i] = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';
	buf[i] = '\0';
}

int form_end(const struct form *form)
{
	const char *name;
	json_t *value;
	char shown[NAME_SHOWN_MAX + 1];
	json_object_foreach(form->object, name, value)
	{
		if (is_known(form, name))
			continue;
		name_shown(name, shown);
		return form_fail(form, shown, "unknown field; correct its name or remove it");
	}
	return 0;
}

/* ---- texts ---- */

static bool is_printable(struct bytes text, bool lines)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		bool c1 = c == 0xc2 && i + 1 < text.len && text.data[i + 1] < 0xa0;
		bool space = lines && (c == '\n' || c == '\r' || c == '\t');
		if (c1 || c == 0x7f || (c < ' ' && !space))
			return false;
	}
	return true;
}

static int bytes_copy(
	const struct form *form, const char *name, struct bytes text, bool lines, char **ret)
{
	size_t max = lines ? FORM_TEXT_MAX : FORM_LINE_MAX;
	struct bytes copy;
	if (text.len == 0)
		return form_fail(form, name, "is empty; fill it or leave it out");
	if (text.len > max)
		return form_fail(form, name, "is longer than %zu bytes; shorten it", max);
	if (!is_printable(text, lines))
		return form_fail(form, name, "holds control characters%s; remove them",
			lines ? "" : " or line ends");
	int r = arena_copy(form->reader->arena, BYTES(text.data, text.len + 1), &copy);
	if (r == 0)
		*ret = (char *)(uintptr_t)copy.data;
	return r;
}

static int text_copy(
	const struct form *form, const char *name, const json_t *value, bool lines, char **ret)
{
	if (!json_is_string(value))
		return wrong_type(form, name, "a text in quotes", value);
	return bytes_copy(
		form, name, BYTES(json_string_value(value), json_string_length(value)), lines, ret);
}

int form_key(const struct form *form, const char *key, char **ret)
{
	char shown[NAME_SHOWN_MAX + 1];
	name_shown(key, shown);
	return bytes_copy(form, shown, BYTES_STR(key), false, ret);
}

int form_line(struct form *form, const char *name, enum form_need need, char **ret)
{
	const json_t *value = field(form, name);
	return value ? text_copy(form, name, value, false, ret) : missing(form, name, need);
}

int form_text(struct form *form, const char *name, enum form_need need, char **ret)
{
	const json_t *value = field(form, name);
	return value ? text_copy(form, name, value, true, ret) : missing(form, name, need);
}

/* A line with a form of its own. */
static int form_checked(struct form *form, const char *name, enum form_need need, char **ret,
	bool (*check)(const char *text), const char *wanted)
{
	char *text = NULL;
	int r = form_line(form, name, need, &text);
	if (r || !text)
		return r;
	if (!check(text))
		return form_fail(form, name, "%s", wanted);
	*ret = text;
	return 0;
}

static bool is_name(const char *text)
{
	return text_is_name(BYTES_STR(text));
}

static bool is_region(const char *text)
{
	size_t len = strlen(text);
	return len >= REGION_MIN && len <= REGION_MAX && strspn(text, "0123456789") == len;
}

/* Two or four digits. */
static bool digits(const char *text, size_t len, unsigned int *ret)
{
	*ret = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*ret = *ret * 10 + (unsigned int)(text[i] - '0');
	}
	return true;
}

static bool is_day(const char *text)
{
	static const unsigned int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned int year, month, day;
	if (!digits(text, 4, &year) || text[4] != '-' || !digits(text + 5, 2, &month) ||
		text[7] != '-' || !digits(text + 8, 2, &day))
		return false;
	if (year < YEAR_MIN || month < 1 || month > 12 || day < 1)
		return false;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return day <= days[month - 1] + (month == 2 && leap);
}

static bool is_date(const char *text)
{
	return strlen(text) == 10 && is_day(text);
}

/* "Z" or "+02:00". */
static bool is_zone(const char *text)
{
	unsigned int hours, minutes;
	if (strcmp(text, "Z") == 0)
		return true;
	return strlen(text) == 6 && (text[0] == '+' || text[0] == '-') &&
	       digits(text + 1, 2, &hours) && hours < 24 && text[3] == ':' &&
	       digits(text + 4, 2, &minutes) && minutes < 60;
}

static bool is_time(const char *text)
{
	unsigned int hour, minute, second;
	if (strlen(text) < 20 || !is_day(text) || text[10] != 'T')
		return false;
	text += 11;
	if (!digits(text, 2, &hour) || text[2] != ':' || !digits(text + 3, 2, &minute) ||
		text[5] != ':' || !digits(text + 6, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	text += 8;
	if (*text == '.') {
		size_t fraction = strspn(text + 1, "0123456789");
		if (fraction < 1 || fraction > 9)
			return false;
		text += 1 + fraction;
	}
	return is_zone(text);
}

int form_name(struct form *form, const char *name, enum form_need need, char **ret)
{
	return form_checked(form, name, need, ret, is_name,
		"is no name of the bus; write 1 to 63 of a-z 0-9 . -");
}

int form_region(struct form *form, const char *name, enum form_need need, char **ret)
{
	return form_checked(form, name, need, ret, is_region,
		"is no region key (ARS); write 2 to 12 digits, such as 051240000000");
}

int form_date(struct form *form, const char *name, enum form_need need, char **ret)
{
	return form_checked(form, name, need, ret, is_date, "is no date; write it like 1980-12-31");
}

int form_time(struct form *form, const char *name, enum form_need need, char **ret)
{
	return form_checked(
		form, name, need, ret, is_time, "is no time; write it like 2026-11-21T13:05:00Z");
}

/* ---- other values ---- */

int form_hex(struct form *form, const char *name, enum form_need need, uint8_t *buf, size_t len,
	bool *ret_has)
{
	const json_t *value = field(form, name);
	*ret_has = value != NULL;
	if (!value)
		return missing(form, name, need);
	if (!json_is_string(value))
		return wrong_type(form, name, "a text in quotes", value);
	if (json_string_length(value) != 2 * len || text_unhex(json_string_value(value), buf, len))
		return form_fail(form, name, "must have %zu hexadecimal digits", 2 * len);
	return 0;
}

int form_choice(struct form *form, const char *name, enum form_need need,
	const char *const *choices, size_t *ret)
{
	char list[200] = "";
	size_t used = 0;
	const json_t *value = field(form, name);
	if (!value)
		return missing(form, name, need);
	for (size_t i = 0; choices[i]; i++) {
		if (json_is_string(value) && strcmp(json_string_value(value), choices[i]) == 0) {
			*ret = i;
			return 0;
		}
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
				i ? ", " : "", choices[i]);
	}
	return form_fail(form, name, "must be one of: %s", list);
}

int form_integer(struct form *form, const char *name, enum form_need need, int64_t min, int64_t max,
	int64_t *ret)
{
	const json_t *value = field(form, name);
	if (!value)
		return missing(form, name, need);
	if (!json_is_integer(value))
		return wrong_type(form, name, "a whole number", value);
	if (json_integer_value(value) < min || json_integer_value(value) > max)
		return form_fail(form, name, "must lie between %lld and %lld", (long long)min,
			(long long)max);
	*ret = json_integer_value(value);
	return 0;
}

/* ---- objects and lists ---- */

static int form_inside(const struct form *form, const char *path, json_t *value, struct form *ret)
{
	if (!json_is_object(value))
		return wrong_type(form, path, "an object { ... }", value);
	*ret = (struct form){.reader = form->reader, .object = value};
	snprintf(ret->path, sizeof(ret->path), "%.60s%.90s.", form->path, path);
	return 0;
}

int form_object(struct form *form, const char *name, enum form_need need, struct form *ret)
{
	json_t *value = field(form, name);
	ret->object = NULL;
	return value ? form_inside(form, name, value, ret) : missing(form, name, need);
}

int form_list(struct form *form, const char *name, size_t max, json_t **ret, size_t *ret_count)
{
	json_t *value = field(form, name);
	*ret = value;
	*ret_count = 0;
	if (!value)
		return 0;
	if (!json_is_array(value))
		return wrong_type(form, name, "a list [ ... ]", value);
	if (json_array_size(value) > max)
		return form_fail(form, name, "has more than %zu entries; send fewer", max);
	*ret_count = json_array_size(value);
	return 0;
}

int form_entry(const struct form *form, const char *name, json_t *list, size_t i, struct form *ret)
{
	char path[FORM_PATH_MAX];
	snprintf(path, sizeof(path), "%.80s[%zu]", name, i);
	return form_inside(form, path, json_array_get(list, i), ret);
}

int form_entry_line(const struct form *form, const char *name, json_t *list, size_t i, char **ret)
{
	char path[FORM_PATH_MAX];
	snprintf(path, sizeof(path), "%.80s[%zu]", name, i);
	return text_copy(form, path, json_array_get(list, i), false, ret);
}

int form_scalar(const struct form *form, const char *name, const json_t *value, char **ret)
{
	char text[32];
	struct bytes copy;
	if (json_is_string(value))
		return text_copy(form, name, value, true, ret);
	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(text, sizeof(text), "%s", json_is_true(value) ? "true" : "false");
	else
		return wrong_type(form, name,
			"a text, a whole number, true or false (decimal numbers as text)", value);
	int r = arena_copy(form->reader->arena, BYTES(text, strlen(text) + 1), &copy);
	if (r == 0)
		*ret = (char *)(uintptr_t)copy.data;
	return r;
}
