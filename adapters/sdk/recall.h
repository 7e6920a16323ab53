/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "adapters/sdk/adapter.h"
#include "adapters/sdk/client.h"
#include "adapters/sdk/parties.h"
#include "proto/base/clock.h"

/*
 * Messages of ours that are to be taken back. Each order is asked until no recipient has the message under delivery any
 * more, over lost sessions too. Nothing of it is durable: after a crash the adapter orders again.
 */
enum { RECALL_ORDERS_MAX = 64, RECALL_BYTES_MAX = 3000, RECALL_ARENA = 64 * 1024 };

struct recall_item {
	uint8_t message_id[16];
	struct bytes recipient; /* empty: all */
};

/**
 * recall_sign() - a signed batch of cancellations; the same items make the same bytes
 * @bus:    bus id
 * @sender: whose messages, with its active sign key
 * @items:  at most 32
 * @count:  how many
 * @reason: a code, or empty
 * @arena:  owns the result, beside what it borrows from the parameters; RECALL_ARENA is enough
 * @ret:    the batch
 * Return: 0 or -ENOMEM.
 */
int recall_sign(struct bytes bus, const struct party *sender, const struct recall_item *items,
	size_t count, struct bytes reason, struct arena *arena, Dienstweg__CancelBatch *ret);

struct recall;

struct recall_options {
	struct bytes bus;
	const struct parties *parties;
	const struct clock *clock;
	/* ops->cancelled(), once for each recipient of an order that is answered. */
	int (*cancelled)(void *context, const struct dw_cancelled *cancelled);
	void *context;
};

/**
 * recall_new() - no orders
 * @options: everything is borrowed
 * @ret:     the orders
 * Return: 0 or -ENOMEM.
 */
int recall_new(const struct recall_options *options, struct recall **ret);
void recall_free(struct recall *recall); /* takes NULL */
DEFINE_CLEANUP(struct recall *, recall_free);

/* An order. 0, DW_BUSY (RECALL_ORDERS_MAX are open), DW_INVALID. */
int recall_add(struct recall *recall, const struct dw_cancel *what);

void recall_restart(struct recall *recall); /* a new session, or none: ask again */
void recall_put_off(struct recall *recall); /* the broker is busy: ask again in a second */

/* An answer, untrusted. 0 or negative errno (the legacy system's). */
int recall_take(struct recall *recall, const Dienstweg__Cancelled *frame);

/* Ask what it is time for. 0 or negative errno. */
int recall_flush(struct recall *recall, struct client *client);
int recall_timeout_ms(const struct recall *recall); /* nothing to ask until then; -1: at all */
