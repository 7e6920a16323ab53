/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Everything at once in random order, with the reactor's turns cut as thin as they can be, so that
 * commits, errands, acknowledgements and sessions overlap in every way. What must hold at every moment is
 * checked by test-world.c; in the end every message has reached its recipient and was closed once. The
 * seed is printed: a failure can be run again with it as the environment's HANDOVER_SEED.
 */
#include <stdio.h>

#include "broker/delivery/test-world.h"
#include "proto/base/text.h"
#include "test/kit/check.h"

enum { WORLDS = 3, PHASES = 40, ROUNDS = 60, PATIENCE_S = 20 };

struct dice {
	uint64_t state;
};

static uint32_t roll(struct dice *dice, uint32_t sides)
{
	dice->state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t x = dice->state;
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((x ^ (x >> 31)) % sides);
}

static void acknowledge_some(struct world *world, struct dice *dice)
{
	size_t out[64];
	size_t count = world_out(world, out, 1 + roll(dice, 64));
	if (count > 0)
		world_acknowledge(world, out, count);
}

static void nak_one(struct world *world, struct dice *dice)
{
	size_t out[64];
	size_t count = world_out(world, out, 64);
	if (count > 0)
		world_nak(world, out[roll(dice, (uint32_t)count)], 1 + roll(dice, 20));
}

static void recipient_act(struct world *world, struct dice *dice)
{
	if (!world->recipient) {
		world_recipient_attach(world);
		return;
	}
	switch (roll(dice, 12)) {
	case 0:
		if (roll(dice, 6) == 0)
			world_recipient_detach(world);
		break;
	case 1:
	case 2:
		nak_one(world, dice);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		acknowledge_some(world, dice);
		break;
	default:
		world_credit(world, roll(dice, 60));
		break;
	}
}

static void sender_act(struct world *world, struct dice *dice)
{
	if (!world->sender)
		world_sender_attach(world);
	else if (roll(dice, 20) == 0)
		world_sender_detach(world);
	else if (roll(dice, 4) == 0 && world->outcome_entry > 0)
		world_confirm(world);
	if (roll(dice, 3) == 0 && world->count + 2 * 20 < WORLD_MESSAGES_MAX &&
		world->kept_count + 200 < WORLD_PARCELS_MAX)
		world_submit(world, 1 + roll(dice, 12), roll(dice, 8) == 0 ? 20000 : 100);
}

static bool all_closed(const struct world *world)
{
	for (size_t i = 0; i < world->count; i++) {
		if (world->messages[i].closed == 0)
			return false;
	}
	return true;
}

/* Without a new session, everything must arrive: what was overlooked would not. */
static void phase_end(struct world *world, struct dice *dice)
{
	uint64_t end = clock_mono_ns(clock_system()) + PATIENCE_S * UINT64_C(1000000000);
	if (!world->recipient)
		world_recipient_attach(world);
	world_settle(world);
	while (!all_closed(world)) {
		CHECK(clock_mono_ns(clock_system()) < end);
		world_credit(world, 500);
		world_wait(world, 5);
		world_turn(world, 256, true);
		acknowledge_some(world, dice);
	}
	world_settle(world);
	for (size_t i = 0; i < world->count; i++)
		CHECK_INT(world->messages[i].closed, 1);
	CHECK_INT(world->recipient->window.out_bytes, 0);
	CHECK_INT(world->recipient->window.reserved_messages, 0);
	CHECK_INT(lease_count(world->recipient->recipients[0]->leases), 0);
	CHECK_INT(delivery_out(world->delivery), 0);
}

static uint64_t first_seed(void)
{
	uint64_t seed;
	const char *given = getenv("HANDOVER_SEED");
	if (given && text_parse_u64(BYTES_STR(given), &seed) == 0)
		return seed;
	random_fill(&seed, sizeof(seed));
	return seed >> 16;
}

static void play_round(struct world *world, struct dice *dice)
{
	sender_act(world, dice);
	recipient_act(world, dice);
	if (roll(dice, 8) == 0)
		world_wait(world, 2);
	world_turn(world, roll(dice, 4), roll(dice, 3) == 0);
}

static void nothing_is_lost_doubled_or_reordered(void)
{
	CHECK_INT(crypto_init(), 0);
	uint64_t seed = first_seed();
	for (int i = 0; i < WORLDS; i++) {
		char name[32];
		struct dice dice = {seed + (uint64_t)i};
		printf("# seed %llu\n", (unsigned long long)dice.state);
		fflush(stdout);
		snprintf(name, sizeof(name), "world-%d", i);
		struct world *world = world_new(name);
		for (int phase = 0; phase < PHASES; phase++) {
			for (int round = 0; round < ROUNDS; round++)
				play_round(world, &dice);
			phase_end(world, &dice);
		}
		printf("# %zu messages\n", world->count);
		world_free(world);
	}
}

CHECK_MAIN(CHECK_CASE(nothing_is_lost_doubled_or_reordered))
