/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/identity/uuid.h"

/*
 * Bytes of the derived tables' rows (docs/journal.md "Derived tables"). Encoders write into fixed
 * buffers; decoders return 0, or 1 when the bytes are no such row (the journal is damaged).
 */
enum { LANE_URGENT = 0, LANE_NORMAL = 1, LANE_BULK = 2, LANE_OUTCOME = 3, LANES = 4 };

/* A row of `end` whose state is no end (END_DELAYED, END_DEAD, END_HELD) says where an open message waits, so
   that an acknowledgement or an expiry finds it in `timer` by one look-up; open messages in `queue` have no
   row here. */
enum end_state {
	END_DELAYED = 0,
	END_ACCEPTED = 1,
	END_REJECTED = 2,
	END_EXPIRED = 3,
	END_CANCELLED = 4,
	END_DISCARDED = 5,
	END_DEAD = 6,     /* a dead letter: waits for an operator */
	END_HELD = 7,     /* held by an operator */
	END_OVERDUE = 8,  /* in outcomes alone: nobody replied in time */
	END_DUE_SOON = 9, /* in outcomes alone: nobody replied yet, and the time is nearly over */
};
/* "accepted", ... as outcomes say it; "delayed" for END_DELAYED; NULL for no such state. */
const char *end_state_name(enum end_state state);
/* Ended without a word of its recipient: one word more is recorded, when it comes. */
static inline bool end_state_is_unheard(uint8_t state)
{
	return state >= END_EXPIRED && state <= END_DISCARDED;
}
/* Has it ended, or does it wait? */
static inline bool end_state_is_end(uint8_t state)
{
	return state >= END_ACCEPTED && state <= END_DISCARDED;
}

/* What counter `e` knows of a message. */
enum asked_state {
	ASKED_WAITS = 0,   /* an enquiry, and it may be answered */
	ASKED_OVER = 1,    /* an enquiry that may not be answered any more */
	ASKED_REMINDS = 2, /* a submission: its sender is told when it is due */
	ASKED_WARNS = 3, /* a submission: when this is due its sender is told that its time is nearly over */
	ASKED_LATE = 4, /* a submission that nobody replied to in time: its sender has been told */
};
/* Will its sender be told something when it is due? */
static inline bool asked_state_tells(uint8_t state)
{
	return state == ASKED_REMINDS || state == ASKED_WARNS;
}
static inline bool asked_state_is_enquiry(uint8_t state)
{
	return state == ASKED_WAITS || state == ASKED_OVER;
}

enum timer_what {
	TIMER_RELEASE = 1, /* not-before or retry: value is lane | queue row; goes back to `queue` */
	TIMER_EXPIRE = 2,  /* value: u8 lane */
	TIMER_SUMMARY = 3, /* sequence is the minute; value empty: sum up refusals of that minute */
	TIMER_DEAD = 4,    /* a dead letter: due is PARKED_MS, value is lane | 0 | queue row */
	TIMER_HELD = 5, /* held: due is PARKED_MS, value is lane | u64 due when released | queue row */
	TIMER_ASKED = 6, /* party is the sender; value: a token: an enquiry's time is over, or nobody replied (yet) */
};
#define PARKED_MS UINT64_MAX /* never due by itself */

/* Rows of `hold` are told apart by the length of their keys; each says which entry put it there. */
enum {
	HOLD_CASE_SIZE = 16,        /* case id: under legal hold */
	HOLD_PARTY_SIZE = 1 + 4,    /* 'q' | u32 party: its queue is held */
	HOLD_SERVICE_SIZE = 1 + 64, /* 's' | name, zeros: what comes for this service is held */
};

enum counter_kind {
	COUNTER_QUEUE = 'q', /* u32 party -> u64 messages | u64 bytes open for this recipient, also delayed */
	COUNTER_QUOTA = 'a', /* u32 month (year * 12 + month, January 0) | agreement id -> u64 messages */
	COUNTER_REFUSALS = 'r', /* u32 party | u64 minute -> u64 journaled | u64 summed; gone with its TIMER_SUMMARY */
	COUNTER_PARTIES = 'p', /* -> u32 last number given */
	COUNTER_NAME = 'n',    /* u32 party -> its name: `party` the other way round */
	COUNTER_ASKED = 'e',   /* u32 sender | token -> struct asked_row */
	COUNTER_PENDING = 'w', /* u32 asker | service -> u64 enquiries that wait for an answer, never 0 */
	COUNTER_LATE = 'o', /* u32 party -> u64 submissions that it has not replied to in time, never 0 */
};

enum {
	QUEUE_KEY_SIZE = 4 + 1 + 8,
	QUEUE_ROW_SIZE = 2 + 4 + 4 + 8 + 32 + 16 + 16,
	SHARING_ROW_SIZE = 2, /* of a message for several recipients: the rest is in its common row */
	SHARING_ROW_MAX = 2 + 2,                /* with strikes, where there are any */
	QUEUE_ROW_MAX = QUEUE_ROW_SIZE + 2 + 2, /* with strikes and their limit, where one is not 0 */
	OUTCOME_ITEM_SIZE = 8 + 4 + 1 + 1 + 32 + 16 + 16,
	OUTCOME_ITEMS_MAX = 32,
	TIMER_KEY_SIZE = 8 + 8 + 4 + 1,
	SEEN_KEY_SIZE = 16 + 4,
	SEEN_ROW_SIZE = 8 + 1 + 16,
	END_KEY_SIZE = 8 + 4,
	END_ROW_SIZE = 1 + 8 + 1,
	END_HEARD = 0x80, /* in a row's first byte, beside the state */
	ORDER_KEY_SIZE = 4 + 1 + 4 + 16 + 8,
	TOTAL_KEY_SIZE = 1 + 4, /* COUNTER_QUEUE, COUNTER_NAME */
	REFUSALS_KEY_SIZE = 1 + 4 + 8,
	QUOTA_KEY_MAX = 1 + 4 + 63,
	TOTAL_ROW_SIZE = 8 + 8,              /* COUNTER_QUEUE, COUNTER_REFUSALS */
	RELEASE_ROW_MAX = 1 + QUEUE_ROW_MAX, /* value of TIMER_RELEASE */
	ASKED_TOKEN_SIZE = 16,
	ASKED_KEY_SIZE = 1 + 4 + ASKED_TOKEN_SIZE,
	ASKED_ROW_MIN = 8 + 4 + 8 + 1, /* and the service's name behind it */
	ASKED_IDS_SIZE = 32 + 16 + 16, /* of one that tells: h, message id, case id before the name */
	ASKED_ROW_MAX = ASKED_ROW_MIN + ASKED_IDS_SIZE + 8 + 63, /* ASKED_WARNS: when it is overdue */
	PENDING_KEY_MAX = 1 + 4 + 63,
	PARKED_ROW_MAX = 1 + 8 + QUEUE_ROW_MAX, /* value of TIMER_DEAD, TIMER_HELD */
};

/* Nobody's number: under it stands what the rows of a message for several recipients have in common. */
enum {
	PARTY_COMMON = 0,
	COMMON_RECIPIENTS_MAX = 64,
	COMMON_ROW_MAX = QUEUE_ROW_SIZE + 4 * COMMON_RECIPIENTS_MAX + 2,
};

/* A message waiting for a recipient. Carries what acknowledgement and outcome need, so that the hot path
   never reads the record again. Where several wait for one message, each row has its attempts only, and one
   common row has the rest (broker/routing/common.h). */
struct queue_row {
	bool sharing;          /* not stored: the length tells */
	uint16_t attempts;     /* deliveries that failed */
	uint16_t strikes;      /* those of them that count towards the dead letters */
	uint16_t attempts_max; /* so many may count; 0: the broker's default */
	uint32_t sender;       /* party number */
	uint32_t bytes;        /* header + content, for counters and credits */
	uint64_t expires_ms;   /* 0: never */
	uint8_t h[HASH_SIZE];
	uint8_t message_id[UUID_SIZE];
	uint8_t case_id[16];
};

/* What several recipients' rows have in common. */
struct common_row {
	struct queue_row row;                       /* its attempts: how many it still waits for */
	uint32_t recipients[COMMON_RECIPIENTS_MAX]; /* all that it was for */
	size_t count;
};

/* One end state, on its way to the sender. */
struct outcome_item {
	uint64_t sequence;  /* of the message */
	uint32_t recipient; /* party number */
	uint8_t state;      /* enum end_state */
	uint8_t index;      /* of the ack in its entry */
	uint8_t h[HASH_SIZE];
	uint8_t message_id[UUID_SIZE];
	uint8_t case_id[16];
};

/* A submission that was recorded, accepted or refused. */
struct seen_row {
	uint64_t sequence;
	uint8_t kind;  /* ENTRY_ACCEPTED or ENTRY_REFUSED */
	uint8_t h[16]; /* first half of h */
};

/* How a message ended for a recipient, or (END_DELAYED) where it waits. */
struct end_row {
	uint8_t state; /* enum end_state */
	bool heard;    /* it ended without its recipient, who has said since what became of it */
	uint64_t entry; /* that ended, buried or held it; END_DELAYED: due ms of its TIMER_RELEASE row */
	uint8_t index; /* of the ack or the affected item in that entry; END_DELAYED: its lane */
};

/* A message that is to be answered, or replied to: what an answer must fit, and what its sender is told. */
struct asked_row {
	uint64_t sequence;
	uint32_t answerer; /* party number */
	uint64_t due_ms;   /* of its TIMER_ASKED row */
	uint8_t state;     /* enum asked_state */
	uint8_t service_len;
	uint8_t service[63];
	/* of one that tells */
	uint8_t h[HASH_SIZE];
	uint8_t message_id[UUID_SIZE];
	uint8_t case_id[16];
	uint64_t overdue_ms; /* ASKED_WARNS: when it is due next */
};

/* Two totals: messages and bytes (COUNTER_QUEUE), journaled and summed up (COUNTER_REFUSALS). */
struct total_row {
	uint64_t first;
	uint64_t second;
};

/* Keys, each into a buffer of its size. The decoders of keys that are walked: 0, or 1. */
void queue_key_encode(uint32_t party, uint8_t lane, uint64_t sequence, uint8_t buf[QUEUE_KEY_SIZE]);
int queue_key_decode(struct bytes key, uint32_t *party, uint8_t *lane, uint64_t *sequence);
void timer_key_encode(uint64_t due_ms, uint64_t sequence, uint32_t party, uint8_t what,
	uint8_t buf[TIMER_KEY_SIZE]);
int timer_key_decode(
	struct bytes key, uint64_t *due_ms, uint64_t *sequence, uint32_t *party, uint8_t *what);
void seen_key_encode(
	const uint8_t message_id[UUID_SIZE], uint32_t sender, uint8_t buf[SEEN_KEY_SIZE]);
void end_key_encode(uint64_t sequence, uint32_t party, uint8_t buf[END_KEY_SIZE]);
int end_key_decode(struct bytes key, uint64_t *sequence, uint32_t *party);
void order_key_encode(uint32_t party, uint8_t lane, const struct queue_row *row, uint64_t sequence,
	uint8_t buf[ORDER_KEY_SIZE]);
void total_key_encode(enum counter_kind kind, uint32_t party, uint8_t buf[TOTAL_KEY_SIZE]);
void refusals_key_encode(uint32_t party, uint64_t minute, uint8_t buf[REFUSALS_KEY_SIZE]);
void hold_party_key_encode(uint32_t party, uint8_t buf[HOLD_PARTY_SIZE]);
void hold_service_key_encode(struct bytes service, uint8_t buf[HOLD_SERVICE_SIZE]); /* <= 63 bytes */
/* An agreement id is a name, at most 63 bytes. Return: length of the key. */
size_t quota_key_encode(uint32_t month, struct bytes agreement, uint8_t buf[QUOTA_KEY_MAX]);

/* Of COUNTER_ASKED. */
void asked_key_encode(
	uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE], uint8_t buf[ASKED_KEY_SIZE]);
/* A service's name is at most 63 bytes. Return: length of the key. */
size_t pending_key_encode(uint32_t asker, struct bytes service, uint8_t buf[PENDING_KEY_MAX]);

/* Where the common row of a message stands in `queue`. */
void common_key_encode(uint64_t sequence, uint8_t buf[QUEUE_KEY_SIZE]);

/* Values. Encoders of those of different lengths return it. Decoders: 0, or 1 when the bytes are no such row. A
   sharing row comes back with its attempts and strikes alone: common_join() fills in the rest. */
size_t queue_row_encode(const struct queue_row *row, uint8_t buf[QUEUE_ROW_MAX]);
int queue_row_decode(struct bytes value, struct queue_row *ret);
size_t common_row_encode(const struct common_row *common, uint8_t buf[COMMON_ROW_MAX]);
int common_row_decode(struct bytes value, struct common_row *ret);
size_t release_row_encode(uint8_t lane, const struct queue_row *row, uint8_t buf[RELEASE_ROW_MAX]);
int release_row_decode(struct bytes value, uint8_t *lane, struct queue_row *ret);
size_t parked_row_encode(
	uint8_t lane, uint64_t due_ms, const struct queue_row *row, uint8_t buf[PARKED_ROW_MAX]);
int parked_row_decode(struct bytes value, uint8_t *lane, uint64_t *due_ms, struct queue_row *ret);
size_t asked_row_encode(const struct asked_row *row, uint8_t buf[ASKED_ROW_MAX]);
int asked_row_decode(struct bytes value, struct asked_row *ret);
void outcome_item_encode(const struct outcome_item *item, uint8_t buf[OUTCOME_ITEM_SIZE]);
/* The @nth item of an outcome row, from 0; 1 also past its last. */
int outcome_item_decode(struct bytes value, size_t nth, struct outcome_item *ret);
void seen_row_encode(const struct seen_row *row, uint8_t buf[SEEN_ROW_SIZE]);
int seen_row_decode(struct bytes value, struct seen_row *ret);
void end_row_encode(const struct end_row *row, uint8_t buf[END_ROW_SIZE]);
int end_row_decode(struct bytes value, struct end_row *ret);
void total_row_encode(const struct total_row *row, uint8_t buf[TOTAL_ROW_SIZE]);
int total_row_decode(struct bytes value, struct total_row *ret);

/* Month of a batch time for COUNTER_QUOTA: year * 12 + month, UTC, January 0. */
uint32_t quota_month(uint64_t wall_ms);
