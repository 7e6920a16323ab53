/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What was sent and is not read: counted while ZeroMQ has it, and bounded before it has it.
 */
#include <poll.h>

#include "broker/transport/session.h"
#include "proto/base/clock.h"
#include "test/kit/check.h"

enum { FRAME = 100000, WAIT_MS = 20000 };

static struct session *session_add(struct sessions **ret, const struct route *route)
{
	struct session *session;
	CHECK_INT(sessions_new(4, ret), 0);
	CHECK_INT(sessions_add(*ret, route, &session), 0);
	session->tally = tally_new();
	CHECK(session->tally);
	return session;
}

static int post(struct session *session, struct router *router, size_t size)
{
	struct router_message message;
	uint8_t *bytes = router_message_new(&message, size);
	CHECK(bytes);
	memset(bytes, 'x', size);
	return session_post(session, router, &message);
}

/* No socket is touched: there is no room at all. */
static void what_waits_is_bounded_in_bytes(void)
{
	struct sessions *sessions;
	struct session *session = session_add(&sessions, &(struct route){.len = 5});
	size_t kept = 0;
	tally_add(session->tally, PIPE_BYTES_MAX - FRAME + 1);
	while (post(session, NULL, FRAME) == 0)
		kept += FRAME;
	CHECK(kept <= OUTBOX_BYTES_MAX && kept > OUTBOX_BYTES_MAX - FRAME);
	CHECK_INT(session->outbox.bytes, kept);
	CHECK_INT(tally_bytes(session->tally), PIPE_BYTES_MAX - FRAME + 1);
	/* It may be given back by ZeroMQ after its session has gone. */
	struct tally *tally = tally_hold(session->tally);
	sessions_free(sessions);
	tally_take(tally, PIPE_BYTES_MAX - FRAME + 1);
	CHECK_INT(tally_bytes(tally), 0);
	tally_drop(tally);
}

static bool admit(void *context, const uint8_t key[BOX_KEY_SIZE])
{
	(void)context, (void)key;
	return true;
}

/* A bus's socket and somebody who is connected to it. */
struct line {
	struct gate *gate;
	struct router *router;
	struct caller *caller;
	struct router_frame heard;
};

static void line_wait(const struct line *line)
{
	int caller[CALLER_FDS];
	caller_fds(line->caller, caller);
	struct pollfd fds[] = {{.fd = gate_fd(line->gate), .events = POLLIN},
		{.fd = router_fd(line->router), .events = POLLIN},
		{.fd = caller[0], .events = POLLIN}, {.fd = caller[1], .events = POLLIN}};
	CHECK(poll(fds, ARRAY_LEN(fds), WAIT_MS) > 0);
}

static void line_open(struct line *line)
{
	uint8_t server[BOX_KEY_SIZE], server_public[BOX_KEY_SIZE], own[BOX_KEY_SIZE],
		own_public[BOX_KEY_SIZE];
	char endpoint[ROUTER_ENDPOINT_MAX];
	CHECK_INT(crypto_init(), 0);
	random_fill(server, sizeof(server));
	random_fill(own, sizeof(own));
	x25519_public(server, server_public);
	x25519_public(own, own_public);
	CHECK_INT(gate_new(&(struct gate_admission){admit, NULL}, &line->gate), 0);
	CHECK_INT(router_new(line->gate,
			  &(struct router_options){.secret_key = server,
				  .handshake_ms = WAIT_MS,
				  .heartbeat_ms = WAIT_MS,
				  .timeout_ms = WAIT_MS},
			  &line->router),
		0);
	CHECK_INT(router_bind(line->router, "tcp://127.0.0.1:*", endpoint), 0);
	CHECK_INT(caller_new(line->gate,
			  &(struct caller_options){endpoint, server_public, own_public, own},
			  &line->caller),
		0);
	CHECK_INT(caller_send(line->caller, BYTES_STR("hello")), 0);
	for (;;) {
		CHECK_INT(gate_step(line->gate), 0);
		CHECK(caller_step(line->caller) != CALLER_REFUSED);
		if (router_receive(line->router, &line->heard) == 0)
			return;
		if (!gate_ready(line->gate) && !router_ready(line->router))
			line_wait(line);
	}
}

static void line_close(struct line *line)
{
	router_frame_deinit(&line->heard);
	caller_free(line->caller);
	router_free(line->router);
	gate_free(line->gate);
}

/* The next frame at the caller's. */
static size_t arrives(struct line *line)
{
	struct router_message message;
	struct bytes view;
	int r;
	while ((r = caller_receive(line->caller, &message, &view)) == ROUTER_EMPTY) {
		(void)caller_step(line->caller);
		line_wait(line);
	}
	CHECK_INT(r, 0);
	router_message_deinit(&message);
	return view.len;
}

static void what_was_read_counts_no_more(void)
{
	enum { FRAMES = 60 };
	struct line line;
	struct sessions *sessions;
	line_open(&line);
	struct session *session = session_add(&sessions, &line.heard.route);
	for (size_t i = 0; i < FRAMES; i++) {
		CHECK_INT(post(session, line.router, FRAME), 0);
		CHECK(tally_bytes(session->tally) <= PIPE_BYTES_MAX);
	}
	for (size_t i = 0; i < FRAMES; i++) {
		CHECK(session_retry(session, line.router) % ROUTER_FULL == 0);
		CHECK(tally_bytes(session->tally) <= PIPE_BYTES_MAX);
		CHECK_INT(arrives(&line), FRAME);
	}
	CHECK_INT(session->outbox.bytes, 0);
	CHECK_INT(tally_bytes(session->tally), 0);
	/* Larger than all that may be under way, but alone. */
	CHECK_INT(post(session, line.router, PIPE_BYTES_MAX - 1000), 0);
	CHECK(!session->outbox.head);
	CHECK_INT(arrives(&line), PIPE_BYTES_MAX - 1000);
	/* Who has left: the frame is given back at once. */
	struct route nobody = {.len = 5, .id = {0, 1, 2, 3, 4}};
	session->route = nobody;
	CHECK_INT(post(session, line.router, FRAME), ROUTER_GONE);
	CHECK_INT(tally_bytes(session->tally), 0);
	session->route = line.heard.route;
	sessions_free(sessions);
	line_close(&line);
}

CHECK_MAIN(CHECK_CASE(what_waits_is_bounded_in_bytes), CHECK_CASE(what_was_read_counts_no_more))
