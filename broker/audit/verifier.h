/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/audit/absence-count.h"
#include "broker/audit/absence.h"
#include "broker/audit/archive.h"
#include "broker/audit/chain.h"
#include "broker/audit/crew.h"
#include "broker/audit/disputes.h"
#include "broker/audit/entry.h"
#include "broker/audit/slice.h"
#include "broker/audit/verify.h"
#include "broker/journal/seal-check.h"
#include "proto/signature/signature.h"

/* A verification under way; between the verify*.c files. */

enum { TREE_ROW_HEIGHT = 5 /* hashes are stored for every fifth level, docs/journal.md "Tiles" */ };

/* The stored row of a level that the walk is in. */
struct tree_row {
	bool loaded;
	uint64_t number;
	size_t count; /* hashes that are there */
	struct merkle_hash hashes[TREE_ROW_MAX];
};

/* What is judged in the order of the entries: tree, registries, checkpoints. One thread. */
struct verifier {
	struct audit *audit;
	const struct audit_verify_options *options;
	struct audit_report *report; /* during the walk, of the slice at hand */
	struct audit_verify_result *result;
	uint64_t size;           /* entries, as of the beginning */
	struct merkle_edge edge; /* over the leaves so far */
	int found;               /* of the stub at edge.size: what the reader said */
	struct stub stub;        /* if that is 0 */
	struct tree_row rows[(MERKLE_LEVELS + TREE_ROW_HEIGHT - 1) / TREE_ROW_HEIGHT];
	struct epochs epochs;                   /* that have begun so far */
	char origin[CHECKPOINT_ORIGIN_MAX + 1]; /* of the newest of them */
	struct chain chain;
	struct disputes disputes;
	struct arena *arena;           /* of the registry at hand */
	struct absence_count absent;   /* rows that are gone, against what is said of them */
	struct slice_time time;        /* of the last entry told whose time is known */
	uint64_t pruned;               /* entries below are archived; 0: none */
	struct archive_stubs *archive; /* NULL, or where their stubs are read */
	uint64_t walked_from;          /* entries below were not looked at, now */
	uint64_t last_state;           /* one more than the last state entry seen; 0: none was */
	uint64_t last_witnessed;       /* likewise the last one *witnessed* */
	uint64_t bad_row;              /* one more than the tree row last reported as unreadable */

	uint8_t newest_note[CHECKPOINT_NOTE_MAX]; /* of `size` entries */
	size_t newest_len;
	struct checkpoint newest;
	struct checkpoint held; /* size 0: none */
	uint64_t next_kept;     /* size of the next kept checkpoint; UINT64_MAX: none */
	uint64_t next_cosigned; /* and of the next that is kept with cosignatures */
};

/* Each: 0 or negative errno; what is wrong goes to the report. */

/* Take the newest checkpoint and judge where the journal ends. */
int verify_tree_begin(struct verifier *verifier);
/* After every new snapshot: where is the next kept checkpoint? */
int verify_tree_resume(struct verifier *verifier);
/* Read the stub of entry verifier->edge.size; may find that the journal ends here. */
int verify_tree_look(struct verifier *verifier);
/* The stub just read, its stored hash, the nodes that it completes. */
int verify_tree_leaf(struct verifier *verifier);
/* Does this stub lead to the root of the newest checkpoint? True when there is none to ask. */
int verify_tree_leads(
	struct verifier *verifier, uint64_t sequence, const struct stub *stub, bool *ret);
/* What was pruned, and does an entry say so? Opens the archive; after the newest checkpoint was taken. */
int verify_pruned_begin(struct verifier *verifier);
/* Is the entry at hand one that was pruned, with no archive to read it from? */
bool verify_pruned_is_closed(const struct verifier *verifier);
/* Such an entry: what is left of it. Behind the last one, the edge of the tree is there again. */
int verify_pruned_pass(struct verifier *verifier);
/* A state entry: the permanent entries that it counts, as far as they lie below what was pruned. */
int verify_pruned_counted(struct verifier *verifier, uint64_t sequence);
/* After verify_tree_look() at one below what was pruned: its stub as the archive has it. */
int verify_pruned_look(struct verifier *verifier);
/* The checkpoints of the tree as it is now, under the registry in force. */
int verify_tree_checkpoints(struct verifier *verifier);
/* What is kept of cosignatures of the tree as it is now; after every new snapshot: where is the next? */
int verify_cosigned(struct verifier *verifier);
int verify_cosigned_resume(struct verifier *verifier);
/* A registry entry: its content, whether it may follow, and its row in the table. */
int verify_registry(struct verifier *verifier, uint64_t sequence);
/* The entry that begins an epoch; @before: root of the tree before it, NULL: not known. */
int verify_epoch(struct verifier *verifier, uint64_t sequence, const struct merkle_hash *before);
/* Take up the epochs of what was verified before. */
void verify_epochs_resume(struct verifier *verifier, uint64_t size);
/* What the head says of epochs, at the end. */
int verify_epochs_head(struct verifier *verifier, uint32_t newest);
/* What lies behind the end that the head names? In the snapshot that said so. */
int verify_behind(struct verifier *verifier);
/* After verify_tree_look(): which entry of its kind is the last? */
void verify_marks_see(struct verifier *verifier);
/* What the journal notes for itself, at the end. */
int verify_marks(struct verifier *verifier);
/* What the head says, at the end. */
int verify_head(struct verifier *verifier);
/* Take up what was verified before, if that is asked for and still true. */
int verify_resume(struct verifier *verifier);
/* What the next verification may go on from; after one without findings. */
int verify_remember(struct verifier *verifier, struct verified *ret);

/*
 * What is judged of an entry by itself, under the registry in force at it: its record, content and
 * signatures. Each thread has one; what they share (keyring, registries, policy) is only read.
 */
struct entry_checker {
	const struct audit *audit;
	struct journal_reader *reader;
	struct signature_cache *signatures;
	struct archive_stubs *archive; /* NULL, or of what was pruned */
	struct absence absence;        /* as of its snapshot */
	struct seal_check *seals;      /* likewise */
	struct arena *arena;           /* of the entry at hand */
	struct slice *slice;           /* at hand */
	struct audit_report *report;   /* holds what is found for it */
};

/* 0 or negative errno; deinit also after a failure. The audit outlives it, its reader has been begun once. */
int entry_checker_init(struct entry_checker *checker, const struct audit *audit);
void entry_checker_deinit(struct entry_checker *checker); /* harmless when never initialised */

/* Who signed an entry, and is what came of it what they signed? 0 or negative errno. */
int entry_check_signed(struct entry_checker *checker, const struct audit_entry *entry);

/* All records of a slice: fills in its second half, its result included. */
void entry_check_slice(struct entry_checker *checker, struct slice *slice);
