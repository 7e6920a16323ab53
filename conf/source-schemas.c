/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A schema is tried before it is pinned: one that nobody can use would stop the service on the day it comes into
 * force, at every broker and adapter at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/source-compile.h"
#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "proto/schema/schema.h"

static const char folder_name[] = "schemas";

static void init_file(void *message)
{
	dienstweg__schema_file__init(message);
}

static int choose_form(const struct source *source, const struct yaml_schema *from, size_t n,
	Dienstweg__SchemaForm *ret)
{
	*ret = strcmp(from->form, "protobuf") == 0 ? DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_PROTOBUF
						   : DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_XSD;
	if (*ret == DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_XSD && strcmp(from->form, "xsd") != 0)
		return source_fail(source, SOURCE_SERVICES, FIELD("services[%zu].schema.form", n),
			"\"%.40s\" is not possible; write xsd or protobuf", from->form);
	if (*ret == DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_PROTOBUF && !from->root)
		return source_fail(source, SOURCE_SERVICES, FIELD("services[%zu].schema", n),
			"lacks root; write the full name of the message type, as package.Message");
	return 0;
}

static int read_file(const struct source *source, const char *name, size_t n, size_t f,
	struct schema_pile *pile, Dienstweg__SchemaFile *ret)
{
	struct source_field field = source_field("services[%zu].schema.files[%zu]", n, f + 1);
	char folder[4096], path[4096];
	size_t len;
	uint8_t *digest = arena_alloc(source->arena, HASH_SIZE);
	if (!digest)
		return -ENOMEM;
	if (strchr(name, '/') || name[0] == '.' || name[0] == '\0')
		return source_fail(source, SOURCE_SERVICES, field.path,
			"must be the plain name of a file in the folder %s", folder_name);
	int r = path_join(folder, sizeof(folder), source->folder, folder_name);
	if (r == 0)
		r = path_join(path, sizeof(path), folder, name);
	if (r == 0)
		r = file_read(path, SCHEMA_FILE_BYTES_MAX, &pile->data[f], &len);
	if (r != 0)
		return source_fail(source, SOURCE_SERVICES, field.path, "%.200s cannot be read: %s",
			path, r > 0 ? "it is larger than 4 MiB" : strerrordesc_np(-r));
	pile->files[f] = (struct schema_file){
		.name = BYTES_STR(name), .data = BYTES(pile->data[f], len)};
	sha256_of(pile->files[f].data, digest);
	ret->name = source_text(name);
	ret->digest = (ProtobufCBinaryData){.len = HASH_SIZE, .data = digest};
	return 0;
}

static int try_schema(const struct source *source, const struct schema_pile *pile, size_t n,
	const Dienstweg__Service *service)
{
	char why[SCHEMA_ERROR_SIZE] = "";
	_cleanup_(schema_free) struct schema *schema = NULL;
	int r = schema_new((enum schema_form)service->schema_form, pile->files,
		service->n_schema_files, BYTES_PB(service->schema_root), &schema, why);
	if (r <= 0)
		return r;
	return source_fail(
		source, SOURCE_SERVICES, FIELD("services[%zu].schema.files", n), "%.400s", why);
}

int source_schema(struct source *source, const struct yaml_schema *from, size_t n,
	Dienstweg__Service *service)
{
	_cleanup_(schema_pile_deinit) struct schema_pile pile = {};
	size_t count = from->files.count;
	int r = choose_form(source, from, n, &service->schema_form);
	if (r == 0 && (count < 1 || count > SCHEMA_FILES_MAX))
		r = source_fail(source, SOURCE_SERVICES, FIELD("services[%zu].schema.files", n),
			"must list 1 to %d files, the schema itself first", SCHEMA_FILES_MAX);
	if (r == 0)
		r = source_list(source, count, sizeof(Dienstweg__SchemaFile), init_file,
			&service->schema_files);
	if (r != 0)
		return r;
	service->n_schema_files = count;
	service->schema_root = source_text(from->root);
	for (size_t f = 0; r == 0 && f < count; f++)
		r = read_file(source, from->files.items[f], n, f, &pile, service->schema_files[f]);
	return r ? r : try_schema(source, &pile, n, service);
}
