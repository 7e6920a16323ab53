/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An export has a file for every 256 entries, and an fsync for each would make ten million of them
 * take an hour. So files are renamed into place unsynced, the file system is synced once before the
 * checkpoint that speaks for them, and whoever goes on after a crash compares what lies behind the
 * last checkpoint instead of believing it.
 */
#include "broker/audit/export-tiles.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names ---- */

size_t export_index(uint64_t index, char buf[EXPORT_PATH_MAX])
{
	unsigned int parts[8];
	size_t count = 0, len = 0;
	do {
		parts[count++] = (unsigned int)(index % 1000);
		index /= 1000;
	} while (index > 0);
	while (count-- > 0)
		len += (size_t)snprintf(
			buf + len, EXPORT_PATH_MAX - len, count ? "x%03u/" : "%03u", parts[count]);
	return len;
}

void export_path(int level, uint64_t index, size_t width, char buf[EXPORT_PATH_MAX])
{
	char place[EXPORT_PATH_MAX], folder[16] = "entries", partial[16] = "";
	assert(width >= 1 && width <= EXPORT_WIDTH);
	export_index(index, place);
	if (level != EXPORT_ENTRIES)
		snprintf(folder, sizeof(folder), "%d", level);
	if (width < EXPORT_WIDTH)
		snprintf(partial, sizeof(partial), ".p/%zu", width);
	int n = snprintf(buf, EXPORT_PATH_MAX, "tile/%s/%s%s", folder, place, partial);
	assert(n > 0 && n < EXPORT_PATH_MAX);
}

/* ---- files ---- */

/* Every folder of a path. */
static int make_folders(int dir_fd, const char *path)
{
	char part[EXPORT_PATH_MAX];
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - path);
		assert(len < sizeof(part));
		memcpy(part, path, len);
		part[len] = '\0';
		if (mkdirat(dir_fd, part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int write_all(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t n = write(fd, data.data, data.len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			data = BYTES(data.data + n, data.len - (size_t)n);
	}
	return 0;
}

static int write_new(int dir_fd, const char *path, struct bytes data, mode_t mode)
{
	_cleanup_(fd_close) int fd = openat(
		dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	return fd < 0 ? -errno : write_all(fd, data);
}

int export_put(int dir_fd, const char *path, struct bytes data, mode_t mode)
{
	char temporary[EXPORT_PATH_MAX + 4];
	int n = snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	assert(n > 0 && n < (int)sizeof(temporary));
	int r = write_new(dir_fd, temporary, data, mode);
	if (r == -ENOENT) {
		r = make_folders(dir_fd, path);
		if (r == 0)
			r = write_new(dir_fd, temporary, data, mode);
	}
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, path) < 0)
		r = -errno;
	if (r)
		unlinkat(dir_fd, temporary, 0);
	return r;
}

int export_get(int dir_fd, const char *path, uint8_t *buf, size_t size, size_t *ret_len)
{
	_cleanup_(fd_close) int fd = openat(
		dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	size_t len = 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	while (len <= size) {
		uint8_t more;
		ssize_t n = len < size ? read(fd, buf + len, size - len) : read(fd, &more, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return len > size ? EXPORT_TOO_LARGE : 0;
}

void export_remove_partial(int dir_fd, int level, uint64_t index, size_t width)
{
	char path[EXPORT_PATH_MAX];
	export_path(level, index, width, path);
	unlinkat(dir_fd, path, 0);
	*strrchr(path, '/') = '\0';
	unlinkat(dir_fd, path, AT_REMOVEDIR); /* stays while another one is in it */
}

/* ---- tiles ---- */

void export_tile_root(const struct merkle_hash *hashes, struct merkle_hash *ret)
{
	struct merkle_hash row[EXPORT_WIDTH / 2];
	for (size_t i = 0; i < EXPORT_WIDTH / 2; i++)
		merkle_node(&hashes[2 * i], &hashes[2 * i + 1], &row[i]);
	for (size_t count = EXPORT_WIDTH / 4; count > 0; count /= 2)
		for (size_t i = 0; i < count; i++)
			merkle_node(&row[2 * i], &row[2 * i + 1], &row[i]);
	*ret = row[0];
}

int export_tiles_push(struct export_tiles *tiles, const struct merkle_hash *leaf)
{
	struct merkle_hash hash = *leaf;
	for (int l = 0; l < EXPORT_LEVELS; l++) {
		struct export_level *level = &tiles->level[l];
		level->hash[level->width++] = hash;
		if (level->width < EXPORT_WIDTH)
			return 0;
		int r = tiles->sink.tile(tiles->sink.context, l, level);
		if (r)
			return r;
		export_tile_root(level->hash, &hash);
		level->width = 0;
		level->index++;
	}
	return 0;
}

int export_tiles_finish(struct export_tiles *tiles)
{
	int r = 0;
	for (int l = 0; l < EXPORT_LEVELS && r == 0; l++)
		if (tiles->level[l].width > 0)
			r = tiles->sink.tile(tiles->sink.context, l, &tiles->level[l]);
	return r;
}
