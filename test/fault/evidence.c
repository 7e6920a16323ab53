/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The sender's memory and the broker's journal are two accounts of the same days. They are compared row
 * by row, because a count can be right for the wrong reasons.
 */
#include "test/fault/evidence.h"

#include <stdlib.h>

#include "broker/journal/reader.h"
#include "proto/envelope/envelope.h"
#include "test/kit/check.h"
#include "test/kit/process.h"

enum { ROW_ARENA = 1 << 20, AUDIT_MS = 120000 };

/* Letters by h. */
struct index {
	const struct letter **letters;
	bool *seen;
	size_t count;
};

static int by_h(const void *a, const void *b)
{
	const struct letter *const *left = a, *const *right = b;
	return memcmp((*left)->h, (*right)->h, 32);
}

static void index_make(struct index *index, const struct letter *letters, size_t count)
{
	index->letters = calloc(count + 1, sizeof(*index->letters));
	index->seen = calloc(count + 1, sizeof(*index->seen));
	index->count = count;
	CHECK(index->letters && index->seen);
	for (size_t i = 0; i < count; i++)
		index->letters[i] = &letters[i];
	qsort(index->letters, count, sizeof(*index->letters), by_h);
}

static void index_free(struct index *index)
{
	free(index->letters);
	free(index->seen);
}

static void accepted_check(struct index *index, uint64_t sequence, const uint8_t h[32])
{
	struct letter wanted, *key = &wanted;

	memcpy(wanted.h, h, 32);
	const struct letter **found = bsearch(
		&key, index->letters, index->count, sizeof(*index->letters), by_h);
	if (!found)
		CHECK_FAIL("entry %llu holds a message that nobody sent",
			(unsigned long long)sequence);
	size_t at = (size_t)(found - index->letters);
	if (index->seen[at])
		CHECK_FAIL("entry %llu holds a message a second time", (unsigned long long)sequence);
	index->seen[at] = true;
	if ((*found)->recorded)
		CHECK_INT(sequence, (*found)->sequence);
}

static void journal_walk(struct journal_reader *reader, struct index *index)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(ROW_ARENA);
	struct journal_meta meta;

	CHECK_INT(journal_reader_begin(reader), 0);
	CHECK_INT(journal_read_meta(reader, &meta), 0);
	for (uint64_t sequence = 0; sequence < meta.size; sequence++) {
		struct stub stub;
		Dienstweg__Row *row;
		uint8_t h[32];
		CHECK_INT(journal_read_stub(reader, sequence, &stub), 0);
		if (stub.kind != DIENSTWEG__ENTRY_KIND__ENTRY_ACCEPTED)
			continue;
		arena_reset(arena);
		CHECK_INT(journal_read_row(reader, sequence, arena, &row), 0);
		envelope_header_hash(BYTES_PB(row->original), h);
		accepted_check(index, sequence, h);
	}
	journal_reader_end(reader);
}

static void audit(const struct bus *bus, const char *verb)
{
	char program[512], *output;
	const char *const argv[] = {program_path("broker/dienstweg-admin", program, sizeof(program)),
		"audit", verb, "--config", bus_path(bus, "broker.yaml"), NULL};

	if (process_run(argv, &output, AUDIT_MS) != 0)
		CHECK_FAIL("audit %s: %s", verb, output);
	free(output);
}

void evidence_check(const struct bus *bus, const struct letter *letters, size_t count)
{
	_cleanup_(keyring_free) struct keyring *keyring = NULL;
	_cleanup_(journal_reader_free) struct journal_reader *reader = NULL;
	struct index index;

	CHECK_INT(keyring_open(bus_path(bus, "broker/keyring"), bus_path(bus, "keys/master"), false,
			  &keyring),
		0);
	CHECK_INT(journal_reader_open(bus_path(bus, "broker/journal"), keyring, &reader), 0);
	index_make(&index, letters, count);
	journal_walk(reader, &index);
	for (size_t i = 0; i < count; i++)
		if (index.letters[i]->recorded && !index.seen[i])
			CHECK_FAIL("the receipt of entry %llu is for nothing",
				(unsigned long long)index.letters[i]->sequence);
	index_free(&index);
	audit(bus, "verify");
	audit(bus, "replay");
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

void handed_over_add(struct handed_over *all, const uint8_t id[16])
{
	if (all->count == all->room) {
		all->room = all->room ? 2 * all->room : 4096;
		all->ids = realloc(all->ids, all->room * sizeof(*all->ids));
		CHECK(all->ids);
	}
	memcpy(all->ids[all->count++], id, 16);
}

void evidence_handed_over(struct handed_over *all, const struct letter *letters, size_t count)
{
	size_t recorded = 0;

	qsort(all->ids, all->count, sizeof(*all->ids), by_id);
	for (size_t i = 1; i < all->count; i++)
		if (memcmp(all->ids[i - 1], all->ids[i], 16) == 0)
			CHECK_FAIL("a message was handed over twice");
	for (size_t i = 0; i < count; i++) {
		if (!letters[i].recorded)
			continue;
		recorded++;
		if (!bsearch(letters[i].message_id, all->ids, all->count, sizeof(*all->ids), by_id))
			CHECK_FAIL("entry %llu was never handed over",
				(unsigned long long)letters[i].sequence);
	}
	CHECK_INT(all->count, recorded);
}
