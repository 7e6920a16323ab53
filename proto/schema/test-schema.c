/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a sender may put into a document is up to the sender; what we say of it is not. Every fault is checked for the
 * place that it names, and that nothing of the document's values is in it.
 */
#include "proto/schema/schema.h"

#include "proto/base/file.h"
#include "proto/case.pb-c.h"
#include "test/kit/check.h"

static const char figures_xsd[] =
	"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='urn:figures'"
	" targetNamespace='urn:figures' elementFormDefault='qualified'>"
	"<xs:include schemaLocation='http://example.invalid/some/types.xsd'/>"
	"<xs:element name='figures'><xs:complexType><xs:sequence>"
	"<xs:element name='month' type='month'/>"
	"<xs:element name='row' maxOccurs='unbounded'><xs:complexType><xs:sequence>"
	"<xs:element name='town' type='xs:string'/><xs:element name='cases' type='count'/>"
	"</xs:sequence><xs:attribute name='id' type='xs:int' "
	"use='required'/></xs:complexType></xs:element>"
	"</xs:sequence></xs:complexType></xs:element></xs:schema>";
static const char types_xsd[] =
	"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:figures'"
	" xmlns='urn:figures'>"
	"<xs:simpleType name='month'><xs:restriction base='xs:string'>"
	"<xs:pattern value='[0-9]{4}-[0-9]{2}'/></xs:restriction></xs:simpleType>"
	"<xs:simpleType name='count'><xs:restriction base='xs:nonNegativeInteger'/></xs:simpleType>"
	"</xs:schema>";

#define DOC(inside) "<figures xmlns='urn:figures'>" inside "</figures>"
#define ROW         "<row id='1'><town>Elberfeld</town><cases>17</cases></row>"

static int make(const char *main, const char *types, struct bytes root, struct schema **ret,
	char error[SCHEMA_ERROR_SIZE])
{
	struct schema_file files[] = {
		{.name = BYTES_STR("figures.xsd"), .data = BYTES_STR(main)},
		{.name = BYTES_STR("types.xsd"), .data = BYTES_STR(types)},
	};
	return schema_new(SCHEMA_XSD, files, 2, root, ret, error);
}

static struct schema *figures(void)
{
	struct schema *schema = NULL;
	char error[SCHEMA_ERROR_SIZE] = "";
	if (make(figures_xsd, types_xsd, BYTES_STR(""), &schema, error))
		CHECK_FAIL("%s", error);
	return schema;
}

static void check_fault(const char *doc, const char *field, const char *reason)
{
	_cleanup_(schema_free) struct schema *schema = figures();
	struct schema_fault fault;
	CHECK_INT(schema_check(schema, BYTES_STR(doc), &fault), SCHEMA_FAULT);
	CHECK_STR(fault.field, field);
	if (!strstr(fault.reason, reason))
		CHECK_FAIL("\"%s\" is not in \"%s\"", reason, fault.reason);
	CHECK(strstr(fault.reason, "secret") == NULL);
	CHECK(strstr(fault.field, "secret") == NULL);
}

static void what_follows_the_schema_passes(void)
{
	_cleanup_(schema_free) struct schema *schema = figures();
	struct schema_fault fault;
	CHECK_INT(schema_check(schema, BYTES_STR(DOC("<month>2026-11</month>" ROW ROW)), &fault), 0);
}

static void a_fault_names_the_place_and_never_the_value(void)
{
	check_fault(DOC("<month>secret</month>" ROW), "/figures/month", "does not allow");
	check_fault(DOC("<month>2026-11</month>" ROW
			"<row id='2'><town>x</town><cases>secret</cases></row>"),
		"/figures/row[2]/cases", "does not allow");
	check_fault(DOC("<month>2026-11</month>"), "/figures", "expected is ( {urn:figures}row )");
	check_fault(DOC("<month>2026-11</month><extra/>" ROW), "/figures/?", "row )");
}

static void a_name_is_shown_only_when_the_schema_has_it(void)
{
	check_fault(DOC("<month>2026-11</month><town/>" ROW), "/figures/town",
		"does not have the elements");
	check_fault(DOC("<month>2026-11</month><row><town>x</town><cases>1</cases></row>"),
		"/figures/row", "attribute");
	check_fault("<secret/>", "/?", "does not know");
}

static void hostile_documents_are_refused_early(void)
{
	check_fault("<!DOCTYPE figures SYSTEM 'file:///etc/passwd'><figures/>", "", "DOCTYPE");
	check_fault("<!DOCTYPE a [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><a>&b;</a>", "",
		"DOCTYPE");
	check_fault("<figures xmlns='urn:figures'><month>", "", "not well-formed");
	check_fault("", "", "not well-formed");
	check_fault("\xff\xfe<\0f", "", "not well-formed");
}

/* Names its own schema: must be neither fetched nor believed. */
static void a_document_cannot_bring_its_own_schema(void)
{
	check_fault("<x xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
		    " xsi:noNamespaceSchemaLocation='file:///proc/self/environ'/>",
		"/?", "does not know");
}

static void deep_documents_end(void)
{
	enum { DEEP = 20000 };
	char *doc = malloc(DEEP * 3 + 1);
	CHECK(doc != NULL);
	for (size_t i = 0; i < DEEP; i++)
		memcpy(doc + 3 * i, "<a>", 3);
	doc[3 * (size_t)DEEP] = '\0';
	check_fault(doc, "", "not well-formed");
	free(doc);
}

static void check_bad(const char *main, const char *types, const char *reason)
{
	struct schema *schema = NULL;
	char error[SCHEMA_ERROR_SIZE] = "";
	CHECK_INT(make(main, types, BYTES_STR(""), &schema, error), SCHEMA_BAD);
	if (!strstr(error, reason))
		CHECK_FAIL("\"%s\" is not in \"%s\"", reason, error);
}

static void a_schema_that_cannot_be_used_says_why(void)
{
	check_bad(figures_xsd, "<a", "types.xsd: it is not well-formed");
	check_bad("<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>"
		  "<xs:include schemaLocation='/etc/passwd'/></xs:schema>",
		types_xsd, "figures.xsd: it includes a file that is not listed: passwd");
	check_bad("<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>"
		  "<xs:element name='a' type='nowhere'/></xs:schema>",
		types_xsd, "figures.xsd: it is no usable XML Schema; line 2: ");
	check_bad("<!DOCTYPE a><a/>", types_xsd, "DOCTYPE");
}

static void only_the_root_asked_for_will_do(void)
{
	struct schema_fault fault;
	_cleanup_(schema_free) struct schema *schema = NULL;
	char error[SCHEMA_ERROR_SIZE];
	CHECK_INT(make(figures_xsd, types_xsd, BYTES_STR("notice"), &schema, error), 0);
	CHECK_INT(schema_check(schema, BYTES_STR(DOC("<month>2026-11</month>" ROW)), &fault),
		SCHEMA_FAULT);
	CHECK_STR(fault.reason, "must begin with the element notice");
}

/* ---- protobuf ---- */

static struct schema *cases(const char *root, char error[SCHEMA_ERROR_SIZE])
{
	uint8_t *data = NULL;
	size_t len;
	struct schema *schema = NULL;
	CHECK_INT(file_read(CASE_DESCRIPTORS, SCHEMA_FILE_BYTES_MAX, &data, &len), 0);
	struct schema_file file = {.name = BYTES_STR("case.set"), .data = BYTES(data, len)};
	int r = schema_new(SCHEMA_PROTOBUF, &file, 1, BYTES_STR(root), &schema, error);
	free(data);
	CHECK(r == 0 || (r == SCHEMA_BAD && !schema));
	return schema;
}

static void check_message(
	const void *data, size_t len, int verdict, const char *field, const char *reason)
{
	char error[SCHEMA_ERROR_SIZE];
	_cleanup_(schema_free) struct schema *schema = cases("dienstweg.Case", error);
	struct schema_fault fault;
	CHECK_INT(schema_check(schema, BYTES(data, len), &fault), verdict);
	CHECK_STR(fault.field, field);
	if (!strstr(fault.reason, reason))
		CHECK_FAIL("\"%s\" is not in \"%s\"", reason, fault.reason);
}

static void a_case_follows_its_description(void)
{
	uint8_t buf[512];
	Dienstweg__Person applicant, child;
	Dienstweg__Person *household[] = {&child, &child};
	Dienstweg__Application application;
	Dienstweg__Case message;
	dienstweg__person__init(&applicant);
	dienstweg__person__init(&child);
	dienstweg__application__init(&application);
	dienstweg__case__init(&message);
	applicant.given_name = child.given_name = (char[]){"Ada"};
	application.applicant = &applicant;
	application.household = household;
	application.n_household = 2;
	message.content_case = DIENSTWEG__CASE__CONTENT_APPLICATION;
	message.application = &application;
	size_t len = dienstweg__case__pack(&message, buf);
	check_message(buf, len, 0, "", "");
	buf[len - 1] = 0xff; /* the last letter of the second child's name */
	check_message(buf, len, SCHEMA_FAULT, "application.household[2].given_name", "not UTF-8");
	check_message(buf, len - 1, SCHEMA_FAULT, "", "cut short");
}

static void what_the_description_does_not_say_is_a_fault(void)
{
	/* Case.reference twice; an unknown field; a text where a number stands; an endless number. */
	check_message("\x0a\x01x\x0a\x01y", 6, SCHEMA_FAULT, "reference", "twice");
	check_message("\xba\x07\x01x", 4, SCHEMA_FAULT, "", "does not know: number 119");
	check_message("\x08\x05", 2, SCHEMA_FAULT, "reference", "another type");
	check_message("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, SCHEMA_FAULT, "",
		"no protobuf");
	check_message("\x0b", 1, SCHEMA_FAULT, "", "no protobuf");
}

static void a_set_without_the_message_says_so(void)
{
	char error[SCHEMA_ERROR_SIZE] = "";
	struct schema *schema = NULL;
	CHECK(cases("dienstweg.Nothing", error) == NULL);
	CHECK_STR(error, "case.set: there is no message type dienstweg.Nothing in it");
	struct schema_file file = {.name = BYTES_STR("x"), .data = BYTES_STR("\x0a\xff")};
	CHECK_INT(schema_new(SCHEMA_PROTOBUF, &file, 1, BYTES_STR("A"), &schema, error), SCHEMA_BAD);
	CHECK(strstr(error, "--descriptor_set_out") != NULL);
}

CHECK_MAIN(CHECK_CASE(what_follows_the_schema_passes),
	CHECK_CASE(a_fault_names_the_place_and_never_the_value),
	CHECK_CASE(a_name_is_shown_only_when_the_schema_has_it),
	CHECK_CASE(hostile_documents_are_refused_early),
	CHECK_CASE(a_document_cannot_bring_its_own_schema), CHECK_CASE(deep_documents_end),
	CHECK_CASE(a_schema_that_cannot_be_used_says_why),
	CHECK_CASE(only_the_root_asked_for_will_do), CHECK_CASE(a_case_follows_its_description),
	CHECK_CASE(what_the_description_does_not_say_is_a_fault),
	CHECK_CASE(a_set_without_the_message_says_so))
