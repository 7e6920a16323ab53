/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Totals are kept by the rules, so reading them costs a look-up each; only for the age of the oldest message a
 * record is opened, one a queue.
 */
#include "broker/admin/figures.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/journal/store.h"
#include "broker/routing/asked.h"

enum { QUEUES_MAX = 4096, QUEUE_ARENA = 64 * 1024 };

static uint64_t oldest_sequence(struct journal_reader *reader, uint32_t party)
{
	uint64_t oldest = UINT64_MAX;
	for (uint8_t lane = 0; lane < LANE_OUTCOME; lane++) {
		uint64_t sequence;
		struct bytes value;
		if (journal_read_queue(reader, party, lane, 0, &sequence, &value) == 0 &&
			sequence < oldest)
			oldest = sequence;
	}
	return oldest;
}

static uint64_t oldest_read(struct journal_reader *reader, uint32_t party, struct arena *arena)
{
	Dienstweg__Row *row;
	struct disclosed disclosed;
	uint64_t sequence = oldest_sequence(reader, party);
	arena_reset(arena);
	if (sequence == UINT64_MAX || journal_read_row(reader, sequence, arena, &row) != 0 ||
		disclosed_decode(BYTES_PB(row->disclosed), &disclosed) != 0)
		return 0;
	return disclosed.batch_ms;
}

static int held_read(struct journal_reader *reader, uint32_t party, bool *ret)
{
	uint8_t key[HOLD_PARTY_SIZE];
	struct bytes found, value;
	hold_party_key_encode(party, key);
	int r = journal_read_table(reader, STATE_HOLD, BYTES(key, sizeof(key)), &found, &value);
	*ret = r == 0 && bytes_equal(found, BYTES(key, sizeof(key)));
	return r == READER_NOT_FOUND ? 0 : r;
}

/* A party that the registry does not know any more has no limit of its own. */
static void queue_judge(
	const struct figures *figures, const struct total_row *total, struct queue_figures *ret)
{
	static const Dienstweg__Party nobody;
	const struct config_queue *config = &figures->config->queue;
	const struct rules_limits limits = {
		.queue_messages_max = config->messages_max, .queue_bytes_max = config->bytes_max};
	const Dienstweg__Party *party = registry_party(figures->registry, BYTES_STR(ret->party));
	total_queue_max(&limits, party ? party : &nobody, &ret->max);
	ret->percent = total_percent(total, &ret->max);
}

/* What agreements with a quota have used of it this month. */
static int quotas_read(struct figures *figures, struct journal_reader *reader)
{
	const Dienstweg__RegistryContent *content = registry_content(figures->registry);
	uint32_t month = quota_month(clock_wall_ms(figures->clock));
	figures->quotas = calloc(content->n_agreements + 1, sizeof(*figures->quotas));
	if (!figures->quotas)
		return -ENOMEM;
	for (size_t i = 0; i < content->n_agreements; i++) {
		const Dienstweg__Agreement *agreement = content->agreements[i];
		struct quota_figures *quota = &figures->quotas[figures->quotas_count];
		if (agreement->quota_messages == 0)
			continue;
		quota->agreement = (const char *)agreement->id.data;
		quota->len = agreement->id.len;
		quota->max = agreement->quota_messages;
		int r = total_quota_get(&journal_reader_store(reader)->state, month,
			BYTES_PB(agreement->id), &quota->used);
		if (r < 0)
			return r;
		figures->quotas_count++;
	}
	return 0;
}

static int queue_read(struct figures *figures, struct journal_reader *reader, struct bytes key,
	struct bytes value, struct arena *arena)
{
	struct queue_figures *queue = &figures->queues[figures->count];
	struct total_row total;
	if (total_row_decode(value, &total) != 0)
		return READER_DAMAGED;
	uint32_t party = be32_get(key.data + 1);
	int r = journal_read_party_name(reader, party, queue->party);
	if (r != 0)
		return r;
	queue->messages = total.first;
	queue->bytes = total.second;
	queue->oldest_ms = total.first ? oldest_read(reader, party, arena) : 0;
	queue->number = party;
	queue_judge(figures, &total, queue);
	r = held_read(reader, party, &queue->held);
	if (r == 0)
		r = asked_late(&journal_reader_store(reader)->state, party, &queue->overdue);
	if (r != 0)
		return r;
	figures->count++;
	return 0;
}

static int queues_read(struct figures *figures, struct journal_reader *reader, struct arena *arena)
{
	uint8_t from[TOTAL_KEY_SIZE + 1];
	struct bytes key, value;
	total_key_encode(COUNTER_QUEUE, 0, from);
	size_t len = TOTAL_KEY_SIZE;
	while (figures->count < QUEUES_MAX) {
		int r = journal_read_table(reader, STATE_COUNTER, BYTES(from, len), &key, &value);
		if (r == READER_NOT_FOUND)
			return 0;
		if (r != 0)
			return r;
		if (key.len != TOTAL_KEY_SIZE || key.data[0] != COUNTER_QUEUE)
			return 0;
		/* The smallest key above this one is this one and a zero. */
		memcpy(from, key.data, TOTAL_KEY_SIZE);
		from[TOTAL_KEY_SIZE] = 0;
		len = TOTAL_KEY_SIZE + 1;
		r = queue_read(figures, reader, BYTES(from, TOTAL_KEY_SIZE), value, arena);
		if (r != 0)
			return r;
	}
	return 0;
}

int figures_read(struct figures *figures, struct journal_reader *reader)
{
	_cleanup_(arena_free) struct arena *arena = arena_new(QUEUE_ARENA);
	figures->queues = calloc(QUEUES_MAX, sizeof(*figures->queues));
	int r = arena && figures->queues ? queues_read(figures, reader, arena) : -ENOMEM;
	return r ? r : quotas_read(figures, reader);
}

void figures_deinit(struct figures *figures)
{
	registry_unref(figures->registry);
	free(figures->queues);
	free(figures->quotas);
}
