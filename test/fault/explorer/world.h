/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/delivery/lease.h"
#include "broker/routing/asked.h"
#include "broker/routing/fixture.h"
#include "broker/routing/memory.h"
#include "broker/routing/place.h"
#include "proto/base/cleanup.h"
#include "test/fault/explorer/digests.h"

/*
 * One broker, its disk, its adapters and the network between them, small enough to be walked through
 * completely. What the broker decides is decided by the real rules and the real leases; this models only
 * what stands around them: group commit, sessions that carry frames in order, outbox and inbox, crashes.
 *
 * A world is plain bytes without padding, so that two worlds are the same when their bytes are.
 */
enum {
	WORLD_MESSAGES = 2,
	WORLD_LEGS = 3, /* a leg is one message for one recipient */
	WORLD_PARTIES = 4,
	WORLD_EFFECTS = 16, /* of one commit */
};

enum answer { ANSWER_NONE, ANSWER_RECEIPT, ANSWER_REFUSAL };

/* A message as its sender's outbox and the broker's open transaction have it. */
struct world_message {
	uint8_t sent;       /* in this session; until then its Submit is on its way */
	uint8_t decided;    /* enum answer, leaves with the commit */
	uint8_t decided_at; /* sequence */
	uint8_t unused;
	uint8_t known; /* the outbox has it */
	uint8_t known_at;
	uint8_t warned;   /* its sender was told that nobody replied yet, and */
	uint8_t reminded; /* ... in time */
};

/* A message for one recipient, on the broker's side and on the recipient's. */
struct world_leg {
	/* delivery, as the effects of commits tell it */
	uint8_t ready;      /* deliverable: attempts + 1 */
	uint8_t lease;      /* enum lease_state */
	uint8_t expire_due; /* announced, waits for the lease */
	/* acts on their way to the journal, and taken into the open transaction */
	uint8_t ack_pending;  /* 2: of a session that has gone, nobody is answered */
	uint8_t fail_pending; /* 1 at once, 2 with backoff */
	uint8_t expire_pending;
	uint8_t ack_taken;
	uint8_t fail_taken;
	uint8_t expire_taken;
	/* network */
	uint8_t deliver; /* on its way: 1 first, 2 behind another */
	uint8_t ack;
	uint8_t nak;
	uint8_t acknowledged; /* behind a delivery */
	/* the recipient's inbox */
	uint8_t handed;   /* to the legacy system: times */
	uint8_t ack_sent; /* in this session */
	uint8_t done;     /* Acknowledged came: forgotten */
	/* history, and the sender */
	uint8_t delivered; /* was ever sent */
	uint8_t told;      /* enum end_state that the sender was told */
	uint8_t cancel;    /* enum cancelling: its sender's order */
	uint8_t orphan; /* the delivery on its way has no lease any more: it was held meanwhile */
};

/* How far an order to take a leg back has come. */
enum cancelling {
	CANCEL_NONE,
	CANCEL_LOOKED,  /* in the open transaction, or */
	CANCEL_BACK,    /* ... committed: delivery may keep the leg back */
	CANCEL_PENDING, /* kept back, on its way to the journal again */
	CANCEL_TAKEN,   /* decided in the open transaction */
};

struct world_effect {
	uint8_t type;
	uint8_t leg; /* or party: EFFECT_HELD, EFFECT_RELEASED */
	uint8_t attempts;
	uint8_t unused;
};

struct world {
	uint32_t durable;      /* snapshot: what is on disk */
	uint32_t open;         /* snapshot: the open transaction; 0: none */
	uint32_t journal;      /* newest entry on disk */
	uint32_t journal_open; /* newest entry of the open transaction */
	uint32_t now;          /* ms since the beginning */
	uint32_t batch;        /* time of the last commit */
	uint32_t batch_open;
	uint8_t edge[8]; /* fault budgets used, by kind */
	struct world_message messages[WORLD_MESSAGES];
	struct world_leg legs[WORLD_LEGS];
	struct world_effect effects[WORLD_EFFECTS]; /* of the open transaction */
	uint8_t effects_count;
	uint8_t session; /* serial of sessions begun now */
	uint8_t cursor_set;
	uint8_t clock_set;                      /* the next commit notices */
	uint8_t cursor[24];                     /* of rules_tick() */
	uint8_t outcome[WORLD_PARTIES];         /* on its way: entry + 1 */
	uint8_t outcome_next[WORLD_PARTIES];    /* first entry not sent in this session */
	uint8_t confirm_pending[WORLD_PARTIES]; /* on its way to the journal */
	uint8_t rests[WORLD_PARTIES];           /* its queue is held, as delivery knows */
};
_Static_assert(
	sizeof(struct world) == 7 * 4 + 8 + 2 * 8 + 3 * 20 + 16 * 4 + 4 + 24 + 4 * 4, "no padding");

enum {
	EDGE_CRASH,
	EDGE_LOSS,
	EDGE_NAK,
	EDGE_LEGAL,
	EDGE_CLOCK,
	EDGE_HOLD,
	EDGE_CANCEL,
	EDGE_KINDS
};

/* One journal entry, as replay needs it. Entries form a tree: worlds share what they have in common. */
struct world_entry {
	uint32_t parent; /* 0: the first */
	uint32_t batch;  /* ms since the beginning */
	uint8_t kind;    /* EntryKind */
	uint8_t message; /* accepted, refused, legal hold; held, released: whose service */
	uint8_t party;   /* acknowledged; held, released: whose queue, and one */
	uint8_t count;
	struct {
		uint8_t leg;
		uint8_t verdict;  /* acknowledged */
		uint8_t attempts; /* failed */
		uint8_t strikes;  /* failed, dead */
		uint32_t due;     /* failed: ms since the beginning; 0: at once */
	} items[WORLD_LEGS];
};

/*
 * A frame that is lost on its way is the same as one that was never sent: where nothing else can tell
 * sending from arriving, one action does both, and losing it is a crash or a lost session before.
 */
enum action_kind {
	/* adapters */
	ACTION_RECEIVE,      /* leg: take over or recognise, and acknowledge */
	ACTION_RECEIVE_NAK,  /* leg; a fault */
	ACTION_ACK_AGAIN,    /* leg: in a new session */
	ACTION_TAKE_OUTCOME, /* party; only where it can be lost by mistake: else part of sending */
	/* the broker's reactor */
	ACTION_DELIVER,      /* leg */
	ACTION_REACT_ACK,    /* leg */
	ACTION_REACT_NAK,    /* leg */
	ACTION_PUSH_EXPIRE,  /* leg */
	ACTION_SEND_OUTCOME, /* party */
	/* the journal */
	ACTION_SUBMIT,          /* message, out of the outbox */
	ACTION_ACKNOWLEDGE,     /* leg */
	ACTION_ACKNOWLEDGE_ALL, /* party: all its pending ones in one batch */
	ACTION_FAIL,            /* leg */
	ACTION_EXPIRE,          /* leg */
	ACTION_CONFIRM,         /* party */
	ACTION_TICK,
	ACTION_LEGAL,   /* message: an operator puts its case under legal hold, or releases it */
	ACTION_RETRY,   /* leg: these eight are an operator's; what holds something up is a fault */
	ACTION_DISCARD, /* leg */
	ACTION_HOLD,    /* leg */
	ACTION_RELEASE, /* leg */
	ACTION_HOLD_QUEUE,      /* party */
	ACTION_RELEASE_QUEUE,   /* party */
	ACTION_HOLD_SERVICE,    /* message: whose service */
	ACTION_RELEASE_SERVICE, /* message */
	ACTION_CANCEL_LOOK,     /* leg: its sender's order reaches the journal; a fault */
	ACTION_CANCEL_KEEP,     /* leg: delivery keeps it back, or it is under delivery */
	ACTION_CANCEL,          /* leg */
	ACTION_COMMIT,          /* and its answers arrive */
	/* the world */
	ACTION_TIME,         /* until something is due */
	ACTION_CLOCK,        /* the clock is set: 0 far ahead, 1 back by as much; a fault */
	ACTION_LOSE_SESSION, /* party, and begin a new one; a fault */
	ACTION_CRASH,        /* a fault */
	ACTION_COMMIT_CRASH, /* committed, but nobody heard; a fault */
	ACTION_KINDS
};

struct action {
	uint8_t kind;
	uint8_t subject;
};

/* What the explorer can be told to do wrong, to see that it notices. */
enum breakage {
	BREAK_NOTHING,
	BREAK_RECEIPT_BEFORE_COMMIT,
	BREAK_DELIVER_BEFORE_COMMIT,
	BREAK_ACKNOWLEDGED_BEFORE_COMMIT,
	BREAK_SEEN_FORGOTTEN,  /* a crash forgets which messages were recorded */
	BREAK_LEASE_LEAKED,    /* a lost session leaves its leases */
	BREAK_OUTCOME_DROPPED, /* an outcome counts as confirmed when sent */
	BREAK_INBOX_FORGETFUL, /* the recipient hands over whatever comes */
	BREAK_NEWEST_FIRST,    /* delivery takes the newest message */
	BREAK_TOTAL_SKEWED,    /* a crash loses part of a counter */
	BREAK_TIME_UNRECORDED, /* entries carry the time of their commit, not of their decision */
	BREAK_TIME_BACKWARDS,  /* batches take the wall clock's time, also when it was set back */
	BREAK_HOLD_FORGOTTEN,  /* a crash forgets what is under legal hold */
	BREAK_ORDER_FORGOTTEN, /* a crash forgets which cases wait */
	BREAK_REST_FORGOTTEN,  /* a crash forgets that a queue is held */
	BREAK_CANCEL_BLIND,    /* what is under delivery is cancelled, too */
	BREAK_CANCEL_LOOSE,    /* what is being cancelled is not kept back */
	BREAK_DELAY_FREES, /* what is held by an operator is free, although an act about it is under way */
	BREAK_STRIKES_UNTOLD,   /* entries do not say which failures count */
	BREAK_REMINDER_DROPPED, /* what is announced of messages without a reply is not said */
	BREAKAGES
};

enum waits { WAITS_FOR_NOTHING, WAITS_FOR_ANSWER, WAITS_FOR_REPLY };

struct scenario {
	const char *name;
	const char *parties[WORLD_PARTIES]; /* NULL: fewer */
	struct fixture_message messages[WORLD_MESSAGES];
	struct {
		const char *to;
		uint8_t message;
		bool rejects;
	} legs[WORLD_LEGS]; /* NULL: fewer */
	uint8_t budget[EDGE_KINDS];
	bool alone;       /* there is only the first message */
	uint8_t shaky;    /* party whose session may break */
	uint8_t attempts; /* failures of its own until a message is a dead letter; 0: any number */
	enum waits waits; /* message 0 is waited for a word on, and message 1 is it */
};

/* All that worlds of one scenario share. */
struct lab {
	const struct scenario *scenario;
	enum breakage breakage;
	struct rules_fixture fixture;
	size_t parties_count;
	size_t legs_count;
	uint32_t numbers[WORLD_PARTIES];
	uint8_t senders[WORLD_MESSAGES]; /* party */
	uint8_t recipients[WORLD_LEGS];  /* party */
	const struct submit_facts *facts[WORLD_MESSAGES];
	struct arena *scratch; /* of one step */
	struct digests *snapshot_numbers;
	struct state_memory **snapshots;
	struct digests *entry_numbers;
	struct world_entry *entries;
	struct digests *replayed;
	char violation[300]; /* "" while all is well */
};

/* Prepare a scenario; the first world has nothing but the registry on disk. */
void lab_init(struct lab *lab, const struct scenario *scenario, enum breakage breakage);
void lab_deinit(struct lab *lab);
DEFINE_CLEANUP_PTR(struct lab, lab_deinit);
struct world lab_begin(struct lab *lab);

/* A promise is broken: the first one is kept. */
void lab_violate(struct lab *lab, const char *format, ...) _printf_(2, 3);
/* The model itself is wrong: ends the program. */
void lab_must(bool done, const char *what);

/**
 * lab_step() - what an action makes of a world
 * @lab:    the scenario
 * @world:  before; becomes after
 * @action: what happens
 * Return: whether it can happen in this world; broken promises are in @lab.
 */
bool lab_step(struct lab *lab, struct world *world, struct action action);

/* Every promise, in this world; the previous one is for what may only grow. */
void lab_check(struct lab *lab, const struct world *before, const struct world *world);

/* All ended, told, confirmed and forgotten? */
bool lab_is_done(const struct lab *lab, const struct world *world);
bool action_is_fault(enum action_kind kind);
/* Most values of a subject. */
size_t lab_subjects(const struct lab *lab, enum action_kind kind);
const char *action_name(enum action_kind kind);

/* ---- between the files of the model ---- */

/* Number a state; takes it over. */
uint32_t lab_keep(struct lab *lab, struct state_memory *memory);
/* Append an entry; its number. */
uint32_t lab_append(struct lab *lab, const struct world_entry *entry);
/* Entries up to and including this one. */
size_t lab_entries(const struct lab *lab, uint32_t newest);
/* The entry at a sequence of a journal, or NULL. */
const struct world_entry *lab_entry(const struct lab *lab, uint32_t newest, size_t sequence);
/* Sequence of the accepted entry of a message in a journal, or -1. */
int lab_sequence(const struct lab *lab, uint32_t newest, uint8_t message);
/* Where a leg is on disk. */
struct place lab_place(const struct lab *lab, uint32_t snapshot, uint32_t newest, size_t leg);
/* How a leg ended on disk: 0 when it has not. */
uint8_t lab_end(const struct lab *lab, uint32_t snapshot, uint32_t newest, size_t leg);
/* How an item of an entry ended its leg: 0 when it did not. */
uint8_t lab_end_by(const struct lab *lab, const struct world_entry *entry, size_t item);
uint64_t lab_time(uint32_t ms);
/* Milliseconds that a batch begun now would have: never before the last one's. */
uint32_t lab_now(const struct world *world);
/* Use a fault up. Return: false when the scenario has no more of them. */
bool lab_spend(const struct lab *lab, struct world *world, int kind);
/* Is the case of a message under legal hold on disk? */
bool lab_is_held(const struct lab *lab, uint32_t snapshot, uint8_t message);

/* Steps by room: true when the action could happen. */
bool adapter_step(struct lab *lab, struct world *world, struct action action);
bool reactor_step(struct lab *lab, struct world *world, struct action action);
bool journal_step(struct lab *lab, struct world *world, struct action action);
bool orders_step(struct lab *lab, struct world *world, struct action action);
bool faults_step(struct lab *lab, struct world *world, struct action action);

/* The sender is told, and confirms. */
bool outbox_take_outcome(struct lab *lab, struct world *world, uint8_t party);

/* An act of the journal in the open transaction, which begins with the first of them. */
struct txn {
	struct state_memory *memory;
	struct rules rules;
};
void txn_begin(struct lab *lab, struct world *world, struct txn *txn);
void txn_end(struct lab *lab, struct world *world, struct txn *txn);
struct world_entry txn_entry(
	const struct lab *lab, const struct world *world, Dienstweg__EntryKind kind);
void txn_append(
	struct lab *lab, struct world *world, struct txn *txn, const struct world_entry *entry);
/* A leg as the rules name it. */
struct rules_item txn_item(const struct lab *lab, const struct world *world, uint8_t leg);

/* Its sender's signed order to take a leg back. In the scratch arena. */
const struct cancel_facts *lab_cancel_facts(const struct lab *lab, uint8_t leg);
/* Is an earlier one of its case in the way of a leg on disk? As the rules say; and as it is. */
bool lab_is_held_back(const struct lab *lab, const struct world *world, size_t leg);
bool lab_has_earlier(const struct lab *lab, const struct world *world, size_t leg);
/* Is a party's queue held on disk? */
bool lab_rests(const struct lab *lab, uint32_t snapshot, uint8_t party);

/* Load a recipient's leases into a real table, and store what became of them. */
struct lease_table *leases_load(const struct lab *lab, const struct world *world, uint8_t party);
void leases_store(
	const struct lab *lab, struct world *world, uint8_t party, struct lease_table *leases);

/* What a sender waits for (waits.c): services; may the word be sent; say what a tick announced; promises; all told? */
void waits_prepare(struct lab *lab);
bool waits_may_submit(const struct lab *lab, const struct world *world, uint8_t message);
void waits_say(struct lab *lab, struct world *world, struct txn *txn);
int waits_decide(struct rules *rules, const struct rules_item *item, Dienstweg__EntryKind kind,
	struct items_decision *ret);
uint8_t waits_word_by(/* what an outcome says of an item of an entry; 0: nothing */
	const struct lab *lab, const struct world_entry *entry, size_t item);
void waits_check(struct lab *lab, const struct world *world);
bool waits_is_done(const struct lab *lab, const struct world *world);

/* What is on disk stays, and at the adapters; all else goes. */
void world_crash(struct lab *lab, struct world *world);

/* Delivery's view after a commit, or before it where the model is told to be wrong. */
void reactor_commit(struct lab *lab, struct world *world);
/* Delivery's view after a start: what is on disk. */
void reactor_start(struct lab *lab, struct world *world);

/* Would the journal, replayed from nothing, give the state on disk? */
void replay_check(struct lab *lab, const struct world *world);
