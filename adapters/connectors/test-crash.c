/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The process ends before each call that changes anything on disk, one after the other, and again while it
 * recovers: every item must become one message, every letter one folder. The outbox here is a file that
 * is appended to at once, as the SDK's commit is one step; the legacy system takes a folder away as soon
 * as it sees it, which is the moment that makes "exactly once" hard.
 *
 * The calls are put before the C library's; they count, and end the process at the number that was set.
 */
#include "adapters/connectors/folder-in.h"
#include "adapters/connectors/folder-out.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/log.h"
#include "test/kit/check.h"

enum { CRASHED = 42, PATH_SIZE = 700, STEPS_MAX = 200 };

static long steps_left; /* 0: never */

static void step(void)
{
	if (steps_left > 0 && --steps_left == 0)
		_exit(CRASHED);
}

ssize_t crash_write(int fd, const void *buf, size_t len) __asm__("write");
ssize_t crash_write(int fd, const void *buf, size_t len)
{
	if (fd != STDERR_FILENO && fd != STDOUT_FILENO)
		step();
	return syscall(SYS_write, fd, buf, len);
}

int crash_renameat2(int from_dir, const char *from, int to_dir, const char *to,
	unsigned int flags) __asm__("renameat2");
int crash_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
	step();
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int crash_rename(const char *from, const char *to) __asm__("rename");
int crash_rename(const char *from, const char *to)
{
	step();
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int crash_mkdirat(int dir, const char *name, mode_t mode) __asm__("mkdirat");
int crash_mkdirat(int dir, const char *name, mode_t mode)
{
	step();
	return (int)syscall(SYS_mkdirat, dir, name, mode);
}

int crash_mkdir(const char *name, mode_t mode) __asm__("mkdir");
int crash_mkdir(const char *name, mode_t mode)
{
	step();
	return (int)syscall(SYS_mkdirat, AT_FDCWD, name, mode);
}

int crash_unlinkat(int dir, const char *name, int flags) __asm__("unlinkat");
int crash_unlinkat(int dir, const char *name, int flags)
{
	step();
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int crash_openat(int dir, const char *name, int flags, ...) __asm__("openat64");
int crash_openat(int dir, const char *name, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (flags & O_CREAT)
		step();
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

int crash_fsync(int fd) __asm__("fsync");
int crash_fsync(int fd)
{
	step();
	return 0; /* a crash of the process keeps what was written; the test is a thousand times faster */
}

int crash_fdatasync(int fd) __asm__("fdatasync");
int crash_fdatasync(int fd)
{
	step();
	return 0;
}

/* ---- helpers ---- */

static const char *at(const char *dir, const char *name)
{
	static char paths[8][PATH_SIZE];
	static unsigned int turn;
	char *path = paths[turn++ % 8];
	snprintf(path, PATH_SIZE, "%s/%s", dir, name);
	return path;
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Names in a folder but dot files, sorted and joined by blanks. */
static const char *names_in(const char *path)
{
	static char list[4000];
	struct dirent **entries = NULL;
	size_t used = 0;
	int count = scandir(path, &entries, NULL, alphasort);
	list[0] = '\0';
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.')
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
				used ? " " : "", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return list;
}

static long long file_size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (long long)st.st_size : -1;
}

/* A new folder for each try. */
static const char *dir_new(void)
{
	static char path[PATH_SIZE];
	static int number;
	snprintf(path, sizeof(path), "%s/%d", check_memdir(), number++);
	CHECK_INT(dir_make(path, 0700), 0);
	return path;
}

/* Runs a life in a process of its own, which ends before its nth step. Returns true when it lived on. */
static bool live(void (*life)(const char *dir), const char *dir, long crash_at)
{
	int status = 0;
	fflush(NULL);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		log_init("test", LOG_ERROR, 2);
		steps_left = crash_at;
		life(dir);
		_exit(0);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CRASHED);
	return WEXITSTATUS(status) == 0;
}

/* ---- the way in ---- */

struct outbox {
	const char *path;
	char pending[FOLDER_IN_ITEMS_MAX][ITEM_KEY_MAX + 1];
	size_t count;
};

static int take(void *context, const struct item *item, char key[ITEM_KEY_MAX + 1], char *reterr,
	size_t size)
{
	struct outbox *outbox = context;
	if (strncmp(item->name, "bad", 3) == 0) {
		snprintf(reterr, size, "field: is wrong; make it right");
		return TAKE_BAD;
	}
	item_key(item, BYTES_STR(item->name), key);
	snprintf(outbox->pending[outbox->count++], ITEM_KEY_MAX + 1, "%s", key);
	return TAKE_DONE;
}

/* All or nothing, as a commit. */
static void outbox_commit(struct outbox *outbox)
{
	char text[FOLDER_IN_ITEMS_MAX * (ITEM_KEY_MAX + 2)];
	size_t used = 0;
	for (size_t i = 0; i < outbox->count; i++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%s\n", outbox->pending[i]);
	int fd = open(outbox->path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	CHECK(fd >= 0 && (used == 0 || write(fd, text, used) == (ssize_t)used) && close(fd) == 0);
}

static void life_in(const char *dir)
{
	char in_path[PATH_SIZE], work[PATH_SIZE], done[PATH_SIZE], failed[PATH_SIZE], why[1024];
	struct outbox outbox = {.path = at(dir, "outbox")};
	const struct folder_in_taker taker = {.take = take, .context = &outbox};
	snprintf(in_path, PATH_SIZE, "%s/in", dir);
	snprintf(work, PATH_SIZE, "%s/work", dir);
	snprintf(done, PATH_SIZE, "%s/done", dir);
	snprintf(failed, PATH_SIZE, "%s/failed", dir);
	const struct config_connector config = {.in = in_path,
		.work = work,
		.done = done,
		.failed = failed,
		.poll_ms = 1000,
		.file_bytes_max = 1 << 16};
	struct folder_in *in = NULL;
	if (folder_in_open(&config, &in, why, sizeof(why)))
		CHECK_FAIL("%s", why);
	for (int i = 0; i < 3; i++) {
		bool more;
		outbox.count = 0;
		CHECK_INT(folder_in_turn(in, &taker, &more), 0);
		outbox_commit(&outbox);
		for (size_t k = 0; k < outbox.count; k++)
			CHECK_INT(folder_in_submitted(in, BYTES_STR(outbox.pending[k])), 0);
	}
	folder_in_free(in);
}

static const char *in_prepare(void)
{
	const char *dir = dir_new();
	CHECK_INT(dir_make(at(dir, "in/case"), 0700), 0);
	write_text(at(dir, "in/a.json"), "{}");
	write_text(at(dir, "in/bad.json"), "{}");
	write_text(at(dir, "in/case/application.json"), "{}");
	write_text(at(dir, "in/case/b.pdf"), "%PDF");
	return dir;
}

/* How many different keys there are, whatever came twice: the real outbox keeps the first. */
static size_t outbox_messages(const char *dir)
{
	char *seen[32], *rest = NULL;
	size_t count = 0, len = 0;
	_cleanup_(heap_free) uint8_t *text = NULL;
	CHECK_INT(file_read(at(dir, "outbox"), 1 << 16, &text, &len), 0);
	rest = (char *)text;
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		bool known = false;
		for (size_t i = 0; i < count; i++)
			known |= strcmp(seen[i], line) == 0;
		if (!known)
			seen[count++] = line;
		CHECK(count < 32);
	}
	return count;
}

static void in_check(const char *dir)
{
	CHECK_INT(outbox_messages(dir), 2);
	CHECK_STR(names_in(at(dir, "in")), "");
	CHECK_STR(names_in(at(dir, "work")), "");
	CHECK_STR(names_in(at(dir, "done")), "a.json case");
	CHECK_STR(names_in(at(dir, "failed")), "bad.json bad.json.error.txt");
}

static long steps_of(void (*life)(const char *dir), const char *(*prepare)(void))
{
	long n = 1;
	while (!live(life, prepare(), n))
		CHECK(++n < STEPS_MAX);
	return n - 1;
}

static void way_in_survives_every_crash(void)
{
	long steps = steps_of(life_in, in_prepare);
	CHECK(steps > 12); /* claims, moves, error file, commit: the crashes do happen */
	for (long first = 1; first <= steps; first++) {
		for (long second = 0; second <= steps; second += second < 8 ? 1 : 5) {
			const char *dir = in_prepare();
			CHECK(!live(life_in, dir, first));
			if (second)
				(void)live(life_in, dir, second);
			CHECK(live(life_in, dir, 0));
			in_check(dir);
		}
	}
	printf("# %ld steps in\n", steps);
}

/* ---- the way out ---- */

static bool is_accepted(const char *dir)
{
	return access(at(dir, "accepted"), F_OK) == 0;
}

/* The SDK calls again until it has committed that the message was handed over. */
static void life_out(const char *dir)
{
	char path[PATH_SIZE], journal[PATH_SIZE], why[1024];
	const struct out_file files[] = {
		{"message.json", BYTES("{\"sequence\": 7}", 15)}, {"b.pdf", BYTES("%PDF", 4)}};
	const struct out_letter letter = {.id = {1, 2, 3},
		.parent = "office/case",
		.name = "7-application",
		.files = files,
		.count = ARRAY_LEN(files)};
	snprintf(path, sizeof(path), "%s/out", dir);
	snprintf(journal, sizeof(journal), "%s/journal", dir);
	const struct folder_out_options options = {
		.path = path, .field = "connector.out", .journal = journal, .remember = 2};
	struct folder_out *out = NULL;
	if (folder_out_open(&options, &out, why, sizeof(why)))
		CHECK_FAIL("%s", why);
	if (!is_accepted(dir)) {
		CHECK_INT(folder_out_put(out, &letter), 0);
		int fd = openat(AT_FDCWD, at(dir, "accepted"), O_WRONLY | O_CREAT, 0600);
		CHECK(fd >= 0 && close(fd) == 0);
	}
	folder_out_free(out);
}

static const char *out_prepare(void)
{
	return dir_new();
}

/* The legacy system: what it sees it takes, folder of the case and all. */
static size_t legacy_takes(const char *dir)
{
	char from[PATH_SIZE], to[PATH_SIZE];
	static unsigned int number;
	if (strcmp(names_in(at(dir, "out/office/case")), "7-application") != 0) {
		CHECK_STR(names_in(at(dir, "out/office/case")), "");
		return 0;
	}
	CHECK_STR(names_in(at(dir, "out/office/case/7-application")), "b.pdf message.json");
	CHECK_INT(file_size_of(at(dir, "out/office/case/7-application/b.pdf")), 4);
	snprintf(from, sizeof(from), "%s/out/office", dir);
	snprintf(to, sizeof(to), "%s/taken-%u", dir, number++);
	CHECK_INT(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0), 0);
	return 1;
}

static void way_out_survives_every_crash(void)
{
	long steps = steps_of(life_out, out_prepare);
	CHECK(steps > 12);
	for (long first = 1; first <= steps; first++) {
		for (long second = 0; second <= steps; second++) {
			const char *dir = out_prepare();
			CHECK(!live(life_out, dir, first));
			size_t copies = legacy_takes(dir);
			if (second) {
				(void)live(life_out, dir, second);
				copies += legacy_takes(dir);
			}
			CHECK(live(life_out, dir, 0));
			copies += legacy_takes(dir);
			if (copies != 1)
				CHECK_FAIL("%zu copies after crashes at %ld and %ld", copies, first,
					second);
			CHECK_STR(names_in(at(dir, "out")), "");
		}
	}
	printf("# %ld steps out\n", steps);
}

CHECK_MAIN(CHECK_CASE(way_in_survives_every_crash), CHECK_CASE(way_out_survives_every_crash))
