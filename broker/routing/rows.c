/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Rows are written byte by byte, not copied from structs: they are read again by other builds, other
 * machines and an auditor's own program. Every decoder insists on the exact length and on values that
 * the encoder could have written, so that a damaged row is found where it is read.
 */
#include "broker/routing/rows.h"

#include <assert.h>

const char *end_state_name(enum end_state state)
{
	static const char *const names[] = {
		[END_DELAYED] = "delayed",
		[END_ACCEPTED] = "accepted",
		[END_REJECTED] = "rejected",
		[END_EXPIRED] = "expired",
		[END_CANCELLED] = "cancelled",
		[END_DISCARDED] = "discarded",
		[END_DEAD] = "dead",
		[END_HELD] = "held",
		[END_OVERDUE] = "overdue",
		[END_DUE_SOON] = "due-soon",
	};
	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : NULL;
}

/* ---- keys ---- */

void queue_key_encode(uint32_t party, uint8_t lane, uint64_t sequence, uint8_t buf[QUEUE_KEY_SIZE])
{
	be32_put(buf, party);
	buf[4] = lane;
	be64_put(buf + 5, sequence);
}

void common_key_encode(uint64_t sequence, uint8_t buf[QUEUE_KEY_SIZE])
{
	queue_key_encode(PARTY_COMMON, LANE_URGENT, sequence, buf);
}

int queue_key_decode(struct bytes key, uint32_t *party, uint8_t *lane, uint64_t *sequence)
{
	if (key.len != QUEUE_KEY_SIZE || key.data[4] >= LANES)
		return 1;
	*party = be32_get(key.data);
	*lane = key.data[4];
	*sequence = be64_get(key.data + 5);
	return 0;
}

void timer_key_encode(uint64_t due_ms, uint64_t sequence, uint32_t party, uint8_t what,
	uint8_t buf[TIMER_KEY_SIZE])
{
	be64_put(buf, due_ms);
	be64_put(buf + 8, sequence);
	be32_put(buf + 16, party);
	buf[20] = what;
}

int timer_key_decode(
	struct bytes key, uint64_t *due_ms, uint64_t *sequence, uint32_t *party, uint8_t *what)
{
	if (key.len != TIMER_KEY_SIZE || key.data[20] < TIMER_RELEASE || key.data[20] > TIMER_ASKED)
		return 1;
	*due_ms = be64_get(key.data);
	*sequence = be64_get(key.data + 8);
	*party = be32_get(key.data + 16);
	*what = key.data[20];
	return 0;
}

void seen_key_encode(
	const uint8_t message_id[UUID_SIZE], uint32_t sender, uint8_t buf[SEEN_KEY_SIZE])
{
	memcpy(buf, message_id, UUID_SIZE);
	be32_put(buf + UUID_SIZE, sender);
}

void end_key_encode(uint64_t sequence, uint32_t party, uint8_t buf[END_KEY_SIZE])
{
	be64_put(buf, sequence);
	be32_put(buf + 8, party);
}

int end_key_decode(struct bytes key, uint64_t *sequence, uint32_t *party)
{
	if (key.len != END_KEY_SIZE)
		return 1;
	*sequence = be64_get(key.data);
	*party = be32_get(key.data + 8);
	return 0;
}

void total_key_encode(enum counter_kind kind, uint32_t party, uint8_t buf[TOTAL_KEY_SIZE])
{
	buf[0] = (uint8_t)kind;
	be32_put(buf + 1, party);
}

void refusals_key_encode(uint32_t party, uint64_t minute, uint8_t buf[REFUSALS_KEY_SIZE])
{
	buf[0] = COUNTER_REFUSALS;
	be32_put(buf + 1, party);
	be64_put(buf + 5, minute);
}

void hold_party_key_encode(uint32_t party, uint8_t buf[HOLD_PARTY_SIZE])
{
	buf[0] = 'q';
	be32_put(buf + 1, party);
}

void hold_service_key_encode(struct bytes service, uint8_t buf[HOLD_SERVICE_SIZE])
{
	assert(service.len < HOLD_SERVICE_SIZE - 1);
	memset(buf, 0, HOLD_SERVICE_SIZE);
	buf[0] = 's';
	memcpy(buf + 1, service.data, service.len);
}

void order_key_encode(uint32_t party, uint8_t lane, const struct queue_row *row, uint64_t sequence,
	uint8_t buf[ORDER_KEY_SIZE])
{
	be32_put(buf, party);
	buf[4] = lane;
	be32_put(buf + 5, row->sender);
	memcpy(buf + 9, row->case_id, sizeof(row->case_id));
	be64_put(buf + 25, sequence);
}

size_t quota_key_encode(uint32_t month, struct bytes agreement, uint8_t buf[QUOTA_KEY_MAX])
{
	assert(agreement.len <= QUOTA_KEY_MAX - 5);
	buf[0] = COUNTER_QUOTA;
	be32_put(buf + 1, month);
	memcpy(buf + 5, agreement.data, agreement.len);
	return 5 + agreement.len;
}

void asked_key_encode(
	uint32_t asker, const uint8_t token[ASKED_TOKEN_SIZE], uint8_t buf[ASKED_KEY_SIZE])
{
	total_key_encode(COUNTER_ASKED, asker, buf);
	memcpy(buf + TOTAL_KEY_SIZE, token, ASKED_TOKEN_SIZE);
}

size_t pending_key_encode(uint32_t asker, struct bytes service, uint8_t buf[PENDING_KEY_MAX])
{
	assert(service.len <= PENDING_KEY_MAX - TOTAL_KEY_SIZE);
	total_key_encode(COUNTER_PENDING, asker, buf);
	memcpy(buf + TOTAL_KEY_SIZE, service.data, service.len);
	return TOTAL_KEY_SIZE + service.len;
}

/* ---- values ---- */

size_t asked_row_encode(const struct asked_row *row, uint8_t buf[ASKED_ROW_MAX])
{
	size_t len = ASKED_ROW_MIN;
	be64_put(buf, row->sequence);
	be32_put(buf + 8, row->answerer);
	be64_put(buf + 12, row->due_ms);
	buf[20] = row->state;
	if (asked_state_tells(row->state)) {
		memcpy(buf + len, row->h, HASH_SIZE);
		memcpy(buf + len + HASH_SIZE, row->message_id, UUID_SIZE);
		memcpy(buf + len + HASH_SIZE + UUID_SIZE, row->case_id, sizeof(row->case_id));
		len += ASKED_IDS_SIZE;
	}
	if (row->state == ASKED_WARNS) {
		be64_put(buf + len, row->overdue_ms);
		len += 8;
	}
	memcpy(buf + len, row->service, row->service_len);
	return len + row->service_len;
}

int asked_row_decode(struct bytes value, struct asked_row *ret)
{
	size_t len = ASKED_ROW_MIN;
	if (value.len <= len || value.data[20] > ASKED_LATE)
		return 1;
	ret->sequence = be64_get(value.data);
	ret->answerer = be32_get(value.data + 8);
	ret->due_ms = be64_get(value.data + 12);
	ret->state = value.data[20];
	if (asked_state_tells(ret->state)) {
		if (value.len <= len + ASKED_IDS_SIZE)
			return 1;
		memcpy(ret->h, value.data + len, HASH_SIZE);
		memcpy(ret->message_id, value.data + len + HASH_SIZE, UUID_SIZE);
		memcpy(ret->case_id, value.data + len + HASH_SIZE + UUID_SIZE, sizeof(ret->case_id));
		len += ASKED_IDS_SIZE;
	}
	ret->overdue_ms = 0;
	if (ret->state == ASKED_WARNS) {
		if (value.len <= len + 8)
			return 1;
		ret->overdue_ms = be64_get(value.data + len);
		len += 8;
	}
	if (value.len - len > sizeof(ret->service))
		return 1;
	ret->service_len = (uint8_t)(value.len - len);
	memcpy(ret->service, value.data + len, ret->service_len);
	return ret->answerer == 0;
}

/* Most rows are of messages that were never tried and have no limit of their own: these are shorter. */
size_t queue_row_encode(const struct queue_row *row, uint8_t buf[QUEUE_ROW_MAX])
{
	be16_put(buf, row->attempts);
	if (row->sharing) {
		be16_put(buf + SHARING_ROW_SIZE, row->strikes);
		return row->strikes ? SHARING_ROW_MAX : SHARING_ROW_SIZE;
	}
	be32_put(buf + 2, row->sender);
	be32_put(buf + 6, row->bytes);
	be64_put(buf + 10, row->expires_ms);
	memcpy(buf + 18, row->h, HASH_SIZE);
	memcpy(buf + 50, row->message_id, UUID_SIZE);
	memcpy(buf + 66, row->case_id, sizeof(row->case_id));
	if (row->strikes == 0 && row->attempts_max == 0)
		return QUEUE_ROW_SIZE;
	be16_put(buf + QUEUE_ROW_SIZE, row->strikes);
	be16_put(buf + QUEUE_ROW_SIZE + 2, row->attempts_max);
	return QUEUE_ROW_MAX;
}

int queue_row_decode(struct bytes value, struct queue_row *ret)
{
	if (value.len == SHARING_ROW_SIZE || value.len == SHARING_ROW_MAX) {
		*ret = (struct queue_row){.sharing = true, .attempts = be16_get(value.data)};
		if (value.len == SHARING_ROW_MAX)
			ret->strikes = be16_get(value.data + SHARING_ROW_SIZE);
		return value.len == SHARING_ROW_MAX && ret->strikes == 0;
	}
	bool longer = value.len == QUEUE_ROW_MAX;
	if ((value.len != QUEUE_ROW_SIZE && !longer) || be32_get(value.data + 2) == 0)
		return 1;
	ret->sharing = false;
	ret->attempts = be16_get(value.data);
	ret->strikes = longer ? be16_get(value.data + QUEUE_ROW_SIZE) : 0;
	ret->attempts_max = longer ? be16_get(value.data + QUEUE_ROW_SIZE + 2) : 0;
	ret->sender = be32_get(value.data + 2);
	ret->bytes = be32_get(value.data + 6);
	ret->expires_ms = be64_get(value.data + 10);
	memcpy(ret->h, value.data + 18, HASH_SIZE);
	memcpy(ret->message_id, value.data + 50, UUID_SIZE);
	memcpy(ret->case_id, value.data + 66, sizeof(ret->case_id));
	return longer && ret->strikes == 0 && ret->attempts_max == 0;
}

/* The limit of its service stands last, where there is one: the length tells, by its remainder. */
size_t common_row_encode(const struct common_row *common, uint8_t buf[COMMON_ROW_MAX])
{
	struct queue_row row = common->row;
	assert(!row.sharing && row.strikes == 0 && common->count <= COMMON_RECIPIENTS_MAX);
	row.attempts_max = 0;
	size_t len = queue_row_encode(&row, buf);
	for (size_t i = 0; i < common->count; i++, len += 4)
		be32_put(buf + len, common->recipients[i]);
	if (common->row.attempts_max == 0)
		return len;
	be16_put(buf + len, common->row.attempts_max);
	return len + 2;
}

int common_row_decode(struct bytes value, struct common_row *ret)
{
	bool limited = value.len % 4 == (QUEUE_ROW_SIZE + 2) % 4;
	size_t len = limited ? value.len - 2 : value.len;
	if (len <= QUEUE_ROW_SIZE || len > COMMON_ROW_MAX - 2 || len % 4 != QUEUE_ROW_SIZE % 4 ||
		queue_row_decode(BYTES(value.data, QUEUE_ROW_SIZE), &ret->row) != 0)
		return 1;
	ret->row.attempts_max = limited ? be16_get(value.data + len) : 0;
	ret->count = (len - QUEUE_ROW_SIZE) / 4;
	for (size_t i = 0; i < ret->count; i++)
		ret->recipients[i] = be32_get(value.data + QUEUE_ROW_SIZE + 4 * i);
	return ret->row.attempts < 1 || ret->row.attempts > ret->count ||
	       (limited && ret->row.attempts_max == 0);
}

size_t release_row_encode(uint8_t lane, const struct queue_row *row, uint8_t buf[RELEASE_ROW_MAX])
{
	buf[0] = lane;
	return 1 + queue_row_encode(row, buf + 1);
}

int release_row_decode(struct bytes value, uint8_t *lane, struct queue_row *ret)
{
	if (value.len < 1 || value.data[0] >= LANE_OUTCOME)
		return 1;
	*lane = value.data[0];
	return queue_row_decode(BYTES(value.data + 1, value.len - 1), ret);
}

size_t parked_row_encode(
	uint8_t lane, uint64_t due_ms, const struct queue_row *row, uint8_t buf[PARKED_ROW_MAX])
{
	buf[0] = lane;
	be64_put(buf + 1, due_ms);
	return 9 + queue_row_encode(row, buf + 9);
}

int parked_row_decode(struct bytes value, uint8_t *lane, uint64_t *due_ms, struct queue_row *ret)
{
	if (value.len < 9 || value.data[0] >= LANE_OUTCOME)
		return 1;
	*lane = value.data[0];
	*due_ms = be64_get(value.data + 1);
	return queue_row_decode(BYTES(value.data + 9, value.len - 9), ret);
}

void outcome_item_encode(const struct outcome_item *item, uint8_t buf[OUTCOME_ITEM_SIZE])
{
	be64_put(buf, item->sequence);
	be32_put(buf + 8, item->recipient);
	buf[12] = item->state;
	buf[13] = item->index;
	memcpy(buf + 14, item->h, HASH_SIZE);
	memcpy(buf + 46, item->message_id, UUID_SIZE);
	memcpy(buf + 62, item->case_id, sizeof(item->case_id));
}

int outcome_item_decode(struct bytes value, size_t nth, struct outcome_item *ret)
{
	if (value.len % OUTCOME_ITEM_SIZE != 0 || nth >= value.len / OUTCOME_ITEM_SIZE)
		return 1;
	const uint8_t *data = value.data + nth * OUTCOME_ITEM_SIZE;
	if (!end_state_is_end(data[12]) && data[12] != END_OVERDUE && data[12] != END_DUE_SOON)
		return 1;
	ret->sequence = be64_get(data);
	ret->recipient = be32_get(data + 8);
	ret->state = data[12];
	ret->index = data[13];
	memcpy(ret->h, data + 14, HASH_SIZE);
	memcpy(ret->message_id, data + 46, UUID_SIZE);
	memcpy(ret->case_id, data + 62, sizeof(ret->case_id));
	return 0;
}

void seen_row_encode(const struct seen_row *row, uint8_t buf[SEEN_ROW_SIZE])
{
	be64_put(buf, row->sequence);
	buf[8] = row->kind;
	memcpy(buf + 9, row->h, sizeof(row->h));
}

int seen_row_decode(struct bytes value, struct seen_row *ret)
{
	if (value.len != SEEN_ROW_SIZE)
		return 1;
	ret->sequence = be64_get(value.data);
	ret->kind = value.data[8];
	memcpy(ret->h, value.data + 9, sizeof(ret->h));
	return 0;
}

void end_row_encode(const struct end_row *row, uint8_t buf[END_ROW_SIZE])
{
	buf[0] = row->heard ? row->state | END_HEARD : row->state;
	be64_put(buf + 1, row->entry);
	buf[9] = row->index;
}

int end_row_decode(struct bytes value, struct end_row *ret)
{
	if (value.len != END_ROW_SIZE)
		return 1;
	ret->heard = (value.data[0] & END_HEARD) != 0;
	ret->state = value.data[0] & (uint8_t)~END_HEARD;
	if (ret->state > END_HELD || (ret->heard && !end_state_is_unheard(ret->state)))
		return 1;
	if (ret->state == END_DELAYED && value.data[9] >= LANE_OUTCOME)
		return 1;
	ret->entry = be64_get(value.data + 1);
	ret->index = value.data[9];
	return 0;
}

void total_row_encode(const struct total_row *row, uint8_t buf[TOTAL_ROW_SIZE])
{
	be64_put(buf, row->first);
	be64_put(buf + 8, row->second);
}

int total_row_decode(struct bytes value, struct total_row *ret)
{
	if (value.len != TOTAL_ROW_SIZE)
		return 1;
	ret->first = be64_get(value.data);
	ret->second = be64_get(value.data + 8);
	return 0;
}

/* Days to civil date over 400-year eras that begin in March, so that the leap day comes last. */
uint32_t quota_month(uint64_t wall_ms)
{
	uint64_t days = wall_ms / 86400000u + 719468; /* since 0000-03-01 */
	uint64_t era = days / 146097;
	uint64_t day = days % 146097;
	uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	uint64_t of_year = day - (365 * year + year / 4 - year / 100);
	uint64_t months = (era * 400 + year) * 12 + 2 + (5 * of_year + 2) / 153;
	return (uint32_t)months;
}
