/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Load that cuts corners flatters the broker (it gets all the CPU) and hides what a party pays. So both
 * ends do the whole protocol, and their CPU is shown beside the broker's.
 */
#include "test/bench/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/receipt/receipt.h"
#include "test/kit/check.h"
#include "test/kit/usage.h"

enum {
	IN_FLIGHT_MAX = 4096,
	ARENA_BYTES = 64 << 20,
	FRAME_ROOM = 900000,
	SETTLE_MS = 20000,
	FILL_IN_FLIGHT = 1024
};

static uint64_t mono_ns(void)
{
	return clock_mono_ns(clock_system());
}

/* ---- receiver ---- */

struct receiver {
	struct party party;
	struct signature_cache *cache;
	struct sealing_opener *opener;
	struct arena *arena;
	struct samples *through;
};

/* What the acknowledgement needs is kept in the party's list, bodies are not. */
static void item_take(struct receiver *r, const Dienstweg__Item *item)
{
	Dienstweg__Header *header;
	const Dienstweg__Party *owner;
	const char *field;
	struct payload_content opened;
	uint64_t sent_ns;

	if (!item->envelope)
		return;
	struct party_delivery *d = &r->party.deliveries[r->party.deliveries_count++];
	d->sequence = item->sequence;
	envelope_header_hash(BYTES_PB(item->envelope->header), d->h);
	CHECK_INT(envelope_header_parse(r->arena, BYTES_PB(item->envelope->header), &header, &field),
		0);
	const Dienstweg__Key *key = registry_key(
		r->party.bus->registry, BYTES_PB(item->envelope->signature->key_id), &owner);
	CHECK(key);
	CHECK_INT(signature_verify(r->cache, SIGNATURE_MESSAGE, BYTES_STR("test.demo"),
			  key->public_.data, d->h, item->envelope->signature),
		0);
	CHECK_INT(sealing_opener_open(r->opener, header, BYTES_PB(item->envelope->content),
			  &r->party.seal, 1, r->arena, &opened),
		0);
	CHECK(opened.body.len >= 8);
	memcpy(&sent_ns, opened.body.data, 8);
	samples_add(r->through, mono_ns() - sent_ns);
}

static void receiver_frame(void *context, const Dienstweg__Frame *frame)
{
	struct receiver *r = context;
	uint64_t bytes = 0;

	if (frame->body_case != DIENSTWEG__FRAME__BODY_DELIVER)
		return;
	arena_reset(r->arena);
	r->party.deliveries_count = 0;
	CHECK(frame->deliver->n_items <= IN_FLIGHT_MAX);
	for (size_t i = 0; i < frame->deliver->n_items; i++) {
		item_take(r, frame->deliver->items[i]);
		if (frame->deliver->items[i]->envelope)
			bytes += frame->deliver->items[i]->envelope->header.len +
				 frame->deliver->items[i]->envelope->content.len;
	}
	CHECK(client_credit_add(r->party.client, frame->deliver->n_items, bytes) >= 0);
	if (r->party.deliveries_count)
		party_acknowledge(&r->party, 0, r->party.deliveries_count, NULL);
}

static void receiver_main(const struct bus *bus, const char *name, struct samples *through)
{
	struct receiver r = {.through = through};

	party_init(&r.party, bus, name);
	r.party.deliveries = calloc(IN_FLIGHT_MAX, sizeof(*r.party.deliveries));
	r.arena = arena_new(ARENA_BYTES);
	CHECK(r.party.deliveries && r.arena);
	CHECK_INT(signature_cache_new(256, &r.cache), 0);
	CHECK_INT(sealing_opener_new(&r.opener), 0);
	r.party.on_frame = receiver_frame;
	r.party.on_frame_context = &r;
	party_connect(&r.party, NULL);
	for (;;)
		party_step(&r.party, 1000);
}

void flow_receiver_start(struct flow_receiver *receiver, const struct bus *bus, const char *party)
{
	receiver->through = samples_new();
	receiver->pid = fork();
	CHECK(receiver->pid >= 0);
	if (receiver->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		receiver_main(bus, party, receiver->through);
		_exit(0);
	}
}

void flow_receiver_end(struct flow_receiver *receiver)
{
	kill(receiver->pid, SIGKILL);
	waitpid(receiver->pid, NULL, 0);
	samples_free(receiver->through);
}

/* ---- sender ---- */

struct flight {
	uint8_t h[32];
	uint8_t core[SIGNATURE_CORE_MAX];
	size_t core_len;
	uint64_t sent_ns;
};

struct sender {
	size_t header_bytes, content_bytes; /* of the newest message */
	struct party party;
	struct arena *arena;
	struct receipt_checker *checker;
	struct note_key log_keys[4];
	size_t log_keys_count;
	struct flight flights[IN_FLIGHT_MAX];
	uint64_t sent, answered;
	struct party_draft draft; /* all but the body */
	uint64_t count;           /* send no more than so many; 0: no end */
	size_t in_flight;
	struct samples *receipts;
	uint8_t *body;
	size_t body_len;
};

static void receipts_take(struct sender *s, const Dienstweg__Answer *answer)
{
	struct checkpoint checkpoint;
	uint64_t now = mono_ns();

	CHECK_INT(checkpoint_open(BYTES_PB(answer->checkpoint), s->log_keys, s->log_keys_count,
			  "test.demo/0", &checkpoint),
		0);
	CHECK_INT(receipt_checker_start(s->checker, &checkpoint, BYTES_PB(answer->nodes)), 0);
	for (size_t i = 0; i < answer->n_receipts; i++) {
		const struct flight *f = &s->flights[s->answered++ % IN_FLIGHT_MAX];
		CHECK_INT(receipt_check_message(s->checker, answer->receipts[i], f->h,
				  BYTES(f->core, f->core_len)),
			0);
		samples_add(s->receipts, now - f->sent_ns);
	}
}

static void sender_frame(void *context, const Dienstweg__Frame *frame)
{
	struct sender *s = context;

	if (frame->body_case == DIENSTWEG__FRAME__BODY_DELIVER) {
		/* Outcomes: take them and confirm, as a real party would. */
		const Dienstweg__Deliver *deliver = frame->deliver;
		Dienstweg__Frame out = DIENSTWEG__FRAME__INIT;
		Dienstweg__Confirm confirm = DIENSTWEG__CONFIRM__INIT;
		CHECK(client_credit_add(s->party.client, deliver->n_items, 0) >= 0);
		if (!deliver->n_items)
			return;
		confirm.party = (ProtobufCBinaryData){
			.len = strlen(s->party.name), .data = (uint8_t *)s->party.name};
		confirm.sequence = deliver->items[deliver->n_items - 1]->sequence;
		out.body_case = DIENSTWEG__FRAME__BODY_CONFIRM;
		out.confirm = &confirm;
		(void)client_send(s->party.client, &out);
	}
	if (frame->body_case != DIENSTWEG__FRAME__BODY_ANSWER)
		return;
	CHECK_INT(frame->answer->n_refusals, 0);
	CHECK_INT(frame->answer->n_deferrals, 0);
	CHECK(frame->answer->frame == NULL);
	if (frame->answer->n_receipts)
		receipts_take(s, frame->answer);
}

static void send_some(struct sender *s, size_t count)
{
	struct party_draft draft = s->draft;
	uint64_t now = mono_ns();

	arena_reset(s->arena);
	memcpy(s->body, &now, 8);
	draft.body = BYTES(s->body, s->body_len);
	Dienstweg__Envelope **envelopes = party_compose(&s->party, &draft, count, s->arena);
	s->header_bytes = envelopes[0]->header.len;
	s->content_bytes = envelopes[0]->content.len;
	for (size_t i = 0; i < count; i++) {
		struct flight *f = &s->flights[s->sent++ % IN_FLIGHT_MAX];
		envelope_header_hash(BYTES_PB(envelopes[i]->header), f->h);
		f->core_len = signature_core(envelopes[i]->signature, f->core);
		f->sent_ns = now;
	}
	party_submit(&s->party, envelopes, count, false);
}

/* As a real outbox would: whatever there is room for goes out at once, in whole batches when possible. */
static void fill_flight(struct sender *s, size_t frame_max)
{
	size_t room = s->in_flight - (size_t)(s->sent - s->answered);

	if (s->count && room > s->count - s->sent)
		room = (size_t)(s->count - s->sent);
	while (room > 0) {
		size_t count = room < frame_max ? room : frame_max;
		send_some(s, count);
		room -= count;
	}
}

static void sender_init(
	struct sender *s, const struct bus *bus, const char *name, size_t in_flight, size_t body)
{
	*s = (struct sender){
		.in_flight = in_flight, .body_len = body, .draft = {.region = "051240000000"}};
	party_init(&s->party, bus, name);
	s->arena = arena_new(ARENA_BYTES);
	s->body = calloc(1, body);
	s->receipts = samples_new();
	CHECK(s->arena && s->body);
	CHECK_INT(receipt_checker_new(&s->checker), 0);
	s->log_keys_count = registry_log_keys(
		bus->registry, "test.demo/0", s->log_keys, ARRAY_LEN(s->log_keys));
	CHECK(s->log_keys_count > 0);
	s->party.on_frame = sender_frame;
	s->party.on_frame_context = s;
	party_connect(&s->party, NULL);
}

static void sender_deinit(struct sender *s)
{
	receipt_checker_free(s->checker);
	samples_free(s->receipts);
	arena_free(s->arena);
	free(s->body);
	party_deinit(&s->party);
}

static size_t frame_messages(size_t body)
{
	size_t fit = FRAME_ROOM / (body + 1024);
	return fit > BATCH_MAX ? BATCH_MAX : fit;
}

double flow_fill(const struct bus *bus, const char *sender, const struct party_draft *draft,
	uint64_t count, size_t body)
{
	struct sender *s = malloc(sizeof(*s));
	CHECK(s);
	sender_init(s, bus, sender, FILL_IN_FLIGHT, body);
	s->draft = *draft;
	s->count = count;
	uint64_t start = mono_ns();
	while (s->answered < count) {
		fill_flight(s, frame_messages(body));
		party_step(&s->party, 100);
	}
	double rate = (double)count / ((double)(mono_ns() - start) / 1e9);
	sender_deinit(s);
	free(s);
	return rate;
}

void flow_run(const struct bus *bus, const char *sender, struct flow_receiver *receiver,
	size_t in_flight, size_t body, double seconds, struct flow_result *ret)
{
	struct sender *s = malloc(sizeof(*s));
	CHECK(s && in_flight <= IN_FLIGHT_MAX);
	sender_init(s, bus, sender, in_flight, body);
	size_t frame_max = frame_messages(body);

	samples_clear(receiver->through);
	double cpu_self = usage_cpu_s(getpid()), cpu_receiver = usage_cpu_s(receiver->pid);
	uint64_t start = mono_ns(), end = start + (uint64_t)(seconds * 1e9);
	while (mono_ns() < end) {
		fill_flight(s, frame_max);
		party_step(&s->party, 100);
	}
	party_until(&s->party, s->answered == s->sent, SETTLE_MS);
	party_until(&s->party, receiver->through->count >= s->sent, SETTLE_MS);
	ret->seconds = (double)(mono_ns() - start) / 1e9;
	ret->messages = s->sent;
	ret->header_bytes = s->header_bytes;
	ret->content_bytes = s->content_bytes;
	ret->rate = (double)s->sent / ret->seconds;
	ret->sender_cpu_us = (usage_cpu_s(getpid()) - cpu_self) * 1e6 / (double)s->sent;
	ret->receiver_cpu_us = (usage_cpu_s(receiver->pid) - cpu_receiver) * 1e6 / (double)s->sent;
	ret->receipt_p50_us = samples_percentile(s->receipts, 0.5);
	ret->receipt_p99_us = samples_percentile(s->receipts, 0.99);
	ret->through_p50_us = samples_percentile(receiver->through, 0.5);
	ret->through_p99_us = samples_percentile(receiver->through, 0.99);
	sender_deinit(s);
	free(s);
}
