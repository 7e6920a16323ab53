/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two files change together, and no file system changes two at once. So the keyring decides: the new master
 * key is written beside the old one first, then the keyring is replaced by one that is sealed under the new
 * key, then the new key takes the old one's place. Killed before the middle step, the old key still opens the
 * keyring and the new one is dropped; killed after it, only the new one opens it and is adopted. Which of the
 * two it was needs no mark anywhere, because a keyring opens under exactly one of them.
 */
#include "broker/journal/keyring-master.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"

static bool is_credential(const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t len = dir ? strlen(dir) : 0;
	return len > 0 && strncmp(path, dir, len) == 0 && path[len] == '/';
}

int master_file_init(struct master_file *file, const char *path)
{
	char found[PATH_MAX];
	if (!realpath(path, found))
		return -errno;
	if (strlen(found) >= sizeof(file->path))
		return -ENAMETOOLONG;
	memcpy(file->path, found, strlen(found) + 1);
	int n = snprintf(file->next, sizeof(file->next), "%s.next", file->path);
	file->credential = is_credential(file->path);
	return n < 0 || (size_t)n >= sizeof(file->next) ? -ENAMETOOLONG : 0;
}

int master_file_read(const struct master_file *file, bool next, uint8_t **ret)
{
	const char *path = next ? file->next : file->path;
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len = 0;
	int r = file->credential ? 0 : file_check_private(path);
	if (r)
		return r < 0 ? r : -EACCES;
	r = file_read(path, AEAD_KEY_SIZE, &data, &len);
	if (r < 0)
		return r;
	if (r > 0 || len != AEAD_KEY_SIZE) {
		if (data)
			secret_wipe(data, len);
		return KEYRING_BROKEN;
	}
	uint8_t *master = secret_alloc(AEAD_KEY_SIZE);
	if (master)
		memcpy(master, data, AEAD_KEY_SIZE);
	secret_wipe(data, len);
	*ret = master;
	return master ? 0 : -ENOMEM;
}

int master_file_put_next(const struct master_file *file, const uint8_t key[AEAD_KEY_SIZE])
{
	if (file->credential)
		return MASTER_FIXED;
	int r = file_replace(file->next, BYTES(key, AEAD_KEY_SIZE), 0600);
	return r == -EROFS || r == -EACCES || r == -EPERM ? MASTER_FIXED : r;
}

void file_wipe(int fd)
{
	static const uint8_t zeroes[4096];
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return;
	for (off_t at = 0; at < st.st_size; at += (off_t)sizeof(zeroes)) {
		size_t left = (size_t)(st.st_size - at);
		size_t len = left < sizeof(zeroes) ? left : sizeof(zeroes);
		if (pwrite(fd, zeroes, len, at) < 0)
			return;
	}
	(void)fsync(fd);
}

static int sync_folder_of(const char *path)
{
	char folder[4096];
	const char *slash = strrchr(path, '/'); /* realpath() has one */
	size_t len = slash == path ? 1 : (size_t)(slash - path);
	memcpy(folder, path, len);
	folder[len] = '\0';
	return dir_sync(folder);
}

int master_file_adopt(const struct master_file *file)
{
	_cleanup_(fd_close) int old = open(file->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (rename(file->next, file->path) < 0)
		return -errno;
	int r = sync_folder_of(file->path);
	if (r == 0)
		file_wipe(old);
	return r;
}

int master_file_drop(const struct master_file *file)
{
	/* In a folder that we cannot write there never was one. */
	if (unlink(file->next) < 0)
		return errno == ENOENT || errno == EROFS || errno == EACCES ? 0 : -errno;
	return sync_folder_of(file->next);
}
