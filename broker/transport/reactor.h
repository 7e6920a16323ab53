/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/admin/socket.h"
#include "broker/admin/status.h"
#include "broker/transport/transport.h"

/*
 * The one thread that owns sockets, sessions and delivery: a loop of turns. It waits for the router, the
 * gate, committed parcels, clerk and desk, operators, signals and the clock, and for nothing else.
 *
 * SIGTERM and SIGINT drain: new messages are put off, what is inside is finished, deliveries that are out get
 * drain_ms to be acknowledged, the journal stops. A second one ends the process at once, which is as safe
 * as a crash. SIGHUP looks for a newer registry file.
 */
struct reactor;

struct reactor_options {
	const struct config_broker *config;
	const struct clock *clock;
	struct gate *gate;
	struct router *router;
	struct queue *done;
	struct clerk *clerk;
	struct desk *desk;
	struct journal *journal;
	struct clerk *replayer;
	struct clerk *porter;
	struct transport *transport;
	struct delivery *delivery;
	struct admin *admin;
	struct status *status;
};

enum { REACTOR_DONE = 1 };

/**
 * reactor_new() - block the signals it handles, and make its descriptors
 * @ret: knows nobody yet; reactor_fail() works from now on
 * Return: 0 or negative errno.
 */
int reactor_new(struct reactor **ret);
void reactor_free(struct reactor *reactor); /* takes NULL */
DEFINE_CLEANUP(struct reactor *, reactor_free);

void reactor_set(struct reactor *reactor, const struct reactor_options *options); /* before turns */

/**
 * reactor_turn() - wait once, then do what there is
 * @reactor:    set
 * @timeout_ms: longest wait; -1: until something happens (at most a tick)
 * Return: 0 to go on, REACTOR_DONE when drained, negative errno when the broker cannot go on.
 */
int reactor_turn(struct reactor *reactor, int timeout_ms);

/* Turns until one does not return 0. Return: as that turn. */
int reactor_run(struct reactor *reactor);

/* The broker cannot go on: the current or next turn returns this error. Any thread. */
void reactor_fail(void *reactor, int error);

int reactor_error(const struct reactor *reactor); /* that error, or 0; any thread */

/* What SIGTERM does. */
void reactor_drain(struct reactor *reactor);
