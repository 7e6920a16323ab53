/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a data protection officer may ask of an operator: keep this case, let that one go now, show what is due.
 * On a bus that runs, with the programs as people start them. Afterwards it is provable what happened, and
 * the case is nowhere any more.
 */
#include <signal.h>
#include <stdarg.h>

#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/party.h"

enum { TOOL_MS = 30000, WORDS_MAX = 16, LOOKS_MAX = 500, LETTERS = 53, STAYS = 33 };

static const uint8_t case_id[16] = {0xca, 0x5e, 0x1d};
static const char case_text[] = "ca5e1d00000000000000000000000000";

/* Run dienstweg-admin with the words given and the bus's configuration; keep what it printed. */
static char *admin(const struct bus *bus, int expected, const char *first, ...)
{
	char program[512], *output = NULL;
	const char *argv[WORDS_MAX + 4] = {
		program_path("broker/dienstweg-admin", program, sizeof(program)), first};
	size_t count = 2;
	va_list args;
	va_start(args, first);
	for (const char *word; (word = va_arg(args, const char *)) != NULL;) {
		CHECK(count < WORDS_MAX);
		argv[count++] = word;
	}
	va_end(args);
	argv[count++] = "--config";
	argv[count] = bus_path(bus, "broker.yaml");
	int code = process_run(argv, &output, TOOL_MS);
	if (code != expected)
		CHECK_FAIL("dienstweg %s %s: exit %d, expected %d:\n%s", first,
			argv[2] ? argv[2] : "", code, expected, output);
	return output;
}

static void says(char *output, const char *text)
{
	if (!strstr(output, text))
		CHECK_FAIL("\"%s\" is not in:\n%s", text, output);
	free(output);
}

/* Until a run that was ordered has ended: the broker says so itself. */
static void wait_for_run(const struct bus *bus)
{
	for (int look = 0; look < LOOKS_MAX; look++) {
		char *output = admin(bus, 0, "status", "--json", NULL);
		bool ended = strstr(output, "\"finished_ms\"") &&
			     strstr(output, "\"phase\":\"none\"");
		free(output);
		if (ended)
			return;
	}
	CHECK_FAIL("the run did not end");
}

static void deliver(struct party *city, struct party *jobcenter, const uint8_t *id, size_t nth)
{
	struct party_draft application = {
		.region = "051240000000", .body = BYTES_STR("the form"), .case_id = id};
	CHECK_INT(party_send(city, &application)->kind, ANSWER_RECEIPT);
	party_until(jobcenter, jobcenter->deliveries_count == nth, 10000);
	party_acknowledge(jobcenter, nth - 1, 1, NULL);
	party_until(city, city->outcomes_count == nth, 10000);
	party_confirm(city, city->outcomes[nth - 1].entry);
}

static void wrong_usage(const struct bus *bus)
{
	says(admin(bus, 2, "erase", NULL), "one of --due, --case and --now");
	says(admin(bus, 2, "erase", "--now", NULL), "--reason must say why");
	says(admin(bus, 2, "erase", "--now", "--reason", "Mrs Miller", NULL), "no names");
	says(admin(bus, 2, "erase", "--case", case_text, NULL), "on whose word");
	says(admin(bus, 2, "hold", case_text, NULL), "--ground names the document");
	says(admin(bus, 1, "hold", "00ff", "--ground", bus_path(bus, "broker.yaml"), NULL),
		"knows no case");
	says(admin(bus, 0, "erase", "--due", "--dry-run", NULL), "Nothing is due.");
	says(admin(bus, 0, "erase", "--due", "--dry-run", "--json", NULL), "\"due\":[]");
}

static void a_case_is_held_and_then_goes(void)
{
	struct bus bus;
	struct party city, jobcenter;
	char ground[512], order[512], master[512];
	uint8_t *before, *after;
	size_t len;
	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_init(&jobcenter, &bus, "jobcenter");
	party_connect(&city, NULL);
	jobcenter.manual = true;
	party_connect(&jobcenter, NULL);
	deliver(&city, &jobcenter, case_id, 1);
	deliver(&city, &jobcenter, NULL, 2);
	snprintf(ground, sizeof(ground), "%s", bus_path(&bus, "order-of-the-court"));
	snprintf(order, sizeof(order), "%s", bus_path(&bus, "instruction"));
	snprintf(master, sizeof(master), "%s", bus_path(&bus, "keys/master"));
	CHECK_INT(file_replace(ground, BYTES_STR("hold it"), 0600), 0);
	CHECK_INT(file_replace(order, BYTES_STR("erase it"), 0600), 0);
	CHECK_INT(file_read(master, 32, &before, &len), 0);
	wrong_usage(&bus);

	says(admin(&bus, 0, "hold", "ca5e1d", "--ground", ground, NULL), "is under legal hold");
	says(admin(&bus, 0, "hold", "ca5e1d", "--ground", ground, NULL), "already");
	says(admin(&bus, 0, "erase", "--case", "ca5e1d", "--dry-run", NULL), "has 2 entries");
	says(admin(&bus, 0, "erase", "--case", "ca5e1d", "--dry-run", NULL),
		"It is under legal hold: until it is released, nothing of it goes.");
	says(admin(&bus, 0, "erase", "--case", "ca5e1d", "--instruction", order, "--now",
		     "--reason", "court-order", NULL),
		"2 of its 2 entries go now");
	wait_for_run(&bus);
	says(admin(&bus, 0, "case", "show", case_text, NULL), "recorded");

	says(admin(&bus, 0, "release", "ca5e1d", "--ground", ground, NULL), "released");
	/* In the middle of things: what is on disk is enough to go on. */
	CHECK_INT(bus_end(&bus, SIGKILL), 128 + SIGKILL);
	bus_start(&bus);
	says(admin(&bus, 0, "erase", "--now", "--reason", "court-order", "--json", NULL),
		"\"changed\":true");
	wait_for_run(&bus);
	says(admin(&bus, 0, "audit", "list", "--kind", "erased", NULL), "on instruction");
	says(admin(&bus, 0, "audit", "list", "--kind", "accepted", NULL), "its record is gone");
	says(admin(&bus, 0, "audit", "verify", NULL), "No findings");
	says(admin(&bus, 0, "audit", "verify", NULL),
		"erased       2 records, and the content of 0 more, as the erased entries say");
	says(admin(&bus, 1, "audit", "show", "2", NULL), "its record was erased");
	says(admin(&bus, 0, "status", NULL), "erasure      last at");
	says(admin(&bus, 0, "case", "list", "--json", "--rebuild", NULL), "\"entries\":2");
	says(admin(&bus, 1, "case", "show", case_text, NULL), "knows no case");
	CHECK_INT(file_read(master, 32, &after, &len), 0);
	CHECK(memcmp(before, after, 32) != 0);

	party_deinit(&city);
	party_deinit(&jobcenter);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	says(admin(&bus, 3, "erase", "--due", NULL), "it alone writes its journal");
	bus_deinit(&bus);
	free(before);
	free(after);
}

/* What is erased leaves the journal for an archive, and is proven out of that from then on. */
static void a_closed_prefix_leaves(void)
{
	struct bus bus;
	struct party city, jobcenter;
	char order[512], archive[512], proof[512];
	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_init(&jobcenter, &bus, "jobcenter");
	party_connect(&city, NULL);
	jobcenter.manual = true;
	party_connect(&jobcenter, NULL);
	for (size_t i = 1; i <= LETTERS; i++)
		deliver(&city, &jobcenter, i == STAYS ? NULL : case_id, i);
	deliver(&city, &jobcenter, NULL,
		LETTERS + 1); /* the broker has read what was confirmed by then */
	snprintf(order, sizeof(order), "%s", bus_path(&bus, "instruction"));
	snprintf(archive, sizeof(archive), "%s", bus_path(&bus, "archive"));
	snprintf(proof, sizeof(proof), "%s", bus_path(&bus, "proof"));
	CHECK_INT(file_replace(order, BYTES_STR("erase it"), 0600), 0);
	says(admin(&bus, 0, "erase", "--case", "ca5e1d", "--instruction", order, "--now",
		     "--reason", "court-order", NULL),
		"entries");
	wait_for_run(&bus);
	says(admin(&bus, 0, "audit", "export", archive, NULL), "entries");
	says(admin(&bus, 1, "audit", "prune", "--before", "64", "--archive", archive, NULL),
		"stop it first");
	party_deinit(&city);
	party_deinit(&jobcenter);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);

	says(admin(&bus, 2, "audit", "prune", "--archive", archive, NULL), "how far?");
	says(admin(&bus, 1, "audit", "prune", "--before", "96", "--archive", archive, NULL),
		"still has its record");
	says(admin(&bus, 0, "audit", "prune", "--before", "64", "--archive", archive, NULL),
		"Entries before 64");
	says(admin(&bus, 1, "audit", "verify", NULL), "pruned-unsaid");
	bus_start(&bus);
	says(admin(&bus, 0, "audit", "verify", NULL), "pruned       the entries before 64");
	says(admin(&bus, 0, "audit", "verify", "--archive", archive, NULL),
		"verified out of the archive");
	says(admin(&bus, 0, "audit", "replay", NULL), "No differences");
	says(admin(&bus, 0, "audit", "list", "--kind", "start", NULL), "having been pruned");
	says(admin(&bus, 1, "audit", "prove", "40", "--out", proof, NULL), "the archive has it");
	says(admin(&bus, 1, "audit", "show", "40", NULL), "entry 40 is in the archive");
	says(admin(&bus, 0, "audit", "list", NULL), "of the entries before 64 only permanent ones");
	says(admin(&bus, 0, "status", NULL), "entries before 64 are in the archive");
	says(admin(&bus, 1, "audit", "export", proof, NULL), archive);
	says(admin(&bus, 0, "audit", "export", archive, NULL), "were there before");
	says(admin(&bus, 0, "backup", bus_path(&bus, "backup"), NULL), archive);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(a_case_is_held_and_then_goes), CHECK_CASE(a_closed_prefix_leaves))
