/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A rename is atomic, but the legacy system may take the folder away before we have told anybody that we
 * put it there. After a crash, "not there" would then mean two things. So three things are made durable
 * in this order: the staged folder, a note that it is about to be put, the rename. After a crash:
 *
 *   no note                 it was never put: stage it anew
 *   note and staged folder  the rename is missing: do it
 *   note, no staged folder  it was put, whatever became of it since: do nothing
 *
 * Notes are ids of 16 bytes in one file, the newest few thousand: a note is only needed until the SDK has
 * committed that the message was handed over.
 */
#include "adapters/connectors/folder-out.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/connectors/move.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

enum {
	FOLDER_MODE = 0700,
	FILE_MODE = 0600,
	STAGE_NAME_SIZE = 8 + 2 * FOLDER_OUT_ID_SIZE + 1,
	STAGED_FILES_MAX = 1024,
	COPY_BYTES = 1 << 30,
	PARENT_TRIES = 4, /* the legacy system may remove an empty parent under us */
};
static const char stage_prefix[] = ".staged-";

struct folder_out {
	struct folder_out_options options;
	int dir;
	int journal;
	size_t count, room; /* ids held; twice what must be remembered */
	uint8_t (*ids)[FOLDER_OUT_ID_SIZE];
};

static void dir_close(DIR *dir)
{
	if (dir)
		closedir(dir);
}
DEFINE_CLEANUP(DIR *, dir_close);

/* ---- the memory ---- */

static bool is_noted(const struct folder_out *out, const uint8_t id[FOLDER_OUT_ID_SIZE])
{
	for (size_t i = out->count; i > 0; i--) {
		if (memcmp(out->ids[i - 1], id, FOLDER_OUT_ID_SIZE) == 0)
			return true;
	}
	return false;
}

static int journal_open(struct folder_out *out)
{
	fd_close_at(&out->journal);
	out->journal = open(
		out->options.journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, FILE_MODE);
	return out->journal < 0 ? -errno : 0;
}

/* The older half goes; the file is replaced whole. */
static int journal_shrink(struct folder_out *out)
{
	size_t keep = out->options.remember;
	memmove(out->ids, out->ids + (out->count - keep), keep * sizeof(*out->ids));
	out->count = keep;
	int r = file_replace(
		out->options.journal, BYTES(out->ids, keep * sizeof(*out->ids)), FILE_MODE);
	return r ? r : journal_open(out);
}

static int journal_read(struct folder_out *out)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len = 0, whole;
	int r = file_read(out->options.journal, out->room * sizeof(*out->ids) + FOLDER_OUT_ID_SIZE,
		&data, &len);
	if (r == -ENOENT) /* its name must be durable before the first note is */
		r = file_replace(out->options.journal, BYTES(NULL, 0), FILE_MODE);
	if (r)
		return r < 0 ? r : -EBADMSG;
	whole = len / FOLDER_OUT_ID_SIZE;
	if (whole > out->room)
		whole = out->room;
	if (whole > 0)
		memcpy(out->ids, data, whole * FOLDER_OUT_ID_SIZE);
	out->count = whole;
	if (whole * FOLDER_OUT_ID_SIZE !=
		len) { /* the last note was cut by a crash: it never counted */
		r = file_replace(
			out->options.journal, BYTES(data, whole * FOLDER_OUT_ID_SIZE), FILE_MODE);
		if (r)
			return r;
	}
	return journal_open(out);
}

static int note(struct folder_out *out, const uint8_t id[FOLDER_OUT_ID_SIZE])
{
	int r = out->count == out->room ? journal_shrink(out) : 0;
	if (r)
		return r;
	ssize_t n = write(out->journal, id, FOLDER_OUT_ID_SIZE);
	if (n >= 0 && n != FOLDER_OUT_ID_SIZE)
		errno = ENOSPC;
	if (n != FOLDER_OUT_ID_SIZE) {
		r = -errno;
		off_t end = (off_t)(out->count * FOLDER_OUT_ID_SIZE);
		if (n > 0 && ftruncate(out->journal, end) < 0)
			return -EIO; /* half a note: nothing after it could be read */
		return r;
	}
	if (fdatasync(out->journal) < 0)
		return -EIO;
	memcpy(out->ids[out->count++], id, FOLDER_OUT_ID_SIZE);
	return 0;
}

/* ---- staging ---- */

static void stage_name(const uint8_t id[FOLDER_OUT_ID_SIZE], char name[STAGE_NAME_SIZE])
{
	memcpy(name, stage_prefix, sizeof(stage_prefix));
	text_hex(BYTES(id, FOLDER_OUT_ID_SIZE), name + sizeof(stage_prefix) - 1);
}

/* A staged folder holds nothing but files. */
static int stage_remove(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	_cleanup_(dir_close) DIR *stream = fdopendir(fd);
	if (!stream) {
		int r = -errno;
		close(fd);
		return r;
	}
	for (size_t i = 0; i < STAGED_FILES_MAX; i++) {
		const struct dirent *entry = readdir(stream);
		if (!entry)
			break;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

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

/* Copied where a second name is not possible. */
static int bytes_copy(const char *path, int out)
{
	_cleanup_(fd_close) int in = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;
	if (in < 0)
		return -errno;
	while (n > 0)
		n = copy_file_range(in, NULL, out, NULL, COPY_BYTES, 0);
	return n < 0 ? -errno : 0;
}

static int file_put(int dir, const struct out_file *file)
{
	if (file->path && linkat(AT_FDCWD, file->path, dir, file->name, 0) == 0)
		return 0;
	_cleanup_(fd_close) int fd = openat(
		dir, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0)
		return -errno;
	int r = file->path ? bytes_copy(file->path, fd) : write_all(fd, file->data);
	if (r == 0 && fsync(fd) < 0)
		r = errno == ENOSPC || errno == EDQUOT ? -errno : -EIO;
	return r;
}

static int fd_sync(int fd)
{
	return fsync(fd) < 0 ? -EIO : 0;
}

static int stage(const struct folder_out *out, const struct out_letter *letter, const char *name)
{
	int r = stage_remove(out->dir, name);
	if (r == 0 && mkdirat(out->dir, name, FOLDER_MODE) < 0)
		r = -errno;
	if (r)
		return r;
	_cleanup_(fd_close) int fd = openat(
		out->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < letter->count && r == 0; i++)
		r = file_put(fd, &letter->files[i]);
	if (r == 0)
		r = fd_sync(fd);
	return r ? r : fd_sync(out->dir);
}

/* ---- putting ---- */

/* Opens "a/b" below @dir, making what is missing. */
static int parent_open(int dir, const char *path, int *ret)
{
	char part[NAME_MAX + 1];
	_cleanup_(fd_close) int at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return -errno;
	while (*path) {
		size_t len = strcspn(path, "/");
		assert(len > 0 && len < sizeof(part));
		memcpy(part, path, len);
		part[len] = '\0';
		path += len + (path[len] == '/');
		int made = mkdirat(at, part, FOLDER_MODE);
		if (made < 0 && errno != EEXIST)
			return -errno;
		int r = made == 0 ? fd_sync(at) : 0;
		if (r)
			return r;
		int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (next < 0)
			return -errno;
		fd_close_at(&at);
		at = next;
	}
	*ret = at;
	at = -1;
	return 0;
}

/* Is the folder of that name this very letter? Its first file names what it is about. */
static bool is_same(int parent, const struct out_letter *letter)
{
	const struct out_file *first = &letter->files[0];
	_cleanup_(heap_free) uint8_t *found = malloc(first->data.len + 1);
	_cleanup_(fd_close) int dir = openat(
		parent, letter->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_(fd_close) int fd = dir < 0 ? -1
					     : openat(dir, first->name,
						       O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
							       O_NONBLOCK);
	if (!found || fd < 0)
		return false;
	ssize_t n = read(fd, found, first->data.len + 1);
	return n == (ssize_t)first->data.len &&
	       memcmp(found, first->data.data, first->data.len) == 0;
}

static int reveal(const struct folder_out *out, const struct out_letter *letter, const char *staged)
{
	int r = -ENOENT;
	for (int i = 0; i < PARENT_TRIES && r == -ENOENT; i++) {
		_cleanup_(fd_close) int parent = -1;
		r = parent_open(out->dir, letter->parent, &parent);
		if (r)
			continue;
		r = move_new(out->dir, staged, parent, letter->name);
		if (r == -EEXIST && is_same(parent, letter)) /* put before our memory was lost */
			return stage_remove(out->dir, staged);
		if (r == 0)
			r = fd_sync(parent);
		if (r == 0)
			r = fd_sync(out->dir);
	}
	return r;
}

/* Somebody may have replaced the folder: then the name counts, not what it once meant. */
static int refresh(struct folder_out *out)
{
	struct stat held, named;
	if (fstat(out->dir, &held) < 0 || stat(out->options.path, &named) < 0)
		return -errno;
	if (held.st_ino == named.st_ino && held.st_dev == named.st_dev)
		return 0;
	int fd = open(out->options.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	fd_close_at(&out->dir);
	out->dir = fd;
	return 0;
}

int folder_out_put(struct folder_out *out, const struct out_letter *letter)
{
	char staged[STAGE_NAME_SIZE];
	struct stat st;
	int r = refresh(out);
	if (r)
		return r;
	stage_name(letter->id, staged);
	if (is_noted(out, letter->id)) {
		if (fstatat(out->dir, staged, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return reveal(out, letter, staged);
		return errno == ENOENT ? 0 : -errno;
	}
	r = stage(out, letter, staged);
	if (r == 0)
		r = note(out, letter->id);
	if (r == 0)
		return reveal(out, letter, staged);
	if (r != -EIO)
		(void)stage_remove(out->dir, staged);
	return r;
}

/* ---- opening ---- */

static int open_fail(const struct folder_out_options *options, int error, char *reterr, size_t size)
{
	snprintf(reterr, size,
		"%s: the folder cannot be used (%s); make it, with permission for the adapter's "
		"account to read and write it",
		options->field, strerrordesc_np(error));
	return -error;
}

/* What was staged and not noted will be staged anew; what was noted waits for its rename. */
static int clean(const struct folder_out *out)
{
	int fd = openat(out->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(dir_close) DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream) {
		int r = -errno;
		fd_close_at(&fd);
		return r;
	}
	for (const struct dirent *entry; (entry = readdir(stream));) {
		uint8_t id[FOLDER_OUT_ID_SIZE];
		size_t prefix = sizeof(stage_prefix) - 1;
		if (strncmp(entry->d_name, stage_prefix, prefix) != 0 ||
			text_unhex(entry->d_name + prefix, id, sizeof(id)) != 0 || is_noted(out, id))
			continue;
		int r = stage_remove(out->dir, entry->d_name);
		if (r)
			return r;
	}
	return 0;
}

int folder_out_open(const struct folder_out_options *options, struct folder_out **ret, char *reterr,
	size_t size)
{
	_cleanup_(folder_out_free) struct folder_out *out = calloc(1, sizeof(*out));
	if (!out)
		return open_fail(options, ENOMEM, reterr, size);
	out->options = *options;
	out->dir = out->journal = -1;
	out->room = 2 * options->remember;
	out->ids = calloc(out->room, sizeof(*out->ids));
	int r = out->ids ? dir_make(options->path, FOLDER_MODE) : -ENOMEM;
	if (r)
		return open_fail(options, -r, reterr, size);
	out->dir = open(options->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->dir < 0 || faccessat(out->dir, ".", R_OK | W_OK | X_OK, AT_EACCESS) < 0)
		return open_fail(options, errno, reterr, size);
	r = journal_read(out);
	if (r) {
		snprintf(reterr, size, "%s: its memory in the state folder cannot be used (%s)",
			options->field, strerrordesc_np(-r));
		return r;
	}
	r = clean(out);
	if (r)
		return open_fail(options, -r, reterr, size);
	*ret = steal(&out);
	return 0;
}

void folder_out_free(struct folder_out *out)
{
	if (!out)
		return;
	fd_close_at(&out->journal);
	fd_close_at(&out->dir);
	free(out->ids);
	free(out);
}
