/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A full journal, a tampered one, and one without its keys: what must still work, what must be said, and
 * what must end the process instead of going on.
 */
#include "broker/journal/test-fixture.h"

#include <errno.h>
#include <poll.h>

#include "broker/journal/tables.h"
#include "test/kit/check.h"

static struct parcel *pushed(struct journal_fixture *f, const struct fixture_load *load)
{
	struct parcel *parcel = journal_fixture_submit(f, load);
	journal_fixture_run(f, parcel);
	return parcel;
}

static bool is_deferred(const struct parcel *parcel, const char *code)
{
	for (size_t i = 0; i < parcel->submits_count; i++) {
		const struct submit_decision *decision = &parcel->submits[i].decision;
		if (decision->result != SUBMIT_DEFERRED || strcmp(decision->code, code) != 0)
			return false;
		CHECK(decision->retry_ms > 0 && decision->detail[0]);
	}
	return true;
}

enum { SENT_MAX = 400 };

/* Until the journal takes no more. Return: how many parcels it took. */
static size_t fill_up(
	struct journal_fixture *f, const struct fixture_load *load, struct parcel *sent[SENT_MAX])
{
	for (size_t count = 0; count < SENT_MAX; count++) {
		sent[count] = pushed(f, load);
		if (is_deferred(sent[count], "full")) {
			parcel_free(sent[count]);
			return count;
		}
		CHECK_INT(journal_fixture_check_receipts(f, sent[count]), load->count);
	}
	CHECK_FAIL("never full");
}

static void defers_when_the_map_is_nearly_full(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct fixture_load load = {.count = 20, .content_bytes = 3000};
	struct parcel *sent[SENT_MAX];
	struct journal_stats stats;
	journal_fixture_init(&f, check_tmpdir(), "map");
	f.options.map_bytes = 8 << 20;
	f.options.fill_limit_percent = 80;
	journal_fixture_start(&f);
	size_t count = fill_up(&f, &load, sent);
	CHECK(count > 20);
	journal_stats(f.journal, &stats);
	CHECK(stats.full && stats.fill_percent >= 60 && stats.fill_percent <= 81);
	uint64_t size = stats.tree_size;

	/* Still full, nothing is written; a resend waits as well; what makes room goes on. */
	struct parcel *more = pushed(&f, &load);
	CHECK(is_deferred(more, "full"));
	CHECK_INT(more->checkpoint.len, 0);
	parcel_free(more);
	journal_stats(f.journal, &stats);
	CHECK_INT(stats.tree_size, size);
	for (size_t i = 0; i < count; i++) {
		struct parcel *acks = journal_fixture_acks(&f, "ministry", sent[i]);
		journal_fixture_run(&f, acks);
		CHECK(acks->acks[0].decision.append);
		CHECK_INT(journal_fixture_check_receipts(&f, acks), 1);
		parcel_free(acks);
		parcel_free(sent[i]);
	}
	journal_fixture_stop(&f);

	/* A larger map is the remedy, and all that it takes. */
	f.options.map_bytes = 16 << 20;
	journal_fixture_start(&f);
	more = pushed(&f, &load);
	CHECK_INT(more->submits[0].decision.result, SUBMIT_ACCEPTED);
	parcel_free(more);
	journal_stats(f.journal, &stats);
	CHECK(!stats.full);
	journal_fixture_stop(&f);
}

static void defers_when_the_disk_is_nearly_full(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct fixture_load load = {.count = 2, .content_bytes = 100};
	journal_fixture_init(&f, check_tmpdir(), "disk");
	f.options.disk_reserve_bytes = UINT64_MAX / 4; /* no file system has so much */
	journal_fixture_start(&f);
	struct parcel *parcel = pushed(&f, &load);
	CHECK(is_deferred(parcel, "full"));
	parcel_free(parcel);
	journal_fixture_stop(&f);
}

static void ends_when_the_map_is_full(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct fixture_load load = {.count = 20, .content_bytes = 3000};
	struct parcel *sent[SENT_MAX];
	size_t count = 0;
	journal_fixture_init(&f, check_tmpdir(), "abort");
	f.options.map_bytes = 2 << 20;
	f.options.fill_limit_percent = 10000; /* an operator who knew better */
	journal_fixture_start(&f);
	for (;;) {
		CHECK(count < SENT_MAX);
		sent[count] = journal_fixture_submit(&f, &load);
		journal_push(f.journal, sent[count++]);
		struct pollfd either[] = {{.fd = queue_fd(f.done), .events = POLLIN},
			{.fd = f.failed_fd, .events = POLLIN}};
		void *back;
		CHECK(poll(either, 2, FIXTURE_WAIT_MS) > 0);
		if (either[1].revents)
			break;
		CHECK_INT(queue_pop_all(f.done, &back, 1), 1);
		CHECK_INT(journal_fixture_check_receipts(&f, back), 20);
	}
	CHECK_INT(journal_fixture_wait_failed(&f), -ENOSPC);
	CHECK_INT(journal_pending(f.journal), 1); /* the last one was not answered */
	journal_free(f.journal);
	f.journal = NULL;

	/* What was answered is there. */
	struct journal_reader *reader = NULL;
	CHECK_INT(journal_reader_open(f.dir, f.keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	for (size_t i = 0; i + 1 < count; i++)
		for (size_t k = 0; k < 20; k++) {
			Dienstweg__Row *row;
			arena_reset(arena);
			CHECK_INT(journal_read_row(
					  reader, sent[i]->submits[k].proof.sequence, arena, &row),
				0);
			CHECK(bytes_equal(
				BYTES_PB(row->original), sent[i]->submits[k].facts.header_bytes));
		}
	journal_reader_free(reader);
	for (size_t i = 0; i < count; i++)
		parcel_free(sent[i]);
	f.options.map_bytes = 64 << 20;
	journal_fixture_start(&f);
	journal_fixture_stop(&f);
}

static void bounds_a_parcels_arena(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct fixture_load load = {.count = 4, .content_bytes = 100};
	journal_fixture_init(&f, check_tmpdir(), "arena");
	journal_fixture_start(&f);
	struct parcel *parcel = journal_fixture_submit(&f, &load);
	CHECK(arena_alloc(parcel->arena, arena_left(parcel->arena) - 20000));
	journal_fixture_run(&f, parcel);
	CHECK(is_deferred(parcel, "busy")); /* and the broker lives */
	parcel_free(parcel);
	parcel = pushed(&f, &load);
	CHECK_INT(journal_fixture_check_receipts(&f, parcel), 4);
	struct parcel *acks = journal_fixture_acks(&f, "ministry", parcel);
	CHECK(arena_alloc(acks->arena, arena_left(acks->arena) - 20000));
	journal_fixture_run(&f, acks);
	CHECK(acks->acks[0].decision.refused && !acks->acks[0].decision.append);
	CHECK_STR(acks->acks[0].decision.code, "too-large");
	parcel_free(acks);
	struct parcel *spoilt = journal_fixture_submit(&f, &load);
	spoilt->spoilt = true;
	journal_fixture_run(&f, spoilt);
	CHECK_INT(spoilt->submits[0].decision.result, 0); /* passed through, undecided */
	parcel_free(spoilt);
	parcel_free(parcel);
	journal_fixture_stop(&f);
}

/* ---- rows that somebody changed ---- */

static void flip(struct journal_fixture *f, const char *table, struct key key, size_t at)
{
	struct db_options options = {
		.map_bytes = f->options.map_bytes, .tables_max = TABLES_MAX, .readers_max = 4};
	struct db_env *env;
	struct db_txn *txn;
	db_table_id id;
	struct bytes value;
	uint8_t copy[VALUE_MAX];
	CHECK_INT(db_env_open(f->dir, &options, &env), 0);
	CHECK_INT(db_begin(env, true, &txn), 0);
	CHECK_INT(db_table_open(txn, table, &id), 0);
	CHECK_INT(db_get(txn, id, KEY_BYTES_OF(key), &value), 0);
	size_t len = value.len;
	memcpy(copy, value.data, len);
	copy[at % len] ^= 0x10;
	CHECK_INT(db_put(txn, id, KEY_BYTES_OF(key), BYTES(copy, len)), 0);
	CHECK_INT(db_commit(txn), 0);
	db_env_close(env);
}

static int read_row(struct journal_fixture *f, struct keyring *keyring, uint64_t sequence)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	Dienstweg__Row *row;
	CHECK_INT(journal_reader_open(f->dir, keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	return journal_read_row(reader, sequence, arena, &row);
}

static int read_content(struct journal_fixture *f, uint64_t sequence)
{
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	_cleanup_(arena_free) struct arena *arena = arena_new(1 << 20);
	struct bytes content;
	CHECK_INT(journal_reader_open(f->dir, f->keyring, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	return journal_read_content(reader, sequence, arena, &content);
}

static void notices_changed_rows(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct fixture_load load = {.count = 1, .content_bytes = 5000};
	journal_fixture_init(&f, check_tmpdir(), "changed");
	journal_fixture_start(&f);
	struct parcel *parcel = pushed(&f, &load);
	uint64_t sequence = parcel->submits[0].proof.sequence;
	parcel_free(parcel);
	journal_fixture_stop(&f);
	CHECK_INT(read_row(&f, f.keyring, sequence), 0);
	struct key key = key_u64(sequence), start = key_u64(1), chunk = key_chunk(sequence, 1);
	/* Sealed rows in every part, erase-day included; then a clear one (the start entry), nonce, salt,
	   limits and all. */
	static const size_t places[] = {0, 1, 4, 5, 28, 29, 100, 300, 399};
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		flip(&f, "record", key, places[i]);
		int r = read_row(&f, f.keyring, sequence);
		CHECK(r == READER_DAMAGED ||
			(places[i] >= 1 && places[i] <= 4 && r == READER_ERASED));
		flip(&f, "record", key, places[i]);
		flip(&f, "record", start, places[i]);
		CHECK_INT(read_row(&f, f.keyring, 1), READER_DAMAGED);
		flip(&f, "record", start, places[i]);
		flip(&f, "content", chunk, places[i]);
		CHECK(read_content(&f, sequence) != 0);
		flip(&f, "content", chunk, places[i]);
	}
	flip(&f, "stub", key, 20);
	CHECK_INT(read_row(&f, f.keyring, sequence), READER_DAMAGED);
	flip(&f, "stub", key, 20);
	CHECK_INT(read_row(&f, f.keyring, sequence), 0);
	CHECK_INT(read_row(&f, f.keyring, 1), 0);
	CHECK_INT(read_content(&f, sequence), 0);
	CHECK_INT(read_row(&f, f.keyring, 999), READER_NOT_FOUND);
	CHECK_INT(read_content(&f, 1), READER_ERASED);
}

static void holds_a_resend_that_it_cannot_prove(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct fixture_load load = {.count = 2, .content_bytes = 100};
	journal_fixture_init(&f, check_tmpdir(), "held");
	journal_fixture_start(&f);
	struct parcel *parcel = pushed(&f, &load);
	journal_fixture_stop(&f);
	flip(&f, "record", key_u64(parcel->submits[0].proof.sequence), 100);
	journal_fixture_start(&f);
	struct parcel *again = journal_fixture_resend(&f, parcel);
	journal_fixture_run(&f, again);
	CHECK_INT(again->submits[0].decision.result, SUBMIT_DEFERRED);
	CHECK_STR(again->submits[0].decision.code, "held");
	CHECK_INT(again->submits[1].decision.result, SUBMIT_DUPLICATE);
	CHECK_INT(journal_fixture_check_receipts(&f, again), 1);
	parcel_free(again);
	parcel_free(parcel);
	journal_fixture_stop(&f);
}

static void is_silent_without_its_keys(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct fixture_load load = {.count = 1, .content_bytes = 100};
	struct merkle_hash path[MERKLE_LEVELS];
	size_t count;
	journal_fixture_init(&f, check_tmpdir(), "keys");
	journal_fixture_start(&f);
	struct parcel *parcel = pushed(&f, &load);
	uint64_t sequence = parcel->submits[0].proof.sequence;
	parcel_free(parcel);
	journal_fixture_stop(&f);
	CHECK_INT(read_row(&f, NULL, sequence), READER_ERASED);
	CHECK_INT(read_row(&f, NULL, 0), 0); /* registry and start are permanent and in clear */
	CHECK_INT(read_row(&f, NULL, 1), 0);
	CHECK_INT(journal_reader_open(f.dir, NULL, &reader), 0);
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_path(reader, sequence, sequence + 1, path, &count), 0);

	/* Another broker's keyring over the same journal: rows are gone, the tree still proves. */
	_cleanup_(keyring_free) struct keyring *other = NULL;
	char dir[700];
	snprintf(dir, sizeof(dir), "%s/other", f.dir);
	CHECK_INT(keyring_open(dir, f.master, true, &other), 0);
	CHECK_INT(read_row(&f, other, sequence), READER_ERASED);
}

CHECK_MAIN(CHECK_CASE(defers_when_the_map_is_nearly_full),
	CHECK_CASE(defers_when_the_disk_is_nearly_full), CHECK_CASE(ends_when_the_map_is_full),
	CHECK_CASE(bounds_a_parcels_arena), CHECK_CASE(notices_changed_rows),
	CHECK_CASE(holds_a_resend_that_it_cannot_prove), CHECK_CASE(is_silent_without_its_keys))
