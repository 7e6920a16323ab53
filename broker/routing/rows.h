/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

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

enum end_state {
	END_ACCEPTED = 1,
	END_REJECTED = 2,
	END_EXPIRED = 3,
	END_CANCELLED = 4,
	END_DISCARDED = 5,
};
const char *end_state_name(enum end_state state);

enum timer_what {
	TIMER_RELEASE = 1, /* not-before or retry: value is lane | queue row; goes back to `queue` */
	TIMER_EXPIRE = 2,  /* value: u8 lane */
	TIMER_SUMMARY = 3, /* sequence is the minute; value empty: sum up refusals of that minute */
};

enum counter_kind {
	COUNTER_QUEUE = 'q',    /* u32 party -> u64 messages | u64 bytes open for this recipient */
	COUNTER_QUOTA = 'a',    /* u32 month (year * 12 + month) | agreement id -> u64 messages */
	COUNTER_REFUSALS = 'r', /* u32 party | u64 minute -> u64 journaled | u64 summed */
	COUNTER_PARTIES = 'p',  /* -> u32 last number given */
};

enum {
	QUEUE_KEY_SIZE = 4 + 1 + 8,
	QUEUE_ROW_SIZE = 2 + 4 + 4 + 8 + 32 + 16 + 16,
	OUTCOME_ITEM_SIZE = 8 + 4 + 1 + 1 + 32 + 16 + 16,
	OUTCOME_ITEMS_MAX = 32,
	TIMER_KEY_SIZE = 8 + 8 + 4 + 1,
	SEEN_KEY_SIZE = 16 + 4,
	SEEN_ROW_SIZE = 8 + 1 + 16,
	END_KEY_SIZE = 8 + 4,
	END_ROW_SIZE = 1 + 8 + 1,
};

/* A message waiting for a recipient. Carries what acknowledgement and outcome need, so that the hot path
   never reads the record again. */
struct queue_row {
	uint16_t attempts;
	uint32_t sender;     /* party number */
	uint32_t bytes;      /* header + content, for counters and credits */
	uint64_t expires_ms; /* 0: never */
	uint8_t h[HASH_SIZE];
	uint8_t message_id[UUID_SIZE];
	uint8_t case_id[16];
};

/* One end state, on its way to the sender. */
struct outcome_item {
	uint64_t sequence;   /* of the message */
	uint32_t recipient;  /* party number */
	uint8_t state;       /* enum end_state */
	uint8_t index;       /* of the ack in its entry */
	uint8_t h[HASH_SIZE];
	uint8_t message_id[UUID_SIZE];
	uint8_t case_id[16];
};

void queue_key_encode(uint32_t party, uint8_t lane, uint64_t sequence, uint8_t buf[QUEUE_KEY_SIZE]);
int queue_key_decode(struct bytes key, uint32_t *party, uint8_t *lane, uint64_t *sequence);
void queue_row_encode(const struct queue_row *row, uint8_t buf[QUEUE_ROW_SIZE]);
int queue_row_decode(struct bytes value, struct queue_row *ret);
void outcome_item_encode(const struct outcome_item *item, uint8_t buf[OUTCOME_ITEM_SIZE]);
int outcome_item_decode(struct bytes value, size_t nth, struct outcome_item *ret);
void timer_key_encode(uint64_t due_ms, uint64_t sequence, uint32_t party, uint8_t what,
	uint8_t buf[TIMER_KEY_SIZE]);
int timer_key_decode(struct bytes key, uint64_t *due_ms, uint64_t *sequence, uint32_t *party,
	uint8_t *what);
void seen_key_encode(const uint8_t message_id[UUID_SIZE], uint32_t sender, uint8_t buf[SEEN_KEY_SIZE]);
void end_key_encode(uint64_t sequence, uint32_t party, uint8_t buf[END_KEY_SIZE]);
