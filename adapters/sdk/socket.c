/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Adapters sit behind agencies' firewalls, so they only ever connect outwards. A DEALER reconnects by
 * itself and silently, under a new routing id: the layer above therefore speaks in sessions and never
 * takes a connection for one. Frames are bounded on receipt (a frame over MAXMSGSIZE drops the connection)
 * and queues are short, because credits and not high-water marks carry the flow control.
 */
#include "adapters/sdk/socket.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

enum {
	MESSAGE_BYTES_MAX = 1 << 20,
	QUEUED_FRAMES_MAX = 64,
	LINGER_MS = 200,
};

struct socket {
	void *context;
	void *dealer;
	void *monitor; /* a PAIR; tells only of keys that were turned away */
	int fd;
	zmq_msg_t received;
};

static int fold(int error)
{
	switch (error) {
	case EAGAIN:
	case EINTR:
		return SOCKET_AGAIN;
	case ETERM:
	case ENOTSOCK:
		return -EPIPE;
	default:
		return error > 0 ? -error : -EIO;
	}
}

static int option_int(void *dealer, int option, int value)
{
	return zmq_setsockopt(dealer, option, &value, sizeof(value)) ? fold(zmq_errno()) : 0;
}

static int options_set(void *dealer, const struct socket_options *options)
{
	const struct {
		int option, value;
	} ints[] = {
		{ZMQ_LINGER, LINGER_MS},
		{ZMQ_SNDHWM, QUEUED_FRAMES_MAX},
		{ZMQ_RCVHWM, QUEUED_FRAMES_MAX},
		{ZMQ_HANDSHAKE_IVL, 5000},
		{ZMQ_HEARTBEAT_IVL, (int)(options->heartbeat_ms ? options->heartbeat_ms : 5000)},
		{ZMQ_HEARTBEAT_TIMEOUT, 15000},
		{ZMQ_HEARTBEAT_TTL, 20000},
		{ZMQ_RECONNECT_IVL,
			(int)(options->reconnect_min_ms ? options->reconnect_min_ms : 100)},
		{ZMQ_RECONNECT_IVL_MAX,
			(int)(options->reconnect_max_ms ? options->reconnect_max_ms : 5000)},
		{ZMQ_IPV6, 1},
		/* Frames must not pile up for a peer that is not there: sessions resend. */
		{ZMQ_IMMEDIATE, 1},
	};
	int64_t message_max = MESSAGE_BYTES_MAX;

	for (size_t i = 0; i < ARRAY_LEN(ints); i++) {
		int r = option_int(dealer, ints[i].option, ints[i].value);
		if (r)
			return r;
	}
	if (zmq_setsockopt(dealer, ZMQ_MAXMSGSIZE, &message_max, sizeof(message_max)) ||
		zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, options->server_key, BOX_KEY_SIZE) ||
		zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, options->public_key, BOX_KEY_SIZE) ||
		zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, options->secret_key, BOX_KEY_SIZE))
		return fold(zmq_errno());
	return 0;
}

static int monitor_begin(struct socket *socket)
{
	static const char address[] = "inproc://refused";
	if (zmq_socket_monitor(socket->dealer, address, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH))
		return fold(zmq_errno());
	socket->monitor = zmq_socket(socket->context, ZMQ_PAIR);
	if (!socket->monitor || zmq_connect(socket->monitor, address))
		return fold(zmq_errno());
	return option_int(socket->monitor, ZMQ_LINGER, 0);
}

int socket_new(const struct socket_options *options, struct socket **ret)
{
	_cleanup_(socket_free) struct socket *socket = calloc(1, sizeof(*socket));
	size_t size = sizeof(socket->fd);
	int r;

	if (!socket)
		return -ENOMEM;
	zmq_msg_init(&socket->received);
	socket->context = zmq_ctx_new();
	if (!socket->context)
		return -ENOMEM;
	socket->dealer = zmq_socket(socket->context, ZMQ_DEALER);
	if (!socket->dealer)
		return fold(zmq_errno());
	r = options_set(socket->dealer, options);
	if (r == 0)
		r = monitor_begin(socket);
	if (r)
		return r;
	if (zmq_connect(socket->dealer, options->endpoint))
		return zmq_errno() == EAGAIN ? -EAGAIN : fold(zmq_errno());
	if (zmq_getsockopt(socket->dealer, ZMQ_FD, &socket->fd, &size))
		return fold(zmq_errno());
	*ret = steal(&socket);
	return 0;
}

void socket_free(struct socket *socket)
{
	if (!socket)
		return;
	zmq_msg_close(&socket->received);
	if (socket->dealer)
		zmq_close(socket->dealer);
	if (socket->monitor)
		zmq_close(socket->monitor);
	if (socket->context)
		zmq_ctx_term(socket->context);
	free(socket);
}

int socket_fd(const struct socket *socket)
{
	return socket->fd;
}

static int events_of(struct socket *socket)
{
	int events = 0;
	size_t size = sizeof(events);

	return zmq_getsockopt(socket->dealer, ZMQ_EVENTS, &events, &size) ? 0 : events;
}

bool socket_readable(struct socket *socket)
{
	return events_of(socket) & ZMQ_POLLIN;
}

bool socket_writable(struct socket *socket)
{
	return events_of(socket) & ZMQ_POLLOUT;
}

int socket_send(struct socket *socket, size_t size, void (*fill)(void *context, uint8_t *buf),
	void *context)
{
	zmq_msg_t message;
	int r = 0;

	assert(size > 0 && size <= MESSAGE_BYTES_MAX);
	if (zmq_msg_init_size(&message, size))
		return -ENOMEM;
	fill(context, zmq_msg_data(&message));
	if (zmq_msg_send(&message, socket->dealer, ZMQ_DONTWAIT) < 0) {
		r = fold(zmq_errno());
		zmq_msg_close(&message);
	}
	return r;
}

int socket_receive(struct socket *socket, struct bytes *ret)
{
	bool multipart = false;

	for (;;) {
		if (zmq_msg_recv(&socket->received, socket->dealer, ZMQ_DONTWAIT) < 0)
			return fold(zmq_errno());
		bool more = zmq_msg_more(&socket->received);
		if (!more && !multipart)
			break;
		multipart = more;
	}
	*ret = BYTES(zmq_msg_data(&socket->received), zmq_msg_size(&socket->received));
	return 0;
}

bool socket_refused(struct socket *socket)
{
	bool refused = false;
	uint8_t part[256]; /* event and value, then the address; longer ones are cut */
	int len;

	while ((len = zmq_recv(socket->monitor, part, sizeof(part), ZMQ_DONTWAIT)) >= 0) {
		int more = 0;
		size_t size = sizeof(more);
		uint16_t event = 0;
		(void)zmq_getsockopt(socket->monitor, ZMQ_RCVMORE, &more, &size);
		if (more && len >= (int)sizeof(event))
			memcpy(&event, part, sizeof(event));
		refused = refused || event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
	}
	return refused;
}
