/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/journal/keyring.h"
#include "broker/routing/rows.h"
#include "broker/routing/state.h"
#include "proto/base/arena.h"
#include "proto/base/db.h"
#include "proto/frame.pb-c.h"
#include "proto/journal.pb-c.h"
#include "proto/merkle/merkle.h"
#include "proto/note/epoch.h"
#include "proto/receipt/stub.h"

/*
 * Reading the journal: in the broker (cold deliveries, proofs) over its own environment, in tools over an
 * environment opened read-only by another process. A reader holds one short read transaction between
 * begin and end; views die with it. One thread at a time. Everything but begin and end is called between
 * these two. Arenas are the caller's; a result in one lives as long as it says.
 */
enum {
	READER_NOT_FOUND = 1,
	READER_ERASED = 2,  /* row or key is gone; the stub may still be there */
	READER_DAMAGED = 3, /* row does not open, decode, or match its stub; tiles are missing */
	READER_FORMAT = 4,  /* a format version that this program does not know */
};

struct journal_reader;
struct state_store;

/**
 * journal_reader_new() - a reader over an environment that this process has open
 * @env:     the journal's (journal_env())
 * @keyring: may be NULL: then only the tree and permanent rows can be read
 * @ret:     the reader
 * Return: 0, READER_FORMAT, -ENOENT when the environment is no journal, negative errno.
 */
int journal_reader_new(struct db_env *env, struct keyring *keyring, struct journal_reader **ret);

/**
 * journal_reader_open() - a reader over a journal folder of another process, read-only
 * @dir:     the folder
 * @keyring: may be NULL
 * @ret:     the reader
 * Return: as journal_reader_new(); -ENOENT when there is none.
 */
int journal_reader_open(const char *dir, struct keyring *keyring, struct journal_reader **ret);

/**
 * journal_reader_share() - another reader of the same journal with the same keyring, for another thread
 * @reader: any thread; must outlive the new one
 * @ret:    the new one, not begun
 * Return: 0 or -ENOMEM.
 */
int journal_reader_share(const struct journal_reader *reader, struct journal_reader **ret);
void journal_reader_free(struct journal_reader *reader); /* ends it first; takes NULL */
DEFINE_CLEANUP(struct journal_reader *, journal_reader_free);

/**
 * journal_reader_begin() - see the journal as of the last commit
 * @reader: not begun
 * Return: 0 or negative errno.
 */
int journal_reader_begin(struct journal_reader *reader);
void journal_reader_end(struct journal_reader *reader); /* harmless when not begun */

/**
 * journal_reader_in_order() - until the next end, entries will be read in ascending order
 * @reader: begun
 *
 * Rows are then found by where the last ones were. Any other order gives the same, but no faster.
 *
 * Return: 0 or negative errno.
 */
int journal_reader_in_order(struct journal_reader *reader);

struct journal_meta {
	uint32_t format;
	char bus[64];
	uint32_t epoch;
	uint64_t size;              /* entries = leaves */
	uint64_t batch_ms;          /* of the last commit */
	uint64_t registry_sequence; /* entry of the registry in force */
};

/**
 * journal_read_meta() - the head
 * @reader: begun
 * @ret:    the head
 * Return: 0, READER_FORMAT, READER_DAMAGED, negative errno.
 */
int journal_read_meta(struct journal_reader *reader, struct journal_meta *ret);

/**
 * journal_read_stub() - the stub of an entry
 * @reader:   begun
 * @sequence: of the entry
 * @ret:      the stub
 * Return: 0, READER_NOT_FOUND, READER_DAMAGED, negative errno.
 */
int journal_read_stub(struct journal_reader *reader, uint64_t sequence, struct stub *ret);

/**
 * journal_read_row() - open a record and check it, and what was received, against its stub
 * @reader:   begun
 * @sequence: of the entry
 * @arena:    owns the result
 * @ret:      the row
 * Return: 0, READER_*, negative errno.
 */
int journal_read_row(struct journal_reader *reader, uint64_t sequence, struct arena *arena,
	Dienstweg__Row **ret);

/**
 * journal_row_decision() - the decision inside a row
 * @row:   read before
 * @arena: owns the result
 * @ret:   the decision
 * Return: 0, READER_DAMAGED, -ENOMEM.
 */
int journal_row_decision(const Dienstweg__Row *row, struct arena *arena, Dienstweg__Decision **ret);

/**
 * journal_read_content() - all chunks of a content, joined
 * @reader:   begun
 * @sequence: of the entry
 * @arena:    owns the result
 * @ret:      the bytes; their hash is in the header, for the caller to check
 * Return: 0, READER_* (erased also for an entry that never had content), negative errno.
 */
int journal_read_content(
	struct journal_reader *reader, uint64_t sequence, struct arena *arena, struct bytes *ret);

/**
 * journal_read_checkpoint() - a kept checkpoint
 * @reader: begun
 * @size:   0: the newest; else the newest one of a tree of at most so many leaves
 * @ret:    the signed note, a view
 * Return: 0, READER_NOT_FOUND, negative errno.
 */
int journal_read_checkpoint(struct journal_reader *reader, uint64_t size, struct bytes *ret);

/**
 * journal_read_next_checkpoint() - walk the kept checkpoints upwards
 * @reader:   begun
 * @size:     the first one of a tree of at least so many leaves
 * @ret_size: the size that it is kept under
 * @ret:      the signed note, a view
 * Return: 0, READER_NOT_FOUND at the end, READER_DAMAGED, negative errno.
 */
int journal_read_next_checkpoint(
	struct journal_reader *reader, uint64_t size, uint64_t *ret_size, struct bytes *ret);

/**
 * journal_read_next_cosigned() - walk the checkpoints that are kept with cosignatures upwards
 * @reader:   begun
 * @size:     the first one of a tree of at least so many leaves
 * @ret_size: the size that it is kept under
 * @ret:      the note with the lines of its witnesses, a view; fewer than a quorum perhaps
 * Return: as journal_read_next_checkpoint().
 */
int journal_read_next_cosigned(
	struct journal_reader *reader, uint64_t size, uint64_t *ret_size, struct bytes *ret);

/**
 * journal_read_root() - root of the tree as it was
 * @reader: begun
 * @size:   1 to the journal's size
 * @ret:    the root
 * Return: as journal_read_node().
 */
int journal_read_root(struct journal_reader *reader, uint64_t size, struct merkle_hash *ret);

/**
 * journal_read_node() - a node in the tree of @size leaves, ragged edge included; from the tiles
 * @reader: begun
 * @size:   1 to the journal's size
 * @level:  of the node
 * @index:  of the node; it must cover at least one leaf
 * @ret:    the hash
 * Return: 0, READER_NOT_FOUND for a place outside the tree, or in what was pruned, READER_DAMAGED, negative errno.
 */
int journal_read_node(struct journal_reader *reader, uint64_t size, unsigned int level,
	uint64_t index, struct merkle_hash *ret);

/**
 * journal_read_hashes() - a stored row of the tree: hashes of neighbouring nodes (docs/journal.md "Tiles")
 * @reader:    begun
 * @level:     of the nodes, a multiple of 5
 * @row:       hashes of the nodes 32 * @row and up
 * @ret:       room for TREE_ROW_MAX
 * @ret_count: how many are there
 * Return: 0, READER_DAMAGED when the row is missing, negative errno.
 */
enum { TREE_ROW_MAX = 32 };
int journal_read_hashes(struct journal_reader *reader, unsigned int level, uint64_t row,
	struct merkle_hash ret[TREE_ROW_MAX], size_t *ret_count);

/**
 * journal_read_path() - the audit path of a leaf
 * @reader:    begun
 * @index:     of the leaf
 * @size:      leaves of the tree
 * @ret:       room for MERKLE_LEVELS hashes
 * @ret_count: how many
 * Return: as journal_read_node().
 */
int journal_read_path(struct journal_reader *reader, uint64_t index, uint64_t size,
	struct merkle_hash *ret, size_t *ret_count);

/**
 * journal_read_consistency() - the proof that one tree extends another
 * @reader:    begun
 * @old_size:  1 to @new_size
 * @new_size:  leaves of the tree
 * @ret:       room for 2 * MERKLE_LEVELS hashes
 * @ret_count: how many
 * Return: as journal_read_node().
 */
int journal_read_consistency(struct journal_reader *reader, uint64_t old_size, uint64_t new_size,
	struct merkle_hash *ret, size_t *ret_count);

/**
 * journal_read_queue() - rows of a recipient's queue lane, one per call
 * @reader:       begun
 * @party:        number of the recipient
 * @lane:         enum of broker/routing/rows.h
 * @from:         first sequence wanted
 * @ret_sequence: of the row found
 * @ret_value:    a view
 * Return: 0, READER_NOT_FOUND at the end, negative errno.
 */
int journal_read_queue(struct journal_reader *reader, uint32_t party, uint8_t lane, uint64_t from,
	uint64_t *ret_sequence, struct bytes *ret_value);

/**
 * journal_read_table() - rows of a derived table, one per call, for tools that compare or list
 * @reader:    begun
 * @table:     which
 * @from:      the first key >= this
 * @ret_key:   a view
 * @ret_value: a view
 * Return: 0, READER_NOT_FOUND at the end, negative errno.
 */
int journal_read_table(struct journal_reader *reader, enum state_table table, struct bytes from,
	struct bytes *ret_key, struct bytes *ret_value);

/**
 * journal_reader_store() - the derived tables as a state, read only, for what works on either
 * @reader: begun whenever it is used
 * Return: the reader's own.
 */
struct state_store *journal_reader_store(struct journal_reader *reader);

/**
 * journal_read_confirmed() - up to where a sender has confirmed outcomes
 * @reader: begun
 * @party:  number of the sender
 * @ret:    sequence of the entry; 0: nothing yet, as no outcome comes of entry 0
 * Return: 0, READER_DAMAGED, negative errno.
 */
int journal_read_confirmed(struct journal_reader *reader, uint32_t party, uint64_t *ret);

/* Which state entry there was last. */
struct journal_state_mark {
	uint64_t sequence; /* of the entry */
	uint64_t size;     /* entries that it accounts for */
	uint64_t batch_ms; /* when it was taken */
};

/**
 * journal_read_state_mark() - the newest state entry
 * @reader: begun
 * @ret:    the mark
 * Return: 0, READER_NOT_FOUND before the first, READER_DAMAGED, negative errno.
 */
int journal_read_state_mark(struct journal_reader *reader, struct journal_state_mark *ret);

/* What was pruned (docs/journal.md "Pruning"). */
enum { PRUNED_PATH_MAX = 1024 };
struct journal_pruned {
	uint64_t before; /* entries below this number are archived; 0: none are. A multiple of 32 */
	uint64_t said;   /* one more than the start entry that says so; 0: none does yet */
	char archive[PRUNED_PATH_MAX]; /* folder of the archive, as it was then */
};

/**
 * journal_read_pruned() - from which entry on is the journal whole?
 * @reader: begun
 * @ret:    zeroed when nothing was pruned
 * Return: 0, READER_DAMAGED, negative errno.
 */
int journal_read_pruned(struct journal_reader *reader, struct journal_pruned *ret);

/**
 * journal_read_epochs() - the epochs that began in this log (docs/journal.md "Epochs")
 * @reader: begun
 * @ret:    none when it never lost anything
 * Return: 0, READER_DAMAGED, negative errno.
 */
int journal_read_epochs(struct journal_reader *reader, struct epochs *ret);

/**
 * journal_read_continuation() - the proof that an epoch began with an entry
 * @reader:   begun
 * @sequence: of the entry "continues"
 * @size:     leaves of the tree that it is proven in
 * @arena:    owns the result
 * @ret:      to be sent
 * Return: 0, READER_*, -ENOMEM, negative errno.
 */
int journal_read_continuation(struct journal_reader *reader, uint64_t sequence, uint64_t size,
	struct arena *arena, Dienstweg__Continuation *ret);

/**
 * journal_read_present() - can the record of an entry be opened, as far as row and key go?
 * @reader:   begun
 * @sequence: of the entry
 *
 * Nothing is opened: a hundred times cheaper than reading, for who looks for what was erased.
 *
 * Return: 0, READER_NOT_FOUND, READER_ERASED, READER_DAMAGED, negative errno.
 */
int journal_read_present(struct journal_reader *reader, uint64_t sequence);
/* The same of its content. */
int journal_read_content_present(struct journal_reader *reader, uint64_t sequence);

/**
 * journal_read_label() - under which key is the record of an entry sealed?
 * @reader:   begun
 * @sequence: of the entry
 * @ret:      the label
 * Return: 0, READER_NOT_FOUND when there is no record or it stands in clear, negative errno.
 */
int journal_read_label(struct journal_reader *reader, uint64_t sequence, uint32_t *ret);

enum journal_table {
	JOURNAL_STUB,
	JOURNAL_RECORD,
	JOURNAL_CONTENT,
	JOURNAL_TILE,
	JOURNAL_CHECKPOINT,
	JOURNAL_REGISTRY,
	JOURNAL_TABLES,
};

/**
 * journal_read_primary() - the first row of a primary table from a number on, for tools that look for what
 *                          should not be there
 * @reader:     begun
 * @table:      which
 * @from:       least number in front of its key (docs/journal.md "Tables")
 * @ret_number: of the row found
 * Return: 0, READER_NOT_FOUND, READER_DAMAGED (a key that is too short), negative errno.
 */
int journal_read_primary(struct journal_reader *reader, enum journal_table table, uint64_t from,
	uint64_t *ret_number);

/**
 * journal_check_registry_row() - does the row of a registry entry say what the registry is?
 * @reader:      begun
 * @sequence:    of the entry
 * @version:     of the registry
 * @digest:      registry_note_digest()
 * @content_len: bytes of it
 * Return: 0, READER_NOT_FOUND, READER_DAMAGED, negative errno.
 */
int journal_check_registry_row(struct journal_reader *reader, uint64_t sequence, uint64_t version,
	const uint8_t digest[HASH_SIZE], size_t content_len);

/**
 * journal_read_registry() - the signed registry in force at an entry
 * @reader:     begun
 * @sequence:   of the entry; a registry is in force from its own entry on
 * @arena:      owns the result
 * @ret_signed: a serialized SignedRegistry
 * Return: 0, READER_*, negative errno.
 */
int journal_read_registry(struct journal_reader *reader, uint64_t sequence, struct arena *arena,
	struct bytes *ret_signed);

/**
 * journal_read_registry_at() - the same, and which entry it is
 * @reader:       begun
 * @sequence:     of the entry
 * @arena:        owns the result
 * @ret_sequence: of the registry's own entry; set whenever there is one, even when it cannot be read
 * @ret_signed:   a serialized SignedRegistry
 * Return: 0, READER_*, negative errno.
 */
int journal_read_registry_at(struct journal_reader *reader, uint64_t sequence, struct arena *arena,
	uint64_t *ret_sequence, struct bytes *ret_signed);

/**
 * journal_read_registry_version() - a registry by its version
 * @reader:     begun
 * @version:    which
 * @arena:      owns the result
 * @ret_signed: a serialized SignedRegistry
 * Return: 0, READER_NOT_FOUND when no such version was ever in force, READER_*, negative errno.
 */
int journal_read_registry_version(struct journal_reader *reader, uint64_t version,
	struct arena *arena, struct bytes *ret_signed);

/**
 * journal_read_last_erased() - the newest *erased* entry; each names the one before
 * @reader:       begun
 * @ret_sequence: of the entry
 * Return: 0, READER_NOT_FOUND when nothing was ever erased, READER_DAMAGED, negative errno.
 */
int journal_read_last_erased(struct journal_reader *reader, uint64_t *ret_sequence);

/* Is a run of erasure removing rows, or were it when it was interrupted? 0, READER_DAMAGED, negative errno. */
int journal_read_erasing(struct journal_reader *reader, bool *ret);

/**
 * journal_read_party_name() - name of a party number
 * @reader: begun
 * @number: of the party
 * @ret:    the name, NUL-terminated
 * Return: 0, READER_NOT_FOUND, READER_DAMAGED, negative errno.
 */
int journal_read_party_name(struct journal_reader *reader, uint32_t number, char ret[64]);
