/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/sdk/client.h"
#include "adapters/sdk/parties.h"
#include "adapters/sdk/store.h"
#include "adapters/sdk/trust.h"

/*
 * Acknowledgements on their way to the journal. The verdict stands in the store's inbox before it is
 * signed and sent; the row is forgotten when the broker says that it is recorded, and proves it. What a
 * lost session left open is signed and sent again.
 */
struct acks;

struct acks_options {
	struct store *store;
	struct trust *trust;
	const struct parties *parties;
	const struct clock *clock;
	const char *bus;
	size_t max; /* most acknowledgements on their way; deliveries beyond are left alone */
};

/**
 * acks_new() - with everything that the store's inbox still holds
 * @options: everything is borrowed
 * @ret:     the acknowledgements
 * Return: 0 or negative errno.
 */
int acks_new(const struct acks_options *options, struct acks **ret);
void acks_free(struct acks *acks); /* takes NULL */
DEFINE_CLEANUP(struct acks *, acks_free);

/* A delivery whose verdict is in the store's inbox. */
struct ack_new {
	size_t party; /* index into parties */
	uint64_t sequence;
	uint8_t h[HASH_SIZE];
	bool delivered; /* in this session: its credit is given back when it is recorded */
	uint64_t bytes; /* of header and content */
};

/**
 * acks_add() - put one on its way; one that is there already is sent again
 * @acks: the acknowledgements, with room
 * @ack:  copied
 */
void acks_add(struct acks *acks, const struct ack_new *ack);
size_t acks_count(const struct acks *acks); /* not recorded yet */
size_t acks_room(const struct acks *acks);
void acks_restart(struct acks *acks);      /* a new session, or none: all are to be sent again */
void acks_new_registry(struct acks *acks); /* a refused batch may be signed with another key now */
void acks_again(
	struct acks *acks); /* the broker did not take a frame: send again what is open, later */

/**
 * acks_flush() - sign and send, after the commit
 * @acks:   the acknowledgements
 * @client: any state
 * Return: 0 or negative errno.
 */
int acks_flush(struct acks *acks, struct client *client);

/**
 * acks_recorded() - take an Acknowledged, within the turn
 * @acks:         the acknowledgements
 * @frame:        untrusted
 * @client:       credit is given back to it
 * Return: 0, TRUST_ALARM, TRUST_UNKNOWN, negative errno.
 */
int acks_recorded(struct acks *acks, const Dienstweg__Acknowledged *frame, struct client *client);
