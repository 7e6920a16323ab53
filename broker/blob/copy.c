/* SPDX-License-Identifier: EUPL-1.2 */

/* Uploads that no message names are left out: their senders have them, and send them again. */
#include "broker/blob/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/blob/name.h"
#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

enum { COPY_BYTES = 1 << 30 };

static int bytes_copy(int from, int to, const char *name)
{
	_cleanup_(fd_close) int in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = 1;
	if (in < 0)
		return -errno;
	_cleanup_(fd_close) int out = openat(
		to, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	while (n > 0)
		n = copy_file_range(in, NULL, out, NULL, COPY_BYTES, 0);
	return n < 0 || fsync(out) != 0 ? -errno : 0;
}

static int file_copy(int from, int to, const char *name, struct blob_copied *ret)
{
	struct stat st;
	int r = linkat(from, name, to, name, 0) != 0 ? -errno : 0;
	if (r == -EXDEV || r == -EMLINK || r == -EPERM)
		r = bytes_copy(from, to, name);
	if (r == -ENOENT || r == -EEXIST)
		return 0;
	if (r == 0 && fstatat(to, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		ret->files++;
		ret->bytes += (uint64_t)st.st_size;
	}
	return r;
}

static int party_copy(const char *from, const char *to, const char *party, struct blob_copied *ret)
{
	_cleanup_(fd_close) int source = blob_party_open(from, BYTES_STR(party), false);
	_cleanup_(fd_close) int target = source < 0 ? -1
						    : blob_party_open(to, BYTES_STR(party), true);
	if (source < 0 || target < 0)
		return source < 0 ? source : target;
	int fd = dup(source), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	if (!dir) {
		r = -errno;
		fd_close_at(&fd);
		return r;
	}
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		uint64_t sequence;
		if (blob_name_kind(entry->d_name, &sequence) == BLOB_KEPT)
			r = file_copy(source, target, entry->d_name, ret);
	}
	closedir(dir);
	return r == 0 && fsync(target) != 0 ? -errno : r;
}

int blob_copy(const char *from, const char *to, struct blob_copied *ret)
{
	DIR *dir = opendir(from);
	struct dirent *entry;
	int r = 0;
	*ret = (struct blob_copied){0};
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		if (text_is_name(BYTES_STR(entry->d_name)))
			r = party_copy(from, to, entry->d_name, ret);
	}
	closedir(dir);
	return r;
}
