/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * All of libzmq 4.3.4's traps are met here (docs/architecture.md has the list), so that nobody else has
 * to know them:
 *  - A ZAP domain without a bound handler lets everybody in. The gate binds the handler when it makes the
 *    context; a router cannot exist without a gate; the domain is never empty; option 93 is set; and what
 *    carries no User-Id is dropped all the same.
 *  - User-Id is missing on the routing-id frame once the socket was polled. It is read from the payload.
 *  - Without ROUTER_MANDATORY a frame to a peer that left vanishes. With it, the first part of a message
 *    tells: EHOSTUNREACH or EAGAIN. Once the first part is taken, the second is.
 *  - HEARTBEAT_TTL overflows above 65 s.
 *  - A peer may choose its routing id, and take that of one that has just left, before we know that it has:
 *    what is on its way to the one would reach the other. Only ids that ZeroMQ gave are served.
 *  - High-water marks count frames. They are low here; what was sent and not written yet is counted in bytes
 *    besides (tally.h), because a frame tells us when ZeroMQ lets go of it.
 */
#include "broker/transport/socket.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <zmq.h>

#include "proto/base/text.h"

static_assert(sizeof(struct router_message) >= sizeof(zmq_msg_t), "zmq_msg_t has grown");

enum {
	OPTION_ZAP_ENFORCE_DOMAIN = 93, /* hidden in the stable header, honoured by the library */
	RECEIVE_FRAMES_MAX = 16,
	SEND_FRAMES_MAX = 64,
	BACKLOG = 128, /* accepted, whatever the door says by then */
	HEARTBEAT_TTL_MAX_MS = 60000,
	ROUTE_GIVEN_SIZE = 5,
	ZAP_PARTS = 7, /* RFC 27: version, request id, domain, address, identity, mechanism, key */
	ZAP_PART_MAX = 256,
	KEY_TEXT_SIZE = 2 * BOX_KEY_SIZE + 1,
};
static const char zap_endpoint[] = "inproc://zeromq.zap.01";
static const char zap_domain[] = "dienstweg";

struct gate {
	void *context;
	void *zap;
	struct gate_admission admission;
	uint64_t strangers;
	uint64_t monitors; /* names them */
};

struct router {
	void *socket;
	void *monitor;
	uint64_t dropped;
	bool drained; /* found empty, and not used since: only then does its descriptor tell */
};

struct caller {
	void *socket;
	void *monitor;
	enum caller_state state;
};

/* ETERM and its like lie outside errno's range. */
static int fold(void)
{
	int error = zmq_errno();
	return error > 0 && error < ZMQ_HAUSNUMERO ? -error : -EPROTO;
}

static int option_set(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0 ? 0 : fold();
}

static int socket_fd_of(void *socket)
{
	int fd = -1;
	size_t size = sizeof(fd);
	zmq_getsockopt(socket, ZMQ_FD, &fd, &size);
	return fd;
}

static bool socket_readable(void *socket)
{
	int events = 0;
	size_t size = sizeof(events);
	return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

static void socket_close(void *socket)
{
	if (socket)
		zmq_close(socket);
}

/* ---- messages ---- */

static zmq_msg_t *message_of(struct router_message *message)
{
	return (zmq_msg_t *)(void *)message->opaque;
}

/* What stands before the bytes of a frame of ours. */
struct outgoing {
	_Alignas(16) struct tally *tally; /* NULL: it counts nowhere */
	size_t size;
};

/* ZeroMQ is done with a frame. Any of its threads. */
static void outgoing_end(void *data, void *hint)
{
	struct outgoing *outgoing = hint;
	(void)data;
	if (outgoing->tally)
		tally_take(outgoing->tally, outgoing->size);
	free(outgoing);
}

uint8_t *router_message_new(struct router_message *message, size_t size)
{
	struct outgoing *outgoing = malloc(sizeof(*outgoing) + size);
	if (!outgoing)
		return NULL;
	*outgoing = (struct outgoing){.size = size};
	if (zmq_msg_init_data(message_of(message), outgoing + 1, size, outgoing_end, outgoing) != 0) {
		free(outgoing);
		return NULL;
	}
	return (uint8_t *)(outgoing + 1);
}

void router_message_count(struct router_message *message, struct tally *tally)
{
	struct outgoing *outgoing = (struct outgoing *)zmq_msg_data(message_of(message)) - 1;
	if (outgoing->tally)
		tally_take(outgoing->tally, outgoing->size);
	outgoing->tally = tally;
	if (tally)
		tally_add(tally, outgoing->size);
}

size_t router_message_size(const struct router_message *message)
{
	return zmq_msg_size((const zmq_msg_t *)(const void *)message->opaque);
}

void router_message_move(struct router_message *to, struct router_message *from)
{
	zmq_msg_init(message_of(to));
	zmq_msg_move(message_of(to), message_of(from));
	zmq_msg_close(message_of(from));
}

void router_message_deinit(struct router_message *message)
{
	zmq_msg_close(message_of(message));
}

static bool has_more(void *socket)
{
	int more = 0;
	size_t size = sizeof(more);
	return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more;
}

/* A multipart message is delivered whole, so its rest is there. */
static void receive_rest(void *socket)
{
	while (has_more(socket)) {
		zmq_msg_t part;
		zmq_msg_init(&part);
		int n = zmq_msg_recv(&part, socket, ZMQ_DONTWAIT);
		zmq_msg_close(&part);
		if (n < 0)
			return;
	}
}

/* ---- gate ---- */

int gate_new(const struct gate_admission *admission, struct gate **ret)
{
	_cleanup_(gate_free) struct gate *gate = calloc(1, sizeof(*gate));
	if (!gate)
		return -ENOMEM;
	gate->admission = *admission;
	gate->context = zmq_ctx_new();
	if (!gate->context)
		return -ENOMEM;
	gate->zap = zmq_socket(gate->context, ZMQ_REP);
	if (!gate->zap)
		return fold();
	int r = option_set(gate->zap, ZMQ_LINGER, 0);
	if (r == 0 && zmq_bind(gate->zap, zap_endpoint) != 0)
		r = fold();
	if (r == 0)
		*ret = steal(&gate);
	return r;
}

void gate_free(struct gate *gate)
{
	if (!gate)
		return;
	socket_close(gate->zap);
	if (gate->context)
		zmq_ctx_term(gate->context);
	free(gate);
}

void gate_set_admission(struct gate *gate, const struct gate_admission *admission)
{
	gate->admission = *admission;
	gate->strangers = 0;
}

int gate_fd(const struct gate *gate)
{
	return socket_fd_of(gate->zap);
}

bool gate_ready(const struct gate *gate)
{
	return socket_readable(gate->zap);
}

uint64_t gate_strangers(const struct gate *gate)
{
	return gate->strangers;
}

struct zap_request {
	uint8_t parts[ZAP_PARTS][ZAP_PART_MAX];
	size_t sizes[ZAP_PARTS];
};

/* Return: 0, ROUTER_EMPTY, ROUTER_DROPPED when it is no CURVE request, negative errno. */
static int zap_receive(struct gate *gate, struct zap_request *request)
{
	*request = (struct zap_request){0};
	size_t count = 0;
	bool more = true;
	for (; count < ZAP_PARTS && more; count++) {
		int n = zmq_recv(gate->zap, request->parts[count], ZAP_PART_MAX, ZMQ_DONTWAIT);
		if (n < 0)
			return zmq_errno() == EAGAIN ? ROUTER_EMPTY : fold();
		/* A longer part is reported in full but cut: no key or version is that long. */
		request->sizes[count] = n < ZAP_PART_MAX ? (size_t)n : ZAP_PART_MAX;
		more = has_more(gate->zap);
	}
	receive_rest(gate->zap);
	bool curve = count == ZAP_PARTS && !more && request->sizes[5] == 5 &&
		     memcmp(request->parts[5], "CURVE", 5) == 0 && request->sizes[6] == BOX_KEY_SIZE;
	return curve ? 0 : ROUTER_DROPPED;
}

static int zap_reply(
	struct gate *gate, const struct zap_request *request, const char *status, const char *user)
{
	const struct {
		const void *data;
		size_t len;
		int flags;
	} parts[] = {
		{"1.0", 3, ZMQ_SNDMORE},
		{request->parts[1], request->sizes[1], ZMQ_SNDMORE},
		{status, 3, ZMQ_SNDMORE},
		{"", 0, ZMQ_SNDMORE},
		{user, strlen(user), ZMQ_SNDMORE},
		{"", 0, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (zmq_send(gate->zap, parts[i].data, parts[i].len, parts[i].flags) < 0)
			return fold();
	}
	return 0;
}

static int zap_answer(struct gate *gate, const struct zap_request *request, bool form_ok)
{
	const uint8_t *key = request->parts[6];
	if (!form_ok || !gate->admission.admit(gate->admission.context, key)) {
		gate->strangers++;
		return zap_reply(gate, request, "400", "");
	}
	char user[KEY_TEXT_SIZE];
	text_hex(BYTES(key, BOX_KEY_SIZE), user);
	return zap_reply(gate, request, "200", user);
}

int gate_step(struct gate *gate)
{
	for (;;) {
		struct zap_request request;
		int r = zap_receive(gate, &request);
		if (r == ROUTER_EMPTY)
			return 0;
		if (r >= 0)
			r = zap_answer(gate, &request, r == 0);
		if (r < 0)
			return r;
	}
}

/* ---- router ---- */

static int clamp_ms(uint64_t ms, int max)
{
	return ms < (uint64_t)max ? (int)ms : max;
}

static int router_options_set(void *socket, const struct router_options *options)
{
	const struct {
		int option;
		int value;
	} numbers[] = {
		{ZMQ_CURVE_SERVER, 1},
		{OPTION_ZAP_ENFORCE_DOMAIN, 1},
		{ZMQ_ROUTER_MANDATORY, 1},
		{ZMQ_HANDSHAKE_IVL, clamp_ms(options->handshake_ms, INT_MAX)},
		{ZMQ_HEARTBEAT_IVL, clamp_ms(options->heartbeat_ms, INT_MAX)},
		{ZMQ_HEARTBEAT_TIMEOUT, clamp_ms(options->timeout_ms, INT_MAX)},
		{ZMQ_HEARTBEAT_TTL, clamp_ms(options->timeout_ms, HEARTBEAT_TTL_MAX_MS)},
		{ZMQ_LINGER, clamp_ms(options->linger_ms, INT_MAX)},
		{ZMQ_RCVHWM, RECEIVE_FRAMES_MAX},
		{ZMQ_SNDHWM, SEND_FRAMES_MAX},
		{ZMQ_BACKLOG, BACKLOG},
		{ZMQ_IPV6, 1},
	};
	int64_t message_max = ROUTER_MESSAGE_MAX;
	if (zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, zap_domain, sizeof(zap_domain) - 1) != 0 ||
		zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, options->secret_key, BOX_KEY_SIZE) != 0 ||
		zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_max, sizeof(message_max)) != 0)
		return fold();
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		int r = option_set(socket, numbers[i].option, numbers[i].value);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * What happens to a socket's connections is told by its monitor, in order. The input-output thread waits when a
 * monitor's queue is full, and with it everybody's connections: hence no limit here. Each event is a system call of
 * ours or of theirs, so there are no more of them than a turn brings.
 */
static int monitor_new(struct gate *gate, void *socket, int events, void **ret)
{
	char name[64];
	snprintf(name, sizeof(name), "inproc://monitor-%llu", (unsigned long long)++gate->monitors);
	if (zmq_socket_monitor(socket, name, events) != 0)
		return fold();
	*ret = zmq_socket(gate->context, ZMQ_PAIR);
	if (!*ret)
		return fold();
	int r = option_set(*ret, ZMQ_LINGER, 0);
	if (r == 0)
		r = option_set(*ret, ZMQ_RCVHWM, 0);
	if (r == 0 && zmq_connect(*ret, name) != 0)
		r = fold();
	return r;
}

static void monitor_end(void *socket, void *monitor)
{
	if (socket && monitor)
		zmq_socket_monitor(socket, NULL, 0);
	socket_close(monitor);
}

/* Return: 0, ROUTER_EMPTY, negative errno. */
static int monitor_next(void *monitor, uint16_t *ret_event, uint32_t *ret_value)
{
	uint8_t event[6]; /* u16 event, u32 value, in the machine's order; the address follows */
	if (zmq_recv(monitor, event, sizeof(event), ZMQ_DONTWAIT) < 0)
		return zmq_errno() == EAGAIN ? ROUTER_EMPTY : fold();
	memcpy(ret_event, event, sizeof(*ret_event));
	memcpy(ret_value, event + sizeof(*ret_event), sizeof(*ret_value));
	receive_rest(monitor);
	return 0;
}

int router_new(struct gate *gate, const struct router_options *options, struct router **ret)
{
	_cleanup_(router_free) struct router *router = calloc(1, sizeof(*router));
	if (!router)
		return -ENOMEM;
	router->socket = zmq_socket(gate->context, ZMQ_ROUTER);
	if (!router->socket)
		return fold();
	int r = router_options_set(router->socket, options);
	if (r == 0)
		r = monitor_new(gate, router->socket,
			ZMQ_EVENT_LISTENING | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED,
			&router->monitor);
	if (r == 0)
		*ret = steal(&router);
	return r;
}

void router_free(struct router *router)
{
	if (!router)
		return;
	monitor_end(router->socket, router->monitor);
	socket_close(router->socket);
	free(router);
}

int router_bind(struct router *router, const char *endpoint, char *ret)
{
	size_t size = ROUTER_ENDPOINT_MAX;
	if (zmq_bind(router->socket, endpoint) != 0)
		return fold();
	if (ret && zmq_getsockopt(router->socket, ZMQ_LAST_ENDPOINT, ret, &size) != 0)
		return fold();
	return 0;
}

int router_fd(const struct router *router)
{
	return socket_fd_of(router->socket);
}

/* Asking costs a system call. Sending handles commands, and so may hide that something came. */
bool router_ready(const struct router *router)
{
	return !router->drained && socket_readable(router->socket);
}

uint64_t router_dropped(const struct router *router)
{
	return router->dropped;
}

int router_events_fd(const struct router *router)
{
	return socket_fd_of(router->monitor);
}

int router_event(struct router *router, struct router_event *ret)
{
	uint16_t event;
	uint32_t value;
	int r = monitor_next(router->monitor, &event, &value);
	if (r == 0)
		*ret = (struct router_event){.fd = (int)value,
			.kind = event == ZMQ_EVENT_LISTENING  ? ROUTER_LISTENS
				: event == ZMQ_EVENT_ACCEPTED ? ROUTER_ACCEPTED
							      : ROUTER_ENDED};
	return r;
}

/* ZeroMQ's own ids begin with a zero byte, which those that peers choose must not. */
static bool route_is_given(const struct route *route)
{
	return route->len == ROUTE_GIVEN_SIZE && route->id[0] == 0;
}

static bool frame_key(zmq_msg_t *payload, uint8_t key[BOX_KEY_SIZE])
{
	const char *user = zmq_msg_gets(payload, "User-Id");
	return user && text_unhex(user, key, BOX_KEY_SIZE) == 0;
}

int router_receive(struct router *router, struct router_frame *ret)
{
	int n = zmq_recv(router->socket, ret->route.id, ROUTE_MAX, ZMQ_DONTWAIT);
	router->drained = n < 0 && zmq_errno() == EAGAIN;
	if (n < 0)
		return router->drained ? ROUTER_EMPTY : fold();
	ret->route.len = n <= ROUTE_MAX ? (uint8_t)n : 0;
	zmq_msg_t *payload = message_of(&ret->held);
	zmq_msg_init(payload);
	bool whole = has_more(router->socket) &&
		     zmq_msg_recv(payload, router->socket, ZMQ_DONTWAIT) >= 0 &&
		     !has_more(router->socket);
	if (!whole || !route_is_given(&ret->route) || !frame_key(payload, ret->key)) {
		receive_rest(router->socket);
		zmq_msg_close(payload);
		router->dropped++;
		return ROUTER_DROPPED;
	}
	ret->payload = BYTES(zmq_msg_data(payload), zmq_msg_size(payload));
	return 0;
}

int router_frame_fd(const struct router_frame *frame)
{
	return zmq_msg_get((const zmq_msg_t *)(const void *)frame->held.opaque, ZMQ_SRCFD);
}

/*
 * This version has no call for it, but tells which descriptor a message came from, and a connection that was
 * shut down ends like one that was lost. If it ended already, the number may be another connection's by now,
 * which then dials again: so only what looks like a peer's is touched.
 */
void router_cut(const struct router_frame *frame)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	int fd = router_frame_fd(frame);
	if (fd >= 0 && getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
		(peer.ss_family == AF_INET || peer.ss_family == AF_INET6))
		shutdown(fd, SHUT_RDWR);
}

void router_frame_deinit(struct router_frame *frame)
{
	router_message_deinit(&frame->held);
}

int router_send(struct router *router, const struct route *route, struct router_message *message)
{
	router->drained = false;
	int n = zmq_send(router->socket, route->id, route->len, ZMQ_SNDMORE | ZMQ_DONTWAIT);
	if (n >= 0)
		n = zmq_msg_send(message_of(message), router->socket, ZMQ_DONTWAIT);
	if (n >= 0)
		return 0;
	switch (zmq_errno()) {
	case EAGAIN:
		return ROUTER_FULL;
	case EHOSTUNREACH:
		return ROUTER_GONE;
	default:
		return fold();
	}
}

/* ---- caller ---- */

static int caller_options_set(void *socket, const struct caller_options *options)
{
	int r = option_set(socket, ZMQ_LINGER, 0);
	if (r == 0)
		r = option_set(socket, ZMQ_RECONNECT_IVL, -1);
	if (r < 0 || !options->server_key)
		return r;
	if (zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, options->server_key, BOX_KEY_SIZE) != 0 ||
		zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, options->public_key, BOX_KEY_SIZE) != 0 ||
		zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, options->secret_key, BOX_KEY_SIZE) != 0)
		return fold();
	return 0;
}

int caller_new(struct gate *gate, const struct caller_options *options, struct caller **ret)
{
	_cleanup_(caller_free) struct caller *caller = calloc(1, sizeof(*caller));
	if (!caller)
		return -ENOMEM;
	caller->socket = zmq_socket(gate->context, ZMQ_DEALER);
	if (!caller->socket)
		return fold();
	int r = caller_options_set(caller->socket, options);
	if (r == 0)
		r = monitor_new(gate, caller->socket, ZMQ_EVENT_ALL, &caller->monitor);
	if (r == 0 && zmq_connect(caller->socket, options->endpoint) != 0)
		r = fold();
	if (r == 0)
		*ret = steal(&caller);
	return r;
}

void caller_free(struct caller *caller)
{
	if (!caller)
		return;
	monitor_end(caller->socket, caller->monitor);
	socket_close(caller->socket);
	free(caller);
}

void caller_fds(const struct caller *caller, int ret[CALLER_FDS])
{
	ret[0] = socket_fd_of(caller->socket);
	ret[1] = socket_fd_of(caller->monitor);
}

static void caller_event(struct caller *caller, uint16_t event)
{
	switch (event) {
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		caller->state = CALLER_IN;
		break;
	case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
	case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
	case ZMQ_EVENT_DISCONNECTED:
		caller->state = CALLER_REFUSED;
		break;
	default:
		break;
	}
}

enum caller_state caller_step(struct caller *caller)
{
	uint16_t event;
	uint32_t value;
	(void)socket_readable(caller->socket);
	while (monitor_next(caller->monitor, &event, &value) == 0)
		caller_event(caller, event);
	return caller->state;
}

int caller_send(struct caller *caller, struct bytes data)
{
	if (zmq_send(caller->socket, data.data, data.len, ZMQ_DONTWAIT) >= 0)
		return 0;
	return zmq_errno() == EAGAIN ? ROUTER_FULL : fold();
}

int caller_receive(struct caller *caller, struct router_message *ret, struct bytes *view)
{
	zmq_msg_t *message = message_of(ret);
	zmq_msg_init(message);
	if (zmq_msg_recv(message, caller->socket, ZMQ_DONTWAIT) < 0) {
		int r = zmq_errno() == EAGAIN ? ROUTER_EMPTY : fold();
		zmq_msg_close(message);
		return r;
	}
	*view = BYTES(zmq_msg_data(message), zmq_msg_size(message));
	return 0;
}
