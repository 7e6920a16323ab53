/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A report in parts is the report: each entry once, whatever the size of the parts; and no part costs more than was
 * allowed, also for somebody who has no share in a case of others.
 */
#include "broker/access/share.h"

#include "broker/audit/test-life.h"
#include "test/kit/check.h"

enum { MANY = 300, EACH = 100, TWICE = 2 };

static const uint8_t case_id[CASE_ID_SIZE] = {5, 5};

struct world {
	struct life life;
	struct audit audit;
	struct case_index *index;
	uint64_t first; /* message */
};

/* City sends many messages to the ministry, which takes them; all of one case. */
static void world_init(struct world *w, const char *name)
{
	char path[300], error[512];
	struct found found;
	life_init(&w->life, check_tmpdir(), name);
	journal_fixture_start(&w->life.journal);
	for (int i = 0; i < MANY / EACH; i++) {
		struct parcel *sent = journal_fixture_submit(&w->life.journal,
			&(struct fixture_load){.count = EACH, .case_id = case_id});
		journal_fixture_run(&w->life.journal, sent);
		if (i == 0)
			w->first = sent->submits[0].proof.sequence;
		struct parcel *acks = journal_fixture_acks(&w->life.journal, "ministry", sent);
		journal_fixture_run(&w->life.journal, acks);
		parcel_free(acks);
		parcel_free(sent);
	}
	journal_fixture_stop(&w->life.journal);
	life_open(&w->life, w->life.journal.dir, &w->audit);
	CHECK(snprintf(path, sizeof(path), "%s-index", w->life.journal.dir) < 300);
	CHECK_INT(case_index_open(path, &w->index, error, sizeof(error)), 0);
	found_init(&found);
	CHECK_INT(case_index_update(w->index, &w->audit, false, &found.report), 0);
	CHECK_INT(case_index_begin(w->index), 0);
}

static void world_deinit(struct world *w)
{
	case_index_free(w->index);
	audit_close(&w->audit);
	life_deinit(&w->life);
}

static struct share_options options_of(struct world *w, const char *party)
{
	struct share_options options = {
		.audit = &w->audit,
		.index = w->index,
		.party = BYTES_STR(party),
		.entries_max = SIZE_MAX,
		.looked_max = SIZE_MAX,
	};
	memcpy(options.id, case_id, CASE_ID_SIZE);
	return options;
}

static json_int_t number(const json_t *entries, size_t i, const char *name)
{
	return json_integer_value(json_object_get(json_array_get(entries, i), name));
}

static void the_whole_is_in_order(void)
{
	struct world w;
	_cleanup_(share_deinit) struct share share = {};
	world_init(&w, "whole");
	struct share_options options = options_of(&w, "city");
	CHECK_INT(share_make(&options, &share), 0);
	CHECK_INT(json_array_size(share.entries), TWICE * MANY); /* each, and its acknowledgement */
	CHECK(!share.more && share.unreadable == 0);
	for (size_t i = 1; i < TWICE * MANY; i++)
		CHECK(number(share.entries, i, "sequence") >=
			number(share.entries, i - 1, "sequence"));
	CHECK_INT(number(share.entries, 0, "sequence"), (json_int_t)w.first);
	world_deinit(&w);
}

/* Each message is recorded once and acknowledged once, over all parts. */
static void parts_make_the_whole(
	struct world *w, size_t entries_max, size_t looked_max, const char *party)
{
	uint8_t recorded[MANY] = {}, acknowledged[MANY] = {};
	uint64_t sequence_of[MANY];
	size_t parts = 0, known = 0;
	struct share_options options = options_of(w, party);
	options.entries_max = entries_max;
	options.looked_max = looked_max;
	for (bool more = true; more; parts++) {
		_cleanup_(share_deinit) struct share share = {};
		CHECK_INT(share_make(&options, &share), 0);
		size_t count = json_array_size(share.entries);
		CHECK(count <= entries_max + 1 && share.looked <= looked_max + 1);
		for (size_t i = 0; i < count; i++) {
			uint64_t message = (uint64_t)number(share.entries, i, "message");
			size_t n = 0;
			while (n < known && sequence_of[n] != message)
				n++;
			CHECK(n < MANY);
			if (n == known)
				sequence_of[known++] = message;
			if ((uint64_t)number(share.entries, i, "sequence") == message)
				recorded[n]++;
			else
				acknowledged[n]++;
		}
		more = share.more;
		options.from = share.next;
		CHECK(parts < 10 * MANY);
	}
	CHECK_INT(known, MANY);
	for (size_t i = 0; i < MANY; i++)
		CHECK(recorded[i] == 1 && acknowledged[i] == 1);
}

static void parts_of_any_size(void)
{
	struct world w;
	world_init(&w, "parts");
	parts_make_the_whole(&w, 64, 2048, "city");
	parts_make_the_whole(&w, 1, 2048, "ministry");
	parts_make_the_whole(&w, 1000, 7, "ministry");
	world_deinit(&w);
}

static void who_has_no_share_costs_no_more(void)
{
	struct world w;
	size_t parts = 0;
	world_init(&w, "none");
	struct share_options options = options_of(&w, "jobcenter");
	options.entries_max = 64;
	options.looked_max = 50;
	for (bool more = true; more; parts++) {
		_cleanup_(share_deinit) struct share share = {};
		CHECK_INT(share_make(&options, &share), 0);
		CHECK_INT(json_array_size(share.entries), 0);
		CHECK(share.looked <= 51);
		more = share.more;
		options.from = share.next;
	}
	CHECK(parts >= TWICE * MANY / 51);
	world_deinit(&w);
}

static void proofs_and_words_belong_to_it(void)
{
	struct world w;
	_cleanup_(share_deinit) struct share share = {};
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	world_init(&w, "words");
	struct share_options options = options_of(&w, "city");
	options.entries_max = 10;
	CHECK_INT(share_make(&options, &share), 0);
	CHECK_INT(share_prove(&options, &share), 0);
	size_t count = json_array_size(share.entries);
	for (size_t i = 0; i < count; i++) {
		const char *proof = json_string_value(
			json_object_get(json_array_get(share.entries, i), "proof"));
		CHECK(proof && strncmp(proof, "c2sp.org/tlog-proof@v1\n", 23) == 0);
	}
	json_t *object = share_object(&options, &share, FIXTURE_NOW_MS);
	struct bytes text;
	CHECK_INT(share_words(object, BYTES_STR("{}"), w.life.journal.options.log_keys, 1, arena,
			  &text),
		0);
	CHECK(memmem(text.data, text.len, "not all: messages from entry", 28));
	CHECK(memmem(text.data, text.len, "The same for programs", 21));
	CHECK(memmem(text.data, text.len, "\n\n\xe2\x80\x94 test.demo/0/report ", 24));
	json_decref(object);
	world_deinit(&w);
}

CHECK_MAIN(CHECK_CASE(the_whole_is_in_order), CHECK_CASE(parts_of_any_size),
	CHECK_CASE(who_has_no_share_costs_no_more), CHECK_CASE(proofs_and_words_belong_to_it))
