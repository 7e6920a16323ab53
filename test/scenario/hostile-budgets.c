/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Everything a valid key may ask for costs somebody something: a look-up, a signature to check, memory,
 * an entry in the journal. Each story asks for far too much of one of them and then looks at the others.
 */
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/crypto.h"
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
	enum { WIRES = 6, BURST = 20, ROUNDS = 250 };
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
	enum {
		MEMORY_MAX = (256 << 20) + USAGE_SANITIZER_BYTES,
		MEMORY_LEFT = (128 << 20) + USAGE_SANITIZER_BYTES,
	};
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

enum { FORGED = 1000 };

/* A Submit of messages that each need a look at a signature of their own, and all in vain. */
static struct bytes forged_submit(struct bystanders *all, struct wire *wire, struct arena *arena)
{
	static const struct party_draft figures = {
		.service = "uvg.figures", .recipient = "city", .body = {(const uint8_t *)"7", 1}};
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Submit submit = DIENSTWEG__SUBMIT__INIT;

	arena_reset(arena);
	submit.envelopes = party_compose(&all->ministry, &figures, FORGED, arena);
	submit.n_envelopes = FORGED;
	for (size_t i = 0; i < FORGED; i++) {
		Dienstweg__Signature *signature = submit.envelopes[i]->signature;
		signature->size = 1;
		signature->index = 0;
		signature->path.len = 0;
		signature->root.data = arena_alloc(arena, SIGNATURE_SIZE);
		CHECK(signature->root.data);
		random_fill(signature->root.data, SIGNATURE_SIZE);
		signature->root.data[SIGNATURE_SIZE - 1] &= 0x0f;
	}
	frame.body_case = DIENSTWEG__FRAME__BODY_SUBMIT;
	frame.submit = &submit;
	return wire_pack(wire, &frame);
}

/* Refusals that are here by now, without waiting. */
static size_t refusals_arrived(struct wire *wire)
{
	size_t refusals = 0;

	for (struct bytes raw; wire_receive(wire, &raw, 0);) {
		Dienstweg__Frame *frame = dienstweg__frame__unpack(NULL, raw.len, raw.data);
		CHECK(frame);
		if (frame->body_case == DIENSTWEG__FRAME__BODY_ANSWER)
			refusals += frame->answer->n_refusals;
		dienstweg__frame__free_unpacked(frame, NULL);
	}
	return refusals;
}

/* Seconds of useless work lie before the workers; an honest message does not wait for them. */
static void forged_signatures_cost_their_sender_time(void)
{
	enum { FRAMES = 8 /* within Limits.party_bytes */ };
	static const struct party_draft application = {
		.region = "051240000000", .body = {(const uint8_t *)"ok", 2}};
	struct arena *arena = arena_new(64 << 20);
	struct bystanders all;
	size_t refused = 0;

	CHECK(arena);
	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	size_t before = all.jobcenter.deliveries_count;
	struct bytes frame = forged_submit(&all, wire, arena);
	long long start = now_ms();
	for (size_t i = 0; i < FRAMES; i++)
		CHECK(wire_send(wire, frame, 20000));
	CHECK_INT(party_send(&all.city, &application)->kind, ANSWER_RECEIPT);
	long long honest = now_ms() - start;
	party_until(&all.jobcenter, all.jobcenter.deliveries_count == before + 1, 20000);
	refused = refusals_arrived(wire);
	CHECK(refused <
		FRAMES * FORGED); /* the flood was still under way: nobody waited for its end */
	while (refused < FRAMES * FORGED)
		refused += wire_reply(wire, DIENSTWEG__FRAME__BODY_ANSWER)->answer->n_refusals;
	long long whole = now_ms() - start;
	printf("# answered after %lld ms, the flood after %lld ms\n", honest, whole);
	bystanders_undisturbed(&all);
	wire_free(wire);
	arena_free(arena);
	bystanders_close(&all);
}

/* Free entries of failed attempts, and how many more a second (docs/protocol.md "Nak"). */
enum { FAILS_BURST = 256, FAILS_A_SECOND = 4 };

/* Every Nak is an entry. A party that gives back what it gets, at once and for ever, fills no disk. */
static void naks_do_not_fill_the_journal(void)
{
	enum { MESSAGES = 64, WATCHED_MS = 3000, SLACK = 16 };
	static const struct party_draft application = {
		.region = "051240000000", .body = {(const uint8_t *)"no", 2}};
	struct bystanders all;
	size_t done = 0;

	/* Neither its breaker nor the dead letters get in the way: those would end it sooner. */
	bystanders_open(&all, "delivery:\n  breaker: 10000\n  attempts: 1000\n");
	party_disconnect(&all.jobcenter);
	all.jobcenter.manual = true;
	party_connect(&all.jobcenter, NULL);
	size_t before = done = all.jobcenter.deliveries_count;
	for (int i = 0; i < MESSAGES; i++)
		CHECK_INT(party_send(&all.city, &application)->kind, ANSWER_RECEIPT);
	long long start = now_ms();
	while (now_ms() < start + WATCHED_MS) {
		party_step(&all.jobcenter, 20);
		for (; done < all.jobcenter.deliveries_count; done++)
			party_nak(&all.jobcenter, all.jobcenter.deliveries[done].sequence, 1);
	}
	size_t again = done - before - MESSAGES;
	size_t most = FAILS_BURST + (size_t)(now_ms() - start) * FAILS_A_SECOND / 1000 + SLACK;
	printf("# delivered again %zu times, allowed %zu\n", again, most);
	CHECK(again >= FAILS_BURST);
	CHECK(again <= most);
	bystanders_close(&all);
}

static bool delivery_comes(struct wire *wire, int timeout_ms)
{
	Dienstweg__Frame frame = DIENSTWEG__FRAME__INIT;
	Dienstweg__Credit credit = DIENSTWEG__CREDIT__INIT;
	struct bytes raw;

	credit.messages = credit.bytes = 1 << 20;
	frame.body_case = DIENSTWEG__FRAME__BODY_CREDIT;
	frame.credit = &credit;
	CHECK(wire_send(wire, wire_pack(wire, &frame), 20000));
	/* Nothing else comes after Welcome. */
	return wire_receive(wire, &raw, timeout_ms);
}

/* Leaving with a delivery in hand is a failed attempt, too. Who does nothing else waits for its messages. */
static void comings_and_goings_do_not_fill_the_journal(void)
{
	enum { ROUNDS_MAX = 4 * FAILS_BURST, WAIT_MS = 2000 };
	static const struct party_draft figures = {.service = "uvg.figures",
		.recipient = "ministry",
		.body = {(const uint8_t *)"7", 1}};
	struct bystanders all;
	size_t rounds = 0;

	bystanders_open(&all, "");
	CHECK_INT(party_send(&all.city, &figures)->kind, ANSWER_RECEIPT);
	struct wire *wire = wire_new(&all.bus, "ministry");
	do
		wire_open_session(wire, "ministry");
	while (rounds < ROUNDS_MAX && delivery_comes(wire, WAIT_MS) && ++rounds);
	printf("# delivered %zu times\n", rounds);
	CHECK(rounds >= FAILS_BURST && rounds < ROUNDS_MAX);
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

/* Connections that say nothing use up the broker's descriptors: who is in stays in, and others come later. */
static void strangers_do_not_shut_out_who_is_in(void)
{
	enum { STRANGERS = 300, SPARE = 40 };
	struct sockaddr_in door = {.sin_family = AF_INET};
	struct bystanders all;
	int strangers[STRANGERS];

	bystanders_open(&all, "session:\n  handshake: 2 s\n");
	const struct rlimit few = {all.files + SPARE, all.files + SPARE};
	CHECK_INT(prlimit(all.bus.broker.pid, RLIMIT_NOFILE, &few, NULL), 0);
	door.sin_port = htons((uint16_t)all.bus.port);
	door.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < STRANGERS; i++) {
		strangers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		CHECK(strangers[i] >= 0);
		(void)connect(strangers[i], (struct sockaddr *)&door, sizeof(door));
	}
	party_until(&all.city, usage_files(all.bus.broker.pid) + 2 >= all.files + SPARE, 20000);
	bystanders_undisturbed(&all);
	for (size_t i = 0; i < STRANGERS; i++)
		close(strangers[i]);
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	wire_free(wire);
	bystanders_close(&all);
}

CHECK_MAIN(CHECK_CASE(hellos_leave_the_clerk_to_others),
	CHECK_CASE(hollow_frames_pay_for_the_memory_they_take),
	CHECK_CASE(forged_signatures_cost_their_sender_time),
	CHECK_CASE(naks_do_not_fill_the_journal),
	CHECK_CASE(comings_and_goings_do_not_fill_the_journal),
	CHECK_CASE(strangers_do_not_shut_out_who_is_in))
