/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/routing/memory.h"
#include "broker/routing/rules.h"
#include "proto/registry/fixture.h"

/*
 * The rules over memory with a small real registry, for unit tests and the explorer. A failure ends the
 * program with a line on standard error. For tests only.
 *
 * Parties city, jobcenter, ministry, cooperative, and town, which the cooperative operates. Agreements:
 *   a-alg2     alg2.application (end to end)      city, town -> jobcenter, region 05124
 *   b-figures  figures (broker-readable, quota 2) city -> ministry
 *   c-notice   death.notice (event, readable)     city -> jobcenter and ministry
 *   d-reply    alg2.decision (end to end)         jobcenter -> city
 */
struct rules_fixture {
	struct registry_fixture *parties;
	struct registry *registry;
	struct state_memory *memory;
	struct arena *arena; /* of everything handed out */
	struct rules_limits limits;
	struct rules rules;
	struct tick_cursor cursor;
};

enum { FIXTURE_REFUSALS = 3, FIXTURE_BACKOFF_MIN_MS = 1000, FIXTURE_BACKOFF_MAX_MS = 60000 };

/* 2026-06-15, noon UTC: the batch time a fixture begins with. */
#define FIXTURE_NOW_MS UINT64_C(1781524800000)

/* A message to make; what is zero or NULL has a sensible value. */
struct fixture_message {
	const char *sender;    /* "city" */
	const char *recipient; /* or region, or neither: event */
	const char *region;
	const char *service; /* "alg2.application" */
	const char *agreement;
	const char *sealed_for; /* comma-separated parties; NULL: clear */
	const char *speaker;    /* NULL: the sender */
	uint8_t id;             /* last byte of the message id */
	uint8_t case_id;        /* first byte of the case id */
	uint8_t variant;        /* changes header bytes and nothing else */
	uint64_t made_ms;       /* time in the message id; 0: FIXTURE_NOW_MS */
	uint64_t not_before_ms;
	uint64_t expires_ms;
	uint32_t content_length; /* 0: 1000 */
	uint32_t priority;
	uint32_t retention;
	Dienstweg__Kind kind;       /* 0: submission, or event without an address */
	const uint8_t *in_reply_to; /* h, or NULL */
};

/* One acknowledgement to make. */
struct fixture_ack {
	uint64_t sequence;
	const uint8_t *h;
	bool rejected;
};

/* A message to take back. */
struct fixture_cancel {
	const uint8_t *message_id;
	const char *recipient; /* NULL: all */
};

/* Real keys, registry version 1 adopted, sequence 0. */
void rules_fixture_init(struct rules_fixture *fixture);
void rules_fixture_deinit(struct rules_fixture *fixture);
DEFINE_CLEANUP_PTR(struct rules_fixture, rules_fixture_deinit);

/* Load what the registry fixture holds by now as the next version, and adopt it. */
void rules_fixture_adopt(struct rules_fixture *fixture);

/* Header bytes, their strict parse, and facts that say "signed by the sender". In the fixture's arena. */
struct submit_facts *rules_fixture_message(
	struct rules_fixture *fixture, const struct fixture_message *message);

/* The same for a batch signed by @recipient (a name in the registry). */
struct ack_facts *rules_fixture_acks(struct rules_fixture *fixture, const char *recipient,
	const struct fixture_ack *acks, size_t count);

/* And for one signed by @sender, with the reason "mistake". */
struct cancel_facts *rules_fixture_cancels(struct rules_fixture *fixture, const char *sender,
	const struct fixture_cancel *items, size_t count);

/* Run the rules; a decision that asks for an entry moves the sequence on. */
struct submit_decision rules_fixture_submit(
	struct rules_fixture *fixture, const struct submit_facts *facts);
struct ack_decision rules_fixture_acknowledge(
	struct rules_fixture *fixture, const struct ack_facts *facts);
struct cancel_decision rules_fixture_cancel(struct rules_fixture *fixture,
	const struct cancel_facts *facts, const struct rules_item *items, size_t count);
/* All that is due; the last decision that asked for an entry, if any. */
struct items_decision rules_fixture_tick(struct rules_fixture *fixture);

/* Effects since the last call, oldest first. */
const struct effect *rules_fixture_effects(struct rules_fixture *fixture);

/* Number of a party of the registry. */
uint32_t rules_fixture_number(struct rules_fixture *fixture, const char *name);
