/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/config.h"
#include "proto/base/bytes.h"

/*
 * The only public C API: an adapter is one ops struct and one call (design section 12). The SDK owns
 * arguments, configuration, keys, sockets, outbox, inbox, receipts, reconnecting, logging and shutdown.
 * The adapter owns its legacy system, and a pure map between the legacy form and case.proto.
 *
 * One thread: every op is called on the adapter's thread and must not block for long; it returns 0, or a
 * negative errno that ends the adapter (a supervisor restarts it).
 *
 * What is promised: a message handed over with dw_submit() whose turn was committed is sent until it has a
 * receipt or a refusal, also over crashes, exactly once by its key. A delivery is handed to to_agency()
 * at least once, with the same message id each time; together with a connector that is idempotent by that
 * id (adapters/connectors/folder.h) exactly once.
 */
struct dw_adapter;
struct registry;

enum dw_kind { DW_SUBMISSION = 1, DW_REPLY = 2, DW_EVENT = 3, DW_ENQUIRY = 4, DW_ANSWER = 5 };

/* A file that goes with a message, of up to 1.96 GiB. */
struct dw_attachment {
	const char *path;
	struct bytes name;         /* for the recipient: a file name, without folders */
	struct bytes content_type; /* media type */
};
enum { DW_ATTACHMENTS_MAX = 16 };

/* A message to send. All views are copied by dw_submit(). */
struct dw_message {
	struct bytes key; /* the legacy system's own, 1..200 bytes: the same key again is the same message */
	struct bytes sender; /* empty: the adapter's first party */
	enum dw_kind kind;
	struct bytes service;
	struct bytes recipient; /* this, or region */
	struct bytes region;
	const uint8_t *case_id;     /* 16 bytes, or NULL for a new case */
	const uint8_t *in_reply_to; /* h, or NULL */
	struct bytes content_type;
	struct bytes schema;
	struct bytes body;
	uint32_t status;   /* Status of envelope.proto */
	uint32_t channel;  /* Channel */
	uint32_t priority; /* 0..2 */
	uint64_t not_before_ms;
	uint64_t expires_ms;
	const struct dw_attachment *attachments; /* must not change until submitted() is called */
	size_t attachments_count;
};

struct dw_submitted {
	uint8_t message_id[16];
	uint8_t case_id[16];
	bool duplicate; /* the key was there before: ids are the first one's */
};

enum {
	DW_UNROUTABLE = 1, /* the registry would refuse it: reterr has field and remedy; nothing was stored */
	DW_INVALID = 2, /* the message itself is impossible: reterr tells */
	DW_FULL = 3,    /* the outbox is full: try again in a later turn */
	DW_BUSY = 4,    /* dw_replay(): one is under way; dw_cancel(): too many are */
	DW_SEALING = 5, /* its attachments are being sealed: submit it again in a later turn */
};

/**
 * dw_submit() - put a message into the outbox; durable once ops->submitted() is called
 * @adapter: inside one of its ops only
 * @message: what to send
 * @ret:     ids
 * @reterr:  a sentence for people
 * @size:    of @reterr
 * Return: 0, DW_*, negative errno.
 */
int dw_submit(struct dw_adapter *adapter, const struct dw_message *message,
	struct dw_submitted *ret, char *reterr, size_t size);

/* What to have delivered once more. */
struct dw_replay {
	struct bytes party; /* empty: the adapter's first */
	uint64_t from;      /* sequence of the first entry; 0: from the beginning */
	uint64_t from_ms;   /* nothing recorded before this time; 0: whenever */
};

/**
 * dw_replay() - ask for a replay; ops->replayed() gets it, beside the usual deliveries
 * @adapter: inside one of its ops only; ops->replayed is set
 * @replay:  from where on
 *
 * It goes on over lost sessions, but not over a crash: remember how far you were, and ask again.
 *
 * Return: 0, DW_BUSY, DW_INVALID (no party of this adapter).
 */
int dw_replay(struct dw_adapter *adapter, const struct dw_replay *replay);

/* A message of ours to take back. */
struct dw_cancel {
	struct bytes sender;       /* empty: the adapter's first party */
	const uint8_t *message_id; /* 16 bytes */
	struct bytes recipient;    /* for this one only; empty: for all of them */
	struct bytes reason;       /* a code ([a-z0-9.-]), or empty; no personal data */
};

/**
 * dw_cancel() - take a recorded message back, as far as its recipients do not have it yet
 * @adapter: inside one of its ops only; ops->cancelled is set
 * @cancel:  which; copied
 *
 * What a recipient has under delivery at that moment is asked about again until it has ended. How the message ended is
 * told by ops->report() as ever. It goes on over lost sessions, but not over a crash: then order it again.
 *
 * Return: 0, DW_BUSY, DW_INVALID (no party of this adapter, or a recipient or reason that cannot be).
 */
int dw_cancel(struct dw_adapter *adapter, const struct dw_cancel *cancel);

/* What became of it, for one recipient. */
struct dw_cancelled {
	struct bytes sender;
	uint8_t message_id[16];
	struct bytes recipient; /* empty: no such message, or the order was refused */
	/* cancelled; accepted, rejected, expired, discarded: it had ended so; unknown: the broker has not recorded such
	   a message, or not for this recipient; refused: the order itself, for `code` */
	struct bytes state;
	struct bytes code;
	uint64_t sequence; /* of the message's entry */
};

/* What is known of a message of ours. */
struct dw_known {
	bool waiting; /* in the outbox */
	bool refused;
	uint64_t sequence; /* recorded, refused: its entry */
	uint64_t at_ms;
	uint8_t h[32];
	uint64_t outcomes; /* how many recipients it has ended for */
};

/**
 * dw_known() - look a message up by its id, e.g. after dw_submit() found a duplicate
 * @adapter:    inside one of its ops only
 * @message_id: 16 bytes
 * @ret:        what is known
 * Return: 0, 1 when nothing is (never submitted here, or longer ago than evidence is kept), negative errno.
 */
int dw_known(struct dw_adapter *adapter, const uint8_t message_id[16], struct dw_known *ret);

/* A file that came with a message: whole, opened, checked. */
struct dw_arrived {
	struct bytes name; /* a file name: no folders in it; one message may have two of a name */
	struct bytes content_type;
	uint64_t size;
	const char *path; /* may be linked or renamed away; is gone some time after the op returned */
};

/**
 * dw_arrived_keep() - give an attachment that arrived its place, durably: all of it or nothing
 * @arrived: inside to_agency()
 * @path:    where to; what is there is replaced. On the file system of the state folder it costs nothing,
 *           elsewhere the file is copied
 * Return: 0 or negative errno.
 */
int dw_arrived_keep(const struct dw_arrived *arrived, const char *path);

/* A message that arrived; views live until the op returns. */
struct dw_delivery {
	uint64_t sequence;
	uint64_t recorded_ms;
	uint32_t attempt;
	struct bytes recipient;
	uint8_t h[32];
	uint8_t message_id[16];
	uint8_t case_id[16];
	enum dw_kind kind;
	struct bytes sender;
	struct bytes service;
	struct bytes region;
	const uint8_t *in_reply_to; /* or NULL */
	struct bytes content_type;
	struct bytes schema;
	struct bytes body; /* opened, checked against its commitment */
	uint32_t status;
	uint32_t channel;
	uint64_t created_ms;
	bool taken; /* ops->replayed() only, says the broker: this party accepted or rejected it before */
	const struct dw_arrived *attachments;
	size_t attachments_count;
};

/* What to_agency() decided. Accepted means: handed over for good. */
enum dw_disposition { DW_ACCEPTED = 1, DW_REJECTED = 2, DW_LATER = 3 };
struct dw_verdict {
	enum dw_disposition disposition;
	/* Rejected, later: [a-z0-9.-]. Later with "unavailable": the agency's own system is to blame, not this
	   message, however often that happens; with any other code too often makes it a dead letter. */
	char code[64];
	char text[201];    /* rejected: a sentence without personal data */
	uint32_t delay_ms; /* later: 0 leaves it to the broker's backoff */
};

/* What became of a message of ours. */
/* DW_OVERDUE: nobody replied within the time that its service gives; it may still end, and be replied to. DW_DUE_SOON:
   nobody replied yet, and that time is nearly over. */
enum dw_event { DW_RECORDED = 1, DW_REFUSED = 2, DW_ENDED = 3, DW_OVERDUE = 4, DW_DUE_SOON = 5 };
struct dw_report {
	enum dw_event event;
	struct bytes key; /* as submitted */
	uint8_t message_id[16];
	uint8_t case_id[16];
	uint8_t h[32];
	struct bytes service;
	uint64_t sequence;      /* recorded: its entry; ended, overdue: the entry that says so */
	uint64_t at_ms;         /* recorded: batch time */
	struct bytes recipient; /* ended, overdue */
	struct bytes state;     /* ended: accepted, rejected, expired, cancelled, discarded */
	struct bytes code;      /* refused, rejected */
	struct bytes field;     /* refused */
	struct bytes text;      /* refused, rejected: a sentence */
	struct bytes proof;     /* recorded: the receipt as a C2SP tlog-proof file */
};

/* ---- enquiries ---- */

/* What became of an enquiry. */
struct dw_answer {
	struct bytes key; /* as submitted */
	uint8_t message_id[16];
	uint8_t case_id[16];
	const struct dw_delivery *delivery; /* the answer; NULL: none comes, and why: */
	struct bytes code; /* refused: the broker's; "rejected": its recipient took it back to us; "expired",
			      "cancelled", "discarded": nobody took it; "unanswered": its time is over */
	struct bytes text; /* a sentence, where there is one */
};

/**
 * dw_ask() - submit an enquiry and be told its answer, or why none comes, by ops->answered()
 * @adapter:     inside one of its ops only; ops->answered is set
 * @message:     kind DW_ENQUIRY; expires_ms 0: when patience ends
 * @patience_ms: wait no longer; 0: as long as its service gives for an answer
 * @ret:         ids
 * @reterr:      a sentence for people
 * @size:        of @reterr
 *
 * Told once for each dw_ask() that returned 0, unless the process ends before: then an answer that comes after the
 * next start is a delivery like any other. An enquiry outlives no crash on purpose: who asked has gone. It leaves at
 * once and is durable a little later, so ops->report() and ops->answered() may be called before ops->submitted(),
 * and after a crash in between nothing is known of it: the same key asks anew.
 *
 * Return: 0, DW_* (DW_FULL: also when too many are open), negative errno.
 */
int dw_ask(struct dw_adapter *adapter, const struct dw_message *message, uint32_t patience_ms,
	struct dw_submitted *ret, char *reterr, size_t size);

/**
 * dw_answer() - answer an enquiry: submitted under a key made of it, so that it is answered once
 * @adapter:      inside ops->to_agency(), or later
 * @enquiry:      as delivered
 * @content_type: of @body
 * @body:         the answer
 * @ret:          ids
 * @reterr:       a sentence for people
 * @size:         of @reterr
 *
 * Given while the enquiry is delivered it leaves before it is durable, like what dw_ask() asks: after a crash in
 * between the enquiry is delivered anew, and the second answer is refused. Given later it is durable first.
 *
 * Return: 0, DW_*, negative errno.
 */
int dw_answer(struct dw_adapter *adapter, const struct dw_delivery *enquiry,
	struct bytes content_type, struct bytes body, struct dw_submitted *ret, char *reterr,
	size_t size);

/* How an attachment gets on. */
enum dw_stage { DW_SEALED = 1, DW_SENT = 2, DW_FETCHED = 3, DW_OPENED = 4 };
struct dw_progress {
	enum dw_stage stage;
	uint64_t done, total; /* bytes */
};

struct dw_adapter_ops {
	const char *name; /* program name, e.g. "dienstweg-city" */

	/* For --check: would open() find what it needs, and does the registry at hand know what the settings
	   name? Touches nothing. 0, or > 0 with a sentence that names the field and what to do. May be
	   NULL. */
	int (*check)(const struct config_adapter *config, const struct registry *registry,
		char *reterr, size_t size);

	/* Open the legacy system. @ret_context is handed to every other op. */
	int (*open)(struct dw_adapter *adapter, const struct config_adapter *config,
		void **ret_context);

	/* Look for work in the legacy system and dw_submit() it. Called at start, when watch_fd is readable,
	   and every poll_ms. @ret_more: true when there is more, to be called again soon. */
	int (*from_agency)(struct dw_adapter *adapter, void *context, bool *ret_more);

	/* The outbox holds the message durably: now the legacy system may forget it. Also called for a key
	   that was submitted before (ids->duplicate). After a crash it is called again only for a key that
	   is submitted again. */
	int (*submitted)(struct dw_adapter *adapter, void *context, struct bytes key,
		const struct dw_submitted *ids);

	/* Hand a delivery over. Called again with the same h and message_id after a crash in between. (A
	   message id is unique per sender; h is unique.) */
	int (*to_agency)(struct dw_adapter *adapter, void *context,
		const struct dw_delivery *delivery, struct dw_verdict *ret);

	/* What dw_replay() asked for, oldest first: what this party took before, and readable events of before it
	   subscribed. Nothing is answered, and it comes again whenever it is asked for again: whether your system
	   takes twice what it has (@delivery->taken) is yours to decide. NULL: this adapter asks for none. */
	int (*replayed)(
		struct dw_adapter *adapter, void *context, const struct dw_delivery *delivery);

	/* That was all there is by now; what comes later begins at @next. May be NULL. */
	int (*replay_ended)(struct dw_adapter *adapter, void *context, uint64_t next);

	/* Receipt, refusal, outcome of our own messages; may be called again after a crash. Each recipient
	   of a message has an outcome, which is told once. When the bus has lost entries and a message was sent
	   again, its receipt is told once more, with the entry it has now; a message that is still open may
	   be refused then. May be NULL. */
	int (*report)(struct dw_adapter *adapter, void *context, const struct dw_report *report);

	/* What dw_ask() asked was answered, or will not be. The answer counts as accepted when this returns 0; it may
	   come again after a crash, and then goes to to_agency(). NULL: this adapter asks nothing. */
	int (*answered)(struct dw_adapter *adapter, void *context, const struct dw_answer *answer);

	/* What became of a dw_cancel(), called once for each recipient. NULL: this adapter takes nothing back. */
	int (*cancelled)(
		struct dw_adapter *adapter, void *context, const struct dw_cancelled *cancelled);

	/* For who watches: a piece of an attachment was sealed, sent, fetched or opened. May be NULL. */
	void (*progress)(void *context, const struct dw_progress *progress);

	/* A descriptor that is readable when there may be work (inotify, a listening socket), or -1. */
	int (*watch_fd)(void *context);

	/* Close the legacy system. Takes what open() gave. */
	void (*close)(void *context);

	uint32_t poll_ms; /* how often to ask when nothing happens; 0: only by watch_fd */
};

/**
 * dw_adapter_main() - run an adapter: parse arguments, load, connect, serve until SIGTERM
 * @argc: main's
 * @argv: main's
 * @ops:  the adapter
 *
 * Options: --config FILE, --check, --demo, --help, --version.
 *
 * Return: exit code: 0 done, 1 a check failed, 2 wrong usage, 3 failure.
 */
int dw_adapter_main(int argc, char **argv, const struct dw_adapter_ops *ops);

/**
 * dw_adapter_run() - the same for a program with arguments of its own
 * @config: read (config_adapter_read()) and allowed (guard_adapter())
 * @ops:    the adapter
 * @user:   for dw_adapter_user()
 * Return: exit code: 0 done, 1 must not be started again before a person has looked (STATE/ALARM, or
 *         another process speaks for the party), 3 failure.
 */
int dw_adapter_run(
	const struct config_adapter *config, const struct dw_adapter_ops *ops, void *user);

/* For ops: the registry in force, e.g. to map official identifiers to parties. It may be another one in
   the next op. */
const struct registry *dw_adapter_registry(const struct dw_adapter *adapter);
void *dw_adapter_user(const struct dw_adapter *adapter);
void dw_adapter_stop(struct dw_adapter *adapter); /* end in order, as SIGTERM does */
