/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <poll.h>

/*
 * System calls of the simulated machines, put before the C library's: descriptors belong to a process, waiting
 * lets chance choose, time and randomness come from the seed. Outside of every process they are the
 * kernel's, except for time and randomness.
 */
struct proc;

int libc_poll(struct pollfd *fds, nfds_t count);  /* does not wait */
void libc_close_all(const struct proc *process);  /* what it left open */
void libc_unlock_all(const struct proc *process); /* what it held */
const struct proc *libc_owner(int fd);            /* NULL: nobody's */
