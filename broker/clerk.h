/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "broker/journal/reader.h"
#include "proto/base/cleanup.h"

/*
 * A clerk: one thread that looks things up in the journal for the reactor, so that a page fault never
 * stops the sockets (design section 4). It is sent on errands; each runs in a short read transaction of
 * its own and comes back to the reactor.
 */
struct errand {
	/* Clerk's thread, between journal_reader_begin() and end(): views die on return. */
	void (*run)(struct errand *errand, struct journal_reader *reader);
	/* Reactor, from clerk_collect(); the errand is its sender's again. */
	void (*done)(struct errand *errand);
	int result; /* 0, or why run() was not called */
};

struct clerk;

enum {
	CLERK_PATIENT = 19, /* works when nobody else wants the processor */
	CLERK_PORTER = 5, /* hashes whole attachments, of which others' messages should notice little */
};

/**
 * clerk_new() - start the thread
 * @options: borrowed during the call, what it points to for the clerk's life
 * @ret:     the clerk
 * Return: 0 or negative errno.
 */
struct clerk_options {
	struct db_env *env;      /* the journal's */
	struct keyring *keyring; /* opens sealed rows */
	size_t errands_max;      /* most errands out at once */
	const char *name;        /* of the thread */
	int nice;                /* less pressing than the broker's other threads; 0: as they are */
};
int clerk_new(const struct clerk_options *options, struct clerk **ret);
void clerk_free(struct clerk *clerk); /* runs what it was sent on, joins; takes NULL */
DEFINE_CLEANUP(struct clerk *, clerk_free);

/**
 * clerk_send() - send it on an errand; reactor only
 * @clerk:  the clerk
 * @errand: the clerk's until it is collected
 * Return: 0, or QUEUE_FULL when errands_max are out.
 */
int clerk_send(struct clerk *clerk, struct errand *errand) _must_use_;
int clerk_fd(const struct clerk *clerk); /* readable when errands have come back */

/**
 * clerk_collect() - call done() for every errand that has come back; reactor only
 * @clerk: the clerk
 * Return: how many.
 */
size_t clerk_collect(struct clerk *clerk);
size_t clerk_out(const struct clerk *clerk);   /* errands sent and not collected; reactor only */
bool clerk_is_full(const struct clerk *clerk); /* clerk_send() would say QUEUE_FULL; reactor only */
