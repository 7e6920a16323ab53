/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Scenario tests must neither race nor dawdle: a wait ends the moment the event is there, and a process
 * that hangs fails its own test instead of the whole run.
 */
#include "test/kit/process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test/kit/check.h"

enum { OUTPUT_MAX = 4 << 20, TAIL_BYTES = 3000, LOOK_AGAIN_MS = 250 };

/* Copies, because a test's struct may lie on a stack that has gone when the program ends. */
struct started {
	pid_t pid; /* 0: ended */
	char log[sizeof(((struct process *)0)->log)];
};
static struct started started[KIT_PROCESSES_MAX];
static pid_t owner;

long long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void tail_show(const char *path)
{
	char buf[TAIL_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > TAIL_BYTES ? size - TAIL_BYTES : 0;
	ssize_t n = pread(fd, buf, sizeof(buf), from);
	close(fd);
	if (n > 0)
		fprintf(stderr, "---- end of %s\n%.*s\n", path, (int)n, buf);
}

static void processes_end(int status, void *unused)
{
	(void)unused;
	if (getpid() != owner)
		return;
	for (size_t i = 0; i < KIT_PROCESSES_MAX; i++) {
		struct started *p = &started[i];
		if (!p->log[0])
			continue;
		if (status != 0 && status != 77)
			tail_show(p->log);
		if (p->pid) {
			kill(p->pid, SIGKILL);
			waitpid(p->pid, NULL, 0);
		}
	}
}

/* One place per log: a daemon that is started again tells its whole story in one. */
static void process_register(const struct process *process)
{
	if (!owner) {
		owner = getpid();
		on_exit(processes_end, NULL);
	}
	for (size_t i = 0; i < KIT_PROCESSES_MAX; i++) {
		bool same = strcmp(started[i].log, process->log) == 0 && started[i].pid == 0;
		if (started[i].log[0] && !same)
			continue;
		started[i].pid = process->pid;
		memcpy(started[i].log, process->log, sizeof(started[i].log));
		return;
	}
	CHECK_FAIL("more than %d processes", KIT_PROCESSES_MAX);
}

static void process_forget(pid_t pid)
{
	for (size_t i = 0; i < KIT_PROCESSES_MAX; i++)
		if (started[i].pid == pid)
			started[i].pid = 0;
}

static pid_t child_start(int out, const char *const *argv)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		CHECK_FAIL("fork: %s", strerrorname_np(errno));
	if (pid)
		return pid;
	/* A test that dies must not leave daemons behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	int null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	dprintf(2, "cannot start %s: %s\n", argv[0], strerrorname_np(errno));
	_exit(127);
}

void process_start(struct process *process, const char *log, const char *const *argv)
{
	const char *slash = strrchr(argv[0], '/');

	*process = (struct process){.pidfd = -1};
	snprintf(process->log, sizeof(process->log), "%s", log);
	snprintf(process->name, sizeof(process->name), "%s", slash ? slash + 1 : argv[0]);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (out < 0)
		CHECK_FAIL("%s: %s", log, strerrorname_np(errno));
	process->pid = child_start(out, argv);
	close(out);
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	CHECK(process->pidfd >= 0);
	process_register(process);
}

static int status_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int process_wait(struct process *process, int timeout_ms)
{
	struct pollfd p = {.fd = process->pidfd, .events = POLLIN};
	int status;

	CHECK(process->pid);
	if (poll(&p, 1, timeout_ms) <= 0)
		CHECK_FAIL("%s (pid %d) has not ended within %d ms", process->name, process->pid,
			timeout_ms);
	CHECK(waitpid(process->pid, &status, 0) == process->pid);
	process_forget(process->pid);
	close(process->pidfd);
	process->pid = 0;
	process->pidfd = -1;
	return status_code(status);
}

int process_end(struct process *process, int signal)
{
	if (!process->pid)
		return -1;
	kill(process->pid, signal);
	return process_wait(process, 30000);
}

bool process_running(const struct process *process)
{
	struct pollfd p = {.fd = process->pidfd, .events = POLLIN};
	return process->pid && poll(&p, 1, 0) == 0;
}

int process_run(const char *const *argv, char **ret_output, int timeout_ms)
{
	int ends[2], status;
	size_t len = 0;
	char *output = calloc(1, OUTPUT_MAX + 1);
	long long deadline = now_ms() + timeout_ms;

	CHECK(output && pipe2(ends, O_CLOEXEC) == 0);
	pid_t pid = child_start(ends[1], argv);
	close(ends[1]);
	for (;;) {
		struct pollfd p = {.fd = ends[0], .events = POLLIN};
		long long left = deadline - now_ms();
		if (left <= 0 || poll(&p, 1, (int)left) <= 0) {
			kill(pid, SIGKILL);
			CHECK_FAIL("%s has not ended within %d ms: %s", argv[0], timeout_ms, output);
		}
		ssize_t n = read(ends[0], output + len, OUTPUT_MAX - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(ends[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	output[len] = '\0';
	if (ret_output)
		*ret_output = output;
	else
		free(output);
	return status_code(status);
}

long file_size(const char *path)
{
	struct stat st;
	return stat(path, &st) ? 0 : (long)st.st_size;
}

/* Sleep until something in the folder changes. Looking again now and then makes a lost event harmless. */
static void folder_wait(int inotify, long long deadline)
{
	char events[4096];
	struct pollfd p = {.fd = inotify, .events = POLLIN};
	long long left = deadline - now_ms();

	if (left > LOOK_AGAIN_MS)
		left = LOOK_AGAIN_MS;
	if (left > 0 && poll(&p, 1, (int)left) > 0)
		(void)!read(inotify, events, sizeof(events));
}

static long text_find(const char *path, const char *text, long from)
{
	long size = file_size(path);
	if (size <= from)
		return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	size_t len = (size_t)(size - from);
	char *data = malloc(len);
	CHECK(data);
	ssize_t n = pread(fd, data, len, from);
	close(fd);
	char *hit = n > 0 ? memmem(data, (size_t)n, text, strlen(text)) : NULL;
	long result = hit ? from + (hit - data) + (long)strlen(text) : -1;
	free(data);
	return result;
}

static int watch_open(const char *path, bool parent)
{
	char dir[PATH_MAX];
	snprintf(dir, sizeof(dir), "%s", path);
	char *slash = parent ? strrchr(dir, '/') : NULL;
	if (slash)
		*slash = '\0';
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	CHECK(fd >= 0);
	(void)inotify_add_watch(fd, dir,
		IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE);
	return fd;
}

long wait_for_line(const char *log, const char *text, long from, int timeout_ms)
{
	long long deadline = now_ms() + timeout_ms;
	int inotify = watch_open(log, true);
	long found;

	while ((found = text_find(log, text, from)) < 0 && now_ms() < deadline)
		folder_wait(inotify, deadline);
	close(inotify);
	return found;
}

static size_t files_count(const char *dir, const char *suffix)
{
	size_t count = 0, want = strlen(suffix);
	DIR *d = opendir(dir);
	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));) {
		size_t len = strlen(e->d_name);
		if (e->d_name[0] != '.' && len >= want && strcmp(e->d_name + len - want, suffix) == 0)
			count++;
	}
	closedir(d);
	return count;
}

size_t wait_for_files(const char *dir, const char *suffix, size_t count, int timeout_ms)
{
	long long deadline = now_ms() + timeout_ms;
	struct stat st;
	int inotify = watch_open(dir, stat(dir, &st) != 0);
	size_t there;

	while ((there = files_count(dir, suffix)) < count && now_ms() < deadline)
		folder_wait(inotify, deadline);
	close(inotify);
	return there;
}

/*
 * The socket stays open, bound but not listening. That keeps the port from everybody who asks for any, as for a
 * connection's own end, while a broker is away; who binds it by number with SO_REUSEADDR, as ZeroMQ does, may have it.
 */
int port_take(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int yes = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	return ntohs(address.sin_port);
}

const char *program_path(const char *relative, char *buf, size_t size)
{
	const char *build = getenv("DIENSTWEG_BUILD");
	snprintf(buf, size, "%s/%s", build ? build : DIENSTWEG_BUILD_ROOT, relative);
	if (access(buf, X_OK) != 0)
		CHECK_FAIL("program %s is not built", buf);
	return buf;
}
