/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The life of a small bus in one function, so that a reader of a test can see what is in the journal.
 * Damage is done through the database, not with an editor on its file: a changed byte of a page would
 * mostly be a broken database, and the interesting enemy is one who knows how to write a row.
 */
#include "broker/audit/test-life.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proto/base/file.h"
#include "test/kit/check.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS };

static void write_policy(struct life *life)
{
	struct note_key roots[3];
	char text[1024], line[NOTE_VKEY_SIZE];
	size_t len = 0;
	registry_fixture_roots(life->journal.parties, roots);
	for (size_t i = 0; i < 3; i++) {
		note_key_format(&roots[i], line);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "root %s\n", line);
	}
	len += (size_t)snprintf(text + len, sizeof(text) - len, "root-quorum 2\nquorum none\n");
	CHECK_INT(file_replace(life->policy, BYTES(text, len), 0644), 0);
}

static struct parcel *submit(struct life *life, const struct fixture_load *load)
{
	struct parcel *parcel = journal_fixture_submit(&life->journal, load);
	journal_fixture_run(&life->journal, parcel);
	return parcel;
}

static uint64_t first_of(const struct parcel *parcel)
{
	CHECK_INT(parcel->submits[0].decision.result, SUBMIT_ACCEPTED);
	return parcel->submits[0].proof.sequence;
}

static uint64_t size_of(struct life *life)
{
	struct journal_stats stats;
	journal_stats(life->journal.journal, &stats);
	return stats.tree_size;
}

/* An act about the first @count messages of a parcel. */
static void act(struct life *life, enum parcel_kind kind, const struct parcel *sent, size_t count)
{
	struct parcel *parcel = journal_fixture_act(&life->journal, kind);
	parcel->items = arena_zalloc(parcel->arena, count * sizeof(*parcel->items));
	CHECK(parcel->items);
	for (const struct effect *effect = sent->effects; effect && parcel->items_count < count;
		effect = effect->next)
		parcel->items[parcel->items_count++] = (struct rules_item){
			.party = effect->party, .sequence = effect->sequence};
	CHECK_INT(parcel->items_count, count);
	parcel->cause = "session-lost";
	parcel->backoff = true;
	journal_fixture_run(&life->journal, parcel);
	parcel_free(parcel);
}

static struct rules_item nth_of(const struct parcel *sent, size_t nth)
{
	const struct effect *effect = sent->effects;
	while (nth-- > 0)
		effect = effect->next;
	return (struct rules_item){.party = effect->party, .sequence = effect->sequence};
}

/* A failure of one message, which is its own. */
static void strike(struct life *life, const struct parcel *sent, size_t nth)
{
	struct parcel *parcel = journal_fixture_act(&life->journal, PARCEL_FAIL);
	parcel->items = arena_zalloc(parcel->arena, sizeof(*parcel->items));
	CHECK(parcel->items);
	parcel->items[parcel->items_count++] = nth_of(sent, nth);
	parcel->items[0].counted = true;
	parcel->cause = "unreadable";
	journal_fixture_run(&life->journal, parcel);
	parcel_free(parcel);
}

/* An operator's order about one message, or (NULL) a queue. */
static void order(struct life *life, enum operator_what what, const struct parcel *sent, size_t nth,
	struct queue_act queue)
{
	struct parcel *parcel = journal_fixture_act(&life->journal, PARCEL_OPERATE);
	struct operator_act *order = arena_zalloc(parcel->arena, sizeof(*order));
	struct rules_item *item = arena_zalloc(parcel->arena, sizeof(*item));
	CHECK(order && item);
	if (sent)
		*item = nth_of(sent, nth);
	*order = (struct operator_act){.what = what,
		.about.account = 1000,
		.queue = queue,
		.items = item,
		.count = sent != NULL};
	parcel->act = order;
	journal_fixture_run(&life->journal, parcel);
	CHECK(order->changed);
	parcel_free(parcel);
}

/* One dead letter is retried, one discarded, one left; one message and a service are held. */
static void troubles(struct life *life)
{
	const struct queue_act none = {}, why = {.cause = BYTES_STR("duplicate")};
	const struct queue_act service = {.service = BYTES_STR("notice")};
	const struct queue_act party = {.party = BYTES_STR("ministry")};
	struct parcel *sent = submit(life, &(struct fixture_load){.count = 5, .content_bytes = 20});
	for (size_t i = 0; i < 3; i++) {
		strike(life, sent, i);
		strike(life, sent, i);
	}
	order(life, OPERATOR_RETRY, sent, 0, none);
	order(life, OPERATOR_DISCARD, sent, 1, why);
	order(life, OPERATOR_HOLD_ITEMS, sent, 3, none);
	order(life, OPERATOR_HOLD_ITEMS, sent, 4, none);
	order(life, OPERATOR_RELEASE_ITEMS, sent, 4, none);
	order(life, OPERATOR_HOLD_QUEUE, NULL, 0, party);
	order(life, OPERATOR_RELEASE_QUEUE, NULL, 0, party);
	order(life, OPERATOR_HOLD_QUEUE, NULL, 0, service);
	parcel_free(submit(life,
		&(struct fixture_load){.count = 2, .content_bytes = 20, .service = "notice"}));
	parcel_free(sent);
}

static void acknowledge(struct life *life, const char *recipient, const struct parcel *sent)
{
	struct parcel *acks = journal_fixture_acks(&life->journal, recipient, sent);
	journal_fixture_run(&life->journal, acks);
	CHECK(acks->acks[0].decision.append);
	parcel_free(acks);
}

void life_next_registry(struct life *life)
{
	struct journal_fixture *f = &life->journal;
	uint64_t version = registry_version(f->registry) + 1;
	char party[32];
	snprintf(party, sizeof(party), "village-%" PRIu64, version);
	registry_fixture_party(f->parties, party, NULL);
	struct registry *next = registry_fixture_load(f->parties, version, f->registry);
	struct parcel *parcel = journal_fixture_act(f, PARCEL_REGISTRY);
	parcel->registry = registry_ref(next);
	journal_fixture_run(f, parcel);
	CHECK_INT(parcel->verdict, 0);
	parcel_free(parcel);
	registry_unref(f->registry);
	f->registry = next;
}

void life_grow(struct life *life, size_t parcels, size_t count)
{
	struct journal_fixture *f = &life->journal;
	const struct fixture_load load = {.count = count, .content_bytes = 60, .service = "notice"};
	journal_fixture_start(f);
	for (size_t i = 0; i < parcels; i++) {
		struct parcel *parcel = submit(life, &load);
		acknowledge(life, "jobcenter", parcel);
		parcel_free(parcel);
		clock_fake_advance(&f->clock, 1000);
		if (i % 5 == 4)
			life_next_registry(life);
	}
	journal_fixture_stop(f);
	life_measure(life);
}

/* Messages, an answer, failures, refusals, more of them than may be journaled. */
static void first_day(struct life *life)
{
	struct journal_fixture *f = &life->journal;
	struct parcel *figures = submit(
		life, &(struct fixture_load){.count = 40, .content_bytes = 50});
	struct parcel *notices = submit(life,
		&(struct fixture_load){.count = 5, .content_bytes = 8000, .service = "notice"});
	life->first_message = first_of(figures);
	life->first_notice = first_of(notices);
	memcpy(life->case_id, notices->submits[0].facts.header->case_id.data, 16);
	memcpy(life->message_id, notices->submits[0].facts.header->message_id.data, 16);
	struct parcel *again = journal_fixture_resend(f, figures);
	journal_fixture_run(f, again);
	CHECK_INT(again->submits[0].decision.result, SUBMIT_DUPLICATE);
	life->acknowledged = size_of(life);
	acknowledge(life, "jobcenter", notices);
	life->failed = size_of(life);
	act(life, PARCEL_FAIL, figures, 10);
	life->refused = size_of(life);
	parcel_free(submit(life,
		&(struct fixture_load){.count = 5, .content_bytes = 10, .bad_signature = true}));
	CHECK_INT(size_of(life), life->refused + 3);
	parcel_free(submit(life, &(struct fixture_load){.count = 4,
					 .content_bytes = 10,
					 .not_before_ms = FIXTURE_NOW_MS + HOUR_MS / 2}));
	clock_fake_advance(
		&f->clock, 2 * MINUTE_MS); /* retries are due, and the sum of the refusals */
	parcel_free(submit(life, &(struct fixture_load){.count = 1, .sender = "town"}));
	troubles(life);
	parcel_free(again);
	parcel_free(notices);
	parcel_free(figures);
	life->day_end = size_of(life);
}

/* Another day, another registry, a restart, an expiry, an outcome confirmed, something left open. */
static void second_day(struct life *life)
{
	struct journal_fixture *f = &life->journal;
	clock_fake_advance(&f->clock, DAY_MS);
	life->state = size_of(life);
	journal_fixture_wait_state(f, life->state);
	CHECK_INT(size_of(life), life->state + 1);
	life->second_registry = size_of(life);
	life_next_registry(life);
	uint64_t now_ms = clock_wall_ms(&f->clock);
	struct parcel *short_lived = submit(
		life, &(struct fixture_load){
			      .count = 3, .content_bytes = 10, .expires_ms = now_ms + HOUR_MS});
	journal_fixture_stop(f);
	clock_fake_advance(&f->clock, 2 * HOUR_MS);
	journal_fixture_start(f);
	parcel_free(submit(life, &(struct fixture_load){.count = 1}));
	life->expired = size_of(life);
	act(life, PARCEL_EXPIRE, short_lived, 3);
	CHECK_INT(size_of(life), life->expired + 1);
	struct parcel *confirm = journal_fixture_act(f, PARCEL_CONFIRM);
	confirm->party = 1; /* city: parties are numbered in order of their names */
	confirm->sequence = life->acknowledged;
	journal_fixture_run(f, confirm);
	parcel_free(confirm);
	/* Some wait, some fail again, one is refused, and one of those is only counted. */
	struct parcel *open = submit(life, &(struct fixture_load){.count = 6, .sender = "town"});
	act(life, PARCEL_FAIL, open, 2);
	parcel_free(submit(
		life, &(struct fixture_load){.count = 4, .sender = "town", .bad_signature = true}));
	parcel_free(open);
	parcel_free(short_lived);
}

void life_init(struct life *life, const char *dir, const char *name)
{
	*life = (struct life){};
	journal_fixture_init(&life->journal, dir, name);
	CHECK(snprintf(life->policy, sizeof(life->policy), "%s/%s-policy", dir, name) <
		(int)sizeof(life->policy));
	life->journal.options.limits.refusals_per_minute = 3;
	life->journal.options.limits.attempts_max = 2;
	write_policy(life);
	journal_fixture_start(&life->journal);
	first_day(life);
	second_day(life);
	journal_fixture_stop(&life->journal);
	life_measure(life);
}

void life_measure(struct life *life)
{
	struct journal_reader *reader = NULL;
	struct journal_meta meta;
	CHECK_INT(journal_reader_open(life->journal.dir, NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_meta(reader, &meta), 0);
	life->size = meta.size;
	journal_reader_free(reader);
}

void life_deinit(struct life *life)
{
	journal_fixture_deinit(&life->journal);
}

/* ---- copies ---- */

const char *life_copy(const struct life *life, const char *name, char buf[300])
{
	char path[400];
	uint8_t *data = NULL;
	size_t len;
	CHECK_INT(path_join(path, sizeof(path), life->journal.dir, "data.mdb"), 0);
	CHECK_INT(file_read(path, 1 << 30, &data, &len), 0);
	CHECK(snprintf(buf, 300, "%s-%s", life->journal.dir, name) < 300);
	CHECK_INT(dir_make(buf, 0700), 0);
	CHECK_INT(path_join(path, sizeof(path), buf, "data.mdb"), 0);
	CHECK_INT(file_replace(path, BYTES(data, len), 0600), 0);
	free(data);
	return buf;
}

enum damage { DAMAGE_FLIP, DAMAGE_REMOVE, DAMAGE_PUT };

static void damage(enum damage how, const char *dir, const char *table, struct bytes key,
	struct bytes value, size_t offset)
{
	struct db_options options = {
		.map_bytes = UINT64_C(1) << 30, .tables_max = TABLES_MAX, .readers_max = 4};
	struct db_env *env;
	struct db_txn *txn;
	db_table_id id;
	uint8_t copy[VALUE_MAX];
	CHECK_INT(db_env_open(dir, &options, &env), 0);
	CHECK_INT(db_begin(env, true, &txn), 0);
	CHECK_INT(db_table_open(txn, table, &id), 0);
	if (how == DAMAGE_FLIP) {
		CHECK_INT(db_get(txn, id, key, &value), 0);
		CHECK(offset < value.len && value.len <= sizeof(copy));
		memcpy(copy, value.data, value.len);
		copy[offset] ^= 1;
		value.data = copy;
	}
	CHECK_INT(how == DAMAGE_REMOVE ? db_delete(txn, id, key) : db_put(txn, id, key, value), 0);
	CHECK_INT(db_commit(txn), 0);
	db_env_close(env);
}

void life_flip(const char *dir, const char *table, struct bytes key, size_t offset)
{
	damage(DAMAGE_FLIP, dir, table, key, BYTES(NULL, 0), offset);
}

void life_remove(const char *dir, const char *table, struct bytes key)
{
	damage(DAMAGE_REMOVE, dir, table, key, BYTES(NULL, 0), 0);
}

void life_put(const char *dir, const char *table, struct bytes key, struct bytes value)
{
	damage(DAMAGE_PUT, dir, table, key, value, 0);
}

void life_get(const char *dir, const char *table, struct bytes key, uint8_t ret[VALUE_MAX],
	size_t *ret_len)
{
	struct db_options options = {
		.map_bytes = UINT64_C(1) << 30, .tables_max = TABLES_MAX, .readers_max = 4};
	struct db_env *env;
	struct db_txn *txn;
	struct bytes value;
	db_table_id id;
	CHECK_INT(db_env_open(dir, &options, &env), 0);
	CHECK_INT(db_begin(env, false, &txn), 0);
	CHECK_INT(db_table_open(txn, table, &id), 0);
	CHECK_INT(db_get(txn, id, key, &value), 0);
	CHECK(value.len <= VALUE_MAX);
	memcpy(ret, value.data, value.len);
	*ret_len = value.len;
	db_abort(txn);
	db_env_close(env);
}

void life_open(const struct life *life, const char *dir, struct audit *ret)
{
	char error[512] = "";
	struct audit_paths paths = {
		.journal = dir,
		.keyring = life->journal.keys,
		.master_key = life->journal.master,
		.policy = life->policy,
	};
	int r = audit_open(&paths, ret, error, sizeof(error));
	if (r)
		CHECK_FAIL("audit_open() is %d: %s", r, error);
}

/* ---- findings ---- */

static void keep(void *context, const struct audit_finding *finding)
{
	struct found *found = context;
	if (found->kept == ARRAY_LEN(found->items))
		return;
	found->items[found->kept].sequence = finding->sequence;
	snprintf(found->items[found->kept].code, sizeof(found->items[0].code), "%s", finding->code);
	snprintf(found->items[found->kept].reason, sizeof(found->items[0].reason), "%s",
		finding->reason);
	found->kept++;
}

void found_init(struct found *found)
{
	*found = (struct found){.report = {.finding = keep, .context = found}};
}

static void print(const struct found *found)
{
	for (size_t i = 0; i < found->kept; i++)
		fprintf(stderr, "entry %llu: %s: %s\n", (unsigned long long)found->items[i].sequence,
			found->items[i].code, found->items[i].reason);
}

static bool has(const struct found *found, const char *code, uint64_t sequence)
{
	for (size_t i = 0; i < found->kept; i++)
		if (found->items[i].sequence == sequence && strcmp(found->items[i].code, code) == 0)
			return true;
	return false;
}

void found_none(const struct found *found)
{
	print(found);
	CHECK_INT(found->report.findings, 0);
}

void found_some(const struct found *found, const char *code, uint64_t sequence)
{
	if (has(found, code, sequence))
		return;
	print(found);
	CHECK_FAIL("no finding %s at entry %llu", code, (unsigned long long)sequence);
}

void found_one(const struct found *found, const char *code, uint64_t sequence)
{
	found_some(found, code, sequence);
	if (found->report.findings != 1)
		print(found);
	CHECK_INT(found->report.findings, 1);
}
