/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A new key file is written under a temporary name and then linked to its own, which fails where a rename
 * would overwrite somebody's only key; one that gets a further key is renamed over the file that it holds
 * all keys of. The secret comes first, because the public half can be made from it again and not the other
 * way round.
 *
 * The text of a secret file never lies in ordinary memory: it is read into secret memory directly
 * instead of through file_read().
 */
#include "proto/identity/keyfile.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/identity/keytext.h"

enum { KEYFILE_BYTES_MAX = 64 * 1024 /* with comments */ };

static void closedir_or_null(DIR *dir)
{
	if (dir)
		closedir(dir);
}
DEFINE_CLEANUP(DIR *, closedir_or_null);

static int write_all(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t n = write(fd, data.data, data.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data = BYTES(data.data + n, data.len - (size_t)n);
	}
	return 0;
}

static int put_new(const char *temporary, const char *path)
{
	return link(temporary, path) < 0 ? -errno : 0;
}

static int put_over(const char *temporary, const char *path)
{
	return rename(temporary, path) < 0 ? -errno : 0;
}

/* Durable but for the folder; put_new() is -EEXIST when the name is taken. */
static int write_file(const char *dir, const char *path, struct bytes text, mode_t mode,
	int (*put)(const char *temporary, const char *path))
{
	char temporary[PATH_MAX];
	int r = path_join(temporary, sizeof(temporary), dir, ".key-XXXXXX");
	if (r < 0)
		return r;
	_cleanup_(fd_close) int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0)
		r = put(temporary, path);
	unlink(temporary); /* put_over() has left nothing there */
	return r;
}

static int name_join(char path[PATH_MAX], const char *dir, const char *name, const char *ending)
{
	char file[NAME_MAX + 1];
	int n = snprintf(file, sizeof(file), "%s.%s", name, ending);
	if (n < 0 || (size_t)n >= sizeof(file))
		return -ENAMETOOLONG;
	return path_join(path, PATH_MAX, dir, file);
}

struct paths {
	char secret[PATH_MAX], public[PATH_MAX];
};

static int write_both(const char *dir, const char *name, const struct keyring_secret *secret,
	const struct keyring_public *public, struct paths *paths,
	int (*put)(const char *temporary, const char *path))
{
	assert(text_is_name(BYTES_STR(secret->owner)));
	assert(public->count >= 1 && public->count <= KEYFILE_KEYS_MAX);
	int r = name_join(paths->secret, dir, name, "secret");
	if (r == 0)
		r = name_join(paths->public, dir, name, "keys");
	if (r < 0)
		return r;
	_cleanup_(secret_free) char *text = secret_alloc(KEYTEXT_BYTES_MAX);
	if (!text)
		return -ENOMEM;
	size_t len = keytext_format_secret(secret, text);
	r = write_file(dir, paths->secret, BYTES(text, len), 0600, put);
	if (r < 0)
		return r;
	len = keytext_format_public(public, text);
	r = write_file(dir, paths->public, BYTES(text, len), 0644, put);
	if (r < 0 && put == put_new)
		unlink(paths->secret);
	return r ? r : dir_sync(dir);
}

void keyring_public_of(const struct keyring_secret *keys, struct keyring_public *ret)
{
	memcpy(ret->owner, keys->owner, sizeof(ret->owner));
	ret->count = keys->count;
	for (size_t i = 0; i < keys->count; i++)
		ret->keys[i] = keys->keys[i]->pub;
}

int keyfile_write(const char *dir, const char *name, const struct keyring_secret *keys)
{
	struct paths paths;
	struct keyring_public public;
	keyring_public_of(keys, &public);
	return write_both(dir, name, keys, &public, &paths, put_new);
}

int keyfile_exchange(const char *dir, const char *name, const struct keyring_secret *secret,
	const struct keyring_public *public)
{
	struct paths paths;
	return write_both(dir, name, secret, public, &paths, put_over);
}

/* The first KEYFILE_BYTES_MAX + 1 bytes of a regular file, into secret memory. */
static int secret_read(int fd, char **ret, size_t *ret_len)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	_cleanup_(secret_free) char *text = secret_alloc(KEYFILE_BYTES_MAX + 1);
	if (!text)
		return -ENOMEM;
	size_t len = 0;
	while (len <= KEYFILE_BYTES_MAX) {
		ssize_t n = read(fd, text + len, KEYFILE_BYTES_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret = steal(&text);
	*ret_len = len;
	return 0;
}

static int too_large(const char *path, char *reterr, size_t size)
{
	snprintf(reterr, size, "%s: larger than %d bytes: this is no key file", path,
		KEYFILE_BYTES_MAX);
	return KEYFILE_MALFORMED;
}

int keyfile_read_secret(const char *path, struct keyring_secret *ret, char *reterr, size_t size)
{
	int r = file_check_private(path);
	if (r == FILE_UNSAFE) {
		snprintf(reterr, size,
			"%s: others may read this secret, or it belongs to somebody else: "
			"chown it to this user and chmod 600; if it was read, make new keys",
			path);
		return KEYFILE_UNSAFE;
	}
	if (r < 0)
		return r;
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	_cleanup_(secret_free) char *text = NULL;
	size_t len = 0;
	r = secret_read(fd, &text, &len);
	if (r < 0)
		return r;
	if (len > KEYFILE_BYTES_MAX)
		return too_large(path, reterr, size);
	return keytext_parse_secret(path, BYTES(text, len), ret, reterr, size);
}

int keyfile_read_public(const char *path, struct keyring_public *ret, char *reterr, size_t size)
{
	_cleanup_(heap_free) uint8_t *text = NULL;
	size_t len = 0;
	int r = file_read(path, KEYFILE_BYTES_MAX, &text, &len);
	if (r == FILE_TOO_LARGE)
		return too_large(path, reterr, size);
	if (r < 0)
		return r;
	return keytext_parse_public(path, BYTES(text, len), ret, reterr, size);
}

void keyring_secret_deinit(struct keyring_secret *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < ARRAY_LEN(keys->keys); i++)
		key_secret_free(keys->keys[i]);
	*keys = (struct keyring_secret){0};
}

const struct key_secret *keyring_secret_find(const struct keyring_secret *keys, enum key_use use)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (keys->keys[i]->pub.use == use)
			return keys->keys[i];
	}
	return NULL;
}

static bool file_has_root(int dir, const char *name)
{
	_cleanup_(fd_close) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_(secret_free) char *text = NULL;
	size_t len = 0;
	if (fd < 0 || secret_read(fd, &text, &len) < 0)
		return false;
	return keytext_has_root(BYTES(text, len));
}

bool keyfile_root_secret_in(const char *dir, char *ret, size_t size)
{
	_cleanup_(closedir_or_null) DIR *stream = opendir(dir);
	const struct dirent *entry;
	if (!stream)
		return false;
	while ((entry = readdir(stream)) != NULL) {
		if (!file_has_root(dirfd(stream), entry->d_name))
			continue;
		snprintf(ret, size, "%s/%s", dir, entry->d_name);
		return true;
	}
	return false;
}
