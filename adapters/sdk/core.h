/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/acks.h"
#include "adapters/sdk/adapter.h"
#include "adapters/sdk/again.h"
#include "adapters/sdk/asking.h"
#include "adapters/sdk/client.h"
#include "adapters/sdk/fetch.h"
#include "adapters/sdk/final.h"
#include "adapters/sdk/folder.h"
#include "adapters/sdk/inbox.h"
#include "adapters/sdk/outbox.h"
#include "adapters/sdk/outcomes.h"
#include "adapters/sdk/parties.h"
#include "adapters/sdk/recall.h"
#include "adapters/sdk/rerun.h"
#include "adapters/sdk/schemas.h"
#include "adapters/sdk/sealer.h"
#include "adapters/sdk/sender.h"
#include "adapters/sdk/spool.h"
#include "adapters/sdk/store.h"
#include "adapters/sdk/trust.h"
#include "adapters/sdk/turn.h"
#include "adapters/sdk/upload.h"
#include "adapters/sdk/witness.h"

/*
 * The adapter as its own files see it: what it is made of, and one turn of it. A turn is
 *   frames in, legacy system in  ->  sign, store, ONE commit  ->  tell the legacy system, frames out
 * so nothing leaves that is not durable, and everything that is learned together costs one fsync. What belongs to
 * questions under way is the exception, in company.c.
 */
struct dw_adapter {
	const struct config_adapter *config;
	const struct dw_adapter_ops *ops;
	void *user;
	void *context; /* the legacy system's, from ops->open() */
	bool opened;
	const struct clock *clock;

	struct folder *folder;
	struct store *store;
	struct trust *trust;
	struct final *final;
	struct witness *witness; /* NULL: it is none */
	struct parties *parties;
	struct schemas *schemas;
	struct outbox outbox;
	struct again again;
	struct spool *spool;
	struct sealer *sealer;
	struct upload *upload;
	struct fetch *fetch;
	struct turn *turn;
	struct sender *sender;
	struct acks *acks;
	struct inbox *inbox;
	struct rerun *replay;
	struct recall *recall;
	struct outcomes *outcomes;
	struct client *client;
	char software[64];
	/* The client was made with these two; which pair of keys is tried is counted by `dial`. */
	uint8_t broker_key[BOX_KEY_SIZE];
	const struct key_secret *transport_key;
	size_t dial;
	uint64_t down_since_ns; /* 0: a session is open */

	struct asking asking;

	bool stop;           /* asked to end */
	bool untrusted;      /* the log key is not in our registry: nothing is sent until it is */
	bool reconnect;      /* a transport key of ours or of the broker is not in force any more */
	uint64_t put_off_ns; /* since when the commit of this turn waits; 0: it does not */
	bool delivering;     /* ops->to_agency() is under way */
	int depth;           /* of ops under way: dw_submit() is for these only */
	int failed;          /* of a frame: negative errno, or TRUST_ALARM */
};

/**
 * core_open() - everything but the legacy system: state folder, trust, keys, outbox, client
 * @adapter: zeroed but for config, ops, user and clock; core_close() also after a failure
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: 0, 1 (@reterr tells what a person has to do), negative errno (@reterr is set as well).
 */
int core_open(struct dw_adapter *adapter, char *reterr, size_t size);
void core_close(struct dw_adapter *adapter); /* says Bye */

/**
 * core_turn() - end the turn: make it durable, tell, send
 * @adapter: open
 * Return: 0, TRUST_ALARM, negative errno.
 */
int core_turn(struct dw_adapter *adapter);

/**
 * core_can_put_off() - may what this turn wrote leave before it is durable, and its commit wait?
 * @adapter: open
 * Return: true when it holds nothing but what belongs to enquiries under way, and did not wait too long.
 */
bool core_can_put_off(const struct dw_adapter *adapter);
int core_put_off(struct dw_adapter *adapter); /* sign and send, and go on with the turn; 0, -errno */
int core_put_off_timeout_ms(const struct dw_adapter *adapter); /* -1: no commit waits */

/**
 * core_attachments() - seal and open some of what is attached, and hand over what has become whole
 * @adapter: open
 * Return: 0 or negative errno.
 */
int core_attachments(struct dw_adapter *adapter);
int core_attachments_timeout_ms(const struct dw_adapter *adapter); /* -1: not by time */
/* Spool, sealer, uploader, fetcher; parties and outbox are open. 0 or negative errno. */
int core_carriers_open(struct dw_adapter *adapter);

/**
 * core_intake() - let the legacy system submit
 * @adapter:  open
 * @ret_more: it has more
 * Return: 0 or negative errno.
 */
int core_intake(struct dw_adapter *adapter, bool *ret_more);
bool core_has_room(const struct dw_adapter *adapter); /* would the outbox take another message? */
bool core_hurries(const struct dw_adapter *adapter);  /* there is more to send again: no sleep */
bool core_idle(const struct dw_adapter *adapter);     /* nothing is on its way to the broker */
int core_connect(struct dw_adapter *adapter);         /* make the client anew */

/**
 * core_redial() - no session for a while: shall it be tried anew, with the next pair of transport keys?
 * @adapter: open
 *
 * While an old and a new key overlap, nobody tells which of the two the broker serves with: a wrong one is only
 * silence. A key of ours that its registry does not have yet is turned away, and it may have it a moment later.
 *
 * Return: true when core_connect() is due.
 */
bool core_redial(struct dw_adapter *adapter);

enum { CORE_STATUS_MAX = 2048 + NOTICES_JSON_MAX };

/**
 * core_status() - the figures of this moment as JSON
 * @adapter: open
 * @buf:     text and a NUL
 * @size:    of @buf
 */
void core_status(struct dw_adapter *adapter, char *buf, size_t size);
