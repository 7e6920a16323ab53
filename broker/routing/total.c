/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Totals are kept, not counted: a recipient that is down for a week has a queue of a million rows, and
 * whether one more fits must not cost a walk over them.
 */
#include "broker/routing/total.h"

#include <errno.h>

int total_queue_get(struct state *state, uint32_t party, struct total_row *ret)
{
	uint8_t key[TOTAL_KEY_SIZE];
	struct bytes value;
	*ret = (struct total_row){};
	total_key_encode(COUNTER_QUEUE, party, key);
	int r = state_get(state, STATE_COUNTER, BYTES(key, sizeof(key)), &value);
	if (r == STATE_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	return total_row_decode(value, ret) ? -EBADMSG : 0;
}

int total_queue_put(struct state *state, uint32_t party, const struct total_row *row)
{
	uint8_t key[TOTAL_KEY_SIZE], value[TOTAL_ROW_SIZE];
	total_key_encode(COUNTER_QUEUE, party, key);
	total_row_encode(row, value);
	return state_put(state, STATE_COUNTER, BYTES(key, sizeof(key)), BYTES(value, sizeof(value)));
}

int total_queue_sub(struct state *state, uint32_t party, uint64_t messages, uint64_t bytes)
{
	struct total_row row;
	int r = total_queue_get(state, party, &row);
	if (r < 0)
		return r;
	if (row.first < messages || row.second < bytes)
		return -EBADMSG;
	row.first -= messages;
	row.second -= bytes;
	return total_queue_put(state, party, &row);
}

void total_queue_max(
	const struct rules_limits *limits, const Dienstweg__Party *party, struct total_row *ret)
{
	ret->first = party->queue_messages_max ? party->queue_messages_max
					       : limits->queue_messages_max;
	ret->second = party->queue_bytes_max ? party->queue_bytes_max : limits->queue_bytes_max;
}

static uint32_t percent_of(uint64_t used, uint64_t max)
{
	if (max == 0 || used >= max)
		return used > 0 ? 100 : 0;
	/* The registry may name any number. */
	return max > UINT64_MAX / 100 ? (uint32_t)(used / (max / 100))
				      : (uint32_t)(used * 100 / max);
}

uint32_t total_percent(const struct total_row *used, const struct total_row *max)
{
	uint32_t messages = percent_of(used->first, max->first);
	uint32_t bytes = percent_of(used->second, max->second);
	return messages > bytes ? messages : bytes;
}

int total_quota_get(struct state *state, uint32_t month, struct bytes agreement, uint64_t *ret)
{
	uint8_t key[QUOTA_KEY_MAX];
	size_t len = quota_key_encode(month, agreement, key);
	struct bytes value;
	*ret = 0;
	int r = state_get(state, STATE_COUNTER, BYTES(key, len), &value);
	if (r == STATE_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	if (value.len != 8)
		return -EBADMSG;
	*ret = be64_get(value.data);
	return 0;
}

int total_quota_put(struct state *state, uint32_t month, struct bytes agreement, uint64_t messages)
{
	uint8_t key[QUOTA_KEY_MAX], value[8];
	size_t len = quota_key_encode(month, agreement, key);
	be64_put(value, messages);
	return state_put(state, STATE_COUNTER, BYTES(key, len), BYTES(value, sizeof(value)));
}
