/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/frame.pb-c.h"
#include "proto/merkle/merkle.h"
#include "proto/note/cosignature.h"
#include "proto/receipt/stub.h"
#include "proto/registry/fixture.h"
#include "proto/signature/signature.h"

/*
 * The other side of an adapter, small enough to lie: a ROUTER socket with CURVE, a session, a log in memory
 * with real receipts and proofs, and for each kind of answer a way to make it late, wrong or forged. What
 * it receives is kept in order. One thread; a failure ends the test.
 */
enum {
	DESK_ENTRIES_MAX = 4096,
	DESK_LETTERS_MAX = 1024,
	DESK_EPOCHS_MAX = 4,
};

/* What came in, in order. */
struct desk_message {
	uint8_t h[HASH_SIZE];
	uint8_t message_id[16];
	uint8_t case_id[16];
	uint64_t sequence; /* of its first receipt */
	uint64_t frame;    /* number of the Submit it came in first */
	size_t times;
	uint8_t core[SIGNATURE_CORE_MAX];
	size_t core_len;
	struct bytes header, content; /* in the desk's arena */
};

struct desk_entry {
	uint8_t kind;
	uint8_t stub[STUB_SIZE];
	uint8_t nonce[STUB_NONCE_SIZE];
	uint8_t private_digest[HASH_SIZE];
	uint64_t batch_ms;
};

/* What was delivered, to be delivered again. */
struct desk_sent {
	uint64_t sequence;
	char recipient[64];
	Dienstweg__Envelope *envelope;
};

struct desk_ack {
	uint64_t sequence;
	uint8_t h[HASH_SIZE];
	bool accepted;
	bool signature_ok;
	char code[64];
	char text[201];
};

/* Ways to answer otherwise than an honest broker with room. */
enum desk_mood {
	DESK_HONEST,
	DESK_SILENT,      /* takes Submit and Acknowledge, records, answers nothing */
	DESK_REFUSES,     /* every message: code "no-agreement", field "region" */
	DESK_DEFERS,      /* every message, for `reason` */
	DESK_PUTS_OFF,    /* every Submit unread, until one says resume and `put_off` is used up */
	DESK_WRONG_NONCE, /* in receipts */
	DESK_WRONG_SEQUENCE,
	DESK_WRONG_PATH,
	DESK_NO_PATH,
	DESK_HALF_NODES,    /* node table of impossible length */
	DESK_BAD_SIGNATURE, /* checkpoint: by the log's key, one bit wrong */
	DESK_STRANGE_KEY,   /* checkpoint: by a key that the registry does not have */
	DESK_OTHER_ORIGIN,  /* checkpoint: epoch 1 */
	DESK_OTHER_BUS,     /* checkpoint: of another bus */
	DESK_NO_CHECKPOINT,
};

/* How a new epoch of the log is shown. */
enum desk_epoch_lie {
	DESK_EPOCH_HONEST,
	DESK_EPOCH_UNSAID,   /* nothing in the log says so */
	DESK_EPOCH_OTHER,    /* goes on from a checkpoint that is not of the tree before it */
	DESK_EPOCH_UNSIGNED, /* from one that the log never signed */
};

/* The entry that began one. */
struct desk_epoch {
	uint32_t epoch;
	uint64_t sequence;
	enum desk_epoch_lie lie;
	struct bytes disclosed, nonce, salt, private, original; /* in the desk's arena */
};

struct desk {
	struct registry_fixture *fixture;
	struct registry *registry; /* in force here */
	const char *bus;
	char endpoint[64];
	void *context, *router;
	struct arena *arena;

	/* the session */
	uint8_t route[32];
	size_t route_len;
	uint8_t nonce[16];
	bool open;

	/* the log */
	size_t size;
	struct merkle_hash leaves[DESK_ENTRIES_MAX];
	struct desk_entry entries[DESK_ENTRIES_MAX];
	uint32_t epoch;
	size_t epochs_count;
	struct desk_epoch epochs[DESK_EPOCHS_MAX];

	/* what came */
	size_t messages_count;
	struct desk_message messages[DESK_ENTRIES_MAX];
	size_t acks_count;
	struct desk_ack acks[DESK_ENTRIES_MAX];
	size_t hellos, byes, submits, naks, proofs_asked, registries_asked, cosigned_asked;
	size_t cosigns; /* cosignatures that came */
	size_t cosign_len;
	uint8_t cosign[COSIGNED_NOTE_MAX]; /* the last one */
	size_t cancels,
		cancels_signed; /* batches of cancellations that came; with a good signature */
	uint8_t cancel_digest[HASH_SIZE]; /* of the last one */
	uint64_t confirmed, credit_messages, credit_bytes, hello_size;
	char nak_reason[64];

	size_t letters_count;
	struct desk_sent letters[DESK_LETTERS_MAX];

	/* how it answers */
	enum desk_mood mood;
	size_t put_off; /* DESK_PUTS_OFF: so many frames */
	char reason[32];
	uint32_t retry_ms;
	const char *cancel_state; /* of what is cancelled, for jobcenter; NULL: the batch is refused */
	bool deaf_to_cancels;     /* answers none */
	bool deaf_to_proofs;      /* answers no GetProof */
	size_t busy;              /* with so many of GetProof and GetRegistry */
	bool crowded;     /* its candidates bear as many lines of nobody as a note may have */
	bool newest_only; /* ignores GetProof.new_size */
	const char *cosigners; /* names, comma-separated: GetCheckpoint.cosigned is answered with the newest
				  checkpoint and their lines; NULL: with none */
};

/**
 * desk_init() - set it up, with the fixture's registry in version 1; without a thread yet
 * @desk:    to set up; large: allocate it
 * @fixture: has all parties; borrowed
 * @bus:     its bus id
 */
void desk_init(struct desk *desk, struct registry_fixture *fixture, const char *bus);
void desk_open(struct desk *desk);   /* on a free port: endpoint */
void desk_deinit(struct desk *desk); /* was opened */

/**
 * desk_step() - take what is there, answer it
 * @desk:    open
 * @wait_ms: at most so long for the first frame
 * Return: frames taken.
 */
size_t desk_step(struct desk *desk, int wait_ms);
int desk_fd(const struct desk *desk);                       /* edge-triggered, as ZeroMQ has it */
void desk_forget_session(struct desk *desk);                /* as a broker that was started anew */
void desk_send(struct desk *desk, Dienstweg__Frame *frame); /* to the session */
void desk_send_raw(struct desk *desk, struct bytes data);
void desk_replaced(struct desk *desk);

/* The log: other leaves from here on; back to a size; the checkpoint of now. */
void desk_fork(struct desk *desk, size_t at);
void desk_roll_back(struct desk *desk, size_t size);
size_t desk_checkpoint(struct desk *desk, uint8_t note[CHECKPOINT_NOTE_MAX]);
void desk_grow(struct desk *desk, size_t entries);
/* It lost all entries from @size on, and what it knew of messages in them, and goes on under a new origin. */
void desk_lose(struct desk *desk, size_t size, uint32_t epoch, enum desk_epoch_lie lie);
void desk_candidate(struct desk *desk); /* ask the session to cosign the newest checkpoint */

/* For the files of the desk: zeroed memory for the test's life; a new entry and its leaf. */
void *desk_take(struct desk *desk, size_t size);
struct merkle_hash desk_node(const struct desk *desk, size_t size, struct merkle_coordinate at);
void desk_cancel_take(struct desk *desk, const Dienstweg__CancelBatch *batch); /* and answer */
void desk_epochs_show(struct desk *desk, const Dienstweg__Hello *hello, Dienstweg__Welcome *welcome);
struct desk_entry *desk_append(
	struct desk *desk, uint8_t kind, const uint8_t digest[HASH_SIZE], struct bytes rest);

/* A message for a party, as it would be delivered. */
struct desk_letter {
	const char *sender;
	const char *recipient;
	const char *service;
	struct bytes body;
	const char *seal_for;  /* NULL: the recipient */
	const char *sign_as;   /* NULL: the sender */
	bool clear;            /* not sealed */
	bool other_commitment; /* signed header commits to something else */
	bool other_content;    /* content does not match the header */
	bool bad_signature;
	const char *bus;                      /* NULL: this one */
	const uint8_t *message_id;            /* NULL: a new one */
	unsigned int kind;                    /* enum Kind; 0: a submission */
	const uint8_t *case_id, *in_reply_to; /* NULL: a new one; none */
};

/**
 * desk_deliver() - put a letter into the log and send it
 * @desk:   with a session
 * @letter: what
 * Return: its sequence.
 */
uint64_t desk_deliver(struct desk *desk, const struct desk_letter *letter);
void desk_deliver_again(
	struct desk *desk, uint64_t sequence); /* the same bytes, as after a lost lease */

enum desk_forgery { DESK_TRUE, DESK_UNSIGNED, DESK_FORGED, DESK_OTHER_STATE, DESK_OTHER_H };

/**
 * desk_outcome() - tell the adapter how a message of its ended
 * @desk:      with a session
 * @message:   one that came in
 * @recipient: who acknowledged
 * @state:     "accepted", "rejected", "expired"...
 * @forgery:   what is wrong with it
 * Return: sequence of the entry that ended it.
 */
uint64_t desk_outcome(struct desk *desk, const struct desk_message *message, const char *recipient,
	const char *state, enum desk_forgery forgery);
