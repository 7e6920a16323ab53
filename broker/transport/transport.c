/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The life of sessions. A session that fails while a frame is being sent to it is only marked: whoever
 * was sending may be walking over lists that closing it would change. It is closed at the end of the
 * turn, in one place.
 */
#include "broker/transport/transport.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/field.h"
#include "broker/transport/room.h"
#include "proto/base/log.h"

int transport_new(const struct transport_options *options, struct transport **ret)
{
	_cleanup_(transport_free) struct transport *transport = calloc(1, sizeof(*transport));
	if (!transport)
		return -ENOMEM;
	transport->options = *options;
	transport->registry = registry_ref(options->registry);
	transport->hold.on = options->held;
	transport->scratch = arena_new(SCRATCH_BUDGET);
	if (!transport->scratch)
		return -ENOMEM;
	int r = answer_new(&transport->answer);
	if (r == 0)
		r = sessions_new(options->config->limits.sessions_max, &transport->sessions);
	if (r == 0)
		r = lines_new(&transport->lines);
	if (r == 0)
		r = connections_init(transport);
	if (r == 0)
		r = replays_init(&transport->replays);
	if (r == 0)
		*ret = steal(&transport);
	return r;
}

void transport_free(struct transport *transport)
{
	if (!transport)
		return;
	access_end(transport);
	registry_unref(transport->registry);
	arena_free(transport->scratch);
	answer_free(transport->answer);
	replays_deinit(&transport->replays);
	sessions_free(transport->sessions);
	peers_free(transport->peers);
	door_free(transport->door);
	lines_free(transport->lines);
	free(transport);
}

bool transport_admit(void *context, const uint8_t key[BOX_KEY_SIZE])
{
	struct transport *transport = context;
	return registry_transport_party(transport->registry, key) != NULL &&
	       !bars_hold(&transport->bars, key, clock_mono_ns(transport->options.clock));
}

bool transport_may_speak(const struct transport *transport, const struct session *session)
{
	for (size_t i = 0; i < session->outlet.count; i++) {
		if (!registry_may_speak(transport->registry, BYTES_STR(session->speaker),
			    BYTES_STR(session->outlet.recipients[i]->name)))
			return false;
	}
	return true;
}

bool transport_tells(struct transport *transport, const char *party)
{
	return lines_may(transport->lines, party, clock_mono_ns(transport->options.clock));
}

/* ---- sending ---- */

void transport_end(struct transport *transport, struct session *session, const char *cause)
{
	if (!session->ending)
		session->ending = cause;
	transport->ending = true;
}

static void unsent_log(const struct session *session, int r)
{
	if (r == ROUTER_FULL)
		log_warn("transport", "a party does not read what it is sent: its session ends",
			F_STR("party", session->speaker),
			F_U64("unread_bytes", session->outbox.bytes + tally_bytes(session->tally)));
	if (r < 0)
		log_warn("transport", "a frame could not be sent", F_STR("party", session->speaker),
			F_ERR(r));
}

void transport_send(struct transport *transport, struct session *session, Dienstweg__Frame *frame)
{
	struct router_message message;
	if (session->ending)
		return;
	int r = frame_pack(frame, session->nonce, &message);
	if (r == 0) {
		bool waited = session->outbox.head != NULL;
		r = session_post(session, transport->options.router, &message);
		transport->waiting += !waited && session->outbox.head;
	}
	if (r == 0)
		return;
	transport->counters.not_reading += r == ROUTER_FULL;
	if (transport_tells(transport, session->speaker))
		unsent_log(session, r);
	transport_end(transport, session, "session-lost");
}

void transport_post(void *context, struct outlet *outlet, Dienstweg__Frame *frame)
{
	transport_send(context, session_of(outlet), frame);
}

void transport_send_error(struct transport *transport, const struct incoming *incoming,
	const char *code, const char *field, const char *detail)
{
	struct router_message message;
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Error error = DIENSTWEG__ERROR__INIT;
	error.code = field_text(code);
	error.field = field_text(field);
	error.detail = field_text(detail);
	frame.body_case = DIENSTWEG__FRAME__BODY_ERROR;
	frame.error = &error;
	if (frame_pack(&frame, incoming->peek.session.data, &message) != 0)
		return;
	/* A peer that does not even read its errors need not get them. */
	if (router_send(transport->options.router, &incoming->raw->route, &message) != 0)
		router_message_deinit(&message);
}

/* ---- ending ---- */

/* What it has waiting is not answered any more; let it not stand in front of others either. */
static void forget(struct transport *transport, const struct session *session)
{
	struct parcel *parcel = parcel_take(transport->options.pool, PARCEL_FORGET);
	if (!parcel)
		return;
	parcel->party = session->speaker_number;
	parcel->sequence = session->serial;
	transport_act(transport, parcel);
}

void transport_shut_out(struct transport *transport, struct session *session,
	const struct incoming *incoming, const char *detail)
{
	uint64_t now_ns = clock_mono_ns(transport->options.clock);
	uint64_t shut_out_ms = transport->options.config->session.shut_out_ms;
	bars_add(&transport->bars, incoming->raw->key, now_ns + shut_out_ms * UINT64_C(1000000));
	transport->counters.shut_out++;
	log_warn("transport", "a party floods the bus and is shut out",
		F_STR("party", session->speaker), F_U64("for_ms", shut_out_ms));
	transport_send_error(transport, incoming, "flooding", "submit", detail);
	transport_end(transport, session, "flooding");
	forget(transport, session);
}

void transport_close(struct transport *transport, struct session *session, const char *cause)
{
	bool lost = session->state == SESSION_OPEN && strcmp(cause, "session-lost") == 0;
	transport->counters.sessions_lost += lost;
	if (transport_tells(transport, session->speaker))
		log_info("transport", "session ended", F_STR("party", session->speaker),
			F_STR("cause", cause), F_U64("out", session->outlet.window.out_bytes));
	delivery_detach(transport->options.delivery, &session->outlet, cause);
	connections_session_ended(transport, session);
	transport->waiting -= session->outbox.head != NULL;
	sessions_remove(transport->sessions, session);
}

static void ending_close(struct transport *transport)
{
	size_t slot = 0;
	struct session *session;
	transport->ending = false;
	while ((session = sessions_walk(transport->sessions, &slot)) != NULL) {
		if (session->ending)
			transport_close(transport, session, session->ending);
	}
}

static void waiting_retry(struct transport *transport)
{
	size_t slot = 0;
	struct session *session;
	while ((session = sessions_walk(transport->sessions, &slot)) != NULL) {
		if (!session->outbox.head || session->ending)
			continue;
		int r = session_retry(session, transport->options.router);
		transport->waiting -= session->outbox.head == NULL;
		if (r != 0 && r != ROUTER_FULL)
			transport_end(transport, session, "session-lost");
	}
}

void transport_flush(struct transport *transport)
{
	if (transport->waiting > 0)
		waiting_retry(transport);
	if (transport->ending)
		ending_close(transport);
}

bool transport_waiting(const struct transport *transport)
{
	return transport->waiting > 0;
}

void transport_tick(struct transport *transport)
{
	const struct config_session *config = &transport->options.config->session;
	uint64_t now_ns = clock_mono_ns(transport->options.clock);
	uint64_t timeout_ns = config->timeout_ms * UINT64_C(1000000);
	size_t slot = 0;
	struct session *session;
	while ((session = sessions_walk(transport->sessions, &slot)) != NULL) {
		if (now_ns - session->heard_ns > timeout_ns)
			transport_end(transport, session, "session-lost");
	}
	connections_tick(transport, now_ns);
	candidate_tick(transport, now_ns);
	lines_tick(transport->lines, now_ns);
	blob_tick(transport, now_ns);
}

/* ---- drain ---- */

void transport_act(void *context, struct parcel *parcel)
{
	struct transport *transport = context;
	if (transport->stopping)
		parcel_give(transport->options.pool, parcel);
	else
		journal_push(transport->options.journal, parcel);
}

void transport_drain(struct transport *transport)
{
	transport->draining = true;
}

bool transport_draining(const struct transport *transport)
{
	return transport->draining;
}

bool transport_idle(const struct transport *transport)
{
	return parcel_pool_out(transport->options.pool) == 0;
}

bool transport_held(const struct transport *transport)
{
	return transport->hold.on;
}

int transport_stop(struct transport *transport)
{
	if (transport->hold.on) { /* the journal never began */
		transport->stopped = true;
		return 0;
	}
	struct parcel *parcel = parcel_take(transport->options.pool, PARCEL_STOP);
	if (!parcel)
		return -EAGAIN;
	journal_push(transport->options.journal, parcel);
	transport->stopping = true;
	return 0;
}

bool transport_stopped(const struct transport *transport)
{
	return transport->stopped;
}

const struct transport_counters *transport_counters(const struct transport *transport)
{
	return &transport->counters;
}

const struct peers_counts *transport_peers(const struct transport *transport)
{
	return peers_counts(transport->peers);
}

const struct door_counts *transport_door(const struct transport *transport)
{
	return door_counts(transport->door);
}

const struct sessions *transport_sessions(const struct transport *transport)
{
	return transport->sessions;
}

struct registry *transport_registry_now(const struct transport *transport)
{
	return transport->registry;
}
