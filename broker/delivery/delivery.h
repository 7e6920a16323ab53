/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/clerk.h"
#include "broker/delivery/recipient.h"
#include "broker/parcel.h"
#include "proto/base/clock.h"
#include "proto/frame.pb-c.h"

/*
 * Delivery: what goes to whom next (design section 11). A recipient that keeps up is served from the
 * memory of the parcel that was just committed; one that fell behind is served by the clerk, who reads the
 * journal. Nothing here is journaled by itself: failed attempts, expiries and confirmations go to the
 * journal as parcels, and what the commit did comes back as effects. Reactor only.
 */
struct delivery;

struct delivery_options {
	const struct clock *clock;
	struct clerk *clerk;
	struct parcel_pool *pool;
	struct bytes bus;
	uint64_t lease_ms;
	uint64_t out_bytes_max; /* per session: delivered and not acknowledged */
	struct breaker_options breaker;

	void *context;
	/* Hand an act to the journal; takes ownership. */
	void (*act)(void *context, struct parcel *parcel);
	/* Send a frame to the session of an outlet; the frame's memory is the caller's. */
	void (*post)(void *context, struct outlet *outlet, Dienstweg__Frame *frame);
	/* The journal cannot be read any more. */
	void (*failed)(void *context, int error);
};

/**
 * delivery_new() - with no recipients
 * @options: copied; pointers must outlive it
 * @ret:     delivery
 * Return: 0 or -ENOMEM.
 */
int delivery_new(const struct delivery_options *options, struct delivery **ret);
void delivery_free(struct delivery *delivery); /* no fetch may be under way; takes NULL */
DEFINE_CLEANUP(struct delivery *, delivery_free);

/**
 * delivery_attach() - a session speaks for a party now
 * @delivery: delivery
 * @outlet:   the session's; its serial is set, no party attached twice
 * @number:   party number
 * @name:     party name
 * Return: 0 or -ENOMEM.
 */
int delivery_attach(
	struct delivery *delivery, struct outlet *outlet, uint32_t number, struct bytes name);

/* The outlet that speaks for a party now, or NULL. */
struct outlet *delivery_outlet(const struct delivery *delivery, uint32_t number);

/**
 * delivery_detach() - a session has gone: what is leased to it goes back into the queue
 * @delivery: delivery
 * @outlet:   the session's; not touched after
 * @cause:    constant code for the journal, e.g. "session-lost"
 */
void delivery_detach(struct delivery *delivery, struct outlet *outlet, const char *cause);

/* ---- what sessions say ---- */

void delivery_credit(struct delivery *delivery, struct outlet *outlet, uint64_t messages,
	uint64_t bytes); /* totals since Hello */

/**
 * delivery_acknowledge() - leases end when the acknowledgement is received, before it is checked
 * @delivery: delivery
 * @outlet:   the session's
 * @parcel:   PARCEL_ACKNOWLEDGE with its batches; items are set to what settles with it
 * Return: 0, or -ENOMEM when the arena is used up.
 */
int delivery_acknowledge(struct delivery *delivery, struct outlet *outlet, struct parcel *parcel);

/* Leases named end as failed attempts; others are ignored. */
void delivery_nak(struct delivery *delivery, struct outlet *outlet, const Dienstweg__Nak *nak);

/* A session fetches an attachment of a message that is out at it: the lease goes on. */
void delivery_fetching(struct outlet *outlet, struct bytes party, uint64_t sequence);

/* Outcomes were taken over. */
void delivery_confirm(
	struct delivery *delivery, struct outlet *outlet, struct bytes party, uint64_t sequence);

/* ---- what senders take back ---- */

/**
 * delivery_keep_back() - the journal has looked at a cancellation: what is not under way, stays until it is back
 * @delivery: delivery
 * @parcel:   PARCEL_CANCEL, back for the first time
 * Return: how many of its legs are kept (parcel->cancel->kept): 0, and it need not go to the journal again.
 */
size_t delivery_keep_back(struct delivery *delivery, struct parcel *parcel);

/* It does not go there again after all: what was kept back may leave. */
void delivery_let_go(struct delivery *delivery, struct parcel *parcel);

/* ---- what commits did ---- */

/**
 * delivery_take() - effects of a committed parcel; its memory must last until delivery_flush()
 * @delivery: delivery
 * @parcel:   back from the journal, or spoilt
 */
void delivery_take(struct delivery *delivery, struct parcel *parcel);

/* At the end of each turn of the reactor, before parcels are given back: send what was collected, push
   what is due, send the clerk for those who are behind. */
void delivery_flush(struct delivery *delivery);

/* Now and then: leases that ran out. */
void delivery_tick(struct delivery *delivery);

/* "open", "probing", or NULL: the party's queue is not at rest because of failures. */
const char *delivery_breaker(const struct delivery *delivery, uint32_t number);

/* Drain: nothing is sent any more. How many messages are still out? */
void delivery_stop(struct delivery *delivery);
size_t delivery_out(const struct delivery *delivery);
