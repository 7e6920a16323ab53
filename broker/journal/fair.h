/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/parcel.h"

/*
 * Submits waiting for a commit: one queue per speaking party, taken round robin, so that a flooder's
 * thousand parcels do not stand in front of another's one (design section 3, promise 11). Before
 * verification the same, one parcel at a time. One thread.
 */
struct fair;

struct fair_limits {
	size_t parcels;        /* most in one commit */
	size_t messages;       /* most in one commit; a first parcel may exceed it alone */
	size_t party_messages; /* most per party, while several parties are active */
};

/**
 * fair_new() - no parcels, no parties
 * @limits: of a commit
 * @ret:    the queues
 * Return: 0 or -ENOMEM.
 */
int fair_new(const struct fair_limits *limits, struct fair **ret);
void fair_free(struct fair *fair); /* takes NULL; parcels inside are the caller's to have taken */
DEFINE_CLEANUP(struct fair *, fair_free);

/**
 * fair_push() - queue a parcel behind its party's earlier ones
 * @fair:   the queues
 * @parcel: received from a session; its `next` is used
 * @now_ns: monotonic time
 * Return: 0 or -ENOMEM.
 */
int fair_push(struct fair *fair, struct parcel *parcel, uint64_t now_ns);

/**
 * fair_take() - what goes into the next commit
 * @fair:   the queues
 * @now_ns: monotonic time
 * @tail:   where the list's next parcel is to be linked
 *
 * While several parties are active each gets its share. If of some more waits than that, and of others less, then those
 * others go alone; but never twice in a row.
 *
 * Return: where the one after it is to be linked.
 */
struct parcel **fair_take(struct fair *fair, uint64_t now_ns, struct parcel **tail);

/**
 * fair_forget() - spoil what a session has waiting: it is taken as soon as it can be, and costs nothing
 * @fair:    the queues
 * @party:   speaker of the session
 * @session: its serial
 */
void fair_forget(struct fair *fair, uint32_t party, uint64_t session);

size_t fair_count(const struct fair *fair); /* parcels inside */
