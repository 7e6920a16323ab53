/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/journal/keyring.h"
#include "broker/journal/seal.h"
#include "broker/journal/tables.h"
#include "broker/journal/tree.h"
#include "broker/parcel.h"
#include "proto/journal.pb-c.h"
#include "proto/receipt/stub.h"

/* Appending one entry: stub, record, content, leaf. Inside this folder only; the writer's thread. */
enum {
	PRIVATE_MAX = 24 * 1024, /* a serialized Decision */
	ROW_MAX = PRIVATE_MAX + HEADER_BYTES_MAX + 4096,
	RANDOM_POOL = 128 * STUB_SECRET_SIZE,
};

struct entry {
	uint8_t kind;         /* EntryKind */
	uint8_t class;        /* retention class, 0: permanent and not sealed */
	uint32_t record_days; /* ages of the class */
	uint32_t content_days;
	uint8_t digest[HASH_SIZE]; /* of the original; zeroes where there is none */
	struct bytes rest;         /* accepted: the signature core */
	const Dienstweg__Decision *decision;
	struct bytes original;
	struct bytes content; /* may be empty */
};

/* The end of the log, and what stays the same for all entries of a batch. */
struct entry_log {
	struct db_txn *txn;
	const struct journal_tables *tables;
	struct keyring *keyring;
	struct seal_map *seal;
	struct tree *tree;
	uint64_t batch_ms;
	uint64_t registry_version;
	uint64_t sequence; /* the next entry's */
	uint64_t bytes;    /* of values put, ever: for the fill estimate */
	size_t random_left;
	uint8_t random[RANDOM_POOL];
	uint8_t private[PRIVATE_MAX];
	uint8_t row[ROW_MAX];
};

/**
 * entry_append() - write an entry at log->sequence, and count that up
 * @log:   between begin and commit
 * @entry: what
 * @ret:   NULL, or what its receipt needs, but the path
 * Return: 0, -ENOKEY when the keyring lacks the day's key, -ENOSPC, negative errno.
 */
int entry_append(struct entry_log *log, const struct entry *entry, struct parcel_proof *ret);
