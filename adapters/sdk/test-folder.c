/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two processes on one state folder would send everything twice, and an adapter that goes on after an
 * alarm would destroy what proves it: both are tried for real.
 */
#include "adapters/sdk/folder.h"

#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "test/kit/check.h"

enum { WHY = 1024 };

static int open_in_another_process(const char *path)
{
	char why[WHY];
	int status;
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		struct folder *folder = NULL;
		_exit(folder_open(path, &folder, why, sizeof(why)));
	}
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void one_process_has_it(void)
{
	char why[WHY];
	char path[512];
	struct folder *folder = NULL;
	snprintf(path, sizeof(path), "%s/not/there/yet", check_subdir());
	CHECK_INT(folder_open(path, &folder, why, sizeof(why)), 0);
	CHECK_INT(open_in_another_process(path), FOLDER_TAKEN);
	struct folder *second = NULL;
	CHECK_INT(folder_open(path, &second, why, sizeof(why)), FOLDER_TAKEN);
	CHECK(strstr(why, "another process"));
	folder_free(folder);
	CHECK_INT(open_in_another_process(path), 0);
}

static void after_an_alarm_nobody_opens_it(void)
{
	char why[WHY];
	char path[512], file[600];
	struct folder *folder = NULL;
	_cleanup_(heap_free) uint8_t *text = NULL;
	size_t len;
	snprintf(path, sizeof(path), "%s", check_subdir());
	CHECK_INT(folder_open(path, &folder, why, sizeof(why)), 0);
	struct folder_exhibit exhibits[] = {
		{"older.note", BYTES_STR("one")}, {"newer.note", BYTES_STR("two")}, {"proof", {}}};
	CHECK_INT(folder_alarm(folder, "The log forked.", exhibits, 3), 0);
	folder_free(folder);
	CHECK_INT(folder_open(path, &folder, why, sizeof(why)), FOLDER_ALARM);
	CHECK(strstr(why, "ALARM is there") && strstr(why, "move it away"));
	snprintf(file, sizeof(file), "%s/alarm-newer.note", path);
	CHECK_INT(file_read(file, 100, &text, &len), 0);
	CHECK_STR((char *)text, "two");
	snprintf(file, sizeof(file), "%s/alarm-proof", path);
	CHECK(access(file, F_OK) != 0);
	/* A person has looked. */
	snprintf(file, sizeof(file), "%s/ALARM", path);
	CHECK_INT(unlink(file), 0);
	CHECK_INT(folder_open(path, &folder, why, sizeof(why)), 0);
	folder_free(folder);
}

static void a_file_in_its_place_is_named(void)
{
	char why[WHY];
	char path[512];
	struct folder *folder = NULL;
	snprintf(path, sizeof(path), "%s/file", check_subdir());
	CHECK_INT(file_replace(path, BYTES_STR("x"), 0600), 0);
	CHECK(folder_open(path, &folder, why, sizeof(why)) < 0);
	CHECK(strstr(why, path));
}

CHECK_MAIN(CHECK_CASE(one_process_has_it), CHECK_CASE(after_an_alarm_nobody_opens_it),
	CHECK_CASE(a_file_in_its_place_is_named))
