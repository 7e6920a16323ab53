/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Configurations that cannot work must be named in the log before any file is touched. What the connector
 * does when it works is told by test/scenario/agencies.c, with the bus behind it.
 */
#include "adapters/connectors/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/registry/fixture.h"
#include "test/kit/check.h"

enum { PATH_SIZE = 600 };

struct desk {
	char dir[400];
	char paths[7][PATH_SIZE];
	struct config_setting settings[2];
	struct config_adapter config;
	struct folder_agency agency;
};

static void desk_init(struct desk *desk)
{
	static const char *const names[] = {
		"in", "work", "out", "done", "failed", "receipts", "state"};
	*desk = (struct desk){};
	snprintf(desk->dir, sizeof(desk->dir), "%s", check_subdir());
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		snprintf(desk->paths[i], PATH_SIZE, "%s/%s", desk->dir, names[i]);
	desk->config = (struct config_adapter){.party = "city",
		.state = desk->paths[6],
		.flight = {.credit_messages = 1024},
		.connector = {.kind = "folder",
			.in = desk->paths[0],
			.work = desk->paths[1],
			.out = desk->paths[2],
			.done = desk->paths[3],
			.failed = desk->paths[4],
			.receipts = desk->paths[5],
			.poll_ms = 1000,
			.file_bytes_max = 1 << 20,
			.settings = desk->settings}};
	CHECK_INT(dir_make(desk->paths[6], 0700), 0);
}

static int open_it(struct desk *desk)
{
	void *context = NULL;
	int r = folder_open_agency(NULL, &desk->config, &desk->agency, &context);
	if (r == 0)
		folder_close(context);
	return r;
}

/* By --check, and at start; then the reason stands in the log. */
static void refused(struct desk *desk, const char *expected)
{
	char path[PATH_SIZE], why[1024] = "";
	CHECK(folder_check_agency(&desk->config, NULL, why, sizeof(why)) > 0);
	CHECK(strncmp(why, "connector.", 10) == 0);
	_cleanup_(heap_free) uint8_t *text = NULL;
	size_t len = 0;
	snprintf(path, sizeof(path), "%s/log", desk->dir);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	log_init("test", LOG_INFO, fd);
	CHECK_INT(open_it(desk), -EINVAL);
	log_init("test", LOG_INFO, 2);
	CHECK_INT(close(fd), 0);
	CHECK_INT(file_read(path, 10000, &text, &len), 0);
	if (!strstr((char *)text, expected))
		CHECK_FAIL("\"%s\" does not say \"%s\"", (char *)text, expected);
}

/* Knows the party waterworks and the service xwasser.receipt. */
static struct registry *make_registry(void)
{
	struct registry_fixture *fixture = registry_fixture_new("test.demo");
	registry_fixture_party(fixture, "waterworks", NULL);
	registry_fixture_service(fixture, "xwasser.receipt");
	struct registry *registry = registry_fixture_load(fixture, 1, NULL);
	registry_fixture_free(fixture);
	return registry;
}

static void settings_name_what_the_registry_knows(void)
{
	_cleanup_(registry_unref) struct registry *registry = make_registry();
	char why[1024];
	struct desk desk;
	desk_init(&desk);
	desk.config.connector.settings_count = 1;
	desk.settings[0] = (struct config_setting){"region.fax", "051240000000"};
	CHECK(folder_check_agency(&desk.config, registry, why, sizeof(why)) > 0);
	CHECK(strstr(why, "\"region.fax\" names no service of the registry"));
	desk.settings[0] = (struct config_setting){"recipient.xwasser.receipt", "waterwork"};
	CHECK(folder_check_agency(&desk.config, registry, why, sizeof(why)) > 0);
	CHECK(strstr(why, "is no party of the registry"));
}

static void check_wants_one_disk(void)
{
	char why[1024];
	struct desk desk;
	desk_init(&desk);
	desk.config.connector.done = "/proc/not-made-yet/done";
	CHECK(folder_check_agency(&desk.config, NULL, why, sizeof(why)) > 0);
	CHECK(strstr(why, "connector.done: is on another file system than connector.in"));
}

static void good_configuration_opens(void)
{
	_cleanup_(registry_unref) struct registry *registry = make_registry();
	char why[1024];
	struct desk desk;
	struct stat st;
	desk_init(&desk);
	desk.settings[0] = (struct config_setting){"region", "051240000000"};
	desk.settings[1] = (struct config_setting){"recipient.xwasser.receipt", "waterworks"};
	desk.config.connector.settings_count = 2;
	CHECK_INT(folder_check_agency(&desk.config, registry, why, sizeof(why)), 0);
	CHECK_INT(access(desk.paths[0], F_OK), -1); /* a check makes nothing */
	CHECK_INT(open_it(&desk), 0);
	for (size_t i = 0; i < 5; i++)
		CHECK(stat(desk.paths[i], &st) == 0 && (st.st_mode & 0777) == 0700);
	CHECK_INT(open_it(&desk), 0);
	folder_close(NULL);
}

static void settings_are_checked(void)
{
	static const struct {
		struct config_setting setting;
		const char *why;
	} mistakes[] = {
		{{"regoin", "05"}, "\\\"regoin\\\" is unknown; known are region"},
		{{"recipient", "city"}, "is unknown"},
		{{"recipient.", "city"}, "is unknown"},
		{{"region.UPPER", "05"}, "is unknown"},
		{{"region", "Wuppertal"}, "the value of \\\"region\\\" is no region key"},
		{{"region.a", "5"}, "is no region key"},
		{{"recipient.a", "The City"}, "the value of \\\"recipient.a\\\" is no party name"},
	};
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct desk desk;
		desk_init(&desk);
		desk.settings[0] = mistakes[i].setting;
		desk.config.connector.settings_count = 1;
		refused(&desk, mistakes[i].why);
		CHECK_INT(access(desk.paths[0], F_OK), -1); /* nothing was made yet */
	}
}

static void kind_is_checked(void)
{
	struct desk desk;
	desk_init(&desk);
	desk.config.connector.kind = "none";
	refused(&desk, "connector.kind: must be folder");
}

static void folders_are_distinct(void)
{
	struct desk desk;
	desk_init(&desk);
	CHECK_INT(dir_make(desk.paths[2], 0700), 0);
	CHECK_INT(symlink(desk.paths[2], desk.paths[0]), 0);
	refused(&desk, "connector.out: is the same folder as connector.in");
	CHECK_INT(unlink(desk.paths[0]), 0);
	desk.config.connector.documents = desk.paths[2];
	refused(&desk, "connector.documents: is the same folder as connector.out");
	desk.config.connector.documents = NULL;
	desk.config.connector.out = NULL;
	refused(&desk, "connector.out: missing");
}

static void check_names_unusable_folders(void)
{
	char why[1024], nowhere[PATH_SIZE + 8], file[PATH_SIZE];
	struct desk desk;
	desk_init(&desk);
	snprintf(nowhere, sizeof(nowhere), "%s/no/in", desk.dir);
	desk.config.connector.in = nowhere;
	CHECK(folder_check_agency(&desk.config, NULL, why, sizeof(why)) > 0);
	CHECK(strstr(why, "connector.in: ") && strstr(why, "/no: "));
	desk.config.connector.in = desk.paths[0];
	snprintf(file, sizeof(file), "%s", desk.paths[1]);
	CHECK_INT(file_replace(file, BYTES_STR("x"), 0600), 0);
	desk.config.connector.out = file;
	CHECK(folder_check_agency(&desk.config, NULL, why, sizeof(why)) > 0);
	CHECK(strstr(why, "connector.out: ") && strstr(why, "is no folder"));
	desk.config.connector.out = NULL;
	CHECK(folder_check_agency(&desk.config, NULL, why, sizeof(why)) > 0);
	CHECK(strstr(why, "connector.out: missing"));
}

CHECK_MAIN(CHECK_CASE(good_configuration_opens), CHECK_CASE(settings_are_checked),
	CHECK_CASE(check_names_unusable_folders), CHECK_CASE(kind_is_checked),
	CHECK_CASE(folders_are_distinct), CHECK_CASE(settings_name_what_the_registry_knows),
	CHECK_CASE(check_wants_one_disk))
