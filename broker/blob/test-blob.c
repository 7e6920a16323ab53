/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The store alone, and with a real journal: an upload goes on where its file ends, counts only once it was read,
 * and belongs to nobody but its party and its message's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/blob/store.h"
#include "broker/journal/test-fixture.h"
#include "proto/base/file.h"
#include "test/kit/check.h"

enum { SIZE = 2 * BLOB_PIECE_MAX + 777 };

struct world {
	char dir[256];
	struct blob_store *store;
	uint8_t bytes[SIZE];
	struct blob_upload upload;
};

static void world_open(struct world *w, uint64_t party_bytes, uint64_t fill_percent)
{
	struct blob_options options = {.dir = w->dir,
		.party_bytes_max = party_bytes,
		.fill_percent = fill_percent,
		.orphan_ms = 24 * 3600 * 1000};
	blob_store_free(w->store);
	CHECK_INT(blob_store_new(&options, &w->store), 0);
}

static void world_init(struct world *w)
{
	*w = (struct world){0};
	snprintf(w->dir, sizeof(w->dir), "%s/blobs", check_subdir());
	for (size_t i = 0; i < SIZE; i++)
		w->bytes[i] = (uint8_t)(i * 7 + i / 251);
	snprintf(w->upload.party, sizeof(w->upload.party), "city");
	w->upload.size = SIZE;
	blake2b_of(BYTES(w->bytes, SIZE), w->upload.digest);
	world_open(w, UINT64_C(1) << 30, 100);
}

static int put(struct world *w, uint64_t offset, struct blob_state *ret)
{
	size_t len = SIZE - offset < BLOB_PIECE_MAX ? SIZE - offset : BLOB_PIECE_MAX;
	return blob_put(w->store, &w->upload, offset, BYTES(w->bytes + offset, len), ret);
}

static int ask(struct world *w, struct blob_state *ret)
{
	return blob_put(w->store, &w->upload, 0, BYTES(NULL, 0), ret);
}

static int hash(struct world *w, struct blob_state *ret)
{
	_cleanup_(heap_free) struct blob_hashing *hashing = blob_hashing_new();
	int r;
	CHECK(hashing);
	while ((r = blob_hash_step(w->store, &w->upload, hashing, ret)) == BLOB_HASHING)
		continue;
	return r;
}

static void put_all(struct world *w)
{
	struct blob_state state;
	CHECK_INT(put(w, 0, &state), 0);
	CHECK_INT(put(w, BLOB_PIECE_MAX, &state), 0);
	CHECK_INT(put(w, 2 * BLOB_PIECE_MAX, &state), BLOB_HASHING);
}

static void an_upload_goes_on_where_it_ended(void)
{
	struct world w;
	struct blob_state state;
	world_init(&w);
	CHECK_INT(ask(&w, &state), 0);
	CHECK_INT(state.offset, 0);
	CHECK_INT(put(&w, 0, &state), 0);
	CHECK_INT(state.offset, BLOB_PIECE_MAX);
	world_open(&w, UINT64_C(1) << 30, 100); /* the broker was killed */
	CHECK_INT(ask(&w, &state), 0);
	CHECK_INT(state.offset, BLOB_PIECE_MAX);
	CHECK_INT(put(&w, 2 * BLOB_PIECE_MAX, &state), BLOB_OFFSET);
	CHECK_INT(state.offset, BLOB_PIECE_MAX);
	CHECK_INT(put(&w, 0, &state), BLOB_OFFSET);
	CHECK_INT(put(&w, BLOB_PIECE_MAX, &state), 0);
	CHECK_INT(put(&w, 2 * BLOB_PIECE_MAX, &state), BLOB_HASHING);
	world_open(&w, UINT64_C(1) << 30, 100); /* before it was read once more */
	CHECK_INT(ask(&w, &state), BLOB_HASHING);
	CHECK_INT(hash(&w, &state), 0);
	CHECK(state.complete);
	CHECK_INT(ask(&w, &state), 0);
	CHECK(state.complete);
	CHECK_INT(put(&w, 0, &state), 0); /* the same once more costs nothing */
	CHECK(state.complete);
	blob_store_free(w.store);
}

static void what_is_not_as_announced_goes(void)
{
	struct world w;
	struct blob_state state;
	world_init(&w);
	w.upload.digest[0] ^= 1;
	put_all(&w);
	CHECK_INT(hash(&w, &state), BLOB_DIGEST);
	CHECK_INT(ask(&w, &state), 0);
	CHECK_INT(state.offset, 0);
	w.upload.digest[0] ^= 1;
	put_all(&w);
	CHECK_INT(hash(&w, &state), 0);
	w.upload.size--;
	CHECK_INT(ask(&w, &state), BLOB_SIZE);
	blob_store_free(w.store);
}

/* Who has the digest of somebody else's file learns by it nothing, and saves nothing. */
static void others_start_anew(void)
{
	struct world w;
	struct blob_state state;
	world_init(&w);
	put_all(&w);
	CHECK_INT(hash(&w, &state), 0);
	snprintf(w.upload.party, sizeof(w.upload.party), "town");
	CHECK_INT(ask(&w, &state), 0);
	CHECK_INT(state.offset, 0);
	CHECK(!state.complete);
	put_all(&w);
	CHECK_INT(hash(&w, &state), 0);
	blob_store_free(w.store);
}

static void room_is_bounded(void)
{
	struct world w;
	struct blob_state state;
	world_init(&w);
	world_open(&w, BLOB_PIECE_MAX + 1000, 100);
	CHECK_INT(put(&w, 0, &state), 0);
	CHECK_INT(put(&w, BLOB_PIECE_MAX, &state), BLOB_QUOTA);
	CHECK_INT(state.offset, BLOB_PIECE_MAX);
	world_open(&w, UINT64_C(1) << 30, 0); /* any disk is fuller than that */
	CHECK_INT(put(&w, BLOB_PIECE_MAX, &state), BLOB_FULL);
	CHECK_INT(ask(&w, &state), 0);
	CHECK_INT(state.offset, BLOB_PIECE_MAX);
	blob_store_free(w.store);
}

static void names_tell_what_they_name(void)
{
	char name[BLOB_NAME_SIZE];
	uint8_t digest[HASH_SIZE] = {1, 2};
	uint64_t sequence = 0;
	blob_kept_name(UINT64_MAX, 15, name);
	CHECK_INT(blob_name_kind(name, &sequence), BLOB_KEPT);
	CHECK(sequence == UINT64_MAX);
	blob_part_name(digest, UINT64_C(1) << 31, name);
	CHECK_INT(blob_name_kind(name, &sequence), BLOB_PART);
	blob_whole_name(digest, name);
	CHECK_INT(blob_name_kind(name, &sequence), BLOB_WHOLE);
	CHECK_INT(blob_name_kind("README", &sequence), BLOB_FOREIGN);
	CHECK_INT(blob_name_kind("@12.00", &sequence), BLOB_FOREIGN);
}

/* ---- with a journal ---- */

struct story {
	struct journal_fixture fixture;
	struct world w;
	struct journal_reader *reader;
};

static void story_init(struct story *s)
{
	world_init(&s->w);
	journal_fixture_init(&s->fixture, check_tmpdir(), strrchr(check_subdir(), '/') + 1);
	s->fixture.options.blobs = s->w.dir;
	journal_fixture_start(&s->fixture);
	CHECK_INT(
		journal_reader_new(journal_env(s->fixture.journal), s->fixture.keyring, &s->reader),
		0);
}

static void story_deinit(struct story *s)
{
	journal_reader_free(s->reader);
	journal_fixture_stop(&s->fixture);
	journal_fixture_deinit(&s->fixture);
	blob_store_free(s->w.store);
}

static struct parcel *send(struct story *s)
{
	struct parcel *parcel = journal_fixture_submit(
		&s->fixture, &(struct fixture_load){.count = 1,
				     .content_bytes = 100,
				     .attached = s->w.upload.digest,
				     .attached_bytes = s->w.upload.size});
	journal_fixture_run(&s->fixture, parcel);
	return parcel;
}

static int get(struct story *s, const char *party, uint64_t sequence, uint32_t index,
	uint64_t offset, size_t *ret_len)
{
	static uint8_t buf[BLOB_PIECE_MAX];
	struct blob_piece piece = {.sequence = sequence, .index = index, .offset = offset};
	snprintf(piece.party, sizeof(piece.party), "%s", party);
	CHECK_INT(journal_reader_begin(s->reader), 0);
	int r = blob_get(s->w.store, s->reader, &piece, buf, ret_len);
	journal_reader_end(s->reader);
	if (r == 0)
		CHECK_MEM(buf, s->w.bytes + offset, *ret_len);
	return r;
}

static void sweep(struct story *s, uint64_t wall_ms)
{
	bool more = true;
	while (more) {
		CHECK_INT(journal_reader_begin(s->reader), 0);
		CHECK_INT(blob_sweep(s->w.store, s->reader, wall_ms, &more), 0);
		journal_reader_end(s->reader);
	}
}

static void a_message_waits_for_its_attachments(void)
{
	static struct story s;
	struct blob_state state;
	size_t len = 0;
	story_init(&s);
	struct parcel *parcel = send(&s);
	CHECK_INT(parcel->submits[0].decision.result, SUBMIT_DEFERRED);
	CHECK_STR(parcel->submits[0].decision.code, "attachments");
	parcel_free(parcel);
	put_all(&s.w);
	parcel = send(
		&s); /* all bytes are there, but nobody has looked whether they are the right ones */
	CHECK_INT(parcel->submits[0].decision.result, SUBMIT_DEFERRED);
	parcel_free(parcel);
	CHECK_INT(hash(&s.w, &state), 0);
	parcel = send(&s);
	CHECK_INT(parcel->submits[0].decision.result, SUBMIT_ACCEPTED);
	uint64_t sequence = parcel->submits[0].proof.sequence;
	parcel_free(parcel);
	CHECK_INT(get(&s, "ministry", sequence, 0, 0, &len), 0);
	CHECK_INT(len, BLOB_PIECE_MAX);
	CHECK_INT(get(&s, "city", sequence, 0, 2 * BLOB_PIECE_MAX, &len), 0);
	CHECK_INT(len, 777);
	CHECK_INT(get(&s, "jobcenter", sequence, 0, 0, &len), BLOB_UNKNOWN);
	CHECK_INT(get(&s, "ministry", sequence, 1, 0, &len), BLOB_UNKNOWN);
	CHECK_INT(get(&s, "ministry", sequence, 0, SIZE, &len), BLOB_UNKNOWN);
	CHECK_INT(get(&s, "ministry", sequence - 1, 0, 0, &len), BLOB_UNKNOWN);
	CHECK_INT(get(&s, "ministry", sequence + 100, 0, 0, &len), BLOB_UNKNOWN);
	story_deinit(&s);
}

static uint64_t now_ms(void)
{
	return clock_wall_ms(clock_system());
}

static void orphans_go_and_attachments_stay(void)
{
	static struct story s;
	struct blob_state state;
	struct blob_counts counts;
	size_t len = 0;
	uint64_t day = 24 * 3600 * 1000;
	story_init(&s);
	put_all(&s.w);
	CHECK_INT(hash(&s.w, &state), 0);
	struct parcel *parcel = send(&s);
	uint64_t sequence = parcel->submits[0].proof.sequence;
	parcel_free(parcel);
	snprintf(s.w.upload.party, sizeof(s.w.upload.party), "town");
	CHECK_INT(put(&s.w, 0, &state), 0);
	sweep(&s, now_ms());
	blob_counts(s.w.store, &counts);
	CHECK_INT(counts.removed, 0);
	CHECK_INT(counts.files, 1);
	CHECK_INT(counts.uploads, 1);
	sweep(&s, now_ms() + day + 1000);
	blob_counts(s.w.store, &counts);
	CHECK_INT(counts.removed,
		2); /* the upload that nobody finished, and the first name of the other */
	CHECK_INT(counts.uploads, 0);
	CHECK_INT(ask(&s.w, &state), 0);
	CHECK_INT(state.offset, 0);
	CHECK_INT(get(&s, "ministry", sequence, 0, 0, &len), 0);
	story_deinit(&s);
}

/* An entry that has no content: of a message that was refused. */
static uint64_t without_content(struct story *s)
{
	uint64_t sequence = 0, found = 0;
	struct parcel *parcel = journal_fixture_submit(
		&s->fixture, &(struct fixture_load){.count = 1, .expires_ms = 1});
	journal_fixture_run(&s->fixture, parcel);
	CHECK_INT(parcel->submits[0].decision.result, SUBMIT_REFUSED);
	parcel_free(parcel);
	CHECK_INT(journal_reader_begin(s->reader), 0);
	while (journal_read_primary(s->reader, JOURNAL_CONTENT, sequence, &found) == 0 &&
		found == sequence)
		sequence++;
	journal_reader_end(s->reader);
	return sequence;
}

/* The broker died between the name and the commit, or is between them: a sleep of the machine is no sign of either. */
static void a_name_without_a_message_goes_when_its_number_is_taken(void)
{
	static struct story s;
	struct blob_state state;
	char whole[BLOB_NAME_SIZE], ahead[BLOB_NAME_SIZE], taken[BLOB_NAME_SIZE];
	size_t len = 0;
	story_init(&s);
	put_all(&s.w);
	CHECK_INT(hash(&s.w, &state), 0);
	_cleanup_(fd_close) int folder = blob_party_open(s.w.dir, BYTES_STR("city"), false);
	CHECK(folder >= 0);
	blob_whole_name(s.w.upload.digest, whole);
	blob_kept_name(1000, 0, ahead);
	blob_kept_name(without_content(&s), 0, taken);
	CHECK_INT(linkat(folder, whole, folder, ahead, 0), 0);
	CHECK_INT(linkat(folder, whole, folder, taken, 0), 0);
	CHECK_INT(get(&s, "city", 1000, 0, 0, &len), BLOB_UNKNOWN);
	sweep(&s, now_ms() + UINT64_C(31) * 24 * 3600 * 1000);
	CHECK_INT(faccessat(folder, ahead, F_OK, 0), 0);
	CHECK_INT(faccessat(folder, taken, F_OK, 0), -1);
	story_deinit(&s);
}

CHECK_MAIN(CHECK_CASE(an_upload_goes_on_where_it_ended), CHECK_CASE(what_is_not_as_announced_goes),
	CHECK_CASE(others_start_anew), CHECK_CASE(room_is_bounded),
	CHECK_CASE(names_tell_what_they_name), CHECK_CASE(a_message_waits_for_its_attachments),
	CHECK_CASE(orphans_go_and_attachments_stay),
	CHECK_CASE(a_name_without_a_message_goes_when_its_number_is_taken))
