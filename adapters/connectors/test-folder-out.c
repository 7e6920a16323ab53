/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What arrives appears whole, private and once. Crashes have a program of their own (test-crash.c).
 */
#include "adapters/connectors/folder-out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "test/kit/check.h"

enum { PATH_SIZE = 700, REMEMBER = 4, NOT_PERMITTED = 77 };

struct desk {
	char dir[400], path[PATH_SIZE], journal[PATH_SIZE];
	struct folder_out *out;
};

static void desk_open(struct desk *desk)
{
	char why[600];
	const struct folder_out_options options = {.path = desk->path,
		.field = "connector.out",
		.journal = desk->journal,
		.remember = REMEMBER};
	folder_out_free(desk->out);
	desk->out = NULL;
	if (folder_out_open(&options, &desk->out, why, sizeof(why)))
		CHECK_FAIL("%s", why);
}

static void desk_init(struct desk *desk, const char *name)
{
	*desk = (struct desk){};
	snprintf(desk->dir, sizeof(desk->dir), "%s/%s", check_memdir(), name);
	snprintf(desk->path, PATH_SIZE, "%s/out", desk->dir);
	snprintf(desk->journal, PATH_SIZE, "%s/journal", desk->dir);
	desk_open(desk);
}

static void desk_deinit(struct desk *desk)
{
	folder_out_free(desk->out);
}
DEFINE_CLEANUP_PTR(struct desk, desk_deinit);

static int put(struct desk *desk, uint8_t id, const char *name, const char *text)
{
	const struct out_file files[] = {{"message.json", BYTES_STR(text)}, {"b", BYTES("x", 1)}};
	const struct out_letter letter = {
		.id = {id}, .parent = "case", .name = name, .files = files, .count = 2};
	return folder_out_put(desk->out, &letter);
}

static mode_t mode_of(const struct desk *desk, const char *name)
{
	char path[2 * PATH_SIZE];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", desk->path, name);
	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void take_away(const struct desk *desk, const char *name)
{
	char path[2 * PATH_SIZE];
	static const char *const files[] = {"/message.json", "/b", ""};
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/case/%s%s", desk->path, name, files[i]);
		CHECK_INT(remove(path), 0);
	}
}

static void letters_appear_private(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	mode_t old = umask(0);
	desk_init(&desk, "plain");
	CHECK_INT(put(&desk, 1, "1-application", "{}"), 0);
	umask(old);
	CHECK_INT(mode_of(&desk, "case"), 0700);
	CHECK_INT(mode_of(&desk, "case/1-application"), 0700);
	CHECK_INT(mode_of(&desk, "case/1-application/message.json"), 0600);
}

static void same_letter_is_put_once(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "once");
	CHECK_INT(put(&desk, 1, "1-application", "{}"), 0);
	CHECK_INT(put(&desk, 1, "1-application", "{}"), 0);
	take_away(&desk, "1-application");
	CHECK_INT(put(&desk, 1, "1-application", "{}"), 0);
	CHECK_INT(mode_of(&desk, "case/1-application"), 0);
	desk_open(&desk); /* remembered across starts */
	CHECK_INT(put(&desk, 1, "1-application", "{}"), 0);
	CHECK_INT(mode_of(&desk, "case/1-application"), 0);
	CHECK_INT(put(&desk, 2, "2-application", "{}"), 0);
	CHECK_INT(mode_of(&desk, "case/2-application"), 0700);
}

static void memory_is_bounded(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	struct stat st;
	char name[32];
	desk_init(&desk, "bounded");
	for (int i = 1; i <= 50; i++) {
		snprintf(name, sizeof(name), "%d-status", i);
		CHECK_INT(put(&desk, (uint8_t)i, name, name), 0);
		CHECK(stat(desk.journal, &st) == 0 &&
			st.st_size <= 2 * REMEMBER * FOLDER_OUT_ID_SIZE);
	}
	desk_open(&desk);
	for (int i = 50; i > 50 - REMEMBER; i--) { /* the newest are still known */
		snprintf(name, sizeof(name), "%d-status", i);
		take_away(&desk, name);
		CHECK_INT(put(&desk, (uint8_t)i, name, name), 0);
		CHECK_INT(mode_of(&desk, "case/50-status"), 0);
	}
}

static void torn_note_does_not_count(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "torn");
	CHECK_INT(put(&desk, 1, "1-status", "1"), 0);
	FILE *file = fopen(desk.journal, "a");
	CHECK(file && fwrite("\2\0\0", 1, 3, file) == 3 && fclose(file) == 0);
	desk_open(&desk);
	CHECK_INT(put(&desk, 2, "2-status", "2"), 0);
	CHECK_INT(mode_of(&desk, "case/2-status"), 0700);
	desk_open(&desk);
	take_away(&desk, "2-status");
	CHECK_INT(put(&desk, 2, "2-status", "2"), 0);
	CHECK_INT(mode_of(&desk, "case/2-status"), 0);
}

static void lost_memory_does_not_double(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "lost");
	CHECK_INT(put(&desk, 1, "1-status", "1"), 0);
	CHECK_INT(unlink(desk.journal), 0);
	desk_open(&desk);
	CHECK_INT(put(&desk, 1, "1-status", "1"), 0);             /* it is still there */
	CHECK_INT(put(&desk, 3, "1-status", "another"), -EEXIST); /* that is not this one */
	CHECK_INT(put(&desk, 3, "1-status.a", "another"), 0);
	CHECK_INT(mode_of(&desk, "case/1-status.a"), 0700);
}

static void nothing_staged_is_left(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char path[2 * PATH_SIZE];
	desk_init(&desk, "staged");
	snprintf(path, sizeof(path), "%s/.staged-%032d", desk.path, 7);
	CHECK_INT(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/.staged-%032d/message.json", desk.path, 7);
	FILE *file = fopen(path, "w");
	CHECK(file && fclose(file) == 0);
	snprintf(path, sizeof(path), "%s/.staged-of-somebody", desk.path);
	CHECK_INT(mkdir(path, 0700), 0);
	desk_open(&desk);
	CHECK_INT(mode_of(&desk, ".staged-00000000000000000000000000000007"), 0);
	CHECK_INT(mode_of(&desk, ".staged-of-somebody"), 0700); /* not ours */
}

static void unusable_folders_are_named(void)
{
	char why[600];
	struct folder_out *out = NULL;
	char journal[PATH_SIZE];
	snprintf(journal, sizeof(journal), "%s/j", check_memdir());
	const struct folder_out_options options = {.path = "/proc/self/out",
		.field = "connector.out",
		.journal = journal,
		.remember = REMEMBER};
	CHECK(folder_out_open(&options, &out, why, sizeof(why)) < 0);
	CHECK(strstr(why, "connector.out: the folder cannot be used"));
}

static void folder_may_be_replaced(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char old[PATH_SIZE];
	desk_init(&desk, "replaced");
	snprintf(old, sizeof(old), "%s/old", desk.dir);
	CHECK_INT(rename(desk.path, old), 0);
	CHECK_INT(put(&desk, 1, "1-status", "1"), -ENOENT);
	CHECK_INT(mkdir(desk.path, 0700), 0);
	CHECK_INT(put(&desk, 1, "1-status", "1"), 0);
	CHECK_INT(mode_of(&desk, "case/1-status"), 0700);
}

static int entries(const char *path)
{
	int count = 0;
	DIR *dir = opendir(path);
	CHECK(dir != NULL);
	for (const struct dirent *e; (e = readdir(dir));)
		count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(dir);
	return count;
}

/* In a process of its own, because the small disk is a mount of its own. */
static int fill_a_disk(const char *dir)
{
	struct desk desk = {};
	static char large[100 * 1024];
	memset(large, 'x', sizeof(large) - 1);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700") < 0)
		return NOT_PERMITTED;
	snprintf(desk.path, PATH_SIZE, "%s/out", dir);
	snprintf(desk.journal, PATH_SIZE, "%s/journal", dir);
	desk_open(&desk);
	CHECK_INT(put(&desk, 1, "1-status", large), -ENOSPC);
	CHECK_INT(entries(desk.path), 0); /* nothing half, nothing hidden */
	CHECK_INT(put(&desk, 2, "2-status", "small"), 0);
	CHECK_INT(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=1m"), 0);
	CHECK_INT(put(&desk, 1, "1-status", large), 0);
	CHECK_INT(mode_of(&desk, "case/1-status"), 0700);
	folder_out_free(desk.out);
	return 0;
}

static void full_disk_is_for_later(void)
{
	int status = 0;
	const char *dir = check_subdir();
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(fill_a_disk(dir));
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == NOT_PERMITTED)
		printf("# skipped: no mount namespaces for this user\n");
	else
		CHECK_INT(WEXITSTATUS(status), 0);
}

/* A link in place of a folder of ours leads nowhere. */
static void links_are_not_followed(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char path[2 * PATH_SIZE];
	desk_init(&desk, "links");
	snprintf(path, sizeof(path), "%s/case", desk.path);
	CHECK_INT(symlink("/tmp", path), 0);
	int r = put(&desk, 1, "1-status", "1");
	CHECK(r == -ELOOP || r == -ENOTDIR);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(put(&desk, 1, "1-status", "1"), 0);
	CHECK_INT(mode_of(&desk, "case/1-status"), 0700);
}

CHECK_MAIN(CHECK_CASE(letters_appear_private), CHECK_CASE(same_letter_is_put_once),
	CHECK_CASE(memory_is_bounded), CHECK_CASE(torn_note_does_not_count),
	CHECK_CASE(lost_memory_does_not_double), CHECK_CASE(nothing_staged_is_left),
	CHECK_CASE(unusable_folders_are_named), CHECK_CASE(folder_may_be_replaced),
	CHECK_CASE(full_disk_is_for_later), CHECK_CASE(links_are_not_followed))
