/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The real loop in a process of its own, killed at random moments with SIGKILL, over and over, while the
 * desk answers. The legacy system here is a list of files to send and a folder of what arrived, both
 * surviving the process; at the end every key is in the log exactly once, was reported, and every delivery
 * arrived. This is the promise that the SDK makes, and the only way to see it broken.
 *
 * Some deliveries are questions, answered at once. Their answers leave before they are durable, so one may be given
 * twice; but each question is answered, and acknowledged only then.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/sdk/test-world.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/envelope/envelope.h"
#include "test/kit/check.h"
#include "test/kit/spawner.h"

enum { LETTERS = 120, DELIVERIES = 60, ASKED_EVERY = 3, ROUNDS = 40, DEADLINE_MS = 60000 };

struct legacy {
	char out[500];  /* an empty file per key handed over and durable: "forgotten" */
	char in[500];   /* a file per delivery, named by h */
	char told[500]; /* a file per report */
	size_t next;
};

static void mark(const char *dir, const char *name)
{
	char path[700];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	CHECK_INT(file_replace(path, BYTES_STR("x"), 0600), 0);
}

static bool marked(const char *dir, const char *name)
{
	char path[700];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static size_t marks(const char *dir, const char *prefix)
{
	size_t count = 0;
	struct dirent *entry;
	DIR *folder = opendir(dir);
	CHECK(folder);
	while ((entry = readdir(folder)))
		count += entry->d_name[0] != '.' &&
			 strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(folder);
	return count;
}

/* ---- the adapter's process ---- */

static int op_open(
	struct dw_adapter *adapter, const struct config_adapter *config, void **ret_context)
{
	*ret_context = dw_adapter_user(adapter);
	return 0;
}

/* What is not marked as durable is handed over, from the beginning, at every start. */
static int op_from_agency(struct dw_adapter *adapter, void *context, bool *ret_more)
{
	struct legacy *legacy = context;
	char key[32], why[512];
	struct dw_submitted ids;
	for (size_t taken = 0; legacy->next < LETTERS && taken < 5; legacy->next++) {
		uint8_t case_id[16] = {(uint8_t)(legacy->next % 7)};
		snprintf(key, sizeof(key), "key-%03zu", legacy->next);
		if (marked(legacy->out, key))
			continue;
		struct dw_message message = {
			.key = BYTES_STR(key),
			.kind = DW_SUBMISSION,
			.service = BYTES_STR("alg2.application"),
			.recipient = BYTES_STR("jobcenter"),
			.content_type = BYTES_STR("text/plain"),
			.body = BYTES_STR(key),
			.case_id = case_id,
		};
		int r = dw_submit(adapter, &message, &ids, why, sizeof(why));
		if (r)
			return r < 0 ? r : -1;
		taken++;
	}
	*ret_more = legacy->next < LETTERS;
	return 0;
}

static int op_submitted(
	struct dw_adapter *adapter, void *context, struct bytes key, const struct dw_submitted *ids)
{
	struct legacy *legacy = context;
	char name[32];
	snprintf(name, sizeof(name), "%.*s", (int)key.len, (const char *)key.data);
	mark(legacy->out, name);
	return 0;
}

/* Durable together with the verdict: an acknowledgement that left before would lose it. */
static int reply(struct dw_adapter *adapter, const struct dw_delivery *delivery, const char *name)
{
	char why[512];
	struct dw_submitted ids;
	struct dw_message message = {
		.key = BYTES_STR(name),
		.kind = DW_REPLY,
		.service = BYTES_STR("alg2.application"),
		.recipient = BYTES_STR("jobcenter"),
		.content_type = BYTES_STR("text/plain"),
		.body = BYTES_STR("thanks"),
		.case_id = delivery->case_id,
		.in_reply_to = delivery->h,
	};
	int r = dw_submit(adapter, &message, &ids, why, sizeof(why));
	return r > 0 ? -1 : r;
}

static int answer(struct dw_adapter *adapter, const struct dw_delivery *delivery)
{
	char why[512];
	struct dw_submitted ids;
	int r = dw_answer(adapter, delivery, BYTES_STR("text/plain"), BYTES_STR("yes"), &ids, why,
		sizeof(why));
	return r > 0 ? -1 : r;
}

static int op_to_agency(struct dw_adapter *adapter, void *context,
	const struct dw_delivery *delivery, struct dw_verdict *ret)
{
	struct legacy *legacy = context;
	char name[64];
	snprintf(name, sizeof(name), "%.*s", (int)delivery->body.len,
		(const char *)delivery->body.data);
	mark(legacy->in, name);
	ret->disposition = DW_ACCEPTED;
	if (delivery->kind == DW_ENQUIRY)
		return answer(adapter, delivery);
	return reply(adapter, delivery, name);
}

static int op_report(struct dw_adapter *adapter, void *context, const struct dw_report *report)
{
	struct legacy *legacy = context;
	char name[64];
	snprintf(name, sizeof(name), "%d-%.*s", report->event, (int)report->key.len,
		(const char *)report->key.data);
	mark(legacy->told, name);
	return 0;
}

static void op_close(void *context)
{
}

static const struct dw_adapter_ops ops = {
	.name = "dienstweg-crash",
	.open = op_open,
	.from_agency = op_from_agency,
	.submitted = op_submitted,
	.to_agency = op_to_agency,
	.report = op_report,
	.close = op_close,
	.poll_ms = 20,
};

struct life {
	struct world *world;
	struct legacy legacy;
};

static void life_run(void *context, const char *endpoint)
{
	struct life *life = context;
	life->world->config.broker = endpoint;
	log_init("crash", LOG_ERROR, 2);
	_exit(dw_adapter_run(&life->world->config, &ops, &life->legacy));
}

/* ---- the desk's process ---- */

static uint64_t now_ms(void)
{
	return clock_mono_ns(clock_system()) / 1000000;
}

static void deliver_some(struct world *world, size_t *delivered)
{
	struct desk *desk = world->desk;
	if (!desk->open || *delivered >= DELIVERIES)
		return;
	char *body = desk_take(desk, 32);
	bool asks = *delivered % ASKED_EVERY == 0;
	snprintf(body, 32, "delivery-%03zu", (*delivered)++);
	struct desk_letter letter = {.sender = "jobcenter",
		.recipient = "city",
		.service = asks ? "benefit.question" : "alg2.decision",
		.kind = asks ? DW_ENQUIRY : DW_SUBMISSION,
		.body = BYTES_STR(body)};
	(void)desk_deliver(desk, &letter);
}

/* What was delivered to a session that died comes again in the next one. */
static void deliver_again(struct desk *desk)
{
	for (size_t i = 0; i < desk->letters_count; i++) {
		bool acked = false;
		for (size_t j = 0; j < desk->acks_count; j++)
			acked = acked || desk->acks[j].sequence == desk->letters[i].sequence;
		if (!acked)
			desk_deliver_again(desk, desk->letters[i].sequence);
	}
}

static void serve_for(struct world *world, uint64_t ms, size_t *hellos, size_t *delivered)
{
	uint64_t end = now_ms() + ms;
	while (now_ms() < end) {
		desk_step(world->desk, 1);
		if (world->desk->hellos != *hellos) {
			*hellos = world->desk->hellos;
			deliver_again(world->desk);
		}
		deliver_some(world, delivered);
	}
}

/* Deliveries that were acknowledged, all of them accepted, each by the recipient's own signature. */
static size_t acked(const struct desk *desk)
{
	size_t count = 0;
	for (size_t i = 0; i < desk->letters_count; i++) {
		for (size_t j = 0; j < desk->acks_count; j++) {
			CHECK(desk->acks[j].accepted && desk->acks[j].signature_ok);
			if (desk->acks[j].sequence != desk->letters[i].sequence)
				continue;
			count++;
			break;
		}
	}
	return count;
}

static bool all_recorded(const struct world *world, const struct legacy *legacy)
{
	/* Of a reply nobody asks twice whether it is durable: its delivery was. */
	return marks(legacy->out, "key-") == LETTERS &&
	       marks(legacy->told, "1-") == LETTERS + DELIVERIES &&
	       marks(legacy->in, "") == DELIVERIES &&
	       world->desk->messages_count >= LETTERS + DELIVERIES &&
	       acked(world->desk) == DELIVERIES;
}

static size_t answers_of(struct desk *desk)
{
	size_t count = 0;
	for (size_t i = 0; i < desk->messages_count; i++) {
		Dienstweg__Header *header;
		const char *field;
		CHECK_INT(envelope_header_parse(
				  desk->arena, desk->messages[i].header, &header, &field),
			0);
		count += header->kind == DIENSTWEG__KIND__KIND_ANSWER;
	}
	return count;
}

static void folders_make(const struct world *world, struct legacy *legacy)
{
	snprintf(legacy->out, sizeof(legacy->out), "%s/out", world->dir);
	snprintf(legacy->in, sizeof(legacy->in), "%s/in", world->dir);
	snprintf(legacy->told, sizeof(legacy->told), "%s/told", world->dir);
	CHECK_INT(dir_make(legacy->out, 0700), 0);
	CHECK_INT(dir_make(legacy->in, 0700), 0);
	CHECK_INT(dir_make(legacy->told, 0700), 0);
}

static void nothing_is_lost_or_doubled(void)
{
	_cleanup_(world_free) struct world *world = world_new_shut();
	struct life life = {.world = world};
	const struct legacy *legacy = &life.legacy;
	size_t hellos = 0, delivered = 0;
	uint64_t dice = (uint64_t)now_ms();
	printf("seed %llu\n", (unsigned long long)dice);
	folders_make(world, &life.legacy);
	struct spawner *spawner = spawner_new(life_run, &life);
	desk_open(world->desk);
	for (int round = 0; round < ROUNDS; round++) {
		dice = dice * 6364136223846793005u + 1442695040888963407u;
		spawner_start(spawner, world->desk->endpoint);
		serve_for(world, (dice >> 33) % 120, &hellos, &delivered);
		CHECK(WIFSIGNALED(spawner_end(spawner, SIGKILL))); /* it did not end by itself */
	}
	size_t before = world->desk->hellos;
	spawner_start(spawner, world->desk->endpoint);
	uint64_t deadline = now_ms() + DEADLINE_MS;
	while (!all_recorded(world, legacy) || world->desk->hellos == before) {
		if (now_ms() > deadline)
			CHECK_FAIL("handed over %zu, told %zu, arrived %zu of %d, in the log %zu",
				marks(legacy->out, ""), marks(legacy->told, ""),
				marks(legacy->in, ""), DELIVERIES, world->desk->messages_count);
		serve_for(world, 20, &hellos, &delivered);
	}
	/* In the log once each: the desk counts a message by its h, so one sent twice is one. Answers at least. */
	size_t answers = answers_of(world->desk), asked = DELIVERIES / ASKED_EVERY;
	printf("%zu of %zu questions were answered again\n", answers - asked, asked);
	CHECK(answers >= asked);
	CHECK_INT(world->desk->messages_count - answers, LETTERS + DELIVERIES - asked);
	CHECK_INT(acked(world->desk), DELIVERIES);
	CHECK_INT(spawner_end(spawner, SIGTERM), 0);
	spawner_free(spawner);
}

CHECK_MAIN(CHECK_CASE(nothing_is_lost_or_doubled))
