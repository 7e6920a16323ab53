/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A state entry must say what the tables were and what the entries add up to, and replay must tell one that
 * does not. And it must be enough to go on from when what lies before it is gone: records are taken out of a
 * journal here as an erasure would, and replay has to come to the same tables all the same.
 */
#include "broker/audit/entry.h"
#include "broker/audit/rebuild.h"
#include "broker/audit/replay.h"
#include "broker/audit/test-life.h"
#include "broker/journal/state.h"
#include "broker/journal/test-erasing.h"
#include "test/kit/check.h"

enum { DAY_MS = 86400000, HOUR_MS = 3600000 };

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

static void read_state(const struct life *life, uint64_t sequence, struct arena *arena,
	struct audit *audit, struct audit_entry *entry, Dienstweg__State **ret)
{
	struct bytes content;
	uint8_t digest[HASH_SIZE];
	life_open(life, life->journal.dir, audit);
	CHECK_INT(audit_entry_read(audit->reader, sequence, arena, entry), 0);
	CHECK_INT(entry->stub.kind, DIENSTWEG__ENTRY_KIND__ENTRY_STATE);
	CHECK_INT(entry->stub.class, 0);
	CHECK_INT(journal_read_content(audit->reader, sequence, arena, &content), 0);
	state_content_digest(content, digest);
	CHECK_MEM(digest, entry->disclosed.digest, HASH_SIZE);
	*ret = dienstweg__state__unpack(arena_allocator(arena), content.len, content.data);
	CHECK(*ret);
}

static uint64_t tally(const Dienstweg__State *state, const char *agreement, const char *service,
	Dienstweg__TallyStatus status)
{
	uint64_t count = 0;
	for (size_t i = 0; i < state->n_tallies; i++)
		if (state->tallies[i]->status == status &&
			bytes_equal(BYTES_PB(state->tallies[i]->agreement), BYTES_STR(agreement)) &&
			bytes_equal(BYTES_PB(state->tallies[i]->service), BYTES_STR(service)))
			count += state->tallies[i]->count;
	return count;
}

static void says_what_happened(void)
{
	_cleanup_(life_deinit) struct life life;
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	struct audit_entry entry;
	Dienstweg__State *state;
	life_init(&life, check_memdir(), "says");
	read_state(&life, life.state, arena, &audit, &entry, &state);
	const Dienstweg__StateCut *cut = entry.decision->state;
	CHECK_INT(cut->size, life.state);
	CHECK_INT(cut->from, 0);
	CHECK_INT(cut->n_tables, STATE_TABLES);
	/* 40 figures, 4 delayed ones, 1 of town, 2 out of trouble; 5 notices acknowledged and one figure discarded,
	   and their outcomes not yet confirmed. */
	CHECK_INT(cut->tables[STATE_QUEUE]->rows, 49);
	CHECK_INT(cut->tables[STATE_SEEN]->rows, 57);
	CHECK_INT(cut->tables[STATE_ORDER]->rows, 3);
	CHECK_INT(cut->tables[STATE_PARTY]->rows, 4);
	CHECK_INT(tally(state, "a-all", "figures", DIENSTWEG__TALLY_STATUS__TALLY_RECORDED), 50);
	CHECK_INT(tally(state, "a-all", "notice", DIENSTWEG__TALLY_STATUS__TALLY_RECORDED), 7);
	CHECK_INT(tally(state, "a-all", "notice", DIENSTWEG__TALLY_STATUS__TALLY_ACCEPTED), 5);
	CHECK_INT(tally(state, "a-all", "figures", DIENSTWEG__TALLY_STATUS__TALLY_DISCARDED), 1);
	CHECK_INT(tally(state, "", "", DIENSTWEG__TALLY_STATUS__TALLY_REFUSED), 3);
	CHECK_INT(tally(state, "a-all", "figures", DIENSTWEG__TALLY_STATUS__TALLY_ACCEPTED), 0);
	/* Ten were tried once; after the retry they are in the queue again. One is a dead letter, three are held. */
	CHECK_INT(state->n_waiting, 10 + 1 + 1 + 3);
	CHECK(state->waiting[0]->parked == TIMER_DEAD && state->waiting[0]->strikes == 2);
	CHECK(state->waiting[1]->parked == TIMER_HELD && state->waiting[1]->ordered);
	CHECK_INT(state->waiting[4]->attempts, 1);
	CHECK_INT(state->n_lanes, 2);
	CHECK_INT(state->lanes[0]->lane, LANE_OUTCOME);
	CHECK_INT(state->lanes[1]->n_steps, 47);
	CHECK_INT(state->unread, 0);
}

static void comes_when_it_is_asked_for(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	life_init(&life, check_memdir(), "asked");
	struct journal_fixture *f = &life.journal;
	journal_fixture_start(f);
	CHECK_INT(journal_state_covered(f->journal), life.state);
	for (int i = 0; i < 3; i++) {
		struct parcel *sent = journal_fixture_submit(f, &(struct fixture_load){.count = 1});
		journal_fixture_run(f, sent);
		journal_state_request(f->journal);
		journal_fixture_wait_state(f, sent->submits[0].proof.sequence + 1);
		parcel_free(sent);
	}
	journal_fixture_stop(f);
	struct audit_replay_result result = replay(&life, f->dir, &found);
	found_none(&found);
	CHECK_INT(result.states, 4);
}

/* A table that is changed while the broker does not look: the next state is made of it. */
static void tells_on_a_changed_table(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	uint8_t key[SEEN_KEY_SIZE], queue[QUEUE_KEY_SIZE];
	life_init(&life, check_memdir(), "tells");
	struct journal_fixture *f = &life.journal;
	queue_key_encode(3, LANE_NORMAL, life.first_message + 20, queue);
	life_remove(f->dir, "queue", BYTES(queue, sizeof(queue)));
	journal_fixture_start(f);
	struct parcel *sent = journal_fixture_submit(f, &(struct fixture_load){.count = 1});
	journal_fixture_run(f, sent);
	uint64_t lost = sent->submits[0].proof.sequence;
	const Dienstweg__Header *header = sent->submits[0].facts.header;
	seen_key_encode(header->message_id.data, 1, key);
	parcel_free(sent);
	journal_fixture_stop(f);
	life_remove(f->dir, "seen", BYTES(key, sizeof(key)));
	journal_fixture_start(f);
	uint64_t state = lost + 3; /* behind a stop and a start */
	journal_state_request(f->journal);
	journal_fixture_wait_state(f, state);
	journal_fixture_stop(f);
	replay(&life, f->dir, &found);
	found_some(&found, "state-differs", state);
	found_some(&found, "row-missing", life.first_message + 20);
	found_some(&found, "row-missing", lost);
	/* queue and seen, each in the state and at the end; the total of the counter is as it should be. */
	CHECK_INT(found.report.findings, 4);
}

static void finds_a_changed_state(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	struct key key;
	char dir[300];
	life_init(&life, check_memdir(), "changed");
	key = key_chunk(life.state, 0);
	life_copy(&life, "flipped", dir);
	life_flip(dir, "content", KEY_BYTES_OF(key), 3);
	replay(&life, dir, &found);
	found_one(&found, "state-unreadable", life.state);
	life_copy(&life, "gone", dir);
	life_remove(dir, "content", KEY_BYTES_OF(key));
	replay(&life, dir, &found);
	found_one(&found, "state-unreadable", life.state);
}

/* ---- after an erasure ---- */

static void erase(const char *dir, uint64_t sequence, size_t chunks)
{
	struct key key = key_u64(sequence);
	life_remove(dir, "record", KEY_BYTES_OF(key));
	for (size_t i = 0; i < chunks; i++) {
		key = key_chunk(sequence, (uint16_t)i);
		life_remove(dir, "content", KEY_BYTES_OF(key));
	}
}

/* Everything of the first day that nobody waits for any more: notices, their end, refusals, failures. */
static void erase_first_day(const struct life *life, const char *dir)
{
	for (uint64_t i = 0; i < 5; i++)
		erase(dir, life->first_notice + i, 3);
	erase(dir, life->failed, 0);
	for (uint64_t i = 0; i < 3; i++)
		erase(dir, life->refused + i, 0);
	erase(dir, life->acknowledged, 0);
}

static void goes_on_after_an_erasure(void)
{
	_cleanup_(life_deinit) struct life life;
	struct audit_replay_result result;
	struct found found;
	uint8_t seen[SEEN_KEY_SIZE], end[END_KEY_SIZE], queue[QUEUE_KEY_SIZE];
	char dir[300];
	life_init(&life, check_memdir(), "erased");
	struct journal_fixture *f = &life.journal;
	journal_fixture_start(f);
	clock_fake_advance(&f->clock, DAY_MS);
	journal_fixture_wait_state(f, life.size + 1);
	struct parcel *sent = journal_fixture_submit(
		f, &(struct fixture_load){.count = 20, .service = "notice"});
	journal_fixture_run(f, sent);
	uint64_t later = sent->submits[0].proof.sequence;
	struct parcel *acks = journal_fixture_acks(f, "jobcenter", sent);
	journal_fixture_run(f, acks);
	journal_state_request(f->journal);
	journal_fixture_wait_state(f, later + 21);
	parcel_free(acks);
	parcel_free(sent);
	journal_fixture_stop(f);

	life_copy(&life, "records", dir);
	erase_first_day(&life, dir);
	result = replay(&life, dir, &found);
	found_none(&found);
	CHECK(result.complete);
	CHECK_INT(result.from,
		later + 21); /* nothing tells of an erasure, so the newest state it is */
	CHECK_INT(result.states, 1);

	/* Rows of what was erased may have gone with it. */
	seen_key_encode(life.message_id, 1, seen);
	life_remove(dir, "seen", BYTES(seen, sizeof(seen)));
	end_key_encode(life.first_notice, 2, end);
	life_remove(dir, "end", BYTES(end, sizeof(end)));
	replay(&life, dir, &found);
	found_none(&found);

	/* What is open is held to, though it is older than the state. */
	queue_key_encode(3, LANE_NORMAL, life.first_message + 20, queue);
	life_remove(dir, "queue", BYTES(queue, sizeof(queue)));
	replay(&life, dir, &found);
	found_one(&found, "row-missing", life.first_message + 20);

	/* And must not have been erased. */
	life_copy(&life, "open", dir);
	erase(dir, life.first_message + 20, 1);
	replay(&life, dir, &found);
	found_some(&found, "open-unreadable", life.first_message + 20);
	found_some(&found, "state-differs", later + 21);
}

static void begins_at_the_last_state_before_a_gap(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	char dir[300];
	life_init(&life, check_memdir(), "gap");
	/* No state accounts for this one. */
	life_copy(&life, "late", dir);
	erase(dir, life.expired, 0);
	struct audit_replay_result result = replay(&life, dir, &found);
	found_one(&found, "entry-unreadable", life.expired);
	CHECK(!result.complete);
}

/* Two years of it, with a run that the broker makes by itself: old and open, old and done, new. */
static void goes_on_after_two_years(void)
{
	_cleanup_(erasing_deinit) struct erasing erasing;
	_cleanup_(audit_close) struct audit audit;
	struct audit_replay_options options = {.work = check_memdir()};
	struct audit_replay_result result;
	struct found found;
	char error[256];
	erasing_init(&erasing, "years");
	struct journal_fixture *f = &erasing.journal;
	struct audit_paths paths = {.journal = f->dir, .keyring = f->keys, .master_key = f->master};
	journal_fixture_start(f);
	struct parcel *done = erasing_submit(&erasing, &(struct fixture_load){.count = 40});
	erasing_deliver(&erasing, "ministry", done);
	struct parcel *open = erasing_submit(&erasing, &(struct fixture_load){.count = 7});
	struct parcel *kept = erasing_submit(
		&erasing, &(struct fixture_load){.count = 5, .service = "notice"});
	erasing_later(&erasing, 800);
	CHECK_INT(erasing_read_record(&erasing, done->submits[3].proof.sequence), READER_ERASED);
	CHECK_INT(erasing_read_record(&erasing, open->submits[3].proof.sequence), 0);
	erasing_deliver(&erasing, "jobcenter", kept);
	struct parcel *late = erasing_submit(&erasing, &(struct fixture_load){.count = 9});
	erasing_deliver(&erasing, "ministry", open);
	journal_fixture_stop(f);

	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
	found_init(&found);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &result), 0);
	found_none(&found);
	CHECK(result.complete);
	CHECK(result.from > kept->submits[4].proof.sequence);
	CHECK_INT(result.decisions, 9 + 2); /* messages, acknowledgements */
	CHECK(result.states >= 1);
	parcel_free(done);
	parcel_free(open);
	parcel_free(kept);
	parcel_free(late);
}

static struct operator_act about_case(enum operator_what what, const uint8_t case_id[16])
{
	struct operator_act act = {.what = what, .about.account = 1000};
	memcpy(act.about.case_id, case_id, 16);
	return act;
}

/* A registry in which no record is kept as long as the hold's own. */
static void shorten(struct journal_fixture *f)
{
	registry_fixture_content(f->parties)->classes[1]->record_days = 100;
	struct registry *next = registry_fixture_load(
		f->parties, registry_version(f->registry) + 1, f->registry);
	struct parcel *parcel = journal_fixture_act(f, PARCEL_REGISTRY);
	parcel->registry = registry_ref(next);
	journal_fixture_run(f, parcel);
	CHECK_INT(parcel->verdict, 0);
	parcel_free(parcel);
	registry_unref(f->registry);
	f->registry = next;
}

/* The hold can be read, its release cannot: whether it holds is what the state says. */
static void a_release_may_go_before_its_hold(void)
{
	_cleanup_(erasing_deinit) struct erasing erasing;
	struct audit_replay_options options = {.work = check_memdir()};
	const uint8_t released[16] = {2}, again[16] = {1};
	struct audit_replay_result result;
	struct operator_act holds[2], act;
	struct found found;
	char error[512] = "";
	erasing_init(&erasing, "release");
	struct journal_fixture *f = &erasing.journal;
	struct audit_paths paths = {.journal = f->dir, .keyring = f->keys, .master_key = f->master};
	journal_fixture_start(f);
	act = about_case(OPERATOR_HOLD, released);
	holds[0] = erasing_operate(&erasing, &act);
	act = about_case(OPERATOR_HOLD, again);
	holds[1] = erasing_operate(&erasing, &act);
	shorten(f);
	act = about_case(OPERATOR_RELEASE, released);
	act = erasing_operate(&erasing, &act);
	uint64_t release = act.sequence;
	act = about_case(OPERATOR_RELEASE, again);
	erasing_operate(&erasing, &act);
	act = about_case(OPERATOR_HOLD, again);
	act = erasing_operate(&erasing, &act);
	CHECK(holds[0].changed && holds[1].changed && act.changed);
	erasing_later(&erasing, 740);
	CHECK_INT(erasing_read_record(&erasing, release), READER_ERASED);
	CHECK_INT(erasing_read_record(&erasing, holds[0].sequence), 0);
	CHECK_INT(erasing_read_record(&erasing, holds[1].sequence), 0);
	CHECK_INT(erasing_read_record(&erasing, act.sequence), 0);
	journal_fixture_stop(f);
	for (int i = 0; i < 2; i++) {
		_cleanup_(audit_close) struct audit audit = {};
		found_init(&found);
		CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
		CHECK_INT(audit_replay(&audit, &options, &found.report, &result), 0);
		found_none(&found);
		CHECK(result.complete && result.from > release);
		CHECK_INT(result.rows[STATE_HOLD], 1);
		if (i == 0)
			CHECK_INT(audit_rebuild(&paths, &options, &found.report, &result, error,
					  sizeof(error)),
				0);
	}
}

/* The broker's row of `end` outlives message and acknowledgement: whoever sends that one again is told "already". */
static void knows_what_had_ended(void)
{
	_cleanup_(erasing_deinit) struct erasing erasing;
	_cleanup_(audit_close) struct audit audit;
	struct audit_replay_options options = {.work = check_memdir()};
	struct audit_replay_result result;
	struct found found;
	char error[256];
	erasing_init(&erasing, "already");
	struct journal_fixture *f = &erasing.journal;
	struct audit_paths paths = {.journal = f->dir, .keyring = f->keys, .master_key = f->master};
	journal_fixture_start(f);
	struct parcel *one = erasing_submit(&erasing, &(struct fixture_load){.count = 3});
	struct parcel *event = erasing_submit(
		&erasing, &(struct fixture_load){.count = 2, .service = "event"});
	one->submits_count = 2; /* the third is taken two years later, and so is the event by the ministry */
	erasing_deliver(&erasing, "ministry", one);
	erasing_deliver(&erasing, "jobcenter", event);
	event->submits_count = 1;
	erasing_deliver(&erasing, "ministry", event);
	erasing_later(&erasing, 800);
	CHECK_INT(erasing_read_record(&erasing, one->submits[0].proof.sequence), READER_ERASED);
	CHECK_INT(erasing_read_record(&erasing, event->submits[0].proof.sequence), 0);
	one->submits_count = 3;
	event->submits_count = 2;
	const struct parcel *late[] = {one, event};
	for (size_t i = 0; i < ARRAY_LEN(late); i++) {
		struct parcel *acks = journal_fixture_acks(f, "ministry", late[i]);
		size_t last = late[i]->submits_count - 1;
		journal_fixture_run(f, acks);
		CHECK_INT(acks->acks[0].decision.verdicts[0], DIENSTWEG__ACK_VERDICT__ACK_ALREADY);
		CHECK_INT(acks->acks[0].decision.verdicts[last], DIENSTWEG__ACK_VERDICT__ACK_CLOSED);
		parcel_free(acks);
	}
	journal_fixture_stop(f);

	CHECK_INT(audit_open(&paths, &audit, error, sizeof(error)), 0);
	found_init(&found);
	CHECK_INT(audit_replay(&audit, &options, &found.report, &result), 0);
	found_none(&found);
	CHECK(result.complete);
	CHECK_INT(result.decisions, 2);
	parcel_free(event);
	parcel_free(one);
}

/* ... and its row of `seen` is there until a run has come to it. */
static void knows_that_an_id_was_used(void)
{
	_cleanup_(life_deinit) struct life life;
	struct found found;
	char dir[300];
	life_init(&life, check_memdir(), "reused");
	struct journal_fixture *f = &life.journal;
	journal_fixture_start(f);
	clock_fake_advance(&f->clock, DAY_MS);
	journal_fixture_wait_state(f, life.size + 1);
	struct parcel *again = journal_fixture_submit(
		f, &(struct fixture_load){
			   .count = 1, .service = "notice", .message_id = life.message_id});
	journal_fixture_run(f, again);
	CHECK_STR(again->submits[0].decision.code, "id-reused");
	CHECK(again->submits[0].decision.append);
	parcel_free(again);
	journal_fixture_stop(f);
	life_copy(&life, "id", dir);
	erase_first_day(&life, dir);
	struct audit_replay_result result = replay(&life, dir, &found);
	found_none(&found);
	CHECK(result.complete);
	CHECK_INT(result.decisions, 1);
}

CHECK_MAIN(CHECK_CASE(says_what_happened), CHECK_CASE(comes_when_it_is_asked_for),
	CHECK_CASE(tells_on_a_changed_table), CHECK_CASE(finds_a_changed_state),
	CHECK_CASE(goes_on_after_an_erasure), CHECK_CASE(begins_at_the_last_state_before_a_gap),
	CHECK_CASE(goes_on_after_two_years), CHECK_CASE(a_release_may_go_before_its_hold),
	CHECK_CASE(knows_what_had_ended), CHECK_CASE(knows_that_an_id_was_used))
