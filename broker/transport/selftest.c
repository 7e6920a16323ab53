/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * libzmq fails open: a forgotten option, another library version, a handler bound too late, and every
 * client is let in, silently. Nothing in normal operation would show it. So the same gate and the same
 * router that will serve are tried from outside first. That the refused ones are refused is seen by
 * their own handshake failing, not by waiting whether a frame comes; only the time limit is a clock.
 */
#include "broker/transport/selftest.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "proto/base/clock.h"

enum { PROOF_MS = 1500, HANDSHAKE_MS = 1000 };

struct keypair {
	uint8_t public[BOX_KEY_SIZE];
	uint8_t secret[BOX_KEY_SIZE];
};

struct selftest {
	struct gate *gate;
	struct router *router;
	struct keypair *server;
	struct keypair *known;
	struct keypair *stranger;
	char endpoint[ROUTER_ENDPOINT_MAX];
	bool deny_all;
	bool arrived; /* a frame of @known came out of the router */
	bool strange; /* a frame of anybody else did */
};

static bool admit_known(void *context, const uint8_t key[BOX_KEY_SIZE])
{
	const struct selftest *test = context;
	return !test->deny_all && memcmp(key, test->known->public, BOX_KEY_SIZE) == 0;
}

static int router_take(struct selftest *test)
{
	for (;;) {
		struct router_frame frame;
		int r = router_receive(test->router, &frame);
		if (r == ROUTER_EMPTY)
			return 0;
		if (r < 0)
			return r;
		bool known = r == 0 && memcmp(frame.key, test->known->public, BOX_KEY_SIZE) == 0;
		test->arrived |= known;
		test->strange |= !known;
		if (r == 0)
			router_frame_deinit(&frame);
	}
}

/* Runs gate, router and caller until the caller was refused, or a frame arrived, or time is up. */
static int proof_run(struct selftest *test, struct caller *caller)
{
	const struct clock *clock = clock_system();
	uint64_t end_ns = clock_mono_ns(clock) + (uint64_t)PROOF_MS * 1000000u;
	struct pollfd fds[2 + CALLER_FDS] = {
		{.fd = gate_fd(test->gate), .events = POLLIN},
		{.fd = router_fd(test->router), .events = POLLIN},
	};
	int caller_fd[CALLER_FDS];
	caller_fds(caller, caller_fd);
	for (int i = 0; i < CALLER_FDS; i++)
		fds[2 + i] = (struct pollfd){.fd = caller_fd[i], .events = POLLIN};
	for (;;) {
		int r = gate_step(test->gate);
		if (r == 0)
			r = router_take(test);
		if (r < 0)
			return r;
		enum caller_state state = caller_step(caller);
		if (test->arrived || test->strange || state == CALLER_REFUSED)
			return 0;
		uint64_t now_ns = clock_mono_ns(clock);
		if (now_ns >= end_ns)
			return -ETIMEDOUT;
		if (gate_ready(test->gate) || router_ready(test->router))
			continue;
		poll(fds, ARRAY_LEN(fds), (int)((end_ns - now_ns) / 1000000u) + 1);
	}
}

static int proof(struct selftest *test, const struct keypair *keys)
{
	_cleanup_(caller_free) struct caller *caller = NULL;
	struct caller_options options = {
		.endpoint = test->endpoint,
		.server_key = keys ? test->server->public : NULL,
		.public_key = keys ? keys->public : NULL,
		.secret_key = keys ? keys->secret : NULL,
	};
	test->arrived = test->strange = false;
	int r = caller_new(test->gate, &options, &caller);
	if (r == 0)
		r = caller_send(caller, BYTES_STR("self-test"));
	/* A queue that does not exist before the handshake is as good as a closed door. */
	return r == 0 || r == ROUTER_FULL ? proof_run(test, caller) : r;
}

static int expect(struct selftest *test, const struct keypair *keys, bool deny_all, bool in,
	const char *what, char *reterr, size_t size)
{
	test->deny_all = deny_all;
	int r = proof(test, keys);
	if (r == 0 && test->arrived == in && !test->strange)
		return 0;
	snprintf(reterr, size, "start-up self-test: %s (%s); refusing to serve", what,
		r < 0 ? strerrordesc_np(-r) : "unexpected");
	return r < 0 && r != -ETIMEDOUT ? r : SELFTEST_OPEN;
}

static int prove_all(struct selftest *test, char *reterr, size_t size)
{
	int r = expect(test, test->known, false, true, "a known key was not let in", reterr, size);
	if (r == 0)
		r = expect(test, test->stranger, false, false, "an unknown key was let in", reterr,
			size);
	if (r == 0)
		r = expect(test, test->known, true, false,
			"a client was let in although the handler denied it", reterr, size);
	if (r == 0)
		r = expect(test, NULL, false, false, "a client without encryption was let in",
			reterr, size);
	return r;
}

static void keypair_make(struct keypair *keys)
{
	random_fill(keys->secret, BOX_KEY_SIZE);
	x25519_public(keys->secret, keys->public);
}

int selftest_run(struct gate *gate, char *reterr, size_t size)
{
	_cleanup_(secret_free) struct keypair *keys = secret_alloc(3 * sizeof(*keys));
	_cleanup_(router_free) struct router *router = NULL;
	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < 3; i++)
		keypair_make(&keys[i]);
	struct selftest test = {
		.gate = gate, .server = &keys[0], .known = &keys[1], .stranger = &keys[2]};
	const struct router_options options = {
		.secret_key = test.server->secret,
		.handshake_ms = HANDSHAKE_MS,
		.heartbeat_ms = HANDSHAKE_MS,
		.timeout_ms = HANDSHAKE_MS,
	};
	gate_set_admission(gate, &(struct gate_admission){admit_known, &test});
	int r = router_new(gate, &options, &router);
	if (r == 0)
		r = router_bind(router, "tcp://127.0.0.1:*", test.endpoint);
	if (r < 0) {
		snprintf(reterr, size, "start-up self-test: cannot listen on 127.0.0.1: %s",
			strerrordesc_np(-r));
		return r;
	}
	test.router = router;
	return prove_all(&test, reterr, size);
}
