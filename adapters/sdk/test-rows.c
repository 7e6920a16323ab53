/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * What is written is read back, and a row that was cut anywhere is noticed: a damaged file must end the
 * adapter with an error and not with somebody else's bytes.
 */
#include "adapters/sdk/rows.h"

#include <errno.h>

#include "test/kit/check.h"

enum { ROOM = 8192 };

static struct outbox_row outbox_sample(uint8_t data[ROOM], size_t content, size_t body)
{
	for (size_t i = 0; i < ROOM; i++)
		data[i] = (uint8_t)(i * 7);
	struct outbox_row row = {
		.sealed = body > 0,
		.place = 0x0102030405060708,
		.header = BYTES(data, 300),
		.core = BYTES(data + 300, 89),
		.content = BYTES(data + 400, content),
		.body = BYTES(data + 500, body),
	};
	memset(row.message_id, 3, sizeof(row.message_id));
	memset(row.case_id, 4, sizeof(row.case_id));
	return row;
}

static void an_outbox_row_comes_back(void)
{
	uint8_t data[ROOM], bytes_of_a_row[ROOM];
	struct outbox_row row = outbox_sample(data, 700, 600), back;
	size_t size = outbox_row_size(&row);
	CHECK(!row.chunked);
	outbox_row_encode(&row, bytes_of_a_row);
	CHECK_INT(outbox_row_decode(BYTES(bytes_of_a_row, size), &back), 0);
	CHECK(back.sealed && !back.chunked);
	CHECK(back.place == row.place);
	CHECK(bytes_equal(back.header, row.header) && bytes_equal(back.core, row.core));
	CHECK(bytes_equal(back.content, row.content) && bytes_equal(back.body, row.body));
	CHECK_MEM(back.message_id, row.message_id, UUID_SIZE);
	CHECK_MEM(back.case_id, row.case_id, CASE_ID_SIZE);
}

static void a_large_one_leaves_its_parts_outside(void)
{
	uint8_t data[ROOM], bytes_of_a_row[ROOM];
	struct outbox_row row = outbox_sample(data, 5000, 4000), back;
	size_t size = outbox_row_size(&row);
	CHECK(row.chunked && size <= ROW_INLINE_MAX);
	outbox_row_encode(&row, bytes_of_a_row);
	CHECK_INT(outbox_row_decode(BYTES(bytes_of_a_row, size), &back), 0);
	CHECK(back.chunked);
	CHECK_INT(back.content.len, 5000);
	CHECK_INT(back.body.len, 4000);
}

/* Large parts are stored before it is signed: signing must not move them. */
static void signing_does_not_change_where_parts_go(void)
{
	uint8_t data[ROOM];
	for (size_t content = 3000; content < 3900; content++) {
		struct outbox_row row = outbox_sample(data, content, 0);
		struct bytes core = row.core;
		row.core = BYTES(NULL, 0);
		(void)outbox_row_size(&row);
		bool before = row.chunked;
		row.core = core;
		CHECK(outbox_row_size(&row) <= ROW_INLINE_MAX);
		CHECK(row.chunked == before);
	}
}

static void a_sent_row_comes_back(void)
{
	uint8_t buf[SENT_ROW_MAX];
	struct sent_row back, row = {
				      .state = SENT_RECORDED,
				      .ended = true,
				      .reminded = 3,
				      .number = 77,
				      .sequence = UINT64_MAX - 1,
				      .at_ms = 123456789,
				      .sender = BYTES_STR("city"),
				      .service = BYTES_STR("alg2.application"),
				      .key = BYTES_STR("portal/antrag-1.json"),
			      };
	memset(row.h, 5, sizeof(row.h));
	size_t size = sent_row_encode(&row, buf);
	CHECK_INT(sent_row_decode(BYTES(buf, size), &back), 0);
	CHECK_INT(back.state, SENT_RECORDED);
	CHECK(back.ended && !back.again && back.reminded == 3);
	CHECK(back.number == 77 && back.sequence == row.sequence);
	CHECK(bytes_equal(back.sender, row.sender) && bytes_equal(back.service, row.service) &&
		bytes_equal(back.key, row.key));
	buf[1] = 9;
	CHECK_INT(sent_row_decode(BYTES(buf, size), &back), -EBADMSG);
}

static void a_verdict_comes_back(void)
{
	uint8_t buf[INBOX_ROW_MAX];
	struct inbox_row back, row = {.accepted = false,
				       .sequence = 42,
				       .code = BYTES_STR("not-responsible"),
				       .text = BYTES_STR("another town")};
	size_t size = inbox_row_encode(&row, buf);
	CHECK_INT(inbox_row_decode(BYTES(buf, size), &back), 0);
	CHECK(!back.accepted && back.sequence == 42);
	CHECK(bytes_equal(back.code, row.code) && bytes_equal(back.text, row.text));
}

static void cut_anywhere_it_is_noticed(void)
{
	uint8_t data[ROOM], bytes_of_a_row[ROOM];
	uint8_t sent[SENT_ROW_MAX], verdict[INBOX_ROW_MAX];
	struct outbox_row outbox_row = outbox_sample(data, 100, 100), outbox_back;
	struct sent_row sent_row = {.state = SENT_WAITING, .sender = BYTES_STR("city")}, sent_back;
	struct inbox_row inbox_row = {.accepted = true, .code = BYTES_STR("x")}, inbox_back;
	size_t size = outbox_row_size(&outbox_row);
	outbox_row_encode(&outbox_row, bytes_of_a_row);
	for (size_t len = 0; len < size; len++)
		CHECK_INT(outbox_row_decode(BYTES(bytes_of_a_row, len), &outbox_back), -EBADMSG);
	CHECK_INT(outbox_row_decode(BYTES(bytes_of_a_row, size + 1), &outbox_back), -EBADMSG);
	size = sent_row_encode(&sent_row, sent);
	for (size_t len = 0; len < size; len++)
		CHECK_INT(sent_row_decode(BYTES(sent, len), &sent_back), -EBADMSG);
	size = inbox_row_encode(&inbox_row, verdict);
	for (size_t len = 0; len < size; len++)
		CHECK_INT(inbox_row_decode(BYTES(verdict, len), &inbox_back), -EBADMSG);
}

CHECK_MAIN(CHECK_CASE(an_outbox_row_comes_back), CHECK_CASE(a_large_one_leaves_its_parts_outside),
	CHECK_CASE(signing_does_not_change_where_parts_go), CHECK_CASE(a_sent_row_comes_back),
	CHECK_CASE(a_verdict_comes_back), CHECK_CASE(cut_anywhere_it_is_noticed))
