/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A killed process never runs again: its coroutines are not unwound, its memory stays where it is, its
 * descriptors are closed as the kernel would, so that locks go and peers notice. That costs memory, which is
 * why every seed has a program of its own.
 */
#include "test/sim/machine.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/thread.h"
#include "test/kit/check.h"
#include "test/sim/disk.h"
#include "test/sim/fiber.h"
#include "test/sim/libc.h"
#include "test/sim/net.h"

enum { SLICE_NS_MAX = 200000 };

static struct machine *the_machine;

struct machine *machine_now(void)
{
	return the_machine;
}

void machine_init(struct machine *machine, uint64_t seed, uint64_t wall_ms)
{
	*machine = (struct machine){
		.chance = {.state = seed}, .mono_ns = 1000000000, .wall_ms = wall_ms};
	the_machine = machine;
}

void machine_deinit(struct machine *machine)
{
	for (size_t i = 0; i < machine->threads_count; i++) {
		fiber_free(machine->threads[i]->fiber);
		free(machine->threads[i]);
	}
	the_machine = NULL;
}

bool machine_chance(uint32_t n)
{
	return chance_below(&the_machine->chance, n) == 0;
}

uint64_t machine_between(uint64_t low, uint64_t high)
{
	uint64_t span = high - low + 1;
	uint64_t number = (uint64_t)chance_below(&the_machine->chance, UINT32_MAX) << 32 |
			  chance_below(&the_machine->chance, UINT32_MAX);
	return low + number % span;
}

/* ---- threads ---- */

static struct thread *thread_new(
	struct proc *process, const char *name, void *(*main)(void *), void *argument)
{
	struct machine *machine = the_machine;
	struct thread *thread = calloc(1, sizeof(*thread));
	CHECK(thread && machine->threads_count < THREADS_MAX);
	thread->process = process;
	thread->name = name;
	thread->fiber = fiber_new(main, argument);
	machine->threads[machine->threads_count++] = thread;
	return thread;
}

static void thread_remove(struct thread *thread)
{
	struct machine *machine = the_machine;
	size_t at = 0;
	while (machine->threads[at] != thread)
		at++;
	memmove(machine->threads + at, machine->threads + at + 1,
		(--machine->threads_count - at) * sizeof(struct thread *));
	free(thread);
}

/* The product's, instead of broker/thread.c. */
int thread_start(pthread_t *thread, const char *name, void *(*main)(void *), void *argument)
{
	*thread = (pthread_t)(uintptr_t)thread_new(proc_current(), name, main, argument);
	return 0;
}

int machine_join(pthread_t handle, void **ret) __asm__("pthread_join");
int machine_join(pthread_t handle, void **ret)
{
	struct thread *thread = (struct thread *)(uintptr_t)handle;
	struct thread *self = the_machine->current;
	(void)ret;
	self->joins = thread;
	while (!fiber_ended(thread->fiber))
		thread_wait(NULL, 0, UINT64_MAX);
	self->joins = NULL;
	fiber_free(thread->fiber);
	thread_remove(thread);
	return 0;
}

void thread_wait(struct pollfd *fds, nfds_t count, uint64_t until_ns)
{
	struct thread *self = the_machine->current;
	self->fds = fds;
	self->fds_count = count;
	self->until_ns = until_ns;
	fiber_pause();
	self->fds = NULL;
}

static bool thread_ready(const struct machine *machine, const struct thread *thread)
{
	if (fiber_ended(thread->fiber) || thread->process->stopped_until_ns > machine->mono_ns)
		return false;
	if (thread->until_ns <= machine->mono_ns)
		return true;
	if (thread->joins)
		return fiber_ended(thread->joins->fiber);
	return thread->fds && libc_poll(thread->fds, thread->fds_count) > 0;
}

/* ---- processes ---- */

struct proc *proc_current(void)
{
	return the_machine && the_machine->current ? the_machine->current->process : NULL;
}

void proc_add(struct machine *machine, struct proc *process)
{
	struct proc **end = &machine->processes;
	while (*end)
		end = &(*end)->next;
	*end = process;
}

static void *process_main(void *argument)
{
	struct proc *process = argument;
	process->main(process);
	process->doomed = true; /* what it left running ends with it */
	return NULL;
}

void proc_start(struct proc *process)
{
	CHECK(!process->alive);
	process->alive = true;
	process->doomed = process->power = false;
	process->disk_breaks = false;
	process->life++;
	thread_new(process, process->name, process_main, process);
}

void proc_kill(struct proc *process)
{
	struct machine *machine = the_machine;
	for (size_t i = machine->threads_count; i > 0; i--) {
		struct thread *thread = machine->threads[i - 1];
		if (thread->process != process)
			continue;
		if (fiber_ended(thread->fiber)) {
			fiber_free(thread->fiber);
		} else {
			CHECK(machine->graves_count < ARRAY_LEN(machine->graves));
			machine->graves[machine->graves_count++] = thread->fiber;
		}
		thread_remove(thread);
	}
	net_process_gone(process);
	disk_process_gone(process);
	libc_close_all(process);
	libc_unlock_all(process);
	process->alive = process->doomed = false;
	process->ended_ns = machine->mono_ns;
}

static void run(struct machine *machine, struct thread *thread)
{
	struct proc *process = thread->process;
	machine->current = thread;
	machine->slices++;
	net_slice_begins();
	fiber_resume(thread->fiber);
	machine->current = NULL;
	machine->mono_ns += machine_between(1000, SLICE_NS_MAX);
	if (process->doomed)
		proc_kill(process);
}

bool machine_slice(struct machine *machine)
{
	size_t count = machine->threads_count;
	size_t first = count > 0 ? chance_below(&machine->chance, (uint32_t)count) : 0;
	for (size_t i = 0; i < count; i++) {
		struct thread *thread = machine->threads[(first + i) % count];
		if (!thread_ready(machine, thread))
			continue;
		run(machine, thread);
		return true;
	}
	return false;
}

uint64_t machine_next_ns(const struct machine *machine)
{
	uint64_t next = UINT64_MAX;
	for (size_t i = 0; i < machine->threads_count; i++) {
		const struct thread *thread = machine->threads[i];
		uint64_t at = thread->until_ns;
		if (fiber_ended(thread->fiber))
			continue;
		if (at < thread->process->stopped_until_ns)
			at = thread->process->stopped_until_ns;
		if (at < next)
			next = at;
	}
	return next;
}
