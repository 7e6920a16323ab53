/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Enquiries in the journal: what was answered, what is waited for, what was too late and what was refused follow from
 * the entries, also from a state entry when the records before it are gone.
 */
#include "broker/audit/entry.h"
#include "broker/audit/queues.h"
#include "broker/audit/replay.h"
#include "broker/audit/test-life.h"
#include "broker/journal/store.h"
#include "broker/routing/asked.h"
#include "test/kit/check.h"

enum { ANSWER_MS = 30000, OVERDUE_MS = 60000, SOON_MS = 15000, REFERRALS = 200, REMINDERS = 7 };

struct world {
	struct journal_fixture journal;
	struct audit_paths paths;
};

static const uint8_t case_id[16] = {0xca, 0x5e};

static struct parcel *send(struct world *w, const struct fixture_load *load, int expected)
{
	struct parcel *parcel = journal_fixture_submit(&w->journal, load);
	journal_fixture_run(&w->journal, parcel);
	CHECK_INT(parcel->submits[0].decision.result, expected);
	return parcel;
}

static struct parcel *ask(struct world *w, int expected)
{
	return send(w,
		&(struct fixture_load){.service = "question",
			.recipient = "jobcenter",
			.kind = DIENSTWEG__KIND__KIND_ENQUIRY,
			.case_id = case_id,
			.content_bytes = 100,
			.count = 1},
		expected);
}

static void answer(struct world *w, const struct parcel *asked, int expected, const char *code)
{
	struct parcel *parcel = send(w,
		&(struct fixture_load){.sender = "jobcenter",
			.recipient = "city",
			.service = "question",
			.kind = DIENSTWEG__KIND__KIND_ANSWER,
			.in_reply_to = asked->submits[0].facts.h,
			.case_id = case_id,
			.content_bytes = 100,
			.count = 1},
		expected);
	if (code)
		CHECK_STR(parcel->submits[0].decision.code, code);
	parcel_free(parcel);
}

static void take(struct world *w, const struct parcel *asked)
{
	struct parcel *acks = journal_fixture_acks(&w->journal, "jobcenter", asked);
	journal_fixture_run(&w->journal, acks);
	parcel_free(acks);
}

static struct audit_replay_result replay(const struct world *w, struct found *found)
{
	struct audit_replay_result result;
	struct audit_replay_options options = {.work = check_memdir(), .findings_max = 100};
	_cleanup_(audit_close) struct audit audit;
	char error[256] = "";
	CHECK_INT(audit_open(&w->paths, &audit, error, sizeof(error)), 0);
	found_init(found);
	CHECK_INT(audit_replay(&audit, &options, &found->report, &result), 0);
	return result;
}

static void erase_record(const struct world *w, uint64_t sequence)
{
	struct key key = key_u64(sequence);
	life_remove(w->journal.dir, "record", KEY_BYTES_OF(key));
}

static void world_init(struct world *w, const char *name)
{
	struct journal_fixture *f = &w->journal;
	journal_fixture_init(f, check_memdir(), name);
	journal_fixture_ask(f);
	w->paths = (struct audit_paths){
		.journal = f->dir, .keyring = f->keys, .master_key = f->master};
	journal_fixture_start(f);
}

static void it_replays_also_from_a_state(void)
{
	struct world w;
	struct found found;
	world_init(&w, "asked");
	struct journal_fixture *f = &w.journal;
	struct parcel *answered = ask(&w, SUBMIT_ACCEPTED), *late = ask(&w, SUBMIT_ACCEPTED);
	take(&w, answered);
	take(&w, late);
	struct parcel *refused = ask(&w, SUBMIT_REFUSED);
	answer(&w, answered, SUBMIT_ACCEPTED, NULL);
	clock_fake_advance(&f->clock, ANSWER_MS);
	answer(&w, late, SUBMIT_REFUSED, "answer-late");
	struct parcel *open = ask(&w, SUBMIT_ACCEPTED);
	take(&w, open);
	/* The state knows one that waits and one that is remembered. */
	journal_state_request(f->journal);
	journal_fixture_wait_state(f, open->submits[0].proof.sequence + 2);
	answer(&w, open, SUBMIT_ACCEPTED, NULL);
	answer(&w, open, SUBMIT_REFUSED, "no-enquiry");
	parcel_free(ask(&w, SUBMIT_ACCEPTED));
	parcel_free(ask(&w, SUBMIT_ACCEPTED));
	parcel_free(ask(&w, SUBMIT_REFUSED));
	journal_fixture_stop(f);

	struct audit_replay_result result = replay(&w, &found);
	found_none(&found);
	CHECK(result.complete);
	CHECK_INT(result.from, 0);

	/* What nobody waits for: outcomes that their sender has not confirmed need the others' records. */
	erase_record(&w, refused->submits[0].proof.sequence);
	result = replay(&w, &found);
	found_none(&found);
	CHECK(result.complete);
	CHECK(result.from > open->submits[0].proof.sequence);

	parcel_free(refused);
	parcel_free(answered);
	parcel_free(late);
	parcel_free(open);
	journal_fixture_deinit(f);
}

static struct parcel *refer(struct world *w, Dienstweg__Kind kind, int expected)
{
	return send(w,
		&(struct fixture_load){.service = "referral",
			.recipient = "jobcenter",
			.kind = kind,
			.content_bytes = 100,
			.count = REFERRALS},
		expected);
}

/* As queue list shows it. */
static uint64_t overdue_of(const struct world *w, const char *party)
{
	_cleanup_(audit_close) struct audit audit;
	_cleanup_(queue_list_deinit) struct queue_list list;
	char error[256] = "";
	CHECK_INT(audit_open(&w->paths, &audit, error, sizeof(error)), 0);
	CHECK_INT(queue_list_read(&audit, &list), 0);
	for (size_t i = 0; i < list.count; i++)
		if (strcmp(list.items[i].name, party) == 0)
			return list.items[i].overdue;
	CHECK_FAIL("no queue of %s", party);
}

/* Many that were taken, many that were not, more than one entry has room for; of the first their sender is warned, of
   the others it is too late for that; a state of before, and one of between. */
static void what_is_overdue_replays(void)
{
	struct world w;
	struct found found;
	struct journal_stats stats;
	world_init(&w, "overdue");
	struct journal_fixture *f = &w.journal;
	struct parcel *refused = refer(&w, DIENSTWEG__KIND__KIND_ENQUIRY, SUBMIT_REFUSED);
	struct parcel *early = refer(&w, DIENSTWEG__KIND__KIND_SUBMISSION, SUBMIT_ACCEPTED);
	take(&w, early);
	clock_fake_advance(&f->clock, OVERDUE_MS / 2);
	struct parcel *later = refer(&w, DIENSTWEG__KIND__KIND_SUBMISSION, SUBMIT_ACCEPTED);
	uint64_t last = later->submits[REFERRALS - 1].proof.sequence;
	journal_state_request(f->journal);
	journal_fixture_wait_state(f, last + 1);
	clock_fake_advance(&f->clock, OVERDUE_MS / 2 - SOON_MS);
	parcel_free(ask(&w, SUBMIT_ACCEPTED)); /* its commit begins with what is due: the warning */
	journal_stats(f->journal, &stats);
	CHECK_INT(stats.overdue, 0);
	clock_fake_advance(&f->clock, SOON_MS);
	parcel_free(ask(&w, SUBMIT_ACCEPTED));
	journal_stats(f->journal, &stats);
	CHECK_INT(stats.overdue, REFERRALS);
	journal_state_request(f->journal);
	journal_fixture_wait_state(f, last + 3 + 2 * REMINDERS);
	clock_fake_advance(&f->clock, OVERDUE_MS / 2);
	parcel_free(ask(&w, SUBMIT_ACCEPTED));
	journal_stats(f->journal, &stats);
	CHECK_INT(stats.overdue, 2 * REFERRALS);
	journal_fixture_stop(f);

	CHECK_INT(overdue_of(&w, "jobcenter"), 2 * REFERRALS);

	struct audit_replay_result result = replay(&w, &found);
	found_none(&found);
	CHECK(result.complete);
	CHECK_INT(result.states, 2);
	erase_record(&w, refused->submits[0].proof.sequence);
	result = replay(&w, &found);
	found_none(&found);
	CHECK(result.from > last);

	parcel_free(refused);
	parcel_free(early);
	parcel_free(later);
	journal_fixture_deinit(f);
}

/* Of all rows of a table, as docs/journal.md tells it; with the secret of the one record that they are about, or without. */
static void digest_table(
	struct audit *audit, enum state_table table, struct bytes secret, uint8_t ret[HASH_SIZE])
{
	static const char domain[] = "dienstweg/v1/table";
	const char *name = state_table_name(table);
	uint8_t from[512], len[4];
	size_t from_len = 0;
	struct bytes key, value;
	struct sha256 hash;
	sha256_init(&hash);
	sha256_add(&hash, BYTES((const uint8_t *)domain, sizeof(domain)));
	sha256_add(&hash, BYTES((const uint8_t *)name, strlen(name) + 1));
	while (journal_read_table(audit->reader, table, BYTES(from, from_len), &key, &value) == 0) {
		be32_put(len, (uint32_t)key.len);
		sha256_add(&hash, BYTES(len, sizeof(len)));
		sha256_add(&hash, key);
		be32_put(len, (uint32_t)value.len);
		sha256_add(&hash, BYTES(len, sizeof(len)));
		sha256_add(&hash, value);
		if (table != STATE_COUNTER || key.data[0] == COUNTER_ASKED)
			sha256_add(&hash, secret);
		memcpy(from, key.data, key.len);
		from[key.len] = 0;
		from_len = key.len + 1;
	}
	sha256_finish(&hash, ret);
}

/* A state stays for good: who kept a header, and knows all the rest, finds nothing of it once the record is gone. */
static void a_state_does_not_name_it(void)
{
	static const enum state_table tables[] = {STATE_QUEUE, STATE_TIMER, STATE_COUNTER};
	_cleanup_(arena_free) struct arena *arena = arena_new(ENTRY_ARENA);
	_cleanup_(audit_close) struct audit audit;
	uint8_t token[ASKED_TOKEN_SIZE], plain[HASH_SIZE], digest[HASH_SIZE];
	struct audit_entry message, state;
	struct bytes content;
	struct world w;
	char error[256] = "";
	world_init(&w, "named");
	struct parcel *asked = ask(&w, SUBMIT_ACCEPTED);
	uint64_t sequence = asked->submits[0].proof.sequence;
	parcel_free(asked);
	journal_state_request(w.journal.journal);
	journal_fixture_wait_state(&w.journal, sequence + 1);
	journal_fixture_stop(&w.journal);
	CHECK_INT(audit_open(&w.paths, &audit, error, sizeof(error)), 0);
	CHECK_INT(audit_entry_read(audit.reader, sequence, arena, &message), 0);
	CHECK_INT(audit_entry_read(audit.reader, sequence + 1, arena, &state), 0);
	CHECK_INT(state.stub.kind, DIENSTWEG__ENTRY_KIND__ENTRY_STATE);
	CHECK_INT(audit_entry_state(audit.reader, &state, arena, &content), 0);
	asked_token(message.disclosed.digest, message.header->case_id.data, token);
	CHECK(!memmem(content.data, content.len, token, sizeof(token)));
	CHECK(!memmem(content.data, content.len, message.disclosed.digest, 16));
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		const Dienstweg__TableDigest *told = state.decision->state->tables[tables[i]];
		digest_table(&audit, tables[i], BYTES(NULL, 0), plain);
		digest_table(&audit, tables[i], BYTES_PB(message.row->secret), digest);
		CHECK(told->rows > 0 && memcmp(told->digest.data, plain, HASH_SIZE) != 0);
		CHECK_MEM(told->digest.data, digest, HASH_SIZE);
	}
	journal_fixture_deinit(&w.journal);
}

/* A row that somebody took away or put there is found. */
static void a_changed_row_is_found(void)
{
	struct world w;
	struct found found;
	world_init(&w, "changed");
	struct parcel *asked = ask(&w, SUBMIT_ACCEPTED);
	uint64_t sequence = asked->submits[0].proof.sequence;
	parcel_free(asked);
	journal_fixture_stop(&w.journal);
	uint8_t key[PENDING_KEY_MAX], value[8];
	size_t len = pending_key_encode(1, BYTES_STR("question"), key);
	be64_put(value, 2);
	life_put(w.journal.dir, "counter", BYTES(key, len), BYTES(value, sizeof(value)));
	replay(&w, &found);
	found_one(&found, "row-differs", sequence + 1);
	CHECK(strstr(found.items[0].reason, "unanswered enquiries of city"));
	journal_fixture_deinit(&w.journal);
}

CHECK_MAIN(CHECK_CASE(it_replays_also_from_a_state), CHECK_CASE(what_is_overdue_replays),
	CHECK_CASE(a_state_does_not_name_it), CHECK_CASE(a_changed_row_is_found))
