/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * Reads JSON that people and their programs wrote, strictly: every field is asked for by name and type,
 * and what nobody asked for is an error. Complaints name the path ("applicant.date_of_birth") and say
 * what would be right; they never repeat a value.
 */
enum {
	FORM_BAD = 1, /* reterr tells */
	FORM_PATH_MAX = 160,
	FORM_FIELDS_MAX = 40, /* names asked for in one object */
	FORM_LINE_MAX = 400,
	FORM_TEXT_MAX = 20000,
};

enum form_need { FORM_OPTIONAL, FORM_REQUIRED };

/* Where complaints go, and where texts are copied to: one for all forms of a document. */
struct form_reader {
	struct arena *arena;
	char *reterr;
	size_t size;
};

/* An object being read. Borrowed from the document. */
struct form {
	struct form_reader *reader;
	json_t *object;
	char path[FORM_PATH_MAX]; /* of the object, "" at the top, else ending in "." */
	size_t known_count;
	const char *known[FORM_FIELDS_MAX];
};

static inline void cleanup_json_decref(json_t **json)
{
	json_decref(*json);
}

/**
 * form_parse() - parse a document that must be one JSON object
 * @reader:   for the complaint
 * @text:     untrusted
 * @ret_root: json_decref() it
 * @ret:      the object
 * Return: 0 or FORM_BAD.
 */
int form_parse(struct form_reader *reader, struct bytes text, json_t **ret_root, struct form *ret);

/**
 * form_end() - complain about fields that nobody asked for
 * @form: read
 * Return: 0 or FORM_BAD.
 */
int form_end(const struct form *form);

/**
 * form_fail() - complain about a field
 * @form:   the object it is in
 * @name:   field
 * @format: "what is wrong; what would be right"
 * Return: FORM_BAD.
 */
int form_fail(const struct form *form, const char *name, const char *format, ...) _printf_(3, 4);

/* Is there a field of that name? It counts as asked for. */
bool form_has(struct form *form, const char *name);

/**
 * form_line() - a text of one line, 1 to FORM_LINE_MAX bytes, without control characters
 * @form: the object
 * @name: field
 * @need: an optional one that is absent, or null, leaves *ret
 * @ret:  NUL-terminated, in the arena
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int form_line(struct form *form, const char *name, enum form_need need, char **ret);

/* The same with line ends, up to FORM_TEXT_MAX bytes. */
int form_text(struct form *form, const char *name, enum form_need need, char **ret);

/* The same of a certain form: a name of the bus; a region key; a date; a time (RFC 3339). */
int form_name(struct form *form, const char *name, enum form_need need, char **ret);
int form_region(struct form *form, const char *name, enum form_need need, char **ret);
int form_date(struct form *form, const char *name, enum form_need need, char **ret);
int form_time(struct form *form, const char *name, enum form_need need, char **ret);

/**
 * form_hex() - hex of exactly @len bytes
 * @form:    the object
 * @name:    field
 * @need:    whether it may be absent
 * @buf:     result
 * @len:     bytes
 * @ret_has: whether it was there
 * Return: 0 or FORM_BAD.
 */
int form_hex(struct form *form, const char *name, enum form_need need, uint8_t *buf, size_t len,
	bool *ret_has);

/**
 * form_choice() - one of some words
 * @form:    the object
 * @name:    field
 * @need:    an optional one that is absent leaves *ret
 * @choices: ended by NULL
 * @ret:     index of the word
 * Return: 0 or FORM_BAD.
 */
int form_choice(struct form *form, const char *name, enum form_need need,
	const char *const *choices, size_t *ret);

/**
 * form_integer() - a whole number
 * @form: the object
 * @name: field
 * @need: an optional one that is absent leaves *ret
 * @min:  least
 * @max:  largest
 * @ret:  the number
 * Return: 0 or FORM_BAD.
 */
int form_integer(struct form *form, const char *name, enum form_need need, int64_t min, int64_t max,
	int64_t *ret);

/**
 * form_object() - an object in it
 * @form: the object
 * @name: field
 * @need: when optional and absent, @ret->object is NULL
 * @ret:  to be read and ended like any
 * Return: 0 or FORM_BAD.
 */
int form_object(struct form *form, const char *name, enum form_need need, struct form *ret);

/**
 * form_list() - a list in it
 * @form:      the object
 * @name:      field
 * @max:       most entries
 * @ret:       borrowed; NULL when absent
 * @ret_count: entries
 * Return: 0 or FORM_BAD.
 */
int form_list(struct form *form, const char *name, size_t max, json_t **ret, size_t *ret_count);

/**
 * form_entry() - an entry of a list, which must be an object
 * @form: the object that the list is in
 * @name: the list's field
 * @list: from form_list()
 * @i:    which
 * @ret:  to be read and ended like any
 * Return: 0 or FORM_BAD.
 */
int form_entry(const struct form *form, const char *name, json_t *list, size_t i, struct form *ret);

/**
 * form_entry_line() - an entry of a list, which must be a text of one line
 * @form: the object that the list is in
 * @name: the list's field
 * @list: from form_list()
 * @i:    which
 * @ret:  in the arena
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int form_entry_line(const struct form *form, const char *name, json_t *list, size_t i, char **ret);

/**
 * form_key() - the name of a field as a text of one line, for objects whose names are content
 * @form: the object
 * @key:  a name in it
 * @ret:  in the arena
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int form_key(const struct form *form, const char *key, char **ret);

/**
 * form_scalar() - a text, whole number or truth value as text
 * @form:  the object it is in
 * @name:  field, for the complaint
 * @value: borrowed
 * @ret:   in the arena
 * Return: 0, FORM_BAD, -ENOMEM.
 */
int form_scalar(const struct form *form, const char *name, const json_t *value, char **ret);
