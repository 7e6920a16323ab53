/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/delivery/batch.h"
#include "broker/delivery/breaker.h"
#include "broker/delivery/deadline.h"
#include "broker/delivery/lease.h"
#include "broker/delivery/window.h"
#include "broker/routing/rows.h"

/*
 * What delivery remembers of one recipient: how far each lane of its queue was sent, what must be sent
 * again, what is leased. Volatile; a recipient that nobody speaks for needs nothing but its leases.
 * Reactor only.
 *
 * A lane is *behind* when the journal may hold rows from `next` on that were not sent: then the clerk
 * fetches them. Otherwise all rows below `next` were sent, and a newly committed message at or above it is
 * sent from memory. `announced` is one more than the last sequence that a commit told of; a fetch whose
 * snapshot is younger has seen it all, and the lane has caught up.
 */
enum {
	AGAIN_MAX = 64,
	LEASES_MAX = 8192,      /* per recipient */
	OUTCOME_ROWS_MAX = 256, /* sent and not confirmed, per party (docs/protocol.md "Outcomes") */
	OUTLET_PARTIES_MAX = 65, /* parties of one session */
	LANE_UNKNOWN = LANES,    /* of a message that was settled without having been sent */
	KEPT_MAX = 128,
};

struct lane {
	uint64_t next;
	uint64_t announced;
	bool behind;
};

/* A message below `next` that became deliverable again. */
struct again {
	uint8_t lane;
	uint64_t sequence;
};

/* A message in the queue that is not sent: an earlier one of its sender and case waits in the timer. */
struct kept {
	uint8_t lane;
	uint32_t sender;
	uint8_t case_id[16];
	uint64_t sequence;
};

struct recipient;
struct fetch;

/* What delivery knows of a session: its windows, its parties, the frame being filled for it. */
struct outlet {
	uint64_t serial; /* of the session, never 0 */
	struct window window;
	struct batch batch;
	struct recipient *recipients[OUTLET_PARTIES_MAX];
	size_t count;
	bool dirty; /* in delivery's list of outlets with a batch to post */
	struct outlet *dirty_next;
};

struct recipient {
	uint32_t number;
	char name[64];
	struct outlet *outlet; /* NULL: nobody speaks for it now */
	struct lease_table *leases;
	struct deadlines deadlines;
	struct lane lanes[LANES];
	struct again again[AGAIN_MAX];
	size_t again_count;

	struct kept kept[KEPT_MAX];
	size_t kept_count;
	uint64_t kept_from[LANE_OUTCOME]; /* there may be more from here on; UINT64_MAX: none */
	uint64_t released; /* messages that may have held back others, and do no more */

	struct breaker breaker;
	bool held; /* by an operator: its queue rests */

	struct fetch *fetch; /* under way at the clerk */
	bool fetch_stale;    /* what it brings may be outdated: fetch anew */
	uint64_t need_bytes; /* the next message did not fit; wait for so much room */

	size_t failing; /* PARCEL_FAILs on their way; nothing is sent meanwhile, to keep order */
	uint64_t failed_until_ns; /* its failed attempts have used up the allowance up to then */
	uint64_t leaver; /* serial of a session that ended and whose leases still are to be failed */
	const char *leaver_cause;

	uint64_t unconfirmed[OUTCOME_ROWS_MAX]; /* entries of outcome rows that were sent */
	size_t unconfirmed_head;
	size_t unconfirmed_count;
	uint64_t outcome_sent;   /* one more than the last such entry of this session */
	uint64_t confirm_wanted; /* one more than the entry confirmed up to */
	uint64_t confirm_pushed;
	bool confirm_pending; /* PARCEL_CONFIRM on its way */

	bool waiting; /* in delivery's list of recipients to look at */
	struct recipient *waiting_next;
};

/**
 * recipient_new() - one that nobody speaks for
 * @number: party number
 * @name:   party name, at most 63 bytes
 * @ret:    the recipient
 * Return: 0 or -ENOMEM.
 */
int recipient_new(uint32_t number, struct bytes name, struct recipient **ret);
void recipient_free(struct recipient *recipient); /* takes NULL */
DEFINE_CLEANUP(struct recipient *, recipient_free);

/**
 * recipient_attach() - a session speaks for it from now on; all lanes are behind
 * @recipient: without an outlet
 * @outlet:    the session's
 */
void recipient_attach(struct recipient *recipient, struct outlet *outlet);

/**
 * recipient_detach() - its session has gone
 * @recipient: with an outlet
 * @cause:     constant
 * Return: true when messages were leased to it: they are to be failed.
 */
bool recipient_detach(struct recipient *recipient, const char *cause);

/* May a message of so many bytes be sent to it now, credit, share, breaker and state allowing? */
bool recipient_takes(const struct recipient *recipient, uint64_t bytes);

/**
 * recipient_room() - how much may be fetched for it at once, its share among the parties of its session allowing
 * @recipient:    with an outlet, and recipient_takes()
 * @ret_messages: messages, 0 without credit
 * @ret_bytes:    bytes
 */
void recipient_room(const struct recipient *recipient, uint64_t *ret_messages, uint64_t *ret_bytes);

/**
 * recipient_lease() - note that a message goes out
 * @recipient:   with an outlet
 * @lease:       sequence, bytes, attempt and lane; the session is filled in
 * @deadline_ns: monotonic: when it is taken back
 * Return: 0, LEASE_HELD, LEASE_FULL, -ENOMEM.
 */
int recipient_lease(struct recipient *recipient, const struct lease *lease, uint64_t deadline_ns);

/**
 * recipient_renew() - a lease ran out: does it go on, because its attachments are being fetched?
 * @recipient:   the recipient
 * @sequence:    of the message
 * @deadline_ns: monotonic: when it runs out next
 * Return: true when it does.
 */
bool recipient_renew(struct recipient *recipient, uint64_t sequence, uint64_t deadline_ns);

/**
 * recipient_settle() - its session answered for a message: not delivered again until the commit
 * @recipient: with an outlet
 * @sequence:  of the message
 * @cause:     how; an acknowledgement also settles a message that is not leased
 * Return: 0, LEASE_NONE, LEASE_FOREIGN, LEASE_FULL, -ENOMEM.
 */
int recipient_settle(struct recipient *recipient, uint64_t sequence, enum lease_cause cause);

/* Hold a message back while an act that may end it is on its way (LEASE_SETTLING). */
int recipient_hold(struct recipient *recipient, uint64_t sequence);

/**
 * recipient_forget() - the act that settled a message was committed
 * @recipient: the recipient
 * @sequence:  of the message
 * @ended:     it left the queue; else only what is settling is forgotten, because the message may be out
 *             again
 * @ret_lane:  NULL, or its lane (LANE_UNKNOWN when it was never sent)
 * Return: 0, or LEASE_NONE when nothing was to be forgotten.
 */
int recipient_forget(struct recipient *recipient, uint64_t sequence, bool ended, uint8_t *ret_lane);

/* What the lane holds from a sequence on was not sent: fetch it (again). */
void recipient_reopen(struct recipient *recipient, uint8_t lane, uint64_t sequence);

/**
 * recipient_keep() - a message is passed over, because an earlier one of its case waits
 * @recipient: with an outlet
 * @kept:      which
 * @released:  recipient->released when that was so
 */
void recipient_keep(struct recipient *recipient, const struct kept *kept, uint64_t released);

/* A message does not wait in the timer any more: look again at what it held back. */
void recipient_release(struct recipient *recipient, uint8_t lane, const struct queue_row *row);

/* A message that was sent before is deliverable again; LANE_UNKNOWN: look through all lanes. */
void recipient_again(struct recipient *recipient, uint8_t lane, uint64_t sequence);

/**
 * recipient_may_fail() - may its session's doing become one more entry: failed attempts, a replay?
 * @recipient: the recipient; one is counted when it may
 * @now_ns:    monotonic
 *
 * Giving back, leaving and asking for a replay cost the session nothing, and the journal an entry each: a burst is free, after
 * that some a second.
 *
 * Return: false when it has used up its allowance.
 */
bool recipient_may_fail(struct recipient *recipient, uint64_t now_ns);

/* An outcome row was sent; they were confirmed up to an entry (inclusive). */
bool recipient_outcome_room(const struct recipient *recipient);
void recipient_outcome_sent(struct recipient *recipient, uint64_t entry);
void recipient_outcome_confirmed(struct recipient *recipient, uint64_t entry);
