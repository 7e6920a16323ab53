/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <sys/types.h>

#include "test/kit/bus.h"

/*
 * A jobcenter in a process of its own, with the smallest durable inbox there can be: a file of message
 * ids, fsynced before anything is acknowledged, and read again after a crash. Every hand-over is an id
 * in the file.
 */
struct receiver {
	pid_t pid; /* 0: not running */
	const struct bus *bus;
	char name[64];
	char file[512];
};

/**
 * receiver_start() - start it, or start it again
 * @receiver: bus, name and file set
 */
void receiver_start(struct receiver *receiver);
void receiver_kill(struct receiver *receiver); /* SIGKILL, and wait; not running is fine */
