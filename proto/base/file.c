/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A rename is atomic but not durable, and a file is durable only together with its name: hence the
 * fsync of the file before the rename and of the folder after it. A failed fsync is never repeated,
 * because the kernel has by then forgotten what it could not write. Files are opened without blocking
 * and must be regular: a FIFO with the expected name must not stop a daemon.
 */
#include "proto/base/file.h"

#include "proto/base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_GUESS_BYTES = 4096 }; /* files under /proc say that they are empty */

static int file_open_regular(const char *path, int *ret_fd, struct stat *ret_stat)
{
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_stat) < 0)
		return -errno;
	if (S_ISDIR(ret_stat->st_mode))
		return -EISDIR;
	if (!S_ISREG(ret_stat->st_mode))
		return -EINVAL;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Reads until @cap bytes or the end. */
static int fd_read_upto(int fd, uint8_t *buf, size_t cap, size_t *len)
{
	while (*len < cap) {
		ssize_t n = read(fd, buf + *len, cap - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		*len += (size_t)n;
	}
	return 0;
}

/* Content may be a secret: no trace of it stays in freed memory. */
static void content_free(uint8_t *buf, size_t len)
{
	if (!buf)
		return;
	explicit_bzero(buf, len);
	free(buf);
}

static int content_grow(uint8_t **buf, size_t len, size_t cap)
{
	uint8_t *larger = malloc(cap + 1);
	if (!larger)
		return -ENOMEM;
	if (len > 0)
		memcpy(larger, *buf, len);
	content_free(*buf, len);
	*buf = larger;
	return 0;
}

int file_read(const char *path, size_t max, uint8_t **ret, size_t *ret_len)
{
	_cleanup_(fd_close) int fd = -1;
	struct stat st;
	assert(max < SIZE_MAX / 4);
	int r = file_open_regular(path, &fd, &st);
	if (r < 0)
		return r;
	if ((uint64_t)st.st_size > max)
		return FILE_TOO_LARGE;

	/* One byte more than expected shows the end, or that the file is growing under us. */
	size_t len = 0, cap = (size_t)st.st_size > 0 ? (size_t)st.st_size + 1 : FILE_GUESS_BYTES;
	uint8_t *buf = NULL;
	for (;; cap *= 2) {
		if (cap > max + 1)
			cap = max + 1;
		r = content_grow(&buf, len, cap);
		if (r == 0)
			r = fd_read_upto(fd, buf, cap, &len);
		if (r == 0 && len > max)
			r = FILE_TOO_LARGE;
		if (r != 0) {
			content_free(buf, len);
			return r;
		}
		if (len < cap)
			break;
	}
	buf[len] = '\0';
	*ret = buf;
	*ret_len = len;
	return 0;
}

static int fd_write_all(int fd, struct bytes data)
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

/* The folder part of @path with its '/', or "" when there is none. */
static int path_folder(const char *path, char *buf, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;
	if (len >= size)
		return -ENAMETOOLONG;
	if (len > 0)
		memcpy(buf, path, len);
	buf[len] = '\0';
	return 0;
}

static int file_write_temporary(char *template, struct bytes data, mode_t mode)
{
	_cleanup_(fd_close) int fd = mkostemp(template, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = fd_write_all(fd, data);
	if (r == 0 && fchmod(fd, mode) < 0) /* not mkostemp's 0600, and whatever the umask */
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		unlink(template);
	return r;
}

int file_replace(const char *path, struct bytes data, mode_t mode)
{
	char folder[PATH_MAX], temporary[PATH_MAX];
	int r = path_folder(path, folder, sizeof(folder));
	if (r < 0)
		return r;
	/* A name of its own, because the target's may already be as long as names get. */
	int n = snprintf(temporary, sizeof(temporary), "%s.tmp-XXXXXX", folder);
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return -ENAMETOOLONG;
	r = file_write_temporary(temporary, data, mode);
	if (r < 0)
		return r;
	if (rename(temporary, path) < 0) {
		r = -errno;
		unlink(temporary);
		return r;
	}
	return dir_sync(folder[0] ? folder : ".");
}

int file_check_private(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	bool ours = st.st_uid == geteuid() || st.st_uid == 0;
	return ours && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0 ? 0 : FILE_UNSAFE;
}

static int dir_check(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* One part; the folder that holds it is synced, because a file in a lost folder is lost. */
static int dir_make_one(const char *path, mode_t mode)
{
	char parent[PATH_MAX];
	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? dir_check(path) : -errno;
	int r = path_folder(path, parent, sizeof(parent));
	return r < 0 ? r : dir_sync(parent[0] ? parent : ".");
}

int dir_make(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	if (len == 0)
		return -EINVAL;
	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, len + 1);
	while (len > 1 && part[len - 1] == '/')
		part[--len] = '\0';
	/* What exists is not touched: parents may be readable by us only as a way through. */
	if (dir_check(part) == 0)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (part[i] != '/' || part[i - 1] == '/')
			continue;
		part[i] = '\0';
		int r = dir_check(part);
		if (r == -ENOENT)
			r = dir_make_one(part, mode);
		if (r < 0)
			return r;
		part[i] = '/';
	}
	return dir_make_one(part, mode);
}

int dir_sync(const char *path)
{
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

int file_write_back(int fd, uint64_t before, uint64_t after, uint64_t step)
{
	assert(step > 0 && before <= after);
	uint64_t from = before / step * step, to = after / step * step;
	if (from == to)
		return 0;
	if (sync_file_range(fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE) != 0)
		return -errno;
	if (from >= step && sync_file_range(fd, (off_t)(from - step), (off_t)step,
				    SYNC_FILE_RANGE_WAIT_BEFORE) != 0)
		return -errno;
	return 0;
}

int path_join(char *buf, size_t size, const char *dir, const char *name)
{
	size_t len = strlen(dir);
	const char *slash = len > 0 && dir[len - 1] == '/' ? "" : "/";
	int n = snprintf(buf, size, "%s%s%s", dir, slash, name);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}
