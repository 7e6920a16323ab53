/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * An auditor who is told of a fault that is none stops reading. So many journals in which anything may have
 * happened, in any order and over days, are verified whole, by one thread and by several, and step by step as
 * they grow; nothing is ever found.
 */
#include <inttypes.h>
#include <stdio.h>

#include "broker/audit/test-life.h"
#include "broker/audit/verified.h"
#include "test/kit/check.h"

enum { JOURNALS = 16, STEPS = 24, HOUR_MS = 3600000 };

/* xorshift64*: the seed is the journal's number, so that a failure can be repeated. */
static uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static void act(struct life *life, enum parcel_kind kind, const struct parcel *sent, size_t count)
{
	struct parcel *parcel = journal_fixture_act(&life->journal, kind);
	parcel->items = arena_zalloc(parcel->arena, (count + 1) * sizeof(*parcel->items));
	CHECK(parcel->items);
	for (const struct effect *effect = sent->effects; effect && parcel->items_count < count;
		effect = effect->next)
		parcel->items[parcel->items_count++] = (struct rules_item){
			.party = effect->party, .sequence = effect->sequence};
	parcel->cause = "session-lost";
	parcel->backoff = true;
	journal_fixture_run(&life->journal, parcel);
	parcel_free(parcel);
}

static void step(struct life *life, uint64_t *random)
{
	struct journal_fixture *f = &life->journal;
	uint64_t now_ms = clock_wall_ms(&f->clock);
	bool notice = next(random) % 2;
	struct fixture_load load = {
		.sender = notice || next(random) % 2 ? "city" : "town",
		.service = notice ? "notice" : "figures",
		.count = 1 + next(random) % 70,
		.content_bytes = next(random) % 9000,
		.bad_signature = next(random) % 9 == 0,
		.not_before_ms = next(random) % 7 == 0 ? now_ms + HOUR_MS : 0,
		.expires_ms = next(random) % 5 == 0 ? now_ms + 2 * HOUR_MS : 0,
	};
	struct parcel *sent = journal_fixture_submit(f, &load);
	journal_fixture_run(f, sent);
	bool accepted = sent->submits[0].decision.result == SUBMIT_ACCEPTED;
	switch (next(random) % 6) {
	case 0:
		if (sent->effects)
			act(life, PARCEL_FAIL, sent, 1 + next(random) % 8);
		break;
	case 1: {
		struct parcel *again = journal_fixture_resend(f, sent);
		journal_fixture_run(f, again);
		parcel_free(again);
		break;
	}
	case 2:
		life_next_registry(life);
		break;
	case 3:
		journal_fixture_stop(f);
		clock_fake_advance(&f->clock, next(random) % (50 * HOUR_MS));
		journal_fixture_start(f);
		break;
	default:
		if (accepted && load.not_before_ms == 0) {
			struct parcel *acks = journal_fixture_acks(
				f, notice ? "jobcenter" : "ministry", sent);
			journal_fixture_run(f, acks);
			parcel_free(acks);
		}
	}
	parcel_free(sent);
	clock_fake_advance(&f->clock, next(random) % (2 * HOUR_MS));
}

static void verify(const struct life *life, size_t workers, const struct verified *from,
	struct verified *remember, uint64_t seed)
{
	struct audit_verify_options options = {
		.depth = AUDIT_FULL, .workers = workers, .from = from, .remember = remember};
	struct audit_verify_result result;
	struct found found;
	_cleanup_(audit_close) struct audit audit;
	life_open(life, life->journal.dir, &audit);
	found_init(&found);
	CHECK_INT(audit_verify(&audit, &options, &found.report, &result), 0);
	if (found.report.findings > 0)
		fprintf(stderr, "journal %" PRIu64 " of %" PRIu64 " entries:\n", seed,
			result.entries);
	found_none(&found);
}

/* Verified now and then as it grows, each time from where the last one ended, and whole in the end. */
static void live(uint64_t seed)
{
	_cleanup_(life_deinit) struct life life;
	struct verified memory[2] = {};
	size_t turn = 0;
	char name[32];
	uint64_t random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	snprintf(name, sizeof(name), "clean%" PRIu64, seed);
	life_init(&life, check_memdir(), name);
	journal_fixture_start(&life.journal);
	for (size_t i = 0; i < STEPS; i++) {
		step(&life, &random);
		if (next(&random) % 8 != 0)
			continue;
		journal_fixture_stop(&life.journal);
		verify(&life, next(&random) % 3, turn ? &memory[turn % 2] : NULL,
			&memory[(turn + 1) % 2], seed);
		turn++;
		CHECK(memory[turn % 2].note_len > 0);
		journal_fixture_start(&life.journal);
	}
	journal_fixture_stop(&life.journal);
	verify(&life, 0, NULL, NULL, seed);
	verify(&life, 3, NULL, NULL, seed);
	if (turn)
		verify(&life, 2, &memory[turn % 2], NULL, seed);
}

static void nothing_is_found_in_an_honest_journal(void)
{
	for (uint64_t seed = 0; seed < JOURNALS; seed++)
		live(seed);
}

CHECK_MAIN(CHECK_CASE(nothing_is_found_in_an_honest_journal))
