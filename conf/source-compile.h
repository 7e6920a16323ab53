/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>

#include "conf/source-yaml.h"
#include "conf/source.h"
#include "proto/base/arena.h"
#include "proto/registry.pb-c.h"

/*
 * Compiling, between source-*.c. Texts in the content point into what libcyaml loaded, which the source
 * keeps; the arena holds messages and lists. Every step returns 0, SOURCE_INVALID (complaint written) or
 * -ENOMEM.
 */
enum { SOURCE_BUS, SOURCE_PARTIES, SOURCE_SERVICES, SOURCE_AGREEMENTS, SOURCE_FILES };

struct source {
	struct arena *arena;
	struct yaml_file *files[SOURCE_FILES];
	void *data[SOURCE_FILES]; /* NULL: an empty file */
	const char *folder;
	const char *keys;
	struct yaml_error error;
	Dienstweg__RegistryContent content;
	uint64_t stale_after_ms;
};

/**
 * source_fail() - complain about a field
 * @source: whose error to write
 * @file:   SOURCE_BUS, ...
 * @field:  path
 * @format: what is wrong; remedy
 * Return: SOURCE_INVALID, always.
 */
int source_fail(const struct source *source, int file, const char *field, const char *format, ...)
	_printf_(4, 5);

/* A field's path, made like printf does; a value to be used at once. */
struct source_field {
	char path[200];
};

/**
 * source_field() - make a path
 * @format: printf's
 * Return: a value; use its `path`.
 */
struct source_field source_field(const char *format, ...) _printf_(1, 2);
#define FIELD(...) source_field(__VA_ARGS__).path

/**
 * source_text() - a loaded word as a field of the content
 * @word: may be NULL
 * Return: a view.
 */
ProtobufCBinaryData source_text(const char *word);

/**
 * source_list() - memory for a list of pointers and the messages they point to
 * @source:   owns it
 * @count:    entries
 * @size:     of a message
 * @init:     sets a message to its defaults
 * @ret_list: the pointers
 * Return: 0 or -ENOMEM.
 */
int source_list(const struct source *source, size_t count, size_t size, void (*init)(void *),
	void *ret_list);

/**
 * source_name() - check a name
 * @source: complaint
 * @file:   where it stands
 * @field:  where it stands
 * @name:   the word
 * Return: 0 or SOURCE_INVALID.
 */
int source_name(const struct source *source, int file, const char *field, const char *name);

/**
 * source_number() - read a whole number
 * @source: complaint
 * @file:   where it stands
 * @field:  where it stands
 * @word:   NULL leaves @ret alone
 * @min:    least
 * @max:    most
 * @ret:    the number
 * Return: 0 or SOURCE_INVALID.
 */
int source_number(const struct source *source, int file, const char *field, const char *word,
	uint64_t min, uint64_t max, uint64_t *ret);

/**
 * source_title() - check a text for people
 * @source: complaint
 * @file:   where it stands
 * @field:  where it stands
 * @text:   may be NULL
 * Return: 0 or SOURCE_INVALID.
 */
int source_title(const struct source *source, int file, const char *field, const char *text);

/**
 * source_has_party() - is there a party of this name?
 * @source: parties are compiled
 * @name:   the word
 * Return: true when there is.
 */
bool source_has_party(const struct source *source, const char *name);

/**
 * source_keys() - load the public keys of an owner
 * @source:    whose folder of keys
 * @file:      where the owner stands
 * @field:     where the owner stands, e.g. "parties[3]"
 * @owner:     name in the proofs of possession; also the file's name when none is listed
 * @list:      as listed, may be empty
 * @count:     of @list
 * @ret:       list of pointers
 * @ret_count: its length
 * Return: 0, SOURCE_INVALID, -ENOMEM.
 */
int source_keys(const struct source *source, int file, const char *field, const char *owner,
	const struct yaml_key *list, size_t count, Dienstweg__Key ***ret, size_t *ret_count);

/**
 * source_bus() - bus.yaml
 * @source: files are loaded
 * Return: 0, SOURCE_INVALID, -ENOMEM.
 */
int source_bus(struct source *source);

/**
 * source_parties() - parties.yaml
 * @source: files are loaded
 * Return: 0, SOURCE_INVALID, -ENOMEM.
 */
int source_parties(struct source *source);

/**
 * source_services() - services.yaml; after the bus, whose classes it names
 * @source: files are loaded
 * Return: 0, SOURCE_INVALID, -ENOMEM.
 */
int source_services(struct source *source);

/**
 * source_schema() - read, try and pin the schema of a service
 * @source:  files are loaded; schemas lie in the folder "schemas" beside them
 * @from:    as loaded
 * @n:       which service, from 1
 * @service: gets form, files and root
 * Return: 0, SOURCE_INVALID, -ENOMEM.
 */
int source_schema(struct source *source, const struct yaml_schema *from, size_t n,
	Dienstweg__Service *service);

/**
 * source_agreements() - agreements.yaml; after parties and services
 * @source: files are loaded
 * Return: 0, SOURCE_INVALID, -ENOMEM.
 */
int source_agreements(struct source *source);
