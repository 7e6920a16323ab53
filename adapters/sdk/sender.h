/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdint.h>

#include "adapters/sdk/notices.h"
#include "adapters/sdk/again.h"
#include "adapters/sdk/client.h"
#include "adapters/sdk/outbox.h"
#include "adapters/sdk/report.h"
#include "adapters/sdk/trust.h"
#include "adapters/sdk/turn.h"
#include "adapters/sdk/upload.h"
#include "conf/config.h"

/*
 * From the outbox onto the wire, and what the broker answers: receipts, refusals, deferrals (design
 * section 5). At most flight.messages and flight.bytes are unanswered. After a new session everything
 * unanswered is sent again, from the oldest.
 */
struct sender;

struct sender_options {
	const struct config_adapter *config; /* flight */
	struct store *store;
	struct outbox *outbox;
	struct again *again;
	struct turn *turn; /* for sealing anew */
	struct trust *trust;
	const struct clock *clock;
	struct reporter reporter;
	struct spool *spool;
	struct upload *upload;
};

/* An attachment is at the broker: messages that wait for theirs are sent again. */
void sender_attachment_arrived(struct sender *sender);

struct sender_counts {
	uint64_t unanswered; /* on the wire */
	uint64_t known;      /* in the window: those, and what waits or was deferred */
	uint64_t recorded, refused, deferred; /* since start */
};

/**
 * sender_new() - begin with the oldest message of the outbox
 * @options: everything is borrowed
 * @ret:     the sender
 * Return: 0 or negative errno.
 */
int sender_new(const struct sender_options *options, struct sender **ret);
void sender_free(struct sender *sender); /* takes NULL */
DEFINE_CLEANUP(struct sender *, sender_free);

void sender_restart(
	struct sender *sender); /* a new session, or none: everything is unanswered again */
void sender_again(struct sender *sender); /* the broker did not take a frame: send again, later */
int sender_reload(struct sender *sender); /* older ones go into the outbox; 0 or -ENOMEM */
bool sender_has_room(const struct sender *sender); /* would the window take another message? */
void sender_new_registry(struct sender *sender);   /* what waits for sealing anew is due now */

/**
 * sender_answer() - take an Answer, within the turn
 * @sender: the sender
 * @answer: untrusted
 * Return: 0, TRUST_ALARM, TRUST_UNKNOWN (nothing was taken), negative errno.
 */
int sender_answer(struct sender *sender, const Dienstweg__Answer *answer);

/**
 * sender_prepare() - seal or sign anew what was deferred as registry-outdated and is due, within the turn
 * @sender: the sender
 * Return: 0 or negative errno.
 */
int sender_prepare(struct sender *sender);

/**
 * sender_flush() - send what may be sent; after a commit, because only durable messages leave
 * @sender: the sender
 * @client: any state
 * Return: 0 or negative errno.
 */
int sender_flush(struct sender *sender, struct client *client);

/* Milliseconds until something is due, -1: nothing is; and the figures of this moment. */
int sender_timeout_ms(const struct sender *sender);
void sender_counts(const struct sender *sender, struct sender_counts *ret);
const struct notices *sender_notices(const struct sender *sender); /* what the broker warned of */
