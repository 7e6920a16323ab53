/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Submit, and its budget. What is over budget is put off without being unpacked, and so is everything
 * later of that sender until it resumes: else a later frame could overtake the one that was put off.
 *
 * A large frame becomes several parcels. Verification and commits take turns between parties by the parcel,
 * so what others wait for is a parcel's time and not that of a thousand envelopes.
 */
#include "broker/field.h"
#include "broker/transport/room.h"

enum {
	PARCEL_ENVELOPES = 16, /* one signature's worth */
	SUBMIT_MALFORMED = 1,
	SUBMIT_BUSY = 2,
	HASTY_MAX = 16,   /* a sender that keeps to the protocol is never hasty */
	DEAF_BUDGETS = 4, /* it has one budget under way when it is told to wait, a naive one a few */
	DEAF_BYTES_MIN = 64 << 20,
};

/*
 * Does it keep sending although it was told to wait? What was under way then is excused: about a
 * budget, because so much may be unanswered; more of those who do not count. Who resumes too early did not
 * listen.
 */
static bool is_deaf(struct transport *transport, struct session *session,
	const struct incoming *incoming, bool resume, uint32_t retry_ms)
{
	uint64_t now_ns = clock_mono_ns(transport->options.clock);
	uint64_t most = DEAF_BUDGETS * transport->options.config->limits.party_bytes;
	if (most < DEAF_BYTES_MIN)
		most = DEAF_BYTES_MIN;
	if (!session->deferring || resume) {
		session->hasty += session->deferring && now_ns < session->patience_ns;
		session->patience_ns = now_ns + retry_ms * UINT64_C(1000000);
		session->put_off_bytes = 0;
	}
	session->put_off_bytes += incoming->raw->payload.len;
	return session->hasty > HASTY_MAX || session->put_off_bytes > most;
}

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

/* The next @count envelopes into a parcel. Return: 0, SUBMIT_MALFORMED. */
static int parcel_fill(struct parcel *parcel, struct bytes *content, size_t count)
{
	size_t bytes = content->len;
	parcel->submits = arena_zalloc(parcel->arena, count * sizeof(*parcel->submits));
	if (!parcel->submits)
		return SUBMIT_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		struct bytes raw;
		if (submit_next(content, &raw) != 0)
			return SUBMIT_MALFORMED;
		Dienstweg__Envelope *envelope = dienstweg__envelope__unpack(
			arena_allocator(parcel->arena), raw.len, raw.data);
		if (!envelope)
			return SUBMIT_MALFORMED;
		envelope_strip(envelope);
		parcel->submits[i].envelope = envelope;
	}
	parcel->submits_count = count;
	parcel->charge = bytes - content->len;
	return parcel_is_inflated(parcel, parcel->charge) ? SUBMIT_MALFORMED : 0;
}

static void parcels_give(struct transport *transport, struct parcel *parcels)
{
	while (parcels) {
		struct parcel *parcel = parcels;
		parcels = parcel->next;
		parcel_give(transport->options.pool, parcel);
	}
}

/* The whole frame as parcels, in order, or none of it. Return: 0, SUBMIT_MALFORMED, SUBMIT_BUSY. */
static int submit_unpack(
	struct transport *transport, struct bytes content, size_t envelopes, struct parcel **ret)
{
	struct parcel *first = NULL, **tail = &first;
	while (envelopes > 0) {
		size_t count = envelopes < PARCEL_ENVELOPES ? envelopes : PARCEL_ENVELOPES;
		struct parcel *parcel = parcel_take(transport->options.pool, PARCEL_SUBMIT);
		int r = parcel ? parcel_fill(parcel, &content, count) : SUBMIT_BUSY;
		if (parcel) {
			*tail = parcel;
			tail = &parcel->next;
		}
		if (r != 0) {
			parcels_give(transport, first);
			return r;
		}
		envelopes -= count;
	}
	*ret = first;
	return 0;
}

static void parcels_pass_on(
	struct transport *transport, struct session *session, struct parcel *parcels)
{
	while (parcels) {
		struct parcel *parcel = parcels;
		parcels = parcel->next;
		parcel->next = NULL;
		budget_charge(transport, session, parcel, parcel->charge);
		transport_pass_on(transport, session, parcel);
	}
}

static void submit_refuse(
	struct transport *transport, const struct incoming *incoming, const char *why)
{
	transport->counters.malformed++;
	transport_send_error(transport, incoming, "malformed", "submit", why);
}

static void submit_take(struct transport *transport, struct session *session,
	const struct incoming *incoming, const struct submit_peek *peek)
{
	struct parcel *parcels = NULL;
	if (peek->envelopes < 1 || peek->envelopes > transport->options.config->limits.submit_max) {
		submit_refuse(
			transport, incoming, "a Submit has between 1 and Limits.batch envelopes");
		return;
	}
	switch (submit_unpack(transport, incoming->peek.content, peek->envelopes, &parcels)) {
	case 0:
		session->deferring = false;
		transport->counters.submitted += peek->envelopes;
		parcels_pass_on(transport, session, parcels);
		break;
	case SUBMIT_BUSY:
		put_off(transport, session, peek->number, "busy", BUSY_RETRY_MS);
		break;
	default:
		submit_refuse(transport, incoming,
			"not envelopes of docs/protocol.md, or they unpack to more than they may");
	}
}

void submit_handle(struct transport *transport, struct session *session, struct incoming *incoming)
{
	struct submit_peek peek;
	uint32_t retry_ms = transport->draining ? DRAINING_RETRY_MS : BUSY_RETRY_MS;
	if (submit_peek(incoming->peek.content, &peek) != 0)
		submit_refuse(transport, incoming, "not a Submit of docs/protocol.md");
	else if (!transport->draining && (!session->deferring || peek.resume) &&
		 budget_fits_submit(transport, session, incoming->raw->payload.len))
		submit_take(transport, session, incoming, &peek);
	else if (is_deaf(transport, session, incoming, peek.resume, retry_ms))
		transport_shut_out(transport, session, incoming,
			"Submits come on and on although they were put off: wait retry_ms");
	else
		put_off(transport, session, peek.number, transport->draining ? "draining" : "busy",
			retry_ms);
}
