/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The lock is flock() on the folder itself: it vanishes with the process, whatever killed it, and leaves
 * no file to be cleaned up. ALARM is written last, so that whoever finds it finds its exhibits too; it is
 * removed by a person only, because after a fork of the log going on would destroy what proves it.
 */
#include "adapters/sdk/folder.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/file.h"

struct folder {
	int fd;
	char path[PATH_MAX];
};

static int alarm_look(const struct folder *folder, char *reterr, size_t size)
{
	char path[PATH_MAX];
	int r = path_join(path, sizeof(path), folder->path, "ALARM");
	if (r)
		return r;
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -errno;
	snprintf(reterr, size,
		"%s is there: the bus's log contradicted itself. Read it, tell the bus's operator "
		"and "
		"the other parties, keep the alarm-* files beside it as evidence, and move it away "
		"only when you know why",
		path);
	return FOLDER_ALARM;
}

static int folder_lock(const struct folder *folder, char *reterr, size_t size)
{
	if (flock(folder->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	snprintf(reterr, size,
		"another process uses the state folder %s: stop it first, or give this one a state "
		"folder of its own",
		folder->path);
	return FOLDER_TAKEN;
}

static int folder_prepare(struct folder *folder, const char *path)
{
	int n = snprintf(folder->path, sizeof(folder->path), "%s", path);
	if (n < 0 || (size_t)n >= sizeof(folder->path))
		return -ENAMETOOLONG;
	int r = dir_make(path, 0700);
	if (r)
		return r;
	folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder->fd < 0 ? -errno : 0;
}

int folder_open(const char *path, struct folder **ret, char *reterr, size_t size)
{
	_cleanup_(folder_free) struct folder *folder = calloc(1, sizeof(*folder));
	if (!folder)
		return -ENOMEM;
	folder->fd = -1;
	int r = folder_prepare(folder, path);
	if (r == 0)
		r = folder_lock(folder, reterr, size);
	if (r == 0)
		r = alarm_look(folder, reterr, size);
	if (r < 0)
		snprintf(reterr, size, "state folder %s: %s", path, strerrordesc_np(-r));
	if (r)
		return r;
	*ret = steal(&folder);
	return 0;
}

void folder_free(struct folder *folder)
{
	if (!folder)
		return;
	fd_close_at(&folder->fd);
	free(folder);
}

const char *folder_path(const struct folder *folder)
{
	return folder->path;
}

static int file_put(const struct folder *folder, const char *name, struct bytes data)
{
	char path[PATH_MAX];
	int r = path_join(path, sizeof(path), folder->path, name);
	return r ? r : file_replace(path, data, 0600);
}

/* Exhibits first: whoever finds the text finds them, too. */
static int report_put(const struct folder *folder, const char *prefix, const char *file,
	const char *text, const struct folder_exhibit *exhibits, size_t count)
{
	char name[64], when[25], all[2048];
	assert(count <= FOLDER_EXHIBITS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (exhibits[i].data.len == 0)
			continue;
		snprintf(name, sizeof(name), "%s-%s", prefix, exhibits[i].name);
		int r = file_put(folder, name, exhibits[i].data);
		if (r)
			return r;
	}
	clock_format_utc(clock_wall_ms(clock_system()), when);
	snprintf(all, sizeof(all), "%s\n%s\n", when, text);
	return file_put(folder, file, BYTES_STR(all));
}

int folder_alarm(struct folder *folder, const char *text, const struct folder_exhibit *exhibits,
	size_t count)
{
	return report_put(folder, "alarm", "ALARM", text, exhibits, count);
}

int folder_epoch(struct folder *folder, uint32_t epoch, const char *text,
	const struct folder_exhibit *exhibits, size_t count)
{
	char prefix[24], file[32];
	snprintf(prefix, sizeof(prefix), "epoch-%" PRIu32, epoch);
	snprintf(file, sizeof(file), "%s.txt", prefix);
	return report_put(folder, prefix, file, text, exhibits, count);
}

int folder_status(struct folder *folder, const char *json)
{
	return file_put(folder, "status.json", BYTES_STR(json));
}
