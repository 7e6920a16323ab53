/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A slot is used again and again; what comes back late must not reach its next occupant.
 */
#include "broker/transport/session.h"
#include "test/kit/check.h"

enum { MAX = 100 };

static struct route route_of(uint32_t number)
{
	struct route route = {.len = 5};
	be32_put(route.id + 1, number);
	return route;
}

static struct session *add(struct sessions *sessions, uint32_t number)
{
	struct session *session = NULL;
	struct route route = route_of(number);
	CHECK_INT(sessions_add(sessions, &route, &session), 0);
	CHECK(session->serial == session->outlet.serial && session->serial != 0);
	CHECK(session_of(&session->outlet) == session);
	return session;
}

static void routes_find_their_sessions(void)
{
	struct sessions *sessions;
	CHECK_INT(sessions_new(MAX, &sessions), 0);
	for (uint32_t i = 0; i < MAX; i++)
		add(sessions, i * 7);
	for (uint32_t i = 0; i < 7 * MAX; i++) {
		struct route route = route_of(i);
		struct session *session = sessions_find(sessions, &route);
		CHECK((session != NULL) == (i % 7 == 0));
		CHECK(!session || memcmp(session->route.id, route.id, route.len) == 0);
	}
	struct session *more;
	struct route route = route_of(1);
	CHECK_INT(sessions_add(sessions, &route, &more), SESSIONS_FULL);
	CHECK_INT(sessions_count(sessions), MAX);
	sessions_free(sessions);
}

static void late_comers_find_nobody(void)
{
	struct sessions *sessions;
	CHECK_INT(sessions_new(MAX, &sessions), 0);
	struct session *first = add(sessions, 1);
	uint32_t slot = first->slot;
	uint64_t serial = first->serial;
	CHECK(sessions_at(sessions, slot, serial) == first);
	sessions_remove(sessions, first);
	CHECK(!sessions_at(sessions, slot, serial));
	struct session *second = add(sessions, 1);
	CHECK_INT(second->slot, slot);
	CHECK(!sessions_at(sessions, slot, serial));
	CHECK(sessions_at(sessions, slot, second->serial) == second);
	CHECK(!sessions_at(sessions, MAX, serial));
	sessions_free(sessions);
}

static void a_walk_sees_all_once(void)
{
	struct sessions *sessions;
	bool seen[MAX] = {false};
	size_t slot = 0, count = 0;
	CHECK_INT(sessions_new(MAX, &sessions), 0);
	for (uint32_t i = 0; i < MAX; i++) {
		struct session *session = add(sessions, i);
		if (i % 3 == 0)
			sessions_remove(sessions, session);
	}
	struct session *session;
	while ((session = sessions_walk(sessions, &slot)) != NULL) {
		CHECK(!seen[session->slot]);
		seen[session->slot] = true;
		count++;
		/* The one at hand may go. */
		sessions_remove(sessions, session);
	}
	CHECK_INT(count, MAX - 34);
	CHECK_INT(sessions_count(sessions), 0);
	sessions_free(sessions);
}

CHECK_MAIN(CHECK_CASE(routes_find_their_sessions), CHECK_CASE(late_comers_find_nobody),
	CHECK_CASE(a_walk_sees_all_once))
