/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/access/desk.h"
#include "broker/blob/store.h"
#include "broker/clerk.h"
#include "broker/delivery/delivery.h"
#include "broker/journal/journal.h"
#include "broker/parcel.h"
#include "broker/transport/door.h"
#include "broker/transport/peers.h"
#include "broker/transport/session.h"
#include "broker/transport/socket.h"
#include "broker/verify/verify.h"
#include "conf/config.h"
#include "proto/base/clock.h"

/*
 * Transport: sessions, admission, budgets, frames in and answers out (design section 5, docs/protocol.md).
 * It never blocks and never stops reading: a frame over its sender's budget is answered unread. Everything
 * here belongs to the reactor's thread.
 */
struct transport;

enum { PORTER_ERRANDS_MAX = 256 /* pieces of attachments in memory, over all sessions */ };

struct transport_options {
	const struct config_broker *config;
	const struct clock *clock;
	struct router *router;
	struct parcel_pool *pool;
	size_t parcels_submit_max; /* the rest of the pool is for acknowledgements and the broker's own acts */
	struct verify_pool *verify;
	struct verify_worker_state *verify_here; /* this thread's */
	struct journal *journal;
	struct queue *done;
	struct clerk *clerk;
	struct desk *desk;
	struct clerk *replayer;   /* for replays alone */
	struct clerk *porter;     /* a second one: reads and writes attachments */
	struct blob_store *blobs; /* the porter's */
	struct delivery *delivery;
	struct registry *registry;      /* in force; borrowed, referenced by transport */
	struct schema_library *schemas; /* a registry whose schemas are not all there is refused */
	bool held;                      /* the journal is in doubt and not started */
	void (*release)(
		void *context, const char *why); /* enough witnesses are sure of it: start it */
	void *release_context;
	void (*failed)(void *context, int error); /* the broker cannot go on */
	void *failed_context;
};

/* Since the start. */
struct transport_counters {
	uint64_t frames;
	uint64_t malformed;
	uint64_t strangers; /* frames of keys that the registry in force does not know */
	uint64_t submitted; /* envelopes taken in */
	uint64_t accepted;
	uint64_t refused;
	uint64_t deferred;
	uint64_t put_off;          /* whole Submit frames answered unread */
	uint64_t shut_out;         /* sessions, for flooding */
	uint64_t not_reading;      /* sessions that ended because what was sent piled up */
	uint64_t acknowledgements; /* batches */
	uint64_t cancellations;    /* batches */
	uint64_t cosignatures;     /* of witnesses, good ones */
	uint64_t cosignatures_refused;
	uint64_t reports;        /* of subject access */
	uint64_t blob_pieces_in; /* of attachments, taken */
	uint64_t blob_pieces_out;
	uint64_t blob_put_off;    /* pieces not taken: no room, too many at once... */
	struct blob_counts blobs; /* after the last look through all of them */
	uint64_t sessions_opened;
	uint64_t sessions_lost;
};

/**
 * transport_new() - with no sessions
 * @options: copied; what it points to outlives transport
 * @ret:     transport
 * Return: 0 or -ENOMEM.
 */
int transport_new(const struct transport_options *options, struct transport **ret);
void transport_free(struct transport *transport); /* takes NULL */
DEFINE_CLEANUP(struct transport *, transport_free);

/* gate_admission.admit: does the registry in force know this key, and did it not flood the bus just now? */
bool transport_admit(void *context, const uint8_t key[BOX_KEY_SIZE]);

/* delivery_options.act: to the journal, unless that is being stopped. */
void transport_act(void *context, struct parcel *parcel);

/* delivery_options.post: send to the session of an outlet. */
void transport_post(void *context, struct outlet *outlet, Dienstweg__Frame *frame);

/**
 * transport_connections() - take note of connections that were opened or closed; cut those that are too many
 * @transport: transport
 * Return: 0 or negative errno (the socket is broken).
 */
int transport_connections(struct transport *transport);

/**
 * transport_receive() - take and handle frames, up to a turn's worth
 * @transport: transport
 * Return: 0 or negative errno (the socket is broken).
 */
int transport_receive(struct transport *transport);

/* Take committed parcels, up to a turn's worth: tell delivery, send answers, give parcels back. */
void transport_commit(struct transport *transport);

/* End of a turn: close sessions that ended, try again what peers did not take. */
void transport_flush(struct transport *transport);

/* Now and then: silent sessions end. */
void transport_tick(struct transport *transport);

/* Are frames waiting for slow peers? Then flush again soon. */
bool transport_waiting(const struct transport *transport);

/* Drain: new messages are put off from now on. Nothing is inside any more? Then stop the journal; after its
   stop entry came back, transport is stopped. */
void transport_drain(struct transport *transport);
bool transport_idle(const struct transport *transport);
bool transport_draining(const struct transport *transport);
int transport_stop(struct transport *transport); /* 0, or -EAGAIN when no parcel is free */
bool transport_stopped(const struct transport *transport);

bool transport_held(
	const struct transport *transport); /* waiting for witnesses to be sure of the journal */

/* For status. */
const struct transport_counters *transport_counters(const struct transport *transport);
const struct door_counts *transport_door(const struct transport *transport);
const struct peers_counts *transport_peers(const struct transport *transport);
const struct sessions *transport_sessions(const struct transport *transport);
struct registry *transport_registry_now(const struct transport *transport); /* borrowed */
