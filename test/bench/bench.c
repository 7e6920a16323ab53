/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The bench: a real broker process, one sender and one receiver process, all on this machine, and the
 * machine's own limits measured in the same run. Nothing here is a test: it prints, people compare.
 */
#include <dirent.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/text.h"
#include "test/bench/flow.h"
#include "test/bench/itemise.h"
#include "test/bench/machine.h"
#include "test/kit/check.h"
#include "test/kit/usage.h"

struct row {
	size_t in_flight, body;
};

static const struct row rows[] = {
	{1, 1024},
	{256, 1024},
	{1024, 1024},
	{16, 65536},
};
enum { ITEMISED = 2 }; /* of the rows: the last before bodies of another size */

static uint64_t folder_bytes(const char *dir)
{
	uint64_t sum = 0;
	DIR *d = opendir(dir);

	CHECK(d);
	for (struct dirent *e; (e = readdir(d));) {
		struct stat st;
		if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	}
	closedir(d);
	return sum;
}

/* The two forms have the same values in the same order. */
#define ROW_JSON                                                                                   \
	"{\"in_flight\":%zu,\"body_bytes\":%zu,\"messages\":%llu,\"per_second\":%.0f,"             \
	"\"receipt_ms\":{\"p50\":%.3f,\"p99\":%.3f},\"through_ms\":{\"p50\":%.3f,\"p99\":%.3f},"   \
	"\"cpu_us\":{\"broker\":%.1f,\"sender\":%.1f,\"receiver\":%.1f},"                          \
	"\"disk_bytes_per_message\":%.0f}\n"
#define ROW_TEXT                                                                                   \
	"%9zu  %6zu  %9llu  %8.0f   %8.2f %7.2f    %8.2f %7.2f  %10.1f %6.1f %8.1f  %10.0f\n"

static void row_print(const struct row *row, const struct flow_result *r, double broker_us,
	double disk, bool json)
{
#define VALUES                                                                                     \
	row->in_flight, row->body, (unsigned long long)r->messages, r->rate,                       \
		r->receipt_p50_us / 1e3, r->receipt_p99_us / 1e3, r->through_p50_us / 1e3,         \
		r->through_p99_us / 1e3, broker_us, r->sender_cpu_us, r->receiver_cpu_us, disk
	if (json)
		printf(ROW_JSON, VALUES);
	else
		printf(ROW_TEXT, VALUES);
#undef VALUES
	fflush(stdout);
}

static void rows_run(struct bus *bus, double seconds, bool json)
{
	struct flow_receiver receiver;
	struct itemise_message message;

	if (!json)
		printf("in flight    body   messages     per s   receipt ms (p50 p99)  through ms  "
		       "  "
		       "CPU us: broker sender receiver  disk B/msg\n");
	flow_receiver_start(&receiver, bus, "jobcenter");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct flow_result result;
		uint64_t disk = folder_bytes(bus_path(bus, "broker/journal"));
		double cpu = usage_cpu_s(bus->broker.pid);
		flow_run(bus, "city", &receiver, rows[i].in_flight, rows[i].body, seconds, &result);
		double broker_us = (usage_cpu_s(bus->broker.pid) - cpu) * 1e6 /
				   (double)result.messages;
		double bytes = (double)(folder_bytes(bus_path(bus, "broker/journal")) - disk) /
			       (double)result.messages;
		row_print(&rows[i], &result, broker_us, bytes, json);
		message = (struct itemise_message){result.header_bytes, result.content_bytes};
		if (i == ITEMISED)
			itemise_print(bus_path(bus, "broker/journal"), &message, json);
	}
	uint64_t memory = usage_anonymous_bytes(bus->broker.pid);
	printf(json ? "{\"broker_anonymous_bytes\":%llu}\n"
		    : "broker's anonymous memory: %llu bytes\n",
		(unsigned long long)memory);
	flow_receiver_end(&receiver);
}

static void machine_print(const struct machine *m, bool json)
{
	if (json)
		printf("{\"verifies_per_s\":%.0f,\"commits_per_s\":%.0f,\"messages_per_s_at_256\":%"
		       ".0f}\n",
			m->verifies_per_s, m->commits_per_s, m->messages_per_s_256);
	else
		printf("this machine: %.0f signature checks/s a core, %.0f commits/s, %.0f "
		       "messages/s at "
		       "256 a commit (LMDB alone)\n",
			m->verifies_per_s, m->commits_per_s, m->messages_per_s_256);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	uint64_t seconds = 5;
	bool json = false;
	struct machine machine;
	struct bus bus;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 's' && text_parse_u64(BYTES_STR(optarg), &seconds) == 0 && seconds >= 1 &&
			seconds <= 600)
			continue;
		if (o == 'j') {
			json = true;
			continue;
		}
		fprintf(o == 'h' ? stdout : stderr, "usage: bench [--seconds N] [--json]\n");
		return o == 'h' ? 0 : 2;
	}
	bus_init_usual(&bus, check_tmpdir());
	bus_write(&bus);
	machine_measure(&machine, bus.dir, 1.0);
	machine_print(&machine, json);
	bus_start(&bus);
	rows_run(&bus, (double)seconds, json);
	CHECK_INT(bus_end(&bus, SIGTERM), 0);
	bus_deinit(&bus);
	return 0;
}
