/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "broker/routing/rules.h"
#include "proto/base/cleanup.h"

/*
 * Leases of one recipient: which of its queued messages are out at an adapter, or on their way back
 * through the journal. Volatile by design (design sections 3.10, 11): a crash forgets them all and the
 * queue rows are delivered again. One table per recipient, so that nobody can use up another's leases.
 * Pure: no clock, no I/O. Reactor thread only; no memory is taken per lease, the table doubles up to its
 * bound and never shrinks.
 *
 *   (free) -- lease_take() --> OUT -- lease_end() --> SETTLING -- lease_forget() --> (free)
 *
 * OUT      sent to a session. Expiry and cancellation wait.
 * SETTLING the session has answered or gone; an acknowledgement or failure is on its way through the
 *          journal. Not delivered again, because the commit may end it; expiry need not wait, since what
 *          is pushed later is decided later.
 * (free)   the commit came back: EFFECT_ENDED took it out of the queue, EFFECT_QUEUED (or an acknowledgement that was
 *          refused) makes it deliverable again. EFFECT_DELAYED frees what is OUT alone: what is SETTLING is freed by
 *          the act that is on its way.
 *
 * An act about a message that is free (a late acknowledgement, an expiry) takes a lease and ends it at once,
 * so that nothing goes out while the act is under way. What comes back with the commit forgets a lease that
 * is SETTLING; one that is OUT again by then is forgotten only when the message ended or was delayed.
 */
enum {
	LEASE_HELD = 1,    /* lease_take(): out or settling already */
	LEASE_FULL = 2,    /* lease_take(): the recipient has its most leases */
	LEASE_NONE = 3,    /* no such lease, or not in the state asked for */
	LEASE_FOREIGN = 4, /* lease_end(): a nak from a session that does not hold it */
};

enum lease_state {
	LEASE_FREE = 0,
	LEASE_OUT = 1,
	LEASE_SETTLING = 2,
};

enum lease_cause {
	LEASE_ACKNOWLEDGED, /* counts from any session that speaks for the recipient: check that first */
	LEASE_NAKED,        /* counts only from the session that holds it */
};

struct lease {
	uint64_t sequence;
	uint64_t session; /* serial of the session it went to */
	uint32_t bytes;   /* of the message, for the cap on unacknowledged bytes */
	uint16_t attempt; /* 1 at first: queue_row.attempts + 1 */
	uint8_t lane;
	uint8_t state; /* enum lease_state, set by this module */
	bool busy; /* its recipient has fetched attachments since the lease began, or was renewed */
	uint8_t renewals; /* so far */
};

struct lease_table;

/**
 * lease_table_new() - an empty table
 * @party: the recipient's number
 * @max:   most leases at once, 1..65536
 * @ret:   the table
 * Return: 0 or -ENOMEM.
 */
int lease_table_new(uint32_t party, size_t max, struct lease_table **ret);
void lease_table_free(struct lease_table *table); /* takes NULL */
DEFINE_CLEANUP(struct lease_table *, lease_table_free);

/**
 * lease_take() - note that a message goes out; send it only on 0
 * @table: the recipient's
 * @lease: sequence, session, bytes, attempt and lane; copied
 * Return: 0, LEASE_HELD, LEASE_FULL, -ENOMEM.
 */
int lease_take(struct lease_table *table, const struct lease *lease) _must_use_;

/**
 * lease_end() - the recipient answered: OUT becomes SETTLING
 * @table:    the recipient's
 * @sequence: of the message
 * @session:  serial of the session that answered
 * @cause:    how
 * @ret:      NULL, or a copy of the lease
 *
 * On LEASE_NONE an acknowledgement is pushed to the journal all the same (it may be late), a nak is not.
 *
 * Return: 0, LEASE_NONE, LEASE_FOREIGN.
 */
int lease_end(struct lease_table *table, uint64_t sequence, uint64_t session,
	enum lease_cause cause, struct lease *ret);

/**
 * lease_end_session() - a session has gone: its leases become SETTLING
 * @table:   the recipient's
 * @session: its serial
 * @items:   room for @max: what to give to rules_fail(), in order of sequence
 * @max:     at least 1; call again while the result equals @max
 * Return: how many items.
 */
size_t lease_end_session(
	struct lease_table *table, uint64_t session, struct rules_item *items, size_t max);

/**
 * lease_forget() - the commit that settles it came back (or the message ended without being leased)
 * @table:    the recipient's
 * @sequence: of the message
 * Return: 0, or LEASE_NONE.
 */
int lease_forget(struct lease_table *table, uint64_t sequence);

/**
 * lease_mark() - the session that holds it is fetching what belongs to the message
 * @table:    the recipient's
 * @sequence: of the message
 * @session:  its serial
 */
void lease_mark(struct lease_table *table, uint64_t sequence, uint64_t session);

/**
 * lease_renew() - it has run out: does it go on once more, because it was marked?
 * @table:    the recipient's
 * @sequence: of the message
 * Return: true when it does; the mark is taken off. So often that 2 GiB come through, not for ever.
 */
bool lease_renew(struct lease_table *table, uint64_t sequence);

/**
 * lease_holds() - where a message is
 * @table:    the recipient's
 * @sequence: of the message
 * @ret:      NULL, or a copy of the lease when it is not LEASE_FREE
 * Return: enum lease_state.
 */
enum lease_state lease_holds(const struct lease_table *table, uint64_t sequence, struct lease *ret);

/* Leases OUT, and the bytes of their messages; leases in any state. */
size_t lease_out_count(const struct lease_table *table);
uint64_t lease_out_bytes(const struct lease_table *table);
size_t lease_count(const struct lease_table *table);
