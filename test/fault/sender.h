/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "test/kit/party.h"

/*
 * A city that keeps its bus busy and forgets nothing: what has no answer is sent again, the same bytes, in
 * every new session from the oldest on, and so is the last batch that was answered, as an outbox would
 * that died before it had kept the receipts. It believes a receipt only when it proves, and the log only
 * as long as each checkpoint extends the one before. One thread.
 */
struct sender;

/* What became of a message. In order of composing. */
struct letter {
	uint8_t h[32];
	uint8_t message_id[16];
	uint64_t sequence; /* of its receipt */
	bool recorded;
	bool ended; /* accepted by the recipient, as the outcome says */
};

struct sender_options {
	const struct bus *bus;
	const char *name;
	const char *content_type;
	size_t window;      /* most messages unanswered, a multiple of 32 */
	size_t open_max;    /* most messages that have not ended: the recipient sets the pace */
	uint32_t ping_ms;   /* silence after which it asks whether the broker still knows it */
	bool deferral_fine; /* deferrals are answers too, to be tried again */
};

/**
 * sender_new() - connect in the background
 * @options: copied; the bus is borrowed
 * Return: the sender; sender_free().
 */
struct sender *sender_new(const struct sender_options *options);
void sender_free(struct sender *sender); /* takes NULL */

/**
 * sender_step() - send what there is room for, take what came
 * @sender:  the sender
 * @wait_ms: longest wait for something to happen
 */
void sender_step(struct sender *sender, int wait_ms);
void sender_rest(struct sender *sender); /* from now on, only what was begun */

/* All there are, in order; the list moves with the next step. */
const struct letter *sender_letters(const struct sender *sender, size_t *ret_count);

struct sender_counts {
	size_t composed, recorded, ended;
	size_t again; /* receipts for what had one before: the same sequence, or the test has failed */
	size_t sessions; /* opened */
	size_t proofs;   /* of consistency, checked */
	size_t deferred; /* messages put off by the broker, each time */
};
/* What became of all that was sent. */
void sender_counts(const struct sender *sender, struct sender_counts *ret);

/* The last deferral that came; NULL: none yet. */
const struct party_answer *sender_deferral(const struct sender *sender);
