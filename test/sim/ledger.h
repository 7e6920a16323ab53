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
enum { LEDGER_PARTIES_MAX = 16, LEDGER_RECIPIENTS_MAX = 8 };

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
	struct leg *legs;
	size_t legs_count;
};

struct leg {
	uint8_t recipient;
	uint8_t end; /* enum end_state; 0: open */
	uint64_t ended_by;
	bool delayed;   /* waits for a time */
	bool dead;      /* waits for an operator */
	bool delivered; /* was ever sent */
	uint64_t handed; /* to the recipient's legacy system, by its adapter's so manieth life; 0: not yet */
	bool told; /* the sender's legacy system knows the end */
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
	} by_party[LEDGER_PARTIES_MAX];
	uint64_t open, ended, told, dead;
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
/* A delivery failed: it goes back into the queue, or waits. */
void ledger_failed(
	struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient, bool waits);

/* It became a dead letter, or is one no more. */
void ledger_dead(
	struct ledger *ledger, uint64_t entry, uint64_t message, uint8_t recipient, bool dead);
/* An acknowledgement of what nobody delivered: who would do that? */
void ledger_unknown(struct ledger *ledger, uint8_t recipient, uint64_t message);

/**
 * ledger_next_dead() - a dead letter
 * @ledger:    the ledger
 * @message:   from this one on; which it is
 * @recipient: in it, from this one on; whose it is
 * Return: false when there is no more.
 */
bool ledger_next_dead(const struct ledger *ledger, uint64_t *message, uint8_t *recipient);

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

/* The sender has a receipt, or the end of its message for one recipient. */
void ledger_recorded(struct ledger *ledger, uint8_t sender, const uint8_t *h, uint64_t sequence);
void ledger_told(struct ledger *ledger, uint8_t sender, const uint8_t *h, uint8_t recipient,
	struct bytes state);
/* Handed over for good, in the so manieth life of the adapter: again only after a crash in between. */
void ledger_handed(struct ledger *ledger, uint8_t recipient, uint64_t message, const uint8_t *h,
	uint64_t life);

/* When all has come to rest: everything ended, and everybody knows. */
void ledger_rest(struct ledger *ledger);
