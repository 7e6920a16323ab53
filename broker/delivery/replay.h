/* SPDX-License-Identifier: EUPL-1.2 */
#pragma once

#include "broker/delivery/batch.h"
#include "broker/journal/reader.h"
#include "proto/registry/registry.h"

/*
 * What a party may have delivered once more, because it asks (docs/protocol.md "Replay"): a message that it took or
 * rejected, and a readable event that it would get if it were sent now. Nothing that waits for it (that comes by itself)
 * and nothing that it was never to have: what expired, was cancelled or discarded before it came.
 *
 * One call looks through a bounded stretch of the journal and says where the next one begins. It changes nothing.
 */
struct replay_question {
	const struct registry *registry; /* in force now: its agreements bound what is given */
	struct bytes name;               /* of the party */
	uint32_t party;
	uint64_t from;       /* first entry to look at */
	uint64_t from_ms;    /* nothing recorded before; 0: from @from on */
	uint64_t now_ms;     /* wall clock */
	size_t messages_max; /* at least one */
	uint64_t bytes_max;
};

struct replay_found {
	Dienstweg__Item *items[BATCH_ITEMS_MAX]; /* ascending */
	size_t count;
	uint64_t bytes; /* of headers and contents */
	uint64_t next;  /* everything below was looked at */
	bool end;       /* that is all there is */
};

/**
 * replay_read() - look through a stretch
 * @question: what is asked
 * @reader:   begun
 * @scratch:  for what is looked at; reset
 * @arena:    owns the items
 * @ret:      what was found
 *
 * What was erased cannot be given, and is passed over in silence.
 *
 * Return: 0, READER_DAMAGED, negative errno.
 */
int replay_read(const struct replay_question *question, struct journal_reader *reader,
	struct arena *scratch, struct arena *arena, struct replay_found *ret);

/**
 * replay_first_since() - the place from which on to look for entries not older than a time
 * @reader:  begun
 * @from_ms: time
 * @scratch: for what is looked at; reset
 * @size:    entries of the journal
 * @ret:     no readable entry below it is as young; where much was erased it may be earlier than need be
 * Return: 0 or negative errno.
 */
int replay_first_since(struct journal_reader *reader, uint64_t from_ms, struct arena *scratch,
	uint64_t size, uint64_t *ret);
