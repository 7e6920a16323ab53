/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * To hold a queue is one order. A service has no queue: what comes for it is held by the broker from that order on, and
 * what came before is found here, where records may be opened, and held message by message. Releasing goes the
 * other way round. Each step is an entry, and interrupted, the same command does the rest.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/admin/out.h"
#include "broker/admin/verbs.h"
#include "broker/admin/items.h"
#include "broker/audit/entry.h"
#include "proto/base/text.h"

static const char hold_help[] =
	"usage: dienstweg queue hold PARTY | --service NAME | --message MESSAGE --config FILE | "
	"--state DIR [OPTION...]\n"
	"\n"
	"Stops the delivery of what waits for a party, of a service, or of one message. Messages "
	"are "
	"accepted\n"
	"all the same, and wait; those that are out for delivery already may be taken. They still "
	"expire.\n"
	"\n" FOLDERS_HELP "  --service NAME     what is of this service, for whomever\n"
	"  --message MESSAGE  one, by the number of its entry\n"
	"  --json             one object\n"
	"\n"
	"dienstweg queue list shows what is held. Exit codes: 0 it is held; 1 it was so already, "
	"or "
	"there is\n"
	"no such party, service or waiting message.\n";
static const char release_help[] =
	"usage: dienstweg queue release PARTY | --service NAME | --message MESSAGE --config FILE | "
	"--state DIR [OPTION...]\n"
	"\n"
	"Lets go what dienstweg queue hold stopped.\n"
	"\n" FOLDERS_HELP "  --service NAME     what is of this service\n"
	"  --message MESSAGE  one, by the number of its entry\n"
	"  --json             one object\n"
	"\n"
	"Exit codes: 0 it is released; 1 it was not held.\n";

enum { SLICE_ROWS = 4096 };

struct request {
	struct folders folders;
	const char *verb; /* "hold" or "release" */
	const char *party, *service, *message;
	uint64_t sequence;
	bool json;
};

/* ---- what of a service, or of one message, waits in the queues ---- */

struct search {
	const struct request *request;
	struct audit *audit;
	struct arena *arena;
	struct order_items *items;
};

/* Is it of the service? Of one that cannot be read nobody knows. */
static int is_meant(struct search *search, uint64_t sequence, bool *ret)
{
	struct audit_entry entry;
	*ret = search->request->message && search->request->sequence == sequence;
	if (search->request->message)
		return 0;
	arena_reset(search->arena);
	int r = audit_entry_read(search->audit->reader, sequence, search->arena, &entry);
	*ret = r == 0 && entry.header &&
	       bytes_equal(BYTES_PB(entry.header->service), BYTES_STR(search->request->service));
	return r < 0 ? r : 0;
}

static int take_row(struct search *search, enum state_table table, struct bytes key)
{
	uint64_t sequence, due_ms;
	uint32_t party;
	uint8_t lane, what;
	bool meant;
	bool queued = table == STATE_QUEUE;
	if (queued ? queue_key_decode(key, &party, &lane, &sequence)
		   : timer_key_decode(key, &due_ms, &sequence, &party, &what))
		return -EBADMSG;
	if (queued ? party == PARTY_COMMON || lane == LANE_OUTCOME : what != TIMER_RELEASE)
		return 0;
	int r = is_meant(search, sequence, &meant);
	return r || !meant ? r : order_items_add(search->items, sequence, party);
}

static int search_table(struct search *search, enum state_table table)
{
	uint8_t from[64] = {};
	size_t len = 1;
	int r = audit_refresh(search->audit);
	for (size_t rows = 1; r == 0; rows++) {
		struct bytes key, value;
		if (rows % SLICE_ROWS == 0)
			r = audit_refresh(search->audit);
		if (r == 0)
			r = journal_read_table(
				search->audit->reader, table, BYTES(from, len), &key, &value);
		if (r == 0 && key.len >= sizeof(from))
			r = -EBADMSG;
		if (r)
			break;
		memcpy(from, key.data, key.len);
		from[key.len] = 0; /* the smallest key above it */
		len = key.len + 1;
		r = take_row(search, table, BYTES(from, len - 1));
	}
	return r == READER_NOT_FOUND ? 0 : r > 0 ? -EBADMSG : r;
}

static int find_waiting(const struct request *request, struct order_items *items)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct search search = {.request = request, .audit = &audit, .arena = arena, .items = items};
	int exit = folders_open(&request->folders, &audit);
	if (exit)
		return exit;
	int r = arena ? search_table(&search, STATE_QUEUE) : -ENOMEM;
	if (r == 0)
		r = search_table(&search, STATE_TIMER);
	return r ? cli_fail(CLI_FAILED, "%s: %s", request->folders.journal,
			   r == -EBADMSG ? "the journal is damaged: audit verify tells more"
					 : strerrordesc_np(-r))
		 : 0;
}

/* ---- what is held ---- */

static int find_held(const struct request *request, struct order_items *items)
{
	_cleanup_(audit_close) struct audit audit = {};
	_cleanup_(parked_list_deinit) struct parked_list list = {};
	int exit = items_read(&request->folders, &audit, &list);
	for (size_t i = 0; exit == 0 && i < list.count; i++) {
		const struct parked *item = &list.items[i];
		bool meant = request->message ? item->sequence == request->sequence
					      : strcmp(item->service, request->service) == 0;
		if (!item->dead && meant && order_items_add(items, item->sequence, item->party))
			exit = cli_fail(CLI_FAILED, "out of memory");
	}
	return exit;
}

/* ---- orders ---- */

static int order_whole(const struct request *request, bool *ret)
{
	char line[256];
	json_t *answer = NULL;
	snprintf(line, sizeof(line), "queue %s %s %s", request->verb,
		request->service ? "service" : "party",
		request->service ? request->service : request->party);
	int exit = order_send(&request->folders, line, &answer);
	if (exit)
		return exit;
	*ret = json_is_true(json_object_get(answer, "changed"));
	json_decref(answer);
	return 0;
}

static int order_messages(const struct request *request, uint64_t *ret)
{
	_cleanup_(order_items_deinit) struct order_items items = {};
	char order[128];
	int exit = strcmp(request->verb, "hold") == 0 ? find_waiting(request, &items)
						      : find_held(request, &items);
	snprintf(order, sizeof(order), "queue %s items %s", request->verb,
		request->service ? request->service : "-");
	return exit ? exit : order_items_send(&request->folders, order, &items, ret);
}

static void print(const struct request *request, bool changed, uint64_t messages)
{
	const char *done = strcmp(request->verb, "hold") == 0 ? "held" : "released";
	json_t *object = json_object();
	if (request->json) {
		json_object_set_new(object, "changed", json_boolean(changed || messages > 0));
		if (!request->party)
			out_put(object, "messages", messages);
		out_line(object);
		return;
	}
	json_decref(object);
	if (!changed && messages == 0)
		printf("Nothing was %s: it is so already, or there is no such %s\n", done,
			request->party     ? "party"
			: request->service ? "service"
					   : "waiting message");
	else if (request->party)
		printf("The queue of %s is %s\n", request->party, done);
	else if (request->service)
		printf("Service %s is %s, %" PRIu64 " waiting message%s included\n",
			request->service, done, messages, messages == 1 ? "" : "s");
	else
		printf("Message %" PRIu64 " is %s\n", request->sequence, done);
}

static int run(const struct request *request)
{
	bool changed = false;
	uint64_t messages = 0;
	int exit = request->message ? 0 : order_whole(request, &changed);
	if (exit == 0 && !request->party)
		exit = order_messages(request, &messages);
	if (exit)
		return exit;
	print(request, changed, messages);
	return changed || messages > 0 ? CLI_DONE : CLI_NEGATIVE;
}

static int check(struct request *request, const struct cli_verb *verb, const struct cli_list *words)
{
	request->party = words->count ? words->items[0] : NULL;
	if ((request->party != NULL) + (request->service != NULL) + (request->message != NULL) != 1)
		return cli_usage(verb, "what? a party, --service or --message");
	const char *name = request->party ? request->party : request->service;
	if (name && !text_is_name(BYTES_STR(name)))
		return cli_usage(verb, "%s: no name of a party or service", name);
	if (request->message) {
		int r = items_sequence(verb, request->message, &request->sequence);
		if (r)
			return r;
	}
	return folders_find(&request->folders, verb, FOLDERS_KEYS);
}

static int hold_or_release(int argc, char **argv, const char *word, const char *help)
{
	struct request request = {.verb = word};
	const char *items[1];
	struct cli_list words = {.items = items, .max = ARRAY_LEN(items)};
	const struct cli_option table[] = {
		FOLDERS_OPTIONS(&request.folders),
		{"--service", .value = &request.service},
		{"--message", .value = &request.message},
		{"--json", .flag = &request.json},
	};
	const struct cli_verb verb = {
		.name = strcmp(word, "hold") == 0 ? "queue hold" : "queue release",
		.help = help,
		.options = table,
		.options_count = ARRAY_LEN(table),
		.words = &words,
	};
	int r;
	if (!cli_parse(&verb, argc, argv, &r))
		return r;
	r = check(&request, &verb, &words);
	if (r == 0)
		r = run(&request);
	folders_deinit(&request.folders);
	return r;
}

int queue_hold_run(int argc, char **argv)
{
	return hold_or_release(argc, argv, "hold", hold_help);
}

int queue_release_run(int argc, char **argv)
{
	return hold_or_release(argc, argv, "release", release_help);
}
