/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "broker/journal/entry.h"
#include "broker/journal/erase.h"
#include "broker/journal/fair.h"
#include "broker/journal/fill.h"
#include "broker/journal/journal.h"
#include "broker/journal/proofs.h"
#include "broker/journal/record.h"
#include "broker/journal/state-job.h"
#include "broker/journal/store.h"
#include "proto/note/cosignature.h"

/* The journal from inside; this folder only. */
enum {
	TICK_ROWS = 256, /* most timer rows whose effects go into one parcel */
	TICK_ARENA = 1 << 20,
	SUBMIT_ARENA = 32 * 1024, /* most that deciding one message takes of its parcel's arena */
	PROOF_ARENA = MERKLE_LEVELS * HASH_SIZE + 16, /* and its proof afterwards */
	ACK_ARENA = 64 * 1024,                        /* the same for a batch of acknowledgements */
};

/* The newest checkpoint that a quorum cosigned, and when the last such was noted (cosign.c). */
struct cosigned {
	uint64_t size;      /* 0: none */
	uint64_t window_ms; /* batch time at which this minute's began */
	uint64_t witnessed; /* the last entry "witnessed", counted from 1; 0: none */
	size_t len;
	uint8_t note[COSIGNED_NOTE_MAX];
};

/* What other threads ask for; everything else belongs to the writer. */
struct journal_shared {
	pthread_mutex_t lock;
	struct registry *registry;
	uint8_t note[CHECKPOINT_NOTE_MAX];
	size_t note_len;
	uint64_t note_size;
	struct erase_stats erase;
	uint64_t cosigned_size;
	size_t cosigned_len;
	uint8_t cosigned[COSIGNED_NOTE_MAX];

	_Atomic size_t pending;
	_Atomic uint64_t commits, entries, messages, overdue, commit_ns, tree_size;
	_Atomic uint32_t fill_percent;
	_Atomic bool full;
};

/* A log key that signs checkpoints now. */
struct log_signer {
	struct note_key key;
	const struct key_secret *secret;
};

/* Going on under a new origin: before the entry that says so is written. */
struct onward {
	bool due;
	size_t before_len, marked_len;
	uint8_t before[CHECKPOINT_NOTE_MAX]; /* the last checkpoint that is left */
	uint8_t marked[CHECKPOINT_NOTE_MAX]; /* the one in the high-water file; none: it was missing */
};

/* Of queues and quotas that are nearly used up. */
struct journal_told {
	uint64_t minute;
	uint32_t lines; /* in it, said or not */
	uint64_t unsaid;
};

struct journal {
	struct journal_options options;
	int lock_fd;
	struct db_env *env;
	struct journal_tables tables;
	struct state_store store;
	struct journal_head head;
	struct registry *registry; /* in force, as the batch sees it */
	struct tree *tree;
	struct entry_log log;
	struct proofs proofs;
	struct fill fill;
	struct journal_told told;
	struct erase erase;

	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	struct log_signer signers[JOURNAL_LOG_KEYS_MAX]; /* under the registry in force */
	size_t signers_count;
	uint8_t note[CHECKPOINT_NOTE_MAX]; /* newest committed, then this batch's */
	size_t note_len;
	uint32_t note_day; /* it was made on */
	struct cosigned cosigned;
	enum journal_doubt doubt;
	struct epochs epochs; /* head.epoch is the newest of them */
	struct onward onward;
	uint64_t marked_size; /* what the high-water file said, when in doubt */
	uint32_t marked_epoch;
	uint64_t marked_ns;     /* it was written */
	const char *trusted;    /* NULL, or who said that a journal in doubt may go on */
	struct registry *given; /* while in doubt: to be adopted afterwards */

	struct queue *input;
	struct fair *fair;
	struct parcel *acts, **acts_tail;    /* everything but submits, in order of arrival */
	size_t acts_urgent;                  /* of them, those that are no confirmations */
	uint64_t acts_ns;                    /* when the oldest of them came */
	struct parcel *ticks[JOURNAL_TICKS]; /* all of them */
	struct parcel *ticks_idle;
	struct tick_cursor announced;
	uint64_t due_ms;           /* next timer row */
	uint32_t keys_day;         /* keys are made for it; 0: not yet */
	uint64_t wall_ms, mono_ns; /* at the last batch: to notice that the clock was set */
	uint64_t slow_ms,
		slow_ns; /* the clock was set back: since when time goes slowly; 0: it does not */
	uint64_t reaped_ns;
	struct state_job state;

	pthread_t thread;
	bool started;
	struct journal_shared shared;
};

/* Parcels of one commit, and how it went. */
struct batch {
	struct parcel *parcels; /* chained by next, in commit order */
	bool opening;           /* no timers: there is nobody yet to take their effects */
	bool start;             /* journal "start" */
	const char *stage;      /* what it was at, for the log when it fails */
	struct rules rules;     /* the context of its decisions */
	struct parcel *ticks, **ticks_tail; /* filled by timers */
	bool full;                          /* from here on, messages are deferred */
	bool registry_changed;
	bool cosigned; /* a cosignature was put */
	bool stopping; /* its last parcel is the stop */
	bool committed;
	uint64_t entries, messages; /* appended; accepted */
	char attached[8][64];       /* senders in whose folders attachments were named */
	size_t attached_count;
};

/**
 * batch_run() - decide, append, sign and commit; the parcels are not handed back yet
 * @journal: on the writer's thread, or before there is one
 * @batch:   parcels; zeroed but for these, `opening` and `start`
 * Return: 0, or negative errno: the process must end.
 */
int batch_run(struct journal *journal, struct batch *batch);

/**
 * batch_append() - append an entry; rules and log count on together
 * @journal: inside batch_run()
 * @batch:   this one
 * @entry:   kind, class, decision...; the class's ages are filled in here
 * @ret:     NULL, or for the receipt
 * Return: as entry_append().
 */
int batch_append(struct journal *journal, struct batch *batch, struct entry *entry,
	struct parcel_proof *ret);

/* The parts of a batch, each 0 or negative errno. submits_decide() and acts_decide() take one parcel. */
int submits_decide(struct journal *journal, struct batch *batch, struct parcel *parcel);
/* Of a queue or a quota that went over its warning level with this message, to the log. */
void notices_tell(struct journal *journal, const struct submit_decision *decision);
int acts_decide(struct journal *journal, struct batch *batch, struct parcel *parcel);
int acts_append_about(struct journal *journal, struct batch *batch, struct entry *entry,
	uint64_t message); /* with the class of the message's entry */
int cancels_decide(struct journal *journal, struct batch *batch, struct parcel *parcel);
int acts_append_items(struct journal *journal, struct batch *batch, uint8_t kind,
	const struct items_decision *decision); /* an entry about messages, when there is one */
int operator_decide(struct journal *journal, struct batch *batch, struct parcel *parcel);
int queue_decide(struct journal *journal, struct batch *batch, struct operator_act *act);
int ticks_decide(struct journal *journal, struct batch *batch);
int notes_continues(struct journal *journal, struct batch *batch);
int notes_start(struct journal *journal, struct batch *batch);
int notes_stop(struct journal *journal, struct batch *batch);
int notes_clock_step(struct journal *journal, struct batch *batch, int64_t step_ms);
int notes_state(struct journal *journal, struct batch *batch, struct parcel *parcel);
int notes_inspected(struct journal *journal, struct batch *batch, struct operator_act *act);
int notes_registry(struct journal *journal, struct batch *batch, struct parcel *parcel);
int cosign_decide(struct journal *journal, struct batch *batch, struct parcel *parcel);

/* attached.c: attachments get the name of the message before the rules see it; what came of it; before the
   commit. 0 or negative errno. */
int attached_name(struct journal *journal, struct batch *batch, struct submit_facts *facts);
int attached_decided(struct journal *journal, struct batch *batch, const struct submit_facts *facts,
	bool accepted, uint64_t sequence);
int attached_sync(struct journal *journal, struct batch *batch);

/* At start: does the journal reach the high-water mark? 0 or negative errno. Later: keep the mark. */
int highwater_look(struct journal *journal);
void highwater_keep(struct journal *journal, bool now);

/**
 * adopt_registry() - the registry that the broker was started with comes into force, after those in between
 * @journal: read; no thread runs
 * @given:   signed
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: 0, JOURNAL_CONFLICT, negative errno.
 */
int adopt_registry(struct journal *journal, struct registry *given, char *reterr, size_t size);

/* Could it? Nothing is written. Likewise. */
int adopt_check(struct journal *journal, struct registry *given, char *reterr, size_t size);

/**
 * epoch_open() - take the operator's order to go on under a new origin
 * @journal: read, and compared with its high-water mark; options.order is set
 * @reterr:  a sentence
 * @size:    of @reterr
 * Return: 0 (the next batch begins the epoch, unless it has begun already), JOURNAL_CONFLICT.
 */
int epoch_open(struct journal *journal, char *reterr, size_t size);
uint32_t epoch_next(
	const struct journal *journal); /* the least that was never used, as far as is known */

/* At start: what is kept of cosignatures. 0, -EBADMSG, negative errno. */
int cosign_load(struct journal *journal, struct db_txn *txn);

/**
 * signers_choose() - which of the log keys does a registry have as active?
 * @journal:  its options and origin
 * @registry: in force, or about to be
 * @ret:      the signers
 * Return: how many; with none, the registry must not come into force here.
 */
size_t signers_choose(const struct journal *journal, const struct registry *registry,
	struct log_signer ret[JOURNAL_LOG_KEYS_MAX]);

/* Make a parcel's facts fit the registry in force, when verify saw another. */
int facts_refresh(struct journal *journal, struct parcel *parcel);

/**
 * journal_now_ms() - the time that a batch would have now: never before the last one's
 * @journal: on the writer's thread, or before there is one
 *
 * Where the clock was set back, time goes on at half its pace until the clock has caught up: what waits for
 * a time of the old clock waits twice as long at most, and not until the clock is there again.
 *
 * Return: milliseconds since 1970.
 */
uint64_t journal_now_ms(struct journal *journal);

/* Where rows are read back from inside the batch. */
static inline struct record_source journal_records(const struct journal *journal)
{
	return (struct record_source){
		.txn = journal->log.txn,
		.tables = &journal->tables,
		.keyring = journal->options.keyring,
	};
}
