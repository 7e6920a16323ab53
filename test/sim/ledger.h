/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/routing/rows.h"
#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"
#include "proto/merkle/merkle.h"

/*
 * What the bus has promised so far, kept beside it: every entry that was committed, and everything that
 * anybody outside was told. Each call checks its part of the design's promises (section 3) and keeps the
 * first that is broken. It knows no broker and no journal, so that it can be tested with histories in which
 * promises are broken.
 */
enum { LEDGER_PARTIES_MAX = 16, LEDGER_RECIPIENTS_MAX = 8, LEDGER_SERVICES_MAX = 16 };

struct leg; /* one message for one recipient */

struct ledger_entry {
	uint8_t kind; /* EntryKind */
	uint8_t stub[35];
	struct merkle_hash root; /* of the tree with this entry as its last */
	uint8_t h[HASH_SIZE];    /* accepted, refused */
	uint8_t sender;
	uint8_t lane;
	bool timed; /* has a time before which it does not go, or after which it is not wanted */
	bool event; /* for all who subscribe, some of them later */
	uint8_t message_kind; /* Kind */
	uint8_t service;      /* of the ledger's */
	uint8_t case_id[16];
	uint64_t due_ms; /* an enquiry, or a submission that may be overdue: when its time is over; 0: never */
	uint64_t replied_by;  /* entry of its answer or reply; 0: none */
	uint64_t reminded_by; /* entry that says that it is overdue; 0: none */
	uint64_t warned_by;   /* entry that says that it soon will be; 0: none */
	uint64_t warned;      /* as @reminded */
	uint64_t reminded; /* the sender's legacy system was told that in its adapter's so manieth life; 0: not */
	struct leg *legs;
	size_t legs_count;
};

struct leg {
	uint8_t recipient;
	uint8_t end; /* enum end_state; 0: open */
	uint64_t ended_by;
	bool delayed;     /* waits for a time */
	bool dead;        /* waits for an operator */
	bool held;        /* by an operator */
	uint64_t held_by; /* this entry */
	bool delivered;   /* was ever sent */
	uint64_t handed; /* to the recipient's legacy system, by its adapter's so manieth life; 0: not yet */
	bool told;          /* the sender's legacy system knows the end */
	uint64_t told_life; /* since its adapter's so manieth life */
	bool heard;         /* it ended without its recipient, who spoke later */
};

/* What an operator may hold, beside single messages. */
struct ledger_hold {
	bool held;
	uint64_t by; /* this entry */
};

struct slot; /* of a table by h */

struct ledger {
	char parties[LEDGER_PARTIES_MAX][64];
	size_t parties_count;
	struct ledger_entry *entries;
	size_t count, room;
	struct merkle_edge edge; /* of the tree of all entries */
	uint64_t accepted;       /* entries up to the newest "accepted" */
	uint64_t final;          /* as many have been seen under a quorum of witnesses */
	struct slot *slots;
	size_t slots_mask, slots_count;
	struct {
		uint64_t open;                /* legs for this recipient */
		uint64_t first[LANE_OUTCOME]; /* no leg below it was never delivered and could be */
		bool careless;                /* keeps to no protocol */
		struct ledger_hold hold;      /* of its queue */
	} by_party[LEDGER_PARTIES_MAX];
	struct {
		char name[64];
		struct ledger_hold hold;
	} services[LEDGER_SERVICES_MAX];
	size_t services_count;
	uint64_t bound; /* whoever delivers knows of the entries below */
	uint64_t open, ended, told, dead, held;
	uint64_t waiting; /* submissions whose senders are yet to be reminded, or replied to */
	uint64_t reminders, reminded;
	char violation[300]; /* "" while all is well */
};

/* Nothing has happened yet. */
void ledger_init(struct ledger *ledger);
void ledger_deinit(struct ledger *ledger);
DEFINE_CLEANUP_PTR(struct ledger, ledger_deinit);

/* Keep what is broken; the first only. */
void ledger_violate(struct ledger *ledger, const char *format, ...) _printf_(2, 3);

/* Number of a party, given when it is new. */
uint8_t ledger_party(struct ledger *ledger, struct bytes name);

/* Number of a service, likewise. */
uint8_t ledger_service(struct ledger *ledger, struct bytes name);

/* This party listens to nobody: it need not know how its messages ended, and may acknowledge what it never had. */
void ledger_careless(struct ledger *ledger, uint8_t party);

/* ---- what was committed, entry by entry ---- */

/**
 * ledger_commit() - an entry is on disk
 * @ledger:   the ledger; entries come in order
 * @sequence: of the entry
 * @kind:     EntryKind
 * @stub:     its commitment, which may never change again
 * Return: the entry, to be filled in by the calls below.
 */
struct ledger_entry *ledger_commit(
	struct ledger *ledger, uint64_t sequence, uint8_t kind, struct bytes stub);

/* What an entry "accepted" says, and an entry "refused". */
struct ledger_accepted {
	const uint8_t *h;
	uint8_t sender, lane;
	bool timed;
	bool delayed;
	bool event;
	struct bytes service;
	uint8_t kind;               /* Kind */
	const uint8_t *case_id;     /* 16 bytes */
	const uint8_t *in_reply_to; /* h, or NULL */
	uint64_t at_ms;             /* batch time */
	uint64_t due_ms;            /* as in struct ledger_entry */
	uint64_t pending_max; /* an enquiry: so many of a sender and service may wait for an answer */
	uint8_t recipients[LEDGER_RECIPIENTS_MAX];
	size_t recipients_count;
};
/* Fill in an entry "accepted", or "refused": @final when that is so for the id. */
void ledger_accepted(struct ledger *ledger, uint64_t sequence, const struct ledger_accepted *what);
void ledger_refused(struct ledger *ledger, uint64_t sequence, const uint8_t *h, bool final);

/* An entry ended a message for a recipient, or tried to. */
void ledger_ended(struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient,
	enum end_state end);
void ledger_already(struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient);
/* A recipient spoke after a message had ended without it, which counts once. */
void ledger_late(struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient);
/* A delivery failed: it goes back into the queue, or waits. */
void ledger_failed(
	struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient, bool waits);

/* It became a dead letter, or is one no more. */
void ledger_dead(
	struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient, bool dead);
/* Nobody replied in time, and the sender is to be told. */
void ledger_overdue(
	struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient, uint64_t at_ms);

/* Nobody replied yet, and the sender is warned. */
void ledger_due_soon(struct ledger *ledger, uint64_t entry, uint64_t message, uint64_t at_ms);

/* An operator holds a message, a queue, or what will come for a service; or does so no more. */
void ledger_held(
	struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient, bool held);
void ledger_held_queue(struct ledger *ledger, uint64_t entry, uint8_t recipient, bool held);
void ledger_held_service(struct ledger *ledger, uint64_t entry, struct bytes service, bool held);
/* The operator was told of this entry, or the broker was started anew: what is held from here on does not leave. */
void ledger_binds(struct ledger *ledger, uint64_t entries);
/* An acknowledgement of what nobody delivered: who would do that? */
void ledger_unknown(struct ledger *ledger, uint8_t recipient, uint64_t message);

/* Where a message may be that has not ended. */
enum ledger_place { LEDGER_QUEUED, LEDGER_DEAD, LEDGER_HELD };

/**
 * ledger_next() - a message that is in such a place
 * @ledger:    the ledger
 * @place:     the place; LEDGER_QUEUED: or under delivery, or waits for a time
 * @message:   from this one on; which it is
 * @recipient: in it, from this one on; whose it is
 * Return: false when there is no more.
 */
bool ledger_next(const struct ledger *ledger, enum ledger_place place, uint64_t *message,
	uint8_t *recipient);

/* The entry as it stands on disk after a restart: it is what it was. */
void ledger_again(struct ledger *ledger, uint64_t sequence, struct bytes stub);
/* How many entries are on disk after a restart: none is missing. */
void ledger_size(struct ledger *ledger, uint64_t size);
/* Open messages of a recipient, as the journal counts them. */
void ledger_total(struct ledger *ledger, uint8_t recipient, uint64_t messages);

/* ---- what left the broker ---- */

/* Each names an entry that is committed and says the same. */
void ledger_saw_receipt(struct ledger *ledger, const uint8_t *h, uint64_t sequence);
void ledger_saw_refusal(struct ledger *ledger, const uint8_t *h, uint64_t sequence);
void ledger_saw_delivery(
	struct ledger *ledger, uint8_t recipient, uint64_t message, const uint8_t *h);
/**
 * ledger_saw_outcome() - a sender is told how a message ended for a recipient
 * @ledger:    the ledger
 * @sender:    who is told
 * @entry:     that ended it, as the frame says
 * @message:   sequence of the message
 * @h:         its identity
 * @recipient: for whom it ended
 * @state:     how, in the words of the protocol
 */
void ledger_saw_outcome(struct ledger *ledger, uint8_t sender, uint64_t entry, uint64_t message,
	const uint8_t *h, uint8_t recipient, struct bytes state);
/* A tree head names entries that are committed, and no others; @final: and a quorum of witnesses says so. */
void ledger_saw_checkpoint(
	struct ledger *ledger, uint64_t size, const struct merkle_hash *root, bool final);
/* A party gets once more what it took before (@taken), or an event of before it subscribed; nothing else. */
void ledger_saw_replayed(
	struct ledger *ledger, uint8_t party, uint64_t message, const uint8_t *h, bool taken);
/* A recipient may forget a message: its end is on disk. */
void ledger_saw_acknowledged(struct ledger *ledger, uint8_t recipient, uint64_t message);

/* Its sender takes a message back: it may be overtaken while the broker is at it. */
void ledger_recalled(struct ledger *ledger, uint64_t message);
/* A sender that takes a message back is told where it is; what says no end is passed over. */
void ledger_saw_cancelled(struct ledger *ledger, uint8_t sender, uint64_t message,
	uint8_t recipient, struct bytes state);

/* ---- what legacy systems were told, and took ---- */

/* The sender has a receipt. */
void ledger_recorded(struct ledger *ledger, uint8_t sender, const uint8_t *h, uint64_t sequence);

/**
 * ledger_told() - the sender knows the end of its message for one recipient
 * @ledger:    the ledger
 * @sender:    who is told
 * @h:         of the message
 * @recipient: for whom it ended
 * @state:     how, in the words of the protocol
 * @life:      of the sender's adapter: once in each at most
 */
void ledger_told(struct ledger *ledger, uint8_t sender, const uint8_t *h, uint8_t recipient,
	struct bytes state, uint64_t life);
/* The sender is told that its message is overdue, in the so manieth life of its adapter. */
void ledger_reminded(
	struct ledger *ledger, uint8_t sender, const uint8_t *h, uint8_t recipient, uint64_t life);
/* And, before, that it soon will be. */
void ledger_warned(struct ledger *ledger, uint8_t sender, const uint8_t *h, uint64_t life);
/* An asker has the answer to its enquiry. */
void ledger_answered(struct ledger *ledger, uint8_t sender, const uint8_t *h, uint64_t answer);
/* Handed over for good, in the so manieth life of the adapter: again only after a crash in between. */
void ledger_handed(struct ledger *ledger, uint8_t recipient, uint64_t message, const uint8_t *h,
	uint64_t life);

/* When all has come to rest: everything ended, and everybody knows. */
void ledger_rest(struct ledger *ledger);
