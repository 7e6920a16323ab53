/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "broker/transport/door.h"
#include "broker/transport/tally.h"
#include "proto/base/cleanup.h"

/*
 * The TCP connections that the bus's socket has, known by their descriptors: how many in all, how many of one
 * address have no session, and since when. Who has a session stays; a newcomer takes the place of the one
 * that has been without for the longest time. Reactor only; times are of the monotonic clock.
 */
struct peers;

struct peers_limits {
	struct door *door; /* counts how often they come; NULL: nobody does */
	size_t all;        /* connections at once */
	size_t address; /* without a session, of one address: of IPv4, or the first 64 bits of IPv6 */
	uint64_t silent_ns; /* so long a connection may be without a session */
};

/* Now, and since the start. */
struct peers_counts {
	uint64_t open;    /* those that were cut are not */
	uint64_t crowded; /* cut because there were too many, in all or of their address */
	uint64_t silent;  /* cut because they were without a session for too long */
};

/**
 * peers_new() - nobody is connected
 * @limits: copied
 * @ret:    the table
 * Return: 0 or -ENOMEM.
 */
int peers_new(const struct peers_limits *limits, struct peers **ret);
void peers_free(struct peers *peers); /* closes nothing; takes NULL */
DEFINE_CLEANUP(struct peers *, peers_free);

/**
 * peers_opened() - a connection was accepted; one too many, or one that came too soon, is cut
 * @peers:  the table
 * @fd:     its descriptor, ZeroMQ's; what is no TCP connection (any more) is passed over
 * @now_ns: now
 */
void peers_opened(struct peers *peers, int fd, uint64_t now_ns);
void peers_closed(struct peers *peers, int fd); /* its descriptor may be another's from now on */

/* A session was opened on it; it ended, and if it was the last one the connection has none from @now_ns on. */
void peers_session_opened(struct peers *peers, int fd, uint64_t serial);
void peers_session_ended(struct peers *peers, int fd, uint64_t serial, uint64_t now_ns);

/* What counts the bytes that are on their way by it, held; NULL without memory. */
struct tally *peers_tally(struct peers *peers, int fd);

/* Now and then: who has been without a session for too long is cut. */
void peers_tick(struct peers *peers, uint64_t now_ns);

/* Valid as long as the table. */
const struct peers_counts *peers_counts(const struct peers *peers);
