/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Everything a valid key may ask for costs somebody something: a look-up, a signature to check, memory,
 * an entry in the journal. Each story asks for far too much of one of them and then looks at the others.
 */
#include "test/kit/check.h"
#include "test/kit/usage.h"
#include "test/scenario/bystanders.h"

enum { BACKLOG = 3000 };

/* The jobcenter is away while so many messages for it are taken. */
static void backlog_make(struct bystanders *all)
{
	static const struct party_draft draft = {
		.region = "051240000000", .body = {(const uint8_t *)"backlog", 7}};
	struct arena *arena = arena_new(64 << 20);
	size_t before = all->city.answers_count;

	CHECK(arena);
	party_disconnect(&all->jobcenter);
	for (size_t sent = 0; sent < BACKLOG; sent += 500) {
		party_submit(&all->city, party_compose(&all->city, &draft, 500, arena), 500, false);
		arena_reset(arena);
	}
	party_until(&all->city, all->city.answers_count == before + BACKLOG, 60000);
	arena_free(arena);
}

/*
 * Hello is looked up by the one thread that also fetches what fell behind. One connection after another
 * says it without ever waiting for Welcome, while that thread is needed by somebody else.
 */
static void hellos_leave_the_clerk_to_others(void)
{
	enum { WIRES = 6, BURST = 20, ROUNDS = 600 };
	struct wire *wires[WIRES];
	struct bystanders all;
	struct bytes raw;

	bystanders_open(&all, "limits:\n  sessions: 12\n");
	backlog_make(&all);
	for (size_t i = 0; i < WIRES; i++)
		wires[i] = wire_new(&all.bus, "ministry");
	size_t before = all.jobcenter.deliveries_count;
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < WIRES * BURST; i++)
			wire_hello(wires[i % WIRES], "ministry");
		for (size_t i = 0; i < WIRES; i++)
			while (wire_receive(wires[i], &raw, 0))
				;
		if (round == 100)
			party_connect(&all.jobcenter, NULL);
		if (round > 100)
			party_step(&all.jobcenter, 0);
	}
	party_until(&all.jobcenter, all.jobcenter.deliveries_count >= before + BACKLOG, 60000);
	bystanders_undisturbed(&all);
	for (size_t i = 0; i < WIRES; i++)
		wire_free(wires[i]);
	bystanders_close(&all);
}

/* A Submit of as many empty envelopes as it may have: two bytes each, and nearly a KiB in memory. */
static struct bytes hollow_submit(struct wire *wire, uint32_t envelopes)
{
	enum { ENVELOPE_TAG = 3 << 3 | 2, ENVELOPES_MAX = 1024 };
	uint8_t content[2 * ENVELOPES_MAX];

	CHECK(envelopes <= ENVELOPES_MAX);
	for (size_t i = 0; i < envelopes; i++) {
		content[2 * i] = ENVELOPE_TAG;
		content[2 * i + 1] = 0;
	}
	return wire_pack_raw(
		wire, DIENSTWEG__FRAME__BODY_SUBMIT, BYTES(content, 2 * (size_t)envelopes));
}

/* What counts against a budget is what the broker holds, not what came over the wire. */
static void hollow_frames_pay_for_the_memory_they_take(void)
{
	enum { FRAMES = 6000, READ_EVERY = 100 };
	/* Limits.party_bytes is 16 MiB; of unpacked memory that is four times as much, in blocks that double. */
	enum { MEMORY_MAX = 256 << 20, MEMORY_LEFT = 64 << 20 };
	struct bystanders all;
	struct bytes raw;

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	uint64_t most = 0;
	for (size_t i = 0; i < FRAMES; i++) {
		CHECK(wire_send(wire, hollow_submit(wire, 512), 20000));
		while (wire_receive(wire, &raw, 0))
			;
		if (i % READ_EVERY == 0) {
			uint64_t memory = usage_anonymous_bytes(all.bus.broker.pid);
			most = memory > most ? memory : most;
		}
	}
	printf("# at most %llu KiB meanwhile\n", (unsigned long long)most >> 10);
	CHECK(most < MEMORY_MAX);
	party_until(&all.city, usage_anonymous_bytes(all.bus.broker.pid) < all.memory + MEMORY_LEFT,
		60000);
	wire_free(wire);
	bystanders_close(&all);
}

CHECK_MAIN(CHECK_CASE(hellos_leave_the_clerk_to_others),
	CHECK_CASE(hollow_frames_pay_for_the_memory_they_take))
