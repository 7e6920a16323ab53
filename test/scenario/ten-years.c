/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Ten years of a bus, as its people live them: every other year every key is exchanged, one root leaves and another
 * comes, until none of those is left that the policy names. Programs are stopped, killed and started, and letters
 * go through all the time. Each key is made, registered, signed for and destroyed with the commands that an
 * operator types. At the end the journal is what was signed, the first year's receipt still checks, and the policy
 * is still the first one.
 */
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "test/kit/bus.h"
#include "test/kit/check.h"

enum { WAIT_MS = 40000, RUN_MS = 30000, WORDS_MAX = 24, TEXT_MAX = 32768 };
enum { YEARS = 5, STOLEN = 3, HURRIED = 4 /* those in which keys are exchanged */ };

/* One owner's keys in the source, besides those that are simply active. */
struct owner {
	const char *name;
	char entries[TEXT_MAX / 4];
};

struct years {
	struct bus bus;
	struct process city, jobcenter;
	struct owner owners[3]; /* the bus, city, jobcenter */
	int year, version, letters;
	char doubted[9]; /* a sign key of city that was stolen */
};

enum { BUS, CITY, JOBCENTER };

/* ---- running what an operator types ---- */

static char *path_of(const struct years *y, char buf[700], const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static char *path_of(const struct years *y, char buf[700], const char *format, ...)
{
	va_list args;
	int n = snprintf(buf, 700, "%s/", y->bus.dir);
	va_start(args, format);
	vsnprintf(buf + n, 700 - (size_t)n, format, args);
	va_end(args);
	return buf;
}

/* "{}" at the beginning of a word stands for the bus's folder. Return: the output, to be freed. */
static char *type(const struct years *y, const char *program, int expected, const char *line)
{
	char copy[4096], path[512], words[WORDS_MAX][700], *output = NULL, *rest = copy;
	const char *argv[WORDS_MAX + 2] = {program_path(program, path, sizeof(path))};
	size_t count = 0;
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word; (word = strsep(&rest, " ")) != NULL;) {
		if (!*word)
			continue;
		CHECK(count < WORDS_MAX);
		bool inside = strncmp(word, "{}", 2) == 0;
		snprintf(words[count], sizeof(words[0]), "%s%s", inside ? y->bus.dir : "",
			inside ? word + 2 : word);
		argv[count + 1] = words[count];
		count++;
	}
	int code = process_run(argv, &output, RUN_MS);
	if (code != expected)
		CHECK_FAIL(
			"%s %s: exit %d, expected %d:\n%s", program, line, code, expected, output);
	return output;
}

/* The same, printf'd, and it must say these words. */
static void __attribute__((format(printf, 5, 6))) says(const struct years *y, const char *program,
	int expected, const char *words, const char *format, ...)
{
	char line[4096];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	_cleanup_(heap_free) char *output = type(y, program, expected, line);
	if (!strstr(output, words))
		CHECK_FAIL("%s %s does not say \"%s\" but:\n%s", program, line, words, output);
}

#define TOOL  "conf/cli/dienstweg"
#define AUDIT "broker/dienstweg-admin"

/* ---- the source ---- */

static void write_text(const struct years *y, const char *name, const char *text)
{
	char path[700];
	CHECK_INT(file_replace(path_of(y, path, "%s", name), BYTES_STR(text), 0644), 0);
}

/* Roots 1, 2, 3 at first; with each year the oldest retires. */
static void write_source(const struct years *y)
{
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text),
		"bus: test.demo\nstale_after: 400 days\nclasses:\n"
		"  - {number: 1, name: standard, content_days: 21, record_days: 730}\n"
		"keys:\n%s  - {file: test.demo}\nroots:\n",
		y->owners[BUS].entries);
	for (int i = 1; i <= y->year + 3; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			"  - {name: root%d, keys: [{file: root%d, state: %s}]}\n", i, i,
			i <= y->year ? "retired" : "active");
	write_text(y, "source/bus.yaml", text);
	snprintf(text, sizeof(text),
		"parties:\n  - name: city\n    keys:\n%s      - {file: city}\n"
		"  - name: jobcenter\n    keys:\n%s      - {file: jobcenter}\n",
		y->owners[CITY].entries, y->owners[JOBCENTER].entries);
	write_text(y, "source/parties.yaml", text);
}

static void write_services(const struct years *y)
{
	write_text(y, "source/services.yaml",
		"services:\n  - {name: alg2.application, retention: standard}\n"
		"  - {name: alg2.decision, retention: standard}\n"
		"  - {name: alg2.status, retention: standard}\n");
	write_text(y, "source/agreements.yaml",
		"agreements:\n  - id: a\n    first_day: 2021-07-01\n    flows:\n"
		"      - {services: [alg2.application], from: [city], to: jobcenter, regions: "
		"['05']}\n"
		"      - {services: [alg2.status, alg2.decision], from: [jobcenter], to: city}\n");
}

/* The id of the nth key of a use in an owner's file. */
static void id_of(const struct years *y, int owner, const char *use, size_t nth, char id[9])
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char path[700], start[32];
	size_t len = 0;
	path_of(y, path, "keys/%s.keys", y->owners[owner].name);
	CHECK_INT(file_read(path, 1 << 20, &data, &len), 0);
	data[len - 1] = '\0';
	snprintf(start, sizeof(start), "\n%s ", use);
	for (const char *at = (const char *)data; (at = strstr(at, start)) != NULL;) {
		at += strlen(start);
		if (nth-- == 0) {
			snprintf(id, 9, "%.8s", at);
			return;
		}
	}
	CHECK_FAIL("%s has too few %s keys", path, use);
}

static void mark(struct years *y, int owner, const char *id, const char *state)
{
	struct owner *o = &y->owners[owner];
	size_t len = strlen(o->entries);
	snprintf(o->entries + len, sizeof(o->entries) - len,
		"%s  - {file: %s, id: '%s', state: %s}\n", owner == BUS ? "" : "    ", o->name, id,
		state);
}

/* ---- registries ---- */

static void sign(const struct years *y, int root)
{
	says(y, TOOL, 0, "signed by",
		"registry sign --in {}/history/%d --key {}/roots/root%d.secret", y->version, root);
}

/* The next version, by the two roots that stay; checked against the first policy over all versions. */
static void build(struct years *y)
{
	char previous[64], chain[2000] = "";
	write_source(y);
	snprintf(previous, sizeof(previous), "--previous {}/history/%d", y->version);
	y->version++;
	says(y, TOOL, 0, "version",
		"registry build --source {}/source --keys {}/keys %s --out {}/history/%d",
		y->version == 1 ? "--first" : previous, y->version);
	sign(y, y->year + 1);
	sign(y, y->year + 2);
	if (y->version == 1)
		return;
	/* An auditor's question, with as many versions as a line holds. */
	int from = y->version > 8 ? y->version - 8 : 1;
	for (int i = from; i < y->version; i++)
		snprintf(chain + strlen(chain), sizeof(chain) - strlen(chain),
			" --previous {}/history/%d", i);
	if (from == 1)
		says(y, TOOL, 0, "good: version",
			"registry check {}/history/%d --policy {}/policy%s", y->version, chain);
}

static void install(const struct years *y, const char *to)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char path[700];
	size_t len = 0;
	CHECK_INT(file_read(path_of(y, path, "history/%d", y->version), 1 << 20, &data, &len), 0);
	CHECK_INT(file_replace(path_of(y, path, "%s", to), BYTES(data, len), 0644), 0);
}

/* A running broker takes the newest version. */
static void reload(struct years *y)
{
	char path[700], line[64];
	const char *log = path_of(y, path, "logs/broker.log");
	long from = file_size(log);
	install(y, "registry.signed");
	CHECK_INT(kill(y->bus.broker.pid, SIGHUP), 0);
	snprintf(line, sizeof(line), "in force\",\"version\":%d,", y->version);
	if (wait_for_line(log, line, from, WAIT_MS) < 0)
		CHECK_FAIL("version %d did not come into force", y->version);
}

/* The adapters hear of it with the next receipt, or with the next Pong when nothing is going on. */
static void everybody_has_it(const struct years *y)
{
	static const char *const names[] = {"city", "jobcenter"};
	char path[700], line[64];
	snprintf(line, sizeof(line), "a newer registry is in force\",\"version\":%d}", y->version);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (wait_for_line(path_of(y, path, "logs/%s.log", names[i]), line, 0, WAIT_MS) < 0)
			CHECK_FAIL("%s never got version %d", names[i], y->version);
}

/* ---- programs ---- */

static void adapter_write(const struct years *y, const char *name)
{
	char text[3000], file[32], path[700];
	snprintf(text, sizeof(text),
		"bus: test.demo\nbroker: \"%s\"\nparty: %s\nkeys: [keys/%s.secret]\n"
		"registry: %s/registry.signed\npolicy: policy\nstate: %s/state\n"
		"reconnect: {max: 500 ms, timeout: 3 s, ping: 500 ms}\n"
		"connector:\n  kind: folder\n  in: %s/in\n  out: %s/out\n  done: %s/done\n"
		"  failed: %s/failed\n  receipts: %s/receipts\n  settle: 50 ms\n",
		y->bus.endpoint, name, name, name, name, name, name, name, name, name);
	snprintf(file, sizeof(file), "%s.yaml", name);
	write_text(y, file, text);
	CHECK_INT(dir_make(path_of(y, path, "%s/in", name), 0700), 0);
	snprintf(text, sizeof(text), "%s/registry.signed", name);
	install(y, text);
}

static void adapter_start(const struct years *y, struct process *process, const char *name)
{
	char program[512], relative[64], config[700], log[700];
	snprintf(relative, sizeof(relative), "adapters/%s/dienstweg-%s", name, name);
	const char *const argv[] = {program_path(relative, program, sizeof(program)), "--config",
		path_of(y, config, "%s.yaml", name), "--demo", NULL};
	process_start(process, path_of(y, log, "logs/%s.log", name), argv);
}

static void adapters_restart(struct years *y)
{
	if (process_running(&y->city)) {
		CHECK_INT(process_end(&y->city, SIGTERM), 0);
		CHECK_INT(process_end(&y->jobcenter, SIGTERM), 0);
	}
	adapter_start(y, &y->city, "city");
	adapter_start(y, &y->jobcenter, "jobcenter");
}

/* ---- letters ---- */

static void letter_put(struct years *y)
{
	char path[700], text[400];
	snprintf(text, sizeof(text),
		"{\"service\": \"alg2.application\", \"region\": \"051240000000\", \"reference\": "
		"\"L-%d\", \"applicant\": {\"given_name\": \"Erika\", \"family_name\": "
		"\"Mustermann\", \"date_of_birth\": \"1964-08-12\"}}",
		++y->letters);
	path_of(y, path, "city/in/L-%03d.json", y->letters);
	CHECK_INT(file_replace(path, BYTES_STR(text), 0644), 0);
}

/* Recorded, taken by the jobcenter, and the city was told. */
static void letter_ends(struct years *y)
{
	static const char *const endings[] = {".receipt", ".ended.json"};
	char path[700];
	path_of(y, path, "city/receipts");
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		size_t count = wait_for_files(path, endings[i], (size_t)y->letters, WAIT_MS);
		if (count != (size_t)y->letters)
			CHECK_FAIL("year %d: %zu of %d letters have their %s", y->year, count,
				y->letters, endings[i]);
	}
}

static void letter(struct years *y)
{
	letter_put(y);
	letter_ends(y);
}

/* ---- a year ---- */

static void begin(struct years *y)
{
	char path[700];
	*y = (struct years){
		.owners = {{.name = "test.demo"}, {.name = "city"}, {.name = "jobcenter"}}};
	bus_init(&y->bus, check_subdir());
	CHECK_INT(dir_make(path_of(y, path, "source"), 0700), 0);
	CHECK_INT(dir_make(path_of(y, path, "history"), 0700), 0);
	CHECK_INT(dir_make(path_of(y, path, "logs"), 0700), 0);
	says(y, TOOL, 0, "registrar", "keygen bus test.demo --out {}/keys");
	says(y, TOOL, 0, "registrar", "keygen party city --out {}/keys");
	says(y, TOOL, 0, "registrar", "keygen party jobcenter --out {}/keys");
	says(y, TOOL, 0, "secret", "keygen master master --out {}/keys");
	for (int i = 1; i <= YEARS + 3; i++) {
		_cleanup_(heap_free) uint8_t *data = NULL;
		size_t len = 0;
		says(y, TOOL, 0, "every policy", "keygen root root%d --out {}/roots", i);
		CHECK_INT(file_read(path_of(y, path, "roots/root%d.keys", i), 1 << 16, &data, &len),
			0);
		CHECK_INT(file_replace(
				  path_of(y, path, "keys/root%d.keys", i), BYTES(data, len), 0644),
			0);
	}
	says(y, TOOL, 0, "",
		"registry policy {}/keys/root1.keys {}/keys/root2.keys {}/keys/root3.keys --out "
		"{}/policy");
	write_services(y);
	build(y);
	install(y, "registry.signed");
	char text[600];
	snprintf(text, sizeof(text),
		"bus: test.demo\nlisten: [\"%s\"]\nstate: broker\nregistry: registry.signed\n"
		"policy: policy\nkeys: keys/test.demo.secret\nmaster_key: keys/master.key\n",
		y->bus.endpoint);
	write_text(y, "broker.yaml", text);
	adapter_write(y, "city");
	adapter_write(y, "jobcenter");
	bus_start(&y->bus);
	adapters_restart(y);
	letter(y);
}

static const char *const party_uses[] = {"sign", "seal", "transport"};

/* Then the broker's own transport key stays: who is away has to find it. */
static bool is_hurried(const struct years *y)
{
	return y->year == HURRIED;
}

static void add_keys(struct years *y)
{
	for (size_t i = 0; i < ARRAY_LEN(party_uses); i++) {
		says(y, TOOL, 0, "a further", "keygen party city --out {}/keys --add %s",
			party_uses[i]);
		says(y, TOOL, 0, "a further", "keygen party jobcenter --out {}/keys --add %s",
			party_uses[i]);
	}
	says(y, TOOL, 0, "a further", "keygen bus test.demo --out {}/keys --add log");
	if (!is_hurried(y))
		says(y, TOOL, 0, "a further", "keygen bus test.demo --out {}/keys --add transport");
}

/* The keys of the year before; the nth of its use, since each year added one. */
static void retire_keys(struct years *y)
{
	size_t nth = (size_t)y->year - 1;
	char id[9], state[64] = "retired";
	for (size_t i = 0; i < ARRAY_LEN(party_uses); i++) {
		id_of(y, JOBCENTER, party_uses[i], nth, id);
		mark(y, JOBCENTER, id, "retired");
		id_of(y, CITY, party_uses[i], nth, id);
		if (y->year == STOLEN && i == 0) { /* stolen; known since when */
			snprintf(state, sizeof(state), "revoked, suspect_from: 10");
			snprintf(y->doubted, sizeof(y->doubted), "%s", id);
			mark(y, CITY, id, state);
		} else {
			mark(y, CITY, id, "retired");
		}
	}
	id_of(y, BUS, "log", nth, id);
	mark(y, BUS, id, "retired");
	if (is_hurried(y))
		return;
	id_of(y, BUS, "transport", nth - (y->year > HURRIED), id);
	mark(y, BUS, id, "retired");
}

static void destroy_secrets(const struct years *y)
{
	size_t nth = (size_t)y->year - 1;
	char id[9];
	id_of(y, CITY, "sign", nth, id);
	says(y, TOOL, 0, "its public half stays", "keygen party city --out {}/keys --remove %s", id);
	id_of(y, BUS, "log", nth, id);
	says(y, TOOL, 0, "its public half stays", "keygen bus test.demo --out {}/keys --remove %s",
		id);
}

/* The usual way: add, let it be known, use both, retire. */
static void quiet_year(struct years *y)
{
	y->year++;
	add_keys(y);
	adapters_restart(y);
	letter(y);
	build(y);
	reload(y);
	letter(y);
	everybody_has_it(y);
	CHECK_INT(bus_end(&y->bus, y->year % 2 ? SIGTERM : SIGKILL) >= 0, 1);
	bus_start(&y->bus); /* with the new secrets: both log keys sign, and it serves with the new one */
	letter(y);
	retire_keys(y);
	build(y);
	reload(y);
	letter(y);
	destroy_secrets(y);
}

/*
 * A letter is signed while the broker is away; before the city hears anything its key has been retired, and
 * its transport key too. It finds its way in with the other one, and signs again.
 */
static void hurried_year(struct years *y)
{
	char path[700], log[700];
	y->year++;
	add_keys(y);
	adapters_restart(y);
	letter(y);
	path_of(y, log, "logs/city.log");
	CHECK_INT(bus_end(&y->bus, SIGTERM), 0);
	letter_put(y);
	path_of(y, path, "city/done");
	CHECK(wait_for_files(path, "", (size_t)y->letters, WAIT_MS) >= (size_t)y->letters);
	CHECK_INT(kill(y->city.pid, SIGSTOP), 0);
	long from = file_size(log);
	build(y);
	install(y, "registry.signed");
	bus_start(&y->bus);
	retire_keys(y);
	build(y);
	reload(y);
	CHECK_INT(kill(y->city.pid, SIGCONT), 0);
	letter_ends(y);
	if (wait_for_line(log, "\"field\":\"key_id\"", from, WAIT_MS) < 0)
		CHECK_FAIL("the letter was not signed again");
	destroy_secrets(y);
}

/* ---- the end ---- */

static void receipt_of(const struct years *y, int letter, char name[256])
{
	char path[700], start[32];
	DIR *dir = opendir(path_of(y, path, "city/receipts"));
	CHECK(dir != NULL);
	snprintf(start, sizeof(start), "L-%03d.", letter);
	name[0] = '\0';
	for (const struct dirent *e; (e = readdir(dir));)
		if (strncmp(e->d_name, start, strlen(start)) == 0 && strstr(e->d_name, ".receipt"))
			snprintf(name, 256, "%s", e->d_name);
	closedir(dir);
	CHECK(name[0]);
}

static void judge(struct years *y)
{
	char first[256], last[256];
	says(y, AUDIT, 0, "No findings: the journal is what was signed; see what is disputed in it",
		"audit verify --config {}/broker.yaml");
	says(y, AUDIT, 0, y->doubted, "audit verify --config {}/broker.yaml");
	says(y, AUDIT, 1, "\"suspect_from\":10",
		"audit verify --config {}/broker.yaml --strict --json");
	says(y, AUDIT, 0, "No differences", "audit replay --config {}/broker.yaml");
	/* The receipts of the first and of the last year, each under the roots of its time. */
	receipt_of(y, 1, first);
	receipt_of(y, y->letters, last);
	says(y, AUDIT, 0, "",
		"audit check {}/city/receipts/%s --policy {}/policy --registry {}/history/1", first);
	says(y, TOOL, 0, "",
		"registry policy {}/keys/root%d.keys {}/keys/root%d.keys {}/keys/root%d.keys --out "
		"{}/policy.now",
		y->year + 1, y->year + 2, y->year + 3);
	says(y, AUDIT, 0, "",
		"audit check {}/city/receipts/%s --policy {}/policy.now --registry {}/history/%d",
		last, y->version);
	says(y, AUDIT, 0, "No findings",
		"audit verify --config {}/broker.yaml --policy {}/policy.now");
}

static void ten_years_of_keys(void)
{
	struct years *y = calloc(1, sizeof(*y));
	CHECK(y);
	begin(y);
	while (y->year < YEARS)
		if (y->year + 1 == HURRIED)
			hurried_year(y);
		else
			quiet_year(y);
	CHECK_INT(process_end(&y->city, SIGTERM), 0);
	CHECK_INT(process_end(&y->jobcenter, SIGTERM), 0);
	CHECK_INT(bus_end(&y->bus, SIGTERM), 0);
	judge(y);
	bus_deinit(&y->bus);
	free(y);
}

CHECK_MAIN(CHECK_CASE(ten_years_of_keys))
