/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Peers that take and do not give back: one acknowledges nothing, one is slow, one never reads what it is answered.
 * What is out to each is bounded in bytes, others go on, and the operator sees who it is.
 */
#include <stdlib.h>

#include "proto/base/arena.h"
#include "test/kit/check.h"
#include "test/kit/usage.h"
#include "test/scenario/bystanders.h"
#include "test/scenario/tools.h"

enum { BODY = 60000, OUT_MAX = 1 << 20, WAIT_MS = 30000 };

/* The city sends the ministry so many figures of BODY bytes. */
static void figures_send(struct bystanders *all, size_t count)
{
	_cleanup_(heap_free) uint8_t *body = calloc(1, BODY);
	struct party_draft figures = {
		.service = "uvg.figures", .recipient = "ministry", .body = BYTES(body, BODY)};

	CHECK(body);
	for (size_t i = 0; i < count; i++) {
		CHECK_INT(party_send(&all->city, &figures)->kind, ANSWER_RECEIPT);
		arena_reset(all->city.arena);
	}
}

/* A figure of the ministry's session at this moment, as an operator sees it; 0 without a session. */
static unsigned long long figure(const struct bystanders *all, const char *field)
{
	return tool_figure(&all->bus, "{\"party\":\"ministry\"", field);
}

static unsigned long long out_bytes(const struct bystanders *all)
{
	return figure(all, "\"unacknowledged_bytes\":");
}

/* It grants credit for everything, reads everything and acknowledges nothing. */
static void who_never_acknowledges_gets_so_much_and_no_more(void)
{
	enum { MESSAGES = 60 };
	struct bystanders all;
	const char *log;

	bystanders_open(&all,
		"limits:\n  delivery_bytes: 1 MiB\ndelivery:\n  lease: 4 s\n  backoff_min: 60 s\n");
	log = all.bus.broker.log;
	all.ministry.manual = true;
	party_connect(&all.ministry, NULL);
	figures_send(&all, MESSAGES);
	/* Nothing but the end of leases makes room. */
	party_until(
		&all.ministry, all.ministry.deliveries_count >= OUT_MAX / (BODY + 2048), WAIT_MS);
	CHECK(out_bytes(&all) <= OUT_MAX);
	CHECK(all.ministry.deliveries_count < MESSAGES);
	bystanders_undisturbed(&all);

	/* Then they count as failed, one after the other, and its queue rests. */
	party_until(&all.ministry, wait_for_line(log, "the queue rests", all.bus.log_seen, 0) >= 0,
		WAIT_MS);
	tool_holds(tool_admin(&all.bus, 0, "status", NULL), "ministry", "RESTS", NULL);
	CHECK(out_bytes(&all) <= OUT_MAX);
	bystanders_undisturbed(&all);
	bystanders_close(&all);
}

/* One at a time, and a message of others in between: it gets all of them, once and in order. */
static void who_is_slow_gets_everything(void)
{
	enum { MESSAGES = 50 };
	struct bystanders all;

	bystanders_open(&all, "limits:\n  delivery_bytes: 1 MiB\n");
	all.ministry.manual = true;
	party_connect(&all.ministry, NULL);
	figures_send(&all, MESSAGES);
	for (size_t i = 0; i < MESSAGES; i++) {
		party_until(&all.ministry, all.ministry.deliveries_count > i, WAIT_MS);
		CHECK_INT(all.ministry.deliveries[i].attempt, 1);
		CHECK(i == 0 || all.ministry.deliveries[i].sequence >
					all.ministry.deliveries[i - 1].sequence);
		CHECK_INT(party_acknowledge(&all.ministry, i, 1, NULL), 1);
		if (i % 10 == 0) {
			CHECK(out_bytes(&all) <= OUT_MAX);
			bystanders_undisturbed(&all);
		}
	}
	party_until(&all.ministry, all.ministry.acknowledged_count == MESSAGES, WAIT_MS);
	CHECK_INT(all.ministry.deliveries_count, MESSAGES);
	bystanders_undisturbed(&all);
	bystanders_close(&all);
}

/* Empty envelopes: two bytes each, and a refusal with a sentence for every one. */
static struct bytes hollow_submit(struct wire *wire)
{
	enum { ENVELOPE_TAG = 3 << 3 | 2, ENVELOPES = 512 };
	uint8_t content[2 * ENVELOPES];

	for (size_t i = 0; i < ENVELOPES; i++) {
		content[2 * i] = ENVELOPE_TAG;
		content[2 * i + 1] = 0;
	}
	return wire_pack_raw(wire, DIENSTWEG__FRAME__BODY_SUBMIT, BYTES(content, sizeof(content)));
}

static void who_never_reads_its_answers_loses_its_session(void)
{
	/* Of the broker's: 4 MiB with ZeroMQ, and 4 MiB behind it. */
	enum { SUBMITS = 1000, LOOK_EVERY = 20, UNSENT_MAX = 4 << 20, OUTBOX_MAX = 4 << 20 };
	static const char line[] = "does not read what it is sent";
	struct bystanders all;
	bool ended = false;

	bystanders_open(&all, "");
	struct wire *wire = wire_new(&all.bus, "ministry");
	wire_open_session(wire, "ministry");
	for (size_t i = 1; i <= SUBMITS && !ended; i++) {
		CHECK(wire_send(wire, hollow_submit(wire), WAIT_MS));
		if (i % LOOK_EVERY == 0) {
			/* Not more than its budget at once, or it hears "busy" instead. */
			party_until(&all.city, figure(&all, "\"unanswered_bytes\":") == 0, WAIT_MS);
			CHECK(figure(&all, "\"unsent_bytes\":") <= UNSENT_MAX);
			CHECK(figure(&all, "\"outbox_bytes\":") <= OUTBOX_MAX);
			bystanders_undisturbed(&all);
			ended = wait_for_line(all.bus.broker.log, line, all.bus.log_seen, 0) >= 0;
		}
	}
	CHECK(ended);
	tool_holds(tool_admin(&all.bus, 0, "status", NULL), "that did not read: 1", NULL);
	bystanders_undisturbed(&all);
	wire_free(wire);
	bystanders_close(&all);
}

CHECK_MAIN(CHECK_CASE(who_never_acknowledges_gets_so_much_and_no_more),
	CHECK_CASE(who_is_slow_gets_everything),
	CHECK_CASE(who_never_reads_its_answers_loses_its_session))
