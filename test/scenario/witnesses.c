/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A town in which nobody has to believe the operator: city and jobcenter witness the log for each other. What
 * the portal sent becomes final within seconds, and the auditor is told between which times it was recorded,
 * by those two and not by the broker.
 */
#include <signal.h>

#include "test/kit/check.h"
#include "test/scenario/town.h"

enum { TOOL_MS = 30000 };

static const char application[] =
	"{\"service\": \"alg2.application\", \"region\": \"051240000000\", \"reference\": "
	"\"P-1\",\n"
	" \"applicant\": {\"given_name\": \"Erika\", \"family_name\": \"Mustermann\",\n"
	"  \"date_of_birth\": \"1964-08-12\"}, \"fields\": {\"rent\": \"480.00\"}}\n";

/* dienstweg audit VERB [WORD [WORD]] on the broker's journal, which runs; its output holds the text. */
static void audit_says(const struct town *town, const char *text, const char *verb,
	const char *word, const char *value)
{
	char program[512], config[TOWN_PATH], *output = NULL;
	path_to(town, config, "broker.yaml");
	const char *argv[9] = {
		program_path("broker/dienstweg-admin", program, sizeof(program)), "audit", verb};
	size_t count = 3;
	if (word)
		argv[count++] = word;
	if (value)
		argv[count++] = value;
	argv[count++] = "--config";
	argv[count] = config;
	CHECK_INT(process_run(argv, &output, TOOL_MS), 0);
	if (!strstr(output, text))
		CHECK_FAIL("audit %s does not say \"%s\":\n%s", verb, text, output);
	free(output);
}

static uint64_t sequence_in(const struct town *town)
{
	char folder[TOWN_PATH], name[256];
	path_to(town, folder, "city/receipts");
	CHECK_INT(wait_for_files(folder, ".recorded.json", 1, TOWN_WAIT_MS), 1);
	name_in(folder, ".recorded.json", name);
	json_t *recorded = json_at(folder, name);
	uint64_t sequence = (uint64_t)json_integer_value(json_object_get(recorded, "sequence"));
	json_decref(recorded);
	return sequence;
}

static void an_application_becomes_final(void)
{
	struct town town;
	char path[TOWN_PATH], log[TOWN_PATH], number[32], letter[TOWN_PATH];
	town_init_witnessed(&town);
	town_start(&town);
	path_to(&town, path, "city/in/antrag.json");
	put_text(path, application);
	uint64_t sequence = sequence_in(&town);
	path_to(&town, log, "logs/city.log");
	CHECK(wait_for_line(log, "receipts are final", 0, TOWN_WAIT_MS) >= 0);
	path_to(&town, path, "jobcenter/out");
	wait_for_letter(path, "-application", letter);

	/* The auditor asks while everything runs. */
	audit_says(&town, "witnessed", "list", "--kind", "witnessed");
	audit_says(&town, "when witnesses saw", "show",
		(snprintf(number, sizeof(number), "%llu", (unsigned long long)sequence), number),
		NULL);
	audit_says(&town, "", "verify", NULL, NULL);
	audit_says(&town, "", "replay", NULL, NULL);
	town_deinit(&town);
}

/* One witness is away: traffic goes on, nothing is final, and when it is back everything is. */
static void a_witness_is_away_for_a_while(void)
{
	struct town town;
	char path[TOWN_PATH], log[TOWN_PATH];
	town_init_witnessed(&town);
	bus_start(&town.bus);
	adapter_start(&town, &town.city, "city");
	path_to(&town, path, "city/in/antrag.json");
	put_text(path, application);
	(void)sequence_in(&town);
	path_to(&town, log, "logs/city.log");
	CHECK(wait_for_line(log, "receipts are final", 0, 0) < 0);
	adapter_start(&town, &town.jobcenter, "jobcenter");
	CHECK(wait_for_line(log, "receipts are final", 0, TOWN_WAIT_MS) >= 0);
	town_deinit(&town);
}

CHECK_MAIN(CHECK_CASE(an_application_becomes_final), CHECK_CASE(a_witness_is_away_for_a_while))
