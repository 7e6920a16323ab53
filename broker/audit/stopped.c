/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The lock is the broker's own, so neither can begin while the other is at work. The map is made as large as
 * the last writer made it: a smaller one could not hold what is there, a larger one is the operator's to choose.
 */
#include "broker/audit/stopped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "broker/audit/open.h"
#include "broker/journal/journal.h"
#include "broker/journal/tables.h"
#include "proto/base/file.h"

enum { COPY_READERS = 8 };

int stopped_lock(const char *dir, int *ret_fd, char *reterr, size_t size)
{
	char path[4096];
	int r = path_join(path, sizeof(path), dir, "LOCK");
	if (r == 0) {
		*ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		r = *ret_fd < 0 ? -errno : 0;
	}
	if (r == 0 && flock(*ret_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (r == 0 && errno == EWOULDBLOCK) {
		snprintf(reterr, size, "%s: a broker is using this journal: stop it first", dir);
		return AUDIT_REFUSED;
	}
	r = r ? r : -errno;
	snprintf(reterr, size, "%s: %s: the folder must be writable", dir, strerrordesc_np(-r));
	return r;
}

int stopped_open_read(const char *dir, struct db_env **ret)
{
	struct db_options options = {
		.tables_max = TABLES_MAX, .readers_max = READERS_MAX, .read_only = true};
	return db_env_open(dir, &options, ret);
}

int stopped_open_write(const char *dir, uint64_t map_bytes, struct db_env **ret)
{
	struct db_options options = {
		.map_bytes = map_bytes,
		.tables_max = TABLES_MAX,
		.readers_max = COPY_READERS,
		.mode = 0600,
	};
	return db_env_open(dir, &options, ret);
}

int stopped_map(const char *dir, uint64_t *ret)
{
	_cleanup_(db_env_close) struct db_env *env = NULL;
	struct db_usage usage;
	int r = stopped_open_read(dir, &env);
	if (r == 0)
		r = db_env_usage(env, &usage);
	if (r == 0)
		*ret = usage.map_bytes;
	return r;
}
