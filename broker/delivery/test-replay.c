/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Who may have what once more, decided over a real journal: what was taken and nothing that waits; events for a party
 * that subscribes later, as long as they count; in stretches that go on where the last one ended; and from a time on.
 */
#include "broker/delivery/replay.h"

#include "broker/journal/test-fixture.h"
#include "test/kit/check.h"

enum { SECOND_MS = 1000, BYTES_MAX = 1 << 20 };

static struct parcel *submitted(struct journal_fixture *f, const struct fixture_load *load)
{
	struct parcel *parcel = journal_fixture_submit(f, load);
	journal_fixture_run(f, parcel);
	CHECK_INT(parcel->submits[0].decision.result, SUBMIT_ACCEPTED);
	return parcel;
}

static uint64_t first_of(const struct parcel *parcel)
{
	return parcel->submits[0].proof.sequence;
}

static void take(struct journal_fixture *f, const char *recipient, const struct parcel *sent)
{
	struct parcel *acks = journal_fixture_acks(f, recipient, sent);
	journal_fixture_run(f, acks);
	parcel_free(acks);
}

/* A party more, which subscribes to the event from now on. */
static void subscribe(struct journal_fixture *f, const char *name)
{
	registry_fixture_party(f->parties, name, NULL);
	registry_fixture_flow(f->parties, f->agreement, "event", "city", name, NULL);
	struct registry *next = registry_fixture_load(f->parties, 2, f->registry);
	struct parcel *parcel = journal_fixture_act(f, PARCEL_REGISTRY);
	parcel->registry = registry_ref(next);
	journal_fixture_run(f, parcel);
	CHECK_INT(parcel->verdict, 0);
	parcel_free(parcel);
	registry_unref(f->registry);
	f->registry = next;
}

/* What is asked; zero means without bound. */
struct ask {
	uint64_t from, from_ms, later_ms;
	size_t messages_max;
	uint64_t bytes_max;
};

static struct replay_found look(struct journal_fixture *f, const char *name, struct ask ask)
{
	_cleanup_(arena_free) struct arena *scratch = arena_new(1 << 20);
	_cleanup_(arena_free) struct arena *arena = arena_new(4 << 20);
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct bytes key, value;
	struct replay_found found;
	struct replay_question question = {
		.registry = f->registry,
		.name = BYTES_STR(name),
		.from = ask.from,
		.from_ms = ask.from_ms,
		.now_ms = clock_wall_ms(&f->clock) + ask.later_ms,
		.messages_max = ask.messages_max ? ask.messages_max : BATCH_ITEMS_MAX,
		.bytes_max = ask.bytes_max ? ask.bytes_max : BYTES_MAX,
	};
	CHECK_INT(journal_reader_new(journal_env(f->journal), f->keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_table(reader, STATE_PARTY, BYTES_STR(name), &key, &value), 0);
	CHECK(bytes_equal(key, BYTES_STR(name)));
	question.party = be32_get(value.data);
	CHECK_INT(replay_read(&question, reader, scratch, arena, &found), 0);
	journal_reader_end(reader);
	return found;
}

static void what_was_taken_and_nothing_that_waits(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_tmpdir(), "taken");
	journal_fixture_start(&f);
	struct parcel *took = submitted(&f, &(struct fixture_load){.count = 3});
	struct parcel *waits = submitted(&f, &(struct fixture_load){.count = 2});
	take(&f, "ministry", took);
	struct replay_found found = look(&f, "ministry", (struct ask){});
	CHECK_INT(found.count, 3);
	CHECK(found.end && found.next > first_of(waits));
	CHECK_INT(look(&f, "town", (struct ask){}).count, 0);
	CHECK_INT(look(&f, "city", (struct ask){}).count, 0); /* its own */
	/* Stretches go on where the last one ended, and what does not fit comes first the next time. */
	found = look(&f, "ministry", (struct ask){.messages_max = 2});
	CHECK(found.count == 2 && !found.end);
	CHECK_INT(found.next, first_of(took) + 2);
	CHECK_INT(look(&f, "ministry", (struct ask){.from = found.next}).count, 1);
	found = look(&f, "ministry", (struct ask){.bytes_max = 10});
	CHECK(found.count == 0 && !found.end);
	CHECK_INT(found.next, first_of(took));
	parcel_free(took);
	parcel_free(waits);
	journal_fixture_stop(&f);
}

static void events_of_before(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_tmpdir(), "events");
	journal_fixture_start(&f);
	uint64_t now_ms = clock_wall_ms(&f.clock);
	struct fixture_load event = {.service = "event", .count = 3};
	struct fixture_load short_lived = event, later = event;
	short_lived.expires_ms = now_ms + SECOND_MS;
	later.not_before_ms = now_ms + 3600 * SECOND_MS;
	struct parcel *events = submitted(&f, &event);
	parcel_free(submitted(&f, &short_lived));
	parcel_free(submitted(&f, &later));
	parcel_free(submitted(&f, &(struct fixture_load){.count = 4}));
	subscribe(&f, "village");
	CHECK_INT(look(&f, "village", (struct ask){}).count, 6);
	struct replay_found found = look(&f, "village", (struct ask){.later_ms = SECOND_MS});
	CHECK_INT(found.count, 3);
	/* Who was a recipient gets nothing before it has taken it, and then once more. */
	CHECK_INT(look(&f, "town", (struct ask){}).count, 0);
	take(&f, "town", events);
	CHECK_INT(look(&f, "town", (struct ask){}).count, 3);
	parcel_free(events);
	journal_fixture_stop(&f);
}

static void from_a_time_on(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	uint64_t at_ms[8];
	journal_fixture_init(&f, check_tmpdir(), "time");
	journal_fixture_start(&f);
	for (size_t i = 0; i < ARRAY_LEN(at_ms); i++) {
		clock_fake_advance(&f.clock, SECOND_MS);
		at_ms[i] = clock_wall_ms(&f.clock);
		struct parcel *sent = submitted(&f, &(struct fixture_load){.count = 2});
		take(&f, "ministry", sent);
		parcel_free(sent);
	}
	for (size_t i = 0; i < ARRAY_LEN(at_ms); i++) {
		size_t left = 2 * (ARRAY_LEN(at_ms) - i);
		CHECK_INT(look(&f, "ministry", (struct ask){.from_ms = at_ms[i]}).count, left);
		CHECK_INT(look(&f, "ministry", (struct ask){.from_ms = at_ms[i] + 1}).count,
			left - 2);
	}
	CHECK(look(&f, "ministry", (struct ask){.from_ms = at_ms[7] + 1}).end);
	journal_fixture_stop(&f);
}

CHECK_MAIN(CHECK_CASE(what_was_taken_and_nothing_that_waits), CHECK_CASE(events_of_before),
	CHECK_CASE(from_a_time_on))
