/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Real files in a folder of our own, and what is not a file: folders, FIFOs, dangling links, a disk
 * that refuses (by resource limit, in a child process).
 */
#include "proto/base/file.h"

#include "proto/base/cleanup.h"
#include "test/kit/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Path in the test's folder; a few static buffers, taken in turn. */
static const char *at(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int turn;
	char *path = paths[turn++ % 4];
	CHECK_INT(path_join(path, PATH_MAX, check_tmpdir(), name), 0);
	return path;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static unsigned int entries_in(const char *path)
{
	unsigned int count = 0;
	DIR *dir = opendir(path);
	CHECK(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static void reads_whole_files(void)
{
	_cleanup_(heap_free) uint8_t *data = NULL, *none = NULL;
	size_t len = 0;
	write_file(at("plain"), "hello");
	CHECK_INT(file_read(at("plain"), 5, &data, &len), 0);
	CHECK_INT(len, 5);
	CHECK_STR((char *)data, "hello");
	write_file(at("empty"), "");
	CHECK_INT(file_read(at("empty"), 0, &none, &len), 0);
	CHECK_INT(len, 0);
	CHECK_STR((char *)none, "");
}

static void bound_is_exact(void)
{
	uint8_t *data = NULL;
	size_t len = 7;
	write_file(at("six"), "sixsix");
	CHECK_INT(file_read(at("six"), 5, &data, &len), FILE_TOO_LARGE);
	CHECK_INT(file_read(at("six"), 0, &data, &len), FILE_TOO_LARGE);
	CHECK(data == NULL && len == 7);
	CHECK_INT(file_read(at("six"), 6, &data, &len), 0);
	free(data);
}

/* Under /proc a file's size is said to be 0, as with one that grows while it is read. */
static void size_is_not_trusted(void)
{
	uint8_t *data = NULL;
	size_t len = 0;
	int r = file_read("/proc/self/maps", 1 << 20, &data, &len);
	if (r == -ENOENT)
		return;
	CHECK_INT(r, 0);
	CHECK(len > 500 && strlen((char *)data) == len);
	free(data);
	data = NULL;
	CHECK_INT(file_read("/proc/self/maps", 400, &data, &len), FILE_TOO_LARGE);
	CHECK(data == NULL);
	char *content = malloc(300001);
	memset(content, 'x', 300000);
	content[300000] = '\0';
	write_file(at("long"), content);
	CHECK_INT(file_read(at("long"), 1 << 20, &data, &len), 0);
	CHECK_INT(len, 300000);
	CHECK_STR((char *)data, content);
	free(content);
	free(data);
}

static void only_regular_files_are_read(void)
{
	uint8_t *data = NULL;
	size_t len;
	CHECK_INT(file_read(at("absent"), 10, &data, &len), -ENOENT);
	CHECK_INT(file_read(check_tmpdir(), 10, &data, &len), -EISDIR);
	CHECK_INT(mkfifo(at("fifo"), 0600), 0);
	CHECK_INT(file_read(at("fifo"), 10, &data, &len),
		-EINVAL); /* and does not wait for a writer */
	CHECK_INT(file_read("/dev/zero", 10, &data, &len), -EINVAL);
	CHECK(data == NULL);
}

static void replaces_with_permissions(void)
{
	struct stat st;
	uint8_t *data = NULL;
	size_t len;
	mode_t before = umask(077);
	CHECK_INT(mkdir(at("r"), 0700), 0);
	CHECK_INT(file_replace(at("r/public"), BYTES_STR("one"), 0644), 0);
	umask(before);
	CHECK_INT(stat(at("r/public"), &st), 0);
	CHECK_INT(st.st_mode & 07777, 0644);
	CHECK_INT(file_replace(at("r/public"), BYTES_STR("number two"), 0600), 0);
	CHECK_INT(stat(at("r/public"), &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(file_read(at("r/public"), 100, &data, &len), 0);
	CHECK_STR((char *)data, "number two");
	free(data);
	CHECK_INT(file_replace(at("r/public"), BYTES(NULL, 0), 0600), 0);
	CHECK_INT(stat(at("r/public"), &st), 0);
	CHECK_INT(st.st_size, 0);
	CHECK_INT(entries_in(at("r")), 1); /* no temporary stays */
}

static void failed_replacement_leaves_the_old(void)
{
	uint8_t *data = NULL;
	size_t len;
	CHECK_INT(mkdir(at("f"), 0700), 0);
	CHECK_INT(mkdir(at("f/folder"), 0700), 0);
	CHECK_INT(file_replace(at("f/folder"), BYTES_STR("x"), 0600), -EISDIR);
	CHECK_INT(file_replace(at("f/absent/file"), BYTES_STR("x"), 0600), -ENOENT);
	CHECK_INT(file_replace(at("f/old"), BYTES_STR("old"), 0600), 0);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		struct rlimit limit = {.rlim_cur = 1000, .rlim_max = 1000};
		static const uint8_t large[5000];
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(file_replace(at("f/old"), BYTES(large, sizeof(large)), 0600) == -EFBIG ? 0
											     : 1);
	}
	int status;
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK_INT(file_read(at("f/old"), 100, &data, &len), 0);
	CHECK_STR((char *)data, "old");
	free(data);
	CHECK_INT(entries_in(at("f")), 2);
}

static void replaces_in_the_current_folder_and_with_long_names(void)
{
	char name[256], here[PATH_MAX];
	CHECK(getcwd(here, sizeof(here)));
	CHECK_INT(chdir(check_tmpdir()), 0);
	memset(name, 'n', 255);
	name[255] = '\0';
	CHECK_INT(file_replace(name, BYTES_STR("x"), 0600), 0);
	CHECK_INT(access(name, R_OK), 0);
	CHECK_INT(chdir(here), 0);
	char *longer = malloc(PATH_MAX + 2);
	memset(longer, 'p', PATH_MAX + 1);
	longer[PATH_MAX] = '/';
	longer[PATH_MAX + 1] = '\0';
	CHECK_INT(file_replace(longer, BYTES_STR("x"), 0600), -ENAMETOOLONG);
	CHECK_INT(dir_make(longer, 0700), -ENAMETOOLONG);
	free(longer);
}

static void private_means_owner_alone(void)
{
	static const mode_t safe[] = {0600, 0400, 0700, 0000};
	static const mode_t unsafe[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666};
	write_file(at("key"), "secret");
	for (size_t i = 0; i < ARRAY_LEN(safe); i++) {
		CHECK_INT(chmod(at("key"), safe[i]), 0);
		CHECK_INT(file_check_private(at("key")), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++) {
		CHECK_INT(chmod(at("key"), unsafe[i]), 0);
		CHECK_INT(file_check_private(at("key")), FILE_UNSAFE);
	}
	CHECK_INT(symlink("key", at("link")), 0);
	CHECK_INT(file_check_private(at("link")), FILE_UNSAFE); /* what it points to counts */
	CHECK_INT(file_check_private(at("no-key")), -ENOENT);
	CHECK_INT(file_check_private(check_tmpdir()), -EISDIR);
	CHECK_INT(chmod(at("key"), 0600), 0);
	if (geteuid() == 0) {
		CHECK_INT(chown(at("key"), 12345, (gid_t)-1), 0);
		CHECK_INT(file_check_private(at("key")), FILE_UNSAFE);
	}
}

static void folders_are_made_on_the_way(void)
{
	struct stat st;
	mode_t before = umask(0);
	CHECK_INT(dir_make(at("a/b//c/"), 0750), 0);
	umask(before);
	static const char *const parts[] = {"a", "a/b", "a/b/c"};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		CHECK_INT(stat(at(parts[i]), &st), 0);
		CHECK(S_ISDIR(st.st_mode));
		CHECK_INT(st.st_mode & 0777, 0750);
	}
	CHECK_INT(dir_make(at("a/b/c"), 0700), 0);
	CHECK_INT(stat(at("a/b/c"), &st), 0);
	CHECK_INT(st.st_mode & 0777, 0750); /* existing ones are not touched */
	CHECK_INT(dir_make("/", 0700), 0);
	CHECK_INT(dir_make("", 0700), -EINVAL);
	write_file(at("a/file"), "");
	CHECK_INT(dir_make(at("a/file"), 0700), -ENOTDIR);
	CHECK_INT(dir_make(at("a/file/x"), 0700), -ENOTDIR);
	CHECK_INT(symlink("nowhere", at("a/dangling")), 0);
	CHECK(dir_make(at("a/dangling"), 0700) < 0);
}

static void folders_are_synced(void)
{
	CHECK_INT(dir_sync(check_tmpdir()), 0);
	CHECK_INT(dir_sync(at("not-here")), -ENOENT);
	write_file(at("no-folder"), "");
	CHECK_INT(dir_sync(at("no-folder")), -ENOTDIR);
}

static void what_grows_is_written_on_the_way(void)
{
	enum { STEP = 1 << 16, PIECE = 40000, PIECES = 20 };
	static uint8_t piece[PIECE];
	int fd = open(at("grows"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	for (uint64_t i = 0; i < PIECES; i++) {
		memset(piece, (int)i + 1, sizeof(piece));
		CHECK_INT(pwrite(fd, piece, PIECE, (off_t)(i * PIECE)), PIECE);
		CHECK_INT(file_write_back(fd, i * PIECE, (i + 1) * PIECE, STEP), 0);
	}
	/* Nothing of it is changed by that. */
	for (uint64_t i = 0; i < PIECES; i++) {
		CHECK_INT(pread(fd, piece, PIECE, (off_t)(i * PIECE)), PIECE);
		CHECK(piece[0] == i + 1 && piece[PIECE - 1] == i + 1);
	}
	close(fd);
	CHECK_INT(file_write_back(fd, 0, STEP - 1, STEP), 0); /* no border is passed */
	CHECK_INT(file_write_back(fd, 0, STEP, STEP), -EBADF);
	CHECK_INT(file_write_back(fd, STEP, 3 * STEP, STEP), -EBADF);
}

static void paths_are_joined(void)
{
	char buf[8];
	CHECK_INT(path_join(buf, sizeof(buf), "abc", "def"), 0);
	CHECK_STR(buf, "abc/def");
	CHECK_INT(path_join(buf, sizeof(buf), "abc/", "def"), 0);
	CHECK_STR(buf, "abc/def");
	CHECK_INT(path_join(buf, sizeof(buf), "/", "x"), 0);
	CHECK_STR(buf, "/x");
	CHECK_INT(path_join(buf, sizeof(buf), "abc", "defg"), -ENAMETOOLONG);
}

CHECK_MAIN(CHECK_CASE(reads_whole_files), CHECK_CASE(bound_is_exact),
	CHECK_CASE(size_is_not_trusted), CHECK_CASE(only_regular_files_are_read),
	CHECK_CASE(replaces_with_permissions), CHECK_CASE(failed_replacement_leaves_the_old),
	CHECK_CASE(replaces_in_the_current_folder_and_with_long_names),
	CHECK_CASE(private_means_owner_alone), CHECK_CASE(folders_are_made_on_the_way),
	CHECK_CASE(folders_are_synced), CHECK_CASE(what_grows_is_written_on_the_way),
	CHECK_CASE(paths_are_joined))
