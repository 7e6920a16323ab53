/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The case system is the hardest one there is: it takes a folder away the moment it sees it, so that an
 * adapter which forgot in a crash what it had put there would put it there again. Its folders lie in
 * memory: they are synced ten times a message, which is right and would leave the broker idle; and
 * to a process that is killed memory and disk are the same.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/identity/uuid.h"
#include "test/fault/recipient.h"
#include "test/kit/check.h"

enum { MESSAGE_MAX = 1 << 16, PATH_SIZE = 1024 };

struct office {
	const struct bus *bus;
	struct process adapter;
	struct handed_over all;
};

static DIR *folder_open(const char *path)
{
	DIR *dir = opendir(path);

	CHECK(dir);
	return dir;
}

static void file_remove(const char *folder, const char *name)
{
	char path[PATH_SIZE];

	CHECK_INT(path_join(path, sizeof(path), folder, name), 0);
	CHECK_INT(unlink(path), 0);
}

/* The id that stands in message.json. */
static void message_read(const char *folder, uint8_t id[UUID_SIZE])
{
	static const char before[] = "\"message\": \"";
	char path[PATH_SIZE], text[UUID_TEXT_SIZE] = "";
	uint8_t *data;
	size_t len;

	CHECK_INT(path_join(path, sizeof(path), folder, "message.json"), 0);
	CHECK_INT(file_read(path, MESSAGE_MAX, &data, &len), 0);
	const char *found = strstr((const char *)data, before);
	CHECK(found);
	snprintf(text, sizeof(text), "%.*s", UUID_TEXT_SIZE - 1, found + sizeof(before) - 1);
	CHECK_INT(uuid_parse(text, id), 0);
	free(data);
}

/* One message: everything in it is whole, and then it is gone. */
static void letter_take(struct office *office, const char *folder)
{
	uint8_t id[UUID_SIZE];

	message_read(folder, id);
	handed_over_add(&office->all, id);
	file_remove(folder, "document.xml");
	file_remove(folder, "message.json");
	CHECK_INT(rmdir(folder), 0);
}

static void case_take(struct office *office, const char *folder)
{
	char path[PATH_SIZE];
	DIR *dir = folder_open(folder);

	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		CHECK_INT(path_join(path, sizeof(path), folder, e->d_name), 0);
		letter_take(office, path);
	}
	closedir(dir);
	/* Not empty again: the next message of the case came. Then it is there for the next look. */
	CHECK(rmdir(folder) == 0 || errno == ENOTEMPTY);
}

static void office_look(void *context)
{
	struct office *office = context;
	const char *out = bus_path(office->bus, "jobcenter/out");
	char path[PATH_SIZE];
	DIR *dir = folder_open(out);

	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		CHECK_INT(path_join(path, sizeof(path), out, e->d_name), 0);
		case_take(office, path);
	}
	closedir(dir);
}

static void office_start(void *context)
{
	struct office *office = context;
	char program[512], config[512];
	const char *const argv[] = {
		program_path("adapters/jobcenter/dienstweg-jobcenter", program, sizeof(program)),
		"--config", config, "--demo", NULL};

	snprintf(config, sizeof(config), "%s", bus_path(office->bus, "jobcenter.yaml"));
	process_start(&office->adapter, bus_path(office->bus, "logs/jobcenter.log"), argv);
}

static void office_kill(void *context)
{
	struct office *office = context;

	CHECK_INT(process_end(&office->adapter, SIGKILL), 128 + SIGKILL);
}

/* It saw nothing to be alarmed about, and ends as it is told. */
static void office_stop(void *context)
{
	struct office *office = context;

	CHECK_INT(process_end(&office->adapter, SIGTERM), 0);
	CHECK(access(bus_path(office->bus, "jobcenter/state/ALARM"), F_OK) != 0);
	office_look(office);
}

struct office *office_new(const struct bus *bus, struct recipient *ret)
{
	struct office *office = calloc(1, sizeof(*office));
	char home[PATH_SIZE];

	CHECK(office);
	office->bus = bus;
	CHECK_INT(path_join(home, sizeof(home), check_memdir(), "jobcenter"), 0);
	CHECK_INT(dir_make(home, 0700), 0);
	CHECK_INT(symlink(home, bus_path(bus, "jobcenter")), 0);
	bus_adapter_write(bus, "jobcenter", bus->endpoint);
	*ret = (struct recipient){.content_type = "application/xml",
		.start = office_start,
		.kill = office_kill,
		.look = office_look,
		.stop = office_stop,
		.context = office};
	return office;
}

void office_free(struct office *office, struct handed_over *ret)
{
	*ret = office->all;
	free(office);
}
