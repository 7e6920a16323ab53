/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Files are known by their inodes, for they change their names while somebody writes. LMDB writes pages with pwrite() and writev(), syncs them with fdatasync(), and then writes one page through
 * a descriptor of which every write is synced. A power cut keeps any subset of what was not synced, and of a
 * write any subset of its sectors: old contents are kept beside each write, and put back.
 */
#include "test/sim/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "test/kit/check.h"
#include "test/sim/libc.h"
#include "test/sim/machine.h"

enum {
	DESCRIPTORS_MAX = 4096,
	SECTOR = 512,
	KILL_AT_WRITE = 4000,
	PATH_BYTES = 512,
	MS_PER_S = 1000
};

/* A file and what it was before the writes that are not synced, newest first. */
struct disk_file {
	dev_t device;
	ino_t inode;
	int fd; /* of our own, while there are writes: a file may change its name */
	const struct proc *process;      /* that opened it last */
	uint64_t written_ms, changed_ms; /* by the clock of its machine */
	struct disk_write *writes;
	struct disk_file *next;
};

struct disk_write {
	off_t at;
	size_t len;
	struct disk_write *next;
	uint8_t before[];
};

static struct {
	struct disk_file *files;
	struct disk_file *open[DESCRIPTORS_MAX];
	bool synced[DESCRIPTORS_MAX];
	struct disk_counts counts;
} disk;

const struct disk_counts *disk_counts(void)
{
	return &disk.counts;
}

static struct disk_file *file_find(const struct stat *st)
{
	struct disk_file *file = disk.files;
	while (file && (file->device != st->st_dev || file->inode != st->st_ino))
		file = file->next;
	return file;
}

static uint64_t wall_ms(void)
{
	return clock_wall_ms(clock_system());
}

/* Of the files that are looked at: databases, and attachments. */
static bool is_watched(int fd)
{
	static const char name[] = "/data.mdb";
	char link[32], path[PATH_BYTES];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	if (len < (ssize_t)sizeof(name))
		return false;
	path[len] = '\0';
	return strcmp(path + len - (sizeof(name) - 1), name) == 0 || strstr(path, "/blobs/") ||
	       strstr(path, "/attachments/");
}

void disk_opened(int fd, bool synced)
{
	struct stat st;
	CHECK(fd < DESCRIPTORS_MAX);
	disk.open[fd] = NULL;
	if (syscall(SYS_fstat, fd, &st) != 0 || !S_ISREG(st.st_mode) || !is_watched(fd))
		return;
	struct disk_file *file = file_find(&st);
	if (!file) {
		file = calloc(1, sizeof(*file));
		CHECK(file);
		*file = (struct disk_file){.device = st.st_dev,
			.inode = st.st_ino,
			.fd = -1,
			.written_ms = wall_ms(),
			.changed_ms = wall_ms(),
			.next = disk.files};
		disk.files = file;
	}
	file->process = proc_current();
	disk.open[fd] = file;
	disk.synced[fd] = synced;
}

void disk_closed(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS_MAX)
		disk.open[fd] = NULL;
}

static void forget(struct disk_file *file)
{
	for (struct disk_write *write = file->writes, *next; write; write = next) {
		next = write->next;
		free(write);
	}
	file->writes = NULL;
	if (file->fd >= 0)
		syscall(SYS_close, file->fd);
	file->fd = -1;
}

void disk_deinit(void)
{
	for (struct disk_file *file = disk.files, *next; file; file = next) {
		next = file->next;
		forget(file);
		free(file);
	}
	memset(&disk, 0, sizeof(disk));
}

/* ---- power ---- */

/* Of each sector by itself is decided whether it had reached the disk. */
static void put_back(int fd, const struct disk_write *write)
{
	bool all = machine_chance(3);
	for (size_t i = 0; i < write->len; i += SECTOR) {
		size_t len = write->len - i < SECTOR ? write->len - i : SECTOR;
		if (!all && machine_chance(2))
			continue;
		CHECK_INT(syscall(SYS_pwrite64, fd, write->before + i, len, write->at + (off_t)i),
			len);
	}
	disk.counts.undone++;
}

static void lose(struct disk_file *file)
{
	for (const struct disk_write *write = file->writes; write; write = write->next)
		if (!machine_chance(3))
			put_back(file->fd, write);
}

void disk_process_gone(const struct proc *process)
{
	for (struct disk_file *file = disk.files; file; file = file->next) {
		if (file->process != process)
			continue;
		if (process->power && file->writes)
			lose(file);
		forget(file);
		file->process = NULL;
	}
	for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
		if (disk.open[fd] && libc_owner(fd) == process)
			disk.open[fd] = NULL;
}

/* ---- writing ---- */

static void remember(int fd, off_t at, size_t len)
{
	struct disk_file *file = disk.open[fd];
	struct disk_write *write = calloc(1, sizeof(*write) + len);
	char link[32];
	CHECK(write);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (file->fd < 0)
		file->fd = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDWR | O_CLOEXEC, 0);
	CHECK(file->fd >= 0);
	write->at = at;
	write->len = len;
	CHECK(syscall(SYS_pread64, file->fd, write->before, len, at) >= 0); /* behind the end: zeros */
	write->next = file->writes;
	file->writes = write;
}

/* Sometimes the process is killed here, and never comes back. */
static void before_write(int fd, off_t at, size_t len)
{
	struct proc *process = proc_current();
	if (!process || fd < 0 || fd >= DESCRIPTORS_MAX || !disk.open[fd])
		return;
	if (process->doomed || (process->mortal && machine_chance(KILL_AT_WRITE))) {
		process->doomed = true;
		process->power |= machine_chance(2);
		thread_wait(NULL, 0, UINT64_MAX);
	}
	disk.open[fd]->written_ms = disk.open[fd]->changed_ms = wall_ms();
	if (!disk.synced[fd])
		remember(fd, at, len);
}

ssize_t sim_pwrite64(int fd, const void *buf, size_t len, off_t at) __asm__("pwrite64"); /* ours */
ssize_t sim_pwrite64(int fd, const void *buf, size_t len, off_t at)
{
	before_write(fd, at, len);
	return syscall(SYS_pwrite64, fd, buf, len, at);
}

ssize_t sim_pwrite(int fd, const void *buf, size_t len, off_t at) __asm__("pwrite"); /* LMDB's */
ssize_t sim_pwrite(int fd, const void *buf, size_t len, off_t at)
{
	before_write(fd, at, len);
	return syscall(SYS_pwrite64, fd, buf, len, at);
}

ssize_t sim_writev(int fd, const struct iovec *parts, int count) __asm__("writev");
ssize_t sim_writev(int fd, const struct iovec *parts, int count)
{
	size_t len = 0;
	for (int i = 0; i < count; i++)
		len += parts[i].iov_len;
	before_write(fd, lseek(fd, 0, SEEK_CUR), len);
	return syscall(SYS_writev, fd, parts, count);
}

/* ---- room ---- */

int sim_statvfs(const char *path, struct statvfs *ret) __asm__("statvfs64");
int sim_statvfs(const char *path, struct statvfs *ret)
{
	enum { BLOCK = 4096, BLOCKS = 1 << 20, FREE = 1 << 18, FREE_WHEN_FULL = 64 };
	const struct proc *process = proc_current();
	(void)path;
	*ret = (struct statvfs){.f_bsize = BLOCK, .f_frsize = BLOCK, .f_blocks = BLOCKS};
	ret->f_bfree = ret->f_bavail = process && process->disk_full ? FREE_WHEN_FULL : FREE;
	return 0;
}

/* ---- syncing ---- */

int sim_fdatasync(int fd) __asm__("fdatasync");
int sim_fdatasync(int fd)
{
	struct proc *process = proc_current();
	struct disk_file *file = fd >= 0 && fd < DESCRIPTORS_MAX ? disk.open[fd] : NULL;
	if (!process || !file)
		return 0;
	thread_wait(NULL, 0, machine_now()->mono_ns + machine_between(1000, process->sync_slow_ns));
	if (process->disk_breaks) {
		/* The kernel says so once and forgets what it could not write. */
		process->power = true;
		errno = EIO;
		return -1;
	}
	forget(file);
	disk.counts.syncs++;
	machine_now()->events++;
	return 0;
}

int sim_fsync(int fd) __asm__("fsync");
int sim_fsync(int fd)
{
	return sim_fdatasync(fd);
}

/* ---- times ---- */

/* The kernel's clock is not that of this machine. */
static void times_set(struct stat *st)
{
	const struct disk_file *file = file_find(st);
	if (!file)
		return;
	st->st_mtim.tv_sec = (time_t)(file->written_ms / MS_PER_S);
	st->st_ctim.tv_sec = (time_t)(file->changed_ms / MS_PER_S);
}

int sim_fstat(int fd, struct stat *ret) __asm__("fstat64");
int sim_fstat(int fd, struct stat *ret)
{
	int r = (int)syscall(SYS_fstat, fd, ret);
	if (r == 0)
		times_set(ret);
	return r;
}

int sim_fstatat(int folder, const char *path, struct stat *ret, int flags) __asm__("fstatat64");
int sim_fstatat(int folder, const char *path, struct stat *ret, int flags)
{
	int r = (int)syscall(SYS_newfstatat, folder, path, ret, flags);
	if (r == 0)
		times_set(ret);
	return r;
}

static void touch(int folder, const char *path, bool written)
{
	struct stat st;
	struct disk_file *file = NULL;
	if (syscall(SYS_newfstatat, folder, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		file = file_find(&st);
	if (file)
		file->changed_ms = wall_ms();
	if (file && written)
		file->written_ms = file->changed_ms;
}

int sim_utimensat(int folder, const char *path, const struct timespec times[2], int flags) __asm__(
	"utimensat");
int sim_utimensat(int folder, const char *path, const struct timespec times[2], int flags)
{
	touch(folder, path, true);
	return (int)syscall(SYS_utimensat, folder, path, times, flags);
}

int sim_linkat(int from, const char *path, int to, const char *name, int flags) __asm__("linkat");
int sim_linkat(int from, const char *path, int to, const char *name, int flags)
{
	touch(from, path, false);
	return (int)syscall(SYS_linkat, from, path, to, name, flags);
}
