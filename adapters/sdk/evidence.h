/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/heads.h"
#include "adapters/sdk/rows.h"
#include "adapters/sdk/store.h"
#include "proto/base/arena.h"
#include "proto/frame.pb-c.h"

/*
 * What proves, years later, that a message is in the journal and how it ended: header, receipt and the
 * checkpoint it leads to, and the recipient's own signature. Kept for EVIDENCE_DAYS, together with the key
 * by which the legacy system knows the message.
 */
enum {
	EVIDENCE_DAYS = 730,
	ACKED_KEY_MAX = 8 + 4, /* u64be entry, and in a later epoch than 0 u32be epoch */
};

/* A checked receipt and what it is about; fields of @receipt that the check covers may be relied on. */
struct evidence_receipt {
	uint8_t message_id[UUID_SIZE];
	struct bytes header;
	struct bytes core; /* of the signature that is in the journal */
	const Dienstweg__Receipt *receipt;
	struct bytes nodes;      /* Answer.nodes */
	struct bytes checkpoint; /* the signed note */
};

/* Keep a receipt, or how a message ended, within the turn: 0 or negative errno. */
int evidence_put_receipt(struct store *store, const struct evidence_receipt *receipt);

/**
 * evidence_text() - a receipt as a C2SP tlog-proof file
 * @receipt: checked
 * @arena:   owns the text
 * @ret:     the text
 * Return: 0 or negative errno.
 */
int evidence_text(const struct evidence_receipt *receipt, struct arena *arena, struct bytes *ret);

/**
 * evidence_proof() - the same from the store
 * @store:      the store
 * @message_id: whose
 * @arena:      owns the results
 * @ret_text:   the tlog-proof file
 * @ret_header: the header bytes whose hash it proves
 * Return: 0, STORE_NOT_FOUND, negative errno.
 */
int evidence_proof(struct store *store, const uint8_t message_id[UUID_SIZE], struct arena *arena,
	struct bytes *ret_text, struct bytes *ret_header);

/**
 * evidence_set_aside() - the log is in another epoch: a receipt from before is kept beside the next one
 * @store:      the store
 * @message_id: whose
 * @ret_epoch:  of the checkpoint that it is proven under
 * Return: 0, STORE_NOT_FOUND (no receipt), negative errno.
 */
int evidence_set_aside(
	struct store *store, const uint8_t message_id[UUID_SIZE], uint32_t *ret_epoch);

/* As evidence_proof(), of the receipt from an epoch that is over. */
int evidence_proof_before(struct store *store, const uint8_t message_id[UUID_SIZE], uint32_t epoch,
	struct arena *arena, struct bytes *ret_text, struct bytes *ret_header);

/**
 * evidence_final() - is the receipt of a message final, and by which checkpoint?
 * @store:      the store
 * @message_id: whose
 * @ret:        the newest final checkpoint, with its cosignatures
 * Return: 0, EVIDENCE_OPEN (not yet), STORE_NOT_FOUND (no receipt), negative errno.
 */
enum { EVIDENCE_OPEN = 3 };
int evidence_final(struct store *store, const uint8_t message_id[UUID_SIZE], struct head *ret);

/* How a message ended at one recipient. */
struct evidence_outcome {
	uint8_t message_id[UUID_SIZE];
	uint64_t sequence; /* of the entry that ended it */
	uint64_t at_ms;
	struct bytes recipient;
	struct bytes state;
	struct bytes code;
	struct bytes text;
	struct bytes core; /* of the recipient's signature; empty when nobody signed */
};
/* As evidence_put_receipt(). */
int evidence_put_outcome(struct store *store, const struct evidence_outcome *outcome);

/**
 * evidence_outcomes() - go through the outcomes of a message
 * @store:      the store
 * @message_id: whose
 * @visit:      called with each; views; non-zero ends it
 * @context:    for @visit
 * Return: 0, what @visit gave, negative errno.
 */
int evidence_outcomes(struct store *store, const uint8_t message_id[UUID_SIZE],
	int (*visit)(void *context, const struct evidence_outcome *outcome), void *context);

/**
 * evidence_put_acked() - that a batch of our acknowledgements is in the journal
 * @store:      the store
 * @batch:      AckBatch bytes as sent
 * @receipt:    checked
 * @nodes:      Acknowledged.nodes
 * @checkpoint: the signed note
 * Return: 0 or negative errno.
 */
int evidence_put_acked(struct store *store, struct bytes batch,
	const Dienstweg__AckReceipt *receipt, struct bytes nodes, struct bytes checkpoint);

/**
 * evidence_acked() - that our acknowledgement of a message is in the journal, as a C2SP tlog-proof file
 * @store:     the store
 * @message:   sequence of the message, as it was delivered
 * @epoch:     in which it was acknowledged; EVIDENCE_NEWEST: the last that had this number
 * @arena:     owns the results
 * @ret_text:  the tlog-proof file
 * @ret_batch: the batch of acknowledgements whose digest it proves
 * Return: 0, STORE_NOT_FOUND, negative errno.
 */
#define EVIDENCE_NEWEST UINT32_MAX
int evidence_acked(struct store *store, uint64_t message, uint32_t epoch, struct arena *arena,
	struct bytes *ret_text, struct bytes *ret_batch);

/**
 * evidence_prune() - forget what is older than EVIDENCE_DAYS, a slice at a time, within the turn
 * @store:    the store
 * @now_ms:   wall clock
 * @max:      most messages to forget now
 * @ret_more: whether there is more
 * Return: 0 or negative errno.
 */
int evidence_prune(struct store *store, uint64_t now_ms, size_t max, bool *ret_more);
