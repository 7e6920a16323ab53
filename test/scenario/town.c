/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The stories of agencies are about folders; how a town comes to have them is told once, here.
 */
#include "test/scenario/town.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

/* ---- files ---- */

void path_to(const struct town *town, char *path, const char *format, ...)
{
	va_list args;
	int n = snprintf(path, TOWN_PATH, "%s/", town->bus.dir);
	va_start(args, format);
	n += vsnprintf(path + n, TOWN_PATH - (size_t)n, format, args);
	va_end(args);
	CHECK(n < TOWN_PATH);
}

void put(const char *path, struct bytes data)
{
	CHECK_INT(file_replace(path, data, 0644), 0);
}

void put_text(const char *path, const char *text)
{
	put(path, BYTES_STR(text));
}

static void digest_of(const char *path, uint8_t digest[HASH_SIZE])
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	size_t len = 0;
	int r = file_read(path, 1 << 20, &data, &len);
	if (r)
		CHECK_FAIL("%s: %d", path, r);
	blake2b_of(BYTES(data, len), digest);
}

void same_file(const char *a, const char *b)
{
	uint8_t x[HASH_SIZE], y[HASH_SIZE];
	digest_of(a, x);
	digest_of(b, y);
	if (memcmp(x, y, HASH_SIZE) != 0)
		CHECK_FAIL("%s and %s differ", a, b);
}

/* The first name in a folder that ends so; fails when there is none. */
void name_in(const char *folder, const char *suffix, char name[256])
{
	DIR *dir = opendir(folder);
	CHECK(dir != NULL);
	name[0] = '\0';
	for (const struct dirent *e; (e = readdir(dir));) {
		size_t len = strlen(e->d_name), end = strlen(suffix);
		if (e->d_name[0] != '.' && len >= end && strcmp(e->d_name + len - end, suffix) == 0)
			snprintf(name, 256, "%s", e->d_name);
	}
	closedir(dir);
	if (!name[0])
		CHECK_FAIL("%s holds nothing that ends in %s", folder, suffix);
}

/* Waits for OUT/CASE/SEQUENCE-WHAT of any case and gives its path. */
void wait_for_letter(const char *out, const char *what, char letter[TOWN_PATH])
{
	char name[256], folder[TOWN_PATH];
	if (wait_for_files(out, "", 1, TOWN_WAIT_MS) < 1)
		CHECK_FAIL("nothing came to %s", out);
	name_in(out, "", name);
	CHECK((size_t)snprintf(folder, sizeof(folder), "%s/%s", out, name) < sizeof(folder));
	if (wait_for_files(folder, what, 1, TOWN_WAIT_MS) < 1)
		CHECK_FAIL("no %s came to %s", what, folder);
	name_in(folder, what, name);
	CHECK((size_t)snprintf(letter, TOWN_PATH, "%s/%s", folder, name) < TOWN_PATH);
}

json_t *json_at(const char *folder, const char *name)
{
	char path[TOWN_PATH];
	json_error_t error;
	CHECK((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path));
	json_t *json = json_load_file(path, 0, &error);
	if (!json)
		CHECK_FAIL("%s: %s", path, error.text);
	return json;
}

const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text ? text : "";
}

/* ---- the town ---- */

static const char settings[] =
	"registry: %s/registry.signed\npolicy: policy\nstate: %s/state\n"
	"connector:\n  kind: folder\n  in: %s/in\n  out: %s/out\n  done: %s/done\n"
	"  failed: %s/failed\n  receipts: %s/receipts\n  settle: 50 ms\n";

static void adapter_write(struct town *town, const char *name, const char *parties, const char *more)
{
	char path[TOWN_PATH], text[4000];
	int n = snprintf(text, sizeof(text), "bus: test.demo\nbroker: \"%s\"\nparty: %s\n%s",
		town->bus.endpoint, name, parties);
	n += snprintf(text + n, sizeof(text) - (size_t)n, settings, name, name, name, name, name,
		name, name);
	CHECK((size_t)snprintf(text + n, sizeof(text) - (size_t)n, "%s", more) <
		sizeof(text) - (size_t)n);
	path_to(town, path, "%s/in", name);
	CHECK_INT(dir_make(path, 0700), 0);
	path_to(town, path, "%s/registry.signed", name);
	put(path, registry_signed_bytes(town->bus.registry));
	path_to(town, path, "%s.yaml", name);
	put_text(path, text);
}

static void town_make(struct town *town, bool witnessed)
{
	*town = (struct town){};
	bus_init(&town->bus, check_subdir());
	struct registry_fixture *f = town->bus.fixture;
	registry_fixture_party(f, "city", NULL);
	registry_fixture_party(f, "youthoffice", "city");
	Dienstweg__Party *jobcenter = registry_fixture_party(f, "jobcenter", NULL);
	dienstweg__identifier__init(&town->identifier);
	town->identifier.scheme = registry_fixture_text(f, BYTES_STR("xjustiz"));
	town->identifier.value = registry_fixture_text(f, BYTES_STR("Digitalservice"));
	town->identifiers[0] = &town->identifier;
	jobcenter->identifiers = town->identifiers;
	jobcenter->n_identifiers = 1;
	static const char *const services[] = {"alg2.application", "alg2.status", "alg2.decision",
		"uvg.application", "uvg.status", "uvg.decision"};
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		registry_fixture_service(f, services[i]);
	Dienstweg__Service *question = registry_fixture_service(f, "benefit.question");
	question->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	question->answer_s = 3600;
	question->pending_max = 16;
	Dienstweg__Service *xjustiz = registry_fixture_service(f, "xjustiz.document");
	town->type = registry_fixture_text(
		f, BYTES_STR("nachricht.gds.uebermittlungSchriftgutobjekte.0005005"));
	xjustiz->message_types = &town->type;
	xjustiz->n_message_types = 1;
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "a1", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "alg2.application", "city", "jobcenter", "05124");
	registry_fixture_flow(f, a, "xjustiz.document,benefit.question", "city", "jobcenter", NULL);
	registry_fixture_flow(f, a, "alg2.status,alg2.decision", "jobcenter", "city", NULL);
	registry_fixture_flow(f, a, "uvg.application", "city", "youthoffice", "05124");
	registry_fixture_flow(f, a, "uvg.status,uvg.decision", "youthoffice", "city", NULL);
	if (witnessed) {
		registry_fixture_witness(f, "city");
		registry_fixture_witness(f, "jobcenter");
		registry_fixture_content(f)->witness_quorum = 2;
	}
	bus_write(&town->bus);
	xjustiz->n_message_types = jobcenter->n_identifiers = 0;
	adapter_write(town, "city",
		"operates: [youthoffice]\nkeys: [keys/city.secret, keys/youthoffice.secret]\n",
		witnessed ? "  documents: city/documents\nlog_level: debug\nwitness: "
			    "keys/city.witness.secret\n"
			  : "  documents: city/documents\n");
	adapter_write(town, "jobcenter", "keys: [keys/jobcenter.secret]\n",
		witnessed ? "witness: keys/jobcenter.witness.secret\n" : "");
}

void town_init(struct town *town)
{
	town_make(town, false);
}

void town_init_witnessed(struct town *town)
{
	town_make(town, true);
}

void adapter_start(struct town *town, struct process *process, const char *name)
{
	char program[512], relative[64], config[TOWN_PATH], log[TOWN_PATH];
	snprintf(relative, sizeof(relative), "adapters/%s/dienstweg-%s", name, name);
	path_to(town, config, "%s.yaml", name);
	path_to(town, log, "logs/%s.log", name);
	const char *const argv[] = {program_path(relative, program, sizeof(program)), "--config",
		config, "--demo", NULL};
	process_start(process, log, argv);
}

void town_start(struct town *town)
{
	bus_start(&town->bus);
	adapter_start(town, &town->city, "city");
	adapter_start(town, &town->jobcenter, "jobcenter");
}

void town_deinit(struct town *town)
{
	CHECK_INT(process_end(&town->city, SIGTERM), 0);
	CHECK_INT(process_end(&town->jobcenter, SIGTERM), 0);
	CHECK_INT(bus_end(&town->bus, SIGTERM), 0);
	bus_deinit(&town->bus);
}
