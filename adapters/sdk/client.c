/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A DEALER's connection says nothing about whether the broker knows us: it may have restarted, or dropped
 * us, and ZeroMQ hides both. So everything hangs on the session nonce: a frame of another session is
 * ignored, silence ends the session, `hello-required` starts a new one, and the layers above are told, so
 * that they resend. `Replaced` is terminal: two processes fighting over a party would deliver twice.
 */
#include "adapters/sdk/client.h"

#include <errno.h>
#include <stdlib.h>

#include "adapters/sdk/socket.h"
#include "proto/base/log.h"
#include "proto/envelope/envelope.h"

enum {
	NONCE_SIZE = 16,
	HELLO_AGAIN_MS = 2000, /* a Hello unanswered for so long is sent anew, under a new nonce */
	PING_MS = 4000,
	PING_AGAIN_MS = 1000,
	SILENCE_MS = 15000,
	STEP_FRAMES_MAX = 64, /* per step, so that timers and the legacy system get their turn */
	FRAME_ARENA_BUDGET = 16 << 20,
};

struct client {
	struct client_handler handler;
	struct socket *socket;
	struct arena *arena;
	const struct clock *clock;
	const char *const *parties;
	size_t parties_count;
	const char *software;
	enum client_state state;
	uint8_t nonce[NONCE_SIZE];
	uint64_t hello_at_ns;
	uint64_t heard_at_ns;
	uint64_t sent_at_ns;
	uint64_t pings;
	uint32_t silence_ms, ping_ms;
	bool blocked; /* the last frame did not fit into the socket */
	bool refused; /* the broker does not let our key in */
	Dienstweg__Limits limits;
	uint64_t credit_messages_window, credit_bytes_window;
	uint64_t taken_messages, taken_bytes;     /* since Hello */
	uint64_t granted_messages, granted_bytes; /* last totals sent */
};

static uint64_t ms_since(const struct client *client, uint64_t then_ns)
{
	return (clock_mono_ns(client->clock) - then_ns) / 1000000u;
}

int client_new(const struct client_options *options, const struct client_handler *handler,
	struct client **ret)
{
	_cleanup_(client_free) struct client *client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	struct socket_options wire = {
		.endpoint = options->endpoint,
		.secret_key = options->transport_key->x25519,
		.reconnect_min_ms = options->reconnect_min_ms,
		.reconnect_max_ms = options->reconnect_max_ms,
	};
	memcpy(wire.server_key, options->broker_key, BOX_KEY_SIZE);
	memcpy(wire.public_key, options->transport_key->pub.public, BOX_KEY_SIZE);
	client->handler = *handler;
	client->clock = options->clock;
	client->parties = options->parties;
	client->parties_count = options->parties_count;
	client->software = options->software;
	client->credit_messages_window = options->credit_messages;
	client->credit_bytes_window = options->credit_bytes;
	client->silence_ms = options->silence_ms ? options->silence_ms : SILENCE_MS;
	client->ping_ms = options->ping_ms ? options->ping_ms : PING_MS;
	client->limits = (Dienstweg__Limits)DIENSTWEG__LIMITS__INIT;
	client->arena = arena_new(FRAME_ARENA_BUDGET);
	if (!client->arena)
		return -ENOMEM;
	int r = socket_new(&wire, &client->socket);
	if (r)
		return r;
	*ret = steal(&client);
	return 0;
}

struct packing {
	Dienstweg__Frame *frame;
};

static void pack(void *context, uint8_t *buf)
{
	dienstweg__frame__pack(((struct packing *)context)->frame, buf);
}

static int frame_send(struct client *client, Dienstweg__Frame *frame)
{
	struct packing packing = {frame};
	frame->session = (ProtobufCBinaryData){.data = client->nonce, .len = NONCE_SIZE};
	size_t size = dienstweg__frame__get_packed_size(frame);
	if (size > FRAME_BYTES_MAX)
		return CLIENT_TOO_LARGE;
	int r = socket_send(client->socket, size, pack, &packing);
	client->blocked = r == SOCKET_AGAIN;
	if (r == SOCKET_AGAIN)
		return CLIENT_BUSY;
	if (r == 0)
		client->sent_at_ns = clock_mono_ns(client->clock);
	return r;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	if (client->socket && client->state == CLIENT_READY) {
		Dienstweg__Bye bye = DIENSTWEG__BYE__INIT;
		Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
		frame.body_case = DIENSTWEG__FRAME__BODY_BYE;
		frame.bye = &bye;
		(void)frame_send(client, &frame);
	}
	socket_free(client->socket);
	arena_free(client->arena);
	free(client);
}

static int hello_send(struct client *client)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Hello hello = DIENSTWEG__HELLO__INIT;
	uint32_t version = 0;
	ProtobufCBinaryData parties[CLIENT_PARTIES_MAX];

	if (client->parties_count > CLIENT_PARTIES_MAX)
		return -E2BIG;
	for (size_t i = 0; i < client->parties_count; i++) {
		struct bytes name = BYTES_STR(client->parties[i]);
		parties[i] = (ProtobufCBinaryData){
			.len = name.len, .data = (uint8_t *)(uintptr_t)name.data};
	}
	random_fill(client->nonce, NONCE_SIZE);
	struct bytes software = BYTES_STR(client->software);
	hello.versions = &version;
	hello.n_versions = 1;
	hello.parties = parties;
	hello.n_parties = client->parties_count;
	hello.software = (ProtobufCBinaryData){
		.len = software.len, .data = (uint8_t *)(uintptr_t)software.data};
	if (client->handler.hello)
		client->handler.hello(client->handler.context, &hello);
	frame.body_case = DIENSTWEG__FRAME__BODY_HELLO;
	frame.hello = &hello;
	int r = frame_send(client, &frame);
	/* Not connected yet: the next step tries again. */
	client->hello_at_ns = r ? 0 : clock_mono_ns(client->clock);
	return r;
}

static void session_end(struct client *client, const char *why)
{
	bool was_ready = client->state == CLIENT_READY;
	if (client->state != CLIENT_REPLACED)
		client->state = CLIENT_CONNECTING;
	client->hello_at_ns = 0;
	if (was_ready && client->handler.lost)
		client->handler.lost(client->handler.context, why);
}

static int credit_send(struct client *client)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Credit credit = DIENSTWEG__CREDIT__INIT;
	uint64_t messages = client->taken_messages + client->credit_messages_window;
	uint64_t bytes = client->taken_bytes + client->credit_bytes_window;

	credit.messages = messages;
	credit.bytes = bytes;
	frame.body_case = DIENSTWEG__FRAME__BODY_CREDIT;
	frame.credit = &credit;
	int r = frame_send(client, &frame);
	if (r)
		return r;
	client->granted_messages = messages;
	client->granted_bytes = bytes;
	return 0;
}

static uint64_t left_of(uint64_t granted, uint64_t taken)
{
	return granted > taken ? granted - taken : 0;
}

/*
 * Renewing at half a window keeps the broker from ever running dry and credits from filling the wire.
 * What does not fit into the socket now is sent by a later step.
 */
static int credit_renew(struct client *client)
{
	if (client->state != CLIENT_READY || client->credit_messages_window == 0)
		return 0;
	if (left_of(client->granted_messages, client->taken_messages) >
			client->credit_messages_window / 2 &&
		left_of(client->granted_bytes, client->taken_bytes) > client->credit_bytes_window / 2)
		return 0;
	int r = credit_send(client);
	return r == CLIENT_BUSY ? 0 : r;
}

int client_credit_add(struct client *client, uint64_t messages, uint64_t bytes)
{
	client->taken_messages += messages;
	client->taken_bytes += bytes;
	return credit_renew(client);
}

static int welcome_take(struct client *client, const Dienstweg__Welcome *welcome)
{
	if (client->state == CLIENT_READY)
		return 0;
	client->state = CLIENT_READY;
	if (welcome->limits) {
		client->limits = *welcome->limits;
		client->limits.base.unknown_fields = NULL;
		client->limits.base.n_unknown_fields = 0;
	}
	client->taken_messages = client->taken_bytes = 0;
	client->granted_messages = client->granted_bytes = 0;
	if (client->handler.ready)
		client->handler.ready(client->handler.context, welcome);
	return credit_renew(client);
}

static void error_take(struct client *client, const Dienstweg__Error *error)
{
	struct bytes code = BYTES_PB(error->code);

	log_warn("client", "the broker answered with an error", F_BYTES("code", code),
		F_BYTES("field", BYTES_PB(error->field)),
		F_BYTES("detail", BYTES_PB(error->detail)));
	if (bytes_equal(code, BYTES_STR("hello-required")))
		session_end(client, "hello required");
}

static int frame_take(struct client *client, const Dienstweg__Frame *frame)
{
	bool ours = bytes_equal(BYTES_PB(frame->session), BYTES(client->nonce, NONCE_SIZE));

	if (!ours || client->hello_at_ns == 0)
		return 0;
	client->heard_at_ns = clock_mono_ns(client->clock);
	switch (frame->body_case) {
	case DIENSTWEG__FRAME__BODY_WELCOME:
		return welcome_take(client, frame->welcome);
	case DIENSTWEG__FRAME__BODY_REPLACED:
		session_end(client, "replaced by a newer session");
		client->state = CLIENT_REPLACED;
		return 0;
	case DIENSTWEG__FRAME__BODY_ERROR:
		error_take(client, frame->error);
		break;
	default:
		break;
	}
	if (client->state == CLIENT_READY && client->handler.frame)
		client->handler.frame(client->handler.context, frame);
	return 0;
}

static int frames_take(struct client *client)
{
	for (int i = 0; i < STEP_FRAMES_MAX; i++) {
		struct bytes raw;
		int r = socket_receive(client->socket, &raw);
		if (r == SOCKET_AGAIN)
			return 0;
		if (r)
			return r;
		arena_reset(client->arena);
		Dienstweg__Frame *frame = dienstweg__frame__unpack(
			arena_allocator(client->arena), raw.len, raw.data);
		if (!frame) {
			log_warn("client", "a frame that is none", F_U64("bytes", raw.len));
			continue;
		}
		r = frame_take(client, frame);
		if (r)
			return r;
	}
	return 0;
}

static int ping_send(struct client *client)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Ping ping = DIENSTWEG__PING__INIT;

	ping.number = ++client->pings;
	frame.body_case = DIENSTWEG__FRAME__BODY_PING;
	frame.ping = &ping;
	return frame_send(client, &frame);
}

static int timers_run(struct client *client)
{
	int r = 0;

	if (client->state == CLIENT_REPLACED)
		return 0;
	if (client->state == CLIENT_CONNECTING) {
		client->refused = client->refused || socket_refused(client->socket);
		if (client->hello_at_ns == 0 ||
			ms_since(client, client->hello_at_ns) >= HELLO_AGAIN_MS)
			r = hello_send(client);
		return r > 0 ? 0 : r;
	}
	if (ms_since(client, client->heard_at_ns) >= client->silence_ms) {
		session_end(client, "the broker is silent");
		return 0;
	}
	/* Hearing matters as much as being heard: a one-way stream would look like silence. */
	uint64_t quiet_ms = ms_since(client, client->sent_at_ns);
	if (quiet_ms >= client->ping_ms ||
		(quiet_ms >= PING_AGAIN_MS &&
			ms_since(client, client->heard_at_ns) >= client->ping_ms))
		r = ping_send(client);
	return r < 0 ? r : credit_renew(client);
}

int client_step(struct client *client)
{
	int r = frames_take(client);
	return r ? r : timers_run(client);
}

void client_reset(struct client *client, const char *why)
{
	if (client->state != CLIENT_REPLACED)
		session_end(client, why);
}

int client_fd(const struct client *client)
{
	return socket_fd(client->socket);
}

int client_timeout_ms(const struct client *client)
{
	/* The descriptor is edge-triggered: what is readable now will not announce itself again. */
	if (socket_readable(client->socket))
		return 0;
	if (client->state == CLIENT_REPLACED)
		return -1;
	if (client->state == CLIENT_READY && client->blocked && socket_writable(client->socket))
		return 0;
	if (client->state == CLIENT_CONNECTING)
		return client->hello_at_ns == 0 ? 50 : 200;
	return 1000;
}

enum client_state client_state(const struct client *client)
{
	return client->state;
}

uint64_t client_heard_ns(const struct client *client)
{
	return client->heard_at_ns;
}

bool client_refused(const struct client *client)
{
	return client->refused;
}

const Dienstweg__Limits *client_limits(const struct client *client)
{
	return &client->limits;
}

int client_send(struct client *client, Dienstweg__Frame *frame)
{
	if (client->state != CLIENT_READY)
		return CLIENT_BUSY;
	return frame_send(client, frame);
}
