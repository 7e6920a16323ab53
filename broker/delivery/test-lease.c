/* SPDX-License-Identifier: EUPL-1.2 */

/*
 * Besides the life of one lease, a long random run against a plain array: the table moves entries when
 * it grows and when it closes gaps, and only volume finds a probe chain that was cut.
 */
#include "broker/delivery/lease.h"
#include "test/kit/check.h"

static struct lease lease_of(uint64_t sequence, uint64_t session, uint32_t bytes)
{
	return (struct lease){
		.sequence = sequence, .session = session, .bytes = bytes, .attempt = 1, .lane = 1};
}

static void test_life(void)
{
	_cleanup_(lease_table_free) struct lease_table *table = NULL;
	CHECK_INT(lease_table_new(7, 4, &table), 0);
	struct lease lease = lease_of(0, 11, 100), got = {};
	CHECK_INT(lease_holds(table, 0, NULL), LEASE_FREE);
	CHECK_INT(lease_take(table, &lease), 0);
	CHECK_INT(lease_take(table, &lease), LEASE_HELD);
	CHECK_INT(lease_holds(table, 0, &got), LEASE_OUT);
	CHECK_INT(got.session, 11);
	CHECK_INT(lease_out_count(table), 1);
	CHECK_INT(lease_out_bytes(table), 100);

	CHECK_INT(lease_end(table, 0, 12, LEASE_NAKED, NULL), LEASE_FOREIGN);
	CHECK_INT(lease_end(table, 1, 11, LEASE_NAKED, NULL), LEASE_NONE);
	CHECK_INT(lease_end(table, 0, 12, LEASE_ACKNOWLEDGED, &got), 0);
	CHECK_INT(got.bytes, 100);
	CHECK_INT(got.state, LEASE_SETTLING);
	CHECK_INT(lease_out_count(table), 0);
	CHECK_INT(lease_out_bytes(table), 0);
	CHECK_INT(lease_take(table, &lease), LEASE_HELD);
	CHECK_INT(lease_end(table, 0, 11, LEASE_ACKNOWLEDGED, NULL), LEASE_NONE);

	CHECK_INT(lease_forget(table, 0), 0);
	CHECK_INT(lease_forget(table, 0), LEASE_NONE);
	CHECK_INT(lease_count(table), 0);
	CHECK_INT(lease_take(table, &lease), 0);
	CHECK_INT(lease_forget(table, 0), 0);
	CHECK_INT(lease_out_bytes(table), 0);
}

static void test_bound(void)
{
	_cleanup_(lease_table_free) struct lease_table *table = NULL;
	CHECK_INT(lease_table_new(7, 3, &table), 0);
	for (uint64_t i = 0; i < 3; i++) {
		struct lease lease = lease_of(i, 1, 1);
		CHECK_INT(lease_take(table, &lease), 0);
	}
	struct lease lease = lease_of(3, 1, 1);
	CHECK_INT(lease_take(table, &lease), LEASE_FULL);
	CHECK_INT(lease_end(table, 1, 1, LEASE_ACKNOWLEDGED, NULL), 0);
	CHECK_INT(lease_take(table, &lease), LEASE_FULL);
	CHECK_INT(lease_forget(table, 1), 0);
	CHECK_INT(lease_take(table, &lease), 0);
}

static void test_session(void)
{
	_cleanup_(lease_table_free) struct lease_table *table = NULL;
	CHECK_INT(lease_table_new(9, 64, &table), 0);
	for (uint64_t i = 0; i < 40; i++) {
		struct lease lease = lease_of(1000 - i * 7, i % 2 ? 1 : 2, 10);
		CHECK_INT(lease_take(table, &lease), 0);
	}
	CHECK_INT(lease_end(table, 1000 - 7, 1, LEASE_ACKNOWLEDGED, NULL), 0);
	struct rules_item items[8];
	size_t total = 0, got;
	do {
		got = lease_end_session(table, 1, items, 8);
		for (size_t i = 0; i < got; i++) {
			CHECK_INT(items[i].party, 9);
			CHECK_INT(lease_holds(table, items[i].sequence, NULL), LEASE_SETTLING);
			CHECK(i == 0 || items[i - 1].sequence < items[i].sequence);
		}
		total += got;
	} while (got == 8);
	CHECK_INT(total, 19);
	CHECK_INT(lease_out_count(table), 20);
	CHECK_INT(lease_out_bytes(table), 200);
	CHECK_INT(lease_count(table), 40);
}

enum { RUN_SEQUENCES = 512, RUN_STEPS = 200000 };

static void test_against_array(void)
{
	_cleanup_(lease_table_free) struct lease_table *table = NULL;
	CHECK_INT(lease_table_new(1, 300, &table), 0);
	uint8_t model[RUN_SEQUENCES] = {};
	size_t count = 0, out = 0;
	uint64_t seed = 1;
	for (int step = 0; step < RUN_STEPS; step++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint64_t sequence = (seed >> 33) % RUN_SEQUENCES;
		struct lease lease = lease_of(sequence, 1, 3);
		switch ((seed >> 60) % 4) {
		case 0:
		case 1:
			CHECK_INT(lease_take(table, &lease), model[sequence] != LEASE_FREE
								     ? LEASE_HELD
							     : count == 300 ? LEASE_FULL
									    : 0);
			if (model[sequence] == LEASE_FREE && count < 300) {
				model[sequence] = LEASE_OUT;
				count++, out++;
			}
			break;
		case 2:
			CHECK_INT(lease_end(table, sequence, 1, LEASE_NAKED, NULL),
				model[sequence] == LEASE_OUT ? 0 : LEASE_NONE);
			if (model[sequence] == LEASE_OUT) {
				model[sequence] = LEASE_SETTLING;
				out--;
			}
			break;
		default:
			CHECK_INT(lease_forget(table, sequence),
				model[sequence] == LEASE_FREE ? LEASE_NONE : 0);
			if (model[sequence] != LEASE_FREE)
				count--;
			if (model[sequence] == LEASE_OUT)
				out--;
			model[sequence] = LEASE_FREE;
		}
		CHECK_INT(lease_count(table), count);
		CHECK_INT(lease_out_count(table), out);
		CHECK_INT(lease_out_bytes(table), out * 3);
		CHECK_INT(lease_holds(table, sequence, NULL), model[sequence]);
	}
	for (uint64_t i = 0; i < RUN_SEQUENCES; i++)
		CHECK_INT(lease_holds(table, i, NULL), model[i]);
}

CHECK_MAIN(CHECK_CASE(test_life), CHECK_CASE(test_bound), CHECK_CASE(test_session),
	CHECK_CASE(test_against_array))
