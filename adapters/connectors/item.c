/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The folder belongs to somebody else, who may be careless or worse. So everything is opened relative to
 * a folder that we hold, without following links, and what was opened is looked at again before a byte of
 * it is read; a FIFO would block us, a device might do anything.
 *
 * Whether a file is still being written cannot be read from its size alone. A read lease can be had only
 * on a file that nobody has open for writing, so asking for one answers the question, where the kernel
 * lets us ask (our own files, local file systems). Elsewhere resting for a while has to do.
 */
#include "adapters/connectors/item.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/connectors/file-name.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"

enum {
	DIGEST_KEY_BYTES = 16, /* of the digest, in a key */
	NAMES_BYTES = (ITEM_FILES_MAX + 2) * (ITEM_NAME_MAX + 1 + 16),
};

static void dir_close(DIR *dir)
{
	if (dir)
		closedir(dir);
}
DEFINE_CLEANUP(DIR *, dir_close);

static _printf_(3, 4) int bad(char *reterr, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(reterr, size, format, args);
	va_end(args);
	return ITEM_BAD;
}

size_t item_budget(size_t bytes_max)
{
	return bytes_max + 2 * NAMES_BYTES + ITEM_FILES_MAX * (sizeof(struct item_file) + 32) + 4096;
}

/* ---- reading ---- */

static int bad_kind(mode_t mode, const char *name, char *reterr, size_t size)
{
	const char *what = S_ISLNK(mode) ? "is a symbolic link; put the file itself"
			   : S_ISDIR(mode)
				   ? "is a folder inside a case folder; put its files beside "
				     "the others"
				   : "is no regular file; put a file or a case folder";
	return bad(reterr, size, "%.*s: %s", FILE_NAME_MAX, name, what);
}

static int bad_open(int error, const char *name, char *reterr, size_t size)
{
	switch (error) {
	case ENOENT:
		return ITEM_GONE;
	case EACCES:
	case EPERM:
		return bad(reterr, size,
			"%.*s: cannot be read by the adapter's account; give it permission to "
			"read",
			FILE_NAME_MAX, name);
	case ELOOP:
		return bad_kind(S_IFLNK, name, reterr, size);
	case ENXIO:
	case ENODEV:
		return bad_kind(S_IFSOCK, name, reterr, size);
	default:
		return -error;
	}
}

/* Opens a file or folder that is what it seemed to be before it was opened. */
static int open_checked(
	int dirfd, const char *name, struct stat *st, int *ret, char *reterr, size_t size)
{
	struct stat before;
	if (fstatat(dirfd, name, &before, AT_SYMLINK_NOFOLLOW) < 0)
		return bad_open(errno, name, reterr, size);
	if (!S_ISREG(before.st_mode) && !S_ISDIR(before.st_mode))
		return bad_kind(before.st_mode, name, reterr, size);
	_cleanup_(fd_close) int fd = openat(
		dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return bad_open(errno, name, reterr, size);
	if (fstat(fd, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return bad_kind(st->st_mode, name, reterr, size);
	*ret = fd;
	fd = -1;
	return 0;
}

static int read_all(int fd, uint8_t *buf, size_t len, size_t *ret)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = read(fd, buf + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret = done;
	return 0;
}

/* One byte more than the size is asked for: it shows a file that grows. */
static int read_file(int fd, const struct stat *st, const char *name, size_t *left,
	struct arena *arena, struct bytes *ret, char *reterr, size_t size)
{
	size_t len = 0;
	if (st->st_size == 0)
		return bad(reterr, size, "%.*s: is empty; put it again, complete", FILE_NAME_MAX,
			name);
	if (st->st_size < 0 || (uint64_t)st->st_size > *left)
		return bad(reterr, size,
			"%.*s: is too large; it has %lld bytes, and %zu are left of what all files "
			"together "
			"may have (connector.file_size)",
			FILE_NAME_MAX, name, (long long)st->st_size, *left);
	uint8_t *buf = arena_alloc(arena, (size_t)st->st_size + 1);
	if (!buf)
		return -ENOMEM;
	int r = read_all(fd, buf, (size_t)st->st_size + 1, &len);
	if (r)
		return r;
	if (len != (size_t)st->st_size)
		return bad(reterr, size,
			"%.*s: changed while it was read; write it elsewhere and move it here when "
			"it is complete",
			FILE_NAME_MAX, name);
	*left -= len;
	*ret = BYTES(buf, len);
	return 0;
}

static const char *name_copy(struct arena *arena, const char *name)
{
	struct bytes copy;
	return arena_copy(arena, BYTES(name, strlen(name) + 1), &copy) ? NULL
								       : (const char *)copy.data;
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct item_file *)a)->name, ((const struct item_file *)b)->name);
}

/* Names of a case folder, sorted; a name more than allowed is told by *ret_count. */
static int list_folder(
	int fd, struct arena *arena, struct item_file files[ITEM_FILES_MAX + 1], size_t *ret_count)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return -errno;
	_cleanup_(dir_close) DIR *dir = fdopendir(own);
	if (!dir) {
		int r = -errno;
		close(own);
		return r;
	}
	rewinddir(dir); /* the position is shared with every copy of the descriptor */
	for (*ret_count = 0; *ret_count <= ITEM_FILES_MAX;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry && errno)
			return -errno;
		if (!entry)
			break;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		const char *name = name_copy(arena, entry->d_name);
		if (!name)
			return -ENOMEM;
		files[(*ret_count)++] = (struct item_file){.name = name};
	}
	qsort(files, *ret_count, sizeof(*files), compare_files);
	return 0;
}

static int read_inside(int dirfd, struct item_file *file, size_t *left, struct arena *arena,
	char *reterr, size_t size)
{
	_cleanup_(fd_close) int fd = -1;
	struct stat st;
	if (file_name_is_unfinished(file->name))
		return bad(reterr, size,
			"%.*s: has the name of an unfinished file; give it its name and put the "
			"case folder again",
			FILE_NAME_MAX, file->name);
	int r = open_checked(dirfd, file->name, &st, &fd, reterr, size);
	if (r)
		return r;
	if (S_ISDIR(st.st_mode))
		return bad_kind(st.st_mode, file->name, reterr, size);
	return read_file(fd, &st, file->name, left, arena, &file->data, reterr, size);
}

static int read_folder(
	int fd, struct item *item, size_t left, struct arena *arena, char *reterr, size_t size)
{
	struct item_file files[ITEM_FILES_MAX + 1];
	struct bytes copy;
	int r = list_folder(fd, arena, files, &item->count);
	if (r)
		return r;
	if (item->count == 0)
		return bad(reterr, size,
			"the case folder is empty; fill it elsewhere and rename it into place");
	if (item->count > ITEM_FILES_MAX)
		return bad(reterr, size, "the case folder holds more than %d files; put fewer",
			ITEM_FILES_MAX);
	for (size_t i = 0; i < item->count && r == 0; i++)
		r = read_inside(fd, &files[i], &left, arena, reterr, size);
	if (r == ITEM_GONE)
		return bad(reterr, size,
			"a file vanished while the case folder was read; fill it elsewhere and "
			"rename it into place");
	if (r == 0)
		r = arena_copy(arena, BYTES(files, item->count * sizeof(*files)), &copy);
	if (r)
		return r;
	item->files = (const struct item_file *)copy.data;
	item->folder = true;
	return 0;
}

static int read_single(int fd, const struct stat *st, struct item *item, size_t left,
	struct arena *arena, char *reterr, size_t size)
{
	struct item_file *file = arena_zalloc(arena, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->name = item->name;
	item->files = file;
	item->count = 1;
	return read_file(fd, st, item->name, &left, arena, &file->data, reterr, size);
}

static void digest_part(struct blake2b *state, struct bytes part)
{
	uint8_t len[4];
	be32_put(len, (uint32_t)part.len);
	blake2b_add(state, BYTES(len, sizeof(len)));
	blake2b_add(state, part);
}

/* A single file's name is not part of it: the same document under another name is the same document. */
static void digest(struct item *item)
{
	struct blake2b state;
	blake2b_init(&state, BYTES(NULL, 0));
	for (size_t i = 0; i < item->count; i++) {
		digest_part(&state, item->folder ? BYTES_STR(item->files[i].name) : BYTES(NULL, 0));
		digest_part(&state, item->files[i].data);
	}
	blake2b_finish(&state, item->digest);
}

int item_read(int dirfd, const char *name, size_t bytes_max, struct arena *arena, struct item *ret,
	char *reterr, size_t size)
{
	_cleanup_(fd_close) int fd = -1;
	struct stat st;
	struct item item = {.name = name_copy(arena, name)};
	if (!item.name)
		return -ENOMEM;
	int r = open_checked(dirfd, name, &st, &fd, reterr, size);
	if (r)
		return r;
	r = S_ISDIR(st.st_mode) ? read_folder(fd, &item, bytes_max, arena, reterr, size)
				: read_single(fd, &st, &item, bytes_max, arena, reterr, size);
	if (r)
		return r;
	digest(&item);
	*ret = item;
	return 0;
}

const struct item_file *item_file(const struct item *item, const char *name)
{
	for (size_t i = 0; i < item->count; i++) {
		if (strcmp(item->files[i].name, name) == 0)
			return &item->files[i];
	}
	return NULL;
}

void item_key(const struct item *item, struct bytes word, char key[ITEM_KEY_MAX + 1])
{
	char clean[FILE_WORD_MAX + 1], hex[2 * DIGEST_KEY_BYTES + 1];
	file_name_word(word, clean);
	text_hex(BYTES(item->digest, DIGEST_KEY_BYTES), hex);
	snprintf(key, ITEM_KEY_MAX + 1, "%s.%s", clean, hex);
}

/* ---- looking ---- */

/* SIGURG, if a writer came just now, is ignored unless somebody wants it: SIGIO would end us. */
static bool has_writer(int dirfd, const char *name)
{
	_cleanup_(fd_close) int fd = openat(
		dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fcntl(fd, F_SETSIG, SIGURG) < 0)
		return false;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

static void look_stat(struct blake2b *state, const char *name, const struct stat *st)
{
	const uint64_t numbers[] = {(uint64_t)st->st_mode, (uint64_t)st->st_ino,
		(uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec};
	blake2b_add(state, BYTES(name, strlen(name) + 1));
	blake2b_add(state, BYTES(numbers, sizeof(numbers)));
}

/* A folder that cannot be looked into is left to item_read(), which says so. */
static int look_inside(int dirfd, const char *name, struct blake2b *state, struct item_look *look)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(2 * NAMES_BYTES);
	struct item_file files[ITEM_FILES_MAX + 1];
	size_t count = 0;
	_cleanup_(fd_close) int fd = openat(
		dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	int r = arena ? list_folder(fd, arena, files, &count) : -ENOMEM;
	if (r)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct stat st;
		if (fstatat(fd, files[i].name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* its going shows in the folder's own times */
		look_stat(state, files[i].name, &st);
		if (file_name_is_unfinished(files[i].name))
			look->unfinished = true;
		if (S_ISREG(st.st_mode) && has_writer(fd, files[i].name))
			look->written = true;
	}
	return 0;
}

int item_look(int dirfd, const char *name, struct item_look *ret)
{
	struct item_look look = {};
	struct blake2b state;
	struct stat st;
	int r = 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? ITEM_GONE : -errno;
	blake2b_init(&state, BYTES(NULL, 0));
	look_stat(&state, name, &st);
	if (S_ISREG(st.st_mode))
		look.written = has_writer(dirfd, name);
	else if (S_ISDIR(st.st_mode))
		r = look_inside(dirfd, name, &state, &look);
	if (r)
		return r;
	blake2b_finish(&state, look.print);
	look.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	*ret = look;
	return 0;
}
