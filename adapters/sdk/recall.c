/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An order is a frame of its own: orders are rare, and one that is refused must not take others with it. A message under
 * delivery cannot be taken back, but its recipient may yet give it back, so the question is asked again until
 * there is an end, whichever.
 */
#include "adapters/sdk/recall.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/receipt/receipt.h"
#include "proto/signature/signature.h"

enum { LATER_MS = 1000 };

struct order {
	bool open;
	bool asked; /* in this session */
	size_t party;
	uint8_t message_id[16];
	char recipient[64], reason[64]; /* or empty */
	uint8_t digest[HASH_SIZE];      /* of the batch that was sent */
	uint64_t not_before_ns;
};

struct recall {
	struct recall_options options;
	struct arena *arena;
	struct order orders[RECALL_ORDERS_MAX];
};

static ProtobufCBinaryData pb(struct bytes b)
{
	return (ProtobufCBinaryData){.len = b.len, .data = (uint8_t *)(uintptr_t)b.data};
}

int recall_sign(struct bytes bus, const struct party *sender, const struct recall_item *items,
	size_t count, struct bytes reason, struct arena *arena, Dienstweg__CancelBatch *ret)
{
	uint8_t digests[BATCH_MAX][HASH_SIZE];
	Dienstweg__Signature *signatures = arena_alloc(arena, BATCH_MAX * sizeof(*signatures));
	Dienstweg__CancelItem *all = arena_alloc(arena, BATCH_MAX * sizeof(*all));
	struct bytes name = BYTES_STR(sender->name);
	dienstweg__cancel_batch__init(ret);
	ret->items = arena_alloc(arena, BATCH_MAX * sizeof(Dienstweg__CancelItem *));
	if (!signatures || !all || !ret->items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		dienstweg__cancel_item__init(&all[i]);
		all[i].message_id = pb(BYTES(items[i].message_id, sizeof(items[i].message_id)));
		all[i].recipient = pb(items[i].recipient);
		cancellation_digest(
			bus, name, items[i].message_id, items[i].recipient, reason, digests[i]);
		ret->items[ret->n_items++] = &all[i];
	}
	int r = signature_sign(SIGNATURE_CANCEL, bus, sender->sign,
		(const uint8_t(*)[HASH_SIZE])digests, count, signatures, arena);
	if (r)
		return r;
	ret->sender = pb(name);
	ret->reason = pb(reason);
	ret->key_id = signatures[0].key_id;
	ret->root = signatures[0].root;
	return 0;
}

int recall_new(const struct recall_options *options, struct recall **ret)
{
	_cleanup_(recall_free) struct recall *recall = calloc(1, sizeof(*recall));
	if (!recall)
		return -ENOMEM;
	recall->options = *options;
	recall->arena = arena_new(RECALL_ARENA);
	if (!recall->arena)
		return -ENOMEM;
	*ret = steal(&recall);
	return 0;
}

void recall_free(struct recall *recall)
{
	if (!recall)
		return;
	arena_free(recall->arena);
	free(recall);
}

/* ---- orders ---- */

static bool is_name_or_empty(struct bytes text)
{
	return text.len == 0 || text_is_name(text);
}

int recall_add(struct recall *recall, const struct dw_cancel *what)
{
	size_t party = what->sender.len ? parties_find(recall->options.parties, what->sender) : 0;
	if (party == PARTIES_NONE || !is_name_or_empty(what->recipient) ||
		!is_name_or_empty(what->reason))
		return DW_INVALID;
	for (size_t i = 0; i < RECALL_ORDERS_MAX; i++) {
		struct order *order = &recall->orders[i];
		if (order->open)
			continue;
		*order = (struct order){.open = true, .party = party};
		memcpy(order->message_id, what->message_id, sizeof(order->message_id));
		if (what->recipient.len > 0)
			memcpy(order->recipient, what->recipient.data, what->recipient.len);
		if (what->reason.len > 0)
			memcpy(order->reason, what->reason.data, what->reason.len);
		return 0;
	}
	return DW_BUSY;
}

static void put_off(const struct recall *recall, struct order *order)
{
	order->asked = false;
	order->not_before_ns = clock_mono_ns(recall->options.clock) + LATER_MS * UINT64_C(1000000);
}

void recall_restart(struct recall *recall)
{
	for (size_t i = 0; i < RECALL_ORDERS_MAX; i++) {
		recall->orders[i].asked = false;
		recall->orders[i].not_before_ns = 0;
	}
}

void recall_put_off(struct recall *recall)
{
	for (size_t i = 0; i < RECALL_ORDERS_MAX; i++)
		if (recall->orders[i].open && recall->orders[i].asked)
			put_off(recall, &recall->orders[i]);
}

/* ---- answers ---- */

static bool is_about(
	const struct recall *recall, const struct order *order, const Dienstweg__CancelState *state)
{
	const char *sender = recall->options.parties->names[order->party];
	return bytes_equal(BYTES_PB(state->party), BYTES_STR(sender)) &&
	       bytes_equal(BYTES_PB(state->message_id),
		       BYTES(order->message_id, sizeof(order->message_id))) &&
	       (!order->recipient[0] ||
		       bytes_equal(BYTES_PB(state->recipient), BYTES_STR(order->recipient)));
}

static struct dw_cancelled cancelled_of(const struct recall *recall, const struct order *order)
{
	struct dw_cancelled cancelled = {
		.sender = BYTES_STR(recall->options.parties->names[order->party]),
		.recipient = BYTES_STR(order->recipient),
	};
	memcpy(cancelled.message_id, order->message_id, sizeof(cancelled.message_id));
	return cancelled;
}

static int tell_states(
	struct recall *recall, const struct order *order, const Dienstweg__Cancelled *frame)
{
	int r = 0;
	for (size_t i = 0; i < frame->n_states && r == 0; i++) {
		const Dienstweg__CancelState *state = frame->states[i];
		struct dw_cancelled cancelled = cancelled_of(recall, order);
		if (!is_about(recall, order, state))
			continue;
		cancelled.recipient = BYTES_PB(state->recipient);
		cancelled.state = BYTES_PB(state->state);
		cancelled.sequence = state->sequence;
		r = recall->options.cancelled(recall->options.context, &cancelled);
	}
	return r;
}

/* One of two orders about one message is answered by either's frame: both say how it is. */
static int take_states(struct recall *recall, struct order *order, const Dienstweg__Cancelled *frame)
{
	size_t ours = 0, under_delivery = 0;
	for (size_t i = 0; i < frame->n_states; i++) {
		bool about = is_about(recall, order, frame->states[i]);
		ours += about;
		under_delivery += about && bytes_equal(BYTES_PB(frame->states[i]->state),
						   BYTES_STR("under-delivery"));
	}
	if (ours == 0)
		return 0;
	if (under_delivery > 0) {
		put_off(recall, order);
		return 0;
	}
	order->open = false;
	return tell_states(recall, order, frame);
}

static int take_refusal(
	struct recall *recall, struct order *order, const Dienstweg__Refusal *refusal)
{
	struct dw_cancelled cancelled = cancelled_of(recall, order);
	if (!bytes_equal(BYTES_PB(refusal->h), BYTES(order->digest, HASH_SIZE)))
		return 0;
	order->open = false;
	log_error("recall", "the broker refuses a cancellation",
		F_BYTES("code", BYTES_PB(refusal->code)),
		F_BYTES("detail", BYTES_PB(refusal->detail)));
	cancelled.state = BYTES_STR("refused");
	cancelled.code = BYTES_PB(refusal->code);
	return recall->options.cancelled(recall->options.context, &cancelled);
}

int recall_take(struct recall *recall, const Dienstweg__Cancelled *frame)
{
	int r = 0;
	for (size_t i = 0; i < RECALL_ORDERS_MAX && r == 0; i++) {
		struct order *order = &recall->orders[i];
		if (order->open && order->asked)
			r = take_states(recall, order, frame);
		for (size_t j = 0; j < frame->n_refusals && r == 0; j++)
			if (order->open && order->asked)
				r = take_refusal(recall, order, frame->refusals[j]);
	}
	return r;
}

/* ---- asking ---- */

static int ask(struct recall *recall, struct order *order, struct client *client)
{
	const struct recall_options *options = &recall->options;
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Cancel cancel = DIENSTWEG__CANCEL__INIT;
	Dienstweg__CancelBatch batch;
	uint8_t packed[RECALL_BYTES_MAX];
	struct recall_item item = {.recipient = BYTES_STR(order->recipient)};
	memcpy(item.message_id, order->message_id, sizeof(item.message_id));
	arena_reset(recall->arena);
	int r = recall_sign(options->bus, &options->parties->all[order->party], &item, 1,
		BYTES_STR(order->reason), recall->arena, &batch);
	if (r)
		return r;
	size_t len = dienstweg__cancel_batch__pack(&batch, packed);
	receipt_cancel_batch_digest(BYTES(packed, len), order->digest);
	cancel.batch = &batch;
	frame.body_case = DIENSTWEG__FRAME__BODY_CANCEL;
	frame.cancel = &cancel;
	r = client_send(client, &frame);
	order->asked = r == 0;
	return r < 0 ? r : 0;
}

static int order_timeout_ms(const struct order *order, uint64_t now_ns)
{
	if (!order->open || order->asked)
		return -1;
	return now_ns >= order->not_before_ns ? 0
					      : (int)((order->not_before_ns - now_ns) / 1000000 + 1);
}

int recall_flush(struct recall *recall, struct client *client)
{
	uint64_t now_ns = clock_mono_ns(recall->options.clock);
	int r = 0;
	for (size_t i = 0; i < RECALL_ORDERS_MAX && r == 0; i++)
		if (order_timeout_ms(&recall->orders[i], now_ns) == 0)
			r = ask(recall, &recall->orders[i], client);
	return r;
}

int recall_timeout_ms(const struct recall *recall)
{
	uint64_t now_ns = clock_mono_ns(recall->options.clock);
	int soonest = -1;
	for (size_t i = 0; i < RECALL_ORDERS_MAX; i++) {
		int ms = order_timeout_ms(&recall->orders[i], now_ns);
		if (ms >= 0 && (soonest < 0 || ms < soonest))
			soonest = ms;
	}
	return soonest;
}
