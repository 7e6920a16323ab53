/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/adapter.h"
#include "adapters/sdk/client.h"
#include "adapters/sdk/inbox.h"
#include "proto/base/clock.h"

/*
 * One replay at a time: stretch by stretch, until the broker says that it was all. Nothing of it is durable: after a
 * crash the adapter asks again. A session that ends in between does no harm, it goes on where it was.
 */
struct rerun;

struct rerun_options {
	const struct parties *parties;
	struct inbox *inbox;
	const struct clock *clock;
	/* It is over: the next one may begin at @next. */
	int (*ended)(void *context, uint64_t next);
	void *context;
};

/**
 * rerun_new() - none under way
 * @options: everything is borrowed
 * @ret:     the replay
 * Return: 0 or -ENOMEM.
 */
int rerun_new(const struct rerun_options *options, struct rerun **ret);
void rerun_free(struct rerun *replay); /* takes NULL */
DEFINE_CLEANUP(struct rerun *, rerun_free);

/**
 * rerun_begin() - ask for one
 * @replay: none is under way
 * @what:   party and where from
 * Return: 0, DW_BUSY, DW_INVALID (no party of this adapter).
 */
int rerun_begin(struct rerun *replay, const struct dw_replay *what);

void rerun_restart(struct rerun *replay); /* a new session, or none: ask again where it was */
void rerun_put_off(struct rerun *replay); /* the broker is busy with it: ask again in a second */

/**
 * rerun_take() - an answer
 * @replay: the replay
 * @frame:  untrusted
 * @client: ready
 * Return: 0 or negative errno (the legacy system's).
 */
int rerun_take(struct rerun *replay, const Dienstweg__Replayed *frame, struct client *client);

/**
 * rerun_flush() - ask for the next stretch when it is time
 * @replay: the replay
 * @client: ready
 * Return: 0 or negative errno.
 */
int rerun_flush(struct rerun *replay, struct client *client);
int rerun_timeout_ms(
	const struct rerun *replay); /* until then there is nothing to ask; -1: nothing at all */
