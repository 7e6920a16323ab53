/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A broker that runs is asked; of one that does not, the journal tells what there is to tell. The first line
 * says which of the two it was, because the figures look alike and mean different things.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/admin/ask.h"
#include "broker/admin/out.h"
#include "broker/admin/folders.h"
#include "broker/admin/verbs.h"
#include "broker/audit/chain.h"
#include "broker/audit/entry.h"
#include "broker/audit/queues.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"

static const char help[] =
	"usage: dienstweg status --config FILE | --state DIR [OPTION...]\n"
	"\n"
	"Says how the broker is: its journal, traffic, sessions and queues. When no broker "
	"answers, says what\n"
	"its journal tells.\n"
	"\n" FOLDERS_HELP
	"  --json             one object; its member source is broker or journal\n"
	"\n"
	"Exit codes: 0 the broker runs; 1 it does not.\n";

/* ---- members of an object, forgiving ---- */

static uint64_t number(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

static const char *text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));
	return value ? value : "-";
}

/* ---- for people ---- */

static void print_sessions(const json_t *sessions)
{
	char age[OUT_TEXT_MAX], unanswered[OUT_TEXT_MAX];
	size_t i;
	json_t *session;
	printf("\n%-32s %9s %9s %14s %12s\n", "session of", "since", "credit", "unacknowledged",
		"unanswered");
	json_array_foreach(sessions, i, session)
		printf("%-32s %9s %9" PRIu64 " %14" PRIu64 " %12s\n", text(session, "party"),
			out_age(number(session, "age_s"), age), number(session, "credit_messages"),
			number(session, "unacknowledged"),
			out_bytes(number(session, "unanswered_bytes"), unanswered));
	if (json_array_size(sessions) == 0)
		printf("nobody is connected\n");
}

static void print_queues(const json_t *queues)
{
	char bytes[OUT_TEXT_MAX], age[OUT_TEXT_MAX];
	size_t i;
	json_t *queue;
	printf("\n%-32s %9s %10s %9s %8s\n", "waiting for", "messages", "bytes", "oldest",
		"overdue");
	json_array_foreach(queues, i, queue) printf(
		"%-32s %9" PRIu64 " %10s %9s %8" PRIu64 "%s%s%s\n", text(queue, "party"),
		number(queue, "messages"), out_bytes(number(queue, "bytes"), bytes),
		json_object_get(queue, "oldest_s") ? out_age(number(queue, "oldest_s"), age) : "-",
		number(queue, "overdue"),
		json_is_true(json_object_get(queue, "held")) ? "  HELD by an operator" : "",
		json_is_true(json_object_get(queue, "warning")) ? "  NEARLY FULL" : "",
		json_object_get(queue, "breaker") ? "  RESTS: one delivery after the other failed"
						  : "");
}

static void print_erasure(const json_t *erasure)
{
	char time[OUT_TEXT_MAX];
	uint64_t finished_ms = number(erasure, "finished_ms");
	if (json_is_true(json_object_get(erasure, "waits_for_order")))
		printf("  erasure      WAITS: more than five weeks since the last look. Is the "
		       "clock right?\n"
		       "               If so: dienstweg erase --due\n");
	if (strcmp(text(erasure, "phase"), "none") != 0)
		printf("  erasure      under way, %s: %" PRIu64 " rows judged, %" PRIu64
		       " kept, %" PRIu64 " removed\n",
			text(erasure, "phase"), number(erasure, "examined"),
			number(erasure, "resealed"), number(erasure, "erased"));
	else if (finished_ms != 0)
		printf("  erasure      last at %s: %" PRIu64 " rows removed, %" PRIu64 " kept%s\n",
			out_time(finished_ms, time), number(erasure, "erased"),
			number(erasure, "resealed"),
			json_is_false(json_object_get(erasure, "master_key_exchanged"))
				? "; THE MASTER KEY COULD NOT BE EXCHANGED"
				: "");
}

/* A log that lost entries says so wherever it is named. */
static void print_origin(const json_t *journal)
{
	const char *origin = text(journal, "origin"), *slash = strrchr(origin, '/');
	if (slash && strcmp(slash, "/0") != 0)
		printf("  EPOCH        %s: the log lost entries once and went on (audit list "
		       "--kind "
		       "continues)\n",
			origin);
}

static void print_pruned(const json_t *journal)
{
	if (json_object_get(journal, "pruned"))
		printf("  pruned       entries before %" PRIu64 " are in the archive %s\n",
			number(journal, "pruned"), text(journal, "archive"));
}

static void print_quotas(const json_t *quotas)
{
	size_t i;
	json_t *quota;
	if (json_array_size(quotas) > 0)
		printf("\n%-32s %9s %10s\n", "quota this month of", "messages", "limit");
	json_array_foreach(quotas, i, quota) printf("%-32s %9" PRIu64 " %10" PRIu64 "%s\n",
		text(quota, "agreement"), number(quota, "messages"), number(quota, "limit"),
		json_is_true(json_object_get(quota, "warning")) ? "  NEARLY USED UP" : "");
}

static void print_attachments(const json_t *attachments)
{
	char bytes[OUT_TEXT_MAX];
	printf("  attachments  %" PRIu64 " of %s at the last look, %" PRIu64
	       " uploads under way; %" PRIu64 " pieces were put off\n",
		number(attachments, "files"), out_bytes(number(attachments, "bytes"), bytes),
		number(attachments, "uploads"), number(attachments, "put_off"));
}

static void print_crowd(const json_t *traffic)
{
	printf("  strangers    %" PRIu64 " turned away\n", number(traffic, "strangers"));
	printf("  connections  %" PRIu64 " now; cut: %" PRIu64 " too many at once, %" PRIu64
	       " too often, %" PRIu64 " without a session\n",
		number(traffic, "connections"), number(traffic, "connections_crowded"),
		number(traffic, "connections_hasty"), number(traffic, "connections_silent"));
	if (number(traffic, "networks_kept_out") + number(traffic, "door_closed") > 0)
		printf("  TOO MANY HANDSHAKES: %" PRIu64 " times an address was kept out, %" PRIu64
		       " times nobody new was let in\n",
			number(traffic, "networks_kept_out"), number(traffic, "door_closed"));
	if (number(traffic, "shut_out") + number(traffic, "not_reading") > 0)
		printf("  SESSIONS ENDED of parties that flooded: %" PRIu64
		       ", that did not read: %" PRIu64 " (see the log)\n",
			number(traffic, "shut_out"), number(traffic, "not_reading"));
}

static void print_live(const json_t *status)
{
	const json_t *journal = json_object_get(status, "journal");
	const json_t *traffic = json_object_get(status, "traffic");
	char age[OUT_TEXT_MAX];
	printf("The broker of %s runs: version %s, for %s%s\n", text(status, "bus"),
		text(status, "version"), out_age(number(status, "uptime_s"), age),
		json_is_true(json_object_get(status, "draining")) ? ", stopping" : "");
	if (json_is_true(json_object_get(status, "held")))
		printf("  HELD         the journal is older than what was signed, or nobody knows: "
		       "see the log\n");
	print_origin(journal);
	printf("  registry     version %" PRIu64 "\n", number(status, "registry_version"));
	printf("  journal      %" PRIu64 " entries, %" PRIu64 " %% full%s, %" PRIu64
	       " commits of %" PRIu64 " us\n",
		number(journal, "entries"), number(journal, "fill_percent"),
		json_is_true(json_object_get(journal, "full")) ? ", NEW MESSAGES ARE PUT OFF" : "",
		number(journal, "commits"), number(journal, "commit_mean_us"));
	print_pruned(journal);
	if (number(journal, "overdue") > 0)
		printf("  overdue      %" PRIu64
		       " messages since start: audit list --kind overdue\n",
			number(journal, "overdue"));
	printf("  case index   of %" PRIu64 " entries\n", number(journal, "case_index"));
	printf("  just now     %" PRIu64 " messages and %" PRIu64 " commits a second\n",
		number(journal, "messages_per_s"), number(journal, "commits_per_s"));
	printf("  since start  %" PRIu64 " submitted: %" PRIu64 " accepted, %" PRIu64
	       " refused, %" PRIu64 " put off\n",
		number(traffic, "submitted"), number(traffic, "accepted"),
		number(traffic, "refused"), number(traffic, "deferred"));
	print_erasure(json_object_get(status, "erasure"));
	print_attachments(json_object_get(status, "attachments"));
	print_crowd(traffic);
	print_sessions(json_object_get(status, "sessions"));
	print_queues(json_object_get(status, "queues"));
	print_quotas(json_object_get(status, "quotas"));
}

static void print_journal(const struct folders *folders, const json_t *status, const char *why)
{
	const json_t *journal = json_object_get(status, "journal");
	const char *at = text(journal, "committed");
	char bytes[OUT_TEXT_MAX];
	printf("No broker answers (%s). Its journal, in %s, says:\n", why, folders->journal);
	printf("  bus          %s\n", text(status, "bus"));
	print_origin(journal);
	printf("  stopped      %s\n", json_is_true(json_object_get(status, "stopped_in_order"))
					      ? "in order"
					      : "not in order: killed, or still starting");
	printf("  registry     version %" PRIu64 "%s\n", number(status, "registry_version"),
		json_is_true(json_object_get(status, "registry_stale")) ? ", STALE" : "");
	printf("  journal      %" PRIu64
	       " entries, the last commit at %.10s %.8s UTC, file of %s\n",
		number(journal, "entries"), at, strlen(at) > 11 ? at + 11 : "",
		out_bytes(number(journal, "file_bytes"), bytes));
	print_pruned(journal);
	print_queues(json_object_get(status, "queues"));
}

/* ---- from the journal ---- */

static int registry_of(struct audit *audit, const struct journal_meta *meta, json_t *status)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	_cleanup_(chain_deinit) struct chain chain;
	struct bytes content;
	char why[512];
	chain_init(&chain, NULL);
	int r = arena ? journal_read_content(audit->reader, meta->registry_sequence, arena, &content)
		      : -ENOMEM;
	if (r == 0)
		r = chain_add(&chain, meta->registry_sequence, content, why, sizeof(why));
	if (r < 0 || !chain.current)
		return r < 0 ? r : 0;
	bool stale = registry_stale_after_ms(chain.current) < clock_wall_ms(clock_system());
	out_put(status, "registry_version", registry_version(chain.current));
	json_object_set_new(status, "registry_stale", json_boolean(stale));
	return 0;
}

static int queues_of(struct audit *audit, json_t *status)
{
	_cleanup_(queue_list_deinit) struct queue_list list = {};
	json_t *array = json_array();
	uint64_t now_ms = clock_wall_ms(clock_system());
	json_object_set_new(status, "queues", array);
	int r = queue_list_read(audit, &list);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		const struct queue_figures *party = &list.items[i];
		uint64_t messages = party->delayed.messages, bytes = party->delayed.bytes;
		json_t *object = json_object();
		for (size_t lane = 0; lane < LANE_OUTCOME; lane++) {
			messages += party->lanes[lane].messages;
			bytes += party->lanes[lane].bytes;
		}
		out_put_text(object, "party", party->name);
		out_put(object, "messages", messages);
		out_put(object, "bytes", bytes);
		out_put(object, "overdue", party->overdue);
		if (party->oldest != UINT64_MAX)
			out_put(object, "oldest_s",
				now_ms > party->oldest_ms ? (now_ms - party->oldest_ms) / 1000 : 0);
		json_array_append_new(array, object);
	}
	return r;
}

static void journal_of(const struct folders *folders, struct audit *audit,
	const struct journal_meta *meta, json_t *status)
{
	json_t *journal = json_object();
	struct journal_pruned pruned = {};
	struct stub last = {};
	struct stat data;
	char path[4096];
	out_put_text(journal, "origin", audit->origin);
	out_put(journal, "entries", meta->size);
	if (journal_read_pruned(audit->reader, &pruned) == 0 && pruned.before > 0) {
		out_put(journal, "pruned", pruned.before);
		out_put_text(journal, "archive", pruned.archive);
	}
	out_put_time(journal, "committed", meta->batch_ms);
	if (path_join(path, sizeof(path), folders->journal, "data.mdb") == 0 &&
		stat(path, &data) == 0)
		out_put(journal, "file_bytes", (uint64_t)data.st_blocks * 512);
	json_object_set_new(status, "journal", journal);
	bool stopped = meta->size > 0 &&
		       journal_read_stub(audit->reader, meta->size - 1, &last) == 0 &&
		       last.kind == DIENSTWEG__ENTRY_KIND__ENTRY_STOP;
	json_object_set_new(status, "stopped_in_order", json_boolean(stopped));
}

static int read_journal(const struct folders *folders, struct audit *audit, json_t *status)
{
	struct journal_meta meta;
	int r = audit_refresh(audit);
	if (r == 0)
		r = journal_read_meta(audit->reader, &meta);
	if (r)
		return r > 0 ? -EBADMSG : r;
	out_put_text(status, "source", "journal");
	out_put_text(status, "bus", meta.bus);
	journal_of(folders, audit, &meta, status);
	r = registry_of(audit, &meta, status);
	return r ? r : queues_of(audit, status);
}

static int from_journal(const struct folders *folders, const char *why, bool json)
{
	_cleanup_(audit_close) struct audit audit = {};
	int exit = folders_open(folders, &audit);
	if (exit)
		return exit;
	json_t *status = json_object();
	int r = read_journal(folders, &audit, status);
	if (r) {
		json_decref(status);
		return cli_fail(CLI_FAILED, "%s: %s", folders->journal, strerrordesc_np(-r));
	}
	if (json) {
		out_line(status);
		return CLI_NEGATIVE;
	}
	print_journal(folders, status, why);
	json_decref(status);
	return CLI_NEGATIVE;
}

/* ---- the verb ---- */

static int from_broker(const char *answer, bool json)
{
	json_t *status = json_loads(answer, 0, NULL);
	const char *error = json_string_value(json_object_get(status, "error"));
	if (!json_is_object(status) || error) {
		int exit = cli_fail(CLI_FAILED, "the broker answers: %s", error ? error : answer);
		json_decref(status);
		return exit;
	}
	out_put_text(status, "source", "broker");
	if (json) {
		out_line(status);
		return CLI_DONE;
	}
	print_live(status);
	json_decref(status);
	return CLI_DONE;
}

static int run(const struct folders *folders, bool json)
{
	_cleanup_(heap_free) char *answer = NULL;
	const char *why = "its socket is not named";
	if (folders->socket[0]) {
		int r = ask(folders->socket, "status", &answer);
		if (r == 0)
			return from_broker(answer, json);
		why = r == -ENOENT         ? "it does not run"
		      : r == -ECONNREFUSED ? "it does not run, and did not end in order"
		      : r == -EACCES       ? "this account may not ask"
		      : r == -ETIMEDOUT    ? "it hangs"
					   : strerrordesc_np(-r);
	}
	return from_journal(folders, why, json);
}

int status_run(int argc, char **argv)
{
	_cleanup_(folders_deinit) struct folders folders = {};
	bool json = false;
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&folders),
		{"--json", .flag = &json},
	};
	const struct cli_verb verb = {
		.name = "status",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	r = folders_find(&folders, &verb, 0);
	return r ? r : run(&folders, json);
}
