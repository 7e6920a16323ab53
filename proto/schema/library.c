/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Files are found by what is in them: nobody has to keep names in step with the registry, the old and the new
 * version of a schema lie beside each other, and a file that was changed is as absent as one that was
 * deleted. All of the folder is hashed when a registry brings a schema that is not known yet, which is rare.
 */
#include "proto/schema/library.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <libxml/parser.h>

#include "proto/base/crypto.h"
#include "proto/base/file.h"

enum { SCHEMAS_MAX = 512 };

struct shelf {
	uint8_t identity[HASH_SIZE];
	struct schema *schema;
};

struct schema_library {
	char *dir;
	pthread_mutex_t lock;
	struct shelf shelves[SCHEMAS_MAX];
	size_t count;
};

int schema_library_new(const char *dir, struct schema_library **ret)
{
	struct schema_library *library = calloc(1, sizeof(*library));
	if (!library)
		return -ENOMEM;
	library->dir = strdup(dir ? dir : "");
	if (!library->dir) {
		free(library);
		return -ENOMEM;
	}
	pthread_mutex_init(&library->lock, NULL);
	xmlInitParser();
	*ret = library;
	return 0;
}

void schema_library_free(struct schema_library *library)
{
	if (!library)
		return;
	for (size_t i = 0; i < library->count; i++)
		schema_free(library->shelves[i].schema);
	pthread_mutex_destroy(&library->lock);
	free(library->dir);
	free(library);
}

bool schema_is_pinned(const Dienstweg__Service *service)
{
	return service->n_schema_files > 0;
}

static void add_part(struct sha256 *hash, struct bytes part)
{
	uint8_t len[4];
	be32_put(len, (uint32_t)part.len);
	sha256_add(hash, BYTES(len, sizeof(len)));
	sha256_add(hash, part);
}

static void identify(const Dienstweg__Service *service, uint8_t ret[HASH_SIZE])
{
	struct sha256 hash;
	uint8_t form = (uint8_t)service->schema_form;
	sha256_init(&hash);
	add_part(&hash, BYTES(&form, 1));
	add_part(&hash, BYTES_PB(service->schema_root));
	for (size_t i = 0; i < service->n_schema_files; i++) {
		add_part(&hash, BYTES_PB(service->schema_files[i]->name));
		add_part(&hash, BYTES_PB(service->schema_files[i]->digest));
	}
	sha256_finish(&hash, ret);
}

/* Locked. */
static const struct schema *look_up(
	const struct schema_library *library, const uint8_t identity[HASH_SIZE])
{
	for (size_t i = 0; i < library->count; i++)
		if (memcmp(library->shelves[i].identity, identity, HASH_SIZE) == 0)
			return library->shelves[i].schema;
	return NULL;
}

const struct schema *schema_library_find(
	struct schema_library *library, const Dienstweg__Service *service)
{
	uint8_t identity[HASH_SIZE];
	if (!schema_is_pinned(service))
		return NULL;
	identify(service, identity);
	pthread_mutex_lock(&library->lock);
	const struct schema *schema = look_up(library, identity);
	pthread_mutex_unlock(&library->lock);
	return schema;
}

/* ---- taking ---- */

/* Files of one schema, as they are found. */
struct pile {
	const Dienstweg__Service *service;
	struct schema_file files[SCHEMA_FILES_MAX];
	uint8_t *data[SCHEMA_FILES_MAX];
	size_t found;
};

static void pile_deinit(struct pile *pile)
{
	for (size_t i = 0; i < SCHEMA_FILES_MAX; i++)
		free(pile->data[i]);
}
DEFINE_CLEANUP_PTR(struct pile, pile_deinit);

static void closedir_if_open(DIR *dir)
{
	if (dir)
		closedir(dir);
}
DEFINE_CLEANUP(DIR *, closedir_if_open);

/* Takes the bytes when they are one of those wanted. */
static void offer(struct pile *pile, uint8_t **data, size_t len)
{
	uint8_t digest[HASH_SIZE];
	sha256_of(BYTES(*data, len), digest);
	for (size_t i = 0; *data && i < pile->service->n_schema_files; i++) {
		const Dienstweg__SchemaFile *wanted = pile->service->schema_files[i];
		if (pile->data[i] ||
			!bytes_equal(BYTES_PB(wanted->digest), BYTES(digest, sizeof(digest))))
			continue;
		pile->data[i] = steal(data);
		pile->files[i] = (struct schema_file){
			.name = BYTES_PB(wanted->name), .data = BYTES(pile->data[i], len)};
		pile->found++;
	}
}

static int look_through(const char *path, struct pile *pile)
{
	_cleanup_(closedir_if_open) DIR *dir = opendir(path);
	size_t seen = 0;
	if (!dir)
		return -errno;
	for (struct dirent *at; (at = readdir(dir)) && pile->found < pile->service->n_schema_files;) {
		_cleanup_(heap_free) uint8_t *data = NULL;
		char file[4096];
		size_t len;
		if (at->d_name[0] == '.')
			continue;
		if (++seen > SCHEMA_FOLDER_MAX)
			return -E2BIG;
		if (path_join(file, sizeof(file), path, at->d_name) == 0 &&
			file_read(file, SCHEMA_FILE_BYTES_MAX, &data, &len) == 0)
			offer(pile, &data, len);
	}
	return 0;
}

static int complain_absent(const struct schema_library *library, const struct pile *pile, int error,
	char reterr[SCHEMA_ERROR_SIZE])
{
	size_t i = 0;
	while (i + 1 < pile->service->n_schema_files && pile->data[i])
		i++;
	const Dienstweg__SchemaFile *file = pile->service->schema_files[i];
	const struct bytes service = BYTES_PB(pile->service->name), name = BYTES_PB(file->name);
	snprintf(reterr, SCHEMA_ERROR_SIZE,
		"service %.*s: its schema %.*s (SHA-256 %02x%02x%02x%02x...) is not in the folder "
		"\"%.200s\"%s%s; put the file there that the registry was built with",
		(int)service.len, (const char *)service.data, (int)name.len,
		(const char *)name.data, file->digest.data[0], file->digest.data[1],
		file->digest.data[2], file->digest.data[3], library->dir, error ? ": " : "",
		error ? strerrordesc_np(-error) : "");
	return SCHEMA_ABSENT;
}

static int make(const struct schema_library *library, const Dienstweg__Service *service,
	struct schema **ret, char reterr[SCHEMA_ERROR_SIZE])
{
	_cleanup_(pile_deinit) struct pile pile = {.service = service};
	char error[SCHEMA_ERROR_SIZE - 100] = "", whole[SCHEMA_ERROR_SIZE] = "";
	int r = library->dir[0] ? look_through(library->dir, &pile) : -ENOENT;
	if (pile.found < service->n_schema_files)
		return complain_absent(library, &pile, r, reterr);
	r = schema_new((enum schema_form)service->schema_form, pile.files, service->n_schema_files,
		BYTES_PB(service->schema_root), ret, whole);
	memcpy(error, whole, sizeof(error) - 1);
	if (r > 0)
		snprintf(reterr, SCHEMA_ERROR_SIZE, "service %.*s: %s", (int)service->name.len,
			(const char *)service->name.data, error);
	return r;
}

static int take_one(struct schema_library *library, const Dienstweg__Service *service,
	char reterr[SCHEMA_ERROR_SIZE])
{
	struct schema *schema = NULL;
	uint8_t identity[HASH_SIZE];
	if (schema_library_find(library, service))
		return 0;
	int r = make(library, service, &schema, reterr);
	if (r != 0)
		return r;
	identify(service, identity);
	pthread_mutex_lock(&library->lock);
	if (library->count == SCHEMAS_MAX || look_up(library, identity)) {
		r = library->count == SCHEMAS_MAX ? -ENOSPC : 0;
	} else {
		struct shelf *shelf = &library->shelves[library->count++];
		memcpy(shelf->identity, identity, sizeof(shelf->identity));
		shelf->schema = steal(&schema);
	}
	pthread_mutex_unlock(&library->lock);
	schema_free(schema);
	return r;
}

int schema_library_take(struct schema_library *library, const struct registry *registry,
	bool (*wanted)(void *context, const Dienstweg__Service *service), void *context,
	char reterr[SCHEMA_ERROR_SIZE])
{
	const Dienstweg__RegistryContent *content = registry_content(registry);
	int r = 0;
	for (size_t i = 0; r == 0 && i < content->n_services; i++) {
		const Dienstweg__Service *service = content->services[i];
		if (schema_is_pinned(service) && (!wanted || wanted(context, service)))
			r = take_one(library, service, reterr);
	}
	return r;
}
