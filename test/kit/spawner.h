/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

/*
 * Lives of a part of the test in a process of its own, begun and killed at any time. A process with threads must not fork
 * and go on without exec: the child may find a lock that a thread held at that moment, of an allocator or a library, held
 * for ever. So a process that has no threads yet is forked in good time, and forks the lives.
 */
struct spawner;

enum { SPAWNER_WORD_MAX = 255 };

/**
 * spawner_new() - be ready to begin lives; at once, while this process has no other thread
 * @life:    runs in each, with all that this process has in its memory now; ends by _exit()
 * @context: for it
 *
 * Return: to be freed with spawner_free(). Fails the test when it cannot be made.
 */
struct spawner *spawner_new(void (*life)(void *context, const char *word), void *context);

/**
 * spawner_start() - begin a life; none is under way
 * @spawner: made
 * @word:    what this process did not know yet when the spawner was made; at most SPAWNER_WORD_MAX bytes
 */
void spawner_start(struct spawner *spawner, const char *word);

/**
 * spawner_end() - send a signal to the life under way and wait for its end
 * @spawner: a life is under way, or ended by itself
 * @signal:  SIGKILL, SIGTERM...
 * Return: its status, as waitpid() tells it.
 */
int spawner_end(struct spawner *spawner, int signal);

/* Kills the life under way; NULL is fine. */
void spawner_free(struct spawner *spawner);
