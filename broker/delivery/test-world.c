/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What must hold for every delivery is checked where deliveries arrive, so that every test of this room
 * checks it: nothing comes twice to a session unless it was given back, and what a session sees for the
 * first time anywhere comes in order of sequence.
 */
#include "broker/delivery/test-world.h"

#include <poll.h>
#include <stdlib.h>

#include "proto/envelope/envelope.h"
#include "test/kit/check.h"

enum { WORLD_LEASE_MS = 60000, WORLD_OUT_BYTES = 1 << 20, WORLD_ERRANDS = 64 };

/* ---- what delivery wants ---- */

static void act(void *context, struct parcel *parcel)
{
	struct world *world = context;
	journal_push(world->fixture.journal, parcel);
}

static void failed(void *context, int error)
{
	(void)context;
	CHECK_INT(error, 0);
}

/* Byte for byte what was submitted. */
static void check_envelope(const struct parcel_submit *submit, const Dienstweg__Item *item)
{
	CHECK(bytes_equal(BYTES_PB(item->envelope->header), submit->facts.header_bytes));
	CHECK(bytes_equal(BYTES_PB(item->envelope->content), BYTES_PB(submit->envelope->content)));
	CHECK(bytes_equal(BYTES_PB(item->envelope->signature->root),
		BYTES_PB(submit->envelope->signature->root)));
	CHECK_INT(item->batch_ms, submit->proof.batch_ms);
}

static void take_message(struct world *world, const Dienstweg__Item *item)
{
	struct world_message *message = world_message(world, item->sequence);
	CHECK(world->recipient);
	CHECK(bytes_equal(BYTES_PB(item->party), BYTES_STR("ministry")));
	if (message->submit)
		check_envelope(message->submit, item);
	envelope_header_hash(BYTES_PB(item->envelope->header), message->h);
	/* Twice to one session only after it was given back. */
	CHECK(message->session != world->recipient->serial || message->given_back);
	if (message->deliveries == 0) {
		CHECK(item->sequence > world->highest_new);
		world->highest_new = item->sequence;
		CHECK_INT(item->attempt, 1);
	}
	CHECK(item->attempt >= message->attempt);
	CHECK_INT(message->closed, 0);
	message->attempt = item->attempt;
	message->session = world->recipient->serial;
	message->deliveries++;
	message->out = true;
	message->given_back = false;
}

static void take_outcome(struct world *world, const Dienstweg__Item *item)
{
	const Dienstweg__Outcome *outcome = item->outcome;
	struct world_message *message = world_message(world, outcome->message_sequence);
	CHECK(message->submit);
	const struct key_secret *key = registry_fixture_secret(
		world->fixture.parties, "ministry", KEY_SIGN);
	uint8_t digest[HASH_SIZE];
	CHECK(bytes_equal(BYTES_PB(item->party), BYTES_STR("city")));
	CHECK(bytes_equal(BYTES_PB(outcome->h), BYTES(message->submit->facts.h, HASH_SIZE)));
	CHECK(bytes_equal(BYTES_PB(outcome->state), BYTES_STR("accepted")));
	CHECK(bytes_equal(BYTES_PB(outcome->recipient), BYTES_STR("ministry")));
	CHECK(item->sequence >= world->outcome_entry);
	world->outcome_entry = item->sequence;
	acknowledgement_digest(BYTES_STR("test.demo"), BYTES_STR("ministry"), message->sequence,
		outcome->h.data, true, (struct bytes){0}, (struct bytes){0}, digest);
	CHECK_INT(signature_verify(NULL, SIGNATURE_ACK, BYTES_STR("test.demo"), key->pub.public,
			  digest, outcome->signature),
		0);
	message->outcomes++;
}

static void post(void *context, struct outlet *outlet, Dienstweg__Frame *frame)
{
	struct world *world = context;
	CHECK(outlet == world->recipient || outlet == world->sender);
	CHECK(dienstweg__frame__get_packed_size(frame) <= FRAME_BYTES_MAX);
	world->frames++;
	for (size_t i = 0; i < frame->deliver->n_items; i++) {
		const Dienstweg__Item *item = frame->deliver->items[i];
		if (item->outcome)
			take_outcome(world, item);
		else
			take_message(world, item);
	}
}

/* ---- the world ---- */

static uint32_t party_number(struct world *world, const char *name)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct bytes key, value;
	CHECK_INT(journal_reader_new(journal_env(world->fixture.journal), NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_table(reader, STATE_PARTY, BYTES_STR(name), &key, &value), 0);
	CHECK(bytes_equal(key, BYTES_STR(name)));
	uint32_t number = be32_get(value.data);
	journal_reader_end(reader);
	return number;
}

struct world *world_new(const char *name)
{
	struct world *world = calloc(1, sizeof(*world));
	CHECK(world);
	journal_fixture_init(&world->fixture, check_memdir(), name);
	world->fixture.options.clock = clock_system();
	journal_fixture_start(&world->fixture);
	clock_fake_init(&world->clock, FIXTURE_NOW_MS);
	CHECK_INT(parcel_pool_new(1024, 1 << 20, &world->pool), 0);
	const struct clerk_options clerk = {
		.env = journal_env(world->fixture.journal),
		.keyring = world->fixture.keyring,
		.errands_max = WORLD_ERRANDS,
		.name = "clerk",
	};
	CHECK_INT(clerk_new(&clerk, &world->clerk), 0);
	const struct delivery_options options = {
		.clock = &world->clock,
		.clerk = world->clerk,
		.pool = world->pool,
		.bus = BYTES_STR("test.demo"),
		.lease_ms = WORLD_LEASE_MS,
		.out_bytes_max = WORLD_OUT_BYTES,
		.context = world,
		.act = act,
		.post = post,
		.failed = failed,
	};
	CHECK_INT(delivery_new(&options, &world->delivery), 0);
	world->city = party_number(world, "city");
	world->ministry = party_number(world, "ministry");
	return world;
}

void world_free(struct world *world)
{
	if (world->recipient)
		world_recipient_detach(world);
	if (world->sender)
		world_sender_detach(world);
	world_settle(world);
	CHECK_INT(parcel_pool_out(world->pool), 0);
	clerk_free(world->clerk);
	journal_fixture_stop(&world->fixture);
	delivery_free(world->delivery);
	parcel_pool_free(world->pool);
	for (size_t i = 0; i < world->kept_count; i++)
		parcel_free(world->kept[i]);
	journal_fixture_deinit(&world->fixture);
	free(world);
}

static struct outlet *attach(struct world *world, uint32_t number, const char *name)
{
	struct outlet *outlet = calloc(1, sizeof(*outlet));
	CHECK(outlet);
	outlet->serial = ++world->last_serial;
	CHECK_INT(delivery_attach(world->delivery, outlet, number, BYTES_STR(name)), 0);
	return outlet;
}

void world_recipient_attach(struct world *world)
{
	CHECK(!world->recipient);
	world->recipient = attach(world, world->ministry, "ministry");
	world->highest_new = 0;
}

void world_recipient_detach(struct world *world)
{
	delivery_detach(world->delivery, world->recipient, "session-lost");
	free(world->recipient);
	world->recipient = NULL;
	for (size_t i = 0; i < world->count; i++)
		world->messages[i].out = false;
}

void world_sender_attach(struct world *world)
{
	world->sender = attach(world, world->city, "city");
	world->outcome_entry = 0;
}

void world_sender_detach(struct world *world)
{
	delivery_detach(world->delivery, world->sender, "session-lost");
	free(world->sender);
	world->sender = NULL;
}

void world_credit(struct world *world, uint64_t messages)
{
	const struct window *window = &world->recipient->window;
	delivery_credit(world->delivery, world->recipient, window->sent_messages + messages,
		UINT64_MAX / 2);
}

/* ---- what parties do ---- */

static void keep(struct world *world, struct parcel *parcel)
{
	CHECK(world->kept_count < WORLD_PARCELS_MAX);
	world->kept[world->kept_count++] = parcel;
	journal_push(world->fixture.journal, parcel);
}

void world_submit(struct world *world, size_t count, size_t content_bytes)
{
	keep(world, journal_fixture_submit(&world->fixture,
			    &(struct fixture_load){.count = count, .content_bytes = content_bytes}));
}

void world_acknowledge(struct world *world, const size_t *messages, size_t count)
{
	struct parcel_submit *submits = calloc(count, sizeof(*submits));
	struct parcel sent = {.submits = submits, .submits_count = count};
	CHECK(submits || count == 0);
	for (size_t i = 0; i < count; i++) {
		struct world_message *message = &world->messages[messages[i]];
		submits[i] = *message->submit;
		message->out = false;
		message->acked = true;
	}
	struct parcel *parcel = journal_fixture_acks(&world->fixture, "ministry", &sent);
	CHECK_INT(delivery_acknowledge(world->delivery, world->recipient, parcel), 0);
	keep(world, parcel);
	free(submits);
}

void world_nak(struct world *world, size_t message, uint32_t delay_ms)
{
	Dienstweg__Nak nak = DIENSTWEG__NAK__INIT;
	nak.party = (ProtobufCBinaryData){.len = 8, .data = (uint8_t *)(uintptr_t) "ministry"};
	nak.sequences = &world->messages[message].sequence;
	nak.n_sequences = 1;
	nak.delay_ms = delay_ms;
	world->messages[message].out = false;
	world->messages[message].given_back = true;
	delivery_nak(world->delivery, world->recipient, &nak);
}

void world_confirm(struct world *world)
{
	delivery_confirm(world->delivery, world->sender, BYTES_STR("city"), world->outcome_entry);
}

struct parcel *world_cancel(struct world *world, size_t count)
{
	CHECK(world->kept_count > 0 && world->kept_count < WORLD_PARCELS_MAX);
	struct parcel *parcel = journal_fixture_cancel(
		&world->fixture, "city", world->kept[0], count, NULL);
	world->kept[world->kept_count++] = parcel;
	journal_push(world->fixture.journal, parcel);
	return parcel;
}

/* As transport does it. */
static bool goes_again(struct world *world, struct parcel *parcel)
{
	if (parcel->kind != PARCEL_CANCEL || parcel->cancel->again)
		return false;
	parcel->cancel->again = true;
	if (delivery_keep_back(world->delivery, parcel) == 0)
		return false;
	journal_push(world->fixture.journal, parcel);
	return true;
}

/* ---- turns ---- */

struct world_message *world_message(struct world *world, uint64_t sequence)
{
	size_t low = 0, high = world->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (world->messages[middle].sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	struct world_message *message = &world->messages[low];
	if (low < world->count && message->sequence == sequence)
		return message;
	CHECK(world->count < WORLD_MESSAGES_MAX);
	memmove(message + 1, message, (world->count++ - low) * sizeof(*message));
	*message = (struct world_message){.sequence = sequence};
	return message;
}

static void note_accepted(struct world *world, const struct parcel *parcel)
{
	for (size_t i = 0; i < parcel->submits_count; i++) {
		const struct parcel_submit *submit = &parcel->submits[i];
		CHECK_INT(submit->decision.result, SUBMIT_ACCEPTED);
		struct world_message *message = world_message(world, submit->proof.sequence);
		message->submit = submit;
		if (message->deliveries > 0)
			CHECK_MEM(message->h, submit->facts.h, HASH_SIZE);
	}
}

static void note_closed(struct world *world, const struct parcel *parcel)
{
	for (size_t i = 0; i < parcel->acks_count; i++) {
		const struct parcel_ack *ack = &parcel->acks[i];
		CHECK(!ack->decision.refused);
		for (size_t j = 0; j < ack->batch->n_acks; j++)
			world_message(world, ack->batch->acks[j]->sequence)
				->closed += ack->decision.verdicts[j] ==
					    DIENSTWEG__ACK_VERDICT__ACK_CLOSED;
	}
}

void world_turn(struct world *world, size_t parcels_max, bool collect)
{
	void *parcels[256];
	size_t count = parcels_max ? queue_pop_all(world->fixture.done, parcels, parcels_max) : 0;
	for (size_t i = 0; i < count; i++) {
		struct parcel *parcel = parcels[i];
		if (parcel->kind == PARCEL_SUBMIT)
			note_accepted(world, parcel);
		if (parcel->kind == PARCEL_ACKNOWLEDGE)
			note_closed(world, parcel);
		delivery_take(world->delivery, parcel);
		if (goes_again(world, parcel))
			parcels[i] = NULL;
	}
	delivery_flush(world->delivery);
	for (size_t i = 0; i < count; i++) {
		struct parcel *parcel = parcels[i];
		if (!parcel)
			continue;
		if (parcel->kind == PARCEL_TICK)
			journal_return(world->fixture.journal, parcel);
		else if (parcel->pooled)
			parcel_give(world->pool, parcel);
	}
	if (collect)
		clerk_collect(world->clerk);
	delivery_flush(world->delivery);
}

void world_wait(struct world *world, int timeout_ms)
{
	struct pollfd fds[] = {
		{.fd = queue_fd(world->fixture.done), .events = POLLIN},
		{.fd = clerk_fd(world->clerk), .events = POLLIN},
	};
	poll(fds, 2, timeout_ms);
}

/* Confirmations rest in the journal a while, uncounted. */
static bool is_settled(const struct world *world)
{
	return journal_pending(world->fixture.journal) == 0 && parcel_pool_out(world->pool) == 0 &&
	       queue_count(world->fixture.done) == 0 && clerk_out(world->clerk) == 0;
}

void world_settle(struct world *world)
{
	world_turn(world, 256, true);
	world_until(world, is_settled(world));
}

size_t world_out(const struct world *world, size_t *ret, size_t max)
{
	size_t count = 0;
	for (size_t i = 0; i < world->count && count < max; i++) {
		if (world->messages[i].out && world->messages[i].submit)
			ret[count++] = i;
	}
	return count;
}
