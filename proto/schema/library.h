/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>

#include "proto/registry/registry.h"
#include "proto/schema/schema.h"

/*
 * The schemas that registries pin, made ready once. Their files lie in a folder under any name: a file is the one
 * that is meant when its SHA-256 is the one in the registry. Any number of threads may look up and take.
 */
enum {
	SCHEMA_ABSENT = 3,        /* a file of that digest is not in the folder */
	SCHEMA_FOLDER_MAX = 1000, /* files looked at */
};

struct schema_library;

/**
 * schema_library_new() - an empty library; libxml2 is made ready for threads
 * @dir: the folder, NULL or "": there is none, and every pinned schema is absent
 * @ret: schema_library_free()
 * Return: 0 or -ENOMEM.
 */
int schema_library_new(const char *dir, struct schema_library **ret);
void schema_library_free(struct schema_library *library); /* takes NULL; no thread uses it any more */
DEFINE_CLEANUP(struct schema_library *, schema_library_free);

/**
 * schema_library_take() - make the schemas of a registry ready, before it comes into force
 * @library:  the library
 * @registry: whose services
 * @wanted:   NULL: of all services; else asked for each whether it matters
 * @context:  for @wanted
 * @reterr:   a sentence that names service and file
 *
 * Schemas of earlier registries stay, so that what was checked under them can be checked again.
 *
 * Return: 0, SCHEMA_ABSENT, SCHEMA_BAD, negative errno.
 */
int schema_library_take(struct schema_library *library, const struct registry *registry,
	bool (*wanted)(void *context, const Dienstweg__Service *service), void *context,
	char reterr[SCHEMA_ERROR_SIZE]);

/**
 * schema_library_find() - the schema of a service
 * @library: the library
 * @service: of a registry
 * Return: lives as long as @library; NULL when it pins none, or it was never taken.
 */
const struct schema *schema_library_find(
	struct schema_library *library, const Dienstweg__Service *service);

/* Does the service pin a schema? */
bool schema_is_pinned(const Dienstweg__Service *service);
