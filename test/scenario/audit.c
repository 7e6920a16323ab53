/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What an operator and an auditor type, on a bus that is really running, that is killed, that is stopped,
 * and whose journal is then tampered with. The programs are started as people start them; only their
 * output and exit codes count.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "proto/base/db.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "test/kit/check.h"
#include "test/kit/party.h"
#include "test/scenario/tools.h"

enum { WORDS_MAX = 12 };

static void in_progress(Dienstweg__Header *header)
{
	header->kind = DIENSTWEG__KIND__KIND_REPLY;
	header->status = DIENSTWEG__STATUS__STATUS_IN_PROGRESS;
}

static void decided(Dienstweg__Header *header)
{
	header->kind = DIENSTWEG__KIND__KIND_REPLY;
	header->status = DIENSTWEG__STATUS__STATUS_DECIDED;
}

static const uint8_t case_id[16] = {0xca, 0x5e, 0x1d};
static const char case_text[] = "ca5e1d00000000000000000000000000";

/* City applies, jobcenter is busy at first, then takes it, and answers twice. */
static void live_a_case(struct bus *bus, struct party *city, struct party *jobcenter)
{
	struct party_draft application = {
		.region = "051240000000", .body = BYTES_STR("the form"), .case_id = case_id};
	struct party_draft status = {.service = "alg2.status",
		.recipient = "city",
		.body = BYTES_STR("we read it"),
		.case_id = case_id,
		.twist = in_progress};
	struct party_draft decision = {.service = "alg2.decision",
		.recipient = "city",
		.body = BYTES_STR("granted"),
		.case_id = case_id,
		.twist = decided};
	party_connect(city, NULL);
	CHECK_INT(party_send(city, &application)->kind, ANSWER_RECEIPT);
	tool_holds(tool_admin(bus, 0, "queue", "list", "--json", NULL), "\"party\":\"jobcenter\"",
		"\"normal\":1", "\"messages\":1", "\"oldest_sequence\":2", NULL);
	tool_holds(tool_admin(bus, 0, "case", "show", case_text, NULL), "recorded",
		"city → jobcenter", "alg2.application", "proven in", "waits for jobcenter", NULL);
	/* Having looked is an entry. */
	tool_holds(tool_admin(bus, 0, "status", "--json", NULL), "\"entries\":4",
		"\"party\":\"city\"", "\"source\":\"broker\"", NULL);

	jobcenter->manual = true;
	party_connect(jobcenter, NULL);
	party_until(jobcenter, jobcenter->deliveries_count == 1, 10000);
	party_nak(jobcenter, jobcenter->deliveries[0].sequence, 10);
	party_until(jobcenter, jobcenter->deliveries_count == 2, 20000);
	party_acknowledge(jobcenter, 1, 1, NULL);
	party_until(jobcenter, jobcenter->acknowledged_count == 1, 10000);
	CHECK_INT(party_send(jobcenter, &status)->kind, ANSWER_RECEIPT);
	CHECK_INT(party_send(jobcenter, &decision)->kind, ANSWER_RECEIPT);
	party_until(city, city->deliveries_count == 2, 10000);
	party_until(city, city->acknowledged_count == 2, 10000);
	/* A second one, of another case, that the jobcenter does not want. */
	application.case_id = NULL;
	CHECK_INT(party_send(city, &application)->kind, ANSWER_RECEIPT);
	party_until(jobcenter, jobcenter->deliveries_count == 3, 10000);
	party_acknowledge(jobcenter, 2, 1, "not-responsible");
	party_until(city, city->outcomes_count == 2, 10000);
}

static void check_timeline(const struct bus *bus)
{
	tool_holds(tool_admin(bus, 0, "case", "show", "ca5e1d", NULL), case_text, "recorded",
		"city → jobcenter", "delivery-failed", "attempt 1", "accepted", "in progress",
		"jobcenter → city", "alg2.status", "decided", "alg2.decision", "accepted", NULL);
	tool_holds(tool_admin(bus, 0, "case", "show", case_text, "--json", NULL), "\"open\":0",
		"\"event\":\"recorded\"", "\"state\":\"accepted\"", "\"proven\":true",
		"\"event\":\"delivery-failed\"", "\"attempts\":1", "\"event\":\"accepted\"",
		"\"status\":\"in progress\"", "\"status\":\"decided\"", NULL);
	tool_holds(tool_admin(bus, 0, "case", "list", "--json", NULL), "\"entries\":2", case_text,
		NULL);
	tool_holds(tool_admin(bus, 1, "case", "show", "00ff00", NULL), "knows no case 00ff00", NULL);
	tool_holds(tool_admin(bus, 2, "case", "show", "a case", NULL), "is no case id", NULL);
}

static void check_audit(const struct bus *bus)
{
	tool_holds(tool_admin(bus, 0, "audit", "verify", NULL), "verified in full", "No findings",
		NULL);
	tool_holds(tool_admin(bus, 0, "audit", "verify", "--depth", "tree", "--json", NULL),
		"\"verdict\":\"clean\"", "\"findings_total\":0", "\"depth\":\"tree\"", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "verify", "--jobs", "3", NULL), "No findings", NULL);
	tool_holds(tool_admin(bus, 2, "audit", "verify", "--jobs", "0", NULL), "from 1 to", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "replay", NULL), "No differences", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "replay", "--json", NULL), "\"verdict\":\"clean\"",
		"\"complete\":true", NULL);
}

static void check_entries(const struct bus *bus)
{
	tool_holds(tool_admin(bus, 0, "audit", "list", NULL), "registry version 1 came into force",
		"the broker started", "city submission alg2.application, accepted for jobcenter",
		"delivery failed", "acknowledged", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "list", "--kind", "accepted", "--from", "3",
			   "--json", NULL),
		"\"kind\":\"accepted\"", "\"sender\":\"jobcenter\"", "\"service\":\"alg2.status\"",
		NULL);
	tool_holds(tool_admin(bus, 2, "audit", "list", "--kind", "gone", NULL), "no such kind",
		"there are accepted, refused,", NULL);
	tool_holds(tool_admin(bus, 2, "audit", "list", "--from", "3", "--to", "2", NULL),
		"--from 3 lies behind --to 2", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "list", "--kind", "erased", NULL),
		"There is no such entry", NULL);
	tool_holds(tool_admin(bus, 2, "queue", NULL), "queue wants one more word behind it",
		"dienstweg queue list", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "show", "2", NULL), "Entry 2, accepted", "decision",
		"accepted for jobcenter under agreement city-jobcenter-2021",
		"sealed for its recipient", "leaf 2 of", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "show", "2", "--json", NULL), "\"sequence\":2",
		"\"recipients\":[\"jobcenter\"]", "\"header\":{", case_text, "\"path\":[", NULL);
	tool_holds(tool_admin(bus, 1, "audit", "show", "4000", NULL), "no entry 4000", NULL);
}

/* Who opens records is in the journal before anybody sees them; who only lists or shows agencies is not. */
static void check_inspected(const struct bus *bus)
{
	char account[64];
	snprintf(account, sizeof(account),
		"opened by account %u as operator, on the ground operation",
		(unsigned int)geteuid());
	tool_holds(tool_admin(bus, 0, "audit", "list", "--kind", "inspected", NULL),
		"1 record between entry 0", account, NULL);
	tool_holds(tool_admin(bus, 0, "audit", "show", "2", "--role", "auditor", "--ground",
			   "audit-2026", NULL),
		"the journal records that this was opened: entry", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "list", "--kind", "inspected", NULL),
		"1 record of entry 2 opened by account", "as auditor, on the ground audit-2026",
		NULL);
	tool_holds(tool_admin(bus, 2, "audit", "show", "2", "--ground", "Because", NULL),
		"no code: use 1 to 63 of a-z 0-9 . -, and no person's name", NULL);
	char *clear = tool_admin(bus, 0, "audit", "show", "0", NULL);
	CHECK(strstr(clear, "was opened") == NULL);
	free(clear);

	/* Not to say where the broker is does not help. */
	char program[512], *output = NULL, journal[400], keyring[400];
	snprintf(journal, sizeof(journal), "%s", bus_path(bus, "broker/journal"));
	snprintf(keyring, sizeof(keyring), "%s", bus_path(bus, "broker/keyring"));
	const char *const quietly[] = {
		program_path("broker/dienstweg-admin", program, sizeof(program)), "audit", "show",
		"2", "--journal", journal, "--keyring", keyring, "--master-key",
		bus_path(bus, "keys/master"), NULL};
	CHECK_INT(process_run(quietly, &output, TOOL_MS), 3);
	tool_holds(output, "a broker runs on this journal", "--config", NULL);
}

/* What each of the two may see of the case, a line of it checked without the journal, and nothing for others. */
static void check_report(const struct bus *bus)
{
	char program[512], dir[512], proof[600], *output = NULL;
	snprintf(dir, sizeof(dir), "%s", bus_path(bus, "answer"));
	snprintf(proof, sizeof(proof), "%s/2.tlog-proof", dir);
	tool_holds(tool_admin(bus, 0, "audit", "report", "--party", "city", "--case", "ca5e1d",
			   "--out", dir, NULL),
		"for city", "recorded  alg2.application", "city -> jobcenter, entry 2",
		"under agreement city-jobcenter-2021, legal basis § 6a SGB II",
		"kept, sealed for its recipient", "kept: content 21 days, this record 730 days",
		"state: accepted", "delivery-failed", "accepted  message 2",
		"recorded  alg2.status, in progress", "jobcenter -> city", NULL);
	const char *const check[] = {
		program_path("broker/dienstweg-admin", program, sizeof(program)), "audit", "check",
		proof, "--policy", bus_path(bus, "policy"), "--registry",
		bus_path(bus, "registry.signed"), NULL};
	CHECK_INT(process_run(check, &output, TOOL_MS), 0);
	tool_holds(output, "2", NULL);
	snprintf(proof, sizeof(proof), "%s/report.txt", dir);
	CHECK_INT(process_run(check, &output, TOOL_MS), 0);
	tool_holds(output, "signed by the keeper of the log test.demo/0", NULL);
	snprintf(proof, sizeof(proof), "%s", dir);
	CHECK_INT(process_run(check, &output, TOOL_MS), 3);
	tool_holds(output, "is the folder of a report", NULL);
	CHECK_INT(access(bus_path(bus, "answer/report.json"), R_OK), 0);
	tool_holds(tool_admin(bus, 0, "audit", "report", "--party", "jobcenter", "--case", "ca5e1d",
			   "--json", NULL),
		"\"case\":\"", "\"party\":\"jobcenter\"", "\"content_hash\":\"",
		"\"proof\":\"c2sp.org/tlog-proof@v1", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "list", "--kind", "inspected", NULL),
		"as subject-access, on the ground art-15-gdpr", NULL);
	tool_holds(tool_admin(bus, 1, "audit", "report", "--party", "ministry", "--case", "ca5e1d",
			   NULL),
		"no entry that ministry sent or received", NULL);
	tool_holds(tool_admin(bus, 2, "audit", "report", "--case", "ca5e1d", NULL), "whose share",
		NULL);
}

/* An operator with a database tool: the end state of the first application, and its record. */
static void tamper(const struct bus *bus, const char *table, const void *key, size_t len)
{
	struct db_options options = {
		.map_bytes = UINT64_C(64) << 30, .tables_max = 32, .readers_max = 126};
	struct db_env *env;
	struct db_txn *txn;
	db_table_id id;
	struct bytes value;
	uint8_t copy[4096];
	CHECK_INT(db_env_open(bus_path(bus, "broker/journal"), &options, &env), 0);
	CHECK_INT(db_begin(env, true, &txn), 0);
	CHECK_INT(db_table_open(txn, table, &id), 0);
	CHECK_INT(db_get(txn, id, BYTES(key, len), &value), 0);
	CHECK(value.len <= sizeof(copy));
	memcpy(copy, value.data, value.len);
	copy[value.len - 1] ^= 1;
	CHECK_INT(db_put(txn, id, BYTES(key, len), BYTES(copy, value.len)), 0);
	CHECK_INT(db_commit(txn), 0);
	db_env_close(env);
}

/* Who verifies every day pays for a day; the first time for everything. */
static void check_verified(const struct bus *bus)
{
	char memory[512], other[512];
	uint8_t sequence[8];
	snprintf(memory, sizeof(memory), "%s", bus_path(bus, "verified"));
	snprintf(other, sizeof(other), "%s", bus_path(bus, "other"));
	tool_holds(tool_admin(bus, 0, "audit", "verify", "--verified", memory, "--json", NULL),
		"\"verdict\":\"clean\"", "\"before\":0,", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "verify", "--verified", memory, NULL),
		"verified then and not looked at again", "records      0", "No findings", NULL);
	/* What was changed in the old part is for a verification of the whole. */
	be64_put(sequence, 2);
	tamper(bus, "record", sequence, sizeof(sequence));
	tool_holds(tool_admin(bus, 0, "audit", "verify", "--verified", memory, NULL), "No findings",
		NULL);
	tool_holds(tool_admin(bus, 1, "audit", "verify", "--verified", other, NULL),
		"entry 2:", "record-changed", NULL);
	tool_holds(tool_admin(bus, 1, "audit", "verify", "--verified", other, NULL),
		"entry 2:", NULL); /* nothing was remembered */
	CHECK_INT(file_replace(memory, BYTES_STR("dienstweg-verified 0\n"), 0600), 0);
	tool_holds(tool_admin(bus, 3, "audit", "verify", "--verified", memory, NULL), "remove it",
		NULL);
	tamper(bus, "record", sequence, sizeof(sequence));
}

static void a_case_is_told_and_proven(void)
{
	struct bus bus;
	struct party city, jobcenter;
	uint8_t sequence[8], end[12];
	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_init(&jobcenter, &bus, "jobcenter");
	live_a_case(&bus, &city, &jobcenter);
	check_timeline(&bus);
	check_audit(&bus);

	/* Killed: nobody answers, and the journal answers all the same. */
	bus_end(&bus, SIGKILL);
	tool_holds(tool_admin(&bus, 1, "status", NULL), "No broker answers", "not in order", NULL);
	check_timeline(&bus);
	check_audit(&bus);
	bus_start(&bus);
	party_until(&city, city.outcomes_count >= 2, 20000);
	check_entries(&bus);
	check_inspected(&bus);
	check_report(&bus);
	party_deinit(&city);
	party_deinit(&jobcenter);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	tool_holds(tool_admin(&bus, 1, "status", "--json", NULL), "\"source\":\"journal\"",
		"\"stopped_in_order\":true", "\"registry_version\":1", NULL);
	check_audit(&bus);

	check_verified(&bus);
	/* The end state of message 2 for party 2 (jobcenter): replay sees it, verify need not. */
	be64_put(end, 2);
	be32_put(end + 8, 2);
	tamper(&bus, "end", end, sizeof(end));
	tool_holds(tool_admin(&bus, 1, "audit", "replay", NULL), "entry 2:", "table end",
		"row-differs", NULL);
	tool_holds(tool_admin(&bus, 0, "audit", "verify", NULL), "No findings", NULL);
	/* Made anew, it is as it was; and a copy of all of it as well. */
	tool_holds(tool_admin(&bus, 0, "audit", "rebuild", NULL), "made anew", NULL);
	tool_holds(tool_admin(&bus, 0, "audit", "replay", NULL), "No differences", NULL);
	tool_holds(tool_admin(&bus, 0, "audit", "rebuild", "--out", bus_path(&bus, "copy"),
			   "--json", NULL),
		"\"complete\":true", NULL);
	tool_holds(tool_admin(&bus, 0, "audit", "replay", "--journal", bus_path(&bus, "copy"), NULL),
		"No differences", NULL);
	/* Its record: verify names it, and everything else is still told. */
	be64_put(sequence, 2);
	tamper(&bus, "record", sequence, sizeof(sequence));
	tool_holds(tool_admin(&bus, 1, "audit", "verify", NULL), "entry 2:", "record-changed",
		"FINDINGS: 1", NULL);
	tool_holds(tool_admin(&bus, 1, "audit", "verify", "--json", NULL),
		"\"verdict\":\"findings\"", "\"findings_total\":1", "\"sequence\":2",
		"\"code\":\"record-changed\"", NULL);
	tool_holds(tool_admin(&bus, 1, "audit", "show", "2", NULL), "damaged", NULL);
	tool_holds(tool_admin(&bus, 0, "case", "show", case_text, "--rebuild", NULL),
		"no broker runs on this journal", NULL);
	bus_deinit(&bus);
}

/* As an auditor in another house: a copy of the journal, the policy, no keys. */
static void the_tree_needs_no_keys(void)
{
	struct bus bus;
	char program[512], *output = NULL;
	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	const char *const argv[] = {program_path("broker/dienstweg-admin", program, sizeof(program)),
		"audit", "verify", "--journal", bus_path(&bus, "broker/journal"), "--policy",
		bus_path(&bus, "policy"), NULL};
	CHECK_INT(process_run(argv, &output, TOOL_MS), 0);
	tool_holds(output, "as to its tree", "No findings", NULL);
	const char *const no_policy[] = {argv[0], "audit", "verify", "--journal", argv[4], NULL};
	CHECK_INT(process_run(no_policy, &output, TOOL_MS), 2);
	tool_holds(output, "--policy", NULL);
	const char *const nowhere[] = {argv[0], "audit", "replay", NULL};
	CHECK_INT(process_run(nowhere, &output, TOOL_MS), 2);
	tool_holds(output, "--config", NULL);
	/* A folder with everything in it: its configuration is found. One with less: as deep as it goes. */
	const char *const whole[] = {argv[0], "audit", "verify", "--state", bus.dir, NULL};
	CHECK_INT(process_run(whole, &output, TOOL_MS), 0);
	tool_holds(output, "verified in full", "No findings", NULL);
	const char *const less[] = {argv[0], "audit", "verify", "--state", bus_path(&bus, "broker"),
		"--policy", argv[6], NULL};
	CHECK_INT(process_run(less, &output, TOOL_MS), 0);
	tool_holds(output, "as to its tree", NULL);
	const char *const deep[] = {argv[0], "audit", "verify", "--state", less[4], "--policy",
		argv[6], "--depth", "full", NULL};
	CHECK_INT(process_run(deep, &output, TOOL_MS), 2);
	tool_holds(output, "--master-key", NULL);
	const char *const empty[] = {
		argv[0], "queue", "list", "--journal", bus_path(&bus, "keys"), NULL};
	CHECK_INT(process_run(empty, &output, TOOL_MS), 3);
	tool_holds(output, "no journal can be read here", NULL);
	bus_deinit(&bus);
}

/* The recipient takes a few of what came since, and wants every fifth again. */
static void take_some(struct party *jobcenter, size_t *taken)
{
	size_t left = jobcenter->deliveries_count - *taken;
	if (left == 0 || client_state(jobcenter->client) != CLIENT_READY)
		return;
	if (*taken % 5 == 4) {
		party_nak(jobcenter, jobcenter->deliveries[(*taken)++].sequence, 5);
		return;
	}
	size_t run = 4 - *taken % 5;
	run = run < left ? run : left;
	party_acknowledge(jobcenter, *taken, run, NULL);
	*taken += run;
}

static void submit_some(struct party *city, size_t count)
{
	struct party_draft draft = {.region = "051240000000", .body = BYTES_STR("figures")};
	_cleanup_(arena_free) struct arena *arena = arena_new(64 << 20);
	CHECK(arena);
	party_submit(city, party_compose(city, &draft, count, arena), count, true);
}

/* As somebody who has nothing but a file, the pinned roots and the registry that they signed. */
static char *check(const struct bus *bus, int expected, const char *what, ...)
{
	char program[512], *output = NULL;
	const char *argv[WORDS_MAX + 8] = {
		program_path("broker/dienstweg-admin", program, sizeof(program)), "audit", "check",
		what};
	size_t count = 4;
	va_list args;
	va_start(args, what);
	for (const char *word; (word = va_arg(args, const char *)) != NULL;)
		argv[count++] = word;
	va_end(args);
	argv[count++] = "--policy";
	argv[count] = bus_path(bus, "policy");
	int code = process_run(argv, &output, TOOL_MS);
	if (code != expected)
		CHECK_FAIL(
			"audit check %s: exit %d, expected %d:\n%s", what, code, expected, output);
	return output;
}

/* The message that city sent, and the jobcenter's acknowledgement of it. */
static void prove_both(const struct bus *bus, const char *h, const char *registry)
{
	char proof[400], header[400], ack[400], batch[400];
	snprintf(proof, sizeof(proof), "%s", bus_path(bus, "message.tlog-proof"));
	snprintf(header, sizeof(header), "%s", bus_path(bus, "message.header"));
	snprintf(ack, sizeof(ack), "%s", bus_path(bus, "ack.tlog-proof"));
	snprintf(batch, sizeof(batch), "%s", bus_path(bus, "ack.batch"));
	tool_holds(tool_admin(bus, 0, "audit", "prove", h, "--out", proof, "--header", header, NULL),
		"Entry 2, accepted", NULL);
	tool_holds(check(bus, 0, proof, "--registry", registry, "--header", header, NULL),
		"It proves", "entry", "2, of kind accepted", h, "alg2.application", "from city to",
		"signed", "by its sender", "It does not prove", "delivered",
		"the broker's word alone", "no witnesses", NULL);
	tool_holds(tool_admin(bus, 0, "audit", "prove", "2", "--end", "jobcenter", "--out", ack,
			   "--batch", batch, NULL),
		"acknowledged", NULL);
	tool_holds(check(bus, 0, ack, "--registry", registry, "--batch", batch, "--json", NULL),
		"\"kind\":\"acknowledged\"", "\"signature_judged\":true", h, "\"accepted\":true",
		"\"final\":false", "\"verdict\":\"holds\"", NULL);
	/* The one is not about the bytes of the other. */
	tool_holds(check(bus, 1, ack, "--registry", registry, "--header", header, NULL), "NOT hold",
		"header", NULL);
	tool_holds(check(bus, 1, proof, "--registry", registry, "--header", batch, "--json", NULL),
		"\"verdict\":\"fails\"", "\"field\":\"header\"", NULL);
}

static void check_usage(const struct bus *bus, const char *registry)
{
	char proof[400];
	snprintf(proof, sizeof(proof), "%s", bus_path(bus, "message.tlog-proof"));
	tool_holds(check(bus, 3, proof, NULL), "--registry", NULL);
	tool_holds(check(bus, 3, bus_path(bus, "nowhere"), "--registry", registry, NULL), "nowhere",
		NULL);
	tool_holds(check(bus, 1, registry, "--registry", registry, NULL), "first line", NULL);
	tool_holds(check(bus, 1, bus_path(bus, "keys"), "--registry", registry, NULL),
		"checkpoint-missing", NULL);
	tool_holds(check(bus, 3, proof, "--registry", proof, NULL), "registry", NULL);
	tool_holds(check(bus, 2, proof, "--header", "a", "--batch", "b", NULL), "one of them", NULL);
	tool_holds(tool_admin(bus, 2, "audit", "prove", NULL), "which entry", NULL);
	tool_holds(tool_admin(bus, 2, "audit", "prove", "2", "--from", "1", NULL), "which entry",
		NULL);
	tool_holds(tool_admin(bus, 2, "audit", "prove", "2", "--json", NULL), "--out", NULL);
	tool_holds(tool_admin(bus, 1, "audit", "prove", "2", "--batch", proof, NULL), "no batch",
		NULL);
	tool_holds(tool_admin(bus, 1, "audit", "prove", "4000", NULL), "no entry 4000", NULL);
	tool_holds(tool_admin(bus, 1, "audit", "prove", "--from", "4000", NULL), "sizes are from 1",
		NULL);
	tool_holds(tool_admin(bus, 2, "audit", "export", "x", "--disclose", "9-2", NULL), "12-40",
		NULL);
	tool_holds(tool_admin(bus, 1, "audit", "export", "x", "--size", "1", NULL), "no checkpoint",
		NULL);
}

static void what_is_proven_holds_elsewhere(void)
{
	struct bus bus;
	struct party city, jobcenter;
	struct party_draft draft = {.region = "051240000000", .body = BYTES_STR("the form")};
	char h[65], registry[400], grown[400], held[500];
	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_init(&jobcenter, &bus, "jobcenter");
	party_connect(&city, NULL);
	party_connect(&jobcenter, NULL);
	text_hex(BYTES(party_send(&city, &draft)->h, 32), h);
	party_until(&jobcenter, jobcenter.acknowledged_count == 1, 10000);
	snprintf(registry, sizeof(registry), "%s", bus_path(&bus, "registry.signed"));
	prove_both(&bus, h, registry);
	tool_holds(tool_admin(&bus, 0, "audit", "list", "--kind", "inspected", NULL),
		"1 record of entry 2 opened by account", NULL);
	check_usage(&bus, registry);
	tool_holds(tool_admin(&bus, 0, "audit", "export", bus_path(&bus, "log"), NULL),
		"0 were there before", "disclosed    nothing", NULL);
	snprintf(held, sizeof(held), "%s/checkpoint", bus_path(&bus, "log"));

	/* Killed, started again: all of it goes on from there. */
	bus_end(&bus, SIGKILL);
	prove_both(&bus, h, registry);
	bus_start(&bus);
	snprintf(grown, sizeof(grown), "%s", bus_path(&bus, "grown"));
	tool_holds(tool_admin(&bus, 0, "audit", "prove", "--from", "3", "--out", grown, NULL),
		"begins with that of 3", NULL);
	tool_holds(check(&bus, 0, grown, "--registry", registry, NULL), "only grew", "3 entries",
		"nobody signed it here", "later tree", "signed by the log", NULL);
	tool_holds(check(&bus, 0, bus_path(&bus, "log"), "--registry", registry, "--checkpoint",
			   held, NULL),
		"No findings", NULL);
	/* A receipt holds a checkpoint; a file that holds none says nothing about the journal. */
	snprintf(held, sizeof(held), "%s", bus_path(&bus, "message.tlog-proof"));
	tool_holds(tool_admin(&bus, 0, "audit", "verify", "--checkpoint", held, NULL),
		"No findings", NULL);
	tool_holds(tool_admin(&bus, 3, "audit", "verify", "--checkpoint", registry, NULL),
		"holds no checkpoint", NULL);
	tool_holds(tool_admin(&bus, 0, "audit", "export", bus_path(&bus, "log"), "--disclose",
			   "2-2", NULL),
		"the journal records that this was opened: entry",
		"disclosed    entries 2 to 2: 1 in clear", "keep a note", NULL);
	tool_holds(check(&bus, 0, bus_path(&bus, "log"), "--registry", registry, NULL),
		"1 acknowledged", "No findings", "It does not prove", NULL);
	tool_holds(check(&bus, 0, bus_path(&bus, "log/disclosed/002.tlog-proof"), "--registry",
			   registry, "--header", bus_path(&bus, "log/disclosed/002.header"),
			   "--decision", bus_path(&bus, "log/disclosed/002.decision"), NULL),
		"alg2.application", "accepted for jobcenter", NULL);
	/* Out of the export, without a journal. */
	tool_holds(
		tool_admin(&bus, 2, "audit", "prove", h, "--archive", bus_path(&bus, "log"), NULL),
		"by their number", NULL);
	tool_holds(tool_admin(&bus, 0, "audit", "prove", "2", "--archive", bus_path(&bus, "log"),
			   "--out", grown, NULL),
		"stub alone", "Entry 2, accepted", NULL);
	tool_holds(check(&bus, 0, grown, "--registry", registry, NULL), "of kind accepted",
		"stub alone", NULL);
	party_deinit(&city);
	party_deinit(&jobcenter);
	bus_deinit(&bus);
}

/* Audits read a journal that is written to at this very moment, and must never see half a commit. */
static void agrees_while_the_broker_works(void)
{
	enum { ROUNDS = 8, MESSAGES = 150 };
	struct bus bus;
	struct party city, jobcenter;
	char program[512];
	size_t taken = 0;
	bus_init_usual(&bus, check_subdir());
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_init(&jobcenter, &bus, "jobcenter");
	jobcenter.manual = true;
	party_connect(&city, NULL);
	party_connect(&jobcenter, NULL);
	program_path("broker/dienstweg-admin", program, sizeof(program));
	for (int round = 0; round < ROUNDS; round++) {
		static const char *const verbs[] = {"replay", "export", "verify"};
		const char *verb = verbs[round % 3], *folder = round % 3 == 1 ? "export" : NULL;
		struct process tool = {};
		const char *const argv[] = {program, "audit", verb, "--config",
			bus_path(&bus, "broker.yaml"), folder ? bus_path(&bus, folder) : NULL, NULL};
		submit_some(&city, MESSAGES);
		party_step(&city, 20);
		process_start(&tool, bus_path(&bus, "logs/audit.log"), argv);
		long long deadline = now_ms() + TOOL_MS;
		while (process_running(&tool) || taken < (size_t)(round + 1) * MESSAGES / 2) {
			CHECK(now_ms() < deadline);
			party_step(&city, 0);
			party_step(&jobcenter, 1);
			take_some(&jobcenter, &taken);
		}
		CHECK_INT(process_wait(&tool, TOOL_MS), 0);
		if (round == ROUNDS / 2) {
			bus_end(&bus, SIGKILL);
			bus_start(&bus);
		}
	}
	party_deinit(&city);
	party_deinit(&jobcenter);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	check_audit(&bus);
	tool_holds(check(&bus, 0, bus_path(&bus, "export"), "--registry",
			   bus_path(&bus, "registry.signed"), NULL),
		"No findings", NULL);
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(a_case_is_told_and_proven), CHECK_CASE(the_tree_needs_no_keys),
	CHECK_CASE(what_is_proven_holds_elsewhere), CHECK_CASE(agrees_while_the_broker_works))
