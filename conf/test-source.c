/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The shipped source compiles; with one mistake put into it, the complaint names file, line and field.
 * Each mistake is a text replaced by another, so the line is that of the text.
 */
#include "conf/source.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/identity/keyfile.h"
#include "proto/registry/content.h"
#include "test/kit/check.h"

static const char *const names[] = {"bus.yaml", "parties.yaml", "services.yaml", "agreements.yaml"};

struct world {
	char source[512]; /* a copy of the shipped one */
	char keys[512];
};

static void make_keys(
	const struct world *w, const char *owner, const enum key_use *uses, size_t count)
{
	struct keyring_secret ring = {.count = count};
	snprintf(ring.owner, sizeof(ring.owner), "%s", owner);
	for (size_t i = 0; i < count; i++)
		CHECK_INT(key_generate(uses[i], BYTES_STR(owner), &ring.keys[i]), 0);
	CHECK_INT(keyfile_write(w->keys, owner, &ring), 0);
	keyring_secret_deinit(&ring);
}

static void copy_file(const struct world *w, const char *name)
{
	const char *root = getenv("DIENSTWEG_SOURCE_ROOT");
	_cleanup_(heap_free) uint8_t *data = NULL;
	char from[512], to[600];
	size_t len = 0;
	CHECK(root);
	snprintf(from, sizeof(from), "%s/conf/registry/%s", root, name);
	CHECK_INT(file_read(from, 1 << 20, &data, &len), 0);
	snprintf(to, sizeof(to), "%s/%s", w->source, name);
	CHECK_INT(file_replace(to, BYTES(data, len), 0644), 0);
}

/* Keys once, the four files anew. */
static struct world world(void)
{
	static const enum key_use party[] = {KEY_SIGN, KEY_SEAL, KEY_TRANSPORT};
	static const enum key_use bus[] = {KEY_LOG, KEY_TRANSPORT}, root[] = {KEY_ROOT};
	static const char *const parties[] = {"city.wuppertal", "youthoffice.wuppertal",
		"businessportal.wuppertal", "waterworks.wuppertal", "jobcenter.wuppertal",
		"ministry.mkffi", "cooperative.bergisch", "rs-p-05120000", "sg-p-05122000"};
	static const char *const roots[] = {
		"root1.wuppertal.demo", "root2.wuppertal.demo", "root3.wuppertal.demo"};
	struct world w;
	CHECK_INT(crypto_init(), 0);
	snprintf(w.source, sizeof(w.source), "%s/source", check_tmpdir());
	snprintf(w.keys, sizeof(w.keys), "%s/keys", check_tmpdir());
	CHECK_INT(dir_make(w.source, 0700), 0);
	if (access(w.keys, F_OK) != 0) {
		CHECK_INT(dir_make(w.keys, 0700), 0);
		for (size_t i = 0; i < ARRAY_LEN(parties); i++)
			make_keys(&w, parties[i], party, ARRAY_LEN(party));
		for (size_t i = 0; i < ARRAY_LEN(roots); i++)
			make_keys(&w, roots[i], root, 1);
		make_keys(&w, "wuppertal.demo", bus, ARRAY_LEN(bus));
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		copy_file(&w, names[i]);
	return w;
}

/* Replaces the first occurrence of a text. Return: the line it began in. */
static size_t replace(const struct world *w, const char *name, const char *from, const char *to)
{
	_cleanup_(heap_free) uint8_t *data = NULL;
	char changed[65536];
	char path[600];
	size_t len = 0, line = 1;
	snprintf(path, sizeof(path), "%s/%s", w->source, name);
	CHECK_INT(file_read(path, 1 << 20, &data, &len), 0);
	const char *text = (const char *)data, *at = strstr(text, from);
	if (!at)
		CHECK_FAIL("%s has no \"%s\"", name, from);
	for (const char *p = text; p < at; p++)
		line += *p == '\n';
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, to,
		at + strlen(from));
	CHECK_INT(file_replace(path, BYTES_STR(changed), 0644), 0);
	return line;
}

static void expect(const struct world *w, const char *start, const char *words)
{
	char why[SOURCE_ERROR_SIZE] = "";
	_cleanup_(source_free) struct source *source = NULL;
	int r = source_compile(w->source, w->keys, &source, why, sizeof(why));
	if (r != SOURCE_INVALID || !strstr(why, start) || !strstr(why, words))
		CHECK_FAIL("%d \"%s\" lacks \"%s\" or \"%s\"", r, why, start, words);
}

/* One mistake: the complaint stands in the line of @from, @below lines further. */
static void bad(const char *name, const char *from, const char *to, size_t below, const char *field,
	const char *words)
{
	char start[256];
	struct world w = world();
	size_t line = replace(&w, name, from, to);
	snprintf(start, sizeof(start), "%s:%zu: %s: ", name, line + below, field);
	expect(&w, start, words);
}

static const Dienstweg__Agreement *agreement(const struct source *source, const char *id)
{
	const Dienstweg__RegistryContent *content = source_content(source);
	for (size_t i = 0; i < content->n_agreements; i++)
		if (bytes_equal(BYTES_PB(content->agreements[i]->id), BYTES_STR(id)))
			return content->agreements[i];
	CHECK_FAIL("no agreement %s", id);
}

static void the_shipped_source_compiles(void)
{
	struct world w = world();
	char why[SOURCE_ERROR_SIZE] = "";
	uint64_t day = 0;
	_cleanup_(source_free) struct source *source = NULL;
	if (source_compile(w.source, w.keys, &source, why, sizeof(why)))
		CHECK_FAIL("%s", why);
	const Dienstweg__RegistryContent *content = source_content(source);
	CHECK_INT(content->n_parties, 9);
	CHECK_INT(content->n_classes, 3);
	CHECK_INT(content->n_roots, 3);
	CHECK_INT(source_stale_after_ms(source), 400LL * 86400000);
	const Dienstweg__Agreement *a = agreement(source, "wuppertal.city-jobcenter");
	CHECK_INT(clock_parse_date("2021-07-01", &day), 0);
	CHECK_INT(a->valid_from_ms, day);
	CHECK_INT(a->valid_until_ms, 0);
	CHECK_INT(a->n_contacts, 2);
	CHECK(bytes_equal(BYTES_PB(a->flows[0]->regions[0]), BYTES_STR("05124")));
}

/* The last day is included: the agreement counts until the midnight after it. */
static void last_day_is_included(void)
{
	struct world w = world();
	char why[SOURCE_ERROR_SIZE] = "";
	uint64_t day = 0;
	_cleanup_(source_free) struct source *source = NULL;
	replace(&w, "agreements.yaml", "first_day: 2021-07-01",
		"first_day: 2021-07-01\n    last_day: 2024-02-29\n    quota_per_month: 100");
	CHECK_INT(source_compile(w.source, w.keys, &source, why, sizeof(why)), 0);
	CHECK_INT(clock_parse_date("2024-03-01", &day), 0);
	CHECK_INT(agreement(source, "wuppertal.city-jobcenter")->valid_until_ms, day);
	CHECK_INT(agreement(source, "wuppertal.city-jobcenter")->quota_messages, 100);
}

static void mistakes_in_the_bus(void)
{
	bad("bus.yaml", "bus: wuppertal.demo", "bus: Wuppertal", 0, "bus", "is no name");
	bad("bus.yaml", "bus: wuppertal.demo", "buss: wuppertal.demo", 0, "buss",
		"unknown; known here: bus");
	bad("bus.yaml", "400 days", "400", 0, "stale_after", "no number with a unit");
	bad("bus.yaml", "400 days", "40000 days", 0, "stale_after", "out of range");
	bad("bus.yaml", "root3.wuppertal.demo", "root2.wuppertal.demo", 0, "roots[3].name",
		"given twice");
	bad("bus.yaml", "  - name: root3.wuppertal.demo\n", "", (size_t)-3, "roots",
		"2 active entries");
	bad("bus.yaml", "name: root3.wuppertal.demo", "name: root4", 0, "roots[3]", "root4.keys");
	bad("bus.yaml", "name: root3.wuppertal.demo", "name: city.wuppertal", 0, "roots[3]",
		"3 keys");
	bad("bus.yaml", "number: 2", "number: 17", 0, "classes[2].number", "from 1 to 16");
	bad("bus.yaml", "number: 2", "number: two", 0, "classes[2].number", "whole number");
	bad("bus.yaml", "number: 2", "number: 1", 0, "classes[2]", "another class");
	bad("bus.yaml", "content_days: 42", "content_days: 0", 0, "classes[2].content_days",
		"from 1");
	bad("bus.yaml", "record_days: 730", "record_days: 20", 0, "classes[1].record_days",
		"from 21");
	bad("bus.yaml", "stale_after:", "witness_quorum: 1\nstale_after:", 0, "witness_quorum",
		"0 to 0");
}

static void mistakes_in_parties(void)
{
	bad("parties.yaml", "name: jobcenter.wuppertal", "name: Jobcenter", 0, "parties[5].name",
		"no name");
	bad("parties.yaml", "name: jobcenter.wuppertal", "name: city.wuppertal", 0,
		"parties[5].name", "given twice");
	bad("parties.yaml", "operated_by: city.wuppertal", "operated_by: city", 0,
		"parties[2].operated_by", "city is no party");
	bad("parties.yaml", "operated_by: city.wuppertal", "operated_by: waterworks.wuppertal", 0,
		"parties[2].operated_by", "does not run on its own");
	bad("parties.yaml", "scheme: psw", "scheme: PSW", 0, "parties[1].identifiers[2].scheme",
		"no name");
	bad("parties.yaml", "value: \"11113110\"", "value: \"\"", 0,
		"parties[1].identifiers[2].value", "printable");
	bad("parties.yaml", "title: Jobcenter Wuppertal", "titel: x", 0, "parties[5].titel",
		"known here: name, title, operated_by");
	bad("parties.yaml", "title: Jobcenter Wuppertal", "queue_bytes: 5", 0,
		"parties[5].queue_bytes", "unit");
	bad("parties.yaml", "title: Jobcenter Wuppertal", "queue_messages: -5", 0,
		"parties[5].queue_messages", "whole number");
	/* known only to the whole: no line, but the culprit */
	struct world w = world();
	replace(&w, "parties.yaml", "\"01003110\"", "\"11113110\"");
	expect(&w, "/source/parties.yaml:31: parties[4]: party waterworks", "psw:11113110");
}

static void mistakes_in_keys(void)
{
	char from[600], to[600];
	struct world w = world();
	bad("parties.yaml", "title: Jobcenter Wuppertal",
		"title: x\n    keys: [{file: jobcenter.wuppertal, state: gone}]", 1,
		"parties[5].keys[1].state", "active, retired or revoked");
	bad("parties.yaml", "title: Jobcenter Wuppertal",
		"title: x\n    keys: [{file: jobcenter.wuppertal, use: fax}]", 1,
		"parties[5].keys[1].use", "sign, seal, transport");
	bad("parties.yaml", "title: Jobcenter Wuppertal",
		"title: x\n    keys: [{file: city.wuppertal}]", 1, "parties[5].keys[1]",
		"holds keys of city.wuppertal, not of jobcenter.wuppertal");
	bad("parties.yaml", "title: Jobcenter Wuppertal",
		"title: x\n    keys: [{file: jobcenter.wuppertal, use: log}]", 1,
		"parties[5].keys[1]", "no such key");
	bad("parties.yaml", "  - name: jobcenter.wuppertal\n",
		"  - name: jobcenter.wuppertal\n    keys: [{file: jobcenter.wuppertal, use: "
		"sign}]\n",
		0, "parties[5]", "no active seal key");
	snprintf(from, sizeof(from), "%s/jobcenter.wuppertal.keys", w.keys);
	snprintf(to, sizeof(to), "%s/elsewhere", w.keys);
	CHECK_INT(rename(from, to), 0);
	world();
	expect(&w, "parties.yaml:", " parties[5]: its public keys are missing: ");
	CHECK_INT(rename(to, from), 0);
}

/* A proof of possession that does not fit its key: one character of the file changed. */
static void a_key_without_possession(void)
{
	struct world w = world();
	_cleanup_(heap_free) uint8_t *data = NULL;
	char path[600];
	size_t len = 0;
	snprintf(path, sizeof(path), "%s/ministry.mkffi.keys", w.keys);
	CHECK_INT(file_read(path, 65536, &data, &len), 0);
	uint8_t *last = data + len - 8;
	uint8_t before = *last;
	*last = before == 'A' ? 'B' : 'A';
	CHECK_INT(file_replace(path, BYTES(data, len), 0644), 0);
	expect(&w, "parties.yaml:", "possession");
	*last = before;
	CHECK_INT(file_replace(path, BYTES(data, len), 0644), 0);
}

static void mistakes_in_services(void)
{
	bad("services.yaml", "name: uvg.decision", "name: uvg.status", 0, "services[6].name",
		"given twice");
	bad("services.yaml", "retention: figures", "retention: eternal", 0, "services[7].retention",
		"eternal is no retention class");
	bad("services.yaml", "confidentiality: broker-readable\n", "confidentiality: secret\n", 0,
		"services[7].confidentiality", "end-to-end or broker-readable");
	bad("services.yaml", "overdue: 3 days", "overdue: soon", 0, "services[1].overdue", "unit");
	bad("services.yaml", "overdue: 3 days", "overdue: 3 days, warn: 3 days", 0,
		"services[1].warn", "shorter than overdue");
	bad("services.yaml", "retention: figures", "retention: figures\n    warn: 1 day", 1,
		"services[7].warn", "with overdue");
	bad("services.yaml", "retention: figures", "retention: figures\n    event: maybe", 1,
		"services[7].event", "false or true");
	bad("services.yaml", "retention: figures", "retention: figures\n    attempts: 0", 1,
		"services[7].attempts", "from 1 to 1000");
	bad("services.yaml", "retention: figures", "retention: figures\n    pattern: question", 1,
		"services[7].pattern", "free or enquiry");
	bad("services.yaml", "retention: figures", "retention: figures\n    pending: 3", 1,
		"services[7].pending", "write pattern: enquiry");
	bad("services.yaml", "retention: figures", "retention: figures\n    pattern: enquiry", 1,
		"services[7].pattern", "needs answer_within");
	bad("services.yaml",
		"retention: figures", "retention: figures\n    pattern: enquiry\n    answer_within: 2 days\n    pending: 3",
		2, "services[7].answer_within", "");
	bad("services.yaml", "retention: figures",
		"retention: figures\n    pattern: enquiry\n    answer_within: 1500 ms\n    "
		"pending: "
		"3",
		2, "services[7].answer_within", "whole seconds");
	bad("services.yaml", "retention: figures",
		"retention: figures\n    pattern: enquiry\n    answer_within: 30 s\n    pending: 0",
		3, "services[7].pending", "from 1 to 10000");
	bad("services.yaml", "      - administration.quittung.0020", "      - a b", 0,
		"services[10].message_types[1]", "printable");
	struct world w = world();
	char start[100];
	size_t line = replace(
		&w, "services.yaml", "administration.quittung.0020", "bescheide.zinsen.0002");
	/* A complaint about the whole names the line in which the service begins. */
	snprintf(start, sizeof(start),
		"/source/services.yaml:%zu: services[10]: service xwasser.receipt", line - 4);
	expect(&w, start, "bescheide.zinsen.0002");
	w = world();
	line = replace(&w, "services.yaml", "dvdv_prefix: uvs", "dvdv_prefix: UVS");
	snprintf(start, sizeof(start),
		"/source/services.yaml:%zu: services[4]: service uvg.application", line - 2);
	expect(&w, start, "dvdv_prefix must be three");
}

/* ---- schemas ---- */

static const char figures_xsd[] = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>"
				  "<xs:element name='figures' type='xs:int'/></xs:schema>";

static void put_schema(const struct world *w, const char *name, const char *text)
{
	char folder[600], path[700];
	snprintf(folder, sizeof(folder), "%s/schemas", w->source);
	CHECK_INT(dir_make(folder, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	CHECK_INT(file_replace(path, BYTES_STR(text), 0644), 0);
}

#define WITH_SCHEMA(lines) "retention: figures\n    schema:\n" lines

static void a_schema_is_pinned_by_its_bytes(void)
{
	struct world w = world();
	char why[SOURCE_ERROR_SIZE] = "";
	uint8_t digest[HASH_SIZE];
	_cleanup_(source_free) struct source *source = NULL;
	put_schema(&w, "figures.xsd", figures_xsd);
	replace(&w, "services.yaml", "retention: figures",
		WITH_SCHEMA("      form: xsd\n      files: [figures.xsd]"));
	if (source_compile(w.source, w.keys, &source, why, sizeof(why)))
		CHECK_FAIL("%s", why);
	const Dienstweg__RegistryContent *content = source_content(source);
	const Dienstweg__Service *service = NULL;
	for (size_t i = 0; i < content->n_services; i++)
		if (content->services[i]->n_schema_files)
			service = content->services[i];
	CHECK(service != NULL);
	CHECK(bytes_equal(BYTES_PB(service->name), BYTES_STR("uvg.figures")));
	sha256_of(BYTES_STR(figures_xsd), digest);
	CHECK(bytes_equal(BYTES_PB(service->schema_files[0]->digest), BYTES(digest, HASH_SIZE)));
}

static void mistakes_in_schemas(void)
{
	struct world w = world();
	put_schema(&w, "figures.xsd", figures_xsd);
	put_schema(&w, "broken.xsd", "<xs:schema");
	bad("services.yaml", "retention: figures",
		WITH_SCHEMA("      form: dtd\n      files: [figures.xsd]"), 2,
		"services[7].schema.form", "write xsd or protobuf");
	bad("services.yaml", "retention: figures",
		WITH_SCHEMA("      form: protobuf\n      files: [figures.xsd]"), 1,
		"services[7].schema", "lacks root");
	bad("services.yaml", "retention: figures",
		WITH_SCHEMA("      form: xsd\n      files: [absent.xsd]"), 3,
		"services[7].schema.files[1]", "cannot be read");
	bad("services.yaml", "retention: figures",
		WITH_SCHEMA("      form: xsd\n      files: [../services.yaml]"), 3,
		"services[7].schema.files[1]", "plain name");
	bad("services.yaml", "retention: figures",
		WITH_SCHEMA("      form: xsd\n      files: [broken.xsd]"), 3,
		"services[7].schema.files", "broken.xsd: it is not well-formed");
	bad("services.yaml", "retention: figures", WITH_SCHEMA("      form: xsd"), 1,
		"services[7].schema.files", "must list");
}

static void mistakes_in_agreements(void)
{
	bad("agreements.yaml", "id: wuppertal.documents", "id: wuppertal.city-jobcenter", 0,
		"agreements[4].id", "given twice");
	bad("agreements.yaml", "from: [city.wuppertal]", "from: [city.solingen]", 0,
		"agreements[1].flows[1].from[1]", "city.solingen is no party");
	bad("agreements.yaml", "to: jobcenter.wuppertal", "to: jobcentre.wuppertal", 0,
		"agreements[1].flows[1].to", "is no party; add it to parties.yaml");
	bad("agreements.yaml", "services: [alg2.application]", "services: [alg1.application]", 0,
		"agreements[1].flows[1].services[1]", "is no service; add it to services.yaml");
	bad("agreements.yaml", "services: [alg2.application]",
		"services: [alg2.status, alg2.status]", 0, "agreements[1].flows[1].services[2]",
		"given twice");
	bad("agreements.yaml", "services: [alg2.application]", "services: []", 0,
		"agreements[1].flows[1].services", "missing");
	bad("agreements.yaml", "2021-07-01", "2021-02-30", 0, "agreements[1].first_day",
		"no day of the calendar");
	bad("agreements.yaml", "2021-07-01", "1.7.2021", 0, "agreements[1].first_day",
		"write it like");
	bad("agreements.yaml", "2021-07-01", "2021-07-01\n    last_day: 2021-06-30", 1,
		"agreements[1].last_day", "before first_day");
	bad("agreements.yaml", "[\"05124\"]", "[\"Wuppertal\"]", 0,
		"agreements[1].flows[1].regions[1]", "2 to 12 digits");
	bad("agreements.yaml", "[\"05124\"]", "[\"0512400000000\"]", 0,
		"agreements[1].flows[1].regions[1]", "2 to 12 digits");
	bad("agreements.yaml", "role: portal operations", "role: \"\"", 0,
		"agreements[1].contacts[1].role", "one line");
	bad("agreements.yaml", "party: jobcenter.wuppertal", "party: nobody", 0,
		"agreements[1].contacts[2].party", "nobody is no party");
	bad("agreements.yaml", "first_day: 2021-07-01", "quota_per_month: many", (size_t)-3,
		"agreements[1].first_day", "missing");
	bad("agreements.yaml", "    flows:\n      - services: [alg2.application]",
		"    flow:\n      - services: [x]", 0, "agreements[1].flow",
		"known here: id, title");
}

static void absent_and_empty_files(void)
{
	struct world w = world();
	char path[600], why[SOURCE_ERROR_SIZE] = "";
	struct source *source = NULL;
	for (size_t i = 0; i < 3; i++) {
		world();
		snprintf(path, sizeof(path), "%s/%s", w.source, names[i]);
		CHECK_INT(file_replace(path, BYTES_STR("# nothing\n"), 0644), 0);
		expect(&w, names[i], "missing");
	}
	world();
	CHECK_INT(unlink(path), 0);
	CHECK(source_compile(w.source, w.keys, &source, why, sizeof(why)) < 0);
	CHECK(strstr(why, "services.yaml: No such file"));
	/* no agreements at all: nobody may send anything, which is sad and legal */
	world();
	snprintf(path, sizeof(path), "%s/agreements.yaml", w.source);
	CHECK_INT(file_replace(path, BYTES_STR("agreements: []\n"), 0644), 0);
	CHECK_INT(source_compile(w.source, w.keys, &source, why, sizeof(why)), 0);
	source_free(source);
}

CHECK_MAIN(CHECK_CASE(the_shipped_source_compiles), CHECK_CASE(last_day_is_included),
	CHECK_CASE(mistakes_in_the_bus), CHECK_CASE(mistakes_in_parties),
	CHECK_CASE(mistakes_in_keys), CHECK_CASE(a_key_without_possession),
	CHECK_CASE(mistakes_in_services), CHECK_CASE(a_schema_is_pinned_by_its_bytes),
	CHECK_CASE(mistakes_in_schemas), CHECK_CASE(mistakes_in_agreements),
	CHECK_CASE(absent_and_empty_files))
