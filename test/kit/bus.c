/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Scenarios drive the real broker, so they need everything an operator would have made: keys, a signed
 * registry, a policy, a configuration. Made through the same code as the real ones, in a fraction of a
 * second.
 */
#include "test/kit/bus.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/identity/keyfile.h"
#include "proto/note/note.h"
#include "test/kit/check.h"

enum { READY_MS = 20000 };

const char *bus_path(const struct bus *bus, const char *relative)
{
	static char paths[4][512];
	static int turn;
	char *path = paths[turn++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", bus->dir, relative);
	return path;
}

static void _printf_(3, 4) text_write(const char *path, mode_t mode, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	CHECK(n >= 0);
	CHECK_INT(file_replace(path, BYTES(text, n), mode), 0);
	free(text);
}

void bus_init(struct bus *bus, const char *dir)
{
	*bus = (struct bus){.extra = "", .adapter_extra = ""};
	CHECK_INT(crypto_init(), 0);
	snprintf(bus->dir, sizeof(bus->dir), "%s", dir);
	bus->port = port_take();
	snprintf(bus->endpoint, sizeof(bus->endpoint), "tcp://127.0.0.1:%d", bus->port);
	bus->fixture = registry_fixture_new("test.demo");
	CHECK_INT(dir_make(bus_path(bus, "keys"), 0700), 0);
	CHECK_INT(dir_make(bus_path(bus, "logs"), 0700), 0);
	CHECK_INT(dir_make(bus_path(bus, "broker"), 0700), 0);
}

void bus_deinit(struct bus *bus)
{
	bus_end(bus, SIGKILL);
	registry_unref(bus->registry);
	registry_fixture_free(bus->fixture);
}

void bus_init_usual(struct bus *bus, const char *dir)
{
	bus_init(bus, dir);
	struct registry_fixture *f = bus->fixture;
	registry_fixture_party(f, "city", NULL);
	registry_fixture_party(f, "jobcenter", NULL);
	registry_fixture_service(f, "alg2.application");
	registry_fixture_service(f, "alg2.status");
	registry_fixture_service(f, "alg2.decision");
	Dienstweg__Agreement *a = registry_fixture_agreement(
		f, "city-jobcenter-2021", "2021-07-01", NULL);
	a->legal_basis = registry_fixture_text(f, BYTES_STR("§ 6a SGB II"));
	registry_fixture_flow(f, a, "alg2.application", "city", "jobcenter", "05124");
	registry_fixture_flow(f, a, "alg2.status,alg2.decision", "jobcenter", "city", NULL);
}

/* One NAME.secret with the keys of an owner for the uses given. */
static void secret_write(struct bus *bus, const char *owner, const char *name,
	const enum key_use *uses, size_t count)
{
	struct keyring_secret keys = {0};

	snprintf(keys.owner, sizeof(keys.owner), "%s", owner);
	for (size_t i = 0; i < count; i++) {
		const struct key_secret *key = registry_fixture_secret(bus->fixture, owner, uses[i]);
		if (key) /* an operated party has no transport key */
			keys.keys[keys.count++] = (struct key_secret *)(uintptr_t)key;
	}
	CHECK_INT(keyfile_write(bus_path(bus, "keys"), name, &keys), 0);
}

/* The lines of a policy that pin the registry's witnesses and their quorum. */
static void quorum_lines(struct bus *bus, char *text, size_t size)
{
	struct policy policy;
	char vkey[NOTE_VKEY_SIZE];
	size_t n = 0;
	registry_witnesses(bus->registry, &policy);
	for (size_t i = 0; i < policy.witnesses_count; i++) {
		note_key_format(&policy.witnesses[i], vkey);
		n += (size_t)snprintf(
			text + n, size - n, "witness %s %s\n", policy.witnesses[i].name, vkey);
	}
	if (policy.witness_quorum > 0)
		n += (size_t)snprintf(
			text + n, size - n, "group witnesses %zu", policy.witness_quorum);
	for (size_t i = 0; policy.witness_quorum > 0 && i < policy.witnesses_count; i++)
		n += (size_t)snprintf(text + n, size - n, " %s", policy.witnesses[i].name);
	n += (size_t)snprintf(text + n, size - n, "%squorum %s\n",
		policy.witness_quorum ? "\n" : "", policy.witness_quorum ? "witnesses" : "none");
	CHECK(n < size);
}

static void policy_write(struct bus *bus)
{
	struct note_key roots[3];
	char lines[3][NOTE_VKEY_SIZE], quorum[16 * NOTE_VKEY_SIZE];

	registry_fixture_roots(bus->fixture, roots);
	for (int i = 0; i < 3; i++)
		note_key_format(&roots[i], lines[i]);
	quorum_lines(bus, quorum, sizeof(quorum));
	text_write(bus_path(bus, "policy"), 0644, "root %s\nroot %s\nroot %s\nroot-quorum 2\n%s",
		lines[0], lines[1], lines[2], quorum);
}

/* NAME.witness.secret for each. */
static void witnesses_write(struct bus *bus)
{
	static const enum key_use uses[] = {KEY_WITNESS};
	struct policy policy;
	registry_witnesses(bus->registry, &policy);
	for (size_t i = 0; i < policy.witnesses_count; i++) {
		char file[160];
		snprintf(file, sizeof(file), "%s.witness", policy.witnesses[i].name);
		secret_write(bus, policy.witnesses[i].name, file, uses, 1);
	}
}

static void parties_write(struct bus *bus)
{
	static const enum key_use uses[] = {KEY_SIGN, KEY_SEAL, KEY_TRANSPORT};
	Dienstweg__RegistryContent *content = registry_fixture_content(bus->fixture);

	for (size_t i = 0; i < content->n_parties; i++) {
		char name[64], file[80];
		snprintf(name, sizeof(name), "%.*s", (int)content->parties[i]->name.len,
			(const char *)content->parties[i]->name.data);
		snprintf(file, sizeof(file), "keys/%s.secret", name);
		if (access(bus_path(bus, file), F_OK) != 0)
			secret_write(bus, name, name, uses, ARRAY_LEN(uses));
	}
}

void bus_registry_next(struct bus *bus)
{
	struct registry *next = registry_fixture_load(
		bus->fixture, registry_version(bus->registry) + 1, bus->registry);
	registry_unref(bus->registry);
	bus->registry = next;
	parties_write(bus);
	CHECK_INT(file_replace(bus_path(bus, "registry.signed"), registry_signed_bytes(next), 0644),
		0);
}

void bus_config_write(const struct bus *bus, const char *extra)
{
	text_write(bus_path(bus, "broker.yaml"), 0644,
		"bus: test.demo\nlisten: [\"%s\"]\nstate: broker\nregistry: registry.signed\n"
		"policy: policy\nkeys: keys/bus.secret\nmaster_key: keys/master\n%s",
		bus->endpoint, extra);
}

void bus_write(struct bus *bus)
{
	static const enum key_use bus_uses[] = {KEY_LOG, KEY_TRANSPORT};
	uint8_t master[32];

	bus->registry = registry_fixture_load(bus->fixture, 1, NULL);
	CHECK_INT(file_replace(bus_path(bus, "registry.signed"),
			  registry_signed_bytes(bus->registry), 0644),
		0);
	policy_write(bus);
	parties_write(bus);
	witnesses_write(bus);
	secret_write(bus, "test.demo", "bus", bus_uses, ARRAY_LEN(bus_uses));
	random_fill(master, sizeof(master));
	CHECK_INT(file_replace(bus_path(bus, "keys/master"), BYTES(master, 32), 0600), 0);
	bus_config_write(bus, bus->extra);
}

void bus_start(struct bus *bus)
{
	char program[512];
	const char *const argv[] = {
		program_path("broker/dienstweg-broker", program, sizeof(program)), "--config",
		bus_path(bus, "broker.yaml"), "--demo", NULL};
	const char *log = bus_path(bus, "logs/broker.log");
	long from = file_size(log);

	process_start(&bus->broker, log, argv);
	bus->log_seen = wait_for_line(log, "\"serving\"", from, READY_MS);
	if (bus->log_seen < 0)
		CHECK_FAIL("the broker does not serve");
}

int bus_end(struct bus *bus, int signal)
{
	return process_end(&bus->broker, signal);
}

void bus_adapter_write(const struct bus *bus, const char *party, const char *broker_endpoint)
{
	static const char *const folders[] = {"in", "out", "done", "failed", "receipts", "state"};
	char folder[512], file[128];

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		snprintf(folder, sizeof(folder), "%s/%s/%s", bus->dir, party, folders[i]);
		CHECK_INT(dir_make(folder, 0700), 0);
	}
	snprintf(file, sizeof(file), "%s.yaml", party);
	text_write(bus_path(bus, file), 0644,
		"bus: test.demo\nbroker: \"%s\"\nparty: %s\nkeys: [keys/%s.secret]\n"
		"registry: %s/registry.signed\npolicy: policy\nstate: %s/state\n"
		"connector:\n  kind: folder\n  in: %s/in\n  out: %s/out\n  done: %s/done\n"
		"  failed: %s/failed\n  receipts: %s/receipts\n%s",
		broker_endpoint, party, party, party, party, party, party, party, party, party,
		bus->adapter_extra);
	snprintf(file, sizeof(file), "%s/registry.signed", party);
	CHECK_INT(file_replace(bus_path(bus, file), registry_signed_bytes(bus->registry), 0644), 0);
}
