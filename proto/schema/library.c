/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Files are found by what is in them: nobody has to keep names in step with the registry, the old and the new
 * version of a schema lie beside each other, and a file that was changed is as absent as one that was
 * deleted. All of the folder is hashed, once, when a registry brings schemas that are not known yet, which is rare.
 */
#include "proto/schema/library.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
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

static void closedir_if_open(DIR *dir)
{
	if (dir)
		closedir(dir);
}
DEFINE_CLEANUP(DIR *, closedir_if_open);

/* Which bytes lie in the folder under which name, looked at once for all schemas of a registry. */
struct folder {
	const char *path;
	bool read;
	int error; /* it could not be read */
	size_t count;
	struct {
		uint8_t digest[HASH_SIZE];
		char name[NAME_MAX + 1];
	} files[SCHEMA_FOLDER_MAX];
};

static int folder_add(struct folder *folder, const char *name)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char path[PATH_MAX];
	size_t len;
	if (folder->count == SCHEMA_FOLDER_MAX)
		return -E2BIG;
	/* What cannot be read, or is no file, is none of those wanted. */
	if (path_join(path, sizeof(path), folder->path, name) ||
		file_read(path, SCHEMA_FILE_BYTES_MAX, &data, &len))
		return 0;
	sha256_of(BYTES(data, len), folder->files[folder->count].digest);
	snprintf(folder->files[folder->count].name, sizeof(folder->files[0].name), "%s", name);
	folder->count++;
	return 0;
}

static int folder_read(struct folder *folder)
{
	_cleanup_(closedir_if_open) DIR *dir = opendir(folder->path);
	int r = dir ? 0 : -errno;
	for (struct dirent *at; r == 0 && (at = readdir(dir));)
		if (at->d_name[0] != '.')
			r = folder_add(folder, at->d_name);
	return r;
}

/* It may have been changed since the folder was looked at. */
static bool read_again(const struct folder *folder, size_t at, uint8_t **ret, size_t *ret_len)
{
	uint8_t digest[HASH_SIZE];
	char path[PATH_MAX];
	if (path_join(path, sizeof(path), folder->path, folder->files[at].name) ||
		file_read(path, SCHEMA_FILE_BYTES_MAX, ret, ret_len))
		return false;
	sha256_of(BYTES(*ret, *ret_len), digest);
	return memcmp(digest, folder->files[at].digest, HASH_SIZE) == 0;
}

static bool find_file(const struct folder *folder, const Dienstweg__SchemaFile *wanted,
	struct schema_file *ret, uint8_t **ret_data)
{
	for (size_t i = 0; i < folder->count; i++) {
		_cleanup_(heap_free) uint8_t *data = NULL;
		size_t len;
		if (!bytes_equal(
			    BYTES_PB(wanted->digest), BYTES(folder->files[i].digest, HASH_SIZE)) ||
			!read_again(folder, i, &data, &len))
			continue;
		*ret = (struct schema_file){
			.name = BYTES_PB(wanted->name), .data = BYTES(data, len)};
		*ret_data = steal(&data);
		return true;
	}
	return false;
}

static int complain_absent(const struct folder *folder, const Dienstweg__Service *of, size_t nth,
	char reterr[SCHEMA_ERROR_SIZE])
{
	const Dienstweg__SchemaFile *file = of->schema_files[nth];
	const struct bytes service = BYTES_PB(of->name), name = BYTES_PB(file->name);
	snprintf(reterr, SCHEMA_ERROR_SIZE,
		"service %.*s: its schema %.*s (SHA-256 %02x%02x%02x%02x...) is not in the folder "
		"\"%.200s\"%s%s; put the file there that the registry was built with",
		(int)service.len, (const char *)service.data, (int)name.len,
		(const char *)name.data, file->digest.data[0], file->digest.data[1],
		file->digest.data[2], file->digest.data[3], folder->path, folder->error ? ": " : "",
		folder->error ? strerrordesc_np(-folder->error) : "");
	return SCHEMA_ABSENT;
}

static int make(struct folder *folder, const Dienstweg__Service *service, struct schema **ret,
	char reterr[SCHEMA_ERROR_SIZE])
{
	_cleanup_(schema_pile_deinit) struct schema_pile pile = {};
	char error[SCHEMA_ERROR_SIZE - 100] = "", whole[SCHEMA_ERROR_SIZE] = "";
	if (!folder->read)
		folder->error = folder->path[0] ? folder_read(folder) : -ENOENT;
	folder->read = true;
	for (size_t i = 0; i < service->n_schema_files; i++)
		if (!find_file(folder, service->schema_files[i], &pile.files[i], &pile.data[i]))
			return complain_absent(folder, service, i, reterr);
	int r = schema_new((enum schema_form)service->schema_form, pile.files,
		service->n_schema_files, BYTES_PB(service->schema_root), ret, whole);
	memcpy(error, whole, sizeof(error) - 1);
	if (r > 0)
		snprintf(reterr, SCHEMA_ERROR_SIZE, "service %.*s: %s", (int)service->name.len,
			(const char *)service->name.data, error);
	return r;
}

static int take_one(struct schema_library *library, struct folder *folder,
	const Dienstweg__Service *service, char reterr[SCHEMA_ERROR_SIZE])
{
	struct schema *schema = NULL;
	uint8_t identity[HASH_SIZE];
	if (schema_library_find(library, service))
		return 0;
	int r = make(folder, service, &schema, reterr);
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
	_cleanup_(heap_free) struct folder *folder = calloc(1, sizeof(*folder));
	if (!folder)
		return -ENOMEM;
	folder->path = library->dir;
	int r = 0;
	for (size_t i = 0; r == 0 && i < content->n_services; i++) {
		const Dienstweg__Service *service = content->services[i];
		if (schema_is_pinned(service) && (!wanted || wanted(context, service)))
			r = take_one(library, folder, service, reterr);
	}
	return r;
}
