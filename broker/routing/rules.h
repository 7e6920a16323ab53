/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/routing/rows.h"
#include "broker/routing/state.h"
#include "proto/base/arena.h"
#include "proto/envelope/envelope.h"
#include "proto/frame.pb-c.h"
#include "proto/identity/key.h"
#include "proto/journal.pb-c.h"
#include "proto/registry/registry.h"
#include "proto/signature/signature.h"

/*
 * The rules: what a message, an acknowledgement, a failed attempt, a clock tick or a new registry does to
 * the state. Pure: they see (rules version, registry, state, input, batch time, next sequence) and nothing
 * else, so that replay and explorer run these very functions. They run inside the write transaction, in
 * sequence order (design section 4). Each either asks for one entry (`append` true: the caller journals
 * `decision` at `sequence` in the same transaction), or changes nothing that the journal must tell.
 */
enum { RULES_VERSION = 1, CASE_ID_BYTES = 16 };
/* ErasedRange.table */
enum { ERASED_RECORD = 1, ERASED_CONTENT = 2 };

struct rules_limits {
	uint32_t refusals_per_minute; /* entries per party; beyond: summed up */
	uint32_t backoff_min_ms;
	uint32_t backoff_max_ms;
	uint32_t attempts_max; /* failures that count, then a dead letter; 0: never */
	uint64_t queue_messages_max;
	uint64_t queue_bytes_max;
	uint32_t warn_percent; /* of a queue or a quota: from there on submits are noticed; 0: never. Decides nothing. */
};

/* What changed for delivery, told to it after the commit. */
enum effect_type {
	EFFECT_QUEUED = 1, /* a message became deliverable: party, lane, sequence, row */
	EFFECT_ENDED = 2,  /* a message ended for a recipient: party, lane, sequence */
	EFFECT_DELAYED = 3, /* a message left the queue for the timer (delayed, held, dead): party, lane,
			       sequence, row */
	EFFECT_OUTCOME = 4, /* an outcome row appeared: party (the sender), sequence (the entry) */
	EFFECT_EXPIRE = 5, /* due, still in place: delivery answers with rules_expire() once not leased */
	EFFECT_HELD = 6,     /* a queue is held: party */
	EFFECT_RELEASED = 7, /* ... or is not any more: party */
	EFFECT_OVERDUE = 8, /* nobody replied in time: the journal answers with rules_remind(): sequence, due_ms */
	EFFECT_DUE_SOON = 9, /* ... or not yet, and the time is nearly over: likewise, by rules_warn() */
};
struct effect {
	uint8_t type;
	uint8_t lane;
	bool held_back; /* EFFECT_QUEUED: an earlier message of its case waits in the timer */
	bool waited; /* EFFECT_QUEUED, EFFECT_ENDED: it waited there itself, and holds back no more */
	uint32_t party;
	uint64_t sequence;
	uint64_t due_ms;      /* EFFECT_OVERDUE, EFFECT_DUE_SOON */
	struct queue_row row; /* EFFECT_QUEUED, EFFECT_DELAYED, EFFECT_ENDED */
	struct bytes outcome; /* EFFECT_OUTCOME: the row's value, in the context's arena */
	struct effect *next;
};

struct rules {
	uint32_t version; /* as which they decide: RULES_VERSION, or an older one in replay (versions.h) */
	struct state *state;
	const struct registry *registry; /* in force; NULL only before the first */
	const struct rules_limits *limits;
	uint64_t batch_ms;      /* max(previous, now) */
	uint64_t sequence;      /* the next entry's, advanced by the caller after each append */
	struct arena *arena;    /* owns decisions and effects */
	struct effect *effects; /* newest last */
	struct effect **effects_tail;
};

/* ---- submit ---- */

/* As RefusalFacts.schema. */
enum submit_schema {
	SUBMIT_SCHEMA_UNKNOWN = 0,
	SUBMIT_SCHEMA_FOLLOWED = 1,
	SUBMIT_SCHEMA_BROKEN = 2
};

/* What transport and verify report of an envelope: cryptographic facts only. */
struct submit_facts {
	int verdict;                     /* enum envelope_verdict */
	const char *field;               /* at fault, "" when OK */
	const Dienstweg__Header *header; /* NULL when it could not be parsed */
	struct bytes header_bytes;       /* as received */
	uint8_t h[HASH_SIZE];
	const Dienstweg__Signature *signature; /* NULL when its form is bad */
	/* Verifies under the public key that the registry has for its key id: the registry in force, so verify
	   again when verify's snapshot is an older one, or a new key's first messages are refused for ever. */
	bool signature_ok;
	uint32_t content_length;
	struct bytes speaker; /* party of the transport key */
	/* Of readable content on a service that pins a schema. */
	enum submit_schema schema;
	const char *schema_field,
		*schema_reason; /* SUBMIT_SCHEMA_BROKEN: where, and what; no values */
	bool attachments_missing; /* by the journal: not all that the header names are here as a whole */
};

enum submit_result {
	SUBMIT_ACCEPTED = 1,  /* append: accepted */
	SUBMIT_REFUSED = 2,   /* append when `append` */
	SUBMIT_DUPLICATE = 3, /* recorded before at `earlier`: accepted or refused then */
	SUBMIT_DEFERRED = 4,  /* nothing changed */
};

/* Something that bounds a sender is nearly used up. Nothing is decided by it, and it is not journaled. */
struct submit_notice {
	const char *code;  /* "queue" of a recipient, "quota" of an agreement */
	struct bytes name; /* which; in the arena */
	uint32_t percent;
	bool crossed; /* the warning level was, with this message */
};
enum { SUBMIT_NOTICES_MAX = 2 };

struct submit_decision {
	enum submit_result result;
	bool append;
	uint8_t class;        /* retention class of the entry */
	uint64_t earlier;     /* SUBMIT_DUPLICATE: sequence of the first */
	uint8_t earlier_kind; /* ENTRY_ACCEPTED or ENTRY_REFUSED */
	const char *code;     /* refused, deferred: for the wire */
	const char *field;
	const char *detail;               /* in the arena */
	uint32_t retry_ms;                /* deferred */
	Dienstweg__Decision *decision;    /* accepted, refused: the private part, in the arena */
	uint32_t recipients[RESOLVE_MAX]; /* party numbers */
	size_t recipients_count;
	uint64_t due_ms;                                  /* 0: queued now */
	struct submit_notice notices[SUBMIT_NOTICES_MAX]; /* accepted */
	size_t notices_count;
};

/**
 * rules_submit() - decide one message and apply it
 * @rules:  context
 * @facts:  the input
 * @ret:    the decision
 *
 * Order: form; bus; speaker; key and signature; seen; clock; expiry; resolve(); pattern; retention class;
 * confidentiality; wraps; schema; quota; queue room; room in a record row. `seen` is written only for messages
 * whose signature is their sender's, so nobody can spoil another's ids. A refusal beyond the speaker's
 * refusals_per_minute has `append` false and leaves no trace but a count. Codes: broker/routing/codes.h.
 *
 * Return: 0, negative errno (the transaction is to be given up).
 */
int rules_submit(struct rules *rules, const struct submit_facts *facts, struct submit_decision *ret);

/**
 * rules_refusal_is_final() - does such a refusal use its message id up?
 * @code:  of the refusal
 * @field: the one at fault
 * Return: true when the message was its sender's and its id was new: `seen` then has a row.
 */
bool rules_refusal_is_final(struct bytes code, struct bytes field);

/* ---- acknowledge ---- */
struct ack_facts {
	const Dienstweg__AckBatch *batch;
	struct bytes batch_bytes; /* as received */
	bool form_ok;
	bool signature_ok;
	struct bytes speaker;
};
struct ack_decision {
	bool refused; /* the whole batch: code, field, detail */
	bool append;
	const char *code;
	const char *field;
	const char *detail;
	Dienstweg__Decision *decision;
	Dienstweg__AckVerdict verdicts[BATCH_MAX];
	uint32_t party; /* recipient's number, 0 when refused */
};
/**
 * rules_acknowledge() - decide one batch of acknowledgements and apply it
 * @rules: context
 * @facts: the input
 * @ret:   the decision
 *
 * Order: form; recipient; speaker; key and signature; then each acknowledgement. Those that name an open
 * message and its h end it: row gone, `end` written, outcome in the sender's queue. Of a message that ended
 * without its recipient (expired, cancelled, discarded) the first one is late: noted, and nothing else. When all
 * others are repeated or unknown there is no entry. A refused batch never becomes an entry of its own: it is counted, and summed up
 * with the speaker's other refusals of that minute.
 *
 * Return: 0, negative errno (the transaction is to be given up).
 */
int rules_acknowledge(struct rules *rules, const struct ack_facts *facts, struct ack_decision *ret);

/* The first acknowledgement that changed something: the entry is kept as long as its message. */
static inline size_t ack_decision_first(const struct ack_decision *decision, size_t count)
{
	size_t first = 0;
	while (first + 1 < count && decision->verdicts[first] != DIENSTWEG__ACK_VERDICT__ACK_CLOSED &&
		decision->verdicts[first] != DIENSTWEG__ACK_VERDICT__ACK_LATE)
		first++;
	return first;
}

/* ---- cancel ---- */

/* What transport and verify report of a batch of cancellations. */
struct cancel_facts {
	const Dienstweg__CancelBatch *batch;
	struct bytes batch_bytes; /* as received */
	bool form_ok;
	bool signature_ok; /* as ack_facts */
	struct bytes speaker;
};
struct cancel_decision {
	bool refused; /* the whole batch: code, field, detail */
	bool append;  /* rules_cancel(): something was cancelled */
	const char *code;
	const char *field;
	const char *detail;
	Dienstweg__Decision *decision;
	uint32_t sender; /* its number, 0 when refused */
};
/* Where one message is for one recipient. */
struct cancel_place {
	bool known;  /* it is, or was, for this recipient */
	bool open;   /* it waits, wherever: in its queue, for a time, held, a dead letter */
	uint8_t end; /* not open: enum end_state */
};

/**
 * rules_cancel_check() - may this batch cancel anything? Changes nothing but a count
 * @rules: context
 * @facts: the input
 * @ret:   refused, or the sender's number
 *
 * Order: form; sender; speaker; key and signature. A refused batch is counted, and summed up with the speaker's
 * other refusals of that minute.
 *
 * Return: 0, negative errno (the transaction is to be given up).
 */
int rules_cancel_check(
	struct rules *rules, const struct cancel_facts *facts, struct cancel_decision *ret);

/**
 * rules_cancel_find() - the entry of a message by the id that its sender gave it
 * @state:      the state
 * @sender:     its number
 * @message_id: its id
 * @ret:        its sequence
 * Return: 0; STATE_NOT_FOUND: never recorded, refused, or erased since; negative errno.
 */
int rules_cancel_find(
	struct state *state, uint32_t sender, const uint8_t message_id[UUID_SIZE], uint64_t *ret);

struct rules_item;
/* Where a message is for one recipient. 0 or negative errno. */
int rules_cancel_look(struct state *state, const struct rules_item *item, struct cancel_place *ret);

/**
 * rules_cancel() - end messages by their sender's order
 * @rules: context
 * @facts: the order
 * @items: at most RULES_ITEMS_MAX, which nobody has under delivery; those that ended meanwhile, are not the
 *         sender's, or that the order does not name are passed over
 * @count: how many
 * @ret:   what to journal: the order itself is the entry's original
 * Return: 0, negative errno (the transaction is to be given up).
 */
int rules_cancel(struct rules *rules, const struct cancel_facts *facts,
	const struct rules_item *items, size_t count, struct cancel_decision *ret);

/* ---- attempts, time, confirmations ---- */

/* Most items of one call: their names must fit a record row, and their outcomes one outcome row. */
enum { RULES_ITEMS_MAX = OUTCOME_ITEMS_MAX };
struct rules_item {
	uint32_t party;
	uint64_t sequence;
	bool counted;    /* rules_fail(), rules_bury(): the failure is the message's own */
	uint64_t due_ms; /* rules_remind(), rules_warn(): since when */
};
struct items_decision {
	bool append; /* false: none of the items was open */
	Dienstweg__Decision *decision;
};
/**
 * rules_fail() - deliveries that failed: nak, or the session ended while they were leased
 * @rules:    context
 * @items:    at most RULES_ITEMS_MAX
 * @count:    how many
 * @cause:    code, e.g. "session-lost"
 * @delay_ms: 0: backoff f(sequence, attempt) when @backoff, else queued again at once
 * @backoff:  whether to wait
 * @ret:      what to journal
 *
 * Items that are not in the queue (ended, or delayed already) are passed over, and so are those whose last
 * attempt this was: they are for rules_bury(), called first. Replay calls it once per affected item with
 * @delay_ms = due - batch time and @backoff false: same attempts, same place.
 *
 * Return: 0 or negative errno.
 */
int rules_fail(struct rules *rules, const struct rules_item *items, size_t count, const char *cause,
	uint32_t delay_ms, bool backoff, struct items_decision *ret);

/**
 * rules_bury() - of the same deliveries, those that were the last one: to the dead letters
 * @rules: context
 * @items: as rules_fail()
 * @count: how many
 * @cause: code
 * @ret:   what to journal
 *
 * A failure that is the message's own (`counted`) is a strike; with as many as the message's service, or else
 * the limits, allow it becomes a dead letter: it is not delivered any more, and its sender is told nothing yet.
 * It can still be acknowledged, expire, or be cancelled.
 *
 * Return: 0 or negative errno.
 */
int rules_bury(struct rules *rules, const struct rules_item *items, size_t count, const char *cause,
	struct items_decision *ret);

/**
 * rules_expire() - end messages whose time is over and that are not leased (items of EFFECT_EXPIRE)
 * @rules: context
 * @items: at most RULES_ITEMS_MAX; those that ended meanwhile or are not due are passed over
 * @count: how many
 * @ret:   what to journal
 * Return: 0 or negative errno.
 */
int rules_expire(struct rules *rules, const struct rules_item *items, size_t count,
	struct items_decision *ret);

/**
 * rules_remind() - messages that nobody replied to within their service's time (items of EFFECT_OVERDUE)
 * @rules: context
 * @items: at most RULES_ITEMS_MAX: sequence and due_ms; what is not due, or does not wait any more, is passed over
 * @count: how many
 * @ret:   what to journal
 *
 * Their senders are told, once: an outcome that is no end. In the transaction of the tick that announced them.
 * rules_warn() does the same for those whose time is nearly over (items of EFFECT_DUE_SOON).
 *
 * Return: 0 or negative errno.
 */
int rules_remind(struct rules *rules, const struct rules_item *items, size_t count,
	struct items_decision *ret);
int rules_warn(struct rules *rules, const struct rules_item *items, size_t count,
	struct items_decision *ret);

/**
 * rules_tick() - move due timer rows: releases go to the queue, expiries are announced as effects (once
 *                per run; the row stays until rules_expire()), refusals are summed up
 * @rules: context
 * @max:   most rows to handle; more remain due
 * @announced_until: cursor of announced expiries, volatile, starts zeroed; kept by the caller
 * @ret:   a refusals-summed entry to append, at most one per call
 *
 * Call it first in every batch, again while it handles rows: what is queued at an entry then follows from
 * the entries before it and its batch time alone, and replay sees the same queue. Refusals summed up
 * are the exception, as what they count is not in the journal: replay takes the entry as it stands.
 *
 * Return: number of rows handled, or negative errno.
 */
struct tick_cursor {
	uint8_t key[TIMER_KEY_SIZE];
	bool set;
};
int rules_tick(struct rules *rules, size_t max, struct tick_cursor *announced_until,
	struct items_decision *ret);

/**
 * rules_next_due() - when the next timer row is due
 * @state:           the state
 * @announced_until: rules_tick()'s
 * @ret_ms:          UINT64_MAX when there is none
 * Return: 0 or negative errno.
 */
int rules_next_due(struct state *state, const struct tick_cursor *announced_until, uint64_t *ret_ms);

/**
 * rules_confirm() - the sender has taken over outcomes up to an entry: removes rows of lane 3
 * @rules:    context
 * @party:    the sender's number
 * @sequence: of the entry
 *
 * No entry: cursors are volatile, and replay leaves lane 3 out of its comparison.
 *
 * Return: 0 or negative errno.
 */
int rules_confirm(struct rules *rules, uint32_t party, uint64_t sequence);

/* ---- operators ---- */

/* An operator's act about a case. */
struct case_act {
	uint8_t case_id[CASE_ID_BYTES];
	uint32_t account;          /* of the operator, a number of the broker's machine */
	uint8_t ground[HASH_SIZE]; /* SHA-256 of the document that orders it */
};

/**
 * rules_hold() - put a case under legal hold, or release it
 * @rules: context
 * @act:   about which case, by whom, why
 * @hold:  false: release
 * @ret:   what to journal; nothing when it is so already
 *
 * What is under legal hold survives its erase-day.
 *
 * Return: 0 or negative errno.
 */
int rules_hold(
	struct rules *rules, const struct case_act *act, bool hold, struct items_decision *ret);

/* An operator's act about messages or a queue. */
struct queue_act {
	uint32_t account;   /* of the operator, a number of the broker's machine */
	struct bytes cause; /* code: why; empty where none is asked for */
	struct bytes party; /* rules_hold_queue(): whose queue; or */
	struct bytes service; /* ... which service. rules_hold_items(): for the sake of it, or empty */
};

/**
 * rules_retry() - deliver dead letters again, with as many attempts as at first
 * @rules: context
 * @items: at most RULES_ITEMS_MAX; those that are no dead letters are passed over
 * @count: how many
 * @act:   by whom
 * @ret:   what to journal
 * Return: 0 or negative errno.
 */
int rules_retry(struct rules *rules, const struct rules_item *items, size_t count,
	const struct queue_act *act, struct items_decision *ret);

/* The same: end dead letters, for a cause; their senders are told "discarded". */
int rules_discard(struct rules *rules, const struct rules_item *items, size_t count,
	const struct queue_act *act, struct items_decision *ret);

/**
 * rules_hold_items() - hold messages, or release them
 * @rules: context
 * @items: at most RULES_ITEMS_MAX; those that are so already, ended or dead are passed over
 * @count: how many
 * @act:   by whom, and for the sake of which held service
 * @hold:  false: release; to the queue, or back to the time that they waited for
 * @ret:   what to journal
 *
 * A held message is not delivered. It can still be acknowledged by who has it already, expire, or be cancelled.
 *
 * Return: 0 or negative errno.
 */
int rules_hold_items(struct rules *rules, const struct rules_item *items, size_t count,
	const struct queue_act *act, bool hold, struct items_decision *ret);

/**
 * rules_hold_queue() - hold the queue of a party, or what comes for a service; or release it
 * @rules: context
 * @act:   by whom, and which of both
 * @hold:  false: release
 * @ret:   what to journal; nothing when it is so already, or when there is no such party or service
 *
 * Both accept messages and deliver none. A held queue is one row, and its messages stay where they are; of a held
 * service each new message is held by itself. Those that came before, and the release of all of them, are
 * rules_hold_items()'s.
 *
 * Return: 0 or negative errno.
 */
int rules_hold_queue(
	struct rules *rules, const struct queue_act *act, bool hold, struct items_decision *ret);

/* Number every party of the registry that has none yet; call when a registry is adopted. 0 or negative errno. */
int rules_adopt_registry(struct rules *rules);

/* Party number by name: 0 and *ret = 0 when unknown; or negative errno. */
int rules_party_number(struct state *state, struct bytes name, uint32_t *ret);

/* Deterministic backoff with jitter: f(sequence, attempt), between min and max; doubles with each attempt. */
uint32_t rules_backoff_ms(const struct rules_limits *limits, uint64_t sequence, uint32_t attempt);
