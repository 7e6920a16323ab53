/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Each kind of trouble has a weight that the seed draws, often none: seeds in which everything happens a little
 * find less than seeds in which one thing happens all the time.
 */
#include "test/sim/chaos.h"

#include "test/kit/check.h"
#include "test/sim/net.h"

enum {
	MS = 1000000,
	SECOND_MS = 1000,
	RARITY_MIN = 40,
	RARITY_MAX = 1000,
	QUICK_NS = 100000,
	BUSY = 40,
	YEAR_S = 365 * 24 * 3600,
};

static void sync_slow(struct proc *process)
{
	process->sync_slow_ns = machine_chance(4) ? machine_between(QUICK_NS, 400 * MS)
						  : machine_between(QUICK_NS, 5 * MS);
}

/* ---- kinds ---- */

static struct proc *any_process(struct town *town)
{
	uint32_t n = chance_below(&town->machine.chance, (uint32_t)town->agencies_count);
	return &town->agencies[n].process;
}

static struct link *any_link(struct town *town)
{
	return net_link(any_process(town));
}

static void kill_now(struct town *town, struct proc *process, bool power)
{
	if (!process->alive)
		return;
	town_tell(town, "%s %s", process->name, power ? "loses power" : "is killed");
	process->power = power;
	proc_kill(process);
}

static void kill_broker(struct town *town)
{
	kill_now(town, &town->process, false);
}

static void power_broker(struct town *town)
{
	kill_now(town, &town->process, true);
}

static void kill_agency(struct town *town)
{
	kill_now(town, any_process(town), machine_chance(2));
}

/* For long: what it is told meanwhile it does not hear. */
static void away(struct town *town)
{
	struct agency *agency = any_process(town)->context;
	agency->away_until = town->machine.slices + machine_between(300, 8000);
	kill_now(town, &agency->process, false);
}

static void drain_broker(struct town *town)
{
	if (!town->broker)
		return;
	town_tell(town, "the broker is asked to end");
	reactor_drain(broker_reactor(town->broker));
}

static void drain_agency(struct town *town)
{
	struct agency *agency = any_process(town)->context;
	town_tell(town, "%s is asked to end", agency->party);
	agency_stop(agency);
}

static void cut(struct town *town)
{
	struct link *link = any_link(town);
	town_tell(town, "the connection of %s is cut", link->process->name);
	net_cut(link);
}

static void half_open(struct town *town)
{
	struct link *link = any_link(town);
	uint64_t ms = machine_between(100, 20 * SECOND_MS);
	town_tell(town, "the connection of %s is half open", link->process->name);
	net_half_open(link, town->machine.mono_ns + ms * MS);
}

static void weather(struct town *town)
{
	struct link *link = any_link(town);
	link->slow_ns = machine_chance(3) ? machine_between(1 * MS, 2000ULL * MS)
					  : machine_between(QUICK_NS, 20 * MS);
}

static void stop(struct town *town)
{
	struct proc *process = machine_chance(3) ? &town->process : any_process(town);
	uint64_t ms = machine_between(10, 20 * SECOND_MS);
	town_tell(town, "%s stands still for %llu ms", process->name, (unsigned long long)ms);
	process->stopped_until_ns = town->machine.mono_ns + ms * MS;
}

static void clock_set(struct town *town)
{
	struct proc *process = machine_chance(2) ? &town->process : any_process(town);
	int64_t span = machine_chance(8) ? 2 * 24 * 3600 : machine_chance(2) ? 3600 : 20;
	int64_t ms = (int64_t)machine_between(0, (uint64_t)(2 * span * SECOND_MS)) -
		     span * SECOND_MS;
	/* An agency whose clock is far off only waits for somebody to set it. */
	if (process != &town->process && (ms > 300 * SECOND_MS || ms < -300 * SECOND_MS))
		ms /= 1000;
	town_tell(town, "the clock of %s is set by %lld ms", process->name,
		(long long)(ms - process->skew_ms));
	process->skew_ms = ms;
}

static void disk_breaks(struct town *town)
{
	struct proc *process = machine_chance(2) ? &town->process : any_process(town);
	town_tell(town, "the disk of %s breaks", process->name);
	process->disk_breaks = true;
}

/* Or not any more. */
static void disk_full(struct town *town)
{
	struct proc *process = &town->process;
	process->disk_full = !process->disk_full;
	town_tell(town, "the broker's disk is %s",
		process->disk_full ? "nearly full" : "not full any more");
}

/* Everybody stands still, and the day goes on: states are made, what is due goes. */
static void days_pass(struct town *town)
{
	if (town->machine.mono_ns / MS / SECOND_MS > YEAR_S)
		return; /* agencies need not remember for ever what they sent */
	uint64_t days = machine_chance(3) ? machine_between(1, 40) : 1;
	town_tell(town, "%llu days pass", (unsigned long long)days);
	town->machine.mono_ns += days * 24 * 3600 * SECOND_MS * MS;
}

static void disk_slow(struct town *town)
{
	sync_slow(machine_chance(2) ? &town->process : any_process(town));
}

static const struct {
	const char *name;
	void (*happen)(struct town *town);
	bool deadly;
	bool busy;
} kinds[CHAOS_KINDS] = {
	{"broker killed", kill_broker, true},
	{"broker without power", power_broker, true},
	{"agency killed", kill_agency, true},
	{"broker ended", drain_broker, false},
	{"agency ended", drain_agency, false},
	{"connection cut", cut, false},
	{"connection half open", half_open, false},
	{"connection slow", weather, false},
	{"process stopped", stop, false},
	{"clock set", clock_set, false},
	{"disk broken", disk_breaks, true},
	{"disk slow", disk_slow, false},
	{"days pass", days_pass, false, true},
	{"disk nearly full", disk_full, false},
	{"operator's order", operator_act, false, true},
	{"registrar", registrar_act, false, true},
	{"auditor", auditor_act, false, false},
	{"agency away", away, true, false},
};

const char *chaos_name(size_t kind)
{
	return kinds[kind].name;
}

/* ---- what a seed has ---- */

static struct proc *process_at(struct chaos *chaos, size_t i)
{
	return i == 0 ? &chaos->town->process : &chaos->town->agencies[i - 1].process;
}

static size_t processes_count(const struct chaos *chaos)
{
	return chaos->town->agencies_count + 1;
}

void chaos_init(struct chaos *chaos, struct town *town)
{
	*chaos = (struct chaos){.town = town, .on = true};
	chaos->rarity = (uint32_t)machine_between(RARITY_MIN, RARITY_MAX);
	bool peaceful = machine_chance(4); /* nobody dies: then nothing may leak either */
	for (size_t i = 0; i < CHAOS_KINDS; i++) {
		bool never = machine_chance(2) || (peaceful && kinds[i].deadly);
		chaos->weights[i] = never ? 0 : chance_below(&town->machine.chance, 10);
		/* People take many steps to get somewhere. */
		if (kinds[i].busy && machine_chance(3))
			chaos->weights[i] = BUSY;
		chaos->total += chaos->weights[i];
	}
	for (size_t i = 0; i < processes_count(chaos); i++) {
		process_at(chaos, i)->mortal = !peaceful && machine_chance(2);
		sync_slow(process_at(chaos, i));
	}
}

static void restart(struct chaos *chaos, size_t i)
{
	struct machine *machine = &chaos->town->machine;
	struct proc *process = process_at(chaos, i);
	uint64_t *at = &chaos->restart_ns[i];
	if (process->alive) {
		*at = 0;
		return;
	}
	if (i > 0 && chaos->on && chaos->town->agencies[i - 1].away_until > machine->slices) {
		*at = 0; /* or the clock would wait for it */
		return;
	}
	if (*at == 0)
		*at = machine->mono_ns + machine_between(1, 4000) * MS;
	if (*at > machine->mono_ns)
		return;
	town_tell(chaos->town, "%s is started", process->name);
	proc_start(process);
}

void chaos_tick(struct chaos *chaos)
{
	struct town *town = chaos->town;
	for (size_t i = 0; i < processes_count(chaos); i++)
		restart(chaos, i);
	if (!chaos->on || chaos->total == 0 || town->machine.events < chaos->next)
		return;
	chaos->next = town->machine.events + machine_between(1, chaos->rarity);
	uint32_t draw = chance_below(&town->machine.chance, chaos->total);
	size_t kind = 0;
	while (draw >= chaos->weights[kind])
		draw -= chaos->weights[kind++];
	chaos->counts[kind]++;
	town->machine.events++;
	kinds[kind].happen(town);
}

void chaos_end(struct chaos *chaos)
{
	chaos->on = false;
	for (size_t i = 0; i < processes_count(chaos); i++) {
		struct proc *process = process_at(chaos, i);
		process->mortal = process->disk_breaks = process->disk_full = false;
		process->skew_ms = 0;
		process->stopped_until_ns = 0;
		process->sync_slow_ns = QUICK_NS;
		if (i > 0)
			net_link(process)->slow_ns = QUICK_NS;
	}
}

uint64_t chaos_next_ns(const struct chaos *chaos)
{
	uint64_t next = UINT64_MAX;
	for (size_t i = 0; i < processes_count(chaos); i++)
		if (chaos->restart_ns[i] != 0 && chaos->restart_ns[i] < next)
			next = chaos->restart_ns[i];
	return next;
}
