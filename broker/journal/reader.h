/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/journal/keyring.h"
#include "broker/routing/rows.h"
#include "proto/base/arena.h"
#include "proto/base/db.h"
#include "proto/journal.pb-c.h"
#include "proto/merkle/merkle.h"
#include "proto/receipt/stub.h"

/*
 * Reading the journal: in the broker (cold deliveries, proofs) over its own environment, in tools over an
 * environment opened read-only by another process. A reader holds one short read transaction between
 * begin and end; views die with it. One thread.
 */
enum {
	READER_NOT_FOUND = 1,
	READER_ERASED = 2,  /* row or key is gone; the stub may still be there */
	READER_DAMAGED = 3, /* row does not open, decode, or match its stub */
};

struct journal_reader;

/* Over an environment that this process has open. @keyring may be NULL (tree only). */
int journal_reader_new(struct db_env *env, struct keyring *keyring, struct journal_reader **ret);
/* Over a journal folder of another process, read-only; -ENOENT when there is none. */
int journal_reader_open(const char *dir, struct keyring *keyring, struct journal_reader **ret);
void journal_reader_free(struct journal_reader *reader);
DEFINE_CLEANUP(struct journal_reader *, journal_reader_free);

int journal_reader_begin(struct journal_reader *reader);
void journal_reader_end(struct journal_reader *reader);

/* Between begin and end: */
struct journal_meta {
	uint32_t format;
	char bus[64];
	uint32_t epoch;
	uint64_t size;      /* entries = leaves */
	uint64_t batch_ms;  /* of the last commit */
	uint64_t registry_sequence; /* entry of the registry in force */
};
int journal_read_meta(struct journal_reader *reader, struct journal_meta *ret);
int journal_read_stub(struct journal_reader *reader, uint64_t sequence, struct stub *ret);
/* Opens a record and checks it against its stub. Fields live in @arena. */
int journal_read_row(struct journal_reader *reader, uint64_t sequence, struct arena *arena,
	Dienstweg__Row **ret);
/* The decision inside a row. 0, READER_DAMAGED, -ENOMEM. */
int journal_row_decision(const Dienstweg__Row *row, struct arena *arena, Dienstweg__Decision **ret);
/* All chunks of a content, joined. */
int journal_read_content(struct journal_reader *reader, uint64_t sequence, struct arena *arena,
	struct bytes *ret);
/* Newest signed checkpoint (a view), or the newest kept one with size <= @size when @size != 0. */
int journal_read_checkpoint(struct journal_reader *reader, uint64_t size, struct bytes *ret);
/* A node (level, index) in the tree of @size leaves, ragged edge included; from the tiles. */
int journal_read_node(struct journal_reader *reader, uint64_t size, unsigned int level,
	uint64_t index, struct merkle_hash *ret);
/* Audit path and consistency proof; hashes into @ret (room for MERKLE_LEVELS, twice that). */
int journal_read_path(struct journal_reader *reader, uint64_t index, uint64_t size,
	struct merkle_hash *ret, size_t *ret_count);
int journal_read_consistency(struct journal_reader *reader, uint64_t old_size, uint64_t new_size,
	struct merkle_hash *ret, size_t *ret_count);

/* Rows of a recipient's queue lane from a sequence on (inclusive): one per call. READER_NOT_FOUND at the end. */
int journal_read_queue(struct journal_reader *reader, uint32_t party, uint8_t lane, uint64_t from,
	uint64_t *ret_sequence, struct bytes *ret_value);
/* A derived table for tools that compare or list: cursor over (key, value), the first key >= @from. */
int journal_read_table(struct journal_reader *reader, enum state_table table, struct bytes from,
	struct bytes *ret_key, struct bytes *ret_value);
/* The signed registry in force at an entry: its bytes in @arena. */
int journal_read_registry(struct journal_reader *reader, uint64_t sequence, struct arena *arena,
	struct bytes *ret_signed);
/* Name of a party number (into a 64-byte buffer). */
int journal_read_party_name(struct journal_reader *reader, uint32_t number, char ret[64]);
