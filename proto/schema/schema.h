/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * What the content of a service must look like: an XML Schema with the files that it includes, or a message type
 * in a protobuf FileDescriptorSet (as `protoc --include_imports --descriptor_set_out` writes it). Both sides of the
 * wire check with this: the broker what it may read, adapters before they seal and after they have opened.
 *
 * A fault names the place and the rule. It never repeats what the document says: that may be personal data.
 */
enum {
	SCHEMA_FAULT = 1, /* the document does not follow the schema */
	SCHEMA_BAD = 2,   /* the schema itself cannot be used */
};
enum schema_form { SCHEMA_XSD = 1, SCHEMA_PROTOBUF = 2 }; /* as SchemaForm in registry.proto */
enum {
	SCHEMA_FILES_MAX = 64,
	SCHEMA_FILE_BYTES_MAX = 4 << 20,
	SCHEMA_FIELD_SIZE = 128,
	SCHEMA_REASON_SIZE = 160,
	SCHEMA_ERROR_SIZE = 512,
};

struct schema_file {
	struct bytes name; /* as the others include it; no slash */
	struct bytes data;
};

/* The files of one schema as they are read. */
struct schema_pile {
	struct schema_file files[SCHEMA_FILES_MAX];
	uint8_t *data[SCHEMA_FILES_MAX]; /* malloc'd, what the files' bytes are views of; NULL: not there yet */
};
void schema_pile_deinit(struct schema_pile *pile); /* one of all zeroes, too */
DEFINE_CLEANUP_PTR(struct schema_pile, schema_pile_deinit);

struct schema_fault {
	char field[SCHEMA_FIELD_SIZE]; /* "/antrag/person[2]/geburtsdatum", "application.household[1]" */
	char reason[SCHEMA_REASON_SIZE]; /* the end of a sentence that begins with "it " */
};

struct schema; /* immutable once made; any number of threads may check with it */

/**
 * schema_new() - make a schema ready
 * @form:   which kind
 * @files:  the first one is the schema, the others what it includes; not kept
 * @count:  1 to SCHEMA_FILES_MAX; 1 for protobuf
 * @root:   protobuf: full name of the message type; XML: local name of the only root element, or empty for any
 *          that the schema declares
 * @ret:    schema_free()
 * @reterr: SCHEMA_ERROR_SIZE bytes for a sentence that names the file
 *
 * Nothing is read but @files: an include of anything else is a fault of the schema.
 *
 * Return: 0, SCHEMA_BAD, negative errno.
 */
int schema_new(enum schema_form form, const struct schema_file *files, size_t count,
	struct bytes root, struct schema **ret, char reterr[SCHEMA_ERROR_SIZE]);
void schema_free(struct schema *schema); /* takes NULL */
DEFINE_CLEANUP(struct schema *, schema_free);

/**
 * schema_check() - does a document follow the schema?
 * @schema: the schema
 * @body:   untrusted, at most 256 KiB
 * @ret:    the first fault
 * Return: 0, SCHEMA_FAULT, -ENOMEM.
 */
int schema_check(const struct schema *schema, struct bytes body, struct schema_fault *ret);
