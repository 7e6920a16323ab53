/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/base/clock.h"
#include "proto/frame.pb-c.h"
#include "proto/identity/keyfile.h"
#include "proto/registry/registry.h"

/*
 * One session with the broker, without memory on disk: connect, Hello, frames out, frames in, credits,
 * pings, reconnect (docs/protocol.md "Session"). Outbox and inbox are built on it; the load generator and
 * `dienstweg send` use it bare. One thread; driven by client_step() from a poll loop.
 */
enum {
	CLIENT_BUSY = 1, /* cannot send now (not connected, or the socket is full): try after a step */
	CLIENT_TOO_LARGE = 2,
	CLIENT_PARTIES_MAX = 65, /* its own and CONFIG_LIST_MAX operated ones */
};

enum client_state { CLIENT_CONNECTING, CLIENT_READY, CLIENT_REPLACED /* terminal */ };

struct client_options {
	const char *endpoint;             /* tcp://host:port */
	uint8_t broker_key[BOX_KEY_SIZE]; /* the bus's transport key, from the registry */
	const struct key_secret *transport_key;
	const char *const *parties;
	size_t parties_count;
	const char *software;
	const struct clock *clock;
	uint64_t credit_messages; /* window granted beyond what was taken; 0: take no deliveries */
	uint64_t credit_bytes;
	uint32_t reconnect_min_ms; /* these four: 0 for the usual */
	uint32_t reconnect_max_ms;
	uint32_t silence_ms; /* without a frame for so long, the session has ended */
	uint32_t ping_ms;    /* a Ping after so long without a frame of ours */
};

/* Called from client_step(); frames live until the handler returns. */
struct client_handler {
	void *context;
	/* A new session is ready: the outbox sends again from its oldest unanswered message. */
	void (*ready)(void *context, const Dienstweg__Welcome *welcome);
	/* The session ended (silence, refusal, broker gone). Everything unanswered is open again. */
	void (*lost)(void *context, const char *why);
	void (*frame)(void *context, const Dienstweg__Frame *frame);
	/* Fill in the newest checkpoint and registry version for the next Hello. May be NULL. */
	void (*hello)(void *context, Dienstweg__Hello *hello);
};

struct client;

/**
 * client_new() - connect in the background
 * @options: strings, names, key and clock are borrowed for the client's life
 * @handler: copied
 * @ret:     the client
 * Return: 0 or negative errno; -EINVAL for an impossible endpoint.
 */
int client_new(const struct client_options *options, const struct client_handler *handler,
	struct client **ret);
void client_free(struct client *client); /* says Bye when connected; takes NULL */
DEFINE_CLEANUP(struct client *, client_free);

/* Readable when client_step() has work; also call it when client_timeout_ms() has passed. */
int client_fd(const struct client *client);
int client_timeout_ms(const struct client *client);
int client_step(struct client *client); /* 0 or negative errno */

/* When the broker last said something in this session, on the monotone clock; 0: never. */
uint64_t client_heard_ns(const struct client *client);

/**
 * client_refused() - does the broker not let our key in?
 * @client: since it was made
 * Return: true: it has said so, and this client will not be connected any more; see socket_refused().
 */
bool client_refused(const struct client *client);

/**
 * client_reset() - end the session and say Hello anew, e.g. to be delivered again what was not understood
 * @client: in any state; nothing happens once it was replaced
 * @why:    for lost() and the log
 */
void client_reset(struct client *client, const char *why);

/* Where the session stands, and the limits that its Welcome told. */
enum client_state client_state(const struct client *client);
const Dienstweg__Limits *client_limits(const struct client *client);

/**
 * client_send() - send a frame; session nonce is filled in
 * @client: ready
 * @frame:  body set
 * Return: 0, CLIENT_BUSY, CLIENT_TOO_LARGE, negative errno.
 */
int client_send(struct client *client, Dienstweg__Frame *frame);

/**
 * client_credit_add() - delivered messages were taken over: renews the credit when due
 * @client:   in any state
 * @messages: how many; outcomes need no credit
 * @bytes:    of their headers and contents
 * Return: 0 or negative errno.
 */
int client_credit_add(struct client *client, uint64_t messages, uint64_t bytes);
