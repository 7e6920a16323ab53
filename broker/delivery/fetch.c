/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Content is read, opened and joined here, on the clerk's thread, because the pages may have to come
 * from the disk.
 */
#include "broker/delivery/fetch.h"

#include <errno.h>

#include "broker/delivery/letter.h"
#include "broker/delivery/outcome.h"
#include "broker/field.h"
#include "broker/journal/store.h"
#include "broker/routing/common.h"
#include "broker/routing/place.h"
#include "proto/base/log.h"

static const unsigned int lane_weights[LANE_OUTCOME] = {
	[LANE_URGENT] = 4, [LANE_NORMAL] = 2, [LANE_BULK] = 1};

struct reading {
	struct fetch *fetch;
	struct journal_reader *reader;
	struct state *state; /* of the same snapshot */
	size_t messages;
	uint64_t bytes;
	bool full;
};

/* An unreadable row must not stop the queue behind it; a failure of the database must stop us. */
static int pass_over(const struct reading *reading, uint64_t sequence, int r)
{
	if (r < 0)
		return r;
	log_error("delivery", "a queued entry cannot be read, passing over it",
		F_STR("party", reading->fetch->recipient->name), F_U64("sequence", sequence),
		F_ERR(r));
	return 0;
}

static int envelope_read(const struct reading *reading, uint64_t sequence, Dienstweg__Item *item)
{
	struct arena *arena = reading->fetch->arena;
	Dienstweg__Row *row = NULL;
	int r = journal_read_row(reading->reader, sequence, arena, &row);
	return r ? r : letter_of(reading->reader, sequence, row, arena, item);
}

static int message_read(
	struct reading *reading, uint8_t lane, uint64_t sequence, const struct queue_row *row)
{
	struct fetch *fetch = reading->fetch;
	Dienstweg__Item *item = arena_alloc(fetch->arena, sizeof(*item));
	if (!item)
		return -ENOMEM;
	dienstweg__item__init(item);
	item->sequence = sequence;
	item->party = field_bytes(fetch->name);
	item->attempt = row->attempts + 1u;
	int r = envelope_read(reading, sequence, item);
	if (r != 0)
		return pass_over(reading, sequence, r);
	fetch->items[fetch->count++] = (struct fetched){
		.lane = lane,
		.sequence = sequence,
		.bytes = row->bytes,
		.attempt = (uint16_t)item->attempt,
		.item = item,
	};
	reading->messages++;
	reading->bytes += row->bytes;
	return 0;
}

/* Return: 1 when it is passed over, because an earlier one of its case waits; 0, negative errno. */
static int keep_back(
	struct reading *reading, uint8_t lane, uint64_t sequence, const struct queue_row *row)
{
	struct fetch *fetch = reading->fetch;
	const struct rules_item item = {.party = fetch->party, .sequence = sequence};
	struct kept kept = {.lane = lane, .sender = row->sender, .sequence = sequence};
	bool back;
	int r = place_is_held_back(reading->state, &item, lane, row, &back);
	if (r < 0 || !back)
		return r;
	memcpy(kept.case_id, row->case_id, sizeof(kept.case_id));
	fetch->kept[fetch->kept_count++] = kept;
	return 1;
}

/* The row at or after *from. Return: 0 when one was looked at, READER_NOT_FOUND, or full. */
static int message_next(struct reading *reading, uint8_t lane, uint64_t *from, bool exact)
{
	struct fetch *fetch = reading->fetch;
	struct bytes value;
	struct queue_row row;
	uint64_t sequence;
	int r = journal_read_queue(reading->reader, fetch->party, lane, *from, &sequence, &value);
	if (r == 0 && exact && sequence != *from)
		return READER_NOT_FOUND;
	if (r != 0)
		return r;
	if (queue_row_decode(value, &row) != 0)
		r = -EBADMSG;
	if (r == 0)
		r = common_join(reading->state, sequence, &row);
	if (r == -EBADMSG) {
		*from = sequence + 1;
		return pass_over(reading, sequence, READER_DAMAGED);
	}
	if (r < 0)
		return r;
	bool fits = reading->bytes + row.bytes <= fetch->bytes_max;
	reading->full = reading->messages >= fetch->messages_max || !fits ||
			fetch->kept_count == FETCH_KEPT_MAX;
	if (!fits && reading->messages == 0)
		fetch->need_bytes = row.bytes;
	if (reading->full)
		return 0;
	r = keep_back(reading, lane, sequence, &row);
	if (r == 0)
		r = message_read(reading, lane, sequence, &row);
	if (r >= 0)
		*from = sequence + 1;
	return r > 0 ? 0 : r;
}

static int again_read(struct reading *reading)
{
	struct fetch *fetch = reading->fetch;
	while (fetch->again_done < fetch->again_count && !reading->full) {
		const struct again *again = &fetch->again[fetch->again_done];
		uint64_t from = again->sequence;
		int r = message_next(reading, again->lane, &from, true);
		if (r < 0 || r == READER_DAMAGED)
			return r;
		if (!reading->full)
			fetch->again_done++;
	}
	return 0;
}

/* Up to its weight from one lane. */
static int lane_read(struct reading *reading, uint8_t lane)
{
	struct fetch_lane *fetched = &reading->fetch->lanes[lane];
	for (unsigned int i = 0; i < lane_weights[lane]; i++) {
		if (!fetched->wanted || fetched->end || reading->full)
			return 0;
		int r = message_next(reading, lane, &fetched->next, false);
		if (r == READER_NOT_FOUND)
			fetched->end = true;
		else if (r != 0)
			return r;
	}
	return 0;
}

static bool lanes_left(const struct fetch *fetch)
{
	for (uint8_t lane = 0; lane < LANE_OUTCOME; lane++) {
		if (fetch->lanes[lane].wanted && !fetch->lanes[lane].end)
			return true;
	}
	return false;
}

static int lanes_read(struct reading *reading)
{
	while (lanes_left(reading->fetch) && !reading->full) {
		for (uint8_t lane = 0; lane < LANE_OUTCOME; lane++) {
			int r = lane_read(reading, lane);
			if (r != 0)
				return r;
		}
	}
	return 0;
}

static int outcome_name(void *context, uint32_t party, char ret[64])
{
	return journal_read_party_name(context, party, ret);
}

static int outcome_read(struct reading *reading, uint64_t entry, struct bytes value)
{
	struct fetch *fetch = reading->fetch;
	struct outcomes *outcomes = arena_alloc(fetch->arena, sizeof(*outcomes));
	Dienstweg__Row *row = NULL;
	Dienstweg__Decision *decision;
	struct disclosed disclosed;
	struct outcome_source source = {
		.bus = fetch->bus,
		.party = fetch->name,
		.entry = entry,
		.row = value,
		.name = outcome_name,
		.name_context = reading->reader,
	};
	if (!outcomes)
		return -ENOMEM;
	int r = journal_read_row(reading->reader, entry, fetch->arena, &row);
	if (r == 0 && disclosed_decode(BYTES_PB(row->disclosed), &disclosed) != 0)
		r = READER_DAMAGED;
	if (r != 0)
		return r;
	source.batch_ms = disclosed.batch_ms;
	Dienstweg__AckBatch *acks = NULL;
	if (disclosed.kind == DIENSTWEG__ENTRY_KIND__ENTRY_ACKNOWLEDGED) {
		acks = dienstweg__ack_batch__unpack(
			arena_allocator(fetch->arena), row->original.len, row->original.data);
		if (!acks)
			return READER_DAMAGED;
	}
	if (disclosed.kind == DIENSTWEG__ENTRY_KIND__ENTRY_DISCARDED ||
		disclosed.kind == DIENSTWEG__ENTRY_KIND__ENTRY_CANCELLED) {
		r = journal_row_decision(row, fetch->arena, &decision);
		if (r != 0)
			return r;
		source.code = BYTES_PB(decision->cause);
	}
	source.acks = acks;
	r = outcome_items(&source, fetch->arena, outcomes);
	if (r == 0)
		fetch->items[fetch->count++] = (struct fetched){
			.lane = LANE_OUTCOME, .sequence = entry, .outcomes = outcomes};
	return r;
}

static int outcomes_read(struct reading *reading)
{
	struct fetch *fetch = reading->fetch;
	struct fetch_lane *lane = &fetch->lanes[LANE_OUTCOME];
	for (size_t i = 0; lane->wanted && !lane->end && i < fetch->outcomes_max; i++) {
		uint64_t entry;
		struct bytes value;
		int r = journal_read_queue(
			reading->reader, fetch->party, LANE_OUTCOME, lane->next, &entry, &value);
		lane->end = r == READER_NOT_FOUND;
		if (r != 0)
			return lane->end ? 0 : r;
		r = outcome_read(reading, entry, value);
		if (r != 0)
			r = pass_over(reading, entry, r);
		if (r != 0)
			return r;
		lane->next = entry + 1;
	}
	return 0;
}

/* Is the queue held? */
static int hold_read(struct reading *reading)
{
	uint8_t key[HOLD_PARTY_SIZE];
	struct bytes value;
	reading->state = &journal_reader_store(reading->reader)->state;
	hold_party_key_encode(reading->fetch->party, key);
	int r = state_get(reading->state, STATE_HOLD, BYTES(key, sizeof(key)), &value);
	reading->fetch->held = r == 0;
	return r < 0 ? r : 0;
}

void fetch_run(struct errand *errand, struct journal_reader *reader)
{
	struct fetch *fetch = (struct fetch *)errand;
	struct reading reading = {.fetch = fetch, .reader = reader};
	struct journal_meta meta;
	int r = journal_read_meta(reader, &meta);
	if (r == 0) {
		fetch->size = meta.size;
		r = outcomes_read(&reading);
	}
	if (r == 0)
		r = hold_read(&reading);
	if (r == 0 && !fetch->held)
		r = again_read(&reading);
	if (r == 0 && !fetch->held)
		r = lanes_read(&reading);
	/* Out of room half way: what was read so far is good, the rest comes with the next errand. */
	if (r == -ENOMEM && fetch->count > 0)
		r = 0;
	fetch->result = r;
}
