/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a portal may find to put into a folder, through the real adapter: nothing of it may be sent by
 * mistake, hurt the adapter, or hold up the application beside it; and whoever put it there finds the
 * reason beside it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/usage.h"
#include "test/scenario/town.h"

enum {
	LAUGHS = 30,
	DEPTH = 80000,
	PIECES = 40,
	PIECE_NS = 20000000, /* between two of a slow writer, well below the 50 ms that a file has to rest */
	VANISHING = 200,
	MEMORY_SLACK = (32 << 20) + USAGE_SANITIZER_BYTES,
};

static const char application[] =
	"{\"service\": \"alg2.application\", \"region\": \"051240000000\", \"applicant\":"
	" {\"given_name\": \"Erika\", \"family_name\": \"Mustermann\"}, \"fields\": {\"n\": %d}}\n";

struct desk {
	struct town town;
	size_t sent;     /* honest applications */
	size_t mistakes; /* each with an error file */
	uint64_t memory; /* of the city's adapter */
};

static void desk_open(struct desk *desk)
{
	desk->sent = desk->mistakes = 0;
	town_init(&desk->town);
	town_start(&desk->town);
}

/* The next honest application arrives, and nothing but honest ones. */
static void undisturbed(struct desk *desk)
{
	char path[TOWN_PATH], text[1000];

	snprintf(text, sizeof(text), application, (int)desk->sent);
	path_to(&desk->town, path, "city/in/good-%zu.json", desk->sent++);
	put_text(path, text);
	path_to(&desk->town, path, "jobcenter/out");
	CHECK_INT(wait_for_files(path, "", desk->sent, TOWN_WAIT_MS), desk->sent);
	uint64_t memory = usage_anonymous_bytes(desk->town.city.pid);
	desk->memory = desk->memory ? desk->memory : memory;
	if (memory > desk->memory + MEMORY_SLACK)
		CHECK_FAIL("the city's adapter grew from %llu to %llu KiB",
			(unsigned long long)desk->memory >> 10, (unsigned long long)memory >> 10);
}

static void failed_says(struct desk *desk, const char *name, const char *why)
{
	_cleanup_(heap_free) uint8_t *text = NULL;
	char path[TOWN_PATH];
	size_t len;

	path_to(&desk->town, path, "city/failed");
	desk->mistakes++;
	CHECK_INT(wait_for_files(path, ".error.txt", desk->mistakes, TOWN_WAIT_MS), desk->mistakes);
	path_to(&desk->town, path, "city/failed/%s.error.txt", name);
	CHECK_INT(file_read(path, 10000, &text, &len), 0);
	if (!strstr((char *)text, why))
		CHECK_FAIL("%s: \"%s\" does not say \"%s\"", name, (char *)text, why);
}

static void mistake(struct desk *desk, const char *name, struct bytes data, const char *why)
{
	char path[TOWN_PATH];

	path_to(&desk->town, path, "city/in/%s", name);
	put(path, data);
	failed_says(desk, name, why);
	undisturbed(desk);
}

/* ---- XML ---- */

static char *repeated(const char *before, const char *text, size_t count, const char *after)
{
	size_t len = strlen(text), at = strlen(before);
	char *buf = malloc(at + count * len + strlen(after) + 1);

	CHECK(buf);
	memcpy(buf, before, at);
	for (size_t i = 0; i < count; i++, at += len)
		memcpy(buf + at, text, len);
	memcpy(buf + at, after, strlen(after) + 1);
	return buf;
}

static void documents_that_explode(void)
{
	struct desk desk = {0};
	char laughs[4000];
	size_t used = (size_t)snprintf(laughs, sizeof(laughs), "<!DOCTYPE a [<!ENTITY l0 'ha'>");

	for (int i = 1; i < LAUGHS; i++)
		used += (size_t)snprintf(laughs + used, sizeof(laughs) - used,
			"<!ENTITY l%d '&l%d;&l%d;&l%d;&l%d;'>", i, i - 1, i - 1, i - 1, i - 1);
	snprintf(laughs + used, sizeof(laughs) - used, "]><a>&l%d;</a>", LAUGHS - 1);
	_cleanup_(heap_free) char *deep = repeated("", "<a>", DEPTH, "");
	_cleanup_(heap_free) char *attributes = repeated("<a", " b='1'", DEPTH, "/>");
	_cleanup_(heap_free) char *brackets = repeated("", "[", DEPTH, "");

	desk_open(&desk);
	undisturbed(&desk);
	mistake(&desk, "laughs.xml", BYTES_STR(laughs), "has a DOCTYPE");
	mistake(&desk, "outside.xml",
		BYTES_STR("<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a/>"), "has a DOCTYPE");
	mistake(&desk, "deep.xml", BYTES_STR(deep), "nested deeper");
	mistake(&desk, "wide.xml", BYTES_STR(attributes), "is not well-formed");
	mistake(&desk, "deep.json", BYTES_STR(brackets), "line 1");
	mistake(&desk, "zeros.xml", BYTES(NULL, 0), "is empty");
	mistake(&desk, "half.xml", BYTES_STR("<a><nachrichtenkopf>"), "is not well-formed");
	town_deinit(&desk.town);
}

/* ---- things that are no files ---- */

static void socket_put(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) <
		sizeof(address.sun_path));
	CHECK(fd >= 0);
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void things_that_are_no_files(void)
{
	struct desk desk = {0};
	char path[TOWN_PATH];

	desk_open(&desk);
	undisturbed(&desk);
	path_to(&desk.town, path, "city/in/passwords.json");
	CHECK_INT(symlink("/etc/passwd", path), 0);
	failed_says(&desk, "passwords.json", "is a symbolic link");
	path_to(&desk.town, path, "city/in/pipe.json");
	CHECK_INT(mkfifo(path, 0600), 0); /* whoever opens it waits for ever */
	failed_says(&desk, "pipe.json", "is no regular file");
	path_to(&desk.town, path, "city/in/socket.json");
	socket_put(path);
	failed_says(&desk, "socket.json", "is no regular file");
	path_to(&desk.town, path, "city/in/folder");
	CHECK_INT(mkdir(path, 0700), 0);
	failed_says(&desk, "folder", "the case folder is empty");
	undisturbed(&desk);
	town_deinit(&desk.town);
}

/* ---- files in time ---- */

/* In place and in pieces, as old systems write: it is taken whole or not at all. */
static void a_file_still_being_written(void)
{
	struct desk desk = {0};
	char path[TOWN_PATH], done[TOWN_PATH], text[1000];
	struct itimerspec pace = {.it_interval.tv_nsec = PIECE_NS, .it_value.tv_nsec = PIECE_NS};
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t ticks;

	desk_open(&desk);
	undisturbed(&desk);
	snprintf(text, sizeof(text), application, 4711);
	path_to(&desk.town, path, "city/in/slow.json");
	path_to(&desk.town, done, "city/done/slow.json");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && timer >= 0 && timerfd_settime(timer, 0, &pace, NULL) == 0);
	for (size_t i = 0, len = strlen(text); i < PIECES; i++) {
		size_t from = len * i / PIECES, to = len * (i + 1) / PIECES;
		CHECK_INT(write(fd, text + from, to - from), to - from);
		CHECK_INT(read(timer, &ticks, sizeof(ticks)), sizeof(ticks));
		CHECK(access(path, F_OK) == 0);
	}
	close(timer);
	close(fd);
	desk.sent++;
	path_to(&desk.town, path, "jobcenter/out");
	CHECK_INT(wait_for_files(path, "", desk.sent, TOWN_WAIT_MS), desk.sent);
	path_to(&desk.town, path, "city/failed");
	CHECK_INT(wait_for_files(path, "", 1, 200), 0);
	CHECK_INT(file_size(done), (long)strlen(text));
	town_deinit(&desk.town);
}

/* There and gone again: nothing is sent, nothing is complained about. */
static void files_that_vanish(void)
{
	struct desk desk = {0};
	char path[TOWN_PATH];

	desk_open(&desk);
	undisturbed(&desk);
	for (int i = 0; i < VANISHING; i++) {
		path_to(&desk.town, path, "city/in/ghost-%d.json", i);
		put_text(path, application);
		CHECK(unlink(path) == 0);
	}
	undisturbed(&desk);
	path_to(&desk.town, path, "city/failed");
	CHECK_INT(wait_for_files(path, "", 1, 200), 0);
	path_to(&desk.town, path, "city/done");
	CHECK_INT(wait_for_files(path, ".json", desk.sent, TOWN_WAIT_MS), desk.sent);
	town_deinit(&desk.town);
}

/* ---- names ---- */

static void names_are_only_names(void)
{
	char longest[256];
	const char *const names[] = {"-rf.json", "a b;rm -rf $HOME`id`.json", "\xff\xfe\x01.json",
		"new\nline.json", "..json", longest};
	struct desk desk = {0};
	char path[TOWN_PATH], text[1000];

	memset(longest, 'x', sizeof(longest));
	memcpy(longest + 250, ".json", 6);
	desk_open(&desk);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bool hidden = names[i][0] == '.';
		snprintf(text, sizeof(text), application, (int)i);
		path_to(&desk.town, path, "city/in/%s", names[i]);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		CHECK(fd >= 0);
		CHECK_INT(write(fd, text, strlen(text)), strlen(text));
		close(fd);
		desk.sent += !hidden; /* those that begin with a dot are left alone */
	}
	path_to(&desk.town, path, "jobcenter/out");
	CHECK_INT(wait_for_files(path, "", desk.sent, TOWN_WAIT_MS), desk.sent);
	undisturbed(&desk);
	town_deinit(&desk.town);
}

CHECK_MAIN(CHECK_CASE(documents_that_explode), CHECK_CASE(things_that_are_no_files),
	CHECK_CASE(a_file_still_being_written), CHECK_CASE(files_that_vanish),
	CHECK_CASE(names_are_only_names))
