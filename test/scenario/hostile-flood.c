/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * "Busy" asks a sender to wait. Who does as asked is served in the end; who goes on sending costs everybody
 * the time to read and drop it, so it is cut off and kept out for a while, and then may try again.
 */
#include "test/kit/check.h"
#include "test/scenario/bystanders.h"

enum { FRAME_MESSAGES = 256, ARENA_BYTES = 16 << 20, SUBMITS_MAX = 20000, WAIT_MS = 20000 };

static const char limits[] = "limits:\n  party_bytes: 1 MiB\nsession:\n  shut_out: 2 s\n";

/* The same messages over and over: the broker has to look at each frame all the same. */
static struct bytes frame_compose(struct bystanders *all, struct wire *wire, bool resume)
{
	static const struct party_draft draft = {.service = "uvg.figures", .recipient = "city"};
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;
	struct arena *arena = arena_new(ARENA_BYTES);

	CHECK(arena);
	submit.number = 1;
	submit.resume = resume;
	submit.envelopes = party_compose(&all->ministry, &draft, FRAME_MESSAGES, arena);
	submit.n_envelopes = FRAME_MESSAGES;
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	struct bytes packed = wire_pack(wire, &frame);
	arena_free(arena);
	return packed;
}

/* Return: was there an Error "flooding"? */
static bool flooding_is_said(struct wire *wire)
{
	struct bytes raw;
	bool said = false;

	while (wire_receive(wire, &raw, 0))
		said |= memmem(raw.data, raw.len, "flooding", 8) != NULL;
	return said;
}

static void flood_until_shut_out(struct bystanders *all, struct wire *wire, bool resume)
{
	struct bytes frame = frame_compose(all, wire, resume);
	bool said = false;

	for (size_t i = 0; i < SUBMITS_MAX && !said; i++) {
		/* A connection that was cut takes nothing more. */
		said = !wire_send(wire, frame, 1000) || flooding_is_said(wire);
	}
	CHECK(said);
}

/* A connection that is not admitted is not tried again by ZeroMQ: each attempt is a new one. */
static void come_back(struct bystanders *all)
{
	long long end = now_ms() + WAIT_MS;
	struct bytes raw;
	bool welcome = false;

	while (!welcome) {
		CHECK(now_ms() < end);
		struct wire *wire = wire_new(&all->bus, "ministry");
		if (wire_send(wire, BYTES_STR("Is anybody there?"), 200))
			welcome = wire_receive(wire, &raw, 1000);
		wire_free(wire);
	}
}

static void deaf(bool resume)
{
	struct bystanders all;

	bystanders_open(&all, limits);
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	long long start = now_ms();
	flood_until_shut_out(&all, wire, resume);
	bystanders_undisturbed(&all);
	wire_free(wire);
	come_back(&all);
	printf("# back after %lld ms\n", now_ms() - start);
	CHECK(now_ms() - start >= 1900);
	bystanders_undisturbed(&all);
	bystanders_close(&all);
}

static void who_resumes_without_waiting_is_shut_out(void)
{
	deaf(true);
}

static void who_never_looks_at_an_answer_is_shut_out(void)
{
	deaf(false);
}

/* Far more than the budget, but as the protocol says. */
static void who_waits_as_asked_is_served(void)
{
	enum { FRAMES = 24 };
	static const struct party_draft draft = {.service = "uvg.figures", .recipient = "city"};
	struct bystanders all;
	struct party ministry;
	size_t put_off = 0;

	bystanders_open(&all, limits);
	party_init(&ministry, &all.bus, "ministry");
	party_connect(&ministry, NULL);
	for (size_t i = 0; i < FRAMES; i++) {
		struct arena *arena = arena_new(ARENA_BYTES);
		bool resume = false, taken = false;
		CHECK(arena);
		Dienstweg__Envelope **batch = party_compose(
			&ministry, &draft, FRAME_MESSAGES, arena);
		while (!taken) {
			ministry.answers_count = 0;
			party_submit(&ministry, batch, FRAME_MESSAGES, resume);
			/* Twice at once: the second is on its way when the first is put off. */
			party_submit(&ministry, batch, FRAME_MESSAGES, false);
			party_until(&ministry, ministry.answers_count > 0, WAIT_MS);
			taken = ministry.answers[0].kind == ANSWER_RECEIPT;
			put_off += !taken;
			long long wait_until = now_ms() + 150;
			while (!taken && now_ms() < wait_until)
				party_step(&ministry, 10);
			resume = true;
		}
		arena_free(arena);
	}
	printf("# put off %zu times\n", put_off);
	CHECK(!ministry.lost);
	bystanders_undisturbed(&all);
	party_deinit(&ministry);
	bystanders_close(&all);
}

CHECK_MAIN(CHECK_CASE(who_resumes_without_waiting_is_shut_out),
	CHECK_CASE(who_never_looks_at_an_answer_is_shut_out),
	CHECK_CASE(who_waits_as_asked_is_served))
