/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"
#include "proto/base/crypto.h"

/*
 * The one file of the adapters that touches ZeroMQ: a DEALER that connects outwards, always CURVE. One
 * ZeroMQ message is one frame. A socket is used by one thread. Foreign errors are folded here.
 */
enum {
	SOCKET_AGAIN = 1, /* nothing to read, or no room to send */
};

struct socket;

struct socket_options {
	const char *endpoint;             /* "tcp://host:port" or "ipc://path" */
	uint8_t server_key[BOX_KEY_SIZE]; /* the broker's transport key */
	uint8_t public_key[BOX_KEY_SIZE]; /* ours */
	const uint8_t *secret_key;        /* ours, BOX_KEY_SIZE; copied by ZeroMQ */
	uint32_t heartbeat_ms;            /* 0: 5 s */
	uint32_t reconnect_min_ms;        /* 0: 100 ms */
	uint32_t reconnect_max_ms;        /* 0: 5 s */
};

/**
 * socket_new() - connect; the connection itself comes and goes in the background
 * @options: how
 * @ret:     the socket
 * Return: 0, -EINVAL for an impossible endpoint, other negative errno.
 */
int socket_new(const struct socket_options *options, struct socket **ret);
void socket_free(struct socket *socket); /* gives unsent frames 200 ms; takes NULL */
DEFINE_CLEANUP(struct socket *, socket_free);

/**
 * socket_fd() - a descriptor that becomes readable when something may have changed
 * @socket: the socket
 *
 * Edge-triggered, as ZeroMQ has it: after every use of the socket ask socket_readable() before sleeping.
 *
 * Return: a descriptor owned by the socket.
 */
int socket_fd(const struct socket *socket);
bool socket_readable(struct socket *socket);
bool socket_writable(struct socket *socket);

/**
 * socket_send() - send one frame made in place
 * @socket: the socket
 * @size:   bytes of the frame
 * @fill:   writes exactly @size bytes
 * @context: for @fill
 * Return: 0, SOCKET_AGAIN, negative errno.
 */
int socket_send(struct socket *socket, size_t size, void (*fill)(void *context, uint8_t *buf),
	void *context);

/**
 * socket_receive() - take one frame
 * @socket: the socket
 * @ret:    view, valid until the next call on this socket
 * Return: 0, SOCKET_AGAIN, negative errno. A multipart message is skipped whole.
 */
int socket_receive(struct socket *socket, struct bytes *ret);

/**
 * socket_refused() - has the broker turned our key away since this was asked last?
 * @socket: the socket
 *
 * It does so when its registry does not have the key, or when it takes no further connection. ZeroMQ does not try
 * again after that: whoever wants to makes a new socket (zmq_socket_monitor(3): HANDSHAKE_FAILED_AUTH).
 *
 * Return: true when it has.
 */
bool socket_refused(struct socket *socket);
