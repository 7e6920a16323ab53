/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The disk of the bus is lost. What there is: a backup, taken while the broker ran or after it stopped, and the keys,
 * which lie elsewhere. Whoever was waiting for something gets it after all, and every proof still holds.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { WORDS_MAX = 16 };

/* Run dienstweg-admin with the words given; keep what it printed. */
static char *tool(int expected, const char *first, ...)
{
	char program[512], *output = NULL;
	const char *argv[WORDS_MAX + 2] = {
		program_path("broker/dienstweg-admin", program, sizeof(program)), first};
	size_t count = 2;
	va_list args;
	va_start(args, first);
	for (const char *word; (word = va_arg(args, const char *)) != NULL;) {
		CHECK(count < WORDS_MAX);
		argv[count++] = word;
	}
	va_end(args);
	argv[count] = NULL;
	int code = process_run(argv, &output, TOOL_MS);
	if (code != expected)
		CHECK_FAIL("dienstweg %s: exit %d, expected %d:\n%s", first, code, expected, output);
	return output;
}

static void restored_after_a_loss(void)
{
	struct bus bus;
	struct party city, jobcenter;
	struct party_draft application = {.region = "051240000000", .body = BYTES_STR("the form")};
	char config[512], policy[512], running[512], stopped[512], journal[512], lost[512];
	bus_init_usual(&bus, check_tmpdir());
	bus_write(&bus);
	snprintf(config, sizeof(config), "%s", bus_path(&bus, "broker.yaml"));
	snprintf(policy, sizeof(policy), "%s", bus_path(&bus, "policy"));
	snprintf(running, sizeof(running), "%s", bus_path(&bus, "backup-1"));
	snprintf(stopped, sizeof(stopped), "%s", bus_path(&bus, "backup-2"));
	snprintf(journal, sizeof(journal), "%s", bus_path(&bus, "broker/journal"));
	snprintf(lost, sizeof(lost), "%s", bus_path(&bus, "lost"));
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_connect(&city, NULL);
	CHECK_INT(party_send(&city, &application)->kind, ANSWER_RECEIPT);
	tool_holds(tool(0, "backup", running, "--config", config, NULL), "holds 3 entries", NULL);
	CHECK_INT(party_send(&city, &application)->kind, ANSWER_RECEIPT);
	tool_holds(tool(3, "backup", running, "--config", config, NULL), "name a new folder", NULL);
	party_deinit(&city);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	tool_holds(tool(0, "backup", stopped, "--config", config, "--json", NULL),
		"\"entries\":", NULL);
	/* Whoever stores it can verify it, without any key. */
	tool_holds(tool(0, "audit", "verify", "--journal", running, "--depth", "tree", "--policy",
			   policy, NULL),
		"No findings", NULL);

	CHECK_INT(rename(journal, lost), 0);
	CHECK_INT(rename(stopped, journal), 0);
	/* No queue, no broker: a start on it would forget who waits for what. */
	tool_holds(tool(0, "audit", "verify", "--config", config, NULL), "No findings", NULL);
	tool_holds(tool(0, "audit", "rebuild", "--config", config, NULL),
		"a broker can start on it", NULL);
	tool_holds(tool(0, "audit", "replay", "--config", config, NULL), "No differences", NULL);
	bus_start(&bus);
	party_init(&jobcenter, &bus, "jobcenter");
	party_connect(&jobcenter, NULL);
	party_until(&jobcenter, jobcenter.deliveries_count == 2, 20000);
	party_deinit(&jobcenter);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	tool_holds(tool(0, "audit", "verify", "--config", config, NULL), "No findings", NULL);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(restored_after_a_loss))
