/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * The bytes of every row are pinned here: a change of layout must be a decision, not a side effect.
 */
#include "broker/routing/rows.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "test/kit/check.h"

static void check_hex(const uint8_t *data, size_t len, const char *expected)
{
	char text[512];
	CHECK(len * 2 < sizeof(text));
	text_hex(BYTES(data, len), text);
	CHECK_STR(text, expected);
}

static void fill(uint8_t *p, size_t len, uint8_t first)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(first + i);
}

static struct queue_row sample_row(void)
{
	struct queue_row row = {
		.attempts = 0x0102,
		.sender = 0x03040506,
		.bytes = 0x0708090a,
		.expires_ms = 0x0b0c0d0e0f101112,
	};
	fill(row.h, sizeof(row.h), 0x20);
	fill(row.message_id, sizeof(row.message_id), 0x40);
	fill(row.case_id, sizeof(row.case_id), 0x60);
	return row;
}

static void check_row(const struct queue_row *row)
{
	struct queue_row sample = sample_row();
	CHECK_INT(row->attempts, sample.attempts);
	CHECK_INT(row->sender, sample.sender);
	CHECK_INT(row->bytes, sample.bytes);
	CHECK(row->expires_ms == sample.expires_ms);
	CHECK_MEM(row->h, sample.h, sizeof(sample.h));
	CHECK_MEM(row->message_id, sample.message_id, sizeof(sample.message_id));
	CHECK_MEM(row->case_id, sample.case_id, sizeof(sample.case_id));
}

static void test_queue(void)
{
	uint8_t key[QUEUE_KEY_SIZE], value[QUEUE_ROW_MAX + 1];
	queue_key_encode(0x01020304, LANE_BULK, 0x05060708090a0b0c, key);
	check_hex(key, sizeof(key), "010203040205060708090a0b0c");
	uint32_t party;
	uint64_t sequence;
	uint8_t lane;
	CHECK_INT(queue_key_decode(BYTES(key, sizeof(key)), &party, &lane, &sequence), 0);
	CHECK_INT(party, 0x01020304);
	CHECK_INT(lane, LANE_BULK);
	CHECK(sequence == 0x05060708090a0b0c);
	CHECK_INT(queue_key_decode(BYTES(key, sizeof(key) - 1), &party, &lane, &sequence), 1);
	key[4] = LANES;
	CHECK_INT(queue_key_decode(BYTES(key, sizeof(key)), &party, &lane, &sequence), 1);

	struct queue_row row = sample_row(), got;
	CHECK_INT(queue_row_encode(&row, value), QUEUE_ROW_SIZE);
	check_hex(value, QUEUE_ROW_SIZE,
		"0102030405060708090a0b0c0d0e0f101112"
		"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
		"404142434445464748494a4b4c4d4e4f606162636465666768696a6b6c6d6e6f");
	CHECK_INT(queue_row_decode(BYTES(value, QUEUE_ROW_SIZE), &got), 0);
	check_row(&got);
	CHECK_INT(got.strikes + got.attempts_max, 0);
	CHECK_INT(queue_row_decode(BYTES(value, QUEUE_ROW_SIZE + 1), &got), 1);
	/* With strikes, or a limit of its own, it is longer; and never without. */
	row.attempts_max = 0x0203;
	CHECK_INT(queue_row_encode(&row, value), QUEUE_ROW_MAX);
	check_hex(value + QUEUE_ROW_SIZE, 4, "00000203");
	CHECK_INT(queue_row_decode(BYTES(value, QUEUE_ROW_MAX), &got), 0);
	CHECK_INT(got.attempts_max, 0x0203);
	row.strikes = 0x0405;
	queue_row_encode(&row, value);
	CHECK_INT(queue_row_decode(BYTES(value, QUEUE_ROW_MAX), &got), 0);
	CHECK_INT(got.strikes, 0x0405);
	check_row(&got);
	memset(value + QUEUE_ROW_SIZE, 0, 4);
	CHECK_INT(queue_row_decode(BYTES(value, QUEUE_ROW_MAX), &got), 1);
	memset(value + 2, 0, 4);
	CHECK_INT(queue_row_decode(BYTES(value, QUEUE_ROW_SIZE), &got), 1);
}

/* Of several recipients each has its attempts, and one row has the rest. */
static void test_common(void)
{
	uint8_t key[QUEUE_KEY_SIZE], value[COMMON_ROW_MAX + 4];
	struct queue_row row = sample_row(), got;
	struct common_row common = {.row = sample_row(), .recipients = {7, 0x01020304}, .count = 2};
	struct common_row back;
	row.sharing = true;
	row.attempts = 3;
	CHECK_INT(queue_row_encode(&row, value), SHARING_ROW_SIZE);
	check_hex(value, SHARING_ROW_SIZE, "0003");
	CHECK_INT(queue_row_decode(BYTES(value, SHARING_ROW_SIZE), &got), 0);
	CHECK(got.sharing && got.attempts == 3 && got.sender == 0);

	common_key_encode(0x0102030405060708, key);
	check_hex(key, sizeof(key), "00000000000102030405060708");
	common.row.attempts = 2;
	size_t len = common_row_encode(&common, value);
	CHECK_INT(len, QUEUE_ROW_SIZE + 8);
	check_hex(value, 2, "0002");
	check_hex(value + QUEUE_ROW_SIZE, 8, "0000000701020304");
	CHECK_INT(common_row_decode(BYTES(value, len), &back), 0);
	CHECK(back.count == 2 && back.recipients[1] == 0x01020304 && back.row.attempts == 2);
	CHECK_INT(common_row_decode(BYTES(value, len - 1), &back), 1);
	CHECK_INT(common_row_decode(BYTES(value, QUEUE_ROW_SIZE), &back), 1);
	CHECK_INT(common_row_decode(BYTES(value, sizeof(value)), &back), 1);
	value[1] = 3; /* more wait than it was for */
	CHECK_INT(common_row_decode(BYTES(value, len), &back), 1);
	value[1] = 0;
	CHECK_INT(common_row_decode(BYTES(value, len), &back), 1);
}

static void test_timer(void)
{
	uint8_t key[TIMER_KEY_SIZE], value[PARKED_ROW_MAX];
	timer_key_encode(0x0102030405060708, 0x090a0b0c0d0e0f10, 0x11121314, TIMER_EXPIRE, key);
	check_hex(key, sizeof(key), "0102030405060708090a0b0c0d0e0f101112131402");
	uint64_t due, sequence;
	uint32_t party;
	uint8_t what, lane;
	CHECK_INT(timer_key_decode(BYTES(key, sizeof(key)), &due, &sequence, &party, &what), 0);
	CHECK(due == 0x0102030405060708);
	CHECK(sequence == 0x090a0b0c0d0e0f10);
	CHECK_INT(party, 0x11121314);
	CHECK_INT(what, TIMER_EXPIRE);
	key[TIMER_KEY_SIZE - 1] = 0;
	CHECK_INT(timer_key_decode(BYTES(key, sizeof(key)), &due, &sequence, &party, &what), 1);
	key[TIMER_KEY_SIZE - 1] = TIMER_ASKED + 1;
	CHECK_INT(timer_key_decode(BYTES(key, sizeof(key)), &due, &sequence, &party, &what), 1);

	struct queue_row row = sample_row(), got;
	size_t len = release_row_encode(LANE_NORMAL, &row, value);
	CHECK_INT(value[0], LANE_NORMAL);
	CHECK_INT(release_row_decode(BYTES(value, len), &lane, &got), 0);
	CHECK_INT(lane, LANE_NORMAL);
	check_row(&got);
	CHECK_INT(release_row_decode(BYTES(value, 0), &lane, &got), 1);
	CHECK_INT(release_row_decode(BYTES(value, len - 1), &lane, &got), 1);
	value[0] = LANE_OUTCOME;
	CHECK_INT(release_row_decode(BYTES(value, len), &lane, &got), 1);

	len = parked_row_encode(LANE_BULK, 0x0102030405060708, &row, value);
	check_hex(value, 11, "0201020304050607080102");
	CHECK_INT(parked_row_decode(BYTES(value, len), &lane, &due, &got), 0);
	CHECK(lane == LANE_BULK && due == 0x0102030405060708);
	check_row(&got);
	CHECK_INT(parked_row_decode(BYTES(value, 8), &lane, &due, &got), 1);
	CHECK_INT(parked_row_decode(BYTES(value, len - 1), &lane, &due, &got), 1);
}

static void test_holds(void)
{
	uint8_t party[HOLD_PARTY_SIZE], service[HOLD_SERVICE_SIZE], order[ORDER_KEY_SIZE];
	struct queue_row row = sample_row();
	hold_party_key_encode(0x01020304, party);
	check_hex(party, sizeof(party), "7101020304");
	hold_service_key_encode(BYTES_STR("figures"), service);
	check_hex(service, 10, "73666967757265730000");
	CHECK_INT(service[HOLD_SERVICE_SIZE - 1], 0);
	order_key_encode(0x11121314, LANE_BULK, &row, 0x0102030405060708, order);
	check_hex(order, sizeof(order),
		"111213140203040506606162636465666768696a6b6c6d6e6f0102030405060708");
}

static void test_outcome(void)
{
	struct outcome_item item = {
		.sequence = 0x0102030405060708,
		.recipient = 0x090a0b0c,
		.state = END_EXPIRED,
		.index = 31,
	};
	fill(item.h, sizeof(item.h), 0x20);
	fill(item.message_id, sizeof(item.message_id), 0x40);
	fill(item.case_id, sizeof(item.case_id), 0x60);
	uint8_t value[2 * OUTCOME_ITEM_SIZE];
	outcome_item_encode(&item, value);
	check_hex(value, OUTCOME_ITEM_SIZE,
		"0102030405060708090a0b0c031f"
		"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
		"404142434445464748494a4b4c4d4e4f606162636465666768696a6b6c6d6e6f");
	item.index = 5;
	outcome_item_encode(&item, value + OUTCOME_ITEM_SIZE);
	struct outcome_item got;
	CHECK_INT(outcome_item_decode(BYTES(value, sizeof(value)), 1, &got), 0);
	CHECK_INT(got.index, 5);
	CHECK(got.sequence == item.sequence);
	CHECK_INT(got.recipient, item.recipient);
	CHECK_INT(got.state, END_EXPIRED);
	CHECK_MEM(got.h, item.h, sizeof(item.h));
	CHECK_MEM(got.case_id, item.case_id, sizeof(item.case_id));
	CHECK_INT(outcome_item_decode(BYTES(value, sizeof(value)), 2, &got), 1);
	CHECK_INT(outcome_item_decode(BYTES(value, sizeof(value) - 1), 0, &got), 1);
	value[12] = END_DELAYED;
	CHECK_INT(outcome_item_decode(BYTES(value, sizeof(value)), 0, &got), 1);
	value[12] = END_DUE_SOON;
	CHECK_INT(outcome_item_decode(BYTES(value, sizeof(value)), 0, &got), 0);
	value[12] = END_DUE_SOON + 1;
	CHECK_INT(outcome_item_decode(BYTES(value, sizeof(value)), 0, &got), 1);
}

static void test_seen_end(void)
{
	uint8_t id[UUID_SIZE], key[SEEN_KEY_SIZE], value[SEEN_ROW_SIZE];
	fill(id, sizeof(id), 0xa0);
	seen_key_encode(id, 7, key);
	check_hex(key, sizeof(key), "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf00000007");
	struct seen_row seen = {.sequence = 258, .kind = 2}, seen_got;
	fill(seen.h, sizeof(seen.h), 1);
	seen_row_encode(&seen, value);
	check_hex(value, sizeof(value), "0000000000000102020102030405060708090a0b0c0d0e0f10");
	CHECK_INT(seen_row_decode(BYTES(value, sizeof(value)), &seen_got), 0);
	CHECK_INT(seen_got.sequence, 258);
	CHECK_INT(seen_got.kind, 2);
	CHECK_MEM(seen_got.h, seen.h, sizeof(seen.h));
	CHECK_INT(seen_row_decode(BYTES(value, sizeof(value) - 1), &seen_got), 1);

	uint8_t end_key[END_KEY_SIZE], end_value[END_ROW_SIZE];
	end_key_encode(1, 2, end_key);
	check_hex(end_key, sizeof(end_key), "000000000000000100000002");
	uint64_t sequence;
	uint32_t party;
	CHECK_INT(end_key_decode(BYTES(end_key, sizeof(end_key)), &sequence, &party), 0);
	CHECK_INT(sequence, 1);
	CHECK_INT(party, 2);
	struct end_row end = {.state = END_REJECTED, .entry = 513, .index = 4}, end_got;
	end_row_encode(&end, end_value);
	check_hex(end_value, sizeof(end_value), "02000000000000020104");
	CHECK_INT(end_row_decode(BYTES(end_value, sizeof(end_value)), &end_got), 0);
	CHECK_INT(end_got.state, END_REJECTED);
	CHECK_INT(end_got.entry, 513);
	CHECK_INT(end_got.index, 4);
	end_value[0] = END_HELD + 1;
	CHECK_INT(end_row_decode(BYTES(end_value, sizeof(end_value)), &end_got), 1);
	end_value[0] = END_DELAYED;
	CHECK_INT(end_row_decode(BYTES(end_value, sizeof(end_value)), &end_got), 1);
	end_value[9] = LANE_BULK;
	CHECK_INT(end_row_decode(BYTES(end_value, sizeof(end_value)), &end_got), 0);
	/* Its recipient spoke later: of what ended without it, and of nothing else. */
	end = (struct end_row){.state = END_EXPIRED, .heard = true, .entry = 513, .index = 4};
	end_row_encode(&end, end_value);
	check_hex(end_value, sizeof(end_value), "83000000000000020104");
	CHECK_INT(end_row_decode(BYTES(end_value, sizeof(end_value)), &end_got), 0);
	CHECK(end_got.heard && end_got.state == END_EXPIRED);
	end_value[0] = END_ACCEPTED | END_HEARD;
	CHECK_INT(end_row_decode(BYTES(end_value, sizeof(end_value)), &end_got), 1);
	CHECK_STR(end_state_name(END_DISCARDED), "discarded");
	CHECK_STR(end_state_name(END_HELD), "held");
	CHECK_STR(end_state_name(END_OVERDUE), "overdue");
	CHECK_STR(end_state_name(END_DUE_SOON), "due-soon");
	CHECK(end_state_name(END_DUE_SOON + 1) == NULL);
}

static void test_counters(void)
{
	uint8_t key[QUOTA_KEY_MAX], value[TOTAL_ROW_SIZE];
	total_key_encode(COUNTER_QUEUE, 9, key);
	check_hex(key, TOTAL_KEY_SIZE, "7100000009");
	refusals_key_encode(9, 16, key);
	check_hex(key, REFUSALS_KEY_SIZE, "72000000090000000000000010");
	CHECK_INT(quota_key_encode(3, BYTES_STR("ab"), key), 7);
	check_hex(key, 7, "61000000036162");
	struct total_row row = {.first = 1, .second = 65536}, got;
	total_row_encode(&row, value);
	check_hex(value, sizeof(value), "00000000000000010000000000010000");
	CHECK_INT(total_row_decode(BYTES(value, sizeof(value)), &got), 0);
	CHECK_INT(got.first, 1);
	CHECK_INT(got.second, 65536);
	CHECK_INT(total_row_decode(BYTES(value, sizeof(value) - 1), &got), 1);
}

static void test_asked(void)
{
	uint8_t key[ASKED_KEY_SIZE], pending[PENDING_KEY_MAX], value[ASKED_ROW_MAX];
	uint8_t token[ASKED_TOKEN_SIZE];
	fill(token, sizeof(token), 0x10);
	asked_key_encode(9, token, key);
	check_hex(key, sizeof(key), "6500000009101112131415161718191a1b1c1d1e1f");
	CHECK_INT(pending_key_encode(9, BYTES_STR("ab"), pending), 7);
	check_hex(pending, 7, "77000000096162");
	struct asked_row row = {.sequence = 258,
		.answerer = 7,
		.due_ms = 513,
		.state = ASKED_OVER,
		.service_len = 2,
		.service = "ab"};
	struct asked_row got;
	size_t len = asked_row_encode(&row, value);
	check_hex(value, len,
		"00000000000001020000000700000000000002010161"
		"62");
	CHECK_INT(asked_row_decode(BYTES(value, len), &got), 0);
	CHECK_INT(got.sequence, 258);
	CHECK_INT(got.answerer, 7);
	CHECK_INT(got.due_ms, 513);
	CHECK_INT(got.state, ASKED_OVER);
	CHECK_INT(got.service_len, 2);
	CHECK_MEM(got.service, "ab", 2);
	CHECK_INT(asked_row_decode(BYTES(value, ASKED_ROW_MIN), &got), 1);
	value[20] = ASKED_LATE + 1;
	CHECK_INT(asked_row_decode(BYTES(value, len), &got), 1);
	value[20] = ASKED_REMINDS; /* and then there is more */
	CHECK_INT(asked_row_decode(BYTES(value, len), &got), 1);
	row.state = ASKED_REMINDS;
	fill(row.h, sizeof(row.h), 0x20);
	fill(row.message_id, sizeof(row.message_id), 0x50);
	fill(row.case_id, sizeof(row.case_id), 0x60);
	len = asked_row_encode(&row, value);
	check_hex(value, len,
		"000000000000010200000007000000000000020102"
		"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
		"505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f6162");
	CHECK_INT(asked_row_decode(BYTES(value, len), &got), 0);
	CHECK_MEM(got.case_id, row.case_id, sizeof(row.case_id));
	CHECK_INT(got.service_len, 2);
	CHECK_INT(asked_row_decode(BYTES(value, len - 2), &got), 1);
	row.state = ASKED_WARNS;
	row.overdue_ms = 0x7071727374757677;
	CHECK_INT(asked_row_encode(&row, value), len + 8);
	check_hex(value + 20, 1, "03");
	check_hex(value + ASKED_ROW_MIN + ASKED_IDS_SIZE, 10, "70717273747576776162");
	CHECK_INT(asked_row_decode(BYTES(value, len + 8), &got), 0);
	CHECK(got.overdue_ms == row.overdue_ms);
	CHECK_INT(got.service_len, 2);
	CHECK_INT(asked_row_decode(BYTES(value, len + 6), &got), 1);
	row.state = ASKED_LATE;
	len = asked_row_encode(&row, value);
	CHECK_INT(len, ASKED_ROW_MIN + 2);
	CHECK_INT(asked_row_decode(BYTES(value, len), &got), 0);
	memset(value + 8, 0, 4);
	CHECK_INT(asked_row_decode(BYTES(value, len), &got), 1);
}

static void test_month(void)
{
	static const struct {
		const char *date;
		uint32_t month;
	} cases[] = {
		{"1970-01-01", 1970 * 12},
		{"1999-12-31", 1999 * 12 + 11},
		{"2000-02-29", 2000 * 12 + 1},
		{"2000-03-01", 2000 * 12 + 2},
		{"2021-07-01", 2021 * 12 + 6},
		{"2024-02-29", 2024 * 12 + 1},
		{"2026-11-30", 2026 * 12 + 10},
		{"2100-02-28", 2100 * 12 + 1},
		{"2100-03-01", 2100 * 12 + 2},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ms;
		CHECK_INT(clock_parse_date(cases[i].date, &ms), 0);
		CHECK_INT(quota_month(ms), cases[i].month);
		CHECK_INT(quota_month(ms + 86399999), cases[i].month);
	}
	uint64_t first;
	CHECK_INT(clock_parse_date("2026-12-01", &first), 0);
	CHECK_INT(quota_month(first - 1) + 1, quota_month(first));
}

CHECK_MAIN(CHECK_CASE(test_queue), CHECK_CASE(test_common), CHECK_CASE(test_timer),
	CHECK_CASE(test_holds), CHECK_CASE(test_outcome), CHECK_CASE(test_seen_end),
	CHECK_CASE(test_counters), CHECK_CASE(test_asked), CHECK_CASE(test_month))
