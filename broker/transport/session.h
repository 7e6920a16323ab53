/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/delivery/recipient.h"
#include "broker/parcel.h"
#include "broker/transport/frame.h"
#include "broker/transport/socket.h"

/*
 * Sessions (design section 5): a connection's routing id plus the nonce of its Hello. A slot is used
 * again and again; the serial tells its occupants apart, so that what comes back from other threads
 * finds its session or learns that it has gone. Reactor only.
 */
enum session_state {
	SESSION_OPENING, /* Hello is being looked up */
	SESSION_OPEN,
};

enum {
	BLOB_MARKS_MAX = 8, /* pieces of attachments on their way to a session */
	PIPE_BYTES_MAX = 4 << 20, /* handed to ZeroMQ for one connection and not written yet; or one frame */
	OUTBOX_BYTES_MAX = 4 << 20, /* waiting behind that; beyond, the session ends */
};

/* Bytes of frames that are not answered yet. A frame counts at least what its parcel takes. */
enum { BUDGET_FRAME_MIN = 8 * 1024 };
struct budget {
	uint64_t submits;
	uint64_t acknowledgements;
};

/* Frames that the peer's queue did not take, oldest first. */
struct outbox {
	struct pending *head;
	struct pending **tail;
	size_t count;
	size_t bytes;
};

struct session {
	enum session_state state;
	uint32_t slot;
	uint64_t serial;
	struct route route;
	int fd;              /* of its connection */
	struct tally *tally; /* of that, held; NULL in tests: nothing is counted */
	uint8_t nonce[NONCE_SIZE];
	uint8_t key[BOX_KEY_SIZE];
	char speaker[64]; /* party of the transport key */
	uint32_t speaker_number;
	uint64_t opened_ns;
	uint64_t heard_ns;

	struct budget budget;   /* its frames that are not answered yet */
	bool deferring;         /* a Submit was put off: so are later ones until one resumes */
	uint64_t patience_ns;   /* until then it was asked to wait */
	uint64_t put_off_bytes; /* since it was asked */
	uint32_t hasty;         /* resumed before, so often since Hello */
	bool visiting;          /* it only asks, and is in nobody's way */
	bool looking_up;        /* an errand of its own is under way */
	bool cosigning;         /* likewise, with a cosignature */
	bool replaying;         /* likewise, with a replay: a share of its window is set aside */
	uint64_t cosigned_ns;   /* when the last one came */
	uint64_t asked_size;    /* of the candidate that was looked at for this session */

	/* Attachments (blob.c). */
	uint32_t blob_puts;                  /* pieces that are not answered yet */
	uint32_t blob_gets;                  /* likewise */
	uint64_t blob_ignored;               /* bytes that came although the window was full */
	uint64_t blob_marks[BLOB_MARKS_MAX]; /* of pieces that were sent and not shown to be read, oldest first */
	uint32_t blob_marks_count;

	struct outbox outbox;
	struct outlet outlet;
	const char *ending; /* constant cause: it is to be closed at the end of the turn */

	struct parcel *turn; /* its committed parcels of this turn, in order */
	struct parcel **turn_tail;
	struct session *turn_next;  /* list of sessions with such parcels */
	struct session *route_next; /* of the table */
};

struct sessions;

/**
 * sessions_new() - an empty table
 * @max: most sessions at once
 * @ret: the table
 * Return: 0 or -ENOMEM.
 */
int sessions_new(size_t max, struct sessions **ret);
void sessions_free(struct sessions *sessions); /* frees the sessions too; takes NULL */
DEFINE_CLEANUP(struct sessions *, sessions_free);

/**
 * sessions_add() - occupy a slot
 * @sessions: the table; no session has this route
 * @route:    the connection
 * @ret:      zeroed but for slot, serial and route
 * Return: 0, SESSIONS_FULL, -ENOMEM.
 */
enum { SESSIONS_FULL = 1 };
int sessions_add(struct sessions *sessions, const struct route *route, struct session **ret);
void sessions_remove(struct sessions *sessions, struct session *session); /* frees it */

/* By connection; by slot and serial: NULL when it has gone; the @nth occupied slot at or after, to walk. */
struct session *sessions_find(const struct sessions *sessions, const struct route *route);
struct session *sessions_at(const struct sessions *sessions, uint32_t slot, uint64_t serial);
struct session *sessions_walk(const struct sessions *sessions, size_t *slot);
size_t sessions_count(const struct sessions *sessions);
/* The session that an outlet is part of. */
struct session *session_of(struct outlet *outlet);

/**
 * session_post() - send a frame, or keep it until the peer's queue takes it
 * @session: to whom
 * @router:  the socket
 * @message: taken over in every case
 * Return: 0, ROUTER_GONE, ROUTER_FULL (the outbox is full too: end the session), negative errno.
 */
int session_post(struct session *session, struct router *router, struct router_message *message);

/**
 * session_retry() - try what the outbox keeps
 * @session: whose
 * @router:  the socket
 * Return: 0 when the outbox is empty now, ROUTER_FULL, ROUTER_GONE, negative errno.
 */
int session_retry(struct session *session, struct router *router);
