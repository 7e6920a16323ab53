/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What messages cost that wait for their time: the same live traffic before and beside a million of them, through the
 * real broker. Rounds, because the disk of a virtual machine is another one every minute; and the machine's own limit is
 * measured with each, so that a slow round is seen to be the machine's.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "test/bench/flow.h"
#include "test/bench/machine.h"
#include "test/kit/check.h"
#include "test/kit/usage.h"

enum { ROUNDS = 3, IN_FLIGHT = 256, LIVE_BODY = 1024, DELAYED_BODY = 64 };
#define DAY_MS UINT64_C(86400000)

/* The median of some rounds. */
static double live(struct bus *bus, struct flow_receiver *receiver, double seconds,
	uint64_t delayed, bool json)
{
	double rates[ROUNDS];
	for (size_t i = 0; i < ROUNDS; i++) {
		struct machine machine;
		struct flow_result result;
		char name[32];
		snprintf(name, sizeof(name), "limits-%zu-%d", i, delayed != 0);
		machine_measure(&machine, bus_path(bus, name), 0.5);
		flow_run(bus, "city", receiver, IN_FLIGHT, LIVE_BODY, seconds, &result);
		rates[i] = result.rate;
		printf(json ? "{\"delayed\":%llu,\"per_second\":%.0f,\"receipt_p50_ms\":%.2f,"
			      "\"receipt_p99_ms\":%.2f,\"machine_at_256\":%.0f}\n"
			    : "%9llu delayed: %6.0f live/s, receipt p50 %5.1f ms, p99 %5.1f ms; "
			      "LMDB "
			      "alone "
			      "%.0f/s\n",
			(unsigned long long)delayed, result.rate, result.receipt_p50_us / 1e3,
			result.receipt_p99_us / 1e3, machine.messages_per_s_256);
		fflush(stdout);
	}
	return samples_median(rates, ROUNDS);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
		{"delayed", required_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {0}};
	uint64_t seconds = 5, delayed = 1000000;
	bool json = false;
	struct flow_receiver receiver;
	struct bus bus;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if ((o == 's' && text_parse_u64(BYTES_STR(optarg), &seconds) == 0 && seconds >= 1 &&
			    seconds <= 60) ||
			(o == 'd' && text_parse_u64(BYTES_STR(optarg), &delayed) == 0 &&
				delayed >= 1 && delayed <= 10000000))
			continue;
		json = json || o == 'j';
		if (o == 'j')
			continue;
		fprintf(o == 'h' ? stdout : stderr,
			"usage: bench-delayed [--seconds N] [--delayed N] [--json]\n");
		return o == 'h' ? 0 : 2;
	}
	bus_init_usual(&bus, check_tmpdir());
	bus.extra = "queue: {messages: 20000000, bytes: 1 TiB}\n";
	bus_write(&bus);
	bus_start(&bus);
	flow_receiver_start(&receiver, &bus, "jobcenter");
	double before = live(&bus, &receiver, (double)seconds, 0, json);
	const struct party_draft tomorrow = {
		.region = "051240000000", .not_before_ms = clock_wall_ms(clock_system()) + DAY_MS};
	double rate = flow_fill(&bus, "city", &tomorrow, delayed, DELAYED_BODY);
	if (!json)
		printf("%9llu messages for tomorrow, recorded at %.0f/s\n",
			(unsigned long long)delayed, rate);
	double beside = live(&bus, &receiver, (double)seconds, delayed, json);
	printf(json ? "{\"before\":%.0f,\"beside\":%.0f,\"ratio\":%.3f,\"broker_anonymous_bytes\":%"
		      "llu}\n"
		    : "medians: %.0f live/s before, %.0f beside them, %.3f times; the broker's "
		      "anonymous "
		      "memory: %llu bytes\n",
		before, beside, beside / before,
		(unsigned long long)usage_anonymous_bytes(bus.broker.pid));
	flow_receiver_end(&receiver);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
	return 0;
}
