/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/envelope/envelope.h"
#include "proto/identity/uuid.h"
#include "proto/signature/signature.h"

/*
 * What stands in the rows of the adapter's store (adapters/sdk/store.h). Numbers are big-endian; a row
 * opens with its form, 0. Decoding takes nothing for granted: a damaged file is -EBADMSG, not a crash.
 */
enum {
	ROW_FORM = 0,
	ROW_INLINE_MAX = 3900, /* of a whole outbox row; larger content and body go into chunks */
	ROW_KEY_MAX = 200,     /* of the legacy system's key */
	CASE_ID_SIZE = 16,
	OUTBOX_ROW_FIXED = 1 + 1 + 2 + 2 + 4 + 4 + 2 * 16 + 8,
	SENT_ROW_MAX = 1 + 1 + 1 + 8 + 32 + 8 + 8 + 16 + 3 + 2 * NAME_BYTES_MAX + ROW_KEY_MAX,
	INBOX_ROW_MAX = 1 + 1 + 8 + 1 + 1 + 63 + 255,
	INBOX_KEY_MAX = HASH_SIZE + NAME_BYTES_MAX,
	TAKEN_KEY_MAX = UUID_SIZE + INBOX_KEY_MAX,
	BY_KEY_MAX = NAME_BYTES_MAX + 1 + ROW_KEY_MAX,
};

/* A message that waits for its receipt: what is sent, and (when sealed) what it is made from. */
struct outbox_row {
	bool sealed;
	bool chunked; /* content and body are in chunks, not in here */
	bool bare;    /* sent before and to be sent as it is: there is no body to seal anew */
	uint8_t message_id[UUID_SIZE];
	uint8_t case_id[CASE_ID_SIZE];
	uint64_t place; /* where it goes, as a number: messages to one place wait for one another */
	struct bytes header;
	struct bytes core;    /* of its signature: signature_core() */
	struct bytes content; /* view, or only its length when chunked */
	struct bytes body;    /* sealed: the plaintext, for sealing anew; likewise */
	bool attached; /* in front of the body: u32be length and the keys of its attachments */
};

/**
 * outbox_row_size() - bytes of the row, and where content and body go
 * @row: sets @chunked
 * Return: bytes for outbox_row_encode().
 */
size_t outbox_row_size(struct outbox_row *row);
size_t outbox_row_size_as(struct outbox_row *row, bool chunked);    /* where that is settled */
void outbox_row_encode(const struct outbox_row *row, uint8_t *buf); /* as many as asked for */
int outbox_row_decode(struct bytes value, struct outbox_row *ret);  /* 0 or -EBADMSG; views */

/* What became of a message of ours. */
enum sent_state { SENT_WAITING = 1, SENT_RECORDED = 2, SENT_REFUSED = 3 };
struct sent_row {
	enum sent_state state;
	bool ended; /* an outcome came before the receipt: report it once the receipt is there */
	bool again; /* waiting: it had a receipt before, for the entry @sequence */
	uint8_t reminded; /* reminders that were told, or are kept: 1 << (event - DW_OVERDUE), 6 bits */
	uint64_t number; /* in the outbox */
	uint8_t h[HASH_SIZE];
	uint64_t sequence; /* recorded, refused: its entry */
	uint64_t at_ms;
	uint8_t case_id[CASE_ID_SIZE];
	struct bytes sender;
	struct bytes service;
	struct bytes key;
};
size_t sent_row_encode(const struct sent_row *row, uint8_t buf[SENT_ROW_MAX]);
int sent_row_decode(struct bytes value, struct sent_row *ret); /* 0 or -EBADMSG; views */

/* A delivery that was handed over, or turned down, for good. */
struct inbox_row {
	bool accepted;
	uint64_t sequence;
	struct bytes code;
	struct bytes text;
};
size_t inbox_row_encode(const struct inbox_row *row, uint8_t buf[INBOX_ROW_MAX]);
int inbox_row_decode(struct bytes value, struct inbox_row *ret); /* 0 or -EBADMSG; views */

/* Keys: views into @buf. */
struct bytes inbox_key(
	const uint8_t h[HASH_SIZE], struct bytes recipient, uint8_t buf[INBOX_KEY_MAX]);
struct bytes taken_key(const uint8_t message_id[UUID_SIZE], const uint8_t h[HASH_SIZE],
	struct bytes recipient, uint8_t buf[TAKEN_KEY_MAX]);
struct bytes by_key_key(struct bytes sender, struct bytes key, uint8_t buf[BY_KEY_MAX]);
