/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Several threads push, one takes the answers, one reads, states are made beside it, all at once: for the thread sanitizer, and for
 * the promises that only show then. Each sender's messages are journaled in the order in which it sent
 * them, and what a reader sees is always a whole commit.
 */
#include "broker/journal/test-fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "proto/note/checkpoint.h"
#include "test/kit/check.h"

enum { SENDERS = 4, PARCELS = 40, MESSAGES = 5 };

struct sender {
	struct journal_fixture *fixture;
	struct parcel *parcels[PARCELS];
};

static void *push_all(void *argument)
{
	struct sender *sender = argument;
	for (size_t i = 0; i < PARCELS; i++)
		journal_push(sender->fixture->journal, sender->parcels[i]);
	return NULL;
}

struct watcher {
	struct journal_fixture *fixture;
	atomic_bool stop;
	uint64_t looks;
};

/* Every checkpoint extends the one before, and the tree that a transaction sees leads to it. */
static void look(struct watcher *watcher, struct journal_reader *reader, const struct note_key *key,
	struct checkpoint *last)
{
	struct merkle_hash proof[2 * MERKLE_LEVELS];
	struct checkpoint now;
	struct journal_meta meta;
	struct journal_stats stats;
	struct bytes note;
	uint8_t buf[CHECKPOINT_NOTE_MAX];
	size_t count;
	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_meta(reader, &meta), 0);
	CHECK_INT(journal_read_checkpoint(reader, 0, &note), 0);
	CHECK_INT(checkpoint_open(note, key, 1, "test.demo/0", &now), 0);
	CHECK_INT(now.size, meta.size);
	CHECK(now.size >= last->size);
	if (last->size > 0) {
		CHECK_INT(journal_read_consistency(reader, last->size, now.size, proof, &count), 0);
		CHECK_INT(merkle_consistency_check(
				  last->size, &last->root, now.size, &now.root, proof, count),
			0);
	}
	journal_reader_end(reader);
	*last = now;
	journal_stats(watcher->fixture->journal, &stats);
	size_t len = journal_checkpoint(watcher->fixture->journal, buf, sizeof(buf), NULL);
	CHECK_INT(checkpoint_open(BYTES(buf, len), key, 1, "test.demo/0", &now), 0);
	registry_unref(journal_registry(watcher->fixture->journal));
	if (watcher->looks++ % 16 == 0)
		journal_state_request(watcher->fixture->journal);
}

static void *watch(void *argument)
{
	struct watcher *watcher = argument;
	struct journal_reader *reader = NULL;
	struct checkpoint last = {};
	struct note_key key;
	CHECK_INT(journal_reader_new(journal_env(watcher->fixture->journal),
			  watcher->fixture->keyring, &reader),
		0);
	CHECK_INT(note_key_init(&key, BYTES_STR("test.demo/0"),
			  watcher->fixture->options.log_keys[0]->pub.public),
		0);
	do {
		look(watcher, reader, &key, &last);
	} while (!atomic_load(&watcher->stop));
	journal_reader_free(reader);
	return NULL;
}

static void make_parcels(struct journal_fixture *f, struct sender *senders)
{
	for (size_t s = 0; s < SENDERS; s++) {
		senders[s].fixture = f;
		for (size_t i = 0; i < PARCELS; i++) {
			struct fixture_load load = {
				.sender = s % 2 ? "town" : "city",
				.count = MESSAGES,
				.content_bytes = 200,
			};
			senders[s].parcels[i] = journal_fixture_submit(f, &load);
			senders[s].parcels[i]->origin.speaker_number = (uint32_t)s + 1;
		}
	}
}

static void take_all(struct journal_fixture *f)
{
	for (size_t i = 0; i < SENDERS * PARCELS; i++) {
		struct parcel *back = journal_fixture_wait(f);
		CHECK_INT(back->kind, PARCEL_SUBMIT);
		CHECK_INT(journal_fixture_check_receipts(f, back), MESSAGES);
	}
}

static void many_push_one_writes(void)
{
	_cleanup_(journal_fixture_deinit) struct journal_fixture f;
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS], watching;
	journal_fixture_init(&f, check_memdir(), "journal");
	f.options.fair_messages = 20;
	f.options.clock = clock_system();
	clock_fake_advance(&f.clock, clock_wall_ms(clock_system()) - FIXTURE_NOW_MS);
	journal_fixture_start(&f);
	make_parcels(&f, senders);
	struct watcher watcher = {.fixture = &f};
	CHECK_INT(pthread_create(&watching, NULL, watch, &watcher), 0);
	for (size_t s = 0; s < SENDERS; s++)
		CHECK_INT(pthread_create(&threads[s], NULL, push_all, &senders[s]), 0);
	take_all(&f);
	for (size_t s = 0; s < SENDERS; s++)
		pthread_join(threads[s], NULL);
	atomic_store(&watcher.stop, true);
	pthread_join(watching, NULL);
	CHECK(watcher.looks > 0);
	for (size_t s = 0; s < SENDERS; s++) {
		uint64_t last = 0;
		for (size_t i = 0; i < PARCELS; i++) {
			for (size_t k = 0; k < MESSAGES; k++) {
				CHECK(senders[s].parcels[i]->submits[k].proof.sequence > last);
				last = senders[s].parcels[i]->submits[k].proof.sequence;
			}
			parcel_free(senders[s].parcels[i]);
		}
	}
	struct journal_stats stats;
	journal_stats(f.journal, &stats);
	CHECK_INT(stats.messages, SENDERS * PARCELS * MESSAGES);
	CHECK(stats.commits > 1 && stats.commits < 400);
	CHECK(journal_state_covered(f.journal) > 0);
	journal_fixture_stop(&f);
}

CHECK_MAIN(CHECK_CASE(many_push_one_writes))
