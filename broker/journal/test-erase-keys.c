/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * A key that is missing is no reason for a broker to end: nobody's messages stop because one case cannot be erased
 * early. But what others have under that key must not go on that case's account.
 */
#include "broker/journal/test-erasing.h"
#include "proto/base/clock.h"
#include "test/kit/check.h"

enum { COUNT = 6 };

static bool is_of_day(void *context, uint8_t class, uint32_t label)
{
	return class == 1 && label_day(label) == *(const uint32_t *)context;
}

static struct parcel *send(struct erasing *e, const uint8_t *case_id)
{
	struct parcel *sent = erasing_submit(
		e, &(struct fixture_load){.count = COUNT, .content_bytes = 50, .case_id = case_id});
	erasing_deliver(e, "ministry", sent);
	return sent;
}

static void an_instruction_waits_for_its_key(void)
{
	_cleanup_(erasing_deinit) struct erasing e;
	static const uint8_t early[16] = {9};
	struct operator_act act = {.what = OPERATOR_ERASE_CASE, .about.case_id = {9}};
	struct operator_act now = {.what = OPERATOR_ERASE_NOW, .cause = "test"};
	uint64_t rows[COUNT];
	size_t count;
	bool renewed;
	erasing_init(&e, "missing");
	journal_fixture_start(&e.journal);
	uint32_t day = clock_day(FIXTURE_NOW_MS) + 730;
	struct parcel *others = send(&e, NULL), *of_case = send(&e, early);
	for (size_t i = 0; i < COUNT; i++)
		rows[i] = of_case->submits[i].proof.sequence;
	act.sequences = rows;
	act.count = COUNT;
	CHECK_INT(erasing_operate(&e, &act).taken, COUNT);
	clock_fake_advance(&e.journal.clock, ERASING_DAY_MS);
	parcel_free(send(&e, NULL));
	const struct keyring_doom doom = {.doomed = is_of_day, .context = &day};
	CHECK_INT(keyring_destroy(e.journal.keyring, &doom, &count, &renewed), 0);
	CHECK_INT(count, 1);
	erasing_operate(&e, &now);
	erasing_wait(&e); /* contents have another key, and go */
	parcel_free(send(&e, NULL));
	for (size_t i = 0; i < COUNT; i++) {
		uint64_t other = others->submits[i].proof.sequence;
		CHECK_INT(erasing_read_content(&e, rows[i]), READER_ERASED);
		CHECK_INT(erasing_read_content(&e, other), 0);
		CHECK(erasing_has_row(&e, "instructed", rows[i]));
		CHECK(erasing_has_row(&e, "record", rows[i]) && erasing_has_row(&e, "record", other));
	}
	journal_fixture_stop(&e.journal);
	parcel_free(of_case);
	parcel_free(others);
}

CHECK_MAIN(CHECK_CASE(an_instruction_waits_for_its_key))
