/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Replay must find what an honest journal cannot contain, and nothing in one that is honest, whatever
 * state it was left in. Rows are changed behind the broker's back, one at a time; entries are forged with
 * the broker's own keys, which is what verify cannot see and replay can.
 */
#include "broker/audit/replay.h"

#include "broker/audit/test-life.h"
#include "test/kit/check.h"

static struct audit_replay_result replay(
	const struct life *life, const char *dir, struct found *found)
{
	struct audit_replay_result result;
	struct audit_replay_options options = {.work = check_memdir(), .findings_max = 100};
	_cleanup_(audit_close) struct audit audit;
	life_open(life, dir, &audit);
	found_init(found);
	CHECK_INT(audit_replay(&audit, &options, &found->report, &result), 0);
	return result;
}

static void agrees_with_an_honest_journal(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	life_init(&life, check_memdir(), "honest");
	struct audit_replay_result result = replay(&life, life.journal.dir, &found);
	found_none(&found);
	CHECK(result.complete);
	CHECK_INT(result.entries, life.size);
	CHECK_INT(result.states, 1);
	/* Two registries, 40 + 5 + 4 + 1 + 5 + 2 + 3 + 1 + 6 messages, acks, 2 + 3 failures, 3 dead letters, 8
	   orders, expiry, 3 + 3 refusals. */
	CHECK_INT(result.decisions, 2 + 67 + 1 + 5 + 3 + 8 + 1 + 6);
	CHECK(result.rows[STATE_QUEUE] > 40 && result.rows[STATE_SEEN] == 67);
	CHECK(result.rows[STATE_ORDER] == 5 && result.rows[STATE_HOLD] == 1);
	CHECK(result.rows[STATE_TIMER] > 0 && result.rows[STATE_END] > 0);
	CHECK_INT(result.rows[STATE_PARTY], 5);
}

/* At any moment: with everything open, with a delay that is over but not yet handled, at the first entry. */
static void agrees_with_a_running_journal(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	struct parcel *ticks[JOURNAL_TICKS];
	life_init(&life, check_memdir(), "running");
	struct journal_fixture *f = &life.journal;
	journal_fixture_start(f);
	char dir[300];
	struct fixture_load load = {.count = 1500,
		.content_bytes = 10,
		.not_before_ms = clock_wall_ms(&f->clock) + 1000};
	struct parcel *sent = journal_fixture_submit(f, &load);
	journal_fixture_run(f, sent);
	parcel_free(sent);
	/* More is due than delivery can be told of at once: the rest waits in `timer`. */
	clock_fake_advance(&f->clock, 5000);
	for (size_t i = 0; i < JOURNAL_TICKS; i++)
		ticks[i] = journal_fixture_wait(f);
	replay(&life, life_copy(&life, "ticks", dir), &found);
	found_none(&found);
	for (size_t i = 0; i < JOURNAL_TICKS; i++)
		journal_return(f->journal, ticks[i]);
	journal_fixture_stop(f);
	replay(&life, f->dir, &found);
	found_none(&found);
}

static void agrees_with_a_new_journal(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	_cleanup_(audit_close) struct audit audit;
	struct audit_replay_options options = {.work = check_memdir()};
	struct audit_replay_result result;
	struct found found;
	char error[256];
	journal_fixture_init(&f, check_memdir(), "new");
	CHECK_INT(journal_fixture_open(&f), 0);
	journal_free(f.journal);
	f.journal = NULL;
	struct audit_paths paths = {.journal = f.dir, .keyring = f.keys, .master_key = f.master};
	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
	found_init(&found);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &result), 0);
	found_none(&found);
	CHECK_INT(result.entries, 1);
	CHECK(result.complete);
}

/* ---- rows ---- */

static void finds_a_changed_queue(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	uint8_t key[QUEUE_KEY_SIZE], value[QUEUE_ROW_SIZE] = {};
	char dir[300];
	life_init(&life, check_memdir(), "queue");
	uint64_t message = life.first_message + 20;
	queue_key_encode(3, LANE_NORMAL, message, key); /* ministry */
	life_copy(&life, "gone", dir);
	life_remove(dir, "queue", BYTES(key, sizeof(key)));
	replay(&life, dir, &found);
	found_one(&found, "row-missing", message);

	life_copy(&life, "attempts", dir);
	life_flip(dir, "queue", BYTES(key, sizeof(key)), 1);
	replay(&life, dir, &found);
	found_one(&found, "row-differs", message);

	/* For somebody who was never to have it: jobcenter. */
	queue_key_encode(2, LANE_NORMAL, message, key);
	life_copy(&life, "more", dir);
	life_put(dir, "queue", BYTES(key, sizeof(key)), BYTES(value, sizeof(value)));
	replay(&life, dir, &found);
	found_one(&found, "row-unfounded", message);

	/* An outcome can neither be another, nor be gone before its sender confirmed it. */
	queue_key_encode(1, LANE_OUTCOME, life.expired, key);
	life_copy(&life, "outcome", dir);
	life_flip(dir, "queue", BYTES(key, sizeof(key)), 12);
	replay(&life, dir, &found);
	found_one(&found, "row-differs", life.expired);
	life_copy(&life, "confirmed", dir);
	life_remove(dir, "queue", BYTES(key, sizeof(key)));
	replay(&life, dir, &found);
	found_one(&found, "row-missing", life.expired);
}

static void finds_changed_memories(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	uint8_t key[SEEN_KEY_SIZE], end[END_KEY_SIZE], total[TOTAL_KEY_SIZE];
	char dir[300];
	life_init(&life, check_memdir(), "memories");
	seen_key_encode(life.message_id, 1, key);
	life_copy(&life, "seen", dir);
	life_remove(dir, "seen", BYTES(key, sizeof(key)));
	replay(&life, dir, &found);
	found_one(&found, "row-missing", life.first_notice);
	life_copy(&life, "seen2", dir);
	life_flip(dir, "seen", BYTES(key, sizeof(key)), 20);
	replay(&life, dir, &found);
	found_one(&found, "row-differs", life.first_notice);

	end_key_encode(life.first_notice, 2, end);
	life_copy(&life, "end", dir);
	life_flip(dir, "end", BYTES(end, sizeof(end)), 0); /* accepted becomes delayed */
	replay(&life, dir, &found);
	found_one(&found, "row-differs", life.first_notice);

	total_key_encode(COUNTER_QUEUE, 3, total);
	life_copy(&life, "total", dir);
	life_flip(dir, "counter", BYTES(total, sizeof(total)), 7);
	replay(&life, dir, &found);
	found_one(&found, "row-differs", life.size - 1);
	life_copy(&life, "party", dir);
	life_flip(dir, "party", BYTES_STR("ministry"), 3);
	replay(&life, dir, &found);
	found_one(&found, "row-differs", life.size - 1);
}

/* A count of refusals may be anything above what was journaled, but not below. */
static void finds_a_changed_count_of_refusals(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	uint8_t key[REFUSALS_KEY_SIZE];
	char dir[300];
	life_init(&life, check_memdir(), "refusals");
	/* town's last minute: three journaled, one counted. Numbers follow the order of names. */
	refusals_key_encode(4, clock_wall_ms(&life.journal.clock) / 60000, key);
	life_copy(&life, "counted", dir);
	life_flip(dir, "counter", BYTES(key, sizeof(key)), 15);
	replay(&life, dir, &found);
	found_none(&found);
	life_copy(&life, "journaled", dir);
	life_flip(dir, "counter", BYTES(key, sizeof(key)), 7);
	replay(&life, dir, &found);
	found_one(&found, "row-differs", life.size - 1);
}

/* ---- entries ---- */

/* Both questions asked of a journal that has not yet been stopped in order. */
static void judge(struct journal_fixture *f, struct found *replayed, struct found *verified)
{
	struct audit_replay_options options = {.work = check_memdir()};
	struct audit_verify_options full = {.depth = AUDIT_FULL};
	struct audit_replay_result replay_result;
	struct audit_verify_result verify_result;
	struct audit_paths paths = {.journal = f->dir, .keyring = f->keys, .master_key = f->master};
	_cleanup_(audit_close) struct audit audit;
	char error[256];
	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
	found_init(replayed);
	CHECK_INT(audit_replay(&audit, &options, &replayed->report, &replay_result), 0);
	found_init(verified);
	CHECK_INT(audit_verify(&audit, &full, &verified->report, &verify_result), 0);
}

static uint64_t submit(struct journal_fixture *f, struct parcel *parcel, enum submit_result expected)
{
	journal_fixture_run(f, parcel);
	CHECK_INT(parcel->submits[0].decision.result, expected);
	uint64_t sequence = parcel->submits[0].proof.sequence;
	parcel_free(parcel);
	return sequence;
}

/* A broker that applies another registry than the signed one that it journaled: everything is signed and
   in its place, and only the rules know better. */
static void finds_decisions_against_the_rules(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct found replayed, verified;
	struct fixture_load load = {.count = 1, .content_bytes = 10};
	journal_fixture_init(&f, check_memdir(), "bent");
	journal_fixture_start(&f);
	Dienstweg__RegistryContent *content = (Dienstweg__RegistryContent *)(uintptr_t)
		registry_content(f.registry);
	Dienstweg__Agreement *agreement = content->agreements[0];
	submit(&f, journal_fixture_submit(&f, &load), SUBMIT_ACCEPTED);
	uint64_t from_ms = agreement->valid_from_ms;
	agreement->valid_from_ms = FIXTURE_NOW_MS * 2;
	uint64_t refused = submit(&f, journal_fixture_submit(&f, &load), SUBMIT_REFUSED);
	agreement->valid_from_ms = from_ms;
	journal_fixture_stop(&f);
	judge(&f, &replayed, &verified);
	found_some(&replayed, "decision-differs", refused);
	CHECK(strstr(replayed.items[0].reason, "agreement-not-yet-valid"));
	CHECK(strstr(replayed.items[0].reason, "the rules say \"accepted for ministry"));
	found_none(&verified);
}

static void finds_a_wrong_class(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct found replayed, verified;
	struct fixture_load load = {.count = 1, .content_bytes = 10};
	journal_fixture_init(&f, check_memdir(), "class");
	journal_fixture_start(&f);
	Dienstweg__Service *figures = (Dienstweg__Service *)(uintptr_t)registry_service(
		f.registry, BYTES_STR("figures"));
	figures->retention = 2; /* kept for ten years instead of two */
	uint64_t kept = submit(&f, journal_fixture_submit(&f, &load), SUBMIT_ACCEPTED);
	figures->retention = 1;
	journal_fixture_stop(&f);
	judge(&f, &replayed, &verified);
	found_one(&replayed, "class-differs", kept);
	found_none(&verified);
}

/* A verify worker that lies: by the facts as journaled the decision is right. It takes both questions. */
static void leaves_signatures_to_verify(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct found replayed, verified;
	journal_fixture_init(&f, check_memdir(), "lie");
	journal_fixture_start(&f);
	struct parcel *parcel = journal_fixture_submit(
		&f, &(struct fixture_load){.count = 1, .content_bytes = 10, .bad_signature = true});
	parcel->submits[0].facts.signature_ok = true;
	uint64_t sequence = submit(&f, parcel, SUBMIT_ACCEPTED);
	journal_fixture_stop(&f);
	judge(&f, &replayed, &verified);
	found_none(&replayed);
	found_one(&verified, "signature-bad", sequence);
}

CHECK_MAIN(CHECK_CASE(agrees_with_an_honest_journal), CHECK_CASE(agrees_with_a_running_journal),
	CHECK_CASE(agrees_with_a_new_journal), CHECK_CASE(finds_a_changed_queue),
	CHECK_CASE(finds_changed_memories), CHECK_CASE(finds_a_changed_count_of_refusals),
	CHECK_CASE(finds_decisions_against_the_rules), CHECK_CASE(finds_a_wrong_class),
	CHECK_CASE(leaves_signatures_to_verify))
