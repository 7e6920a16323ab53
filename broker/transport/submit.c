/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Submit, and its budget. What is over budget is put off without being unpacked, and so is everything
 * later of that sender until it resumes: else a later frame could overtake the one that was put off.
 */
#include "broker/field.h"
#include "broker/transport/room.h"
#include "proto/envelope/envelope.h"

static void put_off(struct transport *transport, struct session *session, uint64_t number,
	const char *reason, uint32_t retry_ms)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Answer answer = DIENSTWEG__ANSWER__INIT;
	Dienstweg__FrameDeferral deferral = DIENSTWEG__FRAME_DEFERRAL__INIT;
	deferral.number = number;
	deferral.reason = field_text(reason);
	deferral.retry_ms = retry_ms;
	answer.frame = &deferral;
	frame.body_case = DIENSTWEG__FRAME__BODY_ANSWER;
	frame.answer = &answer;
	session->deferring = true;
	transport->counters.put_off++;
	transport_send(transport, session, &frame);
}

/* Fields that this version does not know are not forwarded: a recipient sees what the journal holds. */
static void envelope_strip(Dienstweg__Envelope *envelope)
{
	envelope->base.n_unknown_fields = 0;
	if (envelope->signature)
		envelope->signature->base.n_unknown_fields = 0;
}

/* Return: NULL, or what is wrong with the frame. */
static const char *submit_unpack(
	const struct transport *transport, struct parcel *parcel, struct bytes raw)
{
	parcel->frame = dienstweg__frame__unpack(arena_allocator(parcel->arena), raw.len, raw.data);
	if (!parcel->frame || parcel->frame->body_case != DIENSTWEG__FRAME__BODY_SUBMIT)
		return "not a Submit of docs/protocol.md";
	const Dienstweg__Submit *submit = parcel->frame->submit;
	if (submit->n_envelopes < 1 ||
		submit->n_envelopes > transport->options.config->limits.submit_max)
		return "a Submit has between 1 and Limits.batch envelopes";
	parcel->submits_count = submit->n_envelopes;
	parcel->submits = arena_zalloc(
		parcel->arena, parcel->submits_count * sizeof(*parcel->submits));
	if (!parcel->submits || parcel_is_inflated(parcel, raw.len))
		return "the frame unpacks to more than it may";
	for (size_t i = 0; i < parcel->submits_count; i++) {
		envelope_strip(submit->envelopes[i]);
		parcel->submits[i].envelope = submit->envelopes[i];
	}
	return NULL;
}

/* Takes the parcel over. */
static void submit_take(struct transport *transport, struct session *session,
	const struct incoming *incoming, struct parcel *parcel)
{
	struct bytes raw = incoming->raw->payload;
	const char *wrong = submit_unpack(transport, parcel, raw);
	if (wrong) {
		parcel_give(transport->options.pool, parcel);
		transport->counters.malformed++;
		transport_send_error(transport, incoming, "malformed", "submit", wrong);
		return;
	}
	session->deferring = false;
	transport->counters.submitted += parcel->submits_count;
	budget_charge(transport, session, parcel, raw.len);
	transport_pass_on(transport, parcel);
}

void submit_handle(struct transport *transport, struct session *session, struct incoming *incoming)
{
	struct submit_peek peek;
	if (submit_peek(incoming->peek.content, &peek) != 0) {
		transport->counters.malformed++;
		transport_send_error(transport, incoming, "malformed", "submit",
			"not a Submit of docs/protocol.md");
	} else if (transport->draining) {
		put_off(transport, session, peek.number, "draining", DRAINING_RETRY_MS);
	} else if (session->deferring && !peek.resume) {
		put_off(transport, session, peek.number, "busy", BUSY_RETRY_MS);
	} else {
		bool fits = budget_fits_submit(transport, session, incoming->raw->payload.len);
		struct parcel *parcel = fits ? parcel_take(transport->options.pool, PARCEL_SUBMIT)
					     : NULL;
		if (parcel)
			submit_take(transport, session, incoming, parcel);
		else
			put_off(transport, session, peek.number, "busy", BUSY_RETRY_MS);
	}
}
