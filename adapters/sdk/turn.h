/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>

#include "adapters/sdk/adapter.h"
#include "adapters/sdk/outbox.h"
#include "adapters/sdk/parties.h"
#include "adapters/sdk/schemas.h"
#include "adapters/sdk/sealer.h"
#include "conf/config.h"
#include "proto/base/clock.h"
#include "proto/registry/registry.h"

/*
 * What the adapter submits within one turn: composed at once (so that the caller learns at once what is
 * wrong), signed together at the end, durable with the turn's one commit.
 */
struct turn;

struct turn_options {
	const struct config_adapter *config; /* bus, outbox, flight.batch_max */
	struct store *store;
	struct outbox *outbox;
	const struct parties *parties;
	const struct clock *clock;
	struct schemas *schemas;
	struct sealer *sealer;
};

/**
 * turn_new() - an empty turn
 * @options: everything is borrowed
 * @ret:     the turn; it is used again and again
 * Return: 0 or negative errno.
 */
int turn_new(const struct turn_options *options, struct turn **ret);
void turn_free(struct turn *turn); /* takes NULL */
DEFINE_CLEANUP(struct turn *, turn_free);

/**
 * turn_submit() - dw_submit()
 * @turn:     the turn
 * @registry: in force
 * @message:  what to send
 * @awaited:  somebody waits for it now, and it is worth nothing by itself: it need not be durable before it leaves
 * @ret:      ids
 * @reterr:   a sentence: "field: what is wrong; remedy"
 * @size:     of @reterr
 * Return: 0, DW_*, negative errno.
 */
int turn_submit(struct turn *turn, const struct registry *registry, const struct dw_message *message,
	bool awaited, struct dw_submitted *ret, char *reterr, size_t size);
int turn_prepare(
	struct turn *turn); /* what the next message needs, while nothing waits for it; 0, -errno */
bool turn_is_large(const struct turn *turn); /* better to commit now than to take more */
size_t turn_awaited(
	const struct turn *turn); /* enquiries and answers that are to be signed; 0 beside others */

/**
 * turn_sign() - sign and store what was submitted and was not yet; store_commit() comes next, or turn_renew()
 * @turn: the turn
 * Return: 0 or negative errno.
 */
int turn_sign(struct turn *turn);
int turn_renew(
	struct turn *turn); /* it goes on, under another key for what is sealed next; 0, -errno */

/**
 * turn_tell() - after the commit: tell the legacy system what is durable now, and be empty again
 * @turn:      the turn; the callback may submit further messages, they are of the next turn
 * @submitted: called per message, also for those that were there before
 * @context:   for @submitted
 * Return: 0, or the first failure of @submitted.
 */
int turn_tell(struct turn *turn,
	int (*submitted)(void *context, struct bytes key, const struct dw_submitted *ids),
	void *context);

/**
 * turn_reseal() - seal a message of the outbox anew under the registry in force, within this turn
 * @turn:      the turn
 * @registry:  in force
 * @number:    in the outbox
 * @ret_h:     its identity from now on
 * @ret_bytes: header and content
 * Return: 0, DW_UNROUTABLE (unchanged: the broker will say why), negative errno.
 */
int turn_reseal(struct turn *turn, const struct registry *registry, uint64_t number,
	uint8_t ret_h[HASH_SIZE], uint32_t *ret_bytes);

/**
 * turn_resign() - sign a message of the outbox anew with its sender's key of now, within this turn
 * @turn:   the turn
 * @number: in the outbox
 *
 * Header and content stay as they are, and with them its identity.
 *
 * Return: 0 or negative errno.
 */
int turn_resign(struct turn *turn, uint64_t number);
