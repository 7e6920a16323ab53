/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "adapters/sdk/acks.h"
#include "adapters/sdk/adapter.h"
#include "adapters/sdk/client.h"
#include "adapters/sdk/fetch.h"
#include "adapters/sdk/parties.h"
#include "adapters/sdk/schemas.h"
#include "adapters/sdk/store.h"
#include "adapters/sdk/trust.h"

/*
 * Deliveries: nothing is handed over that was not checked (form, the sender's signature under the
 * registry, content hash, seal, commitment), and nothing is acknowledged before the verdict is durable. A
 * delivery that comes again is answered from the store without a second hand-over.
 */
struct inbox;

/* The legacy system: decides about a delivery. 0 or negative errno. */
struct inbox_agency {
	int (*to_agency)(void *context, const struct dw_delivery *delivery, struct dw_verdict *ret);
	void *context;
	int (*replayed)(void *context, const struct dw_delivery *delivery);
};

struct inbox_options {
	struct store *store;
	struct trust *trust;
	const struct parties *parties;
	struct acks *acks;
	struct fetch *fetch; /* what is attached */
	struct inbox_agency agency;
	struct schemas *schemas;
};

struct inbox_counts {
	uint64_t accepted, rejected, later, again; /* since start; again: answered from the store */
};

/**
 * inbox_new() - make one
 * @options: everything is borrowed
 * @ret:     the inbox
 * Return: 0 or negative errno.
 */
int inbox_new(const struct inbox_options *options, struct inbox **ret);
void inbox_free(struct inbox *inbox); /* takes NULL */
DEFINE_CLEANUP(struct inbox *, inbox_free);

/**
 * inbox_take() - take a delivery, within the turn
 * @inbox: the inbox
 * @item:  untrusted, with an envelope
 * Return: 0 or negative errno (the legacy system's, or of the store).
 */
int inbox_take(struct inbox *inbox, const Dienstweg__Item *item);
/**
 * inbox_replay() - take an item of a replay: checked as a delivery is, and nothing is kept or answered
 * @inbox: the inbox
 * @party: whose it is
 * @item:  untrusted, with an envelope
 *
 * What does not pass the checks is logged and passed over.
 *
 * Return: 0, INBOX_LATER (its sender's key is in a registry that we do not have yet), or negative errno (the legacy
 *         system's, or of the store).
 */
enum { INBOX_LATER = 1 };
int inbox_replay(struct inbox *inbox, size_t party, const Dienstweg__Item *item);
int inbox_resume(struct inbox *inbox); /* take deliveries whose attachments are here now; likewise */
void inbox_restart(struct inbox *inbox); /* a new session, or none: leases are over */

/**
 * inbox_flush() - send what was put off ("not now"), after the commit
 * @inbox:  the inbox
 * @client: any state
 * Return: 0 or negative errno.
 */
int inbox_flush(struct inbox *inbox, struct client *client);
void inbox_counts(const struct inbox *inbox, struct inbox_counts *ret);
