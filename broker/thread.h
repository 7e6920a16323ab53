/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <pthread.h>

/**
 * thread_start() - start a thread that takes no signals: they stay with whoever reads them as events
 * @thread:   to join later
 * @name:     for ps and debuggers, at most 15 characters
 * @main:     its function
 * @argument: for @main
 * Return: 0 or negative errno.
 */
int thread_start(pthread_t *thread, const char *name, void *(*main)(void *), void *argument);
