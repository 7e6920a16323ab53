/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The broker erases what is due by itself; this is for who does not want to wait, for a controller's
 * instruction, and for who wants to see before what would go. The last needs no broker.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/admin/order.h"
#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/audit/chain.h"
#include "broker/audit/entry.h"
#include "broker/journal/erase-survey.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

enum { DAY_MS = 86400000, ENTRIES_EACH = 700 /* of an order: it is one line */ };

static const char help[] =
	"usage: dienstweg erase --due [--dry-run] --config FILE | --state DIR [OPTION...]\n"
	"       dienstweg erase --case CASE --instruction FILE [--dry-run] ...\n"
	"       dienstweg erase --now --reason WORD ...\n"
	"\n"
	"Destroys the keys of what is past its day, or lets a case go before its day. What is not "
	"delivered\n"
	"or under legal hold stays. The broker erases by itself every day what is due.\n"
	"\n" FOLDERS_HELP CASES_HELP "  --due              begin now with what is due by age\n"
	"  --case CASE        erase this case; it goes with all others on Monday (UTC), so that "
	"what "
	"is missing\n"
	"                     does not show which entries belong together\n"
	"  --instruction FILE the controller's instruction; the journal keeps its digest: keep the "
	"document\n"
	"  --now              do not wait for Monday; shows an observer what belonged together\n"
	"  --reason WORD      why not, for the journal: a word like court-order; no names\n"
	"  --dry-run          only say what would go and what would stay, and why\n"
	"  --json             one object\n"
	"\n"
	"dienstweg status tells how far a run is. Exit codes: 0 ordered, or shown; 1 there is no "
	"such case,\n"
	"or nothing of it can go.\n";

struct request {
	struct folders folders;
	const char *id, *instruction, *reason;
	bool due, now, dry_run, rebuild, json;
};

/* ---- what is due ---- */

static int record_days_of(struct audit *audit, uint32_t ret[ERASE_CLASSES])
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	_cleanup_(chain_deinit) struct chain chain;
	struct journal_meta meta;
	struct bytes content;
	char why[512];
	chain_init(&chain, NULL);
	int r = arena ? audit_refresh(audit) : -ENOMEM;
	if (r == 0)
		r = journal_read_meta(audit->reader, &meta);
	if (r == 0)
		r = journal_read_content(audit->reader, meta.registry_sequence, arena, &content);
	if (r == 0)
		r = chain_add(&chain, meta.registry_sequence, content, why, sizeof(why));
	journal_reader_end(audit->reader);
	if (r < 0 || !chain.current)
		return r < 0 ? r : -EBADMSG;
	const Dienstweg__RegistryContent *registry = registry_content(chain.current);
	for (size_t i = 0; i < registry->n_classes; i++)
		ret[registry->classes[i]->number] = registry->classes[i]->record_days;
	return 0;
}

static const char *day_text(uint32_t day, char buf[25])
{
	clock_format_utc((uint64_t)day * DAY_MS, buf);
	buf[10] = '\0';
	return buf;
}

static json_t *line_json(const struct erase_survey_line *line)
{
	json_t *object = json_object();
	char day[25];
	out_put_text(object, "table", line->table == ERASED_RECORD ? "record" : "content");
	out_put(object, "class", line->class);
	out_put_text(object, "erase_day", day_text(line->erase_day, day));
	out_put(object, "erased", line->erased);
	out_put(object, "undelivered", line->waiting);
	out_put(object, "held", line->held);
	out_put(object, "open", line->open);
	return object;
}

static void print_survey(const struct erase_survey *survey, bool json)
{
	json_t *object = json_object(), *lines = json_array();
	char day[25];
	for (size_t i = 0; i < survey->count; i++)
		json_array_append_new(lines, line_json(&survey->lines[i]));
	json_object_set_new(object, "due", lines);
	if (json) {
		out_line(object);
		return;
	}
	json_decref(object);
	if (survey->count == 0) {
		printf("Nothing is due.\n");
		return;
	}
	printf("%-8s %5s %-10s %10s %12s %8s %8s\n", "what", "class", "due since", "would go",
		"undelivered", "held", "open");
	for (size_t i = 0; i < survey->count; i++) {
		const struct erase_survey_line *line = &survey->lines[i];
		printf("%-8s %5u %-10s %10" PRIu64 " %12" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n",
			line->table == ERASED_RECORD ? "records" : "contents", line->class,
			day_text(line->erase_day, day), line->erased, line->waiting, line->held,
			line->open);
	}
	printf("Undelivered, held and open ones stay, and are looked at again every seven days.\n");
}

static int show_due(const struct request *request)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(erase_survey_deinit) struct erase_survey survey = {};
	uint32_t record_days[ERASE_CLASSES] = {0};
	int exit = folders_open(&request->folders, &audit);
	if (exit)
		return exit;
	int r = record_days_of(&audit, record_days);
	if (r == 0)
		r = erase_survey_due(audit.reader, clock_day(clock_wall_ms(clock_system())),
			record_days, &survey);
	if (r)
		return cli_fail(CLI_FAILED, "%s: %s", request->folders.journal,
			r > 0 ? "the journal is damaged: audit verify tells more"
			      : strerrordesc_np(-r));
	print_survey(&survey, request->json);
	return CLI_DONE;
}

/* ---- orders ---- */

static int order(const struct request *request, const char *line, const char *done)
{
	json_t *answer = NULL;
	int r = order_send(&request->folders, line, &answer);
	if (r)
		return r;
	if (request->json) {
		out_line(answer);
		return CLI_DONE;
	}
	json_decref(answer);
	printf("%s\n", done);
	return CLI_DONE;
}

static int erase_now(const struct request *request)
{
	char line[128];
	snprintf(line, sizeof(line), "erase now %s", request->reason);
	return order(request, line,
		"What was instructed goes now: dienstweg status tells how far it is.");
}

/* ---- a case ---- */

/* Order by order, as many entries as a line takes. */
static int instruct(const struct request *request, const char *id, const char *digest,
	const uint64_t *entries, size_t count, uint64_t *ret_taken)
{
	size_t size = 256 + ENTRIES_EACH * 21;
	_cleanup_(heap_free) char *line = malloc(size);
	if (!line)
		return cli_fail(CLI_FAILED, "no memory");
	for (size_t at = 0; at < count; at += ENTRIES_EACH) {
		json_t *answer = NULL;
		int len = snprintf(line, size, "erase case %s %s", id, digest);
		for (size_t i = at; i < count && i < at + ENTRIES_EACH; i++)
			len += snprintf(line + len, size - (size_t)len, " %" PRIu64, entries[i]);
		int r = order_send(&request->folders, line, &answer);
		if (r)
			return r;
		*ret_taken += (uint64_t)json_integer_value(json_object_get(answer, "taken"));
		json_decref(answer);
	}
	return 0;
}

/* Is the case under legal hold, so that nothing of it goes? */
static int is_held(struct cases *cases, const uint8_t id[CASE_ID_SIZE], bool *ret)
{
	struct bytes key, value;
	int r = audit_refresh(&cases->audit);
	if (r == 0)
		r = journal_read_table(
			cases->audit.reader, STATE_HOLD, BYTES(id, CASE_ID_SIZE), &key, &value);
	*ret = r == 0 && bytes_equal(key, BYTES(id, CASE_ID_SIZE));
	return r < 0 ? r : 0;
}

static int tell_case(
	const struct request *request, const char *id, bool held, uint64_t entries, uint64_t taken)
{
	if (request->json) {
		json_t *object = json_object();
		out_put_text(object, "case", id);
		out_put(object, "entries", entries);
		json_object_set_new(object, "held", json_boolean(held));
		if (!request->dry_run)
			out_put(object, "taken", taken);
		out_line(object);
	} else if (request->dry_run) {
		printf("Case %s has %" PRIu64
		       " entries. Those that speak of no other case would go on Monday,\n"
		       "but for what is undelivered or under legal hold.\n",
			id, entries);
	} else {
		printf("Case %s: %" PRIu64 " of its %" PRIu64
		       " entries go %s, with those of all other\n"
		       "instructions. Entries that also speak of another case stay until their "
		       "day.\n",
			id, taken, entries, request->now ? "now" : "on Monday (UTC)");
	}
	if (held && !request->json)
		printf("It is under legal hold: until it is released, nothing of it goes.\n");
	return request->dry_run || taken > 0 ? CLI_DONE : CLI_NEGATIVE;
}

static int erase_case(const struct request *request)
{
	_cleanup_(cases_close) struct cases cases = {};
	_cleanup_(cases_one_deinit) struct cases_one one = {};
	char id[CASE_TEXT_SIZE], digest[ORDER_DIGEST_SIZE];
	uint64_t taken = 0;
	bool held = false;
	int exit = request->instruction ? order_digest(request->instruction, digest) : 0;
	if (exit == 0)
		exit = cases_open(&request->folders, request->rebuild, &cases);
	if (exit == 0)
		exit = cases_find(&cases, request->id, &one);
	if (exit)
		return exit;
	cases_text(one.summary.id, id);
	if (is_held(&cases, one.summary.id, &held))
		return cli_fail(
			CLI_FAILED, "%s: whether the case is under legal hold cannot be read", id);
	if (!request->dry_run)
		exit = instruct(request, id, digest, one.entries.all, one.entries.count, &taken);
	if (exit)
		return exit;
	exit = tell_case(request, id, held, one.entries.count, taken);
	return exit == CLI_DONE && request->now && !request->dry_run ? erase_now(request) : exit;
}

/* ---- the verb ---- */

static int check(const struct cli_verb *verb, const struct request *request)
{
	if (request->due + (request->id != NULL) + (request->now && !request->id) != 1)
		return cli_usage(verb, "one of --due, --case and --now is wanted");
	if (request->id && !request->instruction && !request->dry_run)
		return cli_usage(
			verb, "on whose word? --instruction names the controller's document");
	if (request->now && !request->reason)
		return cli_usage(verb,
			"--now tells an observer which entries belong together: --reason must say "
			"why it cannot wait for Monday");
	if (request->reason && !text_is_name(BYTES_STR(request->reason)))
		return cli_usage(verb,
			"--reason %s: one word of small letters, digits, dots and hyphens; it "
			"stays in "
			"the journal for ever, so no names",
			request->reason);
	return 0;
}

int erase_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	struct request request = {};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--index", .value = &folders.index},
		{"--rebuild", .flag = &request.rebuild},
		{"--due", .flag = &request.due},
		{"--case", .value = &request.id},
		{"--instruction", .value = &request.instruction},
		{"--now", .flag = &request.now},
		{"--reason", .value = &request.reason},
		{"--dry-run", .flag = &request.dry_run},
		{"--json", .flag = &request.json},
	};
	const struct cli_verb verb = {
		.name = "erase",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	r = check(&verb, &request);
	if (r == 0)
		r = folders_find(&folders, &verb, request.id || request.dry_run ? FOLDERS_KEYS : 0);
	if (r)
		return r;
	request.folders = folders;
	if (request.id)
		return erase_case(&request);
	if (request.now)
		return erase_now(&request);
	if (request.dry_run)
		return show_due(&request);
	return order(&request, "erase due",
		"The broker looks what is due: dienstweg status tells how far it is.");
}
