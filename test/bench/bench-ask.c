/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Enquiry and answer on an idle system: two real adapters, each its own process with its outbox and inbox on disk, and
 * the real broker. One question at a time, and a pause behind each, so that nothing of the last one is still under
 * way. The question carries the time it was asked at (one machine, one monotonic clock), so that every stage
 * can be told. Nothing here is a test: it prints, people compare.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/sdk/adapter.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "test/bench/machine.h"
#include "test/bench/samples.h"
#include "test/kit/bus.h"
#include "test/kit/check.h"

enum { PAUSE_MS = 5, BODY_BYTES = 256, WARM_UP = 20, COUNT = 1000 };

/* Shared between the processes. */
struct stages {
	struct samples *recorded; /* the asker has the receipt */
	struct samples *opened;   /* the question, by who answers */
	struct samples *answered; /* the answer, by who asked */
};

struct side {
	struct stages *stages;
	uint64_t count, asked;
	uint64_t asked_ns;
	bool waiting;
};

static uint64_t mono_ns(void)
{
	return clock_mono_ns(clock_system());
}

static int op_open(
	struct dw_adapter *adapter, const struct config_adapter *config, void **ret_context)
{
	*ret_context = dw_adapter_user(adapter);
	return 0;
}

static int op_submitted(
	struct dw_adapter *adapter, void *context, struct bytes key, const struct dw_submitted *ids)
{
	return 0;
}

static void op_close(void *context)
{
}

/* ---- who asks ---- */

static int asker_intake(struct dw_adapter *adapter, void *context, bool *ret_more)
{
	struct side *side = context;
	uint8_t body[BODY_BYTES] = {0};
	char key[32], why[256] = "";
	struct dw_submitted ids;
	if (side->waiting)
		return 0;
	if (side->asked == side->count) {
		dw_adapter_stop(adapter);
		return 0;
	}
	snprintf(key, sizeof(key), "q%llu", (unsigned long long)side->asked++);
	side->asked_ns = mono_ns();
	memcpy(body, &side->asked_ns, sizeof(side->asked_ns));
	struct dw_message message = {.key = BYTES_STR(key),
		.kind = DW_ENQUIRY,
		.service = BYTES_STR("benefit.question"),
		.recipient = BYTES_STR("jobcenter"),
		.content_type = BYTES_STR("application/octet-stream"),
		.body = BYTES(body, sizeof(body))};
	int r = dw_ask(adapter, &message, 0, &ids, why, sizeof(why));
	if (r > 0)
		CHECK_FAIL("not asked: %s", why);
	side->waiting = true;
	return r;
}

static int asker_report(struct dw_adapter *adapter, void *context, const struct dw_report *report)
{
	struct side *side = context;
	if (report->event == DW_RECORDED && side->asked > WARM_UP)
		samples_add(side->stages->recorded, mono_ns() - side->asked_ns);
	return 0;
}

static int asker_answered(struct dw_adapter *adapter, void *context, const struct dw_answer *answer)
{
	struct side *side = context;
	if (!answer->delivery)
		CHECK_FAIL("not answered: %.*s", (int)answer->code.len,
			(const char *)answer->code.data);
	if (side->asked > WARM_UP)
		samples_add(side->stages->answered, mono_ns() - side->asked_ns);
	side->waiting = false;
	return 0;
}

static int asker_to_agency(struct dw_adapter *adapter, void *context,
	const struct dw_delivery *delivery, struct dw_verdict *ret)
{
	CHECK_FAIL("nothing but answers was expected");
}

static const struct dw_adapter_ops asker_ops = {
	.name = "bench-asker",
	.open = op_open,
	.from_agency = asker_intake,
	.submitted = op_submitted,
	.to_agency = asker_to_agency,
	.report = asker_report,
	.answered = asker_answered,
	.close = op_close,
	.poll_ms = PAUSE_MS,
};

/* ---- who answers ---- */

static int answerer_intake(struct dw_adapter *adapter, void *context, bool *ret_more)
{
	return 0;
}

static int answerer_to_agency(struct dw_adapter *adapter, void *context,
	const struct dw_delivery *delivery, struct dw_verdict *ret)
{
	struct side *side = context;
	struct dw_submitted ids;
	uint64_t asked_ns;
	char why[256] = "";
	CHECK(delivery->kind == DW_ENQUIRY && delivery->body.len == BODY_BYTES);
	memcpy(&asked_ns, delivery->body.data, sizeof(asked_ns));
	if (side->asked++ >= WARM_UP)
		samples_add(side->stages->opened, mono_ns() - asked_ns);
	int r = dw_answer(adapter, delivery, BYTES_STR("text/plain"), BYTES_STR("yes"), &ids, why,
		sizeof(why));
	if (r > 0)
		CHECK_FAIL("no answer: %s", why);
	ret->disposition = DW_ACCEPTED;
	return r;
}

static const struct dw_adapter_ops answerer_ops = {
	.name = "bench-answerer",
	.open = op_open,
	.from_agency = answerer_intake,
	.submitted = op_submitted,
	.to_agency = answerer_to_agency,
	.close = op_close,
};

/* ---- the run ---- */

static pid_t adapter_start(const struct bus *bus, const char *file,
	const struct dw_adapter_ops *ops, struct side *side)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid != 0)
		return pid;
	char why[CONFIG_ERROR_SIZE] = "";
	const struct config_adapter *config;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_init(ops->name, LOG_ERROR, 2);
	if (chdir(bus->dir) != 0 || config_adapter_read(file, &config, why, sizeof(why)) != 0)
		CHECK_FAIL("%s: %s", file, why);
	_exit(dw_adapter_run(config, ops, side));
}

static void bus_make(struct bus *bus)
{
	bus_init(bus, check_tmpdir());
	struct registry_fixture *f = bus->fixture;
	registry_fixture_party(f, "city", NULL);
	registry_fixture_party(f, "jobcenter", NULL);
	Dienstweg__Service *service = registry_fixture_service(f, "benefit.question");
	service->pattern = DIENSTWEG__PATTERN__PATTERN_ENQUIRY;
	service->answer_s = 30;
	service->pending_max = 16;
	Dienstweg__Agreement *a = registry_fixture_agreement(f, "questions", "2021-07-01", NULL);
	registry_fixture_flow(f, a, "benefit.question", "city", "jobcenter", NULL);
	bus_write(bus);
	bus_start(bus);
	bus_adapter_write(bus, "city", bus->endpoint);
	bus_adapter_write(bus, "jobcenter", bus->endpoint);
}

static void stage_print(const char *name, const char *words, struct samples *s, bool json, bool last)
{
	double p50 = samples_percentile(s, 0.5) / 1e3, p99 = samples_percentile(s, 0.99) / 1e3;
	if (json)
		printf("\"%s_ms\":{\"p50\":%.3f,\"p99\":%.3f}%s", name, p50, p99,
			last ? "}\n" : ",");
	else
		printf("  %-42s p50 %6.3f ms   p99 %6.3f ms\n", words, p50, p99);
}

/* In the order of their size: what a percentile leaves out. */
static void raw_print(const struct samples *s)
{
	for (uint64_t i = 0; i < s->count; i++)
		printf("%u\n", s->us[i]);
}

static void run(struct bus *bus, uint64_t count, bool json, bool raw)
{
	struct stages stages = {samples_new(), samples_new(), samples_new()};
	struct side asker = {.stages = &stages, .count = count + WARM_UP};
	struct side answerer = {.stages = &stages};
	int status;
	pid_t answers = adapter_start(bus, "jobcenter.yaml", &answerer_ops, &answerer);
	pid_t asks = adapter_start(bus, "city.yaml", &asker_ops, &asker);
	CHECK_INT(waitpid(asks, &status, 0), asks);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	kill(answers, SIGTERM);
	CHECK_INT(waitpid(answers, &status, 0), answers);
	if (json)
		printf("{\"questions\":%llu,", (unsigned long long)count);
	else
		printf("enquiry and answer, one at a time, %llu of them:\n",
			(unsigned long long)count);
	stage_print("recorded", "ask to receipt", stages.recorded, json, false);
	stage_print("opened", "ask to question opened by who answers", stages.opened, json, false);
	stage_print("answered", "ask to answer opened by who asked", stages.answered, json, true);
	if (raw)
		raw_print(stages.answered);
	samples_free(stages.recorded);
	samples_free(stages.opened);
	samples_free(stages.answered);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"count", required_argument, NULL, 'n'},
		{"json", no_argument, NULL, 'j'}, {"raw", no_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'}, {0}};
	uint64_t count = COUNT;
	bool json = false, raw = false;
	struct machine machine;
	struct bus bus;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 'n' && text_parse_u64(BYTES_STR(optarg), &count) == 0 && count >= 1 &&
			count <= 100000)
			continue;
		json = json || o == 'j';
		raw = raw || o == 'r';
		if (o == 'j' || o == 'r')
			continue;
		fprintf(o == 'h' ? stdout : stderr,
			"usage: bench-ask [--count N] [--json] [--raw]\n");
		return o == 'h' ? 0 : 2;
	}
	bus_make(&bus);
	machine_measure(&machine, bus.dir, 0.5);
	if (!json)
		printf("this machine: %.0f commits/s (LMDB alone, one at a time)\n",
			machine.commits_per_s);
	fflush(stdout);
	run(&bus, count, json, raw);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
	return 0;
}
