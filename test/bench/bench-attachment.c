/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A file of gigabytes from one party to another through the real programs, and what it costs: how fast it goes, the
 * memory of everybody involved, and what a neighbour notices who sends one message after the other. The neighbour is
 * measured alone first, in the same run.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "test/bench/flow.h"
#include "test/kit/check.h"
#include "test/kit/usage.h"

enum { MIB = 1 << 20, MIB_USUAL = 1900, SLICES_MAX = 1000, BODY = 1024, END_MS = 60000 };

struct transfer {
	struct bus bus;
	struct process sending, receiving;
	char file[512], out[512];
	uint64_t mib;
	uint64_t broker_bytes, sender_bytes, receiver_bytes; /* of anonymous memory, at most */
};

struct neighbour {
	struct flow_receiver receiver;
	double p50_ms[SLICES_MAX], p99_ms[SLICES_MAX];
	size_t slices;
};

static void file_make(const char *path, uint64_t mib)
{
	_cleanup_(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	_cleanup_(heap_free) uint8_t *piece = malloc(MIB);
	CHECK(fd >= 0 && piece);
	for (uint64_t i = 0; i < mib; i++) {
		random_fill(piece, MIB);
		CHECK_INT(write(fd, piece, MIB), MIB);
	}
}

static void bus_make(struct bus *bus)
{
	static const char *const from[] = {"city", "district"}, *const to[] = {
									"jobcenter", "ministry"};
	bus_init(bus, check_tmpdir());
	bus->adapter_extra = "";
	for (size_t i = 0; i < 2; i++) {
		registry_fixture_party(bus->fixture, from[i], NULL);
		registry_fixture_party(bus->fixture, to[i], NULL);
	}
	registry_fixture_service(bus->fixture, "alg2.application");
	for (size_t i = 0; i < 2; i++) {
		Dienstweg__Agreement *a = registry_fixture_agreement(
			bus->fixture, from[i], "2021-07-01", NULL);
		registry_fixture_flow(bus->fixture, a, "alg2.application", from[i], to[i], "05124");
	}
	bus_write(bus);
	bus_adapter_write(bus, "city", bus->endpoint);
	bus_adapter_write(bus, "jobcenter", bus->endpoint);
	bus_start(bus);
}

static void transfer_start(struct transfer *t)
{
	char program[512], city[512], jobcenter[512], letter[512];
	program_path("adapters/cli/dienstweg-party", program, sizeof(program));
	snprintf(city, sizeof(city), "%s", bus_path(&t->bus, "city.yaml"));
	snprintf(jobcenter, sizeof(jobcenter), "%s", bus_path(&t->bus, "jobcenter.yaml"));
	snprintf(letter, sizeof(letter), "%s", bus_path(&t->bus, "letter.txt"));
	CHECK_INT(file_replace(letter, BYTES_STR("see the plan"), 0600), 0);
	process_start(&t->receiving, bus_path(&t->bus, "logs/receive.log"),
		(const char *const[]){program, "receive", "--config", jobcenter, "--demo", "--out",
			t->out, "--count", "1", "--timeout", "0", NULL});
	process_start(&t->sending, bus_path(&t->bus, "logs/send.log"),
		(const char *const[]){program, "send", "--config", city, "--demo", "--service",
			"alg2.application", "--to", "jobcenter", "--file", letter, "--attach",
			t->file, "--wait", "ended", "--timeout", "0", NULL});
}

static void more(uint64_t *most, const struct process *process)
{
	if (!process_running(process))
		return;
	uint64_t bytes = usage_anonymous_bytes(process->pid);
	*most = bytes > *most ? bytes : *most;
}

static bool look(struct transfer *t)
{
	more(&t->broker_bytes, &t->bus.broker);
	more(&t->sender_bytes, &t->sending);
	more(&t->receiver_bytes, &t->receiving);
	return process_running(&t->sending);
}

static void slice(struct neighbour *n, const struct bus *bus)
{
	struct flow_result result;
	CHECK(n->slices < SLICES_MAX);
	flow_run(bus, "district", &n->receiver, 1, BODY, 1.0, &result);
	n->p50_ms[n->slices] = result.receipt_p50_us / 1e3;
	n->p99_ms[n->slices++] = result.receipt_p99_us / 1e3;
}

static void print(const struct transfer *t, double seconds, struct neighbour *alone,
	struct neighbour *beside, bool json)
{
	double p50 = samples_median(alone->p50_ms, alone->slices);
	double p99 = samples_median(alone->p99_ms, alone->slices);
	double p50b = samples_median(beside->p50_ms, beside->slices);
	double p99b = samples_median(beside->p99_ms, beside->slices);
	printf(json ? "{\"mib\":%llu,\"seconds\":%.1f,\"mib_per_second\":%.1f,"
		    : "%llu MiB in %.1f s, %.1f MiB/s from the command to the recipient's "
		      "receipt\n",
		(unsigned long long)t->mib, seconds, (double)t->mib / seconds);
	printf(json ? "\"broker_anonymous_bytes\":%llu,\"sender_anonymous_bytes\":%llu,"
		      "\"receiver_anonymous_bytes\":%llu,"
		    : "anonymous memory at most: broker %llu, sender %llu, receiver %llu bytes\n",
		(unsigned long long)t->broker_bytes, (unsigned long long)t->sender_bytes,
		(unsigned long long)t->receiver_bytes);
	printf(json ? "\"alone\":{\"p50_ms\":%.3f,\"p99_ms\":%.3f},\"beside\":{\"p50_ms\":%.3f,"
		      "\"p99_ms\":%.3f},\"slices\":%zu}\n"
		    : "a neighbour's receipts, one at a time, median of seconds: alone p50 %.3f "
		      "p99 "
		      "%.3f ms; beside it p50 %.3f p99 %.3f ms (%zu seconds)\n",
		p50, p99, p50b, p99b, beside->slices);
}

static void run(uint64_t mib, bool json)
{
	enum { ALONE = 8 };
	static struct transfer t;
	static struct neighbour alone, beside;
	t.mib = mib;
	bus_make(&t.bus);
	snprintf(t.file, sizeof(t.file), "%s", bus_path(&t.bus, "plan.bin"));
	snprintf(t.out, sizeof(t.out), "%s", bus_path(&t.bus, "arrived"));
	file_make(t.file, mib);
	sync();
	flow_receiver_start(&alone.receiver, &t.bus, "ministry");
	beside.receiver = alone.receiver;
	for (size_t i = 0; i < ALONE; i++)
		slice(&alone, &t.bus);
	uint64_t start_ns = clock_mono_ns(clock_system()), end_ns = 0;
	transfer_start(&t);
	while (look(&t)) {
		slice(&beside, &t.bus);
		end_ns = clock_mono_ns(clock_system());
	}
	if (end_ns == 0)
		end_ns = clock_mono_ns(clock_system());
	CHECK_INT(process_wait(&t.sending, END_MS), 0);
	CHECK_INT(process_wait(&t.receiving, END_MS), 0);
	print(&t, (double)(end_ns - start_ns) / 1e9, &alone, &beside, json);
	flow_receiver_end(&alone.receiver);
	CHECK_INT(bus_end(&t.bus, SIGTERM), 0);
	bus_deinit(&t.bus);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"mib", required_argument, NULL, 'm'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	uint64_t mib = MIB_USUAL;
	bool json = false;
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 'm' && text_parse_u64(BYTES_STR(optarg), &mib) == 0 && mib >= 1 &&
			mib <= 2000)
			continue;
		json = json || o == 'j';
		if (o == 'j')
			continue;
		fprintf(o == 'h' ? stdout : stderr, "usage: bench-attachment [--mib N] [--json]\n");
		return o == 'h' ? 0 : 2;
	}
	run(mib, json);
	return 0;
}
