/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Who is there, and what they say. An answer ends the lease when it is received: the lease covers machine
 * hand-over only, the journal may take its time. Whether an acknowledgement counts is the rules' affair; a
 * bad one merely makes the message deliverable again when it comes back refused.
 */
#include "broker/delivery/delivery.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "broker/delivery/outcome.h"
#include "broker/delivery/room.h"
#include "proto/base/text.h"
#include "proto/envelope/envelope.h"

enum {
	NAK_SEQUENCES_MAX = 4096, /* of one frame; the rest is ignored */
	NAK_DELAY_MAX_MS = 24 * 3600 * 1000,
	EXPIRING_MIN = 256,
};

static int fetches_new(struct delivery *delivery)
{
	for (int i = 0; i < FETCHES_MAX; i++) {
		struct fetch *fetch = calloc(1, sizeof(*fetch));
		if (!fetch)
			return -ENOMEM;
		fetch->next = delivery->idle;
		delivery->idle = fetch;
		fetch->errand = (struct errand){.run = fetch_run, .done = fetch_done};
		fetch->arena = arena_new(FETCH_ARENA_BUDGET);
		if (!fetch->arena)
			return -ENOMEM;
	}
	return 0;
}

int delivery_new(const struct delivery_options *options, struct delivery **ret)
{
	_cleanup_(delivery_free) struct delivery *delivery = calloc(1, sizeof(*delivery));
	if (!delivery)
		return -ENOMEM;
	delivery->options = *options;
	delivery->waiting_end = &delivery->waiting;
	int r = fetches_new(delivery);
	if (r == 0)
		*ret = steal(&delivery);
	return r;
}

void delivery_free(struct delivery *delivery)
{
	if (!delivery)
		return;
	for (size_t i = 0; i < delivery->recipients_size; i++)
		recipient_free(delivery->recipients[i]);
	while (delivery->idle) {
		struct fetch *fetch = delivery->idle;
		delivery->idle = fetch->next;
		arena_free(fetch->arena);
		free(fetch);
	}
	free(delivery->recipients);
	free(delivery->expiring);
	free(delivery);
}

struct recipient *delivery_recipient(const struct delivery *delivery, uint32_t number)
{
	return number < delivery->recipients_size ? delivery->recipients[number] : NULL;
}

struct outlet *delivery_outlet(const struct delivery *delivery, uint32_t number)
{
	struct recipient *recipient = delivery_recipient(delivery, number);
	return recipient ? recipient->outlet : NULL;
}

/* Numbers are given one after the other, from 1, so an array by number stays dense. */
static int recipients_reserve(struct delivery *delivery, uint32_t number)
{
	if (number < delivery->recipients_size)
		return 0;
	size_t size = ((size_t)number / 64 + 1) * 64;
	struct recipient **grown = realloc(
		delivery->recipients, size * sizeof(*delivery->recipients));
	if (!grown)
		return -ENOMEM;
	for (size_t i = delivery->recipients_size; i < size; i++)
		grown[i] = NULL;
	delivery->recipients = grown;
	delivery->recipients_size = size;
	return 0;
}

int delivery_recipient_ensure(struct delivery *delivery, uint32_t number, struct bytes name)
{
	int r = recipients_reserve(delivery, number);
	if (r < 0 || delivery->recipients[number])
		return r;
	r = recipient_new(number, name, &delivery->recipients[number]);
	if (r == 0)
		breaker_init(&delivery->recipients[number]->breaker, &delivery->options.breaker);
	return r;
}

int delivery_attach(
	struct delivery *delivery, struct outlet *outlet, uint32_t number, struct bytes name)
{
	int r = delivery_recipient_ensure(delivery, number, name);
	if (r < 0)
		return r;
	breaker_renew(
		&delivery->recipients[number]->breaker, clock_mono_ns(delivery->options.clock));
	if (outlet->count == 0)
		window_init(&outlet->window, delivery->options.out_bytes_max);
	recipient_attach(delivery->recipients[number], outlet);
	delivery_want(delivery, delivery->recipients[number]);
	return 0;
}

static void dirty_remove(struct delivery *delivery, struct outlet *outlet)
{
	for (struct outlet **at = &delivery->dirty; *at; at = &(*at)->dirty_next) {
		if (*at == outlet) {
			*at = outlet->dirty_next;
			return;
		}
	}
}

void delivery_detach(struct delivery *delivery, struct outlet *outlet, const char *cause)
{
	if (outlet->dirty)
		dirty_remove(delivery, outlet);
	for (size_t i = 0; i < outlet->count; i++) {
		struct recipient *recipient = outlet->recipients[i];
		delivery->leavers += recipient_detach(recipient, cause);
	}
	outlet->count = outlet->batch.count = 0;
}

void delivery_credit(
	struct delivery *delivery, struct outlet *outlet, uint64_t messages, uint64_t bytes)
{
	window_grant(&outlet->window, messages, bytes);
	for (size_t i = 0; i < outlet->count; i++)
		delivery_want(delivery, outlet->recipients[i]);
}

static struct recipient *outlet_recipient(const struct outlet *outlet, struct bytes party)
{
	for (size_t i = 0; i < outlet->count; i++) {
		if (bytes_equal(BYTES_STR(outlet->recipients[i]->name), party))
			return outlet->recipients[i];
	}
	return NULL;
}

/* More acks than a batch may have are refused for their form: nothing settles. */
static size_t settling_max(const struct parcel *parcel)
{
	size_t count = 0;
	for (size_t i = 0; i < parcel->acks_count; i++)
		count += parcel->acks[i].batch->n_acks <= BATCH_MAX ? parcel->acks[i].batch->n_acks
								    : 0;
	return count;
}

/* One item per acknowledgement, so that its verdict finds it; party 0 where nothing settles. */
static void batch_settle(
	struct recipient *recipient, const Dienstweg__AckBatch *batch, struct parcel *parcel)
{
	for (size_t i = 0; i < batch->n_acks; i++) {
		uint64_t sequence = batch->acks[i]->sequence;
		bool settles = recipient &&
			       recipient_settle(recipient, sequence, LEASE_ACKNOWLEDGED) == 0;
		parcel->items[parcel->items_count++] = (struct rules_item){
			settles ? recipient->number : 0, sequence};
	}
}

int delivery_acknowledge(struct delivery *delivery, struct outlet *outlet, struct parcel *parcel)
{
	parcel->items = arena_alloc(parcel->arena, settling_max(parcel) * sizeof(*parcel->items));
	if (!parcel->items)
		return -ENOMEM;
	for (size_t i = 0; i < parcel->acks_count; i++) {
		const Dienstweg__AckBatch *batch = parcel->acks[i].batch;
		struct recipient *recipient = outlet_recipient(outlet, BYTES_PB(batch->recipient));
		if (batch->n_acks > BATCH_MAX)
			continue;
		batch_settle(recipient, batch, parcel);
		if (recipient)
			delivery_want(delivery, recipient);
	}
	return 0;
}

static struct parcel *nak_parcel(struct delivery *delivery, const Dienstweg__Nak *nak)
{
	struct parcel *parcel = delivery_fail_new(delivery, "nak");
	if (!parcel)
		return NULL;
	char *cause = arena_zalloc(parcel->arena, NAME_BYTES_MAX + 1);
	if (cause && text_is_name(BYTES_PB(nak->reason))) {
		memcpy(cause, nak->reason.data, nak->reason.len);
		parcel->cause = cause;
	}
	parcel->delay_ms = nak->delay_ms < NAK_DELAY_MAX_MS ? nak->delay_ms : NAK_DELAY_MAX_MS;
	parcel->backoff = true;
	return parcel;
}

/* Codes by which a recipient says that it is not the message's fault (docs/protocol.md "Attempts and dead letters"). */
static bool is_own_fault(struct bytes reason)
{
	static const char *const codes[] = {"unavailable", "unknown-key", "schema-absent"};
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (bytes_equal(reason, BYTES_STR(codes[i])))
			return true;
	return false;
}

void delivery_nak(struct delivery *delivery, struct outlet *outlet, const Dienstweg__Nak *nak)
{
	struct recipient *recipient = outlet_recipient(outlet, BYTES_PB(nak->party));
	struct parcel *parcel = NULL;
	enum breaker_failure how = is_own_fault(BYTES_PB(nak->reason)) ? BREAKER_UNAVAILABLE
								       : BREAKER_GIVEN_BACK;
	uint64_t now_ns = clock_mono_ns(delivery->options.clock);
	for (size_t i = 0; recipient && i < nak->n_sequences && i < NAK_SEQUENCES_MAX; i++) {
		if (!parcel && recipient_may_fail(recipient, now_ns))
			parcel = nak_parcel(delivery, nak);
		if (!parcel)
			return; /* the leases run out instead */
		if (recipient_settle(recipient, nak->sequences[i], LEASE_NAKED) != 0)
			continue;
		delivery_count_failure(recipient, parcel, nak->sequences[i], how, now_ns);
		if (parcel->items_count == RULES_ITEMS_MAX)
			delivery_fail(delivery, recipient, steal(&parcel));
	}
	if (parcel && parcel->items_count > 0)
		delivery_fail(delivery, recipient, parcel);
	else
		parcel_give(delivery->options.pool, parcel);
}

void delivery_fetching(struct outlet *outlet, struct bytes party, uint64_t sequence)
{
	struct recipient *recipient = outlet_recipient(outlet, party);
	if (recipient)
		lease_mark(recipient->leases, sequence, outlet->serial);
}

void delivery_confirm(
	struct delivery *delivery, struct outlet *outlet, struct bytes party, uint64_t sequence)
{
	struct recipient *recipient = outlet_recipient(outlet, party);
	if (!recipient || recipient->outcome_sent == 0)
		return;
	/* Nobody confirms what was not sent: it would be gone unread. */
	if (sequence >= recipient->outcome_sent)
		sequence = recipient->outcome_sent - 1;
	recipient_outcome_confirmed(recipient, sequence);
	if (sequence + 1 > recipient->confirm_wanted)
		recipient->confirm_wanted = sequence + 1;
	delivery_confirm_next(delivery, recipient);
	delivery_want(delivery, recipient);
}

void delivery_expire(struct delivery *delivery, uint32_t party, uint64_t sequence)
{
	if (delivery->expiring_count == delivery->expiring_size) {
		size_t size = delivery->expiring_size ? delivery->expiring_size * 2 : EXPIRING_MIN;
		struct rules_item *grown = realloc(
			delivery->expiring, size * sizeof(*delivery->expiring));
		if (!grown)
			return; /* announced again at the next start */
		delivery->expiring = grown;
		delivery->expiring_size = size;
	}
	delivery->expiring[delivery->expiring_count++] = (struct rules_item){
		.party = party, .sequence = sequence};
}

const char *delivery_breaker(const struct delivery *delivery, uint32_t number)
{
	const struct recipient *recipient = delivery_recipient(delivery, number);
	if (!recipient || recipient->breaker.state == BREAKER_CLOSED)
		return NULL;
	return recipient->breaker.state == BREAKER_OPEN ? "open" : "probing";
}

void delivery_stop(struct delivery *delivery)
{
	delivery->stopped = true;
}

size_t delivery_out(const struct delivery *delivery)
{
	size_t out = 0;
	for (size_t i = 0; i < delivery->recipients_size; i++) {
		const struct recipient *recipient = delivery->recipients[i];
		out += recipient && recipient->outlet ? lease_out_count(recipient->leases) : 0;
	}
	return out;
}
