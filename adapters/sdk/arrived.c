/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A second name instead of a move: when the process dies before the verdict is durable, the delivery comes
 * again, and its file has to be there for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapters/sdk/adapter.h"
#include "proto/base/cleanup.h"
#include "proto/base/file.h"

enum { COPY_BYTES = 1 << 30 };

static int copy(const char *from, const char *to)
{
	_cleanup_(fd_close) int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_(fd_close) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n = 1;
	if (in < 0 || out < 0)
		return -errno;
	while (n > 0)
		n = copy_file_range(in, NULL, out, NULL, COPY_BYTES, 0);
	return n < 0 || fsync(out) != 0 ? -errno : 0;
}

static int folder_sync(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	if (!slash)
		return dir_sync(".");
	snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return dir_sync(folder);
}

int dw_arrived_keep(const struct dw_arrived *arrived, const char *path)
{
	char beside[PATH_MAX];
	if (snprintf(beside, sizeof(beside), "%s.part", path) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	if (unlink(beside) != 0 && errno != ENOENT)
		return -errno;
	int r = link(arrived->path, beside) != 0 ? -errno : 0;
	if (r == -EXDEV || r == -EPERM || r == -EMLINK)
		r = copy(arrived->path, beside);
	if (r == 0 && rename(beside, path) != 0)
		r = -errno;
	unlink(beside); /* two names of one file are not renamed over one another */
	return r ? r : folder_sync(path);
}
