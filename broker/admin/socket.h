/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/bytes.h"
#include "proto/base/cleanup.h"

/*
 * The operator's socket: a unix stream socket (0600) on which one request line is answered by one text,
 * then the connection is closed. Bounded and never blocking; reactor only.
 */
enum {
	ADMIN_CONNECTIONS_MAX = 8,
	ADMIN_FDS_MAX = ADMIN_CONNECTIONS_MAX + 1,
	ADMIN_LINE_MAX = 16384,    /* an order names entries */
	ADMIN_PATIENCE_MS = 10000, /* for a request to come, for an answer to be taken */
};

struct admin;

struct admin_options {
	const char *path;
	/* A request, by an account of this machine: answer it with admin_reply(), now or later. */
	void (*request)(void *context, const char *line, uint64_t ticket, uint32_t account);
	void *context;
};

/**
 * admin_new() - listen; a stale socket is replaced
 * @options: path must not be in use by another broker (the state folder's lock sees to that)
 * @ret:     the socket
 * Return: 0 or negative errno.
 */
int admin_new(const struct admin_options *options, struct admin **ret);
void admin_free(struct admin *admin); /* removes the socket; takes NULL */
DEFINE_CLEANUP(struct admin *, admin_free);

/**
 * admin_fds() - what to poll for
 * @admin: the socket
 * @ret:   room for ADMIN_FDS_MAX
 * Return: how many.
 */
size_t admin_fds(const struct admin *admin, struct pollfd *ret);

/* Accept, read, write what is possible; connections older than their patience are dropped. */
void admin_step(struct admin *admin, uint64_t now_ns);

/**
 * admin_reply() - answer a request
 * @admin:  the socket
 * @ticket: of the request; nothing happens when its connection has gone
 * @text:   copied
 */
void admin_reply(struct admin *admin, uint64_t ticket, struct bytes text);
