/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Frames in. A table instead of a switch, because this is where brokers grow their dispatcher: a kind of
 * frame is one row here and one function, which lives with what it is about. What every kind needs first
 * (a key that the registry in force knows, a session, a form) is checked once, before the table.
 *
 * The key is looked up for every frame: ZeroMQ asks once a connection, so a key that was revoked while its
 * connection lasts is stopped here, and cut off.
 */
#include "broker/field.h"
#include "broker/transport/room.h"
#include "proto/base/log.h"
#include "proto/envelope/envelope.h"

static void confirm_handle(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	const Dienstweg__Confirm *confirm = incoming->frame->confirm;
	delivery_confirm(transport->options.delivery, &session->outlet, BYTES_PB(confirm->party),
		confirm->sequence);
}

static void nak_handle(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	delivery_nak(transport->options.delivery, &session->outlet, incoming->frame->nak);
}

static void credit_handle(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	const Dienstweg__Credit *credit = incoming->frame->credit;
	delivery_credit(
		transport->options.delivery, &session->outlet, credit->messages, credit->bytes);
}

static void ping_handle(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Pong pong = DIENSTWEG__PONG__INIT;
	pong.number = incoming->frame->ping->number;
	pong.registry_version = registry_version(transport->registry);
	frame.body_case = DIENSTWEG__FRAME__BODY_PONG;
	frame.pong = &pong;
	transport_send(transport, session, &frame);
}

static void bye_handle(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	(void)incoming;
	transport_end(transport, session, "session-closed");
}

struct kind {
	uint32_t body;
	size_t small; /* unpacked before the handler is called; most bytes of such a frame */
	bool opening; /* needs no session */
	bool asking; /* takes nothing from the party's adapter: a visiting session may send it, too */
	void (*handle)(struct transport *, struct session *, struct incoming *);
};

static const struct kind kinds[] = {
	{DIENSTWEG__FRAME__BODY_HELLO, SMALL_FRAME_MAX, true, true, hello_handle},
	{DIENSTWEG__FRAME__BODY_SUBMIT, 0, false, false, submit_handle},
	{DIENSTWEG__FRAME__BODY_ACKNOWLEDGE, 0, false, false, acknowledge_handle},
	/* Signed by who may order it, whoever brings it: a person beside the adapter, too. */
	{DIENSTWEG__FRAME__BODY_CANCEL, 0, false, true, cancel_handle},
	{DIENSTWEG__FRAME__BODY_CONFIRM, SMALL_FRAME_MAX, false, false, confirm_handle},
	{DIENSTWEG__FRAME__BODY_NAK, SMALL_FRAME_MAX, false, false, nak_handle},
	{DIENSTWEG__FRAME__BODY_CREDIT, SMALL_FRAME_MAX, false, false, credit_handle},
	{DIENSTWEG__FRAME__BODY_GET_REGISTRY, SMALL_FRAME_MAX, false, true, get_registry_handle},
	{DIENSTWEG__FRAME__BODY_GET_CHECKPOINT, SMALL_FRAME_MAX, false, true, get_checkpoint_handle},
	{DIENSTWEG__FRAME__BODY_GET_PROOF, SMALL_FRAME_MAX, false, true, get_proof_handle},
	{DIENSTWEG__FRAME__BODY_GET_ACCESS, SMALL_FRAME_MAX, false, true, get_access_handle},
	{DIENSTWEG__FRAME__BODY_REPLAY, SMALL_FRAME_MAX, false, false, replay_handle},
	{DIENSTWEG__FRAME__BODY_COSIGN, SMALL_FRAME_MAX, false, false, cosign_handle},
	{DIENSTWEG__FRAME__BODY_PUT_BLOB, BLOB_FRAME_MAX, false, false, put_blob_handle},
	{DIENSTWEG__FRAME__BODY_GET_BLOB, SMALL_FRAME_MAX, false, false, get_blob_handle},
	{DIENSTWEG__FRAME__BODY_PING, SMALL_FRAME_MAX, false, true, ping_handle},
	{DIENSTWEG__FRAME__BODY_BYE, SMALL_FRAME_MAX, false, true, bye_handle},
};

static const struct kind *kind_of(uint32_t body)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].body == body)
			return &kinds[i];
	}
	return NULL;
}

/* What was sent before its connection was cut is still in the queue, or it came by another one. */
static bool turn_away(struct transport *transport, struct session *session,
	const struct incoming *incoming, const char *cause)
{
	if (session)
		transport_end(transport, session, cause);
	router_cut(incoming->raw);
	return false;
}

/* The party whose key this is, in the registry in force, unless it is shut out. */
static bool speaker_find(
	struct transport *transport, struct session *session, struct incoming *incoming)
{
	const uint8_t *key = incoming->raw->key;
	const Dienstweg__Party *party = registry_transport_party(transport->registry, key);
	if (!party) {
		transport->counters.strangers++;
		return turn_away(transport, session, incoming, "session-lost");
	}
	if (transport->bars.count > 0 &&
		bars_hold(&transport->bars, key, clock_mono_ns(transport->options.clock)))
		return turn_away(transport, session, incoming, "flooding");
	incoming->speaker = BYTES_PB(party->name);
	return true;
}

static bool is_of(const struct session *session, const struct incoming *incoming)
{
	return session && session->state == SESSION_OPEN && !session->ending &&
	       bytes_equal(BYTES(session->nonce, NONCE_SIZE), incoming->peek.session) &&
	       bytes_equal(BYTES_STR(session->speaker), incoming->speaker);
}

/* Return: false when it is no such frame; the body is there when true. */
static bool small_unpack(struct transport *transport, struct incoming *incoming, size_t max)
{
	struct bytes raw = incoming->raw->payload;
	if (raw.len > max)
		return false;
	arena_reset(transport->scratch);
	incoming->frame = dienstweg__frame__unpack(
		arena_allocator(transport->scratch), raw.len, raw.data);
	return incoming->frame && incoming->frame->body_case == incoming->peek.body;
}

static void malformed(struct transport *transport, const struct incoming *incoming)
{
	transport->counters.malformed++;
	transport_send_error(transport, incoming, "malformed", "frame",
		"not one Frame of docs/protocol.md, or too large for its kind");
}

/* ZeroMQ lets a little more through than the protocol does. */
static void too_large(struct transport *transport, const struct incoming *incoming)
{
	transport->counters.malformed++;
	transport_send_error(transport, incoming, "frame-too-large", "frame",
		"a frame has at most Limits.frame_bytes: split the batch");
}

static void frame_handle(struct transport *transport, const struct router_frame *raw)
{
	struct incoming incoming = {.raw = raw};
	struct session *session = sessions_find(transport->sessions, &raw->route);
	transport->counters.frames++;
	if (!speaker_find(transport, session, &incoming))
		return;
	if (frame_peek(raw->payload, &incoming.peek) != 0) {
		incoming.peek.session.data = NULL;
		malformed(transport, &incoming);
		return;
	}
	if (raw->payload.len > FRAME_BYTES_MAX) {
		too_large(transport, &incoming);
		return;
	}
	bool open = is_of(session, &incoming);
	if (open)
		session->heard_ns = clock_mono_ns(transport->options.clock);
	const struct kind *kind = kind_of(incoming.peek.body);
	if (!open && !(kind && kind->opening)) {
		transport_send_error(transport, &incoming, "hello-required", "session",
			"no session of this nonce: say Hello, then send again what is unanswered");
		return;
	}
	if (!kind) {
		transport_send_error(transport, &incoming, "unknown-frame", "body",
			"this broker does not know that kind of frame");
		return;
	}
	if (open && session->visiting && !kind->asking) {
		transport_send_error(transport, &incoming, "visiting", "body",
			"a visiting session only asks: say Hello without `visiting` for the rest");
		return;
	}
	if (kind->small && !small_unpack(transport, &incoming, kind->small)) {
		malformed(transport, &incoming);
		return;
	}
	kind->handle(transport, session, &incoming);
}

int transport_receive(struct transport *transport)
{
	size_t bytes = 0;
	transport->turn_verified = 0;
	for (size_t i = 0; i < TURN_FRAMES_MAX && bytes < TURN_BYTES_MAX; i++) {
		struct router_frame raw;
		int r = router_receive(transport->options.router, &raw);
		if (r == ROUTER_EMPTY)
			return 0;
		if (r < 0)
			return r;
		if (r == ROUTER_DROPPED)
			continue;
		bytes += raw.payload.len;
		frame_handle(transport, &raw);
		router_frame_deinit(&raw);
	}
	return 0;
}
