/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Everything is made by the code that makes the real ones, in a folder in memory. The broker's process does what
 * broker/main.c does around reactor_run(); after a failure nothing is tidied there either.
 */
#include "test/sim/town.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "conf/guard.h"
#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/sim/disk.h"
#include "test/sim/net.h"

/* Of enquiries, and of submissions that want a reply. */
enum { ANSWER_S = 20, PENDING_MAX = 4, OVERDUE_MS = 60000 };

/* 2026-03-02 08:00 UTC */
static const uint64_t BEGIN_MS = UINT64_C(1772438400000);

static const char broker_extra[] =
	"workers: 2\nlog_level: error\n"
	"journal: {map_size: 256 MiB, disk_reserve: 1 MiB}\n"
	"limits: {sessions: 16, party_bytes: 1 MiB, global_bytes: 4 MiB, delivery_bytes: 1 MiB, "
	"refusals_per_minute: 3, commit: 64}\n"
	"delivery: {lease: 20 s, backoff_min: 200 ms, backoff_max: 5 s, attempts: 5}\n"
	"queue: {messages: 400}\n";

/* ---- files ---- */

/* They watch the log for each other; one of them may be away and the others are enough. */
static const char *const witnesses[] = {"city", "jobcenter", "ministry"};

static void witnesses_make(struct town *town)
{
	struct registry_fixture *f = town->bus.fixture;
	if (!town->witnessed)
		return;
	for (size_t i = 0; i < ARRAY_LEN(witnesses); i++)
		registry_fixture_witness(f, witnesses[i]);
	registry_fixture_content(f)->witness_quorum = ARRAY_LEN(witnesses) - 1;
}

static void registry_make(struct registry_fixture *f, bool wild)
{
	registry_fixture_party(f, "city", NULL);
	registry_fixture_party(f, "jobcenter", NULL);
	registry_fixture_party(f, "ministry", NULL);
	registry_fixture_party(f, "cooperative", NULL);
	registry_fixture_party(f, "village", "cooperative");
	registry_fixture_service(f, "alg2.application");
	registry_fixture_service(f, "alg2.decision");
	Dienstweg__Service *question = registry_fixture_service(f, "benefit.question");
	question->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	question->answer_s = ANSWER_S;
	question->pending_max = PENDING_MAX;
	Dienstweg__Service *referral = registry_fixture_service(f, "referral");
	referral->overdue_ms = OVERDUE_MS;
	referral->due_soon_ms = OVERDUE_MS / 3;
	registry_fixture_service(f, "figures")
		->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	Dienstweg__Service *notice = registry_fixture_service(f, "death.notice");
	notice->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	notice->event = true;
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "alg2", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "alg2.application", "city,village", "jobcenter", "05124");
	registry_fixture_flow(f, a, "alg2.decision", "jobcenter", "city", NULL);
	registry_fixture_flow(f, a, "alg2.decision", "jobcenter", "village", NULL);
	registry_fixture_flow(f, a, "benefit.question", "city,village", "jobcenter", NULL);
	registry_fixture_flow(f, a, "referral", "city,village", "jobcenter", NULL);
	a = registry_fixture_agreement(f, "figures", "2021-07-01", NULL);
	a->quota_messages = 400;
	registry_fixture_flow(f, a, "figures", "city,jobcenter,village", "ministry", NULL);
	a = registry_fixture_agreement(f, "notices", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "death.notice", "city", "jobcenter", NULL);
	registry_fixture_flow(f, a, "death.notice", "city", "ministry", NULL);
	registry_fixture_flow(f, a, "death.notice", "city", "village", NULL);
	if (!wild)
		return;
	registry_fixture_party(f, "kiosk", NULL);
	registry_fixture_service(f, "complaint");
	registry_fixture_service(f, "reply");
	registry_fixture_flow(f, a, "death.notice", "city", "kiosk", NULL);
	a = registry_fixture_agreement(f, "complaints", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "complaint", "kiosk", "jobcenter", NULL);
	registry_fixture_flow(f, a, "reply", "city,jobcenter", "kiosk", NULL);
}

static void adapter_write(struct town *town, struct agency *agency)
{
	char text[2048], keys[128], operates[96] = "", witness[96] = "",
				    why[CONFIG_ERROR_SIZE] = "", path[512];
	const char *party = agency->party;
	snprintf(keys, sizeof(keys), "keys/%s.secret", party);
	if (agency->operates) {
		snprintf(keys, sizeof(keys), "keys/%s.secret, keys/%s.secret", party,
			agency->operates);
		snprintf(operates, sizeof(operates), "operates: [%s]\n", agency->operates);
	}
	for (size_t i = 0; i < ARRAY_LEN(witnesses) && town->witnessed; i++)
		if (strcmp(witnesses[i], party) == 0 && i != town->absent)
			snprintf(witness, sizeof(witness), "witness: keys/%s.witness.secret\n",
				party);
	snprintf(text, sizeof(text),
		"bus: test.demo\nbroker: \"tcp://127.0.0.1:1\"\nparty: %s\nkeys: [%s]\n%s%s"
		"registry: %s/registry.signed\npolicy: policy\nstate: %s/state\nlog_level: error\n"
		"outbox: {map_size: 64 MiB, messages: 200}\n"
		"flight: {messages: 24, batch: 8, credit_messages: 16, credit_bytes: 1 MiB}\n"
		"connector: {kind: none}\n",
		party, keys, operates, witness, party, party);
	CHECK_INT(dir_make(bus_path(&town->bus, party), 0700), 0);
	snprintf(path, sizeof(path), "%s/%s.yaml", town->bus.dir, party);
	CHECK_INT(file_replace(path, BYTES_STR(text), 0644), 0);
	int r = config_adapter_read(path, &agency->config, why, sizeof(why));
	CHECK_STR(why, "");
	CHECK_INT(r, 0);
	snprintf(path, sizeof(path), "%s/%s/registry.signed", town->bus.dir, party);
	CHECK_INT(file_replace(path, registry_signed_bytes(town->bus.registry), 0644), 0);
	snprintf(path, sizeof(path), "%s/%s/state", town->bus.dir, party);
	CHECK_INT(dir_make(path, 0700), 0);
}

static void broker_write(struct town *town)
{
	char why[CONFIG_ERROR_SIZE] = "";
	struct bus *bus = &town->bus;
	snprintf(bus->endpoint, sizeof(bus->endpoint), "tcp://127.0.0.1:1");
	bus->extra = broker_extra;
	bus_write(bus);
	int r = config_broker_read(bus_path(bus, "broker.yaml"), &town->config, why, sizeof(why));
	CHECK_STR(why, "");
	CHECK_INT(r, 0);
	CHECK_INT(guard_broker(town->config, true, why, sizeof(why)), 0);
}

/* ---- processes ---- */

static void broker_main(struct proc *process)
{
	char why[BROKER_ERROR_SIZE] = "";
	struct town *town = process->context;
	struct broker *broker = NULL;
	int r = broker_new(town->config, clock_system(), NULL, &broker, why, sizeof(why));
	if (r != 0) {
		town_tell(town, "the broker does not start: %s (%d)", why, r);
		if (r > 0)
			ledger_violate(&town->ledger, "the broker refuses to start: %s", why);
		return;
	}
	town->broker = broker;
	r = reactor_run(broker_reactor(broker));
	if (r == REACTOR_DONE) {
		town->broker = NULL;
		broker_free(broker);
	}
	town_tell(town, "the broker ends (%d)", r);
}

static void agency_add(struct town *town, const char *party, const char *operates)
{
	struct agency *agency = &town->agencies[town->agencies_count++];
	*agency = (struct agency){.town = town, .party = party, .operates = operates};
	agency->process = (struct proc){.name = party, .main = agency_main, .context = agency};
	agency->mood = 3 + chance_below(&town->machine.chance, 30);
	agency->haste = 1 + chance_below(&town->machine.chance, 12);
	proc_add(&town->machine, &agency->process);
	adapter_write(town, agency);
}

static void hostile_add(struct town *town, const char *party)
{
	struct agency *agency = &town->agencies[town->agencies_count++];
	*agency = (struct agency){.town = town, .party = party, .wild = true};
	agency->process = (struct proc){.name = party, .main = hostile_main, .context = agency};
	proc_add(&town->machine, &agency->process);
	ledger_careless(&town->ledger, ledger_party(&town->ledger, BYTES_STR(party)));
}

struct agency *town_agency(struct town *town, struct bytes party)
{
	for (size_t i = 0; i < town->agencies_count; i++) {
		struct agency *agency = &town->agencies[i];
		if (bytes_equal(party, BYTES_STR(agency->party)) ||
			(agency->operates && bytes_equal(party, BYTES_STR(agency->operates))))
			return agency;
	}
	return NULL;
}

struct town *town_new(uint64_t seed, const char *dir)
{
	struct town *town = calloc(1, sizeof(*town));
	CHECK(town);
	machine_init(&town->machine, seed, BEGIN_MS);
	ledger_init(&town->ledger);
	bus_init(&town->bus, dir);
	bool wild = machine_chance(3);
	town->encloses = machine_chance(2);
	town->witnessed = machine_chance(2);
	town->absent = (uint8_t)machine_between(0, 2 * ARRAY_LEN(witnesses));
	registry_make(town->bus.fixture, wild);
	witnesses_make(town);
	broker_write(town);
	town->process = (struct proc){.name = "broker", .main = broker_main, .context = town};
	proc_add(&town->machine, &town->process);
	operator_init(town);
	agency_add(town, "city", NULL);
	agency_add(town, "jobcenter", NULL);
	agency_add(town, "ministry", NULL);
	agency_add(town, "cooperative", "village");
	if (wild)
		hostile_add(town, "kiosk");
	town->writing = true;
	return town;
}

void town_free(struct town *town)
{
	for (size_t i = 0; i < town->agencies_count; i++) {
		config_adapter_free(town->agencies[i].config);
		free(town->agencies[i].letters);
		free(town->agencies[i].questions);
		free(town->agencies[i].responses);
	}
	free(town->enclosed);
	config_broker_free(town->config);
	net_deinit();
	disk_deinit();
	ledger_deinit(&town->ledger);
	bus_deinit(&town->bus);
	machine_deinit(&town->machine);
	free(town);
}

/* ---- the story ---- */

void town_tell(struct town *town, const char *format, ...)
{
	va_list args;
	char *line = town->trace[town->told_count++ % TOWN_TRACE];
	int n = snprintf(line, TOWN_LINE, "%9.3f s  ", (double)town->machine.mono_ns / 1e9);
	va_start(args, format);
	vsnprintf(line + n, TOWN_LINE - (size_t)n, format, args);
	va_end(args);
	if (town->loud)
		puts(line);
}

void town_print(const struct town *town)
{
	uint64_t first = town->told_count > TOWN_TRACE ? town->told_count - TOWN_TRACE : 0;
	for (uint64_t i = first; i < town->told_count && !town->loud; i++)
		printf("  %s\n", town->trace[i % TOWN_TRACE]);
}
