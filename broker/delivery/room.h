/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/delivery/delivery.h"
#include "broker/delivery/fetch.h"

/* The inside of delivery, shared by its files: delivery.c (who and what they say), cancel.c (what senders take
   back), effects.c (what commits did), pump.c (what must move next). Nobody else includes this. */
enum { FETCHES_MAX = 8 /* at the clerk at once, over all recipients */ };

struct delivery {
	struct delivery_options options;
	struct recipient **recipients; /* by party number */
	size_t recipients_size;
	struct recipient *waiting; /* to look at, first come first served */
	struct recipient **waiting_end;
	struct outlet *dirty; /* with a batch to post */
	struct fetch *idle;
	struct rules_item *expiring; /* announced by the journal, not yet pushed */
	size_t expiring_count;
	size_t expiring_size;
	size_t leavers; /* recipients with leases to fail */
	bool stopped;
};

/* The recipient of a number, or NULL: nobody ever spoke for it. */
struct recipient *delivery_recipient(const struct delivery *delivery, uint32_t number);

/* The same, made when there is none: one that nobody speaks for. 0 or -ENOMEM. */
int delivery_recipient_ensure(struct delivery *delivery, uint32_t number, struct bytes name);

/* Look at this recipient in the next flush. */
void delivery_want(struct delivery *delivery, struct recipient *recipient);

/**
 * delivery_send() - lease a message and put it into its session's next frame
 * @delivery:  delivery
 * @recipient: takes it (recipient_takes())
 * @fetched:   lane, sequence, bytes, attempt and item
 * Return: 0, LEASE_HELD, LEASE_FULL, -ENOMEM.
 */
int delivery_send(
	struct delivery *delivery, struct recipient *recipient, const struct fetched *fetched);

/* Put the outcomes of one entry into the session's next frame. */
void delivery_send_outcomes(struct delivery *delivery, struct recipient *recipient, uint64_t entry,
	const struct outcomes *outcomes);

/* Post the frame that was being filled. */
void delivery_post(struct delivery *delivery, struct outlet *outlet);

/**
 * delivery_fail() - push failed attempts of one recipient; a cause of the session or of the recipient
 * @delivery:  delivery
 * @recipient: whose leases are settling
 * @parcel:    PARCEL_FAIL with items, cause and delay; at least one item
 */
void delivery_fail(struct delivery *delivery, struct recipient *recipient, struct parcel *parcel);

/* Add a failed delivery of a recipient to such a parcel, and judge whether it is the message's own. */
void delivery_count_failure(struct recipient *recipient, struct parcel *parcel, uint64_t sequence,
	enum breaker_failure how, uint64_t now_ns);

/* A PARCEL_FAIL with room for RULES_ITEMS_MAX items; NULL when all parcels are out: try again by tick. */
struct parcel *delivery_fail_new(struct delivery *delivery, const char *cause);

/* Note an expiry that the journal announced; push the next confirmation; evaluate an errand. */
void delivery_expire(struct delivery *delivery, uint32_t party, uint64_t sequence);
void delivery_confirm_next(struct delivery *delivery, struct recipient *recipient);
void fetch_done(struct errand *errand);
