/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Acknowledge. Not put off like a Submit: it frees what the broker holds, so it must get through when
 * everything else is busy. It is bounded by a budget of its own size, and by the credit that let the
 * messages out; who sends more than that is told so and loses nothing, since an inbox repeats its
 * acknowledgements until they are recorded.
 */
#include "broker/transport/room.h"
#include "proto/envelope/wire.h"

enum {
	FRAME_ACKNOWLEDGE_BATCHES = 1, /* field of Acknowledge */
	ACKNOWLEDGE_BATCHES_MAX = 1024,
};

static int batch_take(struct parcel *parcel, struct bytes content, size_t nth)
{
	struct parcel_ack *ack = &parcel->acks[nth];
	ack->batch = parcel->frame->acknowledge->batches[nth];
	ack->facts.batch = ack->batch;
	return wire_field(content, FRAME_ACKNOWLEDGE_BATCHES, nth, &ack->facts.batch_bytes);
}

/* The batches' bytes are kept as received: they are what is hashed and journaled. */
static const char *acknowledge_unpack(struct parcel *parcel, const struct incoming *incoming)
{
	struct bytes raw = incoming->raw->payload, content;
	parcel->frame = dienstweg__frame__unpack(arena_allocator(parcel->arena), raw.len, raw.data);
	if (!parcel->frame || parcel->frame->body_case != DIENSTWEG__FRAME__BODY_ACKNOWLEDGE)
		return "not an Acknowledge of docs/protocol.md";
	parcel->acks_count = parcel->frame->acknowledge->n_batches;
	if (parcel->acks_count < 1 || parcel->acks_count > ACKNOWLEDGE_BATCHES_MAX)
		return "an Acknowledge has between 1 and 1024 batches";
	parcel->acks = arena_zalloc(parcel->arena, parcel->acks_count * sizeof(*parcel->acks));
	if (!parcel->acks || arena_copy(parcel->arena, incoming->peek.content, &content) < 0 ||
		parcel_is_inflated(parcel, raw.len))
		return "the frame unpacks to more than it may";
	for (size_t i = 0; i < parcel->acks_count; i++) {
		if (batch_take(parcel, content, i) != 0)
			return "not an Acknowledge of docs/protocol.md";
	}
	return NULL;
}

void acknowledge_handle(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	struct parcel_pool *pool = transport->options.pool;
	size_t bytes = incoming->raw->payload.len;
	struct parcel *parcel = budget_fits_acknowledge(transport, session, bytes)
					? parcel_take(pool, PARCEL_ACKNOWLEDGE)
					: NULL;
	if (!parcel) {
		transport_send_error(transport, incoming, "busy", "acknowledge",
			"too many unanswered acknowledgements: send this frame again later");
		return;
	}
	const char *wrong = acknowledge_unpack(parcel, incoming);
	if (!wrong && delivery_acknowledge(transport->options.delivery, &session->outlet, parcel) < 0)
		wrong = "the frame unpacks to more than it may";
	if (wrong) {
		parcel_give(pool, parcel);
		transport->counters.malformed++;
		transport_send_error(transport, incoming, "malformed", "acknowledge", wrong);
		return;
	}
	transport->counters.acknowledgements += parcel->acks_count;
	budget_charge(transport, session, parcel, bytes);
	transport_pass_on(transport, session, parcel);
}
