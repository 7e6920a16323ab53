/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/frame.pb-c.h"
#include "proto/merkle/merkle.h"
#include "proto/note/checkpoint.h"
#include "proto/receipt/stub.h"

/*
 * Checking the receipts of one Answer (or Acknowledged) against its checkpoint. Many receipts of a frame
 * share tree nodes: the checker remembers nodes it has proven, so that each costs two or three hashes
 * instead of twenty (docs/protocol.md "Receipt").
 */
enum {
	RECEIPT_BAD = 1,  /* does not lead to the checkpoint's root */
	RECEIPT_FORM = 2, /* lengths, indexes or sizes impossible */
};

struct receipt_checker; /* about 100 KB whatever it is sent, one thread, one checkpoint at a time */

/**
 * receipt_checker_new() - make a checker; it refuses everything until the first start
 * @ret: the checker
 * Return: 0 or -ENOMEM.
 */
int receipt_checker_new(struct receipt_checker **ret);
void receipt_checker_free(struct receipt_checker *checker); /* takes NULL */
DEFINE_CLEANUP(struct receipt_checker *, receipt_checker_free);

/**
 * receipt_checker_start() - begin a frame: its opened checkpoint and its node table
 * @checker:    forgets everything proven under the checkpoint before
 * @checkpoint: already verified with checkpoint_open()
 * @nodes:      Answer.nodes; borrowed until the next start
 * Return: 0, RECEIPT_FORM.
 */
int receipt_checker_start(
	struct receipt_checker *checker, const struct checkpoint *checkpoint, struct bytes nodes);

/**
 * receipt_checker_hashes() - node hashes computed since it was made: what remembering saves
 * @checker: the checker
 * Return: the number.
 */
uint64_t receipt_checker_hashes(const struct receipt_checker *checker);

/**
 * receipt_check_message() - does this receipt prove that h with this signature is in the journal?
 * @checker:        started
 * @receipt:        untrusted; its h is compared
 * @h:              the message's identity
 * @signature_core: of the signature that was submitted (receipt->signature, when there, wins)
 *
 * On 0 every hash that receipt->path names is the right one, so that (nodes, path) may be kept as
 * evidence: see receipt_tlog_proof().
 *
 * Return: 0, RECEIPT_*.
 */
int receipt_check_message(struct receipt_checker *checker, const Dienstweg__Receipt *receipt,
	const uint8_t h[HASH_SIZE], struct bytes signature_core) _must_use_;

/**
 * receipt_check_ack() - the same for a batch of acknowledgements
 * @checker: started
 * @receipt: untrusted
 * @digest:  SHA-256("dienstweg/v1/ack-batch\0" || AckBatch bytes as sent)
 * Return: 0, RECEIPT_*.
 */
int receipt_check_ack(struct receipt_checker *checker, const Dienstweg__AckReceipt *receipt,
	const uint8_t digest[HASH_SIZE]) _must_use_;

/**
 * receipt_ack_batch_digest() - what names a batch of acknowledgements
 * @batch: AckBatch bytes as sent
 * @ret:   SHA-256("dienstweg/v1/ack-batch\0" || batch)
 */
void receipt_ack_batch_digest(struct bytes batch, uint8_t ret[HASH_SIZE]);

/* The same of a batch of cancellations: SHA-256("dienstweg/v1/cancel-batch\0" || batch). */
void receipt_cancel_batch_digest(struct bytes batch, uint8_t ret[HASH_SIZE]);

/**
 * receipt_tlog_proof() - a receipt as a C2SP tlog-proof file: kept as evidence, verifiable by others
 * @checkpoint_note: the signed note
 * @sequence:        leaf index
 * @path:            audit path, leaf to root
 * @steps:           its length
 * @extra:           empty, or bytes for the "extra" line: u8 1 || stub (35) || nonce || private digest || disclosed
 * @arena:           owns the result
 * @ret:             the text
 * Return: 0 or -ENOMEM.
 */
int receipt_tlog_proof(struct bytes checkpoint_note, uint64_t sequence,
	const struct merkle_hash *path, size_t steps, struct bytes extra, struct arena *arena,
	struct bytes *ret);
