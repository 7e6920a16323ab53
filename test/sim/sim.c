/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A whole bus in one thread, from a seed: the real broker and the real adapters, with their threads, disks, network
 * and clock in the hands of chance. The same seed is the same story, word for word. A step is one thing that
 * happened: a frame taken, a disk synced, something gone wrong. See CONTRIBUTING.md, "Simulation".
 *
 * Every seed is a process of its own, because what was killed in it is never cleaned up.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/journal.pb-c.h"
#include "test/kit/check.h"
#include "test/sim/chaos.h"
#include "test/sim/disk.h"
#include "test/sim/net.h"
#include "test/sim/watch.h"

enum { REST_SLICES = 3000000, CHILDREN_MAX = 2 };

struct run {
	uint64_t seed, steps;
	bool loud;
	struct town *town;
	struct watch watch;
	struct chaos chaos;
};

static bool broken(const struct run *run)
{
	return run->town->ledger.violation[0] != '\0';
}

/* ---- time ---- */

/* One slice of somebody; when all wait, the clock goes on to the next thing that is due. */
static void turn(struct run *run)
{
	struct machine *machine = &run->town->machine;
	chaos_tick(&run->chaos);
	watch_look(&run->watch); /* somebody may be gone */
	if (run->town->audit_due && !run->town->process.alive && run->town->ledger.count > 0)
		town_audit(run->town, false);
	net_tick();
	if (!machine_slice(machine)) {
		uint64_t next = machine_next_ns(machine), net = net_next_ns();
		uint64_t start = chaos_next_ns(&run->chaos);
		next = net < next ? net : next;
		next = start < next ? start : next;
		if (next > machine->mono_ns && next != UINT64_MAX)
			machine->mono_ns = next;
	}
	watch_look(&run->watch);
}

/* NULL: nobody, all is at rest. */
static const char *who_is_busy(const struct town *town)
{
	const struct ledger *ledger = &town->ledger;
	for (size_t i = 0; i < town->agencies_count; i++)
		if (!agency_settled(&town->agencies[i]))
			return town->agencies[i].party;
	if (town->witnessed && ledger->final < ledger->accepted)
		return "the witnesses";
	if (ledger->open > 0 || ledger->told < ledger->ended)
		return "the queues";
	return ledger->waiting > 0 || ledger->reminded < ledger->reminders ? "the reminders" : NULL;
}

static bool at_rest(const struct town *town)
{
	return !who_is_busy(town);
}

static void until_rest(struct run *run)
{
	struct town *town = run->town;
	chaos_end(&run->chaos);
	town->writing = false;
	town_tell(town, "from here on all goes well");
	for (uint64_t i = 0; i < REST_SLICES && !broken(run) && !at_rest(town); i++) {
		operator_settle(town);
		turn(run);
	}
	if (!broken(run))
		ledger_rest(&town->ledger);
	if (!broken(run) && !at_rest(town))
		ledger_violate(&town->ledger, "it never comes to rest: %s", who_is_busy(town));
}

static void until_ended(struct run *run, struct proc *process)
{
	for (uint64_t i = 0; i < REST_SLICES && !broken(run) && process->alive; i++) {
		net_tick();
		if (!machine_slice(&run->town->machine)) {
			uint64_t next = machine_next_ns(&run->town->machine), net = net_next_ns();
			run->town->machine.mono_ns = net < next ? net : next;
		}
		watch_look(&run->watch);
	}
	if (process->alive)
		ledger_violate(
			&run->town->ledger, "%s does not end when it is asked to", process->name);
}

/* ---- a seed ---- */

/* How many entries of each kind there are. */
static void kinds_print(const struct ledger *ledger)
{
	size_t counts[UINT8_MAX + 1] = {};
	for (size_t i = 0; i < ledger->count; i++)
		counts[ledger->entries[i].kind]++;
	printf("#   ");
	for (size_t kind = 1; kind <= UINT8_MAX; kind++) {
		const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
			&dienstweg__entry_kind__descriptor, (int)kind);
		if (counts[kind] > 0 && value)
			printf(" %zu %s,", counts[kind], value->name + strlen("ENTRY_"));
	}
	puts("");
}

static void figures(const struct run *run)
{
	const struct town *town = run->town;
	printf("# seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64
	       " slices, %.0f s; %zu entries, %" PRIu64 " commits, %" PRIu64 " letters, %" PRIu64
	       " refused, %" PRIu64 " ended, %" PRIu64 " later, %" PRIu64 " replayed, %" PRIu64
	       " asked, %" PRIu64 " answered, %" PRIu64 " reminded, %" PRIu64
	       " files; frames %" PRIu64 ", lost %" PRIu64 ", cuts %" PRIu64
	       "; writes undone %llu; lives %" PRIu64 "\n",
		run->seed, town->machine.events, town->machine.slices,
		(double)town->machine.mono_ns / 1e9, town->ledger.count, run->watch.commits,
		town->counts.written, town->counts.refused, town->ledger.ended, town->counts.later,
		town->counts.replayed, town->counts.asked, town->counts.answered,
		town->counts.reminded, town->counts.enclosed, net_now()->frames, net_now()->lost,
		net_now()->cuts, disk_counts()->undone, town->process.life);
	kinds_print(&town->ledger);
}

static void story(struct run *run)
{
	struct town *town = run->town;
	while (town->machine.events < run->steps && !broken(run))
		turn(run);
	if (!broken(run))
		until_rest(run);
	watch_walk(&run->watch);
	for (size_t i = 0; i < town->agencies_count && !broken(run); i++) {
		agency_stop(&town->agencies[i]);
		until_ended(run, &town->agencies[i].process);
	}
	if (!broken(run)) {
		reactor_drain(broker_reactor(town->broker));
		until_ended(run, &town->process);
	}
	if (!broken(run))
		town_audit(run->town, true);
}

static int run_seed(uint64_t seed, uint64_t steps, bool loud)
{
	struct run run = {.seed = seed, .steps = steps, .loud = loud};
	log_init("sim", loud ? LOG_INFO : LOG_ERROR,
		loud ? STDOUT_FILENO : open("/dev/null", O_WRONLY));
	run.town = town_new(seed, check_memdir());
	run.town->loud = loud;
	watch_init(&run.watch, run.town);
	chaos_init(&run.chaos, run.town);
	story(&run);
	bool good = !broken(&run);
	if (!good) {
		town_print(run.town);
		printf("not ok - seed %" PRIu64 " at step %" PRIu64 ": %s\n"
		       "  again: test/sim/sim --seed %" PRIu64 " --steps %" PRIu64 " --trace\n",
			seed, run.town->machine.events, run.town->ledger.violation, seed, steps);
	}
	figures(&run);
	watch_deinit(&run.watch);
	fflush(stdout);
	/* Processes are still at it: nothing is tidied. Nor is there much sense in what the killed ones leaked. */
	if (!good || run.town->machine.graves_count > 0)
		_exit(good ? 0 : 1);
	town_free(run.town);
	return 0;
}

/* ---- many seeds ---- */

struct child {
	pid_t pid; /* 0: none */
	uint64_t seed;
	int out; /* what it says, to be printed in one piece */
};

static void child_start(struct child *child, uint64_t seed, uint64_t steps)
{
	*child = (struct child){.seed = seed, .out = memfd_create("sim", MFD_CLOEXEC)};
	CHECK(child->out >= 0);
	fflush(stdout);
	child->pid = fork();
	CHECK(child->pid >= 0);
	if (child->pid > 0)
		return;
	CHECK(dup2(child->out, STDOUT_FILENO) >= 0);
	exit(run_seed(seed, steps, false));
}

/* Return: was all well? */
static bool child_end(struct child *child, int status, uint64_t steps)
{
	char text[4096];
	off_t at = 0;
	for (ssize_t n; (n = pread(child->out, text, sizeof(text), at)) > 0; at += n)
		fwrite(text, 1, (size_t)n, stdout);
	if (WIFSIGNALED(status))
		printf("not ok - seed %" PRIu64
		       " ends by signal %d\n  again: test/sim/sim --seed %" PRIu64
		       " --steps %" PRIu64 " --trace\n",
			child->seed, WTERMSIG(status), child->seed, steps);
	fd_close_at(&child->out);
	child->pid = 0;
	return status == 0;
}

static bool run_all(uint64_t seed, uint64_t seeds, uint64_t steps)
{
	struct child children[CHILDREN_MAX] = {};
	size_t running = 0;
	bool good = true;
	for (uint64_t next = seed; next < seed + seeds || running > 0;) {
		struct child *child = children;
		int status;
		if (next < seed + seeds && running < CHILDREN_MAX) {
			while (child->pid != 0)
				child++;
			child_start(child, next++, steps);
			running++;
			continue;
		}
		pid_t pid = waitpid(-1, &status, 0);
		CHECK(pid > 0);
		while (child->pid != pid)
			child++;
		good &= child_end(child, status, steps);
		running--;
	}
	return good;
}

static bool number_of(const char *text, uint64_t *ret)
{
	return text_parse_u64(BYTES_STR(text), ret) == 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
		{"seeds", required_argument, NULL, 'n'}, {"steps", required_argument, NULL, 'm'},
		{"trace", no_argument, NULL, 't'}, {}};
	uint64_t seed = 1, seeds = 1, steps = 10000;
	bool loud = false, alone = false;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint64_t *number = option == 's' ? &seed : option == 'n' ? &seeds : &steps;
		alone |= option == 's';
		loud |= option == 't';
		if (option == '?' || (option != 't' && !number_of(optarg, number))) {
			fprintf(stderr, "usage: sim [--seed N] [--seeds COUNT] [--steps COUNT] "
					"[--trace]\n");
			return 2;
		}
	}
	if (alone && seeds == 1)
		return run_seed(seed, steps, loud);
	bool good = run_all(seed, seeds, steps);
	printf("%s - %" PRIu64 " seeds from %" PRIu64 " on, %" PRIu64 " steps each\n",
		good ? "ok" : "not ok", seeds, seed, steps);
	return good ? 0 : 1;
}
