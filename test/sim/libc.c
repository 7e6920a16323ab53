/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A symbol of the program is found before the C library's, also by the libraries. So the product is the one that
 * ships, and nothing in it knows that it is being simulated. Files, descriptors and sockets of
 * administration stay the kernel's: they do the same every time.
 */
#include "test/sim/libc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "test/kit/check.h"
#include "test/sim/disk.h"
#include "test/sim/machine.h"

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000, DESCRIPTORS_MAX = 4096, LOCKS_MAX = 64 };

static const struct proc *owners[DESCRIPTORS_MAX];

static int owned(long fd)
{
	if (fd >= 0) {
		CHECK(fd < DESCRIPTORS_MAX);
		owners[fd] = proc_current();
	}
	return (int)fd;
}

const struct proc *libc_owner(int fd)
{
	return fd >= 0 && fd < DESCRIPTORS_MAX ? owners[fd] : NULL;
}

void libc_close_all(const struct proc *process)
{
	for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
		if (owners[fd] != process)
			continue;
		owners[fd] = NULL;
		syscall(SYS_close, fd);
	}
}

/* ---- waiting ---- */

int libc_poll(struct pollfd *fds, nfds_t count)
{
	return (int)syscall(SYS_poll, fds, count, 0);
}

int sim_poll(struct pollfd *fds, nfds_t count, int timeout_ms) __asm__("poll");
int sim_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	const struct machine *machine = machine_now();
	if (!proc_current())
		return (int)syscall(SYS_poll, fds, count, timeout_ms);
	uint64_t until_ns = timeout_ms < 0 ? UINT64_MAX
					   : machine->mono_ns + (uint64_t)timeout_ms * NS_PER_MS;
	thread_wait(fds, count, until_ns);
	return libc_poll(fds, count);
}

/* What the compiler makes of a call whose descriptors it has counted. */
int sim_poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t bytes) __asm__(
	"__poll_chk");
int sim_poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t bytes)
{
	CHECK(count * sizeof(*fds) <= bytes);
	return sim_poll(fds, count, timeout_ms);
}

/* Who is next is for chance to say; taken at its word, one thread would slow down the whole simulation. */
int sim_setpriority(int which, id_t who, int priority) __asm__("setpriority");
int sim_setpriority(int which, id_t who, int priority)
{
	(void)which, (void)who, (void)priority;
	return 0;
}

/* ---- locks ---- */

/* Those that are held. The C library would keep a list of its own through the memory of LMDB's lock file, which
   a killed process leaves behind and the next one writes anew. */
static struct {
	const pthread_mutex_t *mutex;
	const struct proc *process;
} locks[LOCKS_MAX];

static size_t lock_find(const pthread_mutex_t *mutex)
{
	size_t i = 0;
	while (i < LOCKS_MAX && locks[i].mutex != mutex)
		i++;
	return i;
}

int sim_mutex_lock(pthread_mutex_t *mutex) __asm__("pthread_mutex_lock");
int sim_mutex_lock(pthread_mutex_t *mutex)
{
	while (lock_find(mutex) < LOCKS_MAX) {
		CHECK(proc_current());
		thread_wait(NULL, 0, 0);
	}
	size_t i = lock_find(NULL);
	CHECK(i < LOCKS_MAX);
	locks[i].mutex = mutex;
	locks[i].process = proc_current();
	return 0;
}

int sim_mutex_unlock(pthread_mutex_t *mutex) __asm__("pthread_mutex_unlock");
int sim_mutex_unlock(pthread_mutex_t *mutex)
{
	size_t i = lock_find(mutex);
	CHECK(i < LOCKS_MAX);
	locks[i].mutex = NULL;
	return 0;
}

void libc_unlock_all(const struct proc *process)
{
	for (size_t i = 0; i < LOCKS_MAX; i++)
		if (locks[i].process == process)
			locks[i].mutex = NULL;
}

/* ---- time and chance ---- */

int sim_clock_gettime(clockid_t id, struct timespec *ret) __asm__("clock_gettime");
int sim_clock_gettime(clockid_t id, struct timespec *ret)
{
	const struct machine *machine = machine_now();
	const struct proc *process = proc_current();
	if (!machine)
		return (int)syscall(SYS_clock_gettime, id, ret);
	uint64_t ns = machine->mono_ns;
	if (id == CLOCK_REALTIME)
		ns += (machine->wall_ms + (uint64_t)(process ? process->skew_ms : 0)) * NS_PER_MS;
	*ret = (struct timespec){
		.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
	return 0;
}

ssize_t sim_getrandom(void *buf, size_t len, unsigned int flags) __asm__("getrandom");
ssize_t sim_getrandom(void *buf, size_t len, unsigned int flags)
{
	struct machine *machine = machine_now();
	uint8_t *at = buf;
	if (!machine)
		return syscall(SYS_getrandom, buf, len, flags);
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)chance_below(&machine->chance, 256);
	return (ssize_t)len;
}

/* ---- descriptors ---- */

static int open_file(int folder, const char *path, int flags, mode_t mode)
{
	/* A sync costs nothing here: what was synced is kept by disk.c. */
	int fd = (int)syscall(SYS_openat, folder, path, flags & ~O_DSYNC, mode);
	/* Folders that are read are closed by the C library, which does not tell. */
	if (fd >= 0 && (folder == AT_FDCWD || !(flags & O_DIRECTORY)))
		disk_opened(owned(fd), (flags & O_DSYNC) == O_DSYNC);
	return fd;
}

int sim_openat(int folder, const char *path, int flags, ...) __asm__("openat64"); /* ours */
int sim_openat(int folder, const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return open_file(folder, path, flags, mode);
}

int sim_open(const char *path, int flags, ...) __asm__("open"); /* LMDB's */
int sim_open(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return open_file(AT_FDCWD, path, flags, mode);
}

int sim_open64(const char *path, int flags, ...) __asm__("open64"); /* ours */
int sim_open64(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return open_file(AT_FDCWD, path, flags, mode);
}

int sim_close(int fd) __asm__("close");
int sim_close(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS_MAX)
		owners[fd] = NULL;
	disk_closed(fd);
	return (int)syscall(SYS_close, fd);
}

int sim_eventfd(unsigned int count, int flags) __asm__("eventfd");
int sim_eventfd(unsigned int count, int flags)
{
	return owned(syscall(SYS_eventfd2, count, flags));
}

int sim_signalfd(int fd, const void *mask, int flags) __asm__("signalfd");
int sim_signalfd(int fd, const void *mask, int flags)
{
	return owned(syscall(SYS_signalfd4, fd, mask, 8, flags));
}

int sim_socket(int domain, int type, int protocol) __asm__("socket");
int sim_socket(int domain, int type, int protocol)
{
	return owned(syscall(SYS_socket, domain, type, protocol));
}

int sim_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags) __asm__("accept4");
int sim_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	return owned(syscall(SYS_accept4, fd, address, len, flags));
}
