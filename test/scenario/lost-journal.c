/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The disk of the bus dies, and the newest backup is older than what agencies have receipts for. The operator decides
 * that the log goes on without the rest; and then everything that had a receipt is in the journal again, and reached
 * its recipient once.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/scenario/tools.h"
#include "test/scenario/town.h"

enum {
	BEFORE = 2,
	LOST = 3,
	OPEN = 1,
	AGAIN = 1,
	ALL = BEFORE + LOST + OPEN + AGAIN,
	PLAN_BYTES = 600000
};

static void write_application(const char *path, int number)
{
	char text[512];
	snprintf(text, sizeof(text),
		"{\"service\": \"alg2.application\", \"region\": \"051240000000\", "
		"\"reference\": "
		"\"P-%d\",\n"
		" \"applicant\": {\"given_name\": \"Erika\", \"family_name\": "
		"\"Mustermann\",\n"
		"  \"date_of_birth\": \"1964-08-12\"}, \"fields\": {\"rent\": \"480.00\"}}\n",
		number);
	put_text(path, text);
}

static void apply(const struct town *town, int number)
{
	char path[TOWN_PATH];
	path_to(town, path, "city/in/antrag-%d.json", number);
	write_application(path, number);
}

/* With a document that goes beside the message, as an attachment. */
static void apply_with_plan(const struct town *town, int number)
{
	_cleanup_(heap_free) uint8_t *plan = malloc(PLAN_BYTES);
	char folder[TOWN_PATH], path[TOWN_PATH];
	CHECK(plan);
	random_fill(plan, PLAN_BYTES);
	path_to(town, path, "plan-%d.pdf", number);
	put(path, BYTES(plan, PLAN_BYTES));
	path_to(town, folder, "city/in/.antrag-%d", number);
	CHECK_INT(dir_make(folder, 0755), 0);
	path_to(town, path, "city/in/.antrag-%d/application.json", number);
	write_application(path, number);
	path_to(town, path, "city/in/.antrag-%d/plan.pdf", number);
	put(path, BYTES(plan, PLAN_BYTES));
	path_to(town, path, "city/in/antrag-%d", number);
	CHECK_INT(rename(folder, path), 0);
}

static bool has_bytes(const char *path, const uint8_t *bytes, size_t len)
{
	_cleanup_(heap_free) uint8_t *found = NULL;
	size_t found_len;
	return file_read(path, len, &found, &found_len) == 0 && found_len == len &&
	       memcmp(found, bytes, len) == 0;
}

/* In the letter of one case. */
static void plan_is_there(const struct town *town, int number)
{
	_cleanup_(heap_free) uint8_t *plan = NULL;
	char out[TOWN_PATH], path[TOWN_PATH], name[256];
	size_t len, found = 0;
	path_to(town, path, "plan-%d.pdf", number);
	CHECK_INT(file_read(path, PLAN_BYTES, &plan, &len), 0);
	path_to(town, out, "jobcenter/out");
	DIR *dir = opendir(out);
	CHECK(dir);
	for (const struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		path_to(town, path, "jobcenter/out/%s", e->d_name);
		name_in(path, "-application", name);
		path_to(town, path, "jobcenter/out/%s/%s/plan.pdf", e->d_name, name);
		found += has_bytes(path, plan, len);
	}
	closedir(dir);
	CHECK_INT(found, 1);
}

static void receipts_are(const struct town *town, const char *suffix, size_t count)
{
	char folder[TOWN_PATH];
	path_to(town, folder, "city/receipts");
	size_t found = wait_for_files(folder, suffix, count, TOWN_WAIT_MS);
	if (found != count)
		CHECK_FAIL("%zu files %s, not %zu", found, suffix, count);
}

static void broker_run(struct town *town, const char *until, const char *epoch)
{
	char program[512], config[TOWN_PATH], log[TOWN_PATH];
	path_to(town, config, "broker.yaml");
	path_to(town, log, "logs/broker.log");
	const char *const argv[] = {
		program_path("broker/dienstweg-broker", program, sizeof(program)), "--config",
		config, "--demo", epoch ? "--new-epoch" : NULL, epoch, "--ground",
		"disk 3 died, order 7", NULL};
	long from = file_size(log);
	process_start(&town->bus.broker, log, argv);
	if (wait_for_line(log, until, from, TOWN_WAIT_MS) < 0)
		CHECK_FAIL("the broker's log does not say %s", until);
}

static void restore(const struct town *town, const char *backup)
{
	char journal[TOWN_PATH], lost[TOWN_PATH], files[TOWN_PATH], saved[TOWN_PATH];
	path_to(town, journal, "broker/journal");
	path_to(town, lost, "%s-lost", strrchr(backup, '/') + 1);
	CHECK_INT(rename(journal, lost), 0);
	CHECK_INT(rename(backup, journal), 0);
	/* The files of attachments lay on that disk, too; those of the backup are not all. */
	path_to(town, files, "broker/blobs");
	path_to(town, lost, "%s-lost-files", strrchr(backup, '/') + 1);
	path_to(town, saved, "broker/journal/blobs");
	CHECK_INT(rename(files, lost), 0);
	CHECK(rename(saved, files) == 0 || errno == ENOENT);
	free(tool_admin(&town->bus, 0, "audit", "rebuild", NULL));
}

/* Each is in the journal, under whatever number it has now, and was handed over once. */
static void nothing_is_missing(const struct town *town)
{
	char folder[TOWN_PATH], proof[TOWN_PATH];
	size_t count = 0;
	path_to(town, folder, "city/receipts");
	path_to(town, proof, "proof");
	DIR *dir = opendir(folder);
	CHECK(dir);
	for (const struct dirent *e; (e = readdir(dir));) {
		if (!strstr(e->d_name, ".recorded.json"))
			continue;
		json_t *recorded = json_at(folder, e->d_name);
		free(tool_admin(&town->bus, 0, "audit", "prove", text_of(recorded, "message"),
			"--out", proof, NULL));
		json_decref(recorded);
		count++;
	}
	closedir(dir);
	CHECK_INT(count, ALL);
}

/* A second hand-over would lie beside the first, in the folder of its case. */
static void each_came_once(const struct town *town)
{
	char folder[TOWN_PATH], letters[TOWN_PATH + 256];
	path_to(town, folder, "jobcenter/out");
	CHECK_INT(wait_for_files(folder, "", ALL, TOWN_WAIT_MS), ALL);
	DIR *dir = opendir(folder);
	CHECK(dir);
	for (const struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(letters, sizeof(letters), "%s/%s", folder, e->d_name);
		CHECK_INT(wait_for_files(letters, "-application", 1, TOWN_WAIT_MS), 1);
	}
	closedir(dir);
}

static void is_told(const struct town *town, const char *agency, int epoch)
{
	char path[TOWN_PATH];
	_cleanup_(heap_free) uint8_t *text = NULL;
	size_t len;
	path_to(town, path, "%s/state/epoch-%d.txt", agency, epoch);
	CHECK_INT(file_read(path, 1 << 16, &text, &len), 0);
	CHECK(memmem(text, len, "disk 3 died, order 7", 20));
	path_to(town, path, "logs/%s.log", agency);
	CHECK(wait_for_line(path, "ALARM: the bus's log lost entries", 0, TOWN_WAIT_MS) >= 0);
}

/* A party's share of the case of a receipt, proven under the newest origin; and how that compares with what its adapter
   has seen. */
static void case_opens(
	const struct town *town, const char *party, const char *receipt, const char *compared)
{
	char folder[TOWN_PATH];
	path_to(town, folder, "city/receipts");
	json_t *recorded = json_at(folder, receipt);
	tool_holds(tool_party(&town->bus, party, 0, "access", "--case", text_of(recorded, "case"),
			   NULL),
		"bus test.demo/2", "state: accepted", "signed by the log, 2 entries proven",
		compared, NULL);
	tool_holds(tool_party(&town->bus, party, 0, "access", "--case", text_of(recorded, "case"),
			   "--json", NULL),
		strstr(compared, "NOT") ? "\"compared\":false,\"why_not\":\"that is test.demo/0"
					: "\"compared\":true",
		NULL);
	json_decref(recorded);
}

/* The jobcenter is away over both. */
static void what_had_a_receipt_is_there_again(void)
{
	struct town town;
	char backups[2][TOWN_PATH], log[TOWN_PATH], receipts[TOWN_PATH], before[256], any[256];
	town_init(&town);
	path_to(&town, backups[0], "backup");
	path_to(&town, backups[1], "backup-of-epoch-1");
	path_to(&town, log, "logs/city.log");
	town_start(&town);
	for (int i = 1; i <= BEFORE; i++)
		apply(&town, i);
	receipts_are(&town, ".ended.json", BEFORE);
	path_to(&town, receipts, "city/receipts");
	name_in(receipts, ".recorded.json", before);
	free(tool_admin(&town.bus, 0, "backup", backups[0], NULL));
	for (int i = BEFORE + 1; i < BEFORE + LOST; i++)
		apply(&town, i);
	apply_with_plan(&town, BEFORE + LOST);
	receipts_are(&town, ".ended.json", BEFORE + LOST);
	CHECK_INT(process_end(&town.jobcenter, SIGTERM), 0);
	CHECK_INT(process_end(&town.city, SIGTERM), 0);
	adapter_start(&town, &town.city, "city");
	/* A restart: from here on the mark beside the keyring is beyond the backup, however little time went by. */
	CHECK_INT(bus_end(&town.bus, SIGTERM), 0);
	bus_start(&town.bus);
	apply_with_plan(&town, ALL - AGAIN);
	receipts_are(&town, ".recorded.json", ALL - AGAIN);
	CHECK_INT(bus_end(&town.bus, SIGKILL), 128 + SIGKILL);
	restore(&town, backups[0]);

	/* Nobody decides for the operator. */
	broker_run(&town, "HOLD: this journal is older than what was signed", NULL);
	CHECK_INT(bus_end(&town.bus, SIGTERM), 0);
	broker_run(&town, "\"serving\"", "1");
	CHECK(wait_for_line(log, "all that the bus may have lost is on its way", 0, TOWN_WAIT_MS) >=
		0);

	/* And the new disk dies, too. */
	free(tool_admin(&town.bus, 0, "backup", backups[1], NULL));
	long from = file_size(log);
	apply(&town, ALL);
	receipts_are(&town, ".recorded.json", ALL);
	CHECK_INT(bus_end(&town.bus, SIGTERM), 0);
	restore(&town, backups[1]);
	broker_run(&town, "\"serving\"", "2");
	CHECK(wait_for_line(log, "all that the bus may have lost is on its way", from,
		      TOWN_WAIT_MS) >= 0);
	case_opens(&town, "jobcenter", before,
		"NOT COMPARED with the log that the adapter has seen: that is test.demo/0, the log "
		"goes on as test.demo/2");
	adapter_start(&town, &town.jobcenter, "jobcenter");
	receipts_are(&town, ".ended.json", ALL);
	nothing_is_missing(&town);
	each_came_once(&town);
	plan_is_there(&town, BEFORE + LOST);
	plan_is_there(&town, ALL - AGAIN);
	is_told(&town, "city", 1);
	is_told(&town, "city", 2);
	is_told(&town, "jobcenter", 2);
	name_in(receipts, ".recorded.json", any);
	case_opens(&town, "city", any, "of the log that the adapter has seen: test.demo/2");
	tool_holds(tool_admin(&town.bus, 0, "status", NULL), "EPOCH        test.demo/2", NULL);
	tool_holds(tool_admin(&town.bus, 0, "audit", "list", "--kind", "continues", NULL),
		"disk 3 died, order 7", "disk 3 died, order 7", NULL);
	tool_holds(tool_admin(&town.bus, 0, "audit", "verify", NULL), "EPOCH        1 began",
		"2 began", "No findings", NULL);
	tool_holds(tool_admin(&town.bus, 0, "audit", "replay", NULL), "No differences", NULL);
	town_deinit(&town);
}

CHECK_MAIN(CHECK_CASE(what_had_a_receipt_is_there_again))
