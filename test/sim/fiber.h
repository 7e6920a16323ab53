/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>

/*
 * The threads of simulated processes, as coroutines of one real thread: which of them goes on is the
 * simulation's choice and nobody else's, so a seed repeats it. One simulation per program.
 */
struct fiber;

/**
 * fiber_new() - a coroutine that has not begun
 * @main:     its function
 * @argument: for @main
 * Return: the coroutine; fiber_free().
 */
struct fiber *fiber_new(void *(*main)(void *), void *argument);

/**
 * fiber_free() - give its stack back
 * @fiber: has ended, or its process was killed and nothing will look at that stack again; takes NULL
 */
void fiber_free(struct fiber *fiber);

void fiber_resume(struct fiber *fiber); /* until it pauses or ends; from outside of all coroutines */
void fiber_pause(void);                 /* the one that runs: back to who resumed it */
struct fiber *fiber_current(void);      /* NULL outside of all */
bool fiber_ended(const struct fiber *fiber); /* its function has returned */
