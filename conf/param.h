/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "conf/config.h"
#include "conf/yaml-file.h"
#include "proto/base/arena.h"

/*
 * Parameters as rows of a table. One row says everything about a parameter, so that reading it, checking
 * it, --print-config and the man page cannot disagree.
 */
enum param_type {
	PARAM_COUNT,     /* uint64_t: a whole number */
	PARAM_PERCENT,   /* uint64_t */
	PARAM_BYTES,     /* uint64_t: "64 GiB"; B, KiB, MiB, GiB, TiB */
	PARAM_PAGES,     /* the same, a multiple of 4096 */
	PARAM_TIME,      /* uint64_t, ms: "15 s"; ms, s, min, h */
	PARAM_NAME,      /* const char *: bus, party or service name */
	PARAM_PATH,      /* const char *: made relative to the file's folder */
	PARAM_ENDPOINT,  /* const char *: to connect to */
	PARAM_LISTEN,    /* const char *: to bind, the port may be "*" */
	PARAM_CHOICE,    /* const char *: one of `choices` */
	PARAM_LOG_LEVEL, /* enum log_level */
	PARAM_SETTINGS, /* struct config_setting * and, at offset2, size_t: list of name and value */
};

struct param {
	const char *name; /* "state" or "journal.map_size"; rows of a section stand together */
	enum param_type type;
	bool list; /* struct config_list of it */
	size_t offset;
	size_t offset2;    /* PARAM_SETTINGS only */
	uint64_t min, max; /* numbers: in bytes, ms, ...; lists: see list_max */
	size_t list_max;
	const char *fallback; /* default as one writes it; "STATE/..." means the folder `state`; NULL: required,
	                         unless `optional` */
	bool optional;
	const char *choices; /* space-separated */
	const char *doc;     /* a sentence */
};

struct param_table {
	const char *title; /* "Broker" */
	const struct param *rows;
	size_t count;
	size_t size;        /* of the struct */
	size_t path_offset; /* of the member that keeps the file's path */
};

/**
 * param_read() - read a file by a table into a new struct
 * @table: the rows
 * @path:  the file
 * @ret:   the struct that the rows' offsets are of; param_free()
 * @ret_file: stays open for further complaints; yaml_file_free()
 * @error: complaint
 * Return: 0, CONFIG_INVALID, negative errno (with a complaint).
 */
int param_read(const struct param_table *table, const char *path, void **ret,
	struct yaml_file **ret_file, struct yaml_error error);

/**
 * param_free() - free what param_read() gave, and its text
 * @config: may be NULL
 */
void param_free(const void *config);

/* What a value is read with. */
struct param_context {
	const struct yaml_file *file;
	struct yaml_error error;
	struct arena *arena;
	const char *folder; /* of the file, "" for the current one */
	const char *state;  /* once known */
};

/**
 * param_value() - read one word into its place
 * @context: complaints, memory
 * @row:     what it must be
 * @field:   its path, for complaints ("listen[2]")
 * @text:    as written
 * @ret:     uint64_t, const char * or enum log_level
 * Return: 0, CONFIG_INVALID, -ENOMEM.
 */
int param_value(const struct param_context *context, const struct param *row, const char *field,
	const char *text, void *ret);

/**
 * param_unit() - a number as one writes it: 68719476736 bytes as "64 GiB"
 * @type:  PARAM_BYTES, PARAM_PAGES, PARAM_TIME, or a plain number
 * @value: in bytes, ms, ...
 * @buf:   result
 * @size:  of @buf
 */
void param_unit(enum param_type type, uint64_t value, char *buf, size_t size);

/**
 * param_print() - print a table
 * @table: the rows
 * @form:  how
 * @fd:    where to
 * Return: 0 or negative errno.
 */
int param_print(const struct param_table *table, enum config_form form, int fd);

/* The tables. */
extern const struct param_table param_broker;
extern const struct param_table param_adapter;
