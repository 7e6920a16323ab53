/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A new thread inherits the signal mask of the one that makes it, so the mask is closed around the call:
 * setting it inside the new thread would leave a moment in which SIGTERM could strike there.
 */
#include "broker/thread.h"

#include <signal.h>

int thread_start(pthread_t *thread, const char *name, void *(*main)(void *), void *argument)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(thread, NULL, main, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		pthread_setname_np(*thread, name);
	return -r;
}
