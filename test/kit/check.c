/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Tests run under meson from any folder, so shared inputs are found by DIENSTWEG_SHARED or, failing
 * that, beside the source tree whose path meson hands down at build time.
 */
#include "test/kit/check.h"

#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int check_run(int argc, char **argv, const struct check_case *cases, size_t count)
{
	size_t ran = 0;
	for (size_t i = 0; i < count; i++) {
		if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
			continue;
		cases[i].run();
		printf("ok - %s\n", cases[i].name);
		fflush(stdout);
		ran++;
	}
	if (ran == 0) {
		fprintf(stderr, "no such case: %s\n", argc > 1 ? argv[1] : "(none defined)");
		return 1;
	}
	return 0;
}

void check_skip(const char *why)
{
	printf("skipped: %s\n", why);
	exit(77);
}

const char *check_shared(const char *relative)
{
	static char path[PATH_MAX];
	const char *dir = getenv("DIENSTWEG_SHARED");
	if (!dir)
		dir = DIENSTWEG_SOURCE_ROOT "/../shared";
	int n = snprintf(path, sizeof(path), "%s/%s", dir, relative);
	if (n < 0 || (size_t)n >= sizeof(path) || access(path, R_OK) != 0)
		return NULL;
	return path;
}

const char *check_source(const char *relative)
{
	static char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", DIENSTWEG_SOURCE_ROOT, relative);
	return path;
}

static char check_dir[PATH_MAX], check_memory[PATH_MAX];
static pid_t check_owner;

static int check_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void check_cleanup(void)
{
	if (getpid() != check_owner) /* a forked part of the test that failed */
		return;
	nftw(check_dir, check_remove, 16, FTW_DEPTH | FTW_PHYS);
	if (check_memory[0])
		nftw(check_memory, check_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static bool check_mkdir(char path[PATH_MAX], const char *base)
{
	snprintf(path, PATH_MAX, "%s/dienstweg-test-XXXXXX", base);
	if (mkdtemp(path))
		return true;
	path[0] = '\0';
	return false;
}

const char *check_tmpdir(void)
{
	if (check_dir[0])
		return check_dir;
	const char *base = getenv("TMPDIR");
	if (!check_mkdir(check_dir, base ? base : "/tmp"))
		CHECK_FAIL("no temporary folder in %s", base ? base : "/tmp");
	check_owner = getpid();
	atexit(check_cleanup);
	return check_dir;
}

/* A container may have very little of it. */
static bool check_memory_is_enough(void)
{
	enum { ENOUGH_MIB = 512 };
	struct statvfs fs;
	return statvfs("/dev/shm", &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize / 1048576 >= ENOUGH_MIB;
}

const char *check_memdir(void)
{
	const char *other = check_tmpdir();
	if (check_memory[0] || (check_memory_is_enough() && check_mkdir(check_memory, "/dev/shm")))
		return check_memory;
	return other;
}

const char *check_subdir(void)
{
	static char path[PATH_MAX + 16];
	static unsigned int count;

	snprintf(path, sizeof(path), "%s/%u", check_memdir(), ++count);
	if (mkdir(path, 0700))
		CHECK_FAIL("no folder: %s", path);
	return path;
}
