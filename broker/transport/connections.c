/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Connections without a session: strangers that shake hands for ever, a party's key that opens one after the other
 * and says nothing. They cost descriptors and memory of ZeroMQ's, which nobody else counts. An adapter says Hello
 * as soon as it is connected, so what has no session for as long as a session may be silent is nobody's.
 */
#include <sys/resource.h>

#include "broker/transport/room.h"
#include "proto/base/log.h"

enum {
	CONNECTIONS_SPARE = 64, /* beside two a session: an old one and its successor */
	DESCRIPTORS_OWN = 128,  /* journal, keyring, attachments, operators */
	TOLD_S = 10,            /* at most so often the log tells */
};

/* Descriptors must be left for the broker's own files, or it could not even erase. */
static size_t connections_max(const struct config_limits *config)
{
	struct rlimit limit;
	size_t max = 2 * (size_t)config->sessions_max + CONNECTIONS_SPARE;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < max + DESCRIPTORS_OWN)
		max = limit.rlim_cur > DESCRIPTORS_OWN + CONNECTIONS_SPARE
			      ? (size_t)limit.rlim_cur - DESCRIPTORS_OWN
			      : CONNECTIONS_SPARE;
	return max;
}

int connections_init(struct transport *transport)
{
	const struct config_broker *config = transport->options.config;
	const struct door_limits door = {
		.network_minute = config->limits.address_handshakes_minute,
		.all_second = config->limits.handshakes_second,
		.out_ns = config->session.shut_out_ms * UINT64_C(1000000),
	};
	int r = door_new(&door, &transport->door);
	if (r < 0)
		return r;
	const struct peers_limits limits = {
		.door = transport->door,
		.all = connections_max(&config->limits),
		.address = (size_t)config->limits.address_connections_max,
		.silent_ns = config->session.timeout_ms * UINT64_C(1000000),
	};
	return peers_new(&limits, &transport->peers);
}

int transport_connections(struct transport *transport)
{
	struct router_event event;
	uint64_t now_ns = clock_mono_ns(transport->options.clock);
	int r;
	while ((r = router_event(transport->options.router, &event)) == 0) {
		if (event.kind == ROUTER_LISTENS)
			door_listening(transport->door, event.fd);
		else if (event.kind == ROUTER_ACCEPTED)
			peers_opened(transport->peers, event.fd, now_ns);
		else
			peers_closed(transport->peers, event.fd);
	}
	return r < 0 ? r : 0;
}

void connections_session_opened(struct transport *transport, const struct session *session)
{
	/* That its connection was accepted may have been told since the turn began. */
	if (transport_connections(transport) == 0)
		peers_session_opened(transport->peers, session->fd, session->serial);
}

void connections_session_ended(struct transport *transport, const struct session *session)
{
	peers_session_ended(transport->peers, session->fd, session->serial,
		clock_mono_ns(transport->options.clock));
}

struct tally *connections_tally(struct transport *transport, int fd)
{
	(void)transport_connections(transport); /* a socket that is broken is found out by the turn */
	return peers_tally(transport->peers, fd);
}

static void cuts_tell(struct transport *transport, uint64_t now_ns)
{
	const struct peers_counts *counts = peers_counts(transport->peers);
	const struct door_counts *door = door_counts(transport->door);
	struct peers_counts *told = &transport->told;
	struct door_counts *door_told = &transport->door_told;
	if (counts->crowded == told->crowded && counts->silent == told->silent &&
		door->hasty == door_told->hasty && door->out == door_told->out &&
		door->closed == door_told->closed)
		return;
	if (transport->told_ns != 0 && now_ns - transport->told_ns < TOLD_S * UINT64_C(1000000000))
		return;
	log_warn("transport",
		"connections were cut: too many at once, too often, or without a session for too "
		"long",
		F_U64("crowded", counts->crowded - told->crowded),
		F_U64("hasty", door->hasty - door_told->hasty),
		F_U64("networks_kept_out", door->out - door_told->out),
		F_U64("closed_to_all", door->closed - door_told->closed),
		F_U64("silent", counts->silent - told->silent), F_U64("open", counts->open));
	*told = *counts;
	*door_told = *door;
	transport->told_ns = now_ns;
}

void connections_tick(struct transport *transport, uint64_t now_ns)
{
	/* While the journal is in doubt nobody gets a session. */
	if (!transport->hold.on)
		peers_tick(transport->peers, now_ns);
	door_tick(transport->door, now_ns);
	cuts_tell(transport, now_ns);
}
