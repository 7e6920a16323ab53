/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "test/fault/chance.h"

/*
 * The simulated machines: processes whose threads are coroutines, a clock that goes when it is told to, and
 * the system calls of all of them (libc.c, disk.c), put before the C library's. What runs in a process is
 * the product's own code, from its main function on. Between two waits a thread runs alone; where it
 * waits (poll, a sync of its disk, the end of another thread) chance says who is next. One machine per
 * program.
 */
enum { FILES_MAX = 256, THREADS_MAX = 64 };

struct proc;

struct thread {
	struct proc *process;
	struct fiber *fiber;
	const char *name;
	struct pollfd *fds; /* it waits for one of these, on its own stack... */
	nfds_t fds_count;
	const struct thread *joins; /* ...or for the end of this one... */
	uint64_t until_ns;          /* ...but not longer than this */
};

struct proc {
	const char *name;
	void (*main)(struct proc *process); /* when it returns, the process has ended */
	void *context;
	bool alive;
	bool mortal; /* it may be killed while it writes */
	bool doomed; /* killed at the end of this slice, whatever it was at */
	bool power;  /* and what it had not synced may be lost */
	uint64_t life;
	uint64_t ended_ns;
	uint64_t stopped_until_ns; /* as by SIGSTOP */
	int64_t skew_ms;           /* of its wall clock */
	uint64_t sync_slow_ns;     /* longest time that a sync of its disk takes */
	bool disk_breaks;          /* the next sync fails */
	bool disk_full;            /* so nearly that nothing new may be begun */
	struct proc *next;
};

struct machine {
	struct chance chance;
	uint64_t mono_ns;
	uint64_t wall_ms; /* at mono 0 */
	struct proc *processes;
	struct thread *threads[THREADS_MAX];
	size_t threads_count;
	struct thread *current;
	uint64_t slices;
	uint64_t events;            /* frames taken, commits, faults: what is counted as a step */
	struct fiber *graves[4096]; /* of killed processes: what their stacks point to is not lost */
	size_t graves_count;
};

/* The one there is; set up by machine_init(). */
struct machine *machine_now(void);

/* No process yet; the clock stands at @wall_ms. At the end everything must have ended. */
void machine_init(struct machine *machine, uint64_t seed, uint64_t wall_ms);
void machine_deinit(struct machine *machine);

/* Add a process that is set up; start it; kill it. */
void proc_add(struct machine *machine, struct proc *process);
void proc_start(struct proc *process);
void proc_kill(struct proc *process); /* from outside: as by SIGKILL, or with @power by losing that */

/**
 * machine_slice() - let one thread go on until it waits again
 * @machine: the machine
 * Return: false when all wait: machine_next_ns() says until when.
 */
bool machine_slice(struct machine *machine);
uint64_t machine_next_ns(const struct machine *machine);

/* ---- for the system calls ---- */

struct proc *proc_current(void); /* NULL outside */

/**
 * thread_wait() - the thread that runs waits, and chance may let others go first
 * @fds:      NULL, or descriptors
 * @count:    of them
 * @until_ns: not longer; 0: only let others go first
 */
void thread_wait(struct pollfd *fds, nfds_t count, uint64_t until_ns);

/* Chance of 1 in @n, from the machine's source. */
bool machine_chance(uint32_t n);
uint64_t machine_between(uint64_t low, uint64_t high); /* both included */
