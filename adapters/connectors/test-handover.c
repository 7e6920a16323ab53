/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Deliveries of every kind into real folders: what the legacy system finds, and what is turned down. The
 * agency here writes every form there is.
 */
#include "adapters/connectors/handover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/connectors/case-form.h"
#include "adapters/connectors/cases.h"
#include "adapters/connectors/receipts.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

enum { PATH_SIZE = 800 };
#define CASE_HEX "0c000000000000000000000000000000"

static int write_form(const Dienstweg__Case *content, const char **ret_file, json_t **ret_json)
{
	*ret_json = NULL;
	*ret_file = "application.json";
	if (content->content_case == DIENSTWEG__CASE__CONTENT_APPLICATION)
		return case_form_application_write(content, ret_json);
	*ret_file = "decision.json";
	return content->content_case == DIENSTWEG__CASE__CONTENT_DECISION
		       ? case_form_decision_write(content, ret_json)
		       : 0;
}

struct desk {
	char dir[400], out[PATH_SIZE], documents[PATH_SIZE], journals[2][PATH_SIZE];
	struct folder_agency agency;
	struct handover handover;
	struct dw_delivery delivery;
	struct dw_verdict verdict;
	Dienstweg__Application application;
	Dienstweg__Case content;
	uint8_t *packed;
};

static struct folder_out *out_open(const char *path, const char *journal)
{
	struct folder_out *out = NULL;
	char why[600];
	const struct folder_out_options options = {
		.path = path, .field = "connector.out", .journal = journal, .remember = 16};
	CHECK_INT(folder_out_open(&options, &out, why, sizeof(why)), 0);
	return out;
}

static void desk_init(struct desk *desk, const char *name)
{
	*desk = (struct desk){.agency = {.write = write_form}};
	snprintf(desk->dir, sizeof(desk->dir), "%s/%s", check_memdir(), name);
	snprintf(desk->out, PATH_SIZE, "%s/out", desk->dir);
	snprintf(desk->documents, PATH_SIZE, "%s/documents", desk->dir);
	snprintf(desk->journals[0], PATH_SIZE, "%s/j0", desk->dir);
	snprintf(desk->journals[1], PATH_SIZE, "%s/j1", desk->dir);
	desk->handover = (struct handover){.agency = &desk->agency,
		.state = desk->dir,
		.party = "jobcenter",
		.out = out_open(desk->out, desk->journals[0]),
		.documents = out_open(desk->documents, desk->journals[1])};
	desk->delivery = (struct dw_delivery){.sequence = 42,
		.recorded_ms = 1795266308123,
		.created_ms = 1795266307000,
		.recipient = BYTES_STR("jobcenter"),
		.sender = BYTES_STR("city"),
		.service = BYTES_STR("alg2.application"),
		.region = BYTES_STR("05124"),
		.kind = DW_SUBMISSION,
		.content_type = BYTES_STR(CASE_CONTENT_TYPE),
		.schema = BYTES_STR(CASE_SCHEMA),
		.case_id = {0x0c},
		.message_id = {1, 2, 3},
		.h = {0xab},
		.channel = 1};
	dienstweg__case__init(&desk->content);
	dienstweg__application__init(&desk->application);
	desk->application.service = (char *)(uintptr_t) "alg2.application";
}

static void desk_deinit(struct desk *desk)
{
	folder_out_free(desk->handover.out);
	folder_out_free(desk->handover.documents);
	free(desk->packed);
}
DEFINE_CLEANUP_PTR(struct desk, desk_deinit);

static void put_case(struct desk *desk)
{
	free(desk->packed);
	size_t len = dienstweg__case__get_packed_size(&desk->content);
	desk->packed = malloc(len + 1);
	CHECK(desk->packed != NULL);
	dienstweg__case__pack(&desk->content, desk->packed);
	desk->delivery.body = BYTES(desk->packed, len);
	CHECK_INT(handover_put(&desk->handover, &desk->delivery, &desk->verdict), 0);
}

static void file_is(const char *folder, const char *name, const char *expected)
{
	char path[2 * PATH_SIZE];
	_cleanup_(heap_free) uint8_t *text = NULL;
	size_t len = 0;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int r = file_read(path, 1 << 20, &text, &len);
	if (r)
		CHECK_FAIL("%s: %d", path, r);
	CHECK_STR((char *)text, expected);
}

static bool is_there(const char *folder, const char *name)
{
	char path[2 * PATH_SIZE];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static void document(
	Dienstweg__Document *document, const char *name, const char *type, const char *data)
{
	dienstweg__document__init(document);
	document->name = (char *)(uintptr_t)name;
	document->media_type = (char *)(uintptr_t)type;
	document->data.data = (uint8_t *)(uintptr_t)data;
	document->data.len = strlen(data);
}

static void application_becomes_a_case_folder(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	Dienstweg__Document documents[3], *list[3];
	desk_init(&desk, "application");
	document(&documents[0], "Mietvertrag.pdf", "application/pdf", "%PDF");
	document(&documents[1], "../Mietvertrag.pdf", "application/pdf", "second");
	document(&documents[2], "message.json", "application/json", "third");
	for (int i = 0; i < 3; i++)
		list[i] = &documents[i];
	desk.content.reference = (char *)(uintptr_t) "P-1";
	desk.content.content_case = DIENSTWEG__CASE__CONTENT_APPLICATION;
	desk.content.application = &desk.application;
	desk.content.documents = list;
	desk.content.n_documents = 3;
	put_case(&desk);
	CHECK_INT(desk.verdict.disposition, DW_ACCEPTED);
	char folder[2 * PATH_SIZE];
	snprintf(folder, sizeof(folder), "%s/" CASE_HEX "/0000000042-application", desk.out);
	file_is(folder, "application.json",
		"{\n  \"reference\": \"P-1\",\n  \"service\": \"alg2.application\"\n}");
	file_is(folder, "Mietvertrag.pdf", "%PDF");
	file_is(folder, "_._Mietvertrag.pdf", "second");
	file_is(folder, "2-message.json", "third");
	file_is(folder, "message.json",
		"{\n  \"case\": \"" CASE_HEX "\",\n  \"service\": \"alg2.application\",\n"
		"  \"sender\": \"city\",\n  \"recipient\": \"jobcenter\",\n  \"region\": "
		"\"05124\",\n"
		"  \"kind\": \"submission\",\n  \"channel\": \"online\",\n"
		"  \"created\": \"2026-11-21T13:05:07.000Z\",\n"
		"  \"recorded\": \"2026-11-21T13:05:08.123Z\",\n  \"sequence\": 42,\n"
		"  \"message\": \"01020300-0000-0000-0000-000000000000\",\n"
		"  \"h\": \"ab00000000000000000000000000000000000000000000000000000000000000\",\n"
		"  \"content_type\": \"application/vnd.dienstweg.case+protobuf\",\n"
		"  \"schema\": \"dienstweg.case/0\",\n  \"documents\": [\n    {\n"
		"      \"file\": \"Mietvertrag.pdf\",\n      \"media_type\": \"application/pdf\",\n"
		"      \"bytes\": 4\n    },\n    {\n      \"file\": \"_._Mietvertrag.pdf\",\n"
		"      \"name\": \"../Mietvertrag.pdf\",\n      \"media_type\": "
		"\"application/pdf\",\n"
		"      \"bytes\": 6\n    },\n    {\n      \"file\": \"2-message.json\",\n"
		"      \"name\": \"message.json\",\n      \"media_type\": \"application/json\",\n"
		"      \"bytes\": 5\n    }\n  ]\n}");
}

static void cases_are_remembered(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	struct case_origin origin;
	desk_init(&desk, "remembered");
	CHECK_INT(cases_get(desk.dir, CASES_OF_SUBMISSIONS, desk.delivery.case_id, &origin),
		CASES_UNKNOWN);
	desk.content.reference = (char *)(uintptr_t) "P-1";
	desk.content.content_case = DIENSTWEG__CASE__CONTENT_APPLICATION;
	desk.content.application = &desk.application;
	put_case(&desk);
	CHECK_INT(cases_get(desk.dir, CASES_OF_SUBMISSIONS, desk.delivery.case_id, &origin), 0);
	CHECK_STR(origin.sender, "city");
	CHECK_STR(origin.recipient, "jobcenter");
	CHECK_STR(origin.service, "alg2.application");
	CHECK_STR(origin.reference, "P-1");
	CHECK_INT(origin.sequence, 42);
	CHECK_INT(origin.h[0], 0xab);
	desk.delivery.sequence = 41; /* an older one, delivered late */
	desk.delivery.h[0] = 0xcd;
	desk.delivery.message_id[0] = 9;
	put_case(&desk);
	CHECK_INT(cases_get(desk.dir, CASES_OF_SUBMISSIONS, desk.delivery.case_id, &origin), 0);
	CHECK_INT(origin.h[0], 0xab);
}

static void damaged_memory_is_told(void)
{
	char path[PATH_SIZE];
	const uint8_t case_id[16] = {0x0c};
	struct case_origin origin = {.case_id = {0x0c},
				   .sender = "city",
				   .recipient = "jobcenter",
				   .service = "alg2.application"},
			   read;
	CHECK_INT(cases_put(check_memdir(), CASES_OF_SUBMISSIONS, &origin), 0);
	snprintf(path, sizeof(path), "%s/cases/0c/" CASE_HEX ".json", check_memdir());
	CHECK_INT(file_replace(path, BYTES_STR("{\"sender\": 1}"), 0600), 0);
	CHECK_INT(cases_get(check_memdir(), CASES_OF_SUBMISSIONS, case_id, &read), -EBADMSG);
	CHECK_INT(cases_put(check_memdir(), CASES_OF_SUBMISSIONS, &origin),
		0); /* and mended by the next message */
	CHECK_INT(cases_get(check_memdir(), CASES_OF_SUBMISSIONS, case_id, &read), 0);
	CHECK_STR(read.sender, "city");
}

static void questions_and_answers_are_forms_of_every_agency(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	Dienstweg__Question question;
	Dienstweg__QuestionAnswer answer;
	Dienstweg__Person person;
	Dienstweg__FormField field, *fields[] = {&field};
	struct case_origin origin;
	char folder[2 * PATH_SIZE];
	desk_init(&desk, "questions");
	dienstweg__question__init(&question);
	dienstweg__question_answer__init(&answer);
	dienstweg__person__init(&person);
	dienstweg__form_field__init(&field);
	person.given_name = (char *)(uintptr_t) "Erika";
	person.family_name = (char *)(uintptr_t) "Mustermann";
	field.name = (char *)(uintptr_t) "since";
	field.value = (char *)(uintptr_t) "2026-01";
	question.question = (char *)(uintptr_t) "benefits?";
	question.about = &person;
	desk.content.content_case = DIENSTWEG__CASE__CONTENT_QUESTION;
	desk.content.question = &question;
	desk.delivery.kind = DW_ENQUIRY;
	put_case(&desk);
	CHECK_INT(desk.verdict.disposition, DW_ACCEPTED);
	snprintf(folder, sizeof(folder), "%s/" CASE_HEX "/0000000042-question", desk.out);
	file_is(folder, "question.json",
		"{\n  \"question\": \"benefits?\",\n  \"about\": {\n    \"given_name\": "
		"\"Erika\",\n"
		"    \"family_name\": \"Mustermann\"\n  }\n}");
	/* Remembered apart from what opened the case: a decision does not answer it. */
	CHECK_INT(cases_get(desk.dir, CASES_OF_SUBMISSIONS, desk.delivery.case_id, &origin),
		CASES_UNKNOWN);
	CHECK_INT(cases_get(desk.dir, CASES_OF_QUESTIONS, desk.delivery.case_id, &origin), 0);
	CHECK_STR(origin.sender, "city");

	answer.answer = (char *)(uintptr_t) "yes";
	answer.fields = fields;
	answer.n_fields = 1;
	desk.content.content_case = DIENSTWEG__CASE__CONTENT_ANSWER;
	desk.content.answer = &answer;
	desk.delivery.kind = DW_ANSWER;
	desk.delivery.sequence = 43;
	desk.delivery.message_id[0] = 9;
	put_case(&desk);
	snprintf(folder, sizeof(folder), "%s/" CASE_HEX "/0000000043-answer", desk.out);
	file_is(folder, "answer.json",
		"{\n  \"answer\": \"yes\",\n  \"fields\": [\n    {\n      \"name\": \"since\",\n"
		"      \"value\": \"2026-01\"\n    }\n  ]\n}");
}

static void xml_is_not_touched(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char folder[2 * PATH_SIZE];
	desk_init(&desk, "xml");
	desk.delivery.content_type = BYTES_STR(XML_CONTENT_TYPE);
	desk.delivery.body = BYTES_STR("<?xml version='1.0'?>\r\n<a  b='1'/>\n\n");
	CHECK_INT(handover_put(&desk.handover, &desk.delivery, &desk.verdict), 0);
	CHECK_INT(desk.verdict.disposition, DW_ACCEPTED);
	snprintf(folder, sizeof(folder), "%s/" CASE_HEX "/0000000042-document", desk.out);
	file_is(folder, "document.xml", "<?xml version='1.0'?>\r\n<a  b='1'/>\n\n");
}

static void documents_alone(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	Dienstweg__Document one, *list[] = {&one};
	desk_init(&desk, "documents");
	document(&one, "nachricht.xml", "application/xml", "<a/>");
	desk.content.documents = list;
	desk.content.n_documents = 1;
	put_case(&desk);
	CHECK_INT(desk.verdict.disposition, DW_ACCEPTED);
	CHECK(is_there(desk.out, CASE_HEX "/0000000042-document/nachricht.xml"));
}

static void operated_parties_have_their_own_folder(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "operated");
	desk.content.content_case = DIENSTWEG__CASE__CONTENT_APPLICATION;
	desk.content.application = &desk.application;
	desk.delivery.recipient = BYTES_STR("youthoffice");
	put_case(&desk);
	CHECK(is_there(
		desk.documents, "youthoffice/" CASE_HEX "/0000000042-application/message.json"));
	desk.delivery.recipient = BYTES_STR("jobcenter"); /* the same message to both */
	put_case(&desk);
	CHECK(is_there(desk.out, CASE_HEX "/0000000042-application/message.json"));
	folder_out_free(desk.handover.documents);
	desk.handover.documents = NULL;
	desk.delivery.recipient = BYTES_STR("school");
	desk.delivery.sequence = 43;
	put_case(&desk);
	CHECK(is_there(desk.out, CASE_HEX "/0000000043-application/message.json"));
}

static void rejected(struct desk *desk, const char *code)
{
	CHECK_INT(desk->verdict.disposition, DW_REJECTED);
	CHECK_STR(desk->verdict.code, code);
	CHECK(!is_there(desk->out, CASE_HEX));
}

static void what_cannot_be_understood_is_rejected(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	Dienstweg__StatusReport status;
	desk_init(&desk, "rejected");
	put_case(&desk); /* nothing in it */
	rejected(&desk, "malformed-content");
	desk.delivery.body = BYTES("\xff\xff\xff\xff", 4);
	CHECK_INT(handover_put(&desk.handover, &desk.delivery, &desk.verdict), 0);
	rejected(&desk, "malformed-content");
	dienstweg__status_report__init(&status);
	desk.content.content_case = DIENSTWEG__CASE__CONTENT_STATUS;
	desk.content.status = &status;
	put_case(&desk); /* no form for it */
	rejected(&desk, "unknown-content");
	desk.content.content_case = DIENSTWEG__CASE__CONTENT_APPLICATION;
	desk.content.application = &desk.application;
	desk.content.reference = (char *)(uintptr_t) "\xe4";
	put_case(&desk);
	rejected(&desk, "malformed-content");
	desk.delivery.content_type = BYTES_STR("text/plain");
	CHECK_INT(handover_put(&desk.handover, &desk.delivery, &desk.verdict), 0);
	rejected(&desk, "unknown-content-type");
	CHECK(!is_there(desk.dir, "cases"));
}

static void too_many_documents_are_rejected(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	Dienstweg__Document one, *list[CASE_DOCUMENTS_MAX + 1];
	desk_init(&desk, "crowd");
	document(&one, "a.pdf", "application/pdf", "x");
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		list[i] = &one;
	desk.content.documents = list;
	desk.content.n_documents = ARRAY_LEN(list);
	put_case(&desk);
	rejected(&desk, "malformed-content");
	desk.content.n_documents = CASE_DOCUMENTS_MAX;
	put_case(&desk);
	CHECK_INT(desk.verdict.disposition, DW_ACCEPTED);
	CHECK(is_there(desk.out, CASE_HEX "/0000000042-document/64-a.pdf"));
}

/* 256 KiB of empty documents would be a hundred times as much in memory. */
static void inflating_content_is_bounded(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	static uint8_t bomb[256 * 1024];
	desk_init(&desk, "bomb");
	for (size_t i = 0; i + 1 < sizeof(bomb); i += 2) {
		bomb[i] = 10 << 3 | 2; /* documents, length 0 */
		bomb[i + 1] = 0;
	}
	desk.delivery.body = BYTES(bomb, sizeof(bomb));
	CHECK_INT(handover_put(&desk.handover, &desk.delivery, &desk.verdict), 0);
	rejected(&desk, "malformed-content");
}

static void unwritable_folder_is_for_later(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	char path[2 * PATH_SIZE];
	desk_init(&desk, "unwritable");
	snprintf(path, sizeof(path), "%s/" CASE_HEX, desk.out);
	CHECK_INT(file_replace(path, BYTES_STR("a file in its place"), 0600), 0);
	desk.content.content_case = DIENSTWEG__CASE__CONTENT_APPLICATION;
	desk.content.application = &desk.application;
	put_case(&desk);
	CHECK_INT(desk.verdict.disposition, DW_LATER);
	CHECK_STR(desk.verdict.code, "folder");
	CHECK_INT(unlink(path), 0);
	put_case(&desk);
	CHECK_INT(desk.verdict.disposition, DW_ACCEPTED);
	CHECK(is_there(desk.out, CASE_HEX "/0000000042-application/application.json"));
}

static void number_of_an_earlier_log(void)
{
	_cleanup_(desk_deinit) struct desk desk;
	desk_init(&desk, "epoch");
	desk.content.content_case = DIENSTWEG__CASE__CONTENT_APPLICATION;
	desk.content.application = &desk.application;
	put_case(&desk);
	desk.delivery.message_id[0] = 7;
	desk.delivery.h[0] = 0xcd;
	put_case(&desk);
	CHECK_INT(desk.verdict.disposition, DW_ACCEPTED);
	CHECK(is_there(desk.out, CASE_HEX "/0000000042-application.cd000000/message.json"));
}

static void receipts_and_outcomes(void)
{
	char folder[PATH_SIZE];
	struct dw_report report = {.event = DW_RECORDED,
		.key = BYTES_STR("a.json.0123"),
		.message_id = {1},
		.case_id = {0x0c},
		.h = {0xab},
		.service = BYTES_STR("alg2.application"),
		.sequence = 7,
		.at_ms = 1795266308123,
		.proof = BYTES_STR("c2sp.org/tlog-proof@v1\n")};
	snprintf(folder, sizeof(folder), "%s/receipts", check_memdir());
	CHECK_INT(receipts_put(folder, NULL, &report), 0);
	CHECK_INT(receipts_put(folder, NULL, &report), 0);
	file_is(folder, "a.json.0123.receipt", "c2sp.org/tlog-proof@v1\n");
	file_is(folder, "a.json.0123.recorded.json",
		"{\n  \"event\": \"recorded\",\n  \"key\": \"a.json.0123\",\n"
		"  \"service\": \"alg2.application\",\n  \"case\": \"" CASE_HEX "\",\n"
		"  \"message\": \"01000000-0000-0000-0000-000000000000\",\n"
		"  \"h\": \"ab00000000000000000000000000000000000000000000000000000000000000\",\n"
		"  \"sequence\": 7,\n  \"at\": \"2026-11-21T13:05:08.123Z\"\n}");
	report = (struct dw_report){.event = DW_ENDED,
		.key = BYTES_STR("../a"),
		.state = BYTES_STR("rejected"),
		.code = BYTES_STR("malformed-content"),
		.text = BYTES_STR("no UTF-8: \xe4")};
	CHECK_INT(receipts_put(folder, NULL, &report), 0);
	CHECK(is_there(folder, "_._a.ended.json"));
	report = (struct dw_report){.event = DW_REFUSED,
		.key = BYTES_STR("b"),
		.code = BYTES_STR("no-agreement"),
		.field = BYTES_STR("agreement"),
		.text = BYTES_STR("none")};
	CHECK_INT(receipts_put(folder, NULL, &report), 0);
	CHECK(is_there(folder, "b.refused.json"));
}

CHECK_MAIN(CHECK_CASE(application_becomes_a_case_folder), CHECK_CASE(cases_are_remembered),
	CHECK_CASE(damaged_memory_is_told),
	CHECK_CASE(questions_and_answers_are_forms_of_every_agency), CHECK_CASE(xml_is_not_touched),
	CHECK_CASE(documents_alone), CHECK_CASE(operated_parties_have_their_own_folder),
	CHECK_CASE(what_cannot_be_understood_is_rejected),
	CHECK_CASE(too_many_documents_are_rejected), CHECK_CASE(inflating_content_is_bounded),
	CHECK_CASE(unwritable_folder_is_for_later), CHECK_CASE(number_of_an_earlier_log),
	CHECK_CASE(receipts_and_outcomes))
