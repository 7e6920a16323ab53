/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Instead of adapters/sdk/socket.c. As there, frames do not pile up for a broker that is not connected.
 */
#include "adapters/sdk/socket.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "test/kit/check.h"
#include "test/sim/machine.h"
#include "test/sim/net.h"

struct socket {
	struct link *link;
	int fd;
	bool awake;
	struct packet *received;
};

int socket_new(const struct socket_options *options, struct socket **ret)
{
	struct socket *socket = calloc(1, sizeof(*socket));
	CHECK(socket);
	socket->link = net_link(proc_current());
	CHECK(!socket->link->socket);
	socket->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(socket->fd >= 0);
	memcpy(socket->link->key, options->public_key, BOX_KEY_SIZE);
	memcpy(socket->link->server, options->server_key, BOX_KEY_SIZE);
	socket->link->socket = socket;
	socket->link->dial_ns = 0;
	socket->link->refused = false;
	*ret = socket;
	return 0;
}

void socket_free(struct socket *socket)
{
	if (!socket)
		return;
	/* What was sent and has not left yet is lost with it: ZeroMQ lingers for 200 ms, if it lives so long. */
	net_cut(socket->link);
	socket->link->socket = NULL;
	free(socket->received);
	fd_close_at(&socket->fd);
	free(socket);
}

void socket_wake(struct socket *socket, bool readable)
{
	uint64_t count = 1;
	if (readable == socket->awake)
		return;
	socket->awake = readable;
	if (readable)
		CHECK_INT(write(socket->fd, &count, sizeof(count)), sizeof(count));
	else
		CHECK_INT(read(socket->fd, &count, sizeof(count)), sizeof(count));
}

int socket_fd(const struct socket *socket)
{
	return socket->fd;
}

bool socket_readable(struct socket *socket)
{
	return pipe_arrived(&socket->link->out);
}

bool socket_writable(struct socket *socket)
{
	return socket->link->up && socket->link->in.count < PIPE_FRAMES_MAX;
}

int socket_send(struct socket *socket, size_t size, void (*fill)(void *context, uint8_t *buf),
	void *context)
{
	if (!socket_writable(socket))
		return SOCKET_AGAIN;
	struct packet *packet = packet_new(size);
	fill(context, packet->data);
	pipe_push(socket->link, &socket->link->in, packet);
	return 0;
}

int socket_receive(struct socket *socket, struct bytes *ret)
{
	if (!socket_readable(socket) || !net_take())
		return SOCKET_AGAIN;
	free(socket->received);
	socket->received = pipe_pop(&socket->link->out);
	*ret = BYTES(socket->received->data, socket->received->len);
	return 0;
}

/* As ZeroMQ: who was turned away is not tried again by itself. */
bool socket_refused(struct socket *socket)
{
	return socket->link->refused;
}
