/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Two agencies that know nothing of the bus but folders: a portal and its city on one side, a jobcenter
 * with its clerks on the other, each with its own adapter as a process. What is put into one folder has to
 * come out of another one, whole, once, and with the same bytes, whatever is killed meanwhile.
 */
#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "proto/base/crypto.h"
#include "proto/base/file.h"
#include "test/kit/check.h"
#include "test/scenario/town.h"

static const char application[] =
	"{\"service\": \"alg2.application\", \"region\": \"051240000000\", \"reference\": "
	"\"P-1\",\n"
	" \"applicant\": {\"given_name\": \"Erika\", \"family_name\": \"Mustermann\",\n"
	"  \"date_of_birth\": \"1964-08-12\"}, \"fields\": {\"rent\": \"480.00\"}}\n";

static const char pdf[] = "%PDF-1.4\n\0\1\2\xff binary";

/* A case folder is filled elsewhere and renamed into place, as portals should. */
static void case_folder_put(const struct town *town, const char *name, const char *form)
{
	char building[TOWN_PATH], path[TOWN_PATH];
	path_to(town, building, "city/in/.building");
	CHECK_INT(dir_make(building, 0700), 0);
	path_to(town, path, "city/in/.building/application.json");
	put_text(path, form);
	path_to(town, path, "city/in/.building/Mietvertrag.pdf");
	put(path, BYTES(pdf, sizeof(pdf)));
	path_to(town, path, "city/in/%s", name);
	CHECK_INT(rename(building, path), 0);
}

static void application_is_decided(void)
{
	struct town town;
	char letter[TOWN_PATH], path[TOWN_PATH], from[TOWN_PATH], text[600];
	town_init(&town);
	bus_start(&town.bus);
	adapter_start(&town, &town.city, "city");

	/* The portal files; the jobcenter is closed; the broker dies; the receipt is there already. */
	case_folder_put(&town, "antrag-1", application);
	path_to(&town, path, "city/receipts");
	CHECK_INT(wait_for_files(path, ".recorded.json", 1, TOWN_WAIT_MS), 1);
	CHECK_INT(wait_for_files(path, ".receipt", 1, TOWN_WAIT_MS), 1);
	bus_end(&town.bus, SIGKILL);
	bus_start(&town.bus);

	/* The jobcenter opens and finds everything. */
	adapter_start(&town, &town.jobcenter, "jobcenter");
	path_to(&town, path, "jobcenter/out");
	wait_for_letter(path, "-application", letter);
	path_to(&town, from, "city/done/antrag-1/Mietvertrag.pdf");
	snprintf(path, sizeof(path), "%.800s/Mietvertrag.pdf", letter);
	same_file(from, path);
	json_t *message = json_at(letter, "message.json"),
	       *form = json_at(letter, "application.json");
	CHECK_STR(text_of(message, "sender"), "city");
	CHECK_STR(text_of(json_object_get(form, "applicant"), "family_name"), "Mustermann");
	CHECK_STR(text_of(form, "reference"), "P-1");
	json_decref(form);

	/* A clerk answers twice, and names nothing but the case. */
	snprintf(text, sizeof(text), "{\"case\": \"%s\", \"state\": \"in-progress\"}",
		text_of(message, "case"));
	path_to(&town, path, "jobcenter/in/eins.json");
	put_text(path, text);
	snprintf(text, sizeof(text),
		"{\"case\": \"%s\", \"result\": \"granted\", \"decided_on\": \"2026-11-20\","
		" \"amounts\": [{\"purpose\": \"Regelbedarf\", \"cents\": 56300}]}",
		text_of(message, "case"));
	path_to(&town, path, "jobcenter/in/zwei.json");
	put_text(path, text);

	/* The portal gets both, in its own terms. */
	path_to(&town, path, "city/out");
	wait_for_letter(path, "-decision", letter);
	json_t *decision = json_at(letter, "decision.json"),
	       *answer = json_at(letter, "message.json");
	CHECK_STR(text_of(decision, "result"), "granted");
	CHECK_STR(text_of(decision, "reference"), "P-1");
	CHECK_STR(text_of(answer, "case"), text_of(message, "case"));
	CHECK_STR(text_of(answer, "in_reply_to"), text_of(message, "h"));
	CHECK_STR(text_of(answer, "service"), "alg2.decision");
	CHECK_STR(text_of(answer, "status"), "decided");
	wait_for_letter(path, "-status", letter);
	path_to(&town, path, "city/receipts");
	CHECK_INT(wait_for_files(path, ".ended.json", 1, TOWN_WAIT_MS), 1);
	json_decref(message);
	json_decref(answer);
	json_decref(decision);
	town_deinit(&town);
}

static void office_of_the_city(void)
{
	struct town town;
	char letter[TOWN_PATH], path[TOWN_PATH], text[600];
	town_init(&town);
	town_start(&town);
	path_to(&town, path, "city/in/uvg.json");
	put_text(path, "{\"service\": \"uvg.application\", \"applicant\": {\"given_name\": \"A\","
		       "\"family_name\": \"B\", \"address\": {\"region\": \"051240000000\"}}}");
	path_to(&town, path, "city/documents");
	CHECK_INT(wait_for_files(path, "youthoffice", 1, TOWN_WAIT_MS), 1);
	path_to(&town, path, "city/documents/youthoffice");
	wait_for_letter(path, "-application", letter);
	json_t *message = json_at(letter, "message.json");
	CHECK_STR(text_of(message, "recipient"), "youthoffice");
	snprintf(text, sizeof(text), "{\"case\": \"%s\", \"result\": \"refused\"}",
		text_of(message, "case"));
	path_to(&town, path, "city/in/answer.json");
	put_text(path, text);
	path_to(&town, path, "city/out");
	wait_for_letter(path, "-decision", letter);
	json_t *answer = json_at(letter, "message.json");
	CHECK_STR(text_of(answer, "sender"), "youthoffice");
	CHECK_STR(text_of(answer, "service"), "uvg.decision");
	json_decref(answer);
	json_decref(message);
	town_deinit(&town);
}

static void answer_put(
	const struct town *town, const char *name, const char *case_hex, const char *text)
{
	char path[TOWN_PATH], form[600];
	snprintf(form, sizeof(form), "{\"case\": \"%s\", \"answer\": \"%s\"}", case_hex, text);
	path_to(town, path, "jobcenter/in/%s.json", name);
	put_text(path, form);
}

/*
 * Somebody at the counter asks, a clerk over there answers, both with a file; both machines fall over in between. The
 * first answer counts, and who gives a second one is told.
 */
static void question_is_answered(void)
{
	struct town town;
	char letter[TOWN_PATH], path[TOWN_PATH], name[256];
	town_init(&town);
	town_start(&town);
	path_to(&town, path, "city/in/frage.json");
	put_text(path, "{\"service\": \"benefit.question\", \"recipient\": \"jobcenter\",\n"
		       " \"question\": \"Benefits at present?\",\n"
		       " \"about\": {\"given_name\": \"Erika\", \"family_name\": \"Mustermann\"}}");
	path_to(&town, path, "city/receipts");
	CHECK_INT(wait_for_files(path, ".recorded.json", 1, TOWN_WAIT_MS), 1);
	name_in(path, ".recorded.json", name);
	json_t *recorded = json_at(path, name);
	CHECK_INT(process_end(&town.city, SIGKILL), 128 + SIGKILL);
	adapter_start(&town, &town.city, "city");
	path_to(&town, path, "jobcenter/out");
	wait_for_letter(path, "-question", letter);
	json_t *message = json_at(letter, "message.json"), *form = json_at(letter, "question.json");
	CHECK_STR(text_of(message, "kind"), "enquiry");
	CHECK_STR(text_of(message, "answer_by"), text_of(recorded, "answer_by"));
	CHECK_STR(text_of(form, "question"), "Benefits at present?");
	CHECK_STR(text_of(json_object_get(form, "about"), "family_name"), "Mustermann");
	CHECK_INT(process_end(&town.jobcenter, SIGKILL), 128 + SIGKILL);
	adapter_start(&town, &town.jobcenter, "jobcenter");

	answer_put(&town, "ja", text_of(message, "case"), "yes");
	path_to(&town, path, "city/out");
	wait_for_letter(path, "-answer", letter);
	json_t *answer = json_at(letter, "answer.json"), *about = json_at(letter, "message.json");
	CHECK_STR(text_of(answer, "answer"), "yes");
	CHECK_STR(text_of(about, "kind"), "answer");
	CHECK_STR(text_of(about, "case"), text_of(message, "case"));
	CHECK_STR(text_of(about, "in_reply_to"), text_of(message, "h"));
	answer_put(&town, "doch nicht", text_of(message, "case"), "no");
	path_to(&town, path, "jobcenter/receipts");
	CHECK_INT(wait_for_files(path, ".refused.json", 1, TOWN_WAIT_MS), 1);
	name_in(path, ".refused.json", name);
	json_t *refused = json_at(path, name);
	CHECK_STR(text_of(refused, "code"), "no-enquiry");
	/* An answer in a case in which nothing was asked is not sent at all. */
	answer_put(&town, "falsch", "00000000000000000000000000000000", "no");
	path_to(&town, path, "jobcenter/failed");
	CHECK_INT(wait_for_files(path, ".error.txt", 1, TOWN_WAIT_MS), 1);
	json_decref(recorded);
	json_decref(message);
	json_decref(form);
	json_decref(answer);
	json_decref(about);
	json_decref(refused);
	town_deinit(&town);
}

static const char xjustiz[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
	"<j:nachricht.gds.uebermittlungSchriftgutobjekte.0005005 xmlns:j='http://www.xjustiz.de'>\n"
	"<j:nachrichtenkopf><j:auswahl_empfaenger><j:empfaenger.sonstige>Digitalservice"
	"</j:empfaenger.sonstige></j:auswahl_empfaenger>\n"
	"<j:eigeneNachrichtenID>4f28f648-5bd7-22b5-7c14-fba1cee8e5dd</j:eigeneNachrichtenID>"
	"</j:nachrichtenkopf>\n\n<j:inhalt   a='ä'/>"
	"</j:nachricht.gds.uebermittlungSchriftgutobjekte.0005005>\n \n";

static void documents_travel_unchanged(void)
{
	struct town town;
	char letter[TOWN_PATH], path[TOWN_PATH], from[TOWN_PATH], name[256];
	town_init(&town);
	town_start(&town);
	path_to(&town, path, "city/in/alone.xml");
	put_text(path, xjustiz);
	path_to(&town, path, "jobcenter/out");
	wait_for_letter(path, "-document", letter);
	snprintf(path, sizeof(path), "%.800s/document.xml", letter);
	path_to(&town, from, "city/done/alone.xml");
	same_file(from, path);
	json_t *message = json_at(letter, "message.json");
	CHECK_STR(
		text_of(message, "schema"), "nachricht.gds.uebermittlungSchriftgutobjekte.0005005");
	json_decref(message);

	/* The document's own id is its key: the portal finds its receipt by it. */
	path_to(&town, path, "city/receipts");
	CHECK_INT(wait_for_files(path, ".recorded.json", 1, TOWN_WAIT_MS), 1);
	name_in(path, ".recorded.json", name);
	CHECK(strncmp(name, "4f28f648-5bd7-22b5-7c14-fba1cee8e5dd.", 37) == 0);

	/* The same document under another name is the same message. */
	path_to(&town, path, "city/in/again.xml");
	put_text(path, xjustiz);
	path_to(&town, path, "city/done");
	CHECK_INT(wait_for_files(path, ".xml", 2, TOWN_WAIT_MS), 2);
	path_to(&town, path, "city/receipts");
	CHECK_INT(wait_for_files(path, ".recorded.json", 2, 300), 1);
	town_deinit(&town);
}

/* What cannot be sent fails beside good ones, each with its reason. */
static void mistakes_disturb_nobody(void)
{
	static const struct {
		const char *name, *text, *why;
	} mistakes[] = {
		{"a.json", "{\"service\": \"alg2.application\"}", "applicant: missing"},
		{"b.json", "{ no json", "line 1, column"},
		{"c.json",
			"{\"service\": \"alg2.application\", \"region\": \"09\", \"applicant\":"
			"{\"given_name\": \"A\", \"family_name\": \"B\"}}",
			"region"},
		{"d.json",
			"{\"service\": \"wohngeld.application\", \"region\": \"05124\", "
			"\"applicant\":"
			"{\"given_name\": \"A\", \"family_name\": \"B\"}}",
			"service"},
		{"e.xml", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
			"has a DOCTYPE"},
		{"f.xml", "<a><nachrichtenkopf/></a>", "message type a"},
		{"g.docx", "x", "neither in .json nor in .xml"},
		{"h.json",
			"{\"case\": \"00000000000000000000000000000000\", \"state\": \"received\"}",
			"case: no such case came in here"},
	};
	struct town town;
	char path[TOWN_PATH], letter[TOWN_PATH];
	town_init(&town);
	town_start(&town);
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		path_to(&town, path, "city/in/%s", mistakes[i].name);
		put_text(path, mistakes[i].text);
	}
	case_folder_put(&town, "good", application);
	path_to(&town, path, "jobcenter/out");
	wait_for_letter(path, "-application", letter);
	path_to(&town, path, "city/failed");
	CHECK_INT(wait_for_files(path, ".error.txt", ARRAY_LEN(mistakes), TOWN_WAIT_MS),
		ARRAY_LEN(mistakes));
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		_cleanup_(heap_free) uint8_t *text = NULL;
		size_t len = 0;
		path_to(&town, path, "city/failed/%s.error.txt", mistakes[i].name);
		CHECK_INT(file_read(path, 10000, &text, &len), 0);
		if (!strstr((char *)text, mistakes[i].why))
			CHECK_FAIL("%s: \"%s\" does not say \"%s\"", mistakes[i].name, (char *)text,
				mistakes[i].why);
	}
	town_deinit(&town);
}

static void large_put(struct town *town, const char *name, struct bytes document)
{
	char path[TOWN_PATH], to[TOWN_PATH];
	path_to(town, path, "city/in/.%s", name);
	CHECK_INT(dir_make(path, 0700), 0);
	path_to(town, path, "city/in/.%s/application.json", name);
	put_text(path, application);
	path_to(town, path, "city/in/.%s/Mietvertrag.pdf", name);
	put(path, document);
	path_to(town, path, "city/in/.%s", name);
	path_to(town, to, "city/in/%s", name);
	CHECK_INT(rename(path, to), 0);
}

/* What does not fit into the message goes beside it, and stands in the letter all the same. */
static void large_arrives(struct town *town, const char *name, struct bytes document)
{
	char path[TOWN_PATH], letter[TOWN_PATH], to[TOWN_PATH];
	large_put(town, name, document);
	path_to(town, path, "jobcenter/out");
	wait_for_letter(path, "-application", letter);
	path_to(town, path, "city/done/%s/Mietvertrag.pdf", name);
	snprintf(to, sizeof(to), "%.800s/Mietvertrag.pdf", letter);
	same_file(path, to);
	json_t *message = json_at(letter, "message.json");
	const json_t *listed = json_array_get(json_object_get(message, "documents"), 0);
	CHECK_STR(text_of(listed, "file"), "Mietvertrag.pdf");
	CHECK_STR(text_of(listed, "media_type"), "application/pdf");
	CHECK_INT(json_integer_value(json_object_get(listed, "bytes")), document.len);
	json_decref(message);
	path_to(town, to, "jobcenter/taken-%s", name);
	*strrchr(letter, '/') = '\0'; /* the folder of its case */
	CHECK_INT(rename(letter, to), 0);
}

static void large_documents(void)
{
	struct town town;
	char path[TOWN_PATH];
	size_t len = 0;
	_cleanup_(heap_free) uint8_t *data = malloc(1100000), *text = NULL;
	CHECK(data != NULL);
	random_fill(data, 1100000);
	town_init(&town);
	town_start(&town);
	large_arrives(&town, "inline", BYTES(data, 240000));
	large_arrives(&town, "beside", BYTES(data, 261000));
	large_arrives(&town, "larger", BYTES(data, 1000000));
	large_put(&town, "too-large", BYTES(data, 1100000));
	path_to(&town, path, "city/failed");
	CHECK_INT(wait_for_files(path, ".error.txt", 1, TOWN_WAIT_MS), 1);
	path_to(&town, path, "city/failed/too-large.error.txt");
	CHECK_INT(file_read(path, 10000, &text, &len), 0);
	CHECK(strstr((char *)text, "Mietvertrag.pdf: is too large"));
	town_deinit(&town);
}

static size_t count_letters(const char *out)
{
	size_t count = 0;
	DIR *dir = opendir(out);
	CHECK(dir != NULL);
	for (const struct dirent *e; (e = readdir(dir));) {
		char path[TOWN_PATH];
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%.600s/%s", out, e->d_name);
		count += wait_for_files(path, "-application", 1, TOWN_WAIT_MS);
	}
	closedir(dir);
	return count;
}

/* Both adapters die again and again; each application arrives in one folder. */
static void killed_adapters_lose_nothing(void)
{
	enum { ROUNDS = 12, EACH = 4 };
	struct town town;
	char path[TOWN_PATH], text[600];
	town_init(&town);
	town_start(&town);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < EACH; i++) {
			snprintf(text, sizeof(text),
				"{\"service\": \"alg2.application\", \"region\": \"05124\","
				"\"reference\": \"%d-%d\", \"applicant\": {\"given_name\": \"A\","
				"\"family_name\": \"B\"}}",
				round, i);
			path_to(&town, path, "city/in/%d-%d.json", round, i);
			put_text(path, text);
		}
		path_to(&town, path, round % 2 ? "city/done" : "jobcenter/out");
		wait_for_files(path, "", (size_t)(round * EACH + round % EACH + 1), TOWN_WAIT_MS);
		struct process *victim = round % 3 ? &town.city : &town.jobcenter;
		CHECK_INT(process_end(victim, SIGKILL), 128 + SIGKILL);
		adapter_start(&town, victim, round % 3 ? "city" : "jobcenter");
	}
	path_to(&town, path, "jobcenter/out");
	CHECK_INT(wait_for_files(path, "", ROUNDS * EACH, TOWN_WAIT_MS), ROUNDS * EACH);
	CHECK_INT(count_letters(path), ROUNDS * EACH);
	path_to(&town, path, "city/receipts");
	CHECK_INT(wait_for_files(path, ".ended.json", ROUNDS * EACH, TOWN_WAIT_MS), ROUNDS * EACH);
	path_to(&town, path, "city/done");
	CHECK_INT(wait_for_files(path, "", ROUNDS * EACH, TOWN_WAIT_MS), ROUNDS * EACH);
	town_deinit(&town);
}

CHECK_MAIN(CHECK_CASE(application_is_decided), CHECK_CASE(office_of_the_city),
	CHECK_CASE(question_is_answered), CHECK_CASE(documents_travel_unchanged),
	CHECK_CASE(mistakes_disturb_nobody), CHECK_CASE(large_documents),
	CHECK_CASE(killed_adapters_lose_nothing))
