/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Derived tables made anew must be what the broker had, to the byte: of a life in which a bit of everything
 * happened, of traffic that nobody thought up, and of a journal from which two years have been erased. Compared
 * are the tables as the database has them, without any code of ours that reads rows.
 */
#include "broker/audit/rebuild.h"

#include <stdlib.h>

#include "broker/audit/test-life.h"
#include "broker/journal/store.h"
#include "broker/journal/test-erasing.h"
#include "test/kit/check.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000, DAY_MS = 86400000, STEPS = 60 };

/* ---- comparing ---- */

static struct db_txn *open_journal(const char *dir, struct db_env **ret)
{
	struct db_options options = {.tables_max = TABLES_MAX, .readers_max = 4, .read_only = true};
	struct db_txn *txn;
	CHECK_INT(db_env_open(dir, &options, ret), 0);
	CHECK_INT(db_begin(*ret, false, &txn), 0);
	return txn;
}

static uint64_t same_table(struct db_txn *a, struct db_txn *b, const char *name)
{
	struct db_cursor *in_a, *in_b;
	struct bytes key_a, key_b, value_a, value_b;
	db_table_id id_a, id_b;
	uint64_t rows = 0;
	int r;
	CHECK_INT(db_table_open(a, name, &id_a), 0);
	CHECK_INT(db_table_open(b, name, &id_b), 0);
	CHECK_INT(db_cursor_open(a, id_a, &in_a), 0);
	CHECK_INT(db_cursor_open(b, id_b, &in_b), 0);
	while ((r = db_cursor_next(in_a, &key_a, &value_a)) == 0) {
		if (db_cursor_next(in_b, &key_b, &value_b) || !bytes_equal(key_a, key_b) ||
			!bytes_equal(value_a, value_b))
			CHECK_FAIL("table %s differs in row %llu", name, (unsigned long long)rows);
		rows++;
	}
	CHECK_INT(r, DB_NOT_FOUND);
	CHECK_INT(db_cursor_next(in_b, &key_b, &value_b), DB_NOT_FOUND);
	db_cursor_close(in_a);
	db_cursor_close(in_b);
	return rows;
}

/* Return: rows of the derived tables. */
static uint64_t same_journals(const char *one, const char *other)
{
	struct db_env *env_a, *env_b;
	struct db_txn *a = open_journal(one, &env_a), *b = open_journal(other, &env_b);
	uint64_t rows = 0;
	for (size_t i = 0; journal_table_name(i); i++)
		same_table(a, b, journal_table_name(i));
	for (enum state_table table = 0; table < STATE_TABLES; table++)
		rows += same_table(a, b, state_table_name(table));
	db_abort(a);
	db_abort(b);
	db_env_close(env_a);
	db_env_close(env_b);
	return rows;
}

static void rebuild(const struct journal_fixture *f, const char *dir, struct found *found,
	struct audit_replay_result *ret)
{
	struct audit_replay_options options = {};
	struct audit_paths paths = {.journal = dir, .keyring = f->keys, .master_key = f->master};
	char error[512];
	found_init(found);
	int r = audit_rebuild(&paths, &options, &found->report, ret, error, sizeof(error));
	if (r)
		CHECK_FAIL("audit_rebuild() is %d: %s", r, error);
}

static const char *copy_of(const struct journal_fixture *f, const char *name, char buf[300])
{
	struct audit_report report = {};
	char error[512];
	CHECK(snprintf(buf, 300, "%s-%s", f->dir, name) < 300);
	CHECK_INT(audit_copy(f->dir, buf, &report, error, sizeof(error)), 0);
	return buf;
}

/* A copy without derived tables gets those of the original. Return: how many rows. */
static uint64_t rebuilt_equals(const struct journal_fixture *f)
{
	struct audit_replay_result result;
	struct found found;
	char dir[300];
	copy_of(f, "rebuilt", dir);
	rebuild(f, dir, &found, &result);
	found_none(&found);
	CHECK(result.complete);
	return same_journals(f->dir, dir);
}

/* What is only counted is summed up: from then on everything is in the entries. */
static void let_minutes_pass(struct journal_fixture *f)
{
	clock_fake_advance(&f->clock, 2 * MINUTE_MS);
	struct parcel *sent = journal_fixture_submit(f, &(struct fixture_load){.count = 1});
	journal_fixture_run(f, sent);
	parcel_free(sent);
}

/* ---- cases ---- */

static void a_life(void)
{
	_cleanup_(life_deinit) struct life life;
	life_init(&life, check_memdir(), "life");
	journal_fixture_start(&life.journal);
	let_minutes_pass(&life.journal);
	journal_fixture_stop(&life.journal);
	CHECK(rebuilt_equals(&life.journal) > 100);
}

static void in_place_and_over_again(void)
{
	_cleanup_(life_deinit) struct life life;
	struct audit_replay_result result;
	struct found found;
	uint8_t key[QUEUE_KEY_SIZE];
	char dir[300];
	life_init(&life, check_memdir(), "place");
	journal_fixture_start(&life.journal);
	let_minutes_pass(&life.journal);
	journal_fixture_stop(&life.journal);
	life_copy(&life, "damaged", dir);
	queue_key_encode(3, LANE_NORMAL, life.first_message + 20, key);
	life_remove(dir, "queue", BYTES(key, sizeof(key)));
	life_put(dir, "party", BYTES_STR("nobody"), BYTES_STR("xxxx"));
	for (int i = 0; i < 2; i++) {
		rebuild(&life.journal, dir, &found, &result);
		found_none(&found);
		same_journals(life.journal.dir, dir);
	}
}

/* No broker starts on a copy before it was rebuilt, nor when that came to no end. */
static void an_unfinished_one_does_not_start(void)
{
	_cleanup_(life_deinit) struct life life;
	struct audit_replay_result result;
	struct found found;
	struct key key;
	char dir[300], kept[256];
	life_init(&life, check_memdir(), "unfinished");
	struct journal_fixture *f = &life.journal;
	copy_of(f, "copy", dir);
	memcpy(kept, f->dir, sizeof(kept));
	CHECK(snprintf(f->dir, sizeof(f->dir), "%s", dir) < (int)sizeof(f->dir));
	CHECK_INT(journal_fixture_open(f), JOURNAL_CONFLICT);
	CHECK(strstr(f->error, "audit rebuild"));

	/* An entry that cannot be read, and no state behind it. */
	key = key_u64(life.expired);
	life_remove(dir, "record", KEY_BYTES_OF(key));
	rebuild(f, dir, &found, &result);
	found_one(&found, "entry-unreadable", life.expired);
	CHECK(!result.complete);
	CHECK_INT(journal_fixture_open(f), JOURNAL_CONFLICT);
	CHECK(strstr(f->error, "unfinished"));

	memcpy(f->dir, kept, sizeof(kept));
	copy_of(f, "whole", dir);
	rebuild(f, dir, &found, &result);
	CHECK(snprintf(f->dir, sizeof(f->dir), "%s", dir) < (int)sizeof(f->dir));
	journal_fixture_start(f);
	journal_fixture_stop(f);
}

static void a_copy_of_a_running_journal(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct audit_replay_result result;
	struct audit_report report = {};
	struct found found;
	char dir[300], error[512];
	journal_fixture_init(&f, check_memdir(), "running");
	journal_fixture_start(&f);
	struct parcel *sent = journal_fixture_submit(&f, &(struct fixture_load){.count = 30});
	journal_fixture_run(&f, sent);
	copy_of(&f, "copy", dir);
	rebuild(&f, dir, &found, &result);
	found_none(&found);
	CHECK_INT(result.rows[STATE_QUEUE], 0); /* compared: none */
	same_journals(f.dir, dir);
	CHECK_INT(audit_copy(f.dir, dir, &report, error, sizeof(error)), AUDIT_REFUSED);
	struct audit_paths paths = {.journal = f.dir, .keyring = f.keys, .master_key = f.master};
	struct audit_replay_options options = {};
	CHECK_INT(audit_rebuild(&paths, &options, &report, &result, error, sizeof(error)),
		AUDIT_REFUSED);
	CHECK(strstr(error, "stop it first"));
	parcel_free(sent);
	journal_fixture_stop(&f);
}

/* ---- random traffic ---- */

struct traffic {
	struct journal_fixture *f;
	uint64_t seed;
	struct parcel *sent[STEPS * 2];
	size_t count;
};

static uint64_t random_below(struct traffic *t, uint64_t limit)
{
	t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
	return (t->seed >> 33) % limit;
}

static void send_some(struct traffic *t)
{
	uint64_t now_ms = clock_wall_ms(&t->f->clock);
	struct fixture_load load = {
		.count = 1 + random_below(t, 40),
		.content_bytes = random_below(t, 5000),
		.sender = random_below(t, 3) == 0 ? "town" : NULL,
		.bad_signature = random_below(t, 8) == 0,
	};
	if (!load.sender && random_below(t, 2) == 0)
		load.service = random_below(t, 2) ? "notice" : "event";
	if (random_below(t, 4) == 0)
		load.not_before_ms = now_ms + 1 + random_below(t, 20 * MINUTE_MS);
	if (random_below(t, 4) == 0)
		load.expires_ms = now_ms + 30 * MINUTE_MS + random_below(t, HOUR_MS);
	struct parcel *parcel = journal_fixture_submit(t->f, &load);
	journal_fixture_run(t->f, parcel);
	if (load.bad_signature)
		parcel_free(parcel);
	else
		t->sent[t->count++] = parcel;
}

static const char *recipient_of(struct traffic *t, const struct parcel *parcel)
{
	static const char *const subscribers[] = {"town", "jobcenter", "ministry"};
	const Dienstweg__Header *header = parcel->submits[0].facts.header;
	if (header->recipient.len == 0)
		return subscribers[random_below(t, ARRAY_LEN(subscribers))];
	return header->service.len == 6 ? "jobcenter" : "ministry";
}

/* Some of a parcel's messages; late ones too, which change nothing. */
static void acknowledge_some(struct traffic *t, const struct parcel *parcel)
{
	struct parcel part = *parcel;
	size_t from = random_below(t, parcel->submits_count);
	part.submits += from;
	part.submits_count = 1 + random_below(t, parcel->submits_count - from);
	struct parcel *acks = journal_fixture_acks(t->f, recipient_of(t, parcel), &part);
	journal_fixture_run(t->f, acks);
	parcel_free(acks);
}

static void act_on_some(struct traffic *t, const struct parcel *parcel, enum parcel_kind kind)
{
	struct parcel *act = journal_fixture_act(t->f, kind);
	size_t count = 1 + random_below(t, parcel->submits_count);
	act->items = arena_zalloc(act->arena, count * sizeof(*act->items));
	CHECK(act->items);
	for (; act->items_count < count; act->items_count++) {
		const struct parcel_submit *submit = &parcel->submits[act->items_count];
		size_t nth = random_below(t, submit->decision.recipients_count);
		act->items[act->items_count] = (struct rules_item){
			.party = submit->decision.recipients[nth],
			.sequence = submit->proof.sequence,
		};
	}
	act->cause = "session-lost";
	act->backoff = random_below(t, 2);
	act->delay_ms = random_below(t, 3) == 0 ? 90000 : 0;
	journal_fixture_run(t->f, act);
	parcel_free(act);
}

static void confirm_some(struct traffic *t)
{
	struct parcel *confirm = journal_fixture_act(t->f, PARCEL_CONFIRM);
	struct journal_stats stats;
	journal_stats(t->f->journal, &stats);
	confirm->party = random_below(t, 2) ? 1 : 4; /* city, town */
	confirm->sequence = random_below(t, stats.tree_size + 3);
	journal_fixture_run(t->f, confirm);
	parcel_free(confirm);
}

static void step(struct traffic *t)
{
	const struct parcel *any = t->count ? t->sent[random_below(t, t->count)] : NULL;
	switch (any ? random_below(t, 10) : 0) {
	case 0:
	case 1:
	case 2:
		return send_some(t);
	case 3:
	case 4:
		return acknowledge_some(t, any);
	case 5:
		return act_on_some(t, any, PARCEL_FAIL);
	case 6:
		return act_on_some(t, any, PARCEL_EXPIRE);
	case 7:
		return confirm_some(t);
	case 8:
		clock_fake_advance(&t->f->clock, random_below(t, 40 * MINUTE_MS));
		if (random_below(t, 8) == 0)
			clock_fake_advance(&t->f->clock, DAY_MS);
		return;
	default:
		if (random_below(t, 3) > 0)
			return journal_state_request(t->f->journal);
		journal_fixture_stop(t->f);
		journal_fixture_start(t->f);
	}
}

static void any_traffic(void)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		_cleanup_(journal_fixture_deinit) struct journal_fixture f;
		struct traffic t = {.f = &f, .seed = seed};
		char name[20];
		snprintf(name, sizeof(name), "traffic-%d", (int)seed);
		journal_fixture_init(&f, check_memdir(), name);
		f.options.limits.refusals_per_minute = 7;
		journal_fixture_start(&f);
		for (int i = 0; i < STEPS; i++)
			step(&t);
		let_minutes_pass(&f);
		journal_fixture_stop(&f);
		CHECK(rebuilt_equals(&f) > 20);
		for (size_t i = 0; i < t.count; i++)
			parcel_free(t.sent[i]);
	}
}

/* ---- what was erased ---- */

/* Out of a backup of a journal from which messages have gone: queues and all that is open are as they were. What
   the broker still knows of erased messages (their ends) is in no entry any more. */
static void after_two_years(void)
{
	_cleanup_(erasing_deinit) struct erasing erasing;
	struct audit_replay_result result;
	struct found found;
	struct db_env *env_a, *env_b;
	char dir[300];
	erasing_init(&erasing, "years");
	struct journal_fixture *f = &erasing.journal;
	journal_fixture_start(f);
	struct parcel *done = erasing_submit(&erasing, &(struct fixture_load){.count = 40});
	erasing_deliver(&erasing, "ministry", done);
	struct parcel *open = erasing_submit(&erasing, &(struct fixture_load){.count = 7});
	erasing_later(&erasing, 800);
	struct parcel *late = erasing_submit(&erasing, &(struct fixture_load){.count = 9});
	journal_fixture_stop(f);
	copy_of(f, "copy", dir);
	rebuild(f, dir, &found, &result);
	found_none(&found);
	CHECK(result.complete && result.from > 0);
	struct db_txn *a = open_journal(f->dir, &env_a), *b = open_journal(dir, &env_b);
	CHECK_INT(same_table(a, b, "queue"), 16);
	same_table(a, b, "timer");
	same_table(a, b, "counter");
	same_table(a, b, "party");
	CHECK_INT(same_table(a, b, "seen"), 16);
	db_abort(a);
	db_abort(b);
	db_env_close(env_a);
	db_env_close(env_b);
	parcel_free(done);
	parcel_free(open);
	parcel_free(late);
}

CHECK_MAIN(CHECK_CASE(a_life), CHECK_CASE(in_place_and_over_again),
	CHECK_CASE(an_unfinished_one_does_not_start), CHECK_CASE(a_copy_of_a_running_journal),
	CHECK_CASE(any_traffic), CHECK_CASE(after_two_years))
