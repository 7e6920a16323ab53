/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/access/askers.h"
#include "broker/blob/store.h"
#include "broker/transport/answer.h"
#include "broker/transport/bars.h"
#include "broker/transport/door.h"
#include "broker/transport/frame.h"
#include "broker/transport/lines.h"
#include "broker/transport/peers.h"
#include "broker/transport/replay.h"
#include "broker/transport/session.h"
#include "broker/transport/transport.h"
#include "proto/note/cosignature.h"

/*
 * The inside of transport, shared by its files: intake.c (frames in, one handler per kind), submit.c,
 * acknowledge.c and cancel.c (what goes to the journal), connections.c, hello.c, lookup.c, replay.c, cosign.c and access.c (what clerks are asked), turn.c (what comes
 * back from the journal), transport.c (sessions' life, sending). Nobody else includes this.
 */
enum {
	SCRATCH_BUDGET = 1 << 20,
	SMALL_FRAME_MAX = 64 *
			  1024, /* frames that are handled at once; only Submit and Acknowledge are large */
	TURN_FRAMES_MAX = 256, /* frames taken per turn, so that commits and timers get theirs */
	TURN_BYTES_MAX = 1 << 20,
	BLOB_FRAME_MAX = BLOB_PIECE_MAX + 1024,
	TURN_PARCELS_MAX = 256,
	BUSY_RETRY_MS = 100,
	DRAINING_RETRY_MS = 1000,
};

/* What witnesses are asked to cosign. */
struct candidate {
	uint64_t size; /* 0: none yet */
	uint64_t made_ns;
	size_t len;
	uint8_t note[CHECKPOINT_NOTE_MAX];

	/* The one before: what a slow witness says of it still counts. */
	uint64_t before_size;
	size_t before_len;
	uint8_t before[CHECKPOINT_NOTE_MAX];
};

/* The journal is in doubt: until enough witnesses are sure, nobody gets a session. */
struct hold {
	bool on;
	size_t sure_count;
	char sure[POLICY_KEYS_MAX][64]; /* witnesses whose newest checkpoint this journal extends */
	char unsure[64];                /* one whose it does not extend; empty: none */
	char why[POLICY_KEYS_MAX * 64 + 32];
};

struct transport {
	struct transport_options options;
	struct registry *registry; /* in force, as far as this thread knows */
	struct sessions *sessions;
	struct arena *scratch; /* of the frame being handled */
	struct answer *answer;
	struct parcel *turn[TURN_PARCELS_MAX];
	size_t turn_count;
	size_t turn_verified;          /* parcels, by this thread itself */
	struct session *turn_sessions; /* with parcels in this turn */
	struct budget budget;          /* over all sessions */
	struct bars bars;              /* who flooded */
	struct lines *lines;           /* in the log, about parties */
	struct peers *peers;           /* connections, with a session or without */
	struct door *door;             /* how often they come */
	struct peers_counts told;      /* of them, in the log */
	struct door_counts door_told;  /* likewise */
	uint64_t told_ns;              /* when; 0: not yet */
	struct askers askers;          /* who asked for reports */
	struct asking *askings;        /* reports that are being made */
	size_t waiting;                /* sessions whose outbox is not empty, at most */
	bool ending;                   /* a session is to be closed at the end of the turn */
	bool reloading;    /* the registry file is being looked at, or on its way to the journal */
	bool reload_again; /* it may have changed since */
	bool draining;
	bool stopping; /* PARCEL_STOP was pushed: nothing may follow it */
	bool stopped;  /* it came back */
	struct candidate candidate;
	struct hold hold;
	struct replays replays;
	bool sweeping;        /* the porter looks for attachments that nobody needs */
	uint64_t swept_ns;    /* when it began, last; 0: not yet */
	uint64_t swept_erase; /* end of the run of erasure that this look followed */
	struct transport_counters counters;
};

/* A frame that is being handled. */
struct incoming {
	const struct router_frame *raw;
	struct frame_peek peek;
	struct bytes speaker;    /* party of the transport key, in the registry */
	Dienstweg__Frame *frame; /* unpacked into the scratch arena, for small kinds */
};

/* ---- transport.c ---- */

/**
 * transport_send() - send a frame to a session; it may be marked to end
 * @transport: transport
 * @session:   to whom
 * @frame:     body set
 */
void transport_send(struct transport *transport, struct session *session, Dienstweg__Frame *frame);

/**
 * transport_send_error() - tell a peer what is wrong with its frame, session or not
 * @transport: transport
 * @incoming:  the frame
 * @code:      docs/protocol.md "Errors"
 * @field:     what it hangs on
 * @detail:    a sentence with the remedy
 */
void transport_send_error(struct transport *transport, const struct incoming *incoming,
	const char *code, const char *field, const char *detail);

/**
 * transport_shut_out() - end a session, cut its connection, and keep its key out for a while
 * @transport: transport
 * @session:   whose
 * @incoming:  the frame that was one too many
 * @detail:    a sentence with the remedy
 */
void transport_shut_out(struct transport *transport, struct session *session,
	const struct incoming *incoming, const char *detail);

/* May a line about this party go into the log? One that it may bring about as often as it likes asks. */
bool transport_tells(struct transport *transport, const char *party);

/* To be closed at the end of the turn; the cause is a constant code. */
void transport_end(struct transport *transport, struct session *session, const char *cause);
/* Closed now: deliveries go back, the slot is free. */
void transport_close(struct transport *transport, struct session *session, const char *cause);

/* Does the party of this session's key still speak for all its parties? */
bool transport_may_speak(const struct transport *transport, const struct session *session);

/* To verify, or straight on when it is small and all that its session has under way; @parcel is charged to it. */
void transport_pass_on(
	struct transport *transport, const struct session *session, struct parcel *parcel);

/* ---- budget.c ---- */

/* May this session have a Submit, or an Acknowledge, of so many bytes under way? */
bool budget_fits_submit(
	const struct transport *transport, const struct session *session, size_t bytes);
bool budget_fits_acknowledge(
	const struct transport *transport, const struct session *session, size_t bytes);

/* The origin of a session's parcel, and its share of the budget; given back when it is answered. */
void budget_charge(
	struct transport *transport, struct session *session, struct parcel *parcel, size_t bytes);
void budget_return(struct transport *transport, struct parcel *parcel);

/* ---- lookup.c ---- */

/**
 * checkpoint_read() - newest committed checkpoint, on the clerk's thread
 * @reader:  begun
 * @buf:     room for the note, CHECKPOINT_NOTE_MAX bytes
 * @ret_len: its length
 * @ret:     what it says
 * Return: 0, READER_*, negative errno.
 */
int checkpoint_read(
	struct journal_reader *reader, uint8_t *buf, size_t *ret_len, struct checkpoint *ret);

/* An Error about something that a session asked for. */
void session_error(struct transport *transport, struct session *session, const char *code,
	const char *field, const char *detail);

/* ---- cancel.c ---- */

/* A cancellation is back: is there something to end, and has it been sent on for that? */
bool cancel_goes_again(struct transport *transport, struct parcel *parcel);
void cancel_done(struct transport *transport, struct parcel *parcel); /* it is over: answer */

/* ---- connections.c ---- */

int connections_init(struct transport *transport); /* 0 or -ENOMEM */

/* A session was opened, or an open one ended: its connection has one, or none any more. */
void connections_session_opened(struct transport *transport, const struct session *session);
void connections_session_ended(struct transport *transport, const struct session *session);

/* What counts the bytes on their way by a connection, held; NULL without memory. */
struct tally *connections_tally(struct transport *transport, int fd);

/* Now and then: cut what has had no session for too long; tell the operator of cuts. */
void connections_tick(struct transport *transport, uint64_t now_ns);

/* ---- cosign.c ---- */

/* Now and then: name a candidate when it is time, send it to witnesses that do not have it. */
void candidate_tick(struct transport *transport, uint64_t now_ns);

/* ---- blob.c ---- */

/* Now and then: look for attachments that nobody needs any more. */
void blob_tick(struct transport *transport, uint64_t now_ns);

/* ---- hold.c ---- */

/* What a Hello says while the journal is in doubt. */
struct hold_claim {
	const char (*parties)[64];
	size_t count;
	uint64_t size; /* of the newest checkpoint it saw; 0: none */
	bool forked;   /* the journal does not extend that one */
};

/**
 * hold_hear() - a Hello while the journal is in doubt: answered "busy", and taken into account
 * @transport: on hold
 * @session:   opening; it ends
 * @claim:     its parties have been found to be its own
 */
void hold_hear(struct transport *transport, struct session *session, const struct hold_claim *claim);

/* ---- access.c ---- */

/* What is under way is not answered any more. */
void access_end(struct transport *transport);

/* ---- one handler per kind of frame; @session is open, but for Hello ---- */
void hello_handle(struct transport *transport, struct session *session, struct incoming *incoming);
void submit_handle(struct transport *transport, struct session *session, struct incoming *incoming);
void acknowledge_handle(
	struct transport *transport, struct session *session, struct incoming *incoming);
void cancel_handle(struct transport *transport, struct session *session, struct incoming *incoming);
void get_registry_handle(
	struct transport *transport, struct session *session, struct incoming *incoming);
void get_checkpoint_handle(
	struct transport *transport, struct session *session, struct incoming *incoming);
void get_proof_handle(
	struct transport *transport, struct session *session, struct incoming *incoming);
void get_access_handle(
	struct transport *transport, struct session *session, struct incoming *incoming);
void replay_handle(struct transport *transport, struct session *session, struct incoming *incoming);
void cosign_handle(struct transport *transport, struct session *session, struct incoming *incoming);
void put_blob_handle(
	struct transport *transport, struct session *session, struct incoming *incoming);
void get_blob_handle(
	struct transport *transport, struct session *session, struct incoming *incoming);
