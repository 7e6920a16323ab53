/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * renameat2() with RENAME_NOREPLACE is atomic, but some network file systems do not have it. Looking first
 * is then the best there is; it is enough where nobody but us makes names in the target folder.
 */
#include "adapters/connectors/move.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

int move_new(int from_dir, const char *from, int to_dir, const char *to)
{
	struct stat st;
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == ENOTEMPTY)
		return -EEXIST;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	if (errno != ENOENT)
		return -errno;
	return renameat(from_dir, from, to_dir, to) < 0 ? -errno : 0;
}
