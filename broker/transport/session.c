/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A frame that a peer's queue does not take waits here and not in a thread: sending never blocks, and
 * the frames behind it wait too, so that order holds. The outbox is short; a peer that reads nothing for
 * so long is gone for all purposes, and whatever it missed it gets again when it says Hello.
 */
#include "broker/transport/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct pending {
	struct pending *next;
	struct router_message message;
};

struct sessions {
	size_t max;
	size_t count;
	uint64_t last_serial;
	struct session **slots;
	struct session **routes; /* hash table, chained */
	size_t routes_mask;
};

int sessions_new(size_t max, struct sessions **ret)
{
	_cleanup_(sessions_free) struct sessions *sessions = calloc(1, sizeof(*sessions));
	size_t routes = 16;
	if (!sessions)
		return -ENOMEM;
	while (routes < max)
		routes *= 2;
	sessions->max = max;
	sessions->routes_mask = routes - 1;
	sessions->slots = calloc(max, sizeof(struct session *));
	sessions->routes = calloc(routes, sizeof(struct session *));
	if (!sessions->slots || !sessions->routes)
		return -ENOMEM;
	*ret = steal(&sessions);
	return 0;
}

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	for (size_t i = 0; sessions->slots && i < sessions->max; i++) {
		if (sessions->slots[i])
			sessions_remove(sessions, sessions->slots[i]);
	}
	free(sessions->slots);
	free(sessions->routes);
	free(sessions);
}

/* ZeroMQ's own ids are counted up: any mixing spreads them. */
static struct session **route_bucket(const struct sessions *sessions, const struct route *route)
{
	uint64_t hash = 0;
	for (size_t i = 0; i < route->len; i++)
		hash = (hash ^ route->id[i]) * UINT64_C(0x100000001b3);
	return &sessions->routes[(hash >> 7 ^ hash) & sessions->routes_mask];
}

static bool route_equal(const struct route *a, const struct route *b)
{
	return bytes_equal(BYTES(a->id, a->len), BYTES(b->id, b->len));
}

int sessions_add(struct sessions *sessions, const struct route *route, struct session **ret)
{
	size_t slot = 0;
	while (slot < sessions->max && sessions->slots[slot])
		slot++;
	if (slot == sessions->max)
		return SESSIONS_FULL;
	struct session *session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->slot = (uint32_t)slot;
	session->serial = ++sessions->last_serial;
	session->outlet.serial = session->serial;
	session->route = *route;
	session->outbox.tail = &session->outbox.head;
	session->turn_tail = &session->turn;
	struct session **bucket = route_bucket(sessions, route);
	session->route_next = *bucket;
	*bucket = session;
	sessions->slots[slot] = session;
	sessions->count++;
	*ret = session;
	return 0;
}

static void outbox_drop_first(struct outbox *outbox)
{
	struct pending *pending = outbox->head;
	outbox->head = pending->next;
	if (!outbox->head)
		outbox->tail = &outbox->head;
	outbox->count--;
	free(pending);
}

void sessions_remove(struct sessions *sessions, struct session *session)
{
	struct session **at = route_bucket(sessions, &session->route);
	while (*at != session)
		at = &(*at)->route_next;
	*at = session->route_next;
	sessions->slots[session->slot] = NULL;
	sessions->count--;
	while (session->outbox.head) {
		router_message_deinit(&session->outbox.head->message);
		outbox_drop_first(&session->outbox);
	}
	tally_drop(session->tally);
	free(session);
}

struct session *sessions_find(const struct sessions *sessions, const struct route *route)
{
	struct session *session = *route_bucket(sessions, route);
	while (session && !route_equal(&session->route, route))
		session = session->route_next;
	return session;
}

struct session *sessions_at(const struct sessions *sessions, uint32_t slot, uint64_t serial)
{
	struct session *session = slot < sessions->max ? sessions->slots[slot] : NULL;
	return session && session->serial == serial ? session : NULL;
}

struct session *sessions_walk(const struct sessions *sessions, size_t *slot)
{
	while (*slot < sessions->max) {
		struct session *session = sessions->slots[(*slot)++];
		if (session)
			return session;
	}
	return NULL;
}

size_t sessions_count(const struct sessions *sessions)
{
	return sessions->count;
}

struct session *session_of(struct outlet *outlet)
{
	return (struct session *)(void *)((char *)outlet - offsetof(struct session, outlet));
}

static int outbox_keep(struct outbox *outbox, struct router_message *message)
{
	size_t size = router_message_size(message);
	struct pending *pending = outbox->bytes + size <= OUTBOX_BYTES_MAX ? malloc(sizeof(*pending))
									   : NULL;
	if (!pending) {
		router_message_deinit(message);
		return ROUTER_FULL;
	}
	pending->next = NULL;
	router_message_move(&pending->message, message);
	*outbox->tail = pending;
	outbox->tail = &pending->next;
	outbox->count++;
	outbox->bytes += size;
	return 0;
}

/* One frame is always handed on when nothing is on its way. Return: as router_send(). */
static int hand_on(struct session *session, struct router *router, struct router_message *message)
{
	uint64_t under_way = session->tally ? tally_bytes(session->tally) : 0;
	if (under_way > 0 && under_way + router_message_size(message) > PIPE_BYTES_MAX)
		return ROUTER_FULL;
	router_message_count(message, session->tally);
	int r = router_send(router, &session->route, message);
	if (r != 0)
		router_message_count(message, NULL);
	return r;
}

int session_post(struct session *session, struct router *router, struct router_message *message)
{
	if (session->outbox.head)
		return outbox_keep(&session->outbox, message);
	int r = hand_on(session, router, message);
	if (r == ROUTER_FULL)
		return outbox_keep(&session->outbox, message);
	if (r != 0)
		router_message_deinit(message);
	return r;
}

int session_retry(struct session *session, struct router *router)
{
	while (session->outbox.head) {
		struct router_message *message = &session->outbox.head->message;
		size_t size = router_message_size(message);
		int r = hand_on(session, router, message);
		if (r != 0)
			return r;
		session->outbox.bytes -= size;
		outbox_drop_first(&session->outbox);
	}
	return 0;
}
