/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A person asks a city what the bus knows of a case; the city asks the bus while its adapter goes on. It gets its own
 * share, signed and proven, and nobody else's. Others ask for the same case; a tenant's operator asks for the tenant;
 * somebody asks for what has been erased; and somebody asks all day.
 */
#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { LOOKS_MAX = 500, FLOOD = 100, OTHERS = 12 };

static const uint8_t case_id[16] = {0xca, 0x5e, 0x1d};
static const char case_text[] = "ca5e1d00000000000000000000000000";
static const char other_text[] = "0ff5e700000000000000000000000000";

static void holds_not(char *output, const char *text)
{
	if (strstr(output, text))
		CHECK_FAIL("\"%s\" is in:\n%s", text, output);
	free(output);
}

struct world {
	struct bus bus;
	struct party city, jobcenter, ministry;
};

static void adapters_write(struct bus *bus)
{
	char text[1024];
	bus->adapter_extra = "";
	bus_adapter_write(bus, "city", bus->endpoint);
	bus_adapter_write(bus, "jobcenter", bus->endpoint);
	bus_adapter_write(bus, "ministry", bus->endpoint);
	snprintf(text, sizeof(text),
		"bus: test.demo\nbroker: \"%s\"\nparty: city\noperates: [youthoffice]\n"
		"keys: [keys/city.secret, keys/youthoffice.secret]\n"
		"registry: city/registry.signed\npolicy: policy\nstate: city/state\n"
		"connector: {kind: folder, in: city/in, out: city/out, done: city/done, "
		"failed: city/failed, receipts: city/receipts}\n",
		bus->endpoint);
	CHECK_INT(file_replace(bus_path(bus, "city.yaml"), BYTES_STR(text), 0644), 0);
}

/* City operates the youth office; the ministry has an agreement too, and no share in the case. */
static void world_init(struct world *w)
{
	bus_init_usual(&w->bus, check_subdir());
	struct registry_fixture *f = w->bus.fixture;
	registry_fixture_party(f, "ministry", NULL);
	registry_fixture_party(f, "youthoffice", "city");
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "youth-2022", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "alg2.status", "jobcenter", "youthoffice", NULL);
	registry_fixture_flow(f, a, "alg2.status", "ministry", "city", NULL);
	bus_write(&w->bus);
	bus_start(&w->bus);
	adapters_write(&w->bus);
	party_init(&w->city, &w->bus, "city");
	party_init(&w->jobcenter, &w->bus, "jobcenter");
	party_init(&w->ministry, &w->bus, "ministry");
	party_connect(&w->city, NULL);
	party_connect(&w->jobcenter, NULL);
}

static void world_deinit(struct world *w)
{
	party_deinit(&w->city);
	party_deinit(&w->jobcenter);
	party_deinit(&w->ministry);
	CHECK_INT(bus_end(&w->bus, SIGTERM), 0);
	bus_deinit(&w->bus);
}

/* City applies at the jobcenter, which takes it, answers the city, and tells the youth office. */
static void live_a_case(struct world *w)
{
	struct party_draft application = {
		.region = "051240000000", .body = BYTES_STR("the form"), .case_id = case_id};
	struct party_draft to_city = {.service = "alg2.status",
		.recipient = "city",
		.body = BYTES_STR("we read it"),
		.case_id = case_id};
	struct party_draft to_youth = to_city;
	to_youth.recipient = "youthoffice";
	CHECK_INT(party_send(&w->city, &application)->kind, ANSWER_RECEIPT);
	party_until(&w->city, w->city.outcomes_count == 1 || (party_step(&w->jobcenter, 10), false),
		10000);
	CHECK_INT(party_send(&w->jobcenter, &to_city)->kind, ANSWER_RECEIPT);
	CHECK_INT(party_send(&w->jobcenter, &to_youth)->kind, ANSWER_RECEIPT);
	party_until(&w->city, w->city.acknowledged_count == 1, 10000);
}

/* ---- */

static void check_files(struct world *w, const char *dir)
{
	char program[512], file[600], registry[512], policy[512], *output = NULL;
	snprintf(registry, sizeof(registry), "%s", bus_path(&w->bus, "registry.signed"));
	snprintf(policy, sizeof(policy), "%s", bus_path(&w->bus, "policy"));
	const char *const check[] = {
		program_path("broker/dienstweg-admin", program, sizeof(program)), "audit", "check",
		file, "--policy", policy, "--registry", registry, NULL};
	snprintf(file, sizeof(file), "%s/report.txt", dir);
	CHECK_INT(process_run(check, &output, TOOL_MS), 0);
	tool_holds(output, "signed by the keeper of the log test.demo/0", NULL);
	snprintf(file, sizeof(file), "%s/2.tlog-proof", dir);
	CHECK_INT(process_run(check, &output, TOOL_MS), 0);
	tool_holds(output, "2", NULL);
	snprintf(file, sizeof(file), "%s/report.json", dir);
	CHECK_INT(access(file, R_OK), 0);
	snprintf(file, sizeof(file), "%s/checked.txt", dir);
	CHECK_INT(access(file, R_OK), 0);
}

static void everybody_gets_its_own_share(void)
{
	struct world w;
	char dir[512];
	world_init(&w);
	live_a_case(&w);
	snprintf(dir, sizeof(dir), "%s", bus_path(&w.bus, "answer"));
	tool_holds(tool_party(&w.bus, "city", 0, "access", "--case", case_text, "--out", dir, NULL),
		"for city", "recorded  alg2.application", "city -> jobcenter, entry 2",
		"under agreement city-jobcenter-2021", "state: accepted", "accepted  message 2",
		"jobcenter -> city", "The same for programs is report.json, SHA-256",
		"signed by the log, 4 entries proven",
		"NOT COMPARED with the log that the adapter has seen: it has seen none yet",
		"records that it was asked", NULL);
	check_files(&w, dir);
	holds_not(tool_party(&w.bus, "city", 0, "access", "--case", case_text, "--json", NULL),
		"youthoffice");
	/* The opening is an entry: who asked, and not which case. */
	char *list = tool_admin(&w.bus, 0, "audit", "list", "--kind", "inspected", NULL);
	CHECK(!strstr(list, case_text));
	tool_holds(
		list, "opened for the party city, over the bus, as subject-access, on the ground art-15-gdpr",
		"opened for the party city", NULL);
	/* The operator, who knows more of the case, makes the same report. */
	tool_holds(tool_admin(&w.bus, 0, "audit", "report", "--party", "city", "--case", case_text,
			   NULL),
		"4 entries", NULL);
	tool_holds(tool_admin(&w.bus, 0, "case", "show", case_text, NULL), "youthoffice", NULL);

	/* Its adapter was not disturbed. */
	struct party_draft more = {
		.service = "alg2.status", .recipient = "city", .body = BYTES_STR("later")};
	CHECK_INT(party_send(&w.jobcenter, &more)->kind, ANSWER_RECEIPT);
	party_until(&w.city, w.city.deliveries_count == 2, 10000);
	CHECK_INT(w.city.sessions, 0);

	/* A tenant has its own share; who does not operate it, and who has none, learn nothing. */
	tool_holds(tool_party(&w.bus, "city", 0, "access", "--case", case_text, "--party",
			   "youthoffice", NULL),
		"for youthoffice", "jobcenter -> youthoffice", "1 entry. ", NULL);
	tool_holds(tool_party(&w.bus, "jobcenter", 2, "access", "--case", case_text, "--party",
			   "youthoffice", NULL),
		"names no such party", NULL);
	tool_holds(tool_party(&w.bus, "ministry", 1, "access", "--case", case_text, NULL),
		"unknown-case: the journal has nothing in that case that this party", NULL);
	tool_holds(tool_party(&w.bus, "ministry", 1, "access", "--case", other_text, NULL),
		"unknown-case: the journal has nothing in that case that this party", NULL);
	holds_not(tool_admin(&w.bus, 0, "audit", "list", "--kind", "inspected", NULL),
		"for the party ministry");
	tool_holds(tool_party(&w.bus, "city", 2, "access", NULL), "which case", NULL);
	tool_holds(tool_party(&w.bus, "city", 2, "access", "--case", "ca5e", NULL), "32", NULL);
	tool_holds(tool_admin(&w.bus, 0, "audit", "verify", NULL), "No findings", NULL);
	tool_holds(tool_admin(&w.bus, 0, "audit", "replay", NULL), "No differences", NULL);
	world_deinit(&w);
}

/* ---- */

/* Until a run that was ordered has ended: the broker says so itself. */
static void wait_for_run(const struct bus *bus)
{
	for (int look = 0; look < LOOKS_MAX; look++) {
		char *output = tool_admin(bus, 0, "status", "--json", NULL);
		bool ended = strstr(output, "\"finished_ms\"") &&
			     strstr(output, "\"phase\":\"none\"");
		free(output);
		if (ended)
			return;
	}
	CHECK_FAIL("the run did not end");
}

static void what_is_erased_is_not_told(void)
{
	struct world w;
	char order[512];
	world_init(&w);
	live_a_case(&w);
	party_confirm(&w.city, w.city.outcomes[0].entry);
	party_until(&w.jobcenter, w.jobcenter.outcomes_count == 1, 10000);
	party_confirm(&w.jobcenter, w.jobcenter.outcomes[0].entry);
	snprintf(order, sizeof(order), "%s", bus_path(&w.bus, "instruction"));
	CHECK_INT(file_replace(order, BYTES_STR("erase it"), 0600), 0);
	tool_holds(tool_party(&w.bus, "city", 0, "access", "--case", case_text, NULL), "4 entries",
		NULL);
	tool_holds(tool_admin(&w.bus, 0, "erase", "--case", case_text, "--instruction", order,
			   "--now", "--reason", "court-order", NULL),
		"entries", NULL);
	wait_for_run(&w.bus);
	/* What waits for the youth office is its own, and stays until it has it. */
	tool_holds(tool_party(&w.bus, "city", 1, "access", "--case", case_text, NULL),
		"unknown-case", NULL);
	tool_holds(tool_party(&w.bus, "city", 0, "access", "--case", case_text, "--party",
			   "youthoffice", NULL),
		"1 entry. ", NULL);

	/* Killed, and the index gone: it is made again. */
	CHECK_INT(bus_end(&w.bus, SIGKILL), 128 + SIGKILL);
	CHECK_INT(unlink(bus_path(&w.bus, "broker/case-index/data.mdb")), 0);
	bus_start(&w.bus);
	tool_holds(tool_party(&w.bus, "city", 0, "access", "--case", case_text, "--party",
			   "youthoffice", NULL),
		"1 entry. ", NULL);
	tool_holds(tool_party(&w.bus, "city", 1, "access", "--case", case_text, NULL),
		"unknown-case", NULL);
	world_deinit(&w);
}

/* ---- */

struct flood {
	size_t busy, others, pieces;
	char code[64];
};

static void count(void *context, const Dienstweg__Frame *frame)
{
	struct flood *flood = context;
	if (frame->body_case == DIENSTWEG__FRAME__BODY_ACCESS)
		flood->pieces++;
	if (frame->body_case != DIENSTWEG__FRAME__BODY_ERROR)
		return;
	CHECK(bytes_equal(BYTES_PB(frame->error->field), BYTES_STR("get_access")));
	if (bytes_equal(BYTES_PB(frame->error->code), BYTES_STR("busy")))
		flood->busy++;
	else
		flood->others++;
	snprintf(flood->code, sizeof(flood->code), "%.*s", (int)frame->error->code.len,
		(const char *)frame->error->code.data);
}

static void ask(struct party *party, const char *for_party, const uint8_t *id, size_t len)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__GetAccess body = DIENSTWEG__GET_ACCESS__INIT;
	int r;
	body.party = (ProtobufCBinaryData){
		.len = strlen(for_party), .data = (uint8_t *)(uintptr_t)for_party};
	body.case_id = (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)id};
	frame.body_case = DIENSTWEG__FRAME__BODY_GET_ACCESS;
	frame.get_access = &body;
	while ((r = client_send(party->client, &frame)) == CLIENT_BUSY)
		party_step(party, 10);
	CHECK_INT(r, 0);
}

static void who_asks_all_day_hears_busy(void)
{
	struct world w;
	struct flood flood = {};
	struct party_draft draft = {.region = "051240000000", .body = BYTES_STR("another form")};
	world_init(&w);
	live_a_case(&w);
	party_connect(&w.ministry, NULL);
	w.ministry.on_frame = w.jobcenter.on_frame = count;
	w.ministry.on_frame_context = w.jobcenter.on_frame_context = &flood;
	/* What no program of ours would ask. */
	ask(&w.ministry, "city", case_id, sizeof(case_id));
	party_until(&w.ministry, flood.others == 1, 10000);
	CHECK_STR(flood.code, "not-operated");
	ask(&w.ministry, "ministry", case_id, 15);
	party_until(&w.ministry, flood.others == 2, 10000);
	CHECK_STR(flood.code, "malformed");

	for (size_t i = 0; i < FLOOD; i++)
		ask(&w.jobcenter, "jobcenter", case_id, sizeof(case_id));
	/* In the middle of it others are served. */
	CHECK_INT(party_send(&w.city, &draft)->kind, ANSWER_RECEIPT);
	party_until(&w.jobcenter, flood.busy + flood.pieces == FLOOD, 20000);
	CHECK(flood.pieces >= 1 && flood.pieces <= 4);
	CHECK_INT(flood.others, 2);
	CHECK_INT(w.jobcenter.sessions, 0);
	/* The others still may. */
	tool_holds(tool_party(&w.bus, "city", 0, "access", "--case", case_text, NULL), "4 entries",
		NULL);
	world_deinit(&w);
}

/* ---- */

static void folder_empty(const char *folder)
{
	char path[600];
	DIR *dir = opendir(folder);
	CHECK(dir);
	for (const struct dirent *e; (e = readdir(dir));) {
		snprintf(path, sizeof(path), "%s/%.200s", folder, e->d_name);
		if (e->d_name[0] != '.')
			CHECK_INT(unlink(path), 0);
	}
	closedir(dir);
}

/* The journal is written anew, by who has every key of the bus: another log under the same name. */
static void write_anew(struct world *w)
{
	char folder[512];
	CHECK_INT(bus_end(&w->bus, SIGTERM), 0);
	snprintf(folder, sizeof(folder), "%s", bus_path(&w->bus, "broker/journal"));
	folder_empty(folder);
	snprintf(folder, sizeof(folder), "%s", bus_path(&w->bus, "broker/case-index"));
	folder_empty(folder);
	CHECK_INT(unlink(bus_path(&w->bus, "broker/highwater")), 0);
	bus_start(&w->bus);
	party_connect(&w->city, NULL);
	party_connect(&w->jobcenter, NULL);
	w->city.outcomes_count = w->city.acknowledged_count = 0;
	live_a_case(w);
}

static void another_log_is_no_answer(void)
{
	struct world w;
	char dir[512], letter[512];
	struct party_draft more = {.region = "051240000000", .body = BYTES_STR("another form")};
	world_init(&w);
	live_a_case(&w);
	for (int i = 0; i < OTHERS; i++)
		CHECK_INT(party_send(&w.city, &more)->kind, ANSWER_RECEIPT);
	party_disconnect(&w.jobcenter);
	snprintf(dir, sizeof(dir), "%s", bus_path(&w.bus, "answer"));
	snprintf(letter, sizeof(letter), "%s", bus_path(&w.bus, "letter"));
	CHECK_INT(file_replace(letter, BYTES_STR("we read it"), 0600), 0);
	/* Its adapter sees the log. */
	free(tool_party(&w.bus, "jobcenter", 0, "send", "--service", "alg2.status", "--to", "city",
		"--file", letter, NULL));
	tool_holds(tool_party(&w.bus, "jobcenter", 0, "access", "--case", case_text, NULL),
		"of the log that the adapter has seen", NULL);
	party_disconnect(&w.city);
	write_anew(&w);
	tool_holds(tool_party(&w.bus, "jobcenter", 1, "access", "--case", case_text, "--out", dir,
			   NULL),
		"does not prove that it is of the log that the adapter has seen", NULL);
	/* Once it is longer than what the adapter saw, it has to prove something, and cannot. */
	for (int i = 0; i < 2 * OTHERS; i++)
		CHECK_INT(party_send(&w.city, &more)->kind, ANSWER_RECEIPT);
	tool_holds(tool_party(&w.bus, "jobcenter", 1, "access", "--case", case_text, "--out", dir,
			   NULL),
		"FORK: the report is proven under a checkpoint", "shows two logs", NULL);
	CHECK_INT(access(bus_path(&w.bus, "answer/fork-held.note"), R_OK), 0);
	CHECK_INT(access(bus_path(&w.bus, "answer/fork-shown.note"), R_OK), 0);
	CHECK(access(bus_path(&w.bus, "answer/report.txt"), R_OK) != 0);
	world_deinit(&w);
}

CHECK_MAIN(CHECK_CASE(everybody_gets_its_own_share), CHECK_CASE(what_is_erased_is_not_told),
	CHECK_CASE(who_asks_all_day_hears_busy), CHECK_CASE(another_log_is_no_answer))
