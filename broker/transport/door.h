/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"

/*
 * How often anybody may knock. Each connection that is accepted costs a handshake of the one thread that all parties
 * share, whoever it is, so they are counted: of one network, which is kept out for a while when it brings too
 * many, and of all together, for then nobody new comes in for a moment.
 * Kept out means that the kernel drops what asks for a connection, before it costs anything here; connections that
 * exist are not touched. Reactor only; times are of the monotonic clock.
 */
struct door;

enum {
	DOOR_NETWORK_SIZE = 16, /* an IPv4 address as IPv6, or the first 64 bits of an IPv6 one and zeros */
	DOOR_NETWORKS_MAX = 256, /* counted at once; kept out at once */
	DOOR_LISTENING_MAX = 16,
};

struct door_limits {
	uint64_t network_minute; /* of one network in a minute, and as many at once */
	uint64_t all_second;     /* of all, in a second; twice as many at once */
	uint64_t out_ns;         /* so long a network is kept out */
};

/* Since the start. */
struct door_counts {
	uint64_t hasty;  /* connections that were one too many, and cut */
	uint64_t out;    /* times that a network was kept out */
	uint64_t closed; /* times that nobody new was let in */
};

/**
 * door_new() - open to everybody
 * @limits: copied
 * @ret:    the door
 * Return: 0 or -ENOMEM.
 */
int door_new(const struct door_limits *limits, struct door **ret);
void door_free(struct door *door); /* closes nothing; takes NULL */
DEFINE_CLEANUP(struct door *, door_free);

/* A socket listens; what is no TCP is passed over. @fd stays its owner's, who keeps it open. */
void door_listening(struct door *door, int fd);

/**
 * door_knock() - a connection was accepted
 * @door:    the door
 * @network: of its other end
 * @now_ns:  now
 * Return: false when it is one too many: cut it.
 */
bool door_knock(struct door *door, const uint8_t network[DOOR_NETWORK_SIZE], uint64_t now_ns);

/* Now and then: who was kept out for long enough may come again. */
void door_tick(struct door *door, uint64_t now_ns);

const struct door_counts *door_counts(const struct door *door); /* valid as long as the door */
