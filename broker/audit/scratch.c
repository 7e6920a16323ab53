/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Replay needs the derived tables once more, and they hold message and case ids. What is written for a
 * comparison must not lie about afterwards in /tmp, also not after a Ctrl-C: so the files are unlinked
 * while they are open.
 */
#include "broker/audit/scratch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/file.h"

enum { SCRATCH_TABLES = 8, SCRATCH_READERS = 4, PAGE_BYTES = 4096 };

static void forget_files(const char *dir)
{
	static const char *const names[] = {"data.mdb", "lock.mdb"};
	char path[4096];
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (path_join(path, sizeof(path), dir, names[i]) == 0)
			unlink(path);
	rmdir(dir);
}

int scratch_open(const char *work, uint64_t map_bytes, struct db_env **ret)
{
	char dir[4096];
	struct db_options options = {
		.map_bytes = (map_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES,
		.tables_max = SCRATCH_TABLES,
		.readers_max = SCRATCH_READERS,
		.mode = 0600,
	};
	if (!work)
		work = getenv("TMPDIR");
	int r = path_join(dir, sizeof(dir), work && *work ? work : "/tmp", "dienstweg-XXXXXX");
	if (r)
		return r;
	if (!mkdtemp(dir))
		return -errno;
	r = db_env_open(dir, &options, ret);
	forget_files(dir);
	return r;
}
