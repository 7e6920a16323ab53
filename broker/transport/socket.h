/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/transport/tally.h"
#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"

/*
 * ZeroMQ, folded: the gate (context and ZAP handler: who may connect), the router (the bus's socket) and
 * the caller (a client, for the start-up self-test and for tests). Everything here belongs to one thread.
 * The descriptors are edge-triggered: before waiting on one, ask *_ready(), or be sure that nothing was done
 * with it since it was found empty.
 */
enum {
	ROUTER_EMPTY = 1, /* nothing to receive */
	ROUTER_DROPPED = 2, /* something came that is no frame of an admitted peer; counted, look again */
	ROUTER_FULL = 3, /* this peer takes nothing more at the moment: try again by tick */
	ROUTER_GONE = 4, /* this peer is not connected */
};

enum {
	ROUTE_MAX = 32,               /* bytes of a routing id; ZeroMQ's own have 5 */
	ROUTER_MESSAGE_MAX = 1 << 20, /* ZeroMQ drops the connection above it */
	ROUTER_ENDPOINT_MAX = 256,
};

/* A connection, as long as it lasts. */
struct route {
	uint8_t len;
	uint8_t id[ROUTE_MAX];
};

/* A zmq_msg_t. */
struct router_message {
	_Alignas(16) uint8_t opaque[64];
};

/**
 * router_message_new() - room for an outgoing frame
 * @message: to set up; router_send() takes it over, router_message_deinit() ends it otherwise
 * @size:    bytes
 * Return: where to write them, or NULL without memory.
 */
uint8_t *router_message_new(struct router_message *message, size_t size);
void router_message_move(struct router_message *to, struct router_message *from); /* @from is spent */
size_t router_message_size(const struct router_message *message);
void router_message_deinit(struct router_message *message); /* once per message that was not sent */

/* It counts there, and nowhere else, until ZeroMQ has written it or it is ended; NULL: it does not count. */
void router_message_count(struct router_message *message, struct tally *tally);

/* ---- who may connect ---- */
struct gate;

/* Decides about a CURVE key during a handshake. Return: true to let it in. */
struct gate_admission {
	bool (*admit)(void *context, const uint8_t key[BOX_KEY_SIZE]);
	void *context;
};

/**
 * gate_new() - make the context and bind its ZAP handler, before any socket can exist
 * @admission: asked for every CURVE handshake; anything but CURVE is denied
 * @ret:       the gate
 * Return: 0 or negative errno.
 */
int gate_new(const struct gate_admission *admission, struct gate **ret);
void gate_free(struct gate *gate); /* every router and caller must be freed; takes NULL */
DEFINE_CLEANUP(struct gate *, gate_free);

/* Ask somebody else from now on; strangers are counted anew. */
void gate_set_admission(struct gate *gate, const struct gate_admission *admission);
int gate_fd(const struct gate *gate);
bool gate_ready(const struct gate *gate);
int gate_step(struct gate *gate); /* answers what handshakes wait for; 0 or negative errno */
uint64_t gate_strangers(const struct gate *gate); /* handshakes denied since then */

/* ---- the bus's socket ---- */
struct router;

struct router_options {
	const uint8_t *secret_key; /* CURVE, 32 bytes; copied by ZeroMQ */
	uint64_t handshake_ms;
	uint64_t heartbeat_ms;
	uint64_t timeout_ms; /* a silent connection is closed */
	uint64_t linger_ms;  /* what was sent may still leave for so long after router_free() */
};

/**
 * router_new() - a ROUTER that lets in whom the gate admits
 * @gate:    outlives the router
 * @options: keys and times
 * @ret:     the router, not bound yet
 * Return: 0 or negative errno.
 */
int router_new(struct gate *gate, const struct router_options *options, struct router **ret);
void router_free(struct router *router); /* takes NULL */
DEFINE_CLEANUP(struct router *, router_free);

/**
 * router_bind() - listen
 * @router:   may be bound several times
 * @endpoint: "tcp://host:port", "tcp://127.0.0.1:*", "ipc://path"
 * @ret:      NULL, or ROUTER_ENDPOINT_MAX bytes for the endpoint with its real port
 * Return: 0 or negative errno.
 */
int router_bind(struct router *router, const char *endpoint, char *ret);
int router_fd(const struct router *router);
bool router_ready(const struct router *router);

/**
 * router_events_fd() - readable when connections were opened or closed; only to be trusted after router_event()
 *                      said ROUTER_EMPTY
 * @router: the socket
 * Return: the descriptor.
 */
int router_events_fd(const struct router *router);

/* It listens, a connection was accepted, or ended: by the descriptor, which is ZeroMQ's. */
enum router_event_kind { ROUTER_LISTENS, ROUTER_ACCEPTED, ROUTER_ENDED };
struct router_event {
	int fd;
	enum router_event_kind kind;
};

/**
 * router_event() - take the next of these, in order; never blocks
 * @router: the socket
 * @ret:    the event
 * Return: 0, ROUTER_EMPTY, negative errno.
 */
int router_event(struct router *router, struct router_event *ret);

/* One frame of a peer whose key the gate admitted when it connected. */
struct router_frame {
	struct route route;
	uint8_t key[BOX_KEY_SIZE]; /* the peer's transport key */
	struct bytes payload;      /* in @held */
	struct router_message held;
};

/**
 * router_receive() - take the next frame; never blocks
 * @router: the socket
 * @ret:    router_frame_deinit() after 0
 *
 * Dropped whole and counted: more than one payload frame, no User-Id (ZeroMQ let somebody in unasked), an
 * overlong routing id.
 *
 * Return: 0, ROUTER_EMPTY, ROUTER_DROPPED, negative errno.
 */
int router_receive(struct router *router, struct router_frame *ret);
void router_frame_deinit(struct router_frame *frame);

/* The descriptor of the connection that a frame came by; -1: unknown. */
int router_frame_fd(const struct router_frame *frame);

/* Cut the connection that a frame came by, if it is TCP; what it sent before may still be received. */
void router_cut(const struct router_frame *frame);
uint64_t router_dropped(const struct router *router);

/**
 * router_send() - send one frame; never blocks
 * @router:  the socket
 * @route:   to whom
 * @message: taken over on 0 only
 * Return: 0, ROUTER_FULL, ROUTER_GONE, negative errno.
 */
int router_send(struct router *router, const struct route *route, struct router_message *message);

/* ---- a client ---- */
struct caller;

struct caller_options {
	const char *endpoint;
	const uint8_t *server_key; /* NULL: speak no CURVE at all */
	const uint8_t *public_key;
	const uint8_t *secret_key;
};

enum caller_state { CALLER_WAITING, CALLER_IN, CALLER_REFUSED };

/**
 * caller_new() - connect a DEALER; it tries once
 * @gate:    whose context is used
 * @options: where to, and as whom
 * @ret:     the caller
 * Return: 0 or negative errno.
 */
int caller_new(struct gate *gate, const struct caller_options *options, struct caller **ret);
void caller_free(struct caller *caller); /* takes NULL */
DEFINE_CLEANUP(struct caller *, caller_free);

/* What to poll for before the next step. */
enum { CALLER_FDS = 2 };
void caller_fds(const struct caller *caller, int ret[CALLER_FDS]);
enum caller_state caller_step(struct caller *caller); /* how far the handshake came */

/**
 * caller_send() - queue a message
 * @caller: the client; before CALLER_IN the message waits for the connection
 * @data:   copied
 * Return: 0, ROUTER_FULL, negative errno.
 */
int caller_send(struct caller *caller, struct bytes data);

/**
 * caller_receive() - take a message
 * @caller: the client
 * @ret:    router_message_deinit() after 0
 * @view:   its bytes
 * Return: 0, ROUTER_EMPTY, negative errno.
 */
int caller_receive(struct caller *caller, struct router_message *ret, struct bytes *view);
