/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A clock that is set, by a careless hand or by a time server after a week: what waits for its time comes once, what
 * expires does so not before its time, and setting the clock right again brings nothing back.
 */
#include "broker/journal/test-fixture.h"
#include "test/kit/check.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000, MESSAGES = 200 };

struct seen {
	size_t queued, expiring;
};

static void step(struct journal_fixture *f, int64_t ms)
{
	__atomic_fetch_add(&f->clock.fake_wall_ms, (uint64_t)ms, __ATOMIC_ACQ_REL);
}

static void count(const struct parcel *parcel, struct seen *seen)
{
	for (const struct effect *e = parcel->effects; e; e = e->next) {
		seen->queued += e->type == EFFECT_QUEUED;
		seen->expiring += e->type == EFFECT_EXPIRE;
	}
}

/* A commit at the time of now, with everything that is due, however many ticks that takes. */
static struct seen look(struct journal_fixture *f)
{
	struct seen seen = {};
	for (size_t quiet = 0; quiet < 2;) {
		struct parcel *act = journal_fixture_act(f, PARCEL_EXPIRE), *back;
		size_t before = seen.queued + seen.expiring;
		journal_push(f->journal, act);
		while ((back = journal_fixture_wait(f)) != act) {
			CHECK_INT(back->kind, PARCEL_TICK);
			count(back, &seen);
			journal_return(f->journal, back);
		}
		parcel_free(act);
		quiet = seen.queued + seen.expiring == before ? quiet + 1 : 0;
	}
	return seen;
}

/* So many that failed once and are to be tried again in half a minute; they expire in an hour. */
static struct parcel *failed(struct journal_fixture *f)
{
	struct parcel *sent = journal_fixture_submit(
		f, &(struct fixture_load){.count = MESSAGES,
			   .content_bytes = 50,
			   .expires_ms = FIXTURE_NOW_MS + HOUR_MS});
	journal_fixture_run(f, sent);
	struct parcel *fail = journal_fixture_act(f, PARCEL_FAIL);
	fail->items = arena_zalloc(fail->arena, MESSAGES * sizeof(*fail->items));
	CHECK(fail->items);
	for (struct effect *effect = sent->effects; effect; effect = effect->next)
		fail->items[fail->items_count++] = (struct rules_item){
			.party = effect->party, .sequence = effect->sequence};
	CHECK_INT(fail->items_count, MESSAGES);
	fail->cause = "session-lost";
	fail->delay_ms = MINUTE_MS / 2;
	journal_fixture_run(f, fail);
	parcel_free(fail);
	return sent;
}

static void set_forward_each_comes_once(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_memdir(), "forward");
	journal_fixture_start(&f);
	struct parcel *sent = failed(&f);
	CHECK_INT(look(&f).queued, 0);
	step(&f, 10 * MINUTE_MS);
	struct seen seen = look(&f);
	CHECK_INT(seen.queued, MESSAGES);
	CHECK_INT(seen.expiring, 0); /* an hour is an hour */
	step(&f, -10 * MINUTE_MS);
	seen = look(&f);
	CHECK_INT(seen.queued + seen.expiring, 0);
	clock_fake_advance(&f.clock, 20 * MINUTE_MS);
	seen = look(&f);
	CHECK_INT(seen.queued + seen.expiring, 0);
	clock_fake_advance(&f.clock, 50 * MINUTE_MS);
	seen = look(&f);
	CHECK_INT(seen.queued, 0);
	CHECK_INT(seen.expiring, MESSAGES);
	parcel_free(sent);
	journal_fixture_stop(&f);
}

static void set_back_nothing_expires_early_or_waits_for_ever(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	journal_fixture_init(&f, check_memdir(), "back");
	journal_fixture_start(&f);
	struct parcel *sent = failed(&f);
	step(&f, -24 * (int64_t)HOUR_MS);
	struct seen seen = look(&f);
	CHECK_INT(seen.queued + seen.expiring, 0);
	/* Time goes on at half its pace: what was due in half a minute comes in one. */
	clock_fake_advance(&f.clock, MINUTE_MS - 1000);
	CHECK_INT(look(&f).queued, 0);
	clock_fake_advance(&f.clock, 1000);
	seen = look(&f);
	CHECK_INT(seen.queued, MESSAGES);
	CHECK_INT(seen.expiring, 0);
	clock_fake_advance(&f.clock, 2 * HOUR_MS - 2 * MINUTE_MS);
	CHECK_INT(look(&f).expiring, 0);
	/* Set right again, it is an hour or more; each expires once. */
	step(&f, 24 * (int64_t)HOUR_MS);
	seen = look(&f);
	CHECK_INT(seen.queued, 0);
	CHECK_INT(seen.expiring, MESSAGES);
	parcel_free(sent);
	journal_fixture_stop(&f);
}

CHECK_MAIN(CHECK_CASE(set_forward_each_comes_once),
	CHECK_CASE(set_back_nothing_expires_early_or_waits_for_ever))
