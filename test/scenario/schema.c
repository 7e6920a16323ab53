/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Monthly figures that everybody may read go from a city to a ministry, and the registry says what they must look
 * like. A city that sends nonsense hears where the mistake is, before the ministry has it. The schema is changed
 * on a working day: the broker does not take the new registry before it has the new file, and then it
 * judges by it.
 */
#include <signal.h>

#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/kit/party.h"

enum { WAIT_MS = 20000 };

static const char first_xsd[] =
	"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>"
	"<xs:element name='figures'><xs:complexType><xs:sequence>"
	"<xs:element name='month' type='xs:gYearMonth'/>"
	"<xs:element name='cases' type='xs:nonNegativeInteger' maxOccurs='12'/>"
	"</xs:sequence></xs:complexType></xs:element></xs:schema>";
/* A year later the ministry wants to know the town, too. */
static const char second_xsd[] =
	"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>"
	"<xs:element name='figures'><xs:complexType><xs:sequence>"
	"<xs:element name='town' type='xs:string'/><xs:element name='month' type='xs:gYearMonth'/>"
	"<xs:element name='cases' type='xs:nonNegativeInteger'/>"
	"</xs:sequence></xs:complexType></xs:element></xs:schema>";

static struct bus bus;
static struct party city, ministry;
static Dienstweg__Service *figures;
static Dienstweg__SchemaFile file, *files[] = {&file};
static uint8_t digest[HASH_SIZE];
static char text_of_name[] = "figures.xsd", extra[600];

static void pin(const char *xsd)
{
	sha256_of(BYTES(xsd, strlen(xsd)), digest);
	dienstweg__schema_file__init(&file);
	file.name = (ProtobufCBinaryData){strlen(text_of_name), (uint8_t *)text_of_name};
	file.digest = (ProtobufCBinaryData){sizeof(digest), digest};
	figures->schema_form = DIENSTWEG__SCHEMA_FORM__SCHEMA_FORM_XSD;
	figures->schema_files = files;
	figures->n_schema_files = 1;
}

/* The fixture frees what it made, and this is not. */
static void unpin(void)
{
	figures->schema_files = NULL;
	figures->n_schema_files = 0;
}

static void put(const char *name, const char *xsd)
{
	CHECK_INT(file_replace(bus_path(&bus, name), BYTES(xsd, strlen(xsd)), 0644), 0);
}

static struct party_answer *send(const char *document, bool clear)
{
	return party_send(&city, &(struct party_draft){.service = "uvg.figures",
					 .recipient = "ministry",
					 .content_type = "application/xml",
					 .body = BYTES_STR(document),
					 .clear = clear});
}

static void accepted(const char *document)
{
	size_t before = ministry.deliveries_count;
	const struct party_answer *a = send(document, true);
	if (a->kind != ANSWER_RECEIPT)
		CHECK_FAIL("%s: %s: %s", a->code, a->field, a->detail);
	party_until(&ministry, ministry.deliveries_count > before, WAIT_MS);
	CHECK_INT(ministry.deliveries[before].body_len, strlen(document));
}

static void refused(const char *document, const char *field, const char *words)
{
	size_t before = ministry.deliveries_count;
	const struct party_answer *a = send(document, true);
	CHECK_INT(a->kind, ANSWER_REFUSAL);
	CHECK_STR(a->code, "schema");
	CHECK_STR(a->field, field);
	if (!strstr(a->detail, words))
		CHECK_FAIL("\"%s\" is not in: %s", words, a->detail);
	CHECK(!strstr(a->detail, "Meier"));
	CHECK_INT(ministry.deliveries_count, before);
}

static void figures_that_follow_the_schema_arrive(void)
{
	accepted("<figures><month>2026-10</month><cases>17</cases></figures>");
}

static void others_are_refused_with_the_place_of_the_mistake(void)
{
	refused("<figures><month>October</month><cases>1</cases></figures>", "/figures/month",
		"does not allow");
	refused("<figures><month>2026-10</month><cases>1</cases><cases>Meier</cases></figures>",
		"/figures/cases[2]", "does not allow");
	refused("<figures><month>2026-10</month><Meier/></figures>", "/figures/?", "cases");
	refused("<!DOCTYPE figures [<!ENTITY a 'b'>]><figures/>", "", "DOCTYPE");
	refused("figures: 17", "", "not well-formed");
	figures_that_follow_the_schema_arrive();
}

/* Sealed content is its recipient's business: the broker does not see it. */
static void sealed_figures_are_not_looked_at(void)
{
	size_t before = ministry.deliveries_count;
	CHECK_INT(send("<anything/>", false)->kind, ANSWER_RECEIPT);
	party_until(&ministry, ministry.deliveries_count > before, WAIT_MS);
}

static void log_says(const char *what, long from)
{
	if (wait_for_line(bus_path(&bus, "logs/broker.log"), what, from, WAIT_MS) < 0)
		CHECK_FAIL("the broker never said: %s", what);
}

static void a_registry_waits_for_its_schemas(void)
{
	struct registry *next;
	long from = file_size(bus_path(&bus, "logs/broker.log"));
	pin(second_xsd);
	next = registry_fixture_load(bus.fixture, 2, bus.registry);
	CHECK_INT(file_replace(bus_path(&bus, "registry.signed"), registry_signed_bytes(next), 0644),
		0);
	CHECK_INT(kill(bus.broker.pid, SIGHUP), 0);
	log_says("the old registry stays", from);
	log_says("is not in the folder", from);
	figures_that_follow_the_schema_arrive();

	put("schemas/figures-2027.xsd", second_xsd);
	CHECK_INT(kill(bus.broker.pid, SIGHUP), 0);
	log_says("in force\",\"version\":2", from);
	refused("<figures><month>2026-10</month><cases>17</cases></figures>", "/figures/month",
		"town");
	accepted(
		"<figures><town>Wuppertal</town><month>2026-10</month><cases>17</cases></figures>");
	registry_unref(next);
}

/* What was refused for its content is recorded with its reason, and decided alike when it is replayed. */
static void the_journal_replays(void)
{
	char program[512], *output;
	const char *argv[] = {program_path("broker/dienstweg-admin", program, sizeof(program)),
		"audit", "replay", "--config", bus_path(&bus, "broker.yaml"), NULL};
	int code = process_run(argv, &output, WAIT_MS);
	if (code != 0 || !strstr(output, "No differences"))
		CHECK_FAIL("exit code %d: %s", code, output);
	free(output);
}

static void a_broker_without_the_schema_does_not_start(void)
{
	char program[512], *output;
	const char *argv[] = {program_path("broker/dienstweg-broker", program, sizeof(program)),
		"--config", bus_path(&bus, "broker.yaml"), "--demo", "--check", NULL};
	CHECK_INT(remove(bus_path(&bus, "schemas/figures-2027.xsd")), 0);
	CHECK_INT(process_run(argv, &output, WAIT_MS), 1);
	if (!strstr(output, "registry.signed: service uvg.figures: its schema figures.xsd"))
		CHECK_FAIL("%s", output);
	free(output);
}

int main(void)
{
	bus_init_usual(&bus, check_subdir());
	registry_fixture_party(bus.fixture, "ministry", NULL);
	figures = registry_fixture_service(bus.fixture, "uvg.figures");
	figures->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	Dienstweg__Agreement *agreement = registry_fixture_agreement(
		bus.fixture, "city-ministry", "2021-07-01", NULL);
	registry_fixture_flow(bus.fixture, agreement, "uvg.figures", "city", "ministry", NULL);
	pin(first_xsd);
	snprintf(extra, sizeof(extra), "schemas: %s\n", bus_path(&bus, "schemas"));
	bus.extra = extra;
	CHECK_INT(dir_make(bus_path(&bus, "schemas"), 0700), 0);
	put("schemas/what was agreed upon in 2026.xsd", first_xsd);
	bus_write(&bus);
	bus_start(&bus);
	party_init(&city, &bus, "city");
	party_init(&ministry, &bus, "ministry");
	party_connect(&city, NULL);
	party_connect(&ministry, NULL);

	figures_that_follow_the_schema_arrive();
	others_are_refused_with_the_place_of_the_mistake();
	sealed_figures_are_not_looked_at();
	a_registry_waits_for_its_schemas();
	party_deinit(&city);
	party_deinit(&ministry);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	the_journal_replays();
	a_broker_without_the_schema_does_not_start();
	unpin();
	bus_deinit(&bus);
	return 0;
}
