/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/client.h"
#include "proto/sealing/sealing.h"
#include "proto/signature/signature.h"
#include "test/kit/bus.h"

/*
 * A party without memory, for tests and load: real keys, real session, envelopes made by hand so that a
 * test can twist any byte of them. Answers and deliveries are kept in order of arrival.
 */
enum answer_kind { ANSWER_RECEIPT = 1, ANSWER_REFUSAL, ANSWER_DEFERRAL, ANSWER_FRAME_DEFERRAL };

struct party_answer {
	enum answer_kind kind;
	uint8_t h[32];
	uint64_t sequence;
	char code[64]; /* or the deferral's reason */
	char field[64];
	char detail[256];
};

struct party_delivery {
	uint64_t sequence;
	uint32_t attempt;
	uint32_t session; /* it came in: how many had ended before */
	uint8_t h[32];
	uint8_t message_id[16];
	char sender[64];
	char recipient[64];
	bool opened; /* sealed for us, commitment right, sender's signature good */
	uint8_t *body;
	size_t body_len;
};

struct party_outcome {
	uint64_t entry;
	uint64_t sequence;
	uint8_t h[32];
	char recipient[64];
	char state[16];
	char code[64];
};

struct party {
	const struct bus *bus;
	char name[64];
	const char *names[4]; /* that its session speaks for: itself, and those added before it connects */
	size_t names_count;
	const struct key_secret *sign, *seal, *transport;
	struct client *client;
	struct arena *arena;
	struct uuid_source *uuids;
	uint64_t submit_number;
	bool manual;                    /* keep deliveries unacknowledged: the test does it */
	bool lost;                      /* the session ended since last looked at */
	uint32_t sessions;              /* that ended so far */
	uint32_t ping_ms, reconnect_ms; /* for party_connect(); 0: the usual */
	bool no_credit;                 /* likewise: take no deliveries */
	void (*on_frame)(void *context, const Dienstweg__Frame *frame); /* instead of the lists */
	void *on_frame_context;
	char error[64]; /* code of the last Error frame */
	struct party_answer *answers;
	size_t answers_count, answers_room;
	struct party_delivery *deliveries;
	size_t deliveries_count, deliveries_room;
	size_t acknowledged_to; /* of the deliveries, where the party does it by itself */
	struct party_outcome *outcomes;
	size_t outcomes_count, outcomes_room;
	size_t acknowledged_count;
};

/* What to send. Empty fields take sensible values. `twist` may change the header before it is packed. */
struct party_draft {
	const char *service;
	const char *recipient;
	const char *region;
	struct bytes body;
	const char *content_type;
	const uint8_t *message_id;
	const uint8_t *case_id;
	uint64_t expires_ms;
	uint64_t not_before_ms;
	const char *seal_for; /* party whose seal key to use; NULL: the recipients of the registry */
	bool clear;           /* do not seal */
	int kind;             /* Kind; 0: submission, or event */
	const uint8_t *in_reply_to; /* h, or NULL */
	bool event;                 /* for all who subscribe to the service */
	void (*twist)(Dienstweg__Header *header);
};

/* Take the keys of a party of the bus; no connection yet. */
void party_init(struct party *party, const struct bus *bus, const char *name);
void party_deinit(struct party *party); /* says Bye when connected, forgets everything */

/* Connect (through another endpoint than the bus's when given) and wait for Welcome; or do not wait. */
void party_connect(struct party *party, const char *endpoint);
void party_dial(struct party *party, const char *endpoint);
void party_disconnect(
	struct party *party); /* without Bye's courtesy it is a crash: see party_vanish() */

/**
 * party_compose() - make signed envelopes, batches of 32
 * @party: sender
 * @draft: the same for all
 * @count: how many
 * @arena: owns them
 * Return: @count envelopes.
 */
Dienstweg__Envelope **party_compose(
	struct party *party, const struct party_draft *draft, size_t count, struct arena *arena);

/* Sign one envelope's header anew (after a twist of its bytes). */
void party_sign(struct party *party, Dienstweg__Envelope *envelope, enum signature_domain domain,
	const char *bus, struct arena *arena);

/* Submit envelopes in one frame; waits until the socket takes it. */
void party_submit(struct party *party, Dienstweg__Envelope **envelopes, size_t count, bool resume);

/* Step until the condition holds; fails the test after the deadline with what was waited for. */
#define party_until(party, condition, timeout_ms)                                                   \
	do {                                                                                        \
		long long party_end = now_ms() + (timeout_ms);                                      \
		while (!(condition)) {                                                              \
			if (now_ms() > party_end)                                                   \
				CHECK_FAIL("%s waited in vain for: %s", (party)->name, #condition); \
			party_step((party), 100);                                                   \
		}                                                                                   \
	} while (0)

/* One round: wait at most @wait_ms for something to happen, handle it. */
void party_step(struct party *party, int wait_ms);

/* Send one message and wait for its answer. */
struct party_answer *party_send(struct party *party, const struct party_draft *draft);

/**
 * party_acknowledge() - acknowledge deliveries of the list, all accepted or all rejected with a code
 * @party:       connected
 * @from:        first of them
 * @count:       how many
 * @reject_code: NULL: accepted
 * Return: how many of them; fewer when the socket had no room for more.
 */
size_t party_acknowledge(struct party *party, size_t from, size_t count, const char *reject_code);

/* All outcomes up to this entry have been taken over. */
void party_confirm(struct party *party, uint64_t sequence);

/* "Not now": the broker is to deliver it again after the delay. */
void party_nak(struct party *party, uint64_t sequence, uint32_t delay_ms);
