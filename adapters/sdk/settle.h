/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "adapters/sdk/again.h"
#include "adapters/sdk/outbox.h"
#include "adapters/sdk/report.h"
#include "adapters/sdk/spool.h"
#include "adapters/sdk/store.h"
#include "adapters/sdk/trust.h"
#include "proto/frame.pb-c.h"
#include "proto/receipt/receipt.h"

/*
 * The end of a message's way out: its receipt is checked and kept as evidence, or its refusal is told; then
 * it leaves the outbox. All within the turn.
 */
struct settle;

struct settle_options {
	struct store *store;
	struct outbox *outbox;
	struct again *again;
	struct trust *trust;
	struct reporter reporter;
	struct spool *spool; /* what was attached goes with it */
};

/**
 * settle_new() - make one
 * @options: everything is borrowed
 * @ret:     it
 * Return: 0 or negative errno.
 */
int settle_new(const struct settle_options *options, struct settle **ret);
void settle_free(struct settle *settle); /* takes NULL */
DEFINE_CLEANUP(struct settle *, settle_free);

/**
 * settle_start() - begin with an Answer: its checkpoint and tree nodes
 * @settle: it
 * @answer: untrusted; borrowed until its last receipt
 * Return: 0, TRUST_ALARM, TRUST_UNKNOWN, negative errno.
 */
int settle_start(struct settle *settle, const Dienstweg__Answer *answer);

/**
 * settle_receipt() - a message is in the journal
 * @settle:  started
 * @number:  of the message in the outbox
 * @h:       its identity
 * @receipt: untrusted
 * Return: 0, TRUST_ALARM (nothing was changed), negative errno.
 */
int settle_receipt(struct settle *settle, uint64_t number, const uint8_t h[HASH_SIZE],
	const Dienstweg__Receipt *receipt);

/**
 * settle_refusal() - a message will never be
 * @settle:  it
 * @number:  of the message in the outbox
 * @h:       its identity
 * @refusal: untrusted
 * Return: 0 or negative errno.
 */
int settle_refusal(struct settle *settle, uint64_t number, const uint8_t h[HASH_SIZE],
	const Dienstweg__Refusal *refusal);
