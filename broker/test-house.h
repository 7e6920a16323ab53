/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/broker.h"
#include "broker/journal/test-fixture.h"
#include "broker/transport/frame.h"

/*
 * The real broker, whole, run by the test's own thread turn by turn, and peers that speak to it over the
 * loopback with frames made by hand. Keys, registry and signed messages are those of the journal's fixture.
 * A failure ends the program.
 */
struct house {
	struct journal_fixture fixture; /* its journal is never opened */
	struct clock clock;             /* the fixture's time, moving */
	char dir[256];
	const struct config_broker *config;
	struct broker_orders orders; /* about a journal that may have lost entries */
	struct broker *broker;
	struct arena *arena; /* of frames that were heard; until the case ends */
};

struct peer {
	struct house *house;
	struct caller *caller;
	uint8_t nonce[NONCE_SIZE];
};

/**
 * house_init() - write everything a broker needs and start it
 * @house: to set up
 * @name:  of its folder
 * @extra: further lines for its configuration
 */
void house_init(struct house *house, const char *name, const char *extra);
/* With the witnesses city, jobcenter and ministry, so many of whom are a quorum. */
void house_init_witnessed(struct house *house, const char *name, uint32_t quorum);
/* Stop the broker in order; start it again on the same files. */
void house_stop(struct house *house);
void house_start(struct house *house);
void house_deinit(struct house *house); /* peers first */

/* Run the broker until the condition holds; at most 20 s. */
#define house_until(house, condition)                                                              \
	do {                                                                                       \
		uint64_t house_end = clock_mono_ns(clock_system()) + UINT64_C(20000000000);        \
		while (!(condition)) {                                                             \
			CHECK(clock_mono_ns(clock_system()) < house_end);                          \
			CHECK_INT(reactor_turn(broker_reactor((house)->broker), 10), 0);           \
		}                                                                                  \
	} while (0)

/* Connect with a party's transport key. */
void peer_init(struct peer *peer, struct house *house, const char *party);
void peer_deinit(struct peer *peer);

/* Send a frame in the peer's session; bytes as they are. */
void peer_say(struct peer *peer, Dienstweg__Frame *frame);
void peer_say_raw(struct peer *peer, struct bytes raw);
/* Run the broker until a frame comes; the one of this kind, others are skipped. */
const Dienstweg__Frame *peer_hear(struct peer *peer);
const Dienstweg__Frame *peer_hear_kind(struct peer *peer, Dienstweg__Frame__BodyCase kind);
/* Run the broker until an Error comes: its code must be this. */
void peer_hear_error(struct peer *peer, const char *code);
/* Hello for these parties with a fresh nonce; and the Welcome. */
void peer_hello(struct peer *peer, const char *const *parties, size_t count);
const Dienstweg__Welcome *peer_open(struct peer *peer, const char *party);

/* Totals since Hello. */
void peer_credit(struct peer *peer, uint64_t messages, uint64_t bytes);
/* Submit new messages of a load. Return: the parcel with their facts; parcel_free(). */
struct parcel *peer_submit(struct peer *peer, const struct fixture_load *load, uint64_t number);
void peer_submit_again(struct peer *peer, const struct parcel *sent, uint64_t number, bool resume);
