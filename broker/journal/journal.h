/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/journal/erase-told.h"
#include "broker/journal/keyring.h"
#include "broker/parcel.h"
#include "proto/base/clock.h"
#include "proto/base/db.h"
#include "proto/base/queue.h"
#include "proto/identity/keyfile.h"
#include "proto/note/checkpoint.h"
#include "proto/registry/registry.h"

/*
 * The journal: LMDB's only writer, one thread. It takes whatever queued while the last commit ran, decides
 * each parcel by the rules inside one write transaction, appends entries, updates the tree, signs one
 * checkpoint, commits with fsync, and only then hands the parcels back (design sections 4, 8).
 * Tables: docs/journal.md. An abort after the first put, a failed fsync or a panicked environment ends
 * the process: never retry an fsync.
 */
struct journal;

enum {
	JOURNAL_LOG_KEYS_MAX = CHECKPOINT_SIGNERS_MAX /* an old and a new one overlap for a while */
};

/* An operator's order to go on under a new origin (docs/journal.md "Epochs"); journaled. */
struct journal_order {
	uint32_t epoch;    /* above every one that was ever used */
	uint32_t account;  /* who: a number of this machine */
	const char *words; /* on what ground */
};

struct journal_options {
	const char *dir;                 /* LMDB environment, must exist */
	uint64_t map_bytes;              /* rounded down to whole pages */
	unsigned int fill_limit_percent; /* new messages are deferred "full" above it */
	uint64_t disk_reserve_bytes;     /* the same when the file system has less left */
	size_t parcels_max;              /* most parcels out at once, over all threads */
	size_t batch_parcels_max;        /* most parcels in one commit */
	size_t batch_messages_max; /* most messages in one commit; one parcel may exceed it alone */
	size_t fair_messages; /* most messages per party and commit while several parties are active */
	struct rules_limits limits;
	struct bytes bus;
	const char *software; /* name and version, in the start entry */
	uint8_t config_digest[HASH_SIZE];
	/* Those that the registry in force has as active sign every checkpoint; at least one must be. */
	const struct key_secret *log_keys[JOURNAL_LOG_KEYS_MAX]; /* NULL: none */
	bool registry_pinned; /* the given registry bears the policy's roots; else it must follow one here */
	struct keyring *keyring;
	const char *highwater; /* file of the newest signed checkpoint, beside the keyring; NULL: none is kept */
	const struct journal_order *order; /* NULL; or go on as this epoch, unless it has begun already */
	const char *blobs; /* folder of attachments (broker/blob); NULL: nobody looks whether they are there */
	const struct clock *clock;
	struct queue *done; /* parcels come back here, in commit order; room for parcels_max + JOURNAL_TICKS */

	/* Find a parcel's facts anew under parcel->registry, which is now the one in force (verify_parcel());
	   journal thread. 0, or -ENOMEM: the parcel comes back `spoilt`. */
	int (*reverify)(void *context, struct parcel *parcel);
	void *reverify_context;

	void (*failed)(void *context, int error); /* journal thread: it cannot go on; called once */
	void *failed_context;

	/* Versions between the journal's registry and the given one, if there are any. 0, REGISTRY_*, negative errno;
	   -ENOENT: it is not kept. NULL: none are. */
	int (*earlier)(void *context, uint64_t version, struct registry **ret);
	void *earlier_context;

	bool erase_daily; /* look every day what is to be erased; else only when an operator asks */
	/* Journal thread: a run of erasure has made a step durable. May be NULL. */
	void (*erase_told)(void *context, enum erase_told told);
	void *erase_told_context;
};
enum { JOURNAL_TICKS = 4 /* parcels of the journal's own */ };

/**
 * journal_open() - open or create the journal and read meta, registry, counters and the tree edge
 * @options:  how; strings and keys are borrowed for the journal's life
 * @registry: the signed registry the broker was started with; adopted (journaled) when newer, after those in between
 * @ret:      the journal; no thread runs yet
 * @reterr:   a sentence: unknown format version, another bus, a registry conflict...
 * @size:     of @reterr
 * Return: 0, JOURNAL_FORMAT, JOURNAL_CONFLICT, negative errno.
 */
enum { JOURNAL_FORMAT = 1, JOURNAL_CONFLICT = 2, JOURNAL_FORMAT_VERSION = 0 };
int journal_open(const struct journal_options *options, struct registry *registry,
	struct journal **ret, char *reterr, size_t size);

/* Is this the newest journal? In doubt it opens, to be read, and signs nothing (docs/journal.md "High water"). */
enum journal_doubt {
	JOURNAL_SURE,
	JOURNAL_UNMARKED, /* the high-water file is missing */
	JOURNAL_BEHIND,   /* it says that more was signed, or another tree */
};
enum journal_doubt journal_doubt(const struct journal *journal); /* before it is started */

uint32_t journal_next_epoch(const struct journal *journal); /* the least that an order may name */

/**
 * journal_trust() - go on with it all the same
 * @journal: in doubt, not started
 * @why:     who said that it may, journaled with "start"; outlives the journal
 * @reterr:  a sentence, when the registry that it was opened with cannot come into force
 * @size:    of @reterr
 * Return: as journal_open().
 */
int journal_trust(struct journal *journal, const char *why, char *reterr, size_t size);

/* Start the writer thread (journals "start"); not in doubt. Signals are blocked in it. 0 or negative errno. */
int journal_start(struct journal *journal);

/**
 * journal_push() - hand a parcel over; any thread
 * @journal: the journal
 * @parcel:  comes back through options.done after its commit; never lost
 */
void journal_push(struct journal *journal, struct parcel *parcel);

/**
 * journal_return() - hand a PARCEL_TICK back, once its effects are taken over; any thread
 * @journal: the journal; while all its ticks are out, timers wait
 * @parcel:  the journal's again
 */
void journal_return(struct journal *journal, struct parcel *parcel);

/**
 * journal_free() - join the thread and close
 * @journal: PARCEL_STOP came back, or failed() was called, or it never started; takes NULL. Ticks that
 *           were not returned are freed too.
 */
void journal_free(struct journal *journal);
DEFINE_CLEANUP(struct journal *, journal_free);

/* The registry in force (referenced for the caller). Any thread. */
struct registry *journal_registry(struct journal *journal);
/* Parcels handed over and not yet back, confirmations and cosignatures aside (they may rest); any thread. */
size_t journal_pending(const struct journal *journal);

/**
 * journal_state_request() - let a state entry be made, whatever the day; any thread
 * @journal: the journal
 *
 * It is begun within a second and takes as long as the entries since the last one need. An erasure asks for it
 * and waits until journal_state_covered() is above every entry that it is to destroy: what they counted, and
 * what follows from them, is then on record.
 */
void journal_state_request(struct journal *journal);
/* Entries below this number are accounted for by a state entry that is on disk; any thread. */
uint64_t journal_state_covered(const struct journal *journal);

/* The environment, for readers of this process (broker/journal/reader.h). */
struct db_env *journal_env(struct journal *journal);

/* Newest committed checkpoint; any thread. Return: length of the note. */
size_t journal_checkpoint(
	struct journal *journal, uint8_t *buf, size_t size, uint64_t *ret_tree_size);

/* Newest checkpoint that a quorum cosigned, with its cosignatures; any thread. Return: its length, 0: none. */
size_t journal_cosigned(struct journal *journal, uint8_t *buf, size_t size, uint64_t *ret_tree_size);

/* "BUS/EPOCH", of its checkpoints; any thread. */
const char *journal_origin(const struct journal *journal);

/* Totals since the journal was opened, but for the last three. */
struct journal_stats {
	uint64_t commits;
	uint64_t entries;
	uint64_t messages;
	uint64_t overdue;   /* messages that nobody replied to in time */
	uint64_t commit_ns; /* sum over commits */
	uint64_t tree_size;
	uint32_t fill_percent;
	bool full; /* new messages are being deferred */
};
/* How a run of erasure goes on, or how the last one ended; any thread. */
void journal_erase_stats(struct journal *journal, struct erase_stats *ret);
/* Any thread. */
void journal_stats(const struct journal *journal, struct journal_stats *ret);
