/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Cancel. It passes the reactor twice: the journal says first whose the messages are and where they wait, then delivery
 * keeps back what is not under way, and the journal ends that. What the broker would answer at a moment when it
 * cannot go there again is what it answers of a message under delivery: ask again.
 *
 * A batch that names no recipients may come to speak of many, so it is charged for the room they would take.
 */
#include <errno.h>

#include "broker/field.h"
#include "broker/transport/room.h"
#include "proto/envelope/wire.h"
#include "proto/receipt/receipt.h"

enum { CANCEL_BATCH = 1 /* field of Cancel */ };

static const char *cancel_unpack(struct parcel *parcel, const struct incoming *incoming)
{
	static const char wrong[] = "not a Cancel of docs/protocol.md";
	struct bytes raw = incoming->raw->payload, content;
	struct parcel_cancel *cancel = arena_zalloc(parcel->arena, sizeof(*cancel));
	parcel->frame = dienstweg__frame__unpack(arena_allocator(parcel->arena), raw.len, raw.data);
	if (!parcel->frame || parcel->frame->body_case != DIENSTWEG__FRAME__BODY_CANCEL ||
		!parcel->frame->cancel->batch)
		return wrong;
	if (!cancel || arena_copy(parcel->arena, incoming->peek.content, &content) < 0 ||
		parcel_is_inflated(parcel, raw.len))
		return "the frame unpacks to more than it may";
	parcel->cancel = cancel;
	cancel->batch = parcel->frame->cancel->batch;
	cancel->facts.batch = cancel->batch;
	if (cancel->batch->n_items > BATCH_MAX)
		return "a batch has between 1 and 32 items";
	return wire_field(content, CANCEL_BATCH, 0, &cancel->facts.batch_bytes) == 0 ? NULL : wrong;
}

void cancel_handle(struct transport *transport, struct session *session, struct incoming *incoming)
{
	struct parcel_pool *pool = transport->options.pool;
	size_t bytes = incoming->raw->payload.len;
	struct parcel *parcel = budget_fits_acknowledge(transport, session, bytes)
					? parcel_take(pool, PARCEL_CANCEL)
					: NULL;
	if (!parcel) {
		transport_send_error(transport, incoming, "busy", "cancel",
			"too much unanswered: send this frame again later");
		return;
	}
	const char *wrong = cancel_unpack(parcel, incoming);
	if (wrong) {
		parcel_give(pool, parcel);
		transport->counters.malformed++;
		transport_send_error(transport, incoming, "malformed", "cancel", wrong);
		return;
	}
	transport->counters.cancellations++;
	budget_charge(transport, session, parcel,
		bytes + parcel_legs_max(parcel->cancel->batch) * sizeof(struct cancel_leg));
	transport_pass_on(transport, session, parcel);
}

bool cancel_goes_again(struct transport *transport, struct parcel *parcel)
{
	struct parcel_cancel *cancel = parcel->cancel;
	if (parcel->spoilt || cancel->again)
		return false;
	cancel->again = true;
	if (transport->stopping || delivery_keep_back(transport->options.delivery, parcel) == 0)
		return false;
	journal_push(transport->options.journal, parcel);
	return true;
}

/* ---- the answer ---- */

static const char *state_of(const struct cancel_leg *leg)
{
	if (leg->party == 0 || !leg->place.known)
		return "unknown";
	return leg->place.open ? "under-delivery" : end_state_name(leg->place.end);
}

static void state_fill(const struct parcel_cancel *cancel, const struct cancel_leg *leg,
	Dienstweg__CancelState *state)
{
	const Dienstweg__CancelItem *item = cancel->batch->items[leg->item];
	dienstweg__cancel_state__init(state);
	state->party = cancel->batch->sender;
	state->message_id = item->message_id;
	state->recipient = leg->party ? field_bytes(leg->recipient) : item->recipient;
	state->state = field_text(state_of(leg));
	state->sequence = leg->place.known ? leg->sequence : 0;
}

static int states_make(struct parcel *parcel, Dienstweg__Cancelled *cancelled)
{
	const struct parcel_cancel *cancel = parcel->cancel;
	size_t count = cancel->legs_count;
	Dienstweg__CancelState *states = arena_alloc(parcel->arena, count * sizeof(*states));
	cancelled->states = arena_alloc(parcel->arena, count * sizeof(Dienstweg__CancelState *));
	if (!states || !cancelled->states)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		state_fill(cancel, &cancel->legs[i], &states[i]);
		cancelled->states[i] = &states[i];
	}
	cancelled->n_states = count;
	return 0;
}

static void spoilt_send(struct transport *transport, struct session *session)
{
	session_error(
		transport, session, "malformed", "cancel", "the frame unpacks to more than it may");
}

void cancel_done(struct transport *transport, struct parcel *parcel)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Cancelled cancelled = DIENSTWEG__CANCELLED__INIT;
	Dienstweg__Refusal refusal = DIENSTWEG__REFUSAL__INIT, *refusals = &refusal;
	uint8_t digest[HASH_SIZE];
	const struct parcel_cancel *cancel = parcel->cancel;
	struct session *session = sessions_at(
		transport->sessions, parcel->origin.session, parcel->origin.session_serial);
	if (!session)
		return;
	if (parcel->spoilt) {
		spoilt_send(transport, session);
		return;
	}
	if (cancel->decision.refused) {
		receipt_cancel_batch_digest(cancel->facts.batch_bytes, digest);
		refusal.h = field_bytes(BYTES(digest, HASH_SIZE));
		refusal.code = field_text(cancel->decision.code);
		refusal.field = field_text(cancel->decision.field);
		refusal.detail = field_text(cancel->decision.detail);
		cancelled.refusals = &refusals;
		cancelled.n_refusals = 1;
	} else if (states_make(parcel, &cancelled) < 0) {
		transport_end(transport, session, "session-lost");
		return;
	}
	frame.body_case = DIENSTWEG__FRAME__BODY_CANCELLED;
	frame.cancelled = &cancelled;
	transport_send(transport, session, &frame);
}
