/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/routing/rules.h"
#include "proto/base/arena.h"
#include "proto/base/bytes.h"
#include "proto/frame.pb-c.h"
#include "proto/merkle/merkle.h"
#include "proto/registry/registry.h"

/*
 * What travels through the broker's rooms: one received frame (a large Submit: a part of it, so that parties
 * can take turns), or one internal act, with its arena. A parcel has exactly one owner at a time; ownership
 * moves by queue: transport -> verify -> journal -> transport. Parcels come from a pool and keep their
 * arena, so no malloc happens per message.
 */
enum parcel_kind {
	PARCEL_SUBMIT,
	PARCEL_ACKNOWLEDGE,
	PARCEL_CANCEL, /* goes to the journal twice: to look, and to end what delivery kept back in between */
	PARCEL_FAIL, /* nak, or leases of a session that ended */
	PARCEL_EXPIRE,
	PARCEL_CONFIRM,
	PARCEL_COSIGN,   /* a cosignature, checked by transport */
	PARCEL_REGISTRY, /* adopt a new registry */
	PARCEL_FORGET,   /* what a session that was shut out still has waiting is not journaled */
	PARCEL_OPERATE,  /* an operator's act about what is kept */
	PARCEL_TICK, /* from the journal to the reactor: effects of timers; journal_return() it */
	PARCEL_STATE, /* inside the journal: a state entry was made, see broker/journal/state-job.h */
	PARCEL_STOP, /* drain: journal the stop entry, then hand this back last */
};

/* Who sent it, as transport knows it: enough to answer, or to find that the session has gone. */
struct parcel_origin {
	uint32_t session;        /* slot */
	uint64_t session_serial; /* of that slot's occupant */
	uint32_t speaker_number; /* party number of the transport key's party, 0 unknown */
	char speaker[64];        /* its name */
};

/* Proof of one entry under the parcel's checkpoint. */
struct parcel_proof {
	uint64_t sequence;
	uint64_t batch_ms;
	uint64_t registry_version;
	uint8_t class;
	uint8_t nonce[32];
	uint8_t private_digest[32];
	uint32_t path[MERKLE_LEVELS]; /* indexes into parcel.nodes */
	uint32_t path_count;
};

struct parcel_submit {
	Dienstweg__Envelope *envelope; /* in the arena */
	struct submit_facts facts;     /* by verify */
	struct submit_decision
		decision; /* by journal; a duplicate of a refused one has its code, field, detail */
	struct parcel_proof proof;                /* accepted, or duplicate of an accepted one */
	Dienstweg__Signature *recorded_signature; /* duplicate whose recorded signature differs, else NULL */
};

struct parcel_ack {
	Dienstweg__AckBatch *batch;
	struct ack_facts facts;
	struct ack_decision decision;
	struct parcel_proof proof; /* when decision.append */
};

/* A message for one recipient that a sender would take back. */
struct cancel_leg {
	uint32_t item;  /* of the batch */
	uint32_t party; /* 0: there is no such message */
	uint64_t sequence;
	struct bytes recipient;    /* its name */
	struct cancel_place place; /* by journal */
	bool kept; /* by delivery: it was not under way, and does not leave until this is over */
};

struct parcel_cancel {
	Dienstweg__CancelBatch *batch;
	struct cancel_facts facts;
	struct cancel_decision decision; /* by journal */
	struct cancel_leg *legs;         /* by journal, the first time; in order of the batch */
	size_t legs_count;
	size_t kept; /* so many of them, while it goes to the journal the second time */
	bool again;  /* it went there, or was not to */
};

enum operator_what {
	OPERATOR_HOLD = 1,
	OPERATOR_RELEASE,
	OPERATOR_ERASE_CASE, /* entries of a case, with the next weekly union */
	OPERATOR_ERASE_DUE,  /* look now what is due by age */
	OPERATOR_ERASE_NOW,  /* do not wait for the week */
	OPERATOR_INSPECT,    /* records are about to be opened and shown */
	OPERATOR_RETRY,      /* dead letters: deliver them again */
	OPERATOR_DISCARD,    /* ... or end them */
	OPERATOR_HOLD_ITEMS, /* messages */
	OPERATOR_RELEASE_ITEMS,
	OPERATOR_HOLD_QUEUE, /* of a party, or a service */
	OPERATOR_RELEASE_QUEUE,
};

/* What is about to be opened; codes are names (text_is_name()). */
struct inspection {
	char role[64], ground[64];
	char speaker[64]; /* the party that asked over the bus; empty: an operator did */
	char party[64];   /* to whom they go; empty: stays with the operator */
	uint64_t first, last, count;
};

/* An order of an operator, and what became of it. Lives in the parcel's arena. */
struct operator_act {
	enum operator_what what;
	struct case_act about;          /* OPERATOR_ERASE_CASE: the ground is the instruction */
	char cause[64];                 /* OPERATOR_ERASE_NOW: why, one word */
	struct inspection inspection;   /* OPERATOR_INSPECT */
	const uint64_t *sequences;      /* OPERATOR_ERASE_CASE */
	struct queue_act queue;         /* from OPERATOR_RETRY on; the account is that of `about` */
	const struct rules_item *items; /* OPERATOR_RETRY, _DISCARD, _HOLD_ITEMS, _RELEASE_ITEMS */
	size_t count;
	const void *asker; /* PARCEL_REGISTRY: who wants to know, of the room that sent it */
	/* by the journal */
	int verdict;       /* PARCEL_REGISTRY: 0 in force, or REGISTRY_* */
	bool changed;      /* false: it was so already, or there was nothing to do */
	uint64_t sequence; /* of the entry, where there is one */
	size_t taken; /* OPERATOR_ERASE_CASE: entries that wait now; with items: so many were changed */
	bool late; /* OPERATOR_HOLD: a run under way has already erased what was due */
	/* Reactor: it is on disk. */
	void (*done)(struct operator_act *act);
	void *context;
	uint64_t ticket;
};

struct parcel {
	enum parcel_kind kind;
	bool pooled; /* belongs to a pool; only parcel.c looks */
	struct arena *arena;
	struct parcel *next; /* for whoever owns it */
	struct parcel_origin origin;
	Dienstweg__Frame *frame; /* PARCEL_ACKNOWLEDGE, PARCEL_CANCEL, in the arena */
	size_t charge; /* bytes charged to the session until it is answered: the frame's, or what it costs */
	bool spoilt; /* verify ran out of budget: not journaled, answered "malformed" */
	struct registry *registry; /* verify's snapshot (referenced); PARCEL_REGISTRY: the new one */
	int verdict; /* PARCEL_REGISTRY, by journal: 0 in force now, else REGISTRY_* */

	struct parcel_submit *submits; /* PARCEL_SUBMIT */
	size_t submits_count;
	struct parcel_ack *acks; /* PARCEL_ACKNOWLEDGE */
	size_t acks_count;
	struct parcel_cancel *cancel; /* PARCEL_CANCEL */
	struct rules_item *items; /* PARCEL_FAIL, PARCEL_EXPIRE; PARCEL_ACKNOWLEDGE: what settles, delivery's */
	size_t items_count;
	const char *cause; /* PARCEL_FAIL: in the arena */
	uint32_t delay_ms;
	bool backoff;
	struct operator_act *act; /* PARCEL_OPERATE; PARCEL_REGISTRY when somebody asked for it, else NULL */
	uint32_t party;           /* PARCEL_CONFIRM; PARCEL_FORGET: the speaker's number */
	uint64_t sequence; /* PARCEL_CONFIRM; PARCEL_FORGET: the session's serial; PARCEL_STATE: of its entry */

	/* after commit */
	struct effect *effects;  /* in the arena, in order */
	struct bytes checkpoint; /* signed note, in the arena; empty when there is no proof in here.
				    PARCEL_COSIGN: what was cosigned, from the start */
	uint64_t tree_size;
	uint8_t *nodes; /* nodes_count * 32 bytes, in the arena */
	size_t nodes_count;
};

/* So many legs may a batch of cancellations come to have. */
size_t parcel_legs_max(const Dienstweg__CancelBatch *batch);

/* A pool owned by the reactor: parcels are taken and given back on its thread only. */
struct parcel_pool;
/**
 * parcel_pool_new() - make a pool
 * @parcels_max:  most parcels out at once
 * @arena_budget: of each parcel's arena
 * @ret:          the pool
 * Return: 0 or -ENOMEM.
 */
int parcel_pool_new(size_t parcels_max, size_t arena_budget, struct parcel_pool **ret);
void parcel_pool_free(struct parcel_pool *pool); /* every parcel taken must be back; takes NULL */
DEFINE_CLEANUP(struct parcel_pool *, parcel_pool_free);
struct parcel *parcel_take(struct parcel_pool *pool, enum parcel_kind kind); /* NULL: all are out */
size_t parcel_pool_out(const struct parcel_pool *pool); /* taken and not given back */

/**
 * parcel_give() - give a parcel back: its registry reference is dropped, its arena forgets everything
 * @pool:   whose it is; one made by parcel_new() is freed instead
 * @parcel: takes NULL
 */
void parcel_give(struct parcel_pool *pool, struct parcel *parcel);

/**
 * parcel_is_inflated() - does it take more memory than an honest frame of its size?
 * @parcel: unpacked, perhaps verified
 * @bytes:  its frame's size, or what was charged for it
 * Return: true when it is hostile: protobuf-c makes up to 76 bytes of one, an honest frame takes four. What
 *         passes leaves the journal more room in the arena than it can need.
 */
bool parcel_is_inflated(const struct parcel *parcel, size_t bytes);

/**
 * parcel_new() - a parcel outside every pool, for a thread that has none (the journal's PARCEL_TICK)
 * @kind:         what it carries
 * @arena_budget: of its arena
 * @ret:          the parcel; parcel_free(), or parcel_give() on the reactor
 * Return: 0 or -ENOMEM.
 */
int parcel_new(enum parcel_kind kind, size_t arena_budget, struct parcel **ret);
void parcel_free(struct parcel *parcel); /* takes NULL */
DEFINE_CLEANUP(struct parcel *, parcel_free);
