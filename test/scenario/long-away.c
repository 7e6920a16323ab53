/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two agencies are away, for so long that what they last saw was erased and then pruned. They come back: one while the
 * archive is where it was, the other while it is not. Neither raises an alarm, both catch up, what they kept still
 * proves, and of what is gone everybody is told that it is.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>

#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"
#include "test/scenario/town.h"

enum { LOOKS_MAX = 500, BEFORE = 64, EARLY_LETTERS = 16, LATE_LETTERS = 18 };

static const uint8_t filler_id[16] = {0xf1, 0x11}, kept_id[16] = {0x4e, 0x97};
static const char filler_text[] = "f1110000000000000000000000000000";
static const char kept_text[] = "4e970000000000000000000000000000";

static void apply(const struct town *town, int number)
{
	char path[TOWN_PATH], text[512];
	path_to(town, path, "city/in/antrag-%d.json", number);
	snprintf(text, sizeof(text),
		"{\"service\": \"alg2.application\", \"region\": \"051240000000\", "
		"\"reference\": \"P-%d\",\n"
		" \"applicant\": {\"given_name\": \"Erika\", \"family_name\": \"Mustermann\",\n"
		"  \"date_of_birth\": \"1964-08-12\"}, \"fields\": {\"rent\": \"480.00\"}}\n",
		number);
	put_text(path, text);
}

static void ended(const struct town *town, size_t count)
{
	char folder[TOWN_PATH];
	path_to(town, folder, "city/receipts");
	CHECK_INT(wait_for_files(folder, ".ended.json", count, TOWN_WAIT_MS), count);
}

/* Something happens between these two meanwhile; @id: its case. */
static void others_write(const struct town *town, const uint8_t *id, size_t count)
{
	struct party city, jobcenter;
	party_init(&city, &town->bus, "city");
	party_init(&jobcenter, &town->bus, "jobcenter");
	party_connect(&city, NULL);
	jobcenter.manual = true;
	party_connect(&jobcenter, NULL);
	for (size_t i = 1; i <= count; i++) {
		struct party_draft letter = {
			.region = "051240000000", .body = BYTES_STR("a letter"), .case_id = id};
		CHECK_INT(party_send(&city, &letter)->kind, ANSWER_RECEIPT);
		party_until(&jobcenter, jobcenter.deliveries_count == i, TOWN_WAIT_MS);
		party_acknowledge(&jobcenter, i - 1, 1, NULL);
		party_until(&city, city.outcomes_count == i, TOWN_WAIT_MS);
		party_confirm(&city, city.outcomes[i - 1].entry);
	}
	party_deinit(&city);
	party_deinit(&jobcenter);
}

static void both_go_away(struct town *town)
{
	CHECK_INT(process_end(&town->city, SIGTERM), 0);
	CHECK_INT(process_end(&town->jobcenter, SIGTERM), 0);
}

static void erase(const struct town *town, const char *id)
{
	char order[TOWN_PATH];
	path_to(town, order, "instruction");
	put_text(order, "erase it");
	free(tool_admin(&town->bus, 0, "erase", "--case", id, "--instruction", order, NULL));
}

static void wait_for_run(const struct town *town)
{
	for (int look = 0; look < LOOKS_MAX; look++) {
		char *output = tool_admin(&town->bus, 0, "status", "--json", NULL);
		bool over = strstr(output, "\"finished_ms\"") &&
			    strstr(output, "\"phase\":\"none\"");
		free(output);
		if (over)
			return;
	}
	CHECK_FAIL("the run did not end");
}

/* Of the message that the city sent under this name: case, number, and its receipt, which it kept. */
struct kept {
	char id[64], message[64], receipt[TOWN_PATH];
	long long sequence;
};

static void take_newer(
	const struct town *town, const char *folder, const char *name, struct kept *kept)
{
	json_t *recorded = json_at(folder, name);
	long long sequence = json_integer_value(json_object_get(recorded, "sequence"));
	if (sequence > kept->sequence) {
		kept->sequence = sequence;
		snprintf(kept->id, sizeof(kept->id), "%s", text_of(recorded, "case"));
		snprintf(kept->message, sizeof(kept->message), "%s", text_of(recorded, "message"));
		path_to(town, kept->receipt, "city/receipts/%.*s.receipt",
			(int)(strlen(name) - strlen(".recorded.json")), name);
	}
	json_decref(recorded);
}

/* The newest of all. */
static struct kept newest_kept(const struct town *town)
{
	struct kept kept = {};
	char folder[TOWN_PATH];
	path_to(town, folder, "city/receipts");
	DIR *dir = opendir(folder);
	CHECK(dir);
	for (const struct dirent *e; (e = readdir(dir));)
		if (strstr(e->d_name, ".recorded.json"))
			take_newer(town, folder, e->d_name, &kept);
	closedir(dir);
	return kept;
}

static void proves(const struct town *town, const char *receipt)
{
	char program[512], registry[TOWN_PATH], policy[TOWN_PATH], *output = NULL;
	path_to(town, registry, "registry.signed");
	path_to(town, policy, "policy");
	const char *const check[] = {
		program_path("broker/dienstweg-admin", program, sizeof(program)), "audit", "check",
		receipt, "--policy", policy, "--registry", registry, NULL};
	int code = process_run(check, &output, TOOL_MS);
	if (code != 0)
		CHECK_FAIL("%s does not prove: %s", receipt, output);
	free(output);
}

static void prune(struct town *town, const char *archive)
{
	free(tool_admin(&town->bus, 0, "audit", "export", archive, NULL));
	CHECK_INT(bus_end(&town->bus, SIGTERM), 0);
	tool_holds(tool_admin(&town->bus, 0, "audit", "prune", "--before", "64", "--archive",
			   archive, NULL),
		"Entries before 64", NULL);
	bus_start(&town->bus);
}

/* The city's evidence, its share of the cases, and the operator's word on what is gone. */
static void what_is_left_is_told(
	const struct town *town, const struct kept *gone, const char *archive)
{
	char proof[TOWN_PATH], header[TOWN_PATH], number[32];
	path_to(town, proof, "proof");
	path_to(town, header, "header");
	snprintf(number, sizeof(number), "%lld", gone->sequence);
	proves(town, gone->receipt);
	free(tool_party(&town->bus, "city", 0, "evidence", "--message", gone->message, "--out",
		proof, "--header", header, NULL));
	proves(town, proof);
	tool_holds(tool_party(&town->bus, "city", 0, "access", "--case", kept_text, NULL),
		"state: accepted", "signed by the log, 2 entries proven", NULL);
	tool_holds(tool_admin(&town->bus, 0, "case", "show", kept_text, NULL), "recorded", NULL);
	tool_holds(tool_party(&town->bus, "city", 1, "access", "--case", gone->id, NULL),
		"unknown-case", "records are erased on their day", NULL);
	tool_holds(tool_admin(&town->bus, 1, "audit", "prove", number, "--out", proof, NULL),
		"the archive has it", NULL);
	free(tool_admin(&town->bus, 0, "audit", "prove", number, "--archive", archive, "--out",
		proof, NULL));
	proves(town, proof);
}

static void no_alarm(const struct town *town, const char *agency)
{
	_cleanup_(heap_free) uint8_t *text = NULL;
	char path[TOWN_PATH];
	size_t len;
	path_to(town, path, "logs/%s.log", agency);
	CHECK_INT(file_read(path, 1 << 22, &text, &len), 0);
	CHECK(!memmem(text, len, "ALARM", 5));
}

static void they_come_back(void)
{
	struct town town;
	char archive[TOWN_PATH], elsewhere[TOWN_PATH], log[TOWN_PATH];
	town_init(&town);
	path_to(&town, archive, "archive");
	path_to(&town, elsewhere, "elsewhere");
	path_to(&town, log, "logs/jobcenter.log");
	bus_start(&town.bus);
	others_write(&town, filler_id, EARLY_LETTERS);
	adapter_start(&town, &town.city, "city");
	adapter_start(&town, &town.jobcenter, "jobcenter");
	apply(&town, 1);
	ended(&town, 1);
	both_go_away(&town);
	struct kept gone = newest_kept(&town);
	CHECK(gone.sequence >= BEFORE / 2 && gone.sequence < BEFORE - 4);

	others_write(&town, filler_id, LATE_LETTERS);
	others_write(&town, kept_id, 1);
	erase(&town, filler_text);
	erase(&town, gone.id);
	free(tool_admin(&town.bus, 0, "erase", "--now", "--reason", "court-order", NULL));
	wait_for_run(&town);
	prune(&town, archive);

	/* The proof that the log only grew is made of the archive. */
	adapter_start(&town, &town.city, "city");
	apply(&town, 2);
	what_is_left_is_told(&town, &gone, archive);
	no_alarm(&town, "city");

	/* Without it no session is opened, and the reason is told; once it is back, it goes on by itself. */
	CHECK_INT(rename(archive, elsewhere), 0);
	adapter_start(&town, &town.jobcenter, "jobcenter");
	CHECK(wait_for_line(log, "\"pruned\"", 0, TOWN_WAIT_MS) >= 0);
	CHECK_INT(rename(elsewhere, archive), 0);
	ended(&town, 2);
	no_alarm(&town, "jobcenter");
	struct kept later = newest_kept(&town);
	proves(&town, later.receipt);
	tool_holds(tool_party(&town.bus, "city", 0, "access", "--case", later.id, NULL),
		"signed by the log, 2 entries proven", NULL);
	tool_holds(tool_admin(&town.bus, 0, "audit", "verify", NULL), "the entries before 64",
		"No findings", NULL);
	tool_holds(tool_admin(&town.bus, 0, "audit", "replay", NULL), "No differences", NULL);
	town_deinit(&town);
}

CHECK_MAIN(CHECK_CASE(they_come_back))
