/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The loop of the product waits in poll(), which a test cannot look into; here the same steps are taken in
 * the same order, with the desk's turn between them. Everything else is the product's: files, keys,
 * sockets, transactions.
 */
#include "adapters/sdk/test-world.h"

#include <poll.h>
#include <stdarg.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/log.h"
#include "test/kit/check.h"

enum { KEY_FILES = 2, STEP_MS = 5, MIB = 1 << 20 };

/* ---- clock ---- */

static uint64_t shifted_wall_ms(const struct clock *clock)
{
	return clock_wall_ms(clock_system()) + clock->fake_wall_ms;
}

static uint64_t shifted_mono_ns(const struct clock *clock)
{
	return clock_mono_ns(clock_system()) + clock->fake_mono_ns;
}

void world_wait_over(struct world *world, uint64_t ms)
{
	world->clock.fake_wall_ms += ms;
	world->clock.fake_mono_ns += ms * 1000000u;
}

/* ---- ops ---- */

static void note(struct world *world, const char *format, ...) _printf_(2, 3);
static void note(struct world *world, const char *format, ...)
{
	va_list list;
	char *line;
	va_start(list, format);
	CHECK(vasprintf(&line, format, list) >= 0);
	va_end(list);
	CHECK(world->lines_count < WORLD_LINES_MAX);
	world->lines[world->lines_count++] = line;
}

static int submit(struct dw_adapter *adapter, const struct world_letter *letter)
{
	char why[512] = "";
	struct dw_submitted ids;
	struct dw_message message = {
		.key = BYTES_STR(letter->key),
		.kind = DW_SUBMISSION,
		.service = BYTES_STR(letter->service ? letter->service : "alg2.application"),
		.content_type = BYTES_STR("text/plain"),
		.body = letter->body,
		.case_id = letter->case_id,
		.priority = 1,
	};
	if (letter->sender)
		message.sender = BYTES_STR(letter->sender);
	if (letter->region)
		message.region = BYTES_STR(letter->region);
	else
		message.recipient = BYTES_STR(letter->recipient ? letter->recipient : "jobcenter");
	if (letter->asks)
		message.kind = DW_ENQUIRY;
	int r = letter->asks ? dw_ask(adapter, &message, letter->patience_ms, &ids, why, sizeof(why))
			     : dw_submit(adapter, &message, &ids, why, sizeof(why));
	if (letter->ret)
		*letter->ret = r;
	if (letter->why)
		snprintf(letter->why, 512, "%s", why);
	CHECK(r == 0 || letter->ret);
	return r < 0 ? r : 0;
}

static int op_from_agency(struct dw_adapter *adapter, void *context, bool *ret_more)
{
	struct world *world = context;
	while (world->letters_done < world->letters_count) {
		int r = submit(adapter, &world->letters[world->letters_done++]);
		if (r)
			return r;
	}
	return 0;
}

static int op_submitted(
	struct dw_adapter *adapter, void *context, struct bytes key, const struct dw_submitted *ids)
{
	note(context, "submitted %.*s%s", (int)key.len, (const char *)key.data,
		ids->duplicate ? " again" : "");
	return 0;
}

static int answer(struct dw_adapter *adapter, const struct dw_delivery *enquiry, const char *body)
{
	char why[512] = "";
	struct dw_submitted ids;
	int r = dw_answer(
		adapter, enquiry, BYTES_STR("text/plain"), BYTES_STR(body), &ids, why, sizeof(why));
	CHECK(r <= 0);
	return r;
}

static int op_answered(struct dw_adapter *adapter, void *context, const struct dw_answer *answered)
{
	int key = (int)answered->key.len;
	const char *text = (const char *)answered->key.data;
	CHECK_INT(adapter->depth, 1);
	if (answered->delivery)
		note(context, "answered %.*s %.*s", key, text, (int)answered->delivery->body.len,
			(const char *)answered->delivery->body.data);
	else
		note(context, "unanswered %.*s %.*s", key, text, (int)answered->code.len,
			(const char *)answered->code.data);
	return 0;
}

static int op_to_agency(struct dw_adapter *adapter, void *context,
	const struct dw_delivery *delivery, struct dw_verdict *ret)
{
	struct world *world = context;
	note(world, "delivery %.*s %.*s", (int)delivery->sender.len,
		(const char *)delivery->sender.data, (int)delivery->body.len,
		(const char *)delivery->body.data);
	*ret = world->verdict;
	if (world->answer && delivery->kind == DW_ENQUIRY)
		return answer(adapter, delivery, world->answer);
	if (world->answer_key) {
		struct world_letter reply = {.key = world->answer_key,
			.service = "alg2.application",
			.body = BYTES_STR("thanks"),
			.case_id = delivery->case_id};
		int r = submit(adapter, &reply);
		if (r)
			return r;
	}
	return world->op_fails;
}

static int op_report(struct dw_adapter *adapter, void *context, const struct dw_report *report)
{
	struct world *world = context;
	int key = (int)report->key.len;
	const char *text = (const char *)report->key.data;
	switch (report->event) {
	case DW_RECORDED:
		CHECK(memmem(report->proof.data, report->proof.len, "c2sp.org/tlog-proof@v1", 22));
		note(world, "recorded %.*s", key, text);
		break;
	case DW_REFUSED:
		note(world, "refused %.*s %.*s", key, text, (int)report->code.len,
			(const char *)report->code.data);
		break;
	case DW_DUE_SOON:
	case DW_OVERDUE:
		note(world, "%s %.*s %.*s", report->event == DW_OVERDUE ? "overdue" : "due-soon",
			key, text, (int)report->recipient.len, (const char *)report->recipient.data);
		break;
	case DW_ENDED:
		note(world, "ended %.*s %.*s %.*s", key, text, (int)report->recipient.len,
			(const char *)report->recipient.data, (int)report->state.len,
			(const char *)report->state.data);
		break;
	}
	return 0;
}

static int op_cancelled(
	struct dw_adapter *adapter, void *context, const struct dw_cancelled *cancelled)
{
	CHECK_INT(adapter->depth, 1);
	note(context, "cancelled %02x %.*s %.*s%.*s", cancelled->message_id[0],
		(int)cancelled->recipient.len, (const char *)cancelled->recipient.data,
		(int)cancelled->state.len, (const char *)cancelled->state.data,
		(int)cancelled->code.len,
		cancelled->code.len ? (const char *)cancelled->code.data : "");
	return 0;
}

static int op_open(
	struct dw_adapter *adapter, const struct config_adapter *config, void **ret_context)
{
	return 0;
}

static void op_close(void *context)
{
}

static const struct dw_adapter_ops world_ops = {
	.name = "dienstweg-test",
	.open = op_open,
	.from_agency = op_from_agency,
	.submitted = op_submitted,
	.to_agency = op_to_agency,
	.report = op_report,
	.cancelled = op_cancelled,
	.answered = op_answered,
	.close = op_close,
};

/* ---- files ---- */

static const char *const witnesses[] = {"city", "jobcenter", "ministry"};

static struct registry_fixture *fixture_make(bool witnessed)
{
	struct registry_fixture *f = registry_fixture_new("test.demo");
	registry_fixture_party(f, "city", NULL);
	registry_fixture_party(f, "library", "city");
	registry_fixture_party(f, "jobcenter", NULL);
	registry_fixture_party(f, "ministry", NULL);
	for (size_t i = 0; witnessed && i < ARRAY_LEN(witnesses); i++)
		registry_fixture_witness(f, witnesses[i]);
	registry_fixture_content(f)->witness_quorum = witnessed ? 2 : 0;
	registry_fixture_service(f, "alg2.application");
	registry_fixture_service(f, "alg2.decision");
	registry_fixture_service(f, "open.figures")
		->confidentiality = DIENSTWEG__CONFIDENTIALITY__CONFIDENTIALITY_BROKER_READABLE;
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "a1", "2021-07-01", NULL);
	registry_fixture_flow(
		f, a, "alg2.application,open.figures", "city,library", "jobcenter", "05124");
	registry_fixture_flow(
		f, a, "alg2.decision,open.figures", "jobcenter,ministry", "city", NULL);
	registry_fixture_flow(f, a, "alg2.decision", "jobcenter", "library", NULL);
	Dienstweg__Service *question = registry_fixture_service(f, "benefit.question");
	question->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	question->answer_s = 30;
	question->pending_max = 1000;
	registry_fixture_flow(f, a, "benefit.question", "city", "jobcenter", NULL);
	registry_fixture_flow(f, a, "benefit.question", "jobcenter", "city", NULL);
	return f;
}

static void secret_write(struct world *world, const char *file, const char *owner,
	const enum key_use *uses, size_t count)
{
	struct keyring_secret keys = {};
	snprintf(keys.owner, sizeof(keys.owner), "%s", owner);
	for (size_t i = 0; i < count; i++) {
		const struct key_secret *key = registry_fixture_secret(
			world->fixture, owner, uses[i]);
		CHECK(key);
		keys.keys[keys.count++] = (struct key_secret *)(uintptr_t)key;
	}
	CHECK_INT(keyfile_write(world->dir, file, &keys), 0);
}

static const char *path(struct world *world, size_t index, const char *name)
{
	snprintf(world->paths[index], sizeof(world->paths[index]), "%s/%s", world->dir, name);
	return world->paths[index];
}

static void quorum_write(struct world *world, char *text, size_t size)
{
	size_t len = 0;
	for (size_t i = 0; i < ARRAY_LEN(witnesses); i++) {
		const struct key_secret *secret = registry_fixture_secret(
			world->fixture, witnesses[i], KEY_WITNESS);
		struct note_key key;
		char vkey[NOTE_VKEY_SIZE];
		CHECK_INT(note_key_init_witness(&key, BYTES_STR(witnesses[i]), secret->pub.public),
			0);
		note_key_format(&key, vkey);
		len += (size_t)snprintf(text + len, size - len, "witness w%zu %s\n", i, vkey);
	}
	snprintf(text + len, size - len, "group all-of-them 2 w0 w1 w2\nquorum all-of-them\n");
}

static void files_write(struct world *world, bool witnessed)
{
	static const enum key_use witness[] = {KEY_WITNESS};
	static const enum key_use uses[] = {KEY_SIGN, KEY_SEAL, KEY_TRANSPORT};
	struct note_key roots[3];
	char text[8 * NOTE_VKEY_SIZE + 256];
	size_t len = 0;
	secret_write(world, "city", "city", uses, 3);
	secret_write(world, "library", "library", uses, 2);
	if (witnessed)
		secret_write(world, "witness", "city", witness, 1);
	registry_fixture_roots(world->fixture, roots);
	for (int i = 0; i < 3; i++) {
		char vkey[NOTE_VKEY_SIZE];
		note_key_format(&roots[i], vkey);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "root %s\n", vkey);
	}
	len += (size_t)snprintf(text + len, sizeof(text) - len, "root-quorum 2\n");
	if (witnessed)
		quorum_write(world, text + len, sizeof(text) - len);
	else
		snprintf(text + len, sizeof(text) - len, "quorum none\n");
	CHECK_INT(file_replace(path(world, 0, "policy"), BYTES_STR(text), 0644), 0);
	CHECK_INT(file_replace(path(world, 1, "registry"),
			  registry_signed_bytes(world->desk->registry), 0644),
		0);
}

static void config_make(struct world *world, bool witnessed)
{
	world->key_files[0] = path(world, 2, "city.secret");
	world->key_files[1] = path(world, 3, "library.secret");
	world->operates[0] = "library";
	world->config = (struct config_adapter){
		.bus = "test.demo",
		.broker = world->desk->endpoint,
		.party = "city",
		.operates = {world->operates, 1},
		.keys = {world->key_files, KEY_FILES},
		.policy = world->paths[0],
		.registry = world->paths[1],
		.state = path(world, 4, "state"),
		.witness = witnessed ? path(world, 5, "witness.secret") : NULL,
		.drain_ms = 2000,
		.outbox = {.map_bytes = 64 * MIB,
			.messages_max = 10000,
			.bytes_max = 64 * MIB,
			.again_ms = 72 * 3600 * 1000,
			.again_bytes = 16 * MIB},
		.flight = {.messages = 256,
			.bytes = 8 * MIB,
			.batch_max = 32,
			.credit_messages = 64,
			.credit_bytes = 8 * MIB},
		.reconnect = {.min_ms = 10, .max_ms = 50, .timeout_ms = 15000, .ping_ms = 4000},
	};
}

static struct world *world_make(bool witnessed)
{
	struct world *world = calloc(1, sizeof(*world));
	CHECK(world);
	CHECK_INT(crypto_init(), 0);
	log_init("test", LOG_ERROR, 2);
	snprintf(world->dir, sizeof(world->dir), "%s", check_subdir());
	world->clock = (struct clock){.wall_ms = shifted_wall_ms, .mono_ns = shifted_mono_ns};
	world->fixture = fixture_make(witnessed);
	world->desk = calloc(1, sizeof(*world->desk));
	CHECK(world->desk);
	desk_init(world->desk, world->fixture, "test.demo");
	files_write(world, witnessed);
	config_make(world, witnessed);
	world->verdict.disposition = DW_ACCEPTED;
	return world;
}

struct world *world_new_shut(void)
{
	return world_make(false);
}

struct world *world_new(void)
{
	struct world *world = world_make(false);
	desk_open(world->desk);
	return world;
}

struct world *world_new_witnessed(void)
{
	struct world *world = world_make(true);
	desk_open(world->desk);
	return world;
}

void world_free(struct world *world)
{
	if (!world)
		return;
	world_stop(world);
	desk_deinit(world->desk);
	free(world->desk);
	registry_fixture_free(world->fixture);
	for (size_t i = 0; i < world->lines_count; i++)
		free(world->lines[i]);
	free(world);
}

/* ---- the adapter ---- */

int world_open(struct world *world, char *why, size_t size)
{
	CHECK(!world->open);
	world->adapter = (struct dw_adapter){.config = &world->config,
		.ops = &world_ops,
		.context = world,
		.clock = &world->clock};
	world->failed = 0;
	world->open = true;
	return core_open(&world->adapter, why, size);
}

void world_start(struct world *world)
{
	char why[512] = "";
	int r = world_open(world, why, sizeof(why));
	if (r)
		CHECK_FAIL("the adapter does not start: %d %s", r, why);
}

void world_stop(struct world *world)
{
	if (world->open)
		core_close(&world->adapter);
	world->open = false;
}

void world_connect(struct world *world)
{
	world_start(world);
	world_until(world, client_state(world->adapter.client) == CLIENT_READY);
}

void world_submit(struct world *world, const struct world_letter *letter)
{
	CHECK(world->letters_count < WORLD_LETTERS_MAX);
	world->letters[world->letters_count++] = *letter;
}

static int adapter_step(struct world *world)
{
	bool more;
	struct dw_adapter *adapter = &world->adapter;
	int r = client_step(adapter->client);
	if (r == 0 && adapter->failed == 0 && world->letters_done < world->letters_count)
		r = core_intake(adapter, &more);
	if (r == 0 && adapter->failed == 0)
		r = asking_step(adapter);
	if (r == 0)
		r = core_turn(adapter);
	if (r == 0)
		r = final_step(adapter->final, adapter->client);
	if (r == 0)
		r = trust_step(adapter->trust, adapter->client);
	if (r == 0 && adapter->reconnect)
		r = core_connect(adapter);
	return r;
}

void world_step(struct world *world)
{
	size_t frames = desk_step(world->desk, 0);
	if (!world->open || world->failed)
		return;
	world->failed = adapter_step(world);
	if (world->failed || frames > 0 || client_timeout_ms(world->adapter.client) == 0)
		return;
	struct pollfd fds[] = {
		{.fd = client_fd(world->adapter.client), .events = POLLIN},
		{.fd = desk_fd(world->desk), .events = POLLIN},
	};
	poll(fds, 2, STEP_MS);
}

bool world_saw(const struct world *world, const char *line)
{
	for (size_t i = 0; i < world->lines_count; i++) {
		if (strcmp(world->lines[i], line) == 0)
			return true;
	}
	return false;
}

size_t world_count(const struct world *world, const char *line)
{
	size_t count = 0;
	for (size_t i = 0; i < world->lines_count; i++)
		count += strncmp(world->lines[i], line, strlen(line)) == 0;
	return count;
}

bool world_alarmed(const struct world *world)
{
	char file[600];
	snprintf(file, sizeof(file), "%s/ALARM", world->config.state);
	return access(file, F_OK) == 0;
}

char *world_file(const struct world *world, const char *name)
{
	char file[600];
	uint8_t *text = NULL;
	size_t len;
	snprintf(file, sizeof(file), "%s/%s", world->config.state, name);
	return file_read(file, 1 << 20, &text, &len) == 0 ? (char *)text : NULL;
}
