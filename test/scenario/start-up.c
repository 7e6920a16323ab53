/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The mistakes of those who set a broker up. Each is found before anything is served, in one line that
 * names file, field or line, and what to do; with --check before the evening of the change. A broker that
 * refused leaves everything as it was: with the mistake mended it starts.
 */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/db.h"
#include "proto/base/file.h"
#include "proto/identity/keyfile.h"
#include "test/kit/bus.h"
#include "test/kit/check.h"
#include "test/kit/wire.h"

enum { RUN_MS = 30000, FILE_MAX = 1 << 20, NEGATIVE = 1, USAGE = 2, FAILURE = 3, WORDS_MAX = 4 };

/* ---- running ---- */

struct run {
	const char *config; /* relative to the bus's folder */
	bool check, no_demo;
	int code;
	const char *words[WORDS_MAX]; /* all in what it printed */
};

static void run(const struct bus *bus, const struct run *run)
{
	char program[512], *output;
	const char *argv[8] = {program_path("broker/dienstweg-broker", program, sizeof(program)),
		"--config", bus_path(bus, run->config ? run->config : "broker.yaml")};
	size_t at = 3;

	if (run->check)
		argv[at++] = "--check";
	if (!run->no_demo)
		argv[at++] = "--demo";
	int code = process_run(argv, &output, RUN_MS);
	for (size_t i = 0; i < WORDS_MAX && run->words[i]; i++)
		if (!strstr(output, run->words[i]))
			CHECK_FAIL("\"%s\" is not in: %s", run->words[i], output);
	if (code != run->code)
		CHECK_FAIL("exit code %d, expected %d: %s", code, run->code, output);
	CHECK(!strstr(output, "\"serving\""));
	free(output);
}

/* Refused by --check and by a start, in the same words. */
static void refused(const struct bus *bus, const char *a, const char *b, const char *c)
{
	struct run both = {.code = NEGATIVE, .words = {a, b, c}};

	run(bus, &both);
	both.check = true;
	run(bus, &both);
}

/* Not seen by --check, which does not open the journal. */
static void refused_at_start(const struct bus *bus, const char *a, const char *b, const char *c)
{
	run(bus, &(struct run){.code = NEGATIVE, .words = {a, b, c}});
}

static void starts(struct bus *bus)
{
	run(bus, &(struct run){.check = true, .words = {"good"}});
	bus_start(bus);
	CHECK_INT(bus_end(bus, SIGTERM), 0);
}

/* ---- files ---- */

struct saved {
	char path[512];
	uint8_t *data;
	size_t len;
};

static struct saved file_save(const struct bus *bus, const char *name)
{
	struct saved saved;

	snprintf(saved.path, sizeof(saved.path), "%s", bus_path(bus, name));
	CHECK_INT(file_read(saved.path, FILE_MAX, &saved.data, &saved.len), 0);
	return saved;
}

static void file_put(const char *path, struct bytes data)
{
	CHECK_INT(file_replace(path, data, 0600), 0);
}

static void file_restore(struct saved *saved)
{
	file_put(saved->path, BYTES(saved->data, saved->len));
	free(saved->data);
}

/* The file as it was, with one text in place of another. */
static void file_change(const struct saved *saved, const char *from, const char *to)
{
	const uint8_t *hit = memmem(saved->data, saved->len, from, strlen(from));
	char *text;

	CHECK(hit);
	size_t before = (size_t)(hit - saved->data);
	const uint8_t *rest = hit + strlen(from);
	int len = asprintf(&text, "%.*s%s%.*s", (int)before, (const char *)saved->data, to,
		(int)(saved->len - before - strlen(from)), (const char *)rest);
	CHECK(len >= 0);
	file_put(saved->path, BYTES(text, (size_t)len));
	free(text);
}

static void bus_open(struct bus *bus)
{
	bus_init_usual(bus, check_subdir());
	bus_write(bus);
}

/* ---- stories ---- */

static void a_wrong_line_is_named(void)
{
	static const struct {
		const char *from, *to, *where, *what;
	} mistakes[] = {
		{"policy: policy", "polcy: policy", "broker.yaml:5", "polcy"},
		{"policy: policy\n", "", "broker.yaml", "policy: missing"},
		{"bus: test.demo", "bus: Test Demo", "broker.yaml:1: bus", "no name"},
		{"listen: [", "listen: [\"udp://x\", ", "broker.yaml:2",
			"listen[1]: \"udp://x\" is no endpoint"},
		{"state: broker", "state: [broker]", "broker.yaml:3", "state"},
		{"state: broker", "state: broker\nstate: other", "broker.yaml", "state"},
		{"state: broker", "state: broker\nworkers: 0", "broker.yaml:4: workers", "range"},
		{"state: broker", "state: broker\nworkers: many", "broker.yaml:4: workers", "number"},
		{"state: broker", "state: broker\nlog_level: loud", "broker.yaml:4", "debug, info"},
		{"state: broker", "state: broker\njournal:\n  map_size: 64 apples",
			"broker.yaml:5: journal.map_size", "write"},
		{"state: broker", "state: broker\njournal:\n  mapsize: 1 GiB", "broker.yaml:5",
			"known here: map_size"},
		{"state: broker", "state: broker\nlimits:\n  party_bytes: 1 GiB",
			"broker.yaml:5: limits.party_bytes", "limits.global_bytes"},
		{"state: broker", "state: broker\n\tworkers: 1", "broker.yaml:4", "tab"},
		{"listen: [", "listen: [[", "broker.yaml", ""},
	};
	struct bus bus;

	bus_open(&bus);
	struct saved yaml = file_save(&bus, "broker.yaml");
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		file_change(&yaml, mistakes[i].from, mistakes[i].to);
		refused(&bus, mistakes[i].where, mistakes[i].what, NULL);
	}
	file_put(yaml.path, BYTES_STR(""));
	refused(&bus, "broker.yaml", NULL, NULL);
	file_restore(&yaml);
	run(&bus, &(struct run){.config = "none.yaml",
			  .check = true,
			  .code = NEGATIVE,
			  .words = {"none.yaml", "No such file"}});
	run(&bus, &(struct run){.config = "none.yaml", .code = NEGATIVE, .words = {"none.yaml"}});
	starts(&bus);
	bus_deinit(&bus);
}

static void a_missing_file_is_named(void)
{
	static const struct {
		const char *name, *remedy;
	} files[] = {{"registry.signed", "fetch"}, {"policy", "fetch"},
		{"keys/bus.secret", "keygen bus"}, {"keys/master", "keygen master"}};
	struct bus bus;

	bus_open(&bus);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct saved saved = file_save(&bus, files[i].name);
		CHECK_INT(unlink(saved.path), 0);
		refused(&bus, files[i].name, "not there", files[i].remedy);
		CHECK_INT(mkdir(saved.path, 0700), 0);
		run(&bus, &(struct run){.check = true, .code = NEGATIVE, .words = {files[i].name}});
		CHECK_INT(rmdir(saved.path), 0);
		file_restore(&saved);
	}
	starts(&bus);
	bus_deinit(&bus);
}

static void secrets_are_kept(void)
{
	static const char *const homes[] = {"keys", "broker", "."};
	struct bus bus;

	bus_open(&bus);
	run(&bus,
		&(struct run){.no_demo = true, .code = NEGATIVE, .words = {"test.demo", "--demo"}});
	CHECK_INT(chmod(bus_path(&bus, "keys/bus.secret"), 0644), 0);
	refused(&bus, "keys/bus.secret", "others may read", "chmod 600");
	CHECK_INT(chmod(bus_path(&bus, "keys/bus.secret"), 0600), 0);
	CHECK_INT(chmod(bus_path(&bus, "keys/master"), 0640), 0);
	refused(&bus, "keys/master", "others may read", "chmod 600");
	CHECK_INT(chmod(bus_path(&bus, "keys/master"), 0600), 0);

	/* A root key left behind, wherever the broker could find it. */
	const struct key_secret *root = registry_fixture_secret(bus.fixture, "root1", KEY_ROOT);
	struct keyring_secret keys = {.owner = "root1", .count = 1};
	keys.keys[0] = (struct key_secret *)(uintptr_t)root;
	for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
		char secret[600], public[600];
		snprintf(secret, sizeof(secret), "%s/root1.secret", bus_path(&bus, homes[i]));
		snprintf(public, sizeof(public), "%s/root1.keys", bus_path(&bus, homes[i]));
		CHECK_INT(keyfile_write(bus_path(&bus, homes[i]), "root1", &keys), 0);
		refused(&bus, "root1.secret", "root secret", "offline");
		CHECK_INT(unlink(secret), 0);
		CHECK_INT(unlink(public), 0);
	}
	starts(&bus);
	bus_deinit(&bus);
}

static void what_is_not_signed_is_not_believed(void)
{
	struct bus bus, other;

	bus_open(&bus);
	bus_open(&other);
	struct saved registry = file_save(&bus, "registry.signed");
	const size_t places[] = {8, registry.len / 3, registry.len / 2, registry.len - 8};
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		registry.data[places[i]] ^= 1;
		file_put(registry.path, BYTES(registry.data, registry.len));
		refused(&bus, "registry.signed", NULL, NULL);
		registry.data[places[i]] ^= 1;
	}
	file_put(registry.path, BYTES(registry.data, registry.len - 1));
	refused(&bus, "registry.signed", NULL, NULL);
	file_put(registry.path, BYTES_STR("-----BEGIN CERTIFICATE-----\n"));
	refused(&bus, "registry.signed", NULL, NULL);

	/* Composed well, and signed by one root only, or by somebody else's. */
	struct bytes once = registry_fixture_compose(bus.fixture, 1, NULL);
	file_put(registry.path, registry_fixture_sign(bus.fixture, once, "root1"));
	refused(&bus, "registry.signed", NULL, NULL);
	file_put(registry.path, registry_signed_bytes(other.registry));
	refused(&bus, "registry.signed", NULL, NULL);
	file_restore(&registry);

	struct saved policy = file_save(&bus, "policy");
	file_put(policy.path, BYTES_STR("root nobody\n"));
	refused(&bus, "policy", NULL, NULL);
	file_restore(&policy);

	/* Keys of the same bus, and not those that the registry holds. */
	struct saved keys = file_save(&bus, "keys/bus.secret"),
		     strange = file_save(&other, "keys/bus.secret");
	file_put(keys.path, BYTES(strange.data, strange.len));
	refused(&bus, "registry.signed", "does not hold the keys", "add their public halves");
	file_restore(&keys);
	free(strange.data);
	starts(&bus);
	bus_deinit(&other);
	bus_deinit(&bus);
}

/* Version 2, in which nothing is new but the number. */
static struct registry *next_version(const struct bus *bus)
{
	return registry_fixture_load(bus->fixture, 2, bus->registry);
}

static void the_journal_remembers_its_registry(void)
{
	struct bus bus;

	bus_open(&bus);
	starts(&bus);
	struct saved first = file_save(&bus, "registry.signed");
	struct registry *second = next_version(&bus);
	file_put(first.path, registry_signed_bytes(second));
	starts(&bus);
	file_put(first.path, BYTES(first.data, first.len));
	refused_at_start(&bus, "registry version 1 is older than version 2", "newest", NULL);

	/* A second registry under the same number. */
	registry_fixture_service(bus.fixture, "another.service");
	struct registry *twin = next_version(&bus);
	file_put(first.path, registry_signed_bytes(twin));
	refused_at_start(&bus, "registry version 2 has other bytes", "in force", NULL);
	file_put(first.path, registry_signed_bytes(second));
	starts(&bus);
	registry_unref(second);
	registry_unref(twin);
	free(first.data);
	bus_deinit(&bus);
}

/* Versions that came while the broker was off: it takes them in order, when they lie beside the newest. */
static void versions_that_were_missed_are_made_up_for(void)
{
	enum { LAST = 5 };
	struct registry *versions[LAST + 1] = {NULL};
	struct bus bus;
	char path[LAST + 1][512];

	bus_open(&bus);
	starts(&bus);
	versions[1] = registry_ref(bus.registry);
	for (uint32_t v = 2; v <= LAST; v++) {
		char name[64];
		snprintf(name, sizeof(name), "registry.signed.%u", v);
		snprintf(path[v], sizeof(path[v]), "%s", bus_path(&bus, name));
		versions[v] = registry_fixture_load(bus.fixture, v, versions[v - 1]);
	}
	file_put(bus_path(&bus, "registry.signed"), registry_signed_bytes(versions[LAST]));
	refused_at_start(&bus, "does not follow version 1", "Put version 2", "beside");
	/* One is still missing: those before it are in force already, and it is named. */
	file_put(path[2], registry_signed_bytes(versions[2]));
	file_put(path[4], registry_signed_bytes(versions[4]));
	refused_at_start(&bus, "does not follow version 2", "Put version 3", NULL);
	/* What lies there has to be it. */
	file_put(path[3], BYTES_STR("version 3, I swear"));
	refused_at_start(&bus, "registry version 3, beside the newest", NULL, NULL);
	file_put(path[3], registry_signed_bytes(versions[2]));
	refused_at_start(&bus, "as version 3 is version 2", "the right one", NULL);
	file_put(path[3], registry_signed_bytes(versions[4]));
	refused_at_start(&bus, "does not follow version 2", NULL, NULL);
	file_put(path[3], registry_signed_bytes(versions[3]));
	starts(&bus);
	for (uint32_t v = 2; v < LAST; v++)
		unlink(path[v]);
	starts(&bus);
	for (uint32_t v = 1; v <= LAST; v++)
		registry_unref(versions[v]);
	bus_deinit(&bus);
}

/*
 * The secret of the next transport key lies there early, and the registry names both: adapters that have not heard of
 * the next one yet must get in, so it serves with the one that was named first.
 */
static void the_next_transport_key_waits(void)
{
	struct bus bus;
	struct keyring_secret keys = {.owner = "test.demo"};

	bus_init_usual(&bus, check_subdir());
	Dienstweg__RegistryContent *content = registry_fixture_content(bus.fixture);
	const struct key_secret *log = registry_fixture_secret(bus.fixture, "test.demo", KEY_LOG);
	const struct key_secret *next = registry_fixture_secret(
		bus.fixture, "test.demo", KEY_TRANSPORT);
	/* The kit's adapters know the key that was made last; the registry has it first. */
	registry_fixture_add_key(bus.fixture, "test.demo", KEY_TRANSPORT);
	const struct key_secret *present = registry_fixture_secret(
		bus.fixture, "test.demo", KEY_TRANSPORT);
	for (size_t i = content->n_bus_keys - 1; i > 0; i--) {
		Dienstweg__Key *before = content->bus_keys[i - 1];
		content->bus_keys[i - 1] = content->bus_keys[i];
		content->bus_keys[i] = before;
	}
	bus_write(&bus);
	const struct key_secret *all[] = {log, present, next};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		keys.keys[keys.count++] = (struct key_secret *)(uintptr_t)all[i];
	CHECK_INT(unlink(bus_path(&bus, "keys/bus.secret")), 0);
	CHECK_INT(unlink(bus_path(&bus, "keys/bus.keys")), 0);
	CHECK_INT(keyfile_write(bus_path(&bus, "keys"), "bus", &keys), 0);
	bus_start(&bus);
	struct wire *wire = wire_new(&bus, "city");
	wire_open_session(wire, "city");
	wire_free(wire);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
}

static void format_set(const struct bus *bus, uint32_t version)
{
	struct db_options options = {
		.map_bytes = 1 << 30, .tables_max = 16, .readers_max = 4, .mode = 0600};
	struct db_env *env;
	struct db_txn *txn;
	db_table_id meta;
	uint8_t value[4];

	be32_put(value, version);
	CHECK_INT(db_env_open(bus_path(bus, "broker/journal"), &options, &env), 0);
	CHECK_INT(db_begin(env, true, &txn), 0);
	CHECK_INT(db_table_open(txn, "meta", &meta), 0);
	CHECK_INT(db_put(txn, meta, BYTES_STR("format"), BYTES(value, sizeof(value))), 0);
	CHECK_INT(db_commit(txn), 0);
	db_env_close(env);
}

static void the_state_folder_is_its_own(void)
{
	uint8_t wrong[32] = {1};
	struct bus bus, other;

	bus_open(&bus);
	starts(&bus);

	/* Two on one folder, on whatever port. */
	bus_start(&bus);
	refused_at_start(&bus, "another broker runs on this state folder", "lock", "`state`");
	CHECK_INT(bus_end(&bus, SIGTERM), 0);

	/* A port that is taken. */
	bus_open(&other);
	bus_start(&other);
	struct saved yaml = file_save(&bus, "broker.yaml");
	file_change(&yaml, bus.endpoint, other.endpoint);
	run(&bus, &(struct run){.code = NEGATIVE,
			  .words = {"broker.yaml: listen: ", other.endpoint,
				  "in use; end the program"}});
	file_restore(&yaml);
	CHECK_INT(bus_end(&other, SIGTERM), 0);
	bus_deinit(&other);

	struct saved master = file_save(&bus, "keys/master");
	file_put(master.path, BYTES(wrong, sizeof(wrong)));
	refused(&bus, "keyring", "keys/master", "master key");
	file_put(master.path, BYTES(wrong, 31));
	run(&bus, &(struct run){.code = NEGATIVE, .words = {"master"}});
	file_restore(&master);

	/* Written by a later version of this program. */
	format_set(&bus, 7);
	refused_at_start(&bus, "journal", "format version 7", "start the version");
	format_set(&bus, 0);
	starts(&bus);
	bus_deinit(&bus);
}

static void a_journal_belongs_to_one_bus(void)
{
	char state[600];
	struct bus bus, other;

	bus_open(&bus);
	starts(&bus);
	bus_open(&other);
	starts(&other);
	/* The same bus id, other keys: the registry does not follow. */
	struct saved yaml = file_save(&bus, "broker.yaml"), master = file_save(&bus, "keys/master"),
		     strange = file_save(&other, "keys/master");
	snprintf(state, sizeof(state), "state: %s", bus_path(&other, "broker"));
	file_change(&yaml, "state: broker", state);
	refused(&bus, "keyring", "master key", NULL);
	file_put(master.path, BYTES(strange.data, strange.len));
	refused_at_start(&bus, "registry version 1 has other bytes", "journal", NULL);
	file_restore(&yaml);
	file_restore(&master);
	free(strange.data);
	starts(&bus);
	starts(&other);
	bus_deinit(&bus);
	bus_deinit(&other);
}

static void wrong_usage_is_exit_2(void)
{
	static const char *const wrong[][3] = {
		{NULL}, {"--frobnicate", NULL}, {"--config", NULL}, {"--config", "a", "b"}};
	static const char *const right[] = {"--help", "--version"};
	char program[512], *output;

	program_path("broker/dienstweg-broker", program, sizeof(program));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const char *argv[] = {program, wrong[i][0], wrong[i][1], wrong[i][2], NULL};
		CHECK_INT(process_run(argv, &output, RUN_MS), USAGE);
		CHECK(strstr(output, "usage: dienstweg-broker"));
		free(output);
	}
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		const char *argv[] = {program, right[i], NULL};
		CHECK_INT(process_run(argv, &output, RUN_MS), 0);
		CHECK(strstr(output, "dienstweg-broker"));
		free(output);
	}
}

/* What is missing is met when it is read, through a memory map, and not when the file is opened. */
static void a_journal_that_was_cut_short_is_named(void)
{
	enum { META_BYTES = 2 * 4096 };
	struct bus bus;

	bus_open(&bus);
	starts(&bus);
	CHECK_INT(truncate(bus_path(&bus, "broker/journal/data.mdb"), META_BYTES), 0);
	run(&bus, &(struct run){.code = FAILURE, .words = {"the journal's file ends", "backup"}});
	bus_deinit(&bus);
}

CHECK_MAIN(CHECK_CASE(a_wrong_line_is_named), CHECK_CASE(a_missing_file_is_named),
	CHECK_CASE(secrets_are_kept), CHECK_CASE(what_is_not_signed_is_not_believed),
	CHECK_CASE(the_journal_remembers_its_registry),
	CHECK_CASE(versions_that_were_missed_are_made_up_for),
	CHECK_CASE(the_next_transport_key_waits), CHECK_CASE(the_state_folder_is_its_own),
	CHECK_CASE(a_journal_that_was_cut_short_is_named), CHECK_CASE(a_journal_belongs_to_one_bus),
	CHECK_CASE(wrong_usage_is_exit_2))
