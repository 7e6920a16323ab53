/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What a party answers with when a person asks it what the bus knows (Art. 15 GDPR): its own share of a case, in
 * words that can be handed on, each line with the proof that it is in the log. The words are made from the very
 * object that programs get, so that neither tells more than the other.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/admin/cases.h"
#include "broker/admin/inspect.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/audit/access.h"
#include "broker/audit/disputes.h"
#include "broker/audit/prove.h"
#include "broker/audit/statement.h"
#include "broker/audit/words.h"
#include "proto/base/clock.h"
#include "proto/base/db.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

static const char help[] =
	"usage: dienstweg audit report --party PARTY --case CASE --config FILE | --state DIR "
	"[OPTION...]\n"
	"\n"
	"Subject access: what the journal holds of a case for one party, as a readable report. It "
	"has what\n"
	"the party sent and received, when, under which agreement and legal basis, what became of "
	"it, and\n"
	"what has been erased; nothing of other parties, and no other recipient of an event. Each "
	"line has\n"
	"its proof under the log's signed checkpoint (dienstweg audit check).\n"
	"\n" FOLDERS_HELP CASES_HELP "  --party PARTY      whose share of the case\n"
	"  --case CASE        its id, or enough of the beginning\n"
	"  --out DIR          also write report.txt, signed with the bus's log keys, report.json "
	"and "
	"a\n"
	"                     .tlog-proof for each entry there\n" INSPECT_HELP
	"  --json             one object\n"
	"\n"
	"While the broker runs, it journals that the records were opened before they are shown, as "
	"subject-access\n"
	"on the ground art-15-gdpr unless told otherwise.\n"
	"Exit codes: 0 written; 1 no such case, or it has nothing of this party.\n";

enum { REGISTRY_ARENA = 96 << 20, REPORT_ARENA = 8 << 20, WHY_SIZE = 512 };

struct options {
	struct folders *folders;
	struct inspect inspect;
	const char *party, *id, *out;
	bool rebuild, json;
};

struct report {
	struct audit *audit;
	struct access access;
	struct disputes disputes;
	struct arena *arena; /* of the registry, or the content, at hand */
	json_t *entries;
};

/* ---- one entry ---- */

/* The registry in force there: its place in the chain is verification's business. */
static const Dienstweg__RegistryContent *registry_at(struct report *report, uint64_t sequence)
{
	struct bytes bytes;
	arena_reset(report->arena);
	if (journal_read_registry(report->audit->reader, sequence, report->arena, &bytes))
		return NULL;
	Dienstweg__SignedRegistry *outer = dienstweg__signed_registry__unpack(
		arena_allocator(report->arena), bytes.len, bytes.data);
	return outer ? dienstweg__registry_content__unpack(arena_allocator(report->arena),
			       outer->content.len, outer->content.data)
		     : NULL;
}

static void put_agreement(
	json_t *object, const Dienstweg__RegistryContent *content, struct bytes agreement)
{
	out_put_name(object, "agreement", agreement);
	for (size_t i = 0; content && i < content->n_agreements; i++)
		if (bytes_equal(BYTES_PB(content->agreements[i]->id), agreement))
			out_put_name(object, "legal_basis",
				BYTES_PB(content->agreements[i]->legal_basis));
}

/* How long it is kept, by its class. */
static void put_class(struct report *report, json_t *object,
	const Dienstweg__RegistryContent *content, uint64_t sequence)
{
	struct stub stub;
	if (journal_read_stub(report->audit->reader, sequence, &stub))
		return;
	for (size_t i = 0; content && i < content->n_classes; i++) {
		if (content->classes[i]->number != stub.class)
			continue;
		out_put_name(object, "class", BYTES_PB(content->classes[i]->name));
		out_put(object, "content_days", content->classes[i]->content_days);
		out_put(object, "record_days", content->classes[i]->record_days);
	}
}

static void put_message(struct report *report, json_t *object, const struct timeline_event *event)
{
	const Dienstweg__Header *header = event->header;
	const char *status = words_status((int)header->status);
	struct bytes content;
	const Dienstweg__RegistryContent *registry = registry_at(report, event->sequence);
	out_put_name(object, "service", event->service);
	out_put_text(object, "kind", words_message_kind((int)header->kind));
	if (*status)
		out_put_text(object, "status", status);
	out_put_hex(object, "message_id", BYTES_PB(header->message_id));
	out_put_time(object, "created", header->created_ms);
	out_put_hex(object, "content_hash", BYTES_PB(header->content_hash));
	out_put(object, "content_bytes", header->content_length);
	if (event->what != TIMELINE_RECORDED)
		return;
	put_agreement(object, registry, BYTES_PB(event->decision->agreement));
	put_class(report, object, registry, event->sequence);
	arena_reset(report->arena);
	int r = journal_read_content(
		report->audit->reader, event->sequence, report->arena, &content);
	out_put_text(object, "content",
		r == 0 ? "kept, sealed for its recipient where the service asks for it"
		: r == READER_ERASED ? "erased"
				     : "cannot be read");
}

static void put_state(json_t *object, const struct timeline_recipient *recipient)
{
	static const char *const states[] = {
		[TIMELINE_WAITING] = "waiting", [TIMELINE_DELAYED] = "put off", [TIMELINE_UNKNOWN] = "unknown"};
	if (recipient->state != TIMELINE_ENDED) {
		out_put_text(object, "state", states[recipient->state]);
		return;
	}
	out_put_text(object, "state", end_state_name((enum end_state)recipient->end));
	out_put(object, "ended_by", recipient->entry);
}

static int take_event(void *context, const struct timeline_event *event)
{
	struct report *report = context;
	struct access_view view;
	int r = access_judge(&report->access, event, &view);
	if (r || !view.shown)
		return r;
	json_t *object = json_object();
	out_put(object, "sequence", event->sequence);
	out_put_time(object, "time", event->batch_ms);
	out_put_text(object, "event", timeline_what_name(event->what));
	out_put(object, "message", event->message);
	out_put_name(object, "from", view.from);
	if (view.to.len > 0)
		out_put_name(object, "to", view.to);
	if (event->header)
		put_message(report, object, event);
	if (view.recipient)
		put_state(object, view.recipient);
	if (view.words && event->what == TIMELINE_REFUSED) {
		out_put_name(object, "code", BYTES_PB(event->decision->code));
		out_put_name(object, "text", BYTES_PB(event->decision->detail));
	} else if (view.words && event->code.len > 0) {
		out_put_name(object, "code", event->code);
		out_put_name(object, "text", event->text);
	}
	json_object_set_new(object, "disputed",
		json_boolean(disputes_find(&report->disputes, event->sequence, event->key_id)));
	json_array_append_new(report->entries, object);
	return 0;
}

/* ---- proofs ---- */

/* After the walk, because a proof takes a snapshot of its own. */
static int add_proofs(struct report *report)
{
	char why[WHY_SIZE];
	int r = 0;
	for (size_t i = 0; i < json_array_size(report->entries) && r >= 0; i++) {
		json_t *object = json_array_get(report->entries, i);
		json_int_t sequence = json_integer_value(json_object_get(object, "sequence"));
		struct audit_proof proof;
		arena_reset(report->arena);
		r = audit_prove(report->audit, (uint64_t)sequence, NULL, report->arena, &proof, why,
			sizeof(why));
		json_object_set_new(object, "proof",
			r == 0 ? json_stringn((const char *)proof.text.data, proof.text.len)
			       : json_null());
	}
	return r < 0 ? r : 0;
}

/* ---- in words ---- */

static const char *word(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static long long number(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

static void say_message(FILE *file, const json_t *entry)
{
	if (*word(entry, "agreement"))
		fprintf(file, "    under agreement %s%s%s\n", word(entry, "agreement"),
			*word(entry, "legal_basis") ? ", legal basis " : "",
			word(entry, "legal_basis"));
	fprintf(file, "    content: %lld bytes, BLAKE2b-256 %s%s%s\n",
		number(entry, "content_bytes"), word(entry, "content_hash"),
		*word(entry, "content") ? "; " : "", word(entry, "content"));
	if (json_object_get(entry, "record_days"))
		fprintf(file, "    kept: content %lld days, this record %lld days (class %s)\n",
			number(entry, "content_days"), number(entry, "record_days"),
			word(entry, "class"));
}

static void say_entry(FILE *file, const json_t *entry)
{
	fprintf(file, "\n%s  %s", word(entry, "time"), word(entry, "event"));
	if (*word(entry, "service"))
		fprintf(file, "  %s%s%s", word(entry, "service"),
			*word(entry, "status") ? ", " : "", word(entry, "status"));
	else
		fprintf(file, "  message %lld", number(entry, "message"));
	fprintf(file, "\n    %s%s%s, entry %lld\n", word(entry, "from"),
		*word(entry, "to") ? " -> " : "", word(entry, "to"), number(entry, "sequence"));
	if (json_object_get(entry, "content_bytes"))
		say_message(file, entry);
	if (*word(entry, "state"))
		fprintf(file, "    state: %s\n", word(entry, "state"));
	if (*word(entry, "code"))
		fprintf(file, "    %s: %s\n", word(entry, "code"), word(entry, "text"));
	if (json_is_true(json_object_get(entry, "disputed")))
		fprintf(file, "    DISPUTED: the key that signed this is under suspicion\n");
}

static void say(FILE *file, const json_t *object)
{
	const json_t *entries = json_object_get(object, "entries"), *entry;
	size_t i;
	fprintf(file, "What the bus %s holds of case %s for %s\nmade at %s (Art. 15 GDPR)\n",
		word(object, "origin"), word(object, "case"), word(object, "party"),
		word(object, "made"));
	json_array_foreach(entries, i, entry) say_entry(file, entry);
	fprintf(file, "\n%zu entries. ", json_array_size(entries));
	if (number(object, "unreadable"))
		fprintf(file,
			"%lld more entries of this case cannot be opened any more; whose they were "
			"cannot be told. ",
			number(object, "unreadable"));
	fprintf(file,
		"The documents themselves are with sender and recipient: the bus cannot read\n"
		"what is sealed. Entries of other parties are not in this report. That each entry "
		"is in "
		"the log is\nproven by its .tlog-proof file: dienstweg audit check FILE --policy "
		"POLICY --registry REGISTRY.\n");
}

/* ---- files ---- */

static int write_bytes(const char *dir, const char *name, struct bytes data)
{
	char path[4096];
	int r = path_join(path, sizeof(path), dir, name);
	if (r == 0)
		r = file_replace(path, data, 0600);
	return r ? cli_fail(CLI_FAILED, "%s/%s: %s", dir, name, strerrordesc_np(-r)) : 0;
}

static int write_proofs(const char *dir, const json_t *object)
{
	const json_t *entry;
	size_t i;
	json_array_foreach(json_object_get(object, "entries"), i, entry)
	{
		char name[64];
		const char *proof = word(entry, "proof");
		snprintf(name, sizeof(name), "%lld.tlog-proof", number(entry, "sequence"));
		int exit = *proof ? write_bytes(dir, name, BYTES_STR(proof)) : 0;
		if (exit)
			return exit;
	}
	return 0;
}

/* Signed where the log's keys are at hand, which a copy of a journal does not have. */
static int write_text(const struct options *options, const char *origin, struct bytes text)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(REPORT_ARENA);
	_cleanup_(keyring_secret_deinit) struct keyring_secret keys = {};
	const struct config_broker *broker = options->folders->broker;
	char why[WHY_SIZE] = "";
	struct bytes note;
	if (!arena)
		return cli_fail(CLI_FAILED, "out of memory");
	if (!broker || access(broker->keys, R_OK) != 0) {
		fprintf(stderr, "The report is not signed: %s\n",
			broker ? "the bus's keys cannot be read from here"
			       : "--config names the broker's configuration, and with it the bus's "
				 "keys");
		return write_bytes(options->out, "report.txt", text);
	}
	int r = keyfile_read_secret(broker->keys, &keys, why, sizeof(why));
	if (r)
		return cli_fail(
			CLI_FAILED, "%s: %s", broker->keys, r < 0 ? strerrordesc_np(-r) : why);
	r = statement_sign(text, origin, &keys, arena, &note);
	if (r)
		return cli_fail(CLI_FAILED, "the report cannot be signed: %s",
			r < 0 ? strerrordesc_np(-r) : "there is no log key, or it is no text");
	return write_bytes(options->out, "report.txt", note);
}

static int write_report(const struct options *options, const json_t *object)
{
	const char *dir = options->out;
	_cleanup_(heap_free) char *text = NULL, *json = json_dumps(object, JSON_INDENT(2));
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	if (!file || !json) {
		if (file)
			fclose(file);
		return cli_fail(CLI_FAILED, "out of memory");
	}
	say(file, object);
	fclose(file);
	int r = dir_make(dir, 0700);
	if (r)
		return cli_fail(CLI_FAILED, "%s: %s", dir, strerrordesc_np(-r));
	int exit = write_text(options, word(object, "origin"), BYTES((const uint8_t *)text, len));
	if (exit == 0)
		exit = write_bytes(dir, "report.json", BYTES_STR(json));
	return exit ? exit : write_proofs(dir, object);
}

/* ---- the verb ---- */

static int record_opening(
	struct options *options, struct cases *cases, const uint8_t id[CASE_ID_SIZE])
{
	uint64_t sequence = 0, count = 0;
	struct journal_meta meta;
	int r = audit_refresh(&cases->audit);
	if (r == 0)
		r = journal_read_meta(cases->audit.reader, &meta);
	if (r)
		return cli_fail(
			CLI_FAILED, "%s: its head cannot be read", options->folders->journal);
	while ((r = case_index_next_entry(cases->index, id, sequence, &sequence)) == 0) {
		count++;
		sequence++;
	}
	if (r != DB_NOT_FOUND)
		return cli_fail(CLI_FAILED, "the case index: %s", strerrordesc_np(-r));
	int exit = inspect_record(&options->inspect, options->folders, 0, meta.size - 1, count);
	if (exit == 0)
		inspect_print(&options->inspect);
	return exit;
}

static json_t *object_of(const struct options *options, const struct cases *cases,
	const struct case_summary *summary, const struct report *report, uint64_t unreadable)
{
	char id[CASE_TEXT_SIZE];
	json_t *object = json_object();
	cases_text(summary->id, id);
	out_put_text(object, "case", id);
	out_put_text(object, "party", options->party);
	out_put_text(object, "origin", cases->audit.origin);
	out_put_time(object, "made", clock_wall_ms(clock_system()));
	out_put(object, "unreadable", unreadable);
	if (options->inspect.recorded)
		out_put(object, "inspected", options->inspect.sequence);
	json_object_set(object, "entries", report->entries);
	return object;
}

static int tell(const struct options *options, json_t *object)
{
	int exit = options->out ? write_report(options, object) : 0;
	if (exit == 0 && !options->json)
		say(stdout, object);
	if (exit == 0 && options->json)
		out_line(object);
	else
		json_decref(object);
	return exit;
}

static int make_report(struct options *options, struct cases *cases, struct report *report)
{
	struct case_summary summary;
	struct audit_report unreadable = {};
	int exit = cases_find(cases, options->id, &summary);
	if (exit == 0)
		exit = record_opening(options, cases, summary.id);
	if (exit)
		return exit;
	int r = disputes_load(&cases->audit, &report->disputes);
	if (r == 0)
		r = timeline_walk(
			&cases->audit, cases->index, summary.id, take_event, report, &unreadable);
	if (r == 0)
		r = add_proofs(report);
	if (r)
		return cli_fail(
			CLI_FAILED, "%s: %s", options->folders->journal, strerrordesc_np(-r));
	if (json_array_size(report->entries) == 0)
		return cli_fail(CLI_NEGATIVE, "this case has no entry that %s sent or received",
			options->party);
	return tell(options, object_of(options, cases, &summary, report, unreadable.findings));
}

static int run(struct options *options)
{
	_cleanup_(cases_close) struct cases cases = {};
	struct report report = {.access = {.party = BYTES_STR(options->party)}};
	int exit = cases_open(options->folders, options->rebuild, &cases);
	report.audit = &cases.audit;
	report.entries = json_array();
	report.arena = arena_new(REGISTRY_ARENA);
	if (exit == 0)
		exit = report.arena ? make_report(options, &cases, &report)
				    : cli_fail(CLI_FAILED, "out of memory");
	arena_free(report.arena);
	access_deinit(&report.access);
	disputes_deinit(&report.disputes);
	json_decref(report.entries);
	return exit;
}

int audit_report_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	struct options options = {.folders = &folders};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		INSPECT_OPTIONS(&options.inspect),
		{"--index", .value = &folders.index},
		{"--rebuild", .flag = &options.rebuild},
		{"--party", .value = &options.party},
		{"--case", .value = &options.id},
		{"--out", .value = &options.out},
		{"--json", .flag = &options.json},
	};
	const struct cli_verb verb = {
		.name = "audit report",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	if (!options.party || !options.id)
		return cli_usage(&verb, "whose share of which case? --party and --case tell");
	if (!options.inspect.role)
		options.inspect.role = "subject-access";
	if (!options.inspect.ground)
		options.inspect.ground = "art-15-gdpr";
	r = inspect_check(&options.inspect, &verb);
	if (r == 0)
		r = folders_find(&folders, &verb, FOLDERS_KEYS);
	return r ? r : run(&options);
}
