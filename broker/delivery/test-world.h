/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/delivery/delivery.h"
#include "broker/journal/test-fixture.h"

/*
 * Delivery between a real journal and parties that are only lists: the sender city, the recipient ministry.
 * The test's thread is the reactor; it decides what happens when. A failure ends the program.
 */
enum { WORLD_MESSAGES_MAX = 8192, WORLD_PARCELS_MAX = 4096 };

struct world_message {
	uint64_t sequence;
	/* In a parcel that is kept; NULL: the clerk was faster than the commit's way to the reactor. */
	const struct parcel_submit *submit;
	uint8_t h[HASH_SIZE]; /* as delivered */
	uint64_t session;     /* serial of the last delivery's */
	uint32_t deliveries;
	uint32_t attempt;  /* of the last one */
	bool out;          /* delivered, and neither answered nor lost since */
	bool given_back;   /* answered "not now" since the last delivery */
	bool acked;        /* acknowledgement sent */
	uint32_t closed;   /* acknowledgements recorded */
	uint32_t outcomes; /* told to the sender */
};

struct world {
	struct journal_fixture fixture;
	struct parcel_pool *pool;
	struct clerk *clerk;
	struct delivery *delivery;
	struct clock clock; /* delivery's: leases */
	uint32_t city;      /* party numbers */
	uint32_t ministry;
	struct outlet *recipient; /* NULL: no session */
	struct outlet *sender;
	uint64_t last_serial;
	uint64_t highest_new;   /* of messages first delivered in the recipient's session */
	uint64_t outcome_entry; /* last one that the sender was told of */
	size_t frames;
	struct world_message messages[WORLD_MESSAGES_MAX]; /* in order of sequence */
	size_t count;
	struct parcel *kept[WORLD_PARCELS_MAX]; /* test's own: freed at the end */
	size_t kept_count;
};

/**
 * world_new() - a journal in a fresh folder, nobody attached
 * @name: of the folder
 * Return: the world; world_free().
 */
struct world *world_new(const char *name);
void world_free(struct world *world); /* stops the journal; checks that nothing is left out */

/* A session of the ministry, or of the city, begins; it is lost. */
void world_recipient_attach(struct world *world);
void world_recipient_detach(struct world *world);
void world_sender_attach(struct world *world);
void world_sender_detach(struct world *world);
void world_credit(struct world *world, uint64_t messages); /* so many beyond what was sent */

/* Push a submit of so many messages; the commit is taken over by a later world_turn(). */
void world_submit(struct world *world, size_t count, size_t content_bytes);
/* Acknowledge, or give back, what is out; messages are indexes into world->messages. */
void world_acknowledge(struct world *world, const size_t *messages, size_t count);
void world_nak(struct world *world, size_t message, uint32_t delay_ms);
void world_confirm(struct world *world);
/* The city takes back the first so many messages of world->kept[0]; done when it was answered (cancel->again, and no
   leg kept). The world's. */
struct parcel *world_cancel(struct world *world, size_t count);

/* One turn of the reactor: at most so many committed parcels, and the clerk's errands or not. */
void world_turn(struct world *world, size_t parcels_max, bool collect);
/* Turns until nothing moves by itself (timers apart). */
void world_settle(struct world *world);
/* Turns, waiting up to 30 s, until the condition holds. */
#define world_until(world, condition)                                                              \
	do {                                                                                       \
		uint64_t world_end = clock_mono_ns(clock_system()) + UINT64_C(30000000000);        \
		while (!(condition)) {                                                             \
			CHECK(clock_mono_ns(clock_system()) < world_end);                          \
			world_wait(world, 20);                                                     \
			world_turn(world, 256, true);                                              \
		}                                                                                  \
	} while (0)
void world_wait(struct world *world, int timeout_ms); /* for a parcel or an errand to come back */

/* The message of a sequence, made when it is new; of those out, up to @max indexes. */
struct world_message *world_message(struct world *world, uint64_t sequence);
size_t world_out(const struct world *world, size_t *ret, size_t max);
