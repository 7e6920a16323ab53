/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Real folders, and writers as they are: slow, careless, hostile, gone. The taker here stands for map and
 * outbox: it notes what it got.
 */
#include "adapters/connectors/folder-in.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/process.h"

enum { TAKEN_MAX = 200, PATH_SIZE = 600, WAIT_MS = 10000 };

struct taken {
	char name[ITEM_NAME_MAX + 1];
	char key[ITEM_KEY_MAX + 1];
	char first[64]; /* beginning of its first file */
	size_t files;
};

struct desk {
	char dir[400];
	char in[PATH_SIZE], work[PATH_SIZE], done[PATH_SIZE], failed[PATH_SIZE];
	struct config_connector config;
	struct folder_in *folder;
	int verdict;      /* what the taker says */
	const char *why;  /* with TAKE_BAD */
	bool keep_silent; /* do not tell that it was submitted */
	struct taken taken[TAKEN_MAX];
	size_t count;
	size_t told; /* so many of them were told */
};

static void desk_init(struct desk *desk, const char *name)
{
	*desk = (struct desk){.why = "field: is wrong; make it right"};
	snprintf(desk->dir, sizeof(desk->dir), "%s/%s", check_memdir(), name);
	snprintf(desk->in, PATH_SIZE, "%s/in", desk->dir);
	snprintf(desk->work, PATH_SIZE, "%s/work", desk->dir);
	snprintf(desk->done, PATH_SIZE, "%s/done", desk->dir);
	snprintf(desk->failed, PATH_SIZE, "%s/failed", desk->dir);
	desk->config = (struct config_connector){.in = desk->in,
		.work = desk->work,
		.done = desk->done,
		.failed = desk->failed,
		.settle_ms = 0,
		.poll_ms = 50,
		.file_bytes_max = 1 << 20};
}

static void desk_open(struct desk *desk)
{
	char why[1024] = "";
	folder_in_free(desk->folder);
	desk->folder = NULL;
	if (folder_in_open(&desk->config, &desk->folder, why, sizeof(why)))
		CHECK_FAIL("%s", why);
}

static void desk_deinit(struct desk *desk)
{
	folder_in_free(desk->folder);
}
DEFINE_CLEANUP_PTR(struct desk, desk_deinit);

static int take(void *context, const struct item *item, char key[ITEM_KEY_MAX + 1], char *reterr,
	size_t size)
{
	struct desk *desk = context;
	struct taken *taken = &desk->taken[desk->count];
	snprintf(reterr, size, "%s", desk->why);
	if (desk->verdict)
		return desk->verdict;
	CHECK(desk->count < TAKEN_MAX);
	item_key(item, BYTES_STR(item->name), key);
	snprintf(taken->name, sizeof(taken->name), "%s", item->name);
	snprintf(taken->key, sizeof(taken->key), "%s", key);
	snprintf(taken->first, sizeof(taken->first), "%.*s", (int)item->files[0].data.len,
		(const char *)item->files[0].data.data);
	taken->files = item->count;
	desk->count++;
	return TAKE_DONE;
}

static bool turn(struct desk *desk)
{
	const struct folder_in_taker taker = {.take = take, .context = desk};
	bool more = false;
	CHECK_INT(folder_in_turn(desk->folder, &taker, &more), 0);
	for (; desk->told < desk->count && !desk->keep_silent; desk->told++)
		CHECK_INT(folder_in_submitted(desk->folder, BYTES_STR(desk->taken[desk->told].key)),
			0);
	return more;
}

/* Turns as the SDK makes them: when the descriptor says so. */
static void turns_until(struct desk *desk, size_t count)
{
	long long end = now_ms() + WAIT_MS;
	while (desk->count < count) {
		struct pollfd fd = {.fd = folder_in_fd(desk->folder), .events = POLLIN};
		bool more = turn(desk);
		if (desk->count < count && !more)
			CHECK(poll(&fd, 1, 1000) >= 0);
		if (now_ms() > end)
			CHECK_FAIL("%zu of %zu taken", desk->count, count);
	}
}

static void write_text(const char *folder, const char *name, const char *text)
{
	char path[2 * PATH_SIZE];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static bool is_there(const char *folder, const char *name)
{
	char path[2 * PATH_SIZE];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return lstat(path, &st) == 0;
}

static size_t entries(const char *folder)
{
	size_t count = 0;
	DIR *dir = opendir(folder);
	CHECK(dir != NULL);
	for (const struct dirent *e; (e = readdir(dir));)
		count += e->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* The error file must say what and the remedy; the item itself stands beside it. */
static void failed_says(const struct desk *desk, const char *name, const char *expected)
{
	char path[2 * PATH_SIZE];
	_cleanup_(heap_free) uint8_t *text = NULL;
	size_t len = 0;
	CHECK(is_there(desk->failed, name));
	snprintf(path, sizeof(path), "%s/%s.error.txt", desk->failed, name);
	CHECK_INT(file_read(path, 10000, &text, &len), 0);
	if (!strstr((char *)text, expected))
		CHECK_FAIL("\"%s\" does not say \"%s\"", (char *)text, expected);
}

static void files_are_taken_and_done(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	struct stat st;
	desk_init(&desk, "plain");
	desk_open(&desk);
	CHECK(stat(desk.work, &st) == 0 && (st.st_mode & 0777) == 0700);
	write_text(desk.in, "a.json", "{}");
	turns_until(&desk, 1);
	CHECK_STR(desk.taken[0].name, "a.json");
	CHECK_STR(desk.taken[0].first, "{}");
	CHECK(strncmp(desk.taken[0].key, "a.json.", 7) == 0);
	CHECK_INT(strlen(desk.taken[0].key), 7 + 32);
	CHECK(is_there(desk.done, "a.json") && entries(desk.in) == 0 && entries(desk.work) == 0);
	CHECK_INT(entries(desk.failed), 0);
}

static void case_folders_are_taken_whole(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char path[2 * PATH_SIZE], target[2 * PATH_SIZE];
	desk_init(&desk, "folders");
	desk_open(&desk);
	snprintf(path, sizeof(path), "%s/.building", desk.in);
	snprintf(target, sizeof(target), "%s/case-1", desk.in);
	CHECK_INT(mkdir(path, 0700), 0);
	write_text(path, "b.pdf", "%PDF");
	turn(&desk);
	CHECK_INT(desk.count, 0);
	write_text(path, "application.json", "{}");
	CHECK_INT(rename(path, target), 0);
	turns_until(&desk, 1);
	CHECK_INT(desk.taken[0].files, 2);
	CHECK_STR(desk.taken[0].first, "{}"); /* sorted by name */
	CHECK(is_there(desk.done, "case-1"));
}

static void order_of_arrival(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "order");
	desk_open(&desk);
	static const char *const names[] = {"z.json", "m.json", "a.json"};
	for (int i = 0; i < 3; i++) {
		char path[2 * PATH_SIZE];
		struct timespec times[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
		write_text(desk.in, names[i], "x");
		snprintf(path, sizeof(path), "%s/%s", desk.in, names[i]);
		CHECK_INT(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	turns_until(&desk, 3);
	for (int i = 0; i < 3; i++)
		CHECK_STR(desk.taken[i].name, names[i]);
}

static void many_come_in_slices(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "many");
	desk_open(&desk);
	for (int i = 0; i < 100; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%03d.json", i);
		write_text(desk.in, name, name);
	}
	CHECK(turn(&desk));
	CHECK_INT(desk.count, FOLDER_IN_ITEMS_MAX);
	turns_until(&desk, 100);
	CHECK_INT(entries(desk.done), 100);
}

static void unfinished_names_are_left(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "names");
	desk_open(&desk);
	write_text(desk.in, ".hidden.json", "x");
	write_text(desk.in, "a.json.tmp", "x");
	write_text(desk.in, "b.json.part", "x");
	write_text(desk.in, "good.json", "x");
	turns_until(&desk, 1);
	turn(&desk);
	CHECK_STR(desk.taken[0].name, "good.json");
	CHECK_INT(desk.count, 1);
	CHECK(is_there(desk.in, "a.json.tmp") && is_there(desk.in, "b.json.part"));
}

static void open_for_writing_is_left(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char path[2 * PATH_SIZE];
	desk_init(&desk, "writing");
	desk_open(&desk);
	snprintf(path, sizeof(path), "%s/a.json", desk.in);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	CHECK(fd >= 0 && write(fd, "half", 4) == 4);
	for (int i = 0; i < 5; i++)
		turn(&desk);
	CHECK_INT(desk.count, 0); /* although it has not changed */
	CHECK(write(fd, " and half", 9) == 9 && close(fd) == 0);
	turns_until(&desk, 1);
	CHECK_STR(desk.taken[0].first, "half and half");
}

static void changing_files_have_to_rest(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "settle");
	desk.config.settle_ms = 300;
	desk_open(&desk);
	write_text(desk.in, "a.json", "1");
	long long changed = now_ms();
	for (int i = 0; i < 4; i++) { /* a writer that opens and closes for each line */
		struct pollfd fd = {.fd = folder_in_fd(desk.folder), .events = POLLIN};
		turn(&desk);
		CHECK(poll(&fd, 1, 100) >= 0);
		CHECK_INT(desk.count, 0);
		write_text(desk.in, "a.json", i == 3 ? "the last one" : "23");
		changed = now_ms();
	}
	turns_until(&desk, 1);
	CHECK_STR(desk.taken[0].first, "the last one");
	CHECK(now_ms() - changed >= 300);
}

static void notification_wakes(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "wake");
	desk.config.poll_ms = 3600 * 1000;
	desk_open(&desk);
	struct pollfd fd = {.fd = folder_in_fd(desk.folder), .events = POLLIN};
	turn(&desk);
	CHECK_INT(poll(&fd, 1, 0), 0);
	write_text(desk.in, "a.json", "x");
	CHECK_INT(poll(&fd, 1, WAIT_MS), 1);
	turns_until(&desk, 1);
}

static void bad_items_fail_in_words(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "bad");
	desk_open(&desk);
	desk.verdict = TAKE_BAD;
	desk.why = "applicant.date_of_birth: is no date; write it like 1980-12-31";
	write_text(desk.in, "a.json", "x");
	turn(&desk);
	failed_says(
		&desk, "a.json", "applicant.date_of_birth: is no date; write it like 1980-12-31");
	CHECK(entries(desk.in) == 0 && entries(desk.work) == 0 && entries(desk.done) == 0);
	write_text(desk.in, "a.json", "y"); /* again: both are kept */
	turn(&desk);
	CHECK_INT(entries(desk.failed), 4);
}

/* What cannot be read, one by one: what was put, and what has to be said. */
static void put_link(const char *in)
{
	char path[2 * PATH_SIZE];
	snprintf(path, sizeof(path), "%s/link.json", in);
	CHECK_INT(symlink("/etc/passwd", path), 0);
}

static void put_fifo(const char *in)
{
	char path[2 * PATH_SIZE];
	snprintf(path, sizeof(path), "%s/fifo.json", in);
	CHECK_INT(mkfifo(path, 0600), 0);
}

static void put_socket(const char *in)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int home = open(".", O_RDONLY | O_DIRECTORY), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(home >= 0 && fd >= 0 && chdir(in) == 0); /* the path would be too long */
	snprintf(address.sun_path, sizeof(address.sun_path), "socket.json");
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK(fchdir(home) == 0 && close(home) == 0 && close(fd) == 0);
}

static void put_folder_with(const char *in, const char *name, const char *file, const char *text)
{
	char path[2 * PATH_SIZE];
	snprintf(path, sizeof(path), "%s/%s", in, name);
	CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
	if (file)
		write_text(path, file, text);
}

static void hostile_items_are_refused(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char path[2 * PATH_SIZE];
	desk_init(&desk, "hostile");
	desk_open(&desk);
	put_link(desk.in);
	put_fifo(desk.in);
	put_socket(desk.in);
	write_text(desk.in, "empty.json", "");
	put_folder_with(desk.in, "empty-folder", NULL, NULL);
	put_folder_with(desk.in, "deep", "a.json", "{}");
	snprintf(path, sizeof(path), "%s/deep/inner", desk.in);
	CHECK_INT(mkdir(path, 0700), 0);
	put_folder_with(desk.in, "linked", "a.json", "{}");
	snprintf(path, sizeof(path), "%s/linked/z.pdf", desk.in);
	CHECK_INT(symlink("/etc/passwd", path), 0);
	put_folder_with(desk.in, "hollow", "a.json", "{}");
	put_folder_with(desk.in, "hollow", "b.pdf", "");
	for (int i = 0; i <= ITEM_FILES_MAX; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%d.txt", i);
		put_folder_with(desk.in, "crowd", name, "x");
	}
	turn(&desk);
	CHECK_INT(desk.count, 0);
	failed_says(&desk, "link.json", "link.json: is a symbolic link; put the file itself");
	failed_says(&desk, "fifo.json", "fifo.json: is no regular file");
	failed_says(&desk, "socket.json", "socket.json: is no regular file");
	failed_says(&desk, "empty.json", "empty.json: is empty");
	failed_says(&desk, "empty-folder", "the case folder is empty");
	failed_says(&desk, "deep", "inner: is a folder inside a case folder");
	failed_says(&desk, "linked", "z.pdf: is a symbolic link");
	failed_says(&desk, "hollow", "b.pdf: is empty");
	failed_says(&desk, "crowd", "more than 64 files");
	CHECK(entries(desk.in) == 0 && entries(desk.work) == 0);
}

static void large_items_are_refused(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "large");
	desk.config.file_bytes_max = 10;
	desk_open(&desk);
	write_text(desk.in, "a.json", "1234567890");
	write_text(desk.in, "b.json", "1234567890x");
	put_folder_with(desk.in, "both", "a", "123456");
	put_folder_with(desk.in, "both", "b", "123456");
	turns_until(&desk, 1);
	CHECK_STR(desk.taken[0].name, "a.json");
	failed_says(&desk, "b.json", "b.json: is too large; it has 11 bytes, and 10 are left");
	failed_says(&desk, "both", "b: is too large");
}

static void vanishing_items_are_forgotten(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char path[2 * PATH_SIZE];
	desk_init(&desk, "vanish");
	desk.config.settle_ms = 100;
	desk_open(&desk);
	write_text(desk.in, "a.json", "x");
	put_folder_with(desk.in, "folder", "a.json", "x");
	turn(&desk); /* seen */
	snprintf(path, sizeof(path), "%s/a.json", desk.in);
	CHECK_INT(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/folder/a.json", desk.in);
	CHECK_INT(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/folder", desk.in);
	CHECK_INT(rmdir(path), 0);
	write_text(desk.in, "b.json", "x");
	turns_until(&desk, 1);
	CHECK_STR(desk.taken[0].name, "b.json");
	CHECK_INT(entries(desk.failed), 0);
}

/* As another account, because root may read everything. */
static void unreadable_items_are_refused(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char path[2 * PATH_SIZE];
	desk_init(&desk, "unreadable");
	desk_open(&desk);
	write_text(desk.in, "a.json", "x");
	snprintf(path, sizeof(path), "%s/a.json", desk.in);
	CHECK_INT(chmod(path, 0), 0);
	put_folder_with(desk.in, "foreign", "a.json", "x");
	snprintf(path, sizeof(path), "%s/foreign", desk.in);
	CHECK_INT(chmod(path, 0500), 0);
	if (geteuid() == 0) {
		static const char *const folders[] = {"", "/in", "/work", "/done", "/failed"};
		for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
			snprintf(path, sizeof(path), "%s%s", desk.dir, folders[i]);
			CHECK_INT(chown(path, 65534, 65534), 0);
		}
		CHECK_INT(chmod(check_memdir(), 0755), 0);
	}
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(1);
		desk_open(&desk);
		turn(&desk);
		turn(&desk);
		if (desk.count > 0)
			_exit(2);
		failed_says(&desk, "a.json", "cannot be read by the adapter's account");
		_exit(0);
	}
	int status = 0;
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
	/* A folder that is not ours cannot even be moved: it stays, and the reason stands in failed. */
	if (geteuid() == 0) {
		CHECK(is_there(desk.in, "foreign"));
		CHECK(is_there(desk.failed, "foreign.error.txt"));
		CHECK_INT(entries(desk.failed), 3);
	}
}

static void full_outbox_waits(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "later");
	desk_open(&desk);
	desk.verdict = TAKE_LATER;
	write_text(desk.in, "a.json", "x");
	CHECK(!turn(&desk));
	CHECK(is_there(desk.work, "a.json"));
	write_text(desk.in, "b.json", "x");
	CHECK(!turn(&desk)); /* nothing more is claimed meanwhile */
	CHECK(is_there(desk.in, "b.json"));
	desk.verdict = TAKE_DONE;
	turns_until(&desk, 2);
	CHECK_INT(entries(desk.done), 2);
}

static void same_name_again_waits_its_turn(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "again");
	desk_open(&desk);
	desk.verdict = TAKE_LATER;
	write_text(desk.in, "a.json", "first");
	turn(&desk);
	write_text(desk.in, "a.json", "second");
	desk.verdict = TAKE_DONE;
	turns_until(&desk, 2);
	CHECK_STR(desk.taken[0].first, "first");
	CHECK_STR(desk.taken[1].first, "second");
	CHECK(strcmp(desk.taken[0].key, desk.taken[1].key) != 0);
	CHECK_INT(entries(desk.done), 2);
	write_text(desk.in, "a.json", "first");
	turns_until(&desk, 3);
	CHECK_STR(desk.taken[2].key, desk.taken[0].key); /* the outbox knows it */
	CHECK_INT(entries(desk.done), 3);
}

static void folder_may_be_replaced(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char moved[2 * PATH_SIZE];
	desk_init(&desk, "replaced");
	desk_open(&desk);
	turn(&desk);
	snprintf(moved, sizeof(moved), "%s/old", desk.dir);
	CHECK_INT(rename(desk.in, moved), 0);
	turn(&desk);
	CHECK_INT(mkdir(desk.in, 0700), 0);
	write_text(desk.in, "a.json", "x");
	write_text(moved, "b.json", "x");
	turns_until(&desk, 1);
	turn(&desk);
	CHECK_INT(desk.count, 1);
	CHECK_STR(desk.taken[0].name, "a.json");
}

static void impossible_folders_are_named(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char why[1024];
	desk_init(&desk, "impossible");
	desk.config.done = NULL;
	CHECK_INT(folder_in_open(&desk.config, &desk.folder, why, sizeof(why)), FOLDER_IN_INVALID);
	CHECK(strstr(why, "connector.done: missing"));
	desk.config.done = desk.in;
	CHECK_INT(folder_in_open(&desk.config, &desk.folder, why, sizeof(why)), FOLDER_IN_INVALID);
	CHECK(strstr(why, "connector.done: is the same folder as connector.in"));
	desk.config.done = "/proc/self/done";
	CHECK(folder_in_open(&desk.config, &desk.folder, why, sizeof(why)) < 0);
	CHECK(strstr(why, "connector.done: the folder is not there and cannot be made"));
	desk.config.done = "/dev/shm";
	struct stat here, there;
	if (stat(desk.dir, &here) == 0 && stat("/dev/shm", &there) == 0 &&
		here.st_dev != there.st_dev && access("/dev/shm", W_OK) == 0) {
		CHECK_INT(folder_in_open(&desk.config, &desk.folder, why, sizeof(why)),
			FOLDER_IN_INVALID);
		CHECK(strstr(why, "connector.done: is on another file system"));
	}
}

CHECK_MAIN(CHECK_CASE(files_are_taken_and_done), CHECK_CASE(case_folders_are_taken_whole),
	CHECK_CASE(order_of_arrival), CHECK_CASE(many_come_in_slices),
	CHECK_CASE(unfinished_names_are_left), CHECK_CASE(open_for_writing_is_left),
	CHECK_CASE(changing_files_have_to_rest), CHECK_CASE(notification_wakes),
	CHECK_CASE(bad_items_fail_in_words), CHECK_CASE(hostile_items_are_refused),
	CHECK_CASE(large_items_are_refused), CHECK_CASE(vanishing_items_are_forgotten),
	CHECK_CASE(unreadable_items_are_refused), CHECK_CASE(full_outbox_waits),
	CHECK_CASE(same_name_again_waits_its_turn), CHECK_CASE(folder_may_be_replaced),
	CHECK_CASE(impossible_folders_are_named))
